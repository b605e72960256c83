//! What the FHIR door answers to requests that it does not carry out: a status, and an OperationOutcome that says what to do and
//! quotes nobody's data.
//!
//! Not here: resources that are wrong: `fhir_elements`; what is kept, and what is to be sent again: `fhir_answers`.

use serde_json::{Value, json};
use yiqiao_simnet::story::Role;

use crate::feeds::about;
use crate::fhir::{EVERYTHING, FHIR, FORM, RESIDENT, System, deliver, permit, resident};
use crate::fhir_elements::changed;
use crate::rig::Node;
use crate::wire::{self, Answer};

/// A request and what must come of it: status, FHIR IssueType, and words that the diagnostics must have.
pub(crate) struct Case {
    method: &'static str,
    path: String,
    headers: String,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    says: &'static str,
}

impl Case {
    pub(crate) fn new(
        method: &'static str,
        path: impl Into<String>,
        expected: (u16, &'static str, &'static str),
    ) -> Self {
        let (status, code, says) = expected;
        Self { method, path: path.into(), headers: String::new(), body: Vec::new(), status, code, says }
    }

    fn get(path: impl Into<String>, expected: (u16, &'static str, &'static str)) -> Self {
        Self::new("GET", path, expected)
    }

    /// A resource that is sent.
    pub(crate) fn json(
        method: &'static str,
        path: impl Into<String>,
        body: &(impl ToString + ?Sized),
        expected: (u16, &'static str, &'static str),
    ) -> Self {
        Self::new(method, path, expected).with(&format!("Content-Type: {FHIR}"), body.to_string().as_bytes())
    }

    /// A search by form.
    fn form(path: &str, body: &[u8], expected: (u16, &'static str, &'static str)) -> Self {
        Self::new("POST", path, expected).with(&format!("Content-Type: {FORM}"), body)
    }

    pub(crate) fn with(mut self, header: &str, body: &[u8]) -> Self {
        self.headers.push_str(&format!("{header}\r\n"));
        self.body = body.to_vec();
        self
    }

    fn header(self, header: &str) -> Self {
        let body = self.body.clone();
        self.with(header, &body)
    }

    /// Sends it, and checks what comes.
    async fn holds(&self, system: &System<'_>, number: &str) -> Answer {
        let answer = self.send(system).await;
        self.check(&answer, number).unwrap_or_else(|fault| panic!("{}", self.told(fault, &answer)));
        answer
    }

    async fn send(&self, system: &System<'_>) -> Answer {
        system.ask(self.method, &self.path, &self.headers, &self.body).await
    }

    fn check(&self, answer: &Answer, number: &str) -> Result<(), &'static str> {
        let issue = try_issue_of(answer)?;
        let says = issue["diagnostics"].as_str().is_some_and(|text| text.contains(self.says));
        let quotes = answer.text().contains(number) || answer.head.contains(number);
        match (answer.status == self.status, issue["code"] == self.code, says, quotes) {
            (false, ..) => Err("another status"),
            (_, false, ..) => Err("another code"),
            (_, _, false, _) => Err("other diagnostics"),
            (.., true) => Err("a patient's number in it"),
            (true, true, true, false) => Ok(()),
        }
    }

    fn told(&self, fault: &str, answer: &Answer) -> String {
        let Self { method, path, status, code, says, .. } = self;
        let shown: String = path.chars().take(200).collect();
        format!(
            "{fault}: {method} {shown}: expected {status} {code} {says:?}, got {} {}",
            answer.status,
            answer.text()
        )
    }
}

/// The one issue of an OperationOutcome that has all that it must have.
pub(crate) fn issue_of(answer: &Answer) -> Value {
    try_issue_of(answer).unwrap_or_else(|fault| panic!("{fault}: {}\n{}", answer.head, answer.text()))
}

fn try_issue_of(answer: &Answer) -> Result<Value, &'static str> {
    if answer.header("content-type") != Some(FHIR) {
        return Err("another media type");
    }
    let outcome = answer.json();
    let Some([issue]) = outcome["issue"].as_array().map(Vec::as_slice) else { return Err("not one issue") };
    let severity = issue["severity"].as_str().unwrap_or_default();
    // What is wrong, and after the colon what to do about it.
    let (_, act) = issue["diagnostics"].as_str().unwrap_or_default().split_once(": ").unwrap_or_default();
    match (outcome["resourceType"] == "OperationOutcome", severity, issue["code"].is_string(), act) {
        (false, ..) => Err("no OperationOutcome"),
        (_, _, false, _) => Err("no code"),
        (.., "") => Err("nothing said of what to do"),
        (_, _, _, _) if !issue["details"]["coding"][0]["display"].is_string() => Err("nothing in Chinese"),
        (_, "fatal" | "error" | "information", ..) => Ok(issue.clone()),
        _ => Err("no severity"),
    }
}

