//! Who is connected. A session is a client, not a connection: it spans reconnects and may
//! have several connections at once. It is collected when nobody is connected, nothing of it
//! runs, and an hour has passed; or nothing of it is kept either, and it said goodbye.

use crate::{account::Account, surface::Rules};
use exai_protocol::{
    ClientId, Principal, SessionId, UnixMillis, control::SessionEntry, hello::ClientInfo,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// Something pushed to a client without being asked.
pub enum Push<'a> {
    /// A message for the person behind it.
    Notice {
        /// Who says it.
        from: &'a str,
        /// `info`, `warning` or `error`.
        level: &'a str,
        /// What it says.
        message: &'a str,
    },
    /// The tool list changed.
    ToolsChanged {
        /// The hash of the new list.
        hash: &'a str,
    },
    /// A conversation came, went or got another name.
    ResourcesChanged,
}

/// One connection, as the sessions see it.
pub trait Peer: Send + Sync {
    /// Hands something over; false if the peer never announced that it wants such things.
    fn push(&self, push: &Push<'_>) -> bool;
}

/// One client.
pub struct Session {
    /// Its id with this daemon.
    pub id: SessionId,
    /// Whom its token stands for.
    pub principal: Principal,
    /// What request ids are scoped to, and what limits count for.
    pub scope: Arc<str>,
    /// When it first came.
    pub connected_at: UnixMillis,
    client: Mutex<ClientInfo>,
    client_name: Mutex<Arc<str>>,
    roots: Mutex<Arc<[String]>>,
    /// What it sees and may call; absent until it is asked for.
    rules: Mutex<Option<Arc<Rules>>>,
    peers: Mutex<Vec<(u64, Arc<dyn Peer>)>>,
    last_seen: AtomicU64,
    in_flight: AtomicU64,
    calls: AtomicU64,
    /// What it has under way, in bytes.
    pub account: Arc<Account>,
    /// Its last connection said goodbye, instead of breaking.
    departed: AtomicBool,
}

impl Session {
    fn new(id: SessionId, (principal, scope): Scope, now: UnixMillis) -> Self {
        Self {
            id,
            principal,
            scope,
            connected_at: now,
            client: Mutex::default(),
            client_name: Mutex::new(Arc::from("unnamed")),
            roots: Mutex::new(Arc::from([])),
            rules: Mutex::default(),
            peers: Mutex::default(),
            last_seen: AtomicU64::new(now.0),
            in_flight: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            account: Arc::default(),
            departed: AtomicBool::new(false),
        }
    }

    /// The client's own id, where it gave one.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        lock(&self.client).id.clone()
    }

    /// The client's program.
    #[must_use]
    pub fn client_name(&self) -> Arc<str> {
        Arc::clone(&lock(&self.client_name))
    }

    /// The folders its user has open; its working directory, where it named none.
    #[must_use]
    pub fn roots(&self) -> Arc<[String]> {
        Arc::clone(&lock(&self.roots))
    }

    /// An editor may name its folders later than its hello.
    pub fn set_roots(&self, roots: Vec<String>) {
        let cwd = lock(&self.client).cwd.clone();
        *lock(&self.roots) = folders(roots, cwd);
    }

    /// The rules it is under, from whoever decides where that is not known yet.
    pub(crate) fn rules(
        &self,
        decide: impl FnOnce(&Principal, &str, &str) -> Arc<Rules>,
    ) -> Arc<Rules> {
        let mut rules = lock(&self.rules);
        let known = rules.get_or_insert_with(|| {
            let profile = lock(&self.client).profile.clone();
            decide(&self.principal, &self.client_name(), &profile)
        });
        Arc::clone(known)
    }

    /// Forgets them, and tells which they were.
    pub(crate) fn take_rules(&self) -> Option<Arc<Rules>> {
        lock(&self.rules).take()
    }

    /// Pushes to its connections; returns how many took it.
    pub fn push(&self, push: &Push<'_>) -> u64 {
        let peers = lock(&self.peers).clone();
        peers.iter().filter(|(_, peer)| peer.push(push)).count() as u64
    }

    /// Open connections.
    #[must_use]
    pub fn connections(&self) -> u64 {
        lock(&self.peers).len() as u64
    }

