use serde_json::Value;

use crate::chain::{ClaimShape, ClaimSignature, ClaimValue, ShapeError};
use crate::types::{Address, Amount, ClaimId, CountryCode, Hash32, IdentityId, Timestamp, TopicName, UserId};

/// Whose identity it is: a person's wallet, or an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Account,
    Asset,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Asset => "asset",
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        [Self::Account, Self::Asset]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// An ONCHAINID identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: IdentityId,
    pub address: Address,
    pub kind: Kind,
    /// The wallet, or the address of the asset, that it was created for.
    pub account: Address,
    /// Registered by an identity manager, not only created. Always false for an asset.
    pub registered: bool,
    pub country: Option<CountryCode>,
    pub registered_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// What a list of identities is filtered by; everything given must match.
#[derive(Clone, Debug, Default)]
pub struct IdentityFilter {
    pub kind: Option<Kind>,
    pub registered: Option<bool>,
    pub country: Option<CountryCode>,
}

/// What an ERC-734 key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// May do what any other purpose may (ONCHAINID `Identity.sol`, `keyHasPurpose`).
    Management,
    ClaimSigner,
}

impl KeyPurpose {
    /// The number that ERC-734 gives the purpose.
    pub const fn number(self) -> i16 {
        match self {
            Self::Management => 1,
            Self::ClaimSigner => 3,
        }
    }
}

/// A subject that claims can be about, and what such a claim says.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimTopic {
    pub name: TopicName,
    pub shape: ClaimShape,
    /// How long a claim of this topic may be valid, counted from its issue.
    pub validity_seconds_max: i64,
    pub created_at: Timestamp,
}

impl ClaimTopic {
    pub const VALIDITY_SECONDS_DEFAULT: i64 = 365 * 86_400;
    /// Ten years: longer is not a check but a belief.
    pub const VALIDITY_SECONDS_MAX: i64 = 3_650 * 86_400;

    /// A topic is named by its name, or by its number in digits or as `0x` and 64 hex digits.
    pub fn is_called(&self, text: &str) -> bool {
        let number = self.name.number();
        self.name.as_str() == text
            || number.to_string() == text
            || (text.starts_with("0x") && Hash32::parse(text) == Some(Hash32::from_bytes(number.to_be_bytes())))
    }
}

/// A topic to create.
#[derive(Clone, Debug)]
pub struct NewTopic {
    pub name: TopicName,
    pub shape: ClaimShape,
    pub validity_seconds_max: i64,
}

impl NewTopic {
    /// With the longest validity that a topic has when nobody says otherwise.
    pub fn parse(name: TopicName, signature: &str) -> Result<Self, ShapeError> {
        Ok(Self {
            name,
            shape: ClaimShape::parse(signature)?,
            validity_seconds_max: ClaimTopic::VALIDITY_SECONDS_DEFAULT,
        })
    }
}

/// What to change of a topic.
#[derive(Clone, Debug, Default)]
pub struct TopicChange {
    pub shape: Option<ClaimShape>,
    pub validity_seconds_max: Option<i64>,
}

/// An identity whose claims of some topics count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// Its identity address.
    pub issuer: Address,
    /// The wallet that the identity was created for.
    pub account: Address,
    pub topics: Vec<TopicName>,
    /// When it was first trusted for one of these.
    pub added_at: Timestamp,
}

/// What a claim says: the values by field, or the bytes that somebody encoded (and perhaps signed) already.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimData {
    Values(Value),
    Encoded(Vec<u8>),
}

/// Whose word a claim is.
#[derive(Clone)]
pub enum Attestation {
    /// The caller's own identity is the issuer; the server records who it was.
    Caller,
    /// The issuer signed the claim elsewhere, in ONCHAINID's form.
    Signed { issuer: Address, signature: ClaimSignature },
}

/// When a claim counts and what belongs to it. The default: from now on, as long as its topic allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimTerms {
    pub not_before: Option<Timestamp>,
    /// Exclusive.
    pub expires_at: Option<Timestamp>,
    /// Where the evidence is; empty when nowhere. Not signed.
    pub uri: String,
    /// When the record has to be deleted (compliance.md 4.6).
    pub retain_until: Option<Timestamp>,
}

/// A claim to issue about one identity.
#[derive(Clone)]
pub struct NewClaim {
    /// The identity address of the subject.
    pub target: Address,
    pub topic: TopicName,
    pub data: ClaimData,
    pub attestation: Attestation,
    pub terms: ClaimTerms,
}

/// Which claim to revoke.
#[derive(Clone, Debug)]
pub struct Revocation {
    /// The identity address of the subject.
    pub target: Address,
    pub topic: TopicName,
    /// Whose claim; may be left out when it is the caller's own, or the only one.
    pub issuer: Option<Address>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimStatus {
    Active,
    Revoked,
    /// A later claim of the same issuer and topic took its place.
    Superseded,
}

impl ClaimStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Superseded => "superseded",
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let all = [Self::Active, Self::Revoked, Self::Superseded];
        all.into_iter().find(|status| status.as_str() == text)
    }
}

/// ERC-735 leaves the numbers of schemes open; ONCHAINID uses 1 for ECDSA, and 3 is a claim that the issuer's contract
/// (here: this server, for its authenticated user) stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimScheme {
    Ecdsa,
    Recorded,
}

impl ClaimScheme {
    pub const fn number(self) -> i16 {
        match self {
            Self::Ecdsa => 1,
            Self::Recorded => 3,
        }
    }
}

/// A claim as it is kept: nothing is overwritten but how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub id: ClaimId,
    pub identity: IdentityId,
    pub topic: TopicName,
    /// The identity address of the issuer.
    pub issuer: Address,
    pub scheme: i16,
    /// ABI-encoded, what the issuer signed.
    pub data: Vec<u8>,
    pub values: Vec<ClaimValue>,
    /// Base units, of a claim that tells an amount with an expiry.
    pub amount: Option<Amount>,
    pub uri: String,
    pub signature: Option<Vec<u8>>,
    pub signer: Option<Address>,
    /// The authenticated user who issued it, when it is not signed.
    pub issued_by: Option<UserId>,
    pub issued_at: Timestamp,
    pub not_before: Timestamp,
    /// Exclusive.
    pub expires_at: Timestamp,
    pub status: ClaimStatus,
    pub ended_at: Option<Timestamp>,
    pub ended_by: Option<UserId>,
    pub retain_until: Option<Timestamp>,
}

/// What the rules may know of a wallet that belongs to an identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipient {
    pub wallet: Address,
    pub identity: IdentityId,
    pub identity_address: Address,
    /// Registered by an identity manager, not only created.
    pub registered: bool,
    pub country: Option<CountryCode>,
    pub claims: Vec<ClaimFact>,
}

/// One claim as the rules see it. Whether it counts at a given instant is theirs to say.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimFact {
    pub id: ClaimId,
    pub topic: TopicName,
    /// The identity address of the issuer.
    pub issuer: Address,
    /// The issuer is trusted for this topic now.
    pub trusted: bool,
    /// The signature was verified when the claim was stored and its key still belongs to the issuer; or a trusted
    /// issuer's authenticated user issued it here.
    pub signature_valid: bool,
    pub issued_at: Timestamp,
    pub not_before: Timestamp,
    /// Exclusive.
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// The collateral behind an asset at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collateral {
    /// No trusted issuer ever vouched for any.
    None,
    /// The largest claim that counts.
    Valid { amount: Amount, expires_at: Timestamp },
    /// None counts any more; the one that expired last.
    Expired { amount: Amount, expires_at: Timestamp },
}
