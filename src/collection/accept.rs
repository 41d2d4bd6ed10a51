//! A call to mint, from the wish to the queue: the whole of it is taken, or nothing.

use std::collections::{HashMap, HashSet};

use super::events;
use super::judge::judge;
use super::notice;
use super::rules;
use super::store;
use super::{
    Caller, Collection, Conflict, ContractType, Metadata, MintKind, MintRequest, NewMintRequest, RequestStatus,
    Requested,
};
use crate::asset::{self, Books};
use crate::audit;
use crate::db::Tx;
use crate::error::{Error, Finding, Issue};
use crate::ledger::{self, IssueLine, SheetError};
use crate::operation::{self, NewOperation, Operation, Plan};
use crate::policy::PolicySet;
use crate::types::{Address, Amount, Hash32, MetadataId, MintRequestId, ReferenceId, Timestamp, TokenId};

/// One wish with everything that is not asked again.
pub(super) struct Wish {
    pub reference: ReferenceId,
    pub kind: MintKind,
    pub owner: Address,
    pub token_id: Option<TokenId>,
    pub amount: Amount,
    pub shows: Shows,
}

/// What a token is to show.
pub(super) enum Shows {
    Nothing,
    New(Metadata),
    /// A stack that is there.
    Known(MetadataId),
}

impl Wish {
    pub fn of(collection: &Collection, new: &NewMintRequest) -> Self {
        Self {
            reference: new.reference.clone(),
            kind: rules::kind_of(collection.minting, new.token_id),
            owner: new.owner,
            token_id: new.token_id,
            amount: new.amount.unwrap_or(Amount::ONE),
            shows: new.metadata.clone().map_or(Shows::Nothing, Shows::New),
        }
    }
}

/// What the refusal of one recipient does to the others of its call.
#[derive(Clone, Copy)]
pub(super) enum Refusing {
    /// Nothing: its request has failed, the others go ahead (immutable.md A).
    Alone,
    /// As [`Self::Alone`]; but while the rules themselves are at fault nothing is taken, and they are told: the call can be
    /// made again.
    Patiently,
    /// Nothing is taken, and every finding is told (dalp.md A5).
    All,
}

impl Refusing {
    /// What refuses the whole call.
    fn whole(self, findings: &[Vec<Finding>]) -> Vec<Finding> {
        let refuses = |finding: &&Finding| match self {
            Self::Alone => false,
            Self::Patiently => finding.refusal.is_of_the_rules(),
            Self::All => true,
        };
        findings.iter().flatten().filter(refuses).cloned().collect()
    }
}

/// Takes wishes of a caller who may mint, under the lock of the collection's row.
pub(super) fn accept(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    policies: &PolicySet,
    collection: &Collection,
    wishes: &[Wish],
    refusing: Refusing,
) -> Result<Requested, Error> {
    let asset = asset::lock(tx, collection.id)?;
    operation::check_created(tx, asset.id)?;
    if let Some(conflict) = conflict(tx, collection, wishes)? {
        return Ok(Requested::Conflict(conflict));
    }
    let owners = wishes.iter().map(|wish| wish.owner).collect();
    let mut books = Books::open(tx, &asset, owners)?;
    let lines: Vec<(Address, Amount)> = wishes.iter().map(|wish| (wish.owner, wish.amount)).collect();
    let judged = judge(tx, policies, (&asset, &books), &lines, caller.ctx.now)?;
    let whole = refusing.whole(&judged.findings);
    if !whole.is_empty() {
        return Err(Error::Refused(whole));
    }
    let stacks = stacks(tx, collection, wishes, caller.ctx.now)?;

    let mut round = Round {
        caller,
        collection,
        policy_hash: judged.policy_hash,
        operations: Vec::new(),
        requests: Vec::new(),
        events: Vec::new(),
    };
    let mut issues = Vec::new();
    for (index, ((wish, findings), metadata)) in wishes.iter().zip(&judged.findings).zip(stacks).enumerate() {
        match findings.as_slice() {
            [] if round.take(&mut books, wish, metadata)? => {}
            [] => issues.push(beyond(index)),
            findings => round.refuse(wish, metadata, findings),
        }
    }
    if !issues.is_empty() {
        return Err(Error::Invalid(issues));
    }
    round.write(tx, books).map(Requested::Accepted)
}

/// What is used by requests that did not fail.
fn conflict(tx: &mut Tx<'_>, collection: &Collection, wishes: &[Wish]) -> Result<Option<Conflict>, Error> {
    let references: Vec<&str> = wishes.iter().map(|wish| wish.reference.as_str()).collect();
    let live = store::live_references(tx, collection.id, &references)?;
    if !live.is_empty() {
        let used = wishes.iter().filter(|wish| live.contains(wish.reference.as_str()));
        return Ok(Some(Conflict::References(
            used.map(|wish| wish.reference.clone()).collect(),
        )));
    }
    let is_concerned = |wish: &&Wish| match collection.contract_type() {
        ContractType::Erc721 => true,
        // More of a token that exists is fine; what it shows is said once.
        ContractType::Erc1155 => matches!(wish.shows, Shows::New(_)),
    };
    let concerned = wishes.iter().filter(is_concerned);
    let ids: Vec<TokenId> = concerned.filter_map(|wish| wish.token_id).collect();
    let mut used = super::taken_ids(tx, collection.id, &ids)?;
    used.extend(contradicted(wishes));
    let mut seen = HashSet::new();
    let named: Vec<TokenId> = ids
        .into_iter()
        .filter(|id| used.contains(id) && seen.insert(*id))
        .collect();
    Ok((!named.is_empty()).then_some(Conflict::TokenIds(named)))
}

