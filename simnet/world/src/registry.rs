//! The registry's process: takes calls, handles them in batches, answers what is durable, keeps readings of feeds. What its
//! service does with threads is done here in one step after the other.

mod ledger;
mod thinned;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use yiqiao_node_core::memory::Held;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::TokenSecret;
use yiqiao_registry_core::answer;
use yiqiao_registry_core::door::{self, Asked};
use yiqiao_registry_core::evaluate::Blinded;
use yiqiao_registry_core::limits::{BATCH_MAX, LISTS_EVERY, QUEUE_MAX, ROUNDS_MAX};
use yiqiao_registry_core::machine::{Handled, Input, Keys, Machine, Outcome, Refused, Stop, ToKeep};
use yiqiao_registry_core::state::{self, Fault, View};
use yiqiao_registry_core::take::Submission;
use yiqiao_simnet::chance::Chance;

use crate::clock::Clock;
use crate::disk::{NotKept, Volume};
use crate::hub::{Caller, Event, Hub, Later, Stopped};
use crate::limits::{KEPT_PER_PEER_MAX, SYNC_MS_MAX};
use crate::network::{Carried, Packet, Who};
use crate::plant::Plant;
use crate::randomness::Fountain;
use crate::region::{For, Region, code};
use ledger::Ledger;

/// The registry's computer, and the process on it if it runs.
pub(crate) struct Registry {
    /// Whether it is the registry or its twin.
    who: Who,
    region: Region,
    pub(crate) volume: Volume,
    pub(crate) clock: Clock,
    fountain: Fountain,
    chance: Chance,
    /// How often the process was started.
    pub(crate) starts: u64,
    pub(crate) paused_until: Timestamp,
    busy_until: Timestamp,
    running: Option<Running>,
}

/// What is gone with the process.
struct Running {
    machine: Machine,
    term: u64,
    ledger: Ledger,
    last: Timestamp,
    inbox: VecDeque<Job>,
    is_called: bool,
    /// It has taken every list that was in the folder when it started: its door is open.
    is_open: bool,
    /// The last list that was handed to the machine.
    handed: Option<Directory>,
    feeds: BTreeMap<Who, Vec<Job>>,
}

/// An input, and whose it is.
struct Job {
    input: Box<Input>,
    to: Reply,
}

enum Reply {
    Answer(Caller),
    /// The member list of a version.
    List(u64),
    Feed(Caller, Timestamp),
    Evaluated(Caller, Box<Blinded>),
}

impl Registry {
    pub(crate) fn new(
        region: Region,
        volume: Volume,
        clock: Clock,
        fountain: Fountain,
        chance: Chance,
    ) -> Self {
        Self {
            who: Who::REGISTRY,
            region,
            volume,
            clock,
            fountain,
            chance,
            starts: 0,
            paused_until: Timestamp::MIN,
            busy_until: Timestamp::MIN,
            running: None,
        }
    }

    /// Another process with its keys, which does not run yet.
    pub(crate) fn another(&self, who: Who, volume: Volume, fountain: Fountain, chance: Chance) -> Self {
        let new = Self::new(self.region.clone(), volume, self.clock, fountain, chance);
        Self { who, starts: self.starts, ..new }
    }

