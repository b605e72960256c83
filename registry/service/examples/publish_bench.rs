//! How fast one member publishes to a real registry, beside the floor of the same machine in the same run.
//!
//! `cargo build --release -p yiqiao-registry --bins --examples`, then
//! `target/release/examples/publish_bench [entries] [entries of a submission] [subjects at once]`.
//! The floor: the signatures of the same entries checked alone by one thread, and as many bytes appended to a file of the same
//! disk with one fdatasync for each submission. Every figure is the median of three runs.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement ends where it cannot go on")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use yiqiao_host::keys;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Verified};

use member::{Member, Signed};
use rig::Region;
use words::Chain;

#[path = "../tests/it/member.rs"]
#[expect(dead_code, reason = "a measurement uses a part of what the tests use")]
mod member;
#[path = "../tests/it/rig.rs"]
#[expect(dead_code, reason = "a measurement uses a part of what the tests use")]
mod rig;
#[path = "../tests/it/words.rs"]
#[expect(dead_code, reason = "a measurement uses a part of what the tests use")]
mod words;

/// The registry beside this example.
pub(crate) fn registry() -> &'static Path {
    static REGISTRY: OnceLock<PathBuf> = OnceLock::new();
    REGISTRY
        .get_or_init(|| std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("yiqiao-registry"))
}

/// Runs of which the median counts.
const RUNS: usize = 3;
/// A tick of the processor times in `/proc`: a hundredth of a second on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What to measure.
#[derive(Clone, Copy)]
struct Load {
    entries: u64,
    submission: u64,
    subjects: u64,
}

/// What one run gave.
struct Run {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    registry_seconds: f64,
    checks_per_second: f64,
    syncs_per_second: f64,
}

#[tokio::main]
async fn main() {
    let number = |at, or: u64| std::env::args().nth(at).map_or(or, |text| text.parse().unwrap());
    let load = Load { entries: number(1, 20_000), submission: number(2, 20), subjects: number(3, 16) };
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(run(load).await);
    }
    let figure = |name: &str, read: fn(&Run) -> f64| println!("{name:<44} {:>12.2}", median(&runs, read));
    println!(
        "{} entries, {} a submission, {} subjects at once",
        load.entries, load.submission, load.subjects
    );
    figure("entries taken per second", |run| run.per_second);
    figure("answer to a submission, p50, ms", |run| run.p50.as_secs_f64() * 1e3);
    figure("answer to a submission, p99, ms", |run| run.p99.as_secs_f64() * 1e3);
    figure("processor seconds of the registry", |run| run.registry_seconds);
    figure("floor: signatures checked per second, one thread", |run| run.checks_per_second);
    figure("floor: appends with fdatasync per second", |run| run.syncs_per_second);
}

fn median(runs: &[Run], read: fn(&Run) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(read).collect();
    figures.sort_by(f64::total_cmp);
    *figures.get(figures.len() / 2).unwrap()
}

async fn run(load: Load) -> Run {
    let region = Region::started(&["a"]).await;
    let a = Arc::new(Member::connected(&region, "a").await);
    // Signed before the clock runs: what a member spends on its own is not the registry's.
    let work: Vec<Vec<Vec<Signed>>> = (0..load.subjects).map(|subject| sign(&a, load, subject)).collect();
    let (cpu, began) = (processor_seconds(region.pid()), Instant::now());
    let mut publishers = JoinSet::new();
    for submissions in work.clone() {
        publishers.spawn(publish(Arc::clone(&a), submissions));
    }
    let mut answers: Vec<Duration> = publishers.join_all().await.into_iter().flatten().collect();
    let took = began.elapsed().as_secs_f64();
    answers.sort_unstable();
    let at = |part: usize| *answers.get(answers.len() * part / 100).unwrap();
    let words: Vec<&Signed> = work.iter().flatten().flatten().collect();
    Run {
        per_second: words.len() as f64 / took,
        p50: at(50),
        p99: at(99),
        registry_seconds: processor_seconds(region.pid()) - cpu,
        checks_per_second: checks_per_second(&words, load, &a.directory),
        syncs_per_second: syncs_per_second(&region.folder(), &words, load),
    }
}

fn sign(a: &Member, load: Load, subject: u64) -> Vec<Vec<Signed>> {
    let mut chain = Chain::new("a", subject + 1);
    let submissions = load.entries / load.subjects / load.submission;
    let mut number = subject * load.entries;
    let mut one = || {
        number += 1;
        chain.entry(a, number)
    };
    (0..submissions).map(|_| (0..load.submission).map(|_| one()).collect()).collect()
}

async fn publish(a: Arc<Member>, submissions: Vec<Vec<Signed>>) -> Vec<Duration> {
    let mut answers = Vec::with_capacity(submissions.len());
    for words in submissions {
        let began = Instant::now();
        a.submit_unchecked(&words).await.unwrap();
        answers.push(began.elapsed());
    }
    answers
}

fn checks_per_second(words: &[&Signed], load: Load, directory: &Directory) -> f64 {
    let mut entropy = Entropy::new(keys::random());
    let began = Instant::now();
    for words in words.chunks(usize::try_from(load.submission).unwrap()) {
        let envelopes: Vec<Envelope> = words.iter().map(|word| word.envelope.clone()).collect();
        let checked = Verified::<Entry>::check_all(envelopes, directory, &mut entropy);
        assert!(checked.iter().all(Result::is_ok));
    }
    words.len() as f64 / began.elapsed().as_secs_f64()
}

fn syncs_per_second(folder: &Path, words: &[&Signed], load: Load) -> f64 {
    let mut file = std::fs::File::create(folder.join("floor")).unwrap();
    let chunks = words.chunks(usize::try_from(load.submission).unwrap());
    let (began, appends) = (Instant::now(), chunks.len());
    for words in chunks {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.envelope.as_bytes()).copied().collect();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    }
    appends as f64 / began.elapsed().as_secs_f64()
}

/// Processor time that a process has used so far.
fn processor_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|text| text.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}
