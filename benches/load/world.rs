//! Who and what the load is about: issuers with API keys and PINs, assets that may be minted, recipients who may hold.
//! Everything is made by the domain's own functions, as the API would make it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moneyer::access::{self, By, KeyKind, NewKey, NewUser, Role, Scope, User, Vault};
use moneyer::app::Clock;
use moneyer::asset::{Asset, AssetKind, AssetName, Decimals, NewAsset, Price, Settlement, Symbol, Token};
use moneyer::chain::contracts::token::Switch;
use moneyer::compliance::{self, SANCTIONS_SAMPLE, SanctionsFile, Shrink};
use moneyer::ctx::Ctx;
use moneyer::db::{Db, Tx};
use moneyer::error::Error;
use moneyer::identity::{self, ClaimData, ClaimTerms};
use moneyer::policy::{self, PolicySet};
use moneyer::servicing;
use moneyer::types::{Address, Amount, CountryCode, Currency, Dnum, RequestId, TopicName};
use moneyer::wallet::{self, Pin, Shown, Verifier};
use secrecy::SecretBox;
use serde_json::json;

use crate::Outcome;

/// The keys outside the database, for the seeding and for the server.
pub const PEPPER: [u8; 32] = [0x5a; 32];
pub const DATA_KEY: [u8; 32] = [0xa5; 32];

/// Both claims that the policy asks for, see policies/assets/demo-equity.toml.
const POLICY: &str = "demo-equity";
const TOPICS: [&str; 2] = ["knowYourCustomer", "antiMoneyLaundering"];
/// Embargoed by no policy of ours.
const COUNTRIES: [&str; 4] = ["BE", "FR", "NL", "PT"];
/// Wallets that are registered by one transaction.
const REGISTRATION_MAX: usize = 1_000;
/// Far above what any run mints, so that the rule is checked and never refuses.
const CAP: &str = "1000000000000000000000000000000000000";

pub struct World {
    pub officer: Ctx,
    pub assets: Vec<Asset>,
    /// Assets of the same kind that no request names: the ceiling is measured on them.
    pub spare_assets: Vec<Asset>,
    pub issuers: Vec<Issuer>,
    pub recipients: Vec<Address>,
    /// Others who may hold, whom the load by itself mints nothing to.
    pub apart: Vec<Address>,
}

/// How the assets settle, and for whom besides the load's recipients.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub settlement: Settlement,
    pub holder_transfers: Switch,
    pub apart: &'a [Address],
}

impl Terms<'_> {
    pub const BOOK: Self = Self {
        settlement: Settlement::Book,
        holder_transfers: Switch::Off,
        apart: &[],
    };
    pub const CHAIN: Self = Self {
        settlement: Settlement::Evm,
        ..Self::BOOK
    };
}

/// May mint on every asset.
pub struct Issuer {
    pub user: User,
    pub api_key: String,
    pub pin: String,
}

#[derive(Clone, Copy)]
pub struct Size {
    pub assets: usize,
    pub spare_assets: usize,
    pub issuers: usize,
    pub recipients: usize,
}

pub fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

/// Brings an empty database to the state in which every request of the load is allowed.
pub fn create(db: &Db, size: Size) -> Outcome<World> {
    db.migrate(false)?;
    create_with(db, size, Terms::BOOK)
}

/// A system with nobody in it but an officer.
pub struct Founded {
    pub officer: Ctx,
    pub policies: PolicySet,
    pub vault: Arc<Vault>,
}

/// On a database that has its schema.
pub fn found(db: &Db) -> Outcome<Founded> {
    let policies = policy::load(&policies()).map_err(|errors| format!("{errors:?}"))?;
    let vault = Arc::new(Vault::new(
        &SecretBox::new(Box::new(PEPPER)),
        &SecretBox::new(Box::new(DATA_KEY)),
    ));
    let officer = found_system(db, &policies)?;
    Ok(Founded {
        officer,
        policies,
        vault,
    })
}

/// The same on a database that has its schema, on these terms.
pub fn create_with(db: &Db, size: Size, terms: Terms<'_>) -> Outcome<World> {
    let Founded {
        officer,
        policies,
        vault,
    } = found(db)?;
    let recipients: Vec<Address> = (0..size.recipients).map(|number| wallet(b'r', number)).collect();
    for wallets in recipients.chunks(REGISTRATION_MAX).chain([terms.apart]) {
        db.write_blocking(|tx| approve(tx, &officer, wallets))?;
    }
    let issuers = create_issuers(db, &vault, size.issuers)?;
    let mut assets = Vec::new();
    for number in 0..size.assets + size.spare_assets {
        assets.push(db.write_blocking(|tx| create_asset(tx, &officer, &policies, (number, terms), &issuers))?);
    }
    Ok(World {
        officer,
        apart: terms.apart.to_vec(),
        spare_assets: assets.split_off(size.assets),
        assets,
        issuers,
        recipients,
    })
}

