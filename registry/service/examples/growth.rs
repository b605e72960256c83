//! What a registry costs as it grows: bytes of log and index, memory, processor time, the answer to a search, a start.
//!
//! `cargo build --release -p yiqiao-registry --bins --examples`, then `target/release/examples/growth [entries] [steps]`.
//! Patients have ten entries each under random names, as they have in a region, so that every write goes to another place of the
//! index. Of each step's patients some have a permit, of whom is searched. At the end what else a registry is asked for, each alone.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement ends where it cannot go on")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use yiqiao_host::keys;
use yiqiao_proto::directive::Act;
use yiqiao_proto::id::{Digest, DocumentId, EntryId, Subject};
use yiqiao_proto::lease::feed_start;
use yiqiao_proto::token::Token;

use member::Member;
use rig::Region;
use words::{Chain, denial, desk, permit, query, some_token};

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

/// Entries of a patient: one submission.
const ENTRIES_EACH: u64 = 10;
/// Patients that are published at once.
const AT_ONCE: usize = 16;
/// Patients of each step who permit the searching hospital.
const PERMITS: u64 = 200;
/// A tick of the processor times in `/proc`: a hundredth of a second on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// How many leases, events and directives.
const OTHERS: usize = 2_000;
/// A search with ten entries found.
const FOUND: usize = 10;

#[tokio::main]
async fn main() {
    let number = |at, or: u64| std::env::args().nth(at).map_or(or, |text| text.parse().unwrap());
    let (entries, steps) = (number(1, 100_000), number(2, 4));
    let mut region = Region::started(&["a", "c"]).await;
    println!(
        "entries  entries/s  CPU us/entry  log B/entry  index B/entry  RSS MB  search p50 ms  p99 ms  start s"
    );
    let (mut published, mut searched) = (0, Vec::new());
    for _ in 0..steps {
        let (a, c) = (Arc::new(Member::connected(&region, "a").await), Member::connected(&region, "c").await);
        let (cpu, began) = (processor_seconds(region.pid()), Instant::now());
        let patients = entries / steps / ENTRIES_EACH;
        publish(&a, patients, &mut searched).await;
        let (seconds, used) = (began.elapsed().as_secs_f64(), processor_seconds(region.pid()) - cpu);
        published += patients * ENTRIES_EACH;
        let (p50, p99) = search(&c, &searched).await;
        let rss = region.kilobytes("VmRSS") / 1024;
        let (log, index) = (bytes(&region.log_folder()), bytes(&region.index_file()));
        region.stop().await;
        let start = region.start().await;
        let step = (patients * ENTRIES_EACH) as f64;
        println!(
            "{published:>7}  {:>9.0}  {:>12.1}  {:>11.0}  {:>13.0}  {rss:>6}  {p50:>13.2}  {p99:>6.2}  {:>7.2}",
            step / seconds,
            used * 1e6 / step,
            log as f64 / published as f64,
            index as f64 / published as f64,
            start.as_secs_f64()
        );
    }
    print_others(&region, &searched).await;
    region.stop().await;
    std::fs::remove_file(region.index_file()).unwrap();
    let rebuilt = region.start().await;
    println!("start after the index was removed: {:.1} s for {published} entries", rebuilt.as_secs_f64());
}

/// Processor time of what is no entry, and what stays of it in the log.
async fn print_others(region: &Region, patients: &[Token]) {
    let (a, c) = (Member::connected(region, "a").await, Member::connected(region, "c").await);
    println!("\n                  CPU us each  log B each");
    let before = Used::by(region);
    search(&c, patients).await;
    before.print(region, "search, 10 found", patients.len());
    let before = Used::by(region);
    for _ in 0..OTHERS {
        c.lease(1, 0, feed_start(&rig::region(), &c.code)).await.unwrap();
    }
    before.print(region, "lease", OTHERS);
    let before = Used::by(region);
    for token in patients.iter().cycle().take(OTHERS) {
        a.submit_unchecked(&[a.signed(&denial(*token))]).await.unwrap();
    }
    before.print(region, "access event", OTHERS);
    let before = Used::by(region);
    for number in 0..OTHERS as u64 {
        let act = Act::new(permit(1 << 32 | number, some_token(number), "c", 0), desk("a"));
        a.submit_unchecked(&[a.signed(&act)]).await.unwrap();
    }
    before.print(region, "directive", OTHERS);
}

/// What a registry has used so far.
struct Used {
    cpu: f64,
    log: u64,
}

impl Used {
    fn by(region: &Region) -> Self {
        Self { cpu: processor_seconds(region.pid()), log: bytes(&region.log_folder()) }
    }

    fn print(&self, region: &Region, what: &str, count: usize) {
        let now = Self::by(region);
        let each = |used: f64| used / count as f64;
        let (cpu, log) = (each(now.cpu - self.cpu) * 1e6, each((now.log - self.log) as f64));
        println!("{what:17} {cpu:>11.0}  {log:>10.0}");
    }
}

/// Publishes new patients; of some of them the token is kept.
async fn publish(a: &Arc<Member>, patients: u64, searched: &mut Vec<Token>) {
    let (mut publishers, room) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for number in 0..patients {
        let token = Token { epoch: 1, value: Digest::new(keys::random()).unwrap() };
        let permits = number < PERMITS;
        if permits {
            searched.push(token);
        }
        let (a, room) = (Arc::clone(a), Arc::clone(&room).acquire_owned().await.unwrap());
        publishers.spawn(async move {
            publish_one(&a, token, permits).await;
            drop(room);
        });
    }
    publishers.join_all().await;
}

async fn publish_one(a: &Member, token: Token, permits: bool) {
    let mut chain = Chain::new("a", 1);
    chain.subject = Subject::new(keys::random()).unwrap();
    let statement = chain.statement(a, &[token]);
    a.submit_unchecked(&[statement]).await.unwrap();
    let entries = (0..ENTRIES_EACH).map(|number| {
        chain.entry_of(a, number + 1, |entry| {
            entry.entry_id = EntryId::new(keys::random()).unwrap();
            entry.document = DocumentId::new(keys::random()).unwrap();
        })
    });
    a.submit_unchecked(&entries.collect::<Vec<_>>()).await.unwrap();
    if permits {
        let directive = u64::from_be_bytes(keys::random()) | 1;
        let act = Act::new(permit(directive, token, "c", 0), desk("a"));
        a.submit_unchecked(&[a.signed(&act)]).await.unwrap();
    }
}

/// Searches of everybody who permits it, one after the other.
async fn search(c: &Member, patients: &[Token]) -> (f64, f64) {
    let mut took = Vec::with_capacity(patients.len());
    for token in patients {
        let began = Instant::now();
        let (found, _) = c.search(&query("c", *token)).await.unwrap();
        took.push(began.elapsed());
        assert_eq!(found.len(), FOUND);
    }
    took.sort_unstable();
    let at = |part: usize| took.get(took.len() * part / 100).map_or(0.0, Duration::as_secs_f64) * 1e3;
    (at(50), at(99))
}

/// The length of a file, or of all files of a folder.
fn bytes(path: &Path) -> u64 {
    let metadata = std::fs::metadata(path).unwrap();
    if !metadata.is_dir() {
        return metadata.len();
    }
    std::fs::read_dir(path).unwrap().map(|entry| bytes(&entry.unwrap().path())).sum()
}

/// Processor time that a process has used so far.
fn processor_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|text| text.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}
