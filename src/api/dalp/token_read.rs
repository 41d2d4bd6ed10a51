//! Reading assets: the list, the search, one asset.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Issues;
use super::page::{page_of, query};
use super::token_identity::ClaimObject;
use super::token_object::{Pausable, TokenObject, token_body};
use super::{Call, DalpError, asset_in_path};
use crate::asset::{self, Asset, AssetKind, Direction, Listing, Order};
use crate::reports::{self, ListedAsset};
use crate::types::{Address, Dnum, Timestamp};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    order_by: Option<String>,
    order_direction: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

impl ListQuery {
    fn listing(&self, issues: &mut Issues) -> Listing {
        let kind = self.kind.as_deref().map(AssetKind::parse_fungible);
        let order = self.order_by.as_deref().map_or(Ok(Order::Address), Order::parse);
        let direction = self.order_direction.as_deref();
        let direction = direction.map_or(Ok(Direction::Ascending), Direction::parse);
        Listing {
            kind: kind.and_then(|kind| issues.take("type", kind)),
            order: issues.take("orderBy", order).unwrap_or(Order::Address),
            direction: issues.take("orderDirection", direction).unwrap_or(Direction::Ascending),
        }
    }
}

/// An asset in lists: what is on its row.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiteToken {
    #[schema(value_type = String, example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220")]
    id: Address,
    #[serde(rename = "type")]
    #[schema(example = "equity")]
    kind: &'static str,
    #[schema(value_type = String, example = "2025-01-15T10:30:00.000Z")]
    created_at: Timestamp,
    #[schema(example = "ACME Holdings Common Stock")]
    name: String,
    #[schema(example = "ACME")]
    symbol: String,
    #[schema(example = 18)]
    decimals: u8,
    #[schema(value_type = String, example = "[\"1000000000000000000000\",18]")]
    total_supply: Dnum,
    pausable: Pausable,
}

impl LiteToken {
    pub fn of(asset: &Asset) -> Self {
        Self {
            id: asset.address,
            kind: asset.kind.as_str(),
            created_at: asset.created_at,
            name: asset.name.to_string(),
            symbol: asset.symbol.to_string(),
            decimals: asset.decimals.get(),
            total_supply: Dnum::new(asset.supply, asset.decimals.get()),
            pausable: Pausable::of(asset),
        }
    }
}

/// An asset in the list.
#[derive(Serialize, ToSchema)]
pub struct ListedToken {
    #[serde(flatten)]
    token: LiteToken,
    /// Active claims on the asset's identity.
    claims: Vec<ClaimObject>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenList {
    tokens: Vec<ListedToken>,
    /// How many assets there are of this type, or in all.
    #[schema(example = 1)]
    total_count: i64,
    next_cursor: Option<String>,
}

impl From<ListedAsset> for ListedToken {
    fn from(listed: ListedAsset) -> Self {
        Self {
            token: LiteToken::of(&listed.asset),
            claims: listed.claims.iter().map(ClaimObject::from).collect(),
        }
    }
}

/// List assets.
#[utoipa::path(tag = "Token", operation_id = "tokenList",
    params(("orderBy" = Option<String>, Query, description = "`id` (the address, the default), `createdAt`, `name` or `symbol`"),
        ("orderDirection" = Option<String>, Query, description = "`asc` (the default) or `desc`"),
        ("type" = Option<String>, Query, description = "Only assets of this type"),
        ("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("offset" = Option<i64>, Query, description = "Rows to skip"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "One page of assets", body = TokenList)))]
#[get("/token")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: ListQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let listing = asked.listing(&mut issues);
    let (limit, offset) = (asked.limit.as_deref(), asked.offset.as_deref());
    let page = page_of(limit, offset, asked.cursor.as_deref(), &mut issues);
    issues.finish()?;
    let (tokens, total_count, next_cursor) = call.read(move |tx, _| reports::assets(tx, listing, &page)).await?;
    let tokens = tokens.into_iter().map(ListedToken::from).collect();
    Ok(HttpResponse::Ok().json(TokenList {
        tokens,
        total_count,
        next_cursor,
    }))
}

#[derive(Deserialize)]
struct SearchQuery {
    query: Option<String>,
    limit: Option<String>,
}

/// Search assets.
///
/// Those whose name, symbol or ISIN contains the query, or whose address begins with it, by symbol.
#[utoipa::path(tag = "Token", operation_id = "tokenSearch",
    params(("query" = String, Query, description = "1 to 100 characters"),
        ("limit" = Option<i64>, Query, description = "1 to 50, 10 without it")),
    responses((status = 200, description = "Assets that match", body = Vec<LiteToken>)))]
#[get("/token/search")]
pub async fn search(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: SearchQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let limit = search_limit(asked.limit.as_deref(), &mut issues);
    let text = asked.query.unwrap_or_default();
    if !(asset::SEARCH_LENGTH_MIN..=asset::SEARCH_LENGTH_MAX).contains(&text.chars().count()) {
        let (min, max) = (asset::SEARCH_LENGTH_MIN, asset::SEARCH_LENGTH_MAX);
        issues.add("query", "length", format!("must have {min} to {max} characters"));
    }
    issues.finish()?;
    let found = call.read(move |tx, _| asset::search(tx, &text, limit)).await?;
    Ok(HttpResponse::Ok().json(found.iter().map(LiteToken::of).collect::<Vec<_>>()))
}

fn search_limit(text: Option<&str>, issues: &mut Issues) -> i64 {
    let limit = text.map_or(Ok(asset::SEARCH_LIMIT_DEFAULT), str::parse);
    match limit {
        Ok(limit) if (1..=asset::SEARCH_LIMIT_MAX).contains(&limit) => limit,
        Ok(_) | Err(_) => {
            let max = asset::SEARCH_LIMIT_MAX;
            issues.add("limit", "range", format!("must be a number from 1 to {max}"));
            asset::SEARCH_LIMIT_DEFAULT
        }
    }
}

/// Read an asset.
#[utoipa::path(tag = "Token", operation_id = "tokenRead",
    params(("tokenAddress" = String, Path, description = "Address of the asset")),
    responses((status = 200, description = "The asset", body = TokenObject)))]
#[get("/token/{tokenAddress}")]
pub async fn read(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let base_currency = call.app.base_currency();
    let body = call
        .read(move |tx, ctx| token_body(tx, ctx, &asset, base_currency))
        .await?;
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_gives_one_to_fifty_assets() {
        for (text, taken) in [
            (None, true),
            (Some("0"), false),
            (Some("1"), true),
            (Some("50"), true),
            (Some("51"), false),
        ] {
            let mut issues = Issues::default();
            search_limit(text, &mut issues);
            assert_eq!(issues.finish().is_ok(), taken, "{text:?}");
        }
    }
}