    /// It stands still, and is the twin of its successor when it goes on.
    pub(crate) fn is_succeeded(&mut self, hub: &mut Hub, until: Timestamp) {
        (self.who, self.paused_until) = (Who::TWIN, until);
        if let Some(running) = &mut self.running {
            running.is_called = true;
            hub.at(until, Event::Work(Who::TWIN));
        }
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts: all is made again from the journal.
    pub(crate) fn start(&mut self, hub: &mut Hub) -> Result<(), String> {
        let keys = Keys {
            words: self.region.key(Who::REGISTRY, For::Words),
            lease: self.region.key(Who::REGISTRY, For::Lease),
        };
        let (mut ledger, words) =
            Ledger::open(&mut self.volume, &self.region, self.region.key(Who::REGISTRY, For::Checkpoint))?;
        let (term, indexed) = (ledger.next_term()?, ledger.indexed());
        let own = self.region.code_of(Who::REGISTRY).clone();
        let mut machine = Machine::new(own, self.region.directory.clone(), keys, term, 0);
        ledger.bring_up(&mut machine)?;
        hub.note(self.who, format_args!("start term {term} words {} index {indexed}", words.len()));
        hub.oracle.log_is(hub.now, &words);
        self.starts += 1;
        let (inbox, feeds) = (VecDeque::new(), BTreeMap::new());
        let last = Timestamp::MIN;
        let (is_called, is_open, handed) = (false, false, None);
        hub.oracle.begins_term(term);
        self.running =
            Some(Running { machine, term, ledger, last, inbox, is_called, is_open, handed, feeds });
        self.look_for_lists(hub);
        Ok(())
    }

    /// The process is gone.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.volume.leave(running.ledger.leave());
        }
    }

    /// A packet is there.
    pub(crate) fn arrive(&mut self, hub: &mut Hub, packet: &Packet) {
        let caller = Hub::caller(packet);
        let Some(running) = self.running.as_ref().filter(|running| running.is_open) else {
            return hub.nobody(packet);
        };
        let directory = running.machine.directory();
        let asker = door::asker(directory, self.region.peer_id(packet.from));
        if asker.is_err() && self.chance.percent(50) {
            // Its connection is closed, unless the list is newer than that (M-11).
            return hub.nobody(packet);
        }
        match &packet.body {
            Carried::Call { method, request } => {
                let mut entropy = self.fountain.entropy();
                let asked =
                    asker.and_then(|asker| door::read(directory, asker, *method, request, &mut entropy));
                match asked.map_err(Into::into).and_then(|asked| self.job(hub, caller, asked)) {
                    Ok(Some(job)) => self.queue(hub, job),
                    Ok(None) => {}
                    Err(refused) => refuse(hub, caller, &refused),
                }
            }
            Carried::Pull { .. } => refuse(hub, caller, &Refused::new(RefusalCode::Nothing, "P-4")),
            Carried::Answer(_) => {}
        }
    }

    /// What is to be handled for a call.
    fn job(&self, hub: &mut Hub, caller: Caller, asked: Asked) -> Result<Option<Job>, Refused> {
        Ok(Some(match asked {
            Asked::Machine(input) => Job::new(input, Reply::Answer(caller)),
            Asked::Feed { input, wait } => Job::new(input, Reply::Feed(caller, hub.now + wait)),
            Asked::Evaluate(blinded) => {
                let input = blinded.count(self.tokens(&blinded).public().epoch)?;
                Job::new(input, Reply::Evaluated(caller, Box::new(blinded)))
            }
            Asked::Lists { after_version } => {
                let newest = self.running.as_ref().map_or(0, Running::version);
                let list = |version| hub.authority.list(version).cloned();
                let lists = answer::lists(after_version, newest, list)?;
                hub.answer(Who::REGISTRY, caller, Ok(lists));
                return Ok(None);
            }
        }))
    }

    /// The token key for blinded elements: of their epoch if the list has it, or else one that refuses them (T-7).
    fn tokens(&self, blinded: &Blinded) -> TokenSecret {
        let keys = self.running.as_ref().map(|running| &running.machine.directory().list().token_keys);
        let asked = blinded.request.epoch;
        let known = keys.is_some_and(|keys| keys.iter().any(|key| key.epoch == asked));
        self.region.tokens(if known { asked } else { 1 })
    }

    /// Hands the lists that are newer than the one handed last to the machine, in order (M-2).
    fn look_for_lists(&mut self, hub: &mut Hub) {
        hub.after(LISTS_EVERY, Event::Later(self.who, self.starts, Later::Lists));
        let handed = self.running.as_ref().and_then(|running| running.handed.as_ref());
        let handed = handed.map_or(0, |handed| handed.list().version);
        for version in handed + 1..=hub.authority.version() {
            let (Some(running), Some(next)) = (&mut self.running, hub.authority.list(version).cloned())
            else {
                return;
            };
            let first = || (version == 1).then(|| self.region.directory.clone());
            let next_of = |handed: &Directory| handed.next(&next).ok();
            let Some(directory) = running.handed.as_ref().map_or_else(first, next_of) else { return };
            running.handed = Some(directory.clone());
            let input = Input::MemberList(Box::new(directory), next);
            self.queue(hub, Job::new(input, Reply::List(version)));
        }
    }

    fn queue(&mut self, hub: &mut Hub, job: Job) {
        let when = self.busy_until.max(self.paused_until);
        let Some(running) = &mut self.running else { return };
        if running.inbox.len() >= QUEUE_MAX {
            return self.refuse(hub, &job.to, &Refused::new(RefusalCode::Busy, "H-2"));
        }
        running.inbox.push_back(job);
        if !running.is_called {
            running.is_called = true;
            hub.at(when, Event::Work(self.who));
        }
    }

    /// Takes what has come as one batch.
    pub(crate) fn work(&mut self, hub: &mut Hub) -> Result<(), Stopped> {
        let Some(running) = &mut self.running else { return Ok(()) };
        running.is_called = false;
        if self.paused_until > hub.now {
            running.is_called = true;
            hub.at(self.paused_until, Event::Work(self.who));
            return Ok(());
        }
        let taken = running.inbox.len().min(BATCH_MAX);
        let batch: Vec<Job> = running.inbox.drain(..taken).collect();
        let wait = Millis::new(self.chance.between(1, SYNC_MS_MAX).unsigned_abs());
        self.busy_until = hub.now + self.volume.sync_takes(hub.now, wait);
        running.last = running.last.max(self.clock.wall(hub.now));
        let grown = self.handle(hub, batch)?;
        let Some(running) = &mut self.running else { return Ok(()) };
        let again: Vec<Job> =
            grown.iter().filter_map(|member| running.feeds.remove(member)).flatten().collect();
        again.into_iter().for_each(|job| self.queue(hub, job));
        let Some(running) = &mut self.running else { return Ok(()) };
        if !running.is_called && !running.inbox.is_empty() {
            running.is_called = true;
            hub.at(self.busy_until, Event::Work(self.who));
        }
        self.tell_held(hub);
        Ok(())
    }

    /// Handled, durable, answered, in this order. Which feeds have grown.
    fn handle(&mut self, hub: &mut Hub, batch: Vec<Job>) -> Result<Vec<Who>, Stopped> {
        let Some(running) = &mut self.running else { return Ok(Vec::new()) };
        if !hub.has_plant(Plant::TermUnread) {
            // After all of the batch has come, before any lease of it is signed (F-8).
            running.ledger.confirm_term().map_err(Stopped::Ended)?;
        }
        let (mark, mut view) = (running.machine.mark(), View::new(code()));
        running.ledger.load(batch.iter().filter_map(|job| job.input.first_key()).collect(), &mut view);
        let mut records = Vec::new();
        let mut handled = Vec::with_capacity(batch.len());
        for job in batch {
            let outcome = running.handle_one(&job.input, &mut view, &mut records, &mut self.fountain)?;
            handled.push((job, outcome));
        }
        if hub.has_plant(Plant::HeadThinned) {
            thinned::thin(&records, &mut view);
        }
        hub.note(self.who, format_args!("batch {} kept {}", handled.len(), records.len()));
        let leases = |(job, outcome): &(Job, Result<Outcome, Refused>)| {
            matches!(*job.input, Input::Lease(_)) && outcome.is_ok()
        };
        if !records.is_empty() || handled.iter().any(leases) {
            hub.oracle.acts_in_term(hub.now, running.term);
        }
        match running.ledger.append(hub, self.who, &records) {
            Ok(()) => {}
            Err(NotKept::Full | NotKept::TooLong) => {
                running.machine.undo(mark);
                let refused = Refused::new(RefusalCode::Failed, "H-2");
                handled.iter().for_each(|(job, _)| self.refuse(hub, &job.to, &refused));
                return Ok(Vec::new());
            }
            Err(NotKept::Stopped(stopped)) => return Err(stopped),
        }
        let words = records.iter().filter_map(|record| match record {
            ToKeep::Word(kept, _) => Some(kept.as_ref()),
            ToKeep::Tally(_) | ToKeep::Alarm(_) | ToKeep::Quality(_) => None,
        });
        hub.oracle.accepts(hub.now, words);
        for record in &records {
            if let ToKeep::Alarm(alarm) = record {
                hub.oracle.is_alarmed(hub.now, &alarm.member);
            }
        }
        let mut grown = Vec::new();
        if !records.is_empty() {
            let written = state::feeds_written(&view);
            let written = written.iter().filter_map(|member| self.region.who(member));
            grown = written.filter(|member| running.feeds.contains_key(member)).collect();
            let words = records.iter().filter(|record| matches!(record, ToKeep::Word(..))).count() as u64;
            running.ledger.commit(view, records.len(), words, hub.plant);
        }
        for (job, outcome) in handled {
            hub.step(self.who)?;
            self.tell(hub, job, outcome)?;
        }
        Ok(grown)
    }

    /// Answers one call, or keeps it if it reads a feed that has nothing newer.
    fn tell(&mut self, hub: &mut Hub, job: Job, outcome: Result<Outcome, Refused>) -> Result<(), Stopped> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(caller) = job.to.caller() else {
            self.took_list(hub, &job.to, outcome);
            return Ok(());
        };
        let answer = match outcome {
            Ok(_) if refuses(hub, &job.input) => Err(Refused::new(RefusalCode::Malformed, "W-2")),
            Ok(outcome) => running.ledger.answer(twisted(hub, &job.input, outcome), &running.machine)?,
            Err(refused) => Err(refused),
        };
        let bytes = match answer {
            Ok(bytes) => {
                if matches!(*job.input, Input::Search(_)) {
                    hub.oracle.answers_search(hub.now, &bytes);
                }
                bytes
            }
            Err(refused) => {
                refuse(hub, caller, &refused);
                return Ok(());
            }
        };
        match job.to {
            Reply::Feed(_, until) if bytes.is_empty() && hub.now < until => {
                hub.at(until, Event::Later(self.who, self.starts, Later::FeedOver(caller)));
                running.feeds.entry(caller.who).or_default().push(job);
            }
            Reply::List(_) => {}
            Reply::Answer(_) | Reply::Feed(..) => hub.answer(Who::REGISTRY, caller, Ok(bytes)),
            Reply::Evaluated(_, blinded) => {
                match blinded.evaluate(&self.tokens(&blinded), &mut self.fountain.entropy()) {
                    Ok(bytes) => hub.answer(Who::REGISTRY, caller, Ok(bytes)),
                    Err(refused) => refuse(hub, caller, &refused),
                }
            }
        }
        Ok(())
    }

    /// What the process holds in memory is told.
    fn tell_held(&self, hub: &mut Hub) {
        let Some(running) = &self.running else { return };
        let most = running.feeds.values().map(Vec::len).max().unwrap_or(0);
        let held = [
            ("inputs", running.inbox.len(), QUEUE_MAX + 1),
            ("readings of one feed", most, KEPT_PER_PEER_MAX),
        ];
        for (what, count, max) in held {
            hub.oracle.holds(hub.now, self.who, Held { what, count, max });
        }
    }

    /// How much the index has of what there is one of for each member.
    pub(crate) fn stored(&self) -> Vec<Held> {
        let Some(running) = &self.running else { return Vec::new() };
        let max = running.machine.directory().list().members.len();
        let tables = [
            ("quotas", state::Table::Quota),
            ("feeds", state::Table::Feed),
            ("counts of vouchers", state::Table::SelfVouched),
        ];
        tables.map(|(what, table)| Held { what, count: running.ledger.count(table), max }).into()
    }

    /// What the index has of releases and deliveries that have no other half.
    pub(crate) fn singles(&self) -> BTreeSet<Vec<u8>> {
        let running = self.running.as_ref();
        running.map(|running| running.ledger.keys(state::Table::Single)).unwrap_or_default()
    }

    /// A time that the process set itself has come.
    pub(crate) fn later(&mut self, hub: &mut Hub, later: Later) {
        if later == Later::Lists {
            return self.look_for_lists(hub);
        }
        let (Later::FeedOver(caller), Some(running)) = (later, &mut self.running) else { return };
        let Some(jobs) = running.feeds.get_mut(&caller.who) else { return };
        let kept = jobs.len();
        jobs.retain(|job| job.to.caller() != Some(caller));
        if jobs.len() < kept {
            hub.answer(Who::REGISTRY, caller, Ok(Vec::new()));
        }
    }

    /// The machine has taken a list. One that was not taken is handed in again.
    fn took_list(&mut self, hub: &mut Hub, to: &Reply, outcome: Result<Outcome, Refused>) {
        match (outcome, &mut self.running) {
            (Ok(_), Some(running)) => {
                running.is_open |= running.version() >= hub.authority.version();
                let is_newest = matches!(to, Reply::List(version) if *version == running.version());
                if is_newest && self.who == Who::REGISTRY {
                    let others = self.region.all().filter(|(other, _)| *other != Who::REGISTRY);
                    hub.took_list(Who::REGISTRY, running.machine.directory(), others);
                }
            }
            (Err(refused), _) => self.refuse(hub, to, &refused),
            (Ok(_), None) => {}
        }
    }

    /// Refuses a call; a list that could not be kept is handed in again.
    fn refuse(&mut self, hub: &mut Hub, to: &Reply, refused: &Refused) {
        match (to.caller(), &mut self.running) {
            (Some(caller), _) => refuse(hub, caller, refused),
            (None, Some(running)) => {
                hub.note(
                    Who::REGISTRY,
                    format_args!("does not take a list: {:?} {}", refused.code, refused.clause),
                );
                let is_empty = running.machine.next_seq() == 0;
                running.handed = (!is_empty).then(|| running.machine.directory().clone());
            }
            (None, None) => {}
        }
    }

    /// The version of the member list in force; none if the process does not run.
    pub(crate) fn list_version(&self) -> Option<u64> {
        self.running.as_ref().map(Running::version)
    }

    /// The words in the log of a process that runs.
    pub(crate) fn words(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.machine.next_seq())
    }
}

