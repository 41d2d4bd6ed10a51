//! Issuance of units: who asks, whether the rules allow it, and the one commit that writes it down.
//!
//! Requests for one asset wait in its lane ([`Lanes`]) and are taken together: [`issue`] is written for a group. Inside the
//! commit, with the asset's row locked, the order is that of dalp.md A6: role, replay of an idempotency key, spending of
//! the wallet verification, then the rules and the compliance modules for every line; each request is judged in its order
//! of arrival on the state that the accepted ones before it leave behind. Everything is decided in memory and then
//! written with set-based statements; accepted requests, refusals' events and spent codes are one commit.
//!
//! A request is all or nothing. After a crash every request whose answer was sent is there once, and nothing else is.

mod again;
mod check;
mod events;
mod facts;
mod lane;
mod model;
mod round;
mod rules;

pub use again::again;
pub use check::{CheckReport, check};
pub use lane::Lanes;
pub use model::{After, Issued, MintLine, Request, Stored, Target, Verdict};
pub use rules::{Judge, Reading};

use round::Round;

use crate::access;
use crate::asset;
use crate::db::Tx;
use crate::error::Error;
use crate::operation;
use crate::types::AssetId;

/// Judges and records the requests of one asset: one verdict per request, in order. No two of them share an idempotency
/// key (the lanes see to it).
///
/// Errors are about the group (the database), never about one of its requests.
pub fn issue(tx: &mut Tx<'_>, judge: &Judge, asset: AssetId, requests: &[Request]) -> Result<Vec<Verdict>, Error> {
    let asset = asset::lock(tx, asset)?;
    let mut round = Round::open(asset, requests, judge.now());

    round.check_roles(access::grants_of_asset(tx, round.asset_id())?);
    let answers = operation::remembered(tx, &round.idempotency_keys(), round.now())?;
    round.replay(&answers);
    round.spend(tx)?;

    // What was not created stays paused: of others it need not be asked.
    if round.asset().is_paused()
        && let Some(why) = operation::uncreated(tx, round.asset_id())?
    {
        round.refuse_all(&why);
    }
    let facts = facts::load(tx, judge, &round)?;
    round.judge(facts)?;
    round.write(tx, judge)
}
