//! The order of a shim's life: settings, log, runtime, service, end. It ends when nobody can be
//! served any more, and never because of the daemon.

use crate::{
    bridge::Bridge,
    calling::Calling,
    catalog::Catalog,
    flags::{self, Flags},
    handler::Shim,
    lifecycle::{self, End},
    listeners::Listeners,
    pipes,
    setup::Setup,
    shelf::Shelf,
    stdout::{self, Output},
    transport::{Signals, Stdio},
};
use rmcp::service::serve_server;
use std::{
    io::Write as _,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::task::TaskTracker;

/// Pending answers may take this long once stdin has ended.
const DRAIN: Duration = Duration::from_millis(1500);
/// The last lines may take this long to be read.
const SETTLE: Duration = Duration::from_millis(200);

/// The whole program, from its arguments to its exit code.
pub fn run() -> ExitCode {
    match flags::parse(std::env::args_os().skip(1)) {
        Flags::Serve => serve_stdio(),
        Flags::Print(text) => {
            // Whoever closed stdout does not want to know.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Flags::Refuse(text) => {
            let _ = std::io::stderr().write_all(text.as_bytes());
            ExitCode::from(flags::USAGE)
        }
    }
}

fn serve_stdio() -> ExitCode {
    let setup = Setup::read();
    let log = setup.start_log();
    exai_telemetry::logging::panics_to_log();
    setup.say_remarks();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            setup.complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let end = runtime.block_on(serve(setup));
    tracing::info!(?end, "the shim ends");
    // A thread that blocks on stdin must not keep the process.
    runtime.shutdown_background();
    drop(log);
    ExitCode::SUCCESS
}

async fn serve(setup: Setup) -> End {
    let tracker = TaskTracker::new();
    let (input, out) = pipes::open();
    let (output, queue) = stdout::queue();
    let writer = tracker.spawn(stdout::write(out, queue));
    let signals = Arc::<Signals>::default();
    let limit = setup.settings.network.max_frame_bytes;
    let (shim, calling) = compose(setup, &output, &signals, tracker);
    let (calls, signalled) = (Arc::clone(&calling), Arc::clone(&signals));
    let transport = Stdio::new(input, limit, output.clone(), calls, signalled);
    let service = async {
        match serve_server(shim, transport).await {
            Ok(running) => {
                signals.serving.store(true, Ordering::Relaxed);
                // However the loop ended, there is nothing left to serve.
                let _ = running.waiting().await;
            }
            Err(error) => tracing::info!(%error, "the client left before it began"),
        }
        calling.ended().await;
    };
    let drained = async {
        signals.closing.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let end = tokio::select! {
        biased;
        signal = lifecycle::signal() => return End::Signal(signal),
        () = lifecycle::parent_gone() => return End::ParentGone,
        _ = writer => return End::StdoutClosed,
        () = pipes::reader_gone() => return End::StdoutClosed,
        () = service => End::StdinEnded,
        () = drained => {
            tracing::warn!(calls = calling.open(), "calls were left to the daemon");
            End::StdinEnded
        }
    };
    output.settle(SETTLE).await;
    calling.bridge().close(SETTLE).await;
    end
}

fn compose(
    setup: Setup,
    output: &Output,
    signals: &Arc<Signals>,
    tracker: TaskTracker,
) -> (Shim, Arc<Calling>) {
    let catalog = Arc::new(if setup.is_inside {
        Catalog::none()
    } else {
        Catalog::open(setup.tools_file())
    });
    let listeners = Listeners::new(Arc::clone(&catalog), output.clone());
    tracker.spawn(Arc::clone(&listeners).announce());
    let names = &setup.settings.shim;
    let (name, title) = (names.server_id.clone(), names.server_name.clone());
    let shelf = Shelf::new(Arc::clone(&listeners));
    let bridge = Bridge::new(setup, Arc::clone(&catalog), Arc::clone(&shelf), tracker);
    let bridge = Arc::new(bridge);
    let calling = Calling::new(
        name.clone(),
        Arc::clone(&bridge),
        Arc::clone(&catalog),
        output.clone(),
        Arc::clone(&listeners),
        shelf,
    );
    let shim = Shim::new(
        (name, title),
        bridge,
        catalog,
        listeners,
        Arc::clone(signals),
    );
    (shim, calling)
}
