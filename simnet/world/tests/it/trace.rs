//! What a trace shows.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use yiqiao_simworld::run::run;
use yiqiao_simworld::setup::Setup;

use crate::scenarios::written;

/// A line of a trace: when, who, and what, word by word.
struct Line {
    at: u64,
    who: String,
    what: Vec<String>,
}

/// The trace of a world that holds.
fn trace_of(setup: &Setup) -> Vec<Line> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let report = run(setup, Some(Box::new(trace.reopen().unwrap()))).unwrap();
    assert_eq!(report.violation, None, "{report:#?}");
    let text = fs::read_to_string(trace.path()).unwrap();
    let line = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Line { at: words.next().unwrap().parse().unwrap(), who: words.next().unwrap(), what: words.collect() }
    };
    text.lines().map(line).collect()
}

fn word(line: &Line, at: usize) -> &str {
    line.what.get(at).map_or("", String::as_str)
}

#[test]
fn e5_e6_r4_f9_l17_what_a_hostile_hospital_tries_is_refused_by_name_or_is_its_own_word() {
    let setup = written("hostile-hospital");
    let trace = trace_of(&setup);
    what_is_held_back_goes_on_its_way_later_or_is_dropped(&trace, setup.minutes * 60_000);
    let answers = answers_to_attacks(&trace);
    let came = |what: &str| answers.get(what).cloned().unwrap_or_default();
    let is_as_expected = |(what, expected): &&(&str, &[&str])| {
        let came = came(what);
        let first_came = expected.first().is_some_and(|first| came.contains_key(*first));
        first_came && came.keys().all(|how| how.starts_with("Busy ") || expected.contains(&how.as_str()))
    };
    let faults: Vec<_> = EXPECTED.iter().filter(|one| !is_as_expected(one)).collect();
    let faults: Vec<_> = faults.into_iter().map(|(what, _)| (what, came(what))).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    // What was heard is said again to anybody, what it tried itself among it: that may be answered by any refusal.
    assert!(!came("Heard").is_empty());
    let tried: Vec<&str> = EXPECTED.iter().map(|(what, _)| *what).collect();
    let is_other = |what: &&String| *what != "Heard" && !tried.contains(&what.as_str());
    let others: Vec<_> = answers.keys().filter(is_other).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// What a hostile hospital tries, and how honest members answer in a calm world: the first of these does come.
const EXPECTED: &[(&str, &[&str])] = &[
    ("Ahead", &["OutOfOrder C-11"]),
    ("AlarmForged", &["Malformed L-17"]),
    ("AlarmTrue", &["ok"]),
    ("AlarmTwice", &["Malformed L-17"]),
    ("CheckForged", &["BadSignature L-16"]),
    ("CompareForged", &["BadSignature L-5"]),
    ("CompareHuge", &["BadSignature L-5"]),
    ("CompareOld", &["ok"]),
    ("CompareOther", &["ok"]),
    ("Delivery", &["ok"]),
    ("Ended", &["ok"]),
    ("Entry", &["NotMember E-6", "ok", "Malformed L-1"]),
    ("Event", &["ok"]),
    ("Evidence", &["Nothing V-1"]),
    ("FeedAhead", &["ok"]),
    ("Forbid", &["ok", "OverLimit C-12"]),
    ("History", &["ok"]),
    ("Inventory", &["ok"]),
    ("LeaseAhead", &["OutOfOrder F-7"]),
    ("Links", &["ok"]),
    ("ManyElements", &["OverLimit T-3"]),
    ("ManyProofs", &["OverLimit L-13"]),
    ("ManySubjects", &["OverLimit L-15"]),
    ("ManyWords", &["OverLimit N-5"]),
    ("NoticeForbid", &["ok"]),
    ("NoticePermit", &["Conflict F-9"]),
    ("NoticeRevoke", &["ok"]),
    ("OthersDesk", &["NotMember E-6"]),
    ("OthersEvent", &["NotMember E-6"]),
    ("OthersRelease", &["NotMember E-6"]),
    ("Passkey", &["NotMember C-9", "BadSignature C-14"]),
    ("Permit", &["ok", "OutOfOrder C-11", "OverLimit C-12"]),
    ("Persons", &["ok"]),
    ("Range", &["Nothing P-4", "Stopped P-6", "ok"]),
    ("RegistrysEvent", &["NotMember A-1"]),
    ("Release", &["ok"]),
    ("Request", &["Nothing P-4", "Stale P-5", "BadSignature E-2", "ok"]),
    ("Revoke", &["ok", "Nothing C-6", "NotMember C-13"]),
    ("RevokeElsewhere", &["ok", "Nothing C-6"]),
    ("SameId", &["Conflict C-6", "ok"]),
    ("SameVersion", &["ok", "OutOfOrder C-11", "OverLimit C-12"]),
    ("StepAgain", &["Conflict R-5", "OutOfOrder R-4", "ok"]),
    ("StepAsOther", &["BadSignature E-2"]),
    ("StepGap", &["OutOfOrder R-4"]),
    ("StepOfNone", &["OutOfOrder R-4"]),
    ("StepOfOthers", &["Nothing R-1", "OutOfOrder R-4"]),
    ("StepOn", &["ok", "OutOfOrder R-4", "Conflict R-5"]),
    ("StepOtherSide", &["OutOfOrder R-4"]),
    ("StepSend", &["ok"]),
    ("StepToOther", &["BadSignature E-7"]),
    ("TwoTokens", &["ok"]),
];

/// How often each thing that was tried was answered how: with the refusal, or well. What went out otherwise than it was meant is left out.
fn answers_to_attacks(trace: &[Line]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let (mut tried, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let mut answers: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for line in trace {
        match word(line, 0) {
            "attacks" => drop(tried.insert(word(line, 2), word(line, 3))),
            "twists" => {
                let call = word(line, 1).trim_end_matches(':');
                refused.insert(call, "twisted".to_owned());
            }
            "refuses" => {
                let how = format!("{} {}", word(line, 2), word(line, 3));
                refused.entry(word(line, 1)).or_insert(how);
            }
            "answer" => {
                let how = refused.get(word(line, 1)).map_or(word(line, 2), String::as_str);
                if let Some(what) = tried.get(word(line, 1)).filter(|_| how != "twisted") {
                    let answers = answers.entry((*what).to_owned()).or_default();
                    *answers.entry(how.to_owned()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    answers
}

/// Each packet that was held back, at its time; none stays, but those whose time is after the end.
fn what_is_held_back_goes_on_its_way_later_or_is_dropped(trace: &[Line], heals: u64) {
    let (mut held, mut through, mut dropped) = (BTreeMap::new(), 0, 0);
    for line in trace {
        match (word(line, 0), word(line, 1)) {
            ("holds", "back") => {
                held.insert(word(line, 2), line.at + word(line, 4).parse::<u64>().unwrap());
            }
            ("lets", "through") => {
                let due = held.remove(word(line, 2).trim_end_matches(','));
                assert_eq!(due, Some(line.at));
                through += 1;
            }
            ("drops", call) => {
                assert_eq!(held.remove(call.trim_end_matches(',')), Some(line.at));
                assert!(line.at >= heals);
                dropped += 1;
            }
            _ => {}
        }
    }
    assert!(held.values().all(|due| *due > heals), "{held:?}");
    assert!(through > 3 && through + dropped > 10, "{through} {dropped}");
}

/// The kinds of lines that the code notes: its texts, `…` for what differs.
fn kinds(folder: &Path, kinds: &mut BTreeSet<String>) {
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if file.is_dir() {
            self::kinds(&file, kinds);
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for noted in text.split("note(").skip(1) {
            let what = noted.split("format_args!(").skip(1).map(str::trim_start).find_map(|what| {
                let text = what.strip_prefix('"')?.split('"').next()?;
                // The first may say who.
                (text != "{from}>{to}" && text != "{from}>{}").then_some(text)
            });
            kinds.extend(what.map(shape));
        }
    }
}

fn shape(text: &str) -> String {
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shape, part| shape + "…" + part.split_once('}').map_or("", |(_, rest)| rest))
}

#[test]
fn each_kind_of_line_stands_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut noted = BTreeSet::new();
    kinds(&folder.join("src"), &mut noted);
    assert!(noted.len() > 40, "{noted:?}");
    let document = fs::read_to_string(folder.join("../../docs/simulation.md")).unwrap();
    let section = document.split("\n## ").find(|section| section.starts_with("Reading a trace")).unwrap();
    let table =
        section.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    let listed: BTreeSet<String> =
        table.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    assert_eq!(noted, listed);
}

#[test]
fn what_the_network_loses_or_doubles_is_noted_as_often_as_the_rates_say() {
    let mut setup = Setup::small(7);
    let mut rates = yiqiao_simworld::setup::Rates::CALM;
    (rates.lost, rates.twice) = (50, 30);
    setup.rates = Some(rates);
    let trace = trace_of(&setup);
    let count = |what: &str| trace.iter().filter(|line| word(line, 0) == what).count();
    let sent = count("call") + count("pull") + count("answer");
    let per_thousand = |what: &str| count(what) * 1_000 / sent;
    assert!((30..70).contains(&per_thousand("lost")), "{} of {sent}", count("lost"));
    assert!((15..45).contains(&per_thousand("twice")), "{} of {sent}", count("twice"));
    assert!(trace.iter().filter(|line| word(line, 0) == "lost").all(|line| line.who.contains('>')));
}
