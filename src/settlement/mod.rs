//! How accepted operations become final.
//!
//! With *book* settlement the ledger is the register: what is accepted is final in the same commit. With *evm* settlement
//! an operation is queued with its lines pending; a worker puts it into a transaction and finishes it at finality.
//!
//! *Intent*: one transaction-to-be of our sender at one nonce, for life. *Attempt*: one signed form of it. An intent
//! carries whole operations; mints of one asset share one, up to the gas bound. *Held*: accepted and not sent yet, with
//! the reason. *Registry*: what identities the token's contract knows; ours mirrors the identities registered here.
//! *Adopted*: a token that was there before us, with a registry that is not ours; what was before is its *opening*.
//!
//! [`sender`] decides about nonces, sending and finality, [`plan`] about what goes next; both are pure. [`Driver`] does
//! it. Source: specs/chain.md part A and the twenty rules of its section 5.

mod adopt;
mod capacity;
mod driver;
mod finish;
mod foreign;
mod gas;
mod health;
mod logs;
mod lot;
mod model;
mod moves;
mod nft;
mod observe;
mod plan;
mod reconcile;
mod resolve;
mod reverts;
mod ruling;
pub mod sender;
mod store;
mod turns;

use std::collections::HashMap;
use std::time::Duration;

pub use adopt::{Candidate, Found, look, take_over};
pub use driver::{Driver, Settings};
pub use foreign::{ForeignUse, acknowledge, foreign_use};
pub use health::{Health, health};
pub use model::{ChainRecord, Contracts, Look, Placement, SettledIn};
pub use moves::accept_moves;
pub use nft::{
    FoundCollection, beginning as beginning_of_collection, facts as facts_of_collection, look as look_at_collection,
    take_over as take_over_collection,
};
pub use reconcile::{Reconciled, reconcile};
pub use resolve::{Case, Decision, Progress, cases, decide, progress};
pub use ruling::{Judging, Ruling, Sendable};

use crate::asset::{Asset, Settlement};
use crate::chain::contracts::factory::Implementation;
use crate::chain::contracts::token::Switch;
use crate::collection::ContractType;
use crate::db::{Db, Tx};
use crate::error::{Error, Issue};
use crate::ledger::Sheet;
use crate::operation::{self, Operation};
use crate::types::{Address, AssetId, Hash32, OperationId, Timestamp};

/// How often somebody who waits for finality looks.
const LOOK: Duration = Duration::from_millis(200);

/// Takes over an operation whose lines are reserved on the sheet, inside the commit that accepts it.
pub fn accept(kind: Settlement, sheet: &mut Sheet, operation: Operation, now: Timestamp) -> Result<Operation, Error> {
    match kind {
        Settlement::Book => {
            sheet.post_reserved(operation.sequence).map_err(Error::internal)?;
            Ok(operation.succeeded(now))
        }
        Settlement::Evm => Ok(operation),
    }
}

/// Takes over a change that has no lines (a pause, a freeze, a cap): it holds for new requests from this commit on.
pub fn accept_change(kind: Settlement, operation: Operation, now: Timestamp) -> Operation {
    match kind {
        Settlement::Book => operation.succeeded(now),
        Settlement::Evm => operation,
    }
}

/// Where a new asset of this deployment is created on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    chain_id: u64,
    contracts: Contracts,
}

/// `Invalid` when this server settles on no chain; `Busy` while the contracts have no addresses yet.
pub fn site(tx: &mut Tx<'_>) -> Result<Site, Error> {
    let Some(chain) = store::chain(tx)? else {
        let message = "settlement evm is not available on this server: it settles on no chain";
        return Err(Error::Invalid(vec![Issue::new("settlement", "unsupported", message)]));
    };
    let contracts = chain.contracts.ok_or(Error::Unavailable("the chain is being set up"))?;
    Ok(Site {
        chain_id: chain.chain_id,
        contracts,
    })
}

impl Site {
    /// Where the contract of an asset will be: fixed before it is created (CREATE2, EIP-1014).
    pub fn address_of(&self, asset: AssetId) -> Address {
        Implementation::Token.clone_address(&self.contracts.factory, &driver::salt_of(asset))
    }
}

impl Site {
    /// Where the contract of a collection will be.
    pub fn collection_address(&self, standard: ContractType, asset: AssetId) -> Address {
        let implementation = match standard {
            ContractType::Erc721 => Implementation::Erc721,
            ContractType::Erc1155 => Implementation::Erc1155,
        };
        implementation.clone_address(&self.contracts.factory, &driver::salt_of(asset))
    }
}

impl std::fmt::Display for Site {
    /// CAIP-2.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "eip155:{}", self.chain_id)
    }
}

/// Notes that a new asset settles there.
pub fn place(tx: &mut Tx<'_>, site: &Site, asset: AssetId, holder_transfers: Switch) -> Result<Placement, Error> {
    let placement = Placement {
        asset,
        chain_id: site.chain_id,
        registry: site.contracts.registry,
        adopted: false,
        holder_transfers: holder_transfers == Switch::On,
        recipients_max: i32::try_from(Asset::RECIPIENTS_MAX).map_err(Error::internal)?,
        first_block: None,
        observed_block: None,
    };
    store::insert_placement(tx, &placement)?;
    Ok(placement)
}

