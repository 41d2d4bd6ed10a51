//! From settings to a running server: what every subcommand that serves has in common.

mod database;

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::immutable;
use crate::app::App;
use crate::chain::{self, Signer};
use crate::config::{Config, Mode, Sources, Webhooks};
use crate::error::Error;
use crate::job::Job;
use crate::operation::OperationKind;
use crate::policy::PolicySet;
use crate::server::{self, Shape};
use crate::settlement::sender::{Attention, Policy};
use crate::settlement::{self, Driver, Ruling};
use crate::webhook::{self, Deliverer, Renderers, Scheme};
use crate::{
    api, asset, certhis, collection, compliance, identity, job, mint, operation, policy, servicing, telemetry,
};

pub(crate) use database::{create_folder_of_database, expect_ours, expect_secrets, open, open_existing};

/// The background work.
const JOBS: &[Job] = &[
    Job {
        name: "prune-idempotency-keys",
        run: operation::prune,
    },
    Job {
        name: "prune-certhis-challenges",
        run: certhis::prune_challenges,
    },
    Job {
        name: "forget-certhis-emails",
        run: certhis::forget_emails,
    },
    Job {
        name: "prune-webhook-deliveries",
        run: webhook::prune,
    },
    Job {
        name: "prune-mint-files",
        run: collection::prune_files,
    },
];

/// Of [`work_off_files`] in the metrics.
const FILES: &str = "mint-files";
/// How often files of mint requests are looked for.
const FILES_LOOKED_FOR: Duration = Duration::from_secs(1);

/// How long a stop waits for settlement, which may be waiting for a node, and for deliveries that are being sent.
const WORK_STOPS_WITHIN: Duration = Duration::from_secs(5);

/// Why a subcommand ended, and with which exit code.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    /// Nothing was done: settings, arguments or the place are wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            message: message.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: 1,
            message: error.to_string(),
        }
    }
}

/// The settings, or all that is wrong with them.
pub(crate) fn settings(sources: &Sources) -> Result<Config, Failure> {
    Config::load(sources).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::usage(format!("settings are wrong or missing:\n  {}", lines.join("\n  ")))
    })
}

fn load_policies(config: &Config) -> Result<PolicySet, Failure> {
    let told = |errors: Vec<policy::PolicyError>| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::usage(format!(
            "the policies in {} do not load:\n{}",
            config.policies.display(),
            lines.join("\n")
        ))
    };
    let set = policy::load(&config.policies).map_err(told)?;
    compliance::admit(&set).map_err(told)?;
    Ok(set)
}

/// Starts the background work of this process, housekeeping and deliveries; it ends with the token.
pub(crate) fn work(app: &App, config: &Config, cancel: CancellationToken) -> JoinHandle<()> {
    let clock = app.clone();
    job::start(app.db().clone(), cancel.clone(), move || clock.now(), JOBS);
    tokio::spawn(work_off_files(app.clone(), cancel.clone()));
    tokio::spawn(Arc::new(deliverer(app, &config.webhooks)).run(cancel))
}

/// Tells webhooks what happened, each in the words of its scheme.
pub fn deliverer(app: &App, settings: &Webhooks) -> Deliverer {
    let clock = app.clone();
    let renderers = Renderers::default()
        .with(Scheme::Immutable, immutable::webhook_render(app.gate()))
        .with(Scheme::Certhis, api::certhis::webhook_render(app))
        .with_personal(Scheme::Certhis, api::certhis::webhook_recipient(app));
    let (db, vault) = (app.db().clone(), Arc::clone(app.vault()));
    Deliverer::new(db, vault, settings, renderers, move || clock.now())
}

/// Works off files of mint requests, part by part; processes share them.
async fn work_off_files(app: App, cancel: CancellationToken) {
    while !cancel.is_cancelled() {
        match collection::work_off_files(app.db(), app.policy(), || app.now(), &cancel).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => {
                metrics::counter!("job_failures_total", "job" => FILES).increment(1);
                tracing::warn!(%error, "files of mint requests are looked for again in a moment");
            }
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(FILES_LOOKED_FOR) => {}
        }
    }
}

