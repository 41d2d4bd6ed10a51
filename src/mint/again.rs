//! Mints that were accepted, judged again when they are about to be sent: claims are revoked and expire meanwhile, lists
//! are imported, rules change (specs/chain.md section 5, rule 14).
//!
//! Who may no longer hold fails the operation that names him; see [`Ruling`].

use std::collections::HashMap;

use super::{Judge, facts};
use crate::asset;
use crate::compliance::{Facts, Run};
use crate::db::Tx;
use crate::error::{Error, Line};
use crate::settlement::{Ruling, Sendable};
use crate::types::{Address, AssetId};

/// Judges mints of one asset that are pending, in their order, by the rules and facts of now: a fixed number of queries,
/// whatever their number. A mint without a ruling may go.
pub fn again(
    tx: &mut Tx<'_>,
    judge: &Judge,
    asset: AssetId,
    mints: &[Sendable],
) -> Result<HashMap<i64, Ruling>, Error> {
    let asset = asset::find(tx, asset)?;
    let lines = mints.iter().flat_map(|mint| mint.lines.iter());
    let mut wallets: Vec<Address> = lines.clone().map(|line| line.0).collect();
    wallets.sort_unstable();
    wallets.dedup();
    let mut loaded = facts::load_for(tx, judge, &asset, &wallets, judge.now())?;
    set_aside(&mut loaded.facts, mints);

    let mut run = Run::new(&loaded.rules, &loaded.facts);
    let rulings = mints.iter().filter_map(|mint| {
        let numbered: Vec<_> = (0..)
            .zip(&mint.lines)
            .map(|(index, (recipient, amount))| {
                let recipient = *recipient;
                (Line { index, recipient }, *amount)
            })
            .collect();
        Some((mint.number, Ruling::of(&run.judge(&numbered))?))
    });
    Ok(rulings.collect())
}

/// The books count these mints already: they are taken out, or each would stand in its own way.
fn set_aside(facts: &mut Facts, mints: &[Sendable]) {
    for (wallet, amount) in mints.iter().flat_map(|mint| mint.lines.iter()) {
        facts.issued = facts.issued.checked_sub(*amount).unwrap_or(facts.issued);
        let Some(recipient) = facts.recipients.get(wallet) else {
            continue;
        };
        let Some(held) = facts.held.get_mut(&recipient.identity) else {
            continue;
        };
        *held = held.checked_sub(*amount).unwrap_or(*held);
        if !held.is_zero() || amount.is_zero() {
            continue;
        }
        facts.holders = facts.holders.saturating_sub(1);
        if let Some(holders) = recipient
            .country
            .and_then(|country| facts.holders_by_country.get_mut(&country))
        {
            *holders = holders.saturating_sub(1);
        }
    }
}
