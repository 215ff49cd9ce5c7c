//! The committed files are the table, and what they show as defaults are the defaults.

use super::*;
use crate::{Home, Settings, load, strings::fixed};
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a committed file with what it should be; with `UPDATE_RENDERED=1`, rewrites it.
fn committed(path: &str, expected: &str) {
    let path = repository().join(path);
    let current = std::fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    if current == expected {
        return;
    }
    if std::env::var_os("UPDATE_RENDERED").is_some() {
        crate::atomic::write(&path, expected.as_bytes(), 0o644).unwrap();
        return;
    }
    let differs = current
        .lines()
        .zip(expected.lines())
        .position(|(a, b)| a != b);
    panic!(
        "{} differs from the table of settings from line {:?} on; run \
         `UPDATE_RENDERED=1 cargo test -p exai-config rendered` and look at the difference",
        path.display(),
        differs.map(|line| line + 1)
    );
}

#[test]
fn rendered_env_example_is_committed() {
    committed(".env.example", &render_example_env());
}

#[test]
fn rendered_toml_is_committed() {
    committed("config/exai.toml", &render_default_toml());
}

#[test]
fn rendered_tables_stand_in_the_readme() {
    let path = "config/README.md";
    let readme = std::fs::read_to_string(repository().join(path))
        .unwrap()
        .replace("\r\n", "\n");
    let readme = between(&readme, "settings", &render_settings_table());
    committed(path, &between(&readme, "names", &render_other_names()));
}

/// The text with what stands between `<!-- table: name -->` and `<!-- end -->` replaced.
fn between(text: &str, name: &str, table: &str) -> String {
    let opening = format!("<!-- table: {name} -->\n");
    let (before, rest) = text
        .split_once(&opening)
        .expect("the README has the opening mark");
    let (_, after) = rest
        .split_once("<!-- end -->")
        .expect("the README has the closing mark");
    format!("{before}{opening}{table}<!-- end -->{after}")
}

#[test]
fn every_setting_is_in_both_files() {
    let (env, toml) = (render_example_env(), render_default_toml());
    for key in keys::all() {
        assert!(
            env.contains(&format!("\n#{}=", key.env[0])),
            "{} in .env.example",
            key.env[0]
        );
        let (_, name) = key.split();
        let line = if key.env_only {
            format!("`{name}`")
        } else {
            format!("\n#{name} = ")
        };
        assert!(toml.contains(&line), "{} in exai.toml", key.path);
    }
}

/// With every `#` taken away the files still parse, warn of nothing and change nothing.
#[test]
fn the_documented_defaults_are_the_defaults() {
    let uncomment = |text: &str| -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with([' ', '-']) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    };
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path());
    std::fs::create_dir(dir.path().join("config")).unwrap();
    let toml = uncomment(&render_default_toml());
    crate::atomic::write(&home.config_file(), toml.as_bytes(), 0o600).unwrap();
    let loaded = load(&home, &fixed([]), &[]).unwrap();
    assert!(loaded.settings == Settings::defaults());
    assert_eq!(loaded.warnings, Vec::<String>::new());

    std::fs::remove_file(home.config_file()).unwrap();
    let env = uncomment(&render_example_env()).replace("EXAI_WS_TOKEN=\n", "");
    crate::atomic::write(&dir.path().join(".env"), env.as_bytes(), 0o600).unwrap();
    let loaded = load(&home, &fixed([]), &[]).unwrap();
    assert!(loaded.settings == Settings::defaults());
    assert_eq!(loaded.warnings, Vec::<String>::new());
}
