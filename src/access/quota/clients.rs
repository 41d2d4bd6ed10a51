use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use super::bucket::{Bucket, Rate};
use super::{Standing, Taken};
use crate::types::Timestamp;

/// How often each of many did something, counted in this process: several processes allow as many times more.
pub struct Rates<K> {
    rate: Rate,
    buckets: Cache<K, Arc<Mutex<Bucket>>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Rates<K> {
    /// Some 20 MB. Beyond it those forgotten first are the ones that ask least.
    const COUNT_MAX: u64 = 100_000;

    pub fn new(requests: i64, window: Duration) -> Self {
        let window_seconds = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
        Self {
            rate: Rate::bounded(requests, window_seconds, requests),
            // Who rested for a whole window has a full bucket again.
            buckets: Cache::builder()
                .max_capacity(Self::COUNT_MAX)
                .time_to_idle(window)
                .build(),
        }
    }

    pub const fn rate(&self) -> Rate {
        self.rate
    }

    pub fn count(&self, of: K, now: Timestamp) -> Taken {
        let fresh = || Arc::new(Mutex::new(Bucket::full(self.rate, now)));
        let bucket = self.buckets.get_with(of, fresh);
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        *bucket = bucket.at(self.rate, now);
        let granted = bucket.take(self.rate, 1);
        let standing = bucket.standing(self.rate);
        match granted {
            true => Taken::Granted(standing),
            false => Taken::Refused {
                standing,
                wait_micros: standing.retry_after_micros,
            },
        }
    }
}

/// Requests of callers without a key, per client address. Addresses of IPv6 count by their first 64 bits, which is what one
/// household or server is given.
pub struct ClientRates(Rates<IpAddr>);

impl ClientRates {
    pub fn new(requests: i64, window: Duration) -> Self {
        Self(Rates::new(requests, window))
    }

    pub const fn rate(&self) -> Rate {
        self.0.rate()
    }

    /// Counts a request.
    pub fn count(&self, client: IpAddr, now: Timestamp) -> Taken {
        self.0.count(household(client), now)
    }
}

fn household(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

impl Taken {
    pub fn standing(&self) -> &Standing {
        match self {
            Self::Granted(standing) | Self::Refused { standing, .. } => standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn is_granted(rates: &ClientRates, client: &str, now: Timestamp) -> bool {
        matches!(rates.count(client.parse().unwrap(), now), Taken::Granted(_))
    }

    #[test]
    fn each_address_has_its_own_bucket_and_ipv6_one_per_network() {
        let rates = ClientRates::new(3, Duration::from_secs(300));

        assert!((0..3).all(|_| is_granted(&rates, "192.0.2.1", NOW)));
        assert!(!is_granted(&rates, "192.0.2.1", NOW));
        assert!(!is_granted(&rates, "::ffff:192.0.2.1", NOW));
        assert!(is_granted(&rates, "192.0.2.2", NOW));
        assert!((0..3).all(|host| is_granted(&rates, &format!("2001:db8:0:1::{host}"), NOW)));
        assert!(!is_granted(&rates, "2001:db8:0:1:ffff::1", NOW));
        assert!(is_granted(&rates, "2001:db8:0:2::1", NOW));
    }

    #[test]
    fn a_request_fits_again_after_its_part_of_the_window() {
        let rates = ClientRates::new(1_500, Duration::from_secs(300));
        assert!((0..1_500).all(|_| is_granted(&rates, "192.0.2.1", NOW)));

        let later = |micros| Timestamp::from_micros(NOW.micros() + micros);
        assert!(!is_granted(&rates, "192.0.2.1", later(199_999)));
        assert!(is_granted(&rates, "192.0.2.1", later(200_000)));
        assert!(!is_granted(&rates, "192.0.2.1", later(200_000)));
    }
}
