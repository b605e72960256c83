//! Token evaluations (T-5).

use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::time::Millis;
use yiqiao_registry_core::machine::{Input, Outcome};

use crate::rig::{Rig, at, code};

const DAY: i64 = 24 * 3600 * 1000;

/// Whether so many elements may be evaluated; the rig's policy has 100 a day, and 50 once.
fn evaluates(rig: &mut Rig, member: &str, elements: u64) -> bool {
    let (records, words) = (rig.journal().len(), rig.words().len());
    let outcome = rig.handle(&Input::Evaluate { member: code(member), elements });
    assert_eq!(rig.words().len(), words, "no word is kept of it");
    match outcome {
        Ok(outcome) => {
            assert!(matches!(outcome, Outcome::Evaluate));
            assert_eq!(rig.journal().len(), records + 1);
            true
        }
        Err(refused) => {
            assert_eq!((refused.code, refused.clause), (RefusalCode::OverLimit, "T-5"));
            assert_eq!(rig.journal().len(), records);
            false
        }
    }
}

#[test]
fn t5_a_day_has_its_allowance_and_the_backfill_budget_is_there_once() {
    let mut rig = Rig::new();
    assert!(evaluates(&mut rig, "a", 60));
    assert!(!evaluates(&mut rig, "a", 91), "40 of the day and 50 of the budget are left");
    assert!(evaluates(&mut rig, "a", 70));
    assert!(evaluates(&mut rig, "a", 20));
    assert!(!evaluates(&mut rig, "a", 1));
    assert!(evaluates(&mut rig, "b", 150), "each member has its own");
    rig.now = at(DAY);
    assert!(!evaluates(&mut rig, "a", 101));
    assert!(evaluates(&mut rig, "a", 100));
    assert!(!evaluates(&mut rig, "a", 1));
}

#[test]
fn t5_a_day_begins_at_midnight_utc() {
    let mut rig = Rig::new();
    let into_day = at(0).unix_ms().rem_euclid(DAY);
    rig.now = at(DAY - into_day - 1);
    assert!(evaluates(&mut rig, "a", 150));
    assert!(!evaluates(&mut rig, "a", 1));
    rig.now = at(DAY - into_day);
    assert!(evaluates(&mut rig, "a", 100));
}

#[test]
fn t5_h2_a_refusal_says_how_long_it_is_to_midnight_if_that_helps() {
    let mut rig = Rig::new();
    let into_day = at(0).unix_ms().rem_euclid(DAY);
    rig.now = at(DAY - into_day - 90_000);
    assert!(evaluates(&mut rig, "a", 140));
    let mut wait = |elements| {
        let refused = rig.handle(&Input::Evaluate { member: code("a"), elements }).unwrap_err();
        refused.retry_after
    };
    // 10 of the budget are left, and 100 come with the next day.
    assert_eq!(wait(11), Some(Millis::new(90_000)));
    assert_eq!(wait(110), Some(Millis::new(90_000)));
    assert_eq!(wait(111), None, "of more than that there is never enough");
}

#[test]
fn t5_no_number_of_elements_overflows() {
    let mut rig = Rig::new();
    assert!(!evaluates(&mut rig, "a", u64::MAX));
    rig.next_list(|list| {
        list.policy.evaluations_per_day = u64::MAX;
        list.policy.evaluations_backfill = u64::MAX;
    });
    assert!(evaluates(&mut rig, "a", u64::MAX));
    assert!(evaluates(&mut rig, "a", u64::MAX));
    assert!(!evaluates(&mut rig, "a", 1));
}

#[test]
fn t5_what_was_counted_under_an_earlier_policy_stays_counted() {
    let mut rig = Rig::new();
    assert!(evaluates(&mut rig, "a", 140));
    rig.next_list(|list| list.policy.evaluations_per_day = 1_000);
    // 900 of the day are left, and 10 of the budget.
    assert!(!evaluates(&mut rig, "a", 911));
    assert!(evaluates(&mut rig, "a", 100));
    // Made again under the new policy, the index is the same.
    rig.assert_rebuilt();
    assert!(evaluates(&mut rig, "a", 810));
}
