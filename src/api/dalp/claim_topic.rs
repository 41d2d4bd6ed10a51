//! `/api/system/claim-topics`: what claims can be about (dalp.md 1.7 and 7).

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::bare_list::bare_list;
use super::body::Issues;
use super::identity::terms;
use super::page::{page_of, query};
use super::{Answer, Body, Call, DalpError, WalletVerification};
use crate::access::{self, Permission, Scope};
use crate::chain::ClaimShape;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, ClaimTopic, NewTopic, TopicChange};
use crate::types::{Amount, Timestamp, TopicName};

/// A claim topic.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "topicId": "56591694316807385155654796962642700009023257328234168678289712861780104020528", "name": "collateral",
    "signature": "uint256 amount, uint256 expiryTimestamp", "validitySecondsMax": 31_536_000,
    "createdAt": "2026-11-21T10:30:00.000Z",
}))]
pub struct ClaimTopicObject {
    /// keccak256 of the name, in digits.
    #[schema(value_type = String)]
    topic_id: Amount,
    name: String,
    /// ABI types of the data, with the names of the fields.
    signature: String,
    /// How long a claim may be valid from its issue on.
    validity_seconds_max: i64,
    #[schema(value_type = String)]
    created_at: Timestamp,
}

impl ClaimTopicObject {
    fn new(topic: &ClaimTopic) -> Self {
        Self {
            topic_id: topic.name.number(),
            name: topic.name.to_string(),
            signature: topic.shape.as_str().to_owned(),
            validity_seconds_max: topic.validity_seconds_max,
            created_at: topic.created_at,
        }
    }
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// List claim topics, by name.
#[utoipa::path(tag = "Claim topics", operation_id = "claimTopicList",
    params(("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "From the header `Link`")),
    responses((status = 200, description = "One page; the next one in the header `Link`", body = Vec<ClaimTopicObject>)))]
#[get("/system/claim-topics")]
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
    let topics = call.read(|tx, _| identity::list_topics(tx)).await?;
    let topics: Vec<_> = topics.iter().map(ClaimTopicObject::new).collect();
    bare_list(topics, |topic| topic.name.clone(), &page, &request)
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "name": "suitability", "signature": "uint8 level, string note",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct ClaimTopicCreateBody {
    /// 1 to 100 of `A-Z a-z 0-9 _ - .`
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// 1 to 16 elementary ABI types with commas between, each with a name or without.
    signature: String,
    /// One year when left out.
    #[schema(minimum = 1, maximum = 315_360_000)]
    validity_seconds_max: Option<i64>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

fn may_manage(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
    access::require(tx, ctx, Permission::ManageClaimTopics, Scope::System)
}

/// Create a claim topic.
///
/// Needs `claimPolicyManager`. 409 `RESOURCE_ALREADY_EXISTS` when the name is taken.
#[utoipa::path(tag = "Claim topics", operation_id = "claimTopicCreate", request_body = ClaimTopicCreateBody,
    responses((status = 200, description = "Created", body = ClaimTopicObject)))]
#[post("/system/claim-topics")]
pub async fn create(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: ClaimTopicCreateBody = body.parse()?;
    let mut issues = Issues::default();
    let name = issues.take("name", TopicName::parse(&parsed.name));
    let shape = issues.take("signature", ClaimShape::parse(&parsed.signature));
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let (Some(name), Some(shape)) = (name, shape) else {
        return Err(Error::internal("a topic without an issue is there").into());
    };
    let validity = parsed.validity_seconds_max;
    let topic = NewTopic {
        name,
        shape,
        validity_seconds_max: validity.unwrap_or(ClaimTopic::VALIDITY_SECONDS_DEFAULT),
    };
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        Answer::ok(&ClaimTopicObject::new(&identity::create_topic(tx, ctx, topic.clone())?))
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "validitySecondsMax": 15_552_000,
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct ClaimTopicUpdateBody {
    /// Refused once there are claims of the topic.
    signature: Option<String>,
    /// For claims to come.
    #[schema(minimum = 1, maximum = 315_360_000)]
    validity_seconds_max: Option<i64>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Change a claim topic; what is left out stays.
///
/// Needs `claimPolicyManager`. 409 for another signature when there are claims of the topic or it is built in.
#[utoipa::path(tag = "Claim topics", operation_id = "claimTopicUpdate", request_body = ClaimTopicUpdateBody,
    params(("name" = String, Path)),
    responses((status = 200, description = "Changed", body = ClaimTopicObject)))]
#[put("/system/claim-topics/{name}")]
pub async fn update(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: ClaimTopicUpdateBody = body.parse()?;
    let mut issues = Issues::default();
    let name = issues.take("name", TopicName::parse(&path));
    let shape = parsed.signature.as_deref().map(ClaimShape::parse);
    let shape = shape.and_then(|shape| issues.take("signature", shape));
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let name = name.ok_or_else(|| Error::internal("a name without an issue is there"))?;
    let change = TopicChange {
        shape,
        validity_seconds_max: parsed.validity_seconds_max,
    };
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        Answer::ok(&ClaimTopicObject::new(&identity::update_topic(
            tx, ctx, &name, &change,
        )?))
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct ClaimTopicDeleteBody {
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Delete a claim topic.
///
/// Needs `claimPolicyManager`. 409 while claims or trusted issuers use it, and for one that is built in.
#[utoipa::path(tag = "Claim topics", operation_id = "claimTopicDelete",
    request_body = ClaimTopicDeleteBody,
    params(("name" = String, Path)),
    responses((status = 200, description = "Deleted", body = ClaimTopicObject)))]
#[delete("/system/claim-topics/{name}")]
pub async fn delete(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: ClaimTopicDeleteBody = body.parse()?;
    let mut issues = Issues::default();
    let name = issues.take("name", TopicName::parse(&path));
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let name = name.ok_or_else(|| Error::internal("a name without an issue is there"))?;
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        Answer::ok(&ClaimTopicObject::new(&identity::delete_topic(tx, ctx, &name)?))
    })
    .await
}
