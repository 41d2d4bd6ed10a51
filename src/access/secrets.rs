//! Whether a server has the secrets that its database was made with.
//!
//! With others it would start and know nobody: no API key, no PIN, no code, and what it sealed would not open. So each
//! database keeps a keyed hash of a fixed text under each secret. Who sees one learns nothing about 32 random bytes.

use super::{Vault, store};
use crate::db::Tx;
use crate::error::Error;

/// Keeps what tells the secrets of this vault from others, unless the database knows that of some already.
pub fn keep_secret_checks(tx: &mut Tx<'_>, vault: &Vault) -> Result<(), Error> {
    if store::secret_checks(tx)?.is_empty() {
        store::insert_secret_checks(tx, &vault.checks())?;
    }
    Ok(())
}

/// The settings of the secrets that are not those of this database; none where it knows of none yet.
pub fn differing_secrets(tx: &mut Tx<'_>, vault: &Vault) -> Result<Vec<&'static str>, Error> {
    let kept = store::secret_checks(tx)?;
    let differs = |(name, hash): &(&'static str, _)| kept.get(*name).is_some_and(|kept| kept != hash);
    let differing = vault.checks().into_iter().filter(differs);
    Ok(differing.map(|(name, _)| name).collect())
}
