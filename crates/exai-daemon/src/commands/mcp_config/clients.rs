//! What each MCP client wants: which file, under which key, in which shape. Every client has
//! its own idea, and a wrong root key is the classic way to have no tools and no error.

use super::{json_text, toml_text};
use crate::{cli::McpClient, exit};
use anyhow::Result;
use clap::ValueEnum;
use exai_config::Strings;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Our name in every client: short, because clients put it before each tool's name and cut.
pub(super) const SERVER: &str = "exai";

/// What is to be started.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The shim, absolute: clients have their own idea of PATH.
    pub(super) command: String,
    /// What the shim must be told, because a window does not have the environment of a shell.
    pub(super) env: Vec<(String, String)>,
    /// What a client should wait for a call: the daemon's own limit and a little.
    pub(super) limit_secs: u64,
}

/// Where an entry goes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) client: McpClient,
    pub(super) file: PathBuf,
}

/// For people.
pub(super) fn name(client: McpClient) -> &'static str {
    match client {
        McpClient::Auggie => "Auggie",
        McpClient::Vscode => "VS Code",
        McpClient::ClaudeCode => "Claude Code",
        McpClient::ClaudeDesktop => "Claude Desktop",
        McpClient::Codex => "Codex",
        McpClient::Cursor => "Cursor",
        McpClient::Gemini => "Gemini CLI",
        McpClient::Opencode => "opencode",
    }
}

