//! Work: how often an input is handled again, because something was not loaded, does not grow with what is stored.

use yiqiao_registry_core::take::Submission;

use crate::rig::Rig;
use crate::words::{Chain, credential, forbid, permit, query, release, token};

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
    assert!(rig.rounds <= 3, "{} rounds", rig.rounds);
}
