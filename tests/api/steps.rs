//! What tests of many files do.

use moneyer::asset::{self, AssetKind, NewAsset, NewModule};
use moneyer::identity::{self, ClaimData, ClaimTerms};
use moneyer::servicing::{self, CollateralUpdate};
use moneyer::types::{Address, Amount, CountryCode, Timestamp};
use serde_json::{Value, json};

use crate::footprint::Footprint;
use crate::support::{Answer, Server, import_sanctions, recipient, token, topic};

pub const DAY: i64 = 86_400;

pub async fn mint_lines(server: &Server, asset: &Address, lines: &[(Address, &str)]) -> Answer {
    let recipients: Vec<Value> = lines.iter().map(|(recipient, _)| json!(recipient)).collect();
    let amounts: Vec<Value> = lines.iter().map(|(_, amount)| json!(amount)).collect();
    let body = Server::mint_body(recipients, amounts);
    server
        .post(&server.world.issuer, &Server::mint_path(asset), &body)
        .await
}

pub async fn refused(server: &Server, asset: &Address, lines: &[(Address, &str)], code: &str) -> Vec<String> {
    let before = Footprint::of(server, asset).await;
    let answer = mint_lines(server, asset, lines).await;
    answer.error(422, code);
    assert_eq!(
        Footprint::of(server, asset).await,
        before.and_events(1),
        "one event and no posting"
    );
    answer.findings()
}

pub async fn register(server: &Server, number: u16, country: &str) -> Address {
    let (wallet, country) = (recipient(number), CountryCode::parse_alpha2(country).unwrap());
    server
        .write(&server.world.officer, move |tx, ctx| {
            identity::register_many(tx, ctx, &[(wallet, country)]).map(|_| ())
        })
        .await;
    wallet
}

pub async fn claim(server: &Server, wallet: Address, name: &'static str, terms: ClaimTerms) {
    server
        .write(&server.world.trusted, move |tx, ctx| {
            let identity = identity::by_wallet(tx, &wallet)?;
            let data = ClaimData::Values(json!({ "claim": "checked" }));
            identity::issue_many(tx, ctx, &topic(name), &data, &[identity.address], &terms).map(|_| ())
        })
        .await;
}

pub async fn collateralize(server: &Server, asset: Address, amount: u64, expires_at: Timestamp) {
    server
        .write(&server.world.trusted, move |tx, ctx| {
            let asset = asset::find_by_address(tx, &asset)?;
            let update = CollateralUpdate {
                amount: Amount::from(amount),
                expires_at,
            };
            servicing::update_collateral(tx, ctx, asset.id, update)
        })
        .await;
}

pub fn with_module(symbol: &str, type_id: &str, values: Value) -> NewAsset {
    let module = NewModule {
        type_id: type_id.to_owned(),
        module: None,
        values,
    };
    NewAsset {
        modules: vec![module],
        ..token(AssetKind::Deposit, symbol)
    }
}

pub async fn import_sanctions_now(server: &Server) {
    server
        .write(&server.world.admin, |tx, ctx| import_sanctions(tx, ctx.now))
        .await;
}
