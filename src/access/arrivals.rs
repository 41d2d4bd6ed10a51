use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::types::EnvironmentId;

/// Environments that have a file in memory: one each, so that none takes the room of all the others.
#[derive(Default)]
pub struct Arrivals {
    held: Mutex<HashSet<EnvironmentId>>,
    left: Notify,
}

/// The turn of an environment, until it is dropped.
pub struct Arrival {
    arrivals: Arc<Arrivals>,
    environment: EnvironmentId,
}

impl Arrivals {
    /// Waits while another file of the environment is there.
    pub async fn enter(self: &Arc<Self>, environment: EnvironmentId) -> Arrival {
        loop {
            // Before the look: who leaves after it wakes us.
            let left = self.left.notified();
            if self.held().insert(environment) {
                let arrivals = Arc::clone(self);
                return Arrival { arrivals, environment };
            }
            left.await;
        }
    }

    fn held(&self) -> MutexGuard<'_, HashSet<EnvironmentId>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.arrivals.held().remove(&self.environment);
        self.arrivals.left.notify_waiters();
    }
}
