use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value, json};

use crate::types::{Hash32, sha256};

/// What a token shows: the fields of ERC-721's metadata schema and of marketplaces. Null is as good as nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, remote = "Self")]
pub struct Metadata {
    pub name: Option<String>,
    pub description: Option<String>,
    pub image: Option<String>,
    pub external_url: Option<String>,
    pub animation_url: Option<String>,
    pub youtube_url: Option<String>,
    #[serde(deserialize_with = "null_is_empty")]
    pub attributes: Vec<Attribute>,
}

/// From an object alone: what serde derives takes a list of the fields' values too.
impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Metadata;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Metadata, A::Error> {
                // The derived one, which stands before that of the trait.
                Metadata::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        reader.deserialize_map(Fields)
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Attribute>, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    pub trait_type: String,
    pub value: AttributeValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_type: Option<DisplayType>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    Flag(bool),
    Number(Number),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisplayType {
    Number,
    BoostPercentage,
    BoostNumber,
    Date,
}

impl Metadata {
    /// Of its JSON (immutable.md 3.1).
    pub const SIZE_BYTES_MAX: usize = 16 * 1_024;

    /// As a server of metadata answers it: what is not set is left out, attributes always are a list.
    pub fn to_json(&self) -> Value {
        let fields = [
            ("name", &self.name),
            ("description", &self.description),
            ("image", &self.image),
            ("external_url", &self.external_url),
            ("animation_url", &self.animation_url),
            ("youtube_url", &self.youtube_url),
        ];
        let mut object = json!({ "attributes": self.attributes });
        if let Some(object) = object.as_object_mut() {
            for (name, text) in fields {
                if let Some(text) = text {
                    object.insert(name.to_owned(), Value::String(text.clone()));
                }
            }
        }
        object
    }

    pub fn size_bytes(&self) -> usize {
        self.to_json().to_string().len()
    }

    /// Two of the same content have the same. Not the audit log's canonical JSON: that knows no fractions.
    pub(super) fn digest(&self) -> Hash32 {
        sha256(self.to_json().to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sword() -> Metadata {
        Metadata {
            name: Some("Sword".to_owned()),
            attributes: vec![Attribute {
                trait_type: "power".to_owned(),
                value: AttributeValue::Number(Number::from(7)),
                display_type: Some(DisplayType::BoostNumber),
            }],
            ..Metadata::default()
        }
    }

    #[test]
    fn only_an_object_is_metadata() {
        for value in [json!({}), json!({ "attributes": null, "name": null, "colour": "red" })] {
            assert_eq!(serde_json::from_value::<Metadata>(value).unwrap(), Metadata::default());
        }
        let all = json!(["n", "d", "i", "e", "a", "y", []]);
        for value in [json!([]), json!(["x"]), all, json!("x"), json!(7), json!(null)] {
            let error = serde_json::from_value::<Metadata>(value).unwrap_err().to_string();
            assert!(error.contains("expected an object"), "{error}");
        }
    }

    #[test]
    fn what_is_not_set_is_left_out() {
        assert_eq!(
            sword().to_json(),
            json!({
                "name": "Sword",
                "attributes": [{ "trait_type": "power", "value": 7, "display_type": "boost_number" }],
            })
        );
        assert_eq!(Metadata::default().to_json(), json!({ "attributes": [] }));
    }

    #[test]
    fn values_of_attributes_keep_their_type() {
        for value in [json!("7"), json!(7), json!(7.5), json!(true)] {
            let read: AttributeValue = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), value);
        }
        assert!(serde_json::from_value::<AttributeValue>(json!(null)).is_err());
        assert!(serde_json::from_value::<AttributeValue>(json!([])).is_err());
    }

    #[test]
    fn the_same_content_has_the_same_digest() {
        let mut other = sword();
        assert_eq!(sword().digest(), other.digest());
        other.image = Some("https://example.test/1".to_owned());
        assert_ne!(sword().digest(), other.digest());
    }
}
