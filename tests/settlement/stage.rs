//! A server, a node, and one process that settles between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moneyer::app::Clock;
use moneyer::asset::{AssetKind, Settlement};
use moneyer::chain::contracts::{returned, token};
use moneyer::chain::{Call, Rpc, Signer};
use moneyer::config::{Chain, Endpoint, Finality, KeySource};
use moneyer::operation::{self, Operation};
use moneyer::settlement::sender::Policy;
use moneyer::settlement::{self, Driver, Settings};
use moneyer::types::{Address, Amount, OperationId, RequestId};
use secrecy::SecretBox;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::node::{Mining, Node, Options};
use crate::support::{Database, Server};

/// The key of the first account that anvil gives money to; everybody knows it.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// Nothing here takes longer on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Stage {
    pub node: Node,
    pub server: Server,
    pub chain: Chain,
    settling: Option<Settling>,
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
        let mut stage = Self {
            server: Server::start(database).await,
            node,
            chain,
            settling: None,
        };
        stage.settle().await;
        stage
    }

    /// Starts settlement, as a process that comes up does.
    pub async fn settle(&mut self) {
        let driver = driver(&self.server, &self.chain).await;
        let cancel = CancellationToken::new();
        let task = tokio::spawn(driver.run(cancel.clone()));
        self.settling = Some(Settling { cancel, task });
    }

    /// Ends settlement between any two steps, as a crash does: nothing is put down, the lease is not released.
    pub async fn crash(&mut self) {
        let settling = self.settling.take().unwrap();
        settling.task.abort();
        let _ = settling.task.await;
        drop(settling.cancel);
        self.take_lease_away().await;
    }

    /// Whoever holds the key holds it no more: what is still on its way from there is refused.
    pub async fn take_lease_away(&self) {
        let sender = Signer::open(&self.chain.signer).await.unwrap().address();
        let name = format!("sender:{}:{sender}", self.chain.id);
        // An hour from now every lease of now has ended, and so has this one before it begins.
        let later = Clock::System.now().plus_seconds(3_600);
        let taken = self
            .server
            .app
            .db()
            .write(move |tx| moneyer::job::acquire_for(tx, &name, "nobody", later, -3_601));
        assert!(taken.await.unwrap().is_some());
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
    }
}
