//! The statement against the pure arithmetic, on SQLite; `tests/quotas.rs` does the same on both databases, with many
//! takers at once.

use std::time::Duration;

use secrecy::SecretString;

use super::*;
use crate::db::{Db, Settings};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn open() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        url: SecretString::from(format!("sqlite:{}", folder.path().join("test.db").display())),
        connections_max: 4,
        wait: Duration::from_secs(5),
    };
    let db = Db::connect(&settings).unwrap();
    db.migrate(false).unwrap();
    (db, folder)
}

#[test]
fn a_request_over_what_a_bucket_can_ever_hold_is_refused_for_good() {
    let (db, _folder) = open();
    let rate = Rate::per_minute(200, 100);
    let account = Account::new("somebody", "mint", rate);
    let take = |tokens| db.write_blocking(|tx| take(tx, &account, rate, tokens, NOW));

    assert!(matches!(take(101), Err(Error::Invalid(_))));
    assert!(matches!(take(0), Err(Error::Invalid(_))));
    assert!(matches!(take(100), Ok(Taken::Granted(standing)) if standing.remaining == 0));
    assert!(matches!(
        take(1),
        Ok(Taken::Refused {
            wait_micros: 300_000,
            ..
        })
    ));
}

#[test]
fn what_is_given_back_can_be_taken_again_and_never_more() {
    let (db, _folder) = open();
    let rate = Rate::per_minute(200, 100);
    let account = Account::new("somebody", "mint", rate);
    let take = |tokens| db.write_blocking(|tx| take(tx, &account, rate, tokens, NOW)).unwrap();
    let give_back = |tokens| db.write_blocking(|tx| give_back(tx, &account, rate, tokens)).unwrap();
    take(60);

    give_back(10);
    assert_eq!(take(1).standing().remaining, 49);
    give_back(100);
    assert_eq!(take(1).standing().remaining, 99);
}

#[test]
fn subjects_and_kinds_do_not_share_a_bucket() {
    let (db, _folder) = open();
    let rate = Rate::per_minute(200, 100);
    let of = |subject, kind| {
        let account = Account::new(subject, kind, rate);
        db.write_blocking(|tx| take(tx, &account, rate, 60, NOW)).unwrap()
    };

    for account in [("a", "mint"), ("b", "mint"), ("a", "refresh")] {
        assert!(matches!(of(account.0, account.1), Taken::Granted(_)), "{account:?}");
        assert!(matches!(of(account.0, account.1), Taken::Refused { .. }), "{account:?}");
    }
}
