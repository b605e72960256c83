//! What strategies are made of: identifiers, codes, times, tokens.

#![expect(clippy::unwrap_used, reason = "strategies make only what is valid")]

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};
use yiqiao_proto::codes::DocumentType;
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::limits;
use yiqiao_proto::log::Opening;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

pub(crate) fn id<T: Debug, const N: usize>(make: fn([u8; N]) -> Option<T>) -> impl Strategy<Value = T> {
    any::<[u8; N]>().prop_filter_map("all zeros", make)
}

pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    id(Digest::new)
}

pub(crate) fn code() -> impl Strategy<Value = Code> {
    "[a-z0-9][a-z0-9-]{0,31}".prop_map(|text| Code::new(text).unwrap())
}

pub(crate) fn two_codes() -> impl Strategy<Value = (Code, Code)> {
    (code(), code()).prop_filter("two of them", |(a, b)| a != b)
}

pub(crate) fn text(max: usize) -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9 ./:-]{1,20}", "[医院联系人]{1,8}", Just("x".repeat(max))]
}

pub(crate) fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.-]{1,64}"
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    let (first, last) = (Timestamp::MIN.unix_ms(), Timestamp::MAX.unix_ms());
    let ms = prop_oneof![4 => first..=last, 1 => select(vec![first, -1, 0, 1, last])];
    ms.prop_map(|ms| Timestamp::from_unix_ms(ms).unwrap())
}

/// Two times of which each may be missing; the second is not before the first.
pub(crate) fn period() -> impl Strategy<Value = (Option<Timestamp>, Option<Timestamp>)> {
    (option::of(time()), option::of(time())).prop_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
        other => other,
    })
}

/// As [`period`], and the second is after the first.
pub(crate) fn stretch() -> impl Strategy<Value = (Option<Timestamp>, Option<Timestamp>)> {
    period().prop_filter("not empty", |(from, until)| from.is_none() || until.is_none() || from != until)
}

pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..300_u64, Just(u64::MAX)]
}

pub(crate) fn ordinal() -> impl Strategy<Value = u64> {
    prop_oneof![1..=3_u64, 1..u64::MAX]
}

pub(crate) fn one<T: Clone + Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all)
}

pub(crate) fn some<T: Clone + Debug + Ord + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = BTreeSet<T>> {
    subsequence(all, 0..=all.len()).prop_map(|some| some.into_iter().collect())
}

pub(crate) fn not_all<T: Clone + Debug + Ord + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = BTreeSet<T>> {
    subsequence(all, 0..all.len()).prop_map(|some| some.into_iter().collect())
}

pub(crate) fn document_type() -> impl Strategy<Value = DocumentType> {
    select(DocumentType::TABLE).prop_map(|row| DocumentType::try_from(row.number).unwrap())
}

pub(crate) fn token() -> impl Strategy<Value = Token> {
    (prop_oneof![1..4_u32, 1..=u32::MAX], digest()).prop_map(|(epoch, value)| Token { epoch, value })
}

pub(crate) fn tokens(least: usize) -> impl Strategy<Value = Vec<Token>> {
    btree_set(token(), least..=limits::TOKENS_MAX).prop_map(|tokens| tokens.into_iter().collect())
}

pub(crate) fn head() -> impl Strategy<Value = Head> {
    (number(), digest()).prop_map(|(version, root)| Head { version, root })
}

pub(crate) fn opening(seq: impl Strategy<Value = u64>) -> impl Strategy<Value = Opening> {
    (seq, number(), time(), digest(), vec(any::<u8>(), 0..200)).prop_map(
        |(seq, term, accepted_at, salt, envelope)| Opening {
            seq,
            term,
            accepted_at,
            salt: *salt.as_bytes(),
            envelope,
        },
    )
}
