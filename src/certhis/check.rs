use std::collections::{BTreeMap, HashMap, HashSet};

use super::store;
use super::task::{self, TaskRow};
use crate::collection::{self, MintRequest, RequestFilter, RequestStatus, Window};
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, Operation, OperationKind, Status};
use crate::types::{Amount, AssetId, ReferenceId, RowId, UserId};

/// Tasks that are read at a time.
const PAGE: i64 = 1_000;

/// Compares the tasks with what the collections know: each has a mint request of its own, of one unit and of the token that
/// the task is about; that request stands where its operation stands; the task came with a key pair that its collection
/// had; and no mint request is named like a task that is not there. One sentence per fault; empty means sound.
pub fn verify(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    let mut after = None;
    loop {
        let rows = store::page_of_tasks(tx, after, PAGE)?;
        let Some(last) = rows.last() else { break };
        after = Some((last.asset, last.id));
        let mut of_collection: BTreeMap<AssetId, Vec<TaskRow>> = BTreeMap::new();
        for row in rows {
            of_collection.entry(row.asset).or_default().push(row);
        }
        for (collection, rows) in of_collection {
            let found = of_tasks(tx, collection, &rows)?;
            faults.extend(
                found
                    .into_iter()
                    .map(|fault| format!("collection {collection}: {fault}")),
            );
        }
    }
    for (collection, owners) in store::owners(tx)? {
        let found = strays(tx, collection, &owners)?;
        faults.extend(
            found
                .into_iter()
                .map(|fault| format!("collection {collection}: {fault}")),
        );
    }
    Ok(faults)
}

fn of_tasks(tx: &mut Tx<'_>, collection: AssetId, rows: &[TaskRow]) -> Result<Vec<String>, Error> {
    let references: Vec<ReferenceId> = rows.iter().map(TaskRow::reference).collect::<Result<_, _>>()?;
    let requests = collection::mint_requests_named(tx, collection, &references)?;
    let numbers: Vec<i64> = requests.iter().filter_map(|request| request.sequence).collect();
    let operations = operation::of_numbers(tx, collection, &numbers)?;
    let operations: HashMap<i64, &Operation> = operations.iter().map(|one| (one.sequence, one)).collect();
    let requests: HashMap<&ReferenceId, &MintRequest> = requests.iter().map(|one| (&one.reference, one)).collect();
    let keys = store::key_numbers(tx, collection)?;
    let mut faults = Vec::new();
    for (row, reference) in rows.iter().zip(&references) {
        let mut found = match requests.get(reference) {
            None => vec!["has no mint request".to_owned()],
            Some(request) => {
                let operation = request.sequence.and_then(|number| operations.get(&number).copied());
                of_request(row, request, operation)
            }
        };
        if !keys.contains(&row.key) {
            found.push(format!(
                "came with key pair {}, which the collection never had",
                row.key
            ));
        }
        faults.extend(found.into_iter().map(|fault| format!("task {} {fault}", row.number)));
    }
    Ok(faults)
}

fn of_request(row: &TaskRow, request: &MintRequest, operation: Option<&Operation>) -> Vec<String> {
    let mut faults = Vec::new();
    if row.token_id.is_some() && row.token_id != request.token_id {
        faults.push("is about another token than its mint request".to_owned());
    }
    if request.amount != Amount::ONE {
        faults.push(format!("has a mint request of {} units", request.amount));
    }
    let is_as_said = match operation {
        // The rules refused it before it became one.
        None => request.sequence.is_none() && request.status == RequestStatus::Failed,
        Some(operation) => operation.kind == OperationKind::Mint && request.status == status_of(operation.status),
    };
    if !is_as_said {
        let stands = operation.map_or("missing", |operation| operation.status.text());
        faults.push(format!(
            "has a mint request that is {}, and the operation of that is {stands}",
            request.status.text()
        ));
    }
    faults
}

fn status_of(status: Status) -> RequestStatus {
    match status {
        Status::Queued | Status::Signed | Status::Sent | Status::Mined => RequestStatus::Pending,
        Status::Succeeded => RequestStatus::Succeeded,
        Status::Failed | Status::Cancelled => RequestStatus::Failed,
    }
}

/// Mint requests that an owner made with a key pair, and whose task is gone. Callers of the other dialects choose their
/// references, and may choose one that looks so.
fn strays(tx: &mut Tx<'_>, collection: AssetId, owners: &HashSet<UserId>) -> Result<Vec<String>, Error> {
    let filter = RequestFilter {
        collection: Some(collection),
        ..RequestFilter::default()
    };
    let (mut faults, mut window) = (Vec::new(), Window::first(PAGE));
    loop {
        let page = collection::mint_requests(tx, &filter, &window)?;
        let made_here = page
            .items
            .iter()
            .filter(|one| one.environment.is_none() && owners.contains(&one.requested_by));
        let named: Vec<(RowId, &MintRequest)> = made_here
            .filter_map(|one| Some((task::id_in(one.reference.as_str())?, one)))
            .collect();
        let ids: Vec<RowId> = named.iter().map(|(id, _)| *id).collect();
        let known = store::known_tasks(tx, collection, &ids)?;
        let lost = named.iter().filter(|(id, _)| !known.contains(id));
        faults.extend(lost.map(|(_, request)| format!("mint request {} belongs to a task that is gone", request.id)));
        match page.next {
            Some(cursor) => window.cursor = Some(cursor),
            None => return Ok(faults),
        }
    }
}
