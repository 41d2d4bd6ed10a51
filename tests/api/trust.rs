//! Claim topics and trusted issuers as their callers see them.

use moneyer::access::Role;
use moneyer::types::Address;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Person, Server, findings_of, wallet};

const TOPICS: &str = "/api/system/claim-topics";
const ISSUERS: &str = "/api/system/trusted-issuers";

fn curator(server: &Server) -> &Person {
    &server.world.system[&Role::ClaimPolicyManager]
}

/// The address of an identity that nobody trusts yet.
async fn identity(server: &Server, wallet: Address) -> Value {
    let body = json!({ "wallet": wallet });
    server
        .verified()
        .post(&server.world.officer, "/api/system/identity", &body)
        .await
        .ok()["id"]
        .clone()
}

async fn trusted_identity(server: &Server) -> String {
    let me = server.get(&server.world.trusted, "/api/system/identity/me").await.ok();
    me["id"].as_str().unwrap().to_owned()
}

both_databases! {
    a_topic_is_created_changed_and_deleted_while_nothing_uses_it,
    topics_that_claims_were_made_of_keep_their_meaning,
    everybody_reads_topics_and_issuers_and_only_curators_change_them,
    the_lists_have_pages_that_link_to_the_next,
    what_is_malformed_is_named,
    an_issuer_that_is_trusted_no_more_strands_whom_it_vouched_for,
}

async fn a_topic_is_created_changed_and_deleted_while_nothing_uses_it(server: &Server) {
    let curator = curator(server);
    let body = json!({ "name": "suitability", "signature": "uint8 level,string note" });

    let created = server.verified().post(curator, TOPICS, &body).await.ok();
    assert_eq!(created["signature"], "uint8 level, string note");
    assert_eq!(created["validitySecondsMax"], 31_536_000);
    server
        .verified()
        .post(curator, TOPICS, &body)
        .await
        .error(409, "RESOURCE_ALREADY_EXISTS");
    let path = format!("{TOPICS}/suitability");
    let changed = server
        .verified()
        .put(curator, &path, &json!({ "validitySecondsMax": 60 }))
        .await
        .ok();
    assert_eq!(
        (&changed["signature"], &changed["validitySecondsMax"]),
        (&created["signature"], &json!(60))
    );
    let changed = server
        .verified()
        .put(curator, &path, &json!({ "signature": "bool suits" }))
        .await
        .ok();
    assert_eq!(
        (&changed["signature"], &changed["validitySecondsMax"]),
        (&json!("bool suits"), &json!(60))
    );

    let issuer = identity(server, wallet(5_000)).await;
    let trust = json!({ "issuerAddress": issuer, "claimTopicIds": [created["topicId"]] });
    server.verified().post(curator, ISSUERS, &trust).await.ok();
    server
        .verified()
        .delete(curator, &path, &json!({}))
        .await
        .error(409, "CONFLICT");
    server
        .verified()
        .delete(curator, &format!("{ISSUERS}/{}", issuer.as_str().unwrap()), &json!({}))
        .await
        .ok();
    assert_eq!(server.verified().delete(curator, &path, &json!({})).await.ok(), changed);
    server
        .verified()
        .delete(curator, &path, &json!({}))
        .await
        .error(404, "NOT_FOUND");
}

async fn topics_that_claims_were_made_of_keep_their_meaning(server: &Server) {
    let curator = curator(server);
    let path = format!("{TOPICS}/knowYourCustomer");

    server
        .verified()
        .put(curator, &path, &json!({ "signature": "uint8 level" }))
        .await
        .error(409, "CONFLICT");
    server
        .verified()
        .delete(curator, &path, &json!({}))
        .await
        .error(409, "CONFLICT");
    let shorter = server
        .verified()
        .put(curator, &path, &json!({ "validitySecondsMax": 86_400 }))
        .await
        .ok();
    assert_eq!(shorter["validitySecondsMax"], 86_400);
}

async fn everybody_reads_topics_and_issuers_and_only_curators_change_them(server: &Server) {
    let outsider = &server.world.outsider;
    let issuer = trusted_identity(server).await;

    let topics = server.get(outsider, TOPICS).await.ok();
    assert_eq!(topics.as_array().unwrap().len(), 18);
    let issuers = server.get(outsider, ISSUERS).await.ok();
    assert_eq!(issuers[0]["id"], json!(issuer));
    assert_eq!(issuers[0]["claimTopics"].as_array().unwrap().len(), 3);
    server
        .call(reqwest::Method::GET, None, TOPICS)
        .send()
        .await
        .error(401, "UNAUTHORIZED");
    let topic = json!({ "name": "suitability", "signature": "bool suits" });
    let trust = json!({ "issuerAddress": issuer, "claimTopicIds": ["isin"] });
    let one = format!("{ISSUERS}/{issuer}");
    let refused = [
        server.verified().post(outsider, TOPICS, &topic).await,
        server
            .verified()
            .put(outsider, &format!("{TOPICS}/isin"), &json!({}))
            .await,
        server
            .verified()
            .delete(outsider, &format!("{TOPICS}/isin"), &json!({}))
            .await,
        server.verified().post(outsider, ISSUERS, &trust).await,
        server.verified().put(outsider, &one, &trust).await,
        server.verified().delete(outsider, &one, &json!({})).await,
    ];
    for answer in refused {
        assert_eq!(
            answer.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"],
            "claimPolicyManager"
        );
    }
}

