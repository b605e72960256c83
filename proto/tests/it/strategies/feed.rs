//! Leases, feeds, leaves, headers and envelopes.

#![expect(clippy::unwrap_used, reason = "strategies make only what is valid")]

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use yiqiao_proto::envelope::{Envelope, Kind};
use yiqiao_proto::id::Nonce;
use yiqiao_proto::lease::{AcceptedAct, Change, FeedItem, HeadChange, Lease, Told};
use yiqiao_proto::limits;
use yiqiao_proto::log::Leaf;
use yiqiao_proto::sealed::Header;
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::Millis;

use super::index::entry;
use super::parts::{code, digest, head, id, number, one, opening, ordinal, time, token};

pub(crate) fn lease() -> impl Strategy<Value = Lease> {
    let list = (ordinal(), digest(), code());
    ((code(), id(Nonce::new), number(), number()), (digest(), list, 1..=limits::LEASE_MS_MAX)).prop_map(
        |((member, nonce, term, feed_number), (feed_chain, (list_version, list_hash, log_id), ms))| Lease {
            member,
            nonce,
            term,
            feed_number,
            feed_chain,
            list_version,
            list_hash,
            log_id,
            duration: Millis::new(ms),
        },
    )
}

fn accepted_act() -> impl Strategy<Value = AcceptedAct> {
    let told = prop_oneof![opening(number()).prop_map(Told::Opening), digest().prop_map(Told::Commitment)];
    (ordinal(), told).prop_map(|(version, act)| AcceptedAct { version, act })
}

pub(crate) fn feed_item() -> impl Strategy<Value = FeedItem> {
    let head_change = (token(), head(), vec(accepted_act(), 0..5))
        .prop_map(|(patient, head, directives)| Change::Head(HeadChange { patient, head, directives }));
    let change = prop_oneof![
        head_change,
        ordinal().prop_map(Change::MemberList),
        opening(number()).prop_map(Change::Credential),
        opening(number()).prop_map(Change::Withdrawal),
    ];
    (ordinal(), digest(), change).prop_map(|(number, previous, change)| FeedItem { number, previous, change })
}

pub(crate) fn kind() -> impl Strategy<Value = Kind> {
    (1..=16_u32).prop_map(|number| Kind::try_from(number).unwrap())
}

pub(crate) fn leaf() -> impl Strategy<Value = Leaf> {
    (code(), number(), number(), kind(), time(), digest()).prop_map(
        |(region, seq, term, kind, accepted_at, commitment)| Leaf {
            region,
            seq,
            term,
            kind,
            accepted_at,
            commitment,
        },
    )
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    (0..=limits::DOCUMENT_BYTES_MAX, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(
        |(length, salt, commitment)| Header {
            suite: Suite::International,
            chunk_bytes: limits::CHUNK_BYTES,
            length,
            salt,
            commitment,
        },
    )
}

pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    let suite = one(&[Suite::Simulation, Suite::International]);
    (code(), entry(), suite, any::<[u8; 32]>()).prop_map(|(region, entry, suite, seed)| {
        Envelope::sign(&region, &entry, &SecretKey::new(suite, &seed))
    })
}
