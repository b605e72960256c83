//! What documents say as resources. The frozen bundle is read by another program in another language, too: `testdata/check.py`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;

use serde_json::{Value, json};
use yiqiao_extract::gather::{Gathered, Meanings, Source};
use yiqiao_extract::read::read;
use yiqiao_fhir::document::Listing;
use yiqiao_fhir::everything::{self, Everything, TYPES, Unread};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::query::Request;
use yiqiao_fhir::search::{Asked, Filter, StatedFilter, read as read_search};
use yiqiao_intake::dates::Zone;
use yiqiao_proto::codes::DocumentFormat;
use yiqiao_terms::dictionary::Local;
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::kind::Kind;
use yiqiao_terms::value_set::ValueSet;

use crate::scenes;

const REPORT: &str = "MSH|^~\\&|LIS|A|||20260102||ORU^R01|1|P|2.4\rPID|1||77^^^HIS^MR||陈志远||19580304|M\r\
    PV1|1|I|0203^^12||||10215^王建平||||||||||||V9|||||||||||||||||||||||||20260101080000\r\
    AL1|1|DA|PEN^青霉素||皮疹\rDG1|1||I20.0^不稳定型心绞痛^I10||20260101|A\rORC|NW|8\rRXO|B^阿托伐他汀|20||mg\r\
    PR1|1||36.06^冠脉支架植入||20260102\rOBR|1|R1||P^生化|||20260102083000|||||||||||||||20260102||LAB|F\r\
    OBX|1|NM|2823-3^钾^LN||5.90|mmol/L|3.5-5.3|H|||F|||20260102083000\r\
    OBX|2|NM|CRP^C反应蛋白||<0.5|mg/L|0-8||||F|||20260102083000\rOBX|3|ST|X^尿蛋白||阳性||阴性|A|||P\r";

const SAME: &str = "<ClinicalDocument xmlns='urn:hl7-org:v3'><id root='1.2' extension='d'/><code code='C0007' \
    codeSystem='2.16.156.10011.2.4'/><effectiveTime value='20260102090000'/><recordTarget><patientRole><id root='2.16.156.10011.1.12' \
    extension='ZY1'/></patientRole></recordTarget><component><structuredBody><component><section><code code='30954-2'/><entry>\
    <observation><code code='DE04.30.019.00'/><effectiveTime value='20260102083000'/><value>血清钾</value></observation></entry><entry>\
    <observation><code code='DE04.30.015.00'/><value value='5.9'/><entryRelationship><observation><code code='DE04.30.016.00'/>\
    <value>mmol/L</value></observation></entryRelationship></observation></entry></section></component><component><section>\
    <code code='8716-3'/><entry><observation><code code='DE04.10.186.00' displayName='体温'/><value value='36.8' unit='℃'/></observation>\
    </entry></section></component><component><section><code code='11369-6'/><entry><substanceAdministration><consumable>\
    <manufacturedProduct><manufacturedMaterial><name>流感疫苗</name></manufacturedMaterial></manufacturedProduct></consumable>\
    </substanceAdministration></entry></section></component></structuredBody></component></ClinicalDocument>";

fn listings() -> Vec<Listing> {
    let first = scenes::listing();
    let second = Listing { entry: scenes::entry_id(2), ..first.clone() };
    vec![first, second]
}

fn bundle(types: &[&str], unread: Unread) -> Value {
    made(unread, |everything| everything.write(types, &scenes::site()).json().expose().clone())
}

