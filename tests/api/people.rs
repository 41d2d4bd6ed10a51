//! Users, API keys and system roles as their callers see them.

use std::time::Duration;

use moneyer::access;
use moneyer::db::{Db, Settings};
use moneyer::error::Error;
use moneyer::types::Timestamp;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Database, PIN, Person, Server, TestDatabase, wallet, with_pin};

fn pin() -> Value {
    json!({ "secretVerificationCode": PIN, "verificationType": "PINCODE" })
}

/// The answer of `GET /api/user/me` with any key.
async fn me(server: &Server, key: &str) -> crate::support::Answer {
    server
        .call(reqwest::Method::GET, Some(key), "/api/user/me")
        .send()
        .await
}

/// A key of a person beside the one they have.
async fn new_key(server: &Server, person: &Person) -> Value {
    let body = json!({ "name": "second", "walletVerification": pin() });
    server.post(person, "/api/auth/api-key/create", &body).await.ok()
}

both_databases! {
    a_created_user_calls_with_the_key_that_was_shown,
    a_user_is_created_only_with_the_right_a_free_wallet_and_good_fields,
    a_wallet_that_holds_a_role_gets_its_user_from_the_systems_admin_only,
    a_replayed_creation_does_not_show_the_key_again,
    users_are_read_by_themselves_and_by_those_with_the_right,
    users_are_listed_page_by_page,
    a_key_is_created_with_a_code_and_shown_once,
    a_key_without_a_code_or_with_a_bad_expiry_is_refused,
    disabling_a_key_acts_at_once_and_enabling_it_needs_a_code,
    nobody_touches_another_users_key,
    the_systems_admin_grants_and_revokes_one_and_many,
    a_grant_is_refused_without_right_code_or_sense,
    the_last_admin_cannot_be_revoked_and_revoking_needs_no_code,
}

async fn a_created_user_calls_with_the_key_that_was_shown(server: &Server) {
    let body = json!({ "name": "Ada", "wallet": wallet(500), "expiresAt": "2026-07-01T00:00:00Z" });

    let created = server
        .verified()
        .post(&server.world.admin, "/api/user", &body)
        .await
        .ok();
    let key = created["apiKey"].as_str().unwrap();
    let seen = me(server, key).await.ok();

    assert_eq!(created["name"], "Ada");
    assert_eq!(created["wallet"], json!(wallet(500)));
    assert_eq!(created["expiresAt"], "2026-07-01T00:00:00.000Z");
    assert!(key.starts_with("mny_test_"));
    assert_eq!(seen["id"], created["id"]);
    assert_eq!(seen["verificationTypes"], json!([]));
    assert_eq!(seen["onboardingState"]["walletSecurity"], false);
    assert_eq!(seen["identity"], Value::Null);
    server.advance(30 * 86_400);
    me(server, key).await.error(401, "UNAUTHORIZED");
}

async fn a_user_is_created_only_with_the_right_a_free_wallet_and_good_fields(server: &Server) {
    let body = json!({ "name": "Ada", "wallet": wallet(500) });
    let path = "/api/user";

    let refused = server.verified().post(&server.world.outsider, path, &body).await;
    let roles = refused.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"].clone();
    assert_eq!(roles, json!({ "any": ["admin", "identityManager"] }));
    server.verified().post(&server.world.officer, path, &body).await.ok();
    server
        .verified()
        .post(&server.world.officer, path, &body)
        .await
        .error(409, "RESOURCE_ALREADY_EXISTS");
    let bad = json!({ "name": "Ada", "wallet": "0x12", "expiresAt": "soon" });
    let issues = server.verified().post(&server.world.admin, path, &bad).await.issues();
    assert_eq!(issues, ["wallet format", "expiresAt format"]);
    let unnamed = json!({ "name": " ", "wallet": wallet(501) });
    assert_eq!(
        server
            .verified()
            .post(&server.world.admin, path, &unnamed)
            .await
            .issues(),
        ["name range"]
    );
    let late = json!({ "name": "Ada", "wallet": wallet(501), "expiresAt": "2028-01-01T00:00:00Z" });
    assert_eq!(
        server.verified().post(&server.world.admin, path, &late).await.issues(),
        ["expiresAt range"]
    );
    let wrong = json!({ "name": "Ada", "wallet": wallet(501),
        "walletVerification": { "secretVerificationCode": "000000" } });
    server
        .verified()
        .post(&server.world.admin, path, &wrong)
        .await
        .error(401, "CHALLENGE_FAILED");
    let issues = server
        .post(
            &server.world.admin,
            path,
            &json!({ "name": "Ada", "wallet": wallet(501) }),
        )
        .await
        .issues();
    assert_eq!(issues, ["walletVerification required"]);
}

