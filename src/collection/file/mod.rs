//! Files of mint requests: taken at once, worked off in parts of 100 by whichever process has time, within the quota of the
//! environment.
//!
//! A part and what it counts are one transaction: a process that dies in it leaves the part for the next one. A line that
//! cannot be taken is refused with its reason and hinders no other. What passes refuses no line: while the quota is used
//! up, the policy is out of force or the sanctions list is too old, the file waits and says why. Within one collection a
//! reference is minted once whatever the file says, so that a file that is sent twice mints nothing twice.
//!
//! Limits: 100,000 lines; 10 files of an environment that are not worked off; the first 1,000 refusals of a file are kept, all
//! are counted; a file is forgotten 30 days after its end, or when its environment has sent 100 that ended later.

mod part;
mod wish;
mod work;

use serde_json::json;

use super::{Caller, NewMintRequest, events, find, may, store};
use crate::access::Permission;
use crate::access::environment;
use crate::audit;
use crate::db::Tx;
use crate::error::{Error, Finding, Issue};
use crate::types::{AssetId, EnvironmentId, MintFileId, ReferenceId, RequestId, Timestamp, UserId};
use wish::StoredWish;
pub use work::{Worked, work_off, work_off_files};

/// How long a caller is asked to wait who has too many files.
const OPEN_RETRY_SECONDS: u64 = 60;
/// Parts that are stored by one statement.
const PARTS_AT_ONCE: usize = 20;
/// A line of a file: a wish, or why it is none.
#[derive(Clone, Debug, PartialEq)]
pub struct FileLine {
    /// In the file, from 1.
    pub line: i32,
    pub wish: Result<NewMintRequest, LineRefusal>,
}

/// Why a line was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRefusal {
    pub line: i32,
    pub reference: Option<String>,
    pub reason: String,
}

impl LineRefusal {
    /// Characters of a reason, which may repeat what stands in the line.
    pub const REASON_LENGTH_MAX: usize = 500;

    /// What is longer than a reference may be, or than a reason, is cut: nobody fills the database with lines that are wrong.
    pub fn new(line: i32, reference: Option<&str>, reason: &str) -> Self {
        let cut = |text: &str, max: usize| text.chars().take(max).collect();
        Self {
            line,
            reference: reference.map(|text| cut(text, ReferenceId::LENGTH_MAX)),
            reason: cut(reason, Self::REASON_LENGTH_MAX),
        }
    }
}

/// A file as it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMintFile {
    pub collection: AssetId,
    /// Whose quota it takes.
    pub environment: EnvironmentId,
    pub lines: Vec<FileLine>,
}

impl NewMintFile {
    pub const LINES_MAX: usize = 100_000;
    /// Files of one environment that are not worked off. Each keeps its wishes in the database, some tens of MiB at most, and a
    /// tier that takes hours for one gains nothing from more of them.
    pub const OPEN_MAX: i64 = 10;
}

/// A file and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintFile {
    pub id: MintFileId,
    pub collection: AssetId,
    pub environment: EnvironmentId,
    pub requested_by: UserId,
    pub request_id: RequestId,
    pub lines: i32,
    pub accepted: i32,
    pub refused: i32,
    /// Dropped when the file was taken back.
    pub cancelled: i32,
    pub parts: i32,
    /// The next one.
    pub part: i32,
    /// The next part rests until then.
    pub not_before: Timestamp,
    /// Why it rests; none when it may go on.
    pub waiting_for: Option<String>,
    pub created_at: Timestamp,
    /// When a part was worked off last, or the file was taken back.
    pub updated_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    Working,
    Done,
    Cancelled,
}

impl MintFile {
    /// After its end, as first answers under an `Idempotency-Key` are kept.
    pub const KEPT_SECONDS: i64 = 30 * 86_400;
    /// Files of one environment that have ended: with the next one the oldest is forgotten, so that nobody fills the database
    /// with files that mint nothing.
    pub const ENDED_MAX: i64 = 100;
    /// Refusals of a file that are kept, the first ones; the others are counted.
    pub const REFUSALS_MAX: usize = 1_000;

    pub const fn state(&self) -> FileState {
        match (self.cancelled, self.part >= self.parts) {
            (1.., _) => FileState::Cancelled,
            (_, true) => FileState::Done,
            (_, false) => FileState::Working,
        }
    }

    /// Lines whose turn has not come.
    pub const fn waiting(&self) -> i32 {
        let ended = self
            .accepted
            .saturating_add(self.refused)
            .saturating_add(self.cancelled);
        self.lines.saturating_sub(ended)
    }
}

