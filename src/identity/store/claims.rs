use diesel::prelude::*;

use super::super::{Claim, ClaimFact, ClaimStatus, rules};
use super::registry::{Trust, topic_name};
use crate::db::schema::claims;
use crate::db::{Bulk, Cursor, Lookup, Page, Tx, id_key, in_parts};
use crate::error::Error;
use crate::on;
use crate::types::{Address, Amount, ClaimId, IdentityId, Timestamp, TopicName, UserId};

type Row = (
    (ClaimId, IdentityId, String, Address, i16),
    (Vec<u8>, String, Option<Amount>, String),
    (Option<Vec<u8>>, Option<Address>, Option<UserId>),
    (Timestamp, Timestamp, Timestamp),
    (String, Option<Timestamp>, Option<UserId>, Option<Timestamp>),
);

macro_rules! claim_columns {
    () => {
        (
            (
                claims::id,
                claims::identity_id,
                claims::topic,
                claims::issuer,
                claims::scheme,
            ),
            (claims::data, claims::values_json, claims::amount, claims::uri),
            (claims::signature, claims::signer, claims::issued_by),
            (claims::issued_at, claims::not_before, claims::expires_at),
            (claims::status, claims::ended_at, claims::ended_by, claims::retain_until),
        )
    };
}

fn claim(row: Row) -> Result<Claim, Error> {
    let (key, content, proof, window, end) = row;
    Ok(Claim {
        id: key.0,
        identity: key.1,
        topic: topic_name(&key.2)?,
        issuer: key.3,
        scheme: key.4,
        data: content.0,
        values: serde_json::from_str(&content.1).map_err(Error::internal)?,
        amount: content.2,
        uri: content.3,
        signature: proof.0,
        signer: proof.1,
        issued_by: proof.2,
        issued_at: window.0,
        not_before: window.1,
        expires_at: window.2,
        status: status(&end.0)?,
        ended_at: end.1,
        ended_by: end.2,
        retain_until: end.3,
    })
}

/// Newest first; the cursor is (time of issue, id) of the last row of the page before.
pub(in super::super) fn claims_of(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    page: &Page,
) -> Result<(Vec<Claim>, Option<String>), Error> {
    let after = page.cursor.as_deref().map(read_cursor).transpose()?;
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = claims::table.filter(claims::identity_id.eq(identity)).select(claim_columns!()).into_boxed();
        if let Some((at, id)) = after {
            query = query.filter(claims::issued_at.lt(at).or(claims::issued_at.eq(at).and(claims::id.lt(id))));
        }
        query
            .order((claims::issued_at.desc(), claims::id.desc()))
            .limit(page.limit.saturating_add(1))
            .offset(page.offset)
            .load(c)
    })?;
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let more = rows.len() > limit;
    let found: Vec<Claim> = rows.into_iter().take(limit).map(claim).collect::<Result<_, _>>()?;
    let cursor = found.last().filter(|_| more);
    let cursor = cursor.map(|last| Cursor::new([last.issued_at.to_micros_text(), last.id.to_string()]).to_string());
    Ok((found, cursor))
}

fn read_cursor(text: &str) -> Result<(Timestamp, ClaimId), Error> {
    let invalid = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let [at, id] = Cursor::parse::<2>(text).map_err(|_| invalid())?;
    let at = Timestamp::parse(&at).map_err(|_| invalid())?;
    Ok((at, ClaimId::parse(&id).map_err(|_| invalid())?))
}

/// The claims of one topic that were not superseded, newest first.
pub(in super::super) fn claims_of_topic(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    topic: &TopicName,
) -> Result<Vec<Claim>, Error> {
    let query = claims::table
        .filter(claims::identity_id.eq(identity))
        .filter(claims::topic.eq(topic.as_str()))
        .filter(claims::status.ne(ClaimStatus::Superseded.as_str()))
        .order((claims::issued_at.desc(), claims::id.desc()))
        .select(claim_columns!());
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(claim).collect()
}

