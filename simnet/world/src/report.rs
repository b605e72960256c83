//! The report of worlds: a table, the same as JSON, and plots. All times in it are simulated: they come from the latencies that
//! a seed draws and from what waits for what, not from the computer on which the simulator runs.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use yiqiao_simworld::measured::{Hour, Measured, Tally, Traffic};
use yiqiao_simworld::run::Report;
use yiqiao_simworld::setup::Setup;

use crate::plot::Plot;

/// Where the bars of a histogram begin, in milliseconds.
const BOUNDS: [u64; 16] =
    [0, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 600_000];

/// Where those of a referral's messages begin, and of its bytes.
const MESSAGES: [u64; 11] = [0, 2, 4, 6, 8, 10, 14, 20, 40, 80, 200];
const BYTES: [u64; 11] = [0, 200, 500, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000];

/// What worlds measured together.
#[derive(Default)]
pub(crate) struct Sum {
    measured: Measured,
    worlds: Vec<World>,
}

/// What one world was, and what people did in it.
#[derive(Serialize)]
struct World {
    seed: u64,
    hospitals: usize,
    residents: usize,
    minutes: u64,
    messages: u64,
    consents: u64,
    revocations: u64,
    searches: u64,
    opened: u64,
    referrals: u64,
    steps: u64,
    words: u64,
    digest: String,
}

/// What is written to `report.json`.
#[derive(Serialize)]
struct Written<'a> {
    /// No time in it is one of the computer that ran it.
    times: &'static str,
    worlds: &'a [World],
    revocation_known_to_holder: Spread,
    let_go_after_forbidden: Spread,
    acknowledged_to_findable: Spread,
    acknowledged_not_findable: usize,
    referral: PerReferral,
    registry_by_hour: &'a [Hour],
    methods: Vec<OfMethod>,
}

#[derive(Serialize)]
struct Spread {
    count: u64,
    p50_ms: Option<u64>,
    p95_ms: Option<u64>,
    p99_ms: Option<u64>,
    longest_ms: Option<u64>,
    histogram: Vec<Bucket>,
}

#[derive(Serialize)]
struct Bucket {
    from_ms: u64,
    count: u64,
}

/// The steps of referrals, told between two nodes: calls and answers.
#[derive(Serialize)]
struct PerReferral {
    referrals: u64,
    steps_told: u64,
    messages: u64,
    bytes: u64,
    messages_p50: Option<u64>,
    messages_p99: Option<u64>,
    bytes_p50: Option<u64>,
    bytes_p99: Option<u64>,
}

#[derive(Serialize)]
struct OfMethod {
    method: &'static str,
    #[serde(flatten)]
    traffic: Traffic,
}

impl Sum {
    /// One more world.
    pub(crate) fn add(&mut self, setup: &Setup, report: &Report) {
        let Report { counts, words, digest, measured, .. } = report;
        self.measured.add(measured);
        self.worlds.push(World {
            seed: setup.seed,
            hospitals: setup.hospitals,
            residents: setup.patients,
            minutes: setup.minutes,
            messages: counts.messages,
            consents: counts.consents,
            revocations: counts.revocations,
            searches: counts.searches,
            opened: counts.opened,
            referrals: counts.referrals,
            steps: counts.steps,
            words: *words,
            digest: digest.clone(),
        });
    }

