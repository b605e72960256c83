//! The cast of the demo, and the stream as a whole.

use std::collections::BTreeSet;

use jiff::civil::date;
use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::hospitals::{CHILDREN, HOSPITALS, PEOPLES, TRADITIONAL, UNIVERSITY};
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::Town;

use crate::{DAY, town};

fn of(town: &Town, role: Role) -> Vec<Feed> {
    town.feeds().filter(|feed| feed.patient == role.index()).collect()
}

fn hospitals(feeds: &[Feed]) -> BTreeSet<char> {
    feeds.iter().map(|feed| feed.hospital.letter).collect()
}

#[test]
fn feeds_come_in_order_with_unique_ids_and_none_from_tomorrow() {
    let town = town();
    let feeds: Vec<Feed> = town.feeds().collect();
    assert!(feeds.is_sorted_by_key(|feed| feed.at));
    assert!(feeds.iter().all(|feed| feed.local.date() <= DAY));
    let ids: BTreeSet<&str> = feeds.iter().map(|feed| feed.id.as_str()).collect();
    assert_eq!(ids.len(), feeds.len());
}

#[test]
fn nothing_happens_before_birth() {
    let town = town();
    for patient in town.patients() {
        assert!(patient.visits.iter().all(|visit| visit.from.date() >= patient.person.birth));
    }
}

#[test]
fn the_referred_patient_has_a_coherent_course() {
    let town = Town::story(DAY);
    let feeds = of(&town, Role::Referred);
    assert_eq!(hospitals(&feeds), ['A', 'B'].into());
    let kinds: BTreeSet<&str> = feeds.iter().map(|feed| feed.kind).collect();
    for kind in ["ADT^A04", "ADT^A01", "ADT^A03", "ORU^R01", "C0053", "C0006", "HSDC00.05", "transaction"] {
        assert!(kinds.contains(kind), "{kind}");
    }
    let numbers: BTreeSet<&str> = feeds.iter().map(|feed| feed.local_number.as_str()).collect();
    assert_eq!(numbers.len(), 2, "each hospital knows him under its own number");
    let last = feeds.iter().filter(|feed| feed.kind == "HSDC00.05").map(|feed| feed.local.date()).next_back();
    assert_eq!(last, Some(date(2026, 11, 19)), "referred the day before");
    let text = feeds.iter().find(|feed| feed.kind == "HSDC00.05").map(|feed| feed.bytes.clone()).unwrap();
    let text = String::from_utf8(text).unwrap();
    for fact in ["青霉素", UNIVERSITY.name, "心血管内科一病区", "左前降支近段重度狭窄", "不稳定性心绞痛"]
    {
        assert!(text.contains(fact), "{fact}");
    }
}

#[test]
fn everyone_of_the_cast_is_known_where_the_story_says() {
    let town = Town::story(DAY);
    for (role, letters) in [
        (Role::WalkIn, "AC"),
        (Role::Revoker, "AB"),
        (Role::Guardian, "A"),
        (Role::Child, "ADE"),
        (Role::TwinElder, "A"),
        (Role::TwinYounger, "AD"),
    ] {
        assert_eq!(hospitals(&of(&town, role)), letters.chars().collect(), "{role:?}");
    }
}

#[test]
fn the_cast_is_identified_everywhere_under_one_number_per_hospital() {
    let town = Town::story(DAY);
    for role in Role::ALL {
        for file in town.cast(role).unwrap().registrations.values() {
            assert!(file.identified && file.provisional.is_none(), "{role:?}");
        }
    }
}

#[test]
fn the_twins_share_phone_birthday_and_sound_and_nothing_else() {
    let town = Town::story(DAY);
    let [one, two] = [Role::TwinElder, Role::TwinYounger].map(|role| &town.cast(role).unwrap().person);
    assert_eq!((&one.phone, one.birth, &one.name.pinyin), (&two.phone, two.birth, &two.name.pinyin));
    assert_ne!(one.name.text, two.name.text);
    assert_ne!(one.resident_id, two.resident_id);
    let child = &town.cast(Role::Child).unwrap().person;
    assert_eq!(child.guardian, Some(Role::Guardian.index()));
    assert_eq!(child.phone, town.cast(Role::Guardian).unwrap().person.phone);
}

#[test]
fn no_hospital_of_the_story_looks_empty() {
    let town = Town::story(DAY);
    for hospital in [&PEOPLES, &TRADITIONAL, &UNIVERSITY, &CHILDREN] {
        let count = town.patients_of(hospital).count();
        assert!(count >= 20, "{} has {count}", hospital.name);
    }
    let senders = town.feeds().map(|feed| feed.hospital.letter).collect::<BTreeSet<_>>();
    assert_eq!(senders.len(), HOSPITALS.len());
}
