//! A server, a node, and one process that settles between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moneyer::app::Clock;
use moneyer::asset::{AssetKind, Settlement};
use moneyer::chain::contracts::{returned, token};
use moneyer::chain::{Call, Rpc, Signer};
use moneyer::config::{Chain, Endpoint, Finality, KeySource};
use moneyer::error::Error;
use moneyer::operation::{self, Operation, Status};
use moneyer::settlement::sender::Policy;
use moneyer::settlement::{self, Driver, ForeignUse, Health, Reconciled, Settings};
use moneyer::types::{Address, Amount, Hash32, OperationId, RequestId};
use reqwest::Method;
use secrecy::SecretBox;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::node::{ACCOUNTS, Mining, Node, Options};
use crate::proxy::Proxy;
use crate::support::abi::to_hex;
use crate::support::evm::transact;
use crate::support::{Database, Server, batch};

/// The key of the first account that anvil gives money to; everybody knows it.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// Nothing here takes longer on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Stage {
    pub node: Node,
    /// Between settlement and the node, where the stage was asked for one.
    proxy: Option<Proxy>,
    pub server: Server,
    pub chain: Chain,
    settling: Option<Settling>,
    /// Our signer's key was used while nobody settled.
    is_foreign: AtomicBool,
}

struct Settling {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

/// The settings of a chain whose node is at this URL.
pub fn chain_at(url: &str) -> Chain {
    let mut key = [0; 32];
    key.copy_from_slice(&data_encoding::HEXLOWER.decode(KEY.as_bytes()).unwrap());
    let signer = KeySource::Key(SecretBox::new(Box::new(key)));
    let mut chain = Chain::new(31_337, vec![Endpoint::parse(url).unwrap()], signer);
    chain.finality = Finality::Depth(1);
    chain.poll = Duration::from_millis(50);
    chain.timeout = Duration::from_secs(5);
    chain
}

impl Stage {
    /// A node that mines every second, the contracts on it, and settlement at work.
    pub async fn start(database: Database) -> Self {
        Self::start_on(
            database,
            Options {
                mining: Mining::Every(1),
                ..Options::default()
            },
        )
        .await
    }

    pub async fn start_on(database: Database, options: Options) -> Self {
        let node = Node::start(options);
        let chain = chain_at(&node.url());
        Self::open(database, node, None, chain).await
    }

    /// A node with a block whenever one is useful, a network that can be bad, and settings of the chain.
    pub async fn start_bad(database: Database, settings: impl FnOnce(&mut Chain)) -> Self {
        Self::start_bad_through(database, |_, chain| settings(chain)).await
    }

    /// The same where the settings are about the node too.
    pub async fn start_bad_through(database: Database, settings: impl FnOnce(&Node, &mut Chain)) -> Self {
        let node = Node::start(Options {
            mining: Mining::Quick,
            ..Options::default()
        });
        let proxy = Proxy::start(node.address());
        let mut chain = chain_at(&proxy.url());
        settings(&node, &mut chain);
        Self::open(database, node, Some(proxy), chain).await
    }

    async fn open(database: Database, node: Node, proxy: Option<Proxy>, chain: Chain) -> Self {
        let mut stage = Self {
            server: Server::start(database).await,
            node,
            proxy,
            chain,
            settling: None,
            is_foreign: AtomicBool::new(false),
        };
        stage.settle().await;
        stage
    }

    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().unwrap()
    }

    /// As [`Self::start`], with a server that reads the chain too, and takes so much gas for what a transaction has.
    pub async fn start_reading(database: Database, gas_per_transaction_max: u64) -> Self {
        let options = crate::support::Options::default();
        Self::start_reading_with(database, gas_per_transaction_max, options).await
    }

