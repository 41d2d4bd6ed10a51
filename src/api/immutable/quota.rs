//! What is left of a quota, in the body and in both spellings of the headers (immutable.md 3.3 and 5).

use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use crate::access::quota::{Rate, Standing};
use crate::api::unserved::{Header, whole_seconds};
use crate::types::Timestamp;

const HUNDREDTH_MICROS: i64 = 10_000;

/// The answer to a request that was accepted: every number is text.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct MintQuota {
    imx_mint_requests_limit: String,
    imx_mint_requests_limit_reset: String,
    imx_remaining_mint_requests: String,
    imx_mint_requests_retry_after: String,
}

/// As [`MintQuota`], for refreshes of metadata.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct RefreshQuota {
    imx_refreshes_limit: String,
    imx_refresh_limit_reset: String,
    imx_remaining_refreshes: String,
    retry_after: String,
}

impl From<&Standing> for MintQuota {
    fn from(standing: &Standing) -> Self {
        Self {
            imx_mint_requests_limit: standing.limit.to_string(),
            imx_mint_requests_limit_reset: reset_text(standing.reset),
            imx_remaining_mint_requests: standing.remaining.to_string(),
            imx_mint_requests_retry_after: seconds_text(standing.retry_after_micros),
        }
    }
}

impl From<&Standing> for RefreshQuota {
    fn from(standing: &Standing) -> Self {
        Self {
            imx_refreshes_limit: standing.limit.to_string(),
            imx_refresh_limit_reset: reset_text(standing.reset),
            imx_remaining_refreshes: standing.remaining.to_string(),
            retry_after: seconds_text(standing.retry_after_micros),
        }
    }
}

/// Hyphens, because proxies drop names with underscores; underscores, because the published guide reads those.
macro_rules! spellings {
    ($($hyphens:literal, $underscores:literal => $value:expr;)+) => {
        [$(($hyphens, $value), ($underscores, $value)),+]
            .into_iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
            })
            .collect()
    };
}

impl MintQuota {
    pub fn headers(&self) -> Vec<Header> {
        spellings! {
            "imx-mint-requests-limit", "imx_mint_requests_limit" => &self.imx_mint_requests_limit;
            "imx-mint-requests-limit-reset", "imx_mint_requests_limit_reset" => &self.imx_mint_requests_limit_reset;
            "imx-remaining-mint-requests", "imx_remaining_mint_requests" => &self.imx_remaining_mint_requests;
            "imx-mint-requests-retry-after", "imx_mint_requests_retry_after" => &self.imx_mint_requests_retry_after;
        }
    }
}

impl RefreshQuota {
    /// `Retry-After` is a header of HTTP, in whole seconds; only the other spelling has the body's text.
    pub fn headers(&self) -> Vec<Header> {
        let mut headers: Vec<Header> = spellings! {
            "imx-refreshes-limit", "imx_refreshes_limit" => &self.imx_refreshes_limit;
            "imx-refresh-limit-reset", "imx_refresh_limit_reset" => &self.imx_refresh_limit_reset;
            "imx-remaining-refreshes", "imx_remaining_refreshes" => &self.imx_remaining_refreshes;
        };
        let text = HeaderValue::from_str(&self.retry_after).ok();
        headers.extend(text.map(|text| (HeaderName::from_static("retry_after"), text)));
        headers
    }
}

/// What a refused request is told.
#[derive(Clone, Debug)]
pub struct Shortage {
    what: What,
    standing: Standing,
    wait_micros: i64,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    Mints,
    Refreshes,
    Collections(Rate),
    Reads(Rate),
}

impl Shortage {
    pub fn new(what: What, standing: Standing, wait_micros: i64) -> Self {
        Self {
            what,
            standing,
            wait_micros,
        }
    }

    /// The quota, and how long to wait until the same request fits: whole seconds, never too few.
    pub(super) fn headers(&self) -> Vec<Header> {
        let mut headers = match self.what {
            What::Mints => MintQuota::from(&self.standing).headers(),
            What::Refreshes => RefreshQuota::from(&self.standing).headers(),
            What::Collections(rate) | What::Reads(rate) => ReadStanding {
                rate,
                standing: self.standing,
            }
            .headers(),
        };
        headers.push((RETRY_AFTER, HeaderValue::from(whole_seconds(self.wait_micros).max(1))));
        headers
    }
}

