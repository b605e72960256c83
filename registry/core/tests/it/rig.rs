//! A region in memory and the driver of its registry. Every test ends with the index made again from the journal alone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot happen here fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use yiqiao_proto::codes::{DefaultRule, KeyUse, MemberRole, RefusalCode};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::lease::{Change, FeedItem, HeadChange, feed_next, feed_start};
use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SigningKey};
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;
use yiqiao_registry_core::machine::{Handled, Input, Keys, Machine, Outcome, Refused, Stop};
use yiqiao_registry_core::search::Found;
use yiqiao_registry_core::state::kept::record::Record as R;
use yiqiao_registry_core::state::{Fault, Kept, Record, Slot, Table, View};
use yiqiao_registry_core::take::{Submission, Taken, record_bytes};

/// The term in which the rig's registry takes words.
pub(crate) const TERM: u64 = 3;

/// How often one input may be handled again because something was not loaded.
const ROUNDS_MAX: usize = 64;

const AUTHORITY: u8 = 1;
const REGISTRY: u8 = 60;

/// The members; a key that signs words is made of the number, and a second one of the number after.
const MEMBERS: [(&str, MemberRole, u8); 10] = [
    ("a", MemberRole::Custodian, 10),
    ("b", MemberRole::Custodian, 20),
    ("bureau", MemberRole::Bureau, 30),
    ("c", MemberRole::Custodian, 40),
    ("d", MemberRole::Custodian, 70),
    ("e", MemberRole::Custodian, 80),
    ("f", MemberRole::Custodian, 90),
    ("g", MemberRole::Custodian, 100),
    ("portal", MemberRole::Portal, 50),
    ("registry", MemberRole::Registry, REGISTRY),
];

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn region() -> Code {
    code("demo")
}

/// An instant so many milliseconds after the rig's first one.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_780_000_000_000 + ms).unwrap()
}

fn secret(suite: Suite, seed: u8) -> SecretKey {
    SecretKey::new(suite, &[seed; 32])
}

fn keys(suite: Suite) -> Keys {
    Keys { words: secret(suite, REGISTRY), lease: secret(suite, REGISTRY + 3) }
}

fn member(suite: Suite, (name, role, seed): (&str, MemberRole, u8)) -> Member {
    let signing =
        |seed, for_use| SigningKey { key: secret(suite, seed).public(), for_use, state: KeyState::Valid };
    let mut signing_keys = vec![signing(seed, KeyUse::Words), signing(seed + 1, KeyUse::Words)];
    if role == MemberRole::Registry {
        signing_keys.push(signing(seed + 2, KeyUse::Checkpoint));
        signing_keys.push(signing(seed + 3, KeyUse::Lease));
    }
    Member {
        code: code(name),
        name: format!("示范{name}"),
        contact: "0571-00000000".to_owned(),
        roles: BTreeSet::from([role]),
        suspended: false,
        transports: Vec::new(),
        signing_keys,
        sealing_keys: Vec::new(),
    }
}

fn first_list(suite: Suite) -> MemberList {
    MemberList {
        region: region(),
        version: 1,
        previous: None,
        issued_at: at(0),
        authority: secret(suite, AUTHORITY).public(),
        policy: Policy {
            suites: BTreeSet::from([suite]),
            lease: Millis::from_secs(60),
            default_rule: DefaultRule::Deny,
            break_glass: true,
            proofs: 7,
            open_without_lease: false,
            evaluations_per_day: 100,
            evaluations_backfill: 50,
            rp_id: Some("demo.example".to_owned()),
            origins: vec!["https://demo.example".to_owned()],
            vouchers: vec![code("a"), code("portal")],
        },
        members: MEMBERS.map(|named| member(suite, named)).into(),
        token_keys: Vec::new(),
        log_id: code("log-1"),
    }
}

/// A registry with its store and its journal.
pub(crate) struct Rig {
    /// What the clock says.
    pub(crate) now: Timestamp,
    /// How often the last input was handled before it was done or refused.
    pub(crate) rounds: usize,
    /// What was loaded for the last input, by rounds: keys and bytes.
    pub(crate) loads: Vec<(usize, usize)>,
    suite: Suite,
    machine: Machine,
    stored: BTreeMap<Vec<u8>, Vec<u8>>,
    journal: Vec<Vec<u8>>,
    words: Vec<(Kept, Kind)>,
    seeds: u64,
}

impl Rig {
    /// A registry that signs and is signed for with Ed25519, and holds its first member list.
    pub(crate) fn new() -> Self {
        Self::of(Suite::International, |_| {})
    }

