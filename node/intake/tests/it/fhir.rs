//! FHIR resources and bundles.

use yiqiao_intake::facts::{Answer, Format, Payload, ReviewReason, Status, Trigger, Understood};
use yiqiao_intake::flag::Flag;
use yiqiao_intake::kind::Class;
use yiqiao_intake::patient::IdKind;

use crate::samples::{REPORT_BUNDLE, RESIDENT_ID, SUBMISSION, document, event, one, refusal, review};

#[test]
fn a_bundle_about_one_patient_is_one_document() {
    let document = document(REPORT_BUNDLE);
    assert_eq!((document.kind.class, document.format), (Class::LaboratoryReport, Format::FhirJson));
    assert_eq!(document.kind.code.to_string(), "DiagnosticReport");
    assert_eq!(document.patient.primary().unwrap().value.expose(), RESIDENT_ID);
    assert_eq!(document.author.organization.as_deref(), Some("第一医院"));
    assert_eq!((document.status, document.title.unwrap().expose().as_str()), (Status::Corrected, "血常规"));
    assert_eq!(document.payload, Payload::Message(0..REPORT_BUNDLE.len()));
}

#[test]
fn u7_results_of_a_bundle_are_rows_with_their_places() {
    let result = r#"{"resource":{"resourceType":"Observation","status":"final","code":{"text":"钾"},
        "subject":{"reference":"urn:uuid:1"},"valueQuantity":{"value":5.9,"unit":"mmol/L"}}}]}"#;
    let document = document(&REPORT_BUNDLE.replacen("}}]}", &format!("}}}},{result}"), 1));
    let [row] = document.lab.as_slice() else { panic!("{} rows", document.lab.len()) };
    assert_eq!((row.name.expose().as_str(), row.unit.as_str()), ("钾", "mmol/L"));
    assert_eq!(row.place, "Bundle.entry[3].resource");
}

#[test]
fn a_bundle_of_several_reports_is_not_named_by_one_of_them() {
    let report = |name: &str| {
        format!(
            r#"{{"resource":{{"resourceType":"DiagnosticReport","status":"final","code":{{"text":"{name}"}},
            "subject":{{"identifier":{{"system":"urn:oid:2.16.156.10011.1.3","value":"{RESIDENT_ID}"}}}}}}}}"#
        )
    };
    let both = [report("血常规"), report("胸部CT")].join(",");
    let document = document(&format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{both}]}}"#));
    assert_eq!((document.kind.class, document.title), (Class::Summary, None));
}

#[test]
fn a_submission_yields_one_document_per_reference_with_its_content() {
    let document = document(SUBMISSION);
    assert_eq!((document.kind.class, document.format), (Class::DischargeSummary, Format::Text));
    assert_eq!(document.payload, Payload::Embedded("出院".as_bytes().to_vec()));
    assert_eq!(document.source_id.unwrap().value.expose(), "urn:oid:1.2.3");
    assert_eq!(document.replaces.unwrap().value.expose(), "urn:oid:1.2.2");
    assert!(document.flags.has(Flag::EmbeddedMismatch));
    assert_eq!(document.patient.identifiers[0].kind, IdKind::ResidentId);
}

#[test]
fn a_bundle_that_is_a_document_is_one_whatever_documents_it_holds() {
    let composition = r#"{"resource":{"resourceType":"Composition","status":"final","date":"2026-11-01T08:00:00+08:00",
        "title":"出院小结","type":{"coding":[{"code":"34133-9"}]}}},"#;
    let entry = SUBMISSION.find("\"entry\":[").unwrap() + "\"entry\":[".len();
    let (head, entries) = SUBMISSION.split_at(entry);
    let bundle = format!("{}{composition}{entries}", head.replace("transaction", "document"));
    let document = document(&bundle);
    assert_eq!(document.kind.code.to_string(), "34133-9");
    assert_eq!(document.payload, Payload::Message(0..bundle.len()));
    assert!(document.date.is_some());
}

