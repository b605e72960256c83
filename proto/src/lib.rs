//! The words of the exchange: what is signed, sealed, hashed and sent. `docs/protocol.md` has the clauses that the
//! comments cite; this crate is their one implementation. Pure: no clock, no socket, no file, no generator.
//!
//! | to find | look in |
//! |---|---|
//! | how bytes become types, and what is refused | [`decode`], [`limits`], [`id`], [`codes`] |
//! | signatures, who may sign what | [`suite`], [`envelope`], [`member`], [`directory`] |
//! | patients without names | [`person`], [`token`] |
//! | the index | [`entry`], [`search`], [`inventory`] |
//! | the log and its proofs | [`log`], [`tree`], [`tile`], [`note`] |
//! | documents on the way | [`sealed`], [`release`] |
//! | consent: what was said, and that it is known | [`directive`], [`proof`], [`passkey`], [`head`], [`lease`] |
//! | referrals and what their steps say, access events | [`referral`], [`form`], [`access`] |
//! | calls between processes | [`calls`] |
//! | how good what systems send is | [`quality`] |

pub mod access;
mod agreed;
pub mod calls;
pub mod codes;
pub mod country;
pub mod decode;
pub mod directive;
pub mod directory;
pub mod entropy;
pub mod entry;
pub mod envelope;
pub mod form;
pub mod hash;
pub mod head;
pub mod id;
pub mod inventory;
pub mod lease;
pub mod limits;
pub mod log;
pub mod member;
pub mod note;
pub mod passkey;
pub mod person;
pub mod phi;
pub mod proof;
pub mod quality;
pub mod referral;
pub mod refusal;
pub mod release;
pub mod sealed;
pub mod search;
pub mod suite;
pub mod tile;
pub mod time;
pub mod token;
pub mod tree;
pub mod wire;
