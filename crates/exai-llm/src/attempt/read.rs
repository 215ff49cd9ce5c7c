//! Sends the request and reads what comes: a stream, a refusal, or an answer that came whole
//! although a stream was asked for.

use super::{Clocks, Ended, Limit};
use crate::{
    chat::{Collector, StreamItem},
    dialect::{Dialect, Framing, Response, StreamReader, fault},
    fault::{Fault, FaultClass, header},
    http::{Ask, Flow, Headers, Http},
};
use std::time::Duration;
use tokio::time::Instant;

/// Of a refusal's body no more is read.
const MOST_REFUSAL: usize = 64 * 1024;
/// A refusal's head has said most; its body may take this long.
const REFUSAL_WITHIN: Duration = Duration::from_secs(5);
/// An answer that comes whole is no larger.
const MOST_WHOLE: usize = 32 * 1024 * 1024;

/// What is needed to send a request.
pub(crate) struct Sending<'a> {
    pub(crate) http: &'a Http,
    pub(crate) dialect: Dialect,
    pub(crate) ask: Ask,
    pub(crate) reader: StreamReader,
    pub(crate) clocks: Clocks,
    pub(crate) now_ms: u64,
}

type Failure = (Fault, Option<Limit>);

/// What of an answer is whose.
struct Reading<'a> {
    dialect: Dialect,
    reader: StreamReader,
    clocks: Clocks,
    started: Instant,
    now_ms: u64,
    keys: Vec<String>,
    said: Collector,
    headers: Headers,
    first_delta: Option<Duration>,
    alive: bool,
    on_head: &'a mut (dyn FnMut(&Headers) + Send),
    on_life: &'a mut (dyn FnMut() + Send),
    sink: &'a mut (dyn FnMut(&StreamItem) + Send),
}

/// Sends and reads; `on_head` gets the headers when they come, `on_life` is told of the first
/// event of an answer.
pub(crate) async fn read(
    sending: Sending<'_>,
    on_head: &mut (dyn FnMut(&Headers) + Send),
    on_life: &mut (dyn FnMut() + Send),
    sink: &mut (dyn FnMut(&StreamItem) + Send),
) -> Ended {
    let Sending {
        http,
        dialect,
        ask,
        reader,
        clocks,
        now_ms,
    } = sending;
    let keys = ask.key.iter().map(|(_, _, key)| key.expose().to_owned());
    let mut reading = Reading {
        dialect,
        reader,
        clocks,
        started: Instant::now(),
        now_ms,
        keys: keys.collect(),
        said: Collector::default(),
        headers: Headers::new(),
        first_delta: None,
        alive: false,
        on_head,
        on_life,
        sink,
    };
    let (bytes_sent, fault) = match reading.clocks.within(http.send(ask)).await {
        Ok(Ok(flow)) => (true, reading.answer(flow).await.err()),
        Ok(Err(lost)) => {
            let limit = lost.no_connection.then_some(Limit::Connect);
            (lost.sent, Some((lost.fault, limit)))
        }
        // Connected or not, nobody knows: it may have been read.
        Err((fault, limit)) => (true, Some((fault, Some(limit)))),
    };
    let keys: Vec<&str> = reading.keys.iter().map(String::as_str).collect();
    Ended {
        said: reading.said,
        headers: reading.headers,
        first_delta: reading.first_delta,
        took: reading.started.elapsed(),
        bytes_sent,
        fault: fault.map(|(fault, limit)| (fault.without(&keys), limit)),
    }
}

