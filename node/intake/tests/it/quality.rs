//! Rules of quality: each finds what it is there for, and nothing in a message that is as it should be.

#![expect(clippy::unwrap_used, reason = "a test fails where an expectation does")]

use std::collections::BTreeSet;

use yiqiao_intake::dates::{When, Zone};
use yiqiao_intake::facts::{Document, PatientEvent, Understood};
use yiqiao_intake::flag::{Flag, Flags};
use yiqiao_intake::intake::{Door, read};
use yiqiao_intake::lab::LabRow;
use yiqiao_intake::quality::{Judged, LooksAt, Message, RULES, RULES_MAX, Rule, Rules, Said, judge};
use yiqiao_proto::quality::Aspect;
use yiqiao_proto::time::Timestamp;

use crate::samples::{ADMISSION, BLOOD_COUNT, document, event};

fn at(text: &str) -> Timestamp {
    When::parse(text, &Zone::china(), &mut Flags::none()).unwrap().at
}

fn message(said: Said<'_>) -> Message<'_> {
    Message {
        said,
        received: at("202603031020"),
        is_live: true,
        died: None,
        is_known: &|_| None,
        is_in_sets: None,
    }
}

fn names(rules: Rules) -> Vec<&'static str> {
    rules.iter().map(|number| Rule::of(number).unwrap().code).collect()
}

fn of_event(event: PatientEvent) -> Judged {
    judge(&Message { received: at("202603020835"), ..message(Said::Events(&[event])) })
}

fn of_document(document: &Document) -> Judged {
    judge(&message(Said::Documents(vec![document])))
}

#[test]
fn y1_a_rule_has_a_number_and_a_name_of_its_own_and_sentences() {
    let numbers: BTreeSet<u32> = RULES.iter().map(|rule| rule.number).collect();
    let codes: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!((numbers.len(), codes.len()), (RULES.len(), RULES.len()));
    assert!(numbers.iter().all(|number| *number < RULES_MAX));
    assert!(RULES.iter().all(|rule| !rule.english.is_empty() && !rule.chinese.is_empty()));
    for aspect in Aspect::ALL {
        assert!(RULES.iter().any(|rule| rule.aspect == aspect), "{aspect:?}");
    }
    assert_eq!(Rule::named("alive").unwrap().looks_at(), LooksAt::Message);
}

#[test]
fn y1_an_admission_as_it_should_be_breaks_no_rule() {
    let judged = of_event(event(ADMISSION));
    assert_eq!(names(judged.broken), [""; 0]);
    let looked = names(judged.looked);
    for code in ["patient-name", "resident-id", "sex-agrees", "event-in-time", "not-in-future", "alive"] {
        assert!(looked.contains(&code), "{code} of {looked:?}");
    }
    assert!(!looked.contains(&"document-author") && !looked.contains(&"stay-in-order"));
}

#[test]
fn y1_each_rule_of_patients_and_events_finds_what_it_is_there_for() {
    let discharge = ADMISSION.replace("ADT^A01", "ADT^A03");
    for (sent, broken) in [
        (ADMISSION.replace("欧阳  静^OUYANG JING", ""), "patient-name"),
        (ADMISSION.replace("|2|||沁园", "||||沁园"), "patient-sex"),
        (ADMISSION.replace("|2|||沁园", "|Q|||沁园"), "sex-code"),
        (ADMISSION.replace("|2|||沁园", "|1|||沁园"), "sex-agrees"),
        (ADMISSION.replace("|19850312|", "||"), "patient-birth"),
        (ADMISSION.replace("|19850312|", "|19850313|"), "birth-agrees"),
        (ADMISSION.replace("503120026^", "503120027^"), "resident-id"),
        (ADMISSION.replace("N301&呼吸内科^12^3", ""), "visit-department"),
        (ADMISSION.replace("|20260302082955", "|20260402082955"), "not-in-future"),
        (ADMISSION.replace("|20260302082955", "|20260302052955"), "event-in-time"),
        (ADMISSION.replace("|20260302082955", "|20260231082955"), "date"),
        (discharge.replace("|20260302082900\r", "|20260302082900|20260301082900\r"), "stay-in-order"),
    ] {
        assert_eq!(names(of_event(event(&sent)).broken), [broken], "{sent}");
    }
    let undated = PatientEvent { date: None, ..event(ADMISSION) };
    assert_eq!(names(of_event(undated).broken), ["event-time"]);
    let event = event(ADMISSION);
    let after_death =
        Message { died: Some(at("20260228")), ..message(Said::Events(std::slice::from_ref(&event))) };
    assert!(names(judge(&after_death).broken).contains(&"alive"));
}