/// Takes a file; [`work_off_files`] does what it says.
///
/// `Invalid` for no line and for more than [`NewMintFile::LINES_MAX`]; `Limited` while the environment has
/// [`NewMintFile::OPEN_MAX`] files that are not worked off; `Forbidden`, `NotAllowed` and `NotFound` as for a mint.
pub fn submit_file(tx: &mut Tx<'_>, caller: &Caller<'_>, new: &NewMintFile) -> Result<MintFile, Error> {
    let collection = find(tx, new.collection)?;
    may(tx, caller, &collection, Permission::Mint)?;
    if !(1..=NewMintFile::LINES_MAX).contains(&new.lines.len()) {
        let message = format!("must have 1 to {} lines", NewMintFile::LINES_MAX);
        return Err(Error::Invalid(vec![Issue::new("", "range", message)]));
    }
    environment::lock(tx, new.environment)?;
    if store::open_files(tx, new.environment)? >= NewMintFile::OPEN_MAX {
        return Err(Error::Limited {
            retry_after_seconds: OPEN_RETRY_SECONDS,
            method: None,
        });
    }
    let now = caller.ctx.now;
    store::forget_files(tx, new.environment, MintFile::ENDED_MAX)?;
    let good = new
        .lines
        .iter()
        .filter_map(|one| Some((one.line, one.wish.as_ref().ok()?)));
    let wishes: Vec<(i32, &NewMintRequest)> = good.collect();
    let file = MintFile {
        id: MintFileId::generate(),
        collection: collection.id,
        environment: new.environment,
        requested_by: caller.ctx.actor.user,
        request_id: caller.ctx.request_id.clone(),
        lines: count(new.lines.len())?,
        accepted: 0,
        refused: count(new.lines.len().saturating_sub(wishes.len()))?,
        cancelled: 0,
        parts: count(wishes.len().div_ceil(NewMintRequest::COUNT_MAX))?,
        part: 0,
        not_before: now,
        waiting_for: None,
        created_at: now,
        updated_at: now,
    };
    store::insert_file(tx, &file)?;
    insert_parts(tx, &file, &wishes)?;
    let refusals = new.lines.iter().filter_map(|one| one.wish.as_ref().err());
    let kept: Vec<LineRefusal> = refusals.take(MintFile::REFUSALS_MAX).cloned().collect();
    store::insert_refusals(tx, &file, &kept)?;
    let data = json!({ "file": file.id, "lines": file.lines, "refused": file.refused });
    let event = events::changed(caller, &collection, "mint.file_received", data);
    audit::append(tx, now, vec![event])?;
    Ok(file)
}

/// A few parts at a time: as text the whole file takes as much memory again.
fn insert_parts(tx: &mut Tx<'_>, file: &MintFile, wishes: &[(i32, &NewMintRequest)]) -> Result<(), Error> {
    let mut first = 0;
    for some in wishes.chunks(NewMintRequest::COUNT_MAX.saturating_mul(PARTS_AT_ONCE)) {
        let mut parts = Vec::new();
        for part in some.chunks(NewMintRequest::COUNT_MAX) {
            let part: Vec<StoredWish> = part.iter().map(|(line, wish)| StoredWish::of(*line, wish)).collect();
            parts.push(serde_json::to_string(&part).map_err(Error::internal)?);
        }
        let next = count(parts.len())?.saturating_add(first);
        store::insert_parts(tx, file, first, parts)?;
        first = next;
    }
    Ok(())
}

/// How far a file of a collection is. `NotFound` when it has no such file.
pub fn mint_file(tx: &mut Tx<'_>, collection: AssetId, id: MintFileId) -> Result<MintFile, Error> {
    store::file(tx, collection, id)?.ok_or(Error::NotFound("file"))
}

/// Its lines that were not taken, as far as they are kept, in their order, after a line.
pub fn refused_lines(tx: &mut Tx<'_>, file: &MintFile, after: i32, limit: i64) -> Result<Vec<LineRefusal>, Error> {
    store::refusals(tx, file, after, limit)
}

/// Takes a file back: lines whose turn has not come are dropped, requests that were accepted go on. `Conflict` when the file
/// has ended; `Forbidden`, `NotAllowed` and `NotFound` as for a mint.
pub fn cancel_file(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    collection: AssetId,
    id: MintFileId,
) -> Result<MintFile, Error> {
    let collection = find(tx, collection)?;
    may(tx, caller, &collection, Permission::Mint)?;
    let file = store::lock_file(tx, collection.id, id)?.ok_or(Error::NotFound("file"))?;
    match file.state() {
        FileState::Working => {}
        FileState::Done | FileState::Cancelled => return Err(Error::Conflict("The file has ended".to_owned())),
    }
    let ended = MintFile {
        cancelled: file.waiting(),
        part: file.parts,
        waiting_for: None,
        updated_at: caller.ctx.now,
        ..file
    };
    store::drop_parts(tx, collection.id, ended.id)?;
    store::save_file(tx, &ended)?;
    let data = json!({ "accepted": ended.accepted, "cancelled": ended.cancelled, "file": ended.id });
    let event = events::changed(caller, &collection, "mint.file_cancelled", data);
    audit::append(tx, caller.ctx.now, vec![event])?;
    Ok(ended)
}

/// Forgets files, with their refusals, that ended [`MintFile::KEPT_SECONDS`] ago: housekeeping. Returns how many rows it took.
pub fn prune_files(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    store::prune_files(tx, now.plus_seconds(MintFile::KEPT_SECONDS.saturating_neg()))
}

/// The first of these, which are never none.
fn told(findings: &[Finding]) -> String {
    findings
        .first()
        .map_or_else(String::new, |finding| finding.refusal.message())
}

fn count(number: usize) -> Result<i32, Error> {
    i32::try_from(number).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_line_keeps_no_more_of_its_text_than_fits() {
        for (length, kept) in [(0, 0), (254, 254), (255, 255), (256, 255), (100_000, 255)] {
            let refusal = LineRefusal::new(1, Some(&"é".repeat(length)), "x");
            assert_eq!(refusal.reference.unwrap().chars().count(), kept, "{length}");
        }
        for (length, kept) in [(499, 499), (500, 500), (501, 500)] {
            let refusal = LineRefusal::new(1, None, &"é".repeat(length));
            assert_eq!((refusal.reference, refusal.reason.chars().count()), (None, kept));
        }
    }
}
