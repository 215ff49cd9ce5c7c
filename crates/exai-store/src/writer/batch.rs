//! One transaction for all work that waits. A piece that fails by itself takes only itself
//! back; a fault of the file takes all of them back.

use crate::{error::StoreError, fault, queue::Envelope};
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Each piece's outcome, in order, all of them committed.
pub(super) type Outcomes = Vec<Result<(), StoreError>>;

pub(super) fn write(db: &mut Connection, work: &mut [Envelope]) -> rusqlite::Result<Outcomes> {
    let mut tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut outcomes = Vec::with_capacity(work.len());
    for envelope in work {
        match one(&mut tx, envelope) {
            Ok(()) => outcomes.push(Ok(())),
            Err(error) if fault::is_of_file(&error) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "a piece of work for the database failed");
                outcomes.push(Err(StoreError::internal(&error)));
            }
        }
    }
    tx.commit()?;
    Ok(outcomes)
}

fn one(tx: &mut Transaction<'_>, envelope: &mut Envelope) -> rusqlite::Result<()> {
    if envelope.job.is_one_step() {
        return envelope.job.run(tx);
    }
    let savepoint = tx.savepoint()?;
    envelope.job.run(&savepoint)?;
    savepoint.commit()
}
