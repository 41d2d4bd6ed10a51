//! `chaos-chain`: mints settle on a local chain while network, node, chain and processes fail at random, one fault after
//! the other, all from one number. Then calm, in which everything must end; then journal, books and chain are compared,
//! line by line and Transfer by Transfer.
//!
//! Where the sender calls for a person (something else was mined at our nonce) the run looks at the chain as a person
//! would, and decides.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use moneyer::chain::Rpc;
use moneyer::chain::contracts::token::Switch;
use moneyer::config::Chain;
use moneyer::db::{Db, Page};
use moneyer::operation::{self, Of};
use moneyer::settlement;
use serde::Serialize;

use crate::Outcome;
use crate::evil::Chaos;
use crate::journal::{self, Journal};
use crate::kill::Load;
use crate::logs;
use crate::node::{ACCOUNTS, CHAIN_ID, KEYS, Mining, Node, Options};
use crate::order::OrderBook;
use crate::people::{self, People};
use crate::place::{Engine, Place};
use crate::proxy::Proxy;
use crate::reconcile;
use crate::server::Launch;
use crate::world::{self, Size, Terms, World};

/// Further blocks until one is final: more than any reorganisation here takes away.
pub const FINALITY_DEPTH: u64 = 4;
/// Between two requests of one client: about as much as the chain takes.
pub const PAUSE: Duration = Duration::from_millis(250);
/// Everything that was accepted must have ended so long after the last fault.
pub const CALM_MAX: Duration = Duration::from_secs(180);
pub const LOOK: Duration = Duration::from_millis(100);
const POOL: usize = 60;
const ASSETS: usize = 2;
/// Nobody waits for the chain: an answer says that the mint was accepted.
const RESPOND_ASYNC: &str = "Prefer: respond-async\r\n";
const FAULTS_TOLD_MAX: usize = 20;
/// The last line of `moneyer check` when all is well.
const AGREE: &str = "sound: books and chain agree";

#[derive(Args)]
pub struct ChaosArgs {
    #[arg(long, default_value = "sqlite")]
    pub database: Engine,
    #[arg(long, env = "MONEYER_FAULTS", default_value_t = 100)]
    pub faults: u32,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub clients: u16,
    /// Recipients of one request, at most; every request has a random number.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=60))]
    pub recipients: u16,
    /// Chooses the faults, their moments, recipients and amounts; a random one without it.
    #[arg(long, env = "MONEYER_SEED")]
    pub seed: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub acknowledged: usize,
    pub acknowledged_recipients: usize,
    /// Accepted, with a recipient whom the registry on the chain does not verify: voided, and nothing of them on the chain.
    pub rightly_failed: usize,
    /// Acknowledged, and not in the books or not on the chain.
    pub lost: usize,
    /// In the books, or on the chain, more often than asked for.
    pub doubled: usize,
    pub unacknowledged_but_committed: usize,
    pub transfers_on_chain: usize,
    /// Transfers of holders themselves, each observed once.
    pub observed: usize,
    pub transactions: u64,
    /// How often each fault struck.
    pub struck: BTreeMap<&'static str, u32>,
    /// What a person had to decide.
    pub decisions: u32,
    pub seconds_until_calm: u64,
    /// What `moneyer check` says, reconciliation with the chain included.
    pub check: String,
    pub faults: Vec<String>,
    pub database: &'static str,
    pub seed: u64,
}

impl Report {
    pub fn is_sound(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.faults.is_empty()
    }
}

