//! A node's process: takes inputs in batches, makes them durable, answers, and carries effects out in order. What its service
//! does with threads is done here in one step after the other.
//!
//! Not here: one batch ([`batch`]), what is kept ([`ledger`]), sealed files ([`vault`]), messages of the hospital ([`reception`]), calls of other
//! members ([`peers`]), effects and documents that come ([`effects`]).

mod batch;
mod effects;
mod ledger;
mod peers;
mod reception;
mod vault;

use std::collections::{BTreeMap, VecDeque};

use yiqiao_intake::dates::Zone;
use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::at_rest::AtRest;
use yiqiao_node_core::coding::Coding;
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::glass::Spans;
use yiqiao_node_core::holder::Range;
use yiqiao_node_core::limits::ERRANDS_MAX;
use yiqiao_node_core::limits::{BATCH_MAX, LISTS_EVERY, LISTS_RETRY, QUEUE_MAX, REST, WAITERS_MAX};
use yiqiao_node_core::machine::{self, Checkpoint, Config, Input, Keys, Machine, Outcome, WordsKeys};
use yiqiao_node_core::memory::Held;
use yiqiao_node_core::state::{Fault, Table, View};
use yiqiao_node_core::{answers, ask};
use yiqiao_proto::calls::Method;
use yiqiao_proto::codes::{FacilityKind, PersonRole};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::id::{Code, Digest, DocumentId, PractitionerId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::chance::Chance;

use crate::clock::Clock;
use crate::disk::Volume;
use crate::hub::{Caller, Event, Hub, Later, Stopped};
use crate::limits::{CALLS_MAX, ERAS_MAX, KEPT_PER_PEER_MAX, SYNC_MS_MAX};
use crate::load::{ActId, Told, hospital_of};
use crate::network::{CallId, Who};
use crate::oracle::{Finding, Wrong};
use crate::plant::Plant;
use crate::randomness::Fountain;
use crate::region::{For, InUse, Region, code};
pub(crate) use effects::trusted;
use effects::{Fetch, Pending};
use ledger::Ledger;
use reception::Slip;
use vault::Vault;

/// How long a clock runs that a planted fault lets stand: the holder has let go something by then.
const STANDS_AFTER: Millis = Millis::from_secs(900);

/// A node's computer, and the process on it if it runs.
pub(crate) struct Node {
    pub(crate) who: Who,
    pub(crate) code: Code,
    region: Region,
    pub(crate) volume: Volume,
    vault: Vault,
    pub(crate) clock: Clock,
    fountain: Fountain,
    chance: Chance,
    began: Timestamp,
    /// How often the process was started.
    pub(crate) starts: u64,
    pub(crate) paused_until: Timestamp,
    busy_until: Timestamp,
    /// The keys that lie on its disk.
    pub(crate) keys: InUse,
    /// The first event that it handed in, for planted faults.
    first_event: Option<Envelope>,
    /// For planted faults: with whom the documents of a message were filed, by its system and control id.
    first_filed: BTreeMap<(Code, String), Subject>,
    running: Option<Running>,
}

/// What is gone with the process.
struct Running {
    machine: Machine,
    /// The version of the list that was last taken, and of the one that was last named to be newer.
    list: u64,
    list_wanted: Option<u64>,
    ledger: Ledger,
    /// The time of the batch at hand.
    now: Timestamp,
    inbox: VecDeque<Job>,
    /// It is to take what has come.
    is_called: bool,
    wake_at: Option<Timestamp>,
    /// Inputs that wait for a call.
    waiters: BTreeMap<u64, Vec<Waiting>>,
    again: Vec<Waiting>,
    /// Counts the outboxes of this process: a new one begins when a batch could not be kept.
    era: u64,
    rests_until: Timestamp,
    /// Something has come that a range may rest on.
    progressed: bool,
    calls: BTreeMap<CallId, Pending>,
    /// By ticket: the tree of receipts that came and the one that was known when they were asked for, and items of the feed.
    trees: BTreeMap<u64, (Option<Checkpoint>, Checkpoint)>,
    fed: BTreeMap<u64, Vec<Vec<u8>>>,
    fetches: BTreeMap<DocumentId, Fetch>,
    /// Requests that wait for the feed, and ranges that wait for a word.
    news: BTreeMap<CallId, Waiting>,
    ranges: BTreeMap<CallId, (Caller, Range)>,
}

/// What waits for the process.
enum Job {
    Hand(Waiting),
    Answer { era: u64, input: Box<Input> },
}

/// An input, and where its answer goes.
struct Waiting {
    input: Box<Input>,
    to: Reply,
}

enum Reply {
    Nobody,
    /// Somebody at a screen; the input is handed in again once what it waits for has come.
    Act(ActId),
    Sender(Box<Slip>),
    Peer(Caller),
    /// A range, and until when it may wait for the word on which it rests.
    Range(Caller, Range, Timestamp),
    /// The request of this call waits for the feed.
    News(CallId),
}

/// Why an input was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Nothing has changed; it may come again.
    Busy,
    /// The machine refused.
    Refused(machine::Refused),
}

