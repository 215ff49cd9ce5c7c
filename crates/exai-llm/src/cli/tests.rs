//! Small scripts as agents: they answer, fail, flood, hang, and start children of their own.

mod late;

use super::*;
use crate::{
    attempt::Clocks,
    chat::{ChatRequest, Collector, DoneReason, Message, ModelTraits, StreamItem},
    dialect::{AnswerFormat, AnswerKind, AnswerRule, Dialect, Quirks, Target, write},
    fault::{Fault, FaultClass},
    provider::{CommandSpec, Timeouts},
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Generous: other tests run beside this one.
const SOON: Duration = Duration::from_secs(20);

struct World {
    home: tempfile::TempDir,
    runner: Runner,
}

struct Outcome {
    said: Collector,
    texts: Vec<String>,
    end: Result<(), Fault>,
}

fn environment(more: &[(&str, &str)]) -> Environment {
    let path = std::env::var_os("PATH").unwrap();
    let more = more
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    Environment::new([(OsString::from("PATH"), path)].into_iter().chain(more))
}

impl World {
    fn new(more: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let runner = Runner::new(home.path().join("run"), environment(more));
        Self { home, runner }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    async fn ask(&self, spec: &CommandSpec, request: &ChatRequest) -> Outcome {
        self.timed(spec, request, times(SOON, SOON)).await
    }

    async fn timed(&self, spec: &CommandSpec, request: &ChatRequest, times: Times) -> Outcome {
        self.read(spec, &AnswerFormat::default(), request, times)
            .await
    }

    async fn read(
        &self,
        spec: &CommandSpec,
        answer: &AnswerFormat,
        request: &ChatRequest,
        times: Times,
    ) -> Outcome {
        let quirks = Quirks {
            answer: answer.clone(),
            ..Quirks::default()
        };
        let target = Target {
            endpoint: "agent",
            dialect: Dialect::Cli,
            quirks: &quirks,
            traits: &ModelTraits::default(),
        };
        let wire = write(&target, request).unwrap();
        let job = Job {
            endpoint: "agent",
            spec,
            answer,
            body: &wire.body,
            clocks: Clocks::start(times.0, times.1),
            errand: None,
        };
        let (mut texts, mut lives) = (Vec::new(), 0);
        let mut sink = |item: &StreamItem| {
            if let StreamItem::Text(text) = item {
                texts.push(text.clone());
            }
        };
        let ended = self.runner.run(job, &mut || lives += 1, &mut sink).await;
        assert!(lives <= 1 && (lives == 1) >= !texts.is_empty());
        assert_eq!(ended.first_delta.is_some(), !texts.is_empty());
        Outcome {
            said: ended.said,
            texts,
            end: match ended.fault {
                Some((fault, _)) => Err(fault),
                None => Ok(()),
            },
        }
    }
}

type Times = (Timeouts, tokio::time::Instant);

fn times(first_event: Duration, idle: Duration) -> Times {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap();
    let times = Timeouts {
        first_event_ms: ms(first_event),
        idle_ms: ms(idle),
        ..Timeouts::default()
    };
    (times, tokio::time::Instant::now() + 5 * SOON)
}

/// A script of the shell as an agent.
fn agent(script: &str) -> CommandSpec {
    CommandSpec {
        program: "sh".to_owned(),
        args: vec!["-c".to_owned(), script.to_owned(), "agent".to_owned()],
        model_args: vec!["--model".to_owned(), "{model}".to_owned()],
        login: "agent login".to_owned(),
        install: "npm install agent".to_owned(),
        ..CommandSpec::default()
    }
}

fn ask(text: &str) -> ChatRequest {
    ChatRequest {
        model: "default".to_owned(),
        messages: vec![Message::user(text)],
        ..ChatRequest::default()
    }
}

/// Waits for what another process does.
async fn eventually(what: &str, is: impl Fn() -> bool) {
    let until = Instant::now() + SOON;
    while !is() {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn number(path: &Path) -> Option<i32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn is_alive(number: i32) -> bool {
    let process = rustix::process::Pid::from_raw(number).unwrap();
    // A zombie that nobody has reaped yet is dead.
    let state = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    let zombie = state
        .rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with('Z'));
    rustix::process::test_kill_process(process).is_ok() && !zombie
}

#[tokio::test]
async fn it_hears_the_question_and_its_answer_is_heard() {
    let world = World::new(&[]);
    let outcome = world
        .ask(&agent("printf 'said: '; cat"), &ask("Grüß Gott"))
        .await;
    outcome.end.unwrap();
    assert_eq!(outcome.said.turn.text, "said: Grüß Gott");
    assert_eq!(outcome.said.reason, Some(DoneReason::Stop));
}

#[tokio::test]
async fn a_model_is_named_and_the_default_is_not() {
    let world = World::new(&[]);
    let spec = agent("cat > /dev/null; echo \"args: $*\"");
    let mut request = ask("x");
    let outcome = world.ask(&spec, &request).await;
    assert_eq!(outcome.said.turn.text, "args: \n");
    request.model = "vendor/m:1".to_owned();
    let outcome = world.ask(&spec, &request).await;
    assert_eq!(outcome.said.turn.text, "args: --model vendor/m:1\n");
    request.model = "--dangerous".to_owned();
    let fault = world.ask(&spec, &request).await.end.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unsupported);
}

#[tokio::test]
async fn it_works_in_an_empty_private_directory_that_is_gone_afterwards() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(&[]);
    let script = "cat > /dev/null; ls -A | wc -l; stat -c %a . 2>/dev/null || stat -f %Lp .; \
                  pwd; touch left";
    let outcome = world.ask(&agent(script), &ask("x")).await;
    outcome.end.unwrap();
    let lines: Vec<&str> = outcome.said.turn.text.lines().map(str::trim).collect();
    assert_eq!(lines[..2], ["0", "700"], "{lines:?}");
    let directory = PathBuf::from(lines[2]);
    assert!(directory.ends_with("run/agent-0"), "{lines:?}");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.path("run")), 0o700);
    world.runner.settle().await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn our_keys_are_not_its_keys() {
    let world = World::new(&[
        ("GLM_API_KEY", "canary-ours"),
        ("EXAI_WS_TOKEN", "canary-token"),
        ("AGENT_KEY", "canary-its-own"),
        ("HOME", "/nowhere"),
    ]);
    let mut spec = agent("cat > /dev/null; env; echo \"bad $AGENT_KEY\" >&2; exit 1");
    spec.inherit = vec!["AGENT_KEY".to_owned()];
    let outcome = world.ask(&spec, &ask("x")).await;
    let text = &outcome.said.turn.text;
    assert!(
        !text.contains("canary-ours") && !text.contains("canary-token"),
        "{text}"
    );
    assert!(
        text.contains("HOME=/nowhere") && text.contains("EXAI_CLI_DEPTH=1"),
        "{text}"
    );
    assert!(text.contains("canary-its-own"));
    let detail = outcome.end.unwrap_err().detail;
    assert!(detail.contains("bad [key]"), "{detail}");
}

