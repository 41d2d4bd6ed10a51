//! Who may call, and what they may do: users, their API keys, roles, and the one table of rights.
//!
//! *User*: a person or program with one wallet. *API key*: acts with the full rights of its user; stored as a keyed hash,
//! shown once. *Role*: granted to a wallet, which may have no user yet, in the *scope* of the system or of one asset.
//! *Permission*: a right that a route needs; [`permission::roles`] is the one table that says which roles give it.
//!
//! Invariants: one user per wallet; a role is held only in a scope it exists in; once the system has an `admin` it always
//! has one; every change of a grant, a key or a user is an audit event in the transaction of the change. Deleting or
//! disabling a key, or revoking a role, acts on the next request: nothing is cached.
//!
//! Limits: names have 1 to 100 characters, keys live 1 to 365 days or for ever; last use is exact to a minute.
//! Source: `dalp.md` A1, A8, A14, A15 and sections 1.7, 4 and 9.

mod arrivals;
mod door;
pub mod environment;
mod gate;
mod key;
mod model;
mod permission;
pub mod plan;
pub mod quota;
mod rate;
mod refused;
mod role;
mod rules;
mod secrets;
mod store;
#[cfg(test)]
mod tests;
mod vault;

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

pub use arrivals::{Arrival, Arrivals};
pub use door::Door;
pub use gate::Gate;
pub use key::{ApiKey, KeyKind};
pub use model::{Authenticated, By, Grant, Holder, IssuedKey, KeyChange, NewKey, NewUser, StoredKey, User};
pub use permission::{Givers, Permission, roles};
pub use rate::RateLimit;
pub use refused::RefusedKeys;
pub use role::{Held, Role, RoleError, Scope};
pub use secrets::{differing_secrets, keep_secret_checks};
pub use vault::Vault;
pub(crate) use vault::{random_bytes, random_text};

use crate::audit::{self, Event, Stream};
use crate::ctx::Ctx;
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::types::{Address, AssetId, KeyId, Timestamp, UserId};

// --- users ----------------------------------------------------------------------------------------------------------

/// Errors: `Invalid` for a name out of bounds or the zero address, `AlreadyExists` when the wallet has a user. Asks for
/// no right: the caller of the route does.
pub fn create_user(tx: &mut Tx<'_>, by: impl Into<By>, new: NewUser) -> Result<User, Error> {
    let by = by.into();
    rules::user_name(&new.name)?;
    if new.wallet.is_zero() {
        return Err(Error::invalid("wallet", "must not be the zero address"));
    }
    let user = User {
        id: UserId::generate(),
        name: new.name,
        wallet: new.wallet,
        created_at: by.now,
    };
    store::insert_user(tx, &user)?;
    record(
        tx,
        &by,
        &user.wallet,
        "user.created",
        json!({ "user": user.id, "wallet": user.wallet }),
    )?;
    Ok(user)
}

/// Whether the caller may create the user of this wallet. Who creates it gets its first key, so a wallet that holds roles
/// already, anywhere, needs [`Permission::CreateUserWithRoles`].
pub fn require_user_creation(tx: &mut Tx<'_>, ctx: &Ctx, wallet: &Address) -> Result<(), Error> {
    require(tx, ctx, Permission::CreateUser, Scope::System)?;
    if store::holds_any_role(tx, wallet)? {
        require(tx, ctx, Permission::CreateUserWithRoles, Scope::System)?;
    }
    Ok(())
}

/// Makes the first admin: a user (or the one the wallet has) with the system role `admin`.
///
/// Errors: `Conflict` when the system has an admin; whoever is locked out then is helped by that admin.
pub fn bootstrap_admin(tx: &mut Tx<'_>, now: Timestamp, name: &str, wallet: Address) -> Result<User, Error> {
    // Where nobody holds the role there is no row to lock: of two at once the later looks when the other is done.
    store::lock_all_grants(tx)?;
    if !store::lock_holders(tx, Scope::System, Role::Admin)?.is_empty() {
        return Err(Error::Conflict("The system has an admin".to_owned()));
    }
    let by = By::command_line(now);
    let user = match store::user_by_wallet(tx, &wallet)? {
        Some(user) => user,
        None => create_user(
            tx,
            by.clone(),
            NewUser {
                name: name.to_owned(),
                wallet,
            },
        )?,
    };
    grant(tx, by, Scope::System, &[(wallet, Role::Admin)])?;
    Ok(user)
}

