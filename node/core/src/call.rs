//! Calls that effects ask for: the bytes that go out, and what those that come back must prove before they are believed (H-1).
//!
//! Not here: how bytes travel, and when a call counts as lost, which the driver says; searches and questions of patients:
//! [`crate::answers`]; documents range by range: [`crate::fetch`].

use std::sync::Arc;

use prost::Message;
use yiqiao_proto::calls::{
    self, ActNotice, CheckpointNotice, Done, EvaluateAnswer, EvaluateRequest, FeedAnswer, FeedRequest,
    InventoryAnswer, InventoryRequest, LeaseAnswer, LeaseRequest, LinksAnswer, LinksRequest, Method,
    ProofRequest, RecallAnswer, RecallRequest, Refusal, ReleaseAnswer, ReleaseRequest, StepRequest,
    SubmitAnswer, SubmitRequest,
};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::{Directory, SignerError};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified};
use yiqiao_proto::id::{Code, Digest, DocumentId, Subject};
use yiqiao_proto::lease::Lease;
use yiqiao_proto::limits::FEED_COUNT_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::member::TokenKey;
use yiqiao_proto::note::NoteError;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::release::Release;
use yiqiao_proto::sealed::{ChunkHash, Map, SealedError};
use yiqiao_proto::token::{Blinding, Evaluation, Token, TokenError};
use yiqiao_proto::wire::calls::{PublishedLink, Submitted};
use yiqiao_proto::wire::words::Link as LinkWire;

use crate::machine::{Checkpoint, Effect, Input, OwnSaying, OwnWord, StatementRead};
use crate::receipts::{self, ReceiptFault};
use crate::refusal;

/// What an effect asks of another process.
pub enum Begun {
    /// A call goes out.
    Call(Outgoing),
    /// Nothing can be asked: this is the answer.
    Over(Box<Answer>),
    /// No call, but work on the files of the vault: [`Effect::Fetch`], [`Effect::Erase`].
    Files,
}

/// A call that goes out, and what is remembered of it until it is answered.
pub struct Outgoing {
    /// To whom.
    pub to: To,
    /// What is called.
    pub method: Method,
    /// The request's bytes.
    pub request: Vec<u8>,
    /// Names the answer; none if nobody waits for it.
    pub ticket: Option<u64>,
    asked: Asked,
}

/// Whom a call goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The registry.
    Registry,
    /// A member.
    Member(Code),
}

/// What is remembered of a call: what its answer is checked against.
enum Asked {
    Tokens { blinding: Box<Blinding>, key: TokenKey },
    Receipts { words: Vec<Envelope> },
    OwnWords { subject: Subject },
    Recall,
    Feed,
    Lease,
    Proof { sizes: usize },
    Checkpoint { member: Code },
    Inventory { subjects: Vec<Subject> },
    Alarm,
    Figures,
    Release,
    Done,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It was refused.
    Refused(Refusal),
    /// It was refused by bytes that are no refusal (H-2).
    Unreadable(DecodeError),
    /// Nothing came.
    Silent,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the machine is handed: always one input with the effect's ticket, if somebody waits for it.
    pub input: Option<Input>,
    /// A document that is let go, and its map: kept before the input is handed in, since the fetch rests on it (Z-5).
    pub map: Option<(DocumentId, Map)>,
    /// Why what came is not believed.
    pub unbelieved: Option<Unbelieved>,
}

/// What an answer fails to prove.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbelieved {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptFault),
    /// An evaluation.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A word.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A checkpoint.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Bytes of a document.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The member list has no token key of the epoch that was asked for.
    #[error("the member list has no token key of epoch {epoch} (T-7)")]
    Epoch {
        /// The epoch.
        epoch: u32,
    },
    /// A word that is said to be this node's is not.
    #[error("a word that is said to be this node's is not signed by it, or not for this place (N-9)")]
    OtherWord,
    /// An answer to something else than was asked.
    #[error("the answer is not one to what was asked: {0}")]
    OtherAnswer(&'static str),
}

