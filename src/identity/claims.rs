//! What issuers say of identities.

use serde_json::json;

use super::rules::{self, Window};
use super::{
    Attestation, Change, Claim, ClaimData, ClaimScheme, ClaimStatus, ClaimTerms, ClaimTopic, Identity, KeyPurpose,
    NewClaim, Revocation, people, record, store,
};
use crate::access::{self, Permission, Scope};
use crate::audit::Stream;
use crate::chain::{ClaimValue, ValueError, claim_signer, key_hash};
use crate::ctx::Ctx;
use crate::db::{Page, Tx};
use crate::error::{Error, Issue};
use crate::types::{Address, Amount, ClaimId, IdentityId, TopicName, UserId};

/// Claims that an answer about an asset shows.
const STANDING_CLAIMS_MAX: i64 = 100;

/// Issues a claim: on the word of the caller, whose own identity must be trusted for the topic, or of a trusted issuer
/// who signed it. An active claim of the same issuer and topic is superseded.
///
/// `Forbidden` without `Permission::IssueClaim`; then as [`issue_as_trusted`].
pub fn issue_claim(tx: &mut Tx<'_>, ctx: &Ctx, new: &NewClaim) -> Result<Claim, Error> {
    access::require(tx, ctx, Permission::IssueClaim, Scope::System)?;
    issue_as_trusted(tx, ctx, new)
}

/// Whether the caller may issue this claim: the right and the trust that [`issue_claim`] asks for, before anything is
/// written. `Invalid` for an unregistered topic, for which nobody can be trusted.
pub fn may_issue(tx: &mut Tx<'_>, ctx: &Ctx, new: &NewClaim) -> Result<(), Error> {
    access::require(tx, ctx, Permission::IssueClaim, Scope::System)?;
    registered(tx, &new.topic)?;
    match &new.attestation {
        Attestation::Caller => require_trusted(tx, ctx, &new.topic),
        Attestation::Signed { issuer, .. } => require_trust(tx, Some(issuer), &new.topic).map(|_| ()),
    }
}

/// [`issue_claim`] for routes that need no role beside the trust (an update of collateral, dalp.md 1.4).
///
/// `Invalid` for an unregistered topic, data of another shape, a signature that no key of the issuer made, an expiry that
/// is past or later than the topic allows; `NotAllowed`, naming the topic, when the issuer is not trusted for it;
/// `NotFound` when there is no such identity; `Conflict` when the same signed words were stored before.
pub fn issue_as_trusted(tx: &mut Tx<'_>, ctx: &Ctx, new: &NewClaim) -> Result<Claim, Error> {
    let content = Content::read(tx, &new.topic, &new.data)?;
    let proof = Proof::of_attestation(tx, ctx, new, &content)?;
    let target = people::by_address(tx, &new.target)?;
    let mut claims = write_claims(tx, ctx, &[target], &content, &proof, &new.terms)?;
    claims.pop().ok_or_else(|| Error::internal("no claim was written"))
}

/// The caller's identity claims the same of many identities, with a fixed number of statements.
///
/// As [`issue_claim`]; `NotFound` when one of the identities does not exist. All or nothing.
pub fn issue_many(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    topic: &TopicName,
    data: &ClaimData,
    targets: &[Address],
    terms: &ClaimTerms,
) -> Result<Vec<Claim>, Error> {
    access::require(tx, ctx, Permission::IssueClaim, Scope::System)?;
    let content = Content::read(tx, topic, data)?;
    let proof = Proof::of_caller(tx, ctx, topic)?;
    let mut wanted = targets.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let targets = store::by_addresses(tx, &wanted)?;
    if targets.len() != wanted.len() {
        return Err(Error::NotFound("identity"));
    }
    write_claims(tx, ctx, &targets, &content, &proof, terms)
}

/// The identity of a wallet and its claims, ended ones too, newest first, and the cursor of the next page.
///
/// One's own need no right, others `Permission::ListClaims`. `NotFound` when the wallet has no identity.
pub fn claims_by_wallet(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    wallet: &Address,
    page: &Page,
) -> Result<(Identity, Vec<Claim>, Option<String>), Error> {
    if *wallet != ctx.actor.wallet {
        access::require(tx, ctx, Permission::ListClaims, Scope::System)?;
    }
    let identity = people::by_wallet(tx, wallet)?;
    let (claims, cursor) = store::claims_of(tx, identity.id, page)?;
    Ok((identity, claims, cursor))
}

/// The newest claims of an asset's identity, revoked ones too, superseded ones not, newest first. What is claimed of an
/// asset is public: no right is needed. Of the claims that were revoked only the newest are told.
pub fn standing_claims(tx: &mut Tx<'_>, asset_identity: IdentityId) -> Result<Vec<Claim>, Error> {
    store::standing_claims(tx, asset_identity, STANDING_CLAIMS_MAX)
}

/// The active claims of the identities of assets, newest first: one query for a list of assets, no right needed.
pub fn active_claims(tx: &mut Tx<'_>, asset_identities: &[IdentityId]) -> Result<Vec<Claim>, Error> {
    store::active_claims(tx, asset_identities)
}

