//! Certhis' mint API: who signs in, with what, and what everybody else is told.

use moneyer::api::certhis::{May, ROUTES};
use moneyer::collection::Minting;
use reqwest::Method;
use serde_json::json;

use super::certhis_shop::{Pair, Shop, get, post, refused, with_query};
use crate::both_databases;
use crate::support::{Answer, Server, Signer, recipient};

const BAD: (u16, &str) = (400, "bad signature");
const INVALID: (u16, &str) = (400, "signature invalid");
const MISSING_KEYS: (u16, &str) = (400, "api_key or api_secret missing");
const INVALID_KEYS: (u16, &str) = (400, "api_key or api_secret invalid");

both_databases! {
    the_owner_gets_a_pair_whose_secret_is_shown_once,
    a_pair_that_was_replaced_opens_nothing_on_any_process,
    a_signature_opens_once_within_ten_minutes,
    a_challenge_with_an_id_of_its_own_is_not_replaced,
    of_several_who_send_one_signature_at_once_one_gets_a_pair,
    who_does_not_own_the_collection_gets_no_pair,
    a_check_says_whether_the_wallet_signed_and_uses_nothing_up,
    the_text_of_a_challenge_keeps_its_bounds,
    the_same_is_understood_in_each_form_and_place,
    without_a_good_pair_nobody_is_served,
    every_error_has_the_envelope_of_the_dialect,
    a_guest_who_asks_too_often_waits,
    the_owner_of_a_collection_becomes_a_user_without_rights,
}

async fn the_owner_gets_a_pair_whose_secret_is_shown_once(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;

    let first = shop.pair().await;
    let again = shop.access(&shop.owner, None).await.ok();
    let zero = shop.access(&shop.owner, Some("0")).await.ok();
    let null = shop.access(&shop.owner, Some("null")).await.ok();

    assert!(
        first.key.starts_with("ck_") && first.secret.starts_with("cs_"),
        "{first:?}"
    );
    for shown in [again, zero, null] {
        let expected = json!({ "status": true, "data": { "api_key": first.key, "api_secret": null } });
        assert_eq!(shown, expected);
    }
    Shop::created(shop.mint(&first, &[("wallet", &recipient(0).to_string())]).await);
}

async fn a_pair_that_was_replaced_opens_nothing_on_any_process(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let other = Shop::open(server, Minting::Hybrid, 2).await;
    let (old, others) = (shop.pair().await, other.pair().await);
    let task = Shop::created(shop.mint(&old, &[("wallet", &recipient(0).to_string())]).await);

    let new = shop.asked_pair(Some("1")).await;

    assert!(!new.secret.is_empty() && new.key != old.key && new.secret != old.secret);
    assert_eq!(refused(&shop.status(&old, task).await), INVALID_KEYS);
    let replica = server.replica();
    let query = [
        ("api_key", old.key.as_str()),
        ("api_secret", &old.secret),
        ("task_id", "1"),
    ];
    assert_eq!(refused(&get(&replica, "/mint_status", &query).await), INVALID_KEYS);
    let mixed = Pair {
        key: new.key.clone(),
        secret: old.secret,
    };
    assert_eq!(refused(&shop.status(&mixed, task).await), INVALID_KEYS);
    // What was asked for with the old one is the collection's, and so is the pair of another collection its own.
    assert!(shop.status(&new, task).await.is_success());
    assert!(other.tasks(&others, "0").await.is_empty());
    replica.stop().await;
}

async fn a_signature_opens_once_within_ten_minutes(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let signature = shop.owner.sign(&shop.challenge(&shop.owner).await);

    assert!(shop.access_with(&shop.owner, &signature, None).await.is_success());
    let again = shop.access_with(&shop.owner, &signature, None).await;
    assert_eq!(refused(&again), INVALID);

    let signature = shop.owner.sign(&shop.challenge(&shop.owner).await);
    server.advance(599);
    assert!(shop.access_with(&shop.owner, &signature, None).await.is_success());
    let signature = shop.owner.sign(&shop.challenge(&shop.owner).await);
    server.advance(600);
    let late = shop.access_with(&shop.owner, &signature, None).await;
    assert_eq!(refused(&late), INVALID);
    let pruned = server.app.db().write({
        let now = server.now();
        move |tx| moneyer::certhis::prune_challenges(tx, now)
    });
    assert_eq!(pruned.await.unwrap(), 1);
}

