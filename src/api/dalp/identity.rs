//! `/api/system/identity`: identities of wallets, and who is registered (dalp.md 1.7).

use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::Issues;
use super::claim::IdentityClaim;
use super::mutate::Steps;
use super::page::{page_of, query};
use super::{Answer, Body, Call, DalpError, Terms, WalletVerification, address_in_path};
use crate::access::{self, Permission, Scope};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, Identity, IdentityFilter, Kind};
use crate::types::{Address, CountryCode, Timestamp};

/// An identity. `registered` is `false` until an identity manager registers it in a country.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0x42E2a5175414eFF2171e290F71f905C8115e053E",
    "account": { "id": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "contractName": null },
    "isContract": false,
    "registered": { "isRegistered": true, "country": "BE" },
    "registeredAt": "2026-11-21T10:30:00.000Z",
    "createdAt": "2026-11-21T10:29:00.000Z",
    "claims": [],
}))]
pub struct SystemIdentity {
    /// Its address.
    #[schema(value_type = String)]
    id: Address,
    account: IdentityAccount,
    /// The identity of an asset.
    is_contract: bool,
    registered: Registered,
    #[schema(value_type = Option<String>)]
    registered_at: Option<Timestamp>,
    #[schema(value_type = String)]
    created_at: Timestamp,
    /// Those that were not superseded, newest first. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Vec<IdentityClaim>>,
}

/// The wallet (or asset) that an identity was created for.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityAccount {
    #[schema(value_type = String)]
    pub(super) id: Address,
    pub(super) contract_name: Option<&'static str>,
}

/// `false`, or the country.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum Registered {
    No(bool),
    #[serde(rename_all = "camelCase")]
    In {
        is_registered: bool,
        /// ISO 3166-1, two letters.
        #[schema(value_type = Option<String>, example = "BE")]
        country: Option<CountryCode>,
    },
}

impl SystemIdentity {
    fn new(identity: &Identity, claims: Option<Vec<IdentityClaim>>) -> Self {
        let registered = match identity.registered {
            true => Registered::In {
                is_registered: true,
                country: identity.country,
            },
            false => Registered::No(false),
        };
        Self {
            id: identity.address,
            account: IdentityAccount {
                id: identity.account,
                contract_name: None,
            },
            is_contract: identity.kind == Kind::Asset,
            registered,
            registered_at: identity.registered_at,
            created_at: identity.created_at,
            claims,
        }
    }

    fn with_claims(tx: &mut Tx<'_>, identity: &Identity) -> Result<Self, Error> {
        let claims = identity::standing_claims(tx, identity.id)?;
        Ok(Self::new(
            identity,
            Some(claims.iter().map(IdentityClaim::new).collect()),
        ))
    }
}

/// The terms of a change in the system: it needs a code and is about no asset.
pub(super) fn terms(given: Option<&WalletVerification>, issues: &mut Issues) -> Terms {
    Terms {
        code: WalletVerification::take(given, issues),
        asset: None,
    }
}

fn wallet_or_own(text: Option<&str>, own: Address, issues: &mut Issues) -> Address {
    let given = text.and_then(|text| issues.take("wallet", Address::parse(text)));
    given.unwrap_or(own)
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "wallet": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct IdentityCreateBody {
    /// The caller's own when left out.
    wallet: Option<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Create the identity of a wallet.
///
/// One's own needs no role, another wallet's needs `identityManager`. The wallet becomes its management key and claim
/// signer. 409 when the wallet has one.
#[utoipa::path(tag = "Identity", operation_id = "identityCreate", request_body = IdentityCreateBody,
    responses((status = 200, description = "Created", body = SystemIdentity)))]
#[post("/system/identity")]
pub async fn create(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: IdentityCreateBody = body.parse_strict()?;
    let mut issues = Issues::default();
    let wallet = wallet_or_own(parsed.wallet.as_deref(), call.ctx.actor.wallet, &mut issues);
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| identity::may_create(tx, ctx, &wallet);
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        let identity = identity::create(tx, ctx, wallet)?;
        Answer::ok(&SystemIdentity::new(&identity, Some(Vec::new())))
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "wallet": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "country": "BE",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct IdentityRegisterBody {
    /// The caller's own when left out.
    wallet: Option<String>,
    /// ISO 3166-1, two capital letters.
    country: String,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Register the identity of a wallet in a country.
///
/// Needs `identityManager`. 404 when the wallet has no identity, 409 when it is registered in this country; another
/// country moves it there.
#[utoipa::path(tag = "Identity", operation_id = "identityRegister", request_body = IdentityRegisterBody,
    responses((status = 200, description = "Registered", body = SystemIdentity)))]
