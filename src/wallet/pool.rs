use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// Hashes that may wait for a core, per core: about a second of waiting before a caller is told 503 instead.
const WAITING_PER_CORE: usize = 32;

/// Where Argon2 runs: as many at a time as there are cores and a bounded number waiting, so that guesses cannot starve
/// the server.
#[derive(Clone)]
pub(super) struct HashPool {
    seats: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

/// A core that is ours until this is dropped.
pub(super) struct Seat {
    _seat: OwnedSemaphorePermit,
    _core: OwnedSemaphorePermit,
}

impl HashPool {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with(cores, cores.saturating_mul(WAITING_PER_CORE))
    }

    fn with(cores: usize, waiting_max: usize) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(cores.saturating_add(waiting_max))),
            cores: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Errors: `Unavailable` when the queue is full.
    pub(super) async fn enter(&self) -> Result<Seat, Error> {
        const FULL: Error = Error::Unavailable("too many codes are being checked");
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| FULL)?;
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(|_| FULL)?;
        Ok(Seat {
            _seat: seat,
            _core: core,
        })
    }
}

impl Seat {
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let task = tokio::task::spawn_blocking(move || {
            let _seat = self;
            work()
        });
        task.await.map_err(Error::internal)?
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_free_seat_is_taken_again() {
        let pool = HashPool::with(1, 1);
        let first = pool.enter().await.unwrap();
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.enter().await.map(drop) }
        });
        while pool.seats.available_permits() > 0 {
            tokio::task::yield_now().await;
        }

        assert!(matches!(pool.enter().await, Err(Error::Unavailable(_))));
        assert_eq!(first.run(|| Ok(7)).await.unwrap(), 7);
        assert!(waiting.await.unwrap().is_ok());
        assert!(pool.enter().await.is_ok());
    }
}
