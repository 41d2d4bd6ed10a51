//! Identities of people and assets, and their keys.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::store::{self, NewIdentity};
use super::{Change, Identity, IdentityFilter, KeyPurpose, Kind, record, rules};
use crate::access::{self, Permission, Scope};
use crate::audit::Stream;
use crate::chain::key_hash;
use crate::ctx::Ctx;
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::ledger;
use crate::types::{Address, CountryCode, IdentityId, Timestamp};

const UNKNOWN: Error = Error::NotFound("identity");

/// Creates the identity of a wallet; the wallet becomes its management key and its claim signer.
///
/// One's own wallet needs no right, another one `Permission::CreateIdentity`. `Conflict` when the wallet has an identity.
pub fn create(tx: &mut Tx<'_>, ctx: &Ctx, wallet: Address) -> Result<Identity, Error> {
    may_create(tx, ctx, &wallet)?;
    refuse_zero(&wallet)?;
    if !store::by_wallets(tx, &[wallet])?.is_empty() {
        return Err(Error::Conflict("The wallet has an identity".to_owned()));
    }
    let new = new_identity(Kind::Account, wallet);
    store::insert_identities(tx, std::slice::from_ref(&new), ctx.now)?;
    let identity = as_created(&new, ctx.now);
    record(
        tx,
        ctx,
        Change {
            stream: Stream::of_subject(&wallet),
            action: "identity.created",
            subjects: vec![wallet, identity.address],
            data: json!({ "identity": identity.address, "account": wallet }),
        },
    )?;
    Ok(identity)
}

/// Whether the caller may create the identity of this wallet: the right that [`create`] asks for.
pub fn may_create(tx: &mut Tx<'_>, ctx: &Ctx, wallet: &Address) -> Result<(), Error> {
    if *wallet == ctx.actor.wallet {
        return Ok(());
    }
    access::require(tx, ctx, Permission::CreateIdentity, Scope::System)
}

/// The identity of an asset that is being created in this transaction; the asset's own event tells of it.
pub fn create_for_asset(tx: &mut Tx<'_>, now: Timestamp, asset: Address) -> Result<(IdentityId, Address), Error> {
    let new = new_identity(Kind::Asset, asset);
    store::insert_identities(tx, std::slice::from_ref(&new), now)?;
    Ok((new.id, new.address))
}

/// Registers the identity of a wallet in a country; registering it in another country moves it there, together with the
/// counts of holders by country.
///
/// `Forbidden` without `Permission::RegisterIdentity`, `NotFound` without an identity, `Conflict` when it is registered
/// in this country.
pub fn register(tx: &mut Tx<'_>, ctx: &Ctx, wallet: Address, country: CountryCode) -> Result<Identity, Error> {
    access::require(tx, ctx, Permission::RegisterIdentity, Scope::System)?;
    lock_for_registration(tx, &wallet)?;
    let identity = by_wallet(tx, &wallet)?;
    // Read again under the lock: counts move from the country that is left to the one that is entered.
    store::lock_many(tx, &[identity.id])?;
    let identity = by_wallet(tx, &wallet)?;
    if identity.kind == Kind::Asset {
        return Err(Error::Conflict("The identity of an asset is not registered".to_owned()));
    }
    if identity.registered && identity.country == Some(country) {
        let message = format!("The identity is registered in {country}");
        return Err(Error::Conflict(message));
    }
    write_registrations(tx, ctx, &[(&identity, country)])?;
    by_wallet(tx, &wallet)
}

/// The first locks of [`register`]: the assets whose counts of holders by country may move. Whoever locks something else in
/// the same transaction asks for these before.
pub fn lock_for_registration(tx: &mut Tx<'_>, wallet: &Address) -> Result<(), Error> {
    let known = store::by_wallets(tx, &[*wallet])?;
    lock_assets_of(tx, &known)
}

/// Who is registered nowhere is counted nowhere.
fn lock_assets_of(tx: &mut Tx<'_>, identities: &[Identity]) -> Result<(), Error> {
    let counted = identities.iter().filter(|identity| identity.registered);
    let counted: Vec<IdentityId> = counted.map(|identity| identity.id).collect();
    if counted.is_empty() {
        return Ok(());
    }
    ledger::lock_held_by(tx, &counted)
}

