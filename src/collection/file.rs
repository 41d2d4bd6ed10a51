//! Files of mint requests: taken at once, worked off in parts of 100 by whichever process has time, within the quota of the
//! environment.
//!
//! A part and what it counts are one transaction: a process that dies in it leaves the part for the next one. A line that
//! cannot be taken is refused with its reason and hinders no other. Within one collection a reference is minted once
//! whatever the file says, so that a file that is sent twice mints nothing twice.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Caller, Conflict, ContractType, Metadata, NewMintRequest, Requested, Right, events, find, may, store};
use crate::access::environment;
use crate::access::quota::{self, Account, Rate, Taken};
use crate::access::{self, Permission};
use crate::audit;
use crate::ctx::{Actor, Ctx};
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::policy::PolicySet;
use crate::types::{
    Address, Amount, AssetId, EnvironmentId, MintFileId, ReferenceId, RequestId, Timestamp, TokenId, UserId,
};

/// How long a part rests that failed for a reason of ours.
const REST_SECONDS: i64 = 60;

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
    pub parts: i32,
    /// The next one.
    pub part: i32,
    pub not_before: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl MintFile {
    pub const fn is_done(&self) -> bool {
        self.part >= self.parts
    }
}

/// What a look for work came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// There was nothing to do now.
    Nothing,
    /// A part was worked off, or put off until its quota or a person allows it.
    Part,
}

/// Takes a file; [`work_off`] does what it says.
///
/// `Invalid` for no line and for more than [`NewMintFile::LINES_MAX`]; `Forbidden`, `NotAllowed` and `NotFound` as for a mint.
pub fn submit_file(tx: &mut Tx<'_>, caller: &Caller<'_>, new: &NewMintFile) -> Result<MintFile, Error> {
    let collection = find(tx, new.collection)?;
    may(tx, caller, &collection, Permission::Mint)?;
    if !(1..=NewMintFile::LINES_MAX).contains(&new.lines.len()) {
        let message = format!("must have 1 to {} lines", NewMintFile::LINES_MAX);
        return Err(Error::Invalid(vec![Issue::new("", "range", message)]));
    }
    let refusals: Vec<LineRefusal> = new.lines.iter().filter_map(|one| one.wish.clone().err()).collect();
    let wishes = new
        .lines
        .iter()
        .filter_map(|one| Some((one.line, one.wish.as_ref().ok()?)));
    let wishes: Vec<StoredWish> = wishes.map(|(line, wish)| StoredWish::of(line, wish)).collect();
    let parts = wishes.chunks(NewMintRequest::COUNT_MAX).map(serde_json::to_string);
    let parts = parts.collect::<Result<Vec<String>, _>>().map_err(Error::internal)?;
    let now = caller.ctx.now;
    let file = MintFile {
        id: MintFileId::generate(),
        collection: collection.id,
        environment: new.environment,
        requested_by: caller.ctx.actor.user,
        request_id: caller.ctx.request_id.clone(),
        lines: count(new.lines.len())?,
        accepted: 0,
        refused: count(refusals.len())?,
        parts: count(parts.len())?,
        part: 0,
        not_before: now,
        created_at: now,
        updated_at: now,
    };
    store::insert_file(tx, &file, parts)?;
    store::insert_refusals(tx, &file, &refusals)?;
    let data = json!({ "file": file.id, "lines": file.lines, "refused": file.refused });
    let event = events::changed(caller, &collection, "mint.file_received", data);
    audit::append(tx, now, vec![event])?;
    Ok(file)
}

/// How far a file of a collection is. `NotFound` when it has no such file.
pub fn mint_file(tx: &mut Tx<'_>, collection: AssetId, id: MintFileId) -> Result<MintFile, Error> {
    store::file(tx, collection, id)?.ok_or(Error::NotFound("file"))
}

/// Its lines that were not taken, in their order, after a line.
pub fn refused_lines(tx: &mut Tx<'_>, file: &MintFile, after: i32, limit: i64) -> Result<Vec<LineRefusal>, Error> {
    store::refusals(tx, file, after, limit)
}

