//! The region, and what people and systems do at its doors: nothing but what their pages and programs do.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use yiqiao_demo::cast;
use yiqiao_demo::client::{Answer, Client};
use yiqiao_demo::facts::HospitalFacts;
use yiqiao_demo::feed::{Mllp, ack_code};
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::region::{Options, Region};
use yiqiao_simnet::hospitals::{PEOPLES, UNIVERSITY};
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::{Patient, Town};

use crate::say;

/// The hospitals of the story.
const HOSPITALS: usize = 3;
/// Whose documents cross: known to A and C.
const PATIENT: Role = Role::WalkIn;
/// How long something may take to become true.
const PATIENCE: Duration = Duration::from_secs(30);

/// A region that runs, in a folder of its own.
pub(crate) struct Scene {
    town: Town,
    pub(crate) region: Region,
    folder: TempDir,
}

/// Somebody at a page of one patient.
pub(crate) struct Person {
    client: Client,
    subject: String,
}

/// A document in a list.
#[derive(Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) holder: String,
    pub(crate) entry: String,
    pub(crate) state: String,
    pub(crate) size: u64,
    reason: Option<Reason>,
}

#[derive(Clone, Deserialize)]
struct Reason {
    clause: String,
}

/// The laboratory system of A.
pub(crate) struct Lab {
    mllp: Mllp,
    number: String,
    resident_id: String,
    /// The letter with which the ids of its reports begin.
    series: char,
    sent: u32,
}

impl Scene {
    pub(crate) fn set_up(programs: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for the region")?;
        let town = cast::town(jiff::Zoned::now().date());
        let options = Options { programs: programs.to_owned(), ports: Choice::Free, hospitals: HOSPITALS };
        let region = Region::set_up(Place::new(folder.path())?, &options, &town, &mut |_| ())?;
        Ok(Self { town, region, folder })
    }

    /// What the hospitals' systems sent about the cast.
    pub(crate) fn feed(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        let cast = Role::ALL.len();
        let sent = self.region.feed(&self.town, |patient| patient < cast, &mut |_| ())?;
        let fed = began.elapsed().as_secs_f32();
        self.region.wait_until_published(&mut |_| ())?;
        let all = began.elapsed().as_secs_f32();
        say(&format!(
            "the cast: {sent} messages and documents in after {fed:.1} s, published after {all:.1} s"
        ));
        Ok(())
    }

    /// The folder of A's node.
    pub(crate) fn folder_of_a(&self) -> anyhow::Result<&Path> {
        Ok(&self.region.facts().hospital(PEOPLES.letter)?.node.folder)
    }

    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.region.stop()?;
        Ok(self.folder.close()?)
    }

    /// The desk of A.
    pub(crate) fn desk_at_a(&self) -> anyhow::Result<Person> {
        self.person(PEOPLES.letter, "desk")
    }

    /// The doctor at C whom the patient saw last.
    pub(crate) fn doctor_at_c(&self) -> anyhow::Result<Person> {
        let letter = UNIVERSITY.letter;
        let visit = self.patient()?.visits.iter().rfind(|visit| visit.hospital.letter == letter);
        self.person(letter, visit.context("the patient was at C")?.doctor.code)
    }

    fn person(&self, letter: char, login: &str) -> anyhow::Result<Person> {
        let client = Client::at(&self.hospital(letter)?.node.url);
        client.sign_in(login, cast::PASSWORD)?;
        let found = client.post("/api/patients/find", &json!({ "residentId": self.resident_id()? }))?;
        let subject = found.pointer("/items/0/subject").and_then(Value::as_str);
        let subject = subject.with_context(|| format!("{login} at {letter} finds the patient"))?.to_owned();
        Ok(Person { client, subject })
    }

    /// The laboratory system of A with reports of a series of their own.
    pub(crate) fn lab_at_a(&self, series: char) -> anyhow::Result<Lab> {
        let hospital = self.hospital(PEOPLES.letter)?;
        let (_, address) = hospital.mllp.iter().find(|(system, _)| system == "lis").context("A has a LIS")?;
        let registration = self.patient()?.registrations.get(&PEOPLES.letter);
        Ok(Lab {
            mllp: Mllp::connect(address)?,
            number: registration.context("the patient has a number of A")?.number.clone(),
            resident_id: self.resident_id()?,
            series,
            sent: 0,
        })
    }

    /// A's system for reports in FHIR, signed in.
    pub(crate) fn reports_of_a(&self) -> anyhow::Result<Client> {
        let hospital = self.hospital(PEOPLES.letter)?;
        let system = hospital.systems.first().context("A has a system with a client id")?;
        let client = Client::at(&hospital.node.url);
        client.authorize(&system.client, &system.secret)?;
        Ok(client)
    }

    pub(crate) fn resident_id(&self) -> anyhow::Result<String> {
        Ok(self.patient()?.person.resident_id.to_string())
    }

    fn patient(&self) -> anyhow::Result<&Patient> {
        self.town.cast(PATIENT).context("the cast is in the town")
    }

    fn hospital(&self, letter: char) -> anyhow::Result<&HospitalFacts> {
        self.region.facts().hospital(letter)
    }
}

