use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::Error;
use crate::types::Hash32;

/// RFC 8439 section 2.8: 96 bits. Random nonces are safe for 2^32 messages under one key; we seal one per enrolment.
const NONCE_BYTES: usize = 12;
/// The block of SHA-256: HMAC pads a shorter key with zeros to this length (RFC 2104 section 2).
const HMAC_BLOCK_BYTES: usize = 64;
/// What is hashed under a secret to tell it from others.
const CHECK: &str = "secret.check";

/// The two keys that live outside the database: the *pepper* makes keyed hashes of what callers prove they know (API
/// keys, PINs, secret codes), the *data key* encrypts what the server must read again (one-time password seeds). A copy
/// of the database alone is worth nothing without them.
pub struct Vault {
    pepper: SecretBox<[u8; HMAC_BLOCK_BYTES]>,
    data_key: SecretBox<[u8; 32]>,
}

impl Vault {
    pub fn new(pepper: &SecretBox<[u8; 32]>, data_key: &SecretBox<[u8; 32]>) -> Self {
        let mut padded = Box::new([0; HMAC_BLOCK_BYTES]);
        for (to, from) in padded.iter_mut().zip(pepper.expose_secret()) {
            *to = *from;
        }
        Self {
            pepper: SecretBox::new(padded),
            data_key: SecretBox::new(Box::new(*data_key.expose_secret())),
        }
    }

    /// HMAC-SHA256 under the pepper. The domain and the length of every part are hashed too, so that no two different
    /// uses, and no two different splits into parts, share a value.
    pub fn mac(&self, domain: &str, parts: &[&[u8]]) -> Hash32 {
        let mut mac = Hmac::<Sha256>::new(self.pepper.expose_secret().into());
        for part in std::iter::once(&domain.as_bytes()).chain(parts) {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            mac.update(&length.to_be_bytes());
            mac.update(part);
        }
        Hash32::from_bytes(mac.finalize().into_bytes().into())
    }

