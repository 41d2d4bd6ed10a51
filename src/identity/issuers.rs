//! Whose claims count, and for which topics.

use serde_json::json;

use super::{Change, Identity, TrustedIssuer, people, record, store};
use crate::access::{self, Permission, Scope};
use crate::audit::Stream;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, TopicName};

const UNKNOWN: Error = Error::NotFound("trusted issuer");

/// All trusted issuers with their topics.
pub fn list_trusted_issuers(tx: &mut Tx<'_>) -> Result<Vec<TrustedIssuer>, Error> {
    store::issuers(tx)
}

/// Trusts an identity for some topics (at least one, all known, see `find_topics`).
///
/// `Forbidden` without `Permission::ManageTrustedIssuers`; `NotFound` when there is no such identity; `AlreadyExists`
/// when it is trusted for anything.
pub fn add_trusted_issuer(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    issuer: &Address,
    topics: &[TopicName],
) -> Result<TrustedIssuer, Error> {
    access::require(tx, ctx, Permission::ManageTrustedIssuers, Scope::System)?;
    let identity = people::by_address(tx, issuer)?;
    let topics = distinct(topics)?;
    if store::issuers(tx)?.iter().any(|known| known.issuer == *issuer) {
        return Err(Error::AlreadyExists(format!(
            "The identity {issuer} is a trusted issuer"
        )));
    }
    store::insert_trust(tx, issuer, &topics, ctx.now)?;
    record_issuer(tx, ctx, &identity, "trusted_issuer.added", &[], &topics)?;
    trusted(tx, issuer)
}

/// Trusts an issuer for exactly these topics from now on. Claims of a topic that is gone stop counting at once.
///
/// `Forbidden` without `Permission::ManageTrustedIssuers`; `NotFound` when it is not trusted for anything.
pub fn update_trusted_issuer(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    issuer: &Address,
    topics: &[TopicName],
) -> Result<TrustedIssuer, Error> {
    access::require(tx, ctx, Permission::ManageTrustedIssuers, Scope::System)?;
    let topics = distinct(topics)?;
    let before = trusted(tx, issuer)?.topics;
    let without = |all: &[TopicName], others: &[TopicName]| {
        let left = all.iter().filter(|topic| !others.contains(topic));
        left.cloned().collect::<Vec<_>>()
    };
    store::delete_trust(tx, issuer, &without(&before, &topics))?;
    store::insert_trust(tx, issuer, &without(&topics, &before), ctx.now)?;
    let identity = people::by_address(tx, issuer)?;
    record_issuer(tx, ctx, &identity, "trusted_issuer.updated", &before, &topics)?;
    trusted(tx, issuer)
}

/// Trusts the issuer for nothing any more: all its claims stop counting at once. Tells what it was trusted for.
///
/// `Forbidden` without `Permission::ManageTrustedIssuers`; `NotFound` when it was not trusted.
pub fn remove_trusted_issuer(tx: &mut Tx<'_>, ctx: &Ctx, issuer: &Address) -> Result<TrustedIssuer, Error> {
    access::require(tx, ctx, Permission::ManageTrustedIssuers, Scope::System)?;
    let before = trusted(tx, issuer)?;
    store::delete_trust(tx, issuer, &before.topics)?;
    let identity = people::by_address(tx, issuer)?;
    record_issuer(tx, ctx, &identity, "trusted_issuer.removed", &before.topics, &[])?;
    Ok(before)
}

fn trusted(tx: &mut Tx<'_>, issuer: &Address) -> Result<TrustedIssuer, Error> {
    let all = store::issuers(tx)?;
    all.into_iter().find(|known| known.issuer == *issuer).ok_or(UNKNOWN)
}

fn distinct(topics: &[TopicName]) -> Result<Vec<TopicName>, Error> {
    if topics.is_empty() {
        return Err(Error::invalid("claimTopicIds", "must name at least one topic"));
    }
    let mut distinct = topics.to_vec();
    distinct.sort();
    distinct.dedup();
    Ok(distinct)
}

fn record_issuer(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    identity: &Identity,
    action: &'static str,
    before: &[TopicName],
    topics: &[TopicName],
) -> Result<(), Error> {
    record(
        tx,
        ctx,
        Change {
            stream: Stream::of_subject(&identity.account),
            action,
            subjects: vec![identity.account, identity.address],
            data: json!({ "issuer": identity.address, "topics": topics, "topicsBefore": before }),
        },
    )
}
