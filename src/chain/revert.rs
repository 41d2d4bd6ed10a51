use ethers_core::abi::ethabi::AbiError;
use ethers_core::abi::{ParamType, Token, decode};

use super::failure::bounded;
use super::model::Revert;
use crate::types::Address;

/// `Error(string)` and `Panic(uint256)`, which Solidity gives for `require` with a text and for its own checks.
const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];
/// Of data that nobody knows, this much is shown.
const SHOWN_BYTES_MAX: usize = 68;

impl Revert {
    /// What the data of a revert says: Solidity's own two forms, else one of the `known` errors, else hex.
    pub(super) fn decode<'e>(data: &[u8], known: impl IntoIterator<Item = &'e AbiError>) -> Self {
        let told = match data.split_first_chunk::<4>() {
            None => None,
            Some((&ERROR, rest)) => text_of(rest).map(Told::reason),
            Some((&PANIC, rest)) => panic_of(rest).map(Told::reason),
            Some((selector, rest)) => known
                .into_iter()
                .find(|error| error.signature().as_bytes().starts_with(selector))
                .and_then(|error| told_by(error, rest)),
        };
        let told = told.unwrap_or_else(|| Told::reason(shown(data)));
        Self {
            reason: told.reason,
            line: told.line,
            recipient: told.recipient,
            data: data.get(..Self::DATA_BYTES_MAX).unwrap_or(data).to_vec(),
        }
    }

    /// Not the contract but the machine stopped, or the node keeps the contract's data to itself.
    pub(super) fn without_data(reason: &str) -> Self {
        Self {
            reason: bounded(reason),
            line: None,
            recipient: None,
            data: Vec::new(),
        }
    }
}

struct Told {
    reason: String,
    line: Option<u64>,
    recipient: Option<Address>,
}

impl Told {
    fn reason(reason: String) -> Self {
        Self {
            reason,
            line: None,
            recipient: None,
        }
    }
}

fn text_of(data: &[u8]) -> Option<String> {
    let tokens = decode(&[ParamType::String], data).ok()?;
    let text = tokens.into_iter().next()?.into_string()?;
    Some(bounded(&text))
}

/// The codes of Solidity's documentation, "Panic via assert and Error via require".
fn panic_of(data: &[u8]) -> Option<String> {
    let tokens = decode(&[ParamType::Uint(256)], data).ok()?;
    let code = tokens.into_iter().next()?.into_uint()?;
    let meaning = match u64::try_from(code).ok()? {
        0x00 => "compiler's own check",
        0x01 => "assertion",
        0x11 => "arithmetic overflow",
        0x12 => "division by zero",
        0x21 => "value outside an enum",
        0x22 => "malformed storage",
        0x31 => "pop of an empty array",
        0x32 => "index outside an array",
        0x41 => "too much memory",
        0x51 => "call of an empty function",
        _ => "unknown check",
    };
    Some(format!("Panic({code:#x}): {meaning}"))
}

fn told_by(error: &AbiError, data: &[u8]) -> Option<Told> {
    let tokens = error.decode(data).ok()?;
    let named = || error.inputs.iter().map(|input| input.name.as_str()).zip(&tokens);
    let parts: Vec<String> = named()
        .map(|(name, token)| format!("{name} {}", printed(token)))
        .collect();
    let line = named()
        .find(|(name, _)| *name == "line")
        .and_then(|(_, token)| u64::try_from(token.clone().into_uint()?).ok());
    let recipient = named().find_map(|(name, token)| match token {
        Token::Address(address) if line.is_some() || name == "recipient" => Some(Address::from_bytes(address.0)),
        _ => None,
    });
    Some(Told {
        reason: bounded(&format!("{}({})", error.name, parts.join(", "))),
        line,
        recipient,
    })
}

