use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::collection::page::{Begin, List, Order, Slice, Window};
use crate::collection::{NftFilter, OwnerFilter, Ownership, RequestStatus, TokenRow};
use crate::db::schema::{mint_requests, nft_balances, nft_tokens};
use crate::db::{Bulk, Lookup, Tx, address_key, id_key, in_parts, in_parts_of, token_key};
use crate::error::Error;
use crate::on;
use crate::types::{Address, Amount, AssetId, MetadataId, RowId, Timestamp, TokenId};
use diesel::prelude::*;

/// The columns in the order of the table.
#[derive(Queryable)]
struct Row {
    asset_id: AssetId,
    token_id: TokenId,
    id: RowId,
    metadata_id: Option<MetadataId>,
    total_supply: Amount,
    indexed_at: Timestamp,
    updated_at: Timestamp,
    metadata_synced_at: Option<Timestamp>,
}

impl From<Row> for TokenRow {
    fn from(row: Row) -> Self {
        Self {
            collection: row.asset_id,
            token_id: row.token_id,
            id: row.id,
            metadata_id: row.metadata_id,
            total_supply: row.total_supply,
            indexed_at: row.indexed_at,
            updated_at: row.updated_at,
            metadata_synced_at: row.metadata_synced_at,
        }
    }
}

pub(in crate::collection) fn tokens_by_ids(
    tx: &mut Tx<'_>,
    asset: AssetId,
    token_ids: &[TokenId],
) -> Result<HashMap<TokenId, TokenRow>, Error> {
    let of_asset = nft_tokens::table.filter(nft_tokens::asset_id.eq(asset));
    let rows: Vec<Row> = match tx {
        Tx::Pg(c) => Lookup::of_tokens(token_ids, of_asset.filter(nft_tokens::token_id.eq(token_key()))).load(*c)?,
        Tx::Sqlite(c) => in_parts(token_ids, |ids| {
            of_asset.filter(nft_tokens::token_id.eq_any(ids)).load(*c)
        })?,
    };
    Ok(rows.into_iter().map(|row| (row.token_id, row.into())).collect())
}

/// As [`tokens_by_ids`], of several collections. SQLite, which is asked without a way there and back, is asked for each of
/// them.
pub(in crate::collection) fn tokens_by_keys(
    tx: &mut Tx<'_>,
    keys: &BTreeSet<(AssetId, TokenId)>,
) -> Result<Vec<TokenRow>, Error> {
    if let Tx::Pg(c) = tx {
        let one = nft_tokens::table
            .filter(nft_tokens::asset_id.eq(id_key()))
            .filter(nft_tokens::token_id.eq(token_key()));
        let keys = keys.iter().map(|(asset, token)| (*asset.as_uuid(), *token));
        let rows: Vec<Row> = Lookup::of_asset_tokens(keys, one).load(*c)?;
        return Ok(rows.into_iter().map(TokenRow::from).collect());
    }
    let mut of_asset: BTreeMap<AssetId, Vec<TokenId>> = BTreeMap::new();
    for (asset, token) in keys {
        of_asset.entry(*asset).or_default().push(*token);
    }
    let mut rows = Vec::new();
    for (asset, tokens) in of_asset {
        rows.extend(tokens_by_ids(tx, asset, &tokens)?.into_values());
    }
    Ok(rows)
}

/// Ids among these that were minted, burned ones too.
pub(in crate::collection) fn minted_token_ids(
    tx: &mut Tx<'_>,
    asset: AssetId,
    token_ids: &[TokenId],
) -> Result<HashSet<TokenId>, Error> {
    let of_asset = nft_tokens::table
        .filter(nft_tokens::asset_id.eq(asset))
        .select(nft_tokens::token_id);
    let found: Vec<TokenId> = match tx {
        Tx::Pg(c) => Lookup::of_tokens(token_ids, of_asset.filter(nft_tokens::token_id.eq(token_key()))).load(*c)?,
        Tx::Sqlite(c) => in_parts(token_ids, |ids| {
            of_asset.filter(nft_tokens::token_id.eq_any(ids)).load(*c)
        })?,
    };
    Ok(found.into_iter().collect())
}

