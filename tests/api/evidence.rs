//! The audit log from the outside (architecture, section 9): everything is in it, in order, and anybody can check it.

use std::collections::BTreeMap;

use diesel::RunQueryDsl as _;
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::on;
use moneyer::reports;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::both_databases;
use crate::steps::mint_lines;
use crate::support::{Database, Role, Server, recipient, wallet};

both_databases! {
    what_happens_to_an_asset_is_numbered_without_a_gap,
    every_leaf_hash_follows_from_what_is_shown,
    every_head_follows_from_the_leaf_hashes,
    pages_show_every_event_once,
    events_are_found_by_what_was_asked,
    the_log_is_read_as_a_table,
    the_log_is_for_those_with_a_role_on_the_asset_and_the_auditor,
    what_is_malformed_in_a_question_is_said,
    a_refused_right_a_wrong_code_and_a_refused_mint_are_events,
}

async fn events(server: &Server, query: &str) -> Vec<Value> {
    let auditor = &server.world.system[&Role::Auditor];
    let body = server.get(auditor, &format!("/api/audit{query}")).await.ok();
    body["events"].as_array().unwrap().clone()
}

async fn of_asset(server: &Server, asset: &moneyer::types::Address) -> Vec<Value> {
    events(server, &format!("?asset={asset}&limit=200")).await
}

fn words<'v>(events: &'v [Value], field: &str) -> Vec<&'v str> {
    events.iter().map(|event| event[field].as_str().unwrap()).collect()
}

/// JSON as the documentation of the log describes it: keys sorted by their bytes, no spaces.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&[u8], (&String, &Value)> = fields
                .iter()
                .map(|(key, field)| (key.as_bytes(), (key, field)))
                .collect();
            let fields = sorted
                .values()
                .map(|(key, field)| format!("{}:{}", json!(key), canonical(field)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        plain => plain.to_string(),
    }
}

fn leaf_hash(event: &Value) -> String {
    let mut hashed = event.clone();
    hashed.as_object_mut().unwrap().remove("leafHash");
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(canonical(&hashed).as_bytes());
    let digest: Vec<String> = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{}", digest.concat())
}

/// Some of everything on the equity.
async fn make_history(server: &Server) {
    let equity = server.world.equity;
    for number in 0..5 {
        server.mint(&equity, &recipient(number), number + 1).await.ok();
        server.advance(1);
    }
    mint_lines(server, &equity, &[(recipient(0), "10"), (recipient(1), "11")])
        .await
        .ok();
    mint_lines(server, &equity, &[(recipient(0), "10"), (wallet(999), "11")])
        .await
        .error(422, "RECIPIENT_IDENTITY_NOT_FOUND");
}