async fn a_challenge_with_an_id_of_its_own_is_not_replaced(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let address = shop.owner.address().to_string();
    let secure = get(server, "/sign", &[("wallet", &address), ("secure_sign", "1")])
        .await
        .ok();
    let id = secure["data"]["sign_id"].as_str().unwrap().to_owned();
    let signature = shop.owner.sign(secure["data"]["signature"].as_str().unwrap());
    // Somebody else asks for challenges of the same wallet.
    shop.challenge(&shop.owner).await;

    let index = shop.index();
    let form = [
        ("collection_index", index.as_str()),
        ("signature", &signature),
        ("wallet", &address),
    ];
    let without = post(server, "/mint_access", &[], &form).await;
    let with: Vec<_> = form.into_iter().chain([("sign_id", id.as_str())]).collect();
    let opened = post(server, "/mint_access", &[], &with).await;
    let again = post(server, "/mint_access", &[], &with).await;
    let unknown: Vec<_> = form.into_iter().chain([("sign_id", "1")]).collect();

    assert_eq!(refused(&without), INVALID);
    assert!(opened.is_success(), "{}", opened.text);
    assert_eq!(refused(&again), INVALID);
    assert_eq!(refused(&post(server, "/mint_access", &[], &unknown).await), INVALID);
    // Nor does what somebody else was asked, and signed, open anything in the name of the owner.
    let thief = Signer::from_seed(66);
    let wallet = thief.address().to_string();
    let secure = get(server, "/sign", &[("wallet", &wallet), ("secure_sign", "1")])
        .await
        .ok();
    let signature = thief.sign(secure["data"]["signature"].as_str().unwrap());
    let form = [
        ("collection_index", index.as_str()),
        ("signature", &signature),
        ("wallet", &address),
        ("sign_id", secure["data"]["sign_id"].as_str().unwrap()),
    ];
    assert_eq!(refused(&post(server, "/mint_access", &[], &form).await), INVALID);
}

async fn of_several_who_send_one_signature_at_once_one_gets_a_pair(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let signature = shop.owner.sign(&shop.challenge(&shop.owner).await);

    let sent = (0..8).map(|_| shop.access_with(&shop.owner, &signature, None));
    let answers = futures_util::future::join_all(sent).await;

    let (opened, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.is_success());
    assert_eq!(opened.len(), 1);
    for answer in others {
        assert_eq!(refused(answer), INVALID);
    }
}

async fn who_does_not_own_the_collection_gets_no_pair(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let thief = Signer::from_seed(66);

    let not_the_owner = shop.access(&thief, None).await;
    let text = shop.challenge(&shop.owner).await;
    let forged = shop.access_with(&shop.owner, &thief.sign(&text), None).await;
    let other_text = shop
        .access_with(&shop.owner, &shop.owner.sign("something else"), None)
        .await;

    assert_eq!(
        refused(&not_the_owner),
        (403, "wallet is not the owner of this collection")
    );
    assert_eq!(refused(&forged), INVALID);
    assert_eq!(refused(&other_text), INVALID);
    // A forger used nothing up.
    assert!(
        shop.access_with(&shop.owner, &shop.owner.sign(&text), None)
            .await
            .is_success()
    );
}

async fn a_check_says_whether_the_wallet_signed_and_uses_nothing_up(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let address = shop.owner.address().to_string();
    let check =
        async |signature: &str| get(server, "/check", &[("wallet", &address), ("sign_message", signature)]).await;
    assert_eq!(refused(&check(&shop.owner.sign("nothing is open")).await), BAD);
    let signature = shop.owner.sign(&shop.challenge(&shop.owner).await);

    let good = json!({ "status": true, "message": "good signature", "connexion": true });
    assert_eq!(check(&signature).await.ok(), good);
    assert_eq!(check(signature.trim_start_matches("0x")).await.ok(), good);
    assert_eq!(refused(&check(&Signer::from_seed(66).sign("x")).await), BAD);
    assert_eq!(refused(&check("0x12").await), (400, "sign_message invalid"));
    assert!(shop.access_with(&shop.owner, &signature, None).await.is_success());
    assert_eq!(refused(&check(&signature).await), BAD);
}

