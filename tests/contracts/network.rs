//! The node and the proxy do what other tests rely on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::node::{ACCOUNTS, CHAIN_ID, Mining, Node, Options, exchange, number};
use crate::proxy::{Fault, Proxy};

const GWEI: u128 = 1_000_000_000;

fn manual() -> Node {
    Node::start(Options {
        mining: Mining::Manual,
        ..Options::default()
    })
}

/// Signed bytes of a payment of 1 wei from the first account.
fn signed(node: &Node, nonce: u64, to: &str) -> String {
    let transaction = json!({
        "from": ACCOUNTS[0], "to": to, "value": "0x1", "nonce": format!("{nonce:#x}"), "gas": "0x5208",
        "maxFeePerGas": format!("{:#x}", 20 * GWEI), "maxPriorityFeePerGas": "0x1", "chainId": format!("{CHAIN_ID:#x}"),
    });
    node.rpc("eth_signTransaction", json!([transaction]))
        .as_str()
        .unwrap()
        .to_owned()
}

fn through(proxy: &Proxy, requests: &Value) -> std::io::Result<(u16, Value)> {
    let address = proxy.url().trim_start_matches("http://").parse().unwrap();
    let (status, body) = exchange(address, requests.to_string().as_bytes(), Duration::from_secs(5))?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

fn ask(method: &str, parameters: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters })
}

// --- the node -------------------------------------------------------------------------------------------------------

#[test]
fn a_node_mines_only_when_told() {
    let node = manual();
    let hash = node.send_raw(&signed(&node, 0, ACCOUNTS[1])).unwrap();

    assert!(node.receipt(&hash).is_null());
    assert_eq!(node.pool(), (vec![hash.clone()], vec![]));
    node.mine(1);

    assert_eq!(node.receipt(&hash)["status"], json!("0x1"));
    assert_eq!((node.head(), node.count(ACCOUNTS[0])), (1, 1));
}

#[test]
fn a_killed_node_keeps_its_chain_and_forgets_its_pool() {
    let mut node = Node::start(Options {
        mining: Mining::Manual,
        kept: true,
        ..Options::default()
    });
    let mined = node.send_raw(&signed(&node, 0, ACCOUNTS[1])).unwrap();
    node.mine(1);
    let waiting = node.send_raw(&signed(&node, 1, ACCOUNTS[1])).unwrap();
    let url = node.url();
    node.wait_until_saved();

    node.kill();
    assert!(node.try_rpc("eth_chainId", json!([])).is_err());
    node.start_again();

    assert_eq!(node.url(), url);
    assert_eq!(node.receipt(&mined)["status"], json!("0x1"));
    assert!(node.rpc("eth_getTransactionByHash", json!([waiting])).is_null());
}

#[test]
fn a_stopped_node_loses_nothing_that_was_mined() {
    let mut node = Node::start(Options {
        kept: true,
        ..Options::default()
    });
    node.set_balance(ACCOUNTS[2], 7);
    node.mine(3);

    node.stop();
    node.start_again();

    assert_eq!((node.head(), node.balance(ACCOUNTS[2])), (3, 7));
}

#[test]
fn a_reorganisation_takes_a_transaction_away_and_the_same_bytes_bring_it_back() {
    let node = manual();
    let raw = signed(&node, 0, ACCOUNTS[1]);
    let hash = node.send_raw(&raw).unwrap();
    node.mine(3);
    let before = node.block("0x1")["hash"].clone();

    node.reorg(3);

    assert!(node.receipt(&hash).is_null());
    assert_ne!(node.block("0x1")["hash"], before);
    assert_eq!((node.head(), node.count(ACCOUNTS[0])), (3, 0));
    assert_eq!(node.send_raw(&raw).unwrap(), hash);
    node.mine(1);
    assert_eq!(node.receipt(&hash)["blockNumber"], json!("0x4"));
}

#[test]
fn a_reorganisation_can_put_another_transaction_at_the_nonce() {
    let node = manual();
    let (ours, foreign) = (signed(&node, 0, ACCOUNTS[1]), signed(&node, 0, ACCOUNTS[2]));
    let hash = node.send_raw(&ours).unwrap();
    node.mine(1);

    node.reorg_with(1, &[(&foreign, 0)]);

    assert!(node.receipt(&hash).is_null());
    assert_eq!(node.count(ACCOUNTS[0]), 1);
    let refusal = node.send_raw(&ours).unwrap_err();
    assert!(refusal.to_string().contains("nonce too low"), "{refusal}");
}

#[test]
fn a_dropped_transaction_leaves_a_gap() {
    let node = manual();
    let hashes: Vec<String> = (0..3)
        .map(|nonce| node.send_raw(&signed(&node, nonce, ACCOUNTS[1])).unwrap())
        .collect();

    assert!(node.drop_transaction(&hashes[1]));
    node.mine(1);

    assert!(!node.receipt(&hashes[0]).is_null());
    assert!(node.receipt(&hashes[2]).is_null());
    assert_eq!(node.count(ACCOUNTS[0]), 1);
}

