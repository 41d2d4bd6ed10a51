use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::duration::Duration;
use super::node::{Node, Raw};
use super::parameter::{Form, Parameter};
use super::problem::Problem;
use super::reader::{Fields, Reader};
use crate::types::{Address, Amount, CountryCode, Timestamp, TopicName};

/// `policies/defs`: the words that rules use, and what they stand for.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    pub topics: BTreeMap<String, TopicDefinition>,
    pub issuers: BTreeMap<String, IssuerDefinition>,
    pub countries: BTreeMap<String, CountryGroup>,
}

/// One claim topic. Policies name it by its slug, claims by its name, chains by a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDefinition {
    pub name: TopicName,
    /// The shape of the claim's data, in words.
    pub data: String,
    /// A claim issued without an expiry ends this long after its issue (dalp.md A15).
    pub longest_validity: Duration,
    /// Its number in schemes other than keccak256 of the name, which every topic has.
    pub numbers: BTreeMap<String, Amount>,
}

/// An issuer that a rule may name instead of `any_trusted`. This is a narrower choice among those whom the registry
/// trusts, never a grant of trust: keys and trust live in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerDefinition {
    pub identity: Address,
    pub topics: BTreeSet<TopicName>,
    pub not_before: Timestamp,
    /// Exclusive.
    pub expires: Timestamp,
    /// A mailbox, not a person.
    pub contact: String,
}

/// A named list of countries, with who says so and since when it was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryGroup {
    pub countries: BTreeSet<CountryCode>,
    pub source: String,
    pub as_of: NaiveDate,
}

const TOPIC: &[Parameter] = &[
    Parameter::required("name", Form::Text, "the claim topic's name, such as knowYourCustomer"),
    Parameter::required("data", Form::Text, "the shape of the claim's data, in words"),
    Parameter::required(
        "longest_validity",
        Form::Duration,
        "when a claim without an expiry ends",
    ),
    Parameter::optional("numbers", Form::Table, "numbers in other schemes, as digits"),
];
const ISSUER: &[Parameter] = &[
    Parameter::required("identity", Form::Text, "the address of the issuer's identity"),
    Parameter::required("topics", Form::List, "slugs of the topics it may be named for"),
    Parameter::required("not_before", Form::Date, "from when on"),
    Parameter::required("expires", Form::Date, "until when, exclusive"),
    Parameter::required("contact", Form::Text, "a mailbox, not a person"),
];
const GROUP: &[Parameter] = &[
    Parameter::required("countries", Form::List, "ISO 3166-1 alpha-2 codes"),
    Parameter::required("source", Form::Text, "who says so"),
    Parameter::required("as_of", Form::Date, "when it was copied"),
];

impl Definitions {
    pub fn topic(&self, name: &TopicName) -> Option<&TopicDefinition> {
        self.topics.values().find(|topic| topic.name == *name)
    }

    /// The topic that has this number, as keccak256 of its name or in another scheme.
    pub(crate) fn topic_of_number(&self, number: Amount) -> Option<&TopicDefinition> {
        self.topics
            .values()
            .find(|topic| topic.name.number() == number || topic.numbers.values().any(|other| *other == number))
    }

    /// Everything that decides, for the policy hash.
    pub(super) fn canonical(&self) -> Value {
        let codes = |group: &CountryGroup| group.countries.iter().map(|code| code.alpha2()).collect::<Vec<_>>();
        let topics = self.topics.iter().map(|(slug, topic)| {
            let value = json!({
                "name": topic.name,
                "longest_validity_seconds": topic.longest_validity.seconds(),
                "numbers": topic.numbers,
            });
            (slug.clone(), value)
        });
        let issuers = self.issuers.iter().map(|(slug, issuer)| {
            let value = json!({
                "identity": issuer.identity.to_lower_hex(),
                "topics": issuer.topics,
                "not_before": issuer.not_before.to_micros_text(),
                "expires": issuer.expires.to_micros_text(),
            });
            (slug.clone(), value)
        });
        let countries = self.countries.iter().map(|(slug, group)| {
            (
                slug.clone(),
                json!({ "countries": codes(group), "source": group.source, "as_of": group.as_of.to_string() }),
            )
        });
        json!({
            "topics": topics.collect::<BTreeMap<_, _>>(),
            "issuers": issuers.collect::<BTreeMap<_, _>>(),
            "countries": countries.collect::<BTreeMap<_, _>>(),
        })
    }

