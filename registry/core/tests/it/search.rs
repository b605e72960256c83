//! Search: exactly what is permitted, by pages, and nothing that tells of the rest.

use std::collections::BTreeSet;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, DefaultRule, DocumentClass, DocumentType, Purpose, RefusalCode, Sensitivity,
};
use yiqiao_proto::directive::{Directive, What};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word, payload_hash};
use yiqiao_proto::id::Digest;
use yiqiao_proto::limits::EMERGENCY_LIFE_MS;
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::time::Millis;
use yiqiao_registry_core::limits::SEARCH_LOOKS_MAX;
use yiqiao_registry_core::machine::Input;
use yiqiao_registry_core::search::Found;
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, at, code};
use crate::words::{Chain, asker, entry_id, event, forbid, id, permit, query, token};

fn seqs(found: &Found) -> Vec<u64> {
    found.entries.iter().map(|opening| opening.seq).collect()
}

/// Places of what b finds of patient 1.
fn found(rig: &mut Rig) -> Vec<u64> {
    seqs(&rig.search(&query("b", &[token(1)])))
}

/// A registry where a has a subject of patient 1, and everything is permitted to b.
fn open() -> (Rig, Chain) {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.direct("portal", &permit(1, token(1), "b"));
    (rig, chain)
}

#[test]
fn q2_an_answer_holds_exactly_what_is_permitted_to_the_asker() {
    let (mut rig, mut chain) = open();
    let images = What { classes: BTreeSet::from([DocumentClass::Imaging]), ..What::default() };
    let only_images = Directive { what: images, ..permit(2, token(1), "c") };
    rig.direct("portal", &only_images);
    let laboratory = rig.publish(&mut chain, 1).opening;
    let image = rig.publish_with(&mut chain, 2, None, |entry| entry.class = DocumentClass::Imaging).opening;
    assert_eq!(rig.search(&query("b", &[token(1)])).entries, [laboratory, image.clone()]);
    assert_eq!(rig.search(&query("c", &[token(1)])).entries, [image]);
    assert_eq!(seqs(&rig.search(&query("d", &[token(1)]))), [0; 0]);
}

#[test]
fn q2_a_forbid_a_purpose_and_an_end_are_seen_at_the_time_of_the_search() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let mut payment = query("b", &[token(1)]);
    payment.asker.purpose = Purpose::Payment;
    assert_eq!(rig.search(&payment).entries.len(), 0);
    let later = Directive {
        valid_from: at(1_000),
        valid_until: Some(at(2_000)),
        purposes: BTreeSet::from([Purpose::Treatment]),
        grantee: permit(0, token(1), "b").grantee,
        custodian: Some(code("a")),
        ..forbid(2, token(1))
    };
    rig.direct("portal", &later);
    for (now, finds) in [(999, 1), (1_000, 0), (1_999, 0), (2_000, 1)] {
        rig.now = at(now);
        assert_eq!(found(&mut rig).len(), finds, "at {now}");
    }
}

#[test]
fn q2_an_emergency_is_decided_apart() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let mut emergency = query("c", &[token(1)]);
    emergency.asker.purpose = Purpose::Emergency;
    emergency.asker.break_glass = Some(broken(&mut rig, "c", |_| {}));
    assert_eq!(rig.search(&emergency).entries.len(), 1);
    let never = Directive { purposes: BTreeSet::from([Purpose::Emergency]), ..forbid(2, token(1)) };
    rig.direct("portal", &never);
    assert_eq!(rig.search(&emergency).entries.len(), 0);
    assert_eq!(found(&mut rig).len(), 1);
}

/// A member's event by which the glass is broken over patient 1 is in the log: its hash.
fn broken(rig: &mut Rig, member: &str, change: impl FnOnce(&mut AccessEvent)) -> Digest {
    let mut said = AccessEvent { act: AccessAct::BreakGlass, ..event(member, token(1)) };
    change(&mut said);
    let word = rig.word(member, &said);
    let hash = word.envelope().payload_hash();
    rig.take(Submission::Event(word));
    hash
}

#[test]
fn d8_an_emergency_cites_the_askers_own_event_of_this_patient_and_not_long_ago() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let others = broken(&mut rig, "b", |_| {});
    let denied = broken(&mut rig, "c", |event| event.outcome = AccessOutcome::Denied);
    let opening = broken(&mut rig, "c", |event| event.act = AccessAct::Opening);
    let another = broken(&mut rig, "c", |event| event.patient = token(2));
    let nothing = id(Digest::new, 77);
    let ask = |rig: &mut Rig, cited| {
        let mut emergency = query("c", &[token(1)]);
        (emergency.asker.purpose, emergency.asker.break_glass) = (Purpose::Emergency, Some(cited));
        let query = rig.word("c", &emergency);
        rig.handle(&Input::Search(query)).map(|_| ())
    };
    for cited in [others, denied, opening, another, nothing] {
        let refused = ask(&mut rig, cited).unwrap_err();
        assert_eq!((refused.code, refused.clause), (RefusalCode::OutOfOrder, "D-8"));
    }
    let own = broken(&mut rig, "c", |_| {});
    ask(&mut rig, own).unwrap();
    rig.now = rig.now + Millis::new(EMERGENCY_LIFE_MS);
    assert!(ask(&mut rig, own).is_err());
}

