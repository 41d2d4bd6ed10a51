//! `nft`: mint requests of many clients through Immutable's API, from the requests to finality on a node, beside the same
//! calldata sent by a bare loop in the same run.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use clap::Args;
use moneyer::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use moneyer::chain::{Receipt, Rpc};
use moneyer::collection::{self, Caller, Collection, ContractType, MintRequest, Profile, RequestFilter, Right, Window};
use moneyer::config::{Chain, TestMarker};
use moneyer::db::Db;
use moneyer::servicing::{self, CollectionTerms};
use moneyer::settlement;
use moneyer::types::{Amount, Hash32};
use moneyer::{asset, operation};
use serde::Serialize;
use serde_json::json;

use crate::Outcome;
use crate::bare::{self, wait};
use crate::client::Connection;
use crate::node::{self, Mining, Node};
use crate::place::{Engine, Place};
use crate::server::Launch;
use crate::world::{self, Founded};

/// Assets of one call: as many as the API takes.
const PER_CALL: usize = 100;
/// Different owners; each gets its share of the tokens.
const OWNERS: usize = 1_000;
/// As local networks are called in the paths.
const CHAIN_NAME: &str = "local";

#[derive(Args)]
pub struct NftArgs {
    #[arg(long, default_value = "sqlite")]
    database: Engine,
    /// Tokens, 100 in a call: every other client gives the ids, the others let the contract give them.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=200_000))]
    requests: u32,
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    clients: u32,
}

#[derive(Serialize)]
pub struct Report {
    /// Until the last call was answered with 202.
    pub requests_per_s_accepted: f64,
    /// Until the last token has its owner.
    pub requests_per_s_final: f64,
    pub transactions: usize,
    /// As few as there could be, were every one full.
    pub transactions_at_least: u64,
    pub gas_per_token: u64,
    /// The same calldata on a collection of the same kind, signed and sent by a bare loop, until the last block is final.
    pub node_ceiling_requests_per_s: f64,
    pub ratio_to_ceiling: f64,
    /// References that do not have exactly one token of their own.
    pub wrong: usize,
    pub requests: usize,
    pub clients: u32,
    pub database: &'static str,
    pub check: String,
}

impl Report {
    pub fn is_sound(&self) -> bool {
        self.wrong == 0
    }
}

pub fn run(args: &NftArgs, maintenance: Option<&str>) -> Outcome<Report> {
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
    let founded = world::found(&db)?;
    let game = Game::create(&db, &founded)?;
    wait("the collections on the chain", || game.is_calm(&db))?;

    eprintln!("minting");
    let calls = calls_of(args, &game);
    let requests: usize = calls.iter().map(|of_client| of_client.len() * PER_CALL).sum();
    let begin = Instant::now();
    send_all(&launch, &calls)?;
    let accepting = begin.elapsed();
    wait("finality", || game.is_minted(&db))?;
    let settling = begin.elapsed();
    wait("the last block", || Ok(db.read_blocking(settlement::is_idle)?))?;
    let check = launch.check();
    server.kill()?;

    let minted = game.requests(&db)?;
    let batches = batches(&node, &minted, &bare::chain(&node)?)?;
    eprintln!("measuring the node");
    let ceiling = bare::send(game.spare.address, &batches, &bare::chain(&node)?)?;
    let per_second = |took: Duration| (requests as f64 / took.as_secs_f64() * 10.0).round() / 10.0;
    let gas: u64 = batches.iter().map(|(receipt, _)| receipt.gas_used).sum();
    Ok(Report {
        requests_per_s_accepted: per_second(accepting),
        requests_per_s_final: per_second(settling),
        transactions: batches.len(),
        transactions_at_least: bare::transactions_at_least(gas),
        gas_per_token: gas / u64::try_from(requests)?.max(1),
        node_ceiling_requests_per_s: per_second(ceiling),
        ratio_to_ceiling: (ceiling.as_secs_f64() / settling.as_secs_f64() * 1_000.0).round() / 1_000.0,
        wrong: wrong(requests, &minted),
        requests,
        clients: args.clients,
        database: args.database.as_str(),
        check: check?,
    })
}

/// A studio: an environment of tier Enterprise with its key, the collection that is minted into, and one more for the
/// ceiling.
struct Game {
    key: String,
    collection: Collection,
    spare: Collection,
}

impl Game {
    fn create(db: &Db, founded: &Founded) -> Outcome<Self> {
        let game = db.write_blocking(|tx| {
            let ctx = &founded.officer;
            let project = environment::create_project(tx, ctx, "Load")?;
            let new = NewEnvironment {
                project: project.id,
                name: "load".to_owned(),
                chain: CHAIN_NAME.to_owned(),
                test: true,
                tier: Tier::Enterprise {
                    per_minute: 1_000_000,
                    burst: 1_000_000,
                },
                owner: ctx.actor.user,
            };
            let environment = environment::create(tx, ctx, new)?.id;
            let marker = TestMarker::BeforeHyphen;
            let key = environment::create_key(tx, &founded.vault, marker, ctx, environment, KeyPurpose::Secret)?;
            let by = Caller {
                ctx,
                right: Right::Environment(environment),
            };
            let mut deploy = |name: &str| {
                let terms = CollectionTerms {
                    environment: Some(environment),
                    profile: Profile {
                        name: Some(name.to_owned()),
                        symbol: Some("LOAD".to_owned()),
                        ..Profile::default()
                    },
                    ..CollectionTerms::default()
                };
                let what = (ContractType::Erc721, ctx.actor.wallet);
                servicing::deploy_collection(tx, &by, &founded.policies, what, terms).map(|(made, _)| made)
            };
            Ok(Self {
                collection: deploy("Swords")?,
                spare: deploy("Spare")?,
                key: key.key.reveal().to_owned(),
            })
        })?;
        Ok(game)
    }

