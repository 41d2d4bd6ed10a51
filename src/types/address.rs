use std::fmt;

use ethers_core::types::H160;
use ethers_core::utils::get_create2_address_from_hash;

use super::{Hash32, keccak256};

/// A 20-byte account or contract address.
///
/// Text form: `0x` and 40 hex digits. All-lower and all-upper text is accepted, mixed case must pass the checksum of
/// EIP-55 ("Implementation"); `Display` always prints the checksummed form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address([u8; 20]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("must be 42 characters: 0x and 40 hex digits")]
    Length,
    #[error("must begin with 0x")]
    Prefix,
    #[error("has a character that is not a hex digit")]
    Digit,
    #[error("fails its EIP-55 checksum (mixed case must match exactly)")]
    Checksum,
}

impl Address {
    pub const ZERO: Self = Self([0; 20]);

    /// Stands where a factory contract would: addresses of `Book` assets and identities are computed from it. The last
    /// 20 bytes of keccak256("moneyer book factory"), so that nobody holds a key to it.
    pub const BOOK_FACTORY: Self = Self([
        0xa0, 0x2e, 0x13, 0xe1, 0x20, 0x54, 0xf9, 0x1a, 0x4d, 0x41, 0xaa, 0x26, 0x11, 0x88, 0xdb, 0xd7, 0x0b, 0x22,
        0xa6, 0xdb,
    ]);

    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() != 42 {
            return Err(AddressError::Length);
        }
        let digits = text.strip_prefix("0x").ok_or(AddressError::Prefix)?;
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(digits.as_bytes())
            .map_err(|_| AddressError::Digit)?;
        let address = Self::try_from(bytes.as_slice())?;
        let mixed = digits.bytes().any(|b| b.is_ascii_lowercase()) && digits.bytes().any(|b| b.is_ascii_uppercase());
        if mixed && address.checksummed() != digits.as_bytes() {
            return Err(AddressError::Checksum);
        }
        Ok(address)
    }

    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The address of a contract that `factory` makes with `salt` (EIP-1014): known before anything is deployed, and
    /// another one for any other salt.
    pub fn create2(factory: &Self, salt: &Hash32, init_code_hash: &Hash32) -> Self {
        Self(get_create2_address_from_hash(H160(factory.0), *salt.as_bytes(), *init_code_hash.as_bytes()).0)
    }

    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// The 40 digits of EIP-55: a letter is a capital where the hash of the lower-case text has a digit of 8 or more. A
    /// batch of mints writes hundreds of addresses, so nothing is allocated.
    fn checksummed(&self) -> [u8; 40] {
        let mut digits = [0; 40];
        data_encoding::HEXLOWER.encode_mut(&self.0, &mut digits);
        let hash = keccak256(&digits);
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash.as_bytes()) {
            if let [first, second] = pair {
                if byte & 0x80 != 0 {
                    first.make_ascii_uppercase();
                }
                if byte & 0x08 != 0 {
                    second.make_ascii_uppercase();
                }
            }
        }
        digits
    }

    /// `0x` and 40 lower-case digits: the form that canonical JSON and hashes use.
    pub fn to_lower_hex(&self) -> String {
        format!("0x{}", data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl TryFrom<&[u8]> for Address {
    type Error = AddressError;

    fn try_from(bytes: &[u8]) -> Result<Self, AddressError> {
        <[u8; 20]>::try_from(bytes).map(Self).map_err(|_| AddressError::Length)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.checksummed();
        f.write_str("0x")?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKSUMMED: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

    #[test]
    fn the_three_cases_of_one_address_are_the_same() {
        let lower = Address::parse(&CHECKSUMMED.to_lowercase()).unwrap();
        let upper = Address::parse(&CHECKSUMMED.to_uppercase().replace("0X", "0x")).unwrap();

        assert_eq!(lower, upper);
        assert_eq!(lower.to_string(), CHECKSUMMED);
        assert_eq!(Address::parse(CHECKSUMMED), Ok(lower));
    }

    #[test]
    fn the_examples_of_eip_55_come_out() {
        for example in [
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0xde709f2102306220921060314715629080e2fb77",
            "0x27b1fdb04752bbc536007a920d24acb045561c26",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            assert_eq!(Address::parse(example).unwrap().to_string(), example);
        }
    }

    #[test]
    fn the_examples_of_eip_1014_come_out() {
        let create2 = |factory: &str, salt: &str, init_code_hash: Hash32| {
            let factory = Address::parse(factory).unwrap();
            Address::create2(&factory, &Hash32::parse(salt).unwrap(), &init_code_hash).to_string()
        };
        let (zero, feed) = ("0".repeat(64), format!("{}feed{}", "0".repeat(24), "0".repeat(36)));

        assert_eq!(
            create2("0x0000000000000000000000000000000000000000", &zero, keccak256(&[0])),
            "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"
        );
        assert_eq!(
            create2("0xdeadbeef00000000000000000000000000000000", &feed, keccak256(&[0])),
            "0xD04116cDd17beBE565EB2422F2497E06cC1C9833"
        );
    }

    #[test]
    fn nobody_chose_the_address_of_the_book_factory() {
        let hash = keccak256(b"moneyer book factory");

        assert_eq!(Address::try_from(&hash.as_bytes()[12..]), Ok(Address::BOOK_FACTORY));
    }

    #[test]
    fn the_seeds_malformed_recipients_are_refused() {
        assert_eq!(
            Address::parse("0x742d35Cc6634C0532925a3b844Bc9e7595f0bEb"),
            Err(AddressError::Length)
        );
        assert_eq!(
            Address::parse("0x8e5F72f6E5b3B4D1234567890AbCdEf1234567890"),
            Err(AddressError::Length)
        );
        assert_eq!(
            Address::parse("0x1234567890AbCdEf1234567890AbCdEf12345678"),
            Err(AddressError::Checksum)
        );
    }

    #[test]
    fn wrong_prefix_and_digits_are_told_apart() {
        assert_eq!(Address::parse(&"1".repeat(42)), Err(AddressError::Prefix));
        assert_eq!(
            Address::parse(&format!("0x{}", "g".repeat(40))),
            Err(AddressError::Digit)
        );
        assert_eq!(
            Address::parse(&format!("0x{}é", "1".repeat(38))),
            Err(AddressError::Digit)
        );
    }
}