impl Node {
    pub(crate) fn new(
        who: Who,
        region: Region,
        volume: Volume,
        clock: Clock,
        fountain: Fountain,
        chance: Chance,
        began: Timestamp,
    ) -> Self {
        let at_rest = AtRest::new(&region.secret(who, For::AtRest));
        Self {
            who,
            code: region.code_of(who).clone(),
            region,
            volume,
            vault: Vault::new(at_rest),
            clock,
            fountain,
            chance,
            began,
            starts: 0,
            paused_until: Timestamp::MIN,
            busy_until: Timestamp::MIN,
            keys: InUse::default(),
            first_event: None,
            first_filed: BTreeMap::new(),
            running: None,
        }
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts: all is made again from the journal.
    pub(crate) fn start(&mut self, hub: &mut Hub) -> Result<(), String> {
        let mut ledger = Ledger::open(&mut self.volume)?;
        let (indexed, mut machine) = (ledger.indexed(), self.fresh());
        let (records, broken) = ledger.bring_up(&mut machine)?;
        // The power may have gone when a record was durable and nobody knew it yet.
        broken.iter().for_each(|broken| hub.oracle.breaks(hub.now, self.who, broken));
        for (holder, entry) in hub.oracle.unopened(self.who) {
            let copy = ledger.look(|view| machine.copy(&holder, &entry, view))?;
            if copy.is_some_and(|copy| matches!(copy.stage, Stage::Opened | Stage::Retained)) {
                hub.oracle.was_opened(self.who, holder, entry);
            }
        }
        self.sweep(hub, &ledger);
        hub.note(self.who, format_args!("start records {records} index {indexed}"));
        self.starts += 1;
        self.clock.put_together(hub.now);
        self.running = Some(Running {
            list: machine.directory().list().version,
            list_wanted: None,
            machine,
            ledger,
            now: self.clock.told(hub.now),
            inbox: VecDeque::new(),
            is_called: true,
            wake_at: None,
            waiters: BTreeMap::new(),
            again: Vec::new(),
            era: 0,
            rests_until: Timestamp::MIN,
            progressed: false,
            calls: BTreeMap::new(),
            trees: BTreeMap::new(),
            fed: BTreeMap::new(),
            fetches: BTreeMap::new(),
            news: BTreeMap::new(),
            ranges: BTreeMap::new(),
        });
        hub.at(hub.now, Event::Work(self.who));
        hub.at(hub.now, Event::Later(self.who, self.starts, Later::Lists));
        Ok(())
    }

    /// Removes the sealed files of which the journal does not speak: a crash left them.
    fn sweep(&mut self, hub: &Hub, ledger: &Ledger) {
        let (now, blind) = (self.clock.told(hub.now), hub.has_plant(Plant::SweptBlindly));
        let in_use = |file: &DocumentId| ledger.look(|view| ask::is_in_use(file, now, view)) == Ok(true);
        self.vault.sweep(|file| in_use(file) && !(blind && file.as_bytes().first() < Some(&64)));
    }

    /// The sealed file of a document is here, and opens with the key that the journal has.
    pub(crate) fn check_file(&self, document: &ask::Document) -> Result<(), Finding> {
        let who = self.who;
        let map = self.vault.map(&document.document);
        let map = map.ok_or_else(|| Wrong::FileLost.of(who))?;
        let key = AtRest::new(&self.region.secret(who, For::AtRest))
            .open(document.document.as_bytes(), &document.wrapped_key)
            .ok()
            .and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok());
        let opens = key.is_some_and(|key| map.header().is_of(&key.into()));
        if opens { Ok(()) } else { Err(Wrong::SealedTwice.of(who)) }
    }

