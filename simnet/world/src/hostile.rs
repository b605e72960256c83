//! Somebody hostile: a hospital, or the registry, of whose computer an attacker sends the packets. Its keys are the attacker's too.
//! What it sends is changed, cut, drawn out, sent in place of another or held back; and as a member it makes calls of its own
//! ([`Tried`]): words that are not its to say, that contradict each other or tell of what never happened, to the registry and to other
//! members.
//!
//! The process on that computer stays honest, so that it can be one of the region again once all heals. Whoever has the
//! registry's keys may sign with them, too: [`pen`], and [`crate::twin`].

mod attempt;
mod consent;
mod pen;
mod probe;
mod steps;
mod told;

use std::collections::VecDeque;

use prost::Message;
use yiqiao_proto::calls::{
    Call, Method, ProofAnswer, RangeRequest, ReleaseRequest, StepRequest, SubmitRequest,
};
use yiqiao_proto::codes::{DocumentClass, PersonRole, Purpose, ReferralAct, Stance};
use yiqiao_proto::directive::Directive;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entry::{Entry, IdentityStatement};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::{Code, Digest, KeyId, Nonce, PractitionerId};
use yiqiao_proto::referral::{ReferralStep, StepFacts};
use yiqiao_proto::release::{Asker, PullRequest};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::calls::Submitted;
use yiqiao_registry_core::state::Kept;
use yiqiao_simnet::chance::Chance;
use yiqiao_simnet::passkey::Passkey;

use crate::limits::{HEARD_MAX, HELD_SECONDS_MAX, LONG_BYTES};
use crate::network::{Carried, Packet, Who};
use crate::randomness::{Part, stream};
use crate::region::{For, InUse, ORIGIN, RP_ID, Region, code};
use crate::setup::{Attack, Setup};
pub(crate) use attempt::{Attempt, Tried};
use pen::Pen;

/// The attacker.
pub(crate) struct Hostile {
    pub(crate) who: Option<Who>,
    /// What is done, if it is the registry's computer; and which hospital is lied to.
    pub(crate) attack: Option<Attack>,
    pub(crate) victim: Who,
    pen: Pen,
    region: Region,
    chance: Chance,
    /// What went out from its computer and came to it.
    heard: VecDeque<Carried>,
    nonces: Vec<Nonce>,
    /// A passkey that it has stated last, and for whom.
    enrolled: Option<(Passkey, Token)>,
    /// The directive that its desk has said last.
    said: Option<Directive>,
    /// Steps that went out or came, the newest last, each with the hash of its payload.
    stepped: VecDeque<(StepFacts, Digest)>,
    /// Checkpoints that the registry has shown, the newest last.
    shown: VecDeque<Vec<u8>>,
}

/// What becomes of a packet at the attacker's computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    /// It goes as it is.
    Nothing,
    /// It goes otherwise than it was.
    Otherwise(&'static str),
    /// It goes after so long.
    Held(Millis),
}

/// What the attacker knows when it makes a call.
pub(crate) struct Known<'a> {
    pub(crate) now: Timestamp,
    pub(crate) keys: InUse,
    /// Its own sealing key, as the list has it.
    pub(crate) sealing: Option<KeyId>,
    pub(crate) log: &'a [(Timestamp, Kept)],
    /// The newest member list.
    pub(crate) members: &'a Directory,
    /// The version of a patient's head.
    pub(crate) version: &'a dyn Fn(&Token) -> u64,
    /// A release that somebody was given: by whom, under which request.
    pub(crate) release: Option<(Who, Digest)>,
}

impl Hostile {
    pub(crate) fn new(setup: &Setup, region: Region, (who, attack): (Option<Who>, Option<Attack>)) -> Self {
        let chance = stream(setup.seed, Part::Hostile, 1);
        let mut drawn = stream(setup.seed, Part::Hostile, 2);
        let victim = 1 + drawn.below(setup.hospitals.max(1) as u64);
        let victim = Who(u16::try_from(victim).unwrap_or(1));
        let pen = Pen::new(region.clone(), drawn, region.code_of(victim).clone());
        Self {
            who,
            attack,
            victim,
            pen,
            region,
            chance,
            heard: VecDeque::new(),
            nonces: Vec::new(),
            enrolled: None,
            said: None,
            stepped: VecDeque::new(),
            shown: VecDeque::new(),
        }
    }