#[test]
fn q2_the_default_rule_of_the_list_in_force_decides_where_no_directive_speaks() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig.publish_with(&mut chain, 2, None, |entry| entry.sensitivity = Sensitivity::Restricted);
    let mut treating = query("c", &[token(1)]);
    treating.asker.treating = true;
    let found = |rig: &mut Rig, query: &SearchQuery| rig.search(query).entries.len();
    assert_eq!(found(&mut rig, &treating), 0);
    rig.next_list(|list| list.policy.default_rule = DefaultRule::TreatingRelationship);
    assert_eq!([found(&mut rig, &treating), found(&mut rig, &query("c", &[token(1)]))], [1, 0]);
    rig.next_list(|list| list.policy.default_rule = DefaultRule::AllNormal);
    assert_eq!(found(&mut rig, &query("c", &[token(1)])), 1);
}

#[test]
fn d10_a_members_own_documents_are_not_answered_to_it() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("b", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.publish(&mut chain, 1);
    assert_eq!(found(&mut rig), [0; 0]);
}

#[test]
fn d1_a_forbid_under_any_token_of_the_publishers_statement_counts() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    rig.direct("portal", &forbid(2, token(2)));
    assert_eq!(found(&mut rig).len(), 1);
    rig.state(&mut chain, &[token(1), token(2)]);
    assert_eq!(found(&mut rig).len(), 0);
    assert_eq!(rig.search(&query("b", &[token(2)])).entries.len(), 0);
}

#[test]
fn i4_a_permit_counts_for_publishers_whose_own_statement_has_its_token() {
    let (mut rig, mut chain) = open();
    let mut other = Chain::new("c", 1);
    rig.state(&mut other, &[token(2)]);
    let own = rig.publish(&mut chain, 1).opening.seq;
    rig.publish(&mut other, 1);
    // The asker names both tokens: that links nothing.
    assert_eq!(seqs(&rig.search(&query("b", &[token(1), token(2)]))), [own]);
}

#[test]
fn q1_a_search_is_for_classes_types_and_service_periods() {
    let (mut rig, mut chain) = open();
    let of = |start: Option<i64>, end: Option<i64>| (start.map(at), end.map(at));
    let periods = [of(Some(100), Some(200)), of(Some(300), None), of(None, None), of(None, Some(200))];
    let mut entries = Vec::new();
    for (number, (start, end)) in (1..).zip(periods) {
        let taken = rig.publish_with(&mut chain, number, None, |entry| {
            (entry.service_start, entry.service_end, entry.created_at) = (start, end, at(500));
            entry.class = if number == 1 { DocumentClass::Imaging } else { DocumentClass::Laboratory };
            entry.document_type = if number == 2 { DocumentType::OTHER } else { entry.document_type };
        });
        entries.push(taken.opening.seq);
    }
    let all = query("b", &[token(1)]);
    let mut ask = |query: SearchQuery| -> Vec<usize> {
        let found = seqs(&rig.search(&query));
        found.iter().map(|seq| entries.iter().position(|other| other == seq).unwrap()).collect()
    };
    let period = |from: Option<i64>, until: Option<i64>| SearchQuery {
        service_from: from.map(at),
        service_until: until.map(at),
        ..all.clone()
    };
    assert_eq!(ask(all.clone()), [0, 1, 2, 3]);
    let classes = BTreeSet::from([DocumentClass::Imaging, DocumentClass::Nursing]);
    assert_eq!(ask(SearchQuery { classes, ..all.clone() }), [0]);
    let types = BTreeSet::from([DocumentType::OTHER]);
    assert_eq!(ask(SearchQuery { types, ..all.clone() }), [1]);
    // What ended before the period and what began at its end or later is not of it.
    assert_eq!(ask(period(Some(200), None)), [0, 1, 2, 3]);
    assert_eq!(ask(period(Some(201), None)), [1, 2]);
    assert_eq!(ask(period(None, Some(300))), [0]);
    assert_eq!(ask(period(None, Some(301))), [0, 1]);
}

