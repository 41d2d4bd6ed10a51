use std::collections::HashMap;

use super::{LineRefusal, MintFile};
use crate::access::{self, Permission};
use crate::collection::accept::{self, Refusing, Shows, Wish};
use crate::collection::{Caller, Collection, Conflict, ContractType, NewMintRequest, Requested, Right};
use crate::collection::{find, may, read, rules, taken_ids};
use crate::ctx::{Actor, Ctx};
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::policy::PolicySet;
use crate::types::{Hash32, MetadataId, Timestamp, TokenId};

/// Why a line is refused that says what its token shows.
const OTHER: &str = "this token_id is there already and shows something else";
const WITHOUT: &str = "this token_id was asked for before without metadata";

/// A line whose turn has come.
pub(super) struct Wanted {
    pub line: i32,
    pub wish: NewMintRequest,
    /// The token shows what the line says already: it is on this stack.
    pub stack: Option<MetadataId>,
}

impl Wanted {
    fn of(&self, collection: &Collection) -> Wish {
        let wish = Wish::of(collection, &self.wish);
        match self.stack {
            Some(stack) => Wish {
                shows: Shows::Known(stack),
                ..wish
            },
            None => wish,
        }
    }
}

/// What became of the lines of a part.
pub(super) struct Part {
    pub accepted: Vec<Wanted>,
    /// In their order in the file.
    pub refused: Vec<LineRefusal>,
}

/// In whose name a part is asked for, and of what.
struct Asking<'a> {
    caller: &'a Caller<'a>,
    policies: &'a PolicySet,
    collection: &'a Collection,
}

impl Part {
    /// Asks for all of them; what is in the way is taken out, and the rest asked for again. `Refused` when the rules
    /// themselves are at fault: that passes, and refuses no line.
    pub fn take(
        tx: &mut Tx<'_>,
        policies: &PolicySet,
        file: &MintFile,
        wishes: Vec<Wanted>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let ctx = ctx_of(tx, file, now)?;
        let asking = Asking {
            caller: &Caller {
                ctx: &ctx,
                right: Right::Environment(file.environment),
            },
            policies,
            collection: &find(tx, file.collection)?,
        };
        let mut part = Self {
            accepted: wishes,
            refused: Vec::new(),
        };
        part.ask(tx, &asking)?;
        part.refused.sort_unstable_by_key(|refusal| refusal.line);
        Ok(part)
    }

    fn ask(&mut self, tx: &mut Tx<'_>, asking: &Asking<'_>) -> Result<(), Error> {
        while !self.accepted.is_empty() {
            let before = self.settled();
            // What an attempt wrote before it failed is not kept.
            match tx.nested(|tx| asking.ask(tx, &self.accepted)) {
                Ok(Requested::Accepted(_)) => break,
                Ok(Requested::Conflict(conflict)) => self.refuse_used(tx, asking.collection, &conflict)?,
                Err(Error::Invalid(issues)) => self.refuse_invalid(&issues),
                Err(
                    error @ (Error::NotAllowed(_)
                    | Error::Forbidden { .. }
                    | Error::NotFound(_)
                    | Error::Conflict(_)
                    | Error::AlreadyExists(_)),
                ) => self.refuse_where(|_, _| Some(error.to_string())),
                Err(error) => return Err(error),
            }
            if self.settled() == before {
                return Err(Error::internal("what was in the way of a part is still in it"));
            }
        }
        Ok(())
    }

    /// Lines that are in the way no more: with each attempt there are more of them, or there would be no end.
    fn settled(&self) -> usize {
        let known = self.accepted.iter().filter(|wanted| wanted.stack.is_some());
        self.refused.len().saturating_add(known.count())
    }

    fn refuse_used(&mut self, tx: &mut Tx<'_>, collection: &Collection, conflict: &Conflict) -> Result<(), Error> {
        match conflict {
            Conflict::References(used) => self.refuse_where(|_, wish| {
                let is_used = used.contains(&wish.reference);
                is_used.then(|| "reference_id is used already".to_owned())
            }),
            Conflict::TokenIds(used) => match collection.contract_type() {
                ContractType::Erc721 => self.refuse_where(|_, wish| {
                    let is_used = wish.token_id.is_some_and(|id| used.contains(&id));
                    is_used.then(|| "token_id is used already".to_owned())
                }),
                ContractType::Erc1155 => {
                    let said = Said::of(tx, collection, used)?;
                    self.refuse_other_metadata(said);
                }
            },
        }
        Ok(())
    }

