use std::collections::{BTreeSet, HashSet};

use diesel::prelude::*;

use super::SanctionsList;
use crate::db::schema::{sanctioned_addresses, sanctions_lists};
use crate::db::{Bulk, Tx, in_parts};
use crate::error::Error;
use crate::on;
use crate::types::{Address, Hash32, SanctionsListId, Timestamp};

type Row = (SanctionsListId, String, Timestamp, Timestamp, Hash32, i64);

/// The list of the latest date; of two with one date the one that was imported later.
pub(super) fn newest(tx: &mut Tx<'_>) -> Result<Option<SanctionsList>, Error> {
    let query = sanctions_lists::table.order((
        sanctions_lists::as_of.desc(),
        sanctions_lists::imported_at.desc(),
        sanctions_lists::id.desc(),
    ));
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    let list = row.map(|(id, name, as_of, imported_at, sha256, entries)| SanctionsList {
        id,
        name,
        as_of,
        imported_at,
        sha256,
        entries,
    });
    Ok(list)
}

/// Those of the wallets that are on the list.
pub(super) fn hits(tx: &mut Tx<'_>, list: SanctionsListId, wallets: &[Address]) -> Result<HashSet<Address>, Error> {
    let of_list = sanctioned_addresses::table
        .filter(sanctioned_addresses::list_id.eq(list))
        .select(sanctioned_addresses::address);
    let found: Vec<Address> = in_parts(wallets, |wallets| {
        let query = of_list.filter(sanctioned_addresses::address.eq_any(wallets));
        on!(&mut *tx, c => query.load(c))
    })?;
    Ok(found.into_iter().collect())
}

pub(super) fn insert(tx: &mut Tx<'_>, list: &SanctionsList, addresses: &BTreeSet<Address>) -> Result<(), Error> {
    let row = (
        sanctions_lists::id.eq(list.id),
        sanctions_lists::name.eq(&list.name),
        sanctions_lists::as_of.eq(list.as_of),
        sanctions_lists::imported_at.eq(list.imported_at),
        sanctions_lists::sha256.eq(list.sha256),
        sanctions_lists::entries.eq(list.entries),
    );
    on!(tx, c => diesel::insert_into(sanctions_lists::table).values(row).execute(c))?;
    Bulk::into("sanctioned_addresses")
        .column("list_id", vec![*list.id.as_uuid(); addresses.len()])
        .column("address", addresses.iter().copied().collect::<Vec<_>>())
        .execute(tx)?;
    Ok(())
}
