//! A region of one registry, a hospital and a clinic, and the registry's real machine on a store in memory.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use yiqiao_journal::view::{Fault, View};
use yiqiao_node_core::call::{self, Begun, Lost, Outgoing, To};
use yiqiao_node_core::machine::{Effect, Input};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::{LoggedEvent, Method, Refusal};
use yiqiao_proto::codes::{AccessAct, DefaultRule, KeyUse, MemberRole, RefusalCode};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::{Entry, Link};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word, payload_hash};
use yiqiao_proto::id::{Code, Digest, EntryId, Subject};
use yiqiao_proto::log::Opening;
use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SealingKey, SigningKey, Transport};
use yiqiao_proto::release::SealingSecret;
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::{Token, TokenSecret};
use yiqiao_proto::wire::calls::LoggedWord;
use yiqiao_proto::{note, tree};
use yiqiao_registry_core::answer;
use yiqiao_registry_core::door::{self, Asked};
use yiqiao_registry_core::machine::{self as registry, Outcome, ToKeep};
use yiqiao_registry_core::state::{Table, kept};
use yiqiao_registry_core::take::{ChainWord, Submission};
use zeroize::Zeroizing;

pub(crate) const AUTHORITY: u8 = 1;
pub(crate) const HOSPITAL: u8 = 30;
pub(crate) const CLINIC: u8 = 40;
const REGISTRY: u8 = 60;

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_790_000_000_000 + ms).unwrap()
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::new(Suite::International, &[seed; 32])
}

/// The key with which the registry signs checkpoints.
pub(crate) fn checkpoint_key() -> SecretKey {
    key(REGISTRY + 1)
}

pub(crate) fn token_secret(epoch: u32) -> TokenSecret {
    TokenSecret::new(epoch, &[70 + u8::try_from(epoch).unwrap(); 32]).unwrap()
}

/// What documents for a member are sealed to.
pub(crate) fn sealing_secret(seed: u8) -> SealingSecret {
    SealingSecret::new(&Zeroizing::new([seed + 5; 32]))
}

fn member(name: &str, role: MemberRole, seed: u8) -> Member {
    let signing = |seed, for_use| SigningKey { key: key(seed).public(), for_use, state: KeyState::Valid };
    let mut signing_keys = vec![signing(seed, KeyUse::Words)];
    if role == MemberRole::Registry {
        signing_keys.push(signing(seed + 1, KeyUse::Checkpoint));
        signing_keys.push(signing(seed + 2, KeyUse::Lease));
    }
    let sealing =
        SealingKey::countersigned(&code("demo"), &code(name), sealing_secret(seed).public(), &key(seed));
    Member {
        code: code(name),
        name: name.to_owned(),
        contact: "0571-00000000".to_owned(),
        roles: BTreeSet::from([role]),
        suspended: false,
        transports: vec![Transport {
            peer_id: [[0, 36, 8, 1, 18, 32].as_slice(), &[seed; 32]].concat(),
            addresses: vec!["/ip4/127.0.0.1/tcp/8400".to_owned()],
        }],
        signing_keys,
        sealing_keys: vec![sealing],
    }
}

pub(crate) fn list(evaluations: u64) -> MemberList {
    MemberList {
        region: code("demo"),
        version: 1,
        previous: None,
        issued_at: at(0),
        authority: key(AUTHORITY).public(),
        policy: Policy {
            suites: BTreeSet::from([Suite::International]),
            lease: Millis::from_secs(30),
            default_rule: DefaultRule::Deny,
            break_glass: true,
            proofs: 7,
            open_without_lease: false,
            evaluations_per_day: evaluations,
            evaluations_backfill: 0,
            rp_id: None,
            origins: Vec::new(),
            vouchers: Vec::new(),
        },
        members: vec![
            member("clinic", MemberRole::Custodian, CLINIC),
            member("hospital", MemberRole::Custodian, HOSPITAL),
            member("registry", MemberRole::Registry, REGISTRY),
        ],
        token_keys: vec![token_secret(1).public()],
        log_id: code("log-1"),
    }
}

pub(crate) fn signed(list: &MemberList) -> Envelope {
    Envelope::sign(&code("demo"), list, &key(AUTHORITY))
}

pub(crate) fn directory(list: &MemberList) -> Directory {
    Directory::first(&code("demo"), &key(AUTHORITY).public(), &signed(list)).unwrap()
}

