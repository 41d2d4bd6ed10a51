//! Many mints at once: all of them land, each once and each on its own account.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use diesel::RunQueryDsl as _;
use futures_util::future::join_all;
use moneyer::asset::{self, AssetKind, NewAsset, NewModule};
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::mint::{Issued, MintLine, Request, Stored, Verdict};
use moneyer::on;
use moneyer::operation::IdempotencyKey;
use moneyer::types::{Address, Amount, sha256};
use moneyer::wallet::{self as wallet_domain, Method, SecretCodes, Shown};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::both_databases;
use crate::support::{Answer, Database, Options, PIN, Server, batch, recipient, token, wallet};

both_databases! {
    fifty_mints_at_once_all_land_once,
    mints_of_two_processes_at_once_all_land_once,
    a_cap_is_never_passed_however_many_ask_at_once,
    holders_are_counted_one_after_the_other_however_many_ask_at_once,
    who_is_refused_refuses_nobody_else,
    a_poisoned_neighbour_fails_alone,
    mints_of_several_assets_at_once_keep_to_their_own,
    a_mint_whose_caller_left_is_made_all_the_same,
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}

async fn supply(server: &Server, asset: &Address) -> String {
    server.asset(asset).await.supply.to_string()
}

async fn fifty_mints_at_once_all_land_once(server: &Server) {
    let equity = server.world.equity;

    let answers = join_all((0..50).map(|number| async move {
        // Each is one bit of the supply: nothing is lost and nothing is doubled.
        server.mint(&equity, &recipient(number), 1_u64 << number).await
    }))
    .await;

    assert_eq!(count(&answers, 200), 50);
    let operations: BTreeSet<&str> = answers
        .iter()
        .map(|answer| answer.header("X-Operation-Id").unwrap())
        .collect();
    assert_eq!(operations.len(), 50);
    assert_eq!(supply(server, &equity).await, ((1_u64 << 50) - 1).to_string());
    let checked = server.verify().await;
    assert_eq!((checked.mints, checked.recipients), (50, 50));
}

async fn mints_of_two_processes_at_once_all_land_once(server: &Server) {
    let (equity, replica) = (server.world.equity, server.replica());
    let recipients: Vec<Address> = (0..10).map(recipient).collect();

    let answers = join_all((0..40).map(|number| {
        let server = if number % 2 == 0 { server } else { &replica };
        server.mint_each(&equity, &recipients, 1)
    }))
    .await;

    assert_eq!(count(&answers, 200), 40);
    assert_eq!(supply(server, &equity).await, "400");
    replica.verify().await;
    replica.stop().await;
}

async fn a_cap_is_never_passed_however_many_ask_at_once(server: &Server) {
    let capped = NewAsset {
        cap: Some(Amount::from(10)),
        ..token(AssetKind::Deposit, "CAPPED")
    };
    let (capped, replica) = (server.found(capped).await, server.replica());

    let answers = join_all((0..50).map(|number| {
        let server = if number % 2 == 0 { server } else { &replica };
        async move { server.mint(&capped, &recipient(number), 1).await }
    }))
    .await;

    assert_eq!((count(&answers, 200), count(&answers, 422)), (10, 40));
    assert_eq!(supply(server, &capped).await, "10");
    replica.stop().await;
}

async fn holders_are_counted_one_after_the_other_however_many_ask_at_once(server: &Server) {
    let module = NewModule {
        type_id: "InvestorCountComplianceModule".to_owned(),
        module: None,
        values: json!({ "maxInvestors": 7 }),
    };
    let limited = NewAsset {
        modules: vec![module],
        ..token(AssetKind::Deposit, "LIMITED")
    };
    let limited = server.found(limited).await;

    let answers = join_all((0..40).map(|number| async move {
        // Every recipient twice.
        server.mint(&limited, &recipient(number / 2), 1).await
    }))
    .await;

    assert_eq!((count(&answers, 200), count(&answers, 422)), (14, 26));
    assert_eq!(server.asset(&limited).await.holders, 7);
}

async fn who_is_refused_refuses_nobody_else(server: &Server) {
    let equity = server.world.equity;

    let answers = join_all((0..60).map(|number| async move {
        let recipient = if number % 3 == 0 {
            wallet(900 + number)
        } else {
            recipient(number)
        };
        server.mint(&equity, &recipient, 1).await
    }))
    .await;

    for (number, answer) in answers.iter().enumerate() {
        match number % 3 {
            0 => assert_eq!(answer.findings(), ["0 identity_unknown"]),
            _ => assert_eq!(answer.status.as_u16(), 200, "{}", answer.text),
        }
    }
    assert_eq!(supply(server, &equity).await, "40");
}

