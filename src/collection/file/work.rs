//! Files in their turns: part by part, each in a transaction of its own.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::part::{Part, Wanted};
use super::wish::StoredWish;
use super::{MintFile, count, told};
use crate::access::environment;
use crate::access::quota::{self, Account, Rate, Taken};
use crate::collection::{NewMintRequest, store};
use crate::db::{self, Db, Tx};
use crate::error::Error;
use crate::policy::PolicySet;
use crate::types::{AssetId, MintFileId, Timestamp};

/// How long a part rests that waits for a person.
const REST_SECONDS: i64 = 60;
/// How long a file rests of which a part could not be written.
const BUSY_REST_SECONDS: i64 = 5;
/// Files that one look finds; more of them have their turn at the next one.
const DUE_MAX: i64 = 100;
/// Why a file waits: its part was not written, and the database may be why.
const BUSY: &str = "the server is busy; it goes on in a moment";
/// Why a file waits: its environment has minted as much as it may for now.
const QUOTA: &str = "the environment's quota of mints is used up for now";
/// Why a file waits: what our log tells is nobody else's business.
const FAULT: &str = "the server failed at this part; its operator finds the cause in the log";

/// What a file's turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// Another process is at it, or it has nothing to do any more.
    Nothing,
    /// A part was worked off, or put off until its quota or a person allows it.
    Part,
}

/// Gives its turn to each file that has something to do, those that wait longest first. Returns how many parts were worked off
/// or put off.
///
/// A file of which a part cannot be written rests for some seconds, and the others go on. Errors: `Unavailable` while the
/// database is away: then nothing rests, and nothing waits behind it either.
pub async fn work_off_files(
    db: &Db,
    policies: &Arc<PolicySet>,
    now: impl Fn() -> Timestamp,
    cancel: &CancellationToken,
) -> Result<usize, Error> {
    let begin = now();
    let due = db.read(move |tx| store::due_files(tx, begin, DUE_MAX)).await?;
    let mut parts: usize = 0;
    for file in due {
        if cancel.is_cancelled() {
            break;
        }
        match turn(db, policies, file, now()).await? {
            Worked::Nothing => {}
            Worked::Part => parts = parts.saturating_add(1),
        }
    }
    Ok(parts)
}

async fn turn(
    db: &Db,
    policies: &Arc<PolicySet>,
    file: (AssetId, MintFileId),
    now: Timestamp,
) -> Result<Worked, Error> {
    let policies = Arc::clone(policies);
    let failed = match db.write(move |tx| work_off(tx, &policies, file, now)).await {
        Ok(worked) => return Ok(worked),
        Err(error) if db::is_away(&error) => return Err(error),
        Err(error) => error,
    };
    let (_, id) = file;
    metrics::counter!("job_failures_total", "job" => "mint-files").increment(1);
    tracing::warn!(error = %failed, file = %id, "a part of a file of mint requests was not written and is tried again");
    if let Err(error) = db.write(move |tx| rest(tx, file, now)).await {
        tracing::warn!(%error, file = %id, "the file of mint requests that failed does not rest");
    }
    Ok(Worked::Nothing)
}

/// Works off one part of a file that has something to do. One that another process is at is left to it.
pub fn work_off(
    tx: &mut Tx<'_>,
    policies: &PolicySet,
    file: (AssetId, MintFileId),
    now: Timestamp,
) -> Result<Worked, Error> {
    let Some(file) = store::lock_due_file(tx, file, now)? else {
        return Ok(Worked::Nothing);
    };
    // What was done until it had to wait is undone with it: a part that waits has taken nothing of the quota.
    let changed = match tx.nested(|tx| work_part(tx, policies, &file, now)) {
        Ok(changed) => changed,
        Err(error) => put_off(file, error, now)?,
    };
    store::save_file(tx, &changed)?;
    Ok(Worked::Part)
}

