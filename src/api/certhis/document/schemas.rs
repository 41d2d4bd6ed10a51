//! The forms and answers of the dialect, as JSON Schema.

use serde_json::{Value, json};

use crate::api::certhis::webhook::LENGTH_MAX;
use crate::api::document::shapes::{Named, each, known, maybe_text, object, text, time};
use crate::certhis::{NewChallenge, TokenUri};

fn bounded(length_max: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": length_max })
}

fn whole() -> Value {
    json!({ "type": "integer" })
}

/// Of a form, where numbers are texts.
fn written_number() -> Value {
    json!({ "type": ["integer", "string"] })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

pub(super) fn query(name: &str) -> Value {
    match name {
        "task_id" => json!({ "type": "integer", "minimum": 1 }),
        "offset" => json!({ "type": "integer", "minimum": 0, "default": 0 }),
        "contract_id" => bounded(NewChallenge::CONTRACT_LENGTH_MAX),
        "header_signature" => bounded(NewChallenge::HEADER_LENGTH_MAX),
        "secure_sign" => json!({ "type": "string", "enum": ["0", "1", "true", "false"] }),
        _ => text(),
    }
}

/// `data` in the envelope, and what is beside it.
fn answer(data: Value, beside: &[&'static str]) -> Value {
    let fields = vec![("status", flag()), ("data", data)];
    object(fields.into_iter().chain(each(beside, &text())).collect())
}

pub(super) fn all() -> Value {
    let named = forms().into_iter().chain(answers()).chain(objects());
    named.map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn forms() -> Named {
    vec![
        (
            "AccessForm",
            object(vec![
                ("collection_index", written_number()),
                ("wallet", text()),
                ("signature", text()),
                (
                    "ask?",
                    json!({ "type": ["string", "integer", "null"], "enum": ["0", "1", 0, 1, null] }),
                ),
                ("sign_id?", maybe_text()),
            ]),
        ),
        (
            "MintForm",
            object(vec![
                (
                    "wallet",
                    json!({ "type": "string", "description": "An address; or an e-mail address, where wallets are kept" }),
                ),
                ("nft_id?", json!({ "type": ["integer", "string", "null"] })),
                (
                    "token_uri?",
                    json!({ "type": ["string", "null"], "maxLength": TokenUri::LENGTH_MAX }),
                ),
            ]),
        ),
        (
            "WebhookForm",
            object(each(
                &["webhook", "webhook_pass", "webhook_login"],
                &bounded(LENGTH_MAX),
            )),
        ),
    ]
}

fn answers() -> Named {
    let pair = object(vec![
        ("api_key", text()),
        (
            "api_secret",
            json!({ "type": ["string", "null"], "description": "Shown once" }),
        ),
    ]);
    let webhook = object(each(&["webhook", "webhook_pass", "webhook_login"], &maybe_text()));
    let sign = object(vec![("signature", text()), ("sign_id?", text())]);
    vec![
        ("AccessResult", answer(pair, &[])),
        ("MintResult", answer(object(vec![("task_id", whole())]), &["message"])),
        ("StatusResult", answer(known("TaskStatus"), &[])),
        (
            "TaskListResult",
            answer(json!({ "type": "array", "items": known("Task"), "maxItems": 50 }), &[]),
        ),
        ("RegisterResult", object(vec![("status", flag()), ("message", text())])),
        ("WebhookResult", answer(webhook, &[])),
        ("SignResult", answer(sign, &["message"])),
        (
            "CheckResult",
            object(vec![("status", flag()), ("message", text()), ("connexion", flag())]),
        ),
        ("OpenApi", json!({ "type": "object" })),
        ("Error", object(vec![("status", flag()), ("message", text())])),
    ]
}

/// 0 queued, 1 being processed, 2 success, 3 failed.
fn status() -> Value {
    json!({ "type": "integer", "enum": [0, 1, 2, 3], "description": "0 queued, 1 being processed, 2 success, 3 failed" })
}

fn objects() -> Named {
    let task_status = object(vec![
        ("nft", json!({ "anyOf": [{ "type": "null" }, known("Nft")] })),
        ("status", status()),
        ("message", text()),
        ("created", time()),
        ("updated", time()),
        ("wallet", text()),
    ]);
    let mut task = each(&["id", "api_id", "user_id"], &whole());
    task.extend([
        ("status", status()),
        ("nft_id", json!({ "type": ["integer", "string", "null"] })),
        ("nft_index", json!({ "type": ["integer", "null"] })),
        ("created", time()),
        ("updated", time()),
        ("token_uri", maybe_text()),
        ("message", text()),
        ("address", text()),
    ]);
    vec![
        ("TaskStatus", task_status),
        ("Task", object(task)),
        ("Nft", nft()),
        ("Collection", collection()),
    ]
}

fn nft() -> Value {
    let picture = each(&["pseudo", "profile_pic", "header_pic"], &maybe_text());
    let mut owner = picture.clone();
    owner.push(("id", whole()));
    let attributes = json!({ "type": "array", "items": { "type": "object", "additionalProperties": true } });
    let currency = vec![("name", text()), ("decimals", whole()), ("symbol", text())];
    let mut with_logo = currency.clone();
    with_logo.push(("logoURI", text()));
    let label = vec![
        ("label_name", maybe_text()),
        ("label_logo", maybe_text()),
        ("label_tax", whole()),
        ("contract_id", whole()),
    ];
    let mut fields = each(
        &[
            "id",
            "collection_id",
            "chain_id",
            "sellable_type",
            "royalties",
            "minted",
        ],
        &whole(),
    );
    let texts = [
        "owner_address",
        "creator_address",
        "extra_currency_collection",
        "token_uri",
        "sellable_currency",
        "sellable_amount",
        "chain_name",
    ];
    fields.extend(each(&texts, &text()));
    let mut ipfs = each(&["name", "description", "image"], &text());
    ipfs.push(("attributes", attributes));
    fields.extend([
        ("nft_id", json!({ "type": ["integer", "string"] })),
        ("ipfs_object", object(ipfs)),
        ("collection_object", known("Collection")),
        ("label_object", object(label)),
        ("owner_object", object(owner)),
        ("creator_object", object(picture)),
        ("currency_object", object(with_logo)),
        ("collection_currency_object", object(currency)),
        ("extra_price_collection", json!({ "type": ["integer", "null"] })),
        ("created", time()),
        ("updated", time()),
        ("is_sbt", flag()),
    ]);
    object(fields)
}

fn collection() -> Value {
    let numbers = [
        "id",
        "collection_id",
        "collection_tax",
        "price_for_mint",
        "collection_full",
        "mintable_activate",
        "collection_type",
    ];
    let texts = [
        "collection_name",
        "collection_symbole",
        "collection_address",
        "root_price",
        "whitelist",
        "root",
        "currency_for_mint",
    ];
    let maybe = [
        "collection_logo",
        "collection_header",
        "certhis_tax",
        "collection_price",
    ];
    let mut fields = each(&numbers, &whole());
    fields.extend(each(&texts, &text()));
    fields.extend(each(&maybe, &maybe_text()));
    object(fields)
}
