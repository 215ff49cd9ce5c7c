//! The checks, each small enough to be believed.

use super::{Check, clients, clock, disk, path, permissions, repair::Repair, stale, table};
use crate::{
    compose,
    context::Context,
    dial::{Connection, Places},
    lifecycle::{alive, identity::lock_is_held, spawn},
    probe::{Answer, probe},
};
use exai_client::Target;
use exai_config::{
    Home, ProcessEnv, TokenStore, rendezvous,
    token::{self, TokenError},
};
use exai_telemetry::check;
use std::{path::Path, process::Stdio, time::Duration};

/// Below this a thousand windows do not fit.
const FEW_DESCRIPTORS: u64 = 4096;
const START: &str = "exai-daemon start";

/// All of them, in the order in which one explains the next.
pub(super) async fn all(home: &Home, flags: &[(String, String)]) -> Vec<Check> {
    // First what a look would mend on its way, or make stale.
    let access = permissions::checks(home);
    let leftovers = stale::checks(home);
    let clock = clock::checks(home);
    let (mut checks, context) = settings(home, flags);
    checks.push(home_check(home));
    checks.extend(access);
    checks.extend(disk::checks(home));
    checks.extend(clock);
    checks.extend(leftovers);
    checks.push(token(&context));
    checks.push(stopped(home));
    checks.extend(daemon(&context).await);
    checks.push(shim().await);
    checks.extend(path::checks().await);
    checks.extend(clients::checks(&context));
    checks.extend(table::check(home));
    checks.push(log(home));
    checks.extend(database(home));
    checks.extend(super::models::checks(&context).await);
    checks.extend(own_tools(home));
    checks.extend(profiles(home));
    checks.push(descriptors());
    checks
}

/// What a repair needs to know: the settings as far as they can be used.
pub(super) fn context(home: &Home, flags: &[(String, String)]) -> Context {
    settings(home, flags).1
}

/// What is wrong with the tools of this home, file by file.
fn own_tools(home: &Home) -> Vec<Check> {
    const NAME: &str = "own tools";
    let found = exai_config::own_tools::read(home);
    let fix = "correct the file; the daemon looks again by itself";
    let faults = found.faults.iter();
    let mut checks: Vec<Check> = faults
        .map(|fault| Check::warn(NAME, fault.to_string(), fix))
        .collect();
    if checks.is_empty() && !found.tools.is_empty() {
        let names: Vec<&str> = found.tools.iter().map(|tool| &*tool.name).collect();
        checks.push(Check::ok(NAME, names.join(", ")));
    }
    checks
}

/// Whether what the home says of clients and tools can be read; while it cannot, what was known
/// before stays in force, or nothing may be called at all.
fn profiles(home: &Home) -> Option<Check> {
    let fault = crate::surfaces::fault(home)?;
    let fix = "correct the file; the daemon looks again by itself";
    Some(Check::fail("profiles", fault, fix))
}

fn settings(home: &Home, flags: &[(String, String)]) -> (Vec<Check>, Context) {
    const NAME: &str = "settings";
    let mut checks = Vec::new();
    let loaded = exai_config::load(home, &ProcessEnv, flags).unwrap_or_else(|faults| {
        let fault = |fault: &exai_config::Fault| {
            Check::fail(NAME, fault.to_string(), format!("correct {}", fault.place))
        };
        checks.extend(faults.faults.iter().map(fault));
        *faults.rest
    });
    let warn = |warning: &String| {
        Check::warn(
            NAME,
            warning,
            "see config/README.md, or `exai-daemon config --origin`",
        )
    };
    checks.extend(loaded.warnings.iter().map(warn));
    if checks.is_empty() {
        let files: Vec<String> = loaded
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let found = if files.is_empty() {
            "defaults and environment only".to_owned()
        } else {
            files.join(", ")
        };
        checks.push(Check::ok(NAME, found));
    }
    (
        checks,
        Context {
            home: home.clone(),
            loaded,
            overrides: flags.to_vec(),
        },
    )
}

/// Why a token file that holds none is a fault.
const NO_TOKEN: &str = "no daemon starts with it, so windows have no tools";