/// Creates and registers the identities of many wallets: a fixed number of statements for those that hold nothing yet. A
/// wallet that is registered in its country already stays as it is.
///
/// `Forbidden` without `Permission::RegisterIdentity` and `Permission::CreateIdentity`; `Invalid` when a wallet comes
/// twice or is zero. All or nothing.
pub fn register_many(tx: &mut Tx<'_>, ctx: &Ctx, entries: &[(Address, CountryCode)]) -> Result<Vec<Identity>, Error> {
    access::require(tx, ctx, Permission::CreateIdentity, Scope::System)?;
    access::require(tx, ctx, Permission::RegisterIdentity, Scope::System)?;
    let wallets: Vec<Address> = entries.iter().map(|(wallet, _)| *wallet).collect();
    refuse_repeated(&wallets)?;
    let known = store::by_wallets(tx, &wallets)?;
    lock_assets_of(tx, &known)?;
    let known: HashSet<Address> = known.iter().map(|identity| identity.account).collect();
    let missing: Vec<NewIdentity> = wallets
        .iter()
        .filter(|wallet| !known.contains(wallet))
        .map(|wallet| new_identity(Kind::Account, *wallet))
        .collect();
    store::insert_identities(tx, &missing, ctx.now)?;

    let countries: HashMap<Address, CountryCode> = entries.iter().copied().collect();
    let ids: Vec<IdentityId> = store::by_wallets(tx, &wallets)?.iter().map(|i| i.id).collect();
    store::lock_many(tx, &ids)?;
    let identities = store::by_wallets(tx, &wallets)?;
    let changed: Vec<(&Identity, CountryCode)> = identities
        .iter()
        .filter(|identity| identity.kind == Kind::Account)
        .filter_map(|identity| Some((identity, *countries.get(&identity.account)?)))
        .filter(|(identity, country)| !identity.registered || identity.country != Some(*country))
        .collect();
    write_registrations(tx, ctx, &changed)?;
    store::by_wallets(tx, &wallets)
}

fn write_registrations(tx: &mut Tx<'_>, ctx: &Ctx, entries: &[(&Identity, CountryCode)]) -> Result<(), Error> {
    for (identity, country) in entries.iter().filter(|(identity, _)| identity.registered) {
        ledger::move_country(tx, identity.id, identity.country, Some(*country))?;
    }
    store::register_many(tx, entries, ctx.now)?;
    let wallets: Vec<Address> = entries.iter().map(|(identity, _)| identity.account).collect();
    store::note_changes(tx, &wallets, ctx.now)?;
    let lines: Vec<_> = entries
        .iter()
        .map(|(identity, country)| {
            json!({
                "identity": identity.address, "account": identity.account, "country": country,
                "countryBefore": identity.country,
            })
        })
        .collect();
    let stream = match entries {
        [] => return Ok(()),
        [(identity, _)] => Stream::of_subject(&identity.account),
        [_, ..] => Stream::of_subject(&ctx.actor.wallet),
    };
    let subjects = entries.iter().flat_map(|(i, _)| [i.account, i.address]).collect();
    record(
        tx,
        ctx,
        Change {
            stream,
            action: "identity.registered",
            subjects,
            data: json!({ "identities": lines }),
        },
    )
}

/// Gives an account a key on an identity: with `KeyPurpose::ClaimSigner` what it signs is a claim of that identity.
///
/// One's own identity needs no right, another one `Permission::RegisterIdentity`. `Conflict` when it has the key.
pub fn add_key(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    identity: &Address,
    account: &Address,
    purpose: KeyPurpose,
) -> Result<(), Error> {
    let identity = whose_keys(tx, ctx, identity)?;
    if !store::insert_key(tx, identity.id, key_hash(account), purpose)? {
        return Err(Error::Conflict("The identity has this key".to_owned()));
    }
    record_key(tx, ctx, &identity, account, purpose, "identity.key_added")
}

/// Takes a key away: claims that were signed with it stop counting.
///
/// One's own identity needs no right, another one `Permission::RegisterIdentity`. `NotFound` when it has no such key.
pub fn remove_key(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    identity: &Address,
    account: &Address,
    purpose: KeyPurpose,
) -> Result<(), Error> {
    let identity = whose_keys(tx, ctx, identity)?;
    if !store::remove_key(tx, identity.id, key_hash(account), purpose)? {
        return Err(Error::NotFound("key"));
    }
    record_key(tx, ctx, &identity, account, purpose, "identity.key_removed")
}

