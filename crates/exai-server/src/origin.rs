//! Which HTTP upgrades are let through. A browser page can open a WebSocket to loopback, and
//! says so with `Origin`; our clients never send one, so any `Origin` is refused. `Host` must
//! be ours, once: a rebound DNS name is not.

use tokio_tungstenite::tungstenite::{
    handshake::server::{ErrorResponse, Request},
    http::{HeaderMap, Response, StatusCode, header},
};

/// Why an upgrade is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Origin,
    Host(String),
}

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

/// The check as tungstenite's callback wants it.
#[expect(
    clippy::result_large_err,
    reason = "the callback's signature is tungstenite's"
)]
pub(crate) fn gate(request: &Request, port: u16, allowed: &[String]) -> Result<(), ErrorResponse> {
    check(request.headers(), port, allowed).map_err(|refusal| {
        tracing::warn!(?refusal, "upgrade refused");
        let words = match refusal {
            Refusal::Origin => "exai: connections from web pages are refused\n".to_owned(),
            Refusal::Host(_) => {
                "exai: the Host header is not this daemon; for a mapped port set EXAI_WS_ALLOWED_HOSTS\n"
                    .to_owned()
            }
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
