//! What every request to the minting API meets first: keys, rates, envelopes, leave for browsers.

use moneyer::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use moneyer::access::plan::{self, PlanName};
use moneyer::api::immutable::{May, ROUTES};
use moneyer::config::TestMarker;
use reqwest::Method;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Answer, Database, Options, Role, Server, golden};

const CHAINS: &str = "/v1/chains";

both_databases! {
    the_chains_are_told_to_everybody,
    every_error_has_the_five_fields_and_the_name_of_its_request,
    a_wrong_rate_limit_key_is_refused_before_anything_else,
    a_reader_with_a_plan_is_counted_across_processes,
    a_publishable_key_is_counted_by_day_and_an_unknown_one_ignored,
    a_browser_of_another_place_may_ask,
    stray_headers_of_the_published_client_do_no_harm,
}

async fn ask(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let call = server.call(method, None, path);
    let call = headers
        .iter()
        .fold(call, |call, (name, value)| call.header(name, value));
    call.send().await
}

async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(server, Method::GET, path, headers).await
}

/// The details of an error, after its envelope was checked (immutable.md section 4).
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(
        (answer.status.as_u16(), answer.body["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.text
    );
    let fields = answer.body.as_object().unwrap();
    let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["code", "details", "link", "message", "trace_id"]);
    assert!(!answer.message().is_empty());
    assert!(answer.body["link"].is_string());
    let trace_id = answer.body["trace_id"].as_str().unwrap();
    assert_eq!(answer.header("x-trace-id"), Some(trace_id));
    assert_eq!(trace_id.len(), 32);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    let details = &answer.body["details"];
    assert!(details.is_null() || details.is_object(), "{details}");
    details.clone()
}

/// The id of an environment, and its secret and publishable keys.
pub struct Minting {
    pub environment: String,
    pub secret: String,
    pub publishable: String,
}

pub async fn minting(server: &Server, project: &'static str, tier: Tier) -> Minting {
    let (vault, owner) = (server.app.vault().clone(), server.world.creator.user);
    let chain = server.app.gate().settings.chain_name.clone();
    server
        .write(&server.world.admin, move |tx, ctx| {
            let project = environment::create_project(tx, ctx, project)?;
            let new = NewEnvironment {
                project: project.id,
                name: "sandbox".to_owned(),
                chain: chain.clone(),
                test: true,
                tier,
                owner,
            };
            let environment = environment::create(tx, ctx, new)?.id;
            let mut key = |purpose| {
                let issued = environment::create_key(tx, &vault, TestMarker::BeforeHyphen, ctx, environment, purpose);
                issued.map(|issued| issued.key.reveal().to_owned())
            };
            Ok(Minting {
                secret: key(KeyPurpose::Secret)?,
                publishable: key(KeyPurpose::Publishable)?,
                environment: environment.to_string(),
            })
        })
        .await
}

/// A rate-limit key of a plan with so many requests a minute.
async fn plan_key(server: &Server, requests: i64) -> (String, String) {
    let vault = server.app.vault().clone();
    server
        .write(&server.world.admin, move |tx, ctx| {
            let name = PlanName::parse("partners")?;
            plan::put(tx, ctx, &name, requests, 60)?;
            let issued = plan::create_key(tx, &vault, ctx, &name)?;
            Ok((issued.key.reveal().to_owned(), issued.stored.id.to_string()))
        })
        .await
}

async fn the_chains_are_told_to_everybody(server: &Server) {
    let answer = get(server, CHAINS, &[]).await;

    assert_eq!(answer.header("x-ratelimit-limit"), Some("1500, 1500;w=300"));
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("1499"));
    assert_eq!(answer.header("x-ratelimit-reset"), Some("1"));
    assert_eq!(answer.header("x-trace-id").map(str::len), Some(32));
    golden("immutable_chains.json", &answer.ok());
}

