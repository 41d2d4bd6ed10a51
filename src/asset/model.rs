use std::fmt;

use serde_json::Value;

use super::{AssetName, BasisPoints, Decimals, ParseError, Symbol, Token};
use crate::error::Error;
use crate::types::{
    Address, Amount, AssetId, CountryCode, Currency, Dnum, IdentityId, Isin, Timestamp, TopicName, UserId,
};

/// An enum whose words are those of the asset API and of the database.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn parse(text: &str) -> Result<Self, ParseError> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(ParseError::Unknown { known: &[$($word),+] }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What an asset is in law and in economics (dalp.md section 5).
    AssetKind {
        Bond = "bond",
        Equity = "equity",
        Fund = "fund",
        Stablecoin = "stablecoin",
        Deposit = "deposit",
        /// A collection of tokens that are one each; what it is besides its row is in `collection/`.
        Erc721 = "erc721",
        /// A collection of tokens that exist in amounts.
        Erc1155 = "erc1155",
    }
}

impl AssetKind {
    /// What the asset API creates and lists: units of one kind that are all alike.
    pub const FUNGIBLE: [Self; 5] = [Self::Bond, Self::Equity, Self::Fund, Self::Stablecoin, Self::Deposit];
    pub const COLLECTIONS: [Self; 2] = [Self::Erc721, Self::Erc1155];

    /// One of [`Self::FUNGIBLE`].
    pub fn parse_fungible(text: &str) -> Result<Self, ParseError> {
        let known = Self::FUNGIBLE.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or(ParseError::Unknown {
            known: &["bond", "equity", "fund", "stablecoin", "deposit"],
        })
    }

    pub const fn is_collection(self) -> bool {
        match self {
            Self::Erc721 | Self::Erc1155 => true,
            Self::Bond | Self::Equity | Self::Fund | Self::Stablecoin | Self::Deposit => false,
        }
    }
}

words! {
    /// The eight classes of equity that the reference knows (dalp.md 1.5).
    EquityClass {
        Common = "COMMON_EQUITY",
        Preferred = "PREFERRED_EQUITY",
        MarketCapitalization = "MARKET_CAPITALIZATION_EQUITY",
        Geographic = "GEOGRAPHIC_EQUITY",
        SectorIndustry = "SECTOR_INDUSTRY_EQUITY",
        InvestmentStyle = "INVESTMENT_STYLE_EQUITY",
        InvestmentStagePrivate = "INVESTMENT_STAGE_PRIVATE_EQUITY",
        SpecialClasses = "SPECIAL_CLASSES_EQUITY",
    }
}

words! {
    /// Where units exist: in our ledger only, or on a chain.
    Settlement {
        Book = "book",
        Evm = "evm",
    }
}

words! {
    /// Whether units may be minted, burned and transferred by their holders. Maturity is a matter of the clock.
    Lifecycle {
        Paused = "paused",
        Active = "active",
    }
}

words! {
    /// A part of an asset that requests may rely on; the reference's extensions (dalp.md section 5).
    Feature {
        AccessManaged = "ACCESS_MANAGED",
        Bond = "BOND",
        Burnable = "BURNABLE",
        Capped = "CAPPED",
        Collateral = "COLLATERAL",
        Custodian = "CUSTODIAN",
        Fund = "FUND",
        Pausable = "PAUSABLE",
    }
}

/// What one whole unit costs, at its own scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub value: Dnum,
    pub currency: Currency,
}

/// The feature `collateral`: supply may not pass what a claim of this topic on the asset's identity covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collateral {
    pub topic: TopicName,
    /// Required = ceil(supply × ratio ÷ 10000).
    pub ratio: BasisPoints,
}

impl Collateral {
    /// Twice the supply at most, as the reference's collateral module has it (dalp.md section 6).
    pub const RATIO_MAX: u16 = 20_000;

