//! The machine of a hospital's node: what it takes in, keeps, publishes and answers. No clock, no generator, no socket, no
//! file.
//!
//! | to find | look in |
//! |---|---|
//! | the one way in; inputs; effects and answers | [`machine`], `input`, `output` |
//! | what came through which connection, and how it ended | [`connection`] |
//! | what becomes of a message; content that comes before; patients; their numbers; codes of the index | [`intake`], [`deposit`], `person`, `visit`, [`register`], [`coding`], [`remark`] |
//! | who may be whom, and what people decide of it | `likeness`, [`pairs`] |
//! | what is published, in which order, and what the registry's answers mean | `outbox`, `queue`, `words`, `landing` |
//! | what staff decide, and the member list | `staff` |
//! | what patients say here, and how words are handed in | [`desk`], [`act`], [`said`], `tokens`, [`actor`] |
//! | passkeys that this hospital vouches for, and what they sign; what patients are told of it; that a patient has died; scanned papers | [`passkey`]; [`inform`]; [`mod@death`]; [`paper`] |
//! | what is known of consent, for how long, and what follows from it | [`feed`], [`consent`], [`credential`], [`ended`] |
//! | what is let go to others; what proves it; what would be, and why | [`holder`]; [`evidence`]; [`explain`] |
//! | what comes from others, and may be opened | [`receive`], [`copy`], [`open`] |
//! | what the hospital's systems are told of all that | [`outgoing`] |
//! | how far views of its databases are read | [`watermark`] |
//! | referrals | [`draft`], `referral`, `step`, [`boxes`] |
//! | what is done with other members, or later | `errand` |
//! | what goes over the link: calls and what their answers prove; what members ask; refusals | [`call`], [`receipts`], [`answers`], [`fetch`]; [`peer`]; [`refusal`] |
//! | who sees whom, in an emergency, and where nobody does; who did what | [`sight`], [`glass`], [`seal`], [`audit`], [`persons`], `event`, `list` |
//! | what is answered; how much is held in memory | [`ask`]; [`memory`] |
//! | what items of the hospital's systems are | [`dictionary`] |
//! | how good what they send is | [`quality`]; the registry is told by `reporting` |
//! | what is kept, encrypted and looked at | [`state`], [`at_rest`], `apply` |
//!
//! The journal is the truth: [`machine::Machine::rebuild`] makes all the rest from it again.

pub mod act;
pub mod actor;
mod again;
pub mod answers;
mod apply;
pub mod ask;
pub mod at_rest;
pub mod audit;
pub mod boxes;
pub mod call;
pub mod clocks;
pub mod coding;
pub mod compare;
pub mod connection;
pub mod consent;
pub mod copy;
pub mod credential;
pub mod death;
pub mod deposit;
pub mod desk;
pub mod dictionary;
pub mod draft;
pub mod emergency;
pub mod ended;
mod errand;
mod event;
pub mod evidence;
pub mod explain;
pub mod feed;
pub mod fetch;
pub mod glass;
pub mod handover;
pub mod holder;
pub mod inform;
mod input;
pub mod intake;
mod landing;
mod likeness;
pub mod limits;
mod list;
pub mod lost;
pub mod machine;
pub mod memory;
pub mod omission;
pub mod open;
mod outbox;
pub mod outgoing;
mod output;
pub mod pairs;
pub mod paper;
pub mod passkey;
pub mod peer;
mod person;
pub mod persons;
pub mod quality;
mod queue;
pub mod receipts;
pub mod receive;
mod referral;
pub mod register;
pub use yiqiao_proto::refusal;
pub mod remark;
mod reporting;
pub mod said;
pub mod seal;
pub mod sight;
mod staff;
pub mod state;
mod step;
mod tokens;
mod visit;
pub mod watermark;
mod words;