#[tokio::test]
async fn inside_a_command_line_no_other_is_started() {
    let world = World::new(&[("EXAI_CLI_DEPTH", "1")]);
    let fault = world
        .ask(&agent("echo no"), &ask("x"))
        .await
        .end
        .unwrap_err();
    assert_eq!(fault.class, FaultClass::Unsupported);
    assert!(
        fault.detail.contains("inside an agent's command line"),
        "{fault:?}"
    );
}

#[tokio::test]
async fn one_that_is_not_installed_says_how_to_get_it() {
    let world = World::new(&[]);
    let mut spec = agent("");
    spec.program = "no-such-agent".to_owned();
    let fault = world.ask(&spec, &ask("x")).await.end.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotInstalled);
    assert!(fault.detail.contains("npm install agent"), "{fault:?}");
}

#[tokio::test]
async fn its_last_words_tell_what_went_wrong() {
    let world = World::new(&[]);
    for (script, class, words) in [
        (
            "echo 'Not logged in. Please run /login' >&2; exit 1",
            FaultClass::Auth,
            "not logged in",
        ),
        (
            "echo 'Invalid API key · Please run /login'; exit 1",
            FaultClass::Auth,
            "/login",
        ),
        (
            "echo \"error: unknown option '--tools'\" >&2; exit 2",
            FaultClass::BadRequest,
            "exit code 2",
        ),
        (
            "echo 'boom' >&2; exit 3",
            FaultClass::Server,
            "exit code 3: boom",
        ),
        ("exit 4", FaultClass::Server, "without a word"),
        ("kill -9 $$", FaultClass::Server, "signal 9"),
        (
            "echo 'Error: 429 Too Many Requests' >&2; exit 1",
            FaultClass::RateLimited,
            "429",
        ),
        (
            "echo half; echo late >&2; exit 5",
            FaultClass::Server,
            "late",
        ),
        ("exit 0", FaultClass::Truncated, ""),
        (
            "echo 'nothing to say' >&2",
            FaultClass::Server,
            "nothing to say",
        ),
    ] {
        let script = format!("cat > /dev/null; {script}");
        let fault = world.ask(&agent(&script), &ask("x")).await.end.unwrap_err();
        assert_eq!(fault.class, class, "{script}: {fault:?}");
        assert!(fault.detail.contains(words), "{script}: {fault:?}");
    }
}

