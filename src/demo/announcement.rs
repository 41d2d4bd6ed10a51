use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::cast::Name;
use super::exchange;
use super::folder::{self, Folder};
use super::ground::{self, Ground};
use super::manifest::{ChainEntry, Manifest, Person, World};
use super::node::{self, Node};
use super::secrets::Secrets;
use crate::asset::{Asset, Settlement};
use crate::error::Error;
use crate::start::Failure;
use crate::types::Address;
use crate::wallet::Method;

/// Base units of the equity.
const ONE_UNIT: &str = "1000000000000000000";
const THOUSAND_UNITS: &str = "1000000000000000000000";
/// How often the server is asked whether it is ready, and for how long.
const PAUSE: Duration = Duration::from_millis(50);
const ATTEMPTS_MAX: u32 = 600;

/// What is told once the server is ready: the manifest for programs, a few lines for people.
pub(super) struct Announcement {
    address: SocketAddr,
    base_url: String,
    metrics_url: String,
    manifest: PathBuf,
    mint_100: PathBuf,
    settlement: Settlement,
    chain: Option<ChainEntry>,
    /// Why there is no chain although one was wanted.
    why_book: Option<String>,
    world: World,
}

impl Announcement {
    pub(super) fn new(
        listener: &TcpListener,
        metrics: &TcpListener,
        folder: &Folder,
        secrets: Secrets,
        (ground, node): (Ground, Option<&Node>),
    ) -> Result<Self, Failure> {
        let address = reachable(listener)?;
        Ok(Self {
            address,
            base_url: format!("http://{address}"),
            metrics_url: format!("http://{}/metrics", reachable(metrics)?),
            manifest: folder.manifest().to_path_buf(),
            mint_100: folder.mint_100(),
            settlement: ground.settlement(),
            chain: node.map(|node| ChainEntry {
                name: ground::CHAIN_NAME,
                id: format!("eip155:{}", node::CHAIN_ID),
                rpc_url: node.url(),
            }),
            why_book: match ground {
                Ground::Book { why } => why,
                Ground::Chain { .. } => None,
            },
            world: secrets.world.ok_or_else(|| Error::internal("the demo has no world"))?,
        })
    }

    pub(super) async fn when_ready(self) {
        let address = self.address;
        let ready = tokio::task::spawn_blocking(move || wait(address)).await;
        if !matches!(ready, Ok(true)) {
            tracing::error!(%address, "the server does not become ready: no manifest is written");
            return;
        }
        match self.write().and_then(|()| self.guide()) {
            Ok(guide) => println!("{guide}"),
            Err(failure) => tracing::error!("{}", failure.message),
        }
    }

    fn write(&self) -> Result<(), Failure> {
        let body = self.mint_to_each(&self.first(Asset::RECIPIENTS_MAX), ONE_UNIT)?;
        folder::write(&self.mint_100, &body)?;
        let manifest = Manifest {
            base_url: &self.base_url,
            metrics_url: &self.metrics_url,
            settlement: self.settlement.as_str(),
            chain: self.chain.as_ref(),
            world: &self.world,
        };
        let text = serde_json::to_string_pretty(&manifest).map_err(Error::internal)?;
        folder::write(&self.manifest, &text)
    }
    fn first(&self, count: usize) -> Vec<Address> {
        self.world.recipients.approved.iter().take(count).copied().collect()
    }

    fn mint_body(&self, recipients: Value, amounts: Value) -> Result<String, Failure> {
        let issuer = self.issuer()?;
        let body = MintBody {
            recipients,
            amounts,
            wallet_verification: Verification {
                secret_verification_code: &issuer.pin,
                verification_type: Method::Pincode.as_str(),
            },
        };
        Ok(serde_json::to_string(&body).map_err(Error::internal)?)
    }

    fn mint_to_each(&self, recipients: &[Address], each: &str) -> Result<String, Failure> {
        let amounts: Vec<Value> = recipients.iter().map(|_| self.amount(each)).collect();
        self.mint_body(json!(recipients), json!(amounts))
    }

    fn amount(&self, base_units: &str) -> Value {
        json!([base_units, self.world.assets.equity.decimals])
    }

    fn issuer(&self) -> Result<&Person, Failure> {
        let issuer = self.world.users.get(&Name::Issuer);
        Ok(issuer.ok_or_else(|| Error::internal("the demo has no issuer"))?)
    }

