//! Registers of a hospital's numbers: who has a number, whichever system's name its register goes by.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use yiqiao_intake::facts::{ReviewReason, Trigger};
use yiqiao_intake::patient::{IdKind, Identifier, PartialDate, Patient};
use yiqiao_node_core::ask::{self, ReviewState};
use yiqiao_node_core::intake::{Holder, Verdict};
use yiqiao_node_core::limits::REGISTERS_MAX;
use yiqiao_node_core::machine::{Machine, Refused};
use yiqiao_node_core::register::{DESK, Named, Number};
use yiqiao_proto::id::Subject;
use yiqiao_proto::phi::Phi;

use crate::region::list;
use crate::rig::{Msg, Node, Says, event, merge, patient, report, resident_id};

/// A patient with a number of a register.
fn of(register: &str, number: &str, order: Option<u32>) -> Patient {
    let mut patient = patient("", order);
    patient.identifiers.insert(0, Identifier::new(IdKind::Local, number, register).unwrap());
    patient
}

fn told(control: &str, patient: Patient) -> Msg {
    Msg::new(control, Says::Events(vec![event(Trigger::Updated, patient, 0)]))
}

/// Somebody whom a person of the hospital files by hand.
fn by_hand(node: &mut Node, number: &str, order: u32) -> Subject {
    let register = node.ask(Machine::main_register);
    let mut message = told("hand", of(&register, number, Some(order)));
    message.system = DESK;
    node.receive(&message);
    let [subject] = node.typed(number)[..] else { panic!("one patient of {number}") };
    subject
}

fn names(node: &Node) -> Vec<(String, u64, bool)> {
    let plain = |Named { name, messages, configured }| (name, messages, configured);
    node.ask(Machine::registers).into_iter().map(plain).collect()
}

fn is_one(node: &Node, order: u32, subject: Subject) -> bool {
    let id = yiqiao_proto::person::Identifier::resident_id(&resident_id(order)).unwrap();
    node.ask(|machine, view| machine.patients_by_identifier(&id, view)) == [subject]
}

#[test]
fn who_has_a_number_is_found_whichever_register_gave_it() {
    let mut node = Node::new(&list(100));
    node.receive(&told("1", of("QZDX", "C0001004072", Some(1))));
    node.receive(&report("2", of("urn:oid:1.2.3", "C0001004072", Some(2)), "r"));
    node.receive(&told("3", of("", "D1", Some(3))));
    let both = node.typed("C0001004072");
    assert_eq!(both.len(), 2, "two persons with one number are two, and nobody guesses");
    assert_eq!(node.typed(" c0001004072 "), both, "as people type it");
    let of = |register: &str| {
        let (register, value) = (register.to_owned(), Phi::new("C0001004072".to_owned()));
        node.ask(|machine, view| {
            machine.patients_by_number(&Number::Of { register: register.clone(), value: value.clone() }, view)
        })
    };
    assert_eq!([of("QZDX"), of("1.2.3")].concat(), both);
    assert_eq!((of("urn:oid:1.2.3"), of("QZRM")), (of("1.2.3"), Vec::new()));
    assert_eq!((node.typed("D1").len(), node.typed("D2").len()), (1, 0));
    node.rebuild();
    assert_eq!(node.typed("C0001004072"), both);
}

#[test]
fn every_number_of_a_patient_leads_to_it_also_after_it_has_another_or_is_merged() {
    let mut node = Node::new(&list(100));
    let visit = |number: &str| {
        let mut patient = patient("p", Some(1));
        patient.identify(Identifier::new(IdKind::OutpatientNo, number, "1.11"));
        patient.identify(Identifier::new(IdKind::Other, "sample 7", "LIS"));
        patient
    };
    node.receive(&told("1", visit("MZ1")));
    node.receive(&told("2", visit("MZ2")));
    let subject = node.patient("p").unwrap().subject;
    for number in ["p", "MZ1", "MZ2"] {
        assert_eq!(node.typed(number), [subject], "{number}");
    }
    assert!(node.typed("sample 7").is_empty(), "nobody's number");
    node.receive(&told("3", patient("q", Some(1))));
    node.receive(&merge("4", patient("q", Some(1)), "p"));
    assert_eq!(node.typed("MZ1"), node.typed("q"));
    node.receive(&merge("5", patient("q", Some(1)), "never seen"));
    assert_eq!(node.typed("never seen"), node.typed("q"));
}

