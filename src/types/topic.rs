use std::fmt;

use super::{Amount, keccak256};

/// The name of a claim topic, 1 to 100 characters of `A-Z a-z 0-9 _ - .`, for example `knowYourCustomer`.
///
/// Its number on an ONCHAINID identity is keccak256 of the UTF-8 name (dalp.md section 7).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicNameError {
    #[error("must be 1 to {} characters", TopicName::LENGTH_MAX)]
    Length,
    #[error("may have letters, digits, '_', '-' and '.' only")]
    Character,
}

impl TopicName {
    pub const LENGTH_MAX: usize = 100;

    pub fn parse(text: &str) -> Result<Self, TopicNameError> {
        if text.is_empty() || text.len() > Self::LENGTH_MAX {
            return Err(TopicNameError::Length);
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if !text.bytes().all(allowed) {
            return Err(TopicNameError::Character);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `uint256` that stands for this topic on chain.
    pub fn number(&self) -> Amount {
        Amount::from_be_bytes(*keccak256(self.0.as_bytes()).as_bytes())
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for TopicName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for TopicName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_keccak_of_the_name() {
        let topic = TopicName::parse("collateral").unwrap();

        let number = "56591694316807385155654796962642700009023257328234168678289712861780104020528";
        assert_eq!(topic.number().to_string(), number);
    }

    #[test]
    fn a_name_has_one_to_a_hundred_plain_characters() {
        assert!(TopicName::parse(&"a".repeat(100)).is_ok());
        assert_eq!(TopicName::parse(&"a".repeat(101)), Err(TopicNameError::Length));
        assert_eq!(TopicName::parse(""), Err(TopicNameError::Length));
        assert_eq!(TopicName::parse("a b"), Err(TopicNameError::Character));
    }
}
