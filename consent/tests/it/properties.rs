//! What holds for every patient, question and region, whatever else is decided: safety stated as changes that must never
//! open anything, and that the decision is total.

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_assume, proptest};
use proptest::sample::select;
use proptest::test_runner::Config;
use yiqiao_consent::{Clause, Decision, InForce, Patient, Record, Witness, decide, scope};
use yiqiao_proto::codes::{LegalBasis, ProofKind, Purpose, Stance};
use yiqiao_proto::directive::Directive;
use yiqiao_proto::member::Policy;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::model::Question;
use crate::scenes::{Heads, directives, heads_token, organisations, scenes, times, witnesses};
use crate::universe::{accepted, desk, digest, directive, entry, policies, token};

fn ask(heads: &Heads, question: &Question, policy: &Policy) -> Decision {
    let told = |acts: &Vec<InForce>| Record::told(acts.len() as u64, acts.clone());
    let records = heads.each_ref().map(|acts| acts.as_ref().map(told));
    let tokens: Vec<(Token, Option<&Record>)> =
        (1..).map(token).zip(records.iter().map(Option::as_ref)).collect();
    let (own, linked) = tokens.split_at(2);
    decide(&Patient { own, linked }, &question.request(), policy, question.at)
}

/// The same patient with only the acts that are kept.
fn keeping(heads: &Heads, keep: impl Fn(&InForce) -> bool) -> Heads {
    heads
        .each_ref()
        .map(|acts| acts.as_ref().map(|acts| acts.iter().filter(|act| keep(act)).cloned().collect()))
}

fn with(heads: &Heads, of: usize, act: InForce) -> Heads {
    let mut heads = heads.clone();
    if let Some(acts) = heads.get_mut(of).and_then(Option::as_mut) {
        acts.push(act);
    }
    heads
}

fn is_forbid(act: &InForce) -> bool {
    act.directive.stance == Stance::Forbid
}

/// Every act of the patient.
fn all(heads: &Heads) -> impl Iterator<Item = &InForce> {
    heads.iter().flatten().flatten()
}

/// Whether the second is not more open than the first.
fn opens_nothing(before: &Decision, after: &Decision) -> bool {
    before.is_permit() || !after.is_permit()
}

