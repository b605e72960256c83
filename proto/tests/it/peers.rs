//! Numbers that come from a peer: none of them, however large, stops the program, and a side cannot take the other's steps.

use proptest::prelude::any;
use yiqiao_proto::codes::ReferralAct;
use yiqiao_proto::person::{Identifier, IdentifierError};
use yiqiao_proto::referral::{Done, Side, State, side_of, state_of};
use yiqiao_proto::sealed::Map;
use yiqiao_proto::tree::{self, Hash};

use crate::codec::for_all;
use crate::strategies;

#[test]
fn l6_a_proof_of_any_place_and_size_is_made_or_refused() {
    let mut stored: Vec<Hash> = Vec::new();
    for seq in 0..5 {
        let more = tree::append(stored.as_slice(), seq, [1; 32]).unwrap();
        stored.extend(more);
    }
    let sizes = [0, 1, 5, 6, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX - 1, u64::MAX];
    for a in sizes {
        for b in sizes {
            let included = tree::prove_inclusion(stored.as_slice(), a, b);
            assert!(included.is_ok() || a >= b || b > 5, "{a} {b}");
            assert!(included.is_err() || a < b, "{a} {b}");
            let consistent = tree::prove_consistency(stored.as_slice(), a, b);
            assert!(consistent.is_err() || a <= b, "{a} {b}");
            assert!(!tree::verify_inclusion(&[[2; 32]; 3], a, [1; 32], b, &[3; 32]));
            assert!(!tree::verify_consistency(&[[2; 32]; 3], a, &[3; 32], b, &[4; 32]));
        }
        assert_eq!(tree::root(stored.as_slice(), a).is_ok(), a <= 5, "{a}");
    }
}

#[test]
fn p6_a_range_of_any_place_is_within_numbers() {
    for_all(64, (strategies::header(), any::<u64>()), |(header, number)| {
        for number in [number, number >> 20, u64::MAX, u64::MAX - 1] {
            assert!(header.plain_bytes(number) <= header.chunk_bytes as usize);
            assert!(header.sealed_offset(number) >= header.chunk_bytes.into() || number == 0);
            header.chunk_of(number);
            header.sealed_bytes(number);
        }
    });
}

#[test]
fn z5_a_list_of_another_length_is_no_map() {
    for_all(16, strategies::header(), |header| {
        let chunks = vec![[1; 32]; 3];
        let document = yiqiao_proto::sealed::document_id(&header, &chunks);
        let map = Map::new(document, &header.to_bytes(), chunks);
        assert_eq!(map.is_ok(), header.chunks() == 3);
    });
}

#[test]
fn r3_a_side_takes_only_its_own_steps() {
    let send = Done { act: ReferralAct::Send, seen: 0 };
    for act in ReferralAct::ALL {
        let step = Done { act: *act, seen: 1 };
        if side_of(*act) == Side::Receiving {
            assert_eq!(state_of(&[send, Done { seen: 0, ..step }], &[]), State::Sent, "{act:?}");
        } else {
            assert_eq!(state_of(&[send], &[step]), State::Sent, "{act:?}");
        }
    }
}

/// Source systems fill the field with zeros where they have no number: with 15 as with 18.
#[test]
fn t2_a_repeated_digit_is_nobody_in_the_old_length_too() {
    for digit in '0'..='9' {
        for length in [15, 18] {
            let number = digit.to_string().repeat(length);
            assert_eq!(
                Identifier::resident_id(&number),
                Err(IdentifierError::StandIn),
                "{length} of {digit}"
            );
        }
    }
}
