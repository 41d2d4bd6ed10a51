//! `POST /api/token/adopt`: a token that was there before us becomes an asset of this server.

use std::sync::Arc;

use actix_web::{HttpResponse, post};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::{ObjectBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};
use validator::Validate;

use super::body::Issues;
use super::fields::{given, number, required};
use super::mutate::{Steps, Terms, no_locks};
use super::token_create::CreateTokenBody;
use super::token_object::{TokenObject, token_answer};
use super::{Body, Call, DalpError, WalletVerification};
use crate::asset::Decimals;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Issue, Refusal};
use crate::servicing;
use crate::settlement::{self, Candidate, Found};
use crate::types::{Address, Currency};

/// What the contract says by itself; a body that names it is as good as one that does not.
const OF_THE_CONTRACT: [&str; 5] = ["name", "symbol", "decimals", "settlement", "holderTransfers"];

/// Which contract; the rest of the body is that of a creation, and read as one.
#[derive(Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
pub struct AdoptTokenBody {
    address: Option<String>,
    #[serde(default)]
    chain: Value,
    #[serde(default)]
    first_block: Value,
    wallet_verification: Option<WalletVerification>,
}

impl PartialSchema for AdoptTokenBody {
    /// A creation without what the contract says, and with the contract.
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut body)) = CreateTokenBody::schema() else {
            return CreateTokenBody::schema();
        };
        let text = |what: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(what));
        let address = text("The contract, an ERC-3643 token of which the server's signer is an agent");
        let chain = text("EIP-155 number of the chain, as digits, a number, or CAIP-2 (`eip155:1`): the server's own");
        let first_block = text(
            "The block in which the contract was created. Needed only when the node does not keep old states and cannot \
             be asked",
        );
        for name in OF_THE_CONTRACT {
            body.properties.remove(name);
            body.required.retain(|required| required != name);
        }
        for (name, schema) in [("address", address), ("chain", chain), ("firstBlock", first_block)] {
            body.properties.insert(name.to_owned(), schema.into());
        }
        body.required.extend(["address".to_owned(), "chain".to_owned()]);
        body.description = Some("The contract, and what an asset needs that its contract does not say.".to_owned());
        body.example = Some(json!({
            "address": "0x9459D52E60edBD3178f00F9055f6C117a21b4220", "chain": "eip155:31337",
            "type": "equity", "countryCode": "056", "basePrice": "100.00", "basePriceCurrencyCode": "USD",
            "class": "COMMON_EQUITY", "category": "VOTING_COMMON_STOCK", "policy": "demo-equity",
            "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
        }));
        RefOr::T(Schema::Object(body))
    }
}

impl ToSchema for AdoptTokenBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        CreateTokenBody::schemas(schemas);
    }
}

impl AdoptTokenBody {
    fn candidate(&self, issues: &mut Issues) -> Option<Candidate> {
        let address = required("address", self.address.as_deref(), issues, Address::parse);
        let chain = match &self.chain {
            Value::String(text) => Value::from(text.strip_prefix("eip155:").unwrap_or(text)),
            other => other.clone(),
        };
        let chain_id = number("chain", &chain, u64::MAX, issues);
        let first_block = given("firstBlock", &self.first_block, issues, |path, value, issues| {
            number(path, value, u64::MAX, issues)
        });
        Some(Candidate {
            chain_id: chain_id?,
            address: address?,
            first_block,
        })
    }
}

/// What an asset needs besides its contract, or everything that is wrong with it.
fn terms_of(
    mut body: CreateTokenBody,
    base_currency: Option<Currency>,
    issues: &mut Issues,
) -> Option<servicing::Terms> {
    let cap_decimals = body.cap_decimals();
    // Its own are read from the chain; these hold the place until then.
    let decimals = cap_decimals.unwrap_or(Decimals::MAX);
    body.stand_in("Adopted", "ADOPTED", decimals);
    let new = body.parse(base_currency, issues)?;
    Some(servicing::Terms { new, cap_decimals })
}

