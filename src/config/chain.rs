use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Url;
use secrecy::{SecretBox, SecretString};
use toml::Value;

use super::Mode;
use super::reader::{Reader, key_bytes};
use crate::types::Address;

const WEI_PER_GWEI: u128 = 1_000_000_000;

/// The EVM chain that operations are settled on, and how we talk to it.
#[derive(Debug)]
pub struct Chain {
    /// EIP-155. An endpoint that serves another chain is refused.
    pub id: u64,
    /// What people call it.
    pub name: String,
    /// Never empty. The first that answers and is not behind is used.
    pub rpc: Vec<Endpoint>,
    pub finality: Finality,
    /// Ceiling of what is offered per gas, in wei. At the ceiling we wait and raise an alarm.
    pub fee_max: u128,
    /// What of it the block's proposer gets at least, in wei per gas.
    pub priority_min: u128,
    /// Transactions of our signer that may wait to be final at once.
    pub in_flight_max: usize,
    pub gas_per_transaction_max: u64,
    /// How often the chain is looked at.
    pub poll: Duration,
    /// How long one request to an endpoint may take.
    pub timeout: Duration,
    /// How long the endpoints may all be behind a block that we saw before we believe that it is gone.
    pub lag_patience: Duration,
    pub signer: KeySource,
    /// Where somebody watches what the node has on disk: nothing above that is final. No setting: only the demo does.
    pub saved: Option<Saved>,
}

/// The highest block that a node would have again after a power cut; shared with who watches it.
#[derive(Clone, Debug, Default)]
pub struct Saved(Arc<AtomicU64>);

impl Saved {
    pub fn set(&self, block: u64) {
        self.0.store(block, Ordering::SeqCst);
    }

    pub fn block(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// When a block counts as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// When this many further blocks are on top of it.
    Depth(u64),
    /// When the node's `finalized` tag has reached it.
    Tag,
}

/// Where the key is that signs for us.
#[derive(Debug)]
pub enum KeySource {
    /// An encrypted file (Web3 Secret Storage).
    Keystore { path: PathBuf, password: SecretString },
    /// For development: whoever reads the settings has the key.
    Key(SecretBox<[u8; 32]>),
    /// A signer that speaks Web3Signer's JSON-RPC, and the account that it must sign for.
    Remote { url: Endpoint, address: Address },
}

/// The address of a node or of a remote signer. User, path and query can be keys of its operator: only host and port
/// are ever printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text.trim()).map_err(|_| "must be a URL such as http://127.0.0.1:8545")?;
        match url.scheme() {
            "http" | "https" if url.host_str().is_some() => Ok(Self(url)),
            _ => Err("must begin with http:// or https://"),
        }
    }

    /// Whether it is this machine.
    fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// With everything that may be secret: for the request itself.
    pub fn reveal(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.host_str().unwrap_or("?"))?;
        match self.0.port() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Finality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(depth) => write!(f, "{depth}"),
            Self::Tag => f.write_str("finalized"),
        }
    }
}

impl Chain {
    /// A node of this chain with every other setting at its default.
    pub fn new(id: u64, rpc: Vec<Endpoint>, signer: KeySource) -> Self {
        Self {
            id,
            name: usual_name(id),
            rpc,
            finality: Finality::Tag,
            fee_max: 100 * WEI_PER_GWEI,
            priority_min: WEI_PER_GWEI,
            in_flight_max: 16,
            gas_per_transaction_max: GAS_PER_TRANSACTION_MAX,
            poll: Duration::from_millis(1_000),
            timeout: Duration::from_millis(10_000),
            lag_patience: Duration::from_secs(30),
            signer,
            saved: None,
        }
    }

    /// A development chain with every endpoint on this machine. A node there that follows a public chain is not local: it
    /// mines when the others do.
    pub fn is_local(&self) -> bool {
        DEVELOPMENT_CHAINS.contains(&self.id) && self.rpc.iter().all(Endpoint::is_loopback)
    }

