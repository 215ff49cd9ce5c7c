//! `config`: every setting in force and, where asked for, where it came from.

use crate::{
    cli::Config,
    context::Context,
    exit::{self, Code},
    output,
};
use anyhow::Result;
use exai_config::Loaded;
use serde_json::{Value, json};

pub(super) fn run(context: &Context, options: Config) -> Result<Code> {
    if options.json {
        output::json(&as_json(context))?;
    } else {
        output::hint(format!("home {}", context.home.root().display()));
        for file in &context.loaded.files {
            output::hint(format!("read {}", file.display()));
        }
        for line in output::columns(&rows(&context.loaded, options.origin)) {
            output::line(line)?;
        }
    }
    context.loaded.warnings.iter().for_each(output::warning);
    Ok(exit::OK)
}

fn rows(loaded: &Loaded, with_origin: bool) -> Vec<Vec<String>> {
    let row = |origin: &exai_config::Origin| {
        let mut row = vec![origin.key.clone(), origin.value_shown.clone()];
        if with_origin {
            row.push(origin.origin.to_string());
        }
        row
    };
    loaded.origins.iter().map(row).collect()
}

fn as_json(context: &Context) -> Value {
    let setting = |origin: &exai_config::Origin| json!({"key": origin.key, "value": origin.value_shown, "origin": origin.origin.to_string()});
    let loaded = &context.loaded;
    json!({
        "home": context.home.root(),
        "files": loaded.files,
        "settings": loaded.origins.iter().map(setting).collect::<Vec<_>>(),
        "warnings": loaded.warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::{Home, strings::fixed};

    #[test]
    fn p20_values_are_shown_with_their_origin_and_secrets_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let env = fixed([("EXAI_WS_PORT", "9001"), ("EXAI_WS_TOKEN", "s3cret-token")]);
        let loaded =
            exai_config::load(&home, &env, &[]).unwrap_or_else(|_| panic!("sound settings"));
        let rows = rows(&loaded, true);
        let port = rows.iter().find(|row| row[0] == "network.port").unwrap();
        assert_eq!(port[1..], ["9001", "environment (EXAI_WS_PORT)"]);
        assert!(!format!("{rows:?}").contains("s3cret"));
        let context = Context {
            home,
            loaded,
            overrides: Vec::new(),
        };
        let text = as_json(&context).to_string();
        assert!(
            text.contains("EXAI_WS_TOKEN") && !text.contains("s3cret"),
            "{text}"
        );
    }
}
