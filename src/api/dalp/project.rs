//! `/api/projects…` and `/api/environments/{environmentId}`: what somebody builds, on which chain, and how much it may mint
//! (immutable.md A and section 7).

use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::bare_list::bare_list;
use super::body::Issues;
use super::identity::terms;
use super::page::{page_of, strict_query};
use super::{Answer, Body, Call, DalpError, WalletVerification};
use crate::access::environment::{self, Environment, EnvironmentChange, NewEnvironment, Project, Tier};
use crate::access::{self, Permission, Scope};
use crate::ctx::Ctx;
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::types::{EnvironmentId, ProjectId, Timestamp, UserId};

/// A project: what somebody builds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "id": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57", "name": "Dragon Arena",
    "createdBy": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b58", "createdAt": "2026-11-21T10:30:00.000Z" }))]
pub struct ProjectObject {
    #[schema(value_type = String)]
    id: ProjectId,
    name: String,
    /// None for one that was made at the command line.
    #[schema(value_type = Option<String>)]
    created_by: Option<UserId>,
    #[schema(value_type = String)]
    created_at: Timestamp,
}

impl From<&Project> for ProjectObject {
    fn from(project: &Project) -> Self {
        Self {
            id: project.id,
            name: project.name.clone(),
            created_by: project.created_by,
            created_at: project.created_at,
        }
    }
}

/// A project on one chain, with keys and collections of its own.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "id": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b59",
    "projectId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57", "name": "sandbox", "chain": "sepolia", "test": true,
    "tier": "standard", "mintsPerMinute": 200, "mintsBurst": 2_000,
    "ownerId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b58", "createdAt": "2026-11-21T10:30:00.000Z" }))]
pub struct EnvironmentObject {
    #[schema(value_type = String)]
    id: EnvironmentId,
    #[schema(value_type = String)]
    project_id: ProjectId,
    name: String,
    /// As it is called in the paths of `/v1/chains/…`.
    chain: String,
    /// Nothing on the chain has a value; the keys say so.
    test: bool,
    /// `standard`, `partner` or `enterprise`.
    tier: &'static str,
    /// Distinct token ids.
    mints_per_minute: i64,
    /// So many at once after a rest.
    mints_burst: i64,
    /// Who does what a key of the environment does: whoever created it.
    #[schema(value_type = String)]
    owner_id: UserId,
    #[schema(value_type = String)]
    created_at: Timestamp,
}

impl From<&Environment> for EnvironmentObject {
    fn from(environment: &Environment) -> Self {
        Self {
            id: environment.id,
            project_id: environment.project,
            name: environment.name.clone(),
            chain: environment.chain.clone(),
            test: environment.test,
            tier: environment.tier.as_str(),
            mints_per_minute: environment.tier.per_minute(),
            mints_burst: environment.tier.burst(),
            owner_id: environment.owner,
            created_at: environment.created_at,
        }
    }
}

pub(super) fn may_manage(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
    access::require(tx, ctx, Permission::ManageProjects, Scope::System)
}

pub(super) fn may_read(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
    access::require(tx, ctx, Permission::ReadProjects, Scope::System)
}

pub(super) fn environment_in_path(text: &str) -> Result<EnvironmentId, Error> {
    EnvironmentId::parse(text).map_err(|error| Error::invalid("environmentId", error.to_string()))
}

fn project_in_path(text: &str) -> Result<ProjectId, Error> {
    ProjectId::parse(text).map_err(|error| Error::invalid("projectId", error.to_string()))
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// The page that a list is asked for.
pub(super) fn asked_page(request: &HttpRequest) -> Result<Page, Error> {
    let asked: ListQuery = strict_query(request.query_string())?;
    let mut issues = Issues::default();
    let page = page_of(
        asked.limit.as_deref(),
        asked.offset.as_deref(),
        asked.cursor.as_deref(),
        &mut issues,
    );
    issues.finish()?;
    Ok(page)
}

// --- projects -------------------------------------------------------------------------------------------------------

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "name": "Dragon Arena",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct ProjectCreateBody {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Create a project.
///
/// Needs `systemManager`. 409 `RESOURCE_ALREADY_EXISTS` when the name is taken.
#[utoipa::path(tag = "Projects", operation_id = "projectCreate", request_body = ProjectCreateBody,
    responses((status = 200, description = "Created", body = ProjectObject)))]
#[post("/projects")]
pub async fn create_project(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: ProjectCreateBody = body.parse()?;
    let mut issues = Issues::default();
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let project = environment::create_project(tx, ctx, &parsed.name)?;
        Answer::ok(&ProjectObject::from(&project))
    })
    .await
}

/// List projects, by name.
#[utoipa::path(tag = "Projects", operation_id = "projectList",
    params(("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "From the header `Link`")),
    responses((status = 200, description = "One page; the next one in the header `Link`", body = Vec<ProjectObject>)))]
#[get("/projects")]
pub async fn list_projects(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let page = asked_page(&request)?;
    let projects = call
        .read(|tx, ctx| {
            may_read(tx, ctx)?;
            environment::list_projects(tx)
        })
        .await?;
    let projects: Vec<ProjectObject> = projects.iter().map(ProjectObject::from).collect();
    bare_list(projects, |project| project.name.clone(), &page, &request)
}

