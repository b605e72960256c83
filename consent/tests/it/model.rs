//! The reference: what `docs/protocol.md` says in C, D, I-4 and F-5, in another shape than the implementation.
//!
//! A universe is a list of concrete questions, and a directive is the set of questions that it speaks about. Nothing
//! here compares two directives field by field: "strictly more specific" (D-5) is inclusion of sets, found by asking
//! every question. This equals the comparison of dimensions where each universe has, in every dimension, each value
//! that its directives name and one that none of them names; `universe` sees to it.
//!
//! Not here: how what is in force comes about (`acts`).

#![expect(clippy::indexing_slicing, reason = "every meaning has one place for each question of its universe")]

use std::collections::BTreeMap;

use yiqiao_consent::{Clause, Decision, Document, InForce, Patient, Record, Request, Witness, decide};
use yiqiao_proto::codes::{DefaultRule, DocumentClass, LegalBasis, Purpose, Sensitivity, Stance};
use yiqiao_proto::directive::Directive;
use yiqiao_proto::id::{Code, DirectiveId};
use yiqiao_proto::member::Policy;
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::universe::is_custodian;

/// One concrete question at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) asker: Asker,
    pub(crate) custodian: Code,
    pub(crate) document: Document,
    pub(crate) at: Timestamp,
}

/// What a directive means in a universe: for each question, whether it is in the set.
#[derive(Debug)]
pub(crate) struct Meaning {
    /// The questions to which it applies (D-1), by the rules of its stance (C-5, D-6).
    applies: Vec<bool>,
    /// The questions within its limits by the instant at which they are asked, read as in a permit whatever its stance:
    /// what D-5 compares. Otherwise a permit of the very same limits were narrower than its forbid, which stands also for
    /// what is not stated.
    scope: BTreeMap<Timestamp, Vec<bool>>,
}

/// A directive in force, with what it means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) act: &'a InForce,
    pub(crate) meaning: &'a Meaning,
}

/// What is known of one token of the patient.
#[derive(Clone, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) token: Token,
    /// Computed by the decider for this patient; otherwise linked to it by others (I-4).
    pub(crate) own: bool,
    /// What is in force for it; none: its head is not applied (F-5).
    pub(crate) held: Option<Vec<Held<'a>>>,
}

/// What the text says about a question.
#[derive(Debug)]
pub(crate) enum Expected {
    /// Permitted by one of these; by none where no directive decides.
    Permit(Clause, Vec<DirectiveId>),
    /// Denied by exactly these.
    Deny(Clause, Vec<DirectiveId>),
}

/// A patient as the decider knows it, with the forbids that are beaten worked out.
pub(crate) struct Case<'a> {
    known: Vec<Known<'a>>,
    /// The forbids that can apply, each with the permits that beat it where they apply too, by instant.
    forbids: Vec<(Held<'a>, Beaters<'a>)>,
    /// The permits that can apply.
    permits: Vec<Held<'a>>,
}

/// Permits by the instant from which on they are compared.
type Beaters<'a> = BTreeMap<Timestamp, Vec<Held<'a>>>;

impl Meaning {
    pub(crate) fn of(directive: &Directive, questions: &[Question]) -> Self {
        let forbid = directive.stance == Stance::Forbid;
        let applies = questions.iter().map(|question| speaks_of(directive, question, forbid)).collect();
        let mut scope = BTreeMap::<_, Vec<bool>>::new();
        for question in questions {
            scope.entry(question.at).or_default().push(speaks_of(directive, question, false));
        }
        Self { applies, scope }
    }

    /// D-5: of the questions from now on within the other, and less.
    fn is_strictly_within(&self, other: &Self, now: Timestamp) -> bool {
        let left = |meaning: &Self| meaning.scope.range(now..).flat_map(|(_, asked)| asked.clone()).collect();
        let (mine, theirs): (Vec<bool>, Vec<bool>) = (left(self), left(other));
        mine != theirs && mine.iter().zip(&theirs).all(|(mine, theirs)| *theirs || !*mine)
    }
}

