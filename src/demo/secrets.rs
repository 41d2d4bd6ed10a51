use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret as _, SecretBox};
use serde::{Deserialize, Serialize};

use super::folder::{self, Folder};
use super::manifest::World;
use crate::access::random_bytes;
use crate::asset::Settlement;
use crate::chain::account_of;
use crate::config;
use crate::error::Error;
use crate::start::Failure;
use crate::types::{Address, Hash32, RequestId};

/// What only a demo keeps in clear, in `DIR/secrets.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Secrets {
    /// Tells this demo from every other one.
    pub demo: String,
    pepper: String,
    data_key: String,
    /// Of the account that sends on the demo's chain; none for a demo that settles in its book.
    #[serde(default)]
    signer_key: Option<String>,
    /// The key of every wallet of the demo, for who wants to sign with one.
    private_keys: BTreeMap<Address, String>,
    /// None until the world is whole.
    pub world: Option<World>,
}

impl Secrets {
    pub(super) fn generate(settlement: Settlement) -> Result<Self, Error> {
        let signer_key = match settlement {
            Settlement::Book => None,
            Settlement::Evm => Some(HEXLOWER.encode(&new_key()?.0)),
        };
        Ok(Self {
            demo: RequestId::generate().to_string(),
            pepper: HEXLOWER.encode(&random_bytes::<32>()?),
            data_key: HEXLOWER.encode(&random_bytes::<32>()?),
            signer_key,
            private_keys: BTreeMap::new(),
            world: None,
        })
    }

    /// None when the folder has none yet. Fails when the file is not one of ours.
    pub(super) fn load(folder: &Folder) -> Result<Option<Self>, Failure> {
        let file = folder.secrets();
        let unreadable =
            |why: String| Failure::usage(format!("cannot read {}: {why}; --reset begins anew", file.display()));
        match std::fs::read(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error.to_string())),
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| unreadable(error.to_string())),
        }
    }

    pub(super) fn save(&self, folder: &Folder) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(Error::internal)?;
        folder::write(&folder.secrets(), &text)
    }

    /// The keys of the server that serves the demo.
    pub(super) fn keys(&self) -> Result<config::Secrets, Failure> {
        Ok(config::Secrets {
            pepper: key(&self.pepper)?,
            data_key: key(&self.data_key)?,
        })
    }

    pub(super) fn settlement(&self) -> Settlement {
        match self.signer_key {
            None => Settlement::Book,
            Some(_) => Settlement::Evm,
        }
    }

    /// Only where units settle on a chain.
    pub(super) fn signer_key(&self) -> Result<SecretBox<[u8; 32]>, Failure> {
        key(self.signer_key.as_deref().unwrap_or_default())
    }

    pub(super) fn signer(&self) -> Result<Address, Failure> {
        let signer = account_of(self.signer_key()?.expose_secret());
        signer.ok_or_else(not_a_key)
    }

    /// A new wallet whose key is kept.
    pub(super) fn new_wallet(&mut self) -> Result<Address, Error> {
        let (private_key, wallet) = new_key()?;
        let text = Hash32::from_bytes(private_key).to_string();
        self.private_keys.insert(wallet, text);
        Ok(wallet)
    }

    /// Of a wallet of the demo, 64 digits behind `0x`.
    pub(super) fn private_key(&self, wallet: &Address) -> Option<&str> {
        self.private_keys.get(wallet).map(String::as_str)
    }

    pub(super) fn new_wallets(&mut self, count: usize) -> Result<Vec<Address>, Error> {
        (0..count).map(|_| self.new_wallet()).collect()
    }
}

/// A private key and the account that it controls.
fn new_key() -> Result<([u8; 32], Address), Error> {
    loop {
        let key = random_bytes::<32>()?;
        // All but one in 2^127 are keys.
        if let Some(account) = account_of(&key) {
            return Ok((key, account));
        }
    }
}

fn key(text: &str) -> Result<SecretBox<[u8; 32]>, Failure> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    Ok(SecretBox::new(Box::new(bytes.ok_or_else(not_a_key)?)))
}

fn not_a_key() -> Failure {
    Failure::usage("secrets.json has a key that is none; --reset begins anew")
}
