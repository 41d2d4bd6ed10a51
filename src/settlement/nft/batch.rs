use std::collections::{HashMap, VecDeque};

use crate::chain::contracts::collection::{self as contract, Stack};
use crate::chain::contracts::events::TokenTransfer;
use crate::collection::{Collection, MintKind, MintRequest, Minted, Moved, Place};
use crate::settlement::lot::{Group, Lot};
use crate::types::{Address, Amount, AssetId, TokenId};

/// Requests that one transaction can do, in the order of its lines: grouped by owner, owners in the order in which the
/// first of their requests was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::settlement) struct Batch {
    pub asset: AssetId,
    pub contract: Address,
    lot: Lot,
    pub requests: Vec<MintRequest>,
}

/// Puts waiting requests of one collection together as far as its contract can mint them at once.
pub(in crate::settlement) fn batches(collection: &Collection, requests: Vec<MintRequest>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for request in by_owner(requests) {
        let lot = Lot::of(collection, request.kind, request.owner);
        match batches.iter_mut().find(|batch| batch.lot == lot) {
            Some(batch) => batch.requests.push(request),
            None => batches.push(Batch {
                asset: collection.id,
                contract: collection.address,
                lot,
                requests: vec![request],
            }),
        }
    }
    batches
}

/// The requests of one owner follow each other.
fn by_owner(requests: Vec<MintRequest>) -> Vec<MintRequest> {
    let mut order: Vec<Address> = Vec::new();
    let mut of_owner: HashMap<Address, Vec<MintRequest>> = HashMap::new();
    for request in requests {
        let group = of_owner.entry(request.owner).or_default();
        if group.is_empty() {
            order.push(request.owner);
        }
        group.push(request);
    }
    order
        .iter()
        .flat_map(|owner| of_owner.remove(owner).unwrap_or_default())
        .collect()
}

impl Batch {
    pub fn group(&self) -> Group {
        Group {
            asset: self.asset,
            lot: Some(self.lot),
        }
    }

    pub fn numbers(&self) -> Vec<i64> {
        self.requests.iter().filter_map(|request| request.sequence).collect()
    }

    /// The same with some of its requests.
    pub fn of(&self, requests: &[MintRequest]) -> Self {
        Self {
            requests: requests.to_vec(),
            ..*self
        }
    }

    pub fn calldata(&self) -> Vec<u8> {
        match self.lot {
            Lot::ById => contract::mint_batch(&self.lines(|request| request.token_id.map(TokenId::amount))),
            Lot::ByQuantity => {
                let lines = self.lines(|_| Some(()));
                let counted = lines.into_iter().map(|(owner, units)| {
                    let count = u64::try_from(units.len()).unwrap_or(u64::MAX);
                    (owner, count)
                });
                contract::mint_batch_by_quantity(&counted.collect::<Vec<_>>())
            }
            Lot::ToMany => contract::safe_mint_many(&self.stacks()),
            Lot::ToOne(_) => match self.stacks().as_slice() {
                [stack] => contract::safe_mint_batch(stack),
                stacks => contract::safe_mint_many(stacks),
            },
        }
    }

    fn stacks(&self) -> Vec<Stack> {
        let lines = self.lines(|request| Some((request.token_id?.amount(), request.amount)));
        let stacks = lines.into_iter().map(|(recipient, tokens)| Stack { recipient, tokens });
        stacks.collect()
    }

    /// One line per owner.
    fn lines<T>(&self, part: impl Fn(&MintRequest) -> Option<T>) -> Vec<(Address, Vec<T>)> {
        let mut lines: Vec<(Address, Vec<T>)> = Vec::new();
        for request in &self.requests {
            let Some(value) = part(request) else { continue };
            match lines.last_mut().filter(|(owner, _)| *owner == request.owner) {
                Some((_, values)) => values.push(value),
                None => lines.push((request.owner, vec![value])),
            }
        }
        lines
    }
}

