//! Files of mint requests: what becomes of their lines, and what they wait for.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use moneyer::access::environment::Tier;
use moneyer::access::quota::{self, Account, Taken};
use moneyer::audit::{self, EventFilter, Stream};
use moneyer::collection::{self, Collection, MintFile, Minting as Way, NewMintFile};
use moneyer::compliance;
use moneyer::db::Tx;
use moneyer::db::schema::{mint_file_parts, mint_file_refusals, mint_files};
use moneyer::error::Error;
use moneyer::on;
use moneyer::types::{Amount, EnvironmentId, MintFileId};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::compliance::other_policy;
use super::minting::{base, found, get, get_with, list, mint, send, wish};
use super::minting_shell::{Minting, minting, refused};
use super::steps::{DAY, import_sanctions_now};
use crate::both_databases;
use crate::support::{Answer, Database, Server, recipient};

both_databases! {
    a_file_is_worked_off_in_parts_and_says_what_was_refused,
    a_file_waits_for_the_quota_and_takes_no_more,
    a_part_that_was_not_committed_is_worked_off_again,
    a_file_that_cannot_be_read_is_refused_whole,
    what_a_token_shows_may_be_said_again_in_a_file_and_not_otherwise,
    a_line_that_is_too_much_for_the_others_is_refused_alone,
    a_file_waits_while_the_sanctions_list_is_too_old,
    a_file_waits_while_another_policy_is_in_force,
    a_file_at_which_the_server_fails_waits_and_hinders_no_other,
    a_file_that_was_refused_at_once_is_done,
    an_environment_has_ten_files_that_are_not_worked_off,
    a_file_is_taken_back_and_what_was_accepted_goes_on,
    a_file_is_forgotten_a_month_after_its_end,
    files_with_many_refusals_are_forgotten_bit_by_bit,
    the_first_thousand_refusals_of_a_file_are_kept,
    the_file_that_ended_first_is_forgotten_for_the_hundred_and_first,
    a_file_of_which_a_part_could_not_be_written_rests_and_hinders_no_other,
    a_reference_that_is_too_long_is_told_by_its_beginning,
}

struct File<'s> {
    server: &'s Server,
    minting: &'s Minting,
    path: String,
}

impl<'s> File<'s> {
    /// A file that was taken.
    async fn submit(
        server: &'s Server,
        minting: &'s Minting,
        swords: &collection::Collection,
        kind: &str,
        text: String,
    ) -> (Self, Value) {
        let path = bulk(swords);
        let answer = submit(server, minting, &path, kind, text).await;
        assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
        let result = answer.body["result"].clone();
        let path = format!("{path}/{}", result["id"].as_str().unwrap());
        (Self { server, minting, path }, result)
    }

    fn id(&self) -> MintFileId {
        MintFileId::parse(self.path.rsplit('/').next().unwrap()).unwrap()
    }

    async fn look(&self) -> Value {
        get_with(self.server, self.minting, &self.path).await.ok()["result"].clone()
    }

    async fn cancel(&self) -> Answer {
        let path = format!("{}/cancel", self.path);
        send(self.server, Method::POST, Some(&self.minting.secret), &path, None).await
    }

    async fn cancel_once(&self, key: &str) -> Answer {
        let call = self.server.call(Method::POST, None, &format!("{}/cancel", self.path));
        let call = call.header("x-immutable-api-key", &self.minting.secret);
        call.idempotency_key(key).send().await
    }
}

async fn submit(server: &Server, minting: &Minting, path: &str, kind: &str, text: String) -> Answer {
    let call = server
        .call(Method::POST, None, path)
        .header("x-immutable-api-key", &minting.secret);
    call.text(kind, text).send().await
}

/// One part of each file that has something to do, as a process does that has time; returns how many.
async fn work_off(server: &Server) -> usize {
    let (db, policies) = (server.app.db(), server.app.policy());
    collection::work_off_files(db, policies, || server.now(), &CancellationToken::new())
        .await
        .unwrap()
}

/// Until all of them wait or have ended.
async fn work_off_all(server: &Server) {
    while work_off(server).await > 0 {}
}

/// Where files for a collection are sent.
fn bulk(of: &Collection) -> String {
    format!("{}/nfts/mint-requests/bulk", base(of))
}

fn csv(numbers: impl Iterator<Item = usize>) -> String {
    format!("reference_id,owner_address,token_id\n{}", lines(numbers))
}

fn lines(numbers: impl Iterator<Item = usize>) -> String {
    let lines = numbers.map(|number| format!("r{number},{},{number}\n", recipient(0)));
    lines.collect()
}

fn counts(file: &Value) -> [i64; 4] {
    ["lines", "accepted", "refused", "waiting"].map(|name| file[name].as_i64().unwrap())
}

