//! Layers and their order, faults all at once, warnings that help, and nothing from the
//! working directory.

use super::*;
use crate::{atomic, strings::fixed};
use std::{collections::BTreeMap, time::Duration};

struct Place {
    _dir: tempfile::TempDir,
    home: Home,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        std::fs::create_dir(dir.path().join("config")).unwrap();
        Self { _dir: dir, home }
    }

    fn toml(self, text: &str) -> Self {
        atomic::write(&self.home.config_file(), text.as_bytes(), 0o600).unwrap();
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        atomic::write(&self.home.root().join(name), text.as_bytes(), 0o600).unwrap();
        self
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Loaded, Faults> {
        self.load_with(env, &[])
    }

    fn load_with(&self, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded, Faults> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let env: BTreeMap<String, String> = env.iter().map(own).collect();
        let flags: Vec<_> = flags.iter().map(own).collect();
        load(&self.home, &env, &flags)
    }

    fn warnings(&self, env: &[(&str, &str)]) -> Vec<String> {
        self.load(env).unwrap().warnings
    }

    fn faults(&self, env: &[(&str, &str)]) -> Vec<String> {
        match self.load(env) {
            Ok(_) => panic!("nothing was found wrong"),
            Err(faults) => faults.faults.iter().map(ToString::to_string).collect(),
        }
    }
}

#[test]
fn with_nothing_said_everything_is_default_and_nothing_is_odd() {
    let loaded = Place::new().load(&[]).unwrap();
    assert!(loaded.settings == Settings::defaults());
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert!(loaded.files.is_empty() && !loaded.test_tools);
    assert_eq!(loaded.origins.len(), keys::all().count());
    assert!(
        loaded
            .origins
            .iter()
            .all(|origin| origin.origin == Source::Default)
    );
}

#[test]
fn a_later_layer_wins_and_each_value_knows_its_own() {
    let place = Place::new()
        .toml("[network]\nport = 1001\nhost = 'localhost'\n[calls]\ncall_timeout_secs = 77\n")
        .file("user.toml", "[network]\nport = 1002\n")
        .file(".env", "EXAI_WS_PORT=1003\nEXAI_WS_RESULT_TTL=900\n");
    let user = ("EXAI_CONFIG", "user.toml");
    let port = |env: &[(&str, &str)], flags: &[(&str, &str)]| {
        let loaded = place.load_with(env, flags).unwrap();
        let origin = loaded.origin("network.port").unwrap().origin.to_string();
        (loaded.settings.network.port, origin)
    };
    let (number, origin) = port(
        &[user, ("EXAI_WS_PORT", "1004")],
        &[("network.port", "1005")],
    );
    assert_eq!((number, origin.as_str()), (1005, "flag"));
    let (number, origin) = port(&[user, ("EXAI_WS_PORT", "1004")], &[]);
    assert_eq!(
        (number, origin.as_str()),
        (1004, "environment (EXAI_WS_PORT)")
    );
    let (number, origin) = port(&[user], &[]);
    assert_eq!(number, 1003);
    assert!(origin.ends_with(".env (EXAI_WS_PORT)"), "{origin}");

    let place = place.file(".env", "");
    let loaded = place.load(&[user]).unwrap();
    assert_eq!(loaded.settings.network.port, 1002);
    assert!(
        loaded
            .origin("network.port")
            .unwrap()
            .origin
            .to_string()
            .ends_with("user.toml")
    );
    assert_eq!(loaded.files.len(), 3);
    let loaded = place.load(&[]).unwrap();
    assert_eq!(loaded.settings.network.port, 1001);
    assert_eq!(loaded.settings.calls.call_timeout, Duration::from_secs(77));
}

