//! Everything that can go wrong, on one page: [`Error`] by what the caller can do about it, [`Refusal`] by why a rule
//! said no. Knows nothing of HTTP, SQL or the chain; each dialect renders these in its own envelope.

use std::fmt;

use serde_json::{Value, json};

use crate::types::{Address, Amount, CountryCode, Timestamp, TopicName};

/// What the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Correct the request. One issue per malformed field, all of them at once.
    #[error("malformed request: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Issue>),
    /// Use a valid API key.
    #[error("no valid API key")]
    Unauthenticated,
    /// Send the right code. `attempts_left` is until the method locks; none when the method does not count.
    #[error("wallet verification failed ({method})")]
    ChallengeFailed {
        method: &'static str,
        attempts_left: Option<u32>,
    },
    /// Set the verification method up first.
    #[error("wallet verification is not set up ({method})")]
    VerificationMissing { method: &'static str },
    /// Ask somebody for the right. A list of several roles means that any one of them is enough.
    #[error("not allowed: needs one of {required:?}")]
    Forbidden { required: Vec<&'static str> },
    /// A right that no role gives, in a sentence.
    #[error("{0}")]
    NotAllowed(String),
    /// Check the name: there is no such thing.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Look first: the state is not what the request assumes.
    #[error("{0}")]
    Conflict(String),
    /// Create it under another name.
    #[error("{0}")]
    AlreadyExists(String),
    /// A feature that this asset does not have.
    #[error("the asset does not have the feature {0}")]
    FeatureMissing(&'static str),
    /// The rules say no. Never empty; every failing rule and line is in it.
    #[error("refused: {}", .0.iter().map(|f| f.refusal.slug()).collect::<Vec<_>>().join(", "))]
    Refused(Vec<Finding>),
    /// The chain refused what the rules here allowed; the operation has failed and says so.
    #[error("the chain refused: {reason}")]
    Reverted { reason: String, operation: String },
    /// Wait.
    #[error("too many attempts, retry after {retry_after_seconds} s")]
    Limited {
        retry_after_seconds: u64,
        method: Option<&'static str>,
    },
    /// Try again: nothing was done.
    #[error("temporarily unavailable: {0}")]
    Unavailable(&'static str),
    /// Look before you try again: the change may or may not have been made.
    #[error("it is not known whether this was done: {0}")]
    OutcomeUnknown(&'static str),
    /// Nothing the caller can do. The text is for the log and never sent out.
    #[error("internal error: {0}")]
    Internal(String),
}

/// One malformed field: where, why, and a stable code (`required`, `type`, `format`, `range`, `unknown` …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub path: Vec<String>,
    pub code: &'static str,
    pub message: String,
}

impl Issue {
    /// `path` uses dots between the parts, `recipients.3` for the fourth recipient.
    pub fn new(path: &str, code: &'static str, message: impl Into<String>) -> Self {
        let path = path
            .split('.')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        Self {
            path,
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.message)
    }
}

impl Error {
    pub fn invalid(path: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Issue::new(path, "format", message)])
    }

    pub fn refused(refusal: Refusal) -> Self {
        Self::Refused(vec![Finding {
            line: None,
            rule: "mint".into(),
            refusal,
        }])
    }

    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }
}

/// One failing rule, and the line it failed for; none when it is about the whole request.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub line: Option<Line>,
    /// `policy-id/rule-id`, a module's type id, or the name of a base rule.
    pub rule: String,
    pub refusal: Refusal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub index: usize,
    pub recipient: Address,
}

/// Order of the kinds when several fail: the answer's code is the first (dalp.md A7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalKind {
    Zero,
    Matured,
    Paused,
    Cap,
    Collateral,
    Identity,
    Compliance,
    Balance,
    Agent,
}

