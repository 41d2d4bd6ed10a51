//! Takes waiting operations into intents, as the planner chooses.

use std::collections::HashMap;

use super::{Next, Session, act, preflight};
use crate::chain::Call;
use crate::chain::contracts::factory::NewToken;
use crate::chain::contracts::registry::{Person, Registration, WalletEntry};
use crate::chain::contracts::token::Switch;
use crate::chain::contracts::{factory, registry, token};
use crate::db::Tx;
use crate::error::Error;
use crate::identity;
use crate::operation::{self, Operation, OperationKind, Plan};
use crate::settlement::lot::Group;
use crate::settlement::model::{ChainRecord, Entry, Order};
use crate::settlement::plan::{self, Held, Waiting};
use crate::settlement::sender::{Event, Intent, NoRoom, State, Work};
use crate::settlement::{moves, store};
use crate::types::{Address, AssetId};

/// Transactions after which the chain is looked at again before more are sent: what became final meanwhile is posted while
/// the node tries the next ones.
const SENT_PER_LOOK: usize = 4;
/// Full transactions that are looked for in one look where mints turn out to wait, for a recipient that is frozen or not
/// registered yet: mints behind so many have to wait, too.
const ROUNDS_PER_LOOK: usize = 25;
/// Wallets that one transaction tells the registry about: well inside the gas of one transaction.
const REGISTRY_BATCH: i64 = 150;
/// Gas of a change of one token: a few storage slots; what is not used is not paid.
const GAS_OF_CHANGE: u64 = 200_000;
/// Gas of creating a token from the factory's code.
const GAS_OF_CREATION: u64 = 1_500_000;
/// Gas of the registry's transaction, and of each wallet in it: three fresh storage slots and an event.
const GAS_OF_REGISTRY: u64 = 60_000;
const GAS_OF_ENTRY: u64 = 95_000;

impl Session {
    /// Takes what may go now. One that was filled leaves others behind: a few of them need no further look at the chain.
    pub(super) async fn dispatch(&mut self) -> Result<Next, Error> {
        if !self.chain.ready {
            self.set_up().await?;
            return Ok(Next::AtTick);
        }
        self.passed_over.clear();
        let begin = self.sender.in_flight();
        for _ in 0..ROUNDS_PER_LOOK {
            let (before, passed_over) = (self.sender.in_flight(), self.passed_over.len());
            let leaves_more = self.dispatch_once().await?;
            let now = self.sender.in_flight();
            if !leaves_more || (now <= before && self.passed_over.len() == passed_over) {
                return Ok(Next::AtTick);
            }
            if now.saturating_sub(begin) >= SENT_PER_LOOK {
                return Ok(Next::AtOnce);
            }
        }
        Ok(Next::AtTick)
    }

    /// One transaction per change and per group of mints; true when a full one left mints behind.
    async fn dispatch_once(&mut self) -> Result<bool, Error> {
        let waiting = self.backlog().await?;
        let planned: usize = waiting.iter().map(|asset| asset.operations.len()).sum();
        let queued = planned.saturating_add(self.passed_over.len());
        metrics::gauge!("settlement_waiting").set(f64::from(u32::try_from(queued).unwrap_or(u32::MAX)));
        let choice = plan::choose(&waiting, &self.gas, self.gas_usable());
        self.hold(&waiting, choice.held).await?;
        for change in choice.changes {
            let sent = self.send_change(&waiting, &change).await;
            if !self.or_later(sent, true, || format!("operation {}", change.id))? {
                return Ok(false);
            }
        }
        if !self.send_registrations().await? {
            return Ok(false);
        }
        let known: HashMap<AssetId, &Waiting> = waiting.iter().map(|asset| (asset.asset.id, asset)).collect();
        for together in choice.mints {
            let Some(waiting) = known.get(&together.group.asset) else {
                continue;
            };
            let sent = match waiting.asset.kind.is_collection() {
                true => self.send_nfts(waiting, together).await,
                false => self.send_mints(waiting, together).await,
            };
            if !self.or_later(sent, true, || format!("asset {}", waiting.asset.address))? {
                return Ok(false);
            }
        }
        Ok(choice.leaves_more)
    }

    /// What one transaction may spend, with a margin for what estimates miss.
    fn gas_usable(&self) -> u64 {
        preflight::without_margin(self.gas_bound())
    }

