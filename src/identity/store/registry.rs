use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::super::{ClaimTopic, KeyPurpose, NewTopic, TrustedIssuer};
use crate::chain::ClaimShape;
use crate::db::schema::{claim_topics, claims, identities, identity_keys, identity_wallets, trusted_issuers};
use crate::db::{Bulk, Lookup, Tx, address_key};
use crate::error::Error;
use crate::on;
use crate::types::{Address, Amount, Hash32, Timestamp, TopicName};

type TopicRow = (String, Amount, String, i64, Timestamp);

pub(super) fn topic_name(text: &str) -> Result<TopicName, Error> {
    TopicName::parse(text).map_err(Error::internal)
}

fn claim_topic(row: TopicRow) -> Result<ClaimTopic, Error> {
    let (name, _number, signature, validity_seconds_max, created_at) = row;
    Ok(ClaimTopic {
        name: topic_name(&name)?,
        shape: ClaimShape::parse(&signature).map_err(Error::internal)?,
        validity_seconds_max,
        created_at,
    })
}

/// All of them, by name: topics are few.
pub(in super::super) fn topics(tx: &mut Tx<'_>) -> Result<Vec<ClaimTopic>, Error> {
    let rows: Vec<TopicRow> = on!(tx, c => claim_topics::table.order(claim_topics::name).load(c))?;
    rows.into_iter().map(claim_topic).collect()
}

pub(in super::super) fn topic(tx: &mut Tx<'_>, name: &TopicName) -> Result<Option<ClaimTopic>, Error> {
    let row: Option<TopicRow> = on!(tx, c => claim_topics::table.find(name.as_str()).first(c).optional())?;
    row.map(claim_topic).transpose()
}

/// What to do with a topic that is there already.
pub(in super::super) enum Existing {
    Refuse,
    Keep,
}

/// The number of topics written.
pub(in super::super) fn insert_topics(
    tx: &mut Tx<'_>,
    new: &[NewTopic],
    existing: Existing,
    now: Timestamp,
) -> Result<usize, Error> {
    let known = match existing {
        Existing::Keep => topics(tx)?.into_iter().map(|topic| topic.name).collect(),
        Existing::Refuse => Vec::new(),
    };
    let new: Vec<&NewTopic> = new.iter().filter(|topic| !known.contains(&topic.name)).collect();
    Bulk::into("claim_topics")
        .column("name", new.iter().map(|t| t.name.to_string()).collect::<Vec<_>>())
        .column("number", new.iter().map(|t| t.name.number()).collect::<Vec<_>>())
        .column(
            "signature",
            new.iter().map(|t| t.shape.as_str().to_owned()).collect::<Vec<_>>(),
        )
        .column(
            "validity_seconds_max",
            new.iter().map(|t| t.validity_seconds_max).collect::<Vec<_>>(),
        )
        .column("created_at", vec![now; new.len()])
        .execute(tx)
}

pub(in super::super) fn update_topic(tx: &mut Tx<'_>, topic: &NewTopic) -> Result<(), Error> {
    let change = (
        claim_topics::signature.eq(topic.shape.as_str()),
        claim_topics::validity_seconds_max.eq(topic.validity_seconds_max),
    );
    on!(tx, c => diesel::update(claim_topics::table.find(topic.name.as_str())).set(change).execute(c))?;
    Ok(())
}

pub(in super::super) fn delete_topic(tx: &mut Tx<'_>, name: &TopicName) -> Result<(), Error> {
    on!(tx, c => diesel::delete(claim_topics::table.find(name.as_str())).execute(c))?;
    Ok(())
}

/// There is a claim of this topic, active or not.
pub(in super::super) fn is_topic_used(tx: &mut Tx<'_>, name: &TopicName) -> Result<bool, Error> {
    let query = claims::table
        .filter(claims::topic.eq(name.as_str()))
        .select(claims::topic)
        .limit(1);
    let found: Option<String> = on!(tx, c => query.first(c).optional())?;
    Ok(found.is_some())
}

/// All of them with their topics, ordered by address.
pub(in super::super) fn issuers(tx: &mut Tx<'_>) -> Result<Vec<TrustedIssuer>, Error> {
    let query = trusted_issuers::table
        .inner_join(identities::table.on(identities::address.eq(trusted_issuers::issuer)))
        .inner_join(identity_wallets::table.on(identity_wallets::identity_id.eq(identities::id)))
        .order((trusted_issuers::issuer, trusted_issuers::topic))
        .select((
            trusted_issuers::issuer,
            identity_wallets::wallet,
            trusted_issuers::topic,
            trusted_issuers::added_at,
        ));
    let rows: Vec<(Address, Address, String, Timestamp)> = on!(tx, c => query.load(c))?;
    let mut found: Vec<TrustedIssuer> = Vec::new();
    for (issuer, account, topic, added_at) in rows {
        let topic = topic_name(&topic)?;
        match found.last_mut().filter(|last| last.issuer == issuer) {
            Some(last) => {
                last.topics.push(topic);
                last.added_at = last.added_at.min(added_at);
            }
            None => found.push(TrustedIssuer {
                issuer,
                account,
                topics: vec![topic],
                added_at,
            }),
        }
    }
    Ok(found)
}

