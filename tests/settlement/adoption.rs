//! Tokens that were there before us: T-REX from npm, with real identities and claims, through the server.

use moneyer::chain::Rpc;
use moneyer::operation::{Operation, OperationKind, Status};
use moneyer::servicing::{self, Terms};
use moneyer::settlement::{self, Candidate};
use moneyer::types::{Address, Amount, OperationId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::node::ACCOUNTS;
use crate::observed::{observed, posted};
use crate::stage::Stage;
use crate::support::evm::transact;
use crate::support::trex::Trex;
use crate::support::{Answer, Database, Server, approve, batch, token, with_pin};

/// EIP-7825, as every server has it.
const GAS: u64 = 1 << 24;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn addresses(texts: &[String]) -> Vec<Address> {
    texts.iter().map(|text| address(text)).collect()
}

/// T-REX on the stage's node. Everybody's signatures are the node's, our signer's are not.
fn deploy(stage: &Stage) -> Trex<'_> {
    stage.node.impersonate_everybody();
    Trex::deploy(&stage.node)
}

/// Our signer becomes an agent, as its owner wants.
fn make_agent(suite: &Trex<'_>) {
    suite.token.by(&suite.owner).send("addAgent", json!([ACCOUNTS[0]]));
}

/// A holder's own transfer on the chain.
fn transfer(suite: &Trex<'_>, from: &str, to: &str, amount: u64) {
    suite.node.set_balance(from, 10_u128.pow(18));
    suite.token.by(from).send("transfer", json!([to, amount]));
}

fn body(contract: &str) -> Value {
    json!({
        "address": contract, "chain": "eip155:31337", "type": "deposit", "countryCode": "756",
        "basePrice": "1.00", "basePriceCurrencyCode": "CHF",
    })
}

async fn adopt(stage: &Stage, body: &Value) -> Answer {
    let creator = stage.server.world.creator.clone();
    until_observed(stage).await;
    stage.server.verified().post(&creator, "/api/token/adopt", body).await
}

/// Waits until all that is in the chain now is final and read.
async fn until_observed(stage: &Stage) {
    let head = stage.node.head();
    stage
        .wait("the chain to be read", async || {
            (stage.reconciled().await.block >= head).then_some(())
        })
        .await;
}

/// Adopts the token, and gives everybody their role on it.
async fn adopted(stage: &Stage, suite: &Trex<'_>) -> Address {
    make_agent(suite);
    let answer = adopt(stage, &body(&suite.token.address)).await;
    let asset = address(answer.ok()["id"].as_str().unwrap());
    grant_roles(stage, asset).await;
    asset
}

pub async fn grant_roles(stage: &Stage, asset: Address) {
    let world = stage.server.world.clone();
    for (role, person) in &world.on_assets {
        let body = json!({ "accounts": [person.wallet], "role": role.as_str() });
        let path = format!("/api/token/{asset}/grant-role");
        stage.server.verified().post(&world.creator, &path, &body).await.ok();
    }
}

/// Wallets that the token's registry verifies and that may hold here.
async fn recipients(stage: &Stage, suite: &mut Trex<'_>, count: usize) -> Vec<Address> {
    let wallets = addresses(&suite.holders(count));
    approve_here(stage, &wallets).await;
    wallets
}

async fn approve_here(stage: &Stage, wallets: &[Address]) {
    let (world, wallets) = (stage.server.world.clone(), wallets.to_vec());
    stage
        .server
        .write(&stage.server.world.admin, move |tx, _| approve(tx, &world, &wallets))
        .await;
}