/// Adopt a token that is on the chain already.
///
/// Any ERC-3643 token of which the server's signer is an agent. Its name, symbol, decimals, supply, holders, freezes and
/// pause are read from the chain; whoever holds it holds it here from the first minute. Its identity registry is not
/// ours: to mint, a recipient has to be registered here and verified there. Without the agent role the answer says which
/// transaction grants it.
#[utoipa::path(tag = "Token", operation_id = "tokenAdopt",
    request_body = AdoptTokenBody,
    responses((status = 200, description = "The adopted asset", body = TokenObject,
        headers(("X-Operation-Id" = String, description = "The operation that posted what its holders had")))))]
#[post("/token/adopt")]
pub async fn adopt(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let (parsed, asset): (AdoptTokenBody, CreateTokenBody) = body.parse_both()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    let candidate = parsed.candidate(&mut issues);
    let base_currency = call.app.base_currency();
    let terms = terms_of(asset, base_currency, &mut issues);
    issues.finish()?;
    let (Some(candidate), Some(terms)) = (candidate, terms) else {
        return Err(Error::internal("a field without an issue is there").into());
    };
    let policies = Arc::clone(call.app.policy());
    let steps = Steps {
        allowed: |tx: &mut Tx<'_>, ctx: &Ctx| servicing::may_adopt(tx, ctx),
        locks: no_locks,
        prepare: async || look(&call, candidate).await,
        change: move |tx: &mut Tx<'_>, ctx: &Ctx, seen: Seen| {
            let found = seen
                .as_ref()
                .as_ref()
                .map_err(|refusal| Error::refused(refusal.clone()))?;
            let (adopted, operation) = servicing::adopt(tx, ctx, &policies, terms.clone(), found)?;
            let answer = token_answer(tx, ctx, &adopted, base_currency)?;
            Ok(answer.header("X-Operation-Id", operation))
        },
    };
    call.mutate_in_steps(&body, Terms { code, asset: None }, steps).await
}

/// What was found on the chain: it may be large, and a commit that is repeated takes it again.
type Seen = Arc<Result<Found, Refusal>>;

async fn look(call: &Call, candidate: Candidate) -> Result<Seen, DalpError> {
    let Some(rpc) = call.app.rpc() else {
        let issue = Issue::new("chain", "unsupported", "this server settles on no chain");
        return Err(Error::Invalid(vec![issue]).into());
    };
    Ok(Arc::new(settlement::look(call.app.db(), rpc, candidate).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(chain: Value) -> Result<Candidate, Vec<String>> {
        let body = json!({ "address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "chain": chain });
        let body: AdoptTokenBody = serde_json::from_value(body).unwrap();
        let mut issues = Issues::default();
        let candidate = body.candidate(&mut issues);
        match issues.finish() {
            Ok(()) => Ok(candidate.unwrap()),
            Err(Error::Invalid(found)) => Err(found.iter().map(|issue| issue.path.join(".")).collect()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_chain_is_its_number_in_any_form() {
        for chain in [json!(31_337), json!("31337"), json!("eip155:31337")] {
            assert_eq!(candidate(chain).unwrap().chain_id, 31_337);
        }
        for chain in [
            json!(null),
            json!("eip155:"),
            json!("solana:1"),
            json!(-1),
            json!(1.5),
            json!([1]),
        ] {
            assert_eq!(candidate(chain.clone()).unwrap_err(), ["chain"], "{chain}");
        }
    }

    #[test]
    fn the_document_asks_for_the_contract_and_not_for_what_it_says() {
        let schema = serde_json::to_value(AdoptTokenBody::schema()).unwrap();

        assert!(schema["properties"]["address"].is_object() && schema["properties"]["basePrice"].is_object());
        for name in OF_THE_CONTRACT {
            assert!(schema["properties"][name].is_null(), "{name}");
        }
        assert!(schema["required"].as_array().unwrap().contains(&json!("chain")));
    }
}
