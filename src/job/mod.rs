//! Background work, and the leases that keep two processes from doing it at once.
//!
//! *Lease*: a row that says who may do a job until when. *Fencing token*: a number that grows with every change of hands;
//! what a former holder writes with an old token is refused. A process that dies simply lets its lease run out.

mod store;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::db::{Db, Tx};
use crate::error::Error;
use crate::types::{RequestId, Timestamp};

/// How often the jobs look whether there is something to do.
const PERIOD: Duration = Duration::from_secs(60);
/// A lease outlives two periods, so that a holder that is merely slow keeps it.
const LEASE_SECONDS: i64 = 150;

/// A job that was handed over, with its fencing token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub owner: String,
    pub fence: i64,
}

/// Takes or extends the lease; none while somebody else holds it.
pub fn acquire(tx: &mut Tx<'_>, name: &str, owner: &str, now: Timestamp) -> Result<Option<Lease>, Error> {
    acquire_for(tx, name, owner, now, LEASE_SECONDS)
}

/// As [`acquire`], for so many seconds from now.
pub fn acquire_for(
    tx: &mut Tx<'_>,
    name: &str,
    owner: &str,
    now: Timestamp,
    seconds: i64,
) -> Result<Option<Lease>, Error> {
    let fence = store::acquire(tx, name, owner, now, now.plus_seconds(seconds))?;
    Ok(fence.map(|fence| Lease {
        name: name.to_owned(),
        owner: owner.to_owned(),
        fence,
    }))
}

/// Lets a lease go, so that the next holder need not wait for its end.
pub fn release(tx: &mut Tx<'_>, lease: &Lease, now: Timestamp) -> Result<(), Error> {
    store::release(tx, &lease.name, &lease.owner, lease.fence, now)
}

/// Fails when the lease went to somebody else: the work done under it must not be committed. Nobody can take it over
/// before this transaction ends.
pub fn require(tx: &mut Tx<'_>, lease: &Lease) -> Result<(), Error> {
    if store::holds(tx, &lease.name, &lease.owner, lease.fence)? {
        return Ok(());
    }
    Err(Error::Conflict(format!("the lease {} has another holder", lease.name)))
}

/// One piece of housekeeping: what it is called, and what it does in one transaction. Returns how many rows it touched.
#[derive(Clone, Copy)]
pub struct Job {
    pub name: &'static str,
    pub run: fn(&mut Tx<'_>, Timestamp) -> Result<usize, Error>,
}

/// Starts the jobs of this process; they end with the token.
pub fn start(
    db: Db,
    cancel: CancellationToken,
    now: impl Fn() -> Timestamp + Send + Sync + 'static,
    jobs: &'static [Job],
) {
    let owner = RequestId::generate().to_string();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(PERIOD);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            for job in jobs {
                work(&db, &owner, now(), *job).await;
            }
        }
    });
}

async fn work(db: &Db, owner: &str, now: Timestamp, job: Job) {
    let owner = owner.to_owned();
    let done = db.write(move |tx| {
        let Some(lease) = acquire(tx, job.name, &owner, now)? else {
            return Ok(0);
        };
        let rows = (job.run)(tx, now)?;
        require(tx, &lease)?;
        Ok(rows)
    });
    match done.await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(job = job.name, rows, "housekeeping done"),
        Err(error) => {
            metrics::counter!("job_failures_total", "job" => job.name).increment(1);
            tracing::warn!(job = job.name, %error, "housekeeping failed and is tried again in a minute");
        }
    }
}
