//! The rules of single fields: each broken in an otherwise valid word, and refused by its name.

use prost::Message;
use yiqiao_proto::calls::Method;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::lease::FeedItem;
use yiqiao_proto::limits;
use yiqiao_proto::wire::{calls, words as wire};

use crate::{region, samples};

/// What is said when this word's wire message is changed.
fn refusal<W: Word>(word: &W, change: impl FnOnce(&mut W::Wire)) -> String {
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

#[test]
fn w4_identifiers_of_another_length_or_of_zeros_are_refused() {
    refused! { samples::entry();
        |wire| wire.subject.clear() => "entry.link is missing",
        |wire| wire.entry_id = vec![1; 31] => "entry.entry_id is not valid: 32 bytes, not all zero",
        |wire| wire.document = vec![0; 32] => "entry.document is not valid: 32 bytes, not all zero",
        |wire| wire.replaces = vec![1; 33] => "entry.replaces is not valid: 32 bytes, not all zero",
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
        |wire| wire.act = 11 => "access_event.act has the unknown code 11 (W-6)",
        |wire| wire.outcome = 0 => "access_event.outcome has the unknown code 0 (W-6)",
        |wire| wire.classes.push(17) => "access_event.classes has the unknown code 17 (W-6)",
        |wire| wire.purpose = 8 => "access_event.purpose has the unknown code 8 (W-6)",
        |wire| wire.role = 11 => "access_event.role has the unknown code 11 (W-6)",
    }
    refused! { samples::release();
        |wire| wire.basis = 7 => "release.basis has the unknown code 7 (W-6)",
    }
    refused! { samples::step();
        |wire| wire.step = 13 => "referral_step.step has the unknown code 13 (W-6)",
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
        |wire| wire.policy.get_or_insert_default().default_rule = 5 =>
            "policy.default_rule has the unknown code 5 (W-6)",
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
    refused! { region::list();
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
        |wire| wire.members[0].signing_keys = vec![wire::SigningKey::default(); 33] =>
            "member.signing_keys has 33 items, more than 32",
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
    let chain = "missing exactly in the first of a chain";
    let first = |wire: &mut wire::Entry| wire.previous = vec![1; 32];
    assert_eq!(refusal(&samples::entry(), first), format!("entry.link is not valid: {chain}"));
    let second = |wire: &mut wire::Entry| wire.number = 2;
    assert_eq!(refusal(&samples::entry(), second), format!("entry.link is not valid: {chain}"));
    refused! { samples::entry();
        |wire| wire.number = 0 => "entry.link is not valid: counts from 1",
        |wire| wire.number = u64::MAX => "entry.link is not valid: counts from 1",
        |wire| wire.replaces = wire.entry_id.clone() => "entry.replaces is not valid: another entry than itself",
        |wire| wire.size = limits::DOCUMENT_BYTES_MAX + 1 => "entry.size is not valid: at most 4 GiB",
    }
    refused! { samples::withdrawal();
        |wire| wire.number = 1 => "withdrawal.number is not valid: after the entry that it withdraws",
        |wire| wire.previous.clear() => "withdrawal.link is not valid: missing exactly in the first of a chain",
    }
    refused! { samples::statement();
        |wire| wire.previous = vec![1; 32] =>
            "identity_statement.link is not valid: missing exactly in the first of a chain",
    }
    refused! { region::list();
        |wire| wire.version = 2 => "member_list.previous is not valid: missing exactly in the first of a chain",
    }
}

/// What is said when the directive inside of an act is changed.
fn directive_refusal(change: impl FnOnce(&mut wire::Directive)) -> String {
    refusal(&samples::permit(), |act| {
        let mut said = wire::Directive::decode(act.act.as_slice()).unwrap_or_default();
        change(&mut said);
        act.act = said.encode_to_vec();
    })
}

fn grantee(wire: &mut wire::Directive) -> &mut wire::Grantee {
    wire.grantee.get_or_insert_default()
}

#[test]
fn c2_an_act_of_a_newer_version_is_refused() {
    let newer = "version 1: a newer one needs a newer program";
    assert_eq!(directive_refusal(|wire| wire.version = 2), format!("directive.version is not valid: {newer}"));
    let said = refusal(&samples::revocation(), |act| {
        let mut said = wire::Revocation::decode(act.act.as_slice()).unwrap_or_default();
        said.version = 2;
        act.act = said.encode_to_vec();
    });
    assert_eq!(said, format!("revocation.version is not valid: {newer}"));
}

#[test]
fn c2_a_dimension_that_this_version_does_not_know_is_not_read_over() {
    let unknown = [0xf8, 0x7f, 0x01];
    let said = refusal(&samples::permit(), |act| act.act.extend_from_slice(&unknown));
    assert_eq!(said, "directive has unknown, trailing, repeated or reordered fields (W-2)");
    let said = refusal(&samples::revocation(), |act| act.act.extend_from_slice(&unknown));
    assert_eq!(said, "revocation has unknown, trailing, repeated or reordered fields (W-2)");
}

#[test]
fn c4_a_department_or_practitioner_needs_the_organisation() {
    let needs = "grantee.organisation is not valid: given with a department or practitioner";
    assert_eq!(directive_refusal(|wire| grantee(wire).organisation.clear()), needs);
    let only_practitioner = |wire: &mut wire::Directive| {
        grantee(wire).organisation.clear();
        grantee(wire).department.clear();
    };
    assert_eq!(directive_refusal(only_practitioner), needs);
}

#[test]
fn c7_a_permit_names_one_organisation_and_only_a_forbid_is_an_objection() {
    let everybody = |wire: &mut wire::Directive| *grantee(wire) = wire::Grantee::default();
    let names_one = "directive.grantee is not valid: a permit names one organisation (C-7, PIPL article 23)";
    assert_eq!(directive_refusal(everybody), names_one);
    let basis = "directive.basis is not valid: objection exactly for a forbid";
    assert_eq!(directive_refusal(|wire| wire.basis = 5), basis);
    assert_eq!(directive_refusal(|wire| wire.stance = 2), basis);
    let forbid = |wire: &mut wire::Directive| {
        everybody(wire);
        (wire.stance, wire.basis) = (2, 5);
    };
    assert_eq!(directive_refusal(forbid), "taken");
}

#[test]
fn c5_what_a_directive_speaks_of_is_in_order() {
    let what = |wire: &mut wire::Directive| wire.what.clone().unwrap_or_default();
    let with = |change: &dyn Fn(&mut wire::What)| {
        directive_refusal(|wire| {
            let mut changed = what(wire);
            change(&mut changed);
            wire.what = Some(changed);
        })
    };
    let set = "ascending, none twice";
    assert_eq!(with(&|what| what.entries.reverse()), format!("what.entries is not valid: {set}"));
    assert_eq!(with(&|what| what.classes.reverse()), format!("what.classes is not valid: {set}"));
    assert_eq!(with(&|what| what.sensitivities = vec![1, 1]), format!("what.sensitivities is not valid: {set}"));
    let many = with(&|what| what.entries = (1..=65_u8).map(|byte| vec![byte; 32]).collect());
    assert_eq!(many, "what.entries has 65 items, more than 64");
    let empty = with(&|what| what.service_from = what.service_until);
    assert_eq!(empty, "what.service_until is not valid: after service_from");
    let until = |wire: &mut wire::Directive| wire.valid_until = Some(wire.valid_from);
    assert_eq!(directive_refusal(until), "directive.valid_until is not valid: after valid_from");
}

#[test]
fn c8_an_act_needs_one_whole_proof() {
    refused! { samples::permit();
        |wire| wire.proof = None => "act.proof is missing",
        |wire| wire.proof = Some(wire::Proof { proof: None }) => "act.proof is missing",
        |wire| wire.act.clear() => "directive.version is not valid: version 1: a newer one needs a newer program",
    }
    let passkey = |signature| {
        refusal(&samples::permit(), |wire| {
            let parts = wire::PasskeyAssertion {
                credential_id: vec![1],
                authenticator_data: vec![1],
                client_data_json: vec![1],
                signature,
            };
            wire.proof = Some(wire::Proof { proof: Some(wire::proof::Proof::Passkey(parts)) });
        })
    };
    assert_eq!(passkey(Vec::new()), "passkey.signature is not valid: not empty");
    assert_eq!(passkey(vec![1; 4_097]), "passkey.signature has 4097 bytes, more than 4096");
}

/// The challenge of a passkey is the hash of an act's bytes alone: they must not be readable as the other act.
#[test]
fn c8_no_act_can_be_read_as_the_other() {
    let (permit, revocation) = (samples::permit(), samples::revocation());
    let as_revocation = refusal(&revocation, |wire| wire.act.clone_from(&permit.bytes));
    assert!(as_revocation.starts_with("revocation"), "{as_revocation}");
    let as_directive = refusal(&permit, |wire| wire.act.clone_from(&revocation.bytes));
    assert!(as_directive.starts_with("directive"), "{as_directive}");
}

#[test]
fn r1_a_step_has_two_sides_and_follows_something_unless_it_opens() {
    refused! { samples::step();
        |wire| wire.previous = vec![1; 32] => "referral_step.previous is not valid: missing exactly in a send",
        |wire| wire.step = 2 => "referral_step.previous is not valid: missing exactly in a send",
        |wire| wire.number = 0 => "referral_step.number is not valid: counts from 1",
        |wire| wire.to = wire.from.clone() => "referral_step.to is not valid: another member than from",
    }
}

#[test]
fn a1_the_other_side_of_an_event_is_another_member() {
    refused! { samples::event();
        |wire| wire.counterpart = wire.organisation.clone() =>
            "access_event.counterpart is not valid: another member than the organisation",
        |wire| wire.clause.clear() => "access_event.clause is not valid: not empty",
        |wire| wire.clause = "x".repeat(65) => "access_event.clause has 65 bytes, more than 64",
    }
}

#[test]
fn q5_the_padding_of_an_answer_is_exactly_what_its_size_needs() {
    assert!(samples::answer().encode().len().is_power_of_two());
    refused! { samples::answer();
        |wire| wire.padding[0] = 1 => "search_answer.padding is not valid: zeros up to the size class (Q-5)",
        |wire| wire.padding.clear() => "search_answer.padding is not valid: zeros up to the size class (Q-5)",
        |wire| wire.padding.push(0) => "search_answer.padding is not valid: zeros up to the size class (Q-5)",
        |wire| drop(wire.padding.pop()) => "search_answer.padding is not valid: zeros up to the size class (Q-5)",
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
    let none = refusal(&|head| {
        head.whole = false;
        head.acts.clear();
    });
    assert_eq!(none, "head_change.acts is not valid: one act, or the whole");
    let two = refusal(&|head| {
        head.whole = false;
        head.acts.push(head.acts[0].clone());
    });
    assert_eq!(two, "head_change.acts has 2 items, more than 1");
    assert_eq!(refusal(&|head| head.acts[0].version = 0), "accepted_act.version is not valid: counts from 1");
    assert_eq!(refusal(&|head| head.head = None), "head_change.head is missing");
    assert_eq!(refusal(&|head| head.patient = None), "head_change.patient is missing");
    let nothing = calls::FeedItem { number: 1, previous: vec![1; 32], body: None };
    let said = FeedItem::decode(&nothing.encode_to_vec()).unwrap_err().to_string();
    assert_eq!(said, "feed_item.body is missing");
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
    assert_eq!(envelope_refusal(|wire| wire.kind = 16), "envelope.kind has the unknown code 16 (W-6)");
    let said = envelope_refusal(|wire| wire.key_id = vec![1; 32]);
    assert_eq!(said, "envelope.key_id is not valid: 16 bytes, not all zero");
    let said = envelope_refusal(|wire| wire.signature.clear());
    assert_eq!(said, "envelope.signature is not valid: not empty");
    let said = envelope_refusal(|wire| wire.signature = vec![1; 129]);
    assert_eq!(said, "envelope.signature has 129 bytes, more than 128");
    let said = envelope_refusal(|wire| wire.payload = vec![0; limits::PAYLOAD_BYTES_MAX + 1]);
    assert_eq!(said, "envelope.payload has 1048577 bytes, more than 1048576");
}

/// Suite 2 is kept for SM2, SM3 and SM4: nothing reads it yet.
#[test]
fn s1_the_reserved_suite_is_not_read() {
    assert_eq!(envelope_refusal(|wire| wire.suite = 2), "envelope.suite has the unknown code 2 (W-6)");
}

#[test]
fn h1_methods_and_refusals_are_known_by_their_numbers() {
    let known: Vec<u16> = (0..=u16::MAX).filter(|number| Method::try_from(*number).is_ok()).collect();
    assert_eq!(known, [1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 22]);
    for number in known {
        assert_eq!(Method::try_from(number).unwrap() as u16, number);
    }
    assert_eq!(RefusalCode::try_from(0), Err(0));
    assert_eq!(RefusalCode::ALL.len(), 11);
}
