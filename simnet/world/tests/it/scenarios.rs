//! Every scenario that is written down holds, here in a quarter of its time; those of bugs that were repaired as they are.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use yiqiao_node_core::limits::INVENTORY_EVERY;
use yiqiao_proto::time::Millis;
use yiqiao_simworld::plant::Plant;
use yiqiao_simworld::run::{Report, Wrong, run};
use yiqiao_simworld::scenario::Scenario;
use yiqiao_simworld::setup::{Attack, Attacked, Rates, Setup};

/// How many times shorter.
const SHORTER: u64 = 4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

pub(crate) fn written(name: &str) -> Setup {
    let text = fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
    Scenario::read(&text).unwrap().setup().unwrap()
}

fn holds(name: &str, setup: &Setup) -> Report {
    let report = run(setup, None).unwrap();
    assert_eq!(report.violation, None, "{name}: {report:#?}");
    report
}

fn shortly(name: &str) -> Report {
    shorter(name, written(name))
}

fn shorter(name: &str, mut setup: Setup) -> Report {
    setup.minutes /= SHORTER;
    setup.patients /= 2;
    for happens in &mut setup.script {
        happens.minute /= SHORTER;
        happens.minutes = happens.minutes.div_ceil(SHORTER);
    }
    holds(name, &setup)
}

#[test]
fn a_normal_day_holds() {
    let report = shortly("normal-day");
    assert_eq!(report.crashes, 0);
    assert!(report.counts.messages > 0 && report.counts.searches > 0, "{report:?}");
}

#[test]
fn a_morning_peak_holds() {
    shortly("morning-peak");
}

#[test]
fn a_hundredth_of_a_province_holds() {
    let setup = written("province");
    let Setup { hospitals, patients, minutes, .. } = setup;
    let report = holds(
        "province",
        &Setup { hospitals: hospitals / 100, patients: patients / 100, minutes: minutes / 24, ..setup },
    );
    assert!(report.counts.messages > 200 && report.counts.searches > 0, "{report:?}");
}

#[test]
fn a_registry_that_is_away_for_an_hour_is_waited_for() {
    assert_eq!(shortly("registry-away").crashes, 1);
}

#[test]
fn a_region_that_was_split_in_two_is_one_again() {
    shortly("region-split");
}

#[test]
fn e5_e6_a_hostile_hospital_gets_and_changes_nothing_of_others() {
    shortly("hostile-hospital");
}

#[test]
fn l11_a_hostile_registry_is_not_believed() {
    shortly("hostile-registry");
}

#[test]
fn l11_l13_f3_whoever_has_the_registrys_keys_opens_nothing_and_cannot_keep_two_logs() {
    let mut found = Vec::new();
    for attack in [Attack::Fork, Attack::Stale, Attack::Rewind, Attack::Omit, Attack::Bend] {
        let mut setup = written("lying-registry");
        setup.rates = Some(Rates { hostile: Attacked::Registry(attack), ..Rates::CALM });
        let report = shorter("lying-registry", setup);
        assert!(report.counts.searches > 0, "{attack:?}: {report:?}");
        found.push((attack, report.measured.contradictions > 0));
    }
    let expected = [
        (Attack::Fork, true),
        (Attack::Stale, false),
        (Attack::Rewind, true),
        (Attack::Omit, false),
        (Attack::Bend, true),
    ];
    assert_eq!(found, expected);
}

#[test]
fn l16_l17_who_leaves_out_what_was_acknowledged_is_alarmed_within_two_comparisons() {
    let mut setup = written("lying-registry");
    setup.rates = Some(Rates { hostile: Attacked::Registry(Attack::Omit), ..Rates::CALM });
    setup.minutes = 25;
    let report = holds("lying-registry", &setup);
    let within = Millis::new(2 * INVENTORY_EVERY.get());
    assert!(report.measured.omissions > 0, "{report:?}");
    assert!(report.measured.alarmed.is_some_and(|alarmed| alarmed < within), "{report:?}");
}

#[test]
fn f5_an_older_objection_is_known_to_who_first_has_something_of_its_patient() {
    let report = holds("older-objection", &written("older-objection"));
    assert!(report.counts.consents > 0 && report.counts.opened > 0, "{report:?}");
}