/// The registry with its store, and all that it was ever handed.
pub(crate) struct Registry {
    machine: registry::Machine,
    store: BTreeMap<Vec<u8>, Vec<u8>>,
    journal: Vec<kept::Kept>,
    entropy: Entropy,
    pub(crate) directory: Directory,
    /// Hashes of the payloads that were handed in for each entry, taken or not.
    pub(crate) handed: BTreeMap<EntryId, BTreeSet<Digest>>,
    /// Number of words handed in.
    pub(crate) words: usize,
    /// Number of elements evaluated.
    pub(crate) evaluated: usize,
    /// It answers nothing.
    pub(crate) is_away: bool,
    /// Refusals to give to the next calls instead of an answer.
    pub(crate) refuse: Vec<Option<Refusal>>,
    /// The calls that were answered.
    pub(crate) heard: Vec<Heard>,
    hashes: Vec<tree::Hash>,
    forgotten: Option<(Vec<u8>, Vec<u8>)>,
}

/// A call of a node that was answered.
#[derive(Clone)]
pub(crate) struct Heard {
    /// Whose.
    pub(crate) member: Code,
    pub(crate) effect: Effect,
    /// Of the randomness with which it was begun.
    pub(crate) seed: [u8; 32],
    /// What came.
    pub(crate) answer: Vec<u8>,
}

/// The call that an effect asks for.
pub(crate) fn outgoing(effect: &Effect, directory: &Directory, seed: [u8; 32]) -> Outgoing {
    let begun = call::begin(effect, directory, &mut Entropy::new(seed));
    let Begun::Call(call) = begun else { panic!("{effect:?} is no call") };
    call
}

impl Registry {
    pub(crate) fn new(list: &MemberList) -> Self {
        let directory = directory(list);
        let keys = registry::Keys { words: key(REGISTRY), lease: key(REGISTRY + 2) };
        Self {
            machine: registry::Machine::new(code("registry"), directory.clone(), keys, 1, 0),
            store: BTreeMap::new(),
            journal: Vec::new(),
            entropy: Entropy::new([9; 32]),
            directory,
            handed: BTreeMap::new(),
            words: 0,
            evaluated: 0,
            refuse: Vec::new(),
            is_away: false,
            heard: Vec::new(),
            hashes: Vec::new(),
            forgotten: None,
        }
    }

    /// Another one that has the same log as this one now.
    pub(crate) fn copy(&self) -> Self {
        let keys = registry::Keys { words: key(REGISTRY), lease: key(REGISTRY + 2) };
        let (directory, size) = (self.directory.clone(), self.journal.len() as u64);
        Self {
            machine: registry::Machine::new(code("registry"), directory.clone(), keys, 1, size),
            store: self.store.clone(),
            journal: self.journal.clone(),
            entropy: Entropy::new([8; 32]),
            directory,
            handed: self.handed.clone(),
            hashes: self.hashes.clone(),
            refuse: Vec::new(),
            heard: Vec::new(),
            forgotten: None,
            ..*self
        }
    }

    /// Carries out an effect of a node and gives the answer as its input.
    pub(crate) fn answer(&mut self, now: Timestamp, effect: &Effect) -> Input {
        self.answer_to(now, &code("hospital"), effect)
    }

    /// The same for the node of any member: its bytes go to the registry, and the registry's come back.
    pub(crate) fn answer_to(&mut self, now: Timestamp, member: &Code, effect: &Effect) -> Input {
        let seed = self.entropy.bytes();
        let call = outgoing(effect, &self.directory, seed);
        assert_eq!(call.to, To::Registry);
        let refused = if self.is_away { Some(None) } else { self.refuse.pop() };
        let came = match refused {
            Some(refusal) => Err(refusal.map_or(Lost::Silent, Lost::Refused)),
            None => self.serve(now, member, call.method, &call.request).map_err(|told| Lost::refused(&told)),
        };
        if let Ok(answer) = &came {
            let heard =
                Heard { member: member.clone(), effect: effect.clone(), seed, answer: answer.clone() };
            self.heard.push(heard);
        }
        let answer = call.answered(&self.directory, member, came.as_deref().map_err(Clone::clone));
        assert_eq!((answer.unbelieved, answer.map), (None, None));
        answer.input.unwrap()
    }

    /// What the registry answers to the bytes of a call, or the bytes with which it refuses.
    pub(crate) fn serve(
        &mut self,
        now: Timestamp,
        member: &Code,
        method: Method,
        request: &[u8],
    ) -> Result<Vec<u8>, Vec<u8>> {
        self.try_serve(now, member, method, request).map_err(|refused| answer::refusal(&refused).1)
    }

