//! Every word the manual uses is understood, and nonsense is refused.

use super::*;
use clap::CommandFactory;

fn parsed(words: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once(&"exai-daemon").chain(words))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_documented_words_are_understood() {
    for words in [
        &["run"][..],
        &["start", "--quiet"],
        &["start", "--autostart", "--wait", "2.5"],
        &["stop", "--force"],
        &["restart"],
        &["status", "--json"],
        &["status", "--watch"],
        &["logs", "-f"],
        &["logs", "-n", "5", "--file", "failures"],
        &["logs", "check", "--json"],
        &["tools"],
        &[
            "call", "version", "--arg", "a=1", "--arg", "b=x=y", "--json", "{}",
        ],
        &["ollama", "status"],
        &["ollama", "ps", "--json", "--endpoint", "workstation"],
        &["ollama", "pull", "qwen3:32b"],
        &["ollama", "--json", "show", "hf.co/x/y:Q4_K_M"],
        &["usage"],
        &[
            "usage",
            "--by",
            "day",
            "--since",
            "7d",
            "--until",
            "2026-11-01",
            "--json",
        ],
        &[
            "chat",
            "why",
            "is",
            "it",
            "so?",
            "-m",
            "qwen3:32b",
            "-f",
            "a",
            "-f",
            "b",
        ],
        &[
            "chat", "--image", "p.png", "--effort", "high", "--search", "--yes", "--json",
        ],
        &["chat", "--interactive", "--system", "Be brief."],
        &["chat", "--thread", "0f8fad5b#3", "and now?"],
        &["threads", "list", "--here", "-n", "5", "--json"],
        &["threads", "search", "file", "handle", "--here"],
        &["threads", "show", "0f8fad5b", "--json"],
        &["threads", "rename", "0f8fad5b", "a", "better", "title"],
        &["threads", "export", "a", "b", "--markdown"],
        &["threads", "resume", "0f8fad5b", "-m", "kimi", "and", "now?"],
        &["threads", "delete", "a", "b"],
        &["threads", "import", "a.jsonl"],
        &["models", "--all"],
        &["models", "--json"],
        &["models", "refresh"],
        &["models", "refresh", "glm"],
        &["models", "test", "vendor/model:free", "--json"],
        &["sessions", "--json"],
        &["events", "-f", "--topic", "tool_call_result", "--json"],
        &["smoke"],
        &["bench", "--quick", "--json"],
        &["config", "--origin"],
        &["doctor", "--json"],
        &["doctor", "--fix"],
        &["token", "rotate"],
        &["token", "add", "ci"],
        &["token", "list"],
        &["token", "revoke", "ci"],
        &["mcp-config", "claude-code", "--write"],
        &["mcp-config", "vscode", "--undo"],
        &["completions", "zsh"],
        &["--home", "/h", "status"],
        &["status", "--home", "/h", "--set", "network.port=1"],
    ] {
        assert!(
            parsed(words).is_ok(),
            "{words:?}: {:?}",
            parsed(words).err()
        );
    }
}

#[test]
fn nonsense_is_refused() {
    for words in [
        &["call"][..],
        &["call", "x", "--arg", "novalue"],
        &["start", "--wait", "-1"],
        &["start", "--wait", "NaN"],
        &["chat", "x", "--effort", "huge"],
        &["chat", "x", "--max-output", "0"],
        &["models", "test"],
        &["threads"],
        &["threads", "search"],
        &["threads", "delete"],
        &["models", "--all", "refresh"],
        &["mcp-config", "emacs"],
        &["mcp-config", "vscode", "--write", "--undo"],
        &["bench", "--sessions", "0"],
        &["usage", "--by", "moon"],
        &["ollama"],
        &["ollama", "pull"],
        &[],
    ] {
        assert!(parsed(words).is_err(), "{words:?}");
    }
}
