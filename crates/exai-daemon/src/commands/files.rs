//! `files`: what a model would see of files asked for from here, decided by the daemon, which
//! decides it for every call; nothing is sent to anybody.

use super::{call::follow, chat};
use crate::{
    cli::Files,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::Result;
use exai_client::CallEvent;
use serde_json::{Value, json};

pub(super) async fn run(context: &Context, options: &Files) -> Result<Code> {
    let arguments = json!({
        "files": options.files, "images": options.image, "cited": options.cited,
        "tokens": options.tokens,
    });
    let connection = Connection::named(context, "exai-daemon-files").await?;
    let mut spec = follow::spec(&connection.client, "files_preview", &arguments)?;
    spec.roots = Some(chat::here()?);
    let mut stream = connection.client.operate(spec).await;
    let result = loop {
        match stream.next().await {
            Some(CallEvent::Finished(result)) => break Some(result),
            Some(_) => {}
            None => break None,
        }
    };
    connection.close().await;
    let Some(result) = result else {
        return Ok(exit::CANCELLED);
    };
    let Some(text) = chat::answer::words(&result).filter(|_| result.error.is_none()) else {
        return Ok(follow::code(result.error.as_ref()));
    };
    let told: Value = serde_json::from_str(&text)?;
    match options.json {
        true => output::json(&told)?,
        false => tell(&told)?,
    }
    Ok(exit::OK)
}

fn tell(told: &Value) -> Result<()> {
    let list = |name: &str| told[name].as_array().cloned().unwrap_or_default();
    for file in list("files") {
        output::line(output::tame(file["told"].as_str().unwrap_or_default()))?;
    }
    for cited in list("cited") {
        let name = output::tame(cited["cited"].as_str().unwrap_or_default());
        output::line(match cited["why"].as_str() {
            None => format!("{name}: is there"),
            Some(why) => format!("{name}: NOT THERE, {}", output::tame(why)),
        })?;
    }
    let sums = &told["packing"];
    output::line(format!(
        "{} asked for = {} included + {} cut + {} omitted, about {} tokens",
        sums["asked"], sums["included"], sums["cut"], sums["omitted"], sums["tokens"]
    ))?;
    Ok(())
}
