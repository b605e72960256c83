//! Whether data may flow. Pure and total: no clock, no store, no error that could look like a permit.
//!
//! [`decide`](decide::decide) answers one request from what is in force; [`record`] keeps what is in force for one
//! patient's token as acts are accepted; [`credential`] says whether a passkey speaks for a patient; [`scope`] says what a
//! directive matches and which of two is narrower. Clauses:
//! `docs/protocol.md`, sections C and D.

pub mod credential;
pub mod decide;
pub mod record;
pub mod scope;

pub use credential::Stated;
pub use decide::{Clause, Decision, Document, Grounds, Patient, Request, decide};
pub use record::{ActRefusal, InForce, Record, Revoked, Witness};
