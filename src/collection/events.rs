//! What the audit log keeps of mints: one event per request. Its caller's reference is not among it: nobody knows what a
//! caller writes there.

use serde_json::{Value, json};

use super::{Caller, MintRequest};
use crate::audit::{Event, Stream};
use crate::error::Finding;
use crate::operation::Operation;
use crate::types::Hash32;

fn line(request: &MintRequest) -> Value {
    json!({ "recipient": request.owner, "amount": request.amount, "tokenId": request.token_id })
}

pub(super) fn accepted(caller: &Caller<'_>, operation: &Operation, request: &MintRequest) -> Event {
    Event {
        stream: Stream::Asset(request.collection),
        actor: caller.ctx.actor.name(),
        action: "mint.accepted",
        asset: Some(request.collection),
        operation: Some(operation.id),
        // The postings of the operation tell whom it is about.
        subjects: Vec::new(),
        data: json!({
            "environment": request.environment,
            "lines": [line(request)],
            "mintRequest": request.id,
            "number": operation.sequence,
            "policyHash": operation.policy_hash,
            "requestId": operation.request_id,
            "total": operation.total,
        }),
    }
}

pub(super) fn refused(caller: &Caller<'_>, request: &MintRequest, findings: &[Finding], policy_hash: Hash32) -> Event {
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "recipient": request.owner,
                "rule": finding.rule,
                "slug": finding.refusal.slug(),
                "params": finding.refusal.params(),
            })
        })
        .collect();
    Event {
        stream: Stream::Asset(request.collection),
        actor: caller.ctx.actor.name(),
        action: "mint.refused",
        asset: Some(request.collection),
        operation: None,
        subjects: vec![request.owner],
        data: json!({
            "environment": request.environment,
            "findings": findings,
            "lines": [line(request)],
            "mintRequest": request.id,
            "policyHash": policy_hash,
            "requestId": caller.ctx.request_id.as_str(),
        }),
    }
}

/// Something about a collection that is no operation.
pub(super) fn changed(caller: &Caller<'_>, collection: &super::Collection, action: &'static str, data: Value) -> Event {
    Event {
        stream: Stream::Asset(collection.id),
        actor: caller.ctx.actor.name(),
        action,
        asset: Some(collection.id),
        operation: None,
        subjects: Vec::new(),
        data,
    }
}
