//! Identities and claims as their callers see them.

use ethers_core::abi::{Token, encode};
use ethers_core::k256::ecdsa::SigningKey;
use ethers_core::types::{H160, U256};
use ethers_core::utils::{hash_message, keccak256, secret_key_to_address};
use moneyer::access::Role;
use moneyer::audit::EventFilter;
use moneyer::identity::{self, KeyPurpose};
use moneyer::ledger;
use moneyer::types::{Address, CountryCode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Person, Server, findings_of, wallet, with_pin};

const IDENTITY: &str = "/api/system/identity";
const ISSUE: &str = "/api/system/identity/claims/issue";
const REVOKE: &str = "/api/system/identity/claims/revoke";

/// A wallet that nobody registered.
fn newcomer() -> Address {
    wallet(5_000)
}

async fn create(server: &Server, wallet: Address) -> Value {
    let body = json!({ "wallet": wallet });
    server
        .verified()
        .post(&server.world.officer, IDENTITY, &body)
        .await
        .ok()
}

async fn register(server: &Server, wallet: Address, country: &str) -> Value {
    let body = json!({ "wallet": wallet, "country": country });
    server.verified().put(&server.world.officer, IDENTITY, &body).await.ok()
}

fn claim_body(identity: &Value, topic: &str) -> Value {
    json!({
        "targetIdentityAddress": identity["id"],
        "claim": { "topic": topic, "data": { "claim": "verified" } },
    })
}

/// What the equity's rules say of minting to this wallet.
async fn verdict(server: &Server, wallet: Address) -> Vec<String> {
    let body = json!({ "recipients": wallet, "amounts": "1" });
    findings_of(&server.check(&server.world.equity, &body).await.ok()["findings"])
}

both_databases! {
    an_identity_is_created_once_and_then_registered_in_a_country,
    everybody_has_the_own_identity_and_others_need_the_role,
    what_is_malformed_is_named,
    identities_are_listed_page_by_page,
    a_change_needs_a_code_and_is_made_once_under_its_key,
    two_who_create_the_same_identity_at_once_get_one,
    claims_decide_who_is_minted_to,
    a_holder_who_moves_to_another_country_is_counted_there,
    who_moves_while_the_first_units_are_minted_is_counted_in_one_country,
    a_claim_counts_until_the_second_it_expires,
    only_trusted_issuers_issue_and_only_of_registered_topics,
    custom_claims_and_encoded_data_are_read_as_the_reference_has_them,
    a_claim_that_its_issuer_signed_elsewhere_is_recovered_and_checked,
    a_stranger_revokes_nothing,
}