    /// The same with cheap signatures.
    pub(crate) fn quick() -> Self {
        Self::of(Suite::Simulation, |_| {})
    }

    /// A registry of a region whose first list is changed.
    pub(crate) fn of(suite: Suite, change: impl FnOnce(&mut MemberList)) -> Self {
        let mut list = first_list(suite);
        change(&mut list);
        let authority = secret(suite, AUTHORITY);
        let envelope = Envelope::sign(&region(), &list, &authority);
        let directory = Directory::first(&region(), &authority.public(), &envelope).unwrap();
        let machine = Machine::new(code("registry"), directory.clone(), keys(suite), TERM, 0);
        let mut rig = Self {
            now: at(0),
            rounds: 0,
            loads: Vec::new(),
            suite,
            machine,
            stored: BTreeMap::new(),
            journal: Vec::new(),
            words: Vec::new(),
            seeds: 0,
        };
        rig.handle(&Input::MemberList(Box::new(directory), envelope)).unwrap();
        rig
    }

    pub(crate) const fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(crate) const fn directory(&self) -> &Directory {
        self.machine.directory()
    }

    /// The key with which the registry signs checkpoints.
    pub(crate) fn checkpoint_key(&self) -> SecretKey {
        secret(self.suite, REGISTRY + 2)
    }

    /// The registry ends, and starts again in another term.
    pub(crate) fn restart_in(&mut self, term: u64) {
        let (directory, next) = (self.directory().clone(), self.machine.next_seq());
        self.machine = Machine::new(code("registry"), directory, keys(self.suite), term, next);
    }

    /// The accepted words, in the order of the log.
    pub(crate) fn words(&self) -> &[(Kept, Kind)] {
        &self.words
    }

    /// Kinds of the words after the first so many.
    pub(crate) fn kinds_after(&self, count: usize) -> Vec<Kind> {
        self.words[count..].iter().map(|(_, kind)| *kind).collect()
    }

    /// The records of the journal, as bytes.
    pub(crate) fn journal(&self) -> &[Vec<u8>] {
        &self.journal
    }

    /// A stored value.
    pub(crate) fn find<T: Message + Default>(&self, slot: &Slot<T>) -> Option<T> {
        self.stored.get(slot.key()).map(|bytes| T::decode(bytes.as_slice()).unwrap())
    }

    /// Stores another value: what would take too long to come to.
    pub(crate) fn put<T: Message>(&mut self, slot: &Slot<T>, value: &T) {
        self.stored.insert(slot.key().to_vec(), value.encode_to_vec());
    }

    /// The stored value of a key that there is.
    pub(crate) fn value(&self, key: &[u8]) -> &[u8] {
        self.stored.get(key).unwrap()
    }

    /// The stored keys of a table.
    pub(crate) fn keys_of(&self, table: Table) -> Vec<Vec<u8>> {
        self.stored.keys().filter(|key| key[0] == table as u8).cloned().collect()
    }

    /// All that is stored, for comparison.
    pub(crate) const fn stored(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.stored
    }

    /// Signs a word with the first words key of a member, and checks it as the process does.
    pub(crate) fn word<W: Word>(&self, by: &str, word: &W) -> Verified<W> {
        self.word_by_key(by, 0, word)
    }

    /// The same with another of the member's keys.
    pub(crate) fn word_by_key<W: Word>(&self, by: &str, key: u8, word: &W) -> Verified<W> {
        Verified::check(self.sign(by, key, word), self.directory(), Said::Now).unwrap()
    }

    /// Signs a word with a words key of a member, whether or not it may say such a word.
    pub(crate) fn sign<W: Word>(&self, by: &str, key: u8, word: &W) -> Envelope {
        let (_, _, seed) = MEMBERS.into_iter().find(|(name, ..)| *name == by).unwrap();
        Envelope::sign(&region(), word, &secret(self.suite, seed + key))
    }

    /// Handles one input and commits what it wrote.
    pub(crate) fn handle(&mut self, input: &Input) -> Result<Outcome, Refused> {
        let mut view = View::new(region());
        let outcome = self.handle_on(&mut view, input);
        self.commit(view);
        outcome
    }

    /// Handles inputs on one view and commits what all of them wrote.
    pub(crate) fn handle_batch(&mut self, inputs: &[Input]) -> Vec<Result<Outcome, Refused>> {
        let mut view = View::new(region());
        let outcomes = inputs.iter().map(|input| self.handle_on(&mut view, input)).collect();
        self.commit(view);
        outcomes
    }

