//! `settle`: mints that come all at once, from the requests to finality on a node, beside the same calldata sent by a
//! bare loop in the same run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use clap::Args;
use moneyer::asset::{self, Asset};
use moneyer::chain::contracts::{events, token};
use moneyer::chain::{Receipt, Rpc};
use moneyer::config::Chain;
use moneyer::db::Db;
use moneyer::operation;
use moneyer::settlement;
use moneyer::types::{Address, Amount, Hash32, OperationId};
use serde::Serialize;

use crate::Outcome;
use crate::bare::{self, wait};
use crate::client::Connection;
use crate::node::{self, Mining, Node};
use crate::order::{Drawn, Line, OrderBook};
use crate::place::{Engine, Place};
use crate::server::Launch;
use crate::world::{self, Size, Terms};

/// Recipients of one request: as many as the API takes.
const PER_REQUEST: usize = 100;

#[derive(Args)]
pub struct SettleArgs {
    #[arg(long, default_value = "sqlite")]
    database: Engine,
    /// All different; each request takes 100 of them, and all requests are sent at once.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    recipients: u32,
}

#[derive(Serialize)]
pub struct Report {
    /// Until the last request was answered with its operation.
    pub recipients_per_s_accepted: f64,
    /// Until the last recipient's units were posted.
    pub recipients_per_s_final: f64,
    pub transactions: usize,
    pub transactions_max: u64,
    pub gas_per_recipient: u64,
    /// The same calldata on a token of the same kind, signed and sent by a bare loop, until the last block is final.
    pub node_ceiling_recipients_per_s: f64,
    pub ratio_to_ceiling: f64,
    /// Recipients that got their units other than once, or another amount.
    pub wrong: usize,
    /// Requests whose lines are in more than one transaction.
    pub split: usize,
    pub recipients: usize,
    pub requests: usize,
    pub database: &'static str,
    pub check: String,
}

impl Report {
    pub fn is_sound(&self) -> bool {
        let transactions = u64::try_from(self.transactions).unwrap_or(u64::MAX);
        self.wrong == 0 && self.split == 0 && transactions <= self.transactions_max
    }
}

/// A request that was accepted.
struct Accepted {
    operation: OperationId,
    lines: Vec<Line>,
}

pub fn run(args: &SettleArgs, maintenance: Option<&str>) -> Outcome<Report> {
    let node = Node::start(node::Options {
        mining: Mining::Every(1),
        ..node::Options::default()
    });
    let place = Place::create(args.database, maintenance)?;
    let db = place.connect()?;
    db.migrate(false)?;
    let launch = Launch::new(&place)?.on_chain(node::CHAIN_ID, &node.url(), node::KEYS[0]);
    let mut server = launch.spawn()?;
    server.wait_until_ready()?;
    wait("the contracts", || Ok(db.read_blocking(settlement::site).is_ok()))?;
    eprintln!("registering {} recipients", args.recipients);
    let size = Size {
        assets: 1,
        spare_assets: 1,
        issuers: 8,
        recipients: usize::try_from(args.recipients)?,
    };
    let world = world::create_with(&db, size, Terms::CHAIN)?;
    let (asset, spare) = (&world.assets[0], &world.spare_assets[0]);
    wait("the registrations on the chain", || is_calm(&db, &[asset, spare]))?;

    eprintln!("minting");
    let book = OrderBook::new(&world);
    let requests: Vec<Drawn> = (0..world.recipients.len() / PER_REQUEST)
        .map(|number| book.portion(number, PER_REQUEST))
        .collect();
    let begin = Instant::now();
    let accepted = send_all(&launch, &book, &requests)?;
    let accepting = begin.elapsed();
    wait("finality", || Ok(find(&db, asset)?.pending.is_zero()))?;
    let settling = begin.elapsed();
    wait("the last block", || Ok(db.read_blocking(settlement::is_idle)?))?;
    let check = launch.check();
    server.kill()?;

    let minted = Minted::read(&db, asset, &accepted, &bare::chain(&node)?)?;
    eprintln!("measuring the node");
    let ceiling = bare::send(spare.address, &minted.batches, &bare::chain(&node)?)?;
    let recipients = requests.len() * PER_REQUEST;
    let per_second = |took: Duration| (recipients as f64 / took.as_secs_f64() * 10.0).round() / 10.0;
    Ok(Report {
        recipients_per_s_accepted: per_second(accepting),
        recipients_per_s_final: per_second(settling),
        transactions: minted.batches.len(),
        transactions_max: minted.transactions_max(),
        gas_per_recipient: minted.gas() / u64::try_from(recipients)?.max(1),
        node_ceiling_recipients_per_s: per_second(ceiling),
        ratio_to_ceiling: (ceiling.as_secs_f64() / settling.as_secs_f64() * 1_000.0).round() / 1_000.0,
        wrong: minted.wrong(asset.address, &accepted),
        split: minted.split,
        recipients,
        requests: requests.len(),
        database: args.database.as_str(),
        check: check?,
    })
}

