//! What the systems of a hospital send about a visit, each in its own language.
//!
//! [`events`] says what is sent and when; [`write()`] turns one event into bytes. Not here: transport. MLLP frames, HTTP
//! and folders belong to whoever delivers a feed.

pub mod cda;
pub mod fhir;
pub mod hl7v2;
pub mod mhd;
mod xml;

use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use yiqiao_proto::time::Timestamp;

use crate::chance::{Chance, Domain};
use crate::hospitals::{Feeds, Hospital};
use crate::town::{Patient, Registration};
use crate::visits::{ImageReport, Key, Kind, LabReport, Visit};

/// The clock of the town: the whole country keeps UTC+8.
pub const OFFSET: Offset = Offset::constant(8);

/// A message or document as one system sent it.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Who sent it.
    pub hospital: &'static Hospital,
    /// Which of its systems.
    pub system: System,
    /// When it was sent.
    pub at: Timestamp,
    /// The same instant on the town's clock.
    pub local: DateTime,
    /// The system's own id for it, also inside the bytes; unique in the town.
    pub id: String,
    /// What it is: `ADT^A04`, `ORU^R01`, the code of a CDA document such as `C0053`, `transaction` or `ITI-65`.
    pub kind: &'static str,
    /// The code of the document inside, for CDA and ITI-65.
    pub document: Option<&'static str>,
    /// Whom it is about: the index of the patient in the town.
    pub patient: usize,
    /// The number of the visit that it is about.
    pub visit: String,
    /// The number under which the sender knows the patient.
    pub local_number: String,
    /// What was sent.
    pub bytes: Vec<u8>,
}

/// A system of a hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// Patients and visits.
    His,
    /// Laboratory.
    Lis,
    /// Medical records.
    Emr,
    /// A FHIR interface to all of them.
    Fhir,
}

impl System {
    /// Lower-case name, as in file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::His => "his",
            Self::Lis => "lis",
            Self::Emr => "emr",
            Self::Fhir => "fhir",
        }
    }

    /// The usual ending of a file with such a feed.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::His | Self::Lis => "hl7",
            Self::Emr => "xml",
            Self::Fhir => "json",
        }
    }
}

/// Something that makes a system send.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, on the town's clock.
    pub at: DateTime,
    /// Whose visit.
    pub key: Key,
    /// The event's place within the visit.
    pub order: usize,
    /// What.
    pub content: Content,
}

/// What a system sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A message about patient and visit.
    Adt(Trigger),
    /// A laboratory report as a message: the place of the report in the visit.
    Labs(usize),
    /// A document as CDA.
    Document(Document),
    /// The visit as a FHIR transaction.
    Record,
    /// A document as CDA inside an ITI-65 bundle.
    Submission(Document),
}

/// Why a HIS sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A01
    Admitted,
    /// A03
    Discharged,
    /// A04
    Registered,
    /// A08
    Corrected,
    /// A40
    Merged,
}

/// A kind of document; images and laboratory reports by their place in the visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// 门(急)诊病历
    Consultation,
    /// 西药处方
    Prescription,
    /// 检查报告
    Image(usize),
    /// 检验报告
    Labs(usize),
    /// 出院小结
    Discharge,
    /// 转诊(院)记录
    Referral,
}

/// All that a message is written from.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Who it is about.
    pub patient: &'a Patient,
    /// The patient's file at the hospital.
    pub registration: &'a Registration,
    /// What happened.
    pub visit: &'a Visit,
    /// When it is sent.
    pub at: DateTime,
    /// The sender's id for it.
    pub id: &'a str,
}

impl<'a> Case<'a> {
    /// The laboratory report at this place.
    pub fn lab(&self, at: usize) -> Option<&'a LabReport> {
        self.visit.labs.get(at)
    }

    /// The report on an image at this place.
    pub fn image(&self, at: usize) -> Option<&'a ImageReport> {
        self.visit.images.get(at)
    }

    /// The identity number as the hospital wrote it down, if it did.
    pub fn resident_id(&self) -> Option<&'a str> {
        self.registration.identified.then(|| self.patient.person.resident_id.as_str())
    }
}

/// All that is sent about one patient, visit by visit.
pub fn events(seed: u64, at: usize, patient: &Patient) -> Vec<Event> {
    let visits = patient.visits.iter().enumerate();
    visits.flat_map(|(visit, what)| of_visit(seed, Key { patient: at, visit }, patient, what)).collect()
}

/// Writes one event; `None` if it names a visit or report that the patient does not have.
pub fn write(seed: u64, patient: &Patient, event: &Event) -> Option<Feed> {
    write_under(seed, patient, (event.key.patient, patient), event)
}

/// The same under the card of another: the systems name that one, by the number that the hospital has given out. `None` also if
/// the hospital has given out none.
pub fn write_under(
    seed: u64,
    patient: &Patient,
    (of_card, named): (usize, &Patient),
    event: &Event,
) -> Option<Feed> {
    let visit = patient.visits.get(event.key.visit)?;
    let hospital = visit.hospital;
    let registration = named.registrations.get(&hospital.letter)?;
    let id =
        format!("{}{}{}{:02}", hospital.letter, event.at.strftime("%y%m%d"), event.key.digits(), event.order);
    let case = Case { patient: named, registration, visit, at: event.at, id: &id };
    let mut chance = Chance::new(seed, Domain::Identifiers, event.key.stream() << 16 | event.order as u64);
    let bytes = match event.content {
        Content::Adt(trigger) => hl7v2::adt(&case, trigger),
        Content::Labs(at) => hl7v2::oru(&case, case.lab(at)?),
        Content::Document(document) => cda::write(&case, document)?.into_bytes(),
        Content::Record => fhir::transaction(&case, &mut chance),
        Content::Submission(document) => mhd::submission(&case, document, &mut chance)?,
    };
    Some(Feed {
        hospital,
        system: event.content.system(),
        at: timestamp(event.at),
        local: event.at,
        kind: event.content.name(),
        document: event.content.document().map(Document::code),
        patient: of_card,
        visit: visit.number.clone(),
        local_number: registration.number.clone(),
        bytes,
        id,
    })
}

