//! `yiqiao-node backfill`: years of old records from files, one after the other, behind what the hospital's systems send now.
//!
//! The command walks the files in the order of their names and asks the running node to take each; the node reads it, waits until nothing
//! else is being taken, and says how it ended and how long live messages took lately. The command rests in proportion to that, and keeps
//! how far it is, durably, in the node's data folder: typed again, it goes on there. A file that had been taken when it was stopped is
//! known by its bytes. Not here: tables' mappings and readers, which are those of every door.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::timeout;
use yiqiao_intake::limits::INPUT_BYTES_MAX;
use yiqiao_intake::refusal::Refusal;
use yiqiao_node_core::connection::{Door, Origin};
use yiqiao_proto::hash;
use yiqiao_proto::id::Code;

use crate::admin::{Reply, Request};
use crate::app::App;
use crate::cli::{Console, other, say};
use crate::limits::{BACKFILL_PROGRESS_EVERY, BACKFILL_RETRY, BACKFILL_WAIT, BACKFILL_WRONG_MAX, LIVE_KEPT};
use crate::names::name_of;
use crate::reception::{Reception, Taken};
use crate::sequencer::NotTaken;
use crate::views;

/// What the command is told.
#[derive(clap::Args)]
pub(crate) struct OldRecords {
    /// A file, or a folder with files in it at any depth.
    #[arg(required_unless_present = "view")]
    path: Option<PathBuf>,
    /// The system whose records these are.
    #[arg(long, required_unless_present = "view")]
    system: Option<Code>,
    /// The table that the files are; without it they are HL7 v2, CDA or FHIR.
    #[arg(long)]
    table: Option<String>,
    /// A view of a database, by the name that the configuration has for it: in place of files.
    #[arg(long, conflicts_with_all = ["path", "system", "table"])]
    view: Option<Code>,
    /// How much of the time the node works on it, in percent; it never works on it while something else is being taken.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    share: u32,
}

/// One file, as the running node is asked to take it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OneFile {
    path: PathBuf,
    system: String,
    table: Option<String>,
}

/// What became of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FileTaken {
    /// How its messages ended, and how many of them had come before.
    ended: BTreeMap<String, u64>,
    /// Why some were refused.
    wrong: Vec<String>,
    /// It could not be taken now.
    busy: bool,
    /// Of the last live messages: how many, and within how many milliseconds 99 of 100 of them were answered.
    live: usize,
    live_ms: u64,
}

// ---- In the node ----

/// What is being taken of doors that do not wait, and how long that took lately.
#[derive(Debug, Default)]
pub(crate) struct Live {
    under_way: AtomicUsize,
    quiet: Notify,
    took_ms: Mutex<VecDeque<u64>>,
}

/// Something that is being taken.
pub(crate) struct UnderWay<'l> {
    live: &'l Live,
    began: Instant,
}

impl Live {
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay { live: self, began: Instant::now() }
    }

    /// Waits until nothing is being taken, for a bounded time.
    pub(crate) async fn quiet(&self) {
        let quiet = async {
            loop {
                let notified = self.quiet.notified();
                if self.under_way.load(Ordering::SeqCst) == 0 {
                    return;
                }
                notified.await;
            }
        };
        // Some systems never stop: old records then come between their messages.
        timeout(BACKFILL_WAIT, quiet).await.ok();
    }

    /// How many of the last messages are known, and within how many milliseconds 99 of 100 were answered.
    fn lately(&self) -> (usize, u64) {
        let mut took: Vec<u64> = self.kept().iter().copied().collect();
        took.sort_unstable();
        let place = (took.len() * 99).div_ceil(100).saturating_sub(1);
        (took.len(), took.get(place).copied().unwrap_or_default())
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.took_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let took = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut kept = self.live.kept();
        if kept.len() >= LIVE_KEPT {
            kept.pop_front();
        }
        kept.push_back(took);
        if self.live.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.live.quiet.notify_waiters();
        }
    }
}

