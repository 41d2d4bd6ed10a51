//! Logs and metrics: the set-up, and the names that dashboards know.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Bounds of the latency histograms, in seconds: from a read in memory to a request that waited for a lock.
const LATENCY_BOUNDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// What an alarm is set on.
const RARE: [&str; 11] = [
    "db_retries_total",
    "settlement_bumps_total",
    "settlement_reorgs_total",
    "settlement_fillers_total",
    "settlement_refused_total",
    "settlement_failures_total",
    "settlement_watch_failures_total",
    "settlement_signer_failures_total",
    "panics_total",
    "webhook_given_up_total",
    "webhook_delivery_failures_total",
];

/// Starts logging to standard output: one JSON object per line, or text for a terminal.
pub fn start_logs(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| format!("log.filter: {error}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match log.format {
        LogFormat::Json => registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true))
            .try_init(),
        LogFormat::Pretty => {
            let layer = tracing_subscriber::fmt::layer().compact();
            // Colours are for eyes: in a file or a pipe they are noise. On a terminal NO_COLOR decides.
            let layer = match std::io::stdout().is_terminal() {
                true => layer,
                false => layer.with_ansi(false),
            };
            registry.with(layer).try_init()
        }
    };
    started.map_err(|error| error.to_string())
}

/// Only warnings, on standard error: for a subcommand whose result is what it prints.
pub fn start_warnings() -> Result<(), String> {
    let layer = tracing_subscriber::fmt::layer().compact().with_writer(std::io::stderr);
    let layer = layer.with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(EnvFilter::new("warn,r2d2=off"));
    registry.with(layer).try_init().map_err(|error| error.to_string())
}

/// Installs the recorder of the whole process. The handle renders the text that the metrics listener serves.
pub fn start_metrics() -> Result<PrometheusHandle, String> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCY_BOUNDS)
        .map_err(|error| error.to_string())?;
    let handle = builder.install_recorder().map_err(|error| error.to_string())?;
    describe();
    // A counter that is there from the start can be watched: one that appears with its first event hides it.
    for name in RARE {
        metrics::counter!(name).increment(0);
    }
    for result in ["delivered", "retried", "failed", "lost"] {
        metrics::counter!("webhook_deliveries_total", "result" => result).increment(0);
    }
    for reason in [
        "not_looked",
        "attention",
        "in_flight",
        "gap",
        "fee_ceiling",
        "funds",
        "signer",
    ] {
        metrics::counter!("settlement_no_room_total", "reason" => reason).increment(0);
    }
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_histogram!(
        "http_server_request_duration_seconds",
        "Time to answer, by route, method and status"
    );
    describe_counter!(
        "mints_total",
        "Mint requests by result: accepted, refused, replayed, error"
    );
    describe_counter!("mint_recipients_total", "Recipients of accepted mints");
    describe_histogram!("mint_commit_seconds", "Time of one commit of a mint lane");
    describe_histogram!("mint_commit_recipients", "Recipients that share one commit");
    describe_gauge!("mint_lane_waiting", "Recipients that wait in the mint lanes");
    describe_counter!("refusals_total", "Refused lines by slug");
    describe_counter!("wallet_verification_total", "Wallet verifications by method and result");
    describe_counter!(
        "db_retries_total",
        "Transactions that lost against another one and ran again"
    );
    describe_gauge!("db_connections_in_use", "Database connections in use");
    describe_counter!("job_failures_total", "Housekeeping jobs that failed, by name");
    describe_counter!("panics_total", "Requests that ended in a panic: always a defect");
    describe_counter!(
        "chain_rpc_requests_total",
        "Questions to the chain's nodes by method and outcome: ok, refused, unsent, unanswered"
    );
    describe_histogram!("chain_rpc_seconds", "Time of one request to a node, by method");
    describe_gauge!("chain_head", "The highest block that was seen");
    describe_counter!(
        "chain_endpoint_failures_total",
        "Readings and offers that an endpoint failed, by its host"
    );
    describe_settlement();
    describe_webhooks();
    describe_gauge!("policy_active", "1 while the loaded policy is the one in force, else 0");
}

/// Measures how long something took.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

fn describe_settlement() {
    use metrics::{describe_counter, describe_gauge};
    describe_gauge!(
        "settlement_waiting",
        "Operations that wait to be taken into a transaction"
    );
    describe_gauge!("settlement_in_flight", "Transactions that are not mined yet");
    describe_gauge!(
        "settlement_oldest_in_flight_seconds",
        "Age of the oldest transaction that is not mined"
    );
    describe_gauge!(
        "settlement_oldest_held_seconds",
        "Age of the oldest operation that is accepted and waits for something"
    );
    describe_gauge!(
        "settlement_signer_balance",
        "What the signer owns, in whole coins of the chain"
    );
    describe_gauge!("settlement_head", "The highest block of the last look");
    describe_gauge!(
        "settlement_degraded",
        "1 while something keeps operations from becoming final: /readyz says what"
    );
    describe_gauge!(
        "settlement_attention",
        "Transactions, or the sender itself, that need a person"
    );
    describe_gauge!(
        "settlement_drift",
        "Differences between books and chain at a final block"
    );
    describe_counter!(
        "settlement_operations_total",
        "Operations that ended on the chain, by result"
    );
    describe_counter!(
        "settlement_refused_total",
        "Operations that the token refused before they were sent"
    );
    describe_counter!(
        "settlement_bumps_total",
        "Further attempts: higher fees, or nothing instead of the work"
    );
    describe_counter!(
        "settlement_reorgs_total",
        "Looks at which blocks with transactions of ours had left the chain"
    );
    describe_counter!(
        "settlement_fillers_total",
        "Nonces that were filled because nobody held them"
    );
    describe_counter!("settlement_alarms_total", "Times that a person was called, by reason");
    describe_counter!(
        "settlement_no_room_total",
        "Looks at which nothing more could be sent, by reason"
    );
    describe_counter!(
        "settlement_failures_total",
        "Looks that stopped short and began again from the database"
    );
    describe_counter!(
        "settlement_watch_failures_total",
        "Times that transfers of others were not read, or books and chain not compared"
    );
    describe_counter!(
        "settlement_signer_failures_total",
        "Transactions that the signer did not sign"
    );
}

fn describe_webhooks() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!(
        "webhook_waiting",
        "Deliveries that have not ended, of webhooks that are active"
    );
    describe_gauge!(
        "webhook_oldest_due_seconds",
        "How long the delivery that should have been tried first waits for it"
    );
    describe_counter!(
        "webhook_deliveries_total",
        "Attempts by result: delivered, retried, failed, lost (another process had taken the delivery over)"
    );
    describe_histogram!(
        "webhook_attempt_seconds",
        "Time of one attempt, by the scheme of the webhook"
    );
    describe_counter!(
        "webhook_given_up_total",
        "Deliveries whose last attempt failed: they are sent again by hand"
    );
    describe_counter!(
        "webhook_delivery_failures_total",
        "Looks for deliveries, and records of attempts, that the database did not take"
    );
}
