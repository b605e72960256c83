//! The checkers. They stand outside: they are told what went in at the doors and what came out, and keep an account of their own.
//!
//! | checker | look in |
//! |---|---|
//! | no acknowledged message is lost or doubled | [`messages`] |
//! | the log only grows; each receipt's place has its word | [`log`] |
//! | nothing is let go, served, opened or found that no directive in force permits, within the bound | [`consent`] |
//! | a search finds exactly what is permitted | [`consent`] |
//! | who is suspended gets nothing | [`members`] |
//! | nothing that identifies anybody in what the registry hears | [`names`] |
//! | what holds once all has come to rest | `run` |
//!
//! The first violation ends a run.

mod consent;
mod log;
mod members;
mod messages;
mod model;
mod names;

use yiqiao_proto::directory::Directory;
use yiqiao_proto::time::Timestamp;

use crate::load::Resident;
use crate::network::Who;
use crate::region::Region;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, in milliseconds since the world began.
    pub at_ms: u64,
    /// At which process.
    pub who: String,
    /// What.
    pub what: String,
}

/// What the checkers know.
pub(crate) struct Oracle {
    began: Timestamp,
    region: Region,
    names: names::Names,
    log: log::Log,
    messages: messages::Messages,
    releases: consent::Releases,
    members: members::Members,
    hostile: Option<Who>,
    violation: Option<Violation>,
}

impl Oracle {
    pub(crate) fn new(
        began: Timestamp,
        region: Region,
        residents: &[Resident],
        hostile: Option<Who>,
    ) -> Self {
        Self {
            began,
            region,
            names: names::Names::of(residents),
            log: log::Log::default(),
            messages: messages::Messages::default(),
            releases: consent::Releases::default(),
            members: members::Members::default(),
            hostile,
            violation: None,
        }
    }

    /// The first violation, if there was one.
    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Something that must not be.
    pub(crate) fn blames(&mut self, now: Timestamp, who: Who, what: &str) {
        let violation =
            || Violation { at_ms: now.since(self.began).get(), who: who.to_string(), what: what.to_owned() };
        // What becomes of an attacker is its own affair; the registry's process stays honest.
        let own_affair = who != Who::REGISTRY && self.hostile == Some(who);
        if self.violation.is_none() && !own_affair {
            self.violation = Some(violation());
        }
    }

    pub(crate) const fn directory(&self) -> &Directory {
        &self.region.directory
    }

    /// Something of the registry's that must not be, unless an attacker speaks in its place.
    pub(crate) fn blames_registry(&mut self, now: Timestamp, who: Who, what: &str) {
        if self.hostile != Some(Who::REGISTRY) {
            self.blames(now, who, what);
        }
    }

    /// Who is hostile.
    pub(crate) const fn hostile(&self) -> Option<Who> {
        self.hostile
    }

    /// Bytes go to the registry.
    pub(crate) fn hears_registry(&mut self, now: Timestamp, from: Who, bytes: &[u8]) {
        if self.names.are_in(bytes) {
            self.blames(now, from, "a name or number of a patient goes to the registry");
        }
    }

    /// The name of somebody.
    pub(crate) fn a_name(&self) -> Vec<u8> {
        self.names.first()
    }
}
