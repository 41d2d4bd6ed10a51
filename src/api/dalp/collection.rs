//! `/api/collections`: NFT collections, deployed by us or adopted, and which environment's keys mint into them.

use std::sync::Arc;

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::body::Issues;
use super::collection_read::CollectionObject;
use super::fields::{given, number, optional, required};
use super::mutate::{Answer, Steps, Terms, no_locks};
use super::{Body, Call, DalpError, WalletVerification, address_in_path};
use crate::access::{self, Permission, Scope, environment};
use crate::collection::{self, Collection, ContractType, Profile, Right};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::servicing::{self, CollectionTerms};
use crate::settlement::{self, FoundCollection};
use crate::types::{Address, EnvironmentId};

// --- new ones -------------------------------------------------------------------------------------------------------

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "name": "Swords", "symbol": "SWD", "contractType": "ERC721",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct DeployCollectionBody {
    /// 1 to 200 characters.
    name: Option<String>,
    /// At most 64 characters.
    symbol: Option<String>,
    /// `ERC721`, which mints with ids and by quantity, or `ERC1155`. ERC721 when left out.
    contract_type: Option<String>,
    description: Option<String>,
    image: Option<String>,
    external_link: Option<String>,
    contract_uri: Option<String>,
    /// In the contract: `{baseUri}/{tokenId}` shows a token.
    base_uri: Option<String>,
    metadata_api_url: Option<String>,
    /// The administrator of the contract; the caller's wallet when left out.
    owner: Option<String>,
    /// Whose secret key may mint into it.
    environment_id: Option<String>,
    /// Judges recipients; without one only sanctions lists do.
    policy: Option<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Deploy a collection.
///
/// Its address is fixed at once; its contract stands when the operation is final. It can be minted into meanwhile. Its
/// creator holds `admin` and `governance` on it.
#[utoipa::path(tag = "Collections", operation_id = "collectionDeploy", request_body = DeployCollectionBody,
    responses((status = 202, description = "The collection, whose contract is on its way to the chain", body = CollectionObject,
        headers(("X-Operation-Id" = String, description = "The operation that creates it"),
            ("Location" = String, description = "The operation")))))]
#[post("/collections")]
pub async fn deploy(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: DeployCollectionBody = body.parse_strict()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    let standard = match parsed.contract_type.as_deref() {
        None => Some(ContractType::Erc721),
        Some(text) => issues.take("contractType", standard(text)),
    };
    let owner = optional("owner", parsed.owner.as_deref(), &mut issues, Address::parse);
    let owner = owner.unwrap_or(call.ctx.actor.wallet);
    let environment = environment_of(parsed.environment_id.as_deref(), &mut issues);
    issues.finish()?;
    let standard = standard.ok_or_else(|| Error::internal("a standard without an issue is there"))?;
    let terms = CollectionTerms {
        environment,
        profile: Profile {
            name: parsed.name,
            symbol: parsed.symbol,
            description: parsed.description,
            image: parsed.image,
            external_link: parsed.external_link,
            contract_uri: parsed.contract_uri,
            base_uri: parsed.base_uri,
        },
        metadata_api_url: parsed.metadata_api_url,
        hosting: None,
        policy: parsed.policy,
    };
    let policies = Arc::clone(call.app.policy());
    call.mutate(&body, Terms { code, asset: None }, may_create, move |tx, ctx| {
        check_environment(tx, environment)?;
        let deployed = servicing::deploy_collection(tx, &by_role(ctx), &policies, (standard, owner), terms.clone());
        let (created, operation) = deployed.map_err(in_camel_case)?;
        let answer = Answer::ok(&CollectionObject::of(tx, created)?)?;
        Ok(Answer {
            status: actix_web::http::StatusCode::ACCEPTED,
            ..answer
                .header("X-Operation-Id", operation)
                .header("Location", format!("/api/operations/{operation}"))
        })
    })
    .await
}

fn standard(text: &str) -> Result<ContractType, &'static str> {
    ContractType::parse(text).ok_or("must be ERC721 or ERC1155")
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "address": "0x9459D52E60edBD3178f00F9055f6C117a21b4220", "firstBlock": "0",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct AdoptCollectionBody {
    /// The contract, of which the server's signer is a minter.
    #[schema(required = true)]
    address: Option<String>,
    /// A block no later than the one in which the contract was created: its history is read from there. 0 when left out.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    first_block: Value,
    description: Option<String>,
    image: Option<String>,
    external_link: Option<String>,
    metadata_api_url: Option<String>,
    /// Whose secret key may mint into it.
    environment_id: Option<String>,
    /// Judges recipients; without one only sanctions lists do.
    policy: Option<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Adopt a collection that is on the chain already.
///
/// An ERC-721 or ERC-1155 with Immutable's mint functions, of which the server's signer is a minter; without that the
/// answer says which transaction makes it one. Name, symbol and addresses of metadata are read from the contract, and who
/// holds what from its logs.
#[utoipa::path(tag = "Collections", operation_id = "collectionAdopt", request_body = AdoptCollectionBody,
    responses((status = 200, description = "The adopted collection", body = CollectionObject)))]
