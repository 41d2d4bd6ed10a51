//! Files are large. The bytes of one take room as they arrive, so that nobody holds more of it than was sent, and not for
//! long: a file keeps pace, or is sent away. Room to be read, which takes many times the memory, is found for a file once all
//! of it is there: nobody who sends slowly holds any. One file of an environment is in memory at a time.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::access::{Arrival, Arrivals, Gate};
use crate::api::immutable::ImmutableError;
use crate::api::json::Unread;
use crate::api::unserved::Unserved;
use crate::error::Error;
use crate::types::EnvironmentId;

/// 100,000 lines of a usual length; those with much metadata are told in several files.
const SIZE_BYTES_MAX: usize = 32 * MIB;
const MIB: usize = 1_024 * 1_024;
/// Room that every file takes to be read, in MiB: 100,000 lines of two bytes are as many wishes, or reasons why they are none.
const ROOM_MIN: usize = 8;

/// How long a file waits for the one before it.
const TURN_WITHIN: Duration = Duration::from_secs(10);
/// How long each MiB of a file may take to arrive: at 0.84 Mbit/s it does.
const MEBIBYTE_WITHIN: Duration = Duration::from_secs(10);
/// How long a file waits for room: longer than those that have it may stand still.
const ROOM_WITHIN: Duration = Duration::from_secs(15);

/// A file that is here, and that may be read.
pub(super) struct Arrived {
    pub bytes: Vec<u8>,
    pub room: Room,
}

/// Kept until nothing of the file is in memory.
pub(super) struct Room {
    _turn: Arrival,
    _room: OwnedSemaphorePermit,
}

impl Arrived {
    /// Errors: `FileArriving` while another file of the environment is being read, `Unavailable` while there is no room for
    /// those of others, `FileSlow` for one that does not keep pace, `Unserved`, `Invalid` for one that ends early.
    pub async fn receive(gate: &Gate, environment: EnvironmentId, payload: Payload) -> Result<Self, ImmutableError> {
        let turn = turn(&gate.arrivals, environment, TURN_WITHIN).await?;
        let (bytes, arriving) = receive(&gate.bodies, payload, MEBIBYTE_WITHIN).await?;
        let mebibytes = bytes.len().div_ceil(MIB).max(ROOM_MIN);
        let room = find(&gate.files, mebibytes, ROOM_WITHIN).await?;
        // From here on its bytes are part of what it takes to be read.
        drop(arriving);
        let room = Room {
            _turn: turn,
            _room: room,
        };
        Ok(Self { bytes, room })
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

/// Errors: `Unavailable` when there is no such room in time.
async fn find(rooms: &Arc<Semaphore>, mebibytes: usize, within: Duration) -> Result<OwnedSemaphorePermit, Error> {
    let mebibytes = u32::try_from(mebibytes).map_err(Error::internal)?;
    match timeout(within, Arc::clone(rooms).acquire_many_owned(mebibytes)).await {
        Ok(room) => room.map_err(Error::internal),
        Err(_) => Err(Error::Unavailable("other files are being read")),
    }
}

/// All of a file, and the room of its bytes.
async fn receive(
    bodies: &Arc<Semaphore>,
    mut payload: Payload,
    pace: Duration,
) -> Result<(Vec<u8>, OwnedSemaphorePermit), ImmutableError> {
    let mut bytes = Vec::new();
    let mut room = find(bodies, 1, ROOM_WITHIN).await?;
    loop {
        let length = room.num_permits().saturating_mul(MIB);
        // No more than its room: growing by itself it would take twice as much.
        bytes.reserve_exact(length.saturating_sub(bytes.len()));
        let filled = timeout(pace, fill(&mut bytes, length, &mut payload)).await;
        let late = |_| ImmutableError::FileSlow {
            mebibyte_seconds: pace.as_secs(),
        };
        let Some(beyond) = filled.map_err(late)?? else {
            return Ok((bytes, room));
        };
        let size = bytes.len().saturating_add(beyond.len());
        if size > SIZE_BYTES_MAX {
            return Err(Unserved::BodyTooLarge { max: SIZE_BYTES_MAX }.into());
        }
        let more = size.div_ceil(MIB).saturating_sub(room.num_permits());
        room.merge(find(bodies, more, ROOM_WITHIN).await?);
        bytes.extend_from_slice(&beyond);
    }
}

/// Takes what arrives up to a length. Returns what goes beyond it; none at the end of the file.
async fn fill(bytes: &mut Vec<u8>, length: usize, payload: &mut Payload) -> Result<Option<Bytes>, ImmutableError> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Unread::EndedEarly)?;
        if bytes.len().saturating_add(chunk.len()) > length {
            return Ok(Some(chunk));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use actix_web::error::PayloadError;
    use futures_util::stream::{self, LocalBoxStream};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    /// Chunks of so many bytes; then the end, or nothing for ever.
    fn payload(chunks: &[usize], ends: bool) -> Payload {
        let chunks: Vec<_> = chunks.iter().map(|size| Ok(Bytes::from(vec![b'x'; *size]))).collect();
        let chunks: LocalBoxStream<'static, Result<Bytes, PayloadError>> = match ends {
            true => Box::pin(stream::iter(chunks)),
            false => Box::pin(stream::iter(chunks).chain(stream::pending())),
        };
        Payload::Stream { payload: chunks }
    }

