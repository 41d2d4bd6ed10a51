use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::store;
use super::{Activity, ContractType, Moved, TokenRow};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{ActivityId, Address, Amount, AssetId, MetadataId, RowId, Timestamp, TokenId};

/// Who has which tokens of a collection, as final logs say: opened under the lock of the collection's row with what the
/// movements of a commit touch, changed by them in the order of the chain, written once.
pub struct Register {
    collection: AssetId,
    contract_type: ContractType,
    now: Timestamp,
    tokens: HashMap<TokenId, TokenRow>,
    balances: HashMap<(TokenId, Address), Amount>,
    changed: BTreeMap<(TokenId, Address), ()>,
    changed_tokens: BTreeMap<TokenId, ()>,
    activities: Vec<Activity>,
}

/// Why a movement cannot be: the chain knows something that we do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    #[error("more leaves the account than it has")]
    Negative,
    #[error("the token has an owner already")]
    Owned,
    #[error("an amount passes 2^256-1")]
    Overflow,
    #[error("it moves from nobody to nobody")]
    Nobody,
}

impl Register {
    pub fn open(
        tx: &mut Tx<'_>,
        collection: AssetId,
        contract_type: ContractType,
        moved: &[Moved],
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut ids: Vec<TokenId> = moved.iter().map(|one| one.token_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let pairs = moved
            .iter()
            .flat_map(|one| [(one.token_id, one.from), (one.token_id, one.to)]);
        let pairs: BTreeSet<(TokenId, Address)> = pairs.filter(|(_, account)| !account.is_zero()).collect();
        Ok(Self {
            collection,
            contract_type,
            now,
            tokens: store::tokens_by_ids(tx, collection, &ids)?,
            balances: store::balances_of(tx, collection, &pairs)?,
            changed: BTreeMap::new(),
            changed_tokens: BTreeMap::new(),
            activities: Vec::new(),
        })
    }

    /// Whether [`Self::apply`] would take it.
    pub fn explains(&self, moved: &Moved) -> Result<(), Unexplained> {
        let of = |account: Address| (!account.is_zero()).then_some(account);
        self.supply_after(moved.token_id, of(moved.from), of(moved.to), moved.amount)?;
        match of(moved.from) {
            Some(from) => self.left(moved.token_id, from, moved.amount).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Either all of it is on the register afterwards or, on an error, nothing.
    pub fn apply(&mut self, moved: &Moved) -> Result<ActivityId, Unexplained> {
        let Moved {
            from,
            to,
            token_id,
            amount,
            place,
        } = *moved;
        let of = |account: Address| (!account.is_zero()).then_some(account);
        let (from, to) = (of(from), of(to));
        let supply = self.supply_after(token_id, from, to, amount)?;
        let left = match from {
            Some(from) => Some((from, self.left(token_id, from, amount)?)),
            None => None,
        };
        if let Some((from, left)) = left {
            self.set(token_id, from, left);
        }
        if let Some(to) = to {
            let before = self.balances.get(&(token_id, to)).copied().unwrap_or_default();
            // No balance passes the supply, which was seen to fit.
            self.set(token_id, to, before.checked_add(amount).unwrap_or(Amount::MAX));
        }
        self.token(token_id).total_supply = supply;
        let id = ActivityId::generate();
        self.activities.push(Activity {
            id,
            collection: self.collection,
            kind: moved.kind(),
            from,
            to,
            token_id,
            amount,
            place,
            indexed_at: self.now,
        });
        Ok(id)
    }

    fn supply_after(
        &self,
        token_id: TokenId,
        from: Option<Address>,
        to: Option<Address>,
        amount: Amount,
    ) -> Result<Amount, Unexplained> {
        let supply = self.tokens.get(&token_id).map_or(Amount::ZERO, |row| row.total_supply);
        match (from, to) {
            (None, None) => Err(Unexplained::Nobody),
            (None, Some(_)) if self.contract_type == ContractType::Erc721 && !supply.is_zero() => {
                Err(Unexplained::Owned)
            }
            (None, Some(_)) => supply.checked_add(amount).ok_or(Unexplained::Overflow),
            (Some(_), None) => supply.checked_sub(amount).ok_or(Unexplained::Negative),
            (Some(_), Some(_)) => Ok(supply),
        }
    }

    fn left(&self, token_id: TokenId, from: Address, amount: Amount) -> Result<Amount, Unexplained> {
        let balance = self.balances.get(&(token_id, from)).copied().unwrap_or_default();
        balance.checked_sub(amount).ok_or(Unexplained::Negative)
    }

    fn set(&mut self, token_id: TokenId, account: Address, balance: Amount) {
        self.balances.insert((token_id, account), balance);
        self.changed.insert((token_id, account), ());
    }

    fn token(&mut self, token_id: TokenId) -> &mut TokenRow {
        self.changed_tokens.insert(token_id, ());
        let (collection, now) = (self.collection, self.now);
        self.tokens.entry(token_id).or_insert_with(|| TokenRow {
            collection,
            token_id,
            id: RowId::generate(),
            metadata_id: None,
            total_supply: Amount::ZERO,
            indexed_at: now,
            updated_at: now,
            metadata_synced_at: None,
        })
    }

    /// What a token shows, where it shows nothing yet.
    pub fn show(&mut self, token_id: TokenId, metadata: Option<MetadataId>) {
        let now = self.now;
        let row = self.token(token_id);
        if let (None, Some(metadata)) = (row.metadata_id, metadata) {
            row.metadata_id = Some(metadata);
            row.metadata_synced_at = Some(now);
        }
    }

    pub fn save(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let changed = self.changed_tokens.keys().filter_map(|id| self.tokens.get(id));
        let tokens: Vec<TokenRow> = changed
            .map(|row| TokenRow {
                updated_at: self.now,
                ..row.clone()
            })
            .collect();
        store::save_tokens(tx, &tokens)?;
        let changed = self
            .changed
            .keys()
            .filter_map(|key| Some((*key, *self.balances.get(key)?)));
        let balances: Vec<((TokenId, Address), Amount)> = changed.collect();
        store::save_balances(tx, self.collection, &balances, self.now)?;
        store::insert_activities(tx, &self.activities)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Place;
    use crate::types::Hash32;

    const A: Address = Address::from_bytes([1; 20]);
    const B: Address = Address::from_bytes([2; 20]);

    fn register(contract_type: ContractType) -> Register {
        Register {
            collection: AssetId::generate(),
            contract_type,
            now: Timestamp::from_seconds(9),
            tokens: HashMap::new(),
            balances: HashMap::new(),
            changed: BTreeMap::new(),
            changed_tokens: BTreeMap::new(),
            activities: Vec::new(),
        }
    }

    fn moved(from: Address, to: Address, amount: u64) -> Moved {
        Moved {
            from,
            to,
            token_id: TokenId::from(Amount::from(7)),
            amount: Amount::from(amount),
            place: Place {
                transaction: Hash32::ZERO,
                block: 1,
                block_hash: Hash32::ZERO,
                transaction_index: 0,
                log_index: 0,
                position: 0,
            },
        }
    }

    fn state(register: &Register) -> (u64, u64, u64) {
        let id = TokenId::from(Amount::from(7));
        let small = |amount: Option<&Amount>| amount.map_or(0, |amount| amount.to_string().parse().unwrap());
        (
            small(register.tokens.get(&id).map(|row| &row.total_supply)),
            small(register.balances.get(&(id, A))),
            small(register.balances.get(&(id, B))),
        )
    }

    #[test]
    fn a_token_has_one_owner_at_a_time() {
        let mut register = register(ContractType::Erc721);

        register.apply(&moved(Address::ZERO, A, 1)).unwrap();
        assert_eq!(state(&register), (1, 1, 0));
        assert_eq!(register.apply(&moved(Address::ZERO, B, 1)), Err(Unexplained::Owned));
        register.apply(&moved(A, B, 1)).unwrap();
        assert_eq!(state(&register), (1, 0, 1));
        assert_eq!(register.apply(&moved(A, B, 1)), Err(Unexplained::Negative));
        register.apply(&moved(B, Address::ZERO, 1)).unwrap();
        assert_eq!(state(&register), (0, 0, 0));
        assert_eq!(register.activities.len(), 3);
    }

    #[test]
    fn amounts_are_added_up() {
        let mut register = register(ContractType::Erc1155);

        register.apply(&moved(Address::ZERO, A, 5)).unwrap();
        register.apply(&moved(Address::ZERO, A, 5)).unwrap();
        register.apply(&moved(A, B, 3)).unwrap();
        assert_eq!(state(&register), (10, 7, 3));
        assert_eq!(register.apply(&moved(B, A, 4)), Err(Unexplained::Negative));
        assert_eq!(
            register.apply(&moved(Address::ZERO, Address::ZERO, 4)),
            Err(Unexplained::Nobody)
        );
        assert_eq!(state(&register), (10, 7, 3));
    }

    #[test]
    fn a_transfer_to_oneself_changes_no_balance() {
        let mut register = register(ContractType::Erc1155);
        register.apply(&moved(Address::ZERO, A, 5)).unwrap();

        register.apply(&moved(A, A, 5)).unwrap();

        assert_eq!(state(&register), (5, 5, 0));
    }

    #[test]
    fn the_supply_stays_within_256_bits() {
        let mut register = register(ContractType::Erc1155);
        let most = Moved {
            amount: Amount::MAX,
            ..moved(Address::ZERO, A, 0)
        };
        register.apply(&most).unwrap();

        assert_eq!(register.apply(&moved(Address::ZERO, B, 1)), Err(Unexplained::Overflow));
    }
}
