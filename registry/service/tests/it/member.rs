//! A member as the registry sees it: a link of its own, typed calls, and the checks that a careful member makes of every
//! receipt, lease, feed and answer.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;
use tokio::sync::watch;
use yiqiao_host::clock::Clock;
use yiqiao_host::keys;
use yiqiao_host::link::{
    CallError, Limits, Link as Connection, LinkConfig, PeerId, PullAnswer, Refusal, Roster, Service,
};
use yiqiao_proto::calls::{
    Call, ConsentAnswer, ConsentRequest, EvaluateAnswer, EvaluateRequest, FeedAnswer, FeedRequest,
    HistoryAnswer, HistoryRequest, LeaseAnswer, LeaseRequest, LinksAnswer, LinksRequest, MembersAnswer,
    MembersRequest, Method, SearchReply, SearchRequest, SubmitAnswer, SubmitRequest,
};
use yiqiao_proto::codes::{KeyUse, MemberRole, PatientQuestion, RefusalCode};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::{Entry, Link};
use yiqiao_proto::envelope::{Envelope, Said, Verified, Word};
use yiqiao_proto::id::{Code, Digest, Nonce, Subject};
use yiqiao_proto::lease::{Change, FeedItem, HeadChange, Lease, feed_next, feed_start};
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::suite::{PublicKey, SecretKey};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::{Blinding, Evaluation, Token};
use yiqiao_proto::tree::verify_inclusion;
use yiqiao_proto::wire::calls::{Receipt, Refused, Submitted};

use crate::rig::{Region, code, region, transport, words_key};

/// How long any call may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A member with its link to the registry.
pub(crate) struct Member {
    pub(crate) code: Code,
    pub(crate) link: Connection,
    pub(crate) registry: PeerId,
    pub(crate) directory: Directory,
    key: SecretKey,
    newest: Mutex<Option<Checkpoint>>,
    _roster: watch::Sender<Arc<Roster>>,
}

/// A signed word, and for a link its place.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) envelope: Envelope,
    pub(crate) link: Option<Link>,
}

/// What a checked receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stands {
    pub(crate) seq: u64,
    /// The size of the tree under which it was proved.
    pub(crate) size: u64,
    pub(crate) leaf: [u8; 32],
}

/// Why a call brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The registry said no: code, clause, and when to try again.
    Refused(RefusalCode, String, u64),
    /// The link failed.
    Link(CallError),
}

impl Failure {
    /// Code and clause of a refusal.
    pub(crate) fn refusal(&self) -> (RefusalCode, &str) {
        match self {
            Self::Refused(code, clause, _) => (*code, clause),
            Self::Link(error) => panic!("no refusal: {error}"),
        }
    }
}

/// A member's feed, read through.
pub(crate) struct Feed {
    pub(crate) items: Vec<FeedItem>,
    pub(crate) chain: Digest,
}

impl Feed {
    pub(crate) fn number(&self) -> u64 {
        self.items.len() as u64
    }

    /// What was told last of a patient.
    pub(crate) fn head(&self, patient: Token) -> &HeadChange {
        let head = |item: &FeedItem| matches!(&item.change, Change::Head(head) if head.patient == patient);
        match &self.items.iter().rfind(|item| head(item)).unwrap().change {
            Change::Head(head) => head,
            Change::MemberList(_) | Change::Credential(_) | Change::Withdrawal(_) => unreachable!(),
        }
    }
}

/// Answers nobody: what the registry never asks.
struct Nobody;

impl Service for Nobody {
    fn call(&self, _: PeerId, _: u16, _: Bytes) -> BoxFuture<'static, Result<Bytes, Refusal>> {
        async { Err(Refusal { code: 2, detail: Bytes::new() }) }.boxed()
    }

    fn pull(&self, _: PeerId, _: Bytes) -> BoxFuture<'static, Result<PullAnswer, Refusal>> {
        async { Err(Refusal { code: 2, detail: Bytes::new() }) }.boxed()
    }
}