/// Turns an effect into the call that it asks for.
pub fn begin(effect: &Effect, directory: &Directory, entropy: &mut Entropy) -> Begun {
    let registry = To::Registry;
    let call = match effect {
        Effect::Evaluate { ticket, epoch, identifiers } => {
            match evaluate(*epoch, identifiers, directory, entropy) {
                Ok((request, asked)) => call(registry, Method::Evaluate, &request, *ticket, asked),
                Err(why) => return Begun::Over(Box::new(Answer::unbelieved(Some(*ticket), why))),
            }
        }
        Effect::Submit { ticket, words } => {
            let asked = Asked::Receipts { words: words.iter().map(|(word, _)| word.clone()).collect() };
            call(registry, Method::Submit, &submission(words), *ticket, asked)
        }
        Effect::OwnWords { ticket, subject, from_number } => {
            let request = LinksRequest { subject: subject.as_bytes().to_vec(), from_number: *from_number };
            call(registry, Method::Links, &request, *ticket, Asked::OwnWords { subject: *subject })
        }
        Effect::Recall { ticket, from } => {
            call(registry, Method::Recall, &RecallRequest { from: *from }, *ticket, Asked::Recall)
        }
        Effect::ReadFeed { ticket, after, wait } => {
            let request = FeedRequest { after: *after, count: FEED_COUNT_MAX, wait_ms: wait.get() };
            call(registry, Method::Feed, &request, *ticket, Asked::Feed)
        }
        Effect::AskLease { ticket, nonce, term, feed_number, feed_chain } => {
            let request = LeaseRequest {
                nonce: nonce.as_bytes().to_vec(),
                term: *term,
                feed_number: *feed_number,
                feed_chain: feed_chain.as_bytes().to_vec(),
            };
            call(registry, Method::Lease, &request, *ticket, Asked::Lease)
        }
        Effect::AskProof { ticket, sizes } => {
            let (request, asked) =
                (ProofRequest { sizes: sizes.clone() }, Asked::Proof { sizes: sizes.len() });
            call(registry, Method::Proof, &request, *ticket, asked)
        }
        Effect::Compare { ticket, member, checkpoint } => {
            let request = CheckpointNotice { checkpoint: checkpoint.clone() };
            let asked = Asked::Checkpoint { member: member.clone() };
            call(To::Member(member.clone()), Method::Compare, &request, *ticket, asked)
        }
        Effect::AskInventory { ticket, subjects } => {
            let named = subjects.iter().map(|subject| subject.as_bytes().to_vec()).collect();
            let asked = Asked::Inventory { subjects: subjects.clone() };
            call(registry, Method::Inventory, &InventoryRequest { subjects: named }, *ticket, asked)
        }
        Effect::TellAlarm { ticket, alarm } => call(registry, Method::Alarm, alarm, *ticket, Asked::Alarm),
        Effect::TellFigures { ticket, notice } => {
            call(registry, Method::Quality, notice, *ticket, Asked::Figures)
        }
        Effect::TellAct { member, act } => {
            let request = ActNotice { envelope: act.as_bytes().to_vec() };
            call(To::Member(member.clone()), Method::ActNotice, &request, None, Asked::Done)
        }
        Effect::TellStep { ticket, member, step } => {
            let request = StepRequest { envelope: step.as_bytes().to_vec() };
            call(To::Member(member.clone()), Method::Step, &request, *ticket, Asked::Done)
        }
        Effect::AskRelease { ticket, holder, request, emergency } => {
            let (envelope, emergency) = (request.as_bytes().to_vec(), emergency.clone());
            let request = ReleaseRequest { envelope, emergency };
            call(To::Member(holder.clone()), Method::Release, &request, *ticket, Asked::Release)
        }
        Effect::Fetch { .. } | Effect::Erase { .. } => return Begun::Files,
    };
    Begun::Call(call)
}

fn call(
    to: To,
    method: Method,
    request: &impl Message,
    ticket: impl Into<Option<u64>>,
    asked: Asked,
) -> Outgoing {
    Outgoing { to, method, request: request.encode_to_vec(), ticket: ticket.into(), asked }
}

/// Blinds identifiers under the key of an epoch (T-3).
fn evaluate(
    epoch: u32,
    identifiers: &[Identifier],
    directory: &Directory,
    entropy: &mut Entropy,
) -> Result<(EvaluateRequest, Asked), Unbelieved> {
    let key = directory.list().token_keys.iter().find(|key| key.epoch == epoch).copied();
    let key = key.ok_or(Unbelieved::Epoch { epoch })?;
    let blinding = Box::new(Blinding::new(directory.region(), identifiers, entropy)?);
    let request = EvaluateRequest { epoch, blinded: blinding.blinded().to_vec() };
    Ok((request, Asked::Tokens { blinding, key }))
}

