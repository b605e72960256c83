//! One thing that a patient says, under one token: made, put to its proof, and told as an access event (C-8, C-10).
//!
//! Not here: who may record it, and what it rests on: `desk`, [`crate::passkey`].

use yiqiao_proto::codes::{AccessAct, Stance};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, Directive, Revocation, Said, act_hash, exception_id, part_id};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Digest, DirectiveId};
use yiqiao_proto::limits::{EXCEPTIONS_MAX, PARTS_MAX, SUBMISSION_MAX};
use yiqiao_proto::proof::Proof;
use yiqiao_proto::token::Token;

use crate::actor::Actor;
use crate::desk::{NewForbid, NewPermit, Statement, Wish, shown};
use crate::event::Event;
use crate::machine::{Machine, Refused, Stop, Work};
use crate::state::damaged;

/// A directive or a revocation that nothing proves yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproved {
    /// A permit or a forbid.
    Directive(Box<Directive>),
    /// Takes a directive back.
    Revocation(Revocation),
}

/// What a patient who has these tokens says, once for each of them (C-10).
pub(crate) fn of_wish(
    work: &mut Work<'_>,
    by: &Statement,
    wish: &Wish,
    tokens: &[Token],
) -> Result<Vec<Unproved>, Stop> {
    of_wishes(work, by, std::slice::from_ref(wish), tokens)
}

/// What a patient says to several at once: one wish for each (C-17).
pub(crate) fn of_wishes(
    work: &mut Work<'_>,
    by: &Statement,
    wishes: &[Wish],
    tokens: &[Token],
) -> Result<Vec<Unproved>, Stop> {
    if let [Wish::Revoke(revocation)] = wishes {
        let own = |(_, token): &(DirectiveId, Token)| tokens.contains(token);
        if revocation.directives.is_empty() || !revocation.directives.iter().all(own) {
            return Err(Refused::OtherToken.into());
        }
        let revoked = revocation.directives.iter().map(|(directive, patient)| {
            let head_version = shown(work, by, patient)?;
            let (patient, reason, at) = (*patient, revocation.reason, work.now);
            let revocation = Revocation { directive: *directive, patient, reason, head_version, at };
            Ok(Unproved::Revocation(revocation))
        });
        return revoked.collect();
    }
    let wishes: Vec<Wish> = wishes.iter().map(|wish| by_signer(by, wish)).collect();
    // One act under every token: by its id they are known to be of one patient when it is taken back (C-10).
    let first = DirectiveId::new(work.entropy.bytes()).ok_or_else(damaged)?;
    is_one(&wishes, first, tokens)?;
    let part = |number| if number == 0 { first } else { part_id(&first, number) };
    let ids: Vec<DirectiveId> = (0..).take(wishes.len()).map(part).collect();
    let mut said = Vec::new();
    for (wish, id) in wishes.iter().zip(&ids) {
        for (number, exception) in (0..).zip(&wish.exceptions()) {
            said.extend(under_each(work, by, exception, exception_id(id, number), tokens)?);
        }
    }
    for (wish, id) in wishes.iter().zip(ids) {
        said.extend(under_each(work, by, wish, id, tokens)?);
    }
    at_most("acts", said.len(), SUBMISSION_MAX)?;
    Ok(said)
}

/// Several wishes say one thing to several, and no more than a submission takes (C-16, C-17).
fn is_one(wishes: &[Wish], id: DirectiveId, tokens: &[Token]) -> Result<(), Stop> {
    at_most("consent.parts", wishes.len(), PARTS_MAX)?;
    for wish in wishes {
        at_most("permit.exceptions", wish.exceptions().len(), EXCEPTIONS_MAX)?;
    }
    let patient = tokens.first().copied().ok_or(Refused::NoToken)?;
    let (field, rule) = ("consent.parts", "the same but for grantee and custodian");
    match wishes.split_first() {
        None => Err(Refused::Act(DecodeError::Missing { field }).into()),
        Some((first, further)) if further.iter().all(|wish| wish.is_part_of(first, id, patient)) => Ok(()),
        Some(_) => Err(Refused::Act(DecodeError::Invalid { field, rule }).into()),
    }
}

