//! What a machine wants done: calls with their answers, and documents pulled range by range. Each effect is answered by
//! exactly one input, a lost call by `Failed`.

use std::collections::{BTreeMap, VecDeque};

use prost::Message as _;
use yiqiao_node_core::call::{self, Begun, Lost, Outgoing, To};
use yiqiao_node_core::fetch::{self, Broken, Stretch};
use yiqiao_node_core::limits::RANGES_AT_ONCE;
use yiqiao_node_core::machine::{Checkpoint, Effect, Input};
use yiqiao_node_core::state;
use yiqiao_proto::access::{AccessEvent, AuditAnchor};
use yiqiao_proto::calls::{Method, SubmitRequest};
use yiqiao_proto::codes::AccessAct;
use yiqiao_proto::envelope::{Envelope, Kind, Word as _};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest, DocumentId};
use yiqiao_proto::lease::{FeedItem, feed_next, feed_start};
use yiqiao_proto::time::Timestamp;

use super::{Job, Node, Running};
use crate::hub::{Event, Hub, Later};
use crate::load::{ActId, Told};
use crate::network::{CallId, Who};
use crate::oracle::Wrong;
use crate::plant::Plant;
use crate::region::{For, code};

/// What came of a call: an answer, or the bytes of a refusal.
pub(crate) type Came = Result<Vec<u8>, Vec<u8>>;

/// What is waited for.
pub(super) enum Pending {
    /// The answer to an effect; words that were handed in, by the hashes of their payloads.
    Effect {
        era: u64,
        call: Box<Outgoing>,
        words: Vec<Digest>,
        known: Known,
    },
    /// A stretch of a document.
    Range(DocumentId, Stretch),
    /// Member lists: those that are asked for in time, and those that were named or seem to be missing.
    Lists,
    NamedLists,
    /// What somebody at a screen asked the registry.
    Question(ActId),
}

/// What was known when a call went out, by the oracle's account.
#[derive(Clone)]
pub(super) struct Known {
    at: Timestamp,
    pub(super) tree: Option<Checkpoint>,
    term: u64,
}

impl Running {
    /// Whether a call of this outbox is under way that hands in a word. Of two access events each may say the same (L-1).
    fn submits(&self, now: u64, word: &Envelope) -> bool {
        let hash = word.payload_hash();
        let hands_in = |pending: &Pending| matches!(pending, Pending::Effect { era, words, .. } if *era == now && words.contains(&hash));
        word.kind() != Kind::AccessEvent && self.calls.values().any(hands_in)
    }
}

/// A document that is being fetched.
pub(super) struct Fetch {
    era: u64,
    ticket: u64,
    holder: Who,
    request: Digest,
    left: VecDeque<Stretch>,
    /// Stretches that are asked for, and how often they were.
    flying: BTreeMap<u64, (Stretch, u32)>,
}

impl Node {
    /// Begins an effect.
    pub(super) fn carry_out(&mut self, hub: &mut Hub, effect: &Effect) {
        if hub.has_plant(Plant::EffectLost) && self.chance.below(200) == 0 {
            return hub.note(self.who, format_args!("forgets an effect"));
        }
        let planted = self.other_event(hub, effect).or_else(|| self.other_anchor(hub, effect));
        let effect = planted.as_ref().unwrap_or(effect);
        let Some(running) = &self.running else { return };
        let era = running.era;
        let words = match effect {
            Effect::Erase { document } => return self.erase(hub, document),
            Effect::Fetch { ticket, holder, request, document } => {
                let (ticket, request, document) = (*ticket, *request, *document);
                let holder = self.way_to(holder);
                return self.fetch(hub, era, ticket, holder, request, document);
            }
            Effect::Submit { words, .. } => {
                let twice = words.iter().any(|(word, _)| running.submits(era, word));
                if twice {
                    hub.oracle.blames(hub.now, self.who, Wrong::HandedInAgain);
                }
                words.iter().map(|(word, _)| word.payload_hash()).collect()
            }
            Effect::Evaluate { .. }
            | Effect::OwnWords { .. }
            | Effect::Recall { .. }
            | Effect::TellAct { .. }
            | Effect::AskRelease { .. }
            | Effect::TellStep { .. }
            | Effect::ReadFeed { .. }
            | Effect::AskProof { .. }
            | Effect::AskInventory { .. }
            | Effect::TellAlarm { .. }
            | Effect::TellFigures { .. }
            | Effect::Compare { .. }
            | Effect::AskLease { .. } => Vec::new(),
        };
        match call::begin(effect, running.machine.directory(), &mut self.fountain.entropy()) {
            Begun::Call(call) => self.send(hub, era, call, words),
            Begun::Over(answer) => {
                if let Some(input) = answer.input {
                    self.queue(hub, Job::Answer { era, input: Box::new(input) });
                }
            }
            Begun::Files => {}
        }
    }

