use crate::types::Address;

/// A search, ready for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SearchTerms {
    /// Patterns of `LIKE` with backslash as escape: as typed, and in lower case.
    pub pattern: String,
    pub lower_pattern: String,
    /// The smallest and the largest address that begin like the query.
    pub addresses: Option<(Address, Address)>,
}

pub(super) fn search_terms(query: &str) -> SearchTerms {
    let pattern = contains(query);
    SearchTerms {
        lower_pattern: pattern.to_lowercase(),
        pattern,
        addresses: address_range(query),
    }
}

fn contains(query: &str) -> String {
    let mut pattern = String::from("%");
    for character in query.chars() {
        if matches!(character, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// `0x` and 1 to 40 hex digits, of any case: a half-typed address has no checksum yet.
fn address_range(query: &str) -> Option<(Address, Address)> {
    let digits = query
        .strip_prefix("0x")
        .filter(|digits| (1..=40).contains(&digits.len()))?
        .to_ascii_lowercase();
    let first = Address::parse(&format!("0x{digits:0<40}")).ok()?;
    let last = Address::parse(&format!("0x{digits:f<40}")).ok()?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_a_pattern_are_searched_for_and_not_obeyed() {
        assert_eq!(search_terms(r"50%_a\b").pattern, r"%50\%\_a\\b%");
        assert_eq!(search_terms("ÉT").lower_pattern, "%ét%");
    }

    #[test]
    fn a_half_typed_address_is_a_range() {
        let (first, last) = search_terms("0x5aAeB").addresses.unwrap();

        assert_eq!(first.to_lower_hex(), format!("0x5aaeb{}", "0".repeat(35)));
        assert_eq!(last.to_lower_hex(), format!("0x5aaeb{}", "f".repeat(35)));
        for query in ["0x", "5aaeb", "0xg", &format!("0x{}", "1".repeat(41))] {
            assert_eq!(search_terms(query).addresses, None, "{query}");
        }
    }
}
