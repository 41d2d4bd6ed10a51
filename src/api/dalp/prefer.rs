//! How long a caller wants to wait for finality: the header `Prefer` (RFC 7240), dalp.md A11.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

/// Nobody waits longer, whatever was asked.
const WAIT_SECONDS_MAX: u64 = 60;
/// When nothing is said.
const WAIT_SECONDS_DEFAULT: u64 = 30;

/// What was preferred; unknown preferences are ignored, as the RFC says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    #[default]
    Nothing,
    Wait {
        seconds: u64,
    },
    Async,
}

impl Prefer {
    fn parse(text: &str) -> Self {
        let mut preferred = Self::Nothing;
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None if part.eq_ignore_ascii_case("respond-async") => return Self::Async,
                Some((name, value)) if name.trim().eq_ignore_ascii_case("wait") => {
                    if let Ok(seconds) = value.trim().trim_matches('"').parse::<u64>() {
                        preferred = Self::Wait {
                            seconds: seconds.min(WAIT_SECONDS_MAX),
                        };
                    }
                }
                None | Some(_) => {}
            }
        }
        preferred
    }

    /// How long to wait for finality.
    pub fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::Nothing => WAIT_SECONDS_DEFAULT,
            Self::Wait { seconds } => seconds,
            Self::Async => 0,
        })
    }

    /// The value of `Preference-Applied`; none when nothing was preferred.
    pub fn applied(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Wait { seconds } => Some(format!("wait={seconds}")),
            Self::Async => Some("respond-async".to_owned()),
        }
    }
}

impl FromRequest for Prefer {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.headers().get("prefer").and_then(|value| value.to_str().ok());
        ready(Ok(text.map(Self::parse).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_taken_up_to_a_minute_and_the_rest_is_ignored() {
        assert_eq!(Prefer::parse("wait=59"), Prefer::Wait { seconds: 59 });
        assert_eq!(Prefer::parse("wait=60"), Prefer::Wait { seconds: 60 });
        assert_eq!(Prefer::parse("handling=lenient, wait=61"), Prefer::Wait { seconds: 60 });
        assert_eq!(Prefer::parse("respond-async, wait=5"), Prefer::Async);
        assert_eq!(Prefer::parse("wait=soon"), Prefer::Nothing);
    }
}