/// Whether a question lies within a directive's limits. `wide`: what is not stated is within, and so is a document that
/// has taken a named one's place (C-5, D-6).
fn speaks_of(directive: &Directive, question: &Question, wide: bool) -> bool {
    let (grantee, what) = (&directive.grantee, &directive.what);
    let (asker, document) = (&question.asker, &question.document);
    let in_time =
        directive.valid_from <= question.at && directive.valid_until.is_none_or(|until| question.at < until);
    let named_document = |id| {
        what.entries.contains(id) || (wide && document.replaced.iter().any(|old| what.entries.contains(old)))
    };
    // A limit that is fulfilled, broken, or not answered by what is stated.
    let limits = [
        Some(in_time),
        is(grantee.organisation.as_ref(), Some(&asker.organisation)),
        is(grantee.department.as_ref(), asker.department.as_ref()),
        is(grantee.practitioner.as_ref(), Some(&asker.practitioner)),
        is(grantee.role.as_ref(), Some(&asker.role)),
        is(grantee.referral.as_ref(), asker.referral.as_ref()),
        is(directive.custodian.as_ref(), Some(&question.custodian)),
        Some(what.classes.is_empty() || what.classes.contains(&document.class)),
        Some(what.sensitivities.is_empty() || what.sensitivities.contains(&document.sensitivity)),
        what.service_from.map_or(Some(true), |from| document.service_end.map(|end| end >= from)),
        what.service_until.map_or(Some(true), |until| document.service_start.map(|start| start < until)),
        Some(what.entries.is_empty() || named_document(&document.entry_id)),
        Some(names(directive, asker.purpose)),
    ];
    limits.into_iter().all(|fulfilled| fulfilled.unwrap_or(wide))
}

/// Whether a limit is fulfilled; none if nothing is stated.
fn is<T: PartialEq>(limit: Option<&T>, stated: Option<&T>) -> Option<bool> {
    let Some(limit) = limit else { return Some(true) };
    stated.map(|stated| stated == limit)
}

/// A forbid without purposes is for every purpose but an emergency, which has to be named (D-8).
fn names(directive: &Directive, purpose: Purpose) -> bool {
    if directive.purposes.is_empty() {
        purpose != Purpose::Emergency
    } else {
        let wider = (purpose == Purpose::Quality).then_some(Purpose::Operations);
        directive.purposes.iter().any(|named| *named == purpose || Some(*named) == wider)
    }
}

/// C-13: whether a permit, or the revocation of a forbid, may undo a forbid. `gaining` is the organisation that gets
/// more by it; none: every organisation that can ask for documents.
pub(crate) fn may_undo(witness: &Witness, gaining: Option<&Code>, forbid: &Witness) -> bool {
    match witness {
        Witness::Passkey => true,
        Witness::Attested(_, member) => {
            let gains = gaining.map_or_else(|| is_custodian(member), |organisation| organisation == member);
            !gains && *forbid != Witness::Passkey
        }
    }
}

/// D-4, but for whether the permit applies.
fn beats(permit: &Held<'_>, forbid: &Held<'_>, now: Timestamp) -> bool {
    let gaining = permit.act.directive.grantee.organisation.as_ref();
    permit.act.directive.patient == forbid.act.directive.patient
        && permit.act.directive.head_version >= forbid.act.version
        && may_undo(&permit.act.witness, gaining, &forbid.act.witness)
        && permit.meaning.is_strictly_within(forbid.meaning, now)
}