async fn a_wallet_that_holds_a_role_gets_its_user_from_the_systems_admin_only(server: &Server) {
    let (admin, officer) = (&server.world.admin, &server.world.officer);
    let grant = json!({ "address": wallet(500), "role": "admin", "walletVerification": pin() });
    server
        .post(admin, "/api/system/access-manager/grant-roles", &grant)
        .await
        .ok();
    let body = json!({ "name": "Ada", "wallet": wallet(500) });

    let refused = server.verified().post(officer, "/api/user", &body).await;

    assert_eq!(refused.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"], "admin");
    server.verified().post(admin, "/api/user", &body).await.ok();
}

async fn a_replayed_creation_does_not_show_the_key_again(server: &Server) {
    let body = json!({ "name": "Ada", "wallet": wallet(500) });
    let create = async || {
        let call = server.request(reqwest::Method::POST, &server.world.admin, "/api/user");
        call.idempotency_key("ada").json(&with_pin(&body)).send().await
    };

    let first = create().await;
    let again = create().await;

    assert!(first.text.contains("mny_test_"));
    let data = again.error(409, "CONFLICT");
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(data["id"], first.body["id"]);
    assert!(!again.text.contains("mny_test_"));
}

async fn users_are_read_by_themselves_and_by_those_with_the_right(server: &Server) {
    let (outsider, admin) = (&server.world.outsider, &server.world.admin);
    let by_id = format!("/api/user/by-id/{}", outsider.user);
    let by_wallet = format!("/api/user/by-wallet/{}", outsider.wallet);

    for (person, path) in [
        (outsider, &by_id),
        (outsider, &by_wallet),
        (admin, &by_id),
        (admin, &by_wallet),
    ] {
        let user = server.get(person, path).await.ok();
        assert_eq!(user["id"], json!(outsider.user));
        assert_eq!((&user["role"], &user["roles"]), (&json!("user"), &json!([])));
    }
    let other = format!("/api/user/by-id/{}", admin.user);
    server.get(outsider, &other).await.error(403, "USER_NOT_AUTHORIZED");
    let unknown = "/api/user/by-id/01890a5d-ac96-774b-bcce-b302099a8057";
    server.get(outsider, unknown).await.error(403, "USER_NOT_AUTHORIZED");
    server.get(admin, unknown).await.error(404, "NOT_FOUND");
    assert_eq!(server.get(admin, "/api/user/by-id/1").await.issues(), ["userId format"]);
    assert_eq!(
        server.get(admin, "/api/user/by-wallet/0x1").await.issues(),
        ["wallet format"]
    );
}

async fn users_are_listed_page_by_page(server: &Server) {
    let officer = &server.world.officer;
    let first = server.get(officer, "/api/user/list?limit=10").await.ok();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = server
        .get(officer, &format!("/api/user/list?cursor={cursor}"))
        .await
        .ok();

    let (shown, others) = (first["items"].as_array().unwrap(), rest["items"].as_array().unwrap());
    assert_eq!(json!(shown.len() + others.len()), first["total"]);
    assert!(shown.iter().all(|user| !others.contains(user)));
    assert_eq!(rest["nextCursor"], Value::Null);
    let admin = shown.iter().chain(others).find(|user| user["role"] == "admin").unwrap();
    assert_eq!(admin["roles"], json!(["admin"]));
    server
        .get(&server.world.outsider, "/api/user/list")
        .await
        .error(403, "USER_NOT_AUTHORIZED");
}

async fn a_key_is_created_with_a_code_and_shown_once(server: &Server) {
    let person = &server.world.outsider;
    let created = new_key(server, person).await;
    let (id, key) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());

    assert_eq!(created["start"], format!("mny_test_{id}"));
    assert_eq!(me(server, key).await.ok()["id"], json!(person.user));
    let read = server.get(person, &format!("/api/auth/api-key/get?id={id}")).await;
    assert!(!read.text.contains(key));
    assert_eq!(read.ok()["name"], "second");
    let list = server.get(person, "/api/auth/api-key/list?limit=1").await;
    let next = list.header("Link").unwrap().to_owned();
    assert_eq!(list.ok().as_array().unwrap().len(), 1);
    let path = next.trim_start_matches('<').split('>').next().unwrap();
    assert_eq!(server.get(person, path).await.ok().as_array().unwrap().len(), 1);
}

