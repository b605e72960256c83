//! Messages of the hospital's systems: what is new in each, and what its sender is told.
//!
//! A repeat is the same system, control id and bytes: nothing new follows, and the answer is the one before. The same
//! control id with other bytes is a new message, and remarked on. A message that was refused or kept for review is taken
//! as new once it is understood: so a review is replayed by handing the same original in again.

use prost::Message;
use yiqiao_intake::facts::{self, PatientEvent, ReviewReason, SourceId, Status};
use yiqiao_proto::codes::WithdrawalReason;
use yiqiao_proto::entry;
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId, Subject};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::wire::words;
use yiqiao_terms::dictionary::Names;

use crate::apply::tag_bytes;
use crate::ask;
use crate::at_rest::Tag;
use crate::coding::Codes;
use crate::connection::{self, Origin};
use crate::deposit;
use crate::dictionary;
use crate::machine::{Machine, Stop, Work};
use crate::person::{self, clip};
use crate::quality;
use crate::register;
use crate::remark::{self, Remark, Remarks};
use crate::state::kept::{self, DocumentData, change::Change};
use crate::state::{self, Document, Fault, View, damaged, read_entry_id, read_subject};

/// The system of identifiers that are URIs themselves.
const URIS: &str = "urn:ietf:rfc:3986";

/// One message, understood, with what of it the driver has sealed into its vault.
#[derive(Clone, Debug)]
pub struct Received {
    /// The system that sent it: `his`, `lis`, `emr` …
    pub system: Code,
    /// Its control id, if its format has one.
    pub control_id: Option<String>,
    /// BLAKE3 of its bytes.
    pub digest: [u8; 32],
    /// The patient of all its documents, if its door knows who that is.
    pub subject: Option<Subject>,
    /// Whom it means, if that was in doubt and staff have decided.
    pub holder: Option<Holder>,
    /// How it came.
    pub origin: Origin,
    /// What it names: never an item of a result, of which its documents tell.
    pub named: Names,
    /// What it says.
    pub content: Content,
}

/// Whom a message means that says of the holder of a number what can only be another person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The patient who has the number: what was known was wrong.
    Same,
    /// Somebody else: the number is that person's from now on.
    Another,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Content {
    /// Documents of one patient.
    Documents(Vec<(facts::Document, Sealed)>),
    /// Events of patients, in order.
    Events(Vec<PatientEvent>),
    /// Not a record: nothing to keep.
    Answer,
    /// For a person to look at: the whole message is sealed.
    Review(ReviewReason, Sealed),
    /// Sent back to the sender.
    Refused,
}

/// A file that the driver has sealed. Two sealings of the same bytes differ; the journal says which one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its identity (Z-5).
    pub document: DocumentId,
    /// Length before sealing.
    pub size: u64,
    /// Its key, wrapped by the node's own.
    pub wrapped_key: Vec<u8>,
}

/// In which of five ways a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It brought documents.
    Indexed,
    /// It changed patients, visits, or what documents count.
    Applied,
    /// It was no record.
    Answered,
    /// It is kept for a person.
    Review,
    /// It went back.
    Refused,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// How it ended.
    pub verdict: Verdict,
    /// Whether it had come before; then nothing is new.
    pub repeat: bool,
    /// Remarks about the message; those about a document stand with it.
    pub remarks: Remarks,
    /// The entries of its documents.
    pub entries: Vec<EntryId>,
    /// Sealed files that nothing refers to: the driver removes them.
    pub unused: Vec<DocumentId>,
}

