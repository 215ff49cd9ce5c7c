//! Questions about tasks. None waits for the call: it is looked at, and left again.

use super::{Calling, PATIENCE};
use crate::{
    answer::Reply,
    goes_on::GoesOn,
    patience::Patience,
    tasks::{self, TaskAsk, Verb},
    tickets::Ticket,
    waiting::{End, Waiting},
};
use exai_client::{CallEvent, CallStream, Client, Detached, Handle};
use exai_protocol::call::CallToolRes;
use rmcp::model::ErrorData;
use tokio::time::Instant;

/// What a look at a call found.
enum Found {
    Working(GoesOn),
    Ended(CallToolRes),
}

impl Calling {
    /// The answer; `None` once the client has let go.
    pub(super) async fn of_task(
        &self,
        ask: TaskAsk,
        ticket: &mut Ticket,
        began: Instant,
    ) -> Option<Reply> {
        let who = ask.meta.client_info();
        let profile = self.bridge.profile(who.as_ref());
        let client = self.bridge.client(|| who)?;
        let handle: Handle = match ask.task.parse() {
            Ok(handle) => handle,
            Err(_) => return Some(unknown(&ask.task)),
        };
        let patience = Patience::new(began, &profile, false);
        let mut waiting = Waiting::new(client.link(), None, patience, patience.answer_by());
        let work = async {
            match ask.verb {
                Verb::Get => self.get(client, &handle).await,
                Verb::Update => Reply::TaskAck,
                Verb::Cancel => match client.stop(&handle, "the client cancelled the task").await {
                    Ok(_) => Reply::TaskAck,
                    Err(error) => away(&error.to_string()),
                },
            }
        };
        match waiting.until(work, ticket).await {
            Ok(reply) => Some(reply),
            Err(End::LetGo(_)) => None,
            Err(_) => Some(away(&waiting.link().describe())),
        }
    }

    async fn get(&self, client: &Client, handle: &Handle) -> Reply {
        let _turn = self.turns.of(handle).await;
        let stream = client.attach(handle).await;
        match self.look(stream, handle).await {
            Found::Working(call) => Reply::TaskAt(call),
            Found::Ended(result) => match &result.error {
                Some(error) if tasks::is_unknown(error) => unknown(&handle.to_string()),
                Some(error) if is_unreached(error) => away(&error.message),
                _ if crate::pages::are_due(&result) => {
                    let whole = crate::pages::put_together(client, handle, result).await;
                    Reply::TaskEnd(handle.to_string(), Box::new(whole))
                }
                _ => Reply::TaskEnd(handle.to_string(), Box::new(result)),
            },
        }
    }

    /// Attaches until it is known how the call is.
    async fn look(&self, mut stream: CallStream, handle: &Handle) -> Found {
        loop {
            match stream.next().await {
                Some(CallEvent::Finished(result)) => return Found::Ended(result),
                Some(CallEvent::Attached { since, message }) => {
                    let call = GoesOn {
                        heard: true,
                        tool: None,
                        handle: handle.to_string(),
                        since,
                        last: message,
                        unwatched: self.bridge.unwatched(),
                    };
                    return match stream.detach(PATIENCE).await {
                        Detached::Ended(result) => Found::Ended(*result),
                        Detached::Left | Detached::NotSent => Found::Working(call),
                    };
                }
                Some(_) => {}
                None => return Found::Ended(super::panicked(&rmcp::model::RequestId::Number(0))),
            }
        }
    }
}

/// The daemon could not be asked.
fn is_unreached(error: &exai_protocol::WireError) -> bool {
    use exai_protocol::{Code, error::Ran};
    error.code == Code::Unavailable && error.ran == Some(Ran::No)
}

fn unknown(task: &str) -> Reply {
    let message = format!("no task {task:?} is known, or its result is no longer kept");
    Reply::Error(ErrorData::invalid_params(message, None))
}

fn away(why: &str) -> Reply {
    let message = format!(
        "the exai daemon cannot be asked now ({why}); the task is not lost: ask again in a moment"
    );
    Reply::Error(ErrorData::internal_error(message, None))
}
