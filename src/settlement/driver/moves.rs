//! Burns and forced transfers on their way into a transaction: one each, tried before it has a nonce.

use std::collections::HashMap;
use std::sync::Arc;

use super::Session;
use super::preflight::{with_margin, without_margin};
use crate::chain::Receipt;
use crate::chain::contracts::{events, token};
use crate::error::Error;
use crate::ledger;
use crate::operation::{self, Operation, OperationKind};
use crate::settlement::model::Placement;
use crate::settlement::plan::{Held, Waiting};
use crate::settlement::ruling::{Ruling, Sendable};
use crate::settlement::{moves, store};
use crate::types::{Address, Amount, AssetId};

type Line = (Address, Option<Address>, Amount);

impl Session {
    /// Its calldata and gas limit; none when it is held, or was refused, in which case it has ended.
    pub(super) async fn try_moves(
        &self,
        waiting: &Waiting,
        operation: &Operation,
    ) -> Result<Option<(Vec<u8>, u64)>, Error> {
        let number = operation.sequence;
        let (lines, ruling) = self.judged_moves(operation, waiting.placement).await?;
        match ruling {
            Some(Ruling::Waits(reason)) => {
                self.keep(waiting, number, reason).await?;
                return Ok(None);
            }
            Some(Ruling::Fails(reason)) => {
                self.refuse(operation.clone(), reason).await?;
                return Ok(None);
            }
            None => {}
        }
        let data = calldata(operation.kind, &lines)?;
        match self.fits(waiting, &lines, &data).await? {
            Ok(gas_limit) => Ok(Some((data, gas_limit))),
            // A transfer to somebody who was frozen and is free again has to wait until the contract knows.
            Err(refusal) => {
                let receivers = lines.iter().filter_map(|(_, to, _)| *to).collect();
                match self.why_for_now(operation, receivers, &refusal).await? {
                    Some(reason) => self.keep(waiting, number, reason).await?,
                    None => self.refuse(operation.clone(), refusal).await?,
                }
                Ok(None)
            }
        }
    }

    async fn keep(&self, waiting: &Waiting, number: i64, reason: String) -> Result<(), Error> {
        let held = Held {
            asset: waiting.asset.id,
            numbers: vec![number],
            reason,
        };
        self.hold(std::slice::from_ref(waiting), vec![held]).await
    }

    /// Rule 14 for what has had its nonce for a while and was not signed.
    pub(super) async fn moves_still_go(&self, operations: &[(AssetId, i64)]) -> Result<bool, Error> {
        for (asset, number) in operations.iter().copied() {
            let found = self.driver.db.read(move |tx| {
                let operation = operation::of_numbers(tx, asset, &[number])?.pop();
                Ok(operation.zip(store::placements(tx, &[asset])?.pop()))
            });
            let Some((operation, placement)) = found.await? else {
                continue;
            };
            if self.judged_moves(&operation, placement).await?.1.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Its lines, and why it may not go (rule 14): our registry does not know a receiver yet, or whoever could receive when
    /// it was accepted may no longer.
    async fn judged_moves(
        &self,
        operation: &Operation,
        placement: Placement,
    ) -> Result<(Vec<Line>, Option<Ruling>), Error> {
        let (asset, kind, number) = (operation.asset, operation.kind, operation.sequence);
        let (chain, judging) = (self.chain.clone(), Arc::clone(&self.driver.judging));
        let judged = self.driver.db.read(move |tx| {
            let lines = ledger::moves_of(tx, asset, number)?;
            if !placement.adopted
                && let Some(reason) = moves::registrations_missing(tx, &chain, &lines)?
            {
                return Ok((lines, Some(Ruling::Waits(reason))));
            }
            let received = lines.iter().filter_map(|(_, to, amount)| Some(((*to)?, *amount)));
            let sendable = Sendable {
                number,
                lines: received.collect(),
            };
            let mut rulings = judging(tx, asset, kind, std::slice::from_ref(&sendable))?;
            Ok((lines, rulings.remove(&number)))
        });
        judged.await
    }

    /// The gas limit with which the token takes it, or why it does not.
    async fn fits(&self, waiting: &Waiting, lines: &[Line], data: &[u8]) -> Result<Result<u64, String>, Error> {
        let bound = self.gas_bound();
        let call = self.call(waiting.asset.address, data.to_vec());
        let reason = match self.driver.rpc.estimate_gas(&call).await? {
            Ok(gas) if gas <= without_margin(bound) => return Ok(Ok(with_margin(gas).min(bound))),
            Ok(gas) => {
                self.correct(&waiting.placement, lines.len(), Some(gas)).await?;
                format!("needs {gas} gas and one transaction may spend {bound}: take from fewer at a time")
            }
            Err(revert) if revert.is_out_of_gas() => {
                self.correct(&waiting.placement, lines.len(), None).await?;
                format!("needs more gas than the {bound} that one transaction may spend: take from fewer at a time")
            }
            Err(revert) => match revert.line.and_then(|line| lines.get(usize::try_from(line).ok()?)) {
                Some((from, ..)) => format!("line {} ({from}): {}", revert.line.unwrap_or(0), revert.reason),
                None => revert.reason,
            },
        };
        Ok(Err(reason))
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