/// Takes a message.
pub(crate) fn receive(work: &mut Work<'_>, received: &Received) -> Result<Answered, Stop> {
    let message = message_tag(work, received);
    let said = received.content.verdict();
    let known = work.view.find(&state::message(&message))?;
    if let Some(known) = &known {
        let verdict = Verdict::from_number(known.verdict).ok_or_else(damaged)?;
        if !verdict.gives_way_to(said) {
            connection::repeated(work, received)?;
            return repeat(work, verdict, known, &received.content);
        }
    }
    let control = received.control_id.as_ref().map(|id| control_tag(work, &received.system, id));
    let mut remarks = Remarks::new();
    if let (None, Some(control)) = (&known, &control)
        && work.view.get(&state::control(control))?.messages > 0
    {
        remarks.insert(Remark::ControlIdReused);
    }
    let (verdict, entries) = take(work, received, &mut remarks)?;
    let items = dictionary::unknown(received, work.view)?;
    let judged = quality::judged(work, received, &items)?;
    work.keep_received(kept::Received {
        system: received.system.to_string(),
        message: message.as_bytes().to_vec(),
        control: control.map(|tag| tag.as_bytes().to_vec()).unwrap_or_default(),
        verdict: verdict.number(),
        remarks: remark::numbers(&remarks),
        changes: Vec::new(),
        original: original(&received.content),
        registers: register::named(work.machine, received),
        items,
        judged,
        entries: entries.iter().map(|id| id.as_bytes().to_vec()).collect(),
        origin: Some(received.origin.write()),
    })?;
    let unused = unused(work, &received.content)?;
    Ok(Answered { verdict, repeat: false, remarks, entries, unused })
}

fn repeat(
    work: &Work<'_>,
    verdict: Verdict,
    known: &state::Message,
    content: &Content,
) -> Result<Answered, Stop> {
    let entries = known.entries.iter().map(|id| read_entry_id(id)).collect::<Result<_, _>>()?;
    let (remarks, unused) = (remark::read(&known.remarks), unused(work, content)?);
    Ok(Answered { verdict, repeat: true, remarks, entries, unused })
}

/// Does what a message says.
fn take(
    work: &mut Work<'_>,
    received: &Received,
    remarks: &mut Remarks,
) -> Result<(Verdict, Vec<EntryId>), Stop> {
    let mut entries = Vec::new();
    match &received.content {
        Content::Documents(documents) => {
            load_ahead(work, received, documents)?;
            for (place, (document, sealed)) in documents.iter().enumerate() {
                let (subject, noted) = person::of_document(work, received, document)?;
                remarks.extend(noted.iter());
                let offered = Offered { received, place, document, sealed, subject, remarks: noted };
                entries.extend(offered.take(work, remarks)?);
            }
        }
        Content::Events(events) => {
            for event in events {
                register::require_free(work, received, &event.patient)?;
                remarks.extend(remark::of_flags(&event.flags));
                remarks.extend(person::event(work, received, event)?);
            }
        }
        Content::Answer | Content::Review(..) | Content::Refused => {}
    }
    // A message that only calls documents back brings none.
    let verdict = received.content.verdict();
    let brought = verdict != Verdict::Indexed || !entries.is_empty();
    Ok((if brought { verdict } else { Verdict::Applied }, entries))
}

/// Asks at once for what is read of all documents of a message.
fn load_ahead(
    work: &Work<'_>,
    received: &Received,
    documents: &[(facts::Document, Sealed)],
) -> Result<(), Fault> {
    let (mut slots, mut sources, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (document, sealed)) in documents.iter().enumerate() {
        slots.push(state::document(&entry_id(work, received, place, document)));
        let earlier = document.replaces.as_ref().or(document.source_id.as_ref());
        sources.extend(earlier.map(|source| state::source(&source_tag(work, received, source))));
        files.push(state::vault(&sealed.document));
    }
    work.view.need(&sources)?;
    for slot in &sources {
        if let Some(found) = work.view.find(slot)? {
            slots.push(state::document(&read_entry_id(&found.entry_id)?));
        }
    }
    work.view.need(&slots)?;
    work.view.need(&files)
}

/// The id at the source (N-3); of a document without one, its place in its message tells.
fn entry_id(work: &Work<'_>, received: &Received, place: usize, document: &facts::Document) -> EntryId {
    let source = document.source_id.as_ref().map_or_else(|| format!("#{place}"), written);
    id_of(work.machine, &received.system, &source, &received.digest)
}

fn id_of(machine: &Machine, system: &Code, source: &str, digest: &[u8; 32]) -> EntryId {
    let (key, organisation) = (machine.keys.at_rest.entries(), &machine.config.organisation);
    entry::entry_id(key, organisation, system.as_str(), source, digest)
}

fn written(id: &SourceId) -> String {
    format!("{}:{}{}", id.system.len(), id.system, id.value.expose())
}

fn source_tag(work: &Work<'_>, received: &Received, source: &SourceId) -> Digest {
    tag_of(work.machine, &received.system, source)
}

