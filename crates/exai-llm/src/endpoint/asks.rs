//! What is asked of an endpoint besides answers: its list of models, its search door. Short
//! requests, sent once, that take no place among those that cost money.

use super::Live;
use crate::{
    choice::{BreakerState, EndpointState},
    dialect::{self, Response},
    fault::{Fault, FaultClass},
    http::{Ask, Flow, Headers, Whole},
    limits::breaker::Position,
};
use serde_json::Value;
use tokio::time::Instant;

impl Live {
    /// Reads what is at a path after the base URL.
    ///
    /// # Errors
    /// As any request: what happened, without keys.
    pub async fn get(
        &self,
        path: &str,
        headers: &[(String, String)],
        deadline: Instant,
    ) -> Result<Vec<u8>, Fault> {
        let ask = Ask::get(self.url(path)?).headers(headers.to_vec());
        Ok(self.short(ask, deadline).await?.body.into())
    }

    /// Sends JSON to a path after the base URL, and reads the answer.
    ///
    /// # Errors
    /// As any request: what happened, without keys.
    pub async fn post(&self, path: &str, body: &Value, deadline: Instant) -> Result<Value, Fault> {
        let ask = Ask::post(self.url(path)?, body.clone());
        let whole = self.short(ask, deadline).await?;
        serde_json::from_slice(&whole.body)
            .map_err(|error| Fault::malformed(format!("the answer is no JSON: {error}")))
    }

    /// How it is, for choosing and listing.
    #[must_use]
    pub fn state(&self) -> EndpointState<'_> {
        let health = self.health();
        let cause = || {
            let fault = health.cause.as_ref();
            fault.map_or_else(String::new, |fault| fault.class.as_str().to_owned())
        };
        let now = (self.clock)().0;
        let breaker = match health.breaker {
            Position::Closed => BreakerState::Closed,
            Position::HalfOpen => BreakerState::HalfOpen { cause: cause() },
            Position::Open => BreakerState::Open {
                cause: cause(),
                retry_after_secs: health
                    .until
                    .map(|until| until.0.saturating_sub(now).div_ceil(1000)),
            },
        };
        EndpointState {
            breaker,
            in_flight: health.in_flight,
            concurrency: health.concurrency,
            key_trouble: self.keys.trouble(&self.resolved.key),
            ..EndpointState::idle(&self.resolved)
        }
    }

    /// An address after the base URL.
    pub(crate) fn url(&self, path: &str) -> Result<String, Fault> {
        let base = self.resolved.base_url.as_ref();
        base.map(|base| format!("{base}{path}"))
            .ok_or_else(|| Fault::unsupported("the endpoint has no address"))
    }

    /// Sends a request with the endpoint's headers and key, and gives its answer as it comes,
    /// whatever its status and however long it takes.
    pub(crate) async fn flow(&self, ask: Ask) -> Result<Flow, Fault> {
        let mut ask = ask.headers(self.resolved.headers.clone());
        if let Some(key) = self.keys.read(&self.resolved.key).await? {
            ask = ask.key(self.resolved.endpoint.dialect.key_header(), key);
        }
        self.http.send(ask).await.map_err(|lost| lost.fault)
    }

    /// Sends a short request with the endpoint's headers and key, and waits for its answer.
    pub(crate) async fn short(&self, ask: Ask, deadline: Instant) -> Result<Whole, Fault> {
        let headers: Headers = self.resolved.headers.clone();
        let key = self.keys.read(&self.resolved.key).await?;
        let mut ask = ask.headers(headers);
        if let Some(key) = &key {
            ask = ask.key(self.resolved.endpoint.dialect.key_header(), key.clone());
        }
        let limit = deadline.saturating_duration_since(Instant::now());
        if limit.is_zero() {
            return Err(Fault::new(FaultClass::Timeout, "no time is left"));
        }
        let whole = self.http.whole(ask, limit).await?;
        if whole.status < 400 {
            return Ok(whole);
        }
        let response = Response {
            status: whole.status,
            headers: &whole.headers,
            body: &whole.body,
            now_ms: (self.clock)().0,
        };
        let keys: Vec<&str> = key.iter().map(|key| key.expose()).collect();
        Err(dialect::fault(
            self.resolved.endpoint.dialect,
            &response,
            &keys,
        ))
    }
}
