//! One document of each format.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use yiqiao_extract::fact::{Coded, Fact, Found, Item};
use yiqiao_extract::read::{Unread, read};
use yiqiao_intake::dates::Zone;
use yiqiao_proto::codes::DocumentFormat;

pub(crate) const MESSAGE: &str = "MSH|^~\\&|LIS|A|||20260102||ORU^R01|1|P|2.4\rPID|1||77^^^HIS^MR||陈志远||19580304|M\r\
    PV1|1|I|0203^^12||||10215^王建平||||||||||||V9|||||||||||||||||||||||||20260101080000\r\
    AL1|1|DA|PEN^青霉素||皮疹\rAL1|2|DA|^无\r\
    DG1|1||I20.0^不稳定型心绞痛^I10||20260101|A\rDG1|2||I10^高血压^I10||20260101|A|||||||||||||||D\r\
    ORC|CA|7\rRXO|A^阿司匹林|100||mg\rORC|NW|8\rRXO|B^阿托伐他汀|20||mg\rPR1|1||36.06^冠脉支架植入||20260102\r\
    OBR|1|R1||P^生化|||20260102083000|||||||||||||||20260102||LAB|F\r\
    OBX|1|NM|K^钾||5.9|mmol/L|3.5-5.3|H|||F|||20260102083000\rOBX|2|ST|X^备注||无||||||D\r";

pub(crate) fn hl7(text: &str) -> Vec<Found> {
    read(text.as_bytes(), DocumentFormat::Hl7V2, &Zone::china()).unwrap()
}

pub(crate) fn cda(text: &str) -> Vec<Found> {
    read(text.as_bytes(), DocumentFormat::CdaWst, &Zone::china()).unwrap()
}

/// A clinical document of these sections, each with its code and entries.
pub(crate) fn document(sections: &[(&str, &str)]) -> String {
    let section = |(code, entries): &(&str, &str)| {
        format!("<component><section><code code='{code}'/>{entries}</section></component>")
    };
    let sections: String = sections.iter().map(section).collect();
    format!(
        "<ClinicalDocument xmlns='urn:hl7-org:v3'><id root='1.2' extension='d'/><code code='C0007' codeSystem='2.16.156.10011.2.4'/>\
         <effectiveTime value='20260102090000'/><recordTarget><patientRole><id root='2.16.156.10011.1.12' extension='ZY1'/>\
         <patient><name>陈志远</name></patient></patientRole></recordTarget><componentOf><encompassingEncounter><effectiveTime>\
         <low value='20260101080000'/><high value='20260103'/></effectiveTime></encompassingEncounter></componentOf>\
         <component><structuredBody>{sections}</structuredBody></component></ClinicalDocument>"
    )
}

/// An entry of a data element with this value.
pub(crate) fn element(code: &str, value: &str) -> String {
    format!("<entry><observation><code code='{code}' displayName='x'/>{value}</observation></entry>")
}

fn words(item: &Item) -> [&str; 3] {
    [&item.code, &item.name, &item.note].map(|text| text.expose().as_str())
}

/// What it is, and the words of it.
fn said(fact: &Fact) -> (&'static str, [&str; 3]) {
    match fact {
        Fact::Encounter(visit) => ("encounter", [visit.number.as_ref().unwrap().expose(), "", ""]),
        Fact::Result(row) => ("result", [row.code.expose(), row.name.expose(), row.value.expose()]),
        Fact::VitalSign(row) => ("sign", [row.code.expose(), row.name.expose(), row.value.expose()]),
        Fact::Diagnosis(item) => ("diagnosis", words(item)),
        Fact::Allergy(item) => ("allergy", words(item)),
        Fact::Medicine(item) => ("medicine", words(item)),
        Fact::Procedure(item) => ("procedure", words(item)),
        Fact::Immunisation(item) => ("immunisation", words(item)),
        Fact::Staff(item) => ("staff", words(item)),
        Fact::Organisation(item) => ("organisation", words(item)),
        Fact::Trait(said) => (said.set.name(), words(&said.item)),
    }
}

/// What it is, its place and its words, of each.
fn told(found: &[Found]) -> Vec<(&'static str, &str, [&str; 3])> {
    let told = found.iter().map(|Found { fact, place, .. }| {
        let (kind, words) = said(fact);
        (kind, place.as_str(), words)
    });
    told.collect()
}

