//! Signatures of texts, as wallets make them when somebody signs in (`personal_sign`): EIP-191, version `0x45`. An account
//! with a key is recovered; a contract is asked (ERC-1271).

use ethers_core::abi::{Token, encode};
use ethers_core::types::{H256, RecoveryMessage, Signature, U256};

use super::failure::Failure;
use super::model::Call;
use super::rpc::Rpc;
use crate::types::{Address, personal_message_hash};

/// ERC-1271: the selector of `isValidSignature(bytes32,bytes)`, and what it answers for a good signature.
const IS_VALID_SIGNATURE: [u8; 4] = [0x16, 0x26, 0xba, 0x7e];
/// Half the order of secp256k1: a higher `s` is another form of a signature that everybody can make (EIP-2).
const S_MAX: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e,
    0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// The signature of a text: `r ‖ s ‖ v` of an account, or what a contract takes for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalSignature(Vec<u8>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be {} to {} bytes as hex digits",
    PersonalSignature::SIZE_MIN,
    PersonalSignature::SIZE_MAX
)]
pub struct PersonalSignatureError;

impl PersonalSignature {
    pub const SIZE_MIN: usize = 65;
    /// Some sixty owners of a wallet that is a contract.
    pub const SIZE_MAX: usize = 4_096;

    /// Hex digits, with or without `0x`.
    pub fn parse(text: &str) -> Result<Self, PersonalSignatureError> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
        let bytes = bytes.map_err(|_| PersonalSignatureError)?;
        match (Self::SIZE_MIN..=Self::SIZE_MAX).contains(&bytes.len()) {
            true => Ok(Self(bytes)),
            false => Err(PersonalSignatureError),
        }
    }

    /// The account that signed `message`; `v` is 27, 28, 0 or 1 and `s` is low. None for what no account signs so.
    pub fn signer(&self, message: &[u8]) -> Option<Address> {
        let bytes = <[u8; 65]>::try_from(self.0.as_slice()).ok()?;
        let [rs @ .., v] = bytes;
        let (r, s) = rs.split_at_checked(32)?;
        if !matches!(v, 0 | 1 | 27 | 28) || s > S_MAX.as_slice() {
            return None;
        }
        let signature = Signature {
            r: U256::from_big_endian(r),
            s: U256::from_big_endian(s),
            v: v.into(),
        };
        let digest = H256(*personal_message_hash(message).as_bytes());
        let signer = signature.recover(RecoveryMessage::Hash(digest)).ok()?;
        Some(Address::from_bytes(signer.0))
    }

    /// Whether the contract at `wallet` takes this for its signature of `message`; false where there is no contract.
    pub async fn is_taken_by(&self, rpc: &Rpc, wallet: &Address, message: &[u8]) -> Result<bool, Failure> {
        let hash = personal_message_hash(message);
        let arguments = encode(&[
            Token::FixedBytes(hash.as_bytes().to_vec()),
            Token::Bytes(self.0.clone()),
        ]);
        let call = Call {
            from: Address::ZERO,
            to: *wallet,
            data: [IS_VALID_SIGNATURE.as_slice(), &arguments].concat(),
        };
        let answer = rpc.call(&call).await?;
        Ok(answer.is_ok_and(|data| is_magic(&data)))
    }
}

/// A `bytes4` in a word. Whoever has no code answers nothing.
fn is_magic(data: &[u8]) -> bool {
    data.len() == 32 && data.starts_with(&IS_VALID_SIGNATURE) && data.iter().skip(4).all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use ethers_core::k256::ecdsa::SigningKey;
    use ethers_core::utils::secret_key_to_address;

    use super::*;

    const TEXT: &[u8] = b"Sign in";

    fn signed(v: impl Fn(u8) -> u8) -> (Address, [u8; 65]) {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let hash = personal_message_hash(TEXT);
        let (signature, recovery) = key.sign_prehash_recoverable(hash.as_bytes()).unwrap();
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = v(recovery.to_byte());
        (Address::from_bytes(secret_key_to_address(&key).0), bytes)
    }

    fn parsed(bytes: &[u8]) -> PersonalSignature {
        PersonalSignature::parse(&data_encoding::HEXLOWER.encode(bytes)).unwrap()
    }

    #[test]
    fn the_signer_is_recovered_with_either_form_of_v() {
        for plus in [0, 27] {
            let (signer, bytes) = signed(|v| v + plus);

            assert_eq!(parsed(&bytes).signer(TEXT), Some(signer));
            assert_ne!(parsed(&bytes).signer(b"Sign up"), Some(signer));
        }
        for plus in [2, 26, 29] {
            let (_, bytes) = signed(|v| v + plus);
            assert_eq!(
                parsed(&bytes).signer(TEXT).is_some(),
                plus == 26 && bytes[64] == 27,
                "{plus}"
            );
        }
    }

    #[test]
    fn the_other_form_of_a_signature_with_a_high_s_is_refused() {
        let (_, mut bytes) = signed(|v| v + 27);
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let order = U256::from_str_radix(order, 16).unwrap();
        (order - U256::from_big_endian(&bytes[32..64])).to_big_endian(&mut bytes[32..64]);
        bytes[64] ^= 27 ^ 28;

        assert_eq!(parsed(&bytes).signer(TEXT), None);
    }

    #[test]
    fn a_signature_has_65_to_4096_bytes() {
        for (bytes, is_taken) in [(64, false), (65, true), (4_096, true), (4_097, false)] {
            let text = "11".repeat(bytes);
            assert_eq!(PersonalSignature::parse(&text).is_ok(), is_taken, "{bytes}");
            assert_eq!(PersonalSignature::parse(&format!("0x{text}")).is_ok(), is_taken);
        }
        assert!(PersonalSignature::parse(&"zz".repeat(65)).is_err());
        assert_eq!(parsed(&[1; 130]).signer(TEXT), None);
    }

    #[test]
    fn only_the_whole_magic_word_is_a_yes() {
        let mut word = [0; 32];
        assert!(!is_magic(&word));
        word[..4].copy_from_slice(&IS_VALID_SIGNATURE);
        assert!(is_magic(&word));
        assert!(!is_magic(&word[..4]));
        word[31] = 1;
        assert!(!is_magic(&word));
        assert!(!is_magic(&[]));
    }
}