async fn a_key_without_a_code_or_with_a_bad_expiry_is_refused(server: &Server) {
    let (person, path) = (&server.world.outsider, "/api/auth/api-key/create");

    let issues = server
        .post(person, path, &json!({ "expiresAt": "soon" }))
        .await
        .issues();
    assert_eq!(issues, ["expiresAt format", "walletVerification required"]);
    for (seconds, ok) in [(86_399, false), (86_400, true), (31_536_000, true), (31_536_001, false)] {
        let body = json!({ "expiresIn": seconds, "walletVerification": pin() });
        assert_eq!(server.post(person, path, &body).await.is_success(), ok, "{seconds}");
    }
    let both = json!({ "expiresIn": 86_400, "expiresAt": "2026-07-01T00:00:00Z", "walletVerification": pin() });
    assert_eq!(server.post(person, path, &both).await.issues(), ["expiresAt unknown"]);
    let wrong = json!({ "walletVerification": { "secretVerificationCode": "000000" } });
    server.post(person, path, &wrong).await.error(401, "CHALLENGE_FAILED");
    let absent = json!({ "walletVerification": { "secretVerificationCode": PIN, "verificationType": "OTP" } });
    server
        .post(person, path, &absent)
        .await
        .error(404, "VERIFICATION_ID_NOT_FOUND");
}

async fn disabling_a_key_acts_at_once_and_enabling_it_needs_a_code(server: &Server) {
    let (person, path) = (&server.world.outsider, "/api/auth/api-key/update");
    let created = new_key(server, person).await;
    let (id, key) = (&created["id"], created["key"].as_str().unwrap());

    let disabled = server
        .post(person, path, &json!({ "keyId": id, "enabled": false }))
        .await
        .ok();
    assert_eq!(disabled["enabled"], false);
    me(server, key).await.error(401, "UNAUTHORIZED");
    let without = server
        .post(person, path, &json!({ "keyId": id, "enabled": true }))
        .await;
    assert_eq!(without.issues(), ["walletVerification required"]);
    let with = json!({ "keyId": id, "enabled": true, "walletVerification": pin() });
    server.post(person, path, &with).await.ok();
    me(server, key).await.ok();
    server
        .post(person, "/api/auth/api-key/delete", &json!({ "keyId": id }))
        .await
        .ok();
    me(server, key).await.error(401, "UNAUTHORIZED");
    server
        .post(person, "/api/auth/api-key/delete", &json!({ "keyId": id }))
        .await
        .error(404, "NOT_FOUND");
}

async fn nobody_touches_another_users_key(server: &Server) {
    let created = new_key(server, &server.world.outsider).await;
    let (stranger, id) = (&server.world.admin, &created["id"]);

    let read = format!("/api/auth/api-key/get?id={}", id.as_str().unwrap());
    server.get(stranger, &read).await.error(404, "NOT_FOUND");
    let body = json!({ "keyId": id, "enabled": false });
    server
        .post(stranger, "/api/auth/api-key/update", &body)
        .await
        .error(404, "NOT_FOUND");
    server
        .post(stranger, "/api/auth/api-key/delete", &body)
        .await
        .error(404, "NOT_FOUND");
    me(server, created["key"].as_str().unwrap()).await.ok();
}

