//! Against a SQLite file of its own; `tests/` runs the same commands on PostgreSQL.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::access::{self, By, NewUser, Role, Scope};
use crate::audit::EventFilter;
use crate::chain::ClaimShape;
use crate::chain::testing::ClaimSigner;
use crate::db::{Db, Page, Settings};
use crate::types::{Amount, CountryCode, RequestId, Timestamp, TopicName};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: i64 = 86_400;

struct Fixture {
    db: Db,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// With the built-in topics.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            url: SecretString::from(format!("sqlite:{}", folder.path().join("test.db").display())),
            connections_max: 4,
            wait: Duration::from_secs(5),
        };
        let db = Db::connect(&settings).unwrap();
        db.migrate(false).unwrap();
        db.write_blocking(|tx| seed_topics(tx, NOW)).unwrap();
        Self { db, _folder: folder }
    }

    fn write<T>(&self, work: impl Fn(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.db.write_blocking(work)
    }

    /// A user with these system roles.
    fn person(&self, byte: u8, roles: &[Role]) -> Ctx {
        let grants: Vec<_> = roles.iter().map(|role| (wallet(byte), *role)).collect();
        let user = self.write(|tx| {
            let new = NewUser {
                name: format!("User {byte}"),
                wallet: wallet(byte),
            };
            let user = access::create_user(tx, By::command_line(NOW), new)?;
            if !grants.is_empty() {
                access::grant(tx, By::command_line(NOW), Scope::System, &grants)?;
            }
            Ok(user)
        });
        Ctx {
            actor: user.unwrap().actor(),
            request_id: RequestId::generate(),
            now: NOW,
        }
    }

    /// An identity manager and claim policy manager.
    fn officer(&self) -> Ctx {
        self.person(100, &[Role::IdentityManager, Role::ClaimPolicyManager])
    }

    /// A claim issuer with an identity that is trusted for KYC and collateral.
    fn issuer(&self, officer: &Ctx, byte: u8) -> (Ctx, Identity) {
        let ctx = self.person(byte, &[Role::ClaimIssuer]);
        let identity = self.write(|tx| create(tx, &ctx, wallet(byte))).unwrap();
        let topics = [topic("knowYourCustomer"), topic("collateral")];
        self.write(|tx| add_trusted_issuer(tx, officer, &identity.address, &topics))
            .unwrap();
        (ctx, identity)
    }

    fn investor(&self, officer: &Ctx, byte: u8) -> Identity {
        let entries = [(wallet(byte), country("FR"))];
        let mut registered = self.write(|tx| register_many(tx, officer, &entries)).unwrap();
        registered.pop().unwrap()
    }

    fn facts(&self, byte: u8, now: Timestamp) -> Recipient {
        let mut found = self
            .db
            .read_blocking(|tx| recipients(tx, &[wallet(byte)], now))
            .unwrap();
        found.remove(&wallet(byte)).unwrap()
    }

    fn claims(&self, officer: &Ctx, identity: &Identity) -> Vec<Claim> {
        let list = |tx: &mut Tx<'_>| claims_by_wallet(tx, officer, &identity.account, &Page::default());
        self.db.read_blocking(list).unwrap().1
    }

    fn actions(&self) -> Vec<String> {
        let list = |tx: &mut Tx<'_>| audit::list(tx, &EventFilter::default(), &Page::default());
        let (events, _) = self.db.read_blocking(list).unwrap();
        events.into_iter().map(|event| event.action).collect()
    }
}

fn wallet(byte: u8) -> Address {
    Address::from_bytes([byte; 20])
}

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).unwrap()
}

fn country(code: &str) -> CountryCode {
    CountryCode::parse_alpha2(code).unwrap()
}

fn later(ctx: &Ctx, seconds: i64) -> Ctx {
    Ctx {
        now: ctx.now.plus_seconds(seconds),
        ..ctx.clone()
    }
}

fn kyc(target: &Identity) -> NewClaim {
    NewClaim {
        target: target.address,
        topic: topic("knowYourCustomer"),
        data: ClaimData::Values(json!({ "claim": "verified" })),
        attestation: Attestation::Caller,
        terms: ClaimTerms::default(),
    }
}

fn signed(target: &Identity, issuer: &Identity, signer: &ClaimSigner) -> NewClaim {
    let topics_data = ClaimShape::parse("string claim").unwrap();
    let data = topics_data.encode(&json!(["verified"])).unwrap();
    let signature = signer.sign(&target.address, topic("knowYourCustomer").number(), &data);
    NewClaim {
        attestation: Attestation::Signed {
            issuer: issuer.address,
            signature,
        },
        ..kyc(target)
    }
}

