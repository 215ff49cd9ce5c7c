//! Tool calls from pieces. Servers disagree on what identifies a piece: an index, an id, both,
//! or neither when there is only one; some begin a second call under the first one's index.

use crate::{
    chat::{CallKind, ToolCall},
    dialect::json::{arguments, words},
};
use serde_json::Value;

#[derive(Debug, Default)]
struct Partial {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

#[derive(Debug, Default)]
pub(super) struct Calls {
    list: Vec<Partial>,
}

impl Calls {
    pub(super) fn piece(&mut self, piece: &Value) {
        let index = piece.get("index").and_then(Value::as_u64);
        let id = words(piece, "id").unwrap_or_default();
        let function = piece.get("function").unwrap_or(piece);
        let name = words(function, "name").unwrap_or_default();
        let partial = self.partial(index, id, name);
        if partial.id.is_empty() {
            partial.id = id.to_owned();
        }
        if partial.name.is_empty() {
            partial.name = name.to_owned();
        }
        partial.arguments += &arguments(function.get("arguments"));
    }

    fn partial(&mut self, index: Option<u64>, id: &str, name: &str) -> &mut Partial {
        let begins = !name.is_empty();
        let found = self.list.iter().rposition(|known| {
            let other_id = !id.is_empty() && !known.id.is_empty() && known.id != id;
            let same = match index {
                Some(_) => known.index == index,
                None if id.is_empty() => !begins,
                None => known.id == id,
            };
            same && !(other_id && begins)
        });
        let at = found.unwrap_or_else(|| {
            self.list.push(Partial {
                index,
                ..Partial::default()
            });
            self.list.len() - 1
        });
        &mut self.list[at]
    }

    /// The calls; a cut answer's half call is none.
    pub(super) fn finish(self, cut: bool) -> Vec<ToolCall> {
        let whole = |partial: &Partial| {
            let half = cut && serde_json::from_str::<Value>(&partial.arguments).is_err();
            !partial.name.is_empty() && !half
        };
        self.list
            .into_iter()
            .filter(whole)
            .enumerate()
            .map(|(at, partial)| ToolCall {
                kind: if partial.name.starts_with('$') {
                    CallKind::Builtin
                } else {
                    CallKind::Function
                },
                id: if partial.id.is_empty() {
                    format!("call_{}", at + 1)
                } else {
                    partial.id
                },
                name: partial.name,
                arguments: if partial.arguments.trim().is_empty() {
                    "{}".to_owned()
                } else {
                    partial.arguments
                },
            })
            .collect()
    }
}
