//! `moneyer check`: do the ledger, the operations and the audit log tell the same story?

use std::collections::HashMap;

use serde_json::Value;

use crate::asset::{self, Direction, Listing, Order};
use crate::audit;
use crate::collection::{self, CollectionFilter, Window};
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::ledger::{self, HolderLine};
use crate::operation::{self, Of, Operation, OperationKind, Status};
use crate::types::{Amount, AssetId, OperationId};

/// What was compared, and what differs. Sound when there are no faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    pub assets: usize,
    pub mints: usize,
    pub recipients: usize,
    /// One sentence each.
    pub faults: Vec<String>,
}

const EVERY_ASSET: Listing = Listing {
    kind: None,
    order: Order::CreatedAt,
    direction: Direction::Ascending,
};

/// Checks every invariant of the ledger, the numbers of the operations, the hashes of the audit log, and that each mint
/// in the ledger has exactly one event with exactly its lines, and the other way round.
pub fn verify(tx: &mut Tx<'_>) -> Result<Integrity, Error> {
    let mut integrity = Integrity {
        faults: ledger::verify(tx)?,
        ..Integrity::default()
    };
    integrity.faults.extend(operation::verify(tx)?);
    integrity.faults.extend(audit::verify(tx)?);
    integrity.faults.extend(collection::verify(tx)?);
    compare_collections(tx, &mut integrity)?;
    let mut page = Page {
        limit: Page::LIMIT_MAX,
        ..Page::default()
    };
    loop {
        let (assets, _, next) = asset::list(tx, EVERY_ASSET, &page)?;
        for asset in &assets {
            integrity.assets += 1;
            compare_with_audit(tx, asset.id, asset.symbol.as_str(), &mut integrity)?;
        }
        match next {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(integrity),
        }
    }
}

fn compare_collections(tx: &mut Tx<'_>, integrity: &mut Integrity) -> Result<(), Error> {
    let mut window = Window::first(Window::LIMIT_MAX);
    loop {
        let found = collection::list(tx, &CollectionFilter::default(), &window)?;
        for collection in &found.items {
            integrity.assets += 1;
            compare_with_audit(tx, collection.id, &collection.address.to_string(), integrity)?;
        }
        match found.next {
            Some(cursor) => window.cursor = Some(cursor),
            None => return Ok(()),
        }
    }
}

fn compare_with_audit(tx: &mut Tx<'_>, asset: AssetId, symbol: &str, integrity: &mut Integrity) -> Result<(), Error> {
    let mut recorded: HashMap<OperationId, Vec<(String, String)>> = HashMap::new();
    for event in audit::of_asset(tx, asset, "mint.accepted")? {
        let Some(operation) = event.operation else {
            integrity.faults.push(format!(
                "asset {symbol}: audit event {} names no operation",
                event.sequence
            ));
            continue;
        };
        if recorded.insert(operation, lines_of_event(&event.data)).is_some() {
            integrity
                .faults
                .push(format!("asset {symbol}: operation {operation} has two mint events"));
        }
    }
    for operation in mints(tx, asset)? {
        let lines = ledger::lines_of(tx, asset, operation.sequence)?;
        integrity.mints += 1;
        integrity.recipients += lines.len();
        let fault = compare(&operation, &lines, recorded.remove(&operation.id));
        integrity
            .faults
            .extend(fault.map(|fault| format!("asset {symbol}: operation {}: {fault}", operation.sequence)));
    }
    let strays = recorded
        .keys()
        .map(|id| format!("asset {symbol}: the audit log has mint {id}, the ledger does not"));
    integrity.faults.extend(strays);
    Ok(())
}

fn mints(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<Operation>, Error> {
    let mut all = Vec::new();
    let mut page = Page {
        limit: 1_000,
        ..Page::default()
    };
    loop {
        let operations = operation::list(tx, Of::Asset(asset), &page)?;
        let count = i64::try_from(operations.len()).unwrap_or(0);
        all.extend(
            operations
                .into_iter()
                .filter(|operation| operation.kind == OperationKind::Mint),
        );
        if count < page.limit {
            return Ok(all);
        }
        page.offset = page.offset.saturating_add(count);
    }
}

fn lines_of_event(data: &str) -> Vec<(String, String)> {
    let data: Value = serde_json::from_str(data).unwrap_or(Value::Null);
    let lines = data.get("lines").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |line: &Value, key: &str| line.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    lines
        .iter()
        .map(|line| (text(line, "recipient"), text(line, "amount")))
        .collect()
}

fn compare(operation: &Operation, lines: &[HolderLine], recorded: Option<Vec<(String, String)>>) -> Option<String> {
    let Some(recorded) = recorded else {
        return Some("the ledger has this mint, the audit log does not".to_owned());
    };
    let booked: Vec<(String, String)> = lines
        .iter()
        .map(|line| (line.recipient.to_string(), line.amount.to_string()))
        .collect();
    if booked != recorded {
        return Some("its lines differ between the ledger and the audit log".to_owned());
    }
    let total = Amount::checked_sum(lines.iter().map(|line| line.amount));
    if usize::try_from(operation.lines) != Ok(lines.len()) || total != Some(operation.total) {
        return Some("its lines are not those that it counts".to_owned());
    }
    let finished = operation.status == Status::Succeeded;
    let posted = lines.iter().all(|line| line.phase == ledger::Phase::Posted);
    (finished != posted).then(|| format!("is {} and its lines are not", operation.status.text()))
}
