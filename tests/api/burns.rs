//! Burns and forced transfers of what the ledger alone keeps; on a chain: `tests/settlement/moves.rs`.

use moneyer::audit::EventFilter;
use moneyer::types::{Address, Amount};
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Answer, Person, Server, wallet};

both_databases! {
    a_burn_takes_up_to_what_the_holder_has_and_no_more,
    a_burn_is_all_or_nothing_and_tells_every_line,
    a_pause_stops_a_burn_and_not_a_forced_transfer,
    a_forced_transfer_makes_and_ends_holders,
    who_receives_by_force_must_be_registered_and_not_frozen,
    lists_of_unequal_length_are_refused,
    the_same_burn_under_one_key_is_made_once,
    a_burn_is_told_by_its_operation_and_its_event,
}

async fn burn(server: &Server, holders: impl Into<Value>, amounts: impl Into<Value>) -> Answer {
    let body = json!({ "addresses": holders.into(), "amounts": amounts.into() });
    let path = format!("/api/token/{}/burn", server.world.deposit);
    server.verified().delete(&server.world.issuer, &path, &body).await
}

async fn force(server: &Server, from: &[Address], to: &[Address], amounts: &[u64]) -> Answer {
    let amounts: Vec<String> = amounts.iter().map(ToString::to_string).collect();
    let body = json!({ "from": from, "recipients": to, "amounts": amounts });
    let path = format!("/api/token/{}/transfer/forced", server.world.deposit);
    server.verified().post(&server.world.custodian, &path, &body).await
}

async fn act(server: &Server, person: &Person, action: &str, body: Value) {
    let path = format!("/api/token/{}/{action}", server.world.deposit);
    server.verified().post(person, &path, &body).await.ok();
}

/// Two recipients with 10 units each.
async fn holders(server: &Server) -> [Address; 2] {
    let holders = [server.world.recipients[0], server.world.recipients[1]];
    server.mint_each(&server.world.deposit, &holders, 10).await.ok();
    holders
}

async fn held(server: &Server, holder: Address) -> String {
    let path = format!("/api/token/{}/holder?holderAddress={holder}", server.world.deposit);
    let answer = server.get(&server.world.issuer, &path).await.ok();
    answer["holder"]["value"].as_str().unwrap().to_owned()
}

async fn a_burn_takes_up_to_what_the_holder_has_and_no_more(server: &Server) {
    let [one, two] = holders(server).await;

    let over = burn(server, json!(one), "11").await;
    let inside = burn(server, json!(one), "9").await;
    let on = burn(server, json!([one, two]), json!(["1", "10"])).await;

    let data = over.error(422, "INPUT_VALIDATION_FAILED");
    assert_eq!(data["findings"][0]["slug"], "insufficient_balance");
    assert_eq!(
        data["findings"][0]["params"],
        json!({ "held": "10", "requested": "11" })
    );
    assert_eq!(inside.ok()["totalSupply"], "[\"11\",0]");
    let object = on.ok();
    assert_eq!(
        (&object["totalSupply"], &object["stats"]["balancesCount"]),
        (&json!("[\"0\",0]"), &json!(0))
    );
    assert_eq!(server.asset(&server.world.deposit).await.holders, 0);
}

async fn a_burn_is_all_or_nothing_and_tells_every_line(server: &Server) {
    let [one, two] = holders(server).await;

    let refused = burn(server, json!([one, one, two]), json!(["6", "6", "0"])).await;

    let data = refused.error(422, "INPUT_VALIDATION_FAILED");
    let told: Vec<(Value, Value)> = data["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["index"].clone(), finding["slug"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!(1), json!("insufficient_balance")),
            (json!(2), json!("amount_zero"))
        ]
    );
    assert_eq!(server.asset(&server.world.deposit).await.supply, Amount::from(20_u64));
}

async fn a_pause_stops_a_burn_and_not_a_forced_transfer(server: &Server) {
    let [one, two] = holders(server).await;
    act(
        server,
        &server.world.custodian,
        "freeze-address",
        json!({ "userAddress": one, "freeze": true }),
    )
    .await;
    burn(server, json!(one), "1").await.ok();
    act(server, &server.world.emergency, "pause", json!({})).await;

    let burned = burn(server, json!(two), "1").await;
    let forced = force(server, &[one], &[two], &[9]).await;

    burned.error(422, "ASSET_PAUSED");
    forced.ok();
    assert_eq!(held(server, two).await, "[\"19\",0]");
}

