//! What agents take from holders: burns and forced transfers (dalp.md 1.4). All or nothing, as a mint is.

use std::sync::Arc;

use actix_web::{HttpResponse, delete, post, web};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::amount::{amounts_of, recipients_of};
use super::body::Issues;
use super::forms;
use super::mint::fit_one_transaction;
use super::operation::OperationObject;
use super::prefer::Prefer;
use super::settled;
use super::token_object::TokenObject;
use super::{Body, Call, DalpError, WalletVerification, asset_in_path};
use crate::asset::{Asset, Settlement};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::servicing::{self, BurnLine, ForcedLine};
use crate::types::{Address, Amount};

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "addresses": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
    "amounts": [["500000000000000000000", 18]],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct BurnBody {
    #[schema(required = true, schema_with = forms::addresses)]
    #[serde(default)]
    addresses: Value,
    #[schema(required = true, schema_with = forms::amounts)]
    #[serde(default)]
    amounts: Value,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "from": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
    "recipients": ["0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"],
    "amounts": [["500000000000000000000", 18]],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct ForcedTransferBody {
    #[schema(required = true, schema_with = forms::addresses)]
    #[serde(default)]
    from: Value,
    #[schema(required = true, schema_with = forms::addresses)]
    #[serde(default)]
    recipients: Value,
    #[schema(required = true, schema_with = forms::amounts)]
    #[serde(default)]
    amounts: Value,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

impl BurnBody {
    fn lines(&self, asset: &Asset, issues: &mut Issues) -> Vec<BurnLine> {
        let holders = recipients_of("addresses", &self.addresses, issues);
        let amounts = amounts_of("amounts", &self.amounts, asset.decimals.get(), issues);
        let (holders, amounts) = equally_long("Addresses and amounts mismatch", holders, amounts, issues);
        let lines = holders.into_iter().zip(amounts);
        lines.map(|(holder, amount)| BurnLine { holder, amount }).collect()
    }
}

impl ForcedTransferBody {
    fn lines(&self, asset: &Asset, issues: &mut Issues) -> Vec<ForcedLine> {
        let from = recipients_of("from", &self.from, issues);
        let recipients = recipients_of("recipients", &self.recipients, issues);
        if let (Some(from), Some(recipients)) = (&from, &recipients)
            && from.len() != recipients.len()
        {
            issues.add("recipients", "length", "From and recipients mismatch");
        }
        let amounts = amounts_of("amounts", &self.amounts, asset.decimals.get(), issues);
        let (recipients, amounts) = equally_long("Recipients and amounts mismatch", recipients, amounts, issues);
        let lines = from.unwrap_or_default().into_iter().zip(recipients).zip(amounts);
        lines
            .map(|((from, to), amount)| ForcedLine { from, to, amount })
            .collect()
    }
}

fn equally_long(
    mismatch: &str,
    wallets: Option<Vec<Address>>,
    amounts: Option<Vec<Amount>>,
    issues: &mut Issues,
) -> (Vec<Address>, Vec<Amount>) {
    if let (Some(wallets), Some(amounts)) = (&wallets, &amounts)
        && wallets.len() != amounts.len()
    {
        issues.add("amounts", "length", mismatch);
    }
    (wallets.unwrap_or_default(), amounts.unwrap_or_default())
}

async fn burn_units(call: Call, path: &str, prefer: Prefer, body: Body) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, path).await?;
    let parsed: BurnBody = body.parse()?;
    let mut issues = Issues::default();
    let lines = parsed.lines(&asset, &mut issues);
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    if asset.settlement == Settlement::Evm {
        fit_one_transaction(&call, asset.id, "addresses", lines.len(), &mut issues).await?;
    }
    issues.finish()?;
    let id = asset.id;
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| servicing::may_burn(tx, ctx, &asset);
    let change = move |tx: &mut Tx<'_>, ctx: &Ctx| servicing::burn(tx, ctx, id, &lines).map(Some);
    settled::make(&call, &body, (id, code), prefer, allowed, change).await
}

/// Burn units of one or many holders.
///
/// All or nothing. What is frozen of a holder goes last; a frozen address is no obstacle, a pause is.
#[utoipa::path(tag = "Token", operation_id = "tokenBurn",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = BurnBody,
    responses(
        (status = 200, description = "Burned: the asset with its new supply", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this burn"))),
        (status = 202, description = "Accepted and not final yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[delete("/token/{contract}/burn")]
pub async fn burn(call: Call, path: web::Path<String>, prefer: Prefer, body: Body) -> Result<HttpResponse, DalpError> {
    burn_units(call, &path, prefer, body).await
}

/// Burn units of one or many holders (for clients that send no body with DELETE).
#[utoipa::path(tag = "Token", operation_id = "tokenBurnPost",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = BurnBody,
    responses(
        (status = 200, description = "Burned: the asset with its new supply", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this burn"))),
        (status = 202, description = "Accepted and not final yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[post("/token/{contract}/burn")]
pub async fn burn_post(
    call: Call,
    path: web::Path<String>,
    prefer: Prefer,
    body: Body,
) -> Result<HttpResponse, DalpError> {
    burn_units(call, &path, prefer, body).await
}

/// Transfer units without their holders' consent.
///
/// All or nothing. A pause and freezes of the sender are no obstacle. The receiver has to be registered and not frozen,
/// and the baseline policy applies to it; the asset's own rules about who may invest do not.
#[utoipa::path(tag = "Token", operation_id = "tokenForcedTransfer",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = ForcedTransferBody,
    responses(
        (status = 200, description = "Transferred: the asset", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this transfer"))),
        (status = 202, description = "Accepted and not final yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation")))))]
#[post("/token/{contract}/transfer/forced")]
pub async fn forced_transfer(
    call: Call,
    path: web::Path<String>,
    prefer: Prefer,
    body: Body,
) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let parsed: ForcedTransferBody = body.parse()?;
    let mut issues = Issues::default();
    let lines = parsed.lines(&asset, &mut issues);
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    if asset.settlement == Settlement::Evm {
        fit_one_transaction(&call, asset.id, "recipients", lines.len(), &mut issues).await?;
    }
    issues.finish()?;
    let (id, policies) = (asset.id, Arc::clone(call.app.policy()));
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| servicing::may_force_transfer(tx, ctx, &asset);
    let change = move |tx: &mut Tx<'_>, ctx: &Ctx| servicing::forced_transfer(tx, ctx, &policies, id, &lines).map(Some);
    settled::make(&call, &body, (id, code), prefer, allowed, change).await
}