/// The newest claims of an identity that were not superseded, newest first.
pub(in super::super) fn standing_claims(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    limit: i64,
) -> Result<Vec<Claim>, Error> {
    let query = claims::table
        .filter(claims::identity_id.eq(identity))
        .filter(claims::status.ne(ClaimStatus::Superseded.as_str()))
        .order((claims::issued_at.desc(), claims::id.desc()))
        .limit(limit)
        .select(claim_columns!());
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(claim).collect()
}

/// The active claims of these identities, newest first.
pub(in super::super) fn active_claims(tx: &mut Tx<'_>, identities: &[IdentityId]) -> Result<Vec<Claim>, Error> {
    let query = claims::table
        .filter(claims::identity_id.eq_any(identities))
        .filter(claims::status.eq(ClaimStatus::Active.as_str()))
        .order((claims::issued_at.desc(), claims::id.desc()))
        .select(claim_columns!());
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(claim).collect()
}

/// What became of the same signed words of the issuer about this identity and topic; none when they are new.
pub(in super::super) fn signed_before(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    topic: &TopicName,
    issuer: &Address,
    data: &[u8],
) -> Result<Option<ClaimStatus>, Error> {
    let query = claims::table
        .filter(claims::identity_id.eq(identity))
        .filter(claims::topic.eq(topic.as_str()))
        .filter(claims::issuer.eq(issuer))
        .filter(claims::signature.is_not_null())
        .filter(claims::data.eq(data))
        .select(claims::status);
    let found: Option<String> = on!(tx, c => query.first(c).optional())?;
    found.map(|text| status(&text)).transpose()
}

fn status(text: &str) -> Result<ClaimStatus, Error> {
    ClaimStatus::read(text).ok_or_else(|| Error::internal(format!("claim status {text}")))
}

/// Ends the active claims of this issuer and topic on these identities.
pub(in super::super) fn supersede(
    tx: &mut Tx<'_>,
    identities: &[IdentityId],
    topic: &TopicName,
    issuer: &Address,
    by: UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let rows = claims::table
        .filter(claims::identity_id.eq_any(identities))
        .filter(claims::topic.eq(topic.as_str()))
        .filter(claims::issuer.eq(issuer))
        .filter(claims::status.eq(ClaimStatus::Active.as_str()));
    let end = (
        claims::status.eq(ClaimStatus::Superseded.as_str()),
        claims::ended_at.eq(now),
        claims::ended_by.eq(by),
    );
    on!(tx, c => diesel::update(rows).set(end).execute(c))?;
    Ok(())
}

pub(in super::super) fn revoke(tx: &mut Tx<'_>, id: ClaimId, by: UserId, now: Timestamp) -> Result<(), Error> {
    let end = (
        claims::status.eq(ClaimStatus::Revoked.as_str()),
        claims::ended_at.eq(now),
        claims::ended_by.eq(by),
    );
    on!(tx, c => diesel::update(claims::table.find(id)).set(end).execute(c))?;
    Ok(())
}