#[test]
fn the_first_of_two_numbers_of_one_register_stays_the_patients() {
    let mut node = Node::new(&list(100));
    let mut two = patient("0000218003", Some(1));
    two.identify(Identifier::new(IdKind::Local, "A90000001", ""));
    node.receive(&told("1", two.clone()));
    node.receive(&told("2", two));
    let known = node.patient("0000218003").unwrap();
    assert_eq!(known.data.expose().identifiers.first().unwrap().value, "0000218003");
}

#[test]
fn what_is_filed_by_hand_meets_the_registers_message_in_the_only_register_that_is_known() {
    let mut node = Node::new(&list(100));
    node.receive(&told("1", of("QZDX", "C1", Some(1))));
    let filed = by_hand(&mut node, "C7", 7);
    assert_eq!(names(&node), [("QZDX".to_owned(), 1, false)], "what people file tells nothing of systems");
    // The register may not know the identity number.
    node.receive(&told("2", of("QZDX", "C7", None)));
    assert_eq!(node.typed("C7"), [filed]);
    node.rebuild();
    assert_eq!((node.typed("C7"), names(&node)), (vec![filed], vec![("QZDX".to_owned(), 2, false)]));
}

#[test]
fn what_is_filed_by_hand_meets_the_registers_message_in_the_configured_register() {
    let mut node = Node::new(&list(100));
    node.configure(&[("HIS", "QZDX")], Some("HIS"));
    node.receive(&told("1", of("PACS", "C1", Some(1))));
    node.receive(&told("2", of("HIS", "C2", Some(2))));
    let filed = by_hand(&mut node, "C7", 7);
    node.receive(&told("3", of("QZDX", "C7", None)));
    assert_eq!(node.typed("C7"), [filed]);
    assert_eq!(names(&node), [("PACS".to_owned(), 1, false), ("QZDX".to_owned(), 2, true)]);
}

#[test]
fn where_the_register_cannot_be_told_one_more_identifier_shows_that_it_is_one_person() {
    let mut node = Node::new(&list(100));
    node.receive(&told("1", of("QZDX", "C1", Some(1))));
    node.receive(&told("2", of("PACS", "P1", Some(2))));
    let filed = by_hand(&mut node, "C7", 7);
    node.receive(&told("3", of("QZDX", "C7", Some(7))));
    assert!(node.typed("C7") == [filed] && is_one(&node, 7, filed));
    // Another number of the same person is the register's to merge, and the same number of another person is two patients.
    node.receive(&told("4", of("QZDX", "C8", Some(7))));
    node.receive(&told("5", of("PACS", "C7", Some(9))));
    assert_eq!((node.typed("C8").contains(&filed), node.typed("C7").len()), (false, 2));
}

#[test]
fn nobody_is_filed_by_hand_under_a_number_that_was_given_meanwhile() {
    let mut node = Node::new(&list(100));
    node.receive(&told("1", of("PACS", "C7", Some(9))));
    let mut message = told("hand", of("QZDX", "c7", Some(7)));
    message.system = DESK;
    assert_eq!(node.refuses(&message), Some(Refused::NumberTaken));
    assert_eq!(node.typed("C7").len(), 1);
    let filed = by_hand(&mut node, "C8", 7);
    let again = Msg { system: DESK, ..told("hand", of("PACS", "C8", Some(7))) };
    assert!(node.receive(&again).repeat && node.typed("C8") == [filed], "told twice it is one message");
}