    /// What a planted fault hands in instead of an event: the first one once more, or the same as if it had happened again.
    fn other_event(&mut self, hub: &Hub, effect: &Effect) -> Option<Effect> {
        let Effect::Submit { ticket, words } = effect else { return None };
        let (word, link) = words.first().filter(|(word, _)| word.kind() == Kind::AccessEvent)?;
        let first = self.first_event.get_or_insert_with(|| word.clone()).clone();
        let is_glass =
            AccessEvent::decode(word.payload()).is_ok_and(|event| event.act == AccessAct::BreakGlass);
        let planted = if hub.has_plant(Plant::EventDropped) && self.chance.percent(20)
            || hub.has_plant(Plant::GlassUnsaid) && is_glass
        {
            first
        } else if hub.has_plant(Plant::EventInvented) && self.chance.percent(20) {
            let event =
                AccessEvent { at: hub.now, audit_line: None, ..AccessEvent::decode(word.payload()).ok()? };
            let key = self.region.nth_key(self.who, For::Words, self.keys.words);
            Envelope::sign(&code(), &event, &key)
        } else {
            return None;
        };
        Some(Effect::Submit { ticket: *ticket, words: vec![(planted, *link)] })
    }

    /// What a planted fault says of the audit in place of what it is.
    fn other_anchor(&self, hub: &Hub, effect: &Effect) -> Option<Effect> {
        let Effect::Submit { ticket, words } = effect else { return None };
        let (word, link) = words.first().filter(|_| hub.has_plant(Plant::AnchorElsewhere))?;
        let hash = Digest::new([7; 32])?;
        let anchor = AuditAnchor { hash, ..AuditAnchor::decode(word.payload()).ok()? };
        let word =
            Envelope::sign(&code(), &anchor, &self.region.nth_key(self.who, For::Words, self.keys.words));
        Some(Effect::Submit { ticket: *ticket, words: vec![(word, *link)] })
    }

    fn send(&mut self, hub: &mut Hub, era: u64, mut call: Outgoing, words: Vec<Digest>) {
        let to = match &call.to {
            To::Registry => Some(Who::REGISTRY),
            To::Member(code) => self.way_to(code),
        };
        let mut request = std::mem::take(&mut call.request);
        if hub.has_plant(Plant::NameTold) && call.method == Method::Submit {
            request.extend(hub.oracle.a_name());
        }
        let known =
            Known { at: hub.now, tree: hub.oracle.tree_of(self.who), term: hub.oracle.term_of(self.who) };
        let Some(to) = to else {
            self.believe(hub, era, call, None, known);
            return;
        };
        let own = |pending: &&Pending| matches!(pending, Pending::Effect { era: of, .. } if *of == era);
        let under_way = self.running.as_ref().map_or(0, |running| running.calls.values().filter(own).count());
        let asked = Some(request.as_slice()).filter(|_| call.method != Method::Lease);
        hub.oracle.calls(hub.now, self.who, under_way + 1, &words, asked);
        let id = hub.call(self.who, to, call.method, request);
        if let Some(running) = &mut self.running {
            running.calls.insert(id, Pending::Effect { era, call: Box::new(call), words, known });
        }
    }

