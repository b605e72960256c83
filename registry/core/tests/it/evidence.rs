//! What the log has of one release, and releases that have no other half (P-7, V-1).

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use std::collections::BTreeSet;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::envelope::{Kind, Word, payload_hash};
use yiqiao_proto::head::{Head, Standing};
use yiqiao_proto::id::Digest;
use yiqiao_proto::log::Opening;
use yiqiao_proto::release::Release;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_registry_core::limits::DELIVERY_GRACE;
use yiqiao_registry_core::machine::{ConsentAct, Input, Outcome, Refused};
use yiqiao_registry_core::pair;
use yiqiao_registry_core::state::{Single, Table};
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, at, code, region};
use crate::words::{
    Chain, credential, delivery, directive_id, event, forbid, passkey_of, permit, release, token,
};

fn told(of: &AccessEvent, act: AccessAct, release: Digest) -> AccessEvent {
    AccessEvent { act, release: Some(release), ..of.clone() }
}

/// A release of a's entry to b that rests on the patient's permit, by a passkey.
fn granted(rig: &mut Rig) -> Release {
    let mut chain = Chain::new("a", 1);
    rig.state(&mut chain, &[token(1)]);
    rig.take(Submission::Credential(rig.word("a", &credential("a", &[token(1)]))));
    rig.publish(&mut chain, 1);
    let act = passkey_of(1).act(&region(), permit(1, token(1), "b"));
    let act = ConsentAct::Directive(Box::new(rig.word::<Act<_>>("portal", &act)));
    let taken = rig.take(Submission::Consent(act));
    let mut granted = release("a", "b", 1, &[token(1)]);
    let committed = taken.opening.commitment();
    granted.terms.directive = Some(directive_id(1));
    granted.terms.heads = vec![(token(1), Head::of(1, [(1, committed)]))];
    granted.terms.standing = Standing::prove(&[(1, committed)], &committed);
    granted
}

fn ask(rig: &mut Rig, by: &str, release: Digest) -> Result<Vec<Opening>, Refused> {
    ask_with(rig, by, release, &[])
}

fn ask_with(rig: &mut Rig, by: &str, release: Digest, emergency: &[Digest]) -> Result<Vec<Opening>, Refused> {
    let emergency = emergency.to_vec();
    let outcome = rig.handle(&Input::Evidence { member: code(by), release, emergency })?;
    let Outcome::Evidence(words) = outcome else { panic!("{outcome:?}") };
    Ok(words)
}

fn kinds(words: &[Opening]) -> Vec<Kind> {
    let kind = |word: &Opening| yiqiao_proto::envelope::Envelope::decode(&word.envelope).unwrap().kind();
    words.iter().map(kind).collect()
}

#[test]
fn v1_both_sides_of_a_release_get_all_that_belongs_to_it_and_nothing_else() {
    let mut rig = Rig::new();
    let granted = granted(&mut rig);
    let hash = payload_hash(&granted.encode());
    // Of other patients, of the same patient, and of another release: none of it belongs to this one.
    rig.direct("portal", &forbid(7, token(1)));
    let mut other = Chain::new("a", 2);
    rig.state(&mut other, &[token(2)]);
    rig.publish(&mut other, 2);
    rig.take(Submission::Release(rig.word("a", &granted)));
    rig.take(Submission::Release(rig.word("a", &release("a", "b", 2, &[token(2)]))));
    let of_a = told(&event("a", token(1)), AccessAct::Release, hash);
    rig.take(Submission::Event(rig.word("a", &of_a)));
    rig.take(Submission::Event(rig.word("c", &told(&event("c", token(1)), AccessAct::Release, hash))));
    rig.take(Submission::Delivery(rig.word("b", &delivery(&granted))));
    let of_b = told(&event("b", token(1)), AccessAct::Delivery, hash);
    rig.take(Submission::Event(rig.word("b", &of_b)));
    rig.next_list(|_| {});
    rig.next_list(|_| {});
    rig.next_list(|_| {});
    let expected = [
        Kind::MemberList,
        Kind::CredentialStatement,
        Kind::Entry,
        Kind::Directive,
        Kind::Release,
        Kind::AccessEvent,
        Kind::Delivery,
        Kind::AccessEvent,
        Kind::MemberList,
        Kind::MemberList,
    ];
    for side in ["a", "b"] {
        assert_eq!(kinds(&ask(&mut rig, side, hash).unwrap()), expected, "{side}");
    }
    let words = ask(&mut rig, "a", hash).unwrap();
    let places: BTreeSet<u64> = words.iter().map(|word| word.seq).collect();
    assert!(words.iter().map(|word| word.seq).eq(places), "in the order of the log");
    rig.assert_rebuilt();
}