#[test]
fn passports_are_known_by_their_system_and_travel_permits_by_their_name() {
    let read = |identifier: &str| {
        let event = event(&format!(r#"{{"resourceType":"Patient","identifier":[{identifier}]}}"#));
        let id = event.patient.identifiers[0].clone();
        (id.kind, id.value.into_exposed(), id.assigner)
    };
    let passport = (IdKind::Passport, "A1234567".to_owned(), "USA".to_owned());
    let system = r#""system":"http://hl7.org/fhir/sid/passport-USA","value":"A1234567""#;
    assert_eq!(read(&format!("{{{system}}}")), passport);
    assert_eq!(read(&format!(r#"{{{system},"type":{{"coding":[{{"code":"PPN"}}]}}}}"#)), passport);
    let permit = read(r#"{"type":{"text":"港澳居民来往内地通行证号"},"value":"H01234567"}"#);
    assert_eq!(permit, (IdKind::TravelPermit, "H01234567".to_owned(), String::new()));
}

#[test]
fn a_patient_and_an_encounter_are_events() {
    let patient =
        event(r#"{"resourceType":"Patient","id":"7","identifier":[{"system":"urn:h","value":"M1"}]}"#);
    assert_eq!(
        (patient.trigger, patient.patient.primary().unwrap().value.expose().as_str()),
        (Trigger::Updated, "M1")
    );
    let encounter = event(
        r#"{"resourceType":"Encounter","status":"in-progress","class":{"code":"IMP"},"subject":{"reference":"Patient/7"},
            "period":{"start":"2026-03-02T08:00:00+08:00"}}"#,
    );
    assert_eq!(encounter.trigger, Trigger::Admitted);
    assert!(encounter.visit.unwrap().admitted.is_some());
}

#[test]
fn an_encounter_beside_a_report_says_who_treats() {
    let bundle = |participants: &str| {
        document(&format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[
            {{"fullUrl":"urn:uuid:d","resource":{{"resourceType":"Practitioner","name":[{{"text":"王芳"}}],"identifier":[
                {{"system":"urn:licence","value":"L1"}},{{"type":{{"coding":[{{"code":"EI"}}]}},"value":"200187"}}]}}}},
            {{"fullUrl":"urn:uuid:r","resource":{{"resourceType":"PractitionerRole","practitioner":{{"reference":"urn:uuid:d"}}}}}},
            {{"fullUrl":"urn:uuid:e","resource":{{"resourceType":"Encounter","status":"finished","class":{{"code":"AMB"}},
                "identifier":[{{"value":"V1"}}],"subject":{{"reference":"Patient/7"}},"participant":[{participants}],
                "serviceType":{{"coding":[{{"code":"0203","display":"心血管内科"}}]}},"serviceProvider":{{"display":"市医院"}}}}}},
            {{"resource":{{"resourceType":"DiagnosticReport","status":"final","code":{{"text":"血常规"}},
                "subject":{{"reference":"Patient/7"}},"encounter":{{"reference":"urn:uuid:e"}}}}}}]}}"#
        ))
    };
    let participant = |code: &str, individual: &str| {
        format!(r#"{{"type":[{{"coding":[{{"code":"{code}"}}]}}],"individual":{{{individual}}}}}"#)
    };
    let stated = r#""identifier":{"value":"200187"},"display":"王芳""#;
    let untyped = format!(r#"{{"individual":{{{stated}}}}}"#);
    let other = r#""identifier":{"value":"9"},"display":"某某""#;
    let conditional = r#""reference":"Practitioner?identifier=urn:staff|200187","display":"王芳""#;
    for participants in [
        untyped.clone(),
        [participant("REF", other), untyped.clone()].join(","),
        [untyped.replace("200187", "9"), participant("PPRF", other), participant("ATND", stated)].join(","),
        participant("ATND", r#""reference":"urn:uuid:d""#),
        participant("ATND", r#""reference":"urn:uuid:r""#),
        participant("ATND", conditional),
    ] {
        let document = bundle(&participants);
        let [(trigger, visit)] = &document.visits[..] else { panic!("{:?}", document.visits) };
        let attending = visit.attending.as_ref().unwrap();
        assert_eq!((attending.code.as_str(), attending.name.as_str()), ("200187", "王芳"), "{participants}");
        assert_eq!((*trigger, visit.department.as_deref()), (Trigger::Discharged, Some("心血管内科")));
        assert_eq!(visit.number, document.visit);
    }
    for nobody in [participant("REF", stated), participant("ATND", r#""reference":"RelatedPerson/1""#)] {
        assert_eq!(bundle(&nobody).visits[0].1.attending, None, "{nobody}");
    }
    let id_on_a_server = participant("ATND", r#""reference":"Practitioner/200187","display":"王芳""#);
    assert_eq!(bundle(&id_on_a_server).visits[0].1.attending.as_ref().unwrap().code, "", "no login's number");
}

#[test]
fn each_encounter_of_a_bundle_without_documents_is_an_event() {
    let encounter = |number: &str| {
        format!(
            r#"{{"resource":{{"resourceType":"Encounter","status":"in-progress","subject":{{"reference":"Patient/7"}},
            "identifier":[{{"value":"{number}"}}]}}}}"#
        )
    };
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{},{}]}}"#,
        encounter("V1"),
        encounter("V2")
    );
    let Ok(Understood::Events(events)) = one(bundle.as_bytes()).outcome else { panic!("events") };
    let numbers: Vec<_> = events
        .iter()
        .map(|event| event.visit.as_ref().unwrap().number.clone().unwrap().into_exposed())
        .collect();
    assert_eq!(numbers, ["V1", "V2"]);
}

#[test]
fn the_same_resource_in_xml_reads_the_same() {
    let json = document(
        r#"{"resourceType":"Composition","status":"final","date":"2026-03-04","title":"转诊单",
        "type":{"coding":[{"system":"http://loinc.org","code":"57133-1"}]},"subject":{"reference":"Patient/7"}}"#,
    );
    let xml = document(
        "<Composition xmlns='http://hl7.org/fhir'><status value='final'/><date value='2026-03-04'/><title value='转诊单'/>\
         <type><coding><system value='http://loinc.org'/><code value='57133-1'/></coding></type>\
         <subject><reference value='Patient/7'/></subject></Composition>",
    );
    assert_eq!(
        (&json.kind, &json.patient, json.date, &json.title),
        (&xml.kind, &xml.patient, xml.date, &xml.title)
    );
    assert_eq!((json.kind.class, xml.format), (Class::ReferralNote, Format::FhirXml));
}