/// Ids that are taken: all of them, or as many as there were room for, all up to `complete_to`.
pub(in crate::collection) struct TakenIds {
    pub ids: Vec<TokenId>,
    pub complete_to: Option<TokenId>,
}

/// Ids from `first` on that were minted, or that a request is about which did not fail.
pub(in crate::collection) fn taken_from(
    tx: &mut Tx<'_>,
    asset: AssetId,
    first: TokenId,
    limit: i64,
) -> Result<TakenIds, Error> {
    let minted = nft_tokens::table
        .filter(nft_tokens::asset_id.eq(asset))
        .filter(nft_tokens::token_id.ge(first))
        .order(nft_tokens::token_id)
        .select(nft_tokens::token_id)
        .limit(limit);
    let minted: Vec<TokenId> = on!(tx, c => minted.load(c))?;
    let token_id = mint_requests::token_id.assume_not_null();
    let live = mint_requests::table
        .filter(mint_requests::asset_id.eq(asset))
        .filter(token_id.ge(first))
        .filter(mint_requests::status.ne(RequestStatus::Failed.text()))
        .order(token_id)
        .select(token_id)
        .distinct()
        .limit(limit);
    let live: Vec<TokenId> = on!(tx, c => live.load(c))?;
    let is_cut = |ids: &Vec<TokenId>| i64::try_from(ids.len()).is_ok_and(|count| count >= limit);
    let ends = [&minted, &live]
        .into_iter()
        .filter(|ids| is_cut(ids))
        .filter_map(|ids| ids.last());
    let complete_to = ends.min().copied();
    Ok(TakenIds {
        ids: minted.into_iter().chain(live).collect(),
        complete_to,
    })
}

/// How many tokens share each of these stacks.
pub(in crate::collection) fn sharing(
    tx: &mut Tx<'_>,
    asset: AssetId,
    stacks: &[MetadataId],
) -> Result<HashMap<MetadataId, i64>, Error> {
    let metadata_id = nft_tokens::metadata_id.assume_not_null();
    let query = nft_tokens::table
        .filter(nft_tokens::asset_id.eq(asset))
        .filter(metadata_id.eq_any(stacks))
        .group_by(nft_tokens::metadata_id)
        .select((metadata_id, diesel::dsl::count_star()));
    let rows: Vec<(MetadataId, i64)> = on!(tx, c => query.load(c))?;
    Ok(rows.into_iter().collect())
}