fn submission(words: &[(Envelope, Option<Link>)]) -> SubmitRequest {
    let submitted = |(envelope, link): &(Envelope, Option<Link>)| Submitted {
        envelope: envelope.as_bytes().to_vec(),
        link: link.as_ref().map(Link::write),
    };
    SubmitRequest { words: words.iter().map(submitted).collect() }
}

impl Outgoing {
    /// What comes of the call, by the members in force when its answer is there; `own` is this node's code.
    pub fn answered(self, directory: &Directory, own: &Code, answer: Result<&[u8], Lost>) -> Answer {
        let ticket = self.ticket;
        let failed = |refusal| Answer::failed(ticket, refusal);
        match answer.map(|bytes| self.believe(directory, own, bytes)) {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => Answer::unbelieved(ticket, why),
            Err(Lost::Refused(refusal)) => failed(Some(refusal)),
            Err(Lost::Unreadable(error)) => Answer::unbelieved(ticket, error.into()),
            Err(Lost::Silent) => failed(None),
        }
    }

    fn believe(self, directory: &Directory, own: &Code, bytes: &[u8]) -> Result<Answer, Unbelieved> {
        let Some(ticket) = self.ticket else {
            let Done {} = read(bytes)?;
            return Ok(Answer { input: None, map: None, unbelieved: None });
        };
        Ok(Answer::of(match self.asked {
            Asked::Tokens { blinding, key } => {
                Input::Evaluated { ticket, tokens: tokens(&blinding, &key, bytes)? }
            }
            Asked::Receipts { words } => {
                let SubmitAnswer { receipts } = read(bytes)?;
                let (receipts, checkpoint, last) = receipts::check(directory, &words, &receipts)?;
                Input::Receipted { ticket, receipts, checkpoint, last: Some(Box::new(last)) }
            }
            Asked::OwnWords { subject } => {
                let answer: LinksAnswer = read(bytes)?;
                let statement = answer.statement.map(|opening| statement(directory, own, &subject, opening));
                let statement = statement.transpose()?;
                Input::OwnWords { ticket, words: own_words(directory, own, answer.links)?, statement }
            }
            Asked::Recall => {
                let RecallAnswer { words, next, whole } = read(bytes)?;
                let words = words.into_iter().map(|word| recalled(directory, own, word));
                let words = words.filter_map(Result::transpose).collect::<Result<_, _>>()?;
                Input::Recalled { ticket, words, next, whole }
            }
            // The machine checks that they follow (F-3).
            Asked::Feed => Input::Fed { ticket, items: read::<FeedAnswer>(bytes)?.items },
            // The machine checks what it says (F-7).
            Asked::Lease => {
                let (lease, checkpoint) = lease(directory, bytes)?;
                Input::Leased { ticket, lease: Arc::new(lease), checkpoint }
            }
            Asked::Proof { sizes } => {
                let (checkpoint, proofs) = receipts::proofs(directory, sizes, &read(bytes)?)?;
                Input::Proved { ticket, checkpoint, proofs }
            }
            Asked::Checkpoint { member } => {
                let CheckpointNotice { checkpoint } = read(bytes)?;
                let checkpoint = receipts::shown(directory, &checkpoint)?;
                Input::Shown { ticket: Some(ticket), member, checkpoint }
            }
            Asked::Inventory { subjects } => {
                let InventoryAnswer { envelope } = read(bytes)?;
                let (inventory, checkpoint) = receipts::inventory(directory, own, &envelope)?;
                let held = inventory.word().holdings.iter().map(|held| &held.subject);
                if inventory.word().publisher != *own || !held.eq(&subjects) {
                    return Err(Unbelieved::OtherAnswer("what is held of the subjects (L-15)"));
                }
                Input::Inventoried { ticket: Some(ticket), inventory: Box::new(inventory), checkpoint }
            }
            Asked::Alarm => {
                let Done {} = read(bytes)?;
                Input::AlarmHeard { ticket }
            }
            Asked::Figures => {
                let Done {} = read(bytes)?;
                Input::FiguresHeard { ticket }
            }
            Asked::Release => return release(ticket, directory, own, bytes),
            Asked::Done => {
                let Done {} = read(bytes)?;
                Input::Told { ticket }
            }
        }))
    }
}

