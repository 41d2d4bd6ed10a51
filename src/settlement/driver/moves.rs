//! Burns and forced transfers on their way into a transaction: one each, tried before it has a nonce.

use std::collections::HashMap;

use super::Session;
use super::preflight::{with_margin, without_margin};
use crate::chain::Receipt;
use crate::chain::contracts::{events, token};
use crate::error::Error;
use crate::ledger;
use crate::operation::{Operation, OperationKind};
use crate::settlement::plan::{Held, Waiting};
use crate::settlement::{finish, moves};
use crate::types::{Address, Amount, AssetId};

type Line = (Address, Option<Address>, Amount);

impl Session {
    /// Its calldata and gas limit; none when it is held, or was refused, in which case it has ended.
    pub(super) async fn try_moves(
        &self,
        waiting: &Waiting,
        operation: &Operation,
    ) -> Result<Option<(Vec<u8>, u64)>, Error> {
        let (asset, number, chain) = (operation.asset, operation.sequence, self.chain.clone());
        let is_ours = !waiting.placement.adopted;
        let (lines, missing) = self
            .driver
            .db
            .read(move |tx| {
                let lines = ledger::moves_of(tx, asset, number)?;
                let missing = match is_ours {
                    true => moves::registrations_missing(tx, &chain, &lines)?,
                    false => None,
                };
                Ok((lines, missing))
            })
            .await?;
        if let Some(reason) = missing {
            let numbers = vec![number];
            let held = vec![Held { asset, numbers, reason }];
            self.hold(std::slice::from_ref(waiting), held).await?;
            return Ok(None);
        }
        let data = calldata(operation.kind, &lines)?;
        let bound = self.gas_bound();
        let call = self.call(waiting.asset.address, data.clone());
        let reason = match self.driver.rpc.estimate_gas(&call).await? {
            Ok(gas) if gas <= without_margin(bound) => return Ok(Some((data, with_margin(gas).min(bound)))),
            Ok(gas) => format!("needs {gas} gas and one transaction may spend {bound}: take from fewer at a time"),
            Err(revert) => match revert.line.and_then(|line| lines.get(usize::try_from(line).ok()?)) {
                Some((from, ..)) => format!("line {} ({from}): {}", revert.line.unwrap_or(0), revert.reason),
                None => revert.reason,
            },
        };
        let now = self.driver.now();
        tracing::warn!(operation = %operation.id, %reason, "refused by the token before it was sent");
        metrics::counter!("settlement_refused_total").increment(1);
        self.write(move |tx| finish::fail(tx, asset, number, &reason, None, now))
            .await?;
        Ok(None)
    }

    /// Rule 16 for a transaction that takes from holders.
    pub(super) async fn moved_as_planned(
        &self,
        token: Address,
        operations: &[(AssetId, i64)],
        receipt: &Receipt,
    ) -> Result<Result<(), String>, Error> {
        let operations = operations.to_vec();
        let lines = self
            .driver
            .db
            .read(move |tx| {
                let lines = operations
                    .iter()
                    .map(|(asset, number)| ledger::moves_of(tx, *asset, *number));
                Ok(lines.collect::<Result<Vec<_>, _>>()?.concat())
            })
            .await?;
        Ok(compare(token, &lines, receipt))
    }
}

fn calldata(kind: OperationKind, lines: &[Line]) -> Result<Vec<u8>, Error> {
    match kind {
        OperationKind::Burn => {
            let lines: Vec<(Address, Amount)> = lines.iter().map(|(from, _, amount)| (*from, *amount)).collect();
            Ok(token::batch_burn(&lines))
        }
        OperationKind::ForcedTransfer => {
            let lines = lines
                .iter()
                .filter_map(|(from, to, amount)| Some((*from, (*to)?, *amount)));
            Ok(token::batch_forced_transfer(&lines.collect::<Vec<_>>()))
        }
        OperationKind::Create
        | OperationKind::Adopt
        | OperationKind::Mint
        | OperationKind::Pause
        | OperationKind::Unpause
        | OperationKind::SetCap
        | OperationKind::FreezeAddress
        | OperationKind::Observed => Err(Error::internal(format!("{} takes from nobody", kind.text()))),
    }
}

/// Line by line, whatever their order.
fn compare(token: Address, lines: &[Line], receipt: &Receipt) -> Result<(), String> {
    let mut left: HashMap<(Address, Address, Amount), i64> = HashMap::new();
    for (from, to, amount) in lines {
        let count = left.entry((*from, to.unwrap_or(Address::ZERO), *amount)).or_default();
        *count = count.saturating_add(1);
    }
    let moved = events::decode_transfers(&receipt.logs);
    for transfer in moved.iter().filter(|transfer| transfer.token == token) {
        let count = left.entry((transfer.from, transfer.to, transfer.amount)).or_default();
        *count = count.saturating_sub(1);
    }
    match left.iter().find(|(_, count)| **count != 0) {
        None => Ok(()),
        Some(((from, to, amount), count)) => Err(format!(
            "the receipt shows {amount} from {from} to {to} {} than was sent",
            if *count > 0 { "less often" } else { "more often" }
        )),
    }
}
