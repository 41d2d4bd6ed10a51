use std::fmt;

use super::rules::Attempts;
use crate::types::{Hash32, Timestamp, UserId};

/// How a user shows that it is really them who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    Pincode,
    Otp,
    SecretCodes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be PINCODE, OTP or SECRET_CODES")]
pub struct MethodError;

impl Method {
    pub const ALL: [Self; 3] = [Self::Pincode, Self::Otp, Self::SecretCodes];

    /// The reference's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pincode => "PINCODE",
            Self::Otp => "OTP",
            Self::SecretCodes => "SECRET_CODES",
        }
    }

    pub fn parse(text: &str) -> Result<Self, MethodError> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or(MethodError)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The hash of a one-time password (RFC 6238 section 1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// What authenticator apps expect; some silently fall back to it. HMAC does not need collision resistance.
    #[default]
    Sha1,
    Sha256,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be SHA1 or SHA256")]
pub struct AlgorithmError;

impl Algorithm {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub fn parse(text: &str) -> Result<Self, AlgorithmError> {
        [Self::Sha1, Self::Sha256]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or(AlgorithmError)
    }
}

/// A code of this user was right a moment ago. Made by [`super::Verifier`] only; worth something once it is spent
/// ([`super::spend`]) in the transaction of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub(super) user: UserId,
    pub(super) wallet: crate::types::Address,
    pub(super) version: i64,
    pub(super) evidence: Evidence,
}

/// What was shown, as far as it must be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Not used up by its use; may come from memory.
    Pin,
    /// The time step whose password was shown.
    Step(i64),
    /// The keyed hash of the code that was shown.
    Code(Hash32),
}

impl Proof {
    pub fn user(&self) -> UserId {
        self.user
    }

    pub fn method(&self) -> Method {
        match self.evidence {
            Evidence::Pin => Method::Pincode,
            Evidence::Step(_) => Method::Otp,
            Evidence::Code(_) => Method::SecretCodes,
        }
    }
}

/// Whether the caller showed a code for the change at hand: a proof of it was spent in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Code,
    KeyAlone,
}

/// What became of a proof when it was spent.
#[derive(Debug)]
pub enum Spend {
    Spent,
    /// A success whose credential was changed, removed or locked meanwhile: prove again with [`super::Verifier::prove_fresh`].
    Stale,
    /// Somebody else spent the same code first.
    Refused(crate::error::Error),
}

/// One method of one user, as far as others may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodStatus {
    pub method: Method,
    /// Set up: a one-time password whose first code was good, secret codes that were stored.
    pub confirmed: bool,
    pub locked_until: Option<Timestamp>,
}

/// One row of `wallet_methods`.
#[derive(Clone)]
pub(super) struct Credential {
    pub user: UserId,
    pub method: Method,
    /// Grows with every change of the credential and is never used twice, also not after a removal.
    pub version: i64,
    /// An Argon2id string (PINCODE), a sealed seed (OTP), or the version of the set that waits beside this one
    /// (SECRET_CODES, empty where none does: the codes have a table of their own).
    pub secret: String,
    pub algorithm: Algorithm,
    pub confirmed: bool,
    pub attempts: Attempts,
    /// The last time step of which a password was accepted.
    pub last_step: Option<i64>,
}
