//! The registry's machine: what it takes, keeps, tells and answers. No clock, no generator, no socket, no file.
//!
//! | to find | look in |
//! |---|---|
//! | inputs, effects, and the one way in | [`machine`] |
//! | what is kept, and how it is looked at | [`state`] |
//! | which words are taken, and what follows from them | [`take`], [`index`], [`consent`] (and `along`), [`credential`], [`patient`],
//! | | [`facts`], [`pair`] |
//! | what the registry says itself | [`say`] |
//! | what is answered | [`search`] (and `decoys`), [`lease`], `evidence`, `anchor`, `inventory` |
//! | what members found wrong with it | [`alarm`] |
//! | how good what their systems send is | [`quality`] |
//! | from a call's bytes to an input, and back to bytes | [`door`], [`evaluate`], [`answer`] |
//!
//! The journal is the truth: [`machine::Machine::rebuild`] makes all the rest from it again.

pub mod alarm;
mod along;
mod anchor;
pub mod answer;
pub mod consent;
pub mod credential;
mod decoys;
pub mod door;
pub mod evaluate;
mod evidence;
pub mod facts;
pub mod index;
mod inventory;
pub mod lease;
pub mod limits;
pub mod machine;
pub mod pair;
pub mod patient;
pub mod quality;
pub mod quota;
pub mod say;
pub mod search;
pub mod state;
pub mod take;