fn tag_of(machine: &Machine, system: &Code, source: &SourceId) -> Digest {
    let parts = [system.as_str().as_bytes(), source.system.as_bytes(), source.value.expose().as_bytes()];
    machine.keys.at_rest.tag(Tag::Source, &parts)
}

/// The tag of a name that is one of the whole world's: a URI, or what somebody names who has an OID. It is no system's own, so
/// it stands under none.
fn world_tag(machine: &Machine, source: &SourceId) -> Option<Digest> {
    let system = source.system.strip_prefix("urn:oid:").unwrap_or(&source.system);
    let arcs = || system.split('.');
    let is_oid = arcs().count() > 1 && arcs().all(|arc| arc.bytes().all(|byte| byte.is_ascii_digit()));
    let parts = [b"", system.as_bytes(), source.value.expose().as_bytes()];
    (is_oid || system == URIS).then(|| machine.keys.at_rest.tag(Tag::Source, &parts))
}

impl Machine {
    /// The document that was last filed under a name of the whole world's, whichever system sent it, and whatever became of it.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn document_named(&self, source: &SourceId, view: &View) -> Result<Option<ask::Document>, Fault> {
        let Some(tag) = world_tag(self, source) else { return Ok(None) };
        let Some(found) = view.find(&state::source(&tag))? else { return Ok(None) };
        self.document(&read_entry_id(&found.entry_id)?, view)
    }

    /// The entry that a message of a system with these bytes makes of the document that it calls so (N-3).
    pub fn entry_of(&self, system: &Code, source: &SourceId, digest: &[u8; 32]) -> EntryId {
        id_of(self, system, &written(source), digest)
    }

    /// The document that stands for an identifier of a system: the newest that has it, unless that was called back.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn newest_of(
        &self,
        system: &Code,
        source: &SourceId,
        view: &View,
    ) -> Result<Option<ask::Document>, Fault> {
        let Some(found) = view.find(&state::source(&tag_of(self, system, source)))? else { return Ok(None) };
        let document = self.document(&read_entry_id(&found.entry_id)?, view)?;
        Ok(document.filter(|document| !document.withdrawn && !document.replaced))
    }
}

/// A document that is offered to the index.
struct Offered<'a> {
    received: &'a Received,
    /// Which of the message's documents.
    place: usize,
    document: &'a facts::Document,
    sealed: &'a Sealed,
    subject: Subject,
    remarks: Remarks,
}