async fn the_text_of_a_challenge_keeps_its_bounds(server: &Server) {
    let address = Signer::from_seed(1).address().to_string();
    let sign = async |more: (&str, &str)| get(server, "/sign", &[("wallet", &address), more]).await;

    let body = sign(("header_signature", "Welcome\nto the shop")).await.ok();
    assert_eq!(body["message"], "get_sign");
    let text = body["data"]["signature"].as_str().unwrap();
    assert!(
        text.starts_with("Welcome\nto the shop\n\n") && text.contains(&address),
        "{text}"
    );
    assert!(body["data"].get("sign_id").is_none());
    let other = sign(("header_signature", "Welcome\nto the shop")).await.ok();
    assert_ne!(
        other["data"]["signature"].as_str(),
        Some(text),
        "no two texts are the same"
    );

    for (name, length) in [("header_signature", 500), ("contract_id", 100)] {
        assert!(sign((name, &"é".repeat(length))).await.is_success(), "{name}");
        let expected = format!("{name} invalid");
        assert_eq!(
            refused(&sign((name, &"é".repeat(length + 1))).await),
            (400, expected.as_str())
        );
    }
    assert_eq!(
        refused(&sign(("secure_sign", "maybe")).await),
        (400, "secure_sign invalid")
    );
    for (wallet, message) in [
        ("", "wallet missing"),
        ("0x12", "wallet invalid"),
        ("0x0000000000000000000000000000000000000000", "wallet invalid"),
    ] {
        assert_eq!(
            refused(&get(server, "/sign", &[("wallet", wallet)]).await),
            (400, message)
        );
    }
}

async fn the_same_is_understood_in_each_form_and_place(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let to = recipient(0).to_string();
    let multipart = format!(
        "--x\r\nContent-Disposition: form-data; name=\"wallet\"\r\n\r\n{to}\r\n--x\r\n\
         Content-Disposition: form-data; name=\"nft_id\"\r\n\r\nnull\r\n--x--\r\n"
    );
    let forms = [
        ("application/json", json!({ "wallet": to, "nft_id": null }).to_string()),
        (
            "application/x-www-form-urlencoded; charset=UTF-8",
            format!("wallet={to}&nft_id="),
        ),
        ("multipart/form-data; boundary=x", multipart),
    ];
    let names = [
        ("api_key", "api_secret"),
        ("x-api-key", "x-api-secret"),
        ("API_KEY", "X-Api-Secret"),
    ];

    let mut tasks = Vec::new();
    for ((content_type, body), (key, secret)) in forms.into_iter().zip(names) {
        let call = server.call(Method::POST, None, "/mint");
        let call = call.header(key, &pair.key).header(secret, &pair.secret);
        tasks.push(Shop::created(call.text(content_type, body).send().await));
    }

    let listed: Vec<i64> = shop
        .tasks(&pair, "0")
        .await
        .iter()
        .map(|task| task["id"].as_i64().unwrap())
        .collect();
    tasks.reverse();
    assert_eq!(listed, tasks);
    // Both GETs take the pair from headers too, and prefer it there.
    for path in ["/mint_task_list", "/mint_status"] {
        let task = tasks[0].to_string();
        let query = [
            ("task_id", task.as_str()),
            ("api_key", "wrong"),
            ("api_secret", "wrong"),
        ];
        let call = server.call(Method::GET, None, &with_query(path, &query));
        let call = call.header("api_key", &pair.key).header("api_secret", &pair.secret);
        assert!(call.send().await.is_success(), "{path}");
    }
    // The others do not take it from the query.
    let query = with_query("/mint", &[("api_key", &pair.key), ("api_secret", &pair.secret)]);
    assert_eq!(
        refused(&post(server, &query, &[], &[("wallet", &to)]).await),
        MISSING_KEYS
    );
}

async fn without_a_good_pair_nobody_is_served(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;

    for (method, path, may) in ROUTES.iter().filter(|(_, _, may)| *may == May::Hold) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let ask = async |headers: &[(&str, &str)]| -> Answer {
            let call = server.call(method.clone(), None, path);
            let call = headers
                .iter()
                .fold(call, |call, (name, value)| call.header(name, value));
            call.send().await
        };
        assert_eq!(refused(&ask(&[]).await), MISSING_KEYS, "{path} {may:?}");
        assert_eq!(refused(&ask(&[("api_key", &pair.key)]).await), MISSING_KEYS, "{path}");
        assert_eq!(
            refused(&ask(&[("api_key", &pair.key), ("api_secret", "")]).await),
            MISSING_KEYS,
            "{path}"
        );
        let swapped = [("api_key", pair.secret.as_str()), ("api_secret", pair.key.as_str())];
        assert_eq!(refused(&ask(&swapped).await), INVALID_KEYS, "{path}");
        let key_alone = [("api_key", pair.key.as_str()), ("api_secret", "cs_wrong")];
        assert_eq!(refused(&ask(&key_alone).await), INVALID_KEYS, "{path}");
    }
}

