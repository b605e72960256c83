//! What is asked of everything that is read from bytes: a value has one encoding, and what is refused is named without
//! being shown.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
#![expect(clippy::indexing_slicing, reason = "the ranges are those of the same bytes")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Range;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::envelope::Word;

/// Runs a check on values of a strategy; the same values in every run.
pub(crate) fn for_all<S: Strategy>(cases: u32, strategy: S, check: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng).run(&strategy, |value| {
        check(value);
        Ok(())
    });
    outcome.unwrap();
}

/// How something is read from bytes and written to them.
pub(crate) struct Codec<T> {
    pub(crate) name: &'static str,
    pub(crate) decode: fn(&[u8]) -> Result<T, DecodeError>,
    pub(crate) encode: fn(&T) -> Vec<u8>,
}

impl<W: Word> Codec<W> {
    pub(crate) fn of_word() -> Self {
        Self { name: W::NAME, decode: W::decode, encode: W::encode }
    }
}

impl<T: PartialEq + Debug> Codec<T> {
    pub(crate) fn round_trips(&self, value: &T) {
        let bytes = (self.encode)(value);
        let decoded = (self.decode)(&bytes).unwrap();
        assert_eq!(decoded, *value);
        assert_eq!((self.encode)(&decoded), bytes);
    }

    /// Whatever these bytes are: they do not panic, and if they are read, they are what would be written for it. So no
    /// two byte strings are the same value. What is refused is refused without a word of `secret`.
    pub(crate) fn is_strict(&self, bytes: &[u8], secret: &Shown) -> bool {
        match (self.decode)(bytes) {
            Ok(value) => {
                assert_eq!((self.encode)(&value), bytes, "{} reads bytes that it does not write", self.name);
                true
            }
            Err(error) => {
                secret.is_not_in(&error);
                names_a_field(&error);
                false
            }
        }
    }
}

/// Every stretch of eight bytes of a payload, as bytes and as hexadecimal digits.
pub(crate) struct Shown(BTreeSet<Vec<u8>>);

impl Shown {
    pub(crate) fn of(payload: &[u8]) -> Self {
        let digits = hex::encode(payload);
        Self(payload.windows(8).chain(digits.as_bytes().windows(8)).map(<[u8]>::to_vec).collect())
    }

    fn is_not_in(&self, error: &DecodeError) {
        for text in [error.to_string(), format!("{error:?}")] {
            let shown = text.as_bytes().windows(8).find(|window| self.0.contains(*window));
            assert_eq!(shown, None, "{text}");
        }
    }
}

fn names_a_field(error: &DecodeError) {
    let text = error.to_string();
    let (name, _) = text.split_once(' ').unwrap();
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.')), "{text}");
}

/// The fields of a protobuf message at its top: number and place.
pub(crate) fn fields(message: &[u8]) -> Vec<(u64, Range<usize>)> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < message.len() {
        let start = at;
        let key = varint(message, &mut at);
        match key & 7 {
            0 => drop(varint(message, &mut at)),
            2 => at += usize::try_from(varint(message, &mut at)).unwrap(),
            other => unreachable!("the schema has no wire type {other}"),
        }
        fields.push((key >> 3, start..at));
    }
    fields
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// `bytes` with `range` replaced.
pub(crate) fn spliced(bytes: &[u8], range: Range<usize>, new: &[u8]) -> Vec<u8> {
    [&bytes[..range.start], new, &bytes[range.end..]].concat()
}
