//! What a database says of itself, and what `schema.rs` says of it.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{Bool, Integer, Text};
use diesel::{Connection as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, SqliteConnection};

/// A connection beside the server's own, for statements that it would never send.
pub(super) enum Raw {
    Pg(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// The type as the database names it.
    pub kind: String,
    pub is_nullable: bool,
    /// The position in the primary key from 1; 0 outside it.
    pub key: i32,
}

/// Columns by table and name.
pub(super) type Tables = BTreeMap<String, BTreeMap<String, Column>>;

/// Kept by the migrations themselves, and made before the first of them.
const DIESEL: &str = "__diesel_schema_migrations";

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    is_nullable: bool,
    #[diesel(sql_type = Integer)]
    key: i32,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

const COLUMNS_POSTGRES: &str = "SELECT c.relname::text AS table_name, a.attname::text AS name, \
    format_type(a.atttypid, a.atttypmod) AS kind, NOT a.attnotnull AS is_nullable, \
    COALESCE(array_position(k.conkey, a.attnum), 0) AS key \
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' \
    WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped";
const COLUMNS_SQLITE: &str = "SELECT t.name AS table_name, c.name AS name, c.type AS kind, \
    c.\"notnull\" = 0 AS is_nullable, c.pk AS key \
    FROM pragma_table_list() t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' \
    ESCAPE '\\'";

const PARTS_POSTGRES: &str = "\
    SELECT format('%s: %s %s', r.relname, k.conname, pg_get_constraintdef(k.oid)) AS line \
    FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid WHERE k.connamespace = current_schema()::regnamespace \
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() \
    UNION ALL SELECT format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled) FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid \
    WHERE r.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal \
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace";
const PARTS_SQLITE: &str = "SELECT sql AS line FROM sqlite_schema WHERE sql IS NOT NULL";

/// What PostgreSQL calls by a name: NOT NULL has one only from version 18 on, and none of ours.
const NAMES_POSTGRES: &str = "\
    SELECT k.conname::text AS line FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid \
    WHERE k.connamespace = current_schema()::regnamespace AND k.contype <> 'n' AND r.relname <> '__diesel_schema_migrations' \
    UNION SELECT indexname::text FROM pg_indexes \
    WHERE schemaname = current_schema() AND tablename <> '__diesel_schema_migrations'";
const LOOSE_TABLES_SQLITE: &str = "SELECT name AS line FROM pragma_table_list() WHERE type = 'table' AND strict = 0 \
    AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '__diesel_schema_migrations'";

impl Raw {
    pub(super) fn open(url: &str) -> Self {
        match url.strip_prefix("sqlite:") {
            Some(path) => Self::Sqlite(Box::new(SqliteConnection::establish(path).unwrap())),
            None => Self::Pg(Box::new(PgConnection::establish(url).unwrap())),
        }
    }

    pub(super) fn execute(&mut self, statement: &str) -> QueryResult<usize> {
        let query = diesel::sql_query(statement);
        match self {
            Self::Pg(connection) => query.execute(connection.as_mut()),
            Self::Sqlite(connection) => query.execute(connection.as_mut()),
        }
    }

    /// What the database says against a statement that it must refuse.
    #[track_caller]
    pub(super) fn refusal(&mut self, statement: &str) -> String {
        match self.execute(statement) {
            Ok(rows) => panic!("{rows} rows were written by {statement}"),
            Err(error) => error.to_string(),
        }
    }

    fn lines(&mut self, postgres: &str, sqlite: &str) -> Vec<String> {
        let lines: Vec<Line> = match self {
            Self::Pg(connection) => diesel::sql_query(postgres).load(connection.as_mut()).unwrap(),
            Self::Sqlite(connection) => diesel::sql_query(sqlite).load(connection.as_mut()).unwrap(),
        };
        lines.into_iter().map(|line| line.line).collect()
    }

    pub(super) fn count(&mut self, table: &str, condition: &str) -> usize {
        let query = format!("SELECT 'row' AS line FROM {table} WHERE {condition}");
        self.lines(&query, &query).len()
    }

