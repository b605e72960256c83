//! A document of 200 MB from A to C, alone and with its patient's consent taken back while it is on its way.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use yiqiao_demo::spread::Spread;

use crate::scene::{Person, Row, Scene};
use crate::{floor, say};

/// A study: its bytes come in as a Binary, straight to the disk.
const DOCUMENT_BYTES: usize = 200_000_000;
/// Times that each measurement is made.
const ROUNDS: usize = 5;
/// How long the document is on its way when its patient takes the consent back.
const UNDER_WAY: Duration = Duration::from_millis(200);

pub(crate) fn measure(scene: &Scene) -> anyhow::Result<()> {
    let taken = hand_in(scene)?;
    let (desk, doctor) = (scene.desk_at_a()?, scene.doctor_at_c()?);
    let (mut small, mut long, mut stopped) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let consent = desk.permit()?;
        small.push(fetched(&doctor, &smallest(&doctor)?)?);
        let row = large(&doctor)?;
        long.push(megabytes(row.size) / fetched(&doctor, &[row])?.as_secs_f64());
        revoked(&desk, &doctor, &consent)?;
        stopped.push(stop_under_way(&desk, &doctor)?);
    }
    let disk = floor::appends(scene.folder_of_a()?, &vec![7; DOCUMENT_BYTES], ROUNDS)?;
    let disk = disk.iter().map(|time| megabytes(DOCUMENT_BYTES as u64) / time.as_secs_f64());
    say(&format!("\na document of {:.0} MB, MB/s", megabytes(DOCUMENT_BYTES as u64)));
    say(&format!("  handed in at A as a Binary until it is durable  {taken:.0}"));
    say(&format!("  asked for at C until it is there, verified      {}", Spread::of(long).rates()));
    say(&format!("    floor: as many bytes written with fdatasync   {}", Spread::of(disk.collect()).rates()));
    say("the same way, ms");
    say(&format!("  one small document, asked for until it is there {}", Spread::of_times(&small)));
    say(&format!("  revocation answered until its pull has ended    {}", Spread::of_times(&stopped)));
    Ok(())
}

/// Hands the document in at A, its content first (ITI-65); gives MB/s.
fn hand_in(scene: &Scene) -> anyhow::Result<f64> {
    let client = scene.reports_of_a()?;
    let content: Vec<u8> = (0_u8..251).cycle().take(DOCUMENT_BYTES).collect();
    let began = Instant::now();
    let kept = client.send("POST", "/fhir/Binary", "application/pdf", &content)?;
    let rate = megabytes(DOCUMENT_BYTES as u64) / began.elapsed().as_secs_f64();
    ensure!(kept.is_success(), "/fhir/Binary answered {}: {}", kept.status, kept.text());
    let url = kept.header("location").context("a Binary has a location")?.to_owned();
    let bundle = submission(&scene.resident_id()?, &url).to_string();
    let answer =
        client.send("POST", "/fhir", "application/fhir+json", bundle.as_bytes())?.json_of("/fhir")?;
    let status = answer.pointer("/entry/1/response/status").and_then(Value::as_str).unwrap_or_default();
    ensure!(status == "201 Created", "the document was answered by {status}");
    Ok(rate)
}

fn submission(resident_id: &str, url: &str) -> Value {
    let subject = json!({ "identifier": { "system": "urn:oid:2.16.156.10011.1.3", "value": resident_id } });
    let entry = |name: &str, kind: &str, resource: Value| json!({ "fullUrl": name, "resource": resource, "request": { "method": "POST", "url": kind } });
    let (list, document) =
        ("urn:uuid:00000000-0000-0000-0000-000000000001", "urn:uuid:00000000-0000-0000-0000-000000000002");
    let set = json!({
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "subject": subject,
        "entry": [{ "item": { "reference": document } }],
    });
    let reference = json!({
        "resourceType": "DocumentReference",
        "status": "current",
        "masterIdentifier": { "system": "https://qzrm.example/sid/report", "value": "LONG1" },
        "type": { "text": "胸部CT平扫" },
        "subject": subject,
        "date": "2026-11-01T08:00:00+08:00",
        "content": [{ "attachment": { "contentType": "application/pdf", "url": url, "size": DOCUMENT_BYTES } }],
    });
    let entries = [entry(list, "List", set), entry(document, "DocumentReference", reference)];
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

/// The long document as C finds it.
fn large(doctor: &Person) -> anyhow::Result<Row> {
    let began = Instant::now();
    loop {
        doctor.search()?;
        if let Some(row) = doctor.of_a()?.into_iter().find(is_large) {
            return Ok(row);
        }
        ensure!(began.elapsed().as_secs() < 60, "C does not find the long document");
    }
}

fn is_large(row: &Row) -> bool {
    row.size > DOCUMENT_BYTES as u64 / 2
}

/// The shortest document that is not at C.
fn smallest(doctor: &Person) -> anyhow::Result<Vec<Row>> {
    doctor.search()?;
    let mut rows = doctor.of_a()?;
    rows.retain(|row| matches!(row.state.as_str(), "findable" | "erased"));
    let row = rows.into_iter().min_by_key(|row| row.size);
    Ok(vec![row.context("a document that is not at C")?])
}

/// Asks for documents, and gives how long it takes until they are at C.
fn fetched(doctor: &Person, wanted: &[Row]) -> anyhow::Result<Duration> {
    let began = Instant::now();
    doctor.fetch(wanted)?;
    let is_here = |row: &Row| row.state == "held" || !wanted.iter().any(|one| one.entry == row.entry);
    doctor.until("the documents at C", |rows| rows.iter().all(is_here))?;
    Ok(began.elapsed())
}

/// Takes the consent back and waits until the documents are gone from C.
fn revoked(desk: &Person, doctor: &Person, consent: &str) -> anyhow::Result<()> {
    desk.revoke(consent)?;
    doctor.until("the documents to be gone", |rows| !rows.iter().any(|row| row.state == "held")).map(drop)
}

/// Takes the consent back while the long document is on its way: it does not arrive.
fn stop_under_way(desk: &Person, doctor: &Person) -> anyhow::Result<Duration> {
    let consent = desk.permit()?;
    doctor.fetch(&[large(doctor)?])?;
    std::thread::sleep(UNDER_WAY);
    let is_coming = |rows: &[Row]| rows.iter().any(|row| is_large(row) && row.state == "wanted");
    ensure!(is_coming(&doctor.of_a()?), "the document was not on its way when the consent was taken back");
    desk.revoke(&consent)?;
    let answered = Instant::now();
    let rows = doctor.until("the pull to end", |rows| !is_coming(rows))?;
    let took = answered.elapsed();
    let came = rows.iter().any(|row| is_large(row) && matches!(row.state.as_str(), "held" | "opened"));
    ensure!(!came, "a document arrived after the consent to it was taken back");
    Ok(took)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
