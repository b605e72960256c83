//! What must hold: no byte of a file belongs to no message, both doors agree, and the node counts what it answered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::doors::{Sent, Source, is_framed};
use crate::row::{Message, Outcome};

/// A message as the node tells it from others: its control id and its bytes.
type Known = (Option<String>, Vec<u8>);

/// What was sent and answered, beside what the node says of it; and what does not fit.
pub(crate) struct Books {
    system: String,
    messages: BTreeMap<Known, Outcome>,
    entries: BTreeSet<String>,
    faults: Vec<String>,
}

impl Books {
    /// Empty books of a system.
    pub(crate) fn of(system: &str) -> Self {
        Self {
            system: system.to_owned(),
            messages: BTreeMap::new(),
            entries: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    /// What does not hold.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// How many entries were answered.
    pub(crate) fn entries(&self) -> usize {
        self.entries.len()
    }

    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(what());
        }
    }

    // ---- One file ----

    /// Checks what a file was answered, and writes its messages down.
    pub(crate) fn check(&mut self, source: &Source, bytes: &[u8], sent: &Sent) {
        let worst = sent.messages.iter().map(|message| message.outcome).max();
        self.must(worst.map(Outcome::status) == Some(sent.status), || {
            format!("{source}: the status is {}, the worst of its messages is {worst:?}", sent.status)
        });
        if let Some(lost) = unclaimed(bytes, &sent.messages) {
            self.faults.push(format!("{source}: bytes {lost:?} belong to no message"));
        }
        if let Some(acks) = &sent.acks {
            self.check_acks(source, bytes, acks, &sent.messages);
        }
        for message in &sent.messages {
            self.enter(source, bytes, message);
        }
    }

    fn enter(&mut self, source: &Source, bytes: &[u8], message: &Message) {
        self.must(message.outcome != Outcome::Indexed || !message.entries.is_empty(), || {
            format!("{source}: a message is indexed and has no entry")
        });
        let explained =
            matches!(message.outcome, Outcome::Indexed | Outcome::Applied) || message.reason.is_some();
        self.must(explained, || format!("{source}: no reason why a message is {}", message.outcome));
        self.entries.extend(message.entries.iter().cloned());
        let Some(span) = message.span() else { return };
        let known = (message.control.clone(), bytes.get(span).unwrap_or_default().to_vec());
        if let Some(before) = self.messages.insert(known, message.outcome) {
            self.must(before == message.outcome, || {
                format!("{source}: a message is {}, and was {before} in another file", message.outcome)
            });
        }
    }

    /// MLLP acknowledges what is kept or needs no keeping, and refuses what HTTP then refuses.
    fn check_acks(&mut self, source: &Source, bytes: &[u8], acks: &[String], messages: &[Message]) {
        let refused = messages.iter().filter(|message| counts_as_refused(message, messages)).count();
        let bad = acks.iter().filter(|code| matches!(code.as_str(), "AR" | "CR")).count();
        let good = acks.iter().filter(|code| matches!(code.as_str(), "AA" | "CA")).count();
        self.must(bad + good == acks.len(), || format!("{source}: acknowledged by {acks:?}"));
        // Bytes in no whole frame have no answer.
        let agrees = if is_framed(bytes) { bad <= refused } else { (bad > 0) == (refused > 0) };
        self.must(agrees || acks.is_empty(), || {
            format!("{source}: MLLP answered {acks:?}, HTTP refused {refused} of {}", messages.len())
        });
        self.must(!acks.is_empty() || is_framed(bytes) || says_when_to_answer(bytes), || {
            format!("{source}: no acknowledgement, and its header does not say so")
        });
        let taken = |message: &&Message| message.outcome != Outcome::Refused && !message.repeat;
        let anew = messages.iter().filter(taken).count();
        self.must(anew == 0, || format!("{source}: HTTP took {anew} messages that MLLP had not"));
    }

    /// Checks that everything of a file that was sent before is known. Only what waited for a person because nobody knew its patient
    /// may be taken now, if a file between has told of that patient.
    pub(crate) fn check_known(&mut self, source: &Source, bytes: &[u8], again: &Sent) {
        for message in again.messages.iter().filter(|message| !message.repeat) {
            let Some(span) = message.span() else { continue };
            let known = (message.control.clone(), bytes.get(span).unwrap_or_default().to_vec());
            let waited = self.messages.get(&known) == Some(&Outcome::Review);
            let taken = waited && matches!(message.outcome, Outcome::Indexed | Outcome::Applied);
            self.must(taken, || format!("{source}: a message that had been acknowledged is not known"));
            self.messages.insert(known, message.outcome);
            self.entries.extend(message.entries.iter().cloned());
        }
    }