/// Lets a file rest for some seconds whose part was not written: others wait behind it.
fn rest(tx: &mut Tx<'_>, file: (AssetId, MintFileId), now: Timestamp) -> Result<(), Error> {
    let Some(file) = store::lock_due_file(tx, file, now)? else {
        return Ok(());
    };
    let resting = MintFile {
        not_before: now.plus_seconds(BUSY_REST_SECONDS),
        waiting_for: Some(BUSY.to_owned()),
        ..file
    };
    store::save_file(tx, &resting)
}

/// The file as it is afterwards. `Refused` when the rules themselves are at fault.
fn work_part(tx: &mut Tx<'_>, policies: &PolicySet, file: &MintFile, now: Timestamp) -> Result<MintFile, Error> {
    let wishes = stored_part(tx, file)?;
    let rate = environment::find(tx, file.environment)?.tier.rate();
    let account = Account::new(file.environment, "mint", rate);
    let asked = cost(&wishes);
    let taken = match asked {
        0 => None,
        asked => Some(quota::take(tx, &account, rate, asked, now)?),
    };
    if let Some(Taken::Refused { wait_micros, .. }) = taken {
        return Ok(MintFile {
            not_before: Timestamp::from_micros(now.micros().saturating_add(wait_micros)),
            waiting_for: Some(QUOTA.to_owned()),
            ..file.clone()
        });
    }
    let Part { accepted, refused } = Part::take(tx, policies, file, wishes, now)?;
    give_back(tx, &account, rate, asked.saturating_sub(cost(&accepted)))?;
    let room = MintFile::REFUSALS_MAX.saturating_sub(usize::try_from(file.refused).map_err(Error::internal)?);
    store::insert_refusals(tx, file, refused.get(..room).unwrap_or(&refused))?;
    store::drop_part(tx, file)?;
    Ok(MintFile {
        accepted: file.accepted.saturating_add(count(accepted.len())?),
        refused: file.refused.saturating_add(count(refused.len())?),
        part: file.part.saturating_add(1),
        not_before: now,
        waiting_for: None,
        updated_at: now,
        ..file.clone()
    })
}

/// The file, resting because of an error, so that it keeps no other file waiting. What the whole transaction is made again
/// for stays an error.
fn put_off(file: MintFile, error: Error, now: Timestamp) -> Result<MintFile, Error> {
    let waiting_for = match error {
        Error::Unavailable(_) | Error::OutcomeUnknown(_) => return Err(error),
        Error::Refused(findings) => told(&findings),
        Error::Invalid(_)
        | Error::Unauthenticated
        | Error::ChallengeFailed { .. }
        | Error::VerificationMissing { .. }
        | Error::Forbidden { .. }
        | Error::NotAllowed(_)
        | Error::NotFound(_)
        | Error::Conflict(_)
        | Error::AlreadyExists(_)
        | Error::FeatureMissing(_)
        | Error::Reverted { .. }
        | Error::Limited { .. }
        | Error::Internal(_) => {
            tracing::error!(%error, file = %file.id, "a part of a file of mint requests failed and is tried again");
            FAULT.to_owned()
        }
    };
    Ok(MintFile {
        not_before: now.plus_seconds(REST_SECONDS),
        waiting_for: Some(waiting_for),
        ..file
    })
}

fn cost(wishes: &[Wanted]) -> i64 {
    NewMintRequest::cost(wishes.iter().map(|wanted| &wanted.wish))
}

fn give_back(tx: &mut Tx<'_>, account: &Account, rate: Rate, tokens: i64) -> Result<(), Error> {
    match tokens {
        0 => Ok(()),
        tokens => quota::give_back(tx, account, rate, tokens),
    }
}

/// The wishes of the next part.
fn stored_part(tx: &mut Tx<'_>, file: &MintFile) -> Result<Vec<Wanted>, Error> {
    let text = store::part(tx, file)?;
    let stored: Vec<StoredWish> = serde_json::from_str(&text).map_err(Error::internal)?;
    stored.into_iter().map(Wanted::try_from).collect()
}