impl Member {
    /// A member with a link, which has the first member list.
    pub(crate) async fn new(region: &Region, name: &str) -> Self {
        let directory = region.first_directory();
        let registry =
            directory.list().members.iter().find(|member| member.roles.contains(&MemberRole::Registry));
        let registry = PeerId::from_bytes(&registry.unwrap().transports.first().unwrap().peer_id).unwrap();
        let peers = BTreeMap::from([(registry, vec![region.address().parse().unwrap()])]);
        let (roster, rosters) = watch::channel(Arc::new(Roster::from(peers)));
        let config = LinkConfig {
            secret: transport(name),
            listen: Vec::new(),
            limits: Limits::default(),
            clock: Clock::system(),
        };
        let (link, _task) = Connection::start(config, rosters, Arc::new(Nobody)).await.unwrap();
        let (code, key) = (code(name), words_key(name));
        Self { code, link, registry, directory, key, newest: Mutex::default(), _roster: roster }
    }

    /// The same with the newest member list, which the running registry gives.
    pub(crate) async fn connected(region: &Region, name: &str) -> Self {
        let mut member = Self::new(region, name).await;
        member.follow_lists().await.unwrap();
        member
    }

    /// Signs a word with the own key.
    pub(crate) fn sign<W: Word>(&self, word: &W) -> Envelope {
        Envelope::sign(&region(), word, &self.key)
    }

    /// Signs a word that has no place in a chain.
    pub(crate) fn signed<W: Word>(&self, word: &W) -> Signed {
        Signed { envelope: self.sign(word), link: None }
    }

    // ---- Calls ----

    /// Asks with any bytes.
    pub(crate) async fn raw(&self, method: u16, request: Vec<u8>) -> Result<Bytes, Failure> {
        let answer = self.link.call(self.registry, method, request.into(), DEADLINE).await;
        answer.map_err(|error| {
            if let CallError::Refused(refusal) = error {
                read_refusal(&refusal)
            } else {
                Failure::Link(error)
            }
        })
    }

    pub(crate) async fn ask<A: Call>(&self, method: Method, request: &impl Message) -> Result<A, Failure> {
        let answer = self.raw(method as u16, request.encode_to_vec()).await?;
        Ok(A::from_bytes(&answer).unwrap())
    }

    /// Takes the member lists that follow the known one.
    pub(crate) async fn follow_lists(&mut self) -> Result<u64, Failure> {
        let request = MembersRequest { after_version: self.directory.list().version };
        let answer: MembersAnswer = self.ask(Method::Members, &request).await?;
        for bytes in answer.envelopes {
            self.directory = self.directory.next(&Envelope::decode(&bytes).unwrap()).unwrap();
        }
        Ok(self.directory.list().version)
    }

    /// Tokens of identifiers, evaluated by the registry and proved (T-3).
    pub(crate) async fn tokens(&self, identifiers: &[Identifier]) -> Vec<Token> {
        self.tokens_of(1, identifiers).await.unwrap()
    }

    /// The same of an epoch that the known list has.
    pub(crate) async fn tokens_of(
        &self,
        epoch: u32,
        identifiers: &[Identifier],
    ) -> Result<Vec<Token>, Failure> {
        let blinding = Blinding::new(&region(), identifiers, &mut Entropy::new(keys::random())).unwrap();
        let request = EvaluateRequest { epoch, blinded: blinding.blinded().to_vec() };
        let answer: EvaluateAnswer = self.ask(Method::Evaluate, &request).await?;
        let evaluation = Evaluation { elements: answer.evaluated, proof: answer.proof };
        let key = self.directory.list().token_keys.iter().find(|key| key.epoch == epoch).unwrap();
        Ok(blinding.finish(key, &evaluation).unwrap())
    }

    /// Hands in words, and checks every receipt.
    pub(crate) async fn submit(&self, words: &[Signed]) -> Result<Vec<Stands>, Failure> {
        let known = self.newest.lock().unwrap().clone();
        let answer = self.submit_unchecked(words).await?;
        assert_eq!(answer.receipts.len(), words.len(), "a receipt for every word");
        let check = |(word, receipt): (&Signed, &Receipt)| self.check_receipt(word, receipt, known.as_ref());
        Ok(words.iter().zip(&answer.receipts).map(check).collect())
    }

