//! A store in a directory of its own, with a clock that tests turn.

use exai_protocol::{BootId, ClientId, Principal, RequestId, SessionId, UnixMillis, WallClock};
use exai_store::{
    Ask, Ceiling, Cost, Expected, MicroUsd, ModelCall, Options, Scope, Store, Tokens, Usage, Who,
};
use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// 2026-01-31 00:00 UTC.
pub(crate) const MIDNIGHT: u64 = 1_769_817_600_000;
pub(crate) const NOON: u64 = MIDNIGHT + 43_200_000;

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    now: Arc<AtomicU64>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            dir,
            now: Arc::new(AtomicU64::new(NOON)),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("exai.db")
    }

    pub(crate) fn options(&self, boot: &str) -> Options {
        let mut options = options(&self.path(), boot);
        let now = self.now.clone();
        options.clock = Arc::new(move || UnixMillis(now.load(Ordering::Relaxed)));
        options
    }

    pub(crate) fn open(&self, boot: &str) -> Store {
        Store::open(self.options(boot))
    }

    pub(crate) fn set_time(&self, at: u64) {
        self.now.store(at, Ordering::Relaxed);
    }
}

pub(crate) fn options(path: &Path, boot: &str) -> Options {
    let clock: WallClock = Arc::new(|| UnixMillis(NOON));
    let mut options = Options::new(path, BootId::new(boot), clock);
    options.retry = Duration::from_millis(20);
    // Tests turn the clock, and mean it.
    options.steady_for = Duration::ZERO;
    options
}

pub(crate) fn who(request: &str) -> Who {
    Who {
        principal: Principal::new("owner"),
        client: Some(ClientId::new("window")),
        session: SessionId::new("s1"),
        request: RequestId::new(request),
        thread: Some("talk".into()),
    }
}

pub(crate) fn call(request: &str) -> Arc<ModelCall> {
    Arc::new(ModelCall {
        who: who(request),
        endpoint: "glm".into(),
        key_ref: Some("GLM_API_KEY".into()),
        model: "glm-5".into(),
        tool: "chat".into(),
    })
}

pub(crate) fn ask(request: &str, micro: u64, ceilings: &[Ceiling]) -> Ask {
    Ask {
        call: call(request),
        expected: Expected {
            input: 100,
            output: 50,
            cost: Cost::Known(MicroUsd(micro)),
        },
        ceilings: ceilings.to_vec(),
    }
}

pub(crate) fn ceiling(scope: Scope, micro: u64) -> Ceiling {
    Ceiling {
        scope,
        limit: MicroUsd(micro),
        warn_percent: 80,
    }
}

pub(crate) fn usage(micro: u64) -> Usage {
    Usage {
        tokens: Tokens {
            input: 90,
            output: 10,
            cached: 40,
            reasoning: 5,
        },
        searches: 1,
        cost: Cost::Known(MicroUsd(micro)),
        estimated: false,
    }
}

/// Spent and held of a scope, today.
pub(crate) async fn sums(store: &Store, scope: Scope) -> (u64, u64) {
    let day = exai_store::Day::of(UnixMillis(NOON));
    let sums = store.sums(scope, who("r"), day).await.unwrap();
    (sums.spent.0, sums.held.0)
}

/// Polls until it is so; the deadline is for a machine with other work.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
