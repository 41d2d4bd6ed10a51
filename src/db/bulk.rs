//! Set-based writes: one statement for many rows, whatever the database.
//!
//! PostgreSQL takes whole columns (`UNNEST` of arrays: one statement text for any number of rows); SQLite takes
//! multi-row `VALUES` in chunks of a few fixed sizes. Both texts are cached as prepared statements.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl};
use uuid::Uuid;

use super::{Tx, sql};
use crate::error::Error;
use crate::types::{Address, Amount, Hash32, Timestamp};

/// Rows of one `VALUES` list on SQLite, largest first; few sizes, so that few statements are prepared. With at most 32
/// columns the largest stays under SQLite's 32,766 parameters.
const SQLITE_CHUNKS: [usize; 3] = [100, 10, 1];

macro_rules! bulk_columns {
    ($($variant:ident($type:ty) as $sql:ty),+ $(,)?) => {
        /// The values of one column, one per row.
        pub enum Column {
            $($variant(Vec<$type>)),+
        }

        $(impl From<Vec<$type>> for Column {
            fn from(values: Vec<$type>) -> Self {
                Self::$variant(values)
            }
        })+

        impl Column {
            fn len(&self) -> usize {
                match self { $(Self::$variant(values) => values.len()),+ }
            }

            pub(super) fn bind_array<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                match self { $(Self::$variant(values) => out.push_bind_param::<Array<$sql>, _>(values)),+ }
            }

            fn bind_row<'b>(&'b self, row: usize, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                match self { $(Self::$variant(values) => match values.get(row) {
                    Some(value) => out.push_bind_param::<$sql, _>(value),
                    None => Err(diesel::result::Error::QueryBuilderError("columns differ in length".into())),
                }),+ }
            }
        }
    };
}

bulk_columns! {
    Ids(Uuid) as sql::Id,
    OptionalIds(Option<Uuid>) as Nullable<sql::Id>,
    Addresses(Address) as Binary,
    OptionalAddresses(Option<Address>) as Nullable<Binary>,
    Bytes(Vec<u8>) as Binary,
    OptionalBytes(Option<Vec<u8>>) as Nullable<Binary>,
    Hashes(Hash32) as Binary,
    OptionalHashes(Option<Hash32>) as Nullable<Binary>,
    Texts(String) as Text,
    OptionalTexts(Option<String>) as Nullable<Text>,
    Words(&'static str) as Text,
    Bools(bool) as Bool,
    SmallInts(i16) as SmallInt,
    Ints(i32) as Integer,
    BigInts(i64) as BigInt,
    OptionalBigInts(Option<i64>) as Nullable<BigInt>,
    Amounts(Amount) as sql::Amount,
    OptionalAmounts(Option<Amount>) as Nullable<sql::Amount>,
    Times(Timestamp) as sql::Instant,
    OptionalTimes(Option<Timestamp>) as Nullable<sql::Instant>,
}

/// An `INSERT` of many rows, with an optional conflict clause.
pub struct Bulk {
    table: &'static str,
    columns: Vec<(&'static str, Column)>,
    conflict: &'static str,
}

impl Bulk {
    pub fn into(table: &'static str) -> Self {
        Self {
            table,
            columns: Vec::new(),
            conflict: "",
        }
    }

    #[must_use]
    pub fn column(mut self, name: &'static str, values: impl Into<Column>) -> Self {
        self.columns.push((name, values.into()));
        self
    }

    /// For example `ON CONFLICT (a) DO UPDATE SET b = excluded.b`.
    #[must_use]
    pub fn on_conflict(mut self, clause: &'static str) -> Self {
        self.conflict = clause;
        self
    }

    /// The number of rows written. All columns must have the same length; no rows is no statement.
    pub fn execute(&self, tx: &mut Tx<'_>) -> Result<usize, Error> {
        let rows = self.columns.first().map_or(0, |(_, column)| column.len());
        if self.columns.iter().any(|(_, column)| column.len() != rows) {
            return Err(Error::internal(format!(
                "bulk insert into {}: columns differ in length",
                self.table
            )));
        }
        if rows == 0 {
            return Ok(0);
        }
        match tx {
            Tx::Pg(connection) => Ok(Unnest(self).execute(*connection)?),
            Tx::Sqlite(connection) => {
                let mut first = 0;
                for length in chunks(rows) {
                    Values {
                        bulk: self,
                        first,
                        length,
                    }
                    .execute(*connection)?;
                    first += length;
                }
                Ok(rows)
            }
        }
    }

    fn names(&self) -> String {
        self.columns
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn chunks(rows: usize) -> Vec<usize> {
    let mut left = rows;
    let mut lengths = Vec::new();
    for size in SQLITE_CHUNKS {
        while left >= size {
            lengths.push(size);
            left -= size;
        }
    }
    lengths
}

struct Unnest<'a>(&'a Bulk);

impl QueryId for Unnest<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for Unnest<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(&format!(
            "INSERT INTO {} ({}) SELECT * FROM UNNEST(",
            self.0.table,
            self.0.names()
        ));
        for (position, (_, column)) in self.0.columns.iter().enumerate() {
            out.push_sql(if position == 0 { "" } else { ", " });
            column.bind_array(&mut out)?;
        }
        out.push_sql(") ");
        out.push_sql(self.0.conflict);
        Ok(())
    }
}

impl<C> RunQueryDsl<C> for Unnest<'_> {}

struct Values<'a> {
    bulk: &'a Bulk,
    first: usize,
    length: usize,
}

impl QueryId for Values<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for Values<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(&format!(
            "INSERT INTO {} ({}) VALUES ",
            self.bulk.table,
            self.bulk.names()
        ));
        for row in self.first..self.first.saturating_add(self.length) {
            out.push_sql(if row == self.first { "(" } else { ", (" });
            for (position, (_, column)) in self.bulk.columns.iter().enumerate() {
                out.push_sql(if position == 0 { "" } else { ", " });
                column.bind_row(row, &mut out)?;
            }
            out.push_sql(")");
        }
        out.push_sql(" ");
        out.push_sql(self.bulk.conflict);
        Ok(())
    }
}

impl<C> RunQueryDsl<C> for Values<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_few_fixed_sizes() {
        assert_eq!(chunks(1), [1]);
        assert_eq!(chunks(100), [100]);
        assert_eq!(chunks(212), [100, 100, 10, 1, 1]);
    }
}
