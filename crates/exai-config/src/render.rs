//! The table of settings as files: `.env.example`, `config/exai.toml`, and the tables in
//! `config/README.md`. A test holds the committed files to these functions; run it with
//! `UPDATE_RENDERED=1` to rewrite them after a change of the table.

use crate::keys::{self, Key, Kind, OTHER_NAMES};
use std::fmt::Write as _;

const WIDTH: usize = 96;

/// `.env.example`.
#[must_use]
pub fn render_example_env() -> String {
    let mut out = String::from(
        "# Settings of exai as environment variables, each at its default. Copy to `.env` in the\n\
         # home and take the `#` from a line to change it. Keep the file to yourself (chmod 600) if\n\
         # it holds a token. Precedence and all details: config/README.md. Made from the table in\n\
         # crates/exai-config/src/keys/table.rs.\n",
    );
    let mut section = "";
    for key in keys::all() {
        heading(&mut out, &mut section, key, |name| {
            format!("# --- {name} ---")
        });
        comment(&mut out, &about(key));
        let _ = writeln!(out, "#{}={}", key.env[0], quoted(key.default));
    }
    out.push_str(
        "\n# --- where settings come from: process environment only, never this file ---\n",
    );
    for (name, doc) in OTHER_NAMES {
        comment(&mut out, &format!("{name}: {doc}"));
    }
    out
}

/// `config/exai.toml`.
#[must_use]
pub fn render_default_toml() -> String {
    let mut out = String::from(
        "# Settings of exai, each at its default. Take the `#` from a line to change it. Read from\n\
         # the home, by the daemon and the shim; the environment wins over this file. Details:\n\
         # config/README.md. Made from the table in crates/exai-config/src/keys/table.rs.\n",
    );
    let mut section = "";
    for key in keys::all() {
        heading(&mut out, &mut section, key, |name| format!("[{name}]"));
        comment(&mut out, &about(key));
        let (_, name) = key.split();
        if key.env_only {
            comment(
                &mut out,
                &format!("`{name}` is set with {} only, never here.", key.env[0]),
            );
        } else {
            let _ = writeln!(out, "#{name} = {}", toml_literal(key));
        }
    }
    out
}

/// The table of settings in `config/README.md`.
#[must_use]
pub fn render_settings_table() -> String {
    let mut out = String::from(
        "| setting | environment | default | allowed | for | meaning |\n|---|---|---|---|---|---|\n",
    );
    for key in keys::all() {
        let names: Vec<String> = key.env.iter().map(|name| format!("`{name}`")).collect();
        let default = match key.default {
            "" => "not set".to_owned(),
            default => format!("`{default}`"),
        };
        let path = match key.env_only {
            true => format!("`{}` (environment only)", key.path),
            false => format!("`{}`", key.path),
        };
        let (names, allowed) = (names.join(", old: "), key.allowed());
        let _ = writeln!(
            out,
            "| {path} | {names} | {default} | {allowed} | {} | {} |",
            key.reader, key.doc
        );
    }
    out
}

/// The table of the other names in `config/README.md`.
#[must_use]
pub fn render_other_names() -> String {
    let mut out = String::from("| environment | meaning |\n|---|---|\n");
    for (name, doc) in OTHER_NAMES {
        let _ = writeln!(out, "| `{name}` | {doc} |");
    }
    out
}

fn about(key: &Key) -> String {
    let old = match key.env {
        [_, old @ ..] if !old.is_empty() => format!(" Old name: {}.", old.join(", ")),
        _ => String::new(),
    };
    format!("{} Allowed: {}.{old}", key.doc, key.allowed())
}

fn heading(out: &mut String, section: &mut &'static str, key: &Key, line: impl Fn(&str) -> String) {
    let (name, _) = key.split();
    if *section != name {
        *section = name;
        let _ = writeln!(out, "\n{}", line(name));
    }
}

fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(out, "{line}");
}

fn quoted(value: &str) -> String {
    if value.contains(' ') {
        format!("\"{value}\"")
    } else {
        value.to_owned()
    }
}

fn toml_literal(key: &Key) -> String {
    let bare = !key.kind.is_text() && key.default.parse::<f64>().is_ok()
        || matches!(key.kind, Kind::Switch { .. });
    match (&key.kind, key.default) {
        (Kind::Names { .. } | Kind::Rates { .. }, names) => {
            let quoted = names.split(',').filter(|name| !name.is_empty());
            format!(
                "[{}]",
                quoted
                    .map(|name| format!("\"{name}\""))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        (_, default) if bare => default.to_owned(),
        (_, default) => format!("\"{default}\""),
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