async fn a_file_is_worked_off_in_parts_and_says_what_was_refused(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    mint(server, &minting, &swords, json!([wish("r7", Some("999"))])).await;
    // Line 2 is r0; what is wrong stands behind 250 good lines: no address, a token above its bound, a reference again.
    let above = "340282366920938463463374607431768211456";
    let text = csv(0..250) + "bad,0x12,1\n" + &format!("high,{0},{above}\nr3,{0},5000\n", recipient(1));
    let (file, taken) = File::submit(server, &minting, &swords, "text/csv; charset=utf-8", text).await;
    assert_eq!(
        (counts(&taken), &taken["status"]),
        ([253, 0, 1, 252], &json!("working"))
    );

    assert_eq!(work_off(server).await, 1);
    assert_eq!(counts(&file.look().await), [253, 99, 2, 152]);
    work_off_all(server).await;

    let done = file.look().await;
    assert_eq!((counts(&done), &done["status"]), ([253, 249, 4, 0], &json!("done")));
    let refusals: Vec<(i64, &str, &str)> = done["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("");
            (one["line"].as_i64().unwrap(), text("reference_id"), text("reason"))
        })
        .collect();
    assert_eq!(refusals[0], (9, "r7", "reference_id is used already"));
    assert_eq!((refusals[1].0, refusals[1].1), (252, "bad"));
    assert!(refusals[1].2.starts_with("owner_address "), "{refusals:?}");
    assert_eq!((refusals[2].0, refusals[2].1), (253, "high"));
    assert!(
        refusals[2].2.starts_with("token_id must be below 2^128"),
        "{refusals:?}"
    );
    assert_eq!(refusals[3], (254, "r3", "reference_id is used already"));
    assert_eq!(
        left(server, &minting, Tier::Standard).await,
        2_000 - 1 - 249,
        "what was refused cost nothing"
    );
    let first = get_with(server, &minting, &format!("{}?page_size=3", file.path))
        .await
        .ok();
    assert_eq!(first["result"]["refusals"].as_array().unwrap().len(), 3);
    let next = first["page"]["next_cursor"].as_str().unwrap();
    let rest = get_with(server, &minting, &format!("{}?page_cursor={next}", file.path))
        .await
        .ok();
    assert_eq!(rest["result"]["refusals"][0]["line"], 254);
    assert_eq!(rest["page"]["next_cursor"], Value::Null);
}

async fn a_file_waits_for_the_quota_and_takes_no_more(server: &Server) {
    let tier = Tier::Enterprise {
        per_minute: 600,
        burst: 150,
    };
    let minting = minting(server, "Game", tier).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    let lines = (0..220).map(|number| json!({ "reference_id": number.to_string(), "owner_address": recipient(0) }));
    let text = lines.map(|line| line.to_string() + "\n").collect::<String>();
    let (file, _) = File::submit(server, &minting, &swords, "application/x-ndjson", text).await;

    work_off_all(server).await;
    let waits = file.look().await;
    assert_eq!(counts(&waits), [220, 100, 0, 120]);
    assert!(waits["waiting_for"].as_str().unwrap().contains("quota"), "{waits}");
    assert_eq!(waits["waiting_until"], "2026-06-01T12:00:05.000000Z");
    // 50 are left; ten come in a second.
    server.advance(4);
    work_off_all(server).await;
    assert_eq!(counts(&file.look().await)[1], 100);
    server.advance(1);
    work_off_all(server).await;
    assert_eq!(counts(&file.look().await)[1], 200);
    server.advance(2);
    work_off_all(server).await;

    let done = file.look().await;
    assert_eq!((counts(&done), &done["status"]), ([220, 220, 0, 0], &json!("done")));
    assert_eq!(
        (&done["waiting_for"], &done["waiting_until"]),
        (&Value::Null, &Value::Null)
    );
    let rate = tier.rate();
    let account = Account::new(&minting.environment, "mint", rate);
    let now = server.now();
    let over = server
        .app
        .db()
        .write(move |tx| quota::take(tx, &account, rate, 1, now))
        .await;
    assert!(
        matches!(over.unwrap(), Taken::Refused { .. }),
        "the file paid for all of it"
    );
}

async fn a_part_that_was_not_committed_is_worked_off_again(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    let (file, _) = File::submit(server, &minting, &swords, "text/csv", csv(0..150)).await;
    work_off(server).await;

    let (policies, now) = (Arc::clone(server.app.policy()), server.now());
    let key = (swords.id, file.id());
    let killed = server.app.db().write(move |tx| {
        assert_eq!(collection::work_off(tx, &policies, key, now)?, collection::Worked::Part);
        Err::<(), _>(Error::internal("the process dies before its commit"))
    });
    assert!(killed.await.is_err());

    assert_eq!(counts(&file.look().await), [150, 100, 0, 50]);
    work_off_all(server).await;
    assert_eq!(counts(&file.look().await), [150, 150, 0, 0]);
    let asset = server.read(move |tx| moneyer::asset::find(tx, swords.id)).await;
    assert_eq!(asset.pending, Amount::from(150));
}

