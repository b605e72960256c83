//! Who may say what, with which key, and when it counts (E-2 to E-7, M-4 to M-9, S-3).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "fixed content that is known to be valid")]

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{KeyUse, MemberRole};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::directory::{Directory, ListError, SignerError};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::{Entry, IdentityStatement, Withdrawal};
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::lease::Lease;
use yiqiao_proto::member::{KeyState, MemberList};
use yiqiao_proto::proof::Proof;
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};
use yiqiao_proto::wire::words as wire;

use crate::codec::for_all;
use crate::region::{
    AUTHORITY, BUREAU, CLINIC, HOSPITAL, PORTAL, REGISTRY, REGISTRY_CHECKPOINT, REGISTRY_LEASE, WORDS_KEYS,
    code, directory, directory_of, directory_with, key, list, member_of, region, signed, signing,
};
use crate::{samples, strategies};

fn check<W: Word>(envelope: &Envelope, directory: &Directory) -> Result<Verified<W>, EnvelopeError> {
    Verified::check(envelope.clone(), directory, Said::Now)
}

fn said<W: Word>(word: &W, seed: u8) -> Envelope {
    Envelope::sign(&region(), word, &key(seed))
}

/// The same envelope with other fields, as if its bytes had been bent on the way.
fn bent(envelope: &Envelope, change: impl FnOnce(&mut wire::Envelope)) -> Envelope {
    let mut wire: wire::Envelope = prost::Message::decode(envelope.as_bytes()).unwrap();
    change(&mut wire);
    Envelope::decode(&prost::Message::encode_to_vec(&wire)).unwrap()
}

// ---- What a signature covers ----

#[test]
fn e2_nothing_of_an_envelope_can_be_changed() {
    let envelope = said(&samples::entry(), HOSPITAL);
    check::<Entry>(&envelope, &directory()).unwrap();
    let wrong = Err(EnvelopeError::BadSignature);
    for at in 0..envelope.payload().len() {
        let other = bent(&envelope, |wire| wire.payload[at] ^= 1);
        assert_eq!(check::<Entry>(&other, &directory()), wrong, "payload {at}");
    }
    for at in 0..64 {
        let other = bent(&envelope, |wire| wire.signature[at] ^= 1);
        assert_eq!(check::<Entry>(&other, &directory()), wrong, "signature {at}");
    }
    let cut = bent(&envelope, |wire| wire.signature.truncate(63));
    assert_eq!(check::<Entry>(&cut, &directory()), wrong);
    let longer = bent(&envelope, |wire| wire.signature.push(0));
    assert_eq!(check::<Entry>(&longer, &directory()), wrong);
    let suite = bent(&envelope, |wire| wire.suite = 0);
    assert_eq!(check::<Entry>(&suite, &directory()), wrong);
}

#[test]
fn e2_a_word_of_another_region_does_not_count_here() {
    let elsewhere = Envelope::sign(&code("elsewhere"), &samples::entry(), &key(HOSPITAL));
    assert_eq!(check::<Entry>(&elsewhere, &directory()), Err(EnvelopeError::BadSignature));
}

/// A statement without tokens and a withdrawal could share bytes; the kind is signed, so neither stands for the other.
#[test]
fn e2_a_signature_is_of_one_kind() {
    let envelope = said(&samples::entry(), HOSPITAL);
    let as_withdrawal = bent(&envelope, |wire| wire.kind = Kind::Withdrawal.number());
    assert_eq!(check::<Withdrawal>(&as_withdrawal, &directory()), Err(EnvelopeError::BadSignature));
}

#[test]
fn e3_the_payload_is_verified_as_it_came_and_then_read_strictly() {
    let entry = samples::entry();
    let payload = [entry.encode(), vec![0xf8, 0x7f, 0x01]].concat();
    let secret = key(HOSPITAL);
    // Signed well, and not what this version would write: the member said it, and it is still refused.
    let envelope = envelope_over(&payload, Kind::Entry, &secret);
    let refused = check::<Entry>(&envelope, &directory());
    assert_eq!(refused, Err(EnvelopeError::Decode(DecodeError::NotCanonical { what: "entry" })));
}

/// An envelope with any payload, signed as E-2 says.
fn envelope_over(payload: &[u8], kind: Kind, secret: &SecretKey) -> Envelope {
    let suite = secret.public().suite().number();
    let key_id = secret.public().id(kind.key_use());
    let numbers = [suite.to_be_bytes(), kind.number().to_be_bytes()].concat();
    let region = region();
    let parts: [&[u8]; 5] =
        [b"yiqiao/envelope/1", region.as_str().as_bytes(), &numbers, key_id.as_bytes(), payload];
    let mut signed = Vec::new();
    for part in parts {
        signed.extend_from_slice(&(part.len() as u64).to_be_bytes());
        signed.extend_from_slice(part);
    }
    let wire = wire::Envelope {
        suite,
        key_id: key_id.as_bytes().to_vec(),
        kind: kind.number(),
        payload: payload.to_vec(),
        signature: secret.sign(&signed),
    };
    Envelope::decode(&prost::Message::encode_to_vec(&wire)).unwrap()
}

