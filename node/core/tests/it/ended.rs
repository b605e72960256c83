//! What patients have said and what counts no longer: shown as the feed lets it go.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_node_core::ended::End;
use yiqiao_node_core::feed::ToldAct;
use yiqiao_node_core::limits::ENDED_MAX;
use yiqiao_node_core::machine::{Effect, Input};
use yiqiao_proto::codes::RevocationReason;
use yiqiao_proto::id::DirectiveId;
use yiqiao_proto::time::Millis;

use crate::feed::revocation;
use crate::region::code;
use crate::story::{Story, permit};

/// What has ended, as the node tells it, also after it has read its journal again.
fn ended(story: &mut Story) -> Vec<(DirectiveId, End)> {
    let mut told = Vec::new();
    for _ in 0..2 {
        let subject = story.subject();
        let ended = story.node.ask(|machine, view| machine.ended(&subject, view));
        told.push(ended.into_iter().map(|ended| (ended.act.word.said.id, ended.by)).collect::<Vec<_>>());
        story.node.rebuild();
    }
    assert_eq!(told.first(), told.last());
    told.pop().unwrap()
}

fn in_force(story: &Story) -> Vec<DirectiveId> {
    let subject = story.subject();
    let heads = story.node.ask(|machine, view| machine.heads(&subject, view));
    let known = heads.into_iter().filter_map(|(_, known)| known);
    known.flat_map(|known| known.record.in_force().to_vec()).map(|act| act.directive.id).collect()
}

#[test]
fn c6_what_is_taken_back_here_is_ended_at_once_and_stays_so() {
    let mut story = Story::with_document();
    let directive = story.permit();
    assert_eq!(ended(&mut story), []);
    let input = story.revocation(directive);
    story.act(&input);
    let wish = End::Revocation(Some((Some(code("hospital")), RevocationReason::PatientWish)));
    assert_eq!(ended(&mut story), [(directive, wish.clone())], "before the registry has it");
    story.live(5_000);
    assert_eq!(ended(&mut story), [(directive, wish.clone())], "the feed has let it go");
    story.live(700_000);
    assert_eq!((ended(&mut story), in_force(&story)), (vec![(directive, wish)], vec![]));
}

#[test]
fn what_another_member_takes_back_is_ended_by_whom_only_that_member_tells() {
    for told in [false, true] {
        let mut story = Story::with_document();
        let directive = story.permit();
        let ToldAct::Revocation(act) = revocation(&story, directive) else { unreachable!() };
        if told {
            let notice = Box::new(ToldAct::Revocation(act.clone()));
            story.act(&Input::Notice { member: code("clinic"), act: notice });
        }
        let words = Effect::Submit { ticket: 0, words: vec![(act.envelope().clone(), None)] };
        let now = story.node.now;
        story.registry.answer_to(now, &code("clinic"), &words);
        story.live(60_000);
        let by = told.then(|| (Some(code("clinic")), RevocationReason::PatientWish));
        assert_eq!(ended(&mut story), [(directive, End::Revocation(by))]);
    }
}

#[test]
fn c6_what_a_later_directive_replaces_or_time_ends_is_told_apart() {
    let mut story = Story::with_document();
    let first = story.permit();
    let second = story.permit();
    assert_eq!((ended(&mut story), in_force(&story)), (vec![(first, End::Later)], vec![second]));

    let mut short = permit(story.node.now);
    short.grantee.department = Some(code("d1201"));
    short.valid_until = Some(story.node.now + Millis::new(2_000));
    story.act(&Input::Permit(Box::new((story.statement(), short))));
    story.live(60_000);
    let third = *in_force(&story).last().unwrap();
    // The registry lets go of it with the next act.
    let fourth = story.permit();
    assert_eq!(in_force(&story), [fourth]);
    assert_eq!(ended(&mut story), [(first, End::Later), (second, End::Later), (third, End::Period)]);
}

#[test]
fn the_last_that_ended_are_kept() {
    let mut story = Story::with_document();
    let first = story.permit();
    let said: Vec<_> = (0..=ENDED_MAX).map(|_| story.permit()).collect();
    let ended = ended(&mut story);
    assert_eq!((ended.len(), ended[0].0), (ENDED_MAX, said[0]));
    assert!(!ended.iter().any(|(id, _)| *id == first));
}
