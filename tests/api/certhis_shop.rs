//! A shop that mints through Certhis' mint API: a collection, its owner's wallet, and requests as clients send them.

use moneyer::collection::{self, Caller, Collection, Minting, NewCollection, Profile, Right};
use moneyer::types::EnvironmentId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, Signer, wallet};

/// A key pair as it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub key: String,
    pub secret: String,
}

/// A collection without a contract, and whoever owns it.
pub struct Shop<'s> {
    pub server: &'s Server,
    pub owner: Signer,
    pub collection: Collection,
}

impl<'s> Shop<'s> {
    /// `number` tells shops of one test apart.
    pub async fn open(server: &'s Server, way: Minting, number: u8) -> Self {
        Self::open_in(server, way, number, None).await
    }

    /// Linked to an environment.
    pub async fn open_in(server: &'s Server, way: Minting, number: u8, environment: Option<EnvironmentId>) -> Self {
        Self::open_of(server, Signer::from_seed(number), way, (number, environment)).await
    }

    /// Of this owner.
    pub async fn open_of(
        server: &'s Server,
        owner: Signer,
        way: Minting,
        (number, environment): (u8, Option<EnvironmentId>),
    ) -> Self {
        let (address, policies) = (owner.address(), server.app.policy().clone());
        let collection = server
            .write(&server.world.creator, move |tx, ctx| {
                let new = NewCollection {
                    environment,
                    minting: way,
                    many: way == Minting::Amounts,
                    adopted: false,
                    owner: address,
                    profile: Profile {
                        name: Some("BillboardX".to_owned()),
                        symbol: Some("BLLBRDX".to_owned()),
                        base_uri: Some("https://meta.test/".to_owned()),
                        ..Profile::default()
                    },
                    metadata_api_url: None,
                    policy: None,
                };
                let caller = Caller {
                    ctx,
                    right: Right::Role,
                };
                let contract = wallet(9_000 + u16::from(number));
                collection::found(tx, &caller, &policies, &new, |_| contract)
            })
            .await;
        Self::of(server, owner, collection)
    }

    pub fn of(server: &'s Server, owner: Signer, collection: Collection) -> Self {
        Self {
            server,
            owner,
            collection,
        }
    }

    pub fn index(&self) -> String {
        self.collection.number.unwrap().to_string()
    }

    // --- keys -------------------------------------------------------------------------------------------------------

    /// The text of a challenge for a wallet.
    pub async fn challenge(&self, signer: &Signer) -> String {
        let answer = get(self.server, "/sign", &[("wallet", &signer.address().to_string())]).await;
        answer.ok()["data"]["signature"].as_str().unwrap().to_owned()
    }

    /// What a wallet gets that signs in.
    pub async fn access(&self, signer: &Signer, ask: Option<&str>) -> Answer {
        let signature = signer.sign(&self.challenge(signer).await);
        self.access_with(signer, &signature, ask).await
    }

    pub async fn access_with(&self, signer: &Signer, signature: &str, ask: Option<&str>) -> Answer {
        let (index, address) = (self.index(), signer.address().to_string());
        let mut form = vec![
            ("collection_index", index.as_str()),
            ("signature", signature),
            ("wallet", &address),
        ];
        form.extend(ask.map(|ask| ("ask", ask)));
        post(self.server, "/mint_access", &[], &form).await
    }

    pub async fn pair(&self) -> Pair {
        self.asked_pair(None).await
    }

    pub async fn asked_pair(&self, ask: Option<&str>) -> Pair {
        let body = self.access(&self.owner, ask).await.ok();
        let text = |name: &str| body["data"][name].as_str().unwrap_or_default().to_owned();
        Pair {
            key: text("api_key"),
            secret: text("api_secret"),
        }
    }

    // --- tasks ------------------------------------------------------------------------------------------------------

    pub async fn mint(&self, pair: &Pair, form: &[(&str, &str)]) -> Answer {
        let headers = [("api_key", pair.key.as_str()), ("api_secret", &pair.secret)];
        post(self.server, "/mint", &headers, form).await
    }

    /// The number of a new task.
    #[track_caller]
    pub fn created(answer: Answer) -> i64 {
        let body = answer.ok();
        assert_eq!((&body["status"], &body["message"]), (&json!(true), &json!("created")));
        body["data"]["task_id"].as_i64().unwrap()
    }

    pub async fn status(&self, pair: &Pair, task: i64) -> Answer {
        let task = task.to_string();
        let query = [
            ("api_key", pair.key.as_str()),
            ("api_secret", &pair.secret),
            ("task_id", &task),
        ];
        get(self.server, "/mint_status", &query).await
    }

    pub async fn tasks(&self, pair: &Pair, offset: &str) -> Vec<Value> {
        let query = [
            ("api_key", pair.key.as_str()),
            ("api_secret", &pair.secret),
            ("offset", offset),
        ];
        let body = get(self.server, "/mint_task_list", &query).await.ok();
        body["data"].as_array().unwrap().clone()
    }
}

pub async fn get(server: &Server, path: &str, query: &[(&str, &str)]) -> Answer {
    server.call(Method::GET, None, &with_query(path, query)).send().await
}

pub fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    format!("{path}?{}", encoded(query))
}

pub async fn post(server: &Server, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
    let call = server.call(Method::POST, None, path);
    let call = headers
        .iter()
        .fold(call, |call, (name, value)| call.header(name, value));
    call.text("application/x-www-form-urlencoded", encoded(form))
        .send()
        .await
}

/// Everything but letters and digits behind a percent sign.
fn encoded(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        let each = text.bytes().map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        each.collect()
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", name.replace(' ', "%20"), escaped(value)))
        .collect();
    pairs.join("&")
}

/// The status and the sentence of an error, after its envelope was checked.
#[track_caller]
pub fn refused(answer: &Answer) -> (u16, &str) {
    let fields = answer.body.as_object().unwrap_or_else(|| panic!("{}", answer.text));
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 2, "{}", answer.text);
    assert_eq!(answer.body["status"], json!(false), "{}", answer.text);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert!(answer.header("X-Request-Id").is_some());
    assert!(!answer.message().is_empty());
    (answer.status.as_u16(), answer.message())
}
