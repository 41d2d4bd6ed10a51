use std::collections::HashSet;

use super::{Collection, ContractType, Metadata, MintKind, Minting, NewMintRequest, Profile};
use crate::asset::{AssetKind, AssetName, Decimals, NewAsset, Settlement, Symbol};
use crate::error::{Error, Issue};
use crate::types::{Amount, TokenId};

/// Everything that is wrong with a call to mint, at once; paths are those of Immutable's API.
pub(super) fn check(collection: &Collection, requests: &[NewMintRequest]) -> Result<(), Error> {
    if !(1..=NewMintRequest::COUNT_MAX).contains(&requests.len()) {
        let message = format!("must have 1 to {} items", NewMintRequest::COUNT_MAX);
        return Err(Error::Invalid(vec![Issue::new("assets", "range", message)]));
    }
    let (mut references, mut token_ids) = (HashSet::new(), HashSet::new());
    let mut issues = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let path = |field: &str| format!("assets.{index}.{field}");
        if !references.insert(&request.reference) {
            issues.push(Issue::new(
                &path("reference_id"),
                "duplicate",
                "is there twice in this request",
            ));
        }
        let is_single = collection.contract_type() == ContractType::Erc721;
        if is_single && request.token_id.is_some_and(|token_id| !token_ids.insert(token_id)) {
            issues.push(Issue::new(
                &path("token_id"),
                "duplicate",
                "is there twice in this request",
            ));
        }
        if request.owner.is_zero() {
            issues.push(Issue::new(
                &path("owner_address"),
                "range",
                "must not be the zero address",
            ));
        }
        let wrong = of_token(collection.minting, request);
        issues.extend(wrong.map(|(field, code, message)| Issue::new(&path(field), code, message)));
        issues.extend(of_metadata(&path("metadata"), request.metadata.as_ref()));
    }
    as_result(issues)
}

fn as_result(issues: Vec<Issue>) -> Result<(), Error> {
    if issues.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(issues))
    }
}

/// What the contract cannot mint (immutable.md 3.1): the field, a code, a sentence.
fn of_token(minting: Minting, request: &NewMintRequest) -> Option<(&'static str, &'static str, &'static str)> {
    let amount = request.amount;
    match (minting, request.token_id) {
        (Minting::ById, None) => Some(("token_id", "required", "is required: this contract gives no ids")),
        (Minting::ByQuantity, Some(_)) => Some(("token_id", "unsupported", "this contract gives the ids itself")),
        (Minting::Hybrid, Some(token_id)) if token_id.is_given_by_quantity() => Some((
            "token_id",
            "range",
            "must be below 2^128: the contract gives the ids from there on",
        )),
        (Minting::Amounts, None) => Some(("token_id", "required", "is required for an ERC-1155")),
        (Minting::Amounts, Some(_)) => match amount {
            None => Some(("amount", "required", "is required for an ERC-1155")),
            Some(amount) if amount.is_zero() => Some(("amount", "range", "must be greater than 0")),
            Some(_) => None,
        },
        (Minting::ById | Minting::ByQuantity | Minting::Hybrid, _) => match amount {
            Some(amount) if amount != Amount::ONE => Some(("amount", "range", "must be 1 or left out for an ERC-721")),
            Some(_) | None => None,
        },
    }
}

fn of_metadata(path: &str, metadata: Option<&Metadata>) -> Option<Issue> {
    let size = metadata.map_or(0, Metadata::size_bytes);
    (size > Metadata::SIZE_BYTES_MAX).then(|| {
        let message = format!("must be at most {} bytes, is {size}", Metadata::SIZE_BYTES_MAX);
        Issue::new(path, "range", message)
    })
}

pub(super) fn kind_of(minting: Minting, token_id: Option<TokenId>) -> MintKind {
    match (minting, token_id) {
        (Minting::Amounts, _) => MintKind::Amounts,
        (Minting::ById | Minting::ByQuantity | Minting::Hybrid, Some(_)) => MintKind::ById,
        (Minting::ById | Minting::ByQuantity | Minting::Hybrid, None) => MintKind::ByQuantity,
    }
}

