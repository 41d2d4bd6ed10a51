//! What tells the secrets of this database from others.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::secret_checks;
use crate::error::Error;
use crate::on;
use crate::types::Hash32;

pub(in crate::access) fn secret_checks(tx: &mut Tx<'_>) -> Result<HashMap<String, Hash32>, Error> {
    let rows: Vec<(String, Hash32)> = on!(tx, c => secret_checks::table.load(c))?;
    Ok(rows.into_iter().collect())
}

/// Of two processes that start at once the first one writes.
pub(in crate::access) fn insert_secret_checks(tx: &mut Tx<'_>, checks: &[(&'static str, Hash32)]) -> Result<(), Error> {
    for (name, hash) in checks {
        let row = (secret_checks::name.eq(*name), secret_checks::hash.eq(*hash));
        on!(tx, c => diesel::insert_into(secret_checks::table).values(row).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}
