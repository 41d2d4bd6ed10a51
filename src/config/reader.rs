//! Takes settings out of the merged table, one by one, and collects what is wrong with them.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{SecretBox, SecretString};
use toml::{Table, Value};

use super::{
    Config, DEVELOPMENT_DATA_KEY, DEVELOPMENT_PEPPER, Database, Lanes, Log, LogFormat, Mode, Problem, Secrets, Server,
};
use crate::types::Currency;

pub(super) struct Reader {
    pub table: Table,
    pub problems: Vec<Problem>,
}

impl Reader {
    pub fn config(&mut self) -> Config {
        let mode = match self.text("mode").as_deref() {
            None | Some("development") => Mode::Development,
            Some("production") => Mode::Production,
            Some(_) => {
                self.problem("mode", "must be development or production");
                Mode::Production
            }
        };
        let listen: SocketAddr = self.parsed("server.listen", "127.0.0.1:8080", "an address and port");
        // The development keys are known to everybody: they serve this machine and nobody else.
        let keys = if listen.ip().is_loopback() {
            mode
        } else {
            Mode::Production
        };
        let chain = self.chain(mode);
        Config {
            minting: self.minting(mode, chain.as_ref()),
            certhis: self.certhis(mode),
            webhooks: self.webhooks(),
            mode,
            server: Server {
                listen,
                workers: self.size("server.workers", 2, 1..=256),
                body_bytes_max: self.size("server.body_bytes_max", 1_048_576, 1_024..=67_108_864),
                body: self.seconds("server.body_seconds", 30, 1..=600),
                stop: self.seconds("server.stop_seconds", 30, 0..=600),
                proxies: self.size("server.proxies", 0, 0..=16),
            },
            metrics_listen: self.parsed("metrics.listen", "127.0.0.1:9464", "an address and port"),
            database: self.database(mode),
            secrets: Secrets {
                pepper: self.key("secrets.pepper", keys, DEVELOPMENT_PEPPER),
                data_key: self.key("secrets.data_key", keys, DEVELOPMENT_DATA_KEY),
            },
            policies: PathBuf::from(self.text("policies.dir").unwrap_or_else(|| "policies".to_owned())),
            log: self.log(mode),
            base_currency: self
                .text("base_currency")
                .and_then(|text| match Currency::parse(&text) {
                    Ok(currency) => Some(currency),
                    Err(error) => {
                        self.problem("base_currency", &error.to_string());
                        None
                    }
                }),
            lanes: Lanes {
                waiting_max: self.size("lanes.waiting_max", 50_000, 100..=1_000_000),
                commit_max: self.size("lanes.commit_max", 5_000, 100..=20_000),
            },
            chain,
            rate_api_key: NonZeroU32::new(self.number("rate.api_key", 0, 0..=1_000_000)),
        }
    }

    fn database(&mut self, mode: Mode) -> Database {
        let default = "sqlite:data/moneyer.db".to_owned();
        let url = self.secret_text("database.url");
        if url.is_none() && mode == Mode::Production {
            self.problem("database.url", "is missing");
        }
        let database = Database {
            url: SecretString::from(url.unwrap_or(default)),
            connections_max: self.number("database.connections_max", 16, 1..=1_000),
            wait: self.seconds("database.wait_seconds", 5, 1..=60),
        };
        if !database.is_known() {
            self.problem("database.url", "must be postgres://USER@HOST/NAME or sqlite:PATH");
        }
        database
    }

    fn log(&mut self, mode: Mode) -> Log {
        let default = if mode == Mode::Production { "json" } else { "pretty" };
        let format = match self.text("log.format").as_deref().unwrap_or(default) {
            "json" => LogFormat::Json,
            "pretty" => LogFormat::Pretty,
            _ => {
                self.problem("log.format", "must be json or pretty");
                LogFormat::Json
            }
        };
        Log {
            format,
            filter: self
                .text("log.filter")
                .unwrap_or_else(|| Log::FILTER_DEFAULT.to_owned()),
        }
    }

