//! What must never be logged: key pairs, signatures and e-mail addresses, wherever a request carries them; and what a
//! webhook's receiver is shown.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use data_encoding::BASE64;
use moneyer::collection::Minting;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::certhis_shop::{Shop, get, post};
use super::webhooks::deliver;
use crate::support::{Database, Receiver, Reply, Server};

static LISTENING: AtomicBool = AtomicBool::new(false);
static HEARD: AtomicUsize = AtomicUsize::new(0);
static SENT: AtomicUsize = AtomicUsize::new(0);
static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Reads everything that is logged at any level, by us and by the libraries, and keeps what should not be there.
struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut words = Words::default();
        attributes.record(&mut words);
        words.judge();
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        values.record(&mut words);
        words.judge();
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        words.judge();
    }
}

#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl Words {
    fn judge(self) {
        HEARD.fetch_add(usize::from(self.0.contains("/mint_status")), Ordering::SeqCst);
        SENT.fetch_add(usize::from(self.0.contains("not delivered")), Ordering::SeqCst);
        let is_told = SECRETS.lock().unwrap().iter().any(|secret| self.0.contains(secret));
        if is_told {
            TOLD.lock().unwrap().push(self.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_opens_anything_is_logged() {
    let is_on = tracing_subscriber::filter::dynamic_filter_fn(|_, _| LISTENING.load(Ordering::SeqCst));
    let started = tracing_subscriber::registry()
        .with(Listener.with_filter(is_on))
        .try_init();
    started.expect("no other test of this program listens to the log");
    let server = Server::start_with(Database::Sqlite, &super::certhis_webhook::options()).await;
    let shop = Shop::open(&server, Minting::Hybrid, 1).await;
    let signature = shop.owner.sign(&shop.challenge(&shop.owner).await);
    SECRETS
        .lock()
        .unwrap()
        .push(signature.trim_start_matches("0x").to_owned());
    LISTENING.store(true, Ordering::SeqCst);

    let query = [
        ("wallet", shop.owner.address().to_string()),
        ("sign_message", signature.clone()),
    ];
    let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(get(&server, "/check", &query).await.is_success());
    let body = shop.access_with(&shop.owner, &signature, None).await.ok();
    let text = |name: &str| body["data"][name].as_str().unwrap().to_owned();
    let pair = super::certhis_shop::Pair {
        key: text("api_key"),
        secret: text("api_secret"),
    };
    SECRETS
        .lock()
        .unwrap()
        .extend([pair.key.clone(), pair.secret.clone(), "lovelace".to_owned()]);
    let receiver = Receiver::start();
    receiver.answer(Reply::Status(503));
    let basic = BASE64.encode(b"books:c0rrect battery");
    SECRETS
        .lock()
        .unwrap()
        .extend(["c0rrect battery".to_owned(), basic, "/hook?".to_owned()]);
    let url = receiver.url();
    let form = [
        ("webhook", url.as_str()),
        ("webhook_pass", "c0rrect battery"),
        ("webhook_login", "books"),
    ];
    let headers = [("api_key", pair.key.as_str()), ("api_secret", &pair.secret)];
    assert!(post(&server, "/register_webhook", &headers, &form).await.is_success());
    let task = Shop::created(shop.mint(&pair, &[("wallet", "ada.lovelace@example.com")]).await);
    assert_eq!(deliver(&server).await, 1);
    assert_eq!(receiver.received()[0].json()["to"], "ada.lovelace@example.com");
    assert!(shop.status(&pair, task).await.is_success());
    assert!(!shop.status(&pair, task + 1).await.is_success());
    assert_eq!(shop.tasks(&pair, "0").await.len(), 1);

    LISTENING.store(false, Ordering::SeqCst);
    for heard in [&HEARD, &SENT] {
        assert!(
            heard.load(Ordering::SeqCst) > 0,
            "nothing was heard: the test listens to nobody"
        );
    }
    assert_eq!(*TOLD.lock().unwrap(), Vec::<String>::new());
    server.finish().await;
}