    /// Handles inputs of a batch that could not be made durable, and undoes it.
    pub(crate) fn lose(&mut self, inputs: &[Input]) {
        let (mark, words, records) = (self.machine.mark(), self.words.len(), self.journal.len());
        let mut view = View::new(region());
        for input in inputs {
            self.handle_on(&mut view, input).unwrap();
        }
        self.machine.undo(mark);
        self.words.truncate(words);
        self.journal.truncate(records);
    }

    fn handle_on(&mut self, view: &mut View, input: &Input) -> Result<Outcome, Refused> {
        let mut loaded = BTreeSet::new();
        self.loads.clear();
        for round in 1..=ROUNDS_MAX {
            self.rounds = round;
            self.seeds += 1;
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&self.seeds.to_be_bytes());
            let before = self.footprint(view);
            match self.machine.handle(self.now, input, &mut Entropy::new(seed), view) {
                Ok(Handled { records, outcome }) => {
                    self.append(records);
                    return Ok(outcome);
                }
                Err(stop) => {
                    assert!(before == self.footprint(view), "something is left of {stop:?}");
                    match stop {
                        Stop::Refused(refused) => return Err(refused),
                        Stop::Fault(Fault::Damaged { .. }) => panic!("{stop:?}"),
                        Stop::Fault(Fault::Missing { keys }) => {
                            let (mut count, mut bytes) = (0, 0);
                            for key in keys.into_iter().collect::<BTreeSet<_>>() {
                                assert!(loaded.insert(key.clone()), "asked for what was given");
                                let value = self.load(&key);
                                count += 1;
                                bytes += value.as_ref().map_or(0, Vec::len);
                                view.load(key, value);
                            }
                            self.loads.push((count, bytes));
                        }
                    }
                }
            }
        }
        panic!("not done in {ROUNDS_MAX} rounds");
    }

    /// All that an input which is not handled must leave as it was.
    fn footprint(&self, view: &View) -> (yiqiao_journal::view::Values, u64, u64) {
        let mut view = view.clone();
        view.keep();
        (view.into_written(), self.machine.next_seq(), self.directory().list().version)
    }

    fn append(&mut self, records: Vec<yiqiao_registry_core::machine::ToKeep>) {
        for record in records {
            self.journal.push(record_bytes(&record));
            if let yiqiao_registry_core::machine::ToKeep::Word(kept, kind) = record {
                assert_eq!(
                    kept.opening.as_ref().unwrap().seq,
                    self.words.len() as u64,
                    "places have no gaps"
                );
                self.words.push((*kept, kind));
            }
        }
        assert_eq!(self.machine.next_seq(), self.words.len() as u64);
    }

    fn load(&self, key: &[u8]) -> Option<Vec<u8>> {
        match place_of(key) {
            Some(seq) => self.words.get(seq).map(|(kept, _)| kept.encode_to_vec()),
            None => self.stored.get(key).cloned(),
        }
    }

    fn commit(&mut self, view: View) {
        for (key, value) in view.into_written() {
            match place_of(&key) {
                Some(seq) => assert_eq!(value, Some(self.words[seq].0.encode_to_vec())),
                None => match value {
                    Some(value) => drop(self.stored.insert(key, value)),
                    None => drop(self.stored.remove(&key)),
                },
            }
        }
    }

    /// Makes the index again from the journal alone and compares all of it.
    pub(crate) fn assert_rebuilt(&self) {
        let directory = self.directory().clone();
        let mut machine = Machine::new(code("registry"), directory, keys(self.suite), TERM, 0);
        let mut view = View::new(region());
        for bytes in &self.journal {
            let record = Record::decode(bytes.as_slice()).unwrap().record.unwrap();
            rebuild(&mut machine, &record, &mut view);
        }
        let rebuilt = view.into_written();
        let differs = |key: &&Vec<u8>| rebuilt.get(*key).and_then(Option::as_ref) != self.stored.get(*key);
        let first = rebuilt.keys().chain(self.stored.keys()).find(differs);
        assert_eq!(first, None, "a value is another one after the rebuild");
        assert_eq!(machine.next_seq(), self.machine.next_seq());
        assert_eq!(machine.directory().payload_hash(), self.directory().payload_hash());
    }

    // ---- What a member does ----

    pub(crate) fn submit(&mut self, submission: Submission) -> Result<Vec<Taken>, Refused> {
        let outcome = self.handle(&Input::Submit(Box::new(submission)))?;
        let Outcome::Taken(taken) = outcome else { panic!("{outcome:?} for a submission") };
        Ok(taken)
    }

    /// Submits what must be new, and gives the first of it.
    pub(crate) fn take(&mut self, submission: Submission) -> Taken {
        let taken = self.submit(submission).unwrap();
        assert!(taken.iter().all(|taken| !taken.repeat), "it stood there already");
        taken[0].clone()
    }

    /// Submits what must be refused, and leave no trace in store and journal.
    pub(crate) fn refused(&mut self, submission: Submission) -> (RefusalCode, &'static str) {
        let before = (self.stored.clone(), self.journal.len());
        let refused = self.submit(submission).unwrap_err();
        assert!(before == (self.stored.clone(), self.journal.len()), "a refusal left something");
        (refused.code, refused.clause)
    }

    /// Submits what stands already, and must change nothing.
    pub(crate) fn repeated(&mut self, submission: Submission) -> Taken {
        let before = (self.stored.clone(), self.journal.len());
        let taken = self.submit(submission).unwrap();
        assert!(taken.iter().all(|taken| taken.repeat), "it is new");
        assert!(before == (self.stored.clone(), self.journal.len()), "a repeat left something");
        taken[0].clone()
    }

    pub(crate) fn search(&mut self, query: &yiqiao_proto::search::SearchQuery) -> Found {
        let asker = query.asker.organisation.to_string();
        let query = self.word(&asker, query);
        let outcome = self.handle(&Input::Search(query)).unwrap();
        let Outcome::Found(found) = outcome else { panic!("{outcome:?} for a search") };
        found
    }

    /// Puts the next member list in force.
    pub(crate) fn next_list(&mut self, change: impl FnOnce(&mut MemberList)) {
        let input = self.list_after(change);
        self.handle(&input).unwrap();
    }

    /// The next member list, signed by the authority.
    pub(crate) fn list_after(&self, change: impl FnOnce(&mut MemberList)) -> Input {
        let mut list = self.directory().list().clone();
        list.version += 1;
        list.previous = Some(self.directory().payload_hash());
        change(&mut list);
        let envelope = Envelope::sign(&region(), &list, &secret(self.suite, AUTHORITY));
        Input::MemberList(Box::new(self.directory().next(&envelope).unwrap()), envelope)
    }

    /// The whole feed of a member; numbers, chain and heads are checked on the way (F-1 to F-3, C-10).
    pub(crate) fn feed(&mut self, member: &str) -> Vec<FeedItem> {
        let mut items = Vec::new();
        let mut chain = feed_start(&region(), &code(member));
        loop {
            let input = Input::Feed { member: code(member), after: items.len() as u64, count: 7 };
            let Ok(Outcome::Feed(page)) = self.handle(&input) else { panic!("a feed is always readable") };
            if page.is_empty() {
                return items;
            }
            for bytes in page {
                let item = FeedItem::decode(&bytes).unwrap();
                assert_eq!((item.number, item.previous), (items.len() as u64 + 1, chain));
                if let Change::Head(change) = &item.change {
                    assert_eq!(change.computed_head(), change.head);
                }
                chain = feed_next(&chain, &bytes);
                items.push(item);
            }
        }
    }

    /// What a member was told last of a patient's consent.
    pub(crate) fn told(&mut self, member: &str, token: Token) -> Option<HeadChange> {
        self.heads(member, token).pop()
    }

    /// All that a member was told of a patient's consent, oldest first.
    pub(crate) fn heads(&mut self, member: &str, token: Token) -> Vec<HeadChange> {
        let head = |item: FeedItem| {
            let Change::Head(change) = item.change else { return None };
            (change.patient == token).then_some(change)
        };
        self.feed(member).into_iter().filter_map(head).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_rebuilt();
        }
    }
}

fn rebuild(machine: &mut Machine, record: &R, view: &mut View) {
    for _ in 0..ROUNDS_MAX {
        match machine.rebuild(record, view) {
            Ok(()) => return,
            // The store is empty: what is not in the view never was.
            Err(Fault::Missing { keys }) => keys.into_iter().for_each(|key| view.load(key, None)),
            Err(damaged @ Fault::Damaged { .. }) => panic!("{damaged}"),
        }
    }
    panic!("not rebuilt in {ROUNDS_MAX} rounds");
}

/// The place of a word, if a key is that of a word.
fn place_of(key: &[u8]) -> Option<usize> {
    let seq = key.strip_prefix(&[Table::Journal as u8])?;
    usize::try_from(u64::from_be_bytes(seq.try_into().ok()?)).ok()
}
