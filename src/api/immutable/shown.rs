//! The objects of this dialect, as its readers get them (immutable.md 3.4 and section 6): every required field is there,
//! also when it is null, addresses in lower case, numbers of the chain as text.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::access::Gate;
use crate::collection::{
    self, Activity, ActivityKind, Collection, ContractType, Metadata, MintRequest, Nft, Ownership, Slice, Stack,
};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, AssetId, Timestamp};

/// What is the same in every object: the chain, as CAIP-2 and as it is called in the paths.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    chain: Value,
}

/// How deep in the chain something is; nothing where it is not mined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Depth {
    block: Option<u64>,
    /// Blocks on top of that one.
    confirmations: Option<u64>,
}

impl Depth {
    pub fn of(block: Option<u64>, head: Option<u64>) -> Self {
        Self {
            block,
            confirmations: block.zip(head).map(|(block, head)| head.saturating_sub(block)),
        }
    }
}

/// Addresses leave this dialect in lower case.
pub(super) fn lower_case(address: &Address) -> String {
    address.to_string().to_lowercase()
}

fn time(at: Timestamp) -> String {
    at.to_micros_text()
}

/// A single object.
pub(super) fn result(object: Value) -> Value {
    json!({ "result": object })
}

/// A page of a list, with the cursors of those before and after it.
pub(super) fn page(slice: Slice<Value>) -> Value {
    let page = json!({ "previous_cursor": slice.previous, "next_cursor": slice.next });
    json!({ "result": slice.items, "page": page })
}

/// The collections of a page's rows.
pub(super) type Collections = HashMap<AssetId, Collection>;

pub(super) fn collections_of(tx: &mut Tx<'_>, ids: impl Iterator<Item = AssetId>) -> Result<Collections, Error> {
    let mut ids: Vec<AssetId> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    collection::find_many(tx, &ids)
}

impl Shown {
    pub fn of(gate: &Gate) -> Self {
        // A book that is no chain has a name of its own.
        let id = match gate.chain_id {
            Some(id) => format!("eip155:{id}"),
            None => "moneyer:book".to_owned(),
        };
        Self::on(&id, &gate.settings.chain_name)
    }

    /// On a chain of this id and name.
    pub fn on(id: &str, name: &str) -> Self {
        Self {
            chain: json!({ "id": id, "name": name }),
        }
    }

    pub fn chain(&self) -> &Value {
        &self.chain
    }

    /// With what somebody needs who lets this server mint. Nobody's node is given away.
    pub fn chain_with_details(&self, minter: Option<&Address>) -> Value {
        let mut chain = self.chain.clone();
        let details = json!({
            "rpc_url": null,
            "operator_allowlist_address": null,
            "minter_address": minter.map(lower_case),
        });
        merge(&mut chain, &details);
        chain
    }

    pub fn collection(&self, collection: &Collection) -> Value {
        let profile = &collection.profile;
        json!({
            "chain": self.chain,
            "name": profile.name,
            "symbol": profile.symbol,
            "contract_type": collection.contract_type().text(),
            "contract_address": lower_case(&collection.address),
            "description": profile.description,
            "image": profile.image,
            "external_link": profile.external_link,
            "contract_uri": profile.contract_uri,
            "base_uri": profile.base_uri,
            "verification_status": collection.verification.text(),
            "indexed_at": time(collection.indexed_at),
            "updated_at": time(collection.updated_at),
            "metadata_synced_at": collection.metadata_synced_at.map(time),
        })
    }

    /// What `RefreshCollectionMetadata` answers.
    pub fn refreshed(&self, collection: &Collection) -> Value {
        let profile = &collection.profile;
        json!({
            "chain": self.chain,
            "contract_address": lower_case(&collection.address),
            "collection_metadata": {
                "name": profile.name,
                "symbol": profile.symbol,
                "description": profile.description,
                "image": profile.image,
                "external_link": profile.external_link,
                "contract_uri": profile.contract_uri,
                "base_uri": profile.base_uri,
            },
        })
    }

