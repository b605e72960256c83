//! Releases without deliveries and deliveries without releases: the registry waits for the other half of exactly these (P-7).

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome};
use yiqiao_proto::envelope::{Kind, Word as _};
use yiqiao_proto::id::{Code, Digest, DocumentId};
use yiqiao_proto::limits::REQUEST_LIFE_MS_MAX;
use yiqiao_proto::release::{Delivery, Release};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_registry_core::limits::DELIVERY_GRACE;
use yiqiao_registry_core::state;

use super::Oracle;
use super::model::Word;

/// One half, until the other has come: by when it is to be looked at, the release, and who was to get the document.
type Half = (Timestamp, Digest, Code);

/// A release, by its hash.
struct Given {
    half: Half,
    holder: Code,
    recipient: Code,
    document: DocumentId,
}

impl Oracle {
    /// What waits for its other half by the words of the log, as the registry names it.
    pub(crate) fn singles(&self) -> BTreeSet<Vec<u8>> {
        let mut given: BTreeMap<Digest, Given> = BTreeMap::new();
        let mut halves: BTreeSet<Half> = BTreeSet::new();
        for word in self.words().iter().filter_map(|(_, kept)| Word::of(kept)) {
            let kind = word.envelope.kind();
            if kind == Kind::Release {
                released(&word, &mut given, &mut halves);
            } else if kind == Kind::Delivery {
                delivered(&word, &given, &mut halves);
            } else if kind == Kind::AccessEvent {
                ended(&word, &given, &mut halves);
            }
        }
        let key = |(due, release, member): &Half| state::single(*due, release, member).key().to_vec();
        halves.iter().map(key).collect()
    }
}

fn released(word: &Word, given: &mut BTreeMap<Digest, Given>, halves: &mut BTreeSet<Half>) {
    let Ok(Release { terms, .. }) = Release::decode(word.envelope.payload()) else { return };
    let (hash, at) = (word.envelope.payload_hash(), word.opening.accepted_at);
    let due = terms.expires_at.min(at + Millis::new(REQUEST_LIFE_MS_MAX)) + DELIVERY_GRACE;
    let half = (due, hash, terms.recipient.clone());
    halves.insert(half.clone());
    let (holder, recipient, document) = (terms.holder, terms.recipient, terms.document);
    given.insert(hash, Given { half, holder, recipient, document });
}

fn delivered(word: &Word, given: &BTreeMap<Digest, Given>, halves: &mut BTreeSet<Half>) {
    let Ok(delivery) = Delivery::decode(word.envelope.payload()) else { return };
    let fits = |given: &&Given| {
        given.holder == delivery.holder
            && given.recipient == delivery.recipient
            && given.document == delivery.document
    };
    match given.get(&delivery.release).filter(fits) {
        Some(given) => drop(halves.remove(&given.half)),
        None => drop(halves.insert((word.opening.accepted_at, delivery.release, delivery.recipient))),
    }
}

/// What was stopped or erased waits for nothing.
fn ended(word: &Word, given: &BTreeMap<Digest, Given>, halves: &mut BTreeSet<Half>) {
    let Ok(event) = AccessEvent::decode(word.envelope.payload()) else { return };
    let is_end = event.act == AccessAct::Erasure
        || (event.act == AccessAct::Release && event.outcome == AccessOutcome::Denied);
    let of = event.release.filter(|_| is_end).and_then(|release| given.get(&release));
    if let Some(given) = of.filter(|given| [&given.holder, &given.recipient].contains(&&event.organisation)) {
        halves.remove(&given.half);
    }
}
