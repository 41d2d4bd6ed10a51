//! `/api/user…`: people, and what they are to this server (dalp.md A1, section 1.8).

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::Issues;
use super::page::{page_of, query};
use super::{Answer, Body, Call, DalpError, Terms, WalletVerification, address_in_path};
use crate::access::{self, IssuedKey, NewKey, NewUser, Permission, Role, Scope, User};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, Identity};
use crate::types::{Address, Timestamp, UserId};
use crate::wallet::{self, Method, MethodStatus};

/// A user as others see it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserObject {
    #[schema(value_type = String, example = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")]
    id: UserId,
    #[schema(example = "Ada Investor")]
    name: String,
    #[schema(value_type = String, example = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")]
    wallet: Address,
    /// `admin` for whoever holds the system role of that name, else `user`.
    #[schema(example = "user")]
    role: &'static str,
    /// System roles of the wallet.
    #[schema(value_type = Vec<String>, example = json!(["tokenManager"]))]
    roles: Vec<Role>,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    created_at: Timestamp,
}

impl UserObject {
    fn of(user: User, roles: BTreeSet<Role>) -> Self {
        let role = if roles.contains(&Role::Admin) { "admin" } else { "user" };
        Self {
            id: user.id,
            name: user.name,
            wallet: user.wallet,
            role,
            roles: roles.into_iter().collect(),
            created_at: user.created_at,
        }
    }

    fn list(tx: &mut Tx<'_>, users: Vec<User>) -> Result<Vec<Self>, Error> {
        let wallets: Vec<Address> = users.iter().map(|user| user.wallet).collect();
        let mut roles = access::roles_in(tx, Scope::System, &wallets)?;
        let objects = users.into_iter().map(|user| {
            let roles = roles.remove(&user.wallet).unwrap_or_default();
            Self::of(user, roles)
        });
        Ok(objects.collect())
    }

    fn one(tx: &mut Tx<'_>, user: User) -> Result<Self, Error> {
        let held = access::held(tx, Scope::System, &user.wallet)?;
        Ok(Self::of(user, held.system))
    }
}

// --- create ---------------------------------------------------------------------------------------------------------

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "name": "Ada Investor", "wallet": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct CreateUserBody {
    /// 1 to 100 characters.
    name: String,
    wallet: String,
    /// When the first key ends: RFC 3339, 1 to 365 days from now. Without it the key lives for ever.
    expires_at: Option<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// A new user with a first API key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedUser {
    #[serde(flatten)]
    user: UserObject,
    #[schema(example = "k3Jd82Lm")]
    api_key_id: String,
    /// Shown this once; absent in a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "mny_live_k3Jd82Lm0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0u2vWxYz")]
    api_key: Option<String>,
    /// When the key ends.
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
}

impl CreatedUser {
    fn of(user: User, issued: &IssuedKey) -> Self {
        Self {
            user: UserObject::of(user, BTreeSet::new()),
            api_key_id: issued.stored.id.to_string(),
            api_key: None,
            expires_at: issued.stored.expires_at,
        }
    }

    fn with_key(self, issued: &IssuedKey) -> Self {
        Self {
            api_key: Some(issued.key.reveal().to_owned()),
            ..self
        }
    }
}

/// Create a user with a first API key.
///
/// For the system roles `admin` and `identityManager`; for `admin` alone when the wallet holds roles already. One wallet
/// has one user. The key is handed to its owner, who sets up a verification method with it.
#[utoipa::path(tag = "Users", operation_id = "userCreate", request_body = CreateUserBody,
    responses((status = 200, description = "The user, and its key shown once", body = CreatedUser)))]
#[post("/user")]
pub async fn create(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: CreateUserBody = body.parse()?;
    let mut issues = Issues::default();
    let wallet = issues.take("wallet", Address::parse(&parsed.wallet));
    let expires_at = parsed.expires_at.as_deref().map(Timestamp::parse).transpose();
    let expires_at = issues.take("expiresAt", expires_at).flatten();
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let wallet = wallet.ok_or_else(|| Error::internal("an address without an issue is there"))?;
    let new = NewUser {
        name: parsed.name,
        wallet,
    };
    let (vault, kind) = (std::sync::Arc::clone(call.app.vault()), call.app.key_kind());
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| access::require_user_creation(tx, ctx, &wallet);
    call.mutate(&body, Terms { code, asset: None }, allowed, move |tx, ctx| {
        let user = access::create_user(tx, ctx, new.clone())?;
        let key = NewKey {
            user: user.id,
            name: None,
            kind,
            expires_at,
        };
        let issued = access::create_key(tx, &vault, ctx, key)?;
        let shown = CreatedUser::of(user.clone(), &issued).with_key(&issued);
        Answer::ok(&shown)?.reveals_once(&CreatedUser::of(user, &issued))
    })
    .await
}

// --- read -----------------------------------------------------------------------------------------------------------

/// One verification method of the caller.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationObject {
    /// `PINCODE`, `OTP` or `SECRET_CODES`.
    #[schema(example = "PINCODE")]
    verification_type: &'static str,
    /// Set up; an unconfirmed method is not.
    #[schema(example = true)]
    confirmed: bool,
    /// Only while it is locked.
    #[schema(value_type = Option<String>)]
    locked_until: Option<Timestamp>,
}

/// How far the caller has come, under the reference's names. One deployment is one system, set up when it answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "wallet": true, "walletSecurity": true, "walletRecoveryCodes": true, "system": true, "systemSettings": true,
    "systemAssets": true, "systemAddons": true, "identitySetup": true, "identity": true,
}))]
pub struct OnboardingState {
    wallet: bool,
    /// A PIN or one-time passwords are set up.
    wallet_security: bool,
    wallet_recovery_codes: bool,
    system: bool,
    system_settings: bool,
    system_assets: bool,
    system_addons: bool,
    /// An identity exists.
    identity_setup: bool,
    /// The identity is registered with a country.
    identity: bool,
}

