//! Another member of the region, played by the test: it asks the registry, asks nodes for documents, refers patients to them,
//! and answers what they ask.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;
use tokio::sync::watch;
use yiqiao_host::clock::Clock;
use yiqiao_host::joining::{Applicant, JoinRequest};
use yiqiao_host::keys;
use yiqiao_host::link::{
    CallError, Limits, Link, LinkConfig, PeerId, PullAnswer, PullError, Refusal, Roster, Service, peer_id_of,
};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::{
    Call, EvaluateAnswer, EvaluateRequest, HistoryAnswer, HistoryRequest, MembersAnswer, MembersRequest,
    Method, RangeRequest, ReleaseAnswer, ReleaseRequest, SearchReply, SearchRequest, SubmitAnswer,
    SubmitRequest,
};
use yiqiao_proto::codes::{
    LegalBasis, MemberRole, PatientQuestion, PersonRole, Purpose, RefusalCode, RevocationReason, Stance,
};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, PatientQuery, Revocation, What};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word};
use yiqiao_proto::id::{Code, Digest, DirectiveId, Nonce, PractitionerId};
use yiqiao_proto::log::Opening;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::proof::{AttestedLogin, DeskWitness, Proof};
use yiqiao_proto::release::{Asker, PullRequest, Release, SealingSecret};
use yiqiao_proto::sealed::{DocumentKey, Map};
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::{Blinding, Evaluation, Token};
use yiqiao_proto::wire::calls::{Refused, Submitted};
use zeroize::Zeroizing;

use crate::rig::{Region, free_port, until};

/// How long any call may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long requests for documents live.
const LIFE: Millis = Millis::from_secs(600);

/// The member, and its link.
pub(crate) struct Member {
    pub(crate) code: Code,
    pub(crate) sealing: SealingSecret,
    pub(crate) directory: Directory,
    key: SecretKey,
    link: Link,
    roster: watch::Sender<Arc<Roster>>,
    answers: Answers,
}

/// What it answers to those who ask it for a document; nothing until a test says.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<Option<Box<Answering>>>>);

/// Release or range: method and request to an answer.
type Answering = dyn Fn(u16, Bytes) -> Bytes + Send;

/// The method under which ranges are answered.
pub(crate) const RANGE: u16 = 0;

/// How a member was refused.
pub(crate) type Denied = (RefusalCode, String);

/// A document that was let go, with its key.
pub(crate) struct Released {
    pub(crate) request: Digest,
    pub(crate) release: Verified<Release>,
    pub(crate) map: Map,
    pub(crate) key: DocumentKey,
}

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn now() -> Timestamp {
    Clock::system().now()
}

fn region() -> Code {
    code("demo")
}

fn directive_id(number: u8) -> DirectiveId {
    DirectiveId::new([number; 32]).unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::new([byte; 32]).unwrap()
}

impl Member {
    /// A member that is admitted and knows everybody of now.
    pub(crate) async fn admitted(at: &Region, name: &str) -> Self {
        let [transport, words, seal] = [(); 3].map(|()| Zeroizing::new(keys::random::<32>()));
        let key = SecretKey::new(Suite::International, &words);
        let sealing = SealingSecret::new(&seal);
        let listen = format!("/ip4/127.0.0.1/tcp/{}", free_port());
        let request = JoinRequest::of(&Applicant {
            region: &region(),
            code: &code(name),
            name: "桥州大学附属医院",
            contact: "0571-00000001",
            roles: &[MemberRole::Custodian],
            addresses: std::slice::from_ref(&listen),
            peer_id: peer_id_of(&transport).unwrap(),
            words: &key,
            registry_keys: None,
            sealing: Some(sealing.public()),
        });
        let file = at.folder().join(format!("{name}.toml"));
        std::fs::write(&file, toml::to_string(&request).unwrap()).unwrap();
        at.admit(&file);
        let region_file = yiqiao_host::joining::RegionFile::read(&at.folder().join("region.json")).unwrap();
        let directory = region_file.directory().unwrap();
        let (roster, rosters) = watch::channel(Arc::new(roster_of(&directory, &at.address())));
        let (limits, clock) = (Limits::default(), Clock::system());
        let config = LinkConfig { secret: transport, listen: vec![listen.parse().unwrap()], limits, clock };
        let answers = Answers::default();
        let (link, _task) = Link::start(config, rosters, Arc::new(answers.clone())).await.unwrap();
        let mut member = Self { code: code(name), sealing, directory, key, link, roster, answers };
        member.follow_lists(at).await;
        member
    }

