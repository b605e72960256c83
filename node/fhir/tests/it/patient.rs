//! Patients as resources, and by what they are found.

use serde_json::json;
use yiqiao_fhir::patient::{self, Lookup};
use yiqiao_fhir::search::Token;
use yiqiao_intake::facts::Understood;
use yiqiao_intake::fhir;
use yiqiao_intake::intake::Door;
use yiqiao_intake::patient::IdKind;
use yiqiao_node_core::register::Number;
use yiqiao_proto::person::IdentifierKind;
use yiqiao_proto::phi::Phi;

use crate::{rules, scenes};

fn token(system: Option<&str>, value: &str) -> Token {
    Token { system: system.map(str::to_owned), value: Phi::new(value.to_owned()) }
}

#[test]
fn a_patient_is_written_as_the_hospital_knows_the_person() {
    let resource = patient::write(&scenes::patient(), &scenes::site());
    rules::check(&resource);
    let v2 = "http://terminology.hl7.org/CodeSystem/v2-0203";
    let id = "ab".repeat(32);
    let expected = json!({
        "resourceType": "Patient",
        "id": id,
        "active": true,
        "identifier": [
            {
                "use": "usual",
                "type": {"coding": [{"system": v2, "code": "PI"}], "text": "院内患者号"},
                "system": "https://hospital-a.example/sid/patient",
                "value": "P-0001",
            },
            {
                "use": "official",
                "type": {"coding": [{"system": v2, "code": "NI"}], "text": "居民身份证号"},
                "system": "urn:oid:2.16.156.10011.1.3",
                "value": "11010519491231002X",
            },
            {
                "use": "usual",
                "type": {"coding": [{"system": v2, "code": "HC"}], "text": "居民健康卡号"},
                "system": "urn:oid:2.16.156.10011.1.19",
                "value": "A12345678",
            },
            {
                "use": "usual",
                "type": {"coding": [{"system": v2, "code": "MR"}], "text": "门诊号"},
                "system": "urn:yiqiao:assigner:HIS",
                "value": "MZ 7",
            },
            {
                "use": "usual",
                "type": {"coding": [{"system": v2, "code": "MR"}], "text": "住院号"},
                "system": "urn:oid:2.16.156.10011.1.12",
                "value": "ZY9",
            },
            {"use": "usual", "type": {"text": "其他标识"}, "system": "urn:oid:2.16.840.1", "value": "x"},
        ],
        "name": [
            {"use": "official", "text": "张三丰"},
            {
                "text": "ZHANG SANFENG",
                "extension": [{
                    "url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation",
                    "valueCode": "SYL",
                }],
            },
        ],
        "telecom": [{"system": "phone", "value": "13800000000"}],
        "gender": "male",
        "birthDate": "1949-12-31",
        "address": [{"text": "北京市朝阳区"}],
        "managingOrganization": {
            "type": "Organization",
            "identifier": {"system": "urn:yiqiao:member", "value": "hospital-a"},
            "display": "市第一医院",
        },
        "link": [{"other": {"reference": format!("Patient/{}", "cd".repeat(32)), "type": "Patient"}, "type": "replaces"}],
    });
    assert_eq!(*resource.json().expose(), expected);
}

