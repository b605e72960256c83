//! Figures of quality that members tell of their systems.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use yiqiao_proto::calls::{Method, QualityNotice};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::quality::{Aspect, Figures};
use yiqiao_proto::wire::calls::QualityFigure;
use yiqiao_registry_core::door::Asked;
use yiqiao_registry_core::limits::{QUALITY_DAYS, QUALITY_TIMES_MAX};
use yiqiao_registry_core::machine::Outcome;
use yiqiao_registry_core::quality;
use yiqiao_registry_core::state::Table;
use yiqiao_registry_core::take::day_of;

use crate::calls::{Call, call};
use crate::rig::{Rig, code};

fn figures(by: &'static str, day: u32, broken: u64) -> Call {
    let figure = QualityFigure { system: "his".to_owned(), aspect: 1, looked: 10, broken };
    call(by, Method::Quality, &QualityNotice { day, figures: vec![figure] })
}

fn tell(rig: &mut Rig, call: &Call) -> Option<(RefusalCode, &'static str)> {
    let Asked::Machine(input) = rig.read(call).unwrap() else { panic!("{call:?}") };
    match rig.handle(&input) {
        Ok(outcome) => {
            assert!(matches!(outcome, Outcome::Heard));
            None
        }
        Err(refused) => Some((refused.code, refused.clause)),
    }
}

/// All that is kept: whose, of which day, and how much is broken.
fn kept(rig: &Rig) -> Vec<(String, u32, u64)> {
    let read = |key: Vec<u8>| {
        let (member, Figures { day, checked }) = quality::shown(rig.value(&key)).unwrap();
        (member.to_string(), day, checked[&(code("his"), Aspect::Completeness)].broken)
    };
    rig.keys_of(Table::Quality).into_iter().map(read).collect()
}

#[test]
fn y3_what_a_member_tells_of_a_day_takes_the_place_of_what_it_told_before() {
    let mut rig = Rig::new();
    let (today, before) = (day_of(rig.now), rig.journal().len());
    for (day, broken) in [(today, 1), (today, 1), (today, 4), (today + 1, 2), (today - 1, 3)] {
        assert_eq!(tell(&mut rig, &figures("a", day, broken)), None);
    }
    assert_eq!(tell(&mut rig, &figures("b", today, 9)), None);
    let mut all = kept(&rig);
    all.sort();
    let of_a =
        [(today - 1, 3), (today, 4), (today + 1, 2)].map(|(day, broken)| ("a".to_owned(), day, broken));
    assert_eq!(all, [of_a.to_vec(), vec![("b".to_owned(), today, 9)]].concat());
    assert_eq!(rig.journal().len() - before, 5, "the same again is kept once");
    rig.assert_rebuilt();
}

#[test]
fn y3_a_day_that_no_clock_has_now_is_refused() {
    let mut rig = Rig::new();
    let today = day_of(rig.now);
    for day in [today + 2, today + 1 - QUALITY_DAYS, 0, u32::MAX] {
        assert_eq!(tell(&mut rig, &figures("a", day, 1)), Some((RefusalCode::Malformed, "Y-3")), "{day}");
    }
    assert_eq!(kept(&rig), []);
}

#[test]
fn y3_a_member_tells_of_one_day_only_so_often() {
    let mut rig = Rig::new();
    let today = day_of(rig.now);
    for time in 0..u64::from(QUALITY_TIMES_MAX) {
        assert_eq!(tell(&mut rig, &figures("a", today, time % 2)), None);
    }
    let more = figures("a", today, u64::from(QUALITY_TIMES_MAX) % 2);
    assert_eq!(tell(&mut rig, &more), Some((RefusalCode::OverLimit, "Y-3")));
    assert_eq!(tell(&mut rig, &figures("a", today, 1)), None, "what stands is no more");
    assert_eq!(tell(&mut rig, &figures("b", today, 1)), None, "another member");
    assert_eq!(tell(&mut rig, &figures("a", today + 1, 1)), None, "another day");
    rig.assert_rebuilt();
}

#[test]
fn y3_what_is_no_figures_does_not_reach_the_machine() {
    let rig = Rig::new();
    assert_eq!(rig.turns_away(&figures("a", 1, 11)), (RefusalCode::Malformed, "Y-3"));
    let unknown = QualityFigure { system: "his".to_owned(), aspect: 9, looked: 1, broken: 0 };
    let notice = QualityNotice { day: 1, figures: vec![unknown] };
    assert_eq!(rig.turns_away(&call("a", Method::Quality, &notice)), (RefusalCode::Malformed, "Y-3"));
}