    pub(crate) fn is(&self, who: Who) -> bool {
        self.who == Some(who)
    }

    /// When it makes its next call.
    pub(crate) fn next_call(&mut self) -> Option<Millis> {
        self.who?;
        if self.who == Some(Who::REGISTRY) {
            let goes_on = matches!(self.attack, Some(Attack::Fork | Attack::Stale | Attack::Rewind));
            return goes_on.then(|| Millis::from_secs(10 + self.chance.below(240)));
        }
        Some(Millis::new(200 + self.chance.below(8_000)))
    }

    /// A packet goes out from its computer, or comes to it.
    pub(crate) fn twists(&mut self, packet: &mut Packet) -> Twist {
        let Some(who) = self.who.filter(|who| *who == packet.from || *who == packet.to) else {
            return Twist::Nothing;
        };
        if let Some(attack) = self.attack.filter(|attack| *attack != Attack::Packets) {
            return self.pen.signs(attack, packet).map_or(Twist::Nothing, Twist::Otherwise);
        }
        remember(&mut self.heard, packet.body.clone());
        self.reads(packet);
        if who != packet.from || !self.chance.percent(8) {
            return Twist::Nothing;
        }
        let how = match self.chance.below(8) {
            0 => return Twist::Held(self.holds_for()),
            1 | 2 => {
                let at = usize::try_from(self.chance.below(self.heard.len() as u64)).unwrap_or(0);
                let other = self.heard.iter().cycle().skip(at).take(self.heard.len());
                let same = |other: &&Carried| other.is_like(&packet.body);
                if let Some(other) = other.filter(same).nth(0).cloned() {
                    packet.body = other;
                }
                "another"
            }
            3 => {
                packet.body = Carried::Answer(Ok(Vec::new())).or_call(&packet.body);
                "empty"
            }
            4 => {
                packet.body.bytes().resize(LONG_BYTES, 7);
                "drawn out"
            }
            5 => {
                let bytes = packet.body.bytes();
                let len = usize::try_from(self.chance.below(bytes.len() as u64 + 1)).unwrap_or(0);
                bytes.truncate(len);
                "cut"
            }
            _ => {
                let bytes = packet.body.bytes();
                let at = usize::try_from(self.chance.below(bytes.len().max(1) as u64)).unwrap_or(0);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.chance.below(8);
                }
                "changed"
            }
        };
        Twist::Otherwise(how)
    }

    /// What of a packet is of use for words of its own.
    fn reads(&mut self, packet: &Packet) {
        match &packet.body {
            Carried::Call { method, request } if *method == Method::Step as u16 => {
                let step = StepRequest::from_bytes(request).ok();
                let envelope = step.and_then(|step| Envelope::decode(&step.envelope).ok());
                let read = |envelope: Envelope| {
                    let step = ReferralStep::decode(envelope.payload()).ok()?;
                    Some((step.facts, envelope.payload_hash()))
                };
                if let Some(step) = envelope.and_then(read).filter(|(facts, _)| self.follows(facts)) {
                    remember(&mut self.stepped, step);
                }
            }
            Carried::Answer(Ok(bytes)) if packet.method == Method::Proof as u16 => {
                let proof = ProofAnswer::from_bytes(bytes).ok();
                proof.into_iter().for_each(|proof| remember(&mut self.shown, proof.checkpoint));
            }
            Carried::Call { .. } | Carried::Pull { .. } | Carried::Answer(_) => {}
        }
    }

    /// Whether a step is the next one of its side, of a referral that was sent.
    fn follows(&self, step: &StepFacts) -> bool {
        let of_it = || self.stepped.iter().map(|(facts, _)| facts).filter(|it| it.referral == step.referral);
        let last = of_it().filter(|facts| facts.from == step.from).map(|facts| facts.number).max();
        let is_sent = step.act == ReferralAct::Send || of_it().any(|facts| facts.act == ReferralAct::Send);
        is_sent && step.number == last.unwrap_or(0) + 1
    }

    /// For how long a packet is held back: mostly so long that who waits for it still does, or for minutes.
    fn holds_for(&mut self) -> Millis {
        let most = *self.chance.pick(&[5, 25, 120, HELD_SECONDS_MAX]);
        Millis::from_secs(1 + self.chance.below(most))
    }

    /// A call of its own, if there is something to make it of.
    pub(crate) fn calls(&mut self, known: &Known<'_>) -> Option<Attempt> {
        let what = *self.chance.pick(&Tried::ALL);
        let (to, body) = match what {
            Tried::Heard => self.says_again(),
            Tried::Request => self.asks(known),
            Tried::Range => {
                let (holder, request) = known.release?;
                let request =
                    RangeRequest { request: request.as_bytes().to_vec(), first_chunk: 0, chunks: 1 };
                Some((holder, Carried::Pull { request: request.encode_to_vec() }))
            }
            Tried::Entry => self.submits(known),
            Tried::Passkey => self.enrols(known),
            Tried::Consent(said) => self.consents(known, said),
            Tried::Told(told) => self.tells(known, told),
            Tried::Step(step) => self.steps(known, step),
            Tried::Probe(probe) => self.probes(known, probe),
        }?;
        Some(Attempt { what, to, body })
    }

    /// What was heard, to anybody.
    fn says_again(&mut self) -> Option<(Who, Carried)> {
        let heard: Vec<Carried> = self.heard.iter().filter(|body| body.is_call()).cloned().collect();
        if heard.is_empty() {
            return None;
        }
        let members: Vec<Who> = self.region.all().map(|(who, _)| who).collect();
        Some((*self.chance.pick(&members), self.chance.pick(&heard).clone()))
    }

    /// Asks for a document that it saw in the log.
    fn asks(&mut self, known: &Known<'_>) -> Option<(Who, Carried)> {
        let entry = self.entry(known)?;
        let chance = &mut self.chance;
        let own = self.region.code_of(self.who?).clone();
        let organisation = if chance.percent(80) { own } else { entry.publisher.clone() };
        let emergency = chance.percent(30);
        let mut digest =
            || Digest::new(std::array::from_fn(|_| 1 + u8::try_from(chance.below(200)).unwrap_or(0)));
        let (nonce, glass, person) = (digest()?, digest()?, digest()?);
        let nonce = Nonce::new(*nonce.as_bytes())?;
        let again = !self.nonces.is_empty() && self.chance.percent(20);
        let nonce = if again { *self.chance.pick(&self.nonces) } else { nonce };
        self.nonces.push(nonce);
        let expires = [-1_000, 60_000, 600_000, 86_400_000];
        let expires = known.now.unix_ms() + self.chance.pick(&expires);
        let request = PullRequest {
            holder: entry.publisher.clone(),
            asker: Asker {
                organisation,
                department: None,
                practitioner: PractitionerId::new(*person.as_bytes())?,
                role: PersonRole::Physician,
                purpose: if emergency { Purpose::Emergency } else { Purpose::Treatment },
                referral: None,
                treating: true,
                break_glass: emergency.then_some(glass),
            },
            entry_id: entry.entry_id,
            document: entry.document,
            sealing_key: known.sealing?,
            nonce,
            expires_at: Timestamp::from_unix_ms(expires)?,
        };
        let envelope = self.sign(known, &request).as_bytes().to_vec();
        let call = ReleaseRequest { envelope, emergency: Vec::new() }.encode_to_vec();
        let holder = self.region.who(&entry.publisher)?;
        Some((holder, Carried::Call { method: Method::Release as u16, request: call }))
    }

    /// Hands in a word of another, or one that contradicts what stands.
    fn submits(&mut self, known: &Known<'_>) -> Option<(Who, Carried)> {
        let at = usize::try_from(self.chance.below(known.log.len() as u64)).ok()?;
        let (_, kept) = known.log.get(at)?;
        let opening = kept.opening.as_ref()?;
        let mut envelope = opening.envelope.clone();
        if let Ok(mut entry) = Entry::decode(Envelope::decode(&envelope).ok()?.payload())
            && self.chance.percent(70)
        {
            entry.class = if entry.class == DocumentClass::Imaging {
                DocumentClass::Laboratory
            } else {
                DocumentClass::Imaging
            };
            envelope = self.sign(known, &entry).as_bytes().to_vec();
        }
        Some(hand_in(vec![Submitted { envelope, link: kept.link.clone() }]))
    }

    /// States a passkey of its own for a patient of the log; the next time it permits itself with that what the patient has (C-9, C-14).
    fn enrols(&mut self, known: &Known<'_>) -> Option<(Who, Carried)> {
        let own = self.own()?;
        let envelope = if let Some((passkey, patient)) = self.enrolled.take() {
            let permit = self.directive(known, patient, Stance::Permit)?;
            let permit = Directive { custodian: None, head_version: 0, ..permit };
            self.sign(known, &passkey.act(&code(), permit))
        } else {
            let tokens = self.tokens(known)?;
            let passkey = Passkey::new(self.bytes(), RP_ID, ORIGIN);
            let statement = passkey.credential(&own, &tokens);
            self.enrolled = Some((passkey, *tokens.first()?));
            self.sign(known, &statement)
        };
        Some(hand_in_one(&envelope))
    }

    /// What somebody of the log is called there.
    fn tokens(&mut self, known: &Known<'_>) -> Option<Vec<Token>> {
        let statement = self.some(known, |word: &IdentityStatement, _| !word.tokens.is_empty())?;
        Some(statement.tokens)
    }

    /// Some entry of the log.
    fn entry(&mut self, known: &Known<'_>) -> Option<Entry> {
        self.some(known, |_, _| true)
    }

    /// Some word of the log that, with the code of who signed it, fits: from a drawn place on.
    fn some<W: Word>(&mut self, known: &Known<'_>, fits: impl Fn(&W, &str) -> bool) -> Option<W> {
        let from = usize::try_from(self.chance.below(known.log.len() as u64)).ok()?;
        known.log.iter().skip(from).chain(known.log.iter().take(from)).find_map(|(_, kept)| {
            let envelope = Envelope::decode(&kept.opening.as_ref()?.envelope).ok()?;
            let word = W::decode(envelope.payload()).ok().filter(|_| envelope.kind() == W::KIND)?;
            fits(&word, &kept.signer).then_some(word)
        })
    }

    /// Its member's code.
    fn own(&self) -> Option<Code> {
        Some(self.region.code_of(self.who?).clone())
    }

    /// Some other hospital than those.
    fn another(&mut self, than: &[&Code]) -> Option<(Who, Code)> {
        let others = self.region.all().filter(|(who, code)| *who != Who::REGISTRY && !than.contains(code));
        let others: Vec<(Who, Code)> = others.map(|(who, code)| (who, code.clone())).collect();
        (!others.is_empty()).then(|| self.chance.pick(&others).clone())
    }

    fn bytes(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| 1 + u8::try_from(self.chance.below(200)).unwrap_or(0))
    }

    fn digest(&mut self) -> Option<Digest> {
        Digest::new(self.bytes())
    }

    fn sign(&self, known: &Known<'_>, word: &impl Word) -> Envelope {
        let who = self.who.unwrap_or(Who::REGISTRY);
        Envelope::sign(&code(), word, &self.region.nth_key(who, For::Words, known.keys.words))
    }
}