    /// Goes away.
    pub(crate) async fn leave(self) {
        self.link.shutdown().await;
    }

    /// Takes the newest member list.
    pub(crate) async fn follow_lists(&mut self, at: &Region) {
        self.directory = self.knows_lists(at).await;
    }

    /// Answers and dials by the newest member list, which it returns.
    pub(crate) async fn knows_lists(&self, at: &Region) -> Directory {
        let mut directory = self.directory.clone();
        let request = MembersRequest { after_version: directory.list().version };
        let answer: MembersAnswer = self.ask_registry(Method::Members, &request).await.unwrap();
        for bytes in answer.envelopes {
            directory = directory.next(&Envelope::decode(&bytes).unwrap()).unwrap();
        }
        self.roster.send_replace(Arc::new(roster_of(&directory, &at.address())));
        directory
    }

    pub(crate) fn sign<W: Word>(&self, word: &W) -> Envelope {
        Envelope::sign(&region(), word, &self.key)
    }

    /// Answers those who ask for documents from now on.
    pub(crate) fn answer(&self, answering: impl Fn(u16, Bytes) -> Bytes + Send + 'static) {
        *self.answers.0.lock().unwrap() = Some(Box::new(answering));
    }

    // ---- Calls ----

    pub(crate) async fn ask<A: Call>(
        &self,
        whom: &Code,
        method: Method,
        request: &impl Message,
    ) -> Result<A, Denied> {
        let request = Bytes::from(request.encode_to_vec());
        let mut silent = None;
        for peer in self.peers(whom) {
            match self.link.call(peer, method as u16, request.clone(), DEADLINE).await {
                Ok(bytes) => return Ok(A::from_bytes(&bytes).unwrap()),
                Err(CallError::Refused(refusal)) => return Err(denied(CallError::Refused(refusal))),
                Err(error) => silent = Some(denied(error)),
            }
        }
        Err(silent.unwrap())
    }

    /// Asks the registry until it answers: it may not have the list with this member yet.
    async fn ask_registry<A: Call>(&self, method: Method, request: &impl Message) -> Result<A, Denied> {
        let is_registry =
            |member: &&yiqiao_proto::member::Member| member.roles.contains(&MemberRole::Registry);
        let registry = self.directory.list().members.iter().find(is_registry).unwrap().code.clone();
        let asked = async || unless_busy(self.ask(&registry, method, request).await);
        until("an answer of the registry", asked).await
    }

    /// Its identities on the link, the last one first (M-13).
    fn peers(&self, member: &Code) -> Vec<PeerId> {
        let identities = self.directory.member(member).unwrap().transports.iter().rev();
        identities.map(|transport| PeerId::from_bytes(&transport.peer_id).unwrap()).collect()
    }

    /// The token of somebody, in the region's first epoch.
    pub(crate) async fn token(&self, identifier: &Identifier) -> Token {
        let identifiers = std::slice::from_ref(identifier);
        let blinding = Blinding::new(&region(), identifiers, &mut Entropy::new(keys::random())).unwrap();
        let request = EvaluateRequest { epoch: 1, blinded: blinding.blinded().to_vec() };
        let answer: EvaluateAnswer = self.ask_registry(Method::Evaluate, &request).await.unwrap();
        let evaluation = Evaluation { elements: answer.evaluated, proof: answer.proof };
        let key = self.directory.list().token_keys.first().unwrap();
        blinding.finish(key, &evaluation).unwrap()[0]
    }

