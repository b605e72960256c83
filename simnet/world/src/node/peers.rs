//! What other members ask of a node: handed to the machine, decided for every request and every range, and answered.

use yiqiao_node_core::holder::Range;
use yiqiao_node_core::limits::NEWS_WAIT;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_node_core::peer::{self, CallFault, Reply as Answer};
use yiqiao_node_core::refusal;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{Purpose, RefusalCode};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::release::{Asker, PullRequest};
use yiqiao_proto::time::Timestamp;

use super::{Job, Node, NotTaken, Reply, Waiting};
use crate::hub::{Caller, Event, Hub, Later};
use crate::network::{CallId, Carried, Packet};
use crate::oracle::Wrong;
use crate::plant::Plant;

impl Node {
    /// A packet is there.
    pub(crate) fn arrive(&mut self, hub: &mut Hub, packet: Packet) {
        let Some(running) = &self.running else { return hub.nobody(&packet) };
        let is_answer = matches!(packet.body, Carried::Answer(_));
        let is_member = || running.machine.directory().member_at(self.region.peer_id(packet.from)).is_some();
        if !is_answer && !is_member() && self.chance.percent(50) {
            // Its connection is closed, unless the list is newer than that (M-11).
            return hub.nobody(&packet);
        }
        let caller = Hub::caller(&packet);
        let read = match packet.body {
            Carried::Answer(answer) => return self.answered(hub, packet.call, Some(answer)),
            Carried::Call { method, request } => self.read(hub, caller, method, &request),
            Carried::Pull { request } => self.read_range(hub, caller, &request),
        };
        match read {
            Ok(waiting) if matches!(*waiting.input, Input::Step(_)) && hub.has_plant(Plant::StepLost) => {
                self.reply(hub, caller, &waiting.input, Ok(Outcome::Done));
            }
            Ok(waiting) if self.denies_unwritten(hub, &waiting.input) => {
                let denied = refuse(RefusalCode::Nothing, "P-4");
                self.reply(hub, caller, &waiting.input, Ok(Outcome::Refused(denied)));
            }
            Ok(waiting) => self.queue(hub, Job::Hand(waiting)),
            Err(fault) => self.refuse(hub, caller, &fault.refusal()),
        }
    }

    fn read(&self, hub: &mut Hub, caller: Caller, method: u16, request: &[u8]) -> Result<Waiting, CallFault> {
        let asker = self.asker(caller)?;
        let input = peer::read(self.directory(), &asker, method, request)?;
        if let Input::Asked { request, .. } = &input {
            let word = obeyed(hub, request.word());
            hub.oracle.asks(self.who, request.envelope().payload_hash(), &word);
        }
        if matches!(input, Input::Notice { .. }) && self.is_planted(hub, Plant::ClockStands) {
            return Err(CallFault::Method(method));
        }
        Ok(Waiting { input: Box::new(input), to: Reply::Peer(caller) })
    }

    fn read_range(&self, hub: &Hub, caller: Caller, request: &[u8]) -> Result<Waiting, CallFault> {
        let mut range = peer::read_range(&self.asker(caller)?, request)?;
        if hub.has_plant(Plant::AnyAsker)
            && let Some(recipient) = hub.oracle.recipient(self.who, &range.request)
        {
            range.member = recipient;
        }
        Ok(range_of(caller, range, hub.now + NEWS_WAIT))
    }

    fn asker(&self, caller: Caller) -> Result<Code, CallFault> {
        peer::asker(self.directory(), self.region.peer_id(caller.who)).cloned()
    }

    /// Consent may have been given just before: what would be denied waits until the feed is known up to now (P-4).
    pub(super) fn after_news(&mut self, hub: &mut Hub, waiting: Waiting) -> Option<Waiting> {
        let (Input::Asked { request, .. }, Reply::Peer(caller), Some(running)) =
            (waiting.input.as_ref(), &waiting.to, &mut self.running)
        else {
            return Some(waiting);
        };
        let (machine, now, call) = (&running.machine, running.now, caller.call);
        let permits = running.ledger.look(|view| machine.would_permit(request.word(), now, view));
        if permits != Ok(false) || running.news.contains_key(&call) {
            return Some(waiting);
        }
        let after = machine.last_call();
        hub.after(NEWS_WAIT, Event::Later(self.who, self.starts, Later::NewsOver(call)));
        running.news.insert(call, waiting);
        Some(Waiting { input: Box::new(Input::CatchUp { after }), to: Reply::News(call) })
    }

    /// What is not known by now is not waited for any longer.
    pub(super) fn news_came(&mut self, hub: &mut Hub, call: CallId) {
        let Some(running) = &mut self.running else { return };
        if hub.has_plant(Plant::RequestKept) {
            return;
        }
        if let Some(waiting) = running.news.remove(&call) {
            running.again.push(waiting);
            self.call(hub);
        }
    }

    /// Whether a planted fault denies this request without a word in the journal.
    fn denies_unwritten(&mut self, hub: &Hub, input: &Input) -> bool {
        hub.has_plant(Plant::DeniedUnwritten)
            && matches!(input, Input::Asked { .. })
            && self.chance.percent(30)
    }