/// Which token each request got, as the logs of its transaction say: every request exactly one, and no mint of this
/// collection left over. `requests` are in the order of the transaction's lines. The error is for a person.
pub(in crate::settlement) fn minted(
    contract: Address,
    requests: &[MintRequest],
    transfers: &[TokenTransfer],
    gas_used: u64,
) -> Result<Vec<Minted>, String> {
    let mut mints: HashMap<(Address, Amount, Option<TokenId>), VecDeque<Moved>> = HashMap::new();
    let mut left: usize = 0;
    let of_contract = transfers
        .iter()
        .filter(|one| one.collection == contract && one.from.is_zero());
    let asks_for = |request: &MintRequest| match request.kind {
        MintKind::ById | MintKind::Amounts => request.token_id,
        MintKind::ByQuantity => None,
    };
    let by_quantity = requests.iter().any(|request| request.kind == MintKind::ByQuantity);
    for transfer in of_contract {
        let moved = moved(transfer);
        let token_id = (!by_quantity).then_some(moved.token_id);
        mints
            .entry((moved.to, moved.amount, token_id))
            .or_default()
            .push_back(moved);
        left = left.saturating_add(1);
    }
    let share = share_of(gas_used, requests.len());
    let mut minted = Vec::with_capacity(requests.len());
    for request in requests {
        let sequence = request.sequence.ok_or("a mint request without an operation was sent")?;
        let key = (request.owner, request.amount, asks_for(request));
        let moved = mints.get_mut(&key).and_then(VecDeque::pop_front);
        let moved = moved.ok_or_else(|| {
            format!(
                "the receipt shows no mint of {} to {} for operation {sequence}",
                request.amount, request.owner
            )
        })?;
        left = left.saturating_sub(1);
        minted.push(Minted {
            sequence,
            moved,
            gas: share,
        });
    }
    match left {
        0 => Ok(minted),
        left => Err(format!("the receipt shows {left} mints that nobody asked for")),
    }
}

/// Rounded up: the shares of a transaction are together no less than it cost.
fn share_of(gas_used: u64, requests: usize) -> i64 {
    let requests = u64::try_from(requests).unwrap_or(u64::MAX).max(1);
    i64::try_from(gas_used.div_ceil(requests)).unwrap_or(i64::MAX)
}

