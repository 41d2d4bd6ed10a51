use serde_json::json;

use super::{Change, record_in};
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, Feature, Settlement};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Refusal};
use crate::operation::Plan;
use crate::settlement;
use crate::types::{Amount, AssetId, OperationId};

/// Raises or lowers the most that may ever be issued, in base units.
///
/// `FeatureMissing` without a cap to change; `Refused` when the new cap is zero or below what is issued and pending
/// (equal is fine). Setting the cap that holds changes nothing, is no operation and leaves no event.
pub fn set_cap(tx: &mut Tx<'_>, ctx: &Ctx, asset: AssetId, cap: Amount) -> Result<Option<OperationId>, Error> {
    let asset = asset::lock(tx, asset)?;
    may_set_cap(tx, ctx, &asset)?;
    check(&asset, cap).map_err(Error::refused)?;
    if asset.cap == Some(cap) {
        return Ok(None);
    }
    asset::set_cap(tx, asset.id, cap)?;
    let data = json!({ "from": asset.cap, "to": cap });
    let change = Change {
        plan: Plan::SetCap { cap },
        action: "asset.cap-set",
        subjects: Vec::new(),
        data,
    };
    // The standard knows no cap: on a contract that is not ours it is kept here alone.
    let settlement = match asset.settlement {
        Settlement::Evm if settlement::is_adopted(tx, asset.id)? => Settlement::Book,
        other => other,
    };
    record_in(tx, ctx, &asset, settlement, change).map(Some)
}

pub fn may_set_cap(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset) -> Result<(), Error> {
    asset.require(Feature::Capped)?;
    access::require(tx, ctx, Permission::SetCap, Scope::Asset(asset.id))
}

fn check(asset: &Asset, cap: Amount) -> Result<(), Refusal> {
    if cap.is_zero() {
        return Err(Refusal::AmountZero);
    }
    match asset.issued() {
        Some(issued) if issued <= cap => Ok(()),
        Some(_) | None => Err(Refusal::CapBelowSupply {
            cap,
            supply: asset.supply,
            pending: asset.pending,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::sample;

    #[test]
    fn a_cap_may_equal_what_is_issued_and_pending_and_not_fall_below() {
        let asset = Asset {
            supply: Amount::from(70),
            pending: Amount::from(30),
            ..sample()
        };

        assert_eq!(check(&asset, Amount::from(101)), Ok(()));
        assert_eq!(check(&asset, Amount::from(100)), Ok(()));
        assert_eq!(check(&asset, Amount::from(99)).unwrap_err().slug(), "cap_below_supply");
    }

    #[test]
    fn a_cap_of_zero_is_refused_like_every_zero() {
        assert_eq!(check(&sample(), Amount::ZERO), Err(Refusal::AmountZero));
        assert_eq!(check(&sample(), Amount::ONE), Ok(()));
    }
}