impl Reading<'_> {
    async fn answer(&mut self, mut flow: Flow) -> Result<(), Failure> {
        self.headers = flow.headers();
        (self.on_head)(&self.headers);
        let status = flow.status();
        if (300..400).contains(&status) {
            return Err((self.redirected(status), None));
        }
        if !(200..300).contains(&status) {
            return Err((self.refused(status, flow).await, None));
        }
        let first = self.first_bytes(&mut flow).await?;
        match kind(self.dialect, &self.headers, &first) {
            Kind::Stream => self.stream(flow, first).await,
            Kind::Whole => self.whole(flow, first).await,
            Kind::Page => {
                let mut body = first;
                body.truncate(MOST_REFUSAL);
                Err((self.refusal(status, &body), None))
            }
        }
    }

    async fn refused(&mut self, status: u16, mut flow: Flow) -> Fault {
        // What the head says is enough, if nothing more comes.
        let mut body = Vec::new();
        let read = async {
            while body.len() < MOST_REFUSAL
                && let Ok(Some(bytes)) = flow.chunk().await
            {
                let room = MOST_REFUSAL - body.len();
                body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        };
        let _ = self
            .clocks
            .within(tokio::time::timeout(REFUSAL_WITHIN, read))
            .await;
        flow.leave().await;
        self.refusal(status, &body)
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Fault {
        let response = Response {
            status,
            headers: &self.headers,
            body,
            now_ms: self.now_ms,
        };
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        fault(self.dialect, &response, &keys)
    }

    fn redirected(&self, status: u16) -> Fault {
        let to = header(&self.headers, "location").unwrap_or("nowhere");
        // Where a query begins, keys may follow.
        let to = to.split(['?', '#']).next().unwrap_or_default();
        let said = format!("the address leads on to {to}, which is not followed; set base_url");
        let mut fault = Fault::new(FaultClass::NotFound, said);
        fault.status = Some(status);
        fault
    }

    /// The first bytes that are not blank tell what the body is.
    async fn first_bytes(&mut self, flow: &mut Flow) -> Result<Vec<u8>, Failure> {
        let mut first = Vec::new();
        while first.trim_ascii().is_empty() {
            match self.next(flow).await? {
                Some(bytes) => first.extend_from_slice(&bytes),
                None => break,
            }
            // Blank lines are no beginning, and need not be kept.
            if first.len() > MOST_REFUSAL && first.trim_ascii().is_empty() {
                first.clear();
            }
        }
        Ok(first)
    }

    async fn next(&mut self, flow: &mut Flow) -> Result<Option<bytes::Bytes>, Failure> {
        match self.clocks.within(flow.chunk()).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(fault)) => Err((fault, None)),
            Err((fault, limit)) => Err((fault, Some(limit))),
        }
    }

    async fn stream(&mut self, mut flow: Flow, first: Vec<u8>) -> Result<(), Failure> {
        let mut items = Vec::new();
        let mut pushed = self.reader.push(&first, &mut items);
        drop(first);
        loop {
            if matches!(pushed, Ok(events) if events > 0) {
                self.clocks.event();
                self.lives();
            }
            self.give(&mut items);
            pushed.map_err(|fault| (fault, None))?;
            if self.reader.is_done() {
                flow.leave().await;
                return Ok(());
            }
            match self.next(&mut flow).await {
                Ok(Some(bytes)) => pushed = self.reader.push(&bytes, &mut items),
                Ok(None) => return self.finish(&mut items, None),
                // A connection that breaks after the last event took nothing away.
                Err((fault, None)) => return self.finish(&mut items, Some(fault)),
                Err(late) => return Err(late),
            }
        }
    }

    fn finish(&mut self, items: &mut Vec<StreamItem>, broke: Option<Fault>) -> Result<(), Failure> {
        let finished = self.reader.finish(items);
        self.give(items);
        match (finished, broke) {
            (Ok(()), _) => Ok(()),
            (Err(fault), Some(broke)) if fault.class == FaultClass::Truncated => Err((broke, None)),
            (Err(fault), _) => Err((fault, None)),
        }
    }

    async fn whole(&mut self, mut flow: Flow, first: Vec<u8>) -> Result<(), Failure> {
        let mut body = first;
        while let Some(bytes) = self.next(&mut flow).await? {
            if body.len() + bytes.len() > MOST_WHOLE {
                let said = format!("the answer is larger than {MOST_WHOLE} bytes");
                return Err((Fault::malformed(said), None));
            }
            body.extend_from_slice(&bytes);
        }
        let mut items = Vec::new();
        let read = self.reader.whole(&body, &mut items);
        if read.is_ok() {
            self.lives();
        }
        self.give(&mut items);
        read.map_err(|fault| (fault, None))
    }

    fn lives(&mut self) {
        if !std::mem::replace(&mut self.alive, true) {
            (self.on_life)();
        }
    }

    fn give(&mut self, items: &mut Vec<StreamItem>) {
        for item in items.drain(..) {
            let is_delta = matches!(
                item,
                StreamItem::Text(_) | StreamItem::Reasoning(_) | StreamItem::ToolCall(_)
            );
            if is_delta && self.first_delta.is_none() {
                self.first_delta = Some(self.started.elapsed());
            }
            (self.sink)(&item);
            self.said.take(item);
        }
    }
}

enum Kind {
    Stream,
    Whole,
    Page,
}

/// What a body is, by its first bytes rather than by its label: servers mislabel both ways.
fn kind(dialect: Dialect, headers: &Headers, first: &[u8]) -> Kind {
    let labelled = |word| header(headers, "content-type").is_some_and(|kind| kind.contains(word));
    let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
    match (first.trim_ascii_start().first(), dialect.framing()) {
        (Some(b'<'), _) => Kind::Page,
        (Some(b'{' | b'['), Framing::Sse) => Kind::Whole,
        (None, _) if labelled("html") => Kind::Page,
        _ => Kind::Stream,
    }
}
