//! Files written by programs are what the program would write now: the schema of the wire,
//! and the list of tools that a shim shows before it has seen a daemon.

use super::Drift;
use crate::fault::{Fault, say};
use anyhow::Context as _;
use exai_config::profiles::Profiles;
use exai_engine::surface::Rules;
use std::{fs, path::Path};

pub(super) fn check(root: &Path, drift: Drift, faults: &mut Vec<Fault>) -> anyhow::Result<()> {
    for (path, fresh) in [
        ("config/schema/wire.schema.json", schema()?),
        ("crates/exai-shim/src/builtin_tools.json", builtin_tools()?),
    ] {
        let file = root.join(path);
        // A checkout may have turned line ends; the content is what counts.
        let found = fs::read_to_string(&file)
            .unwrap_or_default()
            .replace("\r\n", "\n");
        if found == fresh {
            continue;
        }
        if drift == Drift::Rewrite {
            replace(&file, &fresh)?;
            say(format_args!("rewrote {path}"))?;
            continue;
        }
        let same = found
            .lines()
            .zip(fresh.lines())
            .take_while(|(old, new)| old == new)
            .count();
        let what = if found.is_empty() {
            "is missing"
        } else {
            "is not what the code generates now"
        };
        let remedy = "run `cargo xtask tidy --fix`, read the difference, and commit it";
        faults.push(Fault::new(path, same + 1, what, remedy));
    }
    Ok(())
}

fn schema() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&exai_protocol::schema::wire())? + "\n")
}

/// One entry a line: small in the shim's binary, and readable in a diff. What a client sees that
/// nobody knows yet.
fn builtin_tools() -> anyhow::Result<String> {
    let chosen = Profiles::shipped()?.of(None, "", "");
    let rules = Rules {
        profile: chosen.profile,
        tools: chosen.tools,
        others: chosen.others,
        allow: chosen.allow,
        deny: chosen.deny,
        ..Rules::default()
    };
    let entries: Vec<String> = exai_tools::entries()
        .iter()
        .filter(|entry| rules.lists(entry, true))
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    Ok(format!("[\n{}\n]\n", entries.join(",\n")))
}

fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let fresh = file.with_extension("fresh");
    let mut opened =
        fs::File::create(&fresh).with_context(|| format!("cannot write {}", fresh.display()))?;
    std::io::Write::write_all(&mut opened, text.as_bytes())?;
    fs::rename(&fresh, file).with_context(|| format!("cannot replace {}", file.display()))
}
