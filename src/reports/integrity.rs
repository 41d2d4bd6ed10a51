//! `moneyer check`: do the ledger, the operations and the audit log tell the same story?

use std::collections::HashMap;

use serde_json::Value;

use crate::asset::{self, Direction, Listing, Order};
use crate::audit;
use crate::certhis;
use crate::collection::{self, CollectionFilter, Window};
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::ledger::{self, HolderLine, Legs};
use crate::operation::{self, Of, Operation, OperationKind, Status};
use crate::types::{Address, Amount, AssetId, OperationId};

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

/// Checks every invariant of the ledger, the numbers of the operations, the hashes of the audit log, collections and the
/// tasks of the Certhis dialect, and that what
/// moved units (mints, burns, forced transfers, movements seen on a chain, openings) has exactly one event with exactly
/// its lines, and the other way round.
pub fn verify(tx: &mut Tx<'_>) -> Result<Integrity, Error> {
    let mut integrity = Integrity {
        faults: ledger::verify(tx)?,
        ..Integrity::default()
    };
    integrity.faults.extend(operation::verify(tx)?);
    integrity.faults.extend(audit::verify(tx)?);
    integrity.faults.extend(collection::verify(tx)?);
    integrity.faults.extend(certhis::verify(tx)?);
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

/// Operations that move units, and the event that tells what each moved.
const MOVING: [(OperationKind, &str); 5] = [
    (OperationKind::Mint, "mint.accepted"),
    (OperationKind::Burn, "burn.accepted"),
    (OperationKind::ForcedTransfer, "forced-transfer.accepted"),
    (OperationKind::Observed, "transfer.observed"),
    (OperationKind::Adopt, "asset.opening_posted"),
];

fn compare_with_audit(tx: &mut Tx<'_>, asset: AssetId, symbol: &str, integrity: &mut Integrity) -> Result<(), Error> {
    let mut by_kind = operations_by_kind(tx, asset)?;
    for (kind, action) in MOVING {
        let operations = by_kind.remove(&kind).unwrap_or_default();
        compare_kind(tx, (asset, symbol), (kind, action), operations, integrity)?;
    }
    Ok(())
}

fn compare_kind(
    tx: &mut Tx<'_>,
    (asset, symbol): (AssetId, &str),
    (kind, action): (OperationKind, &str),
    operations: Vec<Operation>,
    integrity: &mut Integrity,
) -> Result<(), Error> {
    let mut faults = Vec::new();
    let mut recorded: HashMap<OperationId, Value> = HashMap::new();
    for event in audit::of_asset(tx, asset, action)? {
        let Some(operation) = event.operation else {
            faults.push(format!("audit event {} names no operation", event.sequence));
            continue;
        };
        let data = serde_json::from_str(&event.data).unwrap_or(Value::Null);
        if recorded.insert(operation, data).is_some() {
            faults.push(format!("operation {operation} has two {} events", kind.text()));
        }
    }
    for operation in operations {
        let legs = ledger::legs_of(tx, asset, operation.sequence)?;
        if kind == OperationKind::Mint {
            integrity.mints += 1;
            integrity.recipients += legs.given.len();
        }
        let fault = compare(&operation, &legs, recorded.remove(&operation.id));
        faults.extend(fault.map(|fault| format!("operation {}: {fault}", operation.sequence)));
    }
    let strays = recorded.keys();
    faults.extend(strays.map(|id| format!("the audit log has {} {id}, the ledger does not", kind.text())));
    let named = faults.into_iter().map(|fault| format!("asset {symbol}: {fault}"));
    integrity.faults.extend(named);
    Ok(())
}

fn operations_by_kind(tx: &mut Tx<'_>, asset: AssetId) -> Result<HashMap<OperationKind, Vec<Operation>>, Error> {
    let mut all: HashMap<OperationKind, Vec<Operation>> = HashMap::new();
    let mut page = Page {
        limit: 1_000,
        ..Page::default()
    };
    loop {
        let operations = operation::list(tx, Of::Asset(asset), &page)?;
        let count = i64::try_from(operations.len()).unwrap_or(0);
        for operation in operations {
            all.entry(operation.kind).or_default().push(operation);
        }
        if count < page.limit {
            return Ok(all);
        }
        page.offset = page.offset.saturating_add(count);
    }
}

/// From whom, to whom, how many: each side's wallets and amounts in order.
type Told = (Vec<(String, String)>, Vec<(String, String)>);

fn told(data: &Value) -> Told {
    let text = |line: &Value, key: &str| line.get(key).and_then(Value::as_str).map(str::to_owned);
    let one = [data.clone()];
    let lines = data
        .get("lines")
        .and_then(Value::as_array)
        .map_or(one.as_slice(), Vec::as_slice);
    let side = |keys: &[&str]| {
        lines
            .iter()
            .filter_map(|line| {
                let party = keys.iter().find_map(|key| text(line, key))?;
                let amount = text(line, "amount").unwrap_or_default();
                // The zero address is nobody: a mint or a burn as the chain tells it.
                (party != Address::ZERO.to_string()).then_some((party, amount))
            })
            .collect()
    };
    (side(&["from"]), side(&["recipient", "to"]))
}

fn booked(legs: &Legs) -> Told {
    let side = |lines: &[HolderLine]| {
        let lines = lines.iter();
        lines
            .map(|line| (line.recipient.to_string(), line.amount.to_string()))
            .collect()
    };
    (side(&legs.taken), side(&legs.given))
}

fn compare(operation: &Operation, legs: &Legs, recorded: Option<Value>) -> Option<String> {
    let kind = operation.kind.text();
    let Some(recorded) = recorded else {
        return Some(format!("the ledger has this {kind}, the audit log does not"));
    };
    let lines = if legs.given.is_empty() {
        &legs.taken
    } else {
        &legs.given
    };
    let total = Amount::checked_sum(lines.iter().map(|line| line.amount));
    // The event of an opening tells its sum: there may be any number of holders.
    let agrees = if operation.kind == OperationKind::Adopt {
        let supply = recorded.get("supply").and_then(Value::as_str);
        total.map(|total| total.to_string()).as_deref() == supply
    } else {
        told(&recorded) == booked(legs)
    };
    if !agrees {
        return Some("its lines differ between the ledger and the audit log".to_owned());
    }
    // What a chain burned is counted as no line: nobody received it.
    let counted = if operation.kind == OperationKind::Observed {
        legs.given.len()
    } else {
        lines.len()
    };
    if usize::try_from(operation.lines) != Ok(counted) || total != Some(operation.total) {
        return Some("its lines are not those that it counts".to_owned());
    }
    let finished = operation.status == Status::Succeeded;
    let mut all = legs.taken.iter().chain(&legs.given);
    let posted = all.all(|line| line.phase == ledger::Phase::Posted);
    (finished != posted).then(|| format!("is {} and its lines are not", operation.status.text()))
}
