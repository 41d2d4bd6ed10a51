//! What a transaction may cost: base fees that jump, replacements, a ceiling, an empty purse; and a pool that drops.

use diesel::prelude::*;
use moneyer::db::schema::chain_attempts;
use moneyer::on;
use moneyer::operation::Status;
use moneyer::settlement::Case;
use moneyer::types::{Amount, Hash32, OperationId};

use crate::node::ACCOUNTS;
use crate::proxy::Fault;
use crate::stage::Stage;
use crate::support::Database;

const GWEI: u128 = 1_000_000_000;

/// Blocks at this base fee until there is an answer.
async fn mine_at<T>(stage: &Stage, base_fee: u128, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    stage
        .wait(what, async || {
            stage.node.set_next_base_fee(base_fee);
            stage.node.mine(1);
            ask().await
        })
        .await
}

/// A mint that waits in the pool and cannot be mined at the base fee of now.
async fn stuck(stage: &Stage, symbol: &str, base_fee: u128) -> (moneyer::types::Address, OperationId, Hash32) {
    let token = stage.quiet_asset(symbol).await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let id = stage.accept(&token, &recipients, 1).await;
    stage.pool(1).await;
    let first = stage.signed(id).await[0];
    // This node forgets what the block after the jump cannot take.
    stage.node.set_next_base_fee(base_fee);
    stage.node.mine(1);
    assert!(stage.node.receipt(&first.to_string()).is_null(), "it is not mined");
    (token, id, first)
}