async fn a_file_that_cannot_be_read_is_refused_whole(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let other = self::minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    let path = bulk(&swords);

    for (kind, text) in [
        ("text/csv", String::new()),
        ("text/csv", "reference_id,owner_address\n".to_owned()),
        ("text/csv", "reference,owner\na,b\n".to_owned()),
        ("application/x-ndjson", "\n\n".to_owned()),
        ("application/json", csv(0..1)),
        ("application/x-ndjson", "{}\n".repeat(100_001)),
        ("application/x-ndjson", "x".repeat(65_537)),
        ("text/csv", csv(0..1) + &"x".repeat(65_537)),
        ("text/csv", csv(0..1) + "\"" + &",\n".repeat(100_000)),
    ] {
        let answer = submit(server, &minting, &path, kind, text).await;
        refused(&answer, 400, "VALIDATION_ERROR");
    }
    let foreign = submit(server, &other, &path, "text/csv", csv(0..1)).await;
    refused(&foreign, 403, "AUTHENTICATION_ERROR");
    let unknown = format!("{path}/0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57");
    refused(&get_with(server, &minting, &unknown).await, 404, "RESOURCE_NOT_FOUND");
    assert_eq!(work_off(server).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_work_off_different_files_at_once() {
    let server = Server::start(Database::Postgres).await;
    let minting = minting(&server, "Game", Tier::Partner).await;
    let swords = found(&server, &minting, collection::Minting::Hybrid, 801).await;
    let axes = found(&server, &minting, collection::Minting::Hybrid, 802).await;
    let (first, _) = File::submit(&server, &minting, &swords, "text/csv", csv(0..1_000)).await;
    let (second, _) = File::submit(&server, &minting, &axes, "text/csv", csv(0..1_000)).await;
    let replica = server.replica();

    let all = async |server: &Server| work_off_all(server).await;
    tokio::join!(all(&server), all(&replica), all(&server));
    all(&server).await;

    for file in [first, second] {
        assert_eq!(counts(&file.look().await), [1_000, 1_000, 0, 0]);
    }
    replica.stop().await;
    server.finish().await;
}

/// What a process keeps locked that is in the middle of something.
struct Held {
    release: mpsc::Sender<()>,
    holding: JoinHandle<Result<(), Error>>,
}

async fn hold(server: &Server, lock: impl Fn(&mut Tx<'_>) -> Result<(), Error> + Send + 'static) -> Held {
    let (held, mut is_held) = tokio::sync::mpsc::unbounded_channel();
    let (release, released) = mpsc::channel::<()>();
    let (db, released) = (server.app.db().clone(), Mutex::new(released));
    let hold = move |tx: &mut Tx<'_>| {
        lock(tx)?;
        held.send(()).unwrap();
        let _ = released.lock().unwrap().recv_timeout(Duration::from_secs(20));
        Ok(())
    };
    let holding = tokio::spawn(async move { db.write(hold).await });
    is_held.recv().await.unwrap();
    Held { release, holding }
}

impl Held {
    async fn release(self) {
        self.release.send(()).unwrap();
        self.holding.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_is_at_is_passed_over() {
    let server = Server::start(Database::Postgres).await;
    let minting = minting(&server, "Game", Tier::Partner).await;
    let swords = found(&server, &minting, Way::Hybrid, 801).await;
    let (first, _) = File::submit(&server, &minting, &swords, "text/csv", csv(0..100)).await;
    server.advance(1);
    let (second, _) = File::submit(&server, &minting, &swords, "text/csv", csv(100..200)).await;
    let id = first.id();
    let replica = server.replica();
    let held = hold(&replica, move |tx| {
        let Tx::Pg(connection) = tx else {
            panic!("only PostgreSQL locks rows")
        };
        let row = mint_files::table.filter(mint_files::id.eq(id)).select(mint_files::part);
        row.for_update().first::<i32>(*connection)?;
        Ok(())
    })
    .await;

    let worked = tokio::time::timeout(Duration::from_secs(3), work_off(&server)).await;

    assert_eq!(worked, Ok(1), "it waited for the other process");
    assert_eq!(counts(&first.look().await), [100, 0, 0, 100]);
    assert_eq!(counts(&second.look().await), [100, 100, 0, 0]);
    held.release().await;
    assert_eq!(work_off(&server).await, 1);
    assert_eq!(counts(&first.look().await), [100, 100, 0, 0]);
    replica.stop().await;
    server.finish().await;
}

// --- what is said of tokens -----------------------------------------------------------------------------------------

fn amounts(reference: usize, token_id: &str, name: Option<&str>) -> String {
    let metadata = name.map(|name| json!({ "name": name, "attributes": [] }));
    let wish = json!({
        "reference_id": format!("r{reference}"), "owner_address": recipient(0), "token_id": token_id, "amount": "2",
        "metadata": metadata,
    });
    wish.to_string() + "\n"
}

fn refusals(file: &Value) -> Vec<(i64, String)> {
    let refusals = file["refusals"].as_array().unwrap().iter();
    let told = refusals.map(|one| {
        (
            one["line"].as_i64().unwrap(),
            one["reason"].as_str().unwrap().to_owned(),
        )
    });
    told.collect()
}

async fn what_a_token_shows_may_be_said_again_in_a_file_and_not_otherwise(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Amounts, 801).await;
    let mut before = wish("before", Some("9"));
    before["amount"] = json!("1");
    mint(server, &minting, &swords, json!([before])).await;
    // Lines 1 to 250 say the same of one token. Then: otherwise of it, nothing of it, of a token that was asked for
    // without metadata, and twice of a new one within the last part.
    let mut text: String = (0..250).map(|number| amounts(number, "7", Some("Sword"))).collect();
    text += &amounts(250, "7", Some("Axe"));
    text += &amounts(251, "7", None);
    text += &amounts(252, "9", Some("Sword"));
    text += &(amounts(253, "8", Some("Bow")) + &amounts(254, "8", Some("Axe")) + &amounts(255, "8", Some("Bow")));
    let (file, _) = File::submit(server, &minting, &swords, "application/x-ndjson", text).await;

    work_off_all(server).await;

    let done = file.look().await;
    assert_eq!(counts(&done), [256, 253, 3, 0], "{}", done["refusals"]);
    let other = "this token_id is there already and shows something else";
    let without = "this token_id was asked for before without metadata";
    let told = [(251, other), (253, without), (255, other)];
    assert_eq!(refusals(&done), told.map(|(line, reason)| (line, reason.to_owned())));
    let shown = get(server, &format!("/v1/metadata/{}/7", swords.address)).await.ok();
    assert_eq!(shown, json!({ "name": "Sword", "attributes": [] }));
    // Each of them carries it: the first of them may fail.
    let id = swords.id;
    let window = collection::Window::first(200);
    let filter = collection::RequestFilter {
        collection: Some(id),
        ..collection::RequestFilter::default()
    };
    let last = server
        .read(move |tx| collection::mint_requests(tx, &filter, &window))
        .await
        .items;
    let of_seven = |one: &&collection::MintRequest| one.token_id.is_some_and(|id| id.to_string() == "7");
    let stacks: Vec<_> = last.iter().filter(of_seven).map(|one| one.metadata).collect();
    let without = stacks.iter().filter(|stack| stack.is_none()).count();
    assert_eq!(without, 1, "only the line that says nothing has none");
    assert_eq!(
        stacks.iter().flatten().collect::<std::collections::HashSet<_>>().len(),
        1
    );
    // A call is refused as before (seed 000): only within a list may it be said twice.
    let mut again = wish("again", Some("7"));
    again["amount"] = json!("1");
    again["metadata"] = json!({ "name": "Sword", "attributes": [] });
    let answer = mint(server, &minting, &swords, json!([again])).await;
    refused(&answer, 409, "CONFLICT_ERROR");
}

async fn a_line_that_is_too_much_for_the_others_is_refused_alone(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Amounts, 801).await;
    let line = |reference: &str, amount: &str| {
        let wish = json!({
            "reference_id": reference, "owner_address": recipient(0), "token_id": "7", "amount": amount,
        });
        wish.to_string() + "\n"
    };
    let text = line("a", "1") + &line("b", &Amount::MAX.to_string()) + &line("c", "1");
    let (file, _) = File::submit(server, &minting, &swords, "application/x-ndjson", text).await;

    work_off_all(server).await;

    let done = file.look().await;
    assert_eq!(counts(&done), [3, 2, 1, 0]);
    let refusals = refusals(&done);
    assert_eq!(refusals[0].0, 2);
    assert!(refusals[0].1.contains("2^256-1"), "{refusals:?}");
}

// --- what passes ----------------------------------------------------------------------------------------------------

/// Whole tokens that are left of the environment's quota of mints.
async fn left(server: &Server, minting: &Minting, tier: Tier) -> i64 {
    let (rate, now) = (tier.rate(), server.now());
    let account = Account::new(&minting.environment, "mint", rate);
    let taken = server
        .app
        .db()
        .write(move |tx| quota::take(tx, &account, rate, 1, now))
        .await;
    match taken.unwrap() {
        Taken::Granted(standing) => standing.remaining + 1,
        Taken::Refused { standing, .. } => standing.remaining,
    }
}

async fn a_file_waits_while_the_sanctions_list_is_too_old(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    // Seven days are its last microsecond, as for an asset.
    server.advance(7 * DAY + 1);
    let (file, _) = File::submit(server, &minting, &swords, "text/csv", csv(0..150)).await;

    assert_eq!(work_off(server).await, 1);
    assert_eq!(work_off(server).await, 0, "it rests");

    let waits = file.look().await;
    assert_eq!(
        (counts(&waits), &waits["status"]),
        ([150, 0, 0, 150], &json!("working"))
    );
    assert!(
        waits["waiting_for"].as_str().unwrap().contains("sanctions list"),
        "{waits}"
    );
    assert!(waits["waiting_until"].is_string());
    assert_eq!(
        left(server, &minting, Tier::Standard).await,
        2_000,
        "nothing was taken of its quota"
    );
    let requests = format!("{}/nfts/mint-requests", base(&swords));
    assert_eq!(list(&get_with(server, &minting, &requests).await.ok()).len(), 0);

    import_sanctions_now(server).await;
    server.advance(59);
    assert_eq!(work_off(server).await, 0);
    server.advance(1);
    work_off_all(server).await;
    let done = file.look().await;
    assert_eq!((counts(&done), &done["status"]), ([150, 150, 0, 0], &json!("done")));
    assert_eq!(done["waiting_for"], Value::Null);
}

async fn a_file_waits_while_another_policy_is_in_force(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let activate = async |set: Arc<moneyer::policy::PolicySet>| {
        server
            .write(&server.world.admin, move |tx, ctx| {
                compliance::activate_policy(tx, &set, "test", ctx.now)
            })
            .await
    };
    activate(Arc::new(other_policy())).await;
    let (file, _) = File::submit(server, &minting, &swords, "text/csv", csv(0..10)).await;

    work_off_all(server).await;

    let waits = file.look().await;
    assert_eq!(counts(&waits), [10, 0, 0, 10]);
    assert!(waits["waiting_for"].as_str().unwrap().contains("policy"), "{waits}");
    activate(Arc::clone(server.app.policy())).await;
    server.advance(60);
    work_off_all(server).await;
    assert_eq!(counts(&file.look().await), [10, 10, 0, 0]);
}

async fn a_file_at_which_the_server_fails_waits_and_hinders_no_other(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let (broken, _) = File::submit(server, &minting, &swords, "text/csv", csv(0..150)).await;
    let (whole, _) = File::submit(server, &minting, &swords, "text/csv", csv(200..350)).await;
    let id = broken.id();
    server
        .write(&server.world.admin, move |tx, _| {
            let part = mint_file_parts::table
                .filter(mint_file_parts::file_id.eq(id))
                .filter(mint_file_parts::part.eq(1));
            Ok(on!(tx, c => diesel::delete(part).execute(c))?)
        })
        .await;

    work_off_all(server).await;

    assert_eq!(counts(&whole.look().await), [150, 150, 0, 0]);
    let waits = broken.look().await;
    assert_eq!(counts(&waits), [150, 100, 0, 50]);
    assert!(
        waits["waiting_for"].as_str().unwrap().contains("server failed"),
        "{waits}"
    );
    assert_eq!(
        left(server, &minting, Tier::Standard).await,
        2_000 - 250,
        "it took nothing for it"
    );
    // Nobody can mend it here: it can be taken back.
    assert_eq!(broken.cancel().await.ok()["result"]["cancelled"], 50);
}

// --- bounds ---------------------------------------------------------------------------------------------------------

async fn a_file_that_was_refused_at_once_is_done(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let text = "reference_id,owner_address\na,0x12\n".to_owned();

    let (file, taken) = File::submit(server, &minting, &swords, "text/csv", text).await;

    assert_eq!((counts(&taken), &taken["status"]), ([1, 0, 1, 0], &json!("done")));
    assert_eq!(work_off(server).await, 0);
    refused(&file.cancel().await, 409, "CONFLICT_ERROR");
}

async fn an_environment_has_ten_files_that_are_not_worked_off(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let other = self::minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let axes = found(server, &game, Way::Hybrid, 802).await;
    let foreign = found(server, &other, Way::Hybrid, 803).await;
    let ask = async |minting: &Minting, of: &Collection, number: usize| {
        let path = bulk(of);
        submit(server, minting, &path, "text/csv", csv(number..number + 1)).await
    };

    for number in 0..8 {
        assert_eq!(ask(&game, &swords, number).await.status.as_u16(), 202);
    }
    // Of all its collections together.
    let at_once: [Answer; 6] = tokio::join!(
        ask(&game, &swords, 8),
        ask(&game, &axes, 9),
        ask(&game, &swords, 10),
        ask(&game, &axes, 11),
        ask(&game, &swords, 12),
        ask(&game, &axes, 13),
    )
    .into();
    let taken = at_once.iter().filter(|answer| answer.status.as_u16() == 202).count();
    assert_eq!(8 + i64::try_from(taken).unwrap(), NewMintFile::OPEN_MAX);
    for answer in at_once.iter().filter(|answer| answer.status.as_u16() != 202) {
        refused(answer, 429, "TOO_MANY_REQUESTS_ERROR");
        assert_eq!(answer.header("Retry-After"), Some("60"));
        assert!(answer.message().contains("10 files"), "{}", answer.text);
    }
    assert_eq!(
        ask(&other, &foreign, 0).await.status.as_u16(),
        202,
        "another's do not count"
    );

    work_off_all(server).await;
    assert_eq!(ask(&game, &swords, 20).await.status.as_u16(), 202);
}

/// Two processes are in the middle of taking one when neither sees what the other does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_together_take_no_more_files_than_one() {
    let server = Server::start(Database::Postgres).await;
    let minting = minting(&server, "Game", Tier::Standard).await;
    let swords = found(&server, &minting, Way::Hybrid, 801).await;
    for number in 0..9 {
        File::submit(&server, &minting, &swords, "text/csv", csv(number..number + 1)).await;
    }
    let replica = server.replica();
    let (path, id) = (bulk(&swords), swords.id);
    let held = hold(&server, move |tx| audit::lock(tx, &Stream::Asset(id))).await;

    let (one, other, ()) = tokio::join!(
        submit(&server, &minting, &path, "text/csv", csv(10..11)),
        submit(&replica, &minting, &path, "text/csv", csv(11..12)),
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            held.release().await;
        },
    );

    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 429]);
    replica.stop().await;
    server.finish().await;
}

