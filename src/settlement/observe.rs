//! Units that moved on the chain without us: posted as they were seen, once they are final (specs/chain.md part A).
//!
//! Each movement is one operation of kind *observed* that nobody here requested, with its transaction and an audit event.
//! What the books cannot follow (more leaves a wallet than they have there) is *drift*: told, never posted. What our own
//! transactions moved is posted where they are finished, and passed over here.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::model::Token;
use super::store;
use crate::asset::{self, Books};
use crate::audit::{self, Event, Stream};
use crate::chain::contracts::events::Transfer;
use crate::db::Tx;
use crate::error::Error;
use crate::ledger::{self, Movement};
use crate::operation::{self, NewOperation, Operation, Plan};
use crate::types::{Address, AssetId, Hash32, OperationId, RequestId, Timestamp, UserId};

/// Movements that one commit posts; more are cut off at the end of a block.
const MOVEMENTS_MAX: usize = 2_000;

/// The transfers of whole blocks that one commit takes, and the last of these blocks. A block with more than the bound
/// is taken whole.
pub(super) fn cut(mut transfers: Vec<Transfer>, to: u64) -> (Vec<Transfer>, u64) {
    transfers.sort_by_key(|transfer| (transfer.block_number, transfer.index));
    let Some(over) = transfers.get(MOVEMENTS_MAX).map(|transfer| transfer.block_number) else {
        return (transfers, to);
    };
    let first = transfers.first().map_or(over, |transfer| transfer.block_number);
    let last = over.saturating_sub(1).max(first);
    transfers.retain(|transfer| transfer.block_number <= last);
    (transfers, last.min(to))
}

/// Posts the movements of final blocks, `from` the first that was not read to the last one read, and notes how far it
/// read: a crash posts nothing twice. Every token was read up to the block before. Returns what could not be posted, one
/// sentence each.
pub(super) fn post(
    tx: &mut Tx<'_>,
    chain_id: u64,
    blocks: (u64, u64),
    tokens: &[Token],
    transfers: &[Transfer],
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let (from, to) = blocks;
    let chain = store::chain(tx)?.ok_or_else(|| Error::internal("the chain is not set up"))?;
    if chain.observed_block.saturating_add(1) != from {
        return Err(read_by_another(from));
    }
    let drift = post_foreign(tx, tokens, transfers, now)?;
    store::set_observed(tx, chain_id, to)?;
    let adopted: Vec<AssetId> = tokens
        .iter()
        .filter(|one| one.is_adopted())
        .map(|one| one.asset)
        .collect();
    if !adopted.is_empty() {
        store::set_tokens_observed(tx, &adopted, to)?;
    }
    Ok(drift)
}

/// As [`post`] for an adopted token alone, which was read less far than its chain.
pub(super) fn catch_up(
    tx: &mut Tx<'_>,
    blocks: (u64, u64),
    token: &Token,
    transfers: &[Transfer],
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let (from, to) = blocks;
    let placement = store::placements(tx, &[token.asset])?.into_iter().next();
    let observed = placement.and_then(|placement| placement.observed_block);
    if observed.map(|observed| observed.saturating_add(1)) != Some(from) {
        return Err(read_by_another(from));
    }
    let drift = post_foreign(tx, std::slice::from_ref(token), transfers, now)?;
    store::set_tokens_observed(tx, &[token.asset], to)?;
    Ok(drift)
}

fn read_by_another(from: u64) -> Error {
    Error::Conflict(format!("the blocks from {from} on were read by another process"))
}

/// Posts those of these movements that no transaction of ours made.
fn post_foreign(
    tx: &mut Tx<'_>,
    tokens: &[Token],
    transfers: &[Transfer],
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let mut hashes: Vec<Hash32> = transfers.iter().map(|transfer| transfer.transaction).collect();
    hashes.dedup();
    let ours = store::ours(tx, &hashes)?;
    let assets: HashMap<Address, AssetId> = tokens.iter().map(|token| (token.address, token.asset)).collect();
    let mut foreign: BTreeMap<AssetId, Vec<&Transfer>> = BTreeMap::new();
    for transfer in transfers {
        let is_news = !ours.contains(&transfer.transaction) && !transfer.amount.is_zero();
        if let Some(asset) = assets.get(&transfer.token).filter(|_| is_news) {
            foreign.entry(*asset).or_default().push(transfer);
        }
    }
    let mut drift = Vec::new();
    for (asset, transfers) in foreign {
        drift.extend(post_of_asset(tx, asset, &transfers, now)?);
    }
    Ok(drift)
}

