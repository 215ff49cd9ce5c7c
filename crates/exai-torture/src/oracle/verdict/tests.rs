//! The judge, judged: each lie is called one, and nothing else is.

use super::*;
use crate::work::Job;
use serde_json::json;
use std::time::Instant;

fn made(tool: &'static str, end: End) -> Made {
    let expect = if tool.starts_with("test_panic") {
        Expect::Error("INTERNAL")
    } else {
        Expect::Text("counted".to_owned())
    };
    let job = Job {
        token: 1,
        tool,
        arguments: json!({}),
        expect,
    };
    Made {
        kind: Kind::Window,
        job,
        asked: Instant::now(),
        ended: None,
        end,
        again: 0,
    }
}

fn failed_with(tool: &'static str, code: &str, ran: &str, known: &str) -> Made {
    made(
        tool,
        End::Answered(Answer::failed(code, ran, known, "words")),
    )
}

fn ran(runs: usize) -> Seen {
    Seen {
        runs,
        deaths: 1,
        ..Seen::default()
    }
}

#[test]
fn an_answer_is_right_if_it_ran_and_once_if_it_must() {
    let right = || End::Answered(Answer::Right);
    assert_eq!(
        of(&made("test_count_once", right()), &ran(1)),
        Ok(Fair::Right)
    );
    assert_eq!(of(&made("test_count", right()), &ran(3)), Ok(Fair::Right));
    assert_eq!(of(&made("test_sleep", right()), &ran(0)), Ok(Fair::Right));
    assert_eq!(
        of(&made("test_count_once", right()), &ran(2)),
        Err(Broken::Doubled(2))
    );
    // Who starts it again while it is at work joins it; only a death can part the two.
    let again = Made {
        again: 1,
        ..made("test_count_once", right())
    };
    let alive = |runs| Seen {
        deaths: 0,
        ..ran(runs)
    };
    assert_eq!(of(&again, &alive(1)), Ok(Fair::Right));
    assert_eq!(of(&again, &alive(2)), Err(Broken::Doubled(2)));
    assert_eq!(of(&again, &ran(2)), Ok(Fair::Right));
    assert_eq!(of(&again, &ran(3)), Err(Broken::Doubled(3)));
    assert!(matches!(
        of(&made("test_count", right()), &ran(0)),
        Err(Broken::Wrong(_))
    ));
    let wrong = End::Answered(Answer::Wrong("x".to_owned()));
    assert!(matches!(
        of(&made("test_count", wrong), &ran(1)),
        Err(Broken::Wrong(_))
    ));
}

#[test]
fn twice_is_twice_whatever_was_said_and_silence_is_a_loss() {
    assert_eq!(
        of(&made("test_count_once", End::Released), &ran(2)),
        Err(Broken::Doubled(2))
    );
    assert_eq!(
        of(&made("test_count_once", End::Released), &ran(1)),
        Ok(Fair::Released)
    );
    assert_eq!(
        of(&made("test_count", End::Lost), &ran(1)),
        Err(Broken::Lost)
    );
    assert_eq!(
        of(&made("test_count", End::Open), &ran(1)),
        Err(Broken::Lost)
    );
}

#[test]
fn a_refusal_means_that_it_never_ran() {
    let refused = failed_with("test_count_once", "UNAVAILABLE", "no", "");
    assert_eq!(of(&refused, &ran(0)), Ok(Fair::Refused));
    assert!(matches!(of(&refused, &ran(1)), Err(Broken::Wrong(_))));
    let silent = failed_with("test_count_once", "UNAVAILABLE", "", "");
    assert!(matches!(of(&silent, &ran(0)), Err(Broken::Wrong(_))));
    let timeout = failed_with("test_count_once", "TIMEOUT", "unknown", "");
    assert!(matches!(of(&timeout, &ran(0)), Err(Broken::Wrong(_))));
    let panic = failed_with("test_panic", "INTERNAL", "yes", "");
    assert_eq!(of(&panic, &ran(0)), Ok(Fair::AsAsked));
}

#[test]
fn an_unknown_outcome_must_be_unknowable() {
    let told = |known: &str| failed_with("test_count_once", "OUTCOME_UNKNOWN", "unknown", known);
    let unjustified = |verdict| matches!(verdict, Err(Broken::Unjustified(_)));
    assert_eq!(of(&told("started"), &ran(1)), Ok(Fair::UnknownRan));
    assert_eq!(of(&told("started"), &ran(0)), Ok(Fair::UnknownStarted));
    assert!(unjustified(of(&told("not_known"), &ran(0))));
    assert!(unjustified(of(&told("acknowledged"), &ran(0))));
    assert!(unjustified(of(
        &told("started"),
        &Seen {
            runs: 1,
            ..Seen::default()
        }
    )));
    let known = Seen {
        journaled: Some(Journaled::Finished),
        ..ran(1)
    };
    assert!(unjustified(of(&told("started"), &known)));
    let forgot = Seen {
        forgot: true,
        ..ran(0)
    };
    assert_eq!(of(&told("not_known"), &forgot), Ok(Fair::UnknownForgotten));
}

#[test]
fn what_may_run_again_is_run_again_but_not_for_ever() {
    let told = failed_with("test_count", "OUTCOME_UNKNOWN", "unknown", "started");
    assert!(matches!(of(&told, &ran(1)), Err(Broken::Unjustified(_))));
    let refused = failed_with("test_count", "UNAVAILABLE", "unknown", "");
    assert_eq!(of(&refused, &ran(1)), Ok(Fair::Refused));
    let lied = failed_with("test_count_once", "UNAVAILABLE", "unknown", "");
    assert!(matches!(of(&lied, &ran(1)), Err(Broken::Wrong(_))));
    let often = Seen {
        deaths: 3,
        ..ran(3)
    };
    assert_eq!(of(&told, &often), Ok(Fair::UnknownRepeated));
}