#[test]
fn old_names_keep_working_and_the_new_one_wins() {
    let place = Place::new();
    let wait = |env: &[(&str, &str)]| {
        place
            .load(env)
            .unwrap()
            .settings
            .shim
            .connect_wait
            .as_secs()
    };
    assert_eq!(wait(&[("EXAI_WS_CONNECT_TIMEOUT", "30")]), 30);
    assert_eq!(
        wait(&[
            ("EXAI_WS_CONNECT_TIMEOUT", "30"),
            ("EXAI_SHIM_CONNECT_WAIT", "4")
        ]),
        4
    );
    assert_eq!(
        wait(&[
            ("EXAI_WS_CONNECT_TIMEOUT", "30"),
            ("EXAI_SHIM_CONNECT_WAIT", "")
        ]),
        30
    );
}

#[test]
fn every_fault_is_told_at_once_with_its_place_value_and_remedy() {
    let place = Place::new()
        .toml("[network]\nport = 'many'\nping_interval_secs = true\n[auth]\ntoken = 'x'\n")
        .file(".env", "EXAI_WS_CALL_TIMEOUT=-3\nnot a line\n");
    let faults = place.faults(&[("LOG_LEVEL", "loud"), ("EXAI_WS_TOKEN", "two words")]);
    let all = faults.join("\n");
    for expected in [
        "exai.toml:2: network.port: `many` is not allowed; expected a whole number from 0 to 65535",
        "exai.toml:3: network.ping_interval_secs: `true` is not allowed; expected seconds",
        "exai.toml:5: auth.token: does not belong in a TOML file; set EXAI_WS_TOKEN instead",
        ".env:1: EXAI_WS_CALL_TIMEOUT: `-3` is not allowed",
        ".env:2: this line cannot be read",
        "LOG_LEVEL: `loud` is not allowed; expected error, warn, info, debug or trace",
        "EXAI_WS_TOKEN: `set (9 characters)` is not allowed; expected at most 512 printable ASCII",
    ] {
        assert!(all.contains(expected), "missing: {expected}\n{all}");
    }
    assert_eq!(faults.len(), 7, "{all}");
    assert!(!all.contains("two words"));
}

#[test]
fn what_is_not_wrong_is_still_there_for_a_shim_that_must_live() {
    let place = Place::new();
    let Err(faults) = place.load(&[("EXAI_WS_PORT", "x"), ("EXAI_WS_HOST", "localhost")]) else {
        panic!("the port is wrong");
    };
    assert_eq!(faults.rest.settings.network.host, "localhost");
    assert_eq!(faults.rest.settings.network.port, 8765);
    assert!(
        faults
            .to_string()
            .starts_with("1 setting cannot be used:\n  EXAI_WS_PORT: `x`")
    );
    assert_eq!(format!("{faults:?}"), faults.to_string());
}

#[test]
fn files_that_are_no_settings_are_faults_with_a_line() {
    let faults = Place::new().toml("[network]\nport = \n").faults(&[]);
    assert!(faults[0].contains("exai.toml:2: is not TOML"), "{faults:?}");
    let place = Place::new();
    std::fs::create_dir(place.home.config_file()).unwrap();
    assert!(place.faults(&[])[0].contains("not a regular file"));
    let place = Place::new().toml(&"#".repeat(2 << 20));
    assert!(place.faults(&[])[0].contains("longer than"));
}

#[test]
fn p20_unknown_names_are_named_together_with_what_was_meant() {
    let place = Place::new()
        .toml("colour = 1\n[network]\nprot = 1\n[shimm]\nautostart = true\n")
        .file(".env", "EXAI_WS_PROT=1\nKIMI_API_KEY=k\n");
    let all = place
        .warnings(&[
            ("EXAI_WS_SKIP_HEALTH_CHECK", "1"),
            ("EXAI_HOME", "/x"),
            ("HOME", "/h"),
        ])
        .join("\n");
    for expected in [
        "exai.toml: `colour` is not a setting",
        "`network.prot` is not a setting; did you mean `network.port`?",
        "`shimm.autostart` is not a setting; did you mean `shim.autostart`?",
        ".env:1: EXAI_WS_PROT is not a setting of exai and has no effect; did you mean EXAI_WS_PORT?",
        "EXAI_WS_SKIP_HEALTH_CHECK is a setting of the predecessor",
    ] {
        assert!(all.contains(expected), "missing: {expected}\n{all}");
    }
    assert_eq!(all.lines().count(), 5, "{all}");
    let Err(faults) = place.load_with(&[], &[("network.prt", "1")]) else {
        panic!("not a flag")
    };
    assert!(faults.to_string().contains("did you mean `network.port`?"));
}

