//! Work: how often an input is handled again, because something was not loaded, does not grow with what is stored.

use yiqiao_proto::codes::PatientQuestion;
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::id::EntryId;
use yiqiao_proto::limits::CALL_BYTES_MAX;
use yiqiao_registry_core::limits::SEARCH_READS_MIN;
use yiqiao_registry_core::machine::{Input, Outcome};
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, code};
use crate::words::{
    Chain, credential, entry_id, event, forbid, id, login, permit, query, question, release, token,
};

const CUSTODIANS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

#[test]
fn a_search_over_many_subjects_takes_as_many_rounds_as_over_one() {
    let rounds = [1, 40].map(|subjects| {
        let mut rig = Rig::quick();
        rig.direct("portal", &permit(1, token(1), "b"));
        for subject in 0..subjects {
            let mut chain = Chain::new(if subject % 2 == 0 { "a" } else { "c" }, subject);
            // Each has a token of its own beside the one that is asked for.
            rig.state(&mut chain, &[token(1), token(100 + subject)]);
            rig.publish(&mut chain, subject);
        }
        let found = rig.search(&query("b", &[token(1)]));
        assert_eq!(found.entries.len() as u64, subjects);
        rig.rounds
    });
    assert_eq!(rounds.first(), rounds.last());
}

#[test]
fn a_consent_change_takes_as_many_rounds_for_many_holders_as_for_one() {
    let rounds = [1, 7].map(|holders| {
        let mut rig = Rig::quick();
        for holder in CUSTODIANS.into_iter().take(holders) {
            let mut chain = Chain::new(holder, 1);
            rig.state(&mut chain, &[token(1)]);
            rig.publish(&mut chain, 1);
        }
        rig.direct("portal", &forbid(1, token(1)));
        let directive = rig.rounds;
        rig.take(Submission::Credential(rig.word("portal", &credential("portal", &[token(1)]))));
        (directive, rig.rounds)
    });
    assert_eq!(rounds.first(), rounds.last());
}

#[test]
fn a_withdrawal_takes_as_many_rounds_for_many_recipients_as_for_one() {
    let rounds = [1, 6].map(|recipients| {
        let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
        rig.state(&mut chain, &[token(1)]);
        rig.publish(&mut chain, 1);
        for recipient in CUSTODIANS.into_iter().skip(1).take(recipients) {
            rig.take(Submission::Release(rig.word("a", &release("a", recipient, 1, &[token(1)]))));
        }
        rig.withdraw(&mut chain, 1);
        rig.rounds
    });
    assert_eq!(rounds.first(), rounds.last());
}

#[test]
fn a_full_submission_takes_about_as_many_rounds_as_a_single_link() {
    let rounds = [1, 64].map(|links| {
        let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
        rig.state(&mut chain, &[token(1)]);
        let words = (0..links).map(|number| chain.entry(&rig, number)).collect();
        rig.take(Submission::Links(words));
        let fresh = rig.rounds;
        let replaced = |number: u64| chain.entry_with(&rig, 100 + number, Some(number), |_| {});
        let words: Vec<_> = (0..links).map(replaced).collect();
        rig.take(Submission::Links(words.clone()));
        let replacing = rig.rounds;
        rig.repeated(Submission::Links(words));
        (fresh, replacing, rig.rounds)
    });
    assert_eq!(rounds.first(), rounds.last());
}

#[test]
fn a_member_list_takes_as_many_rounds_however_many_are_told() {
    let mut rig = Rig::quick();
    rig.next_list(|_| {});
    assert!(rig.rounds <= 5, "{} rounds", rig.rounds);
}

/// Keys that were loaded for a search of b for a patient, by rounds.
fn reads(rig: &mut Rig, patient: u64) -> Vec<usize> {
    assert!(rig.search(&query("b", &[token(patient)])).entries.is_empty());
    rig.loads.iter().map(|(keys, _)| *keys).collect()
}

