use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::column;
use crate::db::schema::{chain_intents, identity_wallets, registry_changes, registry_entries};
use crate::db::{Bulk, Lookup, Tx, address_key};
use crate::error::Error;
use crate::on;
use crate::settlement::model::{ChainRecord, Entry, Mirrored, SenderKey};
use crate::types::{Address, CountryCode, Timestamp};

/// States of an intent whose result no block can take away.
const SETTLED: [&str; 2] = ["final", "closed"];

/// Wallets whose registration changed, the oldest first.
pub(in super::super) fn changed_wallets(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Address>, Error> {
    let query = registry_changes::table
        .order((registry_changes::changed_at, registry_changes::wallet))
        .limit(limit)
        .select(registry_changes::wallet);
    Ok(on!(tx, c => query.load(c))?)
}

/// Whether no change waits and every transaction is final.
pub(in super::super) fn is_idle(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let waiting: i64 = on!(tx, c => registry_changes::table.count().get_result(c))?;
    let open = chain_intents::table
        .filter(chain_intents::state.ne_all(SETTLED))
        .count();
    let open: i64 = on!(tx, c => open.get_result(c))?;
    Ok(waiting == 0 && open == 0)
}

/// Locks the changes of these wallets and takes them off the list: what is registered is read after this.
pub(in super::super) fn take_changes(tx: &mut Tx<'_>, wallets: &[Address]) -> Result<(), Error> {
    let rows = registry_changes::table.filter(registry_changes::wallet.eq_any(wallets));
    on!(tx, c => diesel::delete(rows).execute(c))?;
    Ok(())
}

/// Puts every wallet on the list that has an identity: what a new chain must be told.
pub(in super::super) fn change_all(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    let wallets: Vec<Address> = on!(tx, c => identity_wallets::table.select(identity_wallets::wallet).load(c))?;
    insert_changes(tx, wallets, now)
}

/// Wallets that have an identity here, the same ones each time.
pub(in super::super) fn some_wallets(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Address>, Error> {
    let query = identity_wallets::table
        .order(identity_wallets::wallet)
        .limit(limit)
        .select(identity_wallets::wallet);
    Ok(on!(tx, c => query.load(c))?)
}

/// Puts the wallets of an intent on the list again: it had no effect.
pub(in super::super) fn change_entries_of(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    nonce: u64,
    now: Timestamp,
) -> Result<(), Error> {
    let query = registry_entries::table
        .filter(registry_entries::chain_id.eq(column(key.chain_id)?))
        .filter(registry_entries::nonce.eq(column(nonce)?))
        .select(registry_entries::wallet);
    let wallets: Vec<Address> = on!(tx, c => query.load(c))?;
    insert_changes(tx, wallets, now)
}

fn insert_changes(tx: &mut Tx<'_>, wallets: Vec<Address>, now: Timestamp) -> Result<(), Error> {
    let count = wallets.len();
    Bulk::into("registry_changes")
        .column("wallet", wallets)
        .column("changed_at", vec![now; count])
        .on_conflict("ON CONFLICT (wallet) DO NOTHING")
        .execute(tx)?;
    Ok(())
}

/// Notes what an intent tells the registry.
pub(in super::super) fn put_entries(tx: &mut Tx<'_>, chain: u64, nonce: u64, entries: &[Entry]) -> Result<(), Error> {
    // No country has the number 0.
    let country = |entry: &Entry| i16::try_from(entry.country.map_or(0, CountryCode::numeric)).map_err(Error::internal);
    Bulk::into("registry_entries")
        .column("chain_id", vec![column(chain)?; entries.len()])
        .column("wallet", entries.iter().map(|entry| entry.wallet).collect::<Vec<_>>())
        .column(
            "identity",
            entries.iter().map(|entry| entry.identity).collect::<Vec<_>>(),
        )
        .column("country", entries.iter().map(country).collect::<Result<Vec<_>, _>>()?)
        .column(
            "verified",
            entries.iter().map(|entry| entry.verified).collect::<Vec<_>>(),
        )
        .column("nonce", vec![column(nonce)?; entries.len()])
        .on_conflict(
            "ON CONFLICT (chain_id, wallet) DO UPDATE SET identity = excluded.identity, country = excluded.country, \
             verified = excluded.verified, nonce = excluded.nonce",
        )
        .execute(tx)?;
    Ok(())
}

/// How far the registrations of these wallets have come; a wallet that the chain was never told of is not there.
pub(in super::super) fn mirrored(
    tx: &mut Tx<'_>,
    chain: &ChainRecord,
    wallets: &[Address],
) -> Result<HashMap<Address, Mirrored>, Error> {
    let changes = registry_changes::table.select(registry_changes::wallet);
    let waiting: Vec<Address> = match tx {
        Tx::Pg(c) => {
            Lookup::of_addresses(wallets, changes.filter(registry_changes::wallet.eq(address_key()))).load(*c)?
        }
        Tx::Sqlite(c) => changes.filter(registry_changes::wallet.eq_any(wallets)).load(*c)?,
    };
    let of_chain = registry_entries::table
        .filter(registry_entries::chain_id.eq(column(chain.chain_id)?))
        .select((
            registry_entries::wallet,
            registry_entries::verified,
            registry_entries::nonce,
        ));
    let told: Vec<(Address, bool, i64)> = match tx {
        Tx::Pg(c) => {
            Lookup::of_addresses(wallets, of_chain.filter(registry_entries::wallet.eq(address_key()))).load(*c)?
        }
        Tx::Sqlite(c) => of_chain.filter(registry_entries::wallet.eq_any(wallets)).load(*c)?,
    };
    let nonces: HashSet<i64> = told.iter().map(|(_, _, nonce)| *nonce).collect();
    let intents = chain_intents::table
        .filter(chain_intents::chain_id.eq(column(chain.chain_id)?))
        .filter(chain_intents::sender.eq(chain.sender))
        .filter(chain_intents::nonce.eq_any(nonces))
        .select((chain_intents::nonce, chain_intents::success, chain_intents::state));
    let intents: Vec<(i64, Option<bool>, String)> = on!(tx, c => intents.load(c))?;
    let results: HashMap<i64, (Option<bool>, bool)> = intents
        .into_iter()
        .map(|(nonce, success, state)| (nonce, (success, SETTLED.contains(&state.as_str()))))
        .collect();
    let told = told.into_iter().filter_map(|(wallet, verified, nonce)| {
        let mirrored = match results.get(&nonce)? {
            (Some(true), is_final) => Mirrored::Mined {
                verified,
                is_final: *is_final,
            },
            (Some(false) | None, _) => Mirrored::OnItsWay,
        };
        Some((wallet, mirrored))
    });
    let mut found: HashMap<Address, Mirrored> = told.collect();
    found.extend(waiting.into_iter().map(|wallet| (wallet, Mirrored::OnItsWay)));
    Ok(found)
}