fn paths(error: Error) -> Vec<String> {
    match error {
        Error::Invalid(issues) => issues.iter().map(|issue| issue.path.join(".")).collect(),
        other => panic!("not invalid: {other:?}"),
    }
}

// --- identities -----------------------------------------------------------------------------------------------------

#[test]
fn everybody_creates_an_identity_for_the_own_wallet_and_managers_for_others() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let stranger = fixture.person(1, &[]);
    let create = |ctx: &Ctx, byte| fixture.write(|tx| create(tx, ctx, wallet(byte)));

    let own = create(&stranger, 1).unwrap();
    let other = create(&officer, 2).unwrap();

    assert_eq!((own.account, own.registered, own.country), (wallet(1), false, None));
    assert_ne!(own.address, other.address);
    assert!(matches!(create(&stranger, 3), Err(Error::Forbidden { .. })));
    assert!(matches!(create(&stranger, 1), Err(Error::Conflict(_))));
    assert!(matches!(create(&officer, 0), Err(Error::Invalid(_))));
    assert_eq!(fixture.db.read_blocking(|tx| by_wallet(tx, &wallet(1))).unwrap(), own);
    assert_eq!(
        fixture.db.read_blocking(|tx| by_address(tx, &other.address)).unwrap(),
        other
    );
}

#[test]
fn registering_needs_the_right_and_an_identity_and_says_the_country() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let stranger = fixture.person(1, &[]);
    let register = |ctx: &Ctx, code| fixture.write(|tx| register(tx, ctx, wallet(1), country(code)));
    assert!(matches!(register(&stranger, "FR"), Err(Error::Forbidden { .. })));
    assert!(matches!(register(&officer, "FR"), Err(Error::NotFound("identity"))));
    fixture.write(|tx| create(tx, &stranger, wallet(1))).unwrap();

    let registered = register(&officer, "FR").unwrap();
    let again = register(&officer, "FR");
    let moved = register(&later(&officer, 5), "DE").unwrap();

    assert_eq!((registered.registered, registered.country), (true, Some(country("FR"))));
    assert_eq!(registered.registered_at, Some(NOW));
    assert!(matches!(again, Err(Error::Conflict(_))));
    assert_eq!((moved.country, moved.registered_at), (Some(country("DE")), Some(NOW)));
    assert_eq!(fixture.actions()[..2], ["identity.registered", "identity.registered"]);
}

#[test]
fn many_wallets_are_registered_at_once_whatever_they_were_before() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    fixture.write(|tx| create(tx, &officer, wallet(1))).unwrap();
    fixture.investor(&officer, 2);
    let entries: Vec<_> = (1..=60).map(|byte| (wallet(byte), country("BE"))).collect();

    let registered = fixture.write(|tx| register_many(tx, &officer, &entries)).unwrap();

    assert_eq!(registered.len(), 60);
    assert!(
        registered
            .iter()
            .all(|i| i.registered && i.country == Some(country("BE")))
    );
    let again = fixture.write(|tx| register_many(tx, &officer, &entries)).unwrap();
    assert_eq!(again.len(), 60);
    let twice = [(wallet(90), country("BE")), (wallet(90), country("FR"))];
    assert!(fixture.write(|tx| register_many(tx, &officer, &twice)).is_err());
    assert!(fixture.db.read_blocking(|tx| by_wallet(tx, &wallet(90))).is_err());
}

#[test]
fn identities_are_listed_in_pages_and_filtered() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let entries: Vec<_> = (1..=5).map(|byte| (wallet(byte), country("BE"))).collect();
    fixture.write(|tx| register_many(tx, &officer, &entries)).unwrap();
    fixture.write(|tx| create(tx, &officer, wallet(6))).unwrap();
    fixture.write(|tx| create_for_asset(tx, NOW, wallet(7))).unwrap();
    let list =
        |filter: &IdentityFilter, page: &Page| fixture.db.read_blocking(|tx| list(tx, &officer, filter, page)).unwrap();

    let (first, total, cursor) = list(&IdentityFilter::default(), &Page::first(4));
    let page = Page {
        cursor,
        ..Page::first(4)
    };
    let (second, _, end) = list(&IdentityFilter::default(), &page);
    let registered = IdentityFilter {
        registered: Some(true),
        country: Some(country("BE")),
        ..IdentityFilter::default()
    };
    let assets = IdentityFilter {
        kind: Some(Kind::Asset),
        ..IdentityFilter::default()
    };

    assert_eq!((first.len(), second.len(), total, end), (4, 3, 7, None));
    assert!(first.iter().all(|identity| !second.contains(identity)));
    assert_eq!(list(&registered, &Page::default()).1, 5);
    assert_eq!(list(&assets, &Page::default()).0[0].account, wallet(7));
    let stranger = fixture.person(50, &[Role::Auditor]);
    let refused = fixture
        .db
        .read_blocking(|tx| super::list(tx, &stranger, &assets, &Page::default()));
    assert!(matches!(refused, Err(Error::Forbidden { .. })));
}

