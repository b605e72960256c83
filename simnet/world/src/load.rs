//! What hospitals, doctors and patients do: systems send, desks record consent, doctors look and pull, offices refer. Each
//! kind has a rate of its own, drawn from the seed.
//!
//! People know only what the screens show them; whether it is right is for the oracle. Not here: what becomes of a sender
//! whose node does not answer ([`senders`]), and what one person does step by step ([`people`]).

mod borrowed;
mod day;
mod emergency;
mod forms;
mod keys;
mod mistakes;
mod people;
mod senders;
mod town;
mod wish;

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::calls::Method;
use yiqiao_proto::id::EntryId;
use yiqiao_proto::time::Millis;
use yiqiao_simnet::chance::Chance;
use yiqiao_simnet::town::Town;

use crate::hub::{Event, Hub};
use crate::limits::SCREEN_WAIT;
use crate::network::Who;
use crate::node::{Node, NotTaken};
use crate::randomness::{Part, stream};
use crate::setup::{Kept, Setup};
use borrowed::Borrowed;
use day::Day;
pub(crate) use forms::listed;
use mistakes::Mistake;
use people::Errand;
use people::Given;
pub(crate) use people::Referred;
use senders::Sender;
pub(crate) use town::{Resident, code_of, hospital_of, residents, towns};

/// Something that somebody began, by a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ActId(u64);

/// What happens to it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// It begins, or goes on.
    Go,
    /// Who waits for an answer waits no longer.
    GiveUp,
    /// Somebody comes who wants this.
    Come(Kind),
    /// A system has something to send.
    Send(usize),
    /// A register merges two who are not one.
    Mistake(usize),
    /// A desk believes it, after a planted fault.
    Belief(usize),
    /// A desk finds out that a visit came under another's card.
    Mend(usize),
}

/// What people come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Permit,
    Forbid,
    Revoke,
    Search,
    PullAgain,
    Refer,
    Step,
    Guess,
    Enrol,
    Sign,
    Break,
}

/// What comes of it.
#[derive(Debug)]
pub(crate) enum Told {
    /// One of so many messages of an input was kept, or was not.
    Message { item: usize, of: usize, kept: bool, entries: Vec<EntryId> },
    /// The outcome of an input.
    Outcome(Result<Outcome, NotTaken>),
    /// The registry's answer to a question, if one came.
    Answer(Option<Vec<u8>>),
}

/// Everybody.
pub(crate) struct Load {
    pub(crate) residents: Vec<Resident>,
    towns: Vec<Town>,
    /// The nodes that know anybody.
    everywhere: Vec<Who>,
    senders: Vec<Sender>,
    mistakes: Vec<Mistake>,
    borrowed: Vec<Borrowed>,
    /// Residents by town and place in it.
    places: BTreeMap<(usize, usize), usize>,
    /// What is under way.
    sending: BTreeMap<ActId, senders::Sending>,
    errands: BTreeMap<ActId, Errand>,
    enrolled: Vec<keys::Enrolled>,
    pub(crate) given: Vec<Given>,
    pub(crate) seen: Vec<people::Seen>,
    pub(crate) referred: Vec<Referred>,
    /// Milliseconds between two people who come for the same.
    every: BTreeMap<Kind, u64>,
    comes: BTreeMap<Kind, Chance>,
    /// How many have come.
    pub(crate) came: u64,
    /// How many inputs there are.
    pub(crate) inputs: u64,
    seed: u64,
    kept: Kept,
    day: Option<Day>,
    chance: Chance,
    ids: u64,
    /// Nobody comes any more.
    pub(crate) is_over: bool,
    pub(crate) counts: Counts,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages whose senders have their answer.
    pub messages: u64,
    /// Permits and objections recorded at desks.
    pub consents: u64,
    /// Taken back.
    pub revocations: u64,
    /// Searches answered.
    pub searches: u64,
    /// Documents that somebody wanted.
    pub wanted: u64,
    /// Documents of others that were opened.
    pub opened: u64,
    /// Referrals sent.
    pub referrals: u64,
    /// Steps taken after that.
    pub steps: u64,
    /// Merges of two who are not one.
    pub mistakes: u64,
    /// Visits that had come under another's card and were sent anew for the right person.
    pub mended: u64,
    /// Passkeys for which desks vouched.
    pub enrolled: u64,
    /// Things that patients said by passkey.
    pub signed: u64,
    /// Glasses that were broken.
    pub emergencies: u64,
    /// Of these, judged.
    pub judged: u64,
}

