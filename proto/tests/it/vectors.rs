//! The frozen vectors of `testdata/`: made from the code, and compared with the files byte for byte.
//!
//! `UPDATE_VECTORS=1` writes the files anew; a changed vector is a changed protocol. `testdata/check.py` computes the same
//! values from the text of `docs/protocol.md` alone.

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use std::fmt::Write;
use std::path::Path;

use prost::Message;
use yiqiao_proto::calls::RangeRequest;
use yiqiao_proto::codes::{KeyUse, Sex, Urgency, Way};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::entry_id;
use yiqiao_proto::envelope::{Envelope, Kind, Word, payload_hash};
use yiqiao_proto::form::{
    BirthDate, Clinical, FormPerson, Impression, ListedDocument, ReferralForm, ReferralReply, Route,
};
use yiqiao_proto::hash;
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::lease::{FeedItem, feed_next, feed_start};
use yiqiao_proto::log::Opening;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::proof::challenge_of;
use yiqiao_proto::sealed::{DocumentKey, Header, Map, Opener, Sealer};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::tree::{self, Hash};
use zeroize::Zeroizing;

use crate::region::{
    self, AUTHORITY, CLINIC, CLINIC_SEALING, HOSPITAL, HOSPITAL_SEALING, PORTAL, REGISTRY,
    REGISTRY_CHECKPOINT, REGISTRY_LEASE, TOKEN,
};
use crate::release::token_of;
use crate::samples;

/// A file of vectors: a line `name = hex` for each.
struct Vectors(String);

impl Vectors {
    fn new(about: &str) -> Self {
        let mut text = String::new();
        for line in about.lines() {
            writeln!(text, "# {}", line.trim()).unwrap();
        }
        Self(text)
    }

    fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        writeln!(self.0, "{name} = {}", hex::encode(value)).unwrap();
    }

    /// Compares with the file, or writes it where that is asked for.
    fn are_frozen_in(&self, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(file);
        if is_set("UPDATE_VECTORS") {
            assert!(!is_set("CI"), "vectors are not rewritten by CI");
            std::fs::write(&path, &self.0).unwrap();
        }
        let frozen = std::fs::read_to_string(&path).unwrap();
        for (line, (ours, frozen)) in (1..).zip(self.0.lines().zip(frozen.lines())) {
            assert_eq!(ours, frozen, "{file}, line {line}");
        }
        assert_eq!(self.0, frozen, "{file} has as many lines");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether the files are to be rewritten is asked of who runs the tests"
)]
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn add_word<W: Word>(vectors: &mut Vectors, word: &W, signer: u8) {
    let envelope = Envelope::sign(&region::region(), word, &region::key(signer));
    vectors.add(&format!("{}.payload", W::NAME), envelope.payload());
    vectors.add(&format!("{}.payload_hash", W::NAME), envelope.payload_hash());
    vectors.add(&format!("{}.signer_seed", W::NAME), [signer; 32]);
    vectors.add(&format!("{}.envelope", W::NAME), envelope.as_bytes());
}

#[test]
fn e2_words_and_envelopes_are_as_frozen() {
    let mut vectors = Vectors::new(
        "One word of each kind in its envelope of suite 1 (W-1, W-2, E-1, E-2).
         region: the region's code as text. signer_seed: the Ed25519 seed. payload_hash: SHA-256 of the payload.",
    );
    vectors.add("region", "demo");
    add_word(&mut vectors, &region::list(), AUTHORITY);
    add_word(&mut vectors, &samples::entry(), HOSPITAL);
    add_word(&mut vectors, &samples::withdrawal(), HOSPITAL);
    add_word(&mut vectors, &samples::statement(), HOSPITAL);
    add_word(&mut vectors, &samples::permit(), PORTAL);
    add_word(&mut vectors, &samples::revocation(), HOSPITAL);
    add_word(&mut vectors, &samples::patient_query(), PORTAL);
    add_word(&mut vectors, &samples::credential(), HOSPITAL);
    add_word(&mut vectors, &samples::event(), HOSPITAL);
    add_word(&mut vectors, &samples::pull_request(), CLINIC);
    add_word(&mut vectors, &samples::release(), HOSPITAL);
    add_word(&mut vectors, &samples::delivery(), CLINIC);
    add_word(&mut vectors, &samples::step(), CLINIC);
    add_word(&mut vectors, &samples::query(), CLINIC);
    add_word(&mut vectors, &samples::answer(), REGISTRY);
    add_word(&mut vectors, &samples::lease(), REGISTRY_LEASE);
    vectors.are_frozen_in("words.txt");
}

