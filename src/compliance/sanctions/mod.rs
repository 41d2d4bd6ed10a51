//! The sanctions list: wallets that nobody may mint to, imported from a file.
//!
//! One list is in force: the one of the latest date, of two with one date the one imported later. Imports come one after
//! the other. Several publishers' lists are put together before they are imported. A list has a date (*as of*), which the rules compare with the clock; nothing imported, or a list that is too old, refuses
//! everybody. Old lists are kept, so that a decision can be explained later.
//!
//! The file: CSV with a header that has a column `address`; other columns are not read. EVM addresses only, in any of
//! their three cases. One malformed row refuses the whole file, and every malformed row is named: a list that silently
//! lost a row is worse than none.
//!
//! A match is a reason to refuse, no match is no proof of anything: publishers call their addresses incomplete, and
//! names are screened elsewhere (compliance.md 4.4). No real list is part of this program.

mod store;

use std::collections::BTreeSet;

use serde_json::json;

use super::model::SanctionsFacts;
use crate::audit::{self, Event, Stream};
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::types::{Address, Hash32, SanctionsListId, Timestamp, sha256};

/// Made-up addresses, for the demo and for trying the importer.
pub const SANCTIONS_SAMPLE: &[u8] = include_bytes!("sample.csv");

/// More than ten times what all publishers together have today.
const ENTRIES_MAX: usize = 100_000;
const NAME_LENGTH_MAX: usize = 100;
/// Publishers date by their own calendar day, which may have begun before ours.
const AHEAD_SECONDS_MAX: i64 = 86_400;
/// How many malformed rows are named.
const ISSUES_MAX: usize = 50;

/// A list that has much fewer addresses than the one in force is probably half a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// By more than a tenth: refused.
    Refuse,
    /// Somebody looked and it is right.
    Accept,
}

/// A file to import.
#[derive(Clone, Debug)]
pub struct SanctionsFile<'f> {
    pub name: &'f str,
    /// When the publisher says that the list was true.
    pub as_of: Timestamp,
    pub bytes: &'f [u8],
    pub shrink: Shrink,
}

/// A list that was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionsList {
    pub id: SanctionsListId,
    pub name: String,
    pub as_of: Timestamp,
    pub imported_at: Timestamp,
    /// Of the file as it was read.
    pub sha256: Hash32,
    /// Different addresses.
    pub entries: i64,
}

/// Puts a list in force. From the commit on it counts for every decision.
///
/// `Invalid` with one issue per malformed row; `Conflict` when the list in force is of a later date, or when the new one
/// is more than a tenth shorter and nobody accepted that.
pub fn import_sanctions(tx: &mut Tx<'_>, now: Timestamp, file: &SanctionsFile<'_>) -> Result<SanctionsList, Error> {
    check_heading(now, file)?;
    let addresses = read(file.bytes)?;
    let stream = Stream::of_subject(&Address::ZERO);
    // What the list is compared with must still be in force when it is written.
    audit::lock(tx, &stream)?;
    let before = store::newest(tx)?;
    let list = SanctionsList {
        id: SanctionsListId::generate(),
        name: file.name.to_owned(),
        as_of: file.as_of,
        imported_at: after(before.as_ref(), now),
        sha256: sha256(file.bytes),
        entries: i64::try_from(addresses.len()).map_err(Error::internal)?,
    };
    if let Some(before) = &before {
        refuse_older(before, &list)?;
        refuse_shorter(before, &list, file.shrink)?;
    }
    store::insert(tx, &list, &addresses)?;
    let event = Event {
        stream,
        actor: "admin".to_owned(),
        action: "sanctions.imported",
        asset: None,
        operation: None,
        subjects: Vec::new(),
        data: json!({
            "list": list.id, "name": list.name, "asOf": list.as_of, "sha256": list.sha256, "entries": list.entries,
            "entriesBefore": before.map(|before| before.entries), "shrinkAccepted": file.shrink == Shrink::Accept,
        }),
    };
    audit::append(tx, now, vec![event])?;
    Ok(list)
}

