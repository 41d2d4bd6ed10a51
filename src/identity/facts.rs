//! What the rules ask of this domain: a fixed number of queries, whatever the number of wallets.

use std::collections::{HashMap, HashSet};

use super::{ClaimFact, Collateral, Identity, Recipient, rules, store};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, Amount, CountryCode, IdentityId, Timestamp, TopicName};

/// The identities of these wallets with their claims; a wallet without an identity has no entry. Three queries.
///
/// A claim that was revoked and would have expired by `now` is left out.
pub fn recipients(tx: &mut Tx<'_>, wallets: &[Address], now: Timestamp) -> Result<HashMap<Address, Recipient>, Error> {
    let mut found = store::recipients(tx, wallets)?;
    if found.is_empty() {
        return Ok(HashMap::new());
    }
    let identities: Vec<IdentityId> = found.iter().map(|recipient| recipient.identity).collect();
    let trust = store::trust(tx)?;
    let mut claims: HashMap<IdentityId, Vec<ClaimFact>> = HashMap::new();
    for owned in store::claim_facts(tx, &identities, &trust, now)? {
        claims.entry(owned.identity).or_default().push(owned.fact);
    }
    for recipient in &mut found {
        // Not taken out: two wallets may belong to one identity.
        recipient.claims = claims.get(&recipient.identity).cloned().unwrap_or_default();
    }
    Ok(found
        .into_iter()
        .map(|recipient| (recipient.wallet, recipient))
        .collect())
}

/// Keeps these recipients' countries as they are until the commit, and corrects those that changed since they were read:
/// who becomes a holder is counted in a country, and `register` moves the counts of holders only. One query, none for
/// nobody.
pub fn keep_countries<'r>(tx: &mut Tx<'_>, recipients: impl Iterator<Item = &'r mut Recipient>) -> Result<(), Error> {
    let mut kept: Vec<&mut Recipient> = recipients.collect();
    if kept.is_empty() {
        return Ok(());
    }
    let identities: Vec<IdentityId> = kept.iter().map(|recipient| recipient.identity).collect();
    let countries: HashMap<_, _> = store::countries_of(tx, &identities)?.into_iter().collect();
    for recipient in &mut kept {
        if let Some(country) = countries.get(&recipient.identity) {
            recipient.country = *country;
        }
    }
    Ok(())
}

/// The countries of these identities, as they stay until the commit; an identity without one is left out.
pub fn countries_of(tx: &mut Tx<'_>, identities: &[IdentityId]) -> Result<HashMap<IdentityId, CountryCode>, Error> {
    let found = store::countries_of(tx, identities)?;
    Ok(found
        .into_iter()
        .filter_map(|(id, country)| Some((id, country?)))
        .collect())
}

/// The identities of these wallets, registered or not; a wallet without one is left out. For settlement, which tells them
/// to a chain.
pub fn registrations(tx: &mut Tx<'_>, wallets: &[Address]) -> Result<Vec<Identity>, Error> {
    store::by_wallets(tx, wallets)
}

/// Topics that have at least one trusted issuer now.
pub fn trusted_topics(tx: &mut Tx<'_>) -> Result<HashSet<TopicName>, Error> {
    store::trusted_topics(tx)
}

/// The claims of a topic on the identity of an asset that were not superseded, with their amounts.
pub fn asset_claims(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    topic: &TopicName,
) -> Result<Vec<(ClaimFact, Option<Amount>)>, Error> {
    let trust = store::trust(tx)?;
    let facts = store::topic_facts(tx, identity, topic, &trust)?;
    Ok(facts.into_iter().map(|owned| (owned.fact, owned.amount)).collect())
}

/// The collateral behind an asset now, in claims of this topic. Two queries.
pub fn collateral_of(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    topic: &TopicName,
    now: Timestamp,
) -> Result<Collateral, Error> {
    Ok(rules::collateral(&asset_claims(tx, identity, topic)?, now))
}
