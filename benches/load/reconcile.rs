//! Line by line: what the clients were told against the ledger and the audit log.

use std::collections::{BTreeSet, HashMap};

use moneyer::asset::Asset;
use moneyer::audit;
use moneyer::db::{Db, Page, Tx};
use moneyer::error::Error;
use moneyer::ledger::{self, Phase};
use moneyer::operation::{self, Of, Operation, OperationKind};
use moneyer::types::{Address, Amount, OperationId};
use serde::Deserialize;

use crate::Outcome;
use crate::journal::Acknowledged;
use crate::order::{Line, Order};

const ACTION: &str = "mint.accepted";
const OPERATIONS_PAGE: i64 = 1_000;
/// How many faults are told in words; the others are as wrong.
const FAULTS_MAX: usize = 20;

/// What clients know beside their journal.
#[derive(Default)]
pub struct Told {
    /// Sent, and not answered because of a kill; an order that was sent again may be here more than once.
    pub interrupted: Vec<Order>,
    /// Answered with something else than a success.
    pub refused: Vec<(Order, String)>,
    /// Accepted, and must have failed.
    pub doomed: Vec<Doomed>,
    pub faults: Vec<String>,
}

/// An order that was accepted, with a recipient at this place whom the registry on the chain does not verify.
pub struct Doomed {
    pub operation: OperationId,
    pub order: Order,
    pub line: usize,
}

/// What the contract says of such a recipient.
const REFUSAL: &str = "RecipientNotVerified";

impl Told {
    pub fn add(&mut self, other: Self) {
        self.interrupted.extend(other.interrupted);
        self.refused.extend(other.refused);
        self.doomed.extend(other.doomed);
        self.faults.extend(other.faults);
    }
}

#[derive(Debug, Default)]
pub struct Found {
    /// Acknowledged, and not in the ledger or not in the audit log as it was asked for.
    pub lost: usize,
    /// One request with two operations, one operation with two events, or two requests with one operation.
    pub doubled: usize,
    pub unacknowledged_but_committed: usize,
    /// The lines of those, with their assets.
    pub unacknowledged: Vec<(Address, Line)>,
    pub faults: Vec<String>,
}

/// One mint of the ledger with what the audit log says of it.
struct Mint {
    request_id: String,
    asset: Address,
    lines: Vec<Line>,
    phases: BTreeSet<&'static str>,
    /// Why it failed.
    error: Option<String>,
    events: Vec<Event>,
}

/// The data of an event, as far as it repeats the request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    lines: Vec<EventLine>,
    request_id: String,
    total: Amount,
}

#[derive(Deserialize)]
struct EventLine {
    recipient: Address,
    amount: Amount,
}

pub fn compare(db: &Db, assets: &[Asset], acknowledged: &[Acknowledged], told: &Told) -> Outcome<Found> {
    let mut found = Found {
        faults: told.faults.clone(),
        ..Found::default()
    };
    let mut mints: HashMap<OperationId, Mint> = HashMap::new();
    for asset in assets {
        mints.extend(db.read_blocking(|tx| mints_of(tx, asset, &mut found.faults))?);
    }
    find_doubled(&mints, acknowledged, &mut found);
    find_lost(&mints, acknowledged, &mut found);
    find_spared(&mints, &told.doomed, &mut found);
    explain(&mints, acknowledged, told, &mut found);
    found.faults.truncate(FAULTS_MAX);
    Ok(found)
}

/// The mints of one asset. An event without an operation is a fault.
fn mints_of(tx: &mut Tx<'_>, asset: &Asset, faults: &mut Vec<String>) -> Result<HashMap<OperationId, Mint>, Error> {
    let mut mints = HashMap::new();
    for operation in operations_of(tx, asset)? {
        let written = ledger::lines_of(tx, asset.id, operation.sequence)?;
        let lines = written.iter().map(|line| Line {
            recipient: line.recipient,
            amount: line.amount,
        });
        let mint = Mint {
            request_id: operation.request_id,
            asset: asset.address,
            lines: lines.collect(),
            phases: written.iter().map(|line| line.phase.text()).collect(),
            error: operation.error,
            events: Vec::new(),
        };
        mints.insert(operation.id, mint);
    }
    for recorded in audit::of_asset(tx, asset.id, ACTION)? {
        let event: Event = serde_json::from_str(&recorded.data).map_err(Error::internal)?;
        match recorded.operation.and_then(|operation| mints.get_mut(&operation)) {
            Some(mint) => mint.events.push(event),
            None => faults.push(format!("event {} tells of no operation", recorded.sequence)),
        }
    }
    Ok(mints)
}

fn operations_of(tx: &mut Tx<'_>, asset: &Asset) -> Result<Vec<Operation>, Error> {
    let mut all = Vec::new();
    let mut page = Page::first(OPERATIONS_PAGE);
    loop {
        let operations = operation::list(tx, Of::Asset(asset.id), &page)?;
        if operations.is_empty() {
            return Ok(all);
        }
        all.extend(operations.into_iter().filter(|o| o.kind == OperationKind::Mint));
        page.offset += OPERATIONS_PAGE;
    }
}

