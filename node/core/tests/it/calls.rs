//! Calls as bytes, both ways: what goes out is what its reader takes, and nothing that is bent, cut, replayed or another's is
//! believed. Every other test here sends its calls as bytes too.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::answers;
use yiqiao_node_core::call::{self, Answer, Begun, Lost, To, Unbelieved};
use yiqiao_node_core::desk::{Question, Search};
use yiqiao_node_core::fetch::Stretch;
use yiqiao_node_core::machine::{Effect, Input, Outcome};
use yiqiao_node_core::peer::{self, CallFault, Reply};
use yiqiao_node_core::refusal;
use yiqiao_proto::calls::{
    ActNotice, AlarmNotice, Call, CheckpointNotice, EvaluateRequest, FeedRequest, InventoryRequest,
    LeaseRequest, LinksRequest, Method, ProofRequest, QualityNotice, RecallRequest, Refusal, ReleaseRequest,
    StepRequest, SubmitRequest,
};
use yiqiao_proto::codes::{PatientQuestion, Purpose, RefusalCode};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::member::KeyState;
use yiqiao_proto::time::Millis;

use crate::region::{CLINIC, Heard, code, list, outgoing, sealing_secret, signed};
use crate::story::{Story, desk, range_of};
use crate::trio::{Trio, zhao};

/// Everything that a hospital and a clinic have asked and were answered: documents, consent, a referral, a revocation.
fn talk() -> Trio {
    let mut trio = Trio::talked(10_000, 61_000);
    let subject = trio.subject("hospital");
    let own = Effect::OwnWords { ticket: 7, subject, from_number: 1 };
    trio.registry.answer_to(trio.now, &code("hospital"), &own);
    trio.registry.answer_to(trio.now, &code("hospital"), &Effect::Recall { ticket: 8, from: 0 });
    trio
}

/// At most so many calls of each method.
fn samples(trio: &Trio, count: usize) -> Vec<(Method, Heard)> {
    let mut taken: BTreeMap<Method, usize> = BTreeMap::new();
    let calls = trio.registry.heard.iter().map(|heard| (sent(trio, heard).0, heard.clone()));
    let mut calls: Vec<_> = calls.filter(|(_, heard)| !is_nothing_new(heard)).collect();
    calls.retain(|(method, _)| {
        let taken = taken.entry(*method).or_default();
        *taken += 1;
        *taken <= count
    });
    calls
}

/// A feed that tells nothing: most of them.
fn is_nothing_new(heard: &Heard) -> bool {
    matches!(heard.effect, Effect::ReadFeed { .. }) && heard.answer.is_empty()
}

/// What was sent: the method, to whom, and the bytes.
fn sent(trio: &Trio, heard: &Heard) -> (Method, To, Vec<u8>) {
    let call = outgoing(&heard.effect, &trio.registry.directory, heard.seed);
    (call.method, call.to, call.request)
}

/// What the node makes of these bytes as the answer to a call.
fn answered(trio: &Trio, heard: &Heard, bytes: &[u8]) -> Answer {
    let directory = &trio.registry.directory;
    outgoing(&heard.effect, directory, heard.seed).answered(directory, &heard.member, Ok(bytes))
}

/// These bytes with one bit of each byte turned, cut off, and with something behind them.
fn bent(bytes: &[u8]) -> Vec<Vec<u8>> {
    let turned = (0..bytes.len()).map(|at| {
        let mut turned = bytes.to_vec();
        turned[at] ^= 1 << (at % 8);
        turned
    });
    let cut = (0..bytes.len()).step_by(7).map(|length| bytes[..length].to_vec());
    let longer = [[bytes, &[0]].concat(), [bytes, bytes].concat()];
    turned.chain(cut).chain(longer).filter(|bent| bent != bytes).collect()
}