#[test]
fn v1_the_recipients_event_of_a_broken_glass_is_told_to_who_names_it() {
    let mut rig = Rig::new();
    let granted = granted(&mut rig);
    let hash = payload_hash(&granted.encode());
    let broken = AccessEvent { act: AccessAct::BreakGlass, ..event("b", token(1)) };
    let broken_hash = payload_hash(&broken.encode());
    let others = AccessEvent { act: AccessAct::BreakGlass, ..event("c", token(1)) };
    let opening = AccessEvent { act: AccessAct::Opening, ..event("b", token(1)) };
    let named = [&broken, &others, &opening].map(|event| payload_hash(&event.encode()));
    rig.take(Submission::Event(rig.word("b", &broken)));
    rig.take(Submission::Event(rig.word("c", &others)));
    rig.take(Submission::Event(rig.word("b", &opening)));
    rig.take(Submission::Release(rig.word("a", &granted)));
    let events = |words: Vec<Opening>| -> Vec<Digest> {
        let words =
            words.iter().map(|word| yiqiao_proto::envelope::Envelope::decode(&word.envelope).unwrap());
        words.filter(|word| word.kind() == Kind::AccessEvent).map(|word| word.payload_hash()).collect()
    };
    assert!(events(ask(&mut rig, "a", hash).unwrap()).is_empty());
    for side in ["a", "b"] {
        assert_eq!(events(ask_with(&mut rig, side, hash, &named).unwrap()), [broken_hash]);
    }
    assert_eq!(ask_with(&mut rig, "c", hash, &named), Err(Refused::new(RefusalCode::Nothing, "V-1")));
}

#[test]
fn v1_who_is_no_side_of_a_release_does_not_learn_that_there_is_one() {
    let mut rig = Rig::new();
    let granted = granted(&mut rig);
    rig.take(Submission::Release(rig.word("a", &granted)));
    let nothing = Refused::new(RefusalCode::Nothing, "V-1");
    assert_eq!(ask(&mut rig, "c", payload_hash(&granted.encode())), Err(nothing.clone()));
    let rounds = rig.rounds;
    assert_eq!(ask(&mut rig, "c", payload_hash(b"unknown")), Err(nothing));
    assert_eq!(rig.rounds, rounds, "the same work");
}

/// Those that are to be looked at by a time.
fn singles(rig: &Rig, now: Timestamp) -> Vec<(String, String, bool)> {
    let range = pair::keys(now);
    let read = |key: &Vec<u8>| {
        let Single { holder, recipient, without_release, .. } = pair::read(rig.value(key)).unwrap();
        (holder, recipient, without_release)
    };
    rig.keys_of(Table::Single).iter().filter(|key| range.contains(*key)).map(read).collect()
}

#[test]
fn p7_a_release_without_its_delivery_shows_a_while_after_it_is_over() {
    let mut rig = Rig::new();
    let granted = granted(&mut rig);
    rig.take(Submission::Release(rig.word("a", &granted)));
    let due = granted.terms.expires_at + DELIVERY_GRACE;
    let single = ("a".to_owned(), "b".to_owned(), false);
    assert_eq!(singles(&rig, due), []);
    assert_eq!(singles(&rig, due + Millis::new(1)), [single]);
    // What another member says of it, or the recipient of another document, is no delivery of it.
    let mut foreign = delivery(&granted);
    foreign.recipient = code("c");
    rig.take(Submission::Delivery(rig.word("c", &foreign)));
    assert_eq!(singles(&rig, due + Millis::new(1)).len(), 2);
    rig.take(Submission::Delivery(rig.word("b", &delivery(&granted))));
    let without = ("a".to_owned(), "c".to_owned(), true);
    assert_eq!(singles(&rig, due + Millis::new(1)), [without], "a delivery without a release shows at once");
    rig.assert_rebuilt();
}

#[test]
fn p7_a_release_that_was_stopped_or_whose_copy_was_erased_waits_for_nothing() {
    for (by, act, outcome, waits) in [
        ("a", AccessAct::Release, AccessOutcome::Denied, false),
        ("b", AccessAct::Erasure, AccessOutcome::Permitted, false),
        ("c", AccessAct::Release, AccessOutcome::Denied, true),
        ("b", AccessAct::Opening, AccessOutcome::Permitted, true),
    ] {
        let mut rig = Rig::new();
        let granted = granted(&mut rig);
        let hash = payload_hash(&granted.encode());
        rig.take(Submission::Release(rig.word("a", &granted)));
        let event = AccessEvent { outcome, ..told(&event(by, token(1)), act, hash) };
        rig.take(Submission::Event(rig.word(by, &event)));
        assert_eq!(singles(&rig, at(1 << 40)).len(), usize::from(waits), "{by} {act:?}");
    }
}

#[test]
fn p7_a_release_that_claims_to_live_for_ever_is_waited_for_a_day() {
    let mut rig = Rig::new();
    let mut granted = granted(&mut rig);
    granted.terms.expires_at = Timestamp::MAX;
    rig.take(Submission::Release(rig.word("a", &granted)));
    let day = Millis::from_secs(24 * 3600);
    assert_eq!(singles(&rig, rig.now + day + DELIVERY_GRACE + Millis::new(1)).len(), 1);
}
