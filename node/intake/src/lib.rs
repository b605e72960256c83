//! Hospital formats to facts: what a message of a hospital system says, in the words of this project.
//!
//! [`intake::read`] is the way in: bytes and the [`intake::Door`] they came through go in, one [`intake::Item`] per
//! message comes out. Every item ends in one of five ways: documents to index, patient or visit events to apply,
//! an answer (it was not a record), a review (kept whole for a person), or a [`refusal::Refusal`] for the sender.
//!
//! | module | what it is |
//! |---|---|
//! | [`facts`], [`patient`], [`kind`], [`dates`], [`flag`] | what every reader yields |
//! | [`intake`], [`detect`] | the way in, and which reader a byte string is for |
//! | [`summary`] | a message in one line, for its sender |
//! | [`hl7`] | HL7 v2: MLLP, batches, character sets, escapes, ADT, ORU, MDM and the rest, acknowledgements |
//! | [`lab`] | results as rows |
//! | [`quality`] | what is expected of messages, as rules, and how each stands to them |
//! | [`cda`] | CDA R2, WS/T 500 and 483, C-CDA: header and a readable rendering |
//! | [`table`] | CSV and JSON lines by a declared mapping |
//! | [`fhir`] | FHIR R4, JSON and XML: bundles, single resources, IHE MHD submissions |
//! | [`dicom`] | DICOM: the facts of an instance, in every transfer syntax |
//! | [`xml`], [`resident_id`], [`charset`], [`limits`], [`refusal`] | what they share |
//!
//! Not here: files, sockets, clocks, chance, and any decision who may see a document.

pub mod cda;
pub mod charset;
pub mod dates;
pub mod detect;
pub mod dicom;
pub mod facts;
pub mod fhir;
pub mod flag;
pub mod hl7;
pub mod intake;
pub mod kind;
pub mod lab;
pub mod limits;
pub mod patient;
pub mod quality;
pub mod refusal;
pub mod resident_id;
pub mod summary;
pub mod table;
pub mod xml;