/// Nothing is believed: the call failed, or what came is for the machine to refuse, which has what it needs for that.
fn is_disbelieved(trio: &Trio, heard: &Heard, answer: &Answer) -> bool {
    let Some(input) = &answer.input else { return answer.unbelieved.is_some() };
    if let Input::Failed { ticket, .. } = input {
        return answer.unbelieved.is_some() && ticket_of(trio, heard) == Some(*ticket);
    }
    match (&heard.effect, input) {
        // N-9: each is this node's own, at its own place; that none is missing is the machine's to see.
        (Effect::OwnWords { .. }, Input::OwnWords { words, .. }) => {
            let honest = answered(trio, heard, &heard.answer).input;
            let Some(Input::OwnWords { words: honest, .. }) = honest else { return false };
            words.iter().all(|word| honest.contains(word))
        }
        // The same of those from a place on; where to go on is the registry's to say.
        (Effect::Recall { .. }, Input::Recalled { words, .. }) => {
            let honest = answered(trio, heard, &heard.answer).input;
            let Some(Input::Recalled { words: honest, .. }) = honest else { return false };
            words.iter().all(|word| honest.contains(word))
        }
        // F-3: they do not follow; below. L-13: they do not lead from the one to the other, or it is some checkpoint that the
        // registry has signed, or none of this log; `compare`.
        (Effect::ReadFeed { .. }, Input::Fed { .. })
        | (Effect::AskProof { .. }, Input::Proved { .. })
        | (Effect::AskInventory { .. }, Input::Inventoried { .. })
        | (Effect::Compare { .. }, Input::Shown { .. }) => true,
        // F-6: of another nonce.
        (Effect::AskLease { nonce, .. }, Input::Leased { lease, .. }) => lease.word().nonce != *nonce,
        // P-2: for another request, or without the key.
        (Effect::AskRelease { request, .. }, Input::ReleaseCame { release, wrapped_key, .. }) => {
            let secret = sealing_secret(CLINIC);
            release.word().terms.request != request.payload_hash()
                || release.word().unwrap_key(wrapped_key, &secret).is_err()
        }
        _ => false,
    }
}

fn ticket_of(trio: &Trio, heard: &Heard) -> Option<u64> {
    outgoing(&heard.effect, &trio.registry.directory, heard.seed).ticket
}

#[test]
fn h1_every_effect_is_a_call_in_bytes_that_its_reader_takes() {
    let trio = talk();
    let mut methods = BTreeSet::new();
    for heard in &trio.registry.heard {
        let (method, to, request) = sent(&trio, heard);
        let (is_read, is_for_registry) = match method {
            Method::Evaluate => (EvaluateRequest::from_bytes(&request).is_ok(), true),
            Method::Submit => (SubmitRequest::from_bytes(&request).is_ok(), true),
            Method::Links => (LinksRequest::from_bytes(&request).is_ok(), true),
            Method::Recall => (RecallRequest::from_bytes(&request).is_ok(), true),
            Method::Feed => (FeedRequest::from_bytes(&request).is_ok(), true),
            Method::Lease => (LeaseRequest::from_bytes(&request).is_ok(), true),
            Method::Proof => (ProofRequest::from_bytes(&request).is_ok(), true),
            Method::Inventory => (InventoryRequest::from_bytes(&request).is_ok(), true),
            Method::Alarm => (AlarmNotice::from_bytes(&request).is_ok(), true),
            Method::Quality => (QualityNotice::from_bytes(&request).is_ok(), true),
            Method::Compare => (CheckpointNotice::from_bytes(&request).is_ok(), false),
            Method::Release => (ReleaseRequest::from_bytes(&request).is_ok(), false),
            Method::Step => (StepRequest::from_bytes(&request).is_ok(), false),
            Method::ActNotice => (ActNotice::from_bytes(&request).is_ok(), false),
            other @ (Method::Search
            | Method::Members
            | Method::Consent
            | Method::History
            | Method::Evidence
            | Method::Holdings
            | Method::Check
            | Method::Persons
            | Method::Anchors) => {
                panic!("no effect is a {other:?}")
            }
        };
        assert!(is_read && (to == To::Registry) == is_for_registry, "{method:?}");
        let answer = answered(&trio, heard, &heard.answer);
        assert_eq!(answer.unbelieved, None);
        assert_eq!(answer.map.is_some(), method == Method::Release, "the map comes with the release");
        methods.insert(method);
    }
    assert_eq!(methods.len(), 12, "{methods:?}");
}

#[test]
fn l7_t3_z5_an_answer_that_is_bent_anywhere_is_not_believed() {
    let trio = talk();
    for (method, heard) in samples(&trio, 2) {
        for (at, bytes) in bent(&heard.answer).into_iter().enumerate() {
            let answer = answered(&trio, &heard, &bytes);
            assert!(is_disbelieved(&trio, &heard, &answer), "{method:?}, bend {at}: {answer:?}");
        }
    }
}

#[test]
fn l7_t3_p2_the_answer_to_another_call_is_not_believed() {
    let trio = talk();
    let samples = samples(&trio, 4);
    for (method, heard) in &samples {
        for (other, another) in samples.iter().filter(|(_, another)| another.answer != heard.answer) {
            let answer = answered(&trio, heard, &another.answer);
            assert!(is_disbelieved(&trio, heard, &answer), "{method:?} by {other:?}: {answer:?}");
        }
    }
}

