use super::{Judge, MintLine, facts, rules};
use crate::access::{self, Permission, Scope};
use crate::asset::Asset;
use crate::compliance::Run;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Finding};
use crate::types::Hash32;

/// What a mint would be told now (dalp.md A12).
#[derive(Clone, Debug, PartialEq)]
pub struct CheckReport {
    pub findings: Vec<Finding>,
    pub policy_hash: Hash32,
}

impl CheckReport {
    pub fn is_allowed(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Judges a mint without a lock and without writing. The mint itself judges again: the state may have moved.
pub fn check(
    tx: &mut Tx<'_>,
    judge: &Judge,
    ctx: &Ctx,
    asset: &Asset,
    lines: &[MintLine],
) -> Result<CheckReport, Error> {
    access::require(tx, ctx, Permission::Mint, Scope::Asset(asset.id))?;
    let wallets = rules::recipients(lines.iter());
    let loaded = facts::load_for(tx, judge, asset, &wallets, ctx.now)?;
    let mut run = Run::new(&loaded.rules, &loaded.facts);
    let findings = rules::judge(asset, &loaded.sheet, loaded.backing, &mut run, lines, ctx.now);
    Ok(CheckReport {
        findings,
        policy_hash: loaded.rules.policy_hash(),
    })
}
