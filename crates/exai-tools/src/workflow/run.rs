//! One step from its arguments to its answer: placed in its conversation, looked at, decided
//! on, judged where it is the last, kept, told. Nothing of it happens by itself: whoever called
//! decides on the next.

use super::{
    changes,
    envelope::{self, Told},
    evidence::Evidence,
    expert::{self, Judgement, Matter},
    guidance::{Guidance, View},
    kind::{Expert, Hold, Kind},
    ladder::{self, Verdict, Why},
    next,
    place::{self, Place},
    step::{Order, Step},
    verdict::Answered,
};
use crate::{args::Args, change::Change, kind::on_a_thread, request, wish};
use exai_engine::{
    ports::{
        models::{Models, Wish},
        threads::{Said, Threads},
    },
    tool::{ToolCall, ToolError, ToolOutput},
};
use serde_json::{Map, json};

/// What is known of a step once it has its place.
pub(super) struct Run<'a> {
    pub(super) kind: &'a Kind,
    pub(super) step: Step,
    pub(super) place: Place,
    pub(super) evidence: Evidence,
    /// What git says, where that was read.
    pub(super) change: Option<Change>,
}

impl Run<'_> {
    fn view(&self) -> View<'_> {
        View {
            step: &self.step,
            all: &self.place.all,
            written: self.kind.written.as_ref(),
        }
    }
}

/// Whom a step may ask.
pub(super) struct Ports<'a> {
    pub(super) models: &'a dyn Models,
    pub(super) threads: &'a dyn Threads,
    pub(super) call: &'a ToolCall,
}

/// See the module.
pub(super) async fn step(
    kind: &Kind,
    models: &dyn Models,
    threads: &dyn Threads,
    call: &ToolCall,
) -> Result<ToolOutput, ToolError> {
    let ports = Ports {
        models,
        threads,
        call,
    };
    let args = Args::of(call)?;
    let read = Step::of(kind, &args)?;
    take(kind, &ports, args, read).await
}

/// Takes a step that was read.
pub(super) async fn take(
    kind: &Kind,
    ports: &Ports<'_>,
    args: Args,
    (mut step, order): (Step, Order),
) -> Result<ToolOutput, ToolError> {
    let Ports { threads, call, .. } = *ports;
    // What cannot be wished for is refused before anything of the step is kept.
    wish::of(&args, kind.name)?;
    args.flag("use_assistant_model", true)?;
    let id = args.text("continuation_id")?.map(str::trim);
    let open = threads.open(call, id.filter(|id| !id.is_empty())).await?;
    let mut place = place::of(kind, threads, call, open, (&mut step, &order)).await?;
    let args = args.or(place.all.wishes());
    let mut wish = wish::of(&args, kind.name)?;
    if let Some(written) = &kind.written {
        written.refuse(&step, &place.all)?;
        written.wish(&mut wish);
    }
    let wanted = args.flag("use_assistant_model", true)?;
    let evidence = looked_up(&step, &place, call).await?;
    let read = changes::read(kind, ports, (&place, &step), &wish).await?;
    place.notes.extend(read.note.clone());
    place.notes.extend(args.unused());
    let (any, change) = (read.any(), read.change);
    let run = Run {
        kind,
        step,
        place,
        evidence,
        change,
    };
    let view = run.view();
    match ladder::decide(kind, &view, wanted, any) {
        Verdict::Pause => paused(run, ports).await,
        Verdict::Held(hold) => held(run, ports, hold).await,
        Verdict::Done(why) => done(run, ports, why).await,
        Verdict::Ask(expert) => judged(run, ports, expert, wish).await,
    }
}

/// What this step cites; at the last, what all of them do: files change, and whoever judges has
/// to know what of it stands now.
async fn looked_up(step: &Step, place: &Place, call: &ToolCall) -> Result<Evidence, ToolError> {
    let steps: Vec<Step> = match step.more {
        true => vec![step.clone()],
        false => place.all.steps.values().cloned().collect(),
    };
    let roots = call.roots.clone();
    on_a_thread(move || Ok(Evidence::of_steps(&steps, &roots))).await
}

async fn paused(run: Run<'_>, ports: &Ports<'_>) -> Result<ToolOutput, ToolError> {
    let view = run.view();
    let Guidance { mut actions, last } = (run.kind.actions)(&view);
    if !run.evidence.wrong.is_empty() {
        actions.push(envelope::MEND.to_owned());
    }
    let told = Told {
        actions,
        next_steps: envelope::pause_words(&run, last),
        next_call: next::step(run.kind, &run.place, &run.step, last),
        ..Told::new("working")
    };
    kept(run, ports, told).await
}

async fn held(run: Run<'_>, ports: &Ports<'_>, hold: Hold) -> Result<ToolOutput, ToolError> {
    let told = match hold.user {
        true => Told {
            next_steps: "Put this to the person you work for, then send 'next_call' with the \
                         answer in it."
                .to_owned(),
            next_call: next::again(run.kind, &run.place, &run.step, Map::new()),
            ..Told::new("needs_user")
        },
        false => Told {
            next_steps: "The work is not complete yet; go on, then send the next step.".to_owned(),
            next_call: next::step(run.kind, &run.place, &run.step, false),
            ..Told::new("working")
        },
    };
    let told = Told {
        actions: vec![hold.why],
        alias: Some(hold.alias),
        ..told
    };
    kept(run, ports, told).await
}

