//! T-REX 4.1.6 with ONCHAINID 2.2.1, deployed from the packages in `contracts/interop`: an ERC-3643 token that nobody
//! here wrote, whose holders have real identities with real claims.
//!
//! One claim topic is required, one claim issuer is trusted for it, no compliance module is bound until somebody does
//! ([`Trex::limit_balances`]). The token is unpaused. See the order of deployment in T-REX's own documentation.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use moneyer::types::keccak256;
use serde_json::{Value, json};

use super::abi::{Abi, encode_values};
use super::evm::{Contract, funded, somebody};
use super::node::{ACCOUNTS, Node};

const ZERO: &str = "0x0000000000000000000000000000000000000000";
/// Whoever signs claims has to be somebody whose key the node knows.
const CLAIM_SIGNER: &str = ACCOUNTS[1];
/// ERC-734: a key that signs claims, and an ECDSA key.
const PURPOSE_CLAIM: u8 = 3;
const TYPE_ECDSA: u8 = 1;
/// ERC-735: a claim signed with ECDSA.
const SCHEME_ECDSA: u8 = 1;
/// ISO 3166-1 numeric: Switzerland.
const COUNTRY: u16 = 756;

pub struct Trex<'n> {
    pub node: &'n Node,
    /// Deployed everything, owns token, registry and claim issuer, and manages every identity. Not an agent.
    pub owner: String,
    pub agent: String,
    /// Called by the agent.
    pub token: Contract<'n>,
    /// Called by the agent.
    pub registry: Contract<'n>,
    pub claim_issuer: Contract<'n>,
    /// Called by the owner.
    compliance: Contract<'n>,
    /// The claim topic the token requires.
    pub topic: String,
    identity_authority: String,
    identity_proxy: Arc<Abi>,
    identity: Arc<Abi>,
    /// The signature of each wallet's claim.
    claims: HashMap<String, String>,
}

impl<'n> Trex<'n> {
    /// Deploys the suite on a node that impersonates everybody and mines by itself, with somebody as its agent.
    pub fn deploy(node: &'n Node) -> Self {
        let agent = funded(node);
        Self::deploy_for(node, &agent)
    }

    pub fn deploy_for(node: &'n Node, agent: &str) -> Self {
        let owner = funded(node);
        let deploy = |abi: &Arc<Abi>, arguments: Value| Contract::deploy(node, abi, &owner, arguments);
        let authority = implementations(node, &owner);
        // A proxy at the address, with the interface of what it stands for.
        let proxy = |name: &str, target: &str, arguments: Value| {
            let deployed = deploy(&trex(&format!("proxy/{name}Proxy")), arguments);
            Contract::at(node, &trex(target), deployed.address, &owner)
        };

        let topics = proxy(
            "ClaimTopicsRegistry",
            &implementation("ClaimTopicsRegistry"),
            json!([authority]),
        );
        let issuers = proxy(
            "TrustedIssuersRegistry",
            &implementation("TrustedIssuersRegistry"),
            json!([authority]),
        );
        let storage = proxy(
            "IdentityRegistryStorage",
            &implementation("IdentityRegistryStorage"),
            json!([authority]),
        );
        let parts = json!([authority, issuers.address, topics.address, storage.address]);
        let registry = proxy("IdentityRegistry", &implementation("IdentityRegistry"), parts);
        let compliance = proxy(
            "ModularCompliance",
            "compliance/modular/ModularCompliance",
            json!([authority]),
        );

        let identity = onchain_id("Identity");
        let library = deploy(&identity, json!([owner, true])).address;
        let identity_authority = deploy(&onchain_id("proxy/ImplementationAuthority"), json!([library])).address;
        let identity_proxy = onchain_id("proxy/IdentityProxy");
        let own_identity = deploy(&identity_proxy, json!([identity_authority, owner])).address;
        let parameters = json!([
            authority,
            registry.address,
            compliance.address,
            "T-REX Equity",
            "TREX",
            18,
            own_identity
        ]);
        let token = proxy("Token", "token/Token", parameters);

        storage.send("bindIdentityRegistry", json!([registry.address]));
        token.send("addAgent", json!([agent]));
        registry.send("addAgent", json!([agent]));
        // A recovery by the token writes to the registry.
        registry.send("addAgent", json!([token.address]));

        let topic = keccak256(b"KYC").to_string();
        topics.send("addClaimTopic", json!([topic]));
        let claim_issuer = deploy(&onchain_id("ClaimIssuer"), json!([owner]));
        claim_issuer.send("addKey", json!([key_of(CLAIM_SIGNER), PURPOSE_CLAIM, TYPE_ECDSA]));
        issuers.send("addTrustedIssuer", json!([claim_issuer.address, [topic]]));
        token.by(agent).send("unpause", json!([]));

        Self {
            node,
            agent: agent.to_owned(),
            token: token.by(agent),
            registry: registry.by(agent),
            claim_issuer,
            compliance,
            topic,
            identity_authority,
            identity_proxy,
            identity,
            claims: HashMap::new(),
            owner,
        }
    }

