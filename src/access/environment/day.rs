use std::fmt;

use crate::types::Timestamp;

const DAY_SECONDS: i64 = 86_400;

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(i32);

impl Day {
    pub fn of(instant: Timestamp) -> Self {
        Self(i32::try_from(instant.seconds().div_euclid(DAY_SECONDS)).unwrap_or(i32::MAX))
    }

    pub const fn from_number(days: i32) -> Self {
        Self(days)
    }

    pub const fn number(self) -> i32 {
        self.0
    }

    /// `2026-11-21`.
    pub fn parse(text: &str) -> Option<Self> {
        let instant = Timestamp::parse(&format!("{text}T00:00:00Z")).ok()?;
        (text.len() == 10).then(|| Self::of(instant))
    }

    #[must_use]
    pub const fn minus(self, days: i32) -> Self {
        Self(self.0.saturating_sub(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = Timestamp::from_seconds(i64::from(self.0).saturating_mul(DAY_SECONDS));
        f.write_str(instant.to_micros_text().get(..10).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_and_ends_at_midnight_in_utc() {
        let midnight = Timestamp::parse("2026-11-21T00:00:00Z").unwrap();
        let before = Timestamp::from_micros(midnight.micros() - 1);

        assert_eq!(Day::of(midnight).to_string(), "2026-11-21");
        assert_eq!(Day::of(before).to_string(), "2026-11-20");
        assert_eq!(Day::parse("2026-11-21"), Some(Day::of(midnight)));
        assert_eq!(Day::of(midnight).minus(1), Day::of(before));
        for wrong in ["", "2026-11-31", "2026-11-21T00", "21-11-2026"] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }
}