/// One more of what an attacker remembers, of which the oldest goes.
fn remember<T>(known: &mut VecDeque<T>, new: T) {
    known.push_back(new);
    if known.len() > HEARD_MAX {
        known.pop_front();
    }
}

/// A word for the registry.
fn hand_in_one(envelope: &Envelope) -> (Who, Carried) {
    hand_in(vec![Submitted { envelope: envelope.as_bytes().to_vec(), link: None }])
}

fn hand_in(words: Vec<Submitted>) -> (Who, Carried) {
    (Who::REGISTRY, Carried::of(Method::Submit, &SubmitRequest { words }))
}

impl Carried {
    fn of(method: Method, request: &impl Message) -> Self {
        Self::Call { method: method as u16, request: request.encode_to_vec() }
    }

    /// The bytes that travel.
    const fn bytes(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Call { request, .. } | Self::Pull { request } => request,
            Self::Answer(Ok(bytes) | Err(bytes)) => bytes,
        }
    }

    const fn is_call(&self) -> bool {
        matches!(self, Self::Call { .. } | Self::Pull { .. })
    }

    /// Whether one could stand in the place of the other.
    const fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Call { method: one, .. }, Self::Call { method: other, .. }) => *one == *other,
            (Self::Pull { .. }, Self::Pull { .. }) | (Self::Answer(_), Self::Answer(_)) => true,
            (Self::Call { .. } | Self::Pull { .. } | Self::Answer(_), _) => false,
        }
    }

    /// An empty answer in place of an answer; a call stays a call, without bytes.
    fn or_call(self, body: &Self) -> Self {
        match body {
            Self::Call { method, .. } => Self::Call { method: *method, request: Vec::new() },
            Self::Pull { .. } => Self::Pull { request: Vec::new() },
            Self::Answer(_) => self,
        }
    }
}
