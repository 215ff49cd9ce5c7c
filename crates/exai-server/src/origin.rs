//! Which HTTP upgrades are let through. A browser page can open a WebSocket to loopback, and
//! says so with `Origin`; our clients never send one, so any `Origin` is refused. `Host` must
//! be ours, once: a rebound DNS name is not. At a Unix socket no page can knock, and no other
//! user may.

use crate::{
    Settings,
    caller::{Caller, Standing},
};
use exai_protocol::proof::SUBPROTOCOL;
use tokio_tungstenite::tungstenite::{
    handshake::server::{ErrorResponse, Request},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};

/// Why an upgrade is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Origin,
    Host(String),
    User(u32),
    Browser(&'static str),
}

/// The `Host` of a client at a Unix socket, which has no port.
const AT_A_SOCKET: &str = "localhost";

/// Checks the headers of an upgrade.
pub(crate) fn check(headers: &HeaderMap, port: u16, allowed: &[String]) -> Result<(), Refusal> {
    if headers.contains_key(header::ORIGIN) {
        return Err(Refusal::Origin);
    }
    let hosts: Vec<_> = headers.get_all(header::HOST).iter().collect();
    let [host] = hosts.as_slice() else {
        return Err(Refusal::Host(format!("{} Host headers", hosts.len())));
    };
    let host = host
        .to_str()
        .map_err(|_| Refusal::Host("not text".to_owned()))?;
    let ours = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
    ];
    let known = ours
        .iter()
        .chain(allowed)
        .any(|name| name.eq_ignore_ascii_case(host));
    if known {
        Ok(())
    } else {
        Err(Refusal::Host(host.to_owned()))
    }
}

/// What only a browser says, of peers that asked for our own subprotocol: no program of ours does.
fn browser(headers: &HeaderMap) -> Result<(), Refusal> {
    let fetched = |name: &&str| name.starts_with("sec-fetch-");
    if headers.keys().any(|name| fetched(&name.as_str())) {
        return Err(Refusal::Browser("Sec-Fetch-*"));
    }
    if headers.contains_key(header::COOKIE) {
        return Err(Refusal::Browser("Cookie"));
    }
    Ok(())
}

/// Whether a peer asks for our subprotocol: it will prove that it knows the token.
fn will_prove(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    asked
        .filter_map(|names| names.to_str().ok())
        .flat_map(|names| names.split(','))
        .any(|name| name.trim() == SUBPROTOCOL)
}

/// The answer to an upgrade, with our subprotocol where it was asked for.
pub(crate) fn agreed<T>(request: &Request, mut response: Response<T>) -> Response<T> {
    if will_prove(request.headers()) {
        let name = HeaderValue::from_static(SUBPROTOCOL);
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    response
}

fn knock(headers: &HeaderMap, caller: &Caller, settings: &Settings) -> Result<(), Refusal> {
    if will_prove(headers) {
        browser(headers)?;
    }
    match caller.standing {
        Standing::Other(user) => Err(Refusal::User(user)),
        Standing::Owner => check(headers, settings.port, &[AT_A_SOCKET.to_owned()]),
        Standing::At(_) | Standing::Unknown => {
            check(headers, settings.port, &settings.allowed_hosts)
        }
    }
}

/// The check as tungstenite's callback wants it.
#[expect(
    clippy::result_large_err,
    reason = "the callback's signature is tungstenite's"
)]
pub(crate) fn gate(
    request: &Request,
    caller: &Caller,
    settings: &Settings,
) -> Result<(), ErrorResponse> {
    knock(request.headers(), caller, settings).map_err(|refusal| {
        tracing::warn!(?refusal, "upgrade refused");
        let words = match refusal {
            Refusal::Origin => "exai: connections from web pages are refused\n".to_owned(),
            Refusal::Host(_) => {
                "exai: the Host header is not this daemon; for a mapped port set EXAI_WS_ALLOWED_HOSTS\n"
                    .to_owned()
            }
            Refusal::Browser(what) => {
                format!("exai: a program that proves itself does not send {what}\n")
            }
            Refusal::User(_) => "exai: this socket is for the daemon's own user\n".to_owned(),
        };
        let mut response = Response::new(Some(words));
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn s02_host_must_be_ours_and_single() {
        let allowed = vec!["gateway.test:9000".to_owned()];
        let verdict =
            |pairs: &[(&'static str, &'static str)]| check(&headers(pairs), 8765, &allowed);
        for host in [
            "127.0.0.1:8765",
            "localhost:8765",
            "LOCALHOST:8765",
            "[::1]:8765",
            "gateway.test:9000",
        ] {
            assert_eq!(verdict(&[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:80",
            "user@localhost:8765",
            "evil.test:8765",
            "0.0.0.0:8765",
            "127.evil.tld:8765",
            "",
        ] {
            assert!(
                matches!(verdict(&[("host", host)]), Err(Refusal::Host(_))),
                "{host}"
            );
        }
        assert!(verdict(&[]).is_err());
        assert!(verdict(&[("host", "localhost:8765"), ("host", "localhost:8765")]).is_err());
    }

    #[test]
    fn s04_who_will_prove_itself_says_nothing_that_only_a_browser_says() {
        let settings = Settings {
            allowed_hosts: Vec::new(),
            ..crate::test_settings()
        };
        let knocked = |pairs: &[(&'static str, &'static str)]| {
            let mut all = vec![("host", "localhost:8765")];
            all.extend(pairs);
            knock(&headers(&all), &Caller::default(), &settings)
        };
        let native = ("sec-websocket-protocol", "other, exai.proof");
        assert_eq!(knocked(&[native]), Ok(()));
        for said in [
            ("sec-fetch-mode", "websocket"),
            ("sec-fetch-site", "none"),
            ("cookie", "a=b"),
        ] {
            assert!(
                matches!(knocked(&[native, said]), Err(Refusal::Browser(_))),
                "{said:?}"
            );
            assert_eq!(knocked(&[said]), Ok(()), "a V1 peer may: {said:?}");
        }
    }

    #[test]
    fn s08_another_user_is_refused_at_the_socket() {
        let settings = crate::test_settings();
        let by = |user| Caller::process(Some(1), user, 1000);
        let host = headers(&[("host", "localhost")]);
        assert_eq!(knock(&host, &by(1000), &settings), Ok(()));
        assert_eq!(knock(&host, &by(0), &settings), Err(Refusal::User(0)));
        assert!(knock(&host, &Caller::default(), &settings).is_err());
    }

    #[test]
    fn s03_any_origin_is_refused() {
        for origin in [
            "null",
            "http://localhost",
            "http://127.0.0.1:8765",
            "chrome-extension://x",
            "",
        ] {
            let headers = headers(&[("host", "localhost:8765"), ("origin", origin)]);
            assert_eq!(check(&headers, 8765, &[]), Err(Refusal::Origin), "{origin}");
        }
    }
}
