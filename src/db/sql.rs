//! Our own SQL types: one name in `schema.rs`, one form per database.

use diesel::query_builder::QueryId;
use diesel::sql_types::SqlType;

/// `numeric(78,0)` on PostgreSQL, 78 zero-padded digits on SQLite (its numbers would silently become doubles).
#[derive(Clone, Copy, Debug, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1700, array_oid = 1231))]
#[diesel(sqlite_type(name = "Text"))]
pub struct Amount;

/// `timestamptz` on PostgreSQL, RFC 3339 text with microseconds on SQLite: both cut to microseconds.
#[derive(Clone, Copy, Debug, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Text"))]
pub struct Instant;

/// `uuid` on PostgreSQL, 16 bytes on SQLite.
#[derive(Clone, Copy, Debug, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Id;
