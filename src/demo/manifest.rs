use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cast::Name;
use crate::types::{Address, Amount};

/// What a program needs to try everything.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest<'w> {
    pub base_url: &'w str,
    pub metrics_url: &'w str,
    pub settlement: &'static str,
    /// Only where units settle on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<&'w ChainEntry>,
    #[serde(flatten)]
    pub world: &'w World,
}

/// The chain of the demo's own node.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChainEntry {
    pub name: &'static str,
    /// CAIP-2.
    pub id: String,
    pub rpc_url: String,
}

/// What the demo made in its database.
#[derive(Serialize, Deserialize)]
pub(super) struct World {
    pub users: BTreeMap<Name, Person>,
    pub assets: Assets,
    pub recipients: Recipients,
    /// Only where units settle on a chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collections: Option<Collections>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certhis: Option<CerthisEntry>,
}

/// Whoever signs with this key gets the key pair that mints into the collection by Certhis' mint API.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CerthisEntry {
    pub collection_index: i64,
    pub owner_wallet: Address,
    pub owner_private_key: String,
}

/// Of the minting API. The first two are linked to one environment, `other` to that of another project.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Collections {
    pub erc721: CollectionEntry,
    pub erc1155: CollectionEntry,
    pub other: CollectionEntry,
    pub publishable_key: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CollectionEntry {
    pub address: Address,
    pub secret_key: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Person {
    pub id: String,
    pub api_key: String,
    pub wallet: Address,
    pub pin: String,
    #[serde(flatten)]
    pub second: Option<SecondMethods>,
}

/// The verification methods that only the issuer has besides the PIN.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecondMethods {
    pub totp_secret: String,
    pub totp_algorithm: String,
    pub secret_codes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Assets {
    pub equity: AssetEntry,
    pub stablecoin: AssetEntry,
    pub paused: AssetEntry,
}

#[derive(Serialize, Deserialize)]
pub(super) struct AssetEntry {
    pub address: Address,
    pub symbol: String,
    pub decimals: u8,
    /// Base units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<Amount>,
    /// Base units that the collateral claim vouches for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collateral: Option<Amount>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recipients {
    /// Fit the equity and the stablecoin.
    pub approved: Vec<Address>,
    pub unregistered: Vec<Address>,
    /// Registered, without claims.
    pub unverified: Vec<Address>,
    /// With all claims, in a country that the baseline policy blocks.
    pub blocked_country: Vec<Address>,
    /// Approved, and their address is frozen on the equity.
    pub frozen: Vec<Address>,
}