#[test]
fn u9_a_message_says_facts_by_segment_and_nothing_that_was_cancelled_or_denied() {
    assert_eq!(
        told(&hl7(MESSAGE)),
        [
            ("sex", "PID[1]-8", ["M", "", ""]),
            ("staff", "PV1[1]-7", ["10215", "王建平", ""]),
            ("encounter", "PV1[1]", ["V9", "", ""]),
            ("allergy", "AL1[1]", ["PEN", "青霉素", "皮疹"]),
            ("diagnosis", "DG1[1]", ["I20.0", "不稳定型心绞痛", "入院诊断"]),
            ("medicine", "RXO[2]", ["B", "阿托伐他汀", "20mg"]),
            ("procedure", "PR1[1]", ["36.06", "冠脉支架植入", ""]),
            ("result", "OBX[1]", ["K", "钾", "5.9"]),
        ]
    );
}

/// What value sets say of each fact: the set, the code and the name.
fn coded(found: &[Found]) -> Vec<(&str, Vec<[&str; 3]>)> {
    fn code(said: &Coded) -> [&str; 3] {
        let [code, name, _] = words(&said.item);
        [said.set.name(), code, name]
    }
    fn all(found: &Found) -> Vec<[&str; 3]> {
        let own = if let Fact::Trait(said) = &found.fact { Some(said) } else { None };
        own.into_iter().chain(&found.codes).map(code).collect()
    }
    let told = found.iter().map(|found| (found.place.as_str(), all(found)));
    told.filter(|(_, codes)| !codes.is_empty()).collect()
}

#[test]
fn u11_a_message_says_by_codes_what_somebody_is_how_a_visit_went_and_how_a_medicine_is_given() {
    let text = "MSH|^~\\&|HIS|A|||20260102||RDE^O11|1|P|2.5\rPID|1||77^^^HIS^MR||陈志远||19580304|1||R9^回族||||||2^已婚\r\
        PV1|1|I||2||||||||||3^门诊|||||V9|A1^20260101||||||||||||||||1^遵医嘱||||||||20260101\r\
        ORC|CA|6\rRXO|A^阿司匹林\rRXR|PO^口服\rORC|NW|8\rRXO|B^阿托伐他汀|20||mg\rRXR|5^口服\rRXR|6^外用\r";
    assert_eq!(
        coded(&hl7(text)),
        [
            ("PID[1]-8", vec![["sex", "1", ""]]),
            ("PID[1]-16", vec![["marital-status", "2", "已婚"]]),
            ("PID[1]-10", vec![["ethnic-group", "R9", "回族"]]),
            (
                "PV1[1]",
                vec![
                    ["patient-class", "I", ""],
                    ["admission-condition", "2", ""],
                    ["admit-source", "3", "门诊"],
                    ["discharge-disposition", "1", "遵医嘱"],
                    ["payment", "A1", ""]
                ]
            ),
            ("RXO[2]", vec![["route", "5", "口服"]]),
        ]
    );
    let both = text.replace("||||||2^已婚", "||||||2^已婚||||||MZ^满族");
    assert_eq!(
        coded(&hl7(&both))[2],
        ("PID[1]-22", vec![["ethnic-group", "MZ", "满族"]]),
        "PID-22 before PID-10"
    );
}