/// Every fourth request breaks inside the commit, which takes down the whole transaction it is part of.
async fn a_poisoned_neighbour_fails_alone(server: &Server) {
    fn good(issued: &Issued) -> Result<Stored, Error> {
        Ok(Stored {
            status: 200,
            headers: Vec::new(),
            body: issued.operation.id.to_string(),
        })
    }
    fn poison(_: &Issued) -> Result<Stored, Error> {
        Err(Error::Internal("poison".to_owned()))
    }
    let issuer = &server.world.issuer;
    let pin = SecretString::from(PIN);
    let (verifier, now) = (server.app.verifier(), server.now());
    let proof = verifier
        .prove(server.app.db(), issuer.actor(), now, Method::Pincode, &pin)
        .await
        .unwrap();
    let equity = server.asset(&server.world.equity).await;
    let requests = (0..24_u8).map(|number| Request {
        ctx: server.ctx(issuer),
        asset: equity.id,
        lines: vec![MintLine {
            recipient: recipient(number.into()),
            amount: Amount::from(1),
        }],
        proof: proof.clone(),
        idempotency: Some((
            IdempotencyKey {
                user: issuer.user,
                route: "test".to_owned(),
                key: number.to_string(),
            },
            sha256(&[number]),
        )),
        render: if number % 4 == 0 { poison } else { good },
    });

    let verdicts = join_all(requests.map(|request| server.app.lanes().submit(request))).await;

    for (number, verdict) in verdicts.into_iter().enumerate() {
        match number % 4 {
            0 => assert!(matches!(verdict, Err(Error::Internal(_))), "{number}: {verdict:?}"),
            _ => assert!(matches!(verdict, Ok(Verdict::Accepted(_))), "{number}: {verdict:?}"),
        }
    }
    assert_eq!(supply(server, &server.world.equity).await, "18");
}

async fn mints_of_several_assets_at_once_keep_to_their_own(server: &Server) {
    let world = &server.world;
    let assets = [world.equity, world.stablecoin, world.bond, world.deposit, world.paused];

    let answers = join_all((0..50).map(|number| {
        let asset = &assets[number % 5];
        async move { server.mint(asset, &recipient(0), 1).await }
    }))
    .await;

    assert_eq!((count(&answers, 200), count(&answers, 422)), (40, 10));
    for asset in &assets[..4] {
        assert_eq!(supply(server, asset).await, "10");
    }
    assert_eq!(supply(server, &world.paused).await, "0");
}

/// Somebody else's transaction that holds the asset until it is told to let go.
struct Hold {
    release: mpsc::Sender<()>,
    holding: JoinHandle<Result<(), Error>>,
}

impl Hold {
    async fn of(holder: &Server, asset: &Address) -> Self {
        let (asset, (release, released)) = (*asset, mpsc::channel::<()>());
        let (held, is_held) = tokio::sync::oneshot::channel();
        let (released, held) = (std::sync::Mutex::new(released), std::sync::Mutex::new(Some(held)));
        let db = holder.app.db().clone();
        let holding = tokio::spawn(async move {
            db.write(move |tx| {
                let id = asset::find_by_address(tx, &asset)?.id;
                asset::lock(tx, id)?;
                if let Some(held) = held.lock().unwrap().take() {
                    held.send(()).unwrap();
                }
                // Without a limit a test that fails would hang.
                released.lock().unwrap().recv_timeout(Duration::from_secs(30)).unwrap();
                Ok(())
            })
            .await
        });
        is_held.await.unwrap();
        Self { release, holding }
    }

    async fn let_go(self) {
        self.release.send(()).unwrap();
        self.holding.await.unwrap().unwrap();
    }
}

/// The PIN is remembered and the use of the key noted, so that a mint has nothing to write before its lane.
async fn warm_up(server: &Server) {
    server.mint(&server.world.deposit, &recipient(0), 1).await.ok();
}

async fn a_mint_whose_caller_left_is_made_all_the_same(server: &Server) {
    let (equity, replica) = (server.world.equity, server.replica());
    warm_up(server).await;
    let hold = Hold::of(&replica, &equity).await;
    let first = recipient(0);
    let left = tokio::time::timeout(Duration::from_millis(300), server.mint(&equity, &first, 7)).await;
    assert!(left.is_err(), "the caller leaves while the mint waits");

    hold.let_go().await;

    while server.asset(&equity).await.supply.is_zero() {
        tokio::task::yield_now().await;
    }
    assert_eq!(supply(server, &equity).await, "7");
    replica.stop().await;
}

