//! Collections: ERC-721 and ERC-1155 with the minting functions of Immutable's presets, and a batch for many recipients
//! of an ERC-1155 that is ours.

use ethers_core::abi::{AbiEncode, Token, encode};

use super::bindings::{address, erc721, erc1155, uint};
use crate::types::{Address, Amount, keccak256};

/// One recipient of an ERC-1155 batch: amounts by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    pub recipient: Address,
    pub tokens: Vec<(Amount, Amount)>,
}

/// ERC-721: the named ids to each recipient. Ids are below 2^128.
pub fn mint_batch(lines: &[(Address, Vec<Amount>)]) -> Vec<u8> {
    let lines = lines.iter().map(|(recipient, ids)| erc721::MintById {
        to: address(recipient),
        token_ids: ids.iter().map(|id| uint(*id)).collect(),
    });
    erc721::MintBatchCall { lines: lines.collect() }.encode()
}

/// ERC-721: the next ids in order, so many to each recipient.
pub fn mint_batch_by_quantity(lines: &[(Address, u64)]) -> Vec<u8> {
    let lines = lines.iter().map(|(recipient, quantity)| erc721::MintByQuantity {
        to: address(recipient),
        quantity: (*quantity).into(),
    });
    erc721::MintBatchByQuantityCall { lines: lines.collect() }.encode()
}

/// ERC-721, an amount: the first id that the next mint by quantity gives.
pub fn next_token_id() -> Vec<u8> {
    erc721::MintBatchByQuantityNextTokenIdCall {}.encode()
}

/// ERC-721: one token, to a contract only when it takes such tokens.
pub fn safe_transfer_721(from: Address, to: Address, token_id: Amount) -> Vec<u8> {
    // The function has two forms; the binding of this one has a name of its own that depends on their order.
    let arguments = encode(&[
        Token::Address(address(&from)),
        Token::Address(address(&to)),
        Token::Uint(uint(token_id)),
    ]);
    let hash = keccak256(b"safeTransferFrom(address,address,uint256)");
    let selector = hash.as_bytes().iter().take(4).copied();
    selector.chain(arguments).collect()
}

/// ERC-1155: an amount of one id, to a contract only when it takes such tokens.
pub fn safe_transfer_1155(from: Address, to: Address, token_id: Amount, amount: Amount) -> Vec<u8> {
    erc1155::SafeTransferFromCall {
        from: address(&from),
        to: address(&to),
        id: uint(token_id),
        value: uint(amount),
        data: Default::default(),
    }
    .encode()
}

/// ERC-721, an address; the call is reverted while the id has no owner.
pub fn owner_of(token_id: Amount) -> Vec<u8> {
    let token_id = uint(token_id);
    erc721::OwnerOfCall { token_id }.encode()
}

/// ERC-1155: an amount of one id.
pub fn safe_mint(recipient: Address, token_id: Amount, amount: Amount) -> Vec<u8> {
    erc1155::SafeMintCall {
        to: address(&recipient),
        id: uint(token_id),
        value: uint(amount),
        data: Default::default(),
    }
    .encode()
}

/// ERC-1155: several ids to one recipient.
pub fn safe_mint_batch(stack: &Stack) -> Vec<u8> {
    let line = line(stack);
    erc1155::SafeMintBatchCall {
        to: line.to,
        ids: line.ids,
        values: line.values,
        data: Default::default(),
    }
    .encode()
}

/// ERC-1155 of ours: many recipients at once.
pub fn safe_mint_many(stacks: &[Stack]) -> Vec<u8> {
    erc1155::SafeMintManyCall {
        lines: stacks.iter().map(line).collect(),
        data: Default::default(),
    }
    .encode()
}

fn line(stack: &Stack) -> erc1155::MintTo {
    let (ids, values) = stack
        .tokens
        .iter()
        .map(|(id, amount)| (uint(*id), uint(*amount)))
        .unzip();
    erc1155::MintTo {
        to: address(&stack.recipient),
        ids,
        values,
    }
}

