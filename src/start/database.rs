//! Which database a subcommand works on, and whether it is the one that the settings mean.

use std::sync::Arc;

use super::{Failure, load_policies};
use crate::access;
use crate::app::{App, Clock};
use crate::config::Config;
use crate::db::SchemaState;
use crate::error::Error;

/// Loads the policies and opens the database, which a SQLite file becomes when it is first written to; a broken policy
/// file stops the start.
pub(crate) fn open(config: &Config) -> Result<App, Failure> {
    let policies = load_policies(config)?;
    create_folder_of_database(config)?;
    Ok(App::new(config, policies, Clock::System)?)
}

/// As [`open`], for who works on what is there already: makes no file, and refuses a schema that lacks something.
pub(crate) async fn open_existing(config: &Config) -> Result<App, Failure> {
    if let Some(file) = config.database.sqlite_file()
        && !file.exists()
    {
        return Err(Failure::usage(format!(
            "there is no database {}: `moneyer migrate` makes one",
            file.display()
        )));
    }
    let app = App::new(config, load_policies(config)?, Clock::System)?;
    expect_schema(&app).await?;
    Ok(app)
}

/// SQLite makes its file but not the folder.
pub(crate) fn create_folder_of_database(config: &Config) -> Result<(), Failure> {
    let file = config.database.sqlite_file();
    let Some(folder) = file.as_deref().and_then(|file| file.parent()) else {
        return Ok(());
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::usage(format!("cannot create {}: {error}", folder.display())))
}

pub(crate) async fn expect_schema(app: &App) -> Result<(), Failure> {
    match app.db().schema_state().await? {
        // Migrations expand before they contract: what is newer still has what we need.
        SchemaState::Current | SchemaState::Ahead => Ok(()),
        SchemaState::Absent => Err(Failure::usage(
            "the database has no schema of Moneyer: `moneyer migrate` makes it",
        )),
        SchemaState::Behind => Err(Failure::usage(
            "the schema is of an older Moneyer: `moneyer migrate` brings it up",
        )),
    }
}

/// Refuses secrets that are not those the database was made with: with them nobody is known, and every key that is made
/// is good for nothing.
pub(crate) async fn expect_secrets(app: &App) -> Result<(), Failure> {
    let vault = Arc::clone(app.vault());
    let differing = app.db().read(move |tx| access::differing_secrets(tx, &vault)).await?;
    if differing.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} {} not what this database was made with: give the server's own settings (--config or MONEYER_CONFIG)",
        differing.join(" and "),
        if differing.len() == 1 { "is" } else { "are" },
    )))
}

/// [`expect_secrets`], from now on: a database that knows of none yet remembers these.
pub(super) async fn keep_secrets(app: &App) -> Result<(), Failure> {
    let vault = Arc::clone(app.vault());
    let keep = app.db().write(move |tx| access::keep_secret_checks(tx, &vault));
    keep.await?;
    expect_secrets(app).await
}

/// What a background process asks of a database. One that is away for a moment is asked by what it does there.
pub(crate) async fn expect_ours(app: &App) -> Result<(), Failure> {
    match app.db().ping().await {
        Err(Error::Unavailable(_)) => {
            tracing::warn!("the database is away: work begins when it is back");
            Ok(())
        }
        Ok(()) | Err(_) => {
            expect_schema(app).await?;
            expect_secrets(app).await
        }
    }
}