/// Takes one file.
pub(crate) async fn take(app: &App, file: OneFile) -> Result<Reply, String> {
    let system = Code::new(file.system.as_str()).map_err(|error| error.to_string())?;
    let table = match &file.table {
        Some(name) => {
            Some(app.reception.table(name).ok_or_else(|| format!("no table {name} is configured"))?)
        }
        None => None,
    };
    let length = tokio::fs::metadata(&file.path).await.map_err(|error| error.to_string())?.len();
    if usize::try_from(length).map_or(true, |length| length > INPUT_BYTES_MAX) {
        return Ok(Reply::Backfilled { backfilled: too_large(&app.reception, &system).await });
    }
    let bytes = tokio::fs::read(&file.path).await.map_err(|error| error.to_string())?;
    app.reception.live().quiet().await;
    let taken = match table {
        Some(table) => app.reception.take_table(&system, Door::Backfill, table, (bytes, None)).await,
        None => app.reception.take(&system, Door::Backfill, bytes, None).await,
    };
    let mut backfilled = told(&taken);
    backfilled.beside(app.reception.live());
    Ok(Reply::Backfilled { backfilled })
}

async fn too_large(reception: &Reception, system: &Code) -> FileTaken {
    let wrong = Refusal::TooLarge { what: "a file", limit: INPUT_BYTES_MAX }.to_string();
    reception.unread(system, Origin { wrong: wrong.clone(), ..Origin::through(Door::Backfill) }).await;
    let ended = BTreeMap::from([("refused".to_owned(), 1)]);
    FileTaken { ended, wrong: vec![wrong], ..FileTaken::default() }
}

fn told(taken: &[Taken]) -> FileTaken {
    let mut file = FileTaken::default();
    file.add(taken);
    file
}

impl FileTaken {
    pub(crate) fn not_now() -> Self {
        Self { busy: true, ..Self::default() }
    }

    /// What became of further messages.
    pub(crate) fn add(&mut self, taken: &[Taken]) {
        for one in taken {
            match one {
                Ok(answer) => {
                    let end = if answer.answered.repeat {
                        "repeated".to_owned()
                    } else {
                        name_of(&answer.answered.verdict)
                    };
                    *self.ended.entry(end).or_default() += 1;
                    self.wrong.extend(answer.refusal.as_ref().map(ToString::to_string));
                }
                Err(NotTaken::TooLong) => self.refused("it is more than one record may hold".to_owned()),
                Err(NotTaken::Refused(error)) => self.wrong.push(error.to_string()),
                Err(NotTaken::Busy | NotTaken::Stopping) => self.busy = true,
            }
        }
        self.wrong.truncate(BACKFILL_WRONG_MAX);
    }

    pub(crate) fn refused(&mut self, wrong: String) {
        *self.ended.entry("refused".to_owned()).or_default() += 1;
        self.wrong.push(wrong);
    }

    /// What live messages took meanwhile.
    pub(crate) fn beside(&mut self, live: &Live) {
        (self.live, self.live_ms) = live.lately();
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }

    pub(crate) fn wrong(&self) -> &[String] {
        &self.wrong
    }

    pub(crate) fn add_to(&self, ended: &mut BTreeMap<String, u64>) {
        for (end, count) in &self.ended {
            *ended.entry(end.clone()).or_default() += count;
        }
    }

    /// What is said of live messages.
    pub(crate) fn lately(&self) -> String {
        format!("live: {} messages, 99 % within {} ms", self.live, self.live_ms)
    }
}

// ---- The command ----

/// Walks the files and hands in each that was not handed in before.
pub(crate) fn run(console: &Console, asked: &OldRecords) -> anyhow::Result<()> {
    if let Some(view) = &asked.view {
        return views::backfill::run(console, view, asked.share);
    }
    // The command line has both unless it has a view.
    let (Some(path), Some(system)) = (&asked.path, &asked.system) else { return other() };
    let path = path.canonicalize().with_context(|| format!("there is no {}", path.display()))?;
    let table = asked.table.as_deref();
    let position = Position::of_files(console.data(), &path, system, table)?;
    let mut files = BTreeSet::new();
    list(&path, &mut files).with_context(|| format!("cannot read {}", path.display()))?;
    let total = files.len();
    let left: Vec<&PathBuf> = files.iter().filter(|file| !position.is_behind(file)).collect();
    say(&format!("{} of {total} files are left", left.len()))?;
    let mut ended: BTreeMap<String, u64> = BTreeMap::new();
    for (place, file) in (total - left.len() + 1..).zip(left) {
        let began = Instant::now();
        let taken = take_one(console, (system, table), file)?;
        taken.add_to(&mut ended);
        for why in &taken.wrong {
            say(&format!("refused {}: {why}", file.display()))?;
        }
        position.keep(file)?;
        if place.is_multiple_of(BACKFILL_PROGRESS_EVERY) || place == total {
            say(&format!("{place} of {total} files; {}; {}", sum(&ended), taken.lately()))?;
        }
        console.rest(rest(began.elapsed(), asked.share));
    }
    Ok(())
}