    fn try_serve(
        &mut self,
        now: Timestamp,
        member: &Code,
        method: Method,
        request: &[u8],
    ) -> Result<Vec<u8>, registry::Refused> {
        let asked = door::read(&self.directory, member, method as u16, request, &mut self.entropy);
        match asked.map_err(|fault| fault.refused())? {
            Asked::Machine(input) | Asked::Feed { input, .. } => {
                self.count(&input);
                let outcome = self.handle(now, &input)?;
                self.bytes(outcome)
            }
            Asked::Evaluate(blinded) => {
                let tokens = token_secret(blinded.request.epoch);
                self.handle(now, &blinded.count(tokens.public().epoch)?)?;
                self.evaluated += blinded.request.blinded.len();
                blinded.evaluate(&tokens, &mut self.entropy)
            }
            Asked::Lists { .. } => panic!("no node asks for lists here"),
        }
    }

    fn count(&mut self, input: &registry::Input) {
        let registry::Input::Submit(submission) = input else { return };
        let Submission::Links(words) = submission.as_ref() else {
            self.words += 1;
            return;
        };
        self.words += words.len();
        for word in words {
            if let ChainWord::Entry(entry, _) = word {
                let payload = entry.envelope().payload_hash();
                self.handed.entry(entry.word().entry_id).or_default().insert(payload);
            }
        }
    }

    /// Its index has nothing of a subject any more, though the log has.
    pub(crate) fn forget(&mut self, publisher: &Code, subject: &Subject) {
        let slot = yiqiao_registry_core::state::subject(publisher, subject);
        self.forgotten = self.store.remove_entry(slot.key());
    }

    /// It has again what it forgot last.
    pub(crate) fn remember(&mut self) {
        self.store.extend(self.forgotten.take());
    }

    /// What members have told it.
    pub(crate) fn alarms(&self) -> Vec<yiqiao_registry_core::alarm::Shown> {
        let slot = yiqiao_registry_core::state::alarms();
        self.store.get(slot.key()).map(|value| yiqiao_registry_core::alarm::shown(value)).unwrap_or_default()
    }

    /// Makes the tree anew as if the word at this place had been another one.
    pub(crate) fn rewrite(&mut self, seq: u64) {
        let leaves: Vec<tree::Hash> = (0..self.journal.len() as u64)
            .map(|at| self.hashes[usize::try_from(tree::stored_index(0, at)).unwrap()])
            .collect();
        self.hashes.clear();
        for (at, leaf) in (0..).zip(leaves) {
            let leaf = if at == seq { [7; 32] } else { leaf };
            self.hashes.extend(tree::append(self.hashes.as_slice(), at, leaf).unwrap());
        }
    }

    fn bytes(&self, outcome: Outcome) -> Result<Vec<u8>, registry::Refused> {
        let (size, hashes) = (self.journal.len() as u64, self.hashes.as_slice());
        let root = tree::root(hashes, size).unwrap();
        let origin = note::origin(&code("demo"), &self.directory.list().log_id);
        let note = note::Checkpoint { origin, size, root }.sign(&checkpoint_key());
        let log = answer::Log { hashes, size, root, note: &note };
        answer::answer(outcome, &self.machine, &log).unwrap()
    }

    /// The access events of a member of this kind in the log, by the hashes of their payloads, with what proves that they stand there.
    pub(crate) fn logged(&self, member: &str, act: AccessAct) -> Vec<(Digest, LoggedEvent)> {
        let (size, hashes) = (self.journal.len() as u64, self.hashes.as_slice());
        let root = tree::root(hashes, size).unwrap();
        let origin = note::origin(&code("demo"), &self.directory.list().log_id);
        let checkpoint = note::Checkpoint { origin, size, root }.sign(&checkpoint_key());
        let mut found = Vec::new();
        for (opening, word) in self.openings().filter(|(_, word)| word.kind() == Kind::AccessEvent) {
            let event = AccessEvent::decode(word.payload()).unwrap();
            if event.organisation.as_str() == member && event.act == act {
                let path = tree::prove_inclusion(hashes, opening.seq, size).unwrap().concat();
                let logged = LoggedWord { opening: Some(opening.write()), path };
                let event = LoggedEvent { word: Some(logged), checkpoint: checkpoint.clone() };
                found.push((word.payload_hash(), event));
            }
        }
        found
    }

    /// Takes the next member list.
    pub(crate) fn take_list(&mut self, now: Timestamp, list: &MemberList) {
        self.directory = self.directory.next(&signed(list)).unwrap();
        let input = registry::Input::MemberList(Box::new(self.directory.clone()), signed(list));
        self.handle(now, &input).unwrap();
    }

    /// Answers a signed query of a member.
    pub(crate) fn ask(&mut self, now: Timestamp, query: &Envelope) -> Outcome {
        let (query, members, said) = (query.clone(), &self.directory, Said::Now);
        let input = if query.kind() == Kind::SearchQuery {
            registry::Input::Search(Verified::check(query, members, said).unwrap())
        } else {
            registry::Input::PatientQuery(Verified::check(query, members, said).unwrap())
        };
        self.handle(now, &input).unwrap()
    }