#[test]
fn ones_own_identity_is_readable_and_others_only_with_the_right() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let stranger = fixture.person(1, &[]);
    let own = fixture.write(|tx| create(tx, &stranger, wallet(1))).unwrap();
    let other = fixture.investor(&officer, 2);
    let read = |ctx: &Ctx, address| fixture.db.read_blocking(|tx| read_by_address(tx, ctx, &address));

    assert_eq!(read(&stranger, own.address).unwrap(), own);
    assert_eq!(fixture.db.read_blocking(|tx| mine(tx, &stranger)).unwrap(), own);
    assert_eq!(read(&officer, other.address).unwrap(), other);
    assert!(matches!(read(&stranger, other.address), Err(Error::Forbidden { .. })));
    assert!(matches!(read(&stranger, wallet(99)), Err(Error::Forbidden { .. })));
    assert!(matches!(read(&officer, wallet(99)), Err(Error::NotFound("identity"))));
}

// --- topics and trusted issuers -------------------------------------------------------------------------------------

#[test]
fn the_built_in_topics_are_there_once_and_keep_their_meaning() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    fixture.write(|tx| seed_topics(tx, NOW)).unwrap();

    let topics = fixture.db.read_blocking(list_topics).unwrap();
    let update = |change: &TopicChange| fixture.write(|tx| update_topic(tx, &officer, &topic("collateral"), change));
    let refused = update(&TopicChange {
        shape: ClaimShape::parse("string claim").ok(),
        ..TopicChange::default()
    });
    let longer = TopicChange {
        validity_seconds_max: Some(2 * DAY),
        ..TopicChange::default()
    };
    let too_long = TopicChange {
        validity_seconds_max: Some(ClaimTopic::VALIDITY_SECONDS_MAX + 1),
        ..TopicChange::default()
    };

    assert_eq!(topics.len(), 18);
    assert!(matches!(refused, Err(Error::Conflict(_))));
    assert_eq!(paths(update(&too_long).unwrap_err()), ["validitySecondsMax"]);
    let updated = update(&longer).unwrap();
    assert_eq!(updated.validity_seconds_max, 2 * DAY);
    let deleted = fixture.write(|tx| delete_topic(tx, &officer, &topic("collateral")));
    assert!(matches!(deleted, Err(Error::Conflict(_))));
}

#[test]
fn a_topic_is_deleted_only_while_nothing_uses_it() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let issuer = fixture.write(|tx| create(tx, &officer, wallet(1))).unwrap();
    let new = || NewTopic::parse(topic("suitability"), "uint8 level, string note").unwrap();
    let create = |ctx: &Ctx| fixture.write(|tx| create_topic(tx, ctx, new()));
    let delete = || fixture.write(|tx| delete_topic(tx, &officer, &topic("suitability")));

    assert!(matches!(create(&fixture.person(2, &[])), Err(Error::Forbidden { .. })));
    let created = create(&officer).unwrap();
    assert_eq!(created.validity_seconds_max, ClaimTopic::VALIDITY_SECONDS_DEFAULT);
    assert!(matches!(create(&officer), Err(Error::AlreadyExists(_))));
    let topics = [topic("suitability")];
    fixture
        .write(|tx| add_trusted_issuer(tx, &officer, &issuer.address, &topics))
        .unwrap();
    assert!(matches!(delete(), Err(Error::Conflict(_))));
    fixture
        .write(|tx| remove_trusted_issuer(tx, &officer, &issuer.address))
        .unwrap();
    assert!(delete().is_ok());
    assert!(matches!(delete(), Err(Error::NotFound("claim topic"))));
}

