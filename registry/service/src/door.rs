//! The calls of members: bytes to checked inputs, and answers back (H-1 to H-3).

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;
use tokio::sync::{mpsc, oneshot, watch};
use yiqiao_host::keys;
use yiqiao_host::link::{PeerId, PullAnswer, Refusal, Service};
use yiqiao_proto::calls::{
    Call, ConsentRequest, EvaluateAnswer, EvaluateRequest, FeedRequest, HistoryRequest, LeaseRequest,
    LinksRequest, MembersAnswer, MembersRequest, Method, SearchRequest, SubmitRequest,
};
use yiqiao_proto::codes::{MemberRole, PatientQuestion, RefusalCode};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::id::{Code, Digest, Nonce, Subject};
use yiqiao_proto::limits::{CALL_BYTES_MAX, EVALUATION_MAX, SUBMISSION_MAX};
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::TokenSecret;
use yiqiao_proto::wire::calls::{Refused as RefusedWire, Submitted};
use yiqiao_registry_core::lease::LeaseAsked;
use yiqiao_registry_core::machine::{ConsentAct, Input, Refused};
use yiqiao_registry_core::take::{ChainWord, Submission};

use crate::limits::LISTS_MAX;
use crate::region;
use crate::sequencer::Job;

/// When a caller may try again if the registry is behind.
const BUSY_MS: u64 = 200;
/// When a caller may try again if something failed here.
const FAILED_MS: u64 = 10_000;

/// What answers members' calls.
#[derive(Clone)]
pub(crate) struct Door {
    jobs: mpsc::Sender<Job>,
    directory: watch::Receiver<Directory>,
    tokens: Arc<TokenSecret>,
    lists: PathBuf,
}

impl Door {
    pub(crate) const fn new(
        jobs: mpsc::Sender<Job>,
        directory: watch::Receiver<Directory>,
        tokens: Arc<TokenSecret>,
        lists: PathBuf,
    ) -> Self {
        Self { jobs, directory, tokens, lists }
    }

    async fn answer(self, peer: PeerId, method: u16, request: Bytes) -> Result<Vec<u8>, Refused> {
        let directory = self.directory.borrow().clone();
        let member = directory.member_at(&peer.to_bytes()).ok_or(refused(RefusalCode::NotMember, "M-11"))?;
        let method = Method::try_from(method).map_err(|_| refused(RefusalCode::Malformed, "H-1"))?;
        let asker = member.code.clone();
        match method {
            Method::Members => self.members(read(&request)?),
            Method::Evaluate => self.evaluate(asker, read(&request)?).await,
            Method::Submit => {
                custodian(&directory, &asker)?;
                let submission =
                    tokio::task::block_in_place(|| submission(&directory, &asker, &read(&request)?))?;
                self.ask(Input::Submit(Box::new(submission))).await
            }
            Method::Search => {
                let request: SearchRequest = read(&request)?;
                self.ask(Input::Search(check(&directory, &asker, &request.envelope)?)).await
            }
            Method::Consent => {
                let request: ConsentRequest = read(&request)?;
                self.ask(question(&directory, &asker, &request.envelope, PatientQuestion::Consents)?).await
            }
            Method::History => {
                let request: HistoryRequest = read(&request)?;
                self.ask(question(&directory, &asker, &request.envelope, PatientQuestion::Events)?).await
            }
            Method::Lease => self.ask(Input::Lease(lease(asker, &read(&request)?)?)).await,
            Method::Feed => {
                let FeedRequest { after, count } = read(&request)?;
                self.ask(Input::Feed { member: asker, after, count }).await
            }
            Method::Links => {
                let LinksRequest { subject, from_number } = read(&request)?;
                let subject = Subject::read("links_request.subject", &subject);
                let subject = subject.map_err(|_| refused(RefusalCode::Malformed, "W-4"))?;
                self.ask(Input::Links { member: asker, subject, from_number }).await
            }
            Method::Proof | Method::Release | Method::Step | Method::ActNotice => {
                Err(refused(RefusalCode::Malformed, "H-1"))
            }
        }
    }

