//! Taking over a token that was there before us (any ERC-3643 token): first [`look`] reads what the chain says about it,
//! then [`take_over`] writes it down, in one transaction and without the chain.
//!
//! *Opening*: what the holders had in the last final block that was read, summed up from the token's Transfer logs and
//! compared with its balances and its supply there. Books and chain are one from the first minute; what moves after that
//! block is posted as *observed*. A token whose logs do not explain its balances is not taken.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::capacity::{self, Measured};
use super::model::{ChainRecord, Placement};
use super::store;
use crate::asset::{self, Asset, Books, Lifecycle};
use crate::audit::{self, Event, Stream};
use crate::chain::contracts::{events, returned, token};
use crate::chain::token::{NoToken, TokenFacts, first_block, inspect};
use crate::chain::{At, Call, Failure, Revert, Rpc};
use crate::ctx::Ctx;
use crate::db::{Db, Tx};
use crate::error::{Error, Issue, Refusal};
use crate::ledger::{self, Opening};
use crate::operation::{self, NewOperation, Operation, Plan};
use crate::types::{Address, Amount};

/// Blocks whose logs are held in memory at once.
const BLOCKS_MAX: u64 = 10_000;
/// Wallets that hold something or were frozen: each is asked about, and all are written in one commit.
const HOLDERS_MAX: usize = 10_000;
/// Questions of one request to the node.
const CALLS_MAX: usize = 200;
/// Questions about each wallet.
const CALLS_PER_WALLET: usize = 3;

/// A contract that somebody wants to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// As the caller says; another chain than ours is refused.
    pub chain_id: u64,
    pub address: Address,
    /// When the caller knows in which block it was created; a node that forgets old states cannot be asked.
    pub first_block: Option<u64>,
}

/// What the chain says about a token that can be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub address: Address,
    /// Read at the newest block; what follows at [`Self::block`].
    pub facts: TokenFacts,
    pub chain_id: u64,
    pub first_block: u64,
    /// The final block up to which everything was read.
    pub block: u64,
    pub lifecycle: Lifecycle,
    pub supply: Amount,
    pub recipients_max: i32,
    holdings: Vec<Holding>,
}

/// What the token says about one wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holding {
    wallet: Address,
    amount: Amount,
    frozen: bool,
    frozen_amount: Amount,
}

/// Reads a token. Nothing is written, and nothing needs a lock: what the chain does meanwhile is observed afterwards.
///
/// `Invalid` for another chain, no contract, or one that is no ERC-3643 token whose logs explain it; a refusal while our
/// signer is no agent of it; `Unavailable` while the chain cannot be read.
pub async fn look(db: &Db, rpc: &Rpc, candidate: Candidate) -> Result<Result<Found, Refusal>, Error> {
    let chain = db.read(store::chain).await?;
    let chain = chain.ok_or(Error::Unavailable("the chain is being set up"))?;
    let Candidate { chain_id, address, .. } = candidate;
    if chain.chain_id != chain_id {
        let message = format!("this server settles on chain {}, not on {chain_id}", chain.chain_id);
        return Err(Error::Invalid(vec![Issue::new("chain", "unsupported", message)]));
    }
    let facts = match inspect(rpc, &address, &chain.sender).await? {
        Ok(facts) => facts,
        Err(reason @ (NoToken::NoContract(_) | NoToken::Lacks { .. })) => return Err(unfit(reason.to_string())),
    };
    if !facts.is_agent {
        return Ok(Err(no_agent(&facts, &address, &chain.sender)));
    }
    let history = read_history(rpc, &chain, candidate).await?;
    let (holdings, lifecycle, supply) = holdings(rpc, &address, &history, chain.observed_block).await?;
    let holding = holdings.iter().filter(|holding| !holding.amount.is_zero());
    let measured = Measured {
        address: &address,
        facts: &facts,
        signer: &chain.sender,
        holders: &holding.map(|holding| holding.wallet).collect::<Vec<_>>(),
    };
    let recipients_max = capacity::measure(db, rpc, measured).await?;
    Ok(Ok(Found {
        address,
        facts,
        chain_id,
        first_block: history.first_block,
        block: chain.observed_block,
        lifecycle,
        supply,
        recipients_max,
        holdings,
    }))
}

fn unfit(message: String) -> Error {
    Error::Invalid(vec![Issue::new("address", "unsupported", message)])
}

fn no_agent(facts: &TokenFacts, address: &Address, signer: &Address) -> Refusal {
    let grant = facts.grant(address, signer);
    Refusal::AgentRoleMissing {
        agent: *signer,
        from: facts
            .owner
            .map_or_else(|| "the token's owner".to_owned(), |owner| owner.to_string()),
        to: grant.to,
        data: format!("0x{}", data_encoding::HEXLOWER.encode(&grant.data)),
    }
}

/// What the logs say, from the first block of the contract on.
struct History {
    first_block: u64,
    balances: BTreeMap<Address, Amount>,
    /// Wallets that were frozen or freed.
    named: BTreeSet<Address>,
}