async fn the_systems_admin_grants_and_revokes_one_and_many(server: &Server) {
    let (admin, grant) = (&server.world.admin, "/api/system/access-manager/grant-roles");
    let revoke = "/api/system/access-manager/revoke-roles";
    let many_roles =
        json!({ "address": wallet(600), "role": ["auditor", "claimIssuer", "auditor"], "walletVerification": pin() });
    let many_wallets = json!({ "address": [wallet(601), wallet(602)], "role": "auditor", "walletVerification": pin() });

    let granted = server.post(admin, grant, &many_roles).await.ok();
    assert_eq!(
        granted,
        json!({ "addresses": [wallet(600)], "roles": ["auditor", "claimIssuer"] })
    );
    server.post(admin, grant, &many_wallets).await.ok();
    server.post(admin, grant, &many_wallets).await.error(409, "CONFLICT");
    let holders = server
        .get(&server.world.outsider, "/api/system/access-manager/roles?limit=200")
        .await
        .ok();
    let of = |number| {
        holders
            .as_array()
            .unwrap()
            .iter()
            .find(|holder| holder["account"] == json!(wallet(number)))
    };
    assert_eq!(of(600).unwrap()["roles"], json!(["claimIssuer", "auditor"]));
    assert!(of(601).is_some() && of(602).is_some());
    server.delete(admin, revoke, &many_wallets).await.ok();
    server.delete(admin, revoke, &many_wallets).await.error(409, "CONFLICT");
    let first = server.get(admin, "/api/system/access-manager/roles?limit=1").await;
    assert!(first.header("Link").unwrap().contains("rel=\"next\""));
}

async fn a_grant_is_refused_without_right_code_or_sense(server: &Server) {
    let (admin, grant) = (&server.world.admin, "/api/system/access-manager/grant-roles");
    let body = |address: Value, role: Value| json!({ "address": address, "role": role, "walletVerification": pin() });
    let one = body(json!(wallet(600)), json!("auditor"));

    let refused = server.post(&server.world.outsider, grant, &one).await;
    assert_eq!(refused.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"], "admin");
    let issues = server.post(admin, grant, &json!({})).await.issues();
    assert_eq!(
        issues,
        ["address required", "role required", "walletVerification required"]
    );
    let issues = server
        .post(admin, grant, &body(json!(["0x1"]), json!(["king", 7])))
        .await
        .issues();
    assert_eq!(issues, ["address.0 format", "role.0 format", "role.1 type"]);
    let asset_role = body(json!(wallet(600)), json!("supplyManagement"));
    assert_eq!(server.post(admin, grant, &asset_role).await.issues(), ["role range"]);
    let many = body(json!([wallet(600), wallet(601)]), json!(["auditor", "admin"]));
    let errors = server
        .post(admin, grant, &many)
        .await
        .error(422, "INPUT_VALIDATION_FAILED")["errors"]
        .clone();
    assert_eq!(errors.as_array().unwrap().len(), 1);
    let one_role = body(json!([wallet(600), wallet(601)]), json!(["auditor"]));
    server.post(admin, grant, &one_role).await.ok();
    let empty = body(json!([]), json!([]));
    server.post(admin, grant, &empty).await.error(400, "BAD_REQUEST");
    let mut wrong = one.clone();
    wrong["walletVerification"]["secretVerificationCode"] = json!("000000");
    server.post(admin, grant, &wrong).await.error(401, "CHALLENGE_FAILED");
}

async fn the_last_admin_cannot_be_revoked_and_revoking_needs_no_code(server: &Server) {
    let (admin, path) = (&server.world.admin, "/api/system/access-manager/revoke-roles");
    let body = json!({ "address": admin.wallet, "role": "admin" });

    server.delete(admin, path, &body).await.error(409, "CONFLICT");
    let auditor = json!({ "address": server.world.system[&moneyer::access::Role::Auditor].wallet, "role": "auditor" });
    server.delete(admin, path, &auditor).await.ok();
    let mut wrong = body.clone();
    wrong["walletVerification"] = json!({ "secretVerificationCode": "000000" });
    server.delete(admin, path, &wrong).await.error(401, "CHALLENGE_FAILED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_make_themselves_the_first_admin_at_once_one_does() {
    for kind in [Database::Sqlite, Database::Postgres] {
        let database = TestDatabase::empty(kind).await;
        let db = Db::connect(&Settings {
            url: database.url.clone().into(),
            connections_max: 8,
            wait: Duration::from_secs(30),
        });
        let db = db.unwrap();
        db.migrate(false).unwrap();
        let now = Timestamp::from_micros(1_800_000_000_000_000);

        let all = (0..8).map(|number| {
            let admin = wallet(number);
            db.write(move |tx| access::bootstrap_admin(tx, now, "First", admin))
        });
        let all = futures_util::future::join_all(all).await;

        let (made, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 1, "{kind:?}");
        for error in refused.into_iter().filter_map(Result::err) {
            assert!(matches!(error, Error::Conflict(_)), "{kind:?}: {error}");
        }
        drop(db);
        database.remove().await;
    }
}