#[test]
fn e4_another_kind_than_the_one_wanted_is_refused() {
    let envelope = said(&samples::entry(), HOSPITAL);
    let wrong = EnvelopeError::WrongKind { expected: Kind::Withdrawal, found: Kind::Entry };
    assert_eq!(check::<Withdrawal>(&envelope, &directory()), Err(wrong));
}

// ---- Who may say what ----

#[test]
fn e5_each_role_says_its_kinds_and_no_other() {
    use MemberRole::{Custodian, Portal, Registry};
    let allowed = |kind: Kind| match kind {
        Kind::MemberList => vec![],
        Kind::Entry
        | Kind::Withdrawal
        | Kind::IdentityStatement
        | Kind::Release
        | Kind::Delivery
        | Kind::ReferralStep
        | Kind::PullRequest
        | Kind::SearchQuery => vec![Custodian],
        Kind::Directive
        | Kind::Revocation
        | Kind::CredentialStatement
        | Kind::PatientQuery
        | Kind::AuditAnchor => vec![Custodian, Portal],
        Kind::AccessEvent => vec![Custodian, Portal, Registry],
        Kind::SearchAnswer | Kind::Lease | Kind::Inventory => vec![Registry],
    };
    let directory = directory_with(|list| {
        // Everybody has a key of each use, so that only roles decide.
        for (at, member) in (100..).step_by(10).zip(&mut list.members) {
            member.signing_keys =
                (at..).zip(KeyUse::ALL).map(|(seed, for_use)| signing(seed, *for_use)).collect();
            member.sealing_keys.clear();
        }
    });
    for member in &directory.list().members {
        for kind in (1..=16).chain([40, 60]).map(|number| Kind::try_from(number).unwrap()) {
            for signing in &member.signing_keys {
                let found = directory.signer(signing.id(), kind, Said::Now);
                let role = member.roles.iter().all(|role| allowed(kind).contains(role));
                let name = format!("{} {kind:?} {:?}", member.code, signing.for_use);
                if signing.for_use != kind.key_use() {
                    assert!(matches!(found, Err(SignerError::UnknownKey { .. })), "{name}");
                } else if role {
                    assert_eq!(found, Ok((&member.code, &signing.key)), "{name}");
                } else {
                    let refused = SignerError::NotItsRole { member: member.code.clone(), kind };
                    assert_eq!(found, Err(refused), "{name}");
                }
            }
        }
    }
}

#[test]
fn e5_the_authority_says_member_lists_and_nothing_else() {
    let envelope = said(&samples::entry(), AUTHORITY);
    assert!(matches!(
        check::<Entry>(&envelope, &directory()),
        Err(EnvelopeError::Signer(SignerError::UnknownKey { .. }))
    ));
    for (_, seed) in WORDS_KEYS {
        let envelope = signed(&list(), seed);
        let refused = Directory::first(&region(), &key(AUTHORITY).public(), &envelope);
        assert_eq!(refused.unwrap_err(), ListError::Envelope(EnvelopeError::BadSignature));
        assert!(check::<MemberList>(&envelope, &directory()).is_err(), "no member says a list");
    }
}

#[test]
fn e6_the_member_that_a_word_names_is_the_one_that_signs() {
    /// The sample of each word names its signer; the other custodian may sign the kind, but not this word.
    fn only_by<W: Word + PartialEq + std::fmt::Debug>(word: &W, signer: u8, other: u8) {
        assert_eq!(check::<W>(&said(word, signer), &directory()).unwrap().word(), word);
        let refused = check::<W>(&said(word, other), &directory());
        assert!(matches!(refused, Err(EnvelopeError::OtherSayer { kind, .. }) if kind == W::KIND));
    }
    only_by(&samples::entry(), HOSPITAL, CLINIC);
    only_by(&samples::withdrawal(), HOSPITAL, CLINIC);
    only_by(&samples::statement(), HOSPITAL, CLINIC);
    only_by(&samples::credential(), HOSPITAL, CLINIC);
    only_by(&samples::event(), HOSPITAL, CLINIC);
    only_by(&samples::release(), HOSPITAL, CLINIC);
    only_by(&samples::delivery(), CLINIC, HOSPITAL);
    only_by(&samples::step(), CLINIC, HOSPITAL);
    only_by(&samples::pull_request(), CLINIC, HOSPITAL);
    only_by(&samples::query(), CLINIC, HOSPITAL);
    only_by(&samples::revocation(), HOSPITAL, CLINIC);
    let attested: Act<Directive> = Act::new(samples::directive(), samples::logged_in(&code("hospital")));
    only_by(&attested, HOSPITAL, CLINIC);
}