/// Ids of which one call says different things.
fn contradicted(wishes: &[Wish]) -> HashSet<TokenId> {
    let mut shown: HashMap<TokenId, &Metadata> = HashMap::new();
    let mut contradicted = HashSet::new();
    for wish in wishes {
        if let (Some(token_id), Shows::New(metadata)) = (wish.token_id, &wish.shows)
            && *shown.entry(token_id).or_insert(metadata) != metadata
        {
            contradicted.insert(token_id);
        }
    }
    contradicted
}

/// The stack of each wish: tokens of the same content share one.
fn stacks(
    tx: &mut Tx<'_>,
    collection: &Collection,
    wishes: &[Wish],
    now: Timestamp,
) -> Result<Vec<Option<MetadataId>>, Error> {
    let new = wishes.iter().filter_map(|wish| match &wish.shows {
        Shows::New(metadata) => Some((metadata.digest(), metadata)),
        Shows::Nothing | Shows::Known(_) => None,
    });
    let new: HashMap<Hash32, &Metadata> = new.collect();
    let digests: Vec<Hash32> = new.keys().copied().collect();
    let mut known = store::by_digests(tx, collection.id, &digests)?;
    let mut rows = Vec::new();
    for (digest, metadata) in new {
        known.entry(digest).or_insert_with(|| {
            let id = MetadataId::generate();
            rows.push((id, metadata.clone()));
            id
        });
    }
    store::insert_metadata(tx, collection.id, &rows, now)?;
    let ids = wishes.iter().map(|wish| match &wish.shows {
        Shows::Nothing => None,
        Shows::Known(id) => Some(*id),
        Shows::New(metadata) => known.get(&metadata.digest()).copied(),
    });
    Ok(ids.collect())
}

/// What a call writes.
struct Round<'r> {
    caller: &'r Caller<'r>,
    collection: &'r Collection,
    policy_hash: Hash32,
    operations: Vec<Operation>,
    requests: Vec<MintRequest>,
    events: Vec<audit::Event>,
}

impl Round<'_> {
    /// False for an amount that does not fit: nothing of it is taken.
    fn take(&mut self, books: &mut Books, wish: &Wish, metadata: Option<MetadataId>) -> Result<bool, Error> {
        let identity = books.identity_of(&wish.owner);
        let line = IssueLine {
            recipient: wish.owner,
            identity,
            country: books.country_of(identity),
            amount: wish.amount,
        };
        let number = books.sheet.next_operation();
        match books.sheet.reserve(number, &[line]) {
            Ok(()) => {}
            Err(SheetError::Overflow) => return Ok(false),
            Err(error @ (SheetError::Negative | SheetError::NotLoaded | SheetError::Nobody)) => {
                return Err(Error::internal(error));
            }
        }
        books.sheet.number();
        let operation = Operation::queued(&NewOperation {
            asset: self.collection.id,
            sequence: number,
            plan: &Plan::Mint,
            lines: 1,
            total: wish.amount,
            requested_by: self.caller.ctx.actor.user,
            request_id: &self.caller.ctx.request_id,
            policy_hash: Some(self.policy_hash),
            now: self.caller.ctx.now,
        });
        let request = MintRequest {
            sequence: Some(number),
            ..self.request(wish, metadata)
        };
        self.events.push(events::accepted(self.caller, &operation, &request));
        self.operations.push(operation);
        self.requests.push(request);
        Ok(true)
    }

    /// It has failed before anything was sent, and takes no number.
    fn refuse(&mut self, wish: &Wish, metadata: Option<MetadataId>, findings: &[Finding]) {
        for finding in findings {
            metrics::counter!("refusals_total", "slug" => finding.refusal.slug()).increment(1);
        }
        let reasons: Vec<String> = findings.iter().map(|finding| finding.refusal.message()).collect();
        let request = MintRequest {
            status: RequestStatus::Failed,
            error: Some(reasons.join("; ")),
            ..self.request(wish, metadata)
        };
        self.events
            .push(events::refused(self.caller, &request, findings, self.policy_hash));
        self.requests.push(request);
    }

    fn request(&self, wish: &Wish, metadata: Option<MetadataId>) -> MintRequest {
        let now = self.caller.ctx.now;
        MintRequest {
            id: MintRequestId::generate(),
            collection: self.collection.id,
            reference: wish.reference.clone(),
            sequence: None,
            environment: self.caller.environment(),
            requested_by: self.caller.ctx.actor.user,
            kind: wish.kind,
            owner: wish.owner,
            token_id: wish.token_id,
            amount: wish.amount,
            metadata,
            status: RequestStatus::Pending,
            error: None,
            transaction: None,
            activity: None,
            gas: None,
            created_at: now,
            updated_at: now,
        }
    }

    fn write(self, tx: &mut Tx<'_>, books: Books) -> Result<Vec<MintRequest>, Error> {
        let now = self.caller.ctx.now;
        let references: Vec<&str> = self.requests.iter().map(|one| one.reference.as_str()).collect();
        store::supersede(tx, self.collection.id, &references)?;
        operation::enqueue(tx, &self.operations)?;
        ledger::save(tx, books.sheet, now)?;
        store::insert_requests(tx, &self.requests)?;
        notice::tell(tx, self.collection, &self.requests, now)?;
        audit::append(tx, now, self.events)?;
        Ok(self.requests)
    }
}

/// Of all ids of a collection together there are at most 2^256 − 1: the books count them in one sum.
fn beyond(index: usize) -> Issue {
    let message = "does not fit: of all tokens of a collection together there can be 2^256-1";
    Issue::new(&format!("assets.{index}.amount"), "range", message)
}