impl Offered<'_> {
    /// Files the document, or calls back the one that it speaks of. The entry that stands for it, if one does.
    fn take(mut self, work: &mut Work<'_>, remarks: &mut Remarks) -> Result<Option<EntryId>, Stop> {
        let id = entry_id(work, self.received, self.place, self.document);
        if work.view.find(&state::document(&id))?.is_some() {
            return Ok(Some(id));
        }
        self.remarks.extend(remark::of_flags(&self.document.flags));
        let earlier = self.earlier(work)?;
        if self.document.status == Status::Cancelled {
            cancel(work, earlier.map(|(id, _)| id), remarks)?;
            return Ok(None);
        }
        if self.document.is_notice() && earlier.as_ref().is_some_and(|(_, earlier)| has_content(earlier)) {
            // It tells of a document that is here: nothing of it would be better than that.
            remarks.insert(Remark::Late);
            return Ok(None);
        }
        deposit::require_unfiled(&self.sealed.document, work.view)?;
        self.file(work, id, earlier)?;
        Ok(Some(id))
    }

    /// The document whose place this one takes: the one that it names, else the newest with its own source id.
    fn earlier(&mut self, work: &Work<'_>) -> Result<Option<(EntryId, Document)>, Stop> {
        let Some(source) = self.document.replaces.as_ref().or(self.document.source_id.as_ref()) else {
            return Ok(None);
        };
        let named = self.document.replaces.is_some();
        let Some(found) = work.view.find(&state::source(&source_tag(work, self.received, source)))? else {
            self.note_if(named, Remark::ReplacesNothing);
            return Ok(None);
        };
        let id = read_entry_id(&found.entry_id)?;
        let document = work.view.get(&state::document(&id))?;
        if document.withdrawn || document.replaced {
            self.note_if(named, Remark::ReplacesNothing);
            return Ok(None);
        }
        if person::root(work.view, subject_of(&document)?)? != person::root(work.view, self.subject)? {
            self.remarks.insert(Remark::ReplacesAnothers);
            return Ok(None);
        }
        Ok(Some((id, document)))
    }

    fn file(
        mut self,
        work: &mut Work<'_>,
        id: EntryId,
        earlier: Option<(EntryId, Document)>,
    ) -> Result<(), Stop> {
        // A preliminary report that was overtaken by its final one does not take the final one's place.
        let late = earlier.as_ref().is_some_and(|(_, earlier)| {
            self.document.status == Status::Preliminary && !is_preliminary(earlier)
        });
        self.note_if(late, Remark::Late);
        let replaced = earlier.filter(|_| !late);
        // What takes an earlier one's place follows it in its chain, whichever of a merged patient's that is (N-6).
        let subject = replaced.as_ref().map_or(Ok(self.subject), |(_, earlier)| subject_of(earlier))?;
        let codes = work.machine.config.coding.codes(self.document, work.now);
        let data = self.data().encode_to_vec();
        let data = work.machine.keys.at_rest.seal(id.as_bytes(), &data, work.entropy);
        let sources = if late { Vec::new() } else { self.sources(work) };
        work.change(Change::Filing(kept::Filing {
            entry: Some(self.entry(work, id, subject, &codes)),
            wrapped_key: self.sealed.wrapped_key.clone(),
            system: self.received.system.to_string(),
            sources: tag_bytes(&sources),
            replaces: replaced.map(|(id, _)| id.as_bytes().to_vec()).unwrap_or_default(),
            remarks: remark::numbers(&self.remarks),
            data,
        }))?;
        Ok(())
    }

    /// The entry but for its link, which it gets when it is sent.
    fn entry(&self, work: &Work<'_>, id: EntryId, subject: Subject, codes: &Codes) -> words::Entry {
        words::Entry {
            publisher: work.machine.config.organisation.to_string(),
            subject: subject.as_bytes().to_vec(),
            link: Vec::new(),
            entry_id: id.as_bytes().to_vec(),
            document: self.sealed.document.as_bytes().to_vec(),
            size: self.sealed.size,
            class: codes.class.number(),
            r#type: codes.document_type.number(),
            format: codes.format.number(),
            facility: codes.facility.number(),
            practice: codes.practice.number(),
            service_start: codes.service_start.map(Timestamp::unix_ms),
            service_end: codes.service_end.map(Timestamp::unix_ms),
            created_at: codes.created_at.unix_ms(),
            sensitivity: codes.sensitivity.number(),
            status: codes.status.number(),
        }
    }

    fn data(&self) -> DocumentData {
        let text = |text: &Option<String>| text.as_deref().map(clip).unwrap_or_default();
        let hidden = |text: &Option<yiqiao_proto::phi::Phi<String>>| {
            text.as_ref().map(|text| clip(text.expose())).unwrap_or_default()
        };
        let source = self.document.source_id.as_ref();
        DocumentData {
            title: hidden(&self.document.title),
            source_system: source.map(|id| clip(&id.system)).unwrap_or_default(),
            source_id: source.map(|id| clip(id.value.expose())).unwrap_or_default(),
            organization: text(&self.document.author.organization),
            department: text(&self.document.author.department),
            person: self.document.author.person.as_ref().map(person::write_staff),
            visit: hidden(&self.document.visit),
        }
    }

    /// Under which names it is found from now on: by its system under all, by everybody under those of the whole world.
    fn sources(&self, work: &Work<'_>) -> Vec<Digest> {
        let all = || self.document.source_id.iter().chain(&self.document.also_known_as);
        let own = all().map(|id| source_tag(work, self.received, id));
        own.chain(all().filter_map(|id| world_tag(work.machine, id))).collect()
    }

    fn note_if(&mut self, holds: bool, remark: Remark) {
        if holds {
            self.remarks.insert(remark);
        }
    }
}

/// Withdraws the document that is called back.
fn cancel(work: &mut Work<'_>, earlier: Option<EntryId>, remarks: &mut Remarks) -> Result<(), Fault> {
    let Some(id) = earlier else {
        remarks.insert(Remark::CancelsNothing);
        return Ok(());
    };
    let (entry_id, reason) = (id.as_bytes().to_vec(), WithdrawalReason::EnteredInError.number());
    work.change(Change::Withdrawn(kept::Withdrawn { entry_id, reason }))
}

