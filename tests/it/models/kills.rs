//! `kill -9` in the middle of spending: what was counted stays counted, and what was on its
//! way counts as all it may have cost.

use super::{
    FEATURES, Stage, ask_with,
    budgets::{DEAR, WIDE, spent, usage},
    failed, said,
};
use exai_testkit::provider::{At, Reply, Stall};
use serde_json::json;

#[tokio::test]
async fn sums_survive_a_kill_and_what_was_on_its_way_is_counted() {
    let mut stage = Stage::new().await;
    stage.sandbox.set("EXAI_BUDGET_DAY", "1.00");
    stage.models(DEAR).providers(WIDE);
    let mut daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let thousand = || json!({ "max_output": 1000 });
    for id in ["a", "b", "c"] {
        stage.provider.script([Reply::text("ok").tokens(0, 500)]);
        ask_with(&mut ws, id, "parrot", thousand()).await;
        assert_eq!(said(&ws.result(id).await), "ok");
    }
    assert!((spent(&usage(&stage.sandbox).await) - 0.15).abs() < 0.001);
    let endless = Reply::text("one two")
        .chunks(2)
        .stall(At::Piece(1), Stall::Forever);
    stage.provider.script([endless.clone(), endless]);
    for id in ["d", "e"] {
        ask_with(&mut ws, id, "parrot", thousand()).await;
    }
    stage.asked(5).await;
    daemon.kill().await;
    let _daemon = stage.daemon().await;
    let after = usage(&stage.sandbox).await;
    // Two at ten cents, and the little that reading may have cost.
    assert!((0.35..0.36).contains(&spent(&after)), "{after}");
    assert_eq!(after["budgets"][0]["held_usd"], 0.0, "{after}");
    let (mut ws, _) = stage.sandbox.modern("after", &FEATURES).await;
    stage.provider.otherwise(Reply::text("ok").tokens(0, 1000));
    let mut answered = 0;
    for number in 0..10 {
        let id = format!("n-{number}");
        ask_with(&mut ws, &id, "parrot", thousand()).await;
        let result = ws.result(&id).await;
        if result.get("error").is_some() {
            assert_eq!(failed(&result).0, "OVER_BUDGET", "{result}");
        } else {
            answered += 1;
        }
    }
    assert_eq!(answered, 6, "sixty cents more, and no seventh");
    assert!(spent(&usage(&stage.sandbox).await) <= 1.0);
}
