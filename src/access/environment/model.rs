use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::day::Day;
use crate::access::quota::Rate;
use crate::access::vault::random_text;
use crate::config::TestMarker;
use crate::ctx::Actor;
use crate::error::Error;
use crate::types::{EnvironmentId, KeyId, ProjectId, Timestamp, UserId};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 190 bits: nothing to guess, so that a keyed hash without stretching is enough.
const SECRET_LENGTH: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    /// None for one that was made at the command line.
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
}

impl Project {
    pub const NAME_LENGTH_MAX: usize = 100;
}

/// How much an environment may mint: tokens a minute, and how many at once after a rest (seed 000, "Rate Limits").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    Standard,
    Partner,
    /// As agreed.
    Enterprise {
        per_minute: i64,
        burst: i64,
    },
}

impl Tier {
    /// One request names up to 100 tokens, which must fit.
    pub const BURST_MIN: i64 = 100;
    pub const RATE_MAX: i64 = Rate::TOKENS_MAX;

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Partner => "partner",
            Self::Enterprise { .. } => "enterprise",
        }
    }

    pub const fn per_minute(self) -> i64 {
        match self {
            Self::Standard => 200,
            Self::Partner => 2_000,
            Self::Enterprise { per_minute, .. } => per_minute,
        }
    }

    pub const fn burst(self) -> i64 {
        match self {
            Self::Standard => 2_000,
            Self::Partner => 20_000,
            Self::Enterprise { burst, .. } => burst,
        }
    }

    /// Rate and burst are given for `enterprise`, and for no other.
    pub fn parse(name: &str, per_minute: Option<i64>, burst: Option<i64>) -> Result<Self, Error> {
        let tier = match (name, per_minute, burst) {
            ("standard", None, None) => Self::Standard,
            ("partner", None, None) => Self::Partner,
            ("enterprise", Some(per_minute), Some(burst)) => Self::Enterprise { per_minute, burst },
            ("standard" | "partner", _, _) => {
                return Err(Error::invalid(
                    "tier",
                    "only the tier enterprise has a rate and a burst of its own",
                ));
            }
            ("enterprise", _, _) => {
                return Err(Error::invalid(
                    "tier",
                    "the tier enterprise needs mintsPerMinute and mintsBurst",
                ));
            }
            _ => return Err(Error::invalid("tier", "must be standard, partner or enterprise")),
        };
        if !(1..=Self::RATE_MAX).contains(&tier.per_minute()) {
            let message = format!("must be from 1 to {}", Self::RATE_MAX);
            return Err(Error::invalid("mintsPerMinute", message));
        }
        if !(Self::BURST_MIN..=Self::RATE_MAX).contains(&tier.burst()) {
            let message = format!("must be from {} to {}", Self::BURST_MIN, Self::RATE_MAX);
            return Err(Error::invalid("mintsBurst", message));
        }
        Ok(tier)
    }

    pub fn rate(self) -> Rate {
        Rate::per_minute(self.per_minute(), self.burst())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub id: EnvironmentId,
    pub project: ProjectId,
    pub name: String,
    /// The name of the chain in the paths of the dialect.
    pub chain: String,
    /// Nothing on the chain has a value; the keys say so.
    pub test: bool,
    pub tier: Tier,
    /// Who does what a key of the environment does.
    pub owner: UserId,
    pub created_at: Timestamp,
}

impl Environment {
    pub const NAME_LENGTH_MAX: usize = 100;
}

#[derive(Clone, Debug)]
pub struct NewEnvironment {
    pub project: ProjectId,
    pub name: String,
    pub chain: String,
    pub test: bool,
    pub tier: Tier,
    pub owner: UserId,
}

/// What changes of an environment; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentChange {
    pub name: Option<String>,
    pub tier: Option<Tier>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Says who asks; public, opens nothing.
    Publishable,
    /// Opens the writing routes for the collections of its project.
    Secret,
}

impl KeyPurpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publishable => "publishable",
            Self::Secret => "secret",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Publishable, Self::Secret]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
    }

    /// Immutable.md section 7.
    fn prefix(self, test: Option<TestMarker>) -> String {
        let start = match self {
            Self::Publishable => "pk_imapik",
            Self::Secret => "sk_imapik",
        };
        format!("{start}{}", test.map_or("-", TestMarker::as_str))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    Active,
    /// Replaced, and accepted until then.
    Retiring {
        until: Timestamp,
    },
    Ended,
}