fn at_most(field: &'static str, count: usize, max: usize) -> Result<(), Stop> {
    if count <= max { Ok(()) } else { Err(Refused::Act(DecodeError::TooMany { field, count, max }).into()) }
}

/// One directive under each token.
fn under_each(
    work: &Work<'_>,
    by: &Statement,
    wish: &Wish,
    id: DirectiveId,
    tokens: &[Token],
) -> Result<Vec<Unproved>, Stop> {
    let mut said = Vec::new();
    for token in tokens {
        let Some(directive) = wish.directive(id, *token) else { break };
        let directive = Directive { head_version: shown(work, by, token)?, ..directive };
        Directive::decode(&directive.encode()).map_err(Refused::Act)?;
        said.push(Unproved::Directive(Box::new(directive)));
    }
    Ok(said)
}

/// At the own account a directive rests on the word of who is logged in, whatever it says.
fn by_signer(by: &Statement, wish: &Wish) -> Wish {
    match (wish.clone(), &by.actor) {
        (Wish::Permit(permit), Actor::Patient { guardian, .. }) => {
            Wish::Permit(NewPermit { by_guardian: *guardian, ..permit })
        }
        (Wish::Forbid(forbid), Actor::Patient { guardian, .. }) => {
            Wish::Forbid(NewForbid { by_guardian: *guardian, ..forbid })
        }
        (wish, _) => wish,
    }
}

impl Unproved {
    /// Of whom.
    pub const fn patient(&self) -> &Token {
        match self {
            Self::Directive(directive) => &directive.patient,
            Self::Revocation(revocation) => &revocation.patient,
        }
    }

    /// Whether it stops data: then it counts here at once, and is told directly (F-9).
    pub(crate) fn narrows(&self) -> bool {
        match self {
            Self::Directive(directive) => directive.stance == Stance::Forbid,
            Self::Revocation(_) => true,
        }
    }

    /// The directive that it is, or takes back.
    pub const fn directive(&self) -> DirectiveId {
        match self {
            Self::Directive(directive) => directive.id,
            Self::Revocation(revocation) => revocation.directive,
        }
    }

    /// The hash that a passkey signs (C-8).
    pub(crate) fn hash(&self, machine: &Machine) -> Digest {
        let region = machine.directory.region();
        match self {
            Self::Directive(directive) => act_hash::<Directive>(region, &directive.encode()),
            Self::Revocation(revocation) => act_hash::<Revocation>(region, &revocation.encode()),
        }
    }

    /// With its proof, signed by this node.
    pub(crate) fn prove(&self, machine: &Machine, proof: Proof) -> Envelope {
        match self {
            Self::Directive(directive) => sign(machine, &Act::new(Directive::clone(directive), proof)),
            Self::Revocation(revocation) => sign(machine, &Act::new(revocation.clone(), proof)),
        }
    }

    /// What is told of it, but for the line of the audit.
    pub(crate) fn event(&self, by: &Statement) -> Event {
        match self {
            Self::Directive(directive) => Event {
                counterpart: directive.grantee.organisation.clone(),
                role: by.actor.role(),
                head_version: directive.head_version,
                directive: Some(directive.id),
                referral: directive.grantee.referral,
                ..Event::done(AccessAct::Consent, directive.patient, "C-7")
            },
            Self::Revocation(revocation) => Event {
                role: by.actor.role(),
                head_version: revocation.head_version,
                directive: Some(revocation.directive),
                ..Event::done(AccessAct::Revocation, revocation.patient, "C-6")
            },
        }
    }
}

fn sign<T: Said>(machine: &Machine, act: &Act<T>) -> Envelope {
    Envelope::sign(machine.directory.region(), act, machine.signing_key())
}
