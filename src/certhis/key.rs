use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::store::{self, KeyRow};
use crate::access::{self, By, NewUser, Vault, random_text};
use crate::asset;
use crate::audit::{self, Event, Stream};
use crate::collection::Collection;
use crate::ctx::Actor;
use crate::db::{self, Tx};
use crate::error::Error;
use crate::types::{Address, AssetId, Hash32, Timestamp, UserId};

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

/// Who calls with a key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// Of the key pair.
    pub number: i64,
    pub collection: AssetId,
    /// The wallet that owns the collection, in whose name everything is done.
    pub actor: Actor,
}

/// The key pair of a collection for a wallet that has proven who it is.
///
/// A wallet that no user has becomes one, with no role and no key of the asset API: the audit log can name it. Errors:
/// `NotAllowed` unless the wallet owns the collection.
pub fn key_pair(
    tx: &mut Tx<'_>,
    vault: &Vault,
    collection: &Collection,
    (wallet, ask): (Address, Ask),
    now: Timestamp,
) -> Result<KeyPair, Error> {
    if collection.owner != wallet {
        return Err(Error::NotAllowed(
            "wallet is not the owner of this collection".to_owned(),
        ));
    }
    // Of two who ask at once the second finds the pair of the first.
    asset::lock(tx, collection.id)?;
    let present = store::active_key(tx, collection.id)?;
    match (present, ask) {
        (Some(present), Ask::Present) if present.owner == wallet => shown_again(vault, &present),
        (present, Ask::Present | Ask::New) => issue(tx, vault, collection, (wallet, present), now),
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
    collection: &Collection,
    (wallet, present): (Address, Option<KeyRow>),
    now: Timestamp,
) -> Result<KeyPair, Error> {
    let user = user_of(tx, wallet, now)?;
    let key = format!("ck_{}", random_text(BASE62, KEY_LENGTH)?.as_str());
    let secret = format!("cs_{}", random_text(BASE62, SECRET_LENGTH)?.as_str());
    store::end_keys(tx, collection.id, now)?;
    store::account_number(tx, wallet)?;
    let number = db::next_number(tx, "certhis_key")?;
    let row = KeyRow {
        asset: collection.id,
        number,
        owner: wallet,
        user,
        key_hash: key_hash(vault, &key),
        key_sealed: vault.seal(SEALED, &[&sealed_for(collection.id, number)], key.as_bytes())?,
        secret_hash: secret_hash(vault, &secret),
    };
    store::insert_key(tx, &row, now)?;
    let event = Event {
        stream: Stream::Asset(collection.id),
        actor: Actor { user, wallet }.name(),
        action: match present {
            None => "certhis_key.created",
            Some(_) => "certhis_key.rotated",
        },
        asset: Some(collection.id),
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
            let by = By {
                name: "system".to_owned(),
                user: None,
                now,
            };
            let new = NewUser {
                name: format!("Owner of a collection {wallet}"),
                wallet,
            };
            Ok(access::create_user(tx, by, new)?.id)
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