#[test]
fn a_base_fee_above_the_ceiling_leaves_a_transaction_waiting() {
    let node = manual();
    let hash = node.send_raw(&signed(&node, 0, ACCOUNTS[1])).unwrap();

    node.set_next_base_fee(50 * GWEI);
    node.mine(1);

    assert_eq!(node.base_fee(), 50 * GWEI);
    assert!(node.receipt(&hash).is_null());
}

#[test]
fn a_frozen_node_takes_connections_and_answers_nothing() {
    let node = manual();
    node.freeze();

    let request = ask("eth_chainId", json!([])).to_string();
    let silence = exchange(node.address(), request.as_bytes(), Duration::from_millis(200));
    node.thaw();

    assert!(silence.is_err());
    assert_eq!(node.number("eth_chainId", json!([])), CHAIN_ID.into());
}

#[test]
fn safe_and_finalized_follow_the_head() {
    let node = manual();
    node.mine(5);

    let at = |tag: &str| number(&node.block(tag)["number"]);
    assert_eq!((at("latest"), at("safe"), at("finalized")), (5, 4, 3));
}

#[test]
fn a_transaction_above_the_cap_for_one_is_refused() {
    let node = manual();
    let transaction = json!({ "from": ACCOUNTS[0], "to": ACCOUNTS[1], "gas": format!("{:#x}", (1 << 24) + 1) });

    let refusal = node.try_rpc("eth_sendTransaction", json!([transaction])).unwrap_err();

    assert!(refusal.to_string().contains("gas"), "{refusal}");
}

// --- the proxy ------------------------------------------------------------------------------------------------------

#[test]
fn a_lost_reply_does_not_undo_what_was_asked() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    let send = ask("eth_sendRawTransaction", json!([signed(&node, 0, ACCOUNTS[1])]));
    proxy.inject("eth_sendRawTransaction", Fault::DropReply, 1);

    assert!(through(&proxy, &send).is_err());

    assert_eq!(node.pool().0.len(), 1);
    let (_, again) = through(&proxy, &send).unwrap();
    assert!(
        again["error"]["message"].as_str().unwrap().contains("already imported"),
        "{again}"
    );
    assert_eq!((proxy.count("eth_sendRawTransaction"), proxy.injected()), (2, 1));
}

#[test]
fn a_refused_request_never_reaches_the_node() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    let send = ask("eth_sendRawTransaction", json!([signed(&node, 0, ACCOUNTS[1])]));
    let pause = Duration::from_millis(50);

    for fault in [Fault::Refuse, Fault::TimeOut(pause), Fault::Status(503)] {
        proxy.inject("eth_sendRawTransaction", fault, 1);
        let answer = through(&proxy, &send);
        assert!(answer.is_err() || answer.unwrap().0 == 503);
    }

    assert_eq!(node.pool(), (vec![], vec![]));
}

#[test]
fn receipts_are_null_for_a_while() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    let hash = node.send_raw(&signed(&node, 0, ACCOUNTS[1])).unwrap();
    node.mine(1);
    proxy.inject("eth_getTransactionReceipt", Fault::NullReceipts, 1);
    let batch = json!([
        ask("eth_blockNumber", json!([])),
        { "jsonrpc": "2.0", "id": 2, "method": "eth_getTransactionReceipt", "params": [hash] },
    ]);

    let answers = |()| through(&proxy, &batch).unwrap().1;
    let receipt = |answers: &Value| {
        let all = answers.as_array().unwrap().clone();
        assert!(all.iter().any(|one| one["result"] == json!("0x1")), "{answers}");
        all.iter().find(|one| one["id"] == json!(2)).unwrap()["result"].clone()
    };

    assert!(receipt(&answers(())).is_null());
    assert_eq!(receipt(&answers(()))["status"], json!("0x1"));
}

#[test]
fn an_endpoint_that_lies_behind_knows_nothing_newer() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    node.mine(2);
    proxy.lag_at(2);
    let hash = node.send_raw(&signed(&node, 0, ACCOUNTS[1])).unwrap();
    node.mine(1);
    let result =
        |method: &str, parameters: Value| through(&proxy, &ask(method, parameters)).unwrap().1["result"].clone();

    assert_eq!(result("eth_blockNumber", json!([])), json!("0x2"));
    assert_eq!(
        result("eth_getBlockByNumber", json!(["latest", false]))["number"],
        json!("0x2")
    );
    assert_eq!(
        result("eth_getTransactionCount", json!([ACCOUNTS[0], "latest"])),
        json!("0x0")
    );
    assert!(result("eth_getTransactionReceipt", json!([hash])).is_null());
    proxy.catch_up();
    assert_eq!(
        result("eth_getTransactionReceipt", json!([hash]))["status"],
        json!("0x1")
    );
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let node = manual();
    let histories: Vec<Vec<bool>> = [7, 7, 8]
        .into_iter()
        .map(|seed| {
            let proxy = Proxy::start(node.address());
            proxy.misbehave(seed, 500, &[Fault::Refuse, Fault::Status(502)]);
            let ask = ask("eth_chainId", json!([]));
            (0..32)
                .map(|_| through(&proxy, &ask).is_ok_and(|(status, _)| status == 200))
                .collect()
        })
        .collect();

    assert_eq!(histories[0], histories[1]);
    assert_ne!(histories[0], histories[2]);
    assert!(histories[0].contains(&true) && histories[0].contains(&false));
}