pub fn find_user(tx: &mut Tx<'_>, id: UserId) -> Result<User, Error> {
    store::user_by_id(tx, id)?.ok_or(Error::NotFound("user"))
}

/// The wallets of these users; an unknown one is absent. One query.
pub fn wallets_of(tx: &mut Tx<'_>, users: &[UserId]) -> Result<HashMap<UserId, Address>, Error> {
    store::wallets_of(tx, users)
}

/// The user's row stays locked until the commit: changes that must not happen at once to one user wait for each other.
pub fn lock_user(tx: &mut Tx<'_>, id: UserId) -> Result<(), Error> {
    store::lock_user(tx, id)?.ok_or(Error::NotFound("user"))
}

pub fn user_by_wallet(tx: &mut Tx<'_>, wallet: &Address) -> Result<User, Error> {
    store::user_by_wallet(tx, wallet)?.ok_or(Error::NotFound("user"))
}

/// One user, for themselves and for [`Permission::ReadUser`]. Errors: `Forbidden` also for an unknown id, so that nobody
/// learns which ids exist.
pub fn read_user(tx: &mut Tx<'_>, ctx: &Ctx, id: UserId) -> Result<User, Error> {
    if id != ctx.actor.user {
        require(tx, ctx, Permission::ReadUser, Scope::System)?;
    }
    find_user(tx, id)
}

/// As [`read_user`], by wallet.
pub fn read_user_by_wallet(tx: &mut Tx<'_>, ctx: &Ctx, wallet: &Address) -> Result<User, Error> {
    if *wallet != ctx.actor.wallet {
        require(tx, ctx, Permission::ReadUser, Scope::System)?;
    }
    user_by_wallet(tx, wallet)
}

/// In the order of their ids, with the cursor of the next page.
pub fn list_users(tx: &mut Tx<'_>, page: &Page) -> Result<(Vec<User>, Option<String>), Error> {
    store::users_page(tx, page)
}

pub fn count_users(tx: &mut Tx<'_>) -> Result<i64, Error> {
    store::users_count(tx)
}

// --- API keys -------------------------------------------------------------------------------------------------------

/// The only moment the key can be read. Errors: `NotFound` for an unknown user, `Invalid` for a name or an expiry out of
/// bounds.
pub fn create_key(tx: &mut Tx<'_>, vault: &Vault, by: impl Into<By>, new: NewKey) -> Result<IssuedKey, Error> {
    let by = by.into();
    if let Some(name) = &new.name {
        rules::key_name(name)?;
    }
    rules::expiry(by.now, new.expires_at)?;
    let owner = find_user(tx, new.user)?;
    let key = ApiKey::generate(new.kind)?;
    let stored = StoredKey {
        id: key.id().clone(),
        user: owner.id,
        name: new.name,
        start: key.start().to_owned(),
        enabled: true,
        expires_at: new.expires_at,
        last_used_at: None,
        created_at: by.now,
    };
    store::insert_key(tx, &stored, key.hash(vault))?;
    let data = json!({ "key": stored.id.as_str(), "user": owner.id, "expiresAt": stored.expires_at });
    record(tx, &by, &owner.wallet, "api_key.created", data)?;
    Ok(IssuedKey { stored, key })
}

/// Whether [`note_use`] would write: asked first, so that most requests cost no transaction.
pub fn is_use_worth_noting(authenticated: &Authenticated, now: Timestamp) -> bool {
    let last = authenticated.last_used_at;
    last.is_none_or(|last| last < rules::note_again_before(now))
}

/// Notes that the key was used, at most once a minute. Not an audit event: it changes nothing that anybody may do.
pub fn note_use(tx: &mut Tx<'_>, id: &KeyId, now: Timestamp) -> Result<(), Error> {
    store::note_use(tx, id, now, rules::note_again_before(now))
}

/// A key of this owner; another's looks like none.
pub fn find_key(tx: &mut Tx<'_>, owner: UserId, id: &KeyId) -> Result<StoredKey, Error> {
    store::key_of(tx, owner, id)?.ok_or(Error::NotFound("API key"))
}