async fn read_history(rpc: &Rpc, chain: &ChainRecord, candidate: Candidate) -> Result<History, Error> {
    let last = chain.observed_block;
    let mut history = History {
        first_block: beginning(rpc, candidate, last).await?,
        balances: BTreeMap::new(),
        named: BTreeSet::new(),
    };
    let mut from = history.first_block;
    while from <= last {
        let to = last.min(from.saturating_add(BLOCKS_MAX - 1));
        let logs = rpc.logs(&[candidate.address], from, to).await?;
        let mut transfers = events::decode_transfers(&logs);
        transfers.sort_by_key(|transfer| (transfer.block_number, transfer.index));
        for transfer in transfers {
            history.follow(transfer.from, transfer.to, transfer.amount)?;
        }
        history.named.extend(events::decode_freezes(&logs));
        history.stay_within(HOLDERS_MAX)?;
        from = to.saturating_add(1);
    }
    Ok(history)
}

impl History {
    fn follow(&mut self, from: Address, to: Address, amount: Amount) -> Result<(), Error> {
        let unexplained = || unfit("its Transfer logs do not explain its balances".to_owned());
        if !from.is_zero() {
            let balance = self.balances.entry(from).or_default();
            *balance = balance.checked_sub(amount).ok_or_else(unexplained)?;
        }
        if !to.is_zero() {
            let balance = self.balances.entry(to).or_default();
            *balance = balance.checked_add(amount).ok_or_else(unexplained)?;
        }
        Ok(())
    }

    /// Forgets who gave everything away. `Invalid` when more wallets are left than are taken over.
    fn stay_within(&mut self, holders_max: usize) -> Result<(), Error> {
        self.balances.retain(|_, amount| !amount.is_zero());
        let count = self.wallets().len();
        if count > holders_max {
            return Err(unfit(format!(
                "it has more than {holders_max} holders and frozen wallets, which is the most that can be taken over"
            )));
        }
        Ok(())
    }

    fn wallets(&self) -> BTreeSet<Address> {
        self.balances.keys().chain(&self.named).copied().collect()
    }
}

