//! What agents do with an asset after it was created, one file each.
//!
//! Every action has the same shape: lock the asset, the feature, the role, the rules, the change, its audit event, all
//! in the caller's transaction. An action on an asset that lacks the feature is `FeatureMissing`, without the role
//! `Forbidden`, into a state that already holds `Conflict`; where it is idempotent instead, its file says so. `may_…`
//! answers for feature and role alone: who may not act learns nothing about codes and rules (dalp.md A6).
//!
//! Source: dalp.md 1.4, A9 and sections 4 and 5.

mod adopt;
mod asset_claim;
mod burn;
mod collection;
mod create;
mod forced_transfer;
mod freeze_address;
mod moves;
mod pause;
mod set_cap;
mod unpause;
mod update_collateral;

pub use adopt::{Terms, adopt, may_adopt};
pub use asset_claim::{asset_of_identity, issue_claim, revoke_claim};
pub use burn::{BurnLine, burn, may_burn};
pub use collection::{CONTRACT_TEXT_BYTES_MAX, CollectionTerms, adopt_collection, deploy_collection};
pub use create::{create, create_with, may_create};
pub use forced_transfer::{ForcedLine, forced_transfer, judge_transfers, may_force_transfer};
pub use freeze_address::{freeze_address, may_freeze_address};
pub use pause::{may_pause, pause};
pub use set_cap::{may_set_cap, set_cap};
pub use unpause::{may_unpause, unpause};
pub use update_collateral::{CollateralUpdate, may_update_collateral, update_collateral};

use serde_json::Value;

use crate::asset::{self, Asset, Settlement};
use crate::audit::{self, Event, Stream};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, NewOperation, Operation, Plan};
use crate::settlement;
use crate::types::{Address, Amount, OperationId};

/// What was done to an asset, in the words of settlement and of the audit log.
struct Change {
    plan: Plan,
    action: &'static str,
    subjects: Vec<Address>,
    data: Value,
}

/// Records a change of an asset whose row is locked: its operation, settled as the asset settles, and its event.
fn record(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset, change: Change) -> Result<OperationId, Error> {
    record_in(tx, ctx, asset, asset.settlement, change)
}

/// As [`record`], for a change that is not settled as the asset is. `Conflict` where the asset's contract could not be
/// created.
fn record_in(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    asset: &Asset,
    settlement: Settlement,
    change: Change,
) -> Result<OperationId, Error> {
    operation::check_created(tx, asset.id)?;
    let queued = Operation::queued(&NewOperation {
        asset: asset.id,
        sequence: asset::take_number(tx, asset)?,
        plan: &change.plan,
        lines: 0,
        total: Amount::ZERO,
        requested_by: ctx.actor.user,
        request_id: &ctx.request_id,
        policy_hash: None,
        now: ctx.now,
    });
    let operation = settlement::accept_change(settlement, queued, ctx.now);
    let event = Event {
        operation: Some(operation.id),
        ..event(ctx, asset, change.action, change.subjects, change.data)
    };
    operation::enqueue(tx, std::slice::from_ref(&operation))?;
    audit::append(tx, ctx.now, vec![event])?;
    Ok(operation.id)
}

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