    /// Where a member is, unless it is suspended or unknown by the list in force.
    fn way_to(&self, code: &Code) -> Option<Who> {
        let running = self.running.as_ref()?;
        running.machine.directory().member(code).filter(|member| !member.suspended)?;
        self.region.who(code)
    }

    /// Asks the registry something for somebody at a screen.
    pub(crate) fn question(&mut self, hub: &mut Hub, act: ActId, method: Method, request: Vec<u8>) {
        let Some(running) = &mut self.running else { return };
        let id = hub.call(self.who, Who::REGISTRY, method, request);
        running.calls.insert(id, Pending::Question(act));
    }

    /// A call was answered, or nobody waits for it any longer.
    pub(crate) fn answered(&mut self, hub: &mut Hub, id: CallId, answer: Option<Came>) {
        let Some(pending) = self.running.as_mut().and_then(|running| running.calls.remove(&id)) else {
            return;
        };
        hub.ends(id);
        if hub.has_plant(Plant::CallsKept)
            && let Some(running) = &mut self.running
        {
            running.calls.insert(CallId::MAX - id, Pending::NamedLists);
        }
        match pending {
            Pending::Question(act) => {
                hub.told.push_back((act, Told::Answer(answer.and_then(Result::ok))));
            }
            Pending::Lists => self.lists_came(hub, answer.as_ref().and_then(|answer| answer.as_deref().ok())),
            Pending::NamedLists => {
                if let Some(Ok(bytes)) = &answer {
                    self.hand_lists(hub, bytes);
                }
            }
            Pending::Range(document, stretch) => self.range_came(hub, document, stretch, answer),
            Pending::Effect { era, mut call, words, .. }
                if self.tries_at_once(hub, &call, answer.as_ref()) =>
            {
                call.request = SubmitRequest::default().encode_to_vec();
                self.send(hub, era, *call, words);
            }
            Pending::Effect { era, call, words, known } => {
                let submits = call.method == Method::Submit;
                let believed = self.believe(hub, era, *call, answer.as_ref(), known);
                if let Some(Ok(bytes)) = answer
                    && submits
                    && believed
                {
                    hub.oracle.receipts(hub.now, self.who, &words, &bytes);
                }
            }
        }
    }

    /// Whether a planted fault asks again at once for what was not answered.
    fn tries_at_once(&self, hub: &Hub, call: &Outgoing, answer: Option<&Came>) -> bool {
        hub.has_plant(Plant::TriedAtOnce) && call.method == Method::Submit && !matches!(answer, Some(Ok(_)))
    }

    /// Hands in what an answer says. Whether it is believed.
    fn believe(
        &mut self,
        hub: &mut Hub,
        era: u64,
        call: Outgoing,
        answer: Option<&Came>,
        known: Known,
    ) -> bool {
        let Some(running) = &self.running else { return false };
        let unread = self.is_planted(hub, Plant::ListUnread) && self.stands(hub).is_some();
        let bytes = match answer {
            Some(_) if unread && call.method == Method::Lease => Err(Lost::Silent),
            Some(Ok(bytes)) => Ok(bytes.as_slice()),
            Some(Err(refusal)) => Err(Lost::refused(refusal)),
            None => Err(Lost::Silent),
        };
        let of = match &call.to {
            To::Registry => Some(Who::REGISTRY),
            To::Member(code) => self.region.who(code),
        };
        let answer = call.answered(running.machine.directory(), &self.code, bytes);
        let believed = answer.unbelieved.is_none();
        if let Some(why) = answer.unbelieved {
            hub.note(self.who, format_args!("does not believe: {why}"));
            hub.oracle.disbelieved(hub.now, (self.who, of.unwrap_or(self.who)), &why.to_string());
            if of == Some(Who::REGISTRY) {
                self.ask_lists_now(hub);
            }
        }
        if let Some((document, map)) = answer.map {
            self.vault.begin_copy(document, map);
        }
        if let Some(mut input) = answer.input {
            if let Input::Receipted { receipts, .. } = &mut input
                && hub.has_plant(Plant::ReceiptsSwapped)
            {
                receipts.reverse();
            }
            self.note_answer(hub, &mut input, known);
            self.queue(hub, Job::Answer { era, input: Box::new(input) });
        }
        believed
    }