#[test]
fn q3_pages_go_on_at_the_next_permitted_entry() {
    let (mut rig, mut chain) = open();
    let mut other = Chain::new("c", 1);
    rig.state(&mut other, &[token(1)]);
    let secret = Directive {
        what: What { classes: BTreeSet::from([DocumentClass::Nursing]), ..What::default() },
        ..forbid(2, token(1))
    };
    rig.direct("portal", &secret);
    let mut permitted = Vec::new();
    for number in 1..=20 {
        let chain = if number % 3 == 0 { &mut other } else { &mut chain };
        let hidden = number % 4 == 1;
        let class = if hidden { DocumentClass::Nursing } else { DocumentClass::Summary };
        let seq = rig.publish_with(chain, number, None, |entry| entry.class = class).opening.seq;
        if !hidden {
            permitted.push(seq);
        }
    }
    rig.withdraw(&mut chain, 2);
    permitted.remove(0);
    for count in [1, 2, 5, 14, 15, 256] {
        let mut pages = Vec::new();
        let mut from = Some(0);
        while let Some(from_seq) = from {
            let found = rig.search(&SearchQuery { from_seq, count, ..query("b", &[token(1)]) });
            let read = pages.len() + found.entries.len();
            assert_eq!(found.next_seq, permitted.get(read).copied(), "the next that is permitted, or none");
            assert!(found.entries.len() <= count as usize);
            pages.extend(seqs(&found));
            from = found.next_seq;
        }
        assert_eq!(pages, permitted, "by {count}");
    }
}

#[test]
fn q3_a_page_may_start_anywhere() {
    let (mut rig, mut chain) = open();
    let [first, second] = [1, 2].map(|number| rig.publish(&mut chain, number).opening.seq);
    let from = |from_seq| SearchQuery { from_seq, ..query("b", &[token(1)]) };
    assert_eq!(seqs(&rig.search(&from(first + 1))), [second]);
    assert_eq!(seqs(&rig.search(&from(u64::MAX))), [0; 0]);
}

#[test]
fn q3_an_entry_of_a_long_chain_is_found_too() {
    let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.direct("portal", &permit(1, token(1), "b"));
    while chain.number < SEARCH_LOOKS_MAX as u64 {
        let words = (0..64).map(|_| chain.entry(&rig, chain.number)).collect();
        rig.take(Submission::Links(words));
    }
    let last = rig.publish(&mut chain, 900_000).opening.seq;
    let found = rig.search(&SearchQuery { from_seq: last - 1, ..query("b", &[token(1)]) });
    assert_eq!(seqs(&found), [last - 1, last]);
}

#[test]
fn q4_withdrawn_entries_are_never_answered() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    rig.publish_with(&mut chain, 2, Some(1), |_| {});
    rig.withdraw(&mut chain, 1);
    rig.withdraw(&mut chain, 2);
    for superseded in [false, true] {
        let found = rig.search(&SearchQuery { superseded, ..query("b", &[token(1)]) });
        assert_eq!(seqs(&found), [0; 0]);
    }
}

/// A forbid of one entry.
fn forbid_of(number: u64, entry: u64) -> Directive {
    let what = What { entries: BTreeSet::from([entry_id(entry)]), ..What::default() };
    Directive { what, ..forbid(number, token(1)) }
}

/// Places of what b finds of patient 1 where replaced ones are asked for.
fn found_of_all(rig: &mut Rig) -> Vec<u64> {
    seqs(&rig.search(&SearchQuery { superseded: true, ..query("b", &[token(1)]) }))
}

#[test]
fn c5_a_forbid_of_a_document_stands_for_all_that_replace_it_however_many() {
    let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.direct("portal", &permit(1, token(1), "b"));
    let mut versions = vec![rig.publish(&mut chain, 1).opening.seq];
    for number in 2..=200 {
        versions.push(rig.publish_with(&mut chain, number, Some(number - 1), |_| {}).opening.seq);
    }
    assert_eq!((found(&mut rig), found_of_all(&mut rig)), (vec![versions[199]], versions.clone()));
    rig.direct("portal", &forbid_of(150, 150));
    assert_eq!((found(&mut rig), found_of_all(&mut rig)), (Vec::new(), versions[..149].to_vec()));
    rig.direct("portal", &forbid_of(2, 1));
    assert_eq!((found(&mut rig), found_of_all(&mut rig)), (Vec::new(), Vec::new()));
    let other = rig.publish(&mut chain, 900).opening.seq;
    assert_eq!(found(&mut rig), [other]);
}

