use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::definitions::Definitions;
use super::duration::Duration;
use super::node::{At, Node, Raw};
use super::parameter::{Parameter, Required};
use super::problem::Problem;
use super::whole::WholeAmount;
use crate::types::{Address, Amount, CountryCode, Timestamp, TopicName};

/// Longest slug of a rule, policy, topic, issuer or group.
pub(crate) const SLUG_MAX: usize = 64;
/// Longest list of a rule: beyond this a list belongs into an import, not into a file that people review.
pub(crate) const LIST_MAX: usize = 10_000;

/// Turns nodes into types and keeps every problem it meets on the way, so that all of them are reported at once.
pub(crate) struct Reader<'d> {
    pub definitions: &'d Definitions,
    pub topics: TopicWords,
    problems: Vec<Problem>,
}

/// What a topic may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TopicWords {
    /// Policy files: slugs of `defs/topics.toml` only, so that a typo is seen at load.
    Defined,
    /// Modules attached by the API: slugs, topic names and topic numbers; the caller holds the registry of topics.
    Registered,
}

impl<'d> Reader<'d> {
    pub fn of_files(definitions: &'d Definitions) -> Self {
        Self {
            definitions,
            topics: TopicWords::Defined,
            problems: Vec::new(),
        }
    }

    pub fn of_modules(definitions: &'d Definitions) -> Self {
        Self {
            definitions,
            topics: TopicWords::Registered,
            problems: Vec::new(),
        }
    }

    pub fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    pub fn problem_count(&self) -> usize {
        self.problems.len()
    }

    /// Keeps the error as a problem at `node`.
    pub fn keep<T>(&mut self, node: &Node, result: Result<T, impl ToString>) -> Option<T> {
        result
            .map_err(|error| self.problem(Problem::new(&node.at, "format", error.to_string())))
            .ok()
    }

    pub fn wrong_type(&mut self, node: &Node, wanted: &str) {
        self.problem(Problem::new(
            &node.at,
            "type",
            format!("must be {wanted}, found {}", node.found()),
        ));
    }

