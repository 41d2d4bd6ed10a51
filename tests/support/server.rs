//! A server in this process, and what a test asks of it.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use moneyer::access::{Grant, Scope};
use moneyer::app::{App, Clock};
use moneyer::audit::{self, EventFilter, Recorded};
use moneyer::config::Config;
use moneyer::ctx::Ctx;
use moneyer::db::{Page, Tx};
use moneyer::error::Error;
use moneyer::reports::{self, Integrity};
use moneyer::server::{self, Running, Shape};
use moneyer::types::{Address, AssetId, RequestId, Timestamp};
use moneyer::{asset, policy};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::client::{Answer, Call, http};
use super::database::{Database, TestDatabase};
use super::world::{self, PIN, Person, World};

/// Settings that differ from the server's own.
#[derive(Clone, Default)]
pub struct Options {
    pub settings: Vec<(&'static str, String)>,
}

impl Options {
    pub fn with(mut self, setting: &'static str, value: impl ToString) -> Self {
        self.settings.push((setting, value.to_string()));
        self
    }
}

/// A server with people, recipients and assets to work with.
pub struct Server {
    pub app: App,
    pub world: Arc<World>,
    pub database: Arc<TestDatabase>,
    /// Where it listens.
    pub address: SocketAddr,
    base: String,
    client: reqwest::Client,
    running: Running,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub async fn start(database: Database) -> Self {
        Self::start_with(database, &Options::default()).await
    }

    pub async fn start_with(database: Database, options: &Options) -> Self {
        let (database, world) = TestDatabase::copied(database).await;
        Self::on(Arc::new(database), world, options, world::START)
    }

    /// Another process on the same database, with the same time.
    pub fn replica(&self) -> Self {
        let (database, world) = (Arc::clone(&self.database), Arc::clone(&self.world));
        Self::on(database, world, &Options::default(), self.app.now())
    }

    fn on(database: Arc<TestDatabase>, world: Arc<World>, options: &Options, now: Timestamp) -> Self {
        let app = open(&database.url, options, now);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shape = Shape {
            workers: 1,
            stop: Duration::ZERO,
        };
        let (running, serving) = server::start(app.clone(), listener, shape).unwrap();
        Self {
            app,
            world,
            database,
            address,
            base: format!("http://{address}"),
            client: http(),
            running,
            serving: tokio::spawn(serving),
        }
    }

    /// Checks every invariant, stops, and removes the database.
    pub async fn finish(self) {
        self.verify().await;
        self.stop().await;
    }

    /// Stops without looking at anything: for a replica, and where the database was broken on purpose.
    pub async fn stop(self) {
        self.running.stop().await;
        self.serving.await.unwrap().unwrap();
        drop(self.app);
        if let Ok(database) = Arc::try_unwrap(self.database) {
            database.remove().await;
        }
    }

    /// Ledger, operations and audit log agree.
    pub async fn verify(&self) -> Integrity {
        let found = self.app.db().read(reports::verify).await.unwrap();
        assert_eq!(found.faults, Vec::<String>::new());
        found
    }

    // --- time -------------------------------------------------------------------------------------------------------

    pub fn now(&self) -> Timestamp {
        self.app.now()
    }

    pub fn advance(&self, seconds: i64) {
        self.app.clock().advance(seconds);
    }

    // --- HTTP -------------------------------------------------------------------------------------------------------

    /// A request with somebody's key.
    pub fn request(&self, method: Method, person: &Person, path: &str) -> Call {
        self.call(method, Some(&person.key), path)
    }

    /// A request with any key, or none.
    pub fn call(&self, method: Method, key: Option<&str>, path: &str) -> Call {
        Call::new(&self.client, method, format!("{}{path}", self.base), key)
    }

    pub async fn get(&self, person: &Person, path: &str) -> Answer {
        self.request(Method::GET, person, path).send().await
    }

    pub async fn post(&self, person: &Person, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, person, path).json(body).send().await
    }

    pub async fn put(&self, person: &Person, path: &str, body: &Value) -> Answer {
        self.request(Method::PUT, person, path).json(body).send().await
    }

    pub async fn delete(&self, person: &Person, path: &str, body: &Value) -> Answer {
        self.request(Method::DELETE, person, path).json(body).send().await
    }

