//! The rules of the architecture that a compiler does not know. They read text, link nothing and take milliseconds.
//!
//! A rule is a function from one file to its findings. Here the repository obeys each; in `samples` each tells a good
//! sample from a bad one. `source` says what such a reading cannot see.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

use std::{fs, path::Path};

#[path = "architecture/samples.rs"]
mod samples;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/tokens.rs"]
mod tokens;
use source::Source;

/// The modules of `src/`. Each imports only itself and those before it.
const ORDER: &[&str] = &[
    "types",
    "error",
    "policy",
    "config",
    "telemetry",
    "ctx",
    "db",
    "job",
    "chain",
    "audit",
    "ledger",
    "operation",
    "access",
    "webhook",
    "identity",
    "wallet",
    "compliance",
    "asset",
    "collection",
    "custody",
    "certhis",
    "settlement",
    "servicing",
    "mint",
    "reports",
    "app",
    "api",
    "console",
    "server",
    "start",
    "demo",
    "cli",
    "main",
];
/// Exported macros: Rust puts them at the crate's root, we count them to the module that defines them.
const MACROS: &[(&str, &str)] = &[("on", "db")];
const DIALECTS: &[&str] = &["dalp", "immutable", "certhis"];

/// A file is read in one sitting, a function on one screen.
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

#[derive(Debug)]
struct Finding {
    line: usize,
    what: String,
}

type Rule = fn(&Source) -> Vec<Finding>;

// --- 1. order -------------------------------------------------------------------------------------------------------

fn every_module_has_a_place(source: &Source) -> Vec<Finding> {
    match source.module() {
        Some(module) if place(&module).is_none() => vec![Finding {
            line: 1,
            what: format!("module `{module}` is unknown"),
        }],
        _ => Vec::new(),
    }
}

fn imports_go_backwards(source: &Source) -> Vec<Finding> {
    let Some(own) = source.module().and_then(|module| place(&module)) else {
        return Vec::new();
    };
    find_paths(source, |path| {
        let imported = path.strip_prefix("crate::")?.split("::").next()?;
        let imported = MACROS
            .iter()
            .find(|(name, _)| *name == imported)
            .map_or(imported, |(_, module)| module);
        match place(imported) {
            Some(place) if place <= own => None,
            Some(_) => Some(format!("`{}` is listed before `{imported}`", ORDER[own])),
            None => Some(format!("`{path}` hides which module it comes from")),
        }
    })
}

#[test]
fn every_module_of_src_has_a_place_in_the_order() {
    obey(
        every_module_has_a_place,
        "Add the module to ORDER above, and to the map in src/lib.rs, after everything it imports.",
    );
}

#[test]
fn a_module_imports_only_itself_and_modules_before_it() {
    obey(
        imports_go_backwards,
        "Move the shared part into an earlier module, or hand it in as an argument. Name a re-exported item by its \
         module; add an exported macro to MACROS above.",
    );
}

// --- 2. queries -----------------------------------------------------------------------------------------------------

fn queries_stay_in_stores(source: &Source) -> Vec<Finding> {
    let is_store = source.path.ends_with("/store.rs") || source.path.contains("/store/");
    if is_store || source.is_in(&["db"]) {
        return Vec::new();
    }
    let is_model = source.path.ends_with("/model.rs");
    let mut findings = Vec::new();
    for path in source.paths() {
        let is_schema = path.name.starts_with("schema::") || path.name.starts_with("crate::db::schema");
        let is_query = is_schema || path.name.starts_with("diesel");
        if is_query && !(is_model && (path.in_attribute || is_row_mapping(&path.name))) {
            findings.push(Finding {
                line: path.line,
                what: format!("`{}`", path.name),
            });
        }
    }
    findings.extend(find_words(source, &["sql_query", "insert_into"]));
    for method in ["load", "get_result", "get_results"] {
        findings.extend(find_sequence(source, &[".", method, "::", "<"]));
    }
    findings
}

