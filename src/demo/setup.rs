//! The people of the demo: users, API keys, roles in the system, and what they verify with.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use secrecy::ExposeSecret as _;

use super::cast::Name;
use super::manifest::{Person, SecondMethods};
use super::place;
use super::secrets::Secrets;
use crate::access::{self, Grant, KeyKind, NewKey, NewUser, Role, Scope, User, random_text};
use crate::app::App;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, RequestId, Timestamp};
use crate::wallet::{self, Algorithm, Enrolment, Method, Pin, PinHash, SecretCodes, Shown, Spend};

const DIGITS: &[u8; 10] = b"0123456789";
/// Who has an authenticator app and secret codes besides the PIN.
const THOROUGH: Name = Name::Issuer;
/// One time step of RFC 6238. The password of the step before is used up by the set-up, so that the one an app shows when
/// the demo is ready is still good.
const STEP_SECONDS: i64 = 30;

/// A user, and in clear what it takes to act as them.
pub(super) struct Member {
    pub user: User,
    pub person: Person,
}

pub(super) struct People(BTreeMap<Name, Member>);

impl People {
    pub(super) fn member(&self, name: Name) -> Result<&Member, Error> {
        self.0
            .get(&name)
            .ok_or_else(|| Error::internal("a person of the demo is missing"))
    }

    /// What they do now.
    pub(super) fn ctx(&self, app: &App, name: Name) -> Result<Ctx, Error> {
        Ok(app.ctx(self.member(name)?.user.actor(), RequestId::generate()))
    }

    /// The grants on an asset of everybody who has a role there.
    pub(super) fn asset_grants(&self) -> Vec<Grant> {
        let grant = |(name, member): (&Name, &Member)| Some((member.user.wallet, name.asset_role()?));
        self.0.iter().filter_map(grant).collect()
    }

    pub(super) fn into_manifest(self) -> BTreeMap<Name, Person> {
        self.0.into_iter().map(|(name, member)| (name, member.person)).collect()
    }
}

/// Makes everybody, and marks the database in the same transaction: the demo's first change.
pub(super) async fn people(app: &App, secrets: &mut Secrets) -> Result<People, Error> {
    let mut wallets = Vec::new();
    for name in Name::ALL {
        wallets.push((name, secrets.new_wallet()?));
    }
    let (vault, demo, now) = (Arc::clone(app.vault()), secrets.demo.clone(), app.now());
    let made = app.db().write(move |tx| {
        place::mark(tx, &demo, now)?;
        let mut made = Vec::new();
        let mut admin: Option<Ctx> = None;
        for (name, wallet) in &wallets {
            let user = make_user(tx, admin.as_ref(), now, *name, *wallet)?;
            let admin = admin.get_or_insert_with(|| first_ctx(&user, now));
            grant_system_roles(tx, admin, *name, *wallet)?;
            let key = NewKey {
                user: user.id,
                name: Some("demo".to_owned()),
                kind: KeyKind::Test,
                expires_at: None,
            };
            let issued = access::create_key(tx, &vault, &*admin, key)?;
            made.push((*name, user, issued.key.reveal().to_owned()));
        }
        Ok(made)
    });
    let mut people = BTreeMap::new();
    for (name, user, api_key) in made.await? {
        people.insert(name, member(user, api_key)?);
    }
    verification(app, People(people)).await
}

/// The first of them is the admin, whom nobody but the command line can make.
fn make_user(tx: &mut Tx<'_>, admin: Option<&Ctx>, now: Timestamp, name: Name, wallet: Address) -> Result<User, Error> {
    let Some(admin) = admin else {
        return access::bootstrap_admin(tx, now, name.title(), wallet);
    };
    let new = NewUser {
        name: name.title().to_owned(),
        wallet,
    };
    access::create_user(tx, admin, new)
}

fn first_ctx(admin: &User, now: Timestamp) -> Ctx {
    Ctx {
        actor: admin.actor(),
        request_id: RequestId::generate(),
        now,
    }
}

fn grant_system_roles(tx: &mut Tx<'_>, admin: &Ctx, name: Name, wallet: Address) -> Result<(), Error> {
    let roles: &[Role] = name.system_roles();
    if roles.is_empty() {
        return Ok(());
    }
    let grants: Vec<Grant> = roles.iter().map(|role| (wallet, *role)).collect();
    access::grant(tx, admin, Scope::System, &grants).map(|_| ())
}

fn member(user: User, api_key: String) -> Result<Member, Error> {
    let pin = random_text(DIGITS, Pin::LENGTH)?;
    let person = Person {
        id: user.id.to_string(),
        api_key,
        wallet: user.wallet,
        pin: pin.to_string(),
        second: None,
    };
    Ok(Member { user, person })
}

/// Gives everybody a PIN, and the issuer all methods.
async fn verification(app: &App, mut people: People) -> Result<People, Error> {
    let hashes = people.0.values().map(|member| hash(app, member));
    let pins = try_join_all(hashes).await?;
    let thorough = people.ctx(app, THOROUGH)?;
    let enrolment = Enrolment::generate(Enrolment::ISSUER_DEFAULT, &thorough.actor.wallet, Algorithm::Sha1)?;
    let codes = SecretCodes::generate()?;
    let second = SecondMethods {
        totp_secret: enrolment.secret.expose_secret().to_owned(),
        totp_algorithm: enrolment.algorithm.as_str().to_owned(),
        secret_codes: codes
            .as_slice()
            .iter()
            .map(|code| code.expose_secret().to_owned())
            .collect(),
    };
    let first = enrolment.password_at(thorough.now.plus_seconds(-STEP_SECONDS))?;

    let set = app.db().write(move |tx| {
        pins.iter()
            .try_for_each(|(ctx, pin)| wallet::enable_pin(tx, ctx, pin, Shown::KeyAlone))
    });
    set.await?;
    let member = people.0.get(&THOROUGH).ok_or(Error::NotFound("the issuer"))?;
    let pin = prove(app, &thorough, member).await?;
    let (vault, ctx) = (Arc::clone(app.vault()), thorough.clone());
    let begun = app.db().write(move |tx| {
        for spent in wallet::spend(tx, std::slice::from_ref(&pin), ctx.now)? {
            if !matches!(spent, Spend::Spent) {
                return Err(Error::internal("the PIN that was just set does not verify"));
            }
        }
        wallet::begin_otp(tx, &vault, &ctx, &enrolment, Shown::Code)?;
        wallet::put_codes(tx, &vault, &ctx, &codes, Shown::Code)
    });
    begun.await?;
    let proof = app.verifier().prove_enrolment(app.db(), &thorough, &first).await?;
    let confirmed = app.db().write(move |tx| {
        wallet::confirm_otp(tx, &thorough, &proof)?;
        wallet::confirm_codes(tx, &thorough)
    });
    confirmed.await?;
    if let Some(member) = people.0.get_mut(&THOROUGH) {
        member.person.second = Some(second);
    }
    Ok(people)
}

async fn hash(app: &App, member: &Member) -> Result<(Ctx, PinHash), Error> {
    let pin = Pin::parse(&member.person.pin).map_err(Error::internal)?;
    let hash = app.verifier().hash_pin(member.user.id, pin).await?;
    Ok((app.ctx(member.user.actor(), RequestId::generate()), hash))
}

/// A proof by PIN, as every mint needs one.
pub(super) async fn prove(app: &App, ctx: &Ctx, member: &Member) -> Result<wallet::Proof, Error> {
    let pin = member.person.pin.clone().into();
    app.verifier()
        .prove(app.db(), ctx.actor, ctx.now, Method::Pincode, &pin)
        .await
}
