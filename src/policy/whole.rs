use std::cmp::Ordering;
use std::fmt;

use crate::types::Amount;

/// A positive amount in whole-token units, as officers write it: `"250_000.50"`. It has no scale of its own; the
/// asset's decimals give it one when a rule is bound to an asset (compliance.md 3.2, trap 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeAmount {
    /// Without leading zeros; empty for zero.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WholeAmountError {
    #[error("must be a text of digits with '_' between them and at most one '.', such as \"250_000.50\"")]
    Form,
    #[error("must be more than zero")]
    Zero,
    #[error("has {digits} fraction digits, the asset has {decimals} decimals")]
    Precision { digits: usize, decimals: u8 },
    #[error("is more than 2^256-1 base units at {decimals} decimals")]
    TooLarge { decimals: u8 },
}

impl WholeAmount {
    pub fn parse(text: &str) -> Result<Self, WholeAmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let whole = digits(whole)?;
        let fraction = digits(fraction)?;
        let amount = Self {
            whole: whole.trim_start_matches('0').to_owned(),
            fraction: fraction.trim_end_matches('0').to_owned(),
        };
        if amount.whole.is_empty() && amount.fraction.is_empty() {
            return Err(WholeAmountError::Zero);
        }
        Ok(amount)
    }

    /// In base units. Refused rather than rounded when `decimals` cannot hold the fraction.
    pub fn scale(&self, decimals: u8) -> Result<Amount, WholeAmountError> {
        let digits = self.fraction.len();
        if digits > usize::from(decimals) {
            return Err(WholeAmountError::Precision { digits, decimals });
        }
        Amount::parse_whole(&self.to_string(), decimals).map_err(|_| WholeAmountError::TooLarge { decimals })
    }
}

/// The digits without their separators; an underscore stands between digits or it is a slip.
fn digits(text: &str) -> Result<String, WholeAmountError> {
    let groups: Vec<&str> = text.split('_').collect();
    let proper = groups
        .iter()
        .all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()));
    if proper {
        Ok(groups.concat())
    } else {
        Err(WholeAmountError::Form)
    }
}

impl fmt::Display for WholeAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.whole.is_empty() { "0" } else { &self.whole })?;
        if self.fraction.is_empty() {
            Ok(())
        } else {
            write!(f, ".{}", self.fraction)
        }
    }
}

impl Ord for WholeAmount {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.whole.len().cmp(&other.whole.len());
        length
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.fraction.cmp(&other.fraction))
    }
}

impl PartialOrd for WholeAmount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_amount_is_scaled_by_the_decimals_of_the_asset() {
        let amount = WholeAmount::parse("250_000.50").unwrap();

        assert_eq!(amount.scale(2), Ok(Amount::from(25_000_050)));
        assert_eq!(amount.scale(1), Ok(Amount::from(2_500_005)));
        assert_eq!(
            amount.scale(0),
            Err(WholeAmountError::Precision { digits: 1, decimals: 0 })
        );
        assert_eq!(amount.to_string(), "250000.5");
    }

    #[test]
    fn text_that_is_not_a_plain_positive_number_is_refused() {
        for text in ["", ".5", "5.", "1__0", "_1", "1_", "-1", "1e5", "1.2.3", "0x10", " 1"] {
            assert_eq!(WholeAmount::parse(text), Err(WholeAmountError::Form), "{text}");
        }
        assert_eq!(WholeAmount::parse("0.00"), Err(WholeAmountError::Zero));
    }

    #[test]
    fn an_amount_that_overflows_at_the_scale_is_refused() {
        let amount = WholeAmount::parse(&"9".repeat(70)).unwrap();

        assert!(amount.scale(0).is_ok());
        assert_eq!(amount.scale(18), Err(WholeAmountError::TooLarge { decimals: 18 }));
    }

    #[test]
    fn whole_amounts_are_ordered_as_numbers() {
        let sorted = ["0.05", "0.5", "0.51", "5", "10", "10.1"].map(|text| WholeAmount::parse(text).unwrap());

        assert!(sorted.is_sorted());
    }
}
