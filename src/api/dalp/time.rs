//! Instants as the asset API takes them: RFC 3339 text, a date, or seconds or milliseconds since 1970.

use serde_json::Value;

use super::body::Issues;
use crate::types::Timestamp;

/// From this number on a number counts milliseconds: as seconds it would lie in the year 5138.
const MILLISECONDS_MIN: i64 = 100_000_000_000;

/// Exactly one instant.
pub fn time_of(path: &str, value: &Value, issues: &mut Issues) -> Option<Timestamp> {
    let time = match value {
        Value::Null => {
            issues.add(path, "required", "is required");
            return None;
        }
        Value::String(text) => of_text(text),
        Value::Number(number) => number.as_i64().and_then(of_number),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if time.is_none() {
        let message = "must be an RFC 3339 time such as 2031-01-01T00:00:00Z, a date, or seconds since 1970";
        issues.add(path, "format", message);
    }
    time
}

fn of_text(text: &str) -> Option<Timestamp> {
    if text.len() > 10 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().and_then(of_number);
    }
    match Timestamp::parse(text) {
        Ok(time) => Some(time),
        // A date is its first instant in UTC.
        Err(_) => Timestamp::parse(&format!("{text}T00:00:00Z"))
            .ok()
            .or_else(|| text.parse().ok().and_then(of_number)),
    }
}

/// Up to the end of the year 9999, which text can tell.
fn of_number(number: i64) -> Option<Timestamp> {
    const LAST_MICROS: i64 = 253_402_300_799_999_999;
    let micros = if number < MILLISECONDS_MIN {
        number.checked_mul(Timestamp::SECOND)?
    } else {
        number.checked_mul(1_000)?
    };
    (0..=LAST_MICROS)
        .contains(&micros)
        .then(|| Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn time(value: Value) -> Option<String> {
        let mut issues = Issues::default();
        let time = time_of("maturityDate", &value, &mut issues).map(|time| time.to_string());
        assert_eq!(time.is_some(), issues.finish().is_ok());
        time
    }

    #[test]
    fn every_form_names_the_same_instant() {
        let instant = Some("2031-01-01T00:00:00.000Z".to_owned());

        for value in [
            json!("2031-01-01T00:00:00Z"),
            json!("2031-01-01T01:00:00+01:00"),
            json!("2031-01-01"),
            json!(1_924_992_000),
            json!("1924992000"),
            json!(1_924_992_000_000_i64),
            json!("1924992000000"),
        ] {
            assert_eq!(time(value.clone()), instant, "{value}");
        }
    }

    #[test]
    fn nonsense_and_what_lies_after_the_year_9999_is_refused() {
        for value in [
            json!(null),
            json!(""),
            json!("soon"),
            json!("2031-13-01"),
            json!(-1),
            json!(1.5),
            json!(true),
            json!([]),
            json!(253_402_300_800_000_i64),
            json!(i64::MAX),
        ] {
            assert_eq!(time(value.clone()), None, "{value}");
        }
    }
}
