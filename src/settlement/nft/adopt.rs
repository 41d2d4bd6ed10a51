//! Taking over a collection that was there before us: [`look`] reads what the chain says about it, then [`take_over`] writes
//! it down, in one transaction and without the chain.
//!
//! Everything that moved before is posted as *observed*, so books and register are one with the chain from the first
//! minute. Both parts must speak of the same block: while the chain is read on between them, one looks again.

use crate::asset;
use crate::chain::collection::{CollectionFacts, NoCollection, Standard, inspect};
use crate::chain::contracts::events::{self, TokenTransfer};
use crate::chain::contracts::{returned, token};
use crate::chain::token::first_block;
use crate::chain::{At, Call, Failure, Rpc};
use crate::collection::{Collection, Moved};
use crate::db::{Db, Tx};
use crate::error::{Error, Issue};
use crate::settlement::model::{ChainRecord, Placement};
use crate::settlement::store;
use crate::types::{Address, Amount, Timestamp};

use super::batch::moved;
use super::observe;

/// Blocks whose logs are read at once.
const BLOCKS_MAX: u64 = 10_000;
/// Movements that one adoption posts in its transaction.
const MOVEMENTS_MAX: usize = 50_000;

/// What the chain says about a collection that can be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCollection {
    pub address: Address,
    pub facts: CollectionFacts,
    chain_id: u64,
    first_block: u64,
    /// The final block up to which everything was read.
    block: u64,
    moved: Vec<Moved>,
}

/// What a contract says about itself: enough to judge whose it is before its history is read. Errors as of [`look`].
pub async fn facts(db: &Db, rpc: &Rpc, address: Address) -> Result<CollectionFacts, Error> {
    let chain = db.read(store::chain).await?;
    let chain = chain.ok_or(Error::Unavailable("the chain is being set up"))?;
    facts_of(rpc, &chain, &address).await
}

async fn facts_of(rpc: &Rpc, chain: &ChainRecord, address: &Address) -> Result<CollectionFacts, Error> {
    let facts = match inspect(rpc, address, &chain.sender).await? {
        Ok(facts) => facts,
        Err(reason @ (NoCollection::NoContract(_) | NoCollection::NoStandard(_) | NoCollection::Lacks { .. })) => {
            return Err(unfit(reason.to_string()));
        }
    };
    match facts.is_minter {
        true => Ok(facts),
        false => Err(no_minter(&facts, address, &chain.sender)),
    }
}

/// Reads a collection from `first_block` on, which is no later than the block of its contract. `before` is what an earlier
/// look found: only what came after it is read again. Nothing is written.
///
/// `Invalid` where there is no contract, or one that we cannot mint into, or whose logs do not add up to its supply;
/// `NotAllowed` while our signer is no minter, with the transaction that makes it one; `Unavailable` while the chain cannot
/// be read.
pub async fn look(
    db: &Db,
    rpc: &Rpc,
    address: Address,
    first_block: u64,
    before: Option<FoundCollection>,
) -> Result<FoundCollection, Error> {
    let chain = db.read(store::chain).await?;
    let chain = chain.ok_or(Error::Unavailable("the chain is being set up"))?;
    let facts = facts_of(rpc, &chain, &address).await?;
    let (mut moved, from) = match before.filter(|before| before.address == address) {
        Some(before) => (before.moved, before.block.saturating_add(1)),
        None => (Vec::new(), first_block),
    };
    moved.extend(read_history(rpc, &chain, address, from, moved.len()).await?);
    let found = FoundCollection {
        address,
        facts,
        chain_id: chain.chain_id,
        first_block,
        block: chain.observed_block,
        moved,
    };
    check_supply(rpc, &found).await?;
    Ok(found)
}

