mod lines;

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

pub(super) use lines::{lines_of, pending_lines_of, posted_lines_of};

use super::{Account, Phase, Posting, Sheet};
use crate::db::schema::{accounts, assets, holder_countries, identities, postings};
use crate::db::{Bulk, Cursor, Lookup, Page, Tx, address_key, id_key, in_parts};
use crate::error::Error;
use crate::on;
use crate::types::{Address, Amount, AssetId, CountryCode, IdentityId, Timestamp};

type AccountRow = (
    AssetId,
    Address,
    Option<IdentityId>,
    Amount,
    Amount,
    Amount,
    bool,
    Option<Timestamp>,
    Timestamp,
    Amount,
);

fn account_of(row: AccountRow) -> Account {
    let (_, wallet, identity, posted, pending, frozen_amount, frozen, acquired_at, updated_at, leaving) = row;
    Account {
        wallet,
        identity,
        posted,
        pending,
        frozen_amount,
        frozen,
        acquired_at,
        updated_at,
        leaving,
    }
}

/// Of these wallets, and every other one of these identities. Most wallets that hold are found by their identity; the
/// second query is for those that are new, or frozen before they held anything.
pub(super) fn accounts(
    tx: &mut Tx<'_>,
    asset: AssetId,
    wallets: &[Address],
    identities: &[IdentityId],
) -> Result<Vec<Account>, Error> {
    let of_asset = accounts::table.filter(accounts::asset_id.eq(asset));
    let identity_id = accounts::identity_id.assume_not_null();
    let ids = identities.iter().map(|identity| *identity.as_uuid());
    let rows: Vec<AccountRow> = match tx {
        Tx::Pg(c) => Lookup::of_ids(ids, of_asset.filter(identity_id.eq(id_key()))).load(*c)?,
        Tx::Sqlite(c) => in_parts(identities, |ids| of_asset.filter(identity_id.eq_any(ids)).load(*c))?,
    };
    let known: HashSet<Address> = rows.iter().map(|row| row.1).collect();
    let others: Vec<Address> = wallets
        .iter()
        .filter(|wallet| !known.contains(wallet))
        .copied()
        .collect();
    let more: Vec<AccountRow> = match tx {
        _ if others.is_empty() => Vec::new(),
        Tx::Pg(c) => Lookup::of_addresses(&others, of_asset.filter(accounts::account.eq(address_key()))).load(*c)?,
        Tx::Sqlite(c) => in_parts(&others, |some| of_asset.filter(accounts::account.eq_any(some)).load(*c))?,
    };
    Ok(rows.into_iter().chain(more).map(account_of).collect())
}

pub(super) fn account(tx: &mut Tx<'_>, asset: AssetId, wallet: Address) -> Result<Option<Account>, Error> {
    let row: Option<AccountRow> = on!(tx, c => accounts::table.find((asset, wallet)).first(c).optional())?;
    Ok(row.map(account_of))
}

/// The last changed first; the cursor is (time of the change, account) of the last row of the page before.
pub(super) fn holders(tx: &mut Tx<'_>, asset: AssetId, page: &Page) -> Result<(Vec<Account>, Option<String>), Error> {
    let after = page.cursor.as_deref().map(read_cursor).transpose()?;
    let rows: Vec<AccountRow> = on!(tx, c => {
        let mut query = accounts::table
            .filter(accounts::asset_id.eq(asset))
            .filter(accounts::posted.gt(Amount::ZERO))
            .into_boxed();
        if let Some((at, account)) = after {
            let later = accounts::updated_at.eq(at).and(accounts::account.gt(account));
            query = query.filter(accounts::updated_at.lt(at).or(later));
        }
        query
            .order((accounts::updated_at.desc(), accounts::account))
            .limit(page.limit.saturating_add(1))
            .offset(page.offset)
            .load(c)
    })?;
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let more = rows.len() > limit;
    let found: Vec<Account> = rows.into_iter().take(limit).map(account_of).collect();
    let last = found.last().filter(|_| more);
    let cursor = last.map(|last| Cursor::new([last.updated_at.to_micros_text(), last.wallet.to_string()]).to_string());
    Ok((found, cursor))
}

fn read_cursor(text: &str) -> Result<(Timestamp, Address), Error> {
    let invalid = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let [at, account] = Cursor::parse::<2>(text).map_err(|_| invalid())?;
    let at = Timestamp::parse(&at).map_err(|_| invalid())?;
    Ok((at, Address::parse(&account).map_err(|_| invalid())?))
}

