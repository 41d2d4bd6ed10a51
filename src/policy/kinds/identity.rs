use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::RuleKind;
use crate::policy::duration::Duration;
use crate::policy::expression::{self, Expression};
use crate::policy::node::{Node, Raw};
use crate::policy::parameter::{Form, Parameter};
use crate::policy::problem::Problem;
use crate::policy::reader::{Fields, Reader};
use crate::types::{Address, Timestamp, TopicName};

/// The recipient's identity has the claims that the expression asks for, each valid: signed, its issuer trusted for the
/// topic, not revoked, `not_before <= now < expires`. A topic under `not` counts as present whoever among the trusted
/// issued it and however old it is: narrowing whom one believes must not make an unwanted claim disappear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub require: Expression,
    pub issuers: Issuers,
    /// A claim may have been issued this long ago, inclusive.
    pub max_age: Option<Duration>,
}

/// Whose claims count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuers {
    /// Whoever the registry trusts for the topic now.
    AnyTrusted,
    /// Only these, and only while the registry trusts them for the topic too.
    Listed(Vec<ListedIssuer>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedIssuer {
    pub slug: String,
    pub identity: Address,
    pub topics: BTreeSet<TopicName>,
    pub not_before: Timestamp,
    /// Exclusive.
    pub expires: Timestamp,
}

impl RuleKind for Identity {
    const NAME: &'static str = "identity";
    const ABOUT: &'static str = "the recipient's identity must have the claims that an expression asks for";
    const TIGHTER: &'static str =
        "an expression that implies the earlier one, a subset of its issuers, the same or a shorter max_age";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::required(
            "require",
            Form::Expression,
            "such as \"(kyc and aml) or qualified_institution\"",
        ),
        Parameter::optional(
            "notation",
            Form::Notation,
            "of a list of nodes: \"infix\" (the default) or \"postfix\"",
        ),
        Parameter::optional(
            "issuers",
            Form::Issuers,
            "\"any_trusted\" (the default) or slugs of defs/issuers.toml",
        ),
        Parameter::optional(
            "max_age",
            Form::Duration,
            "how long ago a claim may have been issued, inclusive",
        ),
    ];

    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let require = expression::read(fields.get("require")?, fields.get("notation"), reader);
        let issuers = match fields.get("issuers") {
            Some(node) => read_issuers(node, reader),
            None => Issuers::AnyTrusted,
        };
        let max_age = fields.get("max_age").and_then(|node| reader.duration(node));
        Some(Self {
            require: require?,
            issuers,
            max_age,
        })
    }

    fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
        let issuers = match (&self.issuers, &other.issuers) {
            (_, Issuers::AnyTrusted) => true,
            (Issuers::AnyTrusted, Issuers::Listed(_)) => false,
            (Issuers::Listed(own), Issuers::Listed(other)) => own.iter().all(|issuer| other.contains(issuer)),
        };
        let age = match (self.max_age, other.max_age) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => own <= other,
        };
        issuers && age && self.require.implies(&other.require)
    }

    fn lists_nothing(&self) -> bool {
        matches!(&self.issuers, Issuers::Listed(issuers) if issuers.is_empty())
    }

    fn canonical(&self) -> Value {
        let issuers = match &self.issuers {
            Issuers::AnyTrusted => json!("any_trusted"),
            Issuers::Listed(issuers) => json!(issuers.iter().map(|issuer| &issuer.slug).collect::<Vec<_>>()),
        };
        json!({
            "require": self.require.to_string(),
            "issuers": issuers,
            "max_age_seconds": self.max_age.map(Duration::seconds),
        })
    }
}

fn read_issuers(node: &Node, reader: &mut Reader<'_>) -> Issuers {
    match &node.value {
        Raw::Text(word) if word == "any_trusted" => Issuers::AnyTrusted,
        Raw::Text(word) => {
            let message = format!("must be \"any_trusted\" or a list of issuers, found \"{word}\"");
            reader.problem(Problem::new(&node.at, "unknown", message).knowing(["any_trusted"]));
            Issuers::Listed(Vec::new())
        }
        Raw::Integer(_) | Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {
            let definitions = reader.definitions;
            let named = reader.named(node, "issuer", &definitions.issuers);
            let listed = named.into_iter().map(|(slug, issuer)| ListedIssuer {
                slug: slug.clone(),
                identity: issuer.identity,
                topics: issuer.topics.clone(),
                not_before: issuer.not_before,
                expires: issuer.expires,
            });
            Issuers::Listed(listed.collect())
        }
    }
}