/// Whether every text keeps its bound.
pub(super) fn check_profile(profile: &Profile) -> Result<(), Error> {
    let fields = [
        ("name", &profile.name, Profile::NAME_LENGTH_MAX),
        ("symbol", &profile.symbol, Profile::SYMBOL_LENGTH_MAX),
        ("description", &profile.description, Profile::TEXT_LENGTH_MAX),
        ("image", &profile.image, Profile::TEXT_LENGTH_MAX),
        ("external_link", &profile.external_link, Profile::TEXT_LENGTH_MAX),
        ("contract_uri", &profile.contract_uri, Profile::TEXT_LENGTH_MAX),
        ("base_uri", &profile.base_uri, Profile::TEXT_LENGTH_MAX),
    ];
    let issues = fields.into_iter().filter_map(|(field, text, max)| {
        let text = text.as_deref()?;
        if text.chars().count() > max {
            return Some(Issue::new(
                field,
                "range",
                format!("must have at most {max} characters"),
            ));
        }
        text.contains('\0')
            .then(|| Issue::new(field, "format", "must not have the character 0"))
    });
    as_result(issues.collect())
}

/// It is stored and shown; nothing is fetched from it.
pub(super) fn check_metadata_url(url: Option<&str>) -> Result<(), Error> {
    let Some(url) = url else { return Ok(()) };
    let is_plain = url.bytes().all(|b| b.is_ascii_graphic());
    if is_plain && url.len() <= Profile::TEXT_LENGTH_MAX {
        return Ok(());
    }
    let message = format!(
        "must have at most {} visible ASCII characters",
        Profile::TEXT_LENGTH_MAX
    );
    Err(Error::Invalid(vec![Issue::new("metadata_api_url", "range", message)]))
}

/// The row of a collection among the assets, with what of its names fits there.
pub(super) fn asset_of(new: &super::NewCollection) -> Result<NewAsset, Error> {
    let name = new.profile.name.as_deref().unwrap_or_default();
    let symbol = new.profile.symbol.as_deref().unwrap_or_default();
    Ok(NewAsset {
        kind: match new.minting.contract_type() {
            ContractType::Erc721 => AssetKind::Erc721,
            ContractType::Erc1155 => AssetKind::Erc1155,
        },
        name: short_name(name)?,
        symbol: short_symbol(symbol)?,
        decimals: Decimals::parse(0).map_err(Error::internal)?,
        isin: None,
        country: None,
        class: None,
        category: None,
        price: None,
        face_value: None,
        denomination_asset: None,
        maturity: None,
        management_fee: None,
        settlement: Settlement::Evm,
        policy: new.policy.clone(),
        cap: None,
        collateral: None,
        modules: Vec::new(),
    })
}

fn short_name(name: &str) -> Result<AssetName, Error> {
    let plain: String = name.chars().filter(|c| !c.is_control()).collect();
    let cut: String = plain.trim().chars().take(AssetName::LENGTH_MAX).collect();
    let cut = if cut.trim().is_empty() {
        "Collection"
    } else {
        cut.trim()
    };
    AssetName::parse(cut).map_err(Error::internal)
}

