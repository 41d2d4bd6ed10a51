use serde_json::json;

use super::{Change, record};
use crate::asset;
use crate::chain::collection::Standard;
use crate::collection::{self, Caller, Collection, ContractType, Minting, NewCollection, Profile};
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::operation::Plan;
use crate::policy::PolicySet;
use crate::settlement::{self, FoundCollection};
use crate::types::{Address, EnvironmentId, OperationId};

/// Texts that a contract of ours keeps have at most so many bytes: its creation stays within the gas of one transaction.
pub const CONTRACT_TEXT_BYTES_MAX: usize = 1_000;

/// What a collection is to be, wherever its contract comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionTerms {
    /// Which keys may mint.
    pub environment: Option<EnvironmentId>,
    pub profile: Profile,
    pub metadata_api_url: Option<String>,
    /// Where this server shows the metadata of its tokens, when no base URI is given: for a contract of ours.
    pub hosting: Option<String>,
    /// Judges recipients; none is the baseline.
    pub policy: Option<String>,
}

/// Founds a collection with a contract of ours: it has its address at once and its contract when the operation is final;
/// mints are taken meanwhile. `owner` becomes the contract's administrator, our signer its minter.
///
/// Errors are those of [`collection::found`]; `Invalid` also when this server settles on no chain.
pub fn deploy_collection(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    policies: &PolicySet,
    (standard, owner): (ContractType, Address),
    terms: CollectionTerms,
) -> Result<(Collection, OperationId), Error> {
    check_texts(&terms.profile, owner)?;
    let hosting = terms.hosting.filter(|_| terms.profile.base_uri.is_none());
    let site = settlement::site(tx)?;
    let new = NewCollection {
        environment: terms.environment,
        minting: match standard {
            ContractType::Erc721 => Minting::Hybrid,
            ContractType::Erc1155 => Minting::Amounts,
        },
        many: standard == ContractType::Erc1155,
        adopted: false,
        owner,
        profile: terms.profile,
        metadata_api_url: terms.metadata_api_url,
        policy: terms.policy,
    };
    let address_of = |id| site.collection_address(standard, id);
    let created = collection::found(tx, caller, policies, &new, address_of)?;
    settlement::place_collection(tx, &site, created.id)?;
    let created = match hosting {
        Some(url) => collection::host(tx, caller, &created, &url)?,
        None => created,
    };
    let change = Change {
        plan: Plan::CreateCollection {
            texts: created.profile.texts(),
        },
        action: "asset.contract_requested",
        subjects: vec![created.address],
        data: json!({ "address": created.address, "chain": site.to_string() }),
    };
    let asset = asset::find(tx, created.id)?;
    let operation = record(tx, caller.ctx, &asset, change)?;
    Ok((created, operation))
}

/// Takes a collection over that was there before us, with everything that it holds. What the caller does not say of it is
/// as its contract says.
///
/// Errors are those of [`collection::found`]; `Invalid` when the logs do not explain the tokens.
pub fn adopt_collection(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    policies: &PolicySet,
    found: &FoundCollection,
    terms: CollectionTerms,
) -> Result<Collection, Error> {
    let facts = &found.facts;
    let cut = |text: &Option<String>, max: usize| text.as_ref().map(|text| text.chars().take(max).collect());
    let profile = Profile {
        name: terms
            .profile
            .name
            .or_else(|| cut(&facts.name, Profile::NAME_LENGTH_MAX)),
        symbol: terms
            .profile
            .symbol
            .or_else(|| cut(&facts.symbol, Profile::SYMBOL_LENGTH_MAX)),
        base_uri: terms.profile.base_uri.or_else(|| facts.base_uri.clone()),
        contract_uri: terms.profile.contract_uri.or_else(|| facts.contract_uri.clone()),
        ..terms.profile
    };
    let new = NewCollection {
        environment: terms.environment,
        minting: match (facts.standard, facts.by_quantity) {
            (Standard::Erc721, true) => Minting::Hybrid,
            (Standard::Erc721, false) => Minting::ById,
            (Standard::Erc1155, _) => Minting::Amounts,
        },
        many: false,
        adopted: true,
        owner: facts.owner.unwrap_or(Address::ZERO),
        profile,
        metadata_api_url: terms.metadata_api_url,
        policy: terms.policy,
    };
    let created = collection::found(tx, caller, policies, &new, |_| found.address)?;
    settlement::take_over_collection(tx, &created, found, caller.ctx.now)?;
    Ok(created)
}

fn check_texts(profile: &Profile, owner: Address) -> Result<(), Error> {
    let texts = [
        ("name", &profile.name),
        ("symbol", &profile.symbol),
        ("base_uri", &profile.base_uri),
        ("contract_uri", &profile.contract_uri),
    ];
    let too_long = texts.into_iter().filter(|(_, text)| {
        let bytes = text.as_ref().map_or(0, String::len);
        bytes > CONTRACT_TEXT_BYTES_MAX
    });
    let mut issues: Vec<Issue> = too_long
        .map(|(field, _)| {
            let message = format!("must have at most {CONTRACT_TEXT_BYTES_MAX} bytes in a contract");
            Issue::new(field, "range", message)
        })
        .collect();
    if profile.name.as_deref().is_none_or(|name| name.trim().is_empty()) {
        issues.push(Issue::new("name", "required", "is required"));
    }
    if owner.is_zero() {
        issues.push(Issue::new("owner", "range", "must not be the zero address"));
    }
    match issues.is_empty() {
        true => Ok(()),
        false => Err(Error::Invalid(issues)),
    }
}
