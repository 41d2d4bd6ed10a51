use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::custody_wallets;
use crate::error::Error;
use crate::on;
use crate::types::{Address, Hash32, Timestamp};

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