/// The list in force; none when nothing was imported.
pub fn newest_sanctions_list(tx: &mut Tx<'_>) -> Result<Option<SanctionsList>, Error> {
    store::newest(tx)
}

/// The list in force and which of the wallets are on it; none when nothing was imported. Two queries.
pub(super) fn facts(tx: &mut Tx<'_>, wallets: &[Address]) -> Result<Option<SanctionsFacts>, Error> {
    let Some(list) = store::newest(tx)? else {
        return Ok(None);
    };
    let hits = store::hits(tx, list.id, wallets)?;
    Ok(Some(SanctionsFacts {
        list: list.name,
        as_of: list.as_of,
        hits,
    }))
}

/// Now, and later than the import before, whose process may have a clock that runs ahead of ours.
fn after(before: Option<&SanctionsList>, now: Timestamp) -> Timestamp {
    let earliest = before.map(|before| Timestamp::from_micros(before.imported_at.micros().saturating_add(1)));
    earliest.map_or(now, |earliest| now.max(earliest))
}

fn check_heading(now: Timestamp, file: &SanctionsFile<'_>) -> Result<(), Error> {
    if file.name.trim().is_empty() || file.name.chars().count() > NAME_LENGTH_MAX {
        let message = format!("must be 1 to {NAME_LENGTH_MAX} characters");
        return Err(Error::invalid("name", message));
    }
    if file.as_of > now.plus_seconds(AHEAD_SECONDS_MAX) {
        return Err(Error::invalid("asOf", "is more than a day in the future"));
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<BTreeSet<Address>, Error> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(bytes);
    let headers = reader
        .headers()
        .map_err(|error| Error::invalid("file", error.to_string()))?;
    let place = headers.iter().position(|name| name.eq_ignore_ascii_case("address"));
    let Some(place) = place else {
        return Err(Error::invalid("file", "has no column `address` in its first line"));
    };
    let mut addresses = BTreeSet::new();
    let mut issues = Vec::new();
    for record in reader.records() {
        match row(place, record) {
            Ok(address) => {
                addresses.insert(address);
            }
            Err(issue) => issues.push(issue),
        }
        if issues.len() >= ISSUES_MAX || addresses.len() > ENTRIES_MAX {
            break;
        }
    }
    if !issues.is_empty() {
        return Err(Error::Invalid(issues));
    }
    match addresses.len() {
        0 => Err(Error::invalid(
            "file",
            "has no address: an empty list would let everybody pass",
        )),
        1..=ENTRIES_MAX => Ok(addresses),
        _ => Err(Error::invalid("file", format!("has more than {ENTRIES_MAX} addresses"))),
    }
}

fn row(place: usize, record: Result<csv::StringRecord, csv::Error>) -> Result<Address, Issue> {
    let issue = |line: Option<u64>, message: String| {
        let line = line.map_or_else(|| "file".to_owned(), |line| format!("line {line}"));
        Issue::new(&line, "format", message)
    };
    let record = record.map_err(|error| issue(error.position().map(csv::Position::line), error.to_string()))?;
    let line = record.position().map(csv::Position::line);
    let text = record.get(place).unwrap_or_default();
    Address::parse(text).map_err(|error| issue(line, format!("{text:?} {error}")))
}

fn refuse_older(before: &SanctionsList, list: &SanctionsList) -> Result<(), Error> {
    if list.as_of >= before.as_of {
        return Ok(());
    }
    let message = format!(
        "The list in force ({}) is of {}, later than {}",
        before.name, before.as_of, list.as_of
    );
    Err(Error::Conflict(message))
}

fn refuse_shorter(before: &SanctionsList, list: &SanctionsList, shrink: Shrink) -> Result<(), Error> {
    let is_much_shorter = list.entries.saturating_mul(10) < before.entries.saturating_mul(9);
    match shrink {
        Shrink::Refuse if is_much_shorter => Err(Error::Conflict(format!(
            "The list has {} addresses and the one in force {}: more than a tenth fewer",
            list.entries, before.entries
        ))),
        Shrink::Refuse | Shrink::Accept => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::SecretString;

    use super::*;
    use crate::audit::EventFilter;
    use crate::db::{Db, Page, Settings};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    struct Fixture {
        db: Db,
        _folder: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let settings = Settings {
                url: SecretString::from(format!("sqlite:{}", folder.path().join("test.db").display())),
                connections_max: 2,
                wait: Duration::from_secs(5),
            };
            let db = Db::connect(&settings).unwrap();
            db.migrate(false).unwrap();
            Self { db, _folder: folder }
        }

        fn import(&self, as_of: Timestamp, shrink: Shrink, csv: &str) -> Result<SanctionsList, Error> {
            let file = SanctionsFile {
                name: "Example list",
                as_of,
                bytes: csv.as_bytes(),
                shrink,
            };
            self.db.write_blocking(|tx| import_sanctions(tx, NOW, &file))
        }

        fn facts(&self, wallets: &[Address]) -> Option<SanctionsFacts> {
            self.db.read_blocking(|tx| facts(tx, wallets)).unwrap()
        }
    }

    fn wallet(number: u64) -> Address {
        let mut bytes = [0; 20];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        Address::from_bytes(bytes)
    }

    fn list_of(count: u64) -> String {
        let rows: Vec<String> = (1..=count).map(|number| wallet(number).to_string()).collect();
        format!("address\n{}\n", rows.join("\n"))
    }

    fn issues(result: Result<SanctionsList, Error>) -> Vec<String> {
        match result {
            Err(Error::Invalid(issues)) => issues.iter().map(ToString::to_string).collect(),
            other => panic!("not refused as invalid: {other:?}"),
        }
    }

    #[test]
    fn the_newest_list_tells_its_name_its_date_and_who_is_on_it() {
        let fixture = Fixture::new();
        assert_eq!(fixture.facts(&[wallet(1)]), None);

        let lower = wallet(7).to_string().to_lowercase();
        let csv = format!(
            "name,Address,note\nsomebody, {lower} ,\"a, b\"\n\nother,{},\n",
            wallet(7)
        );
        let list = fixture.import(NOW, Shrink::Refuse, &csv).unwrap();

        let facts = fixture.facts(&[wallet(7), wallet(8)]).unwrap();
        assert_eq!((list.entries, list.sha256), (1, sha256(csv.as_bytes())));
        assert_eq!((facts.list.as_str(), facts.as_of), ("Example list", NOW));
        assert_eq!(facts.hits, [wallet(7)].into());
    }

    #[test]
    fn a_newer_list_takes_the_place_of_the_older_one() {
        let fixture = Fixture::new();
        let later = NOW.plus_seconds(1);
        fixture.import(NOW, Shrink::Refuse, &list_of(3)).unwrap();
        fixture.import(later, Shrink::Accept, &list_of(2)).unwrap();

        let facts = fixture.facts(&[wallet(2), wallet(3)]).unwrap();

        assert_eq!((facts.as_of, facts.hits), (later, [wallet(2)].into()));
        let older = fixture.import(NOW, Shrink::Accept, &list_of(9));
        assert!(matches!(older, Err(Error::Conflict(_))));
    }

    #[test]
    fn of_two_lists_with_one_date_the_one_imported_later_counts_whatever_its_clock_says() {
        let fixture = Fixture::new();
        fixture.import(NOW, Shrink::Refuse, &list_of(3)).unwrap();
        let csv = list_of(4);
        let behind = SanctionsFile {
            name: "Example list",
            as_of: NOW,
            bytes: csv.as_bytes(),
            shrink: Shrink::Refuse,
        };
        let import = |tx: &mut Tx<'_>| import_sanctions(tx, NOW.plus_seconds(-5), &behind);
        fixture.db.write_blocking(import).unwrap();

        assert_eq!(fixture.facts(&[wallet(4)]).unwrap().hits, [wallet(4)].into());
    }

    #[test]
    fn an_older_list_that_got_in_later_is_not_in_force() {
        let fixture = Fixture::new();
        let newest = fixture.import(NOW, Shrink::Refuse, &list_of(3)).unwrap();
        let older = SanctionsList {
            id: SanctionsListId::generate(),
            as_of: NOW.plus_seconds(-1),
            imported_at: NOW.plus_seconds(60),
            ..newest.clone()
        };
        let insert = |tx: &mut Tx<'_>| store::insert(tx, &older, &BTreeSet::from([wallet(9)]));
        fixture.db.write_blocking(insert).unwrap();

        let in_force = fixture.db.read_blocking(newest_sanctions_list).unwrap();
        assert_eq!(in_force, Some(newest));
        assert!(fixture.facts(&[wallet(9)]).unwrap().hits.is_empty());
    }

    #[test]
    fn a_list_may_shrink_by_a_tenth_and_not_by_more_unless_accepted() {
        let fixture = Fixture::new();
        fixture.import(NOW, Shrink::Refuse, &list_of(100)).unwrap();

        assert!(matches!(
            fixture.import(NOW, Shrink::Refuse, &list_of(89)),
            Err(Error::Conflict(_))
        ));
        assert!(fixture.import(NOW, Shrink::Refuse, &list_of(90)).is_ok());
        assert!(fixture.import(NOW, Shrink::Accept, &list_of(10)).is_ok());
    }

    #[test]
    fn every_malformed_row_is_named_by_its_line_and_nothing_is_imported() {
        let fixture = Fixture::new();
        let csv = format!(
            "address,name\n{},ok\n0x12,short\nbc1qxyz,other chain\n,none\n",
            wallet(1)
        );

        let issues = issues(fixture.import(NOW, Shrink::Refuse, &csv));

        assert_eq!(issues.len(), 3);
        assert!(issues[0].starts_with("line 3: \"0x12\""), "{issues:?}");
        assert!(issues[1].starts_with("line 4: "), "{issues:?}");
        assert!(issues[2].starts_with("line 5: "), "{issues:?}");
        assert_eq!(fixture.facts(&[wallet(1)]), None);
    }

    #[test]
    fn a_file_without_the_column_or_without_an_address_is_refused() {
        let fixture = Fixture::new();
        let import = |csv: &str| issues(fixture.import(NOW, Shrink::Accept, csv));

        assert!(import("wallet\n0x12\n")[0].contains("`address`"));
        assert!(import("")[0].contains("`address`"));
        assert!(import("address\n")[0].contains("empty"));
        assert!(import(&format!("address,name\n{}\n", wallet(1)))[0].starts_with("line 2"));
    }

    #[test]
    fn a_date_is_at_most_a_day_ahead() {
        let fixture = Fixture::new();
        let ahead = |seconds| fixture.import(NOW.plus_seconds(seconds), Shrink::Refuse, &list_of(1));

        assert!(ahead(86_401).is_err());
        assert!(ahead(86_400).is_ok());
    }

    #[test]
    fn an_import_is_an_audit_event() {
        let fixture = Fixture::new();
        fixture.import(NOW, Shrink::Refuse, &list_of(2)).unwrap();

        let list = |tx: &mut Tx<'_>| audit::list(tx, &EventFilter::default(), &Page::default());
        let (events, _) = fixture.db.read_blocking(list).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].action, "sanctions.imported");
        assert!(events[0].data.contains("\"entries\":2"));
    }

    #[test]
    fn the_sample_can_be_imported() {
        let sample = std::str::from_utf8(SANCTIONS_SAMPLE).unwrap();

        assert!(Fixture::new().import(NOW, Shrink::Refuse, sample).is_ok());
    }
}