impl Job {
    fn new(input: Input, to: Reply) -> Self {
        Self { input: Box::new(input), to }
    }
}

impl Running {
    fn version(&self) -> u64 {
        self.machine.directory().list().version
    }

    fn handle_one(
        &mut self,
        input: &Input,
        view: &mut View,
        records: &mut Vec<ToKeep>,
        fountain: &mut Fountain,
    ) -> Result<Result<Outcome, Refused>, Stopped> {
        for _round in 0..ROUNDS_MAX {
            match self.machine.handle(self.last, input, &mut fountain.entropy(), view) {
                Ok(Handled { records: more, outcome }) => {
                    records.extend(more);
                    return Ok(Ok(outcome));
                }
                Err(Stop::Refused(refused)) => return Ok(Err(refused)),
                Err(Stop::Fault(Fault::Missing { keys })) => self.ledger.load(keys, view),
                Err(Stop::Fault(fault)) => return Err(Stopped::Ended(fault.to_string())),
            }
        }
        Ok(Err(Refused::new(RefusalCode::Failed, "H-2")))
    }
}

impl Reply {
    /// Who waits, if it is a call.
    const fn caller(&self) -> Option<Caller> {
        match self {
            Self::Answer(caller) | Self::Feed(caller, _) | Self::Evaluated(caller, _) => Some(*caller),
            Self::List(_) => None,
        }
    }
}

