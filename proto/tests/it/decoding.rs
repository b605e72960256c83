//! Everything that is read from bytes, by the same rules (W-2, W-3): one module of tests for each word.

#![expect(clippy::indexing_slicing, reason = "the ranges are those of the same bytes")]

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use yiqiao_proto::access::{AccessEvent, AuditAnchor};
use yiqiao_proto::calls::{self, Call};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, Directive, PatientQuery, Revocation, Said};
use yiqiao_proto::entry::{Entry, IdentityStatement, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::inventory::Inventory;
use yiqiao_proto::lease::{FeedItem, Lease};
use yiqiao_proto::limits::{ACT_BYTES_MAX, CALL_BYTES_MAX, ENVELOPE_BYTES_MAX};
use yiqiao_proto::log::Leaf;
use yiqiao_proto::member::MemberList;
use yiqiao_proto::proof::CredentialStatement;
use yiqiao_proto::referral::ReferralStep;
use yiqiao_proto::release::{Delivery, PullRequest, Release};
use yiqiao_proto::sealed::Header;
use yiqiao_proto::search::{SearchAnswer, SearchQuery};

use crate::codec::{Codec, Shown, fields, for_all, spliced};
use crate::{samples, strategies};

/// The rules for what is a protobuf message of the schema.
macro_rules! every_word {
    ($($module:ident: $codec:expr, $sample:expr, $strategy:expr, $max:expr;)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn w2_what_was_encoded_decodes_to_the_same() {
                ($codec).round_trips(&$sample);
                for_all(64, $strategy, |value| ($codec).round_trips(&value));
            }

            #[test]
            fn w2_cut_grown_and_bent_bytes_are_refused_or_something_else() {
                every_byte_counts(&$codec, &$sample);
                for_all(3, $strategy, |value| every_byte_counts(&$codec, &value));
            }

            #[test]
            fn w2_what_would_be_written_otherwise_is_refused() {
                no_other_writing(&$codec, &$sample);
                for_all(16, $strategy, |value| no_other_writing(&$codec, &value));
            }

            #[test]
            fn w2_no_bytes_panic() {
                nothing_panics(&$codec);
            }

            #[test]
            fn w3_too_many_bytes_are_refused_before_they_are_read() {
                too_large(&$codec, $max);
            }
        }
    )*};
}

every_word! {
    member_list: Codec::<MemberList>::of_word(), crate::region::list(), strategies::member_list(), max::<MemberList>();
    entry: Codec::<Entry>::of_word(), samples::entry(), strategies::entry(), max::<Entry>();
    withdrawal: Codec::<Withdrawal>::of_word(), samples::withdrawal(), strategies::withdrawal(), max::<Withdrawal>();
    identity_statement: Codec::<IdentityStatement>::of_word(), samples::statement(), strategies::statement(), max::<IdentityStatement>();
    directive: Codec::<Act<Directive>>::of_word(), samples::permit(), strategies::directive_act(), max::<Act<Directive>>();
    revocation: Codec::<Act<Revocation>>::of_word(), samples::revocation(), strategies::revocation_act(), max::<Act<Revocation>>();
    patient_query: Codec::<Act<PatientQuery>>::of_word(), samples::patient_query(), strategies::patient_query_act(), max::<Act<PatientQuery>>();
    said_directive: said::<Directive>(), samples::directive(), strategies::directive(), ACT_BYTES_MAX;
    said_revocation: said::<Revocation>(), samples::revocation().said, strategies::revocation(), ACT_BYTES_MAX;
    said_query: said::<PatientQuery>(), samples::patient_query().said, strategies::patient_query(), ACT_BYTES_MAX;
    credential: Codec::<CredentialStatement>::of_word(), samples::credential(), strategies::credential(), max::<CredentialStatement>();
    access_event: Codec::<AccessEvent>::of_word(), samples::event(), strategies::event(), max::<AccessEvent>();
    audit_anchor: Codec::<AuditAnchor>::of_word(), samples::anchor(), strategies::anchor(), max::<AuditAnchor>();
    inventory: Codec::<Inventory>::of_word(), samples::inventory(), strategies::inventory(), max::<Inventory>();
    release: Codec::<Release>::of_word(), samples::release(), strategies::release(), max::<Release>();
    delivery: Codec::<Delivery>::of_word(), samples::delivery(), strategies::delivery(), max::<Delivery>();
    referral_step: Codec::<ReferralStep>::of_word(), samples::step(), strategies::step(), max::<ReferralStep>();
    pull_request: Codec::<PullRequest>::of_word(), samples::pull_request(), strategies::pull_request(), max::<PullRequest>();
    search_query: Codec::<SearchQuery>::of_word(), samples::query(), strategies::query(), max::<SearchQuery>();
    search_answer: Codec::<SearchAnswer>::of_word(), samples::answer(), strategies::answer(), max::<SearchAnswer>();
    lease: Codec::<Lease>::of_word(), samples::lease(), strategies::lease(), max::<Lease>();
    envelope: envelope(), samples::said_entry(), strategies::envelope(), ENVELOPE_BYTES_MAX;
    feed_item: feed_item(), samples::feed().remove(2), strategies::feed_item(), CALL_BYTES_MAX;
}

