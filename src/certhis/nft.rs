use super::store;
use super::{Task, TaskStatus};
use crate::collection::{self, Collection, ContractType, Nft, OwnerFilter, Window};
use crate::db::Tx;
use crate::error::Error;
use crate::types::Address;

/// The token of a task that succeeded, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Minted {
    pub nft: Nft,
    /// Who has it, of several the recipient of the task; nobody when it was burned.
    pub owner: Address,
    /// The number of the owner's wallet; 0 when it has none here.
    pub account: i64,
}

/// None while there is no token.
pub fn minted(tx: &mut Tx<'_>, collection: &Collection, task: &Task) -> Result<Option<Minted>, Error> {
    let (TaskStatus::Succeeded, Some(token_id)) = (task.status, task.request.token_id) else {
        return Ok(None);
    };
    let nft = collection::nft(tx, collection.id, token_id)?;
    let owner = match collection.contract_type() {
        ContractType::Erc721 => owner_of(tx, &nft)?,
        ContractType::Erc1155 => task.request.owner,
    };
    let account = store::known_account(tx, &owner)?.unwrap_or(0);
    Ok(Some(Minted { nft, owner, account }))
}

fn owner_of(tx: &mut Tx<'_>, nft: &Nft) -> Result<Address, Error> {
    let filter = OwnerFilter {
        collection: Some(nft.collection),
        token_ids: vec![nft.token_id],
        ..OwnerFilter::default()
    };
    let owners = collection::owners(tx, &filter, &Window::first(1))?.items;
    Ok(owners.first().map_or(Address::ZERO, |one| one.account))
}
