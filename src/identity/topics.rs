//! What claims can be about.

use serde_json::json;

use super::store::{self, Existing};
use super::{Change, ClaimTopic, NewTopic, TopicChange, record};
use crate::access::{self, Permission, Scope};
use crate::audit::{self, Stream};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Timestamp, TopicName};

/// The topics that a server begins with, and their data (dalp.md section 7). They can be given another validity but not
/// another meaning, and are never deleted.
const BUILT_IN: &[(&str, &str)] = &[
    ("knowYourCustomer", "string claim"),
    ("antiMoneyLaundering", "string claim"),
    ("qualifiedInstitutionalInvestor", "string claim"),
    ("professionalInvestor", "string claim"),
    ("accreditedInvestor", "string claim"),
    ("accreditedInvestorVerified", "string claim"),
    ("regulationS", "string claim"),
    ("issuerProspectusFiled", "string prospectusReference"),
    ("issuerProspectusExempt", "string exemptionReference"),
    (
        "issuerLicensed",
        "string licenseType, string licenseNumber, string jurisdiction, uint256 validUntil",
    ),
    ("issuerReportingCompliant", "bool compliant, uint256 lastUpdated"),
    ("issuerJurisdiction", "string jurisdiction"),
    ("collateral", "uint256 amount, uint256 expiryTimestamp"),
    ("isin", "string isin"),
    ("assetClassification", "string class, string category"),
    ("basePrice", "uint256 amount, string currencyCode, uint8 decimals"),
    ("assetIssuer", "address issuerAddress"),
    ("contractIdentity", "address contractAddress"),
];

/// Topics are few: their events share one stream.
const STREAM: Stream = Stream::System(0);
const UNKNOWN: Error = Error::NotFound("claim topic");

/// Adds the built-in topics that are missing. Doing it again changes nothing.
pub fn seed_topics(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    let mut built_in = Vec::new();
    for (name, signature) in BUILT_IN {
        let name = TopicName::parse(name).map_err(Error::internal)?;
        built_in.push(NewTopic::parse(name, signature).map_err(Error::internal)?);
    }
    let written = store::insert_topics(tx, &built_in, Existing::Keep, now)?;
    if written == 0 {
        return Ok(());
    }
    let event = audit::Event {
        stream: STREAM,
        actor: "system".to_owned(),
        action: "claim_topics.seeded",
        asset: None,
        operation: None,
        subjects: Vec::new(),
        data: json!({ "added": written }),
    };
    audit::append(tx, now, vec![event])
}

/// All topics, by name.
pub fn list_topics(tx: &mut Tx<'_>) -> Result<Vec<ClaimTopic>, Error> {
    store::topics(tx)
}

/// The topics that are called so, by name or number, in the order asked. `Invalid` at `path.N` for an unknown one.
pub fn find_topics(tx: &mut Tx<'_>, path: &str, wanted: &[String]) -> Result<Vec<TopicName>, Error> {
    let topics = store::topics(tx)?;
    let find = |(index, text): (usize, &String)| {
        let found = topics.iter().find(|topic| topic.is_called(text));
        found.map(|topic| topic.name.clone()).ok_or_else(|| {
            let path = format!("{path}.{index}");
            Error::invalid(&path, format!("{text:?} is not a known claim topic"))
        })
    };
    wanted.iter().enumerate().map(find).collect()
}

/// `Forbidden` without `Permission::ManageClaimTopics`; `AlreadyExists` when the name is taken.
pub fn create_topic(tx: &mut Tx<'_>, ctx: &Ctx, topic: NewTopic) -> Result<ClaimTopic, Error> {
    access::require(tx, ctx, Permission::ManageClaimTopics, Scope::System)?;
    check_validity(&topic)?;
    if store::topic(tx, &topic.name)?.is_some() {
        let message = format!("The claim topic {} exists", topic.name);
        return Err(Error::AlreadyExists(message));
    }
    store::insert_topics(tx, std::slice::from_ref(&topic), Existing::Refuse, ctx.now)?;
    record_topic(tx, ctx, &topic, "claim_topic.created")?;
    known(tx, &topic.name)
}

/// Another validity for claims to come; another shape as long as there is no claim of it. What is not given stays.
///
/// `Forbidden` without `Permission::ManageClaimTopics`; `Conflict` when claims were made with the shape, or the topic is
/// built in.
pub fn update_topic(tx: &mut Tx<'_>, ctx: &Ctx, name: &TopicName, change: &TopicChange) -> Result<ClaimTopic, Error> {
    access::require(tx, ctx, Permission::ManageClaimTopics, Scope::System)?;
    let before = known(tx, name)?;
    let topic = NewTopic {
        name: before.name,
        shape: change.shape.clone().unwrap_or_else(|| before.shape.clone()),
        validity_seconds_max: change.validity_seconds_max.unwrap_or(before.validity_seconds_max),
    };
    check_validity(&topic)?;
    if before.shape != topic.shape {
        refuse_change(tx, &topic.name)?;
    }
    store::update_topic(tx, &topic)?;
    record_topic(tx, ctx, &topic, "claim_topic.updated")?;
    known(tx, &topic.name)
}

/// `Forbidden` without `Permission::ManageClaimTopics`; `Conflict` while claims or trusted issuers use it, or when it is
/// built in.
pub fn delete_topic(tx: &mut Tx<'_>, ctx: &Ctx, name: &TopicName) -> Result<ClaimTopic, Error> {
    access::require(tx, ctx, Permission::ManageClaimTopics, Scope::System)?;
    let topic = known(tx, name)?;
    refuse_change(tx, name)?;
    if store::trusted_topics(tx)?.contains(name) {
        let message = format!("Issuers are trusted for the claim topic {name}");
        return Err(Error::Conflict(message));
    }
    store::delete_topic(tx, name)?;
    let data = json!({ "topic": name });
    let change = Change {
        stream: STREAM,
        action: "claim_topic.deleted",
        subjects: Vec::new(),
        data,
    };
    record(tx, ctx, change)?;
    Ok(topic)
}

fn known(tx: &mut Tx<'_>, name: &TopicName) -> Result<ClaimTopic, Error> {
    store::topic(tx, name)?.ok_or(UNKNOWN)
}

fn check_validity(topic: &NewTopic) -> Result<(), Error> {
    if (1..=ClaimTopic::VALIDITY_SECONDS_MAX).contains(&topic.validity_seconds_max) {
        return Ok(());
    }
    let message = format!("must be 1 to {}", ClaimTopic::VALIDITY_SECONDS_MAX);
    Err(Error::invalid("validitySecondsMax", message))
}

fn refuse_change(tx: &mut Tx<'_>, name: &TopicName) -> Result<(), Error> {
    if BUILT_IN.iter().any(|(built_in, _)| *built_in == name.as_str()) {
        return Err(Error::Conflict(format!("The claim topic {name} is built in")));
    }
    if store::is_topic_used(tx, name)? {
        return Err(Error::Conflict(format!("There are claims of topic {name}")));
    }
    Ok(())
}

fn record_topic(tx: &mut Tx<'_>, ctx: &Ctx, topic: &NewTopic, action: &'static str) -> Result<(), Error> {
    let data = json!({
        "topic": topic.name,
        "signature": topic.shape.as_str(),
        "validitySecondsMax": topic.validity_seconds_max,
    });
    let change = Change {
        stream: STREAM,
        action,
        subjects: Vec::new(),
        data,
    };
    record(tx, ctx, change)
}
