//! Whether settlement does its work, as every process can tell from the database.

use super::model::{ChainRecord, Look};
use super::store;
use crate::db::Tx;
use crate::error::Error;
use crate::types::Timestamp;

/// Longer than the longest pause between two looks that the settings allow.
const SILENCE_SECONDS_MAX: i64 = 90;

/// Operations are accepted in either state; in the second they wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    /// One sentence for people.
    Degraded(String),
}

/// None when this deployment never met a chain.
pub fn health(tx: &mut Tx<'_>, now: Timestamp) -> Result<Option<Health>, Error> {
    Ok(store::chain(tx)?.map(|chain| judge(&chain, now)))
}

fn judge(chain: &ChainRecord, now: Timestamp) -> Health {
    let Look { at, trouble } = &chain.look;
    let Some(at) = at else {
        return Health::Degraded("nobody has looked at the chain yet".to_owned());
    };
    let silence = now.seconds().saturating_sub(at.seconds());
    if silence > SILENCE_SECONDS_MAX {
        return Health::Degraded(format!("nobody has looked at the chain for {silence} seconds"));
    }
    match trouble {
        Some(trouble) => Health::Degraded(trouble.clone()),
        None if !chain.ready => Health::Degraded("the contracts are being brought to the chain".to_owned()),
        None => Health::Well,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Address, Hash32};

    fn chain(at: Option<i64>, trouble: Option<&str>, ready: bool) -> ChainRecord {
        ChainRecord {
            chain_id: 1,
            sender: Address::ZERO,
            genesis: Hash32::ZERO,
            contracts: None,
            ready,
            observed_block: 0,
            compared_block: 0,
            look: Look {
                at: at.map(Timestamp::from_seconds),
                trouble: trouble.map(str::to_owned),
            },
        }
    }

    fn health_at(chain: &ChainRecord, now: i64) -> Health {
        judge(chain, Timestamp::from_seconds(now))
    }

    #[test]
    fn a_chain_at_which_nobody_looks_is_degraded_after_a_while() {
        let looked = chain(Some(100), None, true);

        assert_eq!(health_at(&looked, 100 + SILENCE_SECONDS_MAX), Health::Well);
        let silent = health_at(&looked, 101 + SILENCE_SECONDS_MAX);
        assert_eq!(
            silent,
            Health::Degraded("nobody has looked at the chain for 91 seconds".to_owned())
        );
        assert!(matches!(health_at(&chain(None, None, true), 0), Health::Degraded(_)));
    }

    #[test]
    fn trouble_is_told_and_goes_before_everything_but_silence() {
        let troubled = chain(Some(100), Some("no node answers"), false);

        assert_eq!(
            health_at(&troubled, 100),
            Health::Degraded("no node answers".to_owned())
        );
        assert!(matches!(
            health_at(&chain(Some(100), None, false), 100),
            Health::Degraded(_)
        ));
    }
}
