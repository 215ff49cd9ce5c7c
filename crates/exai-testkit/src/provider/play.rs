//! Plays a plan on a connection. Moments are kept by the clock, not added up, so that a slow
//! system does not make a stream slower.

use super::{
    Stall,
    event::Mark,
    plan::{Noise, Step},
};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    time::{Instant, sleep_until, timeout_at},
};

/// What the player tells.
#[derive(Debug)]
pub(super) enum Told {
    /// The first byte is with the system.
    FirstByte,
    Mark(Mark),
}

pub(super) async fn play<W>(
    steps: Vec<Step>,
    writer: &mut W,
    mut tell: impl FnMut(Told),
) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let mut moment = Instant::now();
    let mut began = false;
    for step in steps {
        match step {
            Step::Send(bytes) => {
                writer.write_all(&bytes).await?;
                if !began {
                    began = true;
                    tell(Told::FirstByte);
                }
            }
            Step::Hold(Stall::For(time), noise) => {
                moment += time;
                hold(sleep_until(moment), noise, writer).await?;
            }
            Step::Hold(Stall::Until(gate), noise) => {
                hold(gate.opened(), noise, writer).await?;
                moment = Instant::now();
            }
            Step::Hold(Stall::Forever, noise) => {
                hold(std::future::pending(), noise, writer).await?;
            }
            Step::Mark(mark) => tell(Told::Mark(mark)),
        }
    }
    writer.flush().await
}

/// Waits, and fills the wait with noise.
async fn hold<W>(
    until: impl Future<Output = ()>,
    noise: Option<Noise>,
    writer: &mut W,
) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let Some(Noise { each, bytes }) = noise else {
        until.await;
        return Ok(());
    };
    let each = each.max(Duration::from_millis(1));
    let mut until = std::pin::pin!(until);
    let mut next = Instant::now() + each;
    while timeout_at(next, &mut until).await.is_err() {
        writer.write_all(&bytes).await?;
        next += each;
    }
    Ok(())
}
