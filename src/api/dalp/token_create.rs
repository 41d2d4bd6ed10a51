//! `POST /api/token/create` (dalp.md 1.5 and A9).

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use serde_json::{Number, Value};
use utoipa::ToSchema;
use validator::Validate;

use super::amount::amount_of;
use super::body::Issues;
use super::fields::{given, number, optional, required};
use super::mutate::{Answer, Terms};
use super::time::time_of;
use super::token_object::{TokenObject, token_answer};
use super::{Body, Call, DalpError, WalletVerification};
use crate::asset::{
    AssetKind, AssetName, BasisPoints, Collateral, Decimals, NewAsset, NewModule, Price, Settlement, Symbol, Token,
};
use crate::chain::contracts::token::Switch;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::servicing;
use crate::types::{Address, Amount, CountryCode, Currency, Dnum, Isin, TopicName};

/// A number with more digits may have been rounded by whoever wrote it as a JSON number.
const EXACT_DIGITS_MAX: usize = 15;
/// More than there are types; each is attached once.
const MODULES_MAX: usize = 20;

/// What the new asset is to be. Which fields are needed depends on the type: equity and fund need `class` and `category`,
/// all but a bond need `basePrice`, a bond needs `cap` and `maturityDate`.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "type": "equity", "name": "ACME Holdings Common Stock", "symbol": "ACME", "decimals": 18, "countryCode": "056",
    "isin": "US0378331005", "basePrice": "100.00", "basePriceCurrencyCode": "USD",
    "class": "COMMON_EQUITY", "category": "VOTING_COMMON_STOCK",
    "cap": "1000000000000000000000000", "policy": "demo-equity",
    "initialModulePairs": [{ "typeId": "CountryBlockListComplianceModule", "values": [408] }],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" },
}))]
pub struct CreateTokenBody {
    /// `bond`, `equity`, `fund`, `stablecoin` or `deposit`.
    #[serde(rename = "type")]
    #[schema(required = true, value_type = String)]
    kind: Option<String>,
    #[schema(required = true, value_type = String, min_length = 1, max_length = 50)]
    name: Option<String>,
    #[schema(required = true, value_type = String, min_length = 1, max_length = 12, pattern = "^[A-Z0-9]+$")]
    symbol: Option<String>,
    /// 0 to 18, as a number or as digits.
    #[schema(required = true, value_type = u8, minimum = 0, maximum = 18)]
    #[serde(default)]
    decimals: Value,
    isin: Option<String>,
    /// ISO 3166-1 numeric: three digits as text, or a number.
    #[schema(value_type = String, example = "056")]
    #[serde(default)]
    country_code: Value,
    /// Of one whole unit: decimal text, whose scale is kept, or a dnum.
    #[schema(value_type = Option<String>, example = "100.00")]
    #[serde(default)]
    base_price: Value,
    /// ISO 4217; the server's base currency when it has one.
    #[schema(example = "USD")]
    base_price_currency_code: Option<String>,
    /// Of an equity one of the reference's eight, else a word in capitals.
    class: Option<String>,
    category: Option<String>,
    /// Of a fund: 0 to 10000.
    #[schema(value_type = Option<u16>, minimum = 0, maximum = 10000)]
    #[serde(default)]
    management_fee_bps: Value,
    /// Of a bond, in base units of the denomination asset.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    face_value: Value,
    /// Of a bond: an asset of this server.
    denomination_asset: Option<String>,
    /// From then on nothing is minted: RFC 3339, a date, or seconds or milliseconds since 1970.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    maturity_date: Value,
    /// The most that may ever be issued: base units as a digit string, or a dnum.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    cap: Value,
    collateral: Option<CollateralBody>,
    /// `book`.
    settlement: Option<String>,
    /// With settlement on a chain: whether holders may transfer there by themselves. The server's modules do not judge
    /// such transfers; it posts them as it observes them.
    holder_transfers: Option<bool>,
    /// The id of a file under `policies/assets`.
    policy: Option<String>,
    /// Compliance modules to attach, each type once.
    #[schema(max_items = 20)]
    #[serde(default)]
    initial_module_pairs: Vec<ModulePair>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Supply may not pass what a claim on the asset's identity covers.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CollateralBody {
    /// Required collateral in hundredths of a percent of the supply: 0 to 20000.
    #[schema(value_type = u16, minimum = 0, maximum = 20000, example = 10000)]
    #[serde(default)]
    ratio_bps: Value,
    /// The claim topic; `collateral` when nothing is said.
    topic: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModulePair {
    /// `CountryBlockListComplianceModule`, `country-block-list` and so on.
    type_id: String,
    /// The module contract, for clients that show it.
    module: Option<String>,
    /// The parameters, in the reference's form or in that of the policy files.
    #[schema(value_type = Value)]
    #[serde(default)]
    values: Value,
}

impl CreateTokenBody {
    /// The decimals that the cap is written with, where it is a dnum.
    pub(super) fn cap_decimals(&self) -> Option<u8> {
        let decimals = self.cap.as_array()?.get(1)?.as_u64()?;
        u8::try_from(decimals)
            .ok()
            .filter(|decimals| *decimals <= Decimals::MAX)
    }