async fn every_error_has_the_envelope_of_the_dialect(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let (method, index, address) = (Method::POST, shop.index(), shop.owner.address().to_string());
    let mint = async |content_type: &str, body: String| {
        let call = server.call(method.clone(), None, "/mint");
        let call = call.header("api_key", &pair.key).header("api_secret", &pair.secret);
        call.text(content_type, body).send().await
    };

    assert_eq!(
        refused(&mint("application/json", "{".to_owned()).await),
        (400, "body invalid")
    );
    assert_eq!(
        refused(&mint("text/plain", "a".to_owned()).await),
        (400, "content-type invalid")
    );
    let large = "a".repeat(server.app.body_bytes_max() + 1);
    assert_eq!(refused(&mint("application/json", large).await).0, 413);
    for (path, allow) in [("/mint", "POST"), ("/mint_status", "GET")] {
        let answer = server.call(Method::DELETE, None, path).send().await;
        assert_eq!(refused(&answer).0, 405, "{path}");
        assert_eq!(answer.header("Allow"), Some(allow));
    }
    assert_eq!(refused(&get(server, "/mint/1", &[]).await).0, 404);
    for (field, value, message) in [
        ("collection_index", "", "collection_index missing"),
        ("collection_index", "0", "collection_index invalid"),
        ("collection_index", "99999", "collection_index invalid"),
        ("wallet", "", "wallet missing"),
        ("wallet", "0x", "wallet invalid"),
        ("signature", "", "signature missing"),
        ("signature", "0x1234", "signature invalid"),
        ("ask", "2", "ask invalid"),
    ] {
        let signature = "11".repeat(65);
        let form = [
            ("collection_index", index.as_str()),
            ("signature", &signature),
            ("wallet", &address),
        ];
        let form: Vec<_> = form
            .into_iter()
            .filter(|(name, _)| *name != field)
            .chain([(field, value)])
            .collect();
        assert_eq!(
            refused(&post(server, "/mint_access", &[], &form).await),
            (400, message),
            "{field} {value}"
        );
    }
    for (form, message) in [
        (vec![], "wallet missing"),
        (vec![("wallet", "0x12")], "wallet invalid"),
        (vec![("wallet", "nobody@")], "wallet invalid"),
        (vec![("wallet", address.as_str()), ("nft_id", "-1")], "nft_id invalid"),
        (
            vec![("wallet", &address), ("token_uri", "file:///etc/passwd")],
            "token_uri invalid",
        ),
    ] {
        assert_eq!(refused(&shop.mint(&pair, &form).await), (400, message), "{form:?}");
    }
    let off = shop.mint(&pair, &[("wallet", "ada@example.com")]).await;
    let (status, message) = refused(&off);
    assert_eq!(
        (status, message.starts_with("wallet invalid: must be an address")),
        (400, true),
        "{message}"
    );
    assert_eq!(refused(&shop.status(&pair, 1).await), (404, "task not found"));
    assert!(shop.tasks(&pair, "0").await.is_empty(), "nothing was accepted");
}

async fn a_guest_who_asks_too_often_waits(server: &Server) {
    let address = Signer::from_seed(1).address().to_string();
    let clients = &server.app.gate().clients;
    for _ in 0..1_500 {
        clients.count("127.0.0.1".parse().unwrap(), server.now());
    }

    let answer = get(server, "/sign", &[("wallet", &address)]).await;

    assert_eq!(refused(&answer), (429, "too many requests"));
    assert_eq!(answer.header("Retry-After"), Some("1"));
    assert_eq!(
        answer.header("x-ratelimit-remaining"),
        answer.header("x_ratelimit_remaining")
    );
    // So do guesses of pairs.
    assert_eq!(refused(&get(server, "/mint_task_list", &[]).await).0, 429);
    server.advance(300);
    assert!(get(server, "/sign", &[("wallet", &address)]).await.is_success());
}

async fn the_owner_of_a_collection_becomes_a_user_without_rights(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    shop.pair().await;
    let address = shop.owner.address();

    let (user, roles) = server
        .read(move |tx| {
            let user = moneyer::access::user_by_wallet(tx, &address)?;
            let roles = moneyer::access::roles_in(tx, moneyer::access::Scope::System, &[address])?;
            Ok((user, roles))
        })
        .await;

    assert!(roles.is_empty());
    let actions = server.actions_of(shop.collection.id).await;
    assert!(actions.contains(&"certhis_key.created".to_owned()), "{actions:?}");
    let filter = moneyer::audit::EventFilter {
        asset: Some(shop.collection.id),
        ..Default::default()
    };
    let events = server.events(filter).await;
    let created = events
        .iter()
        .find(|event| event.action == "certhis_key.created")
        .unwrap();
    assert_eq!(created.actor, format!("user:{}", user.id));
}
