//! What every request needs, built once. Nothing else may grow here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::access::{Door, Gate, KeyKind, RateLimit, Vault};
use crate::chain::Rpc;
use crate::config::{Config, Mode};
use crate::ctx::{Actor, Ctx};
use crate::custody::Custody;
use crate::db::{Db, Settings};
use crate::error::Error;
use crate::mint::Lanes;
use crate::policy::PolicySet;
use crate::types::{Currency, RequestId, Timestamp};
use crate::wallet::Verifier;
use crate::webhook::TargetRules;

/// Where the time comes from: the only place that reads the wall clock.
#[derive(Debug)]
pub enum Clock {
    System,
    /// Stands still until a test moves it; microseconds since 1970.
    Movable(AtomicI64),
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one clock of the program")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_micros(chrono::Utc::now().timestamp_micros()),
            Self::Movable(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// A clock for tests that begins at the present.
    pub fn movable() -> Self {
        Self::Movable(AtomicI64::new(Self::System.now().micros()))
    }

    /// Moves a movable clock; the system's clock is nobody's to move.
    pub fn advance(&self, seconds: i64) {
        if let Self::Movable(micros) = self {
            micros.fetch_add(seconds.saturating_mul(Timestamp::SECOND), Ordering::SeqCst);
        }
    }
}

#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    vault: Arc<Vault>,
    key_kind: KeyKind,
    verifier: Verifier,
    door: Door,
    gate: Gate,
    targets: TargetRules,
    policy: Arc<PolicySet>,
    lanes: Lanes,
    rpc: Option<Arc<Rpc>>,
    clock: Arc<Clock>,
    body_bytes_max: usize,
    body_within: Duration,
    proxies: usize,
    base_currency: Option<Currency>,
    chain: Option<ChainName>,
    custody: Option<Custody>,
    email_retention_days: u32,
}

/// The chain that this process is told to settle on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainName {
    /// EIP-155.
    pub id: u64,
    /// What people call it.
    pub name: String,
}

impl App {
    pub fn new(config: &Config, policy: PolicySet, clock: Clock) -> Result<Self, Error> {
        let db = Db::connect(&Settings {
            url: config.database.url.clone(),
            connections_max: config.database.connections_max,
            wait: config.database.wait,
        })?;
        let key_kind = match config.mode {
            Mode::Development => KeyKind::Test,
            Mode::Production => KeyKind::Live,
        };
        let vault = Arc::new(Vault::new(&config.secrets.pepper, &config.secrets.data_key));
        let policy = Arc::new(policy);
        let clock = Arc::new(clock);
        let reading = Arc::clone(&clock);
        let rpc = config.chain.as_ref().map(Rpc::connect).transpose();
        let inner = Inner {
            rpc: rpc.map_err(Error::internal)?.map(Arc::new),
            door: Door::new(
                db.clone(),
                Arc::clone(&vault),
                key_kind,
                RateLimit::per_minute(config.rate_api_key),
            )?,
            gate: Gate::new(&config.minting, config.chain.as_ref().map(|chain| chain.id)),
            targets: TargetRules::new(&config.webhooks.private_networks),
            proxies: config.server.proxies,
            verifier: Verifier::new(Arc::clone(&vault))?,
            lanes: Lanes::new(
                db.clone(),
                Arc::clone(&policy),
                Arc::new(move || reading.now()),
                config.base_currency,
                &config.lanes,
            )?,
            db,
            vault,
            key_kind,
            policy,
            clock,
            body_bytes_max: config.server.body_bytes_max,
            body_within: config.server.body,
            custody: config.certhis.custody.as_ref().map(Custody::open).transpose()?,
            email_retention_days: config.certhis.email_retention_days,
            base_currency: config.base_currency,
            chain: config.chain.as_ref().map(|chain| ChainName {
                id: chain.id,
                name: chain.name.clone(),
            }),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub fn vault(&self) -> &Arc<Vault> {
        &self.inner.vault
    }

    /// What new API keys of this server are called: live in production, else test.
    pub fn key_kind(&self) -> KeyKind {
        self.inner.key_kind
    }

    pub fn verifier(&self) -> &Verifier {
        &self.inner.verifier
    }

    pub fn door(&self) -> &Door {
        &self.inner.door
    }

    /// Of the minting API.
    pub fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    /// Where webhooks may be sent.
    pub fn targets(&self) -> &TargetRules {
        &self.inner.targets
    }

    /// Proxies of ours between a caller and this server.
    pub fn proxies(&self) -> usize {
        self.inner.proxies
    }

    pub fn policy(&self) -> &Arc<PolicySet> {
        &self.inner.policy
    }

    pub fn lanes(&self) -> &Lanes {
        &self.inner.lanes
    }

    /// Where the chain that this deployment settles on is asked, if there is one.
    pub fn rpc(&self) -> Option<&Arc<Rpc>> {
        self.inner.rpc.as_ref()
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// A larger body is refused before it is read.
    pub fn body_bytes_max(&self) -> usize {
        self.inner.body_bytes_max
    }

    /// How long a body may take to arrive.
    pub fn body_within(&self) -> Duration {
        self.inner.body_within
    }

    pub fn base_currency(&self) -> Option<Currency> {
        self.inner.base_currency
    }

    pub fn chain(&self) -> Option<&ChainName> {
        self.inner.chain.as_ref()
    }

    /// What the wallets of e-mail recipients are made from; none where there are none.
    pub fn custody(&self) -> Option<&Custody> {
        self.inner.custody.as_ref()
    }

    /// How long the e-mail address of a recipient is kept.
    pub fn email_retention_days(&self) -> u32 {
        self.inner.email_retention_days
    }

    /// The context of a request that arrives now.
    pub fn ctx(&self, actor: Actor, request_id: RequestId) -> Ctx {
        Ctx {
            actor,
            request_id,
            now: self.now(),
        }
    }
}
