//! `kill`: the server dies by SIGKILL at random moments under load, again and again, and starts again. Then what it
//! acknowledged is compared with what it has.
//!
//! Half of the requests carry an `Idempotency-Key` and are sent again until they are answered, as a careful caller does;
//! of the others nobody may say afterwards whether they were taken, only that they were taken at most once.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use moneyer::db::Db;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

use crate::Outcome;
use crate::client::Connection;
use crate::journal::{self, Journal};
use crate::order::{Drawn, Order, OrderBook};
use crate::place::{Engine, Place};
use crate::reconcile::{self, Told};
use crate::server::{Launch, Server};
use crate::world::{self, Size, World};

/// A kill comes at most so long after the first answer of the server, or after its start.
const LIFE_MAX_MILLIS: u64 = 800;
/// Every so many kills one does not wait for an answer, so that starts are interrupted too.
const KILLS_PER_EARLY_KILL: u32 = 5;
/// Longer than a start and the first full check of a PIN take, also of a debug build on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(90);
const PAUSE_BETWEEN_CONNECTIONS: Duration = Duration::from_millis(2);
/// Recipients to choose from.
const POOL: usize = 500;
const ASSETS: usize = 2;

#[derive(Args)]
pub struct KillArgs {
    #[arg(long, default_value = "sqlite")]
    pub database: Engine,
    #[arg(long, env = "MONEYER_KILLS", default_value_t = 50)]
    pub kills: u32,
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub clients: u16,
    /// Recipients of one request, at most; every request has a random number.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub recipients: u16,
    /// Chooses recipients, amounts and the moments of the kills; a random one without it.
    #[arg(long, env = "MONEYER_SEED")]
    pub seed: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub kills: u32,
    pub acknowledged: usize,
    pub acknowledged_recipients: usize,
    pub lost: usize,
    pub doubled: usize,
    /// The reply was lost in a kill, the mint was not.
    pub unacknowledged_but_committed: usize,
    /// Requests without an answer because of a kill.
    pub interrupted: usize,
    /// What `moneyer check` says.
    pub check: String,
    /// What no kill explains.
    pub faults: Vec<String>,
    pub database: &'static str,
    pub clients: u16,
    pub recipients: u16,
    pub seed: u64,
}

impl Report {
    pub fn is_sound(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.faults.is_empty()
    }
}

/// What clients and killer tell each other. A connection that was opened after `ended` kills may break without a fault
/// once more than these have `begun`.
#[derive(Default)]
pub struct Shared {
    begun: AtomicU64,
    ended: AtomicU64,
    acknowledged: AtomicU64,
    stop: AtomicBool,
}

impl Shared {
    /// Kills the server and starts the next.
    pub fn kill(&self, server: &mut Server, launch: &Launch) -> Outcome<()> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        server.kill()?;
        self.ended.fetch_add(1, Ordering::SeqCst);
        *server = launch.spawn()?;
        Ok(())
    }
}

/// Clients that mint and keep a journal while something bad is done.
pub struct Load<'a> {
    pub clients: u16,
    /// Recipients of one request, at most.
    pub lines_max: usize,
    /// Between two requests of one client.
    pub pause: Duration,
    pub launch: &'a Launch,
    pub book: &'a OrderBook,
    pub journal: &'a Journal,
    /// Further header lines of every request.
    pub headers: &'static str,
    pub seed: u64,
}

/// What became of an order.
enum Answered {
    /// With this operation.
    Accepted(String),
    Refused(String),
    /// Nobody may say whether it was taken; or it was not sent, because the load is over.
    No,
}

