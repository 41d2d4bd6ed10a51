//! `/api/system/trusted-issuers`: whose claims count, and for which topics (dalp.md 1.7).

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::bare_list::bare_list;
use super::body::Issues;
use super::identity::{IdentityAccount, terms};
use super::page::{page_of, query};
use super::{Answer, Body, Call, DalpError, WalletVerification, address_in_path};
use crate::access::{self, Permission, Scope};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, TrustedIssuer};
use crate::types::{Address, Amount, Timestamp, TopicName};

/// How many topics one request may name.
const TOPICS_MAX: u64 = 100;

/// An identity whose claims of some topics count.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0x42E2a5175414eFF2171e290F71f905C8115e053E",
    "account": { "id": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "contractName": null },
    "claimTopics": [{ "topicId": "56591694316807385155654796962642700009023257328234168678289712861780104020528", "name": "collateral" }],
    "addedAt": "2026-11-21T10:30:00.000Z",
}))]
pub struct TrustedIssuerObject {
    /// Address of its identity.
    #[schema(value_type = String)]
    id: Address,
    account: IdentityAccount,
    claim_topics: Vec<TrustedTopic>,
    #[schema(value_type = String)]
    added_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustedTopic {
    /// keccak256 of the name, in digits.
    #[schema(value_type = String)]
    topic_id: Amount,
    name: String,
}

impl TrustedTopic {
    fn new(name: &TopicName) -> Self {
        Self {
            topic_id: name.number(),
            name: name.to_string(),
        }
    }
}

impl TrustedIssuerObject {
    fn new(issuer: &TrustedIssuer) -> Self {
        Self {
            id: issuer.issuer,
            account: IdentityAccount {
                id: issuer.account,
                contract_name: None,
            },
            claim_topics: issuer.topics.iter().map(TrustedTopic::new).collect(),
            added_at: issuer.added_at,
        }
    }
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// List trusted issuers, by address.
#[utoipa::path(tag = "Trusted issuers", operation_id = "trustedIssuerList",
    params(("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "From the header `Link`")),
    responses((status = 200, description = "One page; the next one in the header `Link`", body = Vec<TrustedIssuerObject>)))]
#[get("/system/trusted-issuers")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let wanted: ListQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let page = page_of(
        wanted.limit.as_deref(),
        wanted.offset.as_deref(),
        wanted.cursor.as_deref(),
        &mut issues,
    );
    issues.finish()?;
    let issuers = call.read(|tx, _| identity::list_trusted_issuers(tx)).await?;
    let issuers: Vec<_> = issuers.iter().map(TrustedIssuerObject::new).collect();
    bare_list(issuers, |issuer| issuer.id.to_lower_hex(), &page, &request)
}

fn may_manage(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
    access::require(tx, ctx, Permission::ManageTrustedIssuers, Scope::System)
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "issuerAddress": "0x42E2a5175414eFF2171e290F71f905C8115e053E", "claimTopicIds": ["knowYourCustomer", "collateral"],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct TrustedIssuerCreateBody {
    /// Address of an identity.
    issuer_address: String,
    /// Names of topics, or their numbers.
    #[validate(length(min = 1, max = "TOPICS_MAX"))]
    #[schema(min_items = 1, max_items = 100)]
    claim_topic_ids: Vec<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Trust an identity for some claim topics.
///
/// Needs `claimPolicyManager`. 404 when there is no such identity, 409 `RESOURCE_ALREADY_EXISTS` when it is trusted.
#[utoipa::path(tag = "Trusted issuers", operation_id = "trustedIssuerCreate", request_body = TrustedIssuerCreateBody,
    responses((status = 200, description = "Trusted", body = TrustedIssuerObject)))]
#[post("/system/trusted-issuers")]
pub async fn create(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: TrustedIssuerCreateBody = body.parse()?;
    let mut issues = Issues::default();
    let issuer = issues.take("issuerAddress", Address::parse(&parsed.issuer_address));
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let issuer = issuer.ok_or_else(|| Error::internal("an issuer without an issue is there"))?;
    let wanted = parsed.claim_topic_ids;
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let topics = identity::find_topics(tx, "claimTopicIds", &wanted)?;
        let trusted = identity::add_trusted_issuer(tx, ctx, &issuer, &topics)?;
        Answer::ok(&TrustedIssuerObject::new(&trusted))
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "claimTopicIds": ["knowYourCustomer"],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct TrustedIssuerUpdateBody {
    /// Names of topics, or their numbers: exactly these from now on.
    #[validate(length(min = 1, max = "TOPICS_MAX"))]
    #[schema(min_items = 1, max_items = 100)]
    claim_topic_ids: Vec<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Change the topics that an issuer is trusted for.
///
/// Needs `claimPolicyManager`. Claims of a topic that is gone stop counting at once.
#[utoipa::path(tag = "Trusted issuers", operation_id = "trustedIssuerUpdate", request_body = TrustedIssuerUpdateBody,
    params(("issuerAddress" = String, Path, description = "Address of the identity")),
    responses((status = 200, description = "Changed", body = TrustedIssuerObject)))]
#[put("/system/trusted-issuers/{issuerAddress}")]
pub async fn update(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let issuer = address_in_path("issuerAddress", &path)?;
    let parsed: TrustedIssuerUpdateBody = body.parse()?;
    let mut issues = Issues::default();
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let wanted = parsed.claim_topic_ids;
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let topics = identity::find_topics(tx, "claimTopicIds", &wanted)?;
        let trusted = identity::update_trusted_issuer(tx, ctx, &issuer, &topics)?;
        Answer::ok(&TrustedIssuerObject::new(&trusted))
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct TrustedIssuerDeleteBody {
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Trust an issuer no more: all its claims stop counting at once.
///
/// Needs `claimPolicyManager`.
#[utoipa::path(tag = "Trusted issuers", operation_id = "trustedIssuerDelete",
    request_body = TrustedIssuerDeleteBody,
    params(("issuerAddress" = String, Path, description = "Address of the identity")),
    responses((status = 200, description = "Not trusted any more: as it was", body = TrustedIssuerObject)))]
#[delete("/system/trusted-issuers/{issuerAddress}")]
pub async fn delete(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let issuer = address_in_path("issuerAddress", &path)?;
    let parsed: TrustedIssuerDeleteBody = body.parse()?;
    let mut issues = Issues::default();
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let removed = identity::remove_trusted_issuer(tx, ctx, &issuer)?;
        Answer::ok(&TrustedIssuerObject::new(&removed))
    })
    .await
}
