//! Brings our contracts to a chain: the factory, what it clones, and the registry. Six transactions, once per chain.

use super::{Session, act};
use crate::chain::contracts::factory::Implementation;
use crate::chain::contracts::{factory, registry};
use crate::error::Error;
use crate::settlement::model::{Contracts, Order};
use crate::settlement::sender::{Event, Intent, Work};
use crate::settlement::store;
use crate::types::{Address, AssetId, Hash32, keccak256};

/// Gas that each of them is given: a contract of the largest size that a chain takes costs less.
const GAS_OF_DEPLOYMENT: u64 = 8_000_000;

/// The salt of an asset's contract.
pub(in crate::settlement) fn salt_of(asset: AssetId) -> Hash32 {
    let mut text = b"moneyer asset v1".to_vec();
    text.extend_from_slice(asset.as_uuid().as_bytes());
    keccak256(&text)
}

/// The transactions of the set-up, in their order, and where the contracts will be.
struct Plan {
    contracts: Contracts,
    calls: Vec<(Option<Address>, Vec<u8>)>,
}

fn plan(sender: Address, first_nonce: u64) -> Plan {
    let at = factory::created_address(&sender, first_nonce);
    let registry_code = registry::creation_code(sender, sender);
    let mut calls = vec![(None, factory::creation_code(sender))];
    calls.extend(Implementation::ALL.map(|implementation| (Some(at), implementation.deploy())));
    calls.push((Some(at), factory::deploy(&Hash32::ZERO, &registry_code)));
    calls.push((Some(at), factory::set_implementations(&at)));
    Plan {
        contracts: Contracts {
            factory: at,
            registry: factory::deployed_address(&at, &Hash32::ZERO, &registry_code),
        },
        calls,
    }
}

impl Session {
    /// Begins the set-up, or notes that it is complete.
    pub(super) async fn set_up(&mut self) -> Result<(), Error> {
        match self.chain.contracts {
            None => self.begin().await,
            Some(_) => self.complete().await,
        }
    }

    async fn begin(&mut self) -> Result<(), Error> {
        let Some(first) = self.place(GAS_OF_DEPLOYMENT) else {
            return Ok(());
        };
        let plan = plan(self.key.sender, first);
        tracing::info!(factory = %plan.contracts.factory, "bringing the contracts to the chain");
        let intents: Vec<(Intent, Order)> = (first..)
            .zip(plan.calls)
            .map(|(nonce, (to, data))| {
                let order = Order {
                    kind: "setup",
                    asset: None,
                    to,
                    data,
                    operations: Vec::new(),
                };
                (Intent::new(nonce, Work::Planned, GAS_OF_DEPLOYMENT), order)
            })
            .collect();
        let (key, now, contracts, rows) = (self.key, self.driver.now(), plan.contracts, intents.clone());
        self.write(move |tx| {
            for (intent, order) in &rows {
                act::insert(tx, &key, intent, order, now)?;
            }
            store::set_contracts(tx, key.chain_id, contracts)?;
            store::change_all(tx, now)
        })
        .await?;
        self.chain.contracts = Some(contracts);
        for (intent, _) in intents {
            self.remember(&intent, Vec::new(), None);
            self.follow(Event::Assigned { intent }).await?;
        }
        Ok(())
    }

    /// The contracts stand once every transaction of the set-up is mined.
    async fn complete(&mut self) -> Result<(), Error> {
        let key = self.key;
        let standing = self
            .driver
            .db
            .read(move |tx| store::mined_of_kind(tx, &key, "setup"))
            .await?;
        if !standing {
            return Ok(());
        }
        let chain = self.key.chain_id;
        self.write(move |tx| store::set_ready(tx, chain, true)).await?;
        self.chain.ready = true;
        tracing::info!(chain, "the contracts stand");
        Ok(())
    }
}
