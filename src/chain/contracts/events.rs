//! What contracts log.

use std::sync::LazyLock;

use super::returned;
use crate::chain::Log;
use crate::types::{Address, Amount, Hash32, keccak256};

static TRANSFER: LazyLock<Hash32> = LazyLock::new(|| keccak256(b"Transfer(address,address,uint256)"));

/// Base units that moved, as ERC-20 logs it. From zero is a mint, to zero a burn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub token: Address,
    pub from: Address,
    pub to: Address,
    pub amount: Amount,
    pub transaction: Hash32,
    pub block_number: u64,
    pub block_hash: Hash32,
    /// The log's place in its block.
    pub index: u64,
}

/// The transfers among these logs, in their order. Everything else is left out, also ERC-721's event of the same name,
/// whose third argument is an id.
pub fn decode_transfers(logs: &[Log]) -> Vec<Transfer> {
    logs.iter().filter_map(transfer).collect()
}

fn transfer(log: &Log) -> Option<Transfer> {
    let [event, from, to] = log.topics.as_slice() else {
        return None;
    };
    if *event != *TRANSFER {
        return None;
    }
    Some(Transfer {
        token: log.address,
        from: returned::address(from.as_bytes())?,
        to: returned::address(to.as_bytes())?,
        amount: returned::amount(&log.data)?,
        transaction: log.transaction,
        block_number: log.block_number,
        block_hash: log.block_hash,
        index: log.index,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(address: [u8; 20]) -> Hash32 {
        let mut bytes = [0; 32];
        bytes[12..].copy_from_slice(&address);
        Hash32::from_bytes(bytes)
    }

    fn log() -> Log {
        Log {
            address: Address::from_bytes([9; 20]),
            topics: vec![*TRANSFER, topic([0; 20]), topic([2; 20])],
            data: Amount::from(5).to_be_bytes().to_vec(),
            block_number: 3,
            block_hash: Hash32::from_bytes([4; 32]),
            transaction: Hash32::from_bytes([5; 32]),
            index: 6,
        }
    }

    #[test]
    fn the_topic_is_the_known_one() {
        assert_eq!(
            TRANSFER.to_string(),
            "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
        );
    }

    #[test]
    fn a_mint_is_a_transfer_from_nobody() {
        let found = decode_transfers(&[log()]);

        assert_eq!(found.len(), 1);
        assert!(found[0].from.is_zero());
        assert_eq!(
            (found[0].to, found[0].amount),
            (Address::from_bytes([2; 20]), Amount::from(5))
        );
        assert_eq!((found[0].block_number, found[0].index), (3, 6));
    }

    #[test]
    fn what_only_looks_like_a_transfer_is_left_out() {
        let mut of_an_id = log();
        of_an_id.topics.push(topic([1; 20]));
        of_an_id.data.clear();
        let mut other = log();
        other.topics[0] = Hash32::ZERO;
        let mut dirty = log();
        dirty.topics[1] = Hash32::from_bytes([1; 32]);
        let mut short = log();
        short.data.pop();

        assert!(decode_transfers(&[of_an_id, other, dirty, short]).is_empty());
    }
}