    /// One to one, proven by a claim of topic `collateral`: what a stablecoin has when nothing else was asked for.
    pub fn one_to_one() -> Option<Self> {
        let topic = TopicName::parse("collateral").ok()?;
        let ratio = BasisPoints::parse(10_000, Self::RATIO_MAX).ok()?;
        Some(Self { topic, ratio })
    }

    /// None when the product is more than 2^256 − 1.
    pub fn required_for(&self, supply: Amount) -> Option<Amount> {
        supply.mul_div_ceil(u64::from(self.ratio.get()), BasisPoints::WHOLE)
    }
}

/// An asset: the whole row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    pub id: AssetId,
    /// Where the asset's contract is or would be.
    pub address: Address,
    pub kind: AssetKind,
    pub name: AssetName,
    pub symbol: Symbol,
    pub decimals: Decimals,
    pub isin: Option<Isin>,
    pub country: Option<CountryCode>,
    pub class: Option<Token>,
    pub category: Option<Token>,
    pub price: Option<Price>,
    /// Of one whole unit, in base units of the denomination asset (of this asset when there is none).
    pub face_value: Option<Amount>,
    pub denomination_asset: Option<Address>,
    /// From then on nothing is minted.
    pub maturity: Option<Timestamp>,
    /// A fund's yearly fee.
    pub management_fee: Option<BasisPoints>,
    pub settlement: Settlement,
    /// The policy file that applies on top of the baseline.
    pub policy: Option<String>,
    pub identity: IdentityId,
    pub cap: Option<Amount>,
    pub collateral: Option<Collateral>,
    pub lifecycle: Lifecycle,
    /// Posted units.
    pub supply: Amount,
    /// Units on their way in; they count for the cap.
    pub pending: Amount,
    /// Identities that hold something, posted or pending: kept and never counted.
    pub holders: i64,
    /// Wallets with a posted balance: kept and never counted.
    pub balances: i64,
    pub next_operation: i64,
    /// Moves with every change of what rules look at.
    pub revision: i64,
    pub created_by: UserId,
    pub created_at: Timestamp,
}

impl Asset {
    /// Lines of one request: one transaction settles them all (dalp.md A5, A13).
    pub const RECIPIENTS_MAX: usize = 100;

    pub fn is_paused(&self) -> bool {
        match self.lifecycle {
            Lifecycle::Paused => true,
            Lifecycle::Active => false,
        }
    }

    pub fn is_matured(&self, now: Timestamp) -> bool {
        self.maturity.is_some_and(|maturity| maturity <= now)
    }

    /// Supply and pending; none when they are more than 2^256 − 1 together, which the ledger does not let happen.
    pub fn issued(&self) -> Option<Amount> {
        self.supply.checked_add(self.pending)
    }

    /// What the posted supply is worth, at the scale of the price; none without a price in this currency, and when it is
    /// more than 2^256 − 1.
    pub fn value_in(&self, currency: Currency) -> Option<Dnum> {
        let price = self.price.filter(|price| price.currency == currency)?;
        let value = self.supply.priced(price.value.amount, self.decimals.get())?;
        Some(Dnum::new(value, price.value.decimals))
    }

    pub fn features(&self) -> Vec<Feature> {
        Feature::ALL
            .iter()
            .copied()
            .filter(|feature| self.has(*feature))
            .collect()
    }

    pub fn require(&self, feature: Feature) -> Result<(), Error> {
        if self.has(feature) {
            Ok(())
        } else {
            Err(Error::FeatureMissing(feature.as_str()))
        }
    }

    pub fn has(&self, feature: Feature) -> bool {
        match feature {
            Feature::AccessManaged | Feature::Burnable | Feature::Custodian | Feature::Pausable => true,
            Feature::Bond => self.kind == AssetKind::Bond,
            Feature::Fund => self.kind == AssetKind::Fund,
            Feature::Capped => self.cap.is_some(),
            Feature::Collateral => self.collateral.is_some(),
        }
    }
}

/// A compliance module of an asset, as it was configured.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfiguredModule {
    /// Its place in the order of evaluation, from 0.
    pub position: i32,
    pub type_id: String,
    /// The module contract that the caller named, for clients that show it; it decides nothing here.
    pub module: Option<Address>,
    pub values: Value,
}

