//! The files of MCP clients that have an entry of exai: whether it leads to this home and this
//! copy. A client with a wrong entry has no tools and shows no error.

use super::{Check, repair::Repair};
use crate::{
    cli::McpClient,
    commands::mcp_config::audit::{self, Finding},
    context::Context,
};
use clap::ValueEnum as _;
use exai_config::ProcessEnv;

const NAME: &str = "clients";

pub(super) fn checks(context: &Context) -> Vec<Check> {
    let looks = McpClient::value_variants().iter().filter_map(|client| {
        let (file, finding) = audit::look(context, *client, &ProcessEnv)?;
        Some((*client, file, finding))
    });
    let mut fine = Vec::new();
    let mut checks = Vec::new();
    for (client, file, finding) in looks {
        let (name, word) = (audit::name(client), audit::word(client));
        let at = file.display();
        match finding {
            Finding::Fine => fine.push(name),
            Finding::Unreadable(why) => checks.push(
                Check::fail(
                    NAME,
                    format!("{at} of {name} cannot be read: {why}"),
                    format!("correct {at}; {name} starts no server from a file it cannot read"),
                )
                .because("the client has none of its tools, and often says nothing"),
            ),
            Finding::Astray(reasons) => checks.push(
                Check::fail(
                    NAME,
                    format!("{at}: the entry for {name} {}", reasons.join(", and ")),
                    format!("exai-daemon mcp-config {word} --write, then restart {name}"),
                )
                .because("its windows reach another daemon, or none")
                .repaired_by(Repair::Entry(client)),
            ),
        }
    }
    if !fine.is_empty() {
        checks.push(Check::ok(
            NAME,
            format!("entries lead here: {}", fine.join(", ")),
        ));
    }
    checks
}
