use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Email;
use crate::chain::{Signer, account_of, keystore_key};
use crate::config::{self, KeySource, SeedSource};
use crate::error::Error;
use crate::types::Address;

/// The block of SHA-256: HMAC pads a shorter key with zeros to this length (RFC 2104 section 2).
const HMAC_BLOCK_BYTES: usize = 64;
const DOMAIN: &[u8] = b"moneyer.custody.wallet.1";
/// One is enough with all but certainty; without a bound it would be a loop.
const TRIES: u32 = 8;

/// The seed of all custodial wallets, in memory. Never prints.
pub struct Custody {
    seed: SecretBox<[u8; HMAC_BLOCK_BYTES]>,
}

/// An account of ours that holds tokens for somebody else.
pub struct CustodialWallet {
    address: Address,
    key: Zeroizing<[u8; 32]>,
}

impl Custody {
    /// Errors: `Conflict` when the keystore does not open, or is not the one that somebody made a backup of.
    pub fn open(settings: &config::Custody) -> Result<Self, Error> {
        let seed = match &settings.seed {
            SeedSource::Raw(seed) => Zeroizing::new(*seed.expose_secret()),
            SeedSource::Keystore { path, password } => keystore_key(path, password)
                .map_err(|failure| Error::Conflict(format!("certhis.custody_keystore: {failure}")))?,
        };
        if let Some(backup) = settings.backup
            && account_of(&seed) != Some(backup)
        {
            return Err(Error::Conflict(format!(
                "certhis.custody_backup names {backup}, which is not the key of the keystore: the backup is of another seed"
            )));
        }
        Ok(Self::of(&seed))
    }

    fn of(seed: &[u8; 32]) -> Self {
        let mut padded = Box::new([0; HMAC_BLOCK_BYTES]);
        for (to, from) in padded.iter_mut().zip(seed) {
            *to = *from;
        }
        Self {
            seed: SecretBox::new(padded),
        }
    }

    pub fn wallet(&self, email: &Email) -> Result<CustodialWallet, Error> {
        let made = (0..TRIES).find_map(|number| {
            let key = self.key(email, number);
            let address = account_of(&key)?;
            Some(CustodialWallet { address, key })
        });
        made.ok_or_else(|| Error::internal("no key comes out of the custody seed"))
    }

    fn key(&self, email: &Email, number: u32) -> Zeroizing<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new(self.seed.expose_secret().into());
        mac.update(DOMAIN);
        mac.update(&number.to_be_bytes());
        mac.update(email.reveal().as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl CustodialWallet {
    pub fn address(&self) -> Address {
        self.address
    }

    /// What signs for the wallet.
    pub async fn signer(&self) -> Result<Signer, Error> {
        let key = KeySource::Key(SecretBox::new(Box::new(*self.key)));
        Signer::open(&key).await.map_err(Error::internal)
    }
}

impl fmt::Debug for Custody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custody(seed not shown)")
    }
}

impl fmt::Debug for CustodialWallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustodialWallet({})", self.address)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::chain::create_keystore;

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    #[test]
    fn a_wallet_depends_on_the_seed_and_the_address_alone() {
        let of = |seed: u8, text: &str| Custody::of(&[seed; 32]).wallet(&email(text)).unwrap().address();

        assert_eq!(of(1, "ada@example.com"), of(1, "ADA@example.com"));
        assert_ne!(of(1, "ada@example.com"), of(1, "bob@example.com"));
        assert_ne!(of(1, "ada@example.com"), of(2, "ada@example.com"));
    }

    /// Whoever changes the derivation takes everybody's tokens away.
    #[test]
    fn the_derivation_stays_as_it_is() {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[1; 32]).unwrap();
        mac.update(b"moneyer.custody.wallet.1\0\0\0\0ada@example.com");
        let key: [u8; 32] = mac.finalize().into_bytes().into();

        let wallet = Custody::of(&[1; 32]).wallet(&email("ada@example.com")).unwrap();

        assert_eq!(Some(wallet.address()), account_of(&key));
        assert_eq!(*wallet.key, key);
    }

    #[tokio::test]
    async fn a_keystore_opens_with_its_password_and_for_the_backup_that_was_made_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed.json");
        let password = SecretString::from("correct horse".to_owned());
        let address = create_keystore(path.clone(), password.clone()).await.unwrap();
        let settings = |password: &SecretString, backup| config::Custody {
            seed: SeedSource::Keystore {
                path: path.clone(),
                password: password.clone(),
            },
            backup,
        };

        assert!(Custody::open(&settings(&password, Some(address))).is_ok());
        assert!(Custody::open(&settings(&password, None)).is_ok());
        let other = Custody::open(&settings(&password, Some(Address::ZERO))).unwrap_err();
        assert!(other.to_string().contains("another seed"), "{other}");
        let wrong = SecretString::from("another horse".to_owned());
        assert!(Custody::open(&settings(&wrong, None)).is_err());
    }

    #[test]
    fn neither_seed_nor_key_prints() {
        let custody = Custody::of(&[7; 32]);
        let wallet = custody.wallet(&email("ada@example.com")).unwrap();

        assert_eq!(format!("{custody:?}"), "Custody(seed not shown)");
        assert_eq!(format!("{wallet:?}"), format!("CustodialWallet({})", wallet.address()));
    }
}
