//! One message to one outcome: which kind has a reader of its own, and what happens to the others.

use core::ops::Range;

use crate::dates::{When, Zone};
use crate::facts::{
    Answer, Author, Document, Format, Payload, Review, ReviewReason, SourceId, Status, Understood,
};
use crate::flag::{Flag, Flags};
use crate::hl7::header::{Envelope, decode};
use crate::hl7::message::Message;
use crate::hl7::{adt, mdm, observation, person, visit};
use crate::kind::{Class, DocumentKind};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::patient::Patient;
use crate::refusal::Refusal;

/// Everything the readers of the kinds share about one message.
pub(crate) struct Reading<'m, 't> {
    pub(crate) message: &'m Message<'t>,
    pub(crate) envelope: &'m Envelope,
    pub(crate) zone: &'m Zone,
    pub(crate) span: Range<usize>,
    pub(crate) flags: Flags,
}

/// Reads one message; `span` says where it stands in its input.
///
/// # Errors
/// If it is too large, has no usable MSH or no message type, or ends after MSH.
pub fn read(message: &[u8], span: Range<usize>, zone: &Zone) -> Result<Understood, Refusal> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Refusal::TooLarge { what: "a message", limit: MESSAGE_BYTES_MAX });
    }
    let mut flags = Flags::none();
    let text = decode(message, &mut flags);
    let message = Message::parse(&text.text)?;
    let msh = message.first("MSH").ok_or(Refusal::FieldMissing { field: "MSH", meaning: "the header" })?;
    let envelope = Envelope::read(msh, message.delimiters(), text.charset);
    check_kind(&envelope.kind)?;
    flags.raise_if(envelope.control_id.is_empty(), Flag::ControlIdMissing);
    flags.raise_if(matches!(envelope.processing.as_str(), "T" | "D"), Flag::NotProduction);
    flags.raise_if(message.is_continued(), Flag::SegmentContinued);
    Reading { message: &message, envelope: &envelope, zone, span, flags }.read()
}

/// MSH-9.1 is three letters or digits, the first a letter.
fn check_kind(kind: &str) -> Result<(), Refusal> {
    let code = kind.split('^').next().unwrap_or("");
    let formed = code.len() == 3
        && code.starts_with(|c: char| c.is_ascii_alphabetic())
        && code.chars().all(|c| c.is_ascii_alphanumeric());
    let meaning = "the message type, as in ADT^A01";
    if formed { Ok(()) } else { Err(Refusal::FieldMissing { field: "MSH-9", meaning }) }
}

impl Reading<'_, '_> {
    fn read(mut self) -> Result<Understood, Refusal> {
        if let Some(answer) = self.answered() {
            return Ok(Understood::Answer(answer));
        }
        if self.message.segments().len() < 2 {
            return Err(Refusal::HeaderOnly);
        }
        Ok(match self.code() {
            "ADT" => adt::read(&mut self),
            _ => match self.patient() {
                Ok(patient) => Understood::Documents(vec![self.document(patient)]),
                Err(reason) => self.review(reason),
            },
        })
    }

    /// MSH-9.1.
    pub(crate) fn code(&self) -> &str {
        self.envelope.kind.split('^').next().unwrap_or("")
    }

    /// MSH-9.2.
    pub(crate) fn trigger(&self) -> &str {
        self.envelope.kind.split('^').nth(1).unwrap_or("")
    }

    /// EVN-2, the first OBR-7, or MSH-7: the first that is a date.
    pub(crate) fn date(&mut self) -> Option<When> {
        let message = self.message;
        let own =
            message.all("EVN").map(|evn| evn.field(2)).chain(message.all("OBR").map(|obr| obr.field(7)));
        for field in own.filter(|field| !field.is_empty()).take(16) {
            if let Ok(when) = self.when(&field.once().component(1).value()) {
                return Some(when);
            }
        }
        self.flags.raise(Flag::DateFromHeader);
        self.when(&message.field("MSH", 7).once().component(1).value()).ok()
    }

    pub(crate) fn when(&mut self, text: &str) -> Result<When, crate::dates::DateError> {
        When::parse(text, self.zone, &mut self.flags)
    }

    /// A review with what could be read.
    pub(crate) fn review(&mut self, reason: ReviewReason) -> Understood {
        let patient = self.message.first("PID").map(|pid| person::read(pid, &mut self.flags));
        let date = self.date();
        let flags = self.flags.clone();
        Understood::Review(Box::new(Review {
            reason,
            kind: self.envelope.kind.clone(),
            patient,
            date,
            flags,
        }))
    }

    /// A document about a patient, with its kind's own facts where there is a reader for it.
    fn document(&mut self, patient: Patient) -> Document {
        self.flags.merge(&patient.check());
        match self.code() {
            "MDM" => mdm::read(self, patient),
            "ORU" | "OUL" | "ORF" => observation::read(self, patient),
            _ => {
                let class = class_of(self.code());
                self.flags.raise_if(class == Class::Other, Flag::KindUnknown);
                self.whole(patient, class)
            }
        }
    }

    /// The whole message as a document: all that every kind has in common.
    pub(crate) fn whole(&mut self, patient: Patient, class: Class) -> Document {
        let date = self.date();
        let orders = self.orders();
        let mut ids = orders.into_iter();
        let source_id = ids.next().or_else(|| {
            self.flags.raise(Flag::SourceIdFromMessage);
            SourceId::new(&self.envelope.sender(), &self.envelope.control_id)
        });
        let created = self.when(&self.message.field("MSH", 7).once().component(1).value()).ok();
        let visit = visit::number(self.message);
        Document {
            patient,
            source_id,
            also_known_as: ids.collect(),
            kind: DocumentKind::hl7(class, &self.envelope.kind),
            title: observation::title(self.message),
            format: Format::Hl7V2,
            date,
            created,
            service: crate::dates::Period { start: date, end: None },
            author: self.author(),
            status: self.whole_status(),
            replaces: None,
            visit,
            visits: Vec::new(),
            confidentiality: None,
            lab: Vec::new(),
            payload: Payload::Message(self.span.clone()),
            flags: self.flags.clone(),
        }
    }

