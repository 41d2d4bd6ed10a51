//! One attempt to show a code: reserved before the code is looked at, judged, and settled.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::model::{Credential, Evidence};
use super::rules::{self, Attempts, Stage};
use super::{Method, Proof, codes, otp, store};
use crate::access::Vault;
use crate::audit::{self, Event, Stream};
use crate::ctx::Actor;
use crate::db::Tx;
use crate::error::Error;
use crate::types::Timestamp;

/// Attempts at once by which other processes can overtake one; more is a defect, because every fifth one locks.
const RACES_MAX: usize = 64;

/// Who shows a code of which method, and when.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    pub actor: Actor,
    pub now: Timestamp,
    pub method: Method,
    pub stage: Stage,
}

/// An attempt that is counted already, and what was there before.
pub(super) struct Reserved {
    pub attempt: Attempt,
    /// With the counters as they were read.
    pub credential: Credential,
    counted: Attempts,
}

pub(super) enum Judgement {
    Right(Evidence),
    /// It was right and is used up.
    UsedUp,
    Wrong,
}

/// Counts the attempt with one conditional update. The inner error is an answer for the caller and is committed.
pub(super) fn reserve(tx: &mut Tx<'_>, attempt: Attempt) -> Result<Result<Reserved, Error>, Error> {
    for _ in 0..RACES_MAX {
        let credential = store::credential_of(tx, attempt.actor.user, attempt.method)?;
        let credential = match rules::usable(credential, attempt.method, attempt.stage) {
            Ok(credential) => credential,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let counted = match credential.attempts.reserve(attempt.now) {
            Ok(counted) => counted,
            Err(seconds) => return Ok(Err(rules::limited(attempt.method, seconds))),
        };
        if store::count_attempt(tx, &credential, counted)? {
            return Ok(Ok(Reserved {
                attempt,
                credential,
                counted,
            }));
        }
    }
    Err(Error::Unavailable("too many codes are shown at once"))
}

/// A success gives back every attempt; a used-up code, whose sender knows the secret, gives back its own; a wrong one
/// stays counted and is recorded. The inner error is an answer for the caller and is committed.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    reserved: &Reserved,
    judgement: &Judgement,
) -> Result<Result<Proof, Error>, Error> {
    let Reserved {
        attempt,
        credential,
        counted,
    } = reserved;
    match judgement {
        Judgement::Right(evidence) => {
            store::put_attempts(tx, credential, Attempts::default())?;
            Ok(Ok(Proof {
                user: attempt.actor.user,
                wallet: attempt.actor.wallet,
                version: credential.version,
                evidence: *evidence,
            }))
        }
        Judgement::UsedUp => {
            store::put_attempts(tx, credential, credential.attempts)?;
            record(tx, attempt, credential.attempts, "used_up")?;
            Ok(Err(rules::failed(attempt.method, credential.attempts)))
        }
        Judgement::Wrong => {
            record(tx, attempt, *counted, "wrong")?;
            Ok(Err(rules::failed(attempt.method, *counted)))
        }
    }
}

/// A whole attempt with a method whose check costs nothing, in one transaction. It spends nothing.
pub(super) fn show(
    tx: &mut Tx<'_>,
    vault: &Vault,
    attempt: Attempt,
    code: &SecretString,
) -> Result<Result<Proof, Error>, Error> {
    let reserved = match reserve(tx, attempt)? {
        Ok(reserved) => reserved,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let judgement = judge(tx, vault, &reserved.credential, code.expose_secret(), attempt.now)?;
    settle(tx, &reserved, &judgement)
}

fn judge(
    tx: &mut Tx<'_>,
    vault: &Vault,
    credential: &Credential,
    code: &str,
    now: Timestamp,
) -> Result<Judgement, Error> {
    match credential.method {
        Method::Pincode => Err(Error::internal("a PIN is judged on the hashing pool")),
        Method::Otp => Ok(match otp::matching_step(vault, credential, code, now)? {
            None => Judgement::Wrong,
            Some(step) if credential.last_step.is_some_and(|last| step <= last) => Judgement::UsedUp,
            Some(step) => Judgement::Right(Evidence::Step(step)),
        }),
        Method::SecretCodes => {
            let hash = codes::hash(vault, credential.user, code);
            Ok(
                match store::is_code_used(tx, credential.user, credential.version, &hash)? {
                    None => Judgement::Wrong,
                    Some(true) => Judgement::UsedUp,
                    Some(false) => Judgement::Right(Evidence::Code(hash)),
                },
            )
        }
    }
}

/// The refused code is an event, and so is the lock it led to. No code is in either.
fn record(tx: &mut Tx<'_>, attempt: &Attempt, attempts: Attempts, reason: &str) -> Result<(), Error> {
    let event = |action, data| Event {
        stream: Stream::of_subject(&attempt.actor.wallet),
        actor: attempt.actor.name(),
        action,
        asset: None,
        operation: None,
        subjects: vec![attempt.actor.wallet],
        data,
    };
    let method = attempt.method.as_str();
    let mut events = vec![event(
        "verification.refused",
        json!({ "method": method, "reason": reason, "attemptsLeft": attempts.left() }),
    )];
    if let (Some(until), "wrong") = (attempts.locked_until, reason) {
        let data = json!({ "method": method, "lockedUntil": until, "lockCount": attempts.lock_count });
        events.push(event("verification.locked", data));
    }
    audit::append(tx, attempt.now, events)
}

/// A code that was right and that somebody else spent between the proof and now.
pub(super) fn record_replay(tx: &mut Tx<'_>, now: Timestamp, proofs: &[&Proof]) -> Result<(), Error> {
    let events = proofs.iter().map(|proof| Event {
        stream: Stream::of_subject(&proof.wallet),
        actor: format!("user:{}", proof.user),
        action: "verification.refused",
        asset: None,
        operation: None,
        subjects: vec![proof.wallet],
        data: json!({ "method": proof.method().as_str(), "reason": "used_up" }),
    });
    audit::append(tx, now, events.collect())
}
