use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::store::{self, KeyRow};
use crate::access::{self, By, NewUser, Vault, random_text};
use crate::asset;
use crate::audit::{self, Event, Stream};
use crate::collection;
use crate::ctx::Actor;
use crate::db::{self, Tx};
use crate::error::Error;
use crate::types::{Address, AssetId, Hash32, Timestamp, UserId};
use crate::webhook;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 142 and 238 bits: nothing to guess, so that a keyed hash without stretching is enough.
const KEY_LENGTH: usize = 24;
const SECRET_LENGTH: usize = 40;

/// What the owner of a collection asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The pair that there is; a first one where there is none.
    Present,
    /// A new one, in place of the old one.
    New,
}

/// Prints nothing.
#[derive(Debug)]
pub struct KeyPair {
    pub key: SecretString,
    /// None when it was shown before: nobody has it any more but its owner.
    pub secret: Option<SecretString>,
}

/// A wallet that owns a collection, as the collection's contract said then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub wallet: Address,
    pub seen_at: Timestamp,
}

/// Who calls with a key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// Of the key pair.
    pub number: i64,
    pub collection: AssetId,
    /// The wallet that owned the collection when the pair was made or shown; when it was last seen to own it.
    pub owner: Address,
    pub owner_seen_at: Option<Timestamp>,
    /// The owner, in whose name everything is done.
    pub actor: Actor,
}

impl KeyHolder {
    /// So long a reading of the contract counts: whoever lost the collection mints for no longer.
    pub const OWNER_SECONDS: i64 = 60;

    /// Whether the contract has to be asked before the pair opens anything.
    pub fn is_in_doubt(&self, now: Timestamp) -> bool {
        self.owner_seen_at
            .is_none_or(|seen_at| seen_at.plus_seconds(Self::OWNER_SECONDS) <= now)
    }
}

/// The key pair of a collection for its owner, who has proven to be that wallet. Whoever had a pair before as its owner
/// has none any more, and their webhook is told nothing more.
///
/// A wallet that no user has becomes one, with no role and no key of the asset API: the audit log can name it.
pub fn key_pair(
    tx: &mut Tx<'_>,
    vault: &Vault,
    collection: AssetId,
    (owner, ask): (Owner, Ask),
    now: Timestamp,
) -> Result<KeyPair, Error> {
    // Of two who ask at once the second finds the pair of the first.
    asset::lock(tx, collection)?;
    collection::note_owner(tx, collection, owner.wallet, now)?;
    let present = store::active_key(tx, collection)?;
    if let Some(other) = present.as_ref().filter(|present| present.owner != owner.wallet) {
        webhook::end_login(tx, system(now), collection, other.user)?;
    }
    match (present, ask) {
        (Some(present), Ask::Present) if present.owner == owner.wallet => {
            store::note_owner_seen(tx, collection, present.number, owner.seen_at)?;
            shown_again(vault, &present)
        }
        (present, Ask::Present | Ask::New) => issue(tx, vault, collection, (owner, present), now),
    }
}

/// The contract said again that the pair's wallet owns the collection.
pub fn confirm(tx: &mut Tx<'_>, holder: &KeyHolder, seen_at: Timestamp) -> Result<(), Error> {
    store::note_owner_seen(tx, holder.collection, holder.number, seen_at)
}

/// The contract says of a final block that the pair's wallet does not own the collection any more: the pair opens nothing
/// from now on, and the webhook that was registered with it is told nothing more.
pub fn end(tx: &mut Tx<'_>, holder: &KeyHolder, now: Timestamp) -> Result<(), Error> {
    asset::lock(tx, holder.collection)?;
    let present = store::active_key(tx, holder.collection)?;
    if present.is_none_or(|present| present.number != holder.number) {
        return Ok(());
    }
    store::end_keys(tx, holder.collection, now)?;
    webhook::end_login(tx, system(now), holder.collection, holder.actor.user)?;
    let event = Event {
        stream: Stream::Asset(holder.collection),
        actor: system(now).name,
        action: "certhis_key.ended",
        asset: Some(holder.collection),
        operation: None,
        subjects: vec![holder.owner],
        data: json!({ "key": holder.number, "owner": holder.owner, "reason": "it does not own the collection any more" }),
    };
    audit::append(tx, now, vec![event])
}

