use serde_json::json;

use super::event;
use crate::asset::{self, Asset, Collateral, Feature};
use crate::audit;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Issue, Refusal};
use crate::identity::{self, Attestation, ClaimData, ClaimTerms, NewClaim};
use crate::types::{Amount, AssetId, Timestamp};

/// What an issuer vouches for, and until when (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollateralUpdate {
    /// Base units of the asset.
    pub amount: Amount,
    pub expires_at: Timestamp,
}

/// Issues a claim of the collateral topic on the asset's identity, in place of the caller's earlier one.
///
/// No role: the caller's identity must be trusted for the topic, else `NotAllowed`. `FeatureMissing` when the asset needs
/// no collateral; `Invalid` for an expiry that is not in the future; `Refused` for zero. Units that were issued stay
/// issued when the amount falls below what they need; nothing more is minted then.
pub fn update_collateral(tx: &mut Tx<'_>, ctx: &Ctx, asset: AssetId, update: CollateralUpdate) -> Result<(), Error> {
    let asset = asset::lock(tx, asset)?;
    let collateral = may_update_collateral(tx, ctx, &asset)?;
    check(&update, ctx.now)?;
    let target = identity::by_wallet(tx, &asset.address)?;
    let data = json!({ "amount": update.amount, "expiryTimestamp": update.expires_at.seconds().to_string() });
    let claim = NewClaim {
        target: target.address,
        topic: collateral.topic.clone(),
        data: ClaimData::Values(data),
        attestation: Attestation::Caller,
        terms: ClaimTerms::default(),
    };
    let claim = identity::issue_as_trusted(tx, ctx, &claim)?;
    asset::bump_revision(tx, asset.id)?;
    let data = json!({
        "amount": update.amount,
        "claimId": claim.id,
        "expiresAt": claim.expires_at,
        "issuer": claim.issuer,
        "topic": claim.topic,
    });
    audit::append(
        tx,
        ctx.now,
        vec![event(ctx, &asset, "asset.collateral-updated", vec![claim.issuer], data)],
    )
}

/// The feature, when the asset has it and the caller may vouch for it.
pub fn may_update_collateral<'a>(tx: &mut Tx<'_>, ctx: &Ctx, asset: &'a Asset) -> Result<&'a Collateral, Error> {
    let collateral = asset
        .collateral
        .as_ref()
        .ok_or(Error::FeatureMissing(Feature::Collateral.as_str()))?;
    identity::require_trusted(tx, ctx, &collateral.topic)?;
    Ok(collateral)
}

fn check(update: &CollateralUpdate, now: Timestamp) -> Result<(), Error> {
    if update.amount.is_zero() {
        return Err(Error::refused(Refusal::AmountZero));
    }
    if update.expires_at <= now {
        return Err(Error::Invalid(vec![Issue::new(
            "expiryTimestamp",
            "range",
            "must be in the future",
        )]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collateral_is_above_zero_and_expires_later() {
        let now = Timestamp::from_seconds(1_000);
        let update = |amount: u64, seconds| CollateralUpdate {
            amount: Amount::from(amount),
            expires_at: now.plus_seconds(seconds),
        };

        assert!(check(&update(1, 1), now).is_ok());
        assert!(matches!(check(&update(0, 1), now), Err(Error::Refused(_))));
        assert!(matches!(check(&update(1, 0), now), Err(Error::Invalid(_))));
    }
}
