//! Which access is to be proved: known at both sides, also when the copy is gone, and shown as an access of its own (V-2).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot happen here fails the test")]

use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::{Act, Of};
use yiqiao_node_core::evidence::Access;
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::AccessAct;
use yiqiao_proto::envelope::{Kind, Said, Verified, Word};
use yiqiao_proto::head::Standing;
use yiqiao_proto::id::{Digest, EntryId};
use yiqiao_proto::release::{PullRequest, Release};

use crate::copies::walk_in;
use crate::region::code;
use crate::trio::Trio;

pub(crate) fn export(trio: &mut Trio, member: &'static str, release: Digest) -> Result<Outcome, Refused> {
    trio.act(member, &Input::Export { actor: Actor::System(code("administrator")), release })
}

fn accesses(trio: &Trio, member: &str, entry: EntryId) -> Vec<Access> {
    trio.nodes[member].ask(|machine, view| machine.accesses(&code("hospital"), &entry, view))
}

/// The releases in the log.
pub(crate) fn releases(trio: &Trio) -> Vec<(Digest, Release)> {
    let words = trio.registry.log().filter(|word| word.kind() == Kind::Release);
    words.map(|word| (word.payload_hash(), Release::decode(word.payload()).unwrap())).collect()
}

#[test]
fn v2_both_sides_export_the_same_request_also_when_the_copy_is_gone() {
    let mut trio = Trio::with_patient();
    let directive = trio.permit();
    walk_in(&mut trio);
    let logged = releases(&trio);
    let (hash, release) = logged[0].clone();
    for member in ["hospital", "clinic"] {
        let [access] = <[Access; 1]>::try_from(accesses(&trio, member, release.terms.entry_id)).unwrap();
        assert_eq!((access.release, access.recipient), (hash, code("clinic")), "{member}");
        let Ok(Outcome::Exported { request, emergency }) = export(&mut trio, member, hash) else {
            panic!("{member}")
        };
        assert!(emergency.is_empty());
        let request = Verified::<PullRequest>::check(request, &trio.registry.directory, Said::Now).unwrap();
        assert_eq!(request.envelope().payload_hash(), release.terms.request);
        let unknown = export(&mut trio, member, Digest::new([9; 32]).unwrap());
        assert_eq!(unknown.unwrap_err(), Refused::UnknownRelease);
        let lines = trio.nodes[member].ask(|machine, view| machine.audit_lines(&Of::All, None, view));
        let exported: Vec<_> = lines.iter().filter(|(_, line)| line.act == Act::Export).collect();
        let [(_, line)] = exported.as_slice() else { panic!("one line: {exported:?}") };
        assert_eq!((line.login.as_str(), line.entry), ("administrator", Some(release.terms.entry_id)));
    }
    trio.revoke(directive);
    trio.live(120_000);
    assert!(accesses(&trio, "clinic", release.terms.entry_id).is_empty(), "the copy was erased");
    assert!(matches!(export(&mut trio, "clinic", hash), Ok(Outcome::Exported { .. })));
    trio.live(3_000);
    let events = trio.registry.log().filter(|word| word.kind() == Kind::AccessEvent);
    let events = events.map(|word| AccessEvent::decode(word.payload()).unwrap());
    let exports = events.filter(|event| event.act == AccessAct::Export && event.release == Some(hash));
    assert_eq!(exports.count(), 3, "each is an event of the patient");
}

#[test]
fn p2_a_release_proves_that_its_directive_stood_in_the_head() {
    let mut trio = Trio::with_patient();
    trio.permit();
    walk_in(&mut trio);
    let logged = releases(&trio);
    let permit = trio.registry.openings().find(|(_, word)| word.kind() == Kind::Directive).unwrap().0;
    assert_eq!(logged.len(), 2);
    for (_, release) in logged {
        let head = release.terms.heads.iter().find(|(token, _)| *token == release.terms.patient).unwrap().1;
        let standing: Standing = release.terms.standing.unwrap();
        assert!(standing.leads_to(&permit.commitment(), &head));
    }
}
