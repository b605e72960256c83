//! The shortest history that a failing run can be reduced to: a smaller world, in which all heals at once after the violation; then what is written,
//! rates, faults, lists, people and inputs are left out, many of them at first, then fewer, again and again, as long as the same thing goes wrong.

use std::collections::BTreeSet;

use crate::run::{Drawn, Report, RunError, Wrong, run};
use crate::setup::{Attacked, Kept, Rates, Setup};

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

/// Rates that a world can do without; those of faults with numbers are left out with these.
const RATES: [fn(&mut Rates); 6] = [
    |rates| rates.hostile = Attacked::Nobody,
    |rates| rates.lost = 0,
    |rates| rates.twice = 0,
    |rates| rates.jitter = Rates::CALM.jitter,
    |rates| rates.drift = Rates::CALM.drift,
    |rates| rates.long = 0,
];

/// At the first time what is left out of each part is one of so many pieces; each time they are smaller, by as much.
const PIECES: usize = 2;

/// Reduces a world in which something went wrong, in at most so many runs; nothing if nothing goes wrong in it. `watch` is told after
/// each run how many there were, and how many events the shortest history has.
///
/// # Errors
/// [`RunError`] if there is no such world.
pub fn reduce(
    setup: &Setup,
    runs_max: u64,
    watch: &mut dyn FnMut(u64, u64),
) -> Result<Option<Reduced>, RunError> {
    let report = run(setup, None)?;
    let Some(violation) = report.violation.clone() else { return Ok(None) };
    let found = Reduced { setup: setup.clone(), report, runs: 1 };
    let mut search = Search { found, wrong: violation.wrong, runs_max, watch };
    search.make_smaller()?;
    search.heal_early()?;
    search.leave_out_script()?;
    search.leave_out_rates()?;
    search.leave_out_parts()?;
    search.heal_early()?;
    Ok(Some(search.found))
}

struct Search<'a> {
    found: Reduced,
    wrong: Wrong,
    runs_max: u64,
    watch: &'a mut dyn FnMut(u64, u64),
}

impl Search<'_> {
    /// Whether the same goes wrong in another world; then it is the one to go on with.
    fn fails(&mut self, setup: Setup) -> Result<bool, RunError> {
        if self.found.runs >= self.runs_max {
            return Ok(false);
        }
        self.found.runs += 1;
        let report = run(&setup, None)?;
        let fails = report.violation.as_ref().is_some_and(|violation| violation.wrong == self.wrong);
        if fails {
            (self.found.setup, self.found.report) = (setup, report);
        }
        (self.watch)(self.found.runs, self.found.report.events);
        Ok(fails)
    }

    /// Fewer people, then fewer hospitals, from the fewest on: another world, in which the same may go wrong sooner.
    fn make_smaller(&mut self) -> Result<(), RunError> {
        let fewer = |whole: usize, least: usize| {
            std::iter::successors(Some(least), |size| Some(size * 2)).take_while(move |size| *size < whole)
        };
        for patients in fewer(self.found.setup.patients, 1) {
            if self.fails(Setup { patients, ..self.found.setup.clone() })? {
                break;
            }
        }
        for hospitals in fewer(self.found.setup.hospitals, 2) {
            if self.fails(Setup { hospitals, ..self.found.setup.clone() })? {
                break;
            }
        }
        Ok(())
    }

    fn heal_early(&mut self) -> Result<(), RunError> {
        let at_ms = self.found.report.violation.as_ref().map_or(0, |violation| violation.at_ms);
        let whole = self.found.setup.heals_at_ms.unwrap_or(self.found.setup.minutes * 60_000);
        let early = [whole / 16, whole / 8, whole / 4, whole / 2, at_ms.saturating_add(1)];
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

    fn leave_out_rates(&mut self) -> Result<(), RunError> {
        for leave_out in RATES {
            let before = self.found.report.rates;
            let mut rates = before;
            leave_out(&mut rates);
            if rates != before {
                self.fails(Setup { rates: Some(rates), ..self.found.setup.clone() })?;
            }
        }
        Ok(())
    }

    /// Leaves out halves of each part, then quarters of each, down to single ones, and these until nothing more can be left out.
    fn leave_out_parts(&mut self) -> Result<(), RunError> {
        let mut pieces = PIECES;
        loop {
            let (mut largest, mut shorter) = (0, false);
            for part in PARTS {
                let all = self.all(part);
                let size = all.len().div_ceil(pieces);
                shorter |= self.leave_out(part, all, size)?;
                largest = largest.max(size);
            }
            let is_done = largest <= 1 && !shorter;
            if is_done || self.found.runs >= self.runs_max {
                return Ok(());
            }
            pieces = pieces.saturating_mul(PIECES);
        }
    }

    /// The numbers of what happens of a part.
    fn all(&self, part: Part) -> Vec<u64> {
        let kept = part(&mut self.found.setup.kept.clone()).clone();
        kept.map_or_else(
            || (0..count(self.found.report.drawn, part)).collect(),
            |kept| kept.into_iter().collect(),
        )
    }

    /// Leaves out pieces of this size, from the last to the first. Whether one could be.
    fn leave_out(&mut self, part: Part, mut all: Vec<u64>, size: usize) -> Result<bool, RunError> {
        let (mut end, whole) = (all.len(), all.len());
        while end > 0 {
            let from = end.saturating_sub(size);
            let rest: Vec<u64> =
                all.iter().enumerate().filter(|(at, _)| !(from..end).contains(at)).map(|(_, n)| *n).collect();
            let mut setup = self.found.setup.clone();
            *part(&mut setup.kept) = Some(rest.iter().copied().collect());
            if self.fails(setup)? {
                all = rest;
            }
            end = from;
        }
        Ok(all.len() < whole)
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