async fn done(run: Run<'_>, ports: &Ports<'_>, why: Why) -> Result<ToolOutput, ToolError> {
    let told = Told {
        next_steps: envelope::done_words(why, &run.evidence),
        why: Some(why),
        ..Told::new("done")
    };
    kept(run, ports, told).await
}

/// Keeps a step that asked nobody; one that cannot be kept has not been made.
async fn kept(mut run: Run<'_>, ports: &Ports<'_>, told: Told) -> Result<ToolOutput, ToolError> {
    told.status.clone_into(&mut run.step.status);
    let said = said(&run, Said::default());
    let turn = ports.threads.append(&run.place.open, said).await?;
    envelope::output(&run, &told, Some(turn))
}

async fn judged(
    mut run: Run<'_>,
    ports: &Ports<'_>,
    expert: &Expert,
    wish: Wish,
) -> Result<ToolOutput, ToolError> {
    let matter = Matter {
        kind: run.kind,
        expert,
        place: &run.place,
        evidence: &run.evidence,
        change: run.change.as_ref(),
    };
    let asked = expert::ask(&matter, (ports.models, ports.threads), ports.call, wish).await;
    let mut judgement = match asked {
        Ok(judgement) => judgement,
        Err(error) => return Err(failed(run, ports, error).await),
    };
    let mut told = told_of(&run, &judgement);
    told.status.clone_into(&mut run.step.status);
    let text = judgement.answer.turn.text.clone();
    let roots = ports.call.roots.clone();
    let look = move || Ok(Evidence::of_text(&text, &roots));
    told.expert_evidence = on_a_thread(look).await?;
    if !told.expert_evidence.wrong.is_empty() && told.status == "done" {
        told.next_steps.push_str(envelope::UNFOUNDED);
    }
    let sent = std::mem::take(&mut judgement.prepared.said);
    let said = Said {
        expert: Some(judgement.answer.turn.text.clone()),
        pin: Some(judgement.answer.pin()),
        spent: Some(judgement.answer.spent.clone()),
        ..said(&run, sent)
    };
    told.judgement = Some(judgement);
    // A verdict that was paid for is given, whether it can be kept or not.
    let turn = match ports.threads.append(&run.place.open, said).await {
        Ok(turn) => Some(turn),
        Err(error) => {
            let note = format!("THIS STEP IS NOT KEPT, and cannot be gone on from: {error}");
            run.place.notes.push(note);
            None
        }
    };
    envelope::output(&run, &told, turn)
}

fn told_of(run: &Run<'_>, judgement: &Judgement) -> Told {
    match &judgement.read {
        // A tool that takes no files can be given none: somebody has to see to it.
        Answered::NeedsFiles { files, why } if !run.kind.takes_files() => asks_user(
            run,
            format!("The model has to see {}: {why}", files.join(", ")),
        ),
        Answered::Judged => Told {
            next_steps: envelope::judged_words(),
            ..Told::new("done")
        },
        Answered::NeedsFiles { files, why } => {
            let mut all: Vec<&str> = run.step.relevant_files.iter().map(String::as_str).collect();
            all.extend(files.iter().map(String::as_str));
            let more = Map::from_iter([(run.kind.files_field().to_owned(), json!(all))]);
            Told {
                actions: vec![format!("The expert has to see {}: {why}", files.join(", "))],
                next_steps: "Make sure that these files are meant and may be sent, then send \
                             'next_call'."
                    .to_owned(),
                next_call: next::again(run.kind, &run.place, &run.step, more),
                needed: files.clone(),
                ..Told::new("needs_files")
            }
        }
        Answered::NeedsUser(question) => asks_user(run, question.clone()),
    }
}

fn asks_user(run: &Run<'_>, question: String) -> Told {
    Told {
        actions: vec![question],
        next_steps: "Put this to the person you work for, add the answer to 'findings', then \
                     send 'next_call'."
            .to_owned(),
        next_call: next::again(run.kind, &run.place, &run.step, Map::new()),
        ..Told::new("needs_user")
    }
}

/// The step is kept, so that only the asking has to be done again.
async fn failed(mut run: Run<'_>, ports: &Ports<'_>, error: ToolError) -> ToolError {
    let told = Told {
        next_call: next::again(run.kind, &run.place, &run.step, Map::new()),
        ..Told::new("failed")
    };
    told.status.clone_into(&mut run.step.status);
    let said = said(&run, Said::default());
    match ports.threads.append(&run.place.open, said).await {
        Ok(turn) => envelope::failure(&run, &told, turn, error),
        Err(_) => error,
    }
}

fn said(run: &Run<'_>, sent: Said) -> Said {
    let mut state = run.step.state();
    if let Some(change) = &run.change {
        state["change"] = change.told.clone();
    }
    Said {
        tool: run.kind.name.to_owned(),
        question: run.step.text.clone(),
        // Standing instructions of the conversation stay in force for whoever comes next.
        instructions: request::instructions(&run.place.open),
        findings: Some(run.step.findings.clone()).filter(|text| !text.is_empty()),
        state: Some(state),
        ..sent
    }
}
