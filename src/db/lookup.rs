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
use crate::types::{Address, Amount, TokenId};

/// A query for one key, asked for each key of a list. Rows come in no order.
pub struct Lookup<Q> {
    /// What a key consists of, each part a list of the same length.
    keys: Vec<(KeyPart, Column)>,
    query: Q,
}

/// The key that is looked up, or a part of it, as a column inside the query for it. A literal of Diesel's would say the
/// same, but a statement with one is parsed and planned each time.
#[derive(Clone, Copy, Debug)]
pub struct Key<ST> {
    part: KeyPart,
    sql_type: PhantomData<ST>,
}

#[derive(Clone, Copy, Debug)]
enum KeyPart {
    Address,
    Id,
    TokenId,
}

impl KeyPart {
    const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Id => "id",
            Self::TokenId => "token_id",
        }
    }

    const fn key<ST>(self) -> Key<ST> {
        Key {
            part: self,
            sql_type: PhantomData,
        }
    }
}

/// `accounts::account.eq(address_key())`
pub fn address_key() -> Key<Binary> {
    KeyPart::Address.key()
}

/// `claims::identity_id.eq(id_key())`
pub fn id_key() -> Key<sql::Id> {
    KeyPart::Id.key()
}

/// `nft_tokens::token_id.eq(token_key())`
pub fn token_key() -> Key<sql::Amount> {
    KeyPart::TokenId.key()
}

// The text of a statement tells it from others, not its type: two keys of one type may be parts of different names.
impl<ST> QueryId for Key<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
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
        out.push_sql("keys.");
        out.push_sql(self.part.name());
        Ok(())
    }
}

impl<Q> Lookup<Q> {
    /// Each address is looked up once, also when it is there twice; with [`address_key`].
    pub fn of_addresses(addresses: &[Address], query: Q) -> Self {
        let keys = each_once(addresses.iter().copied());
        Self {
            keys: vec![(KeyPart::Address, Column::Addresses(keys))],
            query,
        }
    }

    /// Each id is looked up once, also when it is there twice; with [`id_key`].
    pub fn of_ids(ids: impl IntoIterator<Item = Uuid>, query: Q) -> Self {
        let keys = each_once(ids);
        Self {
            keys: vec![(KeyPart::Id, Column::Ids(keys))],
            query,
        }
    }

    /// Each token is looked up once, also when it is there twice; with [`token_key`].
    pub fn of_tokens(tokens: &[TokenId], query: Q) -> Self {
        let keys = each_once(tokens.iter().map(|token| token.amount()));
        Self {
            keys: vec![(KeyPart::TokenId, Column::Amounts(keys))],
            query,
        }
    }

    /// Each token of an asset is looked up once, also when it is there twice; with [`id_key`] and [`token_key`].
    pub fn of_asset_tokens(pairs: impl IntoIterator<Item = (Uuid, TokenId)>, query: Q) -> Self {
        let pairs = pairs.into_iter().map(|(asset, token)| (asset, token.amount()));
        let (assets, tokens): (Vec<Uuid>, Vec<Amount>) = each_once(pairs).into_iter().unzip();
        Self {
            keys: vec![
                (KeyPart::Id, Column::Ids(assets)),
                (KeyPart::TokenId, Column::Amounts(tokens)),
            ],
            query,
        }
    }

    /// Each account of a token is looked up once, also when it is there twice; with [`token_key`] and [`address_key`].
    pub fn of_token_accounts(pairs: impl IntoIterator<Item = (TokenId, Address)>, query: Q) -> Self {
        let pairs = pairs.into_iter().map(|(token, account)| (token.amount(), account));
        let (tokens, accounts): (Vec<Amount>, Vec<Address>) = each_once(pairs).into_iter().unzip();
        Self {
            keys: vec![
                (KeyPart::TokenId, Column::Amounts(tokens)),
                (KeyPart::Address, Column::Addresses(accounts)),
            ],
            query,
        }
    }
}

fn each_once<T: Ord>(keys: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut keys: Vec<T> = keys.into_iter().collect();
    keys.sort_unstable();
    keys.dedup();
    keys
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
        for (place, (_, column)) in self.keys.iter().enumerate() {
            out.push_sql(if place == 0 { "" } else { ", " });
            column.bind_array(&mut out)?;
        }
        out.push_sql(") AS keys (");
        for (place, (part, _)) in self.keys.iter().enumerate() {
            out.push_sql(if place == 0 { "" } else { ", " });
            out.push_sql(part.name());
        }
        out.push_sql(") CROSS JOIN LATERAL (");
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
    use crate::db::schema::{accounts, nft_balances};
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
        let expected = r#"SELECT found.* FROM UNNEST($1) AS keys (address) CROSS JOIN LATERAL (SELECT "accounts"."posted" FROM "accounts" WHERE (("accounts"."asset_id" = $2) AND ("accounts"."account" = keys.address)) OFFSET 0) AS found"#;
        assert!(sql.starts_with(expected), "{sql}");
        assert_eq!(sql.matches("0x0707").count(), 1, "{sql}");
    }

    #[test]
    fn a_key_of_two_parts_is_asked_for_as_a_pair() {
        let asset = AssetId::from_uuid(Uuid::nil());
        let pair = (TokenId::from(Amount::from(4_u64)), Address::from_bytes([7; 20]));
        let one = nft_balances::table
            .filter(nft_balances::asset_id.eq(asset))
            .filter(nft_balances::token_id.eq(token_key()))
            .filter(nft_balances::account.eq(address_key()))
            .select(nft_balances::balance);

        let lookup = Lookup::of_token_accounts([pair, pair], one);

        let sql = diesel::debug_query::<Pg, _>(&lookup).to_string();
        let expected = r#"SELECT found.* FROM UNNEST($1, $2) AS keys (token_id, address) CROSS JOIN LATERAL (SELECT "nft_balances"."balance" FROM "nft_balances" WHERE ((("nft_balances"."asset_id" = $3) AND ("nft_balances"."token_id" = keys.token_id)) AND ("nft_balances"."account" = keys.address)) OFFSET 0) AS found"#;
        assert!(sql.starts_with(expected), "{sql}");
        assert_eq!(sql.matches("0x0707").count(), 1, "{sql}");
    }
}
