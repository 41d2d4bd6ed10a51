use crate::asset;
use crate::chain::contracts::{collection as contract, returned, token};
use crate::chain::{At, Call, Revert, Rpc};
use crate::collection::{self, ContractType, OwnerFilter, Ownership, Window};
use crate::db::Tx;
use crate::error::Error;
use crate::settlement::model::Token;
use crate::types::{Address, Amount, TokenId};

/// Questions of one request to the node.
const CALLS_MAX: usize = 200;
/// Who has what is compared for so many of a collection, the newest; its supply says whether the rest can be right.
const COMPARED_MAX: i64 = 2_000;

/// What the contract of a collection should say.
pub(in crate::settlement) struct Expected {
    contract: Address,
    questions: Vec<Question>,
}

/// One question with the answer that the register gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Supply(Amount),
    /// ERC-721.
    Owner(TokenId, Address),
    /// ERC-1155.
    Balance(Address, TokenId, Amount),
}

/// Read in the snapshot of the books.
pub(in crate::settlement) fn expected(tx: &mut Tx<'_>, token: &Token) -> Result<Expected, Error> {
    let collection = collection::find(tx, token.asset)?;
    let supply = asset::find(tx, token.asset)?.supply;
    let filter = OwnerFilter {
        collection: Some(token.asset),
        ..OwnerFilter::default()
    };
    let held = collection::owners(tx, &filter, &Window::first(COMPARED_MAX))?.items;
    let standard = collection.contract_type();
    // Neither standard counts; an ERC-1155 that is not ours counts by id, if at all.
    let counts = !collection.adopted || standard == ContractType::Erc721;
    let mut questions: Vec<Question> = counts.then_some(Question::Supply(supply)).into_iter().collect();
    questions.extend(held.iter().map(|one| Question::about(standard, one)));
    Ok(Expected {
        contract: token.address,
        questions,
    })
}

/// One sentence per difference.
pub(in crate::settlement) async fn compare(rpc: &Rpc, expected: &Expected, block: u64) -> Result<Vec<String>, Error> {
    let mut drift = Vec::new();
    for part in expected.questions.chunks(CALLS_MAX) {
        let calls: Vec<Call> = part.iter().map(|question| question.call(expected.contract)).collect();
        let answers = rpc.call_many(&calls, At::Block(block)).await?;
        let pairs = part.iter().zip(&answers);
        drift.extend(pairs.filter_map(|(question, answer)| question.difference(answer)));
    }
    let name = expected.contract;
    Ok(drift
        .into_iter()
        .map(|what| format!("collection {name} at block {block}: {what}"))
        .collect())
}

impl Question {
    fn about(standard: ContractType, held: &Ownership) -> Self {
        match standard {
            ContractType::Erc721 => Self::Owner(held.token_id, held.account),
            ContractType::Erc1155 => Self::Balance(held.account, held.token_id, held.balance),
        }
    }

    fn call(&self, to: Address) -> Call {
        let data = match self {
            Self::Supply(_) => token::total_supply(),
            Self::Owner(token_id, _) => contract::owner_of(token_id.amount()),
            Self::Balance(account, token_id, _) => contract::balance_of_1155(*account, token_id.amount()),
        };
        Call {
            from: Address::ZERO,
            to,
            data,
        }
    }

    fn difference(&self, answer: &Result<Vec<u8>, Revert>) -> Option<String> {
        let data = match answer {
            Ok(data) => data,
            Err(revert) => return Some(format!("{} cannot be asked: {}", self.what(), revert.reason)),
        };
        let (chain, ours) = match self {
            Self::Supply(amount) | Self::Balance(_, _, amount) => (
                returned::amount(data).map(|found| found.to_string()),
                amount.to_string(),
            ),
            Self::Owner(_, owner) => (
                returned::address(data).map(|found| found.to_string()),
                owner.to_string(),
            ),
        };
        if chain.as_ref() == Some(&ours) {
            return None;
        }
        let chain = chain.unwrap_or_else(|| "something else".to_owned());
        Some(format!("{} is {chain} on the chain and {ours} here", self.what()))
    }

    fn what(&self) -> String {
        match self {
            Self::Supply(_) => "the supply".to_owned(),
            Self::Owner(token_id, _) => format!("the owner of token {token_id}"),
            Self::Balance(account, token_id, _) => format!("what {account} has of token {token_id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_both_sides_and_what_agrees_is_not_told() {
        let owner = Address::from_bytes([7; 20]);
        let token_id = TokenId::from(Amount::from(9));
        let says = |low: &[u8]| Ok([vec![0; 32 - low.len()], low.to_vec()].concat());
        let question = Question::Owner(token_id, owner);

        assert_eq!(question.difference(&says(&[7; 20])), None);
        let other = Address::from_bytes([8; 20]);
        assert_eq!(
            question.difference(&says(&[8; 20])).unwrap(),
            format!("the owner of token 9 is {other} on the chain and {owner} here")
        );
        assert_eq!(Question::Supply(Amount::from(5)).difference(&says(&[5])), None);
        let balance = Question::Balance(owner, token_id, Amount::from(5));
        assert!(balance.difference(&says(&[4])).is_some());
        assert!(balance.difference(&Ok(Vec::new())).unwrap().contains("something else"));
    }
}
