//! What webhooks are told of mint requests, in the transaction of the change.

use super::{Collection, MintRequest, RequestStatus};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Timestamp, TokenId};
use crate::webhook::{self, Change, EventKind, MintNews, Source};

/// These requests have just become what they are.
pub(super) fn tell(
    tx: &mut Tx<'_>,
    collection: &Collection,
    requests: &[MintRequest],
    now: Timestamp,
) -> Result<(), Error> {
    let source = Source {
        collection: collection.id,
        environment: collection.environment,
    };
    webhook::note(tx, &source, now, || {
        requests.iter().map(|request| change(collection, request)).collect()
    })
}

fn change(collection: &Collection, request: &MintRequest) -> Change {
    let kind = match request.status {
        RequestStatus::Pending => EventKind::MintAccepted,
        RequestStatus::Succeeded => EventKind::MintSucceeded,
        RequestStatus::Failed => EventKind::MintFailed,
    };
    Change {
        kind,
        subject: request.id,
        news: MintNews {
            mint_request_id: request.id.to_string(),
            collection_address: collection.address,
            contract_type: collection.contract_type().text().to_owned(),
            reference_id: request.reference.to_string(),
            owner_address: request.owner,
            token_id: request.token_id.map(TokenId::amount),
            amount: request.amount,
            metadata_id: request.metadata.map(|id| id.to_string()),
            status: request.status.text().to_owned(),
            error: request.error.clone(),
            transaction_hash: request.transaction.map(|hash| hash.to_string()),
            activity_id: request.activity.map(|id| id.to_string()),
            created_at: request.created_at.to_micros_text(),
            updated_at: request.updated_at.to_micros_text(),
        },
    }
}
