//! A download: lines of progress, a layer each, made into one number. Nothing limits its whole
//! time; a server that says nothing for long has stopped.
//!
//! Written on 2026-11-21 from <https://docs.ollama.com/api/pull>.

use super::server::{Server, said_no};
use crate::{
    decode::NdjsonDecoder,
    fault::{Fault, FaultClass},
};
use exai_protocol::event::{OllamaModelUpdate, OllamaPull};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// Layers are checked without a word, and large ones take a while.
const SILENCE: Duration = Duration::from_secs(300);
/// Longer lines are no progress.
const MOST_LINE: usize = 64 * 1024;

/// How far a download is, layer by layer.
#[derive(Default)]
struct Layers {
    /// Bytes here and in all, by digest.
    layers: BTreeMap<String, (u64, u64)>,
    status: String,
    success: bool,
}

impl Layers {
    /// Takes a line in; a layer's bytes never go back.
    fn line(&mut self, line: &str) -> Result<(), Fault> {
        let line: Value = serde_json::from_str(line)
            .map_err(|error| Fault::malformed(format!("a line of progress is no JSON: {error}")))?;
        if let Some(said) = line.get("error").and_then(Value::as_str) {
            return Err(said_no(said));
        }
        if let Some(status) = line.get("status").and_then(Value::as_str) {
            self.success |= status == "success";
            status.clone_into(&mut self.status);
        }
        if let Some(digest) = line.get("digest").and_then(Value::as_str) {
            let number = |field: &str| line.get(field).and_then(Value::as_u64).unwrap_or(0);
            let layer = self.layers.entry(digest.to_owned()).or_default();
            layer.1 = layer.1.max(number("total"));
            layer.0 = layer.0.max(number("completed")).min(layer.1);
        }
        Ok(())
    }

    fn told(&self, model: &str) -> OllamaPull {
        let sum =
            |of: fn(&(u64, u64)) -> u64| self.layers.values().map(of).fold(0, u64::saturating_add);
        OllamaPull {
            model: model.to_owned(),
            status: self.status.clone(),
            completed: sum(|layer| layer.0),
            total: (!self.layers.is_empty()).then(|| sum(|layer| layer.1)),
            done: self.success,
            error: None,
        }
    }
}

/// The last word on a download, however it ends: followers must not take it for still going.
struct LastWord<'a> {
    server: &'a Server,
    now: OllamaPull,
    error: Option<String>,
}

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        let mut pull = std::mem::take(&mut self.now);
        if !pull.done {
            pull.error = Some(self.error.take().unwrap_or_else(|| "stopped".to_owned()));
        }
        pull.done = true;
        self.server.tell(Some(of(pull)));
    }
}

fn of(pull: OllamaPull) -> OllamaModelUpdate {
    OllamaModelUpdate {
        pull: Some(pull),
        ..OllamaModelUpdate::default()
    }
}

impl Server {
    /// Downloads a model. Dropping this closes the connection, and the server stops; what came
    /// is kept there.
    pub(super) async fn pull(
        &self,
        model: &str,
        tell: &mut (dyn FnMut(&OllamaPull) + Send),
    ) -> Result<OllamaPull, Fault> {
        let mut word = LastWord {
            server: self,
            now: Layers::default().told(model),
            error: None,
        };
        let ended = self.download(model, &mut word.now, tell).await;
        word.error = ended.as_ref().err().map(|fault| fault.detail.clone());
        ended.map(|()| word.now.clone())
    }

    async fn download(
        &self,
        model: &str,
        now: &mut OllamaPull,
        tell: &mut (dyn FnMut(&OllamaPull) + Send),
    ) -> Result<(), Fault> {
        let silent = || {
            let said = format!("the server said nothing for {} s", SILENCE.as_secs());
            Fault::new(FaultClass::Timeout, said)
        };
        let asked = self.lines("/api/pull", json!({"model": model, "stream": true}));
        let mut flow = tokio::time::timeout(SILENCE, asked)
            .await
            .map_err(|_| silent())??;
        let (mut decoder, mut lines) = (NdjsonDecoder::new(MOST_LINE), Vec::new());
        let mut layers = Layers::default();
        loop {
            let chunk = tokio::time::timeout(SILENCE, flow.chunk())
                .await
                .map_err(|_| silent())?;
            let more = chunk?;
            match &more {
                Some(bytes) => decoder
                    .push(bytes, &mut lines)
                    .map_err(|_| Fault::malformed("a line of progress is far too long"))?,
                None => decoder.finish(&mut lines),
            }
            for line in lines.drain(..) {
                layers.line(&line)?;
                let told = layers.told(model);
                if told != *now {
                    *now = told;
                    tell(now);
                    // The last word is told when all is over.
                    if !now.done {
                        self.tell(Some(of(now.clone())));
                    }
                }
            }
            if layers.success {
                return Ok(());
            }
            if more.is_none() {
                let said = "the download ended before it was done";
                return Err(Fault::new(FaultClass::Truncated, said));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_one_number_that_never_goes_back() {
        let mut layers = Layers::default();
        assert_eq!(layers.told("m").total, None);
        for line in [
            r#"{"status":"pulling manifest"}"#,
            r#"{"status":"pulling a","digest":"sha256:a","total":100}"#,
            r#"{"status":"pulling a","digest":"sha256:a","total":100,"completed":60}"#,
            r#"{"status":"pulling b","digest":"sha256:b","total":50,"completed":999}"#,
            r#"{"status":"pulling a","digest":"sha256:a","total":100,"completed":40}"#,
        ] {
            layers.line(line).unwrap();
        }
        let told = layers.told("m");
        assert_eq!(
            (told.completed, told.total, told.done),
            (110, Some(150), false)
        );
        layers.line(r#"{"status":"success"}"#).unwrap();
        assert!(layers.told("m").done);
        let fault = layers.line(r#"{"error":"pull model manifest: file does not exist"}"#);
        assert_eq!(super::super::kind::of(&fault.unwrap_err()), "missing_model");
        assert!(layers.line("{").is_err());
    }
}