    /// Its connections that began before this one. What the newest says holds for them too: a
    /// link that broke for the client may stand for the daemon for a while.
    pub(crate) fn older_peers(&self, than: u64) -> Vec<u64> {
        let peers = lock(&self.peers);
        let numbers = peers.iter().map(|(number, _)| *number);
        numbers.filter(|number| *number < than).collect()
    }

    pub(crate) fn call_began(&self, arguments: u64, now: UnixMillis) {
        self.account.opened(arguments);
        self.in_flight.fetch_add(1, Relaxed);
        self.calls.fetch_add(1, Relaxed);
        self.last_seen.store(now.0, Relaxed);
    }

    pub(crate) fn call_ended(&self, arguments: u64, now: UnixMillis) {
        self.account.closed(arguments);
        self.in_flight.fetch_sub(1, Relaxed);
        self.last_seen.store(now.0, Relaxed);
    }

    fn is_busy(&self) -> bool {
        self.connections() > 0 || self.in_flight.load(Relaxed) > 0
    }

    fn entry(&self) -> SessionEntry {
        let client = lock(&self.client).clone();
        SessionEntry {
            session_id: self.id.clone(),
            client_id: client.id,
            key: Some(self.principal.clone()),
            client: client.name,
            version: client.version,
            pid: client.pid,
            cwd: client.cwd,
            connections: self.connections(),
            in_flight: self.in_flight.load(Relaxed),
            calls: self.calls.load(Relaxed),
            connected_at: self.connected_at.as_secs_f64(),
            last_seen_at: UnixMillis(self.last_seen.load(Relaxed)).as_secs_f64(),
        }
    }

    fn introduce(&self, client: ClientInfo, now: UnixMillis) {
        let name = if client.name.is_empty() {
            "unnamed"
        } else {
            &client.name
        };
        *lock(&self.client_name) = Arc::from(name);
        *lock(&self.roots) = folders(client.roots.clone(), client.cwd.clone());
        *lock(&self.client) = client;
        // It may be another program by now, or wish for another profile.
        *lock(&self.rules) = None;
        self.last_seen.store(now.0, Relaxed);
    }
}

fn folders(mut roots: Vec<String>, cwd: String) -> Arc<[String]> {
    if roots.is_empty() && !cwd.is_empty() {
        roots.push(cwd);
    }
    roots.into()
}

/// Whose session, and which of theirs.
pub(crate) type Scope = (Principal, Arc<str>);

/// The owner of all sessions.
#[derive(Default)]
pub struct Sessions {
    table: Mutex<HashMap<Scope, Arc<Session>>>,
    peers: AtomicU64,
}

/// A connection's membership in its session; ends by [`Sessions::leave`].
pub struct Membership {
    /// The session.
    pub session: Arc<Session>,
    /// The connection's number.
    pub peer: u64,
}

impl Sessions {
    /// Joins the session of a client that named itself, or opens one for this connection.
    pub fn join(
        &self,
        principal: Principal,
        mut client: ClientInfo,
        peer: Arc<dyn Peer>,
        fresh_id: SessionId,
        now: UnixMillis,
    ) -> Membership {
        let number = self.peers.fetch_add(1, Relaxed);
        // An empty name is none: all who send it would share one scope.
        client.id = client.id.filter(|id| !id.as_str().is_empty());
        let scope: Arc<str> = match &client.id {
            Some(id) => Arc::from(format!("client:{id}")),
            None => Arc::from(format!("connection:{fresh_id}")),
        };
        let session = {
            let mut table = lock(&self.table);
            let session = table
                .entry((principal.clone(), Arc::clone(&scope)))
                .or_insert_with(|| Arc::new(Session::new(fresh_id, (principal, scope), now)));
            // Under the table's lock, so that collection never sees the session without its peer.
            lock(&session.peers).push((number, peer));
            session.departed.store(false, Relaxed);
            Arc::clone(session)
        };
        session.introduce(client, now);
        Membership {
            session,
            peer: number,
        }
    }

