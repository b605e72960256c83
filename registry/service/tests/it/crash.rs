//! What a registry owes its members after kills at any instant, and after damage to what it keeps (L-5, L-8, N-5).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "what cannot happen here fails the test, and says with which seed"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use yiqiao_host::keys;
use yiqiao_proto::directive::Act;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::{Entry, Link};
use yiqiao_proto::envelope::{Envelope, Kind};
use yiqiao_proto::lease::FeedItem;
use yiqiao_proto::limits::SUBMISSION_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::token::Token;

use crate::member::{Failure, Member, Signed, Stands};
use crate::rig::{Region, files, free_port, region};
use crate::words::{Chain, desk, permit, query, some_token};

/// Kills of the normal test.
const ROUNDS: u64 = 12;
/// Overrides them.
const ROUNDS_VARIABLE: &str = "YIQIAO_CRASH_ROUNDS";
/// Makes the draws of a run again.
const SEED_VARIABLE: &str = "YIQIAO_CRASH_SEED";
/// Publishers at once, and subjects of each.
const PUBLISHERS: u64 = 4;
const SUBJECTS: usize = 3;
/// Entries of the longest submission.
const ENTRIES_MAX: u64 = 20;
/// What an older copy of the log needs (L-9).
const NEW_LOG: &str = "`yiqiao-registry new-log`";
/// The subject that c may search.
const KNOWN: u64 = 0;

/// Numbers drawn from a seed.
struct Draw(Entropy);

impl Draw {
    fn new(seed: u64, stream: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice([seed.to_be_bytes(), stream.to_be_bytes()].as_flattened());
        Self(Entropy::new(bytes))
    }

    /// From `from` to `to`, both included.
    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + u64::from_be_bytes(self.0.bytes()) % (to - from + 1)
    }
}

/// One subject as its publisher keeps book of it.
struct Line {
    chain: Chain,
    /// What stands, by receipt.
    taken: Vec<(Signed, Stands)>,
    /// What was handed in when the registry died: with the chain after it.
    pending: Option<(Chain, Vec<Signed>)>,
    next_entry: u64,
}

impl Line {
    fn new(subject: u64) -> Self {
        let next_entry = subject * 1_000_000;
        Self { chain: Chain::new("a", subject + 1), taken: Vec::new(), pending: None, next_entry }
    }

    fn draw(&mut self, member: &Member, draw: &mut Draw) -> (Chain, Vec<Signed>) {
        let mut chain = self.chain.clone();
        let count = draw.between(1, ENTRIES_MAX);
        let words = (0..count).map(|at| chain.entry(member, self.next_entry + at)).collect();
        self.next_entry += count;
        (chain, words)
    }

    fn took(&mut self, chain: Chain, words: Vec<Signed>, stands: Vec<Stands>) {
        self.chain = chain;
        self.taken.extend(words.into_iter().zip(stands));
    }
}

/// Publishes until the registry is gone.
async fn publish(
    member: Arc<Member>,
    mut lines: Vec<Line>,
    mut draw: Draw,
    taken: watch::Sender<u64>,
) -> Vec<Line> {
    loop {
        for line in &mut lines {
            let (chain, words) = line.draw(&member, &mut draw);
            match member.submit(&words).await {
                Ok(stands) => line.took(chain, words, stands),
                Err(Failure::Link(_)) => {
                    line.pending = Some((chain, words));
                    return lines;
                }
                Err(refused) => panic!("an honest submission is refused: {refused:?}"),
            }
            taken.send_modify(|taken| *taken += 1);
        }
    }
}

/// The registry with the books of its publisher.
struct Town {
    region: Region,
    a: Arc<Member>,
    c: Member,
    lines: Vec<Line>,
    seed: u64,
}

impl Town {
    async fn new() -> Self {
        let variable = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
        let seed = variable(SEED_VARIABLE).unwrap_or_else(|| u64::from(u32::from_be_bytes(keys::random())));
        eprintln!("{SEED_VARIABLE}={seed}");
        let region = Region::started(&["a", "c"]).await;
        let [a, c] = [Member::connected(&region, "a").await, Member::connected(&region, "c").await];
        let mut lines: Vec<Line> = (0..PUBLISHERS * SUBJECTS as u64).map(Line::new).collect();
        for (number, line) in (0_u64..).zip(&mut lines) {
            a.say(&line.chain.statement(&a, &[token_of(number)])).await;
        }
        c.say(&c.signed(&Act::new(permit(1, token_of(KNOWN), "c", 0), desk("c")))).await;
        Self { region, a: Arc::new(a), c, lines, seed }
    }

