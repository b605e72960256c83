//! The table of docs/connect.md: each message in it, as its example says it, is understood to be what the table says.

#![expect(clippy::unwrap_used, reason = "what cannot happen here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use yiqiao_intake::facts::{Answer, Understood};
use yiqiao_intake::intake::{Door, read};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("docs")
}

/// A row: the message, its example, how it ends, and what it becomes.
struct Row {
    message: String,
    example: PathBuf,
    ends: String,
    becomes: String,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(docs().join("connect.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split(" | ").collect();
        let [message, example, ends, becomes, ..] = cells.as_slice() else { return None };
        let example = example.split_once("](examples/hl7/")?.1.trim_end_matches(')');
        let plain = |cell: &str| cell.trim_matches('`').to_owned();
        let example = docs().join("examples/hl7").join(example);
        Some(Row { message: plain(message), example, ends: plain(ends), becomes: plain(becomes) })
    };
    text.lines().filter_map(row).collect()
}

/// `LaboratoryReport` as `laboratory-report`.
fn name(code: &impl std::fmt::Debug) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").split('(').next().unwrap().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[test]
fn every_message_of_the_table_is_understood_as_the_table_says() {
    let rows = rows();
    assert!(rows.len() > 70, "docs/connect.md has its table");
    for Row { message, example, ends, becomes } in &rows {
        let bytes = fs::read(example).unwrap_or_else(|error| panic!("{}: {error}", example.display()));
        let [item] = <[_; 1]>::try_from(read(&bytes, &Door::any())).unwrap();
        assert_eq!(item.envelope.as_ref().unwrap().kind, *message, "{}", example.display());
        let (understood, may_end) = match &item.outcome {
            Ok(Understood::Documents(documents)) => (name(&documents[0].kind.class), "indexed, applied"),
            Ok(Understood::Events(events)) => (name(&events[0].trigger), "applied"),
            Ok(Understood::Answer(answer)) => (name(answer), "answered"),
            Ok(Understood::Review(review)) => (name(&review.reason), "review"),
            Err(_) => ("-".to_owned(), "refused"),
        };
        assert_eq!(understood, *becomes, "{message}");
        assert!(may_end.split(", ").any(|one| one == ends), "{message}: {ends}");
        assert!(!matches!(item.outcome, Ok(Understood::Answer(Answer::EmptyBatch))));
    }
}

#[test]
fn no_example_is_left_out_of_the_table() {
    let named: Vec<PathBuf> = rows().into_iter().map(|row| row.example).collect();
    let batch = docs().join("examples/hl7/batch.hl7");
    for entry in fs::read_dir(docs().join("examples/hl7")).unwrap() {
        let path = entry.unwrap().path();
        assert!(named.contains(&path) || path == batch, "{}", path.display());
    }
    assert_eq!(read(&fs::read(batch).unwrap(), &Door::any()).len(), 2);
}
