//! What the database says about the lines of a group: a fixed number of queries, whatever the size of the group.

use std::collections::HashMap;
use std::sync::Arc;

use super::Judge;
use super::round::Round;
use super::rules;
use crate::asset::{self, Asset};
use crate::compliance::{self, Facts, RuleSet};
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, Collateral};
use crate::ledger::{self, Sheet, Totals};
use crate::types::{Address, Timestamp};

/// The asset's open books, the rules that apply, and what they look at.
pub(super) struct Loaded {
    pub sheet: Sheet,
    pub rules: Arc<RuleSet>,
    pub facts: Facts,
    pub backing: Collateral,
}

pub(super) fn load(tx: &mut Tx<'_>, judge: &Judge, round: &Round<'_>) -> Result<Loaded, Error> {
    let wallets = rules::recipients(round.waiting_lines());
    let mut loaded = load_for(tx, judge, round.asset(), &wallets, round.now())?;
    let (sheet, recipients) = (&loaded.sheet, &mut loaded.facts.recipients);
    let new_holders = recipients
        .values_mut()
        .filter(|recipient| sheet.held_by(recipient.identity).is_zero());
    identity::keep_countries(tx, new_holders)?;
    Ok(loaded)
}

pub(super) fn load_for(
    tx: &mut Tx<'_>,
    judge: &Judge,
    asset: &Asset,
    wallets: &[Address],
    now: Timestamp,
) -> Result<Loaded, Error> {
    let rules = rule_set(tx, judge, asset)?;
    let recipients = identity::recipients(tx, wallets, now)?;
    let identities: Vec<_> = recipients.values().map(|recipient| recipient.identity).collect();
    let accounts = ledger::accounts(tx, asset.id, wallets, &identities)?;
    let totals = Totals {
        supply: asset.supply,
        pending: asset.pending,
        holders: asset.holders,
        balances: asset.balances,
        next_operation: asset.next_operation,
    };
    let sheet = Sheet::open(asset.id, totals, accounts);
    let facts = compliance::facts(
        tx,
        rules.needs(),
        &compliance::Subject {
            asset: asset.id,
            wallets,
            sheet: &sheet,
            now,
        },
        recipients,
    )?;
    let backing = match &asset.collateral {
        None => Collateral::None,
        Some(collateral) => identity::collateral_of(tx, asset.identity, &collateral.topic, now)?,
    };
    Ok(Loaded {
        sheet,
        rules,
        facts,
        backing,
    })
}

/// The rules of the asset, or one that refuses everybody while another policy than the loaded one is in force.
fn rule_set(tx: &mut Tx<'_>, judge: &Judge, asset: &Asset) -> Result<Arc<RuleSet>, Error> {
    if let Some(refusal) = compliance::policy_refusal(tx, judge.policy())? {
        return Ok(Arc::new(RuleSet::refusing(refusal)));
    }
    if let Some(rules) = judge.known(asset) {
        return Ok(rules);
    }
    let modules = asset::modules_of(tx, asset.id)?;
    Ok(judge.build(asset, &modules))
}

/// Wallets by address, for look-ups while lines are written.
pub(super) type Recipients = HashMap<Address, identity::Recipient>;
