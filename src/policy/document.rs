use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use toml::de::DeTable;

use super::definitions::Definitions;
use super::node::{Node, Raw};
use super::parameter::{Form, Parameter};
use super::problem::{PolicyError, Problem};
use super::reader::{Fields, Reader};
use super::rule::Rule;

/// One policy file, before it is laid on top of what it extends.
#[derive(Debug)]
pub(super) struct Document {
    pub file: Arc<str>,
    pub text: Arc<str>,
    pub id: String,
    pub version: u64,
    pub owner: String,
    pub review_by: NaiveDate,
    /// With the byte each name stands at.
    pub extends: Vec<(String, usize)>,
    /// With the byte each rule stands at.
    pub rules: Vec<(Rule, usize)>,
}

pub(super) const FILE: &[Parameter] = &[
    Parameter::required("policy", Form::Table, "the heading"),
    Parameter::required("rule", Form::List, "the rules, as [[rule]] tables"),
];
pub(super) const HEADING: &[Parameter] = &[
    Parameter::required("id", Form::Slug, "the file's name without .toml"),
    Parameter::required("version", Form::Count, "raised with every change"),
    Parameter::optional(
        "extends",
        Form::Slugs,
        "\"baseline\", which is always there, and \"templates/<name>\"",
    ),
    Parameter::required("owner", Form::Text, "a mailbox, not a person"),
    Parameter::required("review_by", Form::Date, "when the rules must have been looked at again"),
];

/// The tree of a TOML file, or its syntax errors.
pub(crate) fn parse_toml(file: &str, text: &str) -> Result<Node, Vec<PolicyError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node::from_toml(table.get_ref(), table.span()));
    }
    let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    Err(errors
        .iter()
        .map(|error| PolicyError::at(file, text, place(error), error.message()))
        .collect())
}

/// Places the problems of a file and puts them in the file's order.
pub(crate) fn place_all(file: &str, text: &str, problems: Vec<Problem>) -> Vec<PolicyError> {
    let mut errors: Vec<PolicyError> = problems
        .into_iter()
        .map(|problem| PolicyError::from_problem(file, text, problem))
        .collect();
    errors.sort_by_key(|error| (error.line, error.column));
    errors
}

impl Document {
    pub fn read(file: &Arc<str>, text: &Arc<str>, definitions: &Definitions) -> Result<Self, Vec<PolicyError>> {
        let root = parse_toml(file, text)?;
        let mut reader = Reader::of_files(definitions);
        let document = Self::read_root(&root, file, text, &mut reader);
        let problems = reader.into_problems();
        match document {
            Some(document) if problems.is_empty() => Ok(document),
            Some(_) | None => Err(place_all(file, text, problems)),
        }
    }

    fn read_root(root: &Node, file: &Arc<str>, text: &Arc<str>, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::open(root, FILE, reader)?;
        let heading = Fields::open(fields.get("policy")?, HEADING, reader)?;
        let id = heading.get("id").and_then(|node| reader.slug(node))?;
        let stem = file
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".toml"))
            .unwrap_or_default();
        if id != stem {
            let message = format!("the id must be the file's name, `{stem}`, found `{id}`");
            reader.problem(Problem::new(&heading.get("id")?.at, "format", message));
        }
        let version = heading.get("version").and_then(|node| reader.count(node));
        let owner = heading.get("owner").and_then(|node| reader.text(node));
        let review_by = heading.get("review_by").and_then(|node| reader.date(node));
        let extends = heading
            .get("extends")
            .map(|node| read_extends(node, reader))
            .unwrap_or_default();
        let rules = read_rules(fields.get("rule")?, &id, file, text, reader);
        Some(Self {
            file: Arc::clone(file),
            text: Arc::clone(text),
            id,
            version: version?,
            owner: owner?.to_owned(),
            review_by: review_by?,
            extends,
            rules,
        })
    }
}

fn read_extends(node: &Node, reader: &mut Reader<'_>) -> Vec<(String, usize)> {
    let items = reader.list(node).iter();
    items
        .filter_map(|item| reader.text(item).map(|name| (name.to_owned(), item.byte())))
        .collect()
}

fn read_rules(node: &Node, policy: &str, file: &Arc<str>, text: &str, reader: &mut Reader<'_>) -> Vec<(Rule, usize)> {
    let Raw::List(items) = &node.value else {
        reader.wrong_type(node, "a list of [[rule]] tables");
        return Vec::new();
    };
    if items.is_empty() {
        reader.problem(Problem::new(
            &node.at,
            "required",
            "has no rule: an empty policy would let everybody pass",
        ));
    }
    let mut seen = BTreeSet::new();
    let mut rules = Vec::new();
    for item in items {
        let Some(rule) = Rule::read(item, policy, file, text, reader) else {
            continue;
        };
        if !seen.insert(rule.id.clone()) {
            let place = item.get("id").unwrap_or(item);
            reader.problem(Problem::new(
                &place.at,
                "format",
                format!("a second rule with the id `{}`", rule.id),
            ));
        }
        rules.push((rule, item.byte()));
    }
    rules
}