    pub(super) fn tables(&mut self) -> Tables {
        let rows: Vec<ColumnRow> = match self {
            Self::Pg(connection) => diesel::sql_query(COLUMNS_POSTGRES).load(connection.as_mut()).unwrap(),
            Self::Sqlite(connection) => diesel::sql_query(COLUMNS_SQLITE).load(connection.as_mut()).unwrap(),
        };
        let mut tables = Tables::new();
        for row in rows.into_iter().filter(|row| row.table_name != DIESEL) {
            let column = Column {
                kind: row.kind,
                is_nullable: row.is_nullable,
                key: row.key,
            };
            tables.entry(row.table_name).or_default().insert(row.name, column);
        }
        tables
    }

    /// Tables, constraints, indexes and triggers in full: two databases with the same text have the same schema.
    pub(super) fn text(&mut self) -> Vec<String> {
        let mut text = self.lines(PARTS_POSTGRES, PARTS_SQLITE);
        text.retain(|line| !line.contains(DIESEL));
        text.extend(
            self.tables()
                .iter()
                .map(|(name, columns)| format!("{name} {columns:?}")),
        );
        text.sort();
        text
    }

    /// Names of constraints and indexes, those that the database made up included. PostgreSQL only.
    pub(super) fn names(&mut self) -> BTreeSet<String> {
        self.lines(NAMES_POSTGRES, "").into_iter().collect()
    }

    /// Tables that would keep a value of any type in any column. SQLite only.
    pub(super) fn loose_tables(&mut self) -> Vec<String> {
        self.lines("", LOOSE_TABLES_SQLITE)
    }
}

// --- schema.rs ------------------------------------------------------------------------------------------------------

const SCHEMA: &str = include_str!("../../src/db/schema.rs");

/// The tables of `schema.rs` as a database of this kind must have them.
pub(super) fn written_schema(kind_of: fn(&str) -> &'static str) -> Tables {
    let mut tables = Tables::new();
    let mut open: Option<(String, Vec<String>)> = None;
    for line in SCHEMA.lines().map(str::trim) {
        if let Some((head, key)) = line.strip_suffix(") {").and_then(|head| head.split_once(" (")) {
            let key = key.split(", ").map(str::to_owned).collect();
            open = Some((head.to_owned(), key));
        } else if let (Some((table, key)), Some((name, kind))) = (&open, line.split_once(" -> ")) {
            let kind = kind.trim_end_matches(',');
            let plain = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
            let position = key.iter().position(|part| part == name).map_or(0, |index| index + 1);
            let column = Column {
                kind: kind_of(plain.unwrap_or(kind)).to_owned(),
                is_nullable: plain.is_some(),
                key: position.try_into().unwrap(),
            };
            tables.entry(table.clone()).or_default().insert(name.to_owned(), column);
        } else if line == "}" {
            open = None;
        }
    }
    tables
}

pub(super) fn kind_on_postgres(kind: &str) -> &'static str {
    match kind {
        "Id" => "uuid",
        "Amount" => "numeric(78,0)",
        "Instant" => "timestamp with time zone",
        "Text" => "text",
        "Binary" => "bytea",
        "Bool" => "boolean",
        "SmallInt" => "smallint",
        "Integer" => "integer",
        "BigInt" => "bigint",
        other => panic!("schema.rs has a type {other} that this test does not know"),
    }
}

pub(super) fn kind_on_sqlite(kind: &str) -> &'static str {
    match kind {
        "Id" | "Binary" => "BLOB",
        "Amount" | "Instant" | "Text" => "TEXT",
        "Bool" | "SmallInt" | "Integer" | "BigInt" => "INTEGER",
        other => panic!("schema.rs has a type {other} that this test does not know"),
    }
}

/// Table and column of every amount in `schema.rs`.
pub(super) fn amount_columns() -> Vec<(String, String)> {
    let mut columns = Vec::new();
    for (table, of_table) in written_schema(kind_on_postgres) {
        let amounts = of_table
            .into_iter()
            .filter(|(_, column)| column.kind == "numeric(78,0)");
        columns.extend(amounts.map(|(name, _)| (table.clone(), name)));
    }
    columns
}
