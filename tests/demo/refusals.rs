//! What a start refuses.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::stage::{Place, moneyer, refusal_of};
use crate::support::{Database, TestDatabase};

#[test]
fn a_used_port_and_a_folder_that_cannot_be_written_are_refused() {
    let place = Place::new(None);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = place.folder.path().join("file");
    fs::write(&file, "").unwrap();

    assert!(place.refusal(&["--listen", &taken]).contains(&taken));
    assert!(place.refusal(&["--metrics-listen", &taken]).contains(&taken));
    assert!(
        place
            .refusal(&["--data", file.to_str().unwrap()])
            .contains("cannot write")
    );
    assert!(!place.path("secrets.json").exists());
}

/// Where there is neither a node nor what one could be installed from.
fn nowhere(place: &Place, more: &[&str]) -> Command {
    let mut command = place.command(more);
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    command
        .current_dir(place.folder.path())
        .env("MONEYER_POLICIES__DIR", policies);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_node_a_demo_settles_in_its_book_and_says_so_unless_a_chain_was_asked_for() {
    let place = Place::new(None);

    let asked = refusal_of(nowhere(&place, &["--settlement", "evm"]));
    let named = refusal_of(nowhere(&place, &["--node", "/nonexistent/anvil"]));
    assert!(asked.contains("cannot settle on a chain"), "{asked}");
    assert!(named.contains("/nonexistent/anvil"), "{named}");
    assert!(!place.path("secrets.json").exists());

    let mut demo = place.start_with(nowhere(&place, &[]));
    let manifest = demo.ready().await;
    assert!(!manifest.is_on_chain());
    assert!(demo.printed().contains("for want of a chain"), "{}", demo.printed());
    manifest.supply_after_one_more().await;
    demo.stop();

    // What it began with it keeps, also where there is a node.
    let mut demo = place.start(&[]);
    assert!(!demo.ready().await.is_on_chain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_no_demo_created_is_left_alone_on_sqlite() {
    refuses_foreign(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_no_demo_created_is_left_alone_on_postgres() {
    refuses_foreign(Database::Postgres).await;
}

async fn refuses_foreign(kind: Database) {
    let database = TestDatabase::empty(kind).await;
    let (url, wallet) = (database.url.clone(), "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
    let bootstrap = [
        "admin",
        "bootstrap",
        "--name",
        "Somebody",
        "--wallet",
        wallet,
        "--database",
        &url,
    ];
    // Of a server that is no demo.
    let own = [
        ("MONEYER_SECRETS__PEPPER", "11".repeat(32)),
        ("MONEYER_SECRETS__DATA_KEY", "22".repeat(32)),
    ];
    let bootstrapped = moneyer(&bootstrap).envs(own.clone()).output();
    assert!(bootstrapped.unwrap().status.success());
    let place = Place::new(Some(url.clone()));

    for more in [[].as_slice(), &["--reset"]] {
        assert!(place.refusal(more).contains("no demo created"));
    }

    let users = moneyer(&["admin", "user", "list", "--database", &url])
        .envs(own)
        .output()
        .unwrap();
    let users = String::from_utf8(users.stdout).unwrap();
    assert!(users.contains("Somebody") && users.lines().count() == 1, "{users}");
    database.remove().await;
}
