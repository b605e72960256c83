//! A region in one thread, made from one seed: the real machines of registry and node in a world whose network, disks,
//! clocks and people do what the seed says.
//!
//! | module | what it is |
//! |---|---|
//! | [`setup`], [`plant`] | what a run is made from; faults of the product that are planted to see a checker fire |
//! | [`scenario`] | a world that is written down |
//! | [`reduce`] | the shortest history of a failing run |
//! | [`run`] | a run from its first event to its verdict |
//! | `hub`, `network`, `faults`, `randomness`, `clock`, `disk` | the world: time and its queue, what travels, what breaks |
//! | `hostile`, `twin` | a member or the registry whose computer sends what an attacker wants; a second process with the registry's keys |
//! | `registry`, `node` | the two processes: what the drivers of the services do, without their threads |
//! | `region`, `authority`, `maker` | who is a member, and with which keys; the lists that change it; the computers |
//! | `rest` | what holds once all has come to rest |
//! | `load` | what hospitals, doctors and patients do |
//! | `oracle` | the checkers, told only what went in at the doors and what came out |
//! | [`measured`] | what a run measured |
//! | [`trace`] | one line an event, and the digest of all |
//! | [`limits`] | every bound and wait |
//!
//! The order of events is that of (time, number). Each part draws from a stream of its own, so that a draw more in one does
//! not move the others. Not here: the people and their feeds, which [`yiqiao_simnet`] makes.

mod authority;
mod clock;
mod disk;
mod faults;
mod hostile;
mod hub;
pub mod limits;
mod load;
mod maker;
pub mod measured;
mod network;
mod node;
mod oracle;
pub mod plant;
mod randomness;
pub mod reduce;
mod region;
mod registry;
mod rest;
pub mod run;
pub mod scenario;
pub mod setup;
pub mod trace;
mod twin;
