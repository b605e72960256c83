//! The shortest history that a failing run can be reduced to: all heals at once after the violation, then what is written, faults, lists, people and
//! inputs are left out, half of them at first, then fewer, as long as the same thing goes wrong.

use std::collections::BTreeSet;

use crate::run::{Drawn, NO_REST, Report, RunError, Violation, run};
use crate::setup::{Kept, Setup};

/// What a run was reduced to.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// The shorter world.
    pub setup: Setup,
    /// What comes of it.
    pub report: Report,
    /// How many runs it took.
    pub runs: u64,
}

/// What can be left out.
type Part = fn(&mut Kept) -> &mut Option<BTreeSet<u64>>;

const PARTS: [Part; 4] =
    [|kept| &mut kept.faults, |kept| &mut kept.deeds, |kept| &mut kept.people, |kept| &mut kept.inputs];

/// Reduces a world in which something went wrong, in at most so many runs; nothing if nothing goes wrong in it.
///
/// # Errors
/// [`RunError`] if there is no such world.
pub fn reduce(setup: &Setup, runs_max: u64) -> Result<Option<Reduced>, RunError> {
    let report = run(setup, None)?;
    let Some(violation) = report.violation.clone() else { return Ok(None) };
    let found = Reduced { setup: setup.clone(), report, runs: 1 };
    let mut search = Search { found, what: name_of(&violation), runs_max };
    search.heal_early(violation.at_ms)?;
    search.leave_out_script()?;
    for part in PARTS {
        search.leave_out(part)?;
    }
    Ok(Some(search.found))
}

struct Search {
    found: Reduced,
    what: String,
    runs_max: u64,
}

impl Search {
    /// Whether the same goes wrong in another world; then it is the one to go on with.
    fn fails(&mut self, setup: Setup) -> Result<bool, RunError> {
        if self.found.runs >= self.runs_max {
            return Ok(false);
        }
        self.found.runs += 1;
        let report = run(&setup, None)?;
        let fails = report.violation.as_ref().is_some_and(|violation| name_of(violation) == self.what);
        if fails {
            (self.found.setup, self.found.report) = (setup, report);
        }
        Ok(fails)
    }

    fn heal_early(&mut self, at_ms: u64) -> Result<(), RunError> {
        let whole = self.found.setup.minutes * 60_000;
        let early = [at_ms.saturating_add(1), whole / 8, whole / 4, whole / 2];
        for heals_at_ms in early.into_iter().filter(|at| *at < whole) {
            let setup = Setup { heals_at_ms: Some(heals_at_ms), ..self.found.setup.clone() };
            if self.fails(setup)? {
                break;
            }
        }
        Ok(())
    }

    /// Leaves out what is written to happen, one after the other from the last on.
    fn leave_out_script(&mut self) -> Result<(), RunError> {
        for at in (0..self.found.setup.script.len()).rev() {
            let mut setup = self.found.setup.clone();
            setup.script.remove(at);
            self.fails(setup)?;
        }
        Ok(())
    }

    /// Leaves out halves, then quarters, down to single ones, from the last to the first.
    fn leave_out(&mut self, part: Part) -> Result<(), RunError> {
        let drawn = self.found.report.drawn;
        let kept = part(&mut self.found.setup.kept);
        let mut all: Vec<u64> =
            kept.clone().map_or_else(|| (0..count(drawn, part)).collect(), |kept| kept.into_iter().collect());
        let mut size = all.len();
        while size > 0 && self.found.runs < self.runs_max {
            let mut end = all.len();
            while end > 0 {
                let from = end.saturating_sub(size);
                let rest: Vec<u64> = all
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| !(from..end).contains(at))
                    .map(|(_, n)| *n)
                    .collect();
                let mut setup = self.found.setup.clone();
                *part(&mut setup.kept) = Some(rest.iter().copied().collect());
                if self.fails(setup)? {
                    all = rest;
                }
                end = from;
            }
            size /= 2;
        }
        Ok(())
    }
}

/// How many there are of what a part leaves out.
fn count(drawn: Drawn, part: Part) -> u64 {
    let mut kept = Kept::default();
    *part(&mut kept) = Some(BTreeSet::new());
    match kept {
        Kept { faults: Some(_), .. } => drawn.faults,
        Kept { deeds: Some(_), .. } => drawn.deeds,
        Kept { people: Some(_), .. } => drawn.people,
        Kept { .. } => drawn.inputs,
    }
}

/// What went wrong, without numbers and without who it was.
fn name_of(violation: &Violation) -> String {
    let what = violation.what.strip_prefix(NO_REST).unwrap_or(&violation.what);
    let words = what.split(|letter: char| !letter.is_ascii_alphabetic());
    words.filter(|word| word.len() > 2).take(6).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_come_to_rest_tells_worlds_apart() {
        let name = |what: &str| {
            name_of(&Violation { at_ms: 1, who: "n1".to_owned(), what: format!("{NO_REST}{what}") })
        };
        assert_eq!(name("n1: a document is sealed twice"), name("n2: a document is sealed twice"));
        assert_ne!(name("a document is sealed twice"), name("a document is not published"));
    }
}
