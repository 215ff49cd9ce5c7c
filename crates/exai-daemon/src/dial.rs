//! Where the daemon of a home is, for the client: the endpoint record while there is one, else
//! the settings. And the one way in which commands get a connection: now, or a reason.

use crate::{context::Context, exit, output, probe};
use anyhow::Result;
use exai_client::{Client, ClientConfig, LinkState, Rendezvous, Target, Unreachable, WatchedDial};
use exai_config::{Home, TokenError, TokenStore, rendezvous, token::Found};
use exai_protocol::{ClientId, Secret, endpoint::Endpoint, hello::ClientInfo};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use tokio_util::task::TaskTracker;

/// Finds the daemon of a home, again and again: it may have moved since the last look.
#[derive(Clone)]
pub(crate) struct Places {
    home: Home,
    host: String,
    port: u16,
    given: Option<Secret>,
    by_address: bool,
    forgiving: bool,
}

impl Places {
    pub(crate) fn of(context: &Context) -> Self {
        let settings = &context.loaded.settings;
        Self {
            home: context.home.clone(),
            host: settings.network.host.clone(),
            port: settings.network.port,
            given: settings.auth.token.clone(),
            by_address: settings.shim.by_address,
            forgiving: false,
        }
    }

    /// The same, with a token that cannot be read taken for none: a daemon can be seen, and its
    /// process ended, without being let in.
    pub(crate) fn forgiving(self) -> Self {
        Self {
            forgiving: true,
            ..self
        }
    }

    /// The place to try first.
    pub(crate) fn best(&self) -> Result<Target, TokenError> {
        match rendezvous::read(&self.home) {
            Ok(Some(record)) if !self.by_address => self.recorded(&record),
            // A record that cannot be read is made anew by the daemon; the settings are next best.
            _ => self.configured(),
        }
    }

    /// Where the settings alone say that a daemon would listen.
    pub(crate) fn configured(&self) -> Result<Target, TokenError> {
        self.target(&self.host, self.port)
    }

    /// Where a record says that it listens.
    pub(crate) fn recorded(&self, record: &Endpoint) -> Result<Target, TokenError> {
        self.target(&record.host, record.port)
    }

    /// These places, without the record where that leads nowhere and the settings do not: a
    /// daemon whose record was spoilt a moment ago is found all the same.
    async fn checked(mut self) -> Result<Self, TokenError> {
        let (best, configured) = (self.best()?, self.configured()?);
        if best.authority() != configured.authority() && configured.port != 0 {
            let ours = async |target| {
                matches!(
                    probe::probe(target, &self.home).await,
                    probe::Answer::Ours(_)
                )
            };
            let by_address = !ours(&best).await && ours(&configured).await;
            self.by_address |= by_address;
        }
        Ok(self)
    }

    fn target(&self, host: &str, port: u16) -> Result<Target, TokenError> {
        let token = match &self.given {
            Some(token) => token.clone(),
            None => match TokenStore::new(&self.home).read() {
                Ok(found) => found.map_or_else(|| Secret::new(""), admitting),
                Err(_) if self.forgiving => Secret::new(""),
                Err(error) => return Err(error),
            },
        };
        Ok(Target {
            host: reachable(host),
            port,
            host_header: None,
            token,
        })
    }
}

impl Rendezvous for Places {
    fn locate(&mut self) -> Result<Target, Unreachable> {
        self.best()
            .map_err(|error| Unreachable::Misconfigured(error.to_string()))
    }

    fn fingerprint(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for path in [self.home.endpoint_file(), self.home.token_file()] {
            let meta = path.metadata().ok();
            meta.map(|meta| (meta.len(), meta.modified().ok()))
                .hash(&mut hasher);
        }
        hasher.finish()
    }

    fn is_stopped(&mut self) -> bool {
        !self.by_address && rendezvous::stopped(&self.home).is_some()
    }
}

/// The token; what is wrong with its file is said where somebody may read it, for the daemon
/// will find the file in order.
fn admitting(found: Found) -> Secret {
    found.warnings.iter().for_each(output::warning);
    found.keyring.current
}

