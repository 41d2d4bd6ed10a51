//! JSON-RPC's values: `0x` and hex digits, read strictly. What is missing, of another kind or too large is an error,
//! never a zero.

use serde_json::Value;

use super::model::{Block, Log, Receipt};
use crate::types::{Address, Amount, Hash32};

/// What is wrong with an answer.
pub(super) type Malformed = String;

pub(super) fn number(value: &Value) -> Result<u64, Malformed> {
    let digits = digits(value)?;
    let malformed = || format!("{value} is no number of 64 bits");
    let significant = significant(digits).ok_or_else(malformed)?;
    u64::from_str_radix(significant, 16).map_err(|_| malformed())
}

pub(super) fn wei(value: &Value) -> Result<u128, Malformed> {
    let digits = digits(value)?;
    let malformed = || format!("{value} is no number of 128 bits");
    let significant = significant(digits).ok_or_else(malformed)?;
    u128::from_str_radix(significant, 16).map_err(|_| malformed())
}

pub(super) fn amount(value: &Value) -> Result<Amount, Malformed> {
    let digits = digits(value)?;
    let malformed = || format!("{value} is no number of 256 bits");
    let significant = significant(digits).ok_or_else(malformed)?;
    let padded = format!("{significant:0>64}");
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(padded.as_bytes())
        .map_err(|_| malformed())?;
    <[u8; 32]>::try_from(bytes)
        .map(Amount::from_be_bytes)
        .map_err(|_| malformed())
}

pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, Malformed> {
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(digits(value)?.as_bytes())
        .map_err(|_| format!("{} is no data", super::failure::bounded(&value.to_string())))
}

pub(super) fn hash(value: &Value) -> Result<Hash32, Malformed> {
    Hash32::try_from(bytes(value)?.as_slice()).map_err(|_| format!("{value} is no hash of 32 bytes"))
}

/// Nodes print addresses with and without a checksum, so it proves nothing here.
pub(super) fn address(value: &Value) -> Result<Address, Malformed> {
    Address::try_from(bytes(value)?.as_slice()).map_err(|_| format!("{value} is no address of 20 bytes"))
}

/// The answer is a block, or null for one that is not there.
pub(super) fn block(value: &Value) -> Result<Option<Block>, Malformed> {
    if value.is_null() {
        return Ok(None);
    }
    let base_fee = field(value, "baseFeePerGas").map_err(|_| "a block without a base fee (EIP-1559)".to_owned())?;
    Ok(Some(Block {
        number: number(field(value, "number")?)?,
        hash: hash(field(value, "hash")?)?,
        parent: hash(field(value, "parentHash")?)?,
        base_fee: wei(base_fee)?,
        gas_limit: number(field(value, "gasLimit")?)?,
        time: number(field(value, "timestamp")?)?,
    }))
}

/// The receipt of the transaction `asked`; none while it is in no block.
pub(super) fn receipt(value: &Value, asked: &Hash32) -> Result<Option<Receipt>, Malformed> {
    // Some nodes give receipts of transactions that wait, with an empty block.
    if value.is_null() || field(value, "blockHash").is_err() {
        return Ok(None);
    }
    let transaction = hash(field(value, "transactionHash")?)?;
    if transaction != *asked {
        return Err(format!("the receipt of {transaction} where {asked} was asked for"));
    }
    let success = match number(field(value, "status")?)? {
        0 => false,
        1 => true,
        other => return Err(format!("a receipt with status {other}")),
    };
    Ok(Some(Receipt {
        transaction,
        block_number: number(field(value, "blockNumber")?)?,
        block_hash: hash(field(value, "blockHash")?)?,
        success,
        gas_used: number(field(value, "gasUsed")?)?,
        logs: logs(field(value, "logs")?)?,
    }))
}

pub(super) fn logs(value: &Value) -> Result<Vec<Log>, Malformed> {
    let list = value.as_array().ok_or("logs that are no list")?;
    list.iter().map(log).collect()
}

fn log(value: &Value) -> Result<Log, Malformed> {
    if value.get("removed").and_then(Value::as_bool) == Some(true) {
        return Err("a log of a block that was taken back".to_owned());
    }
    let topics = field(value, "topics")?.as_array().ok_or("topics that are no list")?;
    Ok(Log {
        address: address(field(value, "address")?)?,
        topics: topics.iter().map(hash).collect::<Result<_, _>>()?,
        data: bytes(field(value, "data")?)?,
        block_number: number(field(value, "blockNumber")?)?,
        block_hash: hash(field(value, "blockHash")?)?,
        transaction: hash(field(value, "transactionHash")?)?,
        transaction_index: number(field(value, "transactionIndex")?)?,
        index: number(field(value, "logIndex")?)?,
    })
}

/// The base fee of the block after the asked ones, and what a transaction in the middle of each paid its proposer.
pub(super) fn fee_history(value: &Value) -> Result<(u128, Vec<u128>), Malformed> {
    let base_fees = field(value, "baseFeePerGas")?.as_array();
    let next = base_fees
        .and_then(|fees| fees.last())
        .ok_or("a fee history without a base fee")?;
    let rewards = value.get("reward").and_then(Value::as_array).into_iter().flatten();
    let rewards = rewards.filter_map(|of_block| of_block.as_array()?.first());
    Ok((wei(next)?, rewards.map(wei).collect::<Result<_, _>>()?))
}

