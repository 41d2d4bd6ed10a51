//! The database goes away and comes back (dalp.md A7): 503, no half answers, recovery by itself. PostgreSQL only: SQLite
//! is a file of this machine.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Database, Options, Server, recipient};

async fn impatient() -> Server {
    Server::start_with(Database::Postgres, &Options::default().with("database.wait_seconds", 1)).await
}

async fn ready(server: &Server) -> Answer {
    server.call(Method::GET, None, "/readyz").send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_every_answer_is_503_and_afterwards_all_is_well() {
    let server = impatient().await;
    let (world, equity) = (&server.world, server.world.equity);
    server.mint(&equity, &recipient(0), 1).await.ok();

    server.database.go_away().await;
    let path = Server::mint_path(&equity);
    let away = [
        server.mint(&equity, &recipient(0), 2).await,
        server
            .check(&equity, &Server::mint_body(json!(recipient(0)), "1"))
            .await,
        server.get(&world.issuer, "/api/operations").await,
        server
            .request(Method::POST, &world.issuer, &path)
            .text("application/json", "{broken")
            .send()
            .await,
    ];
    for answer in &away {
        answer.error(503, "SERVICE_UNAVAILABLE");
        assert_eq!(answer.header("Retry-After"), Some("1"));
    }
    assert_eq!(ready(&server).await.status.as_u16(), 503);
    let live = server.call(Method::GET, None, "/livez").send().await;
    assert_eq!(live.status.as_u16(), 200, "the process itself is well");

    server.database.come_back().await;
    assert_eq!(ready(&server).await.status.as_u16(), 200);
    server.mint(&equity, &recipient(0), 4).await.ok();
    assert_eq!(server.asset(&equity).await.supply.to_string(), "5");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_while_they_rest_are_replaced_without_an_error() {
    let server = impatient().await;
    let equity = server.world.equity;
    join_all((0..16).map(|number| {
        let server = &server;
        async move { server.mint(&equity, &recipient(number), 1).await }
    }))
    .await;

    server.database.go_away().await;
    server.database.come_back().await;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;

    for number in 0..8 {
        server.mint(&equity, &recipient(number), 1).await.ok();
    }
    server.finish().await;
}

/// Clients that ask again under the same key until they are answered: each wish is there once, whenever the database
/// went away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_asked_again_after_an_outage_is_minted_once() {
    let server = impatient().await;
    let equity = server.world.equity;
    server.mint(&equity, &recipient(0), 1).await.ok();
    let is_over = AtomicBool::new(false);
    let client = |client: u16| {
        let (server, is_over) = (&server, &is_over);
        async move {
            let mut wishes = 0_u64;
            while !is_over.load(Ordering::SeqCst) {
                let key = format!("client-{client}-{wishes}");
                while !asked(server, client, &key).await {}
                wishes += 1;
            }
            wishes
        }
    };
    let outages = async {
        for _ in 0..3 {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            server.database.go_away().await;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            server.database.come_back().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        is_over.store(true, Ordering::SeqCst);
    };

    let (wishes, ()) = tokio::join!(join_all((0..8).map(client)), outages);

    let total: u64 = wishes.iter().sum();
    assert!(total > 8, "there was work between the outages: {total}");
    assert_eq!(server.asset(&equity).await.supply.to_string(), (total + 1).to_string());
    server.finish().await;
}

/// Whether the wish was answered; 503 is the only other answer.
async fn asked(server: &Server, client: u16, key: &str) -> bool {
    let body = Server::mint_body(json!(recipient(client)), "1");
    let path = Server::mint_path(&server.world.equity);
    let request = server.request(Method::POST, &server.world.issuer, &path);
    let answer = request.idempotency_key(key).json(&body).send().await;
    if !answer.is_success() {
        answer.error(503, "SERVICE_UNAVAILABLE");
    }
    answer.is_success()
}
