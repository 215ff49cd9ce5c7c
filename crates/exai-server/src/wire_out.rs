//! Engine → wire. What a peer announced decides how much it hears: one that announced
//! nothing gets V1's frames, field for field.

use crate::{
    collect::page,
    outbox::{Outbox, encode},
};
use exai_engine::{
    calls::{Finished, Update, Watcher},
    events::{Delivery, millis},
    sessions::{Peer, Push},
};
use exai_protocol::{
    Code, RawValue, RequestId, UnixMillis, WallClock, WireError,
    call::{ADMISSION_NOTE, CallToolAck, CallToolRes, Partial, Progress, Timing},
    control::{CallState, CollectRes, EventFrame, Lagged, Notify, ResourcesChanged, ToolsChanged},
    error::Ran,
    record::CallFacts,
    version::feature,
};
use std::sync::Arc;

/// What a peer announced, looked up once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Abilities {
    pub(crate) progress: bool,
    pub(crate) partial: bool,
    pub(crate) rich: bool,
    pub(crate) brief: bool,
    pub(crate) notify: bool,
    pub(crate) events: bool,
    pub(crate) tools_changed: bool,
    pub(crate) resources_changed: bool,
}

impl Abilities {
    pub(crate) fn of(has: impl Fn(&str) -> bool) -> Self {
        Self {
            progress: has(feature::PROGRESS),
            partial: has(feature::PARTIAL),
            rich: has(feature::RICH_RESULTS),
            brief: has(feature::BRIEF),
            notify: has(feature::NOTIFY),
            events: has(feature::EVENTS),
            tools_changed: has(feature::TOOLS_CHANGED),
            resources_changed: has(feature::RESOURCES_CHANGED),
        }
    }
}

/// The writing side of one connection, as the engine sees it.
pub(crate) struct Voice {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) abilities: Abilities,
    pub(crate) peer: std::sync::OnceLock<u64>,
    pub(crate) clock: WallClock,
    pub(crate) max_frame_bytes: usize,
    pub(crate) compat_text: bool,
}

impl Voice {
    fn t(&self) -> f64 {
        (self.clock)().as_secs_f64()
    }

    fn progress(&self, call: &CallFacts) -> Progress {
        Progress {
            request_id: call.request_id.clone(),
            name: call.tool.to_string(),
            t: self.t(),
            note: None,
            seq: None,
            stage: None,
            message: None,
        }
    }

    /// Seconds since it ended, to the tenth.
    fn age(&self, end: &Finished) -> f64 {
        let ms = (self.clock)().0.saturating_sub(end.ended_at.0);
        (UnixMillis(ms).as_secs_f64() * 10.0).round() / 10.0
    }

    fn result(&self, call: &CallFacts, end: &Finished, attached: bool, replayed: bool) -> String {
        let rich = self.abilities.rich;
        let mut frame = CallToolRes {
            request_id: call.request_id.clone(),
            outputs: end.outputs.as_deref(),
            text: None,
            error: end.error.clone(),
            structured: end.structured.as_deref().filter(|_| rich),
            usage: end.usage.as_deref().filter(|_| rich),
            timing: rich.then(|| Timing {
                queue_ms: millis(end.queue_us),
                run_ms: end.run_us.map_or(0.0, millis),
            }),
            attached: (rich && attached).then_some(true),
            replayed: (rich && replayed).then_some(true),
            age: (rich && replayed).then(|| self.age(end)),
        };
        if !rich {
            frame.error = frame.error.map(in_v1_words);
            frame.text = frame.outputs.filter(|_| self.compat_text).map(joined_text);
        }
        let mut text = encode(&frame);
        if text.len() > self.max_frame_bytes && frame.text.take().is_some() {
            text = encode(&frame);
        }
        if text.len() > self.max_frame_bytes {
            let error = match &end.error {
                Some(error) if end.outputs.is_none() => self.fitting(error.clone()),
                _ => self.too_large(end),
            };
            text = encode(&CallToolRes::<&RawValue>::failed(
                call.request_id.clone(),
                error,
            ));
        }
        text
    }

    /// One page of a result.
    pub(crate) fn page(
        &self,
        id: RequestId,
        state: CallState,
        finished: Option<&Finished>,
        offset: u64,
        limit: u64,
    ) -> CollectRes {
        let outputs = finished.and_then(|finished| finished.outputs.as_deref());
        let text = outputs.map_or("", RawValue::get);
        // Escaping can double a page; a quarter of the frame limit always fits with its envelope.
        let limit = limit.min(self.max_frame_bytes as u64 / 4);
        let (offset, chunk, eof) = page(text, offset, limit);
        CollectRes {
            request_id: Some(id),
            state,
            offset,
            total_bytes: text.len() as u64,
            chunk: chunk.to_owned(),
            eof,
            error: finished
                .and_then(|finished| finished.error.clone())
                .map(|error| self.fitting(error)),
        }
    }

