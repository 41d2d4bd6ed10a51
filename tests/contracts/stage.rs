//! One node for the binary, and contracts of its own for every test.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::abi::Abi;
use crate::evm::{Contract, Mined, funded, many, somebody};
use crate::node::{Node, Options};

static NODE: LazyLock<Node> = LazyLock::new(|| {
    let node = Node::start(Options::default());
    node.impersonate_everybody();
    node
});

pub const ZERO: &str = "0x0000000000000000000000000000000000000000";
pub const HUGE: &str = "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

pub fn node() -> &'static Node {
    &NODE
}

pub fn abi(contract: &str) -> Arc<Abi> {
    Arc::new(Abi::of(contract))
}

/// The salt that is this number.
pub fn salt(number: u64) -> String {
    format!("{number:#066x}")
}

/// A factory with its implementations, a registry, and who is who.
pub struct System {
    /// Owns everything.
    pub owner: String,
    /// May mint and write to the registry.
    pub agent: String,
    pub outsider: String,
    pub factory: Contract<'static>,
    pub registry: Contract<'static>,
}

impl System {
    pub fn new() -> Self {
        let (owner, agent, outsider) = (funded(node()), funded(node()), funded(node()));
        let deploy = |contract: &str, arguments: Value| Contract::deploy(node(), &abi(contract), &owner, arguments);
        let factory = deploy("MoneyerFactory", json!([owner]));
        let implementations: Vec<String> = ["MoneyerToken", "MoneyerERC721", "MoneyerERC1155"]
            .into_iter()
            .map(|contract| deploy(contract, json!([])).address)
            .collect();
        factory.send("setImplementations", json!(implementations));

        let code = abi("MoneyerIdentityRegistry").creation(&json!([owner, agent]));
        let address = factory.view("deploy", json!([salt(0), code]));
        factory.send("deploy", json!([salt(0), code]));
        let registry = Contract::at(
            node(),
            &abi("MoneyerIdentityRegistry"),
            address.as_str().unwrap(),
            &agent,
        );
        Self {
            owner,
            agent,
            outsider,
            factory,
            registry,
        }
    }

    pub fn parameters(&self, cap: impl Into<Value>) -> Value {
        let registry = &self.registry.address;
        json!([
            "Acme Equity",
            "ACME",
            18,
            cap.into(),
            registry,
            ZERO,
            self.owner,
            self.agent,
            false
        ])
    }

    /// A token at this salt, called by the agent, paused as it was created.
    pub fn token(&self, salt_number: u64, cap: impl Into<Value>) -> Contract<'static> {
        let address = self.factory.view("predictToken", json!([salt(salt_number)]));
        self.factory
            .send("createToken", json!([salt(salt_number), self.parameters(cap)]));
        Contract::at(node(), &abi("MoneyerToken"), address.as_str().unwrap(), &self.agent)
    }

    pub fn collection(&self, standard: &str) -> Contract<'static> {
        let parameters = json!([
            "Acme Art",
            "ART",
            "https://meta.test/",
            "https://meta.test/art",
            self.owner,
            self.agent
        ]);
        let predicted = self
            .factory
            .view(&format!("predictCollection{standard}"), json!([salt(1)]));
        self.factory
            .send(&format!("createCollection{standard}"), json!([salt(1), parameters]));
        Contract::at(
            node(),
            &abi(&format!("MoneyerERC{standard}")),
            predicted.as_str().unwrap(),
            &self.agent,
        )
    }

    pub fn register(&self, wallets: &[String]) {
        let entries: Vec<Value> = wallets
            .iter()
            .map(|wallet| json!([wallet, somebody(), 756, true]))
            .collect();
        self.registry.send("batchSync", json!([entries]));
    }
}

/// A token that mints, and its holders.
pub struct Stage {
    pub system: System,
    /// Called by the agent.
    pub token: Contract<'static>,
    /// Registered, with nothing.
    pub holders: Vec<String>,
}

impl Stage {
    pub fn new() -> Self {
        let system = System::new();
        let token = system.token(1, 0);
        token.send("unpause", json!([]));
        let holders = many(3);
        system.register(&holders);
        for holder in &holders {
            node().set_balance(holder, 1_000_000_000_000_000_000);
        }
        Self { system, token, holders }
    }

    /// The first holder has 100.
    pub fn with_a_hundred() -> Self {
        let stage = Self::new();
        stage.mint(&stage.holders[0], 100);
        stage
    }

    pub fn mint(&self, holder: &str, amount: u64) -> Mined {
        self.token.send("mint", json!([holder, amount]))
    }

    pub fn balance(&self, holder: &str) -> u64 {
        read(&self.token, "balanceOf", json!([holder]))
    }

    pub fn frozen(&self, holder: &str) -> u64 {
        read(&self.token, "getFrozenTokens", json!([holder]))
    }

    pub fn supply(&self) -> u64 {
        read(&self.token, "totalSupply", json!([]))
    }

    /// The token with the owner calling.
    pub fn settings(&self) -> Contract<'static> {
        self.token.by(&self.system.owner)
    }
}

/// A small number a view answers.
pub fn read(contract: &Contract<'_>, function: &str, arguments: Value) -> u64 {
    contract.view(function, arguments).as_str().unwrap().parse().unwrap()
}