    /// Hands in a word that must be taken.
    pub(crate) async fn say<W: Word>(&self, word: &W) {
        let envelope = self.sign(word).as_bytes().to_vec();
        let request = SubmitRequest { words: vec![Submitted { envelope, link: None }] };
        let answer: SubmitAnswer = self.ask_registry(Method::Submit, &request).await.unwrap();
        assert_eq!(answer.receipts.len(), 1);
    }

    /// Somebody at this member's desk permits a member to see everything, for treatment.
    pub(crate) async fn permit(&self, patient: Token, whom: &str, number: u8, head_version: u64) {
        self.permit_as(directive_id(number), patient, whom, head_version).await;
    }

    /// The same under an id that no other patient's permit has (C-10).
    pub(crate) async fn permit_as(&self, id: DirectiveId, patient: Token, whom: &str, head_version: u64) {
        let directive = Directive {
            id,
            patient,
            stance: Stance::Permit,
            grantee: Grantee { organisation: Some(code(whom)), ..Grantee::default() },
            custodian: None,
            what: What::default(),
            purposes: BTreeSet::from([Purpose::Treatment]),
            valid_from: now(),
            valid_until: None,
            notice: Notice { version: "2026-05".to_owned(), hash: digest(0x91) },
            existence_visible: false,
            basis: LegalBasis::SeparateConsent,
            head_version,
        };
        self.say(&Act::new(directive, self.desk())).await;
    }

    /// And takes it back.
    pub(crate) async fn revoke(&self, patient: Token, number: u8, head_version: u64) {
        self.say(&self.revocation(directive_id(number), patient, head_version)).await;
    }

    pub(crate) fn revocation(
        &self,
        directive: DirectiveId,
        patient: Token,
        head_version: u64,
    ) -> Act<Revocation> {
        let reason = RevocationReason::PatientWish;
        Act::new(Revocation { directive, patient, reason, head_version, at: now() }, self.desk())
    }

    fn desk(&self) -> Proof {
        let (organisation, at) = (self.code.clone(), now());
        let (staff_hash, evidence_hash) = (digest(0x92), digest(0x93));
        Proof::DeskWitness(DeskWitness { organisation, staff_hash, evidence_hash, at })
    }

    /// What the region's index shows this member of somebody.
    pub(crate) async fn search(&self, patient: Token) -> Vec<Entry> {
        let query = SearchQuery {
            asker: self.asker(),
            patients: vec![patient],
            classes: BTreeSet::new(),
            types: BTreeSet::new(),
            service_from: None,
            service_until: None,
            superseded: false,
            from_seq: 0,
            count: 256,
            nonce: Nonce::new(keys::random()).unwrap(),
        };
        let envelope = self.sign(&query).as_bytes().to_vec();
        let reply: SearchReply =
            self.ask_registry(Method::Search, &SearchRequest { envelope }).await.unwrap();
        let envelope = Envelope::decode(&reply.envelope).unwrap();
        let answer = Verified::<SearchAnswer>::check(envelope, &self.directory, Said::Now).unwrap();
        let entry = |opening: &Opening| {
            let envelope = Envelope::decode(&opening.envelope).unwrap();
            Verified::check(envelope, &self.directory, Said::AtSeq(opening.seq)).unwrap().into_parts().0
        };
        answer.word().entries.iter().map(entry).collect()
    }

    /// What a patient who is signed in here asks, or somebody at the desk for the patient.
    pub(crate) fn question(&self, patient: Token, is_signed_in: bool, at: Timestamp) -> Envelope {
        let (nonce, what) = (Nonce::new(keys::random()).unwrap(), PatientQuestion::Events);
        let query = PatientQuery { patient, what, from_seq: 0, count: 256, nonce, at };
        let login = AttestedLogin { organisation: self.code.clone(), account_hash: digest(0x94), at };
        let proof = if is_signed_in { Proof::AttestedLogin(login) } else { self.desk() };
        self.sign(&Act::new(query, proof))
    }

