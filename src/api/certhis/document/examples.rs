//! Examples; what is shown is rendered by the code that answers.

use serde_json::{Value, json};

use crate::access::quota::{Rate, Standing};
use crate::api::certhis::CerthisError;
use crate::api::certhis::error::Shortage;
use crate::api::certhis::mint::{created, status_of};
use crate::api::certhis::shown::Shown;
use crate::api::document::sample::{self, ID, NOW, OWNER, token_id};
use crate::api::unserved::Unserved;
use crate::certhis::{Minted, Task, TaskStatus};
use crate::collection::{Collection, Metadata, Profile};
use crate::error::{Error, Issue};
use crate::types::{Address, ReferenceId};

const RECIPIENT: Address = Address::from_bytes([0x7e; 20]);
fn signature() -> String {
    format!("0x{}1b", "5a".repeat(64))
}

pub(super) fn query(name: &str) -> Value {
    match name {
        "wallet" => json!(OWNER),
        "task_id" => json!(1),
        "offset" => json!(0),
        "contract_id" => json!("63"),
        "header_signature" => json!("Welcome to the shop"),
        "secure_sign" => json!("1"),
        "sign_message" => json!(signature()),
        _ => json!(ID),
    }
}

/// Of a schema.
pub(super) fn of(schema: &str) -> Value {
    let data = |data: Value| json!({ "status": true, "data": data });
    match schema {
        "AccessForm" => json!({ "collection_index": "1", "wallet": OWNER, "signature": signature(), "ask": "1" }),
        "MintForm" => json!({ "wallet": RECIPIENT, "nft_id": "7", "token_uri": "https://example.com/7.json" }),
        "WebhookForm" => {
            json!({ "webhook": "https://example.com/hook", "webhook_pass": "a long one", "webhook_login": "shop" })
        }
        "AccessResult" => data(json!({ "api_key": "ck_4f7Kq2…", "api_secret": "cs_9dXw…" })),
        "MintResult" => created(1),
        "StatusResult" => shown(|shown, collection, task| {
            let nft = shown.nft(collection, task, &minted());
            data(status_of(task, Some(nft)))
        }),
        "TaskListResult" => shown(|_, _, task| data(json!([Shown::task(task)]))),
        "RegisterResult" => json!({ "status": true, "message": "updated" }),
        "WebhookResult" => data(of("WebhookForm")),
        "SignResult" => json!({ "status": true, "message": "get_sign", "data": {
            "signature": format!("Sign in to this mint API.\n\nWallet: {OWNER}\nNonce: 5a\nGood until: {NOW}"), "sign_id": ID,
        } }),
        "CheckResult" => json!({ "status": true, "message": "good signature", "connexion": true }),
        _ => json!({}),
    }
}

fn shown(render: impl Fn(&Shown, &Collection, &Task) -> Value) -> Value {
    let (shown, collection) = (Shown::on(31_337, "local"), collection());
    ReferenceId::parse("certhis-1").map_or(Value::Null, |reference| render(&shown, &collection, &task(reference)))
}

fn collection() -> Collection {
    sample::collection(Profile {
        name: Some("BillboardX".to_owned()),
        symbol: Some("BLLBRDX".to_owned()),
        ..Profile::default()
    })
}

fn task(reference: ReferenceId) -> Task {
    Task {
        number: 1,
        key: 1,
        account: 1,
        nft_number: 1,
        token_id_given: Some(token_id()),
        token_uri: Some("https://example.com/7.json".to_owned()),
        request: sample::mint_request(reference, RECIPIENT),
        status: TaskStatus::Succeeded,
        error: None,
    }
}

fn minted() -> Minted {
    Minted {
        nft: sample::nft(Metadata::default()),
        owner: RECIPIENT,
        account: 2,
    }
}

/// Every way to be refused, by a name.
pub(super) fn errors() -> Vec<(&'static str, CerthisError)> {
    let shortage = Shortage {
        rate: Rate::bounded(200, 60, 2_000),
        standing: Standing {
            limit: 2_000,
            remaining: 0,
            reset: NOW,
            retry_after_micros: 300_000,
        },
        wait_micros: 300_000,
    };
    let unfit = Issue::new("token_id", "unsupported", "this contract gives the ids itself");
    vec![
        ("no key pair", CerthisError::KeysMissing),
        ("another key pair", CerthisError::KeysInvalid),
        ("missing", CerthisError::Missing("wallet")),
        ("invalid", CerthisError::Invalid("wallet")),
        ("unfit", Error::Invalid(vec![unfit]).into()),
        ("signature", CerthisError::BadSignature),
        ("minted", CerthisError::Taken),
        ("described", CerthisError::Described),
        ("not the owner", CerthisError::NotTheOwner),
        ("no such route", Unserved::RouteUnknown.into()),
        ("no such task", Error::NotFound("task").into()),
        (
            "another method",
            Unserved::MethodUnknown {
                allow: "GET".to_owned(),
            }
            .into(),
        ),
        (
            "another request",
            Error::Conflict("The idempotency key was used with another request".to_owned()).into(),
        ),
        ("too large", Unserved::BodyTooLarge { max: 1_048_576 }.into()),
        ("too slow", Unserved::BodyTooSlow { seconds: 30 }.into()),
        ("exhausted", CerthisError::Exhausted(shortage)),
        ("defect", Error::internal("").into()),
        (
            "chain away",
            Error::Unavailable("the chain does not say who owns the collection").into(),
        ),
    ]
}
