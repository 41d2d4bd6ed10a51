//! Who calls, and what is called for: people with one role each, and a bystander whose things they ask for.

use std::collections::BTreeSet;

use moneyer::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use moneyer::access::plan::{self, PlanName};
use moneyer::access::{self, By, Held, KeyChange, KeyKind, NewKey, NewUser, Permission, Role, Scope};
use moneyer::asset::{AssetKind, Collateral};
use moneyer::collection::{self, NewCollection, NewMintRequest, Profile, Right};
use moneyer::config::TestMarker;
use moneyer::db::{Page, Tx};
use moneyer::error::Error;
use moneyer::identity;
use moneyer::servicing::{self, CollateralUpdate};
use moneyer::types::{Address, Amount, EnvironmentId, ReferenceId};
use moneyer::wallet::{self, Pin, Shown};
use moneyer::webhook::{self, NewSubscription, Scheme, Target, TargetRules};
use moneyer::{asset, policy};
use reqwest::Method;
use serde_json::Value;

use super::routes::{Ask, May, Route};
use crate::support::{Answer, PIN, Person, Server, approve, found_asset, token, wallet as address};

/// How long the key lives that has ended when a test begins.
const DAY_SECONDS: i64 = 86_400;

/// One column of the matrix.
pub struct Caller {
    pub name: String,
    /// `system`, `asset`, or nothing: where the role is held.
    pub place: &'static str,
    pub person: Person,
    /// What counts for [`Stage::asset`].
    pub held: Held,
    /// Their identity is trusted for the topics of the table.
    pub is_trusted: bool,
}

pub struct Stage {
    /// An asset with a cap and collateral, on which each role is held by somebody.
    pub asset: Address,
    /// A collection without a contract, on which each role is held by somebody.
    pub collection: Address,
    /// Registered, a holder, with a PIN and an operation of their own, and without any role now.
    pub bystander: Person,
    /// The bystander's identity, with claims.
    pub identity: Address,
    /// A second key of the bystander.
    pub key: String,
    /// A mint that the bystander requested.
    pub operation: String,
    /// The identity that is trusted.
    pub trusted: Address,
    /// Of the minting API: a project, its environment and that one's secret key, a plan and its key.
    pub minting: Minting,
    /// Told of that environment's mints, and what it was told of one.
    pub webhook: Webhook,
    /// A wallet that nobody has.
    pub unknown: Address,
    pub callers: Vec<Caller>,
    /// What is sent instead of a key that opens something, and what is wrong with it.
    pub closed_keys: Vec<(&'static str, Option<String>)>,
}

pub struct Minting {
    project: String,
    pub environment: String,
    environment_key: String,
    plan_key: String,
}

pub struct Webhook {
    id: String,
    delivery: String,
}

impl Stage {
    pub async fn set(server: &Server) -> Self {
        let asset = found_everything(server).await;
        let collection = found_collection(server).await;
        let bystander = person(server, "bystander", 900).await;
        let elsewhere = person(server, "elsewhere", 901).await;
        let wallet = bystander.wallet;
        let world = server.world.clone();
        let (identity, trusted) = server
            .write(&world.officer.clone(), move |tx, _| {
                approve(tx, &world, &[wallet])?;
                let of = |tx: &mut Tx<'_>, person: &Person, wallet: &Address| {
                    identity::read_by_wallet(tx, &person.ctx(crate::support::START), wallet)
                };
                let own = of(tx, &world.officer, &wallet)?.address;
                Ok((own, of(tx, &world.officer, &world.trusted.wallet)?.address))
            })
            .await;
        let operation = minted_once(server, &asset, &bystander).await;
        let deposit = server.asset(&server.world.deposit).await.id;
        let everywhere_else: Vec<_> = Role::ASSET.iter().map(|role| (elsewhere.wallet, *role)).collect();
        server.grant(Scope::Asset(deposit), &everywhere_else).await;
        let (key, closed_keys) = keys(server, &bystander).await;
        let minting = minting(server, &bystander).await;
        let webhook = webhook(server, &minting).await;
        server.advance(2 * DAY_SECONDS);
        Self {
            asset,
            collection,
            identity,
            key,
            operation,
            trusted,
            minting,
            webhook,
            unknown: address(950),
            callers: callers(server, elsewhere),
            bystander,
            closed_keys,
        }
    }