    /// Hands in words, and leaves the receipts to the caller.
    pub(crate) async fn submit_unchecked(&self, words: &[Signed]) -> Result<SubmitAnswer, Failure> {
        let submitted = |word: &Signed| Submitted {
            envelope: word.envelope.as_bytes().to_vec(),
            link: word.link.as_ref().map(Link::write),
        };
        self.ask(Method::Submit, &SubmitRequest { words: words.iter().map(submitted).collect() }).await
    }

    /// Hands in one word that must be taken.
    pub(crate) async fn say(&self, word: &Signed) -> Stands {
        let stands = self.submit(std::slice::from_ref(word)).await.unwrap();
        stands.into_iter().next().unwrap()
    }

    /// L-7: the leaf follows from the receipt, the path leads from it to the root of a checkpoint that the registry signed,
    /// and no checkpoint is behind one that was known when the member asked (L-11).
    fn check_receipt(&self, word: &Signed, receipt: &Receipt, known: Option<&Checkpoint>) -> Stands {
        let envelope = if receipt.envelope.is_empty() {
            word.envelope.clone()
        } else {
            Envelope::decode(&receipt.envelope).unwrap()
        };
        assert_eq!(envelope.payload_hash(), word.envelope.payload_hash(), "a receipt of another word");
        let opening = Opening {
            seq: receipt.seq,
            term: receipt.term,
            accepted_at: Timestamp::from_unix_ms(receipt.accepted_at).unwrap(),
            salt: receipt.salt.as_slice().try_into().unwrap(),
            envelope: envelope.as_bytes().to_vec(),
        };
        let leaf = opening.leaf(&region(), envelope.kind()).hash();
        let checkpoint = self.check_note(&receipt.checkpoint, known);
        let path: Vec<[u8; 32]> =
            receipt.path.iter().map(|hash| hash.as_slice().try_into().unwrap()).collect();
        let leads = verify_inclusion(&path, receipt.seq, leaf, checkpoint.size, &checkpoint.root);
        assert!(leads, "the path of {} does not lead to the checkpoint", receipt.seq);
        Stands { seq: receipt.seq, size: checkpoint.size, leaf }
    }

    fn check_note(&self, note: &[u8], known: Option<&Checkpoint>) -> Checkpoint {
        let log = origin(&region(), &self.directory.list().log_id);
        let checkpoint = Checkpoint::open(note, &log, &self.checkpoint_keys()).unwrap();
        if let Some(known) = known {
            assert!(checkpoint.size >= known.size, "the log went back (L-11)");
            assert!(checkpoint.size > known.size || checkpoint.root == known.root, "two trees of one size");
        }
        let mut newest = self.newest.lock().unwrap();
        if newest.as_ref().is_none_or(|newest| newest.size < checkpoint.size) {
            *newest = Some(checkpoint.clone());
        }
        checkpoint
    }

    fn checkpoint_keys(&self) -> Vec<PublicKey> {
        let keys = self.directory.list().members.iter().flat_map(|member| &member.signing_keys);
        keys.filter(|key| key.for_use == KeyUse::Checkpoint).map(|key| key.key).collect()
    }

    /// Searches; gives the entries found, each checked, and the length of the answer.
    pub(crate) async fn search(&self, query: &SearchQuery) -> Result<(Vec<(u64, Entry)>, usize), Failure> {
        let known = self.newest.lock().unwrap().clone();
        let envelope = self.sign(query);
        let request = SearchRequest { envelope: envelope.as_bytes().to_vec() };
        let reply: SearchReply = self.ask(Method::Search, &request).await?;
        let answer: SearchAnswer = self.word_of_registry(&reply.envelope);
        assert_eq!(answer.query, envelope.payload_hash(), "an answer to another query (Q-2)");
        self.check_note(&answer.checkpoint, known.as_ref());
        let entry = |opening: &Opening| {
            let envelope = Envelope::decode(&opening.envelope).unwrap();
            let entry =
                Verified::<Entry>::check(envelope, &self.directory, Said::AtSeq(opening.seq)).unwrap();
            (opening.seq, entry.word().clone())
        };
        Ok((answer.entries.iter().map(entry).collect(), reply.envelope.len()))
    }