async fn cases(stage: &Stage) -> Vec<Case> {
    stage.server.read(moneyer::settlement::cases).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jump_of_the_base_fee_is_outbid_and_the_replacement_wins() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let (token, id, first) = stuck(&stage, "JUMP", 30 * GWEI).await;
    let before = stage.count();

    mine_at(&stage, 30 * GWEI, "the mint", async || {
        stage.operation(id).await.status.is_final().then_some(())
    })
    .await;

    let signed = stage.signed(id).await;
    assert!(signed.len() >= 2, "{signed:?}");
    assert!(stage.node.receipt(&first.to_string()).is_null(), "the original is gone");
    assert!(!stage.node.receipt(&signed.last().unwrap().to_string()).is_null());
    assert_eq!(stage.count(), before + 1);
    let recipients = stage.server.world.recipients[..3].to_vec();
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_original_may_win_against_its_replacement() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.quiet_asset("FIRST").await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let before = stage.count();
    let id = stage.accept(&token, &recipients, 1).await;
    stage.pool(1).await;
    let first = stage.signed(id).await[0];
    let raw = stage
        .node
        .rpc("eth_getRawTransactionByHash", serde_json::json!([first.to_string()]));
    // Replacements are signed and sent, and never arrive.
    stage.proxy().break_method("eth_sendRawTransaction", Fault::Refuse);
    mine_at(&stage, 30 * GWEI, "a replacement", async || {
        (stage.signed(id).await.len() > 1).then_some(())
    })
    .await;

    // Some node has kept the original, and blocks are cheap again.
    stage.node.set_next_base_fee(GWEI / 10);
    stage.node.mine(1);
    stage.node.send_raw(raw.as_str().unwrap()).unwrap();
    mine_at(&stage, GWEI / 10, "the mint", async || {
        stage.operation(id).await.status.is_final().then_some(())
    })
    .await;

    assert!(!stage.node.receipt(&first.to_string()).is_null());
    assert_eq!(stage.count(), before + 1);
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_ceiling_nothing_more_is_offered_and_a_person_is_told_until_blocks_are_cheap_again() {
    let stage = Stage::start_bad(Database::Sqlite, |chain| chain.fee_max = 5 * GWEI).await;
    let (token, id, _) = stuck(&stage, "CEILING", 30 * GWEI).await;

    mine_at(&stage, 30 * GWEI, "the alarm", async || {
        stage.operation(id).await.attention.is_some().then_some(())
    })
    .await;
    let told: Vec<String> = cases(&stage).await.into_iter().map(|case| case.attention).collect();
    assert_eq!(told, ["fee_ceiling"]);
    mine_at(&stage, GWEI / 10, "the mint", async || {
        stage.operation(id).await.status.is_final().then_some(())
    })
    .await;

    assert!(cases(&stage).await.is_empty());
    let recipients = stage.server.world.recipients[..3].to_vec();
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_without_funds_takes_no_nonce_and_goes_on_when_it_has_some() {
    let stage = Stage::start_bad(Database::Postgres, |_| {}).await;
    let token = stage.quiet_asset("FUNDS").await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let purse = stage.node.balance(ACCOUNTS[0]);
    stage.node.set_balance(ACCOUNTS[0], 1_000);
    stage.node.mine(2);
    stage.until_told("low on funds").await;

    let id = stage.accept(&token, &recipients, 1).await;
    for _look in 0..10 {
        stage.node.mine(1);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(stage.operation(id).await.status, Status::Queued);
    assert!(stage.signed(id).await.is_empty());
    stage.node.set_balance(ACCOUNTS[0], purse);

    stage.ended_by_mining(id).await;
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    stage.finish_in_agreement().await;
}

/// What was offered for each nonce from this one on, one attempt after the other: the most per gas, and the priority fee.
pub async fn offers(stage: &Stage, from: u64) -> Vec<Vec<(u128, u128)>> {
    let from = i64::try_from(from).unwrap();
    let read = stage.server.read(move |tx| {
        let attempts = chain_attempts::table
            .filter(chain_attempts::nonce.ge(from))
            .order((chain_attempts::nonce, chain_attempts::attempt))
            .select((
                chain_attempts::nonce,
                chain_attempts::fee_max,
                chain_attempts::fee_priority,
            ));
        let rows: Vec<(i64, Amount, Amount)> = on!(tx, c => attempts.load(c))?;
        Ok(rows)
    });
    let wei = |amount: Amount| amount.to_string().parse::<u128>().unwrap();
    let mut offers: Vec<Vec<(u128, u128)>> = Vec::new();
    for (nonce, max, priority) in read.await {
        let place = usize::try_from(nonce - from).unwrap();
        offers.resize(offers.len().max(place + 1), Vec::new());
        offers[place].push((wei(max), wei(priority)));
    }
    offers
}

/// Rule 10: what stands behind the lowest cannot be mined before it, whatever it offers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_lowest_of_several_in_flight_is_outbid_and_each_when_it_is_the_lowest() {
    let stage = Stage::start_bad(Database::Postgres, |_| {}).await;
    let mut tokens = Vec::new();
    for symbol in ["LOWA", "LOWB", "LOWC", "LOWD"] {
        tokens.push(stage.asset(symbol).await);
    }
    stage.until_mintable(&tokens).await;
    stage.node.stop_mining();
    let recipients = stage.server.world.recipients[..3].to_vec();
    let (before, mut ids) = (stage.count(), Vec::new());
    for token in &tokens {
        ids.push(stage.accept(token, &recipients, 1).await);
    }
    stage.pool(4).await;
    let counts = |offers: &[Vec<(u128, u128)>]| offers.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(counts(&offers(&stage, before).await), [1, 1, 1, 1]);

    // None of them fits the blocks of now, and no replacement arrives: the lowest stays the lowest.
    stage.proxy().break_method("eth_sendRawTransaction", Fault::Refuse);
    mine_at(&stage, 30 * GWEI, "two replacements of the lowest", async || {
        (counts(&offers(&stage, before).await)[0] == 3).then_some(())
    })
    .await;
    assert_eq!(stage.count(), before);
    assert_eq!(counts(&offers(&stage, before).await)[1..], [1, 1, 1]);
    stage.proxy().heal();
    mine_at(&stage, 30 * GWEI, "the mints", async || {
        let tried = counts(&offers(&stage, before).await);
        // The count is read after the offers: what was the lowest then is not above it now.
        let lowest = usize::try_from(stage.count() - before).unwrap();
        let early = tried.iter().skip(lowest + 1).find(|tried| **tried > 1);
        assert_eq!(early, None, "{tried:?} with {lowest} mined");
        (lowest == 4).then_some(())
    })
    .await;

    for (id, token) in ids.iter().zip(&tokens) {
        stage.ended_by_mining(*id).await;
        stage.every_mint_is_there_once(*token, &[*id], &recipients).await;
    }
    assert_eq!(stage.count(), before + 4);
    for offers in offers(&stage, before).await {
        assert!(offers.len() > 1, "the first offer was too low: {offers:?}");
        for pair in offers.windows(2) {
            let [(max, priority), (more, more_priority)] = [pair[0], pair[1]];
            let is_an_eighth_more = more * 8 >= max * 9 && more_priority * 8 >= priority * 9;
            assert!(is_an_eighth_more, "{offers:?}");
        }
    }
    stage.finish_in_agreement().await;
}

/// Rule 9: a hole far below costs no more than this many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_so_many_transactions_are_in_flight() {
    let stage = Stage::start_bad(Database::Sqlite, |chain| chain.in_flight_max = 2).await;
    let mut tokens = Vec::new();
    for symbol in ["FLIGHTA", "FLIGHTB", "FLIGHTC"] {
        tokens.push(stage.asset(symbol).await);
    }
    stage.until_mintable(&tokens).await;
    stage.node.stop_mining();
    let recipients = stage.server.world.recipients[..3].to_vec();

    let mut ids = Vec::new();
    for token in &tokens {
        ids.push(stage.accept(token, &recipients, 1).await);
    }

    stage.pool(2).await;
    // A dozen looks, in which a third one would be sent.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(stage.node.pool().0.len(), 2);
    assert_eq!(stage.operation(ids[2]).await.status, Status::Queued);
    for (token, id) in tokens.into_iter().zip(ids) {
        stage.ended_by_mining(id).await;
        stage.every_mint_is_there_once(token, &[id], &recipients).await;
    }
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_middle_of_five_that_the_pool_drops_is_sent_again_at_its_nonce() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let mut tokens = Vec::new();
    for symbol in ["DROPA", "DROPB", "DROPC", "DROPD", "DROPE"] {
        tokens.push(stage.asset(symbol).await);
    }
    stage.until_mintable(&tokens).await;
    stage.node.stop_mining();
    let recipients = stage.server.world.recipients[..3].to_vec();
    let before = stage.count();
    let mut ids = Vec::new();
    for token in &tokens {
        ids.push(stage.accept(token, &recipients, 1).await);
    }
    stage.pool(5).await;
    let mut middle = None;
    for id in &ids {
        let hash = stage.signed(*id).await[0].to_string();
        let known = stage.node.rpc("eth_getTransactionByHash", serde_json::json!([hash]));
        let nonce = crate::node::number(&known["nonce"]);
        middle = middle.or((nonce == u128::from(before) + 2).then_some(hash));
    }

    let middle = middle.unwrap();
    assert!(stage.node.drop_transaction(&middle));
    assert!(!stage.node.pool().0.contains(&middle));

    for (id, token) in ids.iter().zip(&tokens) {
        stage.ended_by_mining(*id).await;
        stage.every_mint_is_there_once(*token, &[*id], &recipients).await;
        assert_eq!(stage.signed(*id).await.len(), 1, "the same bytes");
    }
    assert_eq!(stage.count(), before + 5);
    stage.finish_in_agreement().await;
}
