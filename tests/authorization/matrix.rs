//! Every route as nobody, as a stranger, with roles on another asset, and with each role held alone.

use std::collections::BTreeSet;

use moneyer::api::openapi;
use moneyer::audit::{self, EventFilter, Recorded};
use moneyer::db::Page;
use moneyer::server;
use moneyer::types::Timestamp;
use serde_json::Value;

use super::contents::contents;
use super::routes::{May, Route, table};
use super::stage::{Caller, Stage, required_roles};
use crate::both_databases;
use crate::support::{Answer, Server};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/authorization.txt");
/// Served, and not part of the document.
const UNDOCUMENTED: [&str; 2] = ["GET /openapi.json", "GET /docs"];

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let mut routes: BTreeSet<String> = openapi::route_list(&server::document())
        .into_iter()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    routes.extend(UNDOCUMENTED.map(str::to_owned));
    let rows: BTreeSet<String> = table().iter().map(name_of).collect();

    let missing: Vec<&String> = routes.difference(&rows).collect();
    let gone: Vec<&String> = rows.difference(&routes).collect();

    assert!(
        missing.is_empty(),
        "add a row for each to tests/authorization/routes.rs, with who may call it and a valid request: {missing:#?}"
    );
    assert!(
        gone.is_empty(),
        "there are no such routes; remove their rows from tests/authorization/routes.rs: {gone:#?}"
    );
}

both_databases! {
    who_may_call_what,
}

async fn who_may_call_what(server: &Server) {
    let stage = Stage::set(server).await;
    let before = contents(server).await;
    let mut matrix = Matrix::default();

    for route in table() {
        let nobody = ask_as_nobody(server, &stage, &route).await;
        let mut cells = vec![nobody];
        for caller in &stage.callers {
            let answer = stage.call(server, &route, Some(&caller.person.key)).await;
            let refused = judge(&route, caller, &answer);
            cells.push(cell(&answer));
            if refused {
                matrix.refusals.push(refusal(&stage, &route, caller));
            }
        }
        matrix.rows.push((label(&stage, &route), cells));
    }

    let recorded = events_since(server, server.now()).await;
    let recorded: Vec<String> = recorded.iter().map(told).collect();
    assert_eq!(
        recorded,
        sorted(matrix.refusals.clone()),
        "one event per refusal, and no other"
    );
    assert!(
        contents(server).await == before,
        "a request of the table changed something"
    );
    compare(&matrix.render(&stage.callers));
}

#[derive(Default)]
struct Matrix {
    rows: Vec<(String, Vec<String>)>,
    /// Who was refused what, as the audit log should tell it.
    refusals: Vec<String>,
}

fn name_of(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}

/// The route, with the names of what is asked for where the answer depends on it.
fn label(stage: &Stage, route: &Route) -> String {
    match (route.ask)(stage) {
        super::routes::Ask::Query(query) => {
            let names: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
            format!("{}?{}", name_of(route), names.join("&"))
        }
        super::routes::Ask::Nothing | super::routes::Ask::Body(_) => name_of(route),
    }
}

/// All that is no good key gives the same answer, also where nothing else of the request is right.
async fn ask_as_nobody(server: &Server, stage: &Stage, route: &Route) -> String {
    let mut cells = BTreeSet::new();
    for (what, key) in &stage.closed_keys {
        let answer = stage.call(server, route, key.as_deref()).await;
        cells.insert(cell(&answer));
        if matches!(route.may, May::Public) {
            assert_eq!(answer.status.as_u16(), 200, "{} with {what}", name_of(route));
            continue;
        }
        let data = answer.error(401, "UNAUTHORIZED");
        assert_eq!(data, Value::Null, "{} with {what}", name_of(route));
        if route.path.contains('{') {
            let nonsense = route.path.replace('{', "no-").replace('}', "");
            let answer = stage.call_at(server, route, &nonsense, key.as_deref()).await;
            answer.error(401, "UNAUTHORIZED");
        }
    }
    assert_eq!(cells.len(), 1, "{}: {cells:?}", name_of(route));
    cells.pop_first().unwrap()
}