/// As many milliseconds as nobody comes for something.
const NEVER: u64 = u64::MAX;

const KINDS: [Kind; 11] = [
    Kind::Permit,
    Kind::Forbid,
    Kind::Revoke,
    Kind::Search,
    Kind::PullAgain,
    Kind::Refer,
    Kind::Step,
    Kind::Guess,
    Kind::Enrol,
    Kind::Sign,
    Kind::Break,
];

impl Load {
    /// Everybody of a world; the senders begin at once.
    pub(crate) fn new(setup: &Setup, hub: &mut Hub, towns: Vec<Town>, residents: Vec<Resident>) -> Self {
        let mut rates = stream(setup.seed, Part::Rates, 1);
        let every = KINDS.map(|kind| (kind, kind.every(setup, &residents, &mut rates))).into();
        let comes = KINDS.map(|kind| (kind, stream(setup.seed, Part::People, 1 + kind as u64))).into();
        let day = setup.rhythm.then(|| Day::new(hub.now, setup.minutes));
        let (senders, inputs) = senders::of(setup, &towns, hub.now, day.as_ref());
        let everywhere: BTreeSet<Who> =
            residents.iter().flat_map(|resident| &resident.known_at).copied().collect();
        let (mistakes, borrowed) = (mistakes::of(setup, &towns), borrowed::of(setup, &towns));
        let first = inputs + mistakes.len() as u64;
        let kept = |number: &u64| Kept::has(setup.kept.inputs.as_ref(), *number);
        let mistakes = (inputs..).zip(mistakes).filter(|(number, _)| kept(number));
        let mistakes = mistakes.map(|(_, mistake)| mistake).collect();
        let inputs = first + borrowed.len() as u64;
        let borrowed = (first..).zip(borrowed).filter(|(number, _)| kept(number));
        let borrowed = borrowed.map(|(_, borrowed)| borrowed).collect();
        let mut load = Self {
            places: (0..).zip(&residents).map(|(at, resident)| (resident.place, at)).collect(),
            residents,
            towns,
            everywhere: everywhere.into_iter().collect(),
            senders,
            mistakes,
            borrowed,
            sending: BTreeMap::new(),
            errands: BTreeMap::new(),
            enrolled: Vec::new(),
            given: Vec::new(),
            seen: Vec::new(),
            referred: Vec::new(),
            every,
            comes,
            came: 0,
            inputs,
            seed: setup.seed,
            kept: setup.kept.clone(),
            day,
            chance: stream(setup.seed, Part::People, 0),
            ids: 0,
            is_over: false,
            counts: Counts::default(),
        };
        for at in 0..load.senders.len() {
            load.send_next(hub, at);
        }
        load.plan_mistakes(hub, hub.now);
        load.plan_mending(hub, hub.now);
        for kind in KINDS {
            load.come_later(hub, kind);
        }
        load
    }

    /// Something happens to an act.
    pub(crate) fn act(&mut self, hub: &mut Hub, nodes: &mut BTreeMap<Who, Node>, id: ActId, act: Act) {
        match act {
            Act::Come(kind) if !self.is_over => {
                self.come(hub, kind);
                self.come_later(hub, kind);
            }
            Act::Come(_) => {}
            Act::Send(at) => self.send(hub, nodes, at),
            Act::Mistake(at) => self.mistake(hub, nodes, at),
            Act::Belief(at) => self.believe(hub, nodes, at),
            Act::Mend(at) => self.mend(hub, at),
            Act::Go => self.go(hub, nodes, id),
            Act::GiveUp => {
                hub.awaited.remove(&id);
                self.give_up(hub, id);
            }
        }
    }

