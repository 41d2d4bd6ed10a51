//! The OpenAPI document: the committed one is the one that is served, and it says enough to build a client from.
//!
//! That every route is in it is checked in `authorization.rs`, which calls each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and their runtime is made for them"
)]

mod support;

use std::collections::BTreeSet;

use moneyer::{api::openapi, server};
use reqwest::Method;
use serde_json::Value;

#[path = "openapi/mint_api.rs"]
mod mint_api;
#[path = "openapi/minting_api.rs"]
mod minting_api;
#[path = "openapi/shape.rs"]
mod shape;
use shape::misfits;
use support::{Database, Server};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

fn rendered() -> String {
    openapi::render(&server::document()).unwrap()
}

fn document() -> Value {
    serde_json::from_str(&rendered()).unwrap()
}

struct Operation {
    /// `POST /api/token/{contract}/mint`.
    name: String,
    path: String,
    says: Value,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, says) in methods.as_object().unwrap() {
            operations.push(Operation {
                name: format!("{} {path}", method.to_uppercase()),
                path: path.clone(),
                says: resolved(document, says),
            });
        }
    }
    operations
}

/// With the answers that operations share in place of the references to them.
fn resolved(document: &Value, says: &Value) -> Value {
    let mut says = says.clone();
    for response in says["responses"].as_object_mut().unwrap().values_mut() {
        if let Some(reference) = response["$ref"].as_str() {
            *response = document
                .pointer(&reference[1..])
                .expect("a reference leads somewhere")
                .clone();
        }
    }
    says
}

impl Operation {
    fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
    }

    fn responses(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.says["responses"].as_object().unwrap().iter()
    }

    /// Name and content of the body of the request and of each good answer.
    fn bodies(&self) -> Vec<(String, &Value)> {
        let request = [("request".to_owned(), &self.says["requestBody"]["content"])];
        let answers = self
            .responses()
            .filter(|(status, _)| status.starts_with('2'))
            .map(|(status, response)| (status.clone(), &response["content"]));
        let contents = request.into_iter().chain(answers);
        let of_types = contents.flat_map(|(name, content)| {
            let content = content.as_object().into_iter().flatten();
            content.map(move |(media, body)| (format!("{name} {media}"), body))
        });
        of_types.collect()
    }
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let rendered = rendered();
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(COMMITTED, &rendered).unwrap();
    }

    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    let line = rendered
        .lines()
        .zip(committed.lines())
        .position(|(now, then)| now != then);

    assert!(
        rendered == committed,
        "openapi.json differs from line {} on: run with UPDATE_GOLDEN=1 and review the change",
        line.map_or(committed.lines().count(), |line| line) + 1
    );
}