#[test]
fn u11_a_clinical_document_says_by_codes_what_its_header_and_data_elements_have() {
    let code = |element: &str, system: &str, code: &str, name: &str| {
        format!("<{element} code='{code}' codeSystem='2.16.156.10011.2.3.{system}' displayName='{name}'/>")
    };
    let header = code("administrativeGenderCode", "3.4", "2", "女性")
        + &code("maritalStatusCode", "3.5", "", "未婚")
        + &code("ethnicGroupCode", "3.3", "01", "汉族")
        + "<occupation>"
        + &code("occupationCode", "3.13", "27", "农民")
        + "</occupation>";
    let class = code("patienttypeCode", "1.271", "3", "住院");
    let medicine = "<entry><substanceAdministration>".to_owned()
        + &code("routeCode", "1.158", "1", "口服")
        + "<consumable><manufacturedProduct><manufacturedLabeledDrug><code code='XC1'/></manufacturedLabeledDrug>\
           </manufacturedProduct></consumable></substanceAdministration></entry>";
    let blood = element("DE04.50.001.00", &code("value", "1.85", "3", "O型"))
        + &element("DE04.50.010.00", &code("value", "1.250", "2", "阳性"));
    let stay = element("DE07.00.007.00", &code("value", "1.269", "07", "全自费"))
        + &element("DE06.00.223.00", &code("value", "1.265", "1", "医嘱离院"));
    let text = document(&[("10160-0", &medicine), ("30954-2", &blood), ("48768-6", &stay)])
        .replace(
            "<name>陈志远</name></patient>",
            &format!("<name>陈志远</name>{header}</patient><patientType>{class}</patientType>"),
        )
        .replace(
            "<encompassingEncounter>",
            &format!("<encompassingEncounter>{}", code("code", "1.270", "2", "门诊")),
        );
    let codes: Vec<_> =
        coded(&cda(&text)).into_iter().flat_map(|(_, codes)| codes).map(|code| code.join(" ")).collect();
    assert_eq!(
        codes,
        [
            "sex 2 女性",
            "marital-status  未婚",
            "ethnic-group 01 汉族",
            "occupation 27 农民",
            "patient-class 3 住院",
            "admit-source 2 门诊",
            "payment 07 全自费",
            "discharge-disposition 1 医嘱离院",
            "route 1 口服",
            "blood-group 3 O型",
            "rh-group 2 阳性",
        ]
    );
}

#[test]
fn u11_resources_say_by_codes_what_their_elements_have() {
    let concept = |code: &str, text: &str| {
        format!(r#"{{"coding":[{{"system":"urn:h","code":"{code}"}}],"text":"{text}"}}"#)
    };
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"document","entry":[
        {{"resource":{{"resourceType":"Composition","id":"c","type":{{"text":"x"}},"date":"2026-01-02","subject":{{"reference":"Patient/p"}}}}}},
        {{"resource":{{"resourceType":"Patient","id":"p","identifier":[{{"system":"urn:h","value":"77"}}],"gender":"female","maritalStatus":{}}}}},
        {{"resource":{{"resourceType":"Encounter","id":"e","class":{{"code":"IMP"}},"hospitalization":{{"admitSource":{},"dischargeDisposition":{}}}}}}},
        {{"resource":{{"resourceType":"MedicationRequest","id":"m","medicationCodeableConcept":{{"text":"阿托伐他汀"}},
        "dosageInstruction":[{{"route":{}}}]}}}}]}}"#,
        concept("7", "离异"),
        concept("1", "急诊"),
        concept("5", "死亡"),
        concept("KF", "口服")
    );
    let found = read(bundle.as_bytes(), DocumentFormat::FhirJson, &Zone::china()).unwrap();
    assert_eq!(
        coded(&found),
        [
            ("Bundle.entry[1].resource.gender", vec![["sex", "female", ""]]),
            ("Bundle.entry[1].resource.maritalStatus", vec![["marital-status", "7", "离异"]]),
            (
                "Bundle.entry[2].resource",
                vec![["admit-source", "1", "急诊"], ["discharge-disposition", "5", "死亡"]]
            ),
            ("Bundle.entry[3].resource", vec![["route", "KF", "口服"]]),
        ]
    );
}

fn who(found: &[Found]) -> Vec<(&'static str, &str, [&str; 3])> {
    told(found).into_iter().filter(|(kind, ..)| matches!(*kind, "staff" | "organisation")).collect()
}

#[test]
fn u12_a_message_names_staff_and_organisations_once_but_for_who_takes_part_in_a_visit() {
    let text = "MSH|^~\\&|LIS|A|||20260102||ORU^R01|1|P|2.4\rPID|1||77^^^HIS^MR||陈志远\r\
        PV1|1|I|||||1^王建平|2&李  敏|^赵强||||||||1^王建平||V9\rORC|RE|1||||||||||3^孙丽|||||||||甲医院^^H1\r\
        OBR|1|R1||P^生化|||20260102|||||||||3^孙丽||||||20260102||LAB|F\rORC|RE|1||||||||||1^王建平|||||||||甲医院^^H1\r\
        OBR|2|R2||Q^血脂|||20260102|||||||||4^周涛||||||20260102||LAB|F\rOBX|1|NM|K^钾||5.9|mmol/L|||||F\r";
    assert_eq!(
        who(&hl7(text)),
        [
            ("staff", "PV1[1]-7", ["1", "王建平", ""]),
            ("staff", "PV1[1]-8", ["2", "李敏", ""]),
            ("staff", "PV1[1]-9", ["", "赵强", ""]),
            ("staff", "PV1[1]-17", ["1", "王建平", ""]),
            ("staff", "ORC[1]-12", ["3", "孙丽", ""]),
            ("organisation", "ORC[1]-21", ["H1", "甲医院", ""]),
            ("staff", "OBR[2]-16", ["4", "周涛", ""]),
        ]
    );
}

