use std::collections::HashMap;

use super::KeyHolder;
use super::email;
use super::store;
use crate::access::quota::{self, Account, Rate, Standing, Taken};
use crate::access::{Permission, Vault, environment};
use crate::asset;
use crate::collection::{
    self, Caller, Collection, Conflict, ContractType, Metadata, MintRequest, Minting, NewMintRequest, Requested, Right,
};
use crate::ctx::Ctx;
use crate::custody::{self, Custody, Email};
use crate::db::{self, Tx};
use crate::error::Error;
use crate::operation::{self, Operation, Status};
use crate::policy::PolicySet;
use crate::types::{Address, Amount, AssetId, ReferenceId, RowId, Timestamp, TokenId};

/// How the references of mint requests begin that are ours.
const REFERENCE: &str = "certhis-";

/// Where a description of the token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUri(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a URL (https, http, ipfs or ar) of at most {} characters",
    TokenUri::LENGTH_MAX
)]
pub struct TokenUriError;

impl TokenUri {
    pub const LENGTH_MAX: usize = 2_000;
    const SCHEMES: [&str; 4] = ["https://", "http://", "ipfs://", "ar://"];

    /// Nobody opens it here.
    pub fn parse(text: &str) -> Result<Self, TokenUriError> {
        let has_scheme = Self::SCHEMES.iter().any(|scheme| {
            let rest = text.strip_prefix(scheme);
            rest.is_some_and(|rest| !rest.is_empty())
        });
        let is_plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        match has_scheme && is_plain && text.chars().count() <= Self::LENGTH_MAX {
            true => Ok(Self(text.to_owned())),
            false => Err(TokenUriError),
        }
    }
}

/// Who is to get the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    Wallet(Address),
    /// A wallet that we keep for whoever reads mail there.
    Email(Email),
}

#[derive(Clone, Debug)]
pub struct NewTask {
    pub recipient: Recipient,
    pub token_id: Option<TokenId>,
    pub token_uri: Option<TokenUri>,
}

/// What became of a wish.
#[derive(Clone, Debug)]
pub enum Asked {
    /// The number of its task; it may have failed already, as the task says.
    Created(i64),
    /// The token id was minted, or is about to be.
    Taken,
    /// The token was described when it was minted first, and is not described again.
    Described,
    /// The collection's environment has no mints left.
    Exhausted {
        rate: Rate,
        standing: Standing,
        wait_micros: i64,
    },
}

/// Where a task stands (architecture, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    Queued,
    Sent,
    Succeeded,
    Failed,
}

/// A wish with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub number: i64,
    /// Of the key pair that it came with, and of the wallet that owned it.
    pub key: i64,
    pub account: i64,
    pub nft_number: i64,
    /// What the caller asked for.
    pub token_id_given: Option<TokenId>,
    pub token_uri: Option<String>,
    pub request: MintRequest,
    pub status: TaskStatus,
    /// Why it failed.
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TaskRow {
    pub asset: AssetId,
    pub id: RowId,
    pub number: i64,
    pub key: i64,
    pub account: i64,
    pub nft_number: i64,
    /// None where the contract gives it.
    pub token_id: Option<TokenId>,
    pub is_given: bool,
    pub token_uri: Option<String>,
}

impl TaskRow {
    /// What its mint request is called in the collection.
    pub(super) fn reference(&self) -> Result<ReferenceId, Error> {
        reference(self.id)
    }
}

fn reference(id: RowId) -> Result<ReferenceId, Error> {
    ReferenceId::parse(&format!("{REFERENCE}{id}")).map_err(Error::internal)
}

/// The task that a reference of ours names.
pub(super) fn id_in(reference: &str) -> Option<RowId> {
    RowId::parse(reference.strip_prefix(REFERENCE)?).ok()
}

/// What a mint needs besides the wish.
pub struct Means<'m> {
    pub policies: &'m PolicySet,
    pub vault: &'m Vault,
    /// None where tokens go to addresses only.
    pub custody: Option<&'m Custody>,
    pub email_retention_days: u32,
}

