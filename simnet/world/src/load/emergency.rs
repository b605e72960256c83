//! Emergencies: a physician who has nothing to do with a patient breaks the glass, looks for documents of other hospitals, pulls and
//! opens them; most of the time somebody else says later whether that was right (D-8, D-11).
//!
//! Not here: what is checked of it: the oracle's account of emergencies.

use yiqiao_node_core::glass::{Breaking, Judging, Reason, Verdict};
use yiqiao_node_core::machine::Input;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Millis;

use super::Load;
use super::forms::staff;
use super::people::By;
use super::wish::{Then, What};
use crate::hub::Hub;
use crate::network::Who;

/// Of a hundred broken glasses so many are judged while the world lives.
const JUDGED: u64 = 70;

/// The glass is broken.
pub(super) fn breaking(node: Who, subject: Subject) -> Input {
    let (actor, text) = (staff(node, PersonRole::Physician), Phi::new("昏迷".to_owned()));
    Input::BreakGlass(Box::new(Breaking { actor, subject, reason: Reason::Unconscious, text }))
}

/// Somebody else says what to think of it.
pub(super) fn judging(node: Who, id: Digest) -> Input {
    let (actor, text) = (staff(node, PersonRole::MedicalAffairs), Phi::new("已核实".to_owned()));
    Input::JudgeGlass(Box::new(Judging { actor, id, verdict: Verdict::Justified, text }))
}

impl Load {
    /// The glass is broken: what follows.
    pub(super) fn glass_is_broken(&mut self, hub: &mut Hub, node: Who, resident: usize, id: Digest) {
        self.counts.emergencies += 1;
        let wait = Millis::new(2_000 + self.chance.below(20_000));
        let search = What::Search { resident, then: Then::Pull };
        self.begin_by(hub, wait, node, search, By::Emergency);
        if self.chance.percent(JUDGED) {
            let wait = Millis::new(30_000 + self.chance.below(600_000));
            self.begin_by(hub, wait, node, What::Judge { id }, By::Staff);
        }
    }
}
