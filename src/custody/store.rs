use diesel::prelude::*;

use super::handover::{Handover, HandoverStatus};
use crate::chain::Signed;
use crate::db::Tx;
use crate::db::schema::{custody_transfers, custody_wallets};
use crate::error::Error;
use crate::on;
use crate::types::{Address, Amount, AssetId, Hash32, Timestamp, TokenId};

/// Whether it is new.
pub(super) fn insert_wallet(
    tx: &mut Tx<'_>,
    email_hash: Hash32,
    wallet: Address,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = (
        custody_wallets::email_hash.eq(email_hash),
        custody_wallets::wallet.eq(wallet),
        custody_wallets::created_at.eq(now),
    );
    let inserted = on!(tx, c => diesel::insert_into(custody_wallets::table)
        .values(row)
        .on_conflict(custody_wallets::email_hash)
        .do_nothing()
        .execute(c))?;
    Ok(inserted > 0)
}

/// The transaction of a wallet that is not known to be final.
pub(super) fn open_handover(tx: &mut Tx<'_>, wallet: &Address) -> Result<Option<Handover>, Error> {
    type Row = (Address, i64, AssetId, TokenId, Amount, Address, (Vec<u8>, Hash32));
    let query = custody_transfers::table
        .filter(custody_transfers::wallet.eq(wallet))
        .filter(custody_transfers::status.eq(HandoverStatus::Signed.text()))
        .order(custody_transfers::nonce)
        .select((
            custody_transfers::wallet,
            custody_transfers::nonce,
            custody_transfers::asset_id,
            custody_transfers::token_id,
            custody_transfers::amount,
            custody_transfers::recipient,
            (custody_transfers::raw, custody_transfers::transaction_hash),
        ));
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    let Some((wallet, nonce, collection, token_id, amount, recipient, (raw, hash))) = row else {
        return Ok(None);
    };
    Ok(Some(Handover {
        wallet,
        nonce: u64::try_from(nonce).map_err(Error::internal)?,
        collection,
        token_id,
        amount,
        recipient,
        signed: Signed { raw, hash },
    }))
}

pub(super) fn insert_handover(tx: &mut Tx<'_>, row: &Handover, now: Timestamp) -> Result<(), Error> {
    let row = (
        custody_transfers::wallet.eq(row.wallet),
        custody_transfers::nonce.eq(i64::try_from(row.nonce).map_err(Error::internal)?),
        custody_transfers::asset_id.eq(row.collection),
        custody_transfers::token_id.eq(row.token_id),
        custody_transfers::amount.eq(row.amount),
        custody_transfers::recipient.eq(row.recipient),
        custody_transfers::raw.eq(&row.signed.raw),
        custody_transfers::transaction_hash.eq(row.signed.hash),
        custody_transfers::status.eq(HandoverStatus::Signed.text()),
        custody_transfers::created_at.eq(now),
        custody_transfers::updated_at.eq(now),
    );
    on!(tx, c => diesel::insert_into(custody_transfers::table).values(row).execute(c))?;
    Ok(())
}

/// Whether it was open until now.
pub(super) fn end_handover(
    tx: &mut Tx<'_>,
    handover: &Handover,
    status: HandoverStatus,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = custody_transfers::table
        .filter(custody_transfers::wallet.eq(handover.wallet))
        .filter(custody_transfers::transaction_hash.eq(handover.signed.hash))
        .filter(custody_transfers::status.eq(HandoverStatus::Signed.text()));
    let set = (
        custody_transfers::status.eq(status.text()),
        custody_transfers::updated_at.eq(now),
    );
    let ended = on!(tx, c => diesel::update(row).set(set).execute(c))?;
    Ok(ended == 1)
}
