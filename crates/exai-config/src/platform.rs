//! Where this platform keeps a program's state and its user's settings. Only absolute paths
//! count: a relative one would depend on the directory an editor happened to start us in.

use crate::Strings;
use std::path::PathBuf;

/// `~/.local/state/exai`, or what stands for it here.
#[must_use]
pub fn state_dir(env: &dyn Strings) -> Option<PathBuf> {
    base(env, &STATE).map(|base| base.join("exai"))
}

/// `~/.config/exai`, or what stands for it here.
#[must_use]
pub fn config_dir(env: &dyn Strings) -> Option<PathBuf> {
    base(env, &CONFIG).map(|base| base.join("exai"))
}

/// A variable that names the directory, else a place below another variable's directory.
struct Rule {
    named: &'static str,
    below: &'static str,
    path: &'static str,
}

#[cfg(target_os = "macos")]
const STATE: Rule = Rule {
    named: "",
    below: "HOME",
    path: "Library/Application Support",
};
#[cfg(target_os = "macos")]
const CONFIG: Rule = STATE;

// Not run here: Windows is written from its documentation.
#[cfg(windows)]
const STATE: Rule = Rule {
    named: "LOCALAPPDATA",
    below: "USERPROFILE",
    path: "AppData\\Local",
};
#[cfg(windows)]
const CONFIG: Rule = Rule {
    named: "APPDATA",
    below: "USERPROFILE",
    path: "AppData\\Roaming",
};

#[cfg(not(any(windows, target_os = "macos")))]
const STATE: Rule = Rule {
    named: "XDG_STATE_HOME",
    below: "HOME",
    path: ".local/state",
};
#[cfg(not(any(windows, target_os = "macos")))]
const CONFIG: Rule = Rule {
    named: "XDG_CONFIG_HOME",
    below: "HOME",
    path: ".config",
};

fn base(env: &dyn Strings, rule: &Rule) -> Option<PathBuf> {
    let absolute = |name: &str| env.path(name).filter(|path| path.is_absolute());
    absolute(rule.named).or_else(|| Some(absolute(rule.below)?.join(rule.path)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::strings::fixed;

    #[test]
    fn the_named_directory_wins_when_it_is_absolute() {
        let env = fixed([
            ("XDG_STATE_HOME", "/s"),
            ("HOME", "/h"),
            ("XDG_CONFIG_HOME", "rel"),
        ]);
        assert_eq!(state_dir(&env), Some(PathBuf::from("/s/exai")));
        assert_eq!(config_dir(&env), Some(PathBuf::from("/h/.config/exai")));
    }

    #[test]
    fn without_any_of_them_there_is_none() {
        assert_eq!(state_dir(&fixed([])), None);
        assert_eq!(state_dir(&fixed([("HOME", "relative")])), None);
    }
}
