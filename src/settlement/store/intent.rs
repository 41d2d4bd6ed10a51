use diesel::prelude::*;

use super::attempt::{attempts_of, save_attempts};
use super::{column, number};
use crate::db::schema::{chain_attempts, chain_intents, intent_operations};
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::settlement::model::{Order, Part, SenderKey, SettledIn};
use crate::settlement::sender::{Attempt, Attention, Cancelled, Intent, Known, Mined, Outcome, State, Work};
use crate::types::{Address, AssetId, Hash32, Timestamp};

/// The kind of an intent that only fills a nonce.
const FILLER: &str = "filler";

type IntentRow = (
    (i64, String, i64, String, bool),
    (Option<i32>, Option<i64>, Option<Hash32>, Option<bool>, Option<i64>),
    Option<String>,
);

/// The intents of a sender that are not closed, by nonce, with their attempts.
pub(in super::super) fn open_intents(tx: &mut Tx<'_>, key: &SenderKey) -> Result<Vec<Intent>, Error> {
    let chain = column(key.chain_id)?;
    let query = chain_intents::table
        .filter(chain_intents::chain_id.eq(chain))
        .filter(chain_intents::sender.eq(key.sender))
        .filter(chain_intents::state.ne("closed"))
        .order(chain_intents::nonce)
        .select((
            (
                chain_intents::nonce,
                chain_intents::kind,
                chain_intents::gas_limit,
                chain_intents::state,
                chain_intents::cancelled,
            ),
            (
                chain_intents::mined_attempt,
                chain_intents::block_number,
                chain_intents::block_hash,
                chain_intents::success,
                chain_intents::watched_until,
            ),
            chain_intents::attention_reason,
        ));
    let rows: Vec<IntentRow> = on!(tx, c => query.load(c))?;
    let nonces: Vec<i64> = rows.iter().map(|row| row.0.0).collect();
    let mut attempts = attempts_of(tx, key, &nonces)?;
    rows.into_iter()
        .map(|row| {
            let attempts = attempts.remove(&row.0.0).unwrap_or_default();
            intent(row, attempts)
        })
        .collect()
}

fn intent(row: IntentRow, attempts: Vec<Attempt>) -> Result<Intent, Error> {
    let ((nonce, kind, gas_limit, state, cancelled), (attempt, block, hash, success, until), attention) = row;
    let mined = match (attempt, block, hash) {
        (Some(attempt), Some(block), Some(block_hash)) => Some(Mined {
            attempt: u16::try_from(attempt).map_err(Error::internal)?,
            block: number(block)?,
            block_hash,
            // Of a no-op the row says nothing, and its receipt says it again.
            success: success.unwrap_or(true),
        }),
        (None | Some(_), None | Some(_), None | Some(_)) => None,
    };
    let broken = || {
        Error::internal(format!(
            "the intent at nonce {nonce} has the state {state} without its block"
        ))
    };
    let state = match state.as_str() {
        "assigned" => State::Assigned,
        "signed" => State::Signed,
        "sent" => State::Sent,
        "mined" => State::Mined(mined.ok_or_else(broken)?),
        "final" => State::Final {
            mined: mined.ok_or_else(broken)?,
            until: number(until.ok_or_else(broken)?)?,
        },
        "unknown" => State::Unknown,
        "closed" => State::Closed,
        other => return Err(Error::internal(format!("unknown state of an intent: {other}"))),
    };
    Ok(Intent {
        nonce: number(nonce)?,
        work: if kind == FILLER { Work::Filler } else { Work::Planned },
        gas_limit: number(gas_limit)?,
        state,
        attempts,
        cancelled: if cancelled { Cancelled::Yes } else { Cancelled::No },
        attention: attention.as_deref().and_then(Attention::parse),
        passed: None,
    })
}