#[test]
fn topics_are_found_by_name_and_by_either_form_of_their_number() {
    let fixture = Fixture::new();
    let collateral = "56591694316807385155654796962642700009023257328234168678289712861780104020528";
    let hex = "0x7d1dc38e60930664f8cbf495da6556ca091d2f92d6550877750c049864b18230";
    let wanted = ["isin", collateral, hex].map(str::to_owned);

    let found = fixture
        .db
        .read_blocking(|tx| find_topics(tx, "claimTopicIds", &wanted))
        .unwrap();
    let unknown = ["isin", "unheardOf"].map(str::to_owned);
    let refused = fixture
        .db
        .read_blocking(|tx| find_topics(tx, "claimTopicIds", &unknown));

    assert_eq!(found, [topic("isin"), topic("collateral"), topic("collateral")]);
    assert_eq!(paths(refused.unwrap_err()), ["claimTopicIds.1"]);
}

#[test]
fn trust_is_given_replaced_and_taken_away_topic_by_topic() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let identity = fixture.write(|tx| create(tx, &officer, wallet(1))).unwrap();
    let (kyc, aml) = (topic("knowYourCustomer"), topic("antiMoneyLaundering"));
    let add = |ctx: &Ctx, issuer| fixture.write(|tx| add_trusted_issuer(tx, ctx, &issuer, &[aml.clone(), kyc.clone()]));
    let topics = || fixture.db.read_blocking(trusted_topics).unwrap();

    assert!(matches!(
        add(&fixture.person(2, &[]), identity.address),
        Err(Error::Forbidden { .. })
    ));
    assert!(matches!(add(&officer, wallet(9)), Err(Error::NotFound("identity"))));
    let added = add(&officer, identity.address).unwrap();
    assert_eq!((added.topics.len(), added.account), (2, wallet(1)));
    assert!(matches!(add(&officer, identity.address), Err(Error::AlreadyExists(_))));
    assert_eq!(topics(), [kyc.clone(), aml.clone()].into());

    let update = |issuer, topics: &[TopicName]| {
        let topics = topics.to_vec();
        fixture.write(|tx| update_trusted_issuer(tx, &later(&officer, 60), &issuer, &topics))
    };
    assert_eq!(
        update(identity.address, std::slice::from_ref(&kyc)).unwrap().topics,
        std::slice::from_ref(&kyc)
    );
    let [kept] = fixture
        .db
        .read_blocking(list_trusted_issuers)
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(kept.added_at, NOW);
    assert!(matches!(
        update(wallet(9), std::slice::from_ref(&kyc)),
        Err(Error::NotFound("trusted issuer"))
    ));
    assert_eq!(paths(update(identity.address, &[]).unwrap_err()), ["claimTopicIds"]);
    assert_eq!(topics(), [kyc].into());
}

// --- claims ---------------------------------------------------------------------------------------------------------

#[test]
fn a_trusted_issuers_claim_counts_and_says_who_issued_it() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, issuer_identity) = fixture.issuer(&officer, 10);
    let investor = fixture.investor(&officer, 1);

    let claim = fixture.write(|tx| issue_claim(tx, &issuer, &kyc(&investor))).unwrap();

    let facts = fixture.facts(1, NOW);
    assert_eq!(claim.issued_by, Some(issuer.actor.user));
    assert_eq!((claim.scheme, claim.values[0].value.as_str()), (3, "verified"));
    assert_eq!((facts.registered, facts.country), (true, Some(country("FR"))));
    assert_eq!(facts.identity_address, investor.address);
    let [fact] = facts.claims.as_slice() else {
        panic!("{facts:?}")
    };
    assert_eq!(
        (fact.trusted, fact.signature_valid, fact.revoked_at),
        (true, true, None)
    );
    assert_eq!(
        (fact.issuer, fact.expires_at),
        (issuer_identity.address, NOW.plus_seconds(365 * DAY))
    );
    assert_eq!(fixture.claims(&officer, &investor), [claim]);
    assert_eq!(fixture.actions()[0], "claim.issued");
}

