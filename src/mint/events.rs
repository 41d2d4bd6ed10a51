//! What the audit log keeps of a mint: one event per request, its lines inside.

use serde_json::{Value, json};

use super::model::Request;
use super::{MintLine, rules};
use crate::audit::{Event, Stream};
use crate::ctx::Ctx;
use crate::error::Finding;
use crate::operation::Operation;
use crate::types::{AssetId, Hash32};

/// A known user without the role asked for a mint.
pub(super) fn forbidden(asset: AssetId, ctx: &Ctx) -> Event {
    Event {
        stream: Stream::Asset(asset),
        actor: ctx.actor.name(),
        action: "access.refused",
        asset: Some(asset),
        operation: None,
        subjects: vec![ctx.actor.wallet],
        data: json!({ "attempt": "mint", "requestId": ctx.request_id.as_str() }),
    }
}

fn rendered_lines(lines: &[MintLine]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| json!({ "recipient": line.recipient, "amount": line.amount }))
        .collect()
}

pub(super) fn accepted(operation: &Operation, request: &Request) -> Event {
    let lines = rendered_lines(&request.lines);
    Event {
        stream: Stream::Asset(operation.asset),
        actor: request.ctx.actor.name(),
        action: "mint.accepted",
        asset: Some(operation.asset),
        operation: Some(operation.id),
        // The postings of the operation tell whom it is about.
        subjects: Vec::new(),
        data: json!({
            "lines": lines,
            "number": operation.sequence,
            "policyHash": operation.policy_hash,
            "requestId": operation.request_id,
            "total": operation.total,
            "verification": request.proof.method().as_str(),
        }),
    }
}

pub(super) fn refused(asset: AssetId, request: &Request, findings: &[Finding], policy_hash: Option<Hash32>) -> Event {
    let rendered: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "index": finding.line.map(|line| line.index),
                "recipient": finding.line.map(|line| line.recipient),
                "rule": finding.rule,
                "slug": finding.refusal.slug(),
                "params": finding.refusal.params(),
            })
        })
        .collect();
    let lines = rendered_lines(&request.lines);
    Event {
        stream: Stream::Asset(asset),
        actor: request.ctx.actor.name(),
        action: "mint.refused",
        asset: Some(asset),
        operation: None,
        subjects: rules::recipients(request.lines.iter()),
        data: json!({
            "findings": rendered,
            "lines": lines,
            "policyHash": policy_hash,
            "requestId": request.ctx.request_id.as_str(),
        }),
    }
}
