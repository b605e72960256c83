//! What a planted fault makes of the feed of a member that has just got its first entry of a patient: the head that comes before the
//! receipt lacks what the patient has objected to (F-5).

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, Stance};
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::lease::{AcceptedAct, Change, FeedItem, Told, feed_next};
use yiqiao_proto::log::Opening;
use yiqiao_proto::token::Token;
use yiqiao_registry_core::machine::ToKeep;
use yiqiao_registry_core::state::{self, Kept, View};

/// Of a feed so many last items are looked at.
const LAST: u64 = 64;

/// Thins the heads that go with first filings.
pub(super) fn thin(records: &[ToKeep], view: &mut View) {
    for record in records {
        if let ToKeep::Word(kept, _) = record
            && let Some((member, patient)) = filed_first(kept)
        {
            // What is not at hand was not written in this batch.
            let _thinned = thin_feed(&member, &patient, view);
        }
    }
    view.keep();
}

/// Who has filed something of whom for the first time, if this is what a word says.
fn filed_first(kept: &Kept) -> Option<(Code, Token)> {
    let envelope = Envelope::decode(&Opening::read(kept.opening.clone()?).ok()?.envelope).ok()?;
    let event = AccessEvent::decode(envelope.payload()).ok()?;
    (event.act == AccessAct::FirstFiling).then_some(())?;
    Some((event.counterpart?, event.patient))
}

fn thin_feed(member: &Code, patient: &Token, view: &mut View) -> Option<()> {
    let mut feed = view.find(&state::feed(member)).ok()??;
    let mut chain: Option<Digest> = None;
    for number in feed.number.saturating_sub(LAST).max(1)..=feed.number {
        let slot = state::feed_item(member, number);
        let Ok(Some(mut kept)) = view.find(&slot) else { continue };
        let mut item = FeedItem::decode(&kept.item).ok()?;
        if let Change::Head(head) = &mut item.change
            && head.patient == *patient
        {
            head.directives.retain(|accepted| !objects(accepted));
            head.head = head.computed_head();
        }
        item.previous = chain.unwrap_or(item.previous);
        kept.item = item.encode();
        let next = feed_next(&item.previous, &kept.item);
        kept.chain = next.as_bytes().to_vec();
        view.put(&slot, &kept);
        chain = Some(next);
    }
    feed.chain = chain?.as_bytes().to_vec();
    view.put(&state::feed(member), &feed);
    Some(())
}

fn objects(accepted: &AcceptedAct) -> bool {
    let Told::Opening(opening) = &accepted.act else { return true };
    let envelope = Envelope::decode(&opening.envelope).ok();
    let act = envelope.and_then(|envelope| Act::<Directive>::decode(envelope.payload()).ok());
    act.is_some_and(|act| act.said.stance == Stance::Forbid)
}