#[test]
fn issuing_needs_the_role_and_the_trust_and_a_known_topic() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, _) = fixture.issuer(&officer, 10);
    let untrusted = fixture.person(11, &[Role::ClaimIssuer]);
    let roleless = fixture.person(12, &[]);
    let investor = fixture.investor(&officer, 1);
    let issue = |ctx: &Ctx, claim: &NewClaim| fixture.write(|tx| issue_claim(tx, ctx, claim)).unwrap_err();
    let of_topic = |name: &str| NewClaim {
        topic: topic(name),
        ..kyc(&investor)
    };

    assert!(matches!(issue(&roleless, &kyc(&investor)), Error::Forbidden { .. }));
    assert!(matches!(issue(&untrusted, &kyc(&investor)), Error::NotAllowed(text) if text.contains("knowYourCustomer")));
    fixture.write(|tx| create(tx, &untrusted, wallet(11))).unwrap();
    assert!(matches!(issue(&untrusted, &kyc(&investor)), Error::NotAllowed(_)));
    assert!(
        matches!(issue(&issuer, &of_topic("regulationS")), Error::NotAllowed(text) if text.contains("regulationS"))
    );
    assert_eq!(paths(issue(&issuer, &of_topic("unheardOf"))), ["claim.topic"]);
    let elsewhere = NewClaim {
        target: wallet(99),
        ..kyc(&investor)
    };
    assert!(matches!(issue(&issuer, &elsewhere), Error::NotFound("identity")));
    let wrong_data = NewClaim {
        data: ClaimData::Values(json!({ "claim": 5 })),
        ..kyc(&investor)
    };
    assert_eq!(paths(issue(&issuer, &wrong_data)), ["claim.data.claim"]);
    assert!(fixture.facts(1, NOW).claims.is_empty());
}

#[test]
fn a_later_claim_supersedes_and_nothing_is_lost() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, _) = fixture.issuer(&officer, 10);
    let (second_issuer, _) = fixture.issuer(&officer, 11);
    let investor = fixture.investor(&officer, 1);
    let issue = |ctx: &Ctx| fixture.write(|tx| issue_claim(tx, ctx, &kyc(&investor))).unwrap();

    let first = issue(&issuer);
    let other = issue(&second_issuer);
    let second = issue(&later(&issuer, 60));

    let facts = fixture.facts(1, NOW);
    let ids: Vec<_> = facts.claims.iter().map(|claim| claim.id).collect();
    assert_eq!(ids, [other.id, second.id]);
    let kept = fixture.claims(&officer, &investor);
    let superseded = kept.iter().find(|claim| claim.id == first.id).unwrap();
    assert_eq!(kept.len(), 3);
    assert_eq!(superseded.status, ClaimStatus::Superseded);
    assert_eq!(superseded.ended_at, Some(NOW.plus_seconds(60)));
    assert_eq!(superseded.ended_by, Some(issuer.actor.user));
}

#[test]
fn a_claim_ends_with_its_expiry_and_never_later_than_its_topic_allows() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, _) = fixture.issuer(&officer, 10);
    let investor = fixture.investor(&officer, 1);
    let issue = |expires_at| {
        let terms = ClaimTerms {
            expires_at: Some(expires_at),
            ..ClaimTerms::default()
        };
        let claim = NewClaim {
            terms,
            ..kyc(&investor)
        };
        fixture.write(|tx| issue_claim(tx, &issuer, &claim))
    };
    let latest = NOW.plus_seconds(365 * DAY);

    assert_eq!(paths(issue(NOW).unwrap_err()), ["expiresAt"]);
    assert_eq!(
        paths(issue(Timestamp::from_micros(latest.micros() + 1)).unwrap_err()),
        ["expiresAt"]
    );
    assert!(issue(latest).is_ok());
    assert!(issue(Timestamp::from_micros(NOW.micros() + 1)).is_ok());
    // Whether it counts at an instant is for the rules; the fact is there either way.
    assert_eq!(fixture.facts(1, latest).claims[0].expires_at.micros(), NOW.micros() + 1);
}

#[test]
fn a_claim_signed_with_a_key_of_the_issuer_is_accepted_until_the_key_is_removed() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, issuer_identity) = fixture.issuer(&officer, 10);
    let courier = fixture.person(11, &[Role::ClaimIssuer]);
    let investor = fixture.investor(&officer, 1);
    let signer = ClaimSigner::from_seed(7);
    let issue = || fixture.write(|tx| issue_claim(tx, &courier, &signed(&investor, &issuer_identity, &signer)));

    assert_eq!(paths(issue().unwrap_err()), ["signature"]);
    let (identity, key) = (issuer_identity.address, signer.address());
    fixture
        .write(|tx| add_key(tx, &issuer, &identity, &key, KeyPurpose::ClaimSigner))
        .unwrap();
    let claim = issue().unwrap();

    assert_eq!((claim.scheme, claim.signer, claim.issued_by), (1, Some(key), None));
    assert_eq!(claim.issuer, identity);
    assert!(fixture.facts(1, NOW).claims[0].signature_valid);
    fixture
        .write(|tx| remove_key(tx, &issuer, &identity, &key, KeyPurpose::ClaimSigner))
        .unwrap();
    let fact = &fixture.facts(1, NOW).claims[0];
    assert_eq!((fact.trusted, fact.signature_valid), (true, false));
}

