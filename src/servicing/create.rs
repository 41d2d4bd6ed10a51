use serde_json::json;

use super::{Change, record};
use crate::asset::{self, Asset, NewAsset, Settlement};
use crate::chain::contracts::token::Switch;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::Plan;
use crate::policy::PolicySet;
use crate::settlement;
use crate::types::OperationId;

/// As [`create_with`]; its holders may not transfer on the chain by themselves.
pub fn create(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    policies: &PolicySet,
    new: NewAsset,
) -> Result<(Asset, Option<OperationId>), Error> {
    create_with(tx, ctx, policies, new, Switch::Off)
}

/// Creates an asset, paused. One that settles on a chain has its address at once and its contract when the operation is
/// final; the operation is none for one that settles in the books, which is complete at once.
///
/// `holder_transfers`: whether holders may transfer on the chain without this server, which then can only observe it; the
/// modules that it judges with are not asked (specs/chain.md part A).
///
/// Errors are those of [`asset::create`]; `Invalid` also when this server settles on no chain.
pub fn create_with(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    policies: &PolicySet,
    new: NewAsset,
    holder_transfers: Switch,
) -> Result<(Asset, Option<OperationId>), Error> {
    match new.settlement {
        Settlement::Book => Ok((asset::create(tx, ctx, policies, new, asset::book_address)?, None)),
        Settlement::Evm => {
            let site = settlement::site(tx)?;
            let created = asset::create(tx, ctx, policies, new, |id| site.address_of(id))?;
            settlement::place(tx, &site, created.id, holder_transfers)?;
            let change = Change {
                plan: Plan::Create,
                action: "asset.contract_requested",
                subjects: vec![created.address],
                data: json!({
                    "address": created.address,
                    "chain": site.to_string(),
                    "holderTransfers": holder_transfers == Switch::On,
                }),
            };
            let operation = record(tx, ctx, &created, change)?;
            Ok((asset::find(tx, created.id)?, Some(operation)))
        }
    }
}

/// Whether the caller may create such an asset here: what [`create`] asks first.
pub fn may_create(tx: &mut Tx<'_>, ctx: &Ctx, policies: &PolicySet, new: &NewAsset) -> Result<(), Error> {
    asset::may_create(tx, ctx, policies, new)?;
    match new.settlement {
        Settlement::Book => Ok(()),
        Settlement::Evm => settlement::site(tx).map(|_| ()),
    }
}