    /// Puts words of the hospital into the log as another process of it would.
    pub(crate) fn put(&mut self, now: Timestamp, words: &[(Envelope, Option<Link>)]) {
        let effect = Effect::Submit { ticket: 0, words: words.to_vec() };
        let put = self.answer(now, &effect);
        assert!(matches!(put, Input::Receipted { .. }), "{put:?}");
    }

    fn handle(&mut self, now: Timestamp, input: &registry::Input) -> Result<Outcome, registry::Refused> {
        let mut view = View::new(code("demo"));
        loop {
            match self.machine.handle(now, input, &mut self.entropy, &mut view) {
                Ok(handled) => {
                    crate::rig::commit(view, &mut self.store);
                    for record in handled.records {
                        if let ToKeep::Word(kept, _) = record {
                            self.grow(&kept);
                            self.journal.push(*kept);
                        }
                    }
                    return Ok(handled.outcome);
                }
                Err(registry::Stop::Refused(refused)) => return Err(refused),
                Err(registry::Stop::Fault(Fault::Missing { keys })) => self.load(keys, &mut view),
                Err(registry::Stop::Fault(fault)) => panic!("{fault}"),
            }
        }
    }

    fn grow(&mut self, kept: &kept::Kept) {
        let opening = Opening::read(kept.opening.clone().unwrap()).unwrap();
        let kind = Envelope::decode(&opening.envelope).unwrap().kind();
        let leaf = opening.leaf(&code("demo"), kind).hash();
        let hashes = tree::append(self.hashes.as_slice(), opening.seq, leaf).unwrap();
        self.hashes.extend(hashes);
    }

    fn load(&self, keys: Vec<Vec<u8>>, view: &mut View) {
        for key in keys {
            let value = if key[0] == Table::Journal as u8 {
                let seq = u64::from_be_bytes(key[1..].try_into().unwrap());
                self.journal.get(usize::try_from(seq).unwrap()).map(Message::encode_to_vec)
            } else {
                self.store.get(&key).cloned()
            };
            view.load(key, value);
        }
    }

    /// All words in the log, in order.
    pub(crate) fn log(&self) -> impl Iterator<Item = Envelope> {
        self.journal.iter().map(|kept| Envelope::decode(&kept.opening.as_ref().unwrap().envelope).unwrap())
    }

    /// All words in the log as they stand there, in order.
    pub(crate) fn openings(&self) -> impl Iterator<Item = (Opening, Envelope)> {
        let opening = |kept: &kept::Kept| Opening::read(kept.opening.clone().unwrap()).unwrap();
        self.journal.iter().map(opening).zip(self.log())
    }

    /// The words of members in the log, in order: all but the events that the registry says itself.
    pub(crate) fn said(&self) -> impl Iterator<Item = Envelope> {
        let own = key(REGISTRY).public().id(KeyUse::Words);
        self.log().filter(move |word| word.key_id() != own)
    }

    /// All entries in the log, with what each replaces, in order.
    pub(crate) fn entries(&self) -> Vec<(Entry, Link)> {
        let entry = |kept: &kept::Kept| {
            let envelope = Envelope::decode(&kept.opening.as_ref().unwrap().envelope).unwrap();
            let link = Link::read(kept.link.as_ref()?).unwrap();
            (envelope.kind() == Kind::Entry).then(|| (Entry::decode(envelope.payload()).unwrap(), link))
        };
        self.journal.iter().filter_map(entry).collect()
    }

    /// The tokens of each subject by its newest statement.
    pub(crate) fn statements(&self) -> BTreeMap<Subject, Vec<Token>> {
        let statements = self.log().filter(|word| word.kind() == Kind::IdentityStatement);
        statements
            .map(|word| yiqiao_proto::entry::IdentityStatement::decode(word.payload()).unwrap())
            .map(|statement| (statement.subject, statement.tokens))
            .collect()
    }

    /// No entry was ever handed in with two payloads.
    pub(crate) fn check_payloads(&self) {
        for (entry, payloads) in &self.handed {
            assert_eq!(payloads.len(), 1, "{entry:?} was sent with several payloads");
        }
        for (entry, _) in self.entries() {
            let payload = payload_hash(&entry.encode());
            assert!(self.handed[&entry.entry_id].contains(&payload));
        }
    }
}

pub(crate) const fn refusal(code: RefusalCode) -> Option<Refusal> {
    Some(Refusal { code, clause: "H-2", retry_after: None })
}
