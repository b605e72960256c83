//! How well a hospital tells its patients apart, measured on a small town: `examples/matching` measures large ones.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_intake::facts::Trigger;
use yiqiao_intake::patient::{IdKind, Identifier, Patient};
use yiqiao_node_core::machine::{Input, Refused};
use yiqiao_node_core::pairs::{Judgement, Pair};
use yiqiao_node_core::remark::Remark;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::Subject;
use yiqiao_proto::phi::Phi;

use crate::region::{Registry, list};
use crate::residents::residents;
use crate::rig::{Msg, Node, Says, event, merge, patient, report};
use crate::trio::staff;

fn desk() -> yiqiao_node_core::actor::Actor {
    staff("k1", PersonRole::Desk, &[])
}

#[test]
fn i6_nobody_becomes_one_with_another_and_review_finds_nearly_all() {
    let measured = residents(3, 1_500);
    assert!(measured.pairs > 1_500, "there is something to find: {measured:?}");
    assert_eq!(measured.wrong, 0, "{measured:?}");
    assert!(measured.linked * 100 >= measured.pairs * 40, "without a person: {measured:?}");
    assert!(measured.reviewed * 100 >= measured.pairs * 95, "with review: {measured:?}");
    assert!(measured.questions * 100 <= measured.registrations * 60, "few questions: {measured:?}");
}

/// The hospital's number, name, birth date and telephone of somebody; with an identity number if `order` is given.
fn somebody(number: &str, name: &str, order: Option<u32>) -> Patient {
    let mut somebody = patient(number, order);
    somebody.name = Some(Phi::new(name.to_owned()));
    somebody.phone = Some(Phi::new("13800000001".to_owned()));
    somebody
}

fn pairs(node: &Node, decided: bool) -> Vec<Pair> {
    node.ask(|machine, view| machine.pairs(decided, None, view)).0
}

fn judge(node: &mut Node, pair: u64, judgement: Judgement) -> Result<(), Refused> {
    node.decide(&Input::Judge { actor: desk(), pair, judgement })
}

/// Two numbers of one person, of whom only the first has shown an identity number, each with a document.
fn twice() -> (Node, Registry, [Subject; 2]) {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    node.receive(&report("1", somebody("p", "李娜", Some(1)), "r1"));
    node.receive(&report("2", somebody("q", "李那", None), "r2"));
    node.publish(&mut registry);
    let subjects = ["p", "q"].map(|number| node.patient(number).unwrap().subject);
    (node, registry, subjects)
}

#[test]
fn i6_two_who_may_be_one_wait_for_a_person_and_leave_the_hospital_as_two() {
    let (mut node, registry, [known, other]) = twice();
    assert_eq!(registry.statements().keys().collect::<Vec<_>>(), [&known], "of the other nothing is told");
    let [pair] = pairs(&node, false).try_into().unwrap();
    let subjects = pair.patients.map(|patient| patient.subject);
    assert!(subjects.contains(&known) && subjects.contains(&other));
    node.receive(&report("3", somebody("q", "李那", None), "r3"));
    assert_eq!(pairs(&node, false).len(), 1, "nobody is asked twice");
    node.rebuild();
    assert_eq!(pairs(&node, false).len(), 1);
}

#[test]
fn t2_a_permit_is_one_whatever_a_system_calls_it_and_a_passport_without_its_state_gives_no_token() {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    let shown = [
        ("p", IdKind::Passport, "CAN110067050101"),
        ("q", IdKind::Other, "can 110067050101"),
        ("r", IdKind::ResidentId, "USA310080010122"),
        ("s", IdKind::Passport, "AB1234567"),
    ];
    for (number, kind, permit) in shown {
        let mut somebody = somebody(number, "Anna Li", None);
        somebody.identify(Identifier::new(kind, permit, ""));
        node.receive(&report(number, somebody, number));
    }
    node.publish(&mut registry);
    let tokens: Vec<_> = ["p", "q", "r", "s"]
        .iter()
        .map(|number| registry.statements().get(&node.patient(number).unwrap().subject).cloned())
        .collect();
    assert_eq!(tokens[0].as_ref().map(Vec::len), Some(1));
    assert_eq!(tokens[0], tokens[1], "one patient to the region");
    assert!(tokens[2].is_some() && tokens[2] != tokens[0]);
    assert_eq!(tokens[3], None);
}

