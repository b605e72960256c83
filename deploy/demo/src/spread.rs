//! Many measurements of one thing, as the line that is printed of them, and where they were made.

use std::fmt;
use std::time::Duration;

/// How much this machine has, and how busy it is.
///
/// # Errors
/// What reading it failed with.
pub fn machine() -> anyhow::Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    Ok(format!("{} processors, load {load}", std::thread::available_parallelism()?))
}

/// Measurements in order of their size.
#[derive(Debug)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// Of figures in any order.
    pub fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    /// In milliseconds.
    pub fn of_times(times: &[Duration]) -> Self {
        Self::of(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    /// The figure in the middle; no number if there is none.
    pub fn median(&self) -> f64 {
        self.at(50)
    }

    /// The smallest figure that so many percent do not exceed.
    fn at(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(rank).copied().unwrap_or(f64::NAN)
    }

    /// Of figures that are better the larger they are.
    pub fn rates(&self) -> String {
        format!(
            "p50 {:>8.0}   min {:>8.0}   max {:>8.0}   n {}",
            self.at(50),
            self.at(0),
            self.at(100),
            self.0.len()
        )
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99, max, count) = (self.at(50), self.at(99), self.at(100), self.0.len());
        write!(f, "p50 {p50:>8.2}   p99 {p99:>8.2}   max {max:>8.2}   n {count}")
    }
}
