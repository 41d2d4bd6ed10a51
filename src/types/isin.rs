use std::fmt;

/// An International Securities Identification Number (ISO 6166): two letters, nine letters or digits, one check digit
/// (Luhn over the letters written as 10 to 35). Lower case is raised.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Isin(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IsinError {
    #[error("must be 12 characters: two letters, nine letters or digits, a check digit")]
    Form,
    #[error("has a wrong check digit")]
    CheckDigit,
}

impl Isin {
    pub fn parse(text: &str) -> Result<Self, IsinError> {
        let upper = text.to_ascii_uppercase();
        let bytes = upper.as_bytes();
        let form = bytes.len() == 12
            && bytes.iter().take(2).all(u8::is_ascii_uppercase)
            && bytes.iter().all(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_digit);
        if !form {
            return Err(IsinError::Form);
        }
        if !luhn_sum(&upper).is_multiple_of(10) {
            return Err(IsinError::CheckDigit);
        }
        Ok(Self(upper))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Every second digit from the right but one is doubled, digits of the doubled numbers are added up.
fn luhn_sum(text: &str) -> u32 {
    let digits = text.chars().filter_map(|c| c.to_digit(36)).flat_map(|value| {
        let tens = (value >= 10).then_some(value / 10);
        tens.into_iter().chain(std::iter::once(value % 10))
    });
    let digits: Vec<u32> = digits.collect();
    digits
        .iter()
        .rev()
        .enumerate()
        .map(|(position, digit)| {
            if position % 2 == 1 {
                digit * 2 / 10 + digit * 2 % 10
            } else {
                *digit
            }
        })
        .sum()
}

impl fmt::Display for Isin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_numbers_pass_and_one_changed_digit_fails() {
        for text in ["US0378331005", "AU0000XVGZA3", "GB0002634946", "us0378331005"] {
            assert!(Isin::parse(text).is_ok(), "{text}");
        }
        assert_eq!(Isin::parse("US0378331006"), Err(IsinError::CheckDigit));
    }

    #[test]
    fn the_form_comes_first() {
        for text in [
            "",
            "US037833100",
            "US03783310055",
            "0S0378331005",
            "US03783310A5",
            "US037833100X",
        ] {
            assert!(Isin::parse(text).is_err(), "{text}");
        }
    }
}
