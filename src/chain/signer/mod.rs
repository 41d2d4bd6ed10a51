//! Who signs our transactions. A *local* key is in this process: from an encrypted file (Web3 Secret Storage), or raw for
//! development. A *remote* signer keeps the key to itself; what it returns is taken only when it is exactly what was asked
//! for and is signed by the account that the settings name.

mod keystore;
mod local;
mod remote;

use secrecy::ExposeSecret;

pub use keystore::{create_keystore, keystore_key};
use local::Local;
use remote::Remote;

use super::failure::Failure;
use super::model::{Signed, Transaction};
use crate::config::KeySource;
use crate::types::Address;

/// Prints as its address only.
pub enum Signer {
    Local(Local),
    Remote(Remote),
}

impl Signer {
    /// Reads the key. A keystore takes up to some seconds of one core; that happens on a blocking thread. Errors:
    /// `Failure::Signer` when the file, its password or the key is not usable.
    pub async fn open(source: &KeySource) -> Result<Self, Failure> {
        match source {
            KeySource::Key(key) => Local::from_key(key.expose_secret()).map(Self::Local),
            KeySource::Keystore { path, password } => keystore::open(path, password).await.map(Self::Local),
            KeySource::Remote { url, address } => Remote::new(url.clone(), *address).map(Self::Remote),
        }
    }

    pub fn address(&self) -> Address {
        match self {
            Self::Local(local) => local.address(),
            Self::Remote(remote) => remote.address(),
        }
    }

    /// The signed bytes and their hash. Nothing is sent.
    pub async fn sign(&self, transaction: &Transaction) -> Result<Signed, Failure> {
        match self {
            Self::Local(local) => local.sign(transaction),
            Self::Remote(remote) => remote.sign(transaction).await,
        }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.address())
    }
}