#[test]
fn it_is_openapi_3_1_with_a_name_a_version_and_the_key() {
    let document = document();

    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["info"]["title"], "Moneyer");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["components"]["securitySchemes"]["apiKey"]["name"], "X-Api-Key");
    for operation in operations(&document) {
        let public = operation.says["security"] == serde_json::json!([{}]);
        assert_eq!(public, !operation.is_api(), "{}: who needs a key", operation.name);
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_a_tag_and_a_summary() {
    let mut names = BTreeSet::new();
    for Operation { name, says, .. } in operations(&document()) {
        let id = says["operationId"]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: no operationId"));
        let is_camel =
            id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(is_camel, "{name}: {id} is not lowerCamelCase");
        assert!(names.insert(id.to_owned()), "{name}: {id} is taken");
        assert_eq!(says["tags"].as_array().map_or(0, Vec::len), 1, "{name}: one tag");
        assert!(
            says["summary"].as_str().is_some_and(|text| !text.is_empty()),
            "{name}: no summary"
        );
    }
}

#[test]
fn every_parameter_of_a_path_is_described_as_one() {
    for Operation { name, path, says } in operations(&document()) {
        let in_path: BTreeSet<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let parameters = says["parameters"].as_array().cloned().unwrap_or_default();
        let described = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let described: BTreeSet<&str> = described.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(described, in_path, "{name}");
    }
}

#[test]
fn every_change_takes_an_idempotency_key() {
    for operation in operations(&document()).iter().filter(|operation| operation.is_api()) {
        let takes = operation.says["parameters"].as_array().is_some_and(|parameters| {
            parameters
                .iter()
                .any(|parameter| parameter["name"] == "Idempotency-Key")
        });
        let is_change = !operation.name.starts_with("GET ") && !operation.path.ends_with("/mint/check");
        assert_eq!(takes, is_change, "{}", operation.name);
    }
}

#[test]
fn every_answer_is_described_and_one_is_good() {
    for operation in operations(&document()) {
        let name = &operation.name;
        assert!(
            operation.responses().any(|(status, _)| status.starts_with('2')),
            "{name}: no good answer"
        );
        for (status, response) in operation.responses() {
            let described = response["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described, "{name} {status}: no description");
        }
    }
}

#[test]
fn every_error_has_the_envelope_and_an_example_of_each_code() {
    let document = document();
    for operation in operations(&document).iter().filter(|operation| operation.is_api()) {
        let name = &operation.name;
        let mut expected = vec!["400", "401", "403", "404", "405", "429", "500", "503"];
        if !name.starts_with("GET ") {
            expected.extend(["409", "422"]);
        }
        if !operation.says["requestBody"].is_null() {
            expected.extend(["408", "413", "415"]);
        }
        for status in expected {
            assert!(!operation.says["responses"][status].is_null(), "{name}: no {status}");
        }
        for (status, response) in operation.responses().filter(|(status, _)| !status.starts_with('2')) {
            let content = &response["content"]["application/json"];
            assert_eq!(
                content["schema"]["$ref"], "#/components/schemas/Error",
                "{name} {status}"
            );
            let examples = content["examples"].as_object();
            assert!(
                examples.is_some_and(|examples| !examples.is_empty()),
                "{name} {status}: no example"
            );
            for (code, example) in examples.into_iter().flatten() {
                let example = &example["value"];
                assert_eq!(example["code"], *code, "{name} {status}");
                assert_eq!(example["status"].to_string(), *status, "{name} {status}");
                assert_eq!(
                    misfits(&document, &content["schema"], example),
                    Vec::<String>::new(),
                    "{name} {status} {code}"
                );
            }
        }
    }
}

#[test]
fn every_code_that_the_server_answers_with_is_an_example() {
    let document = document();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/errors.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();

    for (what, body) in golden.as_object().unwrap() {
        let (status, code) = (&body["status"], body["code"].as_str().unwrap());
        let examples =
            &document["components"]["responses"][format!("Error{status}")]["content"]["application/json"]["examples"];
        assert!(!examples[code].is_null(), "{what}: {status} {code}");
    }
}

#[test]
fn every_body_has_an_example_that_fits_it() {
    let document = document();
    for operation in operations(&document) {
        for (what, body) in operation.bodies() {
            let name = format!("{} {what}", operation.name);
            let example = shape::example_of(&document, body).unwrap_or_else(|| panic!("{name}: no example"));
            assert_eq!(
                misfits(&document, &body["schema"], &example),
                Vec::<String>::new(),
                "{name}: {example}"
            );
        }
        let answers = operation.bodies();
        assert!(
            answers.iter().any(|(what, _)| what.starts_with('2')),
            "{}: a good answer has a body",
            operation.name
        );
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");

    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_and_its_page_come_from_this_server_alone() {
    let server = Server::start(Database::Sqlite).await;
    let get = async |path: &str| server.call(Method::GET, None, path).send().await;
    let served = get("/openapi.json").await;
    assert_eq!(served.header("Content-Type"), Some("application/json"));
    assert_eq!(served.text, rendered());

    let page = get("/docs/").await;
    assert_eq!(page.status.as_u16(), 200);
    let mut links = links_of(&page.text);
    assert!(links.len() >= 4, "{links:?}");
    let mut seen = BTreeSet::new();
    while let Some(link) = links.pop() {
        if link.starts_with("data:") || !seen.insert(link.clone()) {
            continue;
        }
        assert!(!link.contains("//"), "/docs/ loads {link}");
        let path = link.strip_prefix("./").unwrap_or(&link);
        let asset = get(&format!("/docs/{path}")).await;
        assert_eq!(asset.status.as_u16(), 200, "/docs/{path}");
        assert!(!asset.text.is_empty(), "/docs/{path}");
        if path.ends_with(".css") {
            links.extend(urls_of(&asset.text));
        }
        if path.ends_with("initializer.js") {
            for document in ["/openapi.json", "/v1/openapi.json", "/mint/openapi.json"] {
                assert!(asset.text.contains(&format!("\"{document}\"")), "{}", asset.text);
                let served = get(document).await;
                assert!(served.body["openapi"].is_string(), "{document}: {}", served.text);
            }
            // Else the bundle asks https://validator.swagger.io.
            assert!(asset.text.contains("\"validatorUrl\": \"none\""), "{}", asset.text);
            assert!(!asset.text.contains("://"), "{}", asset.text);
        }
    }
    assert!(
        seen.iter().any(|link| link.ends_with("swagger-ui-bundle.js")),
        "{seen:?}"
    );
    server.finish().await;
}

/// What a page loads: the values of `src` and `href`.
fn links_of(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    for attribute in ["src=\"", "href=\""] {
        let parts = page.split(attribute).skip(1);
        links.extend(parts.filter_map(|part| part.split('"').next()).map(str::to_owned));
    }
    links
}

/// What a style sheet loads.
fn urls_of(css: &str) -> Vec<String> {
    let parts = css.split("url(").skip(1);
    let urls = parts.filter_map(|part| part.split(')').next());
    urls.map(|url| url.trim_matches(['"', '\'']).to_owned()).collect()
}
