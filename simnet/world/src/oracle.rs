//! The checkers. They stand outside: they are told what went in at the doors and what came out, and keep an account of their own.
//!
//! | checker | look in |
//! |---|---|
//! | no acknowledged message is lost or doubled | [`messages`] |
//! | what desks were told is kept, and once | [`desks`] |
//! | the log only grows; each receipt's place has its word | [`log`] |
//! | nothing is let go, served, opened or found that no directive in force permits, within the bound | [`consent`] |
//! | a search finds exactly what is permitted | [`consent`] |
//! | who is suspended gets nothing | [`members`] |
//! | nobody decides under a lease that has ended or goes back; no term is used after the next has begun | [`leases`] |
//! | nobody takes an answer of a log that has gone back, or steps over a hole in a feed | [`trees`] |
//! | releases and denials in the holder's audit and the patient's log, and nothing else there | [`access`] |
//! | unknown, unpermitted and absent answers alike | [`alike`] |
//! | nothing that identifies anybody in what travels | [`names`] |
//! | calls that are under way, how often they are repeated, and what is held in memory | [`bounds`] |
//! | what comes of wrong merges and borrowed cards | [`persons`] |
//! | who looks at several patients has another name for each | [`pseudonyms`] |
//! | passkeys that a desk has seen, and signatures that patients gave | [`passkeys`] |
//! | emergencies: declared, in the log, judged, told | [`emergency`] |
//! | releases without deliveries | [`singles`] |
//! | what holds once all has come to rest | `run` |
//!
//! The first violation ends a run.

mod access;
mod alike;
mod bounds;
mod consent;
mod desks;
mod emergency;
mod leases;
mod log;
mod members;
mod messages;
mod model;
mod names;
mod passkeys;
mod persons;
mod pseudonyms;
#[cfg(test)]
mod samples;
mod singles;
mod trees;
mod wrong;

use yiqiao_proto::directory::Directory;
use yiqiao_proto::time::Timestamp;

use crate::load::Resident;
use crate::measured::Measured;
use crate::network::Who;
use crate::region::Region;
use crate::setup::Attack;

pub(crate) use wrong::Finding;
pub use wrong::Wrong;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, in milliseconds since the world began.
    pub at_ms: u64,
    /// At which process.
    pub who: String,
    /// What, by its name.
    pub wrong: Wrong,
    /// What, in words, and what else is to be said of it.
    pub what: String,
}

/// What the checkers know.
pub(crate) struct Oracle {
    began: Timestamp,
    region: Region,
    names: names::Names,
    log: log::Log,
    messages: messages::Messages,
    desks: desks::Desks,
    releases: consent::Releases,
    members: members::Members,
    leases: leases::Leases,
    trees: trees::Trees,
    pub(crate) measured: Measured,
    access: access::Access,
    alike: alike::Alike,
    bounds: bounds::Bounds,
    persons: persons::Persons,
    pseudonyms: pseudonyms::Pseudonyms,
    passkeys: passkeys::Passkeys,
    emergencies: emergency::Emergencies,
    hostile: Option<Who>,
    attack: Option<Attack>,
    violation: Option<Violation>,
}

impl Oracle {
    pub(crate) fn new(
        began: Timestamp,
        region: Region,
        residents: &[Resident],
        (hostile, attack): (Option<Who>, Option<Attack>),
    ) -> Self {
        Self {
            began,
            names: names::Names::of(residents),
            log: log::Log::default(),
            messages: messages::Messages::default(),
            desks: desks::Desks::default(),
            releases: consent::Releases::default(),
            members: members::Members::default(),
            leases: leases::Leases::default(),
            trees: trees::Trees::default(),
            measured: Measured::new(began),
            access: access::Access::default(),
            alike: alike::Alike::default(),
            bounds: bounds::Bounds::default(),
            persons: persons::Persons::of(&region, residents),
            pseudonyms: pseudonyms::Pseudonyms::default(),
            passkeys: passkeys::Passkeys::default(),
            emergencies: emergency::Emergencies::default(),
            hostile,
            attack,
            region,
            violation: None,
        }
    }

    /// The first violation, if there was one.
    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Something that must not be.
    pub(crate) fn blames(&mut self, now: Timestamp, who: Who, found: impl Into<Finding>) {
        let violation = |found: Finding| Violation {
            at_ms: now.since(self.began).get(),
            who: who.to_string(),
            wrong: found.wrong,
            what: found.to_string(),
        };
        // What becomes of an attacker is its own affair; the registry's process stays honest.
        let own_affair = who != Who::REGISTRY && self.hostile == Some(who);
        if self.violation.is_none() && !own_affair {
            self.violation = Some(violation(found.into()));
        }
    }

    pub(crate) const fn directory(&self) -> &Directory {
        &self.region.directory
    }

    /// Something of the registry's that must not be, unless an attacker speaks in its place.
    pub(crate) fn blames_registry(&mut self, now: Timestamp, who: Who, found: impl Into<Finding>) {
        if self.hostile != Some(Who::REGISTRY) {
            self.blames(now, who, found);
        }
    }

    /// Whether members are told of consent what the registry never accepted, signed with its own keys: then no bound holds, and
    /// what is let go must have been permitted at some time.
    fn is_forged(&self) -> bool {
        self.attack.is_some_and(Attack::forges)
    }

    /// Who is hostile.
    pub(crate) const fn hostile(&self) -> Option<Who> {
        self.hostile
    }

    /// Bytes go from one process to another: to the registry nothing that identifies anybody, to members nothing that is not sealed.
    pub(crate) fn travels(&mut self, now: Timestamp, (from, to): (Who, Who), bytes: &[u8]) {
        if self.names.are_in(bytes) {
            self.blames(now, from, Wrong::NameTold.of(to));
        }
    }

    /// The name of somebody.
    pub(crate) fn a_name(&self) -> Vec<u8> {
        self.names.first()
    }
}