async fn books_and_chain_agree(stage: &Stage, assets: usize) {
    // A token that was adopted a moment ago is read up to an earlier block.
    let found = stage
        .wait("every token to be compared", async || {
            let found = stage.reconciled().await;
            (found.assets == assets).then_some(found)
        })
        .await;
    assert_eq!(found.drift, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_rex_is_adopted_with_its_holders_and_minted_to() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start_reading(database, GAS).await;
        let mut suite = deploy(&stage);
        let before = suite.holders(3);
        suite.token.send("batchMint", json!([before, [50, 60, 70]]));
        transfer(&suite, &before[0], &before[1], 5);
        suite.token.send("burn", json!([before[2], 70]));
        suite.token.send("freezePartialTokens", json!([before[0], 20]));

        let asset = adopted(&stage, &suite).await;

        let creator = stage.server.world.creator.clone();
        let path = format!("/api/token/{asset}");
        let object = stage.server.get(&creator, &path).await.ok();
        assert_eq!(object["name"], "T-REX Equity");
        assert_eq!((&object["symbol"], &object["decimals"]), (&json!("TREX"), &json!(18)));
        assert_eq!(object["totalSupply"], json!("[\"110\",18]"));
        assert_eq!(
            (&object["settlement"], &object["recipientsMax"]),
            (&json!("evm"), &json!(100))
        );
        assert_eq!(object["pausable"]["paused"], json!(false));
        let holders = stage.server.get(&creator, &format!("{path}/holders")).await.ok();
        assert_eq!(holders["totalCount"], 2, "{holders}");
        let holder = stage
            .server
            .get(&creator, &format!("{path}/holder?holderAddress={}", before[0]))
            .await
            .ok();
        assert_eq!(holder["holder"]["value"], json!("[\"45\",18]"), "{holder}");
        assert_eq!(holder["holder"]["available"], json!("[\"25\",18]"), "{holder}");
        books_and_chain_agree(&stage, 1).await;

        let now = recipients(&stage, &mut suite, 4).await;
        let answer = stage.server.mint_each(&asset, &now, 7).await;

        assert!(answer.header("x-transaction-hash").is_some());
        assert_eq!(answer.ok()["totalSupply"], json!("[\"138\",18]"));
        assert_eq!(stage.supply(asset).await, Amount::from(138_u64));
        for wallet in &now {
            assert_eq!(stage.balance(asset, *wallet).await, Amount::from(7_u64));
            assert_eq!(posted(&stage, asset, *wallet).await, Amount::from(7_u64));
        }
        transfer(&suite, &before[1], &before[0], 65);
        stage
            .wait("the transfer in the books", async || {
                (posted(&stage, asset, address(&before[0])).await == Amount::from(110_u64)).then_some(())
            })
            .await;
        books_and_chain_agree(&stage, 1).await;
        stage.finish().await;
    }
}