    pub fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let Raw::Text(text) = &node.value else {
            self.wrong_type(node, "a text");
            return None;
        };
        if text.trim().is_empty() {
            self.problem(Problem::new(&node.at, "required", "must not be empty"));
            return None;
        }
        Some(text)
    }

    pub fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.value {
            Raw::List(items) if items.len() <= LIST_MAX => items,
            Raw::List(_) => {
                self.problem(Problem::new(
                    &node.at,
                    "range",
                    format!("must have at most {LIST_MAX} entries"),
                ));
                &[]
            }
            Raw::Text(_) | Raw::Integer(_) | Raw::Boolean(_) | Raw::Date(_) | Raw::Table(_) | Raw::Other(_) => {
                self.wrong_type(node, "a list");
                &[]
            }
        }
    }

    pub fn check_slug(&mut self, text: &str, at: &At) {
        let characters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > SLUG_MAX || !text.bytes().all(characters) {
            let message = format!("must be 1 to {SLUG_MAX} characters of a-z, 0-9, '-' and '_'");
            self.problem(Problem::new(at, "format", message));
        }
    }

    pub fn slug(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        self.check_slug(text, &node.at);
        Some(text.to_owned())
    }

    pub fn duration(&mut self, node: &Node) -> Option<Duration> {
        let text = self.text(node)?;
        self.keep(node, Duration::parse(text))
    }

    /// Text rather than a number, so that 78 digits and a fraction survive; an integer is exact and taken too.
    pub fn whole_amount(&mut self, node: &Node) -> Option<WholeAmount> {
        match &node.value {
            Raw::Text(text) | Raw::Integer(text) => self.keep(node, WholeAmount::parse(text)),
            Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {
                self.wrong_type(node, "an amount of whole tokens as a text");
                None
            }
        }
    }

    /// A positive count.
    pub fn count(&mut self, node: &Node) -> Option<u64> {
        let digits = match &node.value {
            Raw::Text(text) | Raw::Integer(text) => text.as_str(),
            Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => "",
        };
        match digits.parse::<u64>() {
            Ok(count) if count > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Some(count),
            Ok(_) | Err(_) => {
                self.problem(Problem::new(&node.at, "range", "must be a whole number of at least 1"));
                None
            }
        }
    }

    /// Digits of a number up to 2^256-1.
    pub fn number(&mut self, node: &Node) -> Option<Amount> {
        match &node.value {
            Raw::Text(text) | Raw::Integer(text) => self.keep(node, Amount::parse(text)),
            Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {
                self.wrong_type(node, "digits as a text");
                None
            }
        }
    }

    pub fn address(&mut self, node: &Node) -> Option<Address> {
        let text = self.text(node)?;
        self.keep(node, Address::parse(text))
    }

    pub fn addresses(&mut self, node: &Node) -> BTreeSet<Address> {
        self.list(node).iter().filter_map(|item| self.address(item)).collect()
    }

    pub fn country(&mut self, node: &Node) -> Option<CountryCode> {
        let parsed = match &node.value {
            Raw::Text(text) if text.starts_with(|c: char| c.is_ascii_digit()) => CountryCode::parse_numeric(text),
            Raw::Text(text) => CountryCode::parse_alpha2(text),
            Raw::Integer(digits) => digits
                .parse()
                .map_err(|_| crate::types::CountryError::Numeric)
                .and_then(CountryCode::from_numeric),
            Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {
                self.wrong_type(node, "a country code");
                return None;
            }
        };
        self.keep(node, parsed)
    }

    pub fn countries(&mut self, node: &Node) -> BTreeSet<CountryCode> {
        self.list(node).iter().filter_map(|item| self.country(item)).collect()
    }

    /// `{ FR = 149 }`.
    pub fn country_counts(&mut self, node: &Node) -> BTreeMap<CountryCode, u64> {
        let Raw::Table(entries) = &node.value else {
            self.wrong_type(node, "a table such as { FR = 149 }");
            return BTreeMap::new();
        };
        let mut counts = BTreeMap::new();
        for entry in entries {
            match CountryCode::parse_alpha2(&entry.key) {
                Ok(country) => {
                    self.count(&entry.node).map(|count| counts.insert(country, count));
                }
                Err(error) => self.problem(Problem::new(&entry.key_at, "format", error.to_string())),
            }
        }
        counts
    }

    pub fn date(&mut self, node: &Node) -> Option<NaiveDate> {
        match &node.value {
            Raw::Text(text) | Raw::Date(text) => {
                let parsed = NaiveDate::parse_from_str(text, "%Y-%m-%d");
                self.keep(node, parsed.map_err(|_| "must be a date such as 2026-11-21"))
            }
            Raw::Integer(_) | Raw::Boolean(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {
                self.wrong_type(node, "a date");
                None
            }
        }
    }

    /// An RFC 3339 instant, or a date, which stands for its first instant in UTC.
    pub fn instant(&mut self, node: &Node) -> Option<Timestamp> {
        match &node.value {
            Raw::Text(text) | Raw::Date(text) => {
                let instant = Timestamp::parse(text)
                    .or_else(|error| Timestamp::parse(&format!("{text}T00:00:00Z")).map_err(|_| error));
                self.keep(node, instant)
            }
            Raw::Integer(_) | Raw::Boolean(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {
                self.wrong_type(node, "a date or an instant");
                None
            }
        }
    }

    pub fn topic_name(&mut self, node: &Node) -> Option<TopicName> {
        let text = self.text(node)?;
        self.keep(node, TopicName::parse(text))
    }

    /// A list of slugs of defined topics, as their names.
    pub fn topic_slugs(&mut self, node: &Node) -> BTreeSet<TopicName> {
        let definitions = self.definitions;
        self.named(node, "topic", &definitions.topics)
            .into_iter()
            .map(|(_, topic)| topic.name.clone())
            .collect()
    }

    /// The entries of `known` that a list of slugs names; an unknown slug is a problem that lists the known ones.
    pub fn named<'k, T>(
        &mut self,
        node: &Node,
        what: &str,
        known: &'k BTreeMap<String, T>,
    ) -> Vec<(&'k String, &'k T)> {
        let mut found = Vec::new();
        for item in self.list(node) {
            let Some(slug) = self.text(item) else { continue };
            match known.get_key_value(slug) {
                Some(entry) => found.push(entry),
                None => {
                    let problem = Problem::new(&item.at, "unknown", format!("unknown {what} `{slug}`"));
                    self.problem(problem.knowing(known.keys()));
                }
            }
        }
        found
    }
}

/// A table whose keys have been checked against their descriptions.
pub(crate) struct Fields<'n> {
    node: &'n Node,
}

impl<'n> Fields<'n> {
    /// None when `node` is not a table or a required key is missing; unknown keys are problems either way.
    pub fn open(node: &'n Node, parameters: &[Parameter], reader: &mut Reader<'_>) -> Option<Self> {
        let Raw::Table(entries) = &node.value else {
            reader.wrong_type(node, "a table");
            return None;
        };
        let known = || parameters.iter().map(|parameter| parameter.name);
        let mut misspelt = false;
        for entry in entries {
            if !known().any(|name| name == entry.key) {
                let problem = Problem::new(&entry.key_at, "unknown", format!("unknown key `{}`", entry.key));
                reader.problem(problem.knowing(known()));
                misspelt = true;
            }
        }
        let fields = Self { node };
        let mut complete = true;
        for parameter in parameters {
            if parameter.required == Required::Yes && fields.get(parameter.name).is_none() {
                complete = false;
                // A misspelt key is most likely the one that is missing: one message is enough.
                if !misspelt {
                    let message = format!("the key `{}` is missing ({})", parameter.name, parameter.about);
                    reader.problem(Problem::new(&node.at, "required", message));
                }
            }
        }
        complete.then_some(fields)
    }

    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.node.get(name)
    }

    pub fn node(&self) -> &'n Node {
        self.node
    }
}
