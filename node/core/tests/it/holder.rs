//! A holder lets documents go as long as it is permitted (P-1 to P-8), against the real registry.

use std::collections::BTreeSet;

use yiqiao_node_core::ask;
use yiqiao_node_core::audit::{Act, Of, Shown};
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, RefusalCode, WithdrawalReason};
use yiqiao_proto::envelope::{Kind, Word};
use yiqiao_proto::id::Nonce;
use yiqiao_proto::release::{PullRequest, Release};
use yiqiao_proto::time::Millis;

use crate::region::{HOSPITAL, code};
use crate::rig::{merge, patient, report};
use crate::story::{Story, forbid, hash_of, range_of, refusal, unknown, unwrap_key};

/// The access events in the log that this node said.
fn events(story: &Story) -> Vec<AccessEvent> {
    let events = story.registry.log().filter(|word| word.kind() == Kind::AccessEvent);
    let events = events.map(|word| AccessEvent::decode(word.payload()).expect("an event"));
    events.filter(|event| event.organisation == code("hospital")).collect()
}

fn outcomes(story: &Story, act: AccessAct) -> Vec<AccessOutcome> {
    events(story).iter().filter(|event| event.act == act).map(|event| event.outcome).collect()
}

/// What the audit has of documents that other hospitals asked for, the oldest first.
fn lines(story: &Story) -> Vec<Shown> {
    let lines = story.node.ask(|machine, view| machine.audit_lines(&Of::All, None, view));
    let lines = lines.into_iter().rev().map(|(_, line)| line);
    lines.filter(|line| line.act == Act::Release).collect()
}

#[test]
fn a_document_goes_by_permit_and_stops_by_revocation() {
    let mut story = Story::with_document();
    assert!(story.find().is_empty());
    let request = story.request();
    assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Nothing);

    let directive = story.permit();
    assert_eq!(story.find(), [story.entry()]);
    let request = story.request();
    let Outcome::Released { release, wrapped_key, document } = story.ask(&request) else { panic!() };
    assert_eq!(document, request.document);
    assert_eq!(unwrap_key(&release, &wrapped_key), story.node.sealed[&document].0.to_vec());
    let terms = Release::decode(release.payload()).unwrap().terms;
    assert_eq!((terms.directive, terms.patient), (Some(directive), story.token()));
    // P-8: nothing is served before the release stands in the log.
    let early = story.range(&request);
    assert_eq!((refusal(&early).code, refusal(&early).clause), (RefusalCode::Busy, "P-8"));
    story.live(1_000);
    let served = Outcome::Serve { document, first_chunk: 0, chunks: 16, holds: Millis::from_secs(1) };
    assert_eq!(story.range(&request), served);

    let revocation = story.revocation(directive);
    assert!(matches!(story.act(&revocation), Outcome::Said(_)));
    assert_eq!(story.told.iter().map(|(member, _)| member.as_str()).collect::<Vec<_>>(), ["clinic"]);
    story.live(1_000);
    for _ in 0..2 {
        assert_eq!(refusal(&story.range(&request)).code, RefusalCode::Stopped);
    }
    story.live(1_000);
    // P-7, A-1: each of these is an event once.
    use AccessOutcome::{Denied, Permitted};
    assert_eq!(outcomes(&story, AccessAct::Release), [Denied, Permitted, Denied]);
    assert_eq!(outcomes(&story, AccessAct::Consent), [Permitted]);
    assert_eq!(outcomes(&story, AccessAct::Revocation), [Permitted]);
    // A-3: and a line of the audit, which the event names.
    let lines = lines(&story);
    let written: Vec<_> = lines.iter().map(|line| (line.outcome, line.clause.as_str())).collect();
    assert_eq!(written, [(Denied, "D-7"), (Permitted, "D-3"), (Denied, "D-7")]);
    let about = (Some(story.subject()), Some(code("clinic")), Some(request.entry_id));
    assert!(lines.iter().all(|line| (line.subject, line.counterpart.clone(), line.entry) == about));
    let said = events(&story).into_iter().filter(|event| event.act == AccessAct::Release);
    let said: Vec<_> = said.map(|event| event.audit_line).collect();
    assert_eq!(said, lines.iter().map(|line| Some(line.commitment)).collect::<Vec<_>>());
    let released = events(&story).into_iter().find(|event| event.release.is_some()).unwrap();
    assert_eq!(released.release, Some(release.payload_hash()));
    let gone = story.node.ask(|_, view| ask::releases(&story.subject(), 0, view));
    assert_eq!(
        gone.iter().map(|gone| (gone.request, gone.stopped)).collect::<Vec<_>>(),
        [(hash_of(&request), true)]
    );
    assert_eq!(story.node.ask(|_, view| ask::waiting(view)).refused, 0);
}