/// Makes what is missing and proves that files can be written, as a start would.
fn home_check(home: &Home) -> Check {
    match home.prepare() {
        Ok(()) => Check::ok(
            "home",
            format!("{} (private parts 0700, writable)", home.root().display()),
        ),
        Err(error) => Check::fail(
            "home",
            error.to_string(),
            "see above, or set EXAI_HOME to a directory of yours",
        ),
    }
}

fn token(context: &Context) -> Check {
    const NAME: &str = "token";
    if context.loaded.settings.auth.token.is_some() {
        let origin = context
            .loaded
            .origin("auth.token")
            .map(|origin| origin.origin.to_string());
        return Check::ok(NAME, format!("given by {}", origin.unwrap_or_default()));
    }
    match TokenStore::new(&context.home).read() {
        Ok(None) => Check::ok(NAME, "none yet; the daemon makes one at its first start"),
        Ok(Some(found)) => {
            let file = context.home.token_file();
            let short = token::too_short(&found.keyring.current);
            let short = short.map(|short| format!("{} {short}", file.display()));
            match found.warnings.into_iter().next().or(short) {
                None => Check::ok(NAME, file.display().to_string()),
                Some(warning) => Check::warn(NAME, warning, "exai-daemon token rotate"),
            }
        }
        Err(error) => {
            let file = context.home.token_file();
            let runs = lock_is_held(&context.home);
            let remade = if runs {
                "the running daemon writes it again within seconds"
            } else {
                "the daemon makes a new one at its next start"
            };
            let fix = format!("remove {}; {remade}", file.display());
            let check = Check::fail(NAME, error.to_string(), fix).because(NO_TOKEN);
            match error {
                TokenError::Garbage { .. } if !runs => check.repaired_by(Repair::Aside(file)),
                _ => check,
            }
        }
    }
}

fn stopped(home: &Home) -> Check {
    match rendezvous::stopped(home) {
        None => Check::ok("wanted", "shims may start the daemon"),
        Some(wish) => Check::warn(
            "wanted",
            format!("stopped by you ({}); shims start nothing", wish.reason),
            START,
        ),
    }
}

async fn daemon(context: &Context) -> Vec<Check> {
    const NAME: &str = "daemon";
    let places = Places::of(context).forgiving();
    let (best, configured) = match (places.best(), places.configured()) {
        (Ok(best), Ok(configured)) => (best, configured),
        // The token's own check has said why.
        _ => return Vec::new(),
    };
    let answer = probe(&best, &context.home).await;
    let mut checks = vec![judge(NAME, &best, &answer, lock_is_held(&context.home))];
    if matches!(answer, Answer::Ours(_)) {
        checks.extend(warnings(context).await);
    }
    if best.authority() != configured.authority() && configured.port != 0 {
        let there = probe(&configured, &context.home).await;
        if !matches!(there, Answer::Nobody(_)) {
            checks.push(judge("port", &configured, &there, false));
        }
    }
    checks
}

/// What the daemon itself finds wrong: it alone knows of a limit that is reached, a loop that
/// stood still, a file it cannot write.
async fn warnings(context: &Context) -> Vec<Check> {
    let Ok(connection) = Connection::open(context).await else {
        return Vec::new();
    };
    let health = connection.client.health().await;
    connection.close().await;
    let warnings = health.map(|health| health.warnings).unwrap_or_default();
    let told = |warning: String| {
        Check::warn(
            "daemon",
            warning,
            "what it says; it goes from `exai-daemon status` once it is over",
        )
        .because("the daemon itself says so, and calls may be refused or slow meanwhile")
    };
    warnings.into_iter().map(told).collect()
}

/// Why a port that somebody else has is a fault.
const NO_DAEMON: &str = "no daemon of this home can start there, so its windows have no tools";

