//! What a list is asked for: `limit`, and `offset` or `cursor`.

use serde::de::DeserializeOwned;

use super::body::Issues;
use crate::db::Page;
use crate::error::Error;

/// Parses a query string into its wire type, all of it text: `?limit=5` is not a type error.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let query = actix_web::web::Query::<T>::from_query(text);
    query
        .map(actix_web::web::Query::into_inner)
        .map_err(|error| Error::invalid("query", error.to_string()))
}

/// The page that a query asks for, within 1 to [`Page::LIMIT_MAX`] rows.
pub fn page_of(limit: Option<&str>, offset: Option<&str>, cursor: Option<&str>, issues: &mut Issues) -> Page {
    let limit = match limit.map(str::parse::<i64>) {
        None => Page::LIMIT_DEFAULT,
        Some(Ok(limit)) if (1..=Page::LIMIT_MAX).contains(&limit) => limit,
        Some(_) => {
            issues.add(
                "limit",
                "range",
                format!("must be a number from 1 to {}", Page::LIMIT_MAX),
            );
            Page::LIMIT_DEFAULT
        }
    };
    let offset = match offset.map(str::parse::<i64>) {
        None => 0,
        Some(Ok(offset)) if offset >= 0 => offset,
        Some(_) => {
            issues.add("offset", "range", "must be a number from 0 on");
            0
        }
    };
    Page {
        limit,
        offset,
        cursor: cursor.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_taken_inside_its_bounds_only() {
        for (text, taken) in [("0", false), ("1", true), ("200", true), ("201", false), ("x", false)] {
            let mut issues = Issues::default();
            page_of(Some(text), None, None, &mut issues);
            assert_eq!(issues.finish().is_ok(), taken, "{text}");
        }
    }
}
