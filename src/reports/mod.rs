//! The read side across domains: requires the right first, then reads.

mod assets;
mod integrity;

use std::collections::HashMap;

pub use assets::{AssetEvent, ListedAsset, asset_events, assets, holder, holders};
pub use integrity::{Integrity, verify};

use crate::access::{self, Permission, Scope};
use crate::asset::{self, Settlement};
use crate::audit::{self, EventFilter, Head, Recorded, Stream};
use crate::ctx::Ctx;
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::ledger::{self, HolderLine};
use crate::operation::{self, Of, Operation, OperationKind};
use crate::settlement::{self, SettledIn};
use crate::types::{Address, AssetId, OperationId, Timestamp};

/// An operation with what belongs to it.
#[derive(Clone, Debug)]
pub struct OperationReport {
    pub operation: Operation,
    pub asset: Address,
    pub decimals: u8,
    pub lines: Vec<HolderLine>,
    /// From whom each line was taken, of a forced transfer.
    pub senders: Vec<Address>,
    /// The transactions that carry or carried it, the newest last; none where it settles in the books.
    pub transactions: Vec<SettledIn>,
    /// CAIP-2; none where it settles in the books.
    pub chain: Option<String>,
    /// The highest block that was seen on its chain.
    pub head: Option<u64>,
}

/// An operation, for its requester and for who may read the asset's records.
pub fn operation(tx: &mut Tx<'_>, ctx: &Ctx, id: OperationId) -> Result<OperationReport, Error> {
    let operation = operation::find(tx, id)?;
    if operation.requested_by != ctx.actor.user {
        access::require(tx, ctx, Permission::ReadRecords, Scope::Asset(operation.asset))?;
    }
    let asset = asset::find(tx, operation.asset)?;
    let lines = ledger::lines_of(tx, operation.asset, operation.sequence)?;
    let senders = match operation.kind {
        OperationKind::ForcedTransfer => ledger::moves_of(tx, operation.asset, operation.sequence)?
            .into_iter()
            .map(|(from, ..)| from)
            .collect(),
        OperationKind::Create
        | OperationKind::Adopt
        | OperationKind::Mint
        | OperationKind::Burn
        | OperationKind::Pause
        | OperationKind::Unpause
        | OperationKind::SetCap
        | OperationKind::FreezeAddress
        | OperationKind::Observed => Vec::new(),
    };
    let (transactions, head) = match asset.settlement {
        Settlement::Book => (Vec::new(), None),
        Settlement::Evm => (settlement::transactions_of(tx, &operation)?, settlement::head(tx)?),
    };
    let chain = chain_of(tx, asset.settlement)?;
    Ok(OperationReport {
        operation,
        asset: asset.address,
        decimals: asset.decimals.get(),
        lines,
        senders,
        transactions,
        chain,
        head,
    })
}

fn chain_of(tx: &mut Tx<'_>, settlement: Settlement) -> Result<Option<String>, Error> {
    match settlement {
        Settlement::Book => Ok(None),
        Settlement::Evm => settlement::chain_name(tx),
    }
}

/// What the caller requested, newest first, without the lines of each.
pub fn own_operations(tx: &mut Tx<'_>, ctx: &Ctx, page: &Page) -> Result<Vec<OperationReport>, Error> {
    let mut known: HashMap<AssetId, (Address, u8, Option<String>)> = HashMap::new();
    let operations = operation::list(tx, Of::Requester(ctx.actor.user), page)?;
    let mut reports = Vec::with_capacity(operations.len());
    for operation in operations {
        let (asset, decimals, chain) = match known.get(&operation.asset) {
            Some(found) => found.clone(),
            None => {
                let asset = asset::find(tx, operation.asset)?;
                let found = (asset.address, asset.decimals.get(), chain_of(tx, asset.settlement)?);
                known.entry(asset.id).or_insert(found).clone()
            }
        };
        reports.push(OperationReport {
            operation,
            asset,
            decimals,
            lines: Vec::new(),
            senders: Vec::new(),
            transactions: Vec::new(),
            chain,
            head: None,
        });
    }
    Ok(reports)
}

/// What is asked of the audit log.
#[derive(Clone, Debug, Default)]
pub struct AuditQuestion {
    pub asset: Option<Address>,
    pub action: Option<String>,
    pub actor: Option<String>,
    pub recipient: Option<Address>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub stream: Option<String>,
    pub after_sequence: Option<i64>,
}

/// Events, newest first. One asset's or collection's for who may read its records; everything for the system's auditor.
pub fn audit_events(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    question: &AuditQuestion,
    page: &Page,
) -> Result<(Vec<Recorded>, Option<String>), Error> {
    let asset = readable(tx, ctx, question.asset)?;
    let filter = EventFilter {
        asset,
        action: question.action.clone(),
        actor: question.actor.clone(),
        recipient: question.recipient,
        from: question.from,
        to: question.to,
        stream: question.stream.clone(),
        after_sequence: question.after_sequence,
    };
    audit::list(tx, &filter, page)
}

/// Where each stream of the audit log ends, for whoever may read its events.
pub fn audit_heads(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    asset: Option<Address>,
    page: &Page,
) -> Result<(Vec<Head>, Option<String>), Error> {
    let asset = readable(tx, ctx, asset)?;
    audit::heads(tx, asset.map(Stream::Asset), page)
}

/// Whose records the caller may read: one asset's or collection's, or everything.
fn readable(tx: &mut Tx<'_>, ctx: &Ctx, asset: Option<Address>) -> Result<Option<AssetId>, Error> {
    let Some(address) = asset else {
        access::require(tx, ctx, Permission::ReadRecords, Scope::System)?;
        return Ok(None);
    };
    let asset = asset::id_at(tx, &address)?;
    access::require(tx, ctx, Permission::ReadRecords, Scope::Asset(asset))?;
    Ok(Some(asset))
}
