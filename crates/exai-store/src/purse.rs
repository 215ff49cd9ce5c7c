//! The engine's purse, kept in this file: settings become ceilings, sums become sentences. What
//! was asked for is held before it is sent; nothing here sends anything.

mod held;
mod words;

use crate::{
    budget::{Ask, Ceiling, Expected, OverBudget, Scope},
    error::{ReserveError, StoreError},
    money::{Cost, MicroUsd},
    store::Store,
    usage::{Tokens, Usage},
    who::{ModelCall, Who},
};
use exai_engine::ports::{
    models::ModelFuture,
    purse::{self as port, Amount, Purse, Refusal},
};
use held::{Promised, Unpromised};
use std::sync::Arc;

/// The store with the owner's limits.
pub struct Budgets {
    /// Where sums are kept.
    pub store: Store,
    /// All must hold.
    pub ceilings: Vec<Ceiling>,
    /// What may cost more than this has to be confirmed; `None`: nothing has to.
    pub confirm_above: Option<MicroUsd>,
    /// Whether a model whose price nobody knows is not asked at all.
    pub refuse_unknown: bool,
}

impl Purse for Budgets {
    fn reserve(&self, ask: port::Ask) -> ModelFuture<'_, Result<port::Grant, Refusal>> {
        Box::pin(self.decide(ask))
    }
}

impl Budgets {
    async fn decide(&self, ask: port::Ask) -> Result<port::Grant, Refusal> {
        let (confirmed, asked) = (ask.confirmed, asked(ask, &self.ceilings));
        if let (Cost::Unknown(why), true) = (&asked.expected.cost, self.refuse_unknown) {
            return Err(Refusal::OverBudget(words::unpriced(&asked.call, why)));
        }
        if !confirmed {
            self.confirm(&asked).await?;
        }
        match self.store.reserve(asked.clone()).await {
            Ok(grant) => Ok(self.granted(grant, &asked)),
            Err(ReserveError::Over(over)) => Err(Refusal::OverBudget(words::over(&over))),
            Err(ReserveError::Store(error)) => self.unkept(asked, &error),
        }
    }

    /// A dear request is not sent unasked. Whoever would confirm it only to meet a budget is
    /// told of the budget at once.
    async fn confirm(&self, asked: &Ask) -> Result<(), Refusal> {
        let Some((cost, limit)) = asked.expected.cost.known().zip(self.confirm_above) else {
            return Ok(());
        };
        if cost <= limit {
            return Ok(());
        }
        let who = asked.call.who.clone();
        let standings = self.store.standings(self.ceilings.clone(), who).await;
        let cost_of = || asked.expected.cost.clone();
        for standing in standings.unwrap_or_default() {
            if !standing.admits(&asked.expected.cost) {
                let asked = cost_of();
                return Err(Refusal::OverBudget(words::over(&OverBudget {
                    standing,
                    asked,
                })));
            }
        }
        Err(Refusal::Confirm(words::confirm(&asked.call, cost, limit)))
    }

    fn granted(&self, grant: crate::Grant, asked: &Ask) -> port::Grant {
        let mut warnings: Vec<String> = grant.warnings.iter().map(words::nearly).collect();
        if let (Cost::Unknown(why), false) = (&asked.expected.cost, self.ceilings.is_empty()) {
            warnings.push(words::uncounted(&asked.call, why));
        }
        port::Grant {
            held: Box::new(Promised(grant.reservation)),
            warnings,
        }
    }

    /// Sums cannot be kept now. Where a ceiling rests on them nothing may be sent; where none
    /// does, work goes on, and what it used is written if the file recovers in time.
    fn unkept(&self, asked: Ask, error: &StoreError) -> Result<port::Grant, Refusal> {
        if !self.ceilings.is_empty() {
            return Err(Refusal::Unavailable(words::unavailable(error)));
        }
        tracing::warn!(%error, model = %asked.call.model, "a model is asked whose usage may not be kept");
        Ok(port::Grant {
            held: Box::new(Unpromised::new(self.store.clone(), asked)),
            warnings: vec![words::unpromised(error)],
        })
    }
}

/// The port's question in our words.
fn asked(ask: port::Ask, ceilings: &[Ceiling]) -> Ask {
    let who = Who {
        principal: ask.who.principal,
        client: ask.who.client,
        session: ask.who.session,
        request: ask.who.request,
        thread: ask.thread,
    };
    Ask {
        call: Arc::new(ModelCall {
            who,
            endpoint: ask.endpoint,
            key_ref: ask.key_ref,
            model: ask.model,
            tool: ask.tool,
        }),
        expected: Expected {
            input: ask.input,
            output: ask.output,
            cost: cost(ask.cost),
        },
        ceilings: ceilings.to_vec(),
    }
}

fn cost(amount: Amount) -> Cost {
    match amount {
        Amount::Picos(picos) => Cost::Known(MicroUsd::from_picos(picos)),
        Amount::Unknown(why) => Cost::Unknown(why),
    }
}

fn usage(used: port::Used) -> Usage {
    Usage {
        tokens: Tokens {
            input: used.input,
            output: used.output,
            cached: used.cached,
            reasoning: used.reasoning,
        },
        searches: used.searches,
        cost: cost(used.cost),
        estimated: used.estimated,
    }
}

impl Scope {
    /// The setting that holds its ceiling.
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Self::Call => "EXAI_BUDGET_CALL",
            Self::Thread => "EXAI_BUDGET_THREAD",
            Self::Client => "EXAI_BUDGET_CLIENT",
            Self::Day => "EXAI_BUDGET_DAY",
        }
    }
}
