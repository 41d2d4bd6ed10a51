//! `POST /v1/collections`: a new collection of the environment of the key (seed 003, immutable.md A).

use std::sync::Arc;

use actix_web::{HttpResponse, post};
use serde::Deserialize;

use super::asked::Body;
use super::shown::{Shown, result};
use super::{Caller, ImmutableError};
use crate::collection::{self, ContractType, Profile};
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::servicing::{self, CollectionTerms};

#[derive(Deserialize)]
struct CollectionBody {
    name: String,
    symbol: Option<String>,
    description: Option<String>,
    icon_url: Option<String>,
    collection_image_url: Option<String>,
    /// Where the metadata of its tokens is: `{metadata_api_url}/{token_id}`.
    metadata_api_url: Option<String>,
    /// `ERC721` or `ERC1155`; ERC721 when left out.
    contract_type: Option<String>,
    contract_address: Option<String>,
}

impl CollectionBody {
    fn standard(&self) -> Result<ContractType, Error> {
        let Some(text) = &self.contract_type else {
            return Ok(ContractType::Erc721);
        };
        ContractType::parse(text).ok_or_else(|| Error::invalid("contract_type", "must be ERC721 or ERC1155"))
    }
}

/// Deploys a contract whose administrator is the owner of the environment.
#[post("/v1/collections")]
pub(super) async fn create_collection(caller: Caller, body: Body) -> Result<HttpResponse, ImmutableError> {
    let body: CollectionBody = body.parse()?;
    let standard = body.standard()?;
    if body.contract_address.is_some() {
        let message = "a contract that is there already is not linked here: an operator adopts it";
        return Err(Error::Invalid(vec![Issue::new("contract_address", "unsupported", message)]).into());
    }
    let terms = CollectionTerms {
        environment: Some(caller.known.environment.id),
        profile: Profile {
            name: Some(body.name),
            symbol: body.symbol,
            description: body.description,
            image: body.collection_image_url.or(body.icon_url),
            base_uri: body.metadata_api_url.clone(),
            ..Profile::default()
        },
        metadata_api_url: body.metadata_api_url,
        policy: None,
    };
    let (policies, owner) = (Arc::clone(caller.app.policy()), caller.ctx.actor.wallet);
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
        servicing::deploy_collection(tx, by, &policies, (standard, owner), terms.clone())
    };
    let (created, _) = caller.change(change).await?;
    Ok(HttpResponse::Created().json(result(Shown::of(caller.app.gate()).collection(&created))))
}
