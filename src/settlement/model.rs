use crate::types::{Address, AssetId, CountryCode, Hash32, Timestamp};

/// The chain of this deployment, as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRecord {
    pub chain_id: u64,
    /// The account that sends: the owner of the factory, an agent of every token.
    pub sender: Address,
    /// The hash of block 0: a node that was wiped is another chain with the same number.
    pub genesis: Hash32,
    /// Known once their transactions have nonces; they stand when `ready`.
    pub contracts: Option<Contracts>,
    pub ready: bool,
    /// Final Transfer logs were read up to here.
    pub observed_block: u64,
    /// Up to here they were compared with what was posted.
    pub compared_block: u64,
    pub look: Look,
}

/// What the process that sends saw at its last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// None before the first look.
    pub at: Option<Timestamp>,
    /// What keeps operations from becoming final, for people; none when all is well.
    pub trouble: Option<String>,
}

/// Where our contracts are on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contracts {
    pub factory: Address,
    pub registry: Address,
}

/// What an asset that settles on a chain has besides its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    pub asset: AssetId,
    pub chain_id: u64,
    /// The identity registry that the token asks.
    pub registry: Address,
    /// The token was there before us: its registry is not ours to fill.
    pub adopted: bool,
    /// Whether holders may transfer on the chain by themselves.
    pub holder_transfers: bool,
    /// Recipients of one operation that fit one transaction of this token.
    pub recipients_max: i32,
    /// The block in which the token stands; none until its creation is mined.
    pub first_block: Option<u64>,
    /// Of an adopted token: its final Transfer logs were read up to here. None for ours, which are read with their chain.
    pub observed_block: Option<u64>,
}

/// The contract of an asset on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub asset: AssetId,
    pub address: Address,
    pub first_block: u64,
    /// Up to where it was read; none when it is ours, and read with its chain.
    pub observed_block: Option<u64>,
}

impl Token {
    /// It was there before us.
    pub fn is_adopted(&self) -> bool {
        self.observed_block.is_some()
    }

    /// Whether everything up to this block was read.
    pub fn is_read_up_to(&self, block: u64) -> bool {
        self.observed_block.is_none_or(|observed| observed >= block)
    }
}

/// What the registry on the chain is to hold for a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub wallet: Address,
    pub identity: Address,
    pub country: Option<CountryCode>,
    pub verified: bool,
}

/// How far the registration of a wallet has come on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// A transaction with the present state is mined; until it is final its block may still vanish.
    Mined { verified: bool, is_final: bool },
    /// A change waits or is on its way.
    OnItsWay,
}

/// Whose nonces they are: one account on one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderKey {
    pub chain_id: u64,
    pub sender: Address,
}

/// What a new intent is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// For people and for the driver: `mint`, `nft`, `moves`, `change`, `registry`, `setup`, `filler`.
    pub kind: &'static str,
    pub asset: Option<AssetId>,
    /// None creates a contract.
    pub to: Option<Address>,
    pub data: Vec<u8>,
    pub operations: Vec<(AssetId, i64)>,
}

/// What a stored intent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub kind: String,
    pub asset: Option<AssetId>,
    pub to: Option<Address>,
    pub data: Vec<u8>,
    pub operations: Vec<(AssetId, i64)>,
}

/// A transaction that carries an operation; the block is there when it is mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledIn {
    pub hash: Hash32,
    pub block: Option<u64>,
}
