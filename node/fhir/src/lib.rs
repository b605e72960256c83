//! FHIR R4 (4.0.1) at a node's door: what the node knows as resources, and what is asked of it. JSON only.
//!
//! | to find | look in |
//! |---|---|
//! | what the door says it can do | [`capability`] |
//! | search parameters, and which resources they admit | [`query`], [`search`], [`date`] |
//! | Patient; DocumentReference (IHE MHD); its bytes | [`patient`], [`document`], [`binary`] |
//! | Consent, written and read (IHE PCF) | [`consent`] |
//! | ServiceRequest and Task, and the change of a Task | [`referral`] |
//! | what documents say, with where they say it (`Patient/$everything`) | [`everything`] |
//! | searchsets | [`bundle`] |
//! | documents that are handed in (ITI-65) | [`provide`] |
//! | what goes wrong, as OperationOutcome | [`outcome`] |
//! | systems of identifiers and codes | [`terms`] |
//!
//! Not here: HTTP, who may ask, where things are kept, and the reading of handed-in documents (`yiqiao-intake`).

pub mod binary;
pub mod bundle;
pub mod capability;
pub mod consent;
pub mod date;
pub mod document;
mod element;
pub mod everything;
pub mod limits;
pub mod outcome;
pub mod patient;
pub mod provide;
pub mod query;
pub mod referral;
pub mod resource;
pub mod search;
pub mod terms;
