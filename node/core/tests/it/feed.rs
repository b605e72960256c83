//! Feed, lease and notices (F-1 to F-9): the node decides only while it knows that it knows.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_intake::patient::{IdKind, Identifier};
use yiqiao_node_core::ask::{self, WordState};
use yiqiao_node_core::consent::Known;
use yiqiao_node_core::feed::ToldAct;
use yiqiao_node_core::limits::REQUESTS_PER_DAY_MAX;
use yiqiao_node_core::machine::{Effect, Input, Outcome, Refused};
use yiqiao_node_core::state::{self, Asker};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{RefusalCode, RevocationReason, Stance};
use yiqiao_proto::directive::{Act, Directive, Revocation};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Digest, DirectiveId};
use yiqiao_proto::lease::{AcceptedAct, Change, FeedItem, HeadChange, Told, feed_next};
use yiqiao_proto::member::KeyState;
use yiqiao_proto::proof::Proof;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::region::{AUTHORITY, CLINIC, code, key, signed};
use crate::rig::{patient, report};
use crate::story::{Story, refusal};

/// The clinic tells an act of the patient directly.
fn notice(act: ToldAct) -> Input {
    Input::Notice { member: code("clinic"), act: Box::new(act) }
}

/// The first directive in the log.
pub(crate) fn directive_in_log(story: &Story) -> Verified<Act<Directive>> {
    let word = story.registry.log().find(|word| word.kind() == Kind::Directive).expect("a directive");
    Verified::check(word, &story.registry.directory, Said::Now).expect("signed")
}

/// A revocation that another member attests.
pub(crate) fn revocation(story: &Story, directive: DirectiveId) -> ToldAct {
    let mut proof = directive_in_log(story).into_parts().0.proof;
    if let Proof::DeskWitness(desk) = &mut proof {
        desk.organisation = code("clinic");
    }
    let revocation = Revocation {
        directive,
        patient: story.token(),
        reason: RevocationReason::PatientWish,
        head_version: 1,
        at: story.node.now,
    };
    let envelope = Envelope::sign(&code("demo"), &Act::new(revocation, proof), &key(CLINIC));
    ToldAct::Revocation(Verified::check(envelope, &story.registry.directory, Said::Now).expect("signed"))
}

fn lease_ends(story: &Story) -> Option<Timestamp> {
    story.node.ask(|machine, _| Ok(machine.lease_ends(story.node.now)))
}

fn read_feed(effect: &Effect) -> Option<(u64, u64)> {
    if let Effect::ReadFeed { ticket, after, .. } = effect { Some((*ticket, *after)) } else { None }
}

/// The next time the node reads its feed it gets these items: where it stood, and what came of it.
pub(crate) fn feed(story: &mut Story, items: impl FnOnce(u64, Digest) -> Vec<Vec<u8>>) -> (u64, Outcome) {
    let mut chain = None;
    loop {
        story.node.now = story.node.next_wakeup().expect("the feed is read again").max(story.node.now);
        for effect in story.node.all_due().expect("power") {
            if let Effect::AskLease { feed_chain, .. } = &effect {
                chain = Some(*feed_chain);
            }
            let Some((ticket, after)) = read_feed(&effect).filter(|_| chain.is_some()) else {
                story.carry_out(&effect).expect("power");
                continue;
            };
            let items = items(after, chain.expect("it was seen"));
            let handled = story.node.handle(&Input::Fed { ticket, items }).expect("power").expect("taken");
            return (after, handled.outcome);
        }
    }
}

#[test]
fn f9_what_a_member_tells_denies_at_once_until_a_newer_feed_does_not_hold_it() {
    let mut story = Story::with_document();
    let directive = story.permit();
    let told = notice(revocation(&story, directive));
    assert_eq!(story.act(&told), Outcome::Done);
    let request = story.request();
    assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Nothing);
    story.node.rebuild();
    story.live(590_000);
    let request = story.request();
    assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Nothing);
    story.live(60_000);
    let request = story.request();
    assert!(matches!(story.ask(&request), Outcome::Released { .. }));
}

