//! What the answers to questions mean: the bytes that `eth_call` gives, read strictly. None when they are not of that
//! type, such as the empty answer of an address without a contract.

use ethers_core::abi::{ParamType, Token, decode};

use crate::types::{Address, Amount};

/// The longest text that is read: a name that is longer is not one.
const TEXT_BYTES_MAX: usize = 1_024;

pub fn amount(data: &[u8]) -> Option<Amount> {
    Some(Amount::from_be_bytes(word(data)?))
}

pub fn number(data: &[u8]) -> Option<u64> {
    let (high, low) = data.split_at_checked(24)?;
    let is_small = high.iter().all(|byte| *byte == 0);
    <[u8; 8]>::try_from(low)
        .ok()
        .filter(|_| is_small)
        .map(u64::from_be_bytes)
}

pub fn flag(data: &[u8]) -> Option<bool> {
    match number(data)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

pub fn address(data: &[u8]) -> Option<Address> {
    let (high, low) = data.split_at_checked(12)?;
    let is_padded = high.iter().all(|byte| *byte == 0);
    Address::try_from(low).ok().filter(|_| is_padded)
}

pub fn text(data: &[u8]) -> Option<String> {
    if data.len() > TEXT_BYTES_MAX {
        return None;
    }
    match decode(&[ParamType::String], data).ok()?.into_iter().next()? {
        Token::String(text) => Some(text),
        Token::Address(_)
        | Token::FixedBytes(_)
        | Token::Bytes(_)
        | Token::Int(_)
        | Token::Uint(_)
        | Token::Bool(_)
        | Token::FixedArray(_)
        | Token::Array(_)
        | Token::Tuple(_) => None,
    }
}

/// The first of a list of addresses.
pub fn first_address(data: &[u8]) -> Option<Address> {
    let list = ParamType::Array(Box::new(ParamType::Address));
    let addresses = decode(&[list], data).ok()?.into_iter().next()?.into_array()?;
    let first = addresses.into_iter().next()?.into_address()?;
    Some(Address::from_bytes(first.0))
}

/// Two amounts.
pub fn pair(data: &[u8]) -> Option<(Amount, Amount)> {
    let (first, second) = data.split_at_checked(32)?;
    Some((amount(first)?, amount(second)?))
}

/// Two lists of amounts of one length.
pub fn pairs(data: &[u8]) -> Option<Vec<(Amount, Amount)>> {
    let list = || ParamType::Array(Box::new(ParamType::Uint(256)));
    let mut lists = decode(&[list(), list()], data).ok()?.into_iter();
    let (first, second) = (lists.next()?.into_array()?, lists.next()?.into_array()?);
    if first.len() != second.len() {
        return None;
    }
    let amount = |token: Token| {
        let mut bytes = [0; 32];
        token.into_uint()?.to_big_endian(&mut bytes);
        Some(Amount::from_be_bytes(bytes))
    };
    let pairs = first.into_iter().zip(second);
    pairs
        .map(|(first, second)| Some((amount(first)?, amount(second)?)))
        .collect()
}

fn word(data: &[u8]) -> Option<[u8; 32]> {
    <[u8; 32]>::try_from(data).ok()
}

#[cfg(test)]
mod tests {
    use ethers_core::abi::AbiEncode;

    use super::*;

    fn padded(low: &[u8]) -> Vec<u8> {
        [vec![0; 32 - low.len()], low.to_vec()].concat()
    }

    #[test]
    fn each_kind_of_answer_is_read() {
        assert_eq!(amount(&[0xff; 32]), Some(Amount::MAX));
        assert_eq!(number(&padded(&[0xff; 8])), Some(u64::MAX));
        assert_eq!(flag(&padded(&[1])), Some(true));
        assert_eq!(flag(&padded(&[0])), Some(false));
        assert_eq!(address(&padded(&[7; 20])), Some(Address::from_bytes([7; 20])));
        assert_eq!(text(&"Bond".to_owned().encode()), Some("Bond".to_owned()));
    }

    #[test]
    fn an_answer_of_another_kind_is_none() {
        for data in [Vec::new(), vec![0; 31], vec![0; 33]] {
            assert_eq!(amount(&data), None);
            assert_eq!(number(&data), None);
            assert_eq!(flag(&data), None);
            assert_eq!(address(&data), None);
        }
        assert_eq!(number(&padded(&[1; 9])), None);
        assert_eq!(flag(&padded(&[2])), None);
        assert_eq!(address(&padded(&[7; 21])), None);
        assert_eq!(text(&padded(&[7; 20])), None);
        assert_eq!(text(&"x".repeat(1_000).encode()), None);
    }
}
