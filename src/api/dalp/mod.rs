//! The asset API (DALP style): `/api/…`, JSON, dnum amounts, wallet verification in the body (dalp.md).
//!
//! A new route is: a handler in the file of its resource (`#[utoipa::path]` above `#[post("/…")]`, [`Call`] as the first
//! argument, `path`, then [`Body`]), a line in [`routes`], a line in `tests/authorization/routes.rs`, and
//! `bin/test openapi` to see the document change. A read goes through [`Call::read`], a change through [`Call::mutate`],
//! which handle 403 events, replay, wallet verification and the commit. Parsing collects what is wrong in
//! [`body::Issues`], so that all of it is reported at once.

mod access_manager;
mod amount;
mod api_key;
mod audit;
mod auth;
mod bare_list;
mod body;
mod call;
mod claim;
mod claim_topic;
mod collection;
mod collection_mint;
mod collection_read;
mod environment_key;
mod error;
mod error_examples;
mod fields;
mod forms;
mod identity;
mod known;
mod mint;
mod mutate;
mod operation;
mod page;
mod prefer;
mod project;
mod rate_plan;
mod settled;
mod time;
mod token_adopt;
mod token_compliance;
mod token_create;
mod token_identity;
mod token_moves;
mod token_object;
mod token_permissions;
mod token_read;
mod token_records;
mod token_roles;
mod token_servicing;
mod trusted_issuer;
mod user;
mod verification;
mod webhook;
mod webhook_create;
mod webhook_delivery;

pub use body::{Body, Issues};
pub use call::Call;
pub use error::{DalpError, render_findings};
pub use error_examples::error_examples;
pub use mutate::{Answer, Terms};
pub use page::{next_link, page_of, query, strict_query};
pub use verification::{Code, WalletVerification};

use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::asset::{self, Asset};
use crate::error::Error;
use crate::types::Address;

/// Every route of this dialect. Fixed paths come before those with a parameter in the same place.
pub fn routes(config: &mut ServiceConfig<'_>) {
    let api = scope::scope("/api")
        // mint
        .service(mint::mint_check)
        .service(mint::mint)
        // operations and evidence
        .service(operation::list)
        .service(operation::read)
        .service(audit::list)
        .service(audit::heads)
        .configure(token_routes)
        .configure(people_routes)
        .configure(identity_routes)
        .configure(collection_routes)
        .configure(project_routes)
        .configure(webhook_routes);
    config.service(api);
}

/// Assets, and what agents do with them.
fn token_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(token_create::create)
        .service(token_adopt::adopt)
        .service(token_read::list)
        .service(token_read::search)
        .service(token_read::read)
        .service(token_records::holders)
        .service(token_records::holder)
        .service(token_records::events)
        .service(token_compliance::compliance)
        .service(token_roles::grant_role)
        .service(token_roles::grant_role_on)
        .service(token_roles::revoke_role)
        .service(token_servicing::pause)
        .service(token_servicing::pause_put)
        .service(token_servicing::unpause)
        .service(token_servicing::unpause_put)
        .service(token_servicing::set_cap)
        .service(token_servicing::update_collateral)
        .service(token_servicing::freeze_address)
        .service(token_moves::burn)
        .service(token_moves::burn_post)
        .service(token_moves::forced_transfer);
}

/// Users, their keys, verification methods and system roles.
fn people_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(user::create)
        .service(user::me)
        .service(user::list)
        .service(user::by_id)
        .service(user::by_wallet)
        .service(auth::pincode_enable)
        .service(auth::pincode_update)
        .service(auth::pincode_disable)
        .service(auth::otp_enable)
        .service(auth::otp_verify)
        .service(auth::otp_disable)
        .service(auth::codes_generate)
        .service(auth::codes_confirm)
        .service(api_key::create)
        .service(api_key::update)
        .service(api_key::delete)
        .service(api_key::read)
        .service(api_key::list)
        .service(access_manager::grant_roles)
        .service(access_manager::revoke_roles)
        .service(access_manager::list);
}

/// Identities, claims, claim topics and trusted issuers.
fn identity_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(identity::create)
        .service(identity::register)
        .service(identity::list)
        .service(identity::me)
        .service(identity::by_wallet)
        .service(identity::by_id)
        .service(claim::list)
        .service(claim::issue)
        .service(claim::revoke)
        .service(claim_topic::list)
        .service(claim_topic::create)
        .service(claim_topic::update)
        .service(claim_topic::delete)
        .service(trusted_issuer::list)
        .service(trusted_issuer::create)
        .service(trusted_issuer::update)
        .service(trusted_issuer::delete);
}

/// NFT collections. Their operations and events are where those of assets are.
fn collection_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(collection_mint::mint)
        .service(collection::adopt)
        .service(collection::deploy)
        .service(collection_read::list)
        .service(collection::link)
        .service(token_roles::collection_grant_role)
        .service(token_roles::collection_revoke_role)
        .service(collection_read::read);
}

/// Projects, environments, and the keys of the minting API.
fn project_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(project::create_project)
        .service(project::list_projects)
        .service(project::create_environment)
        .service(project::list_environments)
        .service(project::update_environment)
        .service(environment_key::create)
        .service(environment_key::list)
        .service(environment_key::rotate)
        .service(environment_key::revoke)
        .service(environment_key::usage)
        .service(rate_plan::list)
        .service(rate_plan::put_plan)
        .service(rate_plan::list_keys)
        .service(rate_plan::create_key)
        .service(rate_plan::revoke_key);
}

/// Who is told what happened to mint requests.
fn webhook_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(webhook_create::create)
        .service(webhook::list)
        .service(webhook::read)
        .service(webhook::update)
        .service(webhook::rotate)
        .service(webhook::delete)
        .service(webhook_delivery::list)
        .service(webhook_delivery::read)
        .service(webhook_delivery::replay);
}

/// The asset that the path names: 400 for what is no address, 404 for what is no asset.
pub(crate) async fn asset_in_path(call: &Call, text: &str) -> Result<Asset, DalpError> {
    let address = address_in_path("contract", text)?;
    call.read(move |tx, _| asset::find_by_address(tx, &address)).await
}

pub(crate) fn address_in_path(name: &str, text: &str) -> Result<Address, Error> {
    Address::parse(text).map_err(|error| Error::invalid(name, error.to_string()))
}
