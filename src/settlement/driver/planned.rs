//! What a receipt shows, beside what was sent (rule 16).

use std::collections::HashMap;

use crate::chain::Receipt;
use crate::chain::contracts::events;
use crate::types::{Address, Amount};

/// Compares the mints of a receipt with the lines that were sent, amount by amount and recipient by recipient.
pub(super) fn minted_as_planned(
    token: Address,
    expected: impl Iterator<Item = (Address, Amount)>,
    receipt: &Receipt,
) -> Result<(), String> {
    let mut left: HashMap<(Address, Amount), i64> = HashMap::new();
    for line in expected {
        let count = left.entry(line).or_default();
        *count = count.saturating_add(1);
    }
    let minted = events::decode_transfers(&receipt.logs);
    for transfer in minted.iter().filter(|transfer| transfer.token == token) {
        let count = left.entry((transfer.to, transfer.amount)).or_default();
        *count = count.saturating_sub(1);
        if transfer.from != Address::ZERO {
            return Err(format!("the mint moved units of {}", transfer.from));
        }
    }
    let wrong = left.iter().find(|(_, count)| **count != 0);
    match wrong {
        None => Ok(()),
        Some(((recipient, amount), count)) => Err(format!(
            "the receipt shows {amount} to {recipient} {} than was sent",
            if *count > 0 { "less often" } else { "more often" }
        )),
    }
}