const fn max<W: Word>() -> usize {
    W::KIND.payload_bytes_max()
}

fn said<T: Said>() -> Codec<T> {
    Codec { name: T::NAME, decode: T::decode, encode: T::encode }
}

fn envelope() -> Codec<Envelope> {
    Codec { name: "envelope", decode: Envelope::decode, encode: |envelope| envelope.as_bytes().to_vec() }
}

fn feed_item() -> Codec<FeedItem> {
    Codec { name: "feed_item", decode: FeedItem::decode, encode: FeedItem::encode }
}

fn every_byte_counts<T: PartialEq + Debug>(codec: &Codec<T>, value: &T) {
    let bytes = (codec.encode)(value);
    let secret = Shown::of(&bytes);
    let ends: Vec<usize> = fields(&bytes).iter().map(|(_, place)| place.end).collect();
    for cut in 0..bytes.len() {
        let read = codec.is_strict(&bytes[..cut], &secret);
        assert!(!read || ends.contains(&cut), "{} cut inside of a field, at {cut}", codec.name);
    }
    for tail in [&[0][..], &[0, 0], &[0x80], &[0xff; 10], &bytes] {
        assert!(!codec.is_strict(&[&bytes, tail].concat(), &secret), "{} grown by {tail:?}", codec.name);
    }
    let mut bent = bytes.clone();
    for at in 0..bytes.len() {
        for mask in [0x01, 0x80, 0x55] {
            bent[at] ^= mask;
            codec.is_strict(&bent, &secret);
            bent[at] ^= mask;
        }
    }
}

fn no_other_writing<T: PartialEq + Debug>(codec: &Codec<T>, value: &T) {
    let bytes = (codec.encode)(value);
    let secret = Shown::of(&bytes);
    let fields = fields(&bytes);
    let refused = |bytes: &[u8], what: &str| {
        assert!(!codec.is_strict(bytes, &secret), "{} with {what} is read", codec.name);
    };
    // Field 2047, which no message of the schema has: a number, and bytes.
    for unknown in [&[0xf8, 0x7f, 0x01][..], &[0xfa, 0x7f, 0x01, 0x61]] {
        refused(&[unknown, &bytes].concat(), "an unknown field first");
        refused(&[&bytes, unknown].concat(), "an unknown field last");
    }
    for (number, place) in &fields {
        let field = &bytes[place.clone()];
        refused(&spliced(&bytes, place.end..place.end, field), "a field twice");
        let longer = [&[field[0] | 0x80, 0], &field[1..]].concat();
        if field[0] < 0x80 {
            refused(&spliced(&bytes, place.clone(), &longer), "a number longer than needed");
        }
        let next = fields.iter().find(|(other, next)| next.start == place.end && other != number);
        if let Some((_, next)) = next {
            let swapped = [&bytes[next.clone()], field].concat();
            refused(&spliced(&bytes, place.start..next.end, &swapped), "fields in another order");
        }
    }
    // A default written out where the field is missing. It may be read where the schema tells it from a missing one.
    for number in (1..16).filter(|number| fields.iter().all(|(other, _)| other != number)) {
        let before = fields.iter().filter(|(other, _)| *other < number);
        let at = before.map(|(_, place)| place.end).max().unwrap_or(0);
        for wire_type in [0, 2] {
            let default = [u8::try_from(number << 3).unwrap_or(0) | wire_type, 0];
            codec.is_strict(&spliced(&bytes, at..at, &default), &secret);
        }
    }
}

fn nothing_panics<T: PartialEq + Debug>(codec: &Codec<T>) {
    let nothing = Shown::of(&[]);
    for_all(256, vec(any::<u8>(), 0..512), |bytes| {
        codec.is_strict(&bytes, &nothing);
    });
    // Bytes that look like a message get further.
    let number = (1..20_u32, any::<u64>()).prop_map(|(number, value)| {
        let mut field = Vec::new();
        varint(u64::from(number) << 3, &mut field);
        varint(value >> (value % 64), &mut field);
        (number, field)
    });
    let length = prop_oneof![0..4_usize, proptest::strategy::Just(32), 0..80_usize];
    let content = length.prop_flat_map(|length| vec(any::<u8>(), length));
    let bytes = (1..20_u32, content).prop_map(|(number, content)| {
        let mut field = Vec::new();
        varint(u64::from(number) << 3 | 2, &mut field);
        varint(content.len() as u64, &mut field);
        (number, [field, content].concat())
    });
    let message = vec(prop_oneof![number, bytes], 0..20).prop_map(|mut fields| {
        fields.sort_by_key(|(number, _)| *number);
        fields.into_iter().flat_map(|(_, field)| field).collect::<Vec<u8>>()
    });
    for_all(512, message, |bytes| {
        codec.is_strict(&bytes, &nothing);
    });
}