#[test]
fn what_is_not_known_of_a_person_is_left_out() {
    let mut bare = scenes::patient();
    bare.data = Phi::default();
    bare.retired.clear();
    let resource = patient::write(&bare, &scenes::site());
    rules::check(&resource);
    let json = resource.json().expose();
    for absent in ["identifier", "name", "telecom", "gender", "birthDate", "address", "link"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn who_has_died_is_said_to_have() {
    let died = yiqiao_proto::time::Timestamp::from_unix_ms(1_767_294_245_000);
    let patient = yiqiao_node_core::ask::Patient { died, ..scenes::patient() };
    let resource = patient::write(&patient, &scenes::site());
    rules::check(&resource);
    assert_eq!(resource.json().expose()["deceasedDateTime"], "2026-01-02T03:04:05+08:00");
}

#[test]
fn birth_dates_are_as_exact_as_they_are_known_and_sexes_have_their_codes() {
    for (birth, expected) in
        [((1949, 0, 0), "1949"), ((1949, 12, 0), "1949-12"), ((1949, 2, 3), "1949-02-03")]
    {
        let mut patient = scenes::patient();
        patient.data = patient.data.map(|mut data| {
            let (year, month, day) = birth;
            data.birth = Some(yiqiao_node_core::state::kept::BirthDate { year, month, day });
            data
        });
        let resource = patient::write(&patient, &scenes::site());
        rules::check(&resource);
        assert_eq!(resource.json().expose()["birthDate"], expected);
    }
    for (sex, expected) in
        [(1, json!("unknown")), (3, json!("female")), (10, json!("unknown")), (0, json!(null))]
    {
        let mut patient = scenes::patient();
        patient.data = patient.data.map(|mut data| {
            data.sex = sex;
            data
        });
        assert_eq!(patient::write(&patient, &scenes::site()).json().expose()["gender"], expected);
    }
}

#[test]
fn intake_reads_the_patient_back() {
    let bytes = patient::write(&scenes::patient(), &scenes::site()).to_bytes();
    let Understood::Events(events) = fhir::read_json(&bytes, 0..bytes.len(), &Door::any()).unwrap() else {
        panic!("a patient is an event");
    };
    let read = &events[0].patient;
    let identifiers: Vec<_> =
        read.identifiers.iter().map(|id| (id.kind, id.value.expose().as_str())).collect();
    for expected in [
        (IdKind::Local, "P-0001"),
        (IdKind::ResidentId, "11010519491231002X"),
        (IdKind::HealthCard, "A12345678"),
        (IdKind::InpatientNo, "ZY9"),
    ] {
        assert!(identifiers.contains(&expected), "{expected:?}");
    }
    assert_eq!(read.name.as_ref().unwrap().expose(), "张三丰");
    assert_eq!(read.pinyin.as_ref().unwrap().expose(), "ZHANG SANFENG");
    assert_eq!(read.birth_date.as_ref().unwrap().expose().year, 1949);
}

#[test]
fn an_identifier_of_a_person_is_looked_up_in_its_normal_form() {
    let found = patient::lookups(&token(Some("urn:oid:2.16.156.10011.1.3"), "11010519491231002x"));
    let [Lookup::Person(id), Lookup::Number(_)] = found.as_slice() else { panic!("a person and a number") };
    assert_eq!((id.kind(), id.value().expose().as_str()), (IdentifierKind::ResidentId, "11010519491231002X"));
    let found = patient::lookups(&token(Some("urn:yiqiao:permit"), "can110067050101"));
    assert!(
        matches!(found.as_slice(), [Lookup::Person(id), Lookup::Number(_)] if id.kind() == IdentifierKind::Permit)
    );
    for (system, value, kind) in [
        ("http://hl7.org/fhir/sid/passport-USA", "a1234567", IdentifierKind::Passport),
        ("urn:yiqiao:travel-permit", "H0123456702", IdentifierKind::TravelPermit),
    ] {
        let found = patient::lookups(&token(Some(system), value));
        assert!(
            matches!(found.as_slice(), [Lookup::Person(id), Lookup::Number(_)] if id.kind() == kind),
            "{system}"
        );
    }
    // What is no such number is looked up as it stands: the door shows it so.
    for (system, value) in [("1.3", "110105194912310021"), ("1.19", "1")] {
        let found = patient::lookups(&token(Some(&format!("urn:oid:2.16.156.10011.{system}")), value));
        assert!(matches!(found.as_slice(), [Lookup::Number(_)]), "{system}");
    }
}

#[test]
fn every_number_that_is_written_is_looked_up_under_the_register_that_gave_it() {
    let kept = scenes::patient();
    let written = patient::write(&kept, &scenes::site());
    let shown = written.json().expose()["identifier"].as_array().unwrap().clone();
    let registers = [
        ("P-0001", "https://hospital-a.example/sid/patient"),
        ("MZ 7", "HIS"),
        ("ZY9", "2.16.156.10011.1.12"),
        ("x", "2.16.840.1"),
    ];
    for (number, expected) in registers {
        let shown = shown.iter().find(|shown| shown["value"] == number).unwrap();
        let found = patient::lookups(&token(shown["system"].as_str(), number));
        let of = Number::Of { register: expected.to_owned(), value: Phi::new(number.to_owned()) };
        assert_eq!(found, [Lookup::Number(of)], "{number}");
    }
}

#[test]
fn without_a_system_every_way_is_tried() {
    let found = patient::lookups(&token(None, "11010519491231002X"));
    assert!(matches!(found.as_slice(), [Lookup::Person(_), Lookup::Person(_), Lookup::Number(_), ..]));
    assert!(found.len() <= 16);
}