pub(super) fn holder_count(tx: &mut Tx<'_>, asset: AssetId) -> Result<i64, Error> {
    let query = accounts::table
        .filter(accounts::asset_id.eq(asset))
        .filter(accounts::posted.gt(Amount::ZERO))
        .count();
    Ok(on!(tx, c => query.get_result(c))?)
}

pub(super) fn save_accounts(tx: &mut Tx<'_>, asset: AssetId, rows: &[Account]) -> Result<(), Error> {
    Bulk::into("accounts")
        .column("asset_id", vec![*asset.as_uuid(); rows.len()])
        .column("account", rows.iter().map(|row| row.wallet).collect::<Vec<_>>())
        .column(
            "identity_id",
            rows.iter()
                .map(|row| row.identity.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column("posted", rows.iter().map(|row| row.posted).collect::<Vec<_>>())
        .column("pending", rows.iter().map(|row| row.pending).collect::<Vec<_>>())
        .column(
            "frozen_amount",
            rows.iter().map(|row| row.frozen_amount).collect::<Vec<_>>(),
        )
        .column("frozen", rows.iter().map(|row| row.frozen).collect::<Vec<_>>())
        .column(
            "acquired_at",
            rows.iter().map(|row| row.acquired_at).collect::<Vec<_>>(),
        )
        .column("updated_at", rows.iter().map(|row| row.updated_at).collect::<Vec<_>>())
        .column("leaving", rows.iter().map(|row| row.leaving).collect::<Vec<_>>())
        .on_conflict(
            "ON CONFLICT (asset_id, account) DO UPDATE SET identity_id = excluded.identity_id, \
             posted = excluded.posted, pending = excluded.pending, frozen_amount = excluded.frozen_amount, \
             frozen = excluded.frozen, acquired_at = excluded.acquired_at, updated_at = excluded.updated_at, leaving = excluded.leaving",
        )
        .execute(tx)?;
    Ok(())
}

pub(super) fn insert_postings(tx: &mut Tx<'_>, asset: AssetId, rows: &[Posting]) -> Result<(), Error> {
    Bulk::into("postings")
        .column("asset_id", vec![*asset.as_uuid(); rows.len()])
        .column("operation", rows.iter().map(|row| row.operation).collect::<Vec<_>>())
        .column("line", rows.iter().map(|row| row.line).collect::<Vec<_>>())
        .column("kind", rows.iter().map(|row| row.kind).collect::<Vec<_>>())
        .column("account", rows.iter().map(|row| row.account).collect::<Vec<_>>())
        .column("side", rows.iter().map(|row| row.side.text()).collect::<Vec<_>>())
        .column("amount", rows.iter().map(|row| row.amount).collect::<Vec<_>>())
        .column("state", rows.iter().map(|row| row.phase.text()).collect::<Vec<_>>())
        .execute(tx)?;
    Ok(())
}

/// Gives the pending postings of operations their final state; what has one keeps it.
pub(super) fn end_pending(tx: &mut Tx<'_>, asset: AssetId, operations: &[i64], phase: Phase) -> Result<(), Error> {
    let rows = postings::table
        .filter(postings::asset_id.eq(asset))
        .filter(postings::operation.eq_any(operations))
        .filter(postings::state.eq(Phase::Pending.text()));
    on!(tx, c => diesel::update(rows).set(postings::state.eq(phase.text())).execute(c))?;
    Ok(())
}

pub(super) fn save_totals(tx: &mut Tx<'_>, sheet: &Sheet) -> Result<(), Error> {
    let totals = sheet.totals();
    let change = (
        assets::supply.eq(totals.supply),
        assets::pending.eq(totals.pending),
        assets::holders.eq(totals.holders),
        assets::balances.eq(totals.balances),
        assets::next_operation.eq(totals.next_operation),
    );
    on!(tx, c => diesel::update(assets::table.find(sheet.asset())).set(change).execute(c))?;
    Ok(())
}

pub(super) fn country_counts(tx: &mut Tx<'_>, asset: AssetId) -> Result<HashMap<CountryCode, u64>, Error> {
    let query = holder_countries::table
        .filter(holder_countries::asset_id.eq(asset))
        .select((holder_countries::country, holder_countries::holders));
    let rows: Vec<(i16, i64)> = on!(tx, c => query.load(c))?;
    let counts = rows.into_iter().filter_map(|(country, holders)| {
        let country = CountryCode::from_numeric(u16::try_from(country).ok()?).ok()?;
        Some((country, u64::try_from(holders).ok()?))
    });
    Ok(counts.collect())
}

/// Adds changes to the counters; the database adds, so nothing has to be read first.
pub(super) fn add_country_counts(tx: &mut Tx<'_>, asset: AssetId, counts: &[(CountryCode, i64)]) -> Result<(), Error> {
    let numeric = |country: &CountryCode| i16::try_from(country.numeric()).unwrap_or(i16::MAX);
    Bulk::into("holder_countries")
        .column("asset_id", vec![*asset.as_uuid(); counts.len()])
        .column(
            "country",
            counts.iter().map(|(country, _)| numeric(country)).collect::<Vec<_>>(),
        )
        .column(
            "holders",
            counts.iter().map(|(_, holders)| *holders).collect::<Vec<_>>(),
        )
        .on_conflict(
            "ON CONFLICT (asset_id, country) DO UPDATE SET holders = holder_countries.holders + excluded.holders",
        )
        .execute(tx)?;
    Ok(())
}

/// The assets on which these identities hold something; their rows stay locked until the commit, taken in the order of
/// the ids.
pub(super) fn assets_held_by(tx: &mut Tx<'_>, identities: &[IdentityId]) -> Result<Vec<AssetId>, Error> {
    let held = accounts::table
        .filter(accounts::identity_id.eq_any(identities))
        .filter(accounts::posted.gt(Amount::ZERO).or(accounts::pending.gt(Amount::ZERO)))
        .select(accounts::asset_id);
    let query = assets::table
        .filter(assets::id.eq_any(held))
        .select(assets::id)
        .order(assets::id);
    let ids = match tx {
        Tx::Pg(c) => query.for_update().load(*c)?,
        Tx::Sqlite(c) => query.load(*c)?,
    };
    Ok(ids)
}

/// One asset's row as the ledger's invariants need it.
pub(super) type AssetRow = (AssetId, String, Amount, Amount, i64, i64, Option<Amount>, i64);

pub(super) fn all_assets(tx: &mut Tx<'_>) -> Result<Vec<AssetRow>, Error> {
    let query = assets::table
        .select((
            assets::id,
            assets::symbol,
            assets::supply,
            assets::pending,
            assets::holders,
            assets::balances,
            assets::cap,
            assets::next_operation,
        ))
        .order(assets::created_at);
    Ok(on!(tx, c => query.load(c))?)
}

pub(super) fn all_accounts(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<Account>, Error> {
    let query = accounts::table.filter(accounts::asset_id.eq(asset));
    let rows: Vec<AccountRow> = on!(tx, c => query.load(c))?;
    Ok(rows.into_iter().map(account_of).collect())
}

/// (operation, kind, account, side, amount, state) in the order of their numbers, after a given one.
pub(super) type PostingRow = (i64, String, Address, String, Amount, String);

pub(super) fn postings_of_operations(
    tx: &mut Tx<'_>,
    asset: AssetId,
    from: i64,
    to: i64,
) -> Result<Vec<PostingRow>, Error> {
    let query = postings::table
        .filter(postings::asset_id.eq(asset))
        .filter(postings::operation.ge(from))
        .filter(postings::operation.lt(to))
        .order((postings::operation, postings::line))
        .select((
            postings::operation,
            postings::kind,
            postings::account,
            postings::side,
            postings::amount,
            postings::state,
        ));
    Ok(on!(tx, c => query.load(c))?)
}

/// How many postings belong to no operation: their number is below the first or was not given out yet.
pub(super) fn stray_postings(tx: &mut Tx<'_>, asset: AssetId, next_operation: i64) -> Result<i64, Error> {
    let query = postings::table
        .filter(postings::asset_id.eq(asset))
        .filter(postings::operation.lt(1).or(postings::operation.ge(next_operation)))
        .count();
    Ok(on!(tx, c => query.get_result(c))?)
}

/// The counters as they are stored, by the country's number.
pub(super) fn country_counters(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<(i16, i64)>, Error> {
    let query = holder_countries::table
        .filter(holder_countries::asset_id.eq(asset))
        .select((holder_countries::country, holder_countries::holders));
    Ok(on!(tx, c => query.load(c))?)
}

/// How many identities of each country have something, posted or pending, on one of their accounts.
pub(super) fn holders_recounted(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<(i16, i64)>, Error> {
    let of_account = accounts::identity_id.assume_not_null();
    let query = accounts::table
        .inner_join(identities::table.on(identities::id.eq(of_account)))
        .filter(accounts::asset_id.eq(asset))
        .filter(accounts::posted.gt(Amount::ZERO).or(accounts::pending.gt(Amount::ZERO)))
        .filter(identities::country.is_not_null())
        .group_by(identities::country)
        .select((
            identities::country.assume_not_null(),
            diesel::dsl::count(identities::id).aggregate_distinct(),
        ));
    Ok(on!(tx, c => query.load(c))?)
}
