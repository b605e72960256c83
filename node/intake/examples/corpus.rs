//! Runs every file below a folder through the reader and counts how each message ends.
//!
//! `cargo run -p yiqiao-intake --example corpus -- DIR [--json ROWS]`: one line per kind (folder) and origin (file name
//! before `__`), then the reasons; ROWS gets one JSON object per message. A panic is counted and fails the run.
#![expect(clippy::print_stdout, reason = "a report is what this program is for")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use yiqiao_intake::dates::When;
use yiqiao_intake::facts::{Answer, Review, Understood};
use yiqiao_intake::intake::{Door, Item, read};
use yiqiao_intake::patient::Patient;

/// The ends of a message, and what must not happen.
const ENDS: [&str; 6] = ["indexed", "applied", "answered", "review", "refused", "PANIC"];

#[derive(Default)]
struct Tally {
    ends: BTreeMap<(String, String), BTreeMap<&'static str, usize>>,
    reasons: BTreeMap<(&'static str, String), usize>,
    rows: Vec<Value>,
}

fn main() -> Result<ExitCode, std::io::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else {
        println!("usage: corpus DIR [--json ROWS]");
        return Ok(ExitCode::FAILURE);
    };
    let rows =
        arguments.iter().position(|argument| argument == "--json").and_then(|at| arguments.get(at + 1));
    let mut files = Vec::new();
    list(Path::new(folder), &mut files)?;
    files.sort();
    let mut tally = Tally::default();
    for file in files {
        tally.file(&file)?;
    }
    tally.print();
    if let Some(path) = rows {
        let lines: Vec<String> = tally.rows.iter().map(Value::to_string).collect();
        std::fs::write(path, lines.join("\n") + "\n")?;
    }
    let panicked = tally.ends.values().any(|ends| ends.contains_key("PANIC"));
    Ok(if panicked { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), std::io::Error> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

impl Tally {
    fn file(&mut self, path: &Path) -> Result<(), std::io::Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let origin = name.split("__").next().unwrap_or_default().to_owned();
        let input = std::fs::read(path)?;
        let outcome = std::panic::catch_unwind(|| {
            let items = read(&input, &Door::any());
            let rendered = items.iter().any(|item| item.format == Some(yiqiao_intake::facts::Format::Cda))
                && yiqiao_intake::cda::render::sections(&input).is_ok();
            (items, rendered)
        });
        let place = (kind, origin);
        let Ok((items, rendered)) = outcome else {
            self.count(&place, "PANIC", name.clone());
            return Ok(());
        };
        self.check(&input, &items, &name);
        for (nth, item) in items.iter().enumerate() {
            self.item(&place, &name, nth, item, rendered);
        }
        Ok(())
    }

    /// Every byte that is not blank, framing or batch envelope belongs to one item.
    fn check(&mut self, input: &[u8], items: &[Item], name: &str) {
        let mut at = 0;
        for item in items {
            if item.span.start < at || item.span.end > input.len() {
                self.reasons
                    .entry(("LOST", format!("spans overlap in {name}")))
                    .and_modify(|n| *n += 1)
                    .or_insert(1);
            }
            let between = input.get(at..item.span.start).unwrap_or_default();
            if !is_envelope(between) {
                self.reasons.entry(("LOST", format!("bytes of {name}"))).and_modify(|n| *n += 1).or_insert(1);
            }
            at = item.span.end;
        }
        if !is_envelope(input.get(at..).unwrap_or_default()) {
            self.reasons.entry(("LOST", format!("the end of {name}"))).and_modify(|n| *n += 1).or_insert(1);
        }
    }

    fn item(&mut self, place: &(String, String), name: &str, nth: usize, item: &Item, rendered: bool) {
        let (end, reason) = ended(&item.outcome);
        self.count(place, end, reason.clone());
        let mut row = facts(item);
        if let Value::Object(fields) = &mut row {
            fields.extend([
                ("file".to_owned(), json!(name)),
                ("kind".to_owned(), json!(place.0)),
                ("origin".to_owned(), json!(place.1)),
                ("message".to_owned(), json!(nth)),
                ("start".to_owned(), json!(item.span.start)),
                ("outcome".to_owned(), json!(end)),
                ("reason".to_owned(), json!(reason)),
                ("rendered".to_owned(), json!(rendered)),
            ]);
        }
        self.rows.push(row);
    }

    fn count(&mut self, place: &(String, String), end: &'static str, reason: String) {
        *self.ends.entry(place.clone()).or_default().entry(end).or_default() += 1;
        *self.reasons.entry((end, reason)).or_default() += 1;
    }

    fn print(&self) {
        println!("{:<18} {:<22} {}", "kind", "origin", ENDS.map(|end| format!("{end:>9}")).concat());
        let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
        for ((kind, origin), ends) in &self.ends {
            let counts = ENDS.map(|end| format!("{:>9}", ends.get(end).copied().unwrap_or(0)));
            println!("{kind:<18} {origin:<22} {}", counts.concat());
            for (end, count) in ends {
                *totals.entry(end).or_default() += count;
            }
        }
        let counts = ENDS.map(|end| format!("{:>9}", totals.get(end).copied().unwrap_or(0)));
        println!("{:<18} {:<22} {}\n", "total", "", counts.concat());
        for ((end, reason), count) in &self.reasons {
            println!("{end:<9} {count:>5}  {reason}");
        }
    }
}

fn is_envelope(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text
        .split(['\r', '\n'])
        .map(|line| line.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}'));
    lines
        .all(|line| line.is_empty() || ["FHS", "BHS", "BTS", "FTS"].iter().any(|name| line.starts_with(name)))
}

fn ended<E: std::fmt::Display>(outcome: &Result<Understood, E>) -> (&'static str, String) {
    match outcome {
        Ok(Understood::Documents(documents)) => {
            let classes: Vec<String> =
                documents.iter().map(|document| format!("{:?}", document.kind.class)).collect();
            ("indexed", classes.join(", "))
        }
        Ok(Understood::Events(events)) => {
            let triggers: Vec<String> = events.iter().map(|event| format!("{:?}", event.trigger)).collect();
            ("applied", triggers.join(", "))
        }
        Ok(Understood::Answer(Answer::Response(kind))) => ("answered", format!("response {kind}")),
        Ok(Understood::Answer(Answer::Query(kind))) => ("answered", format!("query {kind}")),
        Ok(Understood::Answer(Answer::NotAboutPatients(kind))) => {
            ("answered", format!("not about patients: {kind}"))
        }
        Ok(Understood::Answer(Answer::QualityControl)) => ("answered", "control run".to_owned()),
        Ok(Understood::Answer(Answer::EmptyBatch)) => ("answered", "empty batch".to_owned()),
        Ok(Understood::Review(review)) => ("review", format!("{:?}", review.reason)),
        Err(refusal) => ("refused", refusal.to_string()),
    }
}

/// Synthetic patients only: this program prints identifiers.
fn facts(item: &Item) -> Value {
    let control = item.envelope.as_ref().map(|envelope| envelope.control_id.clone());
    match &item.outcome {
        Ok(Understood::Documents(documents)) => documents.first().map_or(Value::Null, |first| {
            let flags: Vec<String> = first.flags.iter().map(|flag| format!("{flag:?}")).collect();
            json!({
                "patient": primary(&first.patient), "type": first.kind.code.to_string(), "date": date(first.date),
                "flags": flags, "control": control, "documents": documents.len(), "rows": first.lab.len(),
                "source": first.source_id.as_ref().map(|id| id.value.expose().clone()),
                "title": first.title.as_ref().map(|title| title.expose().clone()),
                "name": first.patient.name.as_ref().map(|name| name.expose().clone()),
            })
        }),
        Ok(Understood::Events(events)) => events.first().map_or(Value::Null, |first| {
            let flags: Vec<String> = first.flags.iter().map(|flag| format!("{flag:?}")).collect();
            json!({
                "patient": primary(&first.patient), "type": first.code, "date": date(first.date),
                "flags": flags, "control": control, "events": events.len(),
                "merged": first.merged_from.first().map(|id| id.value.expose().clone()),
                "name": first.patient.name.as_ref().map(|name| name.expose().clone()),
            })
        }),
        Ok(Understood::Review(review)) => reviewed(review, control.as_deref()),
        Ok(Understood::Answer(_)) | Err(_) => json!({ "control": control }),
    }
}

fn reviewed(review: &Review, control: Option<&str>) -> Value {
    let patient = review.patient.as_ref().and_then(primary);
    json!({ "patient": patient, "type": review.kind, "date": date(review.date), "control": control })
}

fn primary(patient: &Patient) -> Option<String> {
    patient.primary().map(|id| id.value.expose().clone())
}

fn date(when: Option<When>) -> Value {
    when.map_or(
        Value::Null,
        |when| json!({ "ms": when.at.unix_ms(), "precision": format!("{:?}", when.precision) }),
    )
}
