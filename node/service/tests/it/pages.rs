//! What doctors, desks and patients ask of one node, as their pages do: the own record, consents, who saw what, drafts.
//!
//! Not here: what crosses from one hospital to another, which the story of the whole region drives.

use serde_json::{Value, json};
use yiqiao_simnet::story::Role;

use crate::feeds::{about, is_message};
use crate::fhir::System;
use crate::renewal::all_know;
use crate::rig::{Node, until};
use crate::wire::{self, Answer};

pub(crate) const RESIDENT_ID: &str = "999000195803040015";
pub(crate) const CHOSEN: &str = "A-quiet-river-2026";

/// An admission and a laboratory report of one patient, attended by `10215` in `0203`.
const FEED: [&str; 3] = [
    "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A01|p1|P|2.4\rEVN|A01|20261120080000\r\
     PID|1||00218001^^^HIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M|||桥州市临江区望桥街道1号||13800001111\r\
     PV1|1|I|0203^^12||||10215^王建平||||||||||||I26001|||||||||||||||||||||||||20261120080000\r",
    "MSH|^~\\&|LIS|QZRM|YQ|QZRM|20261119090000||ORU^R01|p2|P|2.4\r\
     PID|1||00218001^^^HIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M\r\
     OBR|1||L1|PANEL^电解质|||20261119080000|||||||||||||||20261119090000||LAB|F\r\
     OBX|1|NM|2823-3^钾^LN||4.1|mmol/L|3.5-5.3|N|||F\r",
    "MSH|^~\\&|LIS|QZRM|YQ|QZRM|20261120090000||ORU^R01|p3|P|2.4\r\
     PID|1||00218001^^^HIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M\r\
     OBR|1||L2|PANEL^电解质<script>|||20261120080000|||||||||||||||20261120090000||LAB|F\r\
     OBX|1|NM|2823-3^钾^LN||5.9|mmol/L|3.5-5.3|H|||F\r",
];

/// Somebody at a browser.
pub(crate) struct Person {
    http: u16,
    cookie: String,
}

impl Person {
    /// Somebody with an account that was made for the test, signed in.
    pub(crate) async fn with_account(node: &Node, login: &str, role: &str, department: Option<&str>) -> Self {
        let mut add = vec!["account", "add", login, "--name", "某某", "--role", role];
        department.iter().for_each(|code| add.extend(["--department", code]));
        let said = node.does(&add).await;
        let once = said.lines().next().unwrap().strip_prefix("one-time password: ").unwrap();
        Self::first_signed_in(node.http, login, once).await
    }

    async fn first_signed_in(http: u16, login: &str, once: &str) -> Self {
        let first = Self::signed_in(http, login, once).await;
        let passwords = json!({ "current": once, "next": CHOSEN });
        assert_eq!(first.send("POST", "/api/session/password", &passwords).await.status, 200);
        Self::signed_in(http, login, CHOSEN).await
    }

