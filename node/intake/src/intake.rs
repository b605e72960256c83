//! The way in: bytes of a door to one item per message.

use core::ops::Range;
use std::collections::BTreeSet;

use crate::dates::Zone;
use crate::detect::{Shape, shape};
use crate::facts::{Answer, Format, Understood};
use crate::flag::Flag;
use crate::hl7::batch::{self, Piece};
use crate::hl7::mllp;
use crate::hl7::{self, Envelope};
use crate::limits::{BATCH_MESSAGES_MAX, INPUT_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::refusal::Refusal;
use crate::{cda, dicom, fhir, xml};

/// How a door reads what comes through it.
#[derive(Clone, Debug, PartialEq)]
pub struct Door {
    /// The only format it takes; `None` if the bytes tell.
    pub format: Option<Format>,
    /// The zone of times without offset.
    pub zone: Zone,
    /// URLs under which a FHIR input may name content that came before it.
    pub deposits: BTreeSet<String>,
}

/// One message and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Where it stands in the input. Payload ranges count in the input too. The input itself is the record.
    pub span: Range<usize>,
    /// Its format, as far as known.
    pub format: Option<Format>,
    /// The header of an HL7 v2 message: sender and control id, for telling repeats.
    pub envelope: Option<Envelope>,
    /// Documents, events, an answer or a review; or why it goes back to the sender.
    pub outcome: Result<Understood, Refusal>,
}

impl Door {
    /// A door for a format, or for every one, to which nothing has come before.
    pub const fn of(format: Option<Format>, zone: Zone) -> Self {
        Self { format, zone, deposits: BTreeSet::new() }
    }

    /// A door that takes every format, in China.
    pub fn any() -> Self {
        Self::of(None, Zone::china())
    }
}

/// Reads an input. Every byte that is not blank or envelope belongs to exactly one item.
pub fn read(input: &[u8], door: &Door) -> Vec<Item> {
    if input.len() > INPUT_BYTES_MAX {
        return vec![refused(
            0..input.len(),
            None,
            Refusal::TooLarge { what: "an input", limit: INPUT_BYTES_MAX },
        )];
    }
    let all = 0..input.len();
    if input.iter().all(|b| b.is_ascii_whitespace() || *b == 0) {
        return vec![refused(all, None, Refusal::Empty)];
    }
    let items = match shape(input) {
        Some(Shape::Framed) => read_frames(input, &door.zone),
        Some(Shape::Hl7) => read_batch(input, 0, &door.zone),
        Some(Shape::Xml) => vec![read_xml(input, door)],
        Some(Shape::Dicom) => vec![Item {
            span: all.clone(),
            format: Some(Format::Dicom),
            envelope: None,
            outcome: dicom::read(input, all, &door.zone),
        }],
        Some(Shape::DicomStudy) => vec![Item {
            span: all.clone(),
            format: Some(Format::Dicom),
            envelope: None,
            outcome: dicom::read_study(input, all, &door.zone),
        }],
        Some(Shape::Json) => vec![Item {
            span: all.clone(),
            format: Some(Format::FhirJson),
            envelope: None,
            outcome: fhir::read_json(input, all, door),
        }],
        None => vec![refused(all, None, Refusal::FormatUnknown)],
    };
    items.into_iter().map(|item| expected(item, door)).collect()
}

/// An item of another format than the door is for goes back.
fn expected(item: Item, door: &Door) -> Item {
    match (door.format, item.format) {
        (Some(expected), Some(found)) if expected != found => {
            refused(item.span, Some(found), Refusal::FormatUnexpected { expected, found })
        }
        _ => item,
    }
}

fn read_xml(input: &[u8], door: &Door) -> Item {
    let span = 0..input.len();
    let is_fhir = root_is_fhir(input);
    let (format, outcome) = if is_fhir {
        (Format::FhirXml, fhir::read_xml(input, span.clone(), door))
    } else {
        (Format::Cda, cda::read(input, span.clone(), &door.zone))
    };
    Item { span, format: Some(format), envelope: None, outcome }
}

/// Decided on the first tag, so that only one reader parses the whole.
fn root_is_fhir(input: &[u8]) -> bool {
    let mut flags = crate::flag::Flags::none();
    let Ok(text) = xml::decode(input, &mut flags) else { return false };
    xml::root_tag(&text).is_some_and(|tag| tag.contains("http://hl7.org/fhir"))
}

/// HL7 v2 in frames, as a file that was recorded from a line.
fn read_frames(input: &[u8], zone: &Zone) -> Vec<Item> {
    let mut items = Vec::new();
    for frame in mllp::locate(input) {
        match frame {
            Ok(range) if range.len() > MESSAGE_BYTES_MAX => {
                let limit = MESSAGE_BYTES_MAX;
                items.push(refused(
                    range,
                    Some(Format::Hl7V2),
                    Refusal::TooLarge { what: "an MLLP frame", limit },
                ));
            }
            Ok(range) => {
                let message = input.get(range.clone()).unwrap_or(&[]);
                items.extend(read_batch(message, range.start, zone));
            }
            Err(range) => items.push(refused(range, Some(Format::Hl7V2), Refusal::FrameUnterminated)),
        }
    }
    items
}

/// One message or many; `offset` says where the bytes stand in the input.
fn read_batch(input: &[u8], offset: usize, zone: &Zone) -> Vec<Item> {
    let batch = batch::split(input);
    let whole = offset..offset + input.len();
    if batch.pieces.is_empty() {
        let outcome = Ok(Understood::Answer(Answer::EmptyBatch));
        return vec![Item { span: whole, format: Some(Format::Hl7V2), envelope: None, outcome }];
    }
    if batch.pieces.len() > BATCH_MESSAGES_MAX {
        let refusal =
            Refusal::TooLarge { what: "the number of messages in a batch", limit: BATCH_MESSAGES_MAX };
        return vec![refused(whole, Some(Format::Hl7V2), refusal)];
    }
    let messages = batch.pieces.iter().filter(|piece| matches!(piece, Piece::Message(_))).count();
    let miscounted = batch.claimed.is_some_and(|claimed| claimed != messages);
    let items = batch.pieces.into_iter().map(|piece| read_piece(input, offset, piece, zone));
    items.map(|item| if miscounted { with_flag(item, Flag::BatchCount) } else { item }).collect()
}

fn read_piece(input: &[u8], offset: usize, piece: Piece, zone: &Zone) -> Item {
    match piece {
        Piece::Message(range) => {
            let message = input.get(range.clone()).unwrap_or(&[]);
            let span = offset + range.start..offset + range.end;
            let outcome = hl7::read(message, span.clone(), zone);
            Item { span, format: Some(Format::Hl7V2), envelope: hl7::envelope(message), outcome }
        }
        Piece::Stray(range) => {
            let span = offset + range.start..offset + range.end;
            let refusal = Refusal::BeforeFirstMessage { bytes: range.len() };
            refused(span, Some(Format::Hl7V2), refusal)
        }
    }
}

fn with_flag(mut item: Item, flag: Flag) -> Item {
    match &mut item.outcome {
        Ok(Understood::Documents(documents)) => {
            documents.iter_mut().for_each(|document| document.flags.raise(flag));
        }
        Ok(Understood::Events(events)) => events.iter_mut().for_each(|event| event.flags.raise(flag)),
        Ok(Understood::Review(review)) => review.flags.raise(flag),
        Ok(Understood::Answer(_)) | Err(_) => {}
    }
    item
}

fn refused(span: Range<usize>, format: Option<Format>, refusal: Refusal) -> Item {
    Item { span, format, envelope: None, outcome: Err(refusal) }
}
