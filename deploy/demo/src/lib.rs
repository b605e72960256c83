//! A region of real processes on one machine: one registry and some hospitals' nodes, set up by their own commands, fed
//! through their own doors.
//!
//! | to find | look in |
//! |---|---|
//! | which hospitals, with which accounts | [`cast`] |
//! | ports and folders | [`place`] |
//! | setting up, starting, stopping | [`region`] |
//! | one child process | [`process`] |
//! | starting again what ended | [`watch`] |
//! | what the hospitals' systems send | [`feed`] |
//! | many messages, and how each of them has to end | [`soak`] |
//! | many measurements of one thing, and where they were made | [`spread`] |
//! | the file for scripts | [`facts`] |
//! | talking to a door as a client does | [`client`] |
//!
//! Nothing in here knows more than a hospital's administrator: no crate of the exchange is linked.

pub mod cast;
pub mod client;
pub mod facts;
pub mod feed;
pub mod place;
pub mod process;
pub mod region;
pub mod soak;
pub mod spread;
pub mod watch;
