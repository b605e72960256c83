//! Documents of one patient together: the same thing once.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_extract::fact::Fact;
use yiqiao_extract::gather::{Gathered, Meanings, Record, Source};
use yiqiao_extract::named;
use yiqiao_intake::dates::Zone;
use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::time::Timestamp;
use yiqiao_terms::codes::{CodeTable, CodeTables};
use yiqiao_terms::dictionary::Local;
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::kind::Kind;
use yiqiao_terms::value_set::ValueSet;

use crate::documents::{MESSAGE, cda, document, element, hl7};

fn source(holder: &str, entry: u8) -> Source {
    Source {
        holder: Code::new(holder).unwrap(),
        entry: EntryId::new([entry; 32]).unwrap(),
        at: Timestamp::from_unix_ms(1_767_225_600_000).unwrap(),
    }
}

fn nothing() -> Gathered<'static> {
    Gathered::new(Terms::of_this_version(), Zone::china())
}

/// A clinical document with one result in millimoles.
fn potassium(value: &str, minute: &str, unit: &str) -> String {
    let item = format!("<effectiveTime value='2026010208{minute}'/><value>*血清钾</value>");
    let unit = format!(
        "<value value='{value}'/><entryRelationship><observation><code code='DE04.30.016.00'/><value>{unit}</value></observation>\
         </entryRelationship>"
    );
    document(&[("30954-2", &(element("DE04.30.019.00", &item) + &element("DE04.30.015.00", &unit)))])
}

fn results<'g>(gathered: &'g Gathered<'_>) -> Vec<&'g Record> {
    gathered.records().iter().filter(|record| matches!(record.fact, Fact::Result(_))).collect()
}

#[test]
fn u10_one_result_of_a_message_and_a_document_is_one_record_with_both_places() {
    let mut gathered = nothing();
    gathered.add(source("a", 1), hl7(MESSAGE), &Meanings::new());
    gathered.add(source("a", 2), cda(&potassium("5.90", "30", "mmol/L")), &Meanings::new());
    let found = results(&gathered);
    assert_eq!(found.len(), 1);
    let place = "/ClinicalDocument/component/structuredBody/component/section/entry[2]/observation";
    assert_eq!(found[0].said, [(0, "OBX[1]".to_owned()), (1, place.to_owned())]);
}

#[test]
fn u10_another_time_value_unit_or_patient_number_is_another_record() {
    for other in [
        potassium("5.9", "31", "mmol/L"),
        potassium("5.8", "30", "mmol/L"),
        potassium("5.9", "30", "g/L"),
        potassium("5.9", "30", "mmol/L").replace("血清钾", "血清钠"),
    ] {
        let mut gathered = nothing();
        gathered.add(source("a", 1), hl7(MESSAGE), &Meanings::new());
        gathered.add(source("a", 2), cda(&other), &Meanings::new());
        assert_eq!(results(&gathered).len(), 2, "{other}");
    }
}

#[test]
fn u10_the_same_amount_in_another_unit_is_the_same_result() {
    let mut gathered = nothing();
    gathered.add(
        source("a", 1),
        hl7(&MESSAGE.replace("|K^钾||5.9|mmol/L|", "|GLU^葡萄糖||5.0|mmol/L|")),
        &Meanings::new(),
    );
    let other = potassium("5000", "30", "umol/L").replace("血清钾", "葡萄糖");
    gathered.add(source("b", 2), cda(&other), &Meanings::new());
    assert_eq!(results(&gathered).len(), 1);
}

#[test]
fn u9_what_is_accepted_of_an_item_is_its_code_the_next_time_it_is_read() {
    let unknown = MESSAGE.replace("K^钾", "ZZ9^本院特项");
    let local = Local::new("ZZ9", "本院特项", "", "mmol/L").unwrap();
    let meanings = Meanings::from([(local.key(), "2823-3".to_owned())]);
    for (meanings, loinc) in [(Meanings::new(), None), (meanings, Some("2823-3"))] {
        let mut gathered = nothing();
        gathered.add(source("a", 1), hl7(&unknown), &meanings);
        assert_eq!(results(&gathered)[0].standard.as_deref(), loinc);
    }
}

/// What nothing of the standards says in a message, by kind and code or name.
fn named(text: &str, tables: &CodeTables) -> Vec<(Kind, String)> {
    let named = named::in_message(text.as_bytes(), &Zone::china(), tables).unknown.into_iter();
    let named = named.filter(|local| local.kind != Kind::Staff);
    named.map(|local| (local.kind, local.code + &local.name)).collect()
}

