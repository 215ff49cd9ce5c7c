//! What an agent is asked, and which one: checked before anything runs.

use crate::args::Args;
use exai_engine::{ports::models::EndpointRow, tool::ToolError};
use exai_protocol::Code;

const PLANNER: &str = "Make a plan: steps in their order, what each needs and how one sees that it \
     is done, risks, open questions. Do not begin to carry it out.\n";
const REVIEWER: &str = "Review what you are shown: errors first, each with its file and line, why \
     it is one and how it is mended; then risks. Say so where there is nothing.\n";
const READS: &str = "You work in the folder you were started in. Only read: change, create and \
     delete nothing, there or elsewhere. Your last message is all the asker sees.";
const WRITES: &str = "You work in the folder you were started in, and may change files there and \
     nowhere else. Say at the end what you changed. Your last message is all the asker sees.";

/// See the module.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) prompt: String,
    /// Its endpoint's name.
    pub(super) agent: String,
    /// With the endpoint.
    pub(super) model: String,
    pub(super) role: &'static str,
    /// Why this agent, where the caller named none.
    pub(super) chosen: Option<String>,
    pub(super) files: Vec<String>,
    pub(super) directory: String,
    pub(super) write: bool,
    pub(super) fresh: bool,
    pub(super) thread: Option<String>,
}

impl Asked {
    pub(super) fn of(args: &Args, endpoints: &[EndpointRow]) -> Result<Self, ToolError> {
        let text = |field| -> Result<Option<String>, ToolError> {
            let text = args.text(field)?.map(str::trim);
            Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
        };
        let prompt = args.required_text("prompt")?.to_owned();
        if !args.texts("images")?.is_empty() {
            return Err(ToolError::invalid(
                "'images': an agent opens pictures itself; write their paths into 'prompt'",
            ));
        }
        // The second names are those other servers' agents know.
        let named = text("agent")?.or(text("cli_name")?);
        let (agent, usual) = chosen(endpoints, named.as_deref())?;
        let model = text("model")?;
        let by_name = named.is_some() || model.is_some();
        let model = model.unwrap_or(usual);
        let roles = ["default", "planner", "codereviewer"];
        let mut files = args.texts("files")?;
        files.extend(args.texts("absolute_file_paths")?);
        Ok(Self {
            prompt,
            model: format!("{model}@{agent}"),
            agent,
            role: match args.choice("role", &roles, "default")? {
                "planner" => PLANNER,
                "codereviewer" => REVIEWER,
                _ => "",
            },
            chosen: (!by_name).then(|| "the only agent that can be used".to_owned()),
            files,
            directory: text("directory")?.unwrap_or_else(|| ".".to_owned()),
            write: args.flag("write", false)?,
            fresh: args.flag("fresh", false)?,
            thread: text("continuation_id")?,
        })
    }

    /// Its standing instructions.
    pub(super) fn manners(&self) -> String {
        let may = if self.write { WRITES } else { READS };
        format!("{}{may}", self.role)
    }
}

/// The one that is named, or the only one that can be used; with the name of its usual model.
fn chosen(endpoints: &[EndpointRow], named: Option<&str>) -> Result<(String, String), ToolError> {
    let all: Vec<(&EndpointRow, &String)> = endpoints
        .iter()
        .filter_map(|row| Some((row, row.agent.as_ref()?)))
        .collect();
    let names = |ready: bool| {
        let rows = all.iter().filter(|(row, _)| row.ready || !ready);
        let names: Vec<&str> = rows.map(|(row, _)| row.name.as_str()).collect();
        names.join(", ")
    };
    let taken = |(row, model): &(&EndpointRow, &String)| (row.name.clone(), (*model).clone());
    let Some(name) = named else {
        let ready: Vec<_> = all.iter().filter(|(row, _)| row.ready).collect();
        return match ready.as_slice() {
            [only] => Ok(taken(only)),
            [] => Err(none(&all)),
            _ => Err(ToolError::invalid(format!(
                "'agent' is missing, and several can be used; name one of {}",
                names(true)
            ))),
        };
    };
    let is_it = |row: &EndpointRow| row.name == name || row.name == format!("{name}-cli");
    match all.iter().find(|(row, _)| is_it(row)) {
        None => Err(ToolError::invalid(format!(
            "'agent': there is no '{name}'; config/providers.toml describes {}",
            names(false)
        ))),
        Some(found) if found.0.ready => Ok(taken(found)),
        Some((row, _)) => Err(none(&[(*row, &row.name)])),
    }
}

/// What each would need.
fn none(all: &[(&EndpointRow, &String)]) -> ToolError {
    if all.is_empty() {
        let what = "config/providers.toml describes no agent that works in a folder";
        return ToolError::new(Code::Unavailable, format!("{what}; nothing was run"));
    }
    let lacks = all.iter().map(|(row, _)| {
        let lacks = row.lacks.as_deref().unwrap_or("it cannot be used now");
        format!("{}: {lacks}", row.name)
    });
    let lacks: Vec<String> = lacks.collect();
    let what = format!(
        "no such agent can be used, and nothing was run. {}",
        lacks.join("; ")
    );
    ToolError::new(Code::Unavailable, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::call;

    fn row(name: &str, ready: bool) -> EndpointRow {
        EndpointRow {
            name: name.to_owned(),
            agent: name.ends_with("-cli").then(|| "default".to_owned()),
            lacks: (!ready).then(|| format!("set providers.{name}.enabled = true")),
            ready,
            ..EndpointRow::default()
        }
    }

    fn asked(json: &str, endpoints: &[EndpointRow]) -> Result<Asked, String> {
        let args = Args::of(&call(json)).unwrap();
        Asked::of(&args, endpoints).map_err(|error| error.message)
    }

    #[test]
    fn an_agent_is_named_or_the_only_one() {
        let one = [
            row("claude-cli", true),
            row("codex-cli", false),
            row("glm", true),
        ];
        let got = asked(r#"{"prompt":"p"}"#, &one).unwrap();
        assert_eq!(
            (&*got.agent, &*got.model),
            ("claude-cli", "default@claude-cli")
        );
        assert!(
            got.chosen.is_some(),
            "nobody is said to have asked for it by name"
        );
        assert!(!got.write && got.manners().contains("Only read"));
        let got = asked(r#"{"prompt":"p","cli_name":"claude","model":"m"}"#, &one).unwrap();
        assert_eq!(got.model, "m@claude-cli");
        assert_eq!(got.chosen, None);
        let two = [row("a-cli", true), row("b-cli", true)];
        let none = [row("a-cli", false)];
        for (json, endpoints, expected) in [
            (
                r#"{"prompt":"p","agent":"codex"}"#,
                &one[..],
                "providers.codex-cli.enabled = true",
            ),
            (
                r#"{"prompt":"p","agent":"x"}"#,
                &one,
                "describes claude-cli, codex-cli",
            ),
            (r#"{"prompt":"p","agent":"glm"}"#, &one, "there is no 'glm'"),
            (r#"{"prompt":"p"}"#, &two, "name one of a-cli, b-cli"),
            (r#"{"prompt":"p"}"#, &none, "providers.a-cli.enabled = true"),
            (r#"{"prompt":"p","images":["a.png"]}"#, &one, "'images'"),
            (r#"{"prompt":"p","role":"x"}"#, &one, "'role'"),
        ] {
            let error = asked(json, endpoints).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
