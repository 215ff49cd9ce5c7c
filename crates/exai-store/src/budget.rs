//! Budgets: what a call may cost is held before it is sent and counted when it is known.
//! Ceilings come with each question, because they are settings; the sums are kept here.

pub(crate) mod orphans;
pub(crate) mod reserve;
pub(crate) mod settle;
pub(crate) mod sums;

use crate::{
    money::{Cost, MicroUsd},
    who::ModelCall,
};
use std::{fmt, sync::Arc};

/// What a ceiling is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One call of a tool, with all it asks of models.
    Call,
    /// One conversation, for all time.
    Thread,
    /// One window, as long as it keeps its client id.
    Client,
    /// Everything of one UTC day, whoever asked.
    Day,
}

impl Scope {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 4] = [Self::Call, Self::Thread, Self::Client, Self::Day];

    /// Its spelling in settings and rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Thread => "thread",
            Self::Client => "client",
            Self::Day => "day",
        }
    }
}

/// A limit, and where to begin to warn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// What it is put on.
    pub scope: Scope,
    /// Spent and held together never exceed it.
    pub limit: MicroUsd,
    /// Warned from this share of it on.
    pub warn_percent: u8,
}

/// The most a request may use: what is counted should nobody ever learn more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Estimated tokens of the prompt.
    pub input: u64,
    /// The ceiling of the answer's tokens.
    pub output: u64,
    /// Both at price. Where the price is unknown nothing can be held: such a request is
    /// refused only by a ceiling that is used up already.
    pub cost: Cost,
}

/// May this be sent?
#[derive(Debug, Clone)]
pub struct Ask {
    /// The request.
    pub call: Arc<ModelCall>,
    /// The most it may use.
    pub expected: Expected,
    /// All must hold. One on a thread says nothing of a call that has none.
    pub ceilings: Vec<Ceiling>,
}

/// Money of one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Known to be spent, or counted as spent.
    pub spent: MicroUsd,
    /// Held for requests under way.
    pub held: MicroUsd,
}

impl Sums {
    /// Both together.
    #[must_use]
    pub fn used(self) -> MicroUsd {
        MicroUsd(self.spent.0.saturating_add(self.held.0))
    }
}

/// A ceiling and what is used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The ceiling.
    pub ceiling: Ceiling,
    /// What is used.
    pub sums: Sums,
}

impl Standing {
    /// Whether it is time to warn.
    #[must_use]
    pub fn warns(&self) -> bool {
        let share = u128::from(self.ceiling.limit.0) * u128::from(self.ceiling.warn_percent);
        u128::from(self.sums.used().0) * 100 >= share
    }

    /// What is left of it.
    #[must_use]
    pub fn left(&self) -> MicroUsd {
        MicroUsd(self.ceiling.limit.0.saturating_sub(self.sums.used().0))
    }

    pub(crate) fn admits(&self, cost: &Cost) -> bool {
        let used = self.sums.used().0;
        match cost.known() {
            Some(cost) => used.saturating_add(cost.0) <= self.ceiling.limit.0,
            None => used < self.ceiling.limit.0,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sums { spent, held } = self.sums;
        let (scope, limit) = (self.ceiling.scope.as_str(), self.ceiling.limit);
        write!(
            f,
            "of the {limit} per {scope}, {spent} are spent and {held} are held for calls under way"
        )
    }
}

/// A ceiling stands in the way; nothing was sent and nothing is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverBudget {
    /// The ceiling, and what was used of it before.
    pub standing: Standing,
    /// What was asked for.
    pub asked: Cost,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "over budget: {}, so {} are left, and this request ",
            self.standing,
            self.standing.left()
        )?;
        match &self.asked {
            Cost::Known(cost) => write!(f, "may cost up to {cost}")?,
            Cost::Unknown(why) => write!(f, "has no known cost ({why})")?,
        }
        write!(
            f,
            "; raise the budget, choose a cheaper model or allow fewer output tokens"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(limit: u64, warn_percent: u8, spent: u64, held: u64) -> Standing {
        let ceiling = Ceiling {
            scope: Scope::Day,
            limit: MicroUsd(limit),
            warn_percent,
        };
        Standing {
            ceiling,
            sums: Sums {
                spent: MicroUsd(spent),
                held: MicroUsd(held),
            },
        }
    }

    #[test]
    fn a_ceiling_may_be_reached_but_not_passed() {
        let known = |cost| Cost::Known(MicroUsd(cost));
        assert!(standing(100, 80, 50, 20).admits(&known(30)));
        assert!(!standing(100, 80, 50, 20).admits(&known(31)));
        assert!(standing(100, 80, 100, 0).admits(&known(0)));
        assert!(!standing(100, 80, 100, 0).admits(&Cost::Unknown("no price".into())));
        assert!(standing(100, 80, 99, 0).admits(&Cost::Unknown("no price".into())));
        assert!(!standing(u64::MAX - 1, 80, u64::MAX - 1, 1).admits(&known(u64::MAX)));
    }

    #[test]
    fn it_warns_from_its_share_on() {
        assert!(!standing(100, 80, 50, 29).warns());
        assert!(standing(100, 80, 50, 30).warns());
        assert!(standing(u64::MAX, 80, u64::MAX, 5).warns());
    }

    #[test]
    fn the_refusal_names_its_numbers_and_the_next_step() {
        let over = OverBudget {
            standing: standing(1_000_000, 80, 700_000, 200_000),
            asked: Cost::Known(MicroUsd(150_000)),
        };
        assert_eq!(
            over.to_string(),
            "over budget: of the $1.00 per day, $0.70 are spent and $0.20 are held for calls under \
             way, so $0.10 are left, and this request may cost up to $0.15; raise the budget, \
             choose a cheaper model or allow fewer output tokens"
        );
    }
}
