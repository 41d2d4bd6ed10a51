//! What a contract says about itself, before it is taken for a token of ours: any ERC-3643 token can be.

use serde_json::json;

use super::contracts::{registry, returned, token};
use super::failure::Failure;
use super::model::{Call, Revert};
use super::node::Question;
use super::rpc::Rpc;
use super::trial::At;
use super::wire;
use crate::types::{Address, Amount};

/// One reading of a token, all of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    pub name: String,
    pub symbol: String,
    pub decimals: u8,
    pub total_supply: Amount,
    pub paused: bool,
    pub identity_registry: Address,
    pub compliance: Address,
    /// None where the token does not say.
    pub owner: Option<Address>,
    /// Our signer may mint.
    pub is_agent: bool,
    /// Our signer may register identities with the token's registry.
    pub is_registry_agent: bool,
}

/// Why a contract is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    #[error("there is no contract at {0}")]
    NoContract(Address),
    #[error("it is no ERC-3643 token: {contract} does not answer {function} as one does")]
    Lacks { contract: Address, function: &'static str },
}

impl TokenFacts {
    /// The transaction that makes `signer` an agent of the token; its owner sends it.
    pub fn grant(&self, contract: &Address, signer: &Address) -> Call {
        Call {
            from: self.owner.unwrap_or(Address::ZERO),
            to: *contract,
            data: token::add_agent(*signer),
        }
    }
}

/// Reads what adoption needs, and that the contract has the shape of ERC-3643. `signer` is who would mint.
pub async fn inspect(rpc: &Rpc, contract: &Address, signer: &Address) -> Result<Result<TokenFacts, NoToken>, Failure> {
    if rpc.code(contract).await?.is_empty() {
        return Ok(Err(NoToken::NoContract(*contract)));
    }
    let questions = [
        token::name(),
        token::symbol(),
        token::decimals(),
        token::total_supply(),
        token::paused(),
        token::identity_registry(),
        token::compliance(),
        token::is_agent(*signer),
        token::owner(),
        // Asked for their shape: without them freezes and recoveries could not be mirrored.
        token::is_frozen(*signer),
        token::frozen_tokens(*signer),
    ];
    let calls = questions.map(|data| call(signer, contract, data));
    let token = Answers {
        contract: *contract,
        answers: rpc.call_many(&calls, At::Latest).await?,
    };
    let facts = match token.facts() {
        Ok(facts) => facts,
        Err(missing) => return Ok(Err(missing)),
    };
    with_registry(rpc, signer, facts).await
}

/// The block in which a contract was created: none when it is not there in block `at`.
///
/// `Refused` (or whatever the node says) when it does not keep the states of old blocks.
pub async fn first_block(rpc: &Rpc, contract: &Address, at: u64) -> Result<Option<u64>, Failure> {
    if !has_code(rpc, contract, at).await? {
        return Ok(None);
    }
    // The code is there in `there` and was not below `above`.
    let (mut above, mut there) = (0, at);
    while above < there {
        let middle = above.saturating_add(there.saturating_sub(above) / 2);
        match has_code(rpc, contract, middle).await? {
            true => there = middle,
            false => above = middle.saturating_add(1),
        }
    }
    Ok(Some(there))
}

async fn has_code(rpc: &Rpc, contract: &Address, block: u64) -> Result<bool, Failure> {
    let question = Question::new("eth_getCode", json!([contract.to_lower_hex(), At::Block(block).tag()]));
    let code = rpc.read_one(question, wire::bytes).await?;
    Ok(!code.is_empty())
}

/// The registry must answer as one, and says whether we may write into it.
async fn with_registry(rpc: &Rpc, signer: &Address, facts: TokenFacts) -> Result<Result<TokenFacts, NoToken>, Failure> {
    let contract = facts.identity_registry;
    let questions = [
        registry::is_verified(*signer),
        registry::identity(*signer),
        registry::is_agent(*signer),
    ];
    let calls = questions.map(|data| call(signer, &contract, data));
    let answers = Answers {
        contract,
        answers: rpc.call_many(&calls, At::Latest).await?,
    };
    let has_shape = answers
        .read(0, "isVerified(address)", returned::flag)
        .and_then(|_| answers.read(1, "identity(address)", returned::address));
    Ok(has_shape.map(|_| TokenFacts {
        // A registry without agents is filled by somebody else.
        is_registry_agent: answers.read(2, "isAgent(address)", returned::flag).unwrap_or(false),
        ..facts
    }))
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
    fn read<T>(
        &self,
        place: usize,
        function: &'static str,
        understand: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, NoToken> {
        let answer = self.answers.get(place).and_then(|answer| answer.as_ref().ok());
        answer.and_then(|data| understand(data)).ok_or(NoToken::Lacks {
            contract: self.contract,
            function,
        })
    }

    fn facts(&self) -> Result<TokenFacts, NoToken> {
        let small = |data: &[u8]| returned::number(data).and_then(|number| u8::try_from(number).ok());
        self.read(9, "isFrozen(address)", returned::flag)?;
        self.read(10, "getFrozenTokens(address)", returned::amount)?;
        Ok(TokenFacts {
            name: self.read(0, "name()", returned::text)?,
            symbol: self.read(1, "symbol()", returned::text)?,
            decimals: self.read(2, "decimals()", small)?,
            total_supply: self.read(3, "totalSupply()", returned::amount)?,
            paused: self.read(4, "paused()", returned::flag)?,
            identity_registry: self.read(5, "identityRegistry()", returned::address)?,
            compliance: self.read(6, "compliance()", returned::address)?,
            is_agent: self.read(7, "isAgent(address)", returned::flag)?,
            owner: self.read(8, "owner()", returned::address).ok(),
            is_registry_agent: false,
        })
    }
}