#[test]
fn a_register_that_is_given_another_name_later_keeps_its_patients() {
    let mut node = Node::new(&list(100));
    node.receive(&told("1", of("HIS", "C1", None)));
    let known = node.typed("C1");
    node.configure(&[("HIS", "QZDX")], Some("QZDX"));
    node.receive(&told("2", of("HIS", "C1", None)));
    assert_eq!(node.typed("C1"), known);
    node.receive(&told("3", of("QZDX", "C1", None)));
    assert_eq!(node.typed("C1"), known);
}

#[test]
fn registers_are_counted_by_name_up_to_a_bound() {
    let mut node = Node::new(&list(100));
    for number in 0..REGISTERS_MAX + 8 {
        node.receive(&told(&format!("m{number}"), of(&format!("R{number}"), "1", Some(1))));
    }
    let known = names(&node);
    assert_eq!((known.len(), known.first().unwrap()), (REGISTERS_MAX, &("R0".to_owned(), 1, false)));
    node.receive(&told("long", of(&"名\u{7}".repeat(500), "2", Some(2))));
    assert_eq!(names(&node).len(), REGISTERS_MAX);
}

/// A document that names its patient by a number alone.
fn nameless(kind: IdKind, number: &str, assigner: &str) -> Msg {
    let mut said = Patient::default();
    said.identify(Identifier::new(kind, number, assigner));
    report(number, said, number)
}

#[test]
fn a_document_of_nobody_who_can_be_told_is_for_a_person_to_look_at() {
    let mut node = Node::new(&list(100));
    let mut known = patient("p", Some(1));
    known.identify(Identifier::new(IdKind::OutpatientNo, "MZ1", ""));
    node.receive(&told("1", known));
    node.receive(&nameless(IdKind::OutpatientNo, "MZ1", "2.16.156.10011.1.11"));
    assert_eq!(node.typed("MZ1").len(), 1, "whom the number is known of, it names");
    // Two patients with one identity number: only a number of theirs tells which is meant.
    node.receive(&told("2", patient("q", Some(1))));
    let mut both = nameless(IdKind::ResidentId, &resident_id(1), "MPS");
    assert_eq!(node.refuses(&both), Some(Refused::NoPatient));
    let Says::Documents(documents) = &mut both.says else { panic!("documents") };
    documents.iter_mut().for_each(|document| {
        document.patient.identify(Identifier::new(IdKind::OutpatientNo, "MZ1", ""));
    });
    node.receive(&both);
    assert_eq!(node.typed("q").len(), 1);
}

#[test]
fn i7_who_is_known_by_a_number_alone_has_its_documents_and_gets_the_name_that_comes_for_it() {
    for kind in [IdKind::Local, IdKind::OutpatientNo, IdKind::InpatientNo, IdKind::HealthRecord] {
        let mut node = Node::new(&list(100));
        assert_eq!(node.receive(&nameless(kind, "C7", "QZDX")).verdict, Verdict::Indexed);
        let of = |node: &Node| {
            let id = Identifier::new(kind, "C7", "QZDX").unwrap();
            node.ask(|machine, view| machine.patient_by_number(&id, view)).unwrap()
        };
        let before = of(&node);
        assert_eq!((node.typed("c7"), before.data.expose().name.as_str()), (vec![before.subject], ""));
        let mut said = person("C7", "陈志远", 1, 1);
        if kind != IdKind::Local {
            // An identity number says more of whom it is than a visit's.
            said.identifiers = vec![Identifier::new(kind, "C7", "QZDX").unwrap()];
        }
        node.receive(&told("named", said));
        node.rebuild();
        let now = of(&node);
        assert_eq!((now.subject, now.data.expose().name.as_str()), (before.subject, "陈志远"));
        assert!(kind != IdKind::Local || is_one(&node, 1, now.subject));
        assert_eq!(node.ask(|machine, view| machine.documents_of(&now.subject, 0, view)).0.len(), 1);
        let (reviews, (pairs, _)) = (
            node.ask(|_, view| ask::reviews(0, view)),
            node.ask(|machine, view| machine.pairs(false, None, view)),
        );
        assert!(reviews.is_empty() && pairs.is_empty(), "nothing is asked: {kind:?}");
    }
}