#[test]
fn a_management_key_signs_too_and_an_untrusted_issuers_signature_does_not_count() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, issuer_identity) = fixture.issuer(&officer, 10);
    let investor = fixture.investor(&officer, 1);
    let signer = ClaimSigner::from_seed(7);
    let key = signer.address();
    let issue = |issuer_identity: &Identity| {
        fixture.write(|tx| issue_claim(tx, &issuer, &signed(&investor, issuer_identity, &signer)))
    };
    let (identity, purpose) = (issuer_identity.address, KeyPurpose::Management);
    fixture
        .write(|tx| add_key(tx, &issuer, &identity, &key, purpose))
        .unwrap();

    assert!(issue(&issuer_identity).is_ok());
    let untrusted = fixture.investor(&officer, 2);
    fixture
        .write(|tx| add_key(tx, &officer, &untrusted.address, &key, KeyPurpose::ClaimSigner))
        .unwrap();
    assert!(matches!(issue(&untrusted), Err(Error::NotAllowed(_))));
}

#[test]
fn a_signature_does_not_fit_another_identity_or_other_data() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, issuer_identity) = fixture.issuer(&officer, 10);
    let (investor, other) = (fixture.investor(&officer, 1), fixture.investor(&officer, 2));
    let signer = ClaimSigner::from_seed(7);
    let (identity, key) = (issuer_identity.address, signer.address());
    fixture
        .write(|tx| add_key(tx, &issuer, &identity, &key, KeyPurpose::ClaimSigner))
        .unwrap();
    let issue = |claim: NewClaim| fixture.write(|tx| issue_claim(tx, &issuer, &claim)).unwrap_err();
    let honest = signed(&investor, &issuer_identity, &signer);

    let moved = NewClaim {
        target: other.address,
        ..honest.clone()
    };
    let tampered = NewClaim {
        data: ClaimData::Values(json!({ "claim": "rejected" })),
        ..honest
    };

    assert_eq!(paths(issue(moved)), ["signature"]);
    assert_eq!(paths(issue(tampered)), ["signature"]);
}

#[test]
fn trust_that_is_taken_away_ends_what_rested_on_it() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, issuer_identity) = fixture.issuer(&officer, 10);
    let investor = fixture.investor(&officer, 1);
    fixture.write(|tx| issue_claim(tx, &issuer, &kyc(&investor))).unwrap();

    fixture
        .write(|tx| remove_trusted_issuer(tx, &officer, &issuer_identity.address))
        .unwrap();

    assert!(!fixture.facts(1, NOW).claims[0].trusted);
}

#[test]
fn many_identities_get_the_same_claim_at_once() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, _) = fixture.issuer(&officer, 10);
    let entries: Vec<_> = (20..=90).map(|byte| (wallet(byte), country("BE"))).collect();
    let investors = fixture.write(|tx| register_many(tx, &officer, &entries)).unwrap();
    let targets: Vec<Address> = investors.iter().map(|investor| investor.address).collect();
    let data = ClaimData::Values(json!(["verified"]));
    let issue = |targets: &[Address]| {
        let (targets, data) = (targets.to_vec(), data.clone());
        let terms = ClaimTerms::default();
        fixture.write(|tx| issue_many(tx, &issuer, &topic("knowYourCustomer"), &data, &targets, &terms))
    };

    assert_eq!(issue(&targets).unwrap().len(), 71);
    assert_eq!(issue(&targets).unwrap().len(), 71);

    let wallets: Vec<Address> = entries.iter().map(|(wallet, _)| *wallet).collect();
    let facts = fixture.db.read_blocking(|tx| recipients(tx, &wallets, NOW)).unwrap();
    assert_eq!(facts.len(), 71);
    assert!(facts.values().all(|recipient| recipient.claims.len() == 1));
    let with_unknown = [targets, vec![wallet(99)]].concat();
    assert!(matches!(issue(&with_unknown), Err(Error::NotFound("identity"))));
}

// --- revocation -----------------------------------------------------------------------------------------------------

