//! What no handler sees: broken bodies, unknown routes, wrong methods, requests that are too large or too many.

use std::time::Duration;

use moneyer::access::environment::Tier;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::minting_shell::minting;
use crate::both_databases;
use crate::support::{Database, Options, Server, recipient};

both_databases! {
    a_body_that_is_not_json_is_told_so,
    bytes_that_are_no_text_are_refused,
    another_content_type_is_refused,
    an_empty_body_lacks_its_fields,
    an_unknown_route_is_told_so_in_the_envelope,
    a_wrong_method_is_told_which_are_there,
    the_request_id_is_the_callers_when_it_is_a_good_one,
    nobody_may_keep_or_guess_at_an_answer,
    health_is_told_to_everybody,
    the_document_and_its_page_are_served_from_here,
}

async fn send(server: &Server, content_type: &str, body: &str) -> crate::support::Answer {
    let path = Server::mint_path(&server.world.equity);
    server
        .request(Method::POST, &server.world.issuer, &path)
        .text(content_type, body)
        .send()
        .await
}

async fn a_body_that_is_not_json_is_told_so(server: &Server) {
    for broken in [
        "{",
        "{\"recipients\":",
        "nonsense",
        "{} {}",
        "[1,",
        "\u{0}",
        "{\"a\":1,}",
    ] {
        let answer = send(server, "application/json", broken).await;
        answer.error(400, "BAD_REQUEST");
    }
    for no_object in ["[]", "\"x\"", "7", "null"] {
        send(server, "application/json", no_object)
            .await
            .error(400, "BAD_REQUEST");
    }
    let deep = "[".repeat(10_000);
    send(server, "application/json", &deep).await.error(400, "BAD_REQUEST");
}

async fn bytes_that_are_no_text_are_refused(server: &Server) {
    let path = Server::mint_path(&server.world.equity);
    let request = server.request(Method::POST, &server.world.issuer, &path);
    let body = b"{\"recipients\":\"\xff\xfe\"}".to_vec();

    request
        .header("Content-Type", "application/json")
        .bytes(body)
        .send()
        .await
        .error(400, "BAD_REQUEST");
}

async fn another_content_type_is_refused(server: &Server) {
    let body = Server::mint_body(json!(recipient(0)), "1").to_string();
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonp",
        "",
    ] {
        send(server, wrong, &body).await.error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    for right in ["application/json; charset=utf-8", "Application/JSON"] {
        send(server, right, &body).await.ok();
    }
}

async fn an_empty_body_lacks_its_fields(server: &Server) {
    let answer = send(server, "application/json", "").await;

    assert_eq!(
        answer.issues(),
        ["recipients required", "amounts required", "walletVerification required"]
    );
}

async fn an_unknown_route_is_told_so_in_the_envelope(server: &Server) {
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/nonsense",
        "/api/token/0x1/nonsense",
        "/nonsense",
        "/api/token/%ff/mint/x",
    ] {
        server.get(&server.world.issuer, path).await.error(404, "NOT_FOUND");
        server
            .call(Method::POST, None, path)
            .send()
            .await
            .error(404, "NOT_FOUND");
    }
}

async fn a_wrong_method_is_told_which_are_there(server: &Server) {
    let path = Server::mint_path(&server.world.equity);
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = server.request(method, &server.world.issuer, &path).send().await;

        answer.error(405, "METHOD_NOT_SUPPORTED");
        assert_eq!(answer.header("Allow"), Some("POST"));
    }
    let answer = server.post(&server.world.issuer, "/livez", &json!({})).await;
    answer.error(405, "METHOD_NOT_SUPPORTED");
    assert_eq!(answer.header("Allow"), Some("GET"));
}

async fn the_request_id_is_the_callers_when_it_is_a_good_one(server: &Server) {
    let path = "/livez";
    let given = server
        .call(Method::GET, None, path)
        .header("X-Request-Id", "my-request-17")
        .send()
        .await;
    assert_eq!(given.header("X-Request-Id"), Some("my-request-17"));

    for bad in ["", "with space", &"x".repeat(300), "<script>"] {
        let answer = server
            .call(Method::GET, None, path)
            .header("X-Request-Id", bad)
            .send()
            .await;
        let id = answer.header("X-Request-Id").unwrap();
        assert!(!id.is_empty() && id != bad, "{bad}");
    }
}

