use crate::error::Error;
use crate::types::Timestamp;

const MINUTE_SECONDS: i64 = 60;

/// So many tokens in a window, and how many at once after a rest. All within bounds that keep every product of the
/// arithmetic below 2^60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    tokens: i64,
    window_micros: i64,
    burst: i64,
}

impl Rate {
    pub const TOKENS_MAX: i64 = 10_000_000;
    pub const WINDOW_SECONDS_MAX: i64 = 86_400;

    /// For tokens that are within their bounds already.
    pub(in crate::access) fn per_minute(tokens: i64, burst: i64) -> Self {
        Self::bounded(tokens, MINUTE_SECONDS, burst)
    }

    /// Errors: `Invalid` outside 1 to [`Self::TOKENS_MAX`] tokens and 1 to [`Self::WINDOW_SECONDS_MAX`] seconds.
    pub fn new(tokens: i64, window_seconds: i64, burst: i64) -> Result<Self, Error> {
        let rate = Self::bounded(tokens, window_seconds, burst);
        let asked = (tokens, window_seconds.saturating_mul(Timestamp::SECOND), burst);
        if (rate.tokens, rate.window_micros, rate.burst) == asked {
            return Ok(rate);
        }
        let (tokens_max, seconds_max) = (Self::TOKENS_MAX, Self::WINDOW_SECONDS_MAX);
        let message = format!("must be 1 to {tokens_max} in 1 to {seconds_max} seconds");
        Err(Error::invalid("requests", message))
    }

    /// The nearest rate inside the bounds.
    pub fn bounded(tokens: i64, window_seconds: i64, burst: i64) -> Self {
        let window_seconds = window_seconds.clamp(1, Self::WINDOW_SECONDS_MAX);
        Self {
            tokens: tokens.clamp(1, Self::TOKENS_MAX),
            window_micros: window_seconds.saturating_mul(Timestamp::SECOND),
            burst: burst.clamp(1, Self::TOKENS_MAX),
        }
    }

    /// Units that a microsecond adds.
    pub const fn per_micro(self) -> i64 {
        self.tokens
    }

    /// Units of a token.
    pub const fn window_micros(self) -> i64 {
        self.window_micros
    }

    pub const fn burst(self) -> i64 {
        self.burst
    }

    pub const fn units(self, tokens: i64) -> i64 {
        tokens.saturating_mul(self.window_micros)
    }

    /// Units of a full bucket.
    pub const fn capacity(self) -> i64 {
        self.units(self.burst)
    }

    /// Microseconds until so many units were added; rounded up.
    fn micros_for(self, units: i64) -> i64 {
        let rounded = units.max(0).saturating_add(self.tokens.saturating_sub(1));
        rounded.checked_div(self.tokens).unwrap_or(i64::MAX)
    }
}

/// How full a bucket was, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub level: i64,
    pub at_micros: i64,
}

/// What is left after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Tokens of a full bucket.
    pub limit: i64,
    /// Whole tokens.
    pub remaining: i64,
    /// When the bucket is full again.
    pub reset: Timestamp,
    /// Until one token fits; 0 when one does.
    pub retry_after_micros: i64,
}

impl Bucket {
    pub fn full(rate: Rate, now: Timestamp) -> Self {
        Self {
            level: rate.capacity(),
            at_micros: now.micros(),
        }
    }

    /// The bucket as it is now: refilled to the microsecond, never over its brim. A clock behind it adds nothing.
    #[must_use]
    pub fn at(self, rate: Rate, now: Timestamp) -> Self {
        let elapsed = now.micros().saturating_sub(self.at_micros).max(0);
        let missing = rate.capacity().saturating_sub(self.level);
        let level = if elapsed >= rate.micros_for(missing) {
            rate.capacity()
        } else {
            self.level.saturating_add(elapsed.saturating_mul(rate.per_micro()))
        };
        Self {
            level,
            at_micros: self.at_micros.max(now.micros()),
        }
    }

    /// Takes tokens, all or none; says whether it did.
    pub fn take(&mut self, rate: Rate, tokens: i64) -> bool {
        let left = self.level.saturating_sub(rate.units(tokens));
        if left >= 0 {
            self.level = left;
        }
        left >= 0
    }