impl Lost {
    /// A refusal as it came over the link.
    pub fn refused(bytes: &[u8]) -> Self {
        refusal::read(bytes).map_or_else(Self::Unreadable, Self::Refused)
    }
}

impl Answer {
    const fn of(input: Input) -> Self {
        Self { input: Some(input), map: None, unbelieved: None }
    }

    fn failed(ticket: Option<u64>, refusal: Option<Refusal>) -> Self {
        let input = ticket.map(|ticket| Input::Failed { ticket, refusal });
        Self { input, map: None, unbelieved: None }
    }

    fn unbelieved(ticket: Option<u64>, why: Unbelieved) -> Self {
        let refusal = why.refusal();
        Self { unbelieved: Some(why), ..Self::failed(ticket, refusal) }
    }
}

impl Unbelieved {
    /// What it counts as for the machine; none if the next answer may be better.
    fn refusal(&self) -> Option<Refusal> {
        // Bytes that are not the document's: the holder's link is authentic, so they will not get better.
        let is_for_good = matches!(self, Self::Sealed(_) | Self::OtherAnswer(_));
        is_for_good.then_some(Refusal { code: RefusalCode::Malformed, clause: "Z-5", retry_after: None })
    }
}

fn read<A: calls::Call>(bytes: &[u8]) -> Result<A, DecodeError> {
    A::from_bytes(bytes)
}

/// Tokens, proved to be made with the region's key (T-3).
fn tokens(blinding: &Blinding, key: &TokenKey, bytes: &[u8]) -> Result<Vec<Token>, Unbelieved> {
    let EvaluateAnswer { evaluated, proof } = read(bytes)?;
    Ok(blinding.finish(key, &Evaluation { elements: evaluated, proof })?)
}

/// This node's words about a subject, as the registry has them (N-9): number and hash of the payload of each. Those of a key that
/// was in other hands are among them: what comes next must follow them.
fn own_words(
    directory: &Directory,
    own: &Code,
    links: Vec<PublishedLink>,
) -> Result<Vec<(u64, Digest)>, Unbelieved> {
    let word = |published: PublishedLink| {
        let missing = || DecodeError::Missing { field: "links_answer.links" };
        let opening = Opening::read(published.opening.ok_or_else(missing)?)?;
        let link = Link::read(&published.link.ok_or_else(missing)?)?;
        let envelope = Envelope::decode(&opening.envelope)?;
        let payload = envelope.payload_hash();
        let said = signed_link(directory, envelope);
        let fits = said.is_some_and(|(signer, said)| signer == *own && said == link.commitment());
        if fits { Ok((link.number, payload)) } else { Err(Unbelieved::OtherWord) }
    };
    links.into_iter().map(word).collect()
}

/// This node's newest statement about a subject, as the registry has it (N-9).
fn statement(
    directory: &Directory,
    own: &Code,
    subject: &Subject,
    opening: yiqiao_proto::wire::words::Opening,
) -> Result<StatementRead, Unbelieved> {
    let opening = Opening::read(opening)?;
    let envelope = Envelope::decode(&opening.envelope)?;
    let said = Verified::<IdentityStatement>::check(envelope, directory, Said::Own)?;
    if said.signer() != own || said.word().subject != *subject {
        return Err(Unbelieved::OtherWord);
    }
    let payload = said.envelope().payload_hash();
    Ok(StatementRead { number: said.word().number, payload, tokens: said.word().tokens.clone() })
}

/// A word of this node in the log (N-9); nothing if its key does not count for its place (M-6): it is not acted upon.
fn recalled(
    directory: &Directory,
    own: &Code,
    published: PublishedLink,
) -> Result<Option<OwnWord>, Unbelieved> {
    let missing = || DecodeError::Missing { field: "recall_answer.words" };
    let opening = Opening::read(published.opening.ok_or_else(missing)?)?;
    let envelope = Envelope::decode(&opening.envelope)?;
    let said = Said::AtSeq(opening.seq);
    if let Err(SignerError::Compromised { .. }) = directory.signer(envelope.key_id(), envelope.kind(), said) {
        return Ok(None);
    }
    let word = if envelope.kind() == Kind::IdentityStatement {
        Some(own_statement(&Verified::check(envelope, directory, said)?))
    } else if envelope.kind() == Kind::Entry {
        own_entry(&Verified::check(envelope, directory, said)?, published.link)?
    } else {
        own_withdrawal(&Verified::check(envelope, directory, said)?, published.link)?
    };
    word.filter(|(signer, _)| signer == own).map(|(_, word)| Some(word)).ok_or(Unbelieved::OtherWord)
}

