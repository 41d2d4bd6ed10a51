use std::fmt;

/// An ISO 4217 alphabetic currency code: three capital letters. Which codes exist is not checked: the list changes,
/// and a price only names its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be three capital letters (ISO 4217)")]
pub struct CurrencyError;

impl Currency {
    pub fn parse(text: &str) -> Result<Self, CurrencyError> {
        let bytes = <[u8; 3]>::try_from(text.as_bytes()).map_err(|_| CurrencyError)?;
        if bytes.iter().all(u8::is_ascii_uppercase) {
            Ok(Self(bytes))
        } else {
            Err(CurrencyError)
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_capital_letters_and_nothing_else() {
        assert_eq!(Currency::parse("USD").unwrap().to_string(), "USD");
        for text in ["usd", "US", "USDT", "U1D", ""] {
            assert_eq!(Currency::parse(text), Err(CurrencyError), "{text}");
        }
    }
}