fn revocation(target: &Identity, issuer: Option<Address>) -> Revocation {
    Revocation {
        target: target.address,
        topic: topic("knowYourCustomer"),
        issuer,
    }
}

#[test]
fn an_issuer_revokes_its_own_claim_once_even_without_the_role() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (issuer, _) = fixture.issuer(&officer, 10);
    let investor = fixture.investor(&officer, 1);
    let claim = fixture.write(|tx| issue_claim(tx, &issuer, &kyc(&investor))).unwrap();
    let role = [(wallet(10), Role::ClaimIssuer)];
    fixture
        .write(|tx| access::revoke(tx, By::command_line(NOW), Scope::System, &role))
        .unwrap();
    let revoke = || fixture.write(|tx| revoke_claim(tx, &later(&issuer, 9), &revocation(&investor, None)));

    let revoked = revoke().unwrap();

    assert_eq!((revoked.id, revoked.status), (claim.id, ClaimStatus::Revoked));
    assert_eq!(fixture.facts(1, NOW).claims[0].revoked_at, Some(NOW.plus_seconds(9)));
    assert_eq!(fixture.claims(&officer, &investor), [revoked]);
    assert!(matches!(revoke(), Err(Error::Conflict(_))));
    assert_eq!(fixture.actions()[0], "claim.revoked");
    // A revoked claim that would have expired since tells nothing any more.
    assert!(fixture.facts(1, claim.expires_at).claims.is_empty());
}

#[test]
fn others_revoke_with_the_role_and_the_trust_for_the_topic() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (first, first_identity) = fixture.issuer(&officer, 10);
    let (second, second_identity) = fixture.issuer(&officer, 11);
    let third = fixture.issuer(&officer, 12).0;
    let untrusted = fixture.person(13, &[Role::ClaimIssuer]);
    let stranger = fixture.person(14, &[]);
    let investor = fixture.investor(&officer, 1);
    for issuer in [&first, &second] {
        fixture.write(|tx| issue_claim(tx, issuer, &kyc(&investor))).unwrap();
    }
    let revoke = |ctx: &Ctx, issuer| fixture.write(|tx| revoke_claim(tx, ctx, &revocation(&investor, issuer)));

    assert!(matches!(revoke(&stranger, None), Err(Error::Forbidden { .. })));
    assert!(matches!(revoke(&untrusted, None), Err(Error::NotAllowed(_))));
    assert_eq!(paths(revoke(&third, None).unwrap_err()), ["issuer"]);
    assert_eq!(
        revoke(&third, Some(first_identity.address)).unwrap().issuer,
        first_identity.address
    );
    assert_eq!(revoke(&second, None).unwrap().issuer, second_identity.address);
    assert!(matches!(
        revoke(&third, Some(wallet(99))),
        Err(Error::NotFound("claim"))
    ));
    let nobody = fixture.write(|tx| {
        let nowhere = Revocation {
            target: wallet(98),
            ..revocation(&investor, None)
        };
        revoke_claim(tx, &third, &nowhere)
    });
    assert!(matches!(nobody, Err(Error::NotFound("identity"))));
}

/// An issuer with a key of its own, an investor, and the claim that the key signed about the investor.
fn signed_claim(fixture: &Fixture) -> (Ctx, Identity, NewClaim) {
    let officer = fixture.officer();
    let (issuer, issuer_identity) = fixture.issuer(&officer, 10);
    let investor = fixture.investor(&officer, 1);
    let signer = ClaimSigner::from_seed(7);
    let (identity, key) = (issuer_identity.address, signer.address());
    fixture
        .write(|tx| add_key(tx, &issuer, &identity, &key, KeyPurpose::ClaimSigner))
        .unwrap();
    let claim = signed(&investor, &issuer_identity, &signer);
    (issuer, investor, claim)
}

#[test]
fn signed_words_that_were_revoked_do_not_come_back() {
    let fixture = Fixture::new();
    let (issuer, investor, claim) = signed_claim(&fixture);
    let issue = |claim: &NewClaim| fixture.write(|tx| issue_claim(tx, &issuer, claim));
    issue(&claim).unwrap();
    fixture
        .write(|tx| revoke_claim(tx, &issuer, &revocation(&investor, None)))
        .unwrap();

    assert!(matches!(issue(&claim), Err(Error::Conflict(_))));
    assert!(issue(&kyc(&investor)).is_ok());
}

