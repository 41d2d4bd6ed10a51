//! Mints that were accepted, judged again when they are about to be sent: claims are revoked and expire meanwhile, lists
//! are imported, rules change (specs/chain.md section 5, rule 14).
//!
//! Who may no longer hold fails the operation that names him; see [`Ruling`].

use std::collections::HashMap;

use super::{Judge, facts};
use crate::asset;
use crate::compliance::Run;
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
    loaded.facts.set_aside(mints.iter().flat_map(|mint| &mint.lines));

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