    fn guide(&self) -> Result<String, Failure> {
        let (symbol, approved) = (&self.world.assets.equity.symbol, self.first(4));
        let single = self.mint_body(json!(approved.first()), self.amount(THOUSAND_UNITS))?;
        let batch = self.mint_to_each(approved.get(1..).unwrap_or_default(), ONE_UNIT)?;
        let unverified = self.world.recipients.unverified.iter().take(1).copied();
        let mixed: Vec<Address> = self.first(1).into_iter().chain(unverified).collect();
        // A dry run needs no verification.
        let amounts: Vec<Value> = mixed.iter().map(|_| self.amount(ONE_UNIT)).collect();
        let mixed = json!({ "recipients": mixed, "amounts": amounts });
        Ok(format!(
            "\n{}\n{}\n\
             Mint 1,000 {symbol} to one recipient:\n\n{}\n\n\
             Mint 1 {symbol} to each of three:\n\n{}\n\n\
             Ask whether a mint would pass, here for one who may hold {symbol} and one who has no claims:\n\n{}\n\n\
             Mint 1 {symbol} to each of 100 in one call (from the folder in which the demo was started):\n\n{}\n",
            self.heading(),
            self.people(),
            self.curl("mint", &format!("'{single}'"))?,
            self.curl("mint", &format!("'{batch}'"))?,
            self.curl("mint/check", &format!("'{mixed}'"))?,
            self.curl("mint", &format!("@{}", self.mint_100.display()))?,
        ))
    }

    fn heading(&self) -> String {
        let mut lines = vec![self.place(), String::new()];
        let mut add = |what: &str, place: &str| lines.push(format!("{what:<8} {place}"));
        add("API", &self.base_url);
        add("try it", &format!("{}/docs/", self.base_url));
        add("metrics", &self.metrics_url);
        if let Some(chain) = &self.chain {
            add("chain", &format!("{} ({}, {})", chain.rpc_url, chain.name, chain.id));
        }
        let manifest = self.manifest.display();
        add("manifest", &format!("{manifest} (all of this and more, for programs)"));
        lines.push(String::new());
        lines.join("\n")
    }

    /// Where units exist. Nobody should take them for worth something.
    fn place(&self) -> String {
        match (&self.chain, &self.why_book) {
            (Some(chain), _) => format!(
                "The demo is ready. It settles on {} ({}), a chain of its own on a node that it runs on this\n\
                 machine: nothing here is on a public chain, and nothing has a value.",
                chain.name, chain.id
            ),
            (None, Some(why)) => format!(
                "The demo is ready. It settles in a local book, for want of a chain ({why}):\n\
                 nothing here is on a chain, and nothing has a value."
            ),
            (None, None) => {
                "The demo is ready. It settles in a local book: nothing here is on a chain, and nothing has \
                             a value."
                    .to_owned()
            }
        }
    }

    fn people(&self) -> String {
        let line = |name: &str, key: &str, pin: &str| format!("{name:<14} {key:<56} {pin}\n");
        let people = self.world.users.iter();
        let people = people.map(|(name, person)| line(name.as_str(), &person.api_key, &person.pin));
        line("who", "API key", "PIN") + &people.collect::<String>()
    }

    fn curl(&self, action: &str, data: &str) -> Result<String, Failure> {
        let (base_url, equity) = (&self.base_url, self.world.assets.equity.address);
        let key = &self.issuer()?.api_key;
        Ok(format!(
            "curl -X POST {base_url}/api/token/{equity}/{action} -H 'X-Api-Key: {key}' \
             -H 'Content-Type: application/json' -d {data}"
        ))
    }
}

/// In the order of the seed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MintBody<'a> {
    recipients: Value,
    amounts: Value,
    wallet_verification: Verification<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verification<'a> {
    secret_verification_code: &'a str,
    verification_type: &'static str,
}

/// Where a client on this machine reaches a listener: one that listens everywhere is reached on the loopback.
fn reachable(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    let mut address = listener.local_addr().map_err(Error::internal)?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Ok(address)
}

fn wait(address: SocketAddr) -> bool {
    (0..ATTEMPTS_MAX).any(|attempt| {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        exchange::is_ok(address, "/readyz")
    })
}