    /// Writes why operations wait, where that is news.
    pub(super) async fn hold(&self, waiting: &[Waiting], held: Vec<Held>) -> Result<(), Error> {
        let known: HashMap<(AssetId, i64), Option<&str>> = waiting
            .iter()
            .flat_map(|asset| asset.operations.iter())
            .map(|operation| ((operation.asset, operation.sequence), operation.hold.as_deref()))
            .collect();
        let news: Vec<Held> = held
            .into_iter()
            .map(|held| Held {
                numbers: held
                    .numbers
                    .iter()
                    .copied()
                    .filter(|number| known.get(&(held.asset, *number)).copied().flatten() != Some(held.reason.as_str()))
                    .collect(),
                ..held
            })
            .filter(|held| !held.numbers.is_empty())
            .collect();
        if news.is_empty() {
            return Ok(());
        }
        self.write(move |tx| {
            for held in &news {
                operation::hold(tx, held.asset, &held.numbers, &held.reason)?;
            }
            Ok(())
        })
        .await
    }

    /// Whether there is a place for one more transaction with this gas limit. None while the signer owes a signature: what
    /// waits can still be held, what has a nonce is on its way.
    pub(super) fn place(&self, gas_limit: u64) -> Option<u64> {
        if self.signer_fails && self.sender.intents().any(|intent| intent.state == State::Assigned) {
            metrics::counter!("settlement_no_room_total", "reason" => "signer").increment(1);
            return None;
        }
        match self.sender.room(gas_limit) {
            Ok(slot) => Some(slot.nonce),
            Err(reason) => {
                let name = match reason {
                    NoRoom::NotLooked => "not_looked",
                    NoRoom::Attention(_) => "attention",
                    NoRoom::InFlight => "in_flight",
                    NoRoom::Gap { .. } => "gap",
                    NoRoom::FeeCeiling { .. } => "fee_ceiling",
                    NoRoom::Funds { .. } => "funds",
                };
                metrics::counter!("settlement_no_room_total", "reason" => name).increment(1);
                tracing::debug!(?reason, "no further transaction is taken now");
                None
            }
        }
    }

    /// False when there is no room for more.
    async fn send_change(&mut self, waiting: &[Waiting], change: &Operation) -> Result<bool, Error> {
        let Some(asset) = waiting.iter().find(|asset| asset.asset.id == change.asset) else {
            return Ok(true);
        };
        if asset.asset.kind.is_collection() && change.kind == OperationKind::Create {
            let (to, data, gas_limit) = self.creation_of(&asset.asset, change).await?;
            return self.assign_change(change, ("change", gas_limit), to, data).await;
        }
        let Some((kind, to, data, gas_limit)) = self.prepared(asset, change).await? else {
            return Ok(true);
        };
        self.assign_change(change, (kind, gas_limit), to, data).await
    }

