//! What proves to a receiver that a delivery is ours: a shared secret that signs, or a login of the receiver's own.
//!
//! It has to be read again for every attempt, so it is kept sealed under the data key, not as a hash.

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Scheme;
use crate::access::{Vault, random_bytes};
use crate::error::Error;
use crate::types::{Timestamp, WebhookEventId, WebhookId};

/// Standard Webhooks 1.0, "Signature scheme": how the text of a symmetric secret begins.
const PREFIX: &str = "whsec_";
/// Within the 24 to 64 bytes that Standard Webhooks asks for.
const SECRET_BYTES: usize = 32;
const DOMAIN: &str = "webhook.credentials";

/// `whsec_` and base64. Known to us and the receiver, cannot be printed.
pub struct Secret(SecretString);

impl Secret {
    pub(super) fn generate() -> Result<Self, Error> {
        let bytes = Zeroizing::new(random_bytes::<SECRET_BYTES>()?);
        let encoded = Zeroizing::new(BASE64.encode(bytes.as_slice()));
        Ok(Self(SecretString::from(format!("{PREFIX}{}", encoded.as_str()))))
    }

    /// For the one answer that shows it to its owner.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn seal(&self, vault: &Vault, id: WebhookId) -> Result<String, Error> {
        vault.seal(DOMAIN, &[id.as_uuid().as_bytes()], self.reveal().as_bytes())
    }

    /// Standard Webhooks signs with the bytes behind the prefix.
    fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let encoded = self.reveal().strip_prefix(PREFIX).unwrap_or_default();
        let bytes = BASE64.decode(encoded.as_bytes());
        bytes
            .map(Zeroizing::new)
            .map_err(|_| Error::internal("a secret of a webhook is no base64"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// What a receiver wants to be shown (HTTP Basic, RFC 7617).
#[derive(Clone, Debug)]
pub struct Login {
    pub name: LoginName,
    pub password: LoginPassword,
}

impl Login {
    /// Of each part (certhis.md, register_webhook).
    pub const LENGTH_MAX: usize = 250;

    pub(super) fn seal(&self, vault: &Vault, id: WebhookId) -> Result<String, Error> {
        let stored = StoredLogin {
            name: self.name.reveal().to_owned(),
            password: self.password.reveal().to_owned(),
        };
        let plain = Zeroizing::new(serde_json::to_string(&stored).map_err(Error::internal)?);
        vault.seal(DOMAIN, &[id.as_uuid().as_bytes()], plain.as_bytes())
    }
}

/// 1 to 250 characters, no colon among them. Cannot be printed.
#[derive(Clone, Debug)]
pub struct LoginName(SecretString);

/// 1 to 250 characters. Cannot be printed.
#[derive(Clone, Debug)]
pub struct LoginPassword(SecretString);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error("must have 1 to {} characters", Login::LENGTH_MAX)]
    Length,
    #[error("must not hold control characters (RFC 7617 section 2)")]
    Control,
    #[error("must not hold a colon, which would end the name (RFC 7617 section 2)")]
    Colon,
}

impl LoginName {
    pub fn parse(text: &str) -> Result<Self, LoginError> {
        match text.contains(':') {
            true => Err(LoginError::Colon),
            false => login_part(text).map(Self),
        }
    }

    /// For the header, and for the answer that shows it to whoever gave it.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl LoginPassword {
    pub fn parse(text: &str) -> Result<Self, LoginError> {
        login_part(text).map(Self)
    }

