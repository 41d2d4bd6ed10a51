//! What Certhis' mint API is tried with in the demo: the wallet that owns the collection of swords, and its key.

use super::manifest::{CerthisEntry, Collections};
use super::secrets::Secrets;
use crate::app::App;
use crate::collection;
use crate::error::Error;

pub(super) async fn entry(app: &App, secrets: &Secrets, collections: &Collections) -> Result<CerthisEntry, Error> {
    let address = collections.erc721.address;
    let found = app
        .db()
        .read(move |tx| collection::find_by_address(tx, &address))
        .await?;
    let number = found
        .number
        .ok_or_else(|| Error::internal("a collection of the demo has no number"))?;
    let key = secrets.private_key(&found.owner);
    let key = key.ok_or_else(|| Error::internal("a collection of the demo belongs to nobody here"))?;
    Ok(CerthisEntry {
        collection_index: number,
        owner_wallet: found.owner,
        owner_private_key: key.to_owned(),
    })
}
