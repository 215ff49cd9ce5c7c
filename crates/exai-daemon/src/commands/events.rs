//! `events`: what happens in the daemon, as it is told to subscribers.

use super::{Interrupts, next_step};
use crate::{
    cli::Events,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::Result;
use exai_client::{EventItem, LinkState};
use exai_protocol::{UnixMillis, control::EventFrame, event::Topic, request::Subscribe};
use exai_telemetry::utc::Stamps;
use std::time::Duration;

/// A replay is over when nothing came for this long: topics leave gaps in the numbers.
const QUIET: Duration = Duration::from_millis(400);

pub(super) async fn run(context: &Context, options: &Events) -> Result<Code> {
    let topics = topics(&options.topic)?;
    let connection = Connection::open(context).await?;
    let since = Some(0).filter(|_| !options.follow);
    let mut stream = connection
        .client
        .subscribe(Subscribe {
            topics,
            since,
            boot_id: None,
        })
        .await?;
    let mut link = connection.client.link();
    let mut newest = u64::MAX;
    let mut interrupts = Interrupts::new();
    loop {
        let quiet = async {
            if options.follow {
                std::future::pending().await
            } else {
                tokio::time::sleep(QUIET).await
            }
        };
        tokio::select! {
            item = stream.next() => match item {
                Some(EventItem::Event(event)) => {
                    show(&event, options.json)?;
                    if !options.follow && event.seq >= newest {
                        break;
                    }
                }
                Some(EventItem::Subscribed(reply)) => {
                    newest = reply.seq;
                    if reply.resync_required {
                        next_step("older events are no longer kept");
                    }
                }
                Some(EventItem::Lagged(lagged)) => {
                    output::warning(format!("{} events were passed over: this reader is slow", lagged.dropped));
                }
                None => break,
            },
            () = quiet => break,
            changed = link.changed(), if options.follow => {
                if changed.is_err() { break }
                let state = link.borrow_and_update().clone();
                mention(&state);
            }
            () = interrupts.next() => break,
        }
    }
    drop(stream);
    connection.close().await;
    Ok(exit::OK)
}

fn mention(state: &LinkState) {
    match state {
        LinkState::Ready(_) => next_step("connected"),
        LinkState::Disconnected(outage) if outage.attempt <= 1 => {
            next_step(&format!(
                "the daemon is gone ({}); waiting for it",
                outage.cause
            ));
        }
        LinkState::Refused(outage) => output::warning(&outage.cause),
        _ => {}
    }
}

fn topics(wanted: &[String]) -> Result<Vec<String>> {
    match wanted.iter().find(|name| Topic::parse(name).is_none()) {
        None => Ok(wanted.to_vec()),
        Some(unknown) => {
            let known: Vec<&str> = Topic::ALL.iter().map(|topic| topic.as_str()).collect();
            Err(exit::USAGE.because(format!(
                "no topic is called {unknown}; there are {}",
                known.join(", ")
            )))
        }
    }
}

fn show(event: &EventFrame, json: bool) -> Result<()> {
    Ok(output::line(if json {
        serde_json::to_string(event)?
    } else {
        words(event)?
    })?)
}

fn words(event: &EventFrame) -> Result<String> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time"
    )]
    let at = UnixMillis((event.t.max(0.0) * 1000.0) as u64);
    let stamp = String::from_utf8_lossy(Stamps::default().at(at)).into_owned();
    let body = serde_json::to_value(&event.data)?;
    let facts: Vec<String> = body
        .as_object()
        .and_then(|body| body.values().next()?.as_object())
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => {
                format!("{key}={}", output::tame(text).replace('\n', " "))
            }
            other => format!("{key}={other}"),
        })
        .collect();
    Ok(format!(
        "{stamp} {:>5} {:<18} {}",
        event.seq,
        event.topic,
        facts.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_protocol::event::{ConnectionStatus, EventBody};

    #[test]
    fn an_event_is_a_line() {
        let status = ConnectionStatus {
            session_id: "s1".into(),
            client: "a\nb".into(),
            connected: true,
            connections: 1,
            reason: None,
        };
        let event = EventFrame {
            seq: 7,
            t: 0.0,
            topic: "connection_status".into(),
            data: EventBody::ConnectionStatus(status),
        };
        assert_eq!(
            words(&event).unwrap(),
            "1970-01-01 00:00:00     7 connection_status  session_id=s1 client=a b connected=true connections=1"
        );
    }

    #[test]
    fn an_unknown_topic_is_a_mistake_with_the_known_ones() {
        assert!(topics(&["tool_call_result".to_owned()]).is_ok());
        let error = topics(&["calls".to_owned()]).unwrap_err();
        assert_eq!(exit::code_of(&error), exit::USAGE);
        assert!(error.to_string().contains("tool_call_result"));
    }
}