    /// As within a call, what a token shows may be said again, and not said otherwise: what was said first counts. A token
    /// that is there without metadata shows nothing, and no line says what it shows: neither one of a later part nor one of
    /// another file. Within a part, which is one call, it may be said after a line that says nothing.
    fn refuse_other_metadata(&mut self, mut said: Said) {
        let mut kept = Vec::new();
        for mut wanted in std::mem::take(&mut self.accepted) {
            match said.again(&wanted.wish) {
                Again::New => kept.push(wanted),
                Again::Same(stack) => {
                    wanted.stack = stack;
                    kept.push(wanted);
                }
                Again::Other => self.refused.push(wanted.refused(OTHER)),
                Again::Without => self.refused.push(wanted.refused(WITHOUT)),
            }
        }
        self.accepted = kept;
    }

    /// An issue names the place of its wish: `assets.7.token_id`.
    fn refuse_invalid(&mut self, issues: &[Issue]) {
        let of = |place: usize| {
            let place = place.to_string();
            let issue = issues.iter().find(|issue| issue.path.get(1) == Some(&place))?;
            let field = issue.path.get(2).map_or("", String::as_str);
            Some(format!("{field} {}", issue.message).trim().to_owned())
        };
        let before = self.accepted.len();
        self.refuse_where(|place, _| of(place));
        if self.accepted.len() == before {
            let reason = Error::Invalid(issues.to_vec()).to_string();
            self.refuse_where(|_, _| Some(reason.clone()));
        }
    }

    fn refuse_where(&mut self, reason_of: impl Fn(usize, &NewMintRequest) -> Option<String>) {
        let mut kept = Vec::new();
        for (place, wanted) in std::mem::take(&mut self.accepted).into_iter().enumerate() {
            match reason_of(place, &wanted.wish) {
                None => kept.push(wanted),
                Some(reason) => self.refused.push(wanted.refused(&reason)),
            }
        }
        self.accepted = kept;
    }
}

impl Wanted {
    fn refused(&self, reason: &str) -> LineRefusal {
        LineRefusal::new(self.line, Some(self.wish.reference.as_str()), reason)
    }
}

impl Asking<'_> {
    fn ask(&self, tx: &mut Tx<'_>, wanted: &[Wanted]) -> Result<Requested, Error> {
        may(tx, self.caller, self.collection, Permission::Mint)?;
        let requests: Vec<NewMintRequest> = wanted.iter().map(|one| one.wish.clone()).collect();
        rules::check(self.collection, &requests)?;
        let wishes: Vec<Wish> = wanted.iter().map(|one| one.of(self.collection)).collect();
        let refusing = Refusing::Patiently;
        accept::accept(tx, self.caller, self.policies, self.collection, &wishes, refusing)
    }
}

/// What was said of tokens of an ERC-1155 so far: their metadata by its digest, and the stack if it is there; none where a
/// token was asked for without.
struct Said(HashMap<TokenId, Option<(Hash32, Option<MetadataId>)>>);

enum Again {
    /// It says nothing, or nothing was said before it.
    New,
    Same(Option<MetadataId>),
    Other,
    /// It was asked for without metadata.
    Without,
}

impl Said {
    fn of(tx: &mut Tx<'_>, collection: &Collection, ids: &[TokenId]) -> Result<Self, Error> {
        let taken = taken_ids(tx, collection.id, ids)?;
        let mut shown = read::stacks_shown(tx, collection.id, ids)?;
        let said = taken.into_iter().map(|id| {
            let stack = shown.remove(&id);
            (id, stack.map(|stack| (stack.metadata.digest(), Some(stack.id))))
        });
        Ok(Self(said.collect()))
    }

    fn again(&mut self, wish: &NewMintRequest) -> Again {
        let (Some(token_id), Some(metadata)) = (wish.token_id, &wish.metadata) else {
            return Again::New;
        };
        let digest = metadata.digest();
        match self.0.get(&token_id) {
            None => {
                self.0.insert(token_id, Some((digest, None)));
                Again::New
            }
            Some(None) => Again::Without,
            Some(Some((said, stack))) if *said == digest => Again::Same(*stack),
            Some(Some(_)) => Again::Other,
        }
    }
}

/// As if its caller asked now.
fn ctx_of(tx: &mut Tx<'_>, file: &MintFile, now: Timestamp) -> Result<Ctx, Error> {
    let user = access::find_user(tx, file.requested_by)?;
    Ok(Ctx {
        actor: Actor {
            user: user.id,
            wallet: user.wallet,
        },
        request_id: file.request_id.clone(),
        now,
    })
}