#[test]
fn i7_what_the_hospital_did_not_give_or_somebody_has_is_nobodys_own_without_a_name() {
    let mut node = Node::new(&list(100));
    for kind in [IdKind::Passport, IdKind::Other, IdKind::ResidentId] {
        assert_eq!(node.refuses(&nameless(kind, "E1", "QZDX")), Some(Refused::NoPatient), "{kind:?}");
    }
    node.receive(&told("1", person("C7", "陈志远", 1, 1)));
    let subject = holder(&node, "C7").0;
    for register in ["", "LIS"] {
        let unclear = nameless(IdKind::Local, "C7", register);
        assert_eq!(node.refuses(&unclear), Some(Refused::NoPatient), "it may be the other register's");
    }
    // Staff have said what the laboratory's register is.
    node.configure(&[("LIS", "QZDX")], None);
    node.receive(&nameless(IdKind::Local, "C7", "LIS"));
    assert_eq!(node.ask(|machine, view| machine.documents_of(&subject, 0, view)).0.len(), 1);
}

/// Who has a number, by name and identity number.
fn holder(node: &Node, number: &str) -> (Subject, String, String) {
    let id = Identifier::new(IdKind::Local, number, "QZDX").unwrap();
    let known = node.ask(|machine, view| machine.patient_by_number(&id, view)).unwrap();
    let data = known.data.expose();
    let number = data.identifiers.iter().find(|id| id.id_kind() == IdKind::ResidentId);
    (known.subject, data.name.clone(), number.map(|id| id.value.clone()).unwrap_or_default())
}

/// What a system says of the holder of a number.
fn person(number: &str, name: &str, born: i8, order: u32) -> Patient {
    let mut patient = of("QZDX", number, Some(order));
    patient.name = Some(Phi::new(name.to_owned()));
    patient.birth_date = PartialDate::new(1990, Some(1), Some(born)).map(Phi::new);
    patient
}

/// A patient of the hospital's register, or one whom people filed, with number C7.
fn known_as(by_hand: bool, patient: Patient) -> Node {
    let mut node = Node::new(&list(100));
    node.configure(&[], Some("QZDX"));
    let mut message = told("0", patient);
    message.system = if by_hand { DESK } else { "his" };
    node.receive(&message);
    node
}

#[test]
fn i5_a_number_that_goes_to_another_person_takes_no_history_along() {
    let mut stranger = person("C7", "李小明", 1, 2);
    stranger.birth_date = None;
    for by_hand in [true, false] {
        for message in [told("1", stranger.clone()), report("2", stranger.clone(), "r1")] {
            let mut node = known_as(by_hand, person("C7", "陈志远", 1, 1));
            let before = holder(&node, "C7");
            assert_eq!(node.refuses(&message), Some(Refused::OtherPerson));
            let review = Msg { says: Says::Review(ReviewReason::OtherPerson), ..message.clone() };
            node.receive(&review);
            assert_eq!(holder(&node, "C7"), before, "until staff decide");

            let decided = Msg { holder: Some(Holder::Another), ..message };
            node.receive(&decided);
            let now = holder(&node, "C7");
            assert_eq!((now.1.as_str(), now.2, now.0 == before.0), ("李小明", resident_id(2), false));
            assert!(is_one(&node, 1, before.0) && is_one(&node, 2, now.0));
            assert_eq!(node.typed("C7"), [before.0, now.0], "papers with the number are about");
            let open = node.ask(|_, view| ask::reviews(0, view));
            assert!(open.iter().all(|review| review.state == ReviewState::Replayed));
            // What the number's own systems say from now on is about the new holder, and nobody is asked again.
            let own = told("3", person("C7", "李小明", 1, 2));
            assert!(node.receive(&own).verdict == Verdict::Applied && holder(&node, "C7").0 == now.0);
            node.rebuild();
            assert_eq!(holder(&node, "C7").0, now.0);
        }
    }
}

