//! What a machine wants done: calls with their answers, and documents pulled range by range. Each effect is answered by
//! exactly one input, a lost call by `Failed`.

use std::collections::{BTreeMap, VecDeque};

use yiqiao_node_core::call::{self, Begun, Lost, Outgoing, To};
use yiqiao_node_core::fetch::{self, Broken, Stretch};
use yiqiao_node_core::machine::{Effect, Input};
use yiqiao_proto::calls::Method;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::envelope::{Envelope, Kind};
use yiqiao_proto::id::{Code, Digest, DocumentId};

use super::{Job, Node, Running};
use crate::hub::{Event, Hub, Later};
use crate::limits::{BUSY_WAIT_MAX, BUSY_WAIT_MIN, BUSY_WAITS_MAX, RANGES_AT_ONCE};
use crate::load::{ActId, Told};
use crate::network::{CallId, Who};
use crate::plant::Plant;

/// What came of a call: an answer, or the bytes of a refusal.
pub(crate) type Came = Result<Vec<u8>, Vec<u8>>;

/// What is waited for.
pub(super) enum Pending {
    /// The answer to an effect; words that were handed in, by the hashes of their payloads.
    Effect {
        era: u64,
        call: Box<Outgoing>,
        words: Vec<Digest>,
    },
    /// A stretch of a document.
    Range(DocumentId, Stretch),
    /// Member lists: those that are asked for in time, and those that the feed has named.
    Lists,
    NamedLists,
    /// What somebody at a screen asked the registry.
    Question(ActId),
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
                    hub.oracle.blames(
                        hub.now,
                        self.who,
                        "a word is handed in while a call for it is under way",
                    );
                }
                words.iter().map(|(word, _)| word.payload_hash()).collect()
            }
            Effect::Evaluate { .. }
            | Effect::OwnWords { .. }
            | Effect::TellAct { .. }
            | Effect::AskRelease { .. }
            | Effect::TellStep { .. }
            | Effect::ReadFeed { .. }
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

    fn send(&mut self, hub: &mut Hub, era: u64, mut call: Outgoing, words: Vec<Digest>) {
        let to = match &call.to {
            To::Registry => Some(Who::REGISTRY),
            To::Member(code) => self.way_to(code),
        };
        let mut request = std::mem::take(&mut call.request);
        if hub.has_plant(Plant::NameTold) && call.method == Method::Submit {
            request.extend(hub.oracle.a_name());
        }
        let Some(to) = to else {
            self.believe(hub, era, call, None);
            return;
        };
        let id = hub.call(self.who, to, call.method, request);
        if let Some(running) = &mut self.running {
            running.calls.insert(id, Pending::Effect { era, call: Box::new(call), words });
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
            Pending::Effect { era, call, words } => {
                let submits = call.method == Method::Submit;
                let believed = self.believe(hub, era, *call, answer.as_ref());
                if let Some(Ok(bytes)) = answer
                    && submits
                    && believed
                {
                    hub.oracle.receipts(hub.now, self.who, &words, &bytes);
                }
            }
        }
    }

    /// Hands in what an answer says. Whether it is believed.
    fn believe(&mut self, hub: &mut Hub, era: u64, call: Outgoing, answer: Option<&Came>) -> bool {
        let Some(running) = &self.running else { return false };
        let bytes = match answer {
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
            self.queue(hub, Job::Answer { era, input: Box::new(input) });
        }
        believed
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
            let id = hub.pull(self.who, fetch.holder, stretch.request(&fetch.request));
            running.calls.insert(id, Pending::Range(document, stretch));
        }
        if fetch.flying.is_empty() {
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
        let Lost::Refused(refusal) = lost else { return self.end_fetch(hub, &document, Err(Broken::Lost)) };
        let tries = fetch.flying.get(&stretch.first_chunk).map_or(BUSY_WAITS_MAX, |(_, tries)| *tries);
        if refusal.code != RefusalCode::Busy || tries >= BUSY_WAITS_MAX {
            return self.end_fetch(hub, &document, Err(Broken::Refused(refusal)));
        }
        let wait = refusal.retry_after.unwrap_or(BUSY_WAIT_MIN).clamp(BUSY_WAIT_MIN, BUSY_WAIT_MAX);
        let again = Later::RangeAgain(document, stretch.first_chunk);
        hub.after(wait, Event::Later(self.who, self.starts, again));
    }

    /// Asks a holder again that was busy.
    pub(super) fn pull_again(&mut self, hub: &mut Hub, document: DocumentId, first_chunk: u64) {
        let Some(running) = &mut self.running else { return };
        let Some(fetch) = running.fetches.get_mut(&document) else { return };
        if let Some((stretch, tries)) = fetch.flying.get_mut(&first_chunk) {
            *tries += 1;
            let id = hub.pull(self.who, fetch.holder, stretch.request(&fetch.request));
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
