//! The rows about money: how much may be spent, when to warn, and when to ask first.

use super::{Key, Kind, Reader::Daemon, key};

/// In the order of the generated files.
pub(super) const KEYS: &[Key] = &[
    key(
        "budgets.call_usd",
        &["EXAI_BUDGET_CALL"],
        "",
        Daemon,
        Kind::MaybeDollars {
            set: |s, v| s.budgets.call = v,
        },
        "What one call of a tool may spend on models, all its requests together.",
    ),
    key(
        "budgets.thread_usd",
        &["EXAI_BUDGET_THREAD"],
        "",
        Daemon,
        Kind::MaybeDollars {
            set: |s, v| s.budgets.thread = v,
        },
        "What one conversation may spend in its whole life.",
    ),
    key(
        "budgets.client_usd",
        &["EXAI_BUDGET_CLIENT"],
        "",
        Daemon,
        Kind::MaybeDollars {
            set: |s, v| s.budgets.client = v,
        },
        "What one client (a window, as long as it keeps its id) may spend.",
    ),
    key(
        "budgets.day_usd",
        &["EXAI_BUDGET_DAY"],
        "",
        Daemon,
        Kind::MaybeDollars {
            set: |s, v| s.budgets.day = v,
        },
        "What everybody together may spend in one UTC day.",
    ),
    key(
        "budgets.warn_percent",
        &["EXAI_BUDGET_WARN_PERCENT"],
        "80",
        Daemon,
        Kind::Whole {
            min: 1,
            max: 100,
            set: |s, v| s.budgets.warn_percent = u8::try_from(v).unwrap_or(100),
        },
        "From this share of a budget on, results carry a warning.",
    ),
    key(
        "budgets.confirm_above_usd",
        &["EXAI_CONFIRM_ABOVE"],
        "2",
        Daemon,
        Kind::MaybeDollars {
            set: |s, v| s.budgets.confirm_above = v,
        },
        "A request that may cost more than this is not sent until it is confirmed; `never` asks \
         for nothing.",
    ),
    key(
        "budgets.refuse_unknown_price",
        &["EXAI_BUDGET_REFUSE_UNKNOWN"],
        "false",
        Daemon,
        Kind::Switch {
            set: |s, v| s.budgets.refuse_unknown_price = v,
        },
        "Whether a model whose price nobody knows may not be asked at all. Otherwise it may, and \
         no budget counts what it costs.",
    ),
];