/// Works off one part of the file that waits longest; files that another process is at are left to it.
pub fn work_off(tx: &mut Tx<'_>, policies: &PolicySet, now: Timestamp) -> Result<Worked, Error> {
    let Some(file) = store::lock_open_file(tx, now)? else {
        return Ok(Worked::Nothing);
    };
    let worked = tx.nested(|tx| work_part(tx, policies, &file, now));
    match worked {
        Ok(changed) => store::save_file(tx, &changed)?,
        // What is wrong with us does not keep other files waiting.
        Err(Error::Internal(cause)) => {
            tracing::error!(cause, file = %file.id, "a part of a file of mint requests failed and is tried again");
            let rested = MintFile {
                not_before: now.plus_seconds(REST_SECONDS),
                ..file
            };
            store::save_file(tx, &rested)?;
        }
        Err(error) => return Err(error),
    }
    Ok(Worked::Part)
}

/// The file as it is afterwards.
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
            ..file.clone()
        });
    }
    let Part { accepted, refused } = Part::take(tx, policies, file, wishes, now)?;
    give_back(tx, &account, rate, asked.saturating_sub(cost(&accepted)))?;
    store::insert_refusals(tx, file, &refused)?;
    store::drop_part(tx, file)?;
    Ok(MintFile {
        accepted: file.accepted.saturating_add(count(accepted.len())?),
        refused: file.refused.saturating_add(count(refused.len())?),
        part: file.part.saturating_add(1),
        not_before: now,
        updated_at: now,
        ..file.clone()
    })
}

fn cost(wishes: &[(i32, NewMintRequest)]) -> i64 {
    NewMintRequest::cost(wishes.iter().map(|(_, wish)| wish))
}

fn give_back(tx: &mut Tx<'_>, account: &Account, rate: Rate, tokens: i64) -> Result<(), Error> {
    match tokens {
        0 => Ok(()),
        tokens => quota::give_back(tx, account, rate, tokens),
    }
}

/// What became of the lines of a part.
struct Part {
    accepted: Vec<(i32, NewMintRequest)>,
    refused: Vec<LineRefusal>,
}

impl Part {
    /// Asks for all of them; what is in the way is taken out, and the rest asked for again.
    fn take(
        tx: &mut Tx<'_>,
        policies: &PolicySet,
        file: &MintFile,
        wishes: Vec<(i32, NewMintRequest)>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let ctx = ctx_of(tx, file, now)?;
        let caller = Caller {
            ctx: &ctx,
            right: Right::Environment(file.environment),
        };
        let mut part = Self {
            accepted: wishes,
            refused: Vec::new(),
        };
        while !part.accepted.is_empty() {
            let requests: Vec<NewMintRequest> = part.accepted.iter().map(|(_, wish)| wish.clone()).collect();
            match super::request_mints(tx, &caller, policies, file.collection, &requests) {
                Ok(Requested::Accepted(_)) => break,
                Ok(Requested::Conflict(conflict)) => {
                    let contract_type = find(tx, file.collection)?.contract_type();
                    part.refuse_used(&conflict, contract_type);
                }
                Err(Error::Invalid(issues)) => part.refuse_invalid(&issues),
                Err(
                    error @ (Error::NotAllowed(_)
                    | Error::Forbidden { .. }
                    | Error::NotFound(_)
                    | Error::Refused(_)
                    | Error::Conflict(_)
                    | Error::AlreadyExists(_)),
                ) => part.refuse_where(|_, _| Some(error.to_string())),
                Err(error) => return Err(error),
            }
        }
        Ok(part)
    }

