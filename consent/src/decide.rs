//! The decision (D-1 to D-10, D-13).

use std::collections::BTreeSet;

use yiqiao_proto::codes::{DefaultRule, DocumentClass, LegalBasis, Purpose, Sensitivity, Stance};
use yiqiao_proto::id::{Code, DirectiveId, EntryId};
use yiqiao_proto::member::Policy;
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::record::{InForce, Record};
use crate::scope;

/// What the decider knows of the patient whose document is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Patient<'a> {
    /// The tokens that the decider computed for this patient, each with what is in force for it, or nothing if the
    /// decider does not know (F-5).
    pub own: &'a [(Token, Option<&'a Record>)],
    /// Tokens that others have linked to these: they can forbid, never permit (I-4).
    pub linked: &'a [(Token, Option<&'a Record>)],
}

/// A document, as far as directives speak about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its entry.
    pub entry_id: EntryId,
    /// Of the entries whose place it has taken, one after the other, at least those that [`Record::forbidden`] names (C-5).
    pub replaced: BTreeSet<EntryId>,
    /// Class.
    pub class: DocumentClass,
    /// Sensitivity.
    pub sensitivity: Sensitivity,
    /// When the service began, if the entry says.
    pub service_start: Option<Timestamp>,
    /// When it ended, if the entry says.
    pub service_end: Option<Timestamp>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks, and for what.
    pub asker: &'a Asker,
    /// Who has the document.
    pub custodian: &'a Code,
    /// The document.
    pub document: &'a Document,
}

/// Whether data may flow, and why (D-9). A denial is an answer like a permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Permit(Grounds),
    /// It may not.
    Deny(Grounds),
}

/// Why (D-9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// The clause that decided.
    pub clause: Clause,
    /// The directives that decided: for a permit the one that permits, for a denial those that forbid.
    pub directives: Vec<DirectiveId>,
    /// The token by which the first of them applies.
    pub token: Option<Token>,
    /// The legal basis of a permit.
    pub basis: Option<LegalBasis>,
}

/// The clauses that can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clause {
    /// The subject has no token.
    NoToken,
    /// It is not known what is in force for one of the tokens.
    HeadUnknown,
    /// Directives permit, or a forbid stands unbeaten.
    Directives,
    /// Nothing applies: the region's default rule.
    DefaultRule,
    /// An emergency.
    Emergency,
    /// The asker is the custodian, and it is no emergency.
    OwnDocument,
    /// Fees and settlements are asked for, and not for what they are there for.
    OtherPurpose,
}

impl Clause {
    /// Its number in `docs/protocol.md`.
    pub const fn number(self) -> &'static str {
        match self {
            Self::NoToken => "D-1",
            Self::HeadUnknown => "F-5",
            Self::Directives => "D-3",
            Self::DefaultRule => "D-7",
            Self::Emergency => "D-8",
            Self::OwnDocument => "D-10",
            Self::OtherPurpose => "D-13",
        }
    }
}

impl Decision {
    /// Whether data may flow.
    pub const fn is_permit(&self) -> bool {
        matches!(self, Self::Permit(_))
    }

    /// Why.
    pub const fn grounds(&self) -> &Grounds {
        match self {
            Self::Permit(grounds) | Self::Deny(grounds) => grounds,
        }
    }
}

/// Decides one request. Total: whatever is unknown, missing or contradictory is a denial.
pub fn decide(patient: &Patient<'_>, request: &Request<'_>, policy: &Policy, now: Timestamp) -> Decision {
    let is_emergency = request.asker.purpose == Purpose::Emergency;
    if request.asker.organisation == *request.custodian {
        // What a hospital does not know of consent takes nothing of its own from it (D-10).
        let in_emergency = || Applying::of(patient, request, now).decide_emergency(request, policy);
        return if is_emergency { in_emergency() } else { deny(Clause::OwnDocument) };
    }
    if !is_for_its_purpose(request) {
        return deny(Clause::OtherPurpose);
    }
    if patient.own.is_empty() {
        return deny(Clause::NoToken);
    }
    if patient.own.iter().chain(patient.linked).any(|(_, record)| record.is_none()) {
        return deny(Clause::HeadUnknown);
    }
    let applying = Applying::of(patient, request, now);
    if is_emergency {
        return applying.decide_emergency(request, policy);
    }
    applying.decide_ordinary().unwrap_or_else(|| by_default(request, policy))
}

/// D-13: what was paid is nothing that who treats needs, so no consent to treatment opens it, whatever classes it names.
fn is_for_its_purpose(request: &Request<'_>) -> bool {
    let is_finance = request.document.class == DocumentClass::Finance;
    !is_finance || matches!(request.asker.purpose, Purpose::Payment | Purpose::PatientRequest)
}