fn made<T>(unread: Unread, make: impl FnOnce(&Everything<'_>) -> T) -> T {
    let mut gathered = Gathered::new(Terms::of_this_version(), Zone::china());
    let listings = listings();
    for (listing, (text, format)) in
        listings.iter().zip([(REPORT, DocumentFormat::Hl7V2), (SAME, DocumentFormat::CdaWst)])
    {
        let at = listing.service_start.unwrap();
        let source = Source { holder: listing.custodian.clone(), entry: listing.entry, at };
        gathered.add(source, read(text.as_bytes(), format, &Zone::china()).unwrap(), &Meanings::new());
    }
    let patient = scenes::patient();
    make(&Everything { patient: &patient, listings: &listings, gathered: &gathered, unread })
}

/// The codes of the resources of one type that a search finds, in its order.
fn searched<const PLACE: usize>(query: &str) -> Vec<String> {
    let query = format!("patient={}&{query}", "01".repeat(32));
    let Asked::First(search) = read_search(&Request { query: &query, ..Request::default() }).unwrap() else {
        panic!("a search")
    };
    let filter: StatedFilter<PLACE> = search.filter;
    let mut found: Vec<(String, String)> = made(Unread::default(), |everything| {
        let stated = everything.stated(|kind| kind == StatedFilter::<PLACE>::KIND);
        let admitted = stated.filter(|(resource, said)| {
            assert!(!said.is_empty(), "each has its Provenances");
            filter.admits(resource)
        });
        let code = |body: &Value| {
            let concept = ["code", "vaccineCode", "medicationCodeableConcept", "class"];
            let concept = concept.iter().find_map(|name| body.get(name)).unwrap();
            let ways = ["/text", "/code", "/coding/0/code"];
            ways.iter().find_map(|way| concept.pointer(way)?.as_str()).unwrap().to_owned()
        };
        admitted.map(|(resource, _)| (filter.key(&resource), code(resource.json().expose()))).collect()
    });
    found.sort();
    found.into_iter().map(|(_, code)| code).collect()
}

#[test]
fn u9_what_documents_say_is_searched_by_code_category_status_and_date() {
    assert_eq!(searched::<4>("code=http://loinc.org|2823-3"), ["钾"]);
    assert_eq!(searched::<4>("code=2823-3,CRP&status=final").len(), 2);
    assert_eq!(searched::<4>("code=urn:other|2823-3"), Vec::<String>::new());
    assert_eq!(searched::<4>("category=vital-signs"), ["体温"]);
    assert_eq!(searched::<4>("category=laboratory&status=preliminary"), ["尿蛋白"]);
    let all = searched::<4>("date=ge2026-01-02");
    assert_eq!(all, ["钾", "尿蛋白", "C反应蛋白", "体温", "46098-0"]);
    assert_eq!(searched::<4>("date=lt2026-01-02"), Vec::<String>::new());
    assert_eq!(searched::<1>("code=I20.0&recorded-date=2026-01-01"), ["不稳定型心绞痛"]);
    assert_eq!(searched::<0>("class=IMP&date=ge2026-01-01"), ["IMP"]);
    assert_eq!(searched::<0>("date=lt2026-01-01"), Vec::<String>::new(), "it has not ended");
    assert_eq!(searched::<2>("code=PEN").len(), 1);
    assert_eq!(searched::<3>("code=B&status=unknown").len(), 1);
    assert_eq!(searched::<5>("date=2026").len(), 1);
    assert_eq!(searched::<6>("_revinclude=Provenance:target").len(), 1);
    assert_eq!(searched::<6>("date=2026"), Vec::<String>::new(), "what does not say when is at no time");
}

#[test]
fn a_search_of_what_documents_say_needs_its_patient_and_includes_provenances_only() {
    let refused =
        |query: &str| read_search::<StatedFilter<4>>(&Request { query, ..Request::default() }).unwrap_err();
    assert!(matches!(refused("code=x"), Problem::Unbounded { .. }));
    let patient = format!("patient={}", "01".repeat(32));
    let included = refused(&format!("{patient}&_revinclude=Observation:subject"));
    assert!(matches!(included, Problem::ParameterInvalid { name: "_revinclude", .. }));
    assert!(matches!(refused(&format!("{patient}&subject=x")), Problem::ParameterUnknown { .. }));
}

fn resources<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    let entries = bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    entries.filter(|resource| resource["resourceType"] == kind).collect()
}

#[test]
fn what_documents_say_is_written_as_it_was_frozen() {
    let unread = Unread { unopened: 1, beyond: 0, not_understood: 2 };
    let written = serde_json::to_string_pretty(&bundle(&TYPES, unread)).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/everything.json");
    let frozen = std::fs::read_to_string(&file).unwrap_or_default();
    if frozen != written {
        let other = Path::new(env!("CARGO_TARGET_TMPDIR")).join("everything.json");
        std::fs::write(&other, &written).unwrap();
        assert_eq!(
            written,
            frozen,
            "{} differs: what is written now is in {}",
            file.display(),
            other.display()
        );
    }
}