/// Takes a wish to mint one token, with everything that this dialect keeps of it, or nothing of it.
///
/// A token whose id the caller does not say gets the lowest number that is free, from 0, where the contract lets us
/// choose: what the contract would give by itself (2^128 and above) fits no number of this dialect.
///
/// Errors: `NotAllowed` when the wallet of the key does not own the collection any more; `Invalid` for an e-mail address
/// where no wallets are kept, and for a token id that the contract does not take.
pub fn mint(tx: &mut Tx<'_>, ctx: &Ctx, holder: &KeyHolder, means: &Means<'_>, new: &NewTask) -> Result<Asked, Error> {
    let caller = Caller {
        ctx,
        right: Right::Owner(holder.actor.wallet),
    };
    let collection = collection::find(tx, holder.collection)?;
    collection::may(tx, &caller, &collection, Permission::Mint)?;
    if let Some(exhausted) = spend_quota(tx, &collection, ctx.now)? {
        return Ok(exhausted);
    }
    asset::lock(tx, collection.id)?;
    let id = RowId::generate();
    let owner = match &new.recipient {
        Recipient::Wallet(address) => *address,
        Recipient::Email(email) => open_wallet(tx, ctx, means, email)?,
    };
    let token_id = match (new.token_id, collection.minting) {
        (Some(token_id), _) => Some(token_id),
        (None, Minting::ByQuantity) => None,
        (None, Minting::ById | Minting::Hybrid | Minting::Amounts) => Some(free_id(tx, &collection)?),
    };
    let wish = NewMintRequest {
        reference: reference(id)?,
        owner,
        token_id,
        amount: Some(Amount::ONE),
        metadata: new.token_uri.as_ref().map(|uri| Metadata {
            external_url: Some(uri.0.clone()),
            ..Metadata::default()
        }),
    };
    match collection::request_mints(tx, &caller, means.policies, collection.id, &[wish])? {
        Requested::Accepted(_) => {}
        Requested::Conflict(Conflict::TokenIds(_)) => {
            give_quota_back(tx, &collection)?;
            return Ok(match collection.contract_type() {
                ContractType::Erc721 => Asked::Taken,
                ContractType::Erc1155 => Asked::Described,
            });
        }
        Requested::Conflict(Conflict::References(_)) => {
            return Err(Error::internal("the reference of a new task is in use"));
        }
    }
    let row = TaskRow {
        asset: collection.id,
        id,
        number: 0,
        key: holder.number,
        account: store::account_number(tx, holder.actor.wallet)?,
        nft_number: 0,
        token_id,
        is_given: new.token_id.is_some(),
        token_uri: new.token_uri.as_ref().map(|uri| uri.0.clone()),
    };
    let number = write(tx, row, owner, email::sealed(ctx, means, id, new)?)?;
    Ok(Asked::Created(number))
}

/// Numbers are taken last: others wait for them.
fn write(tx: &mut Tx<'_>, row: TaskRow, owner: Address, email: Option<(String, Timestamp)>) -> Result<i64, Error> {
    store::account_number(tx, owner)?;
    let known = match row.token_id {
        Some(token_id) => store::nft_number(tx, row.asset, token_id)?,
        None => None,
    };
    let nft_number = match known {
        Some(number) => number,
        None => db::next_number(tx, "certhis_nft")?,
    };
    let number = db::next_number(tx, "certhis_task")?;
    let row = TaskRow {
        number,
        nft_number,
        ..row
    };
    store::insert_task(tx, &row, email)?;
    Ok(number)
}

/// A mint costs the environment of its collection, as the keys of this dialect belong to a collection; in Immutable's dialect
/// it costs the environment of the key. By the asset API it costs none: there a role and a PIN are asked for.
fn spend_quota(tx: &mut Tx<'_>, collection: &Collection, now: Timestamp) -> Result<Option<Asked>, Error> {
    let Some(id) = collection.environment else {
        return Ok(None);
    };
    let rate = environment::find(tx, id)?.tier.rate();
    let taken = quota::take(tx, &Account::new(id, "mint", rate), rate, 1, now)?;
    Ok(match taken {
        Taken::Granted(_) => None,
        Taken::Refused { standing, wait_micros } => Some(Asked::Exhausted {
            rate,
            standing,
            wait_micros,
        }),
    })
}

/// What came to nothing costs nothing.
fn give_quota_back(tx: &mut Tx<'_>, collection: &Collection) -> Result<(), Error> {
    let Some(id) = collection.environment else {
        return Ok(());
    };
    let rate = environment::find(tx, id)?.tier.rate();
    quota::give_back(tx, &Account::new(id, "mint", rate), rate, 1)
}

fn open_wallet(tx: &mut Tx<'_>, ctx: &Ctx, means: &Means<'_>, email: &Email) -> Result<Address, Error> {
    let custody = means.custody.ok_or_else(|| {
        let message = "must be an address: this server keeps no wallets for e-mail addresses";
        Error::invalid("wallet", message)
    })?;
    custody::wallet_of(tx, means.vault, custody, email, (&ctx.actor.name(), ctx.now))
}