#[test]
fn p4_what_is_refused_by_decision_looks_the_same() {
    let mut story = Story::with_document();
    let unpermitted = story.request();
    let expected = refusal(&story.ask(&unpermitted)).clone();
    story.permit();
    let mut foreign = story.request();
    (foreign.entry_id, foreign.document) = unknown();
    let mut other_file = story.request();
    other_file.document = unknown().1;
    for request in [foreign, other_file] {
        assert_eq!(*refusal(&story.ask(&request)), expected);
    }
    let entry = story.entry().entry_id;
    story.act(&Input::Withdraw { entry, reason: WithdrawalReason::EnteredInError });
    let withdrawn = story.request();
    assert_eq!(*refusal(&story.ask(&withdrawn)), expected);
    assert_eq!((expected.code, expected.clause), (RefusalCode::Nothing, "P-4"));
}

#[test]
fn a1_every_denial_is_a_line_of_the_audit_and_an_event_of_the_patient_if_there_is_one() {
    let mut story = Story::with_document();
    // Twice the same in one millisecond: two requests, two events (L-1).
    let same = [story.request(), story.request()];
    same.iter().for_each(|request| drop(story.ask(request)));
    // The same request once more is the denial that was written already.
    story.ask(&same[0]);
    let mut foreign = story.request();
    (foreign.entry_id, foreign.document) = unknown();
    story.ask(&foreign);
    let entry = story.entry().entry_id;
    story.act(&Input::Withdraw { entry, reason: WithdrawalReason::EnteredInError });
    let withdrawn = story.request();
    story.ask(&withdrawn);
    story.live(1_000);
    let lines = lines(&story);
    let of: Vec<_> = lines.iter().map(|line| (line.subject, line.entry, line.clause.as_str())).collect();
    let known = Some(story.subject());
    let (own, others) = (Some(entry), Some(foreign.entry_id));
    assert_eq!(of, [(known, own, "D-7"), (known, own, "D-7"), (None, others, "P-4"), (known, own, "N-7")]);
    let said = events(&story).into_iter().filter(|event| event.act == AccessAct::Release);
    let said: Vec<_> = said.map(|event| (event.clause, event.audit_line)).collect();
    let known = lines.iter().filter(|line| line.subject.is_some());
    let expected: Vec<_> = known.map(|line| (line.clause.clone(), Some(line.commitment))).collect();
    assert_eq!(said, expected);
}

#[test]
fn p4_expiry_nonce_and_lease_are_looked_at_before_the_document() {
    let mut story = Story::with_document();
    let mut past = story.request();
    past.expires_at = story.node.now;
    assert_eq!(refusal(&story.ask(&past)).code, RefusalCode::Stale);
    let mut far = story.request();
    far.expires_at = story.node.now + Millis::from_secs(2 * 24 * 3600);
    assert_eq!(refusal(&story.ask(&far)).clause, "P-1");
    let (first, mut second) = (story.request(), story.request());
    (second.nonce, second.expires_at) = (first.nonce, first.expires_at + Millis::new(1));
    assert_eq!(refusal(&story.ask(&first)).code, RefusalCode::Nothing);
    assert_eq!(refusal(&story.ask(&second)).code, RefusalCode::Stale);
    // F-7: a lease ends by the node's own time, whatever the document.
    story.node.now = story.node.now + Millis::from_secs(31);
    let (mut unknown_one, known) = (story.request(), story.request());
    (unknown_one.entry_id, unknown_one.document) = unknown();
    let late = [story.ask(&unknown_one), story.ask(&known)];
    for refused in late {
        assert_eq!((refusal(&refused).code, refusal(&refused).clause), (RefusalCode::Busy, "F-7"));
    }
}

#[test]
fn p5_the_same_request_gets_the_same_release_while_it_lives() {
    let mut story = Story::with_document();
    story.permit();
    let request = story.request();
    let first = story.ask(&request);
    assert!(matches!(first, Outcome::Released { .. }));
    story.live(2_000);
    assert_eq!(story.ask(&request), first);
    story.node.rebuild();
    story.live(1_000);
    assert_eq!(story.ask(&request), first);
    story.live(3_600_000);
    assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Stale);
    assert_eq!(refusal(&story.range(&request)).code, RefusalCode::Stopped);
}

