//! Lists that anybody may read: found by an index in their order, walked with their own cursors alone.

use std::sync::{Arc, Mutex};

use diesel::connection::{Connection as _, InstrumentationEvent, get_default_instrumentation};
use diesel::prelude::*;
use diesel::sql_types::Text;
use moneyer::access::environment::Tier;
use moneyer::collection::{
    self, ActivityFilter, ActivityKind, Collection, Minting as Way, NftFilter, OwnerFilter, StackFilter, Window,
};
use moneyer::db::{Bulk, Tx};
use moneyer::error::Error;
use moneyer::types::{ActivityId, Address, Amount, Hash32, MetadataId, RowId, Timestamp, TokenId};
use serde_json::{Value, json};

use super::minting::{base, found, get, get_with, list, mint, settle, wish};
use super::minting_shell::{minting, refused};
use crate::both_databases;
use crate::support::Server;

both_databases! {
    no_filter_makes_the_server_walk_a_table,
    a_cursor_of_another_list_is_refused,
    what_changed_since_a_time_is_walked_in_the_order_of_the_changes,
    who_gave_or_got_something_finds_all_of_it_once,
    activities_between_two_times_end_before_the_second,
    a_reference_tells_of_the_request_that_is_on_the_list,
}

// --- plans ----------------------------------------------------------------------------------------------------------

/// Rows of each table: enough for a planner to mind.
const ROWS: u64 = 3_000;

fn account(number: u64) -> Address {
    let mut bytes = [7; 20];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Address::from_bytes(bytes)
}

/// As many tokens as rows, each of its own owner, each with a movement and metadata of its own.
fn fill(tx: &mut Tx<'_>, collection: &Collection, now: Timestamp) -> Result<(), Error> {
    let assets = || vec![*collection.id.as_uuid(); usize::try_from(ROWS).unwrap()];
    let each = || 0..ROWS;
    let at = |number: u64| Timestamp::from_micros(now.micros() + i64::try_from(number).unwrap());
    let tokens = || each().map(Amount::from).collect::<Vec<_>>();
    let times = || each().map(at).collect::<Vec<_>>();
    let stacks: Vec<MetadataId> = each().map(|_| MetadataId::generate()).collect();
    let stacks: Vec<_> = stacks.iter().map(|id| *id.as_uuid()).collect();
    let hash = |number: u64| Hash32::from_bytes([(number % 251) as u8; 32]);
    Bulk::into("nft_metadata")
        .column("asset_id", assets())
        .column("id", stacks.clone())
        .column("attributes", vec!["[]"; assets().len()])
        .column("digest", each().map(hash).collect::<Vec<_>>())
        .column("created_at", times())
        .column("updated_at", times())
        .execute(tx)?;
    Bulk::into("nft_tokens")
        .column("asset_id", assets())
        .column("token_id", tokens())
        .column("id", each().map(|_| *RowId::generate().as_uuid()).collect::<Vec<_>>())
        .column("metadata_id", stacks)
        .column("total_supply", vec![Amount::ONE; assets().len()])
        .column("indexed_at", times())
        .column("updated_at", times())
        .execute(tx)?;
    Bulk::into("nft_balances")
        .column("asset_id", assets())
        .column("token_id", tokens())
        .column("account", each().map(account).collect::<Vec<_>>())
        .column("id", each().map(|_| *RowId::generate().as_uuid()).collect::<Vec<_>>())
        .column("balance", vec![Amount::ONE; assets().len()])
        .column("updated_at", times())
        .execute(tx)?;
    let kinds = ActivityKind::ALL.map(ActivityKind::text);
    Bulk::into("activities")
        .column("asset_id", assets())
        .column("transaction_hash", each().map(hash).collect::<Vec<_>>())
        .column(
            "log_index",
            each().map(|number| i64::try_from(number).unwrap()).collect::<Vec<_>>(),
        )
        .column("position", vec![0_i32; assets().len()])
        .column(
            "id",
            each().map(|_| *ActivityId::generate().as_uuid()).collect::<Vec<_>>(),
        )
        .column(
            "kind",
            each().map(|number| kinds[(number % 3) as usize]).collect::<Vec<_>>(),
        )
        .column("sender", each().map(account).collect::<Vec<_>>())
        .column(
            "recipient",
            each().map(|number| account(number + 1)).collect::<Vec<_>>(),
        )
        .column("token_id", tokens())
        .column("amount", vec![Amount::ONE; assets().len()])
        .column("block_number", vec![1_i64; assets().len()])
        .column("block_hash", each().map(hash).collect::<Vec<_>>())
        .column("transaction_index", vec![0_i64; assets().len()])
        .column("indexed_at", times())
        .execute(tx)?;
    Ok(())
}