/// Somebody who shows nothing but a number of this kind.
fn showing(number: &str, name: &str, (kind, value, assigner): (IdKind, &str, &str)) -> Patient {
    let mut somebody = somebody(number, name, None);
    somebody.identify(Identifier::new(kind, value, assigner));
    somebody
}

#[test]
fn t1_a_passport_and_a_travel_permit_give_tokens_and_one_holder_is_one_patient() {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    let shown = [
        ("p", (IdKind::Passport, "A1234567", "USA")),
        ("q", (IdKind::Passport, " a123-4567", "http://hl7.org/fhir/sid/passport-USA")),
        ("r", (IdKind::Passport, "A1234567", "2.16.840.1.113883.4.330.124")),
        ("s", (IdKind::TravelPermit, "H0123456701", "")),
        ("t", (IdKind::ResidentId, "H01234567", "")),
        ("u", (IdKind::TravelPermit, "01234567", "")),
    ];
    for (number, id) in shown {
        node.receive(&report(number, showing(number, "Anna Li", id), number));
    }
    node.publish(&mut registry);
    let statements = registry.statements();
    let [p, q, r, s, t, u] = ["p", "q", "r", "s", "t", "u"]
        .map(|number| statements[&node.patient(number).unwrap().subject].clone());
    assert_eq!([p.len(), r.len(), s.len(), u.len()], [1; 4]);
    assert_eq!((&p, &s), (&q, &t), "however it is written");
    assert!(p != r && s != u, "another state, another permit");
}

#[test]
fn i6_two_names_under_one_passport_wait_for_a_person() {
    let passport = (IdKind::Passport, "A1234567", "USA");
    let mut other_birth = showing("q", "Bo Chen", passport);
    other_birth.birth_date = yiqiao_intake::patient::PartialDate::new(1961, Some(7), Some(9)).map(Phi::new);
    for other in [showing("q", "Bo Chen", passport), other_birth] {
        let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
        node.receive(&report("1", showing("p", "Anna Li", passport), "r1"));
        node.receive(&report("2", other, "r2"));
        node.publish(&mut registry);
        let [known, second] = ["p", "q"].map(|number| node.patient(number).unwrap().subject);
        let statements = registry.statements();
        assert!(
            statements.contains_key(&known) && !statements.contains_key(&second),
            "the first has the token"
        );
        assert_eq!(pairs(&node, false).len(), 1);
    }
    // Who comes with nothing but the passport is not taken for its holder either.
    let mut node = Node::new(&list(100));
    node.receive(&report("1", showing("", "Anna Li", passport), "r1"));
    assert_eq!(
        node.refuses(&report("2", showing("", "Bo Chen", passport), "r2")),
        Some(Refused::OtherPerson)
    );
}

#[test]
fn i6_who_has_a_new_passport_is_not_another_for_that() {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    for (number, passport) in [("p", "A1234567"), ("q", "B7654321")] {
        let mut somebody = showing(number, "Anna Li", (IdKind::Passport, passport, "USA"));
        somebody.identify(Identifier::new(IdKind::HealthCard, "A12345678", "NHC"));
        node.receive(&report(number, somebody, number));
    }
    node.publish(&mut registry);
    let statements = registry.statements();
    let [one, other] = ["p", "q"].map(|number| &statements[&node.patient(number).unwrap().subject]);
    assert_eq!(one.iter().filter(|token| other.contains(token)).count(), 1, "told under the card");
    node.receive(&merge("3", showing("p", "Anna Li", (IdKind::Passport, "A1234567", "USA")), "q"));
    assert_eq!(node.patient("p").unwrap().retired.len(), 1, "nothing is in doubt");
}

