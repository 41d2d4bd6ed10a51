//! `/api/system/identity/claims`: what trusted issuers say of identities (dalp.md 1.7 and 7).

use actix_web::{HttpRequest, HttpResponse, get, post};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::body::Issues;
use super::identity::terms;
use super::page::{page_of, query};
use super::{Answer, Body, Call, DalpError, Terms, WalletVerification};
use crate::chain::ClaimSignature;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, Attestation, Claim, ClaimData, ClaimStatus, ClaimTerms, NewClaim, Revocation};
use crate::servicing;
use crate::types::{Address, Amount, Timestamp, TopicName};

/// The reference's word for a claim of a topic that is not one of its own.
const CUSTOM: &str = "custom";

/// A claim as it is kept.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0197a1f0-0000-7000-8000-000000000000", "name": "knowYourCustomer", "topicId": "26976…",
    "issuer": { "id": "0x42E2a5175414eFF2171e290F71f905C8115e053E" }, "revoked": false, "status": "active",
    "values": [{ "key": "claim", "value": "verified" }], "scheme": 3, "signer": null, "uri": "",
    "issuedAt": "2026-11-21T10:30:00.000Z", "notBefore": "2026-11-21T10:30:00.000Z",
    "expiresAt": "2027-11-21T10:30:00.000Z", "endedAt": null, "retainUntil": null,
}))]
pub struct IdentityClaim {
    id: String,
    /// The claim topic.
    name: String,
    /// keccak256 of the name, in digits.
    #[schema(value_type = String)]
    topic_id: Amount,
    issuer: ClaimIssuer,
    revoked: bool,
    /// `active`, `revoked` or `superseded`. An active claim counts between `notBefore` and `expiresAt`.
    status: &'static str,
    values: Vec<IdentityClaimValue>,
    /// 1: signed by the issuer's key. 3: issued here by the issuer's user.
    scheme: i16,
    /// Whose signature it is.
    #[schema(value_type = Option<String>)]
    signer: Option<Address>,
    uri: String,
    #[schema(value_type = String)]
    issued_at: Timestamp,
    #[schema(value_type = String)]
    not_before: Timestamp,
    /// Exclusive.
    #[schema(value_type = String)]
    expires_at: Timestamp,
    /// When it was revoked or superseded.
    #[schema(value_type = Option<String>)]
    ended_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    retain_until: Option<Timestamp>,
}

/// The identity of an issuer.
#[derive(Serialize, ToSchema)]
pub struct ClaimIssuer {
    #[schema(value_type = String)]
    id: Address,
}

/// One field of a claim; every value is text.
#[derive(Serialize, ToSchema)]
pub struct IdentityClaimValue {
    key: String,
    value: String,
}

