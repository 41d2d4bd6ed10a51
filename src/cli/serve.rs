use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, ServeArgs, open, settings};
use crate::app::App;
use crate::config::{Config, Mode, Sources};
use crate::error::Error;
use crate::job::Job;
use crate::server::{self, Shape};
use crate::{compliance, identity, job, operation, telemetry};

/// The background work.
pub(crate) const JOBS: &[Job] = &[Job {
    name: "prune-idempotency-keys",
    run: operation::prune,
}];

pub(super) async fn serve(args: ServeArgs, mut sources: Sources) -> Result<(), Failure> {
    sources
        .flags
        .extend(args.listen.map(|listen| ("server.listen", listen)));
    sources
        .flags
        .extend(args.metrics_listen.map(|listen| ("metrics.listen", listen)));
    let config = settings(&sources)?;
    telemetry::start_logs(&config.log).map_err(Failure::usage)?;
    let app = open(&config)?;
    prepare(&app, config.mode, !args.no_migrate).await?;
    let listener = bind(config.server.listen)?;
    let metrics = bind(config.metrics_listen)?;
    let cancel = CancellationToken::new();
    if !args.no_workers {
        job::start(app.db().clone(), cancel.clone(), clock_of(&app), JOBS);
    }
    run(app, &config, listener, metrics, cancel).await
}

pub(super) async fn work(sources: &Sources) -> Result<(), Failure> {
    let config = settings(sources)?;
    telemetry::start_logs(&config.log).map_err(Failure::usage)?;
    let app = open(&config)?;
    let cancel = CancellationToken::new();
    job::start(app.db().clone(), cancel.clone(), clock_of(&app), JOBS);
    tracing::info!("working in the background; SIGTERM stops");
    stop_signal().await?;
    cancel.cancel();
    Ok(())
}

fn clock_of(app: &App) -> impl Fn() -> crate::types::Timestamp + Send + Sync + 'static {
    let app = app.clone();
    move || app.now()
}

/// Brings schema, topics and policy into the state that serving needs.
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
    }
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
    metrics::gauge!("policy_active").set(if in_force { 1.0 } else { 0.0 });
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

async fn stop_signal() -> Result<(), Failure> {
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
