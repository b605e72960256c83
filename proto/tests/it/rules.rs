//! The rules of single fields: each broken in an otherwise valid word, and refused by its name.

use prost::Message;
use yiqiao_proto::calls::Method;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::{Digest, EntryId};
use yiqiao_proto::lease::{Change, FeedItem, Told, feed_next, feed_start};
use yiqiao_proto::limits;
use yiqiao_proto::wire::{calls, words as wire};

use crate::codec::for_all;
use crate::{region, samples, strategies};

/// What is said when this word's wire message is changed.
pub(crate) fn refusal<W: Word>(word: &W, change: impl FnOnce(&mut W::Wire)) -> String {
    let mut wire = word.write();
    change(&mut wire);
    W::decode(&wire.encode_to_vec()).map(|_| "taken".to_owned()).unwrap_or_else(|error| error.to_string())
}

/// A table: a word, a change to its wire message, and what is said.
macro_rules! refused {
    ($word:expr; $(|$wire:ident| $change:expr => $text:literal,)*) => {
        let word = $word;
        $(assert_eq!(refusal(&word, |$wire| { $change; }), $text);)*
    };
}
pub(crate) use refused;

#[test]
fn w4_identifiers_of_another_length_or_of_zeros_are_refused() {
    refused! { samples::entry();
        |wire| wire.subject.clear() => "entry.subject is missing",
        |wire| wire.entry_id = vec![1; 31] => "entry.entry_id is not valid: 32 bytes, not all zero",
        |wire| wire.document = vec![0; 32] => "entry.document is not valid: 32 bytes, not all zero",
        |wire| wire.link = vec![1; 33] => "entry.link is not valid: 32 bytes, not all zero",
    }
    refused! { samples::pull_request();
        |wire| wire.sealing_key = vec![1; 32] => "pull_request.sealing_key is not valid: 16 bytes, not all zero",
        |wire| wire.nonce.clear() => "pull_request.nonce is missing",
    }
}

#[test]
fn w4_what_is_no_code_is_refused() {
    let form = "1 to 32 of a-z, 0-9 and '-', not starting with '-'";
    for bad in ["", "-a", "A", "a b", "医院", "a\0", "abcdefghijklmnopqrstuvwxyz-0123456"] {
        let said = refusal(&samples::delivery(), |wire| wire.holder = bad.to_owned());
        assert_eq!(said, format!("delivery.holder is not valid: {form}"), "{bad:?}");
    }
}

#[test]
fn w5_times_outside_of_the_years_1_to_9999_are_refused() {
    let text = "delivery.at is not valid: a time in the years 1 to 9999";
    for bad in [i64::MIN, -62_135_596_800_001, 253_402_300_800_000, i64::MAX] {
        assert_eq!(refusal(&samples::delivery(), |wire| wire.at = bad), text);
    }
    refused! { samples::entry();
        |wire| wire.service_start = Some(i64::MAX) =>
            "entry.service_start is not valid: a time in the years 1 to 9999",
        |wire| wire.service_end = wire.service_start.map(|start| start - 1) =>
            "entry.service_end is not valid: a period that ends after its start",
    }
}