impl Load<'_> {
    /// Sends an order beside the clients' until it is answered, and returns its operation. The server must stay alive
    /// meanwhile.
    pub fn ask(&self, shared: &Shared, mut drawn: Drawn) -> Outcome<(String, Order)> {
        drawn.order.idempotency_key = Some(drawn.order.request_id.clone());
        let client = Client {
            number: usize::from(self.clients),
            load: self,
            shared,
        };
        let mut told = Told::default();
        let answered = client.send(&mut None, &drawn, &mut told)?;
        match (answered, told.faults.pop()) {
            (Answered::Accepted(operation), None) => Ok((operation, drawn.order)),
            (Answered::Refused(said), _) => Err(format!("{}: {said}", drawn.order.request_id).into()),
            (Answered::Accepted(_) | Answered::No, fault) => Err(fault.unwrap_or_default().into()),
        }
    }

    /// Returns when every client has come to its end.
    pub fn run(&self, server: &mut Server, torment: impl FnOnce(&mut Server, &Shared) -> Outcome<()>) -> Outcome<Told> {
        let shared = Shared::default();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..usize::from(self.clients))
                .map(|number| {
                    let client = Client {
                        number,
                        load: self,
                        shared: &shared,
                    };
                    scope.spawn(move || client.run())
                })
                .collect();
            let tormented = {
                let _stop = Stop(&shared);
                torment(server, &shared)
            };
            // What broke off is told before what follows from it.
            tormented?;
            let mut told = Told::default();
            for client in clients {
                told.add(client.join().map_err(|_| "a client panicked")??);
            }
            Ok(told)
        })
    }
}

/// Tells the clients to stop when it is dropped: also when what torments panics, or they would be waited for forever.
struct Stop<'s>(&'s Shared);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }
}

/// A run that is over: what is left of it, and what its clients were told.
pub struct Aftermath {
    pub journal: PathBuf,
    pub told: Told,
    pub db: Db,
    world: World,
    launch: Launch,
    seed: u64,
    // The last field: the database is removed when nothing uses it any more.
    _place: Place,
}

pub fn run(args: &KillArgs, maintenance: Option<&str>) -> Outcome<Aftermath> {
    let seed = args.seed.unwrap_or_else(rand::random);
    eprintln!("{} kills on {}, seed {seed}", args.kills, args.database.as_str());
    let place = Place::create(args.database, maintenance)?;
    let db = place.connect()?;
    let size = Size {
        assets: ASSETS,
        spare_assets: 0,
        issuers: 2,
        recipients: POOL,
    };
    let world = world::create(&db, size)?;
    let path = place.folder().join("journal");
    let journal = Journal::create(&path)?;
    let launch = Launch::new(&place)?;
    let told = torment(args, &launch, &OrderBook::new(&world), &journal, seed)?;
    Ok(Aftermath {
        journal: path,
        told,
        db,
        world,
        launch,
        seed,
        _place: place,
    })
}

impl Aftermath {
    /// Journal, ledger and audit log compared line by line, and what `moneyer check` says.
    pub fn judge(&self, args: &KillArgs) -> Outcome<Report> {
        let check = self.launch.check();
        let acknowledged = journal::read(&self.journal)?;
        let mut found = reconcile::compare(&self.db, &self.world.assets, &acknowledged, &self.told)?;
        found.faults.extend(check.as_ref().err().map(ToString::to_string));
        Ok(Report {
            kills: args.kills,
            acknowledged: acknowledged.len(),
            acknowledged_recipients: acknowledged.iter().map(|mint| mint.lines.len()).sum(),
            lost: found.lost,
            doubled: found.doubled,
            unacknowledged_but_committed: found.unacknowledged_but_committed,
            interrupted: self.told.interrupted.len(),
            check: check.unwrap_or_else(|_| "faults".to_owned()),
            faults: found.faults,
            database: args.database.as_str(),
            clients: args.clients,
            recipients: args.recipients,
            seed: self.seed,
        })
    }
}

/// Kills as often as was asked for; returns when every client has come to its end, with no server left.
fn torment(args: &KillArgs, launch: &Launch, book: &OrderBook, journal: &Journal, seed: u64) -> Outcome<Told> {
    let mut server = launch.spawn()?;
    server.wait_until_ready()?;
    let load = Load {
        clients: args.clients,
        lines_max: args.recipients.into(),
        pause: Duration::ZERO,
        launch,
        book,
        journal,
        headers: "",
        seed,
    };
    let told = load.run(&mut server, |server, shared| {
        kill_again_and_again(args.kills, launch, server, shared, seed)
    })?;
    server.kill()?;
    Ok(told)
}

