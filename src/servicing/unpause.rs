use serde_json::json;

use super::{Change, record};
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, Lifecycle};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::Plan;
use crate::types::{AssetId, OperationId};

/// Starts the asset, or lets it go on after a stop.
///
/// `Conflict` when the asset is not paused.
pub fn unpause(tx: &mut Tx<'_>, ctx: &Ctx, asset: AssetId) -> Result<OperationId, Error> {
    let asset = asset::lock(tx, asset)?;
    may_unpause(tx, ctx, &asset)?;
    if !asset.is_paused() {
        return Err(Error::Conflict("Asset is not paused".into()));
    }
    asset::set_lifecycle(tx, asset.id, Lifecycle::Active)?;
    let change = Change {
        plan: Plan::Unpause,
        action: "asset.unpaused",
        subjects: Vec::new(),
        data: json!({}),
    };
    record(tx, ctx, &asset, change)
}

pub fn may_unpause(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    access::require(tx, ctx, Permission::Unpause, Scope::Asset(asset.id))
}
