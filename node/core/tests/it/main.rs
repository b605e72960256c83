//! The node's machine on a store in memory: alone, against the real registry's machine, and through crashes.

mod crashes;
mod messages;
mod model;
mod patients;
mod publishing;
mod region;
mod rig;
mod town;