    fn refuse_used(&mut self, conflict: &Conflict, contract_type: ContractType) {
        match conflict {
            Conflict::References(used) => self.refuse_where(|_, wish| {
                let is_used = used.contains(&wish.reference);
                is_used.then(|| "reference_id is used already".to_owned())
            }),
            Conflict::TokenIds(used) => self.refuse_where(|_, wish| {
                let is_used = wish.token_id.is_some_and(|id| used.contains(&id));
                match contract_type {
                    ContractType::Erc721 => is_used.then(|| "token_id is used already".to_owned()),
                    ContractType::Erc1155 => (is_used && wish.metadata.is_some())
                        .then(|| "metadata of this token_id is there already".to_owned()),
                }
            }),
        }
    }

    /// An issue names the place of its wish: `assets.7.token_id`.
    fn refuse_invalid(&mut self, issues: &[Issue]) {
        let of = |place: usize| {
            let place = place.to_string();
            let issue = issues.iter().find(|issue| issue.path.get(1) == Some(&place))?;
            let field = issue.path.get(2).map_or("", String::as_str);
            Some(format!("{field} {}", issue.message).trim().to_owned())
        };
        let before = self.accepted.len();
        self.refuse_where(|place, _| of(place));
        if self.accepted.len() == before {
            let reason = Error::Invalid(issues.to_vec()).to_string();
            self.refuse_where(|_, _| Some(reason.clone()));
        }
    }

    fn refuse_where(&mut self, reason_of: impl Fn(usize, &NewMintRequest) -> Option<String>) {
        let mut kept = Vec::new();
        for (place, (line, wish)) in std::mem::take(&mut self.accepted).into_iter().enumerate() {
            match reason_of(place, &wish) {
                None => kept.push((line, wish)),
                Some(reason) => self.refused.push(LineRefusal {
                    line,
                    reference: Some(wish.reference.to_string()),
                    reason,
                }),
            }
        }
        self.accepted = kept;
    }
}

/// As if its caller asked now.
fn ctx_of(tx: &mut Tx<'_>, file: &MintFile, now: Timestamp) -> Result<Ctx, Error> {
    let user = access::find_user(tx, file.requested_by)?;
    Ok(Ctx {
        actor: Actor {
            user: user.id,
            wallet: user.wallet,
        },
        request_id: file.request_id.clone(),
        now,
    })
}

fn count(number: usize) -> Result<i32, Error> {
    i32::try_from(number).map_err(Error::internal)
}

/// A wish as it waits in its part.
#[derive(Serialize, Deserialize)]
struct StoredWish {
    line: i32,
    reference: String,
    owner: String,
    token_id: Option<String>,
    amount: Option<String>,
    metadata: Option<Value>,
}

impl StoredWish {
    fn of(line: i32, wish: &NewMintRequest) -> Self {
        Self {
            line,
            reference: wish.reference.to_string(),
            owner: wish.owner.to_string(),
            token_id: wish.token_id.as_ref().map(ToString::to_string),
            amount: wish.amount.as_ref().map(ToString::to_string),
            metadata: wish.metadata.as_ref().map(Metadata::to_json),
        }
    }

    fn wish(self) -> Result<NewMintRequest, Error> {
        let metadata = self.metadata.map(serde_json::from_value::<Metadata>).transpose();
        Ok(NewMintRequest {
            reference: ReferenceId::parse(&self.reference).map_err(Error::internal)?,
            owner: Address::parse(&self.owner).map_err(Error::internal)?,
            token_id: self
                .token_id
                .as_deref()
                .map(TokenId::parse)
                .transpose()
                .map_err(Error::internal)?,
            amount: self
                .amount
                .as_deref()
                .map(Amount::parse)
                .transpose()
                .map_err(Error::internal)?,
            metadata: metadata.map_err(Error::internal)?,
        })
    }
}

/// The next part.
fn stored_part(tx: &mut Tx<'_>, file: &MintFile) -> Result<Vec<(i32, NewMintRequest)>, Error> {
    let text = store::part(tx, file)?;
    let stored: Vec<StoredWish> = serde_json::from_str(&text).map_err(Error::internal)?;
    let wishes = stored.into_iter().map(|one| Ok((one.line, one.wish()?)));
    wishes.collect()
}
