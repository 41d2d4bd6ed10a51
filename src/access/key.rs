use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::vault::random_text;
use crate::error::Error;
use crate::types::{Hash32, KeyId};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 190 bits: nothing to guess, so that a keyed hash without stretching is enough.
const SECRET_LENGTH: usize = 32;
/// 62^6 is more than 2^32.
const CHECKSUM_LENGTH: usize = 6;

/// Whether a key opens a production server. The prefix is for people and for scanners that look for leaked keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Live,
    Test,
}

impl KeyKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "mny_live_",
            Self::Test => "mny_test_",
        }
    }
}

/// An API key in clear: `mny_live_` or `mny_test_`, an id of 8 characters, 32 secret ones, and the CRC-32 of all before
/// it as 6 base62 characters, so that a mistyped or made-up key costs no query. Known only to its owner; cannot be printed.
pub struct ApiKey {
    kind: KeyKind,
    id: KeyId,
    start: String,
    text: SecretString,
}

impl ApiKey {
    pub(super) fn generate(kind: KeyKind) -> Result<Self, Error> {
        let random = random_text(BASE62, KeyId::LENGTH.saturating_add(SECRET_LENGTH))?;
        let body = Zeroizing::new(format!("{}{}", kind.prefix(), random.as_str()));
        let text = Zeroizing::new(format!("{}{}", body.as_str(), checksum(&body)));
        Self::parse(&text).ok_or_else(|| Error::internal("a generated API key does not parse"))
    }

    /// `None` for everything that is not a key of ours: wrong prefix, length, characters or checksum.
    pub fn parse(text: &str) -> Option<Self> {
        let kind = [KeyKind::Live, KeyKind::Test]
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))?;
        let rest = text.strip_prefix(kind.prefix())?;
        let body_length = KeyId::LENGTH.saturating_add(SECRET_LENGTH);
        let well_formed = rest.len() == body_length.saturating_add(CHECKSUM_LENGTH)
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (body, sum) = text.split_at_checked(text.len().checked_sub(CHECKSUM_LENGTH)?)?;
        if !well_formed || checksum(body) != sum {
            return None;
        }
        let id = KeyId::parse(rest.get(..KeyId::LENGTH)?).ok()?;
        Some(Self {
            kind,
            start: format!("{}{id}", kind.prefix()),
            id,
            text: SecretString::from(text),
        })
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Prefix and id: what may be shown and logged.
    pub fn start(&self) -> &str {
        &self.start
    }

    /// For the one answer that shows the key to its owner.
    pub fn reveal(&self) -> &str {
        self.text.expose_secret()
    }

    /// What is stored instead of the key.
    pub(super) fn hash(&self, vault: &super::Vault) -> Hash32 {
        vault.mac("access.api_key", &[self.text.expose_secret().as_bytes()])
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.start)
    }
}

/// Base62 digits, most significant first.
fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        let value = usize::try_from(rest % 62).unwrap_or(0);
        *digit = BASE62.get(value).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_has_the_documented_form_and_parses() {
        let key = ApiKey::generate(KeyKind::Live).unwrap();
        let text = key.reveal().to_owned();

        assert!(text.starts_with("mny_live_"));
        assert_eq!(text.len(), "mny_live_".len() + 8 + 32 + 6);
        assert_eq!(Some(key.start()), text.get(..17));
        assert_eq!(ApiKey::parse(&text).unwrap().id(), key.id());
        assert!(
            ApiKey::generate(KeyKind::Test)
                .unwrap()
                .reveal()
                .starts_with("mny_test_")
        );
    }

    #[test]
    fn any_changed_character_is_refused_without_a_look_up() {
        let text = ApiKey::generate(KeyKind::Test).unwrap().reveal().to_owned();

        for position in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[position] = if changed[position] == b'x' { b'y' } else { b'x' };
            assert!(
                ApiKey::parse(&String::from_utf8(changed).unwrap()).is_none(),
                "{position}"
            );
        }
    }

    #[test]
    fn text_that_is_too_short_too_long_or_not_ascii_is_refused() {
        let text = ApiKey::generate(KeyKind::Live).unwrap().reveal().to_owned();

        for wrong in [
            "",
            "mny_live_",
            text.trim_start_matches('m'),
            text.get(..text.len() - 1).unwrap(),
            &format!("{text}0"),
            "mny_live_é",
        ] {
            assert!(ApiKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_key_prints_only_what_may_be_shown() {
        let key = ApiKey::generate(KeyKind::Live).unwrap();

        let printed = format!("{key:?}");

        assert!(printed.contains(key.start()));
        assert!(!printed.contains(key.reveal().strip_prefix(key.start()).unwrap()));
    }

    #[test]
    fn the_checksum_is_crc32_in_base62() {
        // The check value of CRC-32/ISO-HDLC for "123456789" is cbf43926 = 3421780262.
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum("123456789"), "3jZRME");
    }
}
