//! Reports one at a time: sent to A, acknowledged, and found by a doctor at C whom the patient permits it.

use std::time::Instant;

use anyhow::ensure;
use yiqiao_demo::spread::Spread;

use crate::say;
use crate::scene::Scene;
use crate::{floor, scene};

/// Reports.
const REPORTS: usize = 100;

pub(crate) fn measure(scene: &Scene) -> anyhow::Result<()> {
    let (desk, doctor, mut lab) = (scene.desk_at_a()?, scene.doctor_at_c()?, scene.lab_at_a('F')?);
    let consent = desk.permit()?;
    let (mut acknowledged, mut found, mut asking) = (Vec::new(), Vec::new(), Vec::new());
    doctor.search()?;
    let mut known = doctor.of_a()?.len();
    for _ in 0..REPORTS {
        let report = lab.report();
        let sent = Instant::now();
        lab.send(&report)?;
        acknowledged.push(sent.elapsed());
        let ack = Instant::now();
        known = found_one_more(&doctor, known, ack, &mut asking)?;
        found.push(ack.elapsed());
    }
    let bytes = lab.report();
    let syncs = floor::appends(scene.folder_of_a()?, bytes.as_bytes(), REPORTS)?;
    desk.revoke(&consent)?;
    say("\nreports one at a time, ms");
    say(&format!("  sent to A until acknowledged (MLLP)             {}", Spread::of_times(&acknowledged)));
    say(&format!("    floor: the bytes appended with fdatasync      {}", Spread::of_times(&syncs)));
    say(&format!("  acknowledged by A until found at C              {}", Spread::of_times(&found)));
    say(&format!("    of it the last search and list at C's door    {}", Spread::of_times(&asking)));
    Ok(())
}

/// Searches until there is one document more; gives how many there are.
fn found_one_more(
    doctor: &scene::Person,
    known: usize,
    since: Instant,
    asking: &mut Vec<std::time::Duration>,
) -> anyhow::Result<usize> {
    loop {
        let asked = Instant::now();
        doctor.search()?;
        let count = doctor.of_a()?.len();
        if count > known {
            asking.push(asked.elapsed());
            return Ok(count);
        }
        ensure!(since.elapsed().as_secs() < 60, "an acknowledged report is not found after a minute");
    }
}
