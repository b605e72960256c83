//! What a new member list changes for what is under way and for what stands (M-5 to M-7).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::id::{Digest, Nonce};
use yiqiao_proto::member::{KeyState, Member, MemberList};
use yiqiao_registry_core::lease::LeaseAsked;
use yiqiao_registry_core::machine::{Input, Outcome};
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, code};
use crate::words::{Chain, event, forbid, id, login, permit, query, question, token};

fn member<'l>(list: &'l mut MemberList, name: &str) -> &'l mut Member {
    list.members.iter_mut().find(|member| member.code.as_str() == name).unwrap()
}

/// A registry where a has an entry of patient 1, which b may see.
fn open() -> Rig {
    let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig.direct("portal", &permit(1, token(1), "b"));
    rig
}

#[test]
fn m7_what_a_member_asked_before_its_suspension_is_refused_after_it() {
    let mut rig = open();
    let (b, nonce) = (code("b"), id(Nonce::new, 1));
    let feed_chain = yiqiao_proto::lease::feed_start(&code("demo"), &b);
    let asked = question(&rig, token(1), PatientQuestion::Consents, 1);
    let inputs = [
        Input::Search(rig.word("b", &query("b", &[token(1)]))),
        Input::PatientQuery(rig.word("b", &Act::new(asked, login("b")))),
        Input::Lease(LeaseAsked { member: b.clone(), nonce, term: 0, feed_number: 0, feed_chain }),
        Input::Feed { member: b.clone(), after: 0, count: 9 },
        Input::Links { member: b.clone(), subject: Chain::new("b", 1).subject, from_number: 1 },
        Input::Evaluate { member: b, elements: 1 },
        Input::Submit(Box::new(Submission::Event(rig.word("b", &event("b", token(1)))))),
    ];
    rig.next_list(|list| member(list, "b").suspended = true);
    for input in &inputs {
        assert_eq!(rig.handle(input).unwrap_err().code, RefusalCode::NotMember, "{input:?}");
    }
    rig.next_list(|list| member(list, "b").suspended = false);
    assert!(
        inputs.iter().all(|input| rig.handle(input).is_ok()),
        "nothing but the suspension stood against it"
    );
}

#[test]
fn m6_a_word_needs_a_key_that_is_valid_where_it_gets_its_place() {
    let mut rig = open();
    let said = Submission::Event(rig.word("a", &event("a", token(1))));
    for state in [KeyState::Retired, KeyState::CompromisedSince(1)] {
        rig.next_list(|list| member(list, "a").signing_keys[0].state = state);
        assert_eq!(rig.refused(said.clone()), (RefusalCode::NotMember, "M-6"));
    }
    let by_the_other = rig.word_by_key("a", 1, &event("a", token(1)));
    rig.take(Submission::Event(by_the_other));
}

#[test]
fn m6_a_permit_of_a_compromised_key_shows_nothing_and_a_forbid_of_it_still_hides() {
    let found = |rig: &mut Rig| rig.search(&query("b", &[token(1)])).entries.len();
    let (mut permitted, mut forbidden) = (open(), open());
    forbidden.direct("c", &forbid(2, token(1)));
    assert_eq!((found(&mut permitted), found(&mut forbidden)), (1, 0));
    let head = |rig: &mut Rig| {
        let asked = question(rig, token(1), PatientQuestion::Consents, 7);
        let asked = rig.word("a", &Act::new(asked, login("a")));
        let Ok(Outcome::Consents(consents)) = rig.handle(&Input::PatientQuery(asked)) else { panic!() };
        (consents.head.version, Digest::new(*consents.head.root.as_bytes()))
    };
    let before = head(&mut permitted);
    for (rig, name) in [(&mut permitted, "portal"), (&mut forbidden, "c")] {
        rig.next_list(|list| member(list, name).signing_keys[0].state = KeyState::CompromisedSince(0));
    }
    assert_eq!((found(&mut permitted), found(&mut forbidden)), (0, 0));
    assert_eq!(head(&mut permitted), before, "what was accepted stays what the head is over");
}