#[test]
fn u10_one_result_of_two_feeds_is_one_observation_with_two_provenances() {
    let bundle = bundle(&TYPES, Unread::default());
    let potassium: Vec<_> = resources(&bundle, "Observation")
        .into_iter()
        .filter(|one| one["code"]["coding"][0]["code"] == "2823-3")
        .collect();
    assert_eq!(potassium.len(), 1);
    let target = format!("urn:uuid:{}", potassium[0]["id"].as_str().unwrap());
    let said: Vec<_> = resources(&bundle, "Provenance")
        .into_iter()
        .filter(|one| one["target"][0]["reference"] == target.as_str())
        .map(|one| (&one["entity"][0]["what"]["reference"], &one["entity"][0]["extension"][0]["valueString"]))
        .collect();
    let [first, second] = [1, 2].map(|entry| json!(format!("DocumentReference/{}", scenes::entry_id(entry))));
    let place = json!("/ClinicalDocument/component/structuredBody/component[1]/section/entry[2]/observation");
    assert_eq!(said, [(&first, &json!("OBX[1]")), (&second, &place)]);
}

#[test]
fn u9_a_result_has_what_was_sent_with_its_digits_and_codes_beside_it() {
    let bundle = bundle(&["Observation"], Unread::default());
    let found = resources(&bundle, "Observation");
    assert_eq!(bundle["entry"].as_array().unwrap().len(), found.len(), "no other type is asked for");
    let found = &found[1..];
    let quantity = &found[0]["valueQuantity"];
    assert_eq!(
        (&quantity["value"], &quantity["unit"], &quantity["code"]),
        (&json!(5.9), &json!("mmol/L"), &json!("mmol/L"))
    );
    assert_eq!(quantity["extension"][0]["valueString"], "5.90");
    assert_eq!(found[0]["interpretation"][0]["coding"][0]["code"], "H");
    assert_eq!(found[0]["effectiveDateTime"], "2026-01-02T08:30:00+08:00");
    assert_eq!(
        (&found[1]["valueQuantity"]["comparator"], &found[1]["valueQuantity"]["value"]),
        (&json!("<"), &json!(0.5))
    );
    assert_eq!((&found[2]["valueString"], &found[2]["status"]), (&json!("阳性"), &json!("preliminary")));
}

#[test]
fn u9_an_id_says_nothing_of_the_patient_and_stays_the_same() {
    let [one, again] = [bundle(&TYPES, Unread::default()), bundle(&TYPES, Unread::default())];
    assert_eq!(one, again);
    let mut ids: Vec<_> =
        one["entry"].as_array().unwrap().iter().filter_map(|entry| entry["fullUrl"].as_str()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "no two have the same");
}

#[test]
fn what_was_not_read_is_counted_and_an_answer_with_everything_says_nothing_of_it() {
    let unread = Unread { unopened: 3, beyond: 1, not_understood: 0 };
    let partly = bundle(&["Patient"], unread);
    let outcome = resources(&partly, "OperationOutcome");
    let text = outcome[0]["issue"][0]["diagnostics"].as_str().unwrap();
    assert!(
        text.contains("3 documents that nobody has opened") && text.contains("1 that are too long"),
        "{text}"
    );
    assert!(resources(&bundle(&["Patient"], Unread::default()), "OperationOutcome").is_empty());
}

#[test]
fn types_are_asked_for_by_name_and_nothing_else_is_passed_over() {
    assert_eq!(everything::types(""), Ok(None));
    assert_eq!(
        everything::types("_type=Observation,Condition&_format=json"),
        Ok(Some(vec!["Observation", "Condition"]))
    );
    assert!(matches!(everything::types("_type=Observation,Claim"), Err(Problem::ParameterInvalid { .. })));
    assert!(matches!(everything::types("_since=2026"), Err(Problem::ParameterUnknown { .. })));
}