    async fn signed_in(http: u16, login: &str, password: &str) -> Self {
        let nobody = Self { http, cookie: String::new() };
        let answer =
            nobody.send("POST", "/api/session", &json!({ "login": login, "password": password })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Self { http, cookie }
    }

    /// Somebody whom [`Self::with_account`] has made, signed in again.
    pub(crate) async fn again(node: &Node, login: &str) -> Self {
        Self::signed_in(node.http, login, CHOSEN).await
    }

    /// The patient, by the account that a desk gives.
    pub(crate) async fn patient(node: &Node, desk: &Self, subject: &str) -> Self {
        let account = desk.post(&format!("/api/patients/{subject}/account"), &json!({})).await;
        let [login, once] = ["login", "oneTimePassword"].map(|field| account[field].as_str().unwrap());
        Self::first_signed_in(node.http, login, once).await
    }

    /// Somebody who is not signed in.
    pub(crate) const fn nobody(node: &Node) -> Self {
        Self { http: node.http, cookie: String::new() }
    }

    /// Somebody whom an answer has signed in.
    pub(crate) fn with_cookie(node: &Node, answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Self { http: node.http, cookie }
    }

    pub(crate) async fn request(&self, method: &str, path: &str, more: &str, body: &[u8]) -> Answer {
        let headers = format!("Cookie: {}\r\nOrigin: http://localhost:{}\r\n{more}", self.cookie, self.http);
        wire::try_request(self.http, method, path, &headers, body).await.unwrap()
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let json = "Content-Type: application/json\r\n";
        self.request(method, path, json, body.to_string().as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path, "", b"").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.send("POST", path, body).await;
        assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// The one patient of the feed.
    pub(crate) async fn find(&self) -> String {
        let found = self.post("/api/patients/find", &json!({ "residentId": RESIDENT_ID })).await;
        found["items"][0]["subject"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned()
    }
}

/// A node with the patient, published.
pub(crate) async fn fed() -> Node {
    let node = Node::started().await;
    let mut line = node.mllp().await;
    for message in FEED {
        assert!(line.send(message.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    }
    node.published().await;
    node
}

fn texts(items: &Value, field: &str) -> Vec<String> {
    items.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_reads_the_own_patients_record_and_every_look_is_audited() {
    let node = fed().await;
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let mine = doctor.get("/api/patients").await;
    assert_eq!(
        (&mine["items"][0]["name"], &mine["items"][0]["ground"]),
        (&"陈志远".into(), &"attending".into())
    );
    let subject = doctor.find().await;
    assert_eq!(mine["items"][0]["subject"], *subject);

    let patient = doctor.get(&format!("/api/patients/{subject}")).await;
    assert_eq!((&patient["findable"], &patient["documents"]), (&true.into(), &true.into()));
    let shown = patient.to_string();
    assert!(
        !shown.contains(RESIDENT_ID) && !shown.contains("13800001111") && !shown.contains("1号"),
        "{shown}"
    );
    let revealed = doctor.post(&format!("/api/patients/{subject}/reveal"), &json!({})).await.to_string();
    assert!(revealed.contains(RESIDENT_ID) && revealed.contains("13800001111"), "{revealed}");

    let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    assert_eq!(
        (&history["completeness"]["kind"], history["items"].as_array().unwrap().len()),
        (&"local".into(), 2)
    );
    let trend = &history["labs"][0];
    let values: Vec<_> =
        trend["points"].as_array().unwrap().iter().map(|point| point["value"].clone()).collect();
    assert_eq!((&trend["name"], values), (&"钾".into(), vec![json!(4.1), json!(5.9)]));
    assert_eq!(
        (&trend["points"][1]["flag"], &trend["points"][1]["reported"]),
        (&"high".into(), &json!(null))
    );
    reads_one(&doctor, &history["items"][1]).await;

    let audit = doctor.get(&format!("/api/patients/{subject}/audit")).await;
    assert_eq!(texts(&audit["items"], "act"), ["open", "reveal", "view", "find"]);
}

/// The report of one laboratory about the patient of [`FEED`].
fn report(id: &str, day: &str, results: &str) -> String {
    format!(
        "MSH|^~\\&|LIS|QZRM|YQ|QZRM|{day}090000||ORU^R01|{id}|P|2.4\r\
         PID|1||00218001^^^HIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M\r\
         OBR|1||{id}|PANEL^生化|||{day}080000|||||||||||||||{day}090000||LAB|F\r{results}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn u4_results_in_several_units_are_one_trend_with_what_was_reported_beside() {
    let node = Node::started().await;
    let mut line = node.mllp().await;
    let here = report(
        "u1",
        "20261118",
        "OBX|1|NM|GLU^*葡萄糖||5.50|mmol/L|3.9-6.1|N|||F\r\
        OBX|2|ST|UPRO^尿蛋白||+1||阴性|A|||F\rOBX|3|NM|DD^D-二聚体||0.9|mg/L|0-0.5|H|||F\r",
    );
    let there = report(
        "u2",
        "20261119",
        "OBX|1|NM|GLU^血糖||126|^mg/dl|70-110|H|||F\r\
        OBX|2|ST|UPRO^尿蛋白||阴性（-）||阴性||||F\rOBX|3|NM|DD^D-二聚体||900|ng/mL|0-500|H|||F\r",
    );
    for message in [FEED[0], &here, &there] {
        assert!(line.send(message.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    }
    node.published().await;
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let subject = doctor.find().await;
    let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    let trend = |name: &str| {
        let found = history["labs"].as_array().unwrap().iter().filter(|lab| lab["name"] == name);
        found.cloned().collect::<Vec<_>>()
    };
    let glucose = trend("葡萄糖");
    assert_eq!((glucose.len(), &glucose[0]["unit"]), (1, &"mmol/L".into()));
    assert_eq!(texts(&glucose[0]["points"], "text"), ["5.50", "6.99"]);
    assert_eq!(glucose[0]["points"][0]["recognition"]["mark"], "*");
    assert_eq!(glucose[0]["points"][1]["recognition"], json!(null));
    assert_eq!(texts(&glucose[0]["points"], "range"), ["3.9–6.1", "3.89–6.11"]);
    let reported = &glucose[0]["points"][1]["reported"];
    assert_eq!((&reported["value"], &reported["unit"]), (&"126".into(), &"mg/dl".into()));
    assert_eq!((&reported["range"], &reported["times"]), (&"70-110".into(), &"0.05551".into()));
    assert_eq!(texts(&trend("尿蛋白")[0]["points"], "text"), ["1+", "阴性"]);
    assert_eq!(trend("D-二聚体").len(), 2, "without FEU or DDU nothing is converted");
}

#[tokio::test(flavor = "multi_thread")]
async fn u7_what_people_accept_of_an_item_joins_its_results_to_the_trend_and_leaves_the_report() {
    let node = Node::started().await;
    let mut line = node.mllp().await;
    let known = report("d1", "20261118", "OBX|1|NM|GLU^葡萄糖||5.50|mmol/L|3.9-6.1|N|||F\r");
    let own = report(
        "d2",
        "20261119",
        "DG1|1||D01^高血压病\rRXE|1|B^阿托伐他汀\rRXR|KF^饭后\rOBX|1|NM|3021^血糖测定(GOD法)||108|mg/dL|70-110|N|||F\r",
    );
    for message in [FEED[0], &known, &own] {
        assert!(line.send(message.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    }
    node.published().await;
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let subject = doctor.find().await;
    let glucose = async || {
        let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
        let labs = history["labs"].as_array().unwrap().clone();
        let found = labs.iter().find(|lab| lab["name"] == "葡萄糖");
        (labs.len(), texts(&found.unwrap()["points"], "text"))
    };
    assert_eq!(glucose().await, (2, vec!["5.50".to_owned()]));

    let open = node.does(&["dictionary", "export", "--open"]).await;
    let row = open.lines().find(|line| line.contains("3021")).unwrap();
    assert!(row.contains(",mg/dL,1,,,14749-6 葡萄糖"), "{open}");
    node.does(&["account", "add", "it1", "--name", "信息科", "--role", "it"]).await;
    let table = node.folder().join("table.csv");
    let decided = open.replace(",mg/dL,1,,,", ",mg/dL,1,accepted,14749-6,");
    let diagnosis = ",diagnosis,D01,高血压病,,,1,";
    assert!(open.contains(&format!("{diagnosis},,")), "{open}");
    let decided = decided.replace(&format!("{diagnosis},,"), &format!("{diagnosis}accepted,I10.x00x002,"));
    std::fs::write(&table, &decided).unwrap();
    let path = table.to_str().unwrap();
    let refused = node.command(&["dictionary", "import", path, "--author", "nobody"]).await;
    assert!(!refused.status.success());
    node.does(&["dictionary", "import", path, "--author", "it1"]).await;
    assert_eq!(glucose().await, (1, vec!["5.50".to_owned(), "6.00".to_owned()]));
    assert!(!node.does(&["dictionary", "export", "--open"]).await.contains("3021"));
    let all = node.does(&["dictionary", "export"]).await;
    assert!(all.lines().any(|line| line.contains("3021") && line.contains(",it1,")), "{all}");

    let it = Person::with_account(&node, "it2", "it", None).await;
    assert_eq!(it.get("/api/dictionary").await["items"], json!([]));
    let row = it.get("/api/dictionary/decided").await["items"][0].clone();
    assert_eq!(
        (&row["standard"], &row["author"], &row["version"]),
        (&"14749-6".into(), &"it1".into(), &1.into())
    );
    let mut line = json!({ "status": "retired", "standard": "14749-6" });
    for part in ["kind", "code", "name", "specimen", "unit"] {
        line[part] = row[part].clone();
    }
    let to = format!("/api/dictionary/{}", row["system"].as_str().unwrap());
    assert_eq!(doctor.send("POST", &to, &line).await.status, 403, "only hospital IT decides");
    assert_eq!(it.send("POST", "/api/dictionary/nobody", &line).await.status, 404);
    assert_eq!(it.send("POST", &to, &line).await.status, 204);
    assert_eq!(glucose().await, (2, vec!["5.50".to_owned()]), "the report stands as it came");
    codes_of_other_kinds_stand_beside_the_senders(&node, &it, &subject).await;
    codes_of_value_sets_are_decided_by_people(&node, &it, &subject).await;
    let list = "MSH|^~\\&|HR|QZRM|YQ|QZRM|20261120||MFN^M02|m2|P|2.5\rMFI|STF||UPD|||AL\rMFE|MAD|1|20261120|K1\r\
        STF|K1|0456^^^HR|李^敏\r";
    assert!(node.mllp().await.send(list.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    let staff = it.get("/api/dictionary?kind=staff").await["items"].clone();
    let listed: Vec<_> = texts(&staff, "code").into_iter().zip(texts(&staff, "name")).collect();
    assert!(listed.contains(&("0456".to_owned(), "李敏".to_owned())), "{listed:?}");
}

/// A route that no value set knows is mapped by a person, and what documents say has it.
async fn codes_of_value_sets_are_decided_by_people(node: &Node, it: &Person, subject: &str) {
    let token = node.token_for("wards", &["system/Patient.r", "system/MedicationStatement.r"]).await;
    let system = System { node, token };
    let route = async || {
        let path = format!("/fhir/Patient/{subject}/$everything?_type=MedicationStatement");
        let bundle = system.get(&path).await.json();
        bundle["entry"][0]["resource"]["dosage"][0]["route"]["coding"].clone()
    };
    assert_eq!(route().await, json!([{ "code": "KF", "display": "饭后" }]));
    let row = it.get("/api/dictionary?kind=route").await["items"][0].clone();
    assert_eq!((&row["code"], &row["name"], &row["results"]), (&"KF".into(), &"饭后".into(), &1.into()));
    let to = format!("/api/dictionary/{}", row["system"].as_str().unwrap());
    let mut line = json!({ "status": "accepted", "standard": "77" });
    for part in ["kind", "code", "name", "specimen", "unit"] {
        line[part] = row[part].clone();
    }
    assert_eq!(it.send("POST", &to, &line).await.status, 422, "the value set has no such code");
    line["standard"] = "1".into();
    assert_eq!(it.send("POST", &to, &line).await.status, 204);
    assert_eq!(it.get("/api/dictionary/decided?kind=route").await["items"][0]["called"], "口服");
    let coding = route().await;
    assert_eq!(
        (&coding[0]["code"], &coding[0]["display"], &coding[1]["code"]),
        (&"1".into(), &"口服".into(), &"KF".into())
    );
    let table = node.does(&["dictionary", "export"]).await;
    assert!(table.lines().any(|line| line.contains(",route,KF,饭后,,,1,accepted,1,")), "{table}");
}

/// What was accepted of a diagnosis is its code in what documents say, and what is taken back is none.
async fn codes_of_other_kinds_stand_beside_the_senders(node: &Node, it: &Person, subject: &str) {
    let token = node.token_for("portal", &["system/Patient.r", "system/Condition.r"]).await;
    let system = System { node, token };
    let codes = async || {
        let bundle = system.get(&format!("/fhir/Patient/{subject}/$everything?_type=Condition")).await.json();
        let entries = bundle["entry"].as_array().unwrap().clone();
        let codings =
            entries.iter().flat_map(|entry| entry["resource"]["code"]["coding"].as_array().unwrap().clone());
        codings.map(|coding| coding["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes().await, ["I10.x00x002", "D01"]);
    assert_eq!(it.request("GET", "/api/dictionary?kind=drug", "", b"").await.status, 422);
    let mut line = it.get("/api/dictionary/decided?kind=diagnosis").await["items"][0].clone();
    let to = format!("/api/dictionary/{}", line["system"].as_str().unwrap());
    let parts = ["kind", "code", "name", "specimen", "unit", "standard", "status"];
    line.as_object_mut().unwrap().retain(|part, _| parts.contains(&part.as_str()));
    line["status"] = "retired".into();
    assert_eq!(it.send("POST", &to, &line).await.status, 204);
    assert_eq!(codes().await, ["D01"]);
    line["standard"] = "14749-6".into();
    assert_eq!(it.send("POST", &to, &line).await.status, 422, "no code of ICD-10");
}

async fn reads_one(doctor: &Person, row: &Value) {
    let path =
        format!("/api/documents/{}/{}", row["holder"].as_str().unwrap(), row["entry"].as_str().unwrap());
    let open = doctor.get(&path).await;
    let html = open["html"].as_str().unwrap();
    assert!(html.contains("陈志远") && html.contains("↑ 偏高") && !html.contains("<script"), "{html}");
    let content = open["content"].as_str().unwrap();
    let whole = doctor.request("GET", content, "", b"").await;
    assert_eq!(whole.body, FEED[2].as_bytes());
    assert!(whole.header("content-disposition").unwrap().starts_with("attachment"));
    let tag = whole.header("etag").unwrap().to_owned();
    let range = format!("Range: bytes=0-7\r\nIf-Range: {tag}\r\n");
    let part = doctor.request("GET", content, &range, b"").await;
    assert_eq!((part.status, part.body.as_slice()), (206, &FEED[2].as_bytes()[..8]));
    let behind = doctor.request("GET", content, "Range: bytes=99999-\r\n", b"").await;
    assert_eq!(behind.status, 416);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_tied_to_a_patient_sees_nobody_and_cannot_tell_whether_there_is_one() {
    let node = fed().await;
    let desk = Person::with_account(&node, "desk", "desk", None).await;
    let subject = desk.find().await;
    let stranger = Person::with_account(&node, "10402", "doctor", Some("0301")).await;
    let found = stranger.post("/api/patients/find", &json!({ "residentId": RESIDENT_ID })).await;
    assert_eq!(found["items"], json!([]));
    let nobody = "ab".repeat(32);
    for path in ["", "/documents", "/consents", "/history", "/audit"] {
        let [hidden, unknown] = [&subject, &nobody].map(|one| format!("/api/patients/{one}{path}"));
        let hidden = stranger.request("GET", &hidden, "", b"").await;
        let unknown = stranger.request("GET", &unknown, "", b"").await;
        assert_eq!((hidden.status, hidden.text()), (404, unknown.text()), "{path}");
    }
    let entry = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let history = entry.get(&format!("/api/patients/{subject}/documents")).await;
    let entry = history["items"][0]["entry"].as_str().unwrap();
    for person in [&stranger, &desk] {
        let refused = person.request("GET", &format!("/api/documents/qzrm/{entry}"), "", b"").await;
        assert!((403..=404).contains(&refused.status), "{}", refused.text());
    }
    let it = Person::with_account(&node, "it", "it", None).await;
    assert_eq!(it.request("GET", "/api/patients", "", b"").await.status, 403);
    assert_eq!(it.get("/api/region").await["me"]["code"], "qzrm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_consents_at_the_desk_sees_it_and_takes_it_back() {
    let node = fed().await;
    let desk = Person::with_account(&node, "desk", "desk", None).await;
    let subject = desk.find().await;
    let consents = format!("/api/patients/{subject}/consents");
    let until = "2099-12-01T00:00:00+08:00";
    let request = json!({ "organisation": "qzrm", "classes": ["laboratory"], "purposes": ["treatment"], "validUntil": until });
    let notice = desk.post("/api/notice", &request).await;
    assert!(notice["paragraphs"].to_string().contains("0571-00000000"), "{notice}");
    let mut new = json!({
        "stance": "permit", "organisation": "qzrm", "classes": ["laboratory"], "sensitivities": ["normal"],
        "purposes": ["treatment"], "validUntil": until, "basis": "separate-consent",
        "notice": { "version": "0" }, "evidence": { "sheet": "2026-1", "identifiedBy": "身份证原件" },
    });
    assert_eq!(desk.send("POST", &consents, &new).await.status, 409, "an older notice");
    new["notice"]["version"] = notice["version"].clone();
    let recorded = desk.post(&consents, &new).await;
    let listed = desk.get(&consents).await;
    assert_eq!(listed["items"][0]["id"], recorded["ids"][0]);
    assert_eq!(
        (&listed["items"][0]["proof"], &listed["items"][0]["stance"]),
        (&"desk-witness".into(), &"permit".into())
    );

    let account = desk.post(&format!("/api/patients/{subject}/account"), &json!({})).await;
    let (login, once) = (account["login"].as_str().unwrap(), account["oneTimePassword"].as_str().unwrap());
    let patient = Person::first_signed_in(node.http, login, once).await;
    assert_eq!(
        patient.request("GET", &consents, "", b"").await.status,
        403,
        "a patient has the own record only"
    );
    let own = patient.get("/api/me/consents").await;
    let revoke = format!("/api/me/consents/{}/revoke", own["items"][0]["id"].as_str().unwrap());
    patient.post(&revoke, &json!({ "reason": "patient-wish" })).await;
    let ended = crate::rig::until("the end of the consent", async || {
        let own = patient.get("/api/me/consents").await;
        assert_eq!(own["items"], json!([]));
        own["ended"].get(0).cloned()
    })
    .await;
    assert_eq!(desk.get(&consents).await["ended"], json!([ended]));
    let facts = ["id", "end", "reason"].map(|name| ended[name].as_str().unwrap_or_default());
    assert_eq!(facts, [own["items"][0]["id"].as_str().unwrap(), "revoked", "patient-wish"]);
    assert_eq!((&ended["endedBy"]["code"], &ended["recordedBy"]["code"]), (&json!("qzrm"), &json!("qzrm")));
    assert!(ended["endedAt"].as_str() >= ended["acceptedAt"].as_str(), "{ended}");
    let again = patient.send("POST", &revoke, &json!({ "reason": "patient-wish" })).await;
    assert_eq!(again.status, 404);

    let seen = crate::rig::until("the events", async || {
        let seen = patient.get("/api/me/history").await;
        let acts = texts(&seen["items"], "act");
        ["consent", "revocation"].iter().all(|act| acts.iter().any(|known| known == act)).then_some(seen)
    })
    .await;
    let count = |act: &str| texts(&seen["items"], "act").iter().filter(|known| **known == act).count();
    assert_eq!((count("consent"), count("revocation")), (1, 1), "{seen}");
    let sentences = texts(&seen["items"], "text");
    assert!(sentences.iter().any(|text| text == "桥州市人民医院登记了您撤回或取消的授权。"), "{sentences:?}");
    let other = desk.post(&format!("/api/patients/{subject}/account"), &json!({})).await;
    assert_eq!(other["login"], account["login"], "one patient, one login");
    assert_eq!(
        patient.request("GET", "/api/me/consents", "", b"").await.status,
        401,
        "another password ends sessions"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_waits_is_changed_and_thrown_away_and_is_nobody_elses() {
    let node = fed().await;
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let subject = doctor.find().await;
    let history = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    let entry = json!({ "holder": "qzrm", "entry": history["items"][0]["entry"] });
    let form = json!({
        "toDepartment": "NX01", "urgency": "urgent", "direction": "up", "impression": "心绞痛\n高血压", "presentIllness": "胸痛3天。",
        "pastHistory": "", "course": "", "reason": "", "plan": "", "physicianPhone": "0999-1",
    });
    let mut draft = json!({ "subject": subject, "to": "qzdx", "form": form, "entries": [entry] });
    let saved = doctor.post("/api/referrals/drafts", &draft).await;
    assert_eq!((&saved["state"], &saved["form"]["impression"]), (&"draft".into(), &"心绞痛\n高血压".into()));
    assert_eq!((saved["documents"].as_array().unwrap().len(), &saved["patientName"]), (1, &"陈志远".into()));
    let id = saved["id"].as_str().unwrap();
    draft["form"]["reason"] = "需造影。".into();
    let path = format!("/api/referrals/drafts/{id}");
    let changed = doctor.send("PUT", &path, &draft).await.json();
    assert_eq!((&changed["id"], &changed["form"]["reason"]), (&id.into(), &"需造影。".into()));
    assert_eq!(texts(&doctor.get("/api/referrals/sent").await["items"], "id"), [id]);
    let other = Person::with_account(&node, "10218", "doctor", Some("0203")).await;
    assert_eq!(other.request("GET", &format!("/api/referrals/qzrm/{id}"), "", b"").await.status, 404);
    let sent = doctor.send("POST", &format!("/api/referrals/qzrm/{id}/act"), &json!({ "act": "send" })).await;
    assert_eq!(sent.status, 422, "no such member: {}", sent.text());
    draft["form"]["urgency"] = "soon".into();
    let unfit = doctor.send("PUT", &path, &draft).await;
    assert_eq!((unfit.status, &unfit.json()["field"]), (422, &"form.urgency".into()));
    assert_eq!(doctor.request("DELETE", &path, "", b"").await.status, 204);
    assert_eq!(doctor.get("/api/referrals/sent").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_patients_who_wait_for_tokens_are_said_on_the_hospital_s_page() {
    let node = Node::started().await;
    let desk = Person::with_account(&node, "desk", "desk", None).await;
    let tokens = async || desk.get("/api/region").await["outbox"]["tokens"].clone();
    assert_eq!(tokens().await, Value::Null);
    node.region.allows_tokens(1);
    all_know(&[&node]).await;
    let messages = about(&[Role::WalkIn, Role::Referred, Role::Revoker]);
    let mut line = node.mllp().await;
    for message in messages.iter().filter(|feed| is_message(feed)) {
        assert!(line.send(&message.bytes).await.unwrap().starts_with("MSA|AA|"));
    }
    let said = until("the alarm", async || Some(tokens().await).filter(|said| *said != Value::Null)).await;
    assert!(said["patients"].as_u64() > Some(0) && said["until"].is_string(), "{said}");
    let nearly = desk.get("/api/region").await["outbox"]["nearly"].clone();
    assert_eq!((&nearly["allowed"], nearly["used"].as_u64() >= Some(1)), (&json!(1), true), "{nearly}");
}