#[test]
fn s13_the_token_is_never_shown() {
    let place = Place::new();
    let secret = "s3cr3t-s3cr3t-s3cr3t";
    let loaded = place.load(&[("EXAI_WS_TOKEN", secret)]).unwrap();
    assert_eq!(
        loaded.settings.auth.token.as_ref().unwrap().expose(),
        secret
    );
    assert_eq!(
        loaded.origin("auth.token").unwrap().value_shown,
        "set (20 characters)"
    );
    assert!(!format!("{:?}{:?}", loaded.origins, loaded.warnings).contains(secret));
    assert_eq!(
        place
            .load(&[])
            .unwrap()
            .origin("auth.token")
            .unwrap()
            .value_shown,
        "not set"
    );
}

#[test]
fn s06_an_empty_token_counts_as_unset_and_is_warned_about() {
    let place = Place::new();
    for empty in ["", "   "] {
        let loaded = place
            .load(&[("EXAI_WS_TOKEN", empty), ("EXAI_WS_PORT", "")])
            .unwrap();
        assert!(loaded.settings.auth.token.is_none());
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].contains("EXAI_WS_TOKEN is set but empty"));
        assert_eq!(loaded.settings.network.port, 8765);
    }
}

#[test]
fn p26_no_address_beyond_this_machine_without_a_token() {
    let place = Place::new();
    for host in ["0.0.0.0", "::", "192.168.1.7", "my-box"] {
        let faults = place.faults(&[("EXAI_WS_HOST", host)]);
        assert!(faults[0].contains("EXAI_WS_TOKEN"), "{faults:?}");
    }
    let short = ("EXAI_WS_TOKEN", "fifteen-letters");
    let faults = place.faults(&[("EXAI_WS_HOST", "0.0.0.0"), short]);
    assert!(
        faults.len() == 1 && faults[0].contains("15 characters") && faults[0].contains("0.0.0.0"),
        "{faults:?}"
    );
    let warned = place.warnings(&[("EXAI_WS_TOKEN", "x")]);
    assert!(warned[0].contains("1 character;"), "{warned:?}");
    let long = ("EXAI_WS_TOKEN", "0123456789abcdef");
    assert!(
        place
            .warnings(&[("EXAI_WS_HOST", "0.0.0.0"), long])
            .is_empty()
    );
}

#[test]
fn p12_settings_at_odds_are_pointed_at() {
    let place = Place::new();
    let warned = place.warnings(&[
        ("EXAI_WS_CALL_TIMEOUT", "2"),
        ("EXAI_WS_PROGRESS_INTERVAL_SECS", "8"),
        ("EXAI_HEALTH_WRITER_INTERVAL", "30"),
    ]);
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(
        warned[0].contains("before its first heartbeat"),
        "{warned:?}"
    );
    assert!(warned[1].contains("look dead"), "{warned:?}");

    let warned = place.warnings(&[
        ("EXAI_WS_SESSION_MAX_INFLIGHT", "100"),
        ("EXAI_WS_KIMI_MAX_INFLIGHT", "99"),
        ("EXAI_WS_PING_TIMEOUT", "240"),
        ("EXAI_SHIM_RPC_TIMEOUT", "300"),
        ("EXAI_WS_QUEUE_BYTES", "1 MiB"),
        ("EXAI_WS_RETAINED_BYTES", "1 MiB"),
        ("EXAI_WS_RESULT_TTL", "10"),
    ]);
    assert_eq!(warned.len(), 7, "{warned:#?}");
    assert!(
        place
            .warnings(&[("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1")])
            .is_empty()
    );
}