#[test]
fn d8_d11_c14_emergencies_and_passkeys_hold() {
    let report = holds("emergencies", &written("emergencies"));
    let counts = report.counts;
    assert!(counts.emergencies > 0 && counts.judged > 0 && counts.signed > 0, "{report:?}");
}

#[test]
fn f8_l10_a_registry_that_was_succeeded_does_nothing_more() {
    let report = shortly("registry-succeeded");
    assert!(report.counts.opened > 0, "{report:?}");
}

#[test]
fn c6_a_mass_revocation_holds() {
    assert!(shortly("mass-revocation").counts.revocations > 0);
}

#[test]
fn f7_a_holder_that_hears_nothing_lets_go_for_a_lease_at_most() {
    let report = holds("deaf-holder", &written("deaf-holder"));
    assert!(report.measured.late.count() > 0, "{report:?}");
}

#[test]
fn m7_a_member_that_does_not_hear_that_it_is_suspended_gets_nothing() {
    let report = holds("suspended-unheard", &written("suspended-unheard"));
    assert!(report.counts.wanted > 0 && report.counts.opened > 0, "{report:?}");
}

/// The trace of a scenario that holds.
fn trace_of(name: &str) -> String {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let report = run(&written(name), Some(Box::new(trace.reopen().unwrap()))).unwrap();
    assert_eq!(report.violation, None, "{report:#?}");
    fs::read_to_string(trace.path()).unwrap()
}

#[test]
fn z5_a_document_goes_on_with_the_chunks_that_a_crash_has_left() {
    let trace = trace_of("torn-documents");
    assert!(trace.lines().any(|line| line.contains(" goes on after a crash: ")), "{trace}");
}

#[test]
fn p6_documents_of_several_ranges_come_and_are_stopped_by_revocations() {
    let trace = trace_of("long-documents");
    let has = |what: &str| trace.lines().any(|line| line.contains(what));
    assert!(
        has(" pull ") && trace.lines().any(|line| line.ends_with(" 16 16")),
        "a second range is asked for"
    );
    assert!(has("Stopped P-6"), "a range is refused after it was permitted");
}

#[test]
fn i3_two_whom_a_register_merges_wrongly_stay_two() {
    let report = holds("wrong-merge", &written("wrong-merge"));
    assert!(report.counts.mistakes > 0 && report.counts.opened > 0, "{report:?}");
}

#[test]
fn i4_n7_a_visit_under_a_relatives_card_is_the_cards_until_it_is_mended() {
    let report = holds("borrowed-card", &written("borrowed-card"));
    assert!(report.counts.mended > 0 && report.counts.opened > 0, "{report:?}");
}

#[test]
fn m4_m6_what_was_said_under_a_key_in_other_hands_counts_no_more() {
    let report = holds("key-compromise", &written("key-compromise"));
    assert!(report.counts.consents > 0 && report.counts.searches > 0, "{report:?}");
}

#[test]
fn m4_m5_keys_that_follow_each_other_hold() {
    shortly("key-rotation");
}

#[test]
fn l8_failing_disks_lose_nothing() {
    assert!(shortly("disk-failures").crashes > 2);
}

/// The bugs that were repaired: what was wrong, planted anew, and what is found.
const REPAIRED: [(&str, Plant, Wrong); 6] = [
    ("list-while-words-are-under-way", Plant::SentTwice, Wrong::HandedInAgain),
    ("taken-back-here", Plant::TakenBackLost, Wrong::LetGo),
    ("rotten-copy", Plant::RotUnknown, Wrong::NotStarting),
    ("found-in-a-log-gone-back", Plant::TreeTrusted, Wrong::TreeSmaller),
    ("retired-unheard", Plant::NumberBelieved, Wrong::OfOther),
    ("place-that-stays", Plant::PlaceKept, Wrong::Unfinished),
];

#[test]
fn what_was_a_bug_once_holds_and_fails_with_the_fault_of_then() {
    for (name, plant, wrong) in REPAIRED {
        let world = written(&format!("repaired/{name}"));
        holds(name, &world);
        let failed = run(&Setup { plant: Some(plant), ..world }, None).unwrap().violation;
        assert!(failed.as_ref().is_some_and(|it| it.wrong == wrong), "{name}: {failed:?}");
    }
    let files = fs::read_dir(folder().join("repaired")).unwrap();
    assert_eq!(files.count(), REPAIRED.len(), "each has its fault");
}
