//! How operations end: what they reserved becomes posted or voided, in one transaction with their status and their event.
//!
//! After a crash an operation has ended with its postings and its event, or it is open with none of it.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::moves;
use crate::asset::{self, Asset, Lifecycle};
use crate::audit::{self, Event, Stream};
use crate::collection;
use crate::db::Tx;
use crate::error::Error;
use crate::identity;
use crate::ledger::{self, Phase, Sheet, Totals};
use crate::operation::{self, Operation, OperationKind};
use crate::types::{Address, AssetId, CountryCode, Hash32, IdentityId, Timestamp};

/// Why what waited for an asset's contract has failed; the reason follows.
const NOT_CREATED: &str = "the asset's contract was not created";

/// Where operations became final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub chain_id: u64,
    pub transaction: Hash32,
    pub block_number: u64,
    pub block_hash: Hash32,
}

impl Proof {
    pub(super) fn to_json(self) -> Value {
        json!({
            "chain": format!("eip155:{}", self.chain_id),
            "transaction": self.transaction,
            "block": self.block_number.to_string(),
            "blockHash": self.block_hash,
        })
    }
}

/// Ends operations of one asset well: mints are posted.
pub(super) fn succeed(
    tx: &mut Tx<'_>,
    asset: AssetId,
    numbers: &[i64],
    proof: Option<Proof>,
    now: Timestamp,
) -> Result<(), Error> {
    let asset = asset::lock(tx, asset)?;
    let operations = operation::of_numbers(tx, asset.id, numbers)?;
    let mints = mints_of(&operations);
    if !mints.is_empty() {
        let mut sheet = open(tx, &asset, &mints)?.sheet;
        for mint in &mints {
            ledger::post(tx, &mut sheet, *mint)?;
        }
        ledger::save(tx, sheet, now)?;
    }
    for number in moves_of(&operations) {
        moves::end(tx, asset.id, number, Phase::Posted, now)?;
    }
    operation::finish(tx, asset.id, numbers, None, now)?;
    let events = operations.iter().map(|operation| {
        let action = match operation.kind {
            OperationKind::Mint => "mint.posted",
            OperationKind::Burn => "burn.posted",
            OperationKind::ForcedTransfer => "forced-transfer.posted",
            OperationKind::Create
            | OperationKind::Adopt
            | OperationKind::Pause
            | OperationKind::Unpause
            | OperationKind::SetCap
            | OperationKind::FreezeAddress
            | OperationKind::Observed => "operation.succeeded",
        };
        event(
            operation,
            action,
            json!({ "number": operation.sequence, "settled": proof.map(Proof::to_json) }),
        )
    });
    audit::append(tx, now, events.collect())
}

/// Ends one operation badly: what it reserved is voided, and it says why. Where it was to create the asset, nothing of the
/// asset can go any more: whatever waits ends with it.
pub(super) fn fail(
    tx: &mut Tx<'_>,
    asset: AssetId,
    number: i64,
    reason: &str,
    proof: Option<Proof>,
    now: Timestamp,
) -> Result<(), Error> {
    let asset = asset::lock(tx, asset)?;
    let operations = operation::of_numbers(tx, asset.id, &[number])?;
    fail_all(tx, &asset, &operations, (reason, proof), now)?;
    if operations
        .iter()
        .all(|operation| operation.kind != OperationKind::Create)
    {
        return Ok(());
    }
    // Nobody mints what is paused, and who asks why is told.
    asset::set_lifecycle(tx, asset.id, Lifecycle::Paused)?;
    let waiting = operation::queued_of(tx, asset.id)?;
    let reason = format!("{NOT_CREATED}: {reason}");
    fail_all(tx, &asset, &waiting, (&reason, proof), now)
}

fn fail_all(
    tx: &mut Tx<'_>,
    asset: &Asset,
    operations: &[Operation],
    (reason, proof): (&str, Option<Proof>),
    now: Timestamp,
) -> Result<(), Error> {
    let numbers: Vec<i64> = operations.iter().map(|operation| operation.sequence).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    let mints = mints_of(operations);
    if !mints.is_empty() {
        let Books { mut sheet, countries } = open(tx, asset, &mints)?;
        for mint in &mints {
            ledger::void(tx, &mut sheet, *mint, &countries)?;
        }
        ledger::save(tx, sheet, now)?;
    }
    if asset.kind.is_collection() {
        let transaction = proof.map(|proof| proof.transaction);
        collection::fail(tx, asset.id, &numbers, reason, transaction, now)?;
    }
    for number in moves_of(operations) {
        moves::end(tx, asset.id, number, Phase::Voided, now)?;
    }
    operation::finish(tx, asset.id, &numbers, Some(reason), now)?;
    let events = operations.iter().map(|operation| {
        let action = match operation.kind {
            OperationKind::Mint => "mint.voided",
            OperationKind::Burn => "burn.voided",
            OperationKind::ForcedTransfer => "forced-transfer.voided",
            OperationKind::Create
            | OperationKind::Adopt
            | OperationKind::Pause
            | OperationKind::Unpause
            | OperationKind::SetCap
            | OperationKind::FreezeAddress
            | OperationKind::Observed => "operation.failed",
        };
        let data = json!({
            "number": operation.sequence,
            "reason": reason,
            "settled": proof.map(Proof::to_json),
        });
        event(operation, action, data)
    });
    audit::append(tx, now, events.collect())
}

fn mints_of(operations: &[Operation]) -> Vec<i64> {
    let mints = operations
        .iter()
        .filter(|operation| operation.kind == OperationKind::Mint && operation.finished_at.is_none());
    mints.map(|mint| mint.sequence).collect()
}

/// Those that take from holders.
fn moves_of(operations: &[Operation]) -> Vec<i64> {
    let open = operations
        .iter()
        .filter(|operation| moves::takes(operation.kind) && operation.finished_at.is_none());
    open.map(|operation| operation.sequence).collect()
}

pub(super) fn event(operation: &Operation, action: &'static str, data: Value) -> Event {
    Event {
        stream: Stream::Asset(operation.asset),
        actor: "system".to_owned(),
        action,
        asset: Some(operation.asset),
        operation: Some(operation.id),
        // The postings of the operation tell whom it is about.
        subjects: Vec::new(),
        data,
    }
}

struct Books {
    sheet: Sheet,
    countries: HashMap<IdentityId, CountryCode>,
}

/// The books with every account of the mints' recipients and of their identities.
fn open(tx: &mut Tx<'_>, asset: &Asset, mints: &[i64]) -> Result<Books, Error> {
    let mut wallets: HashSet<Address> = HashSet::new();
    for mint in mints {
        let lines = ledger::lines_of(tx, asset.id, *mint)?;
        wallets.extend(lines.into_iter().map(|line| line.recipient));
    }
    let mut wallets: Vec<Address> = wallets.into_iter().collect();
    wallets.sort_unstable();
    let own = ledger::accounts(tx, asset.id, &wallets, &[])?;
    let identities: HashSet<IdentityId> = own.iter().filter_map(|account| account.identity).collect();
    let mut identities: Vec<IdentityId> = identities.into_iter().collect();
    identities.sort_unstable();
    let accounts = ledger::accounts(tx, asset.id, &wallets, &identities)?;
    let countries = identity::countries_of(tx, &identities)?;
    let totals = Totals {
        supply: asset.supply,
        pending: asset.pending,
        holders: asset.holders,
        balances: asset.balances,
        next_operation: asset.next_operation,
    };
    let sheet = Sheet::open(asset.id, totals, accounts);
    Ok(Books { sheet, countries })
}
