//! A download in lines of progress. One that was interrupted goes on where it stopped, as
//! Ollama promises.

use super::{Ollama, OllamaModel};
use crate::provider::{
    Reply, Request,
    event::{Event, Mark, Role},
    reply::Content,
};
use serde_json::{Value, json};

/// Lines of progress for a whole model.
const LINES: u64 = 8;

impl Ollama {
    pub(super) fn pull(&mut self, name: &str, request: &Request) -> Reply {
        let streams = request.json("/stream") != Some(&json!(false));
        let Some(model) = self.offered.iter().find(|model| model.name == name) else {
            let message = "pull model manifest: file does not exist";
            return match streams {
                // It has said 200 before it finds out.
                true => Reply::events([json!({"error": message})]),
                false => Reply::status(500).message(message),
            };
        };
        if !streams {
            let name = name.to_owned();
            self.remember(&Mark::Installed { name });
            return Reply::json(json!({"status": "success"}));
        }
        let events = lines(model, self.pulled(name));
        Reply::of(200, Content::Events(events)).every(self.pace)
    }
}

fn lines(model: &OllamaModel, from: u64) -> Vec<Event> {
    let (name, total) = (&model.name, model.size);
    let layer = &model.digest[..12];
    let progress = |completed: Option<u64>| {
        let mut line = json!({
            "status": format!("pulling {layer}"),
            "digest": format!("sha256:{}", model.digest),
            "total": total,
        });
        if let Some(completed) = completed {
            line["completed"] = json!(completed);
        }
        line
    };
    let status = |status: &str| json!({"status": status});
    let piece = |line: Value| Event::new(Role::Piece, line);
    // The first line of a layer has no `completed` yet.
    let mut events = vec![piece(status("pulling manifest")), piece(progress(None))];
    for line in 1..=LINES {
        let bytes = match line {
            LINES => total,
            _ => total / LINES * line,
        };
        if bytes > from {
            let name = name.clone();
            let event = piece(progress(Some(bytes)));
            events.push(event.then(Mark::Pulled { name, bytes }));
        }
    }
    events.push(piece(status("verifying sha256 digest")));
    events.push(piece(status("writing manifest")));
    let name = name.clone();
    events.push(piece(status("success")).then(Mark::Installed { name }));
    events
}