#[tokio::test]
async fn half_a_character_waits_for_its_rest() {
    let world = World::new(&[]);
    // U+1F642 in two halves, then half of one that never ends.
    let script = "cat > /dev/null; printf 'a\\360\\237'; sleep 0.3; printf '\\231\\202b'; \
                  sleep 0.3; printf '\\303'";
    let outcome = world.ask(&agent(script), &ask("x")).await;
    outcome.end.unwrap();
    assert_eq!(outcome.said.turn.text, "a🙂b\u{fffd}");
    assert_eq!(outcome.texts[0], "a");
}

#[tokio::test]
async fn what_floods_is_cut_at_what_was_allowed() {
    let world = World::new(&[]);
    let mut request = ask("x");
    request.max_output = 100;
    let outcome = world.ask(&agent("exec yes"), &request).await;
    outcome.end.unwrap();
    assert_eq!(outcome.said.turn.text.len(), 800);
    assert_eq!(outcome.said.reason, Some(DoneReason::Length));
    // On the other output it is drained and forgotten.
    let script = "cat > /dev/null; head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; echo done";
    let outcome = world.ask(&agent(script), &ask("x")).await;
    outcome.end.unwrap();
    assert_eq!(outcome.said.turn.text, "done\n");
}

#[tokio::test]
async fn lines_that_never_make_an_event_end_at_a_bound() {
    let world = World::new(&[]);
    let answer = AnswerFormat {
        format: AnswerKind::JsonLines,
        events: vec![AnswerRule {
            text: Some("text".to_owned()),
            done: true,
            ..AnswerRule::default()
        }],
    };
    let outcome = world
        .read(
            &agent("yes \"$(printf %08000d 0)\""),
            &answer,
            &ask("x"),
            times(SOON, SOON),
        )
        .await;
    let fault = outcome.end.unwrap_err();
    assert_eq!(fault.class, FaultClass::Malformed, "{fault:?}");
    let script = "exec head -c 9000000 /dev/zero";
    let outcome = world
        .read(&agent(script), &answer, &ask("x"), times(SOON, SOON))
        .await;
    assert_eq!(outcome.end.unwrap_err().class, FaultClass::Malformed);
}

#[tokio::test]
async fn a_long_question_and_a_long_answer_do_not_wait_for_each_other() {
    let world = World::new(&[]);
    let mut request = ask(&"frage ".repeat(500_000));
    request.max_output = 10_000_000;
    let outcome = world.ask(&agent("exec cat"), &request).await;
    outcome.end.unwrap();
    assert_eq!(outcome.said.turn.text.len(), 3_000_000);
    // One that does not want to hear it all may answer all the same.
    let outcome = world.ask(&agent("echo no"), &request).await;
    outcome.end.unwrap();
    assert_eq!(outcome.said.turn.text, "no\n");
}

