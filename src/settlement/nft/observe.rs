use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::batch::moved;
use crate::asset::{self, Books};
use crate::audit::{self, Event, Stream};
use crate::chain::contracts::events::TokenTransfer;
use crate::collection::{self, Moved, Register};
use crate::db::Tx;
use crate::error::Error;
use crate::ledger::{self, Movement};
use crate::operation::{self, NewOperation, Operation, Plan};
use crate::settlement::model::Token;
use crate::settlement::store;
use crate::types::{Address, AssetId, OperationId, RequestId, Timestamp, UserId};

/// Movements that one commit posts; more are cut off at the end of a block.
const MOVEMENTS_MAX: usize = 2_000;

/// The movements of whole blocks that one commit takes, and the last of these blocks. A block with more than the bound is
/// taken whole.
pub(in crate::settlement) fn cut(mut transfers: Vec<TokenTransfer>, to: u64) -> (Vec<TokenTransfer>, u64) {
    transfers.sort_by_key(|one| (one.block_number, one.index, one.position));
    let over = transfers.get(MOVEMENTS_MAX).map(|one| one.block_number);
    let first = transfers.first().map(|one| one.block_number);
    let last = over
        .zip(first)
        .map_or(to, |(over, first)| over.saturating_sub(1).max(first));
    let last = last.min(to);
    transfers.retain(|one| one.block_number <= last);
    (transfers, last)
}

/// Posts what moved in collections in final blocks and is not recorded yet: what our own mints moved is recorded where
/// they are finished. `collections` are those whose logs were read, each up to the block before; the caller has moved the
/// chain's mark in this transaction. Returns what could not be posted, one sentence each.
///
/// `Conflict` when one of ours came to the chain since they were read: its logs have to be read, too.
pub(in crate::settlement) fn post(
    tx: &mut Tx<'_>,
    (chain_id, to): (u64, u64),
    collections: &[Token],
    transfers: &[TokenTransfer],
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    if store::collections(tx, chain_id, to)?
        .iter()
        .any(|one| !one.is_adopted() && !collections.contains(one))
    {
        return Err(Error::Conflict("a collection came to the chain meanwhile".to_owned()));
    }
    let adopted: Vec<AssetId> = collections
        .iter()
        .filter(|one| one.is_adopted())
        .map(|one| one.asset)
        .collect();
    if !adopted.is_empty() {
        store::set_tokens_observed(tx, &adopted, to)?;
    }
    post_each(tx, collections, transfers, now)
}

/// As [`post`] for an adopted collection alone, which was read less far than its chain: up to the block before `from`.
pub(in crate::settlement) fn catch_up(
    tx: &mut Tx<'_>,
    (from, to): (u64, u64),
    collection: &Token,
    transfers: &[TokenTransfer],
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let placement = store::placements(tx, &[collection.asset])?.into_iter().next();
    let observed = placement.and_then(|placement| placement.observed_block);
    if observed.map(|observed| observed.saturating_add(1)) != Some(from) {
        let message = format!("the blocks from {from} on were read by another process");
        return Err(Error::Conflict(message));
    }
    store::set_tokens_observed(tx, &[collection.asset], to)?;
    post_each(tx, std::slice::from_ref(collection), transfers, now)
}

fn post_each(
    tx: &mut Tx<'_>,
    collections: &[Token],
    transfers: &[TokenTransfer],
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let assets: HashMap<Address, AssetId> = collections.iter().map(|one| (one.address, one.asset)).collect();
    let mut of_asset: BTreeMap<AssetId, Vec<Moved>> = BTreeMap::new();
    for transfer in transfers.iter().filter(|one| !one.amount.is_zero()) {
        if let Some(asset) = assets.get(&transfer.collection) {
            of_asset.entry(*asset).or_default().push(moved(transfer));
        }
    }
    let mut drift = Vec::new();
    for (asset, moved) in of_asset {
        drift.extend(post_of(tx, asset, &moved, now)?);
    }
    Ok(drift)
}

/// As [`post`] for one collection, whose movements are in the order of the chain.
pub(super) fn post_of(tx: &mut Tx<'_>, asset: AssetId, moved: &[Moved], now: Timestamp) -> Result<Vec<String>, Error> {
    let asset = asset::lock(tx, asset)?;
    let news = collection::unrecorded(tx, asset.id, moved)?;
    if news.is_empty() {
        return Ok(Vec::new());
    }
    let contract_type = collection::find(tx, asset.id)?.contract_type();
    let wallets = news.iter().flat_map(|one| [one.from, one.to]).collect();
    let mut books = Books::open(tx, &asset, wallets)?;
    let mut register = Register::open(tx, asset.id, contract_type, &news, now)?;
    let request_id = RequestId::generate();
    let (mut operations, mut events, mut drift) = (Vec::new(), Vec::new(), Vec::new());
    for one in &news {
        let number = books.sheet.next_operation();
        match follow(&mut books, &mut register, number, one) {
            Ok(()) => {
                books.sheet.number();
                let operation = operation(asset.id, number, one, &request_id, now);
                events.push(event(asset.id, Some(operation.id), "transfer.observed", one, None));
                operations.push(operation);
            }
            Err(reason) => {
                drift.push(format!(
                    "collection {}: {} of token {} from {} to {} in transaction {} was not posted: {reason}",
                    asset.address, one.amount, one.token_id, one.from, one.to, one.place.transaction
                ));
                events.push(event(asset.id, None, "transfer.unexplained", one, Some(reason)));
            }
        }
    }
    operation::enqueue(tx, &operations)?;
    ledger::save(tx, books.sheet, now)?;
    register.save(tx)?;
    audit::append(tx, now, events)?;
    Ok(drift)
}

/// In the books and on the register, or in neither.
fn follow(books: &mut Books, register: &mut Register, number: i64, moved: &Moved) -> Result<(), String> {
    register.explains(moved).map_err(|error| error.to_string())?;
    let movement = Movement {
        from: books.party(moved.from),
        to: books.party(moved.to),
        amount: moved.amount,
    };
    let posted = books.sheet.observe(number, &movement);
    posted.map_err(|error| error.to_string())?;
    register.apply(moved).map_err(|error| error.to_string())?;
    Ok(())
}

fn operation(asset: AssetId, number: i64, moved: &Moved, request_id: &RequestId, now: Timestamp) -> Operation {
    let plan = Plan::Observed {
        transaction: moved.place.transaction,
        log_index: moved.place.log_index,
    };
    let new = NewOperation {
        asset,
        sequence: number,
        plan: &plan,
        lines: i32::from(!moved.to.is_zero()),
        total: moved.amount,
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
    moved: &Moved,
    reason: Option<String>,
) -> Event {
    let parties = [moved.from, moved.to].into_iter();
    let subjects = match operation {
        // The postings tell whom it is about.
        Some(_) => Vec::new(),
        None => parties.filter(|party| !party.is_zero()).collect(),
    };
    let place = moved.place;
    let mut data = json!({
        "transaction": place.transaction,
        "block": place.block.to_string(),
        "blockHash": place.block_hash,
        "logIndex": place.log_index.to_string(),
        "from": moved.from,
        "to": moved.to,
        "tokenId": moved.token_id,
        "amount": moved.amount,
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
