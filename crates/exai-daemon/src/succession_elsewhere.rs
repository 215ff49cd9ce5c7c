//! Where descriptors cannot be passed on (Windows): a restart is a stop and a start, and the new
//! daemon binds the port again at once. Its clients wait for it, as for any restart; calls finish
//! before, or are taken up from the journal. Written with care and not run here.

use exai_config::Home;

/// Never.
pub(crate) fn is_offered(_: &Home) -> bool {
    false
}

pub(crate) fn close_door(_: &Home) {}

pub(crate) mod giving {
    use super::link::ToHeir;
    use crate::{control::Daemon, lifecycle::instance::Instance};
    use exai_config::Home;
    use exai_engine::Engine;
    use exai_protocol::endpoint::Endpoint;
    use exai_store::Journal;
    use std::sync::Arc;
    use tokio::sync::watch;
    use tokio_util::task::TaskTracker;

    pub(crate) enum Door {}

    pub(crate) struct Estate {
        pub(crate) home: Home,
        pub(crate) endpoint: Endpoint,
        pub(crate) instance: Arc<Instance>,
        pub(crate) listeners: Vec<()>,
        pub(crate) daemon: Arc<Daemon>,
        pub(crate) engine: Arc<Engine>,
        pub(crate) journal: Journal,
        pub(crate) gate: watch::Sender<bool>,
        pub(crate) tasks: TaskTracker,
    }

    impl Estate {
        pub(crate) fn door(&self) -> Option<Door> {
            None
        }

        pub(crate) async fn give(&self, _: Option<Door>) -> Arc<ToHeir> {
            std::future::pending().await
        }
    }
}

pub(crate) mod link {
    use std::time::Duration;

    pub(crate) enum ToHeir {}

    impl ToHeir {
        pub(crate) async fn drained(&self) -> Duration {
            match *self {}
        }

        pub(crate) async fn settled(&self) {
            match *self {}
        }
    }
}

pub(crate) mod taking {
    use crate::lifecycle::{door::Door, instance::Instance};
    use anyhow::{Result, bail};
    use exai_config::Home;
    use exai_protocol::BootId;
    use exai_store::Journal;
    use std::{convert::Infallible, time::Duration};
    use tokio_util::task::TaskTracker;

    pub(crate) struct Legacy {
        pub(crate) elder: BootId,
        never: Infallible,
    }

    impl Legacy {
        pub(crate) async fn ask(_: &Home, _: &BootId) -> Result<Self> {
            bail!("a running daemon cannot be taken over on this system; stop it, then start")
        }

        pub(crate) fn doors(&mut self, _: u16, _: bool) -> Result<Vec<Door>> {
            match self.never {}
        }

        pub(crate) async fn enter_upon(&mut self) -> Result<()> {
            match self.never {}
        }

        pub(crate) fn link(self, _: &Journal, _: &TaskTracker) -> (Instance, Inherited) {
            match self.never {}
        }
    }

    pub(crate) enum Inherited {}

    impl Inherited {
        pub(crate) fn serving(&self) {
            match *self {}
        }

        pub(crate) async fn gone(&self) {
            match *self {}
        }

        pub(crate) fn drain(&self, _: Duration) {
            match *self {}
        }
    }
}
