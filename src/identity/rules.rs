use super::{Claim, ClaimFact, ClaimStatus, ClaimTerms, ClaimTopic, Collateral};
use crate::chain::{ClaimValue, key_hash};
use crate::error::Error;
use crate::types::{Address, Amount, Hash32, Timestamp, UserId, keccak256};

/// What stands for the code of an identity in its address.
const IDENTITY_CODE: &[u8] = b"moneyer identity v1";
/// The chain of `Book` settlement in salts: no EVM chain has the number 0.
const BOOK_CHAIN: [u8; 32] = [0; 32];

/// The address of the identity of a wallet or an asset. Always the same for the same account, so that it can be told
/// before the identity is there: `CREATE2` with the salt keccak256(abi.encode(chain id 0, account)).
pub(super) fn identity_address(account: &Address) -> Address {
    let salt = [BOOK_CHAIN.as_slice(), &[0; 12], account.as_bytes()].concat();
    Address::create2(&Address::BOOK_FACTORY, &keccak256(&salt), &keccak256(IDENTITY_CODE))
}

/// When a claim counts: from (inclusive) and until (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) not_before: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// An expiry that is given must be later than now and not later than the topic allows; one that the data tells can only
/// make it earlier. Seconds that no clock will reach count as the latest possible.
pub(super) fn window(
    topic: &ClaimTopic,
    terms: &ClaimTerms,
    data_expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Window, Error> {
    let latest = now.plus_seconds(topic.validity_seconds_max);
    if data_expires_at.is_some_and(|at| at <= now) {
        return Err(Error::invalid("claim.data.expiryTimestamp", "must be in the future"));
    }
    if terms.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::invalid("expiresAt", "must be in the future"));
    }
    if terms.expires_at.is_some_and(|at| at > latest) {
        let message = format!("must be at most {latest}: claims of topic {} end by then", topic.name);
        return Err(Error::invalid("expiresAt", message));
    }
    let given = terms.expires_at.unwrap_or(latest);
    let expires_at = data_expires_at.map_or(given, |at| at.min(given));
    let not_before = terms.not_before.unwrap_or(now);
    if not_before >= expires_at {
        let message = format!("must be before the claim expires, {expires_at}");
        return Err(Error::invalid("notBefore", message));
    }
    Ok(Window { not_before, expires_at })
}

/// The amount and the expiry that the data of a topic like `collateral` tells.
pub(super) fn amount_with_expiry(topic: &ClaimTopic, values: &[ClaimValue]) -> Option<(Amount, Timestamp)> {
    if !topic.shape.is_amount_with_expiry() {
        return None;
    }
    let number = |place: usize| values.get(place).and_then(|v| Amount::parse(&v.value).ok());
    let seconds: i64 = number(1)?.to_string().parse().unwrap_or(i64::MAX);
    Some((number(0)?, Timestamp::from_seconds(seconds)))
}

/// What stands behind an asset: the largest claim that counts now; when none does, the one that expired last.
pub(super) fn collateral(claims: &[(ClaimFact, Option<Amount>)], now: Timestamp) -> Collateral {
    let sound = claims
        .iter()
        .filter(|(claim, _)| claim.trusted && claim.signature_valid && claim.revoked_at.is_none())
        .filter_map(|(claim, amount)| amount.map(|amount| (claim, amount)));
    let (open, expired): (Vec<_>, Vec<_>) = sound.partition(|(claim, _)| claim.expires_at > now);
    let valid = open
        .into_iter()
        .filter(|(claim, _)| claim.not_before <= now)
        .max_by_key(|(claim, amount)| (*amount, claim.expires_at));
    if let Some((claim, amount)) = valid {
        let expires_at = claim.expires_at;
        return Collateral::Valid { amount, expires_at };
    }
    let last = expired
        .into_iter()
        .max_by_key(|(claim, amount)| (claim.expires_at, *amount));
    last.map_or(Collateral::None, |(claim, amount)| Collateral::Expired {
        amount,
        expires_at: claim.expires_at,
    })
}

/// A claim that a user issued here counts by who that was; a signed one as long as the key of its signer is a key of the
/// issuer that may sign claims.
pub(super) fn signature_valid(
    issued_by: Option<UserId>,
    signer: Option<Address>,
    is_key_of_issuer: impl Fn(&Hash32) -> bool,
) -> bool {
    issued_by.is_some() || signer.is_some_and(|signer| is_key_of_issuer(&key_hash(&signer)))
}