// --- environments ---------------------------------------------------------------------------------------------------

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "name": "sandbox", "tier": "enterprise", "mintsPerMinute": 60_000, "mintsBurst": 20_000,
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct EnvironmentCreateBody {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The chain of this server when left out; it has no other.
    chain: Option<String>,
    /// `standard` (200 a minute, 2,000 at once; the default), `partner` (2,000 and 20,000) or `enterprise`.
    tier: Option<String>,
    /// For `enterprise` only.
    #[schema(minimum = 1, maximum = 10_000_000)]
    mints_per_minute: Option<i64>,
    /// For `enterprise` only.
    #[schema(minimum = 100, maximum = 10_000_000)]
    mints_burst: Option<i64>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Create an environment of a project. Whoever creates it is its owner, who does what its keys do.
///
/// Needs `systemManager`. 409 `RESOURCE_ALREADY_EXISTS` when the project has one of this name.
#[utoipa::path(tag = "Projects", operation_id = "environmentCreate", request_body = EnvironmentCreateBody,
    params(("projectId" = String, Path)),
    responses((status = 200, description = "Created", body = EnvironmentObject)))]
#[post("/projects/{projectId}/environments")]
pub async fn create_environment(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let project = project_in_path(&path)?;
    let parsed: EnvironmentCreateBody = body.parse()?;
    let settings = &call.app.gate().settings;
    let mut issues = Issues::default();
    let chain = parsed.chain.unwrap_or_else(|| settings.chain_name.clone());
    if chain != settings.chain_name {
        issues.add("chain", "unknown", format!("must be {}", settings.chain_name));
    }
    let tier = parsed.tier.as_deref().unwrap_or(Tier::Standard.as_str());
    let tier = tier_of(tier, parsed.mints_per_minute, parsed.mints_burst, &mut issues);
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let tier = tier.ok_or_else(|| Error::internal("a tier without an issue is there"))?;
    let new = NewEnvironment {
        project,
        name: parsed.name,
        chain,
        test: settings.is_test,
        tier,
        owner: call.ctx.actor.user,
    };
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let environment = environment::create(tx, ctx, new.clone())?;
        Answer::ok(&EnvironmentObject::from(&environment))
    })
    .await
}

/// List the environments of a project, by name.
#[utoipa::path(tag = "Projects", operation_id = "environmentList",
    params(("projectId" = String, Path), ("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "From the header `Link`")),
    responses((status = 200, description = "One page; the next one in the header `Link`", body = Vec<EnvironmentObject>)))]
#[get("/projects/{projectId}/environments")]
pub async fn list_environments(
    call: Call,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, DalpError> {
    let project = project_in_path(&path)?;
    let page = asked_page(&request)?;
    let environments = call
        .read(move |tx, ctx| {
            may_read(tx, ctx)?;
            environment::list(tx, project)
        })
        .await?;
    let environments: Vec<EnvironmentObject> = environments.iter().map(EnvironmentObject::from).collect();
    bare_list(environments, |environment| environment.name.clone(), &page, &request)
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "tier": "partner",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct EnvironmentUpdateBody {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// `standard`, `partner` or `enterprise`.
    tier: Option<String>,
    /// For `enterprise` only.
    #[schema(minimum = 1, maximum = 10_000_000)]
    mints_per_minute: Option<i64>,
    /// For `enterprise` only.
    #[schema(minimum = 100, maximum = 10_000_000)]
    mints_burst: Option<i64>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Rename an environment, or put it into another tier; what is left out stays.
///
/// Needs `systemManager`. What was used of the quota stays used.
#[utoipa::path(tag = "Projects", operation_id = "environmentUpdate", request_body = EnvironmentUpdateBody,
    params(("environmentId" = String, Path)),
    responses((status = 200, description = "Changed", body = EnvironmentObject)))]
#[put("/environments/{environmentId}")]
pub async fn update_environment(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let id = environment_in_path(&path)?;
    let parsed: EnvironmentUpdateBody = body.parse()?;
    let mut issues = Issues::default();
    let tier = parsed.tier.as_deref();
    if tier.is_none() && (parsed.mints_per_minute.is_some() || parsed.mints_burst.is_some()) {
        issues.add("tier", "required", "is required with a rate or a burst");
    }
    let tier = tier.and_then(|tier| tier_of(tier, parsed.mints_per_minute, parsed.mints_burst, &mut issues));
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let change = EnvironmentChange {
        name: parsed.name,
        tier,
    };
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let environment = environment::update(tx, ctx, id, &change)?;
        Answer::ok(&EnvironmentObject::from(&environment))
    })
    .await
}

fn tier_of(name: &str, per_minute: Option<i64>, burst: Option<i64>, issues: &mut Issues) -> Option<Tier> {
    match Tier::parse(name, per_minute, burst) {
        Ok(tier) => Some(tier),
        Err(Error::Invalid(found)) => {
            issues.extend(found);
            None
        }
        Err(error) => {
            issues.add("tier", "format", error.to_string());
            None
        }
    }
}
