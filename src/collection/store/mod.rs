//! Every query of collections.

/// The rows of a part of a list, newest first: in the order of their ids, or of one of their times and the id. The pair is
/// compared as a row, which both databases find in an index.
macro_rules! in_order {
    ($query:expr, $begin:expr, $table:ident.$id:ident as $type:ty) => {
        match $begin {
            Begin::Newest => $query.order($table::$id.desc()),
            Begin::Below(id) => $query
                .filter($table::$id.lt(<$type>::from_uuid(id)))
                .order($table::$id.desc()),
            Begin::Above(id) => $query
                .filter($table::$id.gt(<$type>::from_uuid(id)))
                .order($table::$id.asc()),
        }
    };
    ($query:expr, $begin:expr, $table:ident.$at:ident and id as $type:ty) => {{
        let beyond = |way: &str, (at, id): (crate::types::Timestamp, uuid::Uuid)| {
            let pair = concat!(
                "(",
                stringify!($table),
                ".",
                stringify!($at),
                ", ",
                stringify!($table),
                ".id)"
            );
            diesel::dsl::sql::<diesel::sql_types::Bool>(&format!("{pair} {way} ("))
                .bind::<crate::db::sql::Instant, _>(at)
                .sql(", ")
                .bind::<crate::db::sql::Id, _>(<$type>::from_uuid(id))
                .sql(")")
        };
        match $begin {
            Begin::Newest => $query.order(($table::$at.desc(), $table::id.desc())),
            Begin::Below(mark) => $query
                .filter(beyond("<", mark))
                .order(($table::$at.desc(), $table::id.desc())),
            Begin::Above(mark) => $query
                .filter(beyond(">", mark))
                .order(($table::$at.asc(), $table::id.asc())),
        }
    }};
}

mod activity;
mod collection;
mod file;
mod metadata;
mod request;
mod token;

pub(super) use activity::{activities, activities_in, activity, insert_activities, known_places, minted_by, places};
pub(super) use collection::{
    by_address, by_id, by_ids, by_number, collections, insert, set_environment, set_owner, set_profile,
};
pub(super) use file::{
    drop_part, drop_parts, due_files, file, forget_files, insert_file, insert_parts, insert_refusals, lock_due_file,
    lock_file, open_files, part, prune_files, refusals, save_file,
};
pub(super) use metadata::{by_digests, insert_metadata, save_metadata, stacks, stacks_by_ids};
pub(super) use request::{
    awaited, insert_requests, kinds_of_operations, latest, live_references, live_token_ids, named, of_operations,
    page_of_requests, requested_metadata, save_requests, supersede,
};
pub(super) use token::{
    balances_of, minted_token_ids, note_synced, owners, save_balances, save_tokens, sharing, taken_from, tokens,
    tokens_by_ids, tokens_by_keys, tokens_with_balances,
};

use crate::error::Error;

/// What is stored was parsed before; a value that no longer parses is a fault of the database.
fn stored<T, E: std::fmt::Display>(value: Result<T, E>) -> Result<T, Error> {
    value.map_err(|error| Error::internal(format!("a stored collection does not read back: {error}")))
}

fn known<T>(value: Option<T>, word: &str) -> Result<T, Error> {
    value.ok_or_else(|| Error::internal(format!("a stored collection does not read back: {word}")))
}