pub(crate) async fn all_hold(system: &System<'_>, cases: Vec<Case>) {
    let number = resident(Role::WalkIn);
    let mut faults = Vec::new();
    for case in &cases {
        let answer = case.send(system).await;
        faults.extend(case.check(&answer, &number).err().map(|fault| case.told(fault, &answer)));
    }
    assert!(faults.is_empty(), "of {} requests:\n{}", cases.len(), faults.join("\n"));
    assert!(!system.node.said().contains(&number), "a patient's number is in no log");
}

/// What stands for an id that nothing has.
pub(crate) fn nobody() -> String {
    "ab".repeat(32)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_wrong_is_answered_with_the_parameter_and_what_it_takes() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let number = resident(Role::WalkIn);
    let who = format!("patient.identifier={RESIDENT}%7C{number}");
    let document = |rest: &str| format!("/fhir/DocumentReference?{who}&{rest}");
    let value = |says| (400, "value", says);
    let unknown = |says| (400, "not-supported", says);
    let mut cases = vec![
        Case::get(
            format!("/fhir/Patient?identifier={number}&_has=x"),
            unknown("parameter _has is not supported"),
        ),
        Case::get(format!("/fhir/Patient?identifier={number}&_sort=name"), unknown("_sort")),
        Case::get(format!("/fhir/Patient?identifier={number}&{number}=1"), unknown("(not a name)")),
        Case::get(format!("/fhir/Patient?name={number}"), unknown("parameter name is not supported")),
        Case::get("/fhir/Patient?identifier=", value("identifier")),
        Case::get(format!("/fhir/Patient?identifier=a%7Cb%7C{number}"), value("value or system|value")),
        Case::get(format!("/fhir/Patient?identifier={number}&identifier={number}"), value("once")),
        Case::get("/fhir/Patient", (403, "too-costly", "identifier, _id")),
        Case::get("/fhir/DocumentReference?status=current", (403, "too-costly", "patient.identifier")),
        Case::get("/fhir/Consent?status=active", (403, "too-costly", "patient.identifier")),
        Case::get("/fhir/Task", (403, "too-costly", "status")),
        Case::get("/fhir/ServiceRequest", (403, "too-costly", "status")),
        Case::get(format!("/fhir/DocumentReference?patient=Patient/{number}"), value("patient is not valid")),
        Case::get(document(&who), value("one patient, named once")),
        Case::get("/fhir/DocumentReference?patient.identifier=%7C", value("patient.identifier")),
        Case::get(format!("/fhir/Patient?_id={}", "a,".repeat(65)), (413, "too-long", "alternatives")),
        Case::get(format!("/fhir/Patient?{}", "_id=a&".repeat(65)), (413, "too-long", "64")),
        Case::get(format!("/fhir/Patient?_id={}", "a".repeat(17 << 10)), (413, "too-long", "16384")),
        Case::get("/fhir/Task?status=started", value("requested, received")),
        Case::get("/fhir/ServiceRequest?status=draft", value("active, completed or revoked")),
        Case::get(format!("/fhir/Consent?{who}&status=proposed"), value("active, inactive")),
        Case::get("/fhir/Patient?_id=a&_format=xml", (406, "not-supported", "application/fhir+json")),
        Case::get("/fhir/Patient?_id=a", (406, "not-supported", "application/fhir+json"))
            .header("Accept: application/fhir+xml"),
        Case::get("/fhir/Patient?_id=a", (406, "not-supported", "application/fhir+json"))
            .header("Accept: application/fhir+json; fhirVersion=3.0"),
        Case::form(
            "/fhir/Patient/_search",
            b"_id=a&_format=xml",
            (406, "not-supported", "application/fhir+json"),
        ),
        Case::form("/fhir/Patient/_search", b"identifier=\xff\xfe", (422, "processing", "UTF-8")),
        Case::form("/fhir/Patient/_search", format!("{number}={number}").as_bytes(), unknown("(not a name)")),
        Case::form("/fhir/Patient/_search", &vec![b'a'; 17 << 10], (413, "too-long", "16384")),
        Case::form("/fhir/Patient/_search", &vec![b'a'; 2 << 20], (413, "too-long", "16384")),
        Case::json("POST", "/fhir/Patient/_search", "{}", (415, "not-supported", FORM)),
    ];
    for name in ["_include", "_revinclude", "_lastUpdated", "date:above"] {
        cases.push(Case::get(document(&format!("{name}=x")), unknown(name)));
    }
    for (name, wrong) in [
        ("_summary", "x"),
        ("_count", "-1"),
        ("_count", "ten"),
        ("_count", "1.5"),
        ("_sort", "type"),
        ("_page", &*number),
        ("status", "draft"),
        ("status", "current,"),
        ("date", "2026-13-01"),
        ("date", "ge"),
        ("date", "yesterday"),
        ("creation", "2026-11-20T25:00:00Z"),
        ("period", &*number),
    ] {
        cases.push(Case::get(document(&format!("{name}={wrong}")), value(name)));
    }
    all_hold(&system, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_the_right_token_is_told_which_it_needs() {
    let node = Node::started().await;
    let token = node.token_for("lis", &["system/Patient.rs", "system/Consent.r", "system/Task.r"]).await;
    let number = resident(Role::WalkIn);
    let login = (401, "login", "Authorization: Bearer");
    let path = format!("/fhir/Patient?identifier={number}");
    for (headers, challenge) in [
        (String::new(), "Bearer realm=\"yiqiao\""),
        ("Authorization: Bearer nonsense\r\n".to_owned(), "error=\"invalid_token\""),
        (format!("Authorization: Bearer {token}x\r\n"), "error=\"invalid_token\""),
        (format!("Authorization: Basic {token}\r\n"), "Bearer realm=\"yiqiao\""),
        (format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"), "Bearer"),
    ] {
        let answer = wire::try_request(node.http, "GET", &path, &headers, b"").await.unwrap();
        assert_eq!((answer.status, &issue_of(&answer)["code"]), (401, &json!(login.1)), "{headers}");
        assert!(answer.header("www-authenticate").unwrap().contains(challenge), "{}", answer.head);
        assert!(!answer.text().contains(&number) && !answer.head.contains(&number));
    }
    let system = System { node: &node, token };
    let missing = |scope| (403, "forbidden", scope);
    let sent = permit(&nobody());
    for case in [
        Case::get(format!("/fhir/DocumentReference?patient={number}"), missing("system/DocumentReference.s")),
        Case::get(format!("/fhir/DocumentReference/{number}"), missing("system/DocumentReference.r")),
        Case::get(format!("/fhir/Binary/{number}"), missing("system/Binary.r")),
        Case::get("/fhir/Task?status=requested", missing("system/Task.s")),
        Case::get("/fhir/ServiceRequest?status=active", missing("system/ServiceRequest.s")),
        Case::json("POST", "/fhir/Consent", &sent, missing("system/Consent.c")),
        Case::json("PUT", format!("/fhir/Consent/{number}"), &sent, missing("system/Consent.u")),
        Case::json("PUT", format!("/fhir/Task/{number}"), "{}", missing("system/Task.u")),
        Case::json("POST", "/fhir/Binary", "{}", missing("system/Binary.c")),
        Case::json("POST", "/fhir", "{}", missing("system/Bundle.c")),
    ] {
        let answer = case.holds(&system, &number).await;
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""));
    }
    node.does(&["client", "disable", "lis"]).await;
    Case::get(path, login).holds(&system, &number).await;
    node.does(&["client", "disable", "lis", "--restore"]).await;
    Case::get("/fhir/Task/x", login).holds(&system, &number).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_at_an_address_is_answered_with_what_is() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let number = resident(Role::WalkIn);
    let elsewhere = (404, "not-supported", "CapabilityStatement");
    let method = (405, "not-supported", "CapabilityStatement");
    let mut cases = vec![
        Case::get("/fhir/DiagnosticReport", elsewhere),
        // What documents say is searched, and has no address.
        Case::get(format!("/fhir/Observation/{number}"), elsewhere),
        Case::get(format!("/fhir/Patient/{number}/_history/1"), elsewhere),
        Case::get("/fhir/Patient/", elsewhere),
        Case::get(format!("/fhir/{number}/{number}"), elsewhere),
        Case::new("DELETE", format!("/fhir/Patient/{number}"), method),
        Case::json("PATCH", format!("/fhir/Task/{number}"), "[]", method),
        Case::json("POST", "/fhir/Patient", "{}", method),
        Case::json("PUT", format!("/fhir/ServiceRequest/{number}"), "{}", method),
        Case::get("/fhir/Patient/_search?_id=a", method),
        Case::get("/fhir/Consent/1.ab", (404, "not-found", "Consent")),
        Case::json("PUT", "/fhir/Task/nonsense", "{}", (404, "not-found", "Task")),
        // Neither a text nor an id.
        Case::get("/fhir/Patient/%FF%FE", (400, "invalid", "UTF-8")),
        Case::get("/fhir/Binary/%FF", (400, "invalid", "UTF-8")),
    ];
    for (kind, named) in [
        ("Patient", "Patient"),
        ("DocumentReference", "document"),
        ("Binary", "document"),
        ("ServiceRequest", "ServiceRequest"),
        ("Task", "Task"),
        ("Consent", "Consent"),
    ] {
        for id in [nobody(), number.clone()] {
            cases.push(Case::get(format!("/fhir/{kind}/{id}"), (404, "not-found", named)));
        }
    }
    all_hold(&system, cases).await;
    let post = Case::json("POST", "/fhir/Patient", "{}", method).holds(&system, &number).await;
    assert!(post.header("allow").unwrap().contains("GET"), "{}", post.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_or_a_range_that_does_not_fit_is_told_what_would() {
    let node = Node::started().await;
    let token = node.token_for("emr", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn])).await;
    node.published().await;
    let system = System { node: &node, token };
    let number = resident(Role::WalkIn);
    let documents =
        system.all("DocumentReference", &format!("patient.identifier={RESIDENT}%7C{number}")).await;
    let binary = format!("/fhir/{}", documents[0]["content"][0]["attachment"]["url"].as_str().unwrap());
    let size = documents[0]["content"][0]["attachment"]["size"].as_u64().unwrap();
    let behind = Case::get(&*binary, (416, "value", "bytes")).header(&format!("Range: bytes={size}-"));
    let answer = behind.holds(&system, &number).await;
    assert_eq!(answer.header("content-range"), Some(&*format!("bytes */{size}")));
    for odd in ["bytes=9-1", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5", "bytes="] {
        let whole = system.ask("GET", &binary, &format!("Range: {odd}\r\n"), b"").await;
        assert_eq!(
            (whole.status, whole.body.len() as u64),
            (200, size),
            "what is no range gets the whole: {odd}"
        );
    }

    let patient = documents[0]["subject"]["reference"].as_str().unwrap().rsplit('/').next().unwrap();
    let made = system.post("/fhir/Consent", FHIR, &permit(patient).to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let path = format!("/fhir/Consent/{}", made.json()["id"].as_str().unwrap());
    crate::rig::until("the consent on the feed", async || {
        (system.get(&path).await.status == 200).then_some(())
    })
    .await;
    let ended = changed(made.json(), "/status", json!("inactive"));
    for tag in ["W/\"7\"", "\"x\"", "*x"] {
        let stale = Case::json("PUT", &*path, &ended, (412, "conflict", "If-Match"))
            .header(&format!("If-Match: {tag}"));
        stale.holds(&system, &number).await;
    }
    let stranger = changed(permit(patient), "/provision/actor/0/reference/identifier/value", json!("nobody"));
    let named = (422, "value", "Consent.provision.actor");
    let left_out = json!([{"type": "deny", "actor": stranger["provision"]["actor"]}]);
    let mut without = permit(patient);
    without["provision"]["provision"] = left_out;
    for consent in [stranger, without] {
        Case::json("POST", "/fhir/Consent", &consent, named).holds(&system, &number).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_turned_away_before_the_door_speaks_its_words_too() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let number = resident(Role::WalkIn);
    let foreign = Case::json("POST", "/fhir", "{}", (403, "security", "without Origin"))
        .header("Origin: http://elsewhere.example");
    foreign.holds(&system, &number).await;
    for path in ["/fhir", "/fhir/metadata", "/fhir/Patient?identifier=a"] {
        let elsewhere = Case::get(format!("http://elsewhere.example{path}"), (421, "security", "http.hosts"));
        elsewhere.holds(&system, &number).await;
    }
}
