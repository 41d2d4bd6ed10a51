//! Settings, from one place: a TOML file, then the environment, then flags; later wins. The only reader of the
//! environment. Every wrong or missing setting is reported at once.
//!
//! A setting `section.key` is `MONEYER_SECTION__KEY` in the environment. A secret may also be given as the path of a file
//! that holds it (`section.key_file`, `MONEYER_SECTION__KEY_FILE`). Secrets are kept in types that do not print.

mod certhis;
mod chain;
mod minting;
mod reader;
mod webhooks;

pub use certhis::{Certhis, Custody, SeedSource};
pub use chain::{Chain, Endpoint, Finality, KeySource, Saved};
pub use minting::{Minting, TestMarker};
pub use webhooks::Webhooks;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretBox, SecretString};
use toml::{Table, Value};

use crate::types::Currency;
use reader::Reader;

/// Prefix of every environment variable that is a setting.
const PREFIX: &str = "MONEYER_";
/// Names under the prefix that are not settings: the test suite's database and the path of the settings file.
const NOT_SETTINGS: [&str; 2] = ["TEST_POSTGRES", "CONFIG"];

/// Keys that everybody knows, so that a first start needs no set-up. Refused in production.
const DEVELOPMENT_PEPPER: [u8; 32] = *b"moneyer development pepper 00000";
const DEVELOPMENT_DATA_KEY: [u8; 32] = *b"moneyer development data key 000";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Development,
    Production,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Pretty,
    Json,
}

#[derive(Debug)]
pub struct Config {
    pub mode: Mode,
    pub server: Server,
    pub metrics_listen: SocketAddr,
    pub database: Database,
    pub secrets: Secrets,
    pub policies: PathBuf,
    pub log: Log,
    /// What `totalValueInBaseCurrency` is counted in; without it that field is null.
    pub base_currency: Option<Currency>,
    pub lanes: Lanes,
    /// Where `settlement: evm` settles; without it that is refused.
    pub chain: Option<Chain>,
    /// Requests of one API key per minute; none is no limit.
    pub rate_api_key: Option<NonZeroU32>,
    pub minting: Minting,
    pub certhis: Certhis,
    pub webhooks: Webhooks,
}

#[derive(Debug)]
pub struct Server {
    pub listen: SocketAddr,
    /// Threads that serve HTTP.
    pub workers: usize,
    /// A larger body is answered with 413.
    pub body_bytes_max: usize,
    /// How long a body may take to arrive; a slower one is answered with 408.
    pub body: Duration,
    /// How long a graceful stop waits for requests in progress.
    pub stop: Duration,
    /// Proxies of ours before this server: each has added the address of its caller to `X-Forwarded-For`.
    pub proxies: usize,
}

#[derive(Debug)]
pub struct Database {
    pub url: SecretString,
    pub connections_max: u32,
    /// How long a request waits for a connection before it is answered with 503.
    pub wait: Duration,
}

/// The keys that protect what is stored. They live outside the database.
#[derive(Debug)]
pub struct Secrets {
    /// Keyed hashes of API keys, PINs and secret codes.
    pub pepper: SecretBox<[u8; 32]>,
    /// Encryption of one-time password seeds.
    pub data_key: SecretBox<[u8; 32]>,
}

#[derive(Debug)]
pub struct Log {
    pub format: LogFormat,
    /// A tracing filter such as `info,moneyer=debug`.
    pub filter: String,
}

impl Log {
    /// What the pool and the HTTP server say beside it is told by us, or is of no use to an operator.
    pub const FILTER_DEFAULT: &str = "info,r2d2=off,actix_server=warn";
}

#[derive(Debug)]
pub struct Lanes {
    /// Recipients that may wait in one lane; beyond it a mint is answered with 503.
    pub waiting_max: usize,
    /// Recipients of one commit.
    pub commit_max: usize,
}

/// One setting that is wrong or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub setting: String,
    pub reason: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let variable = self.setting.replace('.', "__").to_uppercase();
        write!(f, "{} ({PREFIX}{variable}): {}", self.setting, self.reason)
    }
}

/// Where settings come from, in the order in which later ones win.
#[derive(Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// `(section.key, value)` from the command line.
    pub flags: Vec<(&'static str, String)>,
}

impl Config {
    pub fn load(sources: &Sources) -> Result<Self, Vec<Problem>> {
        let environment = environment();
        let named = std::env::vars()
            .find(|(name, _)| name == "MONEYER_CONFIG")
            .map(|(_, path)| PathBuf::from(path));
        let file = sources.file.clone().or(named);
        let table = file
            .as_deref()
            .map(read_file)
            .transpose()
            .map_err(|problem| vec![problem])?;
        Self::from_layers(table.unwrap_or_default(), environment, &sources.flags)
    }

