use std::collections::BTreeSet;

use super::{Asset, AssetKind, Collateral, ConfiguredModule, Decimals, EquityClass, Lifecycle, NewAsset, NewModule};
use crate::compliance::Attached;
use crate::ctx::Ctx;
use crate::error::{Error, Issue};
use crate::identity::ClaimTopic;
use crate::policy::{Definitions, PolicySet, Topic, module};
use crate::types::{Address, Amount, AssetId, IdentityId, Timestamp, keccak256};

/// What stands for the code of an asset in its address.
const ASSET_CODE: &[u8] = b"moneyer asset v1";
/// The chain of `Book` settlement in salts: no EVM chain has the number 0.
const BOOK_CHAIN: [u8; 32] = [0; 32];

/// Everything that is wrong with a new asset, at once; paths are those of the asset API.
pub(super) fn check(new: &NewAsset, policies: &PolicySet, now: Timestamp) -> Result<(), Error> {
    let mut issues = missing(new);
    issues.extend(out_of_range(new, now));
    issues.extend(out_of_place(new));
    issues.extend(of_policies(new, policies));
    if issues.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(issues))
    }
}

/// What a kind cannot do without (dalp.md 1.5 and A9).
fn missing(new: &NewAsset) -> Vec<Issue> {
    let needs_price = match new.kind {
        AssetKind::Equity | AssetKind::Fund | AssetKind::Stablecoin | AssetKind::Deposit => true,
        AssetKind::Bond | AssetKind::Erc721 | AssetKind::Erc1155 => false,
    };
    let needs_class = match new.kind {
        AssetKind::Equity | AssetKind::Fund => true,
        AssetKind::Bond | AssetKind::Stablecoin | AssetKind::Deposit | AssetKind::Erc721 | AssetKind::Erc1155 => false,
    };
    let needs_end = new.kind == AssetKind::Bond;
    let fields = [
        (needs_price && new.price.is_none(), "basePrice"),
        (needs_class && new.class.is_none(), "class"),
        (needs_class && new.category.is_none(), "category"),
        (needs_end && new.cap.is_none(), "cap"),
        (needs_end && new.maturity.is_none(), "maturityDate"),
    ];
    let missing = fields.into_iter().filter(|(is_missing, _)| *is_missing);
    missing
        .map(|(_, path)| Issue::new(path, "required", format!("is required for type {}", new.kind)))
        .collect()
}

fn out_of_range(new: &NewAsset, now: Timestamp) -> Vec<Issue> {
    let positive = [
        ("cap", new.cap),
        ("faceValue", new.face_value),
        ("basePrice", new.price.map(|price| price.value.amount)),
    ];
    let zero = positive
        .into_iter()
        .filter(|(_, amount)| amount.is_some_and(Amount::is_zero));
    let mut issues: Vec<Issue> = zero
        .map(|(path, _)| Issue::new(path, "range", "must be greater than 0"))
        .collect();
    if new.maturity.is_some_and(|maturity| maturity <= now) {
        issues.push(Issue::new("maturityDate", "range", "must be in the future"));
    }
    if new.kind == AssetKind::Equity
        && let Some(class) = &new.class
        && let Err(error) = EquityClass::parse(class.as_str())
    {
        issues.push(Issue::new("class", "unknown", error.to_string()));
    }
    issues
}

/// What only one kind has.
fn out_of_place(new: &NewAsset) -> Vec<Issue> {
    let fields = [
        (
            new.management_fee.is_some() && new.kind != AssetKind::Fund,
            "managementFeeBps",
            "a fund has",
        ),
        (
            new.face_value.is_some() && new.kind != AssetKind::Bond,
            "faceValue",
            "a bond has",
        ),
        (
            new.denomination_asset.is_some() && new.kind != AssetKind::Bond,
            "denominationAsset",
            "a bond has",
        ),
    ];
    let misplaced = fields.into_iter().filter(|(is_misplaced, ..)| *is_misplaced);
    misplaced
        .map(|(_, path, who)| Issue::new(path, "unsupported", format!("only {who} this")))
        .collect()
}

