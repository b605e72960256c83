//! The implementation against the reference on every small case: no directive, one, two, and by chance up to five.

#![expect(clippy::indexing_slicing, reason = "places are drawn below the length")]

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use yiqiao_consent::{InForce, Patient, Record, Witness, decide};
use yiqiao_proto::codes::{DocumentClass, Purpose, Stance};
use yiqiao_proto::directive::Directive;
use yiqiao_proto::token::Token;

use crate::model::{Case, Held, Known, Meaning};
use crate::universe::{
    Universe, accepted, code, desk, digest, login, permit, policies, policy, question, token, vary,
};

type Meant = (Directive, Meaning);

fn universes() -> [Universe; 5] {
    [
        Universe::of_grantees(),
        Universe::of_classes(),
        Universe::of_documents(),
        Universe::of_purposes(),
        Universe::of_everything(),
    ]
}

/// Who can stand for an act, seen from organisation `a`, to which the permits here go.
fn witnesses() -> [Witness; 3] {
    [Witness::Passkey, desk("a"), login("v")]
}

fn own(held: Vec<Held<'_>>) -> Known<'_> {
    Known { token: token(1), own: true, held: Some(held) }
}

/// The forbid was accepted at version 5; the permit was signed just below it, at it, and above it.
fn compare_pair(universe: &Universe, permit: &Meant, forbid: &Meant, witnesses: &[Witness], seen: &[u64]) {
    for forbidding in witnesses {
        let forbids = accepted(&forbid.0, 5, forbidding);
        for (witness, head_version) in
            witnesses.iter().flat_map(|one| seen.iter().map(move |seen| (one, *seen)))
        {
            let permits = accepted(&Directive { head_version, ..permit.0.clone() }, 7, witness);
            let held =
                vec![Held { act: &forbids, meaning: &forbid.1 }, Held { act: &permits, meaning: &permit.1 }];
            Case::new(vec![own(held)]).compare(&universe.questions, &policy());
        }
    }
}

fn compare_every_pair(universe: &Universe, witnesses: &[Witness], seen: &[u64]) {
    for permit in universe.of(Stance::Permit) {
        for forbid in universe.of(Stance::Forbid) {
            compare_pair(universe, permit, forbid, witnesses, seen);
        }
    }
}

#[test]
fn d7_where_nothing_is_in_force_the_regions_rule_decides() {
    for universe in universes() {
        let mut questions = universe.questions;
        vary(&mut questions, &[true, false], |question, treating| question.asker.treating = treating);
        for policy in policies() {
            Case::new(vec![own(Vec::new())]).compare(&questions, &policy);
        }
    }
}

#[test]
fn d1_d2_d6_d8_every_single_directive_answers_every_question_as_the_text_says() {
    for universe in universes() {
        for (directive, meaning) in &universe.directives {
            let act = accepted(directive, 5, &Witness::Passkey);
            for policy in policies() {
                Case::new(vec![own(vec![Held { act: &act, meaning }])]).compare(&universe.questions, &policy);
            }
        }
    }
}

#[test]
fn d3_d4_d5_c13_every_two_directives_about_grantees_decide_as_the_text_says() {
    compare_every_pair(&Universe::of_grantees(), &witnesses(), &[4, 5]);
}

#[test]
fn d3_d4_d5_c13_every_two_directives_about_classes_decide_as_the_text_says() {
    compare_every_pair(&Universe::of_classes(), &witnesses(), &[4, 5, 6]);
}

#[test]
fn d3_d4_d5_c5_every_two_directives_about_documents_decide_as_the_text_says() {
    compare_every_pair(&Universe::of_documents(), &[Witness::Passkey], &[4, 5]);
}

#[test]
fn d3_d4_d5_d8_every_two_directives_about_purposes_decide_as_the_text_says() {
    compare_every_pair(&Universe::of_purposes(), &[Witness::Passkey, desk("a")], &[4, 5]);
}

#[test]
fn d3_d4_d5_every_two_directives_that_limit_different_things_decide_as_the_text_says() {
    compare_every_pair(&Universe::of_everything(), &[Witness::Passkey], &[5]);
}

#[test]
fn d9_two_of_one_stance_are_both_named_or_either() {
    let universe = Universe::of_classes();
    for stance in [Stance::Permit, Stance::Forbid] {
        for (one, meaning) in universe.of(stance) {
            let one = accepted(one, 5, &Witness::Passkey);
            for (two, other) in universe.of(stance) {
                let two = accepted(two, 6, &Witness::Passkey);
                let held = vec![Held { act: &one, meaning }, Held { act: &two, meaning: other }];
                Case::new(vec![own(held)]).compare(&universe.questions, &policy());
            }
        }
    }
}

/// Where a permit and a forbid can stand: tokens that the decider computed, 1 and 2, or that others have linked, 3 and 4.
#[test]
fn i4_d1_f5_every_two_directives_under_every_two_tokens_decide_as_the_text_says() {
    let universe = Universe::of_classes();
    for permit in universe.of(Stance::Permit) {
        for forbid in universe.of(Stance::Forbid) {
            for (first, second) in [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (3, 3), (3, 4)] {
                compare_under(&universe, (permit, token(first)), (forbid, token(second)));
            }
        }
    }
}

fn compare_under(universe: &Universe, permit: (&Meant, Token), forbid: (&Meant, Token)) {
    let permits = under(&permit.0.0, 7, permit.1);
    let forbids = under(&forbid.0.0, 5, forbid.1);
    let acts = [Held { act: &permits, meaning: &permit.0.1 }, Held { act: &forbids, meaning: &forbid.0.1 }];
    for unknown in [None, Some(token(2)), Some(token(3)), Some(token(4))] {
        // A token of which nothing is in force, one that others linked; either's head may not be applied.
        let tokens = [1, 2, 3, 4].map(token);
        let known = tokens.into_iter().map(|name| {
            let held = acts.iter().filter(|held| held.act.directive.patient == name).copied().collect();
            Known { token: name, own: name <= token(2), held: (unknown != Some(name)).then_some(held) }
        });
        Case::new(known.collect()).compare(&universe.questions, &policy());
    }
}

/// A directive under a token, whose signer had seen everything.
fn under(directive: &Directive, version: u64, patient: Token) -> InForce {
    accepted(&Directive { patient, head_version: 99, ..directive.clone() }, version, &Witness::Passkey)
}

#[test]
fn d1_a_patient_without_tokens_of_the_deciders_own_is_denied() {
    let universe = Universe::of_purposes();
    for policy in policies() {
        Case::new(Vec::new()).compare(&universe.questions, &policy);
        let linked = Known { own: false, ..own(Vec::new()) };
        Case::new(vec![linked]).compare(&universe.questions, &policy);
    }
}

#[test]
fn d10_an_organisations_own_documents_are_not_decided_by_directives() {
    let mut own_question = question();
    own_question.asker.organisation = code("c");
    let mut emergency = own_question.clone();
    (emergency.asker.purpose, emergency.asker.break_glass) = (Purpose::Emergency, Some(digest(7)));
    let questions = [own_question, emergency];
    for (directive, _) in Universe::of_everything().directives {
        let meaning = Meaning::of(&directive, &questions);
        let act = accepted(&directive, 5, &Witness::Passkey);
        Case::new(vec![own(vec![Held { act: &act, meaning: &meaning }])]).compare(&questions, &policy());
    }
}

#[test]
fn d13_no_consent_opens_fees_but_for_payment_and_to_the_patient() {
    let mut questions = vec![question()];
    questions[0].document.class = DocumentClass::Finance;
    vary(&mut questions, Purpose::ALL, |question, value| question.asker.purpose = value);
    vary(&mut questions, &[None, Some(digest(7))], |question, value| question.asker.break_glass = value);
    let everything = Purpose::ALL.iter().copied().filter(|purpose| *purpose != Purpose::Emergency);
    let permit = Directive { purposes: everything.collect(), ..permit() };
    let meaning = Meaning::of(&permit, &questions);
    let act = accepted(&permit, 5, &Witness::Passkey);
    for policy in policies() {
        Case::new(vec![own(vec![Held { act: &act, meaning: &meaning }])]).compare(&questions, &policy);
    }
    let record = Record::told(act.version, vec![act.clone()]);
    let held = [(act.directive.patient, Some(&record))];
    let opened = questions.iter().filter(|question| {
        decide(&Patient { own: &held, linked: &[] }, &question.request(), &policy(), question.at).is_permit()
    });
    let purposes: BTreeSet<Purpose> = opened.map(|question| question.asker.purpose).collect();
    assert_eq!(purposes, BTreeSet::from([Purpose::PatientRequest, Purpose::Payment]));
}

#[test]
fn d3_d4_d9_up_to_five_directives_together_decide_as_the_text_says() {
    for universe in universes() {
        let count = universe.directives.len();
        let one = (0..count, 0..3_usize, 0..7_u64);
        let mut runner =
            TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
        runner
            .run(&(vec(one, 3..=5), any::<bool>()), |(drawn, two_tokens)| {
                compare_drawn(&universe, &drawn, two_tokens);
                Ok(())
            })
            .unwrap_or_else(|failure| panic!("{failure}"));
    }
}

fn compare_drawn(universe: &Universe, drawn: &[(usize, usize, u64)], two_tokens: bool) {
    let acts: Vec<(InForce, &Meaning)> = (1..)
        .zip(drawn)
        .map(|(version, (at, witness, head_version))| {
            let (directive, meaning) = &universe.directives[*at];
            let patient = token(if two_tokens && version % 3 == 0 { 2 } else { 1 });
            let directive = Directive { head_version: *head_version, patient, ..directive.clone() };
            (accepted(&directive, version, &witnesses()[*witness]), meaning)
        })
        .collect();
    let known = [1, 2].map(token).map(|name| {
        let of = acts.iter().filter(|(act, _)| act.directive.patient == name);
        let held = of.map(|(act, meaning)| Held { act, meaning }).collect();
        Known { token: name, own: true, held: Some(held) }
    });
    Case::new(known.into()).compare(&universe.questions, &policy());
}
