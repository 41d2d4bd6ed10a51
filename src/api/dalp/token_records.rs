//! What happened to an asset and who holds it: holders, one holder, events.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Issues;
use super::page::{page_of, query};
use super::token_object::Reference;
use super::{Call, DalpError, asset_in_path};
use crate::asset::Asset;
use crate::error::Error;
use crate::ledger::Account;
use crate::reports::{self, AssetEvent, AuditQuestion};
use crate::types::{Address, Amount, Dnum, Timestamp};

/// What one account has on an asset.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "account": { "id": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed" }, "value": "[\"500000000000000000000\",18]",
    "available": "[\"500000000000000000000\",18]", "frozen": "[\"0\",18]", "isFrozen": false,
    "lastUpdatedAt": "2026-11-21T10:30:00.000Z",
}))]
pub struct Balance {
    account: Reference,
    /// Posted units.
    #[schema(value_type = String)]
    value: Dnum,
    /// What the holder may move: nothing while the address is frozen.
    #[schema(value_type = String)]
    available: Dnum,
    /// The frozen part of the value.
    #[schema(value_type = String)]
    frozen: Dnum,
    /// The whole address is frozen on this asset.
    is_frozen: bool,
    #[schema(value_type = String)]
    last_updated_at: Timestamp,
}