/// Stores a new intent with what it does, and which operations it settles.
pub(in super::super) fn insert_intent(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    intent: &Intent,
    order: &Order,
    now: Timestamp,
) -> Result<(), Error> {
    let (chain, nonce) = (column(key.chain_id)?, column(intent.nonce)?);
    let row = (
        chain_intents::chain_id.eq(chain),
        chain_intents::sender.eq(key.sender),
        chain_intents::nonce.eq(nonce),
        chain_intents::kind.eq(order.kind),
        chain_intents::asset_id.eq(order.asset),
        chain_intents::recipient.eq(order.to),
        chain_intents::data.eq(&order.data),
        chain_intents::gas_limit.eq(column(intent.gas_limit)?),
        chain_intents::state.eq("assigned"),
        chain_intents::cancelled.eq(false),
        chain_intents::assigned_at.eq(now),
    );
    on!(tx, c => diesel::insert_into(chain_intents::table).values(row).execute(c))?;
    let positions: Vec<i32> = (0..).take(order.operations.len()).collect();
    let count = positions.len();
    Bulk::into("intent_operations")
        .column("chain_id", vec![chain; count])
        .column("sender", vec![key.sender; count])
        .column("nonce", vec![nonce; count])
        .column("position", positions)
        .column(
            "asset_id",
            order
                .operations
                .iter()
                .map(|(asset, _)| *asset.as_uuid())
                .collect::<Vec<_>>(),
        )
        .column(
            "sequence",
            order.operations.iter().map(|(_, number)| *number).collect::<Vec<_>>(),
        )
        .execute(tx)?;
    Ok(())
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Assigned => "assigned",
        State::Signed => "signed",
        State::Sent => "sent",
        State::Mined(_) => "mined",
        State::Final { .. } => "final",
        State::Unknown => "unknown",
        State::Closed => "closed",
    }
}

/// Whether its work was done, as far as a block says: a no-op in its place neither did it nor tried.
fn work_success(intent: &Intent) -> Option<bool> {
    match intent.outcome()? {
        Outcome::Done => Some(true),
        Outcome::Reverted => Some(false),
        Outcome::NotDone => None,
    }
}

/// Writes how far an intent has come, and its attempts. Signed bytes are written by [`store_signed`] alone.
pub(in super::super) fn save_intent(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    intent: &Intent,
    now: Timestamp,
) -> Result<(), Error> {
    let (chain, nonce) = (column(key.chain_id)?, column(intent.nonce)?);
    let mined = intent.state.mined();
    let until = match intent.state {
        State::Final { until, .. } => Some(column(until)?),
        State::Assigned | State::Signed | State::Sent | State::Mined(_) | State::Unknown | State::Closed => None,
    };
    let row = chain_intents::table.find((chain, key.sender, nonce));
    if intent.state == State::Closed {
        // What became of it stays on the row.
        on!(tx, c => diesel::update(row).set(chain_intents::state.eq("closed")).execute(c))?;
        return forget_attention(tx, key, nonce);
    }
    // A final one may need a person for its result, which is not ours to say.
    let keeps_attention = until.is_some() && intent.attention.is_none();
    if keeps_attention {
        forget_attention(tx, key, nonce)?;
    }
    let change = (
        chain_intents::state.eq(state_name(intent.state)),
        chain_intents::cancelled.eq(intent.cancelled == Cancelled::Yes),
        chain_intents::mined_attempt.eq(mined.map(|mined| i32::from(mined.attempt))),
        chain_intents::block_number.eq(mined.map(|mined| column(mined.block)).transpose()?),
        chain_intents::block_hash.eq(mined.map(|mined| mined.block_hash)),
        chain_intents::success.eq(work_success(intent)),
        chain_intents::watched_until.eq(until),
        (!keeps_attention).then_some((
            chain_intents::attention_reason.eq(intent.attention.map(Attention::code)),
            chain_intents::attention_since.eq(intent.attention.map(|_| now)),
        )),
    );
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    save_attempts(tx, key, intent, now)
}

/// What the sender called a person for is over.
fn forget_attention(tx: &mut Tx<'_>, key: &SenderKey, nonce: i64) -> Result<(), Error> {
    let row = chain_intents::table
        .filter(chain_intents::chain_id.eq(column(key.chain_id)?))
        .filter(chain_intents::sender.eq(key.sender))
        .filter(chain_intents::nonce.eq(nonce))
        .filter(chain_intents::attention_reason.eq_any(Attention::ALL.map(Attention::code)));
    let nobody = (
        chain_intents::attention_reason.eq(None::<&str>),
        chain_intents::attention_since.eq(None::<Timestamp>),
    );
    on!(tx, c => diesel::update(row).set(nobody).execute(c))?;
    Ok(())
}

/// What the intent at a nonce does, and which operations it settles.
pub(in super::super) fn part(tx: &mut Tx<'_>, key: &SenderKey, nonce: u64) -> Result<Part, Error> {
    let (chain, nonce) = (column(key.chain_id)?, column(nonce)?);
    let row = chain_intents::table.find((chain, key.sender, nonce)).select((
        chain_intents::kind,
        chain_intents::asset_id,
        chain_intents::recipient,
        chain_intents::data,
    ));
    let (kind, asset, to, data): (String, Option<AssetId>, Option<Address>, Vec<u8>) = on!(tx, c => row.first(c))?;
    let operations = intent_operations::table
        .filter(intent_operations::chain_id.eq(chain))
        .filter(intent_operations::sender.eq(key.sender))
        .filter(intent_operations::nonce.eq(nonce))
        .order(intent_operations::position)
        .select((intent_operations::asset_id, intent_operations::sequence));
    let operations: Vec<(AssetId, i64)> = on!(tx, c => operations.load(c))?;
    Ok(Part {
        kind,
        asset,
        to,
        data,
        operations,
    })
}

