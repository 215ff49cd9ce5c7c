//! What to do after a turn that is not the end: echo Kimi's search, run the search that GLM
//! wrote into its text, go on where Anthropic paused. Each is the same wish with more messages,
//! and each is a request that costs money, so their number is bounded.

use crate::{
    chat::{
        AssistantTurn, CallKind, ChatRequest, Collector, DoneReason, Message, Searched, ToolResult,
    },
    endpoint::Live,
    fault::Fault,
    search::{Echo, GlmSearch, MOST_ECHO_ROUNDS, echo, glm_answer, glm_search},
};
use tokio::time::Instant;

/// Requests one answer may take beyond its first.
pub(super) const MOST_ROUNDS: u32 = MOST_ECHO_ROUNDS;

/// What follows a turn.
pub(super) enum Next {
    /// Nothing: it is the answer.
    Nothing,
    /// The same wish again, with these messages added.
    Again(Vec<Message>),
    /// A search has to be run at the provider's own door first.
    Search(WrittenSearch),
}

/// A search that a model wrote into its text.
pub(super) struct WrittenSearch {
    turn: AssistantTurn,
    call: usize,
    door: GlmSearch,
}

/// What follows this turn of this request.
pub(super) fn after(live: &Live, request: &ChatRequest, said: &Collector) -> Next {
    let Some(reason) = &said.reason else {
        return Next::Nothing;
    };
    if *reason == DoneReason::Pause {
        return Next::Again(vec![Message::Assistant(said.turn.clone())]);
    }
    match echo(&said.turn, reason) {
        Echo::Again(messages) => Next::Again(messages),
        // The caller's own tools come first; its next request carries the echoes.
        Echo::AfterTools { .. } => Next::Nothing,
        Echo::Nothing => written(live, request, &said.turn).map_or(Next::Nothing, Next::Search),
    }
}

fn written(live: &Live, request: &ChatRequest, turn: &AssistantTurn) -> Option<WrittenSearch> {
    let wish = request.search.as_ref()?;
    let is_search =
        |call: &crate::chat::ToolCall| call.kind == CallKind::Textual && call.name == "web_search";
    let call = turn.tool_calls.iter().position(is_search)?;
    let engine = live.resolved().endpoint.quirks.search_engine.as_deref();
    let door = glm_search(&turn.tool_calls[call].arguments, wish, engine)?;
    Some(WrittenSearch {
        turn: turn.clone(),
        call,
        door,
    })
}

impl WrittenSearch {
    /// Runs it; what was found, and the messages that tell the model.
    pub(super) async fn run(
        self,
        live: &Live,
        deadline: Instant,
    ) -> Result<(Searched, Vec<Message>), Fault> {
        let body = live
            .post(&self.door.path, &self.door.body, deadline)
            .await?;
        let (searched, told) = glm_answer(&self.door.query, &body)?;
        let mut turn = self.turn;
        let call = turn.tool_calls.swap_remove(self.call);
        turn.tool_calls = vec![call.clone()];
        let result = Message::Tool(ToolResult {
            call_id: call.id,
            name: call.name,
            content: told,
            is_error: false,
        });
        Ok((searched, vec![Message::Assistant(turn), result]))
    }
}
