//! Projects, environments and the keys of the minting API, over HTTP.

use moneyer::access::environment;
use moneyer::audit::EventFilter;
use moneyer::error::Error;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Answer, Person, Role, Server, golden};

both_databases! {
    a_project_gets_environments_with_keys_that_are_shown_once,
    an_environment_has_one_active_key_of_each_kind,
    a_rotated_key_opens_nothing_on_any_replica,
    an_overlap_keeps_the_old_key_for_so_long,
    a_revoked_key_opens_nothing,
    keys_of_somebody_elses_environment_look_like_none,
    what_is_malformed_is_told_and_changes_nothing,
    a_replay_does_not_show_the_key_again,
    plans_and_their_keys_are_managed,
    every_change_is_in_the_audit_log,
    two_rotations_at_once_leave_one_active_key,
}

fn manager(server: &Server) -> &Person {
    &server.world.system[&Role::SystemManager]
}

async fn post(server: &Server, path: &str, body: Value) -> Answer {
    server.verified().post(manager(server), path, &body).await
}

async fn project(server: &Server, name: &str) -> String {
    let project = post(server, "/api/projects", json!({ "name": name })).await.ok();
    project["id"].as_str().unwrap().to_owned()
}

/// The id of a Standard environment in a project of the same name.
async fn environment(server: &Server, name: &str) -> String {
    let path = format!("/api/projects/{}/environments", project(server, name).await);
    let environment = post(server, &path, json!({ "name": name })).await.ok();
    environment["id"].as_str().unwrap().to_owned()
}

struct Key {
    path: String,
    text: String,
}

async fn key(server: &Server, environment: &str, kind: &str) -> Key {
    let path = format!("/api/environments/{environment}/keys");
    let created = post(server, &path, json!({ "kind": kind })).await.ok();
    Key::of(environment, &created)
}

impl Key {
    fn of(environment: &str, created: &Value) -> Self {
        Self {
            path: format!(
                "/api/environments/{environment}/keys/{}",
                created["id"].as_str().unwrap()
            ),
            text: created["key"].as_str().unwrap().to_owned(),
        }
    }
}

