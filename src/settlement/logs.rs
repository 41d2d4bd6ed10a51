//! Compares the chain's Transfer logs with what was posted, one by one (specs/chain.md section 5, rule 20): balances may
//! agree although two errors cancel each other, or an operation names a transaction that did something else.
//!
//! Every final log of a contract of ours has one posting that names its transaction, and every posting has its log. What
//! we sent is found by the block of its transaction, what was observed by its place in the chain. Whoever settles compares
//! what came since the last time; `moneyer check` compares everything, and finds also what was posted without any log.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::model::Token;
use super::{nft, observe, store};
use crate::chain::Rpc;
use crate::chain::contracts::events::{self, TokenTransfer, Transfer};
use crate::collection::{self, Place};
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::ledger::{self, Moved};
use crate::operation;
use crate::types::{Address, AssetId, Hash32};

/// Blocks whose logs are read at once.
const BLOCKS_MAX: u64 = 2_000;
/// Transactions and places that one query names.
const NAMED_MAX: usize = 1_000;

/// The contracts whose logs are compared, and up to which final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub chain_id: u64,
    pub block: u64,
    pub tokens: Vec<Token>,
    pub collections: Vec<Token>,
    /// Up to this block an adopted token's movements are in its opening.
    pub opened: HashMap<AssetId, u64>,
    /// None was left out because it is not read so far yet.
    pub is_whole: bool,
}

impl Scope {
    /// In the snapshot of the books, which are at this block.
    pub(super) fn read(tx: &mut Tx<'_>, chain_id: u64, block: u64) -> Result<Self, Error> {
        let (mut tokens, mut collections) = (
            store::tokens(tx, chain_id, block)?,
            store::collections(tx, chain_id, block)?,
        );
        let all = tokens.len().saturating_add(collections.len());
        // One that was adopted a moment ago is read up to an earlier block.
        tokens.retain(|token| token.is_read_up_to(block));
        collections.retain(|collection| collection.is_read_up_to(block));
        let adopted = tokens.iter().filter(|token| token.is_adopted());
        let adopted: Vec<AssetId> = adopted.map(|token| token.asset).collect();
        Ok(Self {
            chain_id,
            block,
            is_whole: all == tokens.len().saturating_add(collections.len()),
            opened: operation::openings(tx, &adopted)?,
            tokens,
            collections,
        })
    }

    fn contracts(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().chain(&self.collections)
    }

    fn is_opened_with(&self, asset: AssetId, transfer: &Transfer) -> bool {
        self.opened
            .get(&asset)
            .is_some_and(|block| transfer.block_number <= *block)
    }
}

/// What was posted and has no log yet that says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Posted {
    operations: HashMap<AssetId, HashSet<i64>>,
    activities: HashMap<AssetId, HashSet<Place>>,
}

impl Posted {
    /// Everything that moved anything, in the snapshot of the books.
    pub(super) fn read(tx: &mut Tx<'_>, scope: &Scope) -> Result<Self, Error> {
        let mut posted = Self::default();
        for token in &scope.tokens {
            let moved = operation::that_moved(tx, token.asset)?;
            posted.operations.insert(token.asset, moved.into_iter().collect());
        }
        for one in &scope.collections {
            let places = collection::places(tx, one.asset)?;
            posted.activities.insert(one.asset, places);
        }
        Ok(posted)
    }

    /// One sentence per operation or activity that no log explained.
    fn unexplained(self) -> Vec<String> {
        let operations = self.operations.into_iter().flat_map(|(asset, numbers)| {
            let told =
                move |number| format!("asset {asset}: operation {number} was posted and no log of the chain says so");
            numbers.into_iter().map(told)
        });
        let activities = self.activities.into_iter().flat_map(|(asset, places)| {
            let told = move |place| format!("collection {asset}: {place} was recorded and no log of the chain says so");
            places.into_iter().map(told)
        });
        let mut told: Vec<String> = operations.chain(activities).collect();
        told.sort_unstable();
        told
    }
}

