//! What a webhook of this dialect is told (immutable.md section 9 B): the payload that `processMint` of Immutable's package
//! consumes. It throws without `contract_address`, the guide has `collection_address`: both are there.

use std::sync::Arc;

use serde_json::{Value, json};

use super::shown::{Shown, lower_case};
use crate::access::Gate;
use crate::collection::ContractType;
use crate::error::Error;
use crate::types::Amount;
use crate::webhook::{Event, EventKind, MintNews, Render};

/// Every change of a mint request has this name; `status` tells them apart.
const EVENT_NAME: &str = "imtbl_zkevm_mint_request_updated";
/// What `error.code` is: no list of codes is published.
const FAILED: &str = "MINT_REQUEST_FAILED";
/// 2^53 − 1: a larger number is another one after a JavaScript program has read it.
const NUMBER_MAX: u64 = 9_007_199_254_740_991;

pub fn render(gate: &Gate) -> Render {
    let (shown, chain) = (Shown::of(gate), gate.settings.chain_name.clone());
    Arc::new(move |_, event| Ok::<_, Error>(body(&shown, &chain, event).to_string()))
}

fn body(shown: &Shown, chain: &str, event: &Event) -> Value {
    let news = &event.news;
    let address = lower_case(&news.collection_address);
    let failure = match event.kind {
        EventKind::MintFailed => json!({ "code": FAILED, "message": news.error }),
        EventKind::MintAccepted | EventKind::MintSucceeded => Value::Null,
    };
    let mut data = json!({
        "chain": shown.chain(),
        "contract_address": address,
        "collection_address": address,
        "owner_address": lower_case(&news.owner_address),
        "reference_id": news.reference_id,
        "metadata_id": news.metadata_id,
        "token_id": news.token_id,
        "status": news.status,
        "transaction_hash": news.transaction_hash,
        "activity_id": news.activity_id,
        "error": failure,
        "created_at": news.created_at,
        "updated_at": news.updated_at,
    });
    if let (Value::Object(fields), Some(amount)) = (&mut data, amount_of(news)) {
        fields.insert("amount".to_owned(), amount);
    }
    json!({
        "event_name": EVENT_NAME,
        "event_id": event.id,
        "timestamp": event.at.to_micros_text(),
        "chain": chain,
        "data": data,
    })
}

/// Of an ERC-1155: a number, as the package's type has it, and a string where a number would be read as another one.
fn amount_of(news: &MintNews) -> Option<Value> {
    if news.contract_type != ContractType::Erc1155.text() {
        return None;
    }
    Some(number_or_text(&news.amount))
}

fn number_or_text(amount: &Amount) -> Value {
    let text = amount.to_string();
    match text.parse::<u64>() {
        Ok(number) if number <= NUMBER_MAX => json!(number),
        Ok(_) | Err(_) => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_number_as_long_as_a_javascript_program_reads_it_right() {
        assert_eq!(
            number_or_text(&Amount::from(NUMBER_MAX)),
            json!(9_007_199_254_740_991_u64)
        );
        assert_eq!(number_or_text(&Amount::from(NUMBER_MAX + 1)), json!("9007199254740992"));
        assert_eq!(number_or_text(&Amount::MAX), json!(Amount::MAX.to_string()));
    }
}
