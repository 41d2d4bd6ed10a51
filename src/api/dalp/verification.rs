//! Wallet verification in a body (dalp.md A8).

use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Issues;
use super::body::secret_text;
use crate::error::Issue;
use crate::wallet::Method;

/// The caller's word that it is really them (dalp.md A8).
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "secretVerificationCode": "123456", "verificationType": "PINCODE" }))]
pub struct WalletVerification {
    /// The PIN, the one-time password, or one of the secret codes.
    #[schema(value_type = String)]
    #[serde(deserialize_with = "secret_text")]
    secret_verification_code: SecretString,
    /// `PINCODE` (the default), `OTP` or `SECRET_CODES`.
    #[schema(value_type = Option<String>)]
    verification_type: Option<String>,
}

/// A parsed verification: the method, and the code in a type that does not print.
#[derive(Clone)]
pub struct Code {
    pub method: Method,
    pub code: SecretString,
}

impl WalletVerification {
    fn parse(&self) -> Result<Code, Issue> {
        let text = self.verification_type.as_deref().unwrap_or("PINCODE");
        let method = Method::parse(text).map_err(|_| {
            Issue::new(
                "walletVerification.verificationType",
                "enum",
                "must be PINCODE, OTP or SECRET_CODES",
            )
        })?;
        Ok(Code {
            method,
            code: self.secret_verification_code.clone(),
        })
    }

    /// The verification that a body must have; none when it is missing or wrong, which is noted.
    pub fn take(given: Option<&Self>, issues: &mut Issues) -> Option<Code> {
        if given.is_none() {
            issues.add("walletVerification", "required", "is required");
        }
        Self::take_given(given, issues)
    }

    /// The verification that a body may have; none when it is missing, or wrong, which is noted.
    pub fn take_given(given: Option<&Self>, issues: &mut Issues) -> Option<Code> {
        match given?.parse() {
            Ok(code) => Some(code),
            Err(issue) => {
                issues.extend([issue]);
                None
            }
        }
    }
}
