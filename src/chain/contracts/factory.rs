//! Creation. Every address follows from the factory's address and a salt, so it is known before anything is deployed
//! (EIP-1014); tokens and collections are clones of implementations (ERC-1167). Each call is safe to repeat: with the same
//! parameters the second one changes nothing.

use ethers_core::abi::AbiEncode;
use ethers_core::utils::get_contract_address;

use super::bindings::factory::*;
use super::bindings::{address, erc721, erc1155, token, uint};
use super::token::Switch;
use crate::types::{Address, Amount, Hash32, keccak256};

/// What a token is created with. It begins paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    pub name: String,
    pub symbol: String,
    pub decimals: u8,
    /// None is no cap.
    pub cap: Option<Amount>,
    pub identity_registry: Address,
    /// The token's own identity; zero for none.
    pub onchain_id: Address,
    /// Who names agents and changes settings.
    pub owner: Address,
    pub agent: Address,
    pub holder_transfers: Switch,
}

/// What a collection is created with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCollection {
    pub name: String,
    pub symbol: String,
    pub base_uri: String,
    pub contract_uri: String,
    pub owner: Address,
    pub minter: Address,
}

/// What is cloned. Their code takes no arguments, so where they are follows from the factory alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    Token,
    Erc721,
    Erc1155,
}

impl Implementation {
    pub const ALL: [Self; 3] = [Self::Token, Self::Erc721, Self::Erc1155];

    fn code(self) -> &'static [u8] {
        match self {
            Self::Token => &token::MONEYERTOKEN_BYTECODE,
            Self::Erc721 => &erc721::MONEYERERC721_BYTECODE,
            Self::Erc1155 => &erc1155::MONEYERERC1155_BYTECODE,
        }
    }

    /// Where [`Self::deploy`] puts it.
    pub fn address(self, factory: &Address) -> Address {
        Address::create2(factory, &Hash32::ZERO, &keccak256(self.code()))
    }

    /// The transaction by which the factory deploys it.
    pub fn deploy(self) -> Vec<u8> {
        DeployCall {
            salt: *Hash32::ZERO.as_bytes(),
            init_code: self.code().to_vec().into(),
        }
        .encode()
    }

    /// Where the factory puts the clone of this salt.
    pub fn clone_address(self, factory: &Address, salt: &Hash32) -> Address {
        let implementation = self.address(factory);
        let code = [
            CLONE_BEFORE.as_slice(),
            implementation.as_bytes(),
            CLONE_AFTER.as_slice(),
        ]
        .concat();
        Address::create2(factory, salt, &keccak256(&code))
    }
}

/// The creation code of a minimal proxy (ERC-1167) before and after the address that it serves.
const CLONE_BEFORE: [u8; 20] = [
    0x3d, 0x60, 0x2d, 0x80, 0x60, 0x0a, 0x3d, 0x39, 0x81, 0xf3, 0x36, 0x3d, 0x3d, 0x37, 0x3d, 0x3d, 0x3d, 0x36, 0x3d,
    0x73,
];
const CLONE_AFTER: [u8; 15] = [
    0x5a, 0xf4, 0x3d, 0x82, 0x80, 0x3e, 0x90, 0x3d, 0x91, 0x60, 0x2b, 0x57, 0xfd, 0x5b, 0xf3,
];

/// What is sent without a recipient to create the factory itself.
pub fn creation_code(owner: Address) -> Vec<u8> {
    let arguments = address(&owner).encode();
    [MONEYERFACTORY_BYTECODE.as_ref(), &arguments].concat()
}

/// Where a contract is that `sender` creates with its transaction of this nonce: keccak256 of the RLP of both.
pub fn created_address(sender: &Address, nonce: u64) -> Address {
    Address::from_bytes(get_contract_address(address(sender), nonce).0)
}

/// Deploys any code, arguments included.
pub fn deploy(salt: &Hash32, creation_code: &[u8]) -> Vec<u8> {
    DeployCall {
        salt: *salt.as_bytes(),
        init_code: creation_code.to_vec().into(),
    }
    .encode()
}

/// Where [`deploy`] puts it.
pub fn deployed_address(factory: &Address, salt: &Hash32, creation_code: &[u8]) -> Address {
    Address::create2(factory, salt, &keccak256(creation_code))
}

/// Names the three implementations, for good.
pub fn set_implementations(factory: &Address) -> Vec<u8> {
    let at = |implementation: Implementation| address(&implementation.address(factory));
    SetImplementationsCall {
        token: at(Implementation::Token),
        erc_721: at(Implementation::Erc721),
        erc_1155: at(Implementation::Erc1155),
    }
    .encode()
}

/// An address; zero until the implementations are named.
pub fn token_implementation() -> Vec<u8> {
    TokenImplementationCall {}.encode()
}

pub fn create_token(salt: &Hash32, new: &NewToken) -> Vec<u8> {
    CreateTokenCall {
        salt: *salt.as_bytes(),
        parameters: TokenParameters {
            name: new.name.clone(),
            symbol: new.symbol.clone(),
            decimals: new.decimals,
            cap: uint(new.cap.unwrap_or(Amount::ZERO)),
            identity_registry: address(&new.identity_registry),
            onchain_id: address(&new.onchain_id),
            owner: address(&new.owner),
            agent: address(&new.agent),
            holder_transfers: new.holder_transfers == Switch::On,
        },
    }
    .encode()
}

pub fn create_collection_721(salt: &Hash32, new: &NewCollection) -> Vec<u8> {
    CreateCollection721Call {
        salt: *salt.as_bytes(),
        parameters: collection_parameters(new),
    }
    .encode()
}

pub fn create_collection_1155(salt: &Hash32, new: &NewCollection) -> Vec<u8> {
    CreateCollection1155Call {
        salt: *salt.as_bytes(),
        parameters: collection_parameters(new),
    }
    .encode()
}

fn collection_parameters(new: &NewCollection) -> CollectionParameters {
    CollectionParameters {
        name: new.name.clone(),
        symbol: new.symbol.clone(),
        base_uri: new.base_uri.clone(),
        contract_uri: new.contract_uri.clone(),
        owner: address(&new.owner),
        minter: address(&new.minter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_created_by_a_transaction_is_the_known_one() {
        let sender = Address::parse("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0").unwrap();

        assert_eq!(
            created_address(&sender, 0).to_lower_hex(),
            "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
        );
        assert_eq!(
            created_address(&sender, 1).to_lower_hex(),
            "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"
        );
    }

    #[test]
    fn another_salt_another_factory_or_another_kind_is_another_address() {
        let (factory, other) = (Address::from_bytes([1; 20]), Address::from_bytes([2; 20]));
        let (salt, pepper) = (Hash32::from_bytes([3; 32]), Hash32::from_bytes([4; 32]));
        let addresses = [
            Implementation::Token.clone_address(&factory, &salt),
            Implementation::Token.clone_address(&factory, &pepper),
            Implementation::Token.clone_address(&other, &salt),
            Implementation::Erc721.clone_address(&factory, &salt),
            Implementation::Erc1155.clone_address(&factory, &salt),
            Implementation::Token.address(&factory),
        ];

        let distinct: std::collections::HashSet<Address> = addresses.into_iter().collect();

        assert_eq!(distinct.len(), addresses.len());
    }
}