pub(super) fn hex(bytes: &[u8]) -> Value {
    Value::String(format!("0x{}", data_encoding::HEXLOWER.encode(bytes)))
}

pub(super) fn hex_number(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}

/// Without leading zeros, as the protocol wants numbers.
pub(super) fn hex_amount(amount: Amount) -> Value {
    let digits = data_encoding::HEXLOWER.encode(&amount.to_be_bytes());
    let significant = digits.trim_start_matches('0');
    Value::String(format!("0x{}", if significant.is_empty() { "0" } else { significant }))
}

fn field<'v>(value: &'v Value, name: &str) -> Result<&'v Value, Malformed> {
    match value.get(name) {
        Some(found) if !found.is_null() => Ok(found),
        _ => Err(format!("{name} is missing")),
    }
}

fn digits(value: &Value) -> Result<&str, Malformed> {
    value.as_str().and_then(|text| text.strip_prefix("0x")).ok_or_else(|| {
        format!(
            "{} is not 0x and hex digits",
            super::failure::bounded(&value.to_string())
        )
    })
}

/// Without leading zeros, which the protocol forbids and some nodes write; none when there is no digit or something
/// else. A sign would pass the standard library's parser.
fn significant(digits: &str) -> Option<&str> {
    let all_hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let trimmed = digits.trim_start_matches('0');
    all_hex.then_some(if trimmed.is_empty() { "0" } else { trimmed })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_up_to_their_size_and_no_further() {
        assert_eq!(number(&json!("0x0")), Ok(0));
        assert_eq!(number(&json!("0x00ff")), Ok(255));
        assert_eq!(number(&json!("0xffffffffffffffff")), Ok(u64::MAX));
        assert!(number(&json!("0x10000000000000000")).is_err());
        assert_eq!(wei(&json!(format!("0x{}", "f".repeat(32)))), Ok(u128::MAX));
        assert!(wei(&json!(format!("0x1{}", "0".repeat(32)))).is_err());
        assert_eq!(amount(&json!(format!("0x{}", "f".repeat(64)))), Ok(Amount::MAX));
        assert_eq!(amount(&json!("0xf")), Ok(Amount::from(15)));
        assert!(amount(&json!(format!("0x1{}", "0".repeat(64)))).is_err());
    }

    #[test]
    fn anything_but_hex_text_is_refused() {
        for value in [
            json!("0x"),
            json!("0x-1"),
            json!("0x+1"),
            json!("0xg"),
            json!("1"),
            json!("0X1"),
            json!(1),
            json!(null),
            json!("0x 1"),
        ] {
            assert!(number(&value).is_err(), "{value}");
            assert!(wei(&value).is_err(), "{value}");
            assert!(amount(&value).is_err(), "{value}");
        }
        assert!(bytes(&json!("0x123")).is_err());
        assert_eq!(bytes(&json!("0x")), Ok(Vec::new()));
        assert!(hash(&json!(format!("0x{}", "1".repeat(62)))).is_err());
        assert!(address(&json!(format!("0x{}", "1".repeat(42)))).is_err());
    }

    fn sample_receipt() -> Value {
        json!({
            "transactionHash": format!("0x{}", "11".repeat(32)), "blockHash": format!("0x{}", "22".repeat(32)),
            "blockNumber": "0x5", "status": "0x1", "gasUsed": "0x5208",
            "logs": [{
                "address": format!("0x{}", "33".repeat(20)), "topics": [format!("0x{}", "44".repeat(32))], "data": "0x01",
                "blockNumber": "0x5", "blockHash": format!("0x{}", "22".repeat(32)),
                "transactionHash": format!("0x{}", "11".repeat(32)), "transactionIndex": "0x0", "logIndex": "0x7", "removed": false,
            }],
        })
    }

    fn without(mut value: Value, name: &str) -> Value {
        value.as_object_mut().unwrap().remove(name);
        value
    }

    #[test]
    fn a_receipt_is_read_with_its_logs() {
        let asked = Hash32::from_bytes([0x11; 32]);
        let found = receipt(&sample_receipt(), &asked).unwrap().unwrap();

        assert_eq!((found.block_number, found.gas_used, found.success), (5, 21_000, true));
        assert_eq!(found.logs[0].index, 7);
        assert_eq!(found.logs[0].data, [1]);
    }

    #[test]
    fn a_receipt_that_waits_is_none_and_one_that_is_wrong_is_an_error() {
        let asked = Hash32::from_bytes([0x11; 32]);
        let other = Hash32::from_bytes([0x12; 32]);

        assert_eq!(receipt(&json!(null), &asked), Ok(None));
        assert_eq!(receipt(&without(sample_receipt(), "blockHash"), &asked), Ok(None));
        assert!(receipt(&sample_receipt(), &other).is_err());
        for name in ["status", "gasUsed", "blockNumber", "logs", "transactionHash"] {
            assert!(receipt(&without(sample_receipt(), name), &asked).is_err(), "{name}");
        }
    }

    #[test]
    fn a_block_without_a_base_fee_is_refused() {
        let hash = format!("0x{}", "11".repeat(32));
        let value = json!({ "number": "0x1", "hash": hash, "parentHash": hash, "gasLimit": "0x1", "timestamp": "0x1",
                            "baseFeePerGas": "0x7" });

        assert_eq!(block(&value).unwrap().unwrap().base_fee, 7);
        assert_eq!(block(&json!(null)), Ok(None));
        assert!(block(&without(value, "baseFeePerGas")).is_err());
    }
}
