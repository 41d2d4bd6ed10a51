use std::collections::BTreeMap;

use crate::identity::{ClaimFact, Recipient};
use crate::policy::Problem;
use crate::policy::node::{Node, Raw};
use crate::policy::parameter::{Form, Parameter};
use crate::policy::reader::{Fields, Reader};
use crate::types::{Address, ClaimId, IdentityId, Timestamp, keccak256};

/// Recipients by the name that cases use.
pub(super) type People = BTreeMap<String, Recipient>;

const PERSON: &[Parameter] = &[
    Parameter::optional("wallet", Form::Text, "its address; made from the name without it"),
    Parameter::optional(
        "identity",
        Form::Text,
        "the identity's address; made from the name without it",
    ),
    Parameter::optional(
        "identity_of",
        Form::Text,
        "another person, when this is a second wallet of that identity",
    ),
    Parameter::optional("registered", Form::Text, "true (the default) or false"),
    Parameter::optional("country", Form::Text, "ISO 3166-1 alpha-2; unknown without it"),
    Parameter::optional("claims", Form::List, "the identity's claims"),
];
const CLAIM: &[Parameter] = &[
    Parameter::required("topic", Form::Text, "a slug of defs/topics.toml"),
    Parameter::optional(
        "issuer",
        Form::Text,
        "a slug of defs/issuers.toml, or any word for somebody else",
    ),
    Parameter::optional("trusted", Form::Text, "true (the default) or false"),
    Parameter::optional("signature_valid", Form::Text, "true (the default) or false"),
    Parameter::optional("issued", Form::Date, "30 days before the suite's clock without it"),
    Parameter::optional("not_before", Form::Date, "the time of issue without it"),
    Parameter::optional(
        "expires",
        Form::Date,
        "a year after the suite's clock without it, exclusive",
    ),
    Parameter::optional("revoked", Form::Date, "when it was revoked"),
];
const DAY_SECONDS: i64 = 86_400;

pub(super) fn read_people(node: &Node, now: Timestamp, reader: &mut Reader<'_>) -> People {
    let Raw::Table(entries) = &node.value else {
        reader.wrong_type(node, "tables [people.<name>]");
        return People::new();
    };
    let mut people = People::new();
    for entry in entries {
        let person = read_person(&entry.key, &entry.node, now, &people, reader);
        person.and_then(|person| people.insert(entry.key.clone(), person));
    }
    people
}

fn read_person(
    name: &str,
    node: &Node,
    now: Timestamp,
    earlier: &People,
    reader: &mut Reader<'_>,
) -> Option<Recipient> {
    let fields = Fields::open(node, PERSON, reader)?;
    let of_name = |kind: &str| address_of(&format!("{kind} of {name}"));
    let wallet = fields
        .get("wallet")
        .map_or_else(|| Some(of_name("wallet")), |node| reader.address(node))?;
    if let Some(node) = fields.get("identity_of") {
        let other = reader.text(node)?;
        let found = earlier.get(other);
        if found.is_none() {
            let problem = Problem::new(
                &node.at,
                "unknown",
                format!("`{other}` is not written before this person"),
            );
            reader.problem(problem.knowing(earlier.keys()));
        }
        return found.map(|person| Recipient {
            wallet,
            ..person.clone()
        });
    }
    let identity_address = fields
        .get("identity")
        .map_or_else(|| Some(of_name("identity")), |node| reader.address(node))?;
    let claims = fields.get("claims").map(|node| reader.list(node)).unwrap_or_default();
    Some(Recipient {
        wallet,
        identity: IdentityId::generate(),
        identity_address,
        registered: fields.get("registered").is_none_or(|node| read_flag(node, reader)),
        country: fields.get("country").and_then(|node| reader.country(node)),
        claims: claims
            .iter()
            .filter_map(|claim| read_claim(claim, now, reader))
            .collect(),
    })
}

fn read_claim(node: &Node, now: Timestamp, reader: &mut Reader<'_>) -> Option<ClaimFact> {
    let fields = Fields::open(node, CLAIM, reader)?;
    let slug_node = fields.get("topic")?;
    let slug = reader.text(slug_node)?;
    let definitions = reader.definitions;
    let Some(topic) = definitions.topics.get(slug) else {
        let problem = Problem::new(&slug_node.at, "unknown", format!("unknown topic `{slug}`"));
        reader.problem(problem.knowing(definitions.topics.keys()));
        return None;
    };
    let issuer = fields.get("issuer").map_or(Some("issuer"), |node| reader.text(node))?;
    let listed = definitions.issuers.get(issuer).map(|listed| listed.identity);
    let mut time =
        |name: &str, otherwise: Timestamp| fields.get(name).map_or(Some(otherwise), |node| reader.instant(node));
    let issued_at = time("issued", now.plus_seconds(-30 * DAY_SECONDS))?;
    let not_before = time("not_before", issued_at)?;
    let expires_at = time("expires", now.plus_seconds(365 * DAY_SECONDS))?;
    Some(ClaimFact {
        id: ClaimId::generate(),
        topic: topic.name.clone(),
        issuer: listed.unwrap_or_else(|| address_of(issuer)),
        trusted: fields.get("trusted").is_none_or(|node| read_flag(node, reader)),
        signature_valid: fields.get("signature_valid").is_none_or(|node| read_flag(node, reader)),
        issued_at,
        not_before,
        expires_at,
        revoked_at: fields.get("revoked").and_then(|node| reader.instant(node)),
    })
}

fn read_flag(node: &Node, reader: &mut Reader<'_>) -> bool {
    match &node.value {
        Raw::Boolean(flag) => *flag,
        Raw::Text(_) | Raw::Integer(_) | Raw::Date(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {
            reader.wrong_type(node, "true or false");
            false
        }
    }
}

/// An address that stands for a name: the last 20 bytes of its hash, as contracts make theirs.
fn address_of(name: &str) -> Address {
    let hash = keccak256(name.as_bytes());
    let (_, tail) = hash.as_bytes().split_at(12);
    Address::try_from(tail).unwrap_or(Address::ZERO)
}