#[test]
fn u12_clinical_documents_and_resources_name_staff_and_organisations() {
    let header = "<author><assignedAuthor><id root='2.16.156.10011.1.4' extension='7'/><assignedPerson><name>王建平</name></assignedPerson>\
        <representedOrganization><id extension='H1'/><name>甲医院</name></representedOrganization></assignedAuthor></author>\
        <custodian><assignedCustodian><representedCustodianOrganization><id extension='H2'/><name>乙医院</name>\
        </representedCustodianOrganization></assignedCustodian></custodian><legalAuthenticator><assignedEntity><id extension='8'/>\
        <assignedPerson><name>李敏</name></assignedPerson></assignedEntity></legalAuthenticator><componentOf>";
    let text = document(&[]).replace("<componentOf>", header);
    let root = "/ClinicalDocument";
    let author = format!("{root}/author/assignedAuthor");
    let places = [
        author.clone(),
        format!("{author}/representedOrganization"),
        format!("{root}/legalAuthenticator/assignedEntity"),
        format!("{root}/custodian/assignedCustodian/representedCustodianOrganization"),
    ];
    assert_eq!(
        who(&cda(&text)),
        [
            ("staff", places[0].as_str(), ["7", "王建平", ""]),
            ("organisation", places[1].as_str(), ["H1", "甲医院", ""]),
            ("staff", places[2].as_str(), ["8", "李敏", ""]),
            ("organisation", places[3].as_str(), ["H2", "乙医院", ""]),
        ]
    );
    let bundle = r#"{"resourceType":"Bundle","type":"document","entry":[
        {"resource":{"resourceType":"Composition","id":"c","type":{"text":"x"},"date":"2026-01-02","subject":{"reference":"Patient/p"}}},
        {"resource":{"resourceType":"Patient","id":"p","identifier":[{"system":"urn:h","value":"77"}]}},
        {"resource":{"resourceType":"Practitioner","id":"d","identifier":[{"value":"110"},{"type":{"coding":[{"code":"EI"}]},"value":"9"}],
        "name":[{"family":"周","given":["涛"]}]}},
        {"resource":{"resourceType":"Organization","id":"o","identifier":[{"value":"H1"}],"name":"甲医院"}}]}"#;
    let found = read(bundle.as_bytes(), DocumentFormat::FhirJson, &Zone::china()).unwrap();
    assert_eq!(
        who(&found),
        [
            ("staff", "Bundle.entry[2].resource", ["9", "周涛", ""]),
            ("organisation", "Bundle.entry[3].resource", ["H1", "甲医院", ""]),
        ]
    );
}

#[test]
fn u9_what_is_given_is_a_vaccine_in_a_message_of_vaccinations() {
    let given = "MSH|^~\\&|VAX|A|||20260102||VXU^V04|1|P|2.5\rPID|1||77^^^HIS^MR||陈志远\r\
        ORC|RE|1\rRXA|0|1|20260102||08^乙肝疫苗^CVX|0.5|mL||||||||L7\rRXA|0|1|20260102||09^破伤风^CVX|||||||||||||||RE\r";
    assert_eq!(told(&hl7(given)), [("immunisation", "RXA[1]", ["08", "乙肝疫苗", "0.5mL 批号L7"])]);
    let unmeasured = given.replace("|0.5|mL|", "|999||");
    assert_eq!(told(&hl7(&unmeasured))[0].2, ["08", "乙肝疫苗", "批号L7"]);
    let other = given.replace("VXU^V04", "RAS^O17");
    assert_eq!(told(&hl7(&other))[0].0, "medicine");
}