    /// An error that surely fits a frame: without its facts, and its words cut, if need be.
    pub(crate) fn fitting(&self, mut error: WireError) -> WireError {
        let room = self.max_frame_bytes / 8;
        if error.message.len() > room {
            error
                .message
                .truncate(error.message.floor_char_boundary(room));
        }
        error.metadata = error
            .metadata
            .filter(|metadata| metadata.get().len() <= room);
        if self.abilities.rich {
            error
        } else {
            in_v1_words(error)
        }
    }

    fn too_large(&self, end: &Finished) -> WireError {
        let (size, limit) = (end.result_bytes(), self.max_frame_bytes);
        let error = WireError::new(
            Code::TooLarge,
            format!(
                "the result is {size} bytes and a frame at most {limit}; it is kept: collect{{request_id, offset, limit}} pages it"
            ),
        );
        if self.abilities.rich {
            error.ran(Ran::Yes)
        } else {
            error
        }
    }

    pub(crate) fn deliver(&self, delivery: &Delivery) {
        let frame = match delivery {
            Delivery::Event(event) => encode(&EventFrame {
                seq: event.seq,
                t: event.at.as_secs_f64(),
                topic: event.topic().as_str().to_owned(),
                data: event.body(),
            }),
            Delivery::Lagged { dropped, next_seq } => encode(&Lagged {
                dropped: *dropped,
                next_seq: *next_seq,
            }),
        };
        self.outbox.answer(frame);
    }
}

impl Watcher for Voice {
    fn peer(&self) -> u64 {
        self.peer.get().copied().unwrap_or(u64::MAX)
    }

    fn update(&self, call: &CallFacts, update: &Update<'_>) {
        match update {
            // Whoever takes rich progress hears of the wait itself; the note is V1's.
            Update::Accepted if self.abilities.progress => {}
            Update::Accepted => {
                let note = Some(ADMISSION_NOTE.to_owned());
                self.outbox.answer(encode(&Progress {
                    note,
                    ..self.progress(call)
                }));
            }
            Update::Acknowledged { at_once: true, .. } if self.abilities.brief => {}
            Update::Acknowledged { limit, at_once } => {
                self.outbox.answer(encode(&CallToolAck {
                    request_id: call.request_id.clone(),
                    accepted: true,
                    timeout: limit.as_secs_f64(),
                    name: call.tool.to_string(),
                }));
                if self.abilities.progress && !at_once {
                    // So that a peer knows from the first moment that the tool has begun.
                    let stage = Some("running".to_owned());
                    let progress = self.progress(call);
                    self.outbox.hint(encode(&Progress { stage, ..progress }));
                }
            }
            Update::Progress {
                seq,
                stage,
                message,
            } => {
                let mut frame = self.progress(call);
                if self.abilities.progress {
                    frame.seq = Some(*seq);
                    frame.stage = Some((*stage).to_owned());
                    frame.message = Some((*message).to_owned()).filter(|words| !words.is_empty());
                }
                self.outbox.hint(encode(&frame));
            }
            Update::Partial(text) if self.abilities.partial => {
                let request_id = call.request_id.clone();
                self.outbox.partial(Partial {
                    request_id,
                    text: (*text).to_owned(),
                });
            }
            Update::Partial(_) => {}
            Update::Finished {
                end,
                attached,
                replayed,
            } => {
                self.outbox.forget_partial(&call.request_id);
                let frame = self.result(call, end, *attached, *replayed);
                if end.outputs.is_some() {
                    self.outbox.result(frame);
                } else {
                    self.outbox.answer(frame);
                }
            }
        }
    }
}

impl Peer for Voice {
    fn push(&self, push: &Push<'_>) -> bool {
        if self.peer.get().is_none() {
            return false;
        }
        let t = self.t();
        match push {
            Push::Notice {
                from,
                level,
                message,
            } if self.abilities.notify => {
                let (from, level, message) =
                    (from.to_string(), level.to_string(), message.to_string());
                self.outbox.answer(encode(&Notify {
                    from,
                    level,
                    message,
                    t,
                }));
                true
            }
            Push::ToolsChanged { hash } if self.abilities.tools_changed => {
                self.outbox.answer(encode(&ToolsChanged {
                    tools_hash: (*hash).to_owned(),
                }));
                true
            }
            Push::ResourcesChanged if self.abilities.resources_changed => {
                self.outbox.answer(encode(&ResourcesChanged {}));
                true
            }
            _ => false,
        }
    }
}

/// V1's error object has no `ran`.
fn in_v1_words(mut error: WireError) -> WireError {
    error.ran = None;
    error
}

/// V1's copy: the texts of all blocks, joined by a blank line.
fn joined_text(outputs: &RawValue) -> String {
    #[derive(serde::Deserialize)]
    struct Block {
        #[serde(default)]
        text: String,
    }
    let blocks: Vec<Block> = serde_json::from_str(outputs.get()).unwrap_or_default();
    let texts: Vec<String> = blocks.into_iter().map(|block| block.text).collect();
    texts.join("\n\n")
}

/// Unix seconds for replies that are not part of a call.
pub(crate) fn seconds(at: UnixMillis) -> f64 {
    at.as_secs_f64()
}