/// Newest first, with the cursor of the next page.
pub fn list_keys(tx: &mut Tx<'_>, owner: UserId, page: &Page) -> Result<(Vec<StoredKey>, Option<String>), Error> {
    store::keys_of(tx, owner, page)
}

/// Renames, disables or enables. Errors: `Invalid` when nothing is to change, `NotFound` for a key of somebody else.
pub fn update_key(
    tx: &mut Tx<'_>,
    by: impl Into<By>,
    owner: UserId,
    id: &KeyId,
    change: &KeyChange,
) -> Result<StoredKey, Error> {
    let by = by.into();
    if change.name.is_none() && change.enabled.is_none() {
        return Err(Error::invalid("", "nothing to change: give name or enabled"));
    }
    if let Some(name) = &change.name {
        rules::key_name(name)?;
    }
    let owner = find_user(tx, owner)?;
    let key = store::update_key(tx, owner.id, id, change)?.ok_or(Error::NotFound("API key"))?;
    let data =
        json!({ "key": key.id.as_str(), "user": owner.id, "enabled": key.enabled, "renamed": change.name.is_some() });
    record(tx, &by, &owner.wallet, "api_key.updated", data)?;
    Ok(key)
}

/// Errors: `NotFound` for a key of somebody else.
pub fn delete_key(tx: &mut Tx<'_>, by: impl Into<By>, owner: UserId, id: &KeyId) -> Result<(), Error> {
    let by = by.into();
    let owner = find_user(tx, owner)?;
    if store::delete_key(tx, owner.id, id)? == 0 {
        return Err(Error::NotFound("API key"));
    }
    let data = json!({ "key": id.as_str(), "user": owner.id });
    record(tx, &by, &owner.wallet, "api_key.deleted", data)
}

// --- rights ---------------------------------------------------------------------------------------------------------

/// Errors: `Forbidden`, naming the roles of which one is needed. One query.
pub fn require(tx: &mut Tx<'_>, ctx: &Ctx, permission: Permission, scope: Scope) -> Result<(), Error> {
    let held = held(tx, scope, &ctx.actor.wallet)?;
    if permission.is_given_by(&held) {
        Ok(())
    } else {
        Err(permission.refusal())
    }
}

/// What a wallet holds in the system and, with an asset's scope, on the asset. One query.
pub fn held(tx: &mut Tx<'_>, scope: Scope, wallet: &Address) -> Result<Held, Error> {
    store::held(tx, scope, wallet)
}

/// The roles of these wallets in this scope alone; a wallet without a role is absent. One query.
pub fn roles_in(tx: &mut Tx<'_>, scope: Scope, wallets: &[Address]) -> Result<HashMap<Address, BTreeSet<Role>>, Error> {
    store::roles_of(tx, scope, wallets)
}

/// All grants of a scope, ordered by role and wallet.
pub fn grants_in(tx: &mut Tx<'_>, scope: Scope) -> Result<Vec<(Role, Address)>, Error> {
    store::grants_in(tx, scope)
}

/// Wallets that hold a role in a scope, each with its roles, in the order of the wallets, with the cursor of the next page.
pub fn holders_in(tx: &mut Tx<'_>, scope: Scope, page: &Page) -> Result<(Vec<Holder>, Option<String>), Error> {
    let (wallets, next) = store::holders_page(tx, scope, page)?;
    let mut roles = store::roles_of(tx, scope, &wallets)?;
    let holders = wallets.into_iter().map(|wallet| {
        let roles = roles.remove(&wallet).unwrap_or_default();
        Holder { wallet, roles }
    });
    Ok((holders.collect(), next))
}