fn varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    to.push(value.to_le_bytes()[0]);
}

fn too_large<T: PartialEq + Debug>(codec: &Codec<T>, max: usize) {
    let refused = (codec.decode)(&vec![0; max + 1]).err();
    assert_eq!(refused, Some(DecodeError::TooLarge { what: codec.name, bytes: max + 1, max }));
}

#[test]
fn l2_a_leaf_has_one_form() {
    let codec =
        Codec { name: "leaf", decode: Leaf::from_bytes, encode: |leaf: &Leaf| leaf.to_bytes().to_vec() };
    for_all(64, strategies::leaf(), |leaf| fixed_form(&codec, &leaf));
}

#[test]
fn z1_a_header_has_one_form() {
    let codec = Codec {
        name: "sealed",
        decode: Header::from_bytes,
        encode: |header: &Header| header.to_bytes().to_vec(),
    };
    for_all(64, strategies::header(), |header| fixed_form(&codec, &header));
}

fn fixed_form<T: PartialEq + Debug>(codec: &Codec<T>, value: &T) {
    codec.round_trips(value);
    let bytes = (codec.encode)(value);
    let secret = Shown::of(&[]);
    for cut in 0..bytes.len() {
        assert!(!codec.is_strict(&bytes[..cut], &secret), "{} of {cut} bytes", codec.name);
        let mut bent = bytes.clone();
        bent[cut] ^= 0x81;
        codec.is_strict(&bent, &secret);
    }
    assert!(!codec.is_strict(&[&bytes[..], &[0]].concat(), &secret));
}

macro_rules! every_call {
    ($($module:ident: $call:ident;)*) => {$(
        #[test]
        fn $module() {
            let codec = Codec::<calls::$call> {
                name: calls::$call::NAME,
                decode: calls::$call::from_bytes,
                encode: prost::Message::encode_to_vec,
            };
            for_all(24, strategies::calls::$module(), |call| {
                codec.round_trips(&call);
                let bytes = prost::Message::encode_to_vec(&call);
                let secret = Shown::of(&bytes);
                for cut in 0..bytes.len() {
                    codec.is_strict(&bytes[..cut], &secret);
                }
                assert!(!codec.is_strict(&[&bytes[..], &[0xf8, 0x7f, 0x01]].concat(), &secret));
            });
            nothing_panics(&codec);
            too_large(&codec, CALL_BYTES_MAX);
        }
    )*};
}

/// Messages of calls are read by the same strict rule (H-1, W-2, W-3).
mod w2_calls {
    use super::*;

    every_call! {
        submit_request: SubmitRequest;
        submit_answer: SubmitAnswer;
        evaluate_request: EvaluateRequest;
        evaluate_answer: EvaluateAnswer;
        search_request: SearchRequest;
        search_reply: SearchReply;
        feed_request: FeedRequest;
        feed_answer: FeedAnswer;
        lease_request: LeaseRequest;
        lease_answer: LeaseAnswer;
        members_request: MembersRequest;
        members_answer: MembersAnswer;
        consent_request: ConsentRequest;
        consent_answer: ConsentAnswer;
        history_request: HistoryRequest;
        history_answer: HistoryAnswer;
        links_request: LinksRequest;
        links_answer: LinksAnswer;
        proof_request: ProofRequest;
        proof_answer: ProofAnswer;
        anchors_request: AnchorsRequest;
        anchors_answer: AnchorsAnswer;
        evidence_request: EvidenceRequest;
        inventory_request: InventoryRequest;
        inventory_answer: InventoryAnswer;
        holdings_request: HoldingsRequest;
        holdings_answer: HoldingsAnswer;
        alarm_notice: AlarmNotice;
        omission: Omission;
        check_request: CheckRequest;
        check_answer: CheckAnswer;
        persons_request: PersonsRequest;
        persons_answer: PersonsAnswer;
        evidence_answer: EvidenceAnswer;
        evidence: Evidence;
        release_request: ReleaseRequest;
        release_answer: ReleaseAnswer;
        range_request: RangeRequest;
        step_request: StepRequest;
        act_notice: ActNotice;
        checkpoint_notice: CheckpointNotice;
        done: Done;
    }
}