impl Balance {
    fn of(asset: &Asset, account: &Account) -> Self {
        let dnum = |amount: Amount| Dnum::new(amount, asset.decimals.get());
        Self {
            account: Reference::to(account.wallet),
            value: dnum(account.posted),
            available: dnum(account.available()),
            frozen: dnum(account.frozen_amount),
            is_frozen: account.frozen,
            last_updated_at: account.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holders {
    token: Option<HolderBalances>,
    /// Accounts with a balance.
    #[schema(example = 1)]
    total_count: i64,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct HolderBalances {
    balances: Vec<Balance>,
}

#[derive(Deserialize)]
struct PageQuery {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// List the holders of an asset, the last changed first.
///
/// For everybody with a role on it, and for the system auditor.
#[utoipa::path(tag = "Token", operation_id = "tokenHolders",
    params(("tokenAddress" = String, Path, description = "Address of the asset"),
        ("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("offset" = Option<i64>, Query, description = "Rows to skip"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "One page of balances", body = Holders)))]
#[get("/token/{tokenAddress}/holders")]
pub async fn holders(call: Call, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let asked: PageQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let (limit, offset) = (asked.limit.as_deref(), asked.offset.as_deref());
    let page = page_of(limit, offset, asked.cursor.as_deref(), &mut issues);
    issues.finish()?;
    let answer = call.read(move |tx, ctx| {
        let (accounts, total_count, next_cursor) = reports::holders(tx, ctx, &asset, &page)?;
        let balances = accounts.iter().map(|account| Balance::of(&asset, account)).collect();
        Ok(Holders {
            token: Some(HolderBalances { balances }),
            total_count,
            next_cursor,
        })
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}

#[derive(Serialize, ToSchema)]
pub struct Holder {
    /// None when the account never had anything to do with the asset.
    holder: Option<Balance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HolderQuery {
    holder_address: Option<String>,
}

/// Read what one account has.
///
/// One's own account needs no role; others as for the list.
#[utoipa::path(tag = "Token", operation_id = "tokenHolder",
    params(("tokenAddress" = String, Path, description = "Address of the asset"),
        ("holderAddress" = String, Query, description = "Address of the account")),
    responses((status = 200, description = "The account's balance, or null", body = Holder)))]
#[get("/token/{tokenAddress}/holder")]
pub async fn holder(call: Call, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let asked: HolderQuery = query(request.query_string())?;
    let text = asked.holder_address.unwrap_or_default();
    let account = Address::parse(&text).map_err(|error| Error::invalid("holderAddress", error.to_string()))?;
    let answer = call.read(move |tx, ctx| {
        let found = reports::holder(tx, ctx, &asset, account)?;
        Ok(Holder {
            holder: found.map(|found| Balance::of(&asset, &found)),
        })
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}

/// One event of the asset's audit log in the reference's form; null is what a book has not.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenEvent {
    /// Stream and number of the event.
    #[schema(example = "asset:0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57/17")]
    id: String,
    #[schema(example = "mint.accepted")]
    event_name: String,
    tx_index: Option<i64>,
    block_number: Option<i64>,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    block_timestamp: Timestamp,
    transaction_hash: Option<String>,
    emitter: Reference,
    /// The wallet of the user who caused it; null for the server itself.
    sender: Option<Reference>,
    values: Vec<EventValue>,
}

#[derive(Serialize, ToSchema)]
pub struct EventValue {
    #[schema(example = "asset:0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57/17/total")]
    id: String,
    #[schema(example = "total")]
    name: String,
    /// Text as it is, everything else as JSON.
    #[schema(example = "1000")]
    value: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenEvents {
    events: Vec<TokenEvent>,
    next_cursor: Option<String>,
}

impl TokenEvent {
    fn of(asset: &Asset, AssetEvent { event, sender }: AssetEvent) -> Self {
        let id = format!("{}/{}", event.stream, event.sequence);
        Self {
            event_name: event.action,
            tx_index: None,
            block_number: None,
            block_timestamp: event.at,
            transaction_hash: None,
            emitter: Reference::to(asset.address),
            sender: sender.map(Reference::to),
            values: values_of(&id, &event.data),
            id,
        }
    }
}

fn values_of(event: &str, data: &str) -> Vec<EventValue> {
    let Ok(Value::Object(fields)) = serde_json::from_str(data) else {
        return Vec::new();
    };
    let values = fields.into_iter().map(|(name, value)| EventValue {
        id: format!("{event}/{name}"),
        name,
        value: match value {
            Value::String(text) => text,
            other => other.to_string(),
        },
    });
    values.collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventQuery {
    event_name: Option<String>,
    recipient: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

impl EventQuery {
    fn question(self, asset: &Asset, issues: &mut Issues) -> AuditQuestion {
        let recipient = self
            .recipient
            .and_then(|text| issues.take("recipient", Address::parse(&text)));
        let mut time = |name: &str, text: Option<String>| text.and_then(|t| issues.take(name, Timestamp::parse(&t)));
        AuditQuestion {
            asset: Some(asset.address),
            action: self.event_name,
            actor: None,
            recipient,
            from: time("from", self.from),
            to: time("to", self.to),
            ..AuditQuestion::default()
        }
    }
}

/// List the events of an asset, the newest first.
///
/// For everybody with a role on it, and for the system auditor.
#[utoipa::path(tag = "Token", operation_id = "tokenEvents",
    params(("tokenAddress" = String, Path, description = "Address of the asset"),
        ("eventName" = Option<String>, Query, description = "For example `mint.accepted`"),
        ("recipient" = Option<String>, Query, description = "A wallet that the event is about"),
        ("from" = Option<String>, Query, description = "RFC 3339, inclusive"),
        ("to" = Option<String>, Query, description = "RFC 3339, exclusive"),
        ("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("offset" = Option<i64>, Query, description = "Rows to skip"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "One page of events", body = TokenEvents)))]
#[get("/token/{tokenAddress}/events")]
pub async fn events(call: Call, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let asked: EventQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let (limit, offset) = (asked.limit.as_deref(), asked.offset.as_deref());
    let page = page_of(limit, offset, asked.cursor.as_deref(), &mut issues);
    let question = asked.question(&asset, &mut issues);
    issues.finish()?;
    let answer = call.read(move |tx, ctx| {
        let (events, next_cursor) = reports::asset_events(tx, ctx, &question, &page)?;
        let events = events.into_iter().map(|event| TokenEvent::of(&asset, event)).collect();
        Ok(TokenEvents { events, next_cursor })
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_an_event_are_its_data_as_text() {
        let values = values_of(
            "asset:x/1",
            r#"{"cap":"5","decimals":18,"lines":[{"amount":"1"}],"policy":null}"#,
        );

        let pairs: Vec<(&str, &str)> = values.iter().map(|v| (v.name.as_str(), v.value.as_str())).collect();
        let expected = [
            ("cap", "5"),
            ("decimals", "18"),
            ("lines", r#"[{"amount":"1"}]"#),
            ("policy", "null"),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(values[0].id, "asset:x/1/cap");
    }
}
