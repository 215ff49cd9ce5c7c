//! What an answer is worth, given how often the call really ran. Pure, so that the judge can
//! be judged.

use super::{Answer, End, Kind, Made};
use crate::work::Expect;
use std::time::Duration;

/// Deaths a repeatable call is taken through before it counts as their possible cause.
const REPEATS: usize = 3;
/// A link that stays away this long excuses a client that says it does not know.
const LINK_GIVEN_UP: Duration = Duration::from_secs(40);

/// What the oracle knows besides the answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Lines the call left.
    pub(crate) runs: usize,
    /// Deaths of the daemon between question and answer.
    pub(crate) deaths: usize,
    /// Whether its database was damaged, then or before, and nobody had looked at it yet.
    pub(crate) forgot: bool,
    /// Whether nothing could be written at some time between question and answer.
    pub(crate) no_room: bool,
    pub(crate) took: Duration,
    /// What the daemon's journal has of it.
    pub(crate) journaled: Option<Journaled>,
}

/// What the journal says of a call whose outcome nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journaled {
    /// It has an answer.
    Finished,
    /// It has none.
    Unfinished,
}

/// A promise kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fair {
    /// The right answer.
    Right,
    /// The error that was asked for.
    AsAsked,
    /// Refused, and it never ran.
    Refused,
    /// Nobody knows, and nobody can: it ran when its daemon died.
    UnknownRan,
    /// The same, where the death came between the start and the first trace.
    UnknownStarted,
    /// The database was damaged; what was in it is not known any more.
    UnknownForgotten,
    /// A repeatable call that followed its daemon through too many deaths.
    UnknownRepeated,
    /// Its client was killed, or let go of it.
    Released,
}

/// A promise broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    Lost,
    Doubled(usize),
    Unjustified(String),
    Wrong(String),
}

pub(crate) type Verdict = Result<Fair, Broken>;

pub(super) fn of(made: &Made, seen: &Seen) -> Verdict {
    // Started again while it is at work it is joined, unless its daemon dies with it.
    let may_run = if seen.deaths > 0 { 1 + made.again } else { 1 };
    if made.job.once() && seen.runs > may_run {
        return Err(Broken::Doubled(seen.runs));
    }
    match &made.end {
        // Its client was ended with the run; see `clients`.
        End::Released => Ok(Fair::Released),
        End::Open | End::Lost => Err(Broken::Lost),
        End::Answered(Answer::Right) if made.job.counts() && seen.runs == 0 => {
            Err(Broken::Wrong("answered, and it never ran".to_owned()))
        }
        End::Answered(Answer::Right) => Ok(Fair::Right),
        End::Answered(Answer::Wrong(text)) => Err(Broken::Wrong(format!("answered {text:?}"))),
        End::Answered(Answer::Failed {
            code,
            ran,
            known,
            words,
        }) => failed(
            made,
            seen,
            &Error {
                code,
                ran,
                known,
                words,
            },
        ),
    }
}

struct Error<'a> {
    code: &'a str,
    ran: &'a str,
    known: &'a str,
    words: &'a str,
}

fn failed(made: &Made, seen: &Seen, error: &Error<'_>) -> Verdict {
    let told = || format!("{} (ran: {:?}): {}", error.code, error.ran, error.words);
    // What may run again, and ran under a daemon that died, is told by the next one's own acts.
    let of_another_life = !made.job.once() && seen.deaths > 0;
    if error.ran == "no" && seen.runs > 0 && !of_another_life {
        return Err(Broken::Wrong(format!(
            "it ran, and was answered {}",
            told()
        )));
    }
    if let Expect::Error(wanted) = made.job.expect
        && (error.code == wanted || also(wanted, error.code))
    {
        return Ok(Fair::AsAsked);
    }
    match error.code {
        "OUTCOME_UNKNOWN" => unknown(made, seen, error),
        "UNAVAILABLE" | "SHUTTING_DOWN" | "OVER_CAPACITY" if error.ran == "no" => Ok(Fair::Refused),
        // Known to nobody, it says, by its handle. The file that knew it was damaged; or it was
        // refused when nothing could be written, and the daemon that would say so died.
        "EXPIRED" if error.ran.is_empty() && seen.forgot => Ok(Fair::UnknownForgotten),
        "EXPIRED" if error.ran.is_empty() && seen.no_room && seen.deaths > 0 && seen.runs == 0 => {
            Ok(Fair::Refused)
        }
        // It began under a daemon that died, and may be asked for again.
        "UNAVAILABLE" if error.ran == "unknown" && of_another_life => Ok(Fair::Refused),
        // A predecessor's frames have no room for whether it ran.
        "UNAVAILABLE" | "SHUTTING_DOWN" | "OVER_CAPACITY" if made.kind == Kind::V1 => {
            Ok(Fair::Refused)
        }
        _ => Err(Broken::Wrong(told())),
    }
}

/// Codes that say the same of a tool that panics.
fn also(wanted: &str, code: &str) -> bool {
    wanted == "INTERNAL" && code == "EXEC_ERROR" || wanted == "TOOL_NOT_FOUND" && code == "PROTOCOL"
}

fn unknown(made: &Made, seen: &Seen, error: &Error<'_>) -> Verdict {
    let unjustified = |why: &str| Err(Broken::Unjustified(format!("{why}: {}", error.words)));
    if seen.forgot {
        return Ok(Fair::UnknownForgotten);
    }
    if !made.job.once() {
        let followed = seen.deaths >= REPEATS || seen.took >= LINK_GIVEN_UP;
        return if followed {
            Ok(Fair::UnknownRepeated)
        } else {
            unjustified("it may run again")
        };
    }
    if seen.deaths == 0 && seen.took < LINK_GIVEN_UP {
        return unjustified("no daemon died");
    }
    if seen.journaled == Some(Journaled::Finished) {
        return unjustified("its answer is in the journal");
    }
    match (made.job.counts(), seen.runs, error.known) {
        (true, 1.., _) => Ok(Fair::UnknownRan),
        // The start is written before the tool runs: a death right between is nobody's lie.
        (_, 0, "started") => Ok(Fair::UnknownStarted),
        _ => unjustified("it never started"),
    }
}

#[cfg(test)]
mod tests;