#[tokio::test]
async fn one_that_hangs_is_ended_within_its_limit() {
    let world = World::new(&[]);
    let short = Duration::from_millis(300);
    for (script, times, words) in [
        ("sleep 60", times(short, SOON), "first_event_ms"),
        ("echo begun; sleep 60", times(SOON, short), "idle_ms"),
    ] {
        let file = world.path("number");
        let script = format!("echo $$ > {}; {script}", file.display());
        let began = Instant::now();
        let outcome = world.timed(&agent(&script), &ask("x"), times).await;
        let fault = outcome.end.unwrap_err();
        assert_eq!(fault.class, FaultClass::Timeout);
        assert!(fault.detail.contains(words), "{fault:?}");
        assert!(began.elapsed() < SOON);
        let leader = number(&file).unwrap();
        eventually("it lives on", || !is_alive(leader)).await;
    }
}

#[tokio::test]
async fn a_deadline_is_named_as_such() {
    let world = World::new(&[]);
    let (times, _) = times(SOON, SOON);
    let times = (
        times,
        tokio::time::Instant::now() + Duration::from_millis(300),
    );
    let outcome = world.timed(&agent("sleep 60"), &ask("x"), times).await;
    let fault = outcome.end.unwrap_err();
    assert!(fault.detail.contains("deadline"), "{fault:?}");
}

#[tokio::test]
async fn a_call_that_is_let_go_of_takes_the_whole_family_with_it() {
    let world = World::new(&[]);
    let (leader, child) = (world.path("leader"), world.path("child"));
    // Both refuse to go when asked kindly.
    let script = format!(
        "trap '' TERM; sleep 60 & echo $! > {}; echo $$ > {}; wait; sleep 60",
        child.display(),
        leader.display()
    );
    let spec = agent(&script);
    let request = ask("x");
    {
        let run = world.ask(&spec, &request);
        tokio::pin!(run);
        let both = eventually("nothing started", || {
            number(&leader).is_some() && number(&child).is_some()
        });
        tokio::select! {
            _ = &mut run => panic!("it ended by itself"),
            () = both => {}
        }
    }
    let (leader, child) = (number(&leader).unwrap(), number(&child).unwrap());
    eventually("the leader lives on", || !is_alive(leader)).await;
    eventually("its child lives on", || !is_alive(child)).await;
    world.runner.settle().await;
}

#[tokio::test]
async fn what_an_agent_leaves_running_does_not_hold_its_answer_up() {
    let world = World::new(&[]);
    let child = world.path("child");
    let script = format!(
        "cat > /dev/null; sleep 60 & echo $! > {}; echo answer",
        child.display()
    );
    let began = Instant::now();
    let outcome = world.ask(&agent(&script), &ask("x")).await;
    outcome.end.unwrap();
    assert_eq!(outcome.said.turn.text, "answer\n");
    assert!(began.elapsed() < SOON);
    let child = number(&child).unwrap();
    eventually("its child lives on", || !is_alive(child)).await;
}

#[tokio::test]
async fn an_answer_is_there_when_it_says_so_and_not_when_it_ends() {
    let world = World::new(&[]);
    let answer = AnswerFormat {
        format: AnswerKind::JsonLines,
        events: vec![AnswerRule {
            text: Some("text".to_owned()),
            done: true,
            ..AnswerRule::default()
        }],
    };
    let script = "cat > /dev/null; echo hello; echo '{\"text\":\"yes\"}'; sleep 60";
    let began = Instant::now();
    let outcome = world
        .read(&agent(script), &answer, &ask("x"), times(SOON, SOON))
        .await;
    outcome.end.unwrap();
    assert_eq!(outcome.said.turn.text, "yes");
    assert!(began.elapsed() < SOON);
    world.runner.settle().await;
    assert!(began.elapsed() < SOON, "it was not ended");
}

