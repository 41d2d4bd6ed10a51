//! Whose database it is, before anything is written to it.

use super::Start;
use super::folder::Folder;
use super::node::Node;
use super::secrets::Secrets;
use crate::access;
use crate::asset::Settlement;
use crate::audit::{self, Event, EventFilter, Stream};
use crate::config::Config;
use crate::db::{Db, Page, Settings, Tx};
use crate::error::Error;
use crate::start::{self, Failure};
use crate::types::Timestamp;

/// The action of the mark. Nobody but a demo writes it, and a demo writes it only where it found nothing.
const MARK: &str = "demo.begun";
/// A table that every schema of ours has.
const OURS: &str = "audit_events";

#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// No table, or ours with nothing in them but what a server's start writes.
    Nothing,
    Demo(String),
    Foreign,
}

/// The secrets that fit the database: those of the folder, or new ones where the world is still to be made.
pub(super) async fn claim(
    config: &Config,
    folder: &Folder,
    how: Start,
    settlement: Settlement,
) -> Result<Secrets, Failure> {
    start::create_folder_of_database(config)?;
    let db = Db::connect(&Settings {
        url: config.database.url.clone(),
        connections_max: 1,
        wait: config.database.wait,
    })?;
    let found = look(&db).await.map_err(|error| unusable(&error))?;
    let kept = match how {
        Start::Continue => Secrets::load(folder)?,
        Start::Anew => None,
    };
    match (found, kept, how) {
        (Found::Foreign, _, _) => Err(Failure::usage(
            "the database holds something that no demo created, and is left alone: name another one with --database",
        )),
        (Found::Demo(mark), Some(kept), Start::Continue) if kept.demo == mark => match kept.world {
            Some(_) => Ok(kept),
            None => {
                tracing::warn!("the last start was stopped before the demo was ready: beginning anew");
                begin_anew(db, folder, settlement).await
            }
        },
        (Found::Demo(_), _, Start::Continue) => Err(Failure::usage(format!(
            "the database belongs to a demo whose keys are not in {}: name its folder with --data, or wipe it with --reset",
            folder.path().display()
        ))),
        (Found::Nothing, Some(Secrets { world: Some(_), .. }), Start::Continue) => Err(Failure::usage(format!(
            "the keys in {} belong to another database than this empty one: give --data, or wipe them with --reset",
            folder.path().display()
        ))),
        (Found::Demo(_), _, Start::Anew) => begin_anew(db, folder, settlement).await,
        // A start that was stopped early left a schema that remembers its secrets.
        (Found::Nothing, _, _) => begin_anew(db, folder, settlement).await,
    }
}

fn unusable(error: &Error) -> Failure {
    Failure::usage(format!("cannot use the database: {error}"))
}

/// The new secrets come first: a stop in between leaves a database whose keys are gone, which the next start says.
async fn begin_anew(db: Db, folder: &Folder, settlement: Settlement) -> Result<Secrets, Failure> {
    let secrets = new_secrets(folder, settlement).await?;
    tokio::task::spawn_blocking(move || db.revert_migrations())
        .await
        .map_err(Error::internal)??;
    Ok(secrets)
}

/// Kept before the mark is made, so that the mark is never without them. An old chain is nobody's then.
async fn new_secrets(folder: &Folder, settlement: Settlement) -> Result<Secrets, Failure> {
    let secrets = Secrets::generate(settlement)?;
    secrets.save(folder)?;
    let node = folder.node();
    tokio::task::spawn_blocking(move || Node::wipe(&node))
        .await
        .map_err(Error::internal)??;
    Ok(secrets)
}

async fn look(db: &Db) -> Result<Found, Error> {
    let tables = db.tables().await?;
    if tables.is_empty() {
        return Ok(Found::Nothing);
    }
    if !tables.iter().any(|table| table == OURS) {
        return Ok(Found::Foreign);
    }
    db.read(|tx| {
        if let Some(mark) = read_mark(tx)? {
            return Ok(Found::Demo(mark));
        }
        let is_untouched = access::count_users(tx)? == 0 && only_a_start_wrote(tx)?;
        Ok(if is_untouched { Found::Nothing } else { Found::Foreign })
    })
    .await
}

fn read_mark(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    let filter = EventFilter {
        action: Some(MARK.to_owned()),
        ..EventFilter::default()
    };
    let (events, _) = audit::list(tx, &filter, &Page::first(1))?;
    let Some(event) = events.first() else { return Ok(None) };
    let data: serde_json::Value = serde_json::from_str(&event.data).map_err(Error::internal)?;
    Ok(data.get("demo").and_then(|demo| demo.as_str()).map(str::to_owned))
}

fn only_a_start_wrote(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let (events, more) = audit::list(tx, &EventFilter::default(), &Page::first(Page::LIMIT_MAX))?;
    Ok(more.is_none() && events.iter().all(|event| event.actor == "system"))
}

/// In the transaction of the demo's first change.
pub(super) fn mark(tx: &mut Tx<'_>, demo: &str, now: Timestamp) -> Result<(), Error> {
    let event = Event {
        stream: Stream::System(0),
        actor: "admin".to_owned(),
        action: MARK,
        asset: None,
        operation: None,
        subjects: Vec::new(),
        data: serde_json::json!({ "demo": demo }),
    };
    audit::append(tx, now, vec![event])
}
