//! The one owner of stdout. Every line is one buffer, written whole, by one task; what waits
//! is bounded in lines and in bytes, so a client that does not read slows the shim down and
//! costs it no memory.

use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

/// Lines that may wait.
const LINES: usize = 64;
/// Bytes that may wait, in units, so that they fit a semaphore; a longer line goes alone.
const UNIT: usize = 8 * 1024;
const UNITS: u32 = 1024;

/// Stdout is gone: nobody can be answered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stdout is closed")
    }
}

impl std::error::Error for Broken {}

/// A pen for stdout.
#[derive(Clone)]
pub(crate) struct Output {
    lines: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

struct Queued {
    line: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// What the writer task reads from.
pub(crate) struct Queue(mpsc::Receiver<Queued>);

pub(crate) fn queue() -> (Output, Queue) {
    let (lines, queue) = mpsc::channel(LINES);
    let room = Arc::new(Semaphore::new(UNITS as usize));
    (Output { lines, room }, Queue(queue))
}

impl Output {
    /// Queues one line, waiting for room.
    pub(crate) async fn send(&self, line: Vec<u8>) -> Result<(), Broken> {
        let units = units(line.len());
        let room = Arc::clone(&self.room)
            .acquire_many_owned(units)
            .await
            .map_err(|_| Broken)?;
        self.lines.send(seal(line, room)).await.map_err(|_| Broken)
    }

    /// Queues one line if there is room: for what may be skipped.
    pub(crate) fn offer(&self, line: Vec<u8>) -> bool {
        let units = units(line.len());
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(units) else {
            return false;
        };
        self.lines.try_send(seal(line, room)).is_ok()
    }

    /// Waits until the client reads again.
    pub(crate) async fn has_room(&self) {
        if self.lines.capacity() == 0 {
            // Either there is room now, or stdout is closed and somebody else notices.
            drop(self.lines.reserve().await);
        }
        drop(self.room.acquire().await);
    }

    /// Waits until everything is written, for a while at most.
    pub(crate) async fn settle(&self, within: Duration) {
        // Too late is too late: the process ends either way.
        let _ = tokio::time::timeout(within, self.room.acquire_many(UNITS)).await;
    }
}

fn seal(mut line: Vec<u8>, room: OwnedSemaphorePermit) -> Queued {
    debug_assert!(!line.contains(&b'\n'), "a line is one line");
    line.push(b'\n');
    Queued { line, _room: room }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes / UNIT + 1).unwrap_or(UNITS).min(UNITS)
}

/// Writes lines until nobody can send any more, or stdout breaks.
pub(crate) async fn write(mut out: impl AsyncWrite + Unpin, mut queue: Queue) -> io::Result<()> {
    while let Some(queued) = queue.0.recv().await {
        out.write_all(&queued.line).await?;
        out.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test(start_paused = true)]
    async fn r08_a_client_that_does_not_read_stops_the_writers_at_a_bound() {
        let (output, queue) = queue();
        let (mut theirs, ours) = tokio::io::duplex(16);
        let writer = write(ours, queue);
        let flood = async {
            let mut sent = 0;
            while tokio::time::timeout(Duration::from_secs(1), output.send(vec![b'x'; 1_000_000]))
                .await
                .is_ok()
            {
                sent += 1;
            }
            sent
        };
        let sent = tokio::select! {
            sent = flood => sent,
            _ = writer => panic!("the writer ended"),
        };
        assert!(sent <= 9, "{sent} MB were queued");
        assert!(!output.offer(vec![b'y'; 10_000]));
        drop(theirs.read(&mut [0; 4]).await);
    }

    #[tokio::test]
    async fn lines_leave_whole_and_in_order() {
        let (output, queue) = queue();
        let (mut theirs, ours) = tokio::io::duplex(1024);
        output.send(b"one".to_vec()).await.unwrap();
        assert!(output.offer(b"two".to_vec()));
        drop(output);
        write(ours, queue).await.unwrap();
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[tokio::test]
    async fn r04_a_broken_pipe_ends_the_writer_and_every_sender() {
        let (output, queue) = queue();
        let (theirs, ours) = tokio::io::duplex(16);
        drop(theirs);
        output.send(b"one".to_vec()).await.unwrap();
        assert!(write(ours, queue).await.is_err());
        assert_eq!(output.send(b"two".to_vec()).await, Err(Broken));
    }
}
