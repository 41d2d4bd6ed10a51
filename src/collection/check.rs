use super::store;
use super::{CollectionFilter, ContractType, RequestFilter, RequestStatus, Slice, Window};
use crate::asset;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Amount, AssetId, TokenId};

/// Tokens, and requests, that are read at a time.
const PAGE: i64 = 1_000;

/// Recounts every collection and compares: balances of a token sum to its supply, supplies to the collection's, an ERC-721
/// token has one owner at most, what succeeded has its activity. One sentence per fault; empty means sound.
pub fn verify(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    let mut window = Window::first(PAGE);
    loop {
        let Slice { items, next, .. } = store::collections(tx, &CollectionFilter::default(), &window)?;
        for collection in &items {
            let mut found = of_tokens(tx, collection.id, collection.contract_type())?;
            found.extend(of_requests(tx, collection.id)?);
            let name = collection.address;
            faults.extend(found.into_iter().map(|fault| format!("collection {name}: {fault}")));
        }
        match next {
            Some(cursor) => window.cursor = Some(cursor),
            None => return Ok(faults),
        }
    }
}

fn of_tokens(tx: &mut Tx<'_>, id: AssetId, contract_type: ContractType) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    let mut sum = Some(Amount::ZERO);
    let mut after: Option<TokenId> = None;
    loop {
        let page = store::tokens_with_balances(tx, id, after, PAGE)?;
        let Some((last, ..)) = page.last() else { break };
        after = Some(*last);
        for (token_id, supply, balances) in &page {
            sum = sum.and_then(|sum| sum.checked_add(*supply));
            if Amount::checked_sum(balances.iter().copied()) != Some(*supply) {
                faults.push(format!(
                    "token {token_id}: its balances do not sum to its supply {supply}"
                ));
            }
            let owners = balances.len();
            if contract_type == ContractType::Erc721 && (owners > 1 || *supply > Amount::ONE) {
                faults.push(format!(
                    "token {token_id}: has {owners} owners and a supply of {supply}"
                ));
            }
        }
    }
    let supply = asset::find(tx, id)?.supply;
    if sum != Some(supply) {
        faults.push(format!("its tokens sum to {sum:?}, its supply is {supply}"));
    }
    Ok(faults)
}

/// Every request that succeeded has an activity of its own with its token.
fn of_requests(tx: &mut Tx<'_>, id: AssetId) -> Result<Vec<String>, Error> {
    let filter = RequestFilter {
        collection: Some(id),
        status: Some(RequestStatus::Succeeded),
        ..RequestFilter::default()
    };
    let mut faults = Vec::new();
    let mut window = Window::first(PAGE);
    loop {
        let Slice { items, next, .. } = store::page_of_requests(tx, &filter, &window)?;
        let ids: Vec<_> = items.iter().filter_map(|one| one.activity).collect();
        let known = store::minted_by(tx, id, &ids)?;
        for request in &items {
            let is_sound =
                request
                    .activity
                    .and_then(|activity| known.get(&activity))
                    .is_some_and(|(token_id, owner, amount)| {
                        request.token_id == Some(*token_id) && request.owner == *owner && request.amount == *amount
                    });
            if !is_sound {
                faults.push(format!("mint request {}: no mint is recorded for it", request.id));
            }
        }
        if ids.len() != known.len() {
            faults.push("two mint requests share an activity".to_owned());
        }
        match next {
            Some(cursor) => window.cursor = Some(cursor),
            None => return Ok(faults),
        }
    }
}