fn whose_keys(tx: &mut Tx<'_>, ctx: &Ctx, address: &Address) -> Result<Identity, Error> {
    let own = store::by_wallets(tx, &[ctx.actor.wallet])?.into_iter().next();
    if let Some(own) = own.filter(|own| own.address == *address) {
        return Ok(own);
    }
    access::require(tx, ctx, Permission::RegisterIdentity, Scope::System)?;
    by_address(tx, address)
}

fn record_key(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    identity: &Identity,
    account: &Address,
    purpose: KeyPurpose,
    action: &'static str,
) -> Result<(), Error> {
    record(
        tx,
        ctx,
        Change {
            stream: Stream::of_subject(&identity.account),
            action,
            subjects: vec![identity.account, identity.address],
            data: json!({ "identity": identity.address, "keyOf": account, "purpose": purpose.number() }),
        },
    )
}

/// The identity that a wallet or an asset address belongs to; `NotFound` when there is none.
pub fn by_wallet(tx: &mut Tx<'_>, wallet: &Address) -> Result<Identity, Error> {
    store::by_wallets(tx, &[*wallet])?.into_iter().next().ok_or(UNKNOWN)
}

/// The identity with this address; `NotFound` when there is none.
pub fn by_address(tx: &mut Tx<'_>, address: &Address) -> Result<Identity, Error> {
    store::by_addresses(tx, &[*address])?.into_iter().next().ok_or(UNKNOWN)
}

/// The caller's own identity; `NotFound` when it was not created.
pub fn mine(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<Identity, Error> {
    by_wallet(tx, &ctx.actor.wallet)
}

/// The identity of a wallet for somebody who asks: one's own, or with `Permission::ReadIdentity`.
pub fn read_by_wallet(tx: &mut Tx<'_>, ctx: &Ctx, wallet: &Address) -> Result<Identity, Error> {
    if *wallet != ctx.actor.wallet {
        access::require(tx, ctx, Permission::ReadIdentity, Scope::System)?;
    }
    by_wallet(tx, wallet)
}

/// An identity for somebody who asks: one's own, or with `Permission::ReadIdentity`.
pub fn read_by_address(tx: &mut Tx<'_>, ctx: &Ctx, address: &Address) -> Result<Identity, Error> {
    let found = store::by_addresses(tx, &[*address])?.into_iter().next();
    match found {
        Some(identity) if identity.account == ctx.actor.wallet => Ok(identity),
        found => {
            access::require(tx, ctx, Permission::ReadIdentity, Scope::System)?;
            found.ok_or(UNKNOWN)
        }
    }
}

/// Identities that match, oldest first, how many there are, and the cursor of the next page.
///
/// `Forbidden` without `Permission::ListIdentities`.
pub fn list(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    filter: &IdentityFilter,
    page: &Page,
) -> Result<(Vec<Identity>, i64, Option<String>), Error> {
    access::require(tx, ctx, Permission::ListIdentities, Scope::System)?;
    let (identities, cursor) = store::list(tx, filter, page)?;
    Ok((identities, store::count(tx, filter)?, cursor))
}

fn new_identity(kind: Kind, account: Address) -> NewIdentity {
    let key = key_hash(&account);
    let keys = match kind {
        Kind::Account => vec![(key, KeyPurpose::Management), (key, KeyPurpose::ClaimSigner)],
        // Nobody holds the key of an asset's address.
        Kind::Asset => Vec::new(),
    };
    NewIdentity {
        id: IdentityId::generate(),
        address: rules::identity_address(&account),
        kind,
        account,
        keys,
    }
}

fn as_created(new: &NewIdentity, now: Timestamp) -> Identity {
    Identity {
        id: new.id,
        address: new.address,
        kind: new.kind,
        account: new.account,
        registered: false,
        country: None,
        registered_at: None,
        created_at: now,
    }
}

fn refuse_zero(wallet: &Address) -> Result<(), Error> {
    if wallet.is_zero() {
        return Err(Error::invalid("wallet", "must not be the zero address"));
    }
    Ok(())
}

fn refuse_repeated(wallets: &[Address]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for wallet in wallets {
        refuse_zero(wallet)?;
        if !seen.insert(wallet) {
            return Err(Error::invalid("wallet", format!("{wallet} is named twice")));
        }
    }
    Ok(())
}
