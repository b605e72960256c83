//! One hospital's node without its registry, so that it does nothing but take what comes; and what that costs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;
use yiqiao_demo::cast;
use yiqiao_demo::client::Client;
use yiqiao_demo::facts::HospitalFacts;
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::process::run;
use yiqiao_demo::region::{Options, Region};
use yiqiao_simnet::hospitals::PEOPLES;

/// Of the processor times in /proc, on Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a study may take to become a document.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether it is one.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A node that runs, in a folder of its own.
pub(crate) struct Scene {
    region: Region,
    folder: TempDir,
    program: PathBuf,
}

/// What something took.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// Seconds.
    pub(crate) time: f64,
    /// Seconds of the node's processors.
    pub(crate) processor: f64,
}

impl Scene {
    pub(crate) fn set_up() -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let programs = own.ancestors().nth(2).context("an example is below the folder of the programs")?;
        let folder = tempfile::tempdir().context("cannot make a folder for the region")?;
        let options = Options { programs: programs.to_owned(), ports: Choice::Free, hospitals: 1 };
        let town = cast::town(jiff::Zoned::now().date());
        let mut region = Region::set_up(Place::new(folder.path())?, &options, &town, &mut |_| ())?;
        region.kill_registry()?;
        Ok(Self { region, folder, program: programs.join("yiqiao-node") })
    }

    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.region.stop()?;
        Ok(self.folder.close()?)
    }

    /// A folder on the disk of the node.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn hospital(&self) -> anyhow::Result<&HospitalFacts> {
        self.region.facts().hospital(PEOPLES.letter)
    }

    /// A system that may hand in, signed in as often as it sends at once.
    pub(crate) fn system(&self, name: &str, lines: usize) -> anyhow::Result<Vec<Client>> {
        let said = self.node(&["client", "add", name, "--name", name, "--scope", "intake"])?;
        let secret = said.lines().find_map(|line| line.strip_prefix("client secret: "));
        let secret = secret.context("the secret of a new client is printed")?.trim();
        let url = &self.hospital()?.node.url;
        let signed_in = |_| {
            let client = Client::at(url);
            client.authorize(name, secret).map(|()| client)
        };
        (0..lines).map(signed_in).collect()
    }

    /// What something costs the node.
    pub(crate) fn cost(&self, does: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Cost> {
        let pid = self.hospital()?.node.pid;
        let (before, began) = (processor_seconds(pid)?, Instant::now());
        does()?;
        Ok(Cost { time: began.elapsed().as_secs_f64(), processor: processor_seconds(pid)? - before })
    }

    /// Waits until so many studies are documents.
    pub(crate) fn until_documents(&self, count: u64) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let status: Value = serde_json::from_str(&self.node(&["status", "--json"])?)?;
            if status.pointer("/systems/pacs/documents").and_then(Value::as_u64) == Some(count) {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "no document after {} s: {status}", PATIENCE.as_secs());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// An administrator's command of the node.
    fn node(&self, words: &[&str]) -> anyhow::Result<String> {
        let config = self.hospital()?.node.config.display().to_string();
        run(&self.program, &[words, &["--config", &config]].concat(), None)
    }
}

/// Processor time that a process has used so far.
fn processor_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').context("the name of a process stands in parentheses")?;
    let ticks: Result<Vec<f64>, _> = after_name.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / TICKS_PER_SECOND)
}
