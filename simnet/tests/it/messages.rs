//! HL7 v2: segments, identifiers, character sets.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use encoding_rs::GB18030;
use yiqiao_simnet::feeds::{Feed, System};

use crate::{sent_by, town};

fn text(feed: &Feed) -> String {
    if feed.hospital.letter == 'C' {
        let (text, _, broken) = GB18030.decode(&feed.bytes);
        assert!(!broken);
        return text.into_owned();
    }
    String::from_utf8(feed.bytes.clone()).unwrap()
}

fn segments(text: &str) -> Vec<Vec<&str>> {
    text.split(['\r', '\n']).filter(|line| !line.is_empty()).map(|line| line.split('|').collect()).collect()
}

#[test]
fn messages_begin_with_a_header_and_hold_known_segments() {
    let town = town();
    let known: BTreeSet<&str> =
        ["MSH", "EVN", "PID", "MRG", "PV1", "AL1", "DG1", "ORC", "OBR", "OBX", "NTE"].into();
    let mut ids = BTreeSet::new();
    for feed in [sent_by(&town, System::His), sent_by(&town, System::Lis)].concat() {
        let text = text(&feed);
        assert!(text.starts_with("MSH|^~\\&|") && text.ends_with('\r') | text.ends_with("\r\n"));
        let segments = segments(&text);
        assert!(segments.iter().all(|segment| known.contains(segment[0])), "{text}");
        assert_eq!(segments.iter().filter(|segment| segment[0] == "PID").count(), 1);
        let header = &segments[0];
        assert!(header[8].starts_with(feed.kind));
        assert_eq!(header[9], feed.id);
        assert!(feed.id.len() <= 20 && ids.insert(feed.id.clone()));
    }
}

#[test]
fn every_message_names_its_patient_in_the_way_of_its_hospital() {
    let town = town();
    for feed in sent_by(&town, System::Lis) {
        let patient = &town.patients()[feed.patient];
        let text = text(&feed);
        let segments = segments(&text);
        let pid = segments.iter().find(|segment| segment[0] == "PID").unwrap();
        assert!(pid[3].starts_with(&feed.local_number), "{}", pid[3]);
        assert_eq!(pid[5].split('^').next().unwrap(), patient.person.name.text);
        assert_eq!(pid[7], patient.person.birth.strftime("%Y%m%d").to_string());
        let identified = patient.registrations[&feed.hospital.letter].identified;
        let id = patient.person.resident_id.as_str().to_lowercase();
        assert_eq!(pid[3].to_lowercase().contains(&id), identified);
    }
}

#[test]
fn three_hospitals_write_three_dialects_of_units() {
    let town = town();
    let mut units: BTreeMap<char, BTreeSet<String>> = BTreeMap::new();
    for feed in sent_by(&town, System::Lis) {
        let text = text(&feed);
        let seen = units.entry(feed.hospital.letter).or_default();
        seen.extend(
            segments(&text).iter().filter(|segment| segment[0] == "OBX").map(|obx| obx[6].to_owned()),
        );
    }
    assert!(units[&'A'].contains("umol/L") && units[&'A'].contains("10\\S\\9/L"));
    assert!(units[&'C'].contains("^μmol/L") && units[&'C'].contains("^10*9/L"));
    assert!(units[&'D'].contains("10^9/L"));
}

#[test]
fn arrivals_discharges_corrections_and_merges_all_occur() {
    let town = town();
    let feeds = sent_by(&town, System::His);
    let kinds: BTreeSet<&str> = feeds.iter().map(|feed| feed.kind).collect();
    assert_eq!(kinds, ["ADT^A01", "ADT^A03", "ADT^A04", "ADT^A08", "ADT^A40"].into());
    for merge in feeds.iter().filter(|feed| feed.kind == "ADT^A40") {
        let file = &town.patients()[merge.patient].registrations[&merge.hospital.letter];
        let text = text(merge);
        let segments = segments(&text);
        let gone = segments.iter().find(|segment| segment[0] == "MRG").unwrap();
        assert!(gone[1].starts_with(file.provisional.as_deref().unwrap()));
    }
}

#[test]
fn rare_characters_survive_gb18030() {
    let (bytes, _, broken) = GB18030.encode("䶮·μ～");
    assert!(!broken);
    assert_eq!(GB18030.decode(&bytes).0, "䶮·μ～");
}