fn refuse(hub: &mut Hub, caller: Caller, refused: &Refused) {
    hub.note(Who::REGISTRY, format_args!("refuses {} {:?} {}", caller.call, refused.code, refused.clause));
    hub.answer(Who::REGISTRY, caller, Err(answer::refusal(refused).1));
}

/// What a planted fault makes of an outcome.
fn twisted(hub: &Hub, input: &Input, mut outcome: Outcome) -> Outcome {
    match (&mut outcome, input) {
        (Outcome::Found(found), Input::Search(query)) if hub.has_plant(Plant::SearchTells) => {
            let known = query.word().patients.iter().any(|token| hub.oracle.is_known(token));
            found.next_seq = found.next_seq.or((known && found.entries.is_empty()).then_some(1));
        }
        (Outcome::Events(events), _) if hub.has_plant(Plant::EventLeftOut) && !events.events.is_empty() => {
            drop(events.events.remove(0));
        }
        _ => {}
    }
    outcome
}

/// Whether a planted fault refuses what was accepted: links of subjects.
fn refuses(hub: &Hub, input: &Input) -> bool {
    hub.has_plant(Plant::EntryRefused)
        && matches!(input, Input::Submit(said) if matches!(said.as_ref(), Submission::Links(_)))
}

/// Whether receipts go out before their words are durable.
pub(super) fn is_hasty(hub: &Hub) -> bool {
    hub.has_plant(Plant::ReceiptEarly)
}