async fn a_file_is_taken_back_and_what_was_accepted_goes_on(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let other = self::minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let text = csv(0..250) + "bad,0x12,1\n";
    let (file, _) = File::submit(server, &minting, &swords, "text/csv", text).await;
    work_off(server).await;
    let foreign = server.call(Method::POST, None, &format!("{}/cancel", file.path));
    let foreign = foreign.header("x-immutable-api-key", &other.secret).send().await;
    refused(&foreign, 403, "AUTHENTICATION_ERROR");

    let cancelled = file.cancel_once("stop").await;

    let result = cancelled.clone().ok()["result"].clone();
    assert_eq!(
        (counts(&result), &result["status"]),
        ([251, 100, 1, 0], &json!("cancelled"))
    );
    assert_eq!(result["cancelled"], 150);
    let parts: i64 = server
        .read(|tx| Ok(on!(tx, c => mint_file_parts::table.count().get_result::<i64>(c))?))
        .await;
    assert_eq!(parts, 0, "nothing of it is kept");
    let replayed = file.cancel_once("stop").await;
    assert_eq!(
        (replayed.header("Idempotent-Replayed"), &replayed.text),
        (Some("true"), &cancelled.text)
    );
    refused(&file.cancel().await, 409, "CONFLICT_ERROR");
    assert_eq!(work_off(server).await, 0);
    let found = file.look().await;
    assert_eq!((counts(&found), &found["cancelled"]), ([251, 100, 1, 0], &json!(150)));
    assert_eq!(refusals(&found).len(), 1);
    let id = swords.id;
    let asset = server.read(move |tx| moneyer::asset::find(tx, id)).await;
    assert_eq!(asset.pending, Amount::from(100));
    let filter = EventFilter {
        asset: Some(swords.id),
        action: Some("mint.file_cancelled".to_owned()),
        ..EventFilter::default()
    };
    let events = server.events(filter).await;
    assert_eq!(events.len(), 1);
    let data: Value = serde_json::from_str(&events[0].data).unwrap();
    assert_eq!(data["cancelled"], 150);
    // Its lines were dropped: they may be told anew.
    let (again, _) = File::submit(server, &minting, &swords, "text/csv", csv(100..250)).await;
    work_off_all(server).await;
    assert_eq!(counts(&again.look().await), [150, 150, 0, 0]);
    let unknown = file
        .path
        .replace(found["id"].as_str().unwrap(), "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57");
    let unknown = File {
        server,
        minting: &minting,
        path: unknown,
    };
    refused(&unknown.cancel().await, 404, "RESOURCE_NOT_FOUND");
}

