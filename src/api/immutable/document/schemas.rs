//! The objects of the dialect, as JSON Schema. Names are those of Immutable's description, where it has them.

use serde_json::{Map, Value, json};

use super::lists::lists;
use super::operations::Kind;
use crate::api::document::shapes::{Named, each, known, maybe_text, object, text, time};

fn maybe_time() -> Value {
    json!({ "type": ["string", "null"], "format": "date-time" })
}

pub(super) fn list_of(name: &str) -> Value {
    json!({ "type": "array", "items": known(name) })
}

fn list_within(name: &str, max: usize) -> Value {
    json!({ "type": "array", "items": known(name), "minItems": 1, "maxItems": max })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

pub(super) fn query(kind: Kind) -> Value {
    match kind {
        Kind::Text => text(),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" }, "maxItems": 200 }),
        Kind::Time => time(),
        Kind::PageSize => json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 100 }),
        Kind::Status => one_of(&["pending", "succeeded", "failed"]),
        Kind::Verification => json!({ "type": "array", "items": one_of(&VERIFICATIONS) }),
        Kind::ActivityType => one_of(&["mint", "burn", "transfer", "sale", "deposit", "withdrawal"]),
    }
}

const VERIFICATIONS: [&str; 4] = ["verified", "unverified", "spam", "inactive"];
const CONTRACT_TYPES: [&str; 2] = ["ERC721", "ERC1155"];

pub(super) fn all() -> Value {
    let mut schemas = Map::new();
    let parts = [errors(), requests(), refreshes(), mints(), reads(), tokens(), lists()];
    for (name, schema) in parts.into_iter().flatten() {
        schemas.insert(name.to_owned(), schema);
    }
    Value::Object(schemas)
}

const CODES: &str = "VALIDATION_ERROR UNAUTHORISED_REQUEST AUTHENTICATION_ERROR RESOURCE_NOT_FOUND CONFLICT_ERROR \
    UNPROCESSABLE_ENTITY_ERROR TOO_MANY_REQUESTS_ERROR INTERNAL_SERVER_ERROR SERVICE_UNAVAILABLE";

fn errors() -> Named {
    let code = one_of(&CODES.split(' ').collect::<Vec<_>>());
    let details = json!({ "type": ["object", "null"], "additionalProperties": true });
    let error = object(vec![
        ("code", code),
        ("message", text()),
        ("link", text()),
        ("trace_id", text()),
        ("details", details),
    ]);
    vec![("APIError", error)]
}

/// What a token is to show, in a request.
fn content() -> Named {
    let names = [
        "name?",
        "description?",
        "image?",
        "external_url?",
        "animation_url?",
        "youtube_url?",
    ];
    let mut content = each(&names, &maybe_text());
    let attributes = json!({ "type": ["array", "null"], "items": known("NFTMetadataAttribute") });
    content.push(("attributes?", attributes));
    content
}

fn with(name: &'static str, mut content: Named) -> Value {
    content.insert(0, (name, text()));
    object(content)
}

fn requests() -> Named {
    let display =
        json!({ "type": ["string", "null"], "enum": ["number", "boost_percentage", "boost_number", "date", null] });
    let attribute = object(vec![
        ("trait_type", text()),
        ("value", json!({ "type": ["string", "number", "boolean"] })),
        ("display_type?", display),
    ]);
    let nullable = |name: &str| json!({ "anyOf": [known(name), { "type": "null" }] });
    let asset = object(vec![
        (
            "reference_id",
            json!({ "type": "string", "minLength": 1, "maxLength": 255 }),
        ),
        ("owner_address", text()),
        ("token_id?", maybe_text()),
        ("amount?", maybe_text()),
        ("metadata?", nullable("NFTMetadataRequest")),
    ]);
    let collection = object(vec![
        ("name?", maybe_text()),
        ("contract_address?", maybe_text()),
        ("symbol?", maybe_text()),
        ("description?", maybe_text()),
        ("icon_url?", maybe_text()),
        ("metadata_api_url?", maybe_text()),
        ("collection_image_url?", maybe_text()),
        (
            "contract_type?",
            json!({ "type": ["string", "null"], "enum": ["ERC721", "ERC1155", null] }),
        ),
    ]);
    vec![
        ("NFTMetadataAttribute", attribute),
        ("NFTMetadataRequest", object(content())),
        ("MintAsset", asset),
        (
            "CreateMintRequestRequest",
            object(vec![("assets", list_within("MintAsset", 100))]),
        ),
        ("CreateCollectionRequest", collection),
    ]
}

