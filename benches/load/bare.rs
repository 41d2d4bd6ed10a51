//! What a chain takes when nobody keeps books: the calldata of a run, sent again by a bare loop.

use std::time::{Duration, Instant};

use moneyer::chain::{Receipt, Rpc, Sent, Signer, Transaction};
use moneyer::config::{Chain, Endpoint, Finality, KeySource};
use moneyer::types::{Address, Amount, Hash32};
use secrecy::SecretBox;

use crate::Outcome;
use crate::node::{self, Node};

/// Long enough for everything here on a busy machine; what takes longer never ends.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(20);
/// A gas limit is what was used and so much on top, in percent: the margin of the server.
const GAS_MARGIN: u64 = 110;
/// Transactions may be at most so much more than their gas needs, in percent.
const TRANSACTIONS_PERCENT_MAX: u64 = 130;

pub fn wait(what: &str, mut is_there: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let begin = Instant::now();
    while !is_there()? {
        if begin.elapsed() > PATIENCE {
            return Err(format!("waited in vain for {what}").into());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// The gas of all, over what one transaction may use within its limit.
pub fn transactions_at_least(gas: u64) -> u64 {
    gas.div_ceil(node::TRANSACTION_GAS_MAX * 100 / GAS_MARGIN)
}

/// What is allowed: a third more than that.
pub fn transactions_max(gas: u64) -> u64 {
    transactions_at_least(gas) * TRANSACTIONS_PERCENT_MAX / 100
}

/// Sends the same calldata to another contract, one after the other, and returns how long it took until the last was
/// final by the server's rule.
#[tokio::main(flavor = "current_thread")]
pub async fn send(to: Address, batches: &[(Receipt, Vec<u8>)], chain: &Chain) -> Outcome<Duration> {
    let rpc = Rpc::connect(chain)?;
    let signer = Signer::open(&chain.signer).await?;
    let view = rpc.view(&signer.address(), &[], &[]).await?;
    let begin = Instant::now();
    let mut last = Hash32::ZERO;
    for (offset, (receipt, data)) in (0_u64..).zip(batches) {
        let signed = signer
            .sign(&Transaction {
                chain_id: chain.id,
                nonce: view.count + offset,
                to: Some(to),
                value: Amount::ZERO,
                data: data.clone(),
                gas_limit: (receipt.gas_used * GAS_MARGIN / 100).min(node::TRANSACTION_GAS_MAX),
                fees: view.suggested,
            })
            .await?;
        match rpc.send(&signed.raw).await {
            Sent::Accepted => last = signed.hash,
            Sent::Unclear(reason) | Sent::Refused(reason) => return Err(reason.into()),
        }
    }
    loop {
        let receipt = rpc.receipt(&last).await?;
        if let Some(receipt) = receipt
            && rpc.head().await?.number > receipt.block_number
        {
            return receipt
                .success
                .then(|| begin.elapsed())
                .ok_or_else(|| "the bare loop was refused".into());
        }
        if begin.elapsed() > PATIENCE {
            return Err("the bare loop is not mined".into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The chain of this node, with the key of the server on it.
pub fn chain(node: &Node) -> Outcome<Chain> {
    let key = data_encoding::HEXLOWER.decode(node::KEYS[0].trim_start_matches("0x").as_bytes())?;
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&key);
    let signer = KeySource::Key(SecretBox::new(Box::new(bytes)));
    let mut chain = Chain::new(node::CHAIN_ID, vec![Endpoint::parse(&node.url())?], signer);
    chain.finality = Finality::Depth(1);
    Ok(chain)
}