impl IdentityClaim {
    pub fn new(claim: &Claim) -> Self {
        let values = claim.values.iter().map(|field| IdentityClaimValue {
            key: field.key.clone(),
            value: field.value.clone(),
        });
        Self {
            id: claim.id.to_string(),
            name: claim.topic.to_string(),
            topic_id: claim.topic.number(),
            issuer: ClaimIssuer { id: claim.issuer },
            revoked: claim.status == ClaimStatus::Revoked,
            status: claim.status.as_str(),
            values: values.collect(),
            scheme: claim.scheme,
            signer: claim.signer,
            uri: claim.uri.clone(),
            issued_at: claim.issued_at,
            not_before: claim.not_before,
            expires_at: claim.expires_at,
            ended_at: claim.ended_at,
            retain_until: claim.retain_until,
        }
    }
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "targetIdentityAddress": "0x42E2a5175414eFF2171e290F71f905C8115e053E",
    "claim": { "topic": "knowYourCustomer", "data": { "claim": "verified" } },
    "expiresAt": "2027-06-30T00:00:00.000Z",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct ClaimIssueBody {
    /// Address of the identity that the claim is about.
    target_identity_address: String,
    claim: ClaimBody,
    /// ONCHAINID form: `0x` and 65 bytes over identity, topic and data (EIP-191). Together with `issuer`; left out, the
    /// caller's own identity is the issuer.
    signature: Option<String>,
    /// Address of the identity whose key signed.
    issuer: Option<String>,
    /// Now when left out.
    not_before: Option<String>,
    /// Exclusive; when the topic says when left out, and never later.
    expires_at: Option<String>,
    /// Where the evidence is; never the evidence itself.
    #[validate(length(max = 500))]
    #[schema(max_length = 500)]
    uri: Option<String>,
    /// When the record has to be deleted.
    retain_until: Option<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// What is claimed.
#[derive(Deserialize, ToSchema)]
pub struct ClaimBody {
    /// A registered topic, or `custom` with `data` of `{topicName, data}`.
    topic: String,
    /// The values by field name or in order, or `0x` and the ABI encoding that was signed.
    #[schema(required = true, value_type = Value)]
    #[serde(default)]
    data: Value,
}

impl ClaimBody {
    fn parse(&self, issues: &mut Issues) -> Option<(TopicName, ClaimData)> {
        let (path, name, data) = match (self.topic.as_str(), &self.data) {
            (CUSTOM, Value::Object(custom)) => {
                let name = custom.get("topicName").and_then(Value::as_str).unwrap_or("");
                (
                    "claim.data.topicName",
                    name,
                    custom.get("data").cloned().unwrap_or(Value::Null),
                )
            }
            (name, data) => ("claim.topic", name, data.clone()),
        };
        let topic = issues.take(path, TopicName::parse(name))?;
        let data = match data {
            Value::String(text) => {
                let bytes = text
                    .strip_prefix("0x")
                    .map(|digits| HEXLOWER_PERMISSIVE.decode(digits.as_bytes()));
                let Some(Ok(bytes)) = bytes else {
                    issues.add(
                        "claim.data",
                        "format",
                        "must be an object, a list, or 0x and hex digits",
                    );
                    return None;
                };
                ClaimData::Encoded(bytes)
            }
            values => ClaimData::Values(values),
        };
        Some((topic, data))
    }
}

impl ClaimIssueBody {
    fn parse(&self, issues: &mut Issues) -> Option<NewClaim> {
        let target = issues.take("targetIdentityAddress", Address::parse(&self.target_identity_address));
        let content = self.claim.parse(issues);
        let attestation = self.attestation(issues);
        let mut time = |name: &str, text: &Option<String>| {
            text.as_deref()
                .and_then(|text| issues.take(name, Timestamp::parse(text)))
        };
        let terms = ClaimTerms {
            not_before: time("notBefore", &self.not_before),
            expires_at: time("expiresAt", &self.expires_at),
            uri: self.uri.clone().unwrap_or_default(),
            retain_until: time("retainUntil", &self.retain_until),
        };
        let (topic, data) = content?;
        Some(NewClaim {
            target: target?,
            topic,
            data,
            attestation: attestation?,
            terms,
        })
    }

    fn attestation(&self, issues: &mut Issues) -> Option<Attestation> {
        match (&self.issuer, &self.signature) {
            (None, None) => Some(Attestation::Caller),
            (Some(issuer), Some(signature)) => {
                let issuer = issues.take("issuer", Address::parse(issuer));
                let signature = issues.take("signature", ClaimSignature::parse(signature));
                Some(Attestation::Signed {
                    issuer: issuer?,
                    signature: signature?,
                })
            }
            (Some(_), None) => {
                issues.add("signature", "required", "is required with issuer");
                None
            }
            (None, Some(_)) => {
                issues.add("issuer", "required", "is required with signature");
                None
            }
        }
    }
}

/// A claim about the identity of an asset changes the asset, which is locked first.
async fn about(call: &Call, terms: Terms, identity: Address) -> Result<Terms, DalpError> {
    let asset = call
        .read(move |tx, _| servicing::asset_of_identity(tx, &identity))
        .await?;
    Ok(Terms { asset, ..terms })
}

/// Issue a claim about an identity.
///
/// Needs `claimIssuer`, and an issuer that is trusted for the topic: the caller's own identity, or the one that signed.
/// An active claim of the same issuer and topic is superseded.
#[utoipa::path(tag = "Claims", operation_id = "claimIssue", request_body = ClaimIssueBody,
    responses((status = 200, description = "Issued", body = IdentityClaim)))]