/// Asks until the node can take it.
fn take_one(
    console: &Console,
    (system, table): (&Code, Option<&str>),
    file: &Path,
) -> anyhow::Result<FileTaken> {
    loop {
        let (system, table) = (system.to_string(), table.map(str::to_owned));
        let request = Request::Backfill(OneFile { path: file.to_owned(), system, table });
        let asked = console.ask(&request).with_context(|| {
            format!("{}: a file that takes longer than half a minute is to be split", file.display())
        });
        let Reply::Backfilled { backfilled } = asked? else { return other() };
        if !backfilled.busy {
            return Ok(backfilled);
        }
        console.rest(BACKFILL_RETRY);
    }
}

/// How long to rest after work of this length, so that it is this share of the time.
pub(crate) fn rest(worked: Duration, share: u32) -> Duration {
    worked * (100 - share.min(100)) / share.max(1)
}

pub(crate) fn sum(ended: &BTreeMap<String, u64>) -> String {
    ended.iter().map(|(end, count)| format!("{end} {count}")).collect::<Vec<_>>().join(", ")
}

/// All files, in the order of their paths; links are not followed.
fn list(path: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let metadata: Metadata = path.symlink_metadata()?;
    if metadata.is_file() {
        files.insert(path.to_owned());
    } else if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            list(&entry?.path(), files)?;
        }
    }
    Ok(())
}

/// How far a backfill is.
pub(crate) struct Position {
    file: PathBuf,
    last: Option<PathBuf>,
}

impl Position {
    fn of_files(data: &Path, path: &Path, system: &Code, table: Option<&str>) -> anyhow::Result<Self> {
        let table = table.unwrap_or_default();
        let of = [path.as_os_str().as_bytes(), b"\0", system.as_str().as_bytes(), b"\0", table.as_bytes()];
        Self::at(data, &of)
    }

    /// Of a view by its name.
    pub(crate) fn of_view(data: &Path, view: &Code) -> anyhow::Result<Self> {
        Self::at(data, &[b"\0view\0", view.as_str().as_bytes()])
    }

    fn at(data: &Path, of: &[&[u8]]) -> anyhow::Result<Self> {
        let folder = data.join("backfill");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let of = hash::blake3(of);
        let file = folder.join(hex::encode(of));
        let last = match std::fs::read(&file) {
            Ok(last) => Some(PathBuf::from(OsString::from_vec(last))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { file, last })
    }

    pub(crate) fn last(&self) -> Option<&Path> {
        self.last.as_deref()
    }

    /// Whether a file was handed in before.
    fn is_behind(&self, file: &Path) -> bool {
        self.last.as_ref().is_some_and(|last| file <= last.as_path())
    }

    /// Durable before the next file is handed in.
    pub(crate) fn keep(&self, last: &Path) -> anyhow::Result<()> {
        let next = self.file.with_extension("next");
        let written = File::create(&next)
            .and_then(|mut file| file.write_all(last.as_os_str().as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&next, &self.file));
        written.with_context(|| format!("cannot write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_makes_the_work_its_share_of_the_time() {
        let worked = Duration::from_millis(100);
        assert_eq!(rest(worked, 100), Duration::ZERO);
        assert_eq!(rest(worked, 50), worked);
        assert_eq!(rest(worked, 25), 3 * worked);
    }

    #[tokio::test]
    async fn old_records_wait_until_nothing_else_is_being_taken() {
        let live = Live::default();
        let one = live.begin();
        let mut waits = std::pin::pin!(live.quiet());
        assert!(futures::poll!(waits.as_mut()).is_pending());
        drop(one);
        assert!(futures::poll!(waits).is_ready());
        assert_eq!(live.lately().0, 1);
    }
}