/// Starts settlement on the configured chain, if there is one; it ends with the token.
///
/// A node that serves another chain, or a state of it that this database does not know, stops the start: what we sent
/// there would be lost. A node that is away does not: operations are accepted and wait.
///
/// `owner` names this process in the sender's lease. Whoever comes back under the same name goes on at once.
pub(crate) async fn settle(
    app: &App,
    config: &Config,
    owner: String,
    cancel: CancellationToken,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let (Some(chain), Some(rpc)) = (&config.chain, app.rpc()) else {
        return Ok(None);
    };
    let rpc = Arc::clone(rpc);
    let signer = Signer::open(&chain.signer)
        .await
        .map_err(|failure| Failure::usage(failure.to_string()))?;
    let gas_per_transaction_max = chain.gas_per_transaction_max;
    let policy = match chain.is_local() {
        true => Policy::local(chain.fee_max, chain.in_flight_max, gas_per_transaction_max),
        false => Policy::public(chain.fee_max, chain.in_flight_max, gas_per_transaction_max),
    };
    let clock = app.clone();
    let driver = Driver {
        db: app.db().clone(),
        rpc,
        signer: Arc::new(signer),
        settings: settlement::Settings {
            policy,
            gas_per_transaction_max,
            poll: chain.poll,
        },
        now: Arc::new(move || clock.now()),
        owner,
        judging: judging(app),
    };
    match driver.rpc.verify_chain_id().await {
        Ok(()) => join_chain(&driver).await?,
        Err(chain::Failure::WrongChain {
            endpoint,
            expected,
            found,
        }) => {
            return Err(Failure::usage(format!(
                "{endpoint} serves chain {found}, not {expected}: see chain.id and chain.rpc"
            )));
        }
        Err(failure) => tracing::warn!(%failure, "the chain is away: operations are accepted and wait for it"),
    }
    tracing::info!(chain = chain.id, name = %chain.name, "settling on this chain");
    Ok(Some(tokio::spawn(driver.run(cancel))))
}

/// How settlement asks about operations that wait.
pub fn judging(app: &App) -> settlement::Judging {
    let app = app.clone();
    Arc::new(move |tx, asset, kind, waiting| match kind {
        OperationKind::Mint if asset::find(tx, asset)?.kind.is_collection() => {
            let requests: Vec<_> = waiting.iter().flat_map(settlement::Sendable::numbered).collect();
            let found = collection::judge_again(tx, app.policy(), asset, &requests, app.now())?;
            let rulings = found
                .iter()
                .filter_map(|(number, found)| Some((*number, Ruling::of(found)?)));
            Ok(rulings.collect())
        }
        OperationKind::Mint => mint::again(tx, app.lanes().judge(), asset, waiting),
        OperationKind::ForcedTransfer => servicing::judge_transfers(tx, app.policy(), asset, waiting, app.now()),
        // Nobody receives anything.
        OperationKind::Create
        | OperationKind::Adopt
        | OperationKind::Burn
        | OperationKind::Pause
        | OperationKind::Unpause
        | OperationKind::SetCap
        | OperationKind::FreezeAddress
        | OperationKind::Observed => Ok(HashMap::new()),
    })
}

/// Waits until settlement has put its work down and let the key go; what it was doing is in the database either way.
pub(crate) async fn settled(settling: Option<JoinHandle<()>>) {
    if let Some(settling) = settling
        && tokio::time::timeout(WORK_STOPS_WITHIN, settling).await.is_err()
    {
        tracing::warn!("settlement did not stop in time; the next process waits for the end of its lease");
    }
}

/// Waits until what is being sent has arrived; what has not is sent again when its lease ends.
pub(crate) async fn delivered(delivering: Option<JoinHandle<()>>) {
    if let Some(delivering) = delivering
        && tokio::time::timeout(WORK_STOPS_WITHIN, delivering).await.is_err()
    {
        tracing::warn!("deliveries did not stop in time; they are made again by the next process");
    }
}

