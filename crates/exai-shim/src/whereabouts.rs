//! Where this shim's daemon is: the record its daemon left in the home, else the address in the
//! settings; and the token that goes with it. Settings and files are read anew for each attempt,
//! because a shim outlives every change of them.

use crate::autostart::Autostart;
use exai_client::{Rendezvous, Socket, Target, Unreachable};
use exai_config::{Home, Settings, Strings, TokenStore, load, rendezvous, settings::is_loopback};
use exai_protocol::{Secret, endpoint::Endpoint};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::Arc,
};

/// The shim's [`Rendezvous`].
pub(crate) struct Whereabouts {
    env: Arc<dyn Strings + Send + Sync>,
    /// Absent when the address alone is enough, or when there is none to be had.
    home: Option<Home>,
    /// What was wrong with finding one.
    no_home: Option<String>,
    settings: Settings,
    autostart: Autostart,
    /// What a start was last tried with.
    tried: Option<u64>,
}

impl Whereabouts {
    pub(crate) fn new(
        env: Arc<dyn Strings + Send + Sync>,
        home: Result<Home, String>,
        settings: Settings,
    ) -> Self {
        let (home, no_home) = match home {
            Ok(home) => (Some(home), None),
            Err(why) => (None, Some(why)),
        };
        let by_address = settings.shim.by_address;
        let home = home.filter(|_| !by_address);
        Self {
            env,
            home,
            no_home,
            settings,
            autostart: Autostart::default(),
            tried: None,
        }
    }

    fn refresh(&mut self) {
        if let Some(home) = &self.home {
            self.settings = match load(home, &*self.env, &[]) {
                Ok(loaded) => loaded.settings,
                Err(faults) => faults.rest.settings,
            };
        }
    }

    /// Whether a daemon may be started here at all.
    fn may_start(&self) -> bool {
        self.home.is_some()
            && self.settings.shim.autostart
            && is_loopback(&self.settings.network.host)
    }

    fn by_settings(&self) -> Result<Target, Unreachable> {
        let network = &self.settings.network;
        Ok(self.target(&network.host, network.port, self.token()?))
    }

    fn target(&self, host: &str, port: u16, token: Secret) -> Target {
        Target {
            host: host.to_owned(),
            port,
            host_header: None,
            socket: None,
            plain: self.settings.auth.send_plain_token,
            token,
        }
    }

    fn token(&self) -> Result<Secret, Unreachable> {
        if let Some(token) = &self.settings.auth.token {
            return Ok(token.clone());
        }
        let Some(home) = &self.home else {
            let why = self
                .no_home
                .as_deref()
                .unwrap_or("EXAI_WS_TOKEN is not set");
            return Err(Unreachable::Misconfigured(format!(
                "there is no token: {why}"
            )));
        };
        match TokenStore::new(home).read() {
            Ok(Some(found)) => Ok(found.keyring.current),
            Ok(None) => {
                // A daemon of this home would have made one. (Beyond this machine the settings
                // are refused without a token.)
                let file = home.token_file();
                let file = file.display();
                Err(Unreachable::Absent(format!(
                    "there is no token in {file}; it makes one at its first start"
                )))
            }
            Err(error) => Err(Unreachable::Misconfigured(error.to_string())),
        }
    }
}

impl Rendezvous for Whereabouts {
    fn locate(&mut self) -> Result<Target, Unreachable> {
        self.refresh();
        let Some(home) = &self.home else {
            return self.by_settings();
        };
        if !is_loopback(&self.settings.network.host) {
            return self.by_settings();
        }
        match rendezvous::read(home) {
            Ok(Some(endpoint)) => {
                let socket = socket(&endpoint, self.settings.auth.token.is_some());
                let token = match self.token() {
                    // There the system vouches for us, whatever became of the token.
                    Err(_) if socket.is_some() => Secret::new(""),
                    token => token?,
                };
                let target = self.target(reachable(&endpoint), endpoint.port, token);
                Ok(Target { socket, ..target })
            }
            Ok(None) if self.may_start() => {
                let home = home.root().display();
                Err(Unreachable::Absent(format!("no record of one in {home}")))
            }
            Ok(None) if rendezvous::stopped(home).is_some() => Err(Unreachable::Stopped),
            Ok(None) => self.by_settings(),
            Err(error) => Err(Unreachable::Absent(error.to_string())),
        }
    }

    fn fingerprint(&mut self) -> u64 {
        let Some(home) = &self.home else { return 0 };
        let mut hasher = DefaultHasher::new();
        for path in [home.endpoint_file(), home.token_file(), home.stopped_file()] {
            look(&path).hash(&mut hasher);
        }
        look(&home.env_file(&*self.env)).hash(&mut hasher);
        look(&home.config_file()).hash(&mut hasher);
        hasher.finish()
    }

    async fn start(&mut self) -> Result<bool, Unreachable> {
        let Some(home) = self.home.clone() else {
            return Ok(false);
        };
        if rendezvous::stopped(&home).is_some() {
            return Err(Unreachable::Stopped);
        }
        if !self.may_start() {
            return Ok(false);
        }
        let now = Some(self.fingerprint());
        if self.tried != now {
            self.autostart.renew();
        }
        let started = self.autostart.start(&home).await;
        // What it left itself is no news.
        self.tried = Some(self.fingerprint());
        started
    }

