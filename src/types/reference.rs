use std::fmt;

/// A caller's own name for one wish to mint: 1 to 255 characters of its choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferenceId(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("must have 1 to {} characters", ReferenceId::LENGTH_MAX)]
    Length,
    /// PostgreSQL keeps no text with it.
    #[error("must not have the character 0")]
    Zero,
}

impl ReferenceId {
    /// Immutable publishes no bound; a database index has one (immutable.md 3.2).
    pub const LENGTH_MAX: usize = 255;

    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if !(1..=Self::LENGTH_MAX).contains(&text.chars().count()) {
            return Err(ReferenceError::Length);
        }
        if text.contains('\0') {
            return Err(ReferenceError::Zero);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for ReferenceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_one_to_255_characters_of_any_kind() {
        assert_eq!(ReferenceId::parse(""), Err(ReferenceError::Length));
        assert!(ReferenceId::parse("a b/c:d é").is_ok());
        assert!(ReferenceId::parse(&"é".repeat(255)).is_ok());
        assert_eq!(ReferenceId::parse(&"é".repeat(256)), Err(ReferenceError::Length));
        assert_eq!(ReferenceId::parse("a\0b"), Err(ReferenceError::Zero));
    }
}
