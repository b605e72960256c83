//! A node that comes back after a long time: it takes in by number what patients have said meanwhile, says how far it is, and lets nothing
//! go before it has all of it (F-3, F-7).

use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::id::DirectiveId;
use yiqiao_proto::token::Token;

use crate::exchange::{fill, long, patient};
use crate::member::Member;
use crate::pages::Person;
use crate::rig::{Node, until};

/// Changes of consent while the node is away: five readings of the feed, and later two.
const CHANGES: u64 = 1_200;
const LATER: u64 = 300;

fn directive(number: u64) -> DirectiveId {
    let mut id = [0xd1; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    DirectiveId::new(id).unwrap()
}

/// Permits one after the other, each in the place of the one before (C-6), from a version of the patient's head on.
async fn permit_again_and_again(member: &Member, patient: Token, from_version: u64, times: u64) {
    for version in from_version..from_version + times {
        member.permit_as(directive(version), patient, "qzdx", version).await;
    }
}

/// How far the feed is behind, as the pages say.
async fn behind(doctor: &Person) -> u64 {
    doctor.get("/api/region").await["registry"]["behind"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f3_f7_a_node_that_was_away_lets_nothing_go_before_it_has_caught_up_and_says_how_far_it_is() {
    let mut node = Node::started().await;
    fill(&node).await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let token = patient(&member).await;
    member.permit(token, "qzdx", 1, 0).await;
    let entry = long(&member, token).await;
    until("the permit to count", async || member.release(&member.request(&entry)).await.ok()).await;
    let doctor = Person::with_account(&node, "wang", "doctor", None).await;
    let before = node.status().await["exchange"]["feed_number"].as_u64().unwrap();

    node.stop().await;
    permit_again_and_again(&member, token, 1, CHANGES).await;
    node.start().await;
    let mut seen = Vec::new();
    let released = until("the node to have caught up", async || {
        seen.push(behind(&doctor).await);
        match member.try_release(&member.request(&entry)).await {
            Ok(released) => Some(released),
            Err((RefusalCode::Busy, _)) => None,
            Err(other) => panic!("nothing was taken back: {other:?}"),
        }
    })
    .await;
    let heads = &released.release.word().terms.heads;
    let version = heads.iter().find(|(of, _)| *of == token).map(|(_, head)| head.version);
    assert_eq!(version, Some(CHANGES + 1), "decided by what was said last");
    let known: Vec<u64> = seen.iter().copied().filter(|behind| *behind > 0).collect();
    assert!(!known.is_empty(), "behind {seen:?}");
    assert!(known.is_sorted_by(|one, next| one >= next) && known[0] <= CHANGES, "{known:?}");
    let exchange = node.status().await["exchange"].clone();
    assert_eq!(
        (&exchange["feed_behind"], exchange["feed_number"].as_u64()),
        (&0.into(), Some(before + CHANGES))
    );

    node.stop().await;
    member.say(&member.revocation(directive(CHANGES), token, CHANGES + 1)).await;
    permit_again_and_again(&member, token, CHANGES + 2, LATER).await;
    let last = CHANGES + 1 + LATER;
    member.say(&member.revocation(directive(last), token, last + 1)).await;
    node.start().await;
    let denied = until("the node to have caught up", async || {
        match member.try_release(&member.request(&entry)).await {
            Ok(_) => panic!("let go under a consent that was taken back"),
            Err((RefusalCode::Busy, _)) => None,
            Err(denied) => Some(denied),
        }
    });
    assert_eq!(denied.await, (RefusalCode::Nothing, "P-4".to_owned()));
    assert_eq!(behind(&doctor).await, 0);
}
