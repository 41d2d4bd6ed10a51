use serde_json::json;

use super::event;
use crate::asset::{self, Asset};
use crate::audit;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, Claim, Kind, NewClaim, Revocation};
use crate::types::{Address, AssetId};

/// The asset whose identity this is; none for a person's, or where there is no such identity.
pub fn asset_of_identity(tx: &mut Tx<'_>, identity: &Address) -> Result<Option<AssetId>, Error> {
    let identity = match identity::by_address(tx, identity) {
        Ok(identity) => identity,
        Err(Error::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    match identity.kind {
        Kind::Account => Ok(None),
        Kind::Asset => asset::find_by_address(tx, &identity.account).map(|asset| Some(asset.id)),
    }
}

/// [`identity::issue_claim`], which for the identity of an asset is a change of the asset: its rules look at it, and its
/// stream tells of it.
pub fn issue_claim(tx: &mut Tx<'_>, ctx: &Ctx, new: &NewClaim) -> Result<Claim, Error> {
    let asset = lock_asset_of(tx, &new.target)?;
    let claim = identity::issue_claim(tx, ctx, new)?;
    note(tx, ctx, asset.as_ref(), "asset.claim-issued", &claim)?;
    Ok(claim)
}

/// [`identity::revoke_claim`], with what [`issue_claim`] adds to it.
pub fn revoke_claim(tx: &mut Tx<'_>, ctx: &Ctx, revocation: &Revocation) -> Result<Claim, Error> {
    let asset = lock_asset_of(tx, &revocation.target)?;
    let claim = identity::revoke_claim(tx, ctx, revocation)?;
    note(tx, ctx, asset.as_ref(), "asset.claim-revoked", &claim)?;
    Ok(claim)
}

fn lock_asset_of(tx: &mut Tx<'_>, identity: &Address) -> Result<Option<Asset>, Error> {
    let asset = asset_of_identity(tx, identity)?;
    asset.map(|asset| asset::lock(tx, asset)).transpose()
}

fn note(tx: &mut Tx<'_>, ctx: &Ctx, asset: Option<&Asset>, action: &'static str, claim: &Claim) -> Result<(), Error> {
    let Some(asset) = asset else { return Ok(()) };
    asset::bump_revision(tx, asset.id)?;
    let data = json!({
        "amount": claim.amount,
        "claimId": claim.id,
        "expiresAt": claim.expires_at,
        "issuer": claim.issuer,
        "topic": claim.topic,
    });
    audit::append(tx, ctx.now, vec![event(ctx, asset, action, vec![claim.issuer], data)])
}
