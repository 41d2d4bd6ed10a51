mod answers;
mod moved;

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;

pub(super) use answers::{claim, close, forget_expired, prune, release, remember, remembered, settle_claim};

pub(super) use moved::{observed_at, openings, that_moved};

use super::{Of, Operation, OperationKind, Queue, Status};
use crate::db::schema::{assets, operations};
use crate::db::{Bulk, Page, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{Amount, AssetId, Hash32, OperationId, Timestamp, UserId};

/// The number of an asset's first operation.
const FIRST: i64 = 1;

pub(super) fn insert(tx: &mut Tx<'_>, rows: &[Operation]) -> Result<(), Error> {
    Bulk::into("operations")
        .column(
            "asset_id",
            rows.iter().map(|row| *row.asset.as_uuid()).collect::<Vec<_>>(),
        )
        .column("sequence", rows.iter().map(|row| row.sequence).collect::<Vec<_>>())
        .column("id", rows.iter().map(|row| *row.id.as_uuid()).collect::<Vec<_>>())
        .column("kind", rows.iter().map(|row| row.kind.text()).collect::<Vec<_>>())
        .column("status", rows.iter().map(|row| row.status.text()).collect::<Vec<_>>())
        .column("plan", rows.iter().map(|row| row.plan.clone()).collect::<Vec<_>>())
        .column("lines", rows.iter().map(|row| row.lines).collect::<Vec<_>>())
        .column("total", rows.iter().map(|row| row.total).collect::<Vec<_>>())
        .column(
            "requested_by",
            rows.iter().map(|row| *row.requested_by.as_uuid()).collect::<Vec<_>>(),
        )
        .column(
            "request_id",
            rows.iter().map(|row| row.request_id.clone()).collect::<Vec<_>>(),
        )
        .column(
            "policy_hash",
            rows.iter().map(|row| row.policy_hash).collect::<Vec<_>>(),
        )
        .column("created_at", rows.iter().map(|row| row.created_at).collect::<Vec<_>>())
        .column(
            "finished_at",
            rows.iter().map(|row| row.finished_at).collect::<Vec<_>>(),
        )
        .execute(tx)?;
    Ok(())
}

#[derive(Queryable)]
struct Row {
    asset_id: AssetId,
    sequence: i64,
    id: OperationId,
    kind: String,
    status: String,
    plan: String,
    lines: i32,
    total: Amount,
    requested_by: UserId,
    request_id: String,
    policy_hash: Option<Hash32>,
    error: Option<String>,
    attention_reason: Option<String>,
    attention_since: Option<Timestamp>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
    hold_reason: Option<String>,
}

impl TryFrom<Row> for Operation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            asset: row.asset_id,
            sequence: row.sequence,
            kind: OperationKind::parse(&row.kind)?,
            status: Status::parse(&row.status)?,
            plan: row.plan,
            lines: row.lines,
            total: row.total,
            requested_by: row.requested_by,
            request_id: row.request_id,
            policy_hash: row.policy_hash,
            error: row.error,
            attention: row.attention_reason.zip(row.attention_since),
            created_at: row.created_at,
            finished_at: row.finished_at,
            hold: row.hold_reason,
        })
    }
}

pub(super) fn find(tx: &mut Tx<'_>, id: OperationId) -> Result<Option<Operation>, Error> {
    let query = operations::table.filter(operations::id.eq(id));
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(Operation::try_from).transpose()
}

pub(super) fn list(tx: &mut Tx<'_>, of: Of, page: &Page) -> Result<Vec<Operation>, Error> {
    let rows: Vec<Row> = on!(tx, c => {
        let query = operations::table.into_boxed();
        let query = match of {
            Of::Requester(user) => query.filter(operations::requested_by.eq(user)),
            Of::Asset(asset) => query.filter(operations::asset_id.eq(asset)),
        };
        query
            .order((operations::created_at.desc(), operations::asset_id, operations::sequence.desc()))
            .limit(page.limit)
            .offset(page.offset)
            .load(c)
    })?;
    rows.into_iter().map(Operation::try_from).collect()
}

