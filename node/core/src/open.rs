//! Opening a document: by whom, and whether it is still permitted now (A-1, D-10).

use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentFormat, Purpose};
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::ask::Document;
use crate::audit::{Act, Line, audit};
use crate::consent::{self, Judgement};
use crate::copy::{self, Stage};
use crate::event::{self, Event};
use crate::machine::{Machine, Outcome, Stop, Work};
use crate::receive;
use crate::sight::{Ground, NoSight};
use crate::state::kept::Copy;
use crate::state::{self, Fault, View, damaged, read_subject};
use crate::{glass, holder, person, seal};

/// A document that may be opened: the driver opens the sealed file with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The sealed file.
    pub document: DocumentId,
    /// Its key, wrapped by the node's own, in the context of the file's identity.
    pub wrapped_key: Vec<u8>,
    /// Whose document it is.
    pub subject: Subject,
    /// Its format.
    pub format: DocumentFormat,
    /// Its title; may be empty.
    pub title: Phi<String>,
    /// Length before sealing.
    pub size: u64,
}

/// Why a document is not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No such document is here, or it is not here whole.
    NotHere,
    /// The patient of its referral is not filed yet.
    NotFiled,
    /// It was withdrawn.
    Withdrawn,
    /// The actor does not see the patient.
    Sight(NoSight),
    /// It is not permitted now, by this clause.
    Consent(&'static str),
}

impl Denial {
    const fn clause(&self) -> &'static str {
        match self {
            Self::NotHere | Self::NotFiled | Self::Sight(_) => "",
            Self::Withdrawn => "N-7",
            Self::Consent(clause) => clause,
        }
    }
}

/// Opens a document of this hospital or a copy of another's; audited either way.
pub(crate) fn open(
    work: &mut Work<'_>,
    actor: &Actor,
    holder: &Code,
    entry: &EntryId,
) -> Result<Outcome, Stop> {
    if *holder == work.machine.config.organisation {
        own(work, actor, entry)
    } else {
        foreign(work, actor, holder, entry)
    }
}

fn own(work: &mut Work<'_>, actor: &Actor, entry: &EntryId) -> Result<Outcome, Stop> {
    let line = Line { entry: Some(*entry), ..Line::done(actor.clone(), Act::Open) };
    let Some(document) = work.machine.document(entry, work.view)? else {
        return deny(work, line, Denial::NotHere);
    };
    let line = Line { subject: Some(document.subject), ..line };
    let seen = sight(work, actor, &document.subject)?;
    let line = match seen {
        Err(denial) => return deny(work, line, denial),
        Ok(_) if document.withdrawn => return deny(work, line, Denial::Withdrawn),
        Ok(Ground::Glass) => {
            let judgement = in_emergency(work, actor, &document)?;
            if !judgement.permits {
                return deny(work, line, Denial::Consent(judgement.clause));
            }
            Line { clause: judgement.clause, ..line }
        }
        Ok(_) => line,
    };
    audit(work, &line)?;
    Ok(Outcome::Opened(Box::new(own_opened(document)?)))
}

/// Decides about a document of this hospital for somebody who has broken the glass over its patient (D-10).
fn in_emergency(work: &Work<'_>, actor: &Actor, document: &Document) -> Result<Judgement, Stop> {
    let root = person::root(work.view, document.subject)?;
    let glass = glass::in_force(work.machine, actor, &root, work.now, work.view)?;
    let asker = Asker {
        organisation: work.machine.config.organisation.clone(),
        department: actor.department().cloned(),
        practitioner: actor.pseudonym(&root, &work.machine.keys.at_rest),
        role: actor.role(),
        purpose: Purpose::Emergency,
        referral: None,
        treating: false,
        break_glass: glass.map(|glass| glass.cited),
    };
    let facts = holder::facts(document.entry, &work.view.get(&state::document(&document.entry))?)?;
    Ok(consent::decide_own(work.machine, work.view, &root, (&asker, &facts), work.now)?)
}