/// T-REX names no line: whoever its compliance refuses fails alone, also when it is the only line of its mint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_compliance_of_the_token_refuses_fails_and_the_others_are_minted() {
    let stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let mut suite = deploy(&stage);
    suite.limit_balances(10);
    let wallets = recipients(&stage, &mut suite, 2).await;
    let asset = adopted(&stage, &suite).await;

    let alone = stage.accept(&asset, &wallets[..1], 11).await;
    let failed = stage.ended(alone).await;

    assert_eq!(failed.status, Status::Failed);
    let reason = failed.error.unwrap();
    assert!(reason.starts_with(&format!("line 0 ({})", wallets[0])), "{reason}");
    assert!(reason.contains("Compliance not followed"), "{reason}");
    let just = stage.accept(&asset, &wallets, 10).await;
    assert_eq!(stage.ended(just).await.status, Status::Succeeded);
    let above = stage.accept(&asset, &wallets[1..], 1).await;
    assert_eq!(stage.ended(above).await.status, Status::Failed);
    assert_eq!(stage.supply(asset).await, Amount::from(20_u64));
    books_and_chain_agree(&stage, 1).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_does_not_know_our_signer_is_refused_with_the_transaction_that_helps() {
    let stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let suite = deploy(&stage);
    let body = body(&suite.token.address);

    let refused = adopt(&stage, &body).await;

    let data = refused.error(422, "INPUT_VALIDATION_FAILED");
    assert_eq!(data["findings"][0]["slug"], "agent_role_missing");
    assert_eq!(data["agent"], json!(ACCOUNTS[0]));
    assert_eq!(
        (&data["from"], &data["to"]),
        (&json!(suite.owner), &json!(suite.token.address))
    );
    let grant = json!({ "from": data["from"], "to": data["to"], "data": data["data"], "gas": "0x100000" });
    assert_eq!(transact(&stage.node, grant)["status"], "0x1");
    adopt(&stage, &body).await.ok();
    adopt(&stage, &body).await.error(409, "RESOURCE_ALREADY_EXISTS");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_adoption_under_one_key_is_made_once() {
    let stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let suite = deploy(&stage);
    make_agent(&suite);
    until_observed(&stage).await;
    let creator = stage.server.world.creator.clone();
    let ask = async || {
        let call = stage.server.request(Method::POST, &creator, "/api/token/adopt");
        let body = with_pin(&body(&suite.token.address));
        call.header("Idempotency-Key", "adopt-1").json(&body).send().await
    };

    let (first, again) = (ask().await, ask().await);

    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.header("x-operation-id"), again.header("x-operation-id"));
    let id = OperationId::parse(first.header("x-operation-id").unwrap()).unwrap();
    assert_eq!(stage.operation(id).await.kind, OperationKind::Adopt);
    assert_eq!(first.ok(), again.ok());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_token_of_this_chain_is_refused() {
    let stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let suite = deploy(&stage);
    make_agent(&suite);
    let with = |field: &str, value: Value| {
        let mut body = body(&suite.token.address);
        body[field] = value;
        body
    };
    let nobody = stage.server.world.outsider.wallet.to_string();

    for (body, path, says) in [
        (with("address", json!(nobody)), "address", "there is no contract"),
        (
            with("address", json!(suite.registry.address)),
            "address",
            "it is no ERC-3643 token",
        ),
        (with("chain", json!(1)), "chain", "settles on chain 31337"),
        (with("cap", json!(["5", 6])), "cap", "has 6 decimals"),
        (with("firstBlock", json!(1_000_000)), "", ""),
    ] {
        let answer = adopt(&stage, &body).await;
        if path.is_empty() {
            assert_eq!(answer.status, 503, "{:?}", answer.body);
            continue;
        }
        let data = answer.error(400, "BAD_REQUEST");
        assert_eq!(data["issues"][0]["path"], json!([path]), "{data}");
        assert!(data["issues"][0]["message"].as_str().unwrap().contains(says), "{data}");
    }
    let outsider = stage.server.world.outsider.clone();
    let body = body(&suite.token.address);
    let answer = stage.server.verified().post(&outsider, "/api/token/adopt", &body).await;
    answer.error(403, "USER_NOT_AUTHORIZED");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_chain_adopts_nothing() {
    let server = Server::start(Database::Sqlite).await;
    let creator = server.world.creator.clone();
    let body = body("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");

    let answer = server.verified().post(&creator, "/api/token/adopt", &body).await;

    assert_eq!(answer.error(400, "BAD_REQUEST")["issues"][0]["path"], json!(["chain"]));
    server.finish().await;
}

/// Three mints, accepted while nobody settles, so that they go together.
async fn accept_together(stage: &mut Stage, asset: Address, lines: [&[Address]; 3]) -> Vec<OperationId> {
    stage.stop_settling().await;
    let issuer = stage.server.world.issuer.clone();
    let mut ids = Vec::new();
    for recipients in lines {
        let answer = stage
            .server
            .request(Method::POST, &issuer, &Server::mint_path(&asset))
            .header("Prefer", "respond-async")
            .json(&batch(recipients, 3))
            .send()
            .await;
        assert_eq!(answer.status, 202, "{:?}", answer.body);
        ids.push(OperationId::parse(answer.header("x-operation-id").unwrap()).unwrap());
    }
    stage.settle().await;
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recipient_that_t_rex_does_not_verify_fails_its_mint_and_not_the_merged_neighbours() {
    let mut stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let mut suite = deploy(&stage);
    let asset = adopted(&stage, &suite).await;
    let verified = recipients(&stage, &mut suite, 5).await;
    let unverified = addresses(&suite.registered(1))[0];
    approve_here(&stage, &[unverified]).await;
    let bad = [verified[2], unverified];

    let ids = accept_together(&mut stage, asset, [&verified[..2], &bad, &verified[3..]]).await;

    let mut ended: Vec<Operation> = Vec::new();
    for id in &ids {
        ended.push(stage.ended(*id).await);
    }
    let statuses: Vec<Status> = ended.iter().map(|operation| operation.status).collect();
    assert_eq!(statuses, [Status::Succeeded, Status::Failed, Status::Succeeded]);
    let reason = ended[1].error.clone().unwrap();
    assert!(
        reason.contains(&format!("line 1 ({unverified})")) && reason.contains("Identity is not verified"),
        "{reason}"
    );
    let mut transactions = Vec::new();
    for operation in [&ended[0], &ended[2]] {
        let operation = operation.clone();
        transactions.push(
            stage
                .server
                .read(move |tx| settlement::transactions_of(tx, &operation))
                .await,
        );
    }
    assert_eq!(transactions[0], transactions[1], "the neighbours shared a transaction");
    assert_eq!(stage.supply(asset).await, Amount::from(12_u64));
    assert_eq!(stage.balance(asset, verified[2]).await, Amount::ZERO);
    let books = stage.server.asset(&asset).await;
    assert_eq!((books.supply, books.pending), (Amount::from(12_u64), Amount::ZERO));
    books_and_chain_agree(&stage, 1).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_rex_would_mint_while_paused_and_to_the_frozen_and_this_server_does_not() {
    let stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let mut suite = deploy(&stage);
    let wallets = recipients(&stage, &mut suite, 2).await;
    suite
        .token
        .send("setAddressFrozen", json!([wallets[0].to_string(), true]));
    suite.token.send("pause", json!([]));
    let asset = adopted(&stage, &suite).await;

    stage
        .server
        .mint(&asset, &wallets[1], 1)
        .await
        .error(422, "ASSET_PAUSED");
    let emergency = stage.server.world.emergency.clone();
    let path = format!("/api/token/{asset}/unpause");
    let unpaused = stage.server.verified().post(&emergency, &path, &json!({})).await;
    let id = OperationId::parse(unpaused.header("x-operation-id").unwrap()).unwrap();
    assert_eq!(stage.ended(id).await.status, Status::Succeeded);
    let frozen = stage.server.mint(&asset, &wallets[0], 1).await;

    assert_eq!(
        frozen.error(422, "RECIPIENT_NOT_COMPLIANT")["findings"][0]["slug"],
        "recipient_frozen"
    );
    stage.server.mint(&asset, &wallets[1], 1).await.ok();
    assert_eq!(stage.supply(asset).await, Amount::ONE);
    books_and_chain_agree(&stage, 1).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_moves_between_the_reading_and_the_adoption_is_observed_once() {
    let stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let mut suite = deploy(&stage);
    let before = suite.holders(2);
    suite.token.send("mint", json!([before[0], 50]));
    make_agent(&suite);
    until_observed(&stage).await;
    let contract = address(&suite.token.address);
    let candidate = Candidate {
        chain_id: 31_337,
        address: contract,
        first_block: None,
    };
    let rpc = Rpc::connect(&stage.chain).unwrap();
    let found = settlement::look(stage.server.app.db(), &rpc, candidate)
        .await
        .unwrap()
        .unwrap();

    transfer(&suite, &before[0], &before[1], 20);
    until_observed(&stage).await;
    let policies = std::sync::Arc::clone(stage.server.app.policy());
    let terms = Terms {
        new: token(moneyer::asset::AssetKind::Deposit, "ANY"),
        cap_decimals: None,
    };
    let creator = stage.server.world.creator.clone();
    stage
        .server
        .write(&creator, move |tx, ctx| {
            servicing::adopt(tx, ctx, &policies, terms.clone(), &found)
        })
        .await;

    stage
        .wait("the transfer in the books", async || {
            (posted(&stage, contract, address(&before[1])).await == Amount::from(20_u64)).then_some(())
        })
        .await;
    assert_eq!(observed(&stage, contract).await.len(), 1);
    books_and_chain_agree(&stage, 1).await;
    transfer(&suite, &before[0], &before[1], 1);
    stage
        .wait("the next transfer", async || {
            (observed(&stage, contract).await.len() == 2).then_some(())
        })
        .await;
    books_and_chain_agree(&stage, 1).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_recipients_than_fit_one_transaction_of_the_token_are_refused_at_acceptance() {
    let stage = Stage::start_reading(Database::Sqlite, 8_000_000).await;
    let mut suite = deploy(&stage);
    let holders = suite.holders(3);
    suite.token.send("batchMint", json!([holders, [1, 1, 1]]));
    let asset = adopted(&stage, &suite).await;
    let creator = stage.server.world.creator.clone();
    let object = stage.server.get(&creator, &format!("/api/token/{asset}")).await.ok();
    let max = usize::try_from(object["recipientsMax"].as_u64().unwrap()).unwrap();
    assert!((35..=80).contains(&max), "{max}");
    let wallets = recipients(&stage, &mut suite, max + 1).await;

    let outside = stage.server.mint_each(&asset, &wallets, 1).await;
    let on = stage.server.mint_each(&asset, &wallets[..max], 1).await;
    let inside = stage.server.mint_each(&asset, &wallets[..max - 1], 1).await;

    let data = outside.error(400, "BAD_REQUEST");
    assert_eq!(data["issues"][0]["path"], json!(["recipients"]));
    let message = data["issues"][0]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("must have 1 to {max} elements, has {}", max + 1)),
        "{message}"
    );
    on.ok();
    inside.ok();
    assert_eq!(
        stage.supply(asset).await,
        Amount::from(u64::try_from(3 + 2 * max - 1).unwrap())
    );
    let body = batch(&wallets, 1);
    stage.server.check(&asset, &body).await.error(400, "BAD_REQUEST");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_proves_too_large_fails_and_the_next_one_is_refused_at_acceptance() {
    let mut stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let mut suite = deploy(&stage);
    let asset = adopted(&stage, &suite).await;
    let wallets = recipients(&stage, &mut suite, 15).await;
    let creator = stage.server.world.creator.clone();
    stage.stop_settling().await;
    stage.chain.gas_per_transaction_max = 1_500_000;
    stage.settle().await;

    let failed = stage.server.mint_each(&asset, &wallets, 1).await;
    let again = stage.server.mint_each(&asset, &wallets, 1).await;

    failed.error(422, "TRANSACTION_REVERTED");
    let message = failed.body["message"].as_str().unwrap();
    assert!(message.contains("mint to fewer recipients at a time"), "{message}");
    again.error(400, "BAD_REQUEST");
    let object = stage.server.get(&creator, &format!("/api/token/{asset}")).await.ok();
    let max = usize::try_from(object["recipientsMax"].as_u64().unwrap()).unwrap();
    assert!((5..15).contains(&max), "{max}");
    stage.server.mint_each(&asset, &wallets[..max], 1).await.ok();
    assert_eq!(stage.server.asset(&asset).await.pending, Amount::ZERO);
    books_and_chain_agree(&stage, 1).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_rex_burns_and_transfers_by_force_and_keeps_no_cap() {
    let stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let mut suite = deploy(&stage);
    make_agent(&suite);
    let mut body = body(&suite.token.address);
    body["cap"] = json!("100");
    let asset = address(adopt(&stage, &body).await.ok()["id"].as_str().unwrap());
    grant_roles(&stage, asset).await;
    let wallets = recipients(&stage, &mut suite, 2).await;
    let world = stage.server.world.clone();
    let ask = async |person, action: &str, body: Value| {
        let path = format!("/api/token/{asset}/{action}");
        stage.server.verified().post(person, &path, &body).await
    };

    stage.server.mint_each(&asset, &wallets, 50).await.ok();
    let raised = ask(&world.issuer, "set-cap", json!({ "newCap": "500" })).await;
    let burned = ask(
        &world.issuer,
        "burn",
        json!({ "addresses": wallets[0], "amounts": "10" }),
    )
    .await;
    let force = json!({ "from": wallets[0], "recipients": wallets[1], "amounts": "15" });
    let forced = ask(&world.custodian, "transfer/forced", force).await;

    assert_eq!(raised.ok()["capped"]["cap"], json!("[\"500\",18]"));
    assert_eq!(burned.ok()["totalSupply"], json!("[\"90\",18]"));
    forced.ok();
    assert_eq!(stage.balance(asset, wallets[0]).await, Amount::from(25_u64));
    assert_eq!(posted(&stage, asset, wallets[1]).await, Amount::from(65_u64));
    books_and_chain_agree(&stage, 1).await;
    stage.finish().await;
}
