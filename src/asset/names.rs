use std::fmt;

use crate::types::Dnum;

/// Why a field of an asset is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("must have {min} to {max} characters")]
    Length { min: usize, max: usize },
    #[error("must have no control characters and no space at its ends")]
    Name,
    #[error("may have capital letters and digits (A-Z, 0-9) only")]
    Symbol,
    #[error("may have capital letters, digits and underscores (A-Z, 0-9, _) only")]
    Token,
    #[error("must be a whole number between 0 and {max}")]
    Range { max: u64 },
    #[error("must be one of: {}", known.join(", "))]
    Unknown { known: &'static [&'static str] },
}

/// What people call the asset: 1 to 50 characters (dalp.md 1.5; an empty name helps nobody).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AssetName(String);

impl AssetName {
    pub const LENGTH_MIN: usize = 1;
    pub const LENGTH_MAX: usize = 50;

    pub fn parse(text: &str) -> Result<Self, ParseError> {
        length(text, Self::LENGTH_MIN, Self::LENGTH_MAX)?;
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(ParseError::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A ticker: 1 to 12 capital letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symbol(String);

impl Symbol {
    pub const LENGTH_MIN: usize = 1;
    pub const LENGTH_MAX: usize = 12;

    pub fn parse(text: &str) -> Result<Self, ParseError> {
        length(text, Self::LENGTH_MIN, Self::LENGTH_MAX)?;
        if text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError::Symbol)
        }
    }
}

/// A class or category of the reference's many lists, such as `VOTING_COMMON_STOCK`. Pairs are not checked against each
/// other, as there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    pub const LENGTH_MIN: usize = 1;
    pub const LENGTH_MAX: usize = 64;

    pub fn parse(text: &str) -> Result<Self, ParseError> {
        length(text, Self::LENGTH_MIN, Self::LENGTH_MAX)?;
        if text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError::Token)
        }
    }
}

macro_rules! text_of {
    ($($name:ident),+) => { $(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+ };
}

text_of!(AssetName, Symbol, Token);

/// How many digits of an amount stand behind the decimal point: 0 to 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Decimals(u8);

impl Decimals {
    pub const MAX: u8 = Dnum::DECIMALS_MAX;

    pub fn parse(number: u64) -> Result<Self, ParseError> {
        match u8::try_from(number) {
            Ok(decimals) if decimals <= Self::MAX => Ok(Self(decimals)),
            Ok(_) | Err(_) => Err(ParseError::Range {
                max: u64::from(Self::MAX),
            }),
        }
    }

    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Decimals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// One hundred percent.
    pub const WHOLE: u64 = 10_000;
    /// A management fee takes at most everything.
    pub const FEE_MAX: u16 = 10_000;

    /// What `max` is depends on what is measured; it is included.
    pub fn parse(number: u64, max: u16) -> Result<Self, ParseError> {
        match u16::try_from(number) {
            Ok(points) if points <= max => Ok(Self(points)),
            Ok(_) | Err(_) => Err(ParseError::Range { max: u64::from(max) }),
        }
    }

    pub const fn get(self) -> u16 {
        self.0
    }
}

fn length(text: &str, min: usize, max: usize) -> Result<(), ParseError> {
    if (min..=max).contains(&text.chars().count()) {
        Ok(())
    } else {
        Err(ParseError::Length { min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_to_fifty_characters() {
        assert!(AssetName::parse("").is_err());
        assert!(AssetName::parse("A").is_ok());
        assert!(AssetName::parse(&"é".repeat(50)).is_ok());
        assert!(AssetName::parse(&"é".repeat(51)).is_err());
        assert_eq!(AssetName::parse(" A"), Err(ParseError::Name));
        assert_eq!(AssetName::parse("A\nB"), Err(ParseError::Name));
    }

    #[test]
    fn a_symbol_has_one_to_twelve_capitals_and_digits() {
        assert!(Symbol::parse("").is_err());
        assert!(Symbol::parse("A").is_ok());
        assert!(Symbol::parse(&"9".repeat(12)).is_ok());
        assert!(Symbol::parse(&"9".repeat(13)).is_err());
        assert_eq!(Symbol::parse("acme"), Err(ParseError::Symbol));
        assert_eq!(Symbol::parse("AC-ME"), Err(ParseError::Symbol));
    }

    #[test]
    fn a_token_has_one_to_sixty_four_capitals_digits_and_underscores() {
        assert!(Token::parse("").is_err());
        assert!(Token::parse(&"A".repeat(64)).is_ok());
        assert!(Token::parse(&"A".repeat(65)).is_err());
        assert!(Token::parse("VOTING_COMMON_STOCK").is_ok());
        assert_eq!(Token::parse("voting"), Err(ParseError::Token));
    }

    #[test]
    fn numbers_end_at_their_bounds() {
        assert!(Decimals::parse(0).is_ok());
        assert!(Decimals::parse(18).is_ok());
        assert_eq!(Decimals::parse(19), Err(ParseError::Range { max: 18 }));
        assert!(BasisPoints::parse(20_000, 20_000).is_ok());
        assert_eq!(
            BasisPoints::parse(20_001, 20_000),
            Err(ParseError::Range { max: 20_000 })
        );
        assert!(BasisPoints::parse(u64::MAX, 20_000).is_err());
    }
}