    /// One setting per line, secrets masked.
    pub(super) fn describe(&self) -> String {
        let rpc: Vec<String> = self.rpc.iter().map(ToString::to_string).collect();
        let signer = match &self.signer {
            KeySource::Keystore { path, .. } => {
                format!(
                    "chain.signer_keystore = {}\nchain.signer_password = ***",
                    path.display()
                )
            }
            KeySource::Key(_) => "chain.signer_key = ***".to_owned(),
            KeySource::Remote { url, address } => {
                format!("chain.signer_url = {url}\nchain.signer_address = {address}")
            }
        };
        format!(
            "chain.id = {}\nchain.name = {}\nchain.rpc = {}\nchain.finality = {}\nchain.fee_max_gwei = {}\n\
             chain.priority_min_gwei = {}\nchain.in_flight_max = {}\nchain.gas_per_transaction_max = {}\n\
             chain.poll_ms = {}\nchain.timeout_ms = {}\nchain.lag_patience_seconds = {}\n{signer}\n",
            self.id,
            self.name,
            rpc.join(","),
            self.finality,
            self.fee_max / WEI_PER_GWEI,
            self.priority_min / WEI_PER_GWEI,
            self.in_flight_max,
            self.gas_per_transaction_max,
            self.poll.as_millis(),
            self.timeout.as_millis(),
            self.lag_patience.as_secs(),
        )
    }
}

/// At the least, what the largest operation of a token of ours needs: a hundred lines of a forced transfer, with the
/// margin. An operation is never split, so what is accepted must fit.
const GAS_PER_TRANSACTION_BOUNDS: std::ops::RangeInclusive<u32> = 8_000_000..=100_000_000;

/// EIP-7825: no transaction may have more gas.
const GAS_PER_TRANSACTION_MAX: u64 = 1 << 24;

/// The ids by which anvil and Hardhat, geth and Ganache call a chain of their own.
const DEVELOPMENT_CHAINS: [u64; 2] = [31_337, 1_337];

fn usual_name(id: u64) -> String {
    match id {
        1 => "Ethereum".to_owned(),
        11_155_111 => "Sepolia (test network, no value)".to_owned(),
        31_337 => "local node (no value)".to_owned(),
        _ => format!("chain {id}"),
    }
}

impl Reader {
    /// None without `chain.rpc`.
    pub(super) fn chain(&mut self, mode: Mode) -> Option<Chain> {
        let rpc = self.endpoints();
        if rpc.is_empty() {
            self.refuse_chain_without_node();
            return None;
        }
        let id = self.chain_id();
        let signer = self.signer(mode);
        let defaults = Chain::new(id, rpc, signer);
        Some(Chain {
            name: self.text("chain.name").unwrap_or_else(|| usual_name(id)),
            finality: self.finality(),
            fee_max: u128::from(self.number("chain.fee_max_gwei", 100, 1..=1_000_000)) * WEI_PER_GWEI,
            priority_min: u128::from(self.number("chain.priority_min_gwei", 1, 0..=1_000)) * WEI_PER_GWEI,
            in_flight_max: self.size("chain.in_flight_max", 16, 1..=64),
            gas_per_transaction_max: self
                .number("chain.gas_per_transaction_max", 1 << 24, GAS_PER_TRANSACTION_BOUNDS)
                .into(),
            poll: self.milliseconds("chain.poll_ms", 1_000, 50..=60_000),
            timeout: self.milliseconds("chain.timeout_ms", 10_000, 100..=120_000),
            lag_patience: self.seconds("chain.lag_patience_seconds", 30, 0..=3_600),
            ..defaults
        })
    }

    fn milliseconds(&mut self, setting: &str, default: u32, bounds: std::ops::RangeInclusive<u32>) -> Duration {
        Duration::from_millis(self.number(setting, default, bounds).into())
    }

    /// A list in the file, text with commas in the environment.
    fn endpoints(&mut self) -> Vec<Endpoint> {
        let texts = match self.list("chain.rpc") {
            Some(texts) => texts,
            None => self
                .secret_text("chain.rpc")
                .map(|text| text.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
        };
        let mut endpoints = Vec::new();
        for text in texts.iter().filter(|text| !text.trim().is_empty()) {
            match Endpoint::parse(text) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(reason) => self.problem("chain.rpc", reason),
            }
        }
        endpoints
    }

    fn list(&mut self, setting: &str) -> Option<Vec<String>> {
        let (section, key) = setting.split_once('.')?;
        let table = self.table.get_mut(section).and_then(Value::as_table_mut)?;
        let texts: Vec<String> = match table.get(key)? {
            Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => return None,
        };
        table.remove(key);
        Some(texts)
    }

    /// A section that only says how a chain is used that is not there is a mistake, not a wish.
    fn refuse_chain_without_node(&mut self) {
        let others = self.table.get("chain").and_then(Value::as_table);
        if others.is_some_and(|table| !table.is_empty()) && self.is_sound("chain.rpc") {
            self.problem(
                "chain.rpc",
                "is missing: without a node the other settings of the chain mean nothing",
            );
        }
        self.table.remove("chain");
    }