/// The table of refusals: each row becomes a variant, its kind, its slug, its sentence and its numbers.
macro_rules! refusals {
    (
        $($unit:ident => $unit_kind:ident, $unit_slug:literal, $unit_message:literal;)+
        ---
        $($(#[$doc:meta])* $name:ident { $($field:ident : $type:ty as $key:literal),+ }
            => $kind:ident, $slug:literal, $message:literal;)+
    ) => {
        /// Why a rule said no, with its numbers. The slug is the stable key (README, "Refusals").
        #[derive(Clone, Debug, PartialEq)]
        pub enum Refusal {
            $($unit,)+
            $($(#[$doc])* $name { $($field: $type),+ },)+
        }

        impl Refusal {
            pub fn kind(&self) -> RefusalKind {
                match self {
                    $(Self::$unit => RefusalKind::$unit_kind,)+
                    $(Self::$name { .. } => RefusalKind::$kind,)+
                }
            }

            pub fn slug(&self) -> &'static str {
                match self {
                    $(Self::$unit => $unit_slug,)+
                    $(Self::$name { .. } => $slug,)+
                }
            }

            /// One sentence for a person.
            pub fn message(&self) -> String {
                match self {
                    $(Self::$unit => $unit_message.to_owned(),)+
                    $(Self::$name { $($field),+ } => { $(let _ = $field;)+ format!($message) })+
                }
            }

            /// The numbers behind the sentence, for programs.
            pub fn params(&self) -> Value {
                match self {
                    $(Self::$unit => json!({}),)+
                    $(Self::$name { $($field),+ } => json!({ $($key: $field),+ }),)+
                }
            }
        }
    };
}

refusals! {
    AmountZero => Zero, "amount_zero", "Amount must be positive";
    AmountOverflow => Cap, "amount_overflow", "The amounts add up to more than 2^256-1";
    AssetPaused => Paused, "asset_paused", "Asset is paused";
    IdentityUnknown => Identity, "identity_unknown", "Recipient identity not found";
    RecipientFrozen => Compliance, "recipient_frozen", "The recipient's address is frozen on this asset";
    CountryUnknown => Compliance, "country_unknown", "The recipient's country is not known";
    SanctionsListMissing => Compliance, "sanctions_list_stale", "No sanctions list has been imported";
    RecipientBlocked => Compliance, "recipient_blocked", "The recipient is on a block list";
    RecipientNotAllowed => Compliance, "recipient_not_allowed", "The recipient is not on the allow list";
    ---
    AssetMatured { maturity: Timestamp as "maturityDate" }
        => Matured, "asset_matured", "Asset has matured on {maturity}";
    CapExceeded { cap: Amount as "cap", supply: Amount as "supply", pending: Amount as "pending", requested: Amount as "requested" }
        => Cap, "cap_exceeded", "Exceeds supply cap: {supply} issued, {pending} pending and {requested} requested of {cap}";
    CapBelowSupply { cap: Amount as "cap", supply: Amount as "supply", pending: Amount as "pending" }
        => Cap, "cap_below_supply", "A cap of {cap} is below the {supply} issued and {pending} pending";
    CollateralShort { required: Amount as "required", available: Amount as "available", expires: Option<Timestamp> as "expiry" }
        => Collateral, "collateral_short", "Insufficient collateral: {required} required, {available} available";
    CollateralStale { required: Amount as "required", available: Amount as "available", expired: Timestamp as "expiry" }
        => Collateral, "collateral_stale", "Insufficient collateral: the claim expired on {expired}";
    ClaimMissing { topic: TopicName as "topic" }
        => Compliance, "claim_missing", "No claim of topic {topic}";
    ClaimExpired { topic: TopicName as "topic", expired: Timestamp as "expired" }
        => Compliance, "claim_expired", "The claim of topic {topic} expired on {expired}";
    ClaimTooOld { topic: TopicName as "topic", issued: Timestamp as "issued", max_age_seconds: i64 as "maxAgeSeconds" }
        => Compliance, "claim_expired", "The claim of topic {topic}, issued on {issued}, is older than the rule allows";
    ClaimRevoked { topic: TopicName as "topic" }
        => Compliance, "claim_revoked", "The claim of topic {topic} is revoked";
    ClaimNotYetValid { topic: TopicName as "topic", not_before: Timestamp as "notBefore" }
        => Compliance, "claim_not_yet_valid", "The claim of topic {topic} is valid from {not_before} on";
    IssuerUntrusted { topic: TopicName as "topic" }
        => Compliance, "issuer_untrusted", "No trusted issuer stands behind topic {topic}";
    SignatureBad { topic: TopicName as "topic" }
        => Compliance, "signature_bad", "The signature of the claim of topic {topic} is not valid";
    /// A claim that must be absent (`not topic`) is there.
    ClaimPresent { topic: TopicName as "topic" }
        => Compliance, "claim_present", "A claim of topic {topic} is present that must be absent";
    CountryBlocked { country: CountryCode as "country" }
        => Compliance, "country_blocked", "The recipient's country {country} is blocked";
    CountryNotAllowed { country: CountryCode as "country" }
        => Compliance, "country_not_allowed", "The recipient's country {country} is not on the allow list";
    AddressSanctioned { list: String as "list", as_of: Timestamp as "asOf" }
        => Compliance, "address_sanctioned", "The address is on the sanctions list {list} of {as_of}";
    SanctionsListStale { as_of: Timestamp as "asOf", max_age_seconds: i64 as "maxAgeSeconds" }
        => Compliance, "sanctions_list_stale", "The sanctions list of {as_of} is too old";
    HolderLimit { max: u64 as "max", holders: u64 as "holders" }
        => Compliance, "holder_limit", "At most {max} holders are allowed, {holders} hold already";
    HolderLimitCountry { country: CountryCode as "country", max: u64 as "max", holders: u64 as "holders" }
        => Compliance, "holder_limit_country", "At most {max} holders in {country} are allowed, {holders} hold already";
    MaxHolding { max: Amount as "max", held: Amount as "held", requested: Amount as "requested" }
        => Compliance, "max_holding", "At most {max} may be held: {held} held and {requested} requested";
    SupplyLimit { max: Amount as "max", issued: Amount as "issued", requested: Amount as "requested" }
        => Compliance, "supply_window", "The supply limit is {max}: {issued} issued and {requested} requested";
    PolicyMissing { policy: String as "policy" }
        => Compliance, "policy_missing", "The policy {policy} is not loaded";
    PolicyError { reason: String as "reason" }
        => Compliance, "policy_error", "The policy cannot be applied: {reason}";
    ModuleError { reason: String as "reason" }
        => Compliance, "module_error", "A compliance module failed: {reason}";
    BalanceShort { held: Amount as "held", requested: Amount as "requested" }
        => Balance, "insufficient_balance", "The wallet has {held} that can be taken, {requested} requested";
    /// The transaction that would make us an agent, for whoever may send it.
    AgentRoleMissing { agent: Address as "agent", from: String as "from", to: Address as "to", data: String as "data" }
        => Agent, "agent_role_missing", "The signer {agent} is not an agent of the token: {from} can make it one by sending {data} to {to}";
}

impl Refusal {
    /// Whether the rules themselves are at fault, and not whoever is to receive: it passes by an operator's hand.
    pub const fn is_of_the_rules(&self) -> bool {
        matches!(
            self,
            Self::SanctionsListMissing
                | Self::SanctionsListStale { .. }
                | Self::PolicyMissing { .. }
                | Self::PolicyError { .. }
                | Self::ModuleError { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_its_numbers_in_words_and_as_data() {
        let one = Amount::from(1);
        let refusal = Refusal::CapExceeded {
            cap: one,
            supply: one,
            pending: Amount::ZERO,
            requested: one,
        };

        assert_eq!(
            refusal.message(),
            "Exceeds supply cap: 1 issued, 0 pending and 1 requested of 1"
        );
        assert_eq!(
            refusal.params(),
            json!({ "cap": "1", "supply": "1", "pending": "0", "requested": "1" })
        );
        assert_eq!(refusal.slug(), "cap_exceeded");
    }
}
