//! Calls as bytes: what members send is read as they meant it, and all else is refused by its clause.

use std::collections::BTreeSet;

use prost::Message;
use yiqiao_proto::calls::{
    ConsentRequest, EvaluateRequest, FeedRequest, HistoryRequest, LeaseRequest, LinksRequest, Method,
    SearchRequest, SubmitRequest,
};
use yiqiao_proto::codes::{MemberRole, PatientQuestion, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::Nonce;
use yiqiao_proto::limits::{CALL_BYTES_MAX, EVALUATION_MAX, FEED_WAIT_MS_MAX, SUBMISSION_MAX};
use yiqiao_proto::member::Transport;
use yiqiao_proto::suite::Suite;
use yiqiao_proto::time::Millis;
use yiqiao_proto::wire::calls::Submitted;
use yiqiao_registry_core::door::{Asked, CallFault, asker};
use yiqiao_registry_core::machine::{ConsentAct, Input};
use yiqiao_registry_core::take::Submission;

use crate::calls::{Call, all, call, chain, handed, links, member_of, signed, submitted, told};
use crate::rig::{Rig, code};
use crate::words::{Chain, event, id, login, permit, query, question, token};

use RefusalCode::{BadSignature, Malformed, NotMember, OverLimit};

fn name_of(asked: &Asked) -> &'static str {
    match asked {
        Asked::Lists { .. } => "lists",
        Asked::Evaluate(_) => "evaluate",
        Asked::Feed { .. } => "feed",
        Asked::Machine(Input::Submit(submission)) => match submission.as_ref() {
            Submission::Links(_) => "links handed in",
            Submission::Identity(_) => "identity",
            Submission::Consent(ConsentAct::Directive(_)) => "directive",
            Submission::Consent(ConsentAct::Revocation(_)) => "revocation",
            Submission::Directives(_) => "directives of one act",
            Submission::Credential(_) => "credential",
            Submission::Event(_) => "event",
            Submission::Release(_) => "release",
            Submission::Delivery(_) => "delivery",
            Submission::Anchor(_) => "anchor",
        },
        Asked::Machine(Input::Search(_)) => "search",
        Asked::Machine(Input::PatientQuery(_)) => "question",
        Asked::Machine(Input::Lease(_)) => "lease",
        Asked::Machine(Input::Links { .. }) => "links read back",
        Asked::Machine(Input::Prove { .. }) => "proof",
        Asked::Machine(Input::Evidence { .. }) => "evidence",
        Asked::Machine(Input::Anchors { .. }) => "anchors",
        Asked::Machine(Input::Recall { .. }) => "own words read back",
        Asked::Machine(Input::Inventory { .. }) => "inventory",
        Asked::Machine(Input::Alarm(_)) => "alarm",
        Asked::Machine(Input::Quality(_)) => "quality",
        Asked::Machine(Input::Feed { .. } | Input::Evaluate { .. } | Input::MemberList(..)) => "other",
    }
}

#[test]
fn h1_what_members_send_is_read_as_they_mean_it() {
    let rig = Rig::new();
    let names: Vec<_> = all(&rig).iter().map(|call| name_of(&rig.read(call).unwrap())).collect();
    let expected = [
        "identity",
        "directive",
        "revocation",
        "credential",
        "event",
        "release",
        "delivery",
        "anchor",
        "search",
        "question",
        "question",
        "links handed in",
        "lease",
        "feed",
        "links read back",
        "own words read back",
        "lists",
        "proof",
        "evidence",
        "anchors",
        "inventory",
        "evaluate",
    ];
    assert_eq!(names, expected);
}

