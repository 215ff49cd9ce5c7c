//! One run: the wish goes in, what is printed comes out as items, and all that can go wrong
//! on the way is a fault with the program's own words.

use super::{
    Environment,
    errand::Order,
    failure,
    found::look,
    group::Group,
    note::{self, Notes},
    place::{Place, Places},
    tail::Tail,
};
use crate::{
    attempt::{Clocks, Ended, Limit},
    chat::{Collector, Done, DoneReason, Errand, StreamItem},
    decode::MAX_EVENT_BYTES,
    dialect::{AnswerFormat, CommandReader},
    fault::{Fault, FaultClass},
    http::Headers,
    provider::CommandSpec,
};
use serde_json::Value;
use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{ChildStderr, ChildStdin, ChildStdout, Command},
    time::{Instant, MissedTickBehavior, interval, timeout},
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
/// How often one looks whether it has ended although its output is open.
const LOOK: Duration = Duration::from_millis(100);
const CHUNK: usize = 16 * 1024;

/// Runs command lines.
#[derive(Clone)]
pub struct Runner {
    places: Places,
    notes: Notes,
    environment: Environment,
    tracker: TaskTracker,
}

/// One answer wanted.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    /// The endpoint's name.
    pub(crate) endpoint: &'a str,
    /// What is run.
    pub(crate) spec: &'a CommandSpec,
    /// How what it prints is read.
    pub(crate) answer: &'a AnswerFormat,
    /// The wish, as the dialect wrote it.
    pub(crate) body: &'a Value,
    /// How long it may take.
    pub(crate) clocks: Clocks,
    /// Work in a folder, where it is not only an answer.
    pub(crate) errand: Option<&'a Errand>,
}

type Failure = (Fault, Option<Limit>);

impl Runner {
    /// A runner whose programs work in empty directories under `root`, which is ours alone.
    #[must_use]
    pub fn new(root: PathBuf, environment: Environment) -> Self {
        Self {
            // Beside it: what is in it is a place of somebody at work.
            notes: Notes::new(root.with_extension("running")),
            places: Places::new(root),
            environment,
            tracker: TaskTracker::new(),
        }
    }

    /// Runs a command line and hands on what it says; `on_life` is told of its first event.
    /// Dropping the future ends the program and what it started, kindly first.
    pub(crate) async fn run(
        &self,
        job: Job<'_>,
        on_life: &mut (dyn FnMut() + Send),
        sink: &mut (dyn FnMut(&StreamItem) + Send),
    ) -> Ended {
        let mut run = Run::new(&job, self.environment.secrets(job.spec), on_life, sink);
        let (bytes_sent, fault) = match self.start(&job) {
            Err(fault) => (false, Some((fault, None))),
            Ok((running, pipes, input)) => (true, run.talk(running, pipes, input).await.err()),
        };
        run.said.session = run.reader.session().map(str::to_owned);
        Ended {
            said: run.said,
            headers: Headers::new(),
            first_delta: run.first_delta,
            took: run.began.elapsed(),
            bytes_sent,
            fault,
        }
    }

    /// Ends what daemons that are gone left at work.
    pub fn end_left_over(&self) {
        for left in self.notes.left_over() {
            self.tracker.spawn(left.end(GRACE));
        }
    }