async fn a_file_is_forgotten_a_month_after_its_end(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let with_refusals = |from: usize| csv(from..from + 3) + "bad,0x12,1\nworse,0x12,1\n";
    let (done, _) = File::submit(server, &minting, &swords, "text/csv", with_refusals(0)).await;
    work_off_all(server).await;
    server.advance(1);
    let (cancelled, _) = File::submit(server, &minting, &swords, "text/csv", with_refusals(10)).await;
    cancelled.cancel().await.ok();
    let (open, _) = File::submit(server, &minting, &swords, "text/csv", with_refusals(20)).await;
    let prune = async || {
        let now = server.now();
        server
            .app
            .db()
            .write(move |tx| collection::prune_files(tx, now))
            .await
            .unwrap()
    };
    let is_there = async |file: &File<'_>| get_with(server, &minting, &file.path).await.status.as_u16() == 200;

    server.advance(MintFile::KEPT_SECONDS - 1);
    assert_eq!(prune().await, 0);
    assert!(is_there(&done).await && is_there(&cancelled).await);
    server.advance(1);
    assert_eq!(prune().await, 3, "a file and its two refusals");
    assert!(!is_there(&done).await && is_there(&cancelled).await);
    server.advance(1);
    assert_eq!(prune().await, 3);
    assert!(!is_there(&cancelled).await);
    assert!(
        is_there(&open).await,
        "one that is not worked off is kept however old it is"
    );
    assert_eq!(prune().await, 0);
}

