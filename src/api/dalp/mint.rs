//! `POST /api/token/{contract}/mint` and its dry run: the seed "Mint assets".

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::amount::{amounts_of, recipients_of};
use super::body::Issues;
use super::error::render_findings;
use super::forms;
use super::mutate::build;
use super::operation::OperationObject;
use super::prefer::Prefer;
use super::settled;
use super::token_object::{self, TokenObject};
use super::{Body, Call, Code, DalpError, WalletVerification, address_in_path, asset_in_path};
use crate::access::{self, Held, Permission, Scope};
use crate::asset::{Decimals, Settlement};
use crate::error::Error;
use crate::mint::{Issued, MintLine, Request, Stored, Verdict, check};
use crate::operation::{self, Replay};
use crate::settlement;
use crate::types::{AssetId, Hash32};

/// A remembered success may turn out stale once; then the code is proven at full cost.
const PROOFS_MAX: usize = 2;

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "recipients": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"],
    "amounts": [["500000000000000000000", 18], ["300000000000000000000", 18]],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct MintBody {
    #[schema(required = true, schema_with = forms::addresses)]
    #[serde(default)]
    recipients: Value,
    #[schema(required = true, schema_with = forms::amounts)]
    #[serde(default)]
    amounts: Value,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// A mint without its verification.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "recipients": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"],
    "amounts": [["500000000000000000000", 18], ["300000000000000000000", 18]],
}))]
pub struct MintCheckBody {
    #[schema(required = true, schema_with = forms::addresses)]
    #[serde(default)]
    recipients: Value,
    #[schema(required = true, schema_with = forms::amounts)]
    #[serde(default)]
    amounts: Value,
}

fn lines_of(decimals: Decimals, recipients: &Value, amounts: &Value, issues: &mut Issues) -> Vec<MintLine> {
    let recipients = recipients_of("recipients", recipients, issues);
    let amounts = amounts_of("amounts", amounts, decimals.get(), issues);
    if let (Some(recipients), Some(amounts)) = (&recipients, &amounts)
        && recipients.len() != amounts.len()
    {
        issues.add("amounts", "length", "Recipients and amounts mismatch");
    }
    let pairs = recipients
        .unwrap_or_default()
        .into_iter()
        .zip(amounts.unwrap_or_default());
    pairs
        .map(|(recipient, amount)| MintLine { recipient, amount })
        .collect()
}

/// An operation is settled by one transaction, and the token of somebody else may need much gas for each recipient
/// (dalp.md A13).
pub(super) async fn fit_one_transaction(
    call: &Call,
    asset: AssetId,
    path: &str,
    count: usize,
    issues: &mut Issues,
) -> Result<(), DalpError> {
    let max = call.read(move |tx, _| settlement::recipients_max(tx, asset)).await?;
    if let Some(max) = max.filter(|max| count > *max) {
        let message = format!("must have 1 to {max} elements, has {count}: one transaction of this token fits no more");
        issues.add(path, "range", message);
    }
    Ok(())
}

/// Mint units to one or many recipients.
///
/// All or nothing: when any line is refused nothing is minted, and every failing line is in `data.findings`.
#[utoipa::path(tag = "Token", operation_id = "tokenMint",
    params(("contract" = String, Path, description = "Address of the asset"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = MintBody,
    responses(
        (status = 200, description = "Minted: the asset with its new supply", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation of this mint"),
                ("X-Transaction-Hash" = String, description = "The transaction that carries it, when it settles on a chain"))),
        (status = 202, description = "Accepted and not final yet: the operation", body = OperationObject,
            headers(("Location" = String, description = "The operation"),
                ("X-Operation-Id" = String, description = "The operation of this mint"),
                ("X-Transaction-Hash" = String, description = "The newest transaction that carries it, once there is one")))))]
#[post("/token/{contract}/mint")]
pub async fn mint(call: Call, path: web::Path<String>, prefer: Prefer, body: Body) -> Result<HttpResponse, DalpError> {
    let target = call.app.lanes().target(address_in_path("contract", &path)?).await?;
    let parsed: MintBody = body.parse()?;
    let mut issues = Issues::default();
    let lines = lines_of(target.decimals, &parsed.recipients, &parsed.amounts, &mut issues);
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    if target.is_adopted {
        fit_one_transaction(&call, target.asset, "recipients", lines.len(), &mut issues).await?;
    }
    issues.finish()?;
    let code = code.ok_or_else(|| Error::internal("a verification without an issue is there"))?;
    let idempotency = call.idempotency()?.map(|key| (key, body.fingerprint()));

    let key = idempotency.as_ref().map(|(key, _)| key);
    for attempt in 0..PROOFS_MAX {
        let proof = prove(&call, target.asset, &code, idempotency.as_ref(), attempt).await?;
        let proof = match proof {
            Proven::Proof(proof) => proof,
            Proven::Replayed(replay) => return settled::again(&call, &replay, prefer, key).await,
        };
        let request = Request {
            ctx: call.ctx.clone(),
            asset: target.asset,
            lines: lines.clone(),
            proof,
            idempotency: idempotency.clone(),
            render: render_stored,
        };
        match call.app.lanes().submit(request).await? {
            Verdict::Accepted(issued) if issued.operation.status.is_final() => return respond(&issued, &prefer),
            Verdict::Accepted(issued) => return settled::answer(&call, issued.operation.id, prefer, key).await,
            Verdict::Replayed(replay) => return settled::again(&call, &replay, prefer, key).await,
            Verdict::Refused(error) => return Err(error.into()),
            Verdict::Stale => {}
        }
    }
    Err(Error::Conflict("The wallet verification changed meanwhile".into()).into())
}