/// Topics, policy, sanctions list, and one person with every system role whose claims count.
fn found_system(db: &Db, policies: &PolicySet) -> Outcome<Ctx> {
    let now = Clock::System.now();
    let officer = db.write_blocking(|tx| {
        identity::seed_topics(tx, now)?;
        compliance::activate_policy(tx, policies, "admin", now)?;
        let sanctions = SanctionsFile {
            name: "sample",
            as_of: now,
            bytes: SANCTIONS_SAMPLE,
            shrink: Shrink::Refuse,
        };
        compliance::import_sanctions(tx, now, &sanctions)?;
        let user = access::bootstrap_admin(tx, now, "Officer", wallet(b'o', 0))?;
        let roles = [
            Role::TokenManager,
            Role::IdentityManager,
            Role::ClaimPolicyManager,
            Role::ClaimIssuer,
        ];
        let grants = roles.map(|role| (user.wallet, role));
        access::grant(tx, By::command_line(now), Scope::System, &grants)?;
        let officer = ctx(&user);
        let identity = identity::create(tx, &officer, user.wallet)?;
        identity::add_trusted_issuer(tx, &officer, &identity.address, &topics()?)?;
        Ok(officer)
    })?;
    Ok(officer)
}

/// Registers the wallets and claims of them what the policy asks for.
fn approve(tx: &mut Tx<'_>, officer: &Ctx, wallets: &[Address]) -> Result<(), Error> {
    let countries = COUNTRIES
        .iter()
        .map(|code| CountryCode::parse_alpha2(code).map_err(Error::internal))
        .collect::<Result<Vec<_>, _>>()?;
    let entries: Vec<_> = wallets.iter().copied().zip(countries.into_iter().cycle()).collect();
    let identities = identity::register_many(tx, officer, &entries)?;
    let targets: Vec<Address> = identities.iter().map(|identity| identity.address).collect();
    let data = ClaimData::Values(json!({ "claim": "verified" }));
    for topic in topics()? {
        identity::issue_many(tx, officer, &topic, &data, &targets, &ClaimTerms::default())?;
    }
    Ok(())
}

fn create_issuers(db: &Db, vault: &Arc<Vault>, count: usize) -> Outcome<Vec<Issuer>> {
    let verifier = Verifier::new(Arc::clone(vault))?;
    let mut issuers = Vec::new();
    for number in 0..count {
        let new = NewUser {
            name: format!("Issuer {number}"),
            wallet: wallet(b'i', number),
        };
        let by = By::command_line(Clock::System.now());
        let user = db.write_blocking(|tx| access::create_user(tx, by.clone(), new.clone()))?;
        let pin = format!("{:06}", 271_828 + number);
        let hash = hash_pin(&verifier, &user, &pin)?;
        let key = NewKey {
            user: user.id,
            name: None,
            kind: KeyKind::Live,
            expires_at: None,
        };
        let issued = db.write_blocking(|tx| {
            wallet::enable_pin(tx, &ctx(&user), &hash, Shown::KeyAlone)?;
            access::create_key(tx, vault, by.clone(), key.clone())
        })?;
        let api_key = issued.key.reveal().to_owned();
        issuers.push(Issuer { user, api_key, pin });
    }
    Ok(issuers)
}

#[tokio::main(flavor = "current_thread")]
async fn hash_pin(verifier: &Verifier, user: &User, pin: &str) -> Outcome<wallet::PinHash> {
    Ok(verifier.hash_pin(user.id, Pin::parse(pin)?).await?)
}

fn create_asset(
    tx: &mut Tx<'_>,
    officer: &Ctx,
    policies: &PolicySet,
    (number, terms): (usize, Terms<'_>),
    issuers: &[Issuer],
) -> Result<Asset, Error> {
    let new = equity(number, terms.settlement).map_err(Error::internal)?;
    let (asset, _) = servicing::create_with(tx, officer, policies, new, terms.holder_transfers)?;
    let mut grants: Vec<_> = issuers
        .iter()
        .map(|issuer| (issuer.user.wallet, Role::SupplyManagement))
        .collect();
    grants.extend([Role::Emergency, Role::Custodian].map(|role| (officer.actor.wallet, role)));
    access::grant(tx, officer, Scope::Asset(asset.id), &grants)?;
    servicing::unpause(tx, officer, asset.id)?;
    Ok(asset)
}

fn equity(number: usize, settlement: Settlement) -> Outcome<NewAsset> {
    Ok(NewAsset {
        kind: AssetKind::Equity,
        name: AssetName::parse(&format!("Load {number}"))?,
        symbol: Symbol::parse(&format!("LOAD{number}"))?,
        decimals: Decimals::parse(18)?,
        isin: None,
        country: Some(CountryCode::parse_alpha2("BE")?),
        class: Some(Token::parse("COMMON_EQUITY")?),
        category: Some(Token::parse("VOTING_COMMON_STOCK")?),
        price: Some(Price {
            value: Dnum::parse_decimal("100.00")?,
            currency: Currency::parse("EUR")?,
        }),
        face_value: None,
        denomination_asset: None,
        maturity: None,
        management_fee: None,
        settlement,
        policy: Some(POLICY.to_owned()),
        cap: Some(Amount::parse(CAP)?),
        collateral: None,
        modules: Vec::new(),
    })
}

fn topics() -> Result<Vec<TopicName>, Error> {
    let topics = TOPICS
        .iter()
        .map(|name| TopicName::parse(name).map_err(Error::internal));
    topics.collect()
}

fn ctx(user: &User) -> Ctx {
    Ctx {
        actor: user.actor(),
        request_id: RequestId::generate(),
        now: Clock::System.now(),
    }
}

/// Different for every group and number, spread over all bytes as real addresses are.
pub fn wallet(group: u8, number: usize) -> Address {
    let hash = moneyer::types::sha256(format!("{group} {number}").as_bytes());
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&hash.as_bytes()[..20]);
    Address::from_bytes(bytes)
}