#[post("/system/identity/claims/issue")]
pub async fn issue(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: ClaimIssueBody = body.parse()?;
    let mut issues = Issues::default();
    let claim = parsed.parse(&mut issues);
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let claim = claim.ok_or_else(|| Error::internal("a claim without an issue is there"))?;
    let terms = about(&call, terms, claim.target).await?;
    let asked = claim.clone();
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| identity::may_issue(tx, ctx, &asked);
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        Answer::ok(&IdentityClaim::new(&servicing::issue_claim(tx, ctx, &claim)?))
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "targetIdentityAddress": "0x42E2a5175414eFF2171e290F71f905C8115e053E", "claimTopic": "knowYourCustomer",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct ClaimRevokeBody {
    /// Address of the identity that the claim is about.
    target_identity_address: String,
    claim_topic: String,
    /// Address of the issuer's identity; needed when several issuers have an active claim and none is the caller's.
    issuer: Option<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Revoke a claim, for good.
///
/// The issuer revokes its own claims; others need `claimIssuer` and an identity that is trusted for the topic. 409 when
/// it is revoked.
#[utoipa::path(tag = "Claims", operation_id = "claimRevoke", request_body = ClaimRevokeBody,
    responses((status = 200, description = "Revoked", body = IdentityClaim)))]
#[post("/system/identity/claims/revoke")]
pub async fn revoke(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: ClaimRevokeBody = body.parse()?;
    let mut issues = Issues::default();
    let target = issues.take("targetIdentityAddress", Address::parse(&parsed.target_identity_address));
    let topic = issues.take("claimTopic", TopicName::parse(&parsed.claim_topic));
    let issuer = parsed
        .issuer
        .as_deref()
        .and_then(|text| issues.take("issuer", Address::parse(text)));
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let (Some(target), Some(topic)) = (target, topic) else {
        return Err(Error::internal("a revocation without an issue is there").into());
    };
    let revocation = Revocation { target, topic, issuer };
    let terms = about(&call, terms, target).await?;
    let asked = revocation.clone();
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| identity::may_revoke(tx, ctx, &asked);
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        Answer::ok(&IdentityClaim::new(&servicing::revoke_claim(tx, ctx, &revocation)?))
    })
    .await
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimList {
    /// Address of the identity.
    #[schema(value_type = String, example = "0x42E2a5175414eFF2171e290F71f905C8115e053E")]
    identity: Address,
    claims: Vec<IdentityClaim>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    account_id: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// List the claims of a wallet's identity, ended ones too, newest first.
///
/// One's own, or with `identityManager` or `claimIssuer`.
#[utoipa::path(tag = "Claims", operation_id = "claimList",
    params(("accountId" = String, Query, description = "Address of the wallet, or of an asset"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "One page", body = ClaimList)))]
#[get("/system/identity/claims/list")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let wanted: ListQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let account = issues.take("accountId", Address::parse(wanted.account_id.as_deref().unwrap_or("")));
    let page = page_of(
        wanted.limit.as_deref(),
        wanted.offset.as_deref(),
        wanted.cursor.as_deref(),
        &mut issues,
    );
    issues.finish()?;
    let account = account.ok_or_else(|| Error::internal("an account without an issue is there"))?;
    let list = call.read(move |tx, ctx| {
        let (identity, claims, next_cursor) = identity::claims_by_wallet(tx, ctx, &account, &page)?;
        Ok(ClaimList {
            identity: identity.address,
            claims: claims.iter().map(IdentityClaim::new).collect(),
            next_cursor,
        })
    });
    Ok(HttpResponse::Ok().json(list.await?))
}
