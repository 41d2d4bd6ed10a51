//! Which fields a request may have. What is misspelt, and may be left out, would else be dropped without a word, with the
//! rule that it was to set.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::Error as Unasked;
use serde::de::{Deserializer, Error as _, IgnoredAny, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::Issue;

/// What the reference takes beside a body's own fields (dalp.md 1.1, 1.5, 1.7 and 3): parameters of the path, which system
/// is meant, a password where there is none, and a later edition's name of the price's currency.
const OF_THE_REFERENCE: [&str; 7] = [
    "contract",
    "tokenAddress",
    "issuerAddress",
    "name",
    "id",
    "password",
    "priceCurrency",
];

/// The names of a type's fields on the wire. Empty for what is no struct, or has one flattened into it.
pub fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It answers with its fields and with an error, whatever the type is.
    let _answer = T::deserialize(Asking(&mut fields));
    fields
}

/// An issue for each field of the object that none of the types has and the reference does not take.
pub fn unknown_fields(body: &[u8], fields: &[&[&str]]) -> Vec<Issue> {
    let object: BTreeMap<String, IgnoredAny> = serde_json::from_slice(body).unwrap_or_default();
    let names = object
        .into_keys()
        .filter(|name| !OF_THE_REFERENCE.contains(&name.as_str()));
    unknown(names, fields, "is not a field of this request")
}

/// An issue for each of these names that none of the types has.
pub fn unknown(names: impl Iterator<Item = String>, fields: &[&[&str]], why: &str) -> Vec<Issue> {
    let is_known = |name: &String| fields.iter().any(|fields| fields.contains(&name.as_str()));
    names
        .filter(|name| !is_known(name))
        .map(|name| Issue::new(&name, "unknown", why))
        .collect()
}

/// Is told by a type which fields it has, and gives it nothing.
struct Asking<'f>(&'f mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asking<'_> {
    type Error = Unasked;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unasked> {
        Err(Unasked::custom("there is nothing here"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unasked> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only its fields are looked at")]
    struct Sample {
        policy: Option<String>,
        base_price: Option<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
    }

    fn unknown_in(body: &str) -> Vec<String> {
        let issues = unknown_fields(body.as_bytes(), &[fields_of::<Sample>()]);
        issues.into_iter().flat_map(|issue| issue.path).collect()
    }

    #[test]
    fn fields_are_known_by_their_names_on_the_wire() {
        assert_eq!(fields_of::<Sample>(), ["policy", "basePrice", "type"]);
        assert!(fields_of::<Vec<String>>().is_empty());
    }

    #[test]
    fn what_a_body_has_beyond_its_fields_and_the_references_is_named() {
        assert_eq!(
            unknown_in(r#"{"polcy":"x","base_price":1,"type":2}"#),
            ["base_price", "polcy"]
        );
        assert!(unknown_in(r#"{"policy":"x","password":"y","contract":"0x"}"#).is_empty());
        assert!(unknown_in("").is_empty());
        assert!(unknown_in("[1]").is_empty());
    }
}
