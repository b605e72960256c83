//! A second process with the registry's keys, to which some of the calls for the registry come: what an attacker shows a member in
//! place of the log, or the process that a successor took the log from.
//!
//! Not here: what either answers, which is honest by what it knows: [`crate::registry`].

use crate::network::{Carried, Packet, Who};
use crate::randomness::{Fountain, Part, stream};
use crate::registry::Registry;

use yiqiao_proto::calls::Method;

/// The second process, and what comes to it.
pub(crate) struct Twin {
    pub(crate) registry: Registry,
    /// Whose calls come to it,
    pub(crate) of: Who,
    /// if any do now,
    pub(crate) is_shown: bool,
    /// and whether only those do by which consent is told.
    pub(crate) feeds_only: bool,
}

impl Twin {
    /// A copy of the registry as it is now, which goes on by itself; not started yet.
    pub(crate) fn copy_of(registry: &Registry, seed: u64, number: u64, of: Who, feeds_only: bool) -> Self {
        let volume = registry.volume.copy(stream(seed, Part::Twin, 2 * number));
        let chance = stream(seed, Part::Twin, 2 * number + 1);
        let registry = registry.another(Who::TWIN, volume, fountain(seed, number), chance);
        Self { registry, of, is_shown: true, feeds_only }
    }

    /// Whether a packet to the registry comes here.
    pub(crate) fn takes(&self, packet: &Packet) -> bool {
        let tells = [Method::Feed as u16, Method::Lease as u16];
        let comes = match &packet.body {
            Carried::Call { method, .. } => !self.feeds_only || tells.contains(method),
            Carried::Pull { .. } | Carried::Answer(_) => !self.feeds_only,
        };
        self.is_shown && packet.from == self.of && comes
    }
}

/// The process that takes the log of a registry over; not started yet.
pub(crate) fn successor(registry: &Registry, seed: u64, number: u64) -> Registry {
    let volume = registry.volume.shared(stream(seed, Part::Twin, 2 * number));
    let chance = stream(seed, Part::Twin, 2 * number + 1);
    registry.another(Who::REGISTRY, volume, fountain(seed, number), chance)
}

/// Numbers of processes that are made while the world runs come after those of all others.
const fn fountain(seed: u64, number: u64) -> Fountain {
    Fountain::new(seed, (1 << 32) + number)
}
