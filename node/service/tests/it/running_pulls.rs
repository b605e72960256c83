//! Keys that change in the midst of one running pull: it ends whole, and nothing of it comes twice (M-4, M-13, P-5, P-6).
//!
//! Not here: keys that follow each other between documents: `renewal`.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;
use prost::Message;
use yiqiao_proto::calls::{Call, Method, RangeRequest, ReleaseAnswer, ReleaseRequest};
use yiqiao_proto::codes::{AccessAct, AccessOutcome};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::limits::CHUNK_BYTES;
use yiqiao_proto::release::PullRequest;
use yiqiao_proto::token::Token;

use crate::exchange::{LONG, Sealed, file_of, fill, long, open, patient, refer};
use crate::member::{Member, code};
use crate::renewal::{again, all_know, lists, retires_earlier};
use crate::rig::{Node, until};

/// New keys of a node are listed beside those that it has.
async fn renews(node: &Node) {
    for key in ["words", "sealing", "transport"] {
        node.does(&["renew-key", key]).await;
        lists(node, &[]);
    }
    all_know(&[node]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m13_a_pull_ends_whole_while_the_keys_of_its_holder_and_of_the_registry_change() {
    let mut node = Node::started().await;
    fill(&node).await;
    let mut member = Member::admitted(&node.region, "qzdx").await;
    let token = patient(&member).await;
    member.permit(token, "qzdx", 1, 0).await;
    let entry = long(&member, token).await;
    let request = member.request(&entry);
    let released = until("the permit to count", async || member.release(&request).await.ok()).await;
    let mut chunks = member.range(&released, 0, 16).await.unwrap();
    let mut on_its_way = member.begin_range(&released, 16, 16).await.unwrap();

    renews(&node).await;
    let mut came = Vec::new();
    while let Some(piece) = on_its_way.chunk().await.unwrap() {
        came.extend_from_slice(&piece);
    }
    let mut sealed = came.as_slice();
    for number in 16..32 {
        let (chunk, rest) = sealed.split_at(released.map.header().sealed_bytes(number));
        released.map.verify(number, chunk).unwrap();
        chunks.push(chunk.to_vec());
        sealed = rest;
    }
    assert!(sealed.is_empty(), "what was on its way came as if nothing had happened");

    for key in ["words", "checkpoint", "lease", "transport"] {
        node.region.does("registry-key", &[key]);
    }
    all_know(&[&node]).await;
    member.follow_lists(&node.region).await;
    node.region.restart_registry().await;
    again(&mut node).await;
    for side in ["qzrm", "registry"] {
        retires_earlier(&node.region, side);
    }
    all_know(&[&node]).await;
    member.follow_lists(&node.region).await;
    let last = released.map.header().chunks() - 32;
    chunks.extend(member.range(&released, 32, u32::try_from(last).unwrap()).await.unwrap());
    let plain = open(&released, 0, chunks);
    assert_eq!(plain.len() as u64, entry.size);
    assert!(plain.starts_with(b"<?xml") && plain.ends_with(b"-->"));
    let again = member.release(&request).await.unwrap();
    assert_eq!(again.release.word(), released.release.word(), "the same request gets the same release (P-5)");
}

/// A door at which whoever asks waits until it is opened.
#[derive(Default)]
struct Door {
    waits_and_open: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Door {
    fn pass(&self) {
        let mut state = self.waits_and_open.lock().unwrap();
        state.0 = true;
        drop(self.changed.wait_while(state, |(_, open)| !*open).unwrap());
    }

    fn somebody_waits(&self) -> bool {
        self.waits_and_open.lock().unwrap().0
    }

    fn open(&self) {
        self.waits_and_open.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// What a recipient asked: releases, and ranges by their first chunk.
type Asked = Arc<Mutex<(usize, BTreeMap<u64, usize>)>>;

/// Answers as the holder of one document; its last stretch is behind a door.
fn holds(member: &Arc<Member>, sealed: Sealed, patient: Token, door: &Arc<Door>) -> Asked {
    let asked = Asked::default();
    let (holder, counted, door) = (Arc::clone(member), Arc::clone(&asked), Arc::clone(door));
    let to = member.directory.sealing_key(&code("qzrm")).unwrap().public_key;
    member.answer(move |method, bytes| {
        if method != Method::Release as u16 {
            let RangeRequest { first_chunk, chunks, .. } = RangeRequest::from_bytes(&bytes).unwrap();
            *counted.lock().unwrap().1.entry(first_chunk).or_default() += 1;
            if first_chunk >= 32 {
                tokio::task::block_in_place(|| door.pass());
            }
            let all = sealed.chunks.iter().skip(usize::try_from(first_chunk).unwrap());
            return all.take(chunks as usize).flatten().copied().collect();
        }
        counted.lock().unwrap().0 += 1;
        let request = ReleaseRequest::from_bytes(&bytes).unwrap();
        let envelope = Envelope::decode(&request.envelope).unwrap();
        let request = PullRequest::decode(envelope.payload()).unwrap();
        let (release, wrapped_key) = sealed.release(&request, envelope.payload_hash(), patient, &to);
        let answer = ReleaseAnswer {
            release: holder.sign(&release).as_bytes().to_vec(),
            wrapped_key,
            header: sealed.header.to_bytes().to_vec(),
            chunk_hashes: sealed.hashes.iter().map(|hash| hash.to_vec()).collect(),
        };
        Bytes::from(answer.encode_to_vec())
    });
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn m13_a_pull_goes_on_where_it_was_when_its_recipient_comes_back_with_other_keys() {
    let mut node = Node::started().await;
    let member = Arc::new(Member::admitted(&node.region, "qzdx").await);
    let token = patient(&member).await;
    let (sealed, door) = (Sealed::new(LONG), Arc::new(Door::default()));
    assert_eq!(LONG.div_ceil(CHUNK_BYTES as usize), 35, "two stretches, and a last one behind the door");
    let (document, listed) = (sealed.document, sealed.listed(&member, 1));
    let asked = holds(&member, sealed, token, &door);
    refer(&member, "qzrm", token, vec![listed]).await;
    until("the last stretch to be asked for", async || door.somebody_waits().then_some(())).await;

    renews(&node).await;
    node.kill();
    member.knows_lists(&node.region).await;
    node.start().await;
    node.connected().await;
    retires_earlier(&node.region, "qzrm");
    all_know(&[&node]).await;
    member.knows_lists(&node.region).await;
    door.open();
    until("the document", async || file_of(&node, &document).exists().then_some(())).await;
    let events = until("the delivery in the log", async || {
        let delivered = |event: &yiqiao_proto::access::AccessEvent| {
            event.act == AccessAct::Delivery && event.outcome == AccessOutcome::Permitted
        };
        let events: Vec<_> = member.history(token).await.into_iter().filter(delivered).collect();
        (!events.is_empty()).then_some(events)
    })
    .await;
    assert_eq!(events.len(), 1);
    let (releases, ranges) = asked.lock().unwrap().clone();
    assert_eq!(releases, 1, "the release of before counts");
    let once = [0, 16].into_iter().filter(|first| ranges[first] == 1).count();
    assert!(once >= 1, "what had come is not pulled again: {ranges:?}");
}
