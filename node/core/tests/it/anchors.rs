//! The audit as the log has seen it, and a line that somebody has bent.

#![expect(clippy::unwrap_used, reason = "what cannot happen here fails the test")]

use std::collections::BTreeSet;

use yiqiao_node_core::audit::{Act, Anchors, Broken, Of};
use yiqiao_node_core::limits::ANCHOR_AFTER;
use yiqiao_node_core::state;
use yiqiao_proto::access::AuditAnchor;
use yiqiao_proto::envelope::{Kind, Word};
use yiqiao_proto::id::Digest;
use yiqiao_proto::time::Millis;

use crate::region::code;
use crate::story::Story;

fn anchors(story: &Story) -> Vec<AuditAnchor> {
    let words = story.registry.log().filter(|word| word.kind() == Kind::AuditAnchor);
    words.map(|word| AuditAnchor::decode(word.payload()).unwrap()).collect()
}

fn walk(story: &Story, anchors: &[(u64, Digest)]) -> Result<u64, Broken> {
    let anchors: Anchors = anchors.iter().map(|(lines, hash)| (*lines, BTreeSet::from([*hash]))).collect();
    let walked = story.node.ask(|machine, view| machine.verify_audit(Vec::new(), 0, &anchors, view));
    walked.map(|(_, lines)| lines)
}

fn pass(story: &mut Story, time: Millis) {
    story.node.now = story.node.now + time;
    story.live(2_000);
}

#[test]
fn a5_each_line_is_anchored_within_an_hour_and_what_the_log_has_seen_is_missed() {
    let mut story = Story::with_document();
    let request = story.request();
    story.ask(&request);
    let began = story.node.now;
    story.live(2_000);
    assert_eq!(anchors(&story), [], "a line that has just been written");
    pass(&mut story, ANCHOR_AFTER);
    let [anchor] = <[AuditAnchor; 1]>::try_from(anchors(&story)).unwrap();
    let lines = story.node.ask(|machine, view| machine.audit_lines(&Of::All, None, view)).len() as u64;
    assert_eq!((anchor.organisation, anchor.lines), (code("hospital"), lines));
    assert!(anchor.at.since(began) <= Millis::new(ANCHOR_AFTER.get() + 3_000));

    assert_eq!(walk(&story, &[(lines, anchor.hash)]), Ok(lines));
    let other = Digest::new([7; 32]).unwrap();
    assert_eq!(walk(&story, &[(lines, other)]), Err(Broken(lines)), "written anew");
    assert_eq!(walk(&story, &[(lines, anchor.hash), (lines + 3, other)]), Err(Broken(lines + 1)), "cut");

    pass(&mut story, ANCHOR_AFTER);
    assert_eq!(anchors(&story).len(), 1, "nothing new: nothing to be said");
    let request = story.request();
    story.ask(&request);
    pass(&mut story, ANCHOR_AFTER);
    let newest = anchors(&story).pop().unwrap();
    assert_eq!(walk(&story, &[(lines, anchor.hash), (newest.lines, newest.hash)]), Ok(newest.lines));
    story.node.rebuild();
    assert_eq!(walk(&story, &[(newest.lines, newest.hash)]), Ok(newest.lines));
}

#[test]
fn a3_a_bent_line_is_named_and_the_others_are_shown() {
    let mut story = Story::with_document();
    for _ in 0..3 {
        let request = story.request();
        story.ask(&request);
    }
    let bent = state::kept::AuditLine { data: vec![9; 40] };
    story.node.put(&state::audit_line(2), &bent);
    let lines = story.node.ask(|machine, view| machine.audit_lines(&Of::All, None, view));
    let shown: Vec<_> = lines.iter().map(|(place, line)| (*place, line.act == Act::Bent)).collect();
    assert_eq!(shown, [(3, false), (2, true), (1, false)]);
    assert_eq!(walk(&story, &[]), Err(Broken(2)));
}