#[test]
fn s4_key_names_and_countersignatures_are_as_frozen() {
    let mut vectors = Vectors::new(
        "Keys of suite 1 from their seeds, and their names by use: words, checkpoints, leases (S-4).
         sealing: an X25519 key derived from its seed (DeriveKeyPair of RFC 9180), its name, and the
         countersignature of the clinic's words key (M-4).",
    );
    let key = region::key(HOSPITAL);
    vectors.add("signing.seed", [HOSPITAL; 32]);
    vectors.add("signing.public", key.public().as_bytes());
    for for_use in KeyUse::ALL {
        vectors.add(&format!("signing.id.{}", for_use.number()), key.public().id(*for_use));
    }
    let sealing = region::sealing("clinic", CLINIC_SEALING, CLINIC);
    vectors.add("region", "demo");
    vectors.add("sealing.member", "clinic");
    vectors.add("sealing.seed", [CLINIC_SEALING; 32]);
    vectors.add("sealing.public", sealing.public_key);
    vectors.add("sealing.id", sealing.id());
    vectors.add("sealing.signer_seed", [CLINIC; 32]);
    vectors.add("sealing.signer", sealing.signer);
    vectors.add("sealing.countersignature", &sealing.countersignature);
    vectors.are_frozen_in("keys.txt");
}

#[test]
fn l3_leaves_roots_proofs_and_checkpoints_are_as_frozen() {
    let mut vectors = Vectors::new(
        "The log (L-2, L-3, L-5, L-6). Eight leaves of the envelope of the entry in words.txt, which differ in
         seq (leaf n has seq n), term 3, accepted at 1780000000500; all with one salt.
         root.n: the tree over the first n leaves. inclusion.2.7: of leaf 2 in the tree of 7.
         consistency.3.8: between the trees of 3 and 8. Proofs are hashes one after another, from the leaf up.",
    );
    let envelope = samples::said_entry();
    let openings: Vec<Opening> = (0..8).map(|seq| samples::opening(seq, &envelope)).collect();
    vectors.add("region", "demo");
    vectors.add("salt", openings[0].salt);
    vectors.add("commitment", openings[0].commitment());
    let mut stored: Vec<Hash> = Vec::new();
    vectors.add("root.0", tree::empty_root());
    for opening in &openings {
        let leaf = opening.leaf(&region::region(), Kind::Entry);
        vectors.add(&format!("leaf.{}", leaf.seq), leaf.to_bytes());
        vectors.add(&format!("leaf_hash.{}", leaf.seq), leaf.hash());
        let more = tree::append(stored.as_slice(), leaf.seq, leaf.hash()).unwrap();
        stored.extend(more);
        let size = leaf.seq + 1;
        vectors.add(&format!("root.{size}"), tree::root(stored.as_slice(), size).unwrap());
    }
    let inclusion = tree::prove_inclusion(stored.as_slice(), 2, 7).unwrap();
    vectors.add("inclusion.2.7", inclusion.as_flattened());
    let consistency = tree::prove_consistency(stored.as_slice(), 3, 8).unwrap();
    vectors.add("consistency.3.8", consistency.as_flattened());
    let root = tree::root(stored.as_slice(), 8).unwrap();
    let checkpoint = yiqiao_proto::note::Checkpoint { root, ..samples::checkpoint() };
    vectors.add("checkpoint.seed", [REGISTRY_CHECKPOINT; 32]);
    vectors.add("checkpoint.note", checkpoint.sign(&region::key(REGISTRY_CHECKPOINT)));
    vectors.are_frozen_in("log.txt");
}