    async fn ask(&self, input: Input) -> Result<Vec<u8>, Refused> {
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Job { input, reply }).map_err(|_| refused(RefusalCode::Busy, "H-2"))?;
        // The log has ended on the way: whether the input was taken is known after the next start, so it may come again (H-3).
        let answer = answer.await.map_err(|_| refused(RefusalCode::Busy, "H-2"))??;
        let fits = answer.len() <= CALL_BYTES_MAX;
        if fits { Ok(answer) } else { Err(refused(RefusalCode::OverLimit, "W-3")) }
    }

    /// Member lists after a version (M-2): a member follows them one by one.
    fn members(&self, request: MembersRequest) -> Result<Vec<u8>, Refused> {
        let newest = self.directory.borrow().list().version;
        let last = newest.min(request.after_version.saturating_add(LISTS_MAX));
        let read = |version| region::read_list(&self.lists, version).ok().flatten();
        let lists = (request.after_version.saturating_add(1)..=last).map(read);
        let mut envelopes = Vec::new();
        let mut room = CALL_BYTES_MAX / 2;
        for list in lists {
            let list: Envelope = list.ok_or(refused(RefusalCode::Failed, "M-2"))?;
            let bytes = list.as_bytes().to_vec();
            // The first list always goes: the largest fits one answer alone.
            if bytes.len() > room && !envelopes.is_empty() {
                break;
            }
            room = room.saturating_sub(bytes.len());
            envelopes.push(bytes);
        }
        Ok(MembersAnswer { envelopes }.encode_to_vec())
    }

    /// Evaluates blinded elements, once the member's quota allows (T-3, T-5).
    async fn evaluate(self, member: Code, request: EvaluateRequest) -> Result<Vec<u8>, Refused> {
        if request.epoch != self.tokens.public().epoch {
            return Err(refused(RefusalCode::Malformed, "T-7"));
        }
        if !(1..=EVALUATION_MAX).contains(&request.blinded.len()) {
            return Err(refused(RefusalCode::OverLimit, "T-3"));
        }
        let elements = request.blinded.len() as u64;
        self.ask(Input::Evaluate { member, elements }).await?;
        let tokens = Arc::clone(&self.tokens);
        let evaluate = move || tokens.evaluate(&request.blinded, &mut Entropy::new(keys::random()));
        let evaluation = tokio::task::spawn_blocking(evaluate)
            .await
            .map_err(|_| refused(RefusalCode::Failed, "T-3"))?
            .map_err(|_| refused(RefusalCode::Malformed, "T-3"))?;
        Ok(EvaluateAnswer { evaluated: evaluation.elements, proof: evaluation.proof }.encode_to_vec())
    }
}

impl Service for Door {
    fn call(&self, peer: PeerId, method: u16, request: Bytes) -> BoxFuture<'static, Result<Bytes, Refusal>> {
        let door = self.clone();
        async move { door.answer(peer, method, request).await.map(Bytes::from).map_err(|error| tell(&error)) }
            .boxed()
    }

    fn pull(&self, _: PeerId, _: Bytes) -> BoxFuture<'static, Result<PullAnswer, Refusal>> {
        async { Err(tell(&refused(RefusalCode::Nothing, "P-4"))) }.boxed()
    }
}

/// A refusal as it goes over the link (H-2).
fn tell(refused: &Refused) -> Refusal {
    let waits = refused.retry_after.map(Millis::get);
    let retry_after_ms = waits.unwrap_or(match refused.code {
        RefusalCode::Busy => BUSY_MS,
        RefusalCode::Failed => FAILED_MS,
        RefusalCode::NotMember
        | RefusalCode::Malformed
        | RefusalCode::BadSignature
        | RefusalCode::Conflict
        | RefusalCode::OutOfOrder
        | RefusalCode::OverLimit
        | RefusalCode::Nothing
        | RefusalCode::Stale
        | RefusalCode::Stopped => 0,
    });
    let code = refused.code.number();
    let detail = RefusedWire { code, clause: refused.clause.to_owned(), retry_after_ms };
    Refusal { code: u16::try_from(code).unwrap_or(u16::MAX), detail: detail.encode_to_vec().into() }
}