/// The directives that apply to a request (D-1), each with the token under which it stands.
struct Applying<'a> {
    now: Timestamp,
    permits: Vec<(Token, &'a InForce)>,
    forbids: Vec<(Token, &'a InForce)>,
}

impl<'a> Applying<'a> {
    fn of(patient: &Patient<'a>, request: &Request<'_>, now: Timestamp) -> Self {
        let find = |tokens: &'a [(Token, Option<&'a Record>)], stance| {
            let all = tokens.iter().flat_map(|(token, record)| {
                record.iter().flat_map(|record| record.in_force()).map(|act| (*token, act))
            });
            all.filter(move |(_, act)| act.directive.stance == stance)
                .filter(move |(_, act)| scope::applies(&act.directive, request, now))
        };
        // INVARIANT (links widen forbids only, I-4): permits come from the decider's own tokens.
        let permits = find(patient.own, Stance::Permit).collect();
        let forbids = find(patient.own, Stance::Forbid).chain(find(patient.linked, Stance::Forbid)).collect();
        Self { now, permits, forbids }
    }

    /// Directives decide, if any applies (D-3).
    fn decide_ordinary(&self) -> Option<Decision> {
        let unbeaten: Vec<_> = self.forbids.iter().filter(|forbid| !self.is_beaten(forbid)).collect();
        if let Some((token, _)) = unbeaten.first() {
            let directives = unbeaten.iter().map(|(_, forbid)| forbid.directive.id).collect();
            return Some(Decision::Deny(Grounds {
                clause: Clause::Directives,
                directives,
                token: Some(*token),
                basis: None,
            }));
        }
        let (token, permit) = self.deciding_permit()?;
        Some(Decision::Permit(Grounds {
            clause: Clause::Directives,
            directives: vec![permit.directive.id],
            token: Some(token),
            basis: Some(permit.directive.basis),
        }))
    }

    /// Of the permits that apply, one that beats the most forbids: if any alone lets the data flow, such a one. Of several the
    /// narrowest, and of those the first in the log.
    fn deciding_permit(&self) -> Option<(Token, &'a InForce)> {
        let beaten = |permit| self.forbids.iter().filter(|forbid| beats(permit, forbid, self.now)).count();
        let most = self.permits.iter().map(beaten).max()?;
        let deciding: Vec<_> = self.permits.iter().filter(|permit| beaten(permit) == most).collect();
        let narrower_exists = |permit: &InForce| {
            let narrower =
                |other: &InForce| scope::is_strictly_narrower(&other.directive, &permit.directive, self.now);
            deciding.iter().any(|(_, other)| narrower(other))
        };
        let narrowest = deciding.iter().filter(|(_, permit)| !narrower_exists(permit));
        narrowest.min_by_key(|(_, permit)| permit.seq).map(|permit| **permit)
    }

    fn is_beaten(&self, forbid: &(Token, &InForce)) -> bool {
        self.permits.iter().any(|permit| beats(permit, forbid, self.now))
    }

    /// D-8: apart from all other directives, and never more than the region lets.
    fn decide_emergency(&self, request: &Request<'_>, policy: &Policy) -> Decision {
        if !policy.break_glass || request.asker.break_glass.is_none() {
            return deny(Clause::Emergency);
        }
        // A forbid that applies to an emergency names it: one that lists no purpose does not match.
        let Some((token, _)) = self.forbids.first() else {
            return permit(Clause::Emergency, LegalBasis::Emergency);
        };
        let directives = self.forbids.iter().map(|(_, forbid)| forbid.directive.id).collect();
        Decision::Deny(Grounds { clause: Clause::Emergency, directives, token: Some(*token), basis: None })
    }
}

/// D-4: a narrower permit of the same token whose signer had seen the forbid, if C-13 lets it.
fn beats((of, permit): &(Token, &InForce), (token, forbid): &(Token, &InForce), now: Timestamp) -> bool {
    of == token
        && scope::is_strictly_narrower(&permit.directive, &forbid.directive, now)
        && permit.has_seen(forbid)
        && permit.may_undo(forbid)
}

/// D-7.
fn by_default(request: &Request<'_>, policy: &Policy) -> Decision {
    let normal_for_treatment =
        request.document.sensitivity == Sensitivity::Normal && request.asker.purpose == Purpose::Treatment;
    let flows = match policy.default_rule {
        DefaultRule::Deny => false,
        DefaultRule::TreatingRelationship => normal_for_treatment && request.asker.treating,
        DefaultRule::AllNormal => normal_for_treatment,
    };
    if flows { permit(Clause::DefaultRule, LegalBasis::RegionDefault) } else { deny(Clause::DefaultRule) }
}

const fn permit(clause: Clause, basis: LegalBasis) -> Decision {
    Decision::Permit(Grounds { clause, directives: Vec::new(), token: None, basis: Some(basis) })
}

const fn deny(clause: Clause) -> Decision {
    Decision::Deny(Grounds { clause, directives: Vec::new(), token: None, basis: None })
}