#[test]
fn f9_of_one_member_so_many_acts_are_taken_on_a_day() {
    let mut story = Story::with_document();
    let directive = story.permit();
    let told = notice(revocation(&story, directive));
    assert_eq!(story.act(&told), Outcome::Done);
    assert_eq!(story.act(&told), Outcome::Done, "told again it is not counted again");
    let slot = state::asker(&code("clinic"));
    let asked = story.node.ask(|_, view| view.get(&slot));
    assert_eq!(asked.requests, 1);
    story.node.put(&slot, &Asker { requests: REQUESTS_PER_DAY_MAX, ..asked });
    story.node.now = story.node.now + Millis::from_secs(1);
    let other = notice(revocation(&story, directive));
    assert_eq!(story.node.handle(&other).unwrap().unwrap_err(), Refused::TooManyNotices);
}

#[test]
fn f9_what_was_taken_back_here_stays_so_whatever_the_feed_holds() {
    let mut story = Story::with_document();
    let directive = story.permit();
    let request = story.request();
    assert!(matches!(story.ask(&request), Outcome::Released { .. }));
    story.live(3_000);
    // The registry takes it, and then goes back to how it was before.
    let before = story.registry.copy();
    let revocation = story.revocation(directive);
    let Outcome::Said(words) = story.act(&revocation) else { panic!("it is recorded") };
    for effect in story.node.due().unwrap() {
        let answer = story.registry.answer(story.node.now, &effect);
        story.node.handle(&answer).unwrap().unwrap();
    }
    story.registry = before;
    let stands = story.node.ask(|_, view| ask::word(words[0], view));
    assert!(matches!(stands, Some(WordState::Stands(_))), "{stands:?}");
    story.live(60_000);
    assert!(lease_ends(&story).is_none(), "a log that is the shorter one is seen (L-11)");
    // It grows beyond what it was.
    for _ in 0..8 {
        let (actor, subject) =
            (crate::trio::staff("desk", yiqiao_proto::codes::PersonRole::Desk, &[]), story.subject());
        let what = yiqiao_proto::codes::PatientQuestion::Consents;
        let question = yiqiao_node_core::desk::Question { actor, subject, what, from_seq: 0, count: 1 };
        let asked = story.act(&Input::PatientQuery(Box::new(question)));
        let Outcome::Call(questions) = asked else { panic!("{asked:?}") };
        questions.iter().for_each(|question| drop(story.registry.ask(story.node.now, question)));
    }
    for _ in 0..2 {
        story.live(700_000);
        assert!(lease_ends(&story).is_some());
        let request = story.request();
        assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Nothing);
        story.node.rebuild();
    }
}

#[test]
fn f9_a_revocation_that_the_registry_refuses_counts_as_long_as_one_that_was_told() {
    let mut story = Story::with_document();
    let directive = story.permit();
    story.registry.refuse =
        vec![Some(Refusal { code: RefusalCode::OverLimit, clause: "C-12", retry_after: None })];
    let revocation = story.revocation(directive);
    assert!(matches!(story.act(&revocation), Outcome::Said(_)));
    let request = story.request();
    assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Nothing);
    story.live(700_000);
    let request = story.request();
    assert!(matches!(story.ask(&request), Outcome::Released { .. }));
}

#[test]
fn c10_f9_what_is_taken_back_under_one_token_counts_under_none() {
    let mut story = Story::new();
    let mut known = patient("p", Some(1));
    known.identify(Identifier::new(IdKind::HealthCard, "A12345678", "QZ"));
    story.node.receive(&report("1", known, "r1"));
    story.live(3_000);
    assert_eq!(story.node.patient("p").unwrap().tokens.len(), 2);
    let directive = story.permit();
    let request = story.request();
    assert!(matches!(story.ask(&request), Outcome::Released { .. }));
    // Somebody who knows one of them tells it, before the feed does.
    let told = notice(revocation(&story, directive));
    assert_eq!(story.act(&told), Outcome::Done);
    let request = story.request();
    assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Nothing);
    let known = story.node.ask(|machine, view| machine.heads(&story.subject(), view));
    let in_force = |known: Option<Known>| known.map(|known| known.record.in_force().len());
    let in_force: Vec<_> = known.into_iter().map(|(_, known)| in_force(known)).collect();
    assert_eq!(in_force, [Some(0), Some(0)]);
}

