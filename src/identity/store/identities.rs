use diesel::dsl;
use diesel::prelude::*;

use super::super::{Identity, IdentityFilter, KeyPurpose, Kind, Recipient};
use crate::db::schema::{chains, identities, identity_keys, identity_wallets};
use crate::db::{Bulk, Cursor, Lookup, Page, Tx, address_key, in_parts};
use crate::error::Error;
use crate::on;
use crate::types::{Address, CountryCode, Hash32, IdentityId, Timestamp};

pub(super) type IdentityRow = (
    IdentityId,
    Address,
    String,
    bool,
    Option<i16>,
    Option<Timestamp>,
    Timestamp,
    Address,
);

pub(super) fn country_of(numeric: Option<i16>) -> Result<Option<CountryCode>, Error> {
    let code = |number: i16| {
        let number = u16::try_from(number).map_err(Error::internal)?;
        CountryCode::from_numeric(number).map_err(Error::internal)
    };
    numeric.map(code).transpose()
}

fn country_number(country: CountryCode) -> Result<i16, Error> {
    i16::try_from(country.numeric()).map_err(Error::internal)
}

fn identity(row: IdentityRow) -> Result<Identity, Error> {
    let (id, address, kind, registered, country, registered_at, created_at, account) = row;
    Ok(Identity {
        id,
        address,
        kind: Kind::read(&kind).ok_or_else(|| Error::internal(format!("identity kind {kind}")))?,
        account,
        registered,
        country: country_of(country)?,
        registered_at,
        created_at,
    })
}

/// The columns of an [`IdentityRow`], of identities joined with their wallets.
macro_rules! identity_columns {
    () => {
        (
            identities::id,
            identities::address,
            identities::kind,
            identities::registered,
            identities::country,
            identities::registered_at,
            identities::created_at,
            identity_wallets::wallet,
        )
    };
}

/// The identities that these wallets (or asset addresses) belong to; wallets without one are left out.
pub(in super::super) fn by_wallets(tx: &mut Tx<'_>, wallets: &[Address]) -> Result<Vec<Identity>, Error> {
    let query = identities::table
        .inner_join(identity_wallets::table.on(identity_wallets::identity_id.eq(identities::id)))
        .select(identity_columns!());
    let rows: Vec<IdentityRow> = match tx {
        Tx::Pg(c) => {
            Lookup::of_addresses(wallets, query.filter(identity_wallets::wallet.eq(address_key()))).load(*c)?
        }
        Tx::Sqlite(c) => in_parts(wallets, |some| {
            query.filter(identity_wallets::wallet.eq_any(some)).load(*c)
        })?,
    };
    rows.into_iter().map(identity).collect()
}

pub(in super::super) fn by_addresses(tx: &mut Tx<'_>, addresses: &[Address]) -> Result<Vec<Identity>, Error> {
    let query = identities::table
        .inner_join(identity_wallets::table.on(identity_wallets::identity_id.eq(identities::id)))
        .filter(identities::address.eq_any(addresses))
        .order((identities::id, identity_wallets::wallet))
        .select(identity_columns!());
    let mut rows: Vec<IdentityRow> = on!(tx, c => query.load(c))?;
    // One row per identity, also when it has several wallets.
    rows.dedup_by_key(|row| row.0);
    rows.into_iter().map(identity).collect()
}

/// What the rules need of the identities of these wallets, still without claims.
pub(in super::super) fn recipients(tx: &mut Tx<'_>, wallets: &[Address]) -> Result<Vec<Recipient>, Error> {
    let identities = by_wallets(tx, wallets)?;
    let recipients = identities.into_iter().map(|identity| Recipient {
        wallet: identity.account,
        identity: identity.id,
        identity_address: identity.address,
        registered: identity.registered,
        country: identity.country,
        claims: Vec::new(),
    });
    Ok(recipients.collect())
}

/// Locks the identities, in the order of their ids, until the commit: their claims change one transaction at a time.
pub(in super::super) fn lock_many(tx: &mut Tx<'_>, ids: &[IdentityId]) -> Result<(), Error> {
    let query = identities::table
        .filter(identities::id.eq_any(ids))
        .order(identities::id)
        .select(identities::id);
    let _locked: Vec<IdentityId> = match tx {
        Tx::Pg(c) => query.for_no_key_update().load(*c)?,
        // One writer at a time: the transaction is the lock.
        Tx::Sqlite(_) => Vec::new(),
    };
    Ok(())
}

