//! HL7 v2 messages in the standard's and the Chinese way.

use yiqiao_intake::charset::Charset;
use yiqiao_intake::dates::Zone;
use yiqiao_intake::facts::{Answer, Format, Payload, ReviewReason, Status, Trigger, Understood, VisitClass};
use yiqiao_intake::flag::Flag;
use yiqiao_intake::hl7::ack::{Stamp, Verdict, acknowledge};
use yiqiao_intake::hl7::mllp;
use yiqiao_intake::intake::{Door, read};
use yiqiao_intake::kind::Class;
use yiqiao_intake::lab::RowStatus;
use yiqiao_intake::patient::{IdKind, Sex};
use yiqiao_intake::refusal::Refusal;
use yiqiao_proto::time::Timestamp;

use crate::samples::{ADMISSION, BLOOD_COUNT, DISCHARGE, RESIDENT_ID, document, event, one, refusal, review};

fn shown(when: Option<yiqiao_intake::dates::When>) -> String {
    when.map_or_else(String::new, |when| Zone::china().show(when.at))
}

#[test]
fn an_admission_of_the_chinese_dialect_is_applied() {
    let event = event(ADMISSION);
    let patient = &event.patient;
    assert_eq!((event.trigger, event.code.as_str()), (Trigger::Admitted, "ADT^A01"));
    assert_eq!(shown(event.date), "2026-03-02T08:29:55+08:00");
    let kinds: Vec<IdKind> = patient.identifiers.iter().map(|id| id.kind).collect();
    assert_eq!(kinds, [IdKind::Local, IdKind::ResidentId, IdKind::HealthCard]);
    assert_eq!(patient.primary().unwrap().value.expose(), "0088123");
    assert_eq!(patient.resident_id().unwrap().as_str(), RESIDENT_ID);
    assert_eq!(patient.name.as_ref().unwrap().expose(), "欧阳静");
    assert_eq!(patient.pinyin.as_ref().unwrap().expose(), "OUYANG JING");
    assert_eq!(*patient.sex.as_ref().unwrap().expose(), Sex::Female);
    let visit = event.visit.unwrap();
    let attending = visit.attending.unwrap();
    assert_eq!((attending.code.as_str(), attending.name.as_str()), ("D077", "王芳"));
    assert_eq!((visit.class, visit.department.as_deref()), (Some(VisitClass::Inpatient), Some("呼吸内科")));
    assert_eq!(visit.number.unwrap().expose(), "ZY20260302-1");
    assert_eq!(event.flags.iter().collect::<Vec<_>>(), [Flag::ZoneAssumed]);
}

#[test]
fn a_visit_is_numbered_by_the_first_of_the_fields_that_name_it() {
    let fields = |at: &[(usize, &str)]| {
        let mut pv1: Vec<&str> = vec!["PV1", "1", "O", "0203"];
        for (field, value) in at {
            pv1.resize(pv1.len().max(field + 1), "");
            pv1[*field] = value;
        }
        let head = ADMISSION.split("PV1|").next().unwrap();
        let number = event(&format!("{head}{}\r", pv1.join("|"))).visit.unwrap().number;
        number.map_or_else(String::new, |number| number.expose().clone())
    };
    assert_eq!(fields(&[(5, "pre"), (19, "visit"), (50, "alternate")]), "visit");
    assert_eq!(fields(&[(5, "pre"), (50, "alternate^^^HIS")]), "alternate");
    assert_eq!(fields(&[(5, "pre")]), "pre");
    assert_eq!(fields(&[]), "");
}

#[test]
fn a_message_in_gb18030_reads_like_the_same_in_utf8() {
    for charset in [Charset::Gb18030, Charset::Iso2022, Charset::Utf16Le, Charset::Utf16Be] {
        let item = one(&charset.encode(ADMISSION));
        let Ok(Understood::Events(events)) = item.outcome else { panic!("{charset:?}") };
        assert_eq!(events[0].patient, event(ADMISSION).patient);
    }
}

