use std::collections::HashMap;

use super::moves::{self, Move, Taking};
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, Books, Feature};
use crate::compliance::{self, RuleSet, Run, Subject};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Finding, Line};
use crate::identity;
use crate::operation::{Operation, Plan};
use crate::policy::PolicySet;
use crate::settlement::{Ruling, Sendable};
use crate::types::{Address, Amount, AssetId, Hash32, Timestamp};

/// Whose units go to whom, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForcedLine {
    pub from: Address,
    pub to: Address,
    pub amount: Amount,
}

/// Moves units of holders without asking them, all lines or none: a court order, a lost key. A pause and freezes of the
/// sender are no obstacle, and what is frozen goes last (dalp.md A15 and section 5; ERC-3643, `forcedTransfer`).
///
/// The receiver has to be registered and not frozen, and the baseline applies, which nothing can waive: sanctioned
/// addresses, blocked countries. The asset's own policy and modules, which are about who may invest, do not.
/// `Refused` with every failing rule and line.
pub fn forced_transfer(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    policies: &PolicySet,
    asset: AssetId,
    lines: &[ForcedLine],
) -> Result<Operation, Error> {
    let asset = asset::lock(tx, asset)?;
    may_force_transfer(tx, ctx, &asset)?;
    let moves: Vec<Move> = lines
        .iter()
        .map(|line| (line.from, Some(line.to), line.amount))
        .collect();
    let books = Books::open(tx, &asset, moves::wallets(&moves))?;
    let mut findings = moves::findings(&books.sheet, &moves);
    let received: Vec<(Address, Amount)> = lines.iter().map(|line| (line.to, line.amount)).collect();
    let (of_receivers, policy_hash) = judge_receivers(tx, policies, (&asset, &books), &received, ctx.now)?;
    findings.extend(of_receivers);
    if !findings.is_empty() {
        return Err(Error::Refused(findings));
    }
    let taking = Taking {
        plan: Plan::ForcedTransfer,
        action: "forced-transfer.accepted",
        moves: &moves,
        policy_hash: Some(policy_hash),
    };
    moves::record_moves(tx, ctx, &asset, books, taking)
}

pub fn may_force_transfer(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    asset.require(Feature::Custodian)?;
    access::require(tx, ctx, Permission::ForcedTransfer, Scope::Asset(asset.id))
}

/// Judges the receivers of forced transfers of one asset again, before they are sent; one without a ruling may go.
pub fn judge_transfers(
    tx: &mut Tx<'_>,
    policies: &PolicySet,
    asset: AssetId,
    transfers: &[Sendable],
    now: Timestamp,
) -> Result<HashMap<i64, Ruling>, Error> {
    let asset = asset::find(tx, asset)?;
    let receivers = transfers
        .iter()
        .flat_map(|transfer| transfer.lines.iter().map(|line| line.0));
    let books = Books::open(tx, &asset, receivers.collect())?;
    let mut rulings = HashMap::new();
    for transfer in transfers {
        let (findings, _) = judge_receivers(tx, policies, (&asset, &books), &transfer.lines, now)?;
        rulings.extend(Ruling::of(&findings).map(|ruling| (transfer.number, ruling)));
    }
    Ok(rulings)
}

fn judge_receivers(
    tx: &mut Tx<'_>,
    policies: &PolicySet,
    (asset, books): (&Asset, &Books),
    received: &[(Address, Amount)],
    now: Timestamp,
) -> Result<(Vec<Finding>, Hash32), Error> {
    let rules = match compliance::policy_refusal(tx, policies)? {
        Some(refusal) => RuleSet::refusing(refusal),
        None => RuleSet::build(
            policies,
            None,
            &[],
            asset.decimals.get(),
            compliance::Operation::Transfer,
        ),
    };
    let mut wallets: Vec<Address> = received.iter().map(|line| line.0).collect();
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
    let numbered: Vec<(Line, Amount)> = (0..)
        .zip(received)
        .map(|(index, (recipient, amount))| {
            let recipient = *recipient;
            (Line { index, recipient }, *amount)
        })
        .collect();
    let findings = Run::new(&rules, &facts).judge(&numbered);
    Ok((findings, rules.policy_hash()))
}
