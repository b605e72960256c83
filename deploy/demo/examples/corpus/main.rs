//! `make corpus`: sends every file below a folder through a running node's own doors and reports what became of each message.
//!
//! | to find | look in |
//! |---|---|
//! | files, and the doors that they go through | [`doors`] |
//! | one row a message | [`row`] |
//! | what must hold of every file, and of the node's own counters | [`checks`] |
//! | the table | [`table`] |
//!
//! The folder's sub-folders are kinds; a file's name tells its origin before `__`. HL7 v2 goes by MLLP and then, as a
//! repeat, by HTTP; everything else by HTTP. Half-way the node is killed and started again. It prints identifiers: the
//! folder must hold none of real patients. Whatever does not hold is printed, and the run fails.

mod checks;
mod doors;
mod row;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;
use yiqiao_demo::cast;
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::process::run;
use yiqiao_demo::region::{Options, Region};

use crate::checks::Books;
use crate::doors::{Doors, Sent, Source};
use crate::row::Outcome;
use crate::table::Table;

/// The hospital whose node takes everything.
const LETTER: char = 'A';
/// How long the outbox may take to be empty.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Files between two lines of progress.
const PROGRESS_EVERY: usize = 200;

/// Sends every file below a folder through a running node, and reports what became of each message.
#[derive(Parser)]
struct Arguments {
    /// The folder of the files.
    folder: PathBuf,
    /// Where to write one JSON object per message.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = tempfile::tempdir().context("cannot make a folder for the region");
    match root.and_then(|root| keep_on_failure(root, |root| corpus(&arguments, root))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The folder of a run in which something did not hold stays, for whoever looks into it.
fn keep_on_failure(root: TempDir, run: impl FnOnce(&Path) -> anyhow::Result<bool>) -> anyhow::Result<bool> {
    let ended = run(root.path());
    if !matches!(ended, Ok(true)) {
        say(&format!("the region's folder is kept: {}", root.keep().display()));
    }
    ended
}

/// Whether everything held.
fn corpus(arguments: &Arguments, root: &Path) -> anyhow::Result<bool> {
    let began = Instant::now();
    let sources = doors::sources(&arguments.folder)?;
    ensure!(!sources.is_empty(), "there are no files below {}", arguments.folder.display());
    let mut run = Run::set_up(root)?;
    say(&format!("the node is up after {:.1} s; {} files", began.elapsed().as_secs_f32(), sources.len()));
    let (first, second) = sources.split_at(sources.len() / 2);
    run.send(first)?;
    run.crash(first)?;
    run.send(second)?;
    run.settle()?;
    let Run { region, books, table, .. } = run;
    region.stop()?;
    if let Some(file) = &arguments.json {
        table.write(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    say(&table.to_string());
    books.faults().iter().for_each(|fault| say(&format!("WRONG {fault}")));
    let (wrong, took) = (books.faults().len(), began.elapsed().as_secs_f32());
    say(&format!("{} files, {} messages, {wrong} faults, {took:.1} s", sources.len(), table.messages()));
    Ok(wrong == 0)
}

/// A region of one hospital, and what was sent to its node so far.
struct Run {
    region: Region,
    node: Node,
    doors: Doors,
    books: Books,
    table: Table,
}

/// The administrator's commands of the node.
struct Node {
    program: PathBuf,
    config: String,
    log: PathBuf,
}

impl Run {
    fn set_up(root: &Path) -> anyhow::Result<Self> {
        let programs = programs()?;
        let options = Options { programs: programs.clone(), ports: Choice::Free, hospitals: 1 };
        let town = cast::town(jiff::Zoned::now().date());
        let region = Region::set_up(Place::new(root)?, &options, &town, &mut say)?;
        let hospital = region.facts().hospital(LETTER)?;
        let node = Node {
            program: programs.join("yiqiao-node"),
            config: hospital.node.config.display().to_string(),
            log: hospital.node.log.clone(),
        };
        let (system, address) = hospital.mllp.first().context("the hospital has an MLLP door")?;
        // The same system at both doors: what came by one is known at the other.
        let said = node.does(&["client", "add", system, "--name", "corpus", "--scope", "intake"])?;
        let secret = said.lines().find_map(|line| line.strip_prefix("client secret: "));
        let secret = secret.context("the secret of a new client is printed")?.trim();
        let doors = Doors::open(address, &hospital.node.url, system, secret)?;
        let books = Books::of(system);
        Ok(Self { region, node, doors, books, table: Table::default() })
    }

    fn send(&mut self, sources: &[Source]) -> anyhow::Result<()> {
        for source in sources {
            let (bytes, sent) = self.deliver(source)?;
            self.books.check(source, &bytes, &sent);
            self.table.add(source, sent);
            if self.table.files().is_multiple_of(PROGRESS_EVERY) {
                say(&format!("{} files are in", self.table.files()));
            }
        }
        Ok(())
    }

    fn deliver(&self, source: &Source) -> anyhow::Result<(Vec<u8>, Sent)> {
        let bytes = source.read()?;
        let sent = self.doors.send(source, &bytes).with_context(|| {
            format!("{source} got no answer; the node said last: {}", self.node.last_words())
        })?;
        Ok((bytes, sent))
    }

    /// Kills the node behind an acknowledgement: all that it acknowledged is there when it is back.
    fn crash(&mut self, sent: &[Source]) -> anyhow::Result<()> {
        self.region.kill_node(LETTER)?;
        self.region.start_node(LETTER)?;
        self.books.compare("after kill -9", &self.node.status()?);
        self.doors.sign_in_again()?;
        for source in sent {
            let (bytes, again) = self.deliver(source)?;
            self.books.check_known(source, &bytes, &again);
        }
        self.books.compare("after everything came again", &self.node.status()?);
        say("the node was killed and is back; what it had acknowledged is known to it");
        Ok(())
    }

    /// What must hold at the end: all is published, counted, and kept for whom it is to be kept.
    fn settle(&mut self) -> anyhow::Result<()> {
        let status = self.published()?;
        self.books.compare("at the end", &status);
        self.books.compare_outbox(&status);
        let waiting = status.get("words_waiting").and_then(Value::as_u64).unwrap_or(0);
        say(&format!(
            "{} entries, {waiting} of them of patients without a number that others could ask by",
            self.books.entries()
        ));
        self.review()?;
        let log = std::fs::read_to_string(&self.node.log)?;
        self.books.check_log(&log);
        Ok(())
    }

    /// How things stand once nothing waits that can be published, or time is up.
    fn published(&self) -> anyhow::Result<Value> {
        let began = Instant::now();
        loop {
            let status = self.node.status()?;
            let waits = status.get("subjects_waiting").and_then(Value::as_u64) != Some(0);
            if !waits || began.elapsed() > PATIENCE {
                return Ok(status);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Every message that is kept for a person is listed; one is shown as it came, and is the same when handed in again.
    fn review(&mut self) -> anyhow::Result<()> {
        let mut listed = Vec::new();
        loop {
            let after = listed.last().cloned().unwrap_or_else(|| "0".to_owned());
            let page = self.node.does(&["review", "list", "--after", &after])?;
            let numbers = page.lines().filter_map(|line| line.split_whitespace().next());
            let before = listed.len();
            listed.extend(numbers.map(str::to_owned));
            if listed.len() == before {
                break;
            }
        }
        self.books.compare_reviews(listed.len());
        let Some(number) = listed.first() else { return Ok(()) };
        let shown = self.node.does(&["review", "show", number])?;
        let replayed = self.node.does(&["review", "replay", number])?;
        self.books.compare_review(&shown, &replayed);
        let kept = self.table.count(Outcome::Review);
        say(&format!("{kept} messages in {} reviews; the first was shown and handed in again", listed.len()));
        Ok(())
    }
}

impl Node {
    fn does(&self, words: &[&str]) -> anyhow::Result<String> {
        run(&self.program, &[words, &["--config", &self.config]].concat(), None)
    }

    fn status(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.does(&["status", "--json"])?)?)
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().next_back().unwrap_or_default().to_owned()
    }
}

/// The folder of the programs: that of this one, or the one above it.
fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program is in a folder")?;
    let folder = if folder.ends_with("examples") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_owned())
}

fn say(sentence: &str) {
    let mut out = std::io::stdout().lock();
    // Who no longer listens needs no answer.
    let _untold = writeln!(out, "{sentence}").and_then(|()| out.flush());
}
