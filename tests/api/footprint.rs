//! What the database holds of an asset, to say what a request left behind.

use diesel::RunQueryDsl as _;
use diesel::sql_types::BigInt;
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::on;
use moneyer::types::Address;

use crate::support::Server;

/// Everything that a mint can change, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub supply: String,
    pub holders: i64,
    pub next_operation: i64,
    pub postings: i64,
    pub accounts: i64,
    pub operations: i64,
    pub idempotency_keys: i64,
    /// Of all streams.
    pub events: i64,
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

pub fn count(tx: &mut Tx<'_>, table: &str) -> Result<i64, Error> {
    let query = format!("SELECT count(*) AS number FROM {table}");
    let row: Count = on!(tx, c => diesel::sql_query(query).get_result(c))?;
    Ok(row.number)
}

impl Footprint {
    pub async fn of(server: &Server, asset: &Address) -> Self {
        let asset = server.asset(asset).await;
        server
            .read(move |tx| {
                Ok(Self {
                    supply: asset.supply.to_string(),
                    holders: asset.holders,
                    next_operation: asset.next_operation,
                    postings: count(tx, "postings")?,
                    accounts: count(tx, "accounts")?,
                    operations: count(tx, "operations")?,
                    idempotency_keys: count(tx, "idempotency_keys")?,
                    events: count(tx, "audit_events")?,
                })
            })
            .await
    }

    /// The same with this many more events and nothing else.
    pub fn and_events(self, events: i64) -> Self {
        Self {
            events: self.events + events,
            ..self
        }
    }
}