#[test]
fn a_laboratory_report_gives_its_rows() {
    let report = document(BLOOD_COUNT);
    assert_eq!(
        (report.kind.class, report.kind.code.to_string().as_str()),
        (Class::LaboratoryReport, "ORU^R01")
    );
    assert_eq!(report.source_id.unwrap().value.expose(), "RPT-2026-0301");
    assert_eq!(shown(report.date), "2026-03-03T09:00:00+08:00");
    assert_eq!(shown(report.created), "2026-03-03T10:05:00+08:00");
    assert_eq!(report.title.unwrap().expose(), "血常规");
    let rows: Vec<_> = report
        .lab
        .iter()
        .map(|row| (row.name.expose().as_str(), row.value.expose().as_str(), row.unit.as_str()))
        .collect();
    assert_eq!(
        rows,
        [("白细胞计数", "12.5", "10*9/L"), ("血红蛋白", "128", "g/L"), ("C反应蛋白", ">200", "mg/L")]
    );
    assert!(report.lab[0].mutual.is_some() && report.lab[1].mutual.is_none());
    assert_eq!(report.lab[1].status, RowStatus::Final);
    assert_eq!(report.lab[2].range.expose(), "轻:10-50\n重:>100");
    assert_eq!(report.lab[0].specimen.as_ref().unwrap().expose(), "血液");
    assert!(report.flags.has(Flag::StatusUnusual));
}

#[test]
fn the_code_of_a_specimen_is_no_part_of_its_name() {
    let specimen = |sent: &str| {
        let report = document(&BLOOD_COUNT.replace("|血液|", &format!("|{sent}|")));
        report.lab[0].specimen.as_ref().map(|specimen| specimen.expose().clone()).unwrap_or_default()
    };
    for (sent, expected) in [
        ("03&血浆", "血浆"),
        ("03&血浆&LIS", "血浆"),
        ("03^血浆", "血浆"),
        ("03&^血浆", "血浆"),
        ("03&", "03"),
        ("血浆", "血浆"),
        ("", ""),
    ] {
        assert_eq!(specimen(sent), expected, "{sent}");
    }
    let in_segment = BLOOD_COUNT.replace("ORC|RE|REQ55\r", "SPM|1|||03&血清\r");
    assert_eq!(document(&in_segment).lab[0].specimen.as_ref().unwrap().expose(), "血清");
}

#[test]
fn an_embedded_document_is_decoded() {
    let document = document(DISCHARGE);
    assert_eq!((document.kind.class, document.format), (Class::DischargeSummary, Format::Pdf));
    let Payload::Embedded(bytes) = document.payload else { panic!("not embedded") };
    assert!(bytes.starts_with(b"%PDF-1.7"));
    assert_eq!(document.source_id.unwrap().value.expose(), "EMR-77");
    assert_eq!(document.confidentiality.as_deref(), Some("R"));
    assert_eq!(document.author.person.unwrap().name, "王芳");
}

#[test]
fn damaged_embedded_content_is_flagged_and_the_message_kept_whole() {
    let damaged = DISCHARGE.replace("JVBERi0x", "J*!*");
    let document = document(&damaged);
    assert!(document.flags.has(Flag::EmbeddedDamaged));
    assert_eq!(document.payload, Payload::Message(0..damaged.len()));
}

#[test]
fn a_replacement_names_what_it_replaces_and_a_correction_replaces_itself() {
    let replacement = DISCHARGE.replace("MDM^T02", "MDM^T10").replace("|EMR-77|", "|EMR-78|EMR-77");
    assert_eq!(document(&replacement).replaces.unwrap().value.expose(), "EMR-77");
    let corrected = document(&BLOOD_COUNT.replace("|HM|F\r", "|HM|C\r"));
    assert_eq!((corrected.status, corrected.replaces), (Status::Corrected, corrected.source_id));
}

#[test]
fn a_merge_names_both_numbers_and_one_without_a_source_is_reviewed() {
    let merge = ADMISSION.replace("ADT^A01", "ADT^A40").replace("PV1|", "MRG|0077001^^^HIS^MR\rPV1|");
    let merged = event(&merge);
    assert_eq!((merged.trigger, merged.merged_from[0].value.expose().as_str()), (Trigger::Merged, "0077001"));
    assert_eq!(review(&ADMISSION.replace("ADT^A01", "ADT^A40")).reason, ReviewReason::MergeWithoutSource);
    let itself = merge.replace("MRG|0077001", "MRG|0088123");
    assert_eq!(review(&itself).reason, ReviewReason::MergeWithItself);
}

