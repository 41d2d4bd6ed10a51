//! Whom a test can begin with: one person per role, approved recipients, and an asset of each sort.

use std::collections::BTreeMap;

use moneyer::access::{self, By, Grant, KeyKind, NewKey, NewUser, Role, Scope};
use moneyer::app::App;
use moneyer::asset::{
    self, AssetKind, AssetName, BasisPoints, Collateral, Decimals, NewAsset, Price, Settlement, Symbol, Token,
};
use moneyer::compliance::{self, SANCTIONS_SAMPLE, SanctionsFile, Shrink};
use moneyer::ctx::{Actor, Ctx};
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::identity::{self, ClaimData, ClaimTerms};
use moneyer::servicing::{self, CollateralUpdate};
use moneyer::types::{Address, Amount, CountryCode, Currency, Dnum, Isin, RequestId, Timestamp, TopicName, UserId};
use moneyer::wallet::{self, Pin, Shown};
use serde_json::json;

use super::server::{Options, open};

/// When every test begins: 2026-06-01T12:00:00Z.
pub const START: Timestamp = Timestamp::from_seconds(1_780_315_200);
/// Everybody's PIN.
pub const PIN: &str = "123456";
/// Until when the stablecoin's collateral is good.
pub const COLLATERAL_UNTIL: Timestamp = START.plus_seconds(30 * 86_400);
/// Recipients that are registered in Germany, with claims of both topics that the equity's policy asks for.
const RECIPIENTS: u16 = 110;
const TOPICS: [&str; 3] = ["knowYourCustomer", "antiMoneyLaundering", "collateral"];

#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    pub user: UserId,
    pub wallet: Address,
    pub key: String,
}

impl Person {
    pub fn actor(&self) -> Actor {
        Actor {
            user: self.user,
            wallet: self.wallet,
        }
    }

    pub fn ctx(&self, now: Timestamp) -> Ctx {
        Ctx {
            actor: self.actor(),
            request_id: RequestId::generate(),
            now,
        }
    }
}

/// Everybody has a key and a [`PIN`]. Persons hold the one role they are named after and nothing else; roles on assets
/// are held on all of them.
#[derive(Clone, Debug)]
pub struct World {
    pub system: BTreeMap<Role, Person>,
    pub on_assets: BTreeMap<Role, Person>,
    /// The system's admin.
    pub admin: Person,
    /// Identity manager.
    pub officer: Person,
    /// Claim issuer, whose identity is trusted for KYC, AML and collateral.
    pub trusted: Person,
    /// Token manager.
    pub creator: Person,
    /// Supply management on every asset.
    pub issuer: Person,
    pub custodian: Person,
    pub emergency: Person,
    /// A user without any role.
    pub outsider: Person,

    pub recipients: Vec<Address>,
    /// 18 decimals, cap of a million whole units, policy `demo-equity` (KYC and AML).
    pub equity: Address,
    /// 6 decimals, backed one to one by collateral of 1,000,000.000000 until [`COLLATERAL_UNTIL`].
    pub stablecoin: Address,
    /// 2 decimals, cap of 1,000.00, matures a year after [`START`].
    pub bond: Address,
    /// No decimals, no cap: only the baseline applies.
    pub deposit: Address,
    /// As the equity, and not started yet.
    pub paused: Address,
}

pub fn wallet(number: u16) -> Address {
    let mut bytes = [0xa0; 20];
    bytes[18..].copy_from_slice(&number.to_be_bytes());
    Address::from_bytes(bytes)
}

/// The wallet of a recipient of the world, and of those that a test registers itself from `RECIPIENTS` on.
pub fn recipient(number: u16) -> Address {
    wallet(1_000 + number)
}

