mod grants;
mod secrets;

pub(super) use grants::{
    delete_grants, grants_in, held, holders_page, holds_any_role, insert_grants, lock_all_grants, lock_holders,
    roles_of,
};
pub(super) use secrets::{insert_secret_checks, secret_checks};

use std::collections::HashMap;

use diesel::prelude::*;

use super::rules::Candidate;
use super::{Authenticated, KeyChange, StoredKey, User};
use crate::ctx::Actor;
use crate::db::schema::{api_keys, users};
use crate::db::{Cursor, Page, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{Address, Hash32, KeyId, Timestamp, UserId};

type UserRow = (UserId, String, Address, Timestamp);
type KeyRow = (
    String,
    UserId,
    Option<String>,
    String,
    bool,
    Option<Timestamp>,
    Option<Timestamp>,
    Timestamp,
);
type CandidateRow = (
    (String, Hash32, bool, Option<Timestamp>, Option<Timestamp>),
    UserId,
    Address,
);

/// Everything of a key but its hash.
const KEY: (
    api_keys::id,
    api_keys::user_id,
    api_keys::name,
    api_keys::start,
    api_keys::enabled,
    api_keys::expires_at,
    api_keys::last_used_at,
    api_keys::created_at,
) = (
    api_keys::id,
    api_keys::user_id,
    api_keys::name,
    api_keys::start,
    api_keys::enabled,
    api_keys::expires_at,
    api_keys::last_used_at,
    api_keys::created_at,
);

fn user((id, name, wallet, created_at): UserRow) -> User {
    User {
        id,
        name,
        wallet,
        created_at,
    }
}

fn key(row: KeyRow) -> Result<StoredKey, Error> {
    let (id, user, name, start, enabled, expires_at, last_used_at, created_at) = row;
    Ok(StoredKey {
        id: KeyId::parse(&id).map_err(Error::internal)?,
        user,
        name,
        start,
        enabled,
        expires_at,
        last_used_at,
        created_at,
    })
}

// --- users ----------------------------------------------------------------------------------------------------------

pub(super) fn insert_user(tx: &mut Tx<'_>, user: &User) -> Result<(), Error> {
    let row = (
        users::id.eq(user.id),
        users::name.eq(&user.name),
        users::wallet.eq(user.wallet),
        users::created_at.eq(user.created_at),
    );
    on!(tx, c => diesel::insert_into(users::table).values(row).execute(c))?;
    Ok(())
}

pub(super) fn user_by_id(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, Error> {
    let row: Option<UserRow> = on!(tx, c => users::table.find(id).first(c).optional())?;
    Ok(row.map(user))
}

pub(super) fn wallets_of(tx: &mut Tx<'_>, users: &[UserId]) -> Result<HashMap<UserId, Address>, Error> {
    let query = users::table
        .filter(users::id.eq_any(users))
        .select((users::id, users::wallet));
    let rows: Vec<(UserId, Address)> = on!(tx, c => query.load(c))?;
    Ok(rows.into_iter().collect())
}

/// Without hindering rows that only refer to the user.
pub(super) fn lock_user(tx: &mut Tx<'_>, id: UserId) -> Result<Option<()>, Error> {
    let query = users::table.find(id).select(users::id);
    let row: Option<UserId> = match tx {
        Tx::Pg(c) => query.for_no_key_update().first(*c).optional()?,
        Tx::Sqlite(c) => query.first(*c).optional()?,
    };
    Ok(row.map(|_| ()))
}

pub(super) fn user_by_wallet(tx: &mut Tx<'_>, wallet: &Address) -> Result<Option<User>, Error> {
    let query = users::table.filter(users::wallet.eq(wallet));
    let row: Option<UserRow> = on!(tx, c => query.first(c).optional())?;
    Ok(row.map(user))
}

/// In the order of their ids; the cursor is the last id of the page before.
pub(super) fn users_page(tx: &mut Tx<'_>, page: &Page) -> Result<(Vec<User>, Option<String>), Error> {
    let after = page.cursor.as_deref().map(read_cursor).transpose()?;
    let rows: Vec<UserRow> = on!(tx, c => {
        let mut query = users::table.into_boxed();
        if let Some(after) = after {
            query = query.filter(users::id.gt(after));
        }
        query.order(users::id).limit(page.limit.saturating_add(1)).offset(page.offset).load(c)
    })?;
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let more = rows.len() > limit;
    let list: Vec<User> = rows.into_iter().take(limit).map(user).collect();
    let last = list.last().filter(|_| more);
    let cursor = last.map(|user| Cursor::new([user.id.to_string()]).to_string());
    Ok((list, cursor))
}

fn read_cursor(text: &str) -> Result<UserId, Error> {
    let invalid = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let [id] = Cursor::parse::<1>(text).map_err(|_| invalid())?;
    UserId::parse(&id).map_err(|_| invalid())
}

pub(super) fn users_count(tx: &mut Tx<'_>) -> Result<i64, Error> {
    Ok(on!(tx, c => users::table.count().get_result(c))?)
}

// --- keys -----------------------------------------------------------------------------------------------------------

pub(super) fn insert_key(tx: &mut Tx<'_>, key: &StoredKey, hash: Hash32) -> Result<(), Error> {
    let row = (
        api_keys::id.eq(key.id.as_str()),
        api_keys::user_id.eq(key.user),
        api_keys::name.eq(&key.name),
        api_keys::start.eq(&key.start),
        api_keys::secret_hash.eq(hash),
        api_keys::enabled.eq(key.enabled),
        api_keys::expires_at.eq(key.expires_at),
        api_keys::created_at.eq(key.created_at),
    );
    on!(tx, c => diesel::insert_into(api_keys::table).values(row).execute(c))?;
    Ok(())
}

/// The keys with their owners, in one query.
pub(super) fn candidates(tx: &mut Tx<'_>, ids: &[KeyId]) -> Result<HashMap<KeyId, Candidate>, Error> {
    let texts: Vec<&str> = ids.iter().map(KeyId::as_str).collect();
    let query = api_keys::table
        .inner_join(users::table.on(users::id.eq(api_keys::user_id)))
        .filter(api_keys::id.eq_any(texts))
        .select((
            (
                api_keys::id,
                api_keys::secret_hash,
                api_keys::enabled,
                api_keys::expires_at,
                api_keys::last_used_at,
            ),
            users::id,
            users::wallet,
        ));
    let rows: Vec<CandidateRow> = on!(tx, c => query.load(c))?;
    let candidates = rows
        .into_iter()
        .map(|((id, hash, enabled, expires_at, last_used_at), user, wallet)| {
            let key_id = KeyId::parse(&id).map_err(Error::internal)?;
            let candidate = Candidate {
                hash,
                enabled,
                expires_at,
                authenticated: Authenticated {
                    actor: Actor { user, wallet },
                    key_id: key_id.clone(),
                    last_used_at,
                },
            };
            Ok((key_id, candidate))
        });
    candidates.collect()
}

pub(super) fn key_of(tx: &mut Tx<'_>, owner: UserId, id: &KeyId) -> Result<Option<StoredKey>, Error> {
    let query = api_keys::table
        .filter(api_keys::id.eq(id.as_str()))
        .filter(api_keys::user_id.eq(owner))
        .select(KEY);
    let row: Option<KeyRow> = on!(tx, c => query.first(c).optional())?;
    row.map(key).transpose()
}

/// Newest first; the cursor is (creation, id) of the last key of the page before.
pub(super) fn keys_of(tx: &mut Tx<'_>, owner: UserId, page: &Page) -> Result<(Vec<StoredKey>, Option<String>), Error> {
    let after = page.cursor.as_deref().map(read_key_cursor).transpose()?;
    let rows: Vec<KeyRow> = on!(tx, c => {
        let mut query = api_keys::table.filter(api_keys::user_id.eq(owner)).select(KEY).into_boxed();
        if let Some((at, id)) = &after {
            query = query.filter(
                api_keys::created_at.lt(*at).or(api_keys::created_at.eq(*at).and(api_keys::id.gt(id))));
        }
        query
            .order((api_keys::created_at.desc(), api_keys::id))
            .limit(page.limit.saturating_add(1))
            .offset(page.offset)
            .load(c)
    })?;
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let more = rows.len() > limit;
    let list = rows.into_iter().take(limit).map(key).collect::<Result<Vec<_>, _>>()?;
    let last = list.last().filter(|_| more);
    let cursor = last.map(|key| Cursor::new([key.created_at.to_micros_text(), key.id.to_string()]).to_string());
    Ok((list, cursor))
}

fn read_key_cursor(text: &str) -> Result<(Timestamp, String), Error> {
    let invalid = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let [at, id] = Cursor::parse::<2>(text).map_err(|_| invalid())?;
    Ok((Timestamp::parse(&at).map_err(|_| invalid())?, id))
}

pub(super) fn update_key(
    tx: &mut Tx<'_>,
    owner: UserId,
    id: &KeyId,
    change: &KeyChange,
) -> Result<Option<StoredKey>, Error> {
    let row = api_keys::table
        .filter(api_keys::id.eq(id.as_str()))
        .filter(api_keys::user_id.eq(owner));
    let set = (
        change.name.as_ref().map(|name| api_keys::name.eq(name)),
        change.enabled.map(|enabled| api_keys::enabled.eq(enabled)),
    );
    let row: Option<KeyRow> = on!(tx, c => diesel::update(row).set(set).returning(KEY).get_result(c).optional())?;
    row.map(key).transpose()
}

pub(super) fn delete_key(tx: &mut Tx<'_>, owner: UserId, id: &KeyId) -> Result<usize, Error> {
    let row = api_keys::table
        .filter(api_keys::id.eq(id.as_str()))
        .filter(api_keys::user_id.eq(owner));
    Ok(on!(tx, c => diesel::delete(row).execute(c))?)
}

/// Does nothing when a use was noted at `older_than` or later.
pub(super) fn note_use(tx: &mut Tx<'_>, id: &KeyId, now: Timestamp, older_than: Timestamp) -> Result<(), Error> {
    let row = api_keys::table.filter(api_keys::id.eq(id.as_str())).filter(
        api_keys::last_used_at
            .is_null()
            .or(api_keys::last_used_at.lt(older_than)),
    );
    on!(tx, c => diesel::update(row).set(api_keys::last_used_at.eq(now)).execute(c))?;
    Ok(())
}
