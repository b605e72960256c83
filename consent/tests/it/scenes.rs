//! Patients, questions and regions by chance: all dimensions of a directive at once, from few values, so that directives
//! meet questions and one another; with the first and the last instant that there are.

#![expect(clippy::indexing_slicing, reason = "places are drawn below the length")]

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use yiqiao_consent::{Document, InForce, Witness};
use yiqiao_proto::codes::{DocumentClass, LegalBasis, PersonRole, Purpose, Sensitivity, Stance};
use yiqiao_proto::directive::{Directive, Grantee, What};
use yiqiao_proto::member::Policy;
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::model::Question;
use crate::universe::{
    accepted, at, code, desk, digest, directive, entry, login, person, policies, referral, token,
};

/// A patient of four tokens: the first two are the decider's own, the others linked; none: the head is not applied.
pub(crate) type Heads = [Option<Vec<InForce>>; 4];

/// A patient, a question and a region.
pub(crate) type Scene = (Heads, Question, Policy);

pub(crate) fn times() -> impl Strategy<Value = Timestamp> {
    select(vec![Timestamp::MIN, at(-1), at(0), at(10), at(20), Timestamp::MAX])
}

fn purposes() -> impl Strategy<Value = Purpose> {
    select(vec![Purpose::Treatment, Purpose::Emergency, Purpose::Quality, Purpose::Operations])
}

fn classes() -> impl Strategy<Value = DocumentClass> {
    select(vec![DocumentClass::Laboratory, DocumentClass::Imaging])
}

pub(crate) fn organisations() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c"])
}

pub(crate) fn witnesses() -> impl Strategy<Value = Witness> {
    prop_oneof![Just(Witness::Passkey), organisations().prop_map(desk), organisations().prop_map(login)]
}

fn grantees() -> impl Strategy<Value = Grantee> {
    let role = option::weighted(0.2, select(vec![PersonRole::Physician, PersonRole::Nurse]));
    let organisation = option::weighted(0.6, organisations());
    let rest =
        (option::weighted(0.2, Just("d")), option::weighted(0.2, 1_u8..3), option::weighted(0.3, 1_u8..3));
    (organisation, role, rest).prop_map(|(organisation, role, (department, practitioner, by_referral))| {
        Grantee {
            organisation: organisation.map(code),
            department: department.filter(|_| organisation.is_some()).map(code),
            practitioner: practitioner.filter(|_| organisation.is_some()).map(person),
            role,
            referral: by_referral.map(referral),
        }
    })
}

fn whats() -> impl Strategy<Value = What> {
    let limits =
        (btree_set(classes(), 0..2), btree_set(select(Sensitivity::ALL), 0..2), btree_set(1_u8..4, 0..2));
    let period = (option::weighted(0.2, times()), option::weighted(0.2, times()));
    (limits, period).prop_map(|((classes, sensitivities, entries), (service_from, service_until))| What {
        classes,
        sensitivities,
        service_from,
        service_until,
        entries: entries.into_iter().map(entry).collect(),
    })
}

/// Directives whose signer and witness are not yet settled.
pub(crate) fn directives() -> impl Strategy<Value = Directive> {
    let stance = select(Stance::ALL);
    let when = (times(), option::weighted(0.4, times()), prop_oneof![3 => 0_u64..12, 1 => Just(u64::MAX)]);
    let whose = option::weighted(0.2, select(vec!["c", "y"]));
    (stance, grantees(), whats(), btree_set(purposes(), 0..3), whose, when).prop_map(
        |(stance, grantee, what, purposes, custodian, (valid_from, valid_until, head_version))| {
            let said = Directive {
                stance,
                grantee,
                custodian: custodian.map(code),
                what,
                purposes,
                valid_from,
                valid_until,
                head_version,
                ..directive()
            };
            if stance == Stance::Permit { as_permit(said) } else { said }
        },
    )
}

/// C-7: a permit names one organisation and its purposes, no emergency among them.
fn as_permit(said: Directive) -> Directive {
    let organisation = said.grantee.organisation.or_else(|| Some(code("a")));
    let mut purposes = said.purposes;
    purposes.remove(&Purpose::Emergency);
    if purposes.is_empty() {
        purposes.insert(Purpose::Treatment);
    }
    let grantee = Grantee { organisation, ..said.grantee };
    Directive { grantee, purposes, basis: LegalBasis::SeparateConsent, ..said }
}

/// Directives for the four tokens, each accepted at a version of its own.
fn heads() -> impl Strategy<Value = Heads> {
    vec(
        (directives(), witnesses(), prop_oneof![6 => Just(1_u8), 2 => Just(2), 1 => Just(3), 1 => Just(4)]),
        0..8,
    )
    .prop_map(|drawn| {
        let acts = (1..).zip(drawn).map(|(version, (said, witness, of))| {
            accepted(&Directive { patient: token(of), ..said }, version, &witness)
        });
        let acts: Vec<InForce> = acts.collect();
        [1, 2, 3, 4].map(|name| {
            Some(acts.iter().filter(|act| act.directive.patient == token(name)).cloned().collect())
        })
    })
}

fn askers() -> impl Strategy<Value = Asker> {
    let stated = (option::of(select(vec!["d", "x"])), option::of(1_u8..4), any::<bool>(), any::<bool>());
    let role = select(vec![PersonRole::Physician, PersonRole::Nurse, PersonRole::System]);
    let purpose = prop_oneof![3 => Just(Purpose::Treatment), 1 => purposes()];
    let organisation = prop_oneof![4 => Just("a"), 1 => organisations()];
    (organisation, 1_u8..4, role, purpose, stated).prop_map(
        |(organisation, practitioner, role, purpose, (department, cited, treating, broken))| Asker {
            organisation: code(organisation),
            department: department.map(code),
            practitioner: person(practitioner),
            role,
            purpose,
            referral: cited.map(referral),
            treating,
            break_glass: broken.then(|| digest(7)),
        },
    )
}

fn documents() -> impl Strategy<Value = Document> {
    let service = (option::of(times()), option::of(times()));
    (1_u8..4, btree_set(1_u8..4, 0..2), classes(), select(Sensitivity::ALL), service).prop_map(
        |(id, replaced, class, sensitivity, (service_start, service_end))| Document {
            entry_id: entry(id),
            replaced: replaced.into_iter().map(entry).collect(),
            class,
            sensitivity,
            service_start,
            service_end,
        },
    )
}

pub(crate) fn scenes() -> impl Strategy<Value = Scene> {
    let question = (askers(), documents(), times()).prop_map(|(asker, document, at)| Question {
        asker,
        custodian: code("c"),
        document,
        at,
    });
    (heads(), question, select(policies()))
}

/// The token at this place of [`Heads`].
pub(crate) fn heads_token(of: usize) -> Token {
    [1, 2, 3, 4].map(token)[of]
}
