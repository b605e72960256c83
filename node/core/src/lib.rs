//! The machine of a hospital's node: what it takes in, keeps, publishes and answers. No clock, no generator, no socket, no
//! file.
//!
//! | to find | look in |
//! |---|---|
//! | inputs, effects, and the one way in | [`machine`] |
//! | what becomes of a message; patients; codes of the index | [`intake`], `person`, [`coding`], [`remark`] |
//! | what is published, in which order, and what the registry's answers mean | `outbox`, `queue`, `words`, `landing` |
//! | what staff decide, and the member list | `staff` |
//! | what is answered | [`ask`] |
//! | what is kept, encrypted and looked at | [`state`], [`at_rest`], `apply` |
//!
//! The journal is the truth: [`machine::Machine::rebuild`] makes all the rest from it again.

mod apply;
pub mod ask;
pub mod at_rest;
pub mod coding;
pub mod intake;
mod landing;
pub mod limits;
pub mod machine;
mod outbox;
mod person;
mod queue;
pub mod remark;
mod staff;
pub mod state;
mod words;