pub(in crate::collection) fn save_tokens(tx: &mut Tx<'_>, rows: &[TokenRow]) -> Result<(), Error> {
    Bulk::into("nft_tokens")
        .column(
            "asset_id",
            rows.iter().map(|row| *row.collection.as_uuid()).collect::<Vec<_>>(),
        )
        .column(
            "token_id",
            rows.iter().map(|row| row.token_id.amount()).collect::<Vec<_>>(),
        )
        .column("id", rows.iter().map(|row| *row.id.as_uuid()).collect::<Vec<_>>())
        .column(
            "metadata_id",
            rows.iter()
                .map(|row| row.metadata_id.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column(
            "total_supply",
            rows.iter().map(|row| row.total_supply).collect::<Vec<_>>(),
        )
        .column("indexed_at", rows.iter().map(|row| row.indexed_at).collect::<Vec<_>>())
        .column("updated_at", rows.iter().map(|row| row.updated_at).collect::<Vec<_>>())
        .column(
            "metadata_synced_at",
            rows.iter().map(|row| row.metadata_synced_at).collect::<Vec<_>>(),
        )
        .on_conflict(
            "ON CONFLICT (asset_id, token_id) DO UPDATE SET metadata_id = excluded.metadata_id, \
             total_supply = excluded.total_supply, updated_at = excluded.updated_at, \
             metadata_synced_at = excluded.metadata_synced_at",
        )
        .execute(tx)?;
    Ok(())
}

/// Notes that what these stacks show has just been said.
pub(in crate::collection) fn note_synced(
    tx: &mut Tx<'_>,
    asset: AssetId,
    stacks: &[MetadataId],
    now: Timestamp,
) -> Result<(), Error> {
    let rows = nft_tokens::table
        .filter(nft_tokens::asset_id.eq(asset))
        .filter(nft_tokens::metadata_id.assume_not_null().eq_any(stacks));
    let change = (nft_tokens::metadata_synced_at.eq(now), nft_tokens::updated_at.eq(now));
    on!(tx, c => diesel::update(rows).set(change).execute(c))?;
    Ok(())
}

pub(in crate::collection) fn tokens(
    tx: &mut Tx<'_>,
    filter: &NftFilter,
    window: &Window,
) -> Result<Slice<TokenRow>, Error> {
    let order = Order::of([List::Tokens, List::TokensChanged], filter.updated_since, window)?;
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = nft_tokens::table.into_boxed();
        if let Some(collection) = filter.collection {
            query = query.filter(nft_tokens::asset_id.eq(collection));
        }
        if !filter.token_ids.is_empty() {
            query = query.filter(nft_tokens::token_id.eq_any(&filter.token_ids));
        }
        if let Some(since) = filter.updated_since {
            query = query.filter(nft_tokens::updated_at.ge(since));
        }
        let limit = window.limit.saturating_add(1);
        match order {
            Order::OfIds(_, begin) => in_order!(query, begin, nft_tokens.id as RowId).limit(limit).load(c),
            Order::OfChanges(_, begin) => {
                in_order!(query, begin, nft_tokens.updated_at and id as RowId).limit(limit).load(c)
            }
        }
    })?;
    let found = rows.into_iter().map(TokenRow::from).collect();
    Ok(order.slice(window, found, |one: &TokenRow| (one.updated_at, *one.id.as_uuid())))
}

/// SQLite looks each account of a list up for each token of a list: long lists of both would never end.
const SQLITE_PAIRS_MAX: usize = 64;

type BalanceRow = (AssetId, TokenId, Address, RowId, Amount, Timestamp);

fn ownership(row: BalanceRow) -> (RowId, Ownership) {
    let (collection, token_id, account, id, balance, updated_at) = row;
    let ownership = Ownership {
        collection,
        token_id,
        account,
        balance,
        updated_at,
    };
    (id, ownership)
}

/// What these accounts have of these tokens; those that had something once are among them.
pub(in crate::collection) fn balances_of(
    tx: &mut Tx<'_>,
    asset: AssetId,
    pairs: &BTreeSet<(TokenId, Address)>,
) -> Result<HashMap<(TokenId, Address), Amount>, Error> {
    let of_asset = nft_balances::table.filter(nft_balances::asset_id.eq(asset)).select((
        nft_balances::token_id,
        nft_balances::account,
        nft_balances::balance,
    ));
    let rows: Vec<(TokenId, Address, Amount)> = match tx {
        Tx::Pg(c) => {
            let one = of_asset
                .filter(nft_balances::token_id.eq(token_key()))
                .filter(nft_balances::account.eq(address_key()));
            Lookup::of_token_accounts(pairs.iter().copied(), one).load(*c)?
        }
        Tx::Sqlite(c) => {
            let pairs: Vec<(TokenId, Address)> = pairs.iter().copied().collect();
            in_parts_of(SQLITE_PAIRS_MAX, &pairs, |pairs| {
                let tokens: BTreeSet<TokenId> = pairs.iter().map(|pair| pair.0).collect();
                let accounts: BTreeSet<Address> = pairs.iter().map(|pair| pair.1).collect();
                let of_tokens = of_asset.filter(nft_balances::token_id.eq_any(tokens));
                of_tokens.filter(nft_balances::account.eq_any(accounts)).load(*c)
            })?
        }
    };
    Ok(rows
        .into_iter()
        .map(|(token_id, account, balance)| ((token_id, account), balance))
        .collect())
}

