//! Whom and what the sequences are about: people of every sort, and an asset for each sort of rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use diesel::{ExpressionMethods as _, RunQueryDsl as _};
use moneyer::asset::{self, AssetKind, BasisPoints, Collateral, Decimals, NewAsset, NewModule};
use moneyer::compliance::{self, SANCTIONS_SAMPLE};
use moneyer::db::Tx;
use moneyer::db::schema::identity_wallets;
use moneyer::error::Error;
use moneyer::identity::{self, ClaimData, ClaimTerms};
use moneyer::on;
use moneyer::policy::{self, PolicySet};
use moneyer::types::{Address, CountryCode, Timestamp};
use serde_json::{Value, json};

use crate::model::{Book, Claim, EMBARGOED, Model, Person, Rule, Topic, Units, amount};
use crate::support::{START, World, found_asset, import_sanctions, token, topic, wallet};

const DAY: i64 = 86_400;
/// How long a claim is good when nobody says otherwise: the shortest of the topics' own ends.
const CLAIMED_SECONDS: i64 = 200 * DAY;

/// The policy of the first asset; the numbers are also those of [`template`].
const POLICY: &str = r#"
[policy]
id = "sequence"
version = 1
extends = ["baseline"]
owner = "compliance@example.org"
review_by = 2027-06-30

[[rule]]
id = "kyc"
why = "a claim that is issued, revoked and expires"
check.identity = { require = "kyc" }

[[rule]]
id = "aml"
why = "another one"
check.identity = { require = "aml" }

[[rule]]
id = "holding"
why = "a limit per identity, of two decimals"
check.max_holding = { max = "500.25" }

[[rule]]
id = "holders"
why = "limits that lines of one request reach together"
check.holder_limit = { max = 14, per_country = { DE = 6, BE = 4 } }
"#;

