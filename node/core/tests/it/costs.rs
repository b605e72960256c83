//! Work: how often an input is handled again, because something was not loaded, does not grow with how much is due.

use yiqiao_node_core::copy::Stage;

use crate::copies::walk_in;
use crate::rig::{patient, report};
use crate::trio::Trio;

/// The most rounds of one input at the clinic: while so many copies come, and while they are erased.
fn rounds(documents: usize) -> (u32, u32) {
    let mut trio = Trio::with_patient();
    for number in 2..documents {
        let name = format!("r{number}-{documents}");
        trio.node("hospital").receive(&report(&name, patient("p", Some(1)), &name).bytes(&name));
    }
    trio.live(10_000);
    let directive = trio.permit();
    trio.node("clinic").rounds = 0;
    walk_in(&mut trio);
    trio.live(10_000);
    assert_eq!(trio.stages(), vec![Stage::Held; documents]);
    let coming = std::mem::take(&mut trio.node("clinic").rounds);
    trio.revoke(directive);
    trio.live(5_000);
    assert_eq!(trio.stages(), vec![Stage::Erased; documents]);
    (coming, trio.node("clinic").rounds)
}

#[test]
fn many_copies_that_come_or_go_take_as_many_rounds_as_few() {
    let (few, many) = (rounds(4), rounds(40));
    assert!(many.0 <= few.0 + 2 && many.1 <= few.1 + 2, "few: {few:?}, many: {many:?}");
}