/// Left in the request for the headers of its answer.
#[derive(Clone, Copy, Debug)]
pub struct ReadStanding {
    pub rate: Rate,
    pub standing: Standing,
}

impl ReadStanding {
    /// As Immutable's gateway tells them: `x-ratelimit-limit: 1500, 1500;w=300`.
    pub(super) fn headers(&self) -> Vec<Header> {
        let (limit, window) = (self.standing.limit, whole_seconds(self.rate.window_micros()));
        let missing = self.standing.limit.saturating_sub(self.standing.remaining);
        let micros = missing.saturating_mul(self.rate.window_micros());
        let reset = whole_seconds(micros.checked_div(self.rate.per_micro()).unwrap_or(0));
        spellings! {
            "x-ratelimit-limit", "x_ratelimit_limit" => &format!("{limit}, {limit};w={window}");
            "x-ratelimit-remaining", "x_ratelimit_remaining" => &self.standing.remaining.to_string();
            "x-ratelimit-reset", "x_ratelimit_reset" => &reset.to_string();
        }
    }
}

/// `2024-02-13 07:20:00 UTC`: JavaScript's `Date` reads it, and the zone is in it.
fn reset_text(reset: Timestamp) -> String {
    let second = Timestamp::from_seconds(whole_seconds(reset.micros())).to_micros_text();
    let (date, time) = (second.get(..10), second.get(11..19));
    format!("{} {} UTC", date.unwrap_or_default(), time.unwrap_or_default())
}

/// `59.98-seconds`: hundredths, rounded up.
fn seconds_text(micros: i64) -> String {
    let hundredths = micros.saturating_add(HUNDREDTH_MICROS - 1).div_euclid(HUNDREDTH_MICROS);
    let (seconds, rest) = (hundredths.div_euclid(100), hundredths.rem_euclid(100));
    match rest {
        0 => format!("{seconds}-seconds"),
        rest => format!("{seconds}.{rest:02}-seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        Standing {
            limit: 2_000,
            remaining: 1_999,
            reset: Timestamp::parse("2024-02-13T07:19:59.000001Z").unwrap(),
            retry_after_micros: 59_970_001,
        }
    }

    #[test]
    fn the_body_has_the_published_form() {
        let body = serde_json::to_value(MintQuota::from(&standing())).unwrap();

        assert_eq!(
            body,
            serde_json::json!({
                "imx_mint_requests_limit": "2000", "imx_mint_requests_limit_reset": "2024-02-13 07:20:00 UTC",
                "imx_remaining_mint_requests": "1999", "imx_mint_requests_retry_after": "59.98-seconds",
            })
        );
        assert_eq!(seconds_text(0), "0-seconds");
        assert_eq!(seconds_text(1), "0.01-seconds");
        assert_eq!(seconds_text(2_000_000), "2-seconds");
    }

    #[test]
    fn every_header_comes_in_both_spellings_with_the_same_value() {
        for headers in [
            MintQuota::from(&standing()).headers(),
            RefreshQuota::from(&standing()).headers(),
        ] {
            let both = headers.iter().filter(|(name, _)| name.as_str().contains('-'));
            for (name, value) in both {
                let other = name.as_str().replace('-', "_");
                assert!(
                    headers
                        .iter()
                        .any(|(name, same)| name.as_str() == other && same == value),
                    "{name}"
                );
            }
            assert!(headers.len() >= 7);
        }
    }

    #[test]
    fn a_refused_request_waits_whole_seconds_and_never_too_few() {
        let retry_after = |wait| {
            let headers = Shortage::new(What::Mints, standing(), wait).headers();
            let found = headers.into_iter().find(|(name, _)| *name == RETRY_AFTER);
            found.unwrap().1.to_str().unwrap().to_owned()
        };

        assert_eq!(retry_after(0), "1");
        assert_eq!(retry_after(1_000_000), "1");
        assert_eq!(retry_after(1_000_001), "2");
    }
}
