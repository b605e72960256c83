//! One access in one file, and whether it proves what it says (V-2 to V-6); or that the registry left something out (V-7). Pure: no clock, no store, no socket; whoever has the file
//! and the region's public key needs nothing else.
//!
//! | to find | look in |
//! |---|---|
//! | the file, read strictly | [`mod@file`] |
//! | which members counted, from the authority's key | [`lists`] |
//! | what must hold | [`verify`](verify::verify) |
//! | what is proved, for people and programs | [`proved`] |
//! | that the registry left out what it had acknowledged | [`omission`] |

pub mod file;
pub mod lists;
pub mod omission;
pub mod proved;
pub mod verify;

pub use file::File;
pub use proved::Proved;
pub use verify::{Fault, verify};
