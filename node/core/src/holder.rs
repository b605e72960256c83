//! The holder's side of a pull (P-1 to P-8): what is let go to whom, and range by range, as long as it is permitted.
//!
//! What is refused by decision looks the same whatever the reason (P-4). Each release and each denial is a line of the audit, and
//! an event of the patient. Not here: the sealed bytes, which the driver serves.

use std::collections::BTreeSet;

use yiqiao_consent::{Document as Asked, Request as Question};
use yiqiao_proto::access;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentClass, RefusalCode, Sensitivity};
use yiqiao_proto::envelope::{Envelope, Verified, Word};
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId, Subject};
use yiqiao_proto::limits::{CHUNK_BYTES, RANGE_CHUNKS_MAX, REQUEST_LIFE_MS_MAX};
use yiqiao_proto::member::{KeyState, SealingKey};
use yiqiao_proto::release::{PullRequest, Release, Terms};
use yiqiao_proto::sealed::DocumentKey;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;
use zeroize::Zeroizing;

use crate::actor::Actor;
use crate::audit::{Act, Line, audit};
use crate::consent::{self, Judgement};
use crate::emergency::Declared;
use crate::event::{self, Event};
use crate::feed;
use crate::limits::{DECISION_HOLDS, PAGE_MAX, RECIPIENTS_MAX, REQUESTS_PER_DAY_MAX, SOON};
use crate::machine::{Machine, Outcome, Stop, Work};
use crate::said::{self, WordState};
use crate::state::kept;
use crate::state::{
    self, Body, Document, Fault, Request, RequestRef, View, damaged, read_digest, read_document_id,
    read_subject, read_token,
};
use crate::tokens::{self, Tokens};
use crate::{glass, person, seal};

const DAY: Millis = Millis::from_secs(24 * 3600);

/// A stretch of a released document, wanted by its recipient (P-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The member at the other end.
    pub member: Code,
    /// Hash of the request under which the document was released.
    pub request: Digest,
    /// The first chunk.
    pub first_chunk: u64,
    /// How many; at most [`RANGE_CHUNKS_MAX`].
    pub chunks: u32,
}

impl Machine {
    /// Whether a request would be permitted by what is known now. If not, the feed may hold a consent that was given just
    /// before: the driver lets it be read before it hands the request in, so that a denial is one of now.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn would_permit(&self, request: &PullRequest, now: Timestamp, view: &View) -> Result<bool, Fault> {
        Ok(Case::of(self, view, request, now)?.is_some_and(|case| case.judgement.permits))
    }
}

/// A member asks for a document (P-1).
pub(crate) fn asked(
    work: &mut Work<'_>,
    request: &Verified<PullRequest>,
    emergency: &[Declared],
) -> Result<Outcome, Stop> {
    Ok(match answer(work, request, emergency)? {
        Ok(outcome) => outcome,
        Err(refusal) => Outcome::Refused(refusal),
    })
}

