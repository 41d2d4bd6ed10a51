use ethers_core::abi::{Token, encode};
use ethers_core::types::{H160, H256, RecoveryMessage, Signature, U256};

use crate::types::{Address, Amount, Hash32, keccak256, personal_message_hash};

/// A 65-byte `r ‖ s ‖ v`. As ONCHAINID's `getRecoveredAddress` has it, `v` is 0, 1, 27 or 28 and `s` may be high.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimSignature([u8; 65]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("must be 0x and 130 hex digits (r, s and v)")]
    Form,
    #[error("ends with a v that is none of 0, 1, 27 and 28")]
    RecoveryId,
    #[error("is not a signature on secp256k1")]
    Curve,
}

impl ClaimSignature {
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let digits = text.strip_prefix("0x").ok_or(SignatureError::Form)?;
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(digits.as_bytes())
            .map_err(|_| SignatureError::Form)?;
        let bytes = <[u8; 65]>::try_from(bytes).map_err(|_| SignatureError::Form)?;
        let [.., v] = bytes;
        match v {
            0 | 1 | 27 | 28 => Ok(Self(bytes)),
            _ => Err(SignatureError::RecoveryId),
        }
    }

    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }

    fn to_ethers(&self) -> Signature {
        let (r, rest) = self.0.split_at(32);
        let (s, v) = rest.split_at(32);
        Signature {
            r: U256::from_big_endian(r),
            s: U256::from_big_endian(s),
            v: v.first().copied().map_or(0, u64::from),
        }
    }
}

/// ERC-734's name for the key of an account: keccak256(abi.encode(address)).
pub fn key_hash(account: &Address) -> Hash32 {
    keccak256(&encode(&[Token::Address(H160(*account.as_bytes()))]))
}

/// Who signed a claim: recovered from the EIP-191 personal message over keccak256(abi.encode(identity, topic, data))
/// (ONCHAINID `Identity.sol`, `isClaimValid`). Any well-formed signature gives *some* signer; whether its key belongs to
/// the issuer is the caller's question.
pub fn claim_signer(
    identity: &Address,
    topic: Amount,
    data: &[u8],
    signature: &ClaimSignature,
) -> Result<Address, SignatureError> {
    let digest = H256(*signed_digest(identity, topic, data).as_bytes());
    let signer = signature
        .to_ethers()
        .recover(RecoveryMessage::Hash(digest))
        .map_err(|_| SignatureError::Curve)?;
    Ok(Address::from_bytes(signer.0))
}

fn signed_digest(identity: &Address, topic: Amount, data: &[u8]) -> Hash32 {
    let message = encode(&[
        Token::Address(H160(*identity.as_bytes())),
        Token::Uint(U256::from_big_endian(&topic.to_be_bytes())),
        Token::Bytes(data.to_vec()),
    ]);
    personal_message_hash(keccak256(&message).as_bytes())
}

/// An issuer's side, for tests: what a wallet does that signs claims.
#[cfg(test)]
pub mod testing {
    use ethers_core::k256::ecdsa::SigningKey;
    use ethers_core::utils::secret_key_to_address;

    use super::*;

    pub struct ClaimSigner(SigningKey);

    impl ClaimSigner {
        pub fn from_seed(seed: u8) -> Self {
            Self(SigningKey::from_slice(&[seed; 32]).unwrap())
        }

        pub fn address(&self) -> Address {
            Address::from_bytes(secret_key_to_address(&self.0).0)
        }