/// ERC-1155, an amount.
pub fn balance_of_1155(holder: Address, token_id: Amount) -> Vec<u8> {
    erc1155::BalanceOfCall {
        account: address(&holder),
        id: uint(token_id),
    }
    .encode()
}

/// ERC-165: the interface of ERC-721.
pub const ERC721_INTERFACE: [u8; 4] = [0x80, 0xac, 0x58, 0xcd];
/// ERC-165: the interface of ERC-1155.
pub const ERC1155_INTERFACE: [u8; 4] = [0xd9, 0xb6, 0x7a, 0x26];

/// ERC-165, a flag.
pub fn supports_interface(interface_id: [u8; 4]) -> Vec<u8> {
    erc721::SupportsInterfaceCall { interface_id }.encode()
}

/// A text.
pub fn base_uri() -> Vec<u8> {
    erc721::BaseURICall {}.encode()
}

/// A text.
pub fn contract_uri() -> Vec<u8> {
    erc721::ContractURICall {}.encode()
}

/// ERC-721, an amount: where the ids begin that are given by quantity. A contract that mints by id alone has none.
pub fn by_quantity_threshold() -> Vec<u8> {
    erc721::MintBatchByQuantityThresholdCall {}.encode()
}

/// Immutable's presets, a list of addresses: who may grant roles. Ours do not list them.
pub fn admins() -> Vec<u8> {
    let hash = keccak256(b"getAdmins()");
    hash.as_bytes().iter().take(4).copied().collect()
}

/// Both kinds: lets `account` mint. The collection's administrator sends it.
pub fn grant_minter_role(account: Address) -> Vec<u8> {
    let account = address(&account);
    erc721::GrantMinterRoleCall { account }.encode()
}

/// Both kinds, a flag.
pub fn is_minter(account: Address) -> Vec<u8> {
    let mut role = [0; 32];
    role.iter_mut().zip(b"MINTER_ROLE").for_each(|(to, from)| *to = *from);
    has_role(role, account)
}

/// Both kinds, a flag: who has OpenZeppelin's `DEFAULT_ADMIN_ROLE`, 32 zero bytes, grants the others.
pub fn is_admin(account: Address) -> Vec<u8> {
    has_role([0; 32], account)
}

fn has_role(role: [u8; 32], account: Address) -> Vec<u8> {
    let account = address(&account);
    erc721::HasRoleCall { role, account }.encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::from_bytes([1; 20]);

    fn selector_of(signature: &str) -> Vec<u8> {
        keccak256(signature.as_bytes()).as_bytes()[..4].to_vec()
    }

    #[test]
    fn the_functions_are_those_of_the_presets() {
        let stack = Stack {
            recipient: A,
            tokens: vec![(Amount::ONE, Amount::from(2))],
        };
        for (calldata, signature) in [
            (
                mint_batch(&[(A, vec![Amount::ONE])]),
                "mintBatch((address,uint256[])[])",
            ),
            (
                mint_batch_by_quantity(&[(A, 2)]),
                "mintBatchByQuantity((address,uint256)[])",
            ),
            (
                safe_mint(A, Amount::ONE, Amount::ONE),
                "safeMint(address,uint256,uint256,bytes)",
            ),
            (
                safe_mint_batch(&stack),
                "safeMintBatch(address,uint256[],uint256[],bytes)",
            ),
            (
                safe_transfer_721(A, A, Amount::ONE),
                "safeTransferFrom(address,address,uint256)",
            ),
            (
                safe_transfer_1155(A, A, Amount::ONE, Amount::ONE),
                "safeTransferFrom(address,address,uint256,uint256,bytes)",
            ),
            (grant_minter_role(A), "grantMinterRole(address)"),
            (is_minter(A), "hasRole(bytes32,address)"),
        ] {
            assert_eq!(calldata[..4].to_vec(), selector_of(signature), "{signature}");
        }
    }
}