/// As [`post`] for the movements of one token, whoever sent their transactions.
pub(super) fn post_of_asset(
    tx: &mut Tx<'_>,
    asset: AssetId,
    transfers: &[&Transfer],
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let wallets = transfers.iter().flat_map(|one| [one.from, one.to]).collect();
    let locked = asset::lock(tx, asset)?;
    let mut books = Books::open(tx, &locked, wallets)?;
    let request_id = RequestId::generate();
    let (mut operations, mut events, mut drift) = (Vec::new(), Vec::new(), Vec::new());
    for transfer in transfers {
        let movement = Movement {
            from: books.party(transfer.from),
            to: books.party(transfer.to),
            amount: transfer.amount,
        };
        let number = books.sheet.next_operation();
        match books.sheet.observe(number, &movement) {
            Ok(()) => {
                books.sheet.number();
                let operation = operation(asset, number, transfer, &request_id, now);
                events.push(event(asset, Some(operation.id), "transfer.observed", transfer, None));
                operations.push(operation);
            }
            Err(error) => {
                drift.push(format!(
                    "asset {asset}: {} of {} to {} in transaction {} was not posted: {error}",
                    transfer.amount, transfer.from, transfer.to, transfer.transaction
                ));
                events.push(event(
                    asset,
                    None,
                    "transfer.unexplained",
                    transfer,
                    Some(error.to_string()),
                ));
            }
        }
    }
    operation::enqueue(tx, &operations)?;
    ledger::save(tx, books.sheet, now)?;
    audit::append(tx, now, events)?;
    Ok(drift)
}

fn operation(asset: AssetId, number: i64, transfer: &Transfer, request_id: &RequestId, now: Timestamp) -> Operation {
    let plan = Plan::Observed {
        transaction: transfer.transaction,
        log_index: transfer.index,
    };
    let new = NewOperation {
        asset,
        sequence: number,
        plan: &plan,
        lines: i32::from(!transfer.to.is_zero()),
        total: transfer.amount,
        requested_by: UserId::NOBODY,
        request_id,
        policy_hash: None,
        now,
    };
    Operation::queued(&new).succeeded(now)
}

fn event(
    asset: AssetId,
    operation: Option<OperationId>,
    action: &'static str,
    transfer: &Transfer,
    reason: Option<String>,
) -> Event {
    let parties = [transfer.from, transfer.to].into_iter();
    let subjects = match operation {
        // The postings tell whom it is about.
        Some(_) => Vec::new(),
        None => parties.filter(|party| !party.is_zero()).collect(),
    };
    let mut data = json!({
        "transaction": transfer.transaction,
        "block": transfer.block_number.to_string(),
        "blockHash": transfer.block_hash,
        "logIndex": transfer.index.to_string(),
        "from": transfer.from,
        "to": transfer.to,
        "amount": transfer.amount,
    });
    if let (Some(reason), Some(data)) = (reason, data.as_object_mut()) {
        data.insert("reason".to_owned(), Value::String(reason));
    }
    Event {
        stream: Stream::Asset(asset),
        actor: "system".to_owned(),
        action,
        asset: Some(asset),
        operation,
        subjects,
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Amount;

    fn transfer(block_number: u64, index: u64) -> Transfer {
        Transfer {
            token: Address::ZERO,
            from: Address::ZERO,
            to: Address::ZERO,
            amount: Amount::ONE,
            transaction: Hash32::ZERO,
            block_number,
            block_hash: Hash32::ZERO,
            index,
        }
    }

    fn of_blocks(counts: &[(u64, u64)]) -> Vec<Transfer> {
        let logs = counts
            .iter()
            .flat_map(|(block, count)| (0..*count).map(|index| transfer(*block, index)));
        logs.rev().collect()
    }

    #[test]
    fn what_fits_one_commit_is_taken_in_the_order_of_the_chain() {
        let (taken, to) = cut(of_blocks(&[(5, 1_000), (6, 1_000)]), 9);

        assert_eq!((taken.len(), to), (2_000, 9));
        assert!(taken.is_sorted_by_key(|transfer| (transfer.block_number, transfer.index)));
    }

    #[test]
    fn what_does_not_fit_is_cut_at_the_end_of_a_block() {
        let (taken, to) = cut(of_blocks(&[(5, 1_000), (6, 1_001), (8, 3)]), 9);

        assert_eq!((taken.len(), to), (1_000, 5));
    }

    #[test]
    fn a_block_that_is_too_large_is_taken_whole() {
        let (taken, to) = cut(of_blocks(&[(5, 2_500), (6, 1)]), 9);

        assert_eq!((taken.len(), to), (2_500, 5));
    }
}