type Run = Box<dyn Fn(&mut Tx<'_>, &Window) -> Result<Option<String>, Error>>;

/// What a list is narrowed by, and the columns that are to be looked up: one list of them for each query.
fn lists(collection: &Collection, now: Timestamp) -> Vec<(&'static str, Vec<&'static str>, Run)> {
    let id = Some(collection.id);
    let token = TokenId::from(Amount::from(9_u64));
    let activities = |filter: ActivityFilter| -> Run {
        Box::new(move |tx, window| Ok(collection::activities(tx, &filter, window)?.next))
    };
    let tokens = |collection, updated_since| -> Run {
        let filter = NftFilter {
            collection,
            updated_since,
            ..NftFilter::default()
        };
        Box::new(move |tx, window| Ok(collection::nfts(tx, &filter, window)?.next))
    };
    let owners = |collection, updated_since| -> Run {
        let filter = OwnerFilter {
            collection,
            updated_since,
            ..OwnerFilter::default()
        };
        Box::new(move |tx, window| Ok(collection::owners(tx, &filter, window)?.next))
    };
    let stacks = |collection, updated_since| -> Run {
        let filter = StackFilter {
            collection,
            updated_since,
            ..StackFilter::default()
        };
        Box::new(move |tx, window| Ok(collection::stacks(tx, &filter, window)?.next))
    };
    let none = ActivityFilter::default;
    let kind = Some(ActivityKind::Burn);
    let since = Some(now);
    vec![
        (
            "account",
            vec!["sender", "recipient"],
            activities(ActivityFilter {
                account: Some(account(5)),
                ..none()
            }),
        ),
        ("kind", vec!["kind"], activities(ActivityFilter { kind, ..none() })),
        (
            "collection and kind",
            vec!["kind"],
            activities(ActivityFilter {
                collection: id,
                kind,
                ..none()
            }),
        ),
        (
            "token",
            vec!["token_id"],
            activities(ActivityFilter {
                token_id: Some(token),
                ..none()
            }),
        ),
        (
            "collection and token",
            vec!["token_id"],
            activities(ActivityFilter {
                collection: id,
                token_id: Some(token),
                ..none()
            }),
        ),
        (
            "time",
            vec!["indexed_at"],
            activities(ActivityFilter {
                indexed_since: since,
                ..none()
            }),
        ),
        (
            "collection and time",
            vec!["indexed_at"],
            activities(ActivityFilter {
                collection: id,
                indexed_since: since,
                indexed_until: Some(now.plus_seconds(60)),
                ..none()
            }),
        ),
        (
            "kind and time",
            vec!["indexed_at"],
            activities(ActivityFilter {
                kind,
                indexed_since: since,
                ..none()
            }),
        ),
        ("tokens", vec!["updated_at"], tokens(None, since)),
        ("tokens of a collection", vec!["updated_at"], tokens(id, since)),
        ("owners", vec!["updated_at"], owners(None, since)),
        ("owners in a collection", vec!["updated_at"], owners(id, since)),
        ("stacks", vec!["updated_at"], stacks(None, since)),
        ("stacks of a collection", vec!["updated_at"], stacks(id, since)),
    ]
}

/// The statements of a run.
fn recorded<T>(tx: &mut Tx<'_>, run: impl FnOnce(&mut Tx<'_>) -> T) -> (T, Vec<String>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&log);
    let record = move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            let (sql, _) = text.split_once(" -- binds").unwrap_or((&text, ""));
            kept.lock().unwrap().push(sql.to_owned());
        }
    };
    match tx {
        Tx::Pg(c) => c.set_instrumentation(record),
        Tx::Sqlite(c) => c.set_instrumentation(record),
    }
    let result = run(tx);
    match tx {
        Tx::Pg(c) => c.set_instrumentation(get_default_instrumentation()),
        Tx::Sqlite(c) => c.set_instrumentation(get_default_instrumentation()),
    }
    let log = log.lock().unwrap().clone();
    (result, log)
}

