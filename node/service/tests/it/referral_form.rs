//! The form of a referral at its pages: what it takes from the own record, and the way of one that names no department of the
//! other hospital, from node to node.
//!
//! Not here: drafts, which `pages` drives; what goes between the nodes, which `exchange` drives.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::pages::Person;
use crate::rig::{Node, Region, until};
use crate::wire;

const RESIDENT_ID: &str = "999000195803040015";
pub(crate) const DISCHARGE: &str = "C0053";
const VISIT: &str = "C0002";

/// An admission of the patient, whom `10215` of `0203` attends.
pub(crate) const ADMISSION: &str = "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261110080000||ADT^A01|f1|P|2.4\rEVN|A01|20261110080000\r\
    PID|1||00218001^^^HIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M\r\
    PV1|1|I|0203^^12||||10215^王建平||||||||||||I26001|||||||||||||||||||||||||20261110080000\r";

pub(crate) const RESULTS: &str = "MSH|^~\\&|LIS|QZRM|YQ|QZRM|20261112090000||ORU^R01|f2|P|2.4\r\
    PID|1||00218001^^^HIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M\r\
    OBR|1||L1|PANEL^电解质|||20261112080000|||||||||||||||20261112090000||LAB|F\r\
    OBX|1|NM|2951-2^钠^LN||140|mmol/L|137-147|N|||F\r\
    OBX|2|NM|2823-3^钾^LN||5.9|mmol/L|3.5-5.3|H|||F\r";

/// The LOINC code of a section, its English name, and entries by their names.
type Section<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// A clinical document of a kind, made at a time, with sections of a LOINC code and an English name, as they really come.
pub(crate) fn note(kind: &str, made: &str, sections: &[Section<'_>]) -> String {
    let entry = |(name, text): &(&str, &str)| {
        format!("<entry><observation><code displayName='{name}'/><value>{text}</value></observation></entry>")
    };
    let section = |(code, name, rows): &Section<'_>| {
        let entries = rows.iter().map(entry).collect::<String>();
        format!(
            "<component><section><code code='{code}' codeSystem='2.16.840.1.113883.6.1' displayName='{name}'/><text/>{entries}\
             </section></component>"
        )
    };
    let body = sections.iter().map(section).collect::<String>();
    format!(
        "<ClinicalDocument xmlns='urn:hl7-org:v3'><id root='2.16.156.10011.1.1' extension='{kind}-{made}'/>\
         <code code='{kind}' codeSystem='2.16.156.10011.2.4'/><title>{kind}</title><effectiveTime value='{made}'/>\
         <recordTarget><patientRole><id root='2.16.156.10011.1.12' extension='I26001'/><patient>\
         <id root='2.16.156.10011.1.3' extension='{RESIDENT_ID}'/><name>陈志远</name><administrativeGenderCode code='1'/>\
         <birthTime value='19580304'/></patient></patientRole></recordTarget>\
         <component><structuredBody>{body}</structuredBody></component></ClinicalDocument>"
    )
}