/// The caller's identity is trusted for the topic; `NotAllowed`, naming the topic, when it is not.
pub fn require_trusted(tx: &mut Tx<'_>, ctx: &Ctx, topic: &TopicName) -> Result<(), Error> {
    let own = own_identity(tx, ctx)?.map(|identity| identity.address);
    require_trust(tx, own.as_ref(), topic).map(|_| ())
}

/// Ends a claim for good. An issuer revokes its own; somebody with `Permission::RevokeClaim` whose identity is trusted
/// for the topic revokes any.
///
/// `NotFound` when there is no such claim; `Conflict` when it is revoked; `Invalid` when two issuers have one and none is
/// named; `NotAllowed` without trust for the topic.
pub fn revoke_claim(tx: &mut Tx<'_>, ctx: &Ctx, revocation: &Revocation) -> Result<Claim, Error> {
    let issuer = issuer_to_revoke(tx, ctx, revocation)?;
    let target = people::by_address(tx, &revocation.target)?;
    store::lock_many(tx, &[target.id])?;
    let claims = store::claims_of_topic(tx, target.id, &revocation.topic)?;
    let claim = rules::claim_to_revoke(claims, issuer)?;
    store::revoke(tx, claim.id, ctx.actor.user, ctx.now)?;
    let change = Change {
        stream: Stream::of_subject(&target.account),
        action: "claim.revoked",
        subjects: vec![target.account, target.address],
        data: json!({
            "claimId": claim.id, "identity": target.address, "topic": claim.topic, "issuer": claim.issuer,
        }),
    };
    record(tx, ctx, change)?;
    Ok(Claim {
        status: ClaimStatus::Revoked,
        ended_at: Some(ctx.now),
        ended_by: Some(ctx.actor.user),
        ..claim
    })
}

/// Whether the caller may revoke this claim: the right that [`revoke_claim`] asks for.
pub fn may_revoke(tx: &mut Tx<'_>, ctx: &Ctx, revocation: &Revocation) -> Result<(), Error> {
    issuer_to_revoke(tx, ctx, revocation).map(|_| ())
}

/// Whose claim it is about: who is named, else the caller when there is a claim of theirs.
fn issuer_to_revoke(tx: &mut Tx<'_>, ctx: &Ctx, revocation: &Revocation) -> Result<Option<Address>, Error> {
    let own = own_identity(tx, ctx)?.map(|identity| identity.address);
    let target = store::by_addresses(tx, &[revocation.target])?.into_iter().next();
    let claims = match target {
        Some(target) => store::claims_of_topic(tx, target.id, &revocation.topic)?,
        None => Vec::new(),
    };
    let own_claim = own.filter(|own| claims.iter().any(|claim| claim.issuer == *own));
    let issuer = revocation.issuer.or(own_claim);
    if own_claim.is_none() || own_claim != issuer {
        access::require(tx, ctx, Permission::RevokeClaim, Scope::System)?;
        require_trust(tx, own.as_ref(), &revocation.topic)?;
    }
    Ok(issuer)
}

/// A topic and data that fit it.
struct Content {
    topic: ClaimTopic,
    data: Vec<u8>,
    values: Vec<ClaimValue>,
}

impl Content {
    fn read(tx: &mut Tx<'_>, topic: &TopicName, data: &ClaimData) -> Result<Self, Error> {
        let topic = registered(tx, topic)?;
        let data = match data {
            ClaimData::Values(values) => topic.shape.encode(values).map_err(wrong_data)?,
            ClaimData::Encoded(bytes) => bytes.clone(),
        };
        let values = topic.shape.decode(&data).map_err(wrong_data)?;
        Ok(Self { topic, data, values })
    }
}

fn registered(tx: &mut Tx<'_>, topic: &TopicName) -> Result<ClaimTopic, Error> {
    let known = store::topic(tx, topic)?;
    known.ok_or_else(|| Error::invalid("claim.topic", format!("{topic} is not a registered claim topic")))
}

fn wrong_data(error: ValueError) -> Error {
    let mut path = vec!["claim".to_owned(), "data".to_owned()];
    path.extend(error.field);
    Error::Invalid(vec![Issue {
        path,
        code: "format",
        message: error.message,
    }])
}

/// Whose word it is, and how we know.
struct Proof {
    /// The identity address of the issuer.
    issuer: Address,
    scheme: ClaimScheme,
    signature: Option<Vec<u8>>,
    signer: Option<Address>,
    issued_by: Option<UserId>,
}

