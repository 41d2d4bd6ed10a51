//! Blocks that vanish, with our transaction or for another at its nonce, and what a person decides when nobody else can.

use std::process::{Command, Output};

use moneyer::chain::contracts::{registry, returned, token};
use moneyer::chain::{Fees, Signer, Transaction};
use moneyer::config::Finality;
use moneyer::operation::Status;
use moneyer::settlement::{self, Case, Decision, Progress};
use moneyer::types::{Address, Amount, OperationId};

use serde_json::json;

use crate::lines::{newcomer, registry_of};
use crate::node::{ACCOUNTS, number};
use crate::stage::Stage;
use crate::support::Database;
use crate::support::abi::to_hex;

const GWEI: u128 = 1_000_000_000;

/// A block is final when six are on top of it.
async fn start(database: Database) -> Stage {
    Stage::start_bad(database, |chain| chain.finality = Finality::Depth(6)).await
}

async fn cases(stage: &Stage) -> Vec<Case> {
    stage.server.read(settlement::cases).await
}

/// Something else that our key signed, at this nonce: a payment to nobody.
async fn foreign(stage: &Stage, nonce: u64) -> String {
    let signer = Signer::open(&stage.chain.signer).await.unwrap();
    let payment = Transaction {
        chain_id: stage.chain.id,
        nonce,
        to: Some(Address::from_bytes([5; 20])),
        value: Amount::ONE,
        data: Vec::new(),
        gas_limit: 21_000,
        fees: Fees {
            max: 50 * GWEI,
            priority: 2 * GWEI,
        },
    };
    let signed = signer.sign(&payment).await.unwrap();
    format!("0x{}", to_hex(&signed.raw))
}

/// A mint in the third block from the head.
async fn mined_three_deep(stage: &Stage, token: &Address) -> OperationId {
    let recipients = stage.server.world.recipients[..3].to_vec();
    let id = stage.accept(token, &recipients, 1).await;
    stage.pool(1).await;
    stage.node.mine(3);
    stage.until(id, Status::Mined).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reorganisation_of_depth_three_without_our_transaction_gets_it_again() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = start(database).await;
        let token = stage.quiet_asset("REORG").await;
        let before = stage.count();
        let supply = stage.server.asset(&token).await.supply;
        let id = mined_three_deep(&stage, &token).await;
        // A dozen looks at blocks that are not final.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(stage.operation(id).await.status, Status::Mined);

        stage.node.reorg(3);

        assert_eq!(stage.count(), before, "the chain has lost it");
        stage.until(id, Status::Sent).await;
        assert_eq!(stage.server.asset(&token).await.supply, supply, "nothing was posted");
        stage.pool(1).await;
        stage.ended_by_mining(id).await;
        assert_eq!(stage.signed(id).await.len(), 1, "the same bytes");
        assert_eq!(stage.count(), before + 1);
        let recipients = stage.server.world.recipients[..3].to_vec();
        stage.every_mint_is_there_once(token, &[id], &recipients).await;
        stage.finish_in_agreement().await;
    }
}