async fn the_lists_have_pages_that_link_to_the_next(server: &Server) {
    let outsider = &server.world.outsider;
    let mut names = Vec::new();
    let mut path = format!("{TOPICS}?limit=7");
    loop {
        let answer = server.get(outsider, &path).await;
        let link = answer.header("Link").map(str::to_owned);
        names.extend(
            answer
                .ok()
                .as_array()
                .unwrap()
                .iter()
                .map(|topic| topic["name"].to_string()),
        );
        let Some(link) = link else { break };
        let (next, _) = link.trim_start_matches('<').split_once('>').unwrap();
        path = next.to_owned();
    }

    assert_eq!(names.len(), 18);
    assert!(names.is_sorted());
    assert_eq!(
        server.get(outsider, &format!("{TOPICS}?limit=0")).await.issues(),
        ["limit range"]
    );
    assert_eq!(
        server
            .get(outsider, &format!("{ISSUERS}?cursor=nonsense"))
            .await
            .issues(),
        ["cursor format"]
    );
    let skipped = server.get(outsider, &format!("{TOPICS}?offset=17")).await.ok();
    assert_eq!(skipped.as_array().unwrap().len(), 1);
}

async fn what_is_malformed_is_named(server: &Server) {
    let curator = curator(server);
    let topic = json!({ "name": "two words", "signature": "(uint8)" });
    let trust = json!({ "issuerAddress": "0x12", "claimTopicIds": ["isin"] });
    let unknown = json!({ "issuerAddress": trusted_identity(server).await, "claimTopicIds": ["isin", "unheardOf"] });

    assert_eq!(
        server.verified().post(curator, TOPICS, &topic).await.issues(),
        ["name format", "signature format"]
    );
    let path = format!("{TOPICS}/isin");
    let zero = json!({ "validitySecondsMax": 0 });
    assert_eq!(
        server.verified().put(curator, &path, &zero).await.issues(),
        ["validitySecondsMax format"]
    );
    assert_eq!(
        server.verified().post(curator, ISSUERS, &trust).await.issues(),
        ["issuerAddress format"]
    );
    assert_eq!(
        server.verified().post(curator, ISSUERS, &unknown).await.issues(),
        ["claimTopicIds.1 format"]
    );
    let none = json!({ "issuerAddress": wallet(1), "claimTopicIds": [] });
    assert_eq!(
        server.verified().post(curator, ISSUERS, &none).await.issues(),
        ["claimTopicIds range"]
    );
    let nobody = json!({ "issuerAddress": wallet(9_999), "claimTopicIds": ["isin"] });
    server
        .verified()
        .post(curator, ISSUERS, &nobody)
        .await
        .error(404, "NOT_FOUND");
}

async fn an_issuer_that_is_trusted_no_more_strands_whom_it_vouched_for(server: &Server) {
    let (curator, issuer) = (curator(server), trusted_identity(server).await);
    let recipient = server.world.recipients[0];
    let verdict = || async {
        let body = json!({ "recipients": recipient, "amounts": "1" });
        findings_of(&server.check(&server.world.equity, &body).await.ok()["findings"])
    };
    assert_eq!(verdict().await, Vec::<String>::new());
    let again = json!({ "issuerAddress": issuer, "claimTopicIds": ["isin"] });
    server
        .verified()
        .post(curator, ISSUERS, &again)
        .await
        .error(409, "RESOURCE_ALREADY_EXISTS");

    let path = format!("{ISSUERS}/{issuer}");
    let without_kyc = json!({ "claimTopicIds": ["antiMoneyLaundering", "collateral"] });
    let changed = server.verified().put(curator, &path, &without_kyc).await.ok();

    assert_eq!(changed["claimTopics"].as_array().unwrap().len(), 2);
    assert_eq!(verdict().await, ["0 issuer_untrusted"]);
    server.verified().delete(curator, &path, &json!({})).await.ok();
    assert_eq!(verdict().await, ["0 issuer_untrusted", "0 issuer_untrusted"]);
    server
        .verified()
        .delete(curator, &path, &json!({}))
        .await
        .error(404, "NOT_FOUND");
    server
        .verified()
        .put(curator, &path, &without_kyc)
        .await
        .error(404, "NOT_FOUND");
}
