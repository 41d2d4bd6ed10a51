//! Spending proofs, for a whole group of requests at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::model::{Credential, Evidence};
use super::rules::{self, Worth};
use super::{Method, Proof, Spend, attempt, store};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Hash32, Timestamp, UserId};

/// The credentials and codes of a group, with what earlier proofs of the group already took.
struct Round {
    credentials: HashMap<(UserId, Method), Credential>,
    unused: HashSet<Hash32>,
    steps: BTreeMap<i64, BTreeSet<UserId>>,
    codes: Vec<Hash32>,
}

pub(super) fn spend(tx: &mut Tx<'_>, proofs: &[Proof], now: Timestamp) -> Result<Vec<Spend>, Error> {
    let mut round = Round::open(tx, proofs)?;
    let worths: Vec<Worth> = proofs.iter().map(|proof| round.take(proof, now)).collect();
    round.write(tx, proofs, now)?;

    let replayed = proofs
        .iter()
        .zip(&worths)
        .filter(|(_, worth)| **worth == Worth::Replayed);
    let replayed: Vec<&Proof> = replayed.map(|(proof, _)| proof).collect();
    attempt::record_replay(tx, now, &replayed)?;

    let answers = proofs.iter().zip(worths).map(|(proof, worth)| match worth {
        Worth::Good => Spend::Spent,
        Worth::Stale => Spend::Stale,
        Worth::Replayed => Spend::Refused(round.refusal(proof)),
    });
    Ok(answers.collect())
}

impl Round {
    /// Rows that will be written are locked in the order of user ids; PINs are only read.
    fn open(tx: &mut Tx<'_>, proofs: &[Proof]) -> Result<Self, Error> {
        let pins = users_of(proofs, |method| method == Method::Pincode);
        let used_up = users_of(proofs, |method| method != Method::Pincode);
        let of_codes = users_of(proofs, |method| method == Method::SecretCodes);
        let mut credentials = HashMap::new();
        if !pins.is_empty() {
            credentials.extend(store::current(tx, Method::Pincode, &pins)?);
        }
        if !used_up.is_empty() {
            credentials.extend(store::lock_current(tx, &used_up)?);
        }
        let unused = if of_codes.is_empty() {
            HashSet::new()
        } else {
            store::unused_codes(tx, &of_codes, &codes_of(proofs))?
        };
        Ok(Self {
            credentials,
            unused,
            steps: BTreeMap::new(),
            codes: Vec::new(),
        })
    }

    /// What this proof is worth after those before it; a good one is taken.
    fn take(&mut self, proof: &Proof, now: Timestamp) -> Worth {
        let credential = self.credentials.get_mut(&(proof.user, proof.method()));
        let worth = rules::worth(proof, credential.as_deref(), now);
        if worth != Worth::Good {
            return worth;
        }
        match proof.evidence {
            Evidence::Pin => Worth::Good,
            Evidence::Step(step) => {
                if let Some(credential) = credential {
                    credential.last_step = Some(step);
                }
                self.steps.entry(step).or_default().insert(proof.user);
                Worth::Good
            }
            Evidence::Code(hash) => {
                if !self.unused.remove(&hash) {
                    return Worth::Replayed;
                }
                self.codes.push(hash);
                Worth::Good
            }
        }
    }

    /// One statement per time step (a group sees three of them at most) and one for all codes.
    fn write(&self, tx: &mut Tx<'_>, proofs: &[Proof], now: Timestamp) -> Result<(), Error> {
        for (step, users) in &self.steps {
            let users: Vec<UserId> = users.iter().copied().collect();
            store::accept_step(tx, &users, *step)?;
        }
        if !self.codes.is_empty() {
            let users = users_of(proofs, |method| method == Method::SecretCodes);
            store::use_codes(tx, &users, &self.codes, now)?;
        }
        Ok(())
    }

    fn refusal(&self, proof: &Proof) -> Error {
        let known = self.credentials.get(&(proof.user, proof.method()));
        let attempts = known.map(|credential| credential.attempts).unwrap_or_default();
        rules::failed(proof.method(), attempts)
    }
}

/// Each user once, in order.
fn users_of(proofs: &[Proof], wanted: impl Fn(Method) -> bool) -> Vec<UserId> {
    let users = proofs
        .iter()
        .filter(|proof| wanted(proof.method()))
        .map(|proof| proof.user);
    users.collect::<BTreeSet<_>>().into_iter().collect()
}

fn codes_of(proofs: &[Proof]) -> Vec<Hash32> {
    let codes = proofs.iter().filter_map(|proof| match proof.evidence {
        Evidence::Code(hash) => Some(hash),
        Evidence::Pin | Evidence::Step(_) => None,
    });
    codes.collect()
}
