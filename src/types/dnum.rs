use std::fmt;

use super::{Amount, AmountError};

/// A scaled integer with its number of decimals: what the asset API calls a dnum.
///
/// In an answer it is a string that holds compact JSON, `"[\"1000\",18]"`, exactly as the seed "Mint assets" shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dnum {
    pub amount: Amount,
    pub decimals: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnumError {
    #[error("{0}")]
    Amount(#[from] AmountError),
    #[error("decimals must be between 0 and {}", Dnum::DECIMALS_MAX)]
    Decimals,
}

impl Dnum {
    /// The reference's assets have 0 to 18 decimals (dalp.md 1.5).
    pub const DECIMALS_MAX: u8 = 18;

    pub const fn new(amount: Amount, decimals: u8) -> Self {
        Self { amount, decimals }
    }

    pub fn parse(digits: &str, decimals: u64) -> Result<Self, DnumError> {
        let decimals = u8::try_from(decimals).map_err(|_| DnumError::Decimals)?;
        if decimals > Self::DECIMALS_MAX {
            return Err(DnumError::Decimals);
        }
        Ok(Self {
            amount: Amount::parse(digits)?,
            decimals,
        })
    }

    /// Plain decimal text such as `100.50` with its own number of fraction digits as the scale (a price).
    pub fn parse_decimal(text: &str) -> Result<Self, DnumError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || (text.contains('.') && fraction.is_empty()) {
            return Err(DnumError::Amount(AmountError::Digits));
        }
        let decimals = u64::try_from(fraction.len()).map_err(|_| DnumError::Decimals)?;
        Self::parse(&format!("{whole}{fraction}"), decimals)
    }
}

impl fmt::Display for Dnum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[\"{}\",{}]", self.amount, self.decimals)
    }
}

impl serde::Serialize for Dnum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dnum_is_a_string_of_compact_json() {
        let dnum = Dnum::parse("1000000000000000000000", 18).unwrap();

        assert_eq!(
            serde_json::to_string(&dnum).unwrap(),
            r#""[\"1000000000000000000000\",18]""#
        );
    }

    #[test]
    fn decimals_end_at_eighteen() {
        assert!(Dnum::parse("1", 17).is_ok());
        assert!(Dnum::parse("1", 18).is_ok());
        assert_eq!(Dnum::parse("1", 19), Err(DnumError::Decimals));
        assert_eq!(Dnum::parse("1", u64::MAX), Err(DnumError::Decimals));
    }

    #[test]
    fn a_price_keeps_its_own_scale() {
        assert_eq!(Dnum::parse_decimal("100.00").unwrap().to_string(), r#"["10000",2]"#);
        assert_eq!(Dnum::parse_decimal("7").unwrap().to_string(), r#"["7",0]"#);
        for text in ["", ".", "5.", ".5", "1.2.3", "-1", "1e3"] {
            assert!(Dnum::parse_decimal(text).is_err(), "{text}");
        }
    }
}
