//! Burns and forced transfers, from acceptance to their end.

use super::store;
use crate::asset::{self, Books, Settlement};
use crate::db::Tx;
use crate::error::Error;
use crate::ledger::{self, Movement, Phase};
use crate::operation::{Operation, OperationKind};
use crate::types::{Address, Amount, AssetId, Timestamp};

/// Takes over an operation whose moves are reserved in the books, inside the commit that accepts it.
pub fn accept_moves(
    kind: Settlement,
    books: &mut Books,
    moves: &[Movement],
    operation: Operation,
    now: Timestamp,
) -> Result<Operation, Error> {
    match kind {
        Settlement::Book => {
            let posted = books.sheet.post_reserved_moves(operation.sequence, moves);
            posted.map_err(Error::internal)?;
            Ok(operation.succeeded(now))
        }
        Settlement::Evm => Ok(operation),
    }
}

/// Whether operations of this kind take from holders.
pub(super) fn takes(kind: OperationKind) -> bool {
    match kind {
        OperationKind::Burn | OperationKind::ForcedTransfer => true,
        OperationKind::Create
        | OperationKind::Adopt
        | OperationKind::Mint
        | OperationKind::Pause
        | OperationKind::Unpause
        | OperationKind::SetCap
        | OperationKind::FreezeAddress
        | OperationKind::Observed => false,
    }
}

/// Posts or voids what an operation reserved.
pub(super) fn end(tx: &mut Tx<'_>, asset: AssetId, number: i64, ending: Phase, now: Timestamp) -> Result<(), Error> {
    let lines = ledger::moves_of(tx, asset, number)?;
    let asset = asset::lock(tx, asset)?;
    let mut books = Books::open(tx, &asset, concerned(&lines))?;
    let moves = books.moves(&lines);
    match ending {
        Phase::Posted => ledger::post_moves(tx, &mut books.sheet, number, &moves)?,
        Phase::Voided => ledger::void_moves(tx, &mut books.sheet, number, &moves)?,
        Phase::Pending => return Err(Error::internal("pending is no end")),
    }
    ledger::save(tx, books.sheet, now)
}

fn concerned(lines: &[(Address, Option<Address>, Amount)]) -> Vec<Address> {
    let to = lines.iter().filter_map(|(_, to, _)| *to);
    lines.iter().map(|(from, ..)| *from).chain(to).collect()
}

/// Why the receivers of moves are not ready on the chain, the first reason; they are pending on their accounts.
pub(super) fn registrations_missing(
    tx: &mut Tx<'_>,
    chain: &super::ChainRecord,
    lines: &[(Address, Option<Address>, Amount)],
) -> Result<Option<String>, Error> {
    let receivers: Vec<Address> = lines.iter().filter_map(|(_, to, _)| *to).collect();
    if receivers.is_empty() {
        return Ok(None);
    }
    let mirrored = store::mirrored(tx, chain, &receivers)?;
    let missing = receivers.iter().find(|wallet| {
        let is_mined = matches!(mirrored.get(*wallet), Some(super::model::Mirrored::Mined { .. }));
        !is_mined
    });
    Ok(missing.map(|wallet| format!("waits for the registration of {wallet} to be mined")))
}