#[test]
fn w6_unknown_codes_are_refused_by_name() {
    refused! { samples::entry();
        |wire| wire.class = 0 => "entry.class has the unknown code 0 (W-6)",
        |wire| wire.class = 17 => "entry.class has the unknown code 17 (W-6)",
        |wire| wire.r#type = 54 => "entry.type has the unknown code 54 (W-6)",
        |wire| wire.format = 12 => "entry.format has the unknown code 12 (W-6)",
        |wire| wire.facility = 11 => "entry.facility has the unknown code 11 (W-6)",
        |wire| wire.practice = 20 => "entry.practice has the unknown code 20 (W-6)",
        |wire| wire.sensitivity = 4 => "entry.sensitivity has the unknown code 4 (W-6)",
        |wire| wire.status = u32::MAX => "entry.status has the unknown code 4294967295 (W-6)",
    }
    refused! { samples::withdrawal();
        |wire| wire.reason = 5 => "withdrawal.reason has the unknown code 5 (W-6)",
    }
    refused! { samples::event();
        |wire| wire.act = 14 => "access_event.act has the unknown code 14 (W-6)",
        |wire| wire.outcome = 0 => "access_event.outcome has the unknown code 0 (W-6)",
        |wire| wire.classes.push(17) => "access_event.classes has the unknown code 17 (W-6)",
        |wire| wire.purpose = 9 => "access_event.purpose has the unknown code 9 (W-6)",
        |wire| wire.role = 12 => "access_event.role has the unknown code 12 (W-6)",
    }
    refused! { samples::release();
        |wire| wire.basis = 8 => "release.basis has the unknown code 8 (W-6)",
    }
    refused! { samples::step();
        |wire| wire.step = 13 => "referral_step.step has the unknown code 13 (W-6)",
    }
    refused! { samples::patient_query();
        |wire| wire.proof = None => "act.proof is missing",
    }
    refused! { samples::credential();
        |wire| wire.algorithm = 4 => "credential.algorithm has the unknown code 4 (W-6)",
        |wire| wire.state = 3 => "credential.state has the unknown code 3 (W-6)",
    }
    refused! { region::list();
        |wire| wire.members[0].roles = vec![5] => "member.roles has the unknown code 5 (W-6)",
        |wire| wire.members[0].signing_keys[0].r#use = 4 => "signing_key.use has the unknown code 4 (W-6)",
        |wire| wire.members[0].signing_keys[0].suite = 2 =>
            "signing_key.public_key has the unknown code 2 (W-6)",
        |wire| wire.policy.get_or_insert_default().default_rule = 4 =>
            "policy.default_rule has the unknown code 4 (W-6)",
        |wire| wire.policy.get_or_insert_default().suites = vec![2] => "policy.suites has the unknown code 2 (W-6)",
    }
}

#[test]
fn w8_sets_out_of_order_or_with_something_twice_are_refused() {
    refused! { samples::query();
        |wire| wire.patients.reverse() => "search_query.patients is not valid: ascending, none twice",
        |wire| wire.patients[1] = wire.patients[0].clone() =>
            "search_query.patients is not valid: ascending, none twice",
        |wire| wire.types.reverse() => "search_query.types is not valid: ascending, none twice",
        |wire| wire.classes = vec![4, 4] => "search_query.classes is not valid: ascending, none twice",
    }
    refused! { samples::statement();
        |wire| wire.tokens.reverse() => "identity_statement.tokens is not valid: ascending, none twice",
    }
    refused! { samples::answer();
        |wire| wire.entries.push(wire.entries[0].clone()) => "search_answer.entries is not valid: ascending by place",
    }
    refused! { samples::release();
        |wire| wire.heads.reverse() => "release.heads is not valid: ascending by token, none twice",
        |wire| wire.heads = vec![wire.heads[1].clone()] =>
            "release.heads is not valid: with the head of the deciding token",
        |wire| wire.heads.clear() => "release.heads is not valid: with the head of the deciding token",
    }
    refused! { region::list();
        |wire| wire.policy.get_or_insert_default().vouchers = vec!["b".to_owned(), "a".to_owned()] =>
            "policy.vouchers is not valid: ascending, none twice",
        |wire| wire.members.swap(0, 1) => "member_list.members is not valid: ascending by code, none twice",
        |wire| wire.token_keys.push(wire.token_keys[0].clone()) =>
            "member_list.token_keys is not valid: ascending by epoch",
    }
}

