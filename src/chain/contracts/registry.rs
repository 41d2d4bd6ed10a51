//! The identity registry: ERC-3643's interface, and `batchSync` of ours, which makes it say what the entries say,
//! whatever it said before.

use ethers_core::abi::AbiEncode;
use ethers_core::types::H160;

use super::bindings::registry::*;
use super::bindings::{address, factory};
use crate::types::{Address, CountryCode};

/// What the registry shall say about one wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletEntry {
    pub wallet: Address,
    pub registration: Registration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The wallet is not registered.
    Absent,
    /// Registered, but it may hold nothing new for now.
    Suspended(Person),
    Verified(Person),
}

/// Whose wallet it is. Without a country the registry says 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    pub identity: Address,
    pub country: Option<CountryCode>,
}

impl Person {
    fn country_number(&self) -> u16 {
        self.country.map_or(0, CountryCode::numeric)
    }
}

/// Applying the same entries again changes nothing.
pub fn batch_sync(entries: &[WalletEntry]) -> Vec<u8> {
    let entries = entries.iter().map(entry).collect();
    BatchSyncCall { entries }.encode()
}

fn entry(entry: &WalletEntry) -> Entry {
    let (person, verified) = match &entry.registration {
        Registration::Absent => (None, false),
        Registration::Suspended(person) => (Some(person), false),
        Registration::Verified(person) => (Some(person), true),
    };
    Entry {
        wallet: address(&entry.wallet),
        identity: person.map_or(H160::zero(), |person| address(&person.identity)),
        country: person.map_or(0, Person::country_number),
        verified,
    }
}

/// For a registry that is not ours. Refused for a wallet that is registered already.
pub fn batch_register_identity(lines: &[(Address, Person)]) -> Vec<u8> {
    BatchRegisterIdentityCall {
        wallets: lines.iter().map(|(wallet, _)| address(wallet)).collect(),
        identities: lines.iter().map(|(_, person)| address(&person.identity)).collect(),
        countries: lines.iter().map(|(_, person)| person.country_number()).collect(),
    }
    .encode()
}

pub fn delete_identity(wallet: Address) -> Vec<u8> {
    let wallet = address(&wallet);
    DeleteIdentityCall { wallet }.encode()
}

pub fn add_agent(agent: Address) -> Vec<u8> {
    let agent = address(&agent);
    AddAgentCall { agent }.encode()
}

/// A flag: the wallet may hold tokens now.
pub fn is_verified(wallet: Address) -> Vec<u8> {
    let wallet = address(&wallet);
    IsVerifiedCall { wallet }.encode()
}

/// A flag: the wallet is registered, suspended or not.
pub fn contains(wallet: Address) -> Vec<u8> {
    let wallet = address(&wallet);
    ContainsCall { wallet }.encode()
}

/// An address; zero when the wallet is not registered.
pub fn identity(wallet: Address) -> Vec<u8> {
    let wallet = address(&wallet);
    IdentityCall { wallet }.encode()
}

/// A number: ISO 3166-1 numeric, zero when it is not known.
pub fn investor_country(wallet: Address) -> Vec<u8> {
    let wallet = address(&wallet);
    InvestorCountryCall { wallet }.encode()
}

/// A flag.
pub fn is_agent(account: Address) -> Vec<u8> {
    let account = address(&account);
    IsAgentCall { account }.encode()
}

/// What the factory deploys: the registry's code with its owner and its first agent.
pub fn creation_code(owner: Address, agent: Address) -> Vec<u8> {
    let arguments = (address(&owner), address(&agent)).encode();
    [MONEYERIDENTITYREGISTRY_BYTECODE.as_ref(), &arguments].concat()
}

/// The transaction by which the factory deploys it.
pub fn deploy(salt: &crate::types::Hash32, owner: Address, agent: Address) -> Vec<u8> {
    factory::DeployCall {
        salt: *salt.as_bytes(),
        init_code: creation_code(owner, agent).into(),
    }
    .encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLET: Address = Address::from_bytes([1; 20]);

    fn person() -> Person {
        Person {
            identity: Address::from_bytes([2; 20]),
            country: Some(CountryCode::parse_alpha2("BE").unwrap()),
        }
    }

    /// Selectors of ERC-3643 as specs/chain.md section 3 has them.
    #[test]
    fn the_functions_are_those_of_erc_3643() {
        for (calldata, expected) in [
            (batch_register_identity(&[(WALLET, person())]), "653dc9f1"),
            (is_verified(WALLET), "b9209e33"),
        ] {
            assert_eq!(data_encoding::HEXLOWER.encode(&calldata[..4]), expected);
        }
    }

    #[test]
    fn an_entry_says_who_where_and_whether() {
        let sync = |registration| {
            let calldata = batch_sync(&[WalletEntry {
                wallet: WALLET,
                registration,
            }]);
            let words: Vec<String> = calldata[4..]
                .chunks(32)
                .map(|w| data_encoding::HEXLOWER.encode(w))
                .collect();
            words[2..].to_vec()
        };
        let word = |digits: &str| format!("{digits:0>64}");
        let (wallet, identity) = (&word(&"01".repeat(20)), &word(&"02".repeat(20)));
        let (zero, one, belgium) = (&word("0"), &word("1"), &word("38"));
        let entry = |words: [&String; 4]| words.map(String::clone).to_vec();

        assert_eq!(
            sync(Registration::Verified(person())),
            entry([wallet, identity, belgium, one])
        );
        assert_eq!(
            sync(Registration::Suspended(person())),
            entry([wallet, identity, belgium, zero])
        );
        assert_eq!(sync(Registration::Absent), entry([wallet, zero, zero, zero]));
    }
}
