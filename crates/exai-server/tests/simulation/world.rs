//! A world: clients that work, weather, deaths, and at the end the reckoning.

use crate::{
    book::Book,
    life::{Life, wall},
    network::Network,
    tool::Traces,
};
use exai_client::{CallSpec, Client, ClientConfig};
use exai_protocol::{Code, RawValue, call::CallToolRes, error::Ran, hello::ClientInfo};
use std::{collections::HashMap, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::TaskTracker;

/// A client waits this long for a link that was lost; nobody may be silent longer than a call
/// may take with that.
const SILENCE: Duration = Duration::from_secs(300);

/// How a call ended, for whoever made it.
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) once: bool,
    pub(crate) result: CallToolRes,
}

/// See the module.
pub(crate) struct World {
    pub(crate) rng: fastrand::Rng,
    pub(crate) network: Network,
    pub(crate) deaths: u64,
    book: Book,
    traces: Traces,
    begin: Instant,
    life: Option<Life>,
    lives: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed),
            network: Network::new(seed ^ 1),
            deaths: 0,
            book: Book::new(seed ^ 2),
            traces: Traces::default(),
            begin: Instant::now(),
            life: None,
            lives: 0,
        };
        world.begin_life();
        world
    }

    fn begin_life(&mut self) {
        self.lives += 1;
        let life = Life::begin(
            self.lives,
            self.begin,
            &self.book,
            &self.traces,
            &self.network,
        );
        self.life = Some(life);
    }

    pub(crate) async fn kill(&mut self) {
        if let Some(life) = self.life.take() {
            life.die(&self.network);
            self.deaths += 1;
        }
        sleep(Duration::from_millis(self.rng.u64(..8_000))).await;
        self.begin_life();
    }

    pub(crate) async fn restart(&mut self) {
        if let Some(life) = self.life.take() {
            life.end(&self.network).await;
        }
        sleep(Duration::from_millis(self.rng.u64(..1_000))).await;
        self.begin_life();
    }

    pub(crate) async fn partition(&mut self) {
        self.network.partition(true);
        sleep(Duration::from_millis(self.rng.u64(100..60_000))).await;
        self.network.partition(false);
    }

    /// So many clients that make so many calls each, and what they are told.
    pub(crate) fn clients(&mut self, clients: u64, calls: u64) -> JoinSet<Vec<Told>> {
        let mut working = JoinSet::new();
        for number in 0..clients {
            let mut config = ClientConfig {
                seed: Some(self.rng.u64(..)),
                ..ClientConfig::default()
            };
            config.client = ClientInfo {
                id: Some(format!("client-{number}").as_str().into()),
                ..ClientInfo::default()
            };
            let client = Client::spawn(
                config,
                self.network.clone(),
                wall(self.begin),
                &TaskTracker::new(),
            );
            let rng = fastrand::Rng::with_seed(self.rng.u64(..));
            working.spawn(work(client, rng, calls));
        }
        working
    }

    /// Every answer against what really ran.
    pub(crate) fn reckon(&self, told: &[Told]) -> HashMap<&'static str, usize> {
        let mut counts = HashMap::new();
        for call in told {
            let runs = self
                .traces
                .lock()
                .unwrap()
                .get(&call.id)
                .copied()
                .unwrap_or_default();
            *counts.entry(self.judge(call, runs)).or_default() += 1;
        }
        counts
    }

    fn judge(&self, call: &Told, runs: usize) -> &'static str {
        let id = &call.id;
        assert!(
            runs <= 1 || !call.once,
            "{id} ran {runs} times: {:?}",
            call.result
        );
        let Some(error) = &call.result.error else {
            assert!(runs >= 1, "{id} was answered and never ran");
            let text = call
                .result
                .outputs
                .as_ref()
                .map(|outputs| outputs.get().to_owned());
            assert!(
                text.is_some_and(|text| text.contains(&format!("done {id}"))),
                "{id}: a wrong answer"
            );
            return "answered";
        };
        match (error.code, error.ran) {
            (Code::Unavailable | Code::ShuttingDown, Some(Ran::No)) => {
                assert_eq!(runs, 0, "{id} ran, and was said not to: {}", error.message);
                "refused"
            }
            (Code::OutcomeUnknown, Some(Ran::Unknown)) => {
                // A start that was written, and a death before anybody wrote how it ended: in
                // the whole world nothing else may be called unknown, unless nobody could be
                // asked.
                let started = self.book.line(id).is_some_and(|line| line.runs > 0);
                let nobody = error.message.contains("was lost and is");
                assert!(started || nobody, "{id}: {}", error.message);
                assert!(self.deaths > 0 || nobody, "{id}: {}", error.message);
                "unknown"
            }
            other => panic!("{id} ended with {other:?}: {}", error.message),
        }
    }
}

async fn work(client: Client, mut rng: fastrand::Rng, calls: u64) -> Vec<Told> {
    let mut told = Vec::new();
    let mut open = JoinSet::new();
    for _ in 0..calls {
        sleep(Duration::from_millis(rng.u64(..6_000))).await;
        let (once, ms) = (rng.bool(), rng.u64(..3_000));
        let id = client.mint();
        let spec = CallSpec {
            request_id: id.clone(),
            name: if once { "act" } else { "look" }.to_owned(),
            arguments: Some(RawValue::from_string(format!(r#"{{"ms":{ms}}}"#)).unwrap()),
            timeout_ms: None,
            roots: None,
            repeatable: !once,
        };
        let stream = client.call(spec).await;
        open.spawn(async move {
            let id = id.as_str().to_owned();
            let result = timeout(SILENCE, stream.finished()).await;
            let result = result.unwrap_or_else(|_| panic!("{id} was never answered"));
            Told {
                result: result.unwrap_or_else(|| panic!("{id} ended without an end")),
                id,
                once,
            }
        });
    }
    while let Some(one) = open.join_next().await {
        told.push(one.unwrap());
    }
    client.close().await;
    told
}