#[test]
fn n5_links_keep_the_order_in_which_they_were_handed_in() {
    let (rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let words = [chain.entry(&rig, 1), chain.withdrawal(&rig, 1), chain.entry(&rig, 2)];
    let Ok(Asked::Machine(Input::Submit(read))) = rig.read(&links("a", &words)) else {
        unreachable!("they are fit")
    };
    let Submission::Links(read) = *read else { unreachable!("they are links") };
    let handed: Vec<_> = words.iter().map(submitted).collect();
    assert_eq!(read.iter().map(submitted).collect::<Vec<_>>(), handed);
}

#[test]
fn f3_a_feed_is_kept_waiting_no_longer_than_the_bound() {
    let rig = Rig::new();
    for (asked, kept) in
        [(0, 0), (250, 250), (FEED_WAIT_MS_MAX, FEED_WAIT_MS_MAX), (u64::MAX, FEED_WAIT_MS_MAX)]
    {
        let request = FeedRequest { after: u64::MAX, count: u32::MAX, wait_ms: asked };
        let Ok(Asked::Feed { wait, input }) = rig.read(&call("b", Method::Feed, &request)) else {
            unreachable!("every feed is readable")
        };
        assert_eq!((wait, member_of(&input)), (Millis::new(kept), &code("b")));
    }
}

#[test]
fn m11_m7_a_peer_is_the_member_whose_it_is_unless_it_is_suspended() {
    let mut rig = Rig::of(Suite::Simulation, |list| {
        for (member, name) in list.members.iter_mut().zip(b'a'..) {
            member.transports = vec![Transport { peer_id: vec![name; 38], addresses: Vec::new() }];
        }
    });
    assert_eq!(asker(rig.directory(), &[b'b'; 38]), Ok(&code("b")));
    for stranger in [vec![b'z'; 38], vec![b'b'; 37], Vec::new()] {
        assert_eq!(asker(rig.directory(), &stranger), Err(CallFault::NotMember));
    }
    rig.next_list(|list| list.members[1].suspended = true);
    let refused = asker(rig.directory(), &[b'b'; 38]).map_err(|fault| told(&fault.refused()));
    assert_eq!(refused, Err((NotMember, "M-11")));
}

#[test]
fn m7_words_of_a_member_that_was_suspended_meanwhile_are_refused() {
    let mut rig = Rig::new();
    let calls = [signed(&rig), vec![chain(&rig)]].concat();
    rig.next_list(|list| list.members.iter_mut().for_each(|member| member.suspended = true));
    for call in calls {
        assert_eq!(rig.turns_away(&call), (NotMember, "E-5"));
    }
}

#[test]
fn h1_what_a_registry_does_not_answer_is_refused_whatever_it_holds() {
    let rig = Rig::new();
    let own =
        [Method::Release, Method::Step, Method::ActNotice, Method::Compare, Method::Check, Method::Persons]
            .map(|method| method as u16);
    for method in [0, 11, 19, 24, 256 + Method::Feed as u16, u16::MAX].into_iter().chain(own) {
        for bytes in [Vec::new(), vec![8, 1]] {
            let call = Call { by: "a", method, bytes };
            assert_eq!(rig.turns_away(&call), (Malformed, "H-1"), "method {method}");
        }
    }
}

#[test]
fn e6_nobody_hands_in_or_asks_with_the_words_of_another() {
    let rig = Rig::new();
    for call in [signed(&rig), vec![chain(&rig)]].concat() {
        let refused = rig.read_as("c", &call).map(|_| ()).unwrap_err();
        assert_eq!(told(&refused), (NotMember, "E-6"), "{call:?}");
    }
    // A word that names another sayer than its signer.
    for call in [
        handed("c", &[rig.sign("c", 0, &Chain::new("a", 1).statement(&[token(1)]))]),
        handed("c", &[rig.sign("c", 0, &event("b", token(1)))]),
        call(
            "c",
            Method::Search,
            &SearchRequest { envelope: rig.sign("c", 0, &query("b", &[token(1)])).as_bytes().to_vec() },
        ),
    ] {
        assert_eq!(rig.turns_away(&call), (NotMember, "E-6"), "{call:?}");
    }
}

#[test]
fn e5_what_is_not_of_a_members_role_is_refused() {
    let rig = Rig::new();
    for call in [signed(&rig), vec![chain(&rig)]].concat() {
        if call.method == Method::Submit as u16 {
            for by in ["bureau", "registry", "nobody"] {
                assert_eq!(told(&rig.read_as(by, &call).unwrap_err()), (NotMember, "E-5"), "{by}");
            }
        }
    }
    let statement = rig.sign("portal", 0, &Chain::new("portal", 1).statement(&[token(1)]));
    assert_eq!(rig.turns_away(&handed("portal", &[statement])), (NotMember, "E-5"));
    let envelope = rig.sign("bureau", 0, &query("bureau", &[token(1)])).as_bytes().to_vec();
    let search = call("bureau", Method::Search, &SearchRequest { envelope });
    assert_eq!(rig.turns_away(&search), (NotMember, "E-5"));
}

#[test]
fn e4_a4_where_one_word_belongs_another_is_refused() {
    let rig = Rig::new();
    let asks = |what| Act::new(question(&rig, token(1), what, 7), login("portal"));
    let [consents, events] = [PatientQuestion::Consents, PatientQuestion::Events]
        .map(|what| rig.sign("portal", 0, &asks(what)).as_bytes().to_vec());
    let directive = rig.sign("portal", 0, &Act::new(permit(1, token(1), "b"), login("portal")));
    let directive = directive.as_bytes().to_vec();
    for (refused, call) in [
        ("A-4", call("portal", Method::Consent, &ConsentRequest { envelope: events })),
        ("A-4", call("portal", Method::History, &HistoryRequest { envelope: consents.clone() })),
        ("E-4", call("portal", Method::History, &HistoryRequest { envelope: directive.clone() })),
        ("E-4", call("portal", Method::Consent, &ConsentRequest { envelope: directive.clone() })),
        ("E-4", call("portal", Method::Search, &SearchRequest { envelope: directive })),
        ("E-4", call("portal", Method::Search, &SearchRequest { envelope: consents })),
        ("E-1", call("portal", Method::Search, &SearchRequest { envelope: Vec::new() })),
    ] {
        assert_eq!(rig.turns_away(&call), (Malformed, refused), "{call:?}");
    }
}

#[test]
fn l1_only_words_that_stand_in_the_log_are_handed_in() {
    let mut rig = Rig::new();
    let list = rig.list_after(|_| {});
    let Input::MemberList(_, list) = list else { unreachable!("it is a list") };
    let asked = Act::new(question(&rig, token(1), PatientQuestion::Events, 7), login("a"));
    let found = rig.search(&query("b", &[token(1)]));
    let answer = rig.machine().answer(&found, b"note");
    for word in [list, rig.sign("a", 0, &asked), rig.sign("a", 0, &query("a", &[token(1)])), answer] {
        let call = handed("a", std::slice::from_ref(&word));
        assert_eq!(rig.turns_away(&call), (Malformed, "L-1"), "{:?}", word.kind());
    }
}

#[test]
fn n5_n2_submissions_of_a_wrong_shape_are_refused_whole() {
    let (rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let many: Vec<_> = (0..=SUBMISSION_MAX as u64).map(|number| chain.entry(&rig, number)).collect();
    assert!(rig.read(&links("a", &many[..SUBMISSION_MAX])).is_ok());
    assert_eq!(rig.turns_away(&links("a", &many)), (OverLimit, "N-5"));
    assert_eq!(rig.turns_away(&links("a", &[])), (OverLimit, "N-5"));
    let statement = |number| rig.sign("a", 0, &Chain::new("a", number).statement(&[token(1)]));
    assert_eq!(rig.turns_away(&handed("a", &[statement(1), statement(2)])), (Malformed, "N-5"));
    let entry = Chain::new("a", 3).entry(&rig, 3);
    let statement = Submitted { envelope: statement(1).as_bytes().to_vec(), link: None };
    let mixed = SubmitRequest { words: vec![submitted(&entry), statement] };
    assert_eq!(rig.turns_away(&call("a", Method::Submit, &mixed)), (Malformed, "N-5"));
    let salt_missing =
        submitted(&entry).link.map(|link| yiqiao_proto::wire::words::Link { salt: Vec::new(), ..link });
    for link in [None, salt_missing] {
        let unplaced = SubmitRequest { words: vec![Submitted { link, ..submitted(&entry) }] };
        assert_eq!(rig.turns_away(&call("a", Method::Submit, &unplaced)), (Malformed, "N-2"));
    }
}

#[test]
fn w4_f6_ids_of_a_wrong_length_and_zeros_are_refused() {
    let rig = Rig::new();
    for bytes in [Vec::new(), vec![1; 31], vec![0; 32]] {
        let request = LinksRequest { subject: bytes.clone(), from_number: 1 };
        assert_eq!(rig.turns_away(&call("a", Method::Links, &request)), (Malformed, "W-4"));
        let fit = id(Nonce::new, 1).as_bytes().to_vec();
        for (nonce, feed_chain) in [(bytes.clone(), fit.clone()), (fit, bytes)] {
            let request = LeaseRequest { nonce, term: 1, feed_number: 0, feed_chain };
            assert_eq!(rig.turns_away(&call("a", Method::Lease, &request)), (Malformed, "F-6"));
        }
    }
}

#[test]
fn w2_bytes_after_the_end_of_a_call_or_cut_off_are_refused() {
    let rig = Rig::new();
    for call in all(&rig) {
        // A zero ends no field; 15 is a field that no call has; a call twice is one call merged.
        let unknown = vec![(15 << 3), 1];
        for trailing in [vec![0], unknown, call.bytes.clone()] {
            let longer = Call { bytes: [call.bytes.clone(), trailing].concat(), ..call.clone() };
            if let Ok(asked) = rig.read(&longer) {
                let is_list = ["links handed in", "directives of one act"].contains(&name_of(&asked));
                assert!(is_list, "only a list goes on: the words twice");
            }
        }
        let bytes = call.bytes[..call.bytes.len() - 1].to_vec();
        told(&rig.read(&Call { bytes, ..call }).unwrap_err());
    }
}

#[test]
fn w3_lists_and_calls_that_are_too_long_are_refused() {
    let rig = Rig::new();
    let empty = SubmitRequest { words: vec![Submitted::default(); 100_000] };
    let elements = EvaluateRequest { epoch: 1, blinded: vec![Vec::new(); 2 * EVALUATION_MAX + 1] };
    for call in [call("a", Method::Submit, &empty), call("a", Method::Evaluate, &elements)] {
        assert_eq!(rig.turns_away(&call), (OverLimit, "W-3"));
    }
    for call in all(&rig) {
        let bytes = vec![0; CALL_BYTES_MAX + 1];
        assert_eq!(rig.turns_away(&Call { bytes, ..call }), (OverLimit, "W-3"));
    }
}

#[test]
fn e5_a_custodian_that_is_portal_too_hands_in_both_kinds_of_words() {
    let rig = Rig::of(Suite::International, |list| {
        list.members[0].roles = BTreeSet::from([MemberRole::Custodian, MemberRole::Portal]);
    });
    let directive = rig.sign("a", 0, &Act::new(permit(1, token(1), "b"), login("a")));
    assert!(rig.read(&handed("a", &[directive])).is_ok());
    assert!(rig.read(&chain(&rig)).is_ok());
}

#[test]
fn e2_a_signature_of_another_region_is_refused() {
    let rig = Rig::new();
    let statement = Chain::new("a", 1).statement(&[token(1)]);
    let own = rig.sign("a", 0, &statement);
    let mut wire = yiqiao_proto::wire::words::Envelope::decode(own.as_bytes()).unwrap();
    wire.payload = Chain::new("a", 2).statement(&[token(1)]).encode();
    let forged = Envelope::decode(&wire.encode_to_vec()).unwrap();
    assert_eq!(rig.turns_away(&handed("a", &[forged])), (BadSignature, "E-2"));
}