pub(in crate::collection) fn save_balances(
    tx: &mut Tx<'_>,
    asset: AssetId,
    rows: &[((TokenId, Address), Amount)],
    now: Timestamp,
) -> Result<(), Error> {
    Bulk::into("nft_balances")
        .column("asset_id", vec![*asset.as_uuid(); rows.len()])
        .column(
            "token_id",
            rows.iter()
                .map(|((token_id, _), _)| token_id.amount())
                .collect::<Vec<_>>(),
        )
        .column(
            "account",
            rows.iter().map(|((_, account), _)| *account).collect::<Vec<_>>(),
        )
        .column(
            "id",
            rows.iter().map(|_| *RowId::generate().as_uuid()).collect::<Vec<_>>(),
        )
        .column("balance", rows.iter().map(|(_, balance)| *balance).collect::<Vec<_>>())
        .column("updated_at", vec![now; rows.len()])
        .on_conflict(
            "ON CONFLICT (asset_id, token_id, account) DO UPDATE SET balance = excluded.balance, \
             updated_at = excluded.updated_at",
        )
        .execute(tx)?;
    Ok(())
}

/// Who has something.
pub(in crate::collection) fn owners(
    tx: &mut Tx<'_>,
    filter: &OwnerFilter,
    window: &Window,
) -> Result<Slice<Ownership>, Error> {
    let order = Order::of([List::Owners, List::OwnersChanged], filter.updated_since, window)?;
    let rows: Vec<BalanceRow> = on!(tx, c => {
        let mut query = nft_balances::table
            .filter(nft_balances::balance.gt(Amount::ZERO))
            .into_boxed();
        if let Some(collection) = filter.collection {
            query = query.filter(nft_balances::asset_id.eq(collection));
        }
        if !filter.token_ids.is_empty() {
            query = query.filter(nft_balances::token_id.eq_any(&filter.token_ids));
        }
        if !filter.accounts.is_empty() {
            query = query.filter(nft_balances::account.eq_any(&filter.accounts));
        }
        if let Some(since) = filter.updated_since {
            query = query.filter(nft_balances::updated_at.ge(since));
        }
        let limit = window.limit.saturating_add(1);
        match order {
            Order::OfIds(_, begin) => in_order!(query, begin, nft_balances.id as RowId).limit(limit).load(c),
            Order::OfChanges(_, begin) => {
                in_order!(query, begin, nft_balances.updated_at and id as RowId).limit(limit).load(c)
            }
        }
    })?;
    let found = rows.into_iter().map(ownership).collect();
    let mark = |(id, held): &(RowId, Ownership)| (held.updated_at, *id.as_uuid());
    Ok(order.slice(window, found, mark).map(|(_, ownership)| ownership))
}

/// One page of the tokens of a collection after an id, in the order of their ids, with their supplies and with the
/// balances that are not zero.
pub(in crate::collection) fn tokens_with_balances(
    tx: &mut Tx<'_>,
    asset: AssetId,
    after: Option<TokenId>,
    limit: i64,
) -> Result<Vec<(TokenId, Amount, Vec<Amount>)>, Error> {
    let rows: Vec<(TokenId, Amount)> = on!(tx, c => {
        let mut query = nft_tokens::table
            .filter(nft_tokens::asset_id.eq(asset))
            .select((nft_tokens::token_id, nft_tokens::total_supply))
            .into_boxed();
        if let Some(after) = after {
            query = query.filter(nft_tokens::token_id.gt(after));
        }
        query.order(nft_tokens::token_id).limit(limit).load(c)
    })?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(Vec::new());
    };
    let query = nft_balances::table
        .filter(nft_balances::asset_id.eq(asset))
        .filter(nft_balances::token_id.between(first.0, last.0))
        .filter(nft_balances::balance.gt(Amount::ZERO))
        .select((nft_balances::token_id, nft_balances::balance));
    let balances: Vec<(TokenId, Amount)> = on!(tx, c => query.load(c))?;
    let mut of_token: HashMap<TokenId, Vec<Amount>> = HashMap::new();
    for (token_id, balance) in balances {
        of_token.entry(token_id).or_default().push(balance);
    }
    let tokens = rows.into_iter().map(|(token_id, supply)| {
        let balances = of_token.remove(&token_id).unwrap_or_default();
        (token_id, supply, balances)
    });
    Ok(tokens.collect())
}
