//! What is asked of a consensus: whom, how often, and what is refused before anything is paid.

use super::asked::{Asked, Second, Stance};
use crate::{
    args::Args,
    fakes::{call, listing},
};

fn asked(json: &str) -> Result<Asked, String> {
    let args = Args::of(&call(json)).unwrap();
    Asked::of(&args, &listing()).map_err(|error| error.message)
}

#[test]
fn names_alone_are_neutral_and_a_majority_is_the_quorum() {
    let got = asked(r#"{"prompt":"p","models":["a",{"model":"b","stance":"FOR"},{"model":"b","stance":"against","stance_prompt":"x"}]}"#).unwrap();
    let stances: Vec<Stance> = got.seats.iter().map(|seat| seat.stance).collect();
    assert_eq!(stances, [Stance::Neutral, Stance::For, Stance::Against]);
    assert_eq!((got.quorum, got.second, got.stages()), (2, Second::None, 1));
    assert_eq!(got.seats[2].stance_prompt.as_deref(), Some("x"));
}

#[test]
fn the_predecessors_first_step_is_understood_and_its_second_is_not_paid_for() {
    let first = r#"{"step":"p","step_number":1,"total_steps":2,"next_step_required":true,"findings":"f","models":["a","b"],"relevant_files":["/x"],"current_model_index":0,"model_responses":[]}"#;
    let got = asked(first).unwrap();
    assert_eq!((got.prompt.as_str(), got.files.len()), ("p", 1));
    let error = asked(r#"{"step":"p","step_number":2,"models":["a","b"]}"#)
        .err()
        .unwrap();
    assert!(error.contains("no further steps"), "{error}");
}

#[test]
fn what_does_not_fit_names_the_field() {
    for (json, expected) in [
        ("{}", "'prompt' is missing"),
        (
            r#"{"prompt":"p","models":["a"]}"#,
            "2 to 10 models; 1 are named",
        ),
        (
            r#"{"prompt":"p","models":["a","A"]}"#,
            "twice with the stance 'neutral'",
        ),
        (r#"{"prompt":"p","models":["a",7]}"#, "'models[1]' must be"),
        (
            r#"{"prompt":"p","models":["a",{"model":""}]}"#,
            "names no model",
        ),
        (
            r#"{"prompt":"p","models":["a",{"model":"b","stance":"maybe"}]}"#,
            "stance 'maybe'",
        ),
        (
            r#"{"prompt":"p","models":["a","b"],"quorum":3}"#,
            "'quorum'",
        ),
        (
            r#"{"prompt":"p","models":["a","b"],"second_round":"third"}"#,
            "'second_round'",
        ),
    ] {
        let error = asked(json).err().unwrap();
        assert!(error.contains(expected), "{json}: {error}");
    }
}
