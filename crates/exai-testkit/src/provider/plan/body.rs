//! The plan of a body that is there at once. What a script wants inside the answer happens in
//! the middle of its bytes.

use super::{Act, At, End, Length, Planner, Step};
use crate::provider::{answer::Answer, reply::Refusal, wire};
use serde_json::Value;

impl Planner<'_> {
    pub(super) fn whole(&mut self, answer: &Answer) -> Result<End, End> {
        let error = self.acts.iter().find_map(|(_, act)| match act {
            Act::Error(message) => Some(message.clone()),
            _ => None,
        });
        // Outside of a stream a provider says it with the status.
        if error.is_some() {
            self.status = 500;
            self.acts.clear();
            return self.refuse(&Refusal {
                message: error,
                ..Refusal::default()
            });
        }
        self.json(&wire::whole(answer, self.request))
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal) -> Result<End, End> {
        let body = wire::refusal(self.request.dialect, self.status, refusal);
        self.json(&body)
    }

    pub(super) fn json(&mut self, body: &Value) -> Result<End, End> {
        self.body("application/json", body.to_string().into_bytes())
    }

    pub(super) fn body(&mut self, kind: &str, mut bytes: Vec<u8>) -> Result<End, End> {
        if self.wants_damage() {
            bytes.truncate(bytes.len() / 2);
        }
        let length = match self.until_close {
            true => Length::UntilClose,
            false => Length::Known(bytes.len()),
        };
        self.head(kind, length)?;
        self.acts(At::FirstEvent, &bytes)?;
        self.hold(self.pace.first);
        let rest = bytes.split_off(bytes.len() / 2);
        self.send_with_the_last(bytes);
        for at in self.late_moments(0).into_iter().chain([At::Last]) {
            self.acts(at, &rest)?;
        }
        self.send_with_the_last(rest);
        Ok(match length {
            Length::UntilClose => End::Close,
            _ => End::KeepAlive,
        })
    }

    /// What has nothing between it goes out in one write.
    fn send_with_the_last(&mut self, bytes: Vec<u8>) {
        match self.steps.last_mut() {
            Some(Step::Send(before)) => before.extend(bytes),
            _ => self.steps.push(Step::Send(bytes)),
        }
    }
}