/// The countries of these identities, which stay as they are until the commit.
pub(in super::super) fn countries_of(
    tx: &mut Tx<'_>,
    ids: &[IdentityId],
) -> Result<Vec<(IdentityId, Option<CountryCode>)>, Error> {
    let query = identities::table
        .filter(identities::id.eq_any(ids))
        .order(identities::id)
        .select((identities::id, identities::country));
    let rows: Vec<(IdentityId, Option<i16>)> = match tx {
        Tx::Pg(c) => query.for_share().load(*c)?,
        Tx::Sqlite(c) => query.load(*c)?,
    };
    rows.into_iter()
        .map(|(id, country)| Ok((id, country_of(country)?)))
        .collect()
}

/// Lists wallets whose registration changed, for settlement to tell the chain. Where no chain is, nobody would take them
/// off the list: then nothing is written.
pub(in super::super) fn note_changes(tx: &mut Tx<'_>, wallets: &[Address], now: Timestamp) -> Result<(), Error> {
    let chains: i64 = on!(tx, c => chains::table.count().get_result(c))?;
    if chains == 0 {
        return Ok(());
    }
    Bulk::into("registry_changes")
        .column("wallet", wallets.to_vec())
        .column("changed_at", vec![now; wallets.len()])
        .on_conflict("ON CONFLICT (wallet) DO UPDATE SET changed_at = excluded.changed_at")
        .execute(tx)?;
    Ok(())
}

/// Oldest first; the cursor is (time, id) of the last row of the page before.
pub(in super::super) fn list(
    tx: &mut Tx<'_>,
    filter: &IdentityFilter,
    page: &Page,
) -> Result<(Vec<Identity>, Option<String>), Error> {
    let after = page.cursor.as_deref().map(read_cursor).transpose()?;
    let country = filter.country.map(country_number).transpose()?;
    let rows: Vec<IdentityRow> = on!(tx, c => {
        let mut query = identities::table
            .inner_join(identity_wallets::table.on(identity_wallets::identity_id.eq(identities::id)))
            .select(identity_columns!())
            .into_boxed();
        if let Some(kind) = filter.kind {
            query = query.filter(identities::kind.eq(kind.as_str()));
        }
        if let Some(registered) = filter.registered {
            query = query.filter(identities::registered.eq(registered));
        }
        if let Some(country) = country {
            query = query.filter(identities::country.eq(country));
        }
        if let Some((at, id)) = after {
            query = query.filter(
                identities::created_at.gt(at).or(identities::created_at.eq(at).and(identities::id.gt(id))));
        }
        query
            .order((identities::created_at, identities::id))
            .limit(page.limit.saturating_add(1))
            .offset(page.offset)
            .load(c)
    })?;
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let more = rows.len() > limit;
    let found: Vec<Identity> = rows.into_iter().take(limit).map(identity).collect::<Result<_, _>>()?;
    let cursor = found.last().filter(|_| more);
    let cursor = cursor.map(|last| Cursor::new([last.created_at.to_micros_text(), last.id.to_string()]).to_string());
    Ok((found, cursor))
}

fn read_cursor(text: &str) -> Result<(Timestamp, IdentityId), Error> {
    let invalid = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let [at, id] = Cursor::parse::<2>(text).map_err(|_| invalid())?;
    let at = Timestamp::parse(&at).map_err(|_| invalid())?;
    Ok((at, IdentityId::parse(&id).map_err(|_| invalid())?))
}

/// How many identities match, whatever the page.
pub(in super::super) fn count(tx: &mut Tx<'_>, filter: &IdentityFilter) -> Result<i64, Error> {
    let country = filter.country.map(country_number).transpose()?;
    let number = on!(tx, c => {
        let mut query = identities::table.select(dsl::count_star()).into_boxed();
        if let Some(kind) = filter.kind {
            query = query.filter(identities::kind.eq(kind.as_str()));
        }
        if let Some(registered) = filter.registered {
            query = query.filter(identities::registered.eq(registered));
        }
        if let Some(country) = country {
            query = query.filter(identities::country.eq(country));
        }
        query.first(c)
    })?;
    Ok(number)
}

/// An identity to write, with its first keys.
pub(in super::super) struct NewIdentity {
    pub(in super::super) id: IdentityId,
    pub(in super::super) address: Address,
    pub(in super::super) kind: Kind,
    pub(in super::super) account: Address,
    pub(in super::super) keys: Vec<(Hash32, KeyPurpose)>,
}