/// Rules 12 and 15: what failed in a block has not failed before that block is final.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_that_a_reorganisation_takes_back_fails_nothing_and_sends_nothing_else() {
    let stage = start(Database::Sqlite).await;
    let token = stage.quiet_asset("REVERT").await;
    let (before, recipients) = (stage.count(), stage.server.world.recipients[..3].to_vec());
    let registry = returned::address(&stage.ask(token, token::identity_registry()).await).unwrap();
    let registry = registry.to_string();
    let code = stage.node.rpc("eth_getCode", json!([registry, "latest"]));
    let id = stage.accept(&token, &recipients, 1).await;
    stage.pool(1).await;
    // PUSH1 0, PUSH1 0, REVERT
    stage.node.rpc("anvil_setCode", json!([registry, "0x60006000fd"]));
    stage.node.mine(3);
    stage.until(id, Status::Mined).await;
    let hash = stage.signed(id).await[0].to_string();
    assert_eq!(stage.node.receipt(&hash)["status"], "0x0");
    // A dozen looks at it.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(stage.operation(id).await.status, Status::Mined);
    assert_eq!(stage.count(), before + 1, "nothing else is sent for it yet");

    stage.node.reorg(3);
    stage.node.rpc("anvil_setCode", json!([registry, code]));

    stage.until(id, Status::Sent).await;
    stage.pool(1).await;
    let ended = stage.ended_by_mining(id).await;
    assert_eq!((ended.status, ended.error), (Status::Succeeded, None));
    assert_eq!(stage.signed(id).await.len(), 1, "the same bytes");
    assert_eq!(stage.count(), before + 1);
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_transaction_at_our_nonce_needs_a_person_who_plans_the_mint_again_or_ends_it() {
    for (database, decision) in [
        (Database::Sqlite, Decision::Again),
        (Database::Postgres, Decision::Failed),
    ] {
        let stage = start(database).await;
        let token = stage.quiet_asset("FOREIGN").await;
        let before = stage.count();
        let id = mined_three_deep(&stage, &token).await;

        stage.node.reorg_with(3, &[(&foreign(&stage, before).await, 0)]);

        assert_eq!(stage.count(), before + 1, "something took the nonce");
        stage
            .wait("the alarm", async || {
                stage.node.mine(1);
                stage.operation(id).await.attention.is_some().then_some(())
            })
            .await;
        let case = cases(&stage).await.remove(0);
        assert_eq!(
            (case.nonce, case.state.as_str(), case.attention.as_str()),
            (before, "unknown", "nonce_taken")
        );
        assert_eq!(case.operations[0].id, id);
        assert_eq!(case.transactions, stage.signed(id).await);
        let waiting = stage.operation(id).await;
        assert_eq!((waiting.status, waiting.attention.is_some()), (Status::Sent, true));
        assert_eq!(
            stage.server.asset(&token).await.pending,
            Amount::from(3_u64),
            "nothing is guessed"
        );
        stage.node.mine(5);
        assert_eq!(stage.operation(id).await.status, Status::Sent);

        decide(&stage, before, decision).await;
        let ended = stage.ended_by_mining(id).await;

        let recipients = stage.server.world.recipients[..3].to_vec();
        match decision {
            Decision::Again => stage.every_mint_is_there_once(token, &[id], &recipients).await,
            Decision::Failed => {
                assert_eq!(ended.status, Status::Failed);
                assert!(ended.error.unwrap().contains("seen on the explorer"));
                assert_eq!(stage.balance(token, recipients[0]).await, Amount::ZERO);
                assert_eq!(stage.server.asset(&token).await.pending, Amount::ZERO);
            }
            Decision::Done => unreachable!("not decided here"),
        }
        assert!(cases(&stage).await.is_empty());
        // The sender goes on.
        let next = stage.accept(&token, &recipients[..1], 1).await;
        assert_eq!(stage.ended_by_mining(next).await.status, Status::Succeeded);
        stage.finish_in_agreement().await;
    }
}

async fn decide(stage: &Stage, nonce: u64, decision: Decision) {
    let now = stage.server.now();
    let decided = stage
        .server
        .app
        .db()
        .write(move |tx| settlement::decide(tx, nonce, decision, "seen on the explorer", now));
    decided.await.unwrap();
}

