//! What is sealed to a recipient opens there, under the same facts, and nowhere else (P-2, P-3, R-2); and tokens (T-1, T-4).

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::sample::Index;
use yiqiao_proto::codes::ReferralAct;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::{Word, payload_hash};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::referral::{ReferralStep, StepFacts};
use yiqiao_proto::release::{Agree, Release, SealingSecret, Terms, WrapError};
use yiqiao_proto::token::{Blinding, Token};
use zeroize::Zeroizing;

use crate::codec::for_all;
use crate::region::{self, CLINIC_SEALING, HOSPITAL_SEALING};
use crate::{samples, strategies};

fn secret(seed: [u8; 32]) -> SealingSecret {
    SealingSecret::new(&Zeroizing::new(seed))
}

/// A release as it comes out of its bytes.
fn travelled(release: &Release) -> Release {
    Release::decode(&release.encode()).unwrap()
}

#[test]
fn p3_the_recipient_takes_out_the_key_that_was_wrapped() {
    let seeds = any::<[[u8; 32]; 3]>();
    for_all(16, (strategies::terms(), seeds), |(terms, [recipient, key, entropy])| {
        let recipient = secret(recipient);
        let key = Zeroizing::new(key);
        let (release, wrapped) =
            Release::wrap(terms, &key, &recipient.public(), &mut Entropy::new(entropy)).unwrap();
        assert_eq!(travelled(&release).unwrap_key(&wrapped, &recipient).unwrap(), key);
    });
}

/// A private key that is not handed out.
struct There(x25519_dalek::StaticSecret);

impl Agree for There {
    fn agree(&self, public: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        Some(Zeroizing::new(self.0.diffie_hellman(&(*public).into()).to_bytes()))
    }
}

#[test]
fn p3_a_key_that_is_elsewhere_opens_the_same_and_nothing_else() {
    let seeds = any::<[[u8; 32]; 3]>();
    for_all(16, (strategies::terms(), seeds), |(terms, [recipient, key, entropy])| {
        let there = There(recipient.into());
        let public = x25519_dalek::PublicKey::from(&there.0).to_bytes();
        let recipient = SealingSecret::elsewhere(public, Arc::new(there));
        let key = Zeroizing::new(key);
        let (release, wrapped) = Release::wrap(terms, &key, &public, &mut Entropy::new(entropy)).unwrap();
        assert_eq!(release.unwrap_key(&wrapped, &recipient).unwrap(), key);
        for at in [0, 31, 32, wrapped.len() - 1] {
            let mut bent = wrapped.clone();
            bent[at] ^= 1;
            let fitting = Release { wrapped_key_hash: payload_hash(&bent), ..release.clone() };
            assert_eq!(fitting.unwrap_key(&bent, &recipient), Err(WrapError::Open), "{at}");
        }
    });
    // A public key on which everybody agrees with zeros.
    let there = There([7; 32].into());
    let public = x25519_dalek::PublicKey::from(&there.0).to_bytes();
    let recipient = SealingSecret::elsewhere(public, Arc::new(there));
    let (release, wrapped) = samples::wrapped();
    let small = [&[0; 32][..], &wrapped[32..]].concat();
    let fitting = Release { wrapped_key_hash: payload_hash(&small), ..release };
    assert_eq!(fitting.unwrap_key(&small, &recipient), Err(WrapError::Open));
}

#[test]
fn p3_another_recipient_gets_nothing() {
    let (release, wrapped) = samples::wrapped();
    let refused = release.unwrap_key(&wrapped, &region::sealing_secret(HOSPITAL_SEALING));
    assert_eq!(refused, Err(WrapError::Open));
}

#[test]
fn p3_a_bent_or_cut_key_does_not_open_whatever_its_hash() {
    let (release, wrapped) = samples::wrapped();
    let recipient = region::sealing_secret(CLINIC_SEALING);
    for at in 0..wrapped.len() {
        let mut bent = wrapped.clone();
        bent[at] ^= 1;
        for bytes in [&bent[..], &wrapped[..at]] {
            assert_eq!(release.unwrap_key(bytes, &recipient), Err(WrapError::Open), "{at}");
            // A holder that signs the hash of bent bytes gains nothing.
            let fitting = Release { wrapped_key_hash: payload_hash(bytes), ..release.clone() };
            assert_eq!(fitting.unwrap_key(bytes, &recipient), Err(WrapError::Open), "{at}");
        }
    }
    let longer = [&wrapped[..], &[0]].concat();
    let fitting = Release { wrapped_key_hash: payload_hash(&longer), ..release };
    assert_eq!(fitting.unwrap_key(&longer, &recipient), Err(WrapError::Open));
}

#[test]
fn p3_a_key_that_is_not_32_bytes_is_none() {
    let recipient = region::sealing_secret(CLINIC_SEALING);
    for key in [&[][..], &[1; 31], &[1; 33]] {
        let facts = samples::step().facts;
        let step = ReferralStep::seal(facts, key, &recipient.public(), &mut Entropy::new([1; 32])).unwrap();
        assert_eq!(step.open(&recipient).unwrap(), key);
        let release = Release { wrapped_key_hash: payload_hash(&step.sealed_body), ..samples::release() };
        // What was sealed as the body of a referral is no document key.
        assert_eq!(release.unwrap_key(&step.sealed_body, &recipient), Err(WrapError::Open));
    }
}

#[test]
fn p2_the_key_does_not_open_under_any_other_term() {
    let (release, wrapped) = samples::wrapped();
    let recipient = region::sealing_secret(CLINIC_SEALING);
    for_all(8, strategies::terms(), |other| {
        for terms in each_term(&release.terms, &other) {
            let changed = Release { terms, ..release.clone() };
            assert_eq!(changed.unwrap_key(&wrapped, &recipient), Err(WrapError::Open), "{:?}", changed.terms);
        }
    });
}