    /// The same with more settings of the server.
    pub async fn start_reading_with(
        database: Database,
        gas_per_transaction_max: u64,
        options: crate::support::Options,
    ) -> Self {
        let node = Node::start(Options {
            mining: Mining::Every(1),
            ..Options::default()
        });
        let chain = chain_at(&node.url());
        let settings = options
            .with("chain.id", chain.id)
            .with("chain.rpc", node.url())
            .with("chain.signer_key", KEY)
            .with("chain.gas_per_transaction_max", gas_per_transaction_max)
            .with("minting.public_url", "https://mint.test");
        let mut stage = Self {
            server: Server::start_with(database, &settings).await,
            node,
            proxy: None,
            chain,
            settling: None,
            is_foreign: AtomicBool::new(false),
        };
        stage.settle().await;
        stage
    }

    /// Starts settlement, as a process that comes up does. Who sent with our key meanwhile, through [`Self::send`], says so.
    pub async fn settle(&mut self) {
        self.settle_alone().await;
        if self.is_foreign.swap(false, Ordering::SeqCst) {
            let use_of_key = self.foreign_use().await;
            self.acknowledge(use_of_key.last, &[]).await.unwrap();
        }
    }

    /// As [`Self::settle`], and nobody says anything.
    pub async fn settle_alone(&mut self) {
        let driver = driver(&self.server, &self.chain).await;
        let cancel = CancellationToken::new();
        let task = tokio::spawn(driver.run(cancel.clone()));
        self.settling = Some(Settling { cancel, task });
    }

    /// What a person is told of others who use our key, once it is seen.
    pub async fn foreign_use(&self) -> ForeignUse {
        self.wait("the other's nonces to be seen", async || {
            self.server.read(settlement::foreign_use).await
        })
        .await
    }

    /// As a person who has looked everything up.
    pub async fn acknowledge(&self, last: u64, ended: &[OperationId]) -> Result<(), Error> {
        let (ended, now) = (ended.to_vec(), self.server.now());
        let written = self
            .server
            .app
            .db()
            .write(move |tx| settlement::acknowledge(tx, last, &ended, "seen on the explorer", now));
        written.await
    }

    /// Ends settlement between any two steps, as a crash does: nothing is put down, the lease is not released.
    pub async fn crash(&mut self) {
        self.kill_settling().await;
        self.take_lease_away().await;
    }

    /// The first half of [`Self::crash`]: what the process had begun in the database may still be on its way.
    pub async fn kill_settling(&mut self) {
        let settling = self.settling.take().unwrap();
        settling.task.abort();
        let _ = settling.task.await;
        drop(settling.cancel);
    }

    /// Whoever holds the key holds it no more: what is still on its way from there is refused.
    pub async fn take_lease_away(&self) {
        // An hour from now every lease of now has ended, and so has this one before it begins.
        assert!(self.take_lease_at("nobody", 3_600, -3_601).await);
    }

    /// Whether the key was free and is somebody's now, for so many seconds.
    pub async fn take_lease(&self, owner: &'static str, seconds: i64) -> bool {
        self.take_lease_at(owner, 0, seconds).await
    }

    async fn take_lease_at(&self, owner: &'static str, from_now: i64, seconds: i64) -> bool {
        let sender = Signer::open(&self.chain.signer).await.unwrap().address();
        let name = format!("sender:{}:{sender}", self.chain.id);
        let at = Clock::System.now().plus_seconds(from_now);
        let db = self.server.app.db();
        let taken = db.write(move |tx| moneyer::job::acquire_for(tx, &name, owner, at, seconds));
        taken.await.unwrap().is_some()
    }

    /// How many transactions of our signer are mined.
    pub fn count(&self) -> u64 {
        self.node.count(ACCOUNTS[0])
    }

    pub async fn stop_settling(&mut self) {
        let settling = self.settling.take().unwrap();
        settling.cancel.cancel();
        settling.task.await.unwrap();
    }

    pub async fn finish(mut self) {
        if self.settling.is_some() {
            self.stop_settling().await;
        }
        self.server.finish().await;
    }

