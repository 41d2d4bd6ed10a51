use std::path::PathBuf;

use secrecy::{SecretBox, SecretString};

use super::Mode;
use super::reader::{Reader, key_bytes};
use crate::types::Address;

/// The mint API in Certhis' dialect.
#[derive(Debug)]
pub struct Certhis {
    /// How long the e-mail address of a recipient is kept, encrypted, with its task.
    pub email_retention_days: u32,
    /// What the wallets of e-mail recipients are made from; none where tokens go to addresses only.
    pub custody: Option<Custody>,
}

/// Who has the seed has every wallet that was made from it.
#[derive(Debug)]
pub struct Custody {
    pub seed: SeedSource,
    /// The address of the key in the keystore, as somebody wrote it down who made a copy of that file.
    pub backup: Option<Address>,
}

#[derive(Debug)]
pub enum SeedSource {
    /// The key in an encrypted file (Web3 Secret Storage), as `moneyer admin keystore create` makes it.
    Keystore { path: PathBuf, password: SecretString },
    /// For development: whoever reads the settings has every wallet.
    Raw(SecretBox<[u8; 32]>),
}

impl Certhis {
    /// One setting per line, secrets masked.
    pub(super) fn describe(&self) -> String {
        let mut lines = format!(
            "certhis.email_wallets = {}\ncerthis.email_retention_days = {}\n",
            self.custody.is_some(),
            self.email_retention_days,
        );
        if let Some(custody) = &self.custody {
            match &custody.seed {
                SeedSource::Keystore { path, .. } => {
                    lines.push_str(&format!("certhis.custody_keystore = {}\n", path.display()));
                    lines.push_str("certhis.custody_password = ***\n");
                }
                SeedSource::Raw(_) => lines.push_str("certhis.custody_seed = ***\n"),
            }
            if let Some(backup) = custody.backup {
                lines.push_str(&format!("certhis.custody_backup = {backup}\n"));
            }
        }
        lines
    }
}

impl Reader {
    pub(super) fn certhis(&mut self, mode: Mode) -> Certhis {
        let email_retention_days = self.number("certhis.email_retention_days", 30, 1..=3_650);
        let is_on = match self.text("certhis.email_wallets").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                self.problem("certhis.email_wallets", "must be true or false");
                false
            }
        };
        let problems = self.problems.len();
        let seed = self.seed(mode);
        let is_silent = self.problems.len() == problems;
        let backup = self.text("certhis.custody_backup").and_then(|text| {
            let address = Address::parse(&text);
            address
                .map_err(|error| self.problem("certhis.custody_backup", &error.to_string()))
                .ok()
        });
        if is_on && seed.is_none() && is_silent {
            self.problem(
                "certhis.custody_keystore",
                "is missing: the wallets of e-mail recipients are made from the key in it",
            );
        }
        if is_on && mode == Mode::Production && backup.is_none() && self.is_sound("certhis.custody_backup") {
            self.problem(
                "certhis.custody_backup",
                "is missing: make a copy of the keystore, keep it elsewhere, and give the address of its key here",
            );
        }
        Certhis {
            email_retention_days,
            custody: seed.filter(|_| is_on).map(|seed| Custody { seed, backup }),
        }
    }

    fn seed(&mut self, mode: Mode) -> Option<SeedSource> {
        let keystore = self.text("certhis.custody_keystore");
        let password = self.secret_text("certhis.custody_password");
        let raw = self.secret_text("certhis.custody_seed");
        match (keystore, password, raw) {
            (None, None, None) => None,
            (Some(path), Some(password), None) => Some(SeedSource::Keystore {
                path: PathBuf::from(path),
                password: SecretString::from(password),
            }),
            (None, None, Some(_)) if mode == Mode::Production => {
                self.problem(
                    "certhis.custody_seed",
                    "is for development: in production give a keystore",
                );
                None
            }
            (None, None, Some(text)) => {
                let bytes = key_bytes(&text);
                if bytes.is_none() {
                    self.problem("certhis.custody_seed", "must be 32 bytes as 64 hex digits or base64");
                }
                bytes.map(|bytes| SeedSource::Raw(SecretBox::new(Box::new(bytes))))
            }
            (Some(_), None, None) => {
                self.problem("certhis.custody_password", "is missing: the keystore is encrypted");
                None
            }
            (None, Some(_), _) | (Some(_), _, Some(_)) => {
                let reason = "give a keystore with its password, or (for development) a seed";
                self.problem("certhis.custody_keystore", reason);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::super::{Config, Problem};

    const BACKUP: (&str, &str) = ("certhis.custody_backup", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
    const KEYSTORE: [(&str, &str); 3] = [
        ("certhis.email_wallets", "true"),
        ("certhis.custody_keystore", "seed.json"),
        ("certhis.custody_password", "correct horse"),
    ];

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_layers(Table::new(), pairs.collect(), &[])
    }

    fn wrong(pairs: &[(&str, &str)]) -> Vec<String> {
        let problems = load(pairs).map(|_| Vec::new()).unwrap_or_else(|problems| problems);
        problems.into_iter().map(|problem| problem.setting).collect()
    }

    #[test]
    fn wallets_for_e_mail_addresses_are_off_unless_somebody_says_so() {
        assert!(load(&[]).unwrap().certhis.custody.is_none());
        assert!(
            load(&[("certhis.custody_seed", &"11".repeat(32))])
                .unwrap()
                .certhis
                .custody
                .is_none()
        );
        assert!(load(&KEYSTORE).unwrap().certhis.custody.is_some());
    }

    #[test]
    fn wallets_for_e_mail_addresses_need_one_whole_seed() {
        let seed = "11".repeat(32);
        let on = ("certhis.email_wallets", "true");

        assert_eq!(wrong(&[on]), ["certhis.custody_keystore"]);
        assert_eq!(wrong(&KEYSTORE[..2]), ["certhis.custody_password"]);
        assert_eq!(wrong(&[on, ("certhis.custody_seed", "1111")]), ["certhis.custody_seed"]);
        let both = [KEYSTORE[0], KEYSTORE[1], KEYSTORE[2], ("certhis.custody_seed", &seed)];
        assert_eq!(wrong(&both), ["certhis.custody_keystore"]);
    }

    #[test]
    fn production_asks_for_a_backup_and_takes_no_raw_seed() {
        let own = "11".repeat(32);
        let production = [
            ("mode", "production"),
            ("database.url", "sqlite:x"),
            ("secrets.pepper", own.as_str()),
            ("secrets.data_key", own.as_str()),
        ];
        let with = |more: &[(&str, &str)]| {
            let pairs: Vec<_> = production.iter().chain(more).copied().collect();
            wrong(&pairs)
        };

        assert_eq!(with(&KEYSTORE), ["certhis.custody_backup"]);
        assert!(with(&[KEYSTORE[0], KEYSTORE[1], KEYSTORE[2], BACKUP]).is_empty());
        assert_eq!(
            with(&[KEYSTORE[0], BACKUP, ("certhis.custody_seed", &own)]),
            ["certhis.custody_seed"]
        );
    }

    #[test]
    fn the_days_that_an_e_mail_address_is_kept_have_bounds() {
        for (days, taken) in [("0", false), ("1", true), ("3650", true), ("3651", false)] {
            assert_eq!(load(&[("certhis.email_retention_days", days)]).is_ok(), taken, "{days}");
        }
    }

    #[test]
    fn no_secret_is_described() {
        let config = load(&KEYSTORE).unwrap();

        assert!(!config.describe().contains("horse"));
        assert!(config.describe().contains("certhis.custody_keystore = seed.json"));
    }
}
