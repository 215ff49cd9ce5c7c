//! `eval`: how many seeded defects a model finds through our own tools, how many it invents, and
//! what a hit costs. The same files, the same tools and the same road as everybody's calls.

mod cases;
mod score;

use super::{
    Interrupts,
    call::{follow, live::Live, show::Progress},
    chat::answer,
};
use crate::{
    cli::Eval,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output::{self, Ticker, Tone, paint},
};
use anyhow::{Context as _, Result};
use cases::Case;
use exai_client::Client;
use exai_protocol::call::CallToolRes;
use score::{Score, Verdict};
use serde_json::{Value, json};
use std::path::Path;

const TASK: &str = "Review this file for real defects: what makes it wrong, unsafe or leak. No \
     style, no wishes. List each defect on a line of its own, exactly like this: FINDING \
     file:line: what is wrong. Where there is none, write NO FINDINGS.";

pub(super) async fn run(context: &Context, options: &Eval) -> Result<Code> {
    let fits = |case: &Case| {
        options.only.is_empty()
            || options
                .only
                .iter()
                .any(|word| case.language == word || case.name.contains(word.as_str()))
    };
    let cases: Vec<Case> = cases::all().into_iter().filter(fits).collect();
    if cases.is_empty() {
        let why = "no file of that name or language; `exai-daemon eval --list` names them";
        return Err(exit::USAGE.because(why));
    }
    if options.list {
        return list(&cases, options.json);
    }
    let connection = Connection::named(context, "exai-daemon-eval").await?;
    let code = judge(&connection.client, options, &cases).await;
    connection.close().await;
    code
}

fn list(cases: &[Case], json: bool) -> Result<Code> {
    if json {
        output::json(&cases)?;
        return Ok(exit::OK);
    }
    for case in cases {
        let line = case
            .line
            .map_or_else(String::new, |line| format!(":{line}"));
        output::line(format!("{}  {}{line}  {}", case.name, case.file, case.what))?;
    }
    Ok(exit::OK)
}

async fn judge(client: &Client, options: &Eval, cases: &[Case]) -> Result<Code> {
    let folder = tempfile::tempdir().context("no room for the files to be reviewed")?;
    let root = folder.path().canonicalize()?;
    let (mut interrupts, mut ticker) = (Interrupts::new(), Ticker::new());
    let (mut verdicts, mut usd) = (Vec::new(), Some(0.0));
    for (at, case) in cases.iter().enumerate() {
        ticker.show(&format!("{} of {}: {}", at + 1, cases.len(), case.name));
        let Some(result) = one(client, options, case, &root, &mut interrupts).await? else {
            ticker.clear();
            return Ok(exit::CANCELLED);
        };
        if at == 0 && result.error.is_some() {
            // Without a key the rest would only say the same.
            ticker.clear();
            return Ok(follow::code(result.error.as_ref()));
        }
        usd = usd.zip(price(&result)).map(|(sum, more)| sum + more);
        verdicts.push(verdict(case, &result));
    }
    ticker.clear();
    tell(options, cases, &verdicts, &Score::of(cases, &verdicts, usd))
}

async fn one(
    client: &Client,
    options: &Eval,
    case: &Case,
    root: &Path,
    interrupts: &mut Interrupts,
) -> Result<Option<CallToolRes>> {
    let folder = root.join(&case.name);
    std::fs::create_dir(&folder)?;
    exai_config::atomic::write(&folder.join(&case.file), case.code.as_bytes(), 0o600)?;
    let mut arguments = json!({
        "step": TASK, "step_number": 1, "total_steps": 1, "next_step_required": false,
        "relevant_files": [case.file],
        "use_assistant_model": true, "confirm_cost": options.yes,
    });
    if let Some(model) = &options.model {
        arguments["model"] = json!(model);
    }
    let mut spec = follow::spec(client, &options.tool, &arguments)?;
    spec.roots = Some(vec![folder.display().to_string()]);
    let stream = client.operate(spec).await;
    let mut progress = Progress::new(&options.tool, true);
    follow::follow(stream, interrupts, &mut progress, &mut Live::new(false)).await
}

fn verdict(case: &Case, result: &CallToolRes) -> Verdict {
    match (&result.error, answer::words(result)) {
        (None, Some(words)) => Verdict::of(case, &words),
        (None, None) => Verdict::failed(case, "no model judged it".to_owned()),
        (Some(error), _) => Verdict::failed(case, error.to_string()),
    }
}

fn price(result: &CallToolRes) -> Option<f64> {
    let usage: Value = serde_json::from_str(result.usage.as_deref()?.get()).ok()?;
    usage["price"]["usd"].as_f64()
}

fn tell(options: &Eval, cases: &[Case], verdicts: &[Verdict], score: &Score) -> Result<Code> {
    if options.json {
        output::json(&json!({ "score": score, "verdicts": verdicts }))?;
        return Ok(exit::OK);
    }
    for (case, verdict) in cases.iter().zip(verdicts) {
        let (tone, word) = match (verdict, case.line) {
            (
                Verdict {
                    failed: Some(_), ..
                },
                _,
            ) => (Tone::Warning, "failed"),
            (Verdict { hit: true, .. }, _) => (Tone::Good, "found"),
            (_, Some(_)) => (Tone::Bad, "missed"),
            (
                Verdict {
                    false_alarms: 0, ..
                },
                None,
            ) => (Tone::Good, "clean"),
            (_, None) => (Tone::Bad, "invented"),
        };
        let why = verdict.failed.as_deref().unwrap_or(&case.what);
        output::line(format!(
            "{}  {}: {}",
            paint(tone, word),
            case.name,
            output::tame(why)
        ))?;
    }
    let rate = score.hit_rate.unwrap_or_default() * 100.0;
    output::line(format!(
        "{} of {} defects found ({rate:.0} %), {} false alarms, {} of {} clean files called faulty{}",
        score.hits,
        score.bugs,
        score.false_alarms,
        score.clean_flagged,
        score.clean,
        match score.failed {
            0 => String::new(),
            failed => format!(", {failed} without a verdict"),
        }
    ))?;
    output::line(match (score.usd, score.usd_per_hit) {
        (Some(usd), Some(each)) => format!("${usd:.4} in all, ${each:.4} a hit"),
        (Some(usd), None) => format!("${usd:.4} in all"),
        (None, _) => "what it cost is not known".to_owned(),
    })?;
    Ok(exit::OK)
}
