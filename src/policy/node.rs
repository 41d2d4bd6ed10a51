use std::ops::Range;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// One tree for both writings of a rule, TOML (places are byte ranges of the file) and JSON (places are paths), so
/// that a rule kind is read by one function whoever wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub at: At,
    pub value: Raw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Bytes(Range<usize>),
    Path(Vec<String>),
}

#[derive(Clone, Debug)]
pub(crate) enum Raw {
    Text(String),
    /// An integer, as its digits.
    Integer(String),
    Boolean(bool),
    /// A date or an instant, as it was written.
    Date(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// What no rule takes: the word for it in a message.
    Other(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_at: At,
    pub node: Node,
}

/// JSON integers from here on may have lost digits in the sender's floating point; they are sent as text.
const JSON_INTEGER_MAX: u64 = 1 << 53;

impl Node {
    pub fn from_toml(table: &DeTable<'_>, span: Range<usize>) -> Self {
        Self {
            at: At::Bytes(span),
            value: toml_table(table),
        }
    }

    pub fn from_json(value: &Value) -> Self {
        json_node(value, Vec::new())
    }

    /// Where it begins in a file; 0 for JSON.
    pub fn byte(&self) -> usize {
        match &self.at {
            At::Bytes(span) => span.start,
            At::Path(_) => 0,
        }
    }

    /// The words for what was found, for "must be …, found …".
    pub fn found(&self) -> &'static str {
        match &self.value {
            Raw::Text(_) => "a text",
            Raw::Integer(_) => "an integer",
            Raw::Boolean(_) => "true or false",
            Raw::Date(_) => "a date",
            Raw::List(_) => "a list",
            Raw::Table(_) => "a table",
            Raw::Other(what) => what,
        }
    }

    /// The value under `key`, when this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Raw::Table(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            Raw::Text(_) | Raw::Integer(_) | Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Other(_) => None,
        }
    }

    /// A table with this node as its only value: the bare list of a module becomes the table of a rule kind.
    pub fn wrapped(self, key: &str) -> Self {
        let at = self.at.clone();
        let entry = Entry {
            key: key.to_owned(),
            key_at: at.clone(),
            node: self,
        };
        Self {
            at,
            value: Raw::Table(vec![entry]),
        }
    }
}

fn toml_table(table: &DeTable<'_>) -> Raw {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_at: At::Bytes(key.span()),
            node: Node {
                at: At::Bytes(value.span()),
                value: toml_value(value.get_ref()),
            },
        })
        .collect();
    // The parser sorts by name; rules and messages follow the file.
    entries.sort_by_key(|entry| match &entry.key_at {
        At::Bytes(span) => span.start,
        At::Path(_) => 0,
    });
    Raw::Table(entries)
}

fn toml_value(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map_or(Raw::Other("an integer that is too large"), |number| {
                Raw::Integer(number.to_string())
            }),
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Boolean(value) => Raw::Boolean(*value),
        DeValue::Datetime(date) => Raw::Date(date.to_string()),
        DeValue::Array(items) => Raw::List(
            items
                .iter()
                .map(|item| Node {
                    at: At::Bytes(item.span()),
                    value: toml_value(item.get_ref()),
                })
                .collect(),
        ),
        DeValue::Table(table) => toml_table(table),
    }
}

fn json_node(value: &Value, path: Vec<String>) -> Node {
    let below = |part: String| path.iter().cloned().chain(std::iter::once(part)).collect::<Vec<_>>();
    let raw = match value {
        Value::Null => Raw::Other("null"),
        Value::Bool(value) => Raw::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) if integer.unsigned_abs() < JSON_INTEGER_MAX => Raw::Integer(integer.to_string()),
            Some(_) | None => Raw::Other("a number that is not an integer below 2^53"),
        },
        Value::String(text) => Raw::Text(text.clone()),
        Value::Array(items) => Raw::List(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| json_node(item, below(index.to_string())))
                .collect(),
        ),
        Value::Object(fields) => Raw::Table(
            fields
                .iter()
                .map(|(key, value)| Entry {
                    key: key.clone(),
                    key_at: At::Path(below(key.clone())),
                    node: json_node(value, below(key.clone())),
                })
                .collect(),
        ),
    };
    Node {
        at: At::Path(path),
        value: raw,
    }
}