fn find_doubled(mints: &HashMap<OperationId, Mint>, acknowledged: &[Acknowledged], found: &mut Found) {
    let mut requests = BTreeSet::new();
    for (id, mint) in mints {
        if !requests.insert(&mint.request_id) {
            found.doubled += 1;
            found.faults.push(format!(
                "request {} has another operation than {id} too",
                mint.request_id
            ));
        }
        if mint.events.len() > 1 {
            found.doubled += 1;
            found
                .faults
                .push(format!("operation {id} has {} events", mint.events.len()));
        }
    }
    let mut operations = BTreeSet::new();
    for mint in acknowledged.iter().filter(|mint| !operations.insert(mint.operation)) {
        found.doubled += 1;
        found
            .faults
            .push(format!("operation {} answered two requests", mint.operation));
    }
}

fn find_lost(mints: &HashMap<OperationId, Mint>, acknowledged: &[Acknowledged], found: &mut Found) {
    for told in acknowledged {
        let is_there = mints.get(&told.operation).is_some_and(|mint| {
            mint.request_id == told.request_id && mint.asset == told.asset && mint.lines == told.lines && mint.is_told()
        });
        if !is_there {
            found.lost += 1;
            let fault = format!(
                "operation {} was acknowledged and is not there as it was asked for",
                told.operation
            );
            found.faults.push(fault);
        }
    }
}

/// Everything is posted but what had to fail; that has failed for the recipient who is why, and nothing of it is left.
fn find_spared(mints: &HashMap<OperationId, Mint>, doomed: &[Doomed], found: &mut Found) {
    let expected: HashMap<OperationId, &Doomed> = doomed.iter().map(|one| (one.operation, one)).collect();
    for (id, mint) in mints.iter().filter(|(id, _)| !expected.contains_key(id)) {
        if mint.phases != BTreeSet::from([Phase::Posted.text()]) {
            let (phases, error) = (&mint.phases, mint.error.as_deref().unwrap_or("no reason"));
            found.faults.push(format!("operation {id} is {phases:?}: {error}"));
        }
    }
    for (id, one) in expected {
        let Some(mint) = mints.get(&id) else {
            found.lost += 1;
            found
                .faults
                .push(format!("operation {id} was accepted and is not there"));
            continue;
        };
        let is_asked = mint.request_id == one.order.request_id && mint.lines == one.order.lines && mint.is_told();
        let blamed = one.order.lines.get(one.line);
        let blame = blamed.map_or_else(String::new, |line| format!("line {} ({}): ", one.line, line.recipient));
        let error = mint.error.as_deref().unwrap_or_default();
        let is_blamed = error.starts_with(&blame) && error.contains(REFUSAL);
        if !is_asked || !is_blamed || mint.phases != BTreeSet::from([Phase::Voided.text()]) {
            let phases = &mint.phases;
            let fault = format!("operation {id} was to fail with {blame}{REFUSAL}; it is {phases:?}: {error}");
            found.faults.push(fault);
        }
    }
}

/// Every mint that was not acknowledged must be of a request that was on its way when a kill came.
fn explain(mints: &HashMap<OperationId, Mint>, acknowledged: &[Acknowledged], told: &Told, found: &mut Found) {
    let doomed = told.doomed.iter().map(|one| one.operation);
    let answered: BTreeSet<OperationId> = acknowledged.iter().map(|mint| mint.operation).chain(doomed).collect();
    let interrupted: HashMap<&str, &Order> = told.interrupted.iter().map(|o| (o.request_id.as_str(), o)).collect();
    for (id, mint) in mints.iter().filter(|(id, _)| !answered.contains(id)) {
        let order = interrupted.get(mint.request_id.as_str());
        if order.is_some_and(|order| order.asset == mint.asset && order.lines == mint.lines) && mint.is_told() {
            found.unacknowledged_but_committed += 1;
            found
                .unacknowledged
                .extend(mint.lines.iter().map(|line| (mint.asset, *line)));
        } else {
            found
                .faults
                .push(format!("operation {id} of {} is nobody's", mint.request_id));
        }
    }
    let minted: BTreeSet<&str> = mints.values().map(|mint| mint.request_id.as_str()).collect();
    for (order, said) in &told.refused {
        // The load is made so that nothing of it is refused.
        let request = &order.request_id;
        found.faults.push(format!("{request} was answered with {said}"));
        if minted.contains(request.as_str()) {
            found.faults.push(format!("{request} was refused, and is minted"));
        }
    }
    for (request, order) in &interrupted {
        let is_owed = order.idempotency_key.is_some();
        if is_owed && !acknowledged.iter().any(|mint| mint.request_id == *request) {
            found.faults.push(format!(
                "{request} was sent until it was answered, and was not acknowledged"
            ));
        }
    }
}

impl Mint {
    /// Exactly one event says what the postings say.
    fn is_told(&self) -> bool {
        let [event] = self.events.as_slice() else {
            return false;
        };
        let total = Amount::checked_sum(self.lines.iter().map(|line| line.amount));
        let said = event.lines.iter().map(|line| Line {
            recipient: line.recipient,
            amount: line.amount,
        });
        event.request_id == self.request_id && Some(event.total) == total && said.eq(self.lines.iter().copied())
    }
}
