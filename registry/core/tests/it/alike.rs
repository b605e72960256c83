//! What a search does not tell, over many drawn patients of whom the asker may see nothing: their answers have the bytes, and
//! their searches the work, of one for a patient whom nobody knows.
//!
//! Work is what is counted: rounds, keys of each round, words and records that are left. Not here: time, and patients with more documents than a search reads at least.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use yiqiao_proto::codes::DocumentClass;
use yiqiao_proto::directive::Directive;
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word};
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::Token;

use crate::rig::{Rig, at};
use crate::words::{Chain, entry_id, event, forbid, permit, query, revocation, token};

/// The patient who was drawn, and one whom nobody knows.
const KNOWN: u64 = 1;
const UNKNOWN: u64 = 2;
/// The asker, who never files.
const ASKER: &str = "b";

/// What becomes of an entry.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Stands,
    Withdrawn,
    Replaced,
}

/// What the patient says, none of which lets the asker see anything.
#[derive(Clone, Copy, Debug)]
enum Wish {
    PermitAnother,
    PermitOver,
    PermitTakenBack,
    PermitOtherClass,
    PermitDepartment,
    Forbid,
    ForbidOne(u64),
}

/// One of few: together they are less than what a search reads at least, and so is what forbids name.
#[derive(Clone, Debug)]
struct Subject {
    publisher: &'static str,
    /// Beside the patient's: of no other patient.
    second_token: bool,
    entries: Vec<Fate>,
    unlinked: bool,
}

fn subject() -> impl Strategy<Value = Subject> {
    let fate = prop::sample::select(vec![Fate::Stands, Fate::Withdrawn, Fate::Replaced]);
    let parts = (
        prop::sample::select(vec!["a", "c", "d"]),
        any::<bool>(),
        prop::collection::vec(fate, 0..=2),
        prop::bool::weighted(0.2),
    );
    parts.prop_map(|(publisher, second_token, entries, unlinked)| Subject {
        publisher,
        second_token,
        entries,
        unlinked,
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        Just(Wish::PermitAnother),
        Just(Wish::PermitOver),
        Just(Wish::PermitTakenBack),
        Just(Wish::PermitOtherClass),
        Just(Wish::PermitDepartment),
        Just(Wish::Forbid),
        (0..3_u64).prop_map(Wish::ForbidOne),
    ]
}

/// How it is asked.
fn asked() -> impl Strategy<Value = SearchQuery> {
    let imaging = prop::sample::select(vec![BTreeSet::new(), BTreeSet::from([DocumentClass::Imaging])]);
    let parts = (imaging, any::<bool>(), 0..150_u64, 1..=256_u32, any::<bool>());
    parts.prop_map(|(classes, superseded, from_seq, count, treating)| {
        let mut asked = query(ASKER, &[]);
        asked.asker.treating = treating;
        SearchQuery { classes, superseded, from_seq, count, ..asked }
    })
}

fn fill(rig: &mut Rig, subjects: &[Subject]) {
    for (of, number) in subjects.iter().zip(0..) {
        let mut chain = Chain::new(of.publisher, number);
        let second = of.second_token.then(|| token(100 + number));
        let tokens: Vec<Token> = [token(KNOWN)].into_iter().chain(second).collect();
        rig.state(&mut chain, &tokens);
        for (fate, entry) in of.entries.iter().zip(10 * number..) {
            rig.publish(&mut chain, entry);
            match fate {
                Fate::Stands => {}
                Fate::Withdrawn => drop(rig.withdraw(&mut chain, entry)),
                Fate::Replaced => drop(rig.publish_with(&mut chain, 1_000 + entry, Some(entry), |_| {})),
            }
        }
        if of.unlinked {
            rig.state(&mut chain, &[]);
        }
    }
}

fn say(rig: &mut Rig, wish: Wish, number: u64) {
    let patient = token(KNOWN);
    let own = permit(number, patient, ASKER);
    let directive: Directive = match wish {
        Wish::PermitAnother => permit(number, patient, "e"),
        Wish::PermitOver => Directive { valid_until: Some(at(-1)), ..own },
        Wish::PermitTakenBack => own,
        Wish::PermitOtherClass => {
            let mut directive = own;
            directive.what.classes = BTreeSet::from([DocumentClass::Imaging]);
            directive
        }
        Wish::PermitDepartment => {
            let mut directive = own;
            directive.grantee.department = Some(crate::rig::code("eyes"));
            directive
        }
        Wish::Forbid => forbid(number, patient),
        Wish::ForbidOne(entry) => {
            let mut directive = forbid(number, patient);
            directive.what.entries = BTreeSet::from([entry_id(entry)]);
            directive
        }
    };
    // What is refused was said all the same.
    let submission = rig.directive("portal", &directive);
    rig.submit(submission).ok();
    if matches!(wish, Wish::PermitTakenBack) {
        rig.try_revoke("portal", &revocation(number, patient)).ok();
    }
}

/// All that a search shows to who asks, or to who watches the registry work.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    payload: SearchAnswer,
    payload_bytes: usize,
    envelope_bytes: usize,
    /// Keys of each round.
    work: Vec<usize>,
    words: Vec<Kind>,
    records: usize,
}

fn shown(rig: &mut Rig, asked: &SearchQuery, patients: &[u64]) -> Shown {
    rig.now = rig.now + Millis::new(1);
    let (words, records) = (rig.words().len(), rig.journal().len());
    let mut patients: Vec<Token> = patients.iter().map(|patient| token(*patient)).collect();
    patients.sort_unstable();
    let found = rig.search(&SearchQuery { patients, ..asked.clone() });
    let work = rig.loads.iter().map(|(keys, _)| *keys).collect();
    let envelope = rig.machine().answer(&found, b"a checkpoint");
    let envelope_bytes = envelope.as_bytes().len();
    let signed = Envelope::decode(envelope.as_bytes()).unwrap();
    let answer = Verified::<SearchAnswer>::check(signed, rig.directory(), Said::Now).unwrap();
    let query = crate::words::id(yiqiao_proto::id::Digest::new, 0);
    Shown {
        payload_bytes: answer.word().encode().len(),
        payload: SearchAnswer { query, ..answer.word().clone() },
        envelope_bytes,
        work,
        words: rig.kinds_after(words),
        records: rig.journal().len() - records,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn q5_whoever_may_see_nothing_learns_nothing_of_anybody(
        subjects in prop::collection::vec(subject(), 0..=2),
        wishes in prop::collection::vec(wish(), 0..=4),
        asked in asked(),
        together in any::<bool>(),
    ) {
        let mut rig = Rig::quick();
        for number in 0..100 {
            let said = yiqiao_proto::access::AccessEvent { documents: number, ..event("c", token(50)) };
            rig.take(yiqiao_registry_core::take::Submission::Event(rig.word("c", &said)));
        }
        fill(&mut rig, &subjects);
        for (wish, number) in wishes.iter().zip(1..) {
            say(&mut rig, *wish, number);
        }
        let (known, unknown) = if together { (&[KNOWN, 3][..], &[UNKNOWN, 3][..]) } else { (&[KNOWN][..], &[UNKNOWN][..]) };
        let (known, unknown) = (shown(&mut rig, &asked, known), shown(&mut rig, &asked, unknown));
        prop_assert!(known.payload.entries.is_empty());
        prop_assert_eq!(known, unknown);
    }
}