/// With room for 100 recipients: one batch is in its commit, one waits, and for the third there is no room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_queue_of_an_asset_is_full_the_next_is_told_to_come_back() {
    for database in [Database::Sqlite, Database::Postgres] {
        let server = Server::start_with(database, &Options::default().with("lanes.waiting_max", 100)).await;
        let (equity, replica) = (server.world.equity, server.replica());
        let path = Server::mint_path(&equity);
        let recipients: Vec<Address> = (0..100).map(recipient).collect();
        let body: Value = batch(&recipients, 1);
        warm_up(&server).await;
        let hold = Hold::of(&replica, &equity).await;

        let send = || server.post(&server.world.issuer, &path, &body);
        let (app, lanes) = (&server.app, server.app.lanes());
        let (first, second, refused) = tokio::join!(
            send(),
            async {
                until_it_stays(|| app.db().connections_in_use() == 1).await;
                send().await
            },
            async {
                until_it_stays(|| lanes.waiting() == 100).await;
                let refused = send().await;
                hold.let_go().await;
                refused
            }
        );

        refused.error(503, "SERVICE_UNAVAILABLE");
        assert_eq!(refused.header("Retry-After"), Some("1"));
        assert!(first.is_success() && second.is_success());
        assert_eq!(supply(&server, &equity).await, "200");
        send().await.ok();
        replica.stop().await;
        server.finish().await;
    }
}

/// Waits until something is so for a tenth of a second: what only passes by is gone by then.
async fn until_it_stays(is_so: impl Fn() -> bool) {
    let mut times = 0;
    for _ in 0..3_000 {
        times = if is_so() { times + 1 } else { 0 };
        if times == 10 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be so");
}

#[derive(diesel::QueryableByName)]
struct Waiting {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    sessions: i64,
}

/// Sessions of this database that wait for a lock. PostgreSQL only.
fn waiting(tx: &mut Tx<'_>) -> Result<i64, Error> {
    // Within a transaction the statistics are those of the first look.
    on!(tx, c => diesel::sql_query("SELECT pg_stat_clear_snapshot()").execute(c))?;
    let query = "SELECT count(*) AS sessions FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let found: Waiting = on!(tx, c => diesel::sql_query(query).get_result(c))?;
    Ok(found.sessions)
}

/// The documented order of locks: the asset, then the verification. Another transaction that keeps to it is never in the
/// way of a holder who moves to another country on the word of an officer with a one-time code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_with_a_one_time_code_locks_the_holders_assets_before_the_code() {
    let server = Server::start(Database::Postgres).await;
    let (deposit, officer) = (server.world.deposit, server.world.officer.clone());
    server.mint(&deposit, &recipient(0), 5).await.ok();
    let (set, vault) = (SecretCodes::generate().unwrap(), Arc::clone(server.app.vault()));
    let code = set.as_slice()[0].expose_secret().to_owned();
    server
        .write(&officer, move |tx, ctx| {
            wallet_domain::put_codes(tx, &vault, ctx, &set, Shown::Code)?;
            wallet_domain::confirm_codes(tx, ctx)
        })
        .await;
    let (id, db, user) = (server.asset(&deposit).await.id, server.app.db().clone(), officer.user);
    let (locked, mut is_locked) = tokio::sync::mpsc::channel(8);
    let other = std::thread::spawn(move || {
        let runs = AtomicUsize::new(0);
        db.write_blocking(|tx| {
            asset::lock(tx, id)?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                locked.try_send(()).unwrap();
                let begun = Instant::now();
                while waiting(tx)? == 0 && begun.elapsed() < Duration::from_secs(10) {}
            }
            // Shorter than it takes the database to find a deadlock, which it would end for us.
            on!(tx, c => diesel::sql_query("SET LOCAL lock_timeout = '400ms'").execute(c))?;
            let row = format!("SELECT FROM wallet_methods WHERE user_id = '{user}' FOR UPDATE");
            on!(tx, c => diesel::sql_query(row).execute(c))?;
            Ok(())
        })?;
        Ok::<_, Error>(runs.load(Ordering::SeqCst))
    });
    is_locked.recv().await.unwrap();

    let body = json!({
        "wallet": recipient(0), "country": "FR",
        "walletVerification": { "secretVerificationCode": code, "verificationType": "SECRET_CODES" },
    });
    let moved = server.put(&officer, "/api/system/identity", &body).await;

    let runs = tokio::task::spawn_blocking(move || other.join().unwrap());
    assert_eq!(runs.await.unwrap().unwrap(), 1, "it met nobody");
    assert_eq!(moved.ok()["registered"]["country"], "FR");
    server.finish().await;
}
