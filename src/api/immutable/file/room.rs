//! Files are large: as many are read at once as there is room for, one of each environment, and none keeps its room for long.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::access::{Arrival, Arrivals, Gate};
use crate::api::immutable::ImmutableError;
use crate::api::immutable::asked::Body;
use crate::error::Error;
use crate::types::EnvironmentId;

/// 100,000 lines of a usual length; those with much metadata are told in several files.
pub(super) const SIZE_BYTES_MAX: usize = 32 * MIB;
const MIB: usize = 1_024 * 1_024;
/// Of room that every file takes, in MiB: 100,000 lines of two bytes are as many wishes, or reasons why they are none.
const ROOM_MIN: usize = 8;

/// How long a file waits for the one before it, and for room, before its caller is told to come again.
const ROOM_WITHIN: Duration = Duration::from_secs(10);
/// How long a file may take to arrive: 32 MiB do at 2.5 Mbit/s.
pub(super) const ARRIVES_WITHIN: Duration = Duration::from_secs(120);

/// Kept until nothing of the file is in memory.
pub(super) struct Room {
    _turn: Arrival,
    _room: OwnedSemaphorePermit,
}

impl Room {
    /// Errors: `FileArriving` while another file of the environment is being read, `Unavailable` while those of others are.
    pub async fn find(gate: &Gate, environment: EnvironmentId, request: &HttpRequest) -> Result<Self, ImmutableError> {
        Ok(Self {
            _turn: turn(&gate.arrivals, environment, ROOM_WITHIN).await?,
            _room: room(&gate.files, request, ROOM_WITHIN).await?,
        })
    }
}

async fn turn(
    arrivals: &Arc<Arrivals>,
    environment: EnvironmentId,
    within: Duration,
) -> Result<Arrival, ImmutableError> {
    let turn = timeout(within, arrivals.enter(environment)).await;
    turn.map_err(|_| ImmutableError::FileArriving {
        retry_after_seconds: within.as_secs(),
    })
}

/// As much as the file says it has; as much as it may have where it says nothing. Errors: `Unavailable` when there is none
/// in time.
async fn room(files: &Arc<Semaphore>, request: &HttpRequest, within: Duration) -> Result<OwnedSemaphorePermit, Error> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let length = length.unwrap_or(SIZE_BYTES_MAX).min(SIZE_BYTES_MAX);
    let mebibytes = length.div_ceil(MIB).max(ROOM_MIN);
    let mebibytes = u32::try_from(mebibytes).map_err(Error::internal)?;
    match timeout(within, Arc::clone(files).acquire_many_owned(mebibytes)).await {
        Ok(room) => room.map_err(Error::internal),
        Err(_) => Err(Error::Unavailable("other files are being read")),
    }
}

/// Errors: `Invalid` when it does not arrive in time.
pub(super) async fn read(payload: Payload, within: Duration) -> Result<Body, Error> {
    let late = |_| {
        let seconds = within.as_secs();
        Error::invalid("", format!("the file did not arrive within {seconds} seconds"))
    };
    timeout(within, Body::read(payload, SIZE_BYTES_MAX)).await.map_err(late)
}

#[cfg(test)]
mod tests {
    use actix_web::error::PayloadError;
    use actix_web::test::TestRequest;
    use actix_web::web::Bytes;
    use futures_util::stream::{self, LocalBoxStream};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn of_length(length: Option<usize>) -> HttpRequest {
        let request = TestRequest::default();
        let request = match length {
            Some(length) => request.insert_header((CONTENT_LENGTH, length)),
            None => request,
        };
        request.to_http_request()
    }

    #[actix_web::test]
    async fn a_file_takes_as_much_room_as_it_has_or_may_have() {
        let files = Arc::new(Semaphore::new(64));
        for (length, taken) in [
            (Some(0), 8),
            (Some(8 * MIB - 1), 8),
            (Some(8 * MIB), 8),
            (Some(8 * MIB + 1), 9),
            (Some(SIZE_BYTES_MAX), 32),
            (Some(SIZE_BYTES_MAX + 1), 32),
            (None, 32),
        ] {
            let room = room(&files, &of_length(length), SHORT).await.unwrap();
            assert_eq!(64 - files.available_permits(), taken, "{length:?}");
            drop(room);
            assert_eq!(files.available_permits(), 64);
        }
    }

    #[actix_web::test]
    async fn a_file_without_room_waits_and_is_sent_away_in_time() {
        let files = Arc::new(Semaphore::new(40));
        let first = room(&files, &of_length(None), SHORT).await.unwrap();

        let second = room(&files, &of_length(None), SHORT).await;
        let small = room(&files, &of_length(Some(10)), SHORT).await;

        assert!(matches!(second, Err(Error::Unavailable(_))));
        assert!(small.is_ok(), "a small one has room beside it");
        drop((first, small));
        assert!(room(&files, &of_length(None), SHORT).await.is_ok());
    }

    #[actix_web::test]
    async fn one_file_of_an_environment_is_read_at_a_time() {
        let arrivals = Arc::default();
        let (game, other) = (EnvironmentId::generate(), EnvironmentId::generate());
        let first = turn(&arrivals, game, SHORT).await.unwrap();

        let second = turn(&arrivals, game, SHORT).await;
        let foreign = turn(&arrivals, other, SHORT).await;

        assert!(matches!(second, Err(ImmutableError::FileArriving { .. })));
        assert!(foreign.is_ok(), "another's does not wait for it");
        let (third, ()) = tokio::join!(turn(&arrivals, game, Duration::from_secs(5)), async { drop(first) });
        assert!(third.is_ok(), "it waits for the one before it");
        drop(third);
        assert!(turn(&arrivals, game, SHORT).await.is_ok());
    }

    #[actix_web::test]
    async fn a_file_that_does_not_arrive_is_given_up() {
        let never: LocalBoxStream<'static, Result<Bytes, PayloadError>> = Box::pin(stream::pending());

        let read = read(Payload::Stream { payload: never }, SHORT);

        assert!(matches!(read.await, Err(Error::Invalid(_))));
    }
}