/// The derives that turn a row into a value and back; they contain no query.
fn is_row_mapping(path: &str) -> bool {
    const DERIVES: &[&str] = &[
        "AsChangeset",
        "AsExpression",
        "Associations",
        "FromSqlRow",
        "Identifiable",
        "Insertable",
        "Queryable",
        "QueryableByName",
        "Selectable",
    ];
    path.rsplit("::").next().is_some_and(|last| DERIVES.contains(&last))
}

#[test]
fn queries_live_only_in_stores_and_in_db() {
    obey(
        queries_stay_in_stores,
        "Move the query into the folder's store.rs as a function named after what it answers.",
    );
}

// --- 3. the chain's and the web's libraries -------------------------------------------------------------------------

fn the_chain_library_stays_in_chain(source: &Source) -> Vec<Finding> {
    if source.is_in(&["types", "chain"]) {
        return Vec::new();
    }
    find_paths(source, |path| path.starts_with("ethers").then(|| format!("`{path}`")))
}

fn the_web_framework_stays_at_the_edge(source: &Source) -> Vec<Finding> {
    if source.is_in(&["api", "console", "server"]) {
        return Vec::new();
    }
    find_paths(source, |path| {
        (path.starts_with("actix_") || path.starts_with("utoipa_actix")).then(|| format!("`{path}`"))
    })
}

#[test]
fn ethers_is_named_only_in_types_and_chain() {
    obey(
        the_chain_library_stays_in_chain,
        "Use our own types here; conversion to the library's happens in src/chain.",
    );
}

#[test]
fn actix_is_named_only_in_api_console_and_server() {
    obey(
        the_web_framework_stays_at_the_edge,
        "Return domain values and errors here; src/api turns them into responses.",
    );
}

// --- 4. dialects ----------------------------------------------------------------------------------------------------

fn the_edge_names_no_store(source: &Source) -> Vec<Finding> {
    if !source.is_in(&["api", "console"]) {
        return Vec::new();
    }
    let mut findings = find_paths(source, |path| {
        path.split("::")
            .any(|name| name == "store")
            .then(|| format!("`{path}`"))
    });
    findings.extend(find_sequence(source, &["mod", "store"]));
    findings
}

fn a_dialect_names_no_other(source: &Source) -> Vec<Finding> {
    let inside_api = source.path.strip_prefix("src/api/").unwrap_or_default();
    let own = inside_api.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    if !DIALECTS.contains(&own) {
        return Vec::new();
    }
    find_paths(source, |path| {
        path.split("::")
            .any(|name| name != own && DIALECTS.contains(&name))
            .then(|| format!("`{path}`"))
    })
}

#[test]
fn api_and_console_never_name_a_store() {
    obey(
        the_edge_names_no_store,
        "Call a public function of the domain; add one to its mod.rs or to src/reports.",
    );
}

#[test]
fn a_dialect_never_names_another_dialect() {
    obey(
        a_dialect_names_no_other,
        "What two dialects share belongs to src/api/mod.rs when it is HTTP, else to the domain.",
    );
}

// --- 5. environment, clocks and waiting -----------------------------------------------------------------------------

fn the_environment_is_configuration(source: &Source) -> Vec<Finding> {
    if source.is_in(&["config"]) {
        return Vec::new();
    }
    find_paths(source, |path| path.starts_with("std::env").then(|| format!("`{path}`")))
}

fn the_wall_clock_is_in_app(source: &Source) -> Vec<Finding> {
    if source.is_in(&["app"]) {
        return Vec::new();
    }
    find_calls(source, &["SystemTime::now", "Utc::now", "Local::now", "Timestamp::now"])
}

fn durations_are_measured_where_they_matter(source: &Source) -> Vec<Finding> {
    let is_lane = source.path == "src/mint/lane.rs" || source.path.starts_with("src/mint/lane/");
    if is_lane || source.is_in(&["telemetry", "db", "chain", "app"]) {
        return Vec::new();
    }
    find_calls(source, &["Instant::now"])
}

fn only_main_blocks(source: &Source) -> Vec<Finding> {
    if source.is_in(&["main"]) {
        Vec::new()
    } else {
        find_words(source, &["block_on"])
    }
}

#[test]
fn only_config_reads_the_environment() {
    obey(
        the_environment_is_configuration,
        "Add a setting to src/config.rs and hand it in.",
    );
}

