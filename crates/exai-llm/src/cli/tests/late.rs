//! What an agent prints after a silence, just before it ends, is read however late we look.

use super::{World, agent, ask};
use std::time::Duration;

#[tokio::test]
async fn its_last_words_are_read_by_one_who_comes_late() {
    let world = World::new(&[]);
    let (spec, request) = (agent("cat > /dev/null; sleep 0.4; echo said"), ask("x"));
    let one = || world.ask(&spec, &request);
    let asking = async { tokio::join!(one(), one(), one(), one(), one(), one()) };
    let stall = async {
        // The machine does something else meanwhile: all is there when it comes back.
        tokio::time::sleep(Duration::from_millis(250)).await;
        std::thread::sleep(Duration::from_secs(1));
    };
    let ((a, b, c, d, e, f), ()) = tokio::join!(asking, stall);
    for outcome in [a, b, c, d, e, f] {
        outcome.end.unwrap();
        assert_eq!(outcome.said.turn.text, "said\n");
    }
}
