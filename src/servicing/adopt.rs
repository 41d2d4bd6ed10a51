use crate::access::{self, Permission, Scope};
use crate::asset::{self, Asset, AssetName, Decimals, NewAsset, Settlement, Symbol};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::policy::PolicySet;
use crate::settlement::{self, Found};
use crate::types::{Address, OperationId};

/// What an asset needs that its contract does not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Name, symbol and decimals stand for those of the contract.
    pub new: NewAsset,
    /// The decimals that the cap was written with, if it was.
    pub cap_decimals: Option<u8>,
}

/// Takes over a token that was there before us, as the chain was seen to have it: its holders hold what they held, and it
/// is paused or not as it was. Complete at once; nothing is sent.
///
/// `AlreadyExists` when it is an asset of this server; else the errors of [`asset::create`], also when what the contract
/// says does not fit: a name or symbol of another form, more decimals, a supply above the cap.
pub fn adopt(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    policies: &PolicySet,
    terms: Terms,
    found: &Found,
) -> Result<(Asset, OperationId), Error> {
    may_adopt(tx, ctx)?;
    require_unknown(tx, &found.address)?;
    let new = named(terms, found)?;
    if let Some(cap) = new.cap.filter(|cap| *cap < found.supply) {
        let message = format!("{cap} is below the supply of {}", found.supply);
        return Err(Error::Invalid(vec![Issue::new("cap", "range", message)]));
    }
    let adopted = asset::adopt(tx, ctx, policies, new, found.address, found.lifecycle)?;
    let operation = settlement::take_over(tx, ctx, &adopted, found)?;
    Ok((asset::find(tx, adopted.id)?, operation.id))
}

pub fn may_adopt(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
    access::require(tx, ctx, Permission::CreateAsset, Scope::System)
}

fn require_unknown(tx: &mut Tx<'_>, address: &Address) -> Result<(), Error> {
    match asset::find_by_address(tx, address) {
        Ok(_) => Err(Error::AlreadyExists("The token is an asset of this server".to_owned())),
        Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The new asset with what the contract says.
fn named(terms: Terms, found: &Found) -> Result<NewAsset, Error> {
    let facts = &found.facts;
    let unfit = |what: &str, problem: String| {
        let message = format!("its {what} {problem}");
        Error::Invalid(vec![Issue::new("address", "unsupported", message)])
    };
    let name = AssetName::parse(&facts.name).map_err(|error| unfit("name", error.to_string()))?;
    let symbol = Symbol::parse(&facts.symbol).map_err(|error| unfit("symbol", error.to_string()))?;
    let decimals = u64::from(facts.decimals);
    let decimals = Decimals::parse(decimals).map_err(|error| unfit("number of decimals", error.to_string()))?;
    if let Some(written) = terms.cap_decimals.filter(|written| *written != decimals.get()) {
        let message = format!("the dnum has {written} decimals, the asset has {}", decimals.get());
        return Err(Error::Invalid(vec![Issue::new("cap", "range", message)]));
    }
    Ok(NewAsset {
        name,
        symbol,
        decimals,
        settlement: Settlement::Evm,
        ..terms.new
    })
}