#[test]
fn h2_a_lost_call_fails_with_the_refusal_if_there_was_one() {
    let trio = talk();
    let refused = Refusal { code: RefusalCode::Busy, clause: "H-2", retry_after: Some(Millis::new(200)) };
    let directory = &trio.registry.directory;
    for (_, heard) in samples(&trio, 1) {
        let failed = |lost| {
            let call = outgoing(&heard.effect, directory, heard.seed);
            let answer = call.answered(directory, &heard.member, Err(lost));
            let refusal = answer.input.and_then(|input| {
                let Input::Failed { refusal, .. } = input else { panic!("{input:?}") };
                refusal
            });
            (refusal, answer.unbelieved.is_some())
        };
        let expected = ticket_of(&trio, &heard).map(|_| refused.clone());
        assert_eq!(failed(Lost::refused(&refusal::write(&refused).1)), (expected, false));
        assert_eq!(failed(Lost::refused(b"no")), (None, true));
        assert_eq!(failed(Lost::Silent), (None, false));
    }
}

#[test]
fn t7_no_token_is_asked_for_under_a_key_that_the_list_does_not_have() {
    let trio = Trio::with_patient();
    let evaluate = |heard: &Heard| matches!(heard.effect, Effect::Evaluate { .. });
    let heard = trio.registry.heard.iter().find(|heard| evaluate(heard)).unwrap();
    let Effect::Evaluate { ticket, identifiers, .. } = heard.effect.clone() else { panic!() };
    let effect = Effect::Evaluate { ticket, epoch: 9, identifiers };
    let begun = call::begin(&effect, &trio.registry.directory, &mut Entropy::new([0; 32]));
    let Begun::Over(answer) = begun else { panic!("it is asked for") };
    assert_eq!(answer.unbelieved, Some(Unbelieved::Epoch { epoch: 9 }));
    assert!(matches!(answer.input, Some(Input::Failed { refusal: None, .. })));
}

/// Reads the feed once more, with these bytes for the honest ones: what the machine made of it.
fn feed(story: &mut Story, bend: impl Fn(&[u8]) -> Vec<u8>) -> Outcome {
    loop {
        story.node.now = story.node.next_wakeup().unwrap().max(story.node.now);
        for effect in story.node.all_due().unwrap() {
            let Effect::ReadFeed { .. } = &effect else {
                story.carry_out(&effect).unwrap();
                continue;
            };
            let (own, directory) = (code("hospital"), story.registry.directory.clone());
            let call = outgoing(&effect, &directory, [0; 32]);
            let honest = story.registry.serve(story.node.now, &own, call.method, &call.request).unwrap();
            assert!(!honest.is_empty(), "there is something new");
            let input = call.answered(&directory, &own, Ok(&bend(&honest))).input.unwrap();
            let handled = story.node.handle(&input).unwrap().unwrap();
            assert!(handled.records.is_empty(), "nothing of it is applied");
            return handled.outcome;
        }
    }
}

#[test]
fn f3_a_feed_that_is_bent_or_replayed_is_not_applied_and_the_honest_one_still_is() {
    let mut story = Story::with_document();
    story.permit();
    let is_news = |heard: &&Heard| matches!(heard.effect, Effect::ReadFeed { .. }) && !is_nothing_new(heard);
    let old: Vec<Vec<u8>> =
        story.registry.heard.iter().filter(is_news).map(|heard| heard.answer.clone()).collect();
    assert!(!old.is_empty());
    let numbers = story.try_permit().unwrap();
    for at in (0..600).step_by(40) {
        let outcome = feed(&mut story, |honest| {
            let mut bent = honest.to_vec();
            let at = at % bent.len();
            bent[at] ^= 1 << (at % 8);
            bent
        });
        assert!(matches!(outcome, Outcome::FeedStopped { .. } | Outcome::Done), "{at}: {outcome:?}");
    }
    for old in old {
        assert!(matches!(feed(&mut story, |_| old.clone()), Outcome::FeedStopped { .. }));
    }
    story.live(60_000);
    story.directive(numbers[0]);
    let request = story.request();
    assert!(matches!(story.ask(&request), Outcome::Released { .. }));
}