/// In the words of the index of what has not ended: without them SQLite, which does not know what a parameter will be, reads
/// all that ever was.
fn is_open() -> SqlLiteral<Bool> {
    sql("operations.status NOT IN ('succeeded', 'failed', 'cancelled')")
}

/// The oldest first, and of one asset in its order. `without` names whose operations on which asset are left out.
pub(super) fn queued(
    tx: &mut Tx<'_>,
    queue: Queue,
    without: &[(AssetId, UserId)],
    (limit, offset): (i64, i64),
) -> Result<Vec<Operation>, Error> {
    let mint = OperationKind::Mint.text();
    let moves = [OperationKind::Burn.text(), OperationKind::ForcedTransfer.text()];
    let rows: Vec<Row> = on!(tx, c => {
        let query = operations::table
            .filter(operations::status.eq(Status::Queued.text()))
            .filter(is_open())
            .into_boxed();
        let mut query = match queue {
            Queue::Changes => query.filter(operations::kind.ne(mint)).filter(operations::kind.ne_all(moves)),
            Queue::Moves => query.filter(operations::kind.eq_any(moves)).filter(operations::hold_reason.is_null()),
            Queue::HeldMoves => {
                query.filter(operations::kind.eq_any(moves)).filter(operations::hold_reason.is_not_null())
            }
            Queue::Mints => query.filter(operations::kind.eq(mint)).filter(operations::hold_reason.is_null()),
            Queue::HeldMints => query.filter(operations::kind.eq(mint)).filter(operations::hold_reason.is_not_null()),
        };
        for (asset, requester) in without {
            let of_requester = operations::asset_id.eq(*asset).and(operations::requested_by.eq(*requester));
            query = query.filter(diesel::dsl::not(of_requester));
        }
        query
            .order((operations::created_at, operations::asset_id, operations::sequence))
            .limit(limit)
            .offset(offset)
            .load(c)
    })?;
    rows.into_iter().map(Operation::try_from).collect()
}

/// Assets with a change on its way: signed or sent, and no mint.
pub(super) fn changes_on_their_way(tx: &mut Tx<'_>) -> Result<Vec<(AssetId, OperationKind)>, Error> {
    let query = operations::table
        .filter(operations::status.eq_any([Status::Signed.text(), Status::Sent.text()]))
        .filter(is_open())
        .filter(operations::kind.ne(OperationKind::Mint.text()))
        .select((operations::asset_id, operations::kind));
    let rows: Vec<(AssetId, String)> = on!(tx, c => query.load(c))?;
    rows.into_iter()
        .map(|(asset, kind)| Ok((asset, OperationKind::parse(&kind)?)))
        .collect()
}

/// Changes after which a contract may take what it refused before, whenever they were accepted: somebody is free, the cap
/// is higher. They go at once.
const LETTING_PASS: [OperationKind; 4] = [
    OperationKind::Create,
    OperationKind::Unpause,
    OperationKind::FreezeAddress,
    OperationKind::SetCap,
];

/// A burn makes room under the cap for a mint that was accepted after it. One that came later did not let the mint go, and
/// where burns keep coming the mint would never end. A move waits for no other: those behind it wait for it.
pub(super) fn open_change(tx: &mut Tx<'_>, refused: &Operation) -> Result<Option<OperationKind>, Error> {
    let made_room = match refused.kind == OperationKind::Mint {
        true => vec![OperationKind::Burn.text()],
        false => Vec::new(),
    };
    let made_room = operations::kind
        .eq_any(made_room)
        .and(operations::sequence.lt(refused.sequence));
    let changes = operations::table
        .filter(operations::asset_id.eq(refused.asset))
        .filter(is_open())
        .filter(
            operations::kind
                .eq_any(LETTING_PASS.map(OperationKind::text))
                .or(made_room),
        )
        .order(operations::sequence)
        .select(operations::kind);
    let kind: Option<String> = on!(tx, c => changes.first(c).optional())?;
    kind.map(|kind| OperationKind::parse(&kind)).transpose()
}

