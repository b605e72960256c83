//! What the documents of a patient say, out of the originals: encounters, diagnoses, allergies, medicines, results, vital signs,
//! procedures and immunisations, each with where it stands.
//!
//! [`read::read`] takes one document; [`gather::Gathered`] puts those of a patient together, where the same thing that two systems have
//! sent is one. Nothing is kept: who asks again reads the originals again, by what the dictionary says then.
//!
//! | module | what it is |
//! |---|---|
//! | [`fact`] | what is read |
//! | [`read`] | one document: [`hl7`], [`cda`], [`fhir`] |
//! | [`gather`] | those of a patient, the same once |
//! | [`named`] | what of it is named by codes of the hospital's own |
//! | [`limits`] | the bounds |
//!
//! Not here: who may see it, and how it is written: `yiqiao-fhir`. What a document says in words only is in the document.

pub mod cda;
pub mod fact;
pub mod fhir;
pub mod gather;
pub mod hl7;
pub mod limits;
pub mod named;
pub mod read;
