use std::fmt;

use ruint::aliases::U256;

/// A number of base units, 0 to 2^256 − 1, as ERC-20 `uint256` has it. Arithmetic is checked: there is no wrap and no
/// panic, only `None`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Amount(U256);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("must not be empty")]
    Empty,
    #[error("must be a string of digits: no sign, fraction, exponent or space")]
    Digits,
    #[error("must be at most 2^256-1")]
    TooLarge,
}

impl Amount {
    pub const ZERO: Self = Self(U256::ZERO);
    pub const ONE: Self = Self(U256::ONE);
    pub const MAX: Self = Self(U256::MAX);

    /// The number of decimal digits of 2^256 − 1; longer text is refused before it is read.
    pub const DIGITS_MAX: usize = 78;

    pub fn parse(text: &str) -> Result<Self, AmountError> {
        if text.is_empty() {
            return Err(AmountError::Empty);
        }
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::Digits);
        }
        if text.len() > Self::DIGITS_MAX {
            return Err(AmountError::TooLarge);
        }
        U256::from_str_radix(text, 10)
            .map(Self)
            .map_err(|_| AmountError::TooLarge)
    }

    /// Whole-token text such as `250_000.50` at a scale of `decimals`; refused when it has more fraction digits.
    pub fn parse_whole(text: &str, decimals: u8) -> Result<Self, AmountError> {
        let plain = text.replace('_', "");
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let fraction_trimmed = fraction.trim_end_matches('0');
        if fraction_trimmed.len() > usize::from(decimals) || (plain.contains('.') && fraction.is_empty()) {
            return Err(AmountError::Digits);
        }
        let padding = "0".repeat(usize::from(decimals).saturating_sub(fraction_trimmed.len()));
        if whole.is_empty() {
            return Err(AmountError::Digits);
        }
        Self::parse(&format!("{whole}{fraction_trimmed}{padding}"))
    }

    /// A number of wei, say. No `From`: with a second one every `Amount::from(1)` would have to name its type.
    pub fn from_u128(value: u128) -> Self {
        Self(U256::from(value))
    }

    /// Of fees, which nodes and we count in 128 bits.
    pub fn of_wei(wei: u128) -> Self {
        Self(U256::from(wei))
    }

    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// `self × numerator ÷ denominator`, rounded up; the product is computed in 512 bits, so only the result can
    /// overflow. `None` when it does or when the denominator is zero.
    pub fn mul_div_ceil(self, numerator: u64, denominator: u64) -> Option<Self> {
        use ruint::aliases::U512;
        if denominator == 0 {
            return None;
        }
        let product = U512::from(self.0) * U512::from(numerator);
        let quotient = product.div_ceil(U512::from(denominator));
        (quotient <= U512::from(U256::MAX)).then(|| Self(quotient.wrapping_to::<U256>()))
    }

    /// `self × price ÷ 10^decimals`, rounded down: what this many base units cost when `price` is that of one whole unit.
    /// The product is computed in 512 bits; `None` when the result is more than 2^256 − 1.
    pub fn priced(self, price: Self, decimals: u8) -> Option<Self> {
        use ruint::aliases::U512;
        let whole = U512::from(10).checked_pow(U512::from(decimals))?;
        let cost = (U512::from(self.0) * U512::from(price.0)).checked_div(whole)?;
        (cost <= U512::from(U256::MAX)).then(|| Self(cost.wrapping_to::<U256>()))
    }

    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Seventy-eight digits with leading zeros: ordered as text the way the numbers are ordered.
    pub fn to_padded(self) -> String {
        format!("{:0>width$}", self.0, width = Self::DIGITS_MAX)
    }

    /// Big-endian 32 bytes, as the ABI has them.
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    pub fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }

    /// Base-10000 digits, most significant first, without leading or trailing zero groups, and the weight of the first
    /// group: the binary form of PostgreSQL's `numeric`.
    pub fn to_base_10000(self) -> (Vec<i16>, i16) {
        let mut groups: Vec<i16> = self
            .0
            .to_base_be(10_000)
            .map(|digit| i16::try_from(digit).unwrap_or(0))
            .collect();
        let weight = i16::try_from(groups.len()).unwrap_or(i16::MAX).saturating_sub(1).max(0);
        while groups.last() == Some(&0) {
            groups.pop();
        }
        (groups, weight)
    }

    /// The reverse of [`Self::to_base_10000`]: `groups` padded on the right with zero groups up to `weight`.
    pub fn from_base_10000(groups: &[i16], weight: i16) -> Option<Self> {
        let length = usize::try_from(weight).ok()?.checked_add(1)?;
        if groups.len() > length {
            return None;
        }
        let padded = groups
            .iter()
            .map(|group| u64::try_from(*group).unwrap_or(u64::MAX))
            .chain(std::iter::repeat(0))
            .take(length);
        U256::from_base_be(10_000, padded).ok().map(Self)
    }
}

