//! The node's machine on a store in memory: alone, against the real registry's machine, and through crashes.

mod anchors;
mod calls;
mod compare;
mod connections;
mod consent;
mod copies;
mod costs;
mod crashes;
mod deposits;
mod dictionary;
mod ended;
mod enrolment;
mod evidence;
mod explain;
mod feed;
mod flows;
mod glass;
mod guardians;
mod holder;
mod looks;
mod matching;
#[path = "../../examples/matching/measure.rs"]
mod measure;
mod messages;
mod model;
mod omission;
mod papers;
mod passkeys;
mod patients;
mod persons;
mod publishing;
mod quality;
mod referrals;
mod region;
mod registers;
#[path = "../../examples/matching/residents.rs"]
mod residents;
mod rig;
mod rotation;
mod seals;
mod sights;
mod stalls;
mod story;
mod systems;
mod town;
mod trio;
