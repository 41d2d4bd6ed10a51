use super::moves::{self, Move, Taking};
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, Books, Feature};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Finding, Refusal};
use crate::operation::{Operation, Plan};
use crate::types::{Address, Amount, AssetId};

/// Whose units are destroyed, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BurnLine {
    pub holder: Address,
    pub amount: Amount,
}

/// Destroys units of holders, all lines or none. What is frozen of a holder goes last, and a frozen address is no
/// obstacle (dalp.md section 5). On a chain the supply falls at finality; until then the units are leaving.
///
/// `Refused` with every failing line: zero, more than the holder has, and while the asset is paused.
pub fn burn(tx: &mut Tx<'_>, ctx: &Ctx, asset: AssetId, lines: &[BurnLine]) -> Result<Operation, Error> {
    let asset = asset::lock(tx, asset)?;
    may_burn(tx, ctx, &asset)?;
    let moves: Vec<Move> = lines.iter().map(|line| (line.holder, None, line.amount)).collect();
    let books = Books::open(tx, &asset, moves::wallets(&moves))?;
    let mut findings = moves::findings(&books.sheet, &moves);
    if asset.is_paused() {
        findings.push(Finding {
            line: None,
            rule: "not-paused".to_owned(),
            refusal: Refusal::AssetPaused,
        });
    }
    if !findings.is_empty() {
        return Err(Error::Refused(findings));
    }
    let taking = Taking {
        plan: Plan::Burn,
        action: "burn.accepted",
        moves: &moves,
        policy_hash: None,
    };
    moves::record_moves(tx, ctx, &asset, books, taking)
}

pub fn may_burn(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    asset.require(Feature::Burnable)?;
    access::require(tx, ctx, Permission::Burn, Scope::Asset(asset.id))
}