    /// The table.
    pub(crate) fn print(&self, out: &mut impl Write) -> Result<()> {
        let Measured { revoked, late, findable, .. } = &self.measured;
        writeln!(out, "{}; all times are simulated", self.about())?;
        writeln!(out, "\n{:44} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "count", "p50", "p95", "p99", "longest")?;
        row(out, "revocation in the log, until a holder has it", revoked)?;
        row(out, "let go after it was forbidden (within 30.1 s)", late)?;
        row(out, "document acknowledged, until it can be found", findable)?;
        if self.measured.not_findable() > 0 {
            let not = self.measured.not_findable();
            writeln!(out, "{not} acknowledged documents were not in the log at the end")?;
        }
        let PerReferral { referrals, steps_told, messages, bytes, .. } = self.referral();
        writeln!(
            out,
            "\n{referrals} referrals, {steps_told} steps told: {messages} messages, {bytes} bytes"
        )?;
        writeln!(out, "{:44} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "count", "p50", "p95", "p99", "largest")?;
        let (each_messages, each_bytes) = self.measured.of_referrals();
        numbers(out, "messages of a referral with its steps", &each_messages)?;
        numbers(out, "bytes of them", &each_bytes)?;
        self.print_registry(out)
    }

    fn print_registry(&self, out: &mut impl Write) -> Result<()> {
        writeln!(
            out,
            "\nregistry, {:>5} {:>10} {:>10} {:>14} {:>14}",
            "hour", "words", "calls", "bytes in", "bytes out"
        )?;
        for (at, Hour { words, calls, bytes_in, bytes_out }) in self.measured.hours.iter().enumerate() {
            writeln!(out, "{at:>15} {words:>10} {calls:>10} {bytes_in:>14} {bytes_out:>14}")?;
        }
        writeln!(out, "\n{:>15} {:>10} {:>14} {:>10}", "method", "messages", "bytes", "mean")?;
        for (method, Traffic { messages, bytes }) in &self.measured.methods {
            let mean = bytes.checked_div(*messages).unwrap_or(0);
            writeln!(out, "{method:>15} {messages:>10} {bytes:>14} {mean:>10}")?;
        }
        Ok(())
    }

    /// Writes `report.json` and the plots into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let mut json = serde_json::to_string_pretty(&self.written())?;
        json.push('\n');
        let plots = self.plots().into_iter().map(|(name, plot)| (name, plot.svg()));
        for (name, text) in std::iter::once(("report.json", json)).chain(plots) {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn written(&self) -> Written<'_> {
        let Measured { revoked, late, findable, hours, methods, .. } = &self.measured;
        let methods = methods.iter().map(|(method, traffic)| OfMethod { method, traffic: *traffic });
        Written {
            times: "simulated",
            worlds: &self.worlds,
            revocation_known_to_holder: Spread::of(revoked),
            let_go_after_forbidden: Spread::of(late),
            acknowledged_to_findable: Spread::of(findable),
            acknowledged_not_findable: self.measured.not_findable(),
            referral: self.referral(),
            registry_by_hour: hours,
            methods: methods.collect(),
        }
    }

    fn referral(&self) -> PerReferral {
        let Traffic { messages, bytes } = self.measured.methods.get("step").copied().unwrap_or_default();
        let sum = |of: fn(&World) -> u64| self.worlds.iter().map(of).sum();
        let (each_messages, each_bytes) = self.measured.of_referrals();
        PerReferral {
            referrals: sum(|world| world.referrals),
            steps_told: sum(|world| world.referrals + world.steps),
            messages,
            bytes,
            messages_p50: each_messages.percentile(50),
            messages_p99: each_messages.percentile(99),
            bytes_p50: each_bytes.percentile(50),
            bytes_p99: each_bytes.percentile(99),
        }
    }

    fn about(&self) -> String {
        let Some(first) = self.worlds.first() else { return "no world".to_owned() };
        let World { seed, hospitals, residents, minutes, .. } = first;
        let more = match self.worlds.len() {
            1 => format!("seed {seed}"),
            count => format!("{count} seeds from {seed}"),
        };
        format!("{more}: {hospitals} hospitals, {residents} residents, {minutes} min")
    }

    fn plots(&self) -> Vec<(&'static str, Plot<'_>)> {
        let Measured { revoked, late, findable, .. } = &self.measured;
        let (messages, bytes) = self.measured.of_referrals();
        let hours = |of: fn(&Hour) -> Vec<u64>| self.measured.hours.iter().map(of).collect();
        let late_title = "Let go although forbidden: for how long it had been (at most 30.1 s)";
        vec![
            ("revocation.svg", self.times("From a revocation in the log until a holder has it", revoked)),
            ("let-go-late.svg", self.times(late_title, late)),
            ("findable.svg", self.times("From acknowledged to findable", findable)),
            (
                "referral-messages.svg",
                self.histogram("Messages of a referral with its steps", "messages", &messages, &MESSAGES),
            ),
            (
                "referral-bytes.svg",
                self.histogram("Bytes of a referral with its steps", "bytes", &bytes, &BYTES),
            ),
            (
                "registry-words.svg",
                self.by_hour("Words into the log", "words an hour", &[], hours(|hour| vec![hour.words])),
            ),
            (
                "registry-calls.svg",
                self.by_hour("Calls to the registry", "calls an hour", &[], hours(|hour| vec![hour.calls])),
            ),
            (
                "registry-bytes.svg",
                self.by_hour(
                    "Bytes to and from the registry",
                    "bytes an hour",
                    &["to it", "from it"],
                    hours(|hour| vec![hour.bytes_in, hour.bytes_out]),
                ),
            ),
        ]
    }

    fn times<'a>(&self, title: &'a str, times: &Tally) -> Plot<'a> {
        let edges = BOUNDS.iter().map(|ms| length(*ms)).collect();
        Plot { edges, ..self.histogram(title, "simulated time", times, &BOUNDS) }
    }

