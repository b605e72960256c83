//! Messages over MLLP and documents by HTTP, each sent when the one before is acknowledged, over several lines at once; beside them
//! who reads the same bytes, and a file to which they are appended one by one.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use yiqiao_demo::client::Client;
use yiqiao_demo::feed::{Mllp, ack_code};
use yiqiao_demo::process::run;
use yiqiao_simnet::feeds::{Feed, System};
use yiqiao_simnet::hospitals::PEOPLES;
use yiqiao_simnet::town::Town;

use crate::scene::{Cost, Scene};
use crate::{Arguments, say, tell};

/// Lines that send at once; all that concerns one patient comes over one of them, in its order.
const LINES: usize = 16;
/// Which town.
const SEED: u64 = 20_261_124;
const READERS: &str = "deploy/demo/examples/feeds/readers.py";

/// What is measured of one format, run by run: messages per second.
#[derive(Default)]
struct Rates {
    time: Vec<f64>,
    processor: Vec<f64>,
    reader: Vec<f64>,
    appended: Vec<f64>,
    count: usize,
    bytes: usize,
}

pub(crate) fn measure(scene: &Scene, arguments: &Arguments) -> anyhow::Result<()> {
    let town = Town::new(SEED, arguments.residents * arguments.runs, jiff::Zoned::now().date());
    let feeds: Vec<Feed> = town.feeds().filter(|feed| feed.hospital.letter == PEOPLES.letter).collect();
    let clients = scene.system("records", LINES)?;
    let (mut messages, mut documents) = (Rates::default(), Rates::default());
    for run in 0..arguments.runs {
        let of_run = feeds.iter().filter(|feed| feed.patient % arguments.runs == run);
        let (framed, posted): (Vec<&Feed>, Vec<&Feed>) = of_run.partition(|feed| feed.system != System::Emr);
        let cost = scene.cost(|| by_mllp(scene, &framed))?;
        messages.add(scene, arguments, "hl7apy", &framed, cost)?;
        let cost = scene.cost(|| by_http(&clients, &posted))?;
        documents.add(scene, arguments, "lxml", &posted, cost)?;
    }
    messages.print("HL7 v2 messages", "hl7apy");
    documents.print("CDA documents", "lxml");
    Ok(())
}

/// HIS and LIS have a door each.
fn by_mllp(scene: &Scene, feeds: &[&Feed]) -> anyhow::Result<()> {
    let doors = &scene.hospital()?.mllp;
    let send = |line: usize| {
        let open = doors.iter().map(|(system, address)| Ok((system, Mllp::connect(address)?)));
        let mut open = open.collect::<anyhow::Result<Vec<_>>>()?;
        for feed in feeds.iter().filter(|feed| feed.patient / LINES % LINES == line) {
            let name = feed.system.name();
            let door = open.iter_mut().find(|(system, _)| *system == name);
            let (_, door) = door.with_context(|| format!("no MLLP door for {name}"))?;
            let code = ack_code(&door.send(&feed.bytes)?)?;
            ensure!(code == "AA", "{} {} was answered by {code}", feed.kind, feed.id);
        }
        Ok(())
    };
    at_once(&(0..LINES).collect::<Vec<_>>(), |line| send(*line))
}

fn by_http(clients: &[Client], feeds: &[&Feed]) -> anyhow::Result<()> {
    let lines: Vec<(usize, &Client)> = clients.iter().enumerate().collect();
    at_once(&lines, |(line, client)| {
        for feed in feeds.iter().filter(|feed| feed.patient / LINES % LINES == *line) {
            let answer = client.send("POST", "/api/intake", "application/xml", &feed.bytes)?;
            ensure!(answer.is_success(), "{} {} was answered by {}", feed.kind, feed.id, answer.status);
        }
        Ok(())
    })
}

/// Does it for each, at the same time.
fn at_once<T: Sync>(all: &[T], does: impl Fn(&T) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = all.iter().map(|one| scope.spawn(|| does(one))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a sender does not panic"))
    })
}

impl Rates {
    fn add(
        &mut self,
        scene: &Scene,
        arguments: &Arguments,
        reader: &str,
        feeds: &[&Feed],
        cost: Cost,
    ) -> anyhow::Result<()> {
        let count = feeds.len() as f64;
        self.time.push(count / cost.time);
        self.processor.push(count / cost.processor);
        self.reader.push(count / read(scene.folder(), arguments, reader, feeds)?);
        self.appended.push(count / append(scene.folder(), feeds)?);
        self.count += feeds.len();
        self.bytes += feeds.iter().map(|feed| feed.bytes.len()).sum::<usize>();
        Ok(())
    }

    fn print(self, what: &str, reader: &str) {
        let (count, length) = (self.count, self.bytes / self.count.max(1));
        say(&format!("\n{what}, {count} in all, {length} B each, over {LINES} lines; per second"));
        let time = tell("taken: durable and acknowledged", self.time);
        let processor = tell("the same, per second of the node's processors", self.processor);
        let read = tell(&format!("read by {reader} and no more, per second of its processor"), self.reader);
        let appended = tell("appended to a file, fdatasync after each", self.appended);
        say(&format!(
            "  the node beside {reader}: {:.2}; beside the file: {:.2}",
            processor / read,
            time / appended
        ));
    }
}

/// Seconds of its processor in which a reader of others has read all.
fn read(folder: &Path, arguments: &Arguments, reader: &str, feeds: &[&Feed]) -> anyhow::Result<f64> {
    let folder = folder.join("to-read");
    std::fs::create_dir(&folder)?;
    for (place, feed) in feeds.iter().enumerate() {
        std::fs::write(folder.join(format!("{place:08}")), &feed.bytes)?;
    }
    let said = run(&arguments.python, &[READERS, reader, &folder.display().to_string()], None)?;
    std::fs::remove_dir_all(folder)?;
    Ok(said.trim().parse()?)
}

/// Seconds in which all is appended to a file, each durable before the next.
fn append(folder: &Path, feeds: &[&Feed]) -> anyhow::Result<f64> {
    let path = folder.join("appended");
    let mut file = File::create(&path)?;
    let began = Instant::now();
    for feed in feeds {
        file.write_all(&feed.bytes)?;
        file.sync_data()?;
    }
    let took = began.elapsed();
    std::fs::remove_file(path)?;
    Ok(took.as_secs_f64())
}