    pub(crate) fn read_topics(&mut self, root: &Node) -> Vec<Problem> {
        let (topics, problems) = read_entries(root, "topics", TOPIC, &Self::default(), |fields, reader| {
            Some(TopicDefinition {
                name: fields.get("name").and_then(|node| reader.topic_name(node))?,
                data: fields.get("data").and_then(|node| reader.text(node))?.to_owned(),
                longest_validity: fields.get("longest_validity").and_then(|node| reader.duration(node))?,
                numbers: fields
                    .get("numbers")
                    .map_or_else(BTreeMap::new, |node| read_numbers(node, reader)),
            })
        });
        self.topics = topics;
        problems
    }

    /// After the topics, which issuers name.
    pub(crate) fn read_issuers(&mut self, root: &Node) -> Vec<Problem> {
        let (issuers, problems) = read_entries(root, "issuers", ISSUER, self, |fields, reader| {
            Some(IssuerDefinition {
                identity: fields.get("identity").and_then(|node| reader.address(node))?,
                topics: fields.get("topics").map(|node| reader.topic_slugs(node))?,
                not_before: fields.get("not_before").and_then(|node| reader.instant(node))?,
                expires: fields.get("expires").and_then(|node| reader.instant(node))?,
                contact: fields.get("contact").and_then(|node| reader.text(node))?.to_owned(),
            })
        });
        self.issuers = issuers;
        problems
    }

    pub(crate) fn read_countries(&mut self, root: &Node) -> Vec<Problem> {
        let (countries, problems) = read_entries(root, "groups", GROUP, &Self::default(), |fields, reader| {
            Some(CountryGroup {
                countries: fields.get("countries").map(|node| reader.countries(node))?,
                source: fields.get("source").and_then(|node| reader.text(node))?.to_owned(),
                as_of: fields.get("as_of").and_then(|node| reader.date(node))?,
            })
        });
        self.countries = countries;
        problems
    }
}

/// The tables `[{heading}.<slug>]` of a definitions file.
fn read_entries<T>(
    root: &Node,
    heading: &'static str,
    parameters: &'static [Parameter],
    definitions: &Definitions,
    read: impl Fn(&Fields<'_>, &mut Reader<'_>) -> Option<T>,
) -> (BTreeMap<String, T>, Vec<Problem>) {
    let mut reader = Reader::of_files(definitions);
    let mut found = BTreeMap::new();
    let headings = [Parameter::required(heading, Form::Table, "one table for each slug")];
    let tables = Fields::open(root, &headings, &mut reader).and_then(|fields| fields.get(heading));
    if let Some(Raw::Table(entries)) = tables.map(|node| &node.value) {
        for entry in entries {
            reader.check_slug(&entry.key, &entry.key_at);
            let fields = Fields::open(&entry.node, parameters, &mut reader);
            if let Some(value) = fields.and_then(|fields| read(&fields, &mut reader)) {
                found.insert(entry.key.clone(), value);
            }
        }
    } else if let Some(node) = tables {
        reader.problem(Problem::new(
            &node.at,
            "type",
            format!("must be tables, found {}", node.found()),
        ));
    }
    (found, reader.into_problems())
}

fn read_numbers(node: &Node, reader: &mut Reader<'_>) -> BTreeMap<String, Amount> {
    let Raw::Table(entries) = &node.value else {
        reader.problem(Problem::new(
            &node.at,
            "type",
            format!("must be a table of digits, found {}", node.found()),
        ));
        return BTreeMap::new();
    };
    entries
        .iter()
        .filter_map(|entry| reader.number(&entry.node).map(|number| (entry.key.clone(), number)))
        .collect()
}