    fn holder_transfers(&self, issues: &mut Issues) -> Switch {
        let is_on_chain = self.settlement.as_deref() == Some(Settlement::Evm.as_str());
        match self.holder_transfers {
            Some(true) if is_on_chain => Switch::On,
            Some(true) => {
                let message = "only an asset that settles on a chain has this";
                issues.add("holderTransfers", "unsupported", message);
                Switch::Off
            }
            Some(false) | None => Switch::Off,
        }
    }

    /// For a token whose own name, symbol and decimals are not known yet.
    pub(super) fn stand_in(&mut self, name: &str, symbol: &str, decimals: u8) {
        self.name = Some(name.to_owned());
        self.symbol = Some(symbol.to_owned());
        self.decimals = Value::from(decimals);
        self.settlement = Some(Settlement::Evm.as_str().to_owned());
    }

    /// The new asset, or everything that is wrong with the fields.
    pub(super) fn parse(self, base_currency: Option<Currency>, issues: &mut Issues) -> Option<NewAsset> {
        let kind = required("type", self.kind.as_deref(), issues, AssetKind::parse_fungible);
        let name = required("name", self.name.as_deref(), issues, AssetName::parse);
        let symbol = required("symbol", self.symbol.as_deref(), issues, Symbol::parse);
        let decimals = number("decimals", &self.decimals, u64::from(Decimals::MAX), issues);
        let decimals = decimals.and_then(|number| issues.take("decimals", Decimals::parse(number)));
        let scale = decimals.map_or(Decimals::MAX, Decimals::get);
        let currency = self.base_price_currency_code.as_deref();
        let price = price(&self.base_price, currency, base_currency, issues);
        let settlement = self
            .settlement
            .as_deref()
            .map_or(Ok(Settlement::Book), Settlement::parse);
        Some(NewAsset {
            country: country(&self.country_code, issues),
            isin: optional("isin", self.isin.as_deref(), issues, Isin::parse),
            class: optional("class", self.class.as_deref(), issues, Token::parse),
            category: optional("category", self.category.as_deref(), issues, Token::parse),
            price,
            // Its scale is that of the denomination asset, so only plain base units are unambiguous.
            face_value: given("faceValue", &self.face_value, issues, base_units),
            denomination_asset: optional(
                "denominationAsset",
                self.denomination_asset.as_deref(),
                issues,
                Address::parse,
            ),
            maturity: given("maturityDate", &self.maturity_date, issues, time_of),
            management_fee: fee(&self.management_fee_bps, issues),
            settlement: issues.take("settlement", settlement).unwrap_or(Settlement::Book),
            policy: self.policy.filter(|policy| !policy.is_empty()),
            cap: given("cap", &self.cap, issues, |path, value, issues| {
                amount_of(path, value, scale, issues)
            }),
            collateral: self.collateral.and_then(|collateral| collateral.parse(issues)),
            modules: modules(self.initial_module_pairs, issues),
            kind: kind?,
            name: name?,
            symbol: symbol?,
            decimals: decimals?,
        })
    }
}

impl CollateralBody {
    fn parse(&self, issues: &mut Issues) -> Option<Collateral> {
        let path = "collateral.ratioBps";
        let ratio = number(path, &self.ratio_bps, u64::from(Collateral::RATIO_MAX), issues)?;
        let ratio = issues.take(path, BasisPoints::parse(ratio, Collateral::RATIO_MAX));
        let topic = TopicName::parse(self.topic.as_deref().unwrap_or("collateral"));
        let topic = issues.take("collateral.topic", topic);
        Some(Collateral {
            topic: topic?,
            ratio: ratio?,
        })
    }
}

fn fee(value: &Value, issues: &mut Issues) -> Option<BasisPoints> {
    let path = "managementFeeBps";
    let max = BasisPoints::FEE_MAX;
    let points = given(path, value, issues, |path, value, issues| {
        number(path, value, u64::from(max), issues)
    })?;
    issues.take(path, BasisPoints::parse(points, max))
}

fn base_units(path: &str, value: &Value, issues: &mut Issues) -> Option<Amount> {
    if value.is_array() {
        issues.add(
            path,
            "type",
            "must be base units of the denomination asset as a digit string",
        );
        return None;
    }
    amount_of(path, value, 0, issues)
}

fn country(value: &Value, issues: &mut Issues) -> Option<CountryCode> {
    let path = "countryCode";
    match value {
        Value::Null => {
            issues.add(path, "required", "is required");
            None
        }
        Value::String(text) => issues.take(path, CountryCode::parse_numeric(text)),
        Value::Number(number) => {
            let numeric = number.as_u64().and_then(|number| u16::try_from(number).ok());
            issues.take(path, CountryCode::from_numeric(numeric.unwrap_or(0)))
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            issues.add(path, "type", "must be three digits or a number");
            None
        }
    }
}

fn price(value: &Value, currency: Option<&str>, base_currency: Option<Currency>, issues: &mut Issues) -> Option<Price> {
    let currency = match currency.filter(|text| !text.is_empty()) {
        Some(text) => issues.take("basePriceCurrencyCode", Currency::parse(text)),
        None if !value.is_null() && base_currency.is_none() => {
            issues.add("basePriceCurrencyCode", "required", "is required with a base price");
            None
        }
        None => base_currency,
    };
    let value = match value {
        Value::Null => return None,
        Value::String(text) => issues.take("basePrice", Dnum::parse_decimal(text)),
        Value::Number(number) => issues.take("basePrice", exact_decimal(number)),
        Value::Array(items) => issues.take("basePrice", dnum(items)),
        Value::Bool(_) | Value::Object(_) => {
            issues.add("basePrice", "type", "must be decimal text or a dnum [digits, decimals]");
            None
        }
    };
    Some(Price {
        value: value?,
        currency: currency?,
    })
}

/// A short JSON number reads back as it was written.
fn exact_decimal(number: &Number) -> Result<Dnum, String> {
    let text = number.to_string();
    if text.bytes().filter(u8::is_ascii_digit).count() > EXACT_DIGITS_MAX {
        return Err("has too many digits for a JSON number; write it as decimal text".to_owned());
    }
    Dnum::parse_decimal(&text).map_err(|error| error.to_string())
}

fn dnum(items: &[Value]) -> Result<Dnum, String> {
    match items {
        [Value::String(digits), Value::Number(decimals)] => {
            Dnum::parse(digits, decimals.as_u64().unwrap_or(u64::MAX)).map_err(|error| error.to_string())
        }
        _ => Err("must be decimal text or a dnum [digits, decimals]".to_owned()),
    }
}

fn modules(pairs: Vec<ModulePair>, issues: &mut Issues) -> Vec<NewModule> {
    if pairs.len() > MODULES_MAX {
        issues.add(
            "initialModulePairs",
            "length",
            format!("must have at most {MODULES_MAX} modules"),
        );
        return Vec::new();
    }
    let read = pairs.into_iter().enumerate().map(|(index, pair)| NewModule {
        module: optional(
            &format!("initialModulePairs.{index}.module"),
            pair.module.as_deref(),
            issues,
            Address::parse,
        ),
        type_id: pair.type_id,
        values: pair.values,
    });
    read.collect()
}

/// Create an asset.
///
/// It is paused, and its creator holds `admin` and `governance` on it and nothing else.
#[utoipa::path(tag = "Token", operation_id = "tokenCreate",
    request_body = CreateTokenBody,
    responses((status = 200, description = "The new asset", body = TokenObject),
        (status = 202, description = "The new asset, whose contract is on its way to the chain", body = TokenObject,
            headers(("X-Operation-Id" = String, description = "The operation that creates it"),
                ("Location" = String, description = "The operation")))))]
