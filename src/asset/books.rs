use std::collections::HashMap;

use super::Asset;
use crate::db::Tx;
use crate::error::Error;
use crate::identity;
use crate::ledger::{self, Movement, Party, Sheet, Totals};
use crate::types::{Address, Amount, CountryCode, IdentityId};

/// The open books of an asset with everybody who is concerned. A wallet need not have an identity.
pub struct Books {
    pub sheet: Sheet,
    identities: HashMap<Address, IdentityId>,
    pub countries: HashMap<IdentityId, CountryCode>,
}

impl Books {
    /// Of an asset whose row is locked. The identity under which a wallet first held stays its identity.
    pub fn open(tx: &mut Tx<'_>, asset: &Asset, mut wallets: Vec<Address>) -> Result<Self, Error> {
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

    pub fn identity_of(&self, wallet: &Address) -> Option<IdentityId> {
        self.identities.get(wallet).copied()
    }

    pub fn country_of(&self, identity: Option<IdentityId>) -> Option<CountryCode> {
        self.countries.get(&identity?).copied()
    }

    /// Nobody is the zero address.
    pub fn party(&self, wallet: Address) -> Option<Party> {
        let identity = self.identity_of(&wallet);
        (!wallet.is_zero()).then(|| Party {
            wallet,
            identity,
            country: self.country_of(identity),
        })
    }

    /// Lines from whom to whom, with everybody's identity as it is now; to nobody is a burn.
    pub fn moves(&self, lines: &[(Address, Option<Address>, Amount)]) -> Vec<Movement> {
        let movement = |(from, to, amount): &(Address, Option<Address>, Amount)| Movement {
            from: self.party(*from),
            to: to.and_then(|to| self.party(to)),
            amount: *amount,
        };
        lines.iter().map(movement).collect()
    }
}
