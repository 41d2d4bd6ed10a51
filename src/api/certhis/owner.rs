//! Who owns a collection: its contract is asked, and nobody opens anything while it cannot be.

use crate::app::App;
use crate::chain::collection::is_owned_by;
use crate::chain::{At, Failure, Rpc};
use crate::collection::Collection;
use crate::db::Tx;
use crate::error::Error;
use crate::settlement;
use crate::types::Address;

/// Whether the wallet owns the collection now. What is not on a chain yet, or settles on none, has the owner with whom it
/// was founded.
///
/// Errors: `Unavailable` while the chain does not answer, or does not show a contract that is known to be there.
pub(super) async fn owns(app: &App, collection: &Collection, wallet: Address) -> Result<bool, Error> {
    let id = collection.id;
    let read = move |tx: &mut Tx<'_>| Ok((settlement::chain_name(tx)?, settlement::stands(tx, id)?));
    let (chain, stands) = app.db().read(read).await?;
    let says = match (app.rpc(), chain) {
        (None, None) => None,
        (None, Some(_)) => return Err(unknown("no node is configured, and the database settles on a chain")),
        (Some(rpc), _) => {
            let answer = is_owned_by(rpc, &collection.address, &wallet, At::Latest).await;
            answer.map_err(unknown)?
        }
    };
    match says {
        Some(owns) => Ok(owns),
        None if stands => Err(unknown("the node does not show the contract")),
        None => Ok(collection.owner == wallet),
    }
}

fn unknown(reason: impl std::fmt::Display) -> Error {
    tracing::warn!(%reason, "a collection could not be asked for its owner");
    Error::Unavailable("the chain does not say who owns the collection")
}

/// Whether a wallet that does not own the collection now has lost it for good: the final block says so too, and no
/// reorganisation gives it back. False where that is not known, as with a node that forgot the state of that block.
pub(super) async fn has_lost(app: &App, collection: &Collection, wallet: Address) -> bool {
    // What settles on no chain changes hands at `/mint_access` alone, for good.
    let Some(rpc) = app.rpc() else { return true };
    match owned_finally(rpc, collection, wallet).await {
        Ok(says) => says == Some(false),
        Err(reason) => {
            tracing::debug!(%reason, collection = %collection.address, "it is not known who owned it in the final block");
            false
        }
    }
}

async fn owned_finally(rpc: &Rpc, collection: &Collection, wallet: Address) -> Result<Option<bool>, Failure> {
    let finalized = rpc.view(&wallet, &[], &[]).await?.finalized;
    is_owned_by(rpc, &collection.address, &wallet, At::Block(finalized)).await
}