fn printed(token: &Token) -> String {
    match token {
        Token::Address(address) => Address::from_bytes(address.0).to_string(),
        Token::Uint(number) | Token::Int(number) => number.to_string(),
        Token::String(text) => text.clone(),
        Token::Bool(flag) => flag.to_string(),
        Token::FixedBytes(_) | Token::Bytes(_) | Token::FixedArray(_) | Token::Array(_) | Token::Tuple(_) => {
            token.to_string()
        }
    }
}

fn shown(data: &[u8]) -> String {
    if data.is_empty() {
        return "reverted without a reason".to_owned();
    }
    let start = data.get(..SHOWN_BYTES_MAX).unwrap_or(data);
    let more = if start.len() < data.len() { "…" } else { "" };
    format!("unknown error 0x{}{more}", data_encoding::HEXLOWER.encode(start))
}

#[cfg(test)]
mod tests {
    use ethers_core::abi::{Param, encode};
    use ethers_core::types::{H160, U256};

    use super::*;

    fn not_verified() -> AbiError {
        let param = |name: &str, kind: ParamType| Param {
            name: name.to_owned(),
            kind,
            internal_type: None,
        };
        AbiError {
            name: "RecipientNotVerified".to_owned(),
            inputs: vec![
                param("line", ParamType::Uint(256)),
                param("recipient", ParamType::Address),
            ],
        }
    }

    fn with_selector(selector: [u8; 4], tokens: &[Token]) -> Vec<u8> {
        [selector.to_vec(), encode(tokens)].concat()
    }

    #[test]
    fn a_text_and_a_panic_of_solidity_are_told() {
        let text = with_selector(ERROR, &[Token::String("Identity is not verified.".to_owned())]);
        let panic = with_selector(PANIC, &[Token::Uint(U256::from(0x32))]);

        assert_eq!(Revert::decode(&text, []).reason, "Identity is not verified.");
        assert_eq!(Revert::decode(&panic, []).reason, "Panic(0x32): index outside an array");
    }

    #[test]
    fn an_error_of_ours_names_the_line_and_the_recipient() {
        let error = not_verified();
        let data = error
            .encode(&[Token::Uint(U256::from(3)), Token::Address(H160([7; 20]))])
            .unwrap();

        let revert = Revert::decode(&data, [&error]);

        assert_eq!(
            (revert.line, revert.recipient),
            (Some(3), Some(Address::from_bytes([7; 20])))
        );
        assert_eq!(
            revert.reason,
            format!(
                "RecipientNotVerified(line 3, recipient {})",
                Address::from_bytes([7; 20])
            )
        );
        assert_eq!(revert.data, data);
    }

    #[test]
    fn a_line_beyond_any_batch_is_no_line() {
        let error = not_verified();
        let data = error
            .encode(&[Token::Uint(U256::MAX), Token::Address(H160([7; 20]))])
            .unwrap();

        assert_eq!(Revert::decode(&data, [&error]).line, None);
    }

    #[test]
    fn what_nobody_knows_is_shown_in_hex_and_not_for_ever() {
        assert_eq!(Revert::decode(&[], []).reason, "reverted without a reason");
        assert_eq!(Revert::decode(&[1, 2], []).reason, "unknown error 0x0102");
        assert_eq!(
            Revert::decode(&[1, 2, 3, 4, 5], []).reason,
            "unknown error 0x0102030405"
        );
        let shown = Revert::decode(&[1; SHOWN_BYTES_MAX], []).reason;
        assert!(!shown.ends_with('…'));
        let long = Revert::decode(&[1; 5_000], []);
        assert!(long.reason.ends_with('…') && long.reason.len() < 200);
        assert_eq!(long.data.len(), Revert::DATA_BYTES_MAX);
    }

    #[test]
    fn data_that_lies_about_its_form_is_shown_in_hex() {
        let error = not_verified();
        let selector = error.signature().as_bytes()[..4].to_vec();

        assert!(Revert::decode(&selector, [&error]).reason.starts_with("unknown error"));
        assert!(
            Revert::decode(&ERROR, [])
                .reason
                .starts_with("unknown error 0x08c379a0")
        );
    }
}