enum Proven {
    Proof(crate::wallet::Proof),
    Replayed(Replay),
}

/// For a caller who minted a moment ago a remembered success makes a proof without any query: the lane checks role,
/// replay and credential. Otherwise role and replay come first, so that somebody without the role learns nothing about
/// codes and does not take a place in the lane.
async fn prove(
    call: &Call,
    asset: AssetId,
    code: &Code,
    idempotency: Option<&(operation::IdempotencyKey, Hash32)>,
    attempt: usize,
) -> Result<Proven, DalpError> {
    let (app, ctx) = (&call.app, &call.ctx);
    if attempt == 0
        && app.lanes().is_known_minter(asset, ctx.actor.user)
        && let Some(proof) = app.verifier().remembered(ctx.actor, ctx.now, code.method, &code.code)
    {
        return Ok(Proven::Proof(proof));
    }
    let (scope, key) = (Scope::Asset(asset), idempotency.cloned());
    let replay = call
        .read_on(Some(asset), move |tx, ctx| {
            access::require(tx, ctx, Permission::Mint, scope)?;
            let Some((key, fingerprint)) = key else { return Ok(None) };
            let known = operation::remembered(tx, &[&key], ctx.now)?;
            known.get(&key).map(|answer| answer.replay(&fingerprint)).transpose()
        })
        .await?;
    if let Some(replay) = replay {
        return Ok(Proven::Replayed(replay));
    }
    let (verifier, db) = (app.verifier(), app.db());
    let proof = match attempt {
        0 => verifier.prove(db, ctx.actor, ctx.now, code.method, &code.code).await?,
        _ => {
            verifier
                .prove_fresh(db, ctx.actor, ctx.now, code.method, &code.code)
                .await?
        }
    };
    Ok(Proven::Proof(proof))
}

/// What is kept under an idempotency key. An operation that is not final yet is kept by its id alone: what a replay answers
/// is rendered when it is asked for.
fn render_stored(issued: &Issued) -> Result<Stored, Error> {
    if !issued.operation.status.is_final() {
        return Ok(settled::stored(issued.operation.id));
    }
    let after = &issued.after;
    let rendered = match after.rendered.get() {
        Some(rendered) => rendered,
        None => {
            let rendered = token_object::render(&after.asset, &after.view)?;
            after.rendered.get_or_init(|| rendered)
        }
    };
    let held = Held {
        asset: issued.roles.clone(),
        ..Held::default()
    };
    let body = token_object::for_caller(rendered, &held)?;
    let headers = vec![("X-Operation-Id".to_owned(), issued.operation.id.to_string())];
    Ok(Stored {
        status: StatusCode::OK.as_u16(),
        headers,
        body,
    })
}

fn respond(issued: &Issued, prefer: &Prefer) -> Result<HttpResponse, DalpError> {
    let mut stored = render_stored(issued)?;
    stored.headers.extend(
        prefer
            .applied()
            .map(|applied| ("Preference-Applied".to_owned(), applied)),
    );
    Ok(build(StatusCode::OK, &stored.headers, stored.body))
}

/// What a mint would be told now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MintCheck {
    allowed: bool,
    /// One per failing rule and line: index, recipient, rule, slug, message, params.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// Hash of the policy that judged.
    #[schema(value_type = String)]
    policy_hash: Hash32,
}

/// Check a mint without making it.
///
/// The same body without wallet verification, the same role; changes nothing.
#[utoipa::path(tag = "Token", operation_id = "tokenMintCheck",
    params(("contract" = String, Path, description = "Address of the asset")),
    request_body = MintCheckBody,
    responses((status = 200, description = "What the rules say", body = MintCheck,
        example = json!({ "allowed": true, "findings": [], "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" }))))]
#[post("/token/{contract}/mint/check")]
pub async fn mint_check(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let parsed: MintCheckBody = body.parse()?;
    let mut issues = Issues::default();
    let lines = lines_of(asset.decimals, &parsed.recipients, &parsed.amounts, &mut issues);
    if asset.settlement == Settlement::Evm {
        fit_one_transaction(&call, asset.id, "recipients", lines.len(), &mut issues).await?;
    }
    issues.finish()?;
    let lanes = call.app.lanes().clone();
    let asset_id = asset.id;
    let report = call
        .read_on(Some(asset_id), move |tx, ctx| {
            check(tx, lanes.judge(), ctx, &asset, &lines)
        })
        .await?;
    Ok(HttpResponse::Ok().json(MintCheck {
        allowed: report.is_allowed(),
        findings: render_findings(&report.findings),
        policy_hash: report.policy_hash,
    }))
}
