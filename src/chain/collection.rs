//! What a contract says about itself, before it is taken for a collection of ours: any contract with the minting functions
//! of Immutable's presets can be.

use super::contracts::{collection, returned, token};
use super::failure::Failure;
use super::model::{Call, Revert};
use super::rpc::Rpc;
use super::trial::At;
use crate::types::{Address, Amount};

/// The standard that a contract says it follows (ERC-165).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    Erc721,
    Erc1155,
}

/// One reading of a collection, all of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionFacts {
    pub standard: Standard,
    pub name: Option<String>,
    pub symbol: Option<String>,
    pub base_uri: Option<String>,
    pub contract_uri: Option<String>,
    /// Its administrator; none where the contract does not say.
    pub owner: Option<Address>,
    /// ERC-721: it gives ids by itself, too.
    pub by_quantity: bool,
    /// How many tokens there are; none where the contract does not count.
    pub total_supply: Option<Amount>,
    /// Our signer may mint.
    pub is_minter: bool,
}

/// Why a contract is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCollection {
    #[error("there is no contract at {0}")]
    NoContract(Address),
    #[error("{0} says of neither ERC-721 nor ERC-1155 that it follows it (ERC-165)")]
    NoStandard(Address),
    #[error("{contract} does not answer {function} as a collection does that we can mint into")]
    Lacks { contract: Address, function: &'static str },
}

impl CollectionFacts {
    /// The transaction that lets `signer` mint; the administrator sends it.
    pub fn grant(&self, contract: &Address, signer: &Address) -> Call {
        Call {
            from: self.owner.unwrap_or(Address::ZERO),
            to: *contract,
            data: collection::grant_minter_role(*signer),
        }
    }
}

/// Reads what adoption needs. `signer` is who would mint; with its role the minting function is tried, too.
pub async fn inspect(
    rpc: &Rpc,
    contract: &Address,
    signer: &Address,
) -> Result<Result<CollectionFacts, NoCollection>, Failure> {
    if rpc.code(contract).await?.is_empty() {
        return Ok(Err(NoCollection::NoContract(*contract)));
    }
    let questions = [
        collection::supports_interface(collection::ERC721_INTERFACE),
        collection::supports_interface(collection::ERC1155_INTERFACE),
        token::name(),
        token::symbol(),
        collection::base_uri(),
        collection::contract_uri(),
        token::owner(),
        collection::by_quantity_threshold(),
        token::total_supply(),
        collection::is_minter(*signer),
        collection::admins(),
    ];
    let calls = questions.map(|data| call(signer, contract, data));
    let answers = Answers {
        contract: *contract,
        answers: rpc.call_many(&calls, At::Latest).await?,
    };
    let facts = match answers.facts() {
        Ok(facts) => facts,
        Err(missing) => return Ok(Err(missing)),
    };
    if !facts.is_minter {
        return Ok(Ok(facts));
    }
    let (function, data) = minting(facts.standard, signer);
    Ok(match rpc.call(&call(signer, contract, data)).await? {
        Ok(_) => Ok(facts),
        Err(_) => Err(NoCollection::Lacks {
            contract: *contract,
            function,
        }),
    })
}

/// Whether the contract calls `account` its administrator (AccessControl) or its owner (ERC-173) in that state. None where
/// there is no contract now.
///
/// Errors: also `Malformed` for a contract that answers neither question, such as a proxy in the middle of an upgrade, or
/// one that was not there yet: what it says of nobody is no reason to take anything from somebody.
pub async fn is_owned_by(rpc: &Rpc, contract: &Address, account: &Address, at: At) -> Result<Option<bool>, Failure> {
    let questions = [collection::is_admin(*account), token::owner()];
    let calls = questions.map(|data| call(account, contract, data));
    let answers = Answers {
        contract: *contract,
        answers: rpc.call_many(&calls, at).await?,
    };
    let (is_admin, owner) = (answers.read(0, returned::flag), answers.read(1, returned::address));
    if is_admin == Some(true) || owner == Some(*account) {
        return Ok(Some(true));
    }
    if is_admin.is_some() || owner.is_some() {
        return Ok(Some(false));
    }
    match rpc.code(contract).await?.is_empty() {
        true => Ok(None),
        false => Err(Failure::Malformed {
            endpoint: contract.to_string(),
            reason: "it answers neither hasRole(bytes32,address) nor owner()".to_owned(),
        }),
    }
}

/// A mint of nothing, which a contract with the function allows.
fn minting(standard: Standard, signer: &Address) -> (&'static str, Vec<u8>) {
    match standard {
        Standard::Erc721 => ("mintBatch((address,uint256[])[])", collection::mint_batch(&[])),
        Standard::Erc1155 => {
            let nothing = collection::Stack {
                recipient: *signer,
                tokens: Vec::new(),
            };
            (
                "safeMintBatch(address,uint256[],uint256[],bytes)",
                collection::safe_mint_batch(&nothing),
            )
        }
    }
}

fn call(from: &Address, to: &Address, data: Vec<u8>) -> Call {
    Call {
        from: *from,
        to: *to,
        data,
    }
}

struct Answers {
    contract: Address,
    answers: Vec<Result<Vec<u8>, Revert>>,
}

impl Answers {
    fn read<T>(&self, place: usize, understand: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let answer = self.answers.get(place)?.as_ref().ok()?;
        understand(answer)
    }

    fn facts(&self) -> Result<CollectionFacts, NoCollection> {
        let says = |place: usize| self.read(place, returned::flag) == Some(true);
        let standard = match (says(0), says(1)) {
            (true, _) => Standard::Erc721,
            (false, true) => Standard::Erc1155,
            (false, false) => return Err(NoCollection::NoStandard(self.contract)),
        };
        Ok(CollectionFacts {
            standard,
            name: self.read(2, returned::text),
            symbol: self.read(3, returned::text),
            base_uri: self.read(4, returned::text),
            contract_uri: self.read(5, returned::text),
            owner: self
                .read(10, returned::first_address)
                .or_else(|| self.read(6, returned::address)),
            by_quantity: standard == Standard::Erc721 && self.read(7, returned::amount).is_some(),
            total_supply: self.read(8, returned::amount),
            is_minter: self.read(9, returned::flag).ok_or(NoCollection::Lacks {
                contract: self.contract,
                function: "hasRole(bytes32,address)",
            })?,
        })
    }
}