    async fn assign_change(
        &mut self,
        change: &Operation,
        (kind, gas_limit): (&'static str, u64),
        to: Address,
        data: Vec<u8>,
    ) -> Result<bool, Error> {
        let Some(nonce) = self.place(gas_limit) else {
            return Ok(false);
        };
        let order = Order {
            kind,
            asset: Some(change.asset),
            to: Some(to),
            data,
            operations: vec![(change.asset, change.sequence)],
        };
        let event = self
            .store_intent(Intent::new(nonce, Work::Planned, gas_limit), order)
            .await?;
        self.follow(event).await?;
        Ok(true)
    }

    /// The kind of its intent, whom it calls with what, and its gas limit; none when it is not to be sent now.
    async fn prepared(
        &self,
        asset: &Waiting,
        change: &Operation,
    ) -> Result<Option<(&'static str, Address, Vec<u8>, u64)>, Error> {
        if moves::takes(change.kind) {
            let tried = self.try_moves(asset, change).await?;
            return Ok(tried.map(|(data, gas_limit)| ("moves", asset.asset.address, data, gas_limit)));
        }
        let gas_limit = match change.kind {
            OperationKind::Create => GAS_OF_CREATION,
            OperationKind::Adopt
            | OperationKind::Mint
            | OperationKind::Burn
            | OperationKind::ForcedTransfer
            | OperationKind::Pause
            | OperationKind::Unpause
            | OperationKind::SetCap
            | OperationKind::FreezeAddress
            | OperationKind::Observed => GAS_OF_CHANGE,
        };
        let (to, data) = self.call_of(asset, change)?;
        Ok(Some(("change", to, data, gas_limit)))
    }

    fn call_of(&self, asset: &Waiting, change: &Operation) -> Result<(Address, Vec<u8>), Error> {
        let token = asset.asset.address;
        Ok(match Plan::read(change.kind, &change.plan)? {
            Plan::Create => {
                let contracts = self
                    .chain
                    .contracts
                    .ok_or_else(|| Error::internal("the factory is not known"))?;
                let new = NewToken {
                    name: asset.asset.name.as_str().to_owned(),
                    symbol: asset.asset.symbol.as_str().to_owned(),
                    decimals: asset.asset.decimals.get(),
                    cap: asset.asset.cap,
                    identity_registry: asset.placement.registry,
                    onchain_id: Address::ZERO,
                    owner: self.key.sender,
                    agent: self.key.sender,
                    holder_transfers: switch(asset.placement.holder_transfers),
                };
                let salt = super::salt_of(asset.asset.id);
                (contracts.factory, factory::create_token(&salt, &new))
            }
            Plan::Pause => (token, token::pause()),
            Plan::Unpause => (token, token::unpause()),
            Plan::SetCap { cap } => (token, token::set_cap(cap)),
            Plan::FreezeAddress { wallet, frozen } => (token, token::set_address_frozen(wallet, switch(frozen))),
            Plan::CreateCollection { .. }
            | Plan::Adopt { .. }
            | Plan::Mint
            | Plan::Burn
            | Plan::ForcedTransfer
            | Plan::Observed { .. } => {
                return Err(Error::internal("it is no change of the contract"));
            }
        })
    }

    /// Tells the registry what changed in ours; false when there is no room for more.
    async fn send_registrations(&mut self) -> Result<bool, Error> {
        loop {
            let wallets = self
                .driver
                .db
                .read(|tx| store::changed_wallets(tx, REGISTRY_BATCH))
                .await?;
            if wallets.is_empty() {
                return Ok(true);
            }
            let count = u64::try_from(wallets.len()).unwrap_or(u64::MAX);
            let gas_limit = GAS_OF_REGISTRY.saturating_add(count.saturating_mul(GAS_OF_ENTRY));
            let Some(nonce) = self.place(gas_limit) else {
                return Ok(false);
            };
            let (chain, key, now) = (self.chain.clone(), self.key, self.driver.now());
            let intent = Intent::new(nonce, Work::Planned, gas_limit);
            let row = intent.clone();
            let sent = self
                .write(move |tx| {
                    store::take_changes(tx, &wallets)?;
                    let entries = entries(tx, &wallets)?;
                    let Some(order) = registry_order(&chain, &entries)? else {
                        return Ok(false);
                    };
                    act::insert(tx, &key, &row, &order, now)?;
                    store::put_entries(tx, chain.chain_id, row.nonce, &entries)?;
                    Ok(true)
                })
                .await?;
            if sent {
                self.remember(&intent, Vec::new(), None);
                self.follow(Event::Assigned { intent }).await?;
            }
        }
    }

    pub(super) async fn follow(&mut self, event: Event) -> Result<(), Error> {
        let actions = self.sender.step(event);
        self.act(actions).await
    }

    /// What a new intent is about; of one that mints, also what, and whether it could have taken more of it.
    pub(super) fn remember(&mut self, intent: &Intent, operations: Vec<(AssetId, i64)>, mints: Option<(Group, bool)>) {
        let about = super::About {
            operations,
            mints: mints.map(|(group, _)| group),
            has_room: mints.is_some_and(|(_, has_room)| has_room),
            told: None,
        };
        self.about.insert(intent.nonce, about);
    }

    pub(super) fn call(&self, to: Address, data: Vec<u8>) -> Call {
        Call {
            from: self.key.sender,
            to,
            data,
        }
    }
}

/// What the registry is to hold for these wallets now.
fn entries(tx: &mut Tx<'_>, wallets: &[Address]) -> Result<Vec<Entry>, Error> {
    let known = identity::registrations(tx, wallets)?;
    let people = known
        .into_iter()
        .filter(|identity| identity.kind == identity::Kind::Account);
    let entries = people.map(|identity| Entry {
        wallet: identity.account,
        identity: identity.address,
        country: identity.country,
        verified: identity.registered,
    });
    Ok(entries.collect())
}

fn registry_order(chain: &ChainRecord, entries: &[Entry]) -> Result<Option<Order>, Error> {
    let contracts = chain
        .contracts
        .ok_or_else(|| Error::internal("the registry is not known"))?;
    let told: Vec<WalletEntry> = entries.iter().map(told).collect();
    if told.is_empty() {
        return Ok(None);
    }
    Ok(Some(Order {
        kind: "registry",
        asset: None,
        to: Some(contracts.registry),
        data: registry::batch_sync(&told),
        operations: Vec::new(),
    }))
}

fn told(entry: &Entry) -> WalletEntry {
    let person = Person {
        identity: entry.identity,
        country: entry.country,
    };
    WalletEntry {
        wallet: entry.wallet,
        registration: match entry.verified {
            true => Registration::Verified(person),
            false => Registration::Absent,
        },
    }
}

fn switch(on: bool) -> Switch {
    if on { Switch::On } else { Switch::Off }
}