    /// As [`Self::finish`], and books and chain agree. Makes the blocks that this takes.
    pub async fn finish_in_agreement(self) {
        let rpc = Rpc::connect(&self.chain).unwrap();
        let found = self
            .wait("books at one block", async || {
                self.node.mine(1);
                settlement::reconcile(self.server.app.db(), &rpc).await.unwrap()
            })
            .await;
        assert_eq!(found.drift, Vec::<String>::new());
        self.finish().await;
    }

    // --- assets and operations --------------------------------------------------------------------------------------

    /// An asset on the chain that may be minted: its contract stands, it is not paused.
    pub async fn asset(&self, symbol: &str) -> Address {
        self.wait("the contracts", async || {
            let site = self.server.app.db().read(settlement::site).await;
            site.is_ok().then_some(())
        })
        .await;
        let mut new = crate::support::token(AssetKind::Deposit, symbol);
        new.settlement = Settlement::Evm;
        self.server.found(new).await
    }

    pub async fn operation(&self, id: OperationId) -> Operation {
        self.server.read(move |tx| operation::find(tx, id)).await
    }

    /// The operation once it is final.
    pub async fn ended(&self, id: OperationId) -> Operation {
        self.wait("an operation to end", async || {
            let operation = self.operation(id).await;
            operation.status.is_final().then_some(operation)
        })
        .await
    }

    /// Mints to so many recipients, each the same, without waiting for the chain.
    pub async fn accept(&self, token: &Address, recipients: &[Address], amount: u64) -> OperationId {
        let issuer = self.server.world.issuer.clone();
        let answer = self
            .server
            .request(Method::POST, &issuer, &Server::mint_path(token))
            .header("Prefer", "respond-async")
            .json(&batch(recipients, amount))
            .send()
            .await;
        assert_eq!(answer.status, 202, "{:?}", answer.body);
        OperationId::parse(answer.header("x-operation-id").unwrap()).unwrap()
    }

    /// As [`Self::ended`], on a node that makes no blocks by itself.
    pub async fn ended_by_mining(&self, id: OperationId) -> Operation {
        self.wait("an operation to end", async || {
            self.node.mine(1);
            let operation = self.operation(id).await;
            operation.status.is_final().then_some(operation)
        })
        .await
    }

    /// An asset whose contract stands, that nobody holds yet, on a node that makes no more blocks by itself.
    pub async fn quiet_asset(&self, symbol: &str) -> Address {
        let token = self.asset(symbol).await;
        self.until_mintable(&[token]).await;
        self.node.stop_mining();
        token
    }

    /// Everything that stands before a first mint of these assets is final: contracts, registrations, starts.
    pub async fn until_mintable(&self, tokens: &[Address]) {
        let world = &self.server.world;
        let (from, mut ids) = (world.recipients.len() - 1, Vec::new());
        for token in tokens {
            ids.push(self.accept(token, &world.recipients[from..], 1).await);
        }
        for id in ids {
            assert_eq!(self.ended(id).await.status, Status::Succeeded);
        }
    }

    /// The operation once it is as far as this.
    pub async fn until(&self, id: OperationId, status: Status) {
        self.wait(status.text(), async || {
            (self.operation(id).await.status == status).then_some(())
        })
        .await;
    }

    /// The transactions that were signed for an operation, the newest last.
    pub async fn signed(&self, id: OperationId) -> Vec<Hash32> {
        let found = self.server.read(move |tx| {
            let operation = operation::find(tx, id)?;
            settlement::transactions_of(tx, &operation)
        });
        found.await.into_iter().map(|settled| settled.hash).collect()
    }

    /// The hashes of the transactions that wait in the pool, once there are so many.
    pub async fn pool(&self, count: usize) -> Vec<String> {
        self.wait("the pool", async || {
            let (pending, _) = self.node.pool();
            (pending.len() == count).then_some(pending)
        })
        .await
    }