    /// A referral that is called back (REF^I14) was not meant; a cancelled order or appointment was, and its message says so.
    fn whole_status(&self) -> Status {
        if (self.code(), self.trigger()) == ("REF", "I14") { Status::Cancelled } else { Status::Final }
    }

    /// Identifiers of what the message is about: filler, then placer numbers, of OBR, then of ORC; of an appointment or a referral.
    fn orders(&self) -> Vec<SourceId> {
        let fields = [("OBR", 3), ("ORC", 3), ("OBR", 2), ("ORC", 2), ("SCH", 2), ("SCH", 1), ("RF1", 6)];
        let found = fields.iter().map(|(segment, field)| self.entity_ids(segment, *field));
        found.into_iter().find(|ids| !ids.is_empty()).unwrap_or_default()
    }

    fn entity_ids(&self, segment: &str, field: usize) -> Vec<SourceId> {
        let mut ids = Vec::new();
        for entity in self.message.all(segment).map(|segment| segment.field(field).once()) {
            let id = self.source_id(entity);
            ids.extend(id.filter(|id| !ids.contains(id) && ids.len() < crate::limits::IDENTIFIERS_MAX));
        }
        ids
    }

    /// An EI field; where it names no assigner the sender is it.
    pub(crate) fn source_id(&self, entity: crate::hl7::message::Part<'_>) -> Option<SourceId> {
        let assigner = [3, 2].iter().find_map(|part| entity.component(*part).some());
        SourceId::new(&assigner.unwrap_or_else(|| self.envelope.sender()), &entity.component(1).value())
    }

    fn author(&self) -> Author {
        let organization = Some(self.envelope.sending_facility.clone()).filter(|name| !name.is_empty());
        Author { organization, department: visit::department(self.message), person: None, custodian: None }
    }

    /// The patient of the message, or why a person has to look at it.
    fn patient(&mut self) -> Result<Patient, ReviewReason> {
        let mut found: Option<Patient> = None;
        for pid in self.message.all("PID") {
            let patient = person::read(pid, &mut self.flags);
            match &found {
                None => found = Some(patient),
                Some(first) if !first.shares_identifier(&patient) => {
                    return Err(ReviewReason::SeveralPatients);
                }
                Some(_) => {}
            }
        }
        let patient = found.ok_or(ReviewReason::NoPatient)?;
        match Review::of_patient(&patient) {
            Some(reason) => Err(reason),
            None => Ok(patient),
        }
    }

    /// What is no record: acknowledgements, queries and their answers, master files, control runs.
    fn answered(&self) -> Option<Answer> {
        let kind = || self.envelope.kind.clone();
        let has_patient = self.message.first("PID").is_some();
        match self.code() {
            "ACK" | "MCF" | "RSP" | "RTB" | "RDY" | "RDR" | "RAR" | "RER" | "ROR" | "RGR" | "DSR" | "EDR"
            | "ERP" | "TBR" | "ADR" | "VXX" | "VXR" | "RCI" | "RCL" | "RPI" | "RPL" | "RPR" | "SRR"
            | "SQR" | "CQR" | "MFK" | "MFR" => Some(Answer::Response(kind())),
            "QBP" | "QRY" | "QSB" | "QVR" | "QCK" | "QCN" | "QSX" | "SQM" | "SPQ" | "VQQ" | "EQQ" | "ERQ"
            | "VXQ" | "MFQ" | "RQC" | "RQP" | "RQQ" | "OSQ" | "DSQ" => Some(Answer::Query(kind())),
            "NMQ" | "NMD" | "NMR" | "MFN" | "MFD" | "UDM" | "ESU" | "ESR" | "EAC" | "EAN" | "EAR" | "EHC"
            | "INR" | "INU" | "LSR" | "LSU" | "TCR" | "TCU" | "STC" | "STI" | "SDN" | "SCN" | "PMU"
            | "SSR" | "SSU"
                if !has_patient =>
            {
                Some(Answer::NotAboutPatients(kind()))
            }
            // Analysers mark a control run with 2 in MSH-16 and put the values into OBR.
            "ORU" if !has_patient && self.message.field("MSH", 16).value() == "2" => {
                Some(Answer::QualityControl)
            }
            _ => None,
        }
    }
}

/// Class of a message kind that is indexed whole.
fn class_of(code: &str) -> Class {
    match code {
        "ORM" | "OML" | "OMG" | "OMI" | "OMB" | "OMD" | "OMN" | "OMS" | "OMQ" | "OPL" | "OPR" | "ORR"
        | "ORL" | "ORG" | "ORI" | "OSM" | "OSR" => Class::Order,
        "OMP" | "ORP" | "RDE" | "RDS" | "RAS" | "RGV" | "RRA" | "RRD" | "RRE" | "RRG" | "FDE" | "PEX" => {
            Class::Medication
        }
        "VXU" => Class::Immunization,
        "BAR" | "DFT" => Class::Charge,
        "EHC" => Class::Settlement,
        "SIU" | "SRM" | "PIN" => Class::Administrative,
        "REF" | "RRI" => Class::ReferralNote,
        "CCM" | "CCR" | "CCU" | "CCI" | "PPR" | "PGL" | "PPP" | "PPG" => Class::Summary,
        "BPS" | "BTS" | "BRP" | "BRT" => Class::ProcedureRecord,
        _ => Class::Other,
    }
}
