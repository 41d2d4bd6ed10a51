use secrecy::SecretString;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::Algorithm;
use crate::access::{Vault, random_bytes};
use crate::error::{Error, Issue};
use crate::types::{Address, Timestamp, UserId};

/// RFC 6238: passwords of 6 digits that change every 30 s; a client's clock may be one step off either way (section 5.2).
const DIGITS: u8 = 6;
const STEP_SECONDS: u64 = 30;
const SKEW_STEPS: u16 = 1;
/// RFC 4226 section 4, R6: 160 bits are recommended.
const SEED_BYTES: usize = 20;
const DOMAIN: &str = "wallet.otp";

/// A new seed with what an authenticator app needs; shown once.
pub struct Enrolment {
    pub algorithm: Algorithm,
    /// For typing, base32.
    pub secret: SecretString,
    /// `otpauth://totp/…` for a link.
    pub uri: SecretString,
    /// The same as a PNG image, base64.
    pub qr_png_base64: SecretString,
    seed: Zeroizing<[u8; SEED_BYTES]>,
}

impl Enrolment {
    pub const DIGITS: u8 = DIGITS;
    pub const STEP_SECONDS: u64 = STEP_SECONDS;
    pub const ISSUER_LENGTH_MAX: usize = 64;
    pub const ISSUER_DEFAULT: &str = "Moneyer";

    /// `issuer` is the name that the app shows beside the wallet. Errors: `Invalid` for an issuer that is empty, too
    /// long, or has a colon (which separates issuer and account in the URI).
    pub fn generate(issuer: &str, wallet: &Address, algorithm: Algorithm) -> Result<Self, Error> {
        let length = issuer.chars().count();
        let is_clean = !issuer.contains(':') && !issuer.chars().any(char::is_control);
        if issuer.trim().is_empty() || length > Self::ISSUER_LENGTH_MAX || !is_clean {
            let message = format!("must have 1 to {} characters and no colon", Self::ISSUER_LENGTH_MAX);
            return Err(Error::Invalid(vec![Issue::new("issuer", "range", message)]));
        }
        let seed = Zeroizing::new(random_bytes::<SEED_BYTES>()?);
        let totp = builder(algorithm, seed.as_slice())
            .with_issuer(Some(issuer))
            .with_account_name(wallet.to_string())
            .build()
            .map_err(Error::internal)?;
        Ok(Self {
            algorithm,
            secret: SecretString::from(totp.secret().to_base32()),
            uri: SecretString::from(totp.to_url().map_err(Error::internal)?),
            qr_png_base64: SecretString::from(totp.to_qr_base64().map_err(Error::internal)?),
            seed,
        })
    }

    /// What the app shows at an instant: for whoever sets up on behalf of somebody.
    pub fn password_at(&self, at: Timestamp) -> Result<SecretString, Error> {
        let totp = builder(self.algorithm, self.seed.as_slice())
            .build()
            .map_err(Error::internal)?;
        let seconds = u64::try_from(at.seconds()).map_err(Error::internal)?;
        Ok(SecretString::from(totp.generate(seconds).to_string()))
    }

    /// What is stored: opens only for this user and this version of the credential.
    pub(super) fn seal(&self, vault: &Vault, user: UserId, version: i64) -> Result<String, Error> {
        vault.seal(
            DOMAIN,
            &[user.as_uuid().as_bytes(), &version.to_be_bytes()],
            self.seed.as_slice(),
        )
    }
}

/// The time step whose password this is, if it is one of the three around `now`.
pub(super) fn matching_step(
    vault: &Vault,
    credential: &super::Credential,
    code: &str,
    now: Timestamp,
) -> Result<Option<i64>, Error> {
    if code.len() != usize::from(DIGITS) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let row = [
        credential.user.as_uuid().as_bytes().as_slice(),
        &credential.version.to_be_bytes(),
    ];
    let seed = vault.open(DOMAIN, &row, &credential.secret)?;
    let totp: Totp = builder(credential.algorithm, &seed).build().map_err(Error::internal)?;
    let seconds = u64::try_from(now.seconds()).map_err(Error::internal)?;
    totp.check(code, seconds)
        .map(i64::try_from)
        .transpose()
        .map_err(Error::internal)
}