#[test]
fn f9_a_permit_is_never_taken_from_a_member() {
    let mut story = Story::with_document();
    story.permit();
    let permit = directive_in_log(&story);
    assert_eq!(permit.word().said.stance, Stance::Permit);
    let told = notice(ToldAct::Forbid(permit));
    assert_eq!(story.node.handle(&told).unwrap().unwrap_err(), Refused::Widens);
}

#[test]
fn f7_a_lease_is_renewed_at_half_its_length_and_ends_by_the_nodes_own_time() {
    let mut story = Story::with_document();
    let first = lease_ends(&story).unwrap();
    story.live(20_000);
    assert!(lease_ends(&story).unwrap() >= first + Millis::from_secs(10));
    story.node.now = story.node.now + Millis::from_secs(31);
    assert_eq!(lease_ends(&story), None);
    // F-6: a lease that is older than the clock says is none either.
    let mut story = Story::with_document();
    story.node.now = story.node.now - Millis::from_secs(60);
    assert_eq!(lease_ends(&story), None);
}

#[test]
fn f6_a_jump_of_the_clock_voids_every_lease_even_one_that_is_on_its_way() {
    let mut story = Story::with_document();
    story.node.now = story.node.now + Millis::from_secs(14);
    let effects = story.node.all_due().unwrap();
    let lease = effects.iter().find(|effect| is_lease(effect)).unwrap();
    story.node.decide(&Input::ClockJumped).unwrap();
    let answer = story.registry.answer(story.node.now, lease);
    story.node.decide(&answer).unwrap();
    assert_eq!(lease_ends(&story), None);
    story.live(1_000);
    assert!(lease_ends(&story).is_some());
}

#[test]
fn f7_a_lease_that_a_member_list_overtakes_is_asked_for_again_and_no_alarm() {
    let mut story = Story::with_document();
    story.node.now = story.node.now + Millis::from_secs(14);
    let effects = story.node.all_due().unwrap();
    let lease = effects.iter().find(|effect| is_lease(effect)).unwrap();
    let answer = story.registry.answer(story.node.now, lease);
    let mut next = story.registry.directory.list().clone();
    next.version += 1;
    next.previous = Some(story.registry.directory.payload_hash());
    story.node.decide(&Input::MemberList(signed(&next))).unwrap();
    let handled = story.node.handle(&answer).unwrap().unwrap();
    assert_eq!((handled.outcome, lease_ends(&story)), (Outcome::Done, None));
    assert!(story.node.all_due().unwrap().iter().any(is_lease), "at once");
}

#[test]
fn f3_the_feed_stops_at_a_gap_a_wrong_chain_or_bytes_that_are_none() {
    for gap in [true, false] {
        let mut story = Story::with_document();
        let (after, outcome) = feed(&mut story, |after, chain| {
            let other = feed_next(&chain, b"other");
            let (number, previous) = if gap { (after + 2, chain) } else { (after + 1, other) };
            vec![FeedItem { number, previous, change: Change::MemberList(1) }.encode()]
        });
        assert_eq!((outcome, lease_ends(&story)), (Outcome::FeedStopped { after }, None));
        story.live(30_000);
        assert!(lease_ends(&story).is_some(), "the true feed goes on");
    }
    let mut story = Story::with_document();
    let (after, outcome) = feed(&mut story, |_, _| vec![b"bent".to_vec()]);
    assert_eq!(outcome, Outcome::FeedStopped { after });
}

#[test]
fn f7_an_item_that_only_the_feed_knows_leaves_the_node_without_a_lease() {
    let mut story = Story::with_document();
    let (_, outcome) = feed(&mut story, |after, previous| {
        vec![FeedItem { number: after + 1, previous, change: Change::MemberList(1) }.encode()]
    });
    assert_eq!(outcome, Outcome::Done);
    // The registry knows less than was told in its name: it signs no lease for such a place, and none is taken.
    story.live(60_000);
    assert_eq!(lease_ends(&story), None);
    assert!(story.outcomes.contains(&Outcome::OtherLog));
}