    /// As [`Self::load`], with every layer given.
    pub fn from_layers(
        mut table: Table,
        environment: Vec<(String, String)>,
        flags: &[(&'static str, String)],
    ) -> Result<Self, Vec<Problem>> {
        for (setting, value) in environment {
            set(&mut table, &setting, Value::String(value));
        }
        for (setting, value) in flags {
            set(&mut table, setting, Value::String(value.clone()));
        }
        let mut reader = Reader {
            table,
            problems: Vec::new(),
        };
        let config = reader.config();
        reader.refuse_leftovers();
        if reader.problems.is_empty() {
            Ok(config)
        } else {
            Err(reader.problems)
        }
    }
}

impl Database {
    /// Where the database is, without whatever could be a password.
    pub fn place(&self) -> String {
        let url = self.url.expose_secret();
        let Some((scheme, rest)) = url
            .split_once("://")
            .filter(|(scheme, _)| scheme.starts_with("postgres"))
        else {
            return url.to_owned();
        };
        let rest = rest.split('?').next().unwrap_or("");
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{host}")
    }

    pub fn is_postgres(&self) -> bool {
        let url = self.url.expose_secret();
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    }

    /// The SQLite file; none for PostgreSQL.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let url = self.url.expose_secret();
        let path = url.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"));
        (!self.is_postgres()).then(|| PathBuf::from(path.unwrap_or(url)))
    }

    /// A path, or a scheme that is known.
    fn is_known(&self) -> bool {
        let url = self.url.expose_secret();
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        self.is_postgres() || (!path.is_empty() && (path.starts_with("//") || !path.contains("://")))
    }
}

impl Secrets {
    /// One of them is a key that everybody knows.
    pub fn are_development(&self) -> bool {
        *self.pepper.expose_secret() == DEVELOPMENT_PEPPER || *self.data_key.expose_secret() == DEVELOPMENT_DATA_KEY
    }
}

impl Mode {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

impl LogFormat {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

fn environment() -> Vec<(String, String)> {
    let settings = std::env::vars().filter_map(|(name, value)| {
        let name = name.strip_prefix(PREFIX)?;
        let setting = name.to_lowercase().replace("__", ".");
        (!NOT_SETTINGS.contains(&name)).then_some((setting, value))
    });
    settings.collect()
}

fn read_file(path: &Path) -> Result<Table, Problem> {
    let problem = |reason: String| Problem {
        setting: "config".to_owned(),
        reason: format!("{}: {reason}", path.display()),
    };
    let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    text.parse::<Table>().map_err(|error| problem(error.to_string()))
}

fn set(table: &mut Table, setting: &str, value: Value) {
    match setting.split_once('.') {
        None => {
            table.insert(setting.to_owned(), value);
        }
        Some((section, rest)) => {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = entry {
                set(inner, rest, value);
            }
        }
    }
}

impl Config {
    /// The settings in force, one per line, with secrets masked: what `moneyer settings` prints.
    pub fn describe(&self) -> String {
        let place = self.database.place();
        format!(
            "mode = {}\nserver.listen = {}\nserver.workers = {}\nserver.body_bytes_max = {}\n\
             server.body_seconds = {}\nserver.stop_seconds = {}\n\
             server.proxies = {}\n\
             metrics.listen = {}\ndatabase.url = {place}\ndatabase.connections_max = {}\ndatabase.wait_seconds = {}\n\
             secrets.pepper = ***\nsecrets.data_key = ***\npolicies.dir = {}\nlog.format = {}\nlog.filter = {}\n\
             lanes.waiting_max = {}\nlanes.commit_max = {}\nrate.api_key = {}\n{}{}{}{}",
            self.mode.text(),
            self.server.listen,
            self.server.workers,
            self.server.body_bytes_max,
            self.server.body.as_secs(),
            self.server.stop.as_secs(),
            self.server.proxies,
            self.metrics_listen,
            self.database.connections_max,
            self.database.wait.as_secs(),
            self.policies.display(),
            self.log.format.text(),
            self.log.filter,
            self.lanes.waiting_max,
            self.lanes.commit_max,
            self.rate_api_key.map_or(0, NonZeroU32::get),
            self.minting.describe(),
            self.certhis.describe(),
            self.webhooks.describe(),
            self.chain.as_ref().map(Chain::describe).unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        let environment = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::from_layers(Table::new(), environment, &[])
    }

    fn settings(problems: &[Problem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.setting.as_str()).collect()
    }

    #[test]
    fn nothing_set_is_a_development_server() {
        let config = load(&[]).unwrap();

        assert_eq!(config.mode, Mode::Development);
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn every_wrong_or_missing_setting_is_reported_at_once() {
        let problems = load(&[
            ("mode", "production"),
            ("server.listen", "nonsense"),
            ("server.lisen", "x"),
        ])
        .unwrap_err();

        let expected = [
            "server.listen",
            "database.url",
            "secrets.pepper",
            "secrets.data_key",
            "server.lisen",
        ];
        assert_eq!(settings(&problems), expected);
    }

    #[test]
    fn production_refuses_the_development_keys() {
        let known = data_encoding::HEXLOWER.encode(&DEVELOPMENT_PEPPER);
        let own = "11".repeat(32);
        let pairs = [
            ("mode", "production"),
            ("database.url", "sqlite:x"),
            ("secrets.pepper", known.as_str()),
            ("secrets.data_key", own.as_str()),
        ];

        assert_eq!(settings(&load(&pairs).unwrap_err()), ["secrets.pepper"]);
    }

    #[test]
    fn flags_win_over_the_environment_and_the_environment_over_the_file() {
        let file: Table = "[server]\nlisten = \"127.0.0.1:1\"\nworkers = 3\n".parse().unwrap();
        let environment = vec![("server.listen".to_owned(), "127.0.0.1:2".to_owned())];
        let flags = [("server.listen", "127.0.0.1:3".to_owned())];

        let config = Config::from_layers(file, environment, &flags).unwrap();

        assert_eq!(config.server.listen.port(), 3);
        assert_eq!(config.server.workers, 3);
    }

    #[test]
    fn a_database_is_a_path_or_of_a_known_scheme() {
        for (url, taken) in [
            ("sqlite:data/x.db", true),
            ("sqlite:///srv/x.db", true),
            ("x.db", true),
            ("postgres://u@h/x", true),
            ("postgresql://h/x", true),
            ("mysql://h/x", false),
            ("sqlite:mysql://h", false),
            ("sqlite:", false),
        ] {
            assert_eq!(load(&[("database.url", url)]).is_ok(), taken, "{url}");
        }
    }

    #[test]
    fn what_is_described_can_be_set() {
        let shown = load(&[("log.format", "json")]).unwrap().describe();

        assert!(shown.contains("mode = development\n"), "{shown}");
        assert!(shown.contains("log.format = json\n"), "{shown}");
    }

    #[test]
    fn a_settings_file_that_is_not_there_is_named_as_the_setting_that_it_is() {
        let sources = Sources {
            file: Some(PathBuf::from("/nonexistent/moneyer.toml")),
            ..Sources::default()
        };

        let told = Config::load(&sources).unwrap_err()[0].to_string();

        let begin = "config (MONEYER_CONFIG): /nonexistent/moneyer.toml: ";
        assert!(told.starts_with(begin), "{told}");
    }

    #[test]
    fn a_number_is_taken_inside_its_bounds_only() {
        for (text, taken) in [("0", false), ("1", true), ("256", true), ("257", false), ("x", false)] {
            assert_eq!(load(&[("server.workers", text)]).is_ok(), taken, "{text}");
        }
    }

    #[test]
    fn no_part_of_a_database_url_that_could_be_a_password_is_shown() {
        for url in [
            "postgres://u:hunter2@h:5432/db",
            "postgres://h/db?user=u&password=hunter2",
            "postgres://h/d?x=@hunter2",
        ] {
            let config = load(&[("database.url", url)]).unwrap();

            assert!(!config.describe().contains("hunter2"), "{url}");
            assert!(config.describe().contains("postgres://h"), "{url}");
        }
    }

    #[test]
    fn the_development_keys_serve_this_machine_only() {
        let open = load(&[("server.listen", "0.0.0.0:8080")]).unwrap_err();
        let own = "11".repeat(32);
        let keyed = [
            ("server.listen", "0.0.0.0:8080"),
            ("secrets.pepper", own.as_str()),
            ("secrets.data_key", own.as_str()),
        ];

        assert_eq!(settings(&open), ["secrets.pepper", "secrets.data_key"]);
        assert!(load(&keyed).is_ok());
    }

    #[test]
    fn a_secret_may_come_from_a_file_and_never_prints() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pepper");
        std::fs::write(&path, format!("{}\n", "ab".repeat(32))).unwrap();

        let config = load(&[("secrets.pepper_file", path.to_str().unwrap())]).unwrap();

        assert_eq!(config.secrets.pepper.expose_secret(), &[0xab; 32]);
        assert!(!format!("{config:?}{}", config.describe()).contains("abab"));
    }
}