#[test]
fn e6_what_a_passkey_proves_any_member_may_bring() {
    assert!(matches!(samples::permit().proof, Proof::Passkey(_)));
    for seed in [HOSPITAL, CLINIC, PORTAL] {
        check::<Act<Directive>>(&said(&samples::permit(), seed), &directory()).unwrap();
    }
}

#[test]
fn e7_a_word_that_is_meant_for_another_member_is_refused() {
    fn only_for<W: Word>(word: &W, signer: u8, addressee: &str) {
        for member in ["clinic", "hospital", "portal"] {
            let verified = check::<W>(&said(word, signer), &directory()).ok().unwrap();
            assert_eq!(verified.meant_for(&code(member)).is_ok(), member == addressee, "{}", W::NAME);
        }
    }
    only_for(&samples::release(), HOSPITAL, "clinic");
    only_for(&samples::pull_request(), CLINIC, "hospital");
    only_for(&samples::step(), CLINIC, "hospital");
    only_for(&samples::lease(), REGISTRY_LEASE, "hospital");
}

// ---- Keys and their states ----

#[test]
fn m4_a_key_signs_for_its_use_alone() {
    check::<Lease>(&said(&samples::lease(), REGISTRY_LEASE), &directory()).unwrap();
    for seed in [REGISTRY, REGISTRY_CHECKPOINT] {
        let refused = check::<Lease>(&said(&samples::lease(), seed), &directory());
        assert!(matches!(refused, Err(EnvelopeError::Signer(SignerError::UnknownKey { .. }))), "{seed}");
    }
    let answer = said(&samples::answer(), REGISTRY_LEASE);
    assert!(check::<yiqiao_proto::search::SearchAnswer>(&answer, &directory()).is_err());
}

