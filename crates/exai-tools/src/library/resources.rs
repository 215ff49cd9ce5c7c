//! Resources: the list of models, conversations, and results of earlier calls. What is long comes
//! in pages that say where the next one is; nothing is cut silently.

use super::{Library, Reader, invalid, may, page, text};
use crate::transcript;
use exai_engine::ports::threads::{ListQuery, workspace};
use exai_protocol::control::McpError;
use serde_json::{Value, json};

/// The list of models.
pub(super) const MODELS: &str = "exai://models";
/// Before a conversation's id.
pub(super) const THREADS: &str = "exai://threads/";
/// Before a call's id.
pub(super) const ANSWERS: &str = "exai://answers/";
/// Who may not call these does not read the same here.
pub(super) const MODELS_TOOL: &str = "listmodels";
/// See [`MODELS_TOOL`].
pub(super) const THREADS_TOOL: &str = "threads";
/// Bytes of one page where nobody says; fits what the tightest of known clients show.
const PAGE: usize = 48 * 1024;
/// Bytes of the smallest and the largest page somebody may ask for.
const LEAST: usize = 1024;
const MOST: usize = 1024 * 1024;
/// Conversations that are listed.
const LISTED: usize = 30;

pub(super) async fn list(library: &Library, reader: &dyn Reader) -> Result<Value, McpError> {
    let mut all = Vec::new();
    if may(reader, MODELS_TOOL) {
        all.push(json!({
            "uri": MODELS,
            "name": "models",
            "title": "Models",
            "description": "Every model that is known: context, abilities, price, whether it can be asked.",
            "mimeType": "application/json",
        }));
    }
    if !may(reader, THREADS_TOOL) {
        return Ok(page("resources", all));
    }
    let query = ListQuery {
        workspaces: reader.roots().iter().map(|root| workspace(root)).collect(),
        most: LISTED,
    };
    let listed = library.threads.list(reader.principal(), query).await;
    let listed = listed.map_err(|error| invalid(error.to_string()))?;
    let rows = listed.rows.iter().map(|row| {
        json!({
            "uri": format!("{THREADS}{}", row.id),
            "name": row.id,
            "title": row.title,
            "description": format!("A conversation of {} turns, begun with {}.", row.turns, row.tool),
            "mimeType": "text/markdown",
        })
    });
    all.extend(rows);
    Ok(page("resources", all))
}

pub(super) fn templates(reader: &dyn Reader) -> Value {
    let paged = "{?offset,limit}";
    let mut all = vec![
        json!({
            "uriTemplate": format!("{THREADS}{{id}}{paged}"),
            "name": "thread",
            "title": "Conversation",
            "description": "A conversation, by its continuation_id.",
            "mimeType": "text/markdown",
        }),
        json!({
            "uriTemplate": format!("{ANSWERS}{{id}}{paged}"),
            "name": "answer",
            "title": "Answer",
            "description": "The whole text of an earlier result, by the exai/request_id in its _meta.",
            "mimeType": "text/plain",
        }),
    ];
    if !may(reader, THREADS_TOOL) {
        all.remove(0);
    }
    page("resourceTemplates", all)
}

pub(super) async fn read(
    library: &Library,
    reader: &dyn Reader,
    params: &Value,
) -> Result<Value, McpError> {
    let uri = text(params, "uri")?;
    let (place, wanted) = uri.split_once('?').unwrap_or((uri, ""));
    if let Some(tool) = tool_of(place)
        && !may(reader, tool)
    {
        return Err(invalid(format!(
            "{uri} is what the tool {tool} shows, and {tool} is switched off for this client by the \
             allow and deny lists or the key's rights in the daemon's config/profiles.toml. Nothing \
             was read"
        )));
    }
    let (kind, whole) = if place == MODELS {
        ("application/json", models(library)?)
    } else if let Some(id) = place.strip_prefix(THREADS) {
        let thread = library.threads.load(reader.principal(), id).await;
        let thread = thread.map_err(|error| invalid(format!("{uri}: {error}")))?;
        ("text/markdown", transcript::markdown(&thread))
    } else if let Some(id) = place.strip_prefix(ANSWERS) {
        let text = reader.result(id).await;
        (
            "text/plain",
            text.map_err(|why| invalid(format!("{uri}: {why}")))?,
        )
    } else {
        return Err(invalid(format!(
            "there is no resource {uri}; there are {MODELS}, {THREADS}ID and {ANSWERS}ID"
        )));
    };
    // A part of JSON is of no use to who reads it by a program: it comes whole, unless asked for.
    let usual = if place == MODELS { MOST } else { PAGE };
    let page = Page::of(wanted, whole.len(), usual)?;
    let (from, to) = page.cut(&whole);
    let mut contents = vec![json!({ "uri": uri, "mimeType": kind, "text": &whole[from..to] })];
    if to < whole.len() {
        let (all, limit) = (whole.len(), page.limit);
        let next = format!("{place}?offset={to}&limit={limit}");
        contents.push(json!({
            "uri": next,
            "mimeType": "text/plain",
            "text": format!("[bytes {from} to {to} of {all}; it goes on at {next}]"),
        }));
    }
    Ok(json!({ "contents": contents }))
}

/// The tool that shows the same.
fn tool_of(place: &str) -> Option<&'static str> {
    match place {
        MODELS => Some(MODELS_TOOL),
        _ if place.starts_with(THREADS) => Some(THREADS_TOOL),
        _ => None,
    }
}

fn models(library: &Library) -> Result<String, McpError> {
    let text = serde_json::to_string(&*library.models.listing());
    text.map_err(|error| invalid(error.to_string()))
}

/// Which part of a text.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    offset: usize,
    limit: usize,
}

impl Page {
    fn of(wanted: &str, whole: usize, limit: usize) -> Result<Self, McpError> {
        let mut page = Self { offset: 0, limit };
        for pair in wanted.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number = value.parse::<usize>().ok();
            match (name, number) {
                ("offset", Some(offset)) if offset <= whole => page.offset = offset,
                ("limit", Some(limit)) if (LEAST..=MOST).contains(&limit) => page.limit = limit,
                ("offset", _) => {
                    let what = format!("offset must be from 0 to {whole}; got '{value}'");
                    return Err(invalid(what));
                }
                ("limit", _) => {
                    let what = format!("limit must be from {LEAST} to {MOST} bytes; got '{value}'");
                    return Err(invalid(what));
                }
                _ => {
                    let what = format!("'{pair}' is not understood; offset=N and limit=N are");
                    return Err(invalid(what));
                }
            }
        }
        Ok(page)
    }

    /// Where it begins and ends, never within a character.
    fn cut(&self, text: &str) -> (usize, usize) {
        let from = text.floor_char_boundary(self.offset);
        let to = text.floor_char_boundary(from.saturating_add(self.limit));
        (from, to)
    }
}
