use crate::types::{Address, ClaimId, CountryCode, IdentityId, Timestamp, TopicName};

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