/// The account that sends our transactions on the chain: who must be allowed to mint. None before it was set up.
pub fn sender_of(tx: &mut Tx<'_>, chain_id: u64) -> Result<Option<Address>, Error> {
    let chain = store::chain(tx)?.filter(|chain| chain.chain_id == chain_id);
    Ok(chain.map(|chain| chain.sender))
}

/// Notes that a new collection will stand there. No identity registry is asked about its recipients.
pub fn place_collection(tx: &mut Tx<'_>, site: &Site, asset: AssetId) -> Result<(), Error> {
    let placement = Placement {
        asset,
        chain_id: site.chain_id,
        registry: Address::ZERO,
        adopted: false,
        holder_transfers: true,
        recipients_max: 100,
        first_block: None,
        observed_block: None,
    };
    store::insert_placement(tx, &placement)
}

/// Whether the contract of the asset was there before us.
pub fn is_adopted(tx: &mut Tx<'_>, asset: AssetId) -> Result<bool, Error> {
    let placements = store::placements(tx, &[asset])?;
    Ok(placements.iter().any(|placement| placement.adopted))
}

/// Whether the contract of an asset is known to stand on the chain: it was there before us, or its creation was mined.
pub fn stands(tx: &mut Tx<'_>, asset: AssetId) -> Result<bool, Error> {
    let placements = store::placements(tx, &[asset])?;
    Ok(placements.iter().any(|placement| placement.first_block.is_some()))
}

/// Recipients of one operation that fit one transaction of the asset's contract; none where it has none.
pub fn recipients_max(tx: &mut Tx<'_>, asset: AssetId) -> Result<Option<usize>, Error> {
    let placement = store::placements(tx, &[asset])?.into_iter().next();
    Ok(placement.and_then(|placement| usize::try_from(placement.recipients_max).ok()))
}

/// Notes which chain this deployment settles on. `Conflict` when the database belongs to another chain, to another state
/// of a chain with this number, or to another key.
pub fn join(tx: &mut Tx<'_>, chain_id: u64, sender: Address, genesis: Hash32, now: Timestamp) -> Result<(), Error> {
    if let Some(known) = store::chain(tx)? {
        let problem = if known.chain_id != chain_id {
            format!(
                "this database settles on chain {}, the node is chain {chain_id}",
                known.chain_id
            )
        } else if known.genesis != genesis {
            format!(
                "the node's chain {chain_id} began with block {genesis}, this database knows {}",
                known.genesis
            )
        } else if known.sender != sender {
            format!(
                "the contracts of this database belong to {}, the signer is {sender}",
                known.sender
            )
        } else {
            return Ok(());
        };
        return Err(Error::Conflict(problem));
    }
    let chain = ChainRecord {
        chain_id,
        sender,
        genesis,
        contracts: None,
        ready: false,
        observed_block: 0,
        compared_block: 0,
        look: Look::default(),
    };
    store::insert_chain(tx, &chain, now)
}

/// Whether the registry on the chain has been told everything, and every transaction that was sent is final.
pub fn is_idle(tx: &mut Tx<'_>) -> Result<bool, Error> {
    store::is_idle(tx)
}

/// The transactions of an operation, the newest last.
pub fn transactions_of(tx: &mut Tx<'_>, operation: &Operation) -> Result<Vec<SettledIn>, Error> {
    let found = store::transactions_of(tx, operation.asset, &[operation.sequence])?;
    Ok(found.into_iter().map(|(_, settled)| settled).collect())
}

/// In which block each of these operations of an asset was mined, by their numbers; those that were not are absent.
pub fn blocks_of(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64]) -> Result<HashMap<i64, u64>, Error> {
    let found = store::transactions_of(tx, asset, numbers)?;
    let mined = found
        .into_iter()
        .filter_map(|(number, settled)| Some((number, settled.block?)));
    Ok(mined.collect())
}

/// The chain of this deployment (CAIP-2); none before it met one.
pub fn chain_name(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    Ok(store::chain(tx)?.map(|chain| format!("eip155:{}", chain.chain_id)))
}

/// The highest block that was seen on the chain of this deployment.
pub fn head(tx: &mut Tx<'_>) -> Result<Option<u64>, Error> {
    match store::chain(tx)? {
        None => Ok(None),
        Some(chain) => store::head(tx, chain.chain_id),
    }
}

/// Waits until an operation is final, but no longer than this; holds no connection while it waits. What it returns may
/// be open.
pub async fn wait(db: &Db, id: OperationId, patience: Duration) -> Result<Operation, Error> {
    let final_one = async {
        loop {
            let operation = db.read(move |tx| operation::find(tx, id)).await?;
            if operation.status.is_final() {
                return Ok(operation);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(patience, final_one).await {
        Ok(found) => found,
        Err(_) => db.read(move |tx| operation::find(tx, id)).await,
    }
}
