//! `exai_continue`: a call is found by its handle and waited for as if it had just been made.

use super::{Asker, Calling};
use crate::{
    answer::Reply,
    continuing::Asked,
    goes_on::GoesOn,
    tickets::Ticket,
    waiting::{End, Waiting},
};
use exai_protocol::RawValue;

impl Calling {
    /// Waits again for a call that was left.
    pub(super) async fn go_on(
        &self,
        asker: &Asker<'_>,
        arguments: Option<Box<RawValue>>,
        ticket: &mut Ticket,
        mut waiting: Waiting,
    ) -> Option<Reply> {
        let Asked { handle, page } = match Asked::read(arguments.as_deref()) {
            Ok(asked) => asked,
            Err(wrong) => return Some((*wrong).into()),
        };
        let _turn = match waiting.until(self.turns.of(&handle), ticket).await {
            Ok(turn) => turn,
            // Whoever is before us goes on waiting.
            Err(End::LetGo(_)) => return None,
            Err(_) => {
                let call = GoesOn {
                    heard: true,
                    tool: None,
                    handle: handle.to_string(),
                    since: waiting.waited(),
                    last: Some("another request of this window waits for it".to_owned()),
                    unwatched: self.bridge.unwatched(),
                };
                return Some(Reply::GoesOn(call));
            }
        };
        let mut stream = asker.client.attach(&handle).await;
        let end = waiting.follow(&mut stream, ticket).await;
        let asked = Some((&handle, page));
        self.conclude(asker, stream, asked, waiting, end).await
    }
}