/// Lines that are wrong in themselves.
fn wrong(count: usize) -> String {
    "a,0x12,1\n".repeat(count)
}

/// How many refusals the database keeps.
async fn kept(server: &Server) -> i64 {
    server
        .read(|tx| Ok(on!(tx, c => mint_file_refusals::table.count().get_result::<i64>(c))?))
        .await
}

async fn the_first_thousand_refusals_of_a_file_are_kept(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let mut before = 0;
    for (lines, expected) in [(999, 999), (1_000, 1_000), (1_001, 1_000), (20_000, 1_000)] {
        let text = csv(0..0) + &wrong(lines);
        let (file, taken) = File::submit(server, &minting, &swords, "text/csv", text).await;

        let all = i64::try_from(lines).unwrap();
        assert_eq!((counts(&taken), &taken["status"]), ([all, 0, all, 0], &json!("done")));
        assert_eq!(kept(server).await - before, expected);
        before += expected;
        let after = get_with(server, &minting, &format!("{}?page_size=200", file.path)).await;
        assert_eq!(after.ok()["result"]["refusals"][199]["line"], 201);
    }
    // 998 at once, and what is refused when its turn has come: the first two of three, whatever is found first.
    mint(server, &minting, &swords, json!([wish("r0", None), wish("r1", None)])).await;
    let high = format!("high,{},340282366920938463463374607431768211456\n", recipient(0));
    let text = csv(0..2) + &high + &lines(2..102) + &wrong(998);
    let (file, _) = File::submit(server, &minting, &swords, "text/csv", text).await;

    work_off_all(server).await;

    let done = file.look().await;
    assert_eq!(
        (counts(&done), &done["status"]),
        ([1_101, 100, 1_001, 0], &json!("done"))
    );
    assert_eq!(kept(server).await - before, 1_000);
    let lines: Vec<i64> = refusals(&done).iter().map(|(line, _)| *line).take(3).collect();
    assert_eq!(lines, [2, 3, 105], "the third is counted only");
}

async fn the_file_that_ended_first_is_forgotten_for_the_hundred_and_first(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let other = self::minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let axes = found(server, &game, Way::Hybrid, 802).await;
    let foreign = found(server, &other, Way::Hybrid, 803).await;
    let (of_other, _) = File::submit(server, &other, &foreign, "text/csv", csv(0..0) + &wrong(2)).await;
    let (open, _) = File::submit(server, &game, &swords, "text/csv", csv(0..1)).await;
    let is_there = async |file: &File<'_>| get_with(server, file.minting, &file.path).await.status.as_u16() == 200;
    let mut files = Vec::new();
    for number in 0..MintFile::ENDED_MAX {
        // Of all its collections together.
        let of = if number % 2 == 0 { &swords } else { &axes };
        server.advance(1);
        files.push(
            File::submit(server, &game, of, "text/csv", csv(0..0) + &wrong(2))
                .await
                .0,
        );
    }
    assert!(is_there(&files[0]).await && is_there(&files[99]).await);
    let before = kept(server).await;

    server.advance(1);
    File::submit(server, &game, &swords, "text/csv", csv(0..0) + &wrong(2)).await;

    assert!(!is_there(&files[0]).await);
    assert!(is_there(&files[1]).await && is_there(&files[99]).await);
    assert_eq!(kept(server).await, before, "its refusals went with it");
    assert!(is_there(&of_other).await && is_there(&open).await);
}

