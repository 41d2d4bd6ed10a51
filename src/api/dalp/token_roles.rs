//! Roles on an asset, or on a collection: who may mint, freeze, pause (dalp.md 1.4 and section 4).

use actix_web::{HttpResponse, delete, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::access_manager::{RolesBody, RolesObject, pair, roles_of};
use super::amount::recipients_of;
use super::body::Issues;
use super::mutate::{Answer, Terms};
use super::{Body, Call, DalpError, WalletVerification, asset_in_path, collection};
use crate::access::{self, Grant, Permission, Role, Scope};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::types::{Address, AssetId};

/// Many accounts with one role, or one address with many roles.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "accounts": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"], "role": "supplyManagement",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct GrantRoleBody {
    /// The asset, where the path does not name it.
    contract: Option<String>,
    /// With `role`: 1 to 100 addresses. No user need have them yet.
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(default)]
    accounts: Value,
    /// `admin`, `governance`, `supplyManagement`, `custodian`, `emergency` or `auditor`.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    role: Value,
    /// With `roles`.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    address: Value,
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(default)]
    roles: Value,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

impl GrantRoleBody {
    /// Either form, or both spellings of one: what is there counts, and nothing at all is missing `accounts`.
    fn grants(&self, issues: &mut Issues) -> (Vec<Address>, Vec<Role>) {
        let (wallet_path, wallets) = first_given([("accounts", &self.accounts), ("address", &self.address)]);
        let (role_path, roles) = first_given([("role", &self.role), ("roles", &self.roles)]);
        let wallets = recipients_of(wallet_path, wallets, issues).unwrap_or_default();
        (wallets, roles_of(role_path, roles, issues))
    }
}

fn first_given<'v>(fields: [(&'static str, &'v Value); 2]) -> (&'static str, &'v Value) {
    let [first, second] = fields;
    if first.1.is_null() && !second.1.is_null() {
        second
    } else {
        first
    }
}

/// The accounts that hold the role now.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "accounts": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"] }))]
pub struct GrantedObject {
    #[schema(value_type = Vec<String>)]
    accounts: Vec<Address>,
}

impl GrantedObject {
    fn of(grants: &[Grant]) -> Self {
        let mut accounts: Vec<Address> = Vec::new();
        for (wallet, _) in grants {
            if !accounts.contains(wallet) {
                accounts.push(*wallet);
            }
        }
        Self { accounts }
    }
}

async fn grant_on(call: &Call, asset: AssetId, parsed: &GrantRoleBody, body: &Body) -> Result<HttpResponse, DalpError> {
    let scope = Scope::Asset(asset);
    let mut issues = Issues::default();
    let (wallets, roles) = parsed.grants(&mut issues);
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let grants = pair(scope, &wallets, &roles)?;
    let terms = Terms {
        code,
        asset: Some(asset),
    };
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| access::require(tx, ctx, Permission::GrantAssetRole, scope);
    call.mutate(body, terms, allowed, move |tx, ctx| {
        access::grant(tx, ctx, scope, &grants)?;
        Answer::ok(&GrantedObject::of(&grants))
    })
    .await
}

/// Grant roles on an asset that the body names.
///
/// For the asset's `admin`. What is granted already stays; when everything is, 409.
#[utoipa::path(tag = "Token", operation_id = "tokenGrantRole",
    request_body = GrantRoleBody,
    responses((status = 200, description = "The accounts of the request", body = GrantedObject)))]
#[post("/token/grant-role")]
pub async fn grant_role(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: GrantRoleBody = body.parse()?;
    let asset = asset_in_path(&call, parsed.contract.as_deref().unwrap_or_default()).await?;
    grant_on(&call, asset.id, &parsed, &body).await
}

/// Grant roles on an asset that the path names.
///
/// For the asset's `admin`. What is granted already stays; when everything is, 409.
#[utoipa::path(tag = "Token", operation_id = "tokenGrantRoleOn",
    params(("contract" = String, Path, description = "Address of the asset")),
    request_body = GrantRoleBody,
    responses((status = 200, description = "The accounts of the request", body = GrantedObject)))]
