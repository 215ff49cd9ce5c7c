//! Whatever is reserved, settled, released and dropped in whatever order: the sums are the
//! sums, in the file and in the rows, over restarts too.

use crate::support::{Place, ask, ceiling, sums, usage};
use exai_store::{MicroUsd, Reservation, Scope, Store, UsageQuery};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Reserve(u64),
    Settle(usize, u64),
    Release(usize),
    Drop(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u64..400).prop_map(Step::Reserve),
        3 => (any::<usize>(), 0_u64..500).prop_map(|(which, cost)| Step::Settle(which, cost)),
        1 => any::<usize>().prop_map(Step::Release),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => Just(Step::Restart),
    ]
}

const LIMIT: u64 = 2000;

struct World {
    place: Place,
    store: Store,
    boots: usize,
    open: Vec<Reservation>,
    spent: u64,
}

impl World {
    fn held(&self) -> u64 {
        self.open.iter().map(|open| open.held().0).sum()
    }

    fn pick(&mut self, which: usize) -> Option<Reservation> {
        let count = self.open.len();
        (count > 0).then(|| self.open.swap_remove(which % count))
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Reserve(cost) => {
                let fits = self.spent + self.held() + cost <= LIMIT;
                let asked = ask("r", cost, &[ceiling(Scope::Thread, LIMIT)]);
                let granted = self.store.reserve(asked).await;
                assert_eq!(granted.is_ok(), fits);
                self.open
                    .extend(granted.ok().map(|grant| grant.reservation));
            }
            Step::Settle(which, cost) => {
                let Some(open) = self.pick(which) else { return };
                open.settle(usage(cost)).await.unwrap();
                self.spent += cost;
            }
            Step::Release(which) => {
                let Some(open) = self.pick(which) else { return };
                open.release().await.unwrap();
            }
            Step::Drop(which) => self.spent += self.pick(which).map_or(0, |open| open.held().0),
            Step::Restart => {
                self.store.close().await;
                self.boots += 1;
                self.store = self.place.open(&format!("boot {}", self.boots));
                self.spent += self.held();
                self.open.clear();
            }
        }
    }

    async fn check(&self) {
        // Behind whatever was only told so far.
        self.store
            .reserve(ask("r", 0, &[]))
            .await
            .unwrap()
            .reservation
            .release()
            .await
            .unwrap();
        let expected = (self.spent, self.held());
        for scope in [Scope::Call, Scope::Thread, Scope::Client, Scope::Day] {
            assert_eq!(sums(&self.store, scope).await, expected, "{scope:?}");
        }
        let rows = self.store.usage(UsageQuery::default()).await.unwrap();
        let counted = rows.first().map_or(MicroUsd(0), |total| total.counted);
        assert_eq!(counted, MicroUsd(self.spent), "rows and sums agree");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_sums(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let store = place.open("boot 0");
            let mut world = World { place, store, boots: 0, open: Vec::new(), spent: 0 };
            for step in steps {
                world.take(step).await;
                world.check().await;
            }
            world.store.close().await;
        });
    }
}
