//! Classes, waits and, above all, keys that must not be told.

use super::*;

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn waits_are_read_in_every_spelling() {
    let now = 784_111_777_000;
    for (pairs, expected) in [
        (&[("Retry-After", "2")][..], Some(2000)),
        (&[("retry-after", "0.25")], Some(250)),
        (
            &[("retry-after-ms", "1500"), ("retry-after", "9")],
            Some(1500),
        ),
        (
            &[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")],
            Some(10_000),
        ),
        (&[("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT")], Some(0)),
        (&[("retry-after", "soon")], None),
        (&[("retry-after", "-1")], None),
        (&[], None),
    ] {
        assert_eq!(retry_after_ms(&headers(pairs), now), expected, "{pairs:?}");
    }
    assert_eq!(duration_ms("6m0s"), Some(360_000));
    assert_eq!(duration_ms("17.5s"), Some(17_500));
    assert_eq!(duration_ms("350ms"), Some(350));
    assert_eq!(duration_ms("later"), None);
}

#[test]
fn keys_are_not_told() {
    let canary = "0123456789abcdef.CanaryCanary";
    for text in [
        "Incorrect API key provided: sk-proj-canarycanary1234. Find it at https://x.y/keys",
        "Incorrect API key provided: sk-proj-********nary, see docs",
        "bad header Authorization: Bearer canarycanarycanary",
        "GET https://x.y/v1?key=AIzaCanaryCanary&alt=sse failed",
        "key=(sk-canarycanary)",
        "token 0123456789abcdef.CanaryCanary is expired",
    ] {
        let told = scrub(text, &[canary]);
        assert!(!told.to_lowercase().contains("nary"), "{told}");
        assert!(told.contains("[key]"), "{told}");
    }
}

#[test]
fn words_that_merely_look_like_keys_stay() {
    let text = "ask-me task-list monkey-patching sk-1 desk_top key-exchange";
    assert_eq!(scrub(text, &[]), text);
}

#[test]
fn long_words_of_providers_are_cut_and_stay_on_one_line() {
    let told = scrub(&"é\n".repeat(5000), &[]);
    assert_eq!(told.chars().count(), 401);
    assert!(!told.contains('\n'));
}

#[test]
fn an_answer_says_what_where_and_what_next() {
    let place = Place {
        endpoint: "glm",
        model: "glm-4.6",
        key_from: "GLM_API_KEY",
    };
    let mut fault = Fault::new(FaultClass::Auth, "token expired");
    fault.status = Some(401);
    let told = fault.tell(&place);
    assert_eq!(told.code, Code::Unavailable);
    assert_eq!(
        told.message,
        "model 'glm-4.6' at 'glm': the key was refused [HTTP 401] (token expired). \
         Set a valid key in GLM_API_KEY and try again."
    );
    let mut fault = Fault::new(FaultClass::RateLimited, "");
    fault.retry_after_ms = Some(1001);
    let told = fault.tell(&place);
    assert_eq!(told.code, Code::OverCapacity);
    assert_eq!(told.retry_after, Some(2));
    assert!(told.message.contains("in 2 s"), "{}", told.message);
}

#[test]
fn statuses_have_classes() {
    for (status, class) in [
        (400, FaultClass::BadRequest),
        (401, FaultClass::Auth),
        (402, FaultClass::QuotaExhausted),
        (403, FaultClass::Forbidden),
        (404, FaultClass::NotFound),
        (413, FaultClass::TooLarge),
        (422, FaultClass::BadRequest),
        (429, FaultClass::RateLimited),
        (500, FaultClass::Server),
        (503, FaultClass::Overloaded),
        (529, FaultClass::Overloaded),
        (302, FaultClass::Malformed),
    ] {
        assert_eq!(FaultClass::of_status(status), class, "{status}");
    }
    assert!(FaultClass::RateLimited.worth_repeating());
    assert!(!FaultClass::Auth.worth_repeating());
    assert!(FaultClass::Auth.blames_endpoint());
    assert!(!FaultClass::BadRequest.blames_endpoint());
}

/// A breaker that is open says why, but nobody was too slow or broke off this time.
#[test]
fn an_endpoint_that_rests_is_unavailable_whatever_it_rests_from() {
    let place = Place {
        endpoint: "glm",
        model: "glm-4.6",
        key_from: "GLM_API_KEY",
    };
    for class in [
        FaultClass::Truncated,
        FaultClass::Timeout,
        FaultClass::Server,
    ] {
        let mut fault = Fault::new(class, "it failed before");
        fault.resting = true;
        let told = fault.tell(&place);
        assert_eq!(told.code, Code::Unavailable, "{class:?}");
        assert!(
            told.message
                .contains("it is not asked now (it failed before)")
        );
        fault.resting = false;
        assert_eq!(fault.tell(&place).code, class.code());
    }
}
