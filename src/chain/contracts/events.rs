//! What contracts log.

use std::sync::LazyLock;

use super::returned;
use crate::chain::Log;
use crate::types::{Address, Amount, Hash32, keccak256};

static TRANSFER: LazyLock<Hash32> = LazyLock::new(|| keccak256(b"Transfer(address,address,uint256)"));
static TRANSFER_SINGLE: LazyLock<Hash32> =
    LazyLock::new(|| keccak256(b"TransferSingle(address,address,address,uint256,uint256)"));
static TRANSFER_BATCH: LazyLock<Hash32> =
    LazyLock::new(|| keccak256(b"TransferBatch(address,address,address,uint256[],uint256[])"));
/// ERC-3643: the wallet, whether it is frozen, and the agent who did it, all of them indexed.
static ADDRESS_FROZEN: LazyLock<Hash32> = LazyLock::new(|| keccak256(b"AddressFrozen(address,bool,address)"));

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

/// The wallets that these logs freeze or free, in their order.
pub fn decode_freezes(logs: &[Log]) -> Vec<Address> {
    let wallet = |log: &Log| match log.topics.as_slice() {
        [event, wallet, _, _] if *event == *ADDRESS_FROZEN => returned::address(wallet.as_bytes()),
        _ => None,
    };
    logs.iter().filter_map(wallet).collect()
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

/// A token that moved, as ERC-721 and ERC-1155 log it. From zero is a mint, to zero a burn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTransfer {
    pub collection: Address,
    pub from: Address,
    pub to: Address,
    pub token_id: Amount,
    /// 1 of an ERC-721.
    pub amount: Amount,
    pub transaction: Hash32,
    pub transaction_index: u64,
    pub block_number: u64,
    pub block_hash: Hash32,
    /// The log's place in its block.
    pub index: u64,
    /// The place in a `TransferBatch`; 0 elsewhere.
    pub position: u32,
}

/// The transfers of ERC-721 and ERC-1155 among these logs, in their order. Everything else is left out, also ERC-20's
/// event of the same name, whose third argument is no topic.
pub fn decode_token_transfers(logs: &[Log]) -> Vec<TokenTransfer> {
    logs.iter().flat_map(token_transfers).collect()
}

fn token_transfers(log: &Log) -> Vec<TokenTransfer> {
    let [event, second, third, fourth] = log.topics.as_slice() else {
        return Vec::new();
    };
    // ERC-721 names from, to and the id; ERC-1155 who moved it, from, to.
    let (from, to, tokens) = if *event == *TRANSFER && log.data.is_empty() {
        let token_id = Amount::from_be_bytes(*fourth.as_bytes());
        (second, third, Some(vec![(token_id, Amount::ONE)]))
    } else if *event == *TRANSFER_SINGLE {
        (third, fourth, returned::pair(&log.data).map(|pair| vec![pair]))
    } else if *event == *TRANSFER_BATCH {
        (third, fourth, returned::pairs(&log.data))
    } else {
        return Vec::new();
    };
    let parties = returned::address(from.as_bytes()).zip(returned::address(to.as_bytes()));
    let (Some((from, to)), Some(tokens)) = (parties, tokens) else {
        return Vec::new();
    };
    let numbered = (0..).zip(tokens);
    let transfers = numbered.map(|(position, (token_id, amount))| TokenTransfer {
        collection: log.address,
        from,
        to,
        token_id,
        amount,
        transaction: log.transaction,
        transaction_index: log.transaction_index,
        block_number: log.block_number,
        block_hash: log.block_hash,
        index: log.index,
        position,
    });
    transfers.collect()
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
            transaction_index: 1,
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
    fn a_freeze_names_its_wallet() {
        let mut freeze = log();
        freeze.topics = vec![*ADDRESS_FROZEN, topic([7; 20]), topic([0; 20]), topic([8; 20])];

        assert_eq!(decode_freezes(&[log(), freeze]), [Address::from_bytes([7; 20])]);
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

    fn words(words: &[u64]) -> Vec<u8> {
        words
            .iter()
            .flat_map(|word| Amount::from(*word).to_be_bytes())
            .collect()
    }

    fn of_1155(event: Hash32, data: &[u64]) -> Log {
        Log {
            topics: vec![event, topic([8; 20]), topic([0; 20]), topic([2; 20])],
            data: words(data),
            ..log()
        }
    }

    fn moved(logs: &[Log]) -> Vec<(u64, u64, u32)> {
        let small = |amount: Amount| amount.to_string().parse().unwrap();
        let found = decode_token_transfers(logs);
        let found = found.iter();
        found
            .map(|one| (small(one.token_id), small(one.amount), one.position))
            .collect()
    }

    #[test]
    fn the_topics_of_erc_1155_are_the_known_ones() {
        assert_eq!(
            TRANSFER_SINGLE.to_string(),
            "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
        );
        assert_eq!(
            TRANSFER_BATCH.to_string(),
            "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
        );
    }

    #[test]
    fn a_token_of_an_erc_721_moves_as_one() {
        let mut log = log();
        log.topics.push(Hash32::from_bytes(Amount::from(7).to_be_bytes()));
        log.data.clear();

        let found = decode_token_transfers(&[log]);

        assert!(found[0].from.is_zero());
        assert_eq!(found[0].to, Address::from_bytes([2; 20]));
        assert_eq!((found[0].token_id, found[0].amount), (Amount::from(7), Amount::ONE));
        assert_eq!((found[0].transaction_index, found[0].index), (1, 6));
    }

    #[test]
    fn amounts_of_an_erc_1155_are_read_one_by_one() {
        let single = of_1155(*TRANSFER_SINGLE, &[7, 5]);
        let batch = of_1155(*TRANSFER_BATCH, &[64, 160, 2, 7, 8, 2, 50, 60]);

        assert_eq!(moved(&[single]), [(7, 5, 0)]);
        assert_eq!(moved(&[batch]), [(7, 50, 0), (8, 60, 1)]);
    }

    #[test]
    fn what_is_no_transfer_of_a_token_is_left_out() {
        let fungible = log();
        let short = of_1155(*TRANSFER_SINGLE, &[7]);
        let uneven = of_1155(*TRANSFER_BATCH, &[64, 160, 2, 7, 8, 1, 50]);
        let other = of_1155(Hash32::ZERO, &[7, 5]);

        assert!(moved(&[fungible, short, uneven, other]).is_empty());
    }
}