/// The policy must be loaded, each module readable, none there twice.
fn of_policies(new: &NewAsset, policies: &PolicySet) -> Vec<Issue> {
    let mut issues = Vec::new();
    if policies.for_asset(new.policy.as_deref()).is_none() {
        let known: Vec<&str> = policies.asset_policy_ids().collect();
        let message = format!("is not a loaded policy (known: {})", known.join(", "));
        issues.push(Issue::new("policy", "unknown", message));
    }
    let mut seen = BTreeSet::new();
    for (index, new_module) in new.modules.iter().enumerate() {
        let path = format!("initialModulePairs.{index}");
        let known = module::module_type_of(&new_module.type_id);
        if known.is_some_and(|known| !seen.insert(known.type_id)) {
            let message = format!("module {} is there twice", new_module.type_id);
            issues.push(Issue::new(&format!("{path}.typeId"), "duplicate", message));
        }
        let inside = if known.is_some() { "values" } else { "typeId" };
        let parsed = module::parse(
            &new_module.type_id,
            &new_module.values,
            new.decimals.get(),
            &policies.definitions,
        );
        issues.extend(
            parsed
                .err()
                .unwrap_or_default()
                .into_iter()
                .map(|issue| below(&path, inside, issue)),
        );
    }
    issues
}

/// Claims count only of topics that the registry knows: a module or a collateral about another one could never pass.
pub(super) fn check_topics(new: &NewAsset, policies: &PolicySet, known: &[ClaimTopic]) -> Result<(), Error> {
    let mut issues = Vec::new();
    if let Some(Collateral { topic, .. }) = &new.collateral
        && !known.iter().any(|registered| registered.name == *topic)
    {
        let message = format!("{topic} is not a registered claim topic");
        issues.push(Issue::new("collateral.topic", "unknown", message));
    }
    for (index, new_module) in new.modules.iter().enumerate() {
        let parsed = module::parse(
            &new_module.type_id,
            &new_module.values,
            new.decimals.get(),
            &policies.definitions,
        );
        let Ok(check) = parsed else { continue };
        let is_unknown = |topic: &&Topic| !known.iter().any(|registered| topic.matches(&registered.name));
        issues.extend(check.topics().into_iter().filter(is_unknown).map(|topic| {
            let message = format!("{topic} is not a registered claim topic");
            Issue::new(&format!("initialModulePairs.{index}.values"), "unknown", message)
        }));
    }
    if issues.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(issues))
    }
}

/// The issue of a part, seen from the whole.
fn below(path: &str, field: &str, issue: Issue) -> Issue {
    let inside = issue.path.join(".");
    Issue::new(&format!("{path}.{field}.{inside}"), issue.code, issue.message)
}

/// Where the asset's contract would be: `CREATE2` with the salt keccak256(chain id 0, asset id).
pub(super) fn address_of(asset: AssetId) -> Address {
    let salt = [BOOK_CHAIN.as_slice(), asset.as_uuid().as_bytes()].concat();
    Address::create2(&Address::BOOK_FACTORY, &keccak256(&salt), &keccak256(ASSET_CODE))
}

/// The first state of an asset whose fields were checked, and its modules under the names of their contracts.
pub(super) fn begin(
    id: AssetId,
    address: Address,
    identity: IdentityId,
    new: NewAsset,
    ctx: &Ctx,
) -> (Asset, Vec<NewModule>) {
    let collateral = match new.kind {
        AssetKind::Stablecoin => new.collateral.or_else(Collateral::one_to_one),
        AssetKind::Bond
        | AssetKind::Equity
        | AssetKind::Fund
        | AssetKind::Deposit
        | AssetKind::Erc721
        | AssetKind::Erc1155 => new.collateral,
    };
    let asset = Asset {
        id,
        address,
        kind: new.kind,
        name: new.name,
        symbol: new.symbol,
        decimals: new.decimals,
        isin: new.isin,
        country: new.country,
        class: new.class,
        category: new.category,
        price: new.price,
        face_value: new.face_value,
        denomination_asset: new.denomination_asset,
        maturity: new.maturity,
        management_fee: new.management_fee,
        settlement: new.settlement,
        policy: new.policy,
        identity,
        cap: new.cap,
        collateral,
        lifecycle: match new.kind.is_collection() {
            true => Lifecycle::Active,
            false => Lifecycle::Paused,
        },
        supply: Amount::ZERO,
        pending: Amount::ZERO,
        holders: 0,
        balances: 0,
        next_operation: 1,
        revision: 1,
        created_by: ctx.actor.user,
        created_at: ctx.now,
    };
    (asset, new.modules.into_iter().map(in_contract_spelling).collect())
}