#[test]
fn signed_words_that_were_superseded_do_not_come_back() {
    let fixture = Fixture::new();
    let (issuer, investor, claim) = signed_claim(&fixture);
    let issue = |claim: &NewClaim| fixture.write(|tx| issue_claim(tx, &issuer, claim));
    issue(&claim).unwrap();
    let later_word = NewClaim {
        data: ClaimData::Values(json!({ "claim": "under review" })),
        ..kyc(&investor)
    };
    let kept = issue(&later_word).unwrap();

    assert!(matches!(issue(&claim), Err(Error::Conflict(_))));
    assert_eq!(fixture.facts(1, NOW).claims[0].id, kept.id);
}

#[test]
fn signed_words_get_no_second_time_after_their_first() {
    let fixture = Fixture::new();
    let (issuer, _, claim) = signed_claim(&fixture);
    let short = NewClaim {
        terms: ClaimTerms {
            expires_at: Some(NOW.plus_seconds(60)),
            ..ClaimTerms::default()
        },
        ..claim.clone()
    };
    let issue = |ctx: &Ctx, claim: &NewClaim| fixture.write(|tx| issue_claim(tx, ctx, claim));
    let first = issue(&issuer, &short).unwrap();

    assert!(matches!(issue(&issuer, &claim), Err(Error::Conflict(_))));
    assert!(matches!(issue(&later(&issuer, 61), &claim), Err(Error::Conflict(_))));
    let facts = fixture.facts(1, NOW).claims;
    assert_eq!(
        (facts.len(), facts[0].id, facts[0].expires_at),
        (1, first.id, NOW.plus_seconds(60))
    );
}

// --- collateral -----------------------------------------------------------------------------------------------------

#[test]
fn collateral_is_the_largest_valid_claim_and_ends_with_the_earlier_expiry() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    let (small, _) = fixture.issuer(&officer, 10);
    let (large, _) = fixture.issuer(&officer, 11);
    let (asset, address) = fixture.write(|tx| create_for_asset(tx, NOW, wallet(50))).unwrap();
    let topic = topic("collateral");
    let issue = |ctx: &Ctx, amount: &str, seconds: i64| {
        let claim = NewClaim {
            target: address,
            topic: topic.clone(),
            data: ClaimData::Values(json!({
                "amount": amount,
                "expiryTimestamp": NOW.plus_seconds(seconds).seconds(),
            })),
            attestation: Attestation::Caller,
            terms: ClaimTerms::default(),
        };
        fixture.write(|tx| issue_as_trusted(tx, ctx, &claim))
    };
    let at = |seconds| {
        let now = NOW.plus_seconds(seconds);
        fixture
            .db
            .read_blocking(|tx| collateral_of(tx, asset, &topic, now))
            .unwrap()
    };

    let valid = |amount: u64, seconds| Collateral::Valid {
        amount: Amount::from(amount),
        expires_at: NOW.plus_seconds(seconds),
    };
    let amount = Amount::from(1_000);
    let expires_at = NOW.plus_seconds(500);

    assert_eq!(at(0), Collateral::None);
    assert_eq!(
        paths(issue(&small, "5", 0).unwrap_err()),
        ["claim.data.expiryTimestamp"]
    );
    assert_eq!(issue(&small, "1000", 500).unwrap().amount, Some(Amount::from(1_000)));
    let cut = issue(&large, "2000", 400 * DAY).unwrap();
    assert_eq!(cut.expires_at, NOW.plus_seconds(365 * DAY));
    issue(&large, "2000", 100).unwrap();

    assert_eq!(at(99), valid(2_000, 100));
    assert_eq!(at(100), valid(1_000, 500));
    assert_eq!(at(500), Collateral::Expired { amount, expires_at });
    let untrusted = fixture.person(60, &[Role::ClaimIssuer]);
    assert!(matches!(issue(&untrusted, "9", 50), Err(Error::NotAllowed(text)) if text.contains("collateral")));
}

#[test]
fn the_facts_of_any_number_of_wallets_leave_out_who_has_no_identity() {
    let fixture = Fixture::new();
    let officer = fixture.officer();
    fixture.investor(&officer, 1);
    let asked = [wallet(1), wallet(2)];

    let facts = fixture.db.read_blocking(|tx| recipients(tx, &asked, NOW)).unwrap();
    let none = fixture.db.read_blocking(|tx| recipients(tx, &[], NOW)).unwrap();

    assert_eq!(facts.keys().collect::<Vec<_>>(), [&wallet(1)]);
    assert!(none.is_empty());
}