fn refreshes() -> Named {
    let names = [
        "name?",
        "symbol?",
        "description?",
        "image?",
        "external_link?",
        "contract_uri?",
        "base_uri?",
    ];
    let refreshed = [
        "name",
        "symbol",
        "description",
        "image",
        "external_link",
        "contract_uri",
        "base_uri",
    ];
    let quota = [
        "imx_refreshes_limit",
        "imx_refresh_limit_reset",
        "imx_remaining_refreshes",
        "retry_after",
    ];
    vec![
        ("RefreshMetadataByTokenID", with("token_id", content())),
        ("RefreshMetadataByID", with("metadata_id", content())),
        (
            "RefreshNFTMetadataByTokenIDRequest",
            object(vec![("nft_metadata", list_within("RefreshMetadataByTokenID", 250))]),
        ),
        (
            "RefreshMetadataByIDRequest",
            object(vec![("metadata", list_within("RefreshMetadataByID", 10))]),
        ),
        (
            "RefreshCollectionMetadataRequest",
            object(vec![("collection_metadata", object(each(&names, &maybe_text())))]),
        ),
        (
            "RefreshCollectionMetadataResult",
            object(vec![
                ("chain", known("Chain")),
                ("contract_address", text()),
                ("collection_metadata", object(each(&refreshed, &maybe_text()))),
            ]),
        ),
        ("MetadataRefreshRateLimitResult", object(each(&quota, &text()))),
    ]
}

fn mints() -> Named {
    let quota = [
        "imx_mint_requests_limit",
        "imx_mint_requests_limit_reset",
        "imx_remaining_mint_requests",
        "imx_mint_requests_retry_after",
    ];
    let error = json!({ "type": ["object", "null"], "properties": { "message": text() } });
    let request = object(vec![
        ("chain", known("Chain")),
        ("collection_address", text()),
        ("reference_id", text()),
        ("owner_address", text()),
        ("status", one_of(&["pending", "succeeded", "failed"])),
        ("token_id", maybe_text()),
        ("amount", maybe_text()),
        ("transaction_hash", maybe_text()),
        ("activity_id", maybe_text()),
        ("error", error),
        ("gas_used", maybe_text()),
        ("block_number", maybe_text()),
        ("confirmations", maybe_text()),
        ("created_at", time()),
        ("updated_at", time()),
    ]);
    let file = |more: Named| {
        let mut file = vec![("id", text()), ("status", one_of(&["working", "done", "cancelled"]))];
        file.extend(each(
            &["lines", "accepted", "refused", "cancelled", "waiting"],
            &json!({ "type": "integer" }),
        ));
        file.push(("waiting_for", maybe_text()));
        file.push(("waiting_until", maybe_time()));
        file.extend([("created_at", time()), ("updated_at", time())]);
        file.extend(more);
        object(file)
    };
    let refusal = object(vec![
        ("line", json!({ "type": "integer" })),
        ("reference_id", maybe_text()),
        ("reason", text()),
    ]);
    vec![
        ("CreateMintRequestResult", object(each(&quota, &text()))),
        ("MintRequest", request),
        ("LineRefusal", refusal),
        ("MintFileResult", object(vec![("result", file(Vec::new()))])),
        (
            "MintFileProgress",
            object(vec![
                ("result", file(vec![("refusals", list_of("LineRefusal"))])),
                ("page", known("Page")),
            ]),
        ),
    ]
}

