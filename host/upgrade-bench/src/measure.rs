//! Wall and CPU time of a piece of work, the spread of figures over the turns, and the lines of the table.

use std::fmt;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Runs from its making.
pub(crate) struct Meter {
    wall: Instant,
    cpu: Duration,
}

/// What a piece of work took.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time of all threads.
    pub(crate) cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { cpu: cpu(), wall: Instant::now() }
    }

    pub(crate) fn cost(&self) -> Cost {
        Cost { wall: self.wall.elapsed(), cpu: cpu().saturating_sub(self.cpu) }
    }
}

fn cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// A turn of moving or hashing many bytes.
#[derive(Clone, Copy)]
pub(crate) struct Volume {
    /// 10^6 bytes a second.
    pub(crate) rate: f64,
    /// CPU seconds for 10^9 bytes.
    pub(crate) cpu: f64,
}

impl Volume {
    pub(crate) fn of(bytes: usize, cost: Cost) -> Self {
        let bytes = bytes as f64;
        Self { rate: bytes / 1e6 / cost.wall.as_secs_f64(), cpu: cost.cpu.as_secs_f64() / (bytes / 1e9) }
    }
}

/// A turn of many small things, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Small {
    /// How many a second.
    pub(crate) rate: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
    /// CPU microseconds of each.
    pub(crate) cpu: f64,
}

impl Small {
    pub(crate) fn of(costs: &[Cost]) -> Self {
        let mut took: Vec<Duration> = costs.iter().map(|cost| cost.wall).collect();
        took.sort();
        let count = took.len();
        let at = |percent: usize| micros(*took.get((count * percent / 100).min(count - 1)).unwrap());
        let wall: Duration = took.iter().sum();
        let cpu: Duration = costs.iter().map(|cost| cost.cpu).sum();
        Self {
            rate: count as f64 / wall.as_secs_f64(),
            p50: at(50),
            p99: at(99),
            cpu: micros(cpu) / count as f64,
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Median, least and most of a figure over the turns.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| *figures.get(index).unwrap();
        Self { median: at(figures.len() / 2), least: at(0), most: at(figures.len() - 1) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, most } = self;
        let digits = f.precision().unwrap_or(0);
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

/// Prints the head of a part of the table.
pub(crate) fn head(what: &str, columns: &[&str]) {
    println!();
    line(what, columns.iter().map(|&column| column.to_owned()));
}

/// Prints what was measured of one subject that does many small things.
pub(crate) fn small(what: &str, turns: &[Small]) {
    let spread = |of: fn(&Small) -> f64| format!("{:.0}", turns.iter().map(of).collect::<Spread>());
    line(
        what,
        [spread(|turn| turn.rate), spread(|turn| turn.p50), spread(|turn| turn.p99), spread(|turn| turn.cpu)],
    );
}

/// Prints what was measured of one subject that works on many bytes.
pub(crate) fn volume(what: &str, turns: &[Volume]) {
    let rate: Spread = turns.iter().map(|turn| turn.rate).collect();
    let cpu: Spread = turns.iter().map(|turn| turn.cpu).collect();
    line(what, [format!("{rate:.0}"), format!("{cpu:.2}")]);
}

/// Prints how much of one thing is another.
pub(crate) fn percent(what: &str, shares: Spread) {
    line(what, [format!("{shares:.0} %")]);
}

fn line(what: &str, cells: impl IntoIterator<Item = String>) {
    let cells: String = cells.into_iter().map(|cell| format!("{cell:<24}")).collect();
    println!("{}", format!("{what:<40}{cells}").trim_end());
}