#[test]
fn autostart_follows_the_host_unless_it_was_asked_for() {
    let place = Place::new();
    let shim = |env: &[(&str, &str)]| {
        let loaded = place.load(env).unwrap();
        let shown = loaded.origin("shim.autostart").unwrap().value_shown.clone();
        (
            loaded.settings.shim.autostart,
            loaded.settings.shim.by_address,
            shown,
        )
    };
    let token = ("EXAI_WS_TOKEN", "0123456789abcdef");
    let (host, port) = (("EXAI_WS_HOST", "127.0.0.1"), ("EXAI_WS_PORT", "9"));
    assert_eq!(shim(&[]), (true, false, "auto (true)".to_owned()));
    assert_eq!(
        shim(&[("EXAI_WS_AUTOSTART", "false")]),
        (false, false, "false".to_owned())
    );
    assert!(!shim(&[("EXAI_WS_HOST", "10.0.0.9"), token]).0);
    assert_eq!(
        shim(&[host, port, token]),
        (false, true, "auto (false)".to_owned())
    );
    assert!(shim(&[host, port, token, ("EXAI_WS_AUTOSTART", "1")]).0);
    // The same three in the home's own file: there the home is shared, and the daemon startable.
    let text = "EXAI_WS_HOST=127.0.0.1\nEXAI_WS_PORT=9\nEXAI_WS_TOKEN=0123456789abcdef\n";
    let shared = Place::new().file(".env", text).load(&[]).unwrap();
    assert!(shared.settings.shim.autostart && !shared.settings.shim.by_address);
}

#[test]
fn test_tools_come_from_the_environment_only() {
    let place = Place::new()
        .file(".env", "EXAI_TEST_TOOLS=1\nEXAI_HOME=/x\n")
        .toml("[test]\ntools = true\n");
    let loaded = place.load(&[]).unwrap();
    assert!(!loaded.test_tools);
    for name in ["EXAI_TEST_TOOLS", "EXAI_HOME"] {
        let expected = format!(".env: {name} has no effect in a file");
        assert!(
            loaded.warnings.iter().any(|w| w.contains(&expected)),
            "{name}"
        );
    }
    assert!(place.load(&[("EXAI_TEST_TOOLS", "1")]).unwrap().test_tools);
    assert!(!place.load(&[("EXAI_TEST_TOOLS", "0")]).unwrap().test_tools);
    assert!(place.faults(&[("EXAI_TEST_TOOLS", "perhaps")])[0].contains("true or false"));
}

#[test]
fn rates_from_toml_as_a_text_a_list_or_a_table() {
    for text in [
        "tool_rates = 'a=1/s, b=2/min burst 5'",
        "tool_rates = ['a=1/s', 'b=2/min burst 5']",
        "tool_rates.a = '1/s'\ntool_rates.b = '2/min burst 5'",
    ] {
        let loaded = Place::new()
            .toml(&format!("[limits]\n{text}\n"))
            .load(&[])
            .unwrap();
        let rates = &loaded.settings.limits.tool_rates;
        assert_eq!((rates.len(), rates["b"].burst.get()), (2, 5), "{text}");
    }
    let faults = Place::new()
        .toml("[limits]\ntool_rates = {a = 7}\n")
        .faults(&[]);
    assert!(faults[0].contains("chat=30/min"), "{faults:?}");
}

#[test]
fn lists_and_further_providers_from_toml() {
    let loaded = Place::new()
        .toml(
            "[network]\nallowed_hosts = ['a.test', 'b.test']\n\
             [limits.providers]\nkimi = 3\nLocal = 2\n",
        )
        .load(&[])
        .unwrap();
    assert_eq!(loaded.settings.network.allowed_hosts, ["a.test", "b.test"]);
    let limits = &loaded.settings.limits.providers;
    assert_eq!((limits["kimi"], limits["glm"], limits["local"]), (3, 4, 2));
    assert!(loaded.origin("limits.providers.Local").is_some());
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let faults = Place::new()
        .toml("[limits.providers]\nlocal = 'x'\n")
        .faults(&[]);
    assert!(faults[0].contains("limits.providers.local"), "{faults:?}");
}

