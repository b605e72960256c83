//! Residents as JSON, and the feeds of their hospitals as files.

use std::fs;
use std::io::{BufWriter, Write, stdout};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use jiff::civil::Date;
use serde::Serialize;
use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::limits::{DAY_MAX, DAY_MIN, PEOPLE_MAX};
use yiqiao_simnet::people::{Person, Sex, people};
use yiqiao_simnet::town::Town;

/// Prints residents, one JSON object a line.
pub(crate) fn print_patients(seed: u64, count: usize) -> Result<()> {
    bounded(count)?;
    let mut out = BufWriter::new(stdout().lock());
    for (index, person) in people(seed, count).iter().enumerate() {
        line(&mut out, &resident(index, person)).context("cannot print the residents")?;
    }
    out.flush().context("cannot print the residents")
}

/// Writes what the hospitals' systems sent.
pub(crate) fn write_feeds(seed: u64, patients: usize, story: bool, day: Date, out: &Path) -> Result<()> {
    ensure!(
        (DAY_MIN..=DAY_MAX).contains(&day),
        "{day} is outside of the town's time: give --day from {DAY_MIN} to {DAY_MAX}"
    );
    bounded(patients)?;
    let town = if story { Town::story(day) } else { Town::new(seed, patients, day) };
    write_town(&town, out)
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

fn write_town(town: &Town, folder: &Path) -> Result<()> {
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