    /// What comes of the log, a feed and a lease is told to the oracle as it came.
    fn note_answer(&mut self, hub: &mut Hub, input: &mut Input, known: Known) {
        let own = self.who;
        let Some(running) = &mut self.running else { return };
        if let Input::Receipted { ticket, checkpoint, .. } = input {
            running.trees.insert(*ticket, (known.tree, checkpoint.clone()));
            *checkpoint = trusted(hub, own, checkpoint.clone());
        } else if let Input::Leased { lease, checkpoint, .. } = input {
            hub.oracle.leased(own, lease, known.at, known.term);
            *checkpoint = trusted(hub, own, checkpoint.clone());
            if hub.has_plant(Plant::TreeCut) && self.chance.percent(5) {
                checkpoint.size = 1;
            }
        } else if let Input::Fed { ticket, items } = input {
            running.fed.insert(*ticket, items.clone());
            if hub.has_plant(Plant::FeedTorn) && items.len() > 1 {
                items.remove(0);
            }
            if hub.has_plant(Plant::HoleStepped) {
                let at = running.ledger.look(|view| view.get(&state::exchange()));
                let start = feed_start(running.machine.directory().region(), &self.code);
                *items = following(at.ok(), start, items);
            }
        }
    }

    fn fetch(
        &mut self,
        hub: &mut Hub,
        era: u64,
        ticket: u64,
        holder: Option<Who>,
        request: Digest,
        document: DocumentId,
    ) {
        let Some(running) = &mut self.running else { return };
        let over = |ended| Job::Answer { era, input: Box::new(fetch::ended(ticket, ended)) };
        if self.vault.has(&document) {
            return self.queue(hub, over(Ok(())));
        }
        let Some(holder) = holder.filter(|_| !running.fetches.contains_key(&document)) else {
            return self.queue(hub, over(Err(Broken::Lost)));
        };
        let Some(missing) = self.vault.missing(&document) else {
            return self.queue(hub, over(Err(Broken::NoMap)));
        };
        let survived = self.vault.survived(&document);
        if survived > 0 {
            let lacks: u32 = missing.iter().map(|stretch| stretch.chunks).sum();
            hub.note(self.who, format_args!("goes on after a crash: {survived} chunks here, {lacks} not"));
        }
        let (left, flying) = (missing.into(), BTreeMap::new());
        running.fetches.insert(document, Fetch { era, ticket, holder, request, left, flying });
        self.pull(hub, document);
    }

    /// Asks for as many stretches as may be asked for at once; ends the fetch when none is missing.
    fn pull(&mut self, hub: &mut Hub, document: DocumentId) {
        let Some(running) = &mut self.running else { return };
        let Some(fetch) = running.fetches.get_mut(&document) else { return };
        while fetch.flying.len() < RANGES_AT_ONCE
            && let Some(stretch) = fetch.left.pop_front()
        {
            fetch.flying.insert(stretch.first_chunk, (stretch, 1));
            hub.oracle.tries(hub.now, self.who, std::iter::once(name_of(&document, stretch.first_chunk)));
            let id = hub.pull(self.who, fetch.holder, &fetch.request, stretch);
            running.calls.insert(id, Pending::Range(document, stretch));
        }
        if fetch.flying.is_empty() && !hub.has_plant(Plant::FetchKept) {
            self.vault.finish(&document);
            self.end_fetch(hub, &document, Ok(()));
        }
    }