#[post("/token/create")]
pub async fn create(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: CreateTokenBody = body.parse_strict()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    let base_currency = call.app.base_currency();
    let holder_transfers = parsed.holder_transfers(&mut issues);
    let new = parsed.parse(base_currency, &mut issues);
    issues.finish()?;
    let new = new.ok_or_else(|| Error::internal("a field without an issue is there"))?;
    let policies = std::sync::Arc::clone(call.app.policy());
    let (wanted, rules) = (new.clone(), std::sync::Arc::clone(&policies));
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| servicing::may_create(tx, ctx, &rules, &wanted);
    call.mutate(&body, Terms { code, asset: None }, allowed, move |tx, ctx| {
        let (created, operation) = servicing::create_with(tx, ctx, &policies, new.clone(), holder_transfers)?;
        let answer = token_answer(tx, ctx, &created, base_currency)?;
        Ok(match operation {
            None => answer,
            // Its address is fixed; its contract stands when the operation is final.
            Some(id) => Answer {
                status: StatusCode::ACCEPTED,
                ..answer
                    .header("X-Operation-Id", id)
                    .header("Location", format!("/api/operations/{id}"))
            },
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn full() -> Value {
        json!({
            "type": "equity", "name": "ACME", "symbol": "ACME", "decimals": 18, "countryCode": "056",
            "basePrice": "100.00", "basePriceCurrencyCode": "USD", "class": "COMMON_EQUITY", "category": "ESOP_SHARES",
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = full();
        body[field] = value;
        body
    }

    fn parse(body: &Value) -> Result<NewAsset, Vec<String>> {
        let parsed: CreateTokenBody = serde_json::from_value(body.clone()).unwrap();
        let mut issues = Issues::default();
        let new = parsed.parse(None, &mut issues);
        match issues.finish() {
            Ok(()) => Ok(new.unwrap()),
            Err(Error::Invalid(found)) => Err(found.iter().map(|issue| issue.path.join(".")).collect()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn an_empty_body_is_told_every_field_that_is_missing() {
        assert_eq!(
            parse(&json!({})).unwrap_err(),
            ["type", "name", "symbol", "decimals", "countryCode"]
        );
    }

    #[test]
    fn decimals_are_a_number_or_its_digits() {
        assert_eq!(parse(&with("decimals", json!("6"))).unwrap().decimals.get(), 6);
        assert_eq!(parse(&with("decimals", json!(0))).unwrap().decimals.get(), 0);
        for value in [
            json!(19),
            json!("19"),
            json!(-1),
            json!(1.5),
            json!(""),
            json!(true),
            json!(null),
        ] {
            assert_eq!(
                parse(&with("decimals", value.clone())).unwrap_err(),
                ["decimals"],
                "{value}"
            );
        }
    }

    #[test]
    fn a_country_is_three_digits_or_a_number() {
        let belgium = CountryCode::parse_alpha2("BE").ok();

        assert_eq!(parse(&with("countryCode", json!("056"))).unwrap().country, belgium);
        assert_eq!(parse(&with("countryCode", json!(56))).unwrap().country, belgium);
        for value in [json!("56"), json!("BE"), json!(0), json!(65_592), json!([])] {
            assert_eq!(
                parse(&with("countryCode", value.clone())).unwrap_err(),
                ["countryCode"],
                "{value}"
            );
        }
    }

    #[test]
    fn a_price_keeps_its_scale_in_every_form() {
        let price = |value: Value| parse(&with("basePrice", value)).map(|new| new.price.unwrap().value.to_string());

        assert_eq!(price(json!("100.00")).unwrap(), r#"["10000",2]"#);
        assert_eq!(price(json!(["10000", 2])).unwrap(), r#"["10000",2]"#);
        assert_eq!(price(json!(12.5)).unwrap(), r#"["125",1]"#);
        assert_eq!(price(json!(7)).unwrap(), r#"["7",0]"#);
        for value in [
            json!("1e3"),
            json!("-1"),
            json!(-1),
            json!(1e300),
            json!("5."),
            json!(true),
            json!(["1"]),
        ] {
            assert_eq!(price(value.clone()).unwrap_err(), ["basePrice"], "{value}");
        }
        assert_eq!(price(json!(1234567890.1234567)).unwrap_err(), ["basePrice"]);
    }

    #[test]
    fn the_currency_of_a_price_is_the_servers_when_nothing_is_said() {
        let body = with("basePriceCurrencyCode", Value::Null);
        assert_eq!(parse(&body).unwrap_err(), ["basePriceCurrencyCode"]);

        let parsed: CreateTokenBody = serde_json::from_value(body).unwrap();
        let new = parsed
            .parse(Currency::parse("EUR").ok(), &mut Issues::default())
            .unwrap();

        assert_eq!(new.price.unwrap().currency.to_string(), "EUR");
    }

    #[test]
    fn a_cap_has_the_scale_of_the_asset() {
        assert_eq!(parse(&with("cap", json!("5"))).unwrap().cap, Some(Amount::from(5)));
        assert_eq!(
            parse(&with("cap", json!(["5", 18]))).unwrap().cap,
            Some(Amount::from(5))
        );
        assert_eq!(parse(&with("cap", json!(["5", 6]))).unwrap_err(), ["cap"]);
    }

    #[test]
    fn empty_text_is_nothing() {
        let mut body = full();
        for field in ["isin", "policy", "denominationAsset"] {
            body[field] = json!("");
        }

        let new = parse(&body).unwrap();

        assert_eq!((new.isin, new.policy, new.denomination_asset), (None, None, None));
        assert_eq!(parse(&with("isin", json!("US0378331006"))).unwrap_err(), ["isin"]);
    }

    #[test]
    fn collateral_and_fee_end_at_their_bounds() {
        let ratio = |bps: Value| parse(&with("collateral", json!({ "ratioBps": bps })));
        let fee = |bps: Value| parse(&with("managementFeeBps", bps));

        assert_eq!(ratio(json!(20_000)).unwrap().collateral.unwrap().ratio.get(), 20_000);
        assert_eq!(ratio(json!(20_001)).unwrap_err(), ["collateral.ratioBps"]);
        assert_eq!(ratio(Value::Null).unwrap_err(), ["collateral.ratioBps"]);
        assert_eq!(fee(json!(10_000)).unwrap().management_fee.unwrap().get(), 10_000);
        assert_eq!(fee(json!(10_001)).unwrap_err(), ["managementFeeBps"]);
    }

    #[test]
    fn a_module_names_its_contract_or_none() {
        let pair = |module: Value| json!([{ "typeId": "country-block-list", "module": module, "values": [408] }]);

        let named = parse(&with(
            "initialModulePairs",
            pair(json!("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")),
        ));
        let unnamed = parse(&with("initialModulePairs", pair(json!(""))));
        let wrong = parse(&with("initialModulePairs", pair(json!("0x1"))));

        assert!(named.unwrap().modules[0].module.is_some());
        assert_eq!(unnamed.unwrap().modules[0].module, None);
        assert_eq!(wrong.unwrap_err(), ["initialModulePairs.0.module"]);
    }
}