#[test]
fn c2_a_head_that_cannot_be_read_denies_that_patient() {
    let mut story = Story::with_document();
    story.permit();
    let token = story.token();
    let (_, outcome) = feed(&mut story, |after, previous| {
        let other = HeadChange {
            patient: token,
            head: Head { version: 7, ..Head::empty() },
            directives: vec![told()],
        };
        vec![FeedItem { number: after + 1, previous, change: Change::Head(other) }.encode()]
    });
    assert_eq!(outcome, Outcome::Done);
    let known = story.node.ask(|machine, view| machine.heads(&story.subject(), view));
    assert_eq!(known.iter().map(|(of, known)| (*of, known.is_some())).collect::<Vec<_>>(), [(token, false)]);
    let request = story.request();
    assert_eq!(refusal(&story.ask(&request)).code, RefusalCode::Nothing);
}

/// A directive of which only a commitment is told: its head is another one than the one above.
fn told() -> AcceptedAct {
    AcceptedAct { version: 1, act: Told::Commitment(Digest::new([5; 32]).expect("not zero")) }
}

#[test]
fn m6_a_permit_of_a_key_that_was_compromised_before_counts_no_longer() {
    let mut story = Story::with_document();
    story.permit();
    let request = story.request();
    assert!(matches!(story.ask(&request), Outcome::Released { .. }));
    let mut list = story.registry.directory.list().clone();
    list.version += 1;
    list.previous = Some(story.registry.directory.payload_hash());
    let hospital = list.members.iter_mut().find(|member| member.code == code("hospital")).expect("a member");
    for signing in &mut hospital.signing_keys {
        signing.state = KeyState::CompromisedSince(0);
    }
    hospital.sealing_keys.iter_mut().for_each(|sealing| sealing.state = KeyState::CompromisedSince(0));
    let list = Envelope::sign(&code("demo"), &list, &key(AUTHORITY));
    story.node.decide(&Input::MemberList(list)).unwrap();
    let known = story.node.ask(|machine, view| machine.heads(&story.subject(), view));
    let in_force: Vec<_> =
        known.iter().map(|(_, known)| known.as_ref().map(|it| it.record.in_force().len())).collect();
    assert_eq!(in_force, [Some(0)]);
}

#[test]
fn f7_a_lease_counts_only_once_its_feed_is_applied() {
    let mut story = Story::with_document();
    story.permit();
    // What the registry tells from here on is not read.
    let directive = story.find();
    assert_eq!(directive.len(), 1);
    let effects = story.node.all_due().unwrap();
    assert!(effects.is_empty() || matches!(effects.as_slice(), [Effect::ReadFeed { .. }]));
    for effect in &effects {
        story.carry_out(effect).unwrap();
    }
    let numbers = story.try_permit().unwrap();
    assert_eq!(numbers.len(), 1);
    story.node.now = story.node.now + Millis::from_secs(20);
    let mut effects = story.node.all_due().unwrap();
    // The word first, then the lease, and what the feed has of it last.
    effects.sort_by_key(|effect| (read_feed(effect).is_some(), is_lease(effect)));
    let feed = effects.pop().unwrap();
    for effect in &effects {
        story.carry_out(effect).unwrap();
    }
    assert_eq!((lease_ends(&story), behind(&story)), (None, 1));
    story.carry_out(&feed).unwrap();
    assert!(lease_ends(&story).is_some());
    assert_eq!(behind(&story), 0);
}

/// Items that the lease names and that are not applied.
fn behind(story: &Story) -> u64 {
    story.node.ask(|machine, _| Ok(machine.feed_behind()))
}

/// The node renews its lease while its feed is being read: both calls.
fn both_under_way(story: &mut Story) -> (Effect, Effect) {
    story.node.now = story.node.now + Millis::from_secs(20);
    let effects = story.node.all_due().unwrap();
    let one = |such: &dyn Fn(&Effect) -> bool| effects.iter().find(|effect| such(effect)).cloned().unwrap();
    (one(&is_lease), one(&|effect| read_feed(effect).is_some()))
}

/// The patient consents by way of the clinic.
fn permit_elsewhere(story: &mut Story) {
    story.try_permit().unwrap();
    let words = story.node.all_due().unwrap();
    for effect in words.iter().filter(|effect| matches!(effect, Effect::Submit { .. })) {
        story.carry_out(effect).unwrap();
    }
}