/// A copy of another hospital's document.
fn foreign(work: &mut Work<'_>, actor: &Actor, holder: &Code, entry: &EntryId) -> Result<Outcome, Stop> {
    let name = copy::name(holder, entry);
    let Some(kept) = work.view.find(&state::copy(&name))? else {
        let counterpart = Some(holder.clone());
        let line = Line { entry: Some(*entry), counterpart, ..Line::done(actor.clone(), Act::Open) };
        return deny(work, line, Denial::NotHere);
    };
    let listed = receive::listed_of(&kept)?;
    let line = receive::line_of(&kept, &listed, actor.clone(), Act::Open)?;
    let stage = Stage::of(&kept)?;
    if kept.withdrawn {
        return deny(work, line, Denial::Withdrawn);
    }
    if !matches!(stage, Stage::Held | Stage::Opened | Stage::Retained) {
        return deny(work, line, Denial::NotHere);
    }
    if kept.subject.is_empty() {
        return deny(work, line, Denial::NotFiled);
    }
    let subject = person::root(work.view, read_subject(&kept.subject)?)?;
    match sight(work, actor, &subject)? {
        Ok(ground) => Opening { name, kept, listed, line, subject, ground }.decide(work, actor),
        Err(denial) => deny(work, line, denial),
    }
}

/// A copy that somebody who sees the patient wants to open.
struct Opening {
    name: Digest,
    kept: Copy,
    listed: ListedDocument,
    line: Line,
    subject: Subject,
    ground: Ground,
}

impl Opening {
    fn decide(self, work: &mut Work<'_>, actor: &Actor) -> Result<Outcome, Stop> {
        let mut asker = Asker::read(self.kept.asker.clone().ok_or_else(damaged)?).map_err(|_| damaged())?;
        asker.department = actor.department().cloned();
        asker.practitioner = actor.pseudonym(&self.subject, &work.machine.keys.at_rest);
        asker.role = actor.role();
        asker.treating = self.ground.is_treating();
        self.put_purpose(work, actor, &mut asker)?;
        let event = receive::event_of(&self.kept, &self.listed, AccessAct::Opening, "D-10")?;
        let event = Event { role: asker.role, purpose: asker.purpose, ..event };
        if Stage::of(&self.kept)? == Stage::Retained && self.ground != Ground::Glass {
            // It is part of this hospital's own record now.
            let line = Line { clause: "D-10", ..self.line.clone() };
            return self.open(work, &line, event);
        }
        let tokens = match receive::tokens_of(work, &self.kept)? {
            Ok(tokens) => tokens,
            Err(ticket) => return Ok(Outcome::Waiting(ticket)),
        };
        let judgement = receive::judge_opening(work, &self.kept, &tokens, &self.listed, &asker)?;
        let event = Event {
            clause: judgement.clause,
            head_version: judgement.head_version(),
            directive: judgement.directive,
            ..event
        };
        let line = Line { clause: judgement.clause, ..self.line.clone() };
        if judgement.permits {
            return self.open(work, &line, event);
        }
        let line = Line { outcome: AccessOutcome::Denied, ..line };
        let audit_line = Some(audit(work, &line)?);
        event::say(work, Event { outcome: AccessOutcome::Denied, audit_line, ..event })?;
        Ok(Outcome::Denied(Denial::Consent(judgement.clause)))
    }

    /// An emergency is one of who has broken the glass, and of nobody else who opens the same copy.
    fn put_purpose(&self, work: &Work<'_>, actor: &Actor, asker: &mut Asker) -> Result<(), Fault> {
        let came_so = asker.purpose == Purpose::Emergency;
        let glass = glass::in_force(work.machine, actor, &self.subject, work.now, work.view)?;
        let glass = glass.filter(|_| came_so || self.ground == Ground::Glass);
        asker.purpose = match &glass {
            Some(_) => Purpose::Emergency,
            None if came_so => Purpose::Treatment,
            None => asker.purpose,
        };
        asker.break_glass = glass.map(|glass| glass.cited);
        Ok(())
    }