pub(super) fn of_numbers(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64]) -> Result<Vec<Operation>, Error> {
    let query = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::sequence.eq_any(numbers))
        .order(operations::sequence);
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(Operation::try_from).collect()
}

pub(super) fn queued_of(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<Operation>, Error> {
    let query = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::status.eq(Status::Queued.text()))
        .filter(is_open())
        .order(operations::sequence);
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(Operation::try_from).collect()
}

/// Why the asset was not created; its creation is its first operation.
pub(super) fn failed_creation(tx: &mut Tx<'_>, asset: AssetId) -> Result<Option<String>, Error> {
    let creation = operations::table
        .find((asset, FIRST))
        .filter(operations::kind.eq(OperationKind::Create.text()))
        .filter(operations::status.eq(Status::Failed.text()))
        .select(operations::error);
    let error: Option<Option<String>> = on!(tx, c => creation.first(c).optional())?;
    Ok(error.map(Option::unwrap_or_default))
}

pub(super) fn advance(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64], status: Status) -> Result<(), Error> {
    let open = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::sequence.eq_any(numbers))
        .filter(operations::finished_at.is_null());
    let change = (
        operations::status.eq(status.text()),
        operations::hold_reason.eq(None::<String>),
        operations::attention_reason.eq(None::<String>),
        operations::attention_since.eq(None::<Timestamp>),
    );
    on!(tx, c => diesel::update(open).set(change).execute(c))?;
    Ok(())
}

pub(super) fn finish(
    tx: &mut Tx<'_>,
    asset: AssetId,
    numbers: &[i64],
    (status, error): (Status, Option<&str>),
    now: Timestamp,
) -> Result<usize, Error> {
    let open = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::sequence.eq_any(numbers))
        .filter(operations::finished_at.is_null());
    let change = (
        operations::status.eq(status.text()),
        operations::error.eq(error),
        operations::finished_at.eq(now),
        operations::hold_reason.eq(None::<String>),
        operations::attention_reason.eq(None::<String>),
        operations::attention_since.eq(None::<Timestamp>),
    );
    Ok(on!(tx, c => diesel::update(open).set(change).execute(c))?)
}

pub(super) fn hold(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64], reason: &str) -> Result<(), Error> {
    let waiting = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::sequence.eq_any(numbers))
        .filter(operations::status.eq(Status::Queued.text()));
    on!(tx, c => diesel::update(waiting).set(operations::hold_reason.eq(reason)).execute(c))?;
    Ok(())
}

pub(super) fn call_for_attention(
    tx: &mut Tx<'_>,
    asset: AssetId,
    numbers: &[i64],
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let open = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::sequence.eq_any(numbers))
        .filter(operations::attention_since.is_null())
        .filter(operations::finished_at.is_null());
    let change = (
        operations::attention_reason.eq(reason),
        operations::attention_since.eq(now),
    );
    on!(tx, c => diesel::update(open).set(change).execute(c))?;
    Ok(())
}

pub(super) fn needing_a_person(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Operation>, Error> {
    let query = operations::table
        .filter(operations::attention_since.is_not_null())
        .filter(operations::finished_at.is_null())
        .order((operations::attention_since, operations::asset_id, operations::sequence))
        .limit(limit);
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(Operation::try_from).collect()
}

/// (asset, symbol, next number, operations, highest number)
pub(super) type Numbers = (AssetId, String, i64, i64, i64);

pub(super) fn numbers(tx: &mut Tx<'_>) -> Result<Vec<Numbers>, Error> {
    let all = assets::table.select((assets::id, assets::symbol, assets::next_operation));
    let assets: Vec<(AssetId, String, i64)> = on!(tx, c => all.load(c))?;
    let mut numbers = Vec::new();
    for (id, symbol, next) in assets {
        let of_asset = operations::table.filter(operations::asset_id.eq(id));
        let count: i64 = on!(tx, c => of_asset.count().get_result(c))?;
        let highest: Option<i64> = on!(tx, c => of_asset.select(diesel::dsl::max(operations::sequence)).first(c))?;
        numbers.push((id, symbol, next, count, highest.unwrap_or(0)));
    }
    Ok(numbers)
}
