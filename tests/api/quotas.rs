//! Quotas are exact: what the statement computes is what the arithmetic says, and many takers in several processes get
//! together what one would get.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use moneyer::access::environment::Tier;
use moneyer::access::quota::{self, Account, Bucket, Rate, Taken};
use moneyer::db::{Db, Settings};
use moneyer::types::Timestamp;

use crate::both_databases;
use crate::support::{START, Server};

both_databases! {
    the_statement_computes_what_the_arithmetic_says,
    many_takers_in_three_processes_never_get_more_than_there_is,
    a_clock_that_is_behind_adds_nothing_and_takes_nothing_away,
}

fn after(micros: i64) -> Timestamp {
    Timestamp::from_micros(START.micros() + micros)
}

async fn take(db: &Db, account: &Account, rate: Rate, tokens: i64, now: Timestamp) -> Taken {
    let account = account.clone();
    db.write(move |tx| quota::take(tx, &account, rate, tokens, now))
        .await
        .unwrap()
}

/// The same requests by the statement and by [`Bucket`], with pauses around every edge; now and then another rate.
async fn the_statement_computes_what_the_arithmetic_says(server: &Server) {
    let rates = [
        Rate::new(677, 60, 677).unwrap(),
        Rate::new(200, 60, 2_000).unwrap(),
        Rate::new(677, 60, 10).unwrap(),
        Rate::bounded(Rate::TOKENS_MAX, 60, Rate::TOKENS_MAX),
    ];
    let account = Account::new("somebody", "mint", rates[0]);
    let mut bucket = Bucket::full(rates[0], START);
    let (mut now, mut seed, mut granted) = (0, 7_u64, 0);

    for step in 0..400 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let random = i64::try_from(seed >> 33).unwrap();
        let rate = rates[usize::try_from(step / 50 % 4).unwrap()];
        now += [0, 1, 88_626, 88_627, 299_999, 300_000, 59_999_999, -5][usize::try_from(random % 8).unwrap()];
        let tokens = 1 + random / 8 % rate.burst();

        bucket = bucket.at(rate, after(now));
        let expected = bucket.take(rate, tokens);
        let taken = take(server.app.db(), &account, rate, tokens, after(now)).await;

        let standing = bucket.standing(rate);
        let expected = match expected {
            true => Taken::Granted(standing),
            false => Taken::Refused {
                standing,
                wait_micros: bucket.wait_micros(rate, tokens),
            },
        };
        granted += i64::from(matches!(taken, Taken::Granted(_)));
        assert_eq!(taken, expected, "step {step}, {tokens} at {now}");
    }
    assert!((50..350).contains(&granted), "both outcomes are tried: {granted}");
}

/// Three pools of connections, as three processes have them, ask for 5,000 tokens of an environment of tier Standard.
async fn many_takers_in_three_processes_never_get_more_than_there_is(server: &Server) {
    // One writer at a time makes SQLite slow, and exact without our help.
    let asked = if server.app.db().has_single_writer() {
        900
    } else {
        5_000
    };
    let rate = match asked {
        5_000 => Tier::Standard.rate(),
        _ => Rate::new(200, 60, 500).unwrap(),
    };
    let account = Account::new("environment", "mint", rate);
    let granted = Arc::new(AtomicI64::new(0));
    let processes: Vec<Db> = (0..3).map(|_| connect(server)).collect();

    let burst = async |now: Timestamp, asked: i64| {
        granted.store(0, Ordering::SeqCst);
        let left = Arc::new(AtomicI64::new(asked));
        let takers = (0..24).map(|taker: usize| {
            let (db, account) = (processes[taker % 3].clone(), account.clone());
            let (left, granted) = (Arc::clone(&left), Arc::clone(&granted));
            tokio::spawn(async move {
                // Requests of one to seven tokens, as callers make them.
                let tokens = i64::try_from(taker % 7).unwrap() + 1;
                while left.fetch_sub(tokens, Ordering::SeqCst) > 0 {
                    if matches!(take(&db, &account, rate, tokens, now).await, Taken::Granted(_)) {
                        granted.fetch_add(tokens, Ordering::SeqCst);
                    }
                }
            })
        });
        for taker in takers.collect::<Vec<_>>() {
            taker.await.unwrap();
        }
        // What is left over is less than the largest request: one by one the rest goes, and no more.
        while matches!(take(&processes[0], &account, rate, 1, now).await, Taken::Granted(_)) {
            granted.fetch_add(1, Ordering::SeqCst);
        }
        granted.load(Ordering::SeqCst)
    };

    assert_eq!(burst(START, asked).await, rate.burst());
    assert_eq!(burst(after(299_999), 10).await, 0);
    assert_eq!(burst(after(300_000), 10).await, 1);
    assert_eq!(burst(after(300_000 + 60_000_000), 400).await, 200);
}

/// Another process may have another time.
async fn a_clock_that_is_behind_adds_nothing_and_takes_nothing_away(server: &Server) {
    let rate = Rate::new(60, 60, 10).unwrap();
    let account = Account::new("environment", "mint", rate);
    let take = async |tokens, now| take(server.app.db(), &account, rate, tokens, now).await;
    take(10, after(0)).await;

    assert!(matches!(take(1, after(-60_000_000)).await, Taken::Refused { .. }));
    assert!(matches!(take(1, after(999_999)).await, Taken::Refused { .. }));
    assert!(matches!(take(1, after(1_000_000)).await, Taken::Granted(_)));
    assert!(matches!(take(1, after(1_999_999)).await, Taken::Refused { .. }));
}

fn connect(server: &Server) -> Db {
    let settings = Settings {
        url: server.database.url.clone().into(),
        connections_max: 8,
        wait: Duration::from_secs(60),
    };
    Db::connect(&settings).unwrap()
}
