use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use moneyer::chain::{Failure, Rpc};
use moneyer::config::Chain;

use crate::node::{Node, Options};
use crate::proxy::{Fault, Proxy};
use crate::stage::*;

/// A node of another chain.
fn foreign() -> Node {
    Node::start(Options {
        chain_id: 5,
        ..Options::default()
    })
}

#[tokio::test]
async fn an_endpoint_of_another_chain_is_refused() {
    let (own, foreign) = (manual(), foreign());
    let alone = rpc(&[foreign.url()]);
    let both = rpc(&[foreign.url(), own.url()]);

    let verdict = alone.verify_chain_id().await.unwrap_err();

    assert!(
        matches!(
            verdict,
            Failure::WrongChain {
                expected: 31_337,
                found: 5,
                ..
            }
        ),
        "{verdict}"
    );
    assert!(both.verify_chain_id().await.is_err());
    assert!(matches!(alone.head().await, Err(Failure::WrongChain { .. })));
    assert!(both.head().await.is_ok(), "the other endpoint is of our chain");
    assert!(rpc(&[own.url()]).verify_chain_id().await.is_ok());
}

#[tokio::test]
async fn nobody_there_is_told_apart_from_a_wrong_chain() {
    let nobody = "http://127.0.0.1:9".to_owned();
    let node = manual();

    let alone = rpc(std::slice::from_ref(&nobody)).verify_chain_id().await.unwrap_err();

    assert!(matches!(alone, Failure::Unreachable(_)), "{alone}");
    assert!(rpc(&[nobody, node.url()]).verify_chain_id().await.is_ok());
}

#[tokio::test]
async fn an_endpoint_that_lies_behind_is_ignored() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    node.mine(5);
    let rpc = rpc(&[proxy.url(), node.url()]);
    assert_eq!(rpc.head().await.unwrap().number, 5);

    proxy.lag_at(5);
    node.mine(2);
    assert_eq!(rpc.head().await.unwrap().number, 5, "not yet seen to be behind");
    proxy.break_everything(Fault::Refuse);
    assert_eq!(rpc.head().await.unwrap().number, 7);
    proxy.heal();
    proxy.lag_at(5);

    for _ in 0..4 {
        let view = rpc.view(&account(0), &[], &[]).await.unwrap();
        assert_eq!(view.head.number, 7);
    }
}

#[tokio::test]
async fn when_every_endpoint_is_behind_there_is_no_reading_until_patience_ends() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    node.mine(5);
    let patient = rpc(&[proxy.url()]);
    let impatient = Rpc::connect(&Chain {
        lag_patience: Duration::ZERO,
        ..chain(&[proxy.url()])
    })
    .unwrap();
    for rpc in [&patient, &impatient] {
        assert_eq!(rpc.head().await.unwrap().number, 5);
    }

    proxy.lag_at(3);

    let behind = patient.view(&account(0), &[], &[]).await.unwrap_err();
    assert!(matches!(behind, Failure::Behind { head: 3, seen: 5, .. }), "{behind}");
    assert_eq!(impatient.head().await.unwrap().number, 3);
}

#[tokio::test]
async fn a_silent_endpoint_costs_less_than_two_seconds_and_then_nothing() {
    let (silent, node) = (manual(), manual());
    let rpc = rpc(&[silent.url(), node.url()]);
    rpc.verify_chain_id().await.unwrap();
    silent.freeze();

    let started = Instant::now();
    assert!(rpc.view(&account(0), &[], &[]).await.is_ok());
    let first = started.elapsed();
    let started = Instant::now();
    assert!(rpc.view(&account(0), &[], &[]).await.is_ok());
    let second = started.elapsed();
    silent.thaw();

    assert!(first < Duration::from_secs(2), "{first:?}");
    assert!(
        second < Duration::from_secs(1),
        "the one that answers is asked first: {second:?}"
    );
}

#[tokio::test]
async fn a_single_silent_endpoint_ends_in_a_failure_in_time() {
    let node = manual();
    let hasty = Rpc::connect(&Chain {
        timeout: Duration::from_millis(300),
        ..chain(&[node.url()])
    })
    .unwrap();
    node.freeze();

    let started = Instant::now();
    let failure = hasty.head().await.unwrap_err();
    node.thaw();

    assert!(matches!(failure, Failure::Unreachable(_)), "{failure}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_question_is_asked_again_after_a_lost_answer_or_a_bad_gateway() {
    let node = manual();
    let proxy = Proxy::start(node.address());
    let rpc = rpc(&[proxy.url()]);

    for fault in [
        Fault::Refuse,
        Fault::DropReply,
        Fault::Status(429),
        Fault::Status(502),
        Fault::StatusAfter(503),
    ] {
        proxy.inject("eth_blockNumber", fault, 1);
        assert!(rpc.head().await.is_ok(), "{fault:?}");
        proxy.inject("eth_blockNumber", fault, 2);
        assert!(
            matches!(rpc.head().await, Err(Failure::Unreachable(_))),
            "{fault:?} twice"
        );
    }
}

/// Answers every request with more than anybody should read.
fn endless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _request = stream.read(&mut [0; 4096]);
            let _head = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
            // It ends when the reader goes away.
            while stream.write_all(&[b' '; 65_536]).is_ok() {}
        }
    });
    url
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_the_end() {
    let failure = rpc(&[endless()]).head().await.unwrap_err();

    assert!(failure.to_string().contains("more than 67108864 bytes"), "{failure}");
}
