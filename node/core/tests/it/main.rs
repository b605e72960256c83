//! The node's machine on a store in memory: alone, against the real registry's machine, and through crashes.

mod calls;
mod consent;
mod copies;
mod costs;
mod crashes;
mod deposits;
mod feed;
mod flows;
mod holder;
mod looks;
mod messages;
mod model;
mod passkeys;
mod patients;
mod publishing;
mod referrals;
mod region;
mod registers;
mod rig;
mod rotation;
mod sights;
mod stalls;
mod story;
mod systems;
mod town;
mod trio;