#[test]
fn u7_codes_of_the_hospitals_own_are_asked_of_people_and_words_are_not() {
    let ours = MESSAGE.replace("I20.0^不稳定型心绞痛^I10", "D01^高血压病").replace("36.06^", "^");
    let none = CodeTables::default();
    let marked = format!("\u{FEFF}{}", MESSAGE.replace('\r', "\r\n"));
    assert!(!named(MESSAGE, &none).is_empty());
    assert_eq!(named(&marked, &none), named(MESSAGE, &none), "a mark of byte order, and other ends of lines");
    let department = (Kind::Department, "0203".to_owned());
    let medicine = (Kind::Medicine, "B阿托伐他汀".to_owned());
    assert_eq!(
        named(&ours, &none),
        [department.clone(), (Kind::Diagnosis, "D01高血压病".to_owned()), medicine.clone()]
    );
    let words =
        MESSAGE.replace("I20.0^不稳定型心绞痛^I10", "高血压病，张三^高血压病，张三").replace("36.06^", "^");
    assert_eq!(named(&words, &none), [department.clone(), medicine.clone()]);
    let procedure = (Kind::Procedure, "36.06冠脉支架植入".to_owned());
    assert_eq!(
        named(MESSAGE, &none),
        [department.clone(), medicine.clone(), procedure.clone()],
        "I20.0 says ICD-10"
    );
    let mut tables = CodeTables::default();
    tables
        .put(Kind::Diagnosis, CodeTable::read(Kind::Diagnosis, "code,name\nI20.000,不稳定性心绞痛").unwrap());
    let diagnosis = (Kind::Diagnosis, "I20.0不稳定型心绞痛".to_owned());
    assert_eq!(
        named(MESSAGE, &tables),
        [department, diagnosis, medicine, procedure],
        "the table has no I20.0"
    );
    let insured = Local::of(Kind::InsuranceDiagnosis, "I20.0", "不稳定型心绞痛").unwrap();
    let asked = |tables: &CodeTables| {
        named::in_message(MESSAGE.as_bytes(), &Zone::china(), tables).unknown.contains(&insured)
    };
    assert!(!asked(&tables), "without the table of the health insurance nobody is asked for its codes");
    let table = CodeTable::read(Kind::InsuranceDiagnosis, "code,name\nI20.000,不稳定性心绞痛").unwrap();
    tables.put(Kind::InsuranceDiagnosis, table);
    assert!(asked(&tables));
}

#[test]
fn u9_what_is_accepted_of_a_diagnosis_or_medicine_is_its_code_whatever_is_written_beside_it() {
    let ours = MESSAGE.replace("I20.0^不稳定型心绞痛^I10", "D01^高血压病?");
    let meaning =
        |kind, code: &str, standard: &str| (Local::of(kind, code, "").unwrap().key(), standard.to_owned());
    let department = (Local::of(Kind::Department, "", "0203").unwrap().key(), "03.04".to_owned());
    let meanings = Meanings::from([
        meaning(Kind::Diagnosis, "D01", "I10.x00x002"),
        meaning(Kind::Medicine, "B", "C10AA05"),
        meaning(Kind::Medicine, "D01", "A10BA02"),
        department,
    ]);
    let mut gathered = nothing();
    gathered.add(source("a", 1), hl7(&ours), &meanings);
    let found = gathered
        .records()
        .iter()
        .filter_map(|record| Some((record.said[0].1.as_str(), record.standard.as_deref()?)));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [("PID[1]-8", "1"), ("PV1[1]", "03.04"), ("DG1[1]", "I10.x00x002"), ("RXO[2]", "C10AA05")]
    );
    gathered.add(source("a", 2), hl7(&ours.replace("D01^高血压病?", "I10.x00x002^高血压病^I10")), &meanings);
    let diagnoses = gathered.records().iter().filter(|record| matches!(record.fact, Fact::Diagnosis(_)));
    assert_eq!(diagnoses.map(|record| record.said.len()).collect::<Vec<_>>(), [2], "one code, one diagnosis");
}

/// A message with these codes of a marital status, an ethnic group and a route.
fn codes(married: &str, ethnic: &str, route: &str) -> String {
    format!(
        "MSH|^~\\&|HIS|A|||20260102||RDE^O11|1|P|2.5\rPID|1||77^^^HIS^MR||陈志远|||||||||||{married}||||||{ethnic}\r\
         PV1|1|I|||||||||||||||||V9\rORC|NW|8\rRXO|C10AA05^阿托伐他汀^ATC|20||mg\rRXR|{route}\r"
    )
}

