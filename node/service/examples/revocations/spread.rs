//! Many measurements of one thing, as a line and as a histogram.

use std::time::Duration;

/// The upper end of the first class of a histogram, ms; each further one is twice as wide.
const FIRST_MS: f64 = 1.0;
/// The longest bar.
const BAR: usize = 40;

/// Prints how the times lie.
pub(crate) fn line(what: &str, times: &[Duration]) {
    let sorted = sorted_ms(times);
    let at = |percent: usize| {
        let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(rank).copied().unwrap_or(f64::NAN)
    };
    let (p50, p99, max) = (at(50), at(99), at(100));
    println!("  {what:<46} p50 {p50:>9.2}   p99 {p99:>9.2}   max {max:>9.2}   n {}", sorted.len());
}

/// Prints how many times lie in which class, from the first that has any to the last.
pub(crate) fn histogram(times: &[Duration]) {
    let sorted = sorted_ms(times);
    // Each class ends at twice the end of the one before.
    let class = |ms: f64| {
        std::iter::successors(Some(FIRST_MS), |end| Some(end * 2.0)).take_while(|end| *end < ms).count()
    };
    let mut counts = vec![0_usize; sorted.last().map_or(0, |last| class(*last) + 1)];
    sorted.iter().for_each(|ms| counts[class(*ms)] += 1);
    let most = counts.iter().copied().max().unwrap_or(0);
    for (class, count) in counts.iter().enumerate().skip_while(|(_, count)| **count == 0) {
        let until = FIRST_MS * 2_f64.powi(i32::try_from(class).unwrap());
        println!("    up to {until:>7} ms {count:>6} {}", "#".repeat((count * BAR).div_ceil(most.max(1))));
    }
}

fn sorted_ms(times: &[Duration]) -> Vec<f64> {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    times
}
