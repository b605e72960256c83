//! Tells the registry how good what systems sent was (Y-3): in figures, of today and the day before, and only if they have changed.
//!
//! What was told is in memory only: after a start the first message that comes has all told once more, in the place of the same. Not here: how messages are
//! judged: `quality`.

use std::collections::{BTreeMap, VecDeque};

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::quality::Figures;
use yiqiao_proto::time::Timestamp;

use crate::landing::{landed, stops_subject};
use crate::limits::REPORT_EVERY;
use crate::machine::{Effect, Machine, Outcome, Work};
use crate::outbox::{Call, Pause, begin};
use crate::quality;
use crate::state::Fault;

/// Days of which figures are told: what came before midnight may not have been.
const DAYS: i64 = 2;

/// What is in memory only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reporting {
    /// Whether something was judged since figures were last looked at.
    is_stale: bool,
    looked_at: Option<Timestamp>,
    /// What is to be told, the first first.
    waiting: VecDeque<Figures>,
    /// What the registry was told last, by day.
    told: BTreeMap<u32, Figures>,
    pause: Pause,
}

impl Machine {
    /// When figures are to be looked at, or told.
    pub(crate) fn next_report(&self) -> Option<Timestamp> {
        let reporting = &self.reporting;
        if self.outbox.count(|call| matches!(call, Call::Figures)) > 0 {
            return None;
        }
        if !reporting.waiting.is_empty() {
            return Some(reporting.pause.until().unwrap_or(Timestamp::MIN));
        }
        let due = reporting.looked_at.map_or(Timestamp::MIN, |at| at + REPORT_EVERY);
        reporting.is_stale.then_some(due)
    }
}

/// The copy of what is in memory that becomes the new one if the input at hand is handled.
fn reporting<'a>(work: &'a mut Work<'_>) -> &'a mut Reporting {
    let machine = work.machine;
    work.turn.reporting.get_or_insert_with(|| machine.reporting.clone())
}

/// A message was judged.
pub(crate) fn note(work: &mut Work<'_>) {
    if !work.machine.reporting.is_stale {
        reporting(work).is_stale = true;
    }
}

/// Looks at the figures and tells the registry of those that have changed, if it is time.
pub(crate) fn send(work: &mut Work<'_>) -> Result<(), Fault> {
    if work.machine.next_report().is_none_or(|due| due > work.now) {
        return Ok(());
    }
    if work.machine.reporting.waiting.is_empty() {
        look(work)?;
    }
    let Some(figures) = reporting(work).waiting.front().cloned() else { return Ok(()) };
    let ticket = begin(work, Call::Figures);
    work.effects.push(Effect::TellFigures { ticket, notice: figures.write() });
    Ok(())
}

fn look(work: &mut Work<'_>) -> Result<(), Fault> {
    let today = work.machine.config.zone.day(work.now);
    let found = quality::figures(work.view, today - DAYS + 1..=today)?;
    let now = work.now;
    let reporting = reporting(work);
    (reporting.is_stale, reporting.looked_at) = (false, Some(now));
    let new = found.into_iter().filter(|figures| reporting.told.get(&figures.day) != Some(figures));
    reporting.waiting = new.collect();
    Ok(())
}

/// The registry has them: the next ones.
pub(crate) fn heard(work: &mut Work<'_>, ticket: u64) -> Outcome {
    if landed(work, ticket).is_some_and(|flight| matches!(flight.call, Call::Figures)) {
        let reporting = reporting(work);
        reporting.pause = Pause::default();
        if let Some(figures) = reporting.waiting.pop_front() {
            reporting.told.insert(figures.day, figures);
            // Those of earlier days change no more.
            while reporting.told.len() > usize::try_from(DAYS).unwrap_or_default() {
                reporting.told.pop_first();
            }
        }
    }
    Outcome::Done
}

/// They were refused, or had no answer. What is refused for good is not told again before it changes.
pub(crate) fn failed(work: &mut Work<'_>, refusal: Option<&Refusal>) {
    let (now, wait) = (work.now, refusal.and_then(|refusal| refusal.retry_after));
    let chance = u64::from_be_bytes(work.entropy.bytes());
    let reporting = reporting(work);
    if refusal.is_some_and(|refusal| stops_subject(refusal.code)) {
        reporting.waiting.pop_front();
        reporting.pause = Pause::default();
    } else {
        reporting.pause = reporting.pause.longer(now, wait, chance);
    }
}