#[test]
fn f2_the_chain_of_a_feed_is_as_frozen() {
    let mut vectors = Vectors::new(
        "The feed of the member `hospital` (F-1, F-2): the chain before the first item, and after each item.
         head: version (8 bytes) and root of a patient's head over two directives {accepted at version, commitment} (C-10).",
    );
    let mut chain = feed_start(&region::region(), &region::code("hospital"));
    vectors.add("region", "demo");
    vectors.add("member", "hospital");
    vectors.add("chain.0", chain);
    for item in samples::feed() {
        let bytes = item.encode();
        assert_eq!(FeedItem::decode(&bytes).unwrap(), item);
        chain = feed_next(&chain, &bytes);
        vectors.add(&format!("item.{}", item.number), bytes);
        vectors.add(&format!("chain.{}", item.number), chain);
    }
    let in_force = [(3, samples::digest(0x9a)), (5, samples::digest(0x9b))];
    for (at, (version, commitment)) in in_force.iter().enumerate() {
        let version: u64 = *version;
        vectors.add(&format!("head.directive.{at}.version"), version.to_be_bytes());
        vectors.add(&format!("head.directive.{at}.commitment"), commitment);
    }
    vectors.add("head.root", Head::of(5, in_force).root);
    vectors.add("head.empty_root", Head::empty().root);
    vectors.are_frozen_in("feed.txt");
}

#[test]
fn n2_links_ids_and_challenges_are_as_frozen() {
    let mut vectors = Vectors::new(
        "Hashes by W-7. entry_id: HMAC-SHA-256 (N-3). link: the commitment of the withdrawal in words.txt (N-2).
         challenge: of the directive's act in words.txt (C-8); together: of that act and of the one with the hash `other`,
         signed at once. salted: a commitment under one salt to the parts
         `staff` and `7` (C-8, A-3).",
    );
    vectors.add("region", "demo");
    let original = hash::blake3(&[b"original bytes"]);
    let id = entry_id(&[0x61; 32], &region::code("hospital"), "his", "DOC-1", &original);
    vectors.add("entry_id.key", [0x61; 32]);
    vectors.add("entry_id.organisation", "hospital");
    vectors.add("entry_id.system", "his");
    vectors.add("entry_id.source_id", "DOC-1");
    vectors.add("entry_id.original", "original bytes");
    vectors.add("entry_id.original_hash", original);
    vectors.add("entry_id", id);
    let link = samples::second_link();
    vectors.add("link.salt", link.salt);
    vectors.add("link.number", link.number.to_be_bytes());
    vectors.add("link.previous", link.previous.unwrap());
    vectors.add("link.replaces", []);
    vectors.add("link", link.commitment());
    let permit = samples::permit();
    vectors.add("challenge.act", &permit.bytes);
    let challenge = permit.challenge(&region::region());
    vectors.add("challenge", challenge);
    let other = Digest::new([0xff; 32]).unwrap();
    vectors.add("together.other", other);
    vectors.add("together", challenge_of(&[challenge, other]));
    vectors.add("salted.salt", [0x62; 32]);
    vectors.add("salted", hash::salted(&[0x62; 32], &[b"staff", b"7"]));
    vectors.are_frozen_in("hashes.txt");
}

#[test]
fn t4_tokens_are_as_frozen() {
    let mut vectors = Vectors::new(
        "Tokens of fictitious people (T-1 to T-4). seed: the token key of epoch 1 is DeriveKeyPair of RFC 9497 for
         ristretto255-SHA512 in VOPRF mode, from this seed and the info `yiqiao/token/1`. identifier: as normalised.",
    );
    vectors.add("region", "demo");
    vectors.add("seed", [TOKEN; 32]);
    vectors.add("public", region::token_secret().public().public_key);
    let people = [
        ("resident", "11010519491231002X", Identifier::resident_id("11010519491231002x").unwrap()),
        ("card", "A12345678", Identifier::health_card("a1234-5678").unwrap()),
        ("permit", "CAN110067050101", Identifier::permit("can110067050101").unwrap()),
    ];
    for (name, normalised, identifier) in people {
        vectors.add(&format!("{name}.kind"), (identifier.kind() as u32).to_be_bytes());
        vectors.add(&format!("{name}.identifier"), normalised);
        vectors.add(&format!("{name}.token"), token_of(&identifier, 1).value);
    }
    vectors.are_frozen_in("tokens.txt");
}