#[post("/token/{contract}/grant-role")]
pub async fn grant_role_on(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let parsed: GrantRoleBody = body.parse()?;
    grant_on(&call, asset.id, &parsed, &body).await
}

/// Revoke roles on an asset.
///
/// For the asset's `admin`. What is not granted is passed over; when nothing is, 409.
#[utoipa::path(tag = "Token", operation_id = "tokenRevokeRole",
    params(("contract" = String, Path, description = "Address of the asset")),
    request_body = RolesBody,
    responses((status = 200, description = "What the request revoked", body = RolesObject)))]
#[delete("/token/{contract}/revoke-role")]
pub async fn revoke_role(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let parsed: RolesBody = body.parse()?;
    revoke_on(&call, asset.id, &parsed, &body).await
}

/// Grant roles on a collection.
///
/// For its `admin`; `supplyManagement` is who mints. What is granted already stays; when everything is, 409.
#[utoipa::path(tag = "Collections", operation_id = "collectionGrantRole",
    params(("collection" = String, Path, description = "Address of the collection")),
    request_body = GrantRoleBody,
    responses((status = 200, description = "The accounts of the request", body = GrantedObject)))]
#[post("/collections/{collection}/grant-role")]
pub async fn collection_grant_role(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let found = collection::in_path(&call, &path).await?;
    let parsed: GrantRoleBody = body.parse()?;
    grant_on(&call, found.id, &parsed, &body).await
}

/// Revoke roles on a collection.
///
/// For its `admin`. What is not granted is passed over; when nothing is, 409.
#[utoipa::path(tag = "Collections", operation_id = "collectionRevokeRole",
    params(("collection" = String, Path, description = "Address of the collection")),
    request_body = RolesBody,
    responses((status = 200, description = "What the request revoked", body = RolesObject)))]
#[delete("/collections/{collection}/revoke-role")]
pub async fn collection_revoke_role(
    call: Call,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, DalpError> {
    let found = collection::in_path(&call, &path).await?;
    let parsed: RolesBody = body.parse()?;
    revoke_on(&call, found.id, &parsed, &body).await
}

async fn revoke_on(call: &Call, asset: AssetId, parsed: &RolesBody, body: &Body) -> Result<HttpResponse, DalpError> {
    let scope = Scope::Asset(asset);
    let mut issues = Issues::default();
    let (wallets, roles) = parsed.grants(&mut issues);
    let code = WalletVerification::take(parsed.verification(), &mut issues);
    issues.finish()?;
    let grants = pair(scope, &wallets, &roles)?;
    let terms = Terms {
        code,
        asset: Some(asset),
    };
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| access::require(tx, ctx, Permission::RevokeAssetRole, scope);
    call.mutate(body, terms, allowed, move |tx, ctx| {
        access::revoke(tx, ctx, scope, &grants)?;
        Answer::ok(&RolesObject::of(&grants))
    })
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIRST: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    const SECOND: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";

    fn grants(body: Value) -> Result<(usize, Vec<Role>), crate::error::Error> {
        let parsed: GrantRoleBody = serde_json::from_value(body).unwrap();
        let mut issues = Issues::default();
        let (wallets, roles) = parsed.grants(&mut issues);
        issues.finish().map(|()| (wallets.len(), roles))
    }

    #[test]
    fn both_forms_are_taken() {
        let many = grants(json!({ "accounts": [FIRST, SECOND], "role": "custodian" }));
        let one = grants(json!({ "address": FIRST, "roles": ["custodian", "emergency"] }));

        assert_eq!(many.unwrap(), (2, vec![Role::Custodian]));
        assert_eq!(one.unwrap(), (1, vec![Role::Custodian, Role::Emergency]));
    }

    #[test]
    fn nothing_and_unknown_words_are_refused() {
        for body in [
            json!({}),
            json!({ "accounts": [FIRST] }),
            json!({ "role": "custodian" }),
            json!({ "accounts": [], "role": "custodian" }),
            json!({ "accounts": [FIRST], "role": "Custodian" }),
            json!({ "accounts": ["0x1"], "role": "custodian" }),
        ] {
            assert!(grants(body.clone()).is_err(), "{body}");
        }
    }
}