#[derive(QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PgStep {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

/// How a statement is carried out whatever its values are, a line per step.
fn plan_of(tx: &mut Tx<'_>, sql: &str) -> Result<Vec<String>, Error> {
    match tx {
        Tx::Sqlite(c) => {
            let steps: Vec<SqliteStep> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(*c)?;
            Ok(steps.into_iter().map(|step| step.detail).collect())
        }
        Tx::Pg(c) => {
            let count = (1..).take_while(|number| sql.contains(&format!("${number}"))).count();
            let values = vec!["NULL"; count].join(", ");
            diesel::sql_query(format!("PREPARE asked AS {sql}")).execute(*c)?;
            let steps: Vec<PgStep> = diesel::sql_query(format!("EXPLAIN EXECUTE asked ({values})")).load(*c)?;
            diesel::sql_query("DEALLOCATE asked").execute(*c)?;
            Ok(steps.into_iter().map(|step| step.line).collect())
        }
    }
}

/// What is wrong with a plan that is to look a column up and to sort nothing.
fn fault(plan: &[String], column: &str) -> Option<String> {
    let is_lookup = |line: &&String| line.contains("SEARCH") || line.contains("Index Cond");
    let looks_up = plan.iter().filter(is_lookup).any(|line| line.contains(column));
    let walks = ["SCAN ", "TEMP B-TREE", "Seq Scan", "Sort"];
    let is_walk = |line: &&String| walks.iter().any(|word| line.contains(word));
    match (looks_up, plan.iter().find(is_walk)) {
        (true, None) => None,
        _ => Some(plan.join(" / ")),
    }
}

async fn no_filter_makes_the_server_walk_a_table(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Amounts, 910).await;
    let (now, faults) = (server.now(), Arc::new(Mutex::new(Vec::new())));
    let told = Arc::clone(&faults);

    let undone = server.app.db().write(move |tx| {
        fill(tx, &swords, now)?;
        if let Tx::Pg(c) = tx {
            let settings = "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_sort = off; \
                SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; ANALYZE activities; \
                ANALYZE nft_tokens; ANALYZE nft_balances; ANALYZE nft_metadata";
            diesel::connection::SimpleConnection::batch_execute(*c, settings)?;
        }
        for (name, columns, run) in lists(&swords, now) {
            let (next, first) = recorded(tx, |tx| run(tx, &Window::first(1)));
            // Of one token there is one row, and no second part.
            let second = next?.map(|cursor| {
                let window = Window {
                    limit: 1,
                    cursor: Some(cursor),
                };
                recorded(tx, |tx| run(tx, &window)).1
            });
            for statements in [Some(first), second].into_iter().flatten() {
                let statements: Vec<&String> = statements.iter().filter(|sql| sql.contains("ORDER BY")).collect();
                assert_eq!(statements.len(), columns.len(), "{name}: {statements:?}");
                for (sql, column) in statements.into_iter().zip(&columns) {
                    let plan = plan_of(tx, sql)?;
                    told.lock()
                        .unwrap()
                        .extend(fault(&plan, column).map(|fault| format!("{name}: {fault}\n{sql}")));
                }
            }
        }
        Err::<(), _>(Error::NotFound("reason to keep this"))
    });

    assert!(matches!(undone.await, Err(Error::NotFound(_))));
    assert_eq!(*faults.lock().unwrap(), Vec::<String>::new());
}

// --- cursors --------------------------------------------------------------------------------------------------------

const CHAIN: &str = "/v1/chains/book";