#[test]
fn an_empty_list_in_the_environment_clears_one_from_a_file() {
    let place = Place::new().toml("[network]\nallowed_hosts = ['a.test']\n");
    let cleared = place.load(&[("EXAI_WS_ALLOWED_HOSTS", "")]).unwrap();
    assert!(cleared.settings.network.allowed_hosts.is_empty());
}

#[test]
fn a_named_file_that_is_missing_is_pointed_at() {
    let warned = Place::new().warnings(&[("ENV_FILE", "gone.env"), ("EXAI_CONFIG", "gone.toml")]);
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].contains("EXAI_CONFIG") && warned[1].contains("ENV_FILE"));
}

/// The home is elsewhere: what lies in the directory the test runs in has no say. The hostile
/// files themselves are laid out in the integration tests, which own a process to start there.
#[test]
fn only_the_home_and_the_users_own_place_are_read() {
    let place = Place::new().toml("").file(".env", "");
    let user = tempfile::tempdir().unwrap();
    let base = user.path().to_str().unwrap();
    std::fs::create_dir(user.path().join("exai")).unwrap();
    let own = user.path().join("exai").join("exai.toml");
    atomic::write(&own, b"[logs]\nlevel = 'debug'\n", 0o600).unwrap();
    let named = if cfg!(windows) {
        "APPDATA"
    } else {
        "XDG_CONFIG_HOME"
    };
    let loaded = load(&place.home, &fixed([(named, base)]), &[]).unwrap();
    let root = place.home.root();
    let read = [
        root.join("config").join("exai.toml"),
        own,
        root.join(".env"),
    ];
    if cfg!(not(target_os = "macos")) {
        assert_eq!(loaded.files, read);
        assert_eq!(loaded.settings.logs.level, crate::settings::Level::Debug);
    }
    assert!(loaded.files.iter().all(|file| file.is_absolute()));
}

#[test]
fn budgets_are_dollars_and_a_wrong_one_names_field_and_limit() {
    let place = Place::new().toml("[budgets]\nday_usd = 5\ncall_usd = 0.25\nthread_usd = \"1\"\n");
    let budgets = |env: &[(&str, &str)]| place.load(env).unwrap().settings.budgets;
    let told = budgets(&[("EXAI_BUDGET_CLIENT", "$2.50")]);
    assert_eq!(
        (told.call, told.thread, told.client, told.day),
        (
            Some(250_000),
            Some(1_000_000),
            Some(2_500_000),
            Some(5_000_000)
        )
    );
    assert_eq!(
        (told.warn_percent, told.confirm_above),
        (80, Some(2_000_000))
    );
    // `never` takes back what a lower layer set; an empty variable is nobody's wish.
    let never = [
        ("EXAI_BUDGET_DAY", "never"),
        ("EXAI_CONFIRM_ABOVE", "never"),
        ("EXAI_BUDGET_CALL", ""),
    ];
    let told = budgets(&never);
    assert_eq!(
        (told.day, told.confirm_above, told.call),
        (None, None, Some(250_000))
    );
    let faults = place.faults(&[
        ("EXAI_BUDGET_DAY", "-1"),
        ("EXAI_BUDGET_WARN_PERCENT", "101"),
    ]);
    assert_eq!(
        faults,
        [
            "EXAI_BUDGET_DAY: `-1` is not allowed; expected US dollars from 0 to 1000000, such as 0.50, or never",
            "EXAI_BUDGET_WARN_PERCENT: `101` is not allowed; expected a whole number from 1 to 100",
        ]
    );
    let warnings = place.warnings(&[("EXAI_BUDGET_CALL", "9")]);
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("budgets.call_usd") && w.contains("budgets.day_usd")),
        "{warnings:?}"
    );
}