impl Proof {
    fn of_attestation(tx: &mut Tx<'_>, ctx: &Ctx, new: &NewClaim, content: &Content) -> Result<Self, Error> {
        let (issuer, signature) = match &new.attestation {
            Attestation::Caller => return Self::of_caller(tx, ctx, &new.topic),
            Attestation::Signed { issuer, signature } => (issuer, signature),
        };
        require_trust(tx, Some(issuer), &new.topic)?;
        let signer = claim_signer(&new.target, new.topic.number(), &content.data, signature)
            .map_err(|error| Error::invalid("signature", error.to_string()))?;
        let identity = people::by_address(tx, issuer)?;
        let purposes = [KeyPurpose::Management, KeyPurpose::ClaimSigner];
        if !store::has_key(tx, identity.id, key_hash(&signer), &purposes)? {
            let message =
                format!("was not made over this identity, topic and data with a claim signer key of {issuer}");
            return Err(Error::invalid("signature", message));
        }
        Ok(Self {
            issuer: *issuer,
            scheme: ClaimScheme::Ecdsa,
            signature: Some(signature.as_bytes().to_vec()),
            signer: Some(signer),
            issued_by: None,
        })
    }

    fn of_caller(tx: &mut Tx<'_>, ctx: &Ctx, topic: &TopicName) -> Result<Self, Error> {
        let own = own_identity(tx, ctx)?.map(|identity| identity.address);
        let issuer = require_trust(tx, own.as_ref(), topic)?;
        Ok(Self {
            issuer,
            scheme: ClaimScheme::Recorded,
            signature: None,
            signer: None,
            issued_by: Some(ctx.actor.user),
        })
    }
}

fn own_identity(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<Option<Identity>, Error> {
    Ok(store::by_wallets(tx, &[ctx.actor.wallet])?.into_iter().next())
}

/// The issuer, when it is trusted for the topic.
fn require_trust(tx: &mut Tx<'_>, issuer: Option<&Address>, topic: &TopicName) -> Result<Address, Error> {
    match issuer {
        Some(issuer) if store::is_trusted(tx, issuer, topic)? => Ok(*issuer),
        Some(_) | None => Err(Error::NotAllowed(format!(
            "Only a trusted issuer of claim topic {topic} may do this"
        ))),
    }
}

fn write_claims(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    targets: &[Identity],
    content: &Content,
    proof: &Proof,
    terms: &ClaimTerms,
) -> Result<Vec<Claim>, Error> {
    let amount = rules::amount_with_expiry(&content.topic, &content.values);
    let window = rules::window(&content.topic, terms, amount.map(|(_, expires_at)| expires_at), ctx.now)?;
    let amount = amount.map(|(amount, _)| amount);
    let ids: Vec<IdentityId> = targets.iter().map(|target| target.id).collect();
    let topic = &content.topic.name;
    store::lock_many(tx, &ids)?;
    for target in targets.iter().filter(|_| proof.signature.is_some()) {
        let before = store::signed_before(tx, target.id, topic, &proof.issuer, &content.data)?;
        rules::words_are_new(before, &proof.issuer)?;
    }
    store::supersede(tx, &ids, topic, &proof.issuer, ctx.actor.user, ctx.now)?;
    let claims: Vec<Claim> = targets
        .iter()
        .map(|target| new_claim(ctx, target, content, proof, amount, window, terms))
        .collect();
    store::insert_claims(tx, &claims)?;
    record_issue(tx, ctx, targets, &claims, amount)?;
    Ok(claims)
}

fn new_claim(
    ctx: &Ctx,
    target: &Identity,
    content: &Content,
    proof: &Proof,
    amount: Option<Amount>,
    window: Window,
    terms: &ClaimTerms,
) -> Claim {
    Claim {
        id: ClaimId::generate(),
        identity: target.id,
        topic: content.topic.name.clone(),
        issuer: proof.issuer,
        scheme: proof.scheme.number(),
        data: content.data.clone(),
        values: content.values.clone(),
        amount,
        uri: terms.uri.clone(),
        signature: proof.signature.clone(),
        signer: proof.signer,
        issued_by: proof.issued_by,
        issued_at: ctx.now,
        not_before: window.not_before,
        expires_at: window.expires_at,
        status: ClaimStatus::Active,
        ended_at: None,
        ended_by: None,
        retain_until: terms.retain_until,
    }
}

/// The event holds no data of the claims (it may be about a person) but the amount of collateral.
fn record_issue(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    targets: &[Identity],
    claims: &[Claim],
    amount: Option<Amount>,
) -> Result<(), Error> {
    let Some(first) = claims.first() else {
        return Ok(());
    };
    let lines: Vec<_> = targets
        .iter()
        .zip(claims)
        .map(|(target, claim)| json!({ "claimId": claim.id, "identity": target.address }))
        .collect();
    let stream = match targets {
        [target] => Stream::of_subject(&target.account),
        [] | [_, ..] => Stream::of_subject(&first.issuer),
    };
    let change = Change {
        stream,
        action: "claim.issued",
        subjects: targets.iter().flat_map(|t| [t.account, t.address]).collect(),
        data: json!({
            "topic": first.topic, "issuer": first.issuer, "scheme": first.scheme, "signer": first.signer,
            "amount": amount, "notBefore": first.not_before, "expiresAt": first.expires_at, "claims": lines,
        }),
    };
    record(tx, ctx, change)
}