    fn histogram<'a>(&self, title: &'a str, what: &str, tally: &Tally, bounds: &[u64]) -> Plot<'a> {
        let bars = tally.between(bounds).into_iter().map(|count| vec![count]).collect();
        let edges = bounds.iter().map(u64::to_string).collect();
        let x = format!("{what}; bars reach from one bound to the next, which are not equally far apart");
        Plot { title, about: self.subtitle(tally.count()), x, y: "how often", edges, bars, parts: &[] }
    }

    fn by_hour<'a>(&self, title: &'a str, y: &'a str, parts: &'a [&'a str], bars: Vec<Vec<u64>>) -> Plot<'a> {
        let edges = (0..=bars.len()).map(|hour| hour.to_string()).collect();
        let about = self.about();
        Plot { title, about, x: "simulated hour".to_owned(), y, edges, bars, parts }
    }

    fn subtitle(&self, count: u64) -> String {
        format!("{}; measured {count} times", self.about())
    }
}

impl Spread {
    fn of(times: &Tally) -> Self {
        let counts = BOUNDS.into_iter().zip(times.between(&BOUNDS));
        Self {
            count: times.count(),
            p50_ms: times.percentile(50),
            p95_ms: times.percentile(95),
            p99_ms: times.percentile(99),
            longest_ms: times.largest(),
            histogram: counts.map(|(from_ms, count)| Bucket { from_ms, count }).collect(),
        }
    }
}

fn row(out: &mut impl Write, what: &str, times: &Tally) -> Result<()> {
    tally(out, what, times, length)
}

fn numbers(out: &mut impl Write, what: &str, numbers: &Tally) -> Result<()> {
    tally(out, what, numbers, |number| number.to_string())
}

fn tally(out: &mut impl Write, what: &str, all: &Tally, as_read: fn(u64) -> String) -> Result<()> {
    let shown = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), as_read);
    let [p50, p95, p99] = [50, 95, 99].map(|percent| shown(all.percentile(percent)));
    let (count, largest) = (all.count(), shown(all.largest()));
    writeln!(out, "{what:44} {count:>9} {p50:>9} {p95:>9} {p99:>9} {largest:>9}")?;
    Ok(())
}

/// A time as people read it.
fn length(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 if ms.is_multiple_of(1_000) => format!("{} s", ms / 1_000),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min", ms / 60_000),
    }
}