/// Compares everything from the first block of the first contract on. Returns how many logs there were, and one sentence
/// per difference.
pub(super) async fn compare_all(
    db: &Db,
    rpc: &Rpc,
    scope: &Scope,
    mut posted: Posted,
) -> Result<(usize, Vec<String>), Error> {
    let (mut logs, mut drift) = (0_usize, Vec::new());
    let mut from = 0;
    while from <= scope.block {
        let part = compare_part(db, rpc, scope, from).await?;
        logs = logs.saturating_add(part.logs);
        for (asset, number) in part.operations {
            posted.operations.entry(asset).or_default().remove(&number);
        }
        for (asset, place) in part.activities {
            posted.activities.entry(asset).or_default().remove(&place);
        }
        drift.extend(part.drift);
        from = part.to.saturating_add(1);
    }
    drift.extend(posted.unexplained());
    Ok((logs, drift))
}

/// What a part of the chain's logs said.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The last block of it.
    pub to: u64,
    pub logs: usize,
    pub drift: Vec<String>,
    /// What the books have for these logs.
    operations: Vec<(AssetId, i64)>,
    activities: Vec<(AssetId, Place)>,
}

/// Compares the logs of some blocks from this one on; the books hold everything up to the end of the scope.
pub(super) async fn compare_part(db: &Db, rpc: &Rpc, scope: &Scope, from: u64) -> Result<Part, Error> {
    let Some(first) = scope.contracts().map(|contract| contract.first_block).min() else {
        return Ok(Part {
            to: scope.block,
            ..Part::default()
        });
    };
    let contracts: Vec<Token> = scope.contracts().copied().collect();
    let read = read(rpc, &contracts, (first.max(from), scope.block)).await?;
    let scope = scope.clone();
    db.read(move |tx| {
        let mut part = Part {
            to: read.to,
            logs: read.transfers.len().saturating_add(read.moved.len()),
            ..Part::default()
        };
        compare_tokens(tx, &scope, from, &read, &mut part)?;
        compare_collections(tx, &scope, &read, &mut part)?;
        Ok(part)
    })
    .await
}

/// What moved in whole blocks, and the last of them.
pub(super) struct Read {
    pub transfers: Vec<Transfer>,
    pub moved: Vec<TokenTransfer>,
    pub to: u64,
}

/// Reads the logs of these contracts, no further than one commit takes.
pub(super) async fn read(rpc: &Rpc, contracts: &[Token], (from, until): (u64, u64)) -> Result<Read, Error> {
    let to = until.min(from.saturating_add(BLOCKS_MAX));
    let addresses: Vec<Address> = contracts.iter().map(|contract| contract.address).collect();
    let logs = match addresses.is_empty() || from > to {
        true => Vec::new(),
        false => rpc.logs(&addresses, from, to).await?,
    };
    let (mut transfers, to) = observe::cut(events::decode_transfers(&logs), to);
    let (moved, to) = nft::cut(events::decode_token_transfers(&logs), to);
    transfers.retain(|transfer| transfer.block_number <= to);
    Ok(Read { transfers, moved, to })
}

/// Where something moved, and how.
type Movement = (AssetId, Hash32, Moved);

fn compare_tokens(tx: &mut Tx<'_>, scope: &Scope, from: u64, read: &Read, part: &mut Part) -> Result<(), Error> {
    let mut ours = movements_of_ours(tx, scope, (from, read.to), part)?;
    let assets: HashMap<Address, AssetId> = scope.tokens.iter().map(|one| (one.address, one.asset)).collect();
    let mut others: BTreeMap<AssetId, Vec<&Transfer>> = BTreeMap::new();
    for transfer in read.transfers.iter().filter(|one| !one.amount.is_zero()) {
        let Some(asset) = assets.get(&transfer.token) else {
            continue;
        };
        if scope.is_opened_with(*asset, transfer) {
            continue;
        }
        match ours.get_mut(&(*asset, transfer.transaction, moved(transfer))) {
            Some((left, _)) if *left > 0 => *left = left.saturating_sub(1),
            Some(_) | None => others.entry(*asset).or_default().push(transfer),
        }
    }
    for ((asset, transaction, moved), (left, operation)) in ours.into_iter().filter(|(_, (left, _))| *left > 0) {
        part.drift.push(format!(
            "asset {asset}: operation {operation} posted {} from {} to {} for transaction {transaction}, whose logs do not \
             say so ({left} times)",
            moved.amount, moved.from, moved.to
        ));
    }
    for (asset, transfers) in others {
        for transfers in transfers.chunks(NAMED_MAX) {
            compare_observed(tx, asset, transfers, part)?;
        }
    }
    Ok(())
}