impl<'a> Case<'a> {
    pub(crate) fn new(known: Vec<Known<'a>>) -> Self {
        let of = |stance, own_only: bool| -> Vec<Held<'a>> {
            let tokens = known.iter().filter(|known| known.own || !own_only);
            let held = tokens.filter_map(|known| known.held.as_ref()).flatten();
            held.filter(|held| held.act.directive.stance == stance).copied().collect()
        };
        // I-4: the permits of other tokens are nothing to this patient.
        let permits = of(Stance::Permit, true);
        let beaten = |forbid: &Held<'_>| -> Beaters<'a> {
            let at = |now| permits.iter().filter(|permit| beats(permit, forbid, now)).copied().collect();
            forbid.meaning.scope.keys().map(|now| (*now, at(*now))).collect()
        };
        let forbids = of(Stance::Forbid, false).into_iter().map(|forbid| (forbid, beaten(&forbid))).collect();
        Self { known, forbids, permits }
    }

    /// What the text says about the question at this place of the universe.
    pub(crate) fn expected(&self, at: usize, question: &Question, policy: &Policy) -> Expected {
        let is_emergency = question.asker.purpose == Purpose::Emergency;
        if question.asker.organisation == question.custodian {
            let denied = Expected::Deny(Clause::OwnDocument, Vec::new());
            return if is_emergency { self.emergency(at, question, policy) } else { denied };
        }
        let is_for_payment = [Purpose::Payment, Purpose::PatientRequest].contains(&question.asker.purpose);
        if question.document.class == DocumentClass::Finance && !is_for_payment {
            return Expected::Deny(Clause::OtherPurpose, Vec::new());
        }
        if !self.known.iter().any(|known| known.own) {
            return Expected::Deny(Clause::NoToken, Vec::new());
        }
        if self.known.iter().any(|known| known.held.is_none()) {
            return Expected::Deny(Clause::HeadUnknown, Vec::new());
        }
        if is_emergency {
            return self.emergency(at, question, policy);
        }
        let applying = |held: &&Held<'_>| held.meaning.applies[at];
        let permits: Vec<_> = self.permits.iter().filter(applying).copied().collect();
        let forbids: Vec<_> = self.forbids.iter().filter(|(forbid, _)| forbid.meaning.applies[at]).collect();
        let stands = forbids
            .iter()
            .filter(|(_, beaters)| !beaters[&question.at].iter().any(|permit| applying(&permit)));
        let stands = ids(stands.map(|(forbid, _)| forbid));
        match (stands.is_empty(), permits.is_empty()) {
            (false, _) => Expected::Deny(Clause::Directives, stands),
            (true, false) => Expected::Permit(Clause::Directives, deciding(&permits, &forbids, question.at)),
            (true, true) => default(question, policy),
        }
    }

    /// D-8.
    fn emergency(&self, at: usize, question: &Question, policy: &Policy) -> Expected {
        let named = self.forbids.iter().map(|(forbid, _)| forbid).filter(|forbid| forbid.meaning.applies[at]);
        let forbids = ids(named);
        let broken = policy.break_glass && question.asker.break_glass.is_some();
        match (broken, forbids.is_empty()) {
            (false, _) => Expected::Deny(Clause::Emergency, Vec::new()),
            (true, false) => Expected::Deny(Clause::Emergency, forbids),
            (true, true) => Expected::Permit(Clause::Emergency, Vec::new()),
        }
    }

    /// Asks the implementation every question, and the text, and compares.
    pub(crate) fn compare(&self, questions: &[Question], policy: &Policy) {
        let records: Vec<(bool, Token, Option<Record>)> = self.known.iter().map(Known::record).collect();
        let of = |own| -> Vec<(Token, Option<&Record>)> {
            let tokens = records.iter().filter(|(mine, ..)| *mine == own);
            tokens.map(|(_, token, record)| (*token, record.as_ref())).collect()
        };
        let (own, linked) = (of(true), of(false));
        let patient = Patient { own: &own, linked: &linked };
        for (at, question) in questions.iter().enumerate() {
            let said = decide(&patient, &question.request(), policy, question.at);
            let expected = self.expected(at, question, policy);
            assert!(
                self.agrees(&expected, &said),
                "{said:?}, but the text says {expected:?}\nto {question:?}\nof {patient:?}\nunder {policy:?}"
            );
        }
    }

    fn agrees(&self, expected: &Expected, said: &Decision) -> bool {
        let grounds = said.grounds();
        let first = grounds.directives.first();
        let token = first.and_then(|id| self.find(*id)).map(|act| act.directive.patient);
        let blamed = match expected {
            Expected::Permit(clause, one_of) => {
                let named = match grounds.directives.as_slice() {
                    [] => one_of.is_empty(),
                    [one] => one_of.contains(one),
                    _ => false,
                };
                said.is_permit() && grounds.clause == *clause && named && self.has_basis(*clause, said)
            }
            Expected::Deny(clause, all) => {
                let mut directives = grounds.directives.clone();
                directives.sort_unstable();
                !said.is_permit()
                    && grounds.clause == *clause
                    && directives == *all
                    && grounds.basis.is_none()
            }
        };
        blamed && grounds.token == token
    }

    fn has_basis(&self, clause: Clause, said: &Decision) -> bool {
        let grounds = said.grounds();
        let basis = match clause {
            Clause::DefaultRule => Some(LegalBasis::RegionDefault),
            Clause::Emergency => Some(LegalBasis::Emergency),
            Clause::Directives => {
                grounds.directives.first().and_then(|id| self.find(*id)).map(|act| act.directive.basis)
            }
            Clause::NoToken | Clause::HeadUnknown | Clause::OwnDocument | Clause::OtherPurpose => None,
        };
        grounds.basis == basis
    }

    fn find(&self, id: DirectiveId) -> Option<&InForce> {
        let mut held = self.known.iter().filter_map(|known| known.held.as_ref()).flatten();
        held.find(|held| held.act.directive.id == id).map(|held| held.act)
    }
}