    /// Changes that are verified with the PIN of the world's people.
    pub fn verified(&self) -> Verified<'_> {
        Verified(self)
    }

    /// The body of a mint with the issuer's PIN.
    pub fn mint_body(recipients: impl Into<Value>, amounts: impl Into<Value>) -> Value {
        json!({
            "recipients": recipients.into(),
            "amounts": amounts.into(),
            "walletVerification": { "secretVerificationCode": PIN, "verificationType": "PINCODE" },
        })
    }

    pub fn mint_path(asset: &Address) -> String {
        format!("/api/token/{asset}/mint")
    }

    /// The issuer mints one line.
    pub async fn mint(&self, asset: &Address, recipient: &Address, amount: impl ToString) -> Answer {
        let body = Self::mint_body(recipient.to_string(), amount.to_string());
        self.post(&self.world.issuer, &Self::mint_path(asset), &body).await
    }

    /// The issuer mints many lines, each recipient the same.
    pub async fn mint_each(&self, asset: &Address, recipients: &[Address], amount: u64) -> Answer {
        let body = batch(recipients, amount);
        self.post(&self.world.issuer, &Self::mint_path(asset), &body).await
    }

    /// What a dry run says of the same.
    pub async fn check(&self, asset: &Address, body: &Value) -> Answer {
        let path = format!("{}/check", Self::mint_path(asset));
        self.post(&self.world.issuer, &path, body).await
    }

    // --- the domains, for what a test only needs to be so -------------------------------------------------------------

    pub fn ctx(&self, person: &Person) -> Ctx {
        Ctx {
            actor: person.actor(),
            request_id: RequestId::generate(),
            now: self.now(),
        }
    }

    pub async fn read<T: Send + 'static>(
        &self,
        queries: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.app.db().read(queries).await.unwrap()
    }

    /// One transaction, as this person.
    pub async fn write<T: Send + 'static>(
        &self,
        person: &Person,
        change: impl Fn(&mut Tx<'_>, &Ctx) -> Result<T, Error> + Send + 'static,
    ) -> T {
        let ctx = self.ctx(person);
        self.app.db().write(move |tx| change(tx, &ctx)).await.unwrap()
    }

    /// Creates an asset as the world's are: everybody with their role on it, and started.
    pub async fn found(&self, new: asset::NewAsset) -> Address {
        let (policies, world) = (Arc::clone(self.app.policy()), Arc::clone(&self.world));
        self.write(&self.world.admin, move |tx, _| {
            world::found_asset(tx, &policies, &world, new.clone())
        })
        .await
    }

    pub async fn asset(&self, address: &Address) -> asset::Asset {
        let address = *address;
        self.read(move |tx| asset::find_by_address(tx, &address)).await
    }

    /// Every audit event that matches, oldest first.
    pub async fn events(&self, filter: EventFilter) -> Vec<Recorded> {
        let page = Page::first(Page::LIMIT_MAX);
        let (mut events, more) = self.read(move |tx| audit::list(tx, &filter, &page)).await;
        assert!(more.is_none(), "more events than a page has");
        events.reverse();
        events
    }

    /// The actions recorded of an asset, oldest first.
    pub async fn actions_of(&self, asset: AssetId) -> Vec<String> {
        let filter = EventFilter {
            asset: Some(asset),
            ..EventFilter::default()
        };
        self.events(filter)
            .await
            .into_iter()
            .map(|event| event.action)
            .collect()
    }

    pub async fn grant(&self, scope: Scope, grants: &[Grant]) {
        let grants = grants.to_vec();
        self.write(&self.world.admin, move |tx, ctx| {
            moneyer::access::grant(tx, ctx, scope, &grants).map(|_| ())
        })
        .await;
    }
}

/// The body of a mint where each recipient gets the same.
pub fn batch(recipients: &[Address], amount: u64) -> Value {
    let recipients: Vec<Value> = recipients.iter().map(|wallet| json!(wallet)).collect();
    let amounts = vec![json!(amount.to_string()); recipients.len()];
    Server::mint_body(recipients, amounts)
}

/// The application as `serve` opens it, with a clock that stands still.
pub fn open(url: &str, options: &Options, now: Timestamp) -> App {
    let mut flags = vec![
        ("database.url", url.to_owned()),
        ("database.connections_max", "8".to_owned()),
    ];
    flags.extend(options.settings.iter().cloned());
    let config = Config::from_layers(toml::Table::new(), Vec::new(), &flags).unwrap();
    let policies = policy::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap();
    App::new(&config, policies, Clock::Movable(now.micros().into())).unwrap()
}

/// Sends changes with a PIN, unless the body has a verification of its own.
#[derive(Clone, Copy)]
pub struct Verified<'s>(&'s Server);

impl Verified<'_> {
    pub async fn post(self, person: &Person, path: &str, body: &Value) -> Answer {
        self.0.post(person, path, &with_pin(body)).await
    }

    pub async fn put(self, person: &Person, path: &str, body: &Value) -> Answer {
        self.0.put(person, path, &with_pin(body)).await
    }

    pub async fn delete(self, person: &Person, path: &str, body: &Value) -> Answer {
        self.0.delete(person, path, &with_pin(body)).await
    }
}

/// The body with the PIN of the world's people.
pub fn with_pin(body: &Value) -> Value {
    let mut body = body.clone();
    if body["walletVerification"].is_null() {
        body["walletVerification"] = json!({ "secretVerificationCode": PIN, "verificationType": "PINCODE" });
    }
    body
}
