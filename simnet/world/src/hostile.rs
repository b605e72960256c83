//! Somebody hostile: a hospital, or the registry, of whose computer an attacker sends the packets. Its keys are the attacker's too.
//! What it sends is changed, cut, drawn out, sent in place of another or held back; and as a member it makes calls of its own:
//! words of others and contradicting ones, passkeys of its own for patients of others, requests for documents that it saw in the
//! log, ranges of releases to others.
//!
//! The process on that computer stays honest, so that it can be one of the region again once all heals. Whoever has the
//! registry's keys may sign with them, too: [`pen`], and [`crate::twin`].

mod pen;

use std::collections::{BTreeSet, VecDeque};

use prost::Message;
use yiqiao_proto::calls::{Method, RangeRequest, ReleaseRequest, SubmitRequest};
use yiqiao_proto::codes::{DocumentClass, LegalBasis, PersonRole, Purpose, Stance};
use yiqiao_proto::directive::{Directive, Grantee, Notice, What};
use yiqiao_proto::entry::{Entry, IdentityStatement};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::{Code, Digest, DirectiveId, KeyId, Nonce, PractitionerId};
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
        self.heard.push_back(packet.body.clone());
        if self.heard.len() > HEARD_MAX {
            self.heard.pop_front();
        }
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

    /// For how long a packet is held back: mostly so long that who waits for it still does, or for minutes.
    fn holds_for(&mut self) -> Millis {
        let most = *self.chance.pick(&[5, 25, 120, HELD_SECONDS_MAX]);
        Millis::from_secs(1 + self.chance.below(most))
    }

    /// A call of its own: to whom, and what.
    pub(crate) fn calls(&mut self, known: &Known<'_>) -> Option<(Who, Carried)> {
        match self.chance.below(5) {
            4 => self.enrols(known),
            0 => {
                // What was heard, to anybody.
                let heard: Vec<Carried> = self.heard.iter().filter(|body| body.is_call()).cloned().collect();
                if heard.is_empty() {
                    return None;
                }
                let members: Vec<Who> = self.region.all().map(|(who, _)| who).collect();
                Some((*self.chance.pick(&members), self.chance.pick(&heard).clone()))
            }
            1 => self.asks(known),
            2 => {
                let (holder, request) = known.release?;
                let request =
                    RangeRequest { request: request.as_bytes().to_vec(), first_chunk: 0, chunks: 1 };
                Some((holder, Carried::Pull { request: request.encode_to_vec() }))
            }
            _ => self.submits(known),
        }
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
        let words = vec![Submitted { envelope, link: kept.link.clone() }];
        let request = SubmitRequest { words }.encode_to_vec();
        Some((Who::REGISTRY, Carried::Call { method: Method::Submit as u16, request }))
    }

    /// States a passkey of its own for a patient of the log; the next time it permits itself with that what the patient has (C-9, C-14).
    fn enrols(&mut self, known: &Known<'_>) -> Option<(Who, Carried)> {
        let own = self.region.code_of(self.who?).clone();
        let envelope = if let Some((passkey, patient)) = self.enrolled.take() {
            let permit = self.permit(known, &own, patient)?;
            self.sign(known, &passkey.act(&code(), permit))
        } else {
            let tokens = self.tokens(known)?;
            let passkey = Passkey::new(self.bytes(), RP_ID, ORIGIN);
            let statement = passkey.credential(&own, &tokens);
            self.enrolled = Some((passkey, *tokens.first()?));
            self.sign(known, &statement)
        };
        let words = vec![Submitted { envelope: envelope.as_bytes().to_vec(), link: None }];
        let request = SubmitRequest { words }.encode_to_vec();
        Some((Who::REGISTRY, Carried::Call { method: Method::Submit as u16, request }))
    }

    fn permit(&mut self, known: &Known<'_>, own: &Code, patient: Token) -> Option<Directive> {
        Some(Directive {
            id: DirectiveId::new(self.bytes())?,
            patient,
            stance: Stance::Permit,
            grantee: Grantee { organisation: Some(own.clone()), ..Grantee::default() },
            custodian: None,
            what: What::default(),
            purposes: BTreeSet::from([Purpose::Treatment]),
            valid_from: known.now - Millis::from_secs(3_600),
            valid_until: None,
            notice: Notice { version: "2026-1".to_owned(), hash: Digest::new([4; 32])? },
            existence_visible: false,
            basis: LegalBasis::SeparateConsent,
            head_version: 0,
        })
    }

    /// What somebody of the log is called there.
    fn tokens(&mut self, known: &Known<'_>) -> Option<Vec<Token>> {
        let from = usize::try_from(self.chance.below(known.log.len() as u64)).ok()?;
        known.log.iter().skip(from).find_map(|(_, kept)| {
            let envelope = Envelope::decode(&kept.opening.as_ref()?.envelope).ok()?;
            let statement = IdentityStatement::decode(envelope.payload()).ok()?;
            (!statement.tokens.is_empty()).then_some(statement.tokens)
        })
    }

    fn bytes(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| 1 + u8::try_from(self.chance.below(200)).unwrap_or(0))
    }

    /// Some entry of the log.
    fn entry(&mut self, known: &Known<'_>) -> Option<Entry> {
        let from = usize::try_from(self.chance.below(known.log.len() as u64)).ok()?;
        known.log.iter().skip(from).find_map(|(_, kept)| {
            let envelope = Envelope::decode(&kept.opening.as_ref()?.envelope).ok()?;
            Entry::decode(envelope.payload()).ok()
        })
    }

    fn sign(&self, known: &Known<'_>, word: &impl Word) -> Envelope {
        let who = self.who.unwrap_or(Who::REGISTRY);
        Envelope::sign(&code(), word, &self.region.nth_key(who, For::Words, known.keys.words))
    }
}

impl Carried {
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
