use super::RECEIVING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::identity::{ClaimFact, Recipient};
use crate::policy::{Expression, Identity, Issuers, ListedIssuer, Topic};
use crate::types::Timestamp;

#[derive(Debug)]
pub(in crate::compliance) struct IdentityModule(Identity);

impl IdentityModule {
    pub fn new(rule: &Identity) -> Self {
        Self(rule.clone())
    }
}

impl ComplianceModule for IdentityModule {
    fn kind(&self) -> &'static str {
        "identity"
    }

    fn operations(&self) -> &'static [Operation] {
        RECEIVING
    }

    fn facts(&self) -> FactSet {
        let facts = FactSet::of(&[Fact::Identity, Fact::Claims]);
        if self.0.require.has_negation() {
            facts.union(FactSet::of(&[Fact::TrustedTopics]))
        } else {
            facts
        }
    }

    fn check(&self, standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let recipient = candidate.identity()?;
        self.satisfies(&self.0.require, standing, recipient)
            .map_err(|miss| self.refusal(&miss))
    }
}

/// Why an expression is not satisfied: the topic, and what is nearest to being fixed about it.
#[derive(Clone, Copy)]
struct Miss<'a> {
    topic: &'a Topic,
    defect: Defect,
}

/// What keeps a claim from counting, from the farthest to the nearest thing to fix (compliance.md 4.2): a later defect
/// means that all the earlier ones are absent.
#[derive(Clone, Copy)]
enum Defect {
    Missing,
    IssuerUntrusted,
    SignatureBad,
    NotYetValid(Timestamp),
    Revoked,
    Expired(Timestamp),
    TooOld(Timestamp),
    /// A claim under `not` is there: nothing about it needs fixing, it has to go.
    Present,
}

impl IdentityModule {
    fn satisfies<'a>(
        &'a self,
        expression: &'a Expression,
        standing: &Standing<'_>,
        recipient: &Recipient,
    ) -> Result<(), Miss<'a>> {
        match expression {
            Expression::Has(topic) => self.has(topic, standing.now(), recipient),
            Expression::Lacks(topic) => lacks(topic, standing, recipient),
            Expression::All(parts) => parts
                .iter()
                .try_for_each(|part| self.satisfies(part, standing, recipient)),
            Expression::Any(parts) => {
                let mut nearest: Option<Miss<'a>> = None;
                for part in parts {
                    match self.satisfies(part, standing, recipient) {
                        Ok(()) => return Ok(()),
                        Err(miss) if nearest.is_none_or(|known| miss.defect.rank() > known.defect.rank()) => {
                            nearest = Some(miss);
                        }
                        Err(_) => {}
                    }
                }
                // None is an empty group, which no parser makes.
                nearest.map_or(Ok(()), Err)
            }
        }
    }

    /// One valid claim is enough, whatever is wrong with the others; without one, the nearest to being valid speaks.
    fn has<'a>(&self, topic: &'a Topic, now: Timestamp, recipient: &Recipient) -> Result<(), Miss<'a>> {
        let mut nearest = Defect::Missing;
        for claim in recipient.claims.iter().filter(|claim| topic.matches(&claim.topic)) {
            match self.defect(claim, topic, now) {
                None => return Ok(()),
                Some(defect) if defect.rank() > nearest.rank() => nearest = defect,
                Some(_) => {}
            }
        }
        Err(Miss { topic, defect: nearest })
    }

    fn defect(&self, claim: &ClaimFact, topic: &Topic, now: Timestamp) -> Option<Defect> {
        let listed = match &self.0.issuers {
            Issuers::AnyTrusted => true,
            Issuers::Listed(issuers) => issuers.iter().any(|issuer| speaks(issuer, claim, topic, now)),
        };
        if !listed {
            return Some(Defect::IssuerUntrusted);
        }
        let max_age_seconds = self.0.max_age.map_or(i64::MAX, |age| age.seconds());
        let aged = claim.issued_at.plus_seconds(max_age_seconds) < now;
        claim_defect(claim, now).or(aged.then_some(Defect::TooOld(claim.issued_at)))
    }

    fn refusal(&self, miss: &Miss<'_>) -> Refusal {
        let topic = miss.topic.name().clone();
        match miss.defect {
            Defect::Missing => Refusal::ClaimMissing { topic },
            Defect::IssuerUntrusted => Refusal::IssuerUntrusted { topic },
            Defect::SignatureBad => Refusal::SignatureBad { topic },
            Defect::NotYetValid(not_before) => Refusal::ClaimNotYetValid { topic, not_before },
            Defect::Revoked => Refusal::ClaimRevoked { topic },
            Defect::Expired(expired) => Refusal::ClaimExpired { topic, expired },
            Defect::TooOld(issued) => {
                let max_age_seconds = self.0.max_age.map_or(i64::MAX, |age| age.seconds());
                Refusal::ClaimTooOld {
                    topic,
                    issued,
                    max_age_seconds,
                }
            }
            Defect::Present => Refusal::ClaimPresent { topic },
        }
    }
}

impl Defect {
    /// The order of the variants, without the times they carry. A topic under `not` is the farthest in a choice of
    /// ways: a claim that is right cannot be wished away.
    fn rank(self) -> u8 {
        match self {
            Self::Present => 0,
            Self::Missing => 1,
            Self::IssuerUntrusted => 2,
            Self::SignatureBad => 3,
            Self::NotYetValid(_) => 4,
            Self::Revoked => 5,
            Self::Expired(_) | Self::TooOld(_) => 6,
        }
    }
}

/// The first thing that is wrong with a claim, in the order of [`Defect`].
fn claim_defect(claim: &ClaimFact, now: Timestamp) -> Option<Defect> {
    if !claim.trusted {
        return Some(Defect::IssuerUntrusted);
    }
    if !claim.signature_valid {
        return Some(Defect::SignatureBad);
    }
    if now < claim.not_before {
        return Some(Defect::NotYetValid(claim.not_before));
    }
    if claim.revoked_at.is_some() {
        return Some(Defect::Revoked);
    }
    (now >= claim.expires_at).then_some(Defect::Expired(claim.expires_at))
}

/// Whether a listed issuer stands behind the claim.
fn speaks(issuer: &ListedIssuer, claim: &ClaimFact, topic: &Topic, now: Timestamp) -> bool {
    issuer.identity == claim.issuer
        && issuer.topics.iter().any(|name| topic.matches(name))
        && issuer.not_before <= now
        && now < issuer.expires
}

/// Nobody can have written a claim that nobody is trusted to write, so its absence says nothing without a trusted
/// issuer. A claim counts here whatever issuers and age the rule asks for.
fn lacks<'a>(topic: &'a Topic, standing: &Standing<'_>, recipient: &Recipient) -> Result<(), Miss<'a>> {
    if !standing.has_trusted_issuer(topic) {
        return Err(Miss {
            topic,
            defect: Defect::IssuerUntrusted,
        });
    }
    let mut claims = recipient.claims.iter().filter(|claim| topic.matches(&claim.topic));
    let present = claims.any(|claim| claim_defect(claim, standing.now()).is_none());
    if present {
        Err(Miss {
            topic,
            defect: Defect::Present,
        })
    } else {
        Ok(())
    }
}