fn kill_again_and_again(kills: u32, launch: &Launch, server: &mut Server, shared: &Shared, seed: u64) -> Outcome<()> {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..kills {
        if !random.random_ratio(1, KILLS_PER_EARLY_KILL) {
            wait_for_an_answer(server, shared)?;
        }
        std::thread::sleep(Duration::from_millis(random.random_range(0..=LIFE_MAX_MILLIS)));
        shared.kill(server, launch)?;
    }
    wait_for_an_answer(server, shared)
}

pub fn wait_for_an_answer(server: &mut Server, shared: &Shared) -> Outcome<()> {
    let before = shared.acknowledged.load(Ordering::SeqCst);
    let begin = Instant::now();
    while shared.acknowledged.load(Ordering::SeqCst) == before {
        server.expect_alive()?;
        if begin.elapsed() > ANSWER_MAX {
            return Err(format!("no mint was acknowledged for {ANSWER_MAX:?}").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

struct Client<'a> {
    number: usize,
    load: &'a Load<'a>,
    shared: &'a Shared,
}

impl Client<'_> {
    fn run(&self) -> Outcome<Told> {
        let mut told = Told::default();
        let book = self.load.book;
        let mut chooser = book.chooser(self.number, self.load.seed);
        let mut connection = None;
        while !self.shared.stop.load(Ordering::SeqCst) {
            let lines = chooser.number_up_to(self.load.lines_max);
            let mut drawn = book.draw(&mut chooser, lines);
            if chooser.is_heads() {
                drawn.order.idempotency_key = Some(drawn.order.request_id.clone());
            }
            match self.send(&mut connection, &drawn, &mut told)? {
                Answered::Accepted(operation) => {
                    self.load.journal.acknowledge(&operation, &drawn.order)?;
                    self.shared.acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                Answered::Refused(said) => told.refused.push((drawn.order, said)),
                Answered::No => {}
            }
            std::thread::sleep(self.load.pause);
        }
        Ok(told)
    }

    /// Sends until the order is answered, or lost and not to be sent again.
    fn send(&self, open: &mut Option<(Connection, u64)>, drawn: &Drawn, told: &mut Told) -> Outcome<Answered> {
        let (mut body, mut request) = (Vec::new(), Vec::new());
        self.load
            .book
            .write_with(self.number, drawn, self.load.headers, &mut body, &mut request);
        let order = &drawn.order;
        let begin = Instant::now();
        let mut is_sent = false;
        loop {
            let Some((mut connection, opened)) = open.take().or_else(|| self.connect()) else {
                if !is_sent && self.shared.stop.load(Ordering::SeqCst) {
                    return Ok(Answered::No);
                }
                if begin.elapsed() > ANSWER_MAX {
                    return Err(format!("no server for {ANSWER_MAX:?}").into());
                }
                std::thread::sleep(PAUSE_BETWEEN_CONNECTIONS);
                continue;
            };
            match connection.call(&request) {
                Ok(answer) if answer.is_success() => {
                    *open = Some((connection, opened));
                    let operation = answer.operation.ok_or("a mint without X-Operation-Id")?;
                    return Ok(Answered::Accepted(operation));
                }
                Ok(answer) => {
                    let said = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
                    *open = Some((connection, opened));
                    return Ok(Answered::Refused(said));
                }
                Err(error) => {
                    is_sent = true;
                    self.interrupted(order, opened, &error, told);
                    if order.idempotency_key.is_none() {
                        return Ok(Answered::No);
                    }
                }
            }
        }
    }

    /// With the number of kills that were over before.
    fn connect(&self) -> Option<(Connection, u64)> {
        let ended = self.shared.ended.load(Ordering::SeqCst);
        Some((Connection::open(self.load.launch.address).ok()?, ended))
    }

    fn interrupted(&self, order: &Order, opened: u64, error: &std::io::Error, told: &mut Told) {
        if self.shared.begun.load(Ordering::SeqCst) == opened {
            let fault = format!(
                "{} was not answered, and no kill was the reason: {error}",
                order.request_id
            );
            told.faults.push(fault);
        }
        told.interrupted.push(order.clone());
    }
}
