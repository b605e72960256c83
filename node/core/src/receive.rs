//! Documents of other holders on their way into this hospital: asked for, taken in, looked after (P-1 to P-3, P-7, P-8).
//!
//! What was asked and what was let go is kept before the next call, so a crash repeats a call and changes nothing. A copy
//! that is permitted no longer is erased if nobody has opened it, and stays as part of the record if somebody has. Not
//! here: opening: `open`; the bytes, which the driver pulls into the vault and verifies chunk by chunk.

use std::collections::BTreeSet;

use yiqiao_consent::{Document, Request};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{AccessAct, PersonRole, Purpose, RefusalCode};
use yiqiao_proto::entry::Withdrawal;
use yiqiao_proto::envelope::{Envelope, Verified, Word};
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::{Code, Digest, EntryId, Nonce, ReferralId, Subject};
use yiqiao_proto::limits::FORM_DOCUMENTS_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::release::{Asker, Delivery, PullRequest, Release};
use yiqiao_proto::sealed::Header;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::actor::Actor;
use crate::audit::{self, Act, Line, audit};
use crate::consent::{self, Judgement};
use crate::copy::{self, Stage};
use crate::errand::{self, Next};
use crate::event::{self, Event};
use crate::feed;
use crate::limits::{
    BACKOFF_MAX, LOOKS_MAX, RECHECK_EVERY, RECHECK_SOON, REQUEST_LIFE, SOON, TEXT_BYTES_MAX,
};
use crate::list::List;
use crate::machine::{Effect, Machine, Outcome, Refused, Stop, Work};
use crate::said;
use crate::sight::Ground;
use crate::state::kept::{self, Copy};
use crate::state::{self, Body, Fault, View, damaged, read_digest, read_subject};
use crate::tokens::{self, Tokens};
use crate::{desk, glass, person};

/// Documents that somebody wants from their holders.
#[derive(Clone, Debug)]
pub struct Want {
    /// Who asks.
    pub actor: Actor,
    /// Whose documents; none before the patient of a referral was filed.
    pub subject: Option<Subject>,
    /// In the course of which referral, by its referring member and id.
    pub referral: Option<(Code, ReferralId)>,
    /// Which.
    pub documents: Vec<ListedDocument>,
    /// For what.
    pub purpose: Purpose,
    /// This hospital is treating the patient now (D-7).
    pub treating: bool,
}

/// In which role and for which department it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) role: PersonRole,
    pub(crate) department: Option<Code>,
    /// The logged event by which the glass was broken, exactly in an emergency (D-8).
    pub(crate) break_glass: Option<Digest>,
}

/// Asks for documents. Those that are here, or are being asked for, stay as they are.
pub(crate) fn want(work: &mut Work<'_>, want: &Want) -> Result<Outcome, Stop> {
    if want.documents.len() > FORM_DOCUMENTS_MAX {
        return Err(Refused::TooManyDocuments.into());
    }
    let subject = want.subject.ok_or(Refused::UnknownPatient)?;
    if work.view.find(&state::patient(&subject))?.is_none() {
        return Err(Refused::UnknownPatient.into());
    }
    let ground = desk::ground(work, &want.actor, &subject, Ground::opens_documents)?;
    let root = person::root(work.view, subject)?;
    let break_glass = glass::cited(work, &want.actor, &root, want.purpose, ground)?;
    // What comes is decided about under them before anybody opens it.
    if let Err(ticket) = tokens::of_patient(work, &subject)? {
        return Ok(Outcome::Waiting(ticket));
    }
    let (role, department) = (want.actor.role(), want.actor.department().cloned());
    let asking = Asking { role, department, break_glass };
    want_all(work, want, &asking)?;
    Ok(Outcome::Done)
}

