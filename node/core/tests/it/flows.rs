//! Whatever patients say in whatever order: what the node lets go is what the registry's own decision permits.

use proptest::prelude::*;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::codes::{DocumentClass, Purpose, RefusalCode};
use yiqiao_proto::envelope::Word;
use yiqiao_proto::id::DirectiveId;
use yiqiao_proto::release::Release;
use yiqiao_proto::time::Millis;

use crate::story::{Story, forbid, permit, range_of, refusal};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A permit: of everything, or of one class.
    Permit(bool),
    /// A permit that ends after some seconds.
    PermitFor(u64),
    /// A forbid: of everything for every purpose, or of research only.
    Forbid(bool),
    /// The directive of this number, of those said so far, is taken back.
    Revoke(usize),
    /// Time passes; the registry answers.
    Pass(u64),
    /// Calls to the registry get no answer.
    Lose(usize),
    /// The node starts again.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<bool>().prop_map(Step::Permit),
        1 => (1_u64..40).prop_map(Step::PermitFor),
        2 => any::<bool>().prop_map(Step::Forbid),
        3 => (0_usize..8).prop_map(Step::Revoke),
        2 => (0_u64..20_000).prop_map(Step::Pass),
        1 => (1_usize..4).prop_map(Step::Lose),
        1 => Just(Step::Restart),
    ]
}

fn say(story: &mut Story, said: &mut Vec<DirectiveId>, input: &Input) {
    let outcome = story.act(input);
    let numbers = if let Outcome::Said(numbers) = outcome { numbers } else { Vec::new() };
    assert!(!numbers.is_empty(), "acts are said");
    said.extend(numbers.into_iter().map(|number| story.directive(number)));
}

fn take(story: &mut Story, said: &mut Vec<DirectiveId>, step: Step) {
    let (by, now) = (story.statement(), story.node.now);
    match step {
        Step::Permit(all) => {
            let mut wish = permit(now);
            if !all {
                wish.what.classes.insert(DocumentClass::Laboratory);
            }
            say(story, said, &Input::Permit(Box::new((by, wish))));
        }
        Step::PermitFor(secs) => {
            let mut wish = permit(now);
            wish.valid_until = Some(now + Millis::from_secs(secs));
            say(story, said, &Input::Permit(Box::new((by, wish))));
        }
        Step::Forbid(all) => {
            let mut wish = forbid(now);
            if !all {
                wish.purposes.insert(Purpose::Research);
            }
            say(story, said, &Input::Forbid(Box::new((by, wish))));
        }
        Step::Revoke(at) => {
            if let Some(directive) = said.get(at % said.len().max(1)).copied() {
                let revocation = story.revocation(directive);
                assert!(matches!(story.act(&revocation), Outcome::Said(_)));
            }
        }
        Step::Pass(ms) => story.live(ms),
        Step::Lose(calls) => story.registry.refuse.extend(vec![None; calls]),
        Step::Restart => story.node.rebuild(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn d3_what_is_let_go_is_what_the_registry_permits(steps in prop::collection::vec(step(), 1..14)) {
        let mut story = Story::with_document();
        let (mut said, mut given) = (Vec::new(), Vec::new());
        for step in steps {
            take(&mut story, &mut said, step);
            let request = story.request();
            if let Outcome::Released { release, .. } = story.ask(&request) {
                let terms = Release::decode(release.payload()).expect("a release").terms;
                given.push((request, terms.expires_at));
            }
        }
        // The registry has heard all, and ten minutes later what was told directly is over (F-9).
        story.live(30_000);
        story.node.now = story.node.now + Millis::from_secs(600);
        story.live(3_000);
        let permitted = !story.find().is_empty();
        let request = story.request();
        prop_assert_eq!(matches!(story.ask(&request), Outcome::Released { .. }), permitted);
        for (request, expires_at) in given {
            let served = story.act(&Input::Range(range_of(&request)));
            if permitted && story.node.now < expires_at {
                prop_assert!(matches!(served, Outcome::Serve { .. }), "{served:?}");
            } else {
                prop_assert_eq!(refusal(&served).code, RefusalCode::Stopped);
            }
        }
    }
}
