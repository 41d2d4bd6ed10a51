use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use uuid::Uuid;

use super::known;
use crate::collection::page::{Begin, List, Slice, Window};
use crate::collection::{Activity, ActivityFilter, ActivityKind, Place};
use crate::db::schema::activities;
use crate::db::{Bulk, Tx, in_parts};
use crate::error::Error;
use crate::on;
use crate::types::{ActivityId, Address, Amount, AssetId, Hash32, Timestamp, TokenId};

/// The columns in the order of the table.
#[derive(Queryable)]
struct Row {
    asset_id: AssetId,
    transaction_hash: Hash32,
    log_index: i64,
    position: i32,
    id: ActivityId,
    kind: String,
    sender: Option<Address>,
    recipient: Option<Address>,
    token_id: TokenId,
    amount: Amount,
    block_number: i64,
    block_hash: Hash32,
    transaction_index: i64,
    indexed_at: Timestamp,
}

type PlaceRow = (Hash32, i64, Hash32, i64, i64, i32);

fn place(row: PlaceRow) -> Result<Place, Error> {
    let (transaction, block, block_hash, transaction_index, log_index, position) = row;
    Ok(Place {
        transaction,
        block: u64::try_from(block).map_err(Error::internal)?,
        block_hash,
        transaction_index: u64::try_from(transaction_index).map_err(Error::internal)?,
        log_index: u64::try_from(log_index).map_err(Error::internal)?,
        position: u32::try_from(position).map_err(Error::internal)?,
    })
}

impl TryFrom<Row> for Activity {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            collection: row.asset_id,
            kind: known(ActivityKind::parse(&row.kind), &row.kind)?,
            from: row.sender,
            to: row.recipient,
            token_id: row.token_id,
            amount: row.amount,
            place: place((
                row.transaction_hash,
                row.block_number,
                row.block_hash,
                row.transaction_index,
                row.log_index,
                row.position,
            ))?,
            indexed_at: row.indexed_at,
        })
    }
}

pub(in crate::collection) fn insert_activities(tx: &mut Tx<'_>, rows: &[Activity]) -> Result<(), Error> {
    let number = |of: fn(&Place) -> u64| {
        let numbers = rows.iter().map(|row| i64::try_from(of(&row.place)));
        numbers.collect::<Result<Vec<_>, _>>().map_err(Error::internal)
    };
    let positions = rows.iter().map(|row| i32::try_from(row.place.position));
    let positions: Vec<i32> = positions.collect::<Result<_, _>>().map_err(Error::internal)?;
    Bulk::into("activities")
        .column(
            "asset_id",
            rows.iter().map(|row| *row.collection.as_uuid()).collect::<Vec<_>>(),
        )
        .column(
            "transaction_hash",
            rows.iter().map(|row| row.place.transaction).collect::<Vec<_>>(),
        )
        .column("log_index", number(|place| place.log_index)?)
        .column("position", positions)
        .column("id", rows.iter().map(|row| *row.id.as_uuid()).collect::<Vec<_>>())
        .column("kind", rows.iter().map(|row| row.kind.text()).collect::<Vec<_>>())
        .column("sender", rows.iter().map(|row| row.from).collect::<Vec<_>>())
        .column("recipient", rows.iter().map(|row| row.to).collect::<Vec<_>>())
        .column(
            "token_id",
            rows.iter().map(|row| row.token_id.amount()).collect::<Vec<_>>(),
        )
        .column("amount", rows.iter().map(|row| row.amount).collect::<Vec<_>>())
        .column("block_number", number(|place| place.block)?)
        .column(
            "block_hash",
            rows.iter().map(|row| row.place.block_hash).collect::<Vec<_>>(),
        )
        .column("transaction_index", number(|place| place.transaction_index)?)
        .column("indexed_at", rows.iter().map(|row| row.indexed_at).collect::<Vec<_>>())
        .execute(tx)?;
    Ok(())
}

/// Transactions among these of which something is recorded on the collection, each with the places of their logs.
pub(in crate::collection) fn known_places(
    tx: &mut Tx<'_>,
    asset: AssetId,
    transactions: &[Hash32],
) -> Result<HashSet<(Hash32, u64, u32)>, Error> {
    let of_asset = activities::table.filter(activities::asset_id.eq(asset)).select((
        activities::transaction_hash,
        activities::log_index,
        activities::position,
    ));
    let rows: Vec<(Hash32, i64, i32)> = in_parts(transactions, |transactions| {
        let query = of_asset.filter(activities::transaction_hash.eq_any(transactions));
        on!(&mut *tx, c => query.load(c))
    })?;
    rows.into_iter()
        .map(|(transaction, log_index, position)| {
            let log_index = u64::try_from(log_index).map_err(Error::internal)?;
            Ok((
                transaction,
                log_index,
                u32::try_from(position).map_err(Error::internal)?,
            ))
        })
        .collect()
}