    /// Both contracts are there, and nothing waits to be told to the chain.
    fn is_calm(&self, db: &Db) -> Outcome<bool> {
        Ok(db.read_blocking(|tx| {
            let mut all = true;
            for collection in [&self.collection, &self.spare] {
                let page = moneyer::db::Page::default();
                let operations = operation::list(tx, operation::Of::Asset(collection.id), &page)?;
                all &= operations.iter().all(|one| one.status.is_final());
            }
            Ok(all && settlement::is_idle(tx)?)
        })?)
    }

    fn is_minted(&self, db: &Db) -> Outcome<bool> {
        let id = self.collection.id;
        let found = db.read_blocking(|tx| asset::find(tx, id))?;
        Ok(found.pending.is_zero())
    }

    fn requests(&self, db: &Db) -> Outcome<Vec<MintRequest>> {
        let filter = RequestFilter {
            collection: Some(self.collection.id),
            ..RequestFilter::default()
        };
        let (mut all, mut window) = (Vec::new(), Window::first(Window::LIMIT_MAX));
        loop {
            let slice = db.read_blocking(|tx| collection::mint_requests(tx, &filter, &window))?;
            all.extend(slice.items);
            match slice.next {
                Some(cursor) => window.cursor = Some(cursor),
                None => return Ok(all),
            }
        }
    }
}

/// The calls of each client, ready to be sent.
fn calls_of(args: &NftArgs, game: &Game) -> Vec<Vec<Vec<u8>>> {
    let clients = args.clients as usize;
    let calls = (args.requests as usize).div_ceil(PER_CALL);
    let mut of_clients = vec![Vec::new(); clients];
    for call in 0..calls {
        let client = call % clients;
        of_clients[client].push(request(game, call, client.is_multiple_of(2)));
    }
    of_clients
}

fn request(game: &Game, call: usize, gives_ids: bool) -> Vec<u8> {
    let assets: Vec<serde_json::Value> = (call * PER_CALL..(call + 1) * PER_CALL)
        .map(|number| {
            json!({
                "reference_id": format!("load-{number}"),
                "owner_address": world::wallet(b'n', number % OWNERS),
                "token_id": gives_ids.then(|| (number + 1).to_string()),
                "amount": null,
                "metadata": { "name": format!("Sword {}", number % 50), "image": "https://example.test/sword.png" },
            })
        })
        .collect();
    let body = json!({ "assets": assets }).to_string();
    let address = game.collection.address;
    let mut head = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        head,
        "POST /v1/chains/{CHAIN_NAME}/collections/{address}/nfts/mint-requests HTTP/1.1\r\nHost: load\r\n\
         Content-Type: application/json\r\nx-immutable-api-key: {}\r\nContent-Length: {}\r\n\r\n{body}",
        game.key,
        body.len(),
    );
    head.into_bytes()
}

/// Each client sends its calls one after the other, all clients at once.
fn send_all(launch: &Launch, calls: &[Vec<Vec<u8>>]) -> Outcome<()> {
    let barrier = Barrier::new(calls.len());
    std::thread::scope(|scope| {
        let clients: Vec<_> = calls
            .iter()
            .map(|of_client| {
                let barrier = &barrier;
                scope.spawn(move || -> Outcome<()> {
                    let mut connection = Connection::open(launch.address)?;
                    barrier.wait();
                    for call in of_client {
                        let answer = connection.call(call)?;
                        if answer.status != 202 {
                            let body = String::from_utf8_lossy(&answer.body);
                            return Err(format!("{}: {body}", answer.status).into());
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let join = |client: std::thread::ScopedJoinHandle<'_, Outcome<()>>| {
            client.join().unwrap_or_else(|_| Err("a client panicked".into()))
        };
        clients.into_iter().try_for_each(join)
    })
}

/// The transactions in the order of their nonces, each with its calldata as the node has it.
#[tokio::main(flavor = "current_thread")]
async fn batches(node: &Node, minted: &[MintRequest], chain: &Chain) -> Outcome<Vec<(Receipt, Vec<u8>)>> {
    let rpc = Rpc::connect(chain)?;
    let hashes: HashSet<Hash32> = minted.iter().filter_map(|request| request.transaction).collect();
    let mut in_order = BTreeMap::new();
    for hash in hashes {
        let transaction = node.rpc("eth_getTransactionByHash", json!([hash]));
        let nonce = node::number(&transaction["nonce"]);
        let data = transaction["input"].as_str().ok_or("a transaction has no input")?;
        let data = data_encoding::HEXLOWER.decode(data.trim_start_matches("0x").as_bytes())?;
        let receipt = rpc.receipt(&hash).await?.ok_or("a mined transaction has no receipt")?;
        in_order.insert(nonce, (receipt, data));
    }
    Ok(in_order.into_values().collect())
}

/// How many references lack a token of their own: every one succeeded once, with an id that no other has.
fn wrong(requests: usize, minted: &[MintRequest]) -> usize {
    let succeeded = minted
        .iter()
        .filter(|request| request.status == collection::RequestStatus::Succeeded && request.amount == Amount::ONE);
    let (mut references, mut ids) = (HashSet::new(), HashSet::new());
    for request in succeeded {
        if let Some(id) = request.token_id
            && ids.insert(id)
        {
            references.insert(request.reference.as_str());
        }
    }
    requests.max(minted.len()) - references.len()
}
