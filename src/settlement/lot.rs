use std::collections::HashMap;

use crate::collection::{self, Collection, MintKind};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, AssetId};

/// Mints that may share a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub asset: AssetId,
    /// None where the asset has units: all of its mints may.
    pub lot: Option<Lot>,
}

/// Requests of a collection that one call of its contract can do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lot {
    ById,
    ByQuantity,
    /// ERC-1155 of ours.
    ToMany,
    /// ERC-1155 of others: to one owner at a time.
    ToOne(Address),
}

impl Group {
    pub fn units(asset: AssetId) -> Self {
        Self { asset, lot: None }
    }

    /// The one that stands for all whose mints cost alike.
    pub fn by_cost(self) -> Self {
        let lot = self.lot.map(|lot| match lot {
            Lot::ToOne(_) => Lot::ToOne(Address::ZERO),
            Lot::ById | Lot::ByQuantity | Lot::ToMany => lot,
        });
        Self { lot, ..self }
    }
}

impl Lot {
    pub fn of(collection: &Collection, kind: MintKind, owner: Address) -> Self {
        match kind {
            MintKind::ById => Self::ById,
            MintKind::ByQuantity => Self::ByQuantity,
            MintKind::Amounts if collection.many => Self::ToMany,
            MintKind::Amounts => Self::ToOne(owner),
        }
    }
}

/// The lots of these operations of a collection, by number; an operation without a request has none.
pub(super) fn lots(tx: &mut Tx<'_>, collection: AssetId, numbers: &[i64]) -> Result<HashMap<i64, Lot>, Error> {
    let found = collection::find(tx, collection)?;
    let kinds = collection::kinds_of(tx, collection, numbers)?.into_iter();
    let lots = kinds.map(|(number, kind, owner)| (number, Lot::of(&found, kind, owner)));
    Ok(lots.collect())
}