fn judge(name: &'static str, target: &Target, answer: &Answer, lock_held: bool) -> Check {
    let at = format!("ws://{}", target.authority());
    let port = target.port;
    let other_port = format!("set EXAI_WS_PORT to a free port, or end what holds port {port}");
    match answer {
        Answer::Ours(server) if server.version != compose::VERSION => Check::warn(
            name,
            format!(
                "{at} runs version {}, this command is {}",
                server.version,
                compose::VERSION
            ),
            "exai-daemon restart",
        )
        .because("both work together, but what is new in the newer one is not there"),
        Answer::Ours(server) => Check::ok(
            name,
            format!("{at} version {} boot {}", server.version, server.boot_id),
        ),
        Answer::OtherHome(server) => Check::fail(
            name,
            format!("{at} is the exai of another home, {}", server.home),
            format!(
                "use it with EXAI_HOME={}, or set EXAI_WS_PORT to a free port",
                server.home
            ),
        )
        .because(NO_DAEMON),
        Answer::Refused(why) => Check::fail(
            name,
            format!("{at} refuses us: {why}"),
            "give both sides the same EXAI_WS_TOKEN (or none), then `exai-daemon restart`",
        )
        .because("windows with this token are refused too"),
        Answer::Foreign(how) => Check::fail(
            name,
            format!("{at} is held by {} that is no exai: {how}", owner(port)),
            other_port,
        )
        .because(NO_DAEMON),
        Answer::Silent if !lock_held => Check::fail(
            name,
            format!(
                "{at} is held by {}, which is no daemon of this home: it accepts connections and \
                 says nothing",
                owner(port)
            ),
            other_port,
        )
        .because(NO_DAEMON),
        Answer::Silent => Check::fail(
            name,
            format!("{at} accepts connections and does not answer"),
            "exai-daemon stop --force, then exai-daemon start",
        )
        .because("calls of every window wait for it"),
        Answer::Nobody(_) if lock_held => Check::warn(
            name,
            "the home's lock is held and nobody answers: it is starting, draining or stuck",
            "wait a moment; if it stays so: exai-daemon stop --force, then exai-daemon start",
        )
        .because("calls of every window wait for it"),
        Answer::Nobody(why) => Check::warn(name, format!("nobody answers at {at}: {why}"), START)
            .because("the first call of a window starts one; until then there is none"),
    }
}

fn owner(port: u16) -> String {
    let owner = exai_config::port_owner::owner(port);
    owner.map_or_else(|| "a program".to_owned(), |owner| owner.to_string())
}

/// The shim that clients would start, and whether it is of this build.
async fn shim() -> Check {
    const NAME: &str = "shim";
    let Some(path) = spawn::sibling("exai-shim") else {
        return Check::warn(
            NAME,
            "exai-shim is not beside exai-daemon",
            "install both into one directory",
        );
    };
    match version_of(&path).await {
        Ok(said) if said.split_whitespace().any(|word| word == compose::VERSION) => {
            Check::ok(NAME, format!("{} ({said})", path.display()))
        }
        Ok(said) => Check::warn(
            NAME,
            format!(
                "{} says {said:?}, this command is {}",
                path.display(),
                compose::VERSION
            ),
            "install both from one build",
        ),
        Err(why) => Check::fail(
            NAME,
            format!("{} {why}", path.display()),
            "install it again",
        ),
    }
}

/// What a program of ours says of itself, or what it does instead.
pub(super) async fn version_of(path: &Path) -> Result<String, String> {
    let mut command = spawn::command(path);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let run = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(Duration::from_secs(3), run).await {
        Ok(Ok(output)) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(Ok(output)) => Err(format!("ended with {}", output.status)),
        Ok(Err(error)) => Err(format!("cannot be run: {error}")),
        Err(_) => Err("does not answer --version".to_owned()),
    }
}

fn log(home: &Home) -> Check {
    const NAME: &str = "log";
    match check::check(&home.daemon_log(), alive::with_work(home)) {
        Ok(report) if report.is_clean() => Check::ok(
            NAME,
            format!(
                "{} calls received, {} finished, {} interrupted by a daemon's death, {} open",
                report.received,
                report.finished,
                report.interrupted.len(),
                report.open.len()
            ),
        ),
        Ok(report) => Check::fail(
            NAME,
            format!(
                "{} calls do not have exactly one end",
                report.violations.len()
            ),
            "`exai-daemon logs check` names them; please report it",
        ),
        Err(error) => Check::fail(
            NAME,
            error.to_string(),
            format!("make {} readable", home.daemon_log().display()),
        ),
    }
}