fn own_statement(said: &Verified<IdentityStatement>) -> (Code, OwnWord) {
    let (payload, word) = (said.envelope().payload_hash(), said.word());
    let says = OwnSaying::Statement(word.tokens.clone());
    (said.signer().clone(), OwnWord { subject: word.subject, number: word.number, payload, says })
}

fn own_entry(said: &Verified<Entry>, link: Option<LinkWire>) -> Result<Option<(Code, OwnWord)>, Unbelieved> {
    let (payload, word) = (said.envelope().payload_hash(), said.word());
    let number = number_of(link, &word.link)?;
    let says = OwnSaying::Entry(word.entry_id);
    Ok(number.map(|number| (said.signer().clone(), OwnWord { subject: word.subject, number, payload, says })))
}

fn own_withdrawal(
    said: &Verified<Withdrawal>,
    link: Option<LinkWire>,
) -> Result<Option<(Code, OwnWord)>, Unbelieved> {
    let (payload, word) = (said.envelope().payload_hash(), said.word());
    let number = number_of(link, &word.link)?;
    let says = OwnSaying::Withdrawal(word.entry_id, word.reason);
    Ok(number.map(|number| (said.signer().clone(), OwnWord { subject: word.subject, number, payload, says })))
}

/// The number of a link, if a word commits to it (N-2).
fn number_of(link: Option<LinkWire>, commitment: &Digest) -> Result<Option<u64>, Unbelieved> {
    let link = Link::read(&link.ok_or(DecodeError::Missing { field: "recall_answer.words" })?)?;
    Ok((link.commitment() == *commitment).then_some(link.number))
}

/// Who signed an entry or a withdrawal, and what it says of its place (N-2); nothing if it is neither, or the signature does
/// not fit.
fn signed_link(directory: &Directory, envelope: Envelope) -> Option<(Code, Digest)> {
    if envelope.kind() == Kind::Entry {
        let word = Verified::<Entry>::check(envelope, directory, Said::Own).ok()?;
        Some((word.signer().clone(), word.word().link))
    } else {
        let word = Verified::<Withdrawal>::check(envelope, directory, Said::Own).ok()?;
        Some((word.signer().clone(), word.word().link))
    }
}

/// A lease, and the newest checkpoint of the log that counts.
fn lease(directory: &Directory, bytes: &[u8]) -> Result<(Verified<Lease>, Checkpoint), Unbelieved> {
    let LeaseAnswer { envelope, checkpoint } = read(bytes)?;
    let lease = Verified::check(Envelope::decode(&envelope)?, directory, Said::Now)?;
    Ok((lease, receipts::open(directory, &checkpoint)?))
}

/// A release to this node, and the map of its document (P-2, Z-5).
fn release(ticket: u64, directory: &Directory, own: &Code, bytes: &[u8]) -> Result<Answer, Unbelieved> {
    let answer: ReleaseAnswer = read(bytes)?;
    let envelope = Envelope::decode(&answer.release)?;
    let release = Verified::<Release>::check(envelope, directory, Said::Now)?.meant_for(own)?;
    let hashes = answer.chunk_hashes.iter().map(|hash| hash.as_slice().try_into());
    let other_map = |_| Unbelieved::OtherAnswer("the chunk hashes of the document (Z-5)");
    let hashes: Vec<ChunkHash> = hashes.collect::<Result<_, _>>().map_err(other_map)?;
    let document = release.word().terms.document;
    let map = Map::new(document, &answer.header, hashes)?;
    let (header, wrapped_key) = (map.header().clone(), answer.wrapped_key);
    let input = Input::ReleaseCame { ticket, release: Box::new(release), wrapped_key, header };
    Ok(Answer { map: Some((document, map)), ..Answer::of(input) })
}
