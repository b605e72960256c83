//! What patients say.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use yiqiao_proto::codes::{
    CredentialAlgorithm, CredentialState, DocumentClass, LegalBasis, PatientQuestion, PersonRole, Purpose,
    RevocationReason, Sensitivity, Stance,
};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, PatientQuery, Revocation, What};
use yiqiao_proto::id::{Code, DirectiveId, EntryId, Nonce, PractitionerId, ReferralId};
use yiqiao_proto::limits;
use yiqiao_proto::proof::{AttestedLogin, CredentialStatement, DeskWitness, PasskeyAssertion, Proof};

use super::parts::{
    code, digest, id, label, not_all, number, one, ordinal, some, stretch, time, token, tokens,
};

fn grantee() -> impl Strategy<Value = Grantee> {
    let inside = (option::of(code()), option::of(id(PractitionerId::new)));
    let organisation = option::of((code(), inside));
    (organisation, option::of(one(PersonRole::ALL)), option::of(id(ReferralId::new))).prop_map(
        |(organisation, role, referral)| {
            let (organisation, (department, practitioner)) = organisation.unzip_inside();
            Grantee { organisation, department, practitioner, role, referral }
        },
    )
}

/// Department and practitioner stand only with their organisation (C-4).
trait UnzipInside {
    fn unzip_inside(self) -> (Option<Code>, (Option<Code>, Option<PractitionerId>));
}

impl UnzipInside for Option<(Code, (Option<Code>, Option<PractitionerId>))> {
    fn unzip_inside(self) -> (Option<Code>, (Option<Code>, Option<PractitionerId>)) {
        self.map_or((None, (None, None)), |(organisation, inside)| (Some(organisation), inside))
    }
}

fn what() -> impl Strategy<Value = What> {
    let entries = btree_set(id(EntryId::new), 0..4);
    (not_all(DocumentClass::ALL), not_all(Sensitivity::ALL), stretch(), entries).prop_map(
        |(classes, sensitivities, (service_from, service_until), entries)| What {
            classes,
            sensitivities,
            service_from,
            service_until,
            entries,
        },
    )
}

pub(crate) fn directive() -> impl Strategy<Value = Directive> {
    let valid = (time(), option::of(time())).prop_filter_map("forwards", |(from, until)| match until {
        Some(until) if until == from => None,
        Some(until) => Some((from.min(until), Some(from.max(until)))),
        None => Some((from, None)),
    });
    let basis = one(&[LegalBasis::SeparateConsent, LegalBasis::GuardianConsent]);
    let notice = (label(), digest());
    let ordinary =
        one(Purpose::ALL).prop_filter("not an emergency", |purpose| *purpose != Purpose::Emergency);
    (
        (id(DirectiveId::new), token(), one(Stance::ALL), grantee(), code(), option::of(code())),
        (what(), (some(Purpose::ALL), ordinary), valid, notice),
        (any::<bool>(), basis, number()),
    )
        .prop_map(|(parties, (what, purposes, (valid_from, valid_until), (version, hash)), rest)| {
            let (mut purposes, purpose) = purposes;
            let (id, patient, stance, mut grantee, organisation, custodian) = parties;
            let (existence_visible, basis, head_version) = rest;
            if stance == Stance::Permit {
                grantee.organisation.get_or_insert(organisation);
                purposes.insert(purpose);
                purposes.remove(&Purpose::Emergency);
            }
            let (basis, existence_visible) = if stance == Stance::Forbid {
                (LegalBasis::Objection, false)
            } else {
                (basis, existence_visible)
            };
            Directive {
                id,
                patient,
                stance,
                grantee,
                custodian,
                what,
                purposes,
                valid_from,
                valid_until,
                notice: Notice { version, hash },
                existence_visible,
                basis,
                head_version,
            }
        })
}

pub(crate) fn revocation() -> impl Strategy<Value = Revocation> {
    (id(DirectiveId::new), token(), one(RevocationReason::ALL), number(), time()).prop_map(
        |(directive, patient, reason, head_version, at)| Revocation {
            directive,
            patient,
            reason,
            head_version,
            at,
        },
    )
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => vec(any::<u8>(), 1..80),
        1 => vec(any::<u8>(), limits::ASSERTION_PART_BYTES_MAX),
    ]
}

fn proof() -> impl Strategy<Value = Proof> {
    let parts = [part().boxed(), part().boxed(), part().boxed(), part().boxed()];
    let acts = prop_oneof![Just(0), 2..=limits::TOKENS_MAX];
    let acts = acts.prop_flat_map(|count| btree_set(digest(), count));
    let passkey = (parts, acts).prop_map(|(parts, acts)| {
        let [credential_id, authenticator_data, client_data_json, signature] = parts;
        let acts = acts.into_iter().collect();
        Proof::Passkey(PasskeyAssertion {
            credential_id,
            authenticator_data,
            client_data_json,
            signature,
            acts,
        })
    });
    let login = (code(), digest(), time()).prop_map(|(organisation, account_hash, at)| {
        Proof::AttestedLogin(AttestedLogin { organisation, account_hash, at })
    });
    let desk =
        (code(), digest(), digest(), time()).prop_map(|(organisation, staff_hash, evidence_hash, at)| {
            Proof::DeskWitness(DeskWitness { organisation, staff_hash, evidence_hash, at })
        });
    prop_oneof![passkey, login, desk]
}

pub(crate) fn directive_act() -> impl Strategy<Value = Act<Directive>> {
    (directive(), proof()).prop_map(|(said, proof)| Act::new(said, proof))
}

pub(crate) fn revocation_act() -> impl Strategy<Value = Act<Revocation>> {
    (revocation(), proof()).prop_map(|(said, proof)| Act::new(said, proof))
}

pub(crate) fn patient_query() -> impl Strategy<Value = PatientQuery> {
    let page = (number(), 1..=limits::SEARCH_COUNT_MAX);
    (token(), one(PatientQuestion::ALL), page, id(Nonce::new), time()).prop_map(
        |(patient, what, (from_seq, count), nonce, at)| PatientQuery {
            patient,
            what,
            from_seq,
            count,
            nonce,
            at,
        },
    )
}

pub(crate) fn patient_query_act() -> impl Strategy<Value = Act<PatientQuery>> {
    (patient_query(), proof()).prop_map(|(said, proof)| Act::new(said, proof))
}

pub(crate) fn credential() -> impl Strategy<Value = CredentialStatement> {
    (
        (tokens(1), one(CredentialAlgorithm::ALL), part(), label()),
        (part(), code(), digest(), one(CredentialState::ALL), ordinal(), digest()),
        (any::<bool>(), option::of(time())),
    )
        .prop_map(|((tokens, algorithm, public_key, rp_id), rest, (guardian, until))| {
            let (credential_id, voucher, evidence_hash, state, number, previous) = rest;
            CredentialStatement {
                tokens,
                algorithm,
                public_key,
                rp_id,
                credential_id,
                voucher,
                evidence_hash,
                state,
                number,
                previous: (number > 1).then_some(previous),
                guardian,
                until,
            }
        })
}
