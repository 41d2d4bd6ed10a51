//! How accepted operations become final.
//!
//! With *book* settlement the ledger is the register: what is accepted is final in the same commit. *Evm* settlement
//! leaves the operation queued with its lines pending; a worker sends it and finishes it at finality.

pub mod sender;

use crate::asset::Settlement;
use crate::error::Error;
use crate::ledger::Sheet;
use crate::operation::Operation;
use crate::types::Timestamp;

/// Takes over an operation whose lines are reserved on the sheet, inside the commit that accepts it.
pub fn accept(kind: Settlement, sheet: &mut Sheet, operation: Operation, now: Timestamp) -> Result<Operation, Error> {
    match kind {
        Settlement::Book => {
            sheet.post_reserved(operation.sequence).map_err(Error::internal)?;
            Ok(operation.succeeded(now))
        }
        Settlement::Evm => Ok(operation),
    }
}

/// Takes over a change that has no lines (a pause, a freeze, a cap): it holds for new requests from this commit on.
pub fn accept_change(kind: Settlement, operation: Operation, now: Timestamp) -> Operation {
    match kind {
        Settlement::Book => operation.succeeded(now),
        Settlement::Evm => operation,
    }
}