    /// Thirty-two bytes as 64 hex digits or base64, given directly or in a file.
    fn key(&mut self, setting: &str, mode: Mode, development: [u8; 32]) -> SecretBox<[u8; 32]> {
        let text = self.secret_text(setting);
        let bytes = match (&text, mode) {
            (None, Mode::Development) => Some(development),
            (None, Mode::Production) => {
                self.problem(setting, "is missing: give 32 random bytes as 64 hex digits or base64");
                None
            }
            (Some(text), _) => {
                let bytes = key_bytes(text);
                if bytes.is_none() {
                    self.problem(setting, "must be 32 bytes as 64 hex digits or base64");
                }
                bytes
            }
        };
        if mode == Mode::Production && bytes == Some(development) {
            self.problem(setting, "is the development key, which everybody knows");
        }
        SecretBox::new(Box::new(bytes.unwrap_or(development)))
    }

    pub(super) fn secret_text(&mut self, setting: &str) -> Option<String> {
        let file = self.text(&format!("{setting}_file"));
        let direct = self.text(setting);
        match (direct, file) {
            (Some(_), Some(_)) => {
                self.problem(setting, "is given twice: directly and as a file");
                None
            }
            (Some(text), None) => Some(text),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => Some(text.trim_end_matches(['\n', '\r']).to_owned()),
                Err(error) => {
                    self.problem(&format!("{setting}_file"), &format!("cannot be read: {error}"));
                    None
                }
            },
            (None, None) => None,
        }
    }

    fn parsed<T: std::str::FromStr>(&mut self, setting: &str, default: &'static str, what: &str) -> T
    where
        T::Err: std::fmt::Debug,
    {
        let text = self.text(setting);
        if let Some(value) = text.as_deref().and_then(|text| text.parse().ok()) {
            return value;
        }
        if text.is_some() {
            self.problem(setting, &format!("must be {what} such as {default}"));
        }
        #[expect(
            clippy::unwrap_used,
            reason = "defaults are constants of this file, read by every test"
        )]
        default.parse().unwrap()
    }

    pub(super) fn size(&mut self, setting: &str, default: u32, bounds: RangeInclusive<u32>) -> usize {
        usize::try_from(self.number(setting, default, bounds)).unwrap_or(usize::MAX)
    }

    pub(super) fn seconds(&mut self, setting: &str, default: u32, bounds: RangeInclusive<u32>) -> Duration {
        Duration::from_secs(self.number(setting, default, bounds).into())
    }

    pub(super) fn number(&mut self, setting: &str, default: u32, bounds: RangeInclusive<u32>) -> u32 {
        let Some(text) = self.text(setting) else { return default };
        match text.parse() {
            Ok(number) if bounds.contains(&number) => number,
            _ => {
                self.problem(
                    setting,
                    &format!("must be a number from {} to {}", bounds.start(), bounds.end()),
                );
                default
            }
        }
    }

    /// Takes the setting out of the table, so that what is left over was misspelt.
    pub(super) fn text(&mut self, setting: &str) -> Option<String> {
        let (section, key) = setting.rsplit_once('.').unwrap_or(("", setting));
        let table = match section {
            "" => Some(&mut self.table),
            _ => self.table.get_mut(section).and_then(Value::as_table_mut),
        };
        match table.and_then(|table| table.remove(key)) {
            None => None,
            Some(Value::String(text)) => Some(text),
            Some(Value::Integer(number)) => Some(number.to_string()),
            Some(Value::Boolean(flag)) => Some(flag.to_string()),
            Some(_) => {
                self.problem(setting, "must be text or a whole number");
                None
            }
        }
    }

    /// What is left in the table when everything was taken was misspelt.
    pub fn refuse_leftovers(&mut self) {
        let table = std::mem::take(&mut self.table);
        for (section, value) in table {
            match value {
                Value::Table(inner) => {
                    let keys: Vec<String> = inner.keys().map(|key| format!("{section}.{key}")).collect();
                    keys.iter()
                        .for_each(|setting| self.problem(setting, "is not a setting"));
                }
                _ => self.problem(&section, "is not a setting"),
            }
        }
    }

    /// Nothing was said against it so far.
    pub(super) fn is_sound(&self, setting: &str) -> bool {
        self.problems.iter().all(|problem| problem.setting != setting)
    }

    pub(super) fn problem(&mut self, setting: &str, reason: &str) {
        self.problems.push(Problem {
            setting: setting.to_owned(),
            reason: reason.to_owned(),
        });
    }
}

pub(super) fn key_bytes(text: &str) -> Option<[u8; 32]> {
    let decoded = match text.len() {
        64 => data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
        _ => data_encoding::BASE64.decode(text.as_bytes()),
    };
    decoded.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
}