/// The same for what nobody has to be allowed: a referral's own documents.
pub(crate) fn want_all(work: &mut Work<'_>, want: &Want, asking: &Asking) -> Result<(), Stop> {
    let own = &work.machine.config.organisation;
    let mut new = Vec::new();
    let foreign: Vec<_> = want.documents.iter().filter(|listed| listed.holder != *own).collect();
    let names: Vec<_> = foreign.iter().map(|listed| copy::name(&listed.holder, &listed.entry_id)).collect();
    let ties = Ties::of(work.view, want, &names)?;
    let asker = asker(work.machine, want, asking)?;
    for (listed, name) in foreign.into_iter().zip(names) {
        let known = work.view.find(&state::copy(&name))?;
        match &known {
            Some(known) if !matches!(Stage::of(known)?, Stage::Refused | Stage::Erased) => {
                ties.tie(work, &name, known, want, &asker)?;
            }
            Some(_) | None => new.push((listed, name)),
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    for (listed, name) in new {
        let title = work.machine.keys.at_rest.seal(
            name.as_bytes(),
            clip(listed.title.expose()).as_bytes(),
            work.entropy,
        );
        let untitled = ListedDocument { title: Phi::default(), ..listed.clone() };
        work.keep(Body::Wanted(kept::Wanted {
            listed: Some(untitled.write()),
            title,
            subject: want.subject.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
            referral: ties.referral(),
            asker: Some(asker.write()),
            login: want.actor.login().to_owned(),
            new_to_referral: ties.is_new(&name),
        }))?;
        looked_at(work, &name)?;
    }
    let counterpart = None;
    let line = Line {
        subject: want.subject,
        counterpart,
        referral: want.referral.as_ref().map(|(_, id)| *id),
        ..Line::done(want.actor.clone(), Act::Want)
    };
    audit(work, &line)?;
    Ok(())
}

/// What a referral that wants documents has brought before: a copy is one, however many referrals list it.
struct Ties {
    referral: Option<Digest>,
    known: BTreeSet<Digest>,
}

impl Ties {
    fn of(view: &View, want: &Want, names: &[Digest]) -> Result<Self, Fault> {
        let referral = want.referral.as_ref().map(|(member, id)| crate::referral::name(member, id));
        let brought = referral.map(|name| List::copies_of_referral(name).after(0, view)).transpose()?;
        let copies: Vec<_> = names.iter().map(state::copy).collect();
        view.need(&copies)?;
        let mut referrals = Vec::new();
        for slot in &copies {
            let before = view.find(slot)?.map(|kept| kept.referral).filter(|name| !name.is_empty());
            referrals.extend(before.map(|name| Ok(state::referral(&read_digest(&name)?))).transpose()?);
        }
        view.need(&referrals)?;
        Ok(Self { referral, known: brought.into_iter().flatten().map(|(_, name)| name).collect() })
    }

    fn referral(&self) -> Vec<u8> {
        self.referral.map(|name| name.as_bytes().to_vec()).unwrap_or_default()
    }

    fn is_new(&self, copy: &Digest) -> bool {
        self.referral.is_some() && !self.known.contains(copy)
    }

    /// A copy that is here comes under this referral and patient as well, and if the referral by which it came is over, it
    /// stays here by this one (R-6, I-4).
    fn tie(
        &self,
        work: &mut Work<'_>,
        name: &Digest,
        kept: &Copy,
        want: &Want,
        asker: &Asker,
    ) -> Result<(), Stop> {
        let is_over = copy::is_over(kept, work.view)?;
        let subject = want.subject.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let is_filed = subject.is_empty() || subject == kept.subject || !(kept.subject.is_empty() || is_over);
        if is_filed && !is_over && !self.is_new(name) {
            return Ok(());
        }
        work.keep(Body::CopyTied(kept::CopyTied {
            copy: name.as_bytes().to_vec(),
            referral: self.referral(),
            new_to_referral: self.is_new(name),
            subject,
            asker: is_over.then(|| asker.write()),
            login: want.actor.login().to_owned(),
        }))?;
        Ok(())
    }
}

fn clip(text: &str) -> &str {
    text.get(..TEXT_BYTES_MAX).unwrap_or(text)
}

/// Who asks, in the words of the exchange (P-1).
fn asker(machine: &Machine, want: &Want, asking: &Asking) -> Result<Asker, Fault> {
    // Before the patient is filed the referral stands for the patient, so that the pseudonym says nothing more.
    let stand_in = want.referral.as_ref().and_then(|(_, id)| Subject::new(*id.as_bytes()));
    let subject = want.subject.or(stand_in).ok_or_else(damaged)?;
    Ok(Asker {
        organisation: machine.config.organisation.clone(),
        department: asking.department.clone(),
        practitioner: want.actor.pseudonym(&subject, &machine.keys.at_rest),
        role: asking.role,
        purpose: want.purpose,
        referral: want.referral.as_ref().map(|(_, id)| *id),
        treating: want.treating,
        break_glass: asking.break_glass,
    })
}

/// Which of the documents that a referral wants were refused, or have ended with the consent of then: they may be asked for
/// anew. Of a third member's only those of which nothing was heard for a while, since it is the referring one that says when.
pub(crate) fn denied(work: &Work<'_>, want: &Want, referring: &Code) -> Result<Vec<ListedDocument>, Fault> {
    let names: Vec<_> =
        want.documents.iter().map(|listed| copy::name(&listed.holder, &listed.entry_id)).collect();
    work.view.need(&names.iter().map(state::copy).collect::<Vec<_>>())?;
    let mut denied = Vec::new();
    for (listed, name) in want.documents.iter().zip(&names) {
        let Some(kept) = work.view.find(&state::copy(name))? else { continue };
        let rested = kept.at <= (work.now - RECHECK_SOON).unix_ms();
        let is_gone = matches!(Stage::of(&kept)?, Stage::Refused | Stage::Erased) && !kept.withdrawn;
        if is_gone && (listed.holder == *referring || rested) {
            denied.push(listed.clone());
        }
    }
    Ok(denied)
}

/// The errand of a copy is looked at at once.
fn looked_at(work: &mut Work<'_>, name: &Digest) -> Result<(), Fault> {
    let place = work.view.get(&state::copy(name))?.errand;
    if place > 0 {
        errand::again(work, place, crate::outbox::Pause::default());
    }
    Ok(())
}

/// What is next for a copy.
pub(crate) fn look(work: &mut Work<'_>, name: &Digest) -> Result<Next, Stop> {
    let kept = work.view.get(&state::copy(name))?;
    let listed = listed_of(&kept)?;
    if matches!(Stage::of(&kept)?, Stage::Wanted | Stage::Released) {
        let holder = work.machine.directory.member(&listed.holder);
        if holder.is_none() {
            change(work, name, Stage::Refused, RefusalCode::NotMember.number(), "M-1")?;
            return Ok(Next::Rest);
        }
        if holder.is_some_and(|member| member.suspended) {
            return Ok(Next::At(work.now + BACKOFF_MAX));
        }
    }
    match Stage::of(&kept)? {
        Stage::Wanted => ask(work, name, &kept, listed),
        Stage::Released => fetch(work, name, &kept, listed),
        Stage::Held | Stage::Opened => recheck(work, name, &kept, &listed),
        Stage::Refused | Stage::Erased | Stage::Retained => Ok(Next::Rest),
    }
}

/// Asks the holder: with the same request as long as that lives, so that the answer is the same release (P-5).
fn ask(work: &mut Work<'_>, name: &Digest, kept: &Copy, listed: ListedDocument) -> Result<Next, Stop> {
    let machine = work.machine;
    let Some(own) = machine.own_sealing_key() else {
        // Without a listed key nothing can be let go to this hospital: the next member list is waited for.
        return Ok(Next::At(work.now + BACKOFF_MAX));
    };
    let asker = Asker::read(kept.asker.clone().ok_or_else(damaged)?).map_err(|_| damaged())?;
    let emergency =
        match asker.break_glass.map(|cited| glass::shown(&cited, work.now, work.view)).transpose()? {
            None => Vec::new(),
            Some(glass::Shown::Events(events)) => events,
            Some(glass::Shown::Later) => return Ok(Next::At(work.now + SOON)),
            Some(glass::Shown::Nothing) => {
                change(work, name, Stage::Refused, RefusalCode::Nothing.number(), "D-8")?;
                return Ok(Next::Rest);
            }
        };
    let live = copy::request_of(kept)?.filter(|(request, _)| {
        request.expires_at > work.now + RECHECK_SOON && request.sealing_key == own.id()
    });
    let envelope = if let Some((_, envelope)) = live {
        said::current(machine, envelope.as_bytes()).ok_or_else(damaged)?
    } else {
        let request = PullRequest {
            holder: listed.holder.clone(),
            asker,
            entry_id: listed.entry_id,
            document: listed.document,
            sealing_key: own.id(),
            nonce: Nonce::new(work.entropy.bytes()).ok_or_else(damaged)?,
            expires_at: work.now + REQUEST_LIFE,
        };
        let envelope = Envelope::sign(machine.directory.region(), &request, machine.signing_key());
        let (copy, request) = (name.as_bytes().to_vec(), envelope.as_bytes().to_vec());
        work.keep(Body::Asked(kept::Asked { copy, request }))?;
        envelope
    };
    let holder = listed.holder.clone();
    let effect = |ticket| Effect::AskRelease { ticket, holder, request: envelope, emergency };
    Ok(Next::Call(listed.holder, Box::new(effect)))
}

/// Fetches the sealed file under its release; an expired one is asked for anew.
fn fetch(work: &mut Work<'_>, name: &Digest, kept: &Copy, listed: ListedDocument) -> Result<Next, Stop> {
    let (release, _) = copy::release_of(kept)?.ok_or_else(damaged)?;
    if release.terms.expires_at <= work.now {
        change(work, name, Stage::Wanted, 0, "")?;
        return Ok(Next::At(work.now));
    }
    let (holder, request, document) = (listed.holder.clone(), release.terms.request, listed.document);
    let effect = move |ticket| Effect::Fetch { ticket, holder, request, document };
    Ok(Next::Call(listed.holder, Box::new(effect)))
}

/// Asks at once for what is read of many copies that are looked at together.
pub(crate) fn load_ahead(machine: &Machine, view: &View, copies: &[Copy]) -> Result<(), Fault> {
    let (mut subjects, mut known) = (Vec::new(), BTreeSet::new());
    for copy in copies {
        if let Some((release, _)) = copy::release_of(copy)? {
            known.extend(release.terms.heads.iter().map(|(token, _)| *token));
            subjects.extend(audit::optional(&copy.subject, read_subject)?);
        }
    }
    tokens::load_ahead(machine, view, &subjects)?;
    for subject in &subjects {
        if let Tokens::All(own) = tokens::of_subject(machine, view, subject)? {
            known.extend(own);
        }
    }
    feed::load_ahead(known.iter(), view)?;
    view.need(&known.iter().map(state::notices).collect::<Vec<_>>())?;
    audit::load_ahead(&subjects, view)
}

/// Whether a copy that is here is still permitted (C-6, D-1). What is only not known changes nothing.
fn recheck(work: &mut Work<'_>, name: &Digest, kept: &Copy, listed: &ListedDocument) -> Result<Next, Stop> {
    let asker = Asker::read(kept.asker.clone().ok_or_else(damaged)?).map_err(|_| damaged())?;
    let soon = Ok(Next::At(work.now + RECHECK_SOON));
    if tokens::under_way(work) >= LOOKS_MAX {
        return soon;
    }
    let tokens = match tokens_of(work, kept) {
        Ok(Ok(tokens)) => tokens,
        // They are being asked for, or may be asked for later: all else that is due goes on.
        Ok(Err(_)) | Err(Stop::Refused(_)) => return soon,
        Err(fault) => return Err(fault),
    };
    let over = asker.break_glass.map(|event| glass::lasts_until(&event, work.view)).transpose()?.flatten();
    let is_over = over.is_some_and(|until| until <= work.now);
    let judgement = if is_over {
        // What was not opened while the emergency lasted is not opened because of it any more (D-8).
        Judgement::none_yet("D-8")
    } else {
        judge(work, kept, &tokens, listed, &asker)?
    };
    if judgement.permits {
        let next = over.into_iter().fold(work.now + RECHECK_EVERY, Timestamp::min);
        return Ok(Next::At(judgement.valid_until.map_or(next, |until| until.min(next))));
    }
    if !matches!(judgement.clause, "D-3" | "D-7" | "D-8") {
        return soon;
    }
    end(work, name, kept, listed, &judgement)?;
    Ok(Next::Rest)
}

/// The tokens under which a copy is decided about, or the ticket of the evaluation that brings some of the missing ones (F-5).
/// Before its patient is filed they are the holder's: those can take away, and nothing opens under them (I-4).
pub(crate) fn tokens_of(work: &mut Work<'_>, kept: &Copy) -> Result<Result<Vec<Token>, u64>, Stop> {
    let (release, _) = copy::release_of(kept)?.ok_or_else(damaged)?;
    let released: Vec<Token> = release.terms.heads.iter().map(|(token, _)| *token).collect();
    if kept.subject.is_empty() {
        return Ok(Ok(released));
    }
    let own = match tokens::of_patient(work, &read_subject(&kept.subject)?)? {
        Ok(own) => own,
        Err(ticket) => return Ok(Err(ticket)),
    };
    let log_id = &work.machine.directory.list().log_id;
    let mut tokens = Vec::new();
    for token in own {
        // Of a token that its holder does not know nobody tells this node a head, until it has an entry of its own.
        if released.contains(&token) || feed::head_of(&token, log_id, work.view)?.is_some() {
            tokens.push(token);
        }
    }
    Ok(Ok(tokens))
}

/// Decides about a copy as of now.
pub(crate) fn judge(
    work: &Work<'_>,
    kept: &Copy,
    tokens: &[Token],
    listed: &ListedDocument,
    asker: &Asker,
) -> Result<Judgement, Fault> {
    judge_by(consent::decide, work, kept, tokens, listed, asker)
}

/// A way of deciding: under a lease, or on what was known last.
type Decide = fn(&Machine, &View, &[Token], &Request<'_>, Timestamp) -> Result<Judgement, Fault>;

/// Decides about opening a copy: without a lease on what was known last, if the region lets it (M-10).
pub(crate) fn judge_opening(
    work: &Work<'_>,
    kept: &Copy,
    tokens: &[Token],
    listed: &ListedDocument,
    asker: &Asker,
) -> Result<Judgement, Fault> {
    let judgement = judge(work, kept, tokens, listed, asker)?;
    if judgement.clause != "F-7" || !work.machine.directory.list().policy.open_without_lease {
        return Ok(judgement);
    }
    let last = judge_by(consent::decide_without_lease, work, kept, tokens, listed, asker)?;
    Ok(if last.permits { Judgement { clause: "M-10", ..last } } else { last })
}

fn judge_by(
    decide: Decide,
    work: &Work<'_>,
    kept: &Copy,
    tokens: &[Token],
    listed: &ListedDocument,
    asker: &Asker,
) -> Result<Judgement, Fault> {
    if is_behind(work, kept, tokens)? {
        return Ok(Judgement::none_yet("F-5"));
    }
    let document = Document {
        entry_id: listed.entry_id,
        replaced: BTreeSet::new(),
        class: listed.class,
        sensitivity: listed.sensitivity,
        service_start: listed.service_start,
        service_end: listed.service_end,
    };
    let request = Request { asker, custodian: &listed.holder, document: &document };
    decide(work.machine, work.view, tokens, &request, work.now)
}

/// Whether a copy was released on a newer head than the feed has brought here: the older one says nothing about it (F-5).
fn is_behind(work: &Work<'_>, kept: &Copy, tokens: &[Token]) -> Result<bool, Fault> {
    let log_id = &work.machine.directory.list().log_id;
    if kept.log_id != log_id.as_str() {
        // Another log counts its versions anew.
        return Ok(false);
    }
    let (release, _) = copy::release_of(kept)?.ok_or_else(damaged)?;
    for (token, head) in release.terms.heads.iter().filter(|(token, _)| tokens.contains(token)) {
        let known = feed::head_of(token, log_id, work.view)?;
        if known.is_some_and(|known| known.head.version < head.version) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A copy is permitted no longer: erased with its key, or kept as part of the record, and said so.
fn end(
    work: &mut Work<'_>,
    name: &Digest,
    kept: &Copy,
    listed: &ListedDocument,
    judgement: &Judgement,
) -> Result<(), Stop> {
    let opened = Stage::of(kept)? == Stage::Opened;
    let (stage, act, said) = if opened {
        (Stage::Retained, Act::Retain, AccessAct::Retention)
    } else {
        (Stage::Erased, Act::Erase, AccessAct::Erasure)
    };
    change(work, name, stage, 0, judgement.clause)?;
    let line = Line { clause: judgement.clause, ..line_of(kept, listed, Actor::Node, act)? };
    let audit_line = Some(audit(work, &line)?);
    let event = Event {
        head_version: judgement.head_version(),
        directive: judgement.directive,
        audit_line,
        ..event_of(kept, listed, said, judgement.clause)?
    };
    event::say(work, event)?;
    if !opened {
        work.effects.push(Effect::Erase { document: listed.document });
    }
    Ok(())
}

/// The holder lets a document go (P-2, P-3, P-8).
pub(crate) fn released(
    work: &mut Work<'_>,
    ticket: u64,
    release: &Verified<Release>,
    wrapped_key: &[u8],
    header: &Header,
) -> Result<Outcome, Stop> {
    let Some(name) = landed(work, ticket, Stage::Wanted)? else { return Ok(Outcome::Done) };
    let kept = work.view.get(&state::copy(&name))?;
    let listed = listed_of(&kept)?;
    let fits = answers(&kept, &listed, release.word())? && header.length == listed.size;
    let vault = work.view.get(&state::vault(&listed.document))?;
    // A file of this hospital, or of another copy, is never taken for this one's.
    let free = vault == kept::VaultUse::default();
    let secret = work.machine.sealing_secret(release.word().terms.sealing_key);
    let key = secret.and_then(|secret| release.word().unwrap_key(wrapped_key, secret).ok());
    let Some(key) = key.filter(|key| fits && free && header.is_of(key)) else {
        change(work, &name, Stage::Refused, RefusalCode::Malformed.number(), "P-8")?;
        return Ok(Outcome::Done);
    };
    let at_rest = &work.machine.keys.at_rest;
    let wrapped_key = at_rest.seal(listed.document.as_bytes(), key.as_slice(), work.entropy);
    work.keep(Body::CopyReleased(kept::CopyReleased {
        copy: name.as_bytes().to_vec(),
        release: release.envelope().as_bytes().to_vec(),
        wrapped_key,
        log_id: work.machine.directory.list().log_id.to_string(),
    }))?;
    Ok(Outcome::Done)
}

/// Whether a release is the answer to what was asked: nothing else is taken for it (P-2).
fn answers(kept: &Copy, listed: &ListedDocument, release: &Release) -> Result<bool, Fault> {
    let Some((request, envelope)) = copy::request_of(kept)? else { return Ok(false) };
    let terms = &release.terms;
    Ok(terms.request == envelope.payload_hash()
        && terms.holder == listed.holder
        && terms.recipient == request.asker.organisation
        && terms.sealing_key == request.sealing_key
        && terms.entry_id == listed.entry_id
        && terms.document == listed.document
        && terms.referral == request.asker.referral
        && terms.expires_at <= request.expires_at)
}

/// The sealed file is here whole: delivered (P-7).
pub(crate) fn fetched(work: &mut Work<'_>, ticket: u64) -> Result<Outcome, Stop> {
    let Some(name) = landed(work, ticket, Stage::Released)? else { return Ok(Outcome::Done) };
    let kept = work.view.get(&state::copy(&name))?;
    let listed = listed_of(&kept)?;
    let (release, envelope) = copy::release_of(&kept)?.ok_or_else(damaged)?;
    change(work, &name, Stage::Held, 0, "")?;
    let delivery = Delivery {
        release: envelope.payload_hash(),
        holder: listed.holder.clone(),
        recipient: work.machine.config.organisation.clone(),
        document: listed.document,
        at: work.now,
    };
    let machine = work.machine;
    let word = Envelope::sign(machine.directory.region(), &delivery, machine.signing_key());
    said::say(work, &word)?;
    let line = Line { clause: "P-7", ..line_of(&kept, &listed, Actor::Node, Act::Deliver)? };
    let audit_line = Some(audit(work, &line)?);
    let event = Event {
        head_version: release.terms.heads.iter().map(|(_, head)| head.version).max().unwrap_or(0),
        directive: release.terms.directive,
        audit_line,
        ..event_of(&kept, &listed, AccessAct::Delivery, "P-7")?
    };
    event::say(work, event)?;
    Ok(Outcome::Done)
}

/// The holder refused, or stopped: for good, or to be asked anew.
pub(crate) fn refused(work: &mut Work<'_>, name: &Digest, refusal: &Refusal) -> Result<(), Stop> {
    let kept = work.view.get(&state::copy(name))?;
    let stage = Stage::of(&kept)?;
    if !matches!(stage, Stage::Wanted | Stage::Released) {
        return Ok(());
    }
    match refusal.code {
        // The request is over or was used up: another one is made.
        RefusalCode::Stale | RefusalCode::Conflict => change(work, name, Stage::Wanted, 0, ""),
        RefusalCode::Nothing | RefusalCode::Stopped | RefusalCode::Malformed => {
            change(work, name, Stage::Refused, refusal.code.number(), refusal.clause)?;
            if stage == Stage::Released {
                work.effects.push(Effect::Erase { document: listed_of(&kept)?.document });
            }
            Ok(())
        }
        RefusalCode::NotMember
        | RefusalCode::BadSignature
        | RefusalCode::OutOfOrder
        | RefusalCode::OverLimit
        | RefusalCode::Busy
        | RefusalCode::Failed => Ok(()),
    }
}

/// Documents that were released to this hospital were withdrawn by their holders: nobody opens the copies any more (N-7).
pub(crate) fn withdrawn(work: &mut Work<'_>, openings: &[Opening]) -> Result<(), Stop> {
    let names: Vec<_> = openings.iter().filter_map(withdrawn_copy).collect();
    load_withdrawn(work.view, &names)?;
    names.iter().try_for_each(|name| withdrawn_one(work, name))
}

/// The name of the copy of which a withdrawal speaks.
fn withdrawn_copy(opening: &Opening) -> Option<Digest> {
    let envelope = Envelope::decode(&opening.envelope).ok()?;
    let withdrawal = Withdrawal::decode(envelope.payload()).ok()?;
    Some(copy::name(&withdrawal.publisher, &withdrawal.entry_id))
}

/// Asks at once for what is read of all of them.
fn load_withdrawn(view: &View, names: &[Digest]) -> Result<(), Fault> {
    let copies: Vec<_> = names.iter().map(state::copy).collect();
    view.need(&copies)?;
    let (mut files, mut lines) = (Vec::new(), Vec::new());
    for slot in &copies {
        let Some(kept) = view.find(slot)? else { continue };
        files.push(state::vault(&copy::document(&kept)?));
        lines.extend(audit::optional(&kept.subject, read_subject)?);
    }
    view.need(&files)?;
    audit::load_ahead(&lines, view)
}

fn withdrawn_one(work: &mut Work<'_>, name: &Digest) -> Result<(), Stop> {
    let Some(kept) = work.view.find(&state::copy(name))? else { return Ok(()) };
    if kept.withdrawn {
        return Ok(());
    }
    let listed = listed_of(&kept)?;
    let stage = match Stage::of(&kept)? {
        Stage::Wanted => Stage::Refused,
        Stage::Released | Stage::Held => Stage::Erased,
        Stage::Opened => Stage::Retained,
        stage @ (Stage::Refused | Stage::Erased | Stage::Retained) => stage,
    };
    let changed = stage != Stage::of(&kept)?;
    work.keep(Body::CopyChanged(kept::CopyChanged {
        copy: name.as_bytes().to_vec(),
        state: if changed { stage as u32 } else { 0 },
        code: 0,
        clause: "N-7".to_owned(),
        withdrawn: true,
    }))?;
    if !changed || kept.release.is_empty() {
        return Ok(());
    }
    let (act, said) = if stage == Stage::Retained {
        (Act::Retain, AccessAct::Retention)
    } else {
        work.effects.push(Effect::Erase { document: listed.document });
        (Act::Erase, AccessAct::Erasure)
    };
    let line = Line { clause: "N-7", ..line_of(&kept, &listed, Actor::Node, act)? };
    let audit_line = Some(audit(work, &line)?);
    event::say(work, Event { audit_line, ..event_of(&kept, &listed, said, "N-7")? })?;
    Ok(())
}

/// The copy whose call an answer is to, if it is still at that stage.
fn landed(work: &mut Work<'_>, ticket: u64, stage: Stage) -> Result<Option<Digest>, Fault> {
    let Some(errand) = errand::landed(work, ticket)? else { return Ok(None) };
    if errand.copy.is_empty() {
        return Ok(None);
    }
    let name = read_digest(&errand.copy)?;
    let kept = work.view.get(&state::copy(&name))?;
    Ok((Stage::of(&kept)? == stage).then_some(name))
}

pub(crate) fn change(
    work: &mut Work<'_>,
    name: &Digest,
    stage: Stage,
    code: u32,
    clause: &str,
) -> Result<(), Stop> {
    work.keep(Body::CopyChanged(kept::CopyChanged {
        copy: name.as_bytes().to_vec(),
        state: stage as u32,
        code,
        clause: clause.to_owned(),
        withdrawn: false,
    }))?;
    Ok(())
}

pub(crate) fn listed_of(kept: &Copy) -> Result<ListedDocument, Fault> {
    ListedDocument::read(kept.listed.clone().ok_or_else(damaged)?).map_err(|_| damaged())
}

/// A line of the audit about a copy.
pub(crate) fn line_of(kept: &Copy, listed: &ListedDocument, actor: Actor, act: Act) -> Result<Line, Fault> {
    let asker = kept.asker.as_ref().ok_or_else(damaged)?;
    Ok(Line {
        subject: audit::optional(&kept.subject, read_subject)?,
        counterpart: Some(listed.holder.clone()),
        entry: Some(listed.entry_id),
        referral: audit::optional(&asker.referral, state::read_referral_id)?,
        ..Line::done(actor, act)
    })
}

/// An event about a copy that was released.
pub(crate) fn event_of(
    kept: &Copy,
    listed: &ListedDocument,
    act: AccessAct,
    clause: &'static str,
) -> Result<Event, Fault> {
    let (release, envelope) = copy::release_of(kept)?.ok_or_else(damaged)?;
    let asker = Asker::read(kept.asker.clone().ok_or_else(damaged)?).map_err(|_| damaged())?;
    Ok(Event {
        counterpart: Some(listed.holder.clone()),
        classes: BTreeSet::from([listed.class]),
        purpose: asker.purpose,
        role: asker.role,
        referral: asker.referral,
        release: Some(envelope.payload_hash()),
        documents: 1,
        size: listed.size,
        ..Event::done(act, release.terms.patient, clause)
    })
}

/// A copy as it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What its holder says of it.
    pub listed: ListedDocument,
    /// The patient, once filed.
    pub subject: Option<Subject>,
    /// How far it is.
    pub stage: Stage,
    /// How its holder refused it.
    pub refusal: Option<RefusalCode>,
    /// The clause of the refusal, or of its end.
    pub clause: String,
    /// Whether its holder withdrew it.
    pub withdrawn: bool,
    /// Since when it is so.
    pub at: Timestamp,
}

impl Machine {
    /// The copies of a patient after a place in their list, each with its place: at most a page. Those of subjects that
    /// were merged into the patient are asked for one by one.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn copies_of(&self, subject: &Subject, after: u64, view: &View) -> Result<Vec<(u64, Shown)>, Fault> {
        let (list, mut after) = (List::copies_of_subject(subject), after);
        loop {
            let mut shown = self.shown_copies(list.after(after, view)?, view)?;
            let Some((last, _)) = shown.last() else { return Ok(shown) };
            after = *last;
            // One that has come under another patient since then is listed there.
            shown.retain(|(_, copy)| copy.subject == Some(*subject));
            if !shown.is_empty() {
                return Ok(shown);
            }
        }
    }

    /// The copies that a referral brought, likewise.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn copies_of_referral(
        &self,
        referring: &Code,
        id: &ReferralId,
        after: u64,
        view: &View,
    ) -> Result<Vec<(u64, Shown)>, Fault> {
        let name = crate::referral::name(referring, id);
        let places = List::copies_of_referral(name).after(after, view)?;
        self.shown_copies(places, view)
    }

    /// One copy.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn copy(&self, holder: &Code, entry: &EntryId, view: &View) -> Result<Option<Shown>, Fault> {
        let name = copy::name(holder, entry);
        let kept = view.find(&state::copy(&name))?;
        kept.map(|kept| self.shown_copy(&name, &kept)).transpose()
    }

    /// The copies of an entry, of whichever holder.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn copies_of_entry(&self, entry: &EntryId, view: &View) -> Result<Vec<Shown>, Fault> {
        self.copies_named(self.directory.list().members.iter().map(|member| (&member.code, entry)), view)
    }

    /// The copies of these documents, each by its holder and entry, as far as they are here.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn copies_named<'n>(
        &self,
        named: impl Iterator<Item = (&'n Code, &'n EntryId)>,
        view: &View,
    ) -> Result<Vec<Shown>, Fault> {
        let names: Vec<_> = named.map(|(holder, entry)| (0, copy::name(holder, entry))).collect();
        view.need(&names.iter().map(|(_, name)| state::copy(name)).collect::<Vec<_>>())?;
        let mut kept = Vec::new();
        for (place, name) in names {
            if view.find(&state::copy(&name))?.is_some() {
                kept.push((place, name));
            }
        }
        Ok(self.shown_copies(kept, view)?.into_iter().map(|(_, shown)| shown).collect())
    }

    fn shown_copies(&self, places: Vec<(u64, Digest)>, view: &View) -> Result<Vec<(u64, Shown)>, Fault> {
        view.need(&places.iter().map(|(_, name)| state::copy(name)).collect::<Vec<_>>())?;
        let show = |(place, name): (u64, Digest)| {
            Ok((place, self.shown_copy(&name, &view.get(&state::copy(&name))?)?))
        };
        places.into_iter().map(show).collect()
    }

    fn shown_copy(&self, name: &Digest, kept: &Copy) -> Result<Shown, Fault> {
        let mut listed = listed_of(kept)?;
        listed.title = self.title_of(name, kept)?;
        Ok(Shown {
            listed,
            subject: audit::optional(&kept.subject, read_subject)?,
            stage: Stage::of(kept)?,
            refusal: RefusalCode::try_from(kept.code).ok(),
            clause: kept.clause.clone(),
            withdrawn: kept.withdrawn,
            at: Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?,
        })
    }

    pub(crate) fn title_of(&self, name: &Digest, kept: &Copy) -> Result<Phi<String>, Fault> {
        let title = self.keys.at_rest.open(name.as_bytes(), &kept.title).map_err(|_| damaged())?;
        String::from_utf8(title.to_vec()).map(Phi::new).map_err(|_| damaged())
    }
}