#[test]
fn w3_every_list_and_text_has_a_bound() {
    let members = |wire: &mut wire::MemberList| wire.members = vec![wire::Member::default(); 2_001];
    assert_eq!(refusal(&region::list(), members), "member_list.members has 2001 items, more than 2000");
    refused! { region::list();
        |wire| wire.members[0].name = "x".repeat(257) => "member.name has 257 bytes, more than 256",
        |wire| wire.members[0].contact = "a\nb".to_owned() =>
            "member.contact is not valid: without control characters",
        |wire| wire.members[0].signing_keys = vec![wire::SigningKey::default(); 129] =>
            "member.signing_keys has 129 items, more than 128",
        |wire| wire.members[0].transports[0].addresses = vec![String::new(); 9] =>
            "transport.addresses has 9 items, more than 8",
        |wire| wire.members[0].transports[0].peer_id = vec![1; 65] =>
            "transport.peer_id is not valid: 34 to 64 bytes",
        |wire| wire.token_keys = vec![wire::TokenKey::default(); 17] =>
            "member_list.token_keys has 17 items, more than 16",
    }
    refused! { samples::statement();
        |wire| wire.tokens = vec![wire::Token::default(); 9] => "identity_statement.tokens has 9 items, more than 8",
    }
    refused! { samples::step();
        |wire| wire.sealed_body = vec![0; limits::REFERRAL_BODY_BYTES_MAX + 1] =>
            "referral_step.sealed_body has 262145 bytes, more than 262144",
    }
    refused! { samples::query();
        |wire| wire.count = 257 => "search_query.count is not valid: from 1 to 256",
        |wire| wire.patients.clear() => "search_query.patients is not valid: at least one",
    }
    refused! { samples::lease();
        |wire| wire.duration_ms = 300_001 => "lease.duration_ms is not valid: at most 300 s, and not nothing",
        |wire| wire.duration_ms = 0 => "lease.duration_ms is not valid: at most 300 s, and not nothing",
    }
}

#[test]
fn n2_a_chain_begins_without_a_previous_and_goes_on_with_one() {
    let refusal_of = |change: &dyn Fn(&mut wire::Link)| {
        let mut link = samples::second_link().write();
        change(&mut link);
        Link::read(&link).unwrap_err().to_string()
    };
    let chain = "link.previous is not valid: missing exactly in the first of a chain";
    assert_eq!(refusal_of(&|link| link.number = 1), chain);
    assert_eq!(refusal_of(&|link| link.previous.clear()), chain);
    assert_eq!(refusal_of(&|link| link.number = 0), "link.number is not valid: counts from 1");
    assert_eq!(refusal_of(&|link| link.number = u64::MAX), "link.number is not valid: counts from 1");
    assert_eq!(refusal_of(&|link| link.salt.clear()), "link.salt is missing");
    refused! { samples::statement();
        |wire| wire.previous = vec![1; 32] =>
            "identity_statement.previous is not valid: missing exactly in the first of a chain",
    }
    refused! { samples::credential();
        |wire| wire.number = 2 =>
            "credential.previous is not valid: missing exactly in the first of a chain",
    }
    refused! { region::list();
        |wire| wire.version = 2 => "member_list.previous is not valid: missing exactly in the first of a chain",
    }
}

#[test]
fn n2_every_part_of_a_link_is_in_its_commitment() {
    for_all(64, strategies::link(), |link| {
        assert_eq!(Link::read(&link.write()), Ok(link));
        let other_salt = Link { salt: [0x77; 32], ..link };
        let other_number = Link { number: link.number ^ 1, ..link };
        let id = |id: Option<EntryId>| if id.is_some() { None } else { EntryId::new([7; 32]) };
        let digest = |digest: Option<Digest>| if digest.is_some() { None } else { Digest::new([7; 32]) };
        let other_previous = Link { previous: digest(link.previous), ..link };
        let other_replaces = Link { replaces: id(link.replaces), ..link };
        // What stood as previous stands as replaces: the parts do not run into each other.
        let moved = Link {
            previous: link.replaces.and_then(|id| Digest::new(*id.as_bytes())),
            replaces: link.previous.and_then(|digest| EntryId::new(*digest.as_bytes())),
            ..link
        };
        let others = [other_salt, other_number, other_previous, other_replaces, moved];
        for other in others.into_iter().filter(|other| *other != link) {
            assert_ne!(other.commitment(), link.commitment());
        }
    });
}

#[test]
fn n1_a_document_has_at_most_4_gib() {
    refused! { samples::entry();
        |wire| wire.size = limits::DOCUMENT_BYTES_MAX + 1 => "entry.size is not valid: at most 4 GiB",
    }
}

