use std::time::Duration;

use moneyer::chain::{Fees, Sent};
use moneyer::types::Amount;

use crate::node::ACCOUNTS;
use crate::proxy::{Fault, Proxy};
use crate::stage::*;

fn is_unclear(sent: &Sent) -> bool {
    matches!(sent, Sent::Unclear(_))
}

fn is_refused(sent: &Sent) -> bool {
    matches!(sent, Sent::Refused(_))
}

#[tokio::test]
async fn what_is_in_the_pool_already_is_accepted_and_what_is_mined_already_decides_nothing() {
    let node = manual();
    let rpc = rpc(&[node.url()]);
    let signed = signed(&payment(0)).await;

    assert_eq!(rpc.send(&signed.raw).await, Sent::Accepted);
    assert_eq!(rpc.send(&signed.raw).await, Sent::Accepted, "already known");
    node.mine(1);
    let again = rpc.send(&signed.raw).await;

    assert!(is_unclear(&again), "nonce too low may be our own: {again:?}");
    assert_eq!(node.pool().0.len(), 0);
    assert!(rpc.receipt(&signed.hash).await.unwrap().is_some());
}

#[tokio::test]
async fn a_replacement_that_offers_no_more_decides_nothing_and_one_that_offers_an_eighth_is_accepted() {
    let node = manual();
    let rpc = rpc(&[node.url()]);
    let first = payment(0);
    let mut same = payment(0);
    same.value = Amount::from(2);
    let mut more = payment(0);
    more.fees = Fees {
        max: first.fees.max / 8 * 9,
        priority: first.fees.priority / 8 * 9,
    };

    assert_eq!(rpc.send(&signed(&first).await.raw).await, Sent::Accepted);
    let underpriced = rpc.send(&signed(&same).await.raw).await;
    assert!(is_unclear(&underpriced), "{underpriced:?}");
    assert_eq!(rpc.send(&signed(&more).await.raw).await, Sent::Accepted);
}

#[tokio::test]
async fn no_money_and_a_fee_below_the_base_fee_may_pass_later() {
    let node = manual();
    let rpc = rpc(&[node.url()]);
    let mut cheap = payment(0);
    cheap.fees = Fees { max: 1, priority: 1 };
    let below = rpc.send(&signed(&cheap).await.raw).await;
    node.set_balance(ACCOUNTS[0], 1);
    let poor = rpc.send(&signed(&payment(0)).await.raw).await;

    assert!(is_unclear(&below), "{below:?}");
    assert!(is_unclear(&poor), "{poor:?}");
}

#[tokio::test]
async fn what_can_never_be_valid_is_refused() {
    let node = manual();
    let rpc = rpc(&[node.url()]);
    let mut starved = payment(0);
    starved.gas_limit = 20_999;
    let mut greedy = payment(0);
    greedy.gas_limit = (1 << 24) + 1;
    let mut elsewhere = payment(0);
    elsewhere.chain_id = 1;

    for transaction in [starved, greedy, elsewhere] {
        let sent = rpc.send(&signed(&transaction).await.raw).await;
        assert!(is_refused(&sent), "{transaction:?}: {sent:?}");
    }
    let garbage = rpc.send(&[2, 1, 2, 3]).await;
    assert!(is_refused(&garbage), "{garbage:?}");
}

#[tokio::test]
async fn a_lost_answer_decides_nothing_and_the_transaction_is_found_by_its_hash() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    let rpc = rpc(&[proxy.url()]);
    for (nonce, fault) in [
        (0, Fault::DropReply),
        (1, Fault::StatusAfter(502)),
        (2, Fault::TimeOutAfter(Duration::from_secs(4))),
    ] {
        let signed = signed(&payment(nonce)).await;
        proxy.inject("eth_sendRawTransaction", fault, 1);

        let sent = rpc.send(&signed.raw).await;

        assert!(is_unclear(&sent), "{fault:?}: {sent:?}");
        assert!(
            node.pool().0.contains(&signed.hash.to_string()),
            "{fault:?}: the node has it"
        );
    }
    node.mine(1);
    assert_eq!(rpc.view(&account(0), &[], &[]).await.unwrap().count, 3);
}

#[tokio::test]
async fn what_one_endpoint_does_not_take_another_may() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    let rpc = rpc(&[proxy.url(), node.url()]);

    proxy.break_method("eth_sendRawTransaction", Fault::Status(500));
    assert_eq!(rpc.send(&signed(&payment(0)).await.raw).await, Sent::Accepted);
    proxy.heal();
    proxy.break_everything(Fault::Refuse);
    assert_eq!(rpc.send(&signed(&payment(1)).await.raw).await, Sent::Accepted);
    assert_eq!(node.pool().0.len(), 2);
}

#[tokio::test]
async fn a_refusal_proves_nothing_while_another_endpoint_was_silent() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    let rpc = rpc(&[proxy.url(), node.url()]);
    let mut starved = payment(0);
    starved.gas_limit = 20_999;
    let raw = signed(&starved).await.raw;

    proxy.break_method("eth_sendRawTransaction", Fault::DropReply);
    assert!(is_unclear(&rpc.send(&raw).await));
    proxy.heal();
    assert!(is_refused(&rpc.send(&raw).await));
}

#[tokio::test]
async fn a_node_of_another_chain_proves_nothing() {
    let foreign = crate::node::Node::start(crate::node::Options {
        chain_id: 5,
        ..crate::node::Options::default()
    });

    let sent = rpc(&[foreign.url()]).send(&signed(&payment(0)).await.raw).await;

    assert!(
        is_unclear(&sent),
        "it would have refused with a word about the chain id: {sent:?}"
    );
}
