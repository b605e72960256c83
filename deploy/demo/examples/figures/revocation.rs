//! A revocation at A's desk, while a doctor at C opens one copy after another: when the first one is refused.
//!
//! An opened copy stays readable at C, so each opening takes another copy that is there and was not opened. How fast those came
//! is a figure too.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use yiqiao_demo::spread::Spread;

use crate::say;
use crate::scene::{Lab, Person, Row, Scene};

/// Revocations of which A tells C directly: C takes 16 such notices of a patient in twenty minutes, and one came before these.
const TOLD: usize = 15;
/// Revocations after them, of which C learns from its feed alone.
const FED: usize = 10;
/// Copies that are there, unopened, before each.
const STOCK: usize = 200;
/// Between two openings: the copies last for a second and more, twice as long as between two readings of the feed.
const PAUSE: Duration = Duration::from_millis(5);
/// Longer documents are not part of it.
const SMALL_BYTES_MAX: u64 = 1 << 20;

/// When what happened in one round.
#[derive(Default)]
struct Times {
    answered: Vec<Duration>,
    refused: Vec<Duration>,
    after_answer: Vec<Duration>,
    erased: Vec<Duration>,
    opening: Vec<Duration>,
    copies_per_second: Vec<f64>,
}

pub(crate) fn measure(scene: &Scene) -> anyhow::Result<()> {
    let (desk, doctor, mut lab) = (scene.desk_at_a()?, scene.doctor_at_c()?, scene.lab_at_a('R')?);
    let (mut told, mut fed) = (Times::default(), Times::default());
    for number in 0..TOLD + FED {
        let times = if number < TOLD { &mut told } else { &mut fed };
        let consent = desk.permit()?;
        let copies = stocked(&doctor, &mut lab, &mut times.copies_per_second)?;
        round(&desk, &doctor, &consent, &copies, times)?;
    }
    say("\nrevocations at A's desk, copies opened at C, ms");
    told.print("A tells C directly");
    fed.print("C has the feed alone");
    say("small documents asked for together, copies that came to C per second");
    let per_second = [told.copies_per_second, fed.copies_per_second].concat();
    say(&format!("  all that was permitted and not there            {}", Spread::of(per_second).rates()));
    Ok(())
}

impl Times {
    fn print(&self, how: &str) {
        say(&format!("  {how}"));
        let line =
            |what: &str, times: &[Duration]| say(&format!("    {what:<46}{}", Spread::of_times(times)));
        line("sent until answered: in the registry's log", &self.answered);
        line("sent until the first opening is refused", &self.refused);
        line("answered until then (0: refused before)", &self.after_answer);
        line("answered until unopened copies are erased", &self.erased);
        line("  floor: one opening at C, and 5 ms of pause", &self.opening);
    }
}

/// Copies at C that nobody has opened, enough of them.
fn stocked(doctor: &Person, lab: &mut Lab, per_second: &mut Vec<f64>) -> anyhow::Result<Vec<Row>> {
    loop {
        doctor.search()?;
        let small = |row: &&Row| row.size <= SMALL_BYTES_MAX && row.state != "retained";
        let wanted: Vec<Row> = doctor.of_a()?.iter().filter(small).cloned().collect();
        if wanted.len() < STOCK {
            for _ in wanted.len()..STOCK {
                let report = lab.report();
                lab.send(&report)?;
            }
            continue;
        }
        let asked = Instant::now();
        doctor.fetch(&wanted)?;
        let is_here = |row: &Row| row.state == "held" || !wanted.iter().any(|one| one.entry == row.entry);
        let rows = doctor.until("the copies at C", |rows| rows.iter().all(is_here))?;
        per_second.push(wanted.len() as f64 / asked.elapsed().as_secs_f64());
        return Ok(rows.into_iter().filter(|row| row.state == "held").collect());
    }
}

fn round(
    desk: &Person,
    doctor: &Person,
    consent: &str,
    copies: &[Row],
    times: &mut Times,
) -> anyhow::Result<()> {
    let (sent, answered, refused) = std::thread::scope(|scope| {
        let opening = scope.spawn(|| open_until_refused(doctor, copies, &mut times.opening));
        let sent = Instant::now();
        desk.revoke(consent)?;
        let answered = Instant::now();
        let refused = opening.join().map_err(|_| anyhow::anyhow!("the doctor's thread failed"))??;
        anyhow::Ok((sent, answered, refused))
    })?;
    times.answered.push(answered - sent);
    times.refused.push(refused.saturating_duration_since(sent));
    times.after_answer.push(refused.saturating_duration_since(answered));
    doctor.until("the copies to be gone", |rows| !rows.iter().any(|row| row.state == "held"))?;
    times.erased.push(answered.elapsed());
    Ok(())
}

/// When the first refusal came.
fn open_until_refused(doctor: &Person, copies: &[Row], took: &mut Vec<Duration>) -> anyhow::Result<Instant> {
    for copy in copies {
        let asked = Instant::now();
        let answer = doctor.open(copy)?;
        let at = Instant::now();
        if !answer.is_success() {
            ensure!(
                (400..500).contains(&answer.status),
                "an opening gave {}: {}",
                answer.status,
                answer.text()
            );
            return Ok(at);
        }
        std::thread::sleep(PAUSE);
        took.push(asked.elapsed());
    }
    bail!("{} copies were opened while a revocation was under way: none was left to be refused", copies.len())
}
