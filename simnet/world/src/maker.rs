//! The computers of a world, put together from its seed.

use yiqiao_proto::time::Timestamp;

use crate::clock::Clock;
use crate::disk::Volume;
use crate::network::Who;
use crate::node::Node;
use crate::randomness::{Fountain, Part, stream};
use crate::region::{For, Region};
use crate::registry::Registry;
use crate::setup::{Rates, Setup};

/// Makes the computers of a world.
pub(crate) struct Maker<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) region: Region,
    pub(crate) rates: Rates,
    pub(crate) began: Timestamp,
}

impl Maker<'_> {
    pub(crate) fn registry(&self) -> Registry {
        let who = Who::REGISTRY;
        let chance = stream(self.setup.seed, Part::Crash, u64::from(who.0));
        Registry::new(
            self.region.clone(),
            self.volume(who, "registry-log"),
            self.clock(who),
            self.fountain(who),
            chance,
        )
    }

    pub(crate) fn node(&self, who: Who) -> Node {
        let chance = stream(self.setup.seed, Part::Crash, u64::from(who.0));
        let (volume, clock) = (self.volume(who, "node-journal"), self.clock(who));
        Node::new(who, self.region.clone(), volume, clock, self.fountain(who), chance, self.began)
    }

    fn volume(&self, who: Who, kind: &'static str) -> Volume {
        let id = *self.region.secret(who, For::Folder);
        Volume::new(kind, id, stream(self.setup.seed, Part::Disk, u64::from(who.0)))
    }

    fn clock(&self, who: Who) -> Clock {
        let mut chance = stream(self.setup.seed, Part::Clock, u64::from(who.0));
        let drift = i64::try_from(self.rates.drift).unwrap_or(0);
        let mut ppm = || chance.between(-drift, drift);
        let (wall, boot) = (ppm(), ppm());
        Clock::new(self.began, chance.between(-500, 500), wall, boot)
    }

    fn fountain(&self, who: Who) -> Fountain {
        Fountain::new(self.setup.seed, u64::from(who.0))
    }
}
