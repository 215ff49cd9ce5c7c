//! One run: the wish goes in, what is printed comes out as items, and all that can go wrong
//! on the way is a fault with the program's own words.

use super::{
    Environment, failure,
    found::look,
    group::Group,
    place::{Place, Places},
    tail::Tail,
};
use crate::{
    chat::{Done, DoneReason, StreamItem},
    decode::MAX_EVENT_BYTES,
    dialect::{AnswerFormat, CommandReader, WireRequest},
    fault::{Fault, FaultClass},
    provider::CommandSpec,
};
use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{ChildStderr, ChildStdin, ChildStdout, Command},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::task::TaskTracker;

/// Between asking a program to end and making it.
const GRACE: Duration = Duration::from_secs(2);
/// An answer is there: how long its program may take to end by itself.
const FAREWELL: Duration = Duration::from_millis(500);
/// Its output is closed: how long it may take to say how it ended.
const EXIT: Duration = Duration::from_secs(5);
/// It has ended, and something it started still holds its output: how long that may be silent.
const LINGER: Duration = Duration::from_millis(200);
/// Everything it prints, JSON and all.
const MOST_OUTPUT: u64 = 64 * 1024 * 1024;
const CHUNK: usize = 16 * 1024;

/// Runs command lines.
#[derive(Clone)]
pub struct Runner {
    places: Places,
    environment: Environment,
    tracker: TaskTracker,
}

/// One answer wanted.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// What is run.
    pub spec: &'a CommandSpec,
    /// How what it prints is read.
    pub answer: &'a AnswerFormat,
    /// The wish, as written for it.
    pub wire: &'a WireRequest,
    /// How long it may take.
    pub times: Times,
}

/// How long may be waited.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// From the start to the first event.
    pub first_event: Duration,
    /// Between two events.
    pub idle: Duration,
    /// For all of it.
    pub deadline: Option<Instant>,
}

impl Runner {
    /// A runner whose programs work in empty directories under `root`, which is ours alone.
    #[must_use]
    pub fn new(root: PathBuf, environment: Environment) -> Self {
        Self {
            places: Places::new(root),
            environment,
            tracker: TaskTracker::new(),
        }
    }

    /// Runs a command line and hands on what it says. Dropping the future ends the program
    /// and what it started, kindly first.
    ///
    /// # Errors
    /// Not installed ([`FaultClass::Unreachable`]), not logged in ([`FaultClass::Auth`]), too
    /// slow ([`FaultClass::Timeout`]), and whatever its own words stand for. Items given
    /// before it stand.
    pub async fn run(
        &self,
        job: Job<'_>,
        sink: &mut (dyn FnMut(&StreamItem) + Send),
    ) -> Result<(), Fault> {
        if self.environment.is_inside() {
            let what = "this daemon runs inside an agent's command line and starts no other";
            return Err(Fault::unsupported(what));
        }
        let (running, pipes, input) = self.start(&job)?;
        let mut run = Run::new(&job, &self.environment, running, sink);
        run.talk(pipes, input).await
    }

    /// Waits until every program that was let go of has ended; for a daemon's own end.
    pub async fn settle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }

    fn start<'a>(&self, job: &Job<'a>) -> Result<(Running, Pipes, &'a str), Fault> {
        let Job { spec, wire, .. } = job;
        let text = |field: &str| wire.body.get(field).and_then(serde_json::Value::as_str);
        let (Some(model), Some(input)) = (text("model"), text("input")) else {
            return Err(Fault::unsupported("the request was written for a provider"));
        };
        if model.starts_with('-') || model.chars().any(char::is_control) {
            let what = format!("'{model}' could be taken for an option, not for a model");
            return Err(Fault::unsupported(what));
        }
        if model != spec.default_model() && spec.model_args.is_empty() {
            let only = spec.default_model();
            let what = format!("the command line answers with its own model; ask for '{only}'");
            return Err(Fault::unsupported(what));
        }
        let program = look(spec, &self.environment).ok_or_else(|| failure::not_installed(spec))?;
        let place = self.places.take(job.endpoint).map_err(|error| {
            let what = format!("no empty directory to run {} in: {error}", spec.program);
            Fault::new(FaultClass::Unreachable, what)
        })?;
        let mut command = Command::new(program);
        command
            .args(spec.arguments(model))
            .current_dir(place.path())
            .env_clear()
            .envs(self.environment.handed_on(spec))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut group =
            Group::start(command).map_err(|error| failure::not_started(spec, &error))?;
        let child = group.child();
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let running = Running {
            held: Some((group, place)),
            farewell: Duration::ZERO,
            tracker: self.tracker.clone(),
        };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            let what = format!("{} was started without pipes", spec.program);
            return Err(Fault::new(FaultClass::Unreachable, what));
        };
        let pipes = Pipes {
            stdin,
            stdout,
            stderr,
        };
        Ok((running, pipes, input))
    }
}

