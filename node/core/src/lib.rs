//! The machine of a hospital's node: what it takes in, keeps, publishes and answers. No clock, no generator, no socket, no
//! file.
//!
//! | to find | look in |
//! |---|---|
//! | inputs, effects, and the one way in | [`machine`] |
//! | what becomes of a message; patients; codes of the index | [`intake`], `person`, [`coding`], [`remark`] |
//! | what is published, in which order, and what the registry's answers mean | `outbox`, `queue`, `words`, `landing` |
//! | what staff decide, and the member list | `staff` |
//! | what patients say here, and how words are handed in | [`desk`], [`said`], `tokens`, [`actor`] |
//! | what is known of consent, for how long, and what follows from it | [`feed`], [`consent`] |
//! | what is let go to others | [`holder`] |
//! | what comes from others, and may be opened | [`receive`], [`copy`], [`open`] |
//! | referrals | [`draft`], `referral`, `step`, [`boxes`] |
//! | what is done with other members, or later | `errand` |
//! | who sees whom; who did what | [`sight`], [`audit`], `event`, `list` |
//! | what is answered | [`ask`] |
//! | what is kept, encrypted and looked at | [`state`], [`at_rest`], `apply` |
//!
//! The journal is the truth: [`machine::Machine::rebuild`] makes all the rest from it again.

pub mod actor;
mod apply;
pub mod ask;
pub mod at_rest;
pub mod audit;
pub mod boxes;
pub mod coding;
pub mod consent;
pub mod copy;
pub mod desk;
pub mod draft;
mod errand;
mod event;
pub mod feed;
pub mod holder;
pub mod intake;
mod landing;
pub mod limits;
mod list;
pub mod machine;
pub mod open;
mod outbox;
mod person;
mod queue;
pub mod receive;
mod referral;
pub mod remark;
pub mod said;
pub mod sight;
mod staff;
pub mod state;
mod step;
mod tokens;
mod words;
