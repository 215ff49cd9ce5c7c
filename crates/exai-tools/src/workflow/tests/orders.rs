//! Steps in any order: after whatever was sent, revised, gone back on or branched, what counts is
//! what a plain model of it says, every row stays, and the proposed call is taken as it stands.

use super::{Stage, next};
use crate::workflow::{investigation::Investigation, kinds};
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
enum Act {
    /// What the last answer proposed.
    Next,
    Step(u32),
    Revise(u32),
    Back(u32),
    Branch(u32),
    /// Another tool speaks in between.
    Other,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let number = 1_u32..6;
    let act = prop_oneof![
        3 => Just(Act::Next),
        3 => number.clone().prop_map(Act::Step),
        2 => number.clone().prop_map(Act::Revise),
        2 => number.clone().prop_map(Act::Back),
        2 => number.prop_map(Act::Branch),
        1 => Just(Act::Other),
    ];
    proptest::collection::vec(act, 1..14)
}

/// The plain model: rows on the way here, and what counts of them.
#[derive(Default, Clone)]
struct Expected {
    /// Number, text, and below which number the others still count.
    rows: Vec<(u32, String, u32)>,
    in_force: Vec<(u32, String)>,
}

impl Expected {
    fn has(&self, number: u32) -> bool {
        self.in_force.iter().any(|(known, _)| *known == number)
    }

    fn put(&mut self, number: u32, text: &str) {
        self.put_below(number, text, u32::MAX);
    }

    fn put_below(&mut self, number: u32, text: &str, below: u32) {
        self.rows.push((number, text.to_owned(), below));
        self.in_force
            .retain(|(known, _)| *known != number && *known < below);
        self.in_force.push((number, text.to_owned()));
        self.in_force.sort();
    }

    /// Counts the rows that are left anew.
    fn cut(&mut self, rows: usize) {
        let left: Vec<_> = self.rows.drain(..).take(rows).collect();
        self.in_force.clear();
        for (number, text, below) in left {
            self.put_below(number, &text, below);
        }
    }
}

async fn play(acts: Vec<Act>) {
    let stage = Stage::default();
    let mut expected = Expected::default();
    let begun = stage
        .run("planner", json!({"step": "first", "step_number": 1}))
        .await;
    expected.put(1, "first");
    let id = begun["continuation_id"].clone();
    let (mut last, mut count) = (begun, 1);
    for (at, act) in acts.into_iter().enumerate() {
        let text = format!("text {at}");
        let mut call = json!({"step": text, "continuation_id": id, "total_steps": 4});
        let mut after = expected.clone();
        let fits = match act {
            Act::Other => {
                let other = json!({"step": "aside", "continuation_id": id});
                stage.run("debug", other).await;
                count += 1;
                continue;
            }
            Act::Next => {
                let number = last["next_call"]["arguments"]["step_number"].as_u64();
                call = next(&last);
                call["step"] = json!(text);
                call["next_step_required"] = json!(true);
                after.put(u32::try_from(number.unwrap()).unwrap(), &text);
                true
            }
            Act::Step(1) => {
                call["step_number"] = json!(1);
                after = Expected::default();
                after.put(1, &text);
                true
            }
            Act::Step(number) => {
                call["step_number"] = json!(number);
                after.put(number, &text);
                true
            }
            Act::Revise(number) => {
                call["is_step_revision"] = json!(true);
                call["revises_step_number"] = json!(number);
                after.put(number, &text);
                expected.has(number)
            }
            Act::Back(number) => {
                call["backtrack_from_step"] = json!(number);
                call["step_number"] = json!(number);
                let rows = after.rows.iter().position(|(known, ..)| *known == number);
                after.cut(rows.unwrap_or(0));
                let below = if after.rows.is_empty() {
                    u32::MAX
                } else {
                    number
                };
                after.put_below(number, &text, below);
                expected.has(number)
            }
            Act::Branch(number) => {
                call["is_branch_point"] = json!(true);
                call["branch_from_step"] = json!(number);
                call["step_number"] = json!(number + 1);
                let rows = after.rows.iter().rposition(|(known, ..)| *known == number);
                after.cut(rows.map_or(0, |row| row + 1));
                after.put_below(number + 1, &text, number + 1);
                expected.has(number)
            }
        };
        if !fits {
            stage.refused("planner", call).await;
            assert_eq!(stage.turns(), count, "what is refused is not kept");
            continue;
        }
        last = stage.run("planner", call).await;
        expected = after;
        count += 1;
        assert_eq!(last["status"], "working");
        check(&stage, &expected, count);
    }
}

/// What counts is what was expected, and every row is there.
fn check(stage: &Stage, expected: &Expected, count: usize) {
    assert_eq!(stage.turns(), count);
    let all = stage.threads.all.lock().unwrap();
    let turns = &all[0].turns;
    let mut path = Vec::new();
    let mut wanted = turns.last().map(|turn| turn.number);
    for turn in turns.iter().rev() {
        assert!(turn.parent.is_none_or(|parent| parent < turn.number));
        if Some(turn.number) == wanted {
            wanted = turn.parent;
            path.push(turn.clone());
        }
    }
    path.reverse();
    let kind = kinds::ALL
        .iter()
        .find(|kind| kind.name == "planner")
        .unwrap();
    let (known, _) = Investigation::of(kind, &path);
    let known: Vec<(u32, String)> = known
        .steps
        .values()
        .map(|step| (step.number, step.text.clone()))
        .collect();
    assert_eq!(known, expected.in_force);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_order_of_steps_leaves_what_a_plain_model_says(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(acts));
    }
}

#[tokio::test]
async fn a_branch_is_gone_on_with_by_its_name() {
    let stage = Stage::default();
    let id = stage.run("planner", json!({"step": "one"})).await["continuation_id"].clone();
    let branch = |name: &str| {
        json!({"step": name, "continuation_id": id, "is_branch_point": true,
        "branch_from_step": 1, "branch_id": name, "step_number": 2})
    };
    stage.run("planner", branch("left")).await;
    let right = stage.run("planner", branch("right")).await;
    assert_eq!(right["branches"].as_array().unwrap().len(), 2, "{right}");
    let left = json!({"step": "left on", "continuation_id": id, "branch_id": "left"});
    let left = stage.run("planner", left).await;
    assert_eq!(
        (&left["step"], &left["branch_id"]),
        (&json!(3), &json!("left"))
    );
    let all: Vec<Value> = left["branches"].as_array().unwrap().clone();
    assert!(all.iter().any(|end| end["branch_id"] == "right"), "{all:?}");
    let lost = json!({"step": "x", "continuation_id": id, "branch_id": "nowhere"});
    let error = stage.refused("planner", lost).await;
    assert!(error.message.contains("there is no such branch"), "{error}");
}