#[test]
fn n9_own_words_are_read_back_whatever_has_become_of_their_key() {
    let trio = talk();
    let is_own = |heard: &&Heard| matches!(heard.effect, Effect::OwnWords { .. });
    let heard = trio.registry.heard.iter().find(is_own).unwrap();
    let honest = answered(&trio, heard, &heard.answer).input;
    let Some(Input::OwnWords { words, statement, .. }) = honest else { panic!("it is believed") };
    assert!(!words.is_empty() && statement.is_some());
    let directory = &trio.registry.directory;
    let mut list = directory.list().clone();
    (list.version, list.previous) = (list.version + 1, Some(directory.payload_hash()));
    let own = list.members.iter_mut().find(|member| member.code == heard.member).unwrap();
    own.signing_keys.iter_mut().for_each(|key| key.state = KeyState::CompromisedSince(0));
    own.sealing_keys.iter_mut().for_each(|key| key.state = KeyState::CompromisedSince(0));
    let later = directory.next(&signed(&list)).unwrap();
    let call = outgoing(&heard.effect, directory, heard.seed);
    let after = call.answered(&later, &heard.member, Ok(&heard.answer)).input;
    let Some(Input::OwnWords { words: read, statement: stated, .. }) = after else {
        panic!("they stand in the log all the same")
    };
    assert_eq!((read, stated), (words, statement));
}

#[test]
fn m11_e2_a_call_that_is_bent_or_anothers_is_refused_with_a_clause() {
    let trio = talk();
    let directory = &trio.registry.directory;
    let mut methods = BTreeSet::new();
    for (method, heard) in samples(&trio, 2) {
        let (_, to, request) = sent(&trio, &heard);
        let To::Member(reader) = to else { continue };
        methods.insert(method);
        let read = |asker, method, bytes: &[u8]| peer::read(directory, asker, method, bytes);
        assert!(read(&heard.member, method as u16, &request).is_ok());
        for bytes in bent(&request) {
            match read(&heard.member, method as u16, &bytes) {
                Err(fault) => assert!(!fault.refusal().clause.is_empty(), "{fault}"),
                // Of another log, it seems: that is passed over (L-13).
                Ok(bent) => assert!(matches!(bent, Input::Shown { checkpoint: None, .. }), "{bent:?}"),
            }
        }
        let by_another = read(&reader, method as u16, &request);
        if matches!(method, Method::ActNotice | Method::Compare) {
            assert!(by_another.is_ok(), "any member may tell it (F-9, L-13)");
        } else {
            assert_eq!(by_another.unwrap_err(), CallFault::OtherSigner);
        }
        for other in (0..40).filter(|other| *other != method as u16) {
            assert!(read(&heard.member, other, &request).is_err(), "{method:?} as {other}");
        }
    }
    assert_eq!(methods, BTreeSet::from([Method::Release, Method::Step, Method::ActNotice, Method::Compare]));
}

#[test]
fn m7_m11_only_a_member_that_is_not_suspended_is_answered() {
    let mut list = list(100);
    let directory = crate::region::directory(&list);
    let at = |name| directory.member(&code(name)).unwrap().transports[0].peer_id.clone();
    assert_eq!(peer::asker(&directory, &at("clinic")), Ok(&code("clinic")));
    assert_eq!(peer::asker(&directory, b"nobody"), Err(CallFault::NotMember));
    list.version = 2;
    list.previous = Some(directory.payload_hash());
    list.members.iter_mut().for_each(|member| member.suspended = member.code == code("clinic"));
    let later = directory.next(&signed(&list)).unwrap();
    assert_eq!(peer::asker(&later, &at("clinic")), Err(CallFault::NotMember));
}

#[test]
fn p6_a_range_that_is_bent_is_refused_or_of_the_document_that_was_released() {
    let mut story = Story::with_document();
    story.permit();
    let request = story.request();
    let Outcome::Released { document: released, .. } = story.ask(&request) else { panic!() };
    story.live(3_000);
    let range = range_of(&request);
    let stretch = Stretch { first_chunk: 3, chunks: 2 };
    let bytes = stretch.request(&range.request);
    let mut served = 0;
    for bytes in bent(&bytes).into_iter().chain([bytes.clone()]) {
        let Ok(range) = peer::read_range(&code("clinic"), &bytes) else { continue };
        match peer::reply(story.act(&Input::Range(range))).unwrap() {
            Ok(Reply::Serve { document, .. }) => {
                assert_eq!(document, released);
                served += 1;
            }
            Err(refusal) => assert!(!refusal.clause.is_empty()),
            Ok(reply) => panic!("{reply:?}"),
        }
    }
    assert!(served > 0);
    let another = peer::read_range(&code("registry"), &bytes).unwrap();
    assert!(peer::reply(story.act(&Input::Range(another))).unwrap().is_err());
}