/// `moneyer admin settlement …` on the stage's database, as an operator types it.
fn admin(stage: &Stage, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_moneyer"))
        .args(["--database", &stage.server.database.url, "admin", "settlement"])
        .args(arguments)
        .env(
            "MONEYER_POLICIES__DIR",
            concat!(env!("CARGO_MANIFEST_DIR"), "/policies"),
        )
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_what_needs_a_person_and_decides_on_the_command_line() {
    let stage = start(Database::Sqlite).await;
    let token = stage.quiet_asset("PERSON").await;
    assert!(said(&admin(&stage, &["list"])).contains("no nonce and no operation needs a person"));
    let none = admin(&stage, &["resolve", "0", "--as", "again", "--reason", "a try"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(said(&none).contains("nonce 0 needs no person"), "{}", said(&none));
    let before = stage.count();
    let id = mined_three_deep(&stage, &token).await;
    stage.node.reorg_with(3, &[(&foreign(&stage, before).await, 0)]);
    stage
        .wait("the alarm", async || {
            stage.node.mine(1);
            (!cases(&stage).await.is_empty()).then_some(())
        })
        .await;

    let list = said(&admin(&stage, &["list"]));
    let nonce = before.to_string();
    let posted = admin(&stage, &["resolve", &nonce, "--as", "done", "--reason", "it is there"]);
    let again = admin(
        &stage,
        &["resolve", &nonce, "--as", "again", "--reason", "not on the explorer"],
    );

    assert!(
        list.contains(&format!("nonce {nonce} (mint, unknown): nonce_taken")),
        "{list}"
    );
    assert!(list.contains(&id.to_string()), "{list}");
    assert!(list.contains(&stage.signed(id).await[0].to_string()), "{list}");
    assert_eq!(posted.status.code(), Some(1), "{}", said(&posted));
    assert!(said(&posted).contains("posted as observed"), "{}", said(&posted));
    assert!(said(&again).contains("is resolved: again"), "{}", said(&again));
    stage.ended_by_mining(id).await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    let events = stage
        .server
        .events(moneyer::audit::EventFilter {
            actor: Some("admin".to_owned()),
            ..moneyer::audit::EventFilter::default()
        })
        .await;
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    let told = actions.iter().filter(|action| action.starts_with("settlement."));
    assert_eq!(
        told.copied().collect::<Vec<_>>(),
        ["settlement.decided", "settlement.decided", "settlement.resolved"]
    );
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_final_and_vanishes_all_the_same_is_sent_again_and_told_and_posted_once() {
    // One block on top is final here, so a reorganisation of two reaches below it.
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.quiet_asset("LATE").await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let before = stage.count();
    let id = stage.accept(&token, &recipients, 1).await;
    stage.pool(1).await;
    stage.node.mine(2);
    stage.until(id, Status::Succeeded).await;

    stage.node.reorg(2);

    stage
        .wait("the alarm", async || {
            let cases = cases(&stage).await;
            cases.iter().any(|case| case.attention == "late_reorg").then_some(())
        })
        .await;
    stage.pool(1).await;
    decide(&stage, before, Decision::Done).await;
    let why = refused(&stage, before).await;
    assert!(why.is_some_and(|why| why.contains("it is being sent again")));
    stage.node.mine(2);
    assert_eq!(stage.count(), before + 1, "the same bytes");
    // The look that hears of the decision may be one that began before these blocks.
    while cases(&stage).await.iter().any(|case| case.nonce == before) {
        decide(&stage, before, Decision::Done).await;
        refused(&stage, before).await;
    }
    let next = stage.accept(&token, &recipients, 1).await;
    stage.ended_by_mining(next).await;
    stage.every_mint_is_there_once(token, &[id, next], &recipients).await;
    stage.until_agreement().await;
    stage.finish_in_agreement().await;
}

/// Why a decision was not carried out, once it was heard of; none where it was.
async fn refused(stage: &Stage, nonce: u64) -> Option<String> {
    let progress = async || {
        let db = stage.server.app.db();
        db.write(move |tx| settlement::progress(tx, nonce)).await.unwrap()
    };
    let heard = async || match progress().await {
        Progress::Waits => None,
        Progress::Done => Some(None),
        Progress::Refused(why) => Some(Some(why)),
    };
    stage.wait("the decision to be heard of", heard).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_that_others_used_and_that_a_reorganisation_frees_is_filled() {
    let stage = start(Database::Sqlite).await;
    let token = stage.quiet_asset("GAP").await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let before = stage.count();
    // Somebody else sends with our key, and ours comes after it.
    stage.node.send_raw(&foreign(&stage, before).await).unwrap();
    stage.node.mine(1);
    stage.until_told("key_used_elsewhere").await;
    let id = stage.accept(&token, &recipients, 1).await;
    stage.pool(1).await;
    stage.node.mine(1);
    stage.until(id, Status::Mined).await;
    assert_eq!(stage.count(), before + 2);

    stage.node.reorg(2);

    assert_eq!(stage.count(), before);
    stage.ended_by_mining(id).await;
    assert_eq!(stage.count(), before + 2, "a no-op fills the nonce that nobody holds");
    assert_eq!(stage.signed(id).await.len(), 1);
    assert_eq!(stage.node.count(ACCOUNTS[0]), before + 2);
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_of_the_set_up_that_something_else_took_needs_a_person_and_cannot_be_given_away() {
    let stage = Stage::start_bad(Database::Sqlite, |chain| chain.finality = Finality::Depth(40)).await;
    stage
        .wait("the set-up in blocks", async || (stage.count() >= 6).then_some(()))
        .await;
    stage.node.stop_mining();
    let count_at = |block: u64| {
        let at = json!([ACCOUNTS[0], format!("{block:#x}")]);
        u64::try_from(number(&stage.node.rpc("eth_getTransactionCount", at))).unwrap()
    };
    let head = stage.node.head();
    let depth = (1..head).find(|depth| count_at(head - depth) < 6).unwrap();
    let taken = count_at(head - depth);

    stage.node.reorg_with(depth, &[(&foreign(&stage, taken).await, 0)]);

    let case = stage
        .wait("the case", async || {
            stage.node.mine(5);
            cases(&stage).await.into_iter().find(|case| case.state == "unknown")
        })
        .await;
    assert_eq!(
        (case.nonce, case.kind.as_str(), case.attention.as_str()),
        (taken, "setup", "nonce_taken")
    );
    let nonce = taken.to_string();
    let listed = said(&admin(&stage, &["list"]));
    assert!(
        listed.contains(&format!("nonce {nonce} (setup, unknown): nonce_taken")),
        "{listed}"
    );
    for decision in ["again", "failed", "done"] {
        let refused = admin(&stage, &["resolve", &nonce, "--as", decision, "--reason", "a try"]);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("begin with another key"), "{}", said(&refused));
    }
    stage.node.mine(5);
    assert_eq!(cases(&stage).await.len(), 1, "it is said once");
    let health = stage.server.read({
        let now = stage.server.now();
        move |tx| settlement::health(tx, now)
    });
    let Some(settlement::Health::Degraded(told)) = health.await else {
        panic!("settlement is well");
    };
    assert!(told.contains(&format!("nonce {nonce} needs a person")), "{told}");
    stage.finish().await;
}

/// The registry took the recipient and let it go in one block, as a contract does that is asked on another branch than the
/// one that was looked at: the mint is not refused for good before that block is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mint_is_not_refused_for_a_registration_whose_block_may_still_vanish() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = start(database).await;
        let token = stage.asset("BRANCH").await;
        stage.until_mintable(&[token]).await;
        stage.stop_settling().await;
        let registry_at = registry_of(&stage, token).await;
        let agent = Address::parse(ACCOUNTS[1]).unwrap();
        stage.send(ACCOUNTS[0], registry_at, &registry::add_agent(agent));
        stage.node.stop_mining();
        stage.settle().await;
        let wallet = newcomer(&stage).await;
        let id = stage.accept(&token, &[wallet], 1).await;
        stage.pool(1).await;
        let cheap = format!("{:#x}", stage.node.base_fee());
        let data = format!("0x{}", to_hex(&registry::delete_identity(wallet)));
        stage.node.send_as(json!({
            "from": ACCOUNTS[1], "to": registry_at.to_string(), "data": data, "gas": "0x100000", "gasPrice": cheap,
        }));

        stage.node.mine(1);

        stage
            .wait("the mint to wait for the block", async || {
                let hold = stage.operation(id).await.hold?;
                hold.contains("to be final").then_some(())
            })
            .await;
        stage.node.reorg(1);
        let ended = stage.ended_by_mining(id).await;
        assert_eq!(ended.status, Status::Succeeded, "{:?}", ended.error);
        stage.finish_in_agreement().await;
    }
}
