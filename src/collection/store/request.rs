use std::collections::HashSet;

use diesel::prelude::*;

use super::{known, stored};
use crate::collection::page::{Begin, List, Slice, Window};
use crate::collection::{MintKind, MintRequest, RequestFilter, RequestStatus};
use crate::db::schema::mint_requests;
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{
    ActivityId, Address, Amount, AssetId, EnvironmentId, Hash32, MetadataId, MintRequestId, ReferenceId, Timestamp,
    TokenId, UserId,
};

/// The columns in the order of the table.
#[derive(Queryable)]
struct Row {
    asset_id: AssetId,
    id: MintRequestId,
    reference_id: String,
    sequence: Option<i64>,
    environment_id: Option<EnvironmentId>,
    requested_by: UserId,
    kind: String,
    owner: Address,
    token_id: Option<TokenId>,
    amount: Amount,
    metadata_id: Option<MetadataId>,
    status: String,
    error: Option<String>,
    _superseded: bool,
    transaction_hash: Option<Hash32>,
    activity_id: Option<ActivityId>,
    gas: Option<i64>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for MintRequest {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            collection: row.asset_id,
            reference: stored(ReferenceId::parse(&row.reference_id))?,
            sequence: row.sequence,
            environment: row.environment_id,
            requested_by: row.requested_by,
            kind: stored(MintKind::parse(&row.kind))?,
            owner: row.owner,
            token_id: row.token_id,
            amount: row.amount,
            metadata: row.metadata_id,
            status: known(RequestStatus::parse(&row.status), &row.status)?,
            error: row.error,
            transaction: row.transaction_hash,
            activity: row.activity_id,
            gas: row.gas,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn requests(rows: Vec<Row>) -> Result<Vec<MintRequest>, Error> {
    rows.into_iter().map(MintRequest::try_from).collect()
}

pub(in crate::collection) fn insert_requests(tx: &mut Tx<'_>, rows: &[MintRequest]) -> Result<(), Error> {
    bulk(rows).execute(tx)?;
    Ok(())
}

/// What became of requests that are there: one statement.
pub(in crate::collection) fn save_requests(tx: &mut Tx<'_>, rows: &[MintRequest]) -> Result<(), Error> {
    bulk(rows)
        .on_conflict(
            "ON CONFLICT (asset_id, id) DO UPDATE SET token_id = excluded.token_id, status = excluded.status, \
             error = excluded.error, transaction_hash = excluded.transaction_hash, activity_id = excluded.activity_id, \
             gas = excluded.gas, updated_at = excluded.updated_at",
        )
        .execute(tx)?;
    Ok(())
}

fn bulk(rows: &[MintRequest]) -> Bulk {
    let ids = |of: fn(&MintRequest) -> uuid::Uuid| rows.iter().map(of).collect::<Vec<_>>();
    Bulk::into("mint_requests")
        .column("asset_id", ids(|row| *row.collection.as_uuid()))
        .column("id", ids(|row| *row.id.as_uuid()))
        .column(
            "reference_id",
            rows.iter()
                .map(|row| row.reference.as_str().to_owned())
                .collect::<Vec<_>>(),
        )
        .column("sequence", rows.iter().map(|row| row.sequence).collect::<Vec<_>>())
        .column(
            "environment_id",
            rows.iter()
                .map(|row| row.environment.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column("requested_by", ids(|row| *row.requested_by.as_uuid()))
        .column("kind", rows.iter().map(|row| row.kind.text()).collect::<Vec<_>>())
        .column("owner", rows.iter().map(|row| row.owner).collect::<Vec<_>>())
        .column(
            "token_id",
            rows.iter()
                .map(|row| row.token_id.map(TokenId::amount))
                .collect::<Vec<_>>(),
        )
        .column("amount", rows.iter().map(|row| row.amount).collect::<Vec<_>>())
        .column(
            "metadata_id",
            rows.iter()
                .map(|row| row.metadata.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column("status", rows.iter().map(|row| row.status.text()).collect::<Vec<_>>())
        .column("error", rows.iter().map(|row| row.error.clone()).collect::<Vec<_>>())
        .column("superseded", vec![false; rows.len()])
        .column(
            "transaction_hash",
            rows.iter().map(|row| row.transaction).collect::<Vec<_>>(),
        )
        .column(
            "activity_id",
            rows.iter()
                .map(|row| row.activity.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column("gas", rows.iter().map(|row| row.gas).collect::<Vec<_>>())
        .column("created_at", rows.iter().map(|row| row.created_at).collect::<Vec<_>>())
        .column("updated_at", rows.iter().map(|row| row.updated_at).collect::<Vec<_>>())
}

/// References among these that a request has which did not fail.
pub(in crate::collection) fn live_references(
    tx: &mut Tx<'_>,
    asset: AssetId,
    references: &[&str],
) -> Result<HashSet<String>, Error> {
    let query = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(mint_requests::reference_id.eq_any(references))
        .filter(mint_requests::status.ne(RequestStatus::Failed.text()))
        .select(mint_requests::reference_id);
    let found: Vec<String> = on!(tx, c => query.load(c))?;
    Ok(found.into_iter().collect())
}

/// Ids among these that a request is about which did not fail.
pub(in crate::collection) fn live_token_ids(
    tx: &mut Tx<'_>,
    asset: AssetId,
    token_ids: &[TokenId],
) -> Result<HashSet<TokenId>, Error> {
    let token_id = mint_requests::token_id.assume_not_null();
    let query = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(token_id.eq_any(token_ids))
        .filter(mint_requests::status.ne(RequestStatus::Failed.text()))
        // Of an ERC-1155 there are as many requests for one id as anybody likes.
        .select(token_id)
        .distinct();
    let found: Vec<TokenId> = on!(tx, c => query.load(c))?;
    Ok(found.into_iter().collect())
}

/// What ids among these are to show by requests that did not fail; what was asked for first comes first.
pub(in crate::collection) fn requested_metadata(
    tx: &mut Tx<'_>,
    asset: AssetId,
    token_ids: &[TokenId],
) -> Result<Vec<(TokenId, MetadataId)>, Error> {
    let token_id = mint_requests::token_id.assume_not_null();
    let metadata_id = mint_requests::metadata_id.assume_not_null();
    let query = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(token_id.eq_any(token_ids))
        .filter(mint_requests::status.ne(RequestStatus::Failed.text()))
        .filter(mint_requests::metadata_id.is_not_null())
        // Many requests for one id say the same of it.
        .group_by((mint_requests::token_id, mint_requests::metadata_id))
        .order(diesel::dsl::min(mint_requests::sequence))
        .select((token_id, metadata_id));
    Ok(on!(tx, c => query.load(c))?)
}

/// Stacks among these that tokens are about to show which are not minted yet.
pub(in crate::collection) fn awaited(
    tx: &mut Tx<'_>,
    asset: AssetId,
    stacks: &[MetadataId],
) -> Result<HashSet<MetadataId>, Error> {
    let metadata_id = mint_requests::metadata_id.assume_not_null();
    let query = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(metadata_id.eq_any(stacks))
        .filter(mint_requests::status.eq(RequestStatus::Pending.text()))
        .select(metadata_id)
        .distinct();
    let found: Vec<MetadataId> = on!(tx, c => query.load(c))?;
    Ok(found.into_iter().collect())
}

/// The request under a reference that is on the list: those that it took the place of failed.
pub(in crate::collection) fn latest(
    tx: &mut Tx<'_>,
    asset: AssetId,
    reference: &ReferenceId,
) -> Result<Option<MintRequest>, Error> {
    let query = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(mint_requests::reference_id.eq(reference.as_str()))
        .filter(mint_requests::superseded.eq(false));
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(MintRequest::try_from).transpose()
}

/// The newest request under each of these references.
pub(in crate::collection) fn named(
    tx: &mut Tx<'_>,
    asset: AssetId,
    references: &[&str],
) -> Result<Vec<MintRequest>, Error> {
    let query = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(mint_requests::reference_id.eq_any(references))
        .filter(mint_requests::superseded.eq(false));
    requests(on!(tx, c => query.load(c))?)
}

/// Takes requests that failed off the list: their references are used again.
pub(in crate::collection) fn supersede(tx: &mut Tx<'_>, asset: AssetId, references: &[&str]) -> Result<(), Error> {
    let rows = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(mint_requests::reference_id.eq_any(references))
        .filter(mint_requests::superseded.eq(false));
    on!(tx, c => diesel::update(rows).set(mint_requests::superseded.eq(true)).execute(c))?;
    Ok(())
}

/// The requests of these operations, in the order of the operations.
pub(in crate::collection) fn of_operations(
    tx: &mut Tx<'_>,
    asset: AssetId,
    sequences: &[i64],
) -> Result<Vec<MintRequest>, Error> {
    let query = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(mint_requests::sequence.assume_not_null().eq_any(sequences))
        .order(mint_requests::sequence);
    requests(on!(tx, c => query.load(c))?)
}

/// Only what says which of them can be minted together.
pub(in crate::collection) fn kinds_of_operations(
    tx: &mut Tx<'_>,
    asset: AssetId,
    sequences: &[i64],
) -> Result<Vec<(i64, MintKind, Address)>, Error> {
    let query = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(mint_requests::sequence.assume_not_null().eq_any(sequences))
        .select((
            mint_requests::sequence.assume_not_null(),
            mint_requests::kind,
            mint_requests::owner,
        ));
    let rows: Vec<(i64, String, Address)> = on!(tx, c => query.load(c))?;
    rows.into_iter()
        .map(|(sequence, kind, owner)| Ok((sequence, stored(MintKind::parse(&kind))?, owner)))
        .collect()
}

pub(in crate::collection) fn page_of_requests(
    tx: &mut Tx<'_>,
    filter: &RequestFilter,
    window: &Window,
) -> Result<Slice<MintRequest>, Error> {
    let begin = Begin::of(List::Requests, window)?;
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = mint_requests::table
            .filter(mint_requests::superseded.eq(false))
            .into_boxed();
        if let Some(collection) = filter.collection {
            query = query.filter(mint_requests::asset_id.eq(collection));
        }
        if let Some(environment) = filter.environment {
            query = query.filter(mint_requests::environment_id.eq(environment));
        }
        if let Some(status) = filter.status {
            query = query.filter(mint_requests::status.eq(status.text()));
        }
        let query = in_order!(query, begin, mint_requests.id as MintRequestId);
        query.limit(window.limit.saturating_add(1)).load(c)
    })?;
    Ok(begin.slice(List::Requests, window, requests(rows)?, |one| *one.id.as_uuid()))
}
