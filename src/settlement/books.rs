use std::collections::HashMap;

use crate::asset;
use crate::db::Tx;
use crate::error::Error;
use crate::identity;
use crate::ledger::{self, Party, Sheet, Totals};
use crate::types::{Address, AssetId, CountryCode, IdentityId};

/// The books of an asset with everybody who is concerned.
pub struct Books {
    pub sheet: Sheet,
    identities: HashMap<Address, IdentityId>,
    countries: HashMap<IdentityId, CountryCode>,
}

impl Books {
    /// Opens the books of an asset, whose row stays locked until the commit, for these wallets.
    pub fn open(tx: &mut Tx<'_>, asset: AssetId, mut wallets: Vec<Address>) -> Result<Self, Error> {
        let asset = asset::lock(tx, asset)?;
        wallets.retain(|wallet| !wallet.is_zero());
        wallets.sort_unstable();
        wallets.dedup();
        let people = identity::registrations(tx, &wallets)?;
        let mut identities: HashMap<Address, IdentityId> =
            people.into_iter().map(|person| (person.account, person.id)).collect();
        for account in ledger::accounts(tx, asset.id, &wallets, &[])? {
            identities.extend(account.identity.map(|identity| (account.wallet, identity)));
        }
        let mut ids: Vec<IdentityId> = identities.values().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let countries = identity::countries_of(tx, &ids)?;
        let accounts = ledger::accounts(tx, asset.id, &wallets, &ids)?;
        let totals = Totals {
            supply: asset.supply,
            pending: asset.pending,
            holders: asset.holders,
            balances: asset.balances,
            next_operation: asset.next_operation,
        };
        Ok(Self {
            sheet: Sheet::open(asset.id, totals, accounts),
            identities,
            countries,
        })
    }

    /// Nobody is the zero address. The identity under which a wallet first held stays its identity.
    pub fn party(&self, wallet: Address) -> Option<Party> {
        let identity = self.identities.get(&wallet).copied();
        (!wallet.is_zero()).then_some(Party {
            wallet,
            identity,
            country: identity.and_then(|identity| self.countries.get(&identity).copied()),
        })
    }
}