#[test]
fn z5_a_sealed_document_is_as_frozen() {
    let mut vectors = Vectors::new(
        "A sealed document (Z-1 to Z-6) of 262,149 bytes, so of two chunks: byte n of the plain text is n mod 251.
         The first chunk is given by its hash alone. empty: the document of no bytes under the same key.",
    );
    let key: DocumentKey = Zeroizing::new(samples::DOCUMENT_KEY);
    vectors.add("key", *key);
    for (name, length, seed) in [("two", 262_149_usize, 0x31), ("empty", 0, 0x32)] {
        let plain: Vec<u8> = (0_u8..251).cycle().take(length).collect();
        let (map, chunks) = seal(&plain, &key, seed);
        let document = yiqiao_proto::sealed::document_id(map.header(), map.chunks());
        vectors.add(&format!("{name}.header"), map.header().to_bytes());
        for (number, hash) in map.chunks().iter().enumerate() {
            vectors.add(&format!("{name}.chunk_hash.{number}"), hash);
        }
        let mut last = chunks.last().unwrap().clone();
        vectors.add(&format!("{name}.last_chunk"), &last);
        vectors.add(&format!("{name}.document"), document);
        let last_number = map.header().chunks() - 1;
        Opener::new(map, &key).unwrap().open(last_number, &mut last).unwrap();
        assert!(plain.ends_with(&last));
    }
    vectors.are_frozen_in("sealed.txt");
}

fn seal(plain: &[u8], key: &DocumentKey, seed: u8) -> (Map, Vec<Vec<u8>>) {
    let header = Header::new(key, plain.len() as u64, &mut Entropy::new([seed; 32])).unwrap();
    let chunk_bytes = usize::try_from(header.chunk_bytes).unwrap();
    let mut sealer = Sealer::new(header, key);
    let mut chunks: Vec<Vec<u8>> = plain.chunks(chunk_bytes).map(<[u8]>::to_vec).collect();
    if chunks.is_empty() {
        chunks.push(Vec::new());
    }
    for chunk in &mut chunks {
        sealer.seal(chunk);
    }
    let (header, hashes, document) = sealer.finish();
    (Map::new(document, &header.to_bytes(), hashes).unwrap(), chunks)
}

#[test]
fn p3_what_is_sealed_to_a_recipient_is_as_frozen() {
    let mut vectors = Vectors::new(
        "HPKE, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (P-3, R-2). The sealed bytes are the
         encapsulated key (32) and the ciphertext. Associated data: the release, and the step, of words.txt without the
         hash of the wrapped key, and without the sealed body. seed: of the recipient's key, as in keys.txt.",
    );
    let (release, wrapped) = samples::wrapped();
    assert_eq!(payload_hash(&wrapped), release.wrapped_key_hash);
    vectors.add("release.info", "yiqiao/release/1");
    vectors.add("release.seed", [CLINIC_SEALING; 32]);
    vectors.add("release.wrapped_key", &wrapped);
    vectors.add("release.document_key", samples::DOCUMENT_KEY);
    vectors.add("release.wrapped_key_hash", release.wrapped_key_hash);
    vectors.add("step.info", "yiqiao/referral/1");
    vectors.add("step.seed", [HOSPITAL_SEALING; 32]);
    vectors.add("step.sealed_body", samples::step().sealed_body);
    vectors.add("step.body", samples::REFERRAL_BODY);
    vectors.are_frozen_in("hpke.txt");
}

