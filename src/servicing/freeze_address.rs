use serde_json::json;

use super::{Change, record};
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::ledger::{self, Freeze};
use crate::operation::Plan;
use crate::types::{Address, AssetId, OperationId};

/// Freezes or frees an address on one asset: a frozen address neither sends nor receives, and nothing is minted to it.
/// The address need not hold anything, or be known at all.
///
/// Idempotent both ways: into the state that holds it changes nothing, is no operation and leaves no event.
pub fn freeze_address(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    asset: AssetId,
    address: Address,
    freeze: Freeze,
) -> Result<Option<OperationId>, Error> {
    let asset = asset::lock(tx, asset)?;
    may_freeze_address(tx, ctx, &asset)?;
    if !ledger::set_frozen(tx, asset.id, address, freeze, ctx.now)? {
        return Ok(None);
    }
    asset::bump_revision(tx, asset.id)?;
    let action = match freeze {
        Freeze::Frozen => "address.frozen",
        Freeze::Free => "address.freed",
    };
    let data = json!({ "address": address });
    let frozen = freeze == Freeze::Frozen;
    let change = Change {
        plan: Plan::FreezeAddress {
            wallet: address,
            frozen,
        },
        action,
        subjects: vec![address],
        data,
    };
    record(tx, ctx, &asset, change).map(Some)
}

pub fn may_freeze_address(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    access::require(tx, ctx, Permission::FreezeAddress, Scope::Asset(asset.id))
}
