//! `GET /v1/chains`: the one chain of this server.

use actix_web::{HttpResponse, get};
use serde::Serialize;
use serde_json::json;

use super::{ImmutableError, Reader};
use crate::access::Gate;
use crate::settlement;
use crate::types::Address;

/// CAIP-2, and the name in the paths.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub(super) struct ChainObject {
    id: String,
    name: String,
}

impl From<&Gate> for ChainObject {
    /// A book that is no chain has a name of its own.
    fn from(gate: &Gate) -> Self {
        Self {
            id: match gate.chain_id {
                Some(id) => format!("eip155:{id}"),
                None => "moneyer:book".to_owned(),
            },
            name: gate.settings.chain_name.clone(),
        }
    }
}

#[derive(Serialize)]
struct ChainWithDetails {
    #[serde(flatten)]
    chain: ChainObject,
    /// Nobody's node is given away.
    rpc_url: Option<String>,
    operator_allowlist_address: Option<String>,
    /// Whom the owner of a collection grants the minter role.
    minter_address: Option<String>,
}

#[get("/v1/chains")]
pub(super) async fn list(reader: Reader) -> Result<HttpResponse, ImmutableError> {
    let gate = reader.app.gate();
    let minter = match gate.chain_id {
        Some(id) => reader.app.db().read(move |tx| settlement::sender_of(tx, id)).await?,
        None => None,
    };
    let chain = ChainWithDetails {
        chain: gate.into(),
        rpc_url: None,
        operator_allowlist_address: None,
        minter_address: minter.as_ref().map(lower_case),
    };
    let page = json!({ "previous_cursor": null, "next_cursor": null });
    Ok(HttpResponse::Ok().json(json!({ "result": [chain], "page": page })))
}

/// Addresses leave this dialect in lower case (immutable.md section 6).
pub(super) fn lower_case(address: &Address) -> String {
    address.to_string().to_lowercase()
}