/// What was recorded of these transactions on a collection.
pub(in crate::collection) fn activities_in(
    tx: &mut Tx<'_>,
    asset: AssetId,
    transactions: &[Hash32],
) -> Result<Vec<Activity>, Error> {
    let query = activities::table
        .filter(activities::asset_id.eq(asset))
        .filter(activities::transaction_hash.eq_any(transactions));
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(Activity::try_from).collect()
}

/// Where everything is that was recorded of a collection.
pub(in crate::collection) fn places(tx: &mut Tx<'_>, asset: AssetId) -> Result<HashSet<Place>, Error> {
    let query = activities::table.filter(activities::asset_id.eq(asset)).select((
        activities::transaction_hash,
        activities::block_number,
        activities::block_hash,
        activities::transaction_index,
        activities::log_index,
        activities::position,
    ));
    let rows: Vec<PlaceRow> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(place).collect()
}

/// Of these activities those that are mints: the token, who got it, how much.
pub(in crate::collection) fn minted_by(
    tx: &mut Tx<'_>,
    asset: AssetId,
    ids: &[ActivityId],
) -> Result<HashMap<ActivityId, (TokenId, Address, Amount)>, Error> {
    let query = activities::table
        .filter(activities::asset_id.eq(asset))
        .filter(activities::id.eq_any(ids))
        .filter(activities::kind.eq(ActivityKind::Mint.text()))
        .select((
            activities::id,
            activities::token_id,
            activities::recipient.assume_not_null(),
            activities::amount,
        ));
    let rows: Vec<(ActivityId, TokenId, Address, Amount)> = on!(tx, c => query.load(c))?;
    Ok(rows
        .into_iter()
        .map(|(id, token_id, recipient, amount)| (id, (token_id, recipient, amount)))
        .collect())
}

pub(in crate::collection) fn activity(tx: &mut Tx<'_>, id: ActivityId) -> Result<Option<Activity>, Error> {
    let query = activities::table.filter(activities::id.eq(id));
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(Activity::try_from).transpose()
}

/// In the order of their times, which never change.
pub(in crate::collection) fn activities(
    tx: &mut Tx<'_>,
    filter: &ActivityFilter,
    window: &Window,
) -> Result<Slice<Activity>, Error> {
    let begin = Begin::of(List::Activities, window)?;
    let limit = window.limit.saturating_add(1);
    let rows = match filter.account {
        None => part(tx, filter, None, begin, limit)?,
        Some(account) => {
            // Each side is found in an index of its own; whoever gives to itself is on both.
            let mut rows = part(tx, filter, Some(Side::Sender(account)), begin, limit)?;
            rows.extend(part(tx, filter, Some(Side::Recipient(account)), begin, limit)?);
            rows.sort_unstable_by_key(mark);
            rows.dedup_by_key(|row| row.id);
            match begin {
                Begin::Newest | Begin::Below(_) => rows.reverse(),
                Begin::Above(_) => {}
            }
            rows
        }
    };
    let found = rows
        .into_iter()
        .map(Activity::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    let mark = |one: &Activity| (one.indexed_at, *one.id.as_uuid());
    Ok(begin.slice(List::Activities, window, found, mark))
}

/// On which side of a movement an account is.
#[derive(Clone, Copy)]
enum Side {
    Sender(Address),
    Recipient(Address),
}

fn mark(row: &Row) -> (Timestamp, Uuid) {
    (row.indexed_at, *row.id.as_uuid())
}

fn part(
    tx: &mut Tx<'_>,
    filter: &ActivityFilter,
    side: Option<Side>,
    begin: Begin<(Timestamp, Uuid)>,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    let rows = on!(tx, c => {
        let mut query = activities::table.into_boxed();
        if let Some(collection) = filter.collection {
            query = query.filter(activities::asset_id.eq(collection));
        }
        if let Some(token_id) = filter.token_id {
            query = query.filter(activities::token_id.eq(token_id));
        }
        if let Some(kind) = filter.kind {
            query = query.filter(activities::kind.eq(kind.text()));
        }
        query = match side {
            None => query,
            Some(Side::Sender(account)) => query.filter(activities::sender.assume_not_null().eq(account)),
            Some(Side::Recipient(account)) => query.filter(activities::recipient.assume_not_null().eq(account)),
        };
        if let Some(transaction) = filter.transaction {
            query = query.filter(activities::transaction_hash.eq(transaction));
        }
        if let Some(since) = filter.indexed_since {
            query = query.filter(activities::indexed_at.ge(since));
        }
        if let Some(until) = filter.indexed_until {
            query = query.filter(activities::indexed_at.lt(until));
        }
        in_order!(query, begin, activities.indexed_at and id as ActivityId).limit(limit).load(c)
    })?;
    Ok(rows)
}