#[test]
fn what_is_no_record_is_answered_and_what_names_nobody_is_reviewed() {
    let outcome = one(br#"{"resourceType":"OperationOutcome","issue":[]}"#).outcome.unwrap();
    assert_eq!(outcome, Understood::Answer(Answer::NotAboutPatients("OperationOutcome".to_owned())));
    assert_eq!(review(r#"{"resourceType":"Observation","status":"final"}"#).reason, ReviewReason::NoPatient);
    let several = REPORT_BUNDLE.replace(
        "}}]}",
        r#"}},{"resource":{"resourceType":"Observation","subject":{"identifier":{"value":"other"}}}}]}"#,
    );
    assert_eq!(review(&several).reason, ReviewReason::SeveralPatients);
    let unnumbered = several
        .replace(r#""subject":{"identifier":{"value":"other"}}"#, r#""subject":{"reference":"urn:uuid:9"}"#);
    assert_eq!(review(&unnumbered).reason, ReviewReason::SeveralPatients);
}

#[test]
fn structural_nonsense_is_refused_with_its_path() {
    assert!(refusal("[1]").contains("the root must be an object"));
    assert!(refusal("{}").contains("resourceType"));
    assert!(
        refusal(r#"{"resourceType":"Bundle","entry":[{"resource":7}]}"#)
            .contains("Bundle.entry[0].resource must be an object")
    );
    assert!(
        refusal(r#"{"resourceType":"Patient","identifier":[{"value":5}]}"#)
            .contains("Patient.identifier[0].value")
    );
    assert!(refusal(r#"{"resourceType":"Patient","#).contains("line 1"));
    assert!(refusal(&("{\"a\":".repeat(100_000))).contains("JSON"));
    assert!(refusal(r#"{"resourceType":NaN}"#).contains("JSON"));
}
