//! Answers of the registry that are changed and signed again with its own keys.
//!
//! Not here: a whole log of its own: [`crate::twin`].

use std::collections::BTreeMap;

use prost::Message;
use yiqiao_proto::calls::{
    Call, FeedAnswer, InventoryAnswer, LeaseAnswer, Method, SearchReply, SubmitAnswer, SubmitRequest,
};
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::inventory::Inventory;
use yiqiao_proto::lease::{Change, FeedItem, HeadChange, Lease, Told};
use yiqiao_proto::limits::LEASE_MS_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::search::SearchAnswer;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::chance::Chance;

use crate::limits::HEARD_MAX;
use crate::network::{CallId, Carried, Packet, Who};
use crate::region::{For, Region, code, constant};
use crate::setup::Attack;

/// Of a hundred answers so many are changed: of searches, and of all others, after which a member may believe nothing more.
const SEARCHES: u64 = 40;
const OTHERS: u64 = 2;

/// What signs.
pub(super) struct Pen {
    region: Region,
    chance: Chance,
    /// Whose documents searches leave out.
    left_out: Code,
    /// Calls that are not answered yet.
    asked: BTreeMap<CallId, (u16, Vec<u8>)>,
}

impl Pen {
    pub(super) const fn new(region: Region, chance: Chance, left_out: Code) -> Self {
        Self { region, chance, left_out, asked: BTreeMap::new() }
    }