struct Pipes {
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

/// A program that is not left alone: whoever drops this sends it away.
struct Running {
    held: Option<(Group, Place)>,
    /// How long it may take to end by itself, once it is let go of.
    farewell: Duration,
    tracker: TaskTracker,
}

impl Running {
    fn has_exited(&mut self) -> bool {
        match &mut self.held {
            Some((group, _)) => group.has_exited(),
            None => true,
        }
    }

    async fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let (group, _) = self.held.as_mut()?;
        group.wait(patience).await?.ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some((mut group, place)) = self.held.take() else {
            return;
        };
        let farewell = self.farewell;
        // Outside a runtime both are dropped here, which ends the program at once.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.tracker.spawn(async move {
                if !farewell.is_zero() {
                    let _ = group.wait(farewell).await;
                }
                let _ = group.end(GRACE).await;
                drop(place);
            });
        }
    }
}

/// How the output ended.
enum Ended {
    /// It said that the answer is whole, or enough of it is here.
    Said,
    /// It is closed, or nobody who matters holds it.
    Closed,
}

struct Run<'a> {
    job: &'a Job<'a>,
    secrets: Vec<String>,
    running: Running,
    sink: &'a mut (dyn FnMut(&StreamItem) + Send),
    reader: CommandReader,
    /// The end of what it said beside its answer, and of all it printed.
    tail: Tail,
    output: Tail,
    /// What of the answer may still come.
    room: u64,
    printed: u64,
    began: Instant,
    last_event: Option<Instant>,
}