/// The shipped policies and the one above.
pub(super) fn policies() -> Arc<PolicySet> {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"), folder.path());
    fs::write(folder.path().join("assets/sequence.toml"), POLICY).unwrap();
    Arc::new(policy::load(folder.path()).unwrap())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(super) fn topic_name(of: Topic) -> moneyer::types::TopicName {
    topic(match of {
        Topic::Kyc => "knowYourCustomer",
        Topic::Aml => "antiMoneyLaundering",
    })
}

// --- people ---------------------------------------------------------------------------------------------------------

/// Country, claims, and how many wallets.
type Sort = (Option<&'static str>, bool, usize);

fn sorts() -> Vec<Sort> {
    let countries = ["DE", "DE", "BE", "FR", "US", "BE"];
    let good = (0..24).map(|n| {
        (
            Some(countries[n % countries.len()]),
            true,
            1 + usize::from(n < 7) + usize::from(n == 0),
        )
    });
    let others = [
        (Some("DE"), false, 1),
        (Some("FR"), false, 2),
        (Some(EMBARGOED), true, 1),
        (None, false, 1),
        (None, false, 1),
    ];
    good.chain(others).collect()
}

/// Fills the database with people and puts the policies in force.
pub(super) fn begin(tx: &mut Tx<'_>, world: &World, policies: &PolicySet) -> Result<Model, Error> {
    compliance::record_policy(tx, policies, START)?;
    compliance::activate_policy(tx, policies, "test", START)?;
    import_sanctions(tx, START)?;
    let listed = &listed_wallets()[..2];
    let mut numbers = 20_000..;
    let mut people = Vec::new();
    for (country, claimed, wallets) in sorts() {
        let wallets: Vec<Address> = numbers.by_ref().take(wallets).map(wallet).collect();
        people.push(person(tx, world, wallets, country, claimed)?);
    }
    for wallet in listed {
        people.push(person(tx, world, vec![*wallet], Some("DE"), true)?);
    }
    claim(tx, world, &people)?;
    Ok(Model {
        now: START,
        people,
        strangers: (30_000..30_003).map(wallet).collect(),
        sanctioned: listed_wallets().into_iter().collect(),
        sanctions_as_of: START,
        trusted: BTreeSet::from([Topic::Kyc, Topic::Aml]),
        books: Vec::new(),
    })
}

fn listed_wallets() -> Vec<Address> {
    let fields = std::str::from_utf8(SANCTIONS_SAMPLE).unwrap().lines();
    let fields = fields.filter_map(|line| line.split(',').next());
    fields.filter_map(|field| Address::parse(field).ok()).collect()
}

fn person(
    tx: &mut Tx<'_>,
    world: &World,
    wallets: Vec<Address>,
    country: Option<&'static str>,
    claimed: bool,
) -> Result<Person, Error> {
    let officer = world.officer.ctx(START);
    let mut identity = identity::create(tx, &officer, wallets[0])?;
    if let Some(country) = country {
        let country = CountryCode::parse_alpha2(country).unwrap();
        identity = identity::register(tx, &officer, wallets[0], country)?;
    }
    // No route gives an identity a second wallet yet; the rules know it all the same.
    for more in &wallets[1..] {
        let row = (
            identity_wallets::wallet.eq(*more),
            identity_wallets::identity_id.eq(identity.id),
        );
        on!(tx, c => diesel::insert_into(identity_wallets::table).values(row).execute(c))?;
    }
    let checked = Claim {
        not_before: START,
        expires_at: START.plus_seconds(CLAIMED_SECONDS),
        is_revoked: false,
    };
    let topics = [Topic::Kyc, Topic::Aml].into_iter().filter(|_| claimed);
    Ok(Person {
        identity: identity.address,
        wallets,
        country,
        claims: topics.map(|topic| (topic, vec![checked])).collect(),
    })
}

fn claim(tx: &mut Tx<'_>, world: &World, people: &[Person]) -> Result<(), Error> {
    let claimed = people.iter().filter(|person| !person.claims.is_empty());
    let targets: Vec<Address> = claimed.map(|person| person.identity).collect();
    for topic in [Topic::Kyc, Topic::Aml] {
        issue(
            tx,
            world,
            START,
            topic,
            &targets,
            START,
            START.plus_seconds(CLAIMED_SECONDS),
        )?;
    }
    Ok(())
}

pub(super) fn issue(
    tx: &mut Tx<'_>,
    world: &World,
    now: Timestamp,
    topic: Topic,
    targets: &[Address],
    not_before: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    let data = ClaimData::Values(json!({ "claim": "checked" }));
    let terms = ClaimTerms {
        not_before: Some(not_before),
        expires_at: Some(expires_at),
        ..ClaimTerms::default()
    };
    identity::issue_many(tx, &world.trusted.ctx(now), &topic_name(topic), &data, targets, &terms).map(|_| ())
}

// --- assets ---------------------------------------------------------------------------------------------------------

/// What an asset is to the server, and what it is to the model.
struct Template {
    new: NewAsset,
    rules: Vec<Rule>,
}

fn template(number: usize, people: &[Person], now: Timestamp) -> Template {
    let of = |kind, decimals, cap: Option<u64>| NewAsset {
        decimals: Decimals::parse(decimals).unwrap(),
        policy: None,
        cap: cap.map(moneyer::types::Amount::from),
        collateral: None,
        maturity: None,
        ..token(kind, "SEQ")
    };
    match number {
        0 => Template {
            new: NewAsset {
                policy: Some("sequence".to_owned()),
                ..of(AssetKind::Equity, 2, Some(400_000))
            },
            rules: vec![
                Rule::Claimed(vec![Topic::Kyc]),
                Rule::Claimed(vec![Topic::Aml]),
                Rule::HoldingMax(Units::from(50_025)),
                holders(14, &[("DE", 6), ("BE", 4)]),
            ],
        },
        1 => limited(of(AssetKind::Equity, 0, Some(90_000)), people),
        2 => backed(of(AssetKind::Stablecoin, 6, None), 10_000, Vec::new()),
        3 => {
            let either = module("identity-verification", json!("kyc or aml"));
            let mut template = backed(of(AssetKind::Fund, 18, None), 12_501, vec![either]);
            template.rules = vec![Rule::Claimed(vec![Topic::Kyc, Topic::Aml])];
            template
        }
        4 => Template {
            new: of(AssetKind::Deposit, 0, None),
            rules: Vec::new(),
        },
        _ => Template {
            new: NewAsset {
                maturity: Some(now.plus_seconds(5 * DAY)),
                modules: vec![module("country-allow-list", json!(["DE", "FR", "US"]))],
                ..of(AssetKind::Bond, 2, Some(100_000))
            },
            rules: vec![Rule::OnlyCountries(BTreeSet::from(["DE", "FR", "US"]))],
        },
    }
}

fn limited(new: NewAsset, people: &[Person]) -> Template {
    let (wallet, identity) = (people[3].wallets[0], people[5].identity);
    let modules = vec![
        module(
            "investor-count",
            json!({ "maxInvestors": 12, "countryCodes": ["FR"], "countryLimits": [2] }),
        ),
        module("token-supply-limit", json!({ "maxSupply": "60000" })),
        module("address-block-list", json!([wallet, support_stranger()])),
        module("identity-block-list", json!([identity])),
    ];
    Template {
        new: NewAsset { modules, ..new },
        rules: vec![
            holders(12, &[("FR", 2)]),
            Rule::SupplyMax(Units::from(60_000)),
            Rule::BlockedWallets(BTreeSet::from([wallet, support_stranger()])),
            Rule::BlockedPeople(BTreeSet::from([5])),
        ],
    }
}

fn support_stranger() -> Address {
    wallet(30_000)
}

fn backed(new: NewAsset, bps: u16, modules: Vec<NewModule>) -> Template {
    let collateral = Collateral {
        topic: topic("collateral"),
        ratio: BasisPoints::parse(bps.into(), Collateral::RATIO_MAX).unwrap(),
    };
    Template {
        new: NewAsset {
            collateral: Some(collateral),
            modules,
            ..new
        },
        rules: Vec::new(),
    }
}

fn holders(max: usize, per_country: &[(&'static str, usize)]) -> Rule {
    Rule::Holders {
        max,
        per_country: per_country.iter().copied().collect(),
    }
}

fn module(type_id: &str, values: Value) -> NewModule {
    NewModule {
        type_id: type_id.to_owned(),
        module: None,
        values,
    }
}

/// Creates the asset of this number; it is started, and nothing is issued.
pub(super) fn open(
    tx: &mut Tx<'_>,
    world: &World,
    policies: &PolicySet,
    number: usize,
    people: &[Person],
    now: Timestamp,
) -> Result<Book, Error> {
    let Template { new, rules } = template(number, people, now);
    let collateral_bps = new
        .collateral
        .as_ref()
        .map(|collateral| u64::from(collateral.ratio.get()));
    let (maturity, cap) = (new.maturity, new.cap.map(crate::model::units));
    let address = found_asset(tx, policies, world, new)?;
    let asset = asset::find_by_address(tx, &address)?;
    assert_eq!(asset.cap, cap.map(amount));
    Ok(Book {
        asset: asset.id,
        maturity,
        collateral_bps,
        rules,
        cap,
        backing: None,
        is_paused: false,
        may_mint: true,
        frozen: BTreeSet::new(),
        balances: BTreeMap::new(),
        next_operation: asset.next_operation,
        answers: BTreeMap::new(),
        events: crate::model::Events::default(),
    })
}