#[test]
fn passports_are_read_with_their_state_and_travel_permits_by_their_name() {
    let read = |cx: &str| {
        let event = event(&ADMISSION.replace("PID|1||", &format!("PID|1||{cx}~")));
        let id = event.patient.identifiers[0].clone();
        (id.kind, id.value.into_exposed(), id.assigner)
    };
    let passport = |state: &str| (IdKind::Passport, "A1234567".to_owned(), state.to_owned());
    assert_eq!(read("A1234567^^^USA^PPN"), passport("USA"));
    assert_eq!(read("A1234567^^^HIS^PPN^^^^USA"), passport("USA"));
    assert_eq!(read("A1234567^^^&2.16.840.1.113883.4.330.840&ISO^PPN"), passport("USA"));
    assert_eq!(read("A1234567^^^HIS^护照"), passport("HIS"));
    let permit = (IdKind::TravelPermit, "H01234567".to_owned(), String::new());
    assert_eq!(read("H01234567^^^^港澳居民来往内地通行证"), permit);
}

#[test]
fn the_end_of_a_link_names_both_numbers_and_a_link_is_reviewed() {
    let other = "PID|2||0077001^^^HIS^MR||乙\r";
    let unlinked = event(&(ADMISSION.replace("ADT^A01", "ADT^A37") + other));
    let numbers = [unlinked.patient.primary().unwrap(), &unlinked.merged_from[0]];
    assert_eq!(numbers.map(|id| id.value.expose().as_str()), ["0088123", "0077001"]);
    assert_eq!((unlinked.trigger, unlinked.merged_from.len()), (Trigger::Unlinked, 1));
    let nobody = review(&(ADMISSION.replace("ADT^A01", "ADT^A37") + "PID|2||||乙\r"));
    assert_eq!(nobody.reason, ReviewReason::NoIdentifier);
    for message in [
        ADMISSION.replace("ADT^A01", "ADT^A24") + other,
        ADMISSION.replace("ADT^A01", "ADT^A37") + other + other,
    ] {
        assert_eq!(review(&message).reason, ReviewReason::SeveralPatients);
    }
}

#[test]
fn every_other_kind_is_indexed_whole_and_a_query_is_answered() {
    let order = document(&BLOOD_COUNT.replace("ORU^R01", "OML^O21"));
    assert_eq!((order.kind.class, order.kind.code.to_string().as_str()), (Class::Order, "OML^O21"));
    let own = document(&BLOOD_COUNT.replace("ORU^R01", "ZHI^Z01"));
    assert!(own.kind.class == Class::Other && own.flags.has(Flag::KindUnknown));
    let query = one(BLOOD_COUNT.replace("ORU^R01", "QRY^Q01").as_bytes()).outcome.unwrap();
    assert_eq!(query, Understood::Answer(Answer::Query("QRY^Q01".to_owned())));
}

#[test]
fn who_cannot_be_told_is_reviewed_and_not_lost() {
    let nobody = review("MSH|^~\\&|XN|LIS|||20260101||ORU^R01|1|P|2.3.1\rOBR|1||7|GLU\rOBX|1|NM|GLU||5\r");
    assert_eq!((nobody.reason, nobody.kind.as_str()), (ReviewReason::NoPatient, "ORU^R01"));
    let unnumbered =
        review(&ADMISSION.replace("0088123^^^HIS^MR~999999198503120026^^^^1~~JKK99001^^^^健康卡", ""));
    assert_eq!(unnumbered.reason, ReviewReason::NoIdentifier);
    let placeholder =
        ADMISSION.replace("0088123^^^HIS^MR~999999198503120026^^^^1~~JKK99001^^^^健康卡", "000000");
    assert_eq!(review(&placeholder).reason, ReviewReason::OnlyPlaceholders);
    let two = BLOOD_COUNT.to_owned() + "PID|2||5^^^HIS^MR||乙\rOBR|1||8|GLU\r";
    assert_eq!(review(&two).reason, ReviewReason::SeveralPatients);
}