fn builder(algorithm: Algorithm, seed: &[u8]) -> Builder {
    let algorithm = match algorithm {
        Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
        Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
    };
    Builder::new()
        .with_algorithm(algorithm)
        .with_digits(DIGITS)
        .with_step_duration(STEP_SECONDS)
        .with_skew(SKEW_STEPS)
        .with_secret(seed)
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret as _, SecretBox};

    use super::*;
    use crate::wallet::Method;
    use crate::wallet::model::Credential;
    use crate::wallet::rules::Attempts;

    fn vault() -> Vault {
        Vault::new(&SecretBox::new(Box::new([1; 32])), &SecretBox::new(Box::new([2; 32])))
    }

    fn stored(vault: &Vault, seed: &[u8], algorithm: Algorithm) -> Credential {
        let (user, version) = (UserId::generate(), 7_i64);
        let row = [user.as_uuid().as_bytes().as_slice(), &version.to_be_bytes()];
        Credential {
            user,
            method: Method::Otp,
            version,
            secret: vault.seal(DOMAIN, &row, seed).unwrap(),
            algorithm,
            confirmed: true,
            attempts: Attempts::default(),
            last_step: None,
        }
    }

    #[test]
    fn the_passwords_are_those_of_rfc_6238_appendix_b() {
        let vault = vault();
        let sha1 = stored(&vault, b"12345678901234567890", Algorithm::Sha1);
        let sha256 = stored(&vault, b"12345678901234567890123456789012", Algorithm::Sha256);
        // The last six of the eight digits in the appendix.
        for (seconds, of_sha1, of_sha256) in [
            (59, "287082", "119246"),
            (1_111_111_109, "081804", "084774"),
            (2_000_000_000, "279037", "698825"),
        ] {
            let now = Timestamp::from_seconds(seconds);
            let step = Some(seconds / 30);

            assert_eq!(matching_step(&vault, &sha1, of_sha1, now).unwrap(), step);
            assert_eq!(matching_step(&vault, &sha256, of_sha256, now).unwrap(), step);
            assert_eq!(matching_step(&vault, &sha1, of_sha256, now).unwrap(), None);
        }
    }

    #[test]
    fn one_step_of_skew_is_allowed_each_way_and_no_more() {
        let vault = vault();
        let credential = stored(&vault, b"12345678901234567890", Algorithm::Sha1);
        // The password of step 37,037,036, whose seconds are 1,111,111,080 to 1,111,111,109.
        let at = |seconds| matching_step(&vault, &credential, "081804", Timestamp::from_seconds(seconds)).unwrap();

        assert_eq!(at(1_111_111_049), None);
        assert_eq!(at(1_111_111_050), Some(37_037_036));
        assert_eq!(at(1_111_111_139), Some(37_037_036));
        assert_eq!(at(1_111_111_140), None);
    }

    #[test]
    fn text_that_is_not_six_digits_is_no_password() {
        let vault = vault();
        let credential = stored(&vault, b"12345678901234567890", Algorithm::Sha1);

        for wrong in ["", "28708", "2870820", "28708a", "287 082", "+87082"] {
            assert_eq!(
                matching_step(&vault, &credential, wrong, Timestamp::from_seconds(59)).unwrap(),
                None,
                "{wrong}"
            );
        }
    }

    #[test]
    fn an_enrolment_names_issuer_wallet_and_algorithm() {
        let wallet = Address::from_bytes([7; 20]);

        let enrolment = Enrolment::generate("Acme Bank", &wallet, Algorithm::Sha256).unwrap();
        let uri = enrolment.uri.expose_secret();

        assert!(
            uri.starts_with(&format!("otpauth://totp/Acme%20Bank:{wallet}?secret=")),
            "{uri}"
        );
        assert!(
            uri.contains("algorithm=SHA256") && uri.contains("issuer=Acme%20Bank"),
            "{uri}"
        );
        assert!(uri.contains(enrolment.secret.expose_secret()));
        let png = data_encoding::BASE64
            .decode(enrolment.qr_png_base64.expose_secret().as_bytes())
            .unwrap();
        assert_eq!(png[1..4], *b"PNG");
    }

    #[test]
    fn an_issuer_has_its_bounds() {
        let wallet = Address::from_bytes([7; 20]);
        let generate = |issuer: &str| Enrolment::generate(issuer, &wallet, Algorithm::Sha1);

        assert!(generate(&"a".repeat(64)).is_ok());
        assert!(generate(&"a".repeat(65)).is_err());
        assert!(generate("").is_err());
        assert!(generate("a:b").is_err());
    }
}
