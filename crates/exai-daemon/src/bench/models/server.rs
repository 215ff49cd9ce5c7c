//! The bare model server: just enough HTTP to stream chat completions to the clock, in a
//! process of its own. How many deltas and how often is the model's name, and each delta is
//! the moment it was written, so that whoever reads it knows how late it is.

use crate::{bench::daemon::clean, lifecycle::spawn};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::Child,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::task::TaskTracker;

const PATIENCE: Duration = Duration::from_secs(20);
/// Longest head and body of a request.
const MOST: usize = 1 << 20;

/// What a model's name wishes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) struct Wish {
    pub(in crate::bench) deltas: u32,
    pub(in crate::bench) every: Duration,
}

impl Wish {
    /// The model that does this.
    pub(super) fn model(self) -> String {
        format!("d{}-e{}", self.deltas, self.every.as_micros())
    }

    fn of(model: &str) -> Option<Self> {
        let (deltas, every) = model.strip_prefix('d')?.split_once("-e")?;
        Some(Self {
            deltas: deltas.parse().ok()?,
            every: Duration::from_micros(every.parse().ok()?),
        })
    }
}

/// A running server; ends with this value.
pub(super) struct Server {
    pub(super) port: u16,
    _child: Child,
}

impl Server {
    pub(super) async fn start(program: &Path) -> Result<Self> {
        let mut command = clean(spawn::command(program), Path::new("."));
        command.arg("bench-models");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line)).await??;
        let port = line.trim().parse().context("it did not name its port")?;
        Ok(Self {
            port,
            _child: child,
        })
    }
}

/// The server process: names its port, answers until it is killed.
pub(crate) fn serve_until_killed(name_port: impl Fn(u16) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the model server's runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        name_port(listener.local_addr()?.port())?;
        serve(listener).await
    })
}

pub(super) async fn serve(listener: TcpListener) -> Result<()> {
    let sockets = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        // Whatever goes wrong, the client counts it.
        sockets.spawn(async move { connection(stream).await.ok() });
    }
}

async fn connection(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let body = request(&mut stream).await?;
        let body: serde_json::Value = serde_json::from_slice(&body)?;
        let model = body["model"].as_str().unwrap_or_default();
        let wish = Wish::of(model).context("the model's name is no wish")?;
        answer(stream.get_mut(), model, wish).await?;
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let (mut length, mut line, mut head) = (0, String::new(), 0);
    loop {
        line.clear();
        head += stream.read_line(&mut line).await?;
        ensure!(head < MOST && !line.is_empty(), "no request");
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    if length > MOST {
        bail!("a body of {length} bytes");
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn answer(stream: &mut TcpStream, model: &str, wish: Wish) -> Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut clock = interval(wish.every.max(Duration::from_micros(1)));
    // Late ones are made up for: a server does not wait for its reader.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for _ in 0..wish.deltas {
        clock.tick().await;
        let delta = format!(r#"{{"content":"{} "}}"#, now().as_micros());
        send(stream, &event(model, &delta, "null", "null")).await?;
    }
    let usage = format!(
        r#"{{"prompt_tokens":10,"completion_tokens":{0},"total_tokens":{1}}}"#,
        wish.deltas,
        wish.deltas + 10
    );
    send(stream, &event(model, "{}", r#""stop""#, &usage)).await?;
    send(stream, "data: [DONE]\n\n").await?;
    stream.write_all(b"0\r\n\r\n").await?;
    Ok(())
}

fn event(model: &str, delta: &str, finish: &str, usage: &str) -> String {
    format!(
        "data: {{\"id\":\"bench\",\"object\":\"chat.completion.chunk\",\"model\":\"{model}\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}],\
         \"usage\":{usage}}}\n\n"
    )
}

async fn send(stream: &mut TcpStream, event: &str) -> Result<()> {
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    Ok(stream.write_all(chunk.as_bytes()).await?)
}

/// The clock that both ends of a measurement share: they are on one machine.
pub(super) fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// How late each delta in this text is, by the moments it consists of.
pub(super) fn lags(text: &str, lags: &mut Vec<Duration>) {
    let now = now();
    let moments = text
        .split_ascii_whitespace()
        .filter_map(|word| word.parse().ok());
    lags.extend(moments.map(|micros| now.saturating_sub(Duration::from_micros(micros))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_a_model_and_back() {
        let wish = Wish {
            deltas: 100,
            every: Duration::from_millis(10),
        };
        assert_eq!(wish.model(), "d100-e10000");
        assert_eq!(Wish::of(&wish.model()), Some(wish));
        assert_eq!(Wish::of("gpt"), None);
    }

    #[test]
    fn a_text_is_the_moments_of_its_deltas() {
        let mut found = Vec::new();
        let micros = now().as_micros();
        lags(&format!("{} {micros} ", micros - 5_000_000), &mut found);
        assert_eq!(found.len(), 2);
        assert!(found[0] >= Duration::from_secs(5) && found[1] < Duration::from_secs(2));
    }
}