async fn nobody_may_keep_or_guess_at_an_answer(server: &Server) {
    let answer = server.call(Method::GET, None, "/api/operations").send().await;

    answer.error(401, "UNAUTHORIZED");
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
}

async fn health_is_told_to_everybody(server: &Server) {
    let live = server.call(Method::GET, None, "/livez").send().await;
    assert_eq!((live.status.as_u16(), live.text.as_str()), (200, "ok"));
    for path in ["/readyz", "/healthz"] {
        let body = server.call(Method::GET, None, path).send().await.ok();
        assert_eq!(body["status"], "ready", "{body}");
        assert_eq!(body["policyHash"], json!(server.app.policy().hash));
    }
}

async fn the_document_and_its_page_are_served_from_here(server: &Server) {
    let document = server.call(Method::GET, None, "/openapi.json").send().await;
    assert_eq!(document.body["openapi"].as_str().unwrap()[..3], *"3.1");

    let page = server.call(Method::GET, None, "/docs/").send().await;
    assert_eq!(page.status.as_u16(), 200);
    assert!(
        !page.text.contains("http://") && !page.text.contains("https://"),
        "{}",
        page.text
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_may_be_as_large_as_the_setting_says_and_not_larger() {
    let server = Server::start_with(
        Database::Sqlite,
        &Options::default().with("server.body_bytes_max", 2_048),
    )
    .await;
    let sized = |size: usize| {
        let mut body = Server::mint_body(json!(recipient(0)), "1");
        body["pad"] = json!("");
        let rest = size - body.to_string().len();
        body["pad"] = json!("x".repeat(rest));
        assert_eq!(body.to_string().len(), size);
        body.to_string()
    };

    send(&server, "application/json", &sized(2_047)).await.ok();
    send(&server, "application/json", &sized(2_048)).await.ok();
    let refused = send(&server, "application/json", &sized(2_049)).await;

    refused.error(413, "PAYLOAD_TOO_LARGE");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_arrive_is_not_waited_for_in_any_dialect() {
    let options = Options::default().with("server.body_seconds", 1);
    let server = Server::start_with(Database::Sqlite, &options).await;
    let secret = minting(&server, "Game", Tier::Standard).await.secret;

    for (path, header, envelope) in [
        ("/mint_access", "Accept: */*".to_owned(), "\"status\":false"),
        (
            "/v1/collections",
            format!("X-Immutable-Api-Key: {secret}"),
            "\"code\":\"VALIDATION_ERROR\"",
        ),
        (
            "/api/projects",
            format!("X-Api-Key: {}", server.world.admin.key),
            "\"code\":\"REQUEST_TIMEOUT\"",
        ),
    ] {
        let answer = answer_to_a_part(&server, path, &header).await;

        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}: {answer}");
        assert!(answer.contains(envelope), "{path}: {answer}");
    }
    server.finish().await;
}

/// What is said, until the connection is closed, to somebody who sends a byte of a body and no more.
async fn answer_to_a_part(server: &Server, path: &str, header: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: moneyer\r\n{header}\r\nContent-Type: application/json\r\n\
         Content-Length: 1048576\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    read.expect("the connection stays open").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_one_key_are_limited_where_it_is_configured() {
    let server = Server::start_with(Database::Sqlite, &Options::default().with("rate.api_key", 5)).await;
    let me = |key: &str| server.call(Method::GET, Some(key), "/api/operations").send();
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(me(&server.world.issuer.key).await);
    }

    let limited = statuses.iter().find(|answer| answer.status.as_u16() == 429);
    let limited = limited.expect("the sixth request within a minute is too many");
    let data: Value = limited.error(429, "RATE_LIMIT_EXCEEDED");
    let seconds = data["retryAfter"].as_u64().unwrap();
    assert!((1..=60).contains(&seconds), "{data}");
    assert_eq!(limited.header("Retry-After"), Some(seconds.to_string().as_str()));
    assert!(statuses[..5].iter().all(|answer| answer.status.as_u16() == 200));
    assert_eq!(
        me(&server.world.custodian.key).await.status.as_u16(),
        200,
        "another key is not limited"
    );
    server.finish().await;
}