    fn open(self, work: &mut Work<'_>, line: &Line, event: Event) -> Result<Outcome, Stop> {
        let audit_line = Some(audit(work, line)?);
        event::say(work, Event { audit_line, ..event })?;
        if Stage::of(&self.kept)? == Stage::Held {
            receive::change(work, &self.name, Stage::Opened, 0, line.clause)?;
        }
        let title = work.machine.title_of(&self.name, &self.kept)?;
        Ok(Outcome::Opened(Box::new(Opened {
            document: self.listed.document,
            wrapped_key: self.kept.wrapped_key,
            subject: self.subject,
            format: self.listed.format,
            title,
            size: self.listed.size,
        })))
    }
}

impl Machine {
    /// A document that may be read without being opened anew, with nothing written down: one of this hospital, or a copy
    /// that was opened here before and is part of the record. For what follows from an opening, such as the next stretch
    /// of the same document, and for figures over the record.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn readable(
        &self,
        actor: &Actor,
        holder: &Code,
        entry: &EntryId,
        now: Timestamp,
        view: &View,
    ) -> Result<Option<Opened>, Fault> {
        let found = if *holder == self.config.organisation {
            self.document(entry, view)?.filter(|own| !own.withdrawn).map(own_opened).transpose()?
        } else {
            self.opened_copy(holder, entry, view)?
        };
        let Some(opened) = found else { return Ok(None) };
        let seen = self.may_see(actor, &opened.subject, now, view)?;
        // In an emergency, and of a sealed record, each opening is decided and written down (D-10, D-12).
        let reads = seen.is_ok_and(|ground| ground.opens_documents() && ground.is_ordinary());
        Ok((reads && !seal::closes(&opened.subject, None, view)?).then_some(opened))
    }

    fn opened_copy(&self, holder: &Code, entry: &EntryId, view: &View) -> Result<Option<Opened>, Fault> {
        let name = copy::name(holder, entry);
        let Some(kept) = view.find(&state::copy(&name))? else { return Ok(None) };
        let opened = matches!(Stage::of(&kept)?, Stage::Opened | Stage::Retained);
        if !opened || kept.withdrawn || kept.subject.is_empty() {
            return Ok(None);
        }
        let listed = receive::listed_of(&kept)?;
        Ok(Some(Opened {
            document: listed.document,
            subject: person::root(view, read_subject(&kept.subject)?)?,
            format: listed.format,
            title: self.title_of(&name, &kept)?,
            size: listed.size,
            wrapped_key: kept.wrapped_key,
        }))
    }
}

fn own_opened(document: Document) -> Result<Opened, Fault> {
    Ok(Opened {
        document: document.document,
        wrapped_key: document.wrapped_key,
        subject: document.subject,
        format: DocumentFormat::try_from(document.index.format).map_err(|_| damaged())?,
        size: document.index.size,
        title: document.data.map(|data| data.title),
    })
}

fn sight(work: &Work<'_>, actor: &Actor, subject: &Subject) -> Result<Result<Ground, Denial>, Stop> {
    let seen = sight_unsealed(work, actor, subject)?;
    Ok(match seen {
        Ok(ground) if seal::closes(subject, Some(ground), work.view)? => Err(Denial::Consent(seal::CLAUSE)),
        seen => seen,
    })
}

fn sight_unsealed(work: &Work<'_>, actor: &Actor, subject: &Subject) -> Result<Result<Ground, Denial>, Stop> {
    let seen = work.machine.may_see(actor, subject, work.now, work.view)?.map_err(Denial::Sight);
    let role = Denial::Sight(NoSight::Role);
    Ok(seen.and_then(|ground| if ground.opens_documents() { Ok(ground) } else { Err(role) }))
}

fn deny(work: &mut Work<'_>, line: Line, denial: Denial) -> Result<Outcome, Stop> {
    let line = Line { outcome: AccessOutcome::Denied, clause: denial.clause(), ..line };
    audit(work, &line)?;
    Ok(Outcome::Denied(denial))
}