async fn join_chain(driver: &Driver) -> Result<(), Failure> {
    match driver.join().await {
        Err(Error::Conflict(problem)) => Err(Failure::usage(problem)),
        // It went away again: the driver joins when it is back.
        Ok(()) | Err(Error::Unavailable(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Brings schema, topics and policy into the state that serving needs, and refuses other secrets than the database's.
///
/// In development the loaded policy is put in force. In production another policy than the one in force stays out of
/// force until an operator says so (`moneyer admin policy activate`): until then mints are refused.
pub(crate) async fn prepare(app: &App, mode: Mode, migrate: bool) -> Result<(), Failure> {
    if migrate {
        let db = app.db().clone();
        let report = tokio::task::spawn_blocking(move || db.migrate(false))
            .await
            .map_err(Error::internal)??;
        tracing::info!(
            applied = report.applied.len(),
            database = app.db().kind(),
            "the schema is up to date"
        );
    } else {
        database::expect_schema(app).await?;
    }
    database::keep_secrets(app).await?;
    let policy = std::sync::Arc::clone(app.policy());
    let now = app.now();
    let in_force = app
        .db()
        .write(move |tx| {
            identity::seed_topics(tx, now)?;
            compliance::record_policy(tx, &policy, now)?;
            let active = compliance::active_policy(tx)?;
            if mode == Mode::Development || active.is_none() {
                compliance::activate_policy(tx, &policy, "system", now)?;
            }
            Ok(compliance::active_policy(tx)? == Some(policy.hash))
        })
        .await?;
    if !in_force {
        tracing::error!(
            loaded = %app.policy().hash,
            "another policy is in force: mints are refused until `moneyer admin policy activate`"
        );
    }
    Ok(())
}

pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| Failure::usage(format!("cannot listen on {address}: {error}")))
}

/// Serves until a signal, then stops without losing a request.
pub(crate) async fn run(
    app: App,
    config: &Config,
    listener: TcpListener,
    metrics: TcpListener,
    cancel: CancellationToken,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("cannot serve: {error}"));
    let recorder = telemetry::start_metrics().map_err(Failure::usage)?;
    begin_counters(config);
    let shape = Shape {
        workers: config.server.workers,
        stop: config.server.stop,
    };
    let address = listener.local_addr().map_err(failed)?;
    let (metrics_handle, metrics_server) = server::start_metrics(app.clone(), recorder, metrics).map_err(failed)?;
    let (running, serving) = server::start(app, listener, shape).map_err(failed)?;
    tracing::info!(%address, "serving");
    tokio::spawn(metrics_server);
    let mut serving = tokio::spawn(serving);
    tokio::select! {
        stopped = &mut serving => {
            stopped.map_err(Error::internal)?.map_err(failed)?;
        }
        signal = stop_signal() => {
            signal?;
            tracing::info!("stopping: requests in progress are answered first");
            cancel.cancel();
            running.stop().await;
            metrics_handle.stop(false).await;
        }
    }
    tracing::info!("stopped");
    // Whatever was logged last reaches the terminal.
    tokio::time::sleep(Duration::from_millis(10)).await;
    Ok(())
}

/// What an alarm is set on is there before it happens, with every value that its label has.
fn begin_counters(config: &Config) {
    for job in JOBS.iter().map(|job| job.name).chain([FILES]) {
        metrics::counter!("job_failures_total", "job" => job).increment(0);
    }
    let reasons = Attention::ALL.map(Attention::code).into_iter();
    for reason in reasons.chain(["drift", "token_refuses"]) {
        metrics::counter!("settlement_alarms_total", "reason" => reason).increment(0);
    }
    for endpoint in config.chain.iter().flat_map(|chain| &chain.rpc) {
        metrics::counter!("chain_endpoint_failures_total", "endpoint" => endpoint.to_string()).increment(0);
    }
}

pub(crate) async fn stop_signal() -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure {
        code: 1,
        message: format!("cannot wait for signals: {error}"),
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
