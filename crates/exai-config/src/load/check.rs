//! What no single setting can know: whether they make sense together. What would make the
//! daemon unsafe or useless is a fault; what is merely odd is a warning, and only where
//! somebody chose it.

use super::{Source, layers::Layering};
use crate::{
    faults::Fault,
    token::{MIN_TOKEN, too_short},
};

pub(super) fn together(layering: &mut Layering) {
    exposure(layering);
    times(layering);
    watchdog(layering);
    sizes(layering);
    budgets(layering);
}

/// A budget that a wider one ends first can never be used up.
fn budgets(layering: &mut Layering) {
    let budgets = layering.settings.budgets.clone();
    let (call, thread, client) = (
        "budgets.call_usd",
        "budgets.thread_usd",
        "budgets.client_usd",
    );
    let pairs = [
        (call, budgets.call, thread, budgets.thread),
        (call, budgets.call, client, budgets.client),
        (call, budgets.call, "budgets.day_usd", budgets.day),
        (
            "budgets.confirm_above_usd",
            budgets.confirm_above,
            call,
            budgets.call,
        ),
    ];
    for (inner, less, outer, more) in pairs {
        if less.zip(more).is_some_and(|(less, more)| less > more) {
            odd(
                layering,
                inner,
                outer,
                "can never be reached: it is more than",
            );
        }
    }
}

fn exposure(layering: &mut Layering) {
    let network = &layering.settings.network;
    let (host, alone) = (network.host.clone(), network.is_loopback());
    let Some(token) = layering.settings.auth.token.as_ref() else {
        if !alone {
            fault(
                layering,
                "network.host",
                &host,
                "a loopback address, or EXAI_WS_TOKEN set as well: beyond this machine nobody may \
                 come in without a token its owner chose",
            );
        }
        return;
    };
    let Some(short) = too_short(token) else {
        return;
    };
    if alone {
        let source = layering.source("auth.token");
        let warning = format!(
            "{source}: the token {short}; it works on this machine, but take {MIN_TOKEN} or more, \
             or unset it and the daemon makes a good one"
        );
        return layering.warn(warning);
    }
    let shown = layering.shown("auth.token");
    let expected = format!(
        "{MIN_TOKEN} characters or more where the daemon can be reached beyond this machine \
         (network.host is {host}); take a longer one, or a loopback address"
    );
    fault(layering, "auth.token", &shown, &expected);
}

fn times(layering: &mut Layering) {
    let (calls, logs) = (
        layering.settings.calls.clone(),
        layering.settings.logs.clone(),
    );
    let network = layering.settings.network.clone();
    if calls.progress_interval >= calls.call_timeout {
        layering.warn(format!(
            "calls.progress_interval_secs ({}) is not less than calls.call_timeout_secs ({}): \
             a call ends before its first heartbeat",
            calls.progress_interval.as_secs_f64(),
            calls.call_timeout.as_secs_f64()
        ));
    }
    if logs.health_interval >= logs.status_fresh {
        layering.warn(format!(
            "logs.health_interval_secs ({}) is not less than logs.status_fresh_secs ({}): \
             by its file alone, a running daemon will look dead",
            logs.health_interval.as_secs_f64(),
            logs.status_fresh.as_secs_f64()
        ));
    }
    if network.ping_timeout > network.ping_interval {
        odd(
            layering,
            "network.ping_timeout_secs",
            "network.ping_interval_secs",
            "is longer than",
        );
    }
    if calls.result_ttl < calls.unwatched {
        odd(
            layering,
            "calls.result_ttl_secs",
            "calls.unwatched_secs",
            "makes results expire sooner than unwatched calls are stopped: it is less than",
        );
    }
    if layering
        .settings
        .shim
        .rpc_timeout
        .is_some_and(|limit| limit < calls.call_timeout)
    {
        odd(
            layering,
            "shim.rpc_timeout_secs",
            "calls.call_timeout_secs",
            "lets the shim stop waiting while the daemon still works: it is less than",
        );
    }
}

/// A watchdog that cries wolf is switched off by its owner.
fn watchdog(layering: &mut Layering) {
    let (calls, watchdog) = (&layering.settings.calls, &layering.settings.watchdog);
    let alarms = watchdog.quiet_call <= calls.progress_interval;
    let hasty = watchdog
        .restart
        .is_some_and(|restart| restart <= watchdog.stall);
    if alarms {
        odd(
            layering,
            "watchdog.quiet_call_secs",
            "calls.progress_interval_secs",
            "calls healthy calls quiet: it is not more than",
        );
    }
    if hasty {
        odd(
            layering,
            "watchdog.restart_secs",
            "watchdog.stall_secs",
            "gives up before anything is recorded: it is not more than",
        );
    }
}

fn sizes(layering: &mut Layering) {
    let limits = layering.settings.limits.clone();
    let frame = layering.settings.network.max_frame_bytes;
    if limits.client_inflight > limits.global_inflight {
        let (inner, outer) = ("limits.client_inflight", "limits.global_inflight");
        odd(
            layering,
            inner,
            outer,
            "can never be reached: it is more than",
        );
    }
    for (provider, limit) in &limits.providers {
        if *limit > limits.global_inflight {
            let inner = format!("limits.providers.{provider}");
            odd(
                layering,
                &inner,
                "limits.global_inflight",
                "can never be reached: it is more than",
            );
        }
    }
    if limits.queue_bytes < frame {
        let outer = "network.max_frame_bytes";
        odd(
            layering,
            "limits.queue_bytes",
            outer,
            "keeps the largest calls from waiting: it is less than",
        );
    }
    if layering.settings.calls.retained_bytes < frame {
        let outer = "network.max_frame_bytes";
        odd(
            layering,
            "calls.retained_bytes",
            outer,
            "keeps the largest results from being collected: it is less than",
        );
    }
}

fn fault(layering: &mut Layering, key: &str, value: &str, expected: &str) {
    let place = match layering.source(key) {
        Source::Default => key.to_owned(),
        source => format!("{source}: {key}"),
    };
    layering.fault(Fault {
        place,
        value: value.to_owned(),
        expected: expected.to_owned(),
    });
}

/// Warns about two settings at odds, unless the inner one is merely a default in a world that
/// somebody made smaller.
fn odd(layering: &mut Layering, inner: &str, outer: &str, how: &str) {
    if *layering.source(inner) == Source::Default {
        return;
    }
    let warning = format!("{inner} ({}) {how} {outer}", layering.source(inner));
    layering.warn(warning);
}