/// Where to connect, and with what.
pub(crate) async fn target(context: &Context) -> Result<Target> {
    Ok(Places::of(context).checked().await?.best()?)
}

/// Where a daemon is looked for, whatever became of the token; see [`Places::forgiving`].
pub(crate) async fn place(context: &Context) -> Result<Target> {
    Ok(Places::of(context).forgiving().checked().await?.best()?)
}

/// A daemon that listens everywhere is reached on loopback, whose name it accepts.
fn reachable(host: &str) -> String {
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(std::net::IpAddr::V6(ip)) if ip.is_unspecified() => "::1".to_owned(),
        _ => host.to_owned(),
    }
}

/// A connection, and the task that keeps it.
pub(crate) struct Connection {
    pub(crate) client: Client,
    tracker: TaskTracker,
}

impl Connection {
    /// Connects, or says why not without waiting for what will not come. Every command that
    /// only asks is the same client to the daemon: it need not remember each of them.
    pub(crate) async fn open(context: &Context) -> Result<Self> {
        Self::connect(context, "exai-daemon-cli", Some(ClientId::new("exai-cli"))).await
    }

    /// The same as a client of its own, under a name.
    pub(crate) async fn named(context: &Context, name: &str) -> Result<Self> {
        Self::connect(context, name, None).await
    }

    async fn connect(context: &Context, name: &str, id: Option<ClientId>) -> Result<Self> {
        let places = Places::of(context).checked().await?;
        let target = places.best()?;
        let tracker = TaskTracker::new();
        let config = config(context, name, id);
        let within = config.times.handshake + Duration::from_secs(1);
        let clock = crate::compose::system_clock();
        let client = Client::spawn(config, WatchedDial::new(places), clock, &tracker);
        tracker.close();
        settle(&client, within)
            .await
            .map_err(|state| explain(context, &target, &state))?;
        let connection = Self { client, tracker };
        match connection.stranger(context) {
            None => Ok(connection),
            Some(home) => {
                connection.close().await;
                let at = target.authority();
                Err(exit::OTHER_HOME.because(format!(
                    "the daemon at ws://{at} is that of another home, {home}; use it with \
                     EXAI_HOME={home}, or give this home another port with EXAI_WS_PORT"
                )))
            }
        }
    }

    /// The home of the daemon, if that is not ours: one token may open several.
    fn stranger(&self, context: &Context) -> Option<String> {
        let home = self.client.session()?.server.as_ref()?.home.clone();
        let ours = context.loaded.settings.shim.by_address || probe::is_home(&home, &context.home);
        Some(home).filter(|_| !ours)
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        self.client.close().await;
        self.tracker.wait().await;
    }
}

fn config(context: &Context, name: &str, id: Option<ClientId>) -> ClientConfig {
    let mut config = ClientConfig {
        client: ClientInfo {
            id,
            name: name.to_owned(),
            version: crate::compose::VERSION.to_owned(),
            pid: Some(std::process::id()),
            // Whoever runs the daemon sees all of it.
            profile: "full".to_owned(),
            cwd: std::env::current_dir()
                .map(|dir| dir.display().to_string())
                .unwrap_or_default(),
            roots: Vec::new(),
        },
        max_frame_bytes: context.loaded.settings.network.max_frame_bytes,
        ..ClientConfig::default()
    };
    // A person waits: an answer must come while they still look.
    config.times.handshake = Duration::from_secs(5);
    config.times.rpc = Duration::from_secs(30);
    config
}

/// Ready, or the first state that is not worth waiting out.
async fn settle(client: &Client, within: Duration) -> Result<(), LinkState> {
    let mut link = client.link();
    let settled = |state: &LinkState| match state {
        LinkState::Disconnected(outage) => outage.attempt > 0,
        LinkState::Dialling(_) => false,
        _ => true,
    };
    // A closed channel or a missed deadline: the state says it all.
    let _ = tokio::time::timeout(within, link.wait_for(settled)).await;
    let state = link.borrow().clone();
    if state.is_ready() { Ok(()) } else { Err(state) }
}