    /// The path with a value for each parameter.
    pub fn fill(&self, path: &str) -> String {
        let key = match path.contains("{planName}") {
            true => &self.minting.plan_key,
            false => &self.minting.environment_key,
        };
        path.replace("{contract}", &self.asset.to_string())
            .replace("{collection}", &self.collection.to_string())
            .replace("{projectId}", &self.minting.project)
            .replace("{environmentId}", &self.minting.environment)
            .replace("{planName}", PLAN)
            .replace("{keyId}", key)
            .replace("{webhookId}", &self.webhook.id)
            .replace("{deliveryId}", &self.webhook.delivery)
            .replace("{tokenAddress}", &self.asset.to_string())
            .replace("{id}", &self.operation)
            .replace("{userId}", &self.bystander.user.to_string())
            .replace("{wallet}", &self.bystander.wallet.to_string())
            .replace("{identityId}", &self.identity.to_string())
            .replace("{issuerAddress}", &self.trusted.to_string())
            .replace("{name}", "collateral")
    }

    /// Makes the request of a row with any key, or none.
    pub async fn call(&self, server: &Server, route: &Route, key: Option<&str>) -> Answer {
        self.call_at(server, route, &self.fill(route.path), key).await
    }

    /// The same at another path.
    pub async fn call_at(&self, server: &Server, route: &Route, path: &str, key: Option<&str>) -> Answer {
        let method = Method::from_bytes(route.method.as_bytes()).unwrap();
        let request = |path: &str| server.call(method.clone(), key, path);
        match (route.ask)(self) {
            Ask::Nothing => request(path).send().await,
            Ask::Query(query) => request(&format!("{path}?{query}")).send().await,
            Ask::Body(body) => request(path).json(&body).send().await,
        }
    }
}

impl May {
    /// Whether this caller may, by the table of rights.
    pub fn allows(self, caller: &Caller) -> bool {
        let in_system = Held {
            asset: BTreeSet::new(),
            system: caller.held.system.clone(),
        };
        match self {
            Self::Public | Self::Everybody => true,
            Self::Owner => false,
            Self::OnAsset(permission) | Self::Requester(permission) => permission.is_given_by(&caller.held),
            Self::InSystem(permission) | Self::OwnerOr(permission) => permission.is_given_by(&in_system),
            Self::Trust => caller.is_trusted,
            Self::RoleAndTrust(permission) => permission.is_given_by(&in_system) && caller.is_trusted,
        }
    }

    /// The roles that a refusal names, as the audit log has them.
    pub fn required(self) -> Vec<&'static str> {
        let roles = |permission: Permission| match permission.refusal() {
            Error::Forbidden { required } => required,
            other => panic!("{other}"),
        };
        match self {
            Self::OnAsset(permission)
            | Self::Requester(permission)
            | Self::InSystem(permission)
            | Self::OwnerOr(permission)
            | Self::RoleAndTrust(permission) => roles(permission),
            Self::Public | Self::Everybody | Self::Owner | Self::Trust => Vec::new(),
        }
    }
}

fn callers(server: &Server, elsewhere: Person) -> Vec<Caller> {
    let world = &server.world;
    let caller = |name: &str, place, person: &Person, asset: &[Role], system: &[Role]| Caller {
        name: name.to_owned(),
        place,
        person: person.clone(),
        held: Held {
            asset: asset.iter().copied().collect(),
            system: system.iter().copied().collect(),
        },
        is_trusted: person.wallet == world.trusted.wallet,
    };
    let mut callers = vec![
        caller("stranger", "", &world.outsider, &[], &[]),
        caller("elsewhere", "", &elsewhere, &[], &[]),
    ];
    for (role, person) in &world.system {
        callers.push(caller(role.as_str(), "system", person, &[], &[*role]));
    }
    for (role, person) in &world.on_assets {
        callers.push(caller(role.as_str(), "asset", person, &[*role], &[]));
    }
    callers
}

