//! Rows by a list of keys, on PostgreSQL: one index look-up per key, whatever the planner believes.
//!
//! `column = ANY(list)` is planned from statistics that a table lacks while it fills, and once the plan is kept for any
//! list, each candidate row is compared with the list from its front: the look-up of 1,600 accounts then took 200 ms on
//! an asset with 10,000 holders, and grew with the holders. Here the list is joined laterally with a query for one key,
//! and `OFFSET 0` keeps the planner from turning the pair into anything else.

use std::marker::PhantomData;

use diesel::expression::{AppearsOnTable, Expression, TypedExpressionType, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Binary, SqlType};
use diesel::{QueryResult, RunQueryDsl};
use uuid::Uuid;

use super::{Column, sql};
use crate::types::Address;

/// A query for one key, asked for each key of a list. Rows come in no order.
pub struct Lookup<Q> {
    keys: Column,
    query: Q,
}

/// The key that is looked up, as a column inside the query for it. A literal of Diesel's would say the same, but a
/// statement with one is parsed and planned each time.
#[derive(Clone, Copy, Debug, QueryId)]
pub struct Key<ST>(PhantomData<ST>);

/// `accounts::account.eq(address_key())`
pub fn address_key() -> Key<Binary> {
    Key(PhantomData)
}

/// `claims::identity_id.eq(id_key())`
pub fn id_key() -> Key<sql::Id> {
    Key(PhantomData)
}

impl<ST: SqlType + TypedExpressionType> Expression for Key<ST> {
    type SqlType = ST;
}

impl<ST> ValidGrouping<()> for Key<ST> {
    type IsAggregate = is_aggregate::No;
}

impl<ST, QS> AppearsOnTable<QS> for Key<ST> where Self: Expression {}

impl<ST> QueryFragment<Pg> for Key<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("keys.key");
        Ok(())
    }
}

impl<Q> Lookup<Q> {
    /// Each address is looked up once, also when it is there twice.
    pub fn of_addresses(addresses: &[Address], query: Q) -> Self {
        let mut keys = addresses.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let keys = Column::Addresses(keys);
        Self { keys, query }
    }

    /// Each id is looked up once, also when it is there twice.
    pub fn of_ids(ids: impl IntoIterator<Item = Uuid>, query: Q) -> Self {
        let mut keys: Vec<Uuid> = ids.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        let keys = Column::Ids(keys);
        Self { keys, query }
    }
}

impl<Q> QueryId for Lookup<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Lookup<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Lookup<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT found.* FROM UNNEST(");
        self.keys.bind_array(&mut out)?;
        out.push_sql(") AS keys (key) CROSS JOIN LATERAL (");
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(" OFFSET 0) AS found");
        Ok(())
    }
}

impl<Q, C> RunQueryDsl<C> for Lookup<Q> {}

#[cfg(test)]
mod tests {
    use diesel::prelude::*;

    use super::*;
    use crate::db::schema::accounts;
    use crate::types::AssetId;

    #[test]
    fn a_key_is_asked_for_once_inside_a_fence() {
        let asset = AssetId::from_uuid(Uuid::nil());
        let wallet = Address::from_bytes([7; 20]);
        let one = accounts::table
            .filter(accounts::asset_id.eq(asset))
            .filter(accounts::account.eq(address_key()))
            .select(accounts::posted);

        let lookup = Lookup::of_addresses(&[wallet, wallet], one);

        let sql = diesel::debug_query::<Pg, _>(&lookup).to_string();
        let expected = r#"SELECT found.* FROM UNNEST($1) AS keys (key) CROSS JOIN LATERAL (SELECT "accounts"."posted" FROM "accounts" WHERE (("accounts"."asset_id" = $2) AND ("accounts"."account" = keys.key)) OFFSET 0) AS found"#;
        assert!(sql.starts_with(expected), "{sql}");
        assert_eq!(sql.matches("0x0707").count(), 1, "{sql}");
    }
}