/// What a new asset is to be. Rules between the fields are checked when it is created.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAsset {
    pub kind: AssetKind,
    pub name: AssetName,
    pub symbol: Symbol,
    pub decimals: Decimals,
    pub isin: Option<Isin>,
    pub country: Option<CountryCode>,
    pub class: Option<Token>,
    pub category: Option<Token>,
    pub price: Option<Price>,
    pub face_value: Option<Amount>,
    pub denomination_asset: Option<Address>,
    pub maturity: Option<Timestamp>,
    pub management_fee: Option<BasisPoints>,
    pub settlement: Settlement,
    pub policy: Option<String>,
    pub cap: Option<Amount>,
    pub collateral: Option<Collateral>,
    pub modules: Vec<NewModule>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewModule {
    pub type_id: String,
    pub module: Option<Address>,
    pub values: Value,
}

/// What a list of assets is filtered and ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    pub kind: Option<AssetKind>,
    pub order: Order,
    pub direction: Direction,
}

words! {
    /// The keys that a list of assets can be ordered by; ties are ordered by id.
    Order {
        Address = "id",
        CreatedAt = "createdAt",
        Name = "name",
        Symbol = "symbol",
    }
}

words! {
    Direction {
        Ascending = "asc",
        Descending = "desc",
    }
}

/// A paused equity of 18 decimals, for the tests of whoever looks at an asset.
#[cfg(test)]
pub(crate) fn sample() -> Asset {
    Asset {
        id: AssetId::generate(),
        address: Address::parse("0x9459D52E60edBD3178f00F9055f6C117a21b4220").unwrap(),
        kind: AssetKind::Equity,
        name: AssetName::parse("ACME Holdings Common Stock").unwrap(),
        symbol: Symbol::parse("ACME").unwrap(),
        decimals: Decimals::parse(18).unwrap(),
        isin: Isin::parse("US0378331005").ok(),
        country: CountryCode::parse_alpha2("BE").ok(),
        class: Token::parse("COMMON_EQUITY").ok(),
        category: Token::parse("VOTING_COMMON_STOCK").ok(),
        price: Some(Price {
            value: Dnum::parse_decimal("100.00").unwrap(),
            currency: Currency::parse("USD").unwrap(),
        }),
        face_value: None,
        denomination_asset: None,
        maturity: None,
        management_fee: None,
        settlement: Settlement::Book,
        policy: None,
        identity: IdentityId::generate(),
        cap: None,
        collateral: None,
        lifecycle: Lifecycle::Paused,
        supply: Amount::ZERO,
        pending: Amount::ZERO,
        holders: 0,
        balances: 0,
        next_operation: 1,
        revision: 1,
        created_by: UserId::generate(),
        created_at: Timestamp::parse("2025-01-15T10:30:00.000Z").unwrap(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_others_name_the_known_ones() {
        for kind in AssetKind::ALL {
            assert_eq!(AssetKind::parse(kind.as_str()), Ok(*kind));
        }
        for class in EquityClass::ALL {
            assert_eq!(EquityClass::parse(class.as_str()), Ok(*class));
        }
        let error = Lifecycle::parse("stopped").unwrap_err();
        assert_eq!(error.to_string(), "must be one of: paused, active");
    }

    #[test]
    fn required_collateral_is_rounded_up_to_a_base_unit() {
        let collateral = |ratio| Collateral {
            topic: TopicName::parse("collateral").unwrap(),
            ratio: BasisPoints::parse(ratio, Collateral::RATIO_MAX).unwrap(),
        };

        assert_eq!(collateral(10_000).required_for(Amount::from(7)), Some(Amount::from(7)));
        assert_eq!(collateral(5_000).required_for(Amount::from(7)), Some(Amount::from(4)));
        assert_eq!(collateral(0).required_for(Amount::MAX), Some(Amount::ZERO));
        assert_eq!(collateral(10_001).required_for(Amount::MAX), None);
    }
}
