use crate::access::environment::KeyText;
use crate::access::quota::Rate;
use crate::error::Error;
use crate::types::{KeyId, Timestamp};

/// 1 to 50 of `a-z 0-9 -`: it is a part of paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlanName(String);

impl PlanName {
    pub const LENGTH_MAX: usize = 50;

    pub fn parse(text: &str) -> Result<Self, Error> {
        let characters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=Self::LENGTH_MAX).contains(&text.len()) && text.chars().all(characters) {
            return Ok(Self(text.to_owned()));
        }
        let message = format!("must be 1 to {} of a-z, 0-9 and -", Self::LENGTH_MAX);
        Err(Error::invalid("planName", message))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub name: PlanName,
    /// In each window.
    pub requests: i64,
    pub window_seconds: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Plan {
    pub(super) fn check(requests: i64, window_seconds: i64) -> Result<(), Error> {
        Rate::new(requests, window_seconds, requests).map(|_| ())
    }
}

/// What is kept of a rate-limit key; the key itself is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanKey {
    pub id: KeyId,
    pub plan: PlanName,
    /// Prefix and id: enough to recognise it.
    pub start: String,
    pub active: bool,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

impl PlanKey {
    /// To its callers a free string; for people and for scanners that look for leaked keys.
    pub(super) const PREFIX: &'static str = "rk_moneyer-";
}

/// A new rate-limit key and, for the only time, its text.
#[derive(Debug)]
pub struct IssuedPlanKey {
    pub stored: PlanKey,
    pub key: KeyText,
}

/// Who reads with a rate-limit key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    pub key: KeyId,
    pub rate: Rate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_plan_is_taken_between_its_bounds_only() {
        for (text, taken) in [
            ("", false),
            ("a", true),
            ("big-partner-2", true),
            ("A", false),
            ("a/b", false),
        ] {
            assert_eq!(PlanName::parse(text).is_ok(), taken, "{text}");
        }
        assert!(PlanName::parse(&"a".repeat(50)).is_ok());
        assert!(PlanName::parse(&"a".repeat(51)).is_err());
    }
}
