use std::collections::{HashMap, HashSet};

use super::model::{Fact, FactSet, Facts};
use super::sanctions;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, Recipient};
use crate::ledger::{self, Sheet};
use crate::types::{Address, AssetId, Timestamp};

/// What a group of requests is about: the asset with its open books, and the wallets.
pub struct Subject<'s> {
    pub asset: AssetId,
    pub wallets: &'s [Address],
    pub sheet: &'s Sheet,
    pub now: Timestamp,
}

/// Loads what the rules need beside the recipients: one set-based call per domain, and none for what no rule looks at.
pub fn facts(
    tx: &mut Tx<'_>,
    needs: FactSet,
    subject: &Subject<'_>,
    recipients: HashMap<Address, Recipient>,
) -> Result<Facts, Error> {
    let sheet = subject.sheet;
    let frozen: HashSet<Address> = subject
        .wallets
        .iter()
        .copied()
        .filter(|wallet| sheet.is_frozen(wallet))
        .collect();
    let holders_by_country = match needs.contains(Fact::HoldersByCountry) {
        true => ledger::holders_by_country(tx, subject.asset)?,
        false => HashMap::new(),
    };
    let sanctions = match needs.contains(Fact::Sanctions) {
        true => sanctions::facts(tx, subject.wallets)?,
        false => None,
    };
    let trusted_topics = match needs.contains(Fact::TrustedTopics) {
        true => identity::trusted_topics(tx)?,
        false => HashSet::new(),
    };
    let issued = sheet.supply().checked_add(sheet.pending());
    Ok(Facts {
        now: subject.now,
        // Everything that was asked for is there now; what comes with the books is there anyway.
        loaded: needs.union(FactSet::of(&[
            Fact::Identity,
            Fact::Claims,
            Fact::Held,
            Fact::Holders,
            Fact::Issued,
        ])),
        recipients,
        frozen,
        held: sheet.held().clone(),
        holders: u64::try_from(sheet.holders()).unwrap_or(u64::MAX),
        holders_by_country,
        issued: issued.ok_or_else(|| Error::internal("the supply passes 2^256-1"))?,
        sanctions,
        trusted_topics,
    })
}
