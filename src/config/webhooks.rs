use std::time::Duration;

use super::reader::Reader;
use crate::types::Network;

/// How webhooks are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// Targets that are not public and yet allowed, also without TLS: nobody's by default, because who may name a target
    /// could otherwise make this server ask inside its own network (OWASP API7).
    pub private_networks: Vec<Network>,
    /// For one attempt, from the look-up of the name to the end of the answer.
    pub timeout: Duration,
}

impl Webhooks {
    /// One setting per line.
    pub(super) fn describe(&self) -> String {
        let networks: Vec<String> = self.private_networks.iter().map(ToString::to_string).collect();
        format!(
            "webhooks.private_networks = {}\nwebhooks.timeout_seconds = {}\n",
            networks.join(","),
            self.timeout.as_secs()
        )
    }
}

impl Reader {
    pub(super) fn webhooks(&mut self) -> Webhooks {
        let text = self.text("webhooks.private_networks").unwrap_or_default();
        let mut private_networks = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match Network::parse(part) {
                Ok(network) => private_networks.push(network),
                Err(error) => self.problem("webhooks.private_networks", &format!("{part} {error}")),
            }
        }
        Webhooks {
            private_networks,
            // Immutable's receivers know that they have so long (immutable.md section 9).
            timeout: self.seconds("webhooks.timeout_seconds", 30, 1..=30),
        }
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::super::Config;
    use super::*;

    fn load(setting: &str, value: &str) -> Result<Webhooks, Vec<String>> {
        let environment = vec![(setting.to_owned(), value.to_owned())];
        match Config::from_layers(Table::new(), environment, &[]) {
            Ok(config) => Ok(config.webhooks),
            Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn no_private_network_is_a_target_unless_it_is_named() {
        let networks = |text| load("webhooks.private_networks", text).map(|webhooks| webhooks.private_networks.len());

        assert_eq!(networks(""), Ok(0));
        assert_eq!(networks("10.0.0.0/8, fd00::/8"), Ok(2));
        assert!(networks("10.0.0.0/8,localhost").unwrap_err()[0].contains("localhost"));
    }

    #[test]
    fn an_attempt_takes_no_longer_than_receivers_know() {
        for (text, taken) in [("0", false), ("1", true), ("30", true), ("31", false)] {
            assert_eq!(load("webhooks.timeout_seconds", text).is_ok(), taken, "{text}");
        }
    }
}
