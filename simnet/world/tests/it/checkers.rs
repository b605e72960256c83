//! Each checker fires on the fault that it is for, planted into a driver; the same world without it holds (see the sweep).

use yiqiao_simworld::plant::Plant;
use yiqiao_simworld::run::run;
use yiqiao_simworld::setup::{Attacked, Rates, Setup};

/// How many seeds are tried.
const SEEDS: u64 = 12;

/// Some world of the first seeds from this one on shows the fault, and what is said of it names it.
fn fires(plant: Plant, from: u64, minutes: u64, said: &str) {
    fires_in(|seed| Setup { plant: Some(plant), minutes, ..Setup::small(seed) }, from, said);
}

fn fires_in(world: impl Fn(u64) -> Setup, from: u64, said: &str) {
    let fires = (from..from + SEEDS).any(|seed| {
        let setup = world(seed);
        let report = run(&setup, None).expect("a small world is within bounds");
        report.violation.is_some_and(|violation| violation.what.contains(said))
    });
    assert!(fires, "it is never said: {said}");
}

#[test]
fn a_message_that_is_acknowledged_before_it_is_durable_is_lost() {
    fires(Plant::AckEarly, 1, 10, "lost");
}

#[test]
fn a_message_that_is_acknowledged_and_forgotten_is_lost() {
    fires(Plant::AckOnly, 1, 2, "kept: lost");
}

#[test]
fn a_message_that_is_taken_under_two_names_is_doubled() {
    fires(Plant::KeptTwice, 1, 2, "kept: doubled");
}

#[test]
fn f6_a_holder_whose_clock_stands_lets_go_what_was_revoked() {
    fires(Plant::ClockStands, 36, 60, "not permitted within");
}

#[test]
fn l5_a_receipt_before_its_word_is_durable_is_found_out() {
    fires(Plant::ReceiptEarly, 1, 10, "stand in the log: lost");
}

#[test]
fn a_forgotten_effect_leaves_a_queue_that_never_empties() {
    fires(Plant::EffectLost, 1, 5, "has not handed in everything");
}

#[test]
fn n8_a_name_that_goes_to_the_registry_is_seen() {
    fires(Plant::NameTold, 1, 2, "a name or number of a patient");
}

#[test]
fn r4_a_step_that_is_taken_in_and_forgotten_leaves_two_states() {
    fires(Plant::StepLost, 1, 5, "a referral");
}

#[test]
fn q2_an_entry_that_is_left_out_of_a_search_is_missed() {
    fires(Plant::EntryLeftOut, 1, 5, "a search lacks 1 entries");
}

#[test]
fn n2_a_word_that_is_handed_in_twice_at_once_is_seen() {
    fires(Plant::SentTwice, 1, 2, "while a call for it is under way");
}

#[test]
fn l7_a_receipt_that_is_kept_with_another_word_is_found() {
    fires(Plant::ReceiptsSwapped, 1, 5, "stands at another word");
}

#[test]
fn p6_a_range_that_goes_to_another_than_the_recipient_is_seen() {
    let rates = Rates { hostile: Attacked::Hospital(1), ..Rates::CALM };
    let world =
        |seed| Setup { plant: Some(Plant::AnyAsker), minutes: 20, rates: Some(rates), ..Setup::small(seed) };
    fires_in(world, 1, "served to another");
}
