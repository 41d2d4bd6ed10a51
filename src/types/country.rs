use std::fmt;

use super::country_table::COUNTRIES;

/// A country by its ISO 3166-1 code. Identities name it in two letters, assets and country modules by number
/// (dalp.md 1.5 and section 6); zero is not a country.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountryCode(u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountryError {
    #[error("is not a two-letter ISO 3166-1 code in capitals")]
    Alpha2,
    #[error("is not an ISO 3166-1 numeric code (three digits, such as \"056\", or a number)")]
    Numeric,
}

impl CountryCode {
    pub fn parse_alpha2(text: &str) -> Result<Self, CountryError> {
        let found = COUNTRIES.binary_search_by_key(&text, |(alpha2, _)| alpha2);
        let entry = found.ok().and_then(|index| COUNTRIES.get(index));
        entry.map(|(_, numeric)| Self(*numeric)).ok_or(CountryError::Alpha2)
    }

    /// Exactly three digits: `"56"` is refused, as the reference does.
    pub fn parse_numeric(text: &str) -> Result<Self, CountryError> {
        if text.len() != 3 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CountryError::Numeric);
        }
        text.parse()
            .map_err(|_| CountryError::Numeric)
            .and_then(Self::from_numeric)
    }

    pub fn from_numeric(numeric: u16) -> Result<Self, CountryError> {
        let known = COUNTRIES.iter().any(|(_, number)| *number == numeric);
        if known {
            Ok(Self(numeric))
        } else {
            Err(CountryError::Numeric)
        }
    }

    pub const fn numeric(self) -> u16 {
        self.0
    }

    pub fn alpha2(self) -> &'static str {
        COUNTRIES
            .iter()
            .find(|(_, number)| *number == self.0)
            .map_or("", |(alpha2, _)| alpha2)
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha2())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha2())
    }
}

impl serde::Serialize for CountryCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.alpha2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_country() {
        let belgium = CountryCode::parse_alpha2("BE").unwrap();

        assert_eq!(CountryCode::parse_numeric("056"), Ok(belgium));
        assert_eq!(CountryCode::from_numeric(56), Ok(belgium));
        assert_eq!(belgium.to_string(), "BE");
    }

    #[test]
    fn what_is_not_a_country_is_refused() {
        for text in ["be", "XX", "", "BEL"] {
            assert_eq!(CountryCode::parse_alpha2(text), Err(CountryError::Alpha2), "{text}");
        }
        for text in ["56", "000", "999", "+56", "0056"] {
            assert_eq!(CountryCode::parse_numeric(text), Err(CountryError::Numeric), "{text}");
        }
    }

    #[test]
    fn the_table_is_whole_and_sorted() {
        assert_eq!(COUNTRIES.len(), 249);
        assert!(COUNTRIES.is_sorted_by_key(|(alpha2, _)| *alpha2));
    }
}
