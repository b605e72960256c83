//! A node on a store in memory, with a journal that can be cut, and the messages it is given.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeMap;

use prost::Message;
use yiqiao_intake::dates::{Period, Precision, When, Zone};
use yiqiao_intake::facts::{
    Author, Document, Format, PatientEvent, Payload, ReviewReason, SourceId, Status, Trigger, Understood,
};
use yiqiao_intake::flag::Flags;
use yiqiao_intake::intake::Item;
use yiqiao_intake::kind::DocumentKind;
use yiqiao_intake::patient::{IdKind, Identifier, PartialDate, Patient};
use yiqiao_node_core::ask;
use yiqiao_node_core::at_rest::AtRest;
use yiqiao_node_core::coding::Coding;
use yiqiao_node_core::connection::Origin;
use yiqiao_node_core::glass::Spans;
use yiqiao_node_core::intake::{Answered, Content, Holder, Received, Sealed};
use yiqiao_node_core::machine::{
    Config, Effect, Handled, Input, Keys, Machine, Outcome, Refused, Stop, WordsKeys,
};
use yiqiao_node_core::register::Number;
use yiqiao_node_core::state::{Counters, Fault, Record, Slot, View};
use yiqiao_proto::codes::FacilityKind;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::hash;
use yiqiao_proto::id::{DocumentId, Subject};
use yiqiao_proto::member::MemberList;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::sealed::{ChunkHash, DocumentKey, Header, Map, document_id};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_terms::dictionary::Names;
use zeroize::Zeroizing;

use crate::region::{HOSPITAL, Registry, at, code, directory, key, sealing_secret};

/// How often drivers load for one input.
const ROUNDS_MAX: u32 = 256;

/// A node.
pub(crate) struct Node {
    who: (&'static str, u8),
    /// The seeds of the keys that sign its words.
    words: Vec<u8>,
    /// Of which sealing keys it has the secrets.
    sealing: Vec<u8>,
    registers: Registers,
    machine: Machine,
    store: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The records as they lie in the journal.
    pub(crate) journal: Vec<Vec<u8>>,
    /// The journal ends here: what would come after is lost, and with it the process.
    pub(crate) power_cut: Option<usize>,
    /// What one input brings is kept whole or not at all, as a journal promises; otherwise the harsher thing is tried.
    pub(crate) keeps_batches: bool,
    list: MemberList,
    entropy: Entropy,
    pub(crate) now: Timestamp,
    /// Keys and maps of the files sealed here.
    pub(crate) sealed: BTreeMap<DocumentId, (DocumentKey, Map)>,
    /// The most often that one input was handled, because something was not loaded.
    pub(crate) rounds: u32,
}

/// The power went.
#[derive(Debug)]
pub(crate) struct PowerCut;

/// What a store makes of what a view has written.
pub(crate) fn commit(view: View, store: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for (key, value) in view.into_written() {
        match value {
            Some(value) => drop(store.insert(key, value)),
            None => drop(store.remove(&key)),
        }
    }
}

impl Node {
    pub(crate) fn new(list: &MemberList) -> Self {
        Self::of(list, ("hospital", HOSPITAL))
    }

