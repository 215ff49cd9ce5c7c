//! What holds a call open until the test has seen what it came for, however long that takes on
//! this machine: a file that the scripted tools wait for.

use crate::{Must as _, Sandbox};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Closed until it is opened, for good.
#[derive(Debug, Clone)]
pub struct Gate {
    file: PathBuf,
}

impl Sandbox {
    /// A gate of this sandbox.
    #[must_use]
    pub fn gate(&self, name: &str) -> Gate {
        Gate {
            file: self.work().join(format!("{name}.open")),
        }
    }
}

impl Gate {
    /// Arguments for a scripted tool that waits: these, and to wait until the gate opens.
    #[must_use]
    pub fn holds(&self, mut arguments: Value) -> Value {
        arguments["until"] = json!(self.file);
        // No test waits as long; a tool that nobody lets go of must end one day.
        arguments["ms"] = json!(600_000);
        arguments
    }

    /// Lets go of everything that waits here.
    pub fn open(&self) {
        fs::File::create(&self.file).must("open a gate");
    }
}