pub fn grants_of_asset(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<(Role, Address)>, Error> {
    grants_in(tx, Scope::Asset(asset))
}

/// Each wallet with each role, as grants without duplicates.
///
/// Errors: `Invalid` for an empty list, and for a role of the other scope.
pub fn pair(scope: Scope, wallets: &[Address], roles: &[Role]) -> Result<Vec<Grant>, Error> {
    let grants = rules::pairs(wallets, roles)?;
    rules::grantable(scope, &grants)?;
    Ok(grants)
}

/// Grants what is not granted yet and says what that was. Asks for no right: the caller of the route does.
///
/// Errors: `Invalid` for a role of the other scope or the zero address; `Conflict` when everything is granted already.
pub fn grant(tx: &mut Tx<'_>, by: impl Into<By>, scope: Scope, grants: &[Grant]) -> Result<Vec<Grant>, Error> {
    let by = by.into();
    rules::grantable(scope, grants)?;
    let wallets: Vec<Address> = grants.iter().map(|(wallet, _)| *wallet).collect();
    let held = store::roles_of(tx, scope, &wallets)?;
    let is_new = |(wallet, role): &&Grant| !held.get(wallet).is_some_and(|roles| roles.contains(role));
    let new: Vec<Grant> = grants.iter().filter(is_new).copied().collect();
    if new.is_empty() {
        return Err(Error::Conflict("The role is granted already".to_owned()));
    }
    store::insert_grants(tx, &by, scope, &new)?;
    record_grants(tx, &by, scope, "role.granted", &new)?;
    Ok(new)
}

/// Revokes what is granted and says what that was. Asks for no right: the caller of the route does.
///
/// Errors: `Conflict` when nothing of it is granted, and when the system would have no `admin` left.
pub fn revoke(tx: &mut Tx<'_>, by: impl Into<By>, scope: Scope, grants: &[Grant]) -> Result<Vec<Grant>, Error> {
    let by = by.into();
    rules::grantable(scope, grants)?;
    let has_admins = scope == Scope::System && grants.iter().any(|(_, role)| *role == Role::Admin);
    if has_admins {
        let admins = store::lock_holders(tx, scope, Role::Admin)?;
        rules::keeps_an_admin(&admins, grants)?;
    }
    let gone = store::delete_grants(tx, scope, grants)?;
    if gone.is_empty() {
        return Err(Error::Conflict("The role is not granted".to_owned()));
    }
    record_grants(tx, &by, scope, "role.revoked", &gone)?;
    Ok(gone)
}

/// Records that a known user was refused a right (the refused change itself is rolled back, so this is a transaction of
/// its own). `attempt` names what was tried, such as a route. In the stream of whoever tried it, also where it was about an
/// asset: nobody writes into the history of an asset that is not theirs, or waits for its lock.
pub fn note_forbidden(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    scope: Scope,
    attempt: &str,
    required: &[&'static str],
) -> Result<(), Error> {
    let (_, asset) = place(scope, &ctx.actor.wallet);
    let event = Event {
        stream: Stream::of_subject(&ctx.actor.wallet),
        actor: ctx.actor.name(),
        action: "access.refused",
        asset,
        operation: None,
        subjects: vec![ctx.actor.wallet],
        data: json!({ "attempt": attempt, "requiredRoles": required }),
    };
    audit::append(tx, ctx.now, vec![event])
}

fn place(scope: Scope, subject: &Address) -> (Stream, Option<AssetId>) {
    match scope {
        Scope::System => (Stream::of_subject(subject), None),
        Scope::Asset(asset) => (Stream::Asset(asset), Some(asset)),
    }
}

/// One event per wallet, so that a wallet's history is whole in its own stream.
fn record_grants(tx: &mut Tx<'_>, by: &By, scope: Scope, action: &'static str, grants: &[Grant]) -> Result<(), Error> {
    let wallets: BTreeSet<Address> = grants.iter().map(|(wallet, _)| *wallet).collect();
    let events = wallets.into_iter().map(|wallet| {
        let roles = grants
            .iter()
            .filter(|(of, _)| *of == wallet)
            .map(|(_, role)| role.as_str());
        let (stream, asset) = place(scope, &wallet);
        Event {
            stream,
            actor: by.name.clone(),
            action,
            asset,
            operation: None,
            subjects: vec![wallet],
            data: json!({ "account": wallet, "roles": roles.collect::<Vec<_>>() }),
        }
    });
    audit::append(tx, by.now, events.collect())
}

fn record(
    tx: &mut Tx<'_>,
    by: &By,
    subject: &Address,
    action: &'static str,
    data: serde_json::Value,
) -> Result<(), Error> {
    let event = Event {
        stream: Stream::of_subject(subject),
        actor: by.name.clone(),
        action,
        asset: None,
        operation: None,
        subjects: vec![*subject],
        data,
    };
    audit::append(tx, by.now, vec![event])
}