fn subject_of(document: &Document) -> Result<Subject, Fault> {
    read_subject(&document.entry.as_ref().ok_or_else(damaged)?.subject)
}

/// Whether it was more than a message alone.
fn has_content(document: &Document) -> bool {
    let message = yiqiao_proto::codes::DocumentFormat::Hl7V2.number();
    document.entry.as_ref().is_some_and(|entry| entry.format != message)
}

fn is_preliminary(document: &Document) -> bool {
    let preliminary = yiqiao_proto::codes::DocumentStatus::Preliminary.number();
    document.entry.as_ref().is_some_and(|entry| entry.status == preliminary)
}

fn message_tag(work: &Work<'_>, received: &Received) -> Digest {
    let control = received.control_id.as_deref().unwrap_or_default();
    let parts = [received.system.as_str().as_bytes(), control.as_bytes(), &received.digest];
    work.machine.keys.at_rest.tag(Tag::Message, &parts)
}

fn control_tag(work: &Work<'_>, system: &Code, id: &str) -> Digest {
    work.machine.keys.at_rest.tag(Tag::Control, &[system.as_str().as_bytes(), id.as_bytes()])
}

fn original(content: &Content) -> Option<kept::Original> {
    let Content::Review(reason, sealed) = content else { return None };
    Some(kept::Original {
        reason: reason_number(*reason),
        document: sealed.document.as_bytes().to_vec(),
        wrapped_key: sealed.wrapped_key.clone(),
        size: sealed.size,
    })
}

/// Sealed files of this message to which nothing refers.
fn unused(work: &Work<'_>, content: &Content) -> Result<Vec<DocumentId>, Fault> {
    let sealed: Vec<DocumentId> = match content {
        Content::Documents(documents) => documents.iter().map(|(_, sealed)| sealed.document).collect(),
        Content::Review(_, sealed) => vec![sealed.document],
        Content::Events(_) | Content::Answer | Content::Refused => Vec::new(),
    };
    let slots: Vec<_> = sealed.iter().map(state::vault).collect();
    work.view.need(&slots)?;
    let mut unused = Vec::new();
    for (document, slot) in sealed.iter().zip(&slots) {
        if work.view.find(slot)?.is_none() {
            unused.push(*document);
        }
    }
    Ok(unused)
}

impl Content {
    const fn verdict(&self) -> Verdict {
        match self {
            Self::Documents(_) => Verdict::Indexed,
            Self::Events(_) => Verdict::Applied,
            Self::Answer => Verdict::Answered,
            Self::Review(..) => Verdict::Review,
            Self::Refused => Verdict::Refused,
        }
    }
}

impl Verdict {
    /// All, in the order of their numbers, from 1.
    pub const ALL: [Self; 5] = [Self::Indexed, Self::Applied, Self::Answered, Self::Review, Self::Refused];

    /// Whether a message that ended so is taken anew when its reader now says something else.
    fn gives_way_to(self, other: Self) -> bool {
        match self {
            Self::Indexed | Self::Applied | Self::Answered => false,
            Self::Review => !matches!(other, Self::Review | Self::Refused),
            Self::Refused => other != Self::Refused,
        }
    }

    pub(crate) const fn number(self) -> u32 {
        self as u32 + 1
    }

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.number() == number)
    }
}

/// Reasons by number; numbers are never reused.
const REASONS: [ReviewReason; 7] = [
    ReviewReason::NoPatient,
    ReviewReason::NoIdentifier,
    ReviewReason::OnlyPlaceholders,
    ReviewReason::SeveralPatients,
    ReviewReason::MergeWithoutSource,
    ReviewReason::MergeWithItself,
    ReviewReason::OtherPerson,
];

fn reason_number(reason: ReviewReason) -> u32 {
    let place = REASONS.iter().position(|known| *known == reason);
    place.and_then(|place| u32::try_from(place + 1).ok()).unwrap_or(0)
}

pub(crate) fn read_reason(number: u32) -> Option<ReviewReason> {
    REASONS.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}