    fn chain_id(&mut self) -> u64 {
        let id = self.text("chain.id").map(|text| text.parse::<u64>());
        match id {
            Some(Ok(id)) if id > 0 => id,
            Some(_) => {
                self.problem("chain.id", "must be the number of an EVM chain, such as 1 for Ethereum");
                1
            }
            None => {
                self.problem(
                    "chain.id",
                    "is missing: the number of the chain that the node must serve",
                );
                1
            }
        }
    }

    fn finality(&mut self) -> Finality {
        match self.text("chain.finality").as_deref() {
            None | Some("finalized") => Finality::Tag,
            Some(text) => match text.parse::<u64>() {
                Ok(depth @ 1..=10_000) => Finality::Depth(depth),
                _ => {
                    self.problem(
                        "chain.finality",
                        "must be finalized, or a number of further blocks from 1 to 10000",
                    );
                    Finality::Tag
                }
            },
        }
    }

    /// Exactly one of the three kinds.
    fn signer(&mut self, mode: Mode) -> KeySource {
        let keystore = self.text("chain.signer_keystore");
        let key = self.secret_text("chain.signer_key");
        let url = self.text("chain.signer_url");
        match (keystore, key, url) {
            (Some(path), None, None) => self.keystore(PathBuf::from(path)),
            (None, Some(text), None) => self.raw_key(&text, mode),
            (None, None, Some(url)) => self.remote(&url),
            (None, None, None) => {
                self.problem(
                    "chain.signer_keystore",
                    "is missing: give a keystore file, chain.signer_url, or chain.signer_key for development",
                );
                no_key()
            }
            _ => {
                self.problem("chain.signer_keystore", "is one of several signers: give one");
                let _ = (
                    self.text("chain.signer_address"),
                    self.secret_text("chain.signer_password"),
                );
                no_key()
            }
        }
    }

    fn keystore(&mut self, path: PathBuf) -> KeySource {
        let password = self.secret_text("chain.signer_password");
        if password.is_none() {
            self.problem("chain.signer_password", "is missing: it opens the keystore");
        }
        KeySource::Keystore {
            path,
            password: SecretString::from(password.unwrap_or_default()),
        }
    }

    fn raw_key(&mut self, text: &str, mode: Mode) -> KeySource {
        if mode == Mode::Production {
            self.problem(
                "chain.signer_key",
                "is for development: use a keystore file or a remote signer",
            );
        }
        match key_bytes(text.strip_prefix("0x").unwrap_or(text)) {
            Some(bytes) => KeySource::Key(SecretBox::new(Box::new(bytes))),
            None => {
                self.problem("chain.signer_key", "must be 32 bytes as 64 hex digits");
                no_key()
            }
        }
    }

    fn remote(&mut self, url: &str) -> KeySource {
        let url = Endpoint::parse(url).map_err(|reason| self.problem("chain.signer_url", reason));
        let address = match self.text("chain.signer_address").as_deref().map(Address::parse) {
            Some(Ok(address)) => Some(address),
            Some(Err(error)) => {
                self.problem("chain.signer_address", &error.to_string());
                None
            }
            None => {
                self.problem(
                    "chain.signer_address",
                    "is missing: the account that the signer signs for",
                );
                None
            }
        };
        match (url, address) {
            (Ok(url), Some(address)) => KeySource::Remote { url, address },
            _ => no_key(),
        }
    }
}

