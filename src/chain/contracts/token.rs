//! The permissioned token: the agent interface of ERC-3643, and what is ours beyond it (cap, holders' transfers).

use ethers_core::abi::AbiEncode;

use super::bindings::compliance::CanTransferCall;
use super::bindings::token::*;
use super::bindings::{address, uint};
use crate::types::{Address, Amount};

/// Whether something that can be switched is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

impl Switch {
    const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

// --- an agent's work ------------------------------------------------------------------------------------------------

pub fn mint(recipient: Address, amount: Amount) -> Vec<u8> {
    let (recipient, amount) = (address(&recipient), uint(amount));
    MintCall { recipient, amount }.encode()
}

/// One line per recipient, in order; a recipient may be there twice. Applied whole or not at all.
pub fn batch_mint(lines: &[(Address, Amount)]) -> Vec<u8> {
    let (recipients, amounts) = columns(lines);
    BatchMintCall { recipients, amounts }.encode()
}

pub fn burn(holder: Address, amount: Amount) -> Vec<u8> {
    let (holder, amount) = (address(&holder), uint(amount));
    BurnCall { holder, amount }.encode()
}

pub fn batch_burn(lines: &[(Address, Amount)]) -> Vec<u8> {
    let (holders, amounts) = columns(lines);
    BatchBurnCall { holders, amounts }.encode()
}

pub fn forced_transfer(from: Address, to: Address, amount: Amount) -> Vec<u8> {
    let (from, to, amount) = (address(&from), address(&to), uint(amount));
    ForcedTransferCall { from, to, amount }.encode()
}

pub fn batch_forced_transfer(lines: &[(Address, Address, Amount)]) -> Vec<u8> {
    BatchForcedTransferCall {
        senders: lines.iter().map(|(from, _, _)| address(from)).collect(),
        recipients: lines.iter().map(|(_, to, _)| address(to)).collect(),
        amounts: lines.iter().map(|(_, _, amount)| uint(*amount)).collect(),
    }
    .encode()
}

pub fn set_address_frozen(wallet: Address, frozen: Switch) -> Vec<u8> {
    SetAddressFrozenCall {
        wallet: address(&wallet),
        frozen: frozen.is_on(),
    }
    .encode()
}

pub fn batch_set_address_frozen(lines: &[(Address, Switch)]) -> Vec<u8> {
    BatchSetAddressFrozenCall {
        wallets: lines.iter().map(|(wallet, _)| address(wallet)).collect(),
        frozen: lines.iter().map(|(_, frozen)| frozen.is_on()).collect(),
    }
    .encode()
}

pub fn freeze_partial_tokens(wallet: Address, amount: Amount) -> Vec<u8> {
    let (wallet, amount) = (address(&wallet), uint(amount));
    FreezePartialTokensCall { wallet, amount }.encode()
}

pub fn unfreeze_partial_tokens(wallet: Address, amount: Amount) -> Vec<u8> {
    let (wallet, amount) = (address(&wallet), uint(amount));
    UnfreezePartialTokensCall { wallet, amount }.encode()
}

/// Moves everything from a lost wallet to a new one of the same investor's identity.
pub fn recovery_address(lost: Address, new: Address, identity: Address) -> Vec<u8> {
    RecoveryAddressCall {
        lost_wallet: address(&lost),
        new_wallet: address(&new),
        investor_onchain_id: address(&identity),
    }
    .encode()
}

pub fn pause() -> Vec<u8> {
    PauseCall {}.encode()
}

pub fn unpause() -> Vec<u8> {
    UnpauseCall {}.encode()
}

// --- the owner's ----------------------------------------------------------------------------------------------------

/// Zero is no cap.
pub fn set_cap(cap: Amount) -> Vec<u8> {
    SetCapCall { new_cap: uint(cap) }.encode()
}

pub fn set_holder_transfers(allowed: Switch) -> Vec<u8> {
    let allowed = allowed.is_on();
    SetHolderTransfersCall { allowed }.encode()
}

/// The transaction that gives our signer the agent role: the token's owner sends it.
pub fn add_agent(agent: Address) -> Vec<u8> {
    let agent = address(&agent);
    AddAgentCall { agent }.encode()
}

pub fn remove_agent(agent: Address) -> Vec<u8> {
    let agent = address(&agent);
    RemoveAgentCall { agent }.encode()
}

pub fn set_identity_registry(registry: Address) -> Vec<u8> {
    let registry = address(&registry);
    SetIdentityRegistryCall { registry }.encode()
}

// --- questions; `returned` reads the answers ------------------------------------------------------------------------

/// A text.
pub fn name() -> Vec<u8> {
    NameCall {}.encode()
}

/// A text.
pub fn symbol() -> Vec<u8> {
    SymbolCall {}.encode()
}

/// A small number.
pub fn decimals() -> Vec<u8> {
    DecimalsCall {}.encode()
}

/// An amount.
pub fn total_supply() -> Vec<u8> {
    TotalSupplyCall {}.encode()
}

/// An amount.
pub fn balance_of(holder: Address) -> Vec<u8> {
    BalanceOfCall {
        account: address(&holder),
    }
    .encode()
}

/// An amount; zero is none.
pub fn cap() -> Vec<u8> {
    CapCall {}.encode()
}

/// A flag.
pub fn paused() -> Vec<u8> {
    PausedCall {}.encode()
}

/// A flag.
pub fn is_frozen(wallet: Address) -> Vec<u8> {
    let wallet = address(&wallet);
    IsFrozenCall { wallet }.encode()
}

/// An amount: how much of what the wallet holds is frozen.
pub fn frozen_tokens(wallet: Address) -> Vec<u8> {
    let wallet = address(&wallet);
    GetFrozenTokensCall { wallet }.encode()
}

/// A flag.
pub fn is_agent(account: Address) -> Vec<u8> {
    let account = address(&account);
    IsAgentCall { account }.encode()
}

/// An address.
pub fn owner() -> Vec<u8> {
    OwnerCall {}.encode()
}

/// An address.
pub fn identity_registry() -> Vec<u8> {
    IdentityRegistryCall {}.encode()
}

/// Asks a compliance contract (ERC-3643, ICompliance): whether the receiver may have so much. A flag.
pub fn can_transfer(from: Address, to: Address, amount: Amount) -> Vec<u8> {
    let (from, to, amount) = (address(&from), address(&to), uint(amount));
    CanTransferCall { from, to, amount }.encode()
}

/// An address; zero where the token has no compliance contract, as ours.
pub fn compliance() -> Vec<u8> {
    ComplianceCall {}.encode()
}

/// An address; may be zero.
pub fn onchain_id() -> Vec<u8> {
    OnchainIDCall {}.encode()
}

/// A text.
pub fn version() -> Vec<u8> {
    VersionCall {}.encode()
}

/// A flag.
pub fn holder_transfers() -> Vec<u8> {
    HolderTransfersCall {}.encode()
}

fn columns(lines: &[(Address, Amount)]) -> (Vec<ethers_core::types::H160>, Vec<ethers_core::types::U256>) {
    let column = lines.iter().map(|(who, amount)| (address(who), uint(*amount)));
    column.unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::from_bytes([1; 20]);
    const B: Address = Address::from_bytes([2; 20]);

    fn selector(calldata: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(&calldata[..4])
    }

    /// Four bytes each, as specs/chain.md section 3 has them from T-REX's own interface.
    #[test]
    fn the_functions_are_those_of_erc_3643() {
        let one = Amount::ONE;
        for (calldata, expected) in [
            (mint(A, one), "40c10f19"),
            (batch_mint(&[(A, one)]), "68573107"),
            (burn(A, one), "9dc29fac"),
            (batch_burn(&[(A, one)]), "4a6cc677"),
            (forced_transfer(A, B, one), "9fc1d0e7"),
            (set_address_frozen(A, Switch::On), "c69c09cf"),
            (freeze_partial_tokens(A, one), "125c4a33"),
            (unfreeze_partial_tokens(A, one), "1fe56f7d"),
            (recovery_address(A, B, A), "9285948a"),
            (pause(), "8456cb59"),
            (unpause(), "3f4ba83a"),
            (balance_of(A), "70a08231"),
            (total_supply(), "18160ddd"),
        ] {
            assert_eq!(selector(&calldata), expected);
        }
    }

    /// Written out by the ABI's rules: two offsets, then each list with its length.
    #[test]
    fn a_batch_is_two_lists_of_one_length() {
        let calldata = batch_mint(&[(A, Amount::from(5)), (B, Amount::MAX)]);
        let word = |digits: &str| format!("{digits:0>64}");
        let expected = [
            "68573107".to_owned(),
            word("40"),
            word("a0"),
            word("2"),
            word(&"01".repeat(20)),
            word(&"02".repeat(20)),
            word("2"),
            word("5"),
            "f".repeat(64),
        ];

        assert_eq!(data_encoding::HEXLOWER.encode(&calldata), expected.concat());
    }

    #[test]
    fn a_switch_is_one_or_zero() {
        assert_eq!(set_address_frozen(A, Switch::On).last(), Some(&1));
        assert_eq!(set_address_frozen(A, Switch::Off).last(), Some(&0));
    }
}