        pub fn sign(&self, identity: &Address, topic: Amount, data: &[u8]) -> ClaimSignature {
            let digest = signed_digest(identity, topic, data);
            let (signature, recovery) = self.0.sign_prehash_recoverable(digest.as_bytes()).unwrap();
            let mut bytes = [0; 65];
            bytes[..64].copy_from_slice(&signature.to_bytes());
            bytes[64] = recovery.to_byte() + 27;
            ClaimSignature(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::ClaimSigner;
    use super::*;
    use crate::types::TopicName;

    const IDENTITY: Address = Address::from_bytes([7; 20]);

    fn topic(name: &str) -> Amount {
        TopicName::parse(name).unwrap().number()
    }

    fn with_last_byte(signature: &ClaimSignature, v: u8) -> String {
        let mut bytes = *signature.as_bytes();
        bytes[64] = v;
        format!("0x{}", data_encoding::HEXLOWER.encode(&bytes))
    }

    /// The key of the account 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf (private key 1), computed by hand.
    #[test]
    fn a_key_is_the_hash_of_the_padded_address() {
        let account = Address::parse("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf").unwrap();
        let mut padded = [0; 32];
        padded[12..].copy_from_slice(account.as_bytes());

        assert_eq!(key_hash(&account), keccak256(&padded));
    }

    #[test]
    fn the_signer_of_a_claim_is_recovered_with_either_form_of_v() {
        let signer = ClaimSigner::from_seed(1);
        let number = topic("knowYourCustomer");
        let signature = signer.sign(&IDENTITY, number, b"data");
        let v = signature.as_bytes()[64];

        for form in [v, v - 27] {
            let signature = ClaimSignature::parse(&with_last_byte(&signature, form)).unwrap();
            let recovered = claim_signer(&IDENTITY, number, b"data", &signature);
            assert_eq!(recovered, Ok(signer.address()));
        }
    }

    /// The order of secp256k1 minus `s`, with the other `v`: valid on ONCHAINID, which does not ask for a low `s`.
    #[test]
    fn a_high_s_gives_the_same_signer() {
        let signer = ClaimSigner::from_seed(1);
        let signature = signer.sign(&IDENTITY, topic("isin"), b"data");
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let order = U256::from_str_radix(order, 16).unwrap();
        let mut bytes = *signature.as_bytes();
        (order - U256::from_big_endian(&bytes[32..64])).to_big_endian(&mut bytes[32..64]);
        bytes[64] ^= 27 ^ 28;

        let recovered = claim_signer(&IDENTITY, topic("isin"), b"data", &ClaimSignature(bytes));

        assert_eq!(recovered, Ok(signer.address()));
    }

    #[test]
    fn a_change_of_identity_topic_or_data_gives_another_signer() {
        let signer = ClaimSigner::from_seed(1);
        let signature = signer.sign(&IDENTITY, topic("isin"), b"data");
        let recover = |identity: &Address, topic: Amount, data: &[u8]| claim_signer(identity, topic, data, &signature);

        let honest = Ok(signer.address());
        assert_eq!(recover(&IDENTITY, topic("isin"), b"data"), honest);
        assert_ne!(recover(&Address::from_bytes([8; 20]), topic("isin"), b"data"), honest);
        assert_ne!(recover(&IDENTITY, topic("basePrice"), b"data"), honest);
        assert_ne!(recover(&IDENTITY, topic("isin"), b"dat4"), honest);
    }

    #[test]
    fn a_malformed_signature_is_refused() {
        let signature = ClaimSigner::from_seed(1).sign(&IDENTITY, topic("isin"), b"");
        let good = with_last_byte(&signature, 28);

        assert!(ClaimSignature::parse(&good).is_ok());
        assert_eq!(
            ClaimSignature::parse(good.trim_start_matches("0x")).err(),
            Some(SignatureError::Form)
        );
        assert_eq!(
            ClaimSignature::parse(good.trim_end_matches("1c")).err(),
            Some(SignatureError::Form)
        );
        for v in [2, 26, 29, 255] {
            let text = with_last_byte(&signature, v);
            assert_eq!(ClaimSignature::parse(&text).err(), Some(SignatureError::RecoveryId));
        }
        let zero = ClaimSignature::parse(&format!("0x{}", "00".repeat(65))).unwrap();
        assert_eq!(
            claim_signer(&IDENTITY, topic("isin"), b"", &zero),
            Err(SignatureError::Curve)
        );
    }
}
