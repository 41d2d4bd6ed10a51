use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::asset::{self, Asset, ConfiguredModule, Fixtures};
use crate::compliance::{Attached, Operation, RuleSet, Run};
use crate::db::Tx;
use crate::error::{Error, Finding, Line, Refusal};
use crate::identity::Collateral;
use crate::ledger::Sheet;
use crate::policy::{PolicySet, module};
use crate::types::{Address, Amount, AssetId, Currency, Timestamp};

use super::MintLine;

/// Reads the clock.
pub type Reading = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a server judges with: the loaded policies, and the rule sets already built from them.
pub struct Judge {
    policy: Arc<PolicySet>,
    clock: Reading,
    base_currency: Option<Currency>,
    /// By asset; a rule set is good for one revision of its asset.
    built: Mutex<HashMap<AssetId, (i64, Arc<RuleSet>)>>,
    /// By asset, and good for one revision too.
    fixtures: Mutex<HashMap<AssetId, (i64, Fixtures)>>,
}

impl Judge {
    pub fn new(policy: Arc<PolicySet>, clock: Reading, base_currency: Option<Currency>) -> Self {
        Self {
            policy,
            clock,
            base_currency,
            built: Mutex::new(HashMap::new()),
            fixtures: Mutex::new(HashMap::new()),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// What answers count the value of an asset in.
    pub(super) fn base_currency(&self) -> Option<Currency> {
        self.base_currency
    }

    pub fn policy(&self) -> &PolicySet {
        &self.policy
    }

    /// The rule set of this revision of the asset, if it was built before.
    pub(super) fn known(&self, asset: &Asset) -> Option<Arc<RuleSet>> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built
            .get(&asset.id)
            .filter(|(revision, _)| *revision == asset.revision)
            .map(|(_, rules)| Arc::clone(rules))
    }

    /// What answers show of this revision of the asset; queries only when it was not asked for before.
    pub(super) fn fixtures(&self, tx: &mut Tx<'_>, asset: &Asset) -> Result<Fixtures, Error> {
        let known = self
            .fixtures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&asset.id)
            .cloned();
        if let Some((_, fixtures)) = known.filter(|(revision, _)| *revision == asset.revision) {
            return Ok(fixtures);
        }
        let fixtures = asset::fixtures(tx, asset)?;
        let mut all = self.fixtures.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(asset.id, (asset.revision, fixtures.clone()));
        Ok(fixtures)
    }

    /// Builds the rule set of this revision. A module that cannot be read refuses everybody: it was checked when it was
    /// attached, so somebody changed the row.
    pub(super) fn build(&self, asset: &Asset, modules: &[ConfiguredModule]) -> Arc<RuleSet> {
        let decimals = asset.decimals.get();
        let mut attached = Vec::new();
        let mut broken = Vec::new();
        for configured in modules {
            match module::parse(
                &configured.type_id,
                &configured.values,
                decimals,
                &self.policy.definitions,
            ) {
                Ok(check) => attached.push(Attached {
                    name: configured.type_id.as_str().into(),
                    check,
                }),
                Err(issues) => broken.extend(issues.iter().map(|issue| format!("{}: {issue}", configured.type_id))),
            }
        }
        let policy = asset.policy.as_deref();
        let mut rules = RuleSet::build(&self.policy, policy, &attached, decimals, Operation::Mint);
        if !broken.is_empty() {
            rules.refuse(Refusal::ModuleError {
                reason: broken.join("; "),
            });
        }
        let rules = Arc::new(rules);
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.insert(asset.id, (asset.revision, Arc::clone(&rules)));
        rules
    }
}

/// Every rule of a mint that is not a compliance module (dalp.md A9), flat and in the order of the answer's code.
pub(super) fn base_findings(
    asset: &Asset,
    sheet: &Sheet,
    backing: Collateral,
    lines: &[MintLine],
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = zero_lines(lines);
    let whole = |rule: &str, refusal| Finding {
        line: None,
        rule: rule.to_owned(),
        refusal,
    };
    if let Some(maturity) = asset.maturity.filter(|maturity| *maturity <= now) {
        findings.push(whole("not-matured", Refusal::AssetMatured { maturity }));
    }
    if asset.is_paused() {
        findings.push(whole("not-paused", Refusal::AssetPaused));
    }
    let (supply, pending) = (sheet.supply(), sheet.pending());
    let requested = Amount::checked_sum(lines.iter().map(|line| line.amount));
    let after = requested
        .and_then(|requested| pending.checked_add(requested))
        .and_then(|waiting| waiting.checked_add(supply));
    let (Some(requested), Some(after)) = (requested, after) else {
        findings.push(whole("amount-range", Refusal::AmountOverflow));
        return findings;
    };
    if let Some(cap) = asset.cap.filter(|cap| after > *cap) {
        findings.push(whole(
            "cap",
            Refusal::CapExceeded {
                cap,
                supply,
                pending,
                requested,
            },
        ));
    }
    findings.extend(collateral_refusal(asset, backing, after, now).map(|refusal| whole("collateral", refusal)));
    findings
}

fn zero_lines(lines: &[MintLine]) -> Vec<Finding> {
    let zeros = lines.iter().enumerate().filter(|(_, line)| line.amount.is_zero());
    zeros
        .map(|(index, line)| Finding {
            line: Some(Line {
                index,
                recipient: line.recipient,
            }),
            rule: "amount-positive".to_owned(),
            refusal: Refusal::AmountZero,
        })
        .collect()
}

fn collateral_refusal(asset: &Asset, backing: Collateral, after: Amount, now: Timestamp) -> Option<Refusal> {
    let collateral = asset.collateral.as_ref()?;
    let Some(required) = collateral.required_for(after) else {
        return Some(Refusal::AmountOverflow);
    };
    match backing {
        Collateral::None => Some(Refusal::CollateralShort {
            required,
            available: Amount::ZERO,
            expires: None,
        }),
        Collateral::Expired { expires_at, .. } => Some(Refusal::CollateralStale {
            required,
            available: Amount::ZERO,
            expired: expires_at,
        }),
        Collateral::Valid { amount, expires_at } if expires_at <= now => Some(Refusal::CollateralStale {
            required,
            available: amount,
            expired: expires_at,
        }),
        Collateral::Valid { amount, expires_at } if amount < required => Some(Refusal::CollateralShort {
            required,
            available: amount,
            expires: Some(expires_at),
        }),
        Collateral::Valid { .. } => None,
    }
}

/// Every failing rule and line of one request. The run keeps the request's state only when there is none.
pub(super) fn judge(
    asset: &Asset,
    sheet: &Sheet,
    backing: Collateral,
    run: &mut Run<'_>,
    lines: &[MintLine],
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings = base_findings(asset, sheet, backing, lines, now);
    findings.extend(run.judge(&numbered(lines)));
    if !findings.is_empty() {
        run.rollback();
    }
    findings
}

pub(super) fn numbered(lines: &[MintLine]) -> Vec<(Line, Amount)> {
    let numbered = lines.iter().enumerate();
    numbered
        .map(|(index, line)| {
            (
                Line {
                    index,
                    recipient: line.recipient,
                },
                line.amount,
            )
        })
        .collect()
}

/// The wallets that facts are needed for, each once.
pub(super) fn recipients<'l>(lines: impl Iterator<Item = &'l MintLine>) -> Vec<Address> {
    let mut wallets: Vec<Address> = lines.map(|line| line.recipient).collect();
    wallets.sort_unstable();
    wallets.dedup();
    wallets
}