async fn every_error_has_the_five_fields_and_the_name_of_its_request(server: &Server) {
    let unknown = get(server, "/v1/nonsense", &[]).await;
    refused(&unknown, 404, "RESOURCE_NOT_FOUND");
    refused(&get(server, "/v1", &[]).await, 404, "RESOURCE_NOT_FOUND");
    let method = ask(server, Method::DELETE, CHAINS, &[]).await;
    refused(&method, 405, "VALIDATION_ERROR");
    assert_eq!(method.header("Allow"), Some("GET"));

    let named = get(
        server,
        "/v1/nonsense",
        &[("X-Request-Id", "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")],
    )
    .await;
    assert_eq!(
        named.header("X-Request-Id"),
        Some("0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")
    );
    assert_eq!(named.header("x-trace-id"), Some("0197a1f05c3e7b449d213f6a1c0e8b57"));

    // The other dialect keeps its own envelope.
    get(server, "/api/nonsense", &[]).await.error(404, "NOT_FOUND");
    get(server, "/v10/chains", &[]).await.error(404, "NOT_FOUND");
}

async fn a_wrong_rate_limit_key_is_refused_before_anything_else(server: &Server) {
    let (key, id) = plan_key(server, 100).await;
    let minting = minting(server, "Game", Tier::Standard).await;
    let ours = server.world.issuer.key.clone();

    for wrong in ["", "nonsense", &key[..key.len() - 1], &minting.secret, &ours, "ключ"] {
        for (method, path, _) in ROUTES {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let path = path.replace(['{', '}'], "");
            let call = server
                .call(method, None, &path)
                .header("x-immutable-api-key", &minting.secret);
            let answer = call.header("x-api-key", wrong).send().await;
            refused(&answer, 403, "AUTHENTICATION_ERROR");
        }
    }
    get(server, CHAINS, &[("x-api-key", &key)]).await.ok();

    let path = format!("/api/rate-plans/partners/keys/{id}");
    let manager = &server.world.system[&Role::SystemManager];
    server.delete(manager, &path, &json!({})).await.ok();
    let revoked = get(server, CHAINS, &[("x-api-key", &key)]).await;
    refused(&revoked, 403, "AUTHENTICATION_ERROR");
}

async fn a_reader_with_a_plan_is_counted_across_processes(server: &Server) {
    let (key, _) = plan_key(server, 4).await;
    let replica = server.replica();
    let headers = [("x-api-key", key.as_str())];

    for process in [server, &replica, server, &replica] {
        get(process, CHAINS, &headers).await.ok();
    }
    for process in [server, &replica] {
        let limited = get(process, CHAINS, &headers).await;
        refused(&limited, 429, "TOO_MANY_REQUESTS_ERROR");
        assert_eq!(limited.header("Retry-After"), Some("15"));
        assert_eq!(limited.header("x-ratelimit-limit"), Some("4, 4;w=60"));
        assert_eq!(limited.header("x-ratelimit-remaining"), Some("0"));
    }
    // Without the key the client has its own rate.
    get(server, CHAINS, &[]).await.ok();
    server.advance(14);
    refused(&get(server, CHAINS, &headers).await, 429, "TOO_MANY_REQUESTS_ERROR");
    server.advance(1);
    get(server, CHAINS, &headers).await.ok();
    replica.stop().await;
}

async fn a_publishable_key_is_counted_by_day_and_an_unknown_one_ignored(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let manager = &server.world.system[&Role::SystemManager];
    let usage = format!("/api/environments/{}/usage", minting.environment);
    let header = "x-immutable-publishable-key";

    for _ in 0..3 {
        get(server, CHAINS, &[(header, &minting.publishable)]).await.ok();
    }
    for wrong in ["pk_imapik_test-unknown", "", &minting.secret] {
        get(server, CHAINS, &[(header, wrong)]).await.ok();
    }
    server.advance(86_400);
    get(server, CHAINS, &[(header, &minting.publishable)]).await.ok();

    let days = server.get(manager, &usage).await.ok();
    assert_eq!(
        days,
        json!([{ "date": "2026-06-01", "requests": 3 }, { "date": "2026-06-02", "requests": 1 }])
    );
    let first = server.get(manager, &format!("{usage}?to=2026-06-01")).await.ok();
    assert_eq!(first, json!([{ "date": "2026-06-01", "requests": 3 }]));
}