/// `terms` with one term at a time taken from `other`, where they differ.
fn each_term(terms: &Terms, other: &Terms) -> Vec<Terms> {
    let other = other.clone();
    let changed = [
        Terms { request: other.request, ..terms.clone() },
        Terms { holder: other.holder, ..terms.clone() },
        Terms { recipient: other.recipient, ..terms.clone() },
        Terms { sealing_key: other.sealing_key, ..terms.clone() },
        Terms { entry_id: other.entry_id, ..terms.clone() },
        Terms { document: other.document, ..terms.clone() },
        Terms { patient: other.patient, ..terms.clone() },
        Terms { heads: other.heads, ..terms.clone() },
        Terms { directive: other.directive, ..terms.clone() },
        Terms { referral: other.referral, ..terms.clone() },
        Terms { basis: other.basis, ..terms.clone() },
        Terms { expires_at: other.expires_at, ..terms.clone() },
        Terms { lease: other.lease, ..terms.clone() },
        Terms { standing: other.standing, ..terms.clone() },
    ];
    changed.into_iter().filter(|changed| changed != terms).collect()
}

#[test]
fn p3_what_is_no_key_is_not_sealed_to() {
    // Points of small order of X25519 (RFC 7748 section 6.1): the shared secret would be zero.
    let mut one = [0; 32];
    one[0] = 1;
    for bad in [[0; 32], one] {
        let wrapped = Release::wrap(
            samples::terms(),
            &Zeroizing::new(samples::DOCUMENT_KEY),
            &bad,
            &mut Entropy::new([1; 32]),
        );
        assert_eq!(wrapped.unwrap_err(), WrapError::Key);
    }
}

#[test]
fn r2_a_body_opens_on_the_other_side_under_its_facts_alone() {
    let to = region::sealing_secret(HOSPITAL_SEALING);
    let other_side = region::sealing_secret(CLINIC_SEALING);
    let cases = (strategies::step_facts(), vec(any::<u8>(), 0..200), any::<Index>());
    for_all(24, cases.prop_filter("other facts", |(facts, ..)| *facts != samples::step().facts), |case| {
        let (facts, body, place) = case;
        let step = ReferralStep::seal(facts, &body, &to.public(), &mut Entropy::new([7; 32])).unwrap();
        let step = ReferralStep::decode(&step.encode()).unwrap();
        assert_eq!(step.open(&to).unwrap(), body);
        assert_eq!(step.open(&other_side), Err(WrapError::Open));
        let elsewhere = ReferralStep { facts: samples::step().facts, ..step.clone() };
        assert_eq!(elsewhere.open(&to), Err(WrapError::Open));
        let mut bent = step;
        let at = place.index(bent.sealed_body.len());
        bent.sealed_body[at] ^= 1;
        assert_eq!(bent.open(&to), Err(WrapError::Open));
    });
    let mut empty = samples::step();
    empty.sealed_body.clear();
    assert_eq!(empty.open(&to), Err(WrapError::Open));
}

#[test]
fn r2_every_fact_of_a_step_is_bound_into_its_body() {
    let to = region::sealing_secret(HOSPITAL_SEALING);
    let step = samples::step();
    for_all(8, strategies::step_facts(), |other| {
        let facts = &step.facts;
        let changed = [
            StepFacts { referral: other.referral, ..facts.clone() },
            StepFacts { number: facts.number + 1, ..facts.clone() },
            StepFacts { previous: Some(samples::digest(1)), ..facts.clone() },
            StepFacts { seen: other.seen + 1, ..facts.clone() },
            StepFacts { from: other.from, ..facts.clone() },
            StepFacts { to: other.to, ..facts.clone() },
            StepFacts { act: ReferralAct::Cancel, ..facts.clone() },
            StepFacts { at: other.at, ..facts.clone() },
            StepFacts { sealing_key: other.sealing_key, ..facts.clone() },
        ];
        for facts in changed {
            let bent = ReferralStep { facts, ..step.clone() };
            assert_eq!(bent.open(&to), Err(WrapError::Open), "{:?}", bent.facts);
        }
    });
}

pub(crate) fn token_of(identifier: &Identifier, blinding: u8) -> Token {
    let mut entropy = Entropy::new([blinding; 32]);
    let secret = region::token_secret();
    let blinding = Blinding::new(&region::region(), std::slice::from_ref(identifier), &mut entropy).unwrap();
    let evaluation = secret.evaluate(blinding.blinded(), &mut entropy).unwrap();
    blinding.finish(&secret.public(), &evaluation).unwrap().remove(0)
}

#[test]
fn t4_one_identifier_has_one_token_however_it_was_blinded() {
    let person = Identifier::resident_id("11010519491231002X").unwrap();
    let once = token_of(&person, 1);
    for blinding in 2..6 {
        assert_eq!(token_of(&person, blinding), once);
    }
    let card = Identifier::health_card("11010519491231002X").unwrap();
    assert_ne!(token_of(&card, 1), once, "the kind of identifier is in the token (T-1)");
}

#[test]
fn t3_blinding_hides_which_identifier_it_is_of() {
    let person = Identifier::health_card("A12345678").unwrap();
    let blinded = |seed| {
        let blinding =
            Blinding::new(&region::region(), std::slice::from_ref(&person), &mut Entropy::new([seed; 32]));
        blinding.unwrap().blinded().to_vec()
    };
    assert_ne!(blinded(1), blinded(2));
}