    pub fn mint_request(&self, collection: &Collection, request: &MintRequest, depth: Depth) -> Value {
        let amount = match collection.contract_type() {
            ContractType::Erc721 => Value::Null,
            ContractType::Erc1155 => json!(request.amount),
        };
        json!({
            "chain": self.chain,
            "collection_address": lower_case(&collection.address),
            "reference_id": request.reference,
            "owner_address": lower_case(&request.owner),
            "status": request.status.text(),
            "token_id": request.token_id,
            "amount": amount,
            "transaction_hash": request.transaction,
            "activity_id": request.activity,
            "error": request.error.as_ref().map(|message| json!({ "message": message })),
            "gas_used": request.gas.map(|gas| gas.to_string()),
            "block_number": depth.block.map(|block| block.to_string()),
            "confirmations": depth.confirmations.map(|blocks| blocks.to_string()),
            "created_at": time(request.created_at),
            "updated_at": time(request.updated_at),
        })
    }

    pub fn nft(&self, collection: &Collection, nft: &Nft) -> Value {
        let mut object = self.token(collection, nft);
        merge(&mut object, &content(&nft.metadata));
        let more = json!({ "external_link": nft.metadata.external_url, "total_supply": nft.total_supply });
        merge(&mut object, &more);
        object
    }

    /// As [`Self::nft`], for the list of an account: with how much of it the account has.
    pub fn nft_with_balance(&self, collection: &Collection, nft: &Nft, held: &Ownership) -> Value {
        let mut object = self.nft(collection, nft);
        if let Value::Object(fields) = &mut object {
            fields.remove("external_url");
            fields.remove("total_supply");
            fields.insert("balance".to_owned(), json!(held.balance));
        }
        object
    }

    fn token(&self, collection: &Collection, nft: &Nft) -> Value {
        json!({
            "chain": self.chain,
            "token_id": nft.token_id,
            "contract_address": lower_case(&collection.address),
            "contract_type": collection.contract_type().text(),
            "indexed_at": time(nft.indexed_at),
            "updated_at": time(nft.updated_at),
            "metadata_synced_at": nft.metadata_synced_at.map(time),
            "metadata_id": nft.metadata_id,
        })
    }

    pub fn owner(&self, collection: &Collection, held: &Ownership) -> Value {
        json!({
            "chain": self.chain,
            "contract_address": lower_case(&collection.address),
            "token_id": held.token_id,
            "account_address": lower_case(&held.account),
            "balance": held.balance,
            "updated_at": time(held.updated_at),
        })
    }

    pub fn stack(&self, collection: &Collection, stack: &Stack) -> Value {
        let mut object = json!({
            "id": stack.id,
            "chain": self.chain,
            "contract_address": lower_case(&collection.address),
            "created_at": time(stack.created_at),
            "updated_at": time(stack.updated_at),
        });
        merge(&mut object, &content(&stack.metadata));
        object
    }

    pub fn activity(&self, collection: &Collection, activity: &Activity) -> Value {
        let asset = json!({
            "contract_type": collection.contract_type().text(),
            "contract_address": lower_case(&collection.address),
            "token_id": activity.token_id,
            "amount": activity.amount,
        });
        let mut details = json!({ "amount": activity.amount, "asset": asset });
        if let Some(from) = &activity.from {
            merge(&mut details, &json!({ "from": lower_case(from) }));
        }
        if let Some(to) = &activity.to {
            merge(&mut details, &json!({ "to": lower_case(to) }));
        }
        json!({
            "id": activity.id,
            "chain": self.chain,
            "type": match activity.kind {
                ActivityKind::Mint => "mint",
                ActivityKind::Burn => "burn",
                ActivityKind::Transfer => "transfer",
            },
            "details": details,
            "indexed_at": time(activity.indexed_at),
            "updated_at": time(activity.indexed_at),
            "blockchain_metadata": {
                "transaction_hash": activity.place.transaction,
                "block_number": activity.place.block.to_string(),
                "transaction_index": activity.place.transaction_index.to_string(),
                "log_index": activity.place.log_index.to_string(),
            },
        })
    }
}

/// What a token shows; attributes are a list, never null.
fn content(metadata: &Metadata) -> Value {
    json!({
        "name": metadata.name,
        "description": metadata.description,
        "image": metadata.image,
        "external_url": metadata.external_url,
        "animation_url": metadata.animation_url,
        "youtube_url": metadata.youtube_url,
        "attributes": metadata.attributes,
    })
}

fn merge(object: &mut Value, more: &Value) {
    if let (Value::Object(fields), Value::Object(more)) = (object, more) {
        fields.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}