pub(super) fn moved(transfer: &TokenTransfer) -> Moved {
    Moved {
        from: transfer.from,
        to: transfer.to,
        token_id: TokenId::from(transfer.token_id),
        amount: transfer.amount,
        place: Place {
            transaction: transfer.transaction,
            block: transfer.block_number,
            block_hash: transfer.block_hash,
            transaction_index: transfer.transaction_index,
            log_index: transfer.index,
            position: transfer.position,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::{Minting, Profile, RequestStatus, Verification};
    use crate::types::{Hash32, MintRequestId, ReferenceId, Timestamp, UserId};

    const CONTRACT: Address = Address::from_bytes([9; 20]);
    const A: Address = Address::from_bytes([1; 20]);
    const B: Address = Address::from_bytes([2; 20]);

    fn collection(minting: Minting, many: bool) -> Collection {
        Collection {
            id: AssetId::generate(),
            address: CONTRACT,
            environment: None,
            minting,
            many,
            adopted: !many,
            owner: Address::ZERO,
            number: None,
            profile: Profile::default(),
            metadata_api_url: None,
            verification: Verification::Unverified,
            policy: None,
            created_by: UserId::NOBODY,
            indexed_at: Timestamp::from_seconds(1),
            updated_at: Timestamp::from_seconds(1),
            metadata_synced_at: None,
        }
    }

    fn request(sequence: i64, kind: MintKind, owner: Address, token_id: Option<u64>, amount: u64) -> MintRequest {
        MintRequest {
            id: MintRequestId::generate(),
            collection: AssetId::generate(),
            reference: ReferenceId::parse("r").unwrap(),
            sequence: Some(sequence),
            environment: None,
            requested_by: UserId::NOBODY,
            kind,
            owner,
            token_id: token_id.map(|id| TokenId::from(Amount::from(id))),
            amount: Amount::from(amount),
            metadata: None,
            status: RequestStatus::Pending,
            error: None,
            transaction: None,
            activity: None,
            gas: None,
            created_at: Timestamp::from_seconds(1),
            updated_at: Timestamp::from_seconds(1),
        }
    }

    fn log(index: u64, to: Address, token_id: u64, amount: u64) -> TokenTransfer {
        TokenTransfer {
            collection: CONTRACT,
            from: Address::ZERO,
            to,
            token_id: Amount::from(token_id),
            amount: Amount::from(amount),
            transaction: Hash32::ZERO,
            transaction_index: 0,
            block_number: 1,
            block_hash: Hash32::ZERO,
            index,
            position: 0,
        }
    }

    fn numbers(batches: &[Batch]) -> Vec<Vec<i64>> {
        batches.iter().map(Batch::numbers).collect()
    }

    fn tokens(minted: &[Minted]) -> Vec<(i64, String)> {
        let pairs = minted.iter().map(|one| (one.sequence, one.moved.token_id.to_string()));
        pairs.collect()
    }

    #[test]
    fn requests_with_ids_and_without_go_in_two_transactions_each_grouped_by_owner() {
        let requests = vec![
            request(1, MintKind::ById, A, Some(1), 1),
            request(2, MintKind::ByQuantity, B, None, 1),
            request(3, MintKind::ByQuantity, A, None, 1),
            request(4, MintKind::ById, B, Some(4), 1),
            request(5, MintKind::ByQuantity, B, None, 1),
        ];

        let batches = batches(&collection(Minting::Hybrid, false), requests);

        assert_eq!(numbers(&batches), [vec![1, 4], vec![3, 2, 5]]);
        assert_eq!(
            batches[0].calldata(),
            contract::mint_batch(&[(A, vec![Amount::from(1)]), (B, vec![Amount::from(4)])])
        );
        assert_eq!(
            batches[1].calldata(),
            contract::mint_batch_by_quantity(&[(A, 1), (B, 2)])
        );
    }

    #[test]
    fn amounts_go_to_many_where_the_contract_can_and_else_to_one_owner_each() {
        let requests = vec![
            request(1, MintKind::Amounts, A, Some(7), 5),
            request(2, MintKind::Amounts, B, Some(7), 6),
            request(3, MintKind::Amounts, A, Some(8), 1),
        ];
        let stack = |recipient, tokens: &[(u64, u64)]| Stack {
            recipient,
            tokens: tokens
                .iter()
                .map(|(id, amount)| (Amount::from(*id), Amount::from(*amount)))
                .collect(),
        };

        let ours = batches(&collection(Minting::Amounts, true), requests.clone());
        let preset = batches(&collection(Minting::Amounts, false), requests);

        assert_eq!(numbers(&ours), [vec![1, 3, 2]]);
        let stacks = [stack(A, &[(7, 5), (8, 1)]), stack(B, &[(7, 6)])];
        assert_eq!(ours[0].calldata(), contract::safe_mint_many(&stacks));
        assert_eq!(numbers(&preset), [vec![1, 3], vec![2]]);
        assert_eq!(preset[0].calldata(), contract::safe_mint_batch(&stacks[0]));
    }

    /// As Immutable's second hybrid preset gives them: each owner begins at a group of its own.
    #[test]
    fn ids_by_quantity_are_those_of_the_logs_also_where_they_are_not_consecutive() {
        let requests = [
            request(3, MintKind::ByQuantity, A, None, 1),
            request(2, MintKind::ByQuantity, B, None, 1),
            request(5, MintKind::ByQuantity, B, None, 1),
        ];
        let logs = [log(4, A, 256, 1), log(5, B, 512, 1), log(6, B, 513, 1)];

        let minted = minted(CONTRACT, &requests, &logs, 1_000).unwrap();

        let expected = [(3, "256"), (2, "512"), (5, "513")].map(|(n, id)| (n, id.to_owned()));
        assert_eq!(tokens(&minted), expected);
        assert_eq!(minted[0].gas, 334);
    }

    #[test]
    fn two_amounts_of_one_token_to_one_owner_are_two_mints() {
        let requests = [
            request(1, MintKind::Amounts, A, Some(7), 5),
            request(2, MintKind::Amounts, A, Some(7), 5),
        ];
        let logs = [log(4, A, 7, 5), log(5, A, 7, 5)];

        let minted = minted(CONTRACT, &requests, &logs, 10).unwrap();

        assert_ne!(minted[0].moved.place, minted[1].moved.place);
    }

    #[test]
    fn a_receipt_that_shows_something_else_is_told() {
        let requests = [request(1, MintKind::ById, A, Some(1), 1)];
        let of = |logs: &[TokenTransfer]| minted(CONTRACT, &requests, logs, 10).err();

        assert!(of(&[]).unwrap().contains("no mint"));
        assert!(of(&[log(1, B, 1, 1)]).is_some());
        assert!(of(&[log(1, A, 2, 1)]).is_some());
        assert!(
            of(&[log(1, A, 1, 1), log(2, B, 2, 1)])
                .unwrap()
                .contains("nobody asked for")
        );
        // What the token did next, and what other contracts did, is no matter of this mint.
        let onwards = TokenTransfer {
            from: A,
            ..log(2, B, 1, 1)
        };
        let elsewhere = TokenTransfer {
            collection: B,
            ..log(3, A, 9, 1)
        };
        assert_eq!(of(&[log(1, A, 1, 1), onwards, elsewhere]), None);
    }
}