#[put("/system/identity")]
pub async fn register(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: IdentityRegisterBody = body.parse_strict()?;
    let mut issues = Issues::default();
    let wallet = wallet_or_own(parsed.wallet.as_deref(), call.ctx.actor.wallet, &mut issues);
    let country = issues.take("country", CountryCode::parse_alpha2(&parsed.country));
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let country = country.ok_or_else(|| Error::internal("a country without an issue is there"))?;
    let steps = Steps {
        allowed: |tx: &mut Tx<'_>, ctx: &Ctx| access::require(tx, ctx, Permission::RegisterIdentity, Scope::System),
        locks: move |tx: &mut Tx<'_>, _: &Ctx| identity::lock_for_registration(tx, &wallet),
        prepare: async || Ok(()),
        change: move |tx: &mut Tx<'_>, ctx: &Ctx, ()| {
            let identity = identity::register(tx, ctx, wallet, country)?;
            Answer::ok(&SystemIdentity::with_claims(tx, &identity)?)
        },
    };
    call.mutate_in_steps(&body, terms, steps).await
}

/// Read the identity of a wallet, with its claims.
///
/// One's own, or with `identityManager`, `systemManager` or `claimIssuer`.
#[utoipa::path(tag = "Identity", operation_id = "identityReadByWallet",
    params(("wallet" = String, Path, description = "Address of the wallet, or of an asset")),
    responses((status = 200, description = "The identity", body = SystemIdentity)))]
#[get("/system/identity/by-wallet/{wallet}")]
pub async fn by_wallet(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let wallet = address_in_path("wallet", &path)?;
    respond(&call, move |tx, ctx| identity::read_by_wallet(tx, ctx, &wallet)).await
}

/// Read an identity by its address, with its claims.
///
/// One's own, or with `identityManager`, `systemManager` or `claimIssuer`.
#[utoipa::path(tag = "Identity", operation_id = "identityReadById",
    params(("identityId" = String, Path, description = "Address of the identity")),
    responses((status = 200, description = "The identity", body = SystemIdentity)))]
#[get("/system/identity/by-id/{identityId}")]
pub async fn by_id(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let address = address_in_path("identityId", &path)?;
    respond(&call, move |tx, ctx| identity::read_by_address(tx, ctx, &address)).await
}

/// Read the caller's own identity, with its claims.
#[utoipa::path(tag = "Identity", operation_id = "identityMe",
    responses((status = 200, description = "The identity", body = SystemIdentity)))]
#[get("/system/identity/me")]
pub async fn me(call: Call) -> Result<HttpResponse, DalpError> {
    respond(&call, identity::mine).await
}

async fn respond(
    call: &Call,
    find: impl FnOnce(&mut Tx<'_>, &Ctx) -> Result<Identity, Error> + Send + 'static,
) -> Result<HttpResponse, DalpError> {
    let found = call.read(move |tx, ctx| {
        let identity = find(tx, ctx)?;
        SystemIdentity::with_claims(tx, &identity)
    });
    Ok(HttpResponse::Ok().json(found.await?))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityList {
    identities: Vec<SystemIdentity>,
    /// How many match, on all pages.
    #[schema(example = 1)]
    total_count: i64,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    is_contract: Option<String>,
    registered: Option<String>,
    country: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

impl ListQuery {
    fn filter(&self, issues: &mut Issues) -> IdentityFilter {
        let mut flag = |name: &str, text: &Option<String>| {
            let parsed = text
                .as_deref()
                .map(|text| text.parse::<bool>().map_err(|_| "must be true or false"));
            parsed.and_then(|parsed| issues.take(name, parsed))
        };
        let is_contract = flag("isContract", &self.is_contract);
        let registered = flag("registered", &self.registered);
        let country = self.country.as_deref().map(CountryCode::parse_alpha2);
        IdentityFilter {
            kind: is_contract.map(|is_contract| if is_contract { Kind::Asset } else { Kind::Account }),
            registered,
            country: country.and_then(|parsed| issues.take("country", parsed)),
        }
    }
}

/// List identities, oldest first.
///
/// Needs `identityManager`, `systemManager` or `claimIssuer`.
#[utoipa::path(tag = "Identity", operation_id = "identityList",
    params(("isContract" = Option<bool>, Query, description = "Identities of assets, or of wallets"),
        ("registered" = Option<bool>, Query), ("country" = Option<String>, Query, description = "Two letters"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "One page", body = IdentityList)))]
#[get("/system/identity/list")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let wanted: ListQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let filter = wanted.filter(&mut issues);
    let page = page_of(
        wanted.limit.as_deref(),
        wanted.offset.as_deref(),
        wanted.cursor.as_deref(),
        &mut issues,
    );
    issues.finish()?;
    let (identities, total_count, next_cursor) = call
        .read(move |tx, ctx| identity::list(tx, ctx, &filter, &page))
        .await?;
    Ok(HttpResponse::Ok().json(IdentityList {
        identities: identities
            .iter()
            .map(|found| SystemIdentity::new(found, None))
            .collect(),
        total_count,
        next_cursor,
    }))
}
