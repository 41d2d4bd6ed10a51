//! The document of Certhis' mint API: `openapi-mint.json`.

use std::collections::BTreeSet;

use moneyer::api::certhis::{self, May, ROUTES};
use reqwest::Method;
use serde_json::{Value, json};

use super::{operations, shape};
use crate::support::{Database, Server};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi-mint.json");

fn document() -> Value {
    serde_json::from_str(&certhis::document_text().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_committed_document_of_the_mint_api_is_the_one_that_is_served() {
    let server = Server::start(Database::Sqlite).await;
    let served = server.call(Method::GET, None, "/mint/openapi.json").send().await;
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(COMMITTED, &served.text).unwrap();
    }

    assert_eq!(served.header("Content-Type"), Some("application/json"));
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        served.text == committed,
        "openapi-mint.json is old: run UPDATE_GOLDEN=1 bin/test --test openapi, and look at what changed"
    );
    server.finish().await;
}

#[test]
fn every_route_of_the_mint_api_is_in_its_document_once() {
    let routes = ROUTES.iter().map(|(method, path, _)| format!("{method} {path}"));
    let documented: Vec<_> = operations(&document());

    let names: BTreeSet<String> = documented.iter().map(|one| one.name.clone()).collect();
    assert_eq!(names, routes.collect());
    let ids: BTreeSet<&str> = documented
        .iter()
        .map(|one| one.says["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), documented.len());
}

#[test]
fn every_route_of_the_mint_api_says_who_may_call_it_and_how_it_refuses() {
    let document = document();
    for operation in operations(&document) {
        let (method, path) = operation.name.split_once(' ').unwrap();
        let route = ROUTES.iter().find(|(known, at, _)| (*known, *at) == (method, path));
        let is_open = operation.says["security"] == json!([{}]);
        assert_eq!(is_open, route.unwrap().2 == May::Guest, "{}", operation.name);
        let takes = operation.says["parameters"].to_string().contains("Idempotency-Key");
        assert_eq!(takes, path == "/mint", "{}", operation.name);
        let mut expected = vec!["400", "404", "405", "429", "500", "503"];
        if !operation.says["requestBody"].is_null() {
            expected.extend(["408", "413"]);
        }
        for status in expected {
            let response = &operation.says["responses"][status];
            assert!(!response.is_null(), "{}: no {status}", operation.name);
        }
        for (status, response) in operation.responses().filter(|(status, _)| !status.starts_with('2')) {
            let content = &response["content"]["application/json"];
            let examples = content["examples"].as_object().unwrap();
            assert!(!examples.is_empty(), "{} {status}", operation.name);
            for example in examples.values() {
                let found = shape::misfits(&document, &content["schema"], &example["value"]);
                assert_eq!(found, Vec::<String>::new(), "{} {status}", operation.name);
            }
        }
    }
}

#[test]
fn every_form_and_answer_of_the_mint_api_has_an_example_that_fits_it() {
    let document = document();
    for operation in operations(&document) {
        let bodies = operation.bodies();
        assert!(
            bodies.iter().any(|(what, _)| what.starts_with('2')),
            "{}",
            operation.name
        );
        for (what, body) in bodies {
            let example = shape::example_of(&document, body).unwrap();
            let found = shape::misfits(&document, &body["schema"], &example);
            assert_eq!(found, Vec::<String>::new(), "{} {what}: {example}", operation.name);
        }
    }
}

/// What was seen on the wire is what the document says.
#[test]
fn what_was_seen_on_the_wire_fits_the_document_of_the_mint_api() {
    let document = document();
    let golden = |name: &str| {
        let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let seen = [
        (
            "StatusResult",
            json!({ "status": true, "data": golden("certhis_status.json") }),
        ),
        (
            "TaskListResult",
            json!({ "status": true, "data": golden("certhis_tasks.json") }),
        ),
        ("Nft", golden("certhis_webhook.json")["nft"].clone()),
    ];
    for (name, body) in seen {
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        assert_eq!(
            shape::misfits(&document, &schema, &body),
            Vec::<String>::new(),
            "{name}"
        );
    }
}
