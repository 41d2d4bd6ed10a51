use std::collections::{BTreeMap, HashSet};

use diesel::prelude::*;

use super::challenge::Challenge;
use super::task::TaskRow;
use crate::db::schema::{certhis_accounts, certhis_challenges, certhis_keys, certhis_tasks, users};
use crate::db::{self, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{Address, AssetId, Hash32, RowId, Timestamp, TokenId, UserId};

// --- challenges -----------------------------------------------------------------------------------------------------

/// Takes the place of what was filed there.
pub(super) fn put_challenge(tx: &mut Tx<'_>, challenge: &Challenge) -> Result<(), Error> {
    let content = (
        certhis_challenges::wallet.eq(challenge.wallet),
        certhis_challenges::message.eq(&challenge.message),
        certhis_challenges::expires_at.eq(challenge.expires_at),
    );
    let row = (certhis_challenges::filed_under.eq(&challenge.filed_under), content);
    on!(tx, c => diesel::insert_into(certhis_challenges::table)
        .values(row)
        .on_conflict(certhis_challenges::filed_under)
        .do_update()
        .set(content)
        .execute(c))?;
    Ok(())
}

pub(super) fn challenge(tx: &mut Tx<'_>, filed_under: &str) -> Result<Option<Challenge>, Error> {
    type Row = (String, Address, String, Timestamp);
    let row: Option<Row> = on!(tx, c => certhis_challenges::table.find(filed_under).first(c).optional())?;
    Ok(row.map(|(filed_under, wallet, message, expires_at)| Challenge {
        filed_under,
        wallet,
        message,
        expires_at,
    }))
}

/// Whether it was still there: of two takers one gets it.
pub(super) fn take_challenge(tx: &mut Tx<'_>, challenge: &Challenge) -> Result<bool, Error> {
    let row = certhis_challenges::table
        .find(&challenge.filed_under)
        .filter(certhis_challenges::message.eq(&challenge.message));
    let taken = on!(tx, c => diesel::delete(row).execute(c))?;
    Ok(taken == 1)
}

pub(super) fn prune_challenges(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    let rows = certhis_challenges::table.filter(certhis_challenges::expires_at.le(now));
    Ok(on!(tx, c => diesel::delete(rows).execute(c))?)
}

// --- accounts -------------------------------------------------------------------------------------------------------

/// The number of a wallet, given to it now if it has none.
pub(super) fn account_number(tx: &mut Tx<'_>, wallet: Address) -> Result<i64, Error> {
    if let Some(number) = known_account(tx, &wallet)? {
        return Ok(number);
    }
    let number = db::next_number(tx, "certhis_account")?;
    let row = (certhis_accounts::wallet.eq(wallet), certhis_accounts::number.eq(number));
    on!(tx, c => diesel::insert_into(certhis_accounts::table)
        .values(row)
        .on_conflict(certhis_accounts::wallet)
        .do_nothing()
        .execute(c))?;
    let known = known_account(tx, &wallet)?;
    known.ok_or_else(|| Error::internal("a wallet was numbered and has no number"))
}

pub(super) fn known_account(tx: &mut Tx<'_>, wallet: &Address) -> Result<Option<i64>, Error> {
    let row = certhis_accounts::table.find(wallet).select(certhis_accounts::number);
    Ok(on!(tx, c => row.first(c).optional())?)
}

// --- keys -----------------------------------------------------------------------------------------------------------

pub(super) struct KeyRow {
    pub asset: AssetId,
    pub number: i64,
    pub owner: Address,
    pub user: UserId,
    pub key_hash: Hash32,
    pub key_sealed: String,
    pub secret_hash: Hash32,
    /// When the contract last said that the owner owns the collection.
    pub owner_seen_at: Option<Timestamp>,
}

type KeyColumns = (AssetId, i64, Address, UserId, Hash32, String, Hash32, Option<Timestamp>);

const KEY: (
    certhis_keys::asset_id,
    certhis_keys::number,
    certhis_keys::owner,
    certhis_keys::user_id,
    certhis_keys::key_hash,
    certhis_keys::key_sealed,
    certhis_keys::secret_hash,
    certhis_keys::owner_seen_at,
) = (
    certhis_keys::asset_id,
    certhis_keys::number,
    certhis_keys::owner,
    certhis_keys::user_id,
    certhis_keys::key_hash,
    certhis_keys::key_sealed,
    certhis_keys::secret_hash,
    certhis_keys::owner_seen_at,
);

fn key_of(row: KeyColumns) -> KeyRow {
    let (asset, number, owner, user, key_hash, key_sealed, secret_hash, owner_seen_at) = row;
    KeyRow {
        asset,
        number,
        owner,
        user,
        key_hash,
        key_sealed,
        secret_hash,
        owner_seen_at,
    }
}

pub(super) fn active_key(tx: &mut Tx<'_>, asset: AssetId) -> Result<Option<KeyRow>, Error> {
    let query = certhis_keys::table
        .filter(certhis_keys::asset_id.eq(asset))
        .filter(certhis_keys::active.eq(true))
        .select(KEY);
    let row: Option<KeyColumns> = on!(tx, c => query.first(c).optional())?;
    Ok(row.map(key_of))
}

/// An active key, with the wallet of its user.
pub(super) fn key_by_hash(tx: &mut Tx<'_>, hash: Hash32) -> Result<Option<(KeyRow, Address)>, Error> {
    let query = certhis_keys::table
        .inner_join(users::table.on(users::id.eq(certhis_keys::user_id)))
        .filter(certhis_keys::key_hash.eq(hash))
        .filter(certhis_keys::active.eq(true))
        .select((KEY, users::wallet));
    let row: Option<(KeyColumns, Address)> = on!(tx, c => query.first(c).optional())?;
    Ok(row.map(|(key, wallet)| (key_of(key), wallet)))
}

pub(super) fn insert_key(tx: &mut Tx<'_>, row: &KeyRow, now: Timestamp) -> Result<(), Error> {
    let row = (
        certhis_keys::asset_id.eq(row.asset),
        certhis_keys::number.eq(row.number),
        certhis_keys::owner.eq(row.owner),
        certhis_keys::user_id.eq(row.user),
        certhis_keys::key_hash.eq(row.key_hash),
        certhis_keys::key_sealed.eq(&row.key_sealed),
        certhis_keys::secret_hash.eq(row.secret_hash),
        certhis_keys::owner_seen_at.eq(row.owner_seen_at),
        certhis_keys::active.eq(true),
        certhis_keys::created_at.eq(now),
    );
    on!(tx, c => diesel::insert_into(certhis_keys::table).values(row).execute(c))?;
    Ok(())
}

/// A later reading stays.
pub(super) fn note_owner_seen(tx: &mut Tx<'_>, asset: AssetId, number: i64, at: Timestamp) -> Result<(), Error> {
    let seen_at = certhis_keys::owner_seen_at;
    let row = certhis_keys::table
        .find((asset, number))
        .filter(seen_at.is_null().or(seen_at.lt(at)));
    on!(tx, c => diesel::update(row).set(seen_at.eq(at)).execute(c))?;
    Ok(())
}

pub(super) fn end_keys(tx: &mut Tx<'_>, asset: AssetId, now: Timestamp) -> Result<(), Error> {
    let rows = certhis_keys::table
        .filter(certhis_keys::asset_id.eq(asset))
        .filter(certhis_keys::active.eq(true));
    let set = (certhis_keys::active.eq(false), certhis_keys::ended_at.eq(now));
    on!(tx, c => diesel::update(rows).set(set).execute(c))?;
    Ok(())
}

/// The numbers of every pair that a collection ever had.
pub(super) fn key_numbers(tx: &mut Tx<'_>, asset: AssetId) -> Result<HashSet<i64>, Error> {
    let query = certhis_keys::table
        .filter(certhis_keys::asset_id.eq(asset))
        .select(certhis_keys::number);
    let found: Vec<i64> = on!(tx, c => query.load(c))?;
    Ok(found.into_iter().collect())
}

/// Who ever had a pair, by collection.
pub(super) fn owners(tx: &mut Tx<'_>) -> Result<BTreeMap<AssetId, HashSet<UserId>>, Error> {
    let query = certhis_keys::table
        .select((certhis_keys::asset_id, certhis_keys::user_id))
        .distinct();
    let found: Vec<(AssetId, UserId)> = on!(tx, c => query.load(c))?;
    let mut owners: BTreeMap<AssetId, HashSet<UserId>> = BTreeMap::new();
    for (asset, user) in found {
        owners.entry(asset).or_default().insert(user);
    }
    Ok(owners)
}

// --- tasks ----------------------------------------------------------------------------------------------------------

type TaskColumns = (
    AssetId,
    RowId,
    i64,
    i64,
    i64,
    i64,
    (Option<TokenId>, bool),
    Option<String>,
);

const TASK: (
    certhis_tasks::asset_id,
    certhis_tasks::id,
    certhis_tasks::number,
    certhis_tasks::key_number,
    certhis_tasks::account,
    certhis_tasks::nft_number,
    (certhis_tasks::token_id, certhis_tasks::given),
    certhis_tasks::token_uri,
) = (
    certhis_tasks::asset_id,
    certhis_tasks::id,
    certhis_tasks::number,
    certhis_tasks::key_number,
    certhis_tasks::account,
    certhis_tasks::nft_number,
    (certhis_tasks::token_id, certhis_tasks::given),
    certhis_tasks::token_uri,
);

fn task_of((asset, id, number, key, account, nft_number, (token_id, is_given), token_uri): TaskColumns) -> TaskRow {
    TaskRow {
        asset,
        id,
        number,
        key,
        account,
        nft_number,
        token_id,
        is_given,
        token_uri,
    }
}

/// `email` is sealed, and stays until the given time.
pub(super) fn insert_task(tx: &mut Tx<'_>, row: &TaskRow, email: Option<(String, Timestamp)>) -> Result<(), Error> {
    let (email, retain_until) = email.unzip();
    let row = (
        certhis_tasks::asset_id.eq(row.asset),
        certhis_tasks::id.eq(row.id),
        certhis_tasks::number.eq(row.number),
        certhis_tasks::key_number.eq(row.key),
        certhis_tasks::account.eq(row.account),
        certhis_tasks::nft_number.eq(row.nft_number),
        certhis_tasks::token_id.eq(row.token_id),
        certhis_tasks::given.eq(row.is_given),
        certhis_tasks::token_uri.eq(&row.token_uri),
        certhis_tasks::email.eq(email),
        certhis_tasks::retain_until.eq(retain_until),
    );
    on!(tx, c => diesel::insert_into(certhis_tasks::table).values(row).execute(c))?;
    Ok(())
}

pub(super) fn task(tx: &mut Tx<'_>, asset: AssetId, number: i64) -> Result<Option<TaskRow>, Error> {
    let query = certhis_tasks::table
        .filter(certhis_tasks::asset_id.eq(asset))
        .filter(certhis_tasks::number.eq(number))
        .select(TASK);
    let row: Option<TaskColumns> = on!(tx, c => query.first(c).optional())?;
    Ok(row.map(task_of))
}

pub(super) fn task_by_id(tx: &mut Tx<'_>, asset: AssetId, id: RowId) -> Result<Option<TaskRow>, Error> {
    let query = certhis_tasks::table.find((asset, id)).select(TASK);
    let row: Option<TaskColumns> = on!(tx, c => query.first(c).optional())?;
    Ok(row.map(task_of))
}

/// Newest first.
pub(super) fn tasks(tx: &mut Tx<'_>, asset: AssetId, offset: i64, limit: i64) -> Result<Vec<TaskRow>, Error> {
    let query = certhis_tasks::table
        .filter(certhis_tasks::asset_id.eq(asset))
        .order(certhis_tasks::id.desc())
        .offset(offset)
        .limit(limit)
        .select(TASK);
    let rows: Vec<TaskColumns> = on!(tx, c => query.load(c))?;
    Ok(rows.into_iter().map(task_of).collect())
}

/// Every task there is, by collection and age, so many behind this one.
pub(super) fn page_of_tasks(
    tx: &mut Tx<'_>,
    after: Option<(AssetId, RowId)>,
    limit: i64,
) -> Result<Vec<TaskRow>, Error> {
    let (asset, id) = (certhis_tasks::asset_id, certhis_tasks::id);
    let rows: Vec<TaskColumns> = on!(tx, c => {
        let mut query = certhis_tasks::table.select(TASK).into_boxed();
        if let Some((last_asset, last)) = after {
            query = query.filter(asset.gt(last_asset).or(asset.eq(last_asset).and(id.gt(last))));
        }
        query.order((asset, id)).limit(limit).load(c)
    })?;
    Ok(rows.into_iter().map(task_of).collect())
}

/// Those of these that are there.
pub(super) fn known_tasks(tx: &mut Tx<'_>, asset: AssetId, ids: &[RowId]) -> Result<HashSet<RowId>, Error> {
    let query = certhis_tasks::table
        .filter(certhis_tasks::asset_id.eq(asset))
        .filter(certhis_tasks::id.eq_any(ids))
        .select(certhis_tasks::id);
    let found: Vec<RowId> = on!(tx, c => query.load(c))?;
    Ok(found.into_iter().collect())
}

/// The number that a token of several tasks (ERC-1155) has already.
pub(super) fn nft_number(tx: &mut Tx<'_>, asset: AssetId, token_id: TokenId) -> Result<Option<i64>, Error> {
    let query = certhis_tasks::table
        .filter(certhis_tasks::asset_id.eq(asset))
        .filter(certhis_tasks::token_id.eq(token_id))
        .order(certhis_tasks::id)
        .select(certhis_tasks::nft_number);
    Ok(on!(tx, c => query.first(c).optional())?)
}

/// The sealed e-mail address of a task's recipient, where the task came with a key pair of this user.
pub(super) fn email(tx: &mut Tx<'_>, (asset, id): (AssetId, RowId), owner: UserId) -> Result<Option<String>, Error> {
    let of_owner = certhis_keys::table
        .filter(certhis_keys::asset_id.eq(asset))
        .filter(certhis_keys::user_id.eq(owner))
        .select(certhis_keys::number);
    let query = certhis_tasks::table
        .find((asset, id))
        .filter(certhis_tasks::key_number.eq_any(of_owner))
        .select(certhis_tasks::email);
    let found: Option<Option<String>> = on!(tx, c => query.first(c).optional())?;
    Ok(found.flatten())
}

/// How many e-mail addresses are gone now.
pub(super) fn forget_emails(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    let rows = certhis_tasks::table.filter(certhis_tasks::retain_until.le(now));
    let set = (
        certhis_tasks::email.eq(None::<String>),
        certhis_tasks::retain_until.eq(None::<Timestamp>),
    );
    Ok(on!(tx, c => diesel::update(rows).set(set).execute(c))?)
}