/// The database as it stands, whether a daemon runs or not.
fn database(home: &Home) -> Vec<Check> {
    const NAME: &str = "data";
    let path = home.database();
    let at = path.display();
    let aside = |file: std::path::PathBuf| {
        Check::warn(
            NAME,
            format!("a damaged database was set aside as {}", file.display()),
            "what could be read was taken over; look at it, then remove it",
        )
    };
    let mut checks: Vec<Check> = exai_store::damaged_beside(&path)
        .into_iter()
        .map(aside)
        .collect();
    // A link to nowhere is there, too.
    if path.symlink_metadata().is_err() {
        checks.push(Check::ok(
            NAME,
            "none yet; the daemon makes it at its first start",
        ));
        return checks;
    }
    let found = exai_store::Reader::open(&path).and_then(|reader| reader.check());
    checks.push(match found {
        Ok(()) => Check::ok(NAME, format!("{at} (whole)")),
        Err(error) => Check::fail(
            NAME,
            format!("{at}: {error}"),
            "exai-daemon restart, which sets a damaged file aside and takes over what can be read",
        ),
    });
    checks
}

#[cfg(unix)]
fn descriptors() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let (soft, hard) = (limit.current, limit.maximum);
    let shown = |limit: Option<u64>| {
        limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
    };
    let found = format!(
        "soft {}, hard {} (the daemon raises soft to hard)",
        shown(soft),
        shown(hard)
    );
    match hard {
        Some(hard) if hard < FEW_DESCRIPTORS => Check::warn(
            "files",
            found,
            format!(
                "allow at least {FEW_DESCRIPTORS} open files (`ulimit -Hn`), or keep to {} windows",
                hard / 2
            ),
        ),
        _ => Check::ok("files", found),
    }
}

#[cfg(not(unix))]
fn descriptors() -> Check {
    Check::ok("files", "no limit on this system")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;
    use exai_protocol::{Secret, hello::ServerInfo};

    fn target() -> Target {
        Target {
            host: "127.0.0.1".into(),
            port: 7,
            host_header: None,
            socket: None,
            plain: false,
            token: Secret::new("s3cret"),
        }
    }

    fn server(version: &str) -> ServerInfo {
        ServerInfo {
            name: "exai-daemon".into(),
            version: version.into(),
            build: "b".into(),
            boot_id: "x".into(),
            home: "/other".into(),
        }
    }

    #[test]
    fn r41_every_answer_has_a_verdict_and_a_fix() {
        let of = |answer: &Answer, held| judge("daemon", &target(), answer, held);
        assert_eq!(
            of(&Answer::Ours(server(compose::VERSION)), true).verdict,
            Verdict::Ok
        );
        let skewed = of(&Answer::Ours(server("99.0")), true);
        assert_eq!(
            (skewed.verdict, skewed.fix.as_deref()),
            (Verdict::Warn, Some("exai-daemon restart"))
        );
        for answer in [
            Answer::OtherHome(server("1")),
            Answer::Refused("unauthorized".into()),
            Answer::Foreign("HTTP 200".into()),
            Answer::Silent,
        ] {
            let check = of(&answer, false);
            assert!(
                check.verdict == Verdict::Fail && check.fix.is_some(),
                "{answer:?}"
            );
            assert!(!format!("{check:?}").contains("s3cret"));
        }
        assert_eq!(
            of(&Answer::Nobody("refused".into()), false).fix.as_deref(),
            Some(START)
        );
        assert!(
            of(&Answer::Nobody("refused".into()), true)
                .found
                .contains("lock")
        );
    }

    #[test]
    fn r42_a_home_that_cannot_be_is_a_failure_with_a_fix() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        exai_config::atomic::write(&file, b"", 0o600).unwrap();
        let check = home_check(&Home::at(file.join("home")));
        assert!(
            check.verdict == Verdict::Fail && check.found.contains("file"),
            "{check:?}"
        );
        assert_eq!(
            home_check(&Home::at(dir.path().join("új"))).verdict,
            Verdict::Ok
        );
    }

    #[test]
    fn broken_settings_are_told_one_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let flags = [
            ("network.port".to_owned(), "x".to_owned()),
            ("nonsense".to_owned(), "1".to_owned()),
        ];
        let (checks, _) = settings(&Home::at(dir.path()), &flags);
        let failed = checks
            .iter()
            .filter(|check| check.verdict == Verdict::Fail)
            .count();
        assert_eq!(failed, 2, "{checks:?}");
    }
}
