//! People beside the load's recipients: two holders who transfer by themselves, a stranger whom the registry on the chain
//! no longer knows, and others whom an agent freezes for a moment.

use std::time::Duration;

use moneyer::app::Clock;
use moneyer::chain::contracts::{registry, returned, token};
use moneyer::ctx::Ctx;
use moneyer::ledger::Freeze;
use moneyer::servicing;
use moneyer::types::{Address, OperationId, RequestId};
use rand::Rng as _;
use serde_json::{Value, json};

use crate::Outcome;
use crate::chaos::{FINALITY_DEPTH, LOOK, until};
use crate::evil::Chaos;
use crate::kill::Shared;
use crate::node::{ACCOUNTS, Node};
use crate::order::{Chooser, Drawn};
use crate::reconcile::Doomed;
use crate::world::{self, World};

/// Accounts whose keys the node has. The first one is the server's.
const HOLDERS: [&str; 2] = [ACCOUNTS[1], ACCOUNTS[2]];
/// Each is frozen once.
const FREEZABLE: usize = 40;
/// In wei; more than any jump of the base fee here asks for.
const HOLDERS_FEE: &str = "0x2e90edd000";
/// ERC-20 `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

pub struct People<'a> {
    world: &'a World,
    chooser: Chooser,
    /// How many were frozen.
    frozen: usize,
    /// Mints to the stranger that were accepted.
    pub doomed: Vec<Doomed>,
}

/// The wallets of all of them, to be registered as the others are.
pub fn wallets() -> Outcome<Vec<Address>> {
    let holders = HOLDERS.iter().map(|text| Address::parse(text));
    let mut all = holders.collect::<Result<Vec<_>, _>>()?;
    all.push(stranger());
    all.extend((0..FREEZABLE).map(freezable));
    Ok(all)
}

fn stranger() -> Address {
    world::wallet(b's', 0)
}

fn freezable(number: usize) -> Address {
    world::wallet(b'f', number)
}

impl<'a> People<'a> {
    pub fn new(world: &'a World, chooser: Chooser) -> Self {
        Self {
            world,
            chooser,
            frozen: 0,
            doomed: Vec::new(),
        }
    }
}

