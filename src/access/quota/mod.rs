//! How much may be done how fast: token buckets, exact across processes and restarts.
//!
//! *Bucket*: holds at most `burst` tokens and is refilled evenly. *Unit*: a token is as many units as its window has
//! microseconds, so that every microsecond adds a whole number of them: nothing is rounded, ever. *Standing*: what is left
//! after a request, and when there is more.
//!
//! [`take`] is one statement, the same text for both databases: it waits for whoever holds the row, computes from what is
//! there, and takes all tokens or none. The clock is the caller's; where it lies behind what another process has written,
//! no time has passed. Source: immutable.md section 3.3 and seed 000, "Rate Limits".

mod bucket;
mod clients;
mod store;
#[cfg(test)]
mod tests;

pub use bucket::{Bucket, Rate, Standing};
pub use clients::{ClientRates, Rates};

use crate::db::Tx;
use crate::error::Error;
use crate::types::Timestamp;

/// Whose bucket it is, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// An environment, or a rate-limit key.
    pub subject: String,
    /// `mint`, `refresh_tokens` …; with what changes the size of a unit.
    pub kind: String,
}

impl Account {
    pub fn new(subject: impl ToString, kind: &str, rate: Rate) -> Self {
        Self {
            subject: subject.to_string(),
            kind: format!("{kind}/{}", rate.window_micros()),
        }
    }
}

/// What a request for tokens got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Granted(Standing),
    /// Nothing was taken; so many fit after `wait_micros`.
    Refused {
        standing: Standing,
        wait_micros: i64,
    },
}

/// Takes `tokens`, all or none. More than the bucket can ever hold is refused without a statement.
pub fn take(tx: &mut Tx<'_>, account: &Account, rate: Rate, tokens: i64, now: Timestamp) -> Result<Taken, Error> {
    if tokens < 1 || tokens > rate.burst() {
        return Err(Error::invalid(
            "",
            format!("at most {} can be asked for at once", rate.burst()),
        ));
    }
    let cost = rate.units(tokens);
    let (bucket, taken) = store::take(tx, account, rate, cost, now)?;
    let standing = bucket.standing(rate);
    if taken == cost {
        return Ok(Taken::Granted(standing));
    }
    let wait_micros = bucket.wait_micros(rate, tokens);
    Ok(Taken::Refused { standing, wait_micros })
}

/// Returns tokens of a request that came to nothing; never more than the bucket holds.
pub fn give_back(tx: &mut Tx<'_>, account: &Account, rate: Rate, tokens: i64) -> Result<(), Error> {
    store::give_back(tx, account, rate.capacity(), rate.units(tokens))
}
