//! `sessions`: who is, or lately was, connected.

use crate::{
    compose,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::Result;
use exai_protocol::control::SessionEntry;

pub(super) async fn run(context: &Context, json: bool) -> Result<Code> {
    let connection = Connection::open(context).await?;
    let reply = connection.client.sessions().await;
    connection.close().await;
    let sessions = reply?.sessions;
    if json {
        output::json(&sessions)?;
        return Ok(exit::OK);
    }
    let now = (compose::system_clock())().as_secs_f64();
    for line in output::columns(&rows(&sessions, now)) {
        output::line(line)?;
    }
    Ok(exit::OK)
}

fn rows(sessions: &[SessionEntry], now: f64) -> Vec<Vec<String>> {
    let heading = [
        "session", "client", "pid", "links", "running", "calls", "seen", "folder",
    ];
    let row = |entry: &SessionEntry| {
        vec![
            output::tame(entry.session_id.as_str()),
            output::tame(client(entry).trim()),
            entry
                .pid
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            entry.connections.to_string(),
            entry.in_flight.to_string(),
            entry.calls.to_string(),
            if entry.connections > 0 {
                "now".to_owned()
            } else {
                ago(now - entry.last_seen_at)
            },
            output::tame(&entry.cwd),
        ]
    };
    let first = heading.iter().map(|word| (*word).to_owned()).collect();
    std::iter::once(first)
        .chain(sessions.iter().map(row))
        .collect()
}

/// Its program, and by which key it came in where that is not the owner's.
fn client(entry: &SessionEntry) -> String {
    let key = entry.key.as_ref();
    let key = key.map_or_else(String::new, |key| format!(" (key {key})"));
    format!("{} {}{key}", entry.client, entry.version)
}

fn ago(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 90.0 {
        format!("{seconds:.0}s ago")
    } else {
        format!("{:.0}m ago", seconds / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_a_row() {
        let entry = SessionEntry {
            session_id: "s1".into(),
            client_id: None,
            key: Some("ci".into()),
            client: "vscode".into(),
            version: "1.0".into(),
            pid: None,
            cwd: "/w".into(),
            connections: 0,
            in_flight: 0,
            calls: 3,
            connected_at: 0.0,
            last_seen_at: 880.0,
        };
        let rows = rows(&[entry], 1000.0);
        assert_eq!(
            rows[1],
            [
                "s1",
                "vscode 1.0 (key ci)",
                "-",
                "0",
                "0",
                "3",
                "2m ago",
                "/w"
            ]
        );
    }
}