    // ---- The node ----

    /// Compares the node's own counters with what it answered.
    pub(crate) fn compare(&mut self, when: &str, status: &Value) {
        let counters = status.get("systems").and_then(|systems| systems.get(&self.system));
        let counted =
            |what: &str| counters.and_then(|all| all.get(what)).and_then(Value::as_u64).unwrap_or(0);
        let mut differ = Vec::new();
        for outcome in Outcome::ALL {
            let answered = self.messages.values().filter(|one| **one == outcome).count() as u64;
            differ.push((outcome.name(), answered, counted(outcome.name())));
        }
        differ.push(("documents", self.entries.len() as u64, counted("documents")));
        for (what, answered, counted) in differ {
            self.must(answered == counted, || {
                format!("{when}: {answered} different {what} were answered, the node counts {counted}")
            });
        }
    }

    /// Nothing waits that can be published, and nothing stopped. What is left are entries of patients without a number that
    /// others could ask by.
    pub(crate) fn compare_outbox(&mut self, status: &Value) {
        let left = |what: &str| status.get(what).and_then(Value::as_u64);
        for what in ["subjects_waiting", "open_problems"] {
            self.must(left(what) == Some(0), || format!("at the end: {what} is {:?}", left(what)));
        }
        let (words, entries) = (left("words_waiting"), self.entries.len() as u64);
        self.must(words.is_some_and(|words| words <= entries), || {
            format!("at the end: {words:?} words wait of {entries} entries")
        });
    }

    /// One review for each message that ended so.
    pub(crate) fn compare_reviews(&mut self, listed: usize) {
        let kept = self.messages.values().filter(|outcome| **outcome == Outcome::Review).count();
        self.must(kept == listed, || {
            format!("{kept} different messages are for review, {listed} are listed")
        });
    }

    /// A review shows the message that came, and stays one when it is handed in again.
    pub(crate) fn compare_review(&mut self, shown: &str, replayed: &str) {
        let is_shown = |known: &Known, outcome: &Outcome| {
            *outcome == Outcome::Review && String::from_utf8_lossy(&known.1) == shown
        };
        let found = self.messages.iter().any(|(known, outcome)| is_shown(known, outcome));
        self.must(found, || "a review shows no message that was sent".to_owned());
        self.must(replayed.starts_with("review"), || {
            format!("a review that is handed in again ends as {replayed}")
        });
    }

    /// The node did not panic.
    pub(crate) fn check_log(&mut self, log: &str) {
        for line in log.lines().filter(|line| line.contains("panicked")) {
            self.faults.push(format!("the node said: {line}"));
        }
    }
}

/// Whether MLLP answers a refusal for it: stray bytes before the first message of several are none.
fn counts_as_refused(message: &Message, all: &[Message]) -> bool {
    let stray = message.reason.as_ref().is_some_and(|reason| reason.contains("before the first MSH"));
    message.outcome == Outcome::Refused && !(stray && all.len() > 1)
}

/// MSH-15 or MSH-16 is filled: the sender says which answers it wants.
fn says_when_to_answer(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split(['\r', '\n']).map(|line| line.trim_matches(is_blank));
    let Some(header) = lines.find_map(|line| line.strip_prefix("MSH")) else { return false };
    let Some(separator) = header.chars().next() else { return false };
    header.split(separator).skip(14).take(2).any(|condition| !condition.is_empty())
}

/// The first stretch of a file, blanks, framing and batch envelopes aside, that is of no message or of two.
fn unclaimed(bytes: &[u8], messages: &[Message]) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    for message in messages {
        let Some(span) = message.span() else { continue };
        if span.start < at || span.end > bytes.len() || !is_envelope(bytes.get(at..span.start)?) {
            return Some(at..span.start);
        }
        at = span.end;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    (!is_envelope(rest)).then_some(at..bytes.len())
}

fn is_envelope(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split(['\r', '\n']).map(|line| line.trim_matches(is_blank));
    lines
        .all(|line| line.is_empty() || ["FHS", "BHS", "BTS", "FTS"].iter().any(|name| line.starts_with(name)))
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{feff}'
}
