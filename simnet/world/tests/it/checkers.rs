//! Each checker fires on the fault that it is for, planted into a driver; the same world without it holds (see the sweep). Checkers that can be told what
//! happened without a world are tested where they stand.

use std::fs;
use std::path::{Path, PathBuf};

use yiqiao_simworld::plant::Plant;
use yiqiao_simworld::run::{Violation, Wrong, run};
use yiqiao_simworld::setup::{Attack, Attacked, Happening, Rates, Scripted, Setup};

use crate::scenarios::written;

/// How many seeds are tried.
const SEEDS: u64 = 12;

/// What is to be found wrong, and what is to be said of it.
struct Expected(Wrong, &'static str);

impl From<Wrong> for Expected {
    fn from(wrong: Wrong) -> Self {
        Self(wrong, "")
    }
}

impl From<(Wrong, &'static str)> for Expected {
    fn from((wrong, about): (Wrong, &'static str)) -> Self {
        Self(wrong, about)
    }
}

impl Expected {
    fn is(&self, violation: Option<&Violation>) -> bool {
        violation.is_some_and(|found| found.wrong == self.0 && found.what.contains(self.1))
    }
}

/// Some world of the first seeds from this one on shows the fault, and it is found by its name.
fn fires(plant: Plant, from: u64, minutes: u64, expected: impl Into<Expected>) {
    fires_in(|seed| Setup { plant: Some(plant), minutes, ..Setup::small(seed) }, from, expected);
}

fn fires_in(world: impl Fn(u64) -> Setup, from: u64, expected: impl Into<Expected>) {
    let expected = expected.into();
    let fires = (from..from + SEEDS).any(|seed| {
        let report = run(&world(seed), None).expect("a small world is within bounds");
        expected.is(report.violation.as_ref())
    });
    assert!(fires, "it is never found: {:?} {}", expected.0, expected.1);
}

/// The world of a scenario shows the fault under each of two seeds, in one of these ways, and holds without it under another.
fn fires_always(scenario: &str, plant: Plant, ways: &[Wrong]) {
    let violation = |plant, seed| {
        let world = Setup { plant, ..written(scenario).of_seed(seed) };
        run(&world, None).expect("a scenario is within bounds").violation
    };
    for seed in 1..=2 {
        let planted = violation(Some(plant), seed);
        let is_seen = planted.as_ref().is_some_and(|found| ways.contains(&found.wrong));
        assert!(is_seen, "seed {seed}: {planted:?}");
    }
    assert_eq!(violation(None, 3), None, "seed 3");
}

/// A world in which nothing breaks but what is written.
fn calm(seed: u64, minutes: u64, happens: &[(u64, Happening, u16, u64)]) -> Setup {
    let script = happens.iter().map(|(minute, what, who, minutes)| Scripted {
        minute: *minute,
        what: *what,
        who: *who,
        minutes: *minutes,
    });
    Setup { minutes, rates: Some(Rates::CALM), script: script.collect(), ..Setup::small(seed) }
}

#[test]
fn a_message_that_is_acknowledged_before_it_is_durable_is_lost() {
    fires(Plant::AckEarly, 1, 10, Wrong::MessageLost);
}

#[test]
fn a_message_that_is_acknowledged_and_forgotten_is_lost() {
    fires(Plant::AckOnly, 1, 2, Wrong::MessageLost);
}

#[test]
fn a_message_that_is_taken_under_two_names_is_doubled() {
    fires(Plant::KeptTwice, 1, 2, Wrong::MessageDoubled);
}

#[test]
fn what_a_desk_was_told_that_it_was_kept_and_was_not_is_lost() {
    fires(Plant::SaidOnly, 1, 5, Wrong::SaidLost);
}

#[test]
fn f6_a_holder_whose_clock_stands_lets_go_what_was_revoked() {
    fires_always("deaf-holder", Plant::ClockStands, &[Wrong::LetGo, Wrong::Opened]);
}

#[test]
fn l5_a_receipt_before_its_word_is_durable_is_found_out() {
    fires(Plant::ReceiptEarly, 1, 10, Wrong::WordsGone);
}

#[test]
fn a_forgotten_effect_leaves_a_queue_that_never_empties() {
    fires(Plant::EffectLost, 1, 5, Wrong::QueueLeft);
}

#[test]
fn n8_a_name_that_goes_to_the_registry_is_seen() {
    fires(Plant::NameTold, 1, 2, Wrong::NameTold);
}

#[test]
fn r4_a_send_that_is_taken_in_and_forgotten_is_not_known_to_the_other_side() {
    let world = |seed| Setup { plant: Some(Plant::StepLost), ..calm(seed, 10, &[]) };
    fires_in(world, 1, Wrong::ReferralUnknown);
}

#[test]
fn r5_a_step_that_an_office_was_told_of_and_that_was_not_kept_is_lost() {
    fires(Plant::StepOnly, 1, 10, Wrong::StepLost);
}

#[test]
fn q2_an_entry_that_is_left_out_of_a_search_is_missed() {
    fires(Plant::EntryLeftOut, 1, 5, Wrong::SearchAmiss);
}

#[test]
fn n2_a_word_that_is_handed_in_twice_at_once_is_seen() {
    fires(Plant::SentTwice, 1, 2, Wrong::HandedInAgain);
}

#[test]
fn l7_a_receipt_that_is_kept_with_another_word_is_found() {
    fires(Plant::ReceiptsSwapped, 1, 5, Wrong::DocumentElsewhere);
}

#[test]
fn a1_a_denial_that_no_line_of_the_audit_has_is_missed() {
    fires(Plant::DeniedUnwritten, 1, 15, Wrong::AuditLacks);
}

#[test]
fn a1_a_release_or_denial_that_is_not_in_the_patients_log_is_missed() {
    fires(Plant::EventDropped, 1, 15, Wrong::EventLacks);
}

#[test]
fn a1_an_event_that_did_not_happen_is_found_in_the_log() {
    fires(Plant::EventInvented, 1, 10, Wrong::EventInvented);
}

#[test]
fn a4_an_event_that_a_patient_is_not_shown_is_missed() {
    fires(Plant::EventLeftOut, 1, 5, Wrong::EventUnread);
}

#[test]
fn p4_a_denial_that_tells_what_is_there_is_seen() {
    fires(Plant::DenialTells, 1, 45, Wrong::DenialDiffers);
}

#[test]
fn q5_a_search_that_tells_whom_somebody_knows_is_seen() {
    fires(Plant::SearchTells, 1, 20, Wrong::EmptyAnswerDiffers);
}

#[test]
fn what_is_tried_again_without_a_wait_is_counted() {
    let script = vec![Scripted { minute: 2, what: Happening::Away, who: 0, minutes: 10 }];
    let world = |seed| Setup {
        plant: Some(Plant::TriedAtOnce),
        minutes: 13,
        rates: Some(Rates::CALM),
        script: script.clone(),
        ..Setup::small(seed)
    };
    fires_in(world, 1, Wrong::AskedAgain);
}

#[test]
fn a_range_that_is_asked_for_again_without_a_wait_is_counted() {
    let happens = |minute, what, who, minutes| Scripted { minute, what, who, minutes };
    let script = vec![
        happens(9, Happening::PermitAll, 0, 0),
        happens(10, Happening::LookAll, 0, 0),
        happens(12, Happening::Away, 0, 8),
        happens(12, Happening::PullAll, 0, 0),
    ];
    let world = |seed| Setup {
        plant: Some(Plant::PulledAtOnce),
        minutes: 21,
        rates: Some(Rates::CALM),
        script: script.clone(),
        ..Setup::small(seed)
    };
    fires_in(world, 1, Wrong::AskedAgain);
}

#[test]
fn calls_that_are_never_forgotten_are_more_than_may_be_held() {
    fires(Plant::CallsKept, 1, 20, (Wrong::TooMuchHeld, "calls of the process"));
}

#[test]
fn what_a_machine_holds_of_strangers_is_more_than_may_be_held() {
    fires(Plant::StrangersMet, 1, 2, (Wrong::TooMuchHeld, "members that were compared with"));
}

#[test]
fn a_table_of_the_registry_that_grows_with_requests_is_found() {
    fires(Plant::QuotasAnew, 1, 2, (Wrong::TooMuchKept, "quotas"));
}

#[test]
fn a_table_that_grows_with_requests_is_found() {
    fires(Plant::CountedAnew, 1, 30, (Wrong::TooMuchKept, "counts of what members ask"));
}

#[test]
fn a_place_of_a_queue_that_stands_for_good_is_found() {
    fires(Plant::PlaceKept, 1, 2, (Wrong::Unfinished, "a place of a queue"));
}

#[test]
fn what_is_never_come_back_to_is_found() {
    let happens = [
        (3, Happening::PermitAll, 0, 0),
        (4, Happening::LookAll, 0, 0),
        (5, Happening::PullAll, 0, 0),
        (6, Happening::AskAll, 0, 0),
    ];
    for (plant, left) in [
        (Plant::InputKept, "an input waits for a call"),
        (Plant::FetchKept, "a document is being fetched"),
        (Plant::RequestKept, "a request waits for the feed"),
        (Plant::RangeKept, "a range waits for a word"),
    ] {
        let world = |seed| Setup { plant: Some(plant), ..calm(seed, 7, &happens) };
        fires_in(world, 1, (Wrong::Unfinished, left));
    }
}

#[test]
fn z3_a_document_that_is_sealed_twice_is_found() {
    fires(Plant::SealedTwice, 1, 5, Wrong::SealedTwice);
}

#[test]
fn a_sweep_that_takes_what_is_in_use_is_found() {
    fires(Plant::SweptBlindly, 1, 10, Wrong::FileLost);
}

#[test]
fn i3_two_who_are_wrongly_taken_for_one_are_found_out() {
    fires_always("wrong-merge", Plant::MergeBelieved, &[Wrong::OfOther]);
}

#[test]
fn n7_a_document_that_a_desk_took_out_and_that_stays_is_found() {
    fires_always("borrowed-card", Plant::WithdrawnOnly, &[Wrong::TakenOutStays]);
}

#[test]
fn i3_a_document_that_was_moved_to_the_wrong_person_is_found() {
    let world = |seed| Setup { plant: Some(Plant::FiledBefore), ..written("borrowed-card").of_seed(seed) };
    fires_in(world, 1, Wrong::MovedAmiss);
}

#[test]
fn p1_whoever_asks_about_two_patients_under_one_name_is_seen() {
    fires(Plant::OneName, 1, 5, Wrong::OneName);
}

#[test]
fn m6_who_counts_entries_of_a_compromised_key_is_seen() {
    let world = |seed| Setup { plant: Some(Plant::LeftIn), ..written("key-compromise").of_seed(seed) };
    fires_in(world, 1, (Wrong::SearchAmiss, "too many"));
}

#[test]
fn m6_f7_who_lets_go_by_a_permit_of_a_compromised_key_is_seen() {
    let world = |seed| Setup { plant: Some(Plant::ListUnread), ..written("key-compromise").of_seed(seed) };
    fires_in(world, 12, Wrong::LetGo);
}

#[test]
fn f5_a_copy_that_is_opened_after_it_was_taken_back_is_seen() {
    let happens = |minute, what| Scripted { minute, what, who: 0, minutes: 0 };
    let script = vec![
        happens(9, Happening::PermitAll),
        happens(10, Happening::LookAll),
        happens(11, Happening::PullAll),
        happens(12, Happening::RevokeAll),
    ];
    let world = |seed| Setup {
        plant: Some(Plant::DeniedOpened),
        minutes: 16,
        rates: Some(Rates::CALM),
        script: script.clone(),
        ..Setup::small(seed)
    };
    fires_in(world, 1, Wrong::Opened);
}

#[test]
fn p6_a_range_that_goes_to_another_than_the_recipient_is_seen() {
    let rates = Rates { hostile: Attacked::Hospital(1), ..Rates::CALM };
    let world =
        |seed| Setup { plant: Some(Plant::AnyAsker), minutes: 20, rates: Some(rates), ..Setup::small(seed) };
    fires_in(world, 1, Wrong::ServedToOther);
}

#[test]
fn m7_f7_a_holder_that_takes_no_lists_lets_go_to_a_suspended_member() {
    fires_always("suspended-unheard", Plant::ListUnread, &[Wrong::Suspended]);
}

#[test]
fn f6_a_holder_that_keeps_a_lease_when_it_has_ended_is_seen() {
    let world = |seed| Setup {
        plant: Some(Plant::LeaseKept),
        minutes: 30,
        rates: Some(Rates::CALM),
        ..Setup::small(seed)
    };
    fires_in(world, 1, Wrong::LeaseEnded);
}

#[test]
fn f8_l10_a_registry_that_goes_on_after_it_was_succeeded_is_seen() {
    let succeeded = Scripted { minute: 4, what: Happening::Takeover, who: 1, minutes: 1 };
    let world = |seed| Setup {
        plant: Some(Plant::TermUnread),
        minutes: 10,
        rates: Some(Rates::CALM),
        script: vec![succeeded.clone()],
        ..Setup::small(seed)
    };
    fires_in(world, 1, Wrong::TermOver);
}

fn lied_to(seed: u64, plant: Plant, attack: Attack) -> Setup {
    let rates = Rates { hostile: Attacked::Registry(attack), ..Rates::CALM };
    Setup { plant: Some(plant), minutes: 30, rates: Some(rates), ..Setup::small(seed) }
}

#[test]
fn l11_who_takes_answers_of_a_log_that_has_gone_back_is_seen() {
    fires_in(|seed| lied_to(seed, Plant::TreeTrusted, Attack::Rewind), 1, Wrong::TreeSmaller);
}

#[test]
fn f3_who_steps_over_a_hole_in_a_feed_is_seen() {
    fires_in(|seed| lied_to(seed, Plant::HoleStepped, Attack::Bend), 1, Wrong::ItemAmiss);
}

#[test]
fn c9_c15_a_passkey_that_no_desk_has_seen_is_found_out() {
    fires(Plant::SelfEnrolled, 1, 60, Wrong::PasskeyUnseen);
}

#[test]
fn c9_a_passkey_stated_by_who_may_vouch_for_none_is_seen() {
    fires(Plant::AllVouch, 1, 60, Wrong::VoucherUnknown);
}

#[test]
fn d8_what_goes_in_an_emergency_that_nobody_has_declared_is_seen() {
    fires(Plant::GlassInvented, 1, 30, Wrong::GlassUndeclared);
}

#[test]
fn d11_an_emergency_that_is_not_in_the_log_is_missed() {
    fires(Plant::GlassUnsaid, 1, 30, Wrong::GlassUnsaid);
}

#[test]
fn d11_a_patient_who_is_not_told_of_an_emergency_is_missed() {
    fires(Plant::GlassUntold, 1, 30, Wrong::GlassUntold);
}

#[test]
fn d11_an_emergency_that_nobody_is_to_judge_is_missed() {
    fires(Plant::GlassUnjudged, 1, 30, Wrong::GlassUnshown);
}

#[test]
fn d11_an_emergency_that_is_judged_by_who_declared_it_is_seen() {
    fires(Plant::GlassOwnVerdict, 1, 60, Wrong::GlassOwnVerdict);
}

#[test]
fn m10_an_emergency_in_a_region_that_wants_none_is_seen() {
    fires(Plant::GlassEverywhere, 1, 60, Wrong::GlassUnwanted);
}

#[test]
fn c9_what_a_patient_has_not_signed_is_found_out() {
    fires(Plant::SignedUnasked, 1, 60, Wrong::Unsigned);
}

#[test]
fn a5_an_audit_that_is_not_the_one_of_the_log_is_found() {
    let world = |seed| Setup {
        plant: Some(Plant::AnchorElsewhere),
        hospitals: 2,
        patients: 1,
        more: false,
        ..calm(seed, 80, &[])
    };
    fires_in(world, 1, Wrong::AuditBroken);
}

#[test]
fn p7_a_release_that_is_waited_for_although_it_was_delivered_is_seen() {
    fires(Plant::SingleKept, 1, 30, Wrong::SinglesAmiss);
}

#[test]
fn f5_a_first_entry_whose_head_lacks_an_objection_is_seen() {
    fires_always("older-objection", Plant::HeadThinned, &[Wrong::LetGo]);
}

#[test]
fn c10_what_is_said_once_and_kept_twice_is_doubled() {
    fires(Plant::SaidTwice, 1, 5, Wrong::SaidTwice);
}

#[test]
fn d11_a_glass_that_is_broken_once_and_kept_twice_is_doubled() {
    fires(Plant::GlassTwice, 1, 30, Wrong::GlassTwice);
}

#[test]
fn a_document_of_which_a_sender_was_told_and_that_is_nowhere_is_lost() {
    fires(Plant::EntryInvented, 1, 1, Wrong::DocumentLost);
}

#[test]
fn l11_a_registry_that_shows_another_log_is_seen() {
    fires_in(|seed| Setup { plant: Some(Plant::TreeCut), ..calm(seed, 5, &[]) }, 1, Wrong::OtherLog);
}

#[test]
fn f3_a_feed_that_does_not_go_on_is_seen() {
    fires(Plant::FeedTorn, 1, 10, Wrong::FeedStopped);
}

#[test]
fn a_process_that_ends_by_itself_is_seen() {
    fires_in(|seed| Setup { plant: Some(Plant::EndsItself), ..calm(seed, 1, &[]) }, 1, Wrong::Ended);
}

#[test]
fn n5_a_subject_that_is_published_no_more_is_seen() {
    fires_in(
        |seed| Setup { plant: Some(Plant::EntryRefused), ..calm(seed, 1, &[]) },
        1,
        Wrong::PublishingStopped,
    );
}

#[test]
fn what_never_comes_to_rest_is_seen() {
    let away = |who| move |seed| calm(seed, 1, &[(0, Happening::Away, who, 60)]);
    fires_in(away(0), 1, Wrong::NotRunning);
    fires_in(away(1), 1, Wrong::StillWaiting);
    fires_in(|seed| calm(seed, 1, &[(0, Happening::Suspend, 1, 60)]), 1, Wrong::DeedsLeft);
}

#[test]
fn m2_a_list_of_which_somebody_never_hears_is_seen() {
    let world =
        |seed| Setup { plant: Some(Plant::ListUnread), ..calm(seed, 17, &[(16, Happening::List, 0, 0)]) };
    fires_in(world, 1, Wrong::ListUnknown);
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// What the tests of this package say: all of `tests`, and of `src` what stands below `#[cfg(test)]`.
fn tests_of_package() -> String {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: PathBuf| fs::read_to_string(path).expect("it can be read");
    let own = sources(&package.join("src")).into_iter().map(read);
    let own = own.filter_map(|text| text.split_once("\nmod tests {").map(|(_, tests)| tests.to_owned()));
    own.chain(sources(&package.join("tests")).into_iter().map(read)).collect()
}

#[test]
fn all_that_can_be_found_wrong_is_found_by_some_test_and_every_plant_is_planted() {
    let tests = tests_of_package();
    let words: std::collections::BTreeSet<&str> =
        tests.split(|letter: char| !letter.is_alphanumeric() && letter != ':').collect();
    let unseen = |wrong: &&Wrong| !words.contains(format!("Wrong::{wrong:?}").as_str());
    assert_eq!(Wrong::ALL.iter().find(unseen), None, "no test shows that it is found");
    let unplanted = |plant: &Plant| !words.contains(format!("Plant::{plant:?}").as_str());
    assert_eq!(Plant::ALL.into_iter().find(unplanted), None, "no test plants it");
}

/// The rows of the table of checkers: what must hold, and the names of what shows that it is looked for.
fn rows_of_checkers() -> Vec<(String, Vec<String>)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/simulation.md");
    let docs = fs::read_to_string(docs).expect("it can be read");
    let (_, table) = docs.split_once("| what must hold |").expect("there is a table of checkers");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| "));
    let row = |row: &str| {
        let (held, shown) = row.trim_end_matches(" |").rsplit_once(" | ").expect("it has two cells");
        let names = shown.split('`').skip(1).step_by(2).map(str::to_owned);
        (held.to_owned(), names.collect())
    };
    rows.map(row).collect()
}

#[test]
fn each_row_of_the_table_of_checkers_names_plants_and_tests_that_there_are() {
    let (tests, rows) = (tests_of_package(), rows_of_checkers());
    let is_plant = |name: &str| name.parse::<Plant>().is_ok();
    for (held, names) in &rows {
        let by = |name: &String| is_plant(name) || tests.contains(&format!("fn {name}() {{"));
        assert!(names.iter().any(by), "nothing shows it: {held}");
        let unknown = names.iter().find(|name| !by(name) && *name != "omit");
        assert_eq!(unknown, None, "neither a plant nor a test: {held}");
    }
    assert!(rows.len() > 30, "the table is read whole");
}