const fn refused(code: RefusalCode, clause: &'static str) -> Refused {
    Refused::new(code, clause)
}

fn read<C: Call>(bytes: &[u8]) -> Result<C, Refused> {
    C::from_bytes(bytes).map_err(|error| {
        tracing::debug!(%error, "a call cannot be read");
        let over = matches!(error, DecodeError::TooMany { .. } | DecodeError::TooLarge { .. });
        if over { refused(RefusalCode::OverLimit, "W-3") } else { refused(RefusalCode::Malformed, "W-2") }
    })
}

fn custodian(directory: &Directory, member: &Code) -> Result<(), Refused> {
    let says = [MemberRole::Custodian, MemberRole::Portal];
    let may =
        directory.member(member).is_some_and(|member| says.iter().any(|role| member.roles.contains(role)));
    if may { Ok(()) } else { Err(refused(RefusalCode::NotMember, "E-5")) }
}

/// A word that the calling member itself says now.
fn check<W: Word>(directory: &Directory, asker: &Code, envelope: &[u8]) -> Result<Verified<W>, Refused> {
    let envelope = Envelope::decode(envelope).map_err(|_| refused(RefusalCode::Malformed, "E-1"))?;
    let verified =
        Verified::check(envelope, directory, Said::Now).map_err(|error| envelope_refused(&error))?;
    own(asker, verified)
}

/// A patient's question, in the call whose answer it asks for.
fn question(
    directory: &Directory,
    asker: &Code,
    envelope: &[u8],
    what: PatientQuestion,
) -> Result<Input, Refused> {
    let query: Verified<Act<PatientQuery>> = check(directory, asker, envelope)?;
    let fits = query.word().said.what == what;
    if fits { Ok(Input::PatientQuery(query)) } else { Err(refused(RefusalCode::Malformed, "A-4")) }
}

/// A member hands in its own words only.
fn own<W>(asker: &Code, verified: Verified<W>) -> Result<Verified<W>, Refused> {
    if verified.signer() == asker { Ok(verified) } else { Err(refused(RefusalCode::NotMember, "E-6")) }
}

fn envelope_refused(error: &EnvelopeError) -> Refused {
    tracing::debug!(%error, "a word is not believed");
    match error {
        EnvelopeError::Decode(_) => refused(RefusalCode::Malformed, "W-2"),
        EnvelopeError::WrongKind { .. } => refused(RefusalCode::Malformed, "E-4"),
        EnvelopeError::Signer(_) => refused(RefusalCode::NotMember, "E-5"),
        EnvelopeError::OtherSayer { .. } => refused(RefusalCode::NotMember, "E-6"),
        EnvelopeError::OtherAddressee { .. } => refused(RefusalCode::NotMember, "E-7"),
        EnvelopeError::BadSignature => refused(RefusalCode::BadSignature, "E-2"),
    }
}

fn lease(member: Code, request: &LeaseRequest) -> Result<LeaseAsked, Refused> {
    let malformed = |_| refused(RefusalCode::Malformed, "F-6");
    Ok(LeaseAsked {
        member,
        nonce: Nonce::read("lease_request.nonce", &request.nonce).map_err(malformed)?,
        term: request.term,
        feed_number: request.feed_number,
        feed_chain: Digest::read("lease_request.feed_chain", &request.feed_chain).map_err(malformed)?,
    })
}