#[test]
fn f7_a_lease_that_the_feed_has_overtaken_is_asked_for_again_and_is_no_older_log() {
    let mut story = Story::with_document();
    let (lease, feed) = both_under_way(&mut story);
    let signed = story.registry.answer(story.node.now, &lease);
    permit_elsewhere(&mut story);
    story.carry_out(&feed).unwrap();
    let before = lease_ends(&story);
    let handled = story.node.handle(&signed).unwrap().unwrap();
    assert_eq!((handled.outcome, lease_ends(&story)), (Outcome::Done, before));
    let effects = story.node.all_due().unwrap();
    story.carry_out(effects.iter().find(|effect| is_lease(effect)).unwrap()).unwrap();
    assert!(lease_ends(&story) > before);
}

#[test]
fn f7_a_lease_of_an_older_place_than_it_was_asked_at_is_another_log() {
    let mut story = Story::with_document();
    story.permit();
    let (lease, _) = both_under_way(&mut story);
    let Effect::AskLease { ticket, nonce, term, feed_number, .. } = lease else { panic!("{lease:?}") };
    assert!(feed_number > 0);
    let feed_chain = yiqiao_proto::lease::feed_start(&code("demo"), &code("hospital"));
    let older = Effect::AskLease { ticket, nonce, term, feed_number: 0, feed_chain };
    let mut registry = crate::region::Registry::new(story.registry.directory.list());
    let signed = registry.answer(story.node.now, &older);
    let handled = story.node.handle(&signed).unwrap().unwrap();
    assert_eq!(handled.outcome, Outcome::OtherLog);
}

#[test]
fn p4_what_would_be_denied_waits_until_the_feed_is_known_up_to_now() {
    let mut story = Story::with_document();
    let (lease, feed) = both_under_way(&mut story);
    story.carry_out(&lease).unwrap();
    permit_elsewhere(&mut story);
    let after = story.node.ask(|machine, _| Ok(machine.last_call()));
    let catch_up = Input::CatchUp { after };
    let handled = story.node.handle(&catch_up).unwrap().unwrap();
    let [asked] = handled.effects.as_slice() else { panic!("{:?}", handled.effects) };
    let Effect::AskLease { ticket, .. } = asked else { panic!("{asked:?}") };
    assert_eq!(handled.outcome, Outcome::Waiting(*ticket));
    story.carry_out(asked).unwrap();
    let (reading, _) = read_feed(&feed).unwrap();
    assert_eq!(story.node.handle(&catch_up).unwrap().unwrap().outcome, Outcome::Waiting(reading));
    story.carry_out(&feed).unwrap();
    assert_eq!(story.node.handle(&catch_up).unwrap().unwrap().outcome, Outcome::Done);
    let request = story.request();
    assert!(matches!(story.ask(&request), Outcome::Released { .. }));
}

#[test]
fn p4_without_the_registry_nothing_is_waited_for() {
    let mut story = Story::with_document();
    let (lease, _) = both_under_way(&mut story);
    let Effect::AskLease { ticket, .. } = lease else { panic!("{lease:?}") };
    let catch_up = Input::CatchUp { after: story.node.ask(|machine, _| Ok(machine.last_call())) };
    assert_eq!(story.node.handle(&catch_up).unwrap().unwrap().outcome, Outcome::Waiting(ticket));
    story.node.handle(&Input::Failed { ticket, refusal: None }).unwrap().unwrap();
    assert_eq!(story.node.handle(&catch_up).unwrap().unwrap().outcome, Outcome::Done);
}

#[test]
fn p4_a_registry_that_has_come_back_is_asked_before_the_pause_is_over() {
    let mut story = Story::new();
    story.registry.is_away = true;
    story.live(8_000);
    let has_lease = |story: &Story| {
        let now = story.node.now;
        story.node.ask(move |machine, _| Ok(machine.lease_ends(now).is_some()))
    };
    assert!(!has_lease(&story));
    story.registry.is_away = false;
    let catch_up = Input::CatchUp { after: story.node.ask(|machine, _| Ok(machine.last_call())) };
    let handled = story.node.handle(&catch_up).unwrap().unwrap();
    let [asked] = handled.effects.as_slice() else { panic!("{:?}", handled.effects) };
    story.carry_out(asked).unwrap();
    assert!(has_lease(&story));
}

const fn is_lease(effect: &Effect) -> bool {
    matches!(effect, Effect::AskLease { .. })
}
