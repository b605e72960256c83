//! Patients' numbers at the doors and pages of real nodes whose systems name registers that nobody has configured.

use serde_json::{Value, json};
use yiqiao_simnet::story::Role;

use crate::feeds::about;
use crate::fhir::{EVERYTHING, FHIR, System, bundle, by_resident, deliver};
use crate::fhir_referrals::Two;
use crate::pages::{Person, RESIDENT_ID};
use crate::rig::{Node, until};
use crate::wire::Answer;

/// An event of a HIS whose register is `QZDX`.
fn event(control: &str, person: &str) -> String {
    format!(
        "MSH|^~\\&|HIS|QZDX|YQ|QZDX|20261122180000||ADT^A01|{control}|P|2.5.1\rEVN|A01|20261122180000\r\
         PID|1||{person}\rPV1|1|I|D1201||||200187^顾怀远||||||||||||I0001{control}\r"
    )
}

async fn tell(node: &Node, message: &str) {
    let mut line = node.mllp().await;
    assert!(line.send(message.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
}

async fn rows(person: &Person, wanted: &Value) -> Vec<Value> {
    person.post("/api/patients/find", wanted).await["items"].as_array().unwrap().clone()
}

async fn file(office: &Person, id: &str, how: &Value) -> Answer {
    office.send("POST", &format!("/api/referrals/qzrm/{id}/file"), how).await
}

/// Two nodes, referrals that have come to the second, its office and its desk.
async fn referred<const N: usize>(reasons: [&str; N]) -> (Two, [String; N], Person, Person) {
    let two = Two::started().await;
    let ids = two.refer(reasons).await;
    let office = Person::with_account(&two.to, "office", "referral-office", None).await;
    let desk = Person::with_account(&two.to, "desk", "desk", None).await;
    until("referrals that have come", async || {
        let box_in = office.request("GET", "/api/referrals/inbox", "", b"").await;
        let text = box_in.text();
        ids.iter().all(|id| text.contains(id.as_str())).then_some(())
    })
    .await;
    (two, ids, office, desk)
}

const OTHER: &str = "C0001004072^^^QZDX^PI~99900019710615002X^^^GA^NI||刘素芬||19710615|F";

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_is_never_filed_under_a_number_that_somebody_has_in_a_register_that_nobody_configured() {
    let (two, [first, second], office, desk) = referred(["需造影。", "复查。"]).await;
    tell(&two.to, &event("1", OTHER)).await;
    for how in [
        json!({ "number": "C0001004072" }),
        json!({ "number": " c0001004072 " }),
        json!({ "number": "C0001004072", "confirmed": true }),
    ] {
        let refused = file(&office, &first, &how).await;
        assert_eq!(refused.status, 409, "{how}: {}", refused.text());
        let problem = refused.text();
        assert!(problem.contains("number-taken") && problem.contains("在HIS中补全"), "{problem}");
    }
    let found = rows(&desk, &json!({ "number": "C0001004072" })).await;
    assert_eq!((found.len(), &found[0]["name"]), (1, &json!("刘素芬")));
    assert!(rows(&desk, &json!({ "residentId": RESIDENT_ID })).await.is_empty(), "nobody new was made");

    // Somebody who made sure that it is the same person chooses that person.
    let chosen = json!({ "subject": found[0]["subject"] });
    assert_eq!(file(&office, &first, &chosen).await.status, 409);
    let confirmed = json!({ "subject": found[0]["subject"], "confirmed": true });
    assert_eq!(file(&office, &first, &confirmed).await.status, 204);
    let free = file(&office, &second, &json!({ "number": "C0001004073" })).await;
    assert_eq!(free.status, 204, "{}", free.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_filed_by_hand_is_the_patient_of_the_his_messages_that_follow() {
    let (two, [id], office, desk) = referred(["需造影。"]).await;
    tell(&two.to, &event("1", OTHER)).await;
    let filed = file(&office, &id, &json!({ "number": "C7700012345" })).await;
    assert_eq!(filed.status, 204, "{}", filed.text());
    let before = rows(&desk, &json!({ "number": "C7700012345" })).await;
    // The answer was lost: the same again is done, another number is another patient, and nobody new is made.
    for (again, status) in [
        (json!({ "number": "C7700012345" }), 204),
        (json!({ "subject": before[0]["subject"] }), 204),
        (json!({ "number": "C7700099999" }), 409),
    ] {
        let answer = file(&office, &id, &again).await;
        assert_eq!(answer.status, status, "{again}: {}", answer.text());
    }
    assert!(rows(&desk, &json!({ "number": "C7700099999" })).await.is_empty());
    let told = format!("C7700012345^^^QZDX^PI~{RESIDENT_ID}^^^GA^NI||陈^志远||19580304|M");
    tell(&two.to, &event("2", &told)).await;
    for wanted in [json!({ "residentId": RESIDENT_ID }), json!({ "number": "C7700012345" })] {
        let found = rows(&desk, &wanted).await;
        assert_eq!(found.len(), 1, "{wanted}: {found:?}");
        let visited = &found[0]["department"];
        assert_eq!((&found[0]["subject"], visited), (&before[0]["subject"], &json!("D1201")), "{found:?}");
    }
}

/// Another person than the one of the referral, but for the number.
const STRANGER: &str = "^^^QZDX^PI~999000197106150023^^^GA^NI||刘素芬||19710615|F";

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_number_that_the_his_gives_to_somebody_else_stays_the_filed_patients_until_staff_decide() {
    let (two, [id], office, desk) = referred(["需造影。"]).await;
    tell(&two.to, &event("1", "C1^^^QZDX^PI||周^甲||19700101|M")).await;
    assert_eq!(file(&office, &id, &json!({ "number": "C0001004072" })).await.status, 204);
    let find = async |wanted: &Value| rows(&desk, wanted).await;
    let (number, own) = (json!({ "number": "C0001004072" }), json!({ "residentId": RESIDENT_ID }));
    let before = find(&own).await;

    let stranger = format!("C0001004072{STRANGER}");
    tell(&two.to, &event("2", &stranger)).await;
    assert_eq!((find(&number).await, find(&own).await), (before.clone(), before.clone()), "nothing changes");
    let listed = two.to.does(&["review", "list"]).await;
    assert!(listed.contains("other-person") && listed.lines().count() == 1, "{listed}");
    assert!(two.to.does(&["review", "replay", "1"]).await.starts_with("review"));

    assert!(two.to.does(&["review", "replay", "1", "--holder", "another"]).await.starts_with("applied"));
    assert_eq!(two.to.does(&["review", "list"]).await.trim(), "");
    let kept = find(&own).await;
    assert_eq!((&kept[0]["subject"], &kept[0]["name"]), (&before[0]["subject"], &json!("陈志远")));
    let names: Vec<_> = find(&number).await.iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["陈志远", "刘素芬"], "papers with the number are about");
    let referral = office.get(&format!("/api/referrals/qzrm/{id}")).await;
    assert_eq!((&referral["subject"], &referral["patientName"]), (&before[0]["subject"], &json!("陈志远")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_files_finds_patients_by_number_and_is_told_why_they_cannot_be_compared() {
    let (two, [id], office, desk) = referred(["需造影。"]).await;
    tell(&two.to, &event("1", &format!("C8{STRANGER}"))).await;
    tell(&two.to, &event("2", "C7^^^QZDX^PI||陈^志远||19580304|M")).await;
    let path = format!("/api/referrals/qzrm/{id}/holders");
    let holders = async |number: &str| office.post(&path, &json!({ "number": number })).await;
    assert_eq!(holders("C9").await, json!([]));
    let other = holders(" c8 ").await;
    assert_eq!((&other[0]["name"], &other[0]["identity"]), (&json!("刘素芬"), &json!("other")));
    let unknown = holders("C7").await;
    assert_eq!((unknown.as_array().unwrap().len(), &unknown[0]["identity"]), (1, &json!("unknown")));
    assert_eq!(desk.send("POST", &path, &json!({ "number": "C7" })).await.status, 404, "only who files");
    let chosen = json!({ "subject": unknown[0]["subject"] });
    assert_eq!(file(&office, &id, &chosen).await.status, 409, "not unless confirmed");
    let chosen = json!({ "subject": unknown[0]["subject"], "confirmed": true });
    assert_eq!(file(&office, &id, &chosen).await.status, 204);
    assert_eq!(office.send("POST", &path, &json!({ "number": "C7" })).await.status, 409, "it is filed");
}

/// A patient whom the register knows by a number of each kind; the laboratory names another register.
const MANY: [&str; 2] = [
    "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A01|m1|P|2.4\rEVN|A01|20261120080000\r\
     PID|1||00218001^^^^51~999000195803040015^^^GA^NI~A90000001^^^NHC^HC~MZ1^^^^OP~ZY 9^^^院&1.2.3&ISO^IP~G12345678^^^^PPN~C9^^^NHC^JHN||\
     陈志远||19580304|M\r\
     PV1|1|I|0203^^12||||10215^王建平||||||||||||I26001|||||||||||||||||||||||||20261120080000\r",
    "MSH|^~\\&|LIS|QZRM|YQ|QZRM|20261119090000||ORU^R01|m2|P|2.4\r\
     PID|1||L77^^^检验科 LIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M\r\
     OBR|1||L1|PANEL^电解质|||20261119080000|||||||||||||||20261119090000||LAB|F\r\
     OBX|1|NM|2823-3^钾^LN||4.1|mmol/L|3.5-5.3|N|||F\r",
];

/// Whose document it is that a bundle brought.
async fn taken(system: &System<'_>, bundle: &Value) -> Value {
    let answer = system.post("/fhir", FHIR, &bundle.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let location = answer.json()["entry"][1]["response"]["location"].as_str().unwrap().to_owned();
    system.get(&format!("/fhir/{location}")).await.json()["subject"]["reference"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_door_shows_of_a_patient_leads_back_to_the_patient() {
    let node = Node::started().await;
    tell(&node, MANY[0]).await;
    tell(&node, &MANY[1].replace("L77^^^检验科 LIS^MR~", "")).await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let patient = system.all("Patient", "identifier=00218001").await.remove(0);
    let reference = json!(format!("Patient/{}", patient["id"].as_str().unwrap()));
    assert!(patient["identifier"].as_array().unwrap().len() >= 7, "{patient}");
    let number = lead_back(&system, &patient).await;
    let by_id = taken(&system, &bundle(99, &json!({ "reference": reference }), "检查报告")).await;
    assert_eq!(by_id, reference);
    assert_eq!(
        system.all("Patient", &format!("identifier={RESIDENT_ID}")).await,
        [patient],
        "and stays as it was"
    );
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let subject = doctor.find().await;
    let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    assert_eq!(history["items"].as_array().unwrap().len(), usize::try_from(number).unwrap() + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_systems_of_a_hospital_call_a_patient_leads_back_to_the_patient() {
    let node = Node::started().await;
    let token = node.token_for("emr", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn])).await;
    let system = System { node: &node, token };
    let patients = system.all("Patient", &format!("identifier={}", by_resident(Role::WalkIn))).await;
    let [patient] = patients.as_slice() else { panic!("{patients:?}") };
    assert!(lead_back(&system, patient).await > 2);
    let after = system.all("Patient", &format!("identifier={}", by_resident(Role::WalkIn))).await;
    assert_eq!(after, patients);
}

/// Each identifier of a Patient finds it, and names it as whom a document is of: how many documents.
async fn lead_back(system: &System<'_>, patient: &Value) -> u32 {
    let reference = json!(format!("Patient/{}", patient["id"].as_str().unwrap()));
    let mut number = 0;
    for identifier in patient["identifier"].as_array().unwrap() {
        let (value, kind) = (identifier["value"].as_str().unwrap(), identifier["system"].as_str());
        let token = kind.map_or_else(|| format!("|{value}"), |kind| format!("{kind}|{value}"));
        let form: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = system.all("Patient", &format!("identifier={form}")).await;
        assert_eq!(found, std::slice::from_ref(patient), "{token}");
        let mut named = json!({ "identifier": { "value": value } });
        if let Some(system) = kind {
            named["identifier"]["system"] = json!(system);
        }
        for subject in [named, json!({ "identifier": identifier })] {
            number += 1;
            let named = taken(system, &bundle(number, &subject, "检查报告")).await;
            assert_eq!(named, reference, "{subject}");
        }
    }
    number
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_patient_cannot_be_told_is_refused_or_waits_for_a_person_and_makes_nobody() {
    let node = Node::started().await;
    tell(&node, MANY[0]).await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    for (number, unknown, status) in
        [(1, format!("Patient/{}", "ab".repeat(32)), 404), (2, "Patient/7".to_owned(), 422)]
    {
        let sent = bundle(number, &json!({ "reference": unknown }), "检查报告");
        let refused = system.post("/fhir", FHIR, &sent.to_string()).await;
        assert_eq!(refused.status, status, "{}", refused.text());
        assert_eq!(refused.json()["resourceType"], "OperationOutcome");
    }
    let passport = json!({ "type": { "coding": [{ "code": "PPN" }] }, "value": "G7654321" });
    let unknown = json!({ "identifier": passport });
    let sent = bundle(3, &unknown, "检查报告").to_string();
    assert_eq!(system.post("/fhir", FHIR, &sent).await.status, 202);
    assert!(system.all("Patient", "identifier=G7654321").await.is_empty());
    assert_eq!(node.does(&["review", "list"]).await.lines().count(), 1);
    // The register tells who that is; then it is the same document.
    let number = MANY[0]
        .replace("G12345678", "G7654321")
        .replace("|m1|", "|m3|")
        .replace("20261120080000", "20261120090000");
    tell(&node, &number).await;
    node.does(&["review", "replay", "1"]).await;
    let found = system.all("DocumentReference", "patient.identifier=G7654321").await;
    assert_eq!(found.len(), 1, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_names_the_registers_that_nobody_has_configured() {
    let mut node = Node::started().await;
    for message in MANY {
        tell(&node, message).await;
    }
    let named = |status: &Value| -> Vec<Value> {
        status["registers"].as_array().unwrap().iter().map(|line| line["name"].clone()).collect()
    };
    assert_eq!(named(&node.status().await), [json!(""), json!("检验科 LIS")]);
    let said = node.does(&["status"]).await;
    assert!(said.contains("no name (1 messages), 检验科 LIS (1 messages)"), "{said}");
    assert!(!said.contains("00218001") && !said.contains("L77"), "names of systems and nothing of patients");
    node.stop().await;
    let config = std::fs::read_to_string(node.config()).unwrap();
    let config = format!("main_register = \"\"\n{config}\n[assigners]\n\"检验科 LIS\" = \"LIS\"\n");
    std::fs::write(node.config(), config).unwrap();
    node.start().await;
    assert_eq!(named(&node.status().await), [json!("检验科 LIS")], "the name under which they were counted");
    tell(&node, &MANY[1].replace("|m2|", "|m4|")).await;
    assert_eq!(named(&node.status().await), [json!("检验科 LIS")]);
}

/// The laboratory and the HIS know only the number of somebody whom `10215` treats in `0203`.
const NUMBERED: [&str; 2] = [
    "MSH|^~\\&|LIS|QZRM|YQ|QZRM|20261120090000||ORU^R01|n1|P|2.4\rPID|1||C0001009001^^^HIS^MR\r\
     OBR|1||L9|PANEL^电解质|||20261120080000|||||||||||||||20261120090000||LAB|F\r\
     OBX|1|NM|2823-3^钾^LN||5.9|mmol/L|3.5-5.3|H|||F\r",
    "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A01|n2|P|2.4\rEVN|A01|20261120080000\r\
     PID|1||C0001009001^^^HIS^MR\rPV1|1|I|0203^^12||||10215^王建平||||||||||||I26001|||||||||||||||||||||||||20261120080000\r",
];

#[tokio::test(flavor = "multi_thread")]
async fn i7_who_is_known_by_a_number_alone_is_shown_without_a_name_and_referred_once_there_is_one() {
    let node = Node::started().await;
    for message in NUMBERED {
        tell(&node, message).await;
    }
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let number = json!({ "number": "c0001009001" });
    let found = rows(&doctor, &number).await;
    assert_eq!((found.len(), &found[0]["name"], &found[0]["number"]), (1, &json!(""), &json!("C00****9001")));
    let subject = found[0]["subject"].as_str().unwrap();
    let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    assert_eq!(history["items"].as_array().unwrap().len(), 1, "{history}");
    assert_eq!(doctor.get(&format!("/api/patients/{subject}")).await["findable"], json!(false));
    let form = json!({
        "toDepartment": "", "urgency": "urgent", "direction": "up", "impression": "低钾血症", "presentIllness": "乏力。",
        "pastHistory": "", "course": "", "reason": "", "plan": "", "physicianPhone": "",
    });
    let draft = json!({ "subject": subject, "to": "qzdx", "form": form, "entries": [] });
    let refused = doctor.send("POST", "/api/referrals/drafts", &draft).await;
    assert!(refused.status == 422 && refused.text().contains("no-name"), "{}", refused.text());

    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let patients = system.all("Patient", "identifier=C0001009001").await;
    assert!(patients.len() == 1 && patients[0].get("name").is_none(), "{patients:?}");
    let reports = system.all("DocumentReference", &format!("patient={subject}")).await;
    assert!(reports.len() == 1 && reports[0]["subject"].get("display").is_none(), "{reports:?}");

    tell(&node, &event("n3", "C0001009001^^^HIS^MR||陈^志远||19580304|M")).await;
    let named = rows(&doctor, &number).await;
    assert_eq!((&named[0]["subject"], &named[0]["name"]), (&found[0]["subject"], &json!("陈志远")));
    assert_eq!(doctor.post("/api/referrals/drafts", &draft).await["patientName"], json!("陈志远"));
}