#[test]
fn h1_messages_of_calls_are_as_frozen() {
    use yiqiao_proto::wire::calls as wire;
    let mut vectors = Vectors::new(
        "Messages of calls (H-1): a range of a document (P-6), a receipt (L-7), a refusal (H-2), a submission with a
         link beside the word (N-2), a request for a lease (F-6).",
    );
    let range = RangeRequest { request: vec![0x11; 32], first_chunk: 16, chunks: 16 };
    vectors.add("range_request", range.encode_to_vec());
    let receipt = wire::Receipt {
        seq: 7,
        term: 3,
        accepted_at: Timestamp::default().unix_ms() + 1_780_000_000_500,
        salt: vec![0x5a; 32],
        path: vec![vec![0x12; 32], vec![0x13; 32]],
        checkpoint: b"note".to_vec(),
        envelope: Vec::new(),
    };
    vectors.add("receipt", receipt.encode_to_vec());
    let refused = wire::Refused { code: 8, clause: "P-4".to_owned(), retry_after_ms: 0 };
    vectors.add("refused", refused.encode_to_vec());
    let submitted = wire::Submitted {
        envelope: samples::said_entry().as_bytes().to_vec(),
        link: Some(samples::first_link().write()),
    };
    vectors.add("submit_request", wire::SubmitRequest { words: vec![submitted] }.encode_to_vec());
    let lease =
        wire::LeaseRequest { nonce: vec![0x83; 32], term: 3, feed_number: 2, feed_chain: vec![0x98; 32] };
    vectors.add("lease_request", lease.encode_to_vec());
    vectors.are_frozen_in("calls.txt");
}

/// A form with every field.
fn form() -> ReferralForm {
    let hidden = |text: &str| Phi::new(text.to_owned());
    let entry = samples::entry();
    ReferralForm {
        person: FormPerson {
            identifiers: vec![Identifier::resident_id("11010519491231002X").unwrap()],
            name: hidden("张三"),
            sex: Phi::new(Sex::Female),
            birth: Phi::new(BirthDate { year: 1949, month: 12, day: 31 }),
            phone: hidden("13800000000"),
        },
        tokens: vec![samples::token(0x71)],
        route: Route {
            from_department: Some(Code::new("cardiology").unwrap()),
            physician: hidden("李四"),
            physician_phone: hidden("13900000000"),
            to_department: Some(Code::new("general").unwrap()),
            urgency: Urgency::Urgent,
            way: Way::Down,
        },
        clinical: Phi::new(Clinical {
            reason: "康复".to_owned(),
            impressions: vec![Impression { text: "冠心病".to_owned(), code: "I25.1".to_owned() }],
            present_history: "胸痛\n三天".to_owned(),
            past_history: "无".to_owned(),
            treatment: "支架".to_owned(),
            plan: "随访".to_owned(),
        }),
        documents: vec![ListedDocument {
            holder: entry.publisher,
            entry_id: entry.entry_id,
            document: entry.document,
            size: entry.size,
            class: entry.class,
            document_type: entry.document_type,
            format: entry.format,
            sensitivity: entry.sensitivity,
            service_start: Timestamp::from_unix_ms(1_780_000_000_000),
            service_end: Timestamp::from_unix_ms(1_780_000_001_000),
            created_at: Timestamp::from_unix_ms(1_780_000_002_000).unwrap(),
            title: hidden("血常规"),
        }],
        directives: vec![yiqiao_proto::id::DirectiveId::new([0xc1; 32]).unwrap()],
        answer_until: Timestamp::from_unix_ms(1_780_000_003_000),
    }
}

#[test]
fn r6_bodies_of_referral_steps_are_as_frozen() {
    let mut vectors = Vectors::new("Bodies of referral steps before they are sealed (R-6): a form, a reply.");
    vectors.add("form", form().encode());
    let reply = ReferralReply {
        reason: "床位".to_owned(),
        appointment: Timestamp::from_unix_ms(1_780_000_004_000),
        place: "二楼".to_owned(),
        answer: "好转".to_owned(),
        contact: "8421".to_owned(),
    };
    vectors.add("reply", reply.encode());
    vectors.are_frozen_in("forms.txt");
    assert_eq!(ReferralForm::decode(&form().encode()).as_ref(), Ok(&form()));
}
