//! Providers' own lists of models, fetched when somebody asks for it: page by page, kept for
//! the next run, and swapped in whole.

use super::{Models, of_wire};
use crate::{
    catalogue::Fetched,
    endpoint::Live,
    fault::{Fault, Place},
    provider::Standing,
    refresh,
};
use exai_engine::tool::ToolError;
use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long one endpoint may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Models {
    /// Fetches the list of one endpoint, or of all that can be used; a line each.
    pub(super) async fn refresh_lists(
        &self,
        endpoint: Option<&str>,
    ) -> Result<Vec<String>, ToolError> {
        let Some(name) = endpoint else {
            return Ok(self.refresh_all().await);
        };
        let Some(live) = self.setup.endpoints.get(name) else {
            let known: Vec<&str> = self.setup.endpoints.keys().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(ToolError::invalid(format!(
                "there is no endpoint '{name}'; there are {known}"
            )));
        };
        if let Some(lacks) = live.state().lacks() {
            return Err(ToolError::new(
                exai_protocol::Code::Unavailable,
                format!("'{name}' cannot be asked: {lacks}"),
            ));
        }
        let told = self.refresh_one(live).await.map_err(|fault| {
            let key_from = live.resolved().key_from();
            of_wire(fault.tell(&Place {
                endpoint: name,
                model: "(its list of models)",
                key_from: &key_from,
            }))
        })?;
        Ok(vec![told])
    }

    async fn refresh_all(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, live) in &self.setup.endpoints {
            if live.resolved().standing == Standing::Ready {
                lines.push(match self.refresh_one(live).await {
                    Ok(told) => told,
                    Err(fault) => format!("{name}: {fault}"),
                });
            }
        }
        if lines.is_empty() {
            lines.push("no endpoint can be used yet; `listmodels` says what to set".to_owned());
        }
        lines
    }

    async fn refresh_one(&self, live: &Arc<Live>) -> Result<String, Fault> {
        let resolved = live.resolved();
        let Some(mut request) = refresh::request(resolved) else {
            return Ok(format!("{}: offers no list", resolved.name));
        };
        let deadline = Instant::now() + PATIENCE;
        let mut pages = Vec::new();
        while pages.len() < refresh::MOST_PAGES {
            let body = live.get(&request.path, &request.headers, deadline).await?;
            let page = refresh::parse(resolved.endpoint.dialect, &body)?;
            let following = page
                .more
                .as_deref()
                .and_then(|more| refresh::next(resolved, more));
            pages.push(page);
            match following {
                Some(following) => request = following,
                None => break,
            }
        }
        let fetched = Fetched {
            endpoint: resolved.name.clone(),
            fetched_ms: (self.setup.clock)().0,
            models: refresh::gather(pages),
        };
        Ok(self.take_in(fetched).await)
    }

    async fn take_in(&self, fetched: Fetched) -> String {
        let mut told = fetched.told(&self.catalogue());
        let fetched = Arc::new(fetched);
        let (keep, list) = (Arc::clone(&self.setup.keep), Arc::clone(&fetched));
        let kept = tokio::task::spawn_blocking(move || keep(&list)).await;
        if let Err(why) = kept.unwrap_or_else(|error| Err(error.to_string())) {
            told.push_str(&format!(" (not kept for the next start: {why})"));
        }
        let mut catalogue = self
            .catalogue
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *catalogue = Arc::new((**catalogue).clone().and(&fetched));
        told
    }
}
