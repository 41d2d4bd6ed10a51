//! Whether the rules let owners have tokens: when their requests are accepted, and once more before they are sent.

use std::collections::HashMap;

use crate::asset::{self, Asset, Books};
use crate::compliance::{self, Facts, RULE_REGISTERED, RuleSet, Run, Subject};
use crate::db::Tx;
use crate::error::{Error, Finding, Line};
use crate::identity;
use crate::policy::PolicySet;
use crate::types::{Address, Amount, AssetId, Hash32, Timestamp};

pub(super) struct Judged {
    /// Of each line; none means that it may go ahead.
    pub findings: Vec<Vec<Finding>>,
    pub policy_hash: Hash32,
}

/// One verdict per line. Without a policy of its own a collection does not ask who its recipients are: only what the
/// baseline says of addresses counts.
pub(super) fn judge(
    tx: &mut Tx<'_>,
    policies: &PolicySet,
    (asset, books): (&Asset, &Books),
    lines: &[(Address, Amount)],
    now: Timestamp,
) -> Result<Judged, Error> {
    let (rules, facts) = rules_and_facts(tx, policies, (asset, books), lines, now)?;
    let mut run = Run::new(&rules, &facts);
    let judged = lines.iter().enumerate().map(|(index, (recipient, amount))| {
        let line = Line {
            index,
            recipient: *recipient,
        };
        findings(&mut run, asset, line, *amount)
    });
    Ok(Judged {
        findings: judged.collect(),
        policy_hash: rules.policy_hash(),
    })
}

/// Judges requests that were accepted once more, by the rules and facts of now: what is found of each operation, by its
/// number. Those of which nothing is found may go.
pub fn judge_again(
    tx: &mut Tx<'_>,
    policies: &PolicySet,
    collection: AssetId,
    requests: &[(i64, Address, Amount)],
    now: Timestamp,
) -> Result<HashMap<i64, Vec<Finding>>, Error> {
    let asset = asset::find(tx, collection)?;
    let lines: Vec<(Address, Amount)> = requests.iter().map(|(_, owner, amount)| (*owner, *amount)).collect();
    let books = Books::open(tx, &asset, lines.iter().map(|line| line.0).collect())?;
    let (rules, mut facts) = rules_and_facts(tx, policies, (&asset, &books), &lines, now)?;
    facts.set_aside(lines.iter());
    let mut run = Run::new(&rules, &facts);
    let judged = requests.iter().map(|(number, recipient, amount)| {
        let line = Line {
            index: 0,
            recipient: *recipient,
        };
        (*number, findings(&mut run, &asset, line, *amount))
    });
    Ok(judged.filter(|(_, findings)| !findings.is_empty()).collect())
}

fn findings(run: &mut Run<'_>, asset: &Asset, line: Line, amount: Amount) -> Vec<Finding> {
    let asks_who = asset.policy.is_some();
    let mut findings = run.judge(&[(line, amount)]);
    findings.retain(|finding| asks_who || finding.rule != RULE_REGISTERED);
    findings
}

fn rules_and_facts(
    tx: &mut Tx<'_>,
    policies: &PolicySet,
    (asset, books): (&Asset, &Books),
    lines: &[(Address, Amount)],
    now: Timestamp,
) -> Result<(RuleSet, Facts), Error> {
    let rules = match compliance::policy_refusal(tx, policies)? {
        Some(refusal) => RuleSet::refusing(refusal),
        None => RuleSet::build(policies, asset.policy.as_deref(), &[], 0, compliance::Operation::Mint),
    };
    let mut wallets: Vec<Address> = lines.iter().map(|line| line.0).collect();
    wallets.sort_unstable();
    wallets.dedup();
    let recipients = identity::recipients(tx, &wallets, now)?;
    let subject = Subject {
        asset: asset.id,
        wallets: &wallets,
        sheet: &books.sheet,
        now,
    };
    let facts = compliance::facts(tx, rules.needs(), &subject, recipients)?;
    Ok((rules, facts))
}
