//! Where records go. A call reserves room for its end when it is accepted, so that the end
//! can always be recorded, from any path, without waiting; at the recorder's bound it is
//! admission that waits, and nothing is dropped.

use exai_protocol::record::Record;
use tokio::sync::mpsc;

/// The sending side; whoever owns the receiver writes the files.
#[derive(Clone)]
pub struct Recorder {
    sender: mpsc::Sender<Record>,
}

/// Room for the records a call will surely write.
pub struct Reserved {
    finished: mpsc::OwnedPermit<Record>,
}

impl Recorder {
    /// A recorder and the stream of what it is given, `bound` records deep.
    #[must_use]
    pub fn channel(bound: usize) -> (Self, mpsc::Receiver<Record>) {
        let (sender, receiver) = mpsc::channel(bound);
        (Self { sender }, receiver)
    }

    /// Waits for room for a call's end, and records that it was received.
    /// `None` once the writer is gone: then nothing more may be promised.
    pub async fn receive(&self, received: Record) -> Option<Reserved> {
        // In this order: whoever waits for the second place holds none of the first kind, so
        // that even more waiting calls than there are places cannot lock each other out.
        self.sender.send(received).await.ok()?;
        let finished = self.sender.clone().reserve_owned().await.ok()?;
        Some(Reserved { finished })
    }

    /// The same without waiting, for the common case that there is room.
    ///
    /// # Errors
    /// The record itself, when there is none.
    pub fn try_receive(&self, received: Record) -> Result<Reserved, Record> {
        let Ok(finished) = self.sender.clone().try_reserve_owned() else {
            return Err(received);
        };
        match self.sender.try_send(received) {
            Ok(()) => Ok(Reserved { finished }),
            Err(
                mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back),
            ) => Err(back),
        }
    }

    /// Records something on the way if there is room now; false, and nothing made, if not.
    /// Never waits, because a call's own timers must not wait for a disk.
    pub fn try_record(&self, make: impl FnOnce() -> Record) -> bool {
        self.sender
            .try_reserve()
            .map(|room| room.send(make()))
            .is_ok()
    }

    /// Room used, of all room.
    #[must_use]
    pub fn depth(&self) -> (usize, usize) {
        (
            self.sender.max_capacity() - self.sender.capacity(),
            self.sender.max_capacity(),
        )
    }
}

impl Reserved {
    /// Records the call's end; cannot fail and cannot wait.
    pub fn finish(self, finished: Record) {
        self.finished.send(finished);
    }
}
