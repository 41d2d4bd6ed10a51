//! Fields of a body that are read one by one, so that all that is wrong with them is told at once.

use serde_json::Value;

use super::body::Issues;

pub fn required<T, E: std::fmt::Display>(
    path: &str,
    text: Option<&str>,
    issues: &mut Issues,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    match text {
        Some(text) => issues.take(path, parse(text)),
        None => {
            issues.add(path, "required", "is required");
            None
        }
    }
}

/// Empty text is nothing, as the reference has it.
pub fn optional<T, E: std::fmt::Display>(
    path: &str,
    text: Option<&str>,
    issues: &mut Issues,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let text = text.filter(|text| !text.is_empty())?;
    issues.take(path, parse(text))
}

/// A value that may be left out.
pub fn given<T>(
    path: &str,
    value: &Value,
    issues: &mut Issues,
    read: impl FnOnce(&str, &Value, &mut Issues) -> Option<T>,
) -> Option<T> {
    if value.is_null() {
        None
    } else {
        read(path, value, issues)
    }
}

/// A whole number, or its digits.
pub fn number(path: &str, value: &Value, max: u64, issues: &mut Issues) -> Option<u64> {
    let number = match value {
        Value::Null => {
            issues.add(path, "required", "is required");
            return None;
        }
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if number.is_none() {
        issues.add(path, "range", format!("must be a whole number between 0 and {max}"));
    }
    number
}