    /// Microseconds until so many tokens are there.
    pub fn wait_micros(&self, rate: Rate, tokens: i64) -> i64 {
        rate.micros_for(rate.units(tokens).saturating_sub(self.level))
    }

    pub fn standing(&self, rate: Rate) -> Standing {
        let missing = rate.capacity().saturating_sub(self.level);
        let reset = self.at_micros.saturating_add(rate.micros_for(missing));
        Standing {
            limit: rate.burst(),
            remaining: self.level.checked_div(rate.window_micros()).unwrap_or(0),
            reset: Timestamp::from_micros(reset),
            retry_after_micros: self.wait_micros(rate, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn later(micros: i64) -> Timestamp {
        Timestamp::from_micros(NOW.micros() + micros)
    }

    #[test]
    fn a_token_is_there_to_the_microsecond_and_not_before() {
        // 677 a minute: one takes 88,626.29 microseconds.
        let rate = Rate::per_minute(677, 677);
        let mut bucket = Bucket::full(rate, NOW);
        assert!(bucket.take(rate, 677));
        assert!(!bucket.take(rate, 1));

        assert_eq!(bucket.wait_micros(rate, 1), 88_627);
        assert!(!bucket.at(rate, later(88_626)).take(rate, 1));
        assert!(bucket.at(rate, later(88_627)).take(rate, 1));
        assert!(!bucket.at(rate, later(59_999_999)).take(rate, 677));
        assert!(bucket.at(rate, later(60_000_000)).take(rate, 677));
    }

    #[test]
    fn refilling_in_many_steps_is_refilling_at_once() {
        let rate = Rate::per_minute(677, 10_000);
        let empty = Bucket {
            level: 0,
            at_micros: NOW.micros(),
        };

        let stepped = (1..=1_000).fold(empty, |bucket, step| bucket.at(rate, later(step * 997)));

        assert_eq!(stepped, empty.at(rate, later(997_000)));
    }

    #[test]
    fn a_bucket_runs_over_after_any_rest_and_a_clock_behind_adds_nothing() {
        let rate = Rate::bounded(Rate::TOKENS_MAX, Rate::WINDOW_SECONDS_MAX, Rate::TOKENS_MAX);
        let empty = Bucket {
            level: 0,
            at_micros: NOW.micros(),
        };

        assert_eq!(empty.at(rate, Timestamp::from_micros(i64::MAX)).level, rate.capacity());
        assert_eq!(empty.at(rate, later(-1)), empty);
        let lowered = Rate::bounded(1, 60, 1);
        assert_eq!(
            empty.at(rate, later(i64::from(u32::MAX))).at(lowered, NOW).level,
            lowered.capacity()
        );
    }

    #[test]
    fn the_standing_tells_when_one_fits_and_when_all_do() {
        let rate = Rate::per_minute(200, 2_000);
        let mut bucket = Bucket::full(rate, NOW);
        let full = bucket.standing(rate);
        assert_eq!((full.limit, full.remaining, full.reset), (2_000, 2_000, NOW));
        assert_eq!(full.retry_after_micros, 0);

        bucket.take(rate, 2_000);
        let empty = bucket.standing(rate);

        assert_eq!((empty.remaining, empty.retry_after_micros), (0, 300_000));
        assert_eq!(empty.reset, NOW.plus_seconds(600));
        assert_eq!(bucket.at(rate, later(299_999)).standing(rate).remaining, 0);
        assert_eq!(bucket.at(rate, later(300_000)).standing(rate).remaining, 1);
    }

    #[test]
    fn a_rate_is_taken_inside_its_bounds_only() {
        assert!(Rate::new(1, 1, 1).is_ok());
        assert!(Rate::new(Rate::TOKENS_MAX, Rate::WINDOW_SECONDS_MAX, Rate::TOKENS_MAX).is_ok());
        for (tokens, seconds, burst) in [
            (0, 1, 1),
            (1, 0, 1),
            (1, 1, 0),
            (Rate::TOKENS_MAX + 1, 1, 1),
            (1, Rate::WINDOW_SECONDS_MAX + 1, 1),
            (1, 1, Rate::TOKENS_MAX + 1),
        ] {
            assert!(Rate::new(tokens, seconds, burst).is_err(), "{tokens} {seconds} {burst}");
        }
    }
}
