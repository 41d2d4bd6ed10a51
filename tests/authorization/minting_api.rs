//! Who may call what of the minting API: every route of its table as nobody, with the keys of other dialects and purposes,
//! with the key of another project, and with the right one.

use std::sync::Arc;

use moneyer::access::By;
use moneyer::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use moneyer::api::immutable::{May, ROUTES};
use moneyer::audit::EventFilter;
use moneyer::collection::{self, Caller, Collection, Minting, NewCollection, Profile, Right};
use moneyer::config::TestMarker;
use moneyer::types::EnvironmentId;
use reqwest::Method;
use serde_json::json;

use super::contents::contents;
use crate::both_databases;
use crate::support::{Answer, Server, wallet};

both_databases! {
    every_route_of_the_minting_api_opens_to_whom_it_should,
}

struct Keys {
    environment: EnvironmentId,
    secret: String,
    publishable: String,
}

async fn keys(server: &Server, project: &'static str) -> Keys {
    let (vault, owner) = (server.app.vault().clone(), server.world.creator.user);
    server
        .write(&server.world.admin, move |tx, ctx| {
            let project = environment::create_project(tx, ctx, project)?;
            let new = NewEnvironment {
                project: project.id,
                name: "sandbox".to_owned(),
                chain: "book".to_owned(),
                test: true,
                tier: Tier::Standard,
                owner,
            };
            let environment = environment::create(tx, ctx, new)?.id;
            let mut key = |purpose| {
                let by = By::from(ctx);
                environment::create_key(tx, &vault, TestMarker::BeforeHyphen, by, environment, purpose)
            };
            Ok(Keys {
                environment,
                secret: key(KeyPurpose::Secret)?.key.reveal().to_owned(),
                publishable: key(KeyPurpose::Publishable)?.key.reveal().to_owned(),
            })
        })
        .await
}

async fn found(server: &Server, environment: EnvironmentId) -> Collection {
    let policies = Arc::clone(server.app.policy());
    server
        .write(&server.world.creator, move |tx, ctx| {
            let caller = Caller {
                ctx,
                right: Right::Environment(environment),
            };
            let new = NewCollection {
                environment: Some(environment),
                minting: Minting::Hybrid,
                many: false,
                adopted: false,
                owner: ctx.actor.wallet,
                profile: Profile::default(),
                metadata_api_url: None,
                policy: None,
            };
            collection::found(tx, &caller, &policies, &new, |_| wallet(950))
        })
        .await
}

/// A route with everything in its path that is there.
struct Asked<'s> {
    server: &'s Server,
    method: Method,
    path: String,
}

impl Asked<'_> {
    async fn with(&self, header: &str, key: &str) -> Answer {
        let call = self.server.call(self.method.clone(), None, &self.path);
        call.header(header, key).json(&json!({})).send().await
    }
}

const SECRET: &str = "x-immutable-api-key";

async fn every_route_of_the_minting_api_opens_to_whom_it_should(server: &Server) {
    let (own, other) = (keys(server, "Own").await, keys(server, "Other").await);
    let collection = found(server, own.environment).await;
    let ours = server.world.admin.key.clone();
    let before = contents(server).await;
    let mut foreign = 0;

    for (method, path, may) in ROUTES {
        let id = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57";
        let filled = path
            .replace("{chain_name}", "book")
            .replace("{contract_address}", &collection.address.to_string())
            .replace("{account_address}", &wallet(951).to_string())
            .replace("{token_id}", "7")
            .replace("{reference_id}", "nobody")
            .replace("{metadata_id}", id)
            .replace("{activity_id}", id)
            .replace("{file_id}", id);
        let asked = Asked {
            server,
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: filled,
        };
        let name = format!("{method} {path}");
        let closed = [
            ("x-nobody", "x"),
            (SECRET, "sk_imapik_test-nonsense"),
            (SECRET, ours.as_str()),
            (SECRET, own.publishable.as_str()),
            ("x-immutable-publishable-key", own.secret.as_str()),
            ("authorization", own.secret.as_str()),
        ];
        for (header, key) in closed {
            let answer = asked.with(header, key).await;
            match may {
                May::Act => {
                    assert_eq!(answer.status.as_u16(), 401, "{name} {header}: {}", answer.text);
                    assert_eq!(answer.body["code"], "UNAUTHORISED_REQUEST", "{name}");
                }
                May::Read => assert!(
                    matches!(answer.status.as_u16(), 200 | 400 | 404),
                    "{name}: {}",
                    answer.text
                ),
            }
        }
        let of_other = asked.with(SECRET, &other.secret).await;
        let is_about_a_collection = path.contains("{contract_address}");
        if *may == May::Act && is_about_a_collection {
            assert_eq!(of_other.status.as_u16(), 403, "{name}: {}", of_other.text);
            assert_eq!(of_other.body["code"], "AUTHENTICATION_ERROR", "{name}");
            foreign += 1;
        }
        if *method == "GET" || *path != "/v1/collections" {
            let right = asked.with(SECRET, &own.secret).await.status.as_u16();
            assert!(!matches!(right, 401 | 403 | 405 | 500..), "{name}: {right}");
        }
    }

    let filter = EventFilter {
        action: Some("access.refused".to_owned()),
        ..EventFilter::default()
    };
    assert_eq!(server.events(filter).await.len(), foreign, "one event per refusal");
    let mut after = contents(server).await;
    let mut before = before;
    // Publishable keys are counted, quotas are taken and given back.
    for table in ["quotas", "publishable_usage"] {
        before.remove(table);
        after.remove(table);
    }
    assert!(before == after, "a refused request changed something");
}
