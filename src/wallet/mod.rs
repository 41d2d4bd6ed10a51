//! Wallet verification: how a user shows, beside the API key, that it is really them who asks.
//!
//! *Method*: PINCODE, OTP (a time-based one-time password) or SECRET_CODES (sixteen codes for one use each). *Set up*:
//! confirmed; a one-time password is after its first good code, secret codes once their owner says they are stored.
//! *Proof*: a code was right; *spent* in the transaction of the change it is for.
//!
//! The path of a code: [`Verifier::prove`] checks it before any lock is taken, [`spend`] makes sure inside the transaction
//! that nothing changed meanwhile, and uses up what may be used once.
//!
//! Invariants: an attempt is counted in the database before its code is looked at, so that five wrong codes in a row lock
//! the method however many are shown at once, to however many processes, across restarts; a time step or a secret code is
//! accepted once; what was begun with the API key alone never outlives the set-up of the first method; a changed, removed
//! or locked credential makes every earlier proof stale; no code, seed or PIN is stored or logged in a form that can be
//! read without the keys outside the database.
//!
//! Limits: locks last 15 minutes, doubling to 24 hours, until a success; a PIN that was right is remembered in memory for
//! less than 60 s. Source: `dalp.md` A8, RFC 6238, RFC 9106.

mod attempt;
mod codes;
mod memory;
mod model;
mod otp;
mod pin;
mod pool;
mod rules;
mod spending;
mod store;
#[cfg(test)]
mod tests;
mod verifier;

use serde_json::{Value, json};

pub use codes::SecretCodes;
pub use model::{Algorithm, AlgorithmError, Method, MethodError, MethodStatus, Proof, Shown, Spend};
pub use otp::Enrolment;
pub use pin::{Pin, PinError, PinHash};
pub use verifier::Verifier;

use crate::access::{self, By, User, Vault};
use crate::audit::{self, Event, Stream};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, Timestamp, UserId};
use model::{Credential, Evidence};
use rules::Attempts;

