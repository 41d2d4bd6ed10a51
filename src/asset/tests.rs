//! Against a SQLite file of its own; `tests/` runs the same commands on PostgreSQL.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::access::NewUser;
use crate::audit::EventFilter;
use crate::db::{Db, Settings};
use crate::policy;
use crate::types::{Currency, Dnum, Isin, RequestId, TopicName};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Fixture {
    db: Db,
    policies: PolicySet,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let settings = Settings {
            url: SecretString::from(url),
            connections_max: 4,
            wait: Duration::from_secs(5),
        };
        let db = Db::connect(&settings).unwrap();
        db.migrate(false).unwrap();
        db.write_blocking(|tx| identity::seed_topics(tx, NOW)).unwrap();
        let policies = policy::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap();
        Self {
            db,
            policies,
            _folder: folder,
        }
    }

    fn write<T>(&self, work: impl Fn(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.db.write_blocking(work)
    }

    fn user(&self, byte: u8) -> Ctx {
        let new = NewUser {
            name: format!("User {byte}"),
            wallet: Address::from_bytes([byte; 20]),
        };
        let user = self
            .write(|tx| access::create_user(tx, access::By::command_line(NOW), new.clone()))
            .unwrap();
        Ctx {
            actor: user.actor(),
            request_id: RequestId::generate(),
            now: NOW,
        }
    }

    fn token_manager(&self) -> Ctx {
        let ctx = self.user(1);
        let grant = [(ctx.actor.wallet, Role::TokenManager)];
        self.write(|tx| access::grant(tx, access::By::command_line(NOW), Scope::System, &grant))
            .unwrap();
        ctx
    }

    fn create(&self, ctx: &Ctx, new: NewAsset) -> Result<Asset, Error> {
        self.write(|tx| create(tx, ctx, &self.policies, new.clone(), book_address))
    }

    fn events(&self, asset: AssetId) -> Vec<(String, Value)> {
        let filter = EventFilter {
            asset: Some(asset),
            ..EventFilter::default()
        };
        let list = |tx: &mut Tx<'_>| audit::list(tx, &filter, &Page::default());
        let (events, _) = self.db.read_blocking(list).unwrap();
        let named = events
            .into_iter()
            .map(|event| (event.action, serde_json::from_str(&event.data).unwrap()));
        named.collect()
    }

    fn pages(&self, listing: Listing, limit: i64) -> Vec<String> {
        let mut symbols = Vec::new();
        let mut page = Page::first(limit);
        loop {
            let (assets, _, cursor) = self.db.read_blocking(|tx| list(tx, listing, &page)).unwrap();
            symbols.extend(assets.iter().map(|asset| asset.symbol.to_string()));
            let Some(cursor) = cursor else { return symbols };
            page.cursor = Some(cursor);
        }
    }

    fn search(&self, query: &str) -> Vec<String> {
        let found = self
            .db
            .read_blocking(|tx| search(tx, query, SEARCH_LIMIT_DEFAULT))
            .unwrap();
        found.iter().map(|asset| asset.symbol.to_string()).collect()
    }
}

fn named(name: &str, symbol: &str, kind: AssetKind) -> NewAsset {
    NewAsset {
        kind,
        name: AssetName::parse(name).unwrap(),
        symbol: Symbol::parse(symbol).unwrap(),
        decimals: Decimals::parse(6).unwrap(),
        isin: None,
        country: None,
        class: Token::parse("COMMON_EQUITY").ok(),
        category: Token::parse("ANY").ok(),
        price: Some(Price {
            value: Dnum::parse_decimal("100.50").unwrap(),
            currency: Currency::parse("EUR").unwrap(),
        }),
        face_value: None,
        denomination_asset: None,
        maturity: None,
        management_fee: None,
        settlement: Settlement::Book,
        policy: None,
        cap: None,
        collateral: None,
        modules: Vec::new(),
    }
}

fn module(type_id: &str, values: Value) -> NewModule {
    NewModule {
        type_id: type_id.to_owned(),
        module: Some(Address::from_bytes([9; 20])),
        values,
    }
}