#[test]
fn y1_a_birth_in_the_future_is_found_beside_that_the_number_has_another() {
    let unborn = event(&ADMISSION.replace("|19850312|", "|20260312|"));
    assert_eq!(names(of_event(unborn).broken), ["birth-agrees", "not-in-future"]);
}

#[test]
fn y1_each_rule_of_documents_and_results_finds_what_it_is_there_for() {
    let all = document(BLOOD_COUNT);
    let before = of_document(&all);
    let added = |judged: Judged| {
        let new = names(judged.broken).into_iter().filter(|code| !names(before.broken).contains(code));
        new.collect::<Vec<_>>()
    };
    let flagged = |flag| {
        let mut flagged = all.clone();
        flagged.flags.raise(flag);
        added(of_document(&flagged))
    };
    assert_eq!(added(before), [""; 0]);
    assert!(names(before.broken).contains(&"patient-birth"), "it has none");
    for (flag, broken) in [
        (Flag::TextDamaged, "text-readable"),
        (Flag::KindUnknown, "document-kind"),
        (Flag::DateFromHeader, "document-time"),
    ] {
        assert_eq!(flagged(flag), [broken]);
    }
    let sent = |from: &str, to: &str| added(of_document(&document(&BLOOD_COUNT.replace(from, to))));
    assert_eq!(sent("|128|g/L|", "|128||"), ["result-has-unit"]);
    assert_eq!(sent("|128|g/L|", "|128|xyzzy|"), ["unit-known"]);
    let two_days_later = Message { received: at("202603051005"), ..message(Said::Documents(vec![&all])) };
    assert_eq!(added(judge(&two_days_later)), ["document-in-time"]);
    let old = Message { is_live: false, ..two_days_later };
    assert_eq!(added(judge(&old)), [""; 0], "old records are not late");
    let is_known: &dyn Fn(&LabRow) -> Option<bool> = &|row| Some(row.code.expose() != "HGB");
    let unmapped = Message { is_known, ..message(Said::Documents(vec![&all])) };
    assert_eq!(added(judge(&unmapped)), ["item-known"]);
}

#[test]
fn y1_a_document_without_author_and_department_breaks_two_rules() {
    let mut plain = document(BLOOD_COUNT);
    plain.author = Default::default();
    let judged = names(of_document(&plain).broken);
    assert!(judged.contains(&"document-author") && judged.contains(&"document-department"));
    let known = judge(&message(Said::DocumentsOfKnown(vec![&plain])));
    assert!(!names(known.looked).contains(&"patient-name"), "the door knows whose it is");
}

#[test]
fn y1_what_names_nobody_or_cannot_be_read_breaks_one_rule() {
    assert_eq!(names(judge(&message(Said::Unidentified)).broken), ["patient-identified"]);
    assert_eq!(names(judge(&message(Said::Unread)).broken), ["readable"]);
    assert!(judge(&message(Said::Nothing)).broken.is_empty());
}

#[test]
fn y1_a_reading_says_that_a_sex_is_in_no_table() {
    let items = read(ADMISSION.replace("|2|||沁园", "|Q|||沁园").as_bytes(), &Door::any());
    let Ok(Understood::Events(events)) = &items[0].outcome else { panic!("{items:?}") };
    assert!(events[0].flags.has(Flag::SexUnknown) && events[0].patient.sex.is_none());
    assert!(!event(&ADMISSION.replace("|2|||沁园", "|\"\"|||沁园")).flags.has(Flag::SexUnknown));
}
