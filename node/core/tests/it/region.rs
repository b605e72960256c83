//! A region of one registry, a hospital and a clinic, and the registry's real machine on a store in memory.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use yiqiao_journal::view::{Fault, View};
use yiqiao_node_core::machine::{Checkpoint, Effect, Input, Receipt};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{DefaultRule, KeyUse, MemberRole, RefusalCode};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::{Entry, Link};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word, payload_hash};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest, EntryId, Subject};
use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SealingKey, SigningKey, Transport};
use yiqiao_proto::release::SealingSecret;
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::{Blinding, Token, TokenSecret};
use yiqiao_registry_core::lease::LeaseAsked;
use yiqiao_registry_core::machine::{self as registry, Outcome, ToKeep};
use yiqiao_registry_core::state::{Table, kept};
use yiqiao_registry_core::take::{ChainWord, Submission, Taken};
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
    SecretKey::new(Suite::International, Zeroizing::new([seed; 32]))
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
    /// Refusals to give to the next calls instead of an answer.
    pub(crate) refuse: Vec<Option<Refusal>>,
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
        }
    }

    /// Carries out an effect of a node and gives the answer as its input.
    pub(crate) fn answer(&mut self, now: Timestamp, effect: &Effect) -> Input {
        self.answer_to(now, &code("hospital"), effect)
    }

    /// The same for the node of any member.
    pub(crate) fn answer_to(&mut self, now: Timestamp, member: &Code, effect: &Effect) -> Input {
        let (Effect::Evaluate { ticket, .. }
        | Effect::Submit { ticket, .. }
        | Effect::OwnWords { ticket, .. }
        | Effect::ReadFeed { ticket, .. }
        | Effect::AskLease { ticket, .. }) = effect
        else {
            panic!("{effect:?} is not for the registry")
        };
        let ticket = *ticket;
        if let Some(refusal) = self.refuse.pop() {
            return Input::Failed { ticket, refusal };
        }
        let answered = if let Effect::Evaluate { epoch, identifiers, .. } = effect {
            self.evaluate(now, ticket, member, *epoch, identifiers)
        } else if let Effect::Submit { words, .. } = effect {
            self.submit(now, ticket, words)
        } else if let Effect::OwnWords { subject, from_number, .. } = effect {
            self.links(now, ticket, member, *subject, *from_number)
        } else {
            self.watch(now, ticket, member, effect)
        };
        answered.unwrap_or_else(|refused| {
            let refusal =
                Refusal { code: refused.code, clause: refused.clause, retry_after: refused.retry_after };
            Input::Failed { ticket, refusal: Some(refusal) }
        })
    }

    fn evaluate(
        &mut self,
        now: Timestamp,
        ticket: u64,
        member: &Code,
        epoch: u32,
        identifiers: &[yiqiao_proto::person::Identifier],
    ) -> Result<Input, registry::Refused> {
        let elements = identifiers.len() as u64;
        self.handle(now, &registry::Input::Evaluate { member: member.clone(), elements })?;
        self.evaluated += identifiers.len();
        let blinding = Blinding::new(&code("demo"), identifiers, &mut self.entropy).unwrap();
        let secret = token_secret(epoch);
        let evaluation = secret.evaluate(blinding.blinded(), &mut self.entropy).unwrap();
        let tokens = blinding.finish(&secret.public(), &evaluation).unwrap();
        Ok(Input::Evaluated { ticket, tokens })
    }

    fn submit(
        &mut self,
        now: Timestamp,
        ticket: u64,
        words: &[(Envelope, Option<Link>)],
    ) -> Result<Input, registry::Refused> {
        self.words += words.len();
        let chain: Vec<ChainWord> =
            words.iter().filter_map(|(word, link)| self.chain_word(word, *link)).collect();
        let submission = if chain.is_empty() {
            let [(word, None)] = words else { panic!("a word without a link goes alone") };
            self.single(word)
        } else {
            assert_eq!(chain.len(), words.len());
            Submission::Links(chain)
        };
        let Outcome::Taken(taken) = self.handle(now, &registry::Input::Submit(Box::new(submission)))? else {
            panic!("a submission is taken or refused")
        };
        let receipt = |taken: &Taken| Receipt {
            seq: taken.opening.seq,
            term: taken.opening.term,
            accepted_at: taken.opening.accepted_at,
        };
        let receipts = taken.iter().map(receipt).collect();
        Ok(Input::Receipted { ticket, receipts, checkpoint: self.checkpoint() })
    }

    fn single(&self, word: &Envelope) -> Submission {
        let (word, members, said) = (word.clone(), &self.directory, Said::Now);
        if word.kind() == Kind::IdentityStatement {
            Submission::Identity(Verified::check(word, members, said).unwrap())
        } else if word.kind() == Kind::Directive {
            let act = Verified::check(word, members, said).unwrap();
            Submission::Consent(registry::ConsentAct::Directive(Box::new(act)))
        } else if word.kind() == Kind::Revocation {
            let act = Verified::check(word, members, said).unwrap();
            Submission::Consent(registry::ConsentAct::Revocation(Box::new(act)))
        } else if word.kind() == Kind::AccessEvent {
            Submission::Event(Verified::check(word, members, said).unwrap())
        } else if word.kind() == Kind::Release {
            Submission::Release(Verified::check(word, members, said).unwrap())
        } else {
            Submission::Delivery(Verified::check(word, members, said).unwrap())
        }
    }

    /// The member's feed, or a lease.
    fn watch(
        &mut self,
        now: Timestamp,
        ticket: u64,
        member: &Code,
        effect: &Effect,
    ) -> Result<Input, registry::Refused> {
        let member = member.clone();
        if let Effect::ReadFeed { after, .. } = effect {
            let input = registry::Input::Feed { member, after: *after, count: 256 };
            let Outcome::Feed(items) = self.handle(now, &input)? else { panic!("a feed is items") };
            return Ok(Input::Fed { ticket, items });
        }
        let Effect::AskLease { nonce, term, feed_number, feed_chain, .. } = effect else {
            panic!("{effect:?} is not for the registry")
        };
        let asked = LeaseAsked {
            member,
            nonce: *nonce,
            term: *term,
            feed_number: *feed_number,
            feed_chain: *feed_chain,
        };
        let Outcome::Lease(lease) = self.handle(now, &registry::Input::Lease(asked))? else {
            panic!("a lease is a lease")
        };
        let lease = Box::new(Verified::check(lease, &self.directory, Said::Now).unwrap());
        Ok(Input::Leased { ticket, lease })
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

    /// Puts a word of the node into the log as another process of the same hospital would.
    pub(crate) fn put(&mut self, now: Timestamp, words: &[(Envelope, Option<Link>)]) {
        self.submit(now, 0, words).unwrap();
    }

    fn chain_word(&mut self, word: &Envelope, link: Option<Link>) -> Option<ChainWord> {
        let link = link?;
        if word.kind() == Kind::Withdrawal {
            let word = Verified::check(word.clone(), &self.directory, Said::Now).unwrap();
            return Some(ChainWord::Withdrawal(word, link));
        }
        let entry: Verified<Entry> = Verified::check(word.clone(), &self.directory, Said::Now).unwrap();
        self.handed.entry(entry.word().entry_id).or_default().insert(word.payload_hash());
        Some(ChainWord::Entry(entry, link))
    }

    fn links(
        &mut self,
        now: Timestamp,
        ticket: u64,
        member: &Code,
        subject: Subject,
        from_number: u64,
    ) -> Result<Input, registry::Refused> {
        let input = registry::Input::Links { member: member.clone(), subject, from_number };
        let Outcome::Links(links) = self.handle(now, &input)? else { panic!("links are answered by links") };
        let word = |kept: &kept::Kept| {
            let envelope = Envelope::decode(&kept.opening.as_ref().unwrap().envelope).unwrap();
            (kept.link.as_ref().unwrap().number, envelope.payload_hash())
        };
        Ok(Input::OwnWords { ticket, words: links.iter().map(word).collect() })
    }

    fn checkpoint(&self) -> Checkpoint {
        let size = self.machine.next_seq();
        Checkpoint { size, root: Digest::new(hash::sha256_plain(&[&size.to_be_bytes()])).unwrap() }
    }

    fn handle(&mut self, now: Timestamp, input: &registry::Input) -> Result<Outcome, registry::Refused> {
        let mut view = View::new(code("demo"));
        loop {
            match self.machine.handle(now, input, &mut self.entropy, &mut view) {
                Ok(handled) => {
                    self.store.extend(view.into_written());
                    for record in handled.records {
                        if let ToKeep::Word(kept, _) = record {
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