/// What our transactions of these blocks moved by the books: how often, and one of the operations that say so.
fn movements_of_ours(
    tx: &mut Tx<'_>,
    scope: &Scope,
    blocks: (u64, u64),
    part: &mut Part,
) -> Result<HashMap<Movement, (usize, i64)>, Error> {
    let tokens: HashSet<AssetId> = scope.tokens.iter().map(|token| token.asset).collect();
    let mut mined: BTreeMap<AssetId, HashMap<i64, Hash32>> = BTreeMap::new();
    for (asset, number, transaction) in store::settled_in(tx, scope.chain_id, blocks)? {
        if tokens.contains(&asset) {
            mined.entry(asset).or_default().insert(number, transaction);
        }
    }
    let mut movements: HashMap<Movement, (usize, i64)> = HashMap::new();
    for (asset, transactions) in mined {
        let numbers: Vec<i64> = transactions.keys().copied().collect();
        for numbers in numbers.chunks(NAMED_MAX) {
            for (number, moved) in ledger::moved_by(tx, asset, numbers)? {
                let Some(transaction) = transactions.get(&number) else {
                    continue;
                };
                let (count, _) = movements.entry((asset, *transaction, moved)).or_insert((0, number));
                *count = count.saturating_add(1);
            }
        }
        part.operations
            .extend(numbers.into_iter().map(|number| (asset, number)));
    }
    Ok(movements)
}

/// Transfers that none of our operations explains: each was observed as it is.
fn compare_observed(tx: &mut Tx<'_>, asset: AssetId, transfers: &[&Transfer], part: &mut Part) -> Result<(), Error> {
    let places: Vec<(Hash32, u64)> = transfers.iter().map(|one| (one.transaction, one.index)).collect();
    let observed = operation::observed_at(tx, asset, &places)?;
    let numbers: Vec<i64> = observed.values().copied().collect();
    let movements: HashMap<i64, Moved> = ledger::moved_by(tx, asset, &numbers)?.into_iter().collect();
    for transfer in transfers {
        let number = observed.get(&(transfer.transaction, transfer.index)).copied();
        let posted = number.and_then(|number| movements.get(&number));
        part.operations.extend(number.map(|number| (asset, number)));
        if posted != Some(&moved(transfer)) {
            part.drift.push(format!(
                "asset {asset}: {} from {} to {}, log {} of transaction {} in block {}, is not in the books",
                transfer.amount,
                transfer.from,
                transfer.to,
                transfer.index,
                transfer.transaction,
                transfer.block_number
            ));
        }
    }
    Ok(())
}

fn moved(transfer: &Transfer) -> Moved {
    Moved {
        from: transfer.from,
        to: transfer.to,
        amount: transfer.amount,
    }
}

fn compare_collections(tx: &mut Tx<'_>, scope: &Scope, read: &Read, part: &mut Part) -> Result<(), Error> {
    let mut of_collection: HashMap<Address, Vec<&TokenTransfer>> = HashMap::new();
    for transfer in read.moved.iter().filter(|one| !one.amount.is_zero()) {
        of_collection.entry(transfer.collection).or_default().push(transfer);
    }
    for collection in &scope.collections {
        let transfers = of_collection.remove(&collection.address).unwrap_or_default();
        for transfers in transfers.chunks(NAMED_MAX) {
            let (known, drift) = nft::compare_logs(tx, collection.asset, transfers)?;
            part.activities
                .extend(known.into_iter().map(|place| (collection.asset, place)));
            part.drift.extend(drift);
        }
    }
    Ok(())
}