pub(in super::super) fn insert_trust(
    tx: &mut Tx<'_>,
    issuer: &Address,
    topics: &[TopicName],
    now: Timestamp,
) -> Result<(), Error> {
    Bulk::into("trusted_issuers")
        .column("issuer", vec![*issuer; topics.len()])
        .column("topic", topics.iter().map(ToString::to_string).collect::<Vec<_>>())
        .column("added_at", vec![now; topics.len()])
        .execute(tx)?;
    Ok(())
}

pub(in super::super) fn delete_trust(tx: &mut Tx<'_>, issuer: &Address, topics: &[TopicName]) -> Result<(), Error> {
    let names = topics.iter().map(TopicName::as_str);
    let rows = trusted_issuers::table
        .filter(trusted_issuers::issuer.eq(issuer))
        .filter(trusted_issuers::topic.eq_any(names));
    on!(tx, c => diesel::delete(rows).execute(c))?;
    Ok(())
}

pub(in super::super) fn is_trusted(tx: &mut Tx<'_>, issuer: &Address, topic: &TopicName) -> Result<bool, Error> {
    let query = trusted_issuers::table
        .find((issuer, topic.as_str()))
        .select(trusted_issuers::topic);
    let found: Option<String> = on!(tx, c => query.first(c).optional())?;
    Ok(found.is_some())
}

pub(in super::super) fn trusted_topics(tx: &mut Tx<'_>) -> Result<HashSet<TopicName>, Error> {
    let query = trusted_issuers::table.select(trusted_issuers::topic).distinct();
    let names: Vec<String> = on!(tx, c => query.load(c))?;
    names.iter().map(|name| topic_name(name)).collect()
}

/// Who is trusted for what, and the keys with which a trusted issuer may sign.
#[derive(Default)]
pub(in super::super) struct Trust {
    topics: HashMap<Address, HashSet<String>>,
    keys: HashMap<Address, HashSet<Hash32>>,
}

impl Trust {
    pub(in super::super) fn is_trusted(&self, issuer: &Address, topic: &str) -> bool {
        self.topics.get(issuer).is_some_and(|topics| topics.contains(topic))
    }

    /// Always false for an issuer that is trusted for nothing.
    pub(in super::super) fn has_key(&self, issuer: &Address, key: &Hash32) -> bool {
        self.keys.get(issuer).is_some_and(|keys| keys.contains(key))
    }
}

/// Two queries: trusted issuers are few, and have few topics and keys.
pub(in super::super) fn trust(tx: &mut Tx<'_>) -> Result<Trust, Error> {
    let all = trusted_issuers::table.select((trusted_issuers::issuer, trusted_issuers::topic));
    let topics: Vec<(Address, String)> = on!(tx, c => all.load(c))?;
    let issuers: Vec<Address> = topics.iter().map(|(issuer, _)| *issuer).collect();
    let mut trust = Trust::default();
    for (issuer, key) in signing_keys(tx, &issuers)? {
        trust.keys.entry(issuer).or_default().extend(key);
    }
    // Nobody is trusted without an identity.
    for (issuer, topic) in topics.into_iter().filter(|(issuer, _)| trust.keys.contains_key(issuer)) {
        trust.topics.entry(issuer).or_default().insert(topic);
    }
    Ok(trust)
}

/// The keys with which these identities may sign claims, one row without a key for an identity that has none.
fn signing_keys(tx: &mut Tx<'_>, identities: &[Address]) -> Result<Vec<(Address, Option<Hash32>)>, Error> {
    let signing = [KeyPurpose::Management.number(), KeyPurpose::ClaimSigner.number()];
    let query = identities::table
        .left_join(
            identity_keys::table.on(identity_keys::identity_id
                .eq(identities::id)
                .and(identity_keys::purpose.eq_any(signing))),
        )
        .select((identities::address, identity_keys::key_hash.nullable()));
    let keys = match tx {
        Tx::Pg(c) => Lookup::of_addresses(identities, query.filter(identities::address.eq(address_key()))).load(*c)?,
        Tx::Sqlite(c) => query.filter(identities::address.eq_any(identities)).load(*c)?,
    };
    Ok(keys)
}