/// An instant of the town's clock.
pub fn timestamp(local: DateTime) -> Timestamp {
    let ms = OFFSET.to_timestamp(local).map_or(0, jiff::Timestamp::as_millisecond);
    Timestamp::from_unix_ms(ms).unwrap_or_default()
}

impl Content {
    /// Which system sends it.
    pub fn system(self) -> System {
        match self {
            Self::Adt(_) => System::His,
            Self::Labs(_) => System::Lis,
            Self::Document(_) => System::Emr,
            Self::Record | Self::Submission(_) => System::Fhir,
        }
    }

    /// What [`Feed::kind`] says.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adt(trigger) => trigger.name(),
            Self::Labs(_) => "ORU^R01",
            Self::Document(document) => document.code(),
            Self::Record => "transaction",
            Self::Submission(_) => "ITI-65",
        }
    }

    fn document(self) -> Option<Document> {
        match self {
            Self::Document(document) | Self::Submission(document) => Some(document),
            Self::Adt(_) | Self::Labs(_) | Self::Record => None,
        }
    }
}

impl Trigger {
    /// Message and event as MSH-9 has them.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admitted => "ADT^A01",
            Self::Discharged => "ADT^A03",
            Self::Registered => "ADT^A04",
            Self::Corrected => "ADT^A08",
            Self::Merged => "ADT^A40",
        }
    }
}

impl Document {
    /// Code of WS/T 500 or WS/T 483.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Consultation => "C0002",
            Self::Prescription => "C0004",
            Self::Image(_) => "C0006",
            Self::Labs(_) => "C0007",
            Self::Discharge => "C0053",
            Self::Referral => "HSDC00.05",
        }
    }

    /// Title of WS/T 500 or WS/T 483.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Consultation => "门(急)诊病历",
            Self::Prescription => "西药处方",
            Self::Image(_) => "检查报告",
            Self::Labs(_) => "检验报告",
            Self::Discharge => "出院小结",
            Self::Referral => "转诊(院)记录",
        }
    }
}

fn of_visit(seed: u64, key: Key, patient: &Patient, visit: &Visit) -> Vec<Event> {
    let mut contents = match visit.hospital.feeds {
        Feeds::Messages => messages(seed, key, patient, visit),
        Feeds::Fhir => vec![(visit.until, Content::Record)],
        Feeds::Documents => Vec::new(),
    };
    let wrap = match visit.hospital.feeds {
        Feeds::Messages => Content::Document,
        Feeds::Fhir | Feeds::Documents => Content::Submission,
    };
    contents.extend(documents(visit).into_iter().map(|(at, document)| (at, wrap(document))));
    let event = |(order, (at, content))| Event { at, key, order, content };
    contents.into_iter().enumerate().map(event).collect()
}

fn messages(seed: u64, key: Key, patient: &Patient, visit: &Visit) -> Vec<(DateTime, Content)> {
    let mut chance = Chance::new(seed, Domain::Messages, key.stream());
    let inpatient = visit.kind == Kind::Inpatient;
    let arrival = if inpatient { Trigger::Admitted } else { Trigger::Registered };
    let mut contents = vec![(visit.from, Content::Adt(arrival))];
    let letter = visit.hospital.letter;
    let earlier = patient.visits.iter().take(key.visit).any(|visit| visit.hospital.letter == letter);
    let provisional = patient.registrations.get(&letter).is_some_and(|file| file.provisional.is_some());
    if provisional && !earlier {
        contents.push((visit.from.saturating_add(9.minutes()), Content::Adt(Trigger::Merged)));
    }
    if chance.percent(12) {
        contents.push((visit.from.saturating_add(15.minutes()), Content::Adt(Trigger::Corrected)));
    }
    contents.extend(visit.labs.iter().enumerate().map(|(at, lab)| (lab.reported, Content::Labs(at))));
    if inpatient {
        contents.push((visit.until, Content::Adt(Trigger::Discharged)));
    }
    contents
}

fn documents(visit: &Visit) -> Vec<(DateTime, Document)> {
    let mut documents = Vec::new();
    if visit.hospital.feeds == Feeds::Documents {
        documents.extend(visit.labs.iter().enumerate().map(|(at, lab)| (lab.reported, Document::Labs(at))));
    }
    documents
        .extend(visit.images.iter().enumerate().map(|(at, image)| (image.reported, Document::Image(at))));
    if visit.kind == Kind::Inpatient {
        documents.push((visit.until, Document::Discharge));
    } else {
        documents.push((visit.until, Document::Consultation));
        if !visit.medicines.is_empty() && visit.hospital.feeds != Feeds::Fhir {
            documents.push((visit.until, Document::Prescription));
        }
    }
    if visit.referral.is_some() {
        documents.push((visit.until, Document::Referral));
    }
    documents
}
