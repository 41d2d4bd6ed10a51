use std::time::Duration;

use secrecy::SecretString;

use super::*;
use crate::chain::Fees;
use crate::db::{Db, Settings};
use crate::settlement::model::{ChainRecord, Look, Order, SenderKey};
use crate::settlement::sender::{Attempt, Attention, Content, Intent, Mined, State, Work};
use crate::types::{Address, Hash32, Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const KEY: SenderKey = SenderKey {
    chain_id: 31_337,
    sender: Address::from_bytes([7; 20]),
};

/// A database with one intent of this kind at nonce 3, and the intent.
fn fixture(kind: &'static str) -> (Db, tempfile::TempDir, Intent) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::connect(&Settings {
        url: SecretString::from(format!("sqlite:{}", folder.path().join("test.db").display())),
        connections_max: 2,
        wait: Duration::from_secs(5),
    })
    .unwrap();
    db.migrate(false).unwrap();
    let chain = ChainRecord {
        chain_id: KEY.chain_id,
        sender: KEY.sender,
        genesis: Hash32::ZERO,
        contracts: None,
        ready: false,
        observed_block: 0,
        compared_block: 0,
        look: Look::default(),
    };
    let order = Order {
        kind,
        asset: None,
        to: Some(KEY.sender),
        data: Vec::new(),
        operations: Vec::new(),
    };
    let mut intent = Intent::new(3, Work::Planned, 50_000);
    db.write_blocking(|tx| {
        insert_chain(tx, &chain, NOW)?;
        insert_intent(tx, &KEY, &intent, &order, NOW)
    })
    .unwrap();
    intent.attempts = [Content::Work, Content::Noop].map(attempt).to_vec();
    (db, folder, intent)
}

fn attempt(content: Content) -> Attempt {
    Attempt {
        number: u16::from(content == Content::Noop),
        fees: Fees { max: 1, priority: 1 },
        content,
        hash: None,
        sent: None,
        refused: false,
    }
}

fn mined(attempt: u16, success: bool) -> State {
    State::Mined(Mined {
        attempt,
        block: 9,
        block_hash: Hash32::ZERO,
        success,
    })
}

fn save(db: &Db, intent: &Intent) {
    db.write_blocking(|tx| save_intent(tx, &KEY, intent, NOW)).unwrap();
}

#[test]
fn what_is_mined_in_place_of_the_work_does_not_count_as_the_work() {
    for (state, done, in_vain) in [
        (mined(0, true), true, false),
        (mined(0, false), false, true),
        (mined(1, true), false, true),
        (State::Sent, false, false),
    ] {
        let (db, _folder, mut intent) = fixture("setup");
        intent.state = state;

        save(&db, &intent);

        let read = db
            .read_blocking(|tx| {
                Ok((
                    mined_of_kind(tx, &KEY, "setup")?,
                    is_giving_up(tx, &KEY, "setup", 3, 1)?,
                    open_intents(tx, &KEY)?,
                ))
            })
            .unwrap();
        assert_eq!(read, (done, in_vain, vec![intent]), "{state:?}");
    }
}

#[test]
fn an_intent_that_closes_needs_nobody_any_more_except_for_its_result() {
    let until = State::Final {
        mined: Mined {
            attempt: 0,
            block: 9,
            block_hash: Hash32::ZERO,
            success: true,
        },
        until: 12,
    };
    let attention = |db: &Db| db.read_blocking(|tx| attention_of(tx, &KEY, 3)).unwrap();
    for end in [State::Closed, until] {
        let (db, _folder, mut intent) = fixture("mint");
        intent.attention = Some(Attention::FeeCeiling);
        save(&db, &intent);
        assert_eq!(attention(&db).as_deref(), Some("fee_ceiling"));

        intent.attention = None;
        intent.state = end;
        save(&db, &intent);
        assert_eq!(attention(&db), None, "{end:?}");

        db.write_blocking(|tx| set_attention(tx, &KEY, 3, Some(("result", NOW))))
            .unwrap();
        save(&db, &intent);
        assert_eq!(attention(&db).as_deref(), Some("result"), "{end:?}");
    }
}