fn reads() -> Named {
    let collection = object(vec![
        ("chain", known("Chain")),
        ("name", maybe_text()),
        ("symbol", maybe_text()),
        ("contract_type", one_of(&CONTRACT_TYPES)),
        ("contract_address", text()),
        ("description", maybe_text()),
        ("image", maybe_text()),
        ("external_link", maybe_text()),
        ("contract_uri", maybe_text()),
        ("base_uri", maybe_text()),
        ("verification_status", one_of(&VERIFICATIONS)),
        ("indexed_at", time()),
        ("updated_at", time()),
        ("metadata_synced_at", maybe_time()),
    ]);
    let mut chain = vec![("id", text()), ("name", text())];
    let short = object(chain.clone());
    let details = ["rpc_url", "operator_allowlist_address", "minter_address"];
    chain.extend(each(&details, &maybe_text()));
    let cursors = each(&["previous_cursor", "next_cursor"], &maybe_text());
    let asset = each(&["contract_address", "token_id", "amount"], &text());
    let asset = [vec![("contract_type", one_of(&CONTRACT_TYPES))], asset].concat();
    let details = object(vec![
        ("to?", text()),
        ("from?", text()),
        ("amount", text()),
        ("asset", object(asset)),
    ]);
    let place = ["transaction_hash", "block_number", "transaction_index", "log_index"];
    let activity = object(vec![
        ("id", text()),
        ("chain", known("Chain")),
        ("type", one_of(&["mint", "burn", "transfer"])),
        ("details", details),
        ("indexed_at", time()),
        ("updated_at", time()),
        ("blockchain_metadata", object(each(&place, &text()))),
    ]);
    let owner = object(vec![
        ("chain", known("Chain")),
        ("contract_address", text()),
        ("token_id", text()),
        ("account_address", text()),
        ("balance", text()),
        ("updated_at", time()),
    ]);
    vec![
        ("Chain", short),
        ("ChainWithDetails", object(chain)),
        ("Page", object(cursors)),
        ("Collection", collection),
        ("Activity", activity),
        ("NFTOwner", owner),
        ("OpenAPI", json!({ "type": "object", "additionalProperties": true })),
    ]
}

fn tokens() -> Named {
    let shows = |external_url: bool| {
        let mut shows = each(
            &["name", "description", "image", "animation_url", "youtube_url"],
            &maybe_text(),
        );
        if external_url {
            shows.push(("external_url", maybe_text()));
        }
        shows.push(("attributes", list_of("NFTMetadataAttribute")));
        shows
    };
    let token = vec![
        ("chain", known("Chain")),
        ("token_id", text()),
        ("contract_address", text()),
        ("contract_type", one_of(&CONTRACT_TYPES)),
        ("indexed_at", time()),
        ("updated_at", time()),
        ("metadata_synced_at", maybe_time()),
        ("metadata_id", maybe_text()),
        ("external_link", maybe_text()),
    ];
    let stack = vec![
        ("id", text()),
        ("chain", known("Chain")),
        ("contract_address", text()),
        ("created_at", time()),
        ("updated_at", time()),
    ];
    let supply = vec![("total_supply", maybe_text())];
    let balance = vec![("balance", text())];
    let names = [
        "name?",
        "description?",
        "image?",
        "external_url?",
        "animation_url?",
        "youtube_url?",
    ];
    let hosted = [
        each(&names, &text()),
        vec![("attributes", list_of("NFTMetadataAttribute"))],
    ]
    .concat();
    vec![
        ("NFT", object([token.clone(), shows(true), supply].concat())),
        ("NFTWithBalance", object([token, shows(false), balance].concat())),
        ("Metadata", object([stack, shows(true)].concat())),
        ("HostedMetadata", object(hosted)),
    ]
}