async fn opens(server: &Server, key: &Key) -> bool {
    let (vault, text, now) = (server.app.vault().clone(), key.text.clone(), server.now());
    let found = server
        .app
        .db()
        .read(move |tx| environment::authenticate(tx, &vault, &text, now));
    match found.await {
        Ok(_) => true,
        Err(Error::Unauthenticated) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn rotated(server: &Server, key: &Key, overlap: i64) -> Key {
    let path = format!("{}/rotate", key.path);
    let created = post(server, &path, json!({ "overlapSeconds": overlap })).await.ok();
    let (environment, _) = key.path.split_once("/keys").unwrap();
    Key::of(environment.rsplit('/').next().unwrap(), &created)
}

/// Ids and keys are different each time.
fn steady(value: &Value) -> Value {
    let mut value = value.clone();
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let is_id = ["id", "projectId", "environmentId", "createdBy", "ownerId"].contains(&name.as_str());
                *field = match (is_id, name.as_str(), field.as_str()) {
                    (true, _, _) => json!("…"),
                    (false, "key" | "start", Some(text)) => json!(format!("{}…", &text[..text.find('-').unwrap() + 1])),
                    _ => steady(field),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = steady(item)),
        _ => {}
    }
    value
}

async fn a_project_gets_environments_with_keys_that_are_shown_once(server: &Server) {
    let project = post(server, "/api/projects", json!({ "name": "Dragon Arena" }))
        .await
        .ok();
    let environments = format!("/api/projects/{}/environments", project["id"].as_str().unwrap());
    let tier = json!({ "name": "sandbox", "tier": "enterprise", "mintsPerMinute": 60_000, "mintsBurst": 20_000 });
    let environment = post(server, &environments, tier).await.ok();
    let path = format!("/api/environments/{}", environment["id"].as_str().unwrap());
    let keys = format!("{path}/keys");
    let secret = post(server, &keys, json!({ "kind": "secret" })).await.ok();
    let publishable = post(server, &keys, json!({ "kind": "publishable" })).await.ok();
    let updated = json!({ "name": "production", "tier": "partner" });
    let updated = server.verified().put(manager(server), &path, &updated).await.ok();

    let list = async |path: &str| server.get(manager(server), path).await.ok();
    let mut listed = list(&keys).await;
    let text = listed.to_string();
    assert!(!text.contains(secret["key"].as_str().unwrap()));
    listed
        .as_array_mut()
        .unwrap()
        .sort_by_key(|key| key["kind"].to_string());
    assert!(secret["key"].as_str().unwrap().starts_with("sk_imapik_test-"));
    assert!(publishable["key"].as_str().unwrap().starts_with("pk_imapik_test-"));
    let projects = list("/api/projects").await;
    let of_project = list(&environments).await;
    golden(
        "projects.json",
        &steady(&json!({
            "project": project, "environment": environment, "secret": secret, "publishable": publishable,
            "updated": updated, "projects": projects, "environments": of_project, "keys": listed,
        })),
    );
}

async fn an_environment_has_one_active_key_of_each_kind(server: &Server) {
    let environment = environment(server, "Game").await;
    let path = format!("/api/environments/{environment}/keys");
    key(server, &environment, "secret").await;
    key(server, &environment, "publishable").await;

    for kind in ["secret", "publishable"] {
        let again = post(server, &path, json!({ "kind": kind })).await;
        again.error(409, "RESOURCE_ALREADY_EXISTS");
    }
}

async fn a_rotated_key_opens_nothing_on_any_replica(server: &Server) {
    let replica = server.replica();
    let environment = environment(server, "Game").await;
    let old = key(server, &environment, "secret").await;
    assert!(opens(server, &old).await && opens(&replica, &old).await);

    let new = rotated(server, &old, 0).await;

    for process in [server, &replica] {
        assert!(!opens(process, &old).await && opens(process, &new).await);
    }
    let again = post(server, &format!("{}/rotate", old.path), json!({})).await;
    again.error(409, "CONFLICT");
    replica.stop().await;
}

async fn an_overlap_keeps_the_old_key_for_so_long(server: &Server) {
    let environment = environment(server, "Game").await;
    let old = key(server, &environment, "secret").await;

    let new = rotated(server, &old, 60).await;

    server.advance(59);
    assert!(opens(server, &old).await && opens(server, &new).await);
    server.advance(1);
    assert!(!opens(server, &old).await && opens(server, &new).await);
}

async fn a_revoked_key_opens_nothing(server: &Server) {
    let environment = environment(server, "Game").await;
    let secret = key(server, &environment, "secret").await;

    // Taking a right away needs no code.
    let revoked = server.delete(manager(server), &secret.path, &json!({})).await.ok();

    assert_eq!(revoked["state"], "ended");
    assert!(!opens(server, &secret).await);
    let again = server.delete(manager(server), &secret.path, &json!({})).await;
    again.error(409, "CONFLICT");
    key(server, &environment, "secret").await;
}

async fn keys_of_somebody_elses_environment_look_like_none(server: &Server) {
    let (mine, other) = (environment(server, "Mine").await, environment(server, "Other").await);
    let secret = key(server, &mine, "secret").await;
    let elsewhere = secret.path.replace(&mine, &other);

    let rotate = post(server, &format!("{elsewhere}/rotate"), json!({})).await;
    rotate.error(404, "NOT_FOUND");
    let revoke = server.delete(manager(server), &elsewhere, &json!({})).await;
    revoke.error(404, "NOT_FOUND");
    assert!(opens(server, &secret).await);
}

async fn what_is_malformed_is_told_and_changes_nothing(server: &Server) {
    let environments = format!("/api/projects/{}/environments", project(server, "Game").await);
    let environment = environment(server, "Other").await;
    let keys = format!("/api/environments/{environment}/keys");
    let secret = key(server, &environment, "secret").await;
    let rotate = format!("{}/rotate", secret.path);

    for (path, body, issues) in [
        ("/api/projects", json!({ "name": "" }), vec!["name range"]),
        (
            &environments,
            json!({ "name": "a", "chain": "mars" }),
            vec!["chain unknown"],
        ),
        (
            &environments,
            json!({ "name": "a", "tier": "gold" }),
            vec!["tier format"],
        ),
        (
            &environments,
            json!({ "name": "a", "tier": "partner", "mintsBurst": 5_000 }),
            vec!["tier format"],
        ),
        (
            &environments,
            json!({ "name": "a", "tier": "enterprise" }),
            vec!["tier format"],
        ),
        (
            &environments,
            json!({ "name": "a", "tier": "enterprise", "mintsPerMinute": 1, "mintsBurst": 99 }),
            vec!["mintsBurst format"],
        ),
        (&keys, json!({ "kind": "golden" }), vec!["kind format"]),
        (&rotate, json!({ "overlapSeconds": -1 }), vec!["overlapSeconds range"]),
        (
            &rotate,
            json!({ "overlapSeconds": 604_801 }),
            vec!["overlapSeconds range"],
        ),
    ] {
        let answer = post(server, path, body).await;
        assert_eq!(answer.issues(), issues, "{path}");
    }
    let unknown = "/api/environments/0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57/keys";
    post(server, unknown, json!({ "kind": "secret" }))
        .await
        .error(404, "NOT_FOUND");
    let nonsense = post(server, "/api/environments/x/keys", json!({ "kind": "secret" })).await;
    assert_eq!(nonsense.issues(), ["environmentId format"]);
    assert!(opens(server, &secret).await);
}

async fn a_replay_does_not_show_the_key_again(server: &Server) {
    let path = format!("/api/environments/{}/keys", environment(server, "Game").await);
    let body = crate::support::with_pin(&json!({ "kind": "secret" }));
    let create = async || {
        let request = server.request(reqwest::Method::POST, manager(server), &path);
        request.json(&body).idempotency_key("one").send().await
    };

    let created = create().await.ok();
    let replay = create().await;

    replay.error(409, "CONFLICT");
    assert!(!replay.text.contains(created["key"].as_str().unwrap()));
}

async fn plans_and_their_keys_are_managed(server: &Server) {
    let plan = json!({ "requests": 15_000, "windowSeconds": 300 });
    let put = async |body: &Value| {
        server
            .verified()
            .put(manager(server), "/api/rate-plans/partners", body)
            .await
    };
    let created = put(&plan).await.ok();
    put(&json!({ "requests": 1, "windowSeconds": 1 })).await.ok();
    put(&plan).await.ok();
    let key = post(server, "/api/rate-plans/partners/keys", json!({})).await.ok();
    let path = format!("/api/rate-plans/partners/keys/{}", key["id"].as_str().unwrap());
    let revoked = server.delete(manager(server), &path, &json!({})).await.ok();
    let keys = server.get(manager(server), "/api/rate-plans/partners/keys").await.ok();
    let plans = server.get(manager(server), "/api/rate-plans").await.ok();

    server
        .delete(manager(server), &path, &json!({}))
        .await
        .error(409, "CONFLICT");
    for (requests, seconds) in [(0, 1), (1, 0), (10_000_001, 1), (1, 86_401)] {
        let refused = put(&json!({ "requests": requests, "windowSeconds": seconds })).await;
        assert_eq!(refused.issues().len(), 1);
    }
    post(server, "/api/rate-plans/nobody/keys", json!({}))
        .await
        .error(404, "NOT_FOUND");
    golden(
        "rate_plans.json",
        &steady(&json!({ "plan": created, "key": key, "revoked": revoked, "keys": keys, "plans": plans })),
    );
}

async fn every_change_is_in_the_audit_log(server: &Server) {
    server.advance(1);
    let from = server.now();
    let environment = environment(server, "Game").await;
    let secret = key(server, &environment, "secret").await;
    let new = rotated(server, &secret, 60).await;
    server.delete(manager(server), &new.path, &json!({})).await.ok();

    let filter = EventFilter {
        from: Some(from),
        actor: Some(manager(server).actor().name()),
        ..EventFilter::default()
    };
    let events = server.events(filter).await;

    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    let expected = [
        "project.created",
        "environment.created",
        "environment_key.created",
        "environment_key.rotated",
        "environment_key.revoked",
    ];
    assert_eq!(actions, expected);
    let told: String = events.iter().map(|event| event.data.as_str()).collect();
    assert!(!told.contains(&secret.text[24..]) && !told.contains(&new.text[24..]));
}

async fn two_rotations_at_once_leave_one_active_key(server: &Server) {
    let environment = environment(server, "Game").await;
    let secret = key(server, &environment, "secret").await;
    let path = format!("{}/rotate", secret.path);

    let (first, second) = tokio::join!(
        post(server, &path, json!({ "overlapSeconds": 0 })),
        post(server, &path, json!({ "overlapSeconds": 0 }))
    );

    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let keys = format!("/api/environments/{environment}/keys");
    let keys = server.get(manager(server), &keys).await.ok();
    let active = keys.as_array().unwrap().iter().filter(|key| key["state"] == "active");
    assert_eq!(active.count(), 1);
}