    fn word_of_registry<W: Word>(&self, envelope: &[u8]) -> W {
        let verified = Verified::check(Envelope::decode(envelope).unwrap(), &self.directory, Said::Now);
        let (word, signer, _) = verified.unwrap().meant_for(&self.code).unwrap().into_parts();
        assert_eq!(signer, code("registry"));
        word
    }

    /// The whole feed; numbers, chain and heads are checked on the way (F-1 to F-3, C-10).
    pub(crate) async fn feed(&self) -> Result<Feed, Failure> {
        let mut feed = Feed { items: Vec::new(), chain: feed_start(&region(), &self.code) };
        loop {
            let request = FeedRequest { after: feed.number(), count: 7, wait_ms: 0 };
            let answer: FeedAnswer = self.ask(Method::Feed, &request).await?;
            if answer.items.is_empty() {
                return Ok(feed);
            }
            for bytes in answer.items {
                let item = FeedItem::decode(&bytes).unwrap();
                assert_eq!((item.number, item.previous), (feed.number() + 1, feed.chain));
                if let Change::Head(change) = &item.change {
                    assert_eq!(change.computed_head(), change.head);
                }
                feed.chain = feed_next(&feed.chain, &bytes);
                feed.items.push(item);
            }
        }
    }

    /// Asks for a lease at a place of the feed.
    pub(crate) async fn lease(&self, term: u64, number: u64, chain: Digest) -> Result<Lease, Failure> {
        let nonce = Nonce::new(keys::random()).unwrap();
        let request = LeaseRequest {
            nonce: nonce.as_bytes().to_vec(),
            term,
            feed_number: number,
            feed_chain: chain.as_bytes().to_vec(),
        };
        let answer: LeaseAnswer = self.ask(Method::Lease, &request).await?;
        let lease: Lease = self.word_of_registry(&answer.envelope);
        assert_eq!(lease.nonce, nonce, "a lease of another request");
        Ok(lease)
    }

    /// All own words about a subject, with their links (N-9).
    pub(crate) async fn links(&self, subject: Subject) -> Result<Vec<(Opening, Link)>, Failure> {
        let mut links = Vec::new();
        loop {
            let from_number = links.len() as u64 + 1;
            let request = LinksRequest { subject: subject.as_bytes().to_vec(), from_number };
            let answer: LinksAnswer = self.ask(Method::Links, &request).await?;
            if answer.links.is_empty() {
                return Ok(links);
            }
            let read: Result<Vec<_>, DecodeError> = (answer.links.into_iter())
                .map(|link| Ok((Opening::read(link.opening.unwrap())?, Link::read(&link.link.unwrap())?)))
                .collect();
            links.extend(read.unwrap());
        }
    }

    /// A patient asks at this member's desk for consents.
    pub(crate) async fn consents(&self, query: &Act<PatientQuery>) -> Result<ConsentAnswer, Failure> {
        assert_eq!(query.said.what, PatientQuestion::Consents);
        let envelope = self.sign(query).as_bytes().to_vec();
        self.ask(Method::Consent, &ConsentRequest { envelope }).await
    }

    /// A patient asks at this member's desk for events.
    pub(crate) async fn history(&self, query: &Act<PatientQuery>) -> Result<HistoryAnswer, Failure> {
        assert_eq!(query.said.what, PatientQuestion::Events);
        let envelope = self.sign(query).as_bytes().to_vec();
        self.ask(Method::History, &HistoryRequest { envelope }).await
    }
}

/// H-2: a closed code, said twice, and a clause.
fn read_refusal(refusal: &Refusal) -> Failure {
    let told = Refused::decode(refusal.detail.clone()).unwrap();
    assert_eq!(u32::from(refusal.code), told.code);
    let form = told.clause.split_once('-').unwrap();
    assert!(form.0.len() == 1 && form.1.parse::<u8>().is_ok(), "{} is no clause", told.clause);
    Failure::Refused(RefusalCode::try_from(told.code).unwrap(), told.clause, told.retry_after_ms)
}
