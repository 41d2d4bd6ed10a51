use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moneyer::chain::{Failure, Rpc, Sent};
use moneyer::config::{Chain, Finality};
use moneyer::types::{Amount, Hash32};
use serde_json::json;

use crate::node::ACCOUNTS;
use crate::stage::*;

#[tokio::test]
async fn a_view_is_the_head_the_account_the_receipts_and_the_blocks() {
    let node = manual();
    let rpc = rpc(&[node.url()]);
    let (first, second) = (signed(&payment(0)).await, signed(&payment(1)).await);
    assert_eq!(rpc.send(&first.raw).await, Sent::Accepted);
    node.mine(3);
    assert_eq!(rpc.send(&second.raw).await, Sent::Accepted);

    let view = rpc
        .view(&account(0), &[first.hash, second.hash], &[0, 1, 3, 4])
        .await
        .unwrap();

    assert_eq!((view.head.number, view.finalized, view.count), (3, 2, 1));
    assert_eq!(view.balance.to_string(), node.balance(ACCOUNTS[0]).to_string());
    let receipt = view.receipts[&first.hash].clone().unwrap();
    assert_eq!(
        (receipt.block_number, receipt.success, receipt.gas_used),
        (1, true, 21_000)
    );
    assert_eq!(view.blocks[&1], receipt.block_hash);
    assert_eq!(view.receipts[&second.hash], None);
    assert_eq!(view.blocks[&3], view.head.hash);
    assert_eq!(view.blocks.len(), 3, "a block above the head is not there");
}

#[tokio::test]
async fn many_questions_are_one_view() {
    let node = manual();
    node.mine(250);
    let hashes: Vec<Hash32> = (0..=254).map(|byte| Hash32::from_bytes([byte; 32])).collect();
    let blocks: Vec<u64> = (0..=250).collect();

    let view = rpc(&[node.url()]).view(&account(0), &hashes, &blocks).await.unwrap();

    assert_eq!((view.receipts.len(), view.blocks.len()), (255, 251));
}

#[tokio::test]
async fn the_suggested_fee_follows_the_base_fee_up_to_the_ceiling() {
    let node = manual();
    let rpc = rpc(&[node.url()]);
    node.set_next_base_fee(7 * GWEI);
    node.mine(1);
    let low = rpc.view(&account(0), &[], &[]).await.unwrap();
    node.set_next_base_fee(500 * GWEI);
    node.mine(1);
    let high = rpc.view(&account(0), &[], &[]).await.unwrap();

    assert_eq!(low.head.base_fee, 7 * GWEI);
    assert_eq!((low.suggested.max, low.suggested.priority), (15 * GWEI, GWEI));
    assert_eq!(high.suggested.max, 100 * GWEI, "the ceiling of the settings");
}

#[tokio::test]
async fn the_finalized_tag_is_read_where_it_is_the_rule() {
    let node = manual();
    let by_tag = Rpc::connect(&Chain {
        finality: Finality::Tag,
        ..chain(&[node.url()])
    })
    .unwrap();

    let young = by_tag.view(&account(0), &[], &[]).await.unwrap();
    node.mine(8);
    let older = by_tag.view(&account(0), &[], &[]).await.unwrap();

    assert_eq!(young.finalized, 0);
    let tag = u64::try_from(crate::node::number(&node.block("finalized")["number"])).unwrap();
    assert_eq!(older.finalized, tag);
    assert!(tag > 0 && tag < 8);
}

#[tokio::test]
async fn after_a_reorganisation_the_receipt_is_gone_and_the_block_is_another() {
    let node = manual();
    let rpc = rpc(&[node.url()]);
    let signed = signed(&payment(0)).await;
    rpc.send(&signed.raw).await;
    node.mine(3);
    let before = rpc.view(&account(0), &[signed.hash], &[1]).await.unwrap();

    node.reorg(3);
    let after = rpc.view(&account(0), &[signed.hash], &[1]).await.unwrap();

    assert!(before.receipts[&signed.hash].is_some());
    assert_eq!((before.count, after.count), (1, 0));
    assert_eq!(after.receipts[&signed.hash], None);
    assert_ne!(before.blocks[&1], after.blocks[&1]);
    assert_eq!(
        rpc.send(&signed.raw).await,
        Sent::Accepted,
        "the same bytes are taken again"
    );
}

#[tokio::test]
async fn heads_blocks_and_code_are_read_one_by_one() {
    let node = manual();
    let rpc = rpc(&[node.url()]);
    node.mine(2);

    let head = rpc.head().await.unwrap();

    assert_eq!(head.number, 2);
    assert_eq!(rpc.block(2).await.unwrap(), Some(head));
    assert_eq!(rpc.block(1).await.unwrap().unwrap().hash, head.parent);
    assert_eq!(rpc.block(3).await.unwrap(), None);
    assert!(rpc.code(&account(0)).await.unwrap().is_empty());
    assert_eq!(rpc.receipt(&Hash32::ZERO).await.unwrap(), None);
    assert_eq!(rpc.logs(&[account(0)], 0, 2).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_of_a_node_that_moves_is_of_one_chain_or_none() {
    let node = Arc::new(manual());
    let rpc = rpc(&[node.url()]);
    node.mine(5);
    let stop = Arc::new(AtomicBool::new(false));
    let mover = {
        let (node, stop) = (Arc::clone(&node), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                // The node may be in the middle of the one before.
                let _moved = node.try_rpc("anvil_reorg", json!([2, []]));
            }
        })
    };

    for _ in 0..30 {
        match rpc.view(&account(0), &[], &[3, 4, 5]).await {
            Ok(view) => {
                // In the middle of a reorganisation the chain is shorter than what was asked for.
                if view.head.number >= 3 {
                    assert_eq!(view.blocks.get(&view.head.number), Some(&view.head.hash));
                }
                if view.head.number > 3 {
                    assert_eq!(view.blocks.get(&(view.head.number - 1)), Some(&view.head.parent));
                }
            }
            Err(Failure::Moved { .. } | Failure::Refused { .. } | Failure::Behind { .. }) => {}
            Err(failure) => panic!("{failure}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    mover.join().unwrap();
}

#[tokio::test]
async fn an_account_may_own_more_than_the_native_coins_usual_size() {
    let node = manual();
    node.rpc(
        "anvil_setBalance",
        json!([ACCOUNTS[0], format!("0x{}", "f".repeat(64))]),
    );

    let view = rpc(&[node.url()]).view(&account(0), &[], &[]).await.unwrap();

    assert_eq!(view.balance, Amount::MAX);
}
