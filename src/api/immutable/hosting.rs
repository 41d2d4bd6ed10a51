//! `{baseURI}/{token_id}`: what a token shows, in the form that marketplaces read (ERC-721 metadata schema), so that nobody
//! has to host it elsewhere. A collection that is deployed here and names no other place has its base URI here, where
//! `minting.public_url` says how this server is reached.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, get};

use super::Reader;
use super::asked::{Asked, token_id};
use super::read::Answer;
use crate::collection;
use crate::error::Error;

/// A refresh is seen everywhere within this time.
const CACHED: &str = "public, max-age=60";

#[get("/v1/metadata/{contract_address}/{token_id}")]
pub(super) async fn hosted_metadata(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let contract = asked.address("contract_address")?;
    let token_id = token_id("token_id", asked.part("token_id"))?;
    let found = reader.app.db().read(move |tx| {
        let collection = collection::find_by_address(tx, &contract)?;
        collection::metadata_of(tx, collection.id, token_id)
    });
    let metadata = found.await?.ok_or(Error::NotFound("metadata"))?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, CACHED));
    Ok(response.json(metadata.to_json()))
}