    /// The session of another client of the asker's principal; where it is not known any more,
    /// one that stands in for it, with the asker's folders, and is entered nowhere.
    pub fn of_scope(
        &self,
        asker: &Session,
        scope: &str,
        fresh_id: SessionId,
        now: UnixMillis,
    ) -> Arc<Session> {
        let key = (asker.principal.clone(), Arc::from(scope));
        let known = lock(&self.table).get(&key).cloned();
        known.unwrap_or_else(|| {
            let stand_in = Session::new(fresh_id, key, now);
            *lock(&stand_in.client) = lock(&asker.client).clone();
            *lock(&stand_in.client_name) = asker.client_name();
            *lock(&stand_in.roots) = asker.roots();
            Arc::new(stand_in)
        })
    }

    /// A connection is gone; returns how many its session has left.
    pub fn leave(&self, membership: &Membership, now: UnixMillis) -> u64 {
        let session = &membership.session;
        session.last_seen.store(now.0, Relaxed);
        let mut peers = lock(&session.peers);
        peers.retain(|(number, _)| *number != membership.peer);
        peers.len() as u64
    }

    /// A client that said goodbye is gone with its last connection; nobody waits for its return.
    pub(crate) fn depart(&self, membership: &Membership) {
        let _table = lock(&self.table);
        let session = &membership.session;
        session.departed.store(session.connections() == 0, Relaxed);
    }

    /// Whether a client that said goodbye is still known.
    pub(crate) fn any_departed(&self) -> bool {
        let table = lock(&self.table);
        table
            .values()
            .any(|session| session.departed.load(Relaxed) && !session.is_busy())
    }

    /// Forgets clients that said goodbye and of which nothing runs or is kept.
    pub(crate) fn forget_departed(&self, is_kept: impl Fn(&Scope) -> bool) {
        lock(&self.table).retain(|scope, session| {
            !session.departed.load(Relaxed) || session.is_busy() || is_kept(scope)
        });
    }

    /// Forgets sessions nobody can miss: not connected, nothing running, and either bound to
    /// a connection that is gone or idle for `idle_ms`.
    pub fn collect_idle(&self, now: UnixMillis, idle_ms: u64) -> usize {
        let mut table = lock(&self.table);
        let before = table.len();
        table.retain(|_, session| {
            let idle_for = now.0.saturating_sub(session.last_seen.load(Relaxed));
            session.is_busy() || (session.client_id().is_some() && idle_for < idle_ms)
        });
        before - table.len()
    }

    /// Pushes to one client's connections, or to everybody's; returns how many took it.
    pub fn push(&self, principal: &Principal, to: Option<&ClientId>, push: &Push<'_>) -> u64 {
        let sessions: Vec<Arc<Session>> = lock(&self.table)
            .values()
            .filter(|session| session.principal == *principal)
            .filter(|session| to.is_none_or(|id| session.client_id().as_ref() == Some(id)))
            .cloned()
            .collect();
        sessions.iter().map(|session| session.push(push)).sum()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        lock(&self.table).values().cloned().collect()
    }

    /// The one of this id, if it is the principal's.
    #[must_use]
    pub fn find(&self, principal: &Principal, id: &SessionId) -> Option<Arc<Session>> {
        let table = lock(&self.table);
        let is_it = |session: &&Arc<Session>| session.id == *id && session.principal == *principal;
        table.values().find(is_it).cloned()
    }

    /// The sessions of a principal, oldest first.
    #[must_use]
    pub fn list(&self, principal: &Principal) -> Vec<SessionEntry> {
        let mut sessions = self.everybodys();
        sessions.retain(|session| session.key.as_ref() == Some(principal));
        sessions
    }

    /// The sessions of all principals, oldest first.
    #[must_use]
    pub fn everybodys(&self) -> Vec<SessionEntry> {
        let mut sessions: Vec<SessionEntry> = lock(&self.table)
            .values()
            .map(|session| session.entry())
            .collect();
        sessions.sort_by(|a, b| a.connected_at.total_cmp(&b.connected_at));
        sessions
    }

    /// Bytes of results that were sent and not read, of all clients.
    #[must_use]
    pub fn unread(&self) -> usize {
        let table = lock(&self.table);
        table.values().map(|session| session.account.unread()).sum()
    }

    /// Sessions with a connection, and connections.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        lock(&self.table)
            .values()
            .map(|session| session.connections())
            .fold((0, 0), |(s, c), n| (s + u64::from(n > 0), c + n))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