impl KeyState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retiring { .. } => "retiring",
            Self::Ended => "ended",
        }
    }

    pub(super) fn of(name: &str, until: Option<Timestamp>) -> Result<Self, Error> {
        match (name, until) {
            ("active", None) => Ok(Self::Active),
            ("retiring", Some(until)) => Ok(Self::Retiring { until }),
            ("ended", None) => Ok(Self::Ended),
            _ => Err(Error::internal(format!("no state of a key: {name}"))),
        }
    }

    pub fn is_accepted(self, now: Timestamp) -> bool {
        match self {
            Self::Active => true,
            Self::Retiring { until } => now < until,
            Self::Ended => false,
        }
    }
}

/// What is kept of a key; the key itself is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentKey {
    pub id: KeyId,
    pub environment: EnvironmentId,
    pub purpose: KeyPurpose,
    /// Prefix and id: enough to recognise it.
    pub start: String,
    pub state: KeyState,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// The text of a new key: known only to its owner, cannot be printed.
pub struct KeyText {
    pub id: KeyId,
    pub start: String,
    text: SecretString,
}

impl KeyText {
    /// Callers take keys as opaque text, and so do we: nothing but its hash says whether a key is known.
    pub(in crate::access) fn generate(prefix: &str) -> Result<Self, Error> {
        let random = random_text(BASE62, KeyId::LENGTH.saturating_add(SECRET_LENGTH))?;
        let id = random.get(..KeyId::LENGTH).unwrap_or_default();
        let id = KeyId::parse(id).map_err(Error::internal)?;
        Ok(Self {
            start: format!("{prefix}{id}"),
            id,
            text: SecretString::from(format!("{prefix}{}", random.as_str())),
        })
    }

    pub(super) fn of(purpose: KeyPurpose, test: Option<TestMarker>) -> Result<Self, Error> {
        Self::generate(&purpose.prefix(test))
    }

    /// For the one answer that shows the key to its owner.
    pub fn reveal(&self) -> &str {
        self.text.expose_secret()
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({}…)", self.start)
    }
}

/// A new key and, for the only time, its text.
#[derive(Debug)]
pub struct IssuedEnvironmentKey {
    pub stored: EnvironmentKey,
    pub key: KeyText,
}

/// Who calls with a secret key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub key: KeyId,
    pub environment: Environment,
    /// The owner of the environment.
    pub actor: Actor,
}

/// Requests of a day that named a publishable key of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayUsage {
    pub day: Day,
    pub requests: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_what_it_is_for_and_whether_it_is_for_a_test() {
        let (before, after) = (Some(TestMarker::BeforeHyphen), Some(TestMarker::AfterHyphen));

        for (purpose, test, prefix) in [
            (KeyPurpose::Secret, None, "sk_imapik-"),
            (KeyPurpose::Publishable, None, "pk_imapik-"),
            (KeyPurpose::Secret, before, "sk_imapik_test-"),
            (KeyPurpose::Publishable, before, "pk_imapik_test-"),
            (KeyPurpose::Secret, after, "sk_imapik-test-"),
        ] {
            let key = KeyText::of(purpose, test).unwrap();
            assert_eq!(key.start.strip_suffix(key.id.as_str()), Some(prefix));
            assert!(key.reveal().starts_with(&key.start));
        }
    }

    #[test]
    fn a_key_has_190_secret_bits_behind_what_may_be_shown() {
        let key = KeyText::of(KeyPurpose::Secret, None).unwrap();

        let secret = key.reveal().strip_prefix(&key.start).unwrap();
        assert_eq!(secret.len(), 32);
        assert!(!format!("{key:?}").contains(secret));
        assert_ne!(KeyText::of(KeyPurpose::Secret, None).unwrap().reveal(), key.reveal());
    }

    #[test]
    fn only_enterprise_has_a_rate_of_its_own_inside_its_bounds() {
        assert_eq!(Tier::parse("standard", None, None).unwrap(), Tier::Standard);
        assert!(Tier::parse("standard", Some(1), None).is_err());
        assert!(Tier::parse("enterprise", None, Some(100)).is_err());
        assert!(Tier::parse("gold", None, None).is_err());
        let enterprise = |per_minute, burst| Tier::parse("enterprise", Some(per_minute), Some(burst)).is_ok();
        assert!(enterprise(1, 100) && enterprise(Tier::RATE_MAX, Tier::RATE_MAX));
        assert!(!enterprise(0, 100) && !enterprise(Tier::RATE_MAX + 1, 100));
        assert!(!enterprise(1, 99) && !enterprise(1, Tier::RATE_MAX + 1));
    }

    #[test]
    fn a_retiring_key_is_accepted_until_the_instant_it_ends() {
        let until = Timestamp::from_seconds(10);
        let before = Timestamp::from_micros(until.micros() - 1);

        assert!(KeyState::Retiring { until }.is_accepted(before));
        assert!(!KeyState::Retiring { until }.is_accepted(until));
        assert!(KeyState::Active.is_accepted(until));
        assert!(!KeyState::Ended.is_accepted(before));
    }
}