/// The lowest id that nobody has asked for, above those that were given before. Under the lock of the collection.
fn free_id(tx: &mut Tx<'_>, collection: &Collection) -> Result<TokenId, Error> {
    let counter = format!("token/{}", collection.id);
    let first = db::last_number(tx, &counter)?;
    let free = collection::free_id(tx, collection.id, u64::try_from(first).map_err(Error::internal)?)?;
    let next = i64::try_from(free).ok().and_then(|free| free.checked_add(1));
    let next = next.ok_or_else(|| Error::Conflict("every id is taken".to_owned()))?;
    db::set_last_number(tx, &counter, next)?;
    Ok(TokenId::from(Amount::from(free)))
}

/// `NotFound` when the collection has no such task.
pub fn task(tx: &mut Tx<'_>, collection: AssetId, number: i64) -> Result<Task, Error> {
    let row = store::task(tx, collection, number)?.ok_or(Error::NotFound("task"))?;
    let mut tasks = with_requests(tx, collection, vec![row])?;
    tasks
        .pop()
        .ok_or_else(|| Error::internal("a task without a mint request"))
}

/// The task of a mint request of the collection, by the request's reference; none for one that came another way.
pub fn task_named(tx: &mut Tx<'_>, collection: AssetId, reference: &str) -> Result<Option<Task>, Error> {
    let Some(id) = id_in(reference) else { return Ok(None) };
    let Some(row) = store::task_by_id(tx, collection, id)? else {
        return Ok(None);
    };
    Ok(with_requests(tx, collection, vec![row])?.pop())
}

/// A page of the tasks of a collection, newest first.
pub fn tasks(tx: &mut Tx<'_>, collection: AssetId, offset: u32) -> Result<Vec<Task>, Error> {
    let rows = store::tasks(tx, collection, offset.into(), Task::PAGE)?;
    with_requests(tx, collection, rows)
}

impl Task {
    /// Of a list.
    pub const PAGE: i64 = 50;
}

fn with_requests(tx: &mut Tx<'_>, collection: AssetId, rows: Vec<TaskRow>) -> Result<Vec<Task>, Error> {
    let references: Vec<ReferenceId> = rows.iter().map(TaskRow::reference).collect::<Result<_, _>>()?;
    let requests = collection::mint_requests_named(tx, collection, &references)?;
    let numbers: Vec<i64> = requests.iter().filter_map(|request| request.sequence).collect();
    let operations = operation::of_numbers(tx, collection, &numbers)?;
    let operations: HashMap<i64, Operation> = operations.into_iter().map(|one| (one.sequence, one)).collect();
    let mut requests: HashMap<ReferenceId, MintRequest> = requests
        .into_iter()
        .map(|request| (request.reference.clone(), request))
        .collect();
    let tasks = rows.into_iter().zip(references).filter_map(|(row, reference)| {
        let request = requests.remove(&reference)?;
        let operation = request.sequence.and_then(|number| operations.get(&number));
        Some(task_of(row, request, operation))
    });
    Ok(tasks.collect())
}

fn task_of(row: TaskRow, request: MintRequest, operation: Option<&Operation>) -> Task {
    let status = operation.map_or(TaskStatus::Failed, |operation| match operation.status {
        Status::Queued | Status::Signed => TaskStatus::Queued,
        Status::Sent | Status::Mined => TaskStatus::Sent,
        Status::Succeeded => TaskStatus::Succeeded,
        Status::Failed | Status::Cancelled => TaskStatus::Failed,
    });
    let error = request
        .error
        .clone()
        .or_else(|| operation.and_then(|operation| operation.error.clone()));
    Task {
        number: row.number,
        key: row.key,
        account: row.account,
        nft_number: row.nft_number,
        token_id_given: row.token_id.filter(|_| row.is_given),
        token_uri: row.token_uri,
        request,
        status,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_at_a_url_that_nobody_opens_here() {
        for good in ["https://example.test/0.json", "http://a", "ipfs://bafy/1", "ar://x"] {
            assert!(TokenUri::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://a b",
            "https://a\n",
        ] {
            assert!(TokenUri::parse(bad).is_err(), "{bad}");
        }
        let long = |length: usize| format!("https://{}", "a".repeat(length - 8));
        assert!(TokenUri::parse(&long(2_000)).is_ok());
        assert!(TokenUri::parse(&long(2_001)).is_err());
    }
}
