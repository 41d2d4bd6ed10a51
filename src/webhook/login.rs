//! Subscriptions whose receiver is shown a login of its own ([`Scheme::Certhis`]): a collection has one at most.
//!
//! A login is shown to one receiver, the origin (RFC 6454) that it was given for, and told to nobody but whoever gave it.

use super::secret::{Credentials, Login};
use super::store::{self, SealedSecrets};
use super::{
    NewSubscription, Registration, Scheme, Scope, Subscription, SubscriptionChange, Target, delete, found, update,
};
use crate::access::{By, Vault};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{AssetId, UserId, WebhookId};

/// Tells somebody who wants to be shown a login what happens in a collection, in the place of the target and login that the
/// collection had before.
///
/// Errors: `Invalid` for an empty list of events.
pub fn register_login(
    tx: &mut Tx<'_>,
    vault: &Vault,
    by: impl Into<By>,
    collection: AssetId,
    registration: Registration,
) -> Result<Subscription, Error> {
    let by = by.into();
    let Registration { target, login, events } = registration;
    let Some(known) = store::certhis_of(tx, collection)? else {
        let id = WebhookId::generate();
        let new = NewSubscription {
            scope: Scope::Collection(collection),
            target,
            scheme: Scheme::Certhis,
            events,
        };
        return found(tx, &by, id, new, &login.seal(vault, id)?);
    };
    let change = SubscriptionChange {
        target: Some(target),
        events,
        is_active: Some(true),
        login: Some(login),
    };
    update(tx, vault, by, known.id, &change)
}

/// What this user gave last for the collection: the target and the login in clear. None where somebody else gave them.
pub fn registered_login(
    tx: &mut Tx<'_>,
    vault: &Vault,
    collection: AssetId,
    user: UserId,
) -> Result<Option<(Target, Login)>, Error> {
    let Some(known) = of_user(tx, collection, user)? else {
        return Ok(None);
    };
    let sealed = store::secrets_of(tx, known.id)?;
    match Credentials::open(vault, known.id, known.scheme, &sealed.current)? {
        Credentials::Login(login) => Ok(Some((known.target, login))),
        Credentials::Signing(_) => Err(Error::internal("a webhook with a login has none")),
    }
}

/// Deletes what this user registered for the collection; nothing where somebody else did.
pub fn end_login(tx: &mut Tx<'_>, by: By, collection: AssetId, user: UserId) -> Result<(), Error> {
    match of_user(tx, collection, user)? {
        Some(known) => delete(tx, by, known.id).map(|_| ()),
        None => Ok(()),
    }
}

fn of_user(tx: &mut Tx<'_>, collection: AssetId, user: UserId) -> Result<Option<Subscription>, Error> {
    let known = store::certhis_of(tx, collection)?;
    Ok(known.filter(|known| known.created_by == Some(user)))
}

/// Whether a change may be made: another origin wants a login of its own.
pub(super) fn check(known: &Subscription, change: &SubscriptionChange) -> Result<(), Error> {
    let moves = change.target.as_ref().is_some_and(|to| !to.is_of_origin(&known.target));
    match (known.scheme, &change.login) {
        (Scheme::Certhis, None) if moves => {
            let message = "is required with a url of another origin: the receiver of before is shown the old one alone";
            Err(Error::invalid("login", message))
        }
        (Scheme::Immutable | Scheme::Standard, Some(_)) => Err(Error::invalid("login", "is for certhis alone")),
        (Scheme::Certhis, Some(_)) | (Scheme::Certhis | Scheme::Immutable | Scheme::Standard, None) => Ok(()),
    }
}

/// A new login in the place of the old one; whoever gives it counts as who made the webhook.
pub(super) fn put(tx: &mut Tx<'_>, vault: &Vault, by: &By, id: WebhookId, login: &Login) -> Result<(), Error> {
    let secrets = SealedSecrets {
        current: login.seal(vault, id)?,
        retiring: None,
    };
    store::put_secrets(tx, id, &secrets, by.now)?;
    store::put_creator(tx, id, by.user)
}
