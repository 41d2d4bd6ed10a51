use diesel::prelude::*;

use super::{column, number};
use crate::db::Tx;
use crate::db::schema::{chain_assets, chains};
use crate::error::Error;
use crate::on;
use crate::settlement::model::{ChainRecord, Contracts, Look, Placement};
use crate::types::{Address, AssetId, Hash32, Timestamp};

type ChainRow = (
    i64,
    Address,
    Hash32,
    Option<Address>,
    Option<Address>,
    bool,
    Option<i64>,
    i64,
    Timestamp,
    Option<Timestamp>,
    Option<String>,
    i64,
);

fn record(row: ChainRow) -> Result<ChainRecord, Error> {
    let (chain_id, sender, genesis, factory, registry, ready, _, observed, _, looked_at, trouble, compared) = row;
    let contracts = factory
        .zip(registry)
        .map(|(factory, registry)| Contracts { factory, registry });
    Ok(ChainRecord {
        chain_id: number(chain_id)?,
        sender,
        genesis,
        contracts,
        ready,
        observed_block: number(observed)?,
        compared_block: number(compared)?,
        look: Look { at: looked_at, trouble },
    })
}

/// The chain of this deployment; there is one at most.
pub(in super::super) fn chain(tx: &mut Tx<'_>) -> Result<Option<ChainRecord>, Error> {
    let row: Option<ChainRow> = on!(tx, c => chains::table.order(chains::chain_id).first(c).optional())?;
    row.map(record).transpose()
}

pub(in super::super) fn insert_chain(tx: &mut Tx<'_>, chain: &ChainRecord, now: Timestamp) -> Result<(), Error> {
    let row = (
        chains::chain_id.eq(column(chain.chain_id)?),
        chains::sender.eq(chain.sender),
        chains::genesis.eq(chain.genesis),
        chains::ready.eq(false),
        chains::observed_block.eq(column(chain.observed_block)?),
        chains::created_at.eq(now),
    );
    on!(tx, c => diesel::insert_into(chains::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

pub(in super::super) fn set_contracts(tx: &mut Tx<'_>, chain: u64, contracts: Contracts) -> Result<(), Error> {
    let change = (
        chains::factory.eq(contracts.factory),
        chains::registry.eq(contracts.registry),
    );
    let row = chains::table.find(column(chain)?);
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    Ok(())
}

pub(in super::super) fn set_ready(tx: &mut Tx<'_>, chain: u64, ready: bool) -> Result<(), Error> {
    let row = chains::table.find(column(chain)?);
    on!(tx, c => diesel::update(row).set(chains::ready.eq(ready)).execute(c))?;
    Ok(())
}

pub(in super::super) fn set_look(tx: &mut Tx<'_>, chain: u64, look: &Look) -> Result<(), Error> {
    let row = chains::table.find(column(chain)?);
    let change = (
        chains::looked_at.eq(look.at),
        chains::trouble.eq(look.trouble.as_deref()),
    );
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    Ok(())
}

/// Notes the highest head that was seen.
pub(in super::super) fn set_head(tx: &mut Tx<'_>, chain: u64, head: Option<u64>) -> Result<(), Error> {
    let row = chains::table.find(column(chain)?);
    let head = head.map(column).transpose()?;
    on!(tx, c => diesel::update(row).set(chains::head_block.eq(head)).execute(c))?;
    Ok(())
}

pub(in super::super) fn head(tx: &mut Tx<'_>, chain: u64) -> Result<Option<u64>, Error> {
    let query = chains::table.find(column(chain)?).select(chains::head_block);
    let head: Option<Option<i64>> = on!(tx, c => query.first(c).optional())?;
    head.flatten().map(number).transpose()
}

pub(in super::super) fn insert_placement(tx: &mut Tx<'_>, placement: &Placement) -> Result<(), Error> {
    let row = (
        chain_assets::asset_id.eq(placement.asset),
        chain_assets::chain_id.eq(column(placement.chain_id)?),
        chain_assets::registry.eq(placement.registry),
        chain_assets::adopted.eq(placement.adopted),
        chain_assets::holder_transfers.eq(placement.holder_transfers),
        chain_assets::recipients_max.eq(placement.recipients_max),
        chain_assets::first_block.eq(placement.first_block.map(column).transpose()?),
        chain_assets::observed_block.eq(placement.observed_block.map(column).transpose()?),
    );
    on!(tx, c => diesel::insert_into(chain_assets::table).values(row).execute(c))?;
    Ok(())
}

pub(in super::super) fn set_first_block(tx: &mut Tx<'_>, asset: AssetId, block: Option<u64>) -> Result<(), Error> {
    let row = chain_assets::table.find(asset);
    let block = block.map(column).transpose()?;
    on!(tx, c => diesel::update(row).set(chain_assets::first_block.eq(block)).execute(c))?;
    Ok(())
}

/// Notes that fewer recipients fit one transaction than was thought.
pub(in super::super) fn set_recipients_max(tx: &mut Tx<'_>, asset: AssetId, recipients_max: i32) -> Result<(), Error> {
    let row = chain_assets::table.find(asset);
    let change = chain_assets::recipients_max.eq(recipients_max);
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    Ok(())
}

type PlacementRow = (AssetId, i64, Address, bool, bool, i32, Option<i64>, Option<i64>);

/// Of these assets; those that do not settle on a chain are left out.
pub(in super::super) fn placements(tx: &mut Tx<'_>, assets: &[AssetId]) -> Result<Vec<Placement>, Error> {
    let query = chain_assets::table.filter(chain_assets::asset_id.eq_any(assets));
    let rows: Vec<PlacementRow> = on!(tx, c => query.load(c))?;
    rows.into_iter()
        .map(|row| {
            let (asset, chain_id, registry, adopted, holder_transfers, recipients_max, first_block, observed_block) =
                row;
            Ok(Placement {
                asset,
                chain_id: number(chain_id)?,
                registry,
                adopted,
                holder_transfers,
                recipients_max,
                first_block: first_block.map(number).transpose()?,
                observed_block: observed_block.map(number).transpose()?,
            })
        })
        .collect()
}
