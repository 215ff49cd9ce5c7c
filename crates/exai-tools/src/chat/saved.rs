//! The answer as a file of the caller's, where he asked for that. Whether it may be written is
//! found out before anything is paid; an answer that could not be written is given all the same.

use crate::{args::Args, files, kind};
use exai_engine::tool::{ToolCall, ToolError};

/// Where an answer is to be written.
pub(super) struct Save(Option<String>);

impl Save {
    pub(super) async fn of(args: &Args, call: &ToolCall) -> Result<Self, ToolError> {
        let path = args.text("save_to")?.filter(|path| !path.trim().is_empty());
        let Some(path) = path.map(str::to_owned) else {
            return Ok(Self(None));
        };
        let (roots, asked) = (call.roots.clone(), path.clone());
        kind::on_a_thread(move || {
            files::may_write(&roots, &asked).map_err(|why| {
                ToolError::invalid(format!(
                    "'save_to': {asked} cannot be written: {why}; nothing was sent and nothing \
                     was paid"
                ))
            })
        })
        .await?;
        Ok(Self(Some(path)))
    }

    /// Writes it; says what came of that.
    pub(super) async fn write(self, call: &ToolCall, answer: &str) -> Option<String> {
        let asked = self.0?;
        let (roots, text) = (call.roots.clone(), answer.to_owned());
        let told = asked.clone();
        let written = kind::on_a_thread(move || {
            files::write_new(&roots, &asked, &text).map_err(ToolError::failed)
        });
        Some(match written.await {
            Ok(name) => format!("The answer is in {name}"),
            Err(error) => format!("THE ANSWER IS NOT SAVED to {told}: {}", error.message),
        })
    }
}
