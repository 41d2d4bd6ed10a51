use secrecy::SecretString;

use crate::access::{Vault, random_text};
use crate::error::Error;
use crate::types::{Hash32, UserId};

/// A set has this many codes, as the reference's.
const SET_SIZE: usize = 16;
/// Five and five characters of 32: 50 bits a code.
const HALF_LENGTH: usize = 5;
/// Capital letters and digits without 0, 1, I and O, which are mistaken for each other.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// A new set of one-time codes; shown once.
pub struct SecretCodes(Vec<SecretString>);

impl SecretCodes {
    pub const SET_SIZE: usize = SET_SIZE;

    pub fn generate() -> Result<Self, Error> {
        let code = |_| {
            let (left, right) = (random_text(ALPHABET, HALF_LENGTH)?, random_text(ALPHABET, HALF_LENGTH)?);
            Ok(SecretString::from(format!("{}-{}", left.as_str(), right.as_str())))
        };
        (0..SET_SIZE).map(code).collect::<Result<_, Error>>().map(Self)
    }

    /// `ABCDE-FGHJK`, sixteen of them.
    pub fn as_slice(&self) -> &[SecretString] {
        &self.0
    }
}

/// What is stored of a code and compared. Hyphens and case do not count: the alphabet has no small letters.
pub(super) fn hash(vault: &Vault, user: UserId, code: &str) -> Hash32 {
    let plain = code.trim().replace('-', "").to_ascii_uppercase();
    let plain = zeroize::Zeroizing::new(plain);
    vault.mac("wallet.secret_code", &[user.as_uuid().as_bytes(), plain.as_bytes()])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::{ExposeSecret as _, SecretBox};

    use super::*;

    #[test]
    fn a_set_has_sixteen_different_codes_of_five_and_five_characters() {
        let set = SecretCodes::generate().unwrap();

        let different: BTreeSet<&str> = set.as_slice().iter().map(|code| code.expose_secret()).collect();
        assert_eq!(different.len(), 16);
        for code in different {
            let (left, right) = code.split_once('-').unwrap();
            assert_eq!((left.len(), right.len()), (5, 5));
            assert!(left.bytes().chain(right.bytes()).all(|byte| ALPHABET.contains(&byte)));
        }
    }

    #[test]
    fn hyphen_and_case_do_not_count_and_everything_else_does() {
        let vault = Vault::new(&SecretBox::new(Box::new([1; 32])), &SecretBox::new(Box::new([2; 32])));
        let user = UserId::generate();
        let hash = |code| super::hash(&vault, user, code);

        assert_eq!(hash("ABCDE-FGHJK"), hash("ABCDEFGHJK"));
        assert_eq!(hash("ABCDE-FGHJK"), hash("abcde-fghjk"));
        assert_ne!(hash("ABCDE-FGHJK"), hash("ABCDE-FGHJL"));
        assert_ne!(
            hash("ABCDE-FGHJK"),
            super::hash(&vault, UserId::generate(), "ABCDE-FGHJK")
        );
    }
}
