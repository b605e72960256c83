//! Durable append-only files for the registry's log and a node's vault: the log files, with fdatasync, are the truth.
//!
//! | module | what it is |
//! |---|---|
//! | [`folder`] | a locked folder that says what it holds; everything below lives in one |
//! | [`journal`] | batches of records in segments, whole or not at all; what recovery may cut and what it refuses |
//! | [`register`] | one small value, replaced without ever losing the one before |
//! | [`mod@column`] | fixed-width items derived from a journal, rebuilt when damaged |
//! | [`disk`] | the few operations on one directory that all of this stands on, and [`write_atomic`] |
//! | [`os`], [`sim`] | that directory in the file system, and in memory with every fault a test asks for |
//! | [`mod@view`] | what a core sees of stored data, and writes |
//! | [`limits`] | how large anything may get |
//!
//! Not here: what a record means, when to sync, and how long to keep. There is no thread and no clock.

pub mod column;
pub mod disk;
mod fields;
pub mod folder;
pub mod journal;
pub mod limits;
pub mod os;
pub mod register;
pub mod sim;
pub mod view;

pub use column::Column;
pub use disk::{Disk, DiskError, File, write_atomic};
pub use folder::{Folder, Format};
pub use journal::{Journal, Options, Position, Recovery, Scan, View};
pub use os::OsDisk;
pub use register::Register;
pub use sim::SimDisk;
