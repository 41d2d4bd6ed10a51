//! The identity of an asset within the asset object: what is claimed of it, collateral for one (dalp.md section 8).

use serde::Serialize;
use utoipa::ToSchema;

use super::token_object::Reference;
use crate::asset::{Asset, AssetView};
use crate::identity::{Claim, ClaimStatus};
use crate::types::Address;

/// Whose claims are those of the asset. No registry holds it, so it is never registered.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityObject {
    #[schema(value_type = String, example = "0x42E2a5175414eFF2171e290F71f905C8115e053E")]
    id: Address,
    account: AccountObject,
    is_contract: bool,
    registered: bool,
    claims: Vec<ClaimObject>,
}

impl IdentityObject {
    pub fn of(asset: &Asset, view: &AssetView, is_contract: bool) -> Self {
        Self {
            id: view.links.identity,
            account: AccountObject {
                id: asset.address,
                contract_name: None,
            },
            is_contract,
            registered: false,
            claims: view.claims.iter().map(ClaimObject::from).collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountObject {
    #[schema(value_type = String, example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220")]
    id: Address,
    contract_name: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClaimObject {
    #[schema(example = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")]
    id: String,
    /// The claim topic.
    #[schema(example = "collateral")]
    name: String,
    revoked: bool,
    issuer: Reference,
    values: Vec<ClaimValueObject>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClaimValueObject {
    #[schema(example = "amount")]
    key: String,
    #[schema(example = "1000000000000")]
    value: String,
}

impl From<&Claim> for ClaimObject {
    fn from(claim: &Claim) -> Self {
        let values = claim.values.iter().map(|v| ClaimValueObject {
            key: v.key.clone(),
            value: v.value.clone(),
        });
        Self {
            id: claim.id.to_string(),
            name: claim.topic.to_string(),
            revoked: claim.status == ClaimStatus::Revoked,
            issuer: Reference::to(claim.issuer),
            values: values.collect(),
        }
    }
}