    /// Whether a sealed file is here.
    pub(crate) fn has_file(&self, document: &DocumentId) -> bool {
        self.vault.has(document)
    }

    /// What is still under way or waited for although all has come to rest.
    pub(crate) fn unfinished(&self) -> Option<&'static str> {
        let running = self.running.as_ref()?;
        let left = [
            (running.waiters.is_empty(), "an input waits for a call"),
            (running.fetches.is_empty(), "a document is being fetched"),
            (running.news.is_empty(), "a request waits for the feed"),
            (running.ranges.is_empty(), "a range waits for a word"),
            (!running.ledger.has_place(), "the index has a place of a queue that is empty"),
        ];
        left.into_iter().find(|(is_empty, _)| !is_empty).map(|(_, what)| what)
    }

    /// How much the index has of what could grow with requests and peers: as much as that many members make, requests that came, and
    /// requests of the own member, which stay with their releases as proof.
    pub(crate) fn stored(&self, requests: usize, own: impl Fn(&Code) -> usize) -> Vec<Held> {
        let Some(running) = &self.running else { return Vec::new() };
        let own = own(&running.machine.config().organisation);
        let members = running.machine.directory().list().members.len();
        let tables = [
            ("counts of what members ask", Table::Asker, members),
            ("requests", Table::Request, requests + own),
            ("nonces", Table::Nonce, requests),
            ("content that waits for its message", Table::Deposit, 0),
            ("registers", Table::Registers, 1),
        ];
        let held = |(what, table, max)| Held { what, count: running.ledger.count(table), max };
        tables.map(held).into()
    }

    /// The process is gone, and of what was coming in perhaps a part.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.volume.leave(running.ledger.leave());
        }
        self.vault.crash(&mut self.chance);
    }

    /// Answers a question about what is kept, if the process runs.
    pub(crate) fn ask<T>(&self, question: impl Fn(&Machine, &View) -> Result<T, Fault>) -> Option<T> {
        let running = self.running.as_ref()?;
        running.ledger.look(|view| question(&running.machine, view)).ok()
    }

    /// Hands in what somebody at a screen wants. Told nothing if the process does not run.
    pub(crate) fn act(&mut self, hub: &mut Hub, act: ActId, mut input: Input) {
        if let Input::Vouch(vouching) = &mut input
            && hub.has_plant(Plant::SelfEnrolled)
        {
            vouching.actor = Actor::Staff(Staff {
                login: "desk".to_owned(),
                name: Phi::new("某某".to_owned()),
                role: PersonRole::Desk,
                departments: [].into(),
                department: None,
            });
        }
        let says = matches!(input, Input::Permit(_) | Input::Forbid(_) | Input::Revoke(_));
        if let Input::JudgeGlass(judging) = &mut input
            && hub.has_plant(Plant::GlassOwnVerdict)
        {
            judging.actor = self.who_broke(&judging.id).unwrap_or_else(|| judging.actor.clone());
        }
        hub.oracle.hears(self.who, &input);
        let waiting = Waiting { input: Box::new(input), to: Reply::Act(act) };
        if says && hub.has_plant(Plant::SaidOnly) && self.chance.percent(10) {
            return self.tell(hub, waiting, Ok(Outcome::Said(vec![u64::MAX])));
        }
        let is_done = matches!(*waiting.input, Input::Act { .. }) && hub.has_plant(Plant::StepOnly)
            || matches!(*waiting.input, Input::Withdraw { .. }) && hub.has_plant(Plant::WithdrawnOnly);
        if is_done {
            return self.tell(hub, waiting, Ok(Outcome::Done));
        }
        let breaks = matches!(*waiting.input, Input::BreakGlass(_));
        let is_twice = says && hub.has_plant(Plant::SaidTwice) || breaks && hub.has_plant(Plant::GlassTwice);
        if is_twice && self.chance.percent(50) {
            self.queue(hub, Job::Hand(Waiting::nobody(waiting.input.as_ref().clone())));
        }
        self.queue(hub, Job::Hand(waiting));
    }

    /// Who declared an emergency, who after a planted fault judges it.
    fn who_broke(&self, id: &Digest) -> Option<Actor> {
        let broken = self.ask(|machine, view| machine.glass_to_judge(0, view))?;
        let by = broken.into_iter().find(|(_, broken)| broken.id == *id)?.1.by;
        let role = PersonRole::MedicalAffairs;
        Some(Actor::Staff(Staff {
            login: by.login,
            name: by.name,
            role,
            departments: [].into(),
            department: None,
        }))
    }

    /// What a planted fault asks in place of a query: under a name that is the same for every patient.
    pub(crate) fn under_one_name(&self, query: &Envelope) -> Option<Envelope> {
        let mut query = SearchQuery::decode(query.payload()).ok()?;
        query.asker.practitioner = PractitionerId::new([7; 32])?;
        Some(Envelope::sign(&code(), &query, &self.region.nth_key(self.who, For::Words, self.keys.words)))
    }

    /// The members in force for the process.
    pub(crate) fn directory(&self) -> &Directory {
        let running = self.running.as_ref();
        running.map_or(&self.region.directory, |running| running.machine.directory())
    }

    /// The time of the process.
    pub(crate) fn told(&self, now: Timestamp) -> Timestamp {
        self.clock.told(now)
    }

    fn queue(&mut self, hub: &mut Hub, job: Job) {
        let Some(running) = &mut self.running else { return };
        let is_answer = matches!(job, Job::Answer { .. });
        if running.inbox.len() >= QUEUE_MAX && !is_answer {
            if let Job::Hand(waiting) = job {
                self.tell(hub, waiting, Err(NotTaken::Busy));
            }
            return;
        }
        running.inbox.push_back(job);
        self.call(hub);
    }

    /// The process is to take what has come, as soon as it can.
    fn call(&mut self, hub: &mut Hub) {
        let when = self.busy_until.max(self.paused_until);
        let Some(running) = &mut self.running else { return };
        if !running.is_called {
            running.is_called = true;
            hub.at(when, Event::Work(self.who));
        }
    }

    /// Takes what has come, and what is due.
    pub(crate) fn work(&mut self, hub: &mut Hub) -> Result<(), Stopped> {
        if self.is_planted(hub, Plant::EndsItself) && self.chance.below(50) == 0 {
            return Err(Stopped::Ended(Plant::EndsItself.to_string()));
        }
        let Some(running) = &mut self.running else { return Ok(()) };
        running.is_called = false;
        if self.paused_until > hub.now {
            self.call(hub);
            return Ok(());
        }
        let mut batch = self.begin(hub);
        let Some(running) = &mut self.running else { return Ok(()) };
        let taken = running.inbox.len().min(BATCH_MAX);
        let jobs: Vec<Job> = running.inbox.drain(..taken).collect();
        let era = running.era;
        for job in jobs {
            match job {
                Job::Hand(waiting) => batch.extend(self.after_news(hub, waiting)),
                Job::Answer { era: of, input } if of == era => batch.push(Waiting::nobody(*input)),
                Job::Answer { .. } => {}
            }
        }
        if !batch.is_empty() || self.running.as_ref().is_some_and(Running::is_due) {
            let wait = Millis::new(self.chance.between(1, SYNC_MS_MAX).unsigned_abs());
            self.busy_until = hub.now + self.volume.sync_takes(hub.now, wait);
        }
        self.handle(hub, batch)?;
        let again = self.running.as_mut().map(|running| std::mem::take(&mut running.again));
        self.handle(hub, again.unwrap_or_default())?;
        self.tell_lists(hub);
        self.hand_ranges(hub);
        self.set_wake(hub);
        self.tell_held(hub);
        Ok(())
    }

    /// What the process holds in memory is told.
    fn tell_held(&self, hub: &mut Hub) {
        let Some(running) = &self.running else { return };
        let of_peers = KEPT_PER_PEER_MAX * running.machine.directory().list().members.len();
        let waiting = running.waiters.values().map(Vec::len).sum();
        let questions = |pending: &&Pending| matches!(pending, Pending::Question(_));
        let asked = running.calls.values().filter(questions).count();
        let own = [
            ("inputs", running.inbox.len(), QUEUE_MAX + ERAS_MAX * CALLS_MAX),
            ("inputs that wait for a call", waiting, WAITERS_MAX),
            ("questions of people", asked, WAITERS_MAX),
            ("calls of the process", running.calls.len() - asked, ERAS_MAX * CALLS_MAX),
            ("documents that are fetched", running.fetches.len(), ERRANDS_MAX),
            ("requests that wait for the feed", running.news.len(), of_peers),
            ("ranges that wait for a word", running.ranges.len(), of_peers),
        ];
        let own = own.map(|(what, count, max)| Held { what, count, max });
        for held in own.into_iter().chain(running.machine.held()) {
            hub.oracle.holds(hub.now, self.who, held);
        }
    }

    /// The time of a batch, and what goes before everything else in it (F-6).
    fn begin(&mut self, hub: &Hub) -> Vec<Waiting> {
        let stands = self.stands(hub);
        let Some(running) = &mut self.running else { return Vec::new() };
        let reading = self.clock.read(hub.now);
        running.now = stands.unwrap_or(reading.now);
        let mut batch = Vec::new();
        if reading.jumped && stands.is_none() {
            running.rests_until = running.rests_until.min(running.now + REST);
            batch.push(Waiting::nobody(Input::ClockJumped));
        }
        if hub.has_plant(Plant::StrangersMet) {
            let name = Code::new(format!("stranger-{}", running.now.unix_ms()));
            let met = |member| Input::Shown { ticket: None, member, checkpoint: None };
            batch.extend(name.ok().map(met).map(Waiting::nobody));
        }
        batch
    }

    /// The time at which a planted fault lets the clock stand, if it does by now.
    fn stands(&self, hub: &Hub) -> Option<Timestamp> {
        let plants = [Plant::ClockStands, Plant::ListUnread, Plant::LeaseKept];
        let is_planted = plants.into_iter().any(|plant| self.is_planted(hub, plant));
        let from = self.began + STANDS_AFTER;
        (is_planted && hub.now > from).then_some(from)
    }

    /// Whether the first node is to do something wrong.
    fn is_planted(&self, hub: &Hub, plant: Plant) -> bool {
        self.who == Who(1) && hub.has_plant(plant)
    }

    fn tell(&mut self, hub: &mut Hub, waiting: Waiting, outcome: Result<Outcome, NotTaken>) {
        let Waiting { input, to } = waiting;
        if let Ok(Outcome::Said(words)) = &outcome {
            hub.oracle.said(self, words);
        } else if outcome.is_err() {
            hub.oracle.is_not_taken(self.who, &input);
        }
        match to {
            Reply::Nobody => {}
            Reply::Act(act) => hub.told.push_back((act, Told::Outcome(outcome))),
            Reply::Sender(slip) => self.acknowledge(hub, *slip, outcome),
            Reply::Peer(caller) => self.reply(hub, caller, &input, outcome),
            Reply::Range(caller, range, until) => self.reply_range(hub, caller, range, until, outcome),
            Reply::News(call) => self.news_came(hub, call),
        }
    }

    /// When the process is to be woken by its machine's own time.
    fn set_wake(&mut self, hub: &mut Hub) {
        let stands = self.stands(hub);
        let Some(running) = &mut self.running else { return };
        if !running.inbox.is_empty() {
            return self.call(hub);
        }
        let Some(due) = running.due().filter(|due| stands.is_none_or(|now| *due <= now)) else { return };
        let when = self.clock.when(hub.now, due).max(self.busy_until).max(hub.now + Millis::new(1));
        if running.is_called || running.wake_at == Some(when) {
            return;
        }
        running.wake_at = Some(when);
        hub.at(when, Event::Later(self.who, self.starts, Later::Wake));
    }

    /// A time that the process set itself has come.
    pub(crate) fn later(&mut self, hub: &mut Hub, later: Later) {
        let Some(running) = &mut self.running else { return };
        match later {
            Later::Wake if running.wake_at == Some(hub.now) => {
                running.wake_at = None;
                self.call(hub);
            }
            Later::Wake | Later::FeedOver(_) => {}
            Later::NewsOver(call) => self.news_came(hub, call),
            Later::RangeOver(call) => self.range_over(hub, call),
            Later::Lists => self.ask_lists(hub),
            Later::RangeAgain(document, first_chunk) => self.pull_again(hub, document, first_chunk),
        }
    }

    /// Asks the registry for newer member lists (M-2).
    fn ask_lists(&mut self, hub: &mut Hub) {
        let Some(running) = &mut self.running else { return };
        let request = answers::lists_after(running.machine.directory().list().version);
        hub.oracle.calls(hub.now, self.who, 0, &[], Some(&request));
        let id = hub.call(self.who, Who::REGISTRY, Method::Members, request);
        running.calls.insert(id, Pending::Lists);
    }

    /// Lists have come, or nothing has; it is asked again later.
    fn lists_came(&mut self, hub: &mut Hub, answer: Option<&[u8]>) {
        let wait = if answer.is_some() { LISTS_EVERY } else { LISTS_RETRY };
        hub.after(wait, Event::Later(self.who, self.starts, Later::Lists));
        if let Some(bytes) = answer {
            self.hand_lists(hub, bytes);
        }
    }

    fn hand_lists(&mut self, hub: &mut Hub, bytes: &[u8]) {
        if self.is_planted(hub, Plant::ListUnread) && self.stands(hub).is_some() {
            return;
        }
        for list in answers::lists(bytes).unwrap_or_default() {
            self.queue(hub, Job::Hand(Waiting::nobody(Input::MemberList(list))));
        }
    }

    /// After a batch: a newer list is in force, or was named.
    fn tell_lists(&mut self, hub: &mut Hub) {
        let Some(running) = &mut self.running else { return };
        let directory = running.machine.directory();
        if directory.list().version != running.list {
            running.list = directory.list().version;
            let own = self.who;
            hub.took_list(own, directory, self.region.all().filter(|(other, _)| *other != own));
        }
        let wanted = running.machine.list_wanted();
        let is_named = wanted > running.list_wanted;
        running.list_wanted = wanted;
        if is_named {
            self.ask_lists_now(hub);
        }
    }

    /// A newer list was named, or seems to be missing.
    fn ask_lists_now(&mut self, hub: &mut Hub) {
        let Some(running) = &mut self.running else { return };
        let request = answers::lists_after(running.machine.directory().list().version);
        let id = hub.call(self.who, Who::REGISTRY, Method::Members, request);
        running.calls.insert(id, Pending::NamedLists);
    }

    /// The version of the member list in force; none if the process does not run.
    pub(crate) fn list_version(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.machine.directory().list().version)
    }

    fn fresh(&self) -> Machine {
        let mut coding = Coding::new(FacilityKind::GeneralHospital);
        for department in hospital_of(self.who).departments() {
            if let Ok(code) = Code::new(department.code) {
                coding.department_codes.insert(department.name.to_owned(), code);
            }
        }
        let config = Config {
            organisation: self.code.clone(),
            coding,
            assigners: BTreeMap::new(),
            main_register: None,
            zone: Zone::china(),
            glass: Spans::default(),
        };
        let keys = Keys {
            words: WordsKeys {
                first: self.region.key(self.who, For::Words),
                later: (1..=self.keys.words)
                    .map(|number| self.region.nth_key(self.who, For::Words, number))
                    .collect(),
            },
            sealing: (0..=self.keys.sealing).map(|number| self.region.sealing(self.who, number)).collect(),
            at_rest: AtRest::new(&self.region.secret(self.who, For::AtRest)),
        };
        Machine::new(config, keys, self.region.directory.clone())
    }
}

impl Running {
    /// When the machine has to be woken; never while it rests.
    fn due(&self) -> Option<Timestamp> {
        self.machine.next_wakeup().map(|due| due.max(self.rests_until))
    }

    /// Whether the machine is to be woken now.
    fn is_due(&self) -> bool {
        self.due().is_some_and(|due| due <= self.now)
    }
}

impl Waiting {
    /// An input whose outcome nobody waits for.
    fn nobody(input: Input) -> Self {
        Self { input: Box::new(input), to: Reply::Nobody }
    }

    const fn comes_again(&self) -> bool {
        matches!(self.to, Reply::Act(_) | Reply::News(_))
    }

    fn is_fed(&self) -> bool {
        matches!(*self.input, Input::Fed { .. })
    }
}