fn system(now: Timestamp) -> By {
    By {
        name: "system".to_owned(),
        user: None,
        now,
    }
}

fn shown_again(vault: &Vault, row: &KeyRow) -> Result<KeyPair, Error> {
    let opened = vault.open(SEALED, &[&sealed_for(row.asset, row.number)], &row.key_sealed)?;
    let text = std::str::from_utf8(&opened).map_err(Error::internal)?;
    Ok(KeyPair {
        key: SecretString::from(text.to_owned()),
        secret: None,
    })
}

fn issue(
    tx: &mut Tx<'_>,
    vault: &Vault,
    collection: AssetId,
    (Owner { wallet, seen_at }, present): (Owner, Option<KeyRow>),
    now: Timestamp,
) -> Result<KeyPair, Error> {
    let user = user_of(tx, wallet, now)?;
    let key = format!("ck_{}", random_text(BASE62, KEY_LENGTH)?.as_str());
    let secret = format!("cs_{}", random_text(BASE62, SECRET_LENGTH)?.as_str());
    store::end_keys(tx, collection, now)?;
    store::account_number(tx, wallet)?;
    let number = db::next_number(tx, "certhis_key")?;
    let row = KeyRow {
        asset: collection,
        number,
        owner: wallet,
        owner_seen_at: Some(seen_at),
        user,
        key_hash: key_hash(vault, &key),
        key_sealed: vault.seal(SEALED, &[&sealed_for(collection, number)], key.as_bytes())?,
        secret_hash: secret_hash(vault, &secret),
    };
    store::insert_key(tx, &row, now)?;
    let event = Event {
        stream: Stream::Asset(collection),
        actor: Actor { user, wallet }.name(),
        action: match present {
            None => "certhis_key.created",
            Some(_) => "certhis_key.rotated",
        },
        asset: Some(collection),
        operation: None,
        subjects: vec![wallet],
        data: json!({ "key": number, "owner": wallet, "replaces": present.map(|row| row.number) }),
    };
    audit::append(tx, now, vec![event])?;
    Ok(KeyPair {
        key: SecretString::from(key),
        secret: Some(SecretString::from(secret)),
    })
}

/// The user of a wallet, made where there is none.
fn user_of(tx: &mut Tx<'_>, wallet: Address, now: Timestamp) -> Result<UserId, Error> {
    match access::user_by_wallet(tx, &wallet) {
        Ok(user) => Ok(user.id),
        Err(Error::NotFound(_)) => {
            let new = NewUser {
                name: format!("Owner of a collection {wallet}"),
                wallet,
            };
            Ok(access::create_user(tx, system(now), new)?.id)
        }
        Err(error) => Err(error),
    }
}

/// Whose key pair this is. One query, asked at each request. Errors: `Unauthenticated`, without saying why.
pub fn authenticate(
    tx: &mut Tx<'_>,
    vault: &Vault,
    key: &SecretString,
    secret: &SecretString,
) -> Result<KeyHolder, Error> {
    let found = store::key_by_hash(tx, key_hash(vault, key.expose_secret()))?;
    let (row, wallet) = found.ok_or(Error::Unauthenticated)?;
    let given = secret_hash(vault, secret.expose_secret());
    if !bool::from(given.as_bytes().ct_eq(row.secret_hash.as_bytes())) {
        return Err(Error::Unauthenticated);
    }
    Ok(KeyHolder {
        number: row.number,
        collection: row.asset,
        owner: row.owner,
        owner_seen_at: row.owner_seen_at,
        actor: Actor { user: row.user, wallet },
    })
}

const SEALED: &str = "certhis.key";

/// A sealed key opens for its own row alone.
fn sealed_for(asset: AssetId, number: i64) -> Vec<u8> {
    [asset.as_uuid().as_bytes().as_slice(), &number.to_be_bytes()].concat()
}

fn key_hash(vault: &Vault, key: &str) -> Hash32 {
    vault.mac("certhis.key", &[key.as_bytes()])
}

fn secret_hash(vault: &Vault, secret: &str) -> Hash32 {
    vault.mac("certhis.secret", &[secret.as_bytes()])
}