/// What the rows say besides those that are open.
pub(in super::super) fn known(tx: &mut Tx<'_>, key: &SenderKey) -> Result<Known, Error> {
    let of_sender = chain_intents::table
        .filter(chain_intents::chain_id.eq(column(key.chain_id)?))
        .filter(chain_intents::sender.eq(key.sender));
    let highest = of_sender.select(diesel::dsl::max(chain_intents::nonce));
    let highest: Option<i64> = on!(tx, c => highest.first(c))?;
    let settled = of_sender
        .filter(chain_intents::state.eq_any(["final", "closed"]))
        .select(diesel::dsl::max(chain_intents::nonce));
    let settled: Option<i64> = on!(tx, c => settled.first(c))?;
    let after = |nonce: Option<i64>| nonce.map(|nonce| number(nonce.saturating_add(1))).transpose();
    Ok(Known {
        rows_end: after(highest)?,
        settled: after(settled)?.unwrap_or(0),
        head: super::head(tx, key.chain_id)?,
        foreign: super::foreign(tx, key)?.map(|(foreign, _)| foreign).unwrap_or_default(),
    })
}

/// Whether there are intents of this kind and the work of all of them was mined with success.
pub(in super::super) fn mined_of_kind(tx: &mut Tx<'_>, key: &SenderKey, kind: &str) -> Result<bool, Error> {
    let query = chain_intents::table
        .filter(chain_intents::chain_id.eq(column(key.chain_id)?))
        .filter(chain_intents::sender.eq(key.sender))
        .filter(chain_intents::kind.eq(kind))
        .select(chain_intents::success);
    let found: Vec<Option<bool>> = on!(tx, c => query.load(c))?;
    Ok(!found.is_empty() && found.iter().all(|success| *success == Some(true)))
}

pub(in super::super) fn set_finished(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    nonce: u64,
    gas_used: Option<u64>,
    now: Timestamp,
) -> Result<(), Error> {
    let row = chain_intents::table.find((column(key.chain_id)?, key.sender, column(nonce)?));
    let change = (
        chain_intents::finished_at.eq(now),
        chain_intents::gas_used.eq(gas_used.map(column).transpose()?),
    );
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    Ok(())
}

type TransactionRow = (AssetId, i64, Option<i32>, Option<i64>, i32, Option<Hash32>);

/// The transactions of these operations of one asset, the newest intent last.
pub(in super::super) fn transactions_of(
    tx: &mut Tx<'_>,
    asset: AssetId,
    numbers: &[i64],
) -> Result<Vec<(i64, SettledIn)>, Error> {
    let joined = chain_attempts::chain_id
        .eq(chain_intents::chain_id)
        .and(chain_attempts::sender.eq(chain_intents::sender))
        .and(chain_attempts::nonce.eq(chain_intents::nonce));
    let linked = intent_operations::chain_id
        .eq(chain_intents::chain_id)
        .and(intent_operations::sender.eq(chain_intents::sender))
        .and(intent_operations::nonce.eq(chain_intents::nonce));
    let query = chain_intents::table
        .inner_join(intent_operations::table.on(linked))
        .inner_join(chain_attempts::table.on(joined))
        .filter(intent_operations::asset_id.eq(asset))
        .filter(intent_operations::sequence.eq_any(numbers))
        .filter(chain_attempts::noop.eq(false))
        .order((chain_intents::nonce, chain_attempts::attempt))
        .select((
            intent_operations::asset_id,
            intent_operations::sequence,
            chain_intents::mined_attempt,
            chain_intents::block_number,
            chain_attempts::attempt,
            chain_attempts::hash,
        ));
    let rows: Vec<TransactionRow> = on!(tx, c => query.load(c))?;
    rows.into_iter()
        .filter_map(|(_, sequence, mined, block, attempt, hash)| {
            let block = block.filter(|_| mined == Some(attempt));
            Some((sequence, hash?, block))
        })
        .map(|(sequence, hash, block)| {
            let block = block.map(number).transpose()?;
            Ok((sequence, SettledIn { hash, block }))
        })
        .collect()
}
