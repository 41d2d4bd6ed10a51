use serde_json::json;

use super::{Change, record};
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, Lifecycle};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::Plan;
use crate::types::{AssetId, OperationId};

/// Stops mint, burn and ordinary transfer. A custodian's forced transfer and recovery go on (dalp.md A15).
///
/// `Conflict` when the asset is paused.
pub fn pause(tx: &mut Tx<'_>, ctx: &Ctx, asset: AssetId) -> Result<OperationId, Error> {
    let asset = asset::lock(tx, asset)?;
    may_pause(tx, ctx, &asset)?;
    if asset.is_paused() {
        return Err(Error::Conflict("Asset is already paused".into()));
    }
    asset::set_lifecycle(tx, asset.id, Lifecycle::Paused)?;
    let change = Change {
        plan: Plan::Pause,
        action: "asset.paused",
        subjects: Vec::new(),
        data: json!({}),
    };
    record(tx, ctx, &asset, change)
}

pub fn may_pause(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    access::require(tx, ctx, Permission::Pause, Scope::Asset(asset.id))
}
