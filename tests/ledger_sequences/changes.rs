//! Whatever is not a mint: done to the server, and done to the model.

use moneyer::access::{self, Role, Scope};
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::identity::{self, Revocation};
use moneyer::ledger::Freeze;
use moneyer::servicing::{self, CollateralUpdate};
use moneyer::types::{Address, CountryCode, Timestamp};

use crate::cast;
use crate::chooser::Step;
use crate::model::{self, Backing, Claim, Model, Topic, Units};
use crate::support::{self, World, import_sanctions};

// What comes of a change, in a word.
const DONE: &str = "done";
const CONFLICT: &str = "conflict";

impl Model {
    fn set_paused(&mut self, book: usize, paused: bool) -> &'static str {
        let book = &mut self.books[book];
        if book.is_paused == paused {
            return CONFLICT;
        }
        book.is_paused = paused;
        book.take_number();
        DONE
    }

    fn set_cap(&mut self, book: usize, cap: Units) -> &'static str {
        let book = &mut self.books[book];
        if book.cap.is_none() {
            return "feature missing";
        }
        if !book.may_mint {
            return "forbidden";
        }
        if cap.is_zero() {
            return "amount_zero";
        }
        if cap < book.supply() {
            return "cap_below_supply";
        }
        if book.cap != Some(cap) {
            book.cap = Some(cap);
            book.take_number();
        }
        DONE
    }

    fn set_frozen(&mut self, book: usize, wallet: Address, frozen: bool) -> &'static str {
        let book = &mut self.books[book];
        let changed = match frozen {
            true => book.frozen.insert(wallet),
            false => book.frozen.remove(&wallet),
        };
        if changed {
            book.take_number();
        }
        DONE
    }

    fn set_role(&mut self, book: usize, granted: bool) -> &'static str {
        let before = std::mem::replace(&mut self.books[book].may_mint, granted);
        if before == granted { CONFLICT } else { DONE }
    }

    fn back(&mut self, book: usize, backing: Backing) -> &'static str {
        let (book, now) = (&mut self.books[book], self.now);
        if book.collateral_bps.is_none() {
            return "feature missing";
        }
        if backing.amount.is_zero() {
            return "amount_zero";
        }
        if backing.expires_at <= now {
            return "invalid";
        }
        book.backing = Some(backing);
        DONE
    }

    fn claim(&mut self, person: usize, topic: Topic, claim: Claim) -> &'static str {
        if !self.trusted.contains(&topic) {
            return "not allowed";
        }
        let claims = self.people[person].claims.entry(topic).or_default();
        claims.retain(|claim| claim.is_revoked);
        claims.push(claim);
        DONE
    }

    fn revoke(&mut self, person: usize, topic: Topic) -> &'static str {
        let trusted = self.trusted.contains(&topic);
        let claims = self.people[person].claims.entry(topic).or_default();
        if claims.is_empty() {
            // One's own claim one may always revoke; for another's one has to be trusted.
            return if trusted { "not found" } else { "not allowed" };
        }
        match claims.iter_mut().find(|claim| !claim.is_revoked) {
            Some(claim) => {
                claim.is_revoked = true;
                DONE
            }
            None => CONFLICT,
        }
    }

    fn register(&mut self, person: usize, country: &'static str) -> &'static str {
        let before = self.people[person].country.replace(country);
        if before == Some(country) { CONFLICT } else { DONE }
    }
}

/// What the server says to a change, in a word.
pub(super) fn said(result: &Result<(), Error>) -> String {
    match result {
        Ok(()) => DONE.to_owned(),
        Err(Error::Conflict(_)) => CONFLICT.to_owned(),
        Err(Error::FeatureMissing(_)) => "feature missing".to_owned(),
        Err(Error::Forbidden { .. }) => "forbidden".to_owned(),
        Err(Error::NotAllowed(_)) => "not allowed".to_owned(),
        Err(Error::NotFound(_)) => "not found".to_owned(),
        Err(Error::Invalid(_)) => "invalid".to_owned(),
        Err(Error::Refused(findings)) => findings[0].refusal.slug().to_owned(),
        Err(other) => panic!("{other}"),
    }
}