impl Known<'_> {
    fn record(&self) -> (bool, Token, Option<Record>) {
        let told = |held: &Vec<Held<'_>>| {
            let version = held.iter().map(|held| held.act.version).max().unwrap_or(0);
            Record::told(version, held.iter().map(|held| held.act.clone()).collect())
        };
        (self.own, self.token, self.held.as_ref().map(told))
    }
}

impl Question {
    pub(crate) fn request(&self) -> Request<'_> {
        Request { asker: &self.asker, custodian: &self.custodian, document: &self.document }
    }
}

fn ids<'a>(held: impl Iterator<Item = &'a Held<'a>>) -> Vec<DirectiveId> {
    let mut ids: Vec<DirectiveId> = held.map(|held| held.act.directive.id).collect();
    ids.sort_unstable();
    ids
}

/// D-9: of permits that together beat all these forbids, those that can be named for it. If any beats them alone, that one
/// decided; if none does, one that beats some.
fn deciding(permits: &[Held<'_>], forbids: &[&(Held<'_>, Beaters<'_>)], now: Timestamp) -> Vec<DirectiveId> {
    let beats = |permit: &Held<'_>, (forbid, _): &(Held<'_>, Beaters<'_>)| beats(permit, forbid, now);
    let alone = |permit: &&Held<'_>| forbids.iter().all(|forbid| beats(permit, forbid));
    let some = |permit: &&Held<'_>| forbids.iter().any(|forbid| beats(permit, forbid));
    let of_all = ids(permits.iter().filter(alone));
    if of_all.is_empty() { ids(permits.iter().filter(some)) } else { of_all }
}

/// D-7.
fn default(question: &Question, policy: &Policy) -> Expected {
    let ordinary =
        question.asker.purpose == Purpose::Treatment && question.document.sensitivity == Sensitivity::Normal;
    let flows = match policy.default_rule {
        DefaultRule::Deny => false,
        DefaultRule::TreatingRelationship => ordinary && question.asker.treating,
        DefaultRule::AllNormal => ordinary,
    };
    if flows {
        Expected::Permit(Clause::DefaultRule, Vec::new())
    } else {
        Expected::Deny(Clause::DefaultRule, Vec::new())
    }
}
