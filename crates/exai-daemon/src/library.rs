//! A client as the library of prompts and resources sees it: its conversations, the tools it may
//! call, and the results of its own calls.

use exai_engine::{
    Engine,
    calls::{Finished, Remembered},
    ports::models::ModelFuture,
    sessions::Session,
};
use exai_protocol::{Principal, RawValue, RequestId, control::McpError, tool::ToolEntry};
use exai_server::McpFuture;
use exai_tools::library::{Library, Reader};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// JSON-RPC's codes.
const INVALID_PARAMS: i32 = -32602;
const INTERNAL: i32 = -32603;

/// Answers one request of MCP's.
pub(crate) fn answer(
    library: Library,
    engine: Arc<Engine>,
    session: Arc<Session>,
    method: String,
    params: Option<&RawValue>,
) -> McpFuture {
    let params = params.map_or("{}", RawValue::get);
    let params: Result<Value, _> = serde_json::from_str(params);
    Box::pin(async move {
        let params = params.map_err(|fault| McpError {
            code: INVALID_PARAMS,
            message: format!("params: {fault}"),
        })?;
        let client = Client { engine, session };
        let answer = library.answer(&client, &method, &params).await?;
        serde_json::value::to_raw_value(&answer).map_err(|fault| McpError {
            code: INTERNAL,
            message: format!("the answer cannot be written: {fault}"),
        })
    })
}

struct Client {
    engine: Arc<Engine>,
    session: Arc<Session>,
}

impl Reader for Client {
    fn principal(&self) -> &Principal {
        &self.session.principal
    }

    fn roots(&self) -> Vec<String> {
        self.session.roots().to_vec()
    }

    fn tools(&self) -> Vec<(ToolEntry, bool)> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let rules = self.engine.rules(&self.session);
        let view = self.engine.view(&self.session);
        let listed: Vec<Named> = serde_json::from_str(view.list().get()).unwrap_or_default();
        let listed: BTreeSet<String> = listed.into_iter().map(|one| one.name).collect();
        let snapshot = self.engine.registry().snapshot();
        let all = snapshot.entries().filter(|entry| rules.permits(entry));
        all.map(|entry| (entry.clone(), listed.contains(&entry.name)))
            .collect()
    }

    fn result<'a>(&'a self, id: &'a str) -> ModelFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let id = RequestId::new(id);
            let (state, kept) = self.engine.look_up(&self.session, &id);
            if let Some(finished) = kept {
                return text(&finished);
            }
            match self.engine.recall(&self.session, &id).await {
                Remembered::Finished(finished) => text(&finished),
                _ => Err(format!(
                    "there is no finished call of yours by this id ({state:?}); results are kept \
                     for a while only, and small ones of tools that answer at once are not"
                )),
            }
        })
    }
}

/// The words of a result, block after block; what is no text is named.
fn text(finished: &Finished) -> Result<String, String> {
    let outputs = finished.outputs.as_deref().map_or("[]", RawValue::get);
    let blocks: Vec<Value> = serde_json::from_str(outputs).map_err(|error| error.to_string())?;
    let block = |block: &Value| match block["text"].as_str() {
        Some(text) => text.to_owned(),
        None => format!("[a block of type {}]", block["type"]),
    };
    let mut words: Vec<String> = blocks.iter().map(block).collect();
    words.extend(finished.error.iter().map(|error| error.message.clone()));
    Ok(words.join("\n"))
}
