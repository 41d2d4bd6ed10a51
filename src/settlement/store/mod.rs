//! Every query of settlement.

mod attempt;
mod chain;
mod foreign;
mod history;
mod intent;
mod observed;
mod person;
mod registry;

pub(super) use attempt::{raw_of, store_signed};
pub(super) use chain::{
    chain, head, insert_chain, insert_placement, placements, set_contracts, set_first_block, set_head, set_look,
    set_ready, set_recipients_max,
};
pub(super) use foreign::{acknowledge_foreign, foreign, save_foreign};
pub(super) use history::{flagged_count, is_giving_up, reverts};
pub(super) use intent::{
    insert_intent, known, mined_of_kind, open_intents, part, save_intent, set_finished, transactions_of,
};
pub(super) use observed::{
    are_books_at, collections, is_changing, ours, set_compared, set_observed, set_tokens_observed, settled_in, tokens,
};
pub(super) use person::{
    attention_of, cases, delete_resolution, insert_resolution, mined_in, refuse_resolution, resolution_refusal,
    resolutions, set_attention,
};
pub(super) use registry::{
    change_all, change_entries_of, changed_wallets, is_idle, mirrored, put_entries, some_wallets, take_changes,
};

#[cfg(test)]
mod tests;

/// Numbers of a chain fit the columns; what does not is a fault of ours or of the node.
fn column(number: u64) -> Result<i64, crate::error::Error> {
    i64::try_from(number).map_err(crate::error::Error::internal)
}

fn number(column: i64) -> Result<u64, crate::error::Error> {
    u64::try_from(column).map_err(crate::error::Error::internal)
}