/// Three statements whatever the number of identities.
pub(in super::super) fn insert_identities(tx: &mut Tx<'_>, new: &[NewIdentity], now: Timestamp) -> Result<(), Error> {
    let ids: Vec<_> = new.iter().map(|n| *n.id.as_uuid()).collect();
    Bulk::into("identities")
        .column("id", ids.clone())
        .column("address", new.iter().map(|n| n.address).collect::<Vec<_>>())
        .column("kind", new.iter().map(|n| n.kind.as_str()).collect::<Vec<_>>())
        .column("registered", vec![false; new.len()])
        .column("created_at", vec![now; new.len()])
        .execute(tx)?;
    Bulk::into("identity_wallets")
        .column("wallet", new.iter().map(|n| n.account).collect::<Vec<_>>())
        .column("identity_id", ids)
        .execute(tx)?;
    let keys: Vec<_> = new
        .iter()
        .flat_map(|n| n.keys.iter().map(|(key, purpose)| (*n.id.as_uuid(), *key, *purpose)))
        .collect();
    Bulk::into("identity_keys")
        .column("identity_id", keys.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
        .column("key_hash", keys.iter().map(|(_, key, _)| *key).collect::<Vec<_>>())
        .column("purpose", keys.iter().map(|(_, _, p)| p.number()).collect::<Vec<_>>())
        .execute(tx)?;
    Ok(())
}

/// Registers identities that exist, all with one statement: their rows are written again and meet themselves by address.
pub(in super::super) fn register_many(
    tx: &mut Tx<'_>,
    entries: &[(&Identity, CountryCode)],
    now: Timestamp,
) -> Result<(), Error> {
    let countries: Result<Vec<i16>, Error> = entries.iter().map(|(_, c)| country_number(*c)).collect();
    Bulk::into("identities")
        // A fresh id: a row that met itself by two constraints would be refused by one of them.
        .column(
            "id",
            entries
                .iter()
                .map(|_| *IdentityId::generate().as_uuid())
                .collect::<Vec<_>>(),
        )
        .column("address", entries.iter().map(|(i, _)| i.address).collect::<Vec<_>>())
        .column("kind", entries.iter().map(|(i, _)| i.kind.as_str()).collect::<Vec<_>>())
        .column("registered", vec![true; entries.len()])
        .column("country", countries?)
        .column("registered_at", vec![now; entries.len()])
        .column(
            "created_at",
            entries.iter().map(|(i, _)| i.created_at).collect::<Vec<_>>(),
        )
        .on_conflict(
            "ON CONFLICT (address) DO UPDATE SET registered = excluded.registered, country = excluded.country, \
             registered_at = COALESCE(identities.registered_at, excluded.registered_at)",
        )
        .execute(tx)?;
    Ok(())
}

/// False when the identity has the key for this purpose already.
pub(in super::super) fn insert_key(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    key: Hash32,
    purpose: KeyPurpose,
) -> Result<bool, Error> {
    let new = (
        identity_keys::identity_id.eq(identity),
        identity_keys::key_hash.eq(key),
        identity_keys::purpose.eq(purpose.number()),
    );
    let written = on!(tx, c => diesel::insert_into(identity_keys::table)
        .values(new)
        .on_conflict((identity_keys::identity_id, identity_keys::key_hash, identity_keys::purpose))
        .do_nothing()
        .execute(c))?;
    Ok(written > 0)
}

/// False when there is no such key.
pub(in super::super) fn remove_key(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    key: Hash32,
    purpose: KeyPurpose,
) -> Result<bool, Error> {
    let row = identity_keys::table.find((identity, key, purpose.number()));
    let removed = on!(tx, c => diesel::delete(row).execute(c))?;
    Ok(removed > 0)
}

/// The identity may use this key for one of the purposes.
pub(in super::super) fn has_key(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    key: Hash32,
    purposes: &[KeyPurpose],
) -> Result<bool, Error> {
    let numbers: Vec<i16> = purposes.iter().map(|purpose| purpose.number()).collect();
    let query = identity_keys::table
        .filter(identity_keys::identity_id.eq(identity))
        .filter(identity_keys::key_hash.eq(key))
        .filter(identity_keys::purpose.eq_any(numbers))
        .select(identity_keys::purpose);
    let found: Option<i16> = on!(tx, c => query.first(c).optional())?;
    Ok(found.is_some())
}