    /// The node of a member, by its code and the seed of its keys.
    pub(crate) fn of(list: &MemberList, who: (&'static str, u8)) -> Self {
        let store = BTreeMap::new();
        let mut node = Self {
            who,
            words: vec![who.1],
            sealing: vec![who.1],
            registers: Registers::default(),
            keeps_batches: false,
            machine: machine(list, who, (&[who.1], &[who.1]), &Registers::default()),
            store,
            journal: Vec::new(),
            power_cut: None,
            list: list.clone(),
            entropy: Entropy::new([who.1; 32]),
            now: at(0),
            sealed: BTreeMap::new(),
            rounds: 0,
        };
        node.resume();
        node
    }

    /// Starts again with these keys for its words.
    pub(crate) fn rekey(&mut self, words: &[u8]) {
        self.words = words.to_vec();
        self.rebuild();
    }

    /// Starts again with the secrets of these sealing keys.
    pub(crate) fn reseal(&mut self, sealing: &[u8]) {
        self.sealing = sealing.to_vec();
        self.rebuild();
    }

    /// Somebody writes something else into the index.
    pub(crate) fn put<T: Message>(&mut self, slot: &Slot<T>, value: &T) {
        self.store.insert(slot.key().to_vec(), value.encode_to_vec());
    }

    /// Starts again with what the journal has: the index is rebuilt from it.
    pub(crate) fn rebuild(&mut self) {
        self.power_cut = None;
        self.store.clear();
        self.machine = machine(&self.list, self.who, (&self.words, &self.sealing), &self.registers);
        for bytes in self.journal.clone() {
            let record = Record::decode(bytes.as_slice()).unwrap();
            let mut view = View::new(code("demo"));
            loop {
                match self.machine.rebuild(&record, &mut view) {
                    Ok(()) => break,
                    Err(Fault::Missing { keys }) => self.load(keys, &mut view),
                    Err(fault) => panic!("{fault}"),
                }
            }
            commit(view, &mut self.store);
        }
    }

    /// Starts again with the index as it stands.
    pub(crate) fn resume(&mut self) {
        self.machine = machine(&self.list, self.who, (&self.words, &self.sealing), &self.registers);
        let mut view = View::new(code("demo"));
        while let Err(fault) = self.machine.resume(&view) {
            let Fault::Missing { keys } = fault else { panic!("{fault}") };
            self.load(keys, &mut view);
        }
    }

    fn load(&self, keys: Vec<Vec<u8>>, view: &mut View) {
        for key in keys {
            let value = self.store.get(&key).cloned();
            view.load(key, value);
        }
    }

    /// Handles an input; what it brings is durable when this returns.
    pub(crate) fn handle(&mut self, input: &Input) -> Result<Result<Handled, Refused>, PowerCut> {
        let mut view = View::new(code("demo"));
        for round in 1.. {
            self.rounds = self.rounds.max(round);
            assert!(round <= ROUNDS_MAX, "no driver loads so often for one input");
            match self.machine.handle(self.now, input, &mut self.entropy, &mut view) {
                Ok(handled) => {
                    let before = self.journal.len();
                    self.journal.extend(handled.records.iter().map(Message::encode_to_vec));
                    if let Some(cut) = self.power_cut.filter(|cut| self.journal.len() > *cut) {
                        self.journal.truncate(if self.keeps_batches { before } else { cut });
                        return Err(PowerCut);
                    }
                    commit(view, &mut self.store);
                    return Ok(Ok(handled));
                }
                Err(Stop::Refused(refused)) => return Ok(Err(refused)),
                Err(Stop::Fault(Fault::Missing { keys })) => self.load(keys, &mut view),
                Err(Stop::Fault(fault)) => panic!("{fault}"),
            }
        }
        unreachable!("an input ends")
    }

    pub(crate) fn try_receive(&mut self, message: &Msg) -> Result<Answered, PowerCut> {
        let received = message.seal(&mut || self.seal());
        let outcome = self.handle(&Input::Received(Box::new(received)))?.unwrap().outcome;
        let Outcome::Received(answered) = outcome else { panic!("{outcome:?}") };
        Ok(answered)
    }

    pub(crate) fn receive(&mut self, message: &Msg) -> Answered {
        self.try_receive(message).unwrap()
    }

    /// A message that the machine does not take: why.
    pub(crate) fn refuses(&mut self, message: &Msg) -> Option<Refused> {
        let received = message.seal(&mut || self.seal());
        self.handle(&Input::Received(Box::new(received))).unwrap().err()
    }

    /// An input that brings nothing to send.
    pub(crate) fn decide(&mut self, input: &Input) -> Result<(), Refused> {
        self.handle(input).unwrap().map(|handled| assert!(handled.effects.is_empty()))
    }

    /// A sealed file of which only the map is there: its key and its chunks are others each time.
    pub(crate) fn seal(&mut self) -> Sealed {
        let size = 9 << 20;
        let key = self.entropy.secret();
        let header = Header::new(&key, size, &mut self.entropy).unwrap();
        let chunks: Vec<ChunkHash> = (0..header.chunks()).map(|_| self.entropy.bytes()).collect();
        let document = document_id(&header, &chunks);
        let map = Map::new(document, &header.to_bytes(), chunks).unwrap();
        let wrapped_key = at_rest().seal(document.as_bytes(), key.as_slice(), &mut self.entropy);
        self.sealed.insert(document, (key, map));
        Sealed { document, size, wrapped_key }
    }

    /// Does what is due now: the effects, but for feed, lease, proofs, inventories, alarms and figures, which have no answer here.
    pub(crate) fn due(&mut self) -> Result<Vec<Effect>, PowerCut> {
        let mut effects = self.all_due()?;
        effects.retain(|effect| {
            let is_told = matches!(
                effect,
                Effect::AskInventory { .. } | Effect::TellAlarm { .. } | Effect::TellFigures { .. }
            );
            let is_watched =
                matches!(effect, Effect::ReadFeed { .. } | Effect::AskLease { .. } | Effect::AskProof { .. });
            !is_told && !is_watched
        });
        Ok(effects)
    }

    /// Does what is due now: all effects.
    pub(crate) fn all_due(&mut self) -> Result<Vec<Effect>, PowerCut> {
        match self.machine.next_wakeup() {
            Some(time) if time <= self.now => Ok(self.handle(&Input::Wakeup)?.unwrap().effects),
            _ => Ok(Vec::new()),
        }
    }

    /// Lets time pass until something is due that has an answer here: how long, in milliseconds, and what.
    pub(crate) fn wait(&mut self) -> (u64, Vec<Effect>) {
        let began = self.now;
        loop {
            let effects = self.due().unwrap();
            if !effects.is_empty() {
                return (self.now.since(began).get(), effects);
            }
            self.now = self.now.max(self.next_wakeup().unwrap());
        }
    }

    pub(crate) fn next_wakeup(&self) -> Option<Timestamp> {
        self.machine.next_wakeup()
    }

    /// Lets node and registry talk, and time pass, until the node wants nothing more or a week has gone.
    pub(crate) fn try_publish(&mut self, registry: &mut Registry) -> Result<(), PowerCut> {
        let end = self.now + Millis::from_secs(7 * 24 * 3600);
        while let Some(time) = self.machine.next_wakeup().filter(|time| *time < end) {
            self.now = self.now.max(time);
            let mut effects = self.due()?;
            while let Some(effect) = effects.pop() {
                let answer = registry.answer(self.now, &effect);
                effects.extend(self.handle(&answer)?.unwrap().effects);
            }
        }
        Ok(())
    }

    pub(crate) fn publish(&mut self, registry: &mut Registry) {
        self.try_publish(registry).unwrap();
    }

    /// Asks a question, loading what it needs.
    pub(crate) fn ask<T>(&self, question: impl Fn(&Machine, &View) -> Result<T, Fault>) -> T {
        let mut view = View::new(code("demo"));
        loop {
            match question(&self.machine, &view) {
                Ok(answer) => return answer,
                Err(Fault::Missing { keys }) => self.load(keys, &mut view),
                Err(fault) => panic!("{fault}"),
            }
        }
    }

    pub(crate) fn counters(&self, system: &str) -> Counters {
        self.ask(|_, view| ask::counters(&code(system), view))
    }

    pub(crate) fn patient(&self, number: &str) -> Option<ask::Patient> {
        let id = Identifier::new(IdKind::Local, number, "").unwrap();
        self.ask(|machine, view| machine.patient_by_number(&id, view))
    }

    /// The patients of a number that somebody typed.
    pub(crate) fn typed(&self, number: &str) -> Vec<Subject> {
        let number = Number::Any(Phi::new(number.to_owned()));
        self.ask(|machine, view| machine.patients_by_number(&number, view))
    }

    /// What the hospital has decided about the registers of its numbers, from the next start on.
    pub(crate) fn configure(&mut self, assigners: &[(&str, &str)], main: Option<&str>) {
        let named = assigners.iter().map(|(written, name)| ((*written).to_owned(), (*name).to_owned()));
        self.registers = Registers { assigners: named.collect(), main: main.map(str::to_owned) };
        self.resume();
    }

    /// The index as it stands.
    pub(crate) fn index(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.store
    }
}

fn at_rest() -> AtRest {
    AtRest::new(&Zeroizing::new([8; 32]))
}

/// What the hospital has decided about the registers of its numbers.
#[derive(Default)]
struct Registers {
    assigners: BTreeMap<String, String>,
    main: Option<String>,
}

fn machine(
    list: &MemberList,
    (name, _): (&str, u8),
    (words, sealing): (&[u8], &[u8]),
    registers: &Registers,
) -> Machine {
    let config = Config {
        organisation: code(name),
        coding: Coding::new(FacilityKind::GeneralHospital),
        assigners: registers.assigners.clone(),
        main_register: registers.main.clone(),
        zone: Zone::china(),
        glass: Spans::default(),
    };
    let keys = Keys {
        words: WordsKeys { first: key(words[0]), later: words[1..].iter().map(|seed| key(*seed)).collect() },
        sealing: sealing.iter().map(|seed| sealing_secret(*seed)).collect(),
        at_rest: at_rest(),
    };
    Machine::new(config, keys, directory(list))
}

pub(crate) fn sum(counters: &Counters) -> u64 {
    counters.indexed + counters.applied + counters.answered + counters.review + counters.refused
}

/// A message of the hospital, before its documents are sealed.
#[derive(Clone, Debug)]
pub(crate) struct Msg {
    pub(crate) system: &'static str,
    pub(crate) control: Option<String>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) says: Says,
    pub(crate) holder: Option<Holder>,
    pub(crate) origin: Origin,
    pub(crate) named: Names,
}

#[derive(Clone, Debug)]
pub(crate) enum Says {
    Documents(Vec<Document>),
    Events(Vec<PatientEvent>),
    Answer,
    Review(ReviewReason),
    Refused,
}

impl Msg {
    pub(crate) fn new(control: &str, says: Says) -> Self {
        Self {
            system: "his",
            control: Some(control.to_owned()),
            bytes: control.as_bytes().to_vec(),
            says,
            holder: None,
            origin: Origin::default(),
            named: Names::default(),
        }
    }

