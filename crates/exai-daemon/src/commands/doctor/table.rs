//! The home's table of MCP clients, where there is one: a fault there is told by each window's shim,
//! where few people look.

use super::Check;
use exai_config::{Home, clients};

const NAME: &str = "table";

/// Nothing where the home has no such file.
pub(super) fn check(home: &Home) -> Option<Check> {
    let file = home.clients_file();
    if !file.exists() {
        return None;
    }
    let shown = file.display().to_string();
    Some(match clients::read(&file) {
        Ok(clients) => Check::ok(NAME, format!("{shown}: {} known", clients.keys().count())),
        Err(fault) => {
            let fix = format!(
                "correct {shown}, or remove it; until then windows use what was known before"
            );
            Check::warn(NAME, fault, fix)
                .because("calls may outlast the patience of the client they are for")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn r45_a_fault_is_found_and_gone_once_it_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert!(check(&home).is_none());
        let file = home.clients_file();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let write = |text: &str| exai_config::atomic::write(&file, text.as_bytes(), 0o600).unwrap();
        write("[clients.codex]\ncall_sec = 3\n");
        let found = check(&home).unwrap();
        assert_eq!(found.verdict, Verdict::Warn);
        assert!(found.found.contains("clients.toml") && found.found.contains("call_sec"));
        write("[clients.codex]\ncall_secs = 3\n");
        assert_eq!(check(&home).unwrap().verdict, Verdict::Ok);
    }
}
