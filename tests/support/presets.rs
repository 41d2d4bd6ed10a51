//! Immutable's presets 2.2.14, installed from npm: contracts that nobody here wrote.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::path::Path;
use std::sync::Arc;

use moneyer::types::Address;
use serde_json::{Value, json};

use super::abi::Abi;
use super::evm::Contract;
use super::node::Node;

/// What TypeChain wrote around the compiler's output.
fn preset(path: &str) -> Arc<Abi> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = "contracts/interop/node_modules/@imtbl/contracts/dist/typechain-types/factories/contracts";
    let file = root.join(folder).join(format!("{path}__factory.js"));
    assert!(
        file.exists(),
        "{} is missing: run bin/test, or npm install in contracts/interop",
        file.display()
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let (_, rest) = text.split_once("const _abi = ").unwrap();
    let (abi, rest) = rest.split_once(";\nconst _bytecode = \"").unwrap();
    let (bytecode, _) = rest.split_once('"').unwrap();
    let abi: Value = serde_json::from_str(&quoted(abi)).unwrap();
    Arc::new(Abi::parse(&json!({ "abi": abi, "bytecode": bytecode })))
}

/// A literal of JavaScript, one name a line, as JSON.
fn quoted(literal: &str) -> String {
    let lines: Vec<&str> = literal.lines().map(str::trim).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let line = match line.split_once(": ") {
            Some((name, value)) => format!("\"{name}\": {value}"),
            None => (*line).to_owned(),
        };
        let ends = lines.get(index + 1).is_some_and(|next| next.starts_with(['}', ']']));
        text += if ends { line.trim_end_matches(',') } else { &line };
    }
    text
}

/// A studio's contract; its owner is its administrator, and nobody may mint yet.
pub struct Preset<'n> {
    pub contract: Contract<'n>,
    pub owner: String,
}

impl<'n> Preset<'n> {
    /// By somebody who has money for gas.
    pub fn deploy(node: &'n Node, owner: &str, name: &str) -> Self {
        node.impersonate_everybody();
        let allowlist = preset("test/allowlist/OperatorAllowlist.sol/OperatorAllowlist");
        let allowlist = Contract::deploy(node, &allowlist, owner, json!([owner])).address;
        let (base, own) = ("https://studio.test/", "https://studio.test/own");
        let (path, arguments) = match name {
            "ImmutableERC1155" => (
                "token/erc1155/preset",
                json!([owner, "Potions", base, own, allowlist, owner, 500]),
            ),
            _ => (
                "token/erc721/preset",
                json!([owner, "Heroes", "HERO", base, own, allowlist, owner, 500]),
            ),
        };
        let abi = preset(&format!("{path}/{name}"));
        let contract = Contract::deploy(node, &abi, owner, arguments);
        Self {
            contract,
            owner: owner.to_owned(),
        }
    }

    pub fn let_mint(&self, who: &str) {
        self.contract.send("grantMinterRole", json!([who]));
    }

    pub fn address(&self) -> Address {
        Address::parse(&self.contract.address).unwrap()
    }
}
