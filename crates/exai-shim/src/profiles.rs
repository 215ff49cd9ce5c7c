//! What is known of the client behind this window. The table is read when the client first says
//! who it is, not before: a shim that is only probed reads nothing.

use crate::setup::Setup;
use exai_config::clients::{Profile, Watched};
use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Profiles by who asks, with what this window's owner set over them.
pub(crate) struct Profiles {
    table: Watched,
    call: Option<Option<Duration>>,
    resets: Option<bool>,
    /// Name and version, as given in the handshake.
    who: Mutex<(String, String)>,
}

impl Profiles {
    pub(crate) fn new(setup: &Setup) -> Self {
        let shim = &setup.settings.shim;
        Self {
            table: Watched::new(setup.clients_file(), complain),
            call: shim.client_call,
            resets: shim.client_resets,
            who: Mutex::default(),
        }
    }

    pub(crate) fn introduced(&self, name: &str, version: &str) {
        *self.who.lock().unwrap_or_else(PoisonError::into_inner) =
            (name.to_owned(), version.to_owned());
        let known = self.table.of(name, version);
        tracing::info!(
            name,
            version,
            profile = known.key,
            "the client introduced itself"
        );
    }

    /// The profile of whoever says so, else of whoever introduced itself.
    pub(crate) fn of(&self, who: Option<(&str, &str)>) -> Arc<Profile> {
        let known = match who {
            Some((name, version)) => self.table.of(name, version),
            None => {
                let who = self.who.lock().unwrap_or_else(PoisonError::into_inner);
                self.table.of(&who.0, &who.1)
            }
        };
        if self.call.is_none() && self.resets.is_none() {
            return known;
        }
        Arc::new(Profile {
            call: self.call.unwrap_or(known.call),
            resets: self.resets.unwrap_or(known.resets),
            // Who names a limit means the only one.
            total: known.total.filter(|_| self.call.is_none()),
            ..(*known).clone()
        })
    }
}

/// Editors show what is said on stderr; the log is for later.
fn complain(fault: &str) {
    tracing::error!("{fault}");
    // It may be closed; then there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "exai-shim: {fault}");
}
