//! Who holds which role where.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use uuid::Uuid;

use crate::access::{By, Grant, Held, Role, Scope};
use crate::db::schema::role_grants;
use crate::db::{Bulk, Cursor, Page, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{Address, AssetId};

/// What the column `scope` holds for the system.
const SYSTEM: AssetId = AssetId::from_uuid(Uuid::nil());

fn scope_id(scope: Scope) -> AssetId {
    match scope {
        Scope::System => SYSTEM,
        Scope::Asset(asset) => asset,
    }
}

fn role(text: &str) -> Result<Role, Error> {
    Role::parse(text).map_err(|error| Error::internal(format!("role {text}: {error}")))
}

/// What one wallet holds in the system and, for an asset's scope, on the asset: one query.
pub(in crate::access) fn held(tx: &mut Tx<'_>, scope: Scope, wallet: &Address) -> Result<Held, Error> {
    let scopes = [SYSTEM, scope_id(scope)];
    let query = role_grants::table
        .filter(role_grants::account.eq(wallet))
        .filter(role_grants::scope.eq_any(scopes))
        .select((role_grants::scope, role_grants::role));
    let rows: Vec<(AssetId, String)> = on!(tx, c => query.load(c))?;
    let mut held = Held::default();
    for (scope, text) in rows {
        let side = if scope == SYSTEM {
            &mut held.system
        } else {
            &mut held.asset
        };
        side.insert(role(&text)?);
    }
    Ok(held)
}

/// The roles of these wallets in one scope; a wallet without a role is absent.
pub(in crate::access) fn roles_of(
    tx: &mut Tx<'_>,
    scope: Scope,
    wallets: &[Address],
) -> Result<HashMap<Address, BTreeSet<Role>>, Error> {
    let query = role_grants::table
        .filter(role_grants::scope.eq(scope_id(scope)))
        .filter(role_grants::account.eq_any(wallets))
        .select((role_grants::account, role_grants::role));
    let rows: Vec<(Address, String)> = on!(tx, c => query.load(c))?;
    let mut roles: HashMap<Address, BTreeSet<Role>> = HashMap::new();
    for (account, text) in rows {
        roles.entry(account).or_default().insert(role(&text)?);
    }
    Ok(roles)
}

pub(in crate::access) fn grants_in(tx: &mut Tx<'_>, scope: Scope) -> Result<Vec<(Role, Address)>, Error> {
    let query = role_grants::table
        .filter(role_grants::scope.eq(scope_id(scope)))
        .order((role_grants::role, role_grants::account))
        .select((role_grants::role, role_grants::account));
    let rows: Vec<(String, Address)> = on!(tx, c => query.load(c))?;
    rows.into_iter()
        .map(|(text, account)| Ok((role(&text)?, account)))
        .collect()
}

/// In any scope.
pub(in crate::access) fn holds_any_role(tx: &mut Tx<'_>, wallet: &Address) -> Result<bool, Error> {
    let grants = role_grants::table.filter(role_grants::account.eq(wallet));
    Ok(on!(tx, c => diesel::select(diesel::dsl::exists(grants)).get_result(c))?)
}

/// Wallets that hold any role in a scope; the cursor is the last wallet of the page before.
pub(in crate::access) fn holders_page(
    tx: &mut Tx<'_>,
    scope: Scope,
    page: &Page,
) -> Result<(Vec<Address>, Option<String>), Error> {
    let after = page.cursor.as_deref().map(read_wallet_cursor).transpose()?;
    let mut wallets: Vec<Address> = on!(tx, c => {
        let mut query = role_grants::table
            .filter(role_grants::scope.eq(scope_id(scope)))
            .select(role_grants::account)
            .distinct()
            .into_boxed();
        if let Some(after) = after {
            query = query.filter(role_grants::account.gt(after));
        }
        query.order(role_grants::account).limit(page.limit.saturating_add(1)).offset(page.offset).load(c)
    })?;
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let more = wallets.len() > limit;
    wallets.truncate(limit);
    let last = wallets.last().filter(|_| more);
    let cursor = last.map(|wallet| Cursor::new([wallet.to_string()]).to_string());
    Ok((wallets, cursor))
}

fn read_wallet_cursor(text: &str) -> Result<Address, Error> {
    let invalid = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let [wallet] = Cursor::parse::<1>(text).map_err(|_| invalid())?;
    Address::parse(&wallet).map_err(|_| invalid())
}

/// Wallets that hold a role in a scope; their rows stay locked until the commit.
/// Nobody grants or revokes anything until the commit; SQLite has one writer anyway.
pub(in crate::access) fn lock_all_grants(tx: &mut Tx<'_>) -> Result<(), Error> {
    if let Tx::Pg(c) = tx {
        diesel::sql_query("LOCK TABLE role_grants IN SHARE ROW EXCLUSIVE MODE").execute(*c)?;
    }
    Ok(())
}

pub(in crate::access) fn lock_holders(tx: &mut Tx<'_>, scope: Scope, role: Role) -> Result<Vec<Address>, Error> {
    let query = role_grants::table
        .filter(role_grants::scope.eq(scope_id(scope)))
        .filter(role_grants::role.eq(role.as_str()))
        .order(role_grants::account)
        .select(role_grants::account);
    Ok(match tx {
        Tx::Pg(c) => query.for_update().load(*c)?,
        Tx::Sqlite(c) => query.load(*c)?,
    })
}

pub(in crate::access) fn insert_grants(tx: &mut Tx<'_>, by: &By, scope: Scope, grants: &[Grant]) -> Result<(), Error> {
    let rows = grants.len();
    Bulk::into("role_grants")
        .column("scope", vec![*scope_id(scope).as_uuid(); rows])
        .column("account", grants.iter().map(|(wallet, _)| *wallet).collect::<Vec<_>>())
        .column("role", grants.iter().map(|(_, role)| role.as_str()).collect::<Vec<_>>())
        .column("granted_by", vec![by.user.map(|user| *user.as_uuid()); rows])
        .column("granted_at", vec![by.now; rows])
        .execute(tx)?;
    Ok(())
}

/// The grants that were there and are gone now.
pub(in crate::access) fn delete_grants(tx: &mut Tx<'_>, scope: Scope, grants: &[Grant]) -> Result<Vec<Grant>, Error> {
    let roles: BTreeSet<Role> = grants.iter().map(|(_, role)| *role).collect();
    let mut deleted = Vec::new();
    for role in roles {
        let wallets = grants.iter().filter(|(_, of)| *of == role).map(|(wallet, _)| *wallet);
        let rows = role_grants::table
            .filter(role_grants::scope.eq(scope_id(scope)))
            .filter(role_grants::role.eq(role.as_str()))
            .filter(role_grants::account.eq_any(wallets.collect::<Vec<_>>()));
        let gone: Vec<Address> = on!(tx, c => diesel::delete(rows).returning(role_grants::account).get_results(c))?;
        deleted.extend(gone.into_iter().map(|wallet| (wallet, role)));
    }
    Ok(deleted)
}
