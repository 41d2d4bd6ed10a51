//! Examples, rendered by the code that answers.

use serde_json::{Value, json};

use crate::access::quota::Standing;
use crate::api::document::sample::{self, CONTRACT, ID, NOW, OWNER, TRANSACTION, token_id};
use crate::api::immutable::error::ImmutableError;
use crate::api::immutable::file;
use crate::api::immutable::quota::{MintQuota, RefreshQuota, Shortage, What};
use crate::api::immutable::shown::{Depth, Shown, page, result};
use crate::api::unserved::Unserved;
use crate::collection::{
    Activity, ActivityKind, Attribute, AttributeValue, Collection, DisplayType, Metadata, MintFile, Nft, Ownership,
    Place, Profile, Slice, Stack,
};
use crate::error::{Error, Issue};
use crate::types::{
    ActivityId, Amount, AssetId, EnvironmentId, MetadataId, MintFileId, ReferenceId, RequestId, UserId,
};

pub(super) const TRACE_ID: &str = "0197a1f05c3e7b449d213f6a1c0e8b57";
/// A value of a part of a path.
pub(super) fn part(name: &str) -> Value {
    match name {
        "chain_name" => json!("local"),
        "contract_address" => json!(CONTRACT.to_lower_hex()),
        "account_address" => json!(OWNER.to_lower_hex()),
        "token_id" => json!("7"),
        "reference_id" => json!("order-1"),
        _ => json!(ID),
    }
}

fn metadata() -> Metadata {
    Metadata {
        name: Some("Sword".to_owned()),
        image: Some("https://example.com/sword.png".to_owned()),
        attributes: vec![Attribute {
            trait_type: "power".to_owned(),
            value: AttributeValue::Number(7.into()),
            display_type: Some(DisplayType::Number),
        }],
        ..Metadata::default()
    }
}

fn collection() -> Collection {
    sample::collection(Profile {
        name: Some("Swords".to_owned()),
        symbol: Some("SWD".to_owned()),
        base_uri: Some("https://example.com/swords/".to_owned()),
        ..Profile::default()
    })
}

fn nft() -> Nft {
    sample::nft(metadata())
}

fn ownership() -> Ownership {
    Ownership {
        collection: AssetId::from_uuid(ID),
        token_id: token_id(),
        account: OWNER,
        balance: Amount::ONE,
        updated_at: NOW,
    }
}

