//! Measures what the daemon's own requests take at an Ollama server: from the durations of its
//! last line, and from our own wait for a place.

use super::kind;
use crate::{
    attempt::Ended,
    chat::{Timing, Usage},
    fault::FaultClass,
    herald::Herald,
};
use exai_protocol::event::{EventBody, OllamaError, OllamaMetrics};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// The meter of one endpoint.
pub struct Meter {
    endpoint: String,
    herald: Herald,
    /// Answers of each model.
    answers: Mutex<HashMap<String, u64>>,
    /// Requests under way.
    busy: watch::Sender<usize>,
}

/// A request under way.
pub(crate) struct Busy<'a>(&'a Meter);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy -= 1);
    }
}

impl Meter {
    pub(crate) fn new(endpoint: &str, herald: Herald) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            herald,
            answers: Mutex::default(),
            busy: watch::Sender::new(0),
        }
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> Busy<'_> {
        self.busy.send_modify(|busy| *busy += 1);
        Busy(self)
    }

    /// Requests under way, from now on.
    pub(super) fn busy(&self) -> watch::Receiver<usize> {
        self.busy.subscribe()
    }

    /// A request is over.
    pub(crate) fn note(&self, model: &str, waited: Duration, ended: &Ended) {
        match &ended.fault {
            None => self.answered(model, waited, ended),
            Some((fault, _)) => {
                let kind = kind::of(fault);
                // A fault of the request itself is no news of the server.
                if kind != "failed" || fault.class == FaultClass::Server {
                    (self.herald)(EventBody::OllamaError(OllamaError {
                        endpoint: self.endpoint.clone(),
                        op: "chat".to_owned(),
                        model: Some(model.to_owned()),
                        kind: kind.to_owned(),
                        message: fault.detail.clone(),
                    }));
                }
            }
        }
    }

    fn answered(&self, model: &str, waited: Duration, ended: &Ended) {
        let requests = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            let count = answers.entry(model.to_owned()).or_default();
            *count += 1;
            *count
        };
        let usage = ended.said.usage.unwrap_or_default();
        let told = metrics(&usage, waited, ended.took);
        (self.herald)(EventBody::OllamaMetrics(OllamaMetrics {
            endpoint: self.endpoint.clone(),
            model: model.to_owned(),
            requests,
            ..told
        }));
    }
}

fn metrics(usage: &Usage, waited: Duration, took: Duration) -> OllamaMetrics {
    let Timing {
        load_us,
        read_us,
        write_us,
    } = usage.timing.unwrap_or_default();
    OllamaMetrics {
        tokens_per_s: rate(usage.output, write_us),
        prompt_tokens_per_s: rate(usage.input, read_us),
        load_ms: load_us.map(|us| us as f64 / 1000.0),
        queue_ms: ms(waited),
        total_ms: ms(took),
        ..OllamaMetrics::default()
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1000.0
}

/// A second, to a tenth; nothing where nothing was done.
fn rate(tokens: Option<u64>, us: Option<u64>) -> Option<f64> {
    let (tokens, us) = (tokens.filter(|n| *n > 0)?, us.filter(|n| *n > 0)?);
    Some((tokens as f64 * 1e7 / us as f64).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_come_from_the_servers_durations_and_waiting_from_us() {
        let usage = Usage {
            input: Some(26),
            output: Some(282),
            timing: Some(Timing {
                load_us: Some(1_334),
                read_us: Some(342_546),
                write_us: Some(4_535_599),
            }),
            ..Usage::default()
        };
        let told = metrics(
            &usage,
            Duration::from_millis(20),
            Duration::from_millis(5000),
        );
        assert_eq!(
            (told.tokens_per_s, told.prompt_tokens_per_s, told.load_ms),
            (Some(62.2), Some(75.9), Some(1.334))
        );
        assert_eq!((told.queue_ms, told.total_ms), (20.0, 5000.0));
        let nothing = metrics(&Usage::default(), Duration::ZERO, Duration::ZERO);
        assert_eq!((nothing.tokens_per_s, nothing.load_ms), (None, None));
        assert_eq!(rate(Some(5), Some(0)), None);
    }
}