/// What an issuer signed has no date, so it is good once: words that come again would get a second time, although their
/// issuer has revoked them, has said something else since, or let them expire.
pub(super) fn words_are_new(before: Option<ClaimStatus>, issuer: &Address) -> Result<(), Error> {
    let message = match before {
        None => return Ok(()),
        Some(ClaimStatus::Active) => format!("The claim that {issuer} signed is stored already"),
        Some(ClaimStatus::Revoked) => format!("{issuer} revoked a claim that says the same"),
        Some(ClaimStatus::Superseded) => format!("{issuer} has said something else since"),
    };
    Err(Error::Conflict(message))
}

/// The one claim that is meant among those of a topic (newest first, none superseded).
pub(super) fn claim_to_revoke(claims: Vec<Claim>, issuer: Option<Address>) -> Result<Claim, Error> {
    let meant = |claim: &Claim| issuer.is_none_or(|issuer| claim.issuer == issuer);
    let (active, ended): (Vec<Claim>, Vec<Claim>) = claims
        .into_iter()
        .filter(meant)
        .partition(|claim| claim.status == ClaimStatus::Active);
    if active.len() > 1 {
        return Err(Error::invalid(
            "issuer",
            "several issuers have an active claim of this topic: name one",
        ));
    }
    match (active.into_iter().next(), ended.is_empty()) {
        (Some(claim), _) => Ok(claim),
        (None, false) => Err(Error::Conflict("The claim is revoked".to_owned())),
        (None, true) => Err(Error::NotFound("claim")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::ClaimShape;
    use crate::types::{ClaimId, TopicName};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: i64 = 86_400;

    fn topic(signature: &str) -> ClaimTopic {
        ClaimTopic {
            name: TopicName::parse("collateral").unwrap(),
            shape: ClaimShape::parse(signature).unwrap(),
            validity_seconds_max: DAY,
            created_at: NOW,
        }
    }

    fn window_until(expires_at: Timestamp) -> Result<Window, Error> {
        let terms = ClaimTerms {
            expires_at: Some(expires_at),
            ..ClaimTerms::default()
        };
        window(&topic("string"), &terms, None, NOW)
    }

    fn after(time: Timestamp, micros: i64) -> Timestamp {
        Timestamp::from_micros(time.micros() + micros)
    }

    fn fact(amount: u64, expires_at: Timestamp) -> (ClaimFact, Option<Amount>) {
        let fact = ClaimFact {
            id: ClaimId::generate(),
            topic: TopicName::parse("collateral").unwrap(),
            issuer: Address::from_bytes([1; 20]),
            trusted: true,
            signature_valid: true,
            issued_at: NOW.plus_seconds(-DAY),
            not_before: NOW.plus_seconds(-DAY),
            expires_at,
            revoked_at: None,
        };
        (fact, Some(Amount::from(amount)))
    }

    #[test]
    fn the_same_account_always_has_the_same_identity_address() {
        let account = Address::parse("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed").unwrap();

        let address = identity_address(&account);

        // Frozen: addresses that were given out must not change with a release.
        assert_eq!(address.to_string(), "0x42E2a5175414eFF2171e290F71f905C8115e053E");
        assert_ne!(address, identity_address(&address));
    }

    #[test]
    fn a_claim_ends_when_its_topic_says_if_nobody_says_earlier() {
        let window = window(&topic("string"), &ClaimTerms::default(), None, NOW).unwrap();

        assert_eq!(window.not_before, NOW);
        assert_eq!(window.expires_at, NOW.plus_seconds(DAY));
    }

    #[test]
    fn an_expiry_is_after_now_and_at_most_what_the_topic_allows() {
        let latest = NOW.plus_seconds(DAY);

        assert!(window_until(NOW).is_err());
        assert!(window_until(after(NOW, -1)).is_err());
        assert!(window_until(after(NOW, 1)).is_ok());
        assert!(window_until(after(latest, -1)).is_ok());
        assert!(window_until(latest).is_ok());
        assert!(window_until(after(latest, 1)).is_err());
    }

    #[test]
    fn a_claim_begins_before_it_ends() {
        let begin = |not_before| {
            let terms = ClaimTerms {
                not_before: Some(not_before),
                expires_at: Some(after(NOW, 10)),
                ..ClaimTerms::default()
            };
            window(&topic("string"), &terms, None, NOW)
        };

        assert!(begin(after(NOW, 9)).is_ok());
        assert!(begin(after(NOW, 10)).is_err());
        assert!(begin(after(NOW, 11)).is_err());
    }

    #[test]
    fn an_expiry_in_the_data_makes_a_claim_shorter_and_never_longer() {
        let until = |data_expires_at, expires_at| {
            let terms = ClaimTerms {
                expires_at,
                ..ClaimTerms::default()
            };
            let window = window(&topic("string"), &terms, Some(data_expires_at), NOW);
            window.map(|window| window.expires_at).ok()
        };
        let (hour, latest) = (NOW.plus_seconds(3_600), NOW.plus_seconds(DAY));

        assert_eq!(until(hour, None), Some(hour));
        assert_eq!(until(NOW.plus_seconds(2 * DAY), None), Some(latest));
        assert_eq!(until(latest, Some(hour)), Some(hour));
        assert_eq!(until(NOW, None), None);
        assert_eq!(until(after(NOW, 1), None), Some(after(NOW, 1)));
    }

    #[test]
    fn seconds_beyond_every_clock_are_the_latest_time_and_not_an_overflow() {
        let topic = topic("uint256 amount, uint256 expiryTimestamp");
        let values = [Amount::from(5).to_string(), Amount::MAX.to_string()].map(|value| ClaimValue {
            key: String::new(),
            value,
        });

        let (amount, expires_at) = amount_with_expiry(&topic, &values).unwrap();

        assert_eq!(amount, Amount::from(5));
        assert!(expires_at > NOW.plus_seconds(ClaimTopic::VALIDITY_SECONDS_MAX));
    }

    #[test]
    fn the_largest_claim_that_counts_stands_behind_an_asset() {
        let hour = NOW.plus_seconds(3_600);
        let untrusted = |mut claim: (ClaimFact, Option<Amount>)| {
            claim.0.trusted = false;
            claim
        };
        let unsigned = |mut claim: (ClaimFact, Option<Amount>)| {
            claim.0.signature_valid = false;
            claim
        };
        let revoked = |mut claim: (ClaimFact, Option<Amount>)| {
            claim.0.revoked_at = Some(NOW);
            claim
        };
        let later = |mut claim: (ClaimFact, Option<Amount>)| {
            claim.0.not_before = after(NOW, 1);
            claim
        };
        let claims = [
            fact(10, hour),
            fact(20, hour),
            fact(90, NOW),
            untrusted(fact(91, hour)),
            unsigned(fact(92, hour)),
            revoked(fact(93, hour)),
            later(fact(94, hour)),
        ];

        assert_eq!(collateral(&claims, NOW), valid(20, hour));
    }

    fn valid(amount: u64, expires_at: Timestamp) -> Collateral {
        let amount = Amount::from(amount);
        Collateral::Valid { amount, expires_at }
    }

    #[test]
    fn a_collateral_claim_counts_until_the_instant_of_its_expiry() {
        let (before, end) = (after(NOW, -1), after(NOW, 1));
        let claims = [fact(5, end), fact(7, NOW)];
        let amount = Amount::from(5);

        assert_eq!(collateral(&claims, before), valid(7, NOW));
        assert_eq!(collateral(&claims, NOW), valid(5, end));
        assert_eq!(
            collateral(&claims, end),
            Collateral::Expired {
                amount,
                expires_at: end
            }
        );
        assert_eq!(collateral(&[], NOW), Collateral::None);
    }

    #[test]
    fn a_signature_counts_as_long_as_the_issuer_has_the_key() {
        let signer = Address::from_bytes([9; 20]);
        let has = |key: &Hash32| *key == key_hash(&signer);

        assert!(signature_valid(None, Some(signer), has));
        assert!(!signature_valid(None, Some(signer), |_| false));
        assert!(signature_valid(Some(UserId::generate()), None, |_| false));
        assert!(!signature_valid(None, None, |_| true));
    }
}