async fn a_cursor_of_another_list_is_refused(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::ById, 911).await;
    let assets: Vec<Value> = (0..2).map(|n| wish(&format!("r{n}"), Some(&n.to_string()))).collect();
    assert_eq!(mint(server, &minting, &swords, json!(assets)).await.status, 202);
    settle(server, &swords, 0).await;
    let base = base(&swords);
    let since = "from_updated_at=2020-01-01T00:00:00Z";
    let lists = [
        format!("{base}/nfts/mint-requests?"),
        format!("{CHAIN}/nfts?"),
        format!("{CHAIN}/nfts?{since}&"),
        format!("{CHAIN}/nft-owners?"),
        format!("{CHAIN}/nft-owners?{since}&"),
        format!("{CHAIN}/activities?"),
    ];
    let mut cursors = Vec::new();
    for list in &lists {
        let page = get_with(server, &minting, &format!("{list}page_size=1")).await.ok();
        cursors.push(page["page"]["next_cursor"].as_str().unwrap().to_owned());
    }

    for (at, list) in lists.iter().enumerate() {
        for (of, cursor) in cursors.iter().enumerate() {
            let answer = get_with(server, &minting, &format!("{list}page_cursor={cursor}")).await;
            match at == of {
                true => assert_eq!(answer.status, 200, "{list}: {}", answer.text),
                false => {
                    refused(&answer, 400, "VALIDATION_ERROR");
                }
            }
        }
    }
    for nothing in ["/v1/chains?", "/v1/chains/book/activities?activity_type=sale&"] {
        assert_eq!(get(server, &format!("{nothing}page_size=1")).await.status, 200);
        for cursor in ["nonsense", &cursors[1]] {
            let answer = get(server, &format!("{nothing}page_cursor={cursor}")).await;
            refused(&answer, 400, "VALIDATION_ERROR");
        }
    }
    let own = get(
        server,
        &format!("{CHAIN}/activities?activity_type=sale&page_cursor={}", cursors[5]),
    )
    .await;
    assert_eq!(list(&own.ok()), Vec::<Value>::new());
}