#[test]
fn u11_codes_of_value_sets_stand_with_their_edition_and_words_before_the_senders() {
    let report = REPORT
        .replace("||19580304|M", "||19580304|M||||||||2^已婚")
        .replace(
            "PV1|1|I|0203^^12||||10215^王建平||||||||||||V9||",
            "PV1|1|I|0203^^12|急|||10215^王建平|||||||3|||||V9|A1|",
        )
        .replace("RXO|B^阿托伐他汀|20||mg", "RXO|B^阿托伐他汀|20||mg\rRXR|404^^2.16.156.10011.2.3.1.158");
    let accepted = (Local::of(Kind::Coded(ValueSet::Payment), "A1", "").unwrap().key(), "01".to_owned());
    let listings = listings();
    let mut gathered = Gathered::new(Terms::of_this_version(), Zone::china());
    let (holder, entry) = (listings[0].custodian.clone(), listings[0].entry);
    let source = Source { holder, entry, at: listings[0].service_start.unwrap() };
    let found = read(report.as_bytes(), DocumentFormat::Hl7V2, &Zone::china()).unwrap();
    gathered.add(source, found, &Meanings::from([accepted]));
    let (patient, unread) = (scenes::patient(), Unread::default());
    let everything = Everything { patient: &patient, listings: &listings, gathered: &gathered, unread };
    let written = everything.write(&TYPES, &scenes::site()).json().expose().clone();
    let encounter = resources(&written, "Encounter")[0];
    assert_eq!(encounter["type"][0]["coding"][0]["display"], "住院");
    assert_eq!(encounter["priority"]["coding"][0]["code"], "2", "急 is 急症");
    assert_eq!(
        encounter["hospitalization"]["admitSource"],
        json!({"coding": [{"code": "3"}], "text": "3"}),
        "nobody knows"
    );
    let payment = &encounter["extension"][0]["valueCodeableConcept"];
    let standard = json!({"system": "urn:oid:2.16.156.10011.2.3.1.269", "version": "WS 364-2011", "code": "01", "display": "城镇职工基本医疗保险"});
    assert_eq!((&payment["coding"][0], &payment["coding"][1]["code"]), (&standard, &json!("A1")));
    let route = &resources(&written, "MedicationStatement")[0]["dosage"][0]["route"];
    assert_eq!(route["coding"].as_array().unwrap().len(), 1, "the sender's own code is the standard's");
    let married = resources(&written, "Observation")
        .into_iter()
        .find(|one| one["code"]["coding"][0]["code"] == "45404-1")
        .unwrap();
    assert_eq!(married["valueCodeableConcept"]["coding"][0]["code"], "20");
    let target = format!("urn:uuid:{}", married["id"].as_str().unwrap());
    let provenance = resources(&written, "Provenance")
        .into_iter()
        .find(|one| one["target"][0]["reference"] == target.as_str());
    assert_eq!(provenance.unwrap()["entity"][0]["extension"][0]["valueString"], "PID[1]-16");
}

