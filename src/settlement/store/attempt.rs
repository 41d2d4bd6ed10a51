use std::collections::HashMap;

use diesel::prelude::*;

use super::{column, number};
use crate::chain::{Fees, Signed};
use crate::db::schema::chain_attempts;
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::settlement::model::SenderKey;
use crate::settlement::sender::{Attempt, Content, Intent, Mark, Sending};
use crate::types::{Amount, Hash32, Timestamp};

type AttemptRow = (
    (i64, i32, bool, Amount, Amount, Option<Hash32>),
    (Option<i64>, Option<Timestamp>, Option<i64>, Option<Timestamp>),
    (bool, bool),
);

/// The attempts of these nonces, in the order of their numbers.
pub(super) fn attempts_of(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    nonces: &[i64],
) -> Result<HashMap<i64, Vec<Attempt>>, Error> {
    let query = chain_attempts::table
        .filter(chain_attempts::chain_id.eq(column(key.chain_id)?))
        .filter(chain_attempts::sender.eq(key.sender))
        .filter(chain_attempts::nonce.eq_any(nonces))
        .order((chain_attempts::nonce, chain_attempts::attempt))
        .select((
            (
                chain_attempts::nonce,
                chain_attempts::attempt,
                chain_attempts::noop,
                chain_attempts::fee_max,
                chain_attempts::fee_priority,
                chain_attempts::hash,
            ),
            (
                chain_attempts::first_block,
                chain_attempts::first_at,
                chain_attempts::last_block,
                chain_attempts::last_at,
            ),
            (chain_attempts::accepted, chain_attempts::refused),
        ));
    let rows: Vec<AttemptRow> = on!(tx, c => query.load(c))?;
    let mut found: HashMap<i64, Vec<Attempt>> = HashMap::new();
    for row in rows {
        found.entry(row.0.0).or_default().push(attempt(row)?);
    }
    Ok(found)
}

fn attempt(row: AttemptRow) -> Result<Attempt, Error> {
    let ((_, attempt, noop, max, priority, hash), (first_block, first_at, last_block, last_at), flags) = row;
    let mark = |block: Option<i64>, at: Option<Timestamp>| {
        let mark = block.zip(at).map(|(block, at)| {
            Ok::<_, Error>(Mark {
                block: number(block)?,
                at,
            })
        });
        mark.transpose()
    };
    let (accepted, refused) = flags;
    let last = mark(last_block, last_at)?;
    let sent = mark(first_block, first_at)?.map(|first| Sending { first, last, accepted });
    Ok(Attempt {
        number: u16::try_from(attempt).map_err(Error::internal)?,
        fees: Fees {
            max: wei(max)?,
            priority: wei(priority)?,
        },
        content: if noop { Content::Noop } else { Content::Work },
        hash,
        sent,
        refused,
    })
}

fn wei(amount: Amount) -> Result<u128, Error> {
    amount.to_string().parse().map_err(Error::internal)
}

/// Everything but the bytes and their hash.
pub(super) fn save_attempts(tx: &mut Tx<'_>, key: &SenderKey, intent: &Intent, now: Timestamp) -> Result<(), Error> {
    let attempts = &intent.attempts;
    let count = attempts.len();
    let firsts = Marks::of(attempts, |sending| Some(sending.first))?;
    let lasts = Marks::of(attempts, |sending| sending.last)?;
    let each = |of: fn(&Attempt) -> bool| attempts.iter().map(of).collect::<Vec<_>>();
    let fees = |of: fn(&Attempt) -> u128| attempts.iter().map(|one| Amount::of_wei(of(one))).collect::<Vec<_>>();
    Bulk::into("chain_attempts")
        .column("chain_id", vec![column(key.chain_id)?; count])
        .column("sender", vec![key.sender; count])
        .column("nonce", vec![column(intent.nonce)?; count])
        .column(
            "attempt",
            attempts.iter().map(|one| i32::from(one.number)).collect::<Vec<_>>(),
        )
        .column("noop", each(|one| one.content == Content::Noop))
        .column("fee_max", fees(|one| one.fees.max))
        .column("fee_priority", fees(|one| one.fees.priority))
        .column("first_block", firsts.blocks)
        .column("first_at", firsts.times)
        .column("last_block", lasts.blocks)
        .column("last_at", lasts.times)
        .column(
            "accepted",
            each(|one| one.sent.as_ref().is_some_and(|sending| sending.accepted)),
        )
        .column("refused", each(|one| one.refused))
        .column("created_at", vec![now; count])
        .on_conflict(
            "ON CONFLICT (chain_id, sender, nonce, attempt) DO UPDATE SET first_block = excluded.first_block, \
             first_at = excluded.first_at, last_block = excluded.last_block, last_at = excluded.last_at, \
             accepted = excluded.accepted, refused = excluded.refused, noop = excluded.noop, \
             fee_max = excluded.fee_max, fee_priority = excluded.fee_priority",
        )
        .execute(tx)?;
    Ok(())
}

/// One kind of mark of some attempts, as columns.
struct Marks {
    blocks: Vec<Option<i64>>,
    times: Vec<Option<Timestamp>>,
}

impl Marks {
    fn of(attempts: &[Attempt], which: fn(&Sending) -> Option<Mark>) -> Result<Self, Error> {
        let marks = attempts.iter().map(|one| one.sent.as_ref().and_then(which));
        let (mut blocks, mut times) = (Vec::new(), Vec::new());
        for mark in marks {
            blocks.push(mark.map(|mark| column(mark.block)).transpose()?);
            times.push(mark.map(|mark| mark.at));
        }
        Ok(Self { blocks, times })
    }
}

/// Keeps the signed bytes of an attempt, their hash and what they do: from here on they are what is sent (rule 4).
/// `Conflict` when the attempt has bytes already: those stay.
pub(in super::super) fn store_signed(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    (nonce, attempt): (u64, u16),
    signed: &Signed,
    content: Content,
) -> Result<(), Error> {
    let row = chain_attempts::table
        .filter(chain_attempts::chain_id.eq(column(key.chain_id)?))
        .filter(chain_attempts::sender.eq(key.sender))
        .filter(chain_attempts::nonce.eq(column(nonce)?))
        .filter(chain_attempts::attempt.eq(i32::from(attempt)))
        .filter(chain_attempts::hash.is_null());
    let change = (
        chain_attempts::raw.eq(&signed.raw),
        chain_attempts::hash.eq(signed.hash),
        chain_attempts::noop.eq(content == Content::Noop),
    );
    let changed = on!(tx, c => diesel::update(row).set(change).execute(c))?;
    if changed == 1 {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "attempt {attempt} at nonce {nonce} has bytes already, or is not stored"
    )))
}

/// The stored bytes of an attempt.
pub(in super::super) fn raw_of(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    nonce: u64,
    attempt: u16,
) -> Result<Option<Vec<u8>>, Error> {
    let row = chain_attempts::table
        .find((column(key.chain_id)?, key.sender, column(nonce)?, i32::from(attempt)))
        .select(chain_attempts::raw);
    let raw: Option<Option<Vec<u8>>> = on!(tx, c => row.first(c).optional())?;
    Ok(raw.flatten())
}