#[test]
fn a_new_asset_is_paused_and_reads_back_whole() {
    let system = Fixture::new();
    let ctx = system.token_manager();
    let new = NewAsset {
        isin: Isin::parse("US0378331005").ok(),
        country: crate::types::CountryCode::parse_alpha2("US").ok(),
        maturity: Some(NOW.plus_seconds(1)),
        management_fee: BasisPoints::parse(150, BasisPoints::FEE_MAX).ok(),
        cap: Some(Amount::MAX),
        collateral: Collateral::one_to_one(),
        policy: Some("demo-equity".to_owned()),
        modules: vec![
            module("country-block-list", json!([408])),
            module("identity-verification", json!("kyc and aml")),
        ],
        ..named("Fund é", "FUND", AssetKind::Fund)
    };

    let asset = system.create(&ctx, new).unwrap();

    let found = system.write(|tx| find_by_address(tx, &asset.address)).unwrap();
    let modules = system.write(|tx| modules_of(tx, asset.id)).unwrap();
    assert_eq!(found, asset);
    assert_eq!(system.write(|tx| lock(tx, asset.id)).unwrap(), asset);
    assert!(asset.is_paused());
    assert_eq!(modules[0].type_id, "CountryBlockListComplianceModule");
    assert_eq!(modules[1].values, json!("kyc and aml"));
    assert_eq!(modules[1].module, Some(Address::from_bytes([9; 20])));
    assert_eq!(
        attached(&modules, asset.decimals, &system.policies.definitions)
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn the_creator_holds_admin_and_governance_and_nothing_else() {
    let system = Fixture::new();
    let ctx = system.token_manager();

    let asset = system.create(&ctx, named("A", "A", AssetKind::Deposit)).unwrap();

    let mut grants = system.write(|tx| access::grants_of_asset(tx, asset.id)).unwrap();
    grants.sort_unstable();
    assert_eq!(
        grants,
        [(Role::Admin, ctx.actor.wallet), (Role::Governance, ctx.actor.wallet)]
    );
}

#[test]
fn a_creation_is_one_event_of_the_assets_stream_and_the_grants_follow() {
    let system = Fixture::new();
    let ctx = system.token_manager();

    let asset = system.create(&ctx, named("A", "A", AssetKind::Stablecoin)).unwrap();

    let events = system.events(asset.id);
    let (first, data) = events.last().unwrap();
    assert_eq!(first, "asset.created");
    assert_eq!(data["collateral"], json!({ "topic": "collateral", "ratioBps": 10_000 }));
    assert!(events.len() > 1);
}

#[test]
fn who_is_no_token_manager_creates_nothing() {
    let system = Fixture::new();
    let ctx = system.user(7);

    let refused = system.create(&ctx, named("A", "A", AssetKind::Deposit));

    assert!(matches!(refused, Err(Error::Forbidden { required }) if required == ["tokenManager"]));
    assert_eq!(system.pages(listing(Order::Name, Direction::Ascending), 10), [""; 0]);
}

#[test]
fn topics_that_nobody_registered_are_refused_with_their_place() {
    let system = Fixture::new();
    let ctx = system.token_manager();
    let unknown = Collateral {
        topic: TopicName::parse("gold").unwrap(),
        ..Collateral::one_to_one().unwrap()
    };
    let new = NewAsset {
        collateral: Some(unknown),
        modules: vec![module(
            "identity-verification",
            json!([{ "nodeType": 0, "value": "12345" }]),
        )],
        ..named("A", "A", AssetKind::Deposit)
    };

    let Err(Error::Invalid(issues)) = system.create(&ctx, new) else {
        panic!("an unknown topic was accepted")
    };

    let paths: Vec<String> = issues.iter().map(|issue| issue.path.join(".")).collect();
    assert_eq!(paths, ["collateral.topic", "initialModulePairs.0.values"]);
}

#[test]
fn a_bond_is_paid_out_in_an_asset_of_this_server() {
    let system = Fixture::new();
    let ctx = system.token_manager();
    let coin = system
        .create(&ctx, named("Coin", "COIN", AssetKind::Stablecoin))
        .unwrap();
    let bond = |denomination| NewAsset {
        cap: Some(Amount::from(1_000)),
        maturity: Some(NOW.plus_seconds(60)),
        face_value: Some(Amount::from(5)),
        denomination_asset: Some(denomination),
        ..named("Bond", "BOND", AssetKind::Bond)
    };

    let stranger = system.create(&ctx, bond(Address::from_bytes([8; 20])));
    let bond = system.create(&ctx, bond(coin.address)).unwrap();

    let view = system.write(|tx| view(tx, &bond, NOW, None)).unwrap();
    assert!(matches!(stranger, Err(Error::Invalid(_))));
    assert_eq!(view.denomination.unwrap().symbol.as_str(), "COIN");
    assert_eq!(view.links.creator, ctx.actor.wallet);
}

#[test]
fn an_unknown_asset_is_not_found() {
    let system = Fixture::new();

    let by_address = system.write(|tx| find_by_address(tx, &Address::ZERO));
    let by_id = system.write(|tx| lock(tx, AssetId::generate()));

    assert!(matches!(by_address, Err(Error::NotFound("asset"))));
    assert!(matches!(by_id, Err(Error::NotFound("asset"))));
}

fn listing(order: Order, direction: Direction) -> Listing {
    Listing {
        kind: None,
        order,
        direction,
    }
}

#[test]
fn pages_of_any_order_hold_every_asset_once() {
    let system = Fixture::new();
    let ctx = system.token_manager();
    for (name, symbol, kind) in [
        ("Same", "C", AssetKind::Deposit),
        ("Same", "A", AssetKind::Equity),
        ("Other", "B", AssetKind::Deposit),
        ("Same", "D", AssetKind::Deposit),
    ] {
        system.create(&ctx, named(name, symbol, kind)).unwrap();
    }

    assert_eq!(
        system.pages(listing(Order::Symbol, Direction::Ascending), 3),
        ["A", "B", "C", "D"]
    );
    assert_eq!(
        system.pages(listing(Order::Symbol, Direction::Descending), 1),
        ["D", "C", "B", "A"]
    );
    for order in [Order::Address, Order::Name, Order::CreatedAt] {
        for direction in [Direction::Ascending, Direction::Descending] {
            let mut all = system.pages(listing(order, direction), 1);
            all.sort_unstable();
            assert_eq!(all, ["A", "B", "C", "D"], "{order} {direction}");
        }
    }
    let equities = Listing {
        kind: Some(AssetKind::Equity),
        ..listing(Order::Symbol, Direction::Ascending)
    };
    assert_eq!(system.pages(equities, 3), ["A"]);
    let (_, total, _) = system.write(|tx| list(tx, equities, &Page::first(1))).unwrap();
    assert_eq!(total, 1);
}

#[test]
fn a_cursor_that_no_list_gave_out_is_refused() {
    let system = Fixture::new();
    let page = Page {
        cursor: Some("nonsense".to_owned()),
        ..Page::default()
    };

    let result = system.write(|tx| list(tx, listing(Order::Name, Direction::Ascending), &page));

    assert!(matches!(result, Err(Error::Invalid(_))));
}

#[test]
fn a_search_looks_at_name_symbol_isin_and_the_beginning_of_the_address() {
    let system = Fixture::new();
    let ctx = system.token_manager();
    let with_isin = NewAsset {
        isin: Isin::parse("US0378331005").ok(),
        ..named("100% Élan_Stock", "ELAN", AssetKind::Equity)
    };
    let asset = system.create(&ctx, with_isin).unwrap();
    system.create(&ctx, named("Other", "OTH", AssetKind::Deposit)).unwrap();

    let address = asset.address.to_string();
    for query in [
        "stock",
        "STOCK",
        "Élan",
        "100%",
        "n_s",
        "elan",
        "us03783",
        &address,
        address.get(..20).unwrap(),
    ] {
        assert_eq!(system.search(query), ["ELAN"], "{query}");
    }
    assert_eq!(system.search("nothing"), [""; 0]);
    assert_eq!(system.search("o__er"), [""; 0]);
    assert_eq!(system.search("0x").len(), 0);
}

#[test]
fn changes_of_what_rules_look_at_move_the_revision() {
    let system = Fixture::new();
    let ctx = system.token_manager();
    let id = system.create(&ctx, named("A", "A", AssetKind::Deposit)).unwrap().id;

    system.write(|tx| set_lifecycle(tx, id, Lifecycle::Active)).unwrap();
    system.write(|tx| set_cap(tx, id, Amount::ONE)).unwrap();

    let asset = system.write(|tx| find(tx, id)).unwrap();
    assert_eq!(
        (asset.revision, asset.is_paused(), asset.cap),
        (3, false, Some(Amount::ONE))
    );
}
