//! Feeds and leases (F-1 to F-8).

use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, Nonce};
use yiqiao_proto::lease::{Change, FeedItem, Lease, feed_next, feed_start};
use yiqiao_proto::limits::FEED_COUNT_MAX;

use crate::limits::ANSWER_BYTES_MAX;
use crate::machine::{Stop, Work, refuse};
use crate::state::{self, Fault, Feed, FeedBytes, PAGE_LEN, View};
use crate::take::damaged;

/// A member asks for a lease, and says what it knows (F-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseAsked {
    /// The member.
    pub member: Code,
    /// Used once.
    pub nonce: Nonce,
    /// The newest term that it has seen.
    pub term: u64,
    /// Its place in its feed.
    pub feed_number: u64,
    /// The chain there.
    pub feed_chain: Digest,
}

/// Asks at once for the ends of the feeds of members that stand in the index by their codes.
pub(crate) fn need_feeds<'m>(members: impl Iterator<Item = &'m str>, view: &View) -> Result<(), Fault> {
    let code = |member| Code::new(member).map_err(|_| damaged());
    let members = members.map(code).collect::<Result<Vec<_>, _>>()?;
    view.need(&members.iter().map(state::feed).collect::<Vec<_>>())?;
    let page = |member| Ok(state::feed_sizes(member, view.get(&state::feed(member))?.number / PAGE_LEN));
    view.need(&members.iter().map(page).collect::<Result<Vec<_>, Fault>>()?)
}

/// Puts a change on the feed of a member that stands in the index by its code.
pub(crate) fn push_to(member: &str, change: &Change, view: &mut View) -> Result<(), Fault> {
    push(&Code::new(member).map_err(|_| damaged())?, change, view)
}

/// Puts a change on a member's feed.
pub(crate) fn push(member: &Code, change: &Change, view: &mut View) -> Result<(), Fault> {
    let slot = state::feed(member);
    let mut feed = view.get(&slot)?;
    let previous = chain_of(&feed, member, view)?;
    let item = FeedItem { number: feed.number + 1, previous, change: change.clone() }.encode();
    let chain = feed_next(&previous, &item);
    let page = state::feed_sizes(member, feed.number / PAGE_LEN);
    let mut sizes = view.get(&page)?;
    sizes.bytes.push(u32::try_from(item.len()).unwrap_or(u32::MAX));
    view.put(&page, &sizes);
    feed.number += 1;
    feed.chain = chain.as_bytes().to_vec();
    let bytes = FeedBytes { item, chain: chain.as_bytes().to_vec() };
    view.put(&state::feed_item(member, feed.number), &bytes);
    view.put(&slot, &feed);
    Ok(())
}

/// The chain at the end of a feed: of an empty one its start (F-2).
fn chain_of(feed: &Feed, member: &Code, view: &View) -> Result<Digest, Fault> {
    if feed.chain.is_empty() {
        return Ok(feed_start(view.region(), member));
    }
    feed.chain.as_slice().try_into().ok().and_then(Digest::new).ok_or_else(damaged)
}

/// Signs a lease, if the member is not ahead of this registry (F-6, F-7).
pub(crate) fn lease(work: &Work<'_>, asked: &LeaseAsked) -> Result<Envelope, Stop> {
    let machine = work.machine;
    let feed = work.view.get(&state::feed(&asked.member))?;
    let chain = chain_of(&feed, &asked.member, work.view)?;
    let known = chain_at(work, &asked.member, (feed.number, chain), asked.feed_number)?;
    if asked.term > machine.term || known != Some(asked.feed_chain) {
        return Err(refuse(RefusalCode::OutOfOrder, "F-7"));
    }
    let list = machine.directory.list();
    let lease = Lease {
        member: asked.member.clone(),
        nonce: asked.nonce,
        term: machine.term,
        feed_number: feed.number,
        feed_chain: chain,
        list_version: list.version,
        list_hash: machine.directory.payload_hash(),
        log_id: list.log_id.clone(),
        duration: list.policy.lease,
    };
    Ok(Envelope::sign(machine.directory.region(), &lease, &machine.keys.lease))
}

/// The chain after an item of a feed that ends like this; none if the feed does not reach so far.
fn chain_at(
    work: &Work<'_>,
    member: &Code,
    (last, chain): (u64, Digest),
    number: u64,
) -> Result<Option<Digest>, Stop> {
    if number == last {
        return Ok(Some(chain));
    }
    if number == 0 {
        return Ok(Some(feed_start(work.view.region(), member)));
    }
    if number > last {
        return Ok(None);
    }
    let item = work.view.get(&state::feed_item(member, number))?;
    Ok(item.chain.as_slice().try_into().ok().and_then(Digest::new))
}

/// Items of a feed after a number, as many as fit one answer (F-3).
pub(crate) fn items(work: &Work<'_>, member: &Code, after: u64, count: u32) -> Result<Vec<Vec<u8>>, Stop> {
    let feed = work.view.get(&state::feed(member))?;
    let last = feed.number.min(after.saturating_add(count.clamp(1, FEED_COUNT_MAX).into()));
    let fits = fitting(work.view, member, after, last)?;
    let slots: Vec<_> = (1..=fits).map(|place| state::feed_item(member, after + place)).collect();
    work.view.need(&slots)?;
    slots.iter().map(|slot| Ok(work.view.get(slot)?.item)).collect()
}

/// How many of the items after a number fit one answer, by their sizes alone: heads are long, and only what is answered
/// is loaded.
fn fitting(view: &View, member: &Code, after: u64, last: u64) -> Result<u64, Fault> {
    if after >= last {
        return Ok(0);
    }
    let pages = after / PAGE_LEN..last.div_ceil(PAGE_LEN);
    let slots: Vec<_> = pages.map(|page| state::feed_sizes(member, page)).collect();
    view.need(&slots)?;
    let mut sizes = Vec::new();
    for slot in &slots {
        sizes.extend(view.get(slot)?.bytes);
    }
    let skip = usize::try_from(after % PAGE_LEN).unwrap_or(usize::MAX);
    let take = usize::try_from(last - after).unwrap_or(0);
    Ok(answered(sizes.into_iter().skip(skip).take(take).map(|bytes| bytes as usize)) as u64)
}

/// How many of these sizes fit one answer, in order. The first always goes, however long it is.
pub(crate) fn answered(sizes: impl Iterator<Item = usize>) -> usize {
    let mut sum = 0_usize;
    let fits = sizes.enumerate().take_while(|(place, bytes)| {
        sum = sum.saturating_add(*bytes);
        *place == 0 || sum <= ANSWER_BYTES_MAX
    });
    fits.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f3_a4_an_answer_holds_what_fits_and_at_least_the_first() {
        let of = |sizes: &[usize]| answered(sizes.iter().copied());
        let half = ANSWER_BYTES_MAX / 2;
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[half, half]), 2);
        assert_eq!(of(&[half, half, 1]), 2);
        assert_eq!(of(&[half, half + 1, 1]), 1);
        assert_eq!(of(&[usize::MAX, 1]), 1);
        assert_eq!(of(&[1; 300]), 300);
    }
}
