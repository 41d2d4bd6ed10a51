use std::fmt;

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};

/// An instant in UTC, cut to microseconds (the finest both databases keep), between the years 0 and 9999.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 time such as 2026-11-21T10:30:00.000Z")]
pub struct TimestampError;

impl Timestamp {
    pub const SECOND: i64 = 1_000_000;

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(Self::SECOND))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(Self::SECOND)
    }

    /// The instant `seconds` later; ends at the largest instant rather than wrapping.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(Self::SECOND)))
    }

    /// RFC 3339 with any offset; digits finer than a microsecond are cut.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| TimestampError)?;
        // The offset may carry it out of the years that have four digits.
        let year = time.with_timezone(&Utc).year();
        if !(0..=9_999).contains(&year) {
            return Err(TimestampError);
        }
        Ok(Self(time.timestamp_micros()))
    }

    /// `2026-11-21T10:30:00.123456Z`: always 27 characters, so that text order is time order.
    pub fn to_micros_text(self) -> String {
        self.to_chrono().to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

/// Milliseconds and `Z`, as every answer of the asset API has it (dalp.md A3).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_micros_text())
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_microseconds_and_printed_in_milliseconds() {
        let time = Timestamp::parse("2026-11-21T11:30:00.123456789+01:00").unwrap();

        assert_eq!(time.to_micros_text(), "2026-11-21T10:30:00.123456Z");
        assert_eq!(time.to_string(), "2026-11-21T10:30:00.123Z");
        assert_eq!(Timestamp::parse(&time.to_micros_text()), Ok(time));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-13-01T00:00:00Z",
            "1700000000",
            "9999-12-31T23:59:59-01:00",
        ] {
            assert_eq!(Timestamp::parse(text), Err(TimestampError), "{text}");
        }
    }
}
