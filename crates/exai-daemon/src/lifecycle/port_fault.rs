//! What it means for us that somebody answers on our port: the words and the exit code, the same
//! whether `start` looked first or `run` could not bind.

use crate::{exit, probe::Answer};
use exai_client::Target;
use exai_config::port_owner;

/// Why a daemon cannot listen there; `None` where nobody in our way answers.
pub(crate) fn port_fault(target: &Target, answer: &Answer) -> Option<anyhow::Error> {
    let at = target.authority();
    let port = target.port;
    let choose = "choose another port with EXAI_WS_PORT (or network.port in config/exai.toml)";
    Some(match answer {
        Answer::Ours(_) | Answer::Nobody(_) => return None,
        Answer::OtherHome(server) => exit::OTHER_HOME.because(format!(
            "port {port} is held by the exai of another home, {}; use that one with \
             EXAI_HOME={}, or {choose}",
            server.home, server.home
        )),
        Answer::Refused(why) => exit::REFUSED.because(format!(
            "an exai daemon answers at ws://{at} and does not accept us ({why}); it runs with \
             another token: unset EXAI_WS_TOKEN or give both the same, or {choose}"
        )),
        Answer::Foreign(_) | Answer::Silent => {
            let owner = port_owner::owner(port);
            let owner =
                owner.map_or_else(|| "another program".to_owned(), |owner| owner.to_string());
            exit::PORT_TAKEN.because(format!(
                "port {port} is taken by {owner}, which is no exai; end it, or {choose}"
            ))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_protocol::Secret;
    use exai_protocol::hello::ServerInfo;

    fn target() -> Target {
        Target {
            host: "127.0.0.1".into(),
            port: 1,
            host_header: None,
            socket: None,
            plain: false,
            token: Secret::new("s3cret"),
        }
    }

    fn server(home: &str) -> ServerInfo {
        ServerInfo {
            name: "exai-daemon".into(),
            version: "1".into(),
            build: "b".into(),
            boot_id: "x".into(),
            home: home.into(),
        }
    }

    #[test]
    fn r41_every_holder_of_the_port_has_its_message_and_code() {
        let fault = |answer: Answer| port_fault(&target(), &answer).unwrap();
        let other = fault(Answer::OtherHome(server("/their/home")));
        assert_eq!(exit::code_of(&other), exit::OTHER_HOME);
        assert!(
            other.to_string().contains("EXAI_HOME=/their/home"),
            "{other}"
        );
        let foreign = fault(Answer::Foreign("HTTP 200".into()));
        assert_eq!(exit::code_of(&foreign), exit::PORT_TAKEN);
        assert!(foreign.to_string().contains("EXAI_WS_PORT"), "{foreign}");
        let refused = fault(Answer::Refused("unauthorized".into()));
        assert_eq!(exit::code_of(&refused), exit::REFUSED);
        assert!(!refused.to_string().contains("s3cret"));
        assert!(port_fault(&target(), &Answer::Nobody("refused".into())).is_none());
    }
}
