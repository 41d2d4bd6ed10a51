use std::fmt;

use super::{Amount, AmountError};

/// The id of a token in an NFT collection: any `uint256`, decimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(Amount);

impl TokenId {
    /// Where the hybrid ERC-721 presets begin with the ids that they give by quantity; minting by id ends below (2^128,
    /// Immutable `mintBatchByQuantityThreshold()`).
    pub const BY_QUANTITY_FIRST: [u8; 32] = {
        let mut bytes = [0; 32];
        let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, bit, ..] = &mut bytes;
        *bit = 1;
        bytes
    };

    pub fn parse(text: &str) -> Result<Self, AmountError> {
        Amount::parse(text).map(Self)
    }

    pub const fn as_amount(&self) -> &Amount {
        &self.0
    }

    pub const fn amount(self) -> Amount {
        self.0
    }

    /// Whether a hybrid contract keeps this id for what is minted by quantity.
    pub fn is_given_by_quantity(self) -> bool {
        self.0.to_be_bytes() >= Self::BY_QUANTITY_FIRST
    }
}

impl From<Amount> for TokenId {
    fn from(amount: Amount) -> Self {
        Self(amount)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl serde::Serialize for TokenId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_by_quantity_begin_at_2_to_the_128() {
        let last = TokenId::parse("340282366920938463463374607431768211455").unwrap();
        let first = TokenId::parse("340282366920938463463374607431768211456").unwrap();
        let next = TokenId::parse("340282366920938463463374607431768211457").unwrap();

        assert!(!last.is_given_by_quantity());
        assert!(first.is_given_by_quantity());
        assert!(next.is_given_by_quantity());
        assert!(TokenId::from(Amount::MAX).is_given_by_quantity());
    }
}