    pub(crate) fn bytes(self, bytes: &str) -> Self {
        Self { bytes: bytes.as_bytes().to_vec(), ..self }
    }

    /// What a reader of the hospital's formats understood.
    pub(crate) fn of(system: &'static str, input: &[u8], item: Item) -> Self {
        let says = match item.outcome {
            Ok(Understood::Documents(documents)) => Says::Documents(documents),
            Ok(Understood::Events(events)) => Says::Events(events),
            Ok(Understood::Answer(_)) => Says::Answer,
            Ok(Understood::Review(review)) => Says::Review(review.reason),
            Err(_) => Says::Refused,
        };
        let control = item.envelope.map(|envelope| envelope.control_id);
        let (origin, named) = (Origin::default(), Names::default());
        Self { system, control, bytes: input[item.span].to_vec(), says, holder: None, origin, named }
    }

    pub(crate) fn seal(&self, seal: &mut impl FnMut() -> Sealed) -> Received {
        let content = match &self.says {
            Says::Documents(documents) => {
                Content::Documents(documents.iter().map(|document| (document.clone(), seal())).collect())
            }
            Says::Events(events) => Content::Events(events.clone()),
            Says::Answer => Content::Answer,
            Says::Review(reason) => Content::Review(*reason, seal()),
            Says::Refused => Content::Refused,
        };
        Received {
            system: code(self.system),
            control_id: self.control.clone(),
            digest: hash::blake3(&[&self.bytes]),
            subject: None,
            holder: self.holder,
            origin: self.origin.clone(),
            named: self.named.clone(),
            content,
        }
    }
}

/// A resident identity number of this order, of somebody born on 1990-01-01.
pub(crate) fn resident_id(order: u32) -> String {
    let digits = format!("99999919900101{order:03}");
    format!("{digits}{}", yiqiao_proto::person::check_character(&digits).unwrap())
}

/// A patient with a number of the hospital, and an identity number if `order` is given: then that says the name, too.
pub(crate) fn patient(number: &str, order: Option<u32>) -> Patient {
    let mut patient = {
        let name = order.map_or_else(|| format!("患者{number}"), |order| format!("患者{order}"));
        Patient { name: Some(Phi::new(name)), ..Patient::default() }
    };
    patient.birth_date = PartialDate::new(1990, Some(1), Some(1)).map(Phi::new);
    patient.identify(Identifier::new(IdKind::Local, number, ""));
    if let Some(order) = order {
        patient.identify(Identifier::new(IdKind::ResidentId, &resident_id(order), "MPS"));
    }
    patient
}

pub(crate) fn when(ms: i64) -> When {
    When { at: at(ms), precision: Precision::Second }
}

pub(crate) fn document(patient: Patient, source: &str, status: Status) -> Document {
    Document {
        patient,
        source_id: SourceId::new("", source),
        also_known_as: Vec::new(),
        kind: DocumentKind::from_shared_document("C0007").unwrap(),
        title: Some(Phi::new("血常规".to_owned())),
        format: Format::Cda,
        date: Some(when(0)),
        created: None,
        service: Period::default(),
        author: Author::default(),
        status,
        replaces: None,
        visit: None,
        visits: Vec::new(),
        confidentiality: None,
        lab: Vec::new(),
        payload: Payload::Message(0..1),
        flags: Flags::none(),
    }
}

/// A message with one final document.
pub(crate) fn report(control: &str, patient: Patient, source: &str) -> Msg {
    Msg::new(control, Says::Documents(vec![document(patient, source, Status::Final)]))
}

pub(crate) fn event(trigger: Trigger, patient: Patient, ms: i64) -> PatientEvent {
    PatientEvent {
        trigger,
        code: "ADT".to_owned(),
        patient,
        visit: None,
        merged_from: Vec::new(),
        date: Some(when(ms)),
        flags: Flags::none(),
    }
}

/// A40: `from` is `into` from now on.
pub(crate) fn merge(control: &str, into: Patient, from: &str) -> Msg {
    let mut event = event(Trigger::Merged, into, 0);
    event.merged_from = vec![Identifier::new(IdKind::Local, from, "").unwrap()];
    Msg::new(control, Says::Events(vec![event]))
}
