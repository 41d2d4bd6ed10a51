use serde_json::json;

use super::event;
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, Lifecycle};
use crate::audit;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::AssetId;

/// Stops mint, burn and ordinary transfer. A custodian's forced transfer and recovery go on (dalp.md A15).
///
/// `Conflict` when the asset is paused.
pub fn pause(tx: &mut Tx<'_>, ctx: &Ctx, asset: AssetId) -> Result<(), Error> {
    let asset = asset::lock(tx, asset)?;
    may_pause(tx, ctx, &asset)?;
    if asset.is_paused() {
        return Err(Error::Conflict("Asset is already paused".into()));
    }
    asset::set_lifecycle(tx, asset.id, Lifecycle::Paused)?;
    audit::append(
        tx,
        ctx.now,
        vec![event(ctx, &asset, "asset.paused", Vec::new(), json!({}))],
    )
}

pub fn may_pause(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    access::require(tx, ctx, Permission::Pause, Scope::Asset(asset.id))
}