#[test]
fn only_app_reads_the_wall_clock() {
    obey(
        the_wall_clock_is_in_app,
        "Take the time from Ctx, or from the commit: then a test can move the clock.",
    );
}

#[test]
fn only_measuring_modules_read_the_monotonic_clock() {
    obey(
        durations_are_measured_where_they_matter,
        "Measure through src/telemetry, or take the time from Ctx.",
    );
}

#[test]
fn only_main_waits_for_a_future_with_a_thread() {
    obey(
        only_main_blocks,
        "Make the caller async, or do the work on a blocking thread without waiting for the network.",
    );
}

// --- 6. sizes -------------------------------------------------------------------------------------------------------

fn files_are_short(source: &Source) -> Vec<Finding> {
    if source.code_lines <= FILE_LINES_MAX || source.path.ends_with("/schema.rs") {
        return Vec::new();
    }
    vec![Finding {
        line: 1,
        what: format!("{} lines without tests", source.code_lines),
    }]
}

fn functions_are_short(source: &Source) -> Vec<Finding> {
    let long = source
        .functions()
        .into_iter()
        .filter(|function| function.lines > FUNCTION_LINES_MAX);
    long.map(|function| Finding {
        line: function.line,
        what: format!("`{}` has {} lines", function.name, function.lines),
    })
    .collect()
}

#[test]
fn a_file_has_at_most_400_lines_without_its_tests() {
    obey(
        files_are_short,
        "Split it by a name of the domain (`compliance/facts.rs`), never into `utils` or `helpers`.",
    );
}

#[test]
fn a_function_has_at_most_70_lines() {
    obey(
        functions_are_short,
        "Let the parent hold the branches and move what computes into functions of about ten lines.",
    );
}

// --- 7. what is nowhere ---------------------------------------------------------------------------------------------

/// Assembled, because this file obeys the rule too.
const UNFINISHED_MARK: &str = concat!("FIX", "ME");

fn nothing_is_unsafe(source: &Source) -> Vec<Finding> {
    let tokens = source.all_tokens.iter().filter(|token| token.text == "unsafe");
    tokens
        .map(|token| Finding {
            line: token.line,
            what: "`unsafe`".to_owned(),
        })
        .collect()
}

fn nothing_is_unfinished(source: &Source) -> Vec<Finding> {
    let calls = source.all_tokens.windows(2);
    let calls = calls.filter(|pair| matches!(pair[0].text.as_str(), "todo" | "unimplemented") && pair[1].text == "!");
    let mut findings: Vec<Finding> = calls
        .map(|pair| Finding {
            line: pair[0].line,
            what: format!("`{}!`", pair[0].text),
        })
        .collect();
    findings.extend(find_lines(&source.text, |line| {
        line.contains(UNFINISHED_MARK).then(|| UNFINISHED_MARK.to_owned())
    }));
    findings
}

#[test]
fn no_code_is_unsafe() {
    obey_everywhere(
        nothing_is_unsafe,
        "Find a safe way, or a crate whose whole purpose is that piece of code.",
    );
}

#[test]
fn no_code_is_left_unfinished() {
    obey_everywhere(
        nothing_is_unfinished,
        "Finish it, or answer with an error that says what is not supported.",
    );
}

// --- 8. what belongs to one machine ---------------------------------------------------------------------------------

/// Names and hosts are assembled, because this file obeys the rule too.
fn nothing_names_a_machine(path: &str, text: &str) -> Vec<Finding> {
    let folders = ["home", "root", "Users", "work"].map(|name| format!("/{name}/"));
    let hosts = [
        ("crates", "io"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("pypi", "org"),
    ];
    let hosts = hosts.map(|(name, top)| format!("{name}.{top}"));
    let name = path.rsplit('/').next().unwrap_or(path);
    find_lines(text, |line| {
        // Cargo writes the index's address into its lock file and offers no other form.
        let host = hosts.iter().find(|host| name != "Cargo.lock" && line.contains(*host));
        // npm can leave out where a package came from, which would otherwise be the mirror of whoever installed it.
        let origin = (name == "package-lock.json" && line.contains("\"resolved\":")).then_some("\"resolved\"");
        let folder = folders.iter().find(|folder| starts_a_path(line, folder));
        host.or(folder)
            .map(String::as_str)
            .or(origin)
            .map(|found| format!("`{found}`"))
    })
}

/// At the start of the line, or after a sign that is no part of a longer path or address.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-~/}{*$".contains(c))
    })
}

