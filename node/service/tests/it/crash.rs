//! What a node owes its systems after kills at any instant.

use std::collections::BTreeSet;
use std::time::Duration;

use yiqiao_host::keys;
use yiqiao_proto::entropy::Entropy;
use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::story::Role;

use crate::feeds::{about, is_message};
use crate::rig::{Node, until};
use crate::wire::{self, Mllp};

/// Kills of the normal test.
const ROUNDS: u64 = 6;
/// Overrides them.
const ROUNDS_VARIABLE: &str = "YIQIAO_CRASH_ROUNDS";
/// Makes the draws of a run again.
const SEED_VARIABLE: &str = "YIQIAO_CRASH_SEED";
/// The longest life of a process between two kills.
const LIFE_MS_MAX: u64 = 400;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Draws numbers below a bound; says by which seed, so that a run can be made again.
#[expect(clippy::print_stderr, reason = "the seed of a failed run is shown")]
pub(crate) fn draws() -> impl FnMut(u64) -> u64 {
    let seed = variable(SEED_VARIABLE).unwrap_or_else(|| u64::from_be_bytes(keys::random()));
    eprintln!("{SEED_VARIABLE}={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let mut entropy = Entropy::new(bytes);
    move |most| u64::from_be_bytes(entropy.bytes()) % most
}

/// How many kills a test makes.
pub(crate) fn rounds() -> u64 {
    variable(ROUNDS_VARIABLE).unwrap_or(ROUNDS)
}

/// Sends all once, unless the node is gone before; notes what is acknowledged, by place.
async fn send(node: &Node, feeds: &[Feed], token: &str, from: usize, acknowledged: &mut BTreeSet<usize>) {
    let Ok(mut line) = Mllp::connect(&node.mllp_address()).await else { return };
    for (at, feed) in feeds.iter().enumerate().cycle().skip(from).take(feeds.len()) {
        if is_message(feed) {
            match line.send(&feed.bytes).await {
                Ok(answer) if answer.starts_with("MSA|AA") => acknowledged.insert(at),
                Ok(answer) => panic!("an honest message is refused: {answer}"),
                Err(_) => return,
            };
        } else {
            let bearer = format!("Authorization: Bearer {token}\r\nContent-Type: text/xml\r\n");
            match wire::try_request(node.http, "POST", "/api/intake", &bearer, &feed.bytes).await {
                Ok(answer) if answer.status == 200 => acknowledged.insert(at),
                Ok(answer) => panic!("an honest document is refused: {}", answer.text()),
                Err(_) => return,
            };
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_kill_and_nothing_is_taken_twice() {
    let mut draw = draws();
    let mut node = Node::started().await;
    let feeds = about(&[Role::Referred, Role::WalkIn, Role::Revoker, Role::TwinElder]);
    let mut acknowledged = BTreeSet::new();
    for round in 0..rounds() {
        let token = node.token(&format!("emr{round}")).await;
        let life = Duration::from_millis(draw(LIFE_MS_MAX));
        let from = usize::try_from(draw(feeds.len() as u64)).unwrap();
        let sending = send(&node, &feeds, &token, from, &mut acknowledged);
        // Its life ends in the middle of something, or when all is sent.
        tokio::time::timeout(life, sending).await.ok();
        eprintln!("round {round}: {} of {} acknowledged", acknowledged.len(), feeds.len());
        node.kill();
        node.start().await;
    }
    check(&node, &feeds, &acknowledged).await;
}

/// All that was acknowledged is known; all else is taken now; and then every document is published and nothing is left over.
async fn check(node: &Node, feeds: &[Feed], acknowledged: &BTreeSet<usize>) {
    let before = node.status().await["systems"]["his"].clone();
    let mut line = node.mllp().await;
    for at in acknowledged.iter().filter(|at| is_message(&feeds[**at])) {
        assert!(line.send(&feeds[*at].bytes).await.unwrap().starts_with("MSA|AA"));
    }
    assert_eq!(node.status().await["systems"]["his"], before, "what was acknowledged is a repeat");
    let token = node.token("last").await;
    let mut taken = BTreeSet::new();
    send(node, feeds, &token, 0, &mut taken).await;
    assert_eq!(taken.len(), feeds.len());
    let published = node.published().await;
    assert_eq!((&published["words_waiting"], &published["open_problems"]), (&0.into(), &0.into()));
    let systems = published["systems"].as_object().unwrap();
    let documents: u64 = systems.values().map(|system| system["documents"].as_u64().unwrap()).sum();
    until("the end of the sweep", async || (node.sealed_files() as u64 == documents).then_some(())).await;
}
