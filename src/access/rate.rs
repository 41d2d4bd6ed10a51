use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::error::Error;
use crate::types::KeyId;

/// Requests of one API key per minute, counted in this process; several processes allow as many times more. Off unless
/// it is configured (dalp.md A8, `rate.api_key`).
pub struct RateLimit {
    limiter: Option<DefaultKeyedRateLimiter<KeyId>>,
}

impl RateLimit {
    pub fn per_minute(requests: Option<NonZeroU32>) -> Self {
        Self {
            limiter: requests.map(|requests| RateLimiter::keyed(Quota::per_minute(requests))),
        }
    }

    /// Counts a request. Errors: `Limited` with the seconds until the next one is allowed.
    pub fn count(&self, key: &KeyId) -> Result<(), Error> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(key).map_err(|not_until| {
            use governor::clock::{Clock as _, DefaultClock};
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Error::Limited {
                retry_after_seconds: wait.as_secs().saturating_add(1),
                method: None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_allowed_request_passes_and_the_next_waits() {
        let limit = RateLimit::per_minute(NonZeroU32::new(3));
        let (key, other) = (KeyId::parse("abcdefgh").unwrap(), KeyId::parse("hgfedcba").unwrap());

        assert!((0..3).all(|_| limit.count(&key).is_ok()));
        assert!(matches!(
            limit.count(&key),
            Err(Error::Limited {
                retry_after_seconds: 1..=21,
                ..
            })
        ));
        assert!(limit.count(&other).is_ok());
    }

    #[test]
    fn without_a_setting_nothing_is_limited() {
        let limit = RateLimit::per_minute(None);
        let key = KeyId::parse("abcdefgh").unwrap();

        assert!((0..1_000).all(|_| limit.count(&key).is_ok()));
    }
}