fn explain(context: &Context, target: &Target, state: &LinkState) -> anyhow::Error {
    let at = target.authority();
    match state {
        LinkState::Refused(outage) => exit::REFUSED.because(match given_token(context) {
            Some(origin) => format!("{} (our token is that of {origin})", outage.cause),
            None => outage.cause.to_string(),
        }),
        _ if rendezvous::stopped(&context.home).is_some() => exit::NOT_RUNNING.because(format!(
            "no daemon answers at ws://{at}: stopped by you; run `exai-daemon start`"
        )),
        LinkState::Disconnected(outage) | LinkState::Dialling(outage) => {
            exit::NOT_RUNNING.because(format!(
                "no daemon answers at ws://{at} ({}); run `exai-daemon start`, or \
                 `exai-daemon doctor` to see what is wrong",
                outage.cause
            ))
        }
        other => exit::NOT_RUNNING.because(format!("no daemon at ws://{at}: {}", other.describe())),
    }
}

/// What to do about a daemon that does not accept our token.
pub(crate) fn way_in(context: &Context) -> String {
    match given_token(context) {
        Some(origin) => format!(
            "our token is that of {origin}: unset it to use the home's own, or give the daemon \
             the same and run `exai-daemon restart`"
        ),
        None if let Err(fault) = TokenStore::new(&context.home).read() => fault.to_string(),
        None => format!(
            "our token is that of {}; the daemon has another: set the EXAI_WS_TOKEN it was \
             started with, or run `exai-daemon restart` to make it read this file",
            context.home.token_file().display()
        ),
    }
}

/// Where the token comes from, if not from the home.
fn given_token(context: &Context) -> Option<String> {
    context.loaded.settings.auth.token.as_ref()?;
    let origin = context.loaded.origin("auth.token")?;
    Some(origin.origin.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::atomic;

    fn places(dir: &tempfile::TempDir) -> Places {
        let home = Home::at(dir.path());
        home.prepare().unwrap();
        let host = "0.0.0.0".to_owned();
        Places {
            home,
            host,
            port: 8765,
            given: None,
            by_address: false,
            forgiving: false,
        }
    }

    fn record(port: u16) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".into(),
            port,
            pid: 1,
            pid_started: None,
            boot_id: "b".into(),
            protocol: "1.1".into(),
            version: "0".into(),
        }
    }

    #[test]
    fn everywhere_is_reached_on_loopback() {
        for (bound, reached) in [
            ("0.0.0.0", "127.0.0.1"),
            ("::", "::1"),
            ("127.0.0.1", "127.0.0.1"),
            ("10.1.2.3", "10.1.2.3"),
            ("box.local", "box.local"),
        ] {
            assert_eq!(reachable(bound), reached);
        }
    }

    #[test]
    fn r18_the_record_is_preferred_and_a_broken_one_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut places = places(&dir);
        assert_eq!(places.best().unwrap().authority(), "127.0.0.1:8765");
        rendezvous::publish(&places.home, &record(4711)).unwrap();
        assert_eq!(places.best().unwrap().authority(), "127.0.0.1:4711");
        atomic::write(&places.home.endpoint_file(), b"{", 0o600).unwrap();
        assert_eq!(places.best().unwrap().authority(), "127.0.0.1:8765");
        rendezvous::publish(&places.home, &record(4711)).unwrap();
        places.by_address = true;
        assert_eq!(places.best().unwrap().authority(), "127.0.0.1:8765");
    }

    #[test]
    fn a_new_record_or_token_is_news() {
        let dir = tempfile::tempdir().unwrap();
        let mut places = places(&dir);
        let none = places.fingerprint();
        rendezvous::publish(&places.home, &record(1)).unwrap();
        let one = places.fingerprint();
        TokenStore::new(&places.home).load_or_create().unwrap();
        let two = places.fingerprint();
        assert!(none != one && one != two && two == places.fingerprint());
        assert!(!places.best().unwrap().token.is_empty());
    }
}