/// Lets no mint request of a collection be written any more.
async fn fill_disk_for(server: &Server, of: &Collection) {
    let id = of.id.as_uuid().simple().to_string();
    let fill = move |tx: &mut Tx<'_>| {
        match tx {
            Tx::Pg(connection) => connection.batch_execute(&format!(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'No space left on device'; END $$; \
                 CREATE TRIGGER full_disk BEFORE INSERT ON mint_requests FOR EACH ROW \
                 WHEN (NEW.asset_id = '{id}') EXECUTE FUNCTION full_disk()"
            ))?,
            Tx::Sqlite(connection) => connection.batch_execute(&format!(
                "CREATE TRIGGER full_disk BEFORE INSERT ON mint_requests WHEN NEW.asset_id = x'{id}' \
                 BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            ))?,
        }
        Ok(())
    };
    server.database.owner().write(fill).await.unwrap();
}

async fn empty_disk(server: &Server) {
    let empty = |tx: &mut Tx<'_>| {
        match tx {
            Tx::Pg(connection) => {
                connection.batch_execute("DROP TRIGGER full_disk ON mint_requests; DROP FUNCTION full_disk")?
            }
            Tx::Sqlite(connection) => connection.batch_execute("DROP TRIGGER full_disk")?,
        }
        Ok(())
    };
    server.database.owner().write(empty).await.unwrap();
}

async fn a_file_of_which_a_part_could_not_be_written_rests_and_hinders_no_other(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let other = self::minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let axes = found(server, &game, Way::Hybrid, 802).await;
    let foreign = found(server, &other, Way::Hybrid, 803).await;
    let (first, _) = File::submit(server, &other, &foreign, "text/csv", csv(0..250)).await;
    server.advance(1);
    let (broken, _) = File::submit(server, &game, &swords, "text/csv", csv(0..10)).await;
    server.advance(1);
    let (last, _) = File::submit(server, &game, &axes, "text/csv", csv(0..250)).await;
    fill_disk_for(server, &swords).await;

    assert_eq!(work_off(server).await, 2, "the others go on in the same turn");

    let waits = broken.look().await;
    assert_eq!(counts(&waits), [10, 0, 0, 10]);
    assert!(waits["waiting_for"].as_str().unwrap().contains("busy"), "{waits}");
    assert_eq!(waits["waiting_until"], server.now().plus_seconds(5).to_micros_text());
    for file in [&first, &last] {
        let goes_on = file.look().await;
        assert_eq!(counts(&goes_on), [250, 100, 0, 150]);
        assert_eq!(goes_on["waiting_for"], Value::Null);
    }
    empty_disk(server).await;
    server.advance(4);
    work_off_all(server).await;
    assert_eq!(counts(&first.look().await), [250, 250, 0, 0]);
    assert_eq!(counts(&last.look().await), [250, 250, 0, 0]);
    assert_eq!(counts(&broken.look().await), [10, 0, 0, 10], "it rests");
    server.advance(1);
    assert_eq!(work_off(server).await, 1);
    let done = broken.look().await;
    assert_eq!((counts(&done), &done["waiting_for"]), ([10, 10, 0, 0], &Value::Null));
}

async fn files_with_many_refusals_are_forgotten_bit_by_bit(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    for _ in 0..11 {
        File::submit(server, &minting, &swords, "text/csv", csv(0..0) + &wrong(999)).await;
    }
    server.advance(MintFile::KEPT_SECONDS + 1);

    let mut rows = Vec::new();
    for _ in 0..3 {
        let now = server.now();
        rows.push(
            server
                .app
                .db()
                .write(move |tx| collection::prune_files(tx, now))
                .await
                .unwrap(),
        );
    }

    assert_eq!(rows, [10_000, 1_000, 0], "ten files, and the last one");
    assert_eq!(kept(server).await, 0);
}

async fn a_reference_that_is_too_long_is_told_by_its_beginning(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let line = |length: usize| format!("{},{}\n", "é".repeat(length), recipient(0));
    let text = "reference_id,owner_address\n".to_owned() + &line(254) + &line(255) + &line(256) + &line(30_000);
    let (file, taken) = File::submit(server, &minting, &swords, "text/csv", text).await;

    work_off_all(server).await;

    assert_eq!(counts(&taken)[2], 2);
    let done = file.look().await;
    assert_eq!(counts(&done), [4, 2, 2, 0]);
    for (refusal, line) in done["refusals"].as_array().unwrap().iter().zip([4, 5]) {
        assert_eq!(refusal["line"], line);
        assert_eq!(refusal["reference_id"].as_str().unwrap(), "é".repeat(255));
    }
}

// --- many and large -------------------------------------------------------------------------------------------------