    /// Each of the mints has succeeded and gave each of the recipients so much, once; books and chain agree.
    pub async fn every_mint_is_there_once(&self, token: Address, ids: &[OperationId], recipients: &[Address]) {
        for id in ids {
            let ended = self.ended(*id).await;
            assert_eq!(ended.status, Status::Succeeded, "{:?}", ended.error);
        }
        let each = u64::try_from(ids.len()).unwrap();
        for recipient in recipients {
            assert_eq!(self.balance(token, *recipient).await, Amount::from(each));
        }
        let asset = self.server.asset(&token).await;
        assert_eq!(self.supply(token).await, asset.supply);
        assert_eq!(asset.pending, Amount::ZERO);
    }

    /// What `moneyer check` would say of the chain.
    pub async fn reconciled(&self) -> Reconciled {
        self.wait("books at one block", async || {
            let rpc = Rpc::connect(&self.chain).unwrap();
            settlement::reconcile(self.server.app.db(), &rpc).await.unwrap()
        })
        .await
    }

    /// Blocks until books and chain agree in the newest final one: older ones may be of another history.
    pub async fn until_agreement(&self) {
        self.wait("books and chain that agree", async || {
            self.node.mine(1);
            self.reconciled().await.drift.is_empty().then_some(())
        })
        .await;
    }

    /// Sends as anybody, and waits for the block.
    pub fn send(&self, from: &str, to: Address, data: &[u8]) -> Hash32 {
        self.node.impersonate(from);
        if from == ACCOUNTS[0] {
            self.is_foreign.fetch_or(self.settling.is_none(), Ordering::SeqCst);
        } else {
            self.node.set_balance(from, 10_u128.pow(20));
        }
        let data = format!("0x{}", to_hex(data));
        let receipt = transact(
            &self.node,
            json!({ "from": from, "to": to.to_string(), "data": data, "gas": "0x100000" }),
        );
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        Hash32::parse(receipt["transactionHash"].as_str().unwrap()).unwrap()
    }

    /// Waits until readiness would tell of trouble with the chain in these words.
    pub async fn until_told(&self, words: &str) {
        self.wait(words, async || {
            let now = Clock::System.now();
            let health = self.server.read(move |tx| settlement::health(tx, now)).await;
            matches!(health, Some(Health::Degraded(told)) if told.contains(words)).then_some(())
        })
        .await;
    }

    /// Asks until there is an answer.
    pub async fn wait<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(Instant::now() < end, "waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    // --- what the chain says ----------------------------------------------------------------------------------------

    pub async fn ask(&self, to: Address, data: Vec<u8>) -> Vec<u8> {
        let rpc = Rpc::connect(&self.chain).unwrap();
        let call = Call {
            from: Address::ZERO,
            to,
            data,
        };
        rpc.call(&call).await.unwrap().unwrap()
    }

    pub async fn supply(&self, token: Address) -> Amount {
        returned::amount(&self.ask(token, token::total_supply()).await).unwrap()
    }

    pub async fn balance(&self, token: Address, holder: Address) -> Amount {
        returned::amount(&self.ask(token, token::balance_of(holder)).await).unwrap()
    }
}

/// One process of settlement.
pub async fn driver(server: &Server, chain: &Chain) -> Driver {
    let rpc = Rpc::connect(chain).unwrap();
    rpc.verify_chain_id().await.unwrap();
    let signer = Signer::open(&chain.signer).await.unwrap();
    let genesis = rpc.block(0).await.unwrap().unwrap().hash;
    let (id, sender, now) = (chain.id, signer.address(), Clock::System.now());
    let joined = server
        .app
        .db()
        .write(move |tx| settlement::join(tx, id, sender, genesis, now));
    joined.await.unwrap();
    Driver {
        db: server.app.db().clone(),
        rpc: Arc::new(rpc),
        signer: Arc::new(signer),
        settings: Settings {
            policy: Policy::local(chain.fee_max, chain.in_flight_max, chain.gas_per_transaction_max),
            gas_per_transaction_max: chain.gas_per_transaction_max,
            poll: chain.poll,
        },
        now: Arc::new(|| Clock::System.now()),
        owner: RequestId::generate().to_string(),
        judging: moneyer::start::judging(&server.app),
    }
}