    /// Publishes, kills at a drawn instant, starts again, and checks all that members were promised.
    async fn round(&mut self, round: u64) {
        let mut draw = Draw::new(self.seed, round << 8);
        let (taken, mut count) = watch::channel(0);
        let mut publishers = JoinSet::new();
        let mut lines = std::mem::take(&mut self.lines);
        for publisher in 1..=PUBLISHERS {
            let own = lines.drain(..SUBJECTS).collect();
            let stream = Draw::new(self.seed, round << 8 | publisher);
            publishers.spawn(publish(Arc::clone(&self.a), own, stream, taken.clone()));
        }
        let (submissions, pause) = (draw.between(1, 24), draw.between(0, 8_000));
        count.wait_for(|count| *count >= submissions).await.unwrap();
        tokio::time::sleep(Duration::from_micros(pause)).await;
        self.region.kill();
        self.lines = publishers.join_all().await.into_iter().flatten().collect();
        self.lines.sort_by_key(|line| line.chain.subject);
        let took = self.region.start().await;
        let (whole, absent) = self.settle().await;
        let words = self.check().await;
        eprintln!(
            "round {round}: {words} words stand, unanswered: {whole} whole and {absent} absent, up in {took:?}"
        );
    }

    /// N-5: what was handed in and not answered is there whole or not at all, and is taken when it comes again.
    async fn settle(&mut self) -> (usize, usize) {
        let (mut whole, mut absent) = (0, 0);
        for line in &mut self.lines {
            let Some((chain, words)) = line.pending.take() else { continue };
            let more = self.a.links(line.chain.subject).await.unwrap().len() - line.taken.len();
            match more {
                0 => absent += 1,
                more if more == words.len() => whole += 1,
                more => panic!("{more} of a submission of {} words are there", words.len()),
            }
            let stands = self.a.submit(&words).await.unwrap();
            line.took(chain, words, stands);
        }
        (whole, absent)
    }

    /// Every word that was answered for stands where its receipt said, once, in one chain; gives how many stand.
    async fn check(&self) -> usize {
        let mut places = BTreeSet::new();
        for line in &self.lines {
            let links = self.a.links(line.chain.subject).await.unwrap();
            assert_eq!(links.len(), line.taken.len(), "words are lost or doubled");
            let mut previous = None;
            for ((opening, link), (signed, stands)) in links.iter().zip(&line.taken) {
                assert_eq!(Some(link), signed.link.as_ref());
                assert_eq!(link.previous, previous, "the chain is broken");
                assert_eq!(opening.envelope, signed.envelope.as_bytes());
                let leaf = opening.leaf(&region(), Kind::Entry).hash();
                assert_eq!((opening.seq, leaf), (stands.seq, stands.leaf), "not what the receipt said");
                assert!(places.insert(opening.seq), "place {} is taken twice", opening.seq);
                previous = Some(Envelope::decode(&opening.envelope).unwrap().payload_hash());
            }
            let last = line.taken.len().saturating_sub(SUBMISSION_MAX);
            self.repeat(&line.taken[last..]).await.unwrap();
        }
        places.len()
    }

    /// The same words again have the same places, under a tree that is not smaller.
    async fn repeat(&self, taken: &[(Signed, Stands)]) -> Result<(), Failure> {
        if taken.is_empty() {
            return Ok(());
        }
        let words: Vec<Signed> = taken.iter().map(|(signed, _)| signed.clone()).collect();
        for ((_, before), after) in taken.iter().zip(self.a.submit(&words).await?) {
            assert_eq!((before.seq, before.leaf), (after.seq, after.leaf));
            assert!(before.size <= after.size);
        }
        Ok(())
    }

    /// What members are answered, after all words were handed in once more.
    async fn answers(&self) -> Result<Answers, Failure> {
        let mut links = Vec::new();
        for line in &self.lines {
            for words in line.taken.chunks(SUBMISSION_MAX) {
                self.repeat(words).await?;
            }
            links.push(self.a.links(line.chain.subject).await?);
        }
        let (found, _) = self.c.search(&query("c", token_of(KNOWN))).await?;
        Ok(Answers { links, feed: self.a.feed().await?.items, found })
    }

    /// A town that has seen some life and one kill, and runs; with its answers.
    async fn lived_in() -> (Self, Answers) {
        let mut town = Self::new().await;
        for round in 0..2 {
            town.round(round).await;
        }
        let answers = town.answers().await.unwrap();
        assert!(!answers.found.is_empty() && !answers.feed.is_empty(), "there is something to compare");
        (town, answers)
    }