/// As on the command line.
pub(super) fn word(client: McpClient) -> String {
    client
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

/// The client's own file of this user, or the one that was named.
pub(super) fn place(client: McpClient, named: Option<&Path>, env: &dyn Strings) -> Result<Place> {
    let file = match named {
        Some(file) => Some(std::path::absolute(file)?),
        None => usual_file(client, env),
    };
    let nowhere = || {
        let variable = if cfg!(windows) {
            "USERPROFILE or APPDATA"
        } else {
            "HOME"
        };
        exit::FAILURE.because(format!(
            "{} is not set, so the file of {} is not known; name it with --file",
            variable,
            name(client)
        ))
    };
    Ok(Place {
        client,
        file: file.ok_or_else(nowhere)?,
    })
}

fn usual_file(client: McpClient, env: &dyn Strings) -> Option<PathBuf> {
    let home = || env.path(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
    let below_home = |path: &str| Some(home()?.join(path));
    match client {
        McpClient::Auggie => below_home(".augment/settings.json"),
        McpClient::Vscode => Some(app_data(env)?.join("Code").join("User").join("mcp.json")),
        McpClient::ClaudeCode => match env.path("CLAUDE_CONFIG_DIR") {
            Some(dir) => Some(dir.join(".claude.json")),
            None => below_home(".claude.json"),
        },
        McpClient::ClaudeDesktop => Some(
            app_data(env)?
                .join("Claude")
                .join("claude_desktop_config.json"),
        ),
        McpClient::Codex => match env.path("CODEX_HOME") {
            Some(dir) => Some(dir.join("config.toml")),
            None => below_home(".codex/config.toml"),
        },
        McpClient::Cursor => below_home(".cursor/mcp.json"),
        McpClient::Gemini => below_home(".gemini/settings.json"),
        McpClient::Opencode => {
            let config = env
                .path("XDG_CONFIG_HOME")
                .or_else(|| below_home(".config"))?;
            let (plain, commented) = (
                config.join("opencode/opencode.json"),
                config.join("opencode/opencode.jsonc"),
            );
            Some(if commented.exists() && !plain.exists() {
                commented
            } else {
                plain
            })
        }
    }
}

/// Where desktop programs keep their users' settings. Windows and macOS: written from their
/// documentation, not run here.
fn app_data(env: &dyn Strings) -> Option<PathBuf> {
    if cfg!(windows) {
        env.path("APPDATA")
    } else if cfg!(target_os = "macos") {
        Some(
            env.path("HOME")?
                .join("Library")
                .join("Application Support"),
        )
    } else {
        env.path("XDG_CONFIG_HOME")
            .or_else(|| Some(env.path("HOME")?.join(".config")))
    }
}

/// The keys from the root of a JSON file to the object that holds servers.
pub(super) fn root_keys(client: McpClient) -> &'static [&'static str] {
    match client {
        McpClient::Vscode => &["servers"],
        McpClient::Opencode => &["mcp"],
        _ => &["mcpServers"],
    }
}

/// The entry in a JSON client's shape.
pub(super) fn json_entry(client: McpClient, entry: &Entry) -> Value {
    let millis = entry.limit_secs.saturating_mul(1000);
    let mut value = match client {
        McpClient::Opencode => {
            json!({"type": "local", "command": [entry.command], "enabled": true, "timeout": millis})
        }
        McpClient::Vscode | McpClient::ClaudeCode => {
            json!({"type": "stdio", "command": entry.command, "args": []})
        }
        McpClient::Gemini => json!({"command": entry.command, "args": [], "timeout": millis}),
        _ => json!({"command": entry.command, "args": []}),
    };
    if !entry.env.is_empty() {
        let key = if client == McpClient::Opencode {
            "environment"
        } else {
            "env"
        };
        for (name, text) in &entry.env {
            value[key][name] = json!(text);
        }
    }
    value
}

/// What a person pastes.
pub(super) fn snippet(client: McpClient, entry: &Entry) -> String {
    if client == McpClient::Codex {
        return toml_text::section(entry);
    }
    json_text::insert("", root_keys(client), SERVER, &json_entry(client, entry)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::strings::fixed;

    fn entry() -> Entry {
        Entry {
            command: "/path/to/exai-shim".to_owned(),
            env: vec![("EXAI_HOME".to_owned(), "/path/to/home".to_owned())],
            limit_secs: 660,
        }
    }

    #[test]
    fn r15_the_server_key_leaves_room_for_tool_names() {
        assert!(SERVER.len() <= 12);
        for client in McpClient::value_variants() {
            assert!(snippet(*client, &entry()).contains(SERVER), "{client:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn every_client_has_its_own_file() {
        let env = fixed([("HOME", "/h")]);
        let file = |client| usual_file(client, &env).unwrap().display().to_string();
        assert_eq!(file(McpClient::Auggie), "/h/.augment/settings.json");
        assert_eq!(file(McpClient::Vscode), "/h/.config/Code/User/mcp.json");
        assert_eq!(file(McpClient::ClaudeCode), "/h/.claude.json");
        assert_eq!(
            file(McpClient::ClaudeDesktop),
            "/h/.config/Claude/claude_desktop_config.json"
        );
        assert_eq!(file(McpClient::Codex), "/h/.codex/config.toml");
        assert_eq!(file(McpClient::Cursor), "/h/.cursor/mcp.json");
        assert_eq!(file(McpClient::Gemini), "/h/.gemini/settings.json");
        assert_eq!(
            file(McpClient::Opencode),
            "/h/.config/opencode/opencode.json"
        );
        let moved = fixed([
            ("CODEX_HOME", "/c"),
            ("HOME", "/h"),
            ("XDG_CONFIG_HOME", "/x"),
        ]);
        let file = |client| usual_file(client, &moved).unwrap().display().to_string();
        assert_eq!(file(McpClient::Codex), "/c/config.toml");
        assert_eq!(file(McpClient::Vscode), "/x/Code/User/mcp.json");
        for client in McpClient::value_variants() {
            assert!(place(*client, None, &fixed([])).is_err(), "{client:?}");
        }
    }

    #[test]
    fn the_home_is_named_only_where_it_must_be() {
        let bare = Entry {
            env: Vec::new(),
            ..entry()
        };
        for client in McpClient::value_variants() {
            assert!(
                snippet(*client, &entry()).contains("EXAI_HOME"),
                "{client:?}"
            );
            assert!(!snippet(*client, &bare).contains("EXAI_HOME"), "{client:?}");
        }
    }

    /// `config/clients/` shows what this module makes; UPDATE_RENDERED=1 rewrites it.
    #[test]
    fn p27_the_shipped_examples_are_made_here() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/clients");
        for client in McpClient::value_variants() {
            let name = word(*client);
            let kind = if *client == McpClient::Codex {
                "toml"
            } else {
                "json"
            };
            let path = dir.join(format!("{name}.{kind}"));
            let made = snippet(*client, &entry());
            if std::env::var_os("UPDATE_RENDERED").is_some() {
                std::fs::create_dir_all(&dir).unwrap();
                exai_config::atomic::write(&path, made.as_bytes(), 0o644).unwrap();
            }
            let shipped = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(shipped, made, "{}", path.display());
        }
    }
}
