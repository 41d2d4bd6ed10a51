//! One error of every code, for the document: rendered as they are on the wire, so that the document says what is sent.

use super::DalpError;
use crate::api::unserved::Unserved;
use crate::error::{Error, Finding, Issue, Line, Refusal};
use crate::types::{Address, Amount, Timestamp, TopicName};

/// Every code of dalp.md A7, and those of the framework; of each status the usual one first.
pub fn error_examples() -> Vec<DalpError> {
    let issues = vec![
        Issue::new("recipients.0", "format", "must be 42 characters: 0x and 40 hex digits"),
        Issue::new("walletVerification", "required", "is required"),
    ];
    let framework = [
        Unserved::MethodUnknown {
            allow: "GET".to_owned(),
        }
        .into(),
        Unserved::BodyTooLarge { max: 1_048_576 }.into(),
        Unserved::BodyTooSlow { seconds: 30 }.into(),
        DalpError::MediaType,
    ];
    let malformed = [Error::Invalid(issues)];
    let groups = malformed.into_iter().chain(of_callers()).chain(of_state());
    let errors = groups.chain(refusals()).map(DalpError::from);
    let combination = DalpError::Combination("Many addresses and many roles cannot be combined");
    errors.chain(framework).chain([combination]).collect()
}

fn of_callers() -> [Error; 7] {
    [
        Error::Unauthenticated,
        Error::ChallengeFailed {
            method: "PINCODE",
            attempts_left: Some(4),
        },
        Error::Forbidden {
            required: vec!["supplyManagement"],
        },
        Error::NotAllowed("Only a trusted issuer of claim topic collateral may do this".to_owned()),
        Error::NotFound("asset"),
        Error::VerificationMissing { method: "OTP" },
        Error::Limited {
            retry_after_seconds: 900,
            method: Some("PINCODE"),
        },
    ]
}

fn of_state() -> [Error; 4] {
    [
        Error::Conflict("Asset is already paused".to_owned()),
        Error::AlreadyExists("The wallet has a user".to_owned()),
        Error::Internal(String::new()),
        Error::Unavailable("the database is busy"),
    ]
}

fn refusals() -> impl Iterator<Item = Error> {
    let (year, now) = (365 * 86_400, Timestamp::from_seconds(1_795_257_000));
    let numbers = [1_000_u64, 900, 101].map(Amount::from);
    let [cap, supply, requested] = numbers;
    let compliance = TopicName::parse("knowYourCustomer").ok().map(|topic| {
        let expired = now;
        ("demo-equity/kyc", Refusal::ClaimExpired { topic, expired })
    });
    let whole = [
        (
            "cap",
            Refusal::CapExceeded {
                cap,
                supply,
                pending: Amount::ZERO,
                requested,
            },
        ),
        (
            "collateral",
            Refusal::CollateralShort {
                required: cap,
                available: supply,
                expires: Some(now.plus_seconds(year)),
            },
        ),
        ("not-paused", Refusal::AssetPaused),
        ("not-matured", Refusal::AssetMatured { maturity: now }),
    ];
    let lines = [
        ("recipient-registered", Refusal::IdentityUnknown),
        ("amount-positive", Refusal::AmountZero),
    ];
    let line = Line {
        index: 0,
        recipient: Address::from_bytes([0x5a; 20]),
    };
    let of_line = move |(rule, refusal): (&str, Refusal)| Finding {
        line: Some(line),
        rule: rule.to_owned(),
        refusal,
    };
    let of_whole = |(rule, refusal): (&str, Refusal)| Finding {
        line: None,
        rule: rule.to_owned(),
        refusal,
    };
    let first = compliance.into_iter().map(of_line);
    let findings: Vec<Finding> = first.chain(whole.map(of_whole)).chain(lines.map(of_line)).collect();
    let feature = Error::FeatureMissing("CAPPED");
    findings
        .into_iter()
        .map(|finding| Error::Refused(vec![finding]))
        .chain([feature])
}
