//! Small universes: every combination of a few values in some dimensions, and every directive that limits them.
//!
//! In each dimension a universe has the values that its directives name, one that none of them names, and where a
//! request or an entry may be silent (D-6), silence. Then two directives denote the same set only if their limits are
//! the same. The one finite dimension is the purpose: all its codes are in.

#![expect(clippy::unwrap_used, reason = "constants of tests")]

use std::collections::BTreeSet;

use yiqiao_consent::{Document, InForce, Witness};
use yiqiao_proto::codes::{
    DefaultRule, DocumentClass, LegalBasis, PersonRole, ProofKind, Purpose, Sensitivity, Stance,
};
use yiqiao_proto::directive::{Directive, Grantee, Notice, Said, What};
use yiqiao_proto::id::{Code, Digest, DirectiveId, EntryId, PractitionerId, ReferralId};
use yiqiao_proto::member::Policy;
use yiqiao_proto::release::Asker;
use yiqiao_proto::suite::Suite;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;

use crate::model::{Meaning, Question};

/// Questions, and directives that speak about them.
pub(crate) struct Universe {
    pub(crate) questions: Vec<Question>,
    pub(crate) directives: Vec<(Directive, Meaning)>,
}

impl Universe {
    fn new(questions: Vec<Question>, directives: Vec<Directive>) -> Self {
        let valid = directives.into_iter().filter(|directive| Directive::decode(&directive.encode()).is_ok());
        let directives = valid.map(|directive| {
            let meaning = Meaning::of(&directive, &questions);
            (directive, meaning)
        });
        Self { directives: directives.collect(), questions }
    }

    pub(crate) fn of(&self, stance: Stance) -> impl Iterator<Item = &(Directive, Meaning)> {
        self.directives.iter().filter(move |(directive, _)| directive.stance == stance)
    }

    /// Who asks: organisation, department, person, role, referral.
    pub(crate) fn of_grantees() -> Self {
        let mut questions = vec![question()];
        vary(&mut questions, &["a", "b", "z"].map(code), |q, value| q.asker.organisation = value);
        vary(&mut questions, &departments(), |q, value| q.asker.department = value);
        vary(&mut questions, &[1, 9].map(person), |q, value| q.asker.practitioner = value);
        vary(&mut questions, &[PersonRole::Physician, PersonRole::System], |q, value| q.asker.role = value);
        vary(&mut questions, &[None, Some(referral(1)), Some(referral(9))], |q, value| {
            q.asker.referral = value;
        });
        let mut directives = either(&directive());
        vary(&mut directives, &[None, Some(code("a")), Some(code("b"))], |d, v| d.grantee.organisation = v);
        vary(&mut directives, &[None, Some(code("d"))], |d, v| d.grantee.department = v);
        vary(&mut directives, &[None, Some(person(1))], |d, v| d.grantee.practitioner = v);
        vary(&mut directives, &[None, Some(PersonRole::Physician)], |d, v| d.grantee.role = v);
        vary(&mut directives, &[None, Some(referral(1))], |d, v| d.grantee.referral = v);
        Self::new(questions, directives)
    }

    /// Whose and which: custodian, class, sensitivity.
    pub(crate) fn of_classes() -> Self {
        let mut questions = questions();
        vary(&mut questions, &["c", "y"].map(code), |q, value| q.custodian = value);
        vary(&mut questions, &CLASSES, |q, value| q.document.class = value);
        vary(&mut questions, Sensitivity::ALL, |q, value| q.document.sensitivity = value);
        let [one, two, _] = CLASSES;
        let [normal, restricted] = [Sensitivity::Normal, Sensitivity::Restricted];
        let mut directives = either(&directive());
        vary(&mut directives, &[None, Some(code("c"))], |d, value| d.custodian = value);
        vary(&mut directives, &subsets(one, two), |d, value| d.what.classes = value);
        vary(&mut directives, &subsets(normal, restricted), |d, value| d.what.sensitivities = value);
        Self::new(questions, directives)
    }

    /// Which documents: service period, and entries of which the second replaced the first, the third both.
    pub(crate) fn of_documents() -> Self {
        let mut questions = questions();
        vary(&mut questions, &services(), |q, (start, end)| {
            (q.document.service_start, q.document.service_end) = (start, end);
        });
        let chain = [(1, vec![]), (2, vec![1]), (3, vec![1, 2]), (9, vec![])];
        vary(&mut questions, &chain, |q, (id, replaced)| {
            q.document.entry_id = entry(id);
            q.document.replaced = replaced.into_iter().map(entry).collect();
        });
        let mut directives = either(&directive());
        vary(&mut directives, &[None, Some(at(20)), Some(at(40))], |d, value| d.what.service_from = value);
        vary(&mut directives, &[None, Some(at(30)), Some(at(50))], |d, value| d.what.service_until = value);
        vary(&mut directives, &subsets(entry(1), entry(2)), |d, value| d.what.entries = value);
        Self::new(questions, directives)
    }