fn answer(
    work: &mut Work<'_>,
    request: &Verified<PullRequest>,
    emergency: &[Declared],
) -> Result<Result<Outcome, Refusal>, Stop> {
    let hash = request.envelope().payload_hash();
    let known = work.view.find(&state::request(&hash))?;
    if let Err(refusal) = admit(work, request, &hash, known.is_some())? {
        return Ok(Err(refusal));
    }
    let word = request.word();
    let key = match sealing_key(work, word) {
        Ok(key) => key,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let case = Case::of(work.machine, work.view, word, work.now)?;
    let case = case.map(|case| case.declared(word, emergency, work.now));
    let Some(case) = case.as_ref().filter(|case| case.judgement.permits) else {
        let denied = known.is_some_and(|known| known.denied);
        return deny(work, request, case.as_ref(), denied).map(Err).map_err(Stop::from);
    };
    if !case.is_told {
        return Ok(Err(soon("P-8")));
    }
    match known.filter(|known| !known.release.is_empty()) {
        Some(known) => again(work, &known),
        None => release(work, request, &hash, case, &key),
    }
}

/// What is looked at before the document (P-4): who asks whom, expiry, nonce, how much, and the lease.
fn admit(
    work: &Work<'_>,
    request: &Verified<PullRequest>,
    hash: &Digest,
    is_known: bool,
) -> Result<Result<(), Refusal>, Fault> {
    let (word, member) = (request.word(), request.signer());
    let directory = &work.machine.directory;
    let is_member = directory.member(member).is_some_and(|member| !member.suspended);
    let life = Millis::new(REQUEST_LIFE_MS_MAX);
    let nonce = work.view.get(&state::nonce(member, &word.nonce))?;
    let over = !is_known && asks_too_much(work, member)?;
    Ok(Err(if word.holder != work.machine.config.organisation {
        refuse(RefusalCode::Malformed, "E-7")
    } else if !is_member || word.asker.organisation != *member {
        refuse(RefusalCode::NotMember, "M-7")
    } else if word.expires_at <= work.now {
        refuse(RefusalCode::Stale, "P-5")
    } else if word.expires_at > work.now + life + SOON {
        refuse(RefusalCode::Malformed, "P-1")
    } else if !nonce.request.is_empty() && nonce.request != hash.as_bytes() {
        refuse(RefusalCode::Stale, "P-5")
    } else if over {
        tomorrow(work.now, "P-5")
    } else if feed::standing(work.machine, work.now).is_none() {
        soon("F-7")
    } else {
        return Ok(Ok(()));
    }))
}

/// Whether a member has asked this node for as much today as it may.
pub(crate) fn asks_too_much(work: &Work<'_>, member: &Code) -> Result<bool, Fault> {
    let asker = work.view.get(&state::asker(member))?;
    Ok(asker.day == day(work.now) && asker.requests >= REQUESTS_PER_DAY_MAX)
}

/// How it is refused then.
pub(crate) fn tomorrow(now: Timestamp, clause: &'static str) -> Refusal {
    Refusal { retry_after: Some(until_tomorrow(now)), ..refuse(RefusalCode::OverLimit, clause) }
}

/// The key of the asker to which the document's key is to be wrapped (M-4). Of the two, one may know a newer member list: a
/// key that is not listed here yet may come, and one that is not in force any more is followed by another.
fn sealing_key(work: &Work<'_>, request: &PullRequest) -> Result<SealingKey, Refusal> {
    let member = work.machine.directory.member(&request.asker.organisation);
    let keys = member.map(|member| member.sealing_keys.as_slice()).unwrap_or_default();
    let named = keys.iter().find(|key| key.id() == request.sealing_key).ok_or_else(|| soon("M-4"))?;
    let valid = named.state == KeyState::Valid;
    if valid { Ok(named.clone()) } else { Err(refuse(RefusalCode::Stale, "M-4")) }
}

/// A document that stands here, and whether it may go to who asks for it.
struct Case {
    subject: Subject,
    document: Document,
    class: DocumentClass,
    size: u64,
    tokens: Vec<Token>,
    /// The tokens under which the registry was told of the subject.
    stated: Vec<Token>,
    judgement: Judgement,
    /// The event that declares the emergency (D-8).
    emergency: Option<Digest>,
    /// The registry knows the entry, and its subject under these very tokens: so it takes the release.
    is_told: bool,
}

impl Case {
    /// None if the document is unknown or foreign.
    fn of(
        machine: &Machine,
        view: &View,
        request: &PullRequest,
        now: Timestamp,
    ) -> Result<Option<Self>, Fault> {
        let Some(document) = view.find(&state::document(&request.entry_id))? else { return Ok(None) };
        let entry = document.entry.as_ref().ok_or_else(damaged)?;
        if read_document_id(&entry.document)? != request.document {
            return Ok(None);
        }
        let subject = read_subject(&entry.subject)?;
        let tokens = match tokens::of_subject(machine, view, &subject)? {
            Tokens::All(tokens) => tokens,
            Tokens::Missing(..) => Vec::new(),
        };
        let about = facts(request.entry_id, &document)?;
        let custodian = &machine.config.organisation;
        let question = Question { asker: &request.asker, custodian, document: &about };
        let judgement = if document.withdrawn {
            Judgement::none_yet("N-7")
        } else if seal::closes(&subject, None, view)? {
            Judgement::none_yet(seal::CLAUSE)
        } else {
            consent::decide(machine, view, &tokens, &question, now)?
        };
        let (size, class) = (entry.size, about.class);
        let chain = view.get(&state::chain(&subject))?;
        let stated = chain.tokens.iter().map(read_token).collect::<Result<Vec<_>, _>>()?;
        let stands = view.get(&state::item(&subject, document.item))?.receipt.is_some();
        let is_told = stands && !chain.stating && stated == tokens;
        let emergency = None;
        Ok(Some(Self { subject, document, class, size, tokens, stated, judgement, emergency, is_told }))
    }

    /// In an emergency nothing is permitted but of a patient of whom the log has it (D-8).
    fn declared(mut self, request: &PullRequest, shown: &[Declared], now: Timestamp) -> Self {
        let Some(cited) = request.asker.break_glass.filter(|_| self.judgement.permits) else { return self };
        let events: Vec<_> = shown.iter().map(Declared::in_log).collect();
        match access::emergency(&events, &cited, now, |token| self.tokens.contains(token)) {
            Some(about) => {
                self.emergency = Some(about.hash);
                self.judgement.token = Some(about.event.patient);
            }
            None => self.judgement = Judgement::none_yet("D-8"),
        }
        self
    }

    fn event(&self, request: &PullRequest) -> Option<Event> {
        let asker = &request.asker;
        let known = self.tokens.first().or_else(|| self.stated.first());
        let patient = self.judgement.token.or_else(|| known.copied())?;
        Some(Event {
            counterpart: Some(asker.organisation.clone()),
            outcome: if self.judgement.permits { AccessOutcome::Permitted } else { AccessOutcome::Denied },
            classes: BTreeSet::from([self.class]),
            purpose: asker.purpose,
            role: asker.role,
            head_version: self.judgement.head_version(),
            directive: self.judgement.directive,
            referral: asker.referral,
            documents: 1,
            size: self.size,
            ..Event::done(AccessAct::Release, patient, self.judgement.clause)
        })
    }
}

/// What directives can say of a document of this node, but for what it has replaced.
pub(crate) fn facts(entry_id: EntryId, document: &Document) -> Result<Asked, Fault> {
    let entry = document.entry.as_ref().ok_or_else(damaged)?;
    let time = |ms: Option<i64>| ms.map(|ms| Timestamp::from_unix_ms(ms).ok_or_else(damaged)).transpose();
    Ok(Asked {
        entry_id,
        replaced: BTreeSet::new(),
        class: DocumentClass::try_from(entry.class).map_err(|_| damaged())?,
        sensitivity: Sensitivity::try_from(entry.sensitivity).map_err(|_| damaged())?,
        service_start: time(entry.service_start)?,
        service_end: time(entry.service_end)?,
    })
}

/// What directives can say of those of these documents that are a patient's, through all merges, and not withdrawn.
pub(crate) fn documents_of(root: &Subject, entries: &[EntryId], view: &View) -> Result<Vec<Asked>, Fault> {
    view.need(&entries.iter().map(state::document).collect::<Vec<_>>())?;
    let mut documents = Vec::new();
    for entry in entries {
        let Some(document) = view.find(&state::document(entry))? else { continue };
        let of = read_subject(&document.entry.as_ref().ok_or_else(damaged)?.subject)?;
        if !document.withdrawn && person::root(view, of)? == *root {
            documents.push(facts(*entry, &document)?);
        }
    }
    Ok(documents)
}

/// Refuses by decision; of each request the first time is an event.
fn deny(
    work: &mut Work<'_>,
    request: &Verified<PullRequest>,
    case: Option<&Case>,
    denied_before: bool,
) -> Result<Refusal, Fault> {
    if !denied_before {
        let clause = case.map_or("P-4", |case| case.judgement.clause);
        let event = case.and_then(|case| case.event(request.word()));
        let event = write_down(work, request.word(), case, (AccessOutcome::Denied, clause), event)?;
        let request = request.envelope().as_bytes().to_vec();
        work.keep(Body::Denied(kept::Denied { request, event }))?;
    }
    Ok(refuse(RefusalCode::Nothing, "P-4"))
}

/// A line of the audit, which the patient's event names: the event's bytes. Of a document that nobody here has there is
/// no patient to be told.
fn write_down(
    work: &mut Work<'_>,
    request: &PullRequest,
    case: Option<&Case>,
    (outcome, clause): (AccessOutcome, &'static str),
    event: Option<Event>,
) -> Result<Vec<u8>, Fault> {
    let line = Line {
        subject: case.map(|case| case.subject),
        counterpart: Some(request.asker.organisation.clone()),
        entry: Some(request.entry_id),
        referral: request.asker.referral,
        outcome,
        clause,
        ..Line::done(Actor::Node, Act::Release)
    };
    let audit_line = Some(audit(work, &line)?);
    let said = event.map(|event| event::signed(work, Event { outcome, clause, audit_line, ..event }));
    Ok(said.map(|said| said.as_bytes().to_vec()).unwrap_or_default())
}

/// The release that was given before: the same one, while it lives (P-5).
fn again(work: &Work<'_>, known: &Request) -> Result<Result<Outcome, Refusal>, Stop> {
    let release = said::current(work.machine, &known.release).ok_or_else(damaged)?;
    let terms = read_release(known)?.terms;
    if terms.expires_at <= work.now {
        return Ok(Err(refuse(RefusalCode::Stale, "P-5")));
    }
    let (wrapped_key, document) = (known.wrapped_key.clone(), terms.document);
    Ok(Ok(Outcome::Released { release, wrapped_key, document }))
}

/// Lets the document go (P-2, P-3).
fn release(
    work: &mut Work<'_>,
    signed: &Verified<PullRequest>,
    hash: &Digest,
    case: &Case,
    recipient: &SealingKey,
) -> Result<Result<Outcome, Refusal>, Stop> {
    let request = signed.word();
    let Some(terms) = terms(work, request, hash, case)? else { return Ok(Err(soon("F-5"))) };
    let Some(key) = document_key(work, case, &request.document) else {
        return Ok(Err(refuse(RefusalCode::Failed, "P-3")));
    };
    let Ok((release, wrapped_key)) = Release::wrap(terms, &key, &recipient.public_key, work.entropy) else {
        return Ok(Err(refuse(RefusalCode::Malformed, "P-3")));
    };
    let machine = work.machine;
    let release = Envelope::sign(machine.directory.region(), &release, machine.signing_key());
    let event = case.event(request).ok_or_else(damaged)?;
    let event = Event { release: Some(release.payload_hash()), ..event };
    let ended = (AccessOutcome::Permitted, case.judgement.clause);
    let event = write_down(work, request, Some(case), ended, Some(event))?;
    work.keep(Body::Released(kept::Released {
        request: signed.envelope().as_bytes().to_vec(),
        release: release.as_bytes().to_vec(),
        wrapped_key: wrapped_key.clone(),
        subject: case.subject.as_bytes().to_vec(),
        event,
        emergency: case.emergency.map(|event| event.as_bytes().to_vec()).unwrap_or_default(),
    }))?;
    Ok(Ok(Outcome::Released { release, wrapped_key, document: request.document }))
}

/// What is agreed; none if what it rests on is not known whole.
fn terms(work: &Work<'_>, request: &PullRequest, hash: &Digest, case: &Case) -> Result<Option<Terms>, Fault> {
    let judgement = &case.judgement;
    let standing = consent::standing(work.machine, work.view, judgement)?;
    if standing.is_some() != judgement.directive.is_some() {
        return Ok(None);
    }
    let patient = judgement.token.or_else(|| case.tokens.first().copied());
    let (Some(patient), Some(basis), Some(lease)) = (patient, judgement.basis, judgement.lease) else {
        return Ok(None);
    };
    let ends = judgement.valid_until.unwrap_or(Timestamp::MAX);
    Ok(Some(Terms {
        request: *hash,
        holder: work.machine.config.organisation.clone(),
        recipient: request.asker.organisation.clone(),
        sealing_key: request.sealing_key,
        entry_id: request.entry_id,
        document: request.document,
        patient,
        heads: judgement.heads.clone(),
        directive: judgement.directive,
        referral: request.asker.referral,
        basis,
        expires_at: request.expires_at.min(ends),
        lease,
        standing,
    }))
}

fn document_key(work: &Work<'_>, case: &Case, document: &DocumentId) -> Option<DocumentKey> {
    let wrapped = &case.document.wrapped_key;
    let key = work.machine.keys.at_rest.open(document.as_bytes(), wrapped).ok()?;
    Some(Zeroizing::new(key.as_slice().try_into().ok()?))
}

/// A recipient wants a stretch of a document that was released to it: decided anew each time (P-6).
pub(crate) fn range(work: &mut Work<'_>, range: &Range) -> Result<Outcome, Stop> {
    let known = work.view.find(&state::request(&range.request))?;
    let Some(known) = known.filter(|known| !known.release.is_empty()) else {
        return Ok(Outcome::Refused(refuse(RefusalCode::Nothing, "P-4")));
    };
    let (_, request) = read_request(&known.request)?;
    let chunks = 1..=RANGE_CHUNKS_MAX;
    Ok(if request.asker.organisation != range.member {
        Outcome::Refused(refuse(RefusalCode::Nothing, "P-4"))
    } else if !chunks.contains(&range.chunks) {
        Outcome::Refused(refuse(RefusalCode::Malformed, "P-6"))
    } else if let Some(lease) = feed::standing(work.machine, work.now) {
        match said::word(known.word, work.view)? {
            Some(WordState::Waiting) => Outcome::Refused(soon("P-8")),
            Some(WordState::Stands(_)) => serve(work, range, &known, &request, lease.ends_at)?,
            Some(WordState::Refused { .. }) | None => Outcome::Refused(refuse(RefusalCode::Stopped, "P-8")),
        }
    } else {
        Outcome::Refused(soon("F-7"))
    })
}

fn serve(
    work: &mut Work<'_>,
    range: &Range,
    known: &Request,
    request: &PullRequest,
    lease_ends_at: Timestamp,
) -> Result<Outcome, Fault> {
    let release = Envelope::decode(&known.release).map_err(|_| damaged())?;
    let terms = read_release(known)?.terms;
    let member = work.machine.directory.member(&range.member);
    let lives = terms.expires_at > work.now && member.is_some_and(|member| !member.suspended);
    let case = Case::of(work.machine, work.view, request, work.now)?;
    let Some(case) = case.as_ref().filter(|case| lives && case.judgement.permits) else {
        stop(work, request, case.as_ref(), known, release.payload_hash())?;
        return Ok(Outcome::Refused(refuse(RefusalCode::Stopped, "P-6")));
    };
    let all = case.size.div_ceil(u64::from(CHUNK_BYTES)).max(1);
    let left = all.saturating_sub(range.first_chunk).min(range.chunks.into());
    Ok(match u32::try_from(left) {
        Ok(chunks) if chunks > 0 => Outcome::Serve {
            document: request.document,
            first_chunk: range.first_chunk,
            chunks,
            holds: DECISION_HOLDS.min(lease_ends_at.since(work.now)),
        },
        Ok(_) | Err(_) => Outcome::Refused(refuse(RefusalCode::Malformed, "P-6")),
    })
}

/// A release that is permitted no longer: the first stop of it is an event.
fn stop(
    work: &mut Work<'_>,
    request: &PullRequest,
    case: Option<&Case>,
    known: &Request,
    release: Digest,
) -> Result<(), Fault> {
    if known.denied {
        return Ok(());
    }
    let patient = read_release(known)?.terms.patient;
    let asker = &request.asker;
    let bare = Event {
        counterpart: Some(asker.organisation.clone()),
        purpose: asker.purpose,
        role: asker.role,
        referral: asker.referral,
        documents: 1,
        ..Event::done(AccessAct::Release, patient, "P-6")
    };
    let event = case.and_then(|case| case.event(request)).unwrap_or(bare);
    let event = Event { release: Some(release), ..event };
    // What would be permitted is stopped because the release is over, or its recipient suspended.
    let decided = case.map(|case| &case.judgement).filter(|judgement| !judgement.permits);
    let ended = (AccessOutcome::Denied, decided.map_or("P-6", |judgement| judgement.clause));
    let event = write_down(work, request, case, ended, Some(event))?;
    work.keep(Body::Denied(kept::Denied { request: known.request.clone(), event }))
}

/// What follows from a release: it is said, then its event; the same request gets the same again.
pub(crate) fn apply_released(released: &kept::Released, at: i64, view: &mut View) -> Result<(), Fault> {
    let (hash, request) = note(&released.request, at, view)?;
    said::apply_said(&kept::Said { envelope: released.release.clone() }, at, view)?;
    let word = view.get(&state::exchange())?.words;
    said::apply_said(&kept::Said { envelope: released.event.clone() }, at, view)?;
    let kept = Request {
        request: released.request.clone(),
        release: released.release.clone(),
        wrapped_key: released.wrapped_key.clone(),
        subject: released.subject.clone(),
        word,
        denied: false,
        at,
        emergency: released.emergency.clone(),
    };
    view.put(&state::request(&hash), &kept);
    let release = Envelope::decode(&released.release).map_err(|_| damaged())?.payload_hash();
    view.put(&state::release(&release), &request_ref(&hash));
    let subject = read_subject(&released.subject)?;
    let slot = state::given(&subject);
    let mut given = view.get(&slot)?;
    given.releases += 1;
    let recipient = request.asker.organisation.to_string();
    if given.recipients.len() < RECIPIENTS_MAX && !given.recipients.contains(&recipient) {
        given.recipients.push(recipient);
    }
    view.put(&state::given_item(&subject, given.releases), &request_ref(&hash));
    view.put(&slot, &given);
    match &request.asker.break_glass {
        Some(event) => glass::apply_released(&subject, event, &request.asker.organisation, at, view),
        None => Ok(()),
    }
}

/// What follows from a refusal by decision.
pub(crate) fn apply_denied(denied: &kept::Denied, at: i64, view: &mut View) -> Result<(), Fault> {
    let (hash, _) = note(&denied.request, at, view)?;
    let slot = state::request(&hash);
    let mut request = view.get(&slot)?;
    request.request.clone_from(&denied.request);
    request.denied = true;
    view.put(&slot, &request);
    if denied.event.is_empty() {
        return Ok(());
    }
    said::apply_said(&kept::Said { envelope: denied.event.clone() }, at, view)
}

/// Remembers a request: its nonce is used, and it counts among those of the day.
fn note(signed: &[u8], at: i64, view: &mut View) -> Result<(Digest, PullRequest), Fault> {
    let (hash, request) = read_request(signed)?;
    let member = &request.asker.organisation;
    let nonce = state::nonce(member, &request.nonce);
    if view.find(&nonce)?.is_none() {
        view.put(&nonce, &request_ref(&hash));
        count_request(member, at, view)?;
    }
    Ok((hash, request))
}

/// A member has asked for something that is counted.
pub(crate) fn count_request(member: &Code, at: i64, view: &mut View) -> Result<(), Fault> {
    let slot = state::asker(member);
    let mut asker = view.get(&slot)?;
    let today = day_of(at);
    asker.requests = if asker.day == today { asker.requests + 1 } else { 1 };
    asker.day = today;
    view.put(&slot, &asker);
    Ok(())
}

/// A request as it was signed: the hash of its payload, and what it says.
pub(crate) fn read_request(signed: &[u8]) -> Result<(Digest, PullRequest), Fault> {
    let envelope = Envelope::decode(signed).map_err(|_| damaged())?;
    let request = PullRequest::decode(envelope.payload()).map_err(|_| damaged())?;
    Ok((envelope.payload_hash(), request))
}

pub(crate) fn request_ref(hash: &Digest) -> RequestRef {
    RequestRef { request: hash.as_bytes().to_vec() }
}

/// A document that was let go.
#[derive(Clone, Debug)]
pub struct Gone {
    /// Hash of the request.
    pub request: Digest,
    /// The release.
    pub release: Release,
    /// The number of the release among this node's words.
    pub word: u64,
    /// When.
    pub at: Timestamp,
    /// Whether it was stopped since.
    pub stopped: bool,
}

/// Releases of a subject, after a number: at most [`PAGE_MAX`].
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn releases(subject: &Subject, after: u64, view: &View) -> Result<Vec<Gone>, Fault> {
    let to = view.get(&state::given(subject))?.releases.min(after.saturating_add(PAGE_MAX));
    let slots: Vec<_> =
        (after.saturating_add(1)..=to).map(|number| state::given_item(subject, number)).collect();
    view.need(&slots)?;
    let mut found = Vec::new();
    for slot in &slots {
        let request = read_digest(&view.get(slot)?.request)?;
        let kept = view.get(&state::request(&request))?;
        let release = read_release(&kept)?;
        let at = Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?;
        found.push(Gone { request, release, word: kept.word, at, stopped: kept.denied });
    }
    Ok(found)
}

pub(crate) fn read_release(kept: &Request) -> Result<Release, Fault> {
    let envelope = Envelope::decode(&kept.release).map_err(|_| damaged())?;
    Release::decode(envelope.payload()).map_err(|_| damaged())
}

fn day(now: Timestamp) -> i64 {
    day_of(now.unix_ms())
}

pub(crate) fn day_of(ms: i64) -> i64 {
    ms.div_euclid(i64::try_from(DAY.get()).unwrap_or(i64::MAX))
}

fn until_tomorrow(now: Timestamp) -> Millis {
    let day = i64::try_from(DAY.get()).unwrap_or(i64::MAX);
    Millis::new(u64::try_from(day - now.unix_ms().rem_euclid(day)).unwrap_or(0))
}

const fn refuse(code: RefusalCode, clause: &'static str) -> Refusal {
    Refusal { code, clause, retry_after: None }
}

/// Not now, but about to be.
const fn soon(clause: &'static str) -> Refusal {
    Refusal { code: RefusalCode::Busy, clause, retry_after: Some(SOON) }
}