#[test]
fn p6_what_is_decided_about_a_range_counts_for_a_second_and_no_longer_than_the_lease() {
    let mut story = Story::with_document();
    story.permit();
    let request = story.request();
    story.ask(&request);
    story.live(1_000);
    let mut counts = Vec::new();
    while let Outcome::Serve { holds, .. } = story.range(&request) {
        counts.push(holds.get());
        story.node.now = story.node.now + Millis::new(100);
    }
    assert_eq!(refusal(&story.range(&request)).clause, "F-7");
    assert_eq!(counts.first(), Some(&1_000));
    let to_the_end: Vec<u64> = counts.iter().rev().copied().take(12).collect();
    let bound: Vec<u64> = (0..12).map(|step| (to_the_end[0] + 100 * step).min(1_000)).collect();
    assert!(to_the_end[0] <= 100);
    assert_eq!(to_the_end, bound);
}

#[test]
fn p6_a_range_is_the_recipients_alone_and_bounded() {
    let mut story = Story::with_document();
    story.permit();
    let request = story.request();
    story.ask(&request);
    story.live(1_000);
    let mut range = range_of(&request);
    range.first_chunk = 30;
    let Outcome::Serve { chunks: 6, .. } = story.act(&Input::Range(range.clone())) else { panic!() };
    for (first_chunk, chunks) in [(36, 1), (u64::MAX, 1), (0, 0), (0, 17)] {
        (range.first_chunk, range.chunks) = (first_chunk, chunks);
        assert_eq!(refusal(&story.act(&Input::Range(range.clone()))).code, RefusalCode::Malformed);
    }
    let mut other = range_of(&request);
    other.member = code("registry");
    assert_eq!(refusal(&story.act(&Input::Range(other))).code, RefusalCode::Nothing);
    let mut never = range_of(&request);
    never.request = hash_of(&story.request());
    assert_eq!(refusal(&story.act(&Input::Range(never))).code, RefusalCode::Nothing);
}

#[test]
fn c5_a_forbid_of_a_version_stands_for_all_later_ones_and_for_no_earlier() {
    let mut story = Story::new();
    for version in 1..=200 {
        story.node.receive(&report(&version.to_string(), patient("p", Some(1)), "r"));
    }
    story.live(60_000);
    // N-6: the registry has them all, each in the place of the one before.
    let entries = story.registry.entries();
    assert_eq!(entries.len(), 200);
    let replaces = |number: usize| entries[number - 1].1.replaces;
    assert!((2..=200).all(|number| replaces(number) == Some(entries[number - 2].0.entry_id)));
    story.permit();
    assert_eq!(story.find(), [entries[199].0.clone()]);
    let permitted = |story: &mut Story| {
        [1, 100, 149, 150, 151, 200].map(|number: usize| {
            let entry = &entries[number - 1].0;
            let request =
                PullRequest { entry_id: entry.entry_id, document: entry.document, ..story.request() };
            story.node.ask(|machine, view| machine.would_permit(&request, story.node.now, view))
        })
    };
    assert_eq!(permitted(&mut story), [true; 6]);
    story.node.rebuild();
    for (named, expected) in [(150, [true, true, true, false, false, false]), (1, [false; 6])] {
        let mut wish = forbid(story.node.now);
        wish.what.entries = BTreeSet::from([entries[named - 1].0.entry_id]);
        let statement = story.statement();
        assert!(matches!(story.act(&Input::Forbid(Box::new((statement, wish)))), Outcome::Said(_)));
        story.live(1_000);
        assert_eq!(permitted(&mut story), expected, "version {named} is forbidden");
        assert_eq!(story.find(), []);
    }
}

#[test]
fn c5_what_follows_a_document_of_a_merged_patient_is_of_its_series() {
    let mut story = Story::with_document();
    let first = story.entry().entry_id;
    story.node.receive(&report("2", patient("q", Some(1)), "r2"));
    story.node.receive(&merge("3", patient("q", Some(1)), "p"));
    let second = story.node.receive(&report("4", patient("q", Some(1)), "r1")).entries[0];
    story.live(3_000);
    let entry = story.registry.entries().into_iter().find(|(entry, _)| entry.entry_id == second).unwrap().0;
    story.permit();
    let request = PullRequest { entry_id: second, document: entry.document, ..story.request() };
    let permitted =
        |story: &Story| story.node.ask(|machine, view| machine.would_permit(&request, story.node.now, view));
    assert!(permitted(&story));
    let mut wish = forbid(story.node.now);
    wish.what.entries = BTreeSet::from([first]);
    let statement = story.statement();
    story.act(&Input::Forbid(Box::new((statement, wish))));
    story.live(1_000);
    assert!(!permitted(&story));
    assert!(!story.find().iter().any(|found| found.entry_id == second));
}