fn stack() -> Stack {
    Stack {
        id: MetadataId::from_uuid(ID),
        collection: AssetId::from_uuid(ID),
        metadata: metadata(),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn activity() -> Activity {
    Activity {
        id: ActivityId::from_uuid(ID),
        collection: AssetId::from_uuid(ID),
        kind: ActivityKind::Mint,
        from: None,
        to: Some(OWNER),
        token_id: token_id(),
        amount: Amount::ONE,
        place: Place {
            transaction: TRANSACTION,
            block: 12,
            block_hash: TRANSACTION,
            transaction_index: 0,
            log_index: 3,
            position: 0,
        },
        indexed_at: NOW,
    }
}

fn standing() -> Standing {
    Standing {
        limit: 2_000,
        remaining: 1_999,
        reset: NOW,
        retry_after_micros: 0,
    }
}

/// A page with one row.
fn list(row: Value) -> Value {
    page(Slice {
        items: vec![row],
        previous: None,
        next: None,
    })
}

/// Of a schema.
pub(super) fn of(schema: &str) -> Value {
    request(schema).unwrap_or_else(|| answer(schema))
}

fn request(schema: &str) -> Option<Value> {
    let content = json!({ "name": "Broken sword", "image": null, "attributes": [] });
    let with = |name: &str, id: Value| {
        let mut content = content.clone();
        if let Value::Object(fields) = &mut content {
            fields.insert(name.to_owned(), id);
        }
        content
    };
    let asset = json!({
        "reference_id": "order-1", "owner_address": OWNER.to_lower_hex(), "token_id": "7", "amount": null,
        "metadata": metadata().to_json(),
    });
    match schema {
        "CreateCollectionRequest" => Some(json!({ "name": "Swords", "symbol": "SWD", "contract_type": "ERC721" })),
        "CreateMintRequestRequest" => Some(json!({ "assets": [asset] })),
        "RefreshNFTMetadataByTokenIDRequest" => Some(json!({ "nft_metadata": [with("token_id", json!("7"))] })),
        "RefreshMetadataByIDRequest" => Some(json!({ "metadata": [with("metadata_id", json!(ID))] })),
        "RefreshCollectionMetadataRequest" => {
            Some(json!({ "collection_metadata": { "name": "Blades", "symbol": "SWD" } }))
        }
        _ => None,
    }
}

fn answer(schema: &str) -> Value {
    let (shown, collection) = (Shown::on("eip155:31337", "local"), collection());
    match schema {
        "CreateMintRequestResult" => json!(MintQuota::from(&standing())),
        "MetadataRefreshRateLimitResult" => json!(RefreshQuota::from(&standing())),
        "RefreshCollectionMetadataResult" => shown.refreshed(&collection),
        "ListMintRequestsResult" => mint_requests(&shown, &collection),
        "MintFileResult" => json!({ "result": mint_file(None) }),
        "MintFileProgress" => json!({
            "result": mint_file(Some(json!([{ "line": 9, "reference_id": "order-8", "reason": "reference_id is used already" }]))),
            "page": { "previous_cursor": null, "next_cursor": null },
        }),
        "ListChainsResult" => list(shown.chain_with_details(Some(&OWNER))),
        "ListCollectionsResult" => list(shown.collection(&collection)),
        "GetCollectionResult" => result(shown.collection(&collection)),
        "ListNFTsResult" => list(shown.nft(&collection, &nft())),
        "GetNFTResult" => result(shown.nft(&collection, &nft())),
        "ListNFTsByOwnerResult" => list(shown.nft_with_balance(&collection, &nft(), &ownership())),
        "ListNFTOwnersResult" => list(shown.owner(&collection, &ownership())),
        "ListMetadataResult" => list(shown.stack(&collection, &stack())),
        "GetMetadataResult" => result(shown.stack(&collection, &stack())),
        "ListActivitiesResult" => list(shown.activity(&collection, &activity())),
        "GetActivityResult" => result(shown.activity(&collection, &activity())),
        "HostedMetadata" => metadata().to_json(),
        _ => json!({}),
    }
}

fn mint_requests(shown: &Shown, collection: &Collection) -> Value {
    let depth = Depth::of(Some(12), Some(15));
    let row = ReferenceId::parse("order-1")
        .map(|name| shown.mint_request(collection, &sample::mint_request(name, OWNER), depth));
    row.map_or(Value::Null, list)
}

fn mint_file(refusals: Option<Value>) -> Value {
    let waiting_for = "the environment's quota of mints is used up for now";
    let mut file = file::shown(&MintFile {
        id: MintFileId::from_uuid(ID),
        collection: AssetId::from_uuid(ID),
        environment: EnvironmentId::from_uuid(ID),
        requested_by: UserId::from_uuid(ID),
        request_id: RequestId::generate(),
        lines: 100_000,
        accepted: 299,
        refused: 1,
        cancelled: 0,
        parts: 1_000,
        part: 3,
        not_before: NOW,
        waiting_for: refusals.is_some().then(|| waiting_for.to_owned()),
        created_at: NOW,
        updated_at: NOW,
    });
    if let (Value::Object(fields), Some(refusals)) = (&mut file, refusals) {
        fields.insert("refusals".to_owned(), refusals);
    }
    file
}

/// Every way to be refused, by a name.
pub(super) fn errors() -> Vec<(&'static str, ImmutableError)> {
    let malformed = Issue::new("assets.0.owner_address", "format", "must be 0x and 40 hex digits");
    let short = Shortage::new(What::Mints, standing(), 300_000);
    vec![
        ("malformed", Error::Invalid(vec![malformed]).into()),
        ("no key", Error::Unauthenticated.into()),
        ("another project", ImmutableError::NotLinked),
        ("rate-limit key", ImmutableError::ReaderUnknown),
        ("no such route", Unserved::RouteUnknown.into()),
        ("not found", Error::NotFound("collection").into()),
        (
            "another method",
            Unserved::MethodUnknown {
                allow: "GET".to_owned(),
            }
            .into(),
        ),
        (
            "used",
            ImmutableError::Used {
                field: "reference_id",
                values: vec!["order-1".to_owned()],
            },
        ),
        (
            "other state",
            Error::Conflict("The mint request was sent already, or has ended".to_owned()).into(),
        ),
        ("too large", Unserved::BodyTooLarge { max: 1_048_576 }.into()),
        ("too slow", Unserved::BodyTooSlow { seconds: 30 }.into()),
        ("exhausted", ImmutableError::Exhausted(short)),
        (
            "files waiting",
            ImmutableError::FilesOpen {
                retry_after_seconds: 60,
            },
        ),
        ("file slow", ImmutableError::FileSlow { mebibyte_seconds: 10 }),
        ("defect", Error::internal("").into()),
        ("away", Error::Unavailable("the database is away").into()),
    ]
}
