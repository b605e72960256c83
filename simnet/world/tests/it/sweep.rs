//! A fixed sweep of small worlds. A failing seed is printed with the command that repeats it.

use yiqiao_simworld::run::run;
use yiqiao_simworld::setup::Setup;

fn holds(seeds: std::ops::Range<u64>, cheap: bool) {
    for seed in seeds {
        let report =
            run(&Setup { cheap, ..Setup::small(seed) }, None).expect("a small world is within bounds");
        assert_eq!(report.violation, None, "yiqiao-simnet run --seed {seed}: {report:#?}");
        assert!(report.counts.messages > 0, "{report:?}");
    }
}

#[test]
fn the_first_seven_worlds_hold() {
    holds(1..8, true);
}

#[test]
fn the_next_seven_worlds_hold() {
    holds(8..15, true);
}

#[test]
fn three_worlds_with_signatures_that_prove_hold() {
    holds(15..18, false);
}

#[test]
fn a_world_without_hospitals_is_refused() {
    let setup = Setup { hospitals: 0, ..Setup::small(1) };
    let refused = run(&setup, None).map(drop).expect_err("there is no such world");
    assert!(refused.to_string().contains("2 to 1000 hospitals"), "{refused}");
}
