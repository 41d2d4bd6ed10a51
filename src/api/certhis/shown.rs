//! Tasks and tokens as this dialect shows them (seed 004). What is shown of notions that we do not have is what stands for
//! nothing in the published sample: null, 0, `"0"`, an empty list in a text, the zero address, the largest number.

use serde_json::{Value, json};

use crate::app::App;
use crate::certhis::{Minted, Task, TaskStatus};
use crate::collection::{Collection, Metadata};
use crate::types::{Address, TokenId};

/// The largest whole number that every reader of JSON has exactly (RFC 8259 section 6).
const INTEGER_MAX: u64 = (1 << 53) - 1;
const NO_LIMIT: &str = "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

/// What is the same in every object.
pub(super) struct Shown {
    /// 0 where everything settles in the book.
    chain_id: u64,
    chain_name: String,
}

impl Shown {
    pub fn on(chain_id: u64, chain_name: &str) -> Self {
        Self {
            chain_id,
            chain_name: chain_name.to_owned(),
        }
    }

    pub fn of(app: &App) -> Self {
        let chain = app.chain();
        Self {
            chain_id: chain.map_or(0, |chain| chain.id),
            chain_name: chain.map_or_else(|| app.gate().settings.chain_name.clone(), |chain| chain.name.clone()),
        }
    }

    pub fn status(status: TaskStatus) -> u8 {
        match status {
            TaskStatus::Queued => 0,
            TaskStatus::Sent => 1,
            TaskStatus::Succeeded => 2,
            TaskStatus::Failed => 3,
        }
    }

    pub fn message(task: &Task) -> &str {
        match task.status {
            TaskStatus::Queued => "queued",
            TaskStatus::Sent => "processing",
            TaskStatus::Succeeded => "success",
            TaskStatus::Failed => task.error.as_deref().unwrap_or("failed"),
        }
    }

    /// A line of the list.
    pub fn task(task: &Task) -> Value {
        let has_token = task.status == TaskStatus::Succeeded;
        json!({
            "id": task.number,
            "api_id": task.key,
            "user_id": task.account,
            "status": Self::status(task.status),
            "nft_id": task.token_id_given.map(token_number),
            "created": task.request.created_at,
            "updated": task.request.updated_at,
            "token_uri": task.token_uri,
            "message": Self::message(task),
            "nft_index": has_token.then_some(task.nft_number),
            "address": task.request.owner,
        })
    }

    pub fn nft(&self, collection: &Collection, task: &Task, minted: &Minted) -> Value {
        let nft = &minted.nft;
        let token_uri = task.token_uri.clone().or_else(|| {
            let base = collection.profile.base_uri.as_deref()?;
            Some(format!("{base}{}", nft.token_id))
        });
        let (name, symbol) = currency(self.chain_id);
        json!({
            "id": task.nft_number,
            "nft_id": token_number(nft.token_id),
            "collection_id": collection.number,
            "owner_address": minted.owner,
            "creator_address": collection.owner,
            "ipfs_object": ipfs(&nft.metadata),
            "collection_object": of_collection(collection),
            "label_object": { "label_name": null, "label_logo": null, "label_tax": 0, "contract_id": 0 },
            "owner_object": { "id": minted.account, "pseudo": null, "profile_pic": null, "header_pic": null },
            "creator_object": { "pseudo": null, "profile_pic": null, "header_pic": null },
            "currency_object": { "name": name, "decimals": 18, "symbol": symbol, "logoURI": "" },
            "collection_currency_object": { "name": name, "decimals": 18, "symbol": symbol },
            "chain_id": self.chain_id,
            "extra_price_collection": null,
            "extra_currency_collection": Address::ZERO,
            "token_uri": token_uri.unwrap_or_default(),
            "sellable_type": 0,
            "sellable_currency": Address::ZERO,
            "sellable_amount": "0",
            "royalties": 0,
            "created": nft.indexed_at,
            "updated": nft.updated_at,
            "minted": 1,
            "chain_name": self.chain_name,
            "is_sbt": false,
        })
    }
}

fn ipfs(metadata: &Metadata) -> Value {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    json!({
        "name": text(&metadata.name),
        "description": text(&metadata.description),
        "image": text(&metadata.image),
        "attributes": metadata.attributes,
    })
}

fn of_collection(collection: &Collection) -> Value {
    let profile = &collection.profile;
    json!({
        "id": collection.number,
        "collection_id": collection.number,
        "collection_name": profile.name.as_deref().unwrap_or_default(),
        "collection_logo": profile.image,
        "collection_header": null,
        "collection_symbole": profile.symbol.as_deref().unwrap_or_default(),
        "collection_tax": 0,
        "collection_address": collection.address,
        "root_price": NO_LIMIT,
        "certhis_tax": null,
        "price_for_mint": 0,
        "whitelist": "[]",
        "collection_full": 0,
        "root": NO_LIMIT,
        "mintable_activate": 0,
        "collection_type": 0,
        "currency_for_mint": Address::ZERO,
        "collection_price": null,
    })
}

/// A number, as published; as text where readers of JSON would round it.
fn token_number(token_id: TokenId) -> Value {
    let text = token_id.to_string();
    match text.parse::<u64>() {
        Ok(number) if number <= INTEGER_MAX => json!(number),
        Ok(_) | Err(_) => json!(text),
    }
}

/// What fees are paid in: name and symbol, which are the same in the sample.
fn currency(chain_id: u64) -> (&'static str, &'static str) {
    match chain_id {
        137 | 80_002 => ("POL", "POL"),
        13_371 | 13_473 => ("IMX", "IMX"),
        56 | 97 => ("BNB", "BNB"),
        43_113 | 43_114 => ("AVAX", "AVAX"),
        _ => ("ETH", "ETH"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_is_a_number_as_far_as_every_reader_has_it_exactly() {
        let shown = |text: &str| token_number(TokenId::parse(text).unwrap());

        assert_eq!(shown("0"), json!(0));
        assert_eq!(shown("9007199254740991"), json!(9_007_199_254_740_991_u64));
        assert_eq!(shown("9007199254740992"), json!("9007199254740992"));
        assert_eq!(
            shown("340282366920938463463374607431768211456"),
            json!("340282366920938463463374607431768211456")
        );
    }
}