#[post("/collections/adopt")]
pub async fn adopt(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: AdoptCollectionBody = body.parse_strict()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    let address = required("address", parsed.address.as_deref(), &mut issues, Address::parse);
    let first_block = given("firstBlock", &parsed.first_block, &mut issues, |path, value, issues| {
        number(path, value, u64::MAX, issues)
    });
    let environment = environment_of(parsed.environment_id.as_deref(), &mut issues);
    issues.finish()?;
    let address = address.ok_or_else(|| Error::internal("an address without an issue is there"))?;
    let terms = CollectionTerms {
        environment,
        profile: Profile {
            description: parsed.description,
            image: parsed.image,
            external_link: parsed.external_link,
            ..Profile::default()
        },
        metadata_api_url: parsed.metadata_api_url,
        hosting: None,
        policy: parsed.policy,
    };
    let policies = Arc::clone(call.app.policy());
    let steps = Steps {
        allowed: may_create,
        locks: no_locks,
        prepare: async || look(&call, address, first_block.unwrap_or(0)).await,
        change: move |tx: &mut Tx<'_>, ctx: &Ctx, found: Arc<FoundCollection>| {
            check_environment(tx, environment)?;
            let adopted = servicing::adopt_collection(tx, &by_role(ctx), &policies, &found, terms.clone());
            Answer::ok(&CollectionObject::of(tx, adopted.map_err(in_camel_case)?)?)
        },
    };
    call.mutate_in_steps(&body, Terms { code, asset: None }, steps).await
}

async fn look(call: &Call, address: Address, first_block: u64) -> Result<Arc<FoundCollection>, DalpError> {
    let Some(rpc) = call.app.rpc() else {
        return Err(Error::invalid("address", "this server settles on no chain").into());
    };
    let found = settlement::look_at_collection(call.app.db(), rpc, address, first_block, None).await;
    found.map(Arc::new).map_err(|error| in_camel_case(error).into())
}

// --- links ----------------------------------------------------------------------------------------------------------

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "environmentId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b59",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct LinkCollectionBody {
    /// Null takes the link away: then no key mints into it.
    environment_id: Option<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Link a collection to an environment: from then on the secret keys of its project, and of no other, mint into it.
#[utoipa::path(tag = "Collections", operation_id = "collectionLink", request_body = LinkCollectionBody,
    params(("collection" = String, Path, description = "Address of the collection")),
    responses((status = 200, description = "The collection", body = CollectionObject)))]
#[post("/collections/{collection}/link")]
pub async fn link(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let found = in_path(&call, &path).await?;
    let parsed: LinkCollectionBody = body.parse()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    let environment = environment_of(parsed.environment_id.as_deref(), &mut issues);
    issues.finish()?;
    let id = found.id;
    let terms = Terms { code, asset: Some(id) };
    let allowed =
        move |tx: &mut Tx<'_>, ctx: &Ctx| access::require(tx, ctx, Permission::GrantAssetRole, Scope::Asset(id));
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        check_environment(tx, environment)?;
        let linked = collection::link(tx, &by_role(ctx), id, environment)?;
        Answer::ok(&CollectionObject::of(tx, linked)?)
    })
    .await
}

// --- in common ------------------------------------------------------------------------------------------------------

pub(super) fn by_role(ctx: &Ctx) -> collection::Caller<'_> {
    collection::Caller {
        ctx,
        right: Right::Role,
    }
}

/// The collection that the path names: 400 for what is no address, 404 for what is no collection.
pub(super) async fn in_path(call: &Call, text: &str) -> Result<Collection, DalpError> {
    let address = address_in_path("collection", text)?;
    call.read(move |tx, _| collection::find_by_address(tx, &address)).await
}

fn may_create(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
    access::require(tx, ctx, Permission::CreateAsset, Scope::System)
}

fn environment_of(text: Option<&str>, issues: &mut Issues) -> Option<EnvironmentId> {
    optional("environmentId", text, issues, EnvironmentId::parse)
}

fn check_environment(tx: &mut Tx<'_>, environment: Option<EnvironmentId>) -> Result<(), Error> {
    let Some(id) = environment else { return Ok(()) };
    match environment::find(tx, id) {
        Err(Error::NotFound(_)) => Err(Error::invalid("environmentId", "there is no such environment")),
        found => found.map(|_| ()),
    }
}

/// The domain names fields as Immutable's API does; here they are in this dialect's spelling.
pub(super) fn in_camel_case(error: Error) -> Error {
    let Error::Invalid(issues) = error else { return error };
    let renamed = issues.into_iter().map(|issue| Issue {
        path: issue.path.iter().map(|part| camel(part)).collect(),
        ..issue
    });
    Error::Invalid(renamed.collect())
}

fn camel(part: &str) -> String {
    match part {
        "contract_address" => "address".to_owned(),
        "page_cursor" => "cursor".to_owned(),
        _ => {
            let mut words = part.split('_');
            let first = words.next().unwrap_or_default().to_owned();
            words.fold(first, |mut name, word| {
                let mut letters = word.chars();
                name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
                name.push_str(letters.as_str());
                name
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_domain_found_is_told_in_this_dialects_names() {
        let found = Error::Invalid(vec![
            Issue::new("assets.0.owner_address", "range", "must not be the zero address"),
            Issue::new("contract_address", "unsupported", "there is no contract"),
        ]);

        let Error::Invalid(told) = in_camel_case(found) else {
            panic!("another error");
        };

        let paths: Vec<String> = told.iter().map(|issue| issue.path.join(".")).collect();
        assert_eq!(paths, ["assets.0.ownerAddress", "address"]);
    }
}