async fn found_everything(server: &Server) -> Address {
    let (world, policies) = (server.world.clone(), server.app.policy().clone());
    let found = move |tx: &mut Tx<'_>, policies: &policy::PolicySet| {
        let new = asset::NewAsset {
            collateral: Collateral::one_to_one(),
            ..token(AssetKind::Equity, "EVERY")
        };
        let address = found_asset(tx, policies, &world, new)?;
        let asset = asset::find_by_address(tx, &address)?.id;
        let update = CollateralUpdate {
            amount: Amount::from(1_000_000),
            expires_at: crate::support::START.plus_seconds(30 * DAY_SECONDS),
        };
        servicing::update_collateral(tx, &world.trusted.ctx(crate::support::START), asset, update)?;
        Ok(address)
    };
    server
        .write(&server.world.creator, move |tx, _| found(tx, &policies))
        .await
}

async fn found_collection(server: &Server) -> Address {
    let policies = server.app.policy().clone();
    let collection = server
        .write(&server.world.creator, move |tx, ctx| {
            let new = NewCollection {
                environment: None,
                minting: collection::Minting::Hybrid,
                many: true,
                adopted: false,
                owner: ctx.actor.wallet,
                profile: Profile::default(),
                metadata_api_url: None,
                policy: None,
            };
            let by = collection::Caller {
                ctx,
                right: Right::Role,
            };
            let founded = collection::found(tx, &by, &policies, &new, |_| address(960))?;
            // The founder's first roles would blur the columns of the matrix.
            let wallet = ctx.actor.wallet;
            let first = [(wallet, Role::Admin), (wallet, Role::Governance)];
            access::revoke(tx, ctx, Scope::Asset(founded.id), &first)?;
            Ok(founded)
        })
        .await;
    let people = server.world.on_assets.iter();
    let grants: Vec<_> = people.map(|(role, person)| (person.wallet, *role)).collect();
    server.grant(Scope::Asset(collection.id), &grants).await;
    collection.address
}

async fn person(server: &Server, name: &'static str, number: u16) -> Person {
    let vault = server.app.vault().clone();
    let by = By::command_line(server.now());
    let person = server
        .write(&server.world.admin, move |tx, _| {
            let new = NewUser {
                name: name.to_owned(),
                wallet: address(number),
            };
            let user = access::create_user(tx, by.clone(), new)?;
            let key = NewKey {
                user: user.id,
                name: None,
                kind: KeyKind::Test,
                expires_at: None,
            };
            let issued = access::create_key(tx, &vault, by.clone(), key)?;
            Ok(Person {
                name: name.to_owned(),
                user: user.id,
                wallet: user.wallet,
                key: issued.key.reveal().to_owned(),
            })
        })
        .await;
    let hash = server.app.verifier().hash_pin(person.user, Pin::parse(PIN).unwrap());
    let hash = hash.await.unwrap();
    server
        .write(&person, move |tx, ctx| {
            wallet::enable_pin(tx, ctx, &hash, Shown::KeyAlone)
        })
        .await;
    person
}

/// A mint of the bystander to themselves, with a role that they have only for that long.
async fn minted_once(server: &Server, asset: &Address, bystander: &Person) -> String {
    let scope = Scope::Asset(server.asset(asset).await.id);
    let role = [(bystander.wallet, Role::SupplyManagement)];
    server.grant(scope, &role).await;
    let body = Server::mint_body(bystander.wallet.to_string(), "5");
    let answer = server.post(bystander, &Server::mint_path(asset), &body).await;
    let operation = answer.header("X-Operation-Id").map(str::to_owned);
    answer.ok();
    server
        .write(&server.world.admin, move |tx, ctx| {
            access::revoke(tx, ctx, scope, &role).map(|_| ())
        })
        .await;
    operation.expect("a mint names its operation")
}

const PLAN: &str = "partners";

