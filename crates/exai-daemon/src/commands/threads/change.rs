//! What changes conversations: the daemon does it.

use crate::{
    commands::{
        Interrupts,
        call::{
            follow::{self, follow, spec},
            live::Live,
            show::{self, Progress},
        },
    },
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::{Context as _, Result};
use exai_client::Client;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Larger files hold no conversation, and would fit into no frame.
const MOST: u64 = 24 << 20;

pub(super) async fn rename(context: &Context, id: &str, title: &str) -> Result<Code> {
    let arguments = json!({ "action": "rename", "id": id, "text": title });
    all(context, vec![("threads", arguments)]).await
}

pub(super) async fn delete(context: &Context, ids: &[String]) -> Result<Code> {
    let one = |id: &String| ("threads", json!({ "action": "delete", "id": id }));
    all(context, ids.iter().map(one).collect()).await
}

pub(super) async fn import(context: &Context, files: &[PathBuf]) -> Result<Code> {
    let one = |file: &PathBuf| -> Result<(&'static str, Value)> {
        let text = read(file)?;
        let name = file.display().to_string();
        Ok(("threads_import", json!({ "name": name, "text": text })))
    };
    let calls = files.iter().map(one).collect::<Result<_>>()?;
    all(context, calls).await
}

fn read(file: &Path) -> Result<String> {
    let name = file.display();
    let about = std::fs::metadata(file).with_context(|| format!("cannot read {name}"))?;
    if about.len() > MOST {
        let most = MOST >> 20;
        return Err(exit::USAGE.because(format!("{name} is larger than {most} MiB; split it")));
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))
}

/// One call after another; the first failure is how it ends, and the rest is done all the same.
async fn all(context: &Context, calls: Vec<(&str, Value)>) -> Result<Code> {
    let connection = Connection::named(context, "exai-daemon-threads").await?;
    let mut ended = exit::OK;
    for (tool, arguments) in &calls {
        let code = one(&connection.client, tool, arguments).await?;
        if ended == exit::OK {
            ended = code;
        }
    }
    connection.close().await;
    Ok(ended)
}

async fn one(client: &Client, tool: &str, arguments: &Value) -> Result<Code> {
    let stream = client.operate(spec(client, tool, arguments)?).await;
    let (mut progress, mut live) = (Progress::new("threads", false), Live::new(false));
    let ended = follow(stream, &mut Interrupts::new(), &mut progress, &mut live).await?;
    let Some(result) = ended else {
        return Ok(exit::CANCELLED);
    };
    let text = result.outputs.as_ref().map(|raw| show::text(raw.get()));
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        output::line(output::tame(&text))?;
    }
    Ok(follow::code(result.error.as_ref()))
}
