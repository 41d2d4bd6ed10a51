//! `GET /api/operations`: what became of a requested change.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Issues;
use super::page::{page_of, strict_query};
use super::{Call, DalpError};
use crate::error::Error;
use crate::ledger::HolderLine;
use crate::operation::{Operation, Status};
use crate::reports::{self, OperationReport};
use crate::types::{Address, Amount, Dnum, OperationId, Timestamp};

/// One requested change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationObject {
    #[schema(value_type = String, example = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")]
    id: OperationId,
    /// `create`, `adopt`, `mint`, `burn`, `forced-transfer`, `pause`, `unpause`, `set-cap`, `freeze-address` or `observed`: units moved on the chain.
    #[schema(example = "mint")]
    kind: &'static str,
    /// `pending`, `submitted`, `mined`, `succeeded` or `failed`.
    #[schema(example = "succeeded")]
    status: &'static str,
    /// The asset's address.
    #[schema(value_type = String, example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220")]
    asset: Address,
    /// The number of this operation on its asset, from 1 and without a gap.
    #[schema(example = 17)]
    number: i64,
    #[schema(value_type = String, example = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")]
    requested_by: String,
    #[schema(example = "0197a1f0-9a7d-7c21-8f7e-5a5b9c1d2e3f")]
    request_id: String,
    /// Sum of the lines, a dnum.
    #[schema(value_type = String, example = "[\"1000\",18]")]
    total: Dnum,
    /// Not in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<LineObject>>,
    /// The chain it settles on (CAIP-2), null when it settles in the book. `/readyz` says what people call the chain; a
    /// local node's has no value.
    chain: Option<String>,
    /// Every form in which it was sent, the newest last; at most one of them is ever mined. Not in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!([]))]
    transaction_hashes: Option<Vec<String>>,
    /// Not in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    block_number: Option<Option<u64>>,
    /// Blocks on top of the one that holds it. Not in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    confirmations: Option<Option<u64>>,
    /// Why it was accepted and is not sent yet.
    waits_for: Option<String>,
    error: Option<String>,
    /// What needs a person.
    attention: Option<Attention>,
    #[schema(example = "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658")]
    policy_hash: Option<String>,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, example = "2026-11-21T10:30:00.000Z")]
    finished_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub struct LineObject {
    #[schema(example = 0)]
    index: i32,
    /// From whom, of a forced transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    from: Option<Address>,
    /// Who receives; of a burn, whose units are burned.
    #[schema(value_type = String, example = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")]
    recipient: Address,
    #[schema(value_type = String, example = "[\"1000\",18]")]
    amount: Dnum,
    /// `pending`, `posted` or `voided`.
    #[schema(example = "posted")]
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
pub struct Attention {
    #[schema(example = "fee")]
    reason: String,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    since: Timestamp,
}

/// The statuses of this dialect (architecture, section 6).
fn status_of(status: Status) -> &'static str {
    match status {
        Status::Queued | Status::Signed => "pending",
        Status::Sent => "submitted",
        Status::Mined => "mined",
        Status::Succeeded => "succeeded",
        Status::Failed | Status::Cancelled => "failed",
    }
}

impl From<OperationReport> for OperationObject {
    fn from(report: OperationReport) -> Self {
        let OperationReport {
            operation,
            asset,
            decimals,
            lines,
            senders,
            transactions,
            chain,
            head,
        } = report;
        let block = transactions.iter().rev().find_map(|transaction| transaction.block);
        let Operation {
            id,
            sequence,
            kind,
            status,
            total,
            requested_by,
            request_id,
            ..
        } = operation;
        Self {
            id,
            kind: kind.text(),
            status: status_of(status),
            asset,
            number: sequence,
            requested_by: requested_by.to_string(),
            request_id,
            total: Dnum::new(total, decimals),
            lines: Some(
                lines
                    .into_iter()
                    .enumerate()
                    .map(|(place, line)| line_of(line, senders.get(place).copied(), decimals))
                    .collect(),
            ),
            chain,
            transaction_hashes: Some(
                transactions
                    .iter()
                    .map(|transaction| transaction.hash.to_string())
                    .collect(),
            ),
            block_number: Some(block),
            confirmations: Some(block.zip(head).map(|(block, head)| head.saturating_sub(block))),
            waits_for: operation.hold,
            error: operation.error,
            attention: operation.attention.map(|(reason, since)| Attention { reason, since }),
            policy_hash: operation.policy_hash.map(|hash| hash.to_string()),
            created_at: operation.created_at,
            finished_at: operation.finished_at,
        }
    }
}

impl OperationObject {
    /// As a list shows it: what would have to be looked up for each is told by its id.
    fn listed(report: OperationReport) -> Self {
        Self {
            lines: None,
            transaction_hashes: None,
            block_number: None,
            confirmations: None,
            ..Self::from(report)
        }
    }
}

fn line_of(line: HolderLine, from: Option<Address>, decimals: u8) -> LineObject {
    let HolderLine {
        line,
        recipient,
        amount,
        phase,
    } = line;
    LineObject {
        index: line,
        from,
        recipient,
        amount: dnum(amount, decimals),
        status: phase.text(),
    }
}

const fn dnum(amount: Amount, decimals: u8) -> Dnum {
    Dnum::new(amount, decimals)
}

/// Read an operation.
///
/// For its requester, for everybody with a role on its asset, and for the system auditor; to everybody else it is unknown.
#[utoipa::path(tag = "Operations", operation_id = "operationRead",
    params(("id" = String, Path, description = "Id of the operation, from `X-Operation-Id`")),
    responses((status = 200, description = "The operation with its lines", body = OperationObject)))]
#[get("/operations/{id}")]
pub async fn read(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let id = OperationId::parse(&path).map_err(|error| Error::invalid("id", error.to_string()))?;
    match call.read(move |tx, ctx| reports::operation(tx, ctx, id)).await {
        Ok(report) => Ok(HttpResponse::Ok().json(OperationObject::from(report))),
        // A route of our own: what is forbidden and what is missing look the same. The audit log knows the difference.
        Err(DalpError::Domain(Error::Forbidden { .. })) => Err(Error::NotFound("operation").into()),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<String>,
    offset: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct OperationList {
    operations: Vec<OperationObject>,
}

/// List one's own operations, the newest first, without their lines and transactions.
#[utoipa::path(tag = "Operations", operation_id = "operationList",
    params(("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("offset" = Option<i64>, Query, description = "Rows to skip")),
    responses((status = 200, description = "Operations that the caller requested", body = OperationList)))]
#[get("/operations")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: ListQuery = strict_query(request.query_string())?;
    let mut issues = Issues::default();
    let page = page_of(asked.limit.as_deref(), asked.offset.as_deref(), None, &mut issues);
    issues.finish()?;
    let found = call
        .read(move |tx, ctx| reports::own_operations(tx, ctx, &page))
        .await?;
    let operations = found.into_iter().map(OperationObject::listed).collect();
    Ok(HttpResponse::Ok().json(OperationList { operations }))
}