#[test]
fn u12_staff_and_organisations_are_resources_that_a_visit_refers_to() {
    let accepted =
        |kind, code: &str, standard: &str| (Local::of(kind, code, "").unwrap().key(), standard.to_owned());
    let report = REPORT
        .replace("10215^王建平", "10215^王建平|L17^李敏")
        .replace("李敏||||||||||||V9", "李敏|||||||||||V9")
        .replace("ORC|NW|8", "ORC|NW|8||||||||||10216^赵强|||||||||桥州市人民医院^^H1");
    let meanings = Meanings::from([
        accepted(Kind::Staff, "L17", "0456"),
        accepted(Kind::Organisation, "H1", "12990100MB0000001P"),
    ]);
    let listings = listings();
    let mut gathered = Gathered::new(Terms::of_this_version(), Zone::china());
    let (holder, entry) = (listings[0].custodian.clone(), listings[0].entry);
    let source = Source { holder, entry, at: listings[0].service_start.unwrap() };
    gathered.add(source, read(report.as_bytes(), DocumentFormat::Hl7V2, &Zone::china()).unwrap(), &meanings);
    let (patient, unread) = (scenes::patient(), Unread::default());
    let everything = Everything { patient: &patient, listings: &listings, gathered: &gathered, unread };
    let write = |types: &[&str]| everything.write(types, &scenes::site()).json().expose().clone();
    let whole = write(&TYPES);
    let staff = resources(&whole, "Practitioner");
    let names: Vec<_> = staff.iter().map(|one| one["name"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(names, ["王建平", "李敏", "赵强"]);
    let numbers = |at: usize| {
        let all = staff[at]["identifier"].as_array().unwrap().iter();
        all.map(|one| {
            (
                one["system"].as_str(),
                one["value"].as_str().unwrap(),
                one["assigner"]["identifier"]["value"].as_str(),
            )
        })
        .collect::<Vec<_>>()
    };
    let (number, hospital) = (Some("urn:yiqiao:staff"), Some("hospital-a"));
    assert_eq!(numbers(0), [(number, "10215", hospital)]);
    assert_eq!(numbers(1), [(number, "0456", hospital), (None, "L17", hospital)]);
    let hospital = resources(&whole, "Organization")[0];
    assert_eq!(
        (&hospital["name"], &hospital["identifier"][0]["value"]),
        (&json!("桥州市人民医院"), &json!("12990100MB0000001P"))
    );
    let participants = |bundle: &Value| {
        let all = resources(bundle, "Encounter")[0]["participant"].as_array().unwrap().clone();
        let one = |one: &Value| {
            (one["type"][0]["coding"][0]["code"].clone(), one["individual"]["reference"].clone())
        };
        all.iter().map(one).collect::<Vec<_>>()
    };
    let reference = |at: usize| json!(format!("urn:uuid:{}", staff[at]["id"].as_str().unwrap()));
    assert_eq!(participants(&whole), [(json!("ATND"), reference(0)), (json!("REF"), reference(1))]);
    let alone = write(&["Encounter"]);
    assert_eq!(
        participants(&alone),
        [(json!("ATND"), Value::Null)],
        "nobody refers to what is not in the answer"
    );
    assert_eq!(resources(&alone, "Encounter")[0]["participant"][0]["individual"]["display"], "王建平");
}

#[test]
fn u9_what_people_have_accepted_stands_before_the_senders_code() {
    let accepted = |kind, code: &str, name: &str, standard: &str| {
        (Local::of(kind, code, name).unwrap().key(), standard.to_owned())
    };
    let meanings = Meanings::from([
        accepted(Kind::Diagnosis, "I20.0", "", "I20.000x001"),
        accepted(Kind::InsuranceDiagnosis, "I20.0", "", "I20.000"),
        accepted(Kind::Medicine, "B", "", "C10AA05"),
        accepted(Kind::Procedure, "36.06", "", "36.0600"),
        accepted(Kind::Department, "", "0203", "03.04"),
    ]);
    let listings = listings();
    let mut gathered = Gathered::new(Terms::of_this_version(), Zone::china());
    let (holder, entry) = (listings[0].custodian.clone(), listings[0].entry);
    let source = Source { holder, entry, at: listings[0].service_start.unwrap() };
    gathered.add(source, read(REPORT.as_bytes(), DocumentFormat::Hl7V2, &Zone::china()).unwrap(), &meanings);
    let (patient, unread) = (scenes::patient(), Unread::default());
    let everything = Everything { patient: &patient, listings: &listings, gathered: &gathered, unread };
    let written = everything.write(&TYPES, &scenes::site()).json().expose().clone();
    for (kind, place, system, code, own) in [
        ("Condition", "code", "urn:oid:2.16.156.10011.2.3.3.11", "I20.000x001", Some("I20.0")),
        ("MedicationStatement", "medicationCodeableConcept", "http://www.whocc.no/atc", "C10AA05", Some("B")),
        ("Procedure", "code", "urn:oid:2.16.156.10011.2.3.3.12", "36.0600", Some("36.06")),
        ("Encounter", "serviceType", "urn:yiqiao:clinical-specialty", "03.04", None),
    ] {
        let mut concept = resources(&written, kind)[0][place].clone();
        if kind == "Condition" {
            let insurance = concept["coding"].as_array_mut().unwrap().remove(1);
            assert_eq!(insurance, json!({"system": "urn:yiqiao:insurance-diagnosis", "code": "I20.000"}));
        }
        assert_eq!(concept["coding"][0], json!({"system": system, "code": code}), "{kind}");
        assert_eq!(concept["coding"][1]["code"].as_str(), own, "{kind}: {concept}");
    }
}