async fn what_changed_since_a_time_is_walked_in_the_order_of_the_changes(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::ById, 912).await;
    for number in 0..5 {
        let mut asset = wish(&format!("r{number}"), Some(&number.to_string()));
        asset["metadata"] = json!({ "name": number.to_string() });
        assert_eq!(mint(server, &minting, &swords, json!([asset])).await.status, 202);
    }
    settle(server, &swords, 0).await;
    server.advance(60);
    let path = format!("{}/nfts/refresh-metadata", base(&swords));
    let body = json!({ "nft_metadata": [{ "token_id": "1", "name": "new" }] });
    let refreshed =
        super::minting::send(server, reqwest::Method::POST, Some(&minting.secret), &path, Some(&body)).await;
    assert_eq!(refreshed.status, 202, "{}", refreshed.text);
    let changed = server.now().to_micros_text();

    let only = get(server, &format!("{CHAIN}/nfts?from_updated_at={changed}"))
        .await
        .ok();
    let ids = |page: &Value| -> Vec<String> {
        list(page)
            .iter()
            .map(|nft| nft["token_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&only), ["1"]);
    let query = format!("{CHAIN}/nfts?from_updated_at=2020-01-01T00:00:00Z&page_size=2");
    let (mut walked, mut cursors, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let at = cursor.map_or_else(String::new, |cursor| format!("&page_cursor={cursor}"));
        let page = get(server, &format!("{query}{at}")).await.ok();
        walked.push(ids(&page));
        cursors.push(page["page"]["previous_cursor"].as_str().map(str::to_owned));
        cursor = page["page"]["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(walked[0][0], "1", "the newest change comes first");
    let mut all: Vec<String> = walked.concat();
    all.sort();
    assert_eq!(all, ["0", "1", "2", "3", "4"]);
    let back = get(server, &format!("{query}&page_cursor={}", cursors[2].clone().unwrap()))
        .await
        .ok();
    assert_eq!(ids(&back), walked[1]);
    let tomorrow = format!("{CHAIN}/nfts?from_updated_at=2099-01-01T00:00:00Z");
    assert_eq!(ids(&get(server, &tomorrow).await.ok()), Vec::<String>::new());
}

async fn who_gave_or_got_something_finds_all_of_it_once(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Amounts, 913).await;
    let (now, here) = (server.now(), swords.clone());
    let undone = server.app.db().write(move |tx| {
        fill(tx, &here, now)?;
        let filter = ActivityFilter {
            account: Some(account(5)),
            ..ActivityFilter::default()
        };
        let whole = collection::activities(tx, &filter, &Window::first(10))?.items;
        let first = collection::activities(tx, &filter, &Window::first(1))?;
        let next = Window {
            limit: 1,
            cursor: first.next.clone(),
        };
        let second = collection::activities(tx, &filter, &next)?;
        let back = Window {
            limit: 1,
            cursor: second.previous.clone(),
        };
        let back = collection::activities(tx, &filter, &back)?;
        let sides = |items: &[collection::Activity]| -> Vec<_> { items.iter().map(|one| (one.from, one.to)).collect() };
        let expected = [
            (Some(account(5)), Some(account(6))),
            (Some(account(4)), Some(account(5))),
        ];
        assert_eq!(sides(&whole), expected);
        assert_eq!(sides(&first.items), expected[..1]);
        assert_eq!((sides(&second.items), second.next), (expected[1..].to_vec(), None));
        assert_eq!((sides(&back.items), back.previous), (expected[..1].to_vec(), None));
        Err::<(), _>(Error::NotFound("reason to keep this"))
    });
    assert!(matches!(undone.await, Err(Error::NotFound(_))));
}

async fn activities_between_two_times_end_before_the_second(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::ById, 914).await;
    assert_eq!(
        mint(server, &minting, &swords, json!([wish("a", Some("1"))]))
            .await
            .status,
        202
    );
    settle(server, &swords, 0).await;
    let at = server.now();
    let count = async |from: Timestamp, to: Timestamp| {
        let query = format!(
            "from_updated_at={}&to_updated_at={}",
            from.to_micros_text(),
            to.to_micros_text()
        );
        list(&get(server, &format!("{CHAIN}/activity-history?{query}")).await.ok()).len()
    };
    let beside = |micros: i64| Timestamp::from_micros(at.micros() + micros);

    assert_eq!(count(at, beside(1)).await, 1);
    assert_eq!(count(at, at).await, 0);
    assert_eq!(count(beside(-1), at).await, 0);
    assert_eq!(count(beside(1), beside(2)).await, 0);
}

// --- one reference --------------------------------------------------------------------------------------------------

async fn a_reference_tells_of_the_request_that_is_on_the_list(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::ById, 915).await;
    let path = format!("{}/nfts/mint-requests", base(&swords));
    assert_eq!(
        mint(server, &minting, &swords, json!([wish("r", Some("1"))]))
            .await
            .status,
        202
    );
    let cancel = format!("{path}/r/cancel");
    let cancelled = super::minting::send(server, reqwest::Method::POST, Some(&minting.secret), &cancel, None);
    assert!(cancelled.await.is_success());
    assert_eq!(
        mint(server, &minting, &swords, json!([wish("r", Some("2"))]))
            .await
            .status,
        202
    );
    // The clock of the process that took the first was ahead.
    server
        .write(&server.world.admin, |tx, _| {
            let superseded = "UPDATE mint_requests SET id =";
            match tx {
                Tx::Pg(c) => {
                    let id = "'ffffffff-ffff-7fff-bfff-ffffffffffff'";
                    diesel::sql_query(format!("{superseded} {id} WHERE superseded")).execute(*c)?
                }
                Tx::Sqlite(c) => {
                    let id = "X'ffffffffffff7fffbfffffffffffffff'";
                    diesel::sql_query(format!("{superseded} {id} WHERE superseded")).execute(*c)?
                }
            };
            Ok(())
        })
        .await;

    let one = list(&get_with(server, &minting, &format!("{path}/r")).await.ok());
    let all = list(&get_with(server, &minting, &path).await.ok());

    assert_eq!(one, all);
    assert_eq!(
        (one[0]["status"].as_str(), one[0]["token_id"].as_str()),
        (Some("pending"), Some("2"))
    );
}