impl Chaos<'_> {
    /// Behind the server's back its registry on the chain forgets the stranger, by a transaction with the server's key. The
    /// books still say that he may hold. Returns when that is final and a person knows of the transaction.
    pub fn forget_the_stranger(&self) -> Outcome<()> {
        let asset = self.people.world.assets[0].address;
        let at = ask(&self.node, asset, &token::identity_registry());
        let registry = returned::address(&at).ok_or("the token names no registry")?;
        let data = hex(&registry::delete_identity(stranger()));
        let transaction = json!({ "from": ACCOUNTS[0], "to": registry, "data": data, "gas": "0x100000" });
        let hash = self.node.send_as(transaction);
        until("the registry to forget", || Ok(!self.node.receipt(&hash).is_null()))?;
        self.node.mine(FINALITY_DEPTH + 1);
        until("a person to know of it", || self.know_of_others())?;
        let verified = ask(&self.node, registry, &registry::is_verified(stranger()));
        match returned::flag(&verified) {
            Some(false) => Ok(()),
            Some(true) | None => Err("the registry still verifies the stranger".into()),
        }
    }

    /// Something to transfer, on each asset.
    pub fn give_to_holders(&mut self, shared: &Shared) -> Outcome<()> {
        for asset in 0..self.people.world.assets.len() {
            for holder in HOLDERS {
                let mut drawn = self.draw(asset);
                self.add(&mut drawn, Address::parse(holder)?)?;
                self.mint(shared, drawn)?;
            }
        }
        Ok(())
    }

    /// A mint with the stranger among its recipients, between two that may share its transaction.
    pub fn mint_to_the_stranger(&mut self, shared: &Shared) -> Outcome<()> {
        let asset = self.random.random_range(0..self.people.world.assets.len());
        let (first, mut broken, last) = (self.draw(asset), self.draw(asset), self.draw(asset));
        let line = self.add(&mut broken, stranger())?;
        self.mint(shared, first)?;
        let (operation, order) = self.load.ask(shared, broken)?;
        let operation = OperationId::parse(&operation)?;
        self.people.doomed.push(Doomed { operation, order, line });
        self.mint(shared, last)
    }

    /// A holder moves units without us. False when he has none, or no block takes it.
    pub fn transfer_of_a_holder(&mut self) -> Outcome<bool> {
        let asset = self.random.random_range(0..self.people.world.assets.len());
        let asset = self.people.world.assets[asset].address;
        let from = self.random.random_range(0..HOLDERS.len());
        let to = Address::parse(HOLDERS[1 - from])?;
        let from = Address::parse(HOLDERS[from])?;
        let held = returned::amount(&ask(&self.node, asset, &token::balance_of(from))).ok_or("no balance")?;
        let held: u64 = held.to_string().parse().unwrap_or(u64::MAX);
        if held == 0 {
            return Ok(false);
        }
        let mut data = TRANSFER.to_vec();
        data.extend([0; 12]);
        data.extend(to.as_bytes());
        data.extend([0; 24]);
        data.extend(self.random.random_range(1..=held).to_be_bytes());
        let transaction = json!({
            "from": from, "to": asset, "data": hex(&data), "gas": "0x40000", "maxFeePerGas": HOLDERS_FEE,
        });
        let Ok(hash) = self.node.try_rpc("eth_sendTransaction", json!([transaction])) else {
            return Ok(false);
        };
        let hash = hash.as_str().unwrap_or_default().to_owned();
        Ok(self.is_mined(&hash))
    }

    fn is_mined(&self, hash: &str) -> bool {
        let looks = Duration::from_secs(3).as_millis() / LOOK.as_millis();
        (0..looks).any(|_| {
            std::thread::sleep(LOOK);
            self.node.receipt(hash)["status"] == "0x1"
        })
    }

    /// Somebody is frozen while a mint to him is on its way, and freed again: the mint goes before the freeze or after the
    /// end of it. False when everybody was.
    pub fn freeze_a_recipient(&mut self, shared: &Shared) -> Outcome<bool> {
        if self.people.frozen == FREEZABLE {
            return Ok(false);
        }
        let wallet = freezable(self.people.frozen);
        self.people.frozen += 1;
        let asset = self.random.random_range(0..self.people.world.assets.len());
        let mut drawn = self.draw(asset);
        self.add(&mut drawn, wallet)?;
        self.mint(shared, drawn)?;
        self.freeze(asset, wallet, Freeze::Frozen)?;
        self.pause();
        self.freeze(asset, wallet, Freeze::Free)?;
        Ok(true)
    }

    fn freeze(&self, asset: usize, wallet: Address, freeze: Freeze) -> Outcome<()> {
        let world = self.people.world;
        let agent = Ctx {
            request_id: RequestId::generate(),
            now: Clock::System.now(),
            ..world.officer.clone()
        };
        let asset = world.assets[asset].id;
        let changed = self
            .db
            .write_blocking(|tx| servicing::freeze_address(tx, &agent, asset, wallet, freeze))?;
        changed
            .map(|_| ())
            .ok_or_else(|| "nothing was to be frozen or freed".into())
    }

    // --- orders of the torment's own ----------------------------------------------------------------------------------

    fn draw(&mut self, asset: usize) -> Drawn {
        let lines = self.people.chooser.number_up_to(self.load.lines_max);
        self.load.book.draw_on(asset, &mut self.people.chooser, lines)
    }

    fn add(&mut self, drawn: &mut Drawn, recipient: Address) -> Outcome<usize> {
        let line = self.load.book.add(drawn, &mut self.people.chooser, recipient);
        line.ok_or_else(|| format!("the book does not know {recipient}").into())
    }

    fn mint(&self, shared: &Shared, drawn: Drawn) -> Outcome<()> {
        let (operation, order) = self.load.ask(shared, drawn)?;
        self.load.journal.acknowledge(&operation, &order)
    }
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", data_encoding::HEXLOWER.encode(bytes))
}

/// What a contract answers, in the newest block.
fn ask(node: &Node, to: Address, data: &[u8]) -> Vec<u8> {
    let answer: Value = node.rpc("eth_call", json!([{ "to": to, "data": hex(data) }, "latest"]));
    let text = answer.as_str().unwrap_or_default().trim_start_matches("0x");
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap_or_default()
}