    /// For the header, and for the answer that shows it to whoever gave it.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

fn login_part(text: &str) -> Result<SecretString, LoginError> {
    if !(1..=Login::LENGTH_MAX).contains(&text.chars().count()) {
        return Err(LoginError::Length);
    }
    match text.chars().any(char::is_control) {
        true => Err(LoginError::Control),
        false => Ok(SecretString::from(text)),
    }
}

#[derive(Debug)]
pub(super) enum Credentials {
    Signing(Secret),
    Login(Login),
}

#[derive(Serialize, Deserialize)]
struct StoredLogin {
    name: String,
    password: String,
}

impl Credentials {
    pub fn open(vault: &Vault, id: WebhookId, scheme: Scheme, sealed: &str) -> Result<Self, Error> {
        let broken = || Error::internal("the credentials of a webhook do not read back");
        let plain = vault.open(DOMAIN, &[id.as_uuid().as_bytes()], sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| broken())?;
        match scheme {
            Scheme::Immutable | Scheme::Standard => Ok(Self::Signing(Secret(SecretString::from(text)))),
            Scheme::Certhis => {
                let stored: StoredLogin = serde_json::from_str(text).map_err(|_| broken())?;
                // It was parsed when it came.
                Ok(Self::Login(Login {
                    name: LoginName(SecretString::from(stored.name)),
                    password: LoginPassword(SecretString::from(stored.password)),
                }))
            }
        }
    }
}

/// The credentials of now, and those that they are replacing.
#[derive(Debug)]
pub(super) struct Keyring {
    pub current: Credentials,
    pub retiring: Option<Credentials>,
}

/// One header of a request.
pub(super) type Header = (&'static str, String);

impl Keyring {
    /// What says, beside the body, which event this is and who sends it. `webhook-signature` has one signature per secret
    /// that is good, the newest first; the header of Immutable's has room for one, and while a secret is retiring it stays
    /// with that one: receivers that know nothing of the rotation go on until its end.
    pub fn headers(
        &self,
        scheme: Scheme,
        event: WebhookEventId,
        now: Timestamp,
        body: &str,
    ) -> Result<Vec<Header>, Error> {
        let mut headers = vec![
            ("webhook-id", event.to_string()),
            ("webhook-timestamp", now.seconds().to_string()),
        ];
        let mut secrets: Vec<&Secret> = Vec::new();
        for credentials in std::iter::once(&self.current).chain(&self.retiring) {
            match credentials {
                Credentials::Signing(secret) => secrets.push(secret),
                Credentials::Login(login) => headers.push(("authorization", basic(login))),
            }
        }
        let signatures: Vec<String> = secrets
            .iter()
            .map(|secret| standard_signature(secret, event, now, body))
            .collect::<Result<_, Error>>()?;
        if !signatures.is_empty() {
            headers.push(("webhook-signature", signatures.join(" ")));
        }
        if let (Scheme::Immutable, Some(oldest)) = (scheme, secrets.last()) {
            let mac = hmac(oldest.reveal().as_bytes(), &[body.as_bytes()])?;
            headers.push(("x-immutable-signature", data_encoding::HEXLOWER.encode(&mac)));
        }
        Ok(headers)
    }
}

fn standard_signature(secret: &Secret, event: WebhookEventId, now: Timestamp, body: &str) -> Result<String, Error> {
    signature_of(&secret.bytes()?, &event.to_string(), now.seconds(), body)
}

/// Standard Webhooks 1.0: `v1,` and the base64 of HMAC-SHA256 over id, time and body with dots between.
fn signature_of(key: &[u8], id: &str, seconds: i64, body: &str) -> Result<String, Error> {
    let head = format!("{id}.{seconds}.");
    let mac = hmac(key, &[head.as_bytes(), body.as_bytes()])?;
    Ok(format!("v1,{}", BASE64.encode(&mac)))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 32], Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().into())
}

