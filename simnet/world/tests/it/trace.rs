//! What a trace shows.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;

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
fn what_an_attacker_holds_back_goes_on_its_way_later_or_is_dropped_when_all_heals() {
    let setup = written("hostile-hospital");
    let (mut held, mut through, mut dropped) = (BTreeMap::new(), 0, 0);
    for line in trace_of(&setup) {
        match (word(&line, 0), word(&line, 1)) {
            ("holds", "back") => {
                held.insert(word(&line, 2).to_owned(), line.at + word(&line, 4).parse::<u64>().unwrap());
            }
            (what @ ("lets" | "drops"), next) => {
                let call = if what == "lets" { word(&line, 2) } else { next };
                let Some(due) = held.remove(call.trim_end_matches(',')) else { continue };
                assert_eq!(due, line.at, "{call}");
                if what == "lets" { through += 1 } else { dropped += 1 }
            }
            _ => {}
        }
    }
    assert!(held.values().all(|due| *due > setup.minutes * 60_000), "each of them: {held:?}");
    assert!(through > 3 && dropped > 0, "{through} {dropped}");
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