async fn a_browser_of_another_place_may_ask(server: &Server) {
    let asked = "x-immutable-api-key,x-immutable-publishable-key,x-api-key,basepath,headers,baseconfig,sdkversion";
    let preflight = [
        ("Origin", "https://game.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", asked),
    ];
    for path in [CHAINS, "/v1/chains/book/collections/0x00/nfts/mint-requests"] {
        let answer = ask(server, Method::OPTIONS, path, &preflight).await;

        assert_eq!(answer.status.as_u16(), 204);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
        let allowed = answer.header("Access-Control-Allow-Headers").unwrap().to_lowercase();
        let allowed: Vec<&str> = allowed.split(", ").collect();
        for name in asked.split(',').chain(["x-sdk-version", "content-type"]) {
            assert!(allowed.contains(&name), "{name}");
        }
    }
    let answer = get(server, "/v1/nonsense", &preflight).await;
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
    let exposed = answer.header("Access-Control-Expose-Headers").unwrap();
    assert!(exposed.contains("imx-remaining-mint-requests") && exposed.contains("x-trace-id"));
    let asset_api = ask(server, Method::OPTIONS, "/api/token", &preflight).await;
    assert_eq!(asset_api.header("Access-Control-Allow-Origin"), None);
}

async fn stray_headers_of_the_published_client_do_no_harm(server: &Server) {
    let stray = [
        ("basePath", "http://127.0.0.1:8080"),
        ("headers", "[object Object]"),
        ("baseConfig", "[object Object]"),
        ("sdkVersion", "ts-immutable-sdk-multi-rollup-api-client-2.24.8"),
        ("x-sdk-version", "ts-immutable-sdk-multi-rollup-api-client-2.24.8"),
        ("x-immutable-api-key", "sk_imapik-whatever"),
    ];

    get(server, CHAINS, &stray).await.ok();
}

#[test]
fn every_route_of_the_table_is_below_v1_and_there_once() {
    let mut names: Vec<(&str, &str)> = ROUTES.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert!(names.iter().all(|(_, path)| path.starts_with("/v1/")));
    assert!(ROUTES.iter().any(|(_, _, may)| *may == May::Read));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ROUTES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_a_key_is_limited_by_its_address() {
    let options = Options::default()
        .with("minting.anonymous_requests", 3)
        .with("minting.anonymous_window_seconds", 60)
        .with("server.proxies", 1);
    let server = Server::start_with(Database::Sqlite, &options).await;
    let from = async |client: &str| get(&server, CHAINS, &[("X-Forwarded-For", client)]).await;

    for _ in 0..3 {
        from("203.0.113.9, 192.0.2.1").await.ok();
    }
    let limited = from("198.51.100.7, 192.0.2.1").await;
    refused(&limited, 429, "TOO_MANY_REQUESTS_ERROR");
    assert_eq!(limited.header("Retry-After"), Some("20"));
    assert_eq!(limited.header("x-ratelimit-remaining"), Some("0"));
    from("192.0.2.2").await.ok();
    server.advance(20);
    from("192.0.2.1").await.ok();
    refused(&from("192.0.2.1").await, 429, "TOO_MANY_REQUESTS_ERROR");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_is_written_when_the_server_stops() {
    let server = Server::start(Database::Sqlite).await;
    let minting = minting(&server, "Game", Tier::Standard).await;
    let replica = server.replica();
    let header = [("x-immutable-publishable-key", minting.publishable.as_str())];
    get(&replica, CHAINS, &header).await.ok();

    replica.stop().await;

    let usage = format!("/api/environments/{}/usage", minting.environment);
    let days = server
        .get(&server.world.system[&Role::SystemManager], &usage)
        .await
        .ok();
    assert_eq!(days, json!([{ "date": "2026-06-01", "requests": 1 }]));
    server.finish().await;
}
