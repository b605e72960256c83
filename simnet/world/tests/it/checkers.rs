//! Each checker fires on the fault that it is for, planted into a driver; the same world without it holds (see the sweep).

use yiqiao_simworld::plant::Plant;
use yiqiao_simworld::run::run;
use yiqiao_simworld::setup::{Attack, Attacked, Happening, Rates, Scripted, Setup};

use crate::scenarios::written;

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

/// The world of a scenario shows the fault under each of two seeds, and holds without it under another.
fn fires_always(scenario: &str, plant: Plant, said: &str) {
    let violation = |plant, seed| {
        let world = Setup { plant, ..written(scenario).of_seed(seed) };
        run(&world, None).expect("a scenario is within bounds").violation
    };
    for seed in 1..=2 {
        let planted = violation(Some(plant), seed);
        assert!(planted.as_ref().is_some_and(|it| it.what.contains(said)), "seed {seed}: {planted:?}");
    }
    assert_eq!(violation(None, 3), None, "seed 3");
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
fn what_a_desk_was_told_that_it_was_kept_and_was_not_is_lost() {
    fires(Plant::SaidOnly, 1, 5, "what was said at a desk is not kept: lost");
}

#[test]
fn f6_a_holder_whose_clock_stands_lets_go_what_was_revoked() {
    fires_always("deaf-holder", Plant::ClockStands, "not permitted within");
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
fn r5_a_step_that_an_office_was_told_of_and_that_was_not_kept_is_lost() {
    fires(Plant::StepOnly, 1, 10, "a step that its office was told of is lost");
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
fn a1_a_denial_that_no_line_of_the_audit_has_is_missed() {
    fires(Plant::DeniedUnwritten, 1, 15, "a release or a denial is not in the audit");
}

#[test]
fn a1_a_release_or_denial_that_is_not_in_the_patients_log_is_missed() {
    fires(Plant::EventDropped, 1, 15, "is not in the log of its patient");
}

#[test]
fn a1_an_event_that_did_not_happen_is_found_in_the_log() {
    fires(Plant::EventInvented, 1, 10, "an event that did not happen");
}

#[test]
fn a4_an_event_that_a_patient_is_not_shown_is_missed() {
    fires(Plant::EventLeftOut, 1, 5, "is left out of what a patient reads");
}

#[test]
fn p4_a_denial_that_tells_what_is_there_is_seen() {
    fires(Plant::DenialTells, 1, 45, "one denial differs from another");
}

#[test]
fn q5_a_search_that_tells_whom_somebody_knows_is_seen() {
    fires(Plant::SearchTells, 1, 20, "answered in another way than others");
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
    fires_in(world, 1, "times within an hour");
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
    fires_in(world, 1, "times within an hour");
}

#[test]
fn calls_that_are_never_forgotten_are_more_than_may_be_held() {
    fires(Plant::CallsKept, 1, 20, "more is held than may be: calls of the process");
}

#[test]
fn what_a_machine_holds_of_strangers_is_more_than_may_be_held() {
    fires(Plant::StrangersMet, 1, 2, "more is held than may be: members that were compared with");
}

#[test]
fn a_table_of_the_registry_that_grows_with_requests_is_found() {
    fires(Plant::QuotasAnew, 1, 2, "the registry keeps more than may be: Held { what: \"quotas\"");
}

#[test]
fn a_table_that_grows_with_requests_is_found() {
    fires(Plant::CountedAnew, 1, 30, "more is kept than may be: Held { what: \"counts of what members ask\"");
}

#[test]
fn a_place_of_a_queue_that_stands_for_good_is_found() {
    fires(Plant::PlaceKept, 1, 2, "a place of a queue");
}

#[test]
fn z3_a_document_that_is_sealed_twice_is_found() {
    fires(Plant::SealedTwice, 1, 5, "a document was sealed twice");
}

#[test]
fn a_sweep_that_takes_what_is_in_use_is_found() {
    fires(Plant::SweptBlindly, 1, 10, "in the vault");
}

#[test]
fn i3_two_who_are_wrongly_taken_for_one_are_found_out() {
    fires_always("wrong-merge", Plant::MergeBelieved, "under what another person has permitted");
}

#[test]
fn n7_a_document_that_a_desk_took_out_and_that_stays_is_found() {
    fires_always("borrowed-card", Plant::WithdrawnOnly, "that its desk has taken out is still there");
}

#[test]
fn i3_a_document_that_was_moved_to_the_wrong_person_is_found() {
    let world = |seed| Setup { plant: Some(Plant::FiledBefore), ..written("borrowed-card").of_seed(seed) };
    fires_in(world, 1, "that was moved is not with the right person");
}

#[test]
fn p1_whoever_asks_about_two_patients_under_one_name_is_seen() {
    fires(Plant::OneName, 1, 5, "about two patients under one name");
}

#[test]
fn m6_who_counts_entries_of_a_compromised_key_is_seen() {
    let world = |seed| Setup { plant: Some(Plant::LeftIn), ..written("key-compromise").of_seed(seed) };
    fires_in(world, 1, "too many");
}

#[test]
fn m6_f7_who_lets_go_by_a_permit_of_a_compromised_key_is_seen() {
    let world = |seed| Setup { plant: Some(Plant::ListUnread), ..written("key-compromise").of_seed(seed) };
    fires_in(world, 12, "not permitted within");
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
    fires_in(world, 1, "is opened that was not permitted within");
}

#[test]
fn p6_a_range_that_goes_to_another_than_the_recipient_is_seen() {
    let rates = Rates { hostile: Attacked::Hospital(1), ..Rates::CALM };
    let world =
        |seed| Setup { plant: Some(Plant::AnyAsker), minutes: 20, rates: Some(rates), ..Setup::small(seed) };
    fires_in(world, 1, "served to another");
}

#[test]
fn m7_f7_a_holder_that_takes_no_lists_lets_go_to_a_suspended_member() {
    fires_always("suspended-unheard", Plant::ListUnread, "by or to a suspended member");
}

#[test]
fn f6_a_holder_that_keeps_a_lease_when_it_has_ended_is_seen() {
    let world = |seed| Setup {
        plant: Some(Plant::LeaseKept),
        minutes: 30,
        rates: Some(Rates::CALM),
        ..Setup::small(seed)
    };
    fires_in(world, 1, "under a lease that has ended");
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
    fires_in(world, 1, "in a term that is over");
}

fn lied_to(seed: u64, plant: Plant, attack: Attack) -> Setup {
    let rates = Rates { hostile: Attacked::Registry(attack), ..Rates::CALM };
    Setup { plant: Some(plant), minutes: 30, rates: Some(rates), ..Setup::small(seed) }
}

#[test]
fn l11_who_takes_answers_of_a_log_that_has_gone_back_is_seen() {
    fires_in(|seed| lied_to(seed, Plant::TreeTrusted, Attack::Rewind), 1, "at a smaller tree");
}

#[test]
fn f3_who_steps_over_a_hole_in_a_feed_is_seen() {
    fires_in(|seed| lied_to(seed, Plant::HoleStepped, Attack::Bend), 1, "that does not follow");
}

#[test]
fn c9_c15_a_passkey_that_no_desk_has_seen_is_found_out() {
    fires(Plant::SelfEnrolled, 1, 60, "a passkey is stated that no desk has seen");
}

#[test]
fn c9_a_passkey_stated_by_who_may_vouch_for_none_is_seen() {
    fires(Plant::AllVouch, 1, 60, "a passkey is stated by who may vouch for none");
}

#[test]
fn d8_what_goes_in_an_emergency_that_nobody_has_declared_is_seen() {
    fires(Plant::GlassInvented, 1, 30, "an emergency is cited that nobody has declared");
}

#[test]
fn d11_an_emergency_that_is_not_in_the_log_is_missed() {
    fires(Plant::GlassUnsaid, 1, 30, "an emergency does not stand in the log");
}

#[test]
fn d11_a_patient_who_is_not_told_of_an_emergency_is_missed() {
    fires(Plant::GlassUntold, 1, 30, "was not told of an emergency");
}

#[test]
fn d11_an_emergency_that_nobody_is_to_judge_is_missed() {
    fires(Plant::GlassUnjudged, 1, 30, "is not shown to who is to judge it");
}

#[test]
fn d11_an_emergency_that_is_judged_by_who_declared_it_is_seen() {
    fires(Plant::GlassOwnVerdict, 1, 60, "an emergency was judged by who declared it");
}

#[test]
fn m10_an_emergency_in_a_region_that_wants_none_is_seen() {
    fires(Plant::GlassEverywhere, 1, 60, "an emergency is obeyed in a region that knows none");
}

#[test]
fn c9_what_a_patient_has_not_signed_is_found_out() {
    fires(Plant::SignedUnasked, 1, 60, "a patient has not signed what stands in the log as signed");
}

#[test]
fn a5_an_audit_that_is_not_the_one_of_the_log_is_found() {
    let world = |seed| Setup {
        plant: Some(Plant::AnchorElsewhere),
        minutes: 80,
        rates: Some(Rates::CALM),
        ..Setup::small(seed)
    };
    fires_in(world, 1, "the audit");
}

#[test]
fn p7_a_release_that_is_waited_for_although_it_was_delivered_is_seen() {
    fires(Plant::SingleKept, 1, 30, "than have no other half");
}

#[test]
fn f5_a_first_entry_whose_head_lacks_an_objection_is_seen() {
    fires_always("older-objection", Plant::HeadThinned, "is let go that was not permitted within");
}
