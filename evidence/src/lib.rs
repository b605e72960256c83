//! One access in one file, and whether it proves what it says (V-2 to V-6). Pure: no clock, no store, no socket; whoever has the file
//! and the region's public key needs nothing else.
//!
//! | to find | look in |
//! |---|---|
//! | the file, read strictly | [`mod@file`] |
//! | which members counted, from the authority's key | [`lists`] |
//! | what must hold | [`verify`](verify::verify) |
//! | what is proved, for people and programs | [`proved`] |

pub mod file;
pub mod lists;
pub mod proved;
pub mod verify;

pub use file::File;
pub use proved::Proved;
pub use verify::{Fault, verify};
