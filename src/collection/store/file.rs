use diesel::prelude::*;

use super::stored;
use crate::collection::file::{LineRefusal, MintFile};
use crate::db::schema::{mint_file_parts, mint_file_refusals, mint_files};
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{AssetId, EnvironmentId, MintFileId, RequestId, Timestamp, UserId};

/// Rows that one run takes away, and files that it looks at: it keeps nobody waiting for long.
const ROWS_PRUNED_MAX: usize = 10_000;
const FILES_PRUNED_MAX: i64 = 1_000;

/// The columns in the order of the table.
#[derive(Queryable)]
struct Row {
    asset_id: AssetId,
    id: MintFileId,
    environment_id: EnvironmentId,
    requested_by: UserId,
    request_id: String,
    lines: i32,
    accepted: i32,
    refused: i32,
    parts: i32,
    part: i32,
    not_before: Timestamp,
    created_at: Timestamp,
    updated_at: Timestamp,
    cancelled: i32,
    waiting_for: Option<String>,
}

impl TryFrom<Row> for MintFile {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            collection: row.asset_id,
            environment: row.environment_id,
            requested_by: row.requested_by,
            request_id: stored(RequestId::parse(&row.request_id))?,
            lines: row.lines,
            accepted: row.accepted,
            refused: row.refused,
            cancelled: row.cancelled,
            parts: row.parts,
            part: row.part,
            not_before: row.not_before,
            waiting_for: row.waiting_for,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub(in crate::collection) fn insert_file(tx: &mut Tx<'_>, file: &MintFile) -> Result<(), Error> {
    let row = (
        mint_files::asset_id.eq(file.collection),
        mint_files::id.eq(file.id),
        mint_files::environment_id.eq(file.environment),
        mint_files::requested_by.eq(file.requested_by),
        mint_files::request_id.eq(file.request_id.as_str()),
        mint_files::lines.eq(file.lines),
        mint_files::accepted.eq(file.accepted),
        mint_files::refused.eq(file.refused),
        mint_files::parts.eq(file.parts),
        mint_files::part.eq(file.part),
        mint_files::not_before.eq(file.not_before),
        mint_files::created_at.eq(file.created_at),
        mint_files::updated_at.eq(file.updated_at),
        mint_files::cancelled.eq(file.cancelled),
        mint_files::waiting_for.eq(&file.waiting_for),
    );
    on!(tx, c => diesel::insert_into(mint_files::table).values(row).execute(c))?;
    Ok(())
}

/// Some of its parts, from this one on.
pub(in crate::collection) fn insert_parts(
    tx: &mut Tx<'_>,
    file: &MintFile,
    first: i32,
    parts: Vec<String>,
) -> Result<(), Error> {
    let count = parts.len();
    Bulk::into("mint_file_parts")
        .column("asset_id", vec![*file.collection.as_uuid(); count])
        .column("file_id", vec![*file.id.as_uuid(); count])
        .column("part", (first..).take(count).collect::<Vec<_>>())
        .column("wishes", parts)
        .execute(tx)?;
    Ok(())
}

pub(in crate::collection) fn insert_refusals(
    tx: &mut Tx<'_>,
    file: &MintFile,
    refusals: &[LineRefusal],
) -> Result<(), Error> {
    let count = refusals.len();
    Bulk::into("mint_file_refusals")
        .column("asset_id", vec![*file.collection.as_uuid(); count])
        .column("file_id", vec![*file.id.as_uuid(); count])
        .column("line", refusals.iter().map(|one| one.line).collect::<Vec<_>>())
        .column(
            "reference_id",
            refusals.iter().map(|one| one.reference.clone()).collect::<Vec<_>>(),
        )
        .column(
            "reason",
            refusals.iter().map(|one| one.reason.clone()).collect::<Vec<_>>(),
        )
        .execute(tx)?;
    Ok(())
}

pub(in crate::collection) fn file(
    tx: &mut Tx<'_>,
    collection: AssetId,
    id: MintFileId,
) -> Result<Option<MintFile>, Error> {
    let row: Option<Row> = on!(tx, c => mint_files::table.find((collection, id)).first(c).optional())?;
    row.map(MintFile::try_from).transpose()
}

/// As [`file`], locked until the commit: nobody works a part of it off meanwhile.
pub(in crate::collection) fn lock_file(
    tx: &mut Tx<'_>,
    collection: AssetId,
    id: MintFileId,
) -> Result<Option<MintFile>, Error> {
    let query = mint_files::table.find((collection, id));
    let row: Option<Row> = match tx {
        Tx::Pg(c) => query.for_update().first(*c).optional()?,
        Tx::Sqlite(c) => query.first(*c).optional()?,
    };
    row.map(MintFile::try_from).transpose()
}

/// How many files of an environment are not worked off.
pub(in crate::collection) fn open_files(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<i64, Error> {
    let query = mint_files::table
        .filter(mint_files::part.lt(mint_files::parts))
        .filter(mint_files::environment_id.eq(environment))
        .count();
    Ok(on!(tx, c => query.get_result(c))?)
}

/// Files that have something to do now; those that wait longest first.
pub(in crate::collection) fn due_files(
    tx: &mut Tx<'_>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(AssetId, MintFileId)>, Error> {
    let query = mint_files::table
        .filter(mint_files::part.lt(mint_files::parts))
        .filter(mint_files::not_before.le(now))
        .order(mint_files::not_before)
        .limit(limit)
        .select((mint_files::asset_id, mint_files::id));
    Ok(on!(tx, c => query.load(c))?)
}

/// A file that still has something to do, locked until the commit; none while another process is at it.
pub(in crate::collection) fn lock_due_file(
    tx: &mut Tx<'_>,
    file: (AssetId, MintFileId),
    now: Timestamp,
) -> Result<Option<MintFile>, Error> {
    let query = mint_files::table
        .find(file)
        .filter(mint_files::part.lt(mint_files::parts))
        .filter(mint_files::not_before.le(now));
    let row: Option<Row> = match tx {
        Tx::Pg(c) => query.for_update().skip_locked().first(*c).optional()?,
        Tx::Sqlite(c) => query.first(*c).optional()?,
    };
    row.map(MintFile::try_from).transpose()
}

pub(in crate::collection) fn save_file(tx: &mut Tx<'_>, file: &MintFile) -> Result<(), Error> {
    let change = (
        mint_files::accepted.eq(file.accepted),
        mint_files::refused.eq(file.refused),
        mint_files::part.eq(file.part),
        mint_files::not_before.eq(file.not_before),
        mint_files::updated_at.eq(file.updated_at),
        mint_files::cancelled.eq(file.cancelled),
        mint_files::waiting_for.eq(&file.waiting_for),
    );
    let row = mint_files::table.find((file.collection, file.id));
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    Ok(())
}

/// The wishes of the next part.
pub(in crate::collection) fn part(tx: &mut Tx<'_>, file: &MintFile) -> Result<String, Error> {
    let query = mint_file_parts::table
        .find((file.collection, file.id, file.part))
        .select(mint_file_parts::wishes);
    Ok(on!(tx, c => query.first(c))?)
}

/// What was worked off is not kept twice.
pub(in crate::collection) fn drop_part(tx: &mut Tx<'_>, file: &MintFile) -> Result<(), Error> {
    let row = mint_file_parts::table.find((file.collection, file.id, file.part));
    on!(tx, c => diesel::delete(row).execute(c))?;
    Ok(())
}

/// Those that are left of a file that was taken back.
pub(in crate::collection) fn drop_parts(tx: &mut Tx<'_>, collection: AssetId, id: MintFileId) -> Result<(), Error> {
    let rows = mint_file_parts::table
        .filter(mint_file_parts::asset_id.eq(collection))
        .filter(mint_file_parts::file_id.eq(id));
    on!(tx, c => diesel::delete(rows).execute(c))?;
    Ok(())
}

pub(in crate::collection) fn refusals(
    tx: &mut Tx<'_>,
    file: &MintFile,
    after: i32,
    limit: i64,
) -> Result<Vec<LineRefusal>, Error> {
    let query = mint_file_refusals::table
        .filter(mint_file_refusals::asset_id.eq(file.collection))
        .filter(mint_file_refusals::file_id.eq(file.id))
        .filter(mint_file_refusals::line.gt(after))
        .order(mint_file_refusals::line)
        .limit(limit)
        .select((
            mint_file_refusals::line,
            mint_file_refusals::reference_id,
            mint_file_refusals::reason,
        ));
    let rows: Vec<(i32, Option<String>, String)> = on!(tx, c => query.load(c))?;
    let refusals = rows.into_iter().map(|(line, reference, reason)| LineRefusal {
        line,
        reference,
        reason,
    });
    Ok(refusals.collect())
}

/// Takes away the files of an environment that ended first, so that with the next one there are at most so many: at most
/// [`ROWS_PRUNED_MAX`] rows, the rest with the file after it.
pub(in crate::collection) fn forget_files(tx: &mut Tx<'_>, environment: EnvironmentId, max: i64) -> Result<(), Error> {
    let query = mint_files::table
        .filter(mint_files::part.ge(mint_files::parts))
        .filter(mint_files::environment_id.eq(environment))
        .order(mint_files::updated_at.desc())
        .limit(FILES_PRUNED_MAX)
        .offset(max.saturating_sub(1))
        .select((mint_files::asset_id, mint_files::id, mint_files::refused));
    let mut ended: Vec<Ended> = on!(tx, c => query.load(c))?;
    ended.reverse();
    forget(tx, ended)?;
    Ok(())
}

/// Takes away files that ended before then: at most [`ROWS_PRUNED_MAX`] rows, the rest with the next run. Returns how many.
pub(in crate::collection) fn prune_files(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    let query = mint_files::table
        .filter(mint_files::part.ge(mint_files::parts))
        .filter(mint_files::updated_at.lt(before))
        .order(mint_files::updated_at)
        .limit(FILES_PRUNED_MAX)
        .select((mint_files::asset_id, mint_files::id, mint_files::refused));
    let ended: Vec<Ended> = on!(tx, c => query.load(c))?;
    forget(tx, ended)
}

/// A file that has ended, and how many of its lines were refused.
type Ended = (AssetId, MintFileId, i32);

/// The first of these that have together as many rows as one run may take. No part of them is left: the last one went with
/// their end.
fn forget(tx: &mut Tx<'_>, ended: Vec<Ended>) -> Result<usize, Error> {
    let (mut assets, mut ids, mut rows) = (Vec::new(), Vec::new(), 0_usize);
    for (asset, id, refused) in ended {
        let refused = usize::try_from(refused).map_err(Error::internal)?;
        rows = rows
            .saturating_add(1)
            .saturating_add(refused.min(MintFile::REFUSALS_MAX));
        if rows > ROWS_PRUNED_MAX {
            break;
        }
        assets.push(asset);
        ids.push(id);
    }
    let refusals = mint_file_refusals::table
        .filter(mint_file_refusals::asset_id.eq_any(&assets))
        .filter(mint_file_refusals::file_id.eq_any(&ids));
    let refusals = on!(tx, c => diesel::delete(refusals).execute(c))?;
    let files = mint_files::table
        .filter(mint_files::asset_id.eq_any(&assets))
        .filter(mint_files::id.eq_any(&ids));
    let files = on!(tx, c => diesel::delete(files).execute(c))?;
    Ok(refusals.saturating_add(files))
}