#[test]
fn c5_a_forbid_stands_for_what_replaced_a_document_that_was_published_anew() {
    let (mut rig, mut chain) = open();
    let first = rig.publish(&mut chain, 1).opening.seq;
    rig.publish_with(&mut chain, 2, Some(1), |_| {});
    let third = rig.publish_with(&mut chain, 3, Some(2), |_| {}).opening.seq;
    let other = rig.publish(&mut chain, 10).opening.seq;
    // The second stands in another series now, in which a fourth follows it.
    rig.withdraw(&mut chain, 2);
    let again = rig.publish_with(&mut chain, 2, Some(10), |_| {}).opening.seq;
    let fourth = rig.publish_with(&mut chain, 4, Some(2), |_| {}).opening.seq;
    assert_eq!(found_of_all(&mut rig), [first, third, other, again, fourth]);
    rig.direct("portal", &forbid_of(2, 1));
    assert_eq!(found_of_all(&mut rig), [other, again, fourth], "these never took the first one's place");
    rig.direct("portal", &forbid_of(3, 2));
    assert_eq!(found_of_all(&mut rig), [other]);
}

/// What an asker gets, and how many records of which kind its search leaves.
fn traces(rig: &mut Rig, query: &SearchQuery) -> (usize, Option<u64>, Vec<Kind>, usize) {
    rig.now = rig.now + Millis::new(1);
    let (words, records) = (rig.words().len(), rig.journal().len());
    let found = rig.search(query);
    assert_eq!(found.query, payload_hash(&query.encode()));
    (found.entries.len(), found.next_seq, rig.kinds_after(words), rig.journal().len() - records)
}

#[test]
fn q5_unknown_unpermitted_and_absent_look_the_same() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    // 1: entries and no permit. 2: withdrawn. 3: a subject without entries. 4: directives only. 5: unlinked. 6: unknown.
    rig.state(&mut chain, &[token(1)]);
    for number in 1..=5 {
        rig.publish(&mut chain, number);
    }
    let mut withdrawn = Chain::new("a", 2);
    rig.state(&mut withdrawn, &[token(2)]);
    rig.publish(&mut withdrawn, 20);
    rig.withdraw(&mut withdrawn, 20);
    let mut empty = Chain::new("a", 3);
    rig.state(&mut empty, &[token(3)]);
    let mut unlinked = Chain::new("a", 5);
    rig.state(&mut unlinked, &[token(5)]);
    rig.publish(&mut unlinked, 50);
    rig.state(&mut unlinked, &[]);
    for patient in [2, 3, 4, 5] {
        rig.direct("portal", &permit(1, token(patient), "b"));
    }
    let expected = (0, None, vec![Kind::AccessEvent], 1);
    for patient in 1..=6 {
        let query = query("b", &[token(patient)]);
        assert_eq!(traces(&mut rig, &query), expected, "patient {patient}");
        let from_seq = 3;
        let next_page = SearchQuery { from_seq, ..query };
        assert_eq!(traces(&mut rig, &next_page).0, 0, "patient {patient}");
    }
    let both = query("b", &[token(1), token(6)]);
    assert_eq!(traces(&mut rig, &both), (0, None, vec![Kind::AccessEvent; 2], 2));
}

#[test]
fn q5_signed_answers_without_entries_differ_in_the_hash_of_the_query_only() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    let mut answer = |patient| {
        let found = rig.search(&query("b", &[token(patient)]));
        let envelope = rig.machine().answer(&found, b"a checkpoint");
        let envelope = Envelope::decode(envelope.as_bytes()).unwrap();
        Verified::<SearchAnswer>::check(envelope, rig.directory(), Said::Now).unwrap()
    };
    let (unpermitted, unknown) = (answer(1), answer(2));
    assert_eq!(unpermitted.signer(), &code("registry"));
    let same_hash = SearchAnswer { query: unknown.word().query, ..unpermitted.word().clone() };
    assert_eq!(&same_hash, unknown.word());
    let sizes = [&unpermitted, &unknown].map(|answer| answer.envelope().as_bytes().len());
    assert_eq!(sizes[0], sizes[1]);
}

#[test]
fn q2_the_first_page_is_an_event_of_each_patient_that_the_registry_says() {
    let (mut rig, _) = open();
    rig.now = at(77);
    let words = rig.words().len();
    let mut searched = query("b", &[token(1), token(2)]);
    searched.classes = BTreeSet::from([DocumentClass::Imaging]);
    rig.search(&searched);
    let events: Vec<AccessEvent> = rig.words()[words..]
        .iter()
        .map(|(kept, _)| {
            assert_eq!(kept.signer, "registry");
            let envelope = Envelope::decode(&kept.opening.as_ref().unwrap().envelope).unwrap();
            let event: Verified<AccessEvent> = Verified::check(envelope, rig.directory(), Said::Now).unwrap();
            event.word().clone()
        })
        .collect();
    let patients: Vec<_> = events.iter().map(|event| event.patient).collect();
    assert_eq!(patients, [token(1), token(2)]);
    let event = &events[0];
    assert_eq!((event.act, event.at, event.purpose), (AccessAct::Search, at(77), Purpose::Treatment));
    assert_eq!((&event.counterpart, event.role), (&Some(code("b")), asker("b").role));
    assert_eq!(event.classes, searched.classes);
}