    /// Waits until every program that was let go of has ended; for a daemon's own end.
    pub async fn settle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }

    fn start<'a>(&self, job: &Job<'a>) -> Result<(Running, Pipes, &'a str), Fault> {
        if self.environment.is_inside() {
            let what = "this daemon runs inside an agent's command line and starts no other";
            return Err(Fault::unsupported(what));
        }
        let Job { spec, body, .. } = job;
        let text = |field: &str| body.get(field).and_then(Value::as_str);
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
        let order = Order::of(spec, model, job.errand)?;
        let program = look(spec, &self.environment).ok_or_else(|| failure::not_installed(spec))?;
        let (directory, place) = self.directory(job)?;
        self.end_left_over();
        let mark = note::mark();
        let mut command = Command::new(program);
        command
            .args(order.arguments)
            .current_dir(directory)
            .env_clear()
            .envs(self.environment.handed_on(spec, &order.env))
            .env(note::RUN, &mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let group = Group::start(command, &self.notes, &mark);
        let mut group = group.map_err(|error| failure::not_started(spec, &error))?;
        let child = group.child();
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let running = Running {
            held: Some((group, place)),
            farewell: Duration::ZERO,
            tracker: self.tracker.clone(),
        };
        let (stdin @ Some(_), Some(stdout), Some(stderr)) = pipes else {
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

    /// Where it runs: the errand's folder, else one of our own, which holds nothing.
    fn directory(&self, job: &Job<'_>) -> Result<(PathBuf, Option<Place>), Fault> {
        if let Some(errand) = job.errand {
            return Ok((errand.directory.clone(), None));
        }
        let place = self.places.take(job.endpoint).map_err(|error| {
            let program = &job.spec.program;
            let what = format!("no empty directory to run {program} in: {error}");
            Fault::new(FaultClass::Unreachable, what)
        })?;
        Ok((place.path().to_owned(), Some(place)))
    }
}

struct Pipes {
    /// Taken and closed once all is written.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

/// A program that is not left alone: whoever drops this sends it away.
struct Running {
    held: Option<(Group, Option<Place>)>,
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
enum Output {
    /// It said that the answer is whole, or enough of it is here.
    Said,
    /// It is closed, or nobody who matters holds it.
    Closed,
}

/// What comes from a program at a time.
enum News {
    Printed(usize),
    Closed,
    Fed,
    Look,
}

struct Run<'a> {
    job: &'a Job<'a>,
    secrets: Vec<String>,
    on_life: &'a mut (dyn FnMut() + Send),
    sink: &'a mut (dyn FnMut(&StreamItem) + Send),
    clocks: Clocks,
    reader: CommandReader,
    said: Collector,
    /// The end of what it said beside its answer, and of all it printed.
    tail: Tail,
    output: Tail,
    /// What of the answer may still come.
    room: u64,
    printed: u64,
    alive: bool,
    began: Instant,
    first_delta: Option<Duration>,
}

impl<'a> Run<'a> {
    fn new(
        job: &'a Job<'a>,
        secrets: Vec<String>,
        on_life: &'a mut (dyn FnMut() + Send),
        sink: &'a mut (dyn FnMut(&StreamItem) + Send),
    ) -> Self {
        let room = job.body.get("max_bytes").and_then(Value::as_u64);
        Self {
            job,
            secrets,
            on_life,
            sink,
            clocks: job.clocks,
            reader: CommandReader::new(job.answer, MAX_EVENT_BYTES),
            said: Collector::default(),
            tail: Tail::default(),
            output: Tail::default(),
            room: room.unwrap_or(u64::MAX),
            printed: 0,
            alive: false,
            began: Instant::now(),
            first_delta: None,
        }
    }

    async fn talk(
        &mut self,
        mut running: Running,
        mut pipes: Pipes,
        input: &str,
    ) -> Result<(), Failure> {
        match self.listen(&mut running, &mut pipes, input).await? {
            Output::Said => {
                running.farewell = FAREWELL;
                Ok(())
            }
            Output::Closed => {
                let status = running.wait(EXIT).await;
                self.last_words(&mut pipes.stderr).await;
                self.conclude(status).map_err(|fault| (fault, None))
            }
        }
    }

    /// Writes, reads and watches the clock, all at once: a program that does not read must not
    /// keep us from reading, and the other way round.
    async fn listen(
        &mut self,
        running: &mut Running,
        pipes: &mut Pipes,
        input: &str,
    ) -> Result<Output, Failure> {
        let mut feed = std::pin::pin!(feed(pipes.stdin.take(), input));
        let (mut fed, mut errs) = (false, true);
        let (mut out, mut err) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            let (stdout, stderr, tail) = (&mut pipes.stdout, &mut pipes.stderr, &mut self.tail);
            let news = async {
                loop {
                    tokio::select! {
                        read = stdout.read(&mut out) => break match read {
                            Ok(0) | Err(_) => News::Closed,
                            Ok(count) => News::Printed(count),
                        },
                        read = stderr.read(&mut err), if errs => match read {
                            Ok(0) | Err(_) => errs = false,
                            Ok(count) => tail.push(&err[..count]),
                        },
                        () = &mut feed, if !fed => break News::Fed,
                        _ = look.tick() => break News::Look,
                    }
                }
            };
            let mut news = self.clocks.within(news).await;
            if matches!(news, Ok(News::Look)) && heard.elapsed() > LINGER && running.has_exited() {
                // What it printed last is on its way, and may not have been read yet.
                let rest = timeout(LINGER, pipes.stdout.read(&mut out)).await;
                news = Ok(match rest {
                    Ok(Ok(count @ 1..)) => News::Printed(count),
                    _ => News::Closed,
                });
            }
            match news {
                Err((fault, limit)) => return Err((self.too_slow(&fault), Some(limit))),
                Ok(News::Closed) => return Ok(Output::Closed),
                Ok(News::Fed) => fed = true,
                Ok(News::Look) => {}
                Ok(News::Printed(count)) => {
                    heard = Instant::now();
                    if self.take(&out[..count]).map_err(|fault| (fault, None))? {
                        return Ok(Output::Said);
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
        if matches!(pushed, Ok(events) if events > 0) {
            self.clocks.event();
            if !std::mem::replace(&mut self.alive, true) {
                (self.on_life)();
            }
        }
        if self.give(items) {
            return Ok(true);
        }
        pushed.map_err(|fault| self.told(&fault))?;
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
            let room = usize::try_from(self.room).unwrap_or(usize::MAX);
            match item {
                StreamItem::Text(text) if text.len() > room => {
                    let kept = text.floor_char_boundary(room);
                    self.hand_on(StreamItem::Text(text[..kept].to_owned()));
                    self.hand_on(StreamItem::Done(Done {
                        reason: DoneReason::Length,
                        carry: None,
                    }));
                    return true;
                }
                StreamItem::Text(text) => {
                    self.room -= text.len() as u64;
                    self.hand_on(StreamItem::Text(text));
                }
                item => self.hand_on(item),
            }
        }
        false
    }

    fn hand_on(&mut self, item: StreamItem) {
        let is_delta = matches!(item, StreamItem::Text(_) | StreamItem::Reasoning(_));
        if is_delta && self.first_delta.is_none() {
            self.first_delta = Some(self.began.elapsed());
        }
        (self.sink)(&item);
        self.said.take(item);
    }

    /// The output is over: an answer, or what went wrong.
    fn conclude(&mut self, status: Option<ExitStatus>) -> Result<(), Fault> {
        let mut items = Vec::new();
        let finished = self.reader.finish(&mut items);
        let good = status.is_some_and(|status| status.success());
        let complaint = self.reader.complaint().map(str::to_owned);
        match finished {
            Ok(()) if good => {
                self.give(items);
                Ok(())
            }
            // Said by the rules: better than anything on the other output.
            Err(fault) if !is_guess(&fault) => Err(self.told(&fault)),
            Err(fault) if good && complaint.is_none() => {
                Err(match self.tail.words(&self.secrets).as_str() {
                    "" => {
                        failure::no_answer(self.job.spec, fault, &self.output.words(&self.secrets))
                    }
                    words => failure::failed(self.job.spec, status, words),
                })
            }
            _ => {
                let said = complaint
                    .or_else(|| {
                        Some(self.tail.words(&self.secrets)).filter(|said| !said.is_empty())
                    })
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

    fn too_slow(&self, fault: &Fault) -> Fault {
        let program = &self.job.spec.program;
        let what = format!("{program} was ended: {}", fault.detail);
        let what = match self.tail.words(&self.secrets).as_str() {
            "" => what,
            words => format!("{what}; it said: {words}"),
        };
        Fault::new(fault.class, what)
    }

    async fn last_words(&mut self, stderr: &mut ChildStderr) {
        let mut bytes = vec![0; CHUNK];
        while let Ok(Ok(count @ 1..)) = timeout(LINGER, stderr.read(&mut bytes)).await {
            self.tail.push(&bytes[..count]);
        }
    }
}

/// Whether the fault is only that an end is missing.
fn is_guess(fault: &Fault) -> bool {
    matches!(fault.class, FaultClass::Truncated | FaultClass::Malformed)
}

/// A program that does not want to hear all of it may still answer.
async fn feed(stdin: Option<ChildStdin>, input: &str) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input.as_bytes()).await;
        let _ = stdin.shutdown().await;
    }
}