/// The block in which a contract was created: where [`look`] begins.
///
/// `Invalid` where the node does not keep old states, or there is no contract; `Unavailable` while it is too young, or the
/// chain cannot be read.
pub async fn beginning(db: &Db, rpc: &Rpc, address: Address) -> Result<u64, Error> {
    let chain = db.read(store::chain).await?;
    let chain = chain.ok_or(Error::Unavailable("the chain is being set up"))?;
    match first_block(rpc, &address, chain.observed_block).await {
        Ok(Some(first)) => Ok(first),
        Ok(None) if rpc.code(&address).await?.is_empty() => Err(unfit(NoCollection::NoContract(address).to_string())),
        Ok(None) => Err(Error::Unavailable(
            "the contract is not in a final block that was read yet",
        )),
        Err(Failure::Refused { .. }) => Err(unfit("the node does not say how old the contract is".to_owned())),
        Err(failure) => Err(failure.into()),
    }
}

fn unfit(message: String) -> Error {
    Error::Invalid(vec![Issue::new("contract_address", "unsupported", message)])
}

fn no_minter(facts: &CollectionFacts, address: &Address, signer: &Address) -> Error {
    let grant = facts.grant(address, signer);
    let who = facts.owner.map_or_else(
        || "its administrator".to_owned(),
        |owner| format!("its administrator {owner}"),
    );
    Error::NotAllowed(format!(
        "{signer} may not mint into {address}: {who} has to send grantMinterRole to it, data 0x{}",
        data_encoding::HEXLOWER.encode(&grant.data)
    ))
}

async fn read_history(
    rpc: &Rpc,
    chain: &ChainRecord,
    address: Address,
    first: u64,
    known: usize,
) -> Result<Vec<Moved>, Error> {
    let mut transfers: Vec<TokenTransfer> = Vec::new();
    let mut from = first;
    while from <= chain.observed_block {
        let to = chain.observed_block.min(from.saturating_add(BLOCKS_MAX - 1));
        let logs = rpc.logs(&[address], from, to).await?;
        transfers.extend(events::decode_token_transfers(&logs));
        if transfers.len().saturating_add(known) > MOVEMENTS_MAX {
            return Err(unfit(format!("more than {MOVEMENTS_MAX} of its tokens moved already")));
        }
        from = to.saturating_add(1);
    }
    transfers.sort_by_key(|one| (one.block_number, one.index, one.position));
    let moved = transfers.iter().filter(|one| !one.amount.is_zero()).map(moved);
    Ok(moved.collect())
}

/// An ERC-721 that counts its tokens must count as many as its logs.
async fn check_supply(rpc: &Rpc, found: &FoundCollection) -> Result<(), Error> {
    if found.facts.standard == Standard::Erc1155 || found.facts.total_supply.is_none() {
        return Ok(());
    }
    let call = Call {
        from: Address::ZERO,
        to: found.address,
        data: token::total_supply(),
    };
    let answers = rpc.call_many(&[call], At::Block(found.block)).await?;
    let answer = answers.into_iter().next().and_then(Result::ok);
    let Some(says) = answer.and_then(|data| returned::amount(&data)) else {
        return Err(Error::Unavailable(
            "the contract is not in a final block that was read yet",
        ));
    };
    let sum = |of: fn(&Moved) -> bool| {
        let amounts = found.moved.iter().filter(|one| of(one)).map(|one| one.amount);
        Amount::checked_sum(amounts).unwrap_or(Amount::MAX)
    };
    let minted = sum(|one| one.from.is_zero());
    let logged = minted.checked_sub(sum(|one| one.to.is_zero()));
    if logged == Some(says) {
        return Ok(());
    }
    Err(unfit(format!(
        "its logs do not add up to its supply of {says}: give an earlier first block"
    )))
}

/// Notes where a new collection stands and posts what moved there before. What moved since the look is read from its block
/// on.
pub fn take_over(
    tx: &mut Tx<'_>,
    collection: &Collection,
    found: &FoundCollection,
    now: Timestamp,
) -> Result<(), Error> {
    store::insert_placement(
        tx,
        &Placement {
            asset: collection.id,
            chain_id: found.chain_id,
            registry: Address::ZERO,
            adopted: true,
            holder_transfers: true,
            recipients_max: 100,
            first_block: Some(found.first_block),
            observed_block: Some(found.block),
        },
    )?;
    asset::lock(tx, collection.id)?;
    let drift = observe::post_of(tx, collection.id, &found.moved, now)?;
    match drift.first() {
        None => Ok(()),
        Some(first) => Err(unfit(format!("its logs do not explain its tokens: {first}"))),
    }
}
