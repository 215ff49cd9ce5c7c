//! Project law as a program. `cargo xtask tidy` refuses what review would have to notice:
//! a dependency that points upward, a file that opens nothing and says nothing, a schema
//! that drifted, a check without its test. `--fix` rewrites what is generated.

mod cargo;
mod fault;
mod source;
mod tidy;

use fault::say;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy [--fix]

  tidy        check the project's own law; exit 1 and name each fault with its remedy
  tidy --fix  the same, and rewrite generated files that have drifted";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(tidy::Drift::Report),
        ["tidy", "--fix"] => tidy::run(tidy::Drift::Rewrite),
        _ => {
            say(USAGE)?;
            Ok(ExitCode::from(2))
        }
    }
}
