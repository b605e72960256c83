//! What a failing run is reduced to: the same goes wrong, and what it does not need is left out.

use yiqiao_simworld::plant::Plant;
use yiqiao_simworld::reduce::reduce;
use yiqiao_simworld::run::{Wrong, run};
use yiqiao_simworld::setup::{Happening, Rates, Scripted, Setup};

/// The registry is away, and a planted fault asks it again and again; before and after that other things happen.
fn busy() -> Setup {
    let happens = |minute, what, who, minutes| Scripted { minute, what, who, minutes };
    let script = vec![
        happens(1, Happening::List, 0, 0),
        happens(1, Happening::Slow, 2, 1),
        happens(2, Happening::Away, 0, 10),
        happens(3, Happening::Away, 3, 1),
        happens(4, Happening::RevokeAll, 0, 0),
    ];
    let rates = Some(Rates::CALM);
    Setup { plant: Some(Plant::TriedAtOnce), minutes: 13, rates, script, ..Setup::small(1) }
}

#[test]
fn what_is_written_to_happen_is_left_out_but_for_what_the_violation_needs() {
    let whole = busy();
    let reduced =
        reduce(&whole, 30, &mut |_, _| {}).expect("a small world is within bounds").expect("it fails");
    assert_eq!(reduced.setup.script, whole.script.get(2..3).unwrap_or_default(), "{:?}", reduced.setup);
    let said = |violation: Option<yiqiao_simworld::run::Violation>| violation.map(|it| it.what);
    let again = said(run(&reduced.setup, None).expect("it is a world").violation);
    assert_eq!(again, said(reduced.report.violation));
    assert!(again.is_some_and(|what| what.starts_with(Wrong::AskedAgain.text())));
}

#[test]
fn a_world_that_holds_is_not_reduced() {
    let reduced =
        reduce(&Setup { plant: None, ..busy() }, 10, &mut |_, _| {}).expect("a small world is within bounds");
    assert!(reduced.is_none());
}
