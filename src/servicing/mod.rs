//! What agents do with an asset after it was created, one file each.
//!
//! Every action has the same shape: lock the asset, the feature, the role, the rules, the change, its audit event, all
//! in the caller's transaction. An action on an asset that lacks the feature is `FeatureMissing`, without the role
//! `Forbidden`, into a state that already holds `Conflict`; where it is idempotent instead, its file says so. `may_…`
//! answers for feature and role alone: who may not act learns nothing about codes and rules (dalp.md A6).
//!
//! Source: dalp.md 1.4, A9 and sections 4 and 5.

mod freeze_address;
mod pause;
mod set_cap;
mod unpause;
mod update_collateral;

pub use freeze_address::{freeze_address, may_freeze_address};
pub use pause::{may_pause, pause};
pub use set_cap::{may_set_cap, set_cap};
pub use unpause::{may_unpause, unpause};
pub use update_collateral::{CollateralUpdate, may_update_collateral, update_collateral};

use serde_json::Value;

use crate::asset::Asset;
use crate::audit::{Event, Stream};
use crate::ctx::Ctx;
use crate::types::Address;

/// What was done to the asset, for its stream.
fn event(ctx: &Ctx, asset: &Asset, action: &'static str, subjects: Vec<Address>, data: Value) -> Event {
    Event {
        stream: Stream::Asset(asset.id),
        actor: ctx.actor.name(),
        action,
        asset: Some(asset.id),
        operation: None,
        subjects,
        data,
    }
}