fn find(db: &Db, asset: &Asset) -> Outcome<Asset> {
    let id = asset.id;
    Ok(db.read_blocking(|tx| asset::find(tx, id))?)
}

/// The assets may be minted on the chain, and nothing waits to be told to it.
fn is_calm(db: &Db, assets: &[&Asset]) -> Outcome<bool> {
    Ok(db.read_blocking(|tx| {
        let open = assets
            .iter()
            .map(|asset| operation::list(tx, operation::Of::Asset(asset.id), &moneyer::db::Page::default()))
            .collect::<Result<Vec<_>, _>>()?;
        let changed = open.iter().flatten().all(|operation| operation.status.is_final());
        Ok(changed && settlement::is_idle(tx)?)
    })?)
}

/// All requests at once, each on a connection of its own, without waiting for finality.
fn send_all(launch: &Launch, book: &OrderBook, requests: &[Drawn]) -> Outcome<Vec<Accepted>> {
    let barrier = Barrier::new(requests.len());
    std::thread::scope(|scope| {
        let clients: Vec<_> = requests
            .iter()
            .enumerate()
            .map(|(client, drawn)| {
                let barrier = &barrier;
                scope.spawn(move || -> Outcome<Accepted> {
                    let (mut body, mut request) = (Vec::new(), Vec::new());
                    book.write_with(client, drawn, "Prefer: respond-async\r\n", &mut body, &mut request);
                    let mut connection = Connection::open(launch.address)?;
                    barrier.wait();
                    let answer = connection.call(&request)?;
                    let operation = answer.operation.clone().filter(|_| answer.is_success());
                    let operation = operation
                        .ok_or_else(|| format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)))?;
                    Ok(Accepted {
                        operation: OperationId::parse(&operation)?,
                        lines: drawn.order.lines.clone(),
                    })
                })
            })
            .collect();
        let join = |client: std::thread::ScopedJoinHandle<'_, Outcome<Accepted>>| {
            client.join().unwrap_or_else(|_| Err("a client panicked".into()))
        };
        clients.into_iter().map(join).collect()
    })
}

/// What the server made of the requests: its transactions in the order of their nonces, each with its calldata.
struct Minted {
    batches: Vec<(Receipt, Vec<u8>)>,
    split: usize,
}

impl Minted {
    #[tokio::main(flavor = "current_thread")]
    async fn read(db: &Db, asset: &Asset, accepted: &[Accepted], chain: &Chain) -> Outcome<Self> {
        let rpc = Rpc::connect(chain)?;
        let lines: HashMap<OperationId, &Vec<Line>> = accepted.iter().map(|one| (one.operation, &one.lines)).collect();
        let mut split = 0;
        let mut operations: BTreeMap<(u64, Hash32), BTreeMap<i64, &Vec<Line>>> = BTreeMap::new();
        for (id, lines) in lines {
            let (sequence, settled) = db.read_blocking(|tx| {
                let operation = operation::find(tx, id)?;
                Ok((operation.sequence, settlement::transactions_of(tx, &operation)?))
            })?;
            let mined: BTreeSet<(u64, Hash32)> =
                settled.iter().filter_map(|one| Some((one.block?, one.hash))).collect();
            split += usize::from(mined.len() != 1);
            for place in mined {
                operations.entry(place).or_default().insert(sequence, lines);
            }
        }
        let mut batches = Vec::new();
        for ((_, hash), operations) in operations {
            let receipt = rpc.receipt(&hash).await?.ok_or("a mined transaction has no receipt")?;
            let lines: Vec<(Address, Amount)> = operations
                .values()
                .flat_map(|lines| lines.iter().map(|line| (line.recipient, line.amount)))
                .collect();
            batches.push((receipt, token::batch_mint(&lines)));
        }
        eprintln!("{} transactions mint units of {}", batches.len(), asset.address);
        Ok(Self { batches, split })
    }

    fn gas(&self) -> u64 {
        self.batches.iter().map(|(receipt, _)| receipt.gas_used).sum()
    }

    fn transactions_max(&self) -> u64 {
        bare::transactions_max(self.gas())
    }

    fn wrong(&self, token: Address, accepted: &[Accepted]) -> usize {
        let mut balances: HashMap<Address, Vec<Amount>> = HashMap::new();
        for transfer in self
            .batches
            .iter()
            .flat_map(|(receipt, _)| events::decode_transfers(&receipt.logs))
        {
            if transfer.token == token {
                balances.entry(transfer.to).or_default().push(transfer.amount);
            }
        }
        let lines = accepted.iter().flat_map(|one| &one.lines);
        let right = lines.filter(|line| {
            balances
                .get(&line.recipient)
                .is_some_and(|got| got[..] == [line.amount])
        });
        let asked: usize = accepted.iter().map(|one| one.lines.len()).sum();
        asked.max(balances.len()) - right.count()
    }
}