/// A node with the patient admitted, these notes taken in, and a doctor who attends.
pub(crate) async fn with_notes(node: &Node, notes: &[String]) -> (Person, String) {
    let mut line = node.mllp().await;
    assert!(line.send(ADMISSION.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    let token = node.token("emr").await;
    for note in notes {
        hands_in(node, &token, note).await;
    }
    let doctor = Person::with_account(node, "10215", "doctor", Some("0203")).await;
    let subject = find(&doctor).await;
    (doctor, subject)
}

/// The EMR hands in a note.
pub(crate) async fn hands_in(node: &Node, token: &str, note: &str) {
    let answer = wire::post(node.http, "/api/intake", Some(token), "application/xml", note.as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["outcome"]), (200, &"indexed".into()), "{}", answer.text());
}

pub(crate) async fn find(person: &Person) -> String {
    let found = person.post("/api/patients/find", &json!({ "residentId": RESIDENT_ID })).await;
    found["items"][0]["subject"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned()
}

fn path(subject: &str) -> String {
    format!("/api/patients/{subject}/referral-prefill")
}

fn titles(field: &Value) -> Vec<&str> {
    field["sources"].as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_filled_from_the_newest_notes_and_results_and_each_reading_is_audited_once() {
    let node = Node::started().await;
    let older = note(
        VISIT,
        "20260901090000",
        &[
            ("10154-3", "CHIEF COMPLAINT", &[("主诉", "头晕1周")]),
            ("11348-0", "HISTORY OF PAST ILLNESS", &[("既往史", "糖尿病6年。")]),
        ],
    );
    let newer = note(
        DISCHARGE,
        "20261118100000",
        &[
            ("46241-6", "HOSPITAL ADMISSION DX", &[("诊断名称", "胸痛待查")]),
            ("11535-2", "Discharge Diagnosis", &[("诊断名称", "不稳定型心绞痛"), ("诊断名称", "2型糖尿病")]),
            ("10154-3", "CHIEF COMPLAINT", &[("主诉", "胸痛3天")]),
            ("10164-2", "HISTORY OF PRESENT ILLNESS", &[("现病史", "活动后发作。")]),
            ("8648-8", "Hospital Course", &[("诊疗过程描述", "扩冠、抗血小板。")]),
        ],
    );
    let (doctor, subject) = with_notes(&node, &[older, newer]).await;
    assert!(node.mllp().await.send(RESULTS.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    let found = doctor.get(&path(&subject)).await;
    assert_eq!(found["impression"]["text"], "不稳定型心绞痛\n2型糖尿病");
    assert_eq!(found["presentIllness"]["text"], "主诉：胸痛3天\n现病史：活动后发作。");
    assert_eq!(found["pastHistory"]["text"], "既往史：糖尿病6年。");
    let course = "诊疗过程：扩冠、抗血小板。\n2026-11-12 钾 5.9 mmol/L ↑\n2026-11-12 钠 140 mmol/L";
    assert_eq!(found["course"]["text"], course);
    assert_eq!(
        (titles(&found["presentIllness"]), titles(&found["pastHistory"])),
        (vec![DISCHARGE], vec![VISIT])
    );
    let sources = &found["course"]["sources"];
    assert_eq!(sources[0]["holder"], "qzrm");
    let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    let entries = |items: &Value| {
        let mut names: Vec<_> =
            items.as_array().unwrap().iter().map(|row| row["entry"].to_string()).collect();
        names.sort();
        names
    };
    let mut read = entries(sources);
    read.extend(entries(&found["pastHistory"]["sources"]));
    read.sort();
    assert_eq!(read, entries(&history["items"]), "each source is a document of the list");

    doctor.get(&path(&subject)).await;
    let audit = doctor.get(&format!("/api/patients/{subject}/audit")).await;
    let acts = audit["items"].as_array().unwrap().iter().map(|row| row["act"].as_str().unwrap());
    assert_eq!(acts.collect::<Vec<_>>(), ["open", "open", "open", "view", "find"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_for_a_form_is_cut_and_what_is_sensitive_leaves_it_empty() {
    let node = Node::started().await;
    let secret = note(DISCHARGE, "20261117100000", &[("29548-5", "Diagnosis", &[("诊断名称", "抑郁症")])]);
    let secret = secret.replace("<recordTarget>", "<confidentialityCode code='V'/><recordTarget>");
    let (doctor, subject) = with_notes(&node, &[secret]).await;
    let silent = doctor.get(&path(&subject)).await;
    for field in ["impression", "presentIllness", "pastHistory", "course"] {
        assert_eq!(silent[field], json!({ "text": "", "clipped": false, "sources": [] }), "{field}");
    }
    let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    assert_eq!(history["items"][0]["sensitivity"], "very-restricted");
    let long = "长".repeat(4_000);
    let wordy =
        note(DISCHARGE, "20261118100000", &[("10164-2", "HISTORY OF PRESENT ILLNESS", &[("现病史", &long)])]);
    with_more(&node, &wordy).await;
    let found = doctor.get(&path(&subject)).await["presentIllness"].take();
    let text = found["text"].as_str().unwrap();
    assert!(
        text.len() <= 8_192 && text.starts_with("现病史：长长") && text.ends_with("……（以下略，见原文）")
    );
    assert_eq!(found["clipped"], true);
    let form = json!({
        "toDepartment": "", "urgency": "urgent", "direction": "up", "impression": "", "presentIllness": text, "pastHistory": "",
        "course": "", "reason": "", "plan": "", "physicianPhone": "",
    });
    let draft = json!({ "subject": subject, "to": "qzdx", "form": form, "entries": [] });
    assert_eq!(
        doctor.post("/api/referrals/drafts", &draft).await["form"]["presentIllness"],
        text,
        "the form takes it"
    );
}

async fn with_more(node: &Node, note: &str) {
    let token = node.token("emr-2").await;
    let answer = wire::post(node.http, "/api/intake", Some(&token), "application/xml", note.as_bytes()).await;
    assert_eq!(answer.json()["outcome"], "indexed", "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_see_the_patient_gets_nothing_to_fill_a_form_with() {
    let node = Node::started().await;
    let (_, subject) = with_notes(&node, &[]).await;
    let stranger = Person::with_account(&node, "10402", "doctor", Some("0301")).await;
    let hidden = stranger.request("GET", &path(&subject), "", b"").await;
    let unknown = stranger.request("GET", &path(&"ab".repeat(32)), "", b"").await;
    assert_eq!((hidden.status, hidden.text()), (404, unknown.text()));
    let desk = Person::with_account(&node, "desk", "desk", None).await;
    assert_eq!(desk.request("GET", &path(&subject), "", b"").await.status, 403, "a desk opens no documents");
}

// ---- A referral to no department ----

/// Two hospitals of one region, both running.
pub(crate) async fn two() -> [Node; 2] {
    let region = Arc::new(Region::started().await);
    let mut nodes = ["qzrm", "qzdx"].map(|code| Node::applied_to(Arc::clone(&region), code));
    nodes.iter().for_each(Node::admit);
    for node in &mut nodes {
        node.start().await;
        node.connected().await;
    }
    nodes
}

pub(crate) async fn is_known(person: &Person, code: &str) {
    until("the other hospital to be known", async || {
        let members = person.get("/api/region").await["members"].take();
        members.as_array().unwrap().iter().any(|member| member["code"] == code).then_some(())
    })
    .await;
}

/// The patient consents at the desk that a hospital may have the documents, for this purpose.
pub(crate) async fn consents(desk: &Person, to: &str, purpose: &str) {
    let subject = find(desk).await;
    is_known(desk, to).await;
    let until = "2099-12-01T00:00:00+08:00";
    let asked = json!({ "organisation": to, "classes": [], "purposes": [purpose], "validUntil": until });
    let notice = desk.post("/api/notice", &asked).await;
    let permit = json!({
        "stance": "permit", "organisation": to, "classes": [], "sensitivities": [], "purposes": [purpose],
        "validUntil": until, "basis": "separate-consent", "notice": { "version": notice["version"] },
        "evidence": { "sheet": "2026-1", "identifiedBy": "身份证原件" },
    });
    desk.post(&format!("/api/patients/{subject}/consents"), &permit).await;
}

/// Refers the patient with all documents, to no department; the referral's path.
pub(crate) async fn sends(doctor: &Person, subject: &str, to: &str) -> String {
    let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    let named = |row: &Value| json!({ "holder": row["holder"], "entry": row["entry"] });
    let entries: Vec<Value> = history["items"].as_array().unwrap().iter().map(named).collect();
    let form = json!({
        "toDepartment": "", "urgency": "urgent", "direction": "up", "impression": "心绞痛", "presentIllness": "胸痛3天。",
        "pastHistory": "", "course": "", "reason": "需造影，请安排心血管内科。", "plan": "", "physicianPhone": "0999-1",
    });
    let draft = json!({ "subject": subject, "to": to, "form": form, "entries": entries });
    let saved = doctor.post("/api/referrals/drafts", &draft).await;
    let path = format!("/api/referrals/qzrm/{}", saved["id"].as_str().unwrap());
    doctor.post(&format!("{path}/act"), &json!({ "act": "send" })).await;
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_come_by_themselves_when_the_patient_consents_after_the_referral_and_the_page_says_so() {
    let [from, to] = two().await;
    let discharge = note(DISCHARGE, "20261118100000", &[("29548-5", "Diagnosis", &[("诊断名称", "心绞痛")])]);
    let (doctor, subject) = with_notes(&from, &[discharge]).await;
    from.published().await;
    is_known(&doctor, "qzdx").await;
    let path = sends(&doctor, &subject, "qzdx").await;
    // Without a lease the sender's page says so, and asks again (F-7).
    let sender_says = async |consent: &str| {
        until(consent, async || (doctor.get(&path).await["consent"] == consent).then_some(())).await;
    };
    sender_says("none").await;
    let office = Person::with_account(&to, "referral", "referral-office", None).await;
    let is = async |consent: &str, state: &str| {
        until(consent, async || {
            let answer = office.request("GET", &path, "", b"").await;
            let seen = (answer.status == 200).then(|| answer.json())?;
            (seen["consent"] == consent && seen["documents"][0]["state"] == state).then_some(())
        })
        .await;
    };
    is("none", "refused").await;
    let is_foreseen = async |consent: &str, is_withheld: bool| {
        let row = doctor.get(&path).await["documents"][0].take();
        let entries = [json!({ "holder": row["holder"], "entry": row["entry"] })];
        let asked = json!({ "to": "qzdx", "toDepartment": "", "referral": null, "entries": entries });
        until(consent, async || {
            let answer = doctor.post(&format!("/api/patients/{subject}/referral-consent"), &asked).await;
            let is_so =
                answer["consent"] == consent && (answer["withheld"] == json!([row["entry"]])) == is_withheld;
            is_so.then_some(())
        })
        .await;
    };
    // A permit for something else is no consent to this (D-1).
    let desk = Person::with_account(&from, "desk", "desk", None).await;
    consents(&desk, "qzdx", "payment").await;
    is_foreseen("none", true).await;
    consents(&desk, "qzdx", "treatment").await;
    is("permitted", "held").await;
    sender_says("permitted").await;
    is_foreseen("permitted", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_to_no_department_comes_to_the_office_which_gives_it_to_a_doctor_who_reads_the_documents()
{
    let [from, to] = two().await;
    let discharge = note(DISCHARGE, "20261118100000", &[("29548-5", "Diagnosis", &[("诊断名称", "心绞痛")])]);
    let (doctor, subject) = with_notes(&from, &[discharge]).await;
    from.published().await;
    let desk = Person::with_account(&from, "desk", "desk", None).await;
    consents(&desk, "qzdx", "treatment").await;
    let path = sends(&doctor, &subject, "qzdx").await;

    let office = Person::with_account(&to, "referral", "referral-office", None).await;
    let [given, colleague] = ["200187", "200188"];
    let given = Person::with_account(&to, given, "doctor", Some("D1201")).await;
    let colleague = Person::with_account(&to, colleague, "doctor", Some("D1201")).await;
    let other = Person::with_account(&to, "200189", "doctor", Some("D0300")).await;
    let row = until("the referral", async || {
        Some(office.get("/api/referrals/inbox").await["items"][0].take()).filter(Value::is_object)
    })
    .await;
    assert_eq!((&row["toDepartment"], &row["assigned"]), (&"".into(), &Value::Null));
    until("the prefetched document", async || {
        (office.get(&path).await["documents"][0]["state"] == "held").then_some(())
    })
    .await;
    for doctor in [&given, &colleague] {
        assert_eq!(doctor.request("GET", &path, "", b"").await.status, 404, "the office decides who");
        let refused = doctor.send("POST", &format!("{path}/assign"), &json!({ "login": "200188" })).await;
        assert_eq!(refused.status, 404, "nobody takes it: {}", refused.text());
    }

    assert_eq!(
        office.get("/api/doctors").await[0],
        json!({ "login": "200187", "name": "某某", "departments": ["d1201"] })
    );
    for login in ["referral", "nobody", "不是"] {
        let unfit = office.send("POST", &format!("{path}/assign"), &json!({ "login": login })).await;
        assert_eq!((unfit.status, &unfit.json()["field"]), (422, &"login".into()), "{login}");
    }
    assert!(office.get(&path).await["patient"]["identifiers"][0]["masked"].as_str().unwrap().contains("***"));
    let in_full = office.send("POST", &format!("{path}/reveal"), &Value::Null).await.json();
    assert_eq!(in_full["identifiers"][0]["value"], RESIDENT_ID, "who files compares it with the papers");
    assert_eq!(given.send("POST", &format!("{path}/reveal"), &Value::Null).await.status, 404);

    office.post(&format!("{path}/assign"), &json!({ "login": "200187" })).await;
    office.post(&format!("{path}/act"), &json!({ "act": "accept" })).await;
    office.post(&format!("{path}/file"), &json!({ "number": "C7700012345" })).await;

    let seen = given.get(&path).await;
    assert_eq!((&seen["state"], &seen["assigned"]["code"]), (&"accepted".into(), &"200187".into()));
    let mine = given.get("/api/patients").await;
    assert_eq!(
        (&mine["items"][0]["name"], &mine["items"][0]["ground"]),
        (&"陈志远".into(), &"referral".into())
    );
    let entry = seen["documents"][0]["entry"].as_str().unwrap();
    // Without a lease the answer is to come again (F-7).
    let opened = until("the document to open", async || {
        let answer = given.request("GET", &format!("/api/documents/qzrm/{entry}"), "", b"").await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    assert!(opened.text().contains("心绞痛"), "{}", opened.text());
    let shared = &colleague.get("/api/patients").await["items"][0]["name"];
    assert_eq!(shared, "陈志远", "the doctor's department is the referral's from now on");
    assert_eq!(other.get("/api/patients").await["items"], json!([]));
}
