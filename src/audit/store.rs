use diesel::prelude::*;

use super::{EventFilter, Head, Recorded};
use crate::db::schema::{audit_events, audit_streams, audit_subjects, operations, postings};
use crate::db::{Bulk, Cursor, Page, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{Address, AssetId, Hash32, OperationId, Timestamp};

/// Events read at a time when a stream is verified.
const VERIFY_PAGE: i64 = 1_000;

type Row = (
    String,
    i64,
    Timestamp,
    String,
    String,
    Option<AssetId>,
    Option<OperationId>,
    String,
    Hash32,
);

fn recorded(row: Row) -> Recorded {
    let (stream, sequence, at, actor, action, asset, operation, data, leaf_hash) = row;
    Recorded {
        stream,
        sequence,
        at,
        actor,
        action,
        asset,
        operation,
        data,
        leaf_hash,
    }
}

/// The next number and the head of the stream; its row stays locked until the commit. A stream begins with its first
/// event.
pub(super) fn lock_stream(tx: &mut Tx<'_>, stream: &str) -> Result<(i64, Hash32), Error> {
    if let Some(next) = next_of_locked(tx, stream)? {
        return Ok(next);
    }
    let new = (
        audit_streams::stream.eq(stream),
        audit_streams::next_sequence.eq(1_i64),
        audit_streams::head.eq(Hash32::ZERO),
    );
    on!(tx, c => diesel::insert_into(audit_streams::table).values(new).on_conflict_do_nothing().execute(c))?;
    next_of_locked(tx, stream)?.ok_or_else(|| Error::internal("an audit stream vanished"))
}

fn next_of_locked(tx: &mut Tx<'_>, stream: &str) -> Result<Option<(i64, Hash32)>, Error> {
    let row = audit_streams::table
        .find(stream)
        .select((audit_streams::next_sequence, audit_streams::head));
    let next = match tx {
        Tx::Pg(c) => row.for_update().first(*c).optional()?,
        Tx::Sqlite(c) => row.first(*c).optional()?,
    };
    Ok(next)
}

pub(super) fn advance(tx: &mut Tx<'_>, stream: &str, next: i64, head: Hash32) -> Result<(), Error> {
    let row = audit_streams::table.find(stream);
    let change = (audit_streams::next_sequence.eq(next), audit_streams::head.eq(head));
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    Ok(())
}

pub(super) fn insert(
    tx: &mut Tx<'_>,
    stream: &str,
    events: &[Recorded],
    subjects: &[(Address, i64)],
) -> Result<(), Error> {
    Bulk::into("audit_events")
        .column("stream", vec![stream.to_owned(); events.len()])
        .column("sequence", events.iter().map(|e| e.sequence).collect::<Vec<_>>())
        .column("at", events.iter().map(|e| e.at).collect::<Vec<_>>())
        .column("actor", events.iter().map(|e| e.actor.clone()).collect::<Vec<_>>())
        .column("action", events.iter().map(|e| e.action.clone()).collect::<Vec<_>>())
        .column(
            "asset_id",
            events
                .iter()
                .map(|e| e.asset.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column(
            "operation_id",
            events
                .iter()
                .map(|e| e.operation.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column("data", events.iter().map(|e| e.data.clone()).collect::<Vec<_>>())
        .column("leaf_hash", events.iter().map(|e| e.leaf_hash).collect::<Vec<_>>())
        .execute(tx)?;
    Bulk::into("audit_subjects")
        .column(
            "account",
            subjects.iter().map(|(account, _)| *account).collect::<Vec<_>>(),
        )
        .column("stream", vec![stream.to_owned(); subjects.len()])
        .column(
            "sequence",
            subjects.iter().map(|(_, sequence)| *sequence).collect::<Vec<_>>(),
        )
        .on_conflict("ON CONFLICT (account, stream, sequence) DO NOTHING")
        .execute(tx)?;
    Ok(())
}

/// Newest first; the cursor is (time, stream, sequence) of the last row of the page before.
pub(super) fn list(
    tx: &mut Tx<'_>,
    filter: &EventFilter,
    page: &Page,
) -> Result<(Vec<Recorded>, Option<String>), Error> {
    let after = page.cursor.as_deref().map(read_cursor).transpose()?;
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = audit_events::table.into_boxed();
        if let Some(asset) = filter.asset {
            query = query.filter(audit_events::asset_id.eq(asset));
        }
        if let Some(action) = &filter.action {
            query = query.filter(audit_events::action.eq(action));
        }
        if let Some(actor) = &filter.actor {
            query = query.filter(audit_events::actor.eq(actor));
        }
        if let Some(from) = filter.from {
            query = query.filter(audit_events::at.ge(from));
        }
        if let Some(to) = filter.to {
            query = query.filter(audit_events::at.lt(to));
        }
        if let Some(stream) = &filter.stream {
            query = query.filter(audit_events::stream.eq(stream));
        }
        if let Some(after) = filter.after_sequence {
            query = query.filter(audit_events::sequence.gt(after)).order((audit_events::stream.asc(), audit_events::sequence.asc()));
        } else {
            query = query.order((audit_events::at.desc(), audit_events::stream.desc(), audit_events::sequence.desc()));
        }
        if let Some(recipient) = filter.recipient {
            let named = audit_subjects::table
                .filter(audit_subjects::account.eq(recipient))
                .filter(audit_subjects::stream.eq(audit_events::stream))
                .filter(audit_subjects::sequence.eq(audit_events::sequence))
                .select(audit_subjects::sequence);
            let posted = operations::table
                .inner_join(postings::table.on(
                    postings::asset_id.eq(operations::asset_id).and(postings::operation.eq(operations::sequence))))
                .filter(postings::account.eq(recipient))
                .select(operations::id.nullable());
            query = query.filter(
                diesel::dsl::exists(named).or(audit_events::operation_id.eq_any(posted).assume_not_null()));
        }
        if let Some((at, stream, sequence)) = &after {
            query = query.filter(
                audit_events::at.lt(*at)
                    .or(audit_events::at.eq(*at).and(audit_events::stream.lt(stream)))
                    .or(audit_events::at.eq(*at)
                        .and(audit_events::stream.eq(stream))
                        .and(audit_events::sequence.lt(*sequence))));
        }
        query
            .limit(page.limit.saturating_add(1))
            .offset(page.offset)
            .load(c)
    })?;
    let (events, cursor) = cut(rows, page.limit);
    // Who follows a stream goes on after the last number instead.
    Ok((events, cursor.filter(|_| filter.after_sequence.is_none())))
}

fn cut(rows: Vec<Row>, limit: i64) -> (Vec<Recorded>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > limit;
    let events: Vec<Recorded> = rows.into_iter().take(limit).map(recorded).collect();
    let cursor = events.last().filter(|_| more).map(|last| {
        Cursor::new([last.at.to_micros_text(), last.stream.clone(), last.sequence.to_string()]).to_string()
    });
    (events, cursor)
}

fn read_cursor(text: &str) -> Result<(Timestamp, String, i64), Error> {
    let invalid = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let [at, stream, sequence] = Cursor::parse::<3>(text).map_err(|_| invalid())?;
    let at = Timestamp::parse(&at).map_err(|_| invalid())?;
    Ok((at, stream, sequence.parse().map_err(|_| invalid())?))
}

pub(super) fn streams(tx: &mut Tx<'_>) -> Result<Vec<(String, i64, Hash32)>, Error> {
    Ok(on!(tx, c => audit_streams::table.order(audit_streams::stream).load(c))?)
}

/// In the order of their names; the cursor is the last name of the page before.
pub(super) fn heads(
    tx: &mut Tx<'_>,
    stream: Option<String>,
    page: &Page,
) -> Result<(Vec<Head>, Option<String>), Error> {
    let invalid = |_| Error::invalid("cursor", "is not a cursor that this list gave out");
    let after = page
        .cursor
        .as_deref()
        .map(Cursor::parse::<1>)
        .transpose()
        .map_err(invalid)?;
    let rows: Vec<(String, i64, Hash32)> = on!(tx, c => {
        let mut query = audit_streams::table.order(audit_streams::stream).into_boxed();
        if let Some(stream) = &stream {
            query = query.filter(audit_streams::stream.eq(stream));
        }
        if let Some([after]) = &after {
            query = query.filter(audit_streams::stream.gt(after));
        }
        query.limit(page.limit.saturating_add(1)).offset(page.offset).load(c)
    })?;
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let more = rows.len() > limit;
    let heads: Vec<Head> = rows.into_iter().take(limit).map(head).collect();
    let last = heads.last().filter(|_| more);
    let cursor = last.map(|last| Cursor::new([last.stream.clone()]).to_string());
    Ok((heads, cursor))
}

fn head((stream, next, head): (String, i64, Hash32)) -> Head {
    Head {
        stream,
        sequence: next.saturating_sub(1),
        head,
    }
}

/// The next events of the stream from a number on; `None` when there are none.
pub(super) fn events_from(tx: &mut Tx<'_>, stream: &str, from: i64) -> Result<Option<Vec<Recorded>>, Error> {
    let query = audit_events::table
        .filter(audit_events::stream.eq(stream))
        .filter(audit_events::sequence.ge(from))
        .order(audit_events::sequence)
        .limit(VERIFY_PAGE);
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    Ok((!rows.is_empty()).then(|| rows.into_iter().map(recorded).collect()))
}

pub(super) fn of_asset(tx: &mut Tx<'_>, asset: AssetId, action: &str) -> Result<Vec<Recorded>, Error> {
    let query = audit_events::table
        .filter(audit_events::asset_id.eq(asset))
        .filter(audit_events::action.eq(action))
        .order((audit_events::stream, audit_events::sequence));
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    Ok(rows.into_iter().map(recorded).collect())
}