#[test]
fn q5_a_search_reads_as_much_of_a_patient_whom_nobody_knows_as_of_one_with_a_few_documents() {
    let mut rig = Rig::quick();
    for number in 0..100 {
        let mut said = event("c", token(50));
        said.documents = number;
        rig.take(Submission::Event(rig.word("c", &said)));
    }
    let known = [(1, 1), (2, 10), (3, SEARCH_READS_MIN as u64)];
    for (patient, documents) in known {
        let mut chain = Chain::new("a", patient);
        rig.state(&mut chain, &[token(patient)]);
        for number in 0..documents {
            rig.publish(&mut chain, 100 * patient + number);
        }
    }
    // Each patient has had one search, and its events have begun.
    for patient in 1..=4 {
        reads(&mut rig, patient);
    }
    let unknown = reads(&mut rig, 4);
    for (patient, documents) in known {
        assert_eq!(reads(&mut rig, patient), unknown, "of {documents} documents");
        let mut named = forbid(1, token(patient));
        named.what.entries = (0..documents).map(|number| entry_id(100 * patient + number)).collect();
        rig.direct("portal", &named);
        assert_eq!(reads(&mut rig, patient), unknown, "of {documents} documents that a forbid names");
    }
    assert!(unknown.iter().filter(|keys| **keys == SEARCH_READS_MIN).count() >= 5, "{unknown:?}");
}

/// A permit about 64 documents: as long as directives get.
fn long_permit(number: u64) -> yiqiao_proto::directive::Directive {
    let mut long = permit(number, token(1), "b");
    long.what.entries = (0..64).map(|entry| id(EntryId::new, 1_000 * number + entry)).collect();
    long
}

#[test]
fn f3_of_a_feed_is_loaded_what_is_answered() {
    let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    let sayers = ["a", "b", "c", "d", "e", "f", "g", "portal"];
    for (number, by) in (0..).zip(sayers.repeat(8)) {
        rig.direct(by, &long_permit(number));
    }
    let (mut after, mut answers) = (0, 0);
    loop {
        let input = Input::Feed { member: code("a"), after, count: 256 };
        let Ok(Outcome::Feed(items)) = rig.handle(&input) else { panic!("a feed is always readable") };
        let loaded: usize = rig.loads.iter().map(|(_, bytes)| bytes).sum();
        assert!(loaded < CALL_BYTES_MAX, "{loaded} bytes");
        if items.is_empty() {
            break;
        }
        (after, answers) = (after + items.len() as u64, answers + 1);
    }
    assert_eq!(after, 66);
    assert!(answers > 2, "the feed is longer than one answer and the end");
}

#[test]
fn a4_events_of_a_long_history_are_found_without_reading_it() {
    let mut rig = Rig::quick();
    for number in 0..2_000 {
        let mut said = event("b", token(1));
        said.documents = number;
        rig.take(Submission::Event(rig.word("b", &said)));
    }
    let from_seq = rig.machine().next_seq() - 10;
    let said = question(&rig, token(1), PatientQuestion::Events, 1);
    let said = PatientQuery { from_seq, count: 5, ..said };
    let query = rig.word("portal", &Act::new(said, login("portal")));
    let outcome = rig.handle(&Input::PatientQuery(query)).unwrap();
    let Outcome::Events(events) = outcome else { panic!("{outcome:?} for events") };
    let seqs: Vec<u64> = events.events.iter().map(|opening| opening.seq).collect();
    assert_eq!(seqs, (from_seq..from_seq + 5).collect::<Vec<_>>());
    assert_eq!(events.next_seq, Some(from_seq + 5));
    let keys: usize = rig.loads.iter().map(|(keys, _)| keys).sum();
    assert!(keys < 24, "{keys} values were read");
}

#[test]
fn words_about_many_tokens_take_about_as_many_rounds_as_about_one() {
    let of = |first: u64, count: u64| (first..first + count).map(token).collect::<Vec<_>>();
    let rounds = [1, 8].map(|tokens| {
        let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
        let (before, after) = (of(1, tokens), of(101, tokens));
        let mut rounds = Vec::new();
        rig.state(&mut chain, &before);
        rounds.push(rig.rounds);
        rig.publish(&mut chain, 1);
        rounds.push(rig.rounds);
        rig.take(Submission::Release(rig.word("a", &release("a", "b", 1, &before))));
        rounds.push(rig.rounds);
        rig.state(&mut chain, &after);
        rounds.push(rig.rounds);
        rig.take(Submission::Credential(rig.word("portal", &credential("portal", &after))));
        rounds.push(rig.rounds);
        rig.search(&query("b", &after));
        rounds.push(rig.rounds);
        rounds
    });
    // The registry's own event about each token is looked up on its own.
    let more = rounds[1].iter().zip(&rounds[0]).map(|(many, few)| many - few);
    assert!(more.max() <= Some(7), "{rounds:?}");
}
