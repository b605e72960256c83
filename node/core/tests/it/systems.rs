//! What systems of the hospital may do with nobody at them: what a desk, a referral office and a record have, by ids alone.

use std::collections::BTreeSet;

use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask;
use yiqiao_node_core::desk::{Question, Search, Statement};
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_proto::codes::{PatientQuestion, Purpose, ReferralAct};
use yiqiao_proto::id::{EntryId, ReferralId};
use yiqiao_proto::referral::State;

use crate::region::code;
use crate::story::{Story, permit};
use crate::trio::Trio;

fn his() -> Actor {
    Actor::System(code("his"))
}

#[test]
fn c8_a_system_records_with_evidence_what_was_said_at_its_desk_and_asks_nothing() {
    let mut story = Story::with_document();
    let said = |story: &Story, evidence: &[u8]| {
        let by = Statement { actor: his(), evidence: evidence.to_vec(), ..story.statement() };
        Input::Permit(Box::new((by, permit(story.node.now))))
    };
    let without = said(&story, b"");
    assert_eq!(story.node.decide(&without), Err(Refused::NotSeen));
    let with = said(&story, b"{}");
    assert!(matches!(story.act(&with), Outcome::Said(_)));
    let subject = story.subject();
    let question = Question { actor: his(), subject, what: PatientQuestion::Consents, from_seq: 0, count: 1 };
    assert_eq!(story.node.decide(&Input::PatientQuery(Box::new(question))), Err(Refused::NotSeen));
    let search = Search {
        actor: his(),
        subject,
        purpose: Purpose::Treatment,
        referral: None,
        classes: [].into(),
        types: [].into(),
        service_from: None,
        service_until: None,
        superseded: false,
        from_seq: 0,
        count: 1,
    };
    assert_eq!(story.node.decide(&Input::Search(Box::new(search))), Err(Refused::NotSeen));
}

#[test]
fn a_system_finds_patients_documents_copies_and_referrals_by_their_ids() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let id = trio.refer();
    trio.live(5_000);
    let nobody = ReferralId::new([9; 32]).unwrap();
    for name in ["hospital", "clinic"] {
        let referrers =
            |id: ReferralId| trio.nodes[name].ask(|machine, view| machine.referrers(&his(), &id, view));
        assert_eq!((referrers(id), referrers(nobody)), (vec![code("hospital")], Vec::new()), "{name}");
    }
    let subject = trio.subject("hospital");
    let (documents, next) =
        trio.nodes["hospital"].ask(|machine, view| machine.documents_of(&subject, 0, view));
    let entries: BTreeSet<EntryId> = documents.iter().map(|document| document.entry).collect();
    assert_eq!((entries, next), (trio.listed().iter().map(|listed| listed.entry_id).collect(), None));
    for listed in trio.listed() {
        let of = |name: &str| {
            trio.nodes[name].ask(|machine, view| machine.copies_of_entry(&listed.entry_id, view)).len()
        };
        assert_eq!((of("clinic"), of("hospital")), (1, 0));
    }
    let number = trio.nodes["hospital"].ask(|_, view| ask::ordinal(&subject, view));
    assert_eq!(trio.nodes["hospital"].ask(|_, view| ask::at_ordinal(number, view)), Some(subject));
    assert_eq!(trio.nodes["hospital"].ask(|_, view| ask::at_ordinal(99, view)), None);
    let early = trio.step("clinic", &his(), id, ReferralAct::Arrive);
    assert_eq!(early, Err(Refused::NotThere));
    trio.step("hospital", &his(), id, ReferralAct::Cancel).unwrap();
    assert_eq!(trio.state("hospital", id), State::Cancelled);
}