/// The first block of the contract, or an earlier one that the caller named.
async fn beginning(rpc: &Rpc, candidate: Candidate, last: u64) -> Result<u64, Error> {
    let too_young = Error::Unavailable("the contract is not in a final block that was read yet");
    if let Some(first) = candidate.first_block {
        return if first <= last { Ok(first) } else { Err(too_young) };
    }
    match first_block(rpc, &candidate.address, last).await {
        Ok(first) => first.ok_or(too_young),
        Err(Failure::Refused { .. }) => {
            let message = "is required: the node does not say how old the contract is";
            Err(Error::Invalid(vec![Issue::new("firstBlock", "required", message)]))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Every wallet that holds something or is frozen in that block, as the token says, which must be what the logs say.
async fn holdings(
    rpc: &Rpc,
    address: &Address,
    history: &History,
    block: u64,
) -> Result<(Vec<Holding>, Lifecycle, Amount), Error> {
    let wallets: Vec<Address> = history.wallets().into_iter().collect();
    let mut questions = vec![token::total_supply(), token::paused()];
    for wallet in &wallets {
        questions.extend([
            token::balance_of(*wallet),
            token::is_frozen(*wallet),
            token::frozen_tokens(*wallet),
        ]);
    }
    let mut answers = Vec::with_capacity(questions.len());
    for part in questions.chunks(CALLS_MAX) {
        let call = |data: &Vec<u8>| Call {
            from: Address::ZERO,
            to: *address,
            data: data.clone(),
        };
        let calls: Vec<Call> = part.iter().map(call).collect();
        answers.extend(rpc.call_many(&calls, At::Block(block)).await?);
    }
    let (about_token, about_wallets) = answers.split_at_checked(2).unwrap_or_default();
    let (Some(supply), Some(paused)) = (
        read(about_token, 0, returned::amount),
        read(about_token, 1, returned::flag),
    ) else {
        return Err(unfit(format!("it does not answer in block {block} as it does now")));
    };
    let answers = about_wallets.chunks(CALLS_PER_WALLET);
    let mut holdings = Vec::with_capacity(wallets.len());
    for (wallet, answers) in wallets.iter().zip(answers) {
        let logged = history.balances.get(wallet).copied().unwrap_or_default();
        holdings.extend(holding(*wallet, logged, answers)?);
    }
    if Amount::checked_sum(holdings.iter().map(|holding| holding.amount)) != Some(supply) {
        return Err(unfit(format!(
            "its Transfer logs do not add up to its supply of {supply}"
        )));
    }
    let lifecycle = if paused { Lifecycle::Paused } else { Lifecycle::Active };
    Ok((holdings, lifecycle, supply))
}

type Answer = Result<Vec<u8>, Revert>;

fn read<T>(answers: &[Answer], place: usize, understand: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let answer = answers.get(place)?.as_ref().ok()?;
    understand(answer)
}

/// None for a wallet with nothing that is not frozen.
fn holding(wallet: Address, logged: Amount, answers: &[Answer]) -> Result<Option<Holding>, Error> {
    let (Some(amount), Some(frozen), Some(frozen_amount)) = (
        read(answers, 0, returned::amount),
        read(answers, 1, returned::flag),
        read(answers, 2, returned::amount),
    ) else {
        return Err(unfit(format!("it does not answer about {wallet}")));
    };
    if amount != logged {
        let message = format!("the balance of {wallet} is {amount}, its Transfer logs say {logged}");
        return Err(unfit(message));
    }
    let holding = Holding {
        wallet,
        amount,
        frozen,
        // A token may freeze more than there is; what is not there is not frozen in the books.
        frozen_amount: frozen_amount.min(amount),
    };
    Ok((frozen || !amount.is_zero()).then_some(holding))
}

/// Notes where the asset settles and posts what its holders have: one operation that is final, with its event. The asset
/// was inserted in this transaction.
pub fn take_over(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset, found: &Found) -> Result<Operation, Error> {
    let placement = Placement {
        asset: asset.id,
        chain_id: found.chain_id,
        registry: found.facts.identity_registry,
        adopted: true,
        holder_transfers: true,
        recipients_max: found.recipients_max,
        first_block: Some(found.first_block),
        observed_block: Some(found.block),
    };
    store::insert_placement(tx, &placement)?;
    let wallets = found.holdings.iter().map(|holding| holding.wallet).collect();
    let locked = asset::lock(tx, asset.id)?;
    let mut books = Books::open(tx, &locked, wallets)?;
    let openings: Vec<Opening> = found
        .holdings
        .iter()
        .filter_map(|holding| {
            Some(Opening {
                party: books.party(holding.wallet)?,
                amount: holding.amount,
                frozen: holding.frozen,
                frozen_amount: holding.frozen_amount,
            })
        })
        .collect();
    let number = books.sheet.number();
    books.sheet.take_over(number, &openings).map_err(Error::internal)?;
    let operation = Operation::queued(&NewOperation {
        asset: asset.id,
        sequence: number,
        plan: &Plan::Adopt { block: found.block },
        lines: i32::try_from(openings.iter().filter(|one| !one.amount.is_zero()).count()).map_err(Error::internal)?,
        total: found.supply,
        requested_by: ctx.actor.user,
        request_id: &ctx.request_id,
        policy_hash: None,
        now: ctx.now,
    })
    .succeeded(ctx.now);
    operation::enqueue(tx, std::slice::from_ref(&operation))?;
    ledger::save(tx, books.sheet, ctx.now)?;
    audit::append(tx, ctx.now, vec![event(ctx, asset, &operation, found)])?;
    Ok(operation)
}

fn event(ctx: &Ctx, asset: &Asset, operation: &Operation, found: &Found) -> Event {
    Event {
        stream: Stream::Asset(asset.id),
        actor: ctx.actor.name(),
        action: "asset.opening_posted",
        asset: Some(asset.id),
        operation: Some(operation.id),
        // The postings of the operation tell whom it is about.
        subjects: Vec::new(),
        data: json!({
            "chain": format!("eip155:{}", found.chain_id),
            "registry": found.facts.identity_registry,
            "compliance": found.facts.compliance,
            "owner": found.facts.owner,
            "firstBlock": found.first_block.to_string(),
            "block": found.block.to_string(),
            "supply": found.supply,
            "holders": operation.lines,
            "paused": asset.is_paused(),
            "recipientsMax": found.recipients_max,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wallet(number: usize) -> Address {
        let mut bytes = [1; 20];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        Address::from_bytes(bytes)
    }

    fn history(holders: usize) -> History {
        let mut history = History {
            first_block: 0,
            balances: BTreeMap::new(),
            named: BTreeSet::new(),
        };
        for number in 0..holders {
            history.follow(Address::ZERO, wallet(number), Amount::ONE).unwrap();
        }
        history
    }

    #[test]
    fn a_token_is_taken_over_with_ten_thousand_holders_and_not_with_one_more() {
        for (holders, is_taken) in [(HOLDERS_MAX - 1, true), (HOLDERS_MAX, true), (HOLDERS_MAX + 1, false)] {
            let verdict = history(holders).stay_within(HOLDERS_MAX);

            assert_eq!(verdict.is_ok(), is_taken, "{holders}");
        }
        let Err(Error::Invalid(issues)) = history(HOLDERS_MAX + 1).stay_within(HOLDERS_MAX) else {
            panic!("it is taken");
        };
        assert!(issues[0].message.contains("more than 10000 holders"), "{issues:?}");
    }

    #[test]
    fn who_gave_everything_away_is_no_holder_and_who_is_frozen_counts() {
        let mut history = history(3);
        history.follow(wallet(0), wallet(1), Amount::ONE).unwrap();

        assert!(history.stay_within(2).is_ok());
        history.named.insert(wallet(1));
        assert!(history.stay_within(2).is_ok(), "a holder who is frozen is one wallet");
        history.named.insert(wallet(9));
        assert!(history.stay_within(2).is_err());
    }
}
