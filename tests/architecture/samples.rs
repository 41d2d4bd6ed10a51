//! Each rule told a good sample from a bad one: a rule that cannot fail protects nothing.

use super::*;

#[test]
fn the_order_rules_see_groups_super_inline_paths_and_no_tests() {
    accepts(every_module_has_a_place, "src/ledger/store.rs", "");
    accepts(every_module_has_a_place, "src/lib.rs", "pub mod types;");
    refuses(every_module_has_a_place, "src/utils.rs", "", 1);

    accepts(
        imports_go_backwards,
        "src/mint/mod.rs",
        "use crate::{ledger::{self, Posting}, types::Amount, mint::rules};",
    );
    accepts(
        imports_go_backwards,
        "src/ledger/mod.rs",
        "mod rules;\nuse self::rules::judge;\nuse std::{fmt, mem};",
    );
    accepts(
        imports_go_backwards,
        "src/ledger/store.rs",
        "use super::model::Posting;",
    );
    accepts(
        imports_go_backwards,
        "src/ledger/mod.rs",
        "// crate::mint::issue\nconst TEXT: &str = \"crate::mint::issue\";",
    );
    accepts(
        imports_go_backwards,
        "src/ledger/mod.rs",
        "#[cfg(test)]\nmod tests { use crate::mint::issue; }",
    );
    accepts(
        imports_go_backwards,
        "src/ledger/mod.rs",
        "mod inner { use super::Posting; }",
    );

    refuses(
        imports_go_backwards,
        "src/ledger/mod.rs",
        "use crate::{\n    types::Amount,\n    mint::{issue},\n};",
        3,
    );
    refuses(imports_go_backwards, "src/ledger/mod.rs", "use super::mint;", 1);
    refuses(
        imports_go_backwards,
        "src/ledger/store.rs",
        "fn f() {\n    super::super::mint::issue()\n}",
        2,
    );
    refuses(
        imports_go_backwards,
        "src/types/amount.rs",
        "impl From<crate::error::Error> for Amount {}",
        1,
    );
    refuses(
        imports_go_backwards,
        "src/ledger/mod.rs",
        "#[cfg(test)]\nmod tests {}\nuse crate::app::App;",
        3,
    );
    accepts(
        imports_go_backwards,
        "src/ledger/store.rs",
        "fn f() { crate::on!(tx, c => query(c)) }",
    );
    refuses(
        imports_go_backwards,
        "src/ctx.rs",
        "fn f() { crate::on!(tx, c => query(c)) }",
        1,
    );
    refuses(imports_go_backwards, "src/ledger/mod.rs", "use crate::Error;", 1);
    refuses(imports_go_backwards, "src/ledger/mod.rs", "use crate::*;", 1);
}

#[test]
fn the_query_rule_tells_a_store_and_a_row_mapping_from_a_query() {
    accepts(
        queries_stay_in_stores,
        "src/ledger/store.rs",
        "use diesel::prelude::*;\nuse crate::db::schema::postings;",
    );
    accepts(
        queries_stay_in_stores,
        "src/ledger/store/lanes.rs",
        "use diesel::prelude::*;",
    );
    accepts(
        queries_stay_in_stores,
        "src/db/paging.rs",
        "fn f() { diesel::sql_query(\"SELECT 1\"); }",
    );
    accepts(
        queries_stay_in_stores,
        "src/api/dalp/token.rs",
        "#[schema(example = 1)]\nuse utoipa::openapi::schema::Schema;",
    );
    accepts(
        queries_stay_in_stores,
        "src/ledger/model.rs",
        "use diesel::{Queryable, Selectable};\n#[derive(diesel::Insertable)]\n#[diesel(table_name = crate::db::schema::postings)]",
    );

    refuses(
        queries_stay_in_stores,
        "src/ledger/mod.rs",
        "use diesel::prelude::*;",
        1,
    );
    refuses(
        queries_stay_in_stores,
        "src/ledger/mod.rs",
        "use crate::{\n    db::{Tx, schema},\n};",
        2,
    );
    refuses(
        queries_stay_in_stores,
        "src/ledger/mod.rs",
        "fn f() {\n    table.load::<Row>(c)\n}",
        2,
    );
    refuses(
        queries_stay_in_stores,
        "src/ledger/model.rs",
        "use diesel::prelude::*;",
        1,
    );
    refuses(
        queries_stay_in_stores,
        "src/server.rs",
        "use diesel_migrations::embed_migrations;",
        1,
    );
}

#[test]
fn the_library_rules_know_who_may_name_them() {
    accepts(
        the_chain_library_stays_in_chain,
        "src/types/address.rs",
        "use ethers_core::utils::to_checksum;",
    );
    refuses(
        the_chain_library_stays_in_chain,
        "src/mint/mod.rs",
        "use ethers_core::types::U256;",
        1,
    );
    accepts(
        the_web_framework_stays_at_the_edge,
        "src/server.rs",
        "use actix_web::App;",
    );
    refuses(
        the_web_framework_stays_at_the_edge,
        "src/app.rs",
        "fn f(x: actix_web::HttpRequest) {}",
        1,
    );
}

#[test]
fn the_dialect_rules_see_stores_and_neighbours() {
    accepts(
        the_edge_names_no_store,
        "src/api/dalp/token.rs",
        "fn f() { let store = 1; crate::mint::issue(store) }",
    );
    accepts(the_edge_names_no_store, "src/mint/mod.rs", "use self::store::insert;");
    refuses(
        the_edge_names_no_store,
        "src/api/dalp/token.rs",
        "use crate::mint::store;",
        1,
    );
    refuses(the_edge_names_no_store, "src/console/mod.rs", "mod store;", 1);

    accepts(
        a_dialect_names_no_other,
        "src/api/mod.rs",
        "mod dalp;\nuse self::{dalp::routes, immutable::routes};",
    );
    accepts(
        a_dialect_names_no_other,
        "src/api/dalp/mod.rs",
        "use crate::api::dalp::error;",
    );
    refuses(
        a_dialect_names_no_other,
        "src/api/dalp/mod.rs",
        "use crate::api::{auth, immutable::page};",
        1,
    );
    refuses(a_dialect_names_no_other, "src/api/certhis.rs", "use super::dalp;", 1);
}