#[test]
fn whatever_bytes_come_they_are_refused_and_nothing_panics() {
    let trio = talk();
    let directory = &trio.registry.directory;
    let mut entropy = Entropy::new([5; 32]);
    let samples = samples(&trio, 1);
    for round in 0..400 {
        let noise: [u8; 96] = entropy.bytes();
        let noise = &noise[..round % 97];
        for method in 0..30 {
            let read = peer::read(directory, &code("clinic"), method, noise);
            // A member that knows no checkpoint shows none.
            assert!(read.is_err() || (noise.is_empty() && method == Method::Compare as u16));
        }
        let _read = peer::read_range(&code("clinic"), noise);
        let _refusal = refusal::read(noise);
        for (_, heard) in &samples {
            let answer = answered(&trio, heard, noise);
            assert_eq!(answer.input.is_some(), ticket_of(&trio, heard).is_some());
        }
    }
}

/// What somebody of a member asks the registry, signed, and what the registry answers.
fn ask(
    trio: &mut Trio,
    member: &'static str,
    input: &Input,
    (method, request): (Method, fn(&Envelope) -> Vec<u8>),
) -> (Envelope, Vec<u8>) {
    let outcome = trio.act(member, input).unwrap();
    let asked = if let Outcome::Search { query, .. } = outcome {
        query
    } else {
        let Outcome::Call(calls) = outcome else { panic!("{outcome:?}") };
        calls[0].clone()
    };
    let answer = trio.registry.serve(trio.now, &code(member), method, &request(&asked));
    (asked, answer.unwrap())
}

#[test]
fn q2_what_a_search_finds_is_believed_for_its_own_query_and_whole() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let search = Search {
        actor: zhao(),
        subject: trio.subject("clinic"),
        purpose: Purpose::Treatment,
        referral: None,
        classes: BTreeSet::new(),
        types: BTreeSet::new(),
        service_from: None,
        service_until: None,
        superseded: false,
        from_seq: 0,
        count: 256,
    };
    let input = Input::Search(Box::new(search));
    let [(query, answer), (again, _)] =
        [(); 2].map(|()| ask(&mut trio, "clinic", &input, (Method::Search, answers::search)));
    let found =
        |query, answer: &[u8]| answers::found(&trio.registry.directory, &code("clinic"), query, answer);
    let (honest, left_out) = found(&query, &answer).unwrap();
    assert_eq!((honest.entries.len(), left_out), (2, Vec::new()));
    assert!(found(&again, &answer).is_err(), "the same query again has another nonce");
    for bytes in bent(&answer) {
        assert!(found(&query, &bytes).is_err());
    }
}

#[test]
fn c10_a_patients_consents_are_those_that_the_head_is_over() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let input = question(&trio, PatientQuestion::Consents);
    let (question, answer) = ask(&mut trio, "hospital", &input, (Method::Consent, answers::consent));
    let consents = |answer: &[u8]| answers::consents(&trio.registry.directory, &question, answer);
    let words = |answer: &[u8]| {
        let (consents, _) = consents(answer).ok()?;
        let words = consents.directives.into_iter().map(|directive| directive.word);
        Some((consents.head.root, words.collect::<Vec<_>>()))
    };
    let honest = words(&answer).unwrap();
    assert_eq!(honest.1.len(), 1);
    for bytes in bent(&answer) {
        // Where an act stands, and how many led to the head, is the registry's word alone.
        assert!(words(&bytes).is_none_or(|bent| bent == honest));
    }
}

#[test]
fn a4_a_patients_events_are_as_their_sayers_signed_them() {
    let mut trio = talk();
    let input = question(&trio, PatientQuestion::Events);
    let (question, answer) = ask(&mut trio, "hospital", &input, (Method::History, answers::history));
    let events = |answer: &[u8]| {
        let (page, _) = answers::events(&trio.registry.directory, &question, answer).ok()?;
        Some(page.events.into_iter().map(|event| event.word).collect::<Vec<_>>())
    };
    let honest = events(&answer).unwrap();
    assert!(!honest.is_empty());
    for page in bent(&answer).iter().filter_map(|bytes| events(bytes)) {
        assert!(page.iter().all(|event| honest.contains(event)));
    }
}

fn question(trio: &Trio, what: PatientQuestion) -> Input {
    let (actor, subject) = (desk(), trio.subject("hospital"));
    Input::PatientQuery(Box::new(Question { actor, subject, what, from_seq: 0, count: 256 }))
}
