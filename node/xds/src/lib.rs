//! IHE XDS.b at a node's door, for systems that only speak web services: SOAP 1.2 with MTOM and the metadata of ebRIM on one side,
//! what the FHIR door takes and gives on the other. What is handed in becomes an MHD submission, and what is listed is made of what
//! the FHIR door shows: so there is one way in and one way out, whatever the words.
//!
//! | to find | look in |
//! |---|---|
//! | envelopes in and out, faults | [`soap`] |
//! | messages of several parts (MTOM, XOP) | [`mtom`] |
//! | names of a document, a patient, a repository | [`name`] |
//! | documents that are handed in (ITI-41) | [`provide`] |
//! | questions (ITI-18) and their answers | [`query`], [`listed`] |
//! | bytes of documents (ITI-43) | [`retrieve`] |
//! | what goes wrong | [`wrong`] |
//!
//! Not here: HTTP, who may ask, and where things are kept.

pub mod limits;
pub mod listed;
pub mod mtom;
pub mod name;
pub mod provide;
pub mod query;
pub mod retrieve;
mod rim;
pub mod soap;
mod time;
mod writer;
pub mod wrong;
