//! Burns and forced transfers, from the request to the final block.

use moneyer::chain::contracts::registry;
use moneyer::compliance::{self, SanctionsFile, Shrink};
use moneyer::ledger;
use moneyer::operation::{self, Operation, OperationKind, Status, Turns};
use moneyer::types::{Address, Amount, OperationId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::lines::registry_of;
use crate::node::ACCOUNTS;
use crate::observed::posted;
use crate::stage::Stage;
use crate::support::{Answer, Database, Person, with_pin};

async fn later(stage: &Stage, person: &Person, method: Method, path: &str, body: &Value) -> Answer {
    let call = stage
        .server
        .request(method, person, path)
        .header("Prefer", "respond-async");
    call.json(&with_pin(body)).send().await
}

fn burn_path(token: Address) -> String {
    format!("/api/token/{token}/burn")
}

async fn leaving(stage: &Stage, token: Address, wallet: Address) -> Amount {
    let asset = stage.server.asset(&token).await.id;
    let account = stage.server.read(move |tx| ledger::account(tx, asset, wallet)).await;
    account.map_or(Amount::ZERO, |account| account.leaving)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burn_is_leaving_until_its_block_is_final() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start(database).await;
        let token = stage.asset("BURN").await;
        let holders = stage.server.world.recipients[..2].to_vec();
        stage.server.mint_each(&token, &holders, 100).await.ok();
        stage.stop_settling().await;
        let issuer = stage.server.world.issuer.clone();
        let body = json!({ "addresses": holders, "amounts": ["30", "100"] });

        let accepted = later(&stage, &issuer, Method::DELETE, &burn_path(token), &body).await;

        assert_eq!(accepted.status, 202, "{:?}", accepted.body);
        assert_eq!(accepted.body["kind"], "burn");
        assert_eq!(leaving(&stage, token, holders[0]).await, Amount::from(30_u64));
        assert_eq!(stage.server.asset(&token).await.supply, Amount::from(200_u64));
        let over = json!({ "addresses": holders[0], "amounts": "71" });
        let refused = stage.server.verified().post(&issuer, &burn_path(token), &over).await;
        assert_eq!(
            refused.error(422, "INPUT_VALIDATION_FAILED")["findings"][0]["params"]["held"],
            "70"
        );
        stage.server.verify().await;
        stage.settle().await;
        let id = OperationId::parse(accepted.header("x-operation-id").unwrap()).unwrap();
        assert_eq!(stage.ended(id).await.status, Status::Succeeded);

        assert_eq!(
            (stage.supply(token).await, leaving(&stage, token, holders[0]).await),
            (Amount::from(70_u64), Amount::ZERO)
        );
        assert_eq!(posted(&stage, token, holders[0]).await, Amount::from(70_u64));
        assert_eq!(stage.balance(token, holders[1]).await, Amount::ZERO);
        assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_transfer_goes_through_a_pause_and_a_freeze_on_the_chain_too() {
    let stage = Stage::start(Database::Sqlite).await;
    let token = stage.asset("FORCE").await;
    let (from, to) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
    stage.server.mint_each(&token, &[from], 100).await.ok();
    let world = stage.server.world.clone();
    let freeze = json!({ "userAddress": from, "freeze": true });
    let path = format!("/api/token/{token}/freeze-address");
    stage
        .server
        .verified()
        .post(&world.custodian, &path, &freeze)
        .await
        .ok();
    let path = format!("/api/token/{token}/pause");
    stage
        .server
        .verified()
        .post(&world.emergency, &path, &json!({}))
        .await
        .ok();
    let body = json!({ "from": from, "recipients": to, "amounts": "60" });
    let path = format!("/api/token/{token}/transfer/forced");

    let answer = stage.server.verified().post(&world.custodian, &path, &body).await;

    assert!(answer.header("x-transaction-hash").is_some());
    assert_eq!(answer.ok()["totalSupply"], json!("[\"100\",0]"));
    assert_eq!(
        (stage.balance(token, from).await, stage.balance(token, to).await),
        (Amount::from(40_u64), Amount::from(60_u64))
    );
    assert_eq!(posted(&stage, token, to).await, Amount::from(60_u64));
    assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
    stage.finish().await;
}

/// An asset whose holders may move what they have, all of it this holder's; nothing is sent any more.
async fn free_asset(stage: &mut Stage, holder: Address, amount: u64) -> Address {
    let creator = stage.server.world.creator.clone();
    stage.asset("FIRST").await;
    let new = json!({
        "type": "deposit", "name": "Free", "symbol": "FREE", "decimals": 0, "countryCode": "056",
        "basePrice": "1.00", "basePriceCurrencyCode": "EUR", "settlement": "evm", "holderTransfers": true,
    });
    let created = stage.server.verified().post(&creator, "/api/token/create", &new).await;
    let token = Address::parse(created.body["id"].as_str().unwrap()).unwrap();
    crate::adoption::grant_roles(stage, token).await;
    let emergency = stage.server.world.emergency.clone();
    stage
        .server
        .verified()
        .post(&emergency, &format!("/api/token/{token}/unpause"), &json!({}))
        .await
        .ok();
    stage.server.mint_each(&token, &[holder], amount).await.ok();
    stage.stop_settling().await;
    token
}

/// A burn that was accepted and waits.
async fn accepted_burn(stage: &Stage, token: Address, holder: Address, amount: &str) -> OperationId {
    let issuer = stage.server.world.issuer.clone();
    let body = json!({ "addresses": holder, "amounts": amount });
    let accepted = later(stage, &issuer, Method::POST, &burn_path(token), &body).await;
    assert_eq!(accepted.status, 202, "{:?}", accepted.body);
    OperationId::parse(accepted.header("x-operation-id").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_holder_moved_away_meanwhile_is_not_burned_and_the_burn_says_why() {
    let mut stage = Stage::start(Database::Sqlite).await;
    let (from, to) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
    let token = free_asset(&mut stage, from, 100).await;
    let id = accepted_burn(&stage, token, from, "90").await;
    stage.send(&from.to_string(), token, &crate::observed::transfer(to, 20));

    stage.settle().await;

    let ended = stage.ended(id).await;
    assert_eq!(ended.status, Status::Failed);
    let reason = ended.error.unwrap();
    assert!(reason.starts_with(&format!("line 0 ({from}):")), "{reason}");
    stage
        .wait("the transfer in the books", async || {
            (posted(&stage, token, from).await == Amount::from(80_u64)).then_some(())
        })
        .await;
    assert_eq!(leaving(&stage, token, from).await, Amount::ZERO);
    assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burn_that_the_contract_refuses_does_not_wait_for_the_one_behind_it() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start(database).await;
        let (from, to) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
        let token = free_asset(&mut stage, from, 100).await;
        let refused = accepted_burn(&stage, token, from, "90").await;
        let behind = accepted_burn(&stage, token, from, "10").await;
        stage.send(&from.to_string(), token, &crate::observed::transfer(to, 20));

        stage.settle().await;

        assert_eq!(stage.ended(refused).await.status, Status::Failed);
        assert_eq!(stage.ended(behind).await.status, Status::Succeeded);
        assert_eq!(stage.balance(token, from).await, Amount::from(70_u64));
        stage.until_agreement().await;
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mint_that_the_contract_refuses_waits_for_no_burn_that_was_accepted_after_it() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.quiet_asset("LATER").await;
        let world = stage.server.world.clone();
        let (unknown, holder) = (world.recipients[0], *world.recipients.last().unwrap());
        stage.stop_settling().await;
        let mint = stage.accept(&token, &[unknown], 1).await;
        let burn = accepted_burn(&stage, token, holder, "1").await;
        let registry_at = registry_of(&stage, token).await;
        stage.node.mine_automatically();
        stage.send(ACCOUNTS[0], registry_at, &registry::delete_identity(unknown));
        stage.node.stop_mining();
        stage.settle().await;

        stage.pool(1).await;
        stage.node.mine(1);

        let ended = stage.ended(mint).await;
        assert_eq!(ended.status, Status::Failed);
        let burn = stage.operation(burn).await;
        assert!(!burn.status.is_final(), "no block has come since it was mined");
        stage.finish().await;
    }
}

/// However many moves wait, what may go is seen: a pause first of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_that_are_held_come_in_turns_and_hide_no_pause_and_no_other_move() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.asset("TURNS").await;
        let (holder, emergency) = (stage.server.world.recipients[0], stage.server.world.emergency.clone());
        stage.server.mint_each(&token, &[holder], 100).await.ok();
        stage.stop_settling().await;
        for _burn in 0..25 {
            accepted_burn(&stage, token, holder, "1").await;
        }
        let path = format!("/api/token/{token}/pause");
        let pause = later(&stage, &emergency, Method::POST, &path, &json!({})).await;
        assert_eq!(pause.status, 202, "{:?}", pause.body);
        let queued = |turns| stage.server.read(move |tx| operation::queued(tx, 10, turns));
        let numbers = |found: &[Operation], kind| -> Vec<i64> {
            let found = found.iter().filter(|one| one.kind == kind);
            found.map(|one| one.sequence).collect()
        };
        let (found, _) = queued(Turns::default()).await;
        assert_eq!(
            numbers(&found, OperationKind::Pause).len(),
            1,
            "behind more burns than are looked at"
        );
        let burns = numbers(&found, OperationKind::Burn);
        assert_eq!(burns.len(), 10);
        let (asset, first) = (found[0].asset, burns[0]);
        let held: Vec<i64> = (first..first + 24).collect();
        stage
            .server
            .write(&emergency, move |tx, _| {
                operation::hold(tx, asset, &held, "waits for something")
            })
            .await;

        // The last one may go; the others come ten at a time.
        for (turn, begin, count, next) in [(0, first, 10, 1), (1, first + 10, 10, 2), (2, first + 20, 4, 0)] {
            let turns = Turns { moves: turn, mints: 0 };
            let (found, then) = queued(turns).await;
            let expected: Vec<i64> = (begin..begin + count).chain([first + 24]).collect();
            assert_eq!(numbers(&found, OperationKind::Burn), expected);
            assert_eq!(numbers(&found, OperationKind::Pause).len(), 1);
            assert_eq!(then, Turns { moves: next, mints: 0 });
        }
        stage.finish().await;
    }
}

/// A forced transfer that was accepted while nothing is sent.
async fn accepted_transfer(stage: &mut Stage, token: Address, (from, to): (Address, Address)) -> OperationId {
    stage.server.mint_each(&token, &[from], 100).await.ok();
    stage.stop_settling().await;
    let custodian = stage.server.world.custodian.clone();
    let body = json!({ "from": from, "recipients": to, "amounts": "60" });
    let path = format!("/api/token/{token}/transfer/forced");
    let accepted = later(stage, &custodian, Method::POST, &path, &body).await;
    assert_eq!(accepted.status, 202, "{:?}", accepted.body);
    OperationId::parse(accepted.header("x-operation-id").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_who_is_sanctioned_before_the_forced_transfer_is_sent_gets_nothing() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start(database).await;
        let token = stage.asset("LISTED").await;
        let (from, to) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
        let id = accepted_transfer(&mut stage, token, (from, to)).await;
        let list = format!("address\n{to}\n");
        stage
            .server
            .write(&stage.server.world.admin, move |tx, ctx| {
                let file = SanctionsFile {
                    name: "newer",
                    as_of: ctx.now,
                    bytes: list.as_bytes(),
                    shrink: Shrink::Accept,
                };
                compliance::import_sanctions(tx, ctx.now, &file).map(|_| ())
            })
            .await;

        stage.settle().await;

        let ended = stage.ended(id).await;
        let reason = ended.error.unwrap();
        assert_eq!(ended.status, Status::Failed);
        assert!(reason.starts_with(&format!("line 0 ({to})")), "{reason}");
        assert!(reason.contains("address_sanctioned"), "{reason}");
        assert!(stage.signed(id).await.is_empty(), "it was never sent");
        assert_eq!(stage.balance(token, from).await, Amount::from(100_u64));
        assert_eq!(leaving(&stage, token, from).await, Amount::ZERO);
        assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_who_is_frozen_before_the_forced_transfer_is_sent_gets_it_when_he_is_freed() {
    let mut stage = Stage::start(Database::Sqlite).await;
    let token = stage.asset("FROZEN").await;
    let (from, to) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
    let id = accepted_transfer(&mut stage, token, (from, to)).await;
    let custodian = stage.server.world.custodian.clone();
    let path = format!("/api/token/{token}/freeze-address");
    let freeze = |freeze: bool| json!({ "userAddress": to, "freeze": freeze });
    later(&stage, &custodian, Method::POST, &path, &freeze(true)).await;

    stage.settle().await;

    stage
        .wait("the reason", async || {
            let hold = stage.operation(id).await.hold?;
            hold.contains("recipient_frozen").then_some(())
        })
        .await;
    assert_eq!(stage.balance(token, to).await, Amount::ZERO);
    later(&stage, &custodian, Method::POST, &path, &freeze(false)).await;
    assert_eq!(stage.ended(id).await.status, Status::Succeeded);
    assert_eq!(stage.balance(token, to).await, Amount::from(60_u64));
    assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burn_that_proves_too_large_fails_and_the_next_one_is_refused_at_acceptance() {
    let stage = Stage::start_bad(Database::Sqlite, |chain| chain.gas_per_transaction_max = 200_000).await;
    let token = stage.asset("LARGE").await;
    let holder = stage.server.world.recipients[0];
    stage.server.mint_each(&token, &[holder], 1_000).await.ok();
    let world = stage.server.world.clone();
    let body = json!({ "addresses": vec![holder; 90], "amounts": vec!["1"; 90] });
    let burn = async |body: Value| {
        stage
            .server
            .verified()
            .post(&world.issuer, &burn_path(token), &body)
            .await
    };

    let failed = burn(body.clone()).await;
    let again = burn(body).await;

    failed.error(422, "TRANSACTION_REVERTED");
    let message = failed.body["message"].as_str().unwrap();
    assert!(message.contains("take from fewer at a time"), "{message}");
    assert_eq!(
        again.error(400, "BAD_REQUEST")["issues"][0]["path"],
        json!(["addresses"])
    );
    let object = stage
        .server
        .get(&world.issuer, &format!("/api/token/{token}"))
        .await
        .ok();
    let max = usize::try_from(object["recipientsMax"].as_u64().unwrap()).unwrap();
    assert!((5..90).contains(&max), "{max}");
    let (inside, outside) = (vec![holder; max], vec![holder; max + 1]);
    let fits = burn(json!({ "addresses": inside, "amounts": vec!["1"; max] })).await;
    fits.ok();
    let force =
        json!({ "from": outside, "recipients": vec![world.recipients[1]; max + 1], "amounts": vec!["1"; max + 1] });
    let path = format!("/api/token/{token}/transfer/forced");
    let forced = stage.server.verified().post(&world.custodian, &path, &force).await;
    assert_eq!(
        forced.error(400, "BAD_REQUEST")["issues"][0]["path"],
        json!(["recipients"])
    );
    assert_eq!(leaving(&stage, token, holder).await, Amount::ZERO);
    assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_and_a_freeze_are_final_when_the_answer_says_so_and_hold_before() {
    let stage = Stage::start(Database::Postgres).await;
    let token = stage.asset("SWITCH").await;
    let world = stage.server.world.clone();
    let holder = world.recipients[0];
    let act = async |person, action: &str, body: Value| {
        let path = format!("/api/token/{token}/{action}");
        stage.server.verified().post(person, &path, &body).await
    };
    let freeze = json!({ "userAddress": holder, "freeze": true });

    let paused = act(&world.emergency, "pause", json!({})).await;
    let frozen = act(&world.custodian, "freeze-address", freeze.clone()).await;
    let nothing = act(&world.custodian, "freeze-address", freeze).await;

    for answer in [&paused, &frozen] {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let transaction = answer.header("x-transaction-hash").unwrap();
        assert_eq!(stage.node.receipt(transaction)["status"], "0x1");
        let id = OperationId::parse(answer.header("x-operation-id").unwrap()).unwrap();
        assert_eq!(stage.operation(id).await.status, Status::Succeeded);
    }
    assert_eq!(nothing.status, 200);
    assert!(nothing.header("x-operation-id").is_none(), "all was so already");
    let path = format!("/api/token/{token}/unpause");
    let open = later(&stage, &world.emergency, Method::POST, &path, &json!({})).await;
    assert_eq!(open.status, 202);
    assert_eq!(open.body["kind"], "unpause");
    assert!(open.header("location").unwrap().starts_with("/api/operations/"));
    assert!(
        !stage.server.asset(&token).await.is_paused(),
        "it holds for new requests"
    );
    let id = OperationId::parse(open.header("x-operation-id").unwrap()).unwrap();
    assert_eq!(stage.ended(id).await.status, Status::Succeeded);
    stage.finish().await;
}