    /// Why and when: purposes, emergencies, validity.
    pub(crate) fn of_purposes() -> Self {
        let mut questions = questions();
        vary(&mut questions, Purpose::ALL, |q, value| q.asker.purpose = value);
        vary(&mut questions, &[None, Some(digest(7))], |q, value| q.asker.break_glass = value);
        vary(&mut questions, &[9, 10, 20, 30].map(at), |q, value| q.at = value);
        let [treatment, quality, emergency] = [Purpose::Treatment, Purpose::Quality, Purpose::Emergency];
        let all = BTreeSet::from_iter(Purpose::ALL.iter().copied());
        let all_but_emergency = &all - &BTreeSet::from([emergency]);
        let mut purposes = subsets(treatment, quality);
        purposes.extend(subsets(treatment, emergency));
        purposes.extend(subsets(quality, Purpose::Operations));
        purposes.extend([all_but_emergency, all]);
        purposes.sort();
        purposes.dedup();
        let mut directives = either(&directive());
        vary(&mut directives, &purposes, |d, value| d.purposes = value);
        vary(&mut directives, &[at(10), at(20)], |d, value| d.valid_from = value);
        vary(&mut directives, &[None, Some(at(20)), Some(at(30))], |d, value| d.valid_until = value);
        Self::new(questions, directives)
    }

    /// One value of every kind of dimension, against one another.
    pub(crate) fn of_everything() -> Self {
        let [class, _, other] = CLASSES;
        let mut questions = questions();
        vary(&mut questions, &[None, Some(referral(1))], |q, value| q.asker.referral = value);
        vary(&mut questions, &["c", "y"].map(code), |q, value| q.custodian = value);
        vary(&mut questions, &[class, other], |q, value| q.document.class = value);
        vary(&mut questions, &[(1, vec![]), (2, vec![1]), (9, vec![])], |q, (id, replaced)| {
            q.document.entry_id = entry(id);
            q.document.replaced = replaced.into_iter().map(entry).collect();
        });
        vary(&mut questions, &[Purpose::Treatment, Purpose::Research], |q, value| q.asker.purpose = value);
        vary(&mut questions, &[at(15), at(99)], |q, value| q.at = value);
        let mut directives = either(&directive());
        vary(&mut directives, &[None, Some(code("a"))], |d, value| d.grantee.organisation = value);
        vary(&mut directives, &[None, Some(referral(1))], |d, value| d.grantee.referral = value);
        vary(&mut directives, &[None, Some(code("c"))], |d, value| d.custodian = value);
        vary(&mut directives, &[BTreeSet::new(), BTreeSet::from([class])], |d, value| d.what.classes = value);
        vary(&mut directives, &[BTreeSet::new(), BTreeSet::from([entry(1)])], |d, value| {
            d.what.entries = value;
        });
        let treatment = BTreeSet::from([Purpose::Treatment]);
        vary(&mut directives, &[BTreeSet::new(), treatment], |d, value| d.purposes = value);
        vary(&mut directives, &[None, Some(at(30))], |d, value| d.valid_until = value);
        Self::new(questions, directives)
    }
}

const CLASSES: [DocumentClass; 3] =
    [DocumentClass::Laboratory, DocumentClass::Imaging, DocumentClass::Nursing];

/// Every element with every value.
pub(crate) fn vary<T: Clone, V: Clone>(all: &mut Vec<T>, values: &[V], set: impl Fn(&mut T, V)) {
    let with = |one: &T, value: &V| {
        let mut one = one.clone();
        set(&mut one, value.clone());
        one
    };
    *all = all.iter().flat_map(|one| values.iter().map(move |value| with(one, value))).collect();
}

/// A permit to organisation `a` and a forbid to everybody, otherwise alike. What the word's own rules refuse (C-4, C-5,
/// C-7) is left out later.
fn either(directive: &Directive) -> Vec<Directive> {
    let permit =
        Directive { stance: Stance::Permit, basis: LegalBasis::SeparateConsent, ..directive.clone() };
    let grantee = Grantee { organisation: Some(code("a")), ..Grantee::default() };
    vec![Directive { grantee, ..permit }, directive.clone()]
}

fn subsets<T: Ord + Copy>(one: T, two: T) -> Vec<BTreeSet<T>> {
    [vec![], vec![one], vec![two], vec![one, two]].into_iter().map(BTreeSet::from_iter).collect()
}

fn departments() -> [Option<Code>; 3] {
    [None, Some(code("d")), Some(code("x"))]
}