#[test]
fn u9_a_clinical_document_says_facts_by_data_element() {
    let diagnoses = element("DE05.01.025.00", "<value>高血压病</value>")
        + &element("DE05.01.024.00", "<value code='I10.x00' codeSystem='2.16.156.10011.2.3.3.11.3'/>")
        + &element("DE05.01.025.00", "<value>胸闷待查</value>");
    let allergies = element("DE02.10.023.00", "<value value='true'/>")
        + &element("DE02.10.022.00", "<value>青霉素（皮疹）</value>")
        + &element("DE02.10.022.00", "<value>否认食物过敏史</value>");
    let medicine = "<entry><substanceAdministration><text>口服</text><doseQuantity value='20' unit='mg'/><consumable>\
        <manufacturedProduct><manufacturedLabeledDrug><code code='XC1'/><name>阿托伐他汀</name></manufacturedLabeledDrug>\
        </manufacturedProduct></consumable></substanceAdministration></entry>";
    let procedure = "<entry><procedure><code code='36.06' codeSystem='2.16.156.10011.2.3.3.12' displayName='手术及操作编码'/>\
        <entryRelationship><observation><code code='DE06.00.094.00'/><value>冠脉支架植入</value></observation></entryRelationship>\
        </procedure></entry>";
    let warm = element("DE04.10.186.00", "<value value='36.8' unit='℃'/>");
    let text = document(&[
        ("11535-2", &diagnoses),
        ("48765-2", &allergies),
        ("10160-0", medicine),
        ("47519-4", procedure),
        ("8716-3", &warm),
        ("11369-6", medicine),
    ]);
    let found = cda(&text);
    let section =
        |number: u32| format!("/ClinicalDocument/component/structuredBody/component[{number}]/section/entry");
    let places = [1, 2, 3, 4, 5, 6].map(section);
    let encounter = "/ClinicalDocument/componentOf/encompassingEncounter";
    let place = |at: usize, rest: &str| format!("{}{rest}", places[at - 1]);
    let expected = [
        ("encounter", encounter.to_owned(), ["ZY1", "", ""]),
        ("diagnosis", place(1, "[2]/observation"), ["I10.x00", "高血压病", "出院诊断"]),
        ("diagnosis", place(1, "[3]/observation"), ["", "胸闷待查", "出院诊断"]),
        ("allergy", place(2, "[2]/observation"), ["", "青霉素（皮疹）", ""]),
        ("medicine", place(3, "/substanceAdministration"), ["XC1", "阿托伐他汀", "20mg 口服"]),
        ("procedure", place(4, "/procedure"), ["36.06", "冠脉支架植入", ""]),
        ("immunisation", place(6, "/substanceAdministration"), ["XC1", "阿托伐他汀", "20mg 口服"]),
        ("sign", place(5, "/observation"), ["DE04.10.186.00", "x", "36.8"]),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(kind, place, words)| (*kind, place.as_str(), *words)).collect();
    assert_eq!(told(&found), expected);
}

#[test]
fn u9_coded_observations_of_other_documents_are_facts_unless_they_are_negated() {
    let problem = |negated: &str| {
        format!(
            "<entry><act><entryRelationship><observation {negated}><code code='29308-4'/><value code='38341003' displayName='Hypertension' \
             codeSystem='2.16.840.1.113883.6.96'/><entryRelationship><observation><code code='33999-4'/><value code='55561003' \
             displayName='Active'/></observation></entryRelationship></observation></entryRelationship></act></entry>"
        )
    };
    let allergy = "<entry><observation><code code='ASSERTION'/><value code='416098002'/><participant><participantRole><playingEntity>\
        <code code='7980' displayName='Penicillin G' codeSystem='2.16.840.1.113883.6.88'/></playingEntity></participantRole></participant>\
        <entryRelationship typeCode='MFST'><observation><code code='x'/><value code='247472004' displayName='Hives'/></observation>\
        </entryRelationship></observation></entry>";
    let problems = problem("") + &problem("negationInd='true'");
    let found = cda(&document(&[("11450-4", &problems), ("48765-2", allergy)]));
    let words: Vec<_> = told(&found).into_iter().map(|(kind, _, words)| (kind, words)).collect();
    assert_eq!(
        words[1..],
        [("diagnosis", ["38341003", "Hypertension", ""]), ("allergy", ["7980", "Penicillin G", "Hives"]),]
    );
}