    #[actix_web::test]
    async fn a_file_takes_as_much_room_as_has_arrived() {
        let bodies = Arc::new(Semaphore::new(64));
        for (chunks, taken) in [
            (vec![], 1),
            (vec![1], 1),
            (vec![MIB - 1, 1], 1),
            (vec![MIB, 1], 2),
            (vec![MIB - 1, 2], 2),
            (vec![3 * MIB + 1], 4),
            (vec![MIB; 32], 32),
        ] {
            let (bytes, room) = receive(&bodies, payload(&chunks, true), LONG).await.unwrap();

            assert_eq!(bytes.len(), chunks.iter().sum::<usize>());
            assert_eq!(64 - bodies.available_permits(), taken, "{chunks:?}");
            assert!(bytes.capacity() <= taken * MIB, "{} of {taken} MiB", bytes.capacity());
            drop(room);
            assert_eq!(bodies.available_permits(), 64);
        }
    }

    #[actix_web::test]
    async fn a_file_of_32_mib_is_taken_and_no_larger_one() {
        let bodies = Arc::new(Semaphore::new(64));
        let mut chunks = vec![MIB; 32];
        assert!(receive(&bodies, payload(&chunks, true), LONG).await.is_ok());

        chunks.push(1);
        let larger = receive(&bodies, payload(&chunks, true), LONG).await;

        assert!(matches!(
            larger,
            Err(ImmutableError::Unserved(Unserved::BodyTooLarge { max: SIZE_BYTES_MAX }))
        ));
        assert_eq!(bodies.available_permits(), 64);
    }

    #[actix_web::test]
    async fn a_file_that_does_not_keep_pace_is_sent_away_and_holds_nothing() {
        let bodies = Arc::new(Semaphore::new(64));
        for chunks in [vec![], vec![1], vec![MIB, MIB, 1]] {
            let slow = timeout(LONG, receive(&bodies, payload(&chunks, false), SHORT)).await;

            assert!(matches!(slow, Ok(Err(ImmutableError::FileSlow { .. }))), "{chunks:?}");
            assert_eq!(bodies.available_permits(), 64);
        }
    }

    #[actix_web::test]
    async fn each_mib_has_its_own_time_however_long_the_file_takes() {
        let bodies = Arc::new(Semaphore::new(64));
        let halves = stream::iter([MIB / 2; 24]).then(|size| async move {
            tokio::time::sleep(2 * SHORT).await;
            Ok(Bytes::from(vec![b'x'; size]))
        });
        let payload: LocalBoxStream<'static, Result<Bytes, PayloadError>> = Box::pin(halves);

        // 24 times 40 ms are more than 600, and three times 40 are not.
        let file = receive(&bodies, Payload::Stream { payload }, 30 * SHORT).await;

        assert!(file.is_ok());
    }

    #[actix_web::test]
    async fn without_room_a_file_waits_and_is_sent_away_in_time() {
        let rooms = Arc::new(Semaphore::new(40));
        let first = find(&rooms, 32, SHORT).await.unwrap();

        let second = find(&rooms, 9, SHORT).await;
        let small = find(&rooms, 8, SHORT).await;

        assert!(matches!(second, Err(Error::Unavailable(_))));
        assert!(small.is_ok(), "a small one has room beside it");
        let (waiting, ()) = tokio::join!(find(&rooms, 32, LONG), async { drop(first) });
        assert!(waiting.is_ok(), "it waits for room");
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
        let (third, ()) = tokio::join!(turn(&arrivals, game, LONG), async { drop(first) });
        assert!(third.is_ok(), "it waits for the one before it");
        drop(third);
        assert!(turn(&arrivals, game, SHORT).await.is_ok());
    }
}