    /// Who did what with somebody's record, in order.
    pub(crate) async fn history(&self, patient: Token) -> Vec<AccessEvent> {
        let (mut events, mut from_seq) = (Vec::new(), 0);
        loop {
            let (nonce, at) = (Nonce::new(keys::random()).unwrap(), now());
            let what = PatientQuestion::Events;
            let query = PatientQuery { patient, what, from_seq, count: 256, nonce, at };
            let envelope = self.sign(&Act::new(query, self.desk())).as_bytes().to_vec();
            let request = HistoryRequest { envelope };
            let answer: HistoryAnswer = self.ask_registry(Method::History, &request).await.unwrap();
            for opening in answer.events {
                let envelope = Envelope::decode(&Opening::read(opening).unwrap().envelope).unwrap();
                if envelope.kind() == Kind::AccessEvent {
                    events.push(AccessEvent::decode(envelope.payload()).unwrap());
                }
            }
            if answer.next_seq == 0 {
                return events;
            }
            from_seq = answer.next_seq;
        }
    }

    // ---- Documents ----

    fn asker(&self) -> Asker {
        Asker {
            organisation: self.code.clone(),
            department: None,
            practitioner: PractitionerId::new([0xb1; 32]).unwrap(),
            role: PersonRole::Physician,
            purpose: Purpose::Treatment,
            referral: None,
            treating: false,
            break_glass: None,
        }
    }

    /// A request for the document of an entry.
    pub(crate) fn request(&self, entry: &Entry) -> PullRequest {
        PullRequest {
            holder: entry.publisher.clone(),
            asker: self.asker(),
            entry_id: entry.entry_id,
            document: entry.document,
            sealing_key: self.directory.sealing_key(&self.code).unwrap().id(),
            nonce: Nonce::new(keys::random()).unwrap(),
            expires_at: now() + LIFE,
        }
    }

    /// Asks the holder once.
    pub(crate) async fn try_release(&self, request: &PullRequest) -> Result<Released, Denied> {
        let envelope = self.sign(request);
        let asked = ReleaseRequest { envelope: envelope.as_bytes().to_vec(), emergency: Vec::new() };
        let answer: ReleaseAnswer = self.ask(&request.holder, Method::Release, &asked).await?;
        let signed = Envelope::decode(&answer.release).unwrap();
        let release = Verified::<Release>::check(signed, &self.directory, Said::Now).unwrap();
        let hashes = answer.chunk_hashes.iter().map(|hash| hash.as_slice().try_into().unwrap());
        let map = Map::new(request.document, &answer.header, hashes.collect()).unwrap();
        let key = release.word().unwrap_key(&answer.wrapped_key, &self.sealing).unwrap();
        Ok(Released { request: envelope.payload_hash(), release, map, key })
    }

    /// Asks the holder until it is not busy.
    pub(crate) async fn release(&self, request: &PullRequest) -> Result<Released, Denied> {
        until("an answer of the holder", async || unless_busy(self.try_release(request).await)).await
    }

    /// Pulls a stretch once; every chunk is verified.
    pub(crate) async fn try_range(
        &self,
        from: &Released,
        first_chunk: u64,
        chunks: u32,
    ) -> Result<Vec<Vec<u8>>, Denied> {
        let mut pull = self.begin_range(from, first_chunk, chunks).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = pull.chunk().await.map_err(|error| stopped(&error))? {
            bytes.extend_from_slice(&piece);
        }
        let mut sealed = bytes.as_slice();
        let numbers = first_chunk..(first_chunk + u64::from(chunks)).min(from.map.header().chunks());
        let chunk = |number| {
            let (chunk, rest) = sealed.split_at(from.map.header().sealed_bytes(number));
            sealed = rest;
            from.map.verify(number, chunk).unwrap();
            chunk.to_vec()
        };
        let chunks = numbers.map(chunk).collect();
        assert!(sealed.is_empty(), "more than was asked for");
        Ok(chunks)
    }

