//! The document of the minting API: `openapi-v1.json`.

use std::collections::BTreeSet;

use moneyer::api::immutable::{self, May, ROUTES};
use reqwest::Method;
use serde_json::Value;

use super::{operations, shape};
use crate::support::{Database, Server};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi-v1.json");

fn document() -> Value {
    serde_json::from_str(&immutable::document_text().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_committed_document_of_the_minting_api_is_the_one_that_is_served() {
    let server = Server::start(Database::Sqlite).await;
    let served = server.call(Method::GET, None, "/v1/openapi.json").send().await;
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(COMMITTED, &served.text).unwrap();
    }

    assert_eq!(served.header("Content-Type"), Some("application/json"));
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        served.text == committed,
        "openapi-v1.json is old: run UPDATE_GOLDEN=1 bin/test --test openapi, and look at what changed"
    );
    server.finish().await;
}

#[test]
fn every_route_of_the_minting_api_is_in_its_document_once() {
    let routes: BTreeSet<String> = ROUTES
        .iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let documented: BTreeSet<String> = operations(&document()).into_iter().map(|one| one.name).collect();

    assert_eq!(documented, routes);
    let text = document().to_string();
    let ids: Vec<&str> = text
        .split("\"operationId\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
}

#[test]
fn every_status_of_the_minting_api_has_its_envelope_and_examples() {
    let document = document();
    for operation in operations(&document) {
        let (method, path) = operation.name.split_once(' ').unwrap();
        let route = ROUTES
            .iter()
            .find(|(known, at, _)| (*known, *at) == (method, path))
            .unwrap();
        let mut expected = vec!["400", "403", "404", "405", "429", "500", "503"];
        if route.2 == May::Act {
            expected.push("401");
        }
        if !operation.says["requestBody"].is_null() {
            expected.extend(["408", "413"]);
        }
        for status in expected {
            assert!(
                !operation.says["responses"][status].is_null(),
                "{}: no {status}",
                operation.name
            );
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
fn every_body_of_the_minting_api_has_an_example_that_fits_it() {
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
fn bodies_seen_on_the_wire_fit_the_document_of_the_minting_api() {
    let document = document();
    let golden = |name: &str| {
        let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let (reads, requests) = (golden("immutable_reads.json"), golden("immutable_mint_requests.json"));
    let schemas = [
        ("ListChainsResult", golden("immutable_chains.json")),
        ("ListMintRequestsResult", requests["pending"].clone()),
        ("ListMintRequestsResult", requests["succeeded"].clone()),
        ("ListMintRequestsResult", requests["amounts"].clone()),
        ("ListCollectionsResult", reads["collections"].clone()),
        ("GetCollectionResult", reads["collection"].clone()),
        ("GetNFTResult", reads["nft"].clone()),
        ("GetNFTResult", reads["nft without metadata"].clone()),
        ("ListNFTsResult", reads["nfts"].clone()),
        ("ListNFTsByOwnerResult", reads["nfts of account"].clone()),
        ("ListNFTOwnersResult", reads["owners"].clone()),
        ("ListMetadataResult", reads["metadata"].clone()),
        ("ListActivitiesResult", reads["activities"].clone()),
    ];
    for (name, body) in schemas {
        let schema = serde_json::json!({ "$ref": format!("#/components/schemas/{name}") });
        assert_eq!(
            shape::misfits(&document, &schema, &body),
            Vec::<String>::new(),
            "{name}"
        );
    }
}