#[test]
fn e7_a_request_for_another_holder_is_refused() {
    let mut story = Story::with_document();
    let mut request = story.request();
    request.holder = code("clinic");
    assert_eq!(refusal(&story.ask(&request)).clause, "E-7");
}

#[test]
fn d10_no_permit_lets_a_hospital_ask_itself() {
    let mut story = Story::with_document();
    story.permit();
    let mut request = story.request();
    request.asker.organisation = code("hospital");
    request.nonce = Nonce::new([99; 32]).unwrap();
    request.sealing_key = story.registry.directory.sealing_key(&code("hospital")).unwrap().id();
    let input = story.asked(&request, HOSPITAL);
    assert_eq!(refusal(&story.act(&input)).code, RefusalCode::Nothing);
}

#[test]
fn m4_a_key_that_is_not_the_askers_is_refused() {
    let mut story = Story::with_document();
    story.permit();
    let mut request = story.request();
    request.sealing_key = story.registry.directory.sealing_key(&code("hospital")).unwrap().id();
    // A newer member list may have it.
    assert_eq!(
        (refusal(&story.ask(&request)).code, refusal(&story.ask(&request)).clause),
        (RefusalCode::Busy, "M-4")
    );
}

/// Permit, release, ranges, revocation; each step is repeated if the power went before it was acknowledged.
fn whole(story: &mut Story) -> Result<(), crate::rig::PowerCut> {
    story.node.try_receive(&report("1", patient("p", Some(1)), "r1"))?;
    story.try_live(3_000)?;
    if story.find().is_empty() && story.registry.log().all(|word| word.kind() != Kind::Revocation) {
        story.try_permit()?;
    }
    story.try_live(1_000)?;
    let mut request = story.request();
    request.nonce = Nonce::new([50; 32]).expect("not zero");
    request.expires_at = crate::region::at(900_000);
    let input = story.asked(&request, crate::region::CLINIC);
    story.try_act(&input)?;
    story.try_live(1_000)?;
    story.try_act(&Input::Range(range_of(&request)))?;
    if let Some(Ok(word)) = story.node.ask(|machine, view| {
        let heads = machine.heads(&story.subject(), view)?;
        let directives = heads.into_iter().filter_map(|(_, known)| known).flat_map(|known| {
            known.record.in_force().iter().map(|act| Ok::<_, ()>(act.directive.id)).collect::<Vec<_>>()
        });
        Ok(directives.into_iter().next())
    }) {
        let revocation = story.revocation(word);
        story.try_act(&revocation)?;
    }
    story.try_live(1_000)?;
    story.try_act(&Input::Range(range_of(&request)))?;
    story.try_live(1_000)
}

#[test]
fn the_power_may_go_after_any_record_of_an_exchange() {
    let mut story = Story::new();
    whole(&mut story).unwrap();
    let count = |story: &Story, kind| story.registry.log().filter(|word| word.kind() == kind).count();
    assert_eq!(count(&story, Kind::Release), 1);
    let records = story.node.journal.len();
    assert!(records > 20, "{records}");
    for cut in 0..records {
        let mut story = Story::new();
        story.node.power_cut = Some(cut);
        assert!(whole(&mut story).is_err(), "cut after {cut}");
        story.node.rebuild();
        whole(&mut story).unwrap();
        story.live(20_000);
        let waiting = story.node.ask(|_, view| ask::waiting(view));
        assert_eq!((waiting.acts, waiting.others, waiting.refused), (0, 0, 0), "cut after {cut}");
        assert!(count(&story, Kind::Release) <= 1, "cut after {cut}");
        assert_eq!(count(&story, Kind::Revocation), 1, "cut after {cut}");
        let request = story.request();
        assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Nothing, "cut after {cut}");
        let index = story.node.index().clone();
        story.node.rebuild();
        assert_eq!(*story.node.index(), index, "cut after {cut}");
    }
}