async fn what_happens_to_an_asset_is_numbered_without_a_gap(server: &Server) {
    make_history(server).await;

    let events = of_asset(server, &server.world.equity).await;

    let numbers: Vec<i64> = events
        .iter()
        .rev()
        .map(|event| event["sequence"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
    let actions = words(&events, "action");
    assert_eq!(actions.iter().filter(|action| **action == "mint.accepted").count(), 6);
    assert_eq!(actions[0], "mint.refused");
    assert_eq!(actions[actions.len() - 1], "asset.created");
    assert!(
        words(&events, "stream")
            .iter()
            .all(|stream| stream.starts_with("asset:"))
    );
}

async fn every_leaf_hash_follows_from_what_is_shown(server: &Server) {
    make_history(server).await;

    let all = events(server, "?limit=200").await;

    assert!(all.len() > 50, "{}", all.len());
    for event in all {
        assert_eq!(event["leafHash"], json!(leaf_hash(&event)), "{event}");
    }
}

async fn pages_show_every_event_once(server: &Server) {
    make_history(server).await;
    let whole = of_asset(server, &server.world.equity).await;
    let auditor = &server.world.system[&Role::Auditor];
    let mut paged = Vec::new();
    let mut cursor = None::<String>;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/api/audit?asset={}&limit=4{after}", server.world.equity);
        let body = server.get(auditor, &path).await.ok();
        let page = body["events"].as_array().unwrap();
        assert!(page.len() <= 4);
        paged.extend(page.clone());
        match body["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, whole);
}

async fn events_are_found_by_what_was_asked(server: &Server) {
    make_history(server).await;
    let equity = server.world.equity;
    let of = |query: String| {
        let path = format!("?asset={equity}&{query}");
        async move { events(server, &path).await }
    };

    assert_eq!(of("action=mint.accepted".into()).await.len(), 6);
    assert_eq!(of("action=mint.refused".into()).await.len(), 1);
    assert_eq!(of("action=nothing".into()).await.len(), 0);
    let actor = server.world.issuer.actor().name();
    assert_eq!(of(format!("actor={actor}")).await.len(), 7);
    // Named in two accepted mints and in the refused one.
    assert_eq!(of(format!("recipient={}", recipient(0))).await.len(), 3);
    assert_eq!(of(format!("recipient={}", wallet(999))).await.len(), 1);
    // The first mint was at the start, each of the next four a second later; from counts, to does not.
    let window = "from=2026-06-01T12:00:01Z&to=2026-06-01T12:00:03Z";
    assert_eq!(of(window.into()).await.len(), 2);
    assert_eq!(of(format!("{window}&recipient={}", recipient(2))).await.len(), 1);
}

async fn every_head_follows_from_the_leaf_hashes(server: &Server) {
    make_history(server).await;
    let auditor = &server.world.system[&Role::Auditor];
    let equity = server.world.equity;

    let of_equity = server
        .get(auditor, &format!("/api/audit/heads?asset={equity}"))
        .await
        .ok();
    let first = server.get(auditor, "/api/audit/heads?limit=1").await.ok();
    let after = first["nextCursor"].as_str().unwrap();
    let second = server
        .get(auditor, &format!("/api/audit/heads?limit=200&cursor={after}"))
        .await
        .ok();

    let mut events = of_asset(server, &equity).await;
    events.reverse();
    let head = events.iter().fold([0; 32], |head: [u8; 32], event| {
        let leaf = event["leafHash"].as_str().unwrap().trim_start_matches("0x");
        let leaf = data_encoding::HEXLOWER.decode(leaf.as_bytes()).unwrap();
        Sha256::digest([head.as_slice(), &leaf].concat()).into()
    });
    let expected = json!({
        "stream": events[0]["stream"],
        "sequence": events.len(),
        "head": format!("0x{}", data_encoding::HEXLOWER.encode(&head)),
    });
    assert_eq!(of_equity["heads"], json!([expected]));
    assert_eq!(of_equity["nextCursor"], Value::Null);
    let rest = second["heads"].as_array().unwrap();
    assert_ne!(first["heads"][0]["stream"], rest[0]["stream"]);
    assert!(
        first["heads"]
            .as_array()
            .unwrap()
            .iter()
            .chain(rest)
            .any(|head| *head == expected)
    );
    server
        .get(&server.world.issuer, "/api/audit/heads")
        .await
        .error(403, "USER_NOT_AUTHORIZED");
}

async fn the_log_is_read_as_a_table(server: &Server) {
    make_history(server).await;
    let auditor = &server.world.system[&Role::Auditor];
    let path = format!("/api/audit?asset={}&limit=200", server.world.equity);

    let answer = server
        .request(Method::GET, auditor, &path)
        .header("Accept", "text/csv")
        .send()
        .await;

    assert!(answer.header("Content-Type").unwrap().starts_with("text/csv"));
    let mut reader = csv::Reader::from_reader(answer.text.as_bytes());
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let expected = [
        "stream",
        "sequence",
        "at",
        "actor",
        "action",
        "assetId",
        "operationId",
        "data",
        "leafHash",
    ];
    assert_eq!(head, expected);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let events = of_asset(server, &server.world.equity).await;
    assert_eq!(rows.len(), events.len());
    for (row, event) in rows.iter().zip(&events) {
        assert_eq!(row[8], *event["leafHash"].as_str().unwrap());
        assert_eq!(serde_json::from_str::<Value>(&row[7]).unwrap(), event["data"]);
    }
}

async fn the_log_is_for_those_with_a_role_on_the_asset_and_the_auditor(server: &Server) {
    let world = &server.world;
    let of_equity = format!("/api/audit?asset={}", world.equity);
    for person in world.on_assets.values() {
        server.get(person, &of_equity).await.ok();
        server.get(person, "/api/audit").await.error(403, "USER_NOT_AUTHORIZED");
    }
    for (role, person) in &world.system {
        for path in ["/api/audit", &of_equity] {
            let status = server.get(person, path).await.status.as_u16();
            assert_eq!(status, if *role == Role::Auditor { 200 } else { 403 }, "{role} {path}");
        }
    }
    server
        .get(&world.outsider, &of_equity)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    server
        .call(Method::GET, None, &of_equity)
        .send()
        .await
        .error(401, "UNAUTHORIZED");
}

async fn what_is_malformed_in_a_question_is_said(server: &Server) {
    let auditor = &server.world.system[&Role::Auditor];
    for (query, path) in [
        ("asset=ACME", "asset format"),
        ("recipient=0x1", "recipient format"),
        ("from=yesterday", "from format"),
        ("to=2026-13-01T00:00:00Z", "to format"),
        ("limit=0", "limit range"),
        ("limit=201", "limit range"),
        ("limit=ten", "limit range"),
        ("cursor=nonsense", "cursor format"),
    ] {
        let answer = server.get(auditor, &format!("/api/audit?{query}")).await;
        assert_eq!(answer.issues(), [path], "{query}");
    }
    server
        .get(auditor, &format!("/api/audit?asset={}", wallet(999)))
        .await
        .error(404, "NOT_FOUND");
}

async fn a_refused_right_a_wrong_code_and_a_refused_mint_are_events(server: &Server) {
    let world = &server.world;
    let path = Server::mint_path(&world.equity);
    let mut wrong = Server::mint_body(json!(recipient(0)), "1");
    wrong["walletVerification"]["secretVerificationCode"] = json!("000000");
    let unknown = Server::mint_body(json!(wallet(999)), "1");

    server
        .post(&world.custodian, &path, &unknown)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    server
        .post(&world.issuer, &path, &wrong)
        .await
        .error(401, "CHALLENGE_FAILED");
    server
        .post(&world.issuer, &path, &unknown)
        .await
        .error(422, "RECIPIENT_IDENTITY_NOT_FOUND");

    let by = |person: &crate::support::Person, action: &str| {
        let query = format!("?actor={}&action={action}", person.actor().name());
        async move { events(server, &query).await.len() }
    };
    assert_eq!(by(&world.custodian, "access.refused").await, 1);
    assert_eq!(by(&world.issuer, "verification.refused").await, 1);
    assert_eq!(by(&world.issuer, "mint.refused").await, 1);
}

/// Who owns the tables can take away what keeps them append-only; the hashes tell even then.
fn lift_guards(tx: &mut Tx<'_>) -> Result<(), Error> {
    let guards: &[&str] = match tx {
        Tx::Pg(_) => &[
            "DROP TRIGGER audit_events_append_only ON audit_events",
            "DROP TRIGGER audit_streams_stay ON audit_streams",
        ],
        Tx::Sqlite(_) => &[
            "DROP TRIGGER audit_events_no_update",
            "DROP TRIGGER audit_events_no_delete",
        ],
    };
    for guard in guards {
        on!(tx, c => diesel::sql_query(*guard).execute(c))?;
    }
    Ok(())
}

/// Each of these changes one stored fact behind the server's back, and what `moneyer check` says of it names it.
const TAMPERING: [(&str, &str); 34] = [
    (
        "UPDATE audit_events SET data = '{}' WHERE action = 'mint.accepted'",
        "was changed",
    ),
    (
        "UPDATE audit_events SET data = '{}' WHERE action = 'mint.accepted'",
        "its lines differ between the ledger and the audit log",
    ),
    (
        "UPDATE audit_events SET actor = 'system' WHERE action = 'asset.created'",
        "was changed",
    ),
    (
        "UPDATE audit_events SET action = 'mint.refused' WHERE action = 'mint.accepted'",
        "the ledger has this mint, the audit log does not",
    ),
    (
        "UPDATE audit_events SET operation_id = NULL WHERE action = 'mint.accepted'",
        "names no operation",
    ),
    (
        "UPDATE audit_events SET operation_id = (SELECT id FROM operations WHERE sequence = 2 AND kind = 'mint' \
         AND asset_id = (SELECT id FROM assets WHERE symbol = 'ACME')) WHERE action = 'mint.accepted'",
        "has two mint events",
    ),
    (
        "DELETE FROM audit_events WHERE action = 'mint.accepted' AND sequence = 11",
        "event 11 is missing",
    ),
    ("DELETE FROM audit_events WHERE action = 'mint.refused'", "ends at"),
    (
        "UPDATE audit_streams SET next_sequence = next_sequence + 1 WHERE stream LIKE 'asset:%'",
        "ends at",
    ),
    ("UPDATE accounts SET posted = pending", "posted balances sum to"),
    ("UPDATE accounts SET posted = pending", "its postings say"),
    (
        "UPDATE accounts SET frozen_amount = (SELECT supply FROM assets WHERE id = asset_id)",
        "its postings say",
    ),
    ("DELETE FROM accounts", "has postings and no balance"),
    ("UPDATE assets SET supply = pending", "the supply is 0"),
    ("UPDATE assets SET pending = supply", "pending issues sum to"),
    (
        "UPDATE assets SET cap = pending WHERE symbol = 'ACME'",
        "pass the cap 0",
    ),
    (
        "UPDATE assets SET holders = holders + 1 WHERE symbol = 'ACME'",
        "5 identities hold, the counter says 6",
    ),
    (
        "UPDATE assets SET balances = balances + 1 WHERE symbol = 'ACME'",
        "5 wallets have a balance, the counter says 6",
    ),
    (
        "UPDATE holder_countries SET holders = holders + 1",
        "5 identities of country 276 hold, the counter says 6",
    ),
    (
        "DELETE FROM holder_countries",
        "5 identities of country 276 hold, the counter says 0",
    ),
    (
        "UPDATE identities SET country = 56 WHERE country = 276",
        "5 identities of country 056 hold, the counter says 0",
    ),
    (
        "UPDATE assets SET next_operation = next_operation + 1 WHERE symbol = 'ACME'",
        "operations up to number",
    ),
    (
        "DELETE FROM operations WHERE sequence = 2 AND kind = 'mint'",
        "operations up to number",
    ),
    (
        "DELETE FROM operations WHERE sequence = 2 AND kind = 'mint'",
        "the audit log has mint",
    ),
    (
        "UPDATE operations SET status = 'failed' WHERE sequence = 2 AND kind = 'mint'",
        "is failed and its lines are not",
    ),
    (
        "UPDATE operations SET lines = lines + 1 WHERE sequence = 2 AND kind = 'mint'",
        "its lines are not those that it counts",
    ),
    (
        "DELETE FROM postings WHERE line = 0 AND operation = 2",
        "operation 2: debits differ from credits",
    ),
    (
        "UPDATE postings SET state = 'pending' WHERE operation = 2",
        "its postings say",
    ),
    (
        "UPDATE postings SET operation = operation + 1000",
        "postings belong to no operation",
    ),
    (
        "UPDATE postings SET amount = '115792089237316195423570985008687907853269984665640564039457584007913129639935'",
        "the postings pass 2^256-1",
    ),
    (
        "UPDATE audit_events SET data = '{}' WHERE action = 'burn.accepted'",
        "its lines differ between the ledger and the audit log",
    ),
    (
        "UPDATE audit_events SET action = 'burn.voided' WHERE action = 'burn.accepted'",
        "the ledger has this burn, the audit log does not",
    ),
    (
        "UPDATE audit_events SET data = '{}' WHERE action = 'forced-transfer.accepted'",
        "its lines differ between the ledger and the audit log",
    ),
    (
        "DELETE FROM operations WHERE kind = 'forced-transfer'",
        "the audit log has forced-transfer",
    ),
];

/// A burn and a forced transfer of what two recipients were minted.
async fn move_units(server: &Server) {
    let (deposit, one, two) = (server.world.deposit, recipient(0), recipient(1));
    server.mint_each(&deposit, &[one, two], 10).await.ok();
    let path = format!("/api/token/{deposit}/burn");
    let body = json!({ "addresses": [one, two], "amounts": ["1", "2"] });
    server.verified().delete(&server.world.issuer, &path, &body).await.ok();
    let path = format!("/api/token/{deposit}/transfer/forced");
    let body = json!({ "from": [one], "recipients": [two], "amounts": ["3"] });
    server.verified().post(&server.world.custodian, &path, &body).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_changed_behind_the_servers_back_is_found_and_named() {
    for database in [Database::Sqlite, Database::Postgres] {
        let server = Server::start(database).await;
        make_history(&server).await;
        move_units(&server).await;
        server.verify().await;
        let owner = server.database.owner();
        for (statement, named) in TAMPERING {
            let found = owner.write(move |tx| {
                let mut faults = Vec::new();
                let undone = tx.nested(|tx| {
                    lift_guards(tx)?;
                    on!(tx, c => diesel::sql_query(statement).execute(c))?;
                    faults = reports::verify(tx)?.faults;
                    Err::<(), _>(Error::NotFound("reason to keep it"))
                });
                assert!(matches!(undone, Err(Error::NotFound(_))), "{statement}: {undone:?}");
                Ok(faults)
            });
            let faults = found.await.unwrap();
            assert!(
                faults.iter().any(|fault| fault.contains(named)),
                "{database:?}: {statement}: {faults:#?}"
            );
        }
        server.finish().await;
    }
}
