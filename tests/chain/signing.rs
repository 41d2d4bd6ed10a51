use moneyer::chain::{Failure, Sent, Signer, create_keystore};
use moneyer::config::{Endpoint, KeySource};
use moneyer::types::Address;
use secrecy::SecretString;

use crate::node::ACCOUNTS;
use crate::stage::*;

fn remote(url: &str, address: Address) -> KeySource {
    KeySource::Remote {
        url: Endpoint::parse(url).unwrap(),
        address,
    }
}

/// The node stands in for Web3Signer: it signs for its own accounts by the same method.
#[tokio::test]
async fn a_remote_signer_gives_the_same_bytes_as_the_key_here() {
    let node = manual();
    let signer = Signer::open(&remote(&node.url(), account(0))).await.unwrap();
    let transaction = payment(0);

    let theirs = signer.sign(&transaction).await.unwrap();

    assert_eq!(theirs, signed(&transaction).await);
    assert_eq!(rpc(&[node.url()]).send(&theirs.raw).await, Sent::Accepted);
}

#[tokio::test]
async fn a_remote_signer_signs_the_creation_of_a_contract_too() {
    let node = manual();
    let signer = Signer::open(&remote(&node.url(), account(0))).await.unwrap();
    let mut transaction = payment(0);
    transaction.to = None;
    transaction.data = vec![0x60, 0x00];

    let theirs = signer.sign(&transaction).await;

    // What a signer cannot do is an error and never another transaction.
    match theirs {
        Ok(theirs) => assert_eq!(theirs, signed(&transaction).await),
        Err(failure) => assert!(matches!(failure, Failure::Signer(_)), "{failure}"),
    }
}

#[tokio::test]
async fn a_remote_signer_without_the_key_or_out_of_reach_is_a_failure() {
    let node = manual();
    let unknown = Signer::open(&remote(&node.url(), Address::from_bytes([7; 20])))
        .await
        .unwrap();
    let away = Signer::open(&remote("http://127.0.0.1:9", account(0))).await.unwrap();

    for signer in [unknown, away] {
        let failure = signer.sign(&payment(0)).await.unwrap_err();
        assert!(matches!(failure, Failure::Signer(_)), "{failure}");
    }
}

#[tokio::test]
async fn a_keystore_signs_what_the_chain_accepts() {
    let node = manual();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    let password = || SecretString::from("correct horse battery".to_owned());
    let address = create_keystore(path.clone(), password()).await.unwrap();
    node.set_balance(&address.to_string(), 1_000_000 * GWEI);
    let source = KeySource::Keystore {
        path,
        password: password(),
    };

    let signer = Signer::open(&source).await.unwrap();
    let signed = signer.sign(&payment(0)).await.unwrap();

    assert_eq!(signer.address(), address);
    let rpc = rpc(&[node.url()]);
    assert_eq!(rpc.send(&signed.raw).await, Sent::Accepted);
    node.mine(1);
    assert_eq!(rpc.view(&address, &[signed.hash], &[]).await.unwrap().count, 1);
    assert_ne!(address.to_string(), ACCOUNTS[0]);
}
