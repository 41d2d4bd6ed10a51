use serde_json::json;

use super::event;
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, Lifecycle};
use crate::audit;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::AssetId;

/// Starts the asset, or lets it go on after a stop.
///
/// `Conflict` when the asset is not paused.
pub fn unpause(tx: &mut Tx<'_>, ctx: &Ctx, asset: AssetId) -> Result<(), Error> {
    let asset = asset::lock(tx, asset)?;
    may_unpause(tx, ctx, &asset)?;
    if !asset.is_paused() {
        return Err(Error::Conflict("Asset is not paused".into()));
    }
    asset::set_lifecycle(tx, asset.id, Lifecycle::Active)?;
    audit::append(
        tx,
        ctx.now,
        vec![event(ctx, &asset, "asset.unpaused", Vec::new(), json!({}))],
    )
}

pub fn may_unpause(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    access::require(tx, ctx, Permission::Unpause, Scope::Asset(asset.id))
}