/// The caller's identity.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "id": "0x42E2a5175414eFF2171e290F71f905C8115e053E", "isRegistered": true, "country": "BE" }))]
pub struct IdentityReference {
    #[schema(value_type = String)]
    id: Address,
    is_registered: bool,
    /// ISO 3166-1 alpha-2.
    country: Option<String>,
}

/// The caller.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeObject {
    #[serde(flatten)]
    user: UserObject,
    /// Methods that are set up.
    #[schema(example = json!(["PINCODE", "SECRET_CODES"]))]
    verification_types: Vec<&'static str>,
    /// All methods, also those whose set-up is not finished.
    verifications: Vec<VerificationObject>,
    #[schema(example = 16)]
    secret_codes_left: i64,
    onboarding_state: OnboardingState,
    identity: Option<IdentityReference>,
}

impl MeObject {
    fn read(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<Self, Error> {
        let user = access::find_user(tx, ctx.actor.user)?;
        let methods = wallet::methods_of(tx, user.id)?;
        let secret_codes_left = wallet::secret_codes_left(tx, user.id)?;
        let identity = match identity::mine(tx, ctx) {
            Ok(identity) => Some(identity),
            Err(Error::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            user: UserObject::one(tx, user)?,
            verification_types: confirmed(&methods).map(Method::as_str).collect(),
            onboarding_state: onboarding(&methods, identity.as_ref()),
            verifications: methods.iter().map(|status| verification(status, ctx.now)).collect(),
            secret_codes_left,
            identity: identity.map(reference),
        })
    }
}

fn confirmed(methods: &[MethodStatus]) -> impl Iterator<Item = Method> {
    methods
        .iter()
        .filter(|status| status.confirmed)
        .map(|status| status.method)
}

fn verification(status: &MethodStatus, now: Timestamp) -> VerificationObject {
    VerificationObject {
        verification_type: status.method.as_str(),
        confirmed: status.confirmed,
        locked_until: status.locked_until.filter(|until| *until > now),
    }
}

fn onboarding(methods: &[MethodStatus], identity: Option<&Identity>) -> OnboardingState {
    let has = |method: Method| confirmed(methods).any(|of| of == method);
    OnboardingState {
        wallet: true,
        wallet_security: has(Method::Pincode) || has(Method::Otp),
        wallet_recovery_codes: has(Method::SecretCodes),
        system: true,
        system_settings: true,
        system_assets: true,
        system_addons: true,
        identity_setup: identity.is_some(),
        identity: identity.is_some_and(|identity| identity.registered),
    }
}

fn reference(identity: Identity) -> IdentityReference {
    IdentityReference {
        id: identity.address,
        is_registered: identity.registered,
        country: identity.country.map(|country| country.alpha2().to_owned()),
    }
}

/// Read oneself: wallet, roles, verification methods, identity.
#[utoipa::path(tag = "Users", operation_id = "userMe",
    responses((status = 200, description = "The caller", body = MeObject)))]
#[get("/user/me")]
pub async fn me(call: Call) -> Result<HttpResponse, DalpError> {
    let me = call.read(MeObject::read).await?;
    Ok(HttpResponse::Ok().json(me))
}

/// Read a user by id: oneself, or with the right to read users.
#[utoipa::path(tag = "Users", operation_id = "userReadById",
    params(("userId" = String, Path, description = "Id of the user")),
    responses((status = 200, description = "The user", body = UserObject)))]
#[get("/user/by-id/{userId}")]
pub async fn by_id(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let id = UserId::parse(&path).map_err(|error| Error::invalid("userId", error.to_string()))?;
    let user = call
        .read(move |tx, ctx| {
            let user = access::read_user(tx, ctx, id)?;
            UserObject::one(tx, user)
        })
        .await?;
    Ok(HttpResponse::Ok().json(user))
}

/// Read the user of a wallet: oneself, or with the right to read users.
#[utoipa::path(tag = "Users", operation_id = "userReadByWallet",
    params(("wallet" = String, Path, description = "Address of the wallet")),
    responses((status = 200, description = "The user", body = UserObject)))]
#[get("/user/by-wallet/{wallet}")]
pub async fn by_wallet(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let wallet = address_in_path("wallet", &path)?;
    let user = call
        .read(move |tx, ctx| {
            let user = access::read_user_by_wallet(tx, ctx, &wallet)?;
            UserObject::one(tx, user)
        })
        .await?;
    Ok(HttpResponse::Ok().json(user))
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserList {
    items: Vec<UserObject>,
    /// Users in all.
    #[schema(example = 1)]
    total: i64,
    #[schema(example = 100)]
    limit: i64,
    #[schema(example = 0)]
    offset: i64,
    next_cursor: Option<String>,
}

/// List the users.
#[utoipa::path(tag = "Users", operation_id = "userList",
    params(("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("offset" = Option<i64>, Query, description = "Rows to skip"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "Users", body = UserList)))]
#[get("/user/list")]
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
    let list = call
        .read(move |tx, ctx| {
            access::require(tx, ctx, Permission::ListUsers, Scope::System)?;
            let (users, next_cursor) = access::list_users(tx, &page)?;
            Ok(UserList {
                items: UserObject::list(tx, users)?,
                total: access::count_users(tx)?,
                limit: page.limit,
                offset: page.offset,
                next_cursor,
            })
        })
        .await?;
    Ok(HttpResponse::Ok().json(list))
}