#[test]
fn m6_what_a_key_signed_counts_by_its_state_and_its_place_in_the_log() {
    let envelope = said(&samples::entry(), HOSPITAL);
    let judge = |state: KeyState, said: Said| {
        let directory = directory_with(|list| {
            let hospital = member_of(list, "hospital");
            hospital.sealing_keys.clear();
            hospital.signing_keys[0].state = state;
        });
        match Verified::<Entry>::check(envelope.clone(), &directory, said) {
            Ok(_) => "counts",
            Err(EnvelopeError::Signer(SignerError::KeyNoLongerSigns { .. })) => "no longer signs",
            Err(EnvelopeError::Signer(SignerError::Compromised { .. })) => "compromised",
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(judge(KeyState::Valid, Said::Now), "counts");
    assert_eq!(judge(KeyState::Valid, Said::AtSeq(u64::MAX)), "counts");
    assert_eq!(judge(KeyState::Retired, Said::Now), "no longer signs");
    assert_eq!(judge(KeyState::Retired, Said::AtSeq(u64::MAX)), "counts");
    assert_eq!(judge(KeyState::CompromisedSince(10), Said::Now), "compromised");
    assert_eq!(judge(KeyState::CompromisedSince(10), Said::AtSeq(9)), "counts");
    assert_eq!(judge(KeyState::CompromisedSince(10), Said::AtSeq(10)), "compromised");
    assert_eq!(judge(KeyState::CompromisedSince(10), Said::AtSeq(11)), "compromised");
    assert_eq!(judge(KeyState::CompromisedSince(0), Said::AtSeq(0)), "compromised");
    assert_eq!(judge(KeyState::CompromisedSince(0), Said::Own), "counts");
}

#[test]
fn m7_a_suspended_member_says_nothing_and_what_it_said_stays() {
    let directory = directory_with(|list| member_of(list, "hospital").suspended = true);
    let envelope = said(&samples::entry(), HOSPITAL);
    let suspended = SignerError::Suspended { member: code("hospital") };
    assert_eq!(check::<Entry>(&envelope, &directory), Err(EnvelopeError::Signer(suspended)));
    Verified::<Entry>::check(envelope, &directory, Said::AtSeq(3)).unwrap();
    let peer = &directory.member(&code("hospital")).unwrap().transports[0].peer_id;
    assert_eq!(directory.member_at(peer), None, "its connections are closed (M-11)");
}

// ---- Suites ----

/// Points of the curve whose order divides eight, in every encoding that a decoder of ZIP-215 takes.
fn small_order_points() -> Vec<[u8; 32]> {
    let hex = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    hex.iter().map(|point| hex::decode(point).unwrap().try_into().unwrap()).collect()
}

#[test]
fn s3_no_key_of_small_order_gets_into_a_list() {
    for point in small_order_points() {
        assert!(PublicKey::new(Suite::International, &point).is_err(), "{}", hex::encode(point));
        let mut wire = list().write();
        wire.members[0].signing_keys[0].public_key = point.to_vec();
        let refused = MemberList::decode(&prost::Message::encode_to_vec(&wire)).unwrap_err();
        let rule = "signing_key.public_key is not valid: a public key of its suite, not of small order (S-3)";
        assert_eq!(refused.to_string(), rule);
        wire = list().write();
        wire.authority.get_or_insert_default().public_key = point.to_vec();
        assert!(MemberList::decode(&prost::Message::encode_to_vec(&wire)).is_err());
    }
}

/// One envelope of a batch, good or spoilt in one way.
fn batched() -> impl Strategy<Value = Envelope> {
    let words = prop_oneof![
        4 => strategies::entry().prop_map(|mut entry| {
            entry.publisher = code("hospital");
            said(&entry, HOSPITAL)
        }),
        1 => strategies::entry().prop_map(|entry| said(&entry, HOSPITAL)),
        1 => Just(said(&samples::entry(), HOSPITAL)),
        1 => Just(said(&samples::entry(), BUREAU)),
        1 => Just(said(&samples::entry(), AUTHORITY)),
        1 => Just(said(&samples::statement(), HOSPITAL)),
        1 => Just(Envelope::sign(&code("elsewhere"), &samples::entry(), &key(HOSPITAL))),
        1 => Just(envelope_over(b"no entry", Kind::Entry, &key(HOSPITAL))),
    ];
    let spoilt = prop_oneof![
        6 => Just(Spoilt::Not),
        1 => any::<Index>().prop_map(Spoilt::Bit),
        1 => select(small_order_points()).prop_map(Spoilt::Point),
        1 => select(small_order_points()).prop_map(Spoilt::PointAndZero),
        1 => Just(Spoilt::Length),
        1 => Just(Spoilt::Suite),
    ];
    (words, spoilt).prop_map(|(envelope, spoilt)| match spoilt {
        Spoilt::Not => envelope,
        Spoilt::Bit(index) => bent(&envelope, |wire| wire.signature[index.index(64)] ^= 4),
        Spoilt::Point(point) => bent(&envelope, |wire| wire.signature[..32].copy_from_slice(&point)),
        Spoilt::PointAndZero(point) => bent(&envelope, |wire| {
            wire.signature = [point, [0; 32]].concat();
        }),
        Spoilt::Length => bent(&envelope, |wire| wire.signature.truncate(63)),
        Spoilt::Suite => bent(&envelope, |wire| wire.suite = 0),
    })
}

#[derive(Clone, Debug)]
enum Spoilt {
    Not,
    Bit(Index),
    Point([u8; 32]),
    PointAndZero([u8; 32]),
    Length,
    Suite,
}

#[test]
fn s3_many_together_are_judged_as_each_alone() {
    let directory = directory();
    for_all(40, (vec(batched(), 0..12), any::<[u8; 32]>()), |(envelopes, seed)| {
        let alone: Vec<_> = envelopes.iter().map(|envelope| check::<Entry>(envelope, &directory)).collect();
        let together = Verified::<Entry>::check_all(envelopes, &directory, &mut Entropy::new(seed));
        assert_eq!(together, alone);
    });
}

#[test]
fn s3_a_good_batch_is_good_and_one_bad_signature_spoils_only_itself() {
    let directory = directory();
    let mut envelopes = vec![said(&samples::statement(), HOSPITAL); 20];
    let mut entropy = Entropy::new([1; 32]);
    let all = Verified::<IdentityStatement>::check_all(envelopes.clone(), &directory, &mut entropy);
    assert!(all.iter().all(Result::is_ok));
    envelopes[7] = bent(&envelopes[7], |wire| wire.signature[0] ^= 1);
    let all = Verified::<IdentityStatement>::check_all(envelopes, &directory, &mut entropy);
    let bad: Vec<usize> = (0..20).filter(|place| all[*place].is_err()).collect();
    assert_eq!(bad, [7]);
}

#[test]
fn m9_the_registry_says_events_of_its_own_name() {
    let searched = AccessEvent { organisation: code("registry"), audit_line: None, ..samples::event() };
    check::<AccessEvent>(&said(&searched, REGISTRY), &directory()).unwrap();
    assert!(check::<AccessEvent>(&said(&searched, HOSPITAL), &directory()).is_err());
    assert_eq!(directory_of(&list()).payload_hash(), signed(&list(), AUTHORITY).payload_hash());
}
