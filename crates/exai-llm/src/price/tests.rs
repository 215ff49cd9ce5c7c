//! Exact sums, honest gaps, and estimates that learn.

use super::*;
use crate::chat::{ChatRequest, Message, Usage};
use proptest::prelude::*;

fn price() -> Price {
    Price {
        input: Some(0.60),
        output: Some(2.20),
        cached: Some(0.11),
        ..Price::default()
    }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input: Some(input),
        output: Some(output),
        ..Usage::default()
    }
}

fn dollars(cost: &Cost) -> f64 {
    cost.amount().unwrap().dollars()
}

#[test]
fn usage_times_price_is_cost() {
    let cost_of = |usage: &Usage| dollars(&cost(Some(usage), Some(&price())));
    assert_eq!(cost_of(&usage(1_000_000, 1_000_000)), 2.80);
    assert_eq!(cost_of(&usage(1, 0)), 0.000_000_6);
    let mut cached = usage(1_000_000, 0);
    cached.cached = Some(500_000);
    assert_eq!(cost_of(&cached), 0.355);
    // More cached than read is a provider's slip, not a credit.
    cached.cached = Some(5_000_000);
    assert_eq!(cost_of(&cached), 0.11);
}

#[test]
fn what_is_not_known_is_said() {
    let no_input = Usage {
        output: Some(1),
        ..Usage::default()
    };
    let mut searched = usage(1, 1);
    searched.searches = Some(1);
    let half = Price {
        input: Some(1.0),
        ..Price::default()
    };
    for (usage, price, why) in [
        (None, Some(price()), "no usage"),
        (Some(usage(1, 1)), None, "no price"),
        (Some(no_input), Some(price()), "part of the usage"),
        (Some(searched), Some(price()), "searches"),
        (Some(usage(1, 1)), Some(half), "part of this model's price"),
        (
            Some(usage(1, 1)),
            Some(Price {
                input: Some(-1.0),
                ..price()
            }),
            "no amount",
        ),
    ] {
        let Cost::Unknown(told) = cost(usage.as_ref(), price.as_ref()) else {
            panic!("a cost was made up where '{why}'");
        };
        assert!(told.contains(why), "{told}");
    }
    let unknown = Cost::Unknown("x".into());
    assert_eq!(Cost::Known(Usd::ZERO).plus(&unknown), unknown);
}

#[test]
fn a_providers_own_figure_counts_first() {
    let mut stated = usage(1, 1);
    stated.stated_micros = Some(14);
    let told = cost(Some(&stated), None);
    assert_eq!(told, Cost::Stated(Usd::from_picos(14_000_000)));
}

#[test]
fn the_ceiling_counts_on_no_discount() {
    let told = ceiling(1_000_000, 1_000_000, 0, Some(&price()));
    assert_eq!(dollars(&told), 2.80);
    let dear = Price {
        cache_write: Some(1.0),
        ..price()
    };
    assert_eq!(dollars(&ceiling(1_000_000, 0, 0, Some(&dear))), 1.0);
    assert!(ceiling(1, 1, 1, Some(&price())).amount().is_none());
}

#[test]
fn amounts_are_shown_with_the_digits_they_need() {
    for (dollars, shown) in [
        (0.0, "$0.00"),
        (12.345, "$12.35"),
        (0.0123, "$0.0123"),
        (0.000_000_6, "$0.00000060"),
    ] {
        assert_eq!(Usd::from_dollars(dollars).unwrap().to_string(), shown);
    }
    assert_eq!(Usd::from_dollars(-0.1), None);
    assert_eq!(Usd::from_dollars(f64::NAN), None);
    assert_eq!(Usd::from_dollars(1e30), None);
}

fn request(text: String) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::user(text)],
        ..ChatRequest::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// A model whose tokenizer differs from the first guess by any factor, with noise and an
    /// odd report now and then.
    #[test]
    fn after_twenty_calls_the_median_error_is_small(
        truth in 0.3_f64..3.0,
        sizes in proptest::collection::vec(200_usize..200_000, 60),
        noise in proptest::collection::vec(0.85_f64..1.15, 60),
        odd in proptest::collection::vec(0_usize..20, 3),
    ) {
        let mut estimator = Estimator::default();
        let mut errors = Vec::new();
        let mut over = 0;
        for (at, (bytes, noise)) in sizes.iter().zip(&noise).enumerate() {
            let size = Size::of(&request("word ".repeat(bytes / 5)));
            let mut reported = (size.text * truth * noise).round() as u64;
            if odd.contains(&at) {
                reported *= 4;
            }
            if at >= 20 {
                let guess = estimator.guess(&size);
                errors.push((guess.tokens as f64 - reported as f64).abs() / reported as f64);
                over += usize::from(reported > guess.at_most);
            }
            estimator.learn(&size, reported);
        }
        errors.sort_unstable_by(f64::total_cmp);
        prop_assert!(errors[errors.len() / 2] <= 0.15, "{}", errors[errors.len() / 2]);
        prop_assert!(over <= 1, "{over} reports above what was reserved");
    }

    #[test]
    fn sums_of_any_order_agree(mut parts in proptest::collection::vec(0_u64..1_000_000, 0..20)) {
        let sum = |parts: &[u64]| parts.iter().fold(Usd::ZERO, |sum, tokens| {
            sum.plus(cost(Some(&usage(*tokens, *tokens)), Some(&price())).amount().unwrap())
        });
        let forward = sum(&parts);
        parts.reverse();
        prop_assert_eq!(forward, sum(&parts));
    }
}

#[test]
fn an_unseen_model_is_guessed_carefully() {
    let size = Size::of(&request("plain words ".repeat(1000)));
    let guess = Estimator::default().guess(&size);
    assert_eq!(guess.seen, 0);
    assert!((2900..3200).contains(&guess.tokens), "{guess:?}");
    assert!(guess.at_most >= guess.tokens * 14 / 10);
    let han = Size::of(&request("漢字".repeat(1000)));
    assert!((1300.0..2200.0).contains(&han.text), "{han:?}");
    let known = Estimator::with_bytes_per_token(3.0).guess(&size);
    assert!(known.tokens > guess.tokens * 13 / 10);
}