#[test]
fn a_control_run_of_an_analyser_is_no_record() {
    let run = "MSH|^~\\&|BC|LIS|||20260101||ORU^R01|1|P|2.3.1||||2||ASCII\rOBR|1||QC1|GLU||||5.1\r";
    assert_eq!(one(run.as_bytes()).outcome.unwrap(), Understood::Answer(Answer::QualityControl));
}

#[test]
fn what_is_broken_is_refused_with_its_place() {
    assert!(refusal("MSH|^~\\&|A|B|||20260101|||1|P|2.4\rPID|1\r").contains("MSH-9"));
    assert!(refusal("MSH|^^^^|A\rPID|1\r").contains("MSH-2"));
    assert!(refusal("MSH|^~\\&|A|B|||20260101||ADT^A01|1|P|2.4\r").contains("MSH"));
    assert!(refusal("\x0bMSH|^~\\&|A|B|||20260101||ADT^A01|1|P|2.4\rPID|1\r").contains("0x1C"));
}

#[test]
fn impossible_dates_and_wrong_identity_numbers_are_flagged_and_nothing_is_dropped() {
    let odd = ADMISSION
        .replace("20260302082955", "20260230082955")
        .replace("999999198503120026", "999999198503120025");
    let event = event(&odd);
    assert!(event.flags.has(Flag::DateImpossible) && event.flags.has(Flag::ResidentIdCheckDigit));
    assert_eq!(shown(event.date), "2026-03-02T08:30:00+08:00");
    assert_eq!(event.patient.identifiers.len(), 3);
    let other = ADMISSION.replace("||19850312|2|", "||19850313|1|");
    let flags = crate::samples::event(&other).flags;
    assert!(flags.has(Flag::ResidentIdBirthDate) && flags.has(Flag::ResidentIdSex));
}

#[test]
fn a_batch_gives_one_item_per_message_and_says_if_its_trailer_miscounts() {
    let batch = format!("FHS|^~\\&\rBHS|^~\\&\r{ADMISSION}{BLOOD_COUNT}BTS|3\rFTS|1\r");
    let items = read(batch.as_bytes(), &Door::any());
    assert_eq!(items.len(), 2);
    let Ok(Understood::Documents(documents)) = &items[1].outcome else { panic!("no document") };
    assert!(documents[0].flags.has(Flag::BatchCount));
    assert_eq!(documents[0].payload, Payload::Message(items[1].span.clone()));
    assert_eq!(batch.get(items[1].span.clone()).unwrap(), BLOOD_COUNT);
    assert_eq!(items[1].envelope.as_ref().unwrap().control_id, "L7");
}

#[test]
fn a_recorded_line_of_frames_is_read_frame_by_frame() {
    let line = [mllp::encode(ADMISSION.as_bytes()), mllp::encode(DISCHARGE.as_bytes())].concat();
    let items = read(&line, &Door::any());
    assert!(items.len() == 2 && items.iter().all(|item| item.outcome.is_ok()));
}

#[test]
fn an_acknowledgement_says_nothing_about_the_patient() {
    let zone = Zone::china();
    for message in [ADMISSION, BLOOD_COUNT, DISCHARGE] {
        for verdict in [Verdict::Taken, Verdict::NotNow, Verdict::Refused(&Refusal::HeaderOnly)] {
            let stamp = Stamp { now: Timestamp::MAX, control_id: "Y1", zone: &zone };
            let answer = acknowledge(message.as_bytes(), verdict, stamp).unwrap();
            let answer = String::from_utf8(answer).unwrap();
            assert!(
                answer.contains("MSA|") && !answer.contains("欧阳") && !answer.contains("0088123"),
                "{answer}"
            );
        }
    }
}

#[test]
fn a_door_for_one_format_sends_others_back() {
    let door = Door::of(Some(Format::Cda), Zone::china());
    let refusal = read(ADMISSION.as_bytes(), &door).pop().unwrap().outcome.unwrap_err();
    assert_eq!(refusal.to_string(), "this door takes CDA, the input is HL7 v2");
}