#[test]
fn the_clock_and_environment_rules_know_their_homes() {
    accepts(the_environment_is_configuration, "src/config.rs", "use std::env;");
    accepts(
        the_environment_is_configuration,
        "src/server.rs",
        "const V: &str = env!(\"CARGO_PKG_VERSION\");",
    );
    refuses(
        the_environment_is_configuration,
        "src/main.rs",
        "use std::{env, fs};",
        1,
    );
    refuses(
        the_environment_is_configuration,
        "src/chain/mod.rs",
        "fn f() {\n    ::std::env::var(\"X\");\n}",
        2,
    );

    accepts(the_wall_clock_is_in_app, "src/app.rs", "fn f() { Utc::now() }");
    refuses(
        the_wall_clock_is_in_app,
        "src/db/mod.rs",
        "fn f() { std::time::SystemTime::now() }",
        1,
    );
    refuses(
        the_wall_clock_is_in_app,
        "src/mint/mod.rs",
        "fn f() { chrono::Utc::now() }",
        1,
    );

    accepts(
        durations_are_measured_where_they_matter,
        "src/mint/lane.rs",
        "fn f() { Instant::now() }",
    );
    refuses(
        durations_are_measured_where_they_matter,
        "src/mint/mod.rs",
        "fn f() { Instant::now() }",
        1,
    );

    accepts(only_main_blocks, "src/main.rs", "fn main() { runtime.block_on(run()) }");
    refuses(
        only_main_blocks,
        "src/db/mod.rs",
        "fn f() { handle.block_on(run()) }",
        1,
    );
}

#[test]
fn the_size_rules_count_to_the_edge_and_leave_out_tests() {
    let lines = |count: usize| "const A: u8 = 1;\n".repeat(count);
    accepts(files_are_short, "src/ledger/mod.rs", &lines(FILE_LINES_MAX));
    refuses(files_are_short, "src/ledger/mod.rs", &lines(FILE_LINES_MAX + 1), 1);
    accepts(files_are_short, "src/db/schema.rs", &lines(FILE_LINES_MAX + 1));
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(50));
    accepts(files_are_short, "src/ledger/mod.rs", &(lines(FILE_LINES_MAX) + &tests));

    let function = |count: usize| {
        format!(
            "fn f(x: [u8; 2]) -> u8\n{{\n{}}}\n",
            "    g(\"}\");\n".repeat(count - 3)
        )
    };
    accepts(functions_are_short, "src/ledger/mod.rs", &function(FUNCTION_LINES_MAX));
    refuses(
        functions_are_short,
        "src/ledger/mod.rs",
        &function(FUNCTION_LINES_MAX + 1),
        1,
    );
    accepts(
        functions_are_short,
        "src/ledger/mod.rs",
        &format!("#[cfg(test)]\n{}", function(FUNCTION_LINES_MAX + 1)),
    );
}

#[test]
fn the_rules_for_everywhere_look_into_tests_and_comments() {
    accepts(
        nothing_is_unsafe,
        "src/ledger/mod.rs",
        "#![forbid(unsafe_code)]\n// unsafe",
    );
    refuses(
        nothing_is_unsafe,
        "src/ledger/mod.rs",
        "#[cfg(test)]\nmod tests { fn f() { unsafe {} } }",
        2,
    );
    accepts(
        nothing_is_unfinished,
        "src/ledger/mod.rs",
        "fn todo() {}\nconst TEXT: &str = \"todo!\";",
    );
    refuses(
        nothing_is_unfinished,
        "src/ledger/mod.rs",
        "fn f() {\n    todo!()\n}",
        2,
    );
    refuses(
        nothing_is_unfinished,
        "src/ledger/mod.rs",
        &format!("// {UNFINISHED_MARK}: later"),
        1,
    );
}

#[test]
fn the_machine_rule_knows_a_path_from_a_part_of_one() {
    let lines = |path: &str, text: String| {
        nothing_names_a_machine(path, &text)
            .iter()
            .map(|f| f.line)
            .collect::<Vec<_>>()
    };
    let home = ["", "home", "ann", "x"].join("/");
    let host = ["registry", "npmjs", "org"].join(".");

    assert_eq!(
        lines(
            "README.md",
            format!("a page at site.example{home}\ncargo install cargo-deny")
        ),
        []
    );
    assert_eq!(lines("Cargo.lock", ["crates", "io-index"].join(".")), []);

    assert_eq!(lines("README.md", format!("first\ncd {home}")), [2]);
    assert_eq!(lines("bin/demo", home), [1]);
    assert_eq!(lines(".npmrc", format!("registry=https://{host}")), [1]);
    assert_eq!(
        lines("contracts/package-lock.json", "{\n  \"resolved\": \"\"\n}".to_owned()),
        [2]
    );
}

#[track_caller]
fn accepts(rule: Rule, path: &str, text: &str) {
    let findings = rule(&Source::new(path, text));
    assert!(findings.is_empty(), "{path} is refused: {findings:?}\n{text}");
}

#[track_caller]
fn refuses(rule: Rule, path: &str, text: &str, line: usize) {
    let findings = rule(&Source::new(path, text));
    assert!(
        findings.iter().any(|finding| finding.line == line),
        "{path} passes line {line}: {findings:?}\n{text}"
    );
}
