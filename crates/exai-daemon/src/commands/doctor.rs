//! `doctor`: everything that usually goes wrong, each with what was found, why it matters, and the
//! exact way to repair it. `--fix` does what is safe, says what it did, and what it left.

mod checks;
mod clients;
mod clock;
mod disk;
mod models;
mod path;
mod permissions;
mod repair;
mod stale;
mod table;

use super::next_step;
use crate::{
    cli::{Cli, Doctor},
    exit::{self, Code},
    output::{self, Tone, paint},
};
use anyhow::Result;
use exai_config::{Home, ProcessEnv};
use repair::{Done, Repair};
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
    /// Why that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    /// What `--fix` would do.
    #[serde(rename = "fixable", serialize_with = "is_some")]
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<Repair>,
}

#[expect(clippy::ref_option, reason = "what serde hands over")]
fn is_some<S: serde::Serializer>(repair: &Option<Repair>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bool(repair.is_some())
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            found: found.into(),
            fix: None,
            why: None,
            repair: None,
        }
    }

    fn warn(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Warn,
            found: found.into(),
            fix: Some(fix.into()),
            why: None,
            repair: None,
        }
    }

    fn fail(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Fail,
            found: found.into(),
            fix: Some(fix.into()),
            why: None,
            repair: None,
        }
    }
}

impl Check {
    fn because(self, why: &'static str) -> Self {
        Self {
            why: Some(why),
            ..self
        }
    }

    fn repaired_by(self, repair: Repair) -> Self {
        Self {
            repair: Some(repair),
            ..self
        }
    }
}

pub(super) async fn run(cli: &Cli, options: &Doctor) -> Result<Code> {
    let home = Home::locate(cli.home.as_deref(), &ProcessEnv)?;
    let mut checks = checks::all(&home, &cli.settings).await;
    let mut done = Vec::new();
    if options.fix {
        let context = checks::context(&home, &cli.settings);
        done = repair::all(&context, checks);
        checks = checks::all(&home, &cli.settings).await;
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    if options.json {
        let mut report = serde_json::json!({"ok": !failed, "home": home.root(), "checks": checks});
        if options.fix {
            report["repairs"] = serde_json::to_value(&done)?;
        }
        output::json(&report)?;
    } else {
        for line in done.iter().map(deed) {
            output::line(line)?;
        }
        for check in &checks {
            for line in words(check) {
                output::line(line)?;
            }
        }
        advise(&checks, options.fix);
    }
    Ok(if failed { exit::FAILURE } else { exit::OK })
}

/// What `--fix` could do, or has left.
fn advise(checks: &[Check], fixed: bool) {
    let faulty = |check: &&Check| check.verdict != Verdict::Ok;
    let safe = checks.iter().filter(|check| check.repair.is_some()).count();
    let left = checks.iter().filter(faulty).count();
    if fixed && left > 0 {
        next_step(&format!("{left} left for you: the fixes are above"));
    } else if safe > 0 {
        next_step(&format!(
            "`exai-daemon doctor --fix` repairs {safe} of them"
        ));
    }
}

fn deed(done: &Done) -> String {
    let (tone, word, what) = match (&done.did, &done.failed) {
        (Some(did), _) => (Tone::Good, "fixed", did.clone()),
        (None, failed) => (Tone::Bad, "LEFT ", failed.clone().unwrap_or_default()),
    };
    format!(
        "{} {:<9} {}",
        paint(tone, word),
        done.name,
        output::tame(&what)
    )
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
    let why = check.why.iter();
    lines.extend(why.map(|why| format!("                why: {why}")));
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
