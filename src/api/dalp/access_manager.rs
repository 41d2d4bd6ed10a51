//! `/api/system/access-manager/…`: who holds which role in the system (dalp.md section 1.7).

use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::amount::recipients_of;
use super::body::Issues;
use super::forms;
use super::page::{next_link, page_of, query};
use super::{Answer, Body, Call, DalpError, Terms, WalletVerification};
use crate::access::{self, Grant, Holder, Permission, Role, Scope};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::types::Address;

/// One wallet with one or many roles, or many wallets with one role.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "role": ["tokenManager", "auditor"],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct RolesBody {
    #[schema(required = true, schema_with = forms::addresses)]
    #[serde(default)]
    address: Value,
    /// One role, or a list, in the system: `admin`, `systemManager`, `tokenManager`, `complianceManager`, `addonManager`,
    /// `claimPolicyManager`, `claimIssuer`, `identityManager`, `auditor`.
    #[schema(required = true, schema_with = forms::roles)]
    #[serde(default)]
    role: Value,
    /// Not needed to revoke roles in the system.
    wallet_verification: Option<WalletVerification>,
}

impl RolesBody {
    pub(super) fn verification(&self) -> Option<&WalletVerification> {
        self.wallet_verification.as_ref()
    }

    pub(super) fn grants(&self, issues: &mut Issues) -> (Vec<Address>, Vec<Role>) {
        let wallets = recipients_of("address", &self.address, issues).unwrap_or_default();
        (wallets, roles_of("role", &self.role, issues))
    }
}

/// One role or a list of roles, each by its name.
pub(super) fn roles_of(path: &str, value: &Value, issues: &mut Issues) -> Vec<Role> {
    let mut role = |path: &str, item: &Value| match item {
        Value::String(text) => issues.take(path, Role::parse(text)),
        Value::Null => {
            issues.add(path, "required", "is required");
            None
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            issues.add(path, "type", "must be the name of a role");
            None
        }
    };
    match value {
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered
                .filter_map(|(index, item)| role(&format!("{path}.{index}"), item))
                .collect()
        }
        one @ (Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            role(path, one).into_iter().collect()
        }
    }
}

/// The grants of a request: one wallet with many roles or many wallets with one role. Both many is 422, as in the
/// reference; an empty list is a malformed body.
pub(super) fn pair(scope: Scope, wallets: &[Address], roles: &[Role]) -> Result<Vec<Grant>, DalpError> {
    if wallets.len() > 1 && roles.len() > 1 {
        return Err(DalpError::Combination(
            "Many addresses and many roles cannot be combined: give one address or one role",
        ));
    }
    Ok(access::pair(scope, wallets, roles)?)
}

/// What was granted or revoked.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "addresses": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"], "roles": ["tokenManager"] }))]
pub struct RolesObject {
    #[schema(value_type = Vec<String>)]
    addresses: Vec<Address>,
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
}

impl RolesObject {
    /// Each wallet and each role once, in the order of the request.
    pub(super) fn of(grants: &[Grant]) -> Self {
        let (mut addresses, mut roles) = (Vec::new(), Vec::new());
        for (wallet, role) in grants {
            if !addresses.contains(wallet) {
                addresses.push(*wallet);
            }
            if !roles.contains(role) {
                roles.push(*role);
            }
        }
        Self { addresses, roles }
    }
}

/// Grant system roles.
///
/// For the system role `admin`, with `walletVerification`. What is granted already stays; when everything is, 409.
#[utoipa::path(tag = "Access manager", operation_id = "accessManagerGrantRoles", request_body = RolesBody,
    responses((status = 200, description = "The grants of the request", body = RolesObject)))]
#[post("/system/access-manager/grant-roles")]
pub async fn grant_roles(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: RolesBody = body.parse()?;
    let mut issues = Issues::default();
    let (wallets, roles) = parsed.grants(&mut issues);
    let code = WalletVerification::take(parsed.verification(), &mut issues);
    issues.finish()?;
    let grants = pair(Scope::System, &wallets, &roles)?;
    let allowed = |tx: &mut Tx<'_>, ctx: &Ctx| access::require(tx, ctx, Permission::GrantSystemRole, Scope::System);
    call.mutate(&body, Terms { code, asset: None }, allowed, move |tx, ctx| {
        access::grant(tx, ctx, Scope::System, &grants)?;
        Answer::ok(&RolesObject::of(&grants))
    })
    .await
}

/// Revoke system roles.
///
/// For the system role `admin`; `walletVerification` is checked when it is given, and not needed: taking a right away
/// must not wait. The last `admin` cannot be revoked.
#[utoipa::path(tag = "Access manager", operation_id = "accessManagerRevokeRoles", request_body = RolesBody,
    responses((status = 200, description = "The grants of the request", body = RolesObject)))]
#[delete("/system/access-manager/revoke-roles")]
pub async fn revoke_roles(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: RolesBody = body.parse()?;
    let mut issues = Issues::default();
    let (wallets, roles) = parsed.grants(&mut issues);
    let code = WalletVerification::take_given(parsed.verification(), &mut issues);
    issues.finish()?;
    let grants = pair(Scope::System, &wallets, &roles)?;
    let allowed = |tx: &mut Tx<'_>, ctx: &Ctx| access::require(tx, ctx, Permission::RevokeSystemRole, Scope::System);
    call.mutate(&body, Terms { code, asset: None }, allowed, move |tx, ctx| {
        access::revoke(tx, ctx, Scope::System, &grants)?;
        Answer::ok(&RolesObject::of(&grants))
    })
    .await
}

/// A wallet and the system roles that it holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HolderObject {
    #[schema(value_type = String, example = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")]
    account: Address,
    is_contract: bool,
    #[schema(value_type = Vec<String>, example = json!(["tokenManager", "auditor"]))]
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// List the wallets that hold system roles.
#[utoipa::path(tag = "Access manager", operation_id = "accessManagerRoles",
    params(("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("offset" = Option<i64>, Query, description = "Rows to skip"),
        ("cursor" = Option<String>, Query, description = "From the header Link of the page before"),
        ("excludeContracts" = Option<bool>, Query, description = "Taken and without effect: no contract holds a role here")),
    responses((status = 200, description = "Wallets with their roles", body = Vec<HolderObject>,
        headers(("Link" = String, description = "`rel=\"next\"`: the next page, when there is one")))))]
#[get("/system/access-manager/roles")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: ListQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let page = page_of(
        asked.limit.as_deref(),
        asked.offset.as_deref(),
        asked.cursor.as_deref(),
        &mut issues,
    );
    issues.finish()?;
    let (holders, next) = call
        .read(move |tx, _| access::holders_in(tx, Scope::System, &page))
        .await?;
    let holder = |holder: Holder| HolderObject {
        account: holder.wallet,
        is_contract: false,
        roles: holder.roles.into_iter().collect(),
    };
    let holders: Vec<HolderObject> = holders.into_iter().map(holder).collect();
    let mut response = HttpResponse::Ok();
    if let Some(link) = next_link(&request, next.as_deref()) {
        response.insert_header(link);
    }
    Ok(response.json(holders))
}
