//! Looks after the processes of a running region: what ends by itself is started again, as a service manager does; what
//! ends again and again ends the demo.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::region::{Region, Say};

/// How often a process may end within [`SPAN`].
const ENDS_MAX: usize = 5;
/// Ends before that are forgotten.
const SPAN: Duration = Duration::from_secs(60);

/// Remembers what has ended when.
#[derive(Debug, Default)]
pub struct Watch {
    ends: BTreeMap<String, Vec<Instant>>,
}

impl Watch {
    /// Starts what has ended by itself, and says so.
    ///
    /// # Errors
    /// A process has ended too often, or does not start: a sentence with what it said.
    pub fn look(&mut self, region: &mut Region, say: Say<'_>) -> anyhow::Result<()> {
        while let Some(ended) = region.ended()? {
            let (name, status) = (&ended.name, ended.status);
            if self.is_too_often(name, Instant::now()) {
                let span = SPAN.as_secs();
                bail!(
                    "{name} has ended {ENDS_MAX} times within {span} s, the last time by {status}, so the demo stops: {}",
                    ended.words
                );
            }
            region.start_again(&ended)?;
            say(&format!("{name} has ended ({status}) and is started again"));
        }
        Ok(())
    }

    fn is_too_often(&mut self, name: &str, now: Instant) -> bool {
        let ends = self.ends.entry(name.to_owned()).or_default();
        ends.retain(|end| now.duration_since(*end) < SPAN);
        ends.push(now);
        ends.len() >= ENDS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_end_within_a_minute_is_the_last_one() {
        let (mut watch, began) = (Watch::default(), Instant::now());
        let mut ends = |name, seconds| watch.is_too_often(name, began + Duration::from_secs(seconds));
        assert!((0..4).all(|at| !ends("A", at)));
        assert!(!ends("B", 4), "each process is counted by itself");
        assert!(ends("A", 59));
        assert!(!ends("A", 120), "what was long ago is forgotten");
    }
}