    /// Something came of an act.
    pub(crate) fn told(&mut self, hub: &mut Hub, nodes: &mut BTreeMap<Who, Node>, id: ActId, told: Told) {
        match told {
            Told::Message { item, of, kept, entries } => {
                self.told_of(hub, id, &entries);
                self.message_kept(hub, id, item, of, kept);
            }
            Told::Outcome(outcome) => {
                hub.awaited.remove(&id);
                self.outcome(hub, nodes, id, outcome);
            }
            Told::Answer(answer) => self.answer(hub, nodes, id, answer),
        }
    }

    /// Whether every sender has its answers, and nobody is at a screen.
    pub(crate) fn is_done(&self) -> bool {
        self.errands.is_empty() && self.sending.is_empty() && self.senders.iter().all(Sender::is_done)
    }

    fn new_id(&mut self) -> ActId {
        self.ids += 1;
        ActId(self.ids)
    }

    /// When the next one comes for this.
    fn come_later(&mut self, hub: &mut Hub, kind: Kind) {
        let every = self.every.get(&kind).copied().unwrap_or(60_000);
        if every == NEVER {
            return;
        }
        let chance = self.comes.get_mut(&kind).expect("every kind has a stream");
        let percent = self.day.as_ref().map_or(100, |day| day.percent(hub.now));
        let wait = Millis::new(1 + chance.below(2 * every) * 100 / percent);
        let id = self.new_id();
        hub.after(wait, Event::Act(id, Act::Come(kind)));
    }

    /// Somebody hands something in at a screen, and waits.
    fn hand(&mut self, hub: &mut Hub, node: &mut Node, id: ActId, input: Input) {
        hub.awaited.insert(id);
        node.act(hub, id, input);
        hub.after(SCREEN_WAIT, Event::Act(id, Act::GiveUp));
    }

    /// Somebody asks the registry, and waits.
    fn question(&mut self, hub: &mut Hub, node: &mut Node, id: ActId, (method, request): (Method, Vec<u8>)) {
        node.question(hub, id, method, request);
        hub.after(SCREEN_WAIT, Event::Act(id, Act::GiveUp));
    }
}

impl Kind {
    /// Milliseconds between two who come for this, in one world. In that of a day so many that there is one search for every
    /// fourth who has been to a hospital, and of everything else in the mean of the worlds as much for each search.
    fn every(self, setup: &Setup, residents: &[Resident], chance: &mut Chance) -> u64 {
        if self.is_more() && !setup.more {
            return NEVER;
        }
        let (low, high) = self.seconds();
        if setup.today.is_none() {
            return chance.between(low, high).unsigned_abs() * 1_000;
        }
        let (rarer, common) = Self::Search.seconds();
        let searches = (residents.len() as u64 / 4).max(1);
        let search = setup.minutes * 60_000 / searches;
        (search * (low + high).unsigned_abs() / (rarer + common).unsigned_abs()).max(1)
    }

    /// Whether people come for this only where more is asked for than worlds had that were written down before.
    const fn is_more(self) -> bool {
        matches!(self, Self::Enrol | Self::Sign | Self::Break)
    }

    /// The fewest and the most seconds between two.
    const fn seconds(self) -> (i64, i64) {
        match self {
            Self::Permit => (6, 60),
            Self::Forbid | Self::Break => (60, 600),
            Self::Revoke => (20, 200),
            Self::Search | Self::Step => (4, 40),
            Self::PullAgain => (10, 100),
            Self::Refer | Self::Sign => (15, 150),
            Self::Guess | Self::Enrol => (30, 300),
        }
    }
}

impl ActId {
    const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ActId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, consents, revocations, searches, wanted, .. } = self;
        let Self {
            opened, referrals, steps, mistakes, mended, enrolled, signed, emergencies, judged, ..
        } = self;
        write!(
            f,
            "messages {messages}, consents {consents}, revocations {revocations}, searches {searches}, "
        )?;
        write!(f, "wanted {wanted}, opened {opened}, referrals {referrals}, steps {steps}, ")?;
        write!(f, "wrong merges {mistakes}, borrowed cards mended {mended}, passkeys {enrolled}, ")?;
        write!(f, "signed {signed}, emergencies {emergencies}, judged {judged}")
    }
}
