//! What every command stands on: the home and its settings. Commands that only look or end
//! something go on with what can be used of broken settings; those that start something do not.

use crate::{cli::Cli, output};
use anyhow::Result;
use exai_config::{Home, Loaded, ProcessEnv};

/// The home and its settings.
pub(crate) struct Context {
    pub(crate) home: Home,
    pub(crate) loaded: Loaded,
    /// Flags, to be handed on to a daemon that is started.
    pub(crate) overrides: Vec<(String, String)>,
}

impl Context {
    /// Reads the settings; any that cannot be used is an error.
    pub(crate) fn strict(cli: &Cli) -> Result<Self> {
        let home = Home::locate(cli.home.as_deref(), &ProcessEnv)?;
        // Beside the faults, which end this: one look at everything must be enough.
        let loaded = exai_config::load(&home, &ProcessEnv, &cli.settings)
            .inspect_err(|faults| faults.rest.warnings.iter().for_each(output::warning))?;
        Ok(Self {
            home,
            loaded,
            overrides: cli.settings.clone(),
        })
    }

    /// Reads the settings; those that cannot be used are named, and the rest is used.
    pub(crate) fn lenient(cli: &Cli) -> Result<Self> {
        let home = Home::locate(cli.home.as_deref(), &ProcessEnv)?;
        let loaded =
            exai_config::load(&home, &ProcessEnv, &cli.settings).unwrap_or_else(|faults| {
                output::warning(&faults);
                faults.rest.warnings.iter().for_each(output::warning);
                *faults.rest
            });
        Ok(Self {
            home,
            loaded,
            overrides: cli.settings.clone(),
        })
    }
}
