//! What agents do with an asset: pause, unpause, cap, collateral, freeze. Every one answers with the asset object.

use actix_web::{HttpResponse, post, put, web};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::amount::amount_of;
use super::body::Issues;
use super::forms;
use super::operation::OperationObject;
use super::prefer::Prefer;
use super::time::time_of;
use super::token_object::TokenObject;
use super::{Body, Call, Code, DalpError, WalletVerification, asset_in_path, settled};
use crate::asset::Asset;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::ledger::Freeze;
use crate::operation;
use crate::servicing::{self, CollateralUpdate};
use crate::types::{Address, AssetId, OperationId};

/// Only the wallet verification.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct VerificationBody {
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "newCap": ["2000000000000000000000000", 18],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct SetCapBody {
    #[schema(required = true, schema_with = forms::amount)]
    #[serde(default)]
    new_cap: Value,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "amount": ["1000000000000", 6],
    "expiryTimestamp": "2027-01-15T08:00:00.000Z",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct UpdateCollateralBody {
    #[schema(required = true, schema_with = forms::amount)]
    #[serde(default)]
    amount: Value,
    #[schema(required = true, schema_with = forms::time)]
    #[serde(default)]
    expiry_timestamp: Value,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "userAddress": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "freeze": true,
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct FreezeAddressBody {
    #[schema(required = true, value_type = String)]
    user_address: Option<String>,
    #[schema(required = true, value_type = bool)]
    freeze: Option<bool>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Runs a servicing action. It holds for new requests from its commit on; the answer waits for it to be final.
async fn act<A, C>(
    call: &Call,
    body: &Body,
    (asset, code): (Asset, Option<Code>),
    prefer: Prefer,
    may: A,
    act: C,
) -> Result<HttpResponse, DalpError>
where
    A: Fn(&mut Tx<'_>, &Ctx, &Asset) -> Result<(), Error> + Clone + Send + 'static,
    C: Fn(&mut Tx<'_>, &Ctx, AssetId) -> Result<Option<OperationId>, Error> + Clone + Send + 'static,
{
    let id = asset.id;
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| may(tx, ctx, &asset);
    let change = move |tx: &mut Tx<'_>, ctx: &Ctx| {
        let operation = act(tx, ctx, id)?;
        operation.map(|operation| operation::find(tx, operation)).transpose()
    };
    settled::make(call, body, (id, code), prefer, allowed, change).await
}

async fn pause_asset(call: Call, path: &str, prefer: Prefer, body: Body) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, path).await?;
    let code = only_verification(&body)?;
    let change = |tx: &mut Tx<'_>, ctx: &Ctx, id| servicing::pause(tx, ctx, id).map(Some);
    act(&call, &body, (asset, code), prefer, servicing::may_pause, change).await
}

async fn unpause_asset(call: Call, path: &str, prefer: Prefer, body: Body) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, path).await?;
    let code = only_verification(&body)?;
    let change = |tx: &mut Tx<'_>, ctx: &Ctx, id| servicing::unpause(tx, ctx, id).map(Some);
    act(&call, &body, (asset, code), prefer, servicing::may_unpause, change).await
}

fn only_verification(body: &Body) -> Result<Option<Code>, DalpError> {
    let parsed: VerificationBody = body.parse()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    Ok(code)
}

