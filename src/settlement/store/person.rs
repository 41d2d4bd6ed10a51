use diesel::prelude::*;

use super::intent::part;
use super::{column, number};
use crate::db::Tx;
use crate::db::schema::{chain_attempts, chain_intents, chain_resolutions};
use crate::error::Error;
use crate::on;
use crate::operation;
use crate::settlement::model::SenderKey;
use crate::settlement::resolve::{Case, Decision, Resolution};
use crate::types::{Hash32, Timestamp};

/// Cases that are told at once.
const CASES_MAX: i64 = 500;

type CaseRow = (i64, String, String, Option<String>, Option<Timestamp>);

/// The intents that need a person, by nonce.
pub(in super::super) fn cases(tx: &mut Tx<'_>, key: &SenderKey) -> Result<Vec<Case>, Error> {
    let query = chain_intents::table
        .filter(chain_intents::chain_id.eq(column(key.chain_id)?))
        .filter(chain_intents::sender.eq(key.sender))
        .filter(chain_intents::attention_reason.is_not_null())
        .order(chain_intents::nonce)
        .limit(CASES_MAX)
        .select((
            chain_intents::nonce,
            chain_intents::kind,
            chain_intents::state,
            chain_intents::attention_reason,
            chain_intents::attention_since,
        ));
    let rows: Vec<CaseRow> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(|row| case(tx, key, row)).collect()
}

fn case(tx: &mut Tx<'_>, key: &SenderKey, row: CaseRow) -> Result<Case, Error> {
    let (nonce, kind, state, attention, since) = row;
    let hashes = chain_attempts::table
        .filter(chain_attempts::chain_id.eq(column(key.chain_id)?))
        .filter(chain_attempts::sender.eq(key.sender))
        .filter(chain_attempts::nonce.eq(nonce))
        .order(chain_attempts::attempt)
        .select(chain_attempts::hash);
    let hashes: Vec<Option<Hash32>> = on!(tx, c => hashes.load(c))?;
    let nonce = number(nonce)?;
    let part = part(tx, key, nonce)?;
    let mut operations = Vec::new();
    for (asset, sequence) in part.operations {
        operations.extend(operation::of_numbers(tx, asset, &[sequence])?);
    }
    Ok(Case {
        nonce,
        kind,
        state,
        attention: attention.unwrap_or_default(),
        since,
        transactions: hashes.into_iter().flatten().collect(),
        operations,
    })
}

/// Why an intent needs a person; none when it does not.
pub(in super::super) fn attention_of(tx: &mut Tx<'_>, key: &SenderKey, nonce: u64) -> Result<Option<String>, Error> {
    let row = chain_intents::table.find((column(key.chain_id)?, key.sender, column(nonce)?));
    let found: Option<Option<String>> = on!(tx, c => row.select(chain_intents::attention_reason).first(c).optional())?;
    Ok(found.flatten())
}

/// The transaction of an intent that a block holds, and the hash of that block.
pub(in super::super) fn mined_in(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    nonce: u64,
) -> Result<Option<(Hash32, Hash32)>, Error> {
    let (chain, nonce) = (column(key.chain_id)?, column(nonce)?);
    let row = chain_intents::table
        .find((chain, key.sender, nonce))
        .select((chain_intents::mined_attempt, chain_intents::block_hash));
    let (attempt, block): (Option<i32>, Option<Hash32>) = on!(tx, c => row.first(c))?;
    let Some((attempt, block)) = attempt.zip(block) else {
        return Ok(None);
    };
    let row = chain_attempts::table
        .find((chain, key.sender, nonce, attempt))
        .select(chain_attempts::hash);
    let hash: Option<Hash32> = on!(tx, c => row.first(c))?;
    Ok(hash.map(|hash| (hash, block)))
}

/// Calls a person to an intent, or says that nobody is needed any more.
pub(in super::super) fn set_attention(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    nonce: u64,
    reason: Option<(&str, Timestamp)>,
) -> Result<(), Error> {
    let row = chain_intents::table.find((column(key.chain_id)?, key.sender, column(nonce)?));
    let change = (
        chain_intents::attention_reason.eq(reason.map(|(code, _)| code)),
        chain_intents::attention_since.eq(reason.map(|(_, since)| since)),
    );
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    Ok(())
}

/// What persons have decided and nobody has done yet, by nonce.
pub(in super::super) fn resolutions(tx: &mut Tx<'_>, key: &SenderKey) -> Result<Vec<Resolution>, Error> {
    let query = chain_resolutions::table
        .filter(chain_resolutions::chain_id.eq(column(key.chain_id)?))
        .filter(chain_resolutions::sender.eq(key.sender))
        .filter(chain_resolutions::refusal.is_null())
        .order(chain_resolutions::nonce)
        .select((
            chain_resolutions::nonce,
            chain_resolutions::decision,
            chain_resolutions::reason,
        ));
    let rows: Vec<(i64, String, String)> = on!(tx, c => query.load(c))?;
    let read = |(nonce, decision, reason): (i64, String, String)| {
        Ok(Resolution {
            nonce: number(nonce)?,
            decision: Decision::parse(&decision).map_err(Error::internal)?,
            reason,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Replaces what was decided about this nonce before and not done.
pub(in super::super) fn insert_resolution(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    resolution: &Resolution,
    now: Timestamp,
) -> Result<(), Error> {
    delete_resolution(tx, key, resolution.nonce)?;
    let row = (
        chain_resolutions::chain_id.eq(column(key.chain_id)?),
        chain_resolutions::sender.eq(key.sender),
        chain_resolutions::nonce.eq(column(resolution.nonce)?),
        chain_resolutions::decision.eq(resolution.decision.code()),
        chain_resolutions::reason.eq(&resolution.reason),
        chain_resolutions::requested_at.eq(now),
    );
    on!(tx, c => diesel::insert_into(chain_resolutions::table).values(row).execute(c))?;
    Ok(())
}

pub(in super::super) fn delete_resolution(tx: &mut Tx<'_>, key: &SenderKey, nonce: u64) -> Result<(), Error> {
    let row = chain_resolutions::table.find((column(key.chain_id)?, key.sender, column(nonce)?));
    on!(tx, c => diesel::delete(row).execute(c))?;
    Ok(())
}

pub(in super::super) fn refuse_resolution(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    nonce: u64,
    why: &str,
) -> Result<(), Error> {
    let row = chain_resolutions::table.find((column(key.chain_id)?, key.sender, column(nonce)?));
    on!(tx, c => diesel::update(row).set(chain_resolutions::refusal.eq(why)).execute(c))?;
    Ok(())
}

/// None when nothing is asked for; else why it was refused, if it was.
pub(in super::super) fn resolution_refusal(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    nonce: u64,
) -> Result<Option<Option<String>>, Error> {
    let row = chain_resolutions::table.find((column(key.chain_id)?, key.sender, column(nonce)?));
    Ok(on!(tx, c => row.select(chain_resolutions::refusal).first(c).optional())?)
}