async fn minting(server: &Server, owner: &Person) -> Minting {
    let (vault, owner) = (server.app.vault().clone(), owner.user);
    server
        .write(&server.world.admin, move |tx, ctx| {
            let project = environment::create_project(tx, ctx, "Game")?;
            let new = NewEnvironment {
                project: project.id,
                name: "sandbox".to_owned(),
                chain: "book".to_owned(),
                test: true,
                tier: Tier::Standard,
                owner,
            };
            let environment = environment::create(tx, ctx, new)?.id;
            let (marker, secret) = (TestMarker::BeforeHyphen, KeyPurpose::Secret);
            let key = environment::create_key(tx, &vault, marker, ctx, environment, secret)?;
            let name = PlanName::parse(PLAN)?;
            plan::put(tx, ctx, &name, 10, 60)?;
            let plan_key = plan::create_key(tx, &vault, ctx, &name)?;
            Ok(Minting {
                project: project.id.to_string(),
                environment: environment.to_string(),
                environment_key: key.stored.id.to_string(),
                plan_key: plan_key.stored.id.to_string(),
            })
        })
        .await
}

/// A webhook of the environment, and the delivery of a mint into a collection of it.
async fn webhook(server: &Server, minting: &Minting) -> Webhook {
    let (vault, policies) = (server.app.vault().clone(), server.app.policy().clone());
    let environment = EnvironmentId::parse(&minting.environment).unwrap();
    server
        .write(&server.world.admin, move |tx, ctx| {
            let new = NewSubscription {
                scope: webhook::Scope::Environment(environment),
                target: Target::parse("https://example.com/hook", &TargetRules::default()).unwrap(),
                scheme: Scheme::Standard,
                events: None,
            };
            let (stored, _) = webhook::subscribe(tx, &vault, ctx, new)?;
            let caller = collection::Caller {
                ctx,
                right: Right::Environment(environment),
            };
            let new = NewCollection {
                environment: Some(environment),
                minting: collection::Minting::Hybrid,
                many: true,
                adopted: false,
                owner: ctx.actor.wallet,
                profile: Profile::default(),
                metadata_api_url: None,
                policy: None,
            };
            let found = collection::found(tx, &caller, &policies, &new, |_| address(902))?;
            let wish = NewMintRequest {
                reference: ReferenceId::parse("one").unwrap(),
                owner: ctx.actor.wallet,
                token_id: None,
                amount: None,
                metadata: None,
            };
            collection::request_mints(tx, &caller, &policies, found.id, &[wish])?;
            let (deliveries, _) = webhook::deliveries(tx, stored.id, None, &Page::first(1))?;
            Ok(Webhook {
                id: stored.id.to_string(),
                delivery: deliveries[0].id.to_string(),
            })
        })
        .await
}

/// A key of the bystander that stays, and all that opens nothing.
async fn keys(server: &Server, bystander: &Person) -> (String, Vec<(&'static str, Option<String>)>) {
    let (vault, user) = (server.app.vault().clone(), bystander.user);
    let (id, disabled, deleted, expired) = server
        .write(bystander, move |tx, ctx| {
            let key = |tx: &mut Tx<'_>, expires_at| {
                let new = NewKey {
                    user,
                    name: Some("second".to_owned()),
                    kind: KeyKind::Test,
                    expires_at,
                };
                access::create_key(tx, &vault, ctx, new)
            };
            let stays = key(tx, None)?;
            let (disabled, deleted) = (key(tx, None)?, key(tx, None)?);
            let expired = key(tx, Some(ctx.now.plus_seconds(DAY_SECONDS)))?;
            let change = KeyChange {
                name: None,
                enabled: Some(false),
            };
            access::update_key(tx, ctx, user, &disabled.stored.id, &change)?;
            access::delete_key(tx, ctx, user, &deleted.stored.id)?;
            let clear = |issued: &access::IssuedKey| issued.key.reveal().to_owned();
            Ok((
                stays.stored.id.to_string(),
                clear(&disabled),
                clear(&deleted),
                clear(&expired),
            ))
        })
        .await;
    let mut mistyped = bystander.key.clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    let closed = vec![
        ("none", None),
        ("an empty one", Some(String::new())),
        ("garbage", Some("let-me-in".to_owned())),
        ("a mistyped one", Some(mistyped)),
        ("a disabled one", Some(disabled)),
        ("a deleted one", Some(deleted)),
        ("an expired one", Some(expired)),
    ];
    (id, closed)
}

/// `requiredRoles` of a 403, as a list.
pub fn required_roles(data: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a role is text").to_owned();
    match &data["requiredRoles"] {
        Value::String(role) => vec![role.clone()],
        roles => roles["any"].as_array().expect("{any: […]}").iter().map(text).collect(),
    }
}