impl<'a> Run<'a> {
    fn new(
        job: &'a Job<'a>,
        environment: &Environment,
        running: Running,
        sink: &'a mut (dyn FnMut(&StreamItem) + Send),
    ) -> Self {
        let room = job.wire.body.get("max_bytes");
        Self {
            job,
            secrets: environment.secrets(job.spec),
            running,
            sink,
            reader: CommandReader::new(job.answer, MAX_EVENT_BYTES),
            tail: Tail::default(),
            output: Tail::default(),
            room: room.and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX),
            printed: 0,
            began: Instant::now(),
            last_event: None,
        }
    }

    async fn talk(&mut self, pipes: Pipes, input: &str) -> Result<(), Fault> {
        let Pipes {
            stdin,
            mut stdout,
            mut stderr,
        } = pipes;
        let ended = self.listen(stdin, &mut stdout, &mut stderr, input).await;
        match ended? {
            Ended::Said => {
                self.running.farewell = FAREWELL;
                Ok(())
            }
            Ended::Closed => {
                let status = self.running.wait(EXIT).await;
                self.last_words(&mut stderr).await;
                self.conclude(status)
            }
        }
    }

    /// Writes, reads and watches the clock, all at once: a program that does not read must not
    /// keep us from reading, and the other way round.
    async fn listen(
        &mut self,
        stdin: ChildStdin,
        stdout: &mut ChildStdout,
        stderr: &mut ChildStderr,
        input: &str,
    ) -> Result<Ended, Fault> {
        let mut feed = std::pin::pin!(feed(stdin, input));
        let (mut fed, mut errs) = (false, true);
        let (mut out, mut err) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut look = interval(Duration::from_millis(100));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                read = stdout.read(&mut out) => match read {
                    Ok(0) | Err(_) => return Ok(Ended::Closed),
                    Ok(count) => {
                        heard = Instant::now();
                        if self.take(&out[..count])? {
                            return Ok(Ended::Said);
                        }
                    }
                },
                read = stderr.read(&mut err), if errs => match read {
                    Ok(0) | Err(_) => errs = false,
                    Ok(count) => self.tail.push(&err[..count]),
                },
                () = &mut feed, if !fed => fed = true,
                () = sleep_until(self.limit()) => return Err(self.too_slow()),
                _ = look.tick() => {
                    if heard.elapsed() > LINGER && self.running.has_exited() {
                        return Ok(Ended::Closed);
                    }
                }
            }
        }
    }

    /// Takes what was printed; whether the answer is at its end.
    fn take(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        self.printed = self.printed.saturating_add(bytes.len() as u64);
        self.output.push(bytes);
        let mut items = Vec::new();
        let pushed = self.reader.push(bytes, &mut items);
        if self.give(items) {
            return Ok(true);
        }
        let events = pushed.map_err(|fault| self.told(&fault))?;
        if events > 0 {
            self.last_event = Some(Instant::now());
        }
        if self.printed > MOST_OUTPUT {
            let program = &self.job.spec.program;
            let what = format!("{program} printed more than {MOST_OUTPUT} bytes");
            return Err(Fault::malformed(what));
        }
        Ok(self.reader.is_done())
    }

    /// Hands items on, and no more text than was allowed; whether that was reached.
    fn give(&mut self, items: Vec<StreamItem>) -> bool {
        for item in items {
            let StreamItem::Text(text) = &item else {
                (self.sink)(&item);
                continue;
            };
            let room = usize::try_from(self.room).unwrap_or(usize::MAX);
            if text.len() <= room {
                self.room -= text.len() as u64;
                (self.sink)(&item);
                continue;
            }
            let kept = text.floor_char_boundary(room);
            (self.sink)(&StreamItem::Text(text[..kept].to_owned()));
            (self.sink)(&StreamItem::Done(Done {
                reason: DoneReason::Length,
                carry: None,
            }));
            return true;
        }
        false
    }

    /// The output is over: an answer, or what went wrong.
    fn conclude(&mut self, status: Option<ExitStatus>) -> Result<(), Fault> {
        let mut items = Vec::new();
        let finished = self.reader.finish(&mut items);
        let good = status.is_some_and(|status| status.success());
        if good && finished.is_ok() {
            self.give(items);
            return Ok(());
        }
        let complaint = self.reader.complaint().map(str::to_owned);
        match finished {
            // Said by the rules: better than anything on the other output.
            Err(fault) if !is_guess(&fault) => Err(self.told(&fault)),
            Err(fault) if good && complaint.is_none() => {
                let words = self.tail.words(&self.secrets);
                Err(match words.as_str() {
                    "" => fault,
                    words => failure::failed(self.job.spec, status, words),
                })
            }
            _ => {
                let said = complaint
                    .or_else(|| some(self.tail.words(&self.secrets)))
                    .unwrap_or_else(|| self.output.words(&self.secrets));
                Err(self.told(&failure::failed(self.job.spec, status, &said)))
            }
        }
    }

    fn told(&self, fault: &Fault) -> Fault {
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        let program = &self.job.spec.program;
        let mut fault = fault.clone().without(&secrets);
        if fault.class == FaultClass::Auth && !fault.detail.starts_with(program.as_str()) {
            fault.detail = format!("{program} is not logged in: {}", fault.detail);
        }
        fault
    }

    async fn last_words(&mut self, stderr: &mut ChildStderr) {
        let mut bytes = vec![0; CHUNK];
        while let Ok(Ok(count @ 1..)) = timeout(LINGER, read(stderr, &mut bytes)).await {
            self.tail.push(&bytes[..count]);
        }
    }

    fn limit(&self) -> Instant {
        let Times {
            first_event,
            idle,
            deadline,
        } = self.job.times;
        let next = match self.last_event {
            None => self.began + first_event,
            Some(last) => last + idle,
        };
        deadline.map_or(next, |deadline| deadline.min(next))
    }

    fn too_slow(&self) -> Fault {
        let Times {
            first_event,
            idle,
            deadline,
        } = self.job.times;
        let program = &self.job.spec.program;
        let what = if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            format!("{program} was ended: the call's deadline is reached")
        } else if self.last_event.is_none() {
            let ms = first_event.as_millis();
            format!("{program} was ended: no event within {ms} ms (first_event_ms)")
        } else {
            let ms = idle.as_millis();
            format!("{program} was ended: no event for {ms} ms (idle_ms)")
        };
        let words = self.tail.words(&self.secrets);
        let what = match words.as_str() {
            "" => what,
            words => format!("{what}; it said: {words}"),
        };
        Fault::new(FaultClass::Timeout, what)
    }
}

fn some(words: String) -> Option<String> {
    Some(words).filter(|words| !words.is_empty())
}

/// Whether the fault is only that an end is missing.
fn is_guess(fault: &Fault) -> bool {
    matches!(fault.class, FaultClass::Truncated | FaultClass::Malformed)
}

/// A program that does not want to hear all of it may still answer.
async fn feed(mut stdin: ChildStdin, input: &str) {
    let _ = stdin.write_all(input.as_bytes()).await;
    let _ = stdin.shutdown().await;
}

async fn read(from: &mut (impl AsyncRead + Unpin), into: &mut [u8]) -> std::io::Result<usize> {
    from.read(into).await
}