/// Builds the world in an empty database.
pub(super) async fn create(url: &str) -> World {
    let app = open(url, &Options::default(), START);
    app.db().migrate(false).unwrap();
    let vault = std::sync::Arc::clone(app.vault());
    let (people, policy) = (people(), std::sync::Arc::clone(app.policy()));
    let founded = app.db().write(move |tx| {
        identity::seed_topics(tx, START)?;
        compliance::record_policy(tx, &policy, START)?;
        compliance::activate_policy(tx, &policy, "system", START)?;
        import_sanctions(tx, START)?;
        people
            .iter()
            .map(|(name, wallet)| person(tx, &vault, name, *wallet))
            .collect::<Result<Vec<_>, Error>>()
    });
    let people = founded.await.unwrap();
    set_pins(&app, &people).await;
    let world = roles_of(people);
    let (app_policy, founder) = (std::sync::Arc::clone(app.policy()), world.clone());
    let write = move |tx: &mut Tx<'_>| {
        grant_system_roles(tx, &founder)?;
        approve(tx, &founder, &founder.recipients)?;
        let mut world = founder.clone();
        let mut create = |new| found_asset(tx, &app_policy, &founder, new);
        world.equity = create(token(AssetKind::Equity, "ACME"))?;
        world.stablecoin = create(token(AssetKind::Stablecoin, "AUSD"))?;
        world.bond = create(token(AssetKind::Bond, "ABND"))?;
        world.deposit = create(token(AssetKind::Deposit, "ADEP"))?;
        world.paused = create(token(AssetKind::Equity, "PAUSED"))?;
        let paused = asset::find_by_address(tx, &world.paused)?;
        servicing::pause(tx, &founder.emergency.ctx(START), paused.id)?;
        collateralize(tx, &world)?;
        Ok(world)
    };
    app.db().write(write).await.unwrap()
}

/// Names and wallets: a person for each role in the system, one for each role on assets, and the outsider.
fn people() -> Vec<(String, Address)> {
    let names = Role::SYSTEM
        .iter()
        .map(|role| format!("system {role}"))
        .chain(Role::ASSET.iter().map(|role| format!("asset {role}")))
        .chain(["outsider".to_owned()]);
    (1..).zip(names).map(|(number, name)| (name, wallet(number))).collect()
}

fn person(tx: &mut Tx<'_>, vault: &access::Vault, name: &str, wallet: Address) -> Result<Person, Error> {
    let by = By::command_line(START);
    let new = NewUser {
        name: name.to_owned(),
        wallet,
    };
    let user = access::create_user(tx, by.clone(), new)?;
    let new = NewKey {
        user: user.id,
        name: None,
        kind: KeyKind::Test,
        expires_at: None,
    };
    let issued = access::create_key(tx, vault, by, new)?;
    Ok(Person {
        name: name.to_owned(),
        user: user.id,
        wallet,
        key: issued.key.reveal().to_owned(),
    })
}

async fn set_pins(app: &App, people: &[Person]) {
    let mut hashes = Vec::new();
    for person in people {
        let hash = app.verifier().hash_pin(person.user, Pin::parse(PIN).unwrap());
        hashes.push((person.clone(), hash.await.unwrap()));
    }
    let write = move |tx: &mut Tx<'_>| {
        hashes
            .iter()
            .try_for_each(|(person, hash)| wallet::enable_pin(tx, &person.ctx(START), hash, Shown::KeyAlone))
    };
    app.db().write(write).await.unwrap();
}

fn roles_of(people: Vec<Person>) -> World {
    let mut people = people.into_iter();
    let system: BTreeMap<Role, Person> = Role::SYSTEM.into_iter().zip(&mut people).collect();
    let on_assets: BTreeMap<Role, Person> = Role::ASSET.into_iter().zip(&mut people).collect();
    World {
        admin: system[&Role::Admin].clone(),
        officer: system[&Role::IdentityManager].clone(),
        trusted: system[&Role::ClaimIssuer].clone(),
        creator: system[&Role::TokenManager].clone(),
        issuer: on_assets[&Role::SupplyManagement].clone(),
        custodian: on_assets[&Role::Custodian].clone(),
        emergency: on_assets[&Role::Emergency].clone(),
        outsider: people.next().unwrap(),
        system,
        on_assets,
        recipients: (0..RECIPIENTS).map(recipient).collect(),
        equity: Address::ZERO,
        stablecoin: Address::ZERO,
        bond: Address::ZERO,
        deposit: Address::ZERO,
        paused: Address::ZERO,
    }
}

fn grant_system_roles(tx: &mut Tx<'_>, world: &World) -> Result<(), Error> {
    let grants: Vec<Grant> = world
        .system
        .iter()
        .map(|(role, person)| (person.wallet, *role))
        .collect();
    access::grant(tx, By::command_line(START), Scope::System, &grants)?;
    let curator = world.system[&Role::ClaimPolicyManager].ctx(START);
    let issuer = identity::create(tx, &world.trusted.ctx(START), world.trusted.wallet)?;
    let topics = TOPICS.map(topic);
    identity::add_trusted_issuer(tx, &curator, &issuer.address, &topics).map(|_| ())
}

