//! How soon a holder stops: from a revocation to the last chunk that it hands to the transport, over many patients, on a real
//! registry and a real node, which a member of its own making asks for one chunk after another.
//!
//! `cargo build --release -p yiqiao-registry -p yiqiao-node --bins --examples`, then `target/release/examples/revocations [patients [part …]]`; parts are
//! `connected`, `told` and `cut-off`, all of them if none is named.
//! Times are those at which the recipient had the last chunk whole: the holder handed it to the transport before. Nothing here
//! judges a figure: a machine that is busy gives others.
//!
//! | to find | look in |
//! |---|---|
//! | patients with a document each, permits, releases | [`scene`] |
//! | what can stand between a node and the registry | [`gate`] |
//! | one chunk after another, until it is refused | [`pulling`] |
//! | a line and a histogram of many times | [`spread`] |

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement ends where it cannot go on"
)]

mod gate;
mod pulling;
mod scene;
mod spread;

#[path = "../../tests/it/member.rs"]
#[expect(dead_code, reason = "a measurement uses a part of what the tests use")]
mod member;
#[path = "../../tests/it/rig.rs"]
#[expect(dead_code, reason = "a measurement uses a part of what the tests use")]
mod rig;
#[path = "../../tests/it/wire.rs"]
#[expect(dead_code, reason = "a measurement uses a part of what the tests use")]
mod wire;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pulling::Times;
use scene::Scene;

/// Patients, each with one revocation in each part, if nothing else is said.
const PATIENTS: usize = 1_000;
/// Revocations for which the registry is away at one go: the node's lease lasts longer.
const AWAY: usize = 250;

/// A program beside this example.
fn beside(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join(name)
}

/// The node that is measured.
pub(crate) fn node() -> &'static Path {
    static NODE: OnceLock<PathBuf> = OnceLock::new();
    NODE.get_or_init(|| beside("yiqiao-node"))
}

/// The registry.
pub(crate) fn registry() -> PathBuf {
    beside("yiqiao-registry")
}

#[tokio::main]
async fn main() {
    let patients = std::env::args().nth(1).map_or(PATIENTS, |text| text.parse().unwrap());
    println!("{}", machine());
    let named: Vec<String> = std::env::args().skip(2).collect();
    let is_wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    let mut scene = Scene::set_up(patients).await;
    if is_wanted("connected") {
        connected(&mut scene).await;
    }
    if is_wanted("told") {
        registry_away(&mut scene).await;
    }
    if is_wanted("cut-off") {
        cut_off(&mut scene).await;
    }
    println!("{}", machine());
}

/// Each revocation goes through the registry, and the holder has its feed alone.
async fn connected(scene: &mut Scene) {
    scene.permit_all().await;
    let mut times = Times::default();
    for patient in 0..scene.patients() {
        times.add(&scene.until_stopped(patient, scene.revoke(patient)).await);
    }
    times.print("connected: taken back elsewhere, the holder has its feed alone");
}

/// The registry is down, and the member where it was taken back tells the holder.
async fn registry_away(scene: &mut Scene) {
    scene.permit_all().await;
    let mut times = Times::default();
    let all: Vec<usize> = (0..scene.patients()).collect();
    for patients in all.chunks(AWAY) {
        scene.settle_leases().await;
        scene.node.region.kill_registry();
        for patient in patients {
            times.add(&scene.until_stopped(*patient, scene.tell(*patient)).await);
        }
        scene.node.region.restart_registry().await;
    }
    times.print("registry away: taken back elsewhere, the holder is told directly");
    scene.settle_revocations().await;
    scene.settle_leases().await;
}

/// The holder alone is cut off from the registry, and nobody tells it: its lease is the bound (F-7).
async fn cut_off(scene: &mut Scene) {
    scene.permit_all().await;
    scene.settle_leases().await;
    scene.gate.close();
    let times = scene.all_until_stopped().await;
    times.print("the holder cut off from the registry, and nobody tells it: its lease ends");
}

/// How much the machine has, and how busy it is.
fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    format!("{} processors, load {load}", std::thread::available_parallelism().unwrap())
}