/// A file of 32 MiB is read for seconds (in a debug build). The one thread of this server answers others meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_answered_while_a_large_file_is_read() {
    let server = Server::start(Database::Sqlite).await;
    let minting = minting(&server, "Game", Tier::Standard).await;
    let swords = found(&server, &minting, Way::Hybrid, 801).await;
    let path = bulk(&swords);
    let wish = |number: usize| {
        let traits = vec![json!({ "trait_type": "power", "value": 1 }); 6];
        json!({ "reference_id": number.to_string(), "owner_address": recipient(0), "metadata": { "attributes": traits } })
    };
    let text: String = (0..100_000).map(|number| wish(number).to_string() + "\n").collect();
    assert!(text.len() < 32 * 1_024 * 1_024, "{}", text.len());

    let begin = Instant::now();
    let mut submitted = Box::pin(async {
        let answer = submit(&server, &minting, &path, "application/x-ndjson", text).await;
        (answer, begin.elapsed())
    });
    let mut slowest = Duration::ZERO;
    let (answer, took) = loop {
        let asked = Instant::now();
        tokio::select! {
            done = &mut submitted => break done,
            answer = get(&server, "/v1/chains") => {
                assert_ne!(answer.status.as_u16(), 500);
                slowest = slowest.max(asked.elapsed());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };

    println!("the file took {took:?}, the slowest answer beside it {slowest:?}");
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    assert!(slowest * 4 < took, "an answer took {slowest:?} of {took:?}");
    drop(submitted);
    server.finish().await;
}

/// While another file of its environment is in memory a file waits, and those of others do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_waits_for_the_one_before_it() {
    let server = Server::start(Database::Sqlite).await;
    let game = minting(&server, "Game", Tier::Standard).await;
    let other = self::minting(&server, "Other", Tier::Standard).await;
    let swords = found(&server, &game, Way::Hybrid, 801).await;
    let axes = found(&server, &other, Way::Hybrid, 802).await;
    let environment = EnvironmentId::parse(&game.environment).unwrap();
    let before = server.app.gate().arrivals.enter(environment).await;

    let path = bulk(&swords);
    let mut waiting = Box::pin(submit(&server, &game, &path, "text/csv", csv(0..1)));
    let early = tokio::time::timeout(Duration::from_millis(300), waiting.as_mut()).await;
    assert!(early.is_err(), "it was read beside another one");
    let foreign = submit(&server, &other, &bulk(&axes), "text/csv", csv(0..1)).await;
    assert_eq!(foreign.status.as_u16(), 202);
    drop(before);

    assert_eq!(waiting.await.status.as_u16(), 202);
    // Nothing is kept of it: the next one is read at once.
    assert_eq!(
        submit(&server, &game, &path, "text/csv", csv(1..2))
            .await
            .status
            .as_u16(),
        202
    );
    server.finish().await;
}

/// Announces a file of 32 MiB and sends its beginning.
async fn begin(server: &Server, minting: &Minting, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: here\r\nx-immutable-api-key: {}\r\nContent-Type: text/csv\r\n\
         Content-Length: {}\r\n\r\nreference_id,",
        minting.secret,
        32 * 1_024 * 1_024,
    );
    stream.write_all(head.as_bytes()).unwrap();
    let environment = EnvironmentId::parse(&minting.environment).unwrap();
    let arrivals = &server.app.gate().arrivals;
    while tokio::time::timeout(Duration::from_millis(20), arrivals.enter(environment))
        .await
        .is_ok()
    {}
    stream
}

/// What was announced and does not come takes no room from others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_arrive_slowly_keep_no_other_out() {
    let server = Server::start(Database::Sqlite).await;
    let mut slow = Vec::new();
    for (number, project) in [(801, "One"), (802, "Two"), (803, "Three"), (804, "Four")] {
        let minting = minting(&server, project, Tier::Standard).await;
        let swords = found(&server, &minting, Way::Hybrid, number).await;
        let path = bulk(&swords);
        slow.push(begin(&server, &minting, &path).await);
    }
    let minting = minting(&server, "Game", Tier::Standard).await;
    let swords = found(&server, &minting, Way::Hybrid, 805).await;

    let path = bulk(&swords);
    let file = submit(&server, &minting, &path, "text/csv", csv(0..1));
    let answer = tokio::time::timeout(Duration::from_secs(5), file).await;

    assert_eq!(answer.expect("it waited for the slow ones").status.as_u16(), 202);
    drop(slow);
    server.finish().await;
}

/// While there is no room for it a file waits, unread, and is read once there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_waits_for_room() {
    let server = Server::start(Database::Sqlite).await;
    let minting = minting(&server, "Game", Tier::Standard).await;
    let swords = found(&server, &minting, Way::Hybrid, 801).await;
    let path = bulk(&swords);
    let files = Arc::clone(&server.app.gate().files);
    let all = u32::try_from(files.available_permits()).unwrap();
    let room = files.acquire_many(all).await.unwrap();
    let bodies = server.app.gate().bodies.available_permits();

    let mut waiting = Box::pin(submit(&server, &minting, &path, "text/csv", csv(0..1)));
    let early = tokio::time::timeout(Duration::from_millis(300), waiting.as_mut()).await;
    assert!(early.is_err(), "it was read without room");
    drop(room);

    assert_eq!(waiting.await.status.as_u16(), 202);
    assert_eq!(files.available_permits(), usize::try_from(all).unwrap());
    assert_eq!(server.app.gate().bodies.available_permits(), bodies);
    server.finish().await;
}
