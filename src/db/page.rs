//! Bounded lists: `limit`, and either `offset` or an opaque `cursor` that names the last row seen.

use data_encoding::BASE64URL_NOPAD;

/// The position after which a page begins: the sort key of the last row, parts joined by `|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<String>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor that this list gave out")]
pub struct PageError;

impl Cursor {
    pub fn new(parts: impl IntoIterator<Item = String>) -> Self {
        Self(parts.into_iter().collect())
    }

    /// Reads a cursor of exactly `N` parts.
    pub fn parse<const N: usize>(text: &str) -> Result<[String; N], PageError> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| PageError)?;
        let text = String::from_utf8(bytes).map_err(|_| PageError)?;
        let parts: Vec<String> = text.split('|').map(str::to_owned).collect();
        <[String; N]>::try_from(parts).map_err(|_| PageError)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(self.0.join("|").as_bytes()))
    }
}

/// What a list was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: i64,
    pub offset: i64,
    pub cursor: Option<String>,
}

impl Page {
    pub const LIMIT_MAX: i64 = 200;
    pub const LIMIT_DEFAULT: i64 = 100;

    pub const fn first(limit: i64) -> Self {
        Self {
            limit,
            offset: 0,
            cursor: None,
        }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(Self::LIMIT_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_does_not() {
        let cursor = Cursor::new(["2026".to_owned(), "7".to_owned()]).to_string();

        assert_eq!(Cursor::parse::<2>(&cursor), Ok(["2026".to_owned(), "7".to_owned()]));
        assert_eq!(Cursor::parse::<3>(&cursor), Err(PageError));
        assert_eq!(Cursor::parse::<2>("%%%"), Err(PageError));
    }
}
