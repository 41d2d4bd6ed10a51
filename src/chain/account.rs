use ethers_core::k256::ecdsa::SigningKey;
use ethers_core::utils::secret_key_to_address;

use crate::types::Address;

/// The account that a secp256k1 private key controls: the last 20 bytes of keccak256 of the public key (Yellow Paper,
/// appendix F). None for what is no key: zero, and the order of the curve and above.
pub fn account_of(private_key: &[u8; 32]) -> Option<Address> {
    let key = SigningKey::from_slice(private_key).ok()?;
    Some(Address::from_bytes(secret_key_to_address(&key).0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_the_smallest_key_is_the_known_one() {
        let mut key = [0; 32];
        key[31] = 1;

        let account = account_of(&key).unwrap();

        assert_eq!(account.to_string(), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
    }

    #[test]
    fn zero_and_what_is_beyond_the_curve_are_no_keys() {
        assert_eq!(account_of(&[0; 32]), None);
        assert_eq!(account_of(&[0xff; 32]), None);
    }
}
