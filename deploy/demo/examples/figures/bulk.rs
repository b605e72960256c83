//! The longest documents that a door takes, from A to C: one alone, 200 MB as three at once, and a revocation while those are
//! on their way.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::scene::{Person, Row, Scene};
use crate::spread::Spread;
use crate::{floor, say};

/// What `POST /api/intake` takes: a report in FHIR is kept whole, as one document.
const DOCUMENT_BYTES: usize = 64 << 20;
/// Documents: together 201 MB.
const DOCUMENTS: usize = 3;
/// Times that each measurement is made.
const ROUNDS: usize = 5;
/// How long the documents are on their way when their patient takes the consent back.
const UNDER_WAY: Duration = Duration::from_millis(200);

pub(crate) fn measure(scene: &Scene) -> anyhow::Result<()> {
    let taken = post_all(scene)?;
    let (desk, doctor) = (scene.desk_at_a()?, scene.doctor_at_c()?);
    let (mut small, mut alone, mut together, mut stopped) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let consent = desk.permit()?;
        for row in &large(&doctor)? {
            alone.push(megabytes(row.size) / fetched(&doctor, std::slice::from_ref(row))?.as_secs_f64());
        }
        revoked(&desk, &doctor, &consent)?;
        let consent = desk.permit()?;
        small.push(fetched(&doctor, &smallest(&doctor)?)?);
        let rows = large(&doctor)?;
        let all: u64 = rows.iter().map(|row| row.size).sum();
        together.push(megabytes(all) / fetched(&doctor, &rows)?.as_secs_f64());
        revoked(&desk, &doctor, &consent)?;
        stopped.push(stop_under_way(&desk, &doctor)?);
    }
    let disk = floor::appends(scene.folder_of_a()?, &vec![7; DOCUMENT_BYTES], ROUNDS)?;
    let disk = disk.iter().map(|time| megabytes(DOCUMENT_BYTES as u64) / time.as_secs_f64());
    say(&format!(
        "\ndocuments of {:.1} MB, the longest that /api/intake takes, MB/s",
        megabytes(DOCUMENT_BYTES as u64)
    ));
    say(&format!("  handed in at A until indexed                    {}", Spread::of(taken).rates()));
    say(&format!("  one alone, asked for at C until it is there     {}", Spread::of(alone).rates()));
    say(&format!("  201 MB as three at once                         {}", Spread::of(together).rates()));
    say(&format!("    floor: as many bytes written with fdatasync   {}", Spread::of(disk.collect()).rates()));
    say("the same way, ms");
    say(&format!("  one small document, asked for until it is there {}", Spread::of_times(&small)));
    say(&format!("  revocation answered until 3 pulls have ended    {}", Spread::of_times(&stopped)));
    Ok(())
}

/// Hands the documents in at A; gives MB/s of each.
fn post_all(scene: &Scene) -> anyhow::Result<Vec<f64>> {
    let (client, resident_id) = (scene.reports_of_a()?, scene.resident_id()?);
    let mut rates = Vec::new();
    for number in 0..DOCUMENTS {
        let report = report(&resident_id, number);
        let began = Instant::now();
        let answer = client.send("POST", "/api/intake", "application/fhir+json", report.as_bytes())?;
        rates.push(megabytes(report.len() as u64) / began.elapsed().as_secs_f64());
        let answer = answer.json_of("/api/intake")?;
        let outcome = answer.get("outcome").and_then(Value::as_str).unwrap_or_default();
        ensure!(outcome == "indexed", "a long report was answered by {outcome}");
    }
    Ok(rates)
}

/// A report with a scanned form, as long as a door takes it.
fn report(resident_id: &str, number: usize) -> String {
    let with_form = |form: &str| {
        json!({
            "resourceType": "DiagnosticReport",
            "identifier": [{ "system": "https://qzrm.example/sid/report", "value": format!("LONG{number}") }],
            "status": "final",
            "code": { "text": "胸部CT平扫" },
            "subject": { "identifier": { "system": "urn:oid:2.16.156.10011.1.3", "value": resident_id } },
            "effectiveDateTime": "2026-11-01T08:00:00+08:00",
            "presentedForm": [{ "contentType": "application/pdf", "data": form }],
        })
        .to_string()
    };
    let room = DOCUMENT_BYTES - with_form("").len();
    with_form(&"A".repeat(room - room % 4))
}

/// The long documents as C finds them.
fn large(doctor: &Person) -> anyhow::Result<Vec<Row>> {
    let began = Instant::now();
    loop {
        doctor.search()?;
        let mut rows = doctor.of_a()?;
        rows.retain(is_large);
        if rows.len() == DOCUMENTS {
            return Ok(rows);
        }
        ensure!(began.elapsed().as_secs() < 60, "C finds {} long documents", rows.len());
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

/// Takes the consent back and waits until the long documents are gone from C.
fn revoked(desk: &Person, doctor: &Person, consent: &str) -> anyhow::Result<()> {
    desk.revoke(consent)?;
    doctor.until("the documents to be gone", |rows| !rows.iter().any(|row| row.state == "held")).map(drop)
}

/// Takes the consent back while the long documents are on their way: none arrives.
fn stop_under_way(desk: &Person, doctor: &Person) -> anyhow::Result<Duration> {
    let consent = desk.permit()?;
    doctor.fetch(&large(doctor)?)?;
    std::thread::sleep(UNDER_WAY);
    let coming = |rows: &[Row]| rows.iter().filter(|row| is_large(row) && row.state == "wanted").count();
    let under_way = coming(&doctor.of_a()?);
    ensure!(
        under_way == DOCUMENTS,
        "{under_way} documents were on their way when the consent was taken back"
    );
    desk.revoke(&consent)?;
    let answered = Instant::now();
    let rows = doctor.until("the pulls to end", |rows| coming(rows) == 0)?;
    let took = answered.elapsed();
    let came = rows.iter().any(|row| is_large(row) && matches!(row.state.as_str(), "held" | "opened"));
    ensure!(!came, "a document arrived after the consent to it was taken back");
    Ok(took)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