/// The same, as the model sees it.
pub(super) fn expect(model: &mut Model, step: &Step) -> &'static str {
    match step {
        Step::Pause(book) => model.set_paused(*book, true),
        Step::Unpause(book) => model.set_paused(*book, false),
        Step::SetCap(book, cap) => model.set_cap(*book, *cap),
        Step::Freeze(book, wallet) => model.set_frozen(*book, *wallet, true),
        Step::Free(book, wallet) => model.set_frozen(*book, *wallet, false),
        Step::Back(book, backing) => model.back(*book, *backing),
        Step::Grant(book) => model.set_role(*book, true),
        Step::Revoke(book) => model.set_role(*book, false),
        Step::Claim(person, topic, claim) => model.claim(*person, *topic, *claim),
        Step::RevokeClaim(person, topic) => model.revoke(*person, *topic),
        Step::Register(person, country) => model.register(*person, country),
        Step::Trust(topic) => {
            model.trusted.insert(*topic);
            DONE
        }
        Step::Distrust(topic) => {
            model.trusted.remove(topic);
            DONE
        }
        Step::ImportSanctions => {
            model.sanctions_as_of = model.now;
            DONE
        }
        Step::Group(_) | Step::Lanes(_) | Step::Advance(_) | Step::Replace(_) => unreachable!("not a change"),
    }
}

/// `model` already is as the change should leave it; only names are taken from it.
pub(super) fn perform(
    tx: &mut Tx<'_>,
    world: &World,
    model: &Model,
    now: Timestamp,
    trusted: &Address,
    step: &Step,
) -> Result<(), Error> {
    let asset = |book: &usize| model.books[*book].asset;
    let (emergency, custodian) = (world.emergency.ctx(now), world.custodian.ctx(now));
    match step {
        Step::Pause(book) => servicing::pause(tx, &emergency, asset(book)).map(|_| ()),
        Step::Unpause(book) => servicing::unpause(tx, &emergency, asset(book)).map(|_| ()),
        Step::SetCap(book, cap) => {
            servicing::set_cap(tx, &world.issuer.ctx(now), asset(book), model::amount(*cap)).map(|_| ())
        }
        Step::Freeze(book, wallet) => {
            servicing::freeze_address(tx, &custodian, asset(book), *wallet, Freeze::Frozen).map(|_| ())
        }
        Step::Free(book, wallet) => {
            servicing::freeze_address(tx, &custodian, asset(book), *wallet, Freeze::Free).map(|_| ())
        }
        Step::Back(book, backing) => {
            let update = CollateralUpdate {
                amount: model::amount(backing.amount),
                expires_at: backing.expires_at,
            };
            servicing::update_collateral(tx, &world.trusted.ctx(now), asset(book), update)
        }
        Step::Grant(book) => {
            access::grant(tx, &world.admin.ctx(now), Scope::Asset(asset(book)), &issuer(world)).map(|_| ())
        }
        Step::Revoke(book) => {
            access::revoke(tx, &world.admin.ctx(now), Scope::Asset(asset(book)), &issuer(world)).map(|_| ())
        }
        Step::Claim(person, topic, claim) => {
            let target = [model.people[*person].identity];
            cast::issue(tx, world, now, *topic, &target, claim.not_before, claim.expires_at)
        }
        Step::RevokeClaim(person, topic) => {
            let revocation = Revocation {
                target: model.people[*person].identity,
                topic: cast::topic_name(*topic),
                issuer: None,
            };
            identity::revoke_claim(tx, &world.trusted.ctx(now), &revocation).map(|_| ())
        }
        Step::Register(person, country) => {
            let country = CountryCode::parse_alpha2(country).unwrap();
            let wallet = model.people[*person].wallets[0];
            identity::register(tx, &world.officer.ctx(now), wallet, country).map(|_| ())
        }
        Step::Trust(_) | Step::Distrust(_) => {
            let curator = world.system[&Role::ClaimPolicyManager].ctx(now);
            let mut topics: Vec<_> = model.trusted.iter().map(|topic| cast::topic_name(*topic)).collect();
            topics.push(support::topic("collateral"));
            identity::update_trusted_issuer(tx, &curator, trusted, &topics).map(|_| ())
        }
        Step::ImportSanctions => import_sanctions(tx, now),
        Step::Group(_) | Step::Lanes(_) | Step::Advance(_) | Step::Replace(_) => unreachable!("not a change"),
    }
}

fn issuer(world: &World) -> [access::Grant; 1] {
    [(world.issuer.wallet, Role::SupplyManagement)]
}
