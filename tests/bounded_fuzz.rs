//! Every fuzz target, bounded, on the stable toolchain. `EXAI_FUZZ_SEED` repeats a run,
//! `EXAI_FUZZ_CASES` makes it longer.

use exai_tests::fuzz::{TARGETS, corpus, mutate};
use fastrand::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};

const CASES: u64 = 20_000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

#[test]
fn every_target_holds_for_seeds_and_their_neighbours() {
    let seed = setting("EXAI_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    let cases = setting("EXAI_FUZZ_CASES").unwrap_or(CASES);
    println!(
        "fuzz: EXAI_FUZZ_SEED={seed} EXAI_FUZZ_CASES={cases}, {} targets",
        TARGETS.len()
    );
    let seeds = corpus::seeds().unwrap();
    assert!(seeds.len() > 100);
    for (name, target) in TARGETS {
        let mut rng = Rng::with_seed(seed);
        let fresh = (0..cases).map(|_| mutate::neighbour(&mut rng, &seeds));
        for input in seeds.iter().cloned().chain(fresh) {
            let held = catch_unwind(AssertUnwindSafe(|| target(&input)));
            assert!(
                held.is_ok(),
                "target {name} broke; EXAI_FUZZ_SEED={seed} EXAI_FUZZ_CASES={cases}; input: {:?}",
                String::from_utf8_lossy(&input)
            );
        }
    }
}
