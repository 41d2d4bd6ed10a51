use std::collections::HashSet;

use diesel::prelude::*;

use super::{column, number};
use crate::asset::AssetKind;
use crate::db::Tx;
use crate::db::schema::{assets, chain_assets, chain_attempts, chain_intents, chains, intent_operations, operations};
use crate::error::Error;
use crate::on;
use crate::operation::OperationKind;
use crate::settlement::model::Token;
use crate::types::{Address, AssetId, Hash32};

/// The tokens of this chain that stand in this block or below, by asset.
pub(in super::super) fn tokens(tx: &mut Tx<'_>, chain: u64, up_to: u64) -> Result<Vec<Token>, Error> {
    contracts(tx, chain, up_to, &AssetKind::FUNGIBLE)
}

/// The collections of this chain that stand in this block or below, by asset.
pub(in super::super) fn collections(tx: &mut Tx<'_>, chain: u64, up_to: u64) -> Result<Vec<Token>, Error> {
    contracts(tx, chain, up_to, &AssetKind::COLLECTIONS)
}

fn contracts(tx: &mut Tx<'_>, chain: u64, up_to: u64, kinds: &[AssetKind]) -> Result<Vec<Token>, Error> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let query = chain_assets::table
        .inner_join(assets::table.on(assets::id.eq(chain_assets::asset_id)))
        .filter(chain_assets::chain_id.eq(column(chain)?))
        .filter(chain_assets::first_block.le(column(up_to)?))
        .filter(assets::kind.eq_any(kinds))
        .order(chain_assets::asset_id)
        .select((
            chain_assets::asset_id,
            assets::address,
            chain_assets::first_block.assume_not_null(),
            chain_assets::observed_block,
        ));
    let rows: Vec<(AssetId, Address, i64, Option<i64>)> = on!(tx, c => query.load(c))?;
    rows.into_iter()
        .map(|(asset, address, first_block, observed_block)| {
            Ok(Token {
                asset,
                address,
                first_block: number(first_block)?,
                observed_block: observed_block.map(number).transpose()?,
            })
        })
        .collect()
}

/// Notes up to which block transfers were posted.
pub(in super::super) fn set_observed(tx: &mut Tx<'_>, chain: u64, block: u64) -> Result<(), Error> {
    let row = chains::table.find(column(chain)?);
    let block = column(block)?;
    on!(tx, c => diesel::update(row).set(chains::observed_block.eq(block)).execute(c))?;
    Ok(())
}

/// Notes up to which block transfers of adopted tokens were posted; those of ours are left as they are.
pub(in super::super) fn set_tokens_observed(tx: &mut Tx<'_>, assets: &[AssetId], block: u64) -> Result<(), Error> {
    let rows = chain_assets::table
        .filter(chain_assets::asset_id.eq_any(assets))
        .filter(chain_assets::observed_block.is_not_null());
    let block = column(block)?;
    on!(tx, c => diesel::update(rows).set(chain_assets::observed_block.eq(block)).execute(c))?;
    Ok(())
}

/// Those of these transactions that we signed.
pub(in super::super) fn ours(tx: &mut Tx<'_>, transactions: &[Hash32]) -> Result<HashSet<Hash32>, Error> {
    let query = chain_attempts::table
        .filter(chain_attempts::hash.assume_not_null().eq_any(transactions))
        .select(chain_attempts::hash.assume_not_null());
    let found: Vec<Hash32> = on!(tx, c => query.load(c))?;
    Ok(found.into_iter().collect())
}

/// Which operations did their work in these blocks, and in which transaction: (asset, number, transaction).
pub(in super::super) fn settled_in(
    tx: &mut Tx<'_>,
    chain: u64,
    (from, to): (u64, u64),
) -> Result<Vec<(AssetId, i64, Hash32)>, Error> {
    let mined = chain_attempts::chain_id
        .eq(chain_intents::chain_id)
        .and(chain_attempts::sender.eq(chain_intents::sender))
        .and(chain_attempts::nonce.eq(chain_intents::nonce))
        .and(chain_attempts::attempt.nullable().eq(chain_intents::mined_attempt))
        .and(chain_attempts::noop.eq(false));
    let linked = intent_operations::chain_id
        .eq(chain_intents::chain_id)
        .and(intent_operations::sender.eq(chain_intents::sender))
        .and(intent_operations::nonce.eq(chain_intents::nonce));
    let query = chain_intents::table
        .inner_join(intent_operations::table.on(linked))
        .inner_join(chain_attempts::table.on(mined))
        .filter(chain_intents::chain_id.eq(column(chain)?))
        .filter(chain_intents::block_number.between(column(from)?, column(to)?))
        .filter(chain_intents::success.eq(true))
        .select((
            intent_operations::asset_id,
            intent_operations::sequence,
            chain_attempts::hash.assume_not_null(),
        ));
    Ok(on!(tx, c => query.load(c))?)
}

/// Notes up to which block logs were compared.
pub(in super::super) fn set_compared(tx: &mut Tx<'_>, chain: u64, block: u64) -> Result<(), Error> {
    let row = chains::table.find(column(chain)?);
    let block = column(block)?;
    on!(tx, c => diesel::update(row).set(chains::compared_block.eq(block)).execute(c))?;
    Ok(())
}

/// Whether the books hold what the chain holds in this block: everything that we sent and that was mined up to there is
/// posted, and nothing beyond it is.
pub(in super::super) fn are_books_at(tx: &mut Tx<'_>, chain: u64, block: u64) -> Result<bool, Error> {
    let (chain, block) = (column(chain)?, column(block)?);
    let posted_beyond = chain_intents::table
        .filter(chain_intents::chain_id.eq(chain))
        .filter(chain_intents::state.eq_any(["final", "closed"]))
        .filter(chain_intents::block_number.gt(block))
        .count();
    let unposted = chain_intents::table
        .filter(chain_intents::chain_id.eq(chain))
        .filter(chain_intents::state.eq("mined"))
        .filter(chain_intents::block_number.le(block))
        .count();
    let posted_beyond: i64 = on!(tx, c => posted_beyond.get_result(c))?;
    let unposted: i64 = on!(tx, c => unposted.get_result(c))?;
    Ok(posted_beyond == 0 && unposted == 0)
}

/// Whether a change of this asset was accepted and is not final: the chain does not know it yet, or knows it already.
pub(in super::super) fn is_changing(tx: &mut Tx<'_>, asset: AssetId) -> Result<bool, Error> {
    let open = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::kind.ne(OperationKind::Mint.text()))
        .filter(operations::finished_at.is_null())
        .count();
    let open: i64 = on!(tx, c => open.get_result(c))?;
    Ok(open > 0)
}