impl From<u64> for Amount {
    fn from(value: u64) -> Self {
        Self(U256::from(value))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX_TEXT: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    const MAX_PLUS_ONE: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639936";

    #[test]
    fn the_largest_amount_is_in_and_the_next_is_out() {
        assert_eq!(Amount::parse(MAX_TEXT), Ok(Amount::MAX));
        assert_eq!(Amount::parse(MAX_PLUS_ONE), Err(AmountError::TooLarge));
        assert_eq!(Amount::MAX.checked_add(Amount::ONE), None);
        assert_eq!(Amount::ZERO.checked_sub(Amount::ONE), None);
    }

    #[test]
    fn anything_but_digits_is_refused() {
        for text in ["-1", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "١"] {
            assert_eq!(Amount::parse(text), Err(AmountError::Digits), "{text}");
        }
        assert_eq!(Amount::parse(""), Err(AmountError::Empty));
    }

    #[test]
    fn whole_token_text_is_scaled_by_the_decimals_of_the_asset() {
        assert_eq!(Amount::parse_whole("250_000.50", 2), Ok(Amount::from(25_000_050)));
        assert_eq!(Amount::parse_whole("1.500", 1), Ok(Amount::from(15)));
        assert_eq!(Amount::parse_whole("1.55", 1), Err(AmountError::Digits));
        assert_eq!(Amount::parse_whole("7", 0), Ok(Amount::from(7)));
        assert_eq!(Amount::parse_whole("7.", 0), Err(AmountError::Digits));
        assert_eq!(Amount::parse_whole(".5", 1), Err(AmountError::Digits));
    }

    #[test]
    fn a_ratio_is_rounded_up_and_does_not_overflow_on_the_way() {
        assert_eq!(Amount::from(10_001).mul_div_ceil(1, 10_000), Some(Amount::from(2)));
        assert_eq!(Amount::from(10_000).mul_div_ceil(1, 10_000), Some(Amount::from(1)));
        assert_eq!(Amount::MAX.mul_div_ceil(10_000, 10_000), Some(Amount::MAX));
        assert_eq!(Amount::MAX.mul_div_ceil(10_001, 10_000), None);
    }

    #[test]
    fn a_price_is_that_of_a_whole_unit_and_the_cost_is_rounded_down() {
        let price = Amount::from(10_050);

        assert_eq!(Amount::from(3_000_000).priced(price, 6), Some(Amount::from(30_150)));
        assert_eq!(Amount::from(2_999_999).priced(price, 6), Some(Amount::from(30_149)));
        assert_eq!(Amount::from(5).priced(price, 0), Some(Amount::from(50_250)));
        assert_eq!(Amount::MAX.priced(Amount::from(1_000_000), 6), Some(Amount::MAX));
        assert_eq!(Amount::MAX.priced(Amount::from(1_000_001), 6), None);
    }

    proptest! {
        #[test]
        fn every_form_of_an_amount_reads_back(bytes in any::<[u8; 32]>()) {
            let amount = Amount::from_be_bytes(bytes);
            let (groups, weight) = amount.to_base_10000();

            prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
            prop_assert_eq!(Amount::parse(&amount.to_padded()), Ok(amount));
            prop_assert_eq!(Amount::from_base_10000(&groups, weight), Some(amount));
        }

        #[test]
        fn padded_text_sorts_as_the_numbers_do(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            let (a, b) = (Amount::from_be_bytes(a), Amount::from_be_bytes(b));

            prop_assert_eq!(a.cmp(&b), a.to_padded().cmp(&b.to_padded()));
        }
    }
}