/// Registers wallets in Germany and claims both topics of them.
pub fn approve(tx: &mut Tx<'_>, world: &World, wallets: &[Address]) -> Result<(), Error> {
    let germany = CountryCode::parse_alpha2("DE").unwrap();
    let entries: Vec<(Address, CountryCode)> = wallets.iter().map(|wallet| (*wallet, germany)).collect();
    let identities = identity::register_many(tx, &world.officer.ctx(START), &entries)?;
    let targets: Vec<Address> = identities.iter().map(|identity| identity.address).collect();
    for name in ["knowYourCustomer", "antiMoneyLaundering"] {
        let data = ClaimData::Values(json!({ "claim": "checked" }));
        let terms = ClaimTerms::default();
        identity::issue_many(tx, &world.trusted.ctx(START), &topic(name), &data, &targets, &terms)?;
    }
    Ok(())
}

fn collateralize(tx: &mut Tx<'_>, world: &World) -> Result<(), Error> {
    let stablecoin = asset::find_by_address(tx, &world.stablecoin)?.id;
    let update = CollateralUpdate {
        amount: Amount::from(1_000_000_000_000),
        expires_at: COLLATERAL_UNTIL,
    };
    servicing::update_collateral(tx, &world.trusted.ctx(START), stablecoin, update)
}

/// Creates an asset, gives everybody their role on it (the creator keeps none), and starts it.
pub fn found_asset(
    tx: &mut Tx<'_>,
    policies: &moneyer::policy::PolicySet,
    world: &World,
    new: NewAsset,
) -> Result<Address, Error> {
    let creator = world.creator.ctx(START);
    let (created, _) = servicing::create(tx, &creator, policies, new)?;
    let scope = Scope::Asset(created.id);
    let grants: Vec<Grant> = world
        .on_assets
        .iter()
        .map(|(role, person)| (person.wallet, *role))
        .collect();
    access::grant(tx, &creator, scope, &grants)?;
    let own = [Role::Admin, Role::Governance].map(|role| (creator.actor.wallet, role));
    access::revoke(tx, &creator, scope, &own)?;
    servicing::unpause(tx, &world.emergency.ctx(START), created.id)?;
    Ok(created.address)
}

/// An asset of each kind as the world has it; a test changes what it is about.
pub fn token(kind: AssetKind, symbol: &str) -> NewAsset {
    let needs_class = matches!(kind, AssetKind::Equity | AssetKind::Fund);
    let price = |text| Price {
        value: Dnum::parse_decimal(text).unwrap(),
        currency: Currency::parse("USD").unwrap(),
    };
    let (decimals, price, cap) = match kind {
        AssetKind::Equity => (18, Some(price("100.00")), Some("1000000000000000000000000")),
        AssetKind::Fund => (18, Some(price("10.00")), None),
        AssetKind::Stablecoin => (6, Some(price("1.00")), None),
        AssetKind::Deposit => (0, Some(price("1.00")), None),
        AssetKind::Bond => (2, None, Some("100000")),
        AssetKind::Erc721 | AssetKind::Erc1155 => (0, None, None),
    };
    NewAsset {
        kind,
        name: AssetName::parse("ACME Holdings").unwrap(),
        symbol: Symbol::parse(symbol).unwrap(),
        decimals: Decimals::parse(decimals).unwrap(),
        isin: (kind == AssetKind::Equity).then(|| Isin::parse("US0378331005").unwrap()),
        country: CountryCode::parse_alpha2("BE").ok(),
        class: needs_class.then(|| Token::parse("COMMON_EQUITY").unwrap()),
        category: needs_class.then(|| Token::parse("VOTING_COMMON_STOCK").unwrap()),
        price,
        face_value: (kind == AssetKind::Bond).then(|| Amount::from(100_000)),
        denomination_asset: None,
        maturity: (kind == AssetKind::Bond).then(|| START.plus_seconds(365 * 86_400)),
        management_fee: (kind == AssetKind::Fund).then(|| BasisPoints::parse(150, BasisPoints::FEE_MAX).unwrap()),
        settlement: Settlement::Book,
        policy: (kind == AssetKind::Equity).then(|| "demo-equity".to_owned()),
        cap: cap.map(|text| Amount::parse(text).unwrap()),
        collateral: (kind == AssetKind::Stablecoin).then(Collateral::one_to_one).flatten(),
        modules: Vec::new(),
    }
}

/// The made-up list, dated now: it counts for a week.
pub fn import_sanctions(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    let file = SanctionsFile {
        name: "sample",
        as_of: now,
        bytes: SANCTIONS_SAMPLE,
        shrink: Shrink::Refuse,
    };
    compliance::import_sanctions(tx, now, &file).map(|_| ())
}

pub fn topic(name: &str) -> TopicName {
    TopicName::parse(name).unwrap()
}