#[test]
fn d8_the_glass_is_broken_exactly_for_an_emergency() {
    let only = "asker.break_glass is not valid: exactly with the purpose emergency (D-8)";
    let asker = |change: &dyn Fn(&mut wire::Asker)| {
        refusal(&samples::pull_request(), |wire| change(wire.asker.get_or_insert_default()))
    };
    assert_eq!(asker(&|asker| asker.purpose = 2), only);
    assert_eq!(asker(&|asker| asker.break_glass = vec![1; 32]), only);
    let both = asker(&|asker| (asker.purpose, asker.break_glass) = (2, vec![1; 32]));
    assert_eq!(both, "taken");
}

#[test]
fn r1_a_step_has_two_sides_and_follows_something_unless_it_opens() {
    refused! { samples::step();
        |wire| wire.previous = vec![1; 32] =>
            "referral_step.previous is not valid: missing exactly in the first of a chain",
        |wire| wire.seen = 1 => "referral_step.number is not valid: a send is the first step",
        |wire| wire.number = 2 => "referral_step.number is not valid: a send is the first step",
        |wire| wire.step = 2 => "referral_step.seen is not valid: the receiving side has seen the send",
        |wire| (wire.step, wire.number) = (11, 0) =>
            "referral_step.previous is not valid: missing exactly in the first of a chain",
        |wire| (wire.step, wire.number, wire.previous) = (11, 0, vec![1; 32]) =>
            "referral_step.number is not valid: counts from 1",
        |wire| wire.to = wire.from.clone() => "referral_step.to is not valid: another member than from",
    }
}

#[test]
fn a1_the_other_side_of_an_event_is_another_member() {
    refused! { samples::event();
        |wire| wire.counterpart = wire.organisation.clone() =>
            "access_event.counterpart is not valid: another member than the organisation",
    }
}

#[test]
fn q5_the_padding_of_an_answer_is_exactly_what_its_size_needs() {
    assert!(samples::answer().encode().len().is_power_of_two());
    refused! { samples::answer();
        |wire| wire.padding[0] = 1 => "search_answer.padding is not valid: only zeros",
        |wire| wire.padding.clear() => "search_answer has unknown, trailing, repeated or reordered fields (W-2)",
        |wire| wire.padding.push(0) => "search_answer has unknown, trailing, repeated or reordered fields (W-2)",
        |wire| wire.padding.truncate(7) => "search_answer has unknown, trailing, repeated or reordered fields (W-2)",
    }
}

#[test]
fn q5_an_answer_of_any_size_fills_a_power_of_two() {
    for more in 0..5_000 {
        let answer = yiqiao_proto::search::SearchAnswer {
            checkpoint: vec![b'x'; 100 + more],
            entries: Vec::new(),
            ..samples::answer()
        };
        let bytes = answer.encode();
        assert!(bytes.len() >= limits::SEARCH_ANSWER_BYTES_MIN, "{more}");
        assert!(bytes.len().is_power_of_two(), "{more}: {}", bytes.len());
    }
}

#[test]
fn f2_an_item_that_is_not_whole_is_refused() {
    let refusal = |change: &dyn Fn(&mut calls::HeadChange)| {
        let mut item = calls::FeedItem::decode(samples::feed()[2].encode().as_slice()).unwrap();
        if let Some(calls::feed_item::Body::Head(head)) = &mut item.body {
            change(head);
        }
        FeedItem::decode(&item.encode_to_vec()).unwrap_err().to_string()
    };
    let many = refusal(&|head| head.directives = vec![head.directives[0].clone(); 321]);
    assert_eq!(many, "head_change.directives has 321 items, more than 320");
    let of_none = refusal(&|head| head.directives[0].version = 0);
    assert_eq!(of_none, "accepted_act.version is not valid: counts from 1");
    assert_eq!(refusal(&|head| head.directives[0].act = None), "accepted_act.act is missing");
    assert_eq!(refusal(&|head| head.head = None), "head_change.head is missing");
    assert_eq!(refusal(&|head| head.patient = None), "head_change.patient is missing");
    let nothing = calls::FeedItem { number: 1, previous: vec![1; 32], body: None };
    let said = FeedItem::decode(&nothing.encode_to_vec()).unwrap_err().to_string();
    assert_eq!(said, "feed_item.body is missing");
}

