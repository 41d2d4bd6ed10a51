use serde_json::json;

use super::{find, store};
use crate::audit::{self, Event, Stream};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, AssetId, Timestamp};

/// Notes who owns the contract now, as the contract itself said. Nothing changes when that is known.
pub fn note_owner(tx: &mut Tx<'_>, collection: AssetId, owner: Address, now: Timestamp) -> Result<(), Error> {
    let before = find(tx, collection)?.owner;
    if before == owner {
        return Ok(());
    }
    store::set_owner(tx, collection, owner, now)?;
    let event = Event {
        stream: Stream::Asset(collection),
        actor: "system".to_owned(),
        action: "collection.owner_changed",
        asset: Some(collection),
        operation: None,
        subjects: vec![owner],
        data: json!({ "from": before, "to": owner }),
    };
    audit::append(tx, now, vec![event])
}
