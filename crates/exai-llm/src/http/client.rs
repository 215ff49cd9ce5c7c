//! The pool, and the one place where requests leave.

use super::{Ask, Flow, Lost, Method, Whole, ask, fail};
use crate::{
    fault::{Fault, FaultClass},
    provider::is_near,
};
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};
use tokio_util::task::TaskTracker;

/// How long a connection that nobody uses is kept.
const POOL_IDLE: Duration = Duration::from_secs(60);
/// Whole answers are no larger than this.
const MOST_WHOLE: usize = 32 * 1024 * 1024;

/// Sends requests. A clone shares its connections.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    user_agent: HeaderValue,
    /// One client for each limit of connecting, which the library sets per client, and for
    /// this machine, which no proxy must stand before. Almost always there are one or two.
    clients: Mutex<HashMap<Way, Arc<OnceCell<Client>>>>,
    tasks: TaskTracker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Way {
    connect: Duration,
    near: bool,
}

impl Http {
    /// A pool without connections. Certificates are read when the first request leaves, so a
    /// daemon that asks no model pays nothing for them.
    ///
    /// # Errors
    /// When the name cannot be a header.
    pub fn new(user_agent: &str) -> Result<Self, Fault> {
        let user_agent = HeaderValue::from_str(user_agent)
            .map_err(|_| Fault::unsupported("the program's name cannot be sent as a header"))?;
        Ok(Self {
            inner: Arc::new(Inner {
                user_agent,
                clients: Mutex::default(),
                tasks: TaskTracker::new(),
            }),
        })
    }

    /// Sends a request once and waits for the head of its answer, whatever its status. There
    /// is no limit of time but the connection's: whoever waits has one.
    ///
    /// # Errors
    /// When no answer began; the detail says why and never holds the key.
    pub async fn send(&self, ask: Ask) -> Result<Flow, Lost> {
        let url = reqwest::Url::parse(&ask.url)
            .map_err(|error| Fault::new(FaultClass::NotFound, format!("no address: {error}")))?;
        let near = url.host_str().is_some_and(is_near);
        let connect = ask.connect;
        let client = self.client(Way { connect, near }).await?;
        let method = match ask.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut request = client
            .request(method, url)
            .headers(headers(&ask)?)
            .build()
            .map_err(|error| fail::of(error, connect, &ask.key))?;
        let key = ask.key;
        if let Some((kind, bytes)) = ask::encode(ask.body) {
            let kind = HeaderValue::from_str(&kind)
                .map_err(|_| Fault::unsupported("the body's type cannot be a header"))?;
            request.headers_mut().insert(CONTENT_TYPE, kind);
            *request.body_mut() = Some(bytes.into());
        }
        match client.execute(request).await {
            Ok(response) => Ok(Flow::new(response, key, self.inner.tasks.clone())),
            Err(error) => Err(fail::of(error, connect, &key)),
        }
    }

    /// Sends a request once and waits for its whole answer, whatever its status.
    ///
    /// # Errors
    /// [`FaultClass::Timeout`] after `limit`, and whatever kept the answer from coming.
    pub async fn whole(&self, ask: Ask, limit: Duration) -> Result<Whole, Fault> {
        let by = Instant::now() + limit;
        let late = || {
            let said = format!("no whole answer within {} s", limit.as_secs_f64());
            Fault::new(FaultClass::Timeout, said)
        };
        let sent = tokio::time::timeout_at(by, self.send(ask)).await;
        let flow = sent.map_err(|_| late())??;
        let whole = tokio::time::timeout_at(by, flow.whole(MOST_WHOLE)).await;
        whole.map_err(|_| late())?
    }

    async fn client(&self, way: Way) -> Result<Client, Fault> {
        let cell = {
            let mut clients = self
                .inner
                .clients
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(clients.entry(way).or_default())
        };
        let user_agent = self.inner.user_agent.clone();
        // Certificates are files, and reading files blocks.
        let build = || async move {
            let built = tokio::task::spawn_blocking(move || build(way, user_agent)).await;
            match built {
                Ok(Ok(client)) => Ok(client),
                Ok(Err(error)) => Err(Fault::new(
                    FaultClass::Unreachable,
                    format!("HTTPS cannot be set up: {}", fail::chain(&error)),
                )),
                Err(_) => Err(Fault::new(FaultClass::Unreachable, "the daemon is ending")),
            }
        };
        cell.get_or_try_init(build).await.cloned()
    }
}

fn build(way: Way, user_agent: HeaderValue) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(way.connect)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .http2_adaptive_window(true);
    match way.near {
        true => builder.no_proxy().build(),
        false => builder.build(),
    }
}

fn headers(ask: &Ask) -> Result<HeaderMap, Fault> {
    let mut map = HeaderMap::with_capacity(ask.headers.len() + 2);
    for (name, value) in &ask.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) else {
            return Err(Fault::unsupported(
                "a header has characters a header cannot have",
            ));
        };
        map.insert(name, value);
    }
    if let Some((name, before, key)) = &ask.key {
        let mut value = HeaderValue::from_str(&format!("{before}{}", key.expose()))
            .map_err(|_| Fault::new(FaultClass::Auth, "the key has characters no key has"))?;
        value.set_sensitive(true);
        map.insert(HeaderName::from_static(name), value);
    }
    Ok(map)
}