/// Stands in for what is wrong: the problem that goes with it stops the start.
fn no_key() -> KeySource {
    KeySource::Key(SecretBox::new(Box::new([0; 32])))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use toml::Table;

    use super::super::{Config, Problem};
    use super::*;

    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        let environment = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::from_layers(Table::new(), environment, &[])
    }

    fn wrong(pairs: &[(&str, &str)]) -> Vec<String> {
        let problems = load(pairs).unwrap_err();
        problems.into_iter().map(|problem| problem.setting).collect()
    }

    fn local<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut pairs = vec![
            ("chain.rpc", "http://127.0.0.1:8545"),
            ("chain.id", "31337"),
            ("chain.signer_key", KEY),
        ];
        pairs.extend(more);
        pairs
    }

    #[test]
    fn without_a_node_there_is_no_chain() {
        assert!(load(&[]).unwrap().chain.is_none());
        assert_eq!(wrong(&[("chain.id", "1"), ("chain.finality", "5")]), ["chain.rpc"]);
        assert_eq!(wrong(&[("chain.rpc", "ftp://x"), ("chain.id", "1")]), ["chain.rpc"]);
    }

    #[test]
    fn a_node_an_id_and_a_key_are_a_chain() {
        let chain = load(&local(&[])).unwrap().chain.unwrap();

        assert_eq!(chain.id, 31_337);
        assert_eq!(chain.name, "local node (no value)");
        assert_eq!(chain.finality, Finality::Tag);
        assert_eq!(chain.gas_per_transaction_max, 16_777_216);
        assert!(matches!(chain.signer, KeySource::Key(key) if key.expose_secret()[0] == 0xac));
    }

    #[test]
    fn several_nodes_are_a_list_in_the_file_or_text_with_commas() {
        let file: Table = "[chain]\nrpc = [\"http://a:1\", \"https://b\"]\nid = 5\n"
            .parse()
            .unwrap();
        let key = vec![("chain.signer_key".to_owned(), KEY.to_owned())];
        let from_file = Config::from_layers(file, key, &[]).unwrap().chain.unwrap();
        let from_text = load(&local(&[("chain.rpc", "http://a:1, https://b")])).unwrap();

        assert_eq!(from_file.rpc, from_text.chain.unwrap().rpc);
        assert_eq!(format!("{:?}", from_file.rpc), "[a:1, b]");
    }

    #[test]
    fn what_may_be_a_key_in_an_address_is_never_printed() {
        let url = "https://user:hunter2@node.example:8443/v3/hunter2?key=hunter2";
        let config = load(&local(&[("chain.rpc", url)])).unwrap();

        let printed = format!("{config:?}{}", config.describe());

        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(!printed.contains("ac0974"), "{printed}");
        assert!(config.describe().contains("chain.rpc = node.example:8443\n"));
    }

    #[test]
    fn a_development_chain_is_local_when_every_node_is_on_this_machine() {
        for (id, urls, is_local) in [
            ("31337", "http://127.0.0.1:8545", true),
            ("1337", "http://localhost:8545,http://[::1]:8545", true),
            ("1", "http://127.0.0.1:8545", false),
            ("31337", "http://127.0.0.1:8545,https://node.example", false),
            ("31337", "http://127.0.0.1.example", false),
            ("31337", "http://10.0.0.1", false),
        ] {
            let config = load(&local(&[("chain.id", id), ("chain.rpc", urls)])).unwrap();
            assert_eq!(config.chain.unwrap().is_local(), is_local, "{id} {urls}");
        }
    }

    #[test]
    fn one_transaction_may_have_the_gas_that_the_largest_operation_needs_and_no_more_than_a_block_ever_had() {
        for (gas, is_taken) in [
            ("7999999", false),
            ("8000000", true),
            ("8000001", true),
            ("99999999", true),
            ("100000000", true),
            ("100000001", false),
        ] {
            let loaded = load(&local(&[("chain.gas_per_transaction_max", gas)]));
            assert_eq!(loaded.is_ok(), is_taken, "{gas}");
        }
    }

    #[test]
    fn finality_is_the_tag_or_one_to_ten_thousand_blocks() {
        for (text, taken) in [
            ("finalized", Some(Finality::Tag)),
            ("0", None),
            ("1", Some(Finality::Depth(1))),
            ("10000", Some(Finality::Depth(10_000))),
            ("10001", None),
            ("latest", None),
        ] {
            let loaded = load(&local(&[("chain.finality", text)]));
            assert_eq!(
                loaded.ok().map(|config| config.chain.unwrap().finality),
                taken,
                "{text}"
            );
        }
    }

    #[test]
    fn there_is_exactly_one_signer() {
        let node = [("chain.rpc", "http://127.0.0.1:8545"), ("chain.id", "1")];
        let with = |more: &[(&'static str, &'static str)]| {
            let mut pairs = node.to_vec();
            pairs.extend(more);
            pairs
        };

        assert_eq!(wrong(&with(&[])), ["chain.signer_keystore"]);
        assert_eq!(
            wrong(&with(&[
                ("chain.signer_key", KEY),
                ("chain.signer_url", "http://signer")
            ])),
            ["chain.signer_keystore"]
        );
        assert_eq!(
            wrong(&with(&[("chain.signer_keystore", "key.json")])),
            ["chain.signer_password"]
        );
        assert_eq!(
            wrong(&with(&[("chain.signer_url", "http://signer")])),
            ["chain.signer_address"]
        );
        assert_eq!(wrong(&with(&[("chain.signer_key", "0x12")])), ["chain.signer_key"]);
    }

    #[test]
    fn production_takes_no_raw_key() {
        let own = "11".repeat(32);
        let production = [
            ("mode", "production"),
            ("database.url", "sqlite:x"),
            ("secrets.pepper", own.as_str()),
            ("secrets.data_key", own.as_str()),
        ];

        assert_eq!(wrong(&local(&production)), ["chain.signer_key"]);
    }
}