/// Pause an asset: no mint, burn or ordinary transfer until it is unpaused.
#[utoipa::path(tag = "Token", operation_id = "tokenPause",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = VerificationBody,
    responses(
        (status = 200, description = "Paused", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this change"),
                ("X-Transaction-Hash" = String, description = "The transaction that carries it, when it settles on a chain"))),
        (status = 202, description = "It holds for new requests, and is not final on the chain yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[post("/token/{contract}/pause")]
pub async fn pause(call: Call, path: web::Path<String>, prefer: Prefer, body: Body) -> Result<HttpResponse, DalpError> {
    pause_asset(call, &path, prefer, body).await
}

/// Pause an asset (the later spelling of the route).
#[utoipa::path(tag = "Token", operation_id = "tokenPausePut",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = VerificationBody,
    responses(
        (status = 200, description = "Paused", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this change"),
                ("X-Transaction-Hash" = String, description = "The transaction that carries it, when it settles on a chain"))),
        (status = 202, description = "It holds for new requests, and is not final on the chain yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[put("/token/{contract}/pause")]
pub async fn pause_put(
    call: Call,
    path: web::Path<String>,
    prefer: Prefer,
    body: Body,
) -> Result<HttpResponse, DalpError> {
    pause_asset(call, &path, prefer, body).await
}

/// Unpause an asset. A new asset is paused, so this is what starts it.
#[utoipa::path(tag = "Token", operation_id = "tokenUnpause",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = VerificationBody,
    responses(
        (status = 200, description = "Active", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this change"),
                ("X-Transaction-Hash" = String, description = "The transaction that carries it, when it settles on a chain"))),
        (status = 202, description = "It holds for new requests, and is not final on the chain yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[post("/token/{contract}/unpause")]
pub async fn unpause(
    call: Call,
    path: web::Path<String>,
    prefer: Prefer,
    body: Body,
) -> Result<HttpResponse, DalpError> {
    unpause_asset(call, &path, prefer, body).await
}

/// Unpause an asset (the later spelling of the route).
#[utoipa::path(tag = "Token", operation_id = "tokenUnpausePut",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = VerificationBody,
    responses(
        (status = 200, description = "Active", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this change"),
                ("X-Transaction-Hash" = String, description = "The transaction that carries it, when it settles on a chain"))),
        (status = 202, description = "It holds for new requests, and is not final on the chain yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[put("/token/{contract}/unpause")]
pub async fn unpause_put(
    call: Call,
    path: web::Path<String>,
    prefer: Prefer,
    body: Body,
) -> Result<HttpResponse, DalpError> {
    unpause_asset(call, &path, prefer, body).await
}

/// Set the cap: the most that may ever be issued.
#[utoipa::path(tag = "Token", operation_id = "tokenSetCap",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = SetCapBody,
    responses(
        (status = 200, description = "The asset with its new cap", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this change"),
                ("X-Transaction-Hash" = String, description = "The transaction that carries it, when it settles on a chain"))),
        (status = 202, description = "It holds for new requests, and is not final on the chain yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[post("/token/{contract}/set-cap")]
pub async fn set_cap(
    call: Call,
    path: web::Path<String>,
    prefer: Prefer,
    body: Body,
) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let parsed: SetCapBody = body.parse()?;
    let mut issues = Issues::default();
    let cap = amount_of("newCap", &parsed.new_cap, asset.decimals.get(), &mut issues);
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let cap = cap.ok_or_else(|| Error::internal("a field without an issue is there"))?;
    let change = move |tx: &mut Tx<'_>, ctx: &Ctx, id| servicing::set_cap(tx, ctx, id, cap);
    act(&call, &body, (asset, code), prefer, servicing::may_set_cap, change).await
}

/// Vouch for collateral: a claim on the asset's identity, in place of the caller's earlier one.
///
/// For a trusted issuer of the asset's collateral topic; no role.
#[utoipa::path(tag = "Token", operation_id = "tokenUpdateCollateral",
    params(("contract" = String, Path, description = "Address of the asset")),
    request_body = UpdateCollateralBody,
    responses((status = 200, description = "The asset with its new collateral", body = TokenObject)))]
#[post("/token/{contract}/update-collateral")]
pub async fn update_collateral(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let parsed: UpdateCollateralBody = body.parse()?;
    let mut issues = Issues::default();
    let amount = amount_of("amount", &parsed.amount, asset.decimals.get(), &mut issues);
    let expires_at = time_of("expiryTimestamp", &parsed.expiry_timestamp, &mut issues);
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let (Some(amount), Some(expires_at)) = (amount, expires_at) else {
        return Err(Error::internal("a field without an issue is there").into());
    };
    let update = CollateralUpdate { amount, expires_at };
    let may = |tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset| servicing::may_update_collateral(tx, ctx, asset).map(|_| ());
    let change = move |tx: &mut Tx<'_>, ctx: &Ctx, id| servicing::update_collateral(tx, ctx, id, update).map(|()| None);
    act(&call, &body, (asset, code), Prefer::default(), may, change).await
}

/// Freeze or free an address on an asset. Into the state that holds it changes nothing.
#[utoipa::path(tag = "Token", operation_id = "tokenFreezeAddress",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = FreezeAddressBody,
    responses(
        (status = 200, description = "The asset", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this change"),
                ("X-Transaction-Hash" = String, description = "The transaction that carries it, when it settles on a chain"))),
        (status = 202, description = "It holds for new requests, and is not final on the chain yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[post("/token/{contract}/freeze-address")]
pub async fn freeze_address(
    call: Call,
    path: web::Path<String>,
    prefer: Prefer,
    body: Body,
) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let parsed: FreezeAddressBody = body.parse()?;
    let mut issues = Issues::default();
    let address = parsed.address(&mut issues);
    let freeze = parsed.freeze(&mut issues);
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let (Some(address), Some(freeze)) = (address, freeze) else {
        return Err(Error::internal("a field without an issue is there").into());
    };
    let change = move |tx: &mut Tx<'_>, ctx: &Ctx, id| servicing::freeze_address(tx, ctx, id, address, freeze);
    act(
        &call,
        &body,
        (asset, code),
        prefer,
        servicing::may_freeze_address,
        change,
    )
    .await
}

impl FreezeAddressBody {
    fn address(&self, issues: &mut Issues) -> Option<Address> {
        let Some(text) = &self.user_address else {
            issues.add("userAddress", "required", "is required");
            return None;
        };
        let address = issues.take("userAddress", Address::parse(text))?;
        if address.is_zero() {
            issues.add("userAddress", "format", "must not be the zero address");
        }
        Some(address)
    }

    fn freeze(&self, issues: &mut Issues) -> Option<Freeze> {
        if self.freeze.is_none() {
            issues.add("freeze", "required", "is required");
        }
        self.freeze
            .map(|freeze| if freeze { Freeze::Frozen } else { Freeze::Free })
    }
}