    /// Begins to pull a stretch.
    pub(crate) async fn begin_range(
        &self,
        from: &Released,
        first_chunk: u64,
        chunks: u32,
    ) -> Result<yiqiao_host::link::Pull, Denied> {
        let request = from.request.as_bytes().to_vec();
        let asked = Bytes::from(RangeRequest { request, first_chunk, chunks }.encode_to_vec());
        let mut silent = None;
        for holder in self.peers(&from.release.word().terms.holder) {
            match self.link.pull(holder, asked.clone(), DEADLINE).await {
                Ok(pull) => return Ok(pull),
                Err(CallError::Refused(refusal)) => return Err(denied(CallError::Refused(refusal))),
                Err(error) => silent = Some(denied(error)),
            }
        }
        Err(silent.unwrap())
    }

    /// The same until the holder is not busy.
    pub(crate) async fn range(
        &self,
        from: &Released,
        first_chunk: u64,
        chunks: u32,
    ) -> Result<Vec<Vec<u8>>, Denied> {
        let pulled = async || unless_busy(self.try_range(from, first_chunk, chunks).await);
        until("a range", pulled).await
    }
}

/// Everybody of the list; the registry where it is known to listen.
fn roster_of(directory: &Directory, registry: &str) -> Roster {
    let mut peers = BTreeMap::new();
    for member in &directory.list().members {
        for transport in &member.transports {
            let mut addresses: Vec<_> =
                transport.addresses.iter().map(|address| address.parse().unwrap()).collect();
            if member.roles.contains(&MemberRole::Registry) {
                addresses.push(registry.parse().unwrap());
            }
            peers.insert(PeerId::from_bytes(&transport.peer_id).unwrap(), addresses);
        }
    }
    Roster::from(peers)
}

/// No answer is as good as a busy member.
fn denied(error: CallError) -> Denied {
    let CallError::Refused(refusal) = error else { return (RefusalCode::Busy, error.to_string()) };
    let told = Refused::decode(refusal.detail).unwrap();
    assert_eq!(u32::from(refusal.code), told.code);
    (RefusalCode::try_from(told.code).unwrap(), told.clause)
}

/// A body that was broken off on purpose is a refusal of its rest.
fn stopped(error: &PullError) -> Denied {
    let PullError::Stopped { code } = error else { panic!("the body broke off: {error}") };
    (RefusalCode::try_from(u32::from(*code)).unwrap(), "P-6".to_owned())
}

fn unless_busy<T>(answer: Result<T, Denied>) -> Option<Result<T, Denied>> {
    if matches!(answer, Err((RefusalCode::Busy, _))) { None } else { Some(answer) }
}

impl Answers {
    fn give(&self, method: u16, request: Bytes) -> Result<Bytes, Refusal> {
        let answering = self.0.lock().unwrap();
        let nothing = || {
            let (code, clause) = (RefusalCode::Nothing.number(), "P-4".to_owned());
            let detail = Refused { code, clause, retry_after_ms: 0 }.encode_to_vec().into();
            Refusal { code: u16::try_from(code).unwrap(), detail }
        };
        Ok(answering.as_ref().ok_or_else(nothing)?(method, request))
    }
}

impl Service for Answers {
    fn call(&self, _: PeerId, method: u16, request: Bytes) -> BoxFuture<'static, Result<Bytes, Refusal>> {
        let answer = if [Method::Release, Method::Persons].map(|asked| asked as u16).contains(&method) {
            self.give(method, request)
        } else {
            // Steps and notices are confirmed.
            Ok(Bytes::new())
        };
        async move { answer }.boxed()
    }

    fn pull(&self, _: PeerId, request: Bytes) -> BoxFuture<'static, Result<PullAnswer, Refusal>> {
        let answer = self.give(RANGE, request).map(|bytes| PullAnswer {
            header: Bytes::new(),
            length: bytes.len() as u64,
            body: Box::new(std::io::Cursor::new(bytes)),
        });
        async move { answer }.boxed()
    }
}