#[test]
fn u9_a_bundle_says_facts_by_resource() {
    let subject = r#""subject":{"identifier":{"system":"urn:h","value":"77"}}"#;
    let patient = subject.replace("subject", "patient");
    let bundle = format!(
        r##"{{"resourceType":"Bundle","type":"collection","entry":[
        {{"resource":{{"resourceType":"Condition",{subject},"code":{{"coding":[{{"system":"http://hl7.org/fhir/sid/icd-10","code":"I10","display":"高血压"}}]}}}}}},
        {{"resource":{{"resourceType":"Condition",{subject},"verificationStatus":{{"coding":[{{"code":"refuted"}}]}},"code":{{"text":"糖尿病"}}}}}},
        {{"resource":{{"resourceType":"AllergyIntolerance",{patient},"code":{{"text":"青霉素"}},"reaction":[{{"manifestation":[{{"text":"皮疹"}}]}}]}}}},
        {{"resource":{{"resourceType":"MedicationRequest",{subject},"contained":[{{"resourceType":"Medication","id":"m","code":{{"text":"阿司匹林"}}}}],
          "medicationReference":{{"reference":"#m"}},"dosageInstruction":[{{"text":"100mg 每日一次"}}]}}}},
        {{"resource":{{"resourceType":"Procedure","status":"completed",{subject},"code":{{"text":"胃镜"}}}}}},
        {{"resource":{{"resourceType":"Immunization","status":"not-done",{patient},"vaccineCode":{{"text":"流感疫苗"}}}}}},
        {{"resource":{{"resourceType":"Encounter","id":"e1","status":"finished","class":{{"code":"AMB"}},{subject}}}}},
        {{"resource":{{"resourceType":"Observation","status":"final",{subject},"category":[{{"coding":[{{"code":"vital-signs"}}]}}],
          "code":{{"text":"体温"}},"valueQuantity":{{"value":36.8,"unit":"℃"}}}}}},
        {{"resource":{{"resourceType":"Observation","status":"final",{subject},"code":{{"text":"钾"}},"valueQuantity":{{"value":5.9,"unit":"mmol/L"}}}}}}]}}"##
    );
    let found = read(bundle.as_bytes(), DocumentFormat::FhirJson, &Zone::china()).unwrap();
    assert_eq!(
        told(&found),
        [
            ("diagnosis", "Bundle.entry[0].resource", ["I10", "高血压", ""]),
            ("allergy", "Bundle.entry[2].resource", ["", "青霉素", "皮疹"]),
            ("medicine", "Bundle.entry[3].resource", ["", "阿司匹林", "100mg 每日一次"]),
            ("procedure", "Bundle.entry[4].resource", ["", "胃镜", ""]),
            ("encounter", "Bundle.entry[6].resource", ["e1", "", ""]),
            ("sign", "Bundle.entry[7].resource", ["", "体温", "36.8"]),
            ("result", "Bundle.entry[8].resource", ["", "钾", "5.9"]),
        ]
    );
}

#[test]
fn what_has_no_reader_or_is_not_understood_says_so() {
    let of = |format| read(b"x", format, &Zone::china()).map(|found| found.len());
    assert_eq!(of(DocumentFormat::Pdf), Err(Unread::Format));
    assert_eq!(of(DocumentFormat::Hl7V2), Err(Unread::NotUnderstood));
    assert_eq!(of(DocumentFormat::CdaWst), Err(Unread::NotUnderstood));
    assert_eq!(of(DocumentFormat::FhirXml), Err(Unread::NotUnderstood));
}

proptest! {
    #[test]
    fn whatever_a_document_says_is_read_without_panic(
        segments in proptest::collection::vec("(PV1|DG1|AL1|RXA|RXE|PR1|OBX)[|^&~0-9]{0,40}", 0..12),
        statements in proptest::collection::vec("(observation|procedure|substanceAdministration|code|value|low)", 0..12),
    ) {
        let text = format!("MSH|^~\\&|A|B|||20260102||ORU^R01|1|P|2.4\rPID|1||77\r{}", segments.join("\r"));
        let _ = read(text.as_bytes(), DocumentFormat::Hl7V2, &Zone::china());
        let nested = statements.iter().rev().fold(String::new(), |inner, name| format!("<{name} code='DE05.01.024.00'>{inner}</{name}>"));
        let _ = read(document(&[("29548-5", &format!("<entry>{nested}</entry>"))]).as_bytes(), DocumentFormat::Cda, &Zone::china());
    }
}
