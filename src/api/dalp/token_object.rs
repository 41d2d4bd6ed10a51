//! The asset object of the asset API (dalp.md section 8 with A13), rendered from an asset and its [`AssetView`].
//!
//! What every caller sees alike is rendered once per change ([`render`]), the caller's part afterwards ([`for_caller`]).

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use super::token_identity::IdentityObject;
use super::token_permissions::{AccessControl, UserPermissions};
use crate::access::{self, Held, Scope};
use crate::asset::{self, Asset, AssetKind, AssetView, Denomination, Feature, Settlement};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::Collateral;
use crate::types::{Address, Amount, Currency, Dnum, Timestamp};

/// An asset as every route of the asset API answers it. Amounts are dnum strings at the asset's scale.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenObject {
    #[schema(value_type = String, example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220")]
    id: Address,
    /// `bond`, `equity`, `fund`, `stablecoin` or `deposit`.
    #[serde(rename = "type")]
    #[schema(example = "equity")]
    kind: &'static str,
    #[schema(value_type = String, example = "2025-01-15T10:30:00.000Z")]
    created_at: Timestamp,
    #[schema(example = "ACME Holdings Common Stock")]
    name: String,
    #[schema(example = "ACME")]
    symbol: String,
    #[schema(example = 18)]
    decimals: u8,
    #[schema(example = "US0378331005")]
    isin: Option<String>,
    /// ISO 3166-1 numeric, three digits.
    #[schema(example = "056")]
    country_code: Option<String>,
    #[schema(example = "COMMON_EQUITY")]
    class: Option<String>,
    #[schema(example = "VOTING_COMMON_STOCK")]
    category: Option<String>,
    /// A dnum at its own scale.
    #[schema(value_type = Option<String>, example = "[\"10000\",2]")]
    base_price: Option<Dnum>,
    #[schema(example = "USD")]
    base_price_currency_code: Option<String>,
    /// Posted units.
    #[schema(value_type = String, example = "[\"1000000000000000000000\",18]")]
    total_supply: Dnum,
    /// Units that are accepted and not final yet.
    #[schema(value_type = String, example = "[\"0\",18]")]
    pending_supply: Dnum,
    /// `book`: the ledger is the register.
    #[schema(example = "book")]
    settlement: &'static str,
    /// The largest batch of one mint.
    #[schema(example = 100)]
    recipients_max: usize,
    /// The policy file that applies on top of the baseline.
    #[schema(example = "demo-equity")]
    policy: Option<String>,
    #[schema(value_type = Option<String>)]
    maturity_date: Option<Timestamp>,
    #[schema(example = json!(["ACCESS_MANAGED", "BURNABLE", "CAPPED", "CUSTODIAN", "PAUSABLE"]))]
    extensions: Vec<&'static str>,
    #[serde(rename = "implementsERC3643")]
    implements_erc3643: bool,
    #[serde(rename = "implementsSMART")]
    implements_smart: bool,
    identity: IdentityObject,
    pausable: Pausable,
    collateral: Option<CollateralObject>,
    capped: Option<Capped>,
    created_by: Reference,
    redeemable: Option<Redeemable>,
    #[serde(rename = "yield")]
    yield_: Option<Yield>,
    bond: Option<Bond>,
    fund: Option<Fund>,
    access_control: AccessControl,
    compliance_module_configs: Vec<ModuleConfig>,
    /// What the caller may do; in every answer to a caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = UserPermissions)]
    user_permissions: Option<UserPermissions>,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Pausable {
    paused: bool,
}

impl Pausable {
    pub fn of(asset: &Asset) -> Self {
        Self {
            paused: asset.is_paused(),
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(example = json!({ "cap": "[\"1000000000000000000000000\",18]" }))]
pub struct Capped {
    #[schema(value_type = String)]
    cap: Dnum,
}

/// The largest collateral claim that counts now; zero when none does.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollateralObject {
    #[schema(value_type = String, example = "[\"1000000000000\",6]")]
    collateral: Dnum,
    #[schema(value_type = Option<String>)]
    expiry_timestamp: Option<Timestamp>,
}

/// Something that is named by its address.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(example = json!({ "id": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed" }))]
pub struct Reference {
    #[schema(value_type = String)]
    id: Address,
}

impl Reference {
    pub const fn to(id: Address) -> Self {
        Self { id }
    }
}

/// Units redeemed so far. None: redemption is not a feature of this asset.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Redeemable {
    #[schema(value_type = String, example = "[\"0\",2]")]
    redeemed_amount: Dnum,
}

