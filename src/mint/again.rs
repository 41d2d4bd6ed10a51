//! Mints that were accepted, judged again when they are about to be sent: claims are revoked and expire meanwhile, lists
//! are imported, rules change (specs/chain.md section 5, rule 14).
//!
//! Who may no longer hold fails the operation that names him. What is wrong with the rules themselves is nobody's fault:
//! the operation waits, as it does for a recipient who is frozen or whose registration was revoked (part A).

use std::collections::HashMap;

use super::{Judge, facts};
use crate::asset;
use crate::compliance::{Facts, Run};
use crate::db::Tx;
use crate::error::{Error, Finding, Line, Refusal};
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
        Some((mint.number, ruling(&run.judge(&numbered))?))
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

/// None when it may go. One line that fails is enough; else one that waits.
fn ruling(findings: &[Finding]) -> Option<Ruling> {
    let fails = findings.iter().find(|finding| !waits(finding));
    match fails {
        Some(finding) => Some(Ruling::Fails(told(finding))),
        None => findings.first().map(|finding| Ruling::Waits(told(finding))),
    }
}

/// What passes by itself or by an operator's hand.
fn waits(finding: &Finding) -> bool {
    let is_about_the_rules = matches!(
        finding.refusal,
        Refusal::SanctionsListMissing
            | Refusal::SanctionsListStale { .. }
            | Refusal::PolicyMissing { .. }
            | Refusal::PolicyError { .. }
            | Refusal::ModuleError { .. }
    );
    let is_held = matches!(finding.refusal, Refusal::IdentityUnknown | Refusal::RecipientFrozen);
    finding.line.is_none() || is_about_the_rules || is_held
}

fn told(finding: &Finding) -> String {
    let (rule, refusal) = (&finding.rule, &finding.refusal);
    let what = format!("{} ({}, rule {rule})", refusal.message(), refusal.slug());
    match finding.line {
        Some(Line { index, recipient }) => format!("line {index} ({recipient}): {what}"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(index: Option<usize>, refusal: Refusal) -> Finding {
        Finding {
            line: index.map(|index| Line {
                index,
                recipient: Address::ZERO,
            }),
            rule: "a-rule".to_owned(),
            refusal,
        }
    }

    #[test]
    fn one_line_that_fails_fails_the_mint_whatever_else_waits() {
        let waiting = finding(Some(0), Refusal::RecipientFrozen);
        let failing = finding(Some(1), Refusal::RecipientBlocked);

        let Some(Ruling::Fails(reason)) = ruling(&[waiting, failing]) else {
            panic!("it does not fail");
        };

        assert!(reason.starts_with("line 1 (0x0000"), "{reason}");
        assert!(reason.contains("recipient_blocked, rule a-rule"), "{reason}");
    }

    #[test]
    fn what_is_wrong_with_the_rules_or_passes_by_itself_waits() {
        let error = Refusal::PolicyError { reason: String::new() };

        for found in [
            finding(None, error.clone()),
            finding(Some(0), error),
            finding(Some(0), Refusal::SanctionsListMissing),
            finding(Some(0), Refusal::IdentityUnknown),
            finding(Some(0), Refusal::RecipientFrozen),
        ] {
            let slug = found.refusal.slug();
            assert!(matches!(ruling(&[found]), Some(Ruling::Waits(_))), "{slug}");
        }
        assert!(ruling(&[]).is_none());
    }
}