impl Person {
    /// Records the patient's consent that C sees everything, waits until the nodes know it, and gives its id.
    pub(crate) fn permit(&self) -> anyhow::Result<String> {
        let wish = json!({
            "organisation": UNIVERSITY.member, "classes": [], "purposes": ["treatment"], "validUntil": null,
        });
        let notice = self.client.post("/api/notice", &wish)?;
        let consent = json!({
            "stance": "permit",
            "organisation": UNIVERSITY.member,
            "classes": [],
            "sensitivities": [],
            "purposes": ["treatment"],
            "validUntil": null,
            "basis": "separate-consent",
            "notice": { "version": notice.get("version") },
            "evidence": { "sheet": "2026-000123", "identifiedBy": "居民身份证" },
        });
        let recorded = self.client.post(&self.of_patient("consents"), &consent)?;
        Ok(recorded.pointer("/ids/0").and_then(Value::as_str).context("a consent has an id")?.to_owned())
    }

    /// Takes a consent back.
    pub(crate) fn revoke(&self, consent: &str) -> anyhow::Result<()> {
        let path = self.of_patient(&format!("consents/{consent}/revoke"));
        self.client.post(&path, &json!({ "reason": "patient-wish" })).map(drop)
    }

    /// Asks the region what there is, and fetches nothing.
    pub(crate) fn search(&self) -> anyhow::Result<()> {
        self.client.post(&self.of_patient("fetch"), &json!({ "entries": [] })).map(drop)
    }

    /// Fetches these documents.
    pub(crate) fn fetch(&self, rows: &[Row]) -> anyhow::Result<()> {
        let entries: Vec<_> =
            rows.iter().map(|row| json!({ "holder": row.holder, "entry": row.entry })).collect();
        self.client.post(&self.of_patient("fetch"), &json!({ "entries": entries })).map(drop)
    }

    /// The patient's documents of A.
    pub(crate) fn of_a(&self) -> anyhow::Result<Vec<Row>> {
        let mut history = self.client.json(&self.of_patient("documents"))?;
        let items = history.get_mut("items").context("a list of documents has items")?;
        let mut rows: Vec<Row> = serde_json::from_value(items.take())?;
        rows.retain(|row| row.holder == PEOPLES.member);
        Ok(rows)
    }

    pub(crate) fn open(&self, row: &Row) -> anyhow::Result<Answer> {
        self.client.get(&format!("/api/documents/{}/{}", row.holder, row.entry))
    }

    /// Looks at A's documents until they are as wanted.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&[Row]) -> bool) -> anyhow::Result<Vec<Row>> {
        let began = Instant::now();
        loop {
            let rows = self.of_a()?;
            if is_so(&rows) {
                return Ok(rows);
            }
            let waited = PATIENCE.as_secs();
            ensure!(began.elapsed() < PATIENCE, "{what}: not so after {waited} s, but {:?}", states(&rows));
        }
    }

    fn of_patient(&self, what: &str) -> String {
        format!("/api/patients/{}/{what}", self.subject)
    }
}

impl Lab {
    /// One more report as HL7 v2.
    pub(crate) fn report(&mut self) -> String {
        self.sent += 1;
        format!(
            "MSH|^~\\&|LIS|QZRM|YIQIAO|QZRM|20261101080000||ORU^R01|{series}{id:06}|P|2.4||||||UNICODE UTF-8\r\
             PID|1||{number}^^^^51~{resident}^^^^1||刘素芬\r\
             OBR|1||{series}{id:06}|TSH^促甲状腺激素|||20261101073000||||||||||||||||||F\r\
             OBX|1|NM|TSH^促甲状腺激素||2.10|mIU/L|0.27-4.20|N|||F\r",
            series = self.series,
            id = self.sent,
            number = self.number,
            resident = self.resident_id,
        )
    }

    /// Sends a report; it is acknowledged when this returns.
    pub(crate) fn send(&mut self, report: &str) -> anyhow::Result<()> {
        let code = ack_code(&self.mllp.send(report.as_bytes())?)?;
        ensure!(code == "AA", "a report was answered by {code}");
        Ok(())
    }
}

/// How many documents are in which state, and why in the refused ones.
fn states(rows: &[Row]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let clause = row.reason.as_ref().map_or("", |reason| reason.clause.as_str());
        *counts.entry(format!("{} {clause}", row.state)).or_default() += 1;
    }
    counts
}