#[test]
fn i5_a_correction_of_the_hospitals_register_is_applied_at_once() {
    let right = person("C7", "陈志远", 1, 1);
    let cases = [
        ("a digit of the number", person("C7", "陈志远", 1, 2), [true, true]),
        ("a name", person("C7", "陈致远", 1, 1), [true, true]),
        ("a name with a space", person("C7", "陈 志远", 1, 2), [true, true]),
        ("a name in Latin letters", person("C7", "CHEN ZHIYUAN", 1, 2), [true, true]),
        ("a birth date", person("C7", "陈志远", 2, 1), [true, true]),
        // By hand it is known from the referral alone, and another hospital's word is doubted sooner.
        ("name and number", person("C7", "陈致远", 1, 2), [false, true]),
        ("a name and a birth date", person("C7", "陈致远", 2, 1), [false, true]),
    ];
    for (what, corrected, applied) in cases {
        for (by_hand, applied) in [true, false].into_iter().zip(applied) {
            let mut node = known_as(by_hand, right.clone());
            let subject = holder(&node, "C7").0;
            let message = told("1", corrected.clone());
            let refused = if applied { None } else { Some(Refused::OtherPerson) };
            assert_eq!(node.refuses(&message), refused, "{what}, by hand: {by_hand}");
            if applied {
                node.receive(&message);
                assert_eq!(holder(&node, "C7").0, subject, "{what}");
                assert_eq!(holder(&node, "C7").1, corrected.name.clone().unwrap().into_exposed(), "{what}");
            }
        }
    }
}

#[test]
fn i5_staff_may_say_that_it_is_the_same_person_and_the_register_is_believed_from_then_on() {
    let mut node = known_as(true, person("C7", "陈志远", 1, 1));
    let subject = holder(&node, "C7").0;
    let message = told("1", person("C7", "陈致远", 1, 2));
    assert_eq!(node.refuses(&message), Some(Refused::OtherPerson));
    node.receive(&Msg { holder: Some(Holder::Same), ..message });
    assert_eq!(holder(&node, "C7"), (subject, "陈致远".to_owned(), resident_id(2)));
    // The hospital's own register may correct name and number at once.
    node.receive(&told("2", person("C7", "陈志远", 1, 1)));
    assert_eq!(holder(&node, "C7"), (subject, "陈志远".to_owned(), resident_id(1)));
}

#[test]
fn i5_a_patient_who_was_unknown_gets_a_name() {
    let mut unknown = of("QZDX", "C7", None);
    unknown.name = Some(Phi::new("无名氏".to_owned()));
    let mut node = known_as(false, unknown);
    let subject = holder(&node, "C7").0;
    node.receive(&told("1", person("C7", "陈志远", 2, 1)));
    assert_eq!((holder(&node, "C7").0, holder(&node, "C7").1), (subject, "陈志远".to_owned()));
}

/// C9 is C7 from now on, says the register: C9 was never heard of, or has no identity number.
fn merged(is_known: bool) -> Node {
    let mut node = known_as(false, person("C7", "陈志远", 1, 1));
    if is_known {
        let mut unknown = of("QZDX", "C9", None);
        (unknown.name, unknown.birth_date) = (None, None);
        node.receive(&told("c9", unknown));
    }
    let mut event = event(Trigger::Merged, person("C7", "陈志远", 1, 1), 0);
    event.merged_from = vec![Identifier::new(IdKind::Local, "C9", "QZDX").unwrap()];
    node.receive(&Msg::new("a40", Says::Events(vec![event])));
    assert_eq!(holder(&node, "C9"), holder(&node, "C7"));
    node
}