    fn range_came(&mut self, hub: &mut Hub, document: DocumentId, stretch: Stretch, answer: Option<Came>) {
        let Some(running) = &mut self.running else { return };
        let Some(fetch) = running.fetches.get_mut(&document) else { return };
        let lost = match answer {
            Some(Ok(bytes)) => {
                fetch.flying.remove(&stretch.first_chunk);
                return match self.vault.take(&document, stretch, &bytes) {
                    Ok(()) => self.pull(hub, document),
                    Err(_) => self.end_fetch(hub, &document, Err(Broken::OtherBytes)),
                };
            }
            Some(Err(refusal)) => Lost::refused(&refusal),
            None => Lost::Silent,
        };
        if hub.has_plant(Plant::PulledAtOnce) {
            return self.pull_again(hub, document, stretch.first_chunk);
        }
        let Lost::Refused(refusal) = lost else { return self.end_fetch(hub, &document, Err(Broken::Lost)) };
        let tries = fetch.flying.get(&stretch.first_chunk).map_or(u32::MAX, |(_, tries)| *tries);
        let Some(wait) = fetch::again(&refusal, tries) else {
            return self.end_fetch(hub, &document, Err(Broken::Refused(refusal)));
        };
        let again = Later::RangeAgain(document, stretch.first_chunk);
        hub.after(wait, Event::Later(self.who, self.starts, again));
    }

    /// Asks a holder again that was busy.
    pub(super) fn pull_again(&mut self, hub: &mut Hub, document: DocumentId, first_chunk: u64) {
        let Some(running) = &mut self.running else { return };
        let Some(fetch) = running.fetches.get_mut(&document) else { return };
        if let Some((stretch, tries)) = fetch.flying.get_mut(&first_chunk) {
            *tries += 1;
            hub.oracle.tries(hub.now, self.who, std::iter::once(name_of(&document, first_chunk)));
            let id = hub.pull(self.who, fetch.holder, &fetch.request, *stretch);
            running.calls.insert(id, Pending::Range(document, *stretch));
        }
    }

    fn end_fetch(&mut self, hub: &mut Hub, document: &DocumentId, ended: Result<(), Broken>) {
        let Some(running) = &mut self.running else { return };
        if let Some(fetch) = running.fetches.remove(document) {
            let input: Input = fetch::ended(fetch.ticket, ended);
            self.queue(hub, Job::Answer { era: fetch.era, input: Box::new(input) });
        }
    }

    fn erase(&mut self, hub: &mut Hub, document: &DocumentId) {
        self.vault.remove(document);
        self.end_fetch(hub, document, Err(Broken::Lost));
    }
}

/// A tree as it came; or, if nodes take what comes at whatever tree, the one that they know.
pub(crate) fn trusted(hub: &Hub, who: Who, tree: Checkpoint) -> Checkpoint {
    hub.oracle.tree_of(who).filter(|_| hub.has_plant(Plant::TreeTrusted)).unwrap_or(tree)
}

/// By what a stretch of a document is told from others.
fn name_of(document: &DocumentId, first_chunk: u64) -> [u8; 32] {
    hash::blake3(&[document.as_bytes(), &first_chunk.to_be_bytes()])
}

/// The items as if they followed what is known: each with the number and the chain that it would need.
fn following(at: Option<state::Exchange>, start: Digest, items: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let at = at.filter(|at| at.feed_number > 0);
    let chain = at.as_ref().and_then(|at| at.feed_chain.as_slice().try_into().ok()).and_then(Digest::new);
    let mut chain = chain.unwrap_or(start);
    let mut bent = Vec::new();
    for (number, bytes) in (at.map_or(0, |at| at.feed_number) + 1..).zip(items) {
        let Ok(mut item) = FeedItem::decode(bytes) else { return items.to_vec() };
        (item.number, item.previous) = (number, chain);
        bent.push(item.encode());
        chain = feed_next(&chain, &item.encode());
    }
    bent
}