#[test]
fn u11_what_is_no_code_or_name_of_a_value_set_is_asked_of_people_and_words_are_not() {
    let none = CodeTables::default();
    let in_message = |text: &str| named::in_message(text.as_bytes(), &Zone::china(), &none);
    let of = |set, code: &str, name: &str| Local::of(Kind::Coded(set), code, name).unwrap();
    let (married, ethnic, route) = (ValueSet::MaritalStatus, ValueSet::EthnicGroup, ValueSet::Route);
    for (text, unknown, is_coded) in [
        (codes("M", "01^汉族", "KF^口服"), vec![], true),
        (
            codes("2", "X1^回民", "KF"),
            vec![of(ethnic, "X1", "回民"), of(married, "2", ""), of(route, "KF", "")],
            true,
        ),
        (codes("20^^2.16.156.10011.2.3.3.5", "", ""), vec![], true),
        (codes("77^^2.16.156.10011.2.3.3.5", "", ""), vec![of(married, "77", "")], true),
        (codes("", "回民", ""), vec![], false),
        (codes("13900000000", "", ""), vec![], false),
    ] {
        let names = in_message(&text);
        assert_eq!((names.unknown, names.is_coded), (unknown, Some(is_coded)), "{text}");
    }
}

#[test]
fn u11_what_a_code_means_is_what_it_says_itself_what_was_accepted_or_what_its_name_says() {
    let meaning = |set, code: &str, standard: &str| {
        (Local::of(Kind::Coded(set), code, "").unwrap().key(), standard.to_owned())
    };
    let meanings = Meanings::from([
        meaning(ValueSet::MaritalStatus, "2", "40"),
        meaning(ValueSet::EthnicGroup, "01", "11"),
        meaning(ValueSet::Route, "KF", "1"),
    ]);
    let mut gathered = nothing();
    gathered.add(
        source("a", 1),
        hl7(&codes("2^已婚", "01^汉族^2.16.156.10011.2.3.3.3", "KF^外用")),
        &meanings,
    );
    gathered.add(source("a", 2), hl7(&codes("40^^2.16.156.10011.2.3.3.5", "汉", "")), &meanings);
    gathered.add(source("b", 3), hl7(&codes("5", "ZZ", "口服")), &Meanings::new());
    let traits: Vec<_> = gathered
        .records()
        .iter()
        .filter(|record| matches!(record.fact, Fact::Trait(_)))
        .map(|record| (record.standard.as_deref(), record.said.len()))
        .collect();
    assert_eq!(
        traits,
        [(Some("40"), 2), (Some("01"), 2), (None, 1), (None, 1)],
        "accepted, said itself, unknown"
    );
    let medicine = gathered.records().iter().find(|record| matches!(record.fact, Fact::Medicine(_))).unwrap();
    assert_eq!(medicine.codes[0].standard.as_deref(), Some("1"), "accepted before what the name says");
    assert_eq!((medicine.codes.len(), medicine.said.len()), (1, 3), "the first that says it");
}

#[test]
fn u12_staff_by_their_numbers_and_organisations_are_asked_of_people_a_list_of_staff_says_both() {
    let tables = CodeTables::default();
    let named = |text: &str| named::in_message(text.as_bytes(), &Zone::china(), &tables).unknown;
    let staff = |code, name| Local::of(Kind::Staff, code, name).unwrap();
    assert!(named(MESSAGE).contains(&staff("10215", "王建平")));
    let unnumbered = named(&MESSAGE.replace("10215^王建平", "^王建平"));
    assert!(unnumbered.iter().all(|local| local.kind != Kind::Staff), "a name alone is no number");
    let long = named(&MESSAGE.replace("10215^王建平", "110105194912310021^王建平"));
    assert!(
        long.iter().all(|local| local.kind != Kind::Staff),
        "an identity number is none of the hospital's"
    );
    let ordered = named(&MESSAGE.replace("ORC|NW|8", "ORC|NW|8|||||||||||||||||||甲医院"));
    assert!(ordered.contains(&Local::of(Kind::Organisation, "", "甲医院").unwrap()));
    let list = "MSH|^~\\&|HR|A|||20260102||MFN^M02|1|P|2.5\rMFI|STF||UPD|||AL\rMFE|MAD|1|20260102|K1\rSTF|K1|10215^^^HR|王^建平\r\
        MFE|MAD|2|20260102|K2\rSTF|K2||李敏\r";
    assert_eq!(named(list), [staff("10215", "王建平"), staff("K2", "李敏")]);
}

#[test]
fn u10_a_visit_is_one_by_its_number_and_has_what_each_adds() {
    let mut gathered = nothing();
    let numbered = MESSAGE.replace("|V9|", "|ZY1|");
    gathered.add(source("a", 1), hl7(&numbered), &Meanings::new());
    gathered.add(source("a", 2), cda(&document(&[])), &Meanings::new());
    gathered.add(source("b", 3), cda(&document(&[])), &Meanings::new());
    let visits: Vec<_> = gathered
        .records()
        .iter()
        .filter_map(|record| {
            if let Fact::Encounter(visit) = &record.fact { Some((visit, record.said.len())) } else { None }
        })
        .collect();
    assert_eq!(
        visits.iter().map(|(_, said)| *said).collect::<Vec<_>>(),
        [2, 1],
        "another hospital has numbers of its own"
    );
    assert!(visits[0].0.discharged.is_some() && visits[0].0.attending.is_some());
}