#[test]
fn f2_a_feed_is_one_chain_from_region_and_member() {
    let hospital = region::code("hospital");
    let mut chain = feed_start(&region::region(), &hospital);
    assert_ne!(chain, feed_start(&region::code("elsewhere"), &hospital));
    assert_ne!(chain, feed_start(&region::region(), &region::code("clinic")));
    for item in samples::feed() {
        assert_eq!(item.previous, chain);
        chain = feed_next(&chain, &item.encode());
    }
}

#[test]
fn c10_the_head_on_a_feed_is_computed_from_what_the_feed_tells() {
    let Some(Change::Head(told)) = samples::feed().into_iter().nth(2).map(|item| item.change) else {
        panic!("the third item is a head");
    };
    assert_eq!(told.computed_head(), told.head);
    let mut reordered = told.clone();
    reordered.directives.reverse();
    assert_ne!(reordered.computed_head(), told.head);
    // Hiding an act behind its commitment changes nothing.
    let mut hidden = told.clone();
    for act in &mut hidden.directives {
        act.act = Told::Commitment(act.act.commitment());
    }
    assert_eq!(hidden.computed_head(), told.head);
}

#[test]
fn m9_each_epoch_of_the_token_function_has_a_key_of_its_own() {
    let refusal = refusal(&region::list(), |wire| {
        let again = wire::TokenKey { epoch: 2, ..wire.token_keys[0].clone() };
        wire.token_keys.push(again);
    });
    assert_eq!(refusal, "member_list.token_keys is not valid: a key of its own for each epoch (T-7)");
}

/// What is said when an envelope's wire message is changed.
fn envelope_refusal(change: impl FnOnce(&mut wire::Envelope)) -> String {
    let envelope = samples::said_entry();
    let mut wire = wire::Envelope::decode(envelope.as_bytes()).unwrap_or_default();
    change(&mut wire);
    Envelope::decode(&wire.encode_to_vec()).map(|_| "taken".to_owned()).unwrap_or_else(|e| e.to_string())
}

#[test]
fn e1_an_envelope_with_a_broken_field_is_refused_by_its_name() {
    let said = envelope_refusal(|wire| wire.suite = 3);
    assert_eq!(said, "envelope.suite has the unknown code 3 (W-6)");
    assert_eq!(envelope_refusal(|wire| wire.kind = 0), "envelope.kind has the unknown code 0 (W-6)");
    assert_eq!(envelope_refusal(|wire| wire.kind = 17), "envelope.kind has the unknown code 17 (W-6)");
    let said = envelope_refusal(|wire| wire.key_id = vec![1; 32]);
    assert_eq!(said, "envelope.key_id is not valid: 16 bytes, not all zero");
    let said = envelope_refusal(|wire| wire.signature.clear());
    assert_eq!(said, "envelope.signature is not valid: not empty");
    let said = envelope_refusal(|wire| wire.signature = vec![1; 129]);
    assert_eq!(said, "envelope.signature has 129 bytes, more than 128");
    let said = envelope_refusal(|wire| wire.payload = vec![0; 16_385]);
    assert_eq!(said, "envelope.payload has 16385 bytes, more than 16384");
}

/// Suite 2 is kept for SM2, SM3 and SM4: nothing reads it yet.
#[test]
fn s1_the_reserved_suite_is_not_read() {
    assert_eq!(envelope_refusal(|wire| wire.suite = 2), "envelope.suite has the unknown code 2 (W-6)");
}

#[test]
fn h1_methods_and_refusals_are_known_by_their_numbers() {
    let known: Vec<u16> = (0..=u16::MAX).filter(|number| Method::try_from(*number).is_ok()).collect();
    assert_eq!(known, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 21, 22, 23, 40, 41, 60, 61, 62, 63, 80, 90, 130]);
    for number in known {
        assert_eq!(Method::try_from(number).unwrap() as u16, number);
    }
    assert_eq!(RefusalCode::try_from(0), Err(0));
    assert_eq!(RefusalCode::ALL.len(), 11);
}