proptest! {
    #![proptest_config(Config { cases: 3_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn d3_one_forbid_more_opens_nothing(
        (heads, question, region) in scenes(),
        said in directives(),
        witness in witnesses(),
        of in 0_usize..4,
    ) {
        let patient = heads_token(of);
        let forbid = Directive { stance: Stance::Forbid, basis: LegalBasis::Objection, patient, ..said };
        let more = with(&heads, of, accepted(&forbid, 9, &witness));
        prop_assert!(opens_nothing(&ask(&heads, &question, &region), &ask(&more, &question, &region)));
    }

    #[test]
    fn d3_one_permit_less_opens_nothing((heads, question, region) in scenes()) {
        let before = ask(&heads, &question, &region);
        for permit in all(&heads).filter(|act| !is_forbid(act)) {
            let less = keeping(&heads, |act| act != permit);
            prop_assert!(opens_nothing(&before, &ask(&less, &question, &region)));
        }
    }

    #[test]
    fn i4_d1_permits_under_linked_tokens_are_nothing((heads, question, region) in scenes()) {
        let without = keeping(&heads, |act| is_forbid(act) || act.directive.patient <= token(2));
        prop_assert_eq!(ask(&heads, &question, &region), ask(&without, &question, &region));
    }

    #[test]
    fn i4_d8_a_forbid_under_a_linked_token_counts((heads, question, region) in scenes(), of in 2_usize..4) {
        let everything = Directive {
            purposes: Purpose::ALL.iter().copied().collect(),
            valid_from: Timestamp::MIN,
            patient: heads_token(of),
            ..directive()
        };
        let more = with(&heads, of, accepted(&everything, 9, &desk("v")));
        prop_assert!(!ask(&more, &question, &region).is_permit());
    }

    #[test]
    fn c2_c10_f5_a_head_that_is_not_known_or_not_read_whole_denies(
        (heads, question, region) in scenes(),
        of in 0_usize..4,
    ) {
        let mut unread = heads;
        if let Some(head) = unread.get_mut(of) {
            *head = None;
        }
        prop_assume!(question.asker.organisation != question.custodian);
        let said = ask(&unread, &question, &region);
        prop_assert!(!said.is_permit());
        prop_assert_eq!(said.grounds().clause, Clause::HeadUnknown);
    }

    #[test]
    fn d9_the_order_in_which_directives_are_kept_decides_nothing(
        (heads, question, region) in scenes(),
        turn in 0_usize..8,
    ) {
        let mut turned = heads.clone();
        for acts in turned.iter_mut().flatten() {
            let places = acts.len();
            acts.rotate_left(turn.checked_rem(places).unwrap_or(0));
            acts.reverse();
        }
        let sorted = |heads| {
            let said = ask(heads, &question, &region);
            let mut grounds = said.grounds().clone();
            grounds.directives.sort_unstable();
            (said.is_permit(), grounds)
        };
        prop_assert_eq!(sorted(&heads), sorted(&turned));
    }

    #[test]
    fn d9_every_answer_names_its_clause_and_directives_that_apply((heads, question, region) in scenes()) {
        let said = ask(&heads, &question, &region);
        let grounds = said.grounds();
        let number = grounds.clause.number();
        prop_assert!(["D-1", "D-3", "D-7", "D-8", "D-10", "F-5"].contains(&number));
        prop_assert_eq!(grounds.token.is_some(), !grounds.directives.is_empty());
        prop_assert_eq!(grounds.basis.is_some(), said.is_permit());
        let named = !grounds.directives.is_empty();
        let fits = match grounds.clause {
            Clause::Directives => named,
            Clause::Emergency => !(named && said.is_permit()),
            Clause::NoToken
            | Clause::HeadUnknown
            | Clause::DefaultRule
            | Clause::OwnDocument
            | Clause::OtherPurpose => !named,
        };
        prop_assert!(fits);
        for id in &grounds.directives {
            let act = all(&heads).find(|act| act.directive.id == *id);
            let decides = |act: &InForce| {
                is_forbid(act) != said.is_permit()
                    && scope::applies(&act.directive, &question.request(), question.at)
            };
            prop_assert!(act.is_some_and(decides));
        }
    }

    #[test]
    fn c13_a_permit_that_its_own_grantee_attests_overrides_no_forbid(
        (heads, question, region) in scenes(),
        kind in select(vec![ProofKind::AttestedLogin, ProofKind::DeskWitness]),
    ) {
        let mut own_word = heads.clone();
        for act in own_word.iter_mut().flatten().flatten().filter(|act| !is_forbid(act)) {
            act.witness = Witness::Attested(kind, act.directive.grantee.organisation.clone().unwrap());
        }
        let forbidden = ask(&keeping(&heads, is_forbid), &question, &region);
        if forbidden.grounds().clause == Clause::Directives {
            prop_assert!(!ask(&own_word, &question, &region).is_permit());
        }
    }

    #[test]
    fn c13_no_attested_permit_overrides_a_forbid_by_passkey(
        (heads, question, region) in scenes(),
        member in organisations(),
    ) {
        let mut attested = heads;
        for act in attested.iter_mut().flatten().flatten() {
            act.witness = if is_forbid(act) { Witness::Passkey } else { desk(member) };
        }
        let forbidden = ask(&keeping(&attested, is_forbid), &question, &region);
        if forbidden.grounds().clause == Clause::Directives {
            prop_assert!(!ask(&attested, &question, &region).is_permit());
        }
    }

    #[test]
    fn d4_a_permit_whose_signer_saw_no_forbid_beats_none((heads, question, region) in scenes()) {
        let mut unseen = heads.clone();
        for act in unseen.iter_mut().flatten().flatten() {
            act.directive.head_version = 0;
        }
        let forbidden = ask(&keeping(&heads, is_forbid), &question, &region);
        if forbidden.grounds().clause == Clause::Directives {
            prop_assert!(!ask(&unseen, &question, &region).is_permit());
        }
    }

    #[test]
    fn d6_d2_silence_opens_nothing_that_a_statement_would_not((heads, question, region) in scenes()) {
        let mut silent = question.clone();
        (silent.asker.department, silent.asker.referral) = (None, None);
        (silent.document.service_start, silent.document.service_end) = (None, None);
        prop_assert!(opens_nothing(&ask(&heads, &question, &region), &ask(&heads, &silent, &region)));
    }

    #[test]
    fn c5_a_document_that_takes_anothers_place_opens_nothing(
        (heads, question, region) in scenes(),
        other in 1_u8..4,
    ) {
        let mut later = question.clone();
        later.document.replaced.insert(entry(other));
        prop_assert!(opens_nothing(&ask(&heads, &question, &region), &ask(&heads, &later, &region)));
    }

    #[test]
    fn d8_what_does_not_name_an_emergency_does_not_touch_it((heads, mut question, region) in scenes()) {
        question.asker.purpose = Purpose::Emergency;
        let names = |act: &InForce| act.directive.purposes.contains(&Purpose::Emergency);
        let named = keeping(&heads, |act| is_forbid(act) && names(act));
        prop_assert_eq!(ask(&heads, &question, &region), ask(&named, &question, &region));
        question.asker.break_glass = None;
        prop_assert!(!ask(&heads, &question, &region).is_permit());
    }

    #[test]
    fn d7_a_stricter_region_opens_nothing((heads, question, region) in scenes(), treating in any::<bool>()) {
        let mut asked = question;
        asked.asker.treating = treating;
        let permitted: Vec<bool> = policies()
            .into_iter()
            .filter(|policy| policy.break_glass == region.break_glass)
            .map(|policy| ask(&heads, &asked, &policy).is_permit())
            .collect();
        prop_assert!(permitted.is_sorted());
    }

    #[test]
    fn d10_a_hospitals_own_documents_are_never_decided_by_directives(
        (heads, mut question, region) in scenes(),
    ) {
        question.asker.organisation = question.custodian.clone();
        prop_assume!(question.asker.purpose != Purpose::Emergency);
        prop_assert_eq!(ask(&heads, &question, &region).grounds().clause, Clause::OwnDocument);
    }

    #[test]
    fn d10_in_an_emergency_only_a_forbid_that_is_known_and_names_it_takes_a_hospital_its_own_documents(
        (heads, mut question, region) in scenes(),
    ) {
        question.asker.organisation = question.custodian.clone();
        question.asker.purpose = Purpose::Emergency;
        question.asker.break_glass = Some(digest(7));
        let forbids = |act: &InForce| {
            is_forbid(act) && scope::applies(&act.directive, &question.request(), question.at)
        };
        let forbidden = all(&heads).any(forbids);
        prop_assert_eq!(ask(&heads, &question, &region).is_permit(), region.break_glass && !forbidden);
        let unknown: Heads = std::array::from_fn(|_| None);
        prop_assert_eq!(ask(&unknown, &question, &region).is_permit(), region.break_glass);
    }

    #[test]
    fn d5_narrower_is_a_strict_order(all in vec(directives(), 3), now in times()) {
        let narrower = |a: usize, b: usize| scope::is_strictly_narrower(&all[a], &all[b], now);
        prop_assert!(!narrower(0, 0));
        prop_assert!(!(narrower(0, 1) && narrower(1, 0)));
        prop_assert!(!(narrower(0, 1) && narrower(1, 2)) || narrower(0, 2));
    }
}
