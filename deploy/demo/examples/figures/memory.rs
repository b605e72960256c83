//! Resident memory of the processes (`VmRSS`).

use anyhow::Context;

use crate::say;
use crate::scene::Scene;

/// Starts everything again, so that what setting up left behind is not counted, and prints what an idle region takes.
pub(crate) fn started(scene: &mut Scene) -> anyhow::Result<()> {
    let region = &mut scene.region;
    let letters: Vec<char> = region.facts().hospitals.iter().map(|hospital| hospital.letter).collect();
    for letter in &letters {
        region.stop_node(*letter)?;
    }
    region.kill_registry()?;
    region.start_registry()?;
    for letter in letters {
        region.start_node(letter)?;
    }
    print("started, without data", scene)
}

pub(crate) fn print(when: &str, scene: &Scene) -> anyhow::Result<()> {
    let facts = scene.region.facts();
    let mut line = format!("memory {when}, MB: registry {:.0}", resident_mb(facts.registry.pid)?);
    for hospital in &facts.hospitals {
        line += &format!(", node {} {:.0}", hospital.letter, resident_mb(hospital.node.pid)?);
    }
    say(&line);
    Ok(())
}

fn resident_mb(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    Ok(kib.context("a process has resident memory")?.trim().parse::<f64>()? * 1.024e-3)
}
