//! `doctor`: everything that usually goes wrong, each with what was found and the exact way to
//! repair it. It repairs nothing itself.

mod checks;
mod models;

use crate::{
    cli::Cli,
    exit::{self, Code},
    output::{self, Tone, paint},
};
use anyhow::Result;
use exai_config::{Home, ProcessEnv};
use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            found: found.into(),
            fix: None,
        }
    }

    fn warn(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Warn,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    fn fail(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Fail,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }
}

pub(super) async fn run(cli: &Cli, json: bool) -> Result<Code> {
    let home = Home::locate(cli.home.as_deref(), &ProcessEnv)?;
    let checks = checks::all(&home, &cli.settings).await;
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    if json {
        output::json(&serde_json::json!({"ok": !failed, "home": home.root(), "checks": checks}))?;
    } else {
        for check in &checks {
            for line in words(check) {
                output::line(line)?;
            }
        }
    }
    Ok(if failed { exit::FAILURE } else { exit::OK })
}

fn words(check: &Check) -> Vec<String> {
    let word = match check.verdict {
        Verdict::Ok => paint(Tone::Good, "ok  "),
        Verdict::Warn => paint(Tone::Warning, "warn"),
        Verdict::Fail => paint(Tone::Bad, "FAIL"),
    };
    let mut lines = vec![format!(
        "{word}  {:<9} {}",
        check.name,
        output::tame(&check.found)
    )];
    let label = match check.verdict {
        Verdict::Ok => "to use it",
        Verdict::Warn | Verdict::Fail => "fix",
    };
    lines.extend(
        check
            .fix
            .iter()
            .map(|fix| format!("                {label}: {}", output::tame(fix))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_comes_with_its_repair() {
        let lines = words(&Check::fail("port", "taken", "choose another"));
        assert!(lines[0].contains("FAIL") && lines[0].contains("port"));
        assert_eq!(lines[1].trim(), "fix: choose another");
        assert_eq!(words(&Check::ok("home", "/h")).len(), 1);
        let json = serde_json::to_string(&Check::warn("a", "b", "c")).unwrap();
        assert_eq!(
            json,
            r#"{"name":"a","verdict":"warn","found":"b","fix":"c"}"#
        );
    }
}