#[test]
fn i3_i5_what_comes_under_a_merged_number_and_is_another_persons_changes_nothing_of_the_survivor() {
    // A brother of the same day; one without a number, whose name and birth date are others.
    let twin = person("C9", "陈志强", 1, 2);
    let mut brother = person("C9", "陈志强", 2, 2);
    brother.identifiers.truncate(1);
    for is_known in [false, true] {
        for other in [&twin, &brother] {
            for message in [told("1", other.clone()), report("2", other.clone(), "r1")] {
                let mut node = merged(is_known);
                let survivor = holder(&node, "C7");
                assert_eq!(node.refuses(&message), Some(Refused::OtherPerson), "known: {is_known}");
                node.receive(&Msg { holder: Some(Holder::Another), ..message });
                let now = holder(&node, "C9");
                assert_eq!((holder(&node, "C7"), now.1.as_str()), (survivor.clone(), "陈志强"));
                assert_ne!(now.0, survivor.0);
                // What comes from now on is about the new holder, and nobody is asked again.
                node.receive(&told("3", other.clone()));
                node.rebuild();
                assert_eq!((holder(&node, "C7"), holder(&node, "C9").0), (survivor, now.0));
            }
        }
    }
}

#[test]
fn what_comes_under_a_merged_number_and_may_be_the_survivors_only_adds() {
    for is_known in [false, true] {
        let mut node = merged(is_known);
        let survivor = holder(&node, "C7");
        let mut said = person("C9", "陈致远", 1, 1);
        said.phone = Some(Phi::new("11100001111".to_owned()));
        node.receive(&told("1", said));
        assert_eq!((holder(&node, "C9"), holder(&node, "C7")), (survivor.clone(), survivor));
        let id = Identifier::new(IdKind::Local, "C7", "QZDX").unwrap();
        let known = node.ask(|machine, view| machine.patient_by_number(&id, view)).unwrap();
        assert_eq!(known.data.expose().phone, "11100001111");
    }
}

#[test]
fn i5_staff_may_say_that_a_merged_number_is_the_survivors_after_all() {
    let mut node = merged(false);
    let survivor = holder(&node, "C7").0;
    let message = told("1", person("C9", "陈志远", 1, 2));
    assert_eq!(node.refuses(&message), Some(Refused::OtherPerson));
    node.receive(&Msg { holder: Some(Holder::Same), ..message });
    assert_eq!(holder(&node, "C7"), (survivor, "陈志远".to_owned(), resident_id(1)));
    for number in ["C9", "C7"] {
        let again = told(number, person(number, "陈志远", 1, 2));
        assert_eq!(node.refuses(&again), None, "nobody is asked again: {number}");
        assert_eq!(holder(&node, number), (survivor, "陈志远".to_owned(), resident_id(2)));
    }
}

/// A37: the register says that C7 and C9 are two persons.
fn unlinked(control: &str) -> Msg {
    let mut event = event(Trigger::Unlinked, person("C7", "陈志远", 1, 1), 0);
    event.merged_from = vec![Identifier::new(IdKind::Local, "C9", "QZDX").unwrap()];
    Msg::new(control, Says::Events(vec![event]))
}

#[test]
fn i3_a_register_undoes_its_own_merge_and_each_has_what_came_under_its_number() {
    let mut node = merged(true);
    node.receive(&report("r", person("C9", "陈志远", 1, 1), "r9"));
    let survivor = holder(&node, "C7").0;
    node.receive(&unlinked("a37"));
    let (one, other) = (holder(&node, "C7").0, holder(&node, "C9").0);
    assert_eq!(one, survivor);
    assert_ne!(other, survivor);
    let documents = |subject| node.ask(|machine, view| machine.documents_of(&subject, 0, view)).0.len();
    assert_eq!((documents(one), documents(other)), (0, 1), "what came meanwhile goes with its number");
    node.receive(&unlinked("again"));
    node.rebuild();
    assert_eq!((holder(&node, "C7").0, holder(&node, "C9").0), (one, other));
}

#[test]
fn i3_what_not_the_register_alone_has_made_one_is_for_a_person() {
    let mut node = merged(false);
    assert_eq!(node.refuses(&unlinked("a37")), Some(Refused::SeveralPatients), "C9 has nothing of its own");
    let mut node = known_as(false, person("C7", "陈志远", 1, 1));
    node.receive(&unlinked("a37"));
    assert_eq!(holder(&node, "C7").1, "陈志远", "what was never one stays as it is");
}
