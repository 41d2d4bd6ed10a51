//! Somebody with a key who signs texts, as a wallet does for its owner (EIP-191, version `0x45`).

use ethers_core::k256::ecdsa::SigningKey;
use ethers_core::utils::secret_key_to_address;
use moneyer::types::{Address, personal_message_hash};

pub struct Signer(SigningKey);

impl Signer {
    pub fn from_seed(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    /// A private key as `0x` and 64 digits.
    pub fn from_hex(text: &str) -> Self {
        let bytes = data_encoding::HEXLOWER.decode(text.trim_start_matches("0x").as_bytes());
        Self(SigningKey::from_slice(&bytes.unwrap()).unwrap())
    }

    pub fn address(&self) -> Address {
        Address::from_bytes(secret_key_to_address(&self.0).0)
    }

    /// `r ‖ s ‖ v`, with a `v` of 27 or 28.
    pub fn sign(&self, text: &str) -> String {
        let digest = personal_message_hash(text.as_bytes());
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest.as_bytes()).unwrap();
        let digits = data_encoding::HEXLOWER.encode(&signature.to_bytes());
        format!("0x{digits}{:02x}", recovery.to_byte() + 27)
    }
}