#[test]
fn no_file_names_a_machine_or_a_package_registry() {
    let advice = "Use a path from the root of the repository; name a package, not where it is fetched from. For \
                  package-lock.json: npm install --omit-lockfile-registry-resolved.";
    let findings = committed_files()
        .into_iter()
        .map(|(path, text)| (nothing_names_a_machine(&path, &text), path));
    report(findings.map(|(findings, path)| (path, findings)), advice);
}

// --- reading --------------------------------------------------------------------------------------------------------

fn place(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

fn find_paths(source: &Source, judge: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let paths = source.paths().into_iter();
    paths
        .filter_map(|path| judge(&path.name).map(|what| Finding { line: path.line, what }))
        .collect()
}

fn find_calls(source: &Source, names: &[&str]) -> Vec<Finding> {
    let ends_with = |path: &str, name: &str| path == name || path.ends_with(&format!("::{name}"));
    find_paths(source, |path| {
        names
            .iter()
            .find(|name| ends_with(path, name))
            .map(|name| format!("`{name}`"))
    })
}

fn find_words(source: &Source, words: &[&str]) -> Vec<Finding> {
    words.iter().flat_map(|word| find_sequence(source, &[word])).collect()
}

fn find_sequence(source: &Source, words: &[&str]) -> Vec<Finding> {
    let seen = source.tokens.windows(words.len());
    let seen = seen.filter(|tokens| tokens.iter().zip(words).all(|(token, word)| token.text == *word));
    seen.map(|tokens| Finding {
        line: tokens[0].line,
        what: format!("`{}`", words.concat()),
    })
    .collect()
}

fn find_lines(text: &str, judge: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(at, line)| judge(line).map(|what| Finding { line: at + 1, what }))
        .collect()
}

fn obey(rule: Rule, advice: &str) {
    check(rule, &["src/"], advice);
}

fn obey_everywhere(rule: Rule, advice: &str) {
    check(rule, &["src/", "tests/", "benches/"], advice);
}

fn check(rule: Rule, folders: &[&str], advice: &str) {
    let sources = sources(folders);
    assert!(
        sources.iter().any(|source| source.path == "src/lib.rs"),
        "the rules read another folder than the program's"
    );
    report(sources.iter().map(|source| (source.path.clone(), rule(source))), advice);
}

fn report(findings: impl Iterator<Item = (String, Vec<Finding>)>, advice: &str) {
    let lines: Vec<String> = findings
        .flat_map(|(path, findings)| {
            findings
                .into_iter()
                .map(move |f| format!("  {path}:{}: {}", f.line, f.what))
        })
        .collect();
    assert!(lines.is_empty(), "\n{}\n{advice}\n", lines.join("\n"));
}

/// The Rust files of these folders; those that exist only for tests have no code.
fn sources(folders: &[&str]) -> Vec<Source> {
    let files = committed_files().into_iter();
    let rust = files.filter(|(path, _)| path.ends_with(".rs") && folders.iter().any(|folder| path.starts_with(folder)));
    let mut sources: Vec<Source> = rust.map(|(path, text)| Source::new(&path, &text)).collect();
    let tests: Vec<String> = sources.iter().flat_map(Source::test_files).collect();
    sources
        .iter_mut()
        .filter(|source| tests.contains(&source.path))
        .for_each(Source::drop_code);
    sources
}

/// Every text file of the repository that .gitignore does not name, with its path from the root.
fn committed_files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignore = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let ignored: Vec<&str> = ignore
        .lines()
        .chain(["/.git"])
        .map(|line| line.trim_end_matches('/'))
        .collect();
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        // What vanishes while we look was a test's own file.
        for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{folder}{name}");
            if ignored.contains(&name.as_str()) || ignored.contains(&format!("/{path}").as_str()) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(format!("{path}/"));
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}
