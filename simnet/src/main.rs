//! `yiqiao-simnet`: prints synthetic residents and writes the feeds of their hospitals.

use std::fs;
use std::io::{BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use jiff::civil::Date;
use serde::Serialize;
use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::limits::{DAY_MAX, DAY_MIN, PEOPLE_MAX};
use yiqiao_simnet::people::{Person, Sex, people};
use yiqiao_simnet::town::Town;

/// Makes people who do not exist, and what their hospitals would send about them.
///
/// The same seed gives the same bytes on every machine. All identity numbers begin with 999999, a region that does not
/// exist, so that none can be a real person's.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints residents, one JSON object a line.
    Patients {
        /// The name of the town: any number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many residents.
        #[arg(long, default_value_t = 20)]
        count: usize,
    },
    /// Writes what the hospitals' systems sent, one file a message in order of time, and truth.jsonl beside them.
    ///
    /// File names say order, hospital and system: 000017-qzrm-lis.hl7. HL7 v2 files hold one message without MLLP
    /// framing, in the character set of the hospital (qzdx writes GB18030). Each line of truth.jsonl says whom a file is
    /// about, what it is and when it was sent.
    Feed {
        /// The name of the town: any number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many residents.
        #[arg(long, default_value_t = 60, conflicts_with = "story")]
        patients: usize,
        /// The demo's town instead: its fixed cast and their neighbours.
        #[arg(long, conflicts_with = "seed")]
        story: bool,
        /// The day on which the town lives, for example 2026-11-20; records reach back from it.
        #[arg(long, default_value = "2026-11-20")]
        day: Date,
        /// The folder to write to; made if it is missing, refused if it holds anything.
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Patients { seed, count } => print_patients(seed, count),
        Command::Feed { seed, patients, story, day, out } => {
            ensure!(
                (DAY_MIN..=DAY_MAX).contains(&day),
                "{day} is outside of the town's time: give --day from {DAY_MIN} to {DAY_MAX}"
            );
            bounded(patients)?;
            let town = if story { Town::story(day) } else { Town::new(seed, patients, day) };
            write_feeds(&town, &out)
        }
    }
}

/// A resident as printed.
#[derive(Serialize)]
struct Resident<'a> {
    index: usize,
    name: &'a str,
    pinyin: &'a str,
    sex: Sex,
    birth: String,
    resident_id: &'a str,
    health_card: &'a str,
    phone: &'a str,
    address: String,
    ethnicity: &'a str,
    household: u32,
    guardian: Option<usize>,
}

/// What a file of a feed is about.
#[derive(Serialize)]
struct Truth<'a> {
    file: &'a str,
    hospital: &'a str,
    system: &'a str,
    kind: &'a str,
    document: Option<&'a str>,
    id: &'a str,
    sent: String,
    patient: usize,
    name: &'a str,
    resident_id: &'a str,
    local_number: &'a str,
    visit: &'a str,
}

fn print_patients(seed: u64, count: usize) -> Result<()> {
    bounded(count)?;
    let mut out = BufWriter::new(stdout().lock());
    for (index, person) in people(seed, count).iter().enumerate() {
        line(&mut out, &resident(index, person)).context("cannot print the residents")?;
    }
    out.flush().context("cannot print the residents")
}

fn write_feeds(town: &Town, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut present = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    ensure!(
        present.next().is_none(),
        "{} is not empty: give an empty or new folder to --out",
        folder.display()
    );
    let path = folder.join("truth.jsonl");
    let truth = fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut truth = BufWriter::new(truth);
    for (order, feed) in town.feeds().enumerate() {
        let file =
            format!("{order:06}-{}-{}.{}", feed.hospital.member, feed.system.name(), feed.system.extension());
        let path = folder.join(&file);
        fs::write(&path, &feed.bytes).with_context(|| format!("cannot write {}", path.display()))?;
        let person = town.patients().get(feed.patient).context("a feed is about nobody")?;
        line(&mut truth, &about(&file, &feed, &person.person)).context("cannot write truth.jsonl")?;
    }
    truth.flush().context("cannot write truth.jsonl")
}

fn resident(index: usize, person: &Person) -> Resident<'_> {
    Resident {
        index,
        name: &person.name.text,
        pinyin: &person.name.pinyin,
        sex: person.sex,
        birth: person.birth.to_string(),
        resident_id: person.resident_id.as_str(),
        health_card: &person.health_card,
        phone: &person.phone,
        address: person.address.text(),
        ethnicity: person.ethnicity.name,
        household: person.household,
        guardian: person.guardian,
    }
}

fn about<'a>(file: &'a str, feed: &'a Feed, person: &'a Person) -> Truth<'a> {
    Truth {
        file,
        hospital: feed.hospital.member,
        system: feed.system.name(),
        kind: feed.kind,
        document: feed.document,
        id: &feed.id,
        sent: feed.local.strftime("%Y-%m-%dT%H:%M:%S+08:00").to_string(),
        patient: feed.patient,
        name: &person.name.text,
        resident_id: person.resident_id.as_str(),
        local_number: &feed.local_number,
        visit: &feed.visit,
    }
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")?;
    Ok(())
}

fn bounded(count: usize) -> Result<()> {
    ensure!(count <= PEOPLE_MAX, "a town has at most {PEOPLE_MAX} residents, not {count}");
    Ok(())
}