fn in_contract_spelling(module: NewModule) -> NewModule {
    let type_id = module::module_type_of(&module.type_id).map(|known| known.type_id.to_owned());
    NewModule {
        type_id: type_id.unwrap_or_else(|| module.type_id.clone()),
        ..module
    }
}

pub(super) fn attached(
    modules: &[ConfiguredModule],
    decimals: Decimals,
    definitions: &Definitions,
) -> Result<Vec<Attached>, Vec<Issue>> {
    let read = modules.iter().map(|configured| {
        let check = module::parse(&configured.type_id, &configured.values, decimals.get(), definitions)?;
        Ok(Attached {
            name: configured.type_id.as_str().into(),
            check,
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::asset::{AssetName, BasisPoints, Price, Settlement, Symbol, Token};
    use crate::policy;
    use crate::types::{Currency, Dnum};

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn policies() -> PolicySet {
        let folder = tempfile::tempdir().unwrap();
        let heading = "owner = \"officers@example.test\"\nreview_by = 2099-01-01\nversion = 1\n";
        let rule = "[[rule]]\nid = \"blocked\"\nwhy = \"test\"\ncheck.country_block = { countries = [\"KP\"] }\n";
        let topic = "[topics.kyc]\nname = \"knowYourCustomer\"\ndata = \"text\"\nlongest_validity = \"365d\"\n";
        let files = [
            ("baseline.toml", format!("[policy]\nid = \"baseline\"\n{heading}{rule}")),
            (
                "assets/known.toml",
                format!("[policy]\nid = \"known\"\n{heading}{}", rule.replace("blocked", "more")),
            ),
            ("defs/topics.toml", topic.to_owned()),
            ("defs/issuers.toml", "[issuers]\n".to_owned()),
            ("defs/countries.toml", "[groups]\n".to_owned()),
        ];
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        policy::load(folder.path()).unwrap()
    }

    fn new(kind: AssetKind) -> NewAsset {
        NewAsset {
            kind,
            name: AssetName::parse("ACME").unwrap(),
            symbol: Symbol::parse("ACME").unwrap(),
            decimals: Decimals::parse(18).unwrap(),
            isin: None,
            country: None,
            class: Some(Token::parse("COMMON_EQUITY").unwrap()),
            category: Some(Token::parse("VOTING_COMMON_STOCK").unwrap()),
            price: Some(Price {
                value: Dnum::parse_decimal("100.00").unwrap(),
                currency: Currency::parse("USD").unwrap(),
            }),
            face_value: None,
            denomination_asset: None,
            maturity: None,
            management_fee: None,
            settlement: Settlement::Book,
            policy: None,
            cap: None,
            collateral: None,
            modules: Vec::new(),
        }
    }

    /// Paths and codes of what is wrong.
    fn issues(new: &NewAsset) -> Vec<(String, &'static str)> {
        match check(new, &policies(), NOW) {
            Ok(()) => Vec::new(),
            Err(Error::Invalid(issues)) => issues
                .into_iter()
                .map(|issue| (issue.path.join("."), issue.code))
                .collect(),
            Err(other) => panic!("{other}"),
        }
    }

    fn module(type_id: &str, values: serde_json::Value) -> NewModule {
        NewModule {
            type_id: type_id.to_owned(),
            module: None,
            values,
        }
    }

    #[test]
    fn each_kind_names_everything_that_it_cannot_do_without() {
        let bare = |kind| NewAsset {
            class: None,
            category: None,
            price: None,
            ..new(kind)
        };
        let required = |fields: &[&str]| fields.iter().map(|f| ((*f).to_owned(), "required")).collect::<Vec<_>>();

        assert_eq!(
            issues(&bare(AssetKind::Equity)),
            required(&["basePrice", "class", "category"])
        );
        assert_eq!(
            issues(&bare(AssetKind::Fund)),
            required(&["basePrice", "class", "category"])
        );
        assert_eq!(issues(&bare(AssetKind::Stablecoin)), required(&["basePrice"]));
        assert_eq!(issues(&bare(AssetKind::Deposit)), required(&["basePrice"]));
        assert_eq!(issues(&bare(AssetKind::Bond)), required(&["cap", "maturityDate"]));
        for kind in [
            AssetKind::Equity,
            AssetKind::Fund,
            AssetKind::Stablecoin,
            AssetKind::Deposit,
        ] {
            assert_eq!(issues(&new(kind)), [], "{kind}");
        }
    }

    #[test]
    fn cap_and_price_begin_at_one_base_unit() {
        let price = |digits: &str| {
            new(AssetKind::Equity).price.map(|price| Price {
                value: Dnum::parse_decimal(digits).unwrap(),
                ..price
            })
        };
        let with = |cap, price| NewAsset {
            cap: Some(cap),
            price,
            ..new(AssetKind::Equity)
        };

        assert_eq!(issues(&with(Amount::ONE, price("0.01"))), []);
        assert_eq!(
            issues(&with(Amount::ZERO, price("0.00"))),
            [("cap".to_owned(), "range"), ("basePrice".to_owned(), "range")]
        );
    }

    #[test]
    fn maturity_lies_in_the_future() {
        let at = |seconds| NewAsset {
            maturity: Some(NOW.plus_seconds(seconds)),
            ..new(AssetKind::Deposit)
        };

        assert_eq!(issues(&at(1)), []);
        assert_eq!(issues(&at(0)), [("maturityDate".to_owned(), "range")]);
        assert_eq!(issues(&at(-1)), [("maturityDate".to_owned(), "range")]);
    }

    #[test]
    fn what_another_kind_has_is_refused() {
        let strange = NewAsset {
            management_fee: BasisPoints::parse(10, BasisPoints::FEE_MAX).ok(),
            face_value: Some(Amount::ONE),
            class: Token::parse("GOLD").ok(),
            ..new(AssetKind::Equity)
        };

        let found = issues(&strange);

        let fields = ["class", "managementFeeBps", "faceValue"];
        assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), fields);
    }

    #[test]
    fn a_policy_must_be_loaded() {
        let naming = |policy: &str| NewAsset {
            policy: Some(policy.to_owned()),
            ..new(AssetKind::Deposit)
        };

        assert_eq!(issues(&naming("known")), []);
        assert_eq!(issues(&naming("unknown")), [("policy".to_owned(), "unknown")]);
    }

    #[test]
    fn a_module_is_attached_once_whatever_its_spelling() {
        let block = |type_id| module(type_id, json!([408]));
        let with = |modules| NewAsset {
            modules,
            ..new(AssetKind::Deposit)
        };

        assert_eq!(issues(&with(vec![block("country-block-list")])), []);
        let twice = with(vec![
            block("country-block-list"),
            block("CountryBlockListComplianceModule"),
        ]);
        assert_eq!(
            issues(&twice),
            [("initialModulePairs.1.typeId".to_owned(), "duplicate")]
        );
        let unknown = with(vec![block("TimeLockComplianceModule")]);
        assert_eq!(
            issues(&unknown),
            [("initialModulePairs.0.typeId".to_owned(), "unknown")]
        );
    }

    #[test]
    fn a_fault_in_the_values_of_a_module_has_a_path() {
        let with = NewAsset {
            modules: vec![module("country-block-list", json!([408, "nowhere"]))],
            ..new(AssetKind::Deposit)
        };

        let found = issues(&with);

        assert!(
            found
                .iter()
                .all(|(path, _)| path.starts_with("initialModulePairs.0.values")),
            "{found:?}"
        );
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_stablecoin_is_collateralized_one_to_one_unless_it_asks_for_something_else() {
        let ctx = Ctx {
            actor: crate::ctx::Actor {
                user: crate::types::UserId::generate(),
                wallet: Address::ZERO,
            },
            request_id: crate::types::RequestId::generate(),
            now: NOW,
        };
        let begun = |new: NewAsset| {
            let id = AssetId::generate();
            begin(id, address_of(id), IdentityId::generate(), new, &ctx).0
        };
        let half = Collateral {
            ratio: BasisPoints::parse(5_000, 20_000).unwrap(),
            ..Collateral::one_to_one().unwrap()
        };

        let stablecoin = begun(new(AssetKind::Stablecoin));
        let other = begun(NewAsset {
            collateral: Some(half.clone()),
            ..new(AssetKind::Stablecoin)
        });

        assert_eq!(stablecoin.collateral, Collateral::one_to_one());
        assert_eq!(other.collateral, Some(half));
        assert_eq!(begun(new(AssetKind::Equity)).collateral, None);
        assert!(stablecoin.is_paused());
        assert_ne!(stablecoin.address, other.address);
    }
}
