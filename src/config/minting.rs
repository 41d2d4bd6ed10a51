use std::num::NonZeroU32;
use std::time::Duration;

use super::reader::Reader;
use super::{Chain, Mode};

/// The minting API in Immutable's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minting {
    /// What `{chain_name}` is in its paths.
    pub chain_name: String,
    /// Nothing on the chain has a value: keys say so.
    pub is_test: bool,
    pub test_marker: TestMarker,
    /// Reads without a rate-limit key that one client address may make in the window.
    pub anonymous_requests: NonZeroU32,
    pub anonymous_window: Duration,
    /// Tokens, and stacks, of one environment whose metadata may be refreshed in a minute.
    pub refreshes_per_minute: u32,
    /// Collections that one environment may create or link in an hour: each costs gas of ours.
    pub collections_per_hour: u32,
    /// Where this server is reached from outside, without a slash at the end; then it hosts the metadata of collections that
    /// name no other place.
    pub public_url: Option<String>,
}

/// How a key says that it is for a test network: the written contract has it before the hyphen, Immutable's own examples
/// behind it (immutable.md section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestMarker {
    BeforeHyphen,
    AfterHyphen,
}

impl TestMarker {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeHyphen => "_test-",
            Self::AfterHyphen => "-test-",
        }
    }
}

impl Minting {
    /// Below it this server answers with the metadata of `{contract_address}/{token_id}`.
    pub const METADATA_PATH: &str = "/v1/metadata";

    /// Where hosted metadata is; none where nobody knows how this server is reached.
    pub fn metadata_url(&self) -> Option<String> {
        let public = self.public_url.as_ref()?;
        Some(format!("{public}{}", Self::METADATA_PATH))
    }

    /// One setting per line.
    pub(super) fn describe(&self) -> String {
        format!(
            "minting.chain_name = {}\nminting.test = {}\nminting.test_marker = {}\nminting.anonymous_requests = {}\n\
             minting.anonymous_window_seconds = {}\nminting.refreshes_per_minute = {}\n\
             minting.collections_per_hour = {}\nminting.public_url = {}\n",
            self.chain_name,
            self.is_test,
            self.test_marker.as_str(),
            self.anonymous_requests,
            self.anonymous_window.as_secs(),
            self.refreshes_per_minute,
            self.collections_per_hour,
            self.public_url.as_deref().unwrap_or("none"),
        )
    }
}

/// The path is part of every URL of the dialect: what it is called where Immutable runs it, where it does.
fn usual_name(id: Option<u64>) -> String {
    match id {
        None => "book".to_owned(),
        Some(1) => "ethereum".to_owned(),
        Some(13_371) => "imtbl-zkevm-mainnet".to_owned(),
        Some(13_473) => "imtbl-zkevm-testnet".to_owned(),
        Some(11_155_111) => "sepolia".to_owned(),
        Some(1_337 | 31_337) => "local".to_owned(),
        Some(id) => format!("eip155-{id}"),
    }
}

/// A contract keeps it: it costs gas by the byte.
const PUBLIC_URL_LENGTH_MAX: usize = 200;

/// Sepolia, Hoodi, Immutable's test network, and what local nodes call themselves.
const TEST_NETWORKS: [u64; 5] = [11_155_111, 560_048, 13_473, 1_337, 31_337];

impl Reader {
    pub(super) fn minting(&mut self, mode: Mode, chain: Option<&Chain>) -> Minting {
        let name = self.text("minting.chain_name");
        let chain_name = name.unwrap_or_else(|| usual_name(chain.map(|chain| chain.id)));
        let characters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if chain_name.is_empty() || chain_name.len() > 64 || !chain_name.chars().all(characters) {
            self.problem(
                "minting.chain_name",
                "must be 1 to 64 of a-z, 0-9 and -: it is a part of paths",
            );
        }
        let is_known_test = chain.is_some_and(|chain| TEST_NETWORKS.contains(&chain.id));
        let is_test = match self.text("minting.test").as_deref() {
            None => mode == Mode::Development || is_known_test,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.problem("minting.test", "must be true or false");
                true
            }
        };
        let test_marker = match self.text("minting.test_marker").as_deref() {
            None | Some("_test-") => TestMarker::BeforeHyphen,
            Some("-test-") => TestMarker::AfterHyphen,
            Some(_) => {
                self.problem("minting.test_marker", "must be _test- or -test-");
                TestMarker::BeforeHyphen
            }
        };
        let anonymous = self.number("minting.anonymous_requests", 1_500, 1..=1_000_000);
        Minting {
            chain_name,
            is_test,
            test_marker,
            anonymous_requests: NonZeroU32::new(anonymous).unwrap_or(NonZeroU32::MIN),
            anonymous_window: self.seconds("minting.anonymous_window_seconds", 300, 1..=86_400),
            // One request may name 250 tokens.
            refreshes_per_minute: self.number("minting.refreshes_per_minute", 677, 250..=1_000_000),
            collections_per_hour: self.number("minting.collections_per_hour", 60, 1..=1_000_000),
            public_url: self.public_url(),
        }
    }

    fn public_url(&mut self) -> Option<String> {
        let url = self.text("minting.public_url")?;
        let url = url.trim_end_matches('/');
        let has_scheme = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let is_plain =
            |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && !b"?#@".contains(&b));
        if !has_scheme.is_some_and(is_plain) || url.len() > PUBLIC_URL_LENGTH_MAX {
            self.problem(
                "minting.public_url",
                "must be http:// or https:// with a host, and no query",
            );
            return None;
        }
        Some(url.to_owned())
    }
}