    /// A packet goes to the registry or comes from it. How it was changed.
    pub(super) fn signs(&mut self, attack: Attack, packet: &mut Packet) -> Option<&'static str> {
        if let (Who::REGISTRY, Carried::Call { method, request }) = (packet.to, &packet.body) {
            self.asked.insert(packet.call, (*method, request.clone()));
            if self.asked.len() > HEARD_MAX {
                self.asked.pop_first();
            }
        }
        let Carried::Answer(Ok(bytes)) = &mut packet.body else { return None };
        let (method, request) = self.asked.remove(&packet.call)?;
        let method = Method::try_from(method).ok()?;
        let percent = if method == Method::Search {
            SEARCHES
        } else if method == Method::Inventory {
            100
        } else {
            OTHERS
        };
        if !self.chance.percent(percent) {
            return None;
        }
        let (changed, how) = match (attack, method) {
            (Attack::Omit, Method::Search) => (self.leaves_out(bytes)?, "signs less"),
            (Attack::Omit, Method::Inventory) => (self.holds_less(bytes)?, "signs that it holds less"),
            (Attack::Bend, Method::Lease) => (self.lease(bytes)?, "signs another lease"),
            (Attack::Bend, Method::Feed) => (self.feed(bytes)?, "tells another feed"),
            (Attack::Bend, Method::Submit) => (self.receipt(bytes, &request)?, "signs another tree"),
            _ => return None,
        };
        *bytes = changed;
        Some(how)
    }

    fn sign<W: Word>(&self, word: &W, with: For) -> Vec<u8> {
        Envelope::sign(&code(), word, &self.region.key(Who::REGISTRY, with)).as_bytes().to_vec()
    }

    /// A search finds nothing of one hospital, or not all.
    fn leaves_out(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut answer: SearchAnswer = word(&SearchReply::from_bytes(bytes).ok()?.envelope)?;
        let (before, whole) = (answer.entries.len(), self.chance.percent(50));
        answer.entries.retain(|opening| {
            let of = word::<Entry>(&opening.envelope).map(|entry| entry.publisher);
            if whole { of.as_ref() != Some(&self.left_out) } else { self.chance.percent(50) }
        });
        let envelope = self.sign(&answer, For::Words);
        (answer.entries.len() < before).then(|| SearchReply { envelope }.encode_to_vec())
    }

    /// What the index holds of one hospital's subjects is nothing.
    fn holds_less(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut inventory: Inventory = word(&InventoryAnswer::from_bytes(bytes).ok()?.envelope)?;
        for holding in &mut inventory.holdings {
            (holding.number, holding.last) = (0, None);
        }
        let envelope = self.sign(&inventory, For::Words);
        (inventory.publisher == self.left_out).then(|| InventoryAnswer { envelope }.encode_to_vec())
    }

    fn lease(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let answer = LeaseAnswer::from_bytes(bytes).ok()?;
        let mut lease: Lease = word(&answer.envelope)?;
        let by = 1 + self.chance.below(3);
        match self.chance.below(7) {
            0 => lease.duration = Millis::new(LEASE_MS_MAX),
            1 => lease.term = lease.term.saturating_sub(by),
            2 => lease.feed_number += by,
            3 => lease.feed_number = lease.feed_number.saturating_sub(by),
            4 => lease.list_version += by,
            5 => lease.list_version = lease.list_version.saturating_sub(by).max(1),
            _ => lease.log_id = constant("other"),
        }
        Some(LeaseAnswer { envelope: self.sign(&lease, For::Lease), ..answer }.encode_to_vec())
    }

    fn feed(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let FeedAnswer { mut items } = FeedAnswer::from_bytes(bytes).ok()?;
        let last = items.len().checked_sub(1)?;
        match self.chance.below(6) {
            0 => drop(items.remove(0)),
            1 => items.swap(0, last),
            2 => items.push(items.first()?.clone()),
            3 => {
                let first = items.first_mut()?;
                let mut item = FeedItem::decode(first).ok()?;
                item.number += 1;
                *first = item.encode();
            }
            4 => *items.last_mut()? = changed_head(items.last()?, |head| head.directives.pop().map(drop))?,
            _ => *items.last_mut()? = changed_head(items.last()?, |head| self.forge(head))?,
        }
        Some(FeedAnswer { items }.encode_to_vec())
    }

    /// A directive that the registry says itself, in place of one that a member said.
    fn forge(&self, head: &mut HeadChange) -> Option<()> {
        let told = head.directives.iter_mut().find_map(|accepted| match &mut accepted.act {
            Told::Opening(opening) => Some(opening),
            Told::Commitment(_) => None,
        })?;
        let act: Act<Directive> = word(&told.envelope)?;
        told.envelope = self.sign(&act, For::Words);
        Some(())
    }

    /// A receipt at a tree of one leaf.
    fn receipt(&self, bytes: &[u8], request: &[u8]) -> Option<Vec<u8>> {
        let mut answer = SubmitAnswer::from_bytes(bytes).ok()?;
        let [receipt] = answer.receipts.as_mut_slice() else { return None };
        let said = SubmitRequest::from_bytes(request).ok()?.words.pop()?.envelope;
        let envelope = if receipt.envelope.is_empty() { said } else { receipt.envelope.clone() };
        let kind = Envelope::decode(&envelope).ok()?.kind();
        let opening = Opening {
            seq: 0,
            term: receipt.term,
            accepted_at: Timestamp::from_unix_ms(receipt.accepted_at)?,
            salt: receipt.salt.as_slice().try_into().ok()?,
            envelope,
        };
        let origin = origin(&code(), &self.region.directory.list().log_id);
        let tree = Checkpoint { origin, size: 1, root: opening.leaf(&code(), kind).hash() };
        receipt.seq = 0;
        receipt.path.clear();
        receipt.checkpoint = tree.sign(&self.region.key(Who::REGISTRY, For::Checkpoint));
        Some(answer.encode_to_vec())
    }
}

fn word<W: Word>(envelope: &[u8]) -> Option<W> {
    W::decode(Envelope::decode(envelope).ok()?.payload()).ok()
}

/// An item with another head, at the same place.
fn changed_head(bytes: &[u8], change: impl FnOnce(&mut HeadChange) -> Option<()>) -> Option<Vec<u8>> {
    let mut item = FeedItem::decode(bytes).ok()?;
    let Change::Head(head) = &mut item.change else { return None };
    change(head)?;
    head.head = head.computed_head();
    Some(item.encode())
}