fn basic(login: &Login) -> String {
    let pair = Zeroizing::new(format!("{}:{}", login.name.reveal(), login.password.reveal()));
    format!("Basic {}", BASE64.encode(pair.as_bytes()))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    fn vault() -> Vault {
        let key = |byte| SecretBox::new(Box::new([byte; 32]));
        Vault::new(&key(1), &key(2))
    }

    fn secret(byte: u8) -> Secret {
        Secret(SecretString::from(format!("{PREFIX}{}", BASE64.encode(&[byte; 32]))))
    }

    fn login(name: &str, password: &str) -> Login {
        Login {
            name: LoginName::parse(name).unwrap(),
            password: LoginPassword::parse(password).unwrap(),
        }
    }

    fn ring(current: u8, retiring: Option<u8>) -> Keyring {
        Keyring {
            current: Credentials::Signing(secret(current)),
            retiring: retiring.map(|byte| Credentials::Signing(secret(byte))),
        }
    }

    fn header<'h>(headers: &'h [Header], name: &str) -> Option<&'h str> {
        let found = headers.iter().find(|(found, _)| *found == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // The specification's own example (standard-webhooks, "Signature scheme").
        let key = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();

        let signature = signature_of(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );

        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_retires_both_sign_and_the_header_with_room_for_one_stays_with_the_old_one() {
        let (event, now, body) = (WebhookEventId::generate(), Timestamp::from_seconds(7), "{}");
        let headers = |ring: Keyring| ring.headers(Scheme::Immutable, event, now, body).unwrap();

        let (old, both, new) = (
            headers(ring(1, None)),
            headers(ring(2, Some(1))),
            headers(ring(2, None)),
        );

        let standard = |headers: &[Header]| header(headers, "webhook-signature").unwrap().to_owned();
        assert_eq!(standard(&both), format!("{} {}", standard(&new), standard(&old)));
        let own = |headers: &[Header]| header(headers, "x-immutable-signature").unwrap().to_owned();
        assert_eq!(own(&both), own(&old));
        assert_ne!(own(&new), own(&old));
        assert_eq!(own(&new).len(), 64);
        assert_eq!(header(&both, "webhook-timestamp"), Some("7"));
        assert_eq!(header(&both, "webhook-id"), Some(event.to_string().as_str()));
    }

    #[test]
    fn only_the_scheme_of_immutable_has_its_header() {
        let headers = ring(1, None).headers(
            Scheme::Standard,
            WebhookEventId::generate(),
            Timestamp::from_seconds(7),
            "{}",
        );

        assert_eq!(header(&headers.unwrap(), "x-immutable-signature"), None);
    }

    #[test]
    fn a_login_is_shown_as_rfc_7617_says() {
        let login = login("Aladdin", "open sesame");
        let ring = Keyring {
            current: Credentials::Login(login),
            retiring: None,
        };
        let headers = ring.headers(
            Scheme::Certhis,
            WebhookEventId::generate(),
            Timestamp::from_seconds(7),
            "{}",
        );
        let headers = headers.unwrap();

        assert_eq!(
            header(&headers, "authorization"),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(header(&headers, "webhook-signature"), None);
    }

    #[test]
    fn credentials_open_for_their_own_webhook_only_and_do_not_print() {
        let (own, other) = (WebhookId::generate(), WebhookId::generate());
        let secret = Secret::generate().unwrap();
        let sealed = secret.seal(&vault(), own).unwrap();

        let opened = Credentials::open(&vault(), own, Scheme::Standard, &sealed).unwrap();

        let hidden = secret.reveal().strip_prefix(PREFIX).unwrap();
        assert!(!format!("{opened:?}").contains(hidden));
        match opened {
            Credentials::Signing(opened) => {
                assert_eq!(opened.reveal(), secret.reveal());
                assert_eq!(opened.bytes().unwrap().len(), SECRET_BYTES);
            }
            other @ Credentials::Login(_) => panic!("{other:?}"),
        }
        assert!(Credentials::open(&vault(), other, Scheme::Standard, &sealed).is_err());
    }

    #[test]
    fn a_login_reads_back_whatever_it_holds() {
        let id = WebhookId::generate();
        let login = login("a\"b", "pä\\s:s");
        let sealed = login.seal(&vault(), id).unwrap();

        match Credentials::open(&vault(), id, Scheme::Certhis, &sealed).unwrap() {
            Credentials::Login(login) => {
                assert_eq!(login.name.reveal(), "a\"b");
                assert_eq!(login.password.reveal(), "pä\\s:s");
            }
            other @ Credentials::Signing(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_login_has_1_to_250_printable_characters_each_and_no_colon_in_its_name() {
        let name = |text: &str| LoginName::parse(text).err();
        let password = |text: &str| LoginPassword::parse(text).err();
        let (most, more) = ("é".repeat(250), "é".repeat(251));

        for good in ["a", "a b", most.as_str()] {
            assert_eq!((name(good), password(good)), (None, None), "{good}");
        }
        for (bad, reason) in [
            ("", LoginError::Length),
            (more.as_str(), LoginError::Length),
            ("a\nb", LoginError::Control),
            ("a\u{7f}", LoginError::Control),
        ] {
            assert_eq!((name(bad), password(bad)), (Some(reason), Some(reason)), "{bad}");
        }
        assert_eq!((name("a:b"), password("a:b")), (Some(LoginError::Colon), None));
    }

    #[test]
    fn neither_part_of_a_login_prints() {
        let printed = format!("{:?}", login("Aladdin", "open sesame"));

        assert!(!printed.contains("Aladdin") && !printed.contains("sesame"), "{printed}");
    }
}