async fn a_forced_transfer_makes_and_ends_holders(server: &Server) {
    let [one, two] = holders(server).await;
    let three = server.world.recipients[2];

    let moved = force(server, &[one, two, one], &[three, three, two], &[4, 10, 6]).await;

    let path = format!("/api/operations/{}", moved.header("x-operation-id").unwrap());
    let operation = server.get(&server.world.custodian, &path).await.ok();
    let line = &operation["lines"][1];
    assert_eq!(
        (&line["from"], &line["recipient"]),
        (&json!(two), &json!(three)),
        "{operation}"
    );
    let object = moved.ok();
    assert_eq!(
        (&object["totalSupply"], &object["stats"]["balancesCount"]),
        (&json!("[\"20\",0]"), &json!(2))
    );
    assert_eq!(
        (held(server, two).await, held(server, three).await),
        ("[\"6\",0]".to_owned(), "[\"14\",0]".to_owned())
    );
    let short = force(server, &[one], &[two], &[1]).await;
    assert_eq!(
        short.error(422, "INPUT_VALIDATION_FAILED")["findings"][0]["recipient"],
        json!(one)
    );
}

async fn who_receives_by_force_must_be_registered_and_not_frozen(server: &Server) {
    let [one, two] = holders(server).await;
    let stranger = wallet(900);
    act(
        server,
        &server.world.custodian,
        "freeze-address",
        json!({ "userAddress": two, "freeze": true }),
    )
    .await;

    let refused = force(server, &[one, one], &[stranger, two], &[1, 1]).await;

    let data = refused.error(422, "RECIPIENT_IDENTITY_NOT_FOUND");
    let slugs: Vec<&Value> = data["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| &finding["slug"])
        .collect();
    assert_eq!(slugs, ["identity_unknown", "recipient_frozen"]);
    assert_eq!(held(server, one).await, "[\"10\",0]");
}

async fn lists_of_unequal_length_are_refused(server: &Server) {
    let [one, two] = holders(server).await;

    let burned = burn(server, json!([one, two]), json!(["1"])).await;
    let amounts = force(server, &[one], &[two], &[1, 1]).await;
    let senders = force(server, &[one, two], &[two], &[1]).await;

    for (answer, path) in [(burned, "amounts"), (amounts, "amounts"), (senders, "recipients")] {
        assert_eq!(answer.error(400, "BAD_REQUEST")["issues"][0]["path"], json!([path]));
    }
}

async fn the_same_burn_under_one_key_is_made_once(server: &Server) {
    let [one, _] = holders(server).await;
    let body = json!({ "addresses": one, "amounts": "4" });
    let path = format!("/api/token/{}/burn", server.world.deposit);
    let ask = async || {
        let call = server.request(reqwest::Method::POST, &server.world.issuer, &path);
        call.idempotency_key("burn-1")
            .json(&crate::support::with_pin(&body))
            .send()
            .await
    };

    let (first, again) = (ask().await, ask().await);

    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.text, again.text);
    assert_eq!(held(server, one).await, "[\"6\",0]");
}

async fn a_burn_is_told_by_its_operation_and_its_event(server: &Server) {
    let [one, _] = holders(server).await;

    let answer = burn(server, json!(one), "4").await;

    let path = format!("/api/operations/{}", answer.header("x-operation-id").unwrap());
    let operation = server.get(&server.world.issuer, &path).await.ok();
    assert_eq!(
        (&operation["kind"], &operation["status"]),
        (&json!("burn"), &json!("succeeded"))
    );
    assert_eq!(operation["lines"][0]["recipient"], json!(one));
    assert_eq!(operation["lines"][0]["amount"], "[\"4\",0]");
    let filter = EventFilter {
        action: Some("burn.accepted".to_owned()),
        ..EventFilter::default()
    };
    let events = server.events(filter).await;
    assert_eq!(events.len(), 1);
    assert!(events[0].data.contains(&one.to_string()), "{}", events[0].data);
}
