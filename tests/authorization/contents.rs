//! What a database holds, so that a test can say that nothing changed.

use std::collections::BTreeMap;

use diesel::RunQueryDsl as _;
use diesel::sql_types::Text;
use moneyer::db::Tx;
use moneyer::error::Error;

use crate::support::Server;

#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Noted outside the request, and no part of what a caller may change.
const LAST_USE: &str = "last_used_at";

/// Every row of every table, without the audit log (which records refusals) and the last use of keys.
pub async fn contents(server: &Server) -> BTreeMap<String, Vec<String>> {
    let tables = server.app.db().tables().await.unwrap();
    let tables: Vec<String> = tables.into_iter().filter(|name| !name.starts_with("audit_")).collect();
    assert!(tables.len() > 15, "{tables:?}");
    server
        .read(move |tx| {
            tables
                .iter()
                .map(|table| Ok((table.clone(), rows_of(tx, table)?)))
                .collect()
        })
        .await
}

fn rows_of(tx: &mut Tx<'_>, table: &str) -> Result<Vec<String>, Error> {
    let query = match tx {
        Tx::Pg(_) => format!("SELECT (to_jsonb(t) - '{LAST_USE}')::text AS text FROM {table} t"),
        Tx::Sqlite(_) => {
            let columns = format!("SELECT name AS text FROM pragma_table_info('{table}') WHERE name <> '{LAST_USE}'");
            let quoted: Vec<String> = lines(tx, &columns)?
                .iter()
                .map(|name| format!("quote({name})"))
                .collect();
            format!("SELECT {} AS text FROM {table}", quoted.join(" || ',' || "))
        }
    };
    let mut rows = lines(tx, &query)?;
    rows.sort_unstable();
    Ok(rows)
}

fn lines(tx: &mut Tx<'_>, query: &str) -> Result<Vec<String>, Error> {
    let lines: Vec<Line> = match tx {
        Tx::Pg(connection) => diesel::sql_query(query).load(*connection)?,
        Tx::Sqlite(connection) => diesel::sql_query(query).load(*connection)?,
    };
    Ok(lines.into_iter().map(|line| line.text).collect())
}