    /// By the name of its setting, what tells each secret from others.
    pub fn checks(&self) -> [(&'static str, Hash32); 2] {
        let mut data_key = [0; HMAC_BLOCK_BYTES];
        for (to, from) in data_key.iter_mut().zip(self.data_key.expose_secret()) {
            *to = *from;
        }
        let mut under_data_key = Hmac::<Sha256>::new((&data_key).into());
        data_key.zeroize();
        under_data_key.update(CHECK.as_bytes());
        let data_key = Hash32::from_bytes(under_data_key.finalize().into_bytes().into());
        [("secrets.pepper", self.mac(CHECK, &[])), ("secrets.data_key", data_key)]
    }

    /// ChaCha20-Poly1305 under the data key, as base64 of nonce and ciphertext. What `domain` and `parts` say is not in
    /// the text but must be the same at [`Self::open`]: a sealed value moved to another row does not open.
    pub fn seal(&self, domain: &str, parts: &[&[u8]], plain: &[u8]) -> Result<String, Error> {
        let nonce: [u8; NONCE_BYTES] = random_bytes()?;
        let payload = Payload {
            msg: plain,
            aad: &associated(domain, parts),
        };
        let sealed = self
            .cipher()
            .encrypt(Nonce::from_slice(&nonce), payload)
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok(BASE64.encode(&[nonce.as_slice(), sealed.as_slice()].concat()))
    }

    /// Errors: `Internal` when the text is not what [`Self::seal`] made under this key for this domain and these parts.
    pub fn open(&self, domain: &str, parts: &[&[u8]], sealed: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let broken = || {
            Error::internal(format!(
                "a sealed value of {domain} does not open: wrong data key or changed row"
            ))
        };
        let bytes = BASE64.decode(sealed.as_bytes()).map_err(|_| broken())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
        let payload = Payload {
            msg: sealed,
            aad: &associated(domain, parts),
        };
        let plain = self.cipher().decrypt(Nonce::from_slice(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| broken())
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(Key::from_slice(self.data_key.expose_secret()))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(keys not shown)")
    }
}

/// Domain and parts with their lengths before them, so that they cannot be shifted into each other.
fn associated(domain: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in std::iter::once(&domain.as_bytes()).chain(parts) {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// From the operating system's source. Errors: `Unavailable` when it has none to give.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| Error::Unavailable("the system's random source does not answer"))?;
    Ok(bytes)
}

/// `length` characters of the alphabet, each equally likely: a byte beyond the last whole multiple of the alphabet is
/// thrown away.
pub(crate) fn random_text(alphabet: &[u8], length: usize) -> Result<Zeroizing<String>, Error> {
    let whole = 256_usize
        .checked_div(alphabet.len())
        .map_or(0, |times| times.saturating_mul(alphabet.len()));
    let mut text = Zeroizing::new(String::with_capacity(length));
    while text.len() < length {
        let bytes = Zeroizing::new(random_bytes::<64>()?);
        let usable = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < whole);
        let letters = usable.filter_map(|byte| alphabet.get(byte.checked_rem(alphabet.len())?));
        let missing = length.saturating_sub(text.len());
        text.extend(letters.take(missing).map(|letter| char::from(*letter)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(pepper: u8, data_key: u8) -> Vault {
        Vault::new(
            &SecretBox::new(Box::new([pepper; 32])),
            &SecretBox::new(Box::new([data_key; 32])),
        )
    }

    #[test]
    fn a_keyed_hash_depends_on_pepper_domain_and_the_split_into_parts() {
        let base = vault(1, 1).mac("pin", &[b"ab", b"c"]);

        assert_eq!(vault(1, 2).mac("pin", &[b"ab", b"c"]), base);
        assert_ne!(vault(2, 1).mac("pin", &[b"ab", b"c"]), base);
        assert_ne!(vault(1, 1).mac("code", &[b"ab", b"c"]), base);
        assert_ne!(vault(1, 1).mac("pin", &[b"a", b"bc"]), base);
        assert_ne!(vault(1, 1).mac("pin", &[b"abc"]), base);
    }

    #[test]
    fn the_keyed_hash_is_hmac_sha256_of_rfc_4231() {
        // Test case 1 of RFC 4231 has a key of 20 bytes 0x0b; ours are 32 bytes, so the value is of that key, padded.
        let mut expected = Hmac::<Sha256>::new_from_slice(&[0x0b; 32]).unwrap();
        expected.update(&2_u64.to_be_bytes());
        expected.update(b"it");

        let mac = vault(0x0b, 0).mac("it", &[]);

        assert_eq!(mac.as_bytes().as_slice(), expected.finalize().into_bytes().as_slice());
    }

    #[test]
    fn a_sealed_value_opens_only_under_its_key_and_for_its_row() {
        let sealed = vault(1, 1).seal("otp", &[b"user"], b"seed").unwrap();

        assert_eq!(
            vault(9, 1).open("otp", &[b"user"], &sealed).unwrap().as_slice(),
            b"seed"
        );
        assert!(vault(1, 2).open("otp", &[b"user"], &sealed).is_err());
        assert!(vault(1, 1).open("otp", &[b"other"], &sealed).is_err());
        assert!(vault(1, 1).open("else", &[b"user"], &sealed).is_err());
        assert!(vault(1, 1).open("otp", &[b"user"], "AAAA").is_err());
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let first = vault(1, 1).seal("otp", &[], b"seed").unwrap();
        let second = vault(1, 1).seal("otp", &[], b"seed").unwrap();

        assert_ne!(first, second);
    }

    #[test]
    fn the_check_of_a_secret_changes_with_it_and_with_no_other() {
        let [pepper, data_key] = vault(1, 2).checks();

        assert_eq!(vault(1, 2).checks(), [pepper, data_key]);
        assert_ne!(vault(3, 2).checks()[0], pepper);
        assert_eq!(vault(3, 2).checks()[1], data_key);
        assert_eq!(vault(1, 3).checks()[0], pepper);
        assert_ne!(vault(1, 3).checks()[1], data_key);
    }

    #[test]
    fn random_text_has_its_length_and_only_letters_of_the_alphabet() {
        let text = random_text(b"abc", 1_000).unwrap();

        assert_eq!(text.len(), 1_000);
        assert!(text.bytes().all(|byte| b"abc".contains(&byte)));
        assert!(b"abc".iter().all(|letter| text.bytes().any(|byte| byte == *letter)));
    }

    #[test]
    fn a_vault_does_not_print_its_keys() {
        assert_eq!(format!("{:?}", vault(1, 1)), "Vault(keys not shown)");
    }
}