/// Before, between and after the instants that directives name, stated whole, by halves, and not at all.
fn services() -> Vec<(Option<Timestamp>, Option<Timestamp>)> {
    let instants: [i64; 5] = [19, 20, 30, 40, 50];
    let mut services = vec![(None, None)];
    for end in instants {
        services.extend([(Some(at(end)), None), (None, Some(at(end)))]);
        services.extend(
            instants.iter().filter(|start| **start <= end).map(|start| (Some(at(*start)), Some(at(end)))),
        );
    }
    services
}

/// The question of organisation `a`, to which the permits go, and that of one which no directive names.
fn questions() -> Vec<Question> {
    let mut questions = vec![question()];
    vary(&mut questions, &["a", "z"].map(code), |q, value| q.asker.organisation = value);
    questions
}

/// A physician of hospital `a` asks hospital `c` for an ordinary laboratory report.
pub(crate) fn question() -> Question {
    let asker = Asker {
        organisation: code("a"),
        department: None,
        practitioner: person(1),
        role: PersonRole::Physician,
        purpose: Purpose::Treatment,
        referral: None,
        treating: false,
        break_glass: None,
    };
    let document = Document {
        entry_id: entry(1),
        replaced: BTreeSet::new(),
        class: DocumentClass::Laboratory,
        sensitivity: Sensitivity::Normal,
        service_start: None,
        service_end: None,
    };
    Question { asker, custodian: code("c"), document, at: at(25) }
}

/// A forbid of everything to everybody, for treatment.
pub(crate) fn directive() -> Directive {
    Directive {
        id: DirectiveId::new([1; 32]).unwrap(),
        patient: token(1),
        stance: Stance::Forbid,
        grantee: Grantee::default(),
        custodian: None,
        what: What::default(),
        purposes: BTreeSet::from([Purpose::Treatment]),
        valid_from: at(10),
        valid_until: None,
        notice: Notice { version: "1".to_owned(), hash: digest(1) },
        existence_visible: false,
        basis: LegalBasis::Objection,
        head_version: 0,
    }
}

/// A permit of everything to organisation `a`, for treatment.
pub(crate) fn permit() -> Directive {
    either(&directive()).swap_remove(0)
}

/// What was accepted at a version of the head, by this witness, under an id of its own.
pub(crate) fn accepted(directive: &Directive, version: u64, witness: &Witness) -> InForce {
    let commitment = digest(u8::try_from(version % 251).unwrap() + 1);
    let directive = Directive { id: id(version), ..directive.clone() };
    let accepted_at = directive.valid_from;
    InForce { directive, witness: witness.clone(), version, seq: 100 + version, commitment, accepted_at }
}

pub(crate) fn policy() -> Policy {
    Policy {
        suites: BTreeSet::from([Suite::International]),
        lease: Millis::from_secs(30),
        default_rule: DefaultRule::Deny,
        break_glass: true,
        proofs: 0b111,
        open_without_lease: false,
        evaluations_per_day: 1,
        evaluations_backfill: 1,
        rp_id: None,
        origins: Vec::new(),
        vouchers: Vec::new(),
    }
}

/// Every region: default rules and emergency access.
pub(crate) fn policies() -> Vec<Policy> {
    let mut policies = vec![policy()];
    vary(&mut policies, DefaultRule::ALL, |policy, rule| policy.default_rule = rule);
    vary(&mut policies, &[true, false], |policy, allowed| policy.break_glass = allowed);
    policies
}

/// Every member here but the portal `v`.
pub(crate) fn is_custodian(member: &Code) -> bool {
    member.as_str() != "v"
}

pub(crate) fn desk(member: &str) -> Witness {
    Witness::Attested(ProofKind::DeskWitness, code(member))
}

pub(crate) fn login(member: &str) -> Witness {
    Witness::Attested(ProofKind::AttestedLogin, code(member))
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms).unwrap()
}

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn token(seed: u8) -> Token {
    Token { epoch: 1, value: digest(seed) }
}

pub(crate) fn digest(seed: u8) -> Digest {
    Digest::new([seed; 32]).unwrap()
}

pub(crate) fn entry(seed: u8) -> EntryId {
    EntryId::new([seed; 32]).unwrap()
}

pub(crate) fn person(seed: u8) -> PractitionerId {
    PractitionerId::new([seed; 32]).unwrap()
}

pub(crate) fn referral(seed: u8) -> ReferralId {
    ReferralId::new([seed; 32]).unwrap()
}

/// A directive's id, by a number.
pub(crate) fn id(number: u64) -> DirectiveId {
    let mut bytes = [1; 32];
    let (first, _) = bytes.split_at_mut(8);
    first.copy_from_slice(&number.to_be_bytes());
    DirectiveId::new(bytes).unwrap()
}
