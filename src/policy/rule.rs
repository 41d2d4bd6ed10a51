use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::kinds::Check;
use super::node::Node;
use super::parameter::{Form, Parameter};
use super::problem::{Problem, position};
use super::reader::{Fields, Reader};
use crate::types::CountryCode;

/// One rule of a policy, as it counts.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    /// `policy-id/rule-id` of the file that had the last word: what findings and the mint log name.
    pub name: Arc<str>,
    /// The law or decision behind it.
    pub why: String,
    pub when: When,
    pub check: Check,
    pub origin: Origin,
}

/// Where a rule stands, for people who want to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub file: Arc<str>,
    pub line: usize,
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Recipients of these countries. A recipient of unknown country is refused: nobody can tell that it is not meant.
    RecipientCountry(BTreeSet<CountryCode>),
}

pub(super) const RULE: &[Parameter] = &[
    Parameter::required(
        "id",
        Form::Slug,
        "unique in the file; the same id as in an earlier file tightens that rule",
    ),
    Parameter::optional("why", Form::Text, "the law or decision behind the rule"),
    Parameter::optional("when", Form::Table, "whom the rule is about; everybody without it"),
    Parameter::required("check", Form::Table, "one kind of check with its parameters"),
];
pub(super) const WHEN: &[Parameter] = &[Parameter::required(
    "recipient_country",
    Form::Countries,
    "recipients of these countries",
)];

impl Rule {
    /// `name` and `file` are of the policy that the rule stands in, `text` is the file's.
    pub(crate) fn read(
        node: &Node,
        policy: &str,
        file: &Arc<str>,
        text: &str,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let fields = Fields::open(node, RULE, reader)?;
        let id = fields.get("id").and_then(|node| reader.slug(node));
        let why = fields.get("why").and_then(|node| reader.text(node)).unwrap_or_default();
        let when = fields
            .get("when")
            .map_or(Some(When::Always), |node| When::read(node, reader));
        let check_node = fields.get("check")?;
        let before = reader.problem_count();
        let check = Check::read_table(check_node, reader)?;
        if check.lists_nothing() && reader.problem_count() == before {
            reader.problem(Problem::new(
                &check_node.at,
                "required",
                "lists nothing: the rule would have no meaning",
            ));
        }
        let id = id?;
        let (line, _, _) = position(text, node.byte());
        Some(Self {
            name: format!("{policy}/{id}").into(),
            id,
            why: why.to_owned(),
            when: when?,
            check,
            origin: Origin {
                file: Arc::clone(file),
                line,
            },
        })
    }

    /// Whether this may stand in the place of `earlier`: it lets nobody pass whom `earlier` refuses.
    pub(super) fn may_replace(&self, earlier: &Self) -> bool {
        self.when.covers(&earlier.when) && self.check.is_at_least_as_tight_as(&earlier.check)
    }

    pub(super) fn canonical(&self) -> Value {
        json!({
            "name": &*self.name,
            "why": self.why,
            "when": self.when.canonical(),
            "check": { self.check.kind(): self.check.canonical() },
        })
    }
}

impl When {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::open(node, WHEN, reader)?;
        let list = fields.get("recipient_country")?;
        let countries = reader.countries(list);
        if countries.is_empty() {
            reader.problem(Problem::new(
                &list.at,
                "required",
                "names no country: the rule would be about nobody",
            ));
        }
        Some(Self::RecipientCountry(countries))
    }

    /// Whether this is about everybody whom `other` is about.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Always, Self::Always | Self::RecipientCountry(_)) => true,
            (Self::RecipientCountry(_), Self::Always) => false,
            (Self::RecipientCountry(own), Self::RecipientCountry(other)) => own.is_superset(other),
        }
    }

    fn canonical(&self) -> Value {
        match self {
            Self::Always => Value::Null,
            Self::RecipientCountry(countries) => {
                json!({ "recipient_country": countries.iter().map(|country| country.alpha2()).collect::<Vec<_>>() })
            }
        }
    }
}