#[test]
fn i6_what_people_have_decided_is_undone_with_all_that_came_since() {
    let (mut node, mut registry, [known, other]) = twice();
    let pair = pairs(&node, false)[0].number;
    assert_eq!(judge(&mut node, pair, Judgement::Open), Err(Refused::NotOpen(pair)));
    judge(&mut node, pair, Judgement::One).unwrap();
    assert_eq!(judge(&mut node, pair, Judgement::Two), Err(Refused::NotOpen(pair)));
    assert!(pairs(&node, false).is_empty() && pairs(&node, true)[0].judgement == Judgement::One);
    // A document, an identifier and a visit come under the number of the one who was not known to the region.
    let mut more = somebody("q", "李那", None);
    more.identify(Identifier::new(IdKind::HealthCard, "A12345678", "NHC"));
    node.receive(&report("3", more, "r3"));
    node.publish(&mut registry);
    let statements = registry.statements();
    assert_eq!((statements[&known].len(), &statements[&other]), (2, &statements[&known]));
    assert_eq!(node.patient("q").unwrap().retired, [other]);

    judge(&mut node, pair, Judgement::Open).unwrap();
    node.rebuild();
    node.publish(&mut registry);
    let statements = registry.statements();
    assert_eq!((statements[&known].len(), statements[&other].len()), (1, 1), "each has its own");
    assert_ne!(statements[&known], statements[&other]);
    let of = |number: &str| {
        let patient = node.patient(number).unwrap();
        (patient.subject, patient.retired.len(), patient.data.expose().identifiers.len())
    };
    assert_eq!((of("p"), of("q")), ((known, 0, 2), (other, 0, 2)));
    let filed: Vec<Subject> = registry.entries().iter().map(|(entry, _)| entry.subject).collect();
    assert_eq!(filed, [known, other, other], "each document is where its number is");
    assert_eq!(pairs(&node, false).len(), 1, "it waits again");
    registry.check_payloads();
}

#[test]
fn i6_two_stay_two_once_a_person_has_said_so() {
    let (mut node, _, [known, other]) = twice();
    let pair = pairs(&node, false)[0].number;
    judge(&mut node, pair, Judgement::Two).unwrap();
    node.receive(&report("3", somebody("q", "李娜", None), "r3"));
    assert!(pairs(&node, false).is_empty());
    assert_eq!(["p", "q"].map(|number| node.patient(number).unwrap().subject), [known, other]);
}

#[test]
fn i7_whose_number_it_was_that_documents_had_alone_a_person_says() {
    let visit = |mut of: Patient, register: &str| {
        of.identify(Identifier::new(IdKind::OutpatientNo, "MZ1", register));
        of
    };
    // The number is known of somebody who was here, of somebody who comes with it, or of somebody to whom another register gave it.
    for (is_here, register) in [(true, ""), (false, ""), (false, "HIS")] {
        let mut node = Node::new(&list(100));
        if is_here {
            node.receive(&report("1", somebody("p", "李娜", None), "r1"));
        }
        node.receive(&report("2", visit(Patient::default(), ""), "r2"));
        let numbered = node.typed("MZ1");
        let registered = |control: &str| {
            let event = event(Trigger::Updated, visit(somebody("p", "李娜", None), register), 0);
            Msg::new(control, Says::Events(vec![event]))
        };
        node.receive(&registered("3"));
        let known = node.patient("p").unwrap();
        assert_eq!(node.typed("MZ1"), [numbered[0], known.subject], "two, and nobody guesses");
        let found = pairs(&node, false);
        assert_eq!(found.len(), 1, "asked once");
        node.receive(&registered("4"));
        assert_eq!(pairs(&node, false).len(), 1);

        judge(&mut node, found[0].number, Judgement::One).unwrap();
        node.rebuild();
        let now = node.patient("p").unwrap();
        assert_eq!((now.subject, now.data.expose().name.as_str()), (known.subject, "李娜"), "a name stays");
        assert_eq!(node.typed("MZ1"), [now.subject]);
        let of = |subject| node.ask(|machine, view| machine.documents_of(&subject, 0, view)).0.len();
        assert_eq!(now.retired, numbered);
        assert_eq!((of(now.subject), of(numbered[0])), (usize::from(is_here), 1), "each in its own chain");
    }
}

