//! The handle a test holds.

use super::{
    Dialect, Ollama, Reply, Request, Route, Tls, Upload,
    book::{Book, Rule},
    serve::{State, serve},
};
use crate::{Must as _, PATIENCE, eventually, free_port};
use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Instant,
};
use tokio::{net::TcpListener, runtime, sync::watch};

/// How often a port may be lost between the look and the use.
const PORTS: usize = 20;

/// A scripted provider. It is gone when this is dropped.
pub struct Provider {
    port: u16,
    book: Arc<Book>,
    wanted: watch::Sender<State>,
    is: watch::Receiver<State>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Provider {
    /// A provider on a port of its own.
    pub async fn start() -> Self {
        for _ in 0..PORTS {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            if let Ok(listener) = std::net::TcpListener::bind(address) {
                let provider = Self::over(listener, address);
                provider.becomes(State::Up).await;
                return provider;
            }
        }
        panic!("no port for a provider");
    }

    fn over(listener: std::net::TcpListener, address: SocketAddr) -> Self {
        let book = Arc::new(Book::default());
        let (wanted, heard) = watch::channel(State::Up);
        let (told, is) = watch::channel(State::Down);
        let served = Arc::clone(&book);
        let run = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .must("build the provider's runtime")
                .block_on(async {
                    listener
                        .set_nonblocking(true)
                        .must("make a socket asynchronous");
                    let listener = TcpListener::from_std(listener).must("listen as a provider");
                    serve(listener, address, served, heard, told).await;
                });
        };
        let thread = thread::Builder::new()
            .name("provider".to_owned())
            .spawn(run);
        Self {
            port: address.port(),
            book,
            wanted,
            is,
            thread: Some(thread.must("start the provider's thread")),
        }
    }

    /// Nobody listens any more, and every connection is gone.
    pub async fn down(&self) {
        self.wanted.send_replace(State::Down);
        self.becomes(State::Down).await;
    }

    /// Listens again, at the same port, with the same memory.
    pub async fn up(&self) {
        self.wanted.send_replace(State::Up);
        self.becomes(State::Up).await;
    }

    /// Without a clock, which the test may have paused: the thread gets there or ends.
    async fn becomes(&self, state: State) {
        let mut is = self.is.clone();
        let reached = is.wait_for(|now| *now == state).await.is_ok();
        assert!(
            reached,
            "the provider's thread ended before it was {state:?}"
        );
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The base URL for a dialect.
    #[must_use]
    pub fn url(&self, dialect: Dialect) -> String {
        format!("http://127.0.0.1:{}{}", self.port, dialect.base())
    }

    /// The base URL under a name of its own, so that rules can tell endpoints apart:
    /// `…/NAME/v1`.
    #[must_use]
    pub fn url_under(&self, name: &str, dialect: Dialect) -> String {
        format!("http://127.0.0.1:{}/{name}{}", self.port, dialect.base())
    }

    /// A base URL that promises TLS, which is not spoken here.
    #[must_use]
    pub fn tls_url(&self, dialect: Dialect) -> String {
        format!("https://127.0.0.1:{}{}", self.port, dialect.base())
    }
}

/// The script.
impl Provider {
    /// Appends replies; model calls take them in the order in which they arrive.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.book.open().script.extend(replies);
    }

    /// What model calls get once the script is used up.
    pub fn otherwise(&self, reply: Reply) {
        self.book.open().otherwise = Some(reply);
    }

    /// Replies for the requests that pass the test, in order, before the script and the
    /// doors. The test must not ask the provider: it runs under its lock.
    pub fn when(
        &self,
        test: impl Fn(&Request) -> bool + Send + Sync + 'static,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let replies = replies.into_iter().collect();
        self.rule(Arc::new(test), replies, None);
    }

    /// The same reply for every request that passes the test.
    pub fn always(&self, test: impl Fn(&Request) -> bool + Send + Sync + 'static, reply: Reply) {
        self.rule(Arc::new(test), VecDeque::new(), Some(reply));
    }

    fn rule(
        &self,
        test: Arc<dyn Fn(&Request) -> bool + Send + Sync>,
        replies: VecDeque<Reply>,
        always: Option<Reply>,
    ) {
        self.book.open().rules.push(Rule {
            test,
            replies,
            always,
        });
    }

    /// How many replies of the script nobody has taken.
    #[must_use]
    pub fn left(&self) -> usize {
        self.book.open().script.len()
    }

    /// The models it lists.
    pub fn models<T: Into<String>>(&self, ids: impl IntoIterator<Item = T>) {
        self.book.open().memory.models = ids.into_iter().map(Into::into).collect();
    }

    /// What it finds when it is asked to search (title, address).
    pub fn finds(&self, found: &[(&str, &str)]) {
        self.book.open().memory.finds = found
            .iter()
            .map(|(title, url)| ((*title).to_owned(), (*url).to_owned()))
            .collect();
    }

    /// Looks at, or changes, what it knows as Ollama.
    pub fn ollama<T>(&self, with: impl FnOnce(&mut Ollama) -> T) -> T {
        with(&mut self.book.open().memory.ollama)
    }

    /// What it does with a TLS hello.
    pub fn tls(&self, how: Tls) {
        self.book.open().tls = how;
    }
}

/// What it received.
impl Provider {
    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.book.open().requests.clone()
    }

    /// The model calls among them.
    #[must_use]
    pub fn chats(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.route == Route::Chat);
        requests
    }

    /// When the caller of this request (by its place among all) hung up before its end.
    #[must_use]
    pub fn hung_up(&self, index: usize) -> Option<Instant> {
        self.book.open().requests.get(index)?.hung_up
    }

    /// Waits until the caller of this request hangs up.
    #[track_caller]
    pub fn until_hung_up(&self, index: usize) -> impl Future<Output = Instant> {
        eventually(PATIENCE, format!("request {index} is hung up"), move || {
            self.hung_up(index)
        })
    }

    /// Waits until so many requests have arrived, and gives the last of them.
    #[track_caller]
    pub fn until_asked(&self, times: usize) -> impl Future<Output = Request> {
        eventually(PATIENCE, format!("{times} requests arrived"), move || {
            let pages = self.book.open();
            pages.requests.get(times.saturating_sub(1)).cloned()
        })
    }

    /// The most requests that were being answered at one time, among those that pass.
    #[must_use]
    pub fn most_at_once(&self, test: impl Fn(&Request) -> bool) -> usize {
        let mut requests = self.requests();
        requests.retain(test);
        let open_at = |at| requests.iter().filter(|one| one.was_open_at(at)).count();
        let most = requests.iter().map(|request| open_at(request.at)).max();
        most.unwrap_or(0)
    }

    /// Every place outside the headers made for keys where this key arrived.
    #[must_use]
    pub fn leaks(&self, key: &str) -> Vec<String> {
        let mut places = Vec::new();
        for request in self.requests() {
            let (method, path) = (&request.method, &request.path);
            let found = request.leaks(key).into_iter();
            places.extend(found.map(|place| format!("{place} of {method} {path}")));
        }
        places
    }

    /// How many TLS hellos came.
    #[must_use]
    pub fn tls_hellos(&self) -> usize {
        self.book.open().tls_hellos
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.book.open().connections
    }

    /// The files it was given.
    #[must_use]
    pub fn uploads(&self) -> Vec<Upload> {
        self.book.open().memory.files.kept()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.wanted.send_replace(State::Over);
        if let Some(thread) = self.thread.take() {
            // What ended it has been printed by then; a second panic would hide the test's.
            let _ = thread.join();
        }
    }
}