pub fn run(args: &ChaosArgs, maintenance: Option<&str>) -> Outcome<Report> {
    let seed = args.seed.unwrap_or_else(rand::random);
    eprintln!("{} faults on {}, seed {seed}", args.faults, args.database.as_str());
    let node = Node::start(Options {
        mining: Mining::Every(1),
        kept: true,
        ..Options::default()
    });
    let place = Place::create(args.database, maintenance)?;
    let db = place.connect()?;
    db.migrate(false)?;
    let proxy = Proxy::start(node.address());
    let launch = launch(&place, &proxy.url())?;
    let mut server = launch.spawn()?;
    server.wait_until_ready()?;
    until("the contracts", || Ok(db.read_blocking(settlement::site).is_ok()))?;
    let size = Size {
        assets: ASSETS,
        spare_assets: 0,
        issuers: 2,
        recipients: POOL,
    };
    let terms = Terms {
        holder_transfers: Switch::On,
        apart: &people::wallets()?,
        ..Terms::CHAIN
    };
    let world = world::create_with(&db, size, terms)?;
    // The addresses of the contracts follow from the nonces of the set-up: nobody may take one of those.
    until("the set-up to be final", || Ok(db.read_blocking(settlement::is_idle)?))?;
    let journal = place.folder().join("journal");
    let written = Journal::create(&journal)?;
    let book = OrderBook::new(&world);
    let load = Load {
        clients: args.clients,
        lines_max: args.recipients.into(),
        pause: PAUSE,
        launch: &launch,
        book: &book,
        journal: &written,
        headers: RESPOND_ASYNC,
        seed,
    };

    let people = People::new(&world, book.chooser(args.clients.into(), seed));
    let mut chaos = Chaos::new(node, proxy, &db, &load, people)?;
    chaos.forget_the_stranger()?;
    let mut told = load.run(&mut server, |server, shared| chaos.rage(args.faults, server, shared))?;
    let calm = chaos.calm_down(&mut server, &world)?;
    told.doomed.append(&mut chaos.people.doomed);

    let acknowledged = journal::read(&journal)?;
    let mut found = reconcile::compare(&db, &world.assets, &acknowledged, &told)?;
    let check = launch.check();
    found.faults.extend(check.as_ref().err().map(ToString::to_string));
    if check.as_ref().is_ok_and(|said| said != AGREE) {
        found.faults.push("books and chain were not compared".to_owned());
    }
    let logs = logs::read(&chaos.chain_at_node()?, &world.assets)?;
    let mut on_chain = logs::compare_mints(&logs.mints, &acknowledged, &found.unacknowledged);
    on_chain.add(logs::compare_moves(&db, &world.assets, &logs.moves)?);
    found.faults.extend(on_chain.faults);
    found.faults.truncate(FAULTS_TOLD_MAX);
    Ok(Report {
        acknowledged: acknowledged.len(),
        acknowledged_recipients: acknowledged.iter().map(|mint| mint.lines.len()).sum(),
        rightly_failed: told.doomed.len(),
        lost: found.lost + on_chain.missing,
        doubled: found.doubled + on_chain.surplus,
        unacknowledged_but_committed: found.unacknowledged_but_committed,
        transfers_on_chain: logs.mints.len(),
        observed: logs.moves.len(),
        transactions: chaos.node.count(ACCOUNTS[0]),
        struck: chaos.struck,
        decisions: chaos.decisions,
        seconds_until_calm: calm.as_secs(),
        check: check.unwrap_or_else(|_| "faults".to_owned()),
        faults: found.faults,
        database: args.database.as_str(),
        seed,
    })
}

fn launch(place: &Place, url: &str) -> Outcome<Launch> {
    Ok(Launch::new(place)?
        .on_chain(CHAIN_ID, url, KEYS[0])
        .with("MONEYER_CHAIN__FINALITY", FINALITY_DEPTH.to_string())
        .with("MONEYER_CHAIN__TIMEOUT_MS", "1500"))
}

pub fn until(what: &str, mut is_so: impl FnMut() -> Outcome<bool>) -> Outcome<Duration> {
    let begin = Instant::now();
    while !is_so()? {
        if begin.elapsed() > CALM_MAX {
            return Err(format!("waited in vain for {what}").into());
        }
        std::thread::sleep(LOOK);
    }
    Ok(begin.elapsed())
}

pub fn open_operations(db: &Db, world: &World) -> Outcome<usize> {
    let mut open = 0;
    for asset in &world.assets {
        let mut page = Page::first(1_000);
        loop {
            let asked = page.clone();
            let operations = db.read_blocking(|tx| operation::list(tx, Of::Asset(asset.id), &asked))?;
            if operations.is_empty() {
                break;
            }
            open += operations.iter().filter(|one| !one.status.is_final()).count();
            page.offset += 1_000;
        }
    }
    Ok(open)
}

/// The block for which books and chain can be compared; none where a part of the answer is missing.
#[tokio::main(flavor = "current_thread")]
pub async fn comparable_at(db: &Db, chain: &Chain) -> Outcome<Option<u64>> {
    let rpc = Rpc::connect(chain)?;
    let found = settlement::reconcile(db, &rpc).await.ok().flatten();
    Ok(found.map(|found| found.block))
}
