//! `mint`: how many mints the real server takes over HTTP, with real keys and PINs, beside what the database alone takes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::Outcome;
use crate::ceiling::{self, Merging};
use crate::client::{Answer, Connection};
use crate::journal::Journal;
use crate::order::OrderBook;
use crate::place::{Engine, Place};
use crate::server::{self, Commits, Launch, Server, Usage};
use crate::world::{self, Size};

/// Until PINs are remembered, statements prepared and connections open.
const WARM_UP: Duration = Duration::from_millis(2_000);
/// As long as the ceiling is measured at most.
const CEILING_SECONDS_MAX: u64 = 10;

#[derive(Args)]
pub struct MintArgs {
    #[arg(long, default_value = "sqlite")]
    database: Engine,
    /// Recipients per request.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=100))]
    recipients: u16,
    /// Assets; each request is about one of them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    assets: u16,
    /// Connections, each of which waits for its answer before it sends again.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    clients: u16,
    /// Seconds that are measured, after a warm-up.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Registered recipients to choose from.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pool: u32,
    /// Users who mint; the clients are spread over them.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    issuers: u16,
    /// Writes every acknowledged mint here before the client's next request.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Chooses recipients and amounts; a random one without it.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Serialize)]
struct Report {
    requests_per_s: f64,
    recipients_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    errors: u64,
    server_cpu_us_per_request: f64,
    rss_mb: f64,
    ceiling_recipients_per_s: f64,
    ratio_to_ceiling: f64,
    /// What the client itself cost the machine.
    client_cpu_us_per_request: f64,
    recipients_per_commit: f64,
    database: &'static str,
    recipients: u16,
    assets: u16,
    clients: u16,
    seconds: u64,
    seed: u64,
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// What one client saw while it was measured.
#[derive(Default)]
struct Tally {
    latencies_micros: Vec<u32>,
    errors: u64,
    first_error: Option<String>,
}

/// What was read before and after.
struct Reading {
    at: Instant,
    server: Usage,
    client: Usage,
    commits: Commits,
}

pub fn run(args: &MintArgs, maintenance: Option<&str>) -> Outcome<String> {
    let seed = args.seed.unwrap_or_else(rand::random);
    let place = Place::create(args.database, maintenance)?;
    let db = place.connect()?;
    let size = Size {
        assets: args.assets.into(),
        spare_assets: args.assets.into(),
        issuers: args.issuers.min(args.clients).into(),
        recipients: usize::try_from(args.pool)?,
    };
    eprintln!(
        "seeding {} recipients, {} assets, {} issuers",
        args.pool, args.assets, size.issuers
    );
    let world = world::create(&db, size)?;
    let journal = args.journal.as_deref().map(Journal::create).transpose()?;
    let launch = Launch::new(&place)?;
    let mut server = launch.spawn()?;
    server.wait_until_ready()?;
    eprintln!("measuring {} s after {WARM_UP:?} of warm-up", args.seconds);
    let book = OrderBook::new(&world);
    let driven = drive(args, &launch, &server, &book, journal.as_ref(), seed);
    // A server that is gone says why before anything that follows from it does.
    server.kill()?;
    let (tally, before, after) = driven?;
    if let Some(error) = &tally.first_error {
        eprintln!("the first error: {error}");
    }

    let commits = after.commits.count - before.commits.count;
    let recipients_per_commit = (after.commits.recipients - before.commits.recipients) / commits.max(1.0);
    let merging = Merging {
        recipients_per_request: args.recipients.into(),
        requests_per_commit: (recipients_per_commit / f64::from(args.recipients)).round().max(1.0) as usize,
    };
    eprintln!("measuring the ceiling with {merging:?}");
    let ceiling = ceiling::measure(&db, &world, merging, args.seconds.min(CEILING_SECONDS_MAX), seed)?;
    drop(db);
    let report = report(args, seed, tally, &before, &after, recipients_per_commit, ceiling);
    Ok(serde_json::to_string(&report)?)
}

fn drive(
    args: &MintArgs,
    launch: &Launch,
    server: &Server,
    book: &OrderBook,
    journal: Option<&Journal>,
    seed: u64,
) -> Outcome<(Tally, Reading, Reading)> {
    let phase = AtomicU8::new(WARMING);
    let total = Mutex::new(Tally::default());
    let readings = std::thread::scope(|scope| -> Outcome<(Reading, Reading)> {
        for client in 0..usize::from(args.clients) {
            let (phase, total) = (&phase, &total);
            scope.spawn(move || {
                let tally = run_client(args, launch, book, journal, client, seed, phase);
                let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                total.latencies_micros.extend(tally.latencies_micros);
                total.errors += tally.errors;
                total.first_error = total.first_error.take().or(tally.first_error);
            });
        }
        std::thread::sleep(WARM_UP);
        let before = Reading::take(server);
        phase.store(MEASURING, Ordering::SeqCst);
        std::thread::sleep(Duration::from_secs(args.seconds));
        phase.store(OVER, Ordering::SeqCst);
        Ok((before?, Reading::take(server)?))
    })?;
    let tally = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((tally, readings.0, readings.1))
}

fn run_client(
    args: &MintArgs,
    launch: &Launch,
    book: &OrderBook,
    journal: Option<&Journal>,
    client: usize,
    seed: u64,
    phase: &AtomicU8,
) -> Tally {
    let mut tally = Tally::default();
    let mut chooser = book.chooser(client, seed);
    let (mut body, mut request) = (Vec::new(), Vec::new());
    let mut connection = None;
    while phase.load(Ordering::Relaxed) != OVER {
        let drawn = book.draw(&mut chooser, args.recipients.into());
        book.write(client, &drawn, &mut body, &mut request);
        let begin = Instant::now();
        let answer = call(&mut connection, launch, &request);
        let took = begin.elapsed();
        let problem = match answer {
            Ok(answer) if answer.is_success() => journal.and_then(|journal| {
                let operation = answer.operation.as_deref().unwrap_or_default();
                journal.acknowledge(operation, &drawn.order).err()
            }),
            Ok(answer) => Some(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into()),
            Err(error) => Some(error),
        };
        if phase.load(Ordering::Relaxed) != MEASURING && problem.is_none() {
            continue;
        }
        match problem {
            None => tally
                .latencies_micros
                .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)),
            Some(problem) => {
                tally.errors += 1;
                tally.first_error.get_or_insert(problem.to_string());
                // A server that refuses everything is not asked as fast as it answers.
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    tally
}

fn call(connection: &mut Option<Connection>, launch: &Launch, request: &[u8]) -> Outcome<Answer> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(launch.address)?,
    };
    let answer = open.call(request)?;
    *connection = Some(open);
    Ok(answer)
}

impl Reading {
    fn take(server: &Server) -> Outcome<Self> {
        Ok(Self {
            at: Instant::now(),
            server: server.usage()?,
            client: server::usage("self")?,
            commits: server.commits()?,
        })
    }
}

fn report(
    args: &MintArgs,
    seed: u64,
    mut tally: Tally,
    before: &Reading,
    after: &Reading,
    recipients_per_commit: f64,
    ceiling: f64,
) -> Report {
    tally.latencies_micros.sort_unstable();
    let requests = tally.latencies_micros.len() as f64;
    let requests_per_s = requests / args.seconds as f64;
    let recipients_per_s = requests_per_s * f64::from(args.recipients);
    let span = after.at.duration_since(before.at).as_secs_f64();
    let cpu = |before: Usage, after: Usage| {
        let per_second = (after.cpu_micros - before.cpu_micros) as f64 / span;
        round(per_second / requests_per_s.max(f64::MIN_POSITIVE))
    };
    Report {
        requests_per_s: round(requests_per_s),
        recipients_per_s: round(recipients_per_s),
        p50_ms: percentile(&tally.latencies_micros, 50),
        p99_ms: percentile(&tally.latencies_micros, 99),
        errors: tally.errors,
        server_cpu_us_per_request: cpu(before.server, after.server),
        rss_mb: round(after.server.resident_bytes as f64 / 1_048_576.0),
        ceiling_recipients_per_s: round(ceiling),
        ratio_to_ceiling: (recipients_per_s / ceiling * 1_000.0).round() / 1_000.0,
        client_cpu_us_per_request: cpu(before.client, after.client),
        recipients_per_commit: round(recipients_per_commit),
        database: args.database.as_str(),
        recipients: args.recipients,
        assets: args.assets,
        clients: args.clients,
        seconds: args.seconds,
        seed,
    }
}

fn percentile(sorted_micros: &[u32], percent: usize) -> f64 {
    let place = (sorted_micros.len() * percent / 100).min(sorted_micros.len().saturating_sub(1));
    sorted_micros
        .get(place)
        .map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
}

/// One digit after the point: more would be noise.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
