//! The model port, kept: one ask from wish to answer. Which models may answer is `choice`'s
//! word, how each is spoken to the dialects', when it may be asked the endpoint's limits', and
//! what it may cost the purse's. Here is only the order of things, and what happens when one
//! of them fails.

mod asking;
mod beside;
mod ceiling;
mod documents;
mod estimates;
mod lists;
mod next;
mod once;
mod remembered;
mod screen;
mod tally;
mod told;

use crate::{
    catalogue::{Catalogue, Fetched, Model},
    choice::{self, Candidate, EndpointState, Moment},
    cli::Runner,
    endpoint::Live,
    files::Files,
    listing,
    price::Size,
};
use asking::Asking;
use estimates::Estimates;
use exai_engine::{
    ports::{
        models::{self, Answer, Document, Listing, ModelFuture, Pin, Wish},
        purse::Purse,
    },
    tool::{ToolCall, ToolError},
};
use exai_protocol::{Code, WireError};
use remembered::Remembered;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Keeps a fetched list for the next start, or says why not.
pub type Keep = Arc<dyn Fn(&Fetched) -> Result<(), String> + Send + Sync>;

/// What the desk is given.
pub struct Setup {
    /// The models that are known.
    pub catalogue: Catalogue,
    /// Where they are served, by name; those that cannot be used too.
    pub endpoints: BTreeMap<String, Arc<Live>>,
    /// Who pays.
    pub purse: Arc<dyn Purse>,
    /// Has documents read by providers that do that.
    pub files: Files,
    /// Runs the command lines that serve as endpoints.
    pub runner: Runner,
    /// The model for calls that name none (`DEFAULT_MODEL`).
    pub default_model: Option<String>,
    /// Keeps what a provider's list says.
    pub keep: Keep,
    /// The time, for what is kept.
    pub clock: exai_protocol::WallClock,
}

/// The models of this daemon.
pub struct Models {
    setup: Setup,
    /// Swapped whole when a provider's list is fetched.
    catalogue: RwLock<Arc<Catalogue>>,
    /// Endpoints nobody has enabled that were seen to be there.
    found: RwLock<BTreeMap<String, bool>>,
    estimates: Estimates,
    remembered: Remembered,
}

impl Models {
    /// A desk. Nothing is opened and nobody asked.
    #[must_use]
    pub fn new(setup: Setup) -> Arc<Self> {
        Arc::new(Self {
            catalogue: RwLock::new(Arc::new(setup.catalogue.clone())),
            found: RwLock::default(),
            estimates: Estimates::default(),
            remembered: Remembered::default(),
            setup,
        })
    }

    /// The endpoints, by name.
    #[must_use]
    pub fn endpoints(&self) -> &BTreeMap<String, Arc<Live>> {
        &self.setup.endpoints
    }

    /// Whether an endpoint nobody has enabled is there: a local server, a program.
    pub fn found(&self, endpoint: &str, there: bool) {
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        found.insert(endpoint.to_owned(), there);
    }

    /// Waits for what goes on after the last answer: programs that are told to end, copies
    /// that are deleted at their providers.
    pub async fn settle(&self) {
        tokio::join!(self.setup.runner.settle(), self.setup.files.settle());
    }

    /// Whether nobody has asked this endpoint for its list yet.
    #[must_use]
    pub fn lacks_list(&self, endpoint: &str) -> bool {
        self.catalogue().list_of(endpoint).is_none()
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(
            &self
                .catalogue
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn states(&self) -> Vec<EndpointState<'_>> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        self.setup
            .endpoints
            .iter()
            .map(|(name, live)| {
                let mut state = live.state();
                state.found = found.get(name).copied();
                state
            })
            .collect()
    }

    fn candidates(&self, wish: &Wish) -> Result<Vec<Candidate>, ToolError> {
        let catalogue = self.catalogue();
        let size = Size::of(&wish.chat);
        let input = self.estimates.guess(&Pin::default(), &size).tokens;
        let moment = Moment {
            catalogue: &catalogue,
            endpoints: &self.states(),
            default_model: self.setup.default_model.as_deref(),
            input,
        };
        choice::candidates(&moment, wish).map_err(|error| of_wire(error.tell()))
    }

    fn live(&self, model: &Model) -> Result<Arc<Live>, ToolError> {
        let live = self.setup.endpoints.get(&model.endpoint);
        live.cloned().ok_or_else(|| {
            let endpoint = &model.endpoint;
            ToolError::new(Code::Internal, format!("there is no endpoint '{endpoint}'"))
        })
    }
}

impl models::Models for Models {
    fn ask<'a>(
        &'a self,
        call: &'a ToolCall,
        wish: Wish,
    ) -> ModelFuture<'a, Result<Answer, ToolError>> {
        Box::pin(Asking::new(self, call, wish).run())
    }

    fn listing(&self) -> Arc<Listing> {
        Arc::new(listing::listing(&self.catalogue(), &self.states()))
    }

    fn refresh<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<String>, ToolError>> {
        Box::pin(self.refresh_lists(endpoint))
    }

    fn preview(&self, wish: Wish) -> Result<Value, ToolError> {
        self.shown(wish)
    }

    fn extract<'a>(
        &'a self,
        call: &'a ToolCall,
        endpoint: &'a str,
        document: Document,
    ) -> ModelFuture<'a, Result<String, ToolError>> {
        Box::pin(self.read_document(call, endpoint, document))
    }
}

/// The port speaks of tools' errors, ours are the wire's.
fn of_wire(error: WireError) -> ToolError {
    let mut told = ToolError::new(error.code, error.message);
    told.retry_after = error.retry_after;
    told
}