    /// What is damaged and can be made again ends the registry once, which says so and takes the files away.
    async fn after_removal(&mut self, said: &str) -> Result<Answers, Failure> {
        assert!(said.contains("start the registry again"), "{said}");
        self.region.start().await;
        self.answers().await
    }

    /// The newest file of the journal.
    fn segment(&self) -> PathBuf {
        let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "segment");
        files(&self.region.log_folder()).into_keys().rfind(is_segment).unwrap()
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Answers {
    links: Vec<Vec<(Opening, Link)>>,
    feed: Vec<FeedItem>,
    found: Vec<(u64, Entry)>,
}

fn token_of(subject: u64) -> Token {
    some_token(subject + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_what_was_answered_for_survives_a_kill_at_any_instant() {
    let mut town = Town::new().await;
    let rounds = std::env::var(ROUNDS_VARIABLE).ok().map_or(ROUNDS, |text| text.parse().unwrap());
    for round in 0..rounds {
        town.round(round).await;
    }
    town.answers().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_index_or_tree_is_made_again_from_the_journal() {
    let (mut town, answers) = Town::lived_in().await;
    town.region.stop().await;
    std::fs::remove_dir_all(town.region.index_file().parent().unwrap()).unwrap();
    let took = town.region.start().await;
    eprintln!("up in {took:?} with a new index");
    assert_eq!(town.answers().await.as_ref(), Ok(&answers));

    town.region.kill();
    for column in ["leaves-8.column", "tree-32.column"] {
        std::fs::remove_file(town.region.log_folder().join(column)).unwrap();
        let took = town.region.start().await;
        eprintln!("up in {took:?} without {column}");
        assert_eq!(town.answers().await.as_ref(), Ok(&answers));
        town.region.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_tree_or_index_changes_no_answer() {
    let (mut town, answers) = Town::lived_in().await;
    town.region.stop().await;
    let columns = ["leaves-8.column", "tree-32.column"].map(|name| town.region.log_folder().join(name));
    for file in columns.into_iter().chain([town.region.index_file()]) {
        for part in 0..6 {
            let mut bytes = std::fs::read(&file).unwrap();
            let at = bytes.len() * part / 6 + bytes.len() / 13;
            bytes[at] ^= 0x10;
            std::fs::write(&file, &bytes).unwrap();
            let found = match town.region.try_start().await {
                Ok(_) => town.answers().await,
                Err(said) => town.after_removal(&said).await,
            };
            let found = match found {
                Ok(answers) => answers,
                // Whoever asked is told to come again; it is not told anything wrong.
                Err(_) => {
                    let said = town.region.ended().await;
                    town.after_removal(&said).await.unwrap()
                }
            };
            assert!(found == answers, "byte {at} of {}", file.display());
            town.region.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l8_damage_below_the_checkpoint_stops_the_start_and_names_file_and_remedy() {
    let (mut town, answers) = Town::lived_in().await;
    town.region.stop().await;
    let segment = town.segment();
    let whole = std::fs::read(&segment).unwrap();
    for part in 1..8 {
        let mut bytes = whole.clone();
        let at = bytes.len() * part / 8;
        bytes[at] ^= 0x01;
        std::fs::write(&segment, &bytes).unwrap();
        let said = town.region.try_start().await.unwrap_err();
        assert!(said.contains(&segment.display().to_string()), "byte {at}: {said}");
        assert!(said.contains("restore") && said.contains(NEW_LOG), "byte {at}: {said}");
    }
    std::fs::write(&segment, &whole[..whole.len() / 2]).unwrap();
    let said = town.region.try_start().await.unwrap_err();
    assert!(said.contains("restore") && said.contains(NEW_LOG), "a journal that was cut: {said}");
    std::fs::write(&segment, &whole).unwrap();
    town.region.start().await;
    assert_eq!(town.answers().await, Ok(answers), "nothing was changed by the starts that were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_registry_on_the_same_folder_is_refused() {
    let mut region = Region::started(&["a"]).await;
    let config = region.config();
    let said = region.refused_second(&config).await;
    assert!(said.contains("is another process there?"), "{said}");
    let text = std::fs::read_to_string(&config).unwrap();
    let mut ports: toml::Table = toml::from_str(&text).unwrap();
    let http = format!("127.0.0.1:{}", free_port());
    ports["http"].as_table_mut().unwrap().insert("listen".to_owned(), http.into());
    let other = config.with_file_name("second.toml");
    std::fs::write(&other, toml::to_string(&ports).unwrap()).unwrap();
    let said = region.refused_second(&other).await;
    assert!(said.contains("in use by another process: stop that process"), "{said}");
    assert!(region.is_healthy().await);
}