fn short_symbol(symbol: &str) -> Result<Symbol, Error> {
    let plain = symbol.chars().map(|c| c.to_ascii_uppercase());
    let plain = plain.filter(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let cut: String = plain.take(Symbol::LENGTH_MAX).collect();
    Symbol::parse(if cut.is_empty() { "NFT" } else { &cut }).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Address, AssetId, ReferenceId, Timestamp, UserId};

    fn collection(minting: Minting) -> Collection {
        Collection {
            id: AssetId::generate(),
            address: Address::from_bytes([1; 20]),
            environment: None,
            minting,
            many: true,
            adopted: false,
            owner: Address::ZERO,
            number: None,
            profile: Profile::default(),
            metadata_api_url: None,
            verification: super::super::Verification::Unverified,
            policy: None,
            created_by: UserId::NOBODY,
            indexed_at: Timestamp::from_seconds(1),
            updated_at: Timestamp::from_seconds(1),
            metadata_synced_at: None,
        }
    }

    fn request(reference: &str, token_id: Option<&str>, amount: Option<u64>) -> NewMintRequest {
        NewMintRequest {
            reference: ReferenceId::parse(reference).unwrap(),
            owner: Address::from_bytes([2; 20]),
            token_id: token_id.map(|id| TokenId::parse(id).unwrap()),
            amount: amount.map(Amount::from),
            metadata: None,
        }
    }

    fn issues(minting: Minting, requests: &[NewMintRequest]) -> Vec<String> {
        match check(&collection(minting), requests) {
            Ok(()) => Vec::new(),
            Err(Error::Invalid(issues)) => issues.iter().map(|issue| issue.path.join(".")).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn one_to_a_hundred_requests_are_taken() {
        let many = |count: usize| {
            (0..count)
                .map(|i| request(&format!("r{i}"), None, None))
                .collect::<Vec<_>>()
        };

        assert_eq!(issues(Minting::Hybrid, &many(0)), ["assets"]);
        assert!(issues(Minting::Hybrid, &many(1)).is_empty());
        assert!(issues(Minting::Hybrid, &many(100)).is_empty());
        assert_eq!(issues(Minting::Hybrid, &many(101)), ["assets"]);
    }

    #[test]
    fn a_reference_and_a_single_token_are_named_once() {
        let twice = [request("a", Some("1"), None), request("a", Some("1"), None)];

        assert_eq!(
            issues(Minting::Hybrid, &twice),
            ["assets.1.reference_id", "assets.1.token_id"]
        );
        let amounts = [request("a", Some("1"), Some(1)), request("b", Some("1"), Some(1))];
        assert!(issues(Minting::Amounts, &amounts).is_empty());
    }

    #[test]
    fn each_contract_mints_what_it_can() {
        let last = "340282366920938463463374607431768211455";
        let first = "340282366920938463463374607431768211456";
        let of = |minting, token_id, amount| issues(minting, &[request("a", token_id, amount)]);

        assert!(of(Minting::Hybrid, Some(last), None).is_empty());
        assert_eq!(of(Minting::Hybrid, Some(first), None), ["assets.0.token_id"]);
        assert!(of(Minting::Hybrid, None, Some(1)).is_empty());
        assert_eq!(of(Minting::Hybrid, None, Some(2)), ["assets.0.amount"]);
        assert_eq!(of(Minting::Hybrid, None, Some(0)), ["assets.0.amount"]);
        assert!(of(Minting::ById, Some(first), None).is_empty());
        assert_eq!(of(Minting::ById, None, None), ["assets.0.token_id"]);
        assert_eq!(of(Minting::ByQuantity, Some("1"), None), ["assets.0.token_id"]);
        assert!(of(Minting::Amounts, Some(first), Some(5)).is_empty());
        assert_eq!(of(Minting::Amounts, None, Some(5)), ["assets.0.token_id"]);
        assert_eq!(of(Minting::Amounts, Some("1"), None), ["assets.0.amount"]);
        assert_eq!(of(Minting::Amounts, Some("1"), Some(0)), ["assets.0.amount"]);
    }

    #[test]
    fn where_metadata_is_keeps_its_bound() {
        let url = |length: usize| format!("https://{}", "x".repeat(length - 8));

        assert!(check_metadata_url(None).is_ok());
        assert!(check_metadata_url(Some(&url(Profile::TEXT_LENGTH_MAX - 1))).is_ok());
        assert!(check_metadata_url(Some(&url(Profile::TEXT_LENGTH_MAX))).is_ok());
        assert!(check_metadata_url(Some(&url(Profile::TEXT_LENGTH_MAX + 1))).is_err());
        assert!(check_metadata_url(Some("https://a b")).is_err());
        assert!(check_metadata_url(Some("https://a\0")).is_err());
    }

    #[test]
    fn metadata_has_at_most_16_kib() {
        let with = |length: usize| {
            let metadata = Metadata {
                name: Some("x".repeat(length)),
                ..Metadata::default()
            };
            let request = NewMintRequest {
                metadata: Some(metadata),
                ..request("a", None, None)
            };
            issues(Minting::Hybrid, &[request])
        };
        let frame = Metadata {
            name: Some(String::new()),
            ..Metadata::default()
        };
        let most = Metadata::SIZE_BYTES_MAX - frame.size_bytes();

        assert!(with(most).is_empty());
        assert_eq!(with(most + 1), ["assets.0.metadata"]);
    }

    #[test]
    fn nothing_is_minted_to_nobody() {
        let request = NewMintRequest {
            owner: Address::ZERO,
            ..request("a", None, None)
        };

        assert_eq!(issues(Minting::Hybrid, &[request]), ["assets.0.owner_address"]);
    }

    #[test]
    fn any_name_fits_the_row_of_an_asset() {
        for (name, short) in [
            ("", "Collection"),
            (" \u{7} ", "Collection"),
            ("Gods  ", "Gods"),
            (&"é".repeat(60), &"é".repeat(50)),
        ] {
            assert_eq!(short_name(name).unwrap().as_str(), short);
        }
        for (symbol, short) in [("", "NFT"), ("gøds-1", "GDS1"), ("ABCDEFGHIJKLMN", "ABCDEFGHIJKL")] {
            assert_eq!(short_symbol(symbol).unwrap().as_str(), short);
        }
    }
}