/// The methods of a user, set up or pending, in the order of their names.
pub fn methods_of(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<MethodStatus>, Error> {
    let credentials = store::credentials_of(tx, user)?;
    let status = |credential: Credential| MethodStatus {
        method: credential.method,
        confirmed: credential.confirmed,
        locked_until: credential.attempts.locked_until,
    };
    Ok(credentials.into_iter().map(status).collect())
}

/// What a user can verify with: `verificationTypes` of the reference.
pub fn set_up_methods(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Method>, Error> {
    let confirmed = methods_of(tx, user)?.into_iter().filter(|status| status.confirmed);
    Ok(confirmed.map(|status| status.method).collect())
}

/// Whether a change of methods needs a code: from the first method on.
pub fn needs_code(tx: &mut Tx<'_>, user: UserId) -> Result<bool, Error> {
    Ok(rules::protection(&store::credentials_of(tx, user)?).is_some())
}

/// Secret codes of the user's set that are still unused.
pub fn secret_codes_left(tx: &mut Tx<'_>, user: UserId) -> Result<i64, Error> {
    store::codes_left(tx, user)
}

// --- PIN ------------------------------------------------------------------------------------------------------------

/// Sets the first PIN. A user who has no method yet needs nothing but the API key; this holds for every set-up below.
///
/// Errors: `Conflict` when there is a PIN; `Invalid` when a code is needed and was not shown.
pub fn enable_pin(tx: &mut Tx<'_>, ctx: &Ctx, pin: &PinHash, shown: Shown) -> Result<(), Error> {
    access::lock_user(tx, ctx.actor.user)?;
    may_enable_pin(tx, ctx, shown)?;
    forget_unproven(tx, ctx, Method::Pincode)?;
    put_pin(tx, ctx, pin, None)?;
    record(tx, ctx, "verification.enabled", Method::Pincode)
}

/// Whether [`enable_pin`] would refuse: asked before the PIN is hashed, so that nobody makes us hash for nothing.
pub fn may_enable_pin(tx: &mut Tx<'_>, ctx: &Ctx, shown: Shown) -> Result<(), Error> {
    let credentials = store::credentials_of(tx, ctx.actor.user)?;
    rules::may_change(&credentials, shown)?;
    if credentials
        .iter()
        .any(|credential| credential.method == Method::Pincode)
    {
        return Err(Error::Conflict("PINCODE is set up already: update it".to_owned()));
    }
    Ok(())
}

/// Replaces the PIN; its lock ends, because the guesses were at the old one.
///
/// Errors: `VerificationMissing` when there is no PIN; `Invalid` when no code was shown.
pub fn change_pin(tx: &mut Tx<'_>, ctx: &Ctx, pin: &PinHash, shown: Shown) -> Result<(), Error> {
    access::lock_user(tx, ctx.actor.user)?;
    may_change_pin(tx, ctx, shown)?;
    let before = store::credential_of(tx, ctx.actor.user, Method::Pincode)?.ok_or(missing(Method::Pincode))?;
    put_pin(tx, ctx, pin, Some(before.version))?;
    record(tx, ctx, "verification.changed", Method::Pincode)
}

/// Whether [`change_pin`] would refuse: asked before the PIN is hashed, as for [`may_enable_pin`].
pub fn may_change_pin(tx: &mut Tx<'_>, ctx: &Ctx, shown: Shown) -> Result<(), Error> {
    may_change_existing(tx, ctx, Method::Pincode, shown)
}

fn put_pin(tx: &mut Tx<'_>, ctx: &Ctx, pin: &PinHash, before: Option<i64>) -> Result<(), Error> {
    if pin.user != ctx.actor.user {
        return Err(Error::internal("a PIN was hashed for another user"));
    }
    let version = rules::next_version(before, ctx.now);
    let new = credential(ctx, Method::Pincode, version, pin.text.clone(), Confirmed::Yes);
    store::put(tx, &new, ctx.now)
}

// --- one-time password ----------------------------------------------------------------------------------------------

/// Begins (or begins anew) the set-up of a one-time password; it counts from [`confirm_otp`] on.
///
/// Errors: `Conflict` when one is set up; `Invalid` when a code is needed and was not shown.
pub fn begin_otp(tx: &mut Tx<'_>, vault: &Vault, ctx: &Ctx, enrolment: &Enrolment, shown: Shown) -> Result<(), Error> {
    authorize(tx, ctx, shown)?;
    let before = store::credential_of(tx, ctx.actor.user, Method::Otp)?;
    if before.as_ref().is_some_and(|credential| credential.confirmed) {
        return Err(Error::Conflict("OTP is set up already: disable it first".to_owned()));
    }
    let version = rules::next_version(before.map(|credential| credential.version), ctx.now);
    let secret = enrolment.seal(vault, ctx.actor.user, version)?;
    let new = Credential {
        algorithm: enrolment.algorithm,
        ..credential(ctx, Method::Otp, version, secret, Confirmed::NotYet)
    };
    store::put(tx, &new, ctx.now)?;
    record(tx, ctx, "verification.begun", Method::Otp)
}

/// Ends the set-up with the proof of [`Verifier::prove_enrolment`]; its time step is used up.
///
/// Errors: `Conflict` when the enrolment was confirmed or replaced meanwhile.
pub fn confirm_otp(tx: &mut Tx<'_>, ctx: &Ctx, first: &Proof) -> Result<(), Error> {
    let Evidence::Step(step) = first.evidence else {
        return Err(Error::internal("a one-time password is confirmed by a time step"));
    };
    access::lock_user(tx, ctx.actor.user)?;
    forget_unproven(tx, ctx, Method::Otp)?;
    if !store::confirm(tx, ctx.actor.user, Method::Otp, first.version, Some(step), ctx.now)? {
        return Err(Error::Conflict(
            "The enrolment was confirmed or replaced meanwhile".to_owned(),
        ));
    }
    record(tx, ctx, "verification.enabled", Method::Otp)
}

// --- secret codes ---------------------------------------------------------------------------------------------------

/// Stores a new set. It counts from [`confirm_codes`] on; until then the set before it does, so that an answer that got
/// lost on its way leaves nobody without codes.
///
/// Errors: `Invalid` when a code is needed and was not shown.
pub fn put_codes(tx: &mut Tx<'_>, vault: &Vault, ctx: &Ctx, set: &SecretCodes, shown: Shown) -> Result<(), Error> {
    use secrecy::ExposeSecret as _;
    authorize(tx, ctx, shown)?;
    let user = ctx.actor.user;
    let before = store::credential_of(tx, user, Method::SecretCodes)?;
    let version = rules::next_version(before.as_ref().map(rules::newest_set), ctx.now);
    let counting = before.filter(|set| set.confirmed);
    store::delete_codes(tx, user, counting.as_ref().map(|set| set.version))?;
    match counting {
        Some(set) => store::put_pending_set(tx, &set, version, ctx.now)?,
        None => {
            let new = credential(ctx, Method::SecretCodes, version, String::new(), Confirmed::NotYet);
            store::put(tx, &new, ctx.now)?;
        }
    }
    let hashes = set
        .as_slice()
        .iter()
        .map(|code| codes::hash(vault, user, code.expose_secret()));
    let hashes: Vec<_> = hashes.collect();
    store::insert_codes(tx, user, version, &hashes)?;
    record(tx, ctx, "verification.begun", Method::SecretCodes)
}

/// The owner says that the codes are stored: they count, and those of the set before end.
///
/// Errors: `VerificationMissing` when there is no set, `Conflict` when the newest is confirmed.
pub fn confirm_codes(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
    let method = Method::SecretCodes;
    access::lock_user(tx, ctx.actor.user)?;
    let set = store::credential_of(tx, ctx.actor.user, method)?;
    if let Some(version) = set.as_ref().and_then(rules::pending_set) {
        let new = credential(ctx, method, version, String::new(), Confirmed::Yes);
        store::put(tx, &new, ctx.now)?;
        store::delete_codes(tx, ctx.actor.user, Some(version))?;
        return record(tx, ctx, "verification.changed", method);
    }
    let set = rules::usable(set, method, rules::Stage::Pending)?;
    forget_unproven(tx, ctx, method)?;
    if !store::confirm(tx, ctx.actor.user, method, set.version, None, ctx.now)? {
        return Err(Error::Conflict(
            "The set was confirmed or replaced meanwhile".to_owned(),
        ));
    }
    record(tx, ctx, "verification.enabled", method)
}

// --- use ------------------------------------------------------------------------------------------------------------

/// Spends proofs in the transaction of what they are for: one answer each, in order, judged one after the other. Time
/// steps and secret codes are used up whether or not the rules refuse afterwards, so the caller commits.
///
/// A fixed number of statements whatever the number of proofs; for PINs alone it is one `SELECT` without a lock. Rows
/// that are written are locked in the order of user ids.
pub fn spend(tx: &mut Tx<'_>, proofs: &[Proof], now: Timestamp) -> Result<Vec<Spend>, Error> {
    if proofs.is_empty() {
        return Ok(Vec::new());
    }
    spending::spend(tx, proofs, now)
}

// --- end ------------------------------------------------------------------------------------------------------------

/// Removes a method. Errors: `VerificationMissing` when it is not there; `Invalid` when no code was shown.
pub fn remove(tx: &mut Tx<'_>, ctx: &Ctx, method: Method, shown: Shown) -> Result<(), Error> {
    authorize_existing(tx, ctx, method, shown)?;
    store::remove(tx, ctx.actor.user, method)?;
    record(tx, ctx, "verification.removed", method)
}

/// Removes every method of a user who can show none of them any more; they begin anew with the API key alone. Says which
/// methods that were.
pub fn reset(tx: &mut Tx<'_>, by: impl Into<By>, user: &User) -> Result<Vec<Method>, Error> {
    let methods: Vec<Method> = methods_of(tx, user.id)?
        .into_iter()
        .map(|status| status.method)
        .collect();
    for method in &methods {
        store::remove(tx, user.id, *method)?;
    }
    record_for(
        tx,
        &by.into(),
        &user.wallet,
        "verification.reset",
        json!({ "user": user.id, "methods": names(&methods) }),
    )?;
    Ok(methods)
}

/// Ends every lock of a user and forgets the wrong codes. Says which methods had any.
pub fn unlock(tx: &mut Tx<'_>, by: impl Into<By>, user: &User) -> Result<Vec<Method>, Error> {
    let counted = store::credentials_of(tx, user.id)?.into_iter();
    let counted: Vec<Credential> = counted.filter(|known| known.attempts != Attempts::default()).collect();
    for credential in &counted {
        store::put_attempts(tx, credential, Attempts::default())?;
    }
    let methods: Vec<Method> = counted.iter().map(|credential| credential.method).collect();
    record_for(
        tx,
        &by.into(),
        &user.wallet,
        "verification.unlocked",
        json!({ "user": user.id, "methods": names(&methods) }),
    )?;
    Ok(methods)
}

// --- details --------------------------------------------------------------------------------------------------------

/// The row of the user is locked: two set-ups at once must not both be the first.
fn authorize(tx: &mut Tx<'_>, ctx: &Ctx, shown: Shown) -> Result<(), Error> {
    access::lock_user(tx, ctx.actor.user)?;
    rules::may_change(&store::credentials_of(tx, ctx.actor.user)?, shown)
}

/// As [`authorize`], for a change of a method that must be there.
fn authorize_existing(tx: &mut Tx<'_>, ctx: &Ctx, method: Method, shown: Shown) -> Result<(), Error> {
    access::lock_user(tx, ctx.actor.user)?;
    may_change_existing(tx, ctx, method, shown)
}

fn may_change_existing(tx: &mut Tx<'_>, ctx: &Ctx, method: Method, shown: Shown) -> Result<(), Error> {
    let credentials = store::credentials_of(tx, ctx.actor.user)?;
    if !credentials.iter().any(|credential| credential.method == method) {
        return Err(missing(method));
    }
    rules::may_change(&credentials, shown)
}

/// When the first method comes to count, everything else that was begun with the API key alone ends: else whoever knew
/// the key before could finish it afterwards, without a code.
fn forget_unproven(tx: &mut Tx<'_>, ctx: &Ctx, first: Method) -> Result<(), Error> {
    let credentials = store::credentials_of(tx, ctx.actor.user)?;
    if rules::protection(&credentials).is_some() {
        return Ok(());
    }
    for other in credentials.iter().filter(|credential| credential.method != first) {
        store::remove(tx, ctx.actor.user, other.method)?;
        record(tx, ctx, "verification.removed", other.method)?;
    }
    Ok(())
}

enum Confirmed {
    Yes,
    NotYet,
}

fn credential(ctx: &Ctx, method: Method, version: i64, secret: String, confirmed: Confirmed) -> Credential {
    Credential {
        user: ctx.actor.user,
        method,
        version,
        secret,
        algorithm: Algorithm::default(),
        confirmed: matches!(confirmed, Confirmed::Yes),
        attempts: Attempts::default(),
        last_step: None,
    }
}

fn missing(method: Method) -> Error {
    Error::VerificationMissing {
        method: method.as_str(),
    }
}

fn names(methods: &[Method]) -> Vec<&'static str> {
    methods.iter().map(|method| method.as_str()).collect()
}

fn record(tx: &mut Tx<'_>, ctx: &Ctx, action: &'static str, method: Method) -> Result<(), Error> {
    let data = json!({ "user": ctx.actor.user, "method": method.as_str() });
    record_for(tx, &ctx.into(), &ctx.actor.wallet, action, data)
}

fn record_for(tx: &mut Tx<'_>, by: &By, wallet: &Address, action: &'static str, data: Value) -> Result<(), Error> {
    let event = Event {
        stream: Stream::of_subject(wallet),
        actor: by.name.clone(),
        action,
        asset: None,
        operation: None,
        subjects: vec![*wallet],
        data,
    };
    audit::append(tx, by.now, vec![event])
}