    fn wanted(&mut self, wanted: bool) {
        self.autostart.wanted(wanted);
    }

    fn port_owner(&self, port: u16) -> Option<String> {
        exai_config::port_owner::owner(port).map(|owner| owner.to_string())
    }

    fn is_stopped(&mut self) -> bool {
        let home = self.home.as_ref();
        home.is_some_and(|home| rendezvous::stopped(home).is_some())
    }
}

/// The socket that a record names, if it may be spoken to.
fn socket(endpoint: &Endpoint, with_token: bool) -> Option<Socket> {
    let found = rendezvous::socket(endpoint).unwrap_or_else(|error| {
        tracing::warn!(path = endpoint.socket, %error, "the daemon's socket is passed over");
        None
    });
    found.map(|(path, user)| Socket {
        path,
        user,
        with_token,
    })
}

/// A daemon that listens on every address is reached on this machine.
fn reachable(endpoint: &Endpoint) -> &str {
    match endpoint.host.as_str() {
        "0.0.0.0" | "" => "127.0.0.1",
        "::" | "[::]" => "::1",
        host => host,
    }
}

/// What of a file changes when it does.
fn look(path: &Path) -> Option<(u64, Option<std::time::SystemTime>)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.len(), meta.modified().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::strings::fixed;
    use exai_protocol::BootId;

    struct Place {
        _dir: tempfile::TempDir,
        home: Home,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let home = Home::at(dir.path());
            home.prepare().unwrap();
            Self { _dir: dir, home }
        }

        fn whereabouts(&self, env: &[(&str, &str)]) -> Whereabouts {
            let env: std::collections::BTreeMap<String, String> = env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let settings = load(&self.home, &env, &[]).unwrap().settings;
            Whereabouts::new(Arc::new(env), Ok(self.home.clone()), settings)
        }

        fn publish(&self, host: &str, port: u16) {
            let endpoint = Endpoint {
                host: host.to_owned(),
                port,
                pid: 1,
                pid_started: None,
                boot_id: BootId::from("b"),
                protocol: "1.1".to_owned(),
                version: "0".to_owned(),
                socket: None,
            };
            rendezvous::publish(&self.home, &endpoint).unwrap();
        }
    }

    #[test]
    fn the_record_is_followed_and_its_change_noticed() {
        let place = Place::new();
        let mut here = place.whereabouts(&[]);
        assert!(matches!(here.locate(), Err(Unreachable::Absent(_))));
        let before = here.fingerprint();
        assert_eq!(before, here.fingerprint());
        place.publish("0.0.0.0", 4711);
        assert_ne!(before, here.fingerprint());
        assert!(matches!(here.locate(), Err(Unreachable::Absent(_))));
        TokenStore::new(&place.home).load_or_create().unwrap();
        let target = here.locate().ok().unwrap();
        assert_eq!(target.authority(), "127.0.0.1:4711");
        assert_eq!(target.token.expose().len(), 64);
    }

    #[test]
    fn with_an_address_no_file_counts() {
        let place = Place::new();
        place.publish("127.0.0.1", 1);
        let mut here = place.whereabouts(&[
            ("EXAI_WS_HOST", "localhost"),
            ("EXAI_WS_PORT", "4712"),
            ("EXAI_WS_TOKEN", "0123456789abcdef"),
        ]);
        assert_eq!(here.locate().ok().unwrap().authority(), "localhost:4712");
        assert_eq!(here.fingerprint(), 0);
        assert!(!here.may_start());
    }

    #[test]
    fn a_remote_daemon_is_reached_by_its_address() {
        let place = Place::new();
        place.publish("127.0.0.1", 1);
        let here = &[
            ("EXAI_WS_HOST", "10.0.0.9"),
            ("EXAI_WS_TOKEN", "0123456789abcdef"),
        ];
        let mut here = place.whereabouts(here);
        assert_eq!(here.locate().ok().unwrap().authority(), "10.0.0.9:8765");
        assert!(!here.may_start());
    }

    #[test]
    fn r01_a_missing_token_means_no_daemon_yet() {
        let place = Place::new();
        let mut here = place.whereabouts(&[("EXAI_WS_AUTOSTART", "false")]);
        assert!(matches!(here.locate(), Err(Unreachable::Absent(_))));
    }

    #[tokio::test]
    async fn a_stopped_daemon_is_not_started() {
        let place = Place::new();
        rendezvous::mark_stopped(&place.home, "test", exai_protocol::UnixMillis(1)).unwrap();
        let mut here = place.whereabouts(&[]);
        assert!(matches!(here.start().await, Err(Unreachable::Stopped)));
        let mut here = place.whereabouts(&[("EXAI_WS_AUTOSTART", "false")]);
        assert!(matches!(here.locate(), Err(Unreachable::Stopped)));
    }

    #[tokio::test]
    async fn without_a_home_the_cause_is_told() {
        let env = fixed([]);
        let settings = Settings::defaults();
        let mut here = Whereabouts::new(Arc::new(env), Err("no HOME".to_owned()), settings);
        let Err(Unreachable::Misconfigured(why)) = here.locate() else {
            panic!("located")
        };
        assert!(why.contains("no HOME"), "{why}");
        assert!(matches!(here.start().await, Ok(false)));
    }
}
