use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use secrecy::{ExposeSecret as _, SecretString};

use crate::access::{Vault, random_bytes};
use crate::error::Error;
use crate::types::{Hash32, UserId};

/// OWASP's minimum for Argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane; about 25 ms. More would buy
/// little for six digits: what protects a PIN is the pepper outside the database, and the lock.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// RFC 9106 section 3.1.
const SALT_BYTES: usize = 16;

/// A PIN about to be set: exactly six digits.
#[derive(Clone)]
pub struct Pin(SecretString);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be exactly 6 digits")]
pub struct PinError;

impl Pin {
    pub const LENGTH: usize = 6;

    pub fn parse(text: &str) -> Result<Self, PinError> {
        if text.len() == Self::LENGTH && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(SecretString::from(text)))
        } else {
            Err(PinError)
        }
    }
}

/// An Argon2id string in PHC form, over the peppered PIN of one user.
#[derive(Clone)]
pub struct PinHash {
    pub(super) user: UserId,
    pub(super) text: String,
}

/// The pepper makes a stolen table useless without the key outside it; the user makes equal PINs different.
pub(super) fn pepper(vault: &Vault, user: UserId, pin: &SecretString) -> Hash32 {
    vault.mac(
        "wallet.pin",
        &[user.as_uuid().as_bytes(), pin.expose_secret().as_bytes()],
    )
}

/// Takes its 25 ms: runs on the hashing pool.
pub(super) fn hash(vault: &Vault, user: UserId, pin: &Pin) -> Result<PinHash, Error> {
    let salt: [u8; SALT_BYTES] = random_bytes()?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    let text = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(pepper(vault, user, &pin.0).as_bytes(), &salt)
        .map_err(Error::internal)?
        .to_string();
    Ok(PinHash { user, text })
}

/// Takes its 25 ms: runs on the hashing pool. The parameters are those of the stored string.
pub(super) fn is_right(stored: &str, peppered: &Hash32) -> Result<bool, Error> {
    let stored = PasswordHash::new(stored).map_err(Error::internal)?;
    Ok(Argon2::default().verify_password(peppered.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    fn vault(pepper: u8) -> Vault {
        Vault::new(
            &SecretBox::new(Box::new([pepper; 32])),
            &SecretBox::new(Box::new([0; 32])),
        )
    }

    #[test]
    fn a_pin_is_exactly_six_digits() {
        assert!(Pin::parse("000000").is_ok());
        for wrong in ["", "12345", "1234567", "12345a", " 12345", "１２３４５６"] {
            assert!(Pin::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hash_fits_its_pin_its_user_and_its_pepper_only() {
        let (user, other) = (UserId::generate(), UserId::generate());
        let hash = hash(&vault(1), user, &Pin::parse("123456").unwrap()).unwrap();
        let fits = |pepper_byte, user, pin: &str| {
            is_right(&hash.text, &pepper(&vault(pepper_byte), user, &SecretString::from(pin))).unwrap()
        };

        assert!(hash.text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(fits(1, user, "123456"));
        assert!(!fits(1, user, "123457"));
        assert!(!fits(1, other, "123456"));
        assert!(!fits(2, user, "123456"));
    }

    #[test]
    fn the_same_pin_is_stored_differently_each_time() {
        let user = UserId::generate();
        let pin = Pin::parse("123456").unwrap();

        assert_ne!(
            hash(&vault(1), user, &pin).unwrap().text,
            hash(&vault(1), user, &pin).unwrap().text
        );
    }
}
