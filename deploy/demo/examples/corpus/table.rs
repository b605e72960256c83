//! What became of all messages, by kind and origin, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::Path;

use crate::doors::{Sent, Source};
use crate::row::{Outcome, Row};

/// All rows, and how many of each sort.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    files: usize,
    acks: BTreeMap<String, usize>,
}

impl Table {
    pub(crate) fn add(&mut self, source: &Source, sent: Sent) {
        self.files += 1;
        self.rows.extend(sent.messages.into_iter().map(|message| Row::new(source, message)));
        for code in sent.acks.unwrap_or_default() {
            *self.acks.entry(code).or_default() += 1;
        }
    }

    pub(crate) const fn files(&self) -> usize {
        self.files
    }

    pub(crate) const fn messages(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.message.outcome == outcome).count()
    }

    /// Writes one JSON object per line.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
        for row in &self.rows {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
        Ok(out.flush()?)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places: BTreeMap<(&str, &str), Vec<Outcome>> = BTreeMap::new();
        let mut reasons: BTreeMap<(Outcome, &str), usize> = BTreeMap::new();
        for Row { kind, origin, message, .. } in &self.rows {
            places.entry((kind, origin)).or_default().push(message.outcome);
            if let Some(reason) = &message.reason {
                *reasons.entry((message.outcome, sort_of(reason))).or_default() += 1;
            }
        }
        writeln!(
            f,
            "\n{:<18} {:<28} {}",
            "kind",
            "origin",
            Outcome::ALL.map(|o| format!("{o:>9}")).concat()
        )?;
        for ((kind, origin), outcomes) in &places {
            line(f, kind, origin, |outcome| outcomes.iter().filter(|one| **one == outcome).count())?;
        }
        line(f, "total", "", |outcome| self.count(outcome))?;
        writeln!(f)?;
        for ((outcome, reason), count) in &reasons {
            writeln!(f, "{outcome:<9} {count:>5}  {reason}")?;
        }
        let acks: Vec<String> = self.acks.iter().map(|(code, count)| format!("{code} {count}")).collect();
        writeln!(f, "\nacknowledgements by MLLP: {}", acks.join(", "))
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    origin: &str,
    count: impl Fn(Outcome) -> usize,
) -> fmt::Result {
    writeln!(f, "{kind:<18} {origin:<28} {}", Outcome::ALL.map(|o| format!("{:>9}", count(o))).concat())
}

/// A reason without its place in the file, so that those of one sort are counted together.
fn sort_of(reason: &str) -> &str {
    match reason.split_once(" at line ") {
        Some((_, rest)) => rest.split_once(": ").map_or(reason, |(_, what)| what),
        None => reason,
    }
}
