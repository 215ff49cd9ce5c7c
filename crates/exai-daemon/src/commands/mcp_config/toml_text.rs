//! The same for Codex' TOML: one section put at the end or replaced in place, by lines. The
//! result is parsed and compared before anybody writes it.

use super::{clients::Entry, json_text::Unfit};
use serde_json::Value;
use toml::Table;

const SECTION: &str = "mcp_servers.exai";
/// Codex gives up on a server that is not there by then.
const STARTUP_SECS: u64 = 20;

/// The section as it is written.
pub(super) fn section(entry: &Entry) -> String {
    // A JSON string is a TOML basic string: the escapes are the same.
    let quoted = |text: &str| Value::from(text).to_string();
    let mut text = format!(
        "[{SECTION}]\ncommand = {}\nargs = []\nstartup_timeout_sec = {STARTUP_SECS}\n\
         tool_timeout_sec = {}\n",
        quoted(&entry.command),
        entry.limit_secs
    );
    if !entry.env.is_empty() {
        text.push_str(&format!("\n[{SECTION}.env]\n"));
    }
    for (name, value) in &entry.env {
        text.push_str(&format!("{name} = {}\n", quoted(value)));
    }
    text
}

/// The text with the section in it.
pub(super) fn insert(text: &str, section: &str) -> Result<String, Unfit> {
    let before = parsed(text)?;
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let section = section.replace('\n', ending);
    let after = match lines_of(text) {
        Some((start, end)) => {
            let gap = if text[end..].is_empty() { "" } else { ending };
            format!("{}{section}{gap}{}", &text[..start], &text[end..])
        }
        None if text.is_empty() => section,
        None => {
            let newline = if text.ends_with('\n') { "" } else { ending };
            format!("{text}{newline}{ending}{section}")
        }
    };
    same_but_for_ours(&before, &parsed(&after)?)?;
    Ok(after)
}

/// The section as it stands there, if it does.
pub(super) fn find(text: &str) -> Result<Option<String>, Unfit> {
    parsed(text)?;
    Ok(lines_of(text).map(|(start, end)| {
        let section = text[start..end].replace("\r\n", "\n");
        format!("{}\n", section.trim_end())
    }))
}

/// The text without the section; `None` when there is none.
pub(super) fn remove(text: &str) -> Result<Option<String>, Unfit> {
    let before = parsed(text)?;
    let Some((start, end)) = lines_of(text) else {
        return Ok(None);
    };
    let after = format!("{}{}", &text[..start], &text[end..]);
    same_but_for_ours(&before, &parsed(&after)?)?;
    Ok(Some(after))
}

fn parsed(text: &str) -> Result<Table, Unfit> {
    text.trim_start_matches('\u{feff}')
        .parse::<Table>()
        .map_err(|error| {
            Unfit(format!(
                "it is not the TOML it should be: {}",
                error.message()
            ))
        })
}

/// Guards the editing by lines against texts it does not understand, such as a header inside
/// a string of several lines.
fn same_but_for_ours(before: &Table, after: &Table) -> Result<(), Unfit> {
    let stripped = |table: &Table| {
        let mut table = table.clone();
        if let Some(toml::Value::Table(servers)) = table.get_mut("mcp_servers") {
            servers.remove("exai");
            if servers.is_empty() {
                table.remove("mcp_servers");
            }
        }
        table
    };
    if stripped(before) == stripped(after) {
        return Ok(());
    }
    Err(Unfit(
        "its layout does not allow to change one section alone".to_owned(),
    ))
}

/// From our first header to the next foreign one.
fn lines_of(text: &str) -> Option<(usize, usize)> {
    let (mut start, mut end, mut at) = (None, text.len(), 0);
    for line in text.split_inclusive('\n') {
        if let Some(header) = header(line) {
            let ours = header == SECTION || header.starts_with(&format!("{SECTION}."));
            if ours {
                start.get_or_insert(at);
            } else if start.is_some() {
                end = at;
                break;
            }
        }
        at += line.len();
    }
    start.map(|start| (start, end))
}

/// `[a."b"]` as `a.b`.
fn header(line: &str) -> Option<String> {
    let line = line.trim();
    let inside = line.strip_prefix('[')?;
    let inside = &inside[..inside.rfind(']')?];
    let bare = |c: char| !matches!(c, '"' | '\'' | ' ' | '\t' | '[' | ']');
    Some(inside.chars().filter(|c| bare(*c)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(home: Option<&str>) -> Entry {
        Entry {
            command: "C:\\exai \"x\"\\exai-shim.exe".to_owned(),
            env: home
                .map(|home| ("EXAI_HOME".to_owned(), home.to_owned()))
                .into_iter()
                .collect(),
            limit_secs: 660,
        }
    }

    #[test]
    fn the_section_is_toml_with_our_values() {
        let table = parsed(&section(&entry(Some("/h ü")))).unwrap();
        let ours = &table["mcp_servers"]["exai"];
        assert_eq!(
            ours["command"].as_str(),
            Some("C:\\exai \"x\"\\exai-shim.exe")
        );
        assert_eq!(ours["tool_timeout_sec"].as_integer(), Some(660));
        assert_eq!(ours["env"]["EXAI_HOME"].as_str(), Some("/h ü"));
    }

    #[test]
    fn it_goes_to_the_end_and_comes_out_again() {
        let before = "# mine\nmodel = \"x\"\n\n[mcp_servers.other]\ncommand = \"o\" # stays";
        let after = insert(before, &section(&entry(Some("/h")))).unwrap();
        assert!(
            after.starts_with(before) && after.contains("\n\n[mcp_servers.exai]\n"),
            "{after}"
        );
        let back = remove(&after).unwrap().unwrap();
        assert_eq!(back.trim_end(), before);
        assert_eq!(find(&after).unwrap().unwrap(), section(&entry(Some("/h"))));
        assert_eq!(find(before).unwrap(), None);
    }

    #[test]
    fn it_is_replaced_where_it_stands() {
        let before = "[mcp_servers.exai]\ncommand = \"old\"\n[mcp_servers.\"exai\".env]\nA = \"b\"\n\n[tui]\nx = 1\n";
        let after = insert(before, &section(&entry(None))).unwrap();
        assert!(
            after.starts_with("[mcp_servers.exai]\n") && after.ends_with("\n\n[tui]\nx = 1\n"),
            "{after}"
        );
        assert!(!after.contains("old") && !after.contains("A = "), "{after}");
    }

    #[test]
    fn what_cannot_be_edited_by_lines_is_left_alone() {
        for text in [
            "mcp_servers = { other = { command = \"o\" } }\n",
            "x = '''\n[mcp_servers.exai]\n'''\n[a]\n",
            "not toml",
        ] {
            assert!(insert(text, &section(&entry(None))).is_err(), "{text}");
        }
    }
}
