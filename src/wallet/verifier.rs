use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::attempt::{self, Attempt, Judgement};
use super::memory::Memory;
use super::model::Evidence;
use super::pin::{self, Pin, PinHash};
use super::pool::{HashPool, Seat};
use super::rules::Stage;
use super::{Method, Proof};
use crate::access::Vault;
use crate::ctx::{Actor, Ctx};
use crate::db::Db;
use crate::error::Error;
use crate::types::{Timestamp, UserId};

/// Users whose PINs are being checked at the same time; beyond it some check twice what one check would have told.
const TURNS_MAX: u64 = 10_000;
/// Longer than any check takes.
const TURN_IDLE: Duration = Duration::from_secs(60);

/// Checks codes. Built once; cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    vault: Arc<Vault>,
    pool: HashPool,
    memory: Memory,
    /// One full check per user at a time in this process: the requests that wait find its success in memory.
    turns: Cache<UserId, Arc<Mutex<()>>>,
    /// The runtime that built the verifier, where there is one: a check must outlive the server thread it began on, which
    /// may be told to stop.
    runtime: Option<Handle>,
}

impl Verifier {
    /// Errors: `Unavailable` when the system's random source does not answer.
    pub fn new(vault: Arc<Vault>) -> Result<Self, Error> {
        let turns = Cache::builder().max_capacity(TURNS_MAX).time_to_idle(TURN_IDLE).build();
        let inner = Inner {
            vault,
            pool: HashPool::new(),
            memory: Memory::new()?,
            turns,
            runtime: Handle::try_current().ok(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Shows a code. Spends nothing: [`super::spend`] does, in the transaction of the change.
    ///
    /// A PIN that was right less than a minute ago costs no query and no hash. Otherwise the attempt is counted before
    /// the code is looked at, and a success gives it back; that goes on to its end even when the caller goes away.
    ///
    /// Errors: `ChallengeFailed` with the attempts left for a wrong or used-up code, `Limited` while the method is
    /// locked, `VerificationMissing` when it is not set up (also: not confirmed), `Unavailable` when too many codes wait.
    pub async fn prove(
        &self,
        db: &Db,
        actor: Actor,
        now: Timestamp,
        method: Method,
        code: &SecretString,
    ) -> Result<Proof, Error> {
        let attempt = Attempt {
            actor,
            now,
            method,
            stage: Stage::SetUp,
        };
        match method {
            Method::Pincode => self.prove_pin(db, attempt, code).await,
            Method::Otp | Method::SecretCodes => self.show(db, attempt, code).await,
        }
    }

    /// The proof of a PIN that was right less than a minute ago: no query, no hash. It says nothing about now; spending it
    /// compares version and lock with the database, and answers [`super::Spend::Stale`] when they moved.
    pub fn remembered(&self, actor: Actor, now: Timestamp, method: Method, code: &SecretString) -> Option<Proof> {
        let attempt = Attempt {
            actor,
            now,
            method,
            stage: Stage::SetUp,
        };
        match method {
            Method::Pincode => self.recall(attempt, code),
            Method::Otp | Method::SecretCodes => None,
        }
    }

    /// As [`Self::prove`] without remembered successes: for a proof that turned out stale.
    pub async fn prove_fresh(
        &self,
        db: &Db,
        actor: Actor,
        now: Timestamp,
        method: Method,
        code: &SecretString,
    ) -> Result<Proof, Error> {
        self.inner.memory.forget(actor.user);
        self.prove(db, actor, now, method, code).await
    }

    /// Shows the first code of a one-time password that is being set up; [`super::confirm_otp`] ends the set-up with it.
    ///
    /// Errors: as [`Self::prove`]; `Conflict` when it is confirmed already.
    pub async fn prove_enrolment(&self, db: &Db, ctx: &Ctx, code: &SecretString) -> Result<Proof, Error> {
        let attempt = Attempt {
            actor: ctx.actor,
            now: ctx.now,
            method: Method::Otp,
            stage: Stage::Pending,
        };
        self.show(db, attempt, code).await
    }

    /// What is stored of a new PIN. One at a time per user, like checks: nobody takes more than one core.
    ///
    /// Errors: `Unavailable` when too many codes wait for a core.
    pub async fn hash_pin(&self, user: UserId, pin: Pin) -> Result<PinHash, Error> {
        let _turn = self.turn_of(user).await;
        let seat = self.inner.pool.enter().await?;
        let vault = Arc::clone(&self.inner.vault);
        seat.run(move || pin::hash(&vault, user, &pin)).await
    }

    pub fn vault(&self) -> &Arc<Vault> {
        &self.inner.vault
    }

    async fn show(&self, db: &Db, attempt: Attempt, code: &SecretString) -> Result<Proof, Error> {
        let (vault, code) = (Arc::clone(&self.inner.vault), code.clone());
        db.write(move |tx| attempt::show(tx, &vault, attempt, &code)).await?
    }

    async fn prove_pin(&self, db: &Db, attempt: Attempt, code: &SecretString) -> Result<Proof, Error> {
        if let Some(proof) = self.recall(attempt, code) {
            return Ok(proof);
        }
        let turn = self.turn_of(attempt.actor.user).await;
        if let Some(proof) = self.recall(attempt, code) {
            return Ok(proof);
        }
        let seat = self.inner.pool.enter().await?;
        let (this, db, code) = (self.clone(), db.clone(), code.clone());
        // A task of its own: a caller who hangs up, or a thread that stops, must not leave an attempt counted that was right.
        let check = async move { this.check_pin(&db, attempt, &code, seat, turn).await };
        let check = match &self.inner.runtime {
            Some(runtime) => runtime.spawn(check),
            None => tokio::spawn(check),
        };
        check.await.map_err(Error::internal)?
    }

    pub(super) async fn turn_of(&self, user: UserId) -> OwnedMutexGuard<()> {
        self.inner.turns.get_with(user, Arc::default).lock_owned().await
    }

    fn recall(&self, attempt: Attempt, code: &SecretString) -> Option<Proof> {
        let Actor { user, wallet } = attempt.actor;
        let version = self.inner.memory.recall(user, code, attempt.now)?;
        Some(Proof {
            user,
            wallet,
            version,
            evidence: Evidence::Pin,
        })
    }

    async fn check_pin(
        &self,
        db: &Db,
        attempt: Attempt,
        code: &SecretString,
        seat: Seat,
        turn: OwnedMutexGuard<()>,
    ) -> Result<Proof, Error> {
        let reserved = db.write(move |tx| attempt::reserve(tx, attempt)).await??;
        let stored = reserved.credential.secret.clone();
        let peppered = pin::pepper(&self.inner.vault, attempt.actor.user, code);
        let is_right = seat.run(move || pin::is_right(&stored, &peppered)).await?;
        let judgement = if is_right {
            Judgement::Right(Evidence::Pin)
        } else {
            Judgement::Wrong
        };
        let proof = db.write(move |tx| attempt::settle(tx, &reserved, &judgement)).await??;
        self.inner.memory.remember(proof.user, proof.version, code, attempt.now);
        drop(turn);
        Ok(proof)
    }
}
