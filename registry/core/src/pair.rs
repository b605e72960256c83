//! Releases and their deliveries (P-7): which has no other half a while after it should have one.
//!
//! A release that its holder has stopped, or whose unfinished copy its recipient has erased, waits for nothing. Only organisations and
//! times are told of a single one, never a patient.

use std::ops::Range;

use prost::Message;
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::limits::REQUEST_LIFE_MS_MAX;
use yiqiao_proto::release::{Delivery, Release};
use yiqiao_proto::time::{Millis, Timestamp};

use crate::limits::DELIVERY_GRACE;
use crate::state::{self, Fault, Pairing, Place, Single, Table, View};
use crate::take::{Standing, damaged};

/// A release waits for its delivery, until it is over and some time more.
pub(crate) fn apply_release(word: &Standing, release: &Release, view: &mut View) -> Result<(), Fault> {
    let (terms, hash) = (&release.terms, word.envelope.payload_hash());
    let at = word.opening.accepted_at;
    // However long the holder says that it lives, no request lives longer.
    let due = terms.expires_at.min(at + Millis::new(REQUEST_LIFE_MS_MAX)) + DELIVERY_GRACE;
    let entry = view.get(&state::entry(&terms.holder, &terms.entry_id))?.seq;
    let pairing = Pairing {
        release: word.opening.seq,
        entry,
        document: terms.document.as_bytes().to_vec(),
        holder: terms.holder.to_string(),
        recipient: terms.recipient.to_string(),
        due: due.unix_ms(),
        delivery: 0,
    };
    view.put(&state::pairing(&hash), &pairing);
    view.put(&state::single(due, &hash, &terms.recipient), &single(&pairing, at, false));
    Ok(())
}

/// A delivery is paired with its release; without one it is a single one at once.
pub(crate) fn apply_delivery(word: &Standing, delivery: &Delivery, view: &mut View) -> Result<(), Fault> {
    let slot = state::pairing(&delivery.release);
    let known = view.find(&slot)?.filter(|known| {
        known.holder == delivery.holder.as_str()
            && known.recipient == delivery.recipient.as_str()
            && known.document == delivery.document.as_bytes()
    });
    let Some(known) = known else {
        let at = word.opening.accepted_at;
        let (holder, recipient) = (delivery.holder.to_string(), delivery.recipient.to_string());
        let single = Single { holder, recipient, at: at.unix_ms(), without_release: true };
        view.put(&state::single(at, &delivery.release, &delivery.recipient), &single);
        return Ok(());
    };
    settle(&delivery.release, &known, view)?;
    // The first one that was said.
    if known.delivery == 0 {
        view.put(&slot, &Pairing { delivery: word.opening.seq, ..known });
    }
    Ok(())
}

/// What an organisation tells of a release: where its event stands, or that there is nothing to wait for.
pub(crate) fn apply_event(word: &Standing, event: &AccessEvent, view: &mut View) -> Result<(), Fault> {
    let Some(release) = &event.release else { return Ok(()) };
    match (event.act, event.outcome) {
        (AccessAct::Release | AccessAct::Delivery, AccessOutcome::Permitted) => {
            let place = Place { seq: word.opening.seq };
            view.put(&state::release_event(release, &event.organisation), &place);
            Ok(())
        }
        (AccessAct::Release, AccessOutcome::Denied) | (AccessAct::Erasure, _) => {
            let sides = |known: &Pairing| {
                known.holder == event.organisation.as_str() || known.recipient == event.organisation.as_str()
            };
            let known = view.find(&state::pairing(release))?.filter(sides);
            known.map_or(Ok(()), |known| settle(release, &known, view))
        }
        _ => Ok(()),
    }
}

/// The release waits no longer.
fn settle(release: &Digest, known: &Pairing, view: &mut View) -> Result<(), Fault> {
    let due = Timestamp::from_unix_ms(known.due).ok_or_else(damaged)?;
    let recipient = Code::new(known.recipient.as_str()).map_err(|_| damaged())?;
    view.remove(&state::single(due, release, &recipient));
    Ok(())
}

fn single(pairing: &Pairing, at: Timestamp, without_release: bool) -> Single {
    let Pairing { holder, recipient, .. } = pairing.clone();
    Single { holder, recipient, at: at.unix_ms(), without_release }
}

/// The keys of all that have been single for a while by now, the oldest first, and what ends them.
pub fn keys(now: Timestamp) -> Range<Vec<u8>> {
    let key = |at: u64| [&[Table::Single as u8][..], &at.to_be_bytes()].concat();
    key(0)..key(u64::try_from(now.unix_ms()).unwrap_or(0))
}

/// Reads a stored single one; nothing if it is none.
pub fn read(value: &[u8]) -> Option<Single> {
    Single::decode(value).ok()
}
