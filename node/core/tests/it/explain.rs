//! Explaining before anybody asks: what would be decided, by which clause, and what would change (D-9).

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use yiqiao_consent::ActRefusal;
use yiqiao_node_core::desk::{NewForbid, NewRevocation, Wish};
use yiqiao_node_core::explain::{Asking, Explained, Supposition};
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::seal::{Change, Reason, Sealing};
use yiqiao_proto::codes::{PersonRole, Purpose, RevocationReason};
use yiqiao_proto::directive::{Grantee, What};
use yiqiao_proto::id::{DirectiveId, EntryId};
use yiqiao_proto::phi::Phi;

use crate::copies::walk_in;
use crate::region::{code, list};
use crate::story::permit;
use crate::trio::{Trio, staff};

/// What the clinic would get, and why: of each document now, and if the patient had said something.
fn explain(trio: &Trio, purpose: Purpose, said: Option<Wish>) -> Result<Vec<Explained>, ActRefusal> {
    let asking = Asking {
        organisation: code("clinic"),
        department: None,
        role: PersonRole::Physician,
        purpose,
        referral: None,
        treating: true,
    };
    let entries: Vec<EntryId> = trio.listed().iter().map(|listed| listed.entry_id).collect();
    let asked = Supposition { subject: trio.subject("hospital"), asking, entries, said };
    trio.nodes["hospital"].ask(|machine, view| machine.explain(&asked, trio.now, view))
}

/// Whether it is permitted, and the clause, of the first document: now, and then.
fn first(explained: &[Explained]) -> ((bool, &'static str), Option<(bool, &'static str)>) {
    assert_eq!(explained.len(), 2);
    let then = explained[0].then.as_ref().map(|then| (then.permits, then.clause));
    ((explained[0].now.permits, explained[0].now.clause), then)
}

fn revoke(trio: &Trio, directive: DirectiveId) -> Wish {
    let token = trio.nodes["hospital"].patient("p").unwrap().tokens[0];
    let reason = RevocationReason::PatientWish;
    Wish::Revoke(NewRevocation { directives: vec![(directive, token)], reason, lifts: false })
}

fn forbid(trio: &Trio, purposes: &[Purpose]) -> Wish {
    let like = permit(trio.now);
    Wish::Forbid(NewForbid {
        grantee: Grantee { organisation: Some(code("clinic")), ..Grantee::default() },
        custodian: None,
        what: What::default(),
        purposes: purposes.iter().copied().collect::<BTreeSet<_>>(),
        valid_from: like.valid_from,
        valid_until: None,
        notice: like.notice,
        by_guardian: false,
    })
}

#[test]
fn d9_what_would_change_is_what_changes() {
    let mut trio = Trio::with_patient();
    let supposed = explain(&trio, Purpose::Treatment, Some(Wish::Permit(permit(trio.now)))).unwrap();
    assert_eq!(first(&supposed), ((false, "D-7"), Some((true, "D-3"))));
    let directive = trio.permit();
    let now = explain(&trio, Purpose::Treatment, None).unwrap();
    assert_eq!((first(&now), now[0].now.directive), (((true, "D-3"), None), Some(directive)));
    for wish in [revoke(&trio, directive), forbid(&trio, &[])] {
        let supposed = explain(&trio, Purpose::Treatment, Some(wish)).unwrap();
        let (before, then) = first(&supposed);
        assert_eq!((before.0, then.map(|then| then.0)), (true, Some(false)));
    }
    walk_in(&mut trio);
    assert!(trio.copies().iter().all(|copy| copy.refusal.is_none()), "what was explained is what is done");
    trio.revoke(directive);
    assert_eq!(first(&explain(&trio, Purpose::Treatment, None).unwrap()), ((false, "D-7"), None));
}

#[test]
fn d9_an_emergency_is_explained_apart() {
    let trio = Trio::with_patient();
    let spared = explain(&trio, Purpose::Emergency, Some(forbid(&trio, &[]))).unwrap();
    assert_eq!(first(&spared), ((true, "D-8"), Some((true, "D-8"))));
    let named = explain(&trio, Purpose::Emergency, Some(forbid(&trio, &[Purpose::Emergency]))).unwrap();
    assert_eq!(first(&named), ((true, "D-8"), Some((false, "D-8"))));
}

#[test]
fn d9_f7_d12_without_a_lease_and_under_a_seal_the_answer_says_so() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let subject = trio.subject("hospital");
    let (actor, text) = (staff("m1", PersonRole::MedicalAffairs, &[]), Phi::new("纠纷".to_owned()));
    let sealing = Sealing { actor, subject, reason: Reason::Dispute, text, reviewers: Vec::new() };
    trio.act("hospital", &Input::Seal(Box::new(Change::Seal(sealing)))).unwrap();
    assert_eq!(first(&explain(&trio, Purpose::Treatment, None).unwrap()).0, (false, "D-12"));
    let mut away = Trio::with_patient();
    away.permit();
    // What was leased is void, and nothing new has come.
    away.act("hospital", &Input::ClockJumped).unwrap();
    assert_eq!(first(&explain(&away, Purpose::Treatment, None).unwrap()).0, (false, "F-7"));
}

#[test]
fn d9_c8_what_the_registry_would_not_take_changes_nothing() {
    let mut list = list(1_000);
    list.policy.proofs = 0b001;
    let mut trio = Trio::of(&list);
    trio.fill();
    let wish = Wish::Permit(permit(trio.now));
    assert_eq!(explain(&trio, Purpose::Treatment, Some(wish)), Err(ActRefusal::Proof));
}
