//! HL7 v2, ER7 encoding, as hospitals send it: versions 2.1 to 2.8, standard and Chinese dialect.
//!
//! Not here: conformance checking. A message is read as far as it says something and flagged where it is unusual.

pub mod ack;
pub mod batch;
pub mod escape;
pub mod message;
pub mod mllp;
pub mod notice;

mod adt;
mod header;
mod mdm;
mod observation;
mod person;
mod reader;
mod visit;

pub use header::{Condition, Envelope, envelope};
pub use reader::read;
pub use visit::{of as visit_of, staff};

pub(crate) use mdm::from_base64;