/// The words of a submission: links of one subject, or one word of another kind.
fn submission(directory: &Directory, asker: &Code, request: &SubmitRequest) -> Result<Submission, Refused> {
    if request.words.is_empty() || request.words.len() > SUBMISSION_MAX {
        return Err(refused(RefusalCode::OverLimit, "N-5"));
    }
    let envelopes: Vec<Envelope> = request
        .words
        .iter()
        .map(|word| Envelope::decode(&word.envelope).map_err(|_| refused(RefusalCode::Malformed, "E-1")))
        .collect::<Result<_, _>>()?;
    let is_link = |envelope: &Envelope| matches!(envelope.kind(), Kind::Entry | Kind::Withdrawal);
    if envelopes.iter().all(is_link) {
        return links(directory, asker, &request.words, envelopes).map(Submission::Links);
    }
    let [envelope] =
        <[Envelope; 1]>::try_from(envelopes).map_err(|_| refused(RefusalCode::Malformed, "N-5"))?;
    one(directory, asker, &envelope)
}

fn links(
    directory: &Directory,
    asker: &Code,
    words: &[Submitted],
    envelopes: Vec<Envelope>,
) -> Result<Vec<ChainWord>, Refused> {
    let places = words.iter().map(|word| {
        let link = word.link.as_ref().ok_or(refused(RefusalCode::Malformed, "N-2"))?;
        Link::read(link).map_err(|_| refused(RefusalCode::Malformed, "N-2"))
    });
    let places: Vec<Link> = places.collect::<Result<_, _>>()?;
    let kinds: Vec<Kind> = envelopes.iter().map(Envelope::kind).collect();
    // Entries are checked together, which is several times cheaper than one by one (S-3).
    let (entries, withdrawals): (Vec<_>, Vec<_>) =
        envelopes.into_iter().partition(|envelope| envelope.kind() == Kind::Entry);
    let mut entropy = Entropy::new(keys::random());
    let mut entries = Verified::check_all(entries, directory, &mut entropy).into_iter();
    let mut withdrawals = Verified::check_all(withdrawals, directory, &mut entropy).into_iter();
    let word = |(kind, link): (Kind, Link)| {
        let missing = refused(RefusalCode::Malformed, "N-5");
        Ok(if kind == Kind::Entry {
            let entry = entries.next().ok_or(missing)?.map_err(|error| envelope_refused(&error))?;
            ChainWord::Entry(own(asker, entry)?, link)
        } else {
            let withdrawal = withdrawals.next().ok_or(missing)?.map_err(|error| envelope_refused(&error))?;
            ChainWord::Withdrawal(own(asker, withdrawal)?, link)
        })
    };
    kinds.into_iter().zip(places).map(word).collect()
}

fn one(directory: &Directory, asker: &Code, envelope: &Envelope) -> Result<Submission, Refused> {
    let bytes = envelope.as_bytes();
    Ok(match envelope.kind() {
        Kind::IdentityStatement => Submission::Identity(check(directory, asker, bytes)?),
        Kind::Directive => {
            Submission::Consent(ConsentAct::Directive(Box::new(check(directory, asker, bytes)?)))
        }
        Kind::Revocation => {
            Submission::Consent(ConsentAct::Revocation(Box::new(check(directory, asker, bytes)?)))
        }
        Kind::CredentialStatement => Submission::Credential(check(directory, asker, bytes)?),
        Kind::AccessEvent => Submission::Event(check(directory, asker, bytes)?),
        Kind::Release => Submission::Release(check(directory, asker, bytes)?),
        Kind::Delivery => Submission::Delivery(check(directory, asker, bytes)?),
        Kind::MemberList
        | Kind::Entry
        | Kind::Withdrawal
        | Kind::ReferralStep
        | Kind::PullRequest
        | Kind::SearchQuery
        | Kind::SearchAnswer
        | Kind::Lease
        | Kind::PatientQuery => return Err(refused(RefusalCode::Malformed, "L-1")),
    })
}
