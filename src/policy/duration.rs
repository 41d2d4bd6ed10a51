use std::fmt;

/// A length of time in a policy: `30s`, `15min`, `24h` or `365d`. A day is 86,400 seconds; months and years are left
/// out because their length depends on where one starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("must be a whole number and a unit, such as \"365d\" or \"24h\" (units: s, min, h, d)")]
    Form,
    #[error("must be between 1 second and 36500 days")]
    Range,
}

const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];

impl Duration {
    /// A hundred years: longer is a slip of the pen.
    pub const SECONDS_MAX: i64 = 36_500 * 86_400;

    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let unit_start = text.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError::Form)?;
        let (digits, unit) = text.split_at_checked(unit_start).ok_or(DurationError::Form)?;
        let unit_seconds = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, seconds)| *seconds)
            .ok_or(DurationError::Form)?;
        if digits.is_empty() {
            return Err(DurationError::Form);
        }
        let count: i64 = digits.parse().map_err(|_| DurationError::Range)?;
        match count.checked_mul(unit_seconds) {
            Some(seconds) if (1..=Self::SECONDS_MAX).contains(&seconds) => Ok(Self { seconds }),
            Some(_) | None => Err(DurationError::Range),
        }
    }

    pub const fn seconds(self) -> i64 {
        self.seconds
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, length) = UNITS
            .into_iter()
            .find(|(_, length)| self.seconds.rem_euclid(*length) == 0)
            .unwrap_or(("s", 1));
        write!(f, "{}{unit}", self.seconds.div_euclid(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_printed_in_its_largest_whole_unit() {
        for (text, printed) in [
            ("365d", "365d"),
            ("24h", "1d"),
            ("90min", "90min"),
            ("60s", "1min"),
            ("61s", "61s"),
        ] {
            assert_eq!(Duration::parse(text).map(|d| d.to_string()), Ok(printed.to_owned()));
        }
    }

    #[test]
    fn a_duration_needs_digits_a_known_unit_and_a_length_within_bounds() {
        for text in ["", "d", "5", "5 d", "-5d", "5m", "5y", "1.5h"] {
            assert_eq!(Duration::parse(text), Err(DurationError::Form), "{text}");
        }
        for text in ["0s", "36501d", "99999999999999999999d"] {
            assert_eq!(Duration::parse(text), Err(DurationError::Range), "{text}");
        }
        assert!(Duration::parse("36500d").is_ok());
        assert!(Duration::parse("1s").is_ok());
    }
}