    /// Answers a member.
    pub(super) fn reply(
        &mut self,
        hub: &mut Hub,
        caller: Caller,
        input: &Input,
        outcome: Result<Outcome, NotTaken>,
    ) {
        if let Ok(Outcome::Released { release, .. }) = &outcome {
            hub.note(self.who, format_args!("lets go {} to {}", caller.call, caller.who));
            hub.oracle.lets_go(hub.now, self.who, release);
        }
        match decided(outcome) {
            Ok(Answer::Done(bytes)) => hub.answer(self.who, caller, Ok(bytes)),
            Ok(Answer::Release(let_go)) => match self.vault.map(&let_go.document) {
                Some(map) => hub.answer(self.who, caller, Ok(let_go.answer(map))),
                None => self.lacks_file(hub, caller),
            },
            Ok(Answer::Serve { .. }) => self.refuse(hub, caller, &refuse(RefusalCode::Failed, "H-1")),
            Err(refusal) => self.denies(hub, caller, input, refusal),
        }
    }

    /// Refuses what a member asked for.
    fn denies(&self, hub: &mut Hub, caller: Caller, input: &Input, mut refusal: Refusal) {
        if let Input::Asked { request, .. } = input {
            let entry = &request.word().entry_id;
            let is_here = || self.ask(|machine, view| machine.document(entry, view)).flatten().is_some();
            if hub.has_plant(Plant::DenialTells) && refusal.clause == "P-4" && is_here() {
                refusal.retry_after = Some(NEWS_WAIT);
            }
            if refusal.clause == "P-4" {
                hub.oracle.answered(self.who, request.envelope().payload_hash(), false);
            }
            let bytes = refusal::write(&refusal).1;
            hub.oracle.refuses(hub.now, self.who, request.word(), (&refusal, &bytes));
        }
        self.refuse(hub, caller, &refusal);
    }

    /// Serves a range, or lets it wait for the word on which it rests (P-8).
    pub(super) fn reply_range(
        &mut self,
        hub: &mut Hub,
        caller: Caller,
        range: Range,
        until: Timestamp,
        outcome: Result<Outcome, NotTaken>,
    ) {
        let Some(running) = &mut self.running else { return };
        match decided(outcome) {
            Ok(Answer::Serve { document, first_chunk, chunks, .. }) => {
                hub.oracle.serves(hub.now, (self.who, caller.who), &range.request);
                match self.vault.sealed(&document, first_chunk, chunks) {
                    Some(bytes) => hub.answer(self.who, caller, Ok(bytes)),
                    None => self.lacks_file(hub, caller),
                }
            }
            Err(refusal)
                if refusal.code == RefusalCode::Busy && refusal.clause == "P-8" && hub.now < until =>
            {
                if running.ranges.insert(caller.call, (caller, range)).is_none() {
                    hub.at(until, Event::Later(self.who, self.starts, Later::RangeOver(caller.call)));
                }
            }
            Err(refusal) => {
                if refusal.code == RefusalCode::Stopped && refusal.clause == "P-6" {
                    hub.oracle.answered(self.who, range.request, false);
                }
                self.refuse(hub, caller, &refusal);
            }
            Ok(Answer::Done(_) | Answer::Release(_)) => {
                self.refuse(hub, caller, &refuse(RefusalCode::Failed, "H-1"));
            }
        }
    }

    /// Something has come that ranges may rest on.
    pub(super) fn hand_ranges(&mut self, hub: &mut Hub) {
        let Some(running) = &mut self.running else { return };
        if !std::mem::take(&mut running.progressed) || hub.has_plant(Plant::RangeKept) {
            return;
        }
        for (caller, range) in std::mem::take(&mut running.ranges).into_values() {
            self.queue(hub, Job::Hand(range_of(caller, range, hub.now + NEWS_WAIT)));
        }
    }

    pub(super) fn range_over(&mut self, hub: &mut Hub, call: CallId) {
        let Some(running) = &mut self.running else { return };
        if hub.has_plant(Plant::RangeKept) {
            return;
        }
        if let Some((caller, range)) = running.ranges.remove(&call) {
            self.queue(hub, Job::Hand(range_of(caller, range, hub.now)));
        }
    }

    /// A file that the journal names must be there.
    fn lacks_file(&self, hub: &mut Hub, caller: Caller) {
        hub.oracle.blames(hub.now, self.who, Wrong::FileLost);
        self.refuse(hub, caller, &refuse(RefusalCode::Failed, "Z-5"));
    }

    fn refuse(&self, hub: &mut Hub, caller: Caller, refusal: &Refusal) {
        hub.note(self.who, format_args!("refuses {} {:?} {}", caller.call, refusal.code, refusal.clause));
        hub.answer(self.who, caller, Err(refusal::write(refusal).1));
    }
}

fn range_of(caller: Caller, range: Range, until: Timestamp) -> Waiting {
    Waiting { input: Box::new(Input::Range(range.clone())), to: Reply::Range(caller, range, until) }
}

/// What is answered.
fn decided(outcome: Result<Outcome, NotTaken>) -> Result<Answer, Refusal> {
    match outcome {
        Ok(outcome) => peer::reply(outcome).unwrap_or_else(|| Err(refuse(RefusalCode::Failed, "H-1"))),
        Err(NotTaken::Busy) => Err(refuse(RefusalCode::Busy, "H-2")),
        Err(NotTaken::Refused(error)) => Err(peer::not_taken(&error)),
    }
}

const fn refuse(code: RefusalCode, clause: &'static str) -> Refusal {
    Refusal { code, clause, retry_after: None }
}

/// What a holder takes a request for: with a planted fault every one is obeyed as of an emergency.
fn obeyed(hub: &Hub, request: &PullRequest) -> PullRequest {
    if !hub.has_plant(Plant::GlassInvented) {
        return request.clone();
    }
    let break_glass = Digest::new([7; 32]);
    let asker = Asker { purpose: Purpose::Emergency, break_glass, ..request.asker.clone() };
    PullRequest { asker, ..request.clone() }
}