/// What the table of rights says is what the server did. True for a refusal that the audit log tells of.
fn judge(route: &Route, caller: &Caller, answer: &Answer) -> bool {
    let who = format!(
        "{} as {} {}: {}",
        name_of(route),
        caller.place,
        caller.name,
        answer.text
    );
    if route.may.allows(caller) {
        let passed = match cell(answer).as_str() {
            "200" | "pass" => true,
            // The caller's own thing, which most callers do not have.
            "404" => matches!(route.may, May::Everybody),
            _ => false,
        };
        assert!(passed, "may, and is not let: {who}");
        return false;
    }
    match route.may {
        May::Owner => {
            answer.error(404, "NOT_FOUND");
            false
        }
        May::Requester(_) => {
            answer.error(404, "NOT_FOUND");
            true
        }
        May::Trust => {
            assert_eq!(answer.error(403, "FORBIDDEN"), Value::Null, "{who}");
            true
        }
        May::OnAsset(_) | May::InSystem(_) | May::OwnerOr(_) | May::RoleAndTrust(_) => {
            let data = answer.error(403, "USER_NOT_AUTHORIZED");
            assert_eq!(required_roles(&data), route.may.required(), "{who}");
            true
        }
        May::Public | May::Everybody => panic!("{who}"),
    }
}

/// The status; `pass` for a change that was stopped by nothing but the wallet verification.
fn cell(answer: &Answer) -> String {
    match answer.body["code"].as_str() {
        Some("VERIFICATION_ID_NOT_FOUND") => "pass".to_owned(),
        _ => answer.status.as_u16().to_string(),
    }
}

fn refusal(stage: &Stage, route: &Route, caller: &Caller) -> String {
    let attempt = format!("{} {}", route.method, stage.fill(route.path));
    let roles = route.may.required().join(",");
    format!("{} access.refused {attempt} {roles}", caller.person.actor().name())
}

fn told(event: &Recorded) -> String {
    let data: Value = serde_json::from_str(&event.data).unwrap();
    let attempt = data["attempt"].as_str().unwrap_or("-");
    let roles = data["requiredRoles"].as_array().map_or_else(Vec::new, Clone::clone);
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str().unwrap()).collect();
    format!("{} {} {attempt} {}", event.actor, event.action, roles.join(","))
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

/// Every event since then, in an order that does not depend on the clock.
async fn events_since(server: &Server, from: Timestamp) -> Vec<Recorded> {
    let mut events = Vec::new();
    let mut page = Page::first(Page::LIMIT_MAX);
    loop {
        let filter = EventFilter {
            from: Some(from),
            ..EventFilter::default()
        };
        let asked = page.clone();
        let (found, next) = server.read(move |tx| audit::list(tx, &filter, &asked)).await;
        events.extend(found);
        match next {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    events.sort_by_cached_key(told);
    events
}

impl Matrix {
    fn render(&self, callers: &[Caller]) -> String {
        let mut text = String::from(
            "Who may call what. `nobody`: no key, and every key that opens nothing. `stranger`: a user without a role. `elsewhere`:\n\
             a user with all roles on another asset. Then each role held alone, in the system and on the asset.\n\n\
             `pass`: let through by role and stopped by the wallet verification that follows (404 VERIFICATION_ID_NOT_FOUND).\n\
             404 elsewhere: what is asked for is somebody else's, or the caller has none.\n\n",
        );
        let mut heads = vec![("", "nobody".to_owned())];
        heads.extend(callers.iter().map(|caller| (caller.place, caller.name.clone())));
        let width = self.rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let mut places = format!("{:width$}", "");
        let mut names = format!("{:width$}", "");
        for (place, name) in &heads {
            places.push_str(&format!(" {place:^size$}", size = name.len()));
            names.push_str(&format!(" {name}"));
        }
        let mut lines = vec![places, names];
        for (label, cells) in &self.rows {
            let mut line = format!("{label:width$}");
            for ((_, name), cell) in heads.iter().zip(cells) {
                line.push_str(&format!(" {cell:^size$}", size = name.len()));
            }
            lines.push(line);
        }
        for line in lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's switch, not a setting of the server")]
fn compare(matrix: &str) {
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(GOLDEN, matrix).unwrap();
    }
    let reviewed = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let changed: Vec<String> = matrix
        .lines()
        .filter(|line| !reviewed.lines().any(|reviewed| reviewed == *line))
        .map(|line| format!("now      {line}"))
        .chain(
            reviewed
                .lines()
                .filter(|line| !matrix.lines().any(|now| now == *line))
                .map(|line| format!("reviewed {line}")),
        )
        .collect();
    assert!(
        matrix == reviewed,
        "tests/golden/authorization.txt differs; run with UPDATE_GOLDEN=1 and review the change:\n{}",
        changed.join("\n")
    );
}
