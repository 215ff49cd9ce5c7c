//! The variables a command line gets. The environment is handed in as a value; what is not
//! named here or by the endpoint stays with us, our keys before all.

use crate::provider::CommandSpec;
use std::{collections::BTreeMap, ffi::OsString, sync::Arc};

/// How deep command lines are inside each other: set for what we run, refused where we find it.
pub(super) const DEPTH: &str = "EXAI_CLI_DEPTH";

/// What programs need whatever they do: where things are, who and where the user is, how the
/// network is reached.
const ALWAYS: [&str; 44] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "XDG_*",
    "DBUS_SESSION_BUS_ADDRESS",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    // Windows; untested here.
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "USERNAME",
    "USERDOMAIN",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PROGRAMW6432",
    "COMMONPROGRAMFILES",
    "NUMBER_OF_PROCESSORS",
    "TEMP",
    "TMP",
];

/// Variables, as they were when somebody looked. It has no `Debug`: keys are among them.
#[derive(Clone, Default)]
pub struct Environment(Arc<[(OsString, OsString)]>);

impl Environment {
    /// From names and values, for example those of the process.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// One variable that is set to something.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.0
            .iter()
            .find(|(known, value)| is(known, name) && !value.is_empty())
            .map(|(_, value)| value)
    }

    /// Whether command lines may not be run, because this is one.
    pub(super) fn is_inside(&self) -> bool {
        self.get(DEPTH).is_some_and(|depth| depth != "0")
    }

    /// What this command line gets; of the values given, later ones count.
    pub(super) fn handed_on(
        &self,
        spec: &CommandSpec,
        more: &BTreeMap<String, String>,
    ) -> Vec<(OsString, OsString)> {
        let listed = spec.inherit.iter().map(String::as_str);
        let patterns: Vec<&str> = ALWAYS.into_iter().chain(listed).collect();
        let all: BTreeMap<_, _> = spec.env.iter().chain(more).collect();
        let given = |name: &OsString| all.keys().any(|given| is(name, given));
        let kept = |name: &OsString| patterns.iter().any(|pattern| fits(name, pattern));
        let inherited = self
            .0
            .iter()
            .filter(|(name, _)| kept(name) && !given(name))
            .cloned();
        let set = all
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let depth = (OsString::from(DEPTH), OsString::from("1"));
        inherited.chain(set).chain([depth]).collect()
    }

    /// Values handed on that nobody may read in a message.
    pub(super) fn secrets(&self, spec: &CommandSpec) -> Vec<String> {
        const WORDS: [&str; 5] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"];
        let secret = |name: &OsString| {
            let name = name.to_string_lossy().to_uppercase();
            WORDS.iter().any(|word| name.contains(word))
        };
        self.handed_on(spec, &BTreeMap::new())
            .into_iter()
            .filter(|(name, _)| secret(name))
            .filter_map(|(_, value)| value.into_string().ok())
            .collect()
    }
}

fn is(known: &OsString, name: &str) -> bool {
    if cfg!(windows) {
        known.eq_ignore_ascii_case(name)
    } else {
        known == name
    }
}

fn fits(name: &OsString, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => {
            let name = name.to_string_lossy();
            name.starts_with(start) && !name.starts_with("EXAI_")
        }
        None => is(name, pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(
            pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into())),
        )
    }

    #[test]
    fn keys_stay_here_unless_they_are_listed() {
        let all = environment(&[
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("GLM_API_KEY", "canary"),
            ("ANTHROPIC_API_KEY", "listed-canary"),
            ("EXAI_WS_TOKEN", "canary"),
            ("AGENT_HOME", "/h"),
            ("AGENT_MODE", "ours"),
        ]);
        let mut spec = CommandSpec {
            inherit: vec!["AGENT_*".into(), "*".into()],
            ..CommandSpec::default()
        };
        spec.inherit.pop();
        spec.env.insert("AGENT_MODE".into(), "quiet".into());
        let mut given = all.handed_on(&spec, &BTreeMap::new());
        given.sort();
        let names: Vec<_> = given
            .iter()
            .map(|(name, _)| name.to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "AGENT_HOME",
                "AGENT_MODE",
                "EXAI_CLI_DEPTH",
                "LC_ALL",
                "PATH"
            ]
        );
        assert!(
            !given
                .iter()
                .any(|(_, value)| value == "canary" || value == "ours")
        );
        spec.inherit.push("ANTHROPIC_API_KEY".into());
        assert_eq!(all.secrets(&spec), ["listed-canary"]);
        // Not even "everything" is ours.
        spec.inherit = vec!["*".into()];
        let ours = |(name, _): &(OsString, OsString)| name == "EXAI_WS_TOKEN";
        assert!(!all.handed_on(&spec, &BTreeMap::new()).iter().any(ours));
    }

    #[test]
    fn inside_a_command_line_is_seen() {
        assert!(environment(&[(DEPTH, "1")]).is_inside());
        assert!(!environment(&[(DEPTH, "0")]).is_inside());
        assert!(!environment(&[]).is_inside());
    }
}