    /// No holder may have more than this from now on; nobody has anything yet.
    pub fn limit_balances(&self, max: u64) {
        let module = trex("compliance/modular/modules/MaxBalanceModule");
        let deployed = Contract::deploy(self.node, &module, &self.owner, json!([]));
        self.compliance.send("addModule", json!([deployed.address]));
        let call = module.calldata("setMaxBalance", &json!([max]));
        self.compliance
            .send("callModuleFunction", json!([call, deployed.address]));
    }

    /// Wallets of investors with an identity, a claim of the required topic, and a registration.
    pub fn holders(&mut self, count: usize) -> Vec<String> {
        let wallets = self.registered(count);
        for wallet in &wallets {
            self.certify(wallet);
        }
        wallets
    }

    /// Wallets of investors with an identity and a registration, and no claim: not verified.
    pub fn registered(&mut self, count: usize) -> Vec<String> {
        let wallets: Vec<String> = (0..count).map(|_| somebody()).collect();
        let identities: Vec<String> = wallets
            .iter()
            .map(|_| {
                let parts = json!([self.identity_authority, self.owner]);
                Contract::deploy(self.node, &self.identity_proxy, &self.owner, parts).address
            })
            .collect();
        // 50 at once stay far below what a transaction may use.
        for (wallets, identities) in wallets.chunks(50).zip(identities.chunks(50)) {
            let countries = vec![COUNTRY; wallets.len()];
            self.registry
                .send("batchRegisterIdentity", json!([wallets, identities, countries]));
        }
        wallets
    }

    /// Puts a claim of the required topic, signed by the trusted issuer, on the identity of a registered wallet.
    pub fn certify(&mut self, wallet: &str) {
        let identity = self.identity_of(wallet);
        let data = "0x01";
        // What ONCHAINID's `isClaimValid` hashes; the node adds the prefix of EIP-191.
        let claim = encode_values(
            &["address", "uint256", "bytes"],
            &json!([identity.address, self.topic, data]),
        );
        let signature = self
            .node
            .rpc("eth_sign", json!([CLAIM_SIGNER, keccak256(&claim).to_string()]));
        let issuer = &self.claim_issuer.address;
        identity.send(
            "addClaim",
            json!([self.topic, SCHEME_ECDSA, issuer, signature, data, ""]),
        );
        self.claims
            .insert(wallet.to_owned(), signature.as_str().unwrap().to_owned());
    }

    /// The claim issuer takes back the wallet's claim; the wallet is no longer verified, at once.
    pub fn revoke(&self, wallet: &str) {
        self.claim_issuer
            .send("revokeClaimBySignature", json!([self.claims[wallet]]));
    }

    pub fn is_verified(&self, wallet: &str) -> bool {
        self.registry.view("isVerified", json!([wallet])) == json!(true)
    }

    /// The identity of a registered wallet, called by its manager.
    pub fn identity_of(&self, wallet: &str) -> Contract<'n> {
        let address = self.registry.view("identity", json!([wallet]));
        assert_ne!(address, json!(ZERO), "{wallet} is not registered");
        Contract::at(self.node, &self.identity, address.as_str().unwrap(), &self.owner)
    }
}

/// The implementations behind the suite's proxies; the address of what tells the proxies about them.
fn implementations(node: &Node, owner: &str) -> String {
    let deploy = |path: &str| Contract::deploy(node, &trex(path), owner, json!([])).address;
    let contracts = json!([
        deploy("token/Token"),
        deploy(&implementation("ClaimTopicsRegistry")),
        deploy(&implementation("IdentityRegistry")),
        deploy(&implementation("IdentityRegistryStorage")),
        deploy(&implementation("TrustedIssuersRegistry")),
        deploy("compliance/modular/ModularCompliance"),
    ]);
    let abi = trex("proxy/authority/TREXImplementationAuthority");
    let authority = Contract::deploy(node, &abi, owner, json!([true, ZERO, ZERO]));
    authority.send("addAndUseTREXVersion", json!([[4, 0, 0], contracts]));
    authority.address
}

fn implementation(registry: &str) -> String {
    format!("registry/implementation/{registry}")
}

fn trex(path: &str) -> Arc<Abi> {
    artifact("@tokenysolutions/t-rex", path)
}

fn onchain_id(path: &str) -> Arc<Abi> {
    artifact("@onchain-id/solidity", path)
}

fn artifact(package: &str, path: &str) -> Arc<Abi> {
    let name = path.rsplit('/').next().unwrap();
    let file = format!("contracts/interop/node_modules/{package}/artifacts/contracts/{path}.sol/{name}.json");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    assert!(
        file.exists(),
        "{} is missing: run bin/test, or npm install in contracts/interop",
        file.display()
    );
    Arc::new(Abi::read(&file))
}

/// How ERC-734 names the key of an account.
fn key_of(account: &str) -> String {
    keccak256(&encode_values(&["address"], &json!([account]))).to_string()
}