async fn an_identity_is_created_once_and_then_registered_in_a_country(server: &Server) {
    let created = create(server, newcomer()).await;
    let registered = register(server, newcomer(), "BE").await;

    assert_eq!(created["account"], json!({ "id": newcomer(), "contractName": null }));
    assert_eq!(
        (&created["isContract"], &created["registered"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(registered["id"], created["id"]);
    assert_eq!(
        registered["registered"],
        json!({ "isRegistered": true, "country": "BE" })
    );
    assert_eq!(registered["registeredAt"], "2026-06-01T12:00:00.000Z");

    let officer = &server.world.officer;
    let body = json!({ "wallet": newcomer(), "country": "BE" });
    server
        .verified()
        .post(officer, IDENTITY, &json!({ "wallet": newcomer() }))
        .await
        .error(409, "CONFLICT");
    server
        .verified()
        .put(officer, IDENTITY, &body)
        .await
        .error(409, "CONFLICT");
    assert_eq!(register(server, newcomer(), "FR").await["registered"]["country"], "FR");
    let by_wallet = server
        .get(officer, &format!("{IDENTITY}/by-wallet/{}", newcomer()))
        .await
        .ok();
    let by_id = server
        .get(
            officer,
            &format!("{IDENTITY}/by-id/{}", created["id"].as_str().unwrap()),
        )
        .await
        .ok();
    assert_eq!(by_wallet, by_id);
}

async fn everybody_has_the_own_identity_and_others_need_the_role(server: &Server) {
    let outsider = &server.world.outsider;
    server
        .get(outsider, &format!("{IDENTITY}/me"))
        .await
        .error(404, "NOT_FOUND");
    let own = server.verified().post(outsider, IDENTITY, &json!({})).await.ok();

    assert_eq!(server.get(outsider, &format!("{IDENTITY}/me")).await.ok(), own);
    assert_eq!(
        server
            .get(outsider, &format!("{IDENTITY}/by-wallet/{}", outsider.wallet))
            .await
            .ok(),
        own
    );
    let manager = json!("identityManager");
    let body = json!({ "wallet": newcomer() });
    let create = server
        .verified()
        .post(outsider, IDENTITY, &body)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    assert_eq!(create["requiredRoles"], manager);
    let register = server
        .verified()
        .put(outsider, IDENTITY, &json!({ "country": "BE" }))
        .await;
    assert_eq!(register.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"], manager);
    let read = server
        .get(outsider, &format!("{IDENTITY}/by-wallet/{}", newcomer()))
        .await;
    assert_eq!(
        read.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"]["any"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    server
        .get(outsider, &format!("{IDENTITY}/list"))
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    let filter = EventFilter {
        recipient: Some(outsider.wallet),
        ..EventFilter::default()
    };
    let refused = server
        .events(filter)
        .await
        .into_iter()
        .filter(|event| event.action == "access.refused");
    assert_eq!(refused.count(), 4);
}

async fn what_is_malformed_is_named(server: &Server) {
    let officer = &server.world.officer;
    let seeds_first = "0x742d35Cc6634C0532925a3b844Bc9e7595f0bEb";

    let body = json!({ "wallet": seeds_first, "country": "Belgium", "walletVerification": {
        "secretVerificationCode": "1", "verificationType": "EYES" } });
    let issues = server.verified().put(officer, IDENTITY, &body).await.issues();
    assert_eq!(
        issues,
        [
            "wallet format",
            "country format",
            "walletVerification.verificationType enum"
        ]
    );
    let zero = json!({ "wallet": Address::ZERO });
    assert_eq!(
        server.verified().post(officer, IDENTITY, &zero).await.issues(),
        ["wallet format"]
    );
    let path = server
        .get(officer, &format!("{IDENTITY}/by-wallet/{seeds_first}"))
        .await;
    assert_eq!(path.issues(), ["wallet format"]);
    let query = server
        .get(officer, &format!("{IDENTITY}/list?limit=201&registered=yes&country=be"))
        .await;
    assert_eq!(query.issues(), ["registered format", "country format", "limit range"]);
    let unknown = server
        .get(officer, &format!("{IDENTITY}/by-wallet/{}", newcomer()))
        .await;
    unknown.error(404, "NOT_FOUND");
    server
        .request(Method::PATCH, officer, IDENTITY)
        .send()
        .await
        .error(405, "METHOD_NOT_SUPPORTED");
}

async fn identities_are_listed_page_by_page(server: &Server) {
    let officer = &server.world.officer;
    let mut seen = Vec::new();
    let mut path = format!("{IDENTITY}/list?limit=50&country=DE&isContract=false");
    loop {
        let page = server.get(officer, &path).await.ok();
        assert_eq!(page["totalCount"], 110);
        seen.extend(
            page["identities"]
                .as_array()
                .unwrap()
                .iter()
                .map(|identity| identity["id"].clone()),
        );
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("{IDENTITY}/list?limit=50&country=DE&isContract=false&cursor={cursor}"),
            None => break,
        }
    }

    assert_eq!(seen.len(), 110);
    seen.sort_by_key(ToString::to_string);
    seen.dedup();
    assert_eq!(seen.len(), 110);
    let assets = server
        .get(officer, &format!("{IDENTITY}/list?isContract=true&limit=2"))
        .await
        .ok();
    assert_eq!(
        (&assets["totalCount"], &assets["identities"][0]["isContract"]),
        (&json!(5), &json!(true))
    );
}

async fn a_change_needs_a_code_and_is_made_once_under_its_key(server: &Server) {
    let officer = &server.world.officer;
    let send = |body: Value| {
        server
            .request(Method::POST, officer, IDENTITY)
            .idempotency_key("create-1")
            .json(&body)
            .send()
    };
    let wrong = json!({ "wallet": newcomer(), "walletVerification": { "secretVerificationCode": "000000" } });
    let right = json!({ "wallet": newcomer(), "walletVerification": { "secretVerificationCode": "123456" } });

    assert_eq!(
        send(json!({ "wallet": newcomer() })).await.issues(),
        ["walletVerification required"]
    );
    send(wrong).await.error(401, "CHALLENGE_FAILED");
    let first = send(right.clone()).await;
    let again = send(right).await;

    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(first.ok(), again.ok());
    send(with_pin(&json!({ "wallet": wallet(5_001) })))
        .await
        .error(409, "CONFLICT");
}

async fn two_who_create_the_same_identity_at_once_get_one(server: &Server) {
    let officer = &server.world.officer;
    let body = json!({ "wallet": newcomer() });
    let attempts = (0..4).map(|_| server.verified().post(officer, IDENTITY, &body));

    let answers = futures_util::future::join_all(attempts).await;

    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
}

async fn claims_decide_who_is_minted_to(server: &Server) {
    let trusted = &server.world.trusted;
    assert_eq!(verdict(server, newcomer()).await, ["0 identity_unknown"]);
    let identity = create(server, newcomer()).await;
    assert_eq!(verdict(server, newcomer()).await, ["0 identity_unknown"]);
    register(server, newcomer(), "DE").await;
    assert!(
        verdict(server, newcomer())
            .await
            .contains(&"0 claim_missing".to_owned())
    );

    let kyc = server
        .verified()
        .post(trusted, ISSUE, &claim_body(&identity, "knowYourCustomer"))
        .await
        .ok();
    server
        .verified()
        .post(trusted, ISSUE, &claim_body(&identity, "antiMoneyLaundering"))
        .await
        .ok();

    assert_eq!(
        (&kyc["name"], &kyc["status"], &kyc["scheme"]),
        (&json!("knowYourCustomer"), &json!("active"), &json!(3))
    );
    assert_eq!(kyc["values"], json!([{ "key": "claim", "value": "verified" }]));
    assert_eq!(kyc["expiresAt"], "2027-06-01T12:00:00.000Z");
    assert_eq!(verdict(server, newcomer()).await, Vec::<String>::new());
    let body = json!({ "targetIdentityAddress": identity["id"], "claimTopic": "knowYourCustomer" });
    let revoked = server.verified().post(trusted, REVOKE, &body).await.ok();
    assert_eq!((&revoked["id"], &revoked["revoked"]), (&kyc["id"], &json!(true)));
    assert_eq!(verdict(server, newcomer()).await, ["0 claim_revoked"]);
    server
        .verified()
        .post(trusted, REVOKE, &body)
        .await
        .error(409, "CONFLICT");
    let read = server
        .get(&server.world.officer, &format!("{IDENTITY}/by-wallet/{}", newcomer()))
        .await
        .ok();
    let names: Vec<_> = read["claims"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| &claim["revoked"])
        .collect();
    assert_eq!(names, [&json!(false), &json!(true)]);
}

async fn a_holder_who_moves_to_another_country_is_counted_there(server: &Server) {
    let recipient = server.world.recipients[0];
    server.mint(&server.world.equity, &recipient, "5").await.ok();
    server.mint(&server.world.deposit, &recipient, "5").await.ok();

    register(server, recipient, "FR").await;

    for asset in [server.world.equity, server.world.deposit] {
        let id = server.asset(&asset).await.id;
        let counted = server.read(move |tx| ledger::holders_by_country(tx, id)).await;
        let in_country = |code| {
            counted
                .get(&CountryCode::parse_alpha2(code).unwrap())
                .copied()
                .unwrap_or(0)
        };
        assert_eq!((in_country("DE"), in_country("FR")), (0, 1));
    }
    server.mint(&server.world.equity, &recipient, "5").await.ok();
}

/// Large and in rounds, because what must not happen needs both to meet.
async fn who_moves_while_the_first_units_are_minted_is_counted_in_one_country(server: &Server) {
    let world = &server.world;
    let recipients = &world.recipients[..100];
    for (asset, country) in [(world.deposit, "FR"), (world.equity, "BE"), (world.stablecoin, "FR")] {
        let moves = recipients.iter().map(|recipient| register(server, *recipient, country));
        let mint = server.mint_each(&asset, recipients, 1);

        let (_, minted) = futures_util::future::join(futures_util::future::join_all(moves), mint).await;

        minted.ok();
        let id = server.asset(&asset).await.id;
        let counted = server.read(move |tx| ledger::holders_by_country(tx, id)).await;
        let counted: Vec<_> = counted.into_iter().filter(|(_, holders)| *holders > 0).collect();
        assert_eq!(counted, [(CountryCode::parse_alpha2(country).unwrap(), 100)]);
    }
}

async fn a_claim_counts_until_the_second_it_expires(server: &Server) {
    let identity = create(server, newcomer()).await;
    register(server, newcomer(), "DE").await;
    for topic in ["knowYourCustomer", "antiMoneyLaundering"] {
        let mut body = claim_body(&identity, topic);
        body["expiresAt"] = json!("2026-06-01T12:01:00Z");
        server.verified().post(&server.world.trusted, ISSUE, &body).await.ok();
    }

    server.advance(59);
    assert_eq!(verdict(server, newcomer()).await, Vec::<String>::new());
    server.advance(1);
    assert_eq!(
        verdict(server, newcomer()).await,
        ["0 claim_expired", "0 claim_expired"]
    );
}

async fn only_trusted_issuers_issue_and_only_of_registered_topics(server: &Server) {
    let world = &server.world;
    let identity = create(server, newcomer()).await;
    let issue = |person: &Person, body: Value| {
        let person = person.clone();
        async move { server.verified().post(&person, ISSUE, &body).await }
    };

    let role = issue(&world.officer, claim_body(&identity, "knowYourCustomer")).await;
    assert_eq!(role.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"], "claimIssuer");
    let trust = issue(&world.trusted, claim_body(&identity, "regulationS")).await;
    trust.error(403, "FORBIDDEN");
    assert!(trust.message().contains("regulationS"));
    let unregistered = issue(&world.trusted, claim_body(&identity, "unheardOf")).await;
    assert_eq!(unregistered.issues(), ["claim.topic format"]);
    let mut data = claim_body(&identity, "knowYourCustomer");
    data["claim"]["data"] = json!({ "claim": 7 });
    assert_eq!(issue(&world.trusted, data).await.issues(), ["claim.data.claim format"]);
    let mut late = claim_body(&identity, "knowYourCustomer");
    late["expiresAt"] = json!("2027-06-01T12:00:01Z");
    assert_eq!(issue(&world.trusted, late).await.issues(), ["expiresAt format"]);
    let mut several = claim_body(&identity, "know your customer");
    several["targetIdentityAddress"] = json!("0x12");
    several["signature"] = json!("0x12");
    several["notBefore"] = json!("soon");
    let issues = issue(&world.trusted, several).await.issues();
    let expected = [
        "targetIdentityAddress format",
        "claim.topic format",
        "issuer required",
        "notBefore format",
    ];
    assert_eq!(issues, expected);
    let nobody = json!({ "id": wallet(9_999) });
    issue(&world.trusted, claim_body(&nobody, "knowYourCustomer"))
        .await
        .error(404, "NOT_FOUND");
}

async fn custom_claims_and_encoded_data_are_read_as_the_reference_has_them(server: &Server) {
    let identity = create(server, newcomer()).await;
    let mut custom = claim_body(&identity, "custom");
    custom["claim"]["data"] =
        json!({ "topicName": "knowYourCustomer", "signature": "string claim", "data": ["verified"] });
    let mut encoded = claim_body(&identity, "knowYourCustomer");
    let bytes = encode(&[Token::String("verified".into())]);
    encoded["claim"]["data"] = json!(format!("0x{}", data_encoding::HEXLOWER.encode(&bytes)));
    let mut broken = claim_body(&identity, "knowYourCustomer");
    broken["claim"]["data"] = json!("0x1234");

    let trusted = &server.world.trusted;
    let first = server.verified().post(trusted, ISSUE, &custom).await.ok();
    let second = server.verified().post(trusted, ISSUE, &encoded).await.ok();

    assert_eq!(first["values"], second["values"]);
    assert_eq!(
        server.verified().post(trusted, ISSUE, &broken).await.issues(),
        ["claim.data format"]
    );
    let list = format!("/api/system/identity/claims/list?accountId={}", newcomer());
    let claims = server.get(&server.world.officer, &list).await.ok();
    let status = |index: usize| claims["claims"][index]["status"].as_str().unwrap().to_owned();
    assert_eq!((status(0), status(1)), ("active".into(), "superseded".into()));
    server
        .get(&server.world.outsider, &list)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
}

async fn a_claim_that_its_issuer_signed_elsewhere_is_recovered_and_checked(server: &Server) {
    let issuer = server.get(&server.world.trusted, &format!("{IDENTITY}/me")).await.ok();
    let identity = create(server, newcomer()).await;
    let signer = SigningKey::from_slice(&[42; 32]).unwrap();
    let key = Address::from_bytes(secret_key_to_address(&signer).0);
    let (target, issuer_address) = (address(&identity), address(&issuer));
    let mut body = claim_body(&identity, "knowYourCustomer");
    body["issuer"] = issuer["id"].clone();
    body["signature"] = json!(sign(&signer, &target, "knowYourCustomer", "verified"));

    let trusted = &server.world.trusted;
    assert_eq!(
        server.verified().post(trusted, ISSUE, &body).await.issues(),
        ["signature format"]
    );
    server
        .write(trusted, move |tx, ctx| {
            identity::add_key(tx, ctx, &issuer_address, &key, KeyPurpose::ClaimSigner)
        })
        .await;
    let claim = server.verified().post(trusted, ISSUE, &body).await.ok();

    assert_eq!((&claim["scheme"], &claim["signer"]), (&json!(1), &json!(key)));
    let mut tampered = body.clone();
    tampered["claim"]["data"] = json!({ "claim": "accredited" });
    assert_eq!(
        server.verified().post(trusted, ISSUE, &tampered).await.issues(),
        ["signature format"]
    );
    let revocation = json!({ "targetIdentityAddress": identity["id"], "claimTopic": "knowYourCustomer" });
    server.verified().post(trusted, REVOKE, &revocation).await.ok();
    server
        .verified()
        .post(trusted, ISSUE, &body)
        .await
        .error(409, "CONFLICT");
}

async fn a_stranger_revokes_nothing(server: &Server) {
    let recipient = server.world.recipients[0];
    let read = format!("{IDENTITY}/by-wallet/{recipient}");
    let identity = server.get(&server.world.officer, &read).await.ok();
    let body = json!({ "targetIdentityAddress": identity["id"], "claimTopic": "knowYourCustomer" });

    server
        .verified()
        .post(&server.world.outsider, REVOKE, &body)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    server
        .verified()
        .post(&server.world.system[&Role::IdentityManager], REVOKE, &body)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    let nothing = json!({ "targetIdentityAddress": identity["id"], "claimTopic": "collateral" });
    server
        .verified()
        .post(&server.world.trusted, REVOKE, &nothing)
        .await
        .error(404, "NOT_FOUND");
    assert_eq!(verdict(server, recipient).await, Vec::<String>::new());
}

fn address(object: &Value) -> Address {
    Address::parse(object["id"].as_str().unwrap()).unwrap()
}

/// What an issuer's own wallet does: EIP-191 over keccak256(abi.encode(identity, topic, data)).
fn sign(signer: &SigningKey, target: &Address, topic: &str, claim: &str) -> String {
    let data = encode(&[Token::String(claim.to_owned())]);
    let message = encode(&[
        Token::Address(H160(*target.as_bytes())),
        Token::Uint(U256::from_big_endian(&keccak256(topic))),
        Token::Bytes(data),
    ]);
    let digest = hash_message(keccak256(message));
    let (signature, recovery) = signer.sign_prehash_recoverable(digest.as_bytes()).unwrap();
    let bytes = [signature.to_bytes().as_slice(), &[recovery.to_byte()]].concat();
    format!("0x{}", data_encoding::HEXLOWER.encode(&bytes))
}