#[test]
fn i7_two_of_whom_nothing_but_a_number_is_known_are_not_compared() {
    let mut node = Node::new(&list(100));
    for register in ["HIS", "LIS"] {
        let mut nobody = Patient::default();
        nobody.identify(Identifier::new(IdKind::Local, "C7", register));
        node.receive(&Msg::new(register, Says::Events(vec![event(Trigger::Updated, nobody, 0)])));
    }
    assert!(node.typed("C7").len() == 2 && pairs(&node, false).is_empty());
}

#[test]
fn i6_a_number_that_two_show_who_are_not_one_is_the_first_ones_until_a_person_has_decided() {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    node.receive(&report("1", somebody("p", "李娜", Some(1)), "r1"));
    node.receive(&report("2", somebody("q", "李雯", Some(1)), "r2"));
    node.publish(&mut registry);
    let [known, other] = ["p", "q"].map(|number| node.patient(number).unwrap().subject);
    assert!(registry.statements().contains_key(&known) && !registry.statements().contains_key(&other));
    assert!(node.patient("q").unwrap().remarks.contains(&Remark::NumberDisputed));
    // The hospital's register finds out whose number it is, and corrects.
    node.receive(&Msg::new(
        "3",
        Says::Events(vec![event(Trigger::Updated, somebody("q", "李雯", Some(2)), 5)]),
    ));
    node.publish(&mut registry);
    let statements = registry.statements();
    assert!(statements[&known] != statements[&other] && statements[&other].len() == 1);
}

#[test]
fn i6_newborns_who_are_called_after_their_mother_are_told_under_no_card() {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    for number in ["p", "q"] {
        let mut twin = somebody(number, "李娜之子", None);
        twin.identify(Identifier::new(IdKind::HealthCard, "A12345678", "NHC"));
        node.receive(&report(number, twin, number));
    }
    node.publish(&mut registry);
    assert!(registry.statements().is_empty(), "the card is their mother's");
    assert_eq!(pairs(&node, false).len(), 1, "one child that came twice, or two");
    let mut named = somebody("p", "李小明", None);
    named.identify(Identifier::new(IdKind::HealthCard, "B12345678", "NHC"));
    node.receive(&Msg::new("3", Says::Events(vec![event(Trigger::Updated, named, 5)])));
    node.publish(&mut registry);
    assert_eq!(registry.statements().len(), 1);
}

#[test]
fn i3_i6_a_merge_in_doubt_waits_on_the_same_list() {
    for judgement in [Judgement::One, Judgement::Two] {
        let mut node = Node::new(&list(100));
        node.receive(&report("1", somebody("p", "李娜", Some(1)), "r1"));
        node.receive(&report("2", somebody("q", "王芳", Some(2)), "r2"));
        assert!(pairs(&node, false).is_empty());
        node.receive(&merge("3", somebody("p", "李娜", Some(1)), "q"));
        let [pair] = pairs(&node, false).try_into().unwrap();
        assert!(pair.merged);
        judge(&mut node, pair.number, judgement).unwrap();
        node.rebuild();
        let [one, other] = ["p", "q"].map(|number| node.patient(number).unwrap());
        assert_eq!(one.subject == other.subject, judgement == Judgement::One);
        assert!(
            !one.remarks.contains(&Remark::MergeContradicts)
                && !other.remarks.contains(&Remark::MergeContradicts)
        );
    }
}

#[test]
fn only_a_desk_decides_who_is_who() {
    let (mut node, _, _) = twice();
    let pair = pairs(&node, false)[0].number;
    let actor = staff("d1", PersonRole::Physician, &["general"]);
    let asked = node.decide(&Input::Judge { actor, pair, judgement: Judgement::One });
    assert_eq!(asked, Err(Refused::NotSeen));
    assert_eq!(judge(&mut node, pair + 1, Judgement::One), Err(Refused::NotOpen(pair + 1)));
}
