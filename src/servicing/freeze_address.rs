use serde_json::json;

use super::event;
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset};
use crate::audit;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::ledger::{self, Freeze};
use crate::types::{Address, AssetId};

/// Freezes or frees an address on one asset: a frozen address neither sends nor receives, and nothing is minted to it.
/// The address need not hold anything, or be known at all.
///
/// Idempotent both ways: into the state that holds it changes nothing and leaves no event.
pub fn freeze_address(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    asset: AssetId,
    address: Address,
    freeze: Freeze,
) -> Result<(), Error> {
    let asset = asset::lock(tx, asset)?;
    may_freeze_address(tx, ctx, &asset)?;
    if !ledger::set_frozen(tx, asset.id, address, freeze, ctx.now)? {
        return Ok(());
    }
    asset::bump_revision(tx, asset.id)?;
    let action = match freeze {
        Freeze::Frozen => "address.frozen",
        Freeze::Free => "address.freed",
    };
    let data = json!({ "address": address });
    audit::append(tx, ctx.now, vec![event(ctx, &asset, action, vec![address], data)])
}

pub fn may_freeze_address(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    access::require(tx, ctx, Permission::FreezeAddress, Scope::Asset(asset.id))
}
