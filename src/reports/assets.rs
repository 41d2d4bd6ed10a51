use std::collections::HashMap;

use super::{AuditQuestion, audit_events};
use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, Listing};
use crate::audit::Recorded;
use crate::ctx::Ctx;
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::identity::{self, Claim};
use crate::ledger::{self, Account};
use crate::types::{Address, IdentityId, UserId};

/// An asset in a list, with the active claims on its identity.
#[derive(Clone, Debug)]
pub struct ListedAsset {
    pub asset: Asset,
    pub claims: Vec<Claim>,
}

/// One page of assets, how many match in all, and the cursor of the next page. Needs no right.
pub fn assets(
    tx: &mut Tx<'_>,
    listing: Listing,
    page: &Page,
) -> Result<(Vec<ListedAsset>, i64, Option<String>), Error> {
    let (assets, total, cursor) = asset::list(tx, listing, page)?;
    let identities: Vec<IdentityId> = assets.iter().map(|asset| asset.identity).collect();
    let mut claims: HashMap<IdentityId, Vec<Claim>> = HashMap::new();
    for claim in identity::active_claims(tx, &identities)? {
        claims.entry(claim.identity).or_default().push(claim);
    }
    let listed = assets.into_iter().map(|asset| ListedAsset {
        claims: claims.remove(&asset.identity).unwrap_or_default(),
        asset,
    });
    Ok((listed.collect(), total, cursor))
}

/// Accounts with a balance on the asset, the last changed first, how many there are, and the cursor of the next page. For
/// who may read the asset's records.
pub fn holders(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    asset: &Asset,
    page: &Page,
) -> Result<(Vec<Account>, i64, Option<String>), Error> {
    access::require(tx, ctx, Permission::ReadRecords, Scope::Asset(asset.id))?;
    ledger::holders(tx, asset.id, page)
}

/// What is known of one account on the asset; none when nothing ever was. One's own needs no right.
pub fn holder(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset, account: Address) -> Result<Option<Account>, Error> {
    if account != ctx.actor.wallet {
        access::require(tx, ctx, Permission::ReadRecords, Scope::Asset(asset.id))?;
    }
    ledger::account(tx, asset.id, account)
}

/// An event with the wallet of whoever caused it; none when it was no user.
#[derive(Clone, Debug)]
pub struct AssetEvent {
    pub event: Recorded,
    pub sender: Option<Address>,
}

/// The events of one asset, newest first, and the cursor of the next page. For who may read the asset's records.
pub fn asset_events(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    question: &AuditQuestion,
    page: &Page,
) -> Result<(Vec<AssetEvent>, Option<String>), Error> {
    let (events, cursor) = audit_events(tx, ctx, question, page)?;
    let mut users: Vec<UserId> = events.iter().filter_map(user_of).collect();
    users.sort_unstable();
    users.dedup();
    let wallets = access::wallets_of(tx, &users)?;
    let sent = events.into_iter().map(|event| AssetEvent {
        sender: user_of(&event).and_then(|user| wallets.get(&user).copied()),
        event,
    });
    Ok((sent.collect(), cursor))
}

/// The user whom the audit log names, if it is one.
fn user_of(event: &Recorded) -> Option<UserId> {
    let id = event.actor.strip_prefix("user:")?;
    UserId::parse(id).ok()
}