#[test]
fn what_is_there_is_found_with_signs_of_a_login() {
    use crate::provider::Providers;
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    std::fs::create_dir_all(home.path().join(".codex")).unwrap();
    std::fs::create_dir_all(&bin).unwrap();
    for (name, mode) in [("claude", 0o755), ("codex", 0o755), ("gemini", 0o644)] {
        let file = std::fs::File::create(bin.join(name)).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(mode))
            .unwrap();
    }
    put(&home.path().join(".codex/auth.json"), "{}");
    put(&home.path().join(".claude.json"), r#"{"theme":"dark"}"#);
    let environment = Environment::new([
        ("PATH".into(), format!("relative:{}", bin.display()).into()),
        ("HOME".into(), home.path().as_os_str().to_owned()),
    ]);
    let providers = Providers::shipped().unwrap();
    let all = found(&providers, &environment);
    let told: Vec<_> = all
        .iter()
        .map(|found| {
            (
                &*found.endpoint,
                found.logged_in,
                found.enabled,
                &*found.line,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "claude-cli",
                false,
                false,
                "providers.claude-cli.enabled = true"
            ),
            (
                "codex-cli",
                true,
                false,
                "providers.codex-cli.enabled = true"
            ),
        ]
    );
    put(&home.path().join(".claude.json"), r#"{"oauthAccount":{}}"#);
    assert!(found(&providers, &environment)[0].logged_in);
    // The line does what it says.
    let own = Providers::with("mine", &all[1].line).unwrap();
    assert!(own.endpoints["codex-cli"].enabled);
    assert!(found(&own, &environment)[1].enabled);
}

fn put(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The whole way: data, endpoint, place, program, answer, and the words of a failure.
#[tokio::test]
async fn an_endpoint_answers_through_its_command_line() {
    use crate::{endpoint::Live, fault::Place, http::Http, keys::Keys, provider::Providers};
    use std::sync::Arc;
    let world = World::new(&[]);
    let text = "[providers.agent]\ntitle = 'Agent'\ndialect = 'cli'\n[providers.agent.command]\n\
                program = 'sh'\nlogin = 'agent login'\nmodel_args = ['{model}']\nargs = ['-c', \
                'cat > /dev/null; test \"$0\" = in && echo yes || { echo not logged in >&2; exit 1; }']\n";
    let providers = Providers::with("mine", text).unwrap();
    let all = providers.resolve(&|_| None);
    let resolved = all.into_iter().find(|one| one.name == "agent").unwrap();
    let key_from = resolved.key_from();
    let live = Live::new(
        resolved,
        Http::new("test").unwrap(),
        Arc::new(Keys::new(world.path("home"), Arc::new(|_| None))),
        Arc::new(|| exai_protocol::UnixMillis(0)),
        Arc::new(|_| ()),
    );
    let traits = ModelTraits::default();
    let by = tokio::time::Instant::now() + SOON;
    let send = async |model: &str| {
        let place = live.place(1, by, &mut |_| ()).await.unwrap();
        let mut request = ask("x");
        request.model = model.to_owned();
        live.send(&place, &traits, &request, None, by, &mut |_| ())
            .await
    };
    let refused = send("in").await.unwrap_err();
    assert_eq!(refused.fault.class, FaultClass::Unsupported);
    live.run_with(&world.runner);
    let sent = send("in").await.unwrap();
    assert_eq!(sent.said.turn.text, "yes\n");
    assert!(
        sent.applied
            .changes
            .iter()
            .any(|change| change.field == "max_output")
    );
    let failed = send("out").await.unwrap_err();
    assert!(failed.bytes_sent);
    let place = Place {
        endpoint: "agent",
        model: "out",
        key_from: &key_from,
    };
    let told = failed.fault.tell(&place).message;
    assert!(
        told.ends_with("Run `agent login`, log in, and try again."),
        "{told}"
    );
}