/// One statement whatever the number of claims.
pub(in super::super) fn insert_claims(tx: &mut Tx<'_>, new: &[Claim]) -> Result<(), Error> {
    let values: Result<Vec<String>, Error> = new
        .iter()
        .map(|claim| serde_json::to_string(&claim.values).map_err(Error::internal))
        .collect();
    Bulk::into("claims")
        .column("id", new.iter().map(|n| *n.id.as_uuid()).collect::<Vec<_>>())
        .column(
            "identity_id",
            new.iter().map(|n| *n.identity.as_uuid()).collect::<Vec<_>>(),
        )
        .column("topic", new.iter().map(|n| n.topic.to_string()).collect::<Vec<_>>())
        .column("issuer", new.iter().map(|n| n.issuer).collect::<Vec<_>>())
        .column("scheme", new.iter().map(|n| n.scheme).collect::<Vec<_>>())
        .column("data", new.iter().map(|n| n.data.clone()).collect::<Vec<_>>())
        .column("values_json", values?)
        .column("amount", new.iter().map(|n| n.amount).collect::<Vec<_>>())
        .column("uri", new.iter().map(|n| n.uri.clone()).collect::<Vec<_>>())
        .column("signature", new.iter().map(|n| n.signature.clone()).collect::<Vec<_>>())
        .column("signer", new.iter().map(|n| n.signer).collect::<Vec<_>>())
        .column(
            "issued_by",
            new.iter()
                .map(|n| n.issued_by.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column("issued_at", new.iter().map(|n| n.issued_at).collect::<Vec<_>>())
        .column("not_before", new.iter().map(|n| n.not_before).collect::<Vec<_>>())
        .column("expires_at", new.iter().map(|n| n.expires_at).collect::<Vec<_>>())
        .column("status", new.iter().map(|n| n.status.as_str()).collect::<Vec<_>>())
        .column("retain_until", new.iter().map(|n| n.retain_until).collect::<Vec<_>>())
        .execute(tx)?;
    Ok(())
}

type FactRow = (
    (ClaimId, IdentityId, String, Address),
    (Option<Address>, Option<UserId>, Option<Amount>),
    (Timestamp, Timestamp, Timestamp),
    (String, Option<Timestamp>),
);

macro_rules! fact_columns {
    () => {
        (
            (claims::id, claims::identity_id, claims::topic, claims::issuer),
            (claims::signer, claims::issued_by, claims::amount),
            (claims::issued_at, claims::not_before, claims::expires_at),
            (claims::status, claims::ended_at),
        )
    };
}

/// A claim as the rules see it, whose it is, and its amount.
pub(in super::super) struct OwnedFact {
    pub(in super::super) identity: IdentityId,
    pub(in super::super) amount: Option<Amount>,
    pub(in super::super) fact: ClaimFact,
}

fn owned_fact(row: FactRow, trust: &Trust) -> Result<OwnedFact, Error> {
    let ((id, identity, topic, issuer), (signer, issued_by, amount), window, (status, ended_at)) = row;
    let revoked = status == ClaimStatus::Revoked.as_str();
    let fact = ClaimFact {
        id,
        trusted: trust.is_trusted(&issuer, &topic),
        signature_valid: rules::signature_valid(issued_by, signer, |key| trust.has_key(&issuer, key)),
        topic: topic_name(&topic)?,
        issuer,
        issued_at: window.0,
        not_before: window.1,
        expires_at: window.2,
        revoked_at: ended_at.filter(|_| revoked),
    };
    Ok(OwnedFact { identity, amount, fact })
}

/// The claims of these identities that were not superseded. One that was revoked and would have expired since tells
/// nothing any more and is left out, so that what is read does not grow with the years. Oldest first.
pub(in super::super) fn claim_facts(
    tx: &mut Tx<'_>,
    identities: &[IdentityId],
    trust: &Trust,
    now: Timestamp,
) -> Result<Vec<OwnedFact>, Error> {
    let active = claims::status.eq(ClaimStatus::Active.as_str());
    let revoked = claims::status
        .eq(ClaimStatus::Revoked.as_str())
        .and(claims::expires_at.gt(now));
    let query = claims::table.filter(active.or(revoked)).select(fact_columns!());
    let ids = identities.iter().map(|identity| *identity.as_uuid());
    let rows: Vec<FactRow> = match tx {
        Tx::Pg(c) => Lookup::of_ids(ids, query.filter(claims::identity_id.eq(id_key()))).load(*c)?,
        Tx::Sqlite(c) => in_parts(identities, |ids| query.filter(claims::identity_id.eq_any(ids)).load(*c))?,
    };
    let facts = rows.into_iter().map(|row| owned_fact(row, trust));
    let mut facts = facts.collect::<Result<Vec<_>, Error>>()?;
    facts.sort_unstable_by_key(|owned| (owned.fact.issued_at, owned.fact.id));
    Ok(facts)
}

/// The claims of one topic on one identity that were not superseded, oldest first.
pub(in super::super) fn topic_facts(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    topic: &TopicName,
    trust: &Trust,
) -> Result<Vec<OwnedFact>, Error> {
    let query = claims::table
        .filter(claims::identity_id.eq(identity))
        .filter(claims::topic.eq(topic.as_str()))
        .filter(claims::status.ne(ClaimStatus::Superseded.as_str()))
        .order((claims::issued_at, claims::id))
        .select(fact_columns!());
    let rows: Vec<FactRow> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(|row| owned_fact(row, trust)).collect()
}
