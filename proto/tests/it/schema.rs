//! What the schema promises as a whole, and the identifiers and keys that follow from fixed rules.

#![expect(clippy::unwrap_used, reason = "what cannot be made here is a failure")]

use yiqiao_proto::codes::KeyUse;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::entry_id;
use yiqiao_proto::member::SigningKey;
use yiqiao_proto::sealed::{Header, Map, Opener, Sealer};
use zeroize::Zeroizing;

use crate::region::{code, list};

const WORDS: &str = include_str!("../../schema/words.proto");
const CALLS: &str = include_str!("../../schema/calls.proto");

/// The fields of a message of the schema: type and name.
fn fields<'a>(schema: &'a str, message: &str) -> Vec<(&'a str, &'a str)> {
    let start = format!("message {message} {{");
    let body = schema.split_once(start.as_str()).unwrap().1.split_once("\n}").unwrap().0;
    let field = |line: &'a str| {
        let mut words = line.trim().split(' ').filter(|word| !matches!(*word, "optional" | "repeated"));
        Some((words.next()?, words.next()?))
    };
    body.lines().filter(|line| line.contains('=')).filter_map(field).collect()
}

#[test]
fn w1_both_schemas_are_proto3_and_number_their_fields_once() {
    for schema in [WORDS, CALLS] {
        assert!(schema.contains("syntax = \"proto3\";"));
        assert!(!schema.contains("map<") && !schema.contains("float") && !schema.contains("double"));
    }
}

#[test]
fn n8_the_index_holds_no_text_but_the_publisher_s_code() {
    for message in ["Entry", "Withdrawal", "IdentityStatement"] {
        let texts: Vec<_> =
            fields(WORDS, message).into_iter().filter(|(kind, _)| *kind == "string").collect();
        assert_eq!(texts, [("string", "publisher")], "{message}");
    }
}

#[test]
fn m1_a_member_s_transports_signing_keys_and_sealing_keys_stand_apart() {
    let list = list();
    let hospital = list.members.iter().find(|member| !member.sealing_keys.is_empty()).unwrap();
    let signing = hospital.signing_keys.iter().map(SigningKey::id);
    assert!(signing.into_iter().all(|id| hospital.sealing_keys.iter().all(|sealing| sealing.id() != id)));
    assert!(!hospital.transports.is_empty() && !hospital.contact.is_empty());
    let registry = list.members.iter().find(|member| member.signing_keys.len() == 3).unwrap();
    let uses: Vec<KeyUse> = registry.signing_keys.iter().map(|signing| signing.for_use).collect();
    assert_eq!(uses, KeyUse::ALL);
}

#[test]
fn n3_an_entry_id_follows_from_the_source_and_only_its_publisher_can_make_it() {
    let of = |key: u8, member: &str, system: &str, id: &str, original: u8| {
        entry_id(&[key; 32], &code(member), system, id, &[original; 32])
    };
    let one = of(1, "a", "lis", "7", 1);
    assert_eq!(one, of(1, "a", "lis", "7", 1));
    let others = [
        of(2, "a", "lis", "7", 1),
        of(1, "b", "lis", "7", 1),
        of(1, "a", "his", "7", 1),
        of(1, "a", "lis", "8", 1),
    ];
    assert!(others.iter().all(|other| *other != one));
    assert_ne!(of(1, "a", "lis", "7", 2), one);
    assert_ne!(of(1, "a", "li", "s7", 1), of(1, "a", "lis", "7", 1));
}

fn seal(key: u8, entropy: u8, document: &[u8]) -> (Map, Vec<u8>) {
    let key = Zeroizing::new([key; 32]);
    let header = Header::new(&key, document.len() as u64, &mut Entropy::new([entropy; 32])).unwrap();
    let mut sealer = Sealer::new(header, &key);
    let mut chunk = document.to_vec();
    sealer.seal(&mut chunk);
    let (header, hashes, id) = sealer.finish();
    (Map::new(id, &header.to_bytes(), hashes).unwrap(), chunk)
}

#[test]
fn z3_the_same_document_under_another_key_or_salt_is_another_ciphertext() {
    let (_, one) = seal(1, 1, b"document");
    let (_, other_salt) = seal(1, 2, b"document");
    let (_, other_key) = seal(2, 1, b"document");
    assert!(one != other_salt && one != other_key && other_salt != other_key);
}

#[test]
fn z6_a_document_of_no_bytes_has_one_chunk_that_opens() {
    let (map, mut chunk) = seal(1, 1, b"");
    assert_eq!((map.header().chunks(), chunk.len()), (1, 16));
    Opener::new(map, &Zeroizing::new([1; 32])).unwrap().open(0, &mut chunk).unwrap();
    assert!(chunk.is_empty());
}

#[test]
fn w3_a_call_of_very_many_empty_items_is_refused_before_they_are_made() {
    use yiqiao_proto::calls::{Call, SubmitRequest};
    let bytes = [0x0a, 0x00].repeat(100_000);
    let refused = SubmitRequest::from_bytes(&bytes).unwrap_err();
    assert_eq!(refused.to_string(), "submit_request has 513 items, more than 512");
}
