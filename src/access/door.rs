//! Who is calling. Requests that arrive while the database looks keys up are looked up together by the next query: at
//! full load one query answers for all that wait, at rest each goes at once. Nothing is cached: every answer is read
//! after its request arrived, so that a disabled key is refused from the next request on, on every replica.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::rules::Candidate;
use super::{ApiKey, Authenticated, KeyKind, RateLimit, Vault, rules, store};
use crate::db::Db;
use crate::error::Error;
use crate::types::{KeyId, Timestamp};

type Found = Result<Option<Candidate>, Error>;

/// Admits callers by their API keys.
#[derive(Clone)]
pub struct Door {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    vault: Arc<Vault>,
    kind: KeyKind,
    rate: RateLimit,
    queue: Mutex<Queue>,
    /// Where look-ups run: not on the thread of the request that set them going, which may end before they do.
    runtime: Handle,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(KeyId, oneshot::Sender<Found>)>,
    is_running: bool,
}

impl Door {
    /// `kind` is what keys of this server are called: a live server opens to no test key.
    ///
    /// Errors: outside of a tokio runtime, which the look-ups run on.
    pub fn new(db: Db, vault: Arc<Vault>, kind: KeyKind, rate: RateLimit) -> Result<Self, Error> {
        let inner = Inner {
            db,
            vault,
            kind,
            rate,
            queue: Mutex::default(),
            runtime: Handle::try_current().map_err(Error::internal)?,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Errors: `Unauthenticated` for a key that is malformed, unknown, disabled, expired or of the wrong kind; `Limited`.
    pub async fn admit(&self, token: &str, now: Timestamp) -> Result<Authenticated, Error> {
        let key = ApiKey::parse(token).ok_or(Error::Unauthenticated)?;
        if self.inner.kind == KeyKind::Live && key.kind() == KeyKind::Test {
            return Err(Error::Unauthenticated);
        }
        let candidate = self.look_up(key.id().clone()).await?.ok_or(Error::Unauthenticated)?;
        let known = rules::admit(candidate, key.hash(&self.inner.vault), now)?;
        self.inner.rate.count(&known.key_id)?;
        Ok(known)
    }

    async fn look_up(&self, id: KeyId) -> Found {
        let (reply, found) = oneshot::channel();
        if self.inner.push(id, reply) {
            self.inner.runtime.spawn(Arc::clone(&self.inner).run());
        }
        found.await.map_err(|_| Error::Unavailable("the server is stopping"))?
    }
}

impl Inner {
    /// True when nobody looks anything up and the caller has to set it going.
    fn push(&self, id: KeyId, reply: oneshot::Sender<Found>) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push((id, reply));
        !std::mem::replace(&mut queue.is_running, true)
    }

    fn take(&self) -> Vec<(KeyId, oneshot::Sender<Found>)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.is_running = !queue.waiting.is_empty();
        std::mem::take(&mut queue.waiting)
    }

    async fn run(self: Arc<Self>) {
        loop {
            let waiting = self.take();
            if waiting.is_empty() {
                return;
            }
            let mut ids: Vec<KeyId> = waiting.iter().map(|(id, _)| id.clone()).collect();
            ids.sort_unstable();
            ids.dedup();
            let found = self.db.read(move |tx| store::candidates(tx, &ids)).await;
            answer(waiting, &found);
        }
    }
}

fn answer(waiting: Vec<(KeyId, oneshot::Sender<Found>)>, found: &Result<HashMap<KeyId, Candidate>, Error>) {
    for (id, reply) in waiting {
        let answer = match found {
            Ok(candidates) => Ok(candidates.get(&id).cloned()),
            Err(Error::Unavailable(reason)) => Err(Error::Unavailable(reason)),
            Err(other) => Err(Error::internal(other.to_string())),
        };
        // The caller may have gone away.
        let _ = reply.send(answer);
    }
}