/// None: yield is not a feature of this asset.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Yield {
    schedule: Option<Reference>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bond {
    /// Of one whole unit, at the scale of the denomination asset.
    #[schema(value_type = String, example = "[\"1000000000\",6]")]
    face_value: Dnum,
    is_matured: bool,
    #[schema(value_type = Option<String>)]
    maturity_date: Option<Timestamp>,
    denomination_asset: Option<DenominationObject>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DenominationObject {
    #[schema(value_type = String, example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220")]
    id: Address,
    #[schema(example = 6)]
    decimals: u8,
    #[schema(example = "AUSD")]
    symbol: String,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fund {
    #[schema(value_type = String, example = "[\"150\",0]")]
    management_fee_bps: Dnum,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleConfig {
    #[schema(example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220-0")]
    id: String,
    compliance_module: ModuleName,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleName {
    #[schema(example = "CountryBlockListComplianceModule")]
    type_id: String,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Wallets with a balance: kept, never counted on the way.
    #[schema(example = 2)]
    balances_count: i64,
    /// Of the posted supply; null without a base currency, or without a price in it.
    #[schema(value_type = Option<String>)]
    total_value_in_base_currency: Option<Dnum>,
}

/// The object without what depends on the caller.
fn object(asset: &Asset, view: &AssetView) -> TokenObject {
    let on_chain = is_on_chain(asset);
    TokenObject {
        id: asset.address,
        kind: asset.kind.as_str(),
        created_at: asset.created_at,
        name: asset.name.to_string(),
        symbol: asset.symbol.to_string(),
        decimals: asset.decimals.get(),
        isin: asset.isin.as_ref().map(ToString::to_string),
        country_code: asset.country.map(|country| format!("{:03}", country.numeric())),
        class: asset.class.as_ref().map(ToString::to_string),
        category: asset.category.as_ref().map(ToString::to_string),
        base_price: asset.price.map(|price| price.value),
        base_price_currency_code: asset.price.map(|price| price.currency.to_string()),
        total_supply: scaled(asset, asset.supply),
        pending_supply: scaled(asset, asset.pending),
        settlement: asset.settlement.as_str(),
        recipients_max: view.links.recipients_max.unwrap_or(Asset::RECIPIENTS_MAX),
        policy: asset.policy.clone(),
        maturity_date: asset.maturity,
        extensions: asset.features().into_iter().map(Feature::as_str).collect(),
        implements_erc3643: on_chain,
        implements_smart: on_chain,
        identity: IdentityObject::of(asset, view, on_chain),
        pausable: Pausable::of(asset),
        collateral: asset.collateral.as_ref().map(|_| collateral(asset, view.collateral)),
        capped: asset.cap.map(|cap| Capped {
            cap: scaled(asset, cap),
        }),
        created_by: Reference { id: view.links.creator },
        redeemable: None,
        yield_: None,
        bond: bond(asset, view),
        fund: asset.management_fee.map(|fee| Fund {
            management_fee_bps: Dnum::new(Amount::from(u64::from(fee.get())), 0),
        }),
        access_control: AccessControl::of(asset.address, &view.grants),
        compliance_module_configs: modules(asset, view),
        user_permissions: None,
        stats: Stats {
            balances_count: asset.balances,
            total_value_in_base_currency: view.base_currency.and_then(|currency| asset.value_in(currency)),
        },
    }
}

fn is_on_chain(asset: &Asset) -> bool {
    match asset.settlement {
        Settlement::Book => false,
        Settlement::Evm => true,
    }
}

fn scaled(asset: &Asset, amount: Amount) -> Dnum {
    Dnum::new(amount, asset.decimals.get())
}

fn collateral(asset: &Asset, collateral: Collateral) -> CollateralObject {
    let (amount, expiry_timestamp) = match collateral {
        Collateral::Valid { amount, expires_at } => (amount, Some(expires_at)),
        Collateral::Expired { expires_at, .. } => (Amount::ZERO, Some(expires_at)),
        Collateral::None => (Amount::ZERO, None),
    };
    CollateralObject {
        collateral: scaled(asset, amount),
        expiry_timestamp,
    }
}

fn bond(asset: &Asset, view: &AssetView) -> Option<Bond> {
    let is_bond = asset.kind == AssetKind::Bond;
    let decimals = view
        .denomination
        .as_ref()
        .map_or(asset.decimals, |denomination| denomination.decimals);
    is_bond.then(|| Bond {
        face_value: Dnum::new(asset.face_value.unwrap_or(Amount::ZERO), decimals.get()),
        is_matured: asset.is_matured(view.at),
        maturity_date: asset.maturity,
        denomination_asset: view.denomination.as_ref().map(denomination),
    })
}

fn denomination(asset: &Denomination) -> DenominationObject {
    DenominationObject {
        id: asset.address,
        decimals: asset.decimals.get(),
        symbol: asset.symbol.to_string(),
    }
}

fn modules(asset: &Asset, view: &AssetView) -> Vec<ModuleConfig> {
    let configs = view.modules.iter().map(|module| ModuleConfig {
        id: module.module.map_or_else(
            || format!("{}-{}", asset.address, module.position),
            |address| address.to_string(),
        ),
        compliance_module: ModuleName {
            type_id: module.type_id.clone(),
        },
    });
    configs.collect()
}

/// The object without what depends on the caller, as JSON text: the same for everybody who asks about one state.
pub fn render(asset: &Asset, view: &AssetView) -> Result<String, Error> {
    serde_json::to_string(&object(asset, view)).map_err(Error::internal)
}

/// The rendered object with the caller's permissions.
pub fn for_caller(rendered: &str, held: &Held) -> Result<String, Error> {
    let permissions = serde_json::to_string(&UserPermissions::of(held)).map_err(Error::internal)?;
    let open = rendered
        .strip_suffix('}')
        .ok_or_else(|| Error::internal("an asset was not rendered as an object"))?;
    Ok(format!("{open},\"userPermissions\":{permissions}}}"))
}

/// What a change of an asset answers with.
pub fn token_answer(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    asset: &Asset,
    base_currency: Option<Currency>,
) -> Result<Answer, Error> {
    Ok(Answer {
        status: StatusCode::OK,
        headers: Vec::new(),
        body: token_body(tx, ctx, asset, base_currency)?,
        replay: None,
    })
}

/// The asset as the caller sees it.
pub fn token_body(tx: &mut Tx<'_>, ctx: &Ctx, asset: &Asset, base_currency: Option<Currency>) -> Result<String, Error> {
    let view = asset::view(tx, asset, ctx.now, base_currency)?;
    let held = access::held(tx, Scope::Asset(asset.id), &ctx.actor.wallet)?;
    for_caller(&render(asset, &view)?, &held)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::access::Role;
    use crate::asset::{AssetName, ConfiguredModule, Decimals, Lifecycle, Links, Symbol, sample};
    use crate::chain::ClaimValue;
    use crate::identity::{Claim, ClaimStatus};
    use crate::types::{ClaimId, IdentityId, TopicName};

    fn address(byte: u8) -> Address {
        Address::from_bytes([byte; 20])
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn collateral_claim() -> Claim {
        let value = |key: &str, value: &str| ClaimValue {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        Claim {
            id: ClaimId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
            identity: IdentityId::generate(),
            topic: TopicName::parse("collateral").unwrap(),
            issuer: address(0x15),
            scheme: 3,
            data: Vec::new(),
            values: vec![value("amount", "1000000000000"), value("expiryTimestamp", "1800000000")],
            amount: Some(Amount::from(1_000_000_000_000)),
            uri: String::new(),
            signature: None,
            signer: None,
            issued_by: None,
            issued_at: time("2026-01-01T00:00:00Z"),
            not_before: time("2026-01-01T00:00:00Z"),
            expires_at: time("2027-01-15T08:00:00Z"),
            status: ClaimStatus::Active,
            ended_at: None,
            ended_by: None,
            retain_until: None,
        }
    }

    fn view() -> AssetView {
        AssetView {
            at: time("2026-11-21T10:00:00Z"),
            base_currency: None,
            links: Links {
                recipients_max: None,
                identity: address(0x1d),
                creator: address(0xc0),
            },
            claims: vec![collateral_claim()],
            collateral: Collateral::Valid {
                amount: Amount::from(1_000_000_000_000),
                expires_at: time("2027-01-15T08:00:00Z"),
            },
            denomination: None,
            grants: vec![
                (Role::Admin, address(0xc0)),
                (Role::Governance, address(0xc0)),
                (Role::SupplyManagement, address(0x55)),
            ],
            modules: vec![ConfiguredModule {
                position: 0,
                type_id: "CountryBlockListComplianceModule".to_owned(),
                module: None,
                values: serde_json::json!([408]),
            }],
        }
    }

    fn asset() -> Asset {
        Asset {
            supply: Amount::parse("1000000000000000000000").unwrap(),
            cap: Amount::parse("1000000000000000000000000").ok(),
            collateral: crate::asset::Collateral::one_to_one(),
            lifecycle: Lifecycle::Active,
            holders: 2,
            balances: 3,
            policy: Some("demo-equity".to_owned()),
            ..sample()
        }
    }

    fn rendered(asset: &Asset, view: &AssetView) -> Value {
        let held = Held {
            asset: BTreeSet::from([Role::SupplyManagement]),
            system: BTreeSet::new(),
        };
        serde_json::from_str(&for_caller(&render(asset, view).unwrap(), &held).unwrap()).unwrap()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's switch, not a setting of the server")]
    fn the_object_is_the_one_that_was_reviewed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/token_object.json");
        let text = serde_json::to_string_pretty(&rendered(&asset(), &view())).unwrap() + "\n";
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            std::fs::write(path, &text).unwrap();
        }

        let reviewed = std::fs::read_to_string(path).unwrap_or_default();

        assert_eq!(
            text, reviewed,
            "run the test with UPDATE_GOLDEN=1 and review the change"
        );
    }

    #[test]
    fn features_that_are_not_attached_are_null() {
        let bare = rendered(
            &sample(),
            &AssetView {
                collateral: Collateral::None,
                ..view()
            },
        );

        for field in ["collateral", "capped", "bond", "fund", "redeemable", "yield"] {
            assert_eq!(bare[field], Value::Null, "{field}");
        }
        assert_eq!(bare["pausable"]["paused"], true);
        assert_eq!(bare["basePrice"], r#"["10000",2]"#);
        assert_eq!(bare["basePriceCurrencyCode"], "USD");
    }

    #[test]
    fn collateral_that_expired_covers_nothing_and_says_when() {
        let expired = AssetView {
            collateral: Collateral::Expired {
                amount: Amount::from(5),
                expires_at: time("2026-01-01T00:00:00Z"),
            },
            ..view()
        };

        let collateral = &rendered(&asset(), &expired)["collateral"];

        assert_eq!(collateral["collateral"], r#"["0",18]"#);
        assert_eq!(collateral["expiryTimestamp"], "2026-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_bond_is_matured_from_its_date_on_and_counts_in_its_denomination() {
        let bond = |maturity: &str| Asset {
            kind: AssetKind::Bond,
            face_value: Some(Amount::from(1_000_000)),
            maturity: Some(time(maturity)),
            ..sample()
        };
        let denomination = Denomination {
            address: address(0xde),
            symbol: Symbol::parse("ACMEUSD").unwrap(),
            decimals: Decimals::parse(6).unwrap(),
        };
        let view = AssetView {
            denomination: Some(denomination),
            ..view()
        };

        let due = rendered(&bond("2026-11-21T10:00:00Z"), &view);
        let open = rendered(&bond("2026-11-21T10:00:00.000001Z"), &view);

        assert_eq!(due["bond"]["isMatured"], true);
        assert_eq!(open["bond"]["isMatured"], false);
        assert_eq!(due["bond"]["faceValue"], r#"["1000000",6]"#);
        assert_eq!(due["bond"]["denominationAsset"]["symbol"], "ACMEUSD");
    }

    #[test]
    fn the_value_is_counted_in_the_base_currency_of_the_price_alone() {
        let value = |currency: &str| {
            let view = AssetView {
                base_currency: Currency::parse(currency).ok(),
                ..view()
            };
            rendered(&asset(), &view)["stats"]["totalValueInBaseCurrency"].clone()
        };

        assert_eq!(value("USD"), r#"["10000000",2]"#);
        assert_eq!(value("EUR"), Value::Null);
    }

    #[test]
    fn a_fund_tells_its_fee() {
        let fund = Asset {
            kind: AssetKind::Fund,
            name: AssetName::parse("Fund").unwrap(),
            management_fee: asset::BasisPoints::parse(150, asset::BasisPoints::FEE_MAX).ok(),
            ..sample()
        };

        let object = rendered(&fund, &view());

        assert_eq!(object["fund"]["managementFeeBps"], r#"["150",0]"#);
        assert_eq!(object["extensions"][3], "FUND");
    }
}
